//! Kernel (autocorrelation-robust) meats: Newey–West and Driscoll–Kraay, both with Bartlett weights `1 − l/(L + 1)`.

use super::ScoreRows;
use super::cluster::group_scores;
use crate::data::Groups;
use crate::error::{Error, Result};
use crate::numeric::{blocks, linalg::symmetrize};
use crate::summary::gram::{TILE, Tile};
use nalgebra::DMatrix;

/// ⌊4 (T/100)^{2/9}⌋, the rule of Newey & West (1994) for Bartlett weights.
fn rule_of_thumb(periods: usize) -> usize {
    (4.0 * (periods as f64 / 100.0).powf(2.0 / 9.0)).floor() as usize
}

/// The lags to use, at most T − 1.
fn lags_or_rule(lags: Option<usize>, periods: usize) -> Result<usize> {
    let lags = lags.unwrap_or_else(|| rule_of_thumb(periods).min(periods - 1));
    if lags >= periods {
        return Err(Error::invalid_option(
            "lags",
            lags,
            format!("less than the number of periods, {periods}"),
        ));
    }
    Ok(lags)
}

/// `Γ_0 + Σ_l (1 − l/(L+1)) (Γ_l + Γ_l')`, `Γ_l = Σ s_t s_{t−l}'` over pairs of the same unit whose times are `l` steps apart;
/// times are counted in the distinct values of the time column.
pub(super) fn newey_west(
    source: &dyn ScoreRows,
    time: &Groups,
    unit: Option<&Groups>,
    lags: Option<usize>,
) -> Result<DMatrix<f64>> {
    let k = source.parameters();
    let lags = lags_or_rule(lags, time.count())?;
    if source
        .frequencies(0..source.rows())
        .is_some_and(|all| all.iter().any(|f| *f > 1.0))
    {
        return Err(Error::invalid_option(
            "covariance",
            "Newey–West with frequency weights above one",
            "given one row per period and unit, which a row that stands for several is not; use Covariance::driscoll_kraay",
        ));
    }
    let key = |i: u32| {
        (
            unit.map_or(0, |u| u.codes[i as usize]),
            time.codes[i as usize],
        )
    };
    let mut order: Vec<u32> = (0..source.rows() as u32).collect();
    order.sort_by_key(|i| key(*i));
    if let Some(pair) = order.windows(2).find(|w| key(w[0]) == key(w[1])) {
        let level = &time.levels[key(pair[0]).1 as usize];
        return Err(Error::invalid_option(
            "covariance",
            format!(
                "Newey–West with `{}` = {level} on more than one row",
                time.name
            ),
            "given one row per period and unit: name the unit column with Covariance::newey_west_panel, or use Covariance::driscoll_kraay",
        ));
    }
    let mut scores = vec![0.0; source.rows() * k];
    let mut tile = Tile::new(k);
    let mut residual = [0.0; TILE];
    for rows in blocks::ranges(source.rows(), TILE) {
        let residual = &mut residual[..rows.len()];
        source.fill(rows.clone(), &mut tile, residual);
        for (r, row) in rows.enumerate() {
            for j in 0..k {
                scores[row * k + j] = tile.column(j)[r] * residual[r];
            }
        }
    }
    let score = |position: usize| {
        let row = order[position] as usize;
        &scores[row * k..(row + 1) * k]
    };
    let mut meat = DMatrix::zeros(k, k);
    for now in 0..order.len() {
        let (unit_now, time_now) = key(order[now]);
        for back in 0..=lags.min(now) {
            let (unit_then, time_then) = key(order[now - back]);
            let lag = (time_now - time_then.min(time_now)) as usize;
            if unit_then != unit_now || lag > lags {
                break;
            }
            add_lagged(
                &mut meat,
                score(now),
                score(now - back),
                bartlett(lag, lags),
            );
        }
    }
    Ok(symmetrize(&meat))
}

/// Newey–West of the scores summed by period.
pub(super) fn driscoll_kraay(
    source: &dyn ScoreRows,
    time: &Groups,
    lags: Option<usize>,
) -> Result<DMatrix<f64>> {
    let k = source.parameters();
    let lags = lags_or_rule(lags, time.count())?;
    let sums = group_scores(source, time);
    let mut meat = DMatrix::zeros(k, k);
    for now in 0..time.count() {
        for lag in 0..=lags.min(now) {
            let then = now - lag;
            let (a, b) = (
                &sums[now * k..(now + 1) * k],
                &sums[then * k..(then + 1) * k],
            );
            add_lagged(&mut meat, a, b, bartlett(lag, lags));
        }
    }
    Ok(symmetrize(&meat))
}

/// The weight of a lag, twice over for lags above zero, since `Γ_l` and its transpose are added as one and symmetrised later.
fn bartlett(lag: usize, lags: usize) -> f64 {
    let weight = 1.0 - lag as f64 / (lags as f64 + 1.0);
    if lag == 0 { weight } else { 2.0 * weight }
}

/// `meat += weight · a b'`.
fn add_lagged(meat: &mut DMatrix<f64>, a: &[f64], b: &[f64], weight: f64) {
    for (j, y) in b.iter().enumerate() {
        for (i, x) in a.iter().enumerate() {
            meat[(i, j)] += weight * x * y;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rule_of_thumb() {
        assert_eq!(rule_of_thumb(100), 4);
        assert_eq!(rule_of_thumb(1000), 6);
        assert!(lags_or_rule(Some(10), 10).is_err());
    }
}
