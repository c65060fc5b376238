//! Stepdown adjustment that learns the dependence between tests from resampled statistics.

use super::Alternative;
use super::adjust::running_max;
use crate::error::{Error, Result};
use nalgebra::DMatrix;

/// A resampled statistic this close below the observed one, relative to it, equals it but for rounding.
pub(crate) const TIE: f64 = 1e-10;

/// Romano–Wolf adjusted p-values: stepdown with the largest of the statistics that still stand.
///
/// `observed` holds the studentised statistics, `resampled` one row a draw of the same statistics *under the null hypothesis*
/// (centred bootstrap statistics, or those of re-assigned treatments). With hypotheses ordered by |T|, the p-value of the j-th is
/// `(1 + #{draws whose max over the j-th and all after it ≥ |T_j|})/(draws + 1)`, made monotone. Controls the familywise error
/// asymptotically under any dependence, and gains on Holm when statistics are correlated.
///
/// ```
/// use cocreate::prelude::*;
/// use nalgebra::DMatrix;
/// let draws = DMatrix::from_fn(99, 2, |i, j| ((i * 7 + j * 3) % 20) as f64 / 10.0 - 1.0);
/// let p = romano_wolf(&[2.5, 0.4], &draws, Alternative::TwoSided)?;
/// assert_eq!(p[0], 0.01); // no draw is as large: 1/100
/// # Ok::<(), cocreate::Error>(())
/// ```
///
/// # Errors
/// [`Error::LengthMismatch`], [`Error::NotFinite`], [`Error::InvalidOption`] without draws.
///
/// # References
/// Romano & Wolf (2005), *Econometrica* 73(4), doi:10.1111/j.1468-0262.2005.00615.x; Romano & Wolf (2016), *Statistics & Probability
/// Letters* 113, doi:10.1016/j.spl.2016.02.012.
pub fn romano_wolf(
    observed: &[f64],
    resampled: &DMatrix<f64>,
    alternative: Alternative,
) -> Result<Vec<f64>> {
    check(observed, resampled)?;
    let turned: Vec<f64> = observed
        .iter()
        .map(|t| alternative.extremeness(*t))
        .collect();
    let draws = resampled.map(|t| alternative.extremeness(t));
    Ok(step_down(&turned, &draws))
}

/// Westfall–Young adjusted p-values: the same stepdown with the smallest marginal p-value, so that every hypothesis counts alike even
/// when the statistics have different distributions. The marginal p-value of a statistic is the share of draws (itself included)
/// that are at least as large.
///
/// # Errors
/// As [`romano_wolf`].
///
/// # References
/// Westfall & Young (1993), *Resampling-Based Multiple Testing*, algorithm 2.8; Ge, Dudoit & Speed (2003), *Test* 12(1),
/// doi:10.1007/BF02595811.
pub fn westfall_young(
    observed: &[f64],
    resampled: &DMatrix<f64>,
    alternative: Alternative,
) -> Result<Vec<f64>> {
    check(observed, resampled)?;
    let (count, draws) = (observed.len(), resampled.nrows());
    let mut turned = vec![0.0; count];
    let mut shares = DMatrix::zeros(draws, count);
    for j in 0..count {
        let column: Vec<f64> = resampled
            .column(j)
            .iter()
            .map(|t| alternative.extremeness(*t))
            .collect();
        let own = alternative.extremeness(observed[j]);
        let mut all = column.clone();
        all.push(own);
        all.sort_unstable_by(f64::total_cmp);
        // 1 − p as a statistic: how many of all draws lie clearly below.
        let below = |t: f64| all.partition_point(|other| *other < t - TIE * t.abs()) as f64;
        turned[j] = below(own);
        for (i, t) in column.iter().enumerate() {
            shares[(i, j)] = below(*t);
        }
    }
    Ok(step_down(&turned, &shares))
}

/// Stepdown on statistics of which large values speak against the null hypothesis.
fn step_down(observed: &[f64], draws: &DMatrix<f64>) -> Vec<f64> {
    let mut order: Vec<usize> = (0..observed.len()).collect();
    order.sort_by(|a, b| observed[*b].total_cmp(&observed[*a]));
    let mut largest = vec![f64::NEG_INFINITY; draws.nrows()];
    let mut p = vec![0.0; order.len()];
    for (place, &j) in order.iter().enumerate().rev() {
        let threshold = observed[j] - TIE * observed[j].abs();
        let mut exceed = 0;
        for (max, t) in largest.iter_mut().zip(draws.column(j).iter()) {
            *max = max.max(*t);
            exceed += usize::from(*max >= threshold);
        }
        p[place] = (1 + exceed) as f64 / (draws.nrows() + 1) as f64;
    }
    let mut out = vec![0.0; order.len()];
    for (j, value) in order.into_iter().zip(running_max(p)) {
        out[j] = value;
    }
    out
}

fn check(observed: &[f64], resampled: &DMatrix<f64>) -> Result<()> {
    if resampled.ncols() != observed.len() {
        return Err(Error::LengthMismatch {
            column: "resampled statistics".to_owned(),
            expected: observed.len(),
            found: resampled.ncols(),
        });
    }
    if resampled.nrows() == 0 {
        return Err(Error::invalid_option("draws", 0, "at least 1"));
    }
    if !observed
        .iter()
        .chain(resampled.iter())
        .all(|t| t.is_finite())
    {
        return Err(Error::NotFinite {
            what: "a statistic of the stepdown (a zero standard error?)".to_owned(),
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::numeric::Seed;
    use rand_distr::{Distribution, StandardNormal};

    fn draws(rows: usize, columns: usize, stream: u64) -> DMatrix<f64> {
        let mut random = Seed::new(3).stream(stream);
        DMatrix::from_fn(rows, columns, |_, _| StandardNormal.sample(&mut random))
    }

    #[test]
    fn one_hypothesis_has_its_own_p_value() {
        let resampled = draws(199, 1, 0);
        let want = (1 + resampled.iter().filter(|t| t.abs() >= 1.3).count()) as f64 / 200.0;
        for p in [
            romano_wolf(&[-1.3], &resampled, Alternative::TwoSided).unwrap(),
            westfall_young(&[-1.3], &resampled, Alternative::TwoSided).unwrap(),
        ] {
            assert_eq!(p, [want]);
        }
    }

    #[test]
    fn equal_hypotheses_cost_nothing_and_independent_ones_cost_at_most_holm() {
        let one = draws(999, 1, 1);
        let thrice = DMatrix::from_fn(999, 3, |i, _| one[(i, 0)]);
        let alone = romano_wolf(&[2.0], &one, Alternative::Greater).unwrap()[0];
        let p = romano_wolf(&[2.0; 3], &thrice, Alternative::Greater).unwrap();
        assert_eq!(p, [alone; 3]);
        // Stepdown by the first: Westfall & Young's first stage is at most Bonferroni's bound on the same draws.
        let free = draws(999, 4, 2);
        let observed = [2.6, 0.3, -1.4, 2.2];
        let p = romano_wolf(&observed, &free, Alternative::TwoSided).unwrap();
        for (j, t) in observed.iter().enumerate() {
            let exceed = |k: usize| free.column(k).iter().filter(|v| v.abs() >= t.abs()).count();
            let bound: usize = (0..4).map(exceed).sum();
            assert!(p[j] <= (1 + bound) as f64 / 1000.0 + 1e-12, "{j}");
            assert!(p[j] >= (1 + exceed(j)) as f64 / 1000.0 - 1e-12, "{j}");
        }
        assert!(p[0] <= p[3] && p[3] <= p[2] && p[2] <= p[1]);
    }

    #[test]
    fn order_does_not_matter() {
        let free = draws(499, 3, 4);
        let turned = DMatrix::from_fn(499, 3, |i, j| free[(i, (j + 1) % 3)]);
        for f in [romano_wolf, westfall_young] {
            let p = f(&[1.0, -2.0, 2.4], &free, Alternative::TwoSided).unwrap();
            let q = f(&[-2.0, 2.4, 1.0], &turned, Alternative::TwoSided).unwrap();
            assert_eq!([p[1], p[2], p[0]], q[..]);
        }
    }

    #[test]
    fn nonsense_is_refused() {
        let free = draws(5, 2, 5);
        assert!(romano_wolf(&[1.0], &free, Alternative::TwoSided).is_err());
        assert!(romano_wolf(&[1.0, f64::NAN], &free, Alternative::TwoSided).is_err());
        let none = DMatrix::zeros(0, 2);
        assert!(westfall_young(&[1.0, 1.0], &none, Alternative::TwoSided).is_err());
    }
}
