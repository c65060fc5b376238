//! Matched pairs: units alike in covariates, one of each pair treated.

use super::assigned::Assigned;
use super::plan::{Plan, check_arms, finite};
use crate::data::Frame;
use crate::error::{Error, Result};
use crate::numeric::Seed;
use crate::numeric::linalg::Cholesky;
use nalgebra::DMatrix;

/// Up to this many units pairs are matched at the smallest total distance there is.
const MOST_EXACT: usize = 16;

/// Up to this many units all distances are kept and sorted.
const MOST_UNITS: usize = 5000;

/// Pairs units by Mahalanobis' distance of covariates and treats one of each pair, by a fair coin.
///
/// With at most 16 units the pairs have the smallest total distance of all pairings; with more, the rule is greedy: the two closest units
/// that are still free become the next pair (ties by row). Compare pairs by the effect of `analyze`: the mean difference within pairs,
/// with the variance of those differences over the number of pairs.
///
/// | name | default | meaning | range |
/// |---|---|---|---|
/// | `covariates` | | columns to match on | numeric, not missing |
/// | `arms` | control, treated | names | two |
/// | `seed` | none | required | |
///
/// ```
/// use cocreate::prelude::*;
/// let shops = Frame::new().with("sales", vec![10.0, 52.0, 11.0, 30.0, 33.0, 50.0])?;
/// let assigned = MatchedPairs::new(["sales"]).seed(7).assign(&shops)?;
/// assert_eq!(assigned.strata_by_row(), [0, 1, 0, 2, 2, 1]); // 10 with 11, 52 with 50, 30 with 33
/// let after = assigned.attach(&shops, "arm")?.with("after", vec![12.0, 50.0, 12.0, 34.0, 33.0, 53.0])?;
/// assert!(assigned.analyze(&after, "after")?.std_error("treated - control")? < 5.0);
/// # Ok::<(), cocreate::Error>(())
/// ```
///
/// # Errors
/// [`Error::InvalidOption`] for an odd number of rows, fewer than four, or more than 5000; [`Error::SeedRequired`]; [`Error::ColumnNotFound`];
/// [`Error::OutOfRange`] for a missing covariate.
///
/// # References
/// Greevy, Lu, Silber & Rosenbaum (2004), doi:10.1093/biostatistics/5.2.263; Imai, King & Nall (2009), doi:10.1214/08-STS274.
#[derive(Clone, Debug, PartialEq)]
pub struct MatchedPairs {
    covariates: Vec<String>,
    arms: Vec<String>,
    seed: Option<Seed>,
}

impl MatchedPairs {
    /// Pairs matched on these columns.
    pub fn new<S: Into<String>>(covariates: impl IntoIterator<Item = S>) -> Self {
        Self {
            covariates: covariates.into_iter().map(Into::into).collect(),
            arms: vec!["control".to_owned(), "treated".to_owned()],
            seed: None,
        }
    }

    /// The names of the two arms, control first.
    pub fn arms(mut self, control: impl Into<String>, treated: impl Into<String>) -> Self {
        self.arms = vec![control.into(), treated.into()];
        self
    }

    /// Sets the seed.
    pub fn seed(mut self, seed: impl Into<Seed>) -> Self {
        self.seed = Some(seed.into());
        self
    }

    /// Pairs the rows and draws who is treated.
    ///
    /// # Errors
    /// See [`MatchedPairs`].
    pub fn assign(&self, frame: &Frame) -> Result<Assigned> {
        let shares = vec![0.5, 0.5];
        check_arms(&self.arms, &shares)?;
        let seed = self.seed.ok_or_else(|| Error::SeedRequired {
            what: "random assignment within pairs".to_owned(),
        })?;
        let pairs = self.pairs(frame)?;
        assign_pairs(pairs, frame.rows(), self.arms.clone(), seed)
    }

    /// The pairs, ordered by their first row.
    ///
    /// # Errors
    /// See [`MatchedPairs`].
    pub fn pairs(&self, frame: &Frame) -> Result<Vec<[u32; 2]>> {
        let n = frame.rows();
        check_count("rows", n)?;
        let z = whiten(frame, &self.covariates)?;
        closest(n, |i, j| {
            z.iter().map(|column| (column[i] - column[j]).powi(2)).sum()
        })
    }
}

/// Draws one of each pair.
pub(super) fn assign_pairs(
    pairs: Vec<[u32; 2]>,
    units: usize,
    arms: Vec<String>,
    seed: Seed,
) -> Result<Assigned> {
    let plan = Plan {
        shares: vec![0.5, 0.5],
        independent: false,
        strata: pairs.into_iter().map(|p| p.to_vec()).collect(),
        of_row: None,
        units,
        balance: None,
    };
    Assigned::draw(
        plan,
        arms,
        vec!["matched pair".to_owned()],
        None,
        seed.child("matched pairs"),
    )
}

fn check_count(option: &str, n: usize) -> Result<()> {
    if n % 2 == 1 || !(4..=MOST_UNITS).contains(&n) {
        return Err(Error::invalid_option(
            option,
            n,
            format!(
                "an even number from 4 to {MOST_UNITS}; leave one unit out (not after seeing outcomes), or use Randomization::within strata"
            ),
        ));
    }
    Ok(())
}

/// Pairs of `n` units by squared distance, ordered by their first unit: the best of all when there are few units, greedy otherwise.
pub(super) fn closest(n: usize, squared: impl Fn(usize, usize) -> f64) -> Result<Vec<[u32; 2]>> {
    check_count("units", n)?;
    let mut pairs = if n <= MOST_EXACT {
        exact(n, squared)
    } else {
        greedy(n, squared)
    };
    pairs.sort_unstable();
    Ok(pairs)
}

/// Covariates turned and scaled so that Mahalanobis' distance is Euclid's; collinear ones add nothing.
fn whiten(frame: &Frame, covariates: &[String]) -> Result<Vec<Vec<f64>>> {
    let values = covariates
        .iter()
        .map(|c| finite(frame, c))
        .collect::<Result<Vec<_>>>()?;
    let columns: Vec<&[f64]> = values.iter().map(Vec::as_slice).collect();
    if columns.is_empty() {
        return Err(Error::invalid_option(
            "covariates",
            "none",
            "at least one column to match on; without any use Randomization",
        ));
    }
    let moments = crate::summary::Moments::of(&columns, None)?;
    let covariance = moments.covariance(1.0);
    let scale: Vec<f64> = (0..values.len())
        .map(|j| covariance[(j, j)].sqrt())
        .collect();
    if let Some(j) = scale.iter().position(|s| s.is_nan() || *s <= 0.0) {
        return Err(Error::invalid_option(
            "covariates",
            &covariates[j],
            "columns that vary over the units",
        ));
    }
    let correlation = DMatrix::from_fn(values.len(), values.len(), |i, j| {
        covariance[(i, j)] / (scale[i] * scale[j])
    });
    let factor = Cholesky::new(&correlation);
    let kept = factor.kept().to_vec();
    let root = factor.inverse_root();
    let mean = moments.mean();
    Ok((0..kept.len())
        .map(|k| {
            (0..frame.rows())
                .map(|row| {
                    (0..kept.len())
                        .map(|i| {
                            root[(i, k)] * (values[kept[i]][row] - mean[kept[i]]) / scale[kept[i]]
                        })
                        .sum()
                })
                .collect()
        })
        .collect())
}

/// The pairing with the smallest sum of distances (not squared), by dynamic programming over sets of units.
fn exact(n: usize, squared: impl Fn(usize, usize) -> f64) -> Vec<[u32; 2]> {
    let sets = 1_usize << n;
    let mut best = vec![(f64::INFINITY, 0_usize); sets];
    best[0] = (0.0, 0);
    for set in 1..sets {
        if set.count_ones() % 2 == 1 {
            continue;
        }
        // The first unit of the set has some partner.
        let first = set.trailing_zeros() as usize;
        for second in first + 1..n {
            if set >> second & 1 == 1 {
                let rest = set & !(1 << first) & !(1 << second);
                let total = best[rest].0 + squared(first, second).sqrt();
                if total < best[set].0 {
                    best[set] = (total, second);
                }
            }
        }
    }
    let mut set = sets - 1;
    let mut pairs = Vec::with_capacity(n / 2);
    while set > 0 {
        let (first, second) = (set.trailing_zeros() as usize, best[set].1);
        pairs.push([first as u32, second as u32]);
        set &= !(1 << first) & !(1 << second);
    }
    pairs
}

/// The closest free units are the next pair.
fn greedy(n: usize, squared: impl Fn(usize, usize) -> f64) -> Vec<[u32; 2]> {
    let mut all: Vec<(f64, u32, u32)> = (0..n)
        .flat_map(|i| (i + 1..n).map(move |j| (i, j)))
        .map(|(i, j)| (squared(i, j), i as u32, j as u32))
        .collect();
    all.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then((a.1, a.2).cmp(&(b.1, b.2))));
    let mut free = vec![true; n];
    let mut pairs = Vec::with_capacity(n / 2);
    for (_, i, j) in all {
        if free[i as usize] && free[j as usize] {
            free[i as usize] = false;
            free[j as usize] = false;
            pairs.push([i, j]);
        }
    }
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exact_pairs_beat_greedy_ones() {
        // On a line at 0, 2, 3, 5 greedy takes (2, 3) and leaves 0 with 5.
        let x: [f64; 4] = [0.0, 2.0, 3.0, 5.0];
        let squared = |i: usize, j: usize| (x[i] - x[j]).powi(2);
        assert_eq!(greedy(4, squared), [[1, 2], [0, 3]]);
        assert_eq!(exact(4, squared), [[0, 1], [2, 3]]);
    }

    #[test]
    fn pairs_do_not_depend_on_scale_or_turning() {
        let a: Vec<f64> = (0..40).map(|i| f64::from(i * 29 % 41)).collect();
        let b: Vec<f64> = (0..40).map(|i| f64::from(i * 17 % 37)).collect();
        let mixed: Vec<f64> = a.iter().zip(&b).map(|(a, b)| 1000.0 * a + b).collect();
        let frame = Frame::new()
            .with("a", a)
            .unwrap()
            .with("b", b)
            .unwrap()
            .with("mixed", mixed)
            .unwrap();
        let plain = MatchedPairs::new(["a", "b"]).pairs(&frame).unwrap();
        assert_eq!(
            plain,
            MatchedPairs::new(["a", "mixed"]).pairs(&frame).unwrap()
        );
        // A combination of the others changes nothing.
        assert_eq!(
            plain,
            MatchedPairs::new(["a", "b", "mixed"])
                .pairs(&frame)
                .unwrap()
        );
    }

    #[test]
    fn odd_numbers_are_refused() {
        let frame = Frame::new()
            .with("x", vec![1.0, 2.0, 3.0, 4.0, 5.0])
            .unwrap();
        let error = MatchedPairs::new(["x"]).seed(1).assign(&frame).unwrap_err();
        assert!(error.to_string().contains("even"), "{error}");
        let even = frame.head(4);
        assert!(matches!(
            MatchedPairs::new(["x"]).assign(&even),
            Err(Error::SeedRequired { .. })
        ));
    }
}
