//! Hold-up: the firm sets its price when the customer's effort is already sunk, and the customer knows it.

use serde::{Deserialize, Serialize};

use super::belief::Belief;
use super::timing::{BeforePurchase, Timing};
use super::value::Situation;
use crate::error::{Error, Result};
use crate::numeric::optimize::{brent_minimum, brent_root};
use crate::numeric::special::normal;

/// The pricing game of a customer who designs first ([`BeforePurchase`], forms 3 and 4).
///
/// The firm sees the effort (the design stands on its site) but not how much the customer likes the result; both expect quality
/// `q ~ N(μ(e), 1+v)`. It pays `marginal_cost` k per unit sold.
///
/// * **After the effort** it charges the monopoly price of the remaining demand `1 − Φ((p + u_0 − θμ(e))/τ)`, `τ = θ√(1+v)`:
///   `(p − k)/τ = (1 − Φ(x))/φ(x)`, `x = (p + u_0 − θμ)/τ`. The hazard of the normal rises, so there is one such price; and it
///   rises with effort, which taxes effort: the customer, foreseeing it, works less or does not start.
/// * **With a commitment** it announces the price first, the customer answers with effort, and the firm maximises
///   `(p − k) · Pr(buy)` over that answer. It could announce the hold-up price and get at least the hold-up effort, so
///   commitment never earns less.
///
/// ```
/// use cocreate::participation::{Belief, Cost, HoldUp, Preferences, Situation, Task, Terms};
/// let cost = Cost { mental: 0.4, material: 0.05, relief: 0.0 };
/// let task = Task { difficulty: 0.0, effort_return: 1.0 };
/// let terms = Terms { taste: 2.0, ..Terms::default() };
/// let situation = Situation::new(Preferences::continuous_cara(0.1)?, cost, task, terms)?;
/// let game = HoldUp::solve(&situation, Belief::new(0.5, 0.5)?, 0.2)?;
/// assert!(game.commitment.effort > game.hold_up.effort);
/// assert!(game.commitment.profit > game.hold_up.profit);
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct HoldUp {
    /// The price is set after the effort.
    pub hold_up: PriceOutcome,
    /// The price is announced before it.
    pub commitment: PriceOutcome,
}

/// How the pricing game ends.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct PriceOutcome {
    /// The price, in money.
    pub price: f64,
    /// The effort; zero when the customer does not start.
    pub effort: f64,
    /// Whether the customer starts to design: U_B > u_0.
    pub starts: bool,
    /// The customer's certainty equivalent U_B, u_0 when the customer does not start.
    pub utility: f64,
    /// The probability that the design is bought; zero when the customer does not start.
    pub purchase: f64,
    /// (p − k) · Pr(buy), in money.
    pub profit: f64,
}

/// Accuracy of prices and efforts, in their own units.
const TOLERANCE: f64 = 1e-9;
/// Grid on which the best of several local optima is bracketed.
const GRID: u32 = 64;

impl HoldUp {
    /// Solves both games.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for a binary form, a taste of zero, effort that costs nothing, or a marginal cost that is not
    /// finite.
    pub fn solve(situation: &Situation, belief: Belief, marginal_cost: f64) -> Result<Self> {
        let game = Game {
            situation,
            belief,
            marginal_cost,
        };
        game.check()?;
        Ok(Self {
            hold_up: game.hold_up()?,
            commitment: game.commitment()?,
        })
    }
}

struct Game<'a> {
    situation: &'a Situation,
    belief: Belief,
    marginal_cost: f64,
}

impl Game<'_> {
    fn check(&self) -> Result<()> {
        if self.situation.preferences().is_binary() || self.situation.terms().taste <= 0.0 {
            return Err(Error::invalid_option(
                "situation",
                "a binary form or a taste of zero",
                "form 3 or 4 with a positive taste: the price is set on a continuous demand",
            ));
        }
        if self.price_of_effort() <= 0.0 {
            return Err(Error::invalid_option(
                "mental cost",
                self.situation.cost().mental,
                "positive after the tool: effort that costs nothing has no limit",
            ));
        }
        if !self.marginal_cost.is_finite() {
            return Err(Error::invalid_option(
                "marginal_cost",
                self.marginal_cost,
                "a finite number of money",
            ));
        }
        Ok(())
    }

    fn price_of_effort(&self) -> f64 {
        self.situation.terms().tool.cost_left()
            * self.situation.cost().anticipated_slope(self.belief)
    }

    /// Standard deviation of the willingness to pay, τ.
    fn deviation(&self) -> f64 {
        self.situation.terms().taste * (1.0 + self.belief.variance()).sqrt()
    }

    /// Mean willingness to pay over u_0.
    fn willingness(&self, effort: f64) -> f64 {
        let terms = self.situation.terms();
        terms.taste * self.situation.expected_quality(self.belief, effort) - terms.outside
    }

    /// The price that is best once the effort is sunk.
    fn price_after(&self, effort: f64) -> Result<f64> {
        let tau = self.deviation();
        // Margin y = (p − k)/τ solves y = 1/hazard(y + b).
        let b = (self.marginal_cost - self.willingness(effort)) / tau;
        let excess = |y: f64| y * normal::upper_inverse_mills(y + b) - 1.0;
        // The mean excess 1/hazard(x) lies below 1/|x| for x > 0 and rises to about −x below: both bound the margin.
        let high = 2.0 + b.abs();
        let margin = brent_root(excess, 0.0, high, TOLERANCE / (1.0 + tau))?.point;
        Ok(self.marginal_cost + tau * margin)
    }

    fn at_price(&self, price: f64) -> Result<Situation> {
        let terms = self.situation.terms();
        self.situation.with_terms(super::terms::Terms {
            price: price + terms.coupon,
            ..terms
        })
    }

    fn outcome(&self, price: f64, effort: f64) -> Result<PriceOutcome> {
        let outside = self.situation.terms().outside;
        let utility = BeforePurchase.value(&self.at_price(price)?, self.belief, effort);
        if utility > outside {
            let purchase = normal::cdf((self.willingness(effort) - price) / self.deviation());
            Ok(PriceOutcome {
                price,
                effort,
                starts: true,
                utility,
                purchase,
                profit: (price - self.marginal_cost) * purchase,
            })
        } else {
            Ok(PriceOutcome {
                price,
                effort: 0.0,
                starts: false,
                utility: outside,
                purchase: 0.0,
                profit: 0.0,
            })
        }
    }

    /// The customer chooses effort against the price that will answer it.
    fn hold_up(&self) -> Result<PriceOutcome> {
        let task = self.situation.task();
        let bound = (self.situation.terms().taste * task.effort_return / self.price_of_effort())
            .ln()
            .max(0.0);
        let utility = |effort: f64| -> Result<f64> {
            let situation = self.at_price(self.price_after(effort)?)?;
            Ok(BeforePurchase.value(&situation, self.belief, effort))
        };
        let x = maximum(0.0, bound, |x| utility(x.exp_m1()))?;
        let effort = x.exp_m1();
        self.outcome(self.price_after(effort)?, effort)
    }

    /// The firm chooses the price against the effort that will answer it.
    fn commitment(&self) -> Result<PriceOutcome> {
        let held_up = self.hold_up()?;
        let tau = self.deviation();
        let profit = |price: f64| -> Result<f64> {
            let situation = self.at_price(price)?;
            let effort = BeforePurchase.best_effort(&situation, self.belief);
            Ok(self.outcome(price, effort)?.profit)
        };
        // A price beyond the hold-up price at the most that effort can bring is never best.
        let most = (self.situation.terms().taste * self.situation.task().effort_return
            / self.price_of_effort())
        .max(1.0)
            - 1.0;
        let high = self.price_after(most)? + tau;
        let price = maximum(self.marginal_cost, high, profit)?;
        let situation = self.at_price(price)?;
        let effort = BeforePurchase.best_effort(&situation, self.belief);
        let best = self.outcome(price, effort)?;
        // The hold-up price announced beforehand is one of the firm's choices; the grid may have missed a peak next to a jump.
        let announced = self.at_price(held_up.price)?;
        let effort = BeforePurchase.best_effort(&announced, self.belief);
        let same_price = self.outcome(held_up.price, effort)?;
        Ok(if same_price.profit > best.profit {
            same_price
        } else {
            best
        })
    }
}

/// The maximum of a function of one variable: the best point of a grid, then Brent's method around it.
fn maximum(low: f64, high: f64, f: impl Fn(f64) -> Result<f64>) -> Result<f64> {
    if high <= low {
        return Ok(low);
    }
    let width = (high - low) / f64::from(GRID);
    let (mut best, mut highest) = (low, f(low)?);
    for k in 1..=GRID {
        let x = low + width * f64::from(k);
        let value = f(x)?;
        if value > highest {
            (best, highest) = (x, value);
        }
    }
    let around = brent_minimum(
        |x| f(x).map_or(f64::NAN, |value| -value),
        (best - width).max(low),
        (best + width).min(high),
        TOLERANCE,
    )?;
    Ok(if -around.value > highest {
        around.point
    } else {
        best
    })
}
