//! The fitted model of buying and then participating: correlation, tests, probabilities and effects.

use super::profile::{GRID, RhoProfile};
use crate::data::Frame;
use crate::error::{Error, Result};
use crate::inference::{Distribution, Estimate, Inference, TestResult};
use crate::numeric::Progress;
use crate::participation::optima::Optima;
use crate::participation::probability::within_unit;
use crate::regression::delegate::delegate_to_likelihood;
use crate::regression::{LikelihoodFit, MarginalEffects, Margins, Predictions, Quantity};
use crate::report::{Cell, Table};
use serde::{Deserialize, Serialize};

/// What [`BuyThenParticipateFit::predict`] gives for each row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum BuyThenParticipatePrediction {
    /// `P(B = 1) = Φ(z_B)`.
    Buy,
    /// `Φ(z_P)`: the probability that the customer would participate after a purchase, whether or not it is made.
    Participate,
    /// `P(B = 1, P = 1) = Φ₂(z_B, z_P; ρ)`.
    BuyAndParticipate,
    /// `P(B = 1, P = 0) = Φ₂(z_B, −z_P; −ρ)`.
    BuyOnly,
    /// `P(P = 1 | B = 1) = Φ₂(z_B, z_P; ρ)/Φ(z_B)`: that of buyers.
    ParticipateGivenBuy,
}

impl BuyThenParticipatePrediction {
    pub(super) const ALL: [Self; 5] = [
        Self::Buy,
        Self::Participate,
        Self::BuyAndParticipate,
        Self::BuyOnly,
        Self::ParticipateGivenBuy,
    ];

    /// The number under which the rows of the likelihood know it.
    pub(super) fn code(self) -> f64 {
        let position = Self::ALL.iter().position(|p| *p == self);
        position.map_or(f64::NAN, |p| p as f64)
    }

    fn quantity(self) -> Quantity {
        Quantity::Probability(self.code())
    }
}

/// A fitted [`super::BuyThenParticipate`]. It answers the verbs of [`Inference`] with the normal distribution and prints as a
/// table.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct BuyThenParticipateFit {
    fit: LikelihoodFit,
    /// ℓ with ρ = 0.
    separate: f64,
    optima: Optima,
    profile: Option<RhoProfile>,
    partial: bool,
}

impl BuyThenParticipateFit {
    pub(super) fn new(fit: LikelihoodFit, separate: f64, optima: Optima, partial: bool) -> Self {
        Self {
            fit,
            separate,
            optima,
            profile: None,
            partial,
        }
    }

    pub(super) fn with_profile(mut self, progress: &Progress) -> Result<Self> {
        self.profile = match self.profile_over(&GRID, progress) {
            Ok(profile) => Some(profile),
            Err(Error::Cancelled { what }) => return Err(Error::Cancelled { what }),
            Err(_) => None,
        };
        Ok(self)
    }

    /// The correlation ρ of the errors, by the delta method.
    ///
    /// # Errors
    /// Those of [`Inference::nonlinear`].
    pub fn rho(&self) -> Result<Estimate> {
        self.fit.nonlinear("rho", &["atanh_rho"], |p| p[0].tanh())
    }

    /// The test of Wald that ρ = 0, so that a probit on buyers alone is right, with the covariance in use.
    ///
    /// # Errors
    /// Those of [`Inference::wald`].
    pub fn independence_test(&self) -> Result<TestResult> {
        self.fit.wald(&["atanh_rho = 0"])
    }

    /// The likelihood-ratio test of ρ = 0 against two probits apart, χ²(1). It wants the model to be true and weights to be frequencies.
    pub fn likelihood_ratio_test(&self) -> TestResult {
        TestResult::new(
            "likelihood-ratio test of ρ = 0",
            (2.0 * (self.fit.log_likelihood() - self.separate)).max(0.0),
            Distribution::ChiSquared { df: 1.0 },
        )
    }

    /// Where the searches from several starts led.
    pub fn optima(&self) -> &Optima {
        &self.optima
    }

    /// The profile over ρ that comes with a fit that has no exclusion restriction.
    pub fn profile(&self) -> Option<&RhoProfile> {
        self.profile.as_ref()
    }

    /// The profile of the likelihood over ρ at the points of a grid: one fit a point.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for a ρ outside (−1, 1); [`Error::DataNotKept`] after `lean`, or for a fit read from a file;
    /// [`Error::NotConverged`], [`Error::Cancelled`].
    pub fn profile_over(&self, grid: &[f64], progress: &Progress) -> Result<RhoProfile> {
        let rows = self.fit.at_maximum("a profile of the likelihood")?;
        let top = self.fit.log_likelihood();
        RhoProfile::new(&rows.likelihood, &rows.point, top, grid, progress)
    }

    /// Probabilities for the rows of a frame, which may be another than that of the fit; NaN where a regressor is missing.
    ///
    /// # Errors
    /// Those of [`LikelihoodFit::predict`].
    pub fn predict(&self, frame: &Frame, what: BuyThenParticipatePrediction) -> Result<Vec<f64>> {
        self.check_terms()?;
        self.fit.predict(frame, what.quantity())
    }

    /// Probabilities with standard errors by the delta method, and intervals on the scale of log odds, which stay between 0
    /// and 1.
    ///
    /// # Errors
    /// Those of [`LikelihoodFit::predict_interval`].
    pub fn predict_interval(
        &self,
        frame: &Frame,
        what: BuyThenParticipatePrediction,
        level: f64,
    ) -> Result<Predictions> {
        self.check_terms()?;
        let found = self.fit.predict_interval(frame, what.quantity(), level)?;
        Ok(within_unit(found))
    }

    /// Marginal effects of variables of either equation on a probability, with standard errors.
    ///
    /// # Errors
    /// Those of [`LikelihoodFit::marginal_effects`]; [`Error::InvalidOption`] when regressors of participation are missing where
    /// nothing was bought, over whose rows no average can be taken.
    pub fn marginal_effects(
        &self,
        margins: &Margins,
        what: BuyThenParticipatePrediction,
    ) -> Result<MarginalEffects> {
        if self.partial {
            return Err(Error::invalid_option(
                "margins",
                "an average over all rows",
                "asked of a fit whose regressors of participation are known for those who did not buy too",
            ));
        }
        let margins = margins.clone().quantity(what.quantity());
        self.fit.marginal_effects(&margins)
    }

    /// Terms that depend on the data were made from buyers alone when regressors are missing for the others; elsewhere they would
    /// be made from all.
    fn check_terms(&self) -> Result<()> {
        const DEPEND: [&str; 3] = ["poly(", "center(", "standardize("];
        let formula = self.fit.formula();
        let second = formula.split("participate: ").nth(1).unwrap_or(formula);
        if self.partial && DEPEND.iter().any(|term| second.contains(term)) {
            return Err(Error::invalid_option(
                "formula",
                second,
                "free of poly() and the like for predictions, since regressors of participation are missing for those who did not buy",
            ));
        }
        Ok(())
    }

    /// What stands below the table of coefficients.
    fn dress(&self, mut table: Table) -> Table {
        const LEVEL: f64 = 0.95;
        if let Ok(rho) = self.rho() {
            table = table.note(rho.to_string());
        }
        if let Ok(test) = self.independence_test() {
            table = table.note(test.to_string());
        }
        table = table.note(self.optima.note());
        if let Some(profile) = &self.profile {
            let kept = profile.not_rejected(LEVEL);
            let ends = kept.first().zip(kept.last());
            table = table.note(match ends {
                Some((low, high)) => {
                    format!("Profile: ρ from {low} to {high} of the grid is not rejected at 5 %")
                }
                None => "Profile: no ρ of the grid but the estimate is left at 5 %".to_owned(),
            });
        }
        table
    }

    fn more_footer(&self) -> Vec<(String, Cell)> {
        let rho = self.rho().ok();
        rho.map(|rho| ("ρ".to_owned(), Cell::fixed(rho.estimate, 3)))
            .into_iter()
            .collect()
    }
}

delegate_to_likelihood!(BuyThenParticipateFit);
