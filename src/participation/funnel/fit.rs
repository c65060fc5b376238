//! The fitted funnel: effects of arms first, then the model.

use super::predict::Stages;
use crate::error::{Error, Result, Warning};
use crate::experiment::funnel::FunnelEffectsFit;
use crate::inference::{Covariance, Distribution, Estimate, Inference, Summarized, TestResult};
use crate::regression::{LikelihoodFit, LikelihoodStatistics};
use crate::report::{Cell, Table};
use nalgebra::{DMatrix, DVector};
use serde::{Deserialize, Serialize};
use std::fmt;

/// A fitted [`super::Funnel`]. It answers the verbs of [`Inference`] with the normal distribution; it prints the intention-to-treat
/// effects first, when there are arms, and the model after them.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct FunnelFit {
    fit: LikelihoodFit,
    effects: Option<FunnelEffectsFit>,
    frailty: bool,
    /// ℓ without frailty.
    without: f64,
    #[serde(skip)]
    pub(super) stages: Stages,
}

impl FunnelFit {
    pub(super) fn new(
        fit: LikelihoodFit,
        effects: Option<FunnelEffectsFit>,
        frailty: bool,
        without: f64,
        stages: Stages,
    ) -> Self {
        Self {
            fit,
            effects,
            frailty,
            without,
            stages,
        }
    }

    /// Intention-to-treat effects at each stage, and the rates of selected groups with their bounds.
    pub fn effects(&self) -> Option<&FunnelEffectsFit> {
        self.effects.as_ref()
    }

    /// The standard deviation σ of the frailty, by the delta method.
    ///
    /// # Errors
    /// [`Error::Unidentified`] when the fit has no frailty.
    pub fn sigma(&self) -> Result<Estimate> {
        if !self.frailty {
            return Err(Error::Unidentified {
                what: "the standard deviation of the frailty".to_owned(),
                needs: "a fit in which it is not zero".to_owned(),
            });
        }
        self.fit.nonlinear("sigma", &["ln_sigma"], |p| p[0].exp())
    }

    /// The likelihood-ratio test of σ = 0, at the bound of its range: half the time zero, half the time χ²(1).
    pub fn frailty_test(&self) -> TestResult {
        let statistic = (2.0 * (self.fit.log_likelihood() - self.without)).max(0.0);
        let mut test = TestResult::new(
            "likelihood-ratio test of no frailty (½χ²(0) + ½χ²(1))",
            statistic,
            Distribution::ChiSquared { df: 1.0 },
        );
        test.p_value = if statistic > 0.0 {
            0.5 * test.p_value
        } else {
            1.0
        };
        test
    }

    /// The same fit with another covariance: one more pass over the rows, no refit. Effects of arms keep theirs.
    ///
    /// # Errors
    /// Those of [`LikelihoodFit::with_covariance`].
    pub fn with_covariance(&self, covariance: Covariance) -> Result<Self> {
        Ok(Self {
            fit: self.fit.with_covariance(covariance)?,
            ..self.clone()
        })
    }

    /// The covariance estimator in use.
    pub fn covariance_kind(&self) -> &Covariance {
        self.fit.covariance_kind()
    }

    /// Size and fit; observations are customers.
    pub fn statistics(&self) -> &LikelihoodStatistics {
        self.fit.statistics()
    }

    /// What a reader of the numbers must know.
    pub fn warnings(&self) -> Vec<Warning> {
        self.fit.warnings()
    }

    /// The likelihood fit behind it.
    pub fn likelihood(&self) -> &LikelihoodFit {
        &self.fit
    }

    /// Drops the handle on the data, so that the fit is small.
    pub fn lean(&self) -> Self {
        Self {
            fit: self.fit.lean(),
            ..self.clone()
        }
    }

    /// Effects of arms first, then the model, as HTML.
    pub fn to_html(&self) -> String {
        let effects = self
            .effects
            .as_ref()
            .map_or_else(String::new, FunnelEffectsFit::to_html);
        format!("{effects}{}", Inference::table(self).to_html())
    }
}

impl Inference for FunnelFit {
    fn names(&self) -> &[String] {
        self.fit.names()
    }

    fn estimates(&self) -> &DVector<f64> {
        self.fit.estimates()
    }

    fn covariance(&self) -> &DMatrix<f64> {
        Inference::covariance(&self.fit)
    }

    fn table(&self) -> Table {
        let mut table = self.fit.table();
        if let Ok(sigma) = self.sigma() {
            table = table
                .note(sigma.to_string())
                .note(self.frailty_test().to_string());
        }
        table.note("Coefficients of later stages are those given that the stage was reached")
    }
}

impl Summarized for FunnelFit {
    fn footer(&self) -> Vec<(String, Cell)> {
        let mut lines = self.fit.footer();
        if let Ok(sigma) = self.sigma() {
            lines.push((
                "σ of the frailty".to_owned(),
                Cell::fixed(sigma.estimate, 3),
            ));
        }
        lines
    }

    fn covariance_label(&self) -> String {
        self.fit.covariance_label()
    }
}

impl fmt::Display for FunnelFit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(effects) = &self.effects {
            writeln!(f, "{effects}")?;
        }
        Inference::table(self).fmt(f)
    }
}

crate::report::notebook!(FunnelFit);
