//! Weights and clusters of rows: means, ratios and their influence functions, from which all standard errors here come; and checked columns.

use super::ArmScores;
use crate::data::Frame;
use crate::error::{Error, Result};
use crate::inference::Estimate;
use nalgebra::DMatrix;
use std::collections::BTreeMap;

/// Weights that sum to one, and the unit (row or cluster) of every row. A mean is the sum of `weight × value`, and its error that of
/// independent sums over units.
#[derive(Clone, Debug)]
pub(crate) struct Units {
    pub(crate) weights: Vec<f64>,
    /// The cluster of every row, from 0; rows are their own units without.
    pub(crate) clusters: Option<Vec<u32>>,
    /// Number of units.
    pub(crate) count: usize,
    /// Those of them that have weight: the others say nothing.
    pub(crate) weighed: usize,
}

/// A mean, and what each row adds to its error: `θ̂ − θ ≈ Σ_i ψ_i`.
#[derive(Clone, Debug)]
pub(crate) struct Linearised {
    pub(crate) estimate: f64,
    pub(crate) influence: Vec<f64>,
}

impl Units {
    pub(crate) fn of(scores: &ArmScores) -> Self {
        Self::new(
            scores.len(),
            scores.weights.as_deref(),
            scores.clusters.as_deref(),
        )
    }

    pub(crate) fn new(rows: usize, weights: Option<&[f64]>, clusters: Option<&[u32]>) -> Self {
        let weights = match weights {
            None => vec![1.0 / rows as f64; rows],
            Some(weights) => {
                let total: f64 = weights.iter().sum();
                weights.iter().map(|w| w / total).collect()
            }
        };
        let mut seen = BTreeMap::new();
        let clusters = clusters.map(|codes| -> Vec<u32> {
            for code in codes {
                seen.insert(*code, 0_u32);
            }
            for (at, code) in seen.values_mut().enumerate() {
                *code = at as u32;
            }
            codes.iter().map(|code| seen[code]).collect()
        });
        let count = if clusters.is_some() { seen.len() } else { rows };
        let mut units = Self {
            weights,
            clusters,
            count,
            weighed: count,
        };
        units.weighed = units.among(|_| true);
        units
    }

    /// The number of units with weight among the rows for which `part` is true.
    pub(crate) fn among(&self, part: impl Fn(usize) -> bool) -> usize {
        let mut seen = vec![false; self.count];
        for row in (0..self.weights.len()).filter(|i| self.weights[*i] > 0.0 && part(*i)) {
            seen[self.unit(row)] = true;
        }
        seen.iter().filter(|s| **s).count()
    }

    /// The ratio `Σ w top / Σ w bottom` over the rows for which `part` is true: the mean of `top` when `bottom` is one. Its influence is
    /// `w (top − θ bottom) / Σ w bottom`, times √(G/(G − 1)) for the G units with weight of the part.
    ///
    /// NaN when the part has no weight.
    pub(crate) fn ratio(
        &self,
        top: &[f64],
        bottom: impl Fn(usize) -> f64,
        part: impl Fn(usize) -> bool,
    ) -> Linearised {
        let used: Vec<usize> = (0..top.len())
            .filter(|i| self.weights[*i] > 0.0 && part(*i))
            .collect();
        let (mut above, mut below) = (0.0, 0.0);
        for &i in &used {
            above += self.weights[i] * top[i];
            below += self.weights[i] * bottom(i);
        }
        let estimate = above / below;
        let units = self.among(&part) as f64;
        let correction = (units / (units - 1.0)).sqrt();
        let mut influence = vec![0.0; top.len()];
        for &i in &used {
            influence[i] = correction * self.weights[i] * (top[i] - estimate * bottom(i)) / below;
        }
        Linearised {
            estimate,
            influence,
        }
    }

    /// `Σ_g (Σ_{i∈g} ψ_i)(Σ_{i∈g} ψ_i)'` over units.
    pub(crate) fn covariance(&self, parts: &[Linearised]) -> DMatrix<f64> {
        let q = parts.len();
        let mut totals = vec![0.0; self.count * q];
        for (a, part) in parts.iter().enumerate() {
            for (row, psi) in part.influence.iter().enumerate() {
                totals[self.unit(row) * q + a] += psi;
            }
        }
        let mut sum = DMatrix::zeros(q, q);
        for psi in totals.chunks_exact(q.max(1)) {
            for a in 0..q {
                for b in 0..=a {
                    sum[(a, b)] += psi[a] * psi[b];
                }
            }
        }
        sum.fill_upper_triangle_with_lower_triangle();
        sum
    }

    /// A linearised mean with its error.
    pub(crate) fn linearised(&self, name: &str, part: &Linearised) -> Estimate {
        Estimate {
            name: name.to_owned(),
            estimate: part.estimate,
            std_error: self.covariance(std::slice::from_ref(part))[(0, 0)].sqrt(),
            degrees_of_freedom: self.degrees_of_freedom(),
        }
    }

    /// The unit of a row.
    pub(crate) fn unit(&self, row: usize) -> usize {
        self.clusters
            .as_ref()
            .map_or(row, |clusters| clusters[row] as usize)
    }

    /// Sums of `weight × value` by unit.
    pub(crate) fn sums(&self, values: &[f64]) -> Vec<f64> {
        let mut sums = vec![0.0; self.count];
        for (row, (value, weight)) in values.iter().zip(&self.weights).enumerate() {
            sums[self.unit(row)] += weight * value;
        }
        sums
    }

    pub(crate) fn mean(&self, values: &[f64]) -> f64 {
        let each = values.iter().zip(&self.weights);
        each.map(|(value, weight)| value * weight).sum()
    }

    /// The standard error of an estimator that is, but for a constant, a sum of independent contributions of units.
    pub(crate) fn std_error(&self, contributions: &[f64]) -> f64 {
        (self.correction() * contributions.iter().map(|c| c * c).sum::<f64>()).sqrt()
    }

    /// `m/(m − 1)` for m units with weight.
    pub(crate) fn correction(&self) -> f64 {
        let count = self.weighed as f64;
        count / (count - 1.0).max(1.0)
    }

    /// Few clusters make a t distribution; rows are many. One unit has no error that could be known.
    pub(crate) fn degrees_of_freedom(&self) -> f64 {
        if self.clusters.is_some() || self.weighed < 2 {
            self.weighed as f64 - 1.0
        } else {
            f64::INFINITY
        }
    }

    /// An estimate whose influence values, row by row, are given; they need not be centred.
    pub(crate) fn estimate(&self, name: &str, estimate: f64, influence: &[f64]) -> Estimate {
        let mean = self.mean(influence);
        let centred: Vec<f64> = influence.iter().map(|v| v - mean).collect();
        self.of_contributions(name, estimate, &self.sums(&centred))
    }

    /// The weighted mean of values.
    pub(crate) fn average(&self, name: &str, values: &[f64]) -> Estimate {
        self.estimate(name, self.mean(values), values)
    }

    /// An estimate from its contributions by unit.
    pub(crate) fn of_contributions(
        &self,
        name: &str,
        estimate: f64,
        contributions: &[f64],
    ) -> Estimate {
        Estimate {
            name: name.to_owned(),
            estimate,
            std_error: self.std_error(contributions),
            degrees_of_freedom: self.degrees_of_freedom(),
        }
    }
}

/// Refuses a column of another length, or with a value that is not finite.
pub(crate) fn check_column(name: &str, values: &[f64], rows: usize) -> Result<()> {
    if values.len() != rows {
        return Err(Error::LengthMismatch {
            column: name.to_owned(),
            expected: rows,
            found: values.len(),
        });
    }
    match values.iter().position(|v| !v.is_finite()) {
        None => Ok(()),
        Some(row) => Err(Error::OutOfRange {
            column: name.to_owned(),
            row: row + 1,
            value: values[row],
            expected: "finite; fill in or leave out rows where it is not".to_owned(),
        }),
    }
}

/// A numeric column without gaps, as long as the scores.
pub(crate) fn finite_column(frame: &Frame, name: &str, rows: usize) -> Result<Vec<f64>> {
    let values = frame.numeric(name)?.values().to_vec();
    check_column(name, &values, rows)?;
    Ok(values)
}

/// The arm compared and the arm it is compared with: the only other arm and the first unless named.
pub(crate) fn contrast_arms(
    scores: &ArmScores,
    arm: Option<&str>,
    control: Option<&str>,
) -> Result<(String, String)> {
    let arms = scores.arms();
    let control = control.unwrap_or(&arms[0]);
    match arm {
        Some(arm) => Ok((arm.to_owned(), control.to_owned())),
        None if arms.len() == 2 => {
            let other = usize::from(arms[0] == control);
            Ok((arms[other].clone(), control.to_owned()))
        }
        None => Err(Error::invalid_option(
            "arm",
            "not given",
            format!("one of {}: the scores have several arms", arms.join(", ")),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clusters_of_one_row_are_rows() {
        let values = [1.0, 4.0, 2.0, 7.0];
        let rows = Units::new(4, None, None);
        let clusters = Units::new(4, Some(&[2.0; 4]), Some(&[9, 3, 7, 1]));
        let (a, b) = (rows.average("m", &values), clusters.average("m", &values));
        assert!((a.estimate - 3.5).abs() < 1e-15 && (b.estimate - 3.5).abs() < 1e-15);
        // The textbook error of a mean: the root of 7/4, since the variance is 7.
        assert!((a.std_error - (7.0_f64 / 4.0).sqrt()).abs() < 1e-15);
        assert!((a.std_error - b.std_error).abs() < 1e-15);
        assert_eq!(b.degrees_of_freedom, 3.0);
    }

    #[test]
    fn the_variance_of_a_mean_is_that_of_the_textbook() {
        let x = [1.0, 4.0, 2.0, 7.0];
        let of = |clusters: Option<&[u32]>| {
            let units = Units::new(4, None, clusters);
            let mean = units.ratio(&x, |_| 1.0, |_| true);
            let by_sums = units.average("m", &x).std_error.powi(2);
            let variance = units.covariance(std::slice::from_ref(&mean))[(0, 0)];
            assert!((mean.estimate - 3.5).abs() < 1e-15 && (variance - by_sums).abs() < 1e-14);
            assert!((units.linearised("m", &mean).std_error.powi(2) - variance).abs() < 1e-14);
            variance
        };
        // Mean 3.5, Σ(x − 3.5)² = 21, so the variance is 21/3/4.
        assert!((of(None) - 1.75).abs() < 1e-14);
        // One cluster a row is the same; two clusters of means 2.5 and 4.5 are two observations: 2/1/2.
        assert!((of(Some(&[3, 1, 2, 0])) - 1.75).abs() < 1e-14);
        assert!((of(Some(&[5, 5, 9, 9])) - 1.0).abs() < 1e-14);
    }

    #[test]
    fn a_part_sees_its_rows_only_and_rows_without_weight_do_not_count() {
        let x = [1.0, 4.0, 2.0, 7.0];
        let units = Units::new(4, Some(&[1.0, 2.0, 1.0, 0.0]), None);
        let mean = units.ratio(&x, |_| 1.0, |i| i != 2);
        assert!((mean.estimate - 3.0).abs() < 1e-15);
        assert_eq!((mean.influence[2], mean.influence[3]), (0.0, 0.0));
        assert!(units.ratio(&x, |_| 1.0, |i| i == 3).estimate.is_nan());
        let without = Units::new(3, Some(&[1.0, 2.0, 1.0]), None).average("m", &x[..3]);
        let (all, kept) = (units.average("m", &x), without);
        assert!((all.std_error - kept.std_error).abs() < 1e-15);
    }

    #[test]
    fn units_without_weight_are_units_left_out() {
        let weights = [1.0, 2.0, 0.0, 3.0, 0.0];
        let values = [1.0, 4.0, 90.0, 7.0, -90.0];
        for clusters in [None, Some([5_u32, 6, 7, 5, 8])] {
            let all = Units::new(5, Some(&weights), clusters.as_ref().map(|c| &c[..]));
            let few = clusters.map(|c| [c[0], c[1], c[3]]);
            let few = Units::new(3, Some(&[1.0, 2.0, 3.0]), few.as_ref().map(|c| &c[..]));
            let left = [values[0], values[1], values[3]];
            assert_eq!(all.average("m", &values), few.average("m", &left));
        }
        let one = Units::new(2, Some(&[0.0, 1.0]), None).average("m", &[1.0, 2.0]);
        assert_eq!((one.estimate, one.p_value()), (2.0, 1.0));
        assert!(one.confidence_interval(0.95).unwrap().upper.is_infinite());
    }
}
