//! The lasso on features, their squares and their products.

use super::features::{Features, Values};
use super::linear::{ElasticNet, FittedLinear};
use super::training::{Task, TrainingSet};
use crate::data::Rows;
use crate::error::Result;
use crate::numeric::{Progress, Seed};
use serde::{Deserialize, Serialize};

/// With more numeric features than this only squares are added: products would be too many.
const MOST_CROSSED: usize = 50;
/// With more numeric features than this products of squares are left out: four columns for each two features would take too long.
const MOST_BENT: usize = 15;
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
/// | `biquadratic` | off | products of squares, too: interactions that bend. With more than 15 numeric features it changes nothing |
/// | `squared_loss` | off | a probability by least squares, cut to \[0, 1\]: many times quicker than the logistic loss |
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
    biquadratic: bool,
    squared_loss: bool,
}

impl Default for Quadratic {
    fn default() -> Self {
        Self {
            net: ElasticNet::lasso(),
            biquadratic: false,
            squared_loss: false,
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

    /// Adds x²z, xz² and x²z² for each two features x and z, squares less their means: ridges, saddles that level off, waves.
    pub fn biquadratic(mut self) -> Self {
        self.biquadratic = true;
        self
    }

    /// Learns a probability by least squares instead of logistic loss. The strength of the lasso is then cross-validated from
    /// cross-products, without a pass over the rows for each strength.
    pub fn squared_loss(mut self) -> Self {
        self.squared_loss = true;
        self
    }

    /// A short name for tables.
    pub(crate) fn name(&self) -> &'static str {
        if self.biquadratic {
            "biquadratic"
        } else {
            "quadratic"
        }
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
        let surface = Surface::of(set, self.biquadratic);
        let expanded = surface.expand(set.features(), &Rows::all(set.features().rows()))?;
        let cut = self.squared_loss && set.task() == Task::Probability;
        let task = if cut { Task::Regression } else { set.task() };
        let set = TrainingSet::new(&expanded, set.target(), task)
            .weights(set.row_weights())
            .rows(set.used_rows().clone())
            .named(set.target_name());
        Ok(FittedQuadratic {
            linear: self.net.learn(&set, seed, progress)?,
            surface,
            cut,
        })
    }
}

/// The lasso on products after fitting.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct FittedQuadratic {
    pub(crate) linear: FittedLinear,
    #[serde(flatten)]
    surface: Surface,
    /// Whether predictions are cut to [0, 1].
    #[serde(default)]
    cut: bool,
}

/// Where numeric features and their squares are centred: the columns that products are made of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Surface {
    /// Means of the numeric features in training; none for categories.
    centres: Vec<Option<f64>>,
    /// Means of their centred squares, when squares have products.
    #[serde(default)]
    spreads: Option<Vec<f64>>,
}

/// One numeric feature, centred; and its square, when squares have products.
struct Powers {
    feature: usize,
    first: Vec<f64>,
    second: Option<Vec<f64>>,
}

impl FittedQuadratic {
    /// Predictions for some rows, a chunk at a time.
    pub(crate) fn predict(&self, features: &Features, rows: &Rows, out: &mut [f64]) -> Result<()> {
        for (chunk, out) in out.chunks_mut(CHUNK).enumerate() {
            let part = (0..out.len())
                .map(|i| rows.index(chunk * CHUNK + i) as u32)
                .collect();
            let rows = Rows::some(features.rows(), part);
            let expanded = self.surface.expand(features, &rows)?;
            self.linear
                .predict(&expanded, &Rows::all(expanded.rows()), out);
            if self.cut {
                for p in out {
                    *p = p.clamp(0.0, 1.0);
                }
            }
        }
        Ok(())
    }
}

impl Surface {
    fn of(set: &TrainingSet, biquadratic: bool) -> Self {
        let centres: Vec<Option<f64>> = (set.features().values().iter())
            .map(|values| match values {
                Values::Number(x) => Some(mean(set, x, |v| v)),
                Values::Category(_) => None,
            })
            .collect();
        let bent = biquadratic && centres.iter().flatten().count() <= MOST_BENT;
        let spreads = bent.then(|| {
            let each = set.features().values().iter().zip(&centres);
            each.map(|(values, centre)| match (values, centre) {
                (Values::Number(x), Some(centre)) => mean(set, x, |v| (v - centre) * (v - centre)),
                _ => 0.0,
            })
            .collect()
        });
        Self { centres, spreads }
    }

    fn powers(&self, features: &Features, rows: &Rows) -> Vec<Powers> {
        let each = features.values().iter().zip(&self.centres).enumerate();
        each.filter_map(|(feature, (values, centre))| match (values, centre) {
            (Values::Number(x), Some(centre)) => {
                let x = rows.gather(x);
                let known = |of: &dyn Fn(f64) -> f64| -> Vec<f64> {
                    let each = x.iter().map(|v| v - centre);
                    each.map(|d| if d.is_nan() { 0.0 } else { of(d) }).collect()
                };
                let spreads = self.spreads.as_ref();
                Some(Powers {
                    feature,
                    first: known(&|d| d),
                    second: spreads.map(|spreads| known(&|d| d * d - spreads[feature])),
                })
            }
            _ => None,
        })
        .collect()
    }

    /// Some rows of the features, with squares and products behind them.
    fn expand(&self, features: &Features, rows: &Rows) -> Result<Features> {
        let mut expanded = features.gather(rows)?;
        let names = features.names();
        let powers = self.powers(features, rows);
        for (a, one) in powers.iter().enumerate() {
            let others = if powers.len() > MOST_CROSSED {
                &powers[a..=a]
            } else {
                &powers[a..]
            };
            for other in others {
                let (x, z) = (names[one.feature], names[other.feature]);
                expanded =
                    expanded.with(&format!("{x} × {z}"), product(&one.first, &other.first))?;
                let (Some(square), Some(other_square)) = (&one.second, &other.second) else {
                    continue;
                };
                if one.feature == other.feature {
                    continue;
                }
                for (name, column) in [
                    (format!("{x}² × {z}"), product(square, &other.first)),
                    (format!("{x} × {z}²"), product(&one.first, other_square)),
                    (format!("{x}² × {z}²"), product(square, other_square)),
                ] {
                    expanded = expanded.with(&name, column)?;
                }
            }
        }
        Ok(expanded)
    }
}

/// The mean of a function of a feature over the rows in use that have it.
fn mean(set: &TrainingSet, x: &[f64], of: impl Fn(f64) -> f64) -> f64 {
    let rows = set.used_rows();
    let (mut sum, mut total) = (0.0, 0.0);
    for row in (0..rows.len())
        .map(|i| rows.index(i))
        .filter(|row| !x[*row].is_nan())
    {
        sum += set.weight(row) * of(x[row]);
        total += set.weight(row);
    }
    if total > 0.0 { sum / total } else { 0.0 }
}

fn product(a: &[f64], b: &[f64]) -> Vec<f64> {
    a.iter().zip(b).map(|(a, b)| a * b).collect()
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
        let surface = |spreads| Surface {
            centres: vec![Some(1.0), None, Some(0.5)],
            spreads,
        };
        let two = Rows::some(400, vec![0, 1]);
        let expanded = surface(None).expand(&features, &two).unwrap();
        assert_eq!(
            expanded.names(),
            ["x", "side", "z", "x × x", "x × z", "z × z"]
        );
        let Values::Number(product) = &expanded.values()[4] else {
            panic!("a number")
        };
        let second = (1.0 / 9.0 - 1.0) * (7.0 / 11.0 - 0.5);
        assert!(product[0] == 0.0 && (product[1] - second).abs() < 1e-15);
        let bent = surface(Some(vec![0.25, 0.0, 0.5]));
        let bent = bent.expand(&features, &two).unwrap();
        let names = ["x × x", "x × z", "x² × z", "x × z²", "x² × z²", "z × z"];
        assert_eq!(bent.names()[3..], names);
        let Values::Number(product) = &bent.values()[7] else {
            panic!("a number")
        };
        let (x, z): (f64, f64) = (1.0 / 9.0 - 1.0, 7.0 / 11.0 - 0.5);
        let both = (x * x - 0.25) * (z * z - 0.5);
        assert!(product[0] == 0.0 && (product[1] - both).abs() < 1e-15);
    }

    #[test]
    fn a_probability_that_bends_in_two_features_is_found_by_squares_of_both() {
        let unit = |i: usize, step: f64| (i as f64 * step).fract();
        let x: Vec<f64> = (0..2000).map(|i| unit(i, 0.618_033_988_7)).collect();
        let z: Vec<f64> = (0..2000).map(|i| unit(i, 0.754_877_666_2)).collect();
        let truth = |i: usize| (std::f64::consts::PI * x[i] * z[i]).sin();
        let target: Vec<f64> = (0..2000)
            .map(|i| f64::from(u8::from(unit(i, 0.569_840_290_9) < truth(i))))
            .collect();
        let features = Features::default()
            .with("x", x.clone())
            .and_then(|features| features.with("z", z.clone()))
            .unwrap();
        let set = TrainingSet::new(&features, &target, Task::Probability);
        let error = |learner: Quadratic| {
            let fit = Learner::from(learner).fit(&set, Seed::new(3)).unwrap();
            let mut out = vec![0.0; 2000];
            fit.predict(&features, &Rows::all(2000), &mut out).unwrap();
            assert!(out.iter().all(|p| (0.0..=1.0).contains(p)));
            let squares = out.iter().enumerate().map(|(i, p)| (p - truth(i)).powi(2));
            squares.sum::<f64>() / 2000.0
        };
        let plain = error(Quadratic::new().squared_loss());
        let bent = error(Quadratic::new().biquadratic().squared_loss());
        assert!(bent < 0.3 * plain && bent < 0.004, "{bent} {plain}");
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
