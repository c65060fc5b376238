//! The next best action: for every row the arm of highest predicted effect.

use super::hull::check_effects;
use crate::causal::units::check_column;
use crate::error::{Error, Result};
use crate::numeric::special::normal;
use crate::report::shown;
use crate::report::{Cell, Table};
use serde::{Deserialize, Serialize};

/// Gives every row the arm of highest predicted effect against the control, net of its cost, or the control when no effect is above a minimum:
/// the policy that plugs predictions in, over any number of arms. With standard errors of the predictions it can be cautious: an arm is then
/// judged by the lower end of a one-sided interval of its effect.
///
/// | name | default | meaning | range |
/// |---|---|---|---|
/// | `minimum` | 0 | effect that an arm must exceed | finite |
/// | `cautious` | no | confidence of the lower end by which arms are judged, with standard errors | \[0.5, 1) |
///
/// # Errors
/// [`Error::InvalidOption`]; [`Error::LengthMismatch`]; [`Error::OutOfRange`] for predictions or errors that are not finite, and negative errors.
///
/// # Examples
/// ```
/// use cocreate::prelude::*;
/// let effects = vec![vec![1.0, -0.5, 0.2], vec![0.8, -0.1, 0.9]]; // of mail and call, net of costs
/// let next = NextBestAction::new().choose(&["none", "mail", "call"], &effects)?;
/// assert_eq!(next.given(), [1, 0, 2]);
/// let errors = vec![vec![1.0, 0.1, 0.1], vec![0.1, 0.1, 0.1]];
/// let safe = NextBestAction::new().cautious(0.9, &errors).choose(&["none", "mail", "call"], &effects)?;
/// assert_eq!(safe.given(), [2, 0, 2]);
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct NextBestAction {
    minimum: f64,
    caution: Option<(f64, Vec<Vec<f64>>)>,
}

/// What [`NextBestAction`] chose.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NextBestFit {
    arms: Vec<String>,
    given: Vec<u32>,
    gains: Vec<f64>,
}

impl Default for NextBestAction {
    fn default() -> Self {
        Self::new()
    }
}

impl NextBestAction {
    /// Any positive effect is good enough.
    pub fn new() -> Self {
        Self {
            minimum: 0.0,
            caution: None,
        }
    }

    /// The effect that an arm must exceed.
    pub fn minimum(mut self, effect: f64) -> Self {
        self.minimum = effect;
        self
    }

    /// Judges arms by the lower end of the one-sided interval of this confidence, from standard errors shaped as the effects.
    pub fn cautious(mut self, confidence: f64, std_errors: &[Vec<f64>]) -> Self {
        self.caution = Some((confidence, std_errors.to_vec()));
        self
    }

    /// Chooses by predicted effects against the control: one column for each arm but the control, in the order of the arms.
    ///
    /// # Errors
    /// See [`NextBestAction`].
    pub fn choose<S: AsRef<str>>(&self, arms: &[S], effects: &[Vec<f64>]) -> Result<NextBestFit> {
        let arms: Vec<String> = arms.iter().map(|a| a.as_ref().to_owned()).collect();
        if arms.len() < 2 {
            return Err(Error::invalid_option(
                "arms",
                format!("{arms:?}"),
                "two or more, the control first",
            ));
        }
        if !self.minimum.is_finite() {
            return Err(Error::invalid_option("minimum", self.minimum, "finite"));
        }
        let rows = effects.first().map_or(0, Vec::len);
        check_effects(effects, &arms, rows)?;
        let factor = match &self.caution {
            None => 0.0,
            Some((confidence, errors)) => {
                if !(0.5..1.0).contains(confidence) {
                    let expected = "at least 0.5 and below 1";
                    return Err(Error::invalid_option("cautious", confidence, expected));
                }
                check_errors(errors, &arms, rows)?;
                normal::quantile(*confidence)
            }
        };
        let mut fit = NextBestFit {
            given: Vec::with_capacity(rows),
            gains: Vec::with_capacity(rows),
            arms,
        };
        for row in 0..rows {
            let (mut best, mut arm) = (self.minimum, 0);
            for (at, column) in effects.iter().enumerate() {
                let error = self
                    .caution
                    .as_ref()
                    .map_or(0.0, |(_, errors)| errors[at][row]);
                let low = column[row] - factor * error;
                if low > best {
                    (best, arm) = (low, at + 1);
                }
            }
            fit.given.push(arm as u32);
            fit.gains
                .push(if arm > 0 { effects[arm - 1][row] } else { 0.0 });
        }
        Ok(fit)
    }
}

/// Refuses standard errors that are not shaped as the effects, or negative.
fn check_errors(errors: &[Vec<f64>], arms: &[String], rows: usize) -> Result<()> {
    check_effects(errors, arms, rows)?;
    for (arm, column) in arms[1..].iter().zip(errors) {
        let name = format!("standard error of {arm}");
        check_column(&name, column, rows)?;
        if let Some(row) = column.iter().position(|e| *e < 0.0) {
            return Err(Error::OutOfRange {
                column: name,
                row: row + 1,
                value: column[row],
                expected: "zero or more".to_owned(),
            });
        }
    }
    Ok(())
}

impl NextBestFit {
    /// The arm of every row, by its place among the arms: what [`PolicyValue`](super::PolicyValue) evaluates.
    pub fn given(&self) -> &[u32] {
        &self.given
    }

    /// The predicted effect of the arm given, zero for the control.
    pub fn gains(&self) -> &[f64] {
        &self.gains
    }

    /// Rows and mean predicted effect by arm.
    pub fn table(&self) -> Table {
        let mut table =
            Table::new("Next best action").columns(["", "Rows", "Share", "Mean predicted effect"]);
        for (at, arm) in self.arms.iter().enumerate() {
            let given = self.given.iter().zip(&self.gains);
            let own: Vec<f64> = given
                .filter(|(g, _)| **g as usize == at)
                .map(|(_, gain)| *gain)
                .collect();
            let mean = if own.is_empty() {
                Cell::empty()
            } else {
                Cell::significant(own.iter().sum::<f64>() / own.len() as f64, 4)
            };
            table = table.row([
                Cell::text(arm.as_str()),
                Cell::count(own.len()),
                Cell::percent(own.len() as f64 / self.given.len().max(1) as f64, 1),
                mean,
            ]);
        }
        table.note("Predictions that were selected for being high are too high: evaluate the policy with PolicyValue.")
    }
}

shown!(NextBestFit);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ties_and_effects_at_the_minimum_go_to_the_earlier_arm() {
        let arms = ["none", "a", "b"];
        let next = NextBestAction::new().minimum(0.5);
        let fit = next
            .choose(&arms, &[vec![0.5, 1.0], vec![0.5, 1.0]])
            .unwrap();
        assert_eq!(fit.given(), [0, 1]);
        assert_eq!(fit.gains(), [0.0, 1.0]);
        assert!(fit.to_string().contains("50.0%"));
        assert!(next.choose(&arms, &[vec![0.5]]).is_err());
        assert!(next.choose(&["none"], &[]).is_err());
        let cautious = |level, errors: &[Vec<f64>]| {
            NextBestAction::new()
                .cautious(level, errors)
                .choose(&arms, &[vec![1.0], vec![1.0]])
        };
        assert!(cautious(0.3, &[vec![1.0], vec![1.0]]).is_err());
        assert!(cautious(0.9, &[vec![-1.0], vec![1.0]]).is_err());
        assert!(cautious(0.9, &[vec![1.0]]).is_err());
    }
}
