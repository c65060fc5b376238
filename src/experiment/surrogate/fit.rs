//! The effect on the long-term outcome, and what violations of its assumptions could do.

use crate::error::{Error, Result, Warning};
use crate::inference::Estimate;
use crate::report::shown;
use crate::report::{Cell, Table};
use serde::{Deserialize, Serialize};

/// One regressor in both samples.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SurrogateBalance {
    /// The regressor.
    pub name: String,
    /// Mean in the observational sample.
    pub observational: f64,
    /// Mean in the control arm of the experiment.
    pub experimental: f64,
    /// Their difference in standard deviations.
    pub standardized_difference: f64,
}

/// What [`SurrogateIndex`](super::SurrogateIndex) found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SurrogateFit {
    /// The effect on the long-term outcome.
    pub effect: Estimate,
    /// Standard error as if the index were known.
    pub experimental_error: f64,
    /// Standard error from the estimation of the index; for a learner what the bootstrap adds.
    pub index_error: f64,
    /// R² of the index in the observational sample.
    pub index_r_squared: f64,
    /// Standard deviation of the long-term outcome given the surrogates.
    pub residual_sd: f64,
    /// R² of treatment on the surrogates in the experiment.
    pub treatment_r_squared: f64,
    /// Share treated.
    pub treated_share: f64,
    /// Regressors in both samples, for comparability.
    pub comparability: Vec<SurrogateBalance>,
    /// Share of experimental units whose index is outside the range of the observational sample.
    pub outside: f64,
    /// Rows of the experiment.
    pub experimental_rows: usize,
    /// Rows of the observational sample.
    pub observational_rows: usize,
    pub(super) index: String,
    pub(super) warnings: Vec<Warning>,
}

impl SurrogateFit {
    /// The largest bias that a violation of surrogacy can bring when what the surrogates leave of outcome and treatment has correlation `rho`.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for a correlation outside [0, 1].
    pub fn bias_bound(&self, rho: f64) -> Result<f64> {
        if !(0.0..=1.0).contains(&rho) {
            return Err(Error::invalid_option("rho", rho, "between 0 and 1"));
        }
        Ok(rho * self.largest_bias())
    }

    /// The correlation from which a violation of surrogacy could explain the effect: at it the 95 % interval, widened by the bias, reaches zero. Zero when
    /// it does so already, one when no violation could.
    pub fn breakdown(&self) -> f64 {
        const Z: f64 = 1.959_963_984_540_054;
        let room = self.effect.estimate.abs() - Z * self.effect.std_error;
        (room / self.largest_bias()).clamp(0.0, 1.0)
    }

    fn largest_bias(&self) -> f64 {
        let p = self.treated_share;
        self.residual_sd * ((1.0 - self.treatment_r_squared).max(0.0) / (p * (1.0 - p))).sqrt()
    }

    /// What a reader of the numbers must know.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// The effect, its assumptions and what violations could do.
    pub fn table(&self) -> Table {
        const SHOWN: f64 = 0.05;
        const LEVEL: f64 = 0.95;
        let ends = self.effect.confidence_interval(LEVEL);
        let (low, high) = ends.map_or((f64::NAN, f64::NAN), |i| (i.lower, i.upper));
        let mut table = Table::new("Surrogate index")
            .columns(["", "Estimate", "Std. error", "p", "95 % from", "to"])
            .row([
                Cell::from(self.effect.name.as_str()),
                Cell::significant(self.effect.estimate, 5),
                Cell::significant(self.effect.std_error, 4),
                Cell::p_value(self.effect.p_value()),
                Cell::significant(low, 5),
                Cell::significant(high, 5),
            ])
            .note(format!(
                "Standard error: {} of the experiment, {} of the index",
                Cell::significant(self.experimental_error, 4),
                Cell::significant(self.index_error, 4)
            ))
            .note(format!("Index {}, R² = {:.3}", self.index, self.index_r_squared))
            .note("Assumes surrogacy (the effect goes through the surrogates alone) and comparability (one index for both samples)")
            .note(format!(
                "Without surrogacy: bias of at most {} at a correlation of {SHOWN}; a correlation of {:.3} could explain the effect",
                Cell::significant(SHOWN * self.largest_bias(), 4),
                self.breakdown()
            ));
        for b in &self.comparability {
            table = table.note(format!(
                "{}: mean {} in the observational sample, {} in the control ({:+.2} standard deviations)",
                b.name,
                Cell::significant(b.observational, 4),
                Cell::significant(b.experimental, 4),
                b.standardized_difference
            ));
        }
        table = table.note(format!(
            "n = {} in the experiment, {} in the observational sample",
            Cell::count(self.experimental_rows),
            Cell::count(self.observational_rows)
        ));
        for warning in &self.warnings {
            table = table.note(format!("Warning: {warning}"));
        }
        table
    }
}

shown!(SurrogateFit);
