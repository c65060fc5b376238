//! Outcomes made on real covariates: the customers of any frame, with a treatment and effects that are known.

use super::closed::{flag, not_negative, seeded, seeded_process, share};
use super::draws::Draws;
use super::oracle::{Oracle, Simulated};
use crate::data::{Column, Frame, MISSING};
use crate::error::{Error, Result};
use crate::numeric::permutation::shuffle;
use crate::numeric::{Seed, blocks};
use serde::{Deserialize, Serialize};

/// Rows of one stream.
const BLOCK: usize = 4096;
/// Standardised values are cut here: one far customer must not make the surface.
const FARTHEST: f64 = 3.0;
/// Bisections that find the constant of the propensity.
const HALVINGS: usize = 60;
/// The log-odds between which it is sought.
const LOG_ODDS: f64 = 40.0;

/// A treatment and an outcome for the customers of a frame. The covariates stay as they are, with their gaps, skewness and dependence; the
/// surfaces are drawn:
///
/// `Y = b(X) + W τ(X) + σ ε`, `Pr(W = 1 | X) = η + (1 − 2η) Λ(c + s (κ b(X) + √(1 − κ²) v(X)))`,
///
/// where b, v and `(τ − mean)/spread` have mean 0 and standard deviation 1 on the frame, and each is a sum of `active` terms with random N(0, 1)
/// coefficients: a feature alone, a hinge, a step, or the product of two features, the first of them with probability `1 − curvature`. Numbers are
/// standardised and cut at 3 standard deviations, each level of a label has an N(0, 1) value, and missing values are at 0. `c` is solved so that the
/// mean propensity is `treated`.
///
/// | field | default | meaning |
/// |---|---|---|
/// | `features` | given | columns that surfaces may read |
/// | `active` | 5 | terms of each surface: fewer are sparser |
/// | `curvature` | .5 | share of terms that are not linear |
/// | `effect`, `effect_spread` | .5, .5 | mean and standard deviation of τ, in standard deviations of b |
/// | `noise` | 1 | σ |
/// | `treated` | .5 | mean propensity |
/// | `selection` | 0 | s, in log-odds; at 0 a trial |
/// | `confounding` | .5 | κ, how much of selection is by the baseline; without selection nothing |
/// | `least_propensity` | .05 | η |
/// | `surface_seed` | 1 | of the surfaces: samples of other seeds share them |
///
/// **Data**: the frame with `w` and `y` added. **Oracle**: `effect`, `propensity`, `mean_0`, `mean_1`; effects over this frame: `ate`, `att`,
/// `naive` (the difference in means that a trial would report, by propensities), and `effect_variance`.
///
/// # Errors
/// [`Error::SeedRequired`]; [`Error::InvalidOption`]; [`Error::ColumnNotFound`]; [`Error::WrongKind`]; [`Error::DuplicateColumn`] when the frame has a `w` or
/// `y`; [`Error::Infinite`]; [`Error::Unidentified`] when no feature differs between rows.
///
/// # References
/// The idea of drawn surfaces on real covariates: Hill, J. (2011). Bayesian nonparametric modeling for causal inference. *JCGS* 20(1), 217–240,
/// doi:10.1198/jcgs.2010.08162; Dorie, V., Hill, J., Shalit, U., Scott, M. & Cervone, D. (2019). Automated versus do-it-yourself methods for causal
/// inference. *Statistical Science* 34(1), 43–68, doi:10.1214/18-STS667. The surfaces are this crate's own.
///
/// # Examples
/// ```
/// use cocreate::prelude::*;
/// let people = datasets::load("nsw")?;
/// let process = SemiSynthetic { selection: 1.0, ..SemiSynthetic::new(["age", "educ", "re74", "marr"]) };
/// let made = process.seed(7).simulate(&people)?;
/// assert_eq!(made.data.rows(), people.rows());
/// assert!((made.oracle.effect("ate")? - 0.5).abs() < 1e-9);
/// assert!((made.oracle.effect("effect_variance")? - 0.25).abs() < 1e-9);
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SemiSynthetic {
    /// Columns that surfaces may read.
    pub features: Vec<String>,
    /// Terms of each surface.
    pub active: usize,
    /// Share of terms that are not linear.
    pub curvature: f64,
    /// Mean effect.
    pub effect: f64,
    /// Standard deviation of the effect.
    pub effect_spread: f64,
    /// σ.
    pub noise: f64,
    /// Mean propensity.
    pub treated: f64,
    /// s.
    pub selection: f64,
    /// κ.
    pub confounding: f64,
    /// η.
    pub least_propensity: f64,
    /// The seed of the surfaces.
    pub surface_seed: Seed,
    /// Whether the oracle's rows are kept.
    pub keep_oracle: bool,
    /// The seed; without one the process refuses to run.
    pub seed: Option<Seed>,
}

impl SemiSynthetic {
    /// Surfaces over these columns, at the defaults.
    pub fn new<I>(features: I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
        Self {
            features: features.into_iter().map(Into::into).collect(),
            active: 5,
            curvature: 0.5,
            effect: 0.5,
            effect_spread: 0.5,
            noise: 1.0,
            treated: 0.5,
            selection: 0.0,
            confounding: 0.5,
            least_propensity: 0.05,
            surface_seed: Seed::new(1),
            keep_oracle: true,
            seed: None,
        }
    }

    seeded_process!();

    /// Draws treatment and outcome for the rows of a frame.
    ///
    /// # Errors
    /// As on the type.
    pub fn simulate(&self, frame: &Frame) -> Result<Simulated> {
        let seed = seeded(self.seed, "semi-synthetic outcomes")?.child("semi-synthetic");
        self.check(frame)?;
        let columns = self.columns(frame)?;
        let surface = |name: &str| self.surface(&columns, frame.rows(), name);
        let (baseline, shape, choice) =
            (surface("baseline")?, surface("effect")?, surface("choice")?);
        let effect: Vec<f64> = (shape.iter())
            .map(|v| self.effect + self.effect_spread * v)
            .collect();
        let propensity = self.propensities(&baseline, &choice);
        let n = frame.rows();
        let mut rows = vec![[0.0; 2]; n];
        blocks::fill(&mut rows, BLOCK, |first, block| {
            let mut draws = Draws::new(seed, (first / BLOCK) as u64);
            for (i, [w, y]) in (first..).zip(block) {
                *w = flag(draws.chance(propensity[i]));
                *y = baseline[i] + *w * effect[i] + self.noise * draws.normal();
            }
        });
        let sum = |f: &dyn Fn(usize) -> f64| (0..n).map(f).sum::<f64>();
        let treated = sum(&|i| rows[i][0]);
        let expected = sum(&|i| propensity[i]);
        let ate = sum(&|i| effect[i]) / n as f64;
        let naive = sum(&|i| propensity[i] * (baseline[i] + effect[i])) / expected
            - sum(&|i| (1.0 - propensity[i]) * baseline[i]) / (n as f64 - expected);
        let variance = sum(&|i| (effect[i] - ate).powi(2)) / n as f64;
        let mut hidden = Frame::new();
        if self.keep_oracle {
            let treated_mean: Vec<f64> = baseline.iter().zip(&effect).map(|(b, t)| b + t).collect();
            hidden = hidden
                .with("effect", effect.clone())?
                .with("propensity", propensity)?
                .with("mean_0", baseline)?
                .with("mean_1", treated_mean)?;
        }
        let mut oracle = Oracle::new(hidden).with("ate", ate);
        if treated > 0.0 {
            oracle = oracle.with("att", sum(&|i| rows[i][0] * effect[i]) / treated);
        }
        let column = |k: usize| rows.iter().map(|row| row[k]).collect::<Vec<f64>>();
        Ok(Simulated {
            data: frame.clone().with("w", column(0))?.with("y", column(1))?,
            oracle: oracle
                .with("naive", naive)
                .with("effect_variance", variance),
        })
    }

    fn check(&self, frame: &Frame) -> Result<()> {
        not_negative("effect_spread", self.effect_spread)?;
        not_negative("noise", self.noise)?;
        not_negative("selection", self.selection)?;
        share("treated", self.treated)?;
        for (name, value, most) in [
            ("curvature", self.curvature, 1.0),
            ("confounding", self.confounding, 1.0),
            ("least_propensity", self.least_propensity, 0.49),
        ] {
            if !(0.0..=most).contains(&value) {
                return Err(Error::invalid_option(
                    name,
                    value,
                    format!("between 0 and {most}"),
                ));
            }
        }
        let least = self.least_propensity;
        if !(least < self.treated && self.treated < 1.0 - least) {
            return Err(Error::invalid_option(
                "treated",
                self.treated,
                format!("between least_propensity, {least}, and one minus it"),
            ));
        }
        if !self.effect.is_finite() {
            return Err(Error::invalid_option(
                "effect",
                self.effect,
                "a finite number",
            ));
        }
        if self.active == 0 || self.features.is_empty() {
            return Err(Error::invalid_option(
                "active",
                self.active,
                "at least one term, and at least one feature",
            ));
        }
        if frame.rows() < 2 {
            return Err(Error::NoRows {
                reason: "a surface needs at least two".to_owned(),
            });
        }
        Ok(())
    }

    /// The features as standardised numbers, those that do not vary left out.
    fn columns(&self, frame: &Frame) -> Result<Vec<Vec<f64>>> {
        let mut columns = Vec::with_capacity(self.features.len());
        for (j, name) in self.features.iter().enumerate() {
            let values = if let Column::Label(label) = frame.column(name)? {
                let seed = self.surface_seed.child("levels");
                let mut draws = Draws::new(seed, j as u64);
                let worth: Vec<f64> = (0..label.levels().len()).map(|_| draws.normal()).collect();
                let value = |code: &u32| match *code {
                    MISSING => f64::NAN,
                    code => worth[code as usize],
                };
                label.codes().iter().map(value).collect()
            } else {
                let column = frame.numeric(name)?;
                if column.infinite() > 0 {
                    let row = column.values().iter().position(|v| v.is_infinite());
                    return Err(Error::Infinite {
                        column: name.clone(),
                        row: row.map_or(0, |r| r + 1),
                    });
                }
                column.values().to_vec()
            };
            columns.extend(standardised(values));
        }
        if columns.is_empty() {
            return Err(self.no_variation());
        }
        Ok(columns)
    }

    /// A drawn surface with mean 0 and standard deviation 1 over the rows.
    fn surface(&self, columns: &[Vec<f64>], n: usize, name: &str) -> Result<Vec<f64>> {
        let mut draws = Draws::new(self.surface_seed.child(name), 0);
        let mut order: Vec<usize> = (0..columns.len()).collect();
        shuffle(&mut order, draws.generator());
        let mut total = vec![0.0; n];
        for k in 0..self.active {
            let first = &columns[order[k % order.len()]];
            let second = &columns[order[(k + 1) % order.len()]];
            let coefficient = draws.normal();
            let knot = 0.5 * draws.normal();
            let curved = draws.chance(self.curvature);
            let shape = draws.below(3);
            for ((sum, x), z) in total.iter_mut().zip(first).zip(second) {
                *sum += coefficient
                    * match (curved, shape) {
                        (false, _) => *x,
                        (true, 0) => (x - knot).max(0.0),
                        (true, 1) => flag(*x > knot),
                        (true, _) => x * z,
                    };
            }
        }
        // A step beyond all values, or a square of ±1, leaves nothing: the first feature stands in.
        standardised(total)
            .or_else(|| standardised(columns[order[0]].clone()))
            .ok_or_else(|| self.no_variation())
    }

    fn no_variation(&self) -> Error {
        Error::Unidentified {
            what: "a surface".to_owned(),
            needs: format!(
                "a feature that differs between rows; `{}` do not",
                self.features.join("`, `")
            ),
        }
    }

    /// `η + (1 − 2η) Λ(c + s (κ b + √(1 − κ²) v))` with the wanted mean.
    fn propensities(&self, baseline: &[f64], choice: &[f64]) -> Vec<f64> {
        let kappa = self.confounding;
        let other = (1.0 - kappa * kappa).sqrt();
        let least = self.least_propensity;
        let at = |constant: f64| -> Vec<f64> {
            let pairs = baseline.iter().zip(choice);
            pairs
                .map(|(b, v)| {
                    let index = constant + self.selection * (kappa * b + other * v);
                    least + (1.0 - 2.0 * least) / (1.0 + (-index).exp())
                })
                .collect()
        };
        let wanted = self.treated * baseline.len() as f64;
        let (mut low, mut high) = (-LOG_ODDS, LOG_ODDS);
        for _ in 0..HALVINGS {
            let middle = f64::midpoint(low, high);
            if at(middle).iter().sum::<f64>() < wanted {
                low = middle;
            } else {
                high = middle;
            }
        }
        at(f64::midpoint(low, high))
    }
}

/// Mean 0 and standard deviation 1, missing values at 0, far ones cut before; none for values that do not differ.
fn standardised(values: Vec<f64>) -> Option<Vec<f64>> {
    let moments = |values: &[f64]| {
        let seen: Vec<f64> = values.iter().copied().filter(|v| !v.is_nan()).collect();
        let n = seen.len() as f64;
        let mean = seen.iter().sum::<f64>() / n;
        let variance = seen.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n;
        // Values that differ by rounding alone do not differ.
        let varies = variance.sqrt() > 1e-12 * mean.abs().max(f64::MIN_POSITIVE);
        varies.then(|| (mean, variance.sqrt()))
    };
    let (mean, deviation) = moments(&values)?;
    let cut: Vec<f64> = (values.into_iter())
        .map(|v| {
            let z = (v - mean) / deviation;
            if z.is_nan() {
                0.0
            } else {
                z.clamp(-FARTHEST, FARTHEST)
            }
        })
        .collect();
    let (mean, deviation) = moments(&cut)?;
    Some(cut.into_iter().map(|v| (v - mean) / deviation).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(n: usize) -> Frame {
        let mut draws = Draws::new(Seed::new(8), 0);
        let skewed: Vec<f64> = (0..n)
            .map(|i| {
                if i % 11 == 0 {
                    f64::NAN
                } else {
                    draws.exponential()
                }
            })
            .collect();
        let plain: Vec<f64> = (0..n).map(|_| draws.normal()).collect();
        let place: Vec<Option<&str>> = (0..n)
            .map(|i| [Some("north"), Some("south"), Some("east"), None][i % 4])
            .collect();
        let member: Vec<bool> = (0..n).map(|i| i % 3 == 0).collect();
        Frame::new()
            .with("spent", skewed)
            .and_then(|f| f.with("score", plain))
            .and_then(|f| f.with("place", place))
            .and_then(|f| f.with("member", member))
            .unwrap()
    }

    fn process() -> SemiSynthetic {
        SemiSynthetic::new(["spent", "score", "place", "member"])
    }

    #[test]
    fn sizes_are_those_asked_for() {
        let made = SemiSynthetic {
            selection: 1.5,
            treated: 0.3,
            ..process()
        }
        .seed(3)
        .simulate(&frame(20_000))
        .unwrap();
        let truth = |name: &str| made.oracle.effect(name).unwrap();
        assert!(
            (truth("ate") - 0.5).abs() < 1e-9 && (truth("effect_variance") - 0.25).abs() < 1e-9
        );
        let e = made.oracle.real("propensity").unwrap();
        let n = e.len() as f64;
        assert!((e.iter().sum::<f64>() / n - 0.3).abs() < 1e-9);
        assert!(e.iter().all(|e| (0.05..=0.95).contains(e)));
        let (zero, one) = (
            made.oracle.real("mean_0").unwrap(),
            made.oracle.real("mean_1").unwrap(),
        );
        assert!(zero.iter().sum::<f64>().abs() / n < 1e-9);
        let (w, y) = (made.data.real("w").unwrap(), made.data.real("y").unwrap());
        let errors: Vec<f64> = (0..w.len())
            .map(|i| y[i] - if w[i] > 0.5 { one[i] } else { zero[i] })
            .collect();
        let (mean, square) = (
            errors.iter().sum::<f64>() / n,
            errors.iter().map(|v| v * v).sum::<f64>() / n,
        );
        assert!(mean.abs() < 4.0 / n.sqrt() && (square - 1.0).abs() < 4.0 * (2.0 / n).sqrt());
        // The difference in means is what the propensities say, and not the effect.
        let of = |arm: f64| {
            let kept = y.iter().zip(w).filter(|(_, w)| **w == arm);
            let (count, sum) = kept.fold((0.0, 0.0), |(c, s), (y, _)| (c + 1.0, s + y));
            sum / count
        };
        assert!((of(1.0) - of(0.0) - truth("naive")).abs() < 4.0 * 1.5 / (0.21 * n).sqrt());
        assert!((truth("naive") - 0.5).abs() > 0.1);
    }

    #[test]
    fn a_trial_is_a_trial_and_surfaces_stay() {
        let people = frame(3_000);
        let a = process().seed(1).simulate(&people).unwrap();
        let b = process().seed(2).simulate(&people).unwrap();
        let e = a.oracle.real("propensity").unwrap();
        assert!(e.iter().all(|e| (e - 0.5).abs() < 1e-9));
        assert_eq!(
            a.oracle.real("effect").unwrap(),
            b.oracle.real("effect").unwrap()
        );
        assert_ne!(a.data.real("y").unwrap(), b.data.real("y").unwrap());
        let mut other = process();
        other.surface_seed = Seed::new(9);
        let c = other.seed(1).simulate(&people).unwrap();
        assert_ne!(
            a.oracle.real("effect").unwrap(),
            c.oracle.real("effect").unwrap()
        );
        assert_eq!(
            a.data.label("place").unwrap(),
            people.label("place").unwrap()
        );
        // A sparse linear surface reads one feature.
        let sparse = SemiSynthetic {
            active: 1,
            curvature: 0.0,
            ..SemiSynthetic::new(["score"])
        };
        let made = sparse.seed(1).simulate(&people).unwrap();
        let (b, x) = (
            made.oracle.real("mean_0").unwrap(),
            people.real("score").unwrap(),
        );
        let mut order: Vec<usize> = (0..x.len()).collect();
        order.sort_by(|i, j| x[*i].total_cmp(&x[*j]));
        let values: Vec<f64> = order.iter().map(|i| b[*i]).collect();
        assert!(values.is_sorted() || values.iter().rev().is_sorted());
    }

    #[test]
    fn bad_frames_are_refused() {
        let people = frame(100);
        let flat = Frame::new().with("x", vec![1.0; 10]).unwrap();
        let fails =
            |process: SemiSynthetic, frame: &Frame| process.seed(1).simulate(frame).unwrap_err();
        assert!(matches!(
            fails(SemiSynthetic::new(["x"]), &flat),
            Error::Unidentified { .. }
        ));
        assert!(matches!(
            fails(SemiSynthetic::new(["z"]), &people),
            Error::ColumnNotFound { .. }
        ));
        let taken = people.clone().with("w", vec![0.0; 100]).unwrap();
        assert!(matches!(
            fails(process(), &taken),
            Error::DuplicateColumn { .. }
        ));
        let mut narrow = process();
        narrow.treated = 0.04;
        assert!(matches!(
            fails(narrow, &people),
            Error::InvalidOption { .. }
        ));
        assert!(matches!(
            process().simulate(&people).unwrap_err(),
            Error::SeedRequired { .. }
        ));
    }
}
