//! Buying, and then participating: a choice that is seen only of those who bought.

mod density;
mod fit;
mod profile;
mod sample;

pub use fit::{BuyThenParticipateFit, BuyThenParticipatePrediction};
pub use profile::{ProfilePoint, RhoProfile};

use super::identification::{Shifter, excluded_regressor, participation_shifter};
use super::optima::{Start, highest};
use crate::data::{Formula, Frame, regressor_variables};
use crate::error::{Error, Result};
use crate::numeric::Progress;
use crate::regression::binary::{Binary, Link};
use crate::regression::likelihood::{
    Estimation, Index, Likelihood, Options, maximize, options_builder,
};
use density::SelectedProbit;
use sample::PairSample;
use serde::Serialize;
use std::sync::Arc;

/// Beyond this |atanh ρ| (|ρ| > 0.999998) the data say that ρ is at its bound.
const BOUND: f64 = 7.0;

/// The correlations from which the searches start: none, and strong ones of both signs.
const STARTS: [f64; 3] = [0.0, -0.6, 0.6];

/// Buying and then participating: `B = 1{z_B > 0}` with `z_B = x'β + ε`, and `P = 1{z_P > 0}` with `z_P = w'γ + u`, seen only where
/// B = 1; ε and u are standard normal with correlation ρ. By maximum likelihood of
/// `Φ(−z_B)^(1−B) · Φ₂(z_B, −z_P; −ρ)^(B(1−P)) · Φ₂(z_B, z_P; ρ)^(BP)`.
///
/// γ describes the willingness to participate of all customers, not of those who bought: where ρ ≠ 0 a probit on buyers alone is
/// biased, because buyers with poor x are those whose unobserved ε is high. Names of the coefficients have the prefixes `buy.` and
/// `participate.`; the last parameter is `atanh_rho`, with ρ by [`BuyThenParticipateFit::rho`]. In a design where customers
/// participate first and decide then whether to buy, give the equations in that order.
///
/// # Identification
/// The scale of both errors is one. ρ and the constant of the second equation rest on a variable that moves purchase and does
/// not belong into the equation of participation (an exclusion restriction: a randomised coupon). Without one they are
/// identified by bivariate normality alone: the fit warns and carries the profile of the likelihood over ρ
/// ([`BuyThenParticipateFit::profile`]). The likelihood need not be concave: the search starts from several ρ, and
/// [`BuyThenParticipateFit::optima`] reports where each led.
///
/// | name | default | meaning | range |
/// |---|---|---|---|
/// | `covariance` | `Covariance::Hc1` | sampling variance (sandwich with the observed information) | all but HC2, HC3, CR2 |
/// | `shifter` | none | what an excluded regressor is, when the second outcome depends on ability | [`Shifter`] |
/// | `weights` | none | weights in the log-likelihood | ≥ 0; rows of weight 0 are left out |
/// | `frequency_weights` | none | each row stands for w equal rows | whole numbers |
///
/// # Errors
/// [`Error::OutOfRange`] for outcomes other than 0 and 1, and for participation recorded where there was no purchase, with the row;
/// [`Error::Separated`]; [`Error::Unidentified`] when all excluded regressors are declared as shifters that move ability too, an outcome does not vary or ρ runs to ±1; those of the formulas and the
/// covariance; [`Error::TooFewRows`], [`Error::NotConverged`], [`Error::Cancelled`].
///
/// # References
/// Van de Ven, W. P. M. M. & Van Praag, B. M. S. (1981). The demand for deductibles in private health insurance: a probit model
/// with sample selection. *Journal of Econometrics* 17(2), 229–252. doi:10.1016/0304-4076(81)90028-2
///
/// Meng, C.-L. & Schmidt, P. (1985). On the cost of partial observability in the bivariate probit model. *International Economic
/// Review* 26(1), 71–85. doi:10.2307/2526528
///
/// # Examples
/// Women of the Mroz data: who works, and whose wage is above two dollars.
/// ```
/// use cocreate::prelude::*;
/// let frame = datasets::load("mroz")?;
/// let good: Vec<f64> = frame.real("lwage")?.iter().map(|w| if w.is_nan() { f64::NAN } else { f64::from(*w > 1.0) }).collect();
/// let frame = frame.with("good", good)?;
/// let fit = BuyThenParticipate::new("inlf ~ educ + exper + age + kidslt6", "good ~ educ + exper").fit(&frame)?;
/// assert!(fit.coefficient("participate.educ")?.estimate > 0.0);
/// assert!(fit.rho()?.estimate < 0.0); // the likelihood is flat in ρ: see fit.profile_over
/// let both = fit.predict(&frame, BuyThenParticipatePrediction::BuyAndParticipate)?;
/// assert!(both.iter().all(|p| *p > 0.0 && *p < 1.0));
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BuyThenParticipate {
    /// Those of the purchase.
    options: Options,
    participate: Formula,
    /// What moves purchase, by column.
    shifters: Vec<(String, Shifter)>,
}

impl BuyThenParticipate {
    /// The model of two formulas, that of the purchase and that of participation, with robust errors.
    pub fn new(buy: impl Into<Formula>, participate: impl Into<Formula>) -> Self {
        Self {
            options: Options::new(buy.into()),
            participate: participate.into(),
            shifters: vec![],
        }
    }

    /// Says what a regressor of the first equation that the second has not is, when the second outcome is success at the task (or anything else
    /// that ability moves): a coupon is a valid shifter, education is not, since it may raise ability itself. A fit whose only excluded regressors
    /// are invalid ones is [`Error::Unidentified`]. Without a declaration an excluded regressor is taken as valid.
    pub fn shifter(mut self, column: impl Into<String>, kind: Shifter) -> Self {
        self.shifters.push((column.into(), kind));
        self
    }

    /// Fits the model.
    ///
    /// # Errors
    /// See [`BuyThenParticipate`].
    pub fn fit(&self, frame: &Frame) -> Result<BuyThenParticipateFit> {
        self.fit_with(frame, &Progress::none())
    }

    /// Fits the model, watched by `progress`.
    ///
    /// # Errors
    /// See [`BuyThenParticipate`].
    pub fn fit_with(&self, frame: &Frame, progress: &Progress) -> Result<BuyThenParticipateFit> {
        let sample = PairSample::new(&self.options, &self.participate, frame)?;
        self.check_shifters(frame)?;
        let (start, separate) = separately(&sample, progress)?;
        let mut warnings = sample.warnings;
        warnings.extend(excluded_regressor(usize::from(sample.excluded)));
        let likelihood = Likelihood {
            model: Arc::new(SelectedProbit { fixed: None }),
            indices: vec![
                sample.buy,
                sample.participate,
                Index::parameter("atanh_rho"),
            ],
            outcomes: vec![sample.bought, sample.participated],
            rows: sample.rows,
            weights: sample.weights,
            frequency: sample.frequency,
        };
        let parameters = likelihood.parameters();
        if likelihood.observations() <= parameters as f64 {
            return Err(Error::TooFewRows {
                rows: likelihood.observations() as usize,
                parameters,
            });
        }
        let starts = STARTS.map(|rho: f64| Start {
            name: format!("ρ = {rho}"),
            point: start.iter().copied().chain([rho.atanh()]).collect(),
        });
        let refuse = |point: &[f64]| {
            let bound = point.last().is_some_and(|t| t.abs() > BOUND);
            bound.then(|| Error::Unidentified {
                what: "the correlation of purchase and participation, whose estimate runs to ±1,"
                    .to_owned(),
                needs: "a better exclusion restriction: a variable that moves purchase and does not belong into the equation of participation"
                    .to_owned(),
            })
        };
        let what = "the likelihood of buying and then participating";
        let (found, optima) = highest(
            &likelihood,
            starts.into(),
            what,
            refuse,
            &mut warnings,
            progress,
        )?;
        let estimation = Estimation {
            title: "Buying, then participating (bivariate probit with selection)",
            formulas: vec![self.options.formula.clone(), self.participate.clone()],
            formula: sample.formula,
            likelihood,
            start: found.point.clone(),
            warnings,
            covariance: &self.options.covariance,
            frame,
        };
        let fit = estimation.finish(found, None)?;
        let fit = BuyThenParticipateFit::new(fit, separate, optima, sample.partial);
        if sample.excluded {
            return Ok(fit);
        }
        fit.with_profile(progress)
    }
}

options_builder!(BuyThenParticipate);

impl BuyThenParticipate {
    /// Refuses excluded regressors that are all declared as shifters that move ability too.
    fn check_shifters(&self, frame: &Frame) -> Result<()> {
        let first = columns_of(&self.options.formula, frame)?;
        let second = columns_of(&self.participate, frame)?;
        if let Some((column, _)) = self.shifters.iter().find(|(c, _)| !first.contains(c)) {
            return Err(Error::invalid_option(
                "shifter",
                column,
                format!("a regressor of `{}`", self.options.formula),
            ));
        }
        let kind = |column: &String| {
            let known = self.shifters.iter().find(|(name, _)| name == column);
            known.map(|(_, kind)| *kind)
        };
        let excluded: Vec<Option<Shifter>> = first
            .iter()
            .filter(|column| !second.contains(column))
            .map(kind)
            .collect();
        if excluded.is_empty() || excluded.contains(&None) {
            return Ok(());
        }
        let declared: Vec<Shifter> = excluded.into_iter().flatten().collect();
        participation_shifter(&declared, false)
    }
}

/// The columns behind the regressors of a formula.
fn columns_of(formula: &Formula, frame: &Frame) -> Result<Vec<String>> {
    regressor_variables(&[formula.parse()?], frame, &[])
}

/// A probit of the purchase, and one of participation among buyers: the start, and the model with ρ = 0.
fn separately(sample: &PairSample, progress: &Progress) -> Result<(Vec<f64>, f64)> {
    let parts = [
        (
            &sample.buy,
            &sample.bought,
            &sample.rows,
            &sample.weights,
            "the probit of the purchase",
        ),
        (
            &sample.participate,
            &sample.participated,
            &sample.seen,
            &sample.weights_seen,
            "the probit of participation among buyers",
        ),
    ];
    let (mut start, mut value) = (Vec::new(), 0.0);
    for (index, outcome, rows, weights, what) in parts {
        let alone = Likelihood {
            model: Arc::new(Binary { link: Link::Probit }),
            indices: vec![index.clone()],
            outcomes: vec![outcome.clone()],
            rows: rows.clone(),
            weights: weights.clone(),
            frequency: sample.frequency,
        };
        let found = maximize(&alone, vec![0.0; alone.parameters()], what, progress)?;
        value += found.sums.value;
        start.extend(found.point);
    }
    Ok((start, value))
}
