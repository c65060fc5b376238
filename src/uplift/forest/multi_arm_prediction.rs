//! Predicted effects of every arm with their variances.

use super::prediction::{ForestPrediction, told};
use crate::causal::arm_scores::position;
use crate::error::Result;
use crate::report::{Cell, Table, shown};
use crate::uplift::ArmEffects;
use serde::{Deserialize, Serialize};

/// The effects of every arm against control, one [`ForestPrediction`] an arm.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MultiArmPrediction {
    /// Control first.
    arms: Vec<String>,
    effects: Vec<ForestPrediction>,
}

impl MultiArmPrediction {
    pub(super) fn new(arms: &[String], effects: Vec<ForestPrediction>) -> Self {
        Self {
            arms: arms.to_vec(),
            effects,
        }
    }

    /// Whether it has effects of these arms, control first, at so many rows.
    pub(super) fn is_sound(&self, arms: &[String], rows: usize) -> bool {
        let whole = |e: &ForestPrediction| e.estimates.len() == rows && e.variances.len() == rows;
        self.arms == arms && self.effects.len() + 1 == arms.len() && self.effects.iter().all(whole)
    }

    /// The arms, without control.
    pub fn arms(&self) -> &[String] {
        &self.arms[1..]
    }

    /// The arm that others are compared with.
    pub fn control(&self) -> &str {
        &self.arms[0]
    }

    /// The effects of an arm, with variances and intervals.
    ///
    /// # Errors
    /// [`InvalidOption`](crate::Error::InvalidOption) with the arms that exist.
    pub fn arm(&self, name: &str) -> Result<&ForestPrediction> {
        Ok(&self.effects[position(self.arms(), name)?])
    }

    /// The estimates alone, as next-best-action and curves take them.
    pub fn effects(&self) -> ArmEffects {
        let values = self.effects.iter().map(|e| e.estimates.clone()).collect();
        ArmEffects::new(&self.arms, values)
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.effects[0].len()
    }

    /// Mean, extremes and median standard error of the effects of every arm.
    pub fn table(&self) -> Table {
        const DIGITS: usize = 4;
        let mut table = Table::new(format!("Predicted effects against {}", self.control()))
            .columns(["", "mean", "smallest", "largest", "median std. error"]);
        for (arm, effect) in self.arms().iter().zip(&self.effects) {
            let e = &effect.estimates;
            let mean = e.iter().sum::<f64>() / e.len().max(1) as f64;
            let low = e.iter().copied().fold(f64::INFINITY, f64::min);
            let high = e.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let mut errors = effect.std_errors();
            errors.sort_by(f64::total_cmp);
            let error = errors.get(errors.len() / 2).copied().unwrap_or(f64::NAN);
            table = table.row([
                Cell::text(arm.as_str()),
                Cell::significant(mean, DIGITS),
                Cell::significant(low, DIGITS),
                Cell::significant(high, DIGITS),
                Cell::significant(error, DIGITS),
            ]);
        }
        table = table.note(format!("{} rows", Cell::count(self.rows())));
        let first = &self.effects[0];
        told(
            table,
            first.undetermined,
            "the effects of all rows",
            first.unseen,
        )
    }
}

shown!(MultiArmPrediction);
