//! The lasso on features, their squares and their products.

use super::features::{Features, Values};
use super::linear::{ElasticNet, FittedLinear};
use super::training::TrainingSet;
use crate::data::Rows;
use crate::error::Result;
use crate::numeric::{Progress, Seed};
use serde::{Deserialize, Serialize};

/// With more numeric features than this only squares are added: products would be too many.
const MOST_CROSSED: usize = 50;
/// Rows whose products are made at a time when predicting.
const CHUNK: usize = 1 << 12;

/// The lasso on the features, the squares of numeric ones and the products of each two: smooth surfaces with curvature and interactions, of which few
/// matter. The estimand is `E[Y | X]` or `P(W = 1 | X)`.
///
/// Factors are centred at their training means, and a missing factor leaves its products out (the feature itself keeps its indicator of missing).
/// Categories have no products. With more than 50 numeric features only squares are added.
///
/// | name | default | meaning |
/// |---|---|---|
/// | `net` | the lasso, its strength cross-validated | the penalty; see [`ElasticNet`] |
///
/// ```
/// use cocreate::prelude::*;
/// let x: Vec<f64> = (0..300).map(|i| f64::from(i % 17) / 8.0 - 1.0).collect();
/// let z: Vec<f64> = (0..300).map(|i| f64::from(i % 13) / 6.0 - 1.0).collect();
/// let y: Vec<f64> = x.iter().zip(&z).map(|(x, z)| 1.0 + x * z + z * z).collect();
/// let frame = Frame::new().with("x", x)?.with("z", z)?.with("y", y.clone())?;
/// let fit = Learner::quadratic().of("y", &["x", "z"]).seed(7).fit(&frame)?;
/// assert!(fit.predict(&frame)?.iter().zip(&y).all(|(p, y)| (p - y).abs() < 0.05));
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Quadratic {
    net: ElasticNet,
}

impl Default for Quadratic {
    fn default() -> Self {
        Self {
            net: ElasticNet::lasso(),
        }
    }
}

impl Quadratic {
    /// With the lasso.
    pub fn new() -> Self {
        Self::default()
    }

    /// With another penalty.
    pub fn net(mut self, net: ElasticNet) -> Self {
        self.net = net;
        self
    }

    pub(crate) fn check(&self) -> Result<()> {
        self.net.check()
    }

    pub(crate) fn needs_seed(&self) -> bool {
        self.net.needs_seed()
    }

    pub(crate) fn learn(
        &self,
        set: &TrainingSet,
        seed: Seed,
        progress: &Progress,
    ) -> Result<FittedQuadratic> {
        let centres = centres(set);
        let expanded = expand(set.features(), &centres, &Rows::all(set.features().rows()))?;
        let set = TrainingSet::new(&expanded, set.target(), set.task())
            .weights(set.row_weights())
            .rows(set.used_rows().clone())
            .named(set.target_name());
        Ok(FittedQuadratic {
            linear: self.net.learn(&set, seed, progress)?,
            centres,
        })
    }
}

/// The lasso on products after fitting.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct FittedQuadratic {
    pub(crate) linear: FittedLinear,
    /// Means of the numeric features in training; none for categories.
    centres: Vec<Option<f64>>,
}

impl FittedQuadratic {
    /// Predictions for some rows, a chunk at a time.
    pub(crate) fn predict(&self, features: &Features, rows: &Rows, out: &mut [f64]) -> Result<()> {
        for (chunk, out) in out.chunks_mut(CHUNK).enumerate() {
            let part = (0..out.len())
                .map(|i| rows.index(chunk * CHUNK + i) as u32)
                .collect();
            let expanded = expand(features, &self.centres, &Rows::some(features.rows(), part))?;
            self.linear
                .predict(&expanded, &Rows::all(expanded.rows()), out);
        }
        Ok(())
    }
}

/// Means of the numeric features over the rows in use that have them.
fn centres(set: &TrainingSet) -> Vec<Option<f64>> {
    let rows = set.used_rows();
    let mean = |x: &[f64]| {
        let (mut sum, mut total) = (0.0, 0.0);
        for row in (0..rows.len())
            .map(|i| rows.index(i))
            .filter(|row| !x[*row].is_nan())
        {
            sum += set.weight(row) * x[row];
            total += set.weight(row);
        }
        if total > 0.0 { sum / total } else { 0.0 }
    };
    set.features()
        .values()
        .iter()
        .map(|values| match values {
            Values::Number(x) => Some(mean(x)),
            Values::Category(_) => None,
        })
        .collect()
}

/// Some rows of the features, with squares and products behind them.
fn expand(features: &Features, centres: &[Option<f64>], rows: &Rows) -> Result<Features> {
    let mut expanded = features.gather(rows)?;
    let names = features.names();
    let numbers: Vec<(usize, Vec<f64>)> = features
        .values()
        .iter()
        .zip(centres)
        .enumerate()
        .filter_map(|(j, (values, centre))| match (values, centre) {
            (Values::Number(x), Some(centre)) => {
                let centred = rows
                    .gather(x)
                    .into_iter()
                    .map(|v| if v.is_nan() { 0.0 } else { v - centre });
                Some((j, centred.collect()))
            }
            _ => None,
        })
        .collect();
    for (a, (i, first)) in numbers.iter().enumerate() {
        let others = if numbers.len() > MOST_CROSSED {
            &numbers[a..=a]
        } else {
            &numbers[a..]
        };
        for (j, second) in others {
            let product: Vec<f64> = first.iter().zip(second).map(|(a, b)| a * b).collect();
            expanded = expanded.with(&format!("{} × {}", names[*i], names[*j]), product)?;
        }
    }
    Ok(expanded)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Frame;
    use crate::regression::learners::{Learner, Task};

    fn frame() -> Frame {
        let x: Vec<f64> = (0..400)
            .map(|i| {
                if i % 11 == 0 {
                    f64::NAN
                } else {
                    f64::from(i % 19) / 9.0
                }
            })
            .collect();
        let z: Vec<f64> = (0..400).map(|i| f64::from((i * 7) % 23) / 11.0).collect();
        let side: Vec<&str> = (0..400)
            .map(|i| if i % 3 == 0 { "a" } else { "b" })
            .collect();
        Frame::new()
            .with("x", x)
            .unwrap()
            .with("z", z)
            .unwrap()
            .with("side", side)
            .unwrap()
    }

    #[test]
    fn products_of_numbers_are_added_and_missing_factors_leave_them_out() {
        let features = Features::from_frame(&frame(), &["x", "side", "z"]).unwrap();
        let expanded = expand(
            &features,
            &[Some(1.0), None, Some(0.5)],
            &Rows::some(400, vec![0, 1]),
        )
        .unwrap();
        assert_eq!(
            expanded.names(),
            ["x", "side", "z", "x × x", "x × z", "z × z"]
        );
        let Values::Number(product) = &expanded.values()[4] else {
            panic!("a number")
        };
        let second = (1.0 / 9.0 - 1.0) * (7.0 / 11.0 - 0.5);
        assert!(product[0] == 0.0 && (product[1] - second).abs() < 1e-15);
    }

    #[test]
    fn a_surface_with_an_interaction_is_found_by_any_number_of_rows_at_a_time() {
        let features = Features::from_frame(&frame(), &["x", "side", "z"]).unwrap();
        let (Values::Number(x), Values::Number(z)) = (&features.values()[0], &features.values()[2])
        else {
            panic!("numbers")
        };
        let known: Vec<u32> = (0..400).filter(|i| !x[*i as usize].is_nan()).collect();
        let target: Vec<f64> = (0..400)
            .map(|i| {
                if x[i].is_nan() {
                    3.0
                } else {
                    x[i] * z[i] + x[i] * x[i]
                }
            })
            .collect();
        let set = TrainingSet::new(&features, &target, Task::Regression);
        let fitted = |learner: Learner| {
            let fit = learner.fit(&set, Seed::new(3)).unwrap();
            let mut out = vec![0.0; 400];
            fit.predict(&features, &Rows::all(400), &mut out).unwrap();
            let squares = known
                .iter()
                .map(|i| (out[*i as usize] - target[*i as usize]).powi(2));
            (squares.sum::<f64>() / known.len() as f64, fit, out)
        };
        let (straight, ..) = fitted(ElasticNet::lasso().into());
        let (curved, fit, out) = fitted(Quadratic::new().into());
        assert!(curved < 0.2 * straight, "{curved} {straight}");
        let mut one = [0.0];
        fit.predict(&features, &Rows::some(400, vec![37]), &mut one)
            .unwrap();
        assert_eq!(one[0].to_bits(), out[37].to_bits());
    }
}
