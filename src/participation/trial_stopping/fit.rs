//! The fitted model of trials before purchase.

use super::rows::Layout;
use crate::decision::Trials;
use crate::error::{Error, Result};
use crate::inference::{Estimate, Inference};
use crate::participation::optima::Optima;
use crate::regression::LikelihoodFit;
use crate::regression::delegate::delegate_to_likelihood;
use crate::report::{Cell, Table};
use serde::{Deserialize, Serialize};

/// A fitted [`super::TrialStopping`]. It answers the verbs of [`Inference`] with the normal distribution.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TrialStoppingFit {
    fit: LikelihoodFit,
    optima: Optima,
    layout: Layout,
    horizon: usize,
    discount: f64,
}

impl TrialStoppingFit {
    pub(super) fn new(
        fit: LikelihoodFit,
        optima: Optima,
        layout: Layout,
        horizon: usize,
        discount: f64,
    ) -> Self {
        Self {
            fit,
            optima,
            layout,
            horizon,
            discount,
        }
    }

    /// κ = v_0/σ_s²: what a trial tells, by the delta method.
    ///
    /// # Errors
    /// Those of [`Inference::nonlinear`].
    pub fn ratio(&self) -> Result<Estimate> {
        self.fit
            .nonlinear("v0/sigma_s^2", &["ln_ratio"], |p| p[0].exp())
    }

    /// s = θ√v_0, the spread of the belief in units of the taste shock, by the delta method.
    ///
    /// # Errors
    /// Those of [`Inference::nonlinear`].
    pub fn spread(&self) -> Result<Estimate> {
        let layout = self.layout;
        let second = layout.names()[1];
        self.fit
            .nonlinear("spread", &[second, "ln_ratio"], move |p| {
                layout.structure(&[0.0, p[0], p[1]])[1]
            })
    }

    /// v_0 = κσ_s², the variance of the prior in squared units of ability, by the delta method.
    ///
    /// # Errors
    /// [`Error::Unidentified`] without elicited prior means and a known σ_s²: counts of trials give v_0 only in units of σ_s².
    pub fn prior_variance(&self) -> Result<Estimate> {
        match self.layout {
            Layout::Counts => Err(Error::Unidentified {
                what: "the variance of the prior in units of ability".to_owned(),
                needs: "the known variance of a trial's signal, and prior means in units of ability (TrialStopping::elicited)".to_owned(),
            }),
            Layout::Elicited { variance } | Layout::Ambiguity { variance } => {
                self.fit.nonlinear("v0", &["ln_ratio"], |p| variance * p[0].exp())
            }
        }
    }

    /// The customer's problem at the estimates, for what-if questions.
    pub fn trials(&self) -> Trials {
        let estimates = self.fit.estimates().as_slice();
        let tail = &estimates[estimates.len() - self.layout.names().len()..];
        let [cost, spread, ratio, ambiguity] = self.layout.structure(tail);
        Trials {
            horizon: self.horizon,
            discount: self.discount,
            cost,
            spread,
            ratio,
            ambiguity,
        }
    }

    /// Where the searches from several starts led.
    pub fn optima(&self) -> &Optima {
        &self.optima
    }

    fn dress(&self, mut table: Table) -> Table {
        for estimate in [self.spread(), self.ratio(), self.prior_variance()]
            .into_iter()
            .flatten()
        {
            table = table.note(estimate.to_string());
        }
        table
            .note(format!("Discount factor {} (given)", self.discount))
            .note(self.optima.note())
    }

    fn more_footer(&self) -> Vec<(String, Cell)> {
        vec![(
            "Discount factor".to_owned(),
            Cell::from(self.discount.to_string()),
        )]
    }
}

delegate_to_likelihood!(TrialStoppingFit);
