//! Stated willingness to participate, explained by the mean and the variance of a belief.

use super::identification::{Elicitation, Evidence, belief_mean};
use crate::data::{Formula, Frame};
use crate::error::{Error, Result, Warning};
use crate::inference::{Covariance, Estimate, Inference, RatioIntervals};
use crate::numeric::{Progress, Seed};
use crate::regression::delegate::delegate_to_likelihood;
use crate::regression::linear::Weights;
use crate::regression::{LikelihoodFit, Logit, OrderedLogit, OrderedProbit, Probit};
use crate::report::{Cell, Table};
use nalgebra::DVector;
use serde::{Deserialize, Serialize};

/// How willingness is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum WillingnessScale {
    /// Yes or no, with normal errors.
    Probit,
    /// Yes or no, with logistic errors.
    Logit,
    /// An ordered scale, with normal errors.
    OrderedProbit,
    /// An ordered scale, with logistic errors.
    OrderedLogit,
}

/// Willingness to participate as a function of the belief about one's ability: `P(y = 1) = F(w'β)`, or
/// `P(y ≤ j) = F(cut_j − w'β)` for an ordered answer, where w holds the mean m and the variance v of the belief, and often a price. The
/// certainty equivalent `θm − (r/2)θ² − (α/2)θ²v − p` of ambiguity-averse customers, divided by the scale of the error, gives β_m = θ/s,
/// β_v = −(α/2)θ²/s, β_p = −1/s; so that
///
/// - the certainty premium ratio `−β_v/β_m = αθ/2` needs no price: a belief of variance v is worth as much as a certain one lower by
///   (αθ/2)v ([`WillingnessFit::certainty_ratio`]);
/// - with a price, `−β_m/β_p = θ` is the money value of a unit of ability, and `β_v/β_p = (α/2)θ²` the money cost of a unit of variance
///   ([`WillingnessFit::value_of_ability`], [`WillingnessFit::cost_of_uncertainty`]).
///
/// It is [`Probit`], [`Logit`], [`OrderedProbit`] or [`OrderedLogit`] with these readings.
///
/// # Identification
/// m and v must be elicited (quantiles, or a probability and a known v); they are endogenous where customers who want to participate also
/// form better beliefs, unless information is randomised. Signal counts in place of v identify α only up to scale:
/// `(α, v_0, σ_s²) → (α/t, tv_0, tσ_s²)` leaves every choice unchanged. The task-noise premium (r/2)θ² is part of the constant, so r is not
/// identified. Prices must be randomised.
///
/// # Errors
/// [`Error::Unidentified`] for a belief from a self-rating on a free scale ([`Willingness::elicitation`]), when mean or variance of the belief does not vary or is a combination of other regressors;
/// [`Error::OutOfRange`] for a negative variance; those of the models named.
///
/// # References
/// Klibanoff, P., Marinacci, M. & Mukerji, S. (2005). A smooth model of decision making under ambiguity. *Econometrica* 73(6), 1849–1892.
/// doi:10.1111/j.1468-0262.2005.00640.x
///
/// # Examples
/// ```
/// use cocreate::prelude::*;
/// let n = 3000;
/// let u = |i: usize, k: usize| ((i * k) % 1999) as f64 / 1999.0 + 0.00025;
/// let mean: Vec<f64> = (0..n).map(|i| 2.0 * u(i, 31) - 1.0).collect();
/// let variance: Vec<f64> = (0..n).map(|i| u(i, 577)).collect();
/// let price: Vec<f64> = (0..n).map(|i| u(i, 1201)).collect();
/// let join: Vec<f64> = (0..n)
///     .map(|i| {
///         let p = u(i, 859);
///         f64::from(u8::from(2.0 * mean[i] - 0.8 * variance[i] - price[i] + 0.5 + 0.5 * (p / (1.0 - p)).ln() > 0.0))
///     })
///     .collect();
/// let frame = Frame::new().with("mean", mean)?.with("variance", variance)?.with("price", price)?.with("join", join)?;
/// let fit = Willingness::new("join ~ mean + variance + price", WillingnessScale::Logit, "mean", "variance").price("price").fit(&frame)?;
/// let theta = fit.value_of_ability()?;
/// assert!((theta.estimate - 2.0).abs() < 3.0 * theta.std_error + 0.1);
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Willingness {
    formula: Formula,
    scale: WillingnessScale,
    mean: String,
    variance: String,
    price: Option<String>,
    covariance: Covariance,
    weights: Option<Weights>,
    elicitation: Elicitation,
}

impl Willingness {
    /// The model of a formula in which `mean` and `variance` name the regressors that are the mean and the variance of the belief.
    pub fn new(
        formula: impl Into<Formula>,
        scale: WillingnessScale,
        mean: impl Into<String>,
        variance: impl Into<String>,
    ) -> Self {
        Self {
            formula: formula.into(),
            scale,
            mean: mean.into(),
            variance: variance.into(),
            price: None,
            covariance: Covariance::default(),
            weights: None,
            elicitation: Elicitation::Quantiles,
        }
    }

    /// The regressor that is the price, in money.
    pub fn price(mut self, regressor: impl Into<String>) -> Self {
        self.price = Some(regressor.into());
        self
    }

    /// How the belief was elicited; by quantiles unless something else is said. A self-rating on a free scale has neither the zero nor the unit of
    /// ability, and a belief that was not elicited is collinear with the ambiguity premium: both are [`Error::Unidentified`].
    pub fn elicitation(mut self, elicitation: Elicitation) -> Self {
        self.elicitation = elicitation;
        self
    }

    /// Sets the covariance estimator.
    pub fn covariance(mut self, covariance: Covariance) -> Self {
        self.covariance = covariance;
        self
    }

    /// Weights of the rows in the log-likelihood (sampling or precision weights).
    pub fn weights(mut self, column: impl Into<String>) -> Self {
        self.weights = Some(Weights::Analytic(column.into()));
        self
    }

    /// Frequency weights: each row stands for that many equal rows.
    pub fn frequency_weights(mut self, column: impl Into<String>) -> Self {
        self.weights = Some(Weights::Frequency(column.into()));
        self
    }

    /// Fits the model.
    ///
    /// # Errors
    /// See [`Willingness`].
    pub fn fit(&self, frame: &Frame) -> Result<WillingnessFit> {
        self.fit_with(frame, &Progress::none())
    }

    /// Fits the model, watched by `progress`.
    ///
    /// # Errors
    /// See [`Willingness`].
    pub fn fit_with(&self, frame: &Frame, progress: &Progress) -> Result<WillingnessFit> {
        if let Ok(v) = frame.numeric(&self.variance)
            && let Some(row) = v.values().iter().position(|v| *v < 0.0)
        {
            return Err(Error::OutOfRange {
                column: self.variance.clone(),
                row: row + 1,
                value: v.values()[row],
                expected: "zero or above: it is the variance of a belief".to_owned(),
            });
        }
        belief_mean(&Evidence {
            elicitation: self.elicitation,
            ..Evidence::default()
        })?;
        macro_rules! fit {
            ($model:ident) => {{
                let model = $model::new(self.formula.clone()).covariance(self.covariance.clone());
                let model = match &self.weights {
                    Some(Weights::Analytic(column)) => model.weights(column.as_str()),
                    Some(Weights::Frequency(column)) => model.frequency_weights(column.as_str()),
                    None => model,
                };
                model.fit_with(frame, progress)?
            }};
        }
        let fit = match self.scale {
            WillingnessScale::Probit => fit!(Probit),
            WillingnessScale::Logit => fit!(Logit),
            WillingnessScale::OrderedProbit => fit!(OrderedProbit),
            WillingnessScale::OrderedLogit => fit!(OrderedLogit),
        };
        for name in [&self.mean, &self.variance].into_iter().chain(&self.price) {
            let dropped = fit.warnings().iter().any(|w| match w {
                Warning::Constant { columns } | Warning::Collinear { columns } => {
                    columns.contains(name)
                }
                _ => false,
            });
            if dropped {
                return Err(Error::Unidentified {
                    what: format!("the effect of `{name}` on willingness"),
                    needs:
                        "variation of its own: it is constant or a combination of other regressors"
                            .to_owned(),
                });
            }
            fit.position(name)?;
        }
        Ok(WillingnessFit {
            fit,
            mean: self.mean.clone(),
            variance: self.variance.clone(),
            price: self.price.clone(),
        })
    }
}

/// Which ratio of coefficients.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum WillingnessRatio {
    /// `−β_v/β_m = αθ/2`.
    Certainty,
    /// `−β_m/β_p = θ`.
    Ability,
    /// `β_v/β_p = (α/2)θ²`.
    Uncertainty,
}

/// A fitted [`Willingness`]. It answers the verbs of [`Inference`] and prints as a table.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct WillingnessFit {
    fit: LikelihoodFit,
    mean: String,
    variance: String,
    price: Option<String>,
}

impl WillingnessFit {
    /// The certainty premium ratio αθ/2: how much mean belief a unit of variance is worth.
    ///
    /// # Errors
    /// Those of [`Inference::nonlinear`].
    pub fn certainty_ratio(&self) -> Result<Estimate> {
        self.ratio(WillingnessRatio::Certainty)
    }

    /// The money value θ of a unit of ability.
    ///
    /// # Errors
    /// [`Error::Unidentified`] without a price.
    pub fn value_of_ability(&self) -> Result<Estimate> {
        self.ratio(WillingnessRatio::Ability)
    }

    /// The money cost (α/2)θ² of a unit of variance.
    ///
    /// # Errors
    /// [`Error::Unidentified`] without a price.
    pub fn cost_of_uncertainty(&self) -> Result<Estimate> {
        self.ratio(WillingnessRatio::Uncertainty)
    }

    /// A ratio with intervals by the delta method, Krinsky and Robb's draws (10 000), and Fieller's theorem.
    ///
    /// # Errors
    /// [`Error::Unidentified`] without a price; [`Error::InvalidOption`] for a level outside (0, 1).
    pub fn intervals(
        &self,
        ratio: WillingnessRatio,
        level: f64,
        seed: impl Into<Seed>,
    ) -> Result<RatioIntervals> {
        let (name, over, under, sign) = self.parts(ratio)?;
        let unit = |name: &str| -> Result<DVector<f64>> {
            let mut contrast = DVector::zeros(self.fit.names().len());
            contrast[self.fit.position(name)?] = 1.0;
            Ok(contrast)
        };
        let both = [&unit(over)?, &unit(under)?];
        RatioIntervals::new(&self.fit, name, sign, both, level, seed)
    }

    fn ratio(&self, ratio: WillingnessRatio) -> Result<Estimate> {
        let (name, over, under, sign) = self.parts(ratio)?;
        self.fit
            .nonlinear(name, &[over, under], |b| sign * b[0] / b[1])
    }

    /// Name, numerator, denominator and sign.
    fn parts(&self, ratio: WillingnessRatio) -> Result<(&'static str, &str, &str, f64)> {
        let price = || {
            self.price.as_deref().ok_or_else(|| Error::Unidentified {
                what: "a value in money".to_owned(),
                needs: "a price among the regressors (Willingness::price)".to_owned(),
            })
        };
        Ok(match ratio {
            WillingnessRatio::Certainty => (
                "certainty premium ratio αθ/2",
                &self.variance,
                &self.mean,
                -1.0,
            ),
            WillingnessRatio::Ability => (
                "money value of a unit of ability θ",
                &self.mean,
                price()?,
                -1.0,
            ),
            WillingnessRatio::Uncertainty => (
                "money cost of a unit of variance (α/2)θ²",
                &self.variance,
                price()?,
                1.0,
            ),
        })
    }

    fn dress(&self, mut table: Table) -> Table {
        let all = [
            self.certainty_ratio(),
            self.value_of_ability(),
            self.cost_of_uncertainty(),
        ];
        for estimate in all.into_iter().flatten() {
            table = table.note(estimate.to_string());
        }
        table
    }

    fn more_footer(&self) -> Vec<(String, Cell)> {
        let ratio = self.certainty_ratio().ok();
        ratio
            .map(|r| ("αθ/2".to_owned(), Cell::significant(r.estimate, 3)))
            .into_iter()
            .collect()
    }
}

delegate_to_likelihood!(WillingnessFit);
