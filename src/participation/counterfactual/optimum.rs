//! How much of a policy.

use super::compared::Counterfactual;
use super::engine::Scenario;
use super::market::Market;
use super::outcome::Outcome;
use super::policy::Policy;
use crate::error::{Error, Result};
use crate::inference::Estimate;
use crate::numeric::optimize::brent_minimum;
use crate::report::{Cell, Figure, LinePlot, Table};
use serde::{Deserialize, Serialize};

/// The best level of a family of policies, and the outcome along the family.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct OptimalLevel {
    outcome: Outcome,
    level: f64,
    /// Of the level; none at an end of the range.
    std_error: Option<f64>,
    /// Whether it lies at an end of the range.
    at_bound: bool,
    grid: Vec<f64>,
    values: Vec<f64>,
    best: Counterfactual,
}

/// Levels at which the outcome is worked out before the best is sought between them.
const GRID: usize = 25;

/// Accuracy of the level, relative to it.
const TOLERANCE: f64 = 1e-5;

impl OptimalLevel {
    pub(super) fn find(
        market: &Market,
        levels: [f64; 2],
        outcome: Outcome,
        family: &dyn Fn(f64) -> Policy,
    ) -> Result<Self> {
        let [low, high] = levels;
        if !(low < high && low.is_finite() && high.is_finite()) {
            let given = format!("{low} to {high}");
            return Err(Error::invalid_option(
                "levels",
                given,
                "from a level to a larger one",
            ));
        }
        // The covariance is wanted at the end alone.
        let value = |level: f64| -> Result<f64> {
            let policy = family(level);
            let engine = market.engine(std::slice::from_ref(&policy))?;
            let scenario = Scenario {
                policy: 0,
                levers: None,
            };
            engine.mean_effect(&scenario, outcome)
        };
        let step = (high - low) / (GRID - 1) as f64;
        let grid: Vec<f64> = (0..GRID).map(|k| low + step * k as f64).collect();
        let values = grid
            .iter()
            .map(|l| value(*l))
            .collect::<Result<Vec<f64>>>()?;
        let top = (1..GRID).fold(0, |top, k| if values[k] > values[top] { k } else { top });
        let around = [grid[top.saturating_sub(1)], grid[(top + 1).min(GRID - 1)]];
        let mut fault = None;
        let lost = |level: f64| match value(level) {
            Ok(v) => -v,
            Err(error) => {
                fault = Some(error);
                f64::NAN
            }
        };
        let found = brent_minimum(lost, around[0], around[1], TOLERANCE);
        if let Some(error) = fault {
            return Err(error);
        }
        let found = found?;
        // The ends themselves are not among the points of the search.
        let (level, at_bound) = if -found.value < values[top] {
            (grid[top], top == 0 || top == GRID - 1)
        } else {
            (found.point, false)
        };
        let best = market.compare(&[family(level)])?;
        let step = 0.5 * step.min(level - low).min(high - level);
        let std_error = if at_bound || step <= 0.0 {
            None
        } else {
            error_of_level(market, outcome, family, level, step)?
        };
        Ok(Self {
            outcome,
            level,
            std_error,
            at_bound,
            grid,
            values,
            best,
        })
    }

    /// The best level.
    pub fn level(&self) -> f64 {
        self.level
    }

    /// The best level with its standard error, by the implicit function of the first-order condition: `Var(∂V/∂l)/(∂²V/∂l²)²`.
    ///
    /// # Errors
    /// [`Error::Unidentified`] at an end of the range, where there is no first-order condition.
    pub fn estimate(&self) -> Result<Estimate> {
        let std_error = self.std_error.ok_or_else(|| Error::Unidentified {
            what: "the error of a best level at an end of the range".to_owned(),
            needs: "a wider range, with the best level inside".to_owned(),
        })?;
        Ok(Estimate {
            name: format!("best level for {}", self.outcome),
            estimate: self.level,
            std_error,
            degrees_of_freedom: f64::INFINITY,
        })
    }

    /// Whether it lies at an end of the range that was searched, so that a wider one may hold a better.
    pub fn at_bound(&self) -> bool {
        self.at_bound
    }

    /// What the best level gives over what stands. By the envelope theorem its standard error need not know that the level was estimated.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for a policy that was not compared.
    pub fn gain(&self) -> Result<Estimate> {
        self.best.effect(&self.best.policies()[0], self.outcome)
    }

    /// The policy of the best level beside what stands.
    pub fn best(&self) -> &Counterfactual {
        &self.best
    }

    /// The level, its gain, and all outcomes.
    pub fn table(&self) -> Table {
        let head = if self.at_bound {
            "best level (at the end of the range)"
        } else {
            "best level"
        };
        let table = self
            .best
            .table()
            .with_title(format!("How much, for {}", self.outcome));
        let table = table.row([
            Cell::from(head),
            Cell::empty(),
            Cell::significant(self.level, 4),
        ]);
        match self.std_error {
            Some(error) => {
                let error = Cell::significant(error, 4).parenthesised();
                table.row([Cell::empty(), Cell::empty(), error])
            }
            None => table,
        }
    }

    /// The outcome along the levels.
    ///
    /// # Errors
    /// Those of [`LinePlot::draw`].
    pub fn figure(&self) -> Result<Figure> {
        LinePlot::new()
            .title(format!("Change of {} by level", self.outcome))
            .x_title("level")
            .y_title("change, a customer")
            .line(self.outcome.to_string(), &self.grid, &self.values)
            .reference_x(self.level)
            .draw()
    }
}

/// The error of the level at which the slope is zero; none where the outcome is flat there.
fn error_of_level(
    market: &Market,
    outcome: Outcome,
    family: &dyn Fn(f64) -> Policy,
    level: f64,
    step: f64,
) -> Result<Option<f64>> {
    let named = |name: &str, level: f64| {
        let mut policy = family(level);
        name.clone_into(&mut policy.name);
        policy
    };
    let policies = [
        named("more", level + step),
        named("best", level),
        named("less", level - step),
    ];
    let around = market.compare(&policies)?;
    let slope = around.difference("more", "less", outcome)?.std_error / (2.0 * step);
    let rise = |policy: &str| around.difference(policy, "best", outcome);
    let curvature = (rise("more")?.estimate + rise("less")?.estimate) / (step * step);
    Ok((curvature < 0.0).then(|| slope / -curvature))
}

crate::report::shown!(OptimalLevel);
