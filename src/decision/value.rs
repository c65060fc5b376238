//! The value of co-creating: the four forms, their certainty equivalents and what the belief's mean and variance do to them.

use serde::{Deserialize, Serialize};

use super::belief::Belief;
use super::certainty::{Slopes, lottery, lottery_slope};
use super::cost::Cost;
use super::outer_layer::{Shape, outer};
use super::preferences::{Form, Preferences};
use super::terms::{Task, Terms};
use crate::error::{Error, Result};
use crate::numeric::special::normal;

/// One customer's problem: attitude to risk, cost, task and terms, checked once; beliefs and efforts are the arguments of its
/// functions, which are fast and cannot fail.
///
/// ```
/// use cocreate::participation::{Belief, Cost, Preferences, Situation, Task, Terms};
/// let terms = Terms { price: 1.0, taste: 2.0, value_abandon: 0.2, ..Terms::default() };
/// let situation = Situation::new(Preferences::continuous_cara(0.3)?, Cost::material(0.35), Task::default(), terms)?;
/// let belief = Belief::new(1.2, 0.2)?;
/// assert!((situation.certainty_equivalent(belief, 0.0) - 0.33).abs() < 1e-12);
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Situation {
    preferences: Preferences,
    cost: Cost,
    task: Task,
    terms: Terms,
}

impl Situation {
    /// The problem.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for numbers outside their range, and for a cost that depends on the unknown ability (κ > 0)
    /// together with a risk-averse form: the expected utility of a log-normal loss does not exist under CARA. Say that the cost
    /// was learned beforehand with [`Cost::learned`], or set κ = 0.
    #[inline]
    pub fn new(preferences: Preferences, cost: Cost, task: Task, terms: Terms) -> Result<Self> {
        let (cost, terms) = (cost.checked()?, terms.checked()?);
        if !(task.difficulty.is_finite()
            && task.effort_return >= 0.0
            && task.effort_return.is_finite())
        {
            return Err(bad_task(task));
        }
        if cost.relief > 0.0 && preferences.form() != Form::RiskNeutral {
            return Err(Error::invalid_option(
                "relief",
                cost.relief,
                "zero in a risk-averse form, since the CARA expected utility of a log-normal cost does not exist; declare the cost learned beforehand with `cost.learned(ability)`",
            ));
        }
        Ok(Self {
            preferences,
            cost,
            task,
            terms,
        })
    }

    /// The attitude to risk.
    #[inline]
    pub const fn preferences(&self) -> Preferences {
        self.preferences
    }

    /// The cost before the tool.
    #[inline]
    pub const fn cost(&self) -> Cost {
        self.cost
    }

    /// The task before the tool.
    #[inline]
    pub const fn task(&self) -> Task {
        self.task
    }

    /// The terms.
    #[inline]
    pub const fn terms(&self) -> Terms {
        self.terms
    }

    /// The same customer on other terms, e.g. the counterfactual without a coupon.
    ///
    /// # Errors
    /// As [`Situation::new`].
    #[inline]
    pub fn with_terms(self, terms: Terms) -> Result<Self> {
        Ok(Self {
            terms: terms.checked()?,
            ..self
        })
    }

    /// μ = m + γ ln(1+e) − d, the difficulty after the tool.
    #[inline]
    pub fn expected_quality(&self, belief: Belief, effort: f64) -> f64 {
        belief.mean() + self.task.lift(effort) + self.terms.tool.easing()
    }

    /// π = Φ(μ/√(1+v)), the success probability that the customer believes in.
    #[inline]
    pub fn believed_success(&self, belief: Belief, effort: f64) -> f64 {
        normal::cdf(self.expected_quality(belief, effort) / (1.0 + belief.variance()).sqrt())
    }

    /// Φ(a + γ ln(1+e) − d), the true success probability.
    #[inline]
    pub fn true_success(&self, ability: f64, effort: f64) -> f64 {
        normal::cdf(ability + self.task.lift(effort) + self.terms.tool.easing())
    }

    /// C̄ after the tool, in money.
    #[inline]
    pub fn anticipated_cost(&self, belief: Belief, effort: f64) -> f64 {
        self.terms.tool.cost_left() * self.cost.anticipated(belief, effort)
    }

    /// C after the tool, in money, at the true ability.
    #[inline]
    pub fn realised_cost(&self, ability: f64, effort: f64) -> f64 {
        self.terms.tool.cost_left() * self.cost.realised(ability, effort)
    }

    /// [`anticipated_cost`](Self::anticipated_cost) with its derivatives: `∂C̄/∂m = −κ(C̄ − c_0)`, `∂C̄/∂v = κ²/2 (C̄ − c_0)`.
    #[inline]
    pub fn anticipated_cost_slopes(&self, belief: Belief, effort: f64) -> Slopes {
        let left = self.terms.tool.cost_left();
        let mental = left * self.cost.anticipated_slope(belief) * effort;
        let relief = self.cost.relief;
        Slopes {
            value: mental + left * self.cost.material,
            by_mean: -relief * mental,
            by_variance: 0.5 * relief * relief * mental,
        }
    }

    /// G0(m, v): the certainty equivalent gross of cost and price, in money.
    #[inline]
    pub fn gross(&self, belief: Belief, effort: f64) -> f64 {
        let terms = &self.terms;
        let (r, theta) = (self.preferences.risk_aversion(), terms.taste);
        let mu = self.expected_quality(belief, effort);
        let total = 1.0 + belief.variance();
        match self.preferences.form() {
            Form::RiskNeutral | Form::BinaryCara => lottery(
                r,
                mu / total.sqrt(),
                terms.value_success,
                terms.value_failure + terms.guarantee,
            ),
            Form::ContinuousCara => {
                let sure = theta * mu - 0.5 * r * theta * theta * total;
                if terms.guarantee.abs() > 0.0 {
                    let h = (mu - r * theta * total) / total.sqrt();
                    sure + lottery(r, h, 0.0, terms.guarantee)
                } else {
                    sure
                }
            }
            Form::SmoothAmbiguity => {
                let alpha = self.preferences.ambiguity_aversion();
                let sure = theta * mu - 0.5 * theta * theta * (r + alpha * belief.variance());
                if terms.guarantee.abs() > 0.0 {
                    sure + self.guarantee_under_ambiguity(mu, belief.variance()).value
                } else {
                    sure
                }
            }
        }
    }

    /// [`gross`](Self::gross) with its derivatives with respect to m and v.
    #[inline]
    pub fn gross_slopes(&self, belief: Belief, effort: f64) -> Slopes {
        let terms = &self.terms;
        let (r, theta) = (self.preferences.risk_aversion(), terms.taste);
        let mu = self.expected_quality(belief, effort);
        let v = belief.variance();
        let (total, root) = (1.0 + v, (1.0 + v).sqrt());
        match self.preferences.form() {
            Form::RiskNeutral | Form::BinaryCara => {
                let failure = terms.value_failure + terms.guarantee;
                let z = mu / root;
                let slope = lottery_slope(r, z, terms.value_success, failure);
                Slopes {
                    value: lottery(r, z, terms.value_success, failure),
                    by_mean: slope / root,
                    by_variance: -0.5 * slope * z / total,
                }
            }
            Form::ContinuousCara => {
                let mut slopes = Slopes {
                    value: theta * mu - 0.5 * r * theta * theta * total,
                    by_mean: theta,
                    by_variance: -0.5 * r * theta * theta,
                };
                if terms.guarantee.abs() > 0.0 {
                    let h = (mu - r * theta * total) / root;
                    let slope = lottery_slope(r, h, 0.0, terms.guarantee);
                    slopes.value += lottery(r, h, 0.0, terms.guarantee);
                    slopes.by_mean += slope / root;
                    slopes.by_variance += -0.5 * slope * (mu / total + r * theta) / root;
                }
                slopes
            }
            Form::SmoothAmbiguity => {
                let alpha = self.preferences.ambiguity_aversion();
                let mut slopes = Slopes {
                    value: theta * mu - 0.5 * theta * theta * (r + alpha * v),
                    by_mean: theta,
                    by_variance: -0.5 * alpha * theta * theta,
                };
                if terms.guarantee.abs() > 0.0 {
                    let added = self.guarantee_under_ambiguity(mu, v);
                    slopes.value += added.value;
                    slopes.by_mean += added.by_mean;
                    slopes.by_variance += added.by_variance;
                }
                slopes
            }
        }
    }

    /// What a guarantee adds in form 4. Given ability the inner certainty equivalent is linear plus the lottery of form 3 with v = 0;
    /// the linear part tilts the belief to mean `m − αθv`, under which the lottery meets the outer CARA(α).
    fn guarantee_under_ambiguity(&self, mu: f64, variance: f64) -> Slopes {
        let (r, alpha) = (
            self.preferences.risk_aversion(),
            self.preferences.ambiguity_aversion(),
        );
        let (theta, guarantee) = (self.terms.taste, self.terms.guarantee);
        let inner = |y: f64| {
            let h = y - r * theta;
            (
                lottery(r, h, 0.0, guarantee),
                lottery_slope(r, h, 0.0, guarantee),
            )
        };
        let shape = Shape::guarantee(r, guarantee);
        let tilted = outer(alpha, mu - alpha * theta * variance, variance, shape, inner);
        Slopes {
            by_variance: tilted.by_variance - alpha * theta * tilted.by_mean,
            ..tilted
        }
    }

    /// U or CE: [`gross`](Self::gross) less the anticipated cost and the price paid, in money. The timing types say when it is
    /// compared with what.
    #[inline]
    pub fn certainty_equivalent(&self, belief: Belief, effort: f64) -> f64 {
        self.gross(belief, effort) - self.anticipated_cost(belief, effort) - self.terms.price_paid()
    }

    /// [`certainty_equivalent`](Self::certainty_equivalent) with its derivatives with respect to m and v.
    #[inline]
    pub fn certainty_equivalent_slopes(&self, belief: Belief, effort: f64) -> Slopes {
        let gross = self.gross_slopes(belief, effort);
        let cost = self.anticipated_cost_slopes(belief, effort);
        Slopes {
            value: gross.value - cost.value - self.terms.price_paid(),
            by_mean: gross.by_mean - cost.by_mean,
            by_variance: gross.by_variance - cost.by_variance,
        }
    }
}

/// A problem that is not checked, such as a guarantee of less than nothing: where an estimate or a derivative leads, the formulas continue smoothly.
#[inline]
pub(crate) fn hypothetical(
    preferences: Preferences,
    cost: Cost,
    task: Task,
    terms: Terms,
) -> Situation {
    Situation {
        preferences,
        cost,
        task,
        terms,
    }
}

#[cold]
fn bad_task(task: Task) -> Error {
    if task.difficulty.is_finite() {
        Error::invalid_option(
            "effort_return",
            task.effort_return,
            "zero or a positive finite number",
        )
    } else {
        Error::invalid_option("difficulty", task.difficulty, "a finite number")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decision::Tool;

    fn every_form() -> Vec<Situation> {
        let terms = Terms {
            price: 1.0,
            value_success: 3.0,
            value_failure: -0.5,
            taste: 2.0,
            tool: Tool::Difficulty(0.2),
            ..Terms::default()
        };
        let mut all = Vec::new();
        for guarantee in [0.0, 0.8] {
            for (form, relief) in [
                (Preferences::risk_neutral(), 0.7),
                (Preferences::binary_cara(0.4).unwrap(), 0.0),
                (Preferences::continuous_cara(0.3).unwrap(), 0.0),
                (Preferences::smooth_ambiguity(0.3, 0.8).unwrap(), 0.0),
                (Preferences::smooth_ambiguity(0.0, 2.0).unwrap(), 0.0),
            ] {
                let cost = Cost {
                    mental: 0.4,
                    material: 0.1,
                    relief,
                };
                let task = Task {
                    difficulty: 0.5,
                    effort_return: 0.8,
                };
                all.push(Situation::new(form, cost, task, Terms { guarantee, ..terms }).unwrap());
            }
        }
        all
    }

    #[test]
    fn slopes_are_the_differences() {
        let h = 1e-5;
        for situation in every_form() {
            for (m, v) in [(0.4, 0.6), (-1.0, 2.0), (2.0, 0.05)] {
                let at = |m, v| situation.certainty_equivalent(Belief::new(m, v).unwrap(), 1.5);
                let slopes = situation.certainty_equivalent_slopes(Belief::new(m, v).unwrap(), 1.5);
                let by_m = (at(m + h, v) - at(m - h, v)) / (2.0 * h);
                let by_v = (at(m, v + h) - at(m, v - h)) / (2.0 * h);
                assert!((slopes.value - at(m, v)).abs() < 1e-14);
                assert!(
                    (slopes.by_mean - by_m).abs() < 1e-8,
                    "{situation:?} {m} {v}: {slopes:?} {by_m}"
                );
                assert!(
                    (slopes.by_variance - by_v).abs() < 1e-8,
                    "{situation:?} {m} {v}: {slopes:?} {by_v}"
                );
            }
        }
    }

    #[test]
    fn equal_aversions_make_form_four_form_three() {
        let three = Preferences::continuous_cara(0.5).unwrap();
        let four = Preferences::smooth_ambiguity(0.5, 0.5).unwrap();
        for guarantee in [0.0, 0.3, 2.0] {
            let terms = Terms {
                taste: 1.3,
                guarantee,
                ..Terms::default()
            };
            let of = |p| Situation::new(p, Cost::material(0.0), Task::default(), terms).unwrap();
            for (m, v) in [(0.4, 0.6), (-2.0, 3.0), (1.0, 0.0)] {
                let belief = Belief::new(m, v).unwrap();
                let (x, y) = (of(three).gross(belief, 0.0), of(four).gross(belief, 0.0));
                assert!((x - y).abs() < 1e-10, "{guarantee} {m} {v}: {x} {y}");
            }
        }
    }

    #[test]
    fn an_uncertain_cost_needs_risk_neutrality() {
        let cost = Cost {
            mental: 1.0,
            material: 0.0,
            relief: 0.5,
        };
        let averse = Preferences::continuous_cara(0.5).unwrap();
        let error = Situation::new(averse, cost, Task::default(), Terms::default()).unwrap_err();
        assert!(error.to_string().contains("learned"), "{error}");
        assert!(
            Situation::new(averse, cost.learned(0.3), Task::default(), Terms::default()).is_ok()
        );
        assert!(
            Situation::new(
                Preferences::risk_neutral(),
                cost,
                Task::default(),
                Terms::default()
            )
            .is_ok()
        );
        assert!(
            Preferences::smooth_ambiguity(0.5, 0.4)
                .unwrap_err()
                .to_string()
                .contains("ambiguity_aversion")
        );
        assert!(
            Preferences::binary_cara(-0.1)
                .unwrap_err()
                .to_string()
                .contains("risk_aversion")
        );
        let task = Task {
            difficulty: 0.0,
            effort_return: -1.0,
        };
        assert!(Situation::new(averse, Cost::material(0.0), task, Terms::default()).is_err());
    }
}
