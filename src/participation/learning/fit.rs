//! The fitted learning panel.

use super::layout::{Layout, of};
use super::simulation::SimulationError;
use crate::error::{Error, Result};
use crate::inference::{Estimate, Inference};
use crate::participation::optima::Optima;
use crate::regression::LikelihoodFit;
use crate::regression::delegate::delegate_to_likelihood;
use crate::report::{Cell, Figure, LinePlot, Table};
use serde::{Deserialize, Serialize};

/// A period of a [`LearningPanelFit`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct PanelPeriod {
    /// The period.
    pub period: f64,
    /// Customers seen in it.
    pub customers: f64,
    /// The share that takes part.
    pub observed: f64,
    /// What the model says of it, given what each customer did before.
    pub fitted: f64,
    /// v/v_0, the variance of beliefs that is left, on average.
    pub uncertainty: f64,
}

/// A fitted [`LearningPanelModel`](super::LearningPanelModel). It answers the verbs of [`Inference`] with the normal distribution; customers are its observations.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LearningPanelFit {
    pub(super) fit: LikelihoodFit,
    pub(super) optima: Optima,
    pub(super) layout: Layout,
    pub(super) discount: Option<f64>,
    pub(super) simulation: Option<SimulationError>,
    pub(super) periods: Vec<PanelPeriod>,
}

impl LearningPanelFit {
    /// κ = v_0/σ_s²: what a signal tells, by the delta method.
    ///
    /// # Errors
    /// Those of [`Inference::nonlinear`].
    pub fn ratio(&self) -> Result<Estimate> {
        self.quantity("v0/sigma_s^2", of::RATIO)
    }

    /// s = θ√v_0, the spread of the belief in units of the taste shock, by the delta method.
    ///
    /// # Errors
    /// Those of [`Inference::nonlinear`].
    pub fn spread(&self) -> Result<Estimate> {
        self.quantity("spread", of::SPREAD)
    }

    /// v_0, the variance of the prior in squared units of ability, by the delta method.
    ///
    /// # Errors
    /// [`Error::Unidentified`] where neither the contents of signals nor prior means are seen: participation gives v_0 only in units of σ_s².
    pub fn prior_variance(&self) -> Result<Estimate> {
        let layout = self.layout;
        if !(layout.seen() || layout.elicited()) {
            return Err(Error::Unidentified {
                what: "the variance of the prior in units of ability".to_owned(),
                needs: "prior means in units of ability, or the contents of signals (LearningPanelModel::elicited, signals_seen)".to_owned(),
            });
        }
        self.nonlinear_of("v0", move |p| {
            let q = layout.quantities(p);
            (q[of::SPREAD] / q[of::TASTE]).powi(2)
        })
    }

    /// σ_s², the variance of a signal in squared units of ability, by the delta method.
    ///
    /// # Errors
    /// Those of [`LearningPanelFit::prior_variance`]; [`Error::InvalidOption`] where it was given.
    pub fn signal_variance(&self) -> Result<Estimate> {
        if let Some(variance) = self.layout.variance {
            let expected = "left out: it was given to the model";
            return Err(Error::invalid_option("signal_variance", variance, expected));
        }
        self.prior_variance()?;
        let layout = self.layout;
        self.nonlinear_of("sigma_s^2", move |p| {
            let q = layout.quantities(p);
            (q[of::SPREAD] / q[of::TASTE]).powi(2) / q[of::RATIO]
        })
    }

    fn quantity(&self, name: &str, at: usize) -> Result<Estimate> {
        let layout = self.layout;
        self.nonlinear_of(name, move |p| layout.quantities(p)[at])
    }

    fn nonlinear_of(&self, name: &str, f: impl Fn(&[f64]) -> f64) -> Result<Estimate> {
        self.fit.nonlinear(name, &self.layout.names(), f)
    }

    /// The error that simulated paths leave; none where beliefs are seen.
    pub fn simulation_error(&self) -> Option<&SimulationError> {
        self.simulation.as_ref()
    }

    /// Participation and what is left of uncertainty, period by period: observed, and fitted one step ahead.
    pub fn periods(&self) -> &[PanelPeriod] {
        &self.periods
    }

    /// Participation over time, observed and fitted, and the share of the belief's variance that is left.
    ///
    /// # Errors
    /// Those of [`LinePlot::draw`].
    pub fn figure(&self) -> Result<Figure> {
        let of = |f: fn(&PanelPeriod) -> f64| self.periods.iter().map(f).collect::<Vec<_>>();
        let x = of(|p| p.period);
        LinePlot::new()
            .title("Participation while customers learn")
            .x_title("period")
            .y_title("share")
            .line("takes part, observed", &x, of(|p| p.observed))
            .line("takes part, fitted", &x, of(|p| p.fitted))
            .line("variance of beliefs left", &x, of(|p| p.uncertainty))
            .draw()
    }

    /// Where the searches from several starts led; they simulate with few paths, so that their log-likelihoods are not quite that of the fit.
    pub fn optima(&self) -> &Optima {
        &self.optima
    }

    fn dress(&self, mut table: Table) -> Table {
        let derived = [self.spread(), self.ratio(), self.prior_variance()];
        for estimate in derived.into_iter().flatten() {
            table = table.note(estimate.to_string());
        }
        if let Some(simulation) = &self.simulation {
            table = table.note(simulation.note());
        }
        if let Some(discount) = self.discount {
            table = table.note(format!("Discount factor {discount} (given)"));
        }
        table.note(self.optima.note())
    }

    fn more_footer(&self) -> Vec<(String, Cell)> {
        let given = self.discount.map(|d| Cell::from(d.to_string()));
        let line = |cell| ("Discount factor".to_owned(), cell);
        given.map(line).into_iter().collect()
    }
}

delegate_to_likelihood!(LearningPanelFit);
