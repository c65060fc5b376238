//! Bayesian experiments: what is believed of each arm, and what a decision would cost if it were wrong.

mod compare;
mod fit;
mod hierarchical;
mod law;
mod model;
mod posterior;

pub(in crate::experiment) use compare::probability_best;
pub use fit::{BayesianArm, BayesianComparison, BayesianDecision, BayesianFit};
pub use hierarchical::{HierarchicalEffects, HierarchicalFit, PooledEffect};
pub use model::{BayesianModel, NormalPrior};
pub(in crate::experiment) use posterior::Posterior;

use crate::data::Frame;
use crate::error::{Error, Result, Warning};
use crate::experiment::arms::{self, measured, note};
use crate::inference::check_level;
use serde::{Deserialize, Serialize};

/// Compares the mean outcome θ of arms by their posteriors, which are independent given the data:
///
/// - the probability that an arm is best, `P(θ_i = max_j θ_j) = ∫ f_i Π_{j≠i} F_j`;
/// - its expected loss, `E max_j θ_j − E θ_i = ∫ F_i (1 − Π_{j≠i} F_j)`: what choosing it costs on average, for each unit. That of the best arm is the expected value of
///   perfect information;
/// - against control: difference and lift with equal-tailed credible intervals, P(better), and the probability of the region of practical equivalence
///   `|θ_i − θ_0| < ρ`;
/// - the expected value of sample information of more units.
///
/// All of it by quadrature, without random draws. A decision by expected loss may be taken at any look and keeps its meaning under the prior; it does not keep a type I
/// error: with peeking, "probability to be best above .95" is reached by chance far more often than one time in twenty. Rows are taken as independent: with
/// several rows a customer, aggregate first.
///
/// | name | default | meaning | range |
/// |---|---|---|---|
/// | `model` | [`BayesianModel::mean`] | outcome and prior | see there |
/// | `control` | the first arm | | |
/// | `exposure` | 1 | a column: counts are per unit of it | above 0 |
/// | `rope` | none | ρ | above 0 |
/// | `level` | 0.95 | of credible intervals | (0, 1) |
///
/// # Errors
/// [`Error::InvalidOption`] for a prior without mass or fewer than two arms; [`Error::OutOfRange`] for outcomes that the model excludes; [`Error::Unidentified`]
/// where the data do not give a proper posterior; those of finding columns.
///
/// # References
/// Gelman et al. (2013), *Bayesian Data Analysis*, 3rd ed., chapters 2, 3 and 9; Kruschke (2013), *J. Experimental Psychology: General* 142, 573–603,
/// doi:10.1037/a0029146 (equivalence); Stucchio (2015), *Bayesian A/B testing at VWO* (expected loss); Raiffa & Schlaifer (1961), *Applied
/// Statistical Decision Theory* (value of information); Zellner (1971), *JASA* 66, 327–330 (log-normal means).
///
/// # Examples
/// ```
/// use cocreate::prelude::*;
/// let row = |arm: &'static str, bought: usize, all: usize| (0..all).map(move |i| (arm, i < bought));
/// let rows: Vec<(&str, bool)> = row("page", 100, 1_000).chain(row("configurator", 130, 1_000)).collect();
/// let frame = Frame::new()
///     .with("arm", rows.iter().map(|r| r.0).collect::<Vec<_>>())?
///     .with("bought", rows.iter().map(|r| r.1).collect::<Vec<_>>())?;
/// let fit = BayesianTest::new("bought", "arm").model(BayesianModel::conversion()).control("page").fit(&frame)?;
/// let best = fit.best();
/// assert_eq!(best.name, "configurator");
/// assert!(best.probability_best > 0.98 && best.expected_loss < 2e-4);
/// assert!(matches!(fit.decision(0.001)?, BayesianDecision::Choose { .. }));
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BayesianTest {
    outcome: String,
    arm: String,
    model: BayesianModel,
    control: Option<String>,
    exposure: Option<String>,
    rope: Option<f64>,
    level: f64,
}

impl BayesianTest {
    /// An outcome, by a column of arms.
    pub fn new(outcome: impl Into<String>, arm: impl Into<String>) -> Self {
        Self {
            outcome: outcome.into(),
            arm: arm.into(),
            model: BayesianModel::mean(),
            control: None,
            exposure: None,
            rope: None,
            level: 0.95,
        }
    }

    /// Outcome and prior.
    pub fn model(mut self, model: BayesianModel) -> Self {
        self.model = model;
        self
    }

    /// The arm that the others are compared with.
    pub fn control(mut self, arm: impl Into<String>) -> Self {
        self.control = Some(arm.into());
        self
    }

    /// The column of exposure of counts.
    pub fn exposure(mut self, column: impl Into<String>) -> Self {
        self.exposure = Some(column.into());
        self
    }

    /// Differences smaller than this do not matter.
    pub fn rope(mut self, smallest: f64) -> Self {
        self.rope = Some(smallest);
        self
    }

    /// The level of credible intervals.
    pub fn level(mut self, level: f64) -> Self {
        self.level = level;
        self
    }

    /// Works out the posteriors and their comparisons.
    ///
    /// # Errors
    /// See [`BayesianTest`].
    pub fn fit(&self, frame: &Frame) -> Result<BayesianFit> {
        check_level(self.level)?;
        let model = self.model.checked()?;
        if let Some(rope) = self.rope.filter(|r| !(*r > 0.0 && r.is_finite())) {
            return Err(Error::invalid_option(
                "rope",
                rope,
                "a positive finite difference",
            ));
        }
        let arms = arms::Arms::read(&self.arm, self.control.as_deref(), frame)?;
        let y = measured(frame, &self.outcome)?;
        let exposure = self
            .exposure
            .as_deref()
            .map(|name| measured(frame, name))
            .transpose()?;
        let mut warnings: Vec<Warning> = arms.warning().into_iter().collect();
        let lacks = |i: usize| {
            [
                y[i].is_nan(),
                exposure.as_ref().is_some_and(|e| e[i].is_nan()),
            ]
        };
        let dropped = (0..y.len()).filter(|i| lacks(*i).contains(&true)).count();
        if dropped > 0 {
            let names = [Some(&self.outcome), self.exposure.as_ref()];
            let missing = (names.into_iter().enumerate())
                .filter_map(|(k, name)| {
                    Some((name?.clone(), (0..y.len()).filter(|i| lacks(*i)[k]).count()))
                })
                .filter(|(_, count)| *count > 0)
                .collect();
            warnings.push(Warning::RowsDropped { dropped, missing });
        }
        let mut values = vec![(Vec::new(), Vec::new()); arms.levels.len()];
        for (row, code) in arms.of_row.iter().enumerate() {
            let e = exposure.as_ref().map_or(1.0, |e| e[row]);
            let (Some(code), false) = (code, y[row].is_nan() || e.is_nan()) else {
                continue;
            };
            self.check_row(model, row, y[row], e)?;
            values[*code].0.push(y[row]);
            values[*code].1.push(e);
        }
        let mut posteriors = Vec::with_capacity(values.len());
        for (name, (outcomes, exposures)) in arms.levels.iter().zip(&values) {
            if outcomes.is_empty() {
                return Err(Error::Unidentified {
                    what: format!("the posterior of `{name}`"),
                    needs: format!("a row with a value of `{}`", self.outcome),
                });
            }
            let (posterior, remark) = model.posterior(name, outcomes, exposures)?;
            warnings.extend(remark.map(note));
            posteriors.push(posterior);
        }
        let counts = values.iter().map(|v| v.0.len()).collect();
        BayesianFit::new(self.clone(), arms.levels, counts, posteriors, warnings)
    }

    fn check_row(&self, model: BayesianModel, row: usize, y: f64, exposure: f64) -> Result<()> {
        let whole = y >= 0.0 && y.fract() <= 0.0;
        let (sound, expected) = match model {
            BayesianModel::BetaBinomial { .. } => (whole && y <= 1.0, "0 or 1"),
            BayesianModel::Normal(_) => (true, ""),
            BayesianModel::GammaPoisson { .. } => (whole, "a count: 0, 1, 2, …"),
            BayesianModel::ZeroInflatedLogNormal { .. } => (y >= 0.0, "zero or a positive amount"),
        };
        let refuse = |column: &str, value: f64, expected: &str| Error::OutOfRange {
            column: column.to_owned(),
            row: row + 1,
            value,
            expected: expected.to_owned(),
        };
        if !sound {
            return Err(refuse(&self.outcome, y, expected));
        }
        match &self.exposure {
            Some(name) if exposure <= 0.0 => Err(refuse(name, exposure, "a positive exposure")),
            _ => Ok(()),
        }
    }
}
