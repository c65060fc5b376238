//! What the forest found, tested: calibration and the best linear projection.

use super::fit::CausalForestFit;
use crate::data::{Frame, Rows};
use crate::error::{Error, Result};
use crate::inference::{Covariance, Estimate, Inference};
use crate::numeric::special::student_t;
use crate::regression::{Ols, OlsFit};
use crate::report::{Cell, Table, notebook};
use serde::{Deserialize, Serialize};
use std::fmt;

/// The calibration of a forest: with the mean τ̄ of its out-of-bag effects, least squares of
/// `Y − m = β₁ (W − e) τ̄ + β₂ (W − e)(τ(X) − τ̄) + ε`. β₁ = 1 when the average is right, β₂ = 1 when differences are; β₂ > 0 is evidence that
/// effects differ and that the forest knows how.
///
/// # References
/// Chernozhukov, Demirer, Duflo & Fernández-Val (2025), *Econometrica* 93(4), doi:10.3982/ECTA19303 (best linear predictor).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ForestCalibration {
    /// β₁.
    pub mean_effect: Estimate,
    /// β₂.
    pub differences: Estimate,
    /// The probability of a larger β₁ if it were zero.
    pub mean_p_value: f64,
    /// The probability of a larger β₂ if it were zero: small when effects differ.
    pub differences_p_value: f64,
    /// The covariance of the errors.
    pub covariance: String,
}

impl ForestCalibration {
    /// Both coefficients with one-sided p-values.
    pub fn table(&self) -> Table {
        let mut table = Table::new("Calibration of the forest").columns([
            "",
            "Estimate",
            "Std. error",
            "t",
            "p (> 0)",
        ]);
        for (estimate, p) in [
            (&self.mean_effect, self.mean_p_value),
            (&self.differences, self.differences_p_value),
        ] {
            table = table.row([
                Cell::from(estimate.name.as_str()),
                Cell::significant(estimate.estimate, 4),
                Cell::significant(estimate.std_error, 3),
                Cell::fixed(estimate.statistic(0.0), 2),
                Cell::p_value(p),
            ]);
        }
        table.note(format!("1 is right; covariance: {}", self.covariance))
    }

    /// The table as HTML.
    pub fn to_html(&self) -> String {
        self.table().to_html()
    }
}

impl fmt::Display for ForestCalibration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.table().fmt(f)
    }
}

notebook!(ForestCalibration);

impl CausalForestFit {
    /// The covariance of regressions on the rows in use: HC3, or clustered.
    fn covariance(&self) -> Covariance {
        match &self.forest.clusters {
            None => Covariance::Hc3,
            Some(column) => Covariance::cluster(column),
        }
    }

    /// Tests whether the forest's effects are right on average and in their differences; see [`ForestCalibration`].
    ///
    /// # Errors
    /// [`Error::Unidentified`] for an instrumental forest, or when all out-of-bag effects are the same.
    pub fn calibration(&self) -> Result<ForestCalibration> {
        const MEAN: &str = "mean effect";
        const DIFFERENCES: &str = "differences";
        const RESIDUAL: &str = "residual outcome";
        const WEIGHT: &str = "weight";
        let (s, tau) = (&self.sample, &self.out_of_bag.estimates);
        if self.forest.instrument.is_some() {
            return Err(Error::Unidentified {
                what: "the calibration of an instrumental forest".to_owned(),
                needs: "a forest without instrument".to_owned(),
            });
        }
        let weight = |i: usize| s.weights.as_ref().map_or(1.0, |w| w[i]);
        let total: f64 = (0..self.rows()).map(weight).sum();
        let mean = (0..self.rows()).map(|i| weight(i) * tau[i]).sum::<f64>() / total;
        let column = |value: &dyn Fn(usize) -> f64| (0..self.rows()).map(value).collect::<Vec<_>>();
        let mut frame = Frame::new()
            .with(RESIDUAL, column(&|i| s.outcome[i] - s.outcome_hat[i]))?
            .with(MEAN, column(&|i| (s.treatment[i] - s.propensity[i]) * mean))?
            .with(
                DIFFERENCES,
                column(&|i| (s.treatment[i] - s.propensity[i]) * (tau[i] - mean)),
            )?;
        let formula = format!("`{RESIDUAL}` ~ 0 + `{MEAN}` + `{DIFFERENCES}`");
        let mut ols = Ols::new(formula).covariance(Covariance::Hc3);
        if let Some((of_row, _)) = &s.clusters {
            const CLUSTER: &str = "cluster";
            let codes: Vec<f64> = of_row.iter().map(|c| f64::from(*c)).collect();
            frame = frame.with(CLUSTER, codes)?;
            ols = ols.covariance(Covariance::cluster(CLUSTER));
        }
        if s.weights.is_some() {
            frame = frame.with(WEIGHT, column(&weight))?;
            ols = ols.weights(WEIGHT);
        }
        let fit = ols.fit(&frame)?;
        let one = |name: &str| {
            // The formula's names of the columns, with or without their marks.
            let quoted = format!("`{name}`");
            let estimate = fit.coefficient(name).or_else(|_| fit.coefficient(&quoted));
            let mut estimate = estimate.map_err(|_| Error::Unidentified {
                what: format!("the calibration of the {name}"),
                needs: "out-of-bag effects that differ from each other and from zero on average"
                    .to_owned(),
            })?;
            name.clone_into(&mut estimate.name);
            Ok::<_, Error>(estimate)
        };
        let (mean_effect, differences) = (one(MEAN)?, one(DIFFERENCES)?);
        let above = |e: &Estimate| student_t::sf(e.statistic(0.0), e.degrees_of_freedom);
        Ok(ForestCalibration {
            mean_p_value: above(&mean_effect),
            differences_p_value: above(&differences),
            mean_effect,
            differences,
            covariance: match &self.forest.clusters {
                None => Covariance::Hc3.to_string(),
                Some(column) => Covariance::cluster(column).to_string(),
            },
        })
    }

    /// The best linear description of the effect: least squares of the doubly robust scores on a formula's right-hand side, such as
    /// `"age + income"`, which need not be features of the forest. The fit is the crate's own with HC3 errors, or clustered ones where the
    /// forest has clusters.
    ///
    /// # Errors
    /// [`Error::DataNotKept`] after [`CausalForestFit::lean`] or from a file; those of [`CausalForestFit::scores`] and [`Ols`].
    ///
    /// # References
    /// Semenova & Chernozhukov (2021), *Econometrics Journal* 24(2), doi:10.1093/ectj/utaa027.
    pub fn best_linear_projection(&self, regressors: &str) -> Result<OlsFit> {
        let frame = self.frame.as_ref().ok_or_else(|| Error::DataNotKept {
            what: "the best linear projection".to_owned(),
            remedy: "fit the forest again, or regress .scores() on columns of your own".to_owned(),
        })?;
        let scores = self.scores()?;
        let rows = if self.sample.kept.is_empty() {
            Rows::all(frame.rows())
        } else {
            Rows::some(frame.rows(), self.sample.kept.clone())
        };
        let mut wide = vec![f64::NAN; frame.rows()];
        for (i, score) in scores.iter().enumerate() {
            wide[rows.index(i)] = *score;
        }
        let mut name = "effect".to_owned();
        while frame.has(&name) {
            name.push('_');
        }
        let frame = frame.clone().with(name.as_str(), wide)?;
        let mut ols = Ols::new(format!("{name} ~ {regressors}")).covariance(self.covariance());
        if let Some(weights) = &self.forest.weights {
            ols = ols.weights(weights);
        }
        ols.fit(&frame)
    }
}
