//! How much effort the customer chooses: the first-order condition, the corner, and several local optima.

use serde::{Deserialize, Serialize};

use super::belief::Belief;
use super::preferences::Form;
use super::timing::sealed::Sealed;
use super::value::Situation;
use crate::error::{Error, Result};

/// The effort that maximises `benefit(m + γ ln(1+e) − d, v) − C̄(e)`.
///
/// In form 1 the first-order condition is `(V−L) φ(μ/√(1+v)) γ/((1+e)√(1+v)) = ∂C̄/∂e` with the *anticipated* cost. The benefit is
/// S-shaped in effort, so that the corner e = 0 and an interior optimum may both be local maxima: someone who expects to fail either
/// gives up or works hard. A guarantee lowers effort (moral hazard): it takes G off the stake V − L.
///
/// ```
/// use cocreate::participation::{AfterPurchase, Belief, Cost, Preferences, Situation, Task, Terms, Timing};
/// let task = Task { difficulty: 2.0, effort_return: 2.0 };
/// let terms = Terms { value_success: 4.0, ..Terms::default() };
/// let cost = Cost { mental: 0.7, material: 0.0, relief: 0.0 };
/// let situation = Situation::new(Preferences::risk_neutral(), cost, task, terms)?;
/// let choice = AfterPurchase::without_signal().effort_choice(&situation, Belief::new(0.0, 0.2)?)?;
/// assert!(!choice.corner && choice.second_derivative < 0.0);
/// assert_eq!(choice.local_optima.len(), 2); // giving up is the other one
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EffortChoice {
    /// e*.
    pub effort: f64,
    /// Benefit less anticipated cost at e*, in money.
    pub value: f64,
    /// Whether it is the corner e = 0.
    pub corner: bool,
    /// The second derivative with respect to e at e*; negative at an interior optimum (the second-order condition).
    pub second_derivative: f64,
    /// Every local optimum, by increasing effort.
    pub local_optima: Vec<LocalOptimum>,
}

/// A local maximum of the effort problem.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct LocalOptimum {
    /// The effort.
    pub effort: f64,
    /// Benefit less anticipated cost, in money.
    pub value: f64,
    /// The first derivative with respect to e: zero inside, at most zero at the corner.
    pub slope: f64,
    /// The second derivative with respect to e.
    pub second_derivative: f64,
}

/// One customer's effort problem, in x = ln(1+e).
struct Problem<'a, T> {
    timing: &'a T,
    situation: &'a Situation,
    belief: Belief,
    /// ∂C̄/∂e after the tool.
    price: f64,
}

impl<'a, T: Sealed> Problem<'a, T> {
    #[inline]
    fn new(timing: &'a T, situation: &'a Situation, belief: Belief) -> Self {
        let left = situation.terms().tool.cost_left();
        Self {
            timing,
            situation,
            belief,
            price: left * situation.cost().anticipated_slope(belief),
        }
    }

    fn value(&self, effort: f64) -> f64 {
        self.timing
            .benefit(self.situation, self.belief, effort)
            .value
            - self.price * effort
    }

    /// The derivative with respect to e.
    fn slope(&self, effort: f64) -> f64 {
        let gamma = self.situation.task().effort_return;
        gamma
            * self
                .timing
                .benefit(self.situation, self.belief, effort)
                .by_mean
            / (1.0 + effort)
            - self.price
    }

    fn second_derivative(&self, effort: f64) -> f64 {
        /// Half the digits of a double: the usual step of a central difference, relative to 1 + e.
        const STEP: f64 = 1e-5;
        let step = STEP * (1.0 + effort);
        let low = (effort - step).max(0.0);
        (self.slope(effort + step) - self.slope(low)) / (effort + step - low)
    }

    /// Where effort is certainly too high: ln(1+e) beyond which its cost exceeds all that it can bring.
    fn horizon(&self) -> f64 {
        let gamma = self.situation.task().effort_return;
        if self.situation.preferences().is_binary() {
            (self.timing.stake(self.situation).abs() / self.price).ln_1p()
        } else {
            // The slope of the benefit is at most θ.
            (self.situation.terms().taste * gamma / self.price).ln()
        }
    }

    /// Calls `visit` with the effort of every local optimum.
    fn local_optima(&self, mut visit: impl FnMut(f64)) {
        /// Panels per unit of ln(1+e), for a benefit whose width is one unit of ability.
        const PER_UNIT: f64 = 4.0;
        const FEWEST: f64 = 16.0;
        const MOST: f64 = 512.0;
        let horizon = self.horizon();
        let mut before = self.slope(0.0);
        if before <= 0.0 {
            visit(0.0);
        }
        if horizon <= 0.0 {
            return;
        }
        let gamma = self.situation.task().effort_return;
        let panels = (PER_UNIT * horizon * (1.0 + gamma))
            .ceil()
            .clamp(FEWEST, MOST);
        // One panel more, so that the last slope is certainly negative.
        let width = horizon / panels;
        for k in 1..=panels as u32 + 1 {
            let x = width * f64::from(k);
            let now = self.slope(x.exp_m1());
            if before > 0.0 && now <= 0.0 {
                visit(self.root(x - width, x));
            }
            before = now;
        }
    }

    /// Where the slope changes from positive to negative, by bisection in ln(1+e).
    fn root(&self, mut low: f64, mut high: f64) -> f64 {
        /// Halvings that leave a relative error of 10⁻¹³ in 1 + e.
        const HALVINGS: u32 = 42;
        for _ in 0..HALVINGS {
            let middle = 0.5 * (low + high);
            if self.slope(middle.exp_m1()) > 0.0 {
                low = middle;
            } else {
                high = middle;
            }
        }
        (0.5 * (low + high)).exp_m1()
    }

    /// Form 1: the first-order condition is a quadratic in x, `ln[sγ/√(1+v)] + ln φ(z) = ln ∂C̄/∂e + x`, `z = (m − d + γx)/√(1+v)`;
    /// its larger root is the maximum. `None` when the slope is negative everywhere.
    fn interior_of_the_first_form(&self) -> Option<f64> {
        /// ½ ln 2π.
        const HALF_LN_TAU: f64 = 0.918_938_533_204_672_8;
        let gamma = self.situation.task().effort_return;
        let total = 1.0 + self.belief.variance();
        let base = self.situation.expected_quality(self.belief, 0.0);
        let level = (self.timing.stake(self.situation) * gamma / (self.price * total.sqrt())).ln()
            - HALF_LN_TAU;
        // −(base + γx)²/(2 total) + level − x = 0, that is a x² + 2 b x + c = 0.
        let a = gamma * gamma;
        let b = gamma * base + total;
        let c = base * base - 2.0 * total * level;
        let discriminant = b * b - a * c;
        // NaN where success is worth less than failure: no effort then.
        if discriminant <= 0.0 || discriminant.is_nan() {
            return None;
        }
        // The larger root, without cancellation.
        let root = discriminant.sqrt();
        let x = if b > 0.0 {
            -c / (b + root)
        } else {
            (root - b) / a
        };
        (x > 0.0).then(|| x.exp_m1())
    }
}

/// See [`Timing::best_effort`](super::Timing::best_effort).
#[inline]
pub(super) fn best<T: Sealed>(timing: &T, situation: &Situation, belief: Belief) -> f64 {
    let gamma = situation.task().effort_return;
    if gamma <= 0.0 {
        return 0.0;
    }
    let problem = Problem::new(timing, situation, belief);
    if problem.price <= 0.0 {
        return if problem.slope(0.0) > 0.0 {
            f64::INFINITY
        } else {
            0.0
        };
    }
    match situation.preferences().form() {
        Form::RiskNeutral => match problem.interior_of_the_first_form() {
            Some(effort) if problem.value(effort) > problem.value(0.0) => effort,
            _ => 0.0,
        },
        Form::ContinuousCara | Form::SmoothAmbiguity
            if T::COMMITTED && situation.terms().guarantee.abs() <= 0.0 =>
        {
            (situation.terms().taste * gamma / problem.price - 1.0).max(0.0)
        }
        _ => {
            let (mut best, mut highest) = (0.0, f64::NEG_INFINITY);
            problem.local_optima(|effort| {
                let value = problem.value(effort);
                if value > highest {
                    (best, highest) = (effort, value);
                }
            });
            best
        }
    }
}

/// See [`Timing::effort_choice`](super::Timing::effort_choice).
pub(super) fn choice(
    timing: &impl Sealed,
    situation: &Situation,
    belief: Belief,
) -> Result<EffortChoice> {
    let problem = Problem::new(timing, situation, belief);
    let useful = situation.task().effort_return > 0.0;
    let mut local_optima = Vec::new();
    let mut record = |effort: f64| {
        local_optima.push(LocalOptimum {
            effort,
            value: problem.value(effort),
            slope: problem.slope(effort),
            second_derivative: problem.second_derivative(effort),
        });
    };
    if !useful {
        record(0.0);
    } else if problem.price > 0.0 {
        problem.local_optima(&mut record);
    } else if problem.slope(0.0) > 0.0 {
        return Err(Error::Unidentified {
            what: "the best effort".into(),
            needs: "a positive mental cost after the tool: effort that costs nothing has no limit"
                .into(),
        });
    } else {
        record(0.0);
    }
    let best = local_optima
        .iter()
        .copied()
        .reduce(|a, b| if b.value > a.value { b } else { a })
        .ok_or_else(|| Error::NotFinite {
            what: "the marginal benefit of effort".into(),
        })?;
    Ok(EffortChoice {
        effort: best.effort,
        value: best.value,
        corner: best.effort <= 0.0,
        second_derivative: best.second_derivative,
        local_optima,
    })
}
