//! Fitted attitudes to risk and ambiguity, and what they mean for a customer with a given stake.

use super::theory::{RiskTheory, UtilityForm};
use crate::error::{Error, Result};
use crate::inference::{Estimate, Inference};
use crate::participation::optima::Optima;
use crate::regression::LikelihoodFit;
use crate::regression::delegate::delegate_to_likelihood;
use crate::report::{Cell, Table};
use serde::{Deserialize, Serialize};

/// A fitted [`super::LotteryChoice`]. It answers the verbs of [`Inference`], clustered by subject.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LotteryChoiceFit {
    fit: LikelihoodFit,
    optima: Optima,
    theory: RiskTheory,
}

impl LotteryChoiceFit {
    pub(super) fn new(fit: LikelihoodFit, optima: Optima, theory: RiskTheory) -> Self {
        Self {
            fit,
            optima,
            theory,
        }
    }

    /// The coefficient of absolute risk aversion `−u″/u′` at a stake, by the delta method: `r/x` under CRRA, `[r + a(1 − r)x^(1−r)]/x` under expo-power
    /// utility. It is the r of a customer with constant absolute risk aversion ([`crate::decision::Preferences`]) who behaves the same at that stake, where r
    /// has no regressors.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for a stake that is not positive; [`Error::UnknownCoefficient`] when r has no constant; [`Error::Unidentified`] when it
    /// has regressors.
    pub fn absolute_risk_aversion(&self, stake: f64) -> Result<Estimate> {
        self.check_stake(stake)?;
        let r = "(Intercept)";
        let name = format!("absolute risk aversion at {stake}");
        if self.theory == RiskTheory::ExpectedUtility(UtilityForm::ExpoPower) {
            let curve = |p: &[f64]| (p[0] + p[1] * (1.0 - p[0]) * stake.powf(1.0 - p[0])) / stake;
            return self.fit.nonlinear(&name, &[r, "a"], curve);
        }
        self.fit.nonlinear(&name, &[r], |p| p[0] / stake)
    }

    /// The coefficient over the belief at a stake: the absolute aversion `r/x + α x^(−r)` of the outer function to what is believed, at a certain x,
    /// by the delta method. It is the α of [`crate::decision::Preferences::smooth_ambiguity`], which is at least r when people dislike ambiguity.
    ///
    /// # Errors
    /// [`Error::Unidentified`] for a theory without ambiguity; those of [`LotteryChoiceFit::absolute_risk_aversion`].
    pub fn absolute_ambiguity_aversion(&self, stake: f64) -> Result<Estimate> {
        self.check_stake(stake)?;
        if self.theory != RiskTheory::SmoothAmbiguity {
            return Err(Error::Unidentified {
                what: format!("ambiguity aversion under {}", self.fit.title()),
                needs: "RiskTheory::SmoothAmbiguity, and lotteries with several scenarios"
                    .to_owned(),
            });
        }
        let name = format!("absolute ambiguity aversion at {stake}");
        self.fit
            .nonlinear(&name, &["(Intercept)", "ambiguity"], |p| {
                p[0] / stake + p[1] * stake.powf(-p[0])
            })
    }

    fn check_stake(&self, stake: f64) -> Result<()> {
        if !(stake > 0.0 && stake.is_finite()) {
            return Err(Error::invalid_option(
                "stake",
                stake,
                "a positive finite amount of money",
            ));
        }
        let others = self.theory.parameters().len() + 1;
        if self.fit.names().len() > others + 1 {
            return Err(Error::Unidentified {
                what: "one attitude to risk for all, where r has regressors,".to_owned(),
                needs: "the model without them, or the linear combination of r that is meant (Inference::nonlinear)".to_owned(),
            });
        }
        Ok(())
    }

    /// The theory.
    pub fn theory(&self) -> RiskTheory {
        self.theory
    }

    /// Where the searches from several starts led.
    pub fn optima(&self) -> &Optima {
        &self.optima
    }

    fn dress(&self, table: Table) -> Table {
        table
            .note("Coefficients without a name of their own are those of r")
            .note(self.optima.note())
    }

    fn more_footer(&self) -> Vec<(String, Cell)> {
        vec![("Theory".to_owned(), Cell::from(self.fit.title()))]
    }
}

delegate_to_likelihood!(LotteryChoiceFit);
