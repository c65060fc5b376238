//! When the customer co-creates: before the purchase, with the price still an option, or after it, with the price sunk.

use serde::{Deserialize, Serialize};

use super::belief::{Belief, Objective, Signals};
use super::certainty::{Slopes, lottery, lottery_slope, option, option_with_slopes};
use super::effort::{self, EffortChoice};
use super::moves::Moves;
use super::outer_layer::{Shape, kinked, outer};
use super::preferences::Form;
use super::shock::TasteShock;
use super::value::Situation;
use crate::error::Result;

/// The order of co-creating and paying. There is no default: the same belief, cost and price give different values, and more
/// uncertainty raises one and lowers the other.
///
/// Implemented by [`BeforePurchase`] and [`AfterPurchase`] only.
pub trait Timing: sealed::Sealed {
    /// U: the customer's certainty equivalent, in money, of entering with this belief and spending this effort.
    fn value(&self, situation: &Situation, belief: Belief, effort: f64) -> f64;

    /// [`value`](Self::value) with its derivatives with respect to the belief's mean and variance. At a kink it is the derivative
    /// of the branch that is taken.
    fn slopes(&self, situation: &Situation, belief: Belief, effort: f64) -> Slopes;

    /// What the customer gains over the outside utility, U − u_0; who gains enters.
    #[inline]
    fn surplus(&self, situation: &Situation, belief: Belief, effort: f64) -> f64 {
        self.value(situation, belief, effort) - situation.terms().outside
    }

    /// The probability that the customer enters, given the belief, with a taste shock on the surplus.
    #[inline]
    fn participation(
        &self,
        situation: &Situation,
        belief: Belief,
        effort: f64,
        shock: TasteShock,
    ) -> f64 {
        shock.probability(self.surplus(situation, belief, effort))
    }

    /// The probability that a customer of given true ability enters: [`participation`](Self::participation) averaged over the
    /// *objective* law of the belief (never over the customer's own forecast).
    fn participation_given_ability(
        &self,
        situation: &Situation,
        law: Objective,
        effort: f64,
        shock: TasteShock,
    ) -> f64 {
        law.expect(|belief| {
            let surplus = self.surplus(situation, belief, effort);
            (shock.probability(surplus), surplus > 0.0)
        })
    }

    /// The effort that the customer chooses, fast: closed form in form 1 and, after the purchase without a guarantee, in forms 3
    /// and 4; otherwise the best of all local optima. Infinite when effort is free and useful. See
    /// [`effort_choice`](Self::effort_choice) for the full report.
    ///
    /// [`BeforePurchase`] chooses it for the design that may be bought; [`AfterPurchase`] for the work itself, with the belief at
    /// that time, the price being sunk.
    #[inline]
    fn best_effort(&self, situation: &Situation, belief: Belief) -> f64
    where
        Self: Sized,
    {
        effort::best(self, situation, belief)
    }

    /// The chosen effort with its second-order condition, whether it is the corner e = 0, and every local optimum.
    ///
    /// # Errors
    /// [`Error::Unidentified`](crate::Error::Unidentified) when effort costs nothing and is useful, so that no finite effort is
    /// best.
    fn effort_choice(&self, situation: &Situation, belief: Belief) -> Result<EffortChoice>
    where
        Self: Sized,
    {
        effort::choice(self, situation, belief)
    }

    /// U with the best effort at the time when it is chosen (after the interim signals of [`AfterPurchase`], for each posterior).
    #[inline]
    fn value_at_best_effort(&self, situation: &Situation, belief: Belief) -> f64 {
        sealed::Sealed::value_at_best_effort(self, situation, belief)
    }

    /// What the right to walk away is worth: U less the certainty equivalent of going through with everything. Zero or positive.
    #[inline]
    fn option_value(&self, situation: &Situation, belief: Belief, effort: f64) -> f64 {
        self.value(situation, belief, effort) - situation.certainty_equivalent(belief, effort)
    }

    /// Preposterior analysis: what the customer would pay, at most, to see `signals` *before* deciding whether to enter,
    /// `−(1/α) ln E exp(−α max{U(m', v'), u_0}) − max{U(m, v), u_0}` under the customer's own forecast of m'.
    ///
    /// A signal that cannot change the decision is worth nothing; in form 4, where ambiguity is disliked, as in the others, since
    /// the certainty equivalents are taken recursively.
    fn value_of_signal(
        &self,
        situation: &Situation,
        belief: Belief,
        effort: f64,
        signals: Signals,
    ) -> f64 {
        let law = belief.forecast(signals);
        let outside = situation.terms().outside;
        let alpha = situation.preferences().ambiguity_aversion();
        let tilt = alpha * steepest(situation) * law.variance().sqrt();
        let with = kinked(alpha, tilt, |z| {
            let entering = self.value(situation, law.at(z), effort);
            (Slopes::constant(entering.max(outside)), entering > outside)
        });
        with.value - self.value(situation, belief, effort).max(outside)
    }
}

pub(super) mod sealed {
    use super::{Belief, Situation, Slopes};

    /// The two orders of time are all there are. What effort is chosen for:
    pub trait Sealed {
        /// What the work brings before its cost, as far as effort can change it, with its derivatives.
        fn benefit(&self, situation: &Situation, belief: Belief, effort: f64) -> Slopes;

        /// Whether the work is done whatever is seen, so that the benefit of form 3 and 4 is linear in quality.
        const COMMITTED: bool;

        /// What success brings over failure, in the binary forms.
        fn stake(&self, situation: &Situation) -> f64;

        /// U when the effort is the best one at the time it is chosen.
        fn value_at_best_effort(&self, situation: &Situation, belief: Belief) -> f64;
    }
}

impl sealed::Sealed for BeforePurchase {
    const COMMITTED: bool = false;

    #[inline]
    fn benefit(&self, situation: &Situation, belief: Belief, effort: f64) -> Slopes {
        right_slopes(situation, belief, effort)
    }

    #[inline]
    fn stake(&self, situation: &Situation) -> f64 {
        let (success, failure) = binary_stakes(situation);
        success - failure
    }

    #[inline]
    fn value_at_best_effort(&self, situation: &Situation, belief: Belief) -> f64 {
        self.value(situation, belief, self.best_effort(situation, belief))
    }
}

impl sealed::Sealed for AfterPurchase {
    const COMMITTED: bool = true;

    #[inline]
    fn benefit(&self, situation: &Situation, belief: Belief, effort: f64) -> Slopes {
        situation.gross_slopes(belief, effort)
    }

    #[inline]
    fn stake(&self, situation: &Situation) -> f64 {
        let terms = situation.terms();
        terms.value_success - terms.value_failure - terms.guarantee
    }

    /// The effort is chosen after the interim signals, for the posterior.
    fn value_at_best_effort(&self, situation: &Situation, belief: Belief) -> f64 {
        if self.signals.count() == 0 || is_linear(situation) {
            // Without a guarantee the marginal value of quality is θ whatever is believed, and so is the effort.
            return self.value(situation, belief, self.best_effort(situation, belief));
        }
        let law = belief.forecast(self.signals);
        let alpha = situation.preferences().ambiguity_aversion();
        let tilt = alpha * steepest(situation) * law.variance().sqrt();
        let abandon = situation.terms().value_abandon;
        let stage = kinked(alpha, tilt, |z| {
            let posterior = law.at(z);
            let effort = self.best_effort(situation, posterior);
            let going_on =
                situation.gross(posterior, effort) - situation.anticipated_cost(posterior, effort);
            (Slopes::constant(going_on.max(abandon)), going_on > abandon)
        });
        stage.value - situation.terms().price_paid()
    }
}

/// Design first, see the quality, then decide whether to buy: the price is an option.
///
/// With `w = θμ − p − u_0` and `τ = θ√(1+v)`,
///
/// ```text
/// U_B = u_0 − C − (1/r) ln[Φ(−w/τ) + e^{−rw + r²τ²/2} Φ(w/τ − rτ)],   r → 0:  u_0 − C + wΦ(w/τ) + τφ(w/τ)
/// ```
///
/// in form 3; form 4 has the same option given ability (τ = θ) under an outer CARA(α) over the belief, by quadrature; the binary
/// forms buy after success, after failure, or never: a lottery between `max{V − p, u_0}` and `max{L − p, u_0}`.
/// More uncertainty raises U_B when r is small (the option grows) and may lower it when r is large.
///
/// A guarantee has no place here: a failure is seen before anything is paid, and buying a failed design to collect is excluded.
///
/// ```
/// use cocreate::participation::{Belief, BeforePurchase, Cost, Preferences, Situation, Task, Terms, Timing};
/// let terms = Terms { price: 1.0, taste: 2.0, ..Terms::default() };
/// let at = |r: f64, v: f64| -> cocreate::Result<f64> {
///     let situation = Situation::new(Preferences::continuous_cara(r)?, Cost::material(0.35), Task::default(), terms)?;
///     Ok(BeforePurchase.value(&situation, Belief::new(1.2, v)?, 0.0))
/// };
/// assert!((at(0.3, 0.2)? - 1.0189).abs() < 5e-5 && (at(0.3, 0.8)? - 1.0662).abs() < 5e-5);
/// assert!((at(0.0, 0.2)? - 1.397).abs() < 5e-4 && (at(0.0, 0.8)? - 1.563).abs() < 5e-4);
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BeforePurchase;

impl Timing for BeforePurchase {
    #[inline]
    fn value(&self, situation: &Situation, belief: Belief, effort: f64) -> f64 {
        let (terms, preferences) = (situation.terms(), situation.preferences());
        let (r, alpha) = (
            preferences.risk_aversion(),
            preferences.ambiguity_aversion(),
        );
        let mu = situation.expected_quality(belief, effort);
        let (theta, hurdle) = (terms.taste, terms.price_paid() + terms.outside);
        let total = 1.0 + belief.variance();
        let right = match preferences.form() {
            Form::RiskNeutral | Form::BinaryCara => {
                let (success, failure) = binary_stakes(situation);
                lottery(r, mu / total.sqrt(), success, failure)
            }
            Form::SmoothAmbiguity if alpha > r => ambiguous_option(situation, mu, belief).value,
            Form::ContinuousCara | Form::SmoothAmbiguity => {
                option(r, theta * mu - hurdle, theta * total.sqrt())
            }
        };
        terms.outside - situation.anticipated_cost(belief, effort) + right
    }

    #[inline]
    fn slopes(&self, situation: &Situation, belief: Belief, effort: f64) -> Slopes {
        let right = right_slopes(situation, belief, effort);
        let cost = situation.anticipated_cost_slopes(belief, effort);
        Slopes {
            value: situation.terms().outside - cost.value + right.value,
            by_mean: right.by_mean - cost.by_mean,
            by_variance: right.by_variance - cost.by_variance,
        }
    }
}

/// The certainty equivalent of the right to buy, before cost and over u_0, with its derivatives.
#[inline]
fn right_slopes(situation: &Situation, belief: Belief, effort: f64) -> Slopes {
    let (terms, preferences) = (situation.terms(), situation.preferences());
    let (r, alpha) = (
        preferences.risk_aversion(),
        preferences.ambiguity_aversion(),
    );
    let mu = situation.expected_quality(belief, effort);
    let (theta, hurdle) = (terms.taste, terms.price_paid() + terms.outside);
    let total = 1.0 + belief.variance();
    let root = total.sqrt();
    match preferences.form() {
        Form::RiskNeutral | Form::BinaryCara => {
            let (success, failure) = binary_stakes(situation);
            let z = mu / root;
            let slope = lottery_slope(r, z, success, failure);
            Slopes {
                value: lottery(r, z, success, failure),
                by_mean: slope / root,
                by_variance: -0.5 * slope * z / total,
            }
        }
        Form::SmoothAmbiguity if alpha > r => ambiguous_option(situation, mu, belief),
        Form::ContinuousCara | Form::SmoothAmbiguity => {
            let right = option_with_slopes(r, theta * mu - hurdle, theta * root);
            Slopes {
                value: right.value,
                by_mean: theta * right.by_mean,
                by_variance: 0.5 * theta * right.by_deviation / root,
            }
        }
    }
}

/// What success and failure are worth over u_0 to a binary customer who buys only what is worth its price.
#[inline]
fn binary_stakes(situation: &Situation) -> (f64, f64) {
    let terms = situation.terms();
    let hurdle = terms.price_paid() + terms.outside;
    (
        (terms.value_success - hurdle).max(0.0),
        (terms.value_failure - hurdle).max(0.0),
    )
}

/// The option given ability (τ = θ), under the outer CARA(α) over the belief.
fn ambiguous_option(situation: &Situation, mu: f64, belief: Belief) -> Slopes {
    let (terms, preferences) = (situation.terms(), situation.preferences());
    let (theta, hurdle) = (terms.taste, terms.price_paid() + terms.outside);
    outer(
        preferences.ambiguity_aversion(),
        mu,
        belief.variance(),
        Shape {
            steepest: theta,
            range: f64::INFINITY,
            sharpness: 1.0,
            convex: true,
        },
        |quality| {
            let right =
                option_with_slopes(preferences.risk_aversion(), theta * quality - hurdle, theta);
            (right.value, theta * right.by_mean)
        },
    )
}

/// Pay first, co-create later: the price is sunk, and what is left to decide is whether to go through with it.
///
/// ```text
/// U_A = −p − (1/α) ln E_{m'} exp(−α max{G0(m', v') − C, L_0})
/// ```
///
/// over the customer's own forecast of the belief after the `signals` that arrive between payment and work; without a signal
/// `U_A = −p + max{G0(m, v) − C, L_0}`. A signal adds an option to abandon, never an option on the price. Closed form in forms 3
/// and 4 without a guarantee, quadrature otherwise. (The outer coefficient is r in forms 2 and 3, and 0 in form 1.)
///
/// ```
/// use cocreate::participation::{AfterPurchase, Belief, Cost, Preferences, Situation, Task, Terms, Timing};
/// let terms = Terms { price: 1.0, taste: 2.0, value_abandon: 0.2, ..Terms::default() };
/// let at = |v: f64| -> cocreate::Result<f64> {
///     let situation = Situation::new(Preferences::smooth_ambiguity(0.3, 0.8)?, Cost::material(0.35), Task::default(), terms)?;
///     Ok(AfterPurchase::without_signal().value(&situation, Belief::new(1.2, v)?, 0.0))
/// };
/// assert!((at(0.2)? - 0.13).abs() < 1e-12 && (at(0.8)? + 0.80).abs() < 1e-12);
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct AfterPurchase {
    signals: Signals,
}

impl AfterPurchase {
    /// Nothing is learned between payment and work.
    pub const fn without_signal() -> Self {
        Self {
            signals: Signals::NONE,
        }
    }

    /// These signals arrive after payment and before the work.
    pub const fn with_signals(signals: Signals) -> Self {
        Self { signals }
    }

    /// The interim signals.
    #[inline]
    pub const fn signals(self) -> Signals {
        self.signals
    }

    /// What the interim signals are worth: U_A with them less U_A without, never negative, and zero when they are never
    /// acted on.
    #[inline]
    pub fn value_of_information(self, situation: &Situation, belief: Belief, effort: f64) -> f64 {
        self.value(situation, belief, effort)
            - Self::without_signal().value(situation, belief, effort)
    }

    /// Whether the paying customer, with the belief after the signals, goes through with the work.
    #[inline]
    pub fn continues(self, situation: &Situation, posterior: Belief, effort: f64) -> bool {
        situation.gross(posterior, effort) - situation.anticipated_cost(posterior, effort)
            > situation.terms().value_abandon
    }

    /// The interim stage when it is not linear in m': quadrature over the forecast, split where the customer is indifferent.
    fn by_quadrature(self, situation: &Situation, belief: Belief, effort: f64) -> Slopes {
        let law = belief.forecast(self.signals);
        let alpha = situation.preferences().ambiguity_aversion();
        let tilt = alpha * steepest(situation) * law.variance().sqrt();
        let abandon = situation.terms().value_abandon;
        let moves = Moves::of(belief, self.signals);
        kinked(alpha, tilt, |z| {
            let posterior = law.at(z);
            let gross = situation.gross_slopes(posterior, effort);
            let cost = situation.anticipated_cost_slopes(posterior, effort);
            let value = gross.value - cost.value;
            if value > abandon {
                let by_mean = gross.by_mean - cost.by_mean;
                let by_variance = gross.by_variance - cost.by_variance;
                // m' = m + √(v − v') z and v' both move with v; the threshold does not matter (envelope).
                let slopes = Slopes {
                    value,
                    by_mean,
                    by_variance: by_mean * z * moves.deviation + by_variance * moves.posterior,
                };
                (slopes, true)
            } else {
                (Slopes::constant(abandon), false)
            }
        })
    }
}

impl Timing for AfterPurchase {
    #[inline]
    fn value(&self, situation: &Situation, belief: Belief, effort: f64) -> f64 {
        let terms = situation.terms();
        let abandon = terms.value_abandon;
        let stage = if self.signals.count() == 0 {
            (situation.gross(belief, effort) - situation.anticipated_cost(belief, effort))
                .max(abandon)
        } else if is_linear(situation) {
            let law = belief.forecast(self.signals);
            let theta = terms.taste;
            // G0 at the forecast's mean and the posterior variance: linear in m' with slope θ.
            let continuing = situation.gross(law.at(0.0), effort)
                - situation.anticipated_cost(belief, effort)
                - abandon;
            let alpha = situation.preferences().ambiguity_aversion();
            abandon + option(alpha, continuing, theta * law.variance().sqrt())
        } else {
            self.by_quadrature(situation, belief, effort).value
        };
        stage - terms.price_paid()
    }

    #[inline]
    fn slopes(&self, situation: &Situation, belief: Belief, effort: f64) -> Slopes {
        let terms = situation.terms();
        let abandon = terms.value_abandon;
        let mut stage = if self.signals.count() == 0 {
            let gross = situation.gross_slopes(belief, effort);
            let cost = situation.anticipated_cost_slopes(belief, effort);
            if gross.value - cost.value > abandon {
                Slopes {
                    value: gross.value - cost.value,
                    by_mean: gross.by_mean - cost.by_mean,
                    by_variance: gross.by_variance - cost.by_variance,
                }
            } else {
                Slopes::constant(abandon)
            }
        } else if is_linear(situation) {
            let law = belief.forecast(self.signals);
            let gross = situation.gross_slopes(law.at(0.0), effort);
            let continuing = gross.value - situation.anticipated_cost(belief, effort) - abandon;
            let alpha = situation.preferences().ambiguity_aversion();
            let theta = terms.taste;
            let right = option_with_slopes(alpha, continuing, theta * law.variance().sqrt());
            let moves = Moves::of(belief, self.signals);
            Slopes {
                value: abandon + right.value,
                by_mean: gross.by_mean * right.by_mean,
                by_variance: gross.by_variance * moves.posterior * right.by_mean
                    + theta * moves.deviation * right.by_deviation,
            }
        } else {
            self.by_quadrature(situation, belief, effort)
        };
        stage.value -= terms.price_paid();
        stage
    }
}

/// Whether the certainty equivalent of going through is linear in m with slope θ.
#[inline]
fn is_linear(situation: &Situation) -> bool {
    !situation.preferences().is_binary() && situation.terms().guarantee.abs() <= 0.0
}

/// A bound on what one unit of m is worth, for the reach of the quadrature.
#[inline]
fn steepest(situation: &Situation) -> f64 {
    let terms = situation.terms();
    if situation.preferences().is_binary() {
        (terms.value_success - terms.value_failure).abs() + terms.guarantee.abs()
    } else {
        terms.taste + terms.guarantee.abs()
    }
}
