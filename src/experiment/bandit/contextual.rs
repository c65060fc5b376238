//! Bandits with context: the reward of an arm is linear, or its odds are, in features of the round.

use super::posterior::{Posterior, best_probabilities};
use super::{BanditChoice, pick};
use crate::error::{Error, Result};
use crate::numeric::Seed;
use crate::report::{Cell, Table, shown};
use crate::simulate::draws::Draws;
use serde::{Deserialize, Serialize};

/// How a [`ContextualBandit`] chooses. Every arm has its own coefficients with the prior precision λ; `s = √(x'A⁻¹x)` is the error of its prediction at x in units of the
/// noise.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum ContextualPolicy {
    /// The largest `x'θ̂ + α s`, θ̂ by ridge regression (Li et al. 2010).
    LinUcb {
        /// α, at least 0.
        alpha: f64,
    },
    /// The largest draw from `N(x'θ̂, v² s²)` (Agrawal & Goyal 2013).
    LinThompson {
        /// v, above 0; the standard deviation of the noise where that is known.
        scale: f64,
    },
    /// The largest draw of a linear predictor from a normal approximation of its logistic posterior, for rewards 0 or 1 (Chapelle & Li 2011), with all its covariances, and the
    /// mode of every step exact.
    LogisticThompson,
}

impl ContextualPolicy {
    /// The name in tables.
    pub fn name(&self) -> &'static str {
        match self {
            Self::LinUcb { .. } => "LinUCB",
            Self::LinThompson { .. } => "linear Thompson",
            Self::LogisticThompson => "logistic Thompson",
        }
    }
}

/// A bandit of K arms that sees d features before it chooses. An update is one rank-one step (Sherman & Morrison 1950), without a matrix inverse and without
/// allocation: `O(d²)`.
///
/// | option | default | meaning | range |
/// |---|---|---|---|
/// | `ridge` | 1 | prior precision of coefficients | above 0 |
/// | `seed` | none; required by Thompson sampling | | |
/// | `floor` | 0 | least probability of every arm | \[0, 1/K\] |
///
/// # Errors
/// [`Error::InvalidOption`], also for another number of features; [`Error::SeedRequired`]; [`Error::OutOfRange`] for features or rewards that are not finite, or rewards other than 0 and 1 where the model
/// is logistic.
///
/// # References
/// Li, L., Chu, W., Langford, J. & Schapire, R. (2010). A contextual-bandit approach to personalized news article recommendation. *WWW*. doi:10.1145/1772690.1772758; Agrawal, S. & Goyal, N.
/// (2013). Thompson sampling for contextual bandits with linear payoffs. *ICML*; Chapelle, O. & Li, L. (2011). An empirical evaluation of Thompson sampling. *NeurIPS* 24.
///
/// # Examples
/// ```
/// use cocreate::prelude::*;
/// let mut bandit = ContextualBandit::new(ContextualPolicy::LinUcb { alpha: 1.0 }, 2, 2);
/// for round in 0..200 {
///     let x = [1.0, if round % 3 == 0 { 1.0 } else { -1.0 }];
///     let choice = bandit.choose(&x)?;
///     let reward = if choice.arm == 0 { x[1] } else { -x[1] };
///     bandit.update(&choice, &x, reward)?;
/// }
/// assert_eq!(bandit.choose(&[1.0, 1.0])?.arm, 0);
/// assert!(bandit.coefficients(0)[1] > 0.5);
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ContextualBandit {
    pub(super) policy: ContextualPolicy,
    features: usize,
    ridge: f64,
    floor: f64,
    seed: Option<Seed>,
    round: u64,
    updates: usize,
    chosen: Vec<u64>,
    models: Vec<Model>,
    scratch: Vec<f64>,
}

/// Coefficients of one arm and the inverse of their precision, row after row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Model {
    inverse: Vec<f64>,
    coefficients: Vec<f64>,
}

/// The largest feature: beyond, what is learned is lost in rounding beside a prior precision of one.
const LARGEST: f64 = 1e100;

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

impl Model {
    fn new(features: usize, ridge: f64) -> Self {
        let mut inverse = vec![0.0; features * features];
        for j in 0..features {
            inverse[j * features + j] = 1.0 / ridge;
        }
        Self {
            inverse,
            coefficients: vec![0.0; features],
        }
    }

    /// `x'A⁻¹x`.
    fn leverage(&self, x: &[f64]) -> f64 {
        let rows = self.inverse.chunks_exact(x.len());
        let sum: f64 = rows.zip(x).map(|(row, xi)| xi * dot(row, x)).sum();
        sum.max(0.0)
    }

    /// Takes in a row with weight w and the step along `A⁻¹x` that leads to the new mode.
    fn step(&mut self, x: &[f64], along: &mut [f64], step: impl FnOnce(f64, f64) -> (f64, f64)) {
        let features = x.len();
        for (along, row) in along.iter_mut().zip(self.inverse.chunks_exact(features)) {
            *along = dot(row, x);
        }
        let leverage = dot(along, x).max(0.0);
        let (length, weight) = step(dot(&self.coefficients, x), leverage);
        let shrink = weight / (1.0 + weight * leverage);
        for (row, a) in self.inverse.chunks_exact_mut(features).zip(&*along) {
            let factor = shrink * a;
            for (value, b) in row.iter_mut().zip(&*along) {
                *value -= factor * b;
            }
        }
        for (coefficient, a) in self.coefficients.iter_mut().zip(&*along) {
            *coefficient += length * a;
        }
    }
}

fn logistic(u: f64) -> f64 {
    1.0 / (1.0 + (-u).exp())
}

/// The mode along one direction of a normal prior with mean `m` and variance `s` after an outcome: `a = y − σ(m + s a)`, by Newton's method from a bracket that halves when a
/// step leaves it; and the curvature there.
fn logistic_step(m: f64, s: f64, y: f64) -> (f64, f64) {
    const STEPS: usize = 60;
    const CLOSE: f64 = 1e-13;
    let (mut low, mut high) = (y - 1.0, y);
    let mut a = y - logistic(m);
    for _ in 0..STEPS {
        let p = logistic(m + s * a);
        let gap = a - (y - p);
        if gap > 0.0 {
            high = a;
        } else {
            low = a;
        }
        let next = a - gap / (1.0 + s * p * (1.0 - p));
        let next = if next > low && next < high {
            next
        } else {
            f64::midpoint(low, high)
        };
        let moved = (next - a).abs();
        a = next;
        if moved < CLOSE {
            break;
        }
    }
    let p = logistic(m + s * a);
    (a, p * (1.0 - p))
}

impl ContextualBandit {
    /// A bandit that has seen nothing, of some arms and features; put a constant among the features if arms differ in level.
    pub fn new(policy: ContextualPolicy, arms: usize, features: usize) -> Self {
        Self {
            policy,
            features,
            ridge: 1.0,
            floor: 0.0,
            seed: None,
            round: 0,
            updates: 0,
            chosen: vec![0; arms],
            models: vec![Model::new(features, 1.0); arms],
            scratch: vec![0.0; features],
        }
    }

    /// The prior precision of coefficients; what was learned is forgotten.
    pub fn ridge(mut self, ridge: f64) -> Self {
        self.ridge = ridge;
        self.models = vec![Model::new(self.features, ridge); self.chosen.len()];
        self
    }

    /// The seed of its draws.
    pub fn seed(mut self, seed: impl Into<Seed>) -> Self {
        self.seed = Some(seed.into());
        self
    }

    /// The least probability of every arm.
    pub fn floor(mut self, floor: f64) -> Self {
        self.floor = floor;
        self
    }

    fn check(&self, x: &[f64]) -> Result<()> {
        let arms = self.models.len();
        let option = |name: &str, value: String, expected: &str| {
            Err(Error::invalid_option(name, value, expected))
        };
        match self.policy {
            ContextualPolicy::LinUcb { alpha } if !(alpha >= 0.0 && alpha.is_finite()) => {
                return option("alpha", alpha.to_string(), "finite and at least 0");
            }
            ContextualPolicy::LinThompson { scale } if !(scale > 0.0 && scale.is_finite()) => {
                return option("scale", scale.to_string(), "finite and above 0");
            }
            _ => {}
        }
        if arms < 2 {
            return option("arms", arms.to_string(), "two at least");
        }
        if !(self.ridge > 0.0 && self.ridge.is_finite()) {
            return option("ridge", self.ridge.to_string(), "above 0");
        }
        if !(self.floor >= 0.0 && self.floor * arms as f64 <= 1.0) {
            return option("floor", self.floor.to_string(), "from 0 to 1/K");
        }
        if x.len() != self.features || x.is_empty() {
            let expected = format!("the {} that the bandit was made for", self.features);
            return option("features", x.len().to_string(), &expected);
        }
        match x.iter().position(|v| v.is_nan() || v.abs() > LARGEST) {
            None => Ok(()),
            Some(j) => Err(Error::OutOfRange {
                column: format!("feature {}", j + 1),
                row: self.round as usize + 1,
                value: x[j],
                expected: format!("at most {LARGEST:e} in absolute value; rescale features"),
            }),
        }
    }

    fn draws(&self) -> Result<Draws> {
        let seed = self.seed.ok_or_else(|| Error::SeedRequired {
            what: format!("a bandit by {}", self.policy.name()),
        })?;
        Ok(Draws::new(seed, self.round))
    }

    /// Chooses an arm.
    ///
    /// # Errors
    /// See [`ContextualBandit`].
    pub fn choose(&mut self, x: &[f64]) -> Result<BanditChoice> {
        self.check(x)?;
        let spread = self.floor * self.models.len() as f64;
        let choice = if let ContextualPolicy::LinUcb { alpha } = self.policy {
            let leader = self
                .largest(|model| dot(&model.coefficients, x) + alpha * model.leverage(x).sqrt());
            let mut arm = leader;
            if spread > 0.0 {
                let mut draws = self.draws()?;
                if draws.chance(spread) {
                    arm = draws.below(self.models.len());
                }
            }
            let led = f64::from(u8::from(arm == leader));
            BanditChoice {
                arm,
                probability: Some(self.floor + (1.0 - spread) * led),
            }
        } else {
            let mut draws = self.draws()?;
            if spread > 0.0 && draws.chance(spread) {
                BanditChoice::of(draws.below(self.models.len()))
            } else {
                let scale = self.scale();
                BanditChoice::of(self.largest(|model| {
                    dot(&model.coefficients, x) + scale * model.leverage(x).sqrt() * draws.normal()
                }))
            }
        };
        Ok(self.count(choice))
    }

    /// Chooses an arm and always tells its probability.
    ///
    /// # Errors
    /// See [`ContextualBandit`].
    pub fn decide(&mut self, x: &[f64]) -> Result<BanditChoice> {
        let probabilities = self.probabilities(x)?;
        let choice = pick(&probabilities, &mut self.draws()?);
        Ok(self.count(choice))
    }

    pub(super) fn count(&mut self, choice: BanditChoice) -> BanditChoice {
        self.round += 1;
        self.chosen[choice.arm] += 1;
        choice
    }

    /// Standard deviation of a draw in units of the error of the prediction.
    fn scale(&self) -> f64 {
        match self.policy {
            ContextualPolicy::LinThompson { scale } => scale,
            _ => 1.0,
        }
    }

    fn largest(&self, mut index: impl FnMut(&Model) -> f64) -> usize {
        let mut best = (f64::NEG_INFINITY, 0);
        for (arm, model) in self.models.iter().enumerate() {
            let value = index(model);
            if value > best.0 {
                best = (value, arm);
            }
        }
        best.1
    }

    /// The probability of every arm in the next choice at x.
    ///
    /// # Errors
    /// See [`ContextualBandit`].
    pub fn probabilities(&self, x: &[f64]) -> Result<Vec<f64>> {
        self.check(x)?;
        let mut chances = if let ContextualPolicy::LinUcb { alpha } = self.policy {
            let mut one = vec![0.0; self.models.len()];
            one[self
                .largest(|model| dot(&model.coefficients, x) + alpha * model.leverage(x).sqrt())] =
                1.0;
            one
        } else if self.models.iter().all(|model| model.leverage(x) <= 0.0) {
            // Every draw is the prediction itself.
            let mut one = vec![0.0; self.models.len()];
            one[self.largest(|model| dot(&model.coefficients, x))] = 1.0;
            one
        } else {
            let posteriors: Vec<Posterior> = self
                .models
                .iter()
                .map(|model| Posterior::Normal {
                    mean: dot(&model.coefficients, x),
                    sd: self.scale() * model.leverage(x).sqrt(),
                })
                .collect();
            best_probabilities(&posteriors)?
        };
        let kept = 1.0 - self.floor * self.models.len() as f64;
        for chance in &mut chances {
            *chance = self.floor + kept * *chance;
        }
        Ok(chances)
    }

    /// Takes in the reward of a choice at x.
    ///
    /// # Errors
    /// See [`ContextualBandit`].
    pub fn update(&mut self, choice: &BanditChoice, x: &[f64], reward: f64) -> Result<()> {
        self.check(x)?;
        let arms = self.models.len();
        let Some(model) = self.models.get_mut(choice.arm) else {
            return Err(Error::invalid_option(
                "arm",
                choice.arm,
                format!("below {arms}"),
            ));
        };
        let logistic = self.policy == ContextualPolicy::LogisticThompson;
        let success = (reward - 1.0).abs() <= 0.0 || reward.abs() <= 0.0;
        if !reward.is_finite() || (logistic && !success) {
            return Err(Error::OutOfRange {
                column: "reward".to_owned(),
                row: self.updates + 1,
                value: reward,
                expected: if logistic { "0 or 1" } else { "finite" }.to_owned(),
            });
        }
        if logistic {
            model.step(x, &mut self.scratch, |m, s| logistic_step(m, s, reward));
        } else {
            model.step(x, &mut self.scratch, |m, s| ((reward - m) / (1.0 + s), 1.0));
        }
        self.updates += 1;
        Ok(())
    }

    /// The coefficients of an arm; empty for an arm that does not exist.
    pub fn coefficients(&self, arm: usize) -> &[f64] {
        self.models
            .get(arm)
            .map_or(&[], |model| &model.coefficients)
    }

    /// How often each arm was chosen.
    pub fn chosen(&self) -> &[u64] {
        &self.chosen
    }

    /// One row an arm.
    pub fn table(&self) -> Table {
        let mut table = Table::new(format!("Bandit by {}", self.policy.name())).columns([
            "Arm",
            "Chosen",
            "Coefficients",
        ]);
        for (arm, model) in self.models.iter().enumerate() {
            let shown: Vec<String> = model
                .coefficients
                .iter()
                .map(|c| format!("{c:.4}"))
                .collect();
            table = table.row([
                Cell::count(arm),
                Cell::count(self.chosen[arm] as usize),
                Cell::text(shown.join(", ")),
            ]);
        }
        table
    }
}

shown!(ContextualBandit);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mode_of_a_step_solves_its_equation() {
        for (m, s, y) in [
            (0.0, 1.0, 1.0),
            (-30.0, 50.0, 1.0),
            (40.0, 0.3, 0.0),
            (2.0, 1e4, 0.0),
            (0.3, 0.0, 1.0),
        ] {
            let (a, weight) = logistic_step(m, s, y);
            let p = logistic(m + s * a);
            assert!((a - (y - p)).abs() < 1e-11, "{m} {s} {y}: {a}");
            assert!((weight - p * (1.0 - p)).abs() < 1e-15);
        }
    }

    #[test]
    fn rank_one_steps_are_the_ridge_regression() {
        let mut model = Model::new(3, 2.0);
        let mut gram = nalgebra::DMatrix::from_diagonal_element(3, 3, 2.0);
        let mut right = nalgebra::DVector::zeros(3);
        let mut along = vec![0.0; 3];
        for i in 0..50 {
            let u = f64::from(i);
            let (x, y) = ([1.0, u.sin(), (0.7 * u).cos()], (1.3 * u).sin());
            model.step(&x, &mut along, |m, s| ((y - m) / (1.0 + s), 1.0));
            let column = nalgebra::DVector::from_column_slice(&x);
            gram += &column * column.transpose();
            right += y * column;
        }
        let inverse = gram.try_inverse().unwrap();
        let theta = &inverse * right;
        assert!(
            model
                .coefficients
                .iter()
                .zip(theta.iter())
                .all(|(a, b)| (a - b).abs() < 1e-12)
        );
        assert!(
            model
                .inverse
                .iter()
                .zip(inverse.iter())
                .all(|(a, b)| (a - b).abs() < 1e-12)
        );
    }
}
