//! Meta-regression: what makes the effects of studies differ.

mod fit;
mod moderators;

pub use fit::{FurtherStudy, MetaRegressionFit};

use super::{BetweenStudies, MeanError};
use crate::data::{Formula, Frame};
use crate::error::Result;
use crate::inference::check_level;
use moderators::Moderators;
use serde::Serialize;

/// Explains the effects of several studies by what is known of them: `y_i ~ N(θ_i, s_i²)`, `θ_i ~ N(x_i'β, τ²)`, a mixed-effects model of which
/// [`BetweenStudies::Fixed`] leaves out τ². The coefficients are `β̂ = (X'WX)⁻¹X'Wy` with `W = diag(1/(s² + τ̂²))`.
///
/// τ² is now what the moderators leave unexplained, by the estimators of [`BetweenStudies`] with `P = W − WX(X'WX)⁻¹X'W` and p coefficients:
/// DerSimonian–Laird `max(0, (Q_E − (k − p))/tr P)` at τ² = 0, Paule–Mandel the root of `y'Py = k − p`, the likelihoods by their maxima. Standard errors are those
/// of [`MeanError`]: `√(s² diag (X'WX)⁻¹)` with Knapp and Hartung's `s² = y'Py/(k − p)` and t(k − p), or `s² = 1` and the normal.
///
/// Reported beside the coefficients: `Q_E`, the test of what is left between studies, χ²(k − p); `Q_M`, the test of all moderators, F(m, k − p) under Knapp and Hartung's
/// errors and χ²(m) under the normal; `R² = max(0, (τ̂₀² − τ̂²)/τ̂₀²)` with τ̂₀² of the same estimator without moderators; I² and H² of what is left; the effect
/// expected of a further study, and the interval of its own effect. Several restrictions have their F test by [`wald`](crate::inference::Inference::wald).
///
/// Studies are not randomised to moderators: a coefficient compares studies, it is no effect of the moderator. A moderator that is a mean of customers says
/// nothing of customers. Ten studies a moderator are a rule of thumb; with fewer, R² is little more than noise. In a
/// simulation with twelve studies, two moderators and sampling errors like τ, intervals of a slope at 95 % covered in .94 of samples by Knapp and Hartung's errors and .90 by the normal; a
/// moderator without effect was significant at 5 % in .065 and .089; a further study's effect was covered in .91.
///
/// | name | default | meaning | range |
/// |---|---|---|---|
/// | `label` | row number | a column with names of studies | |
/// | `between` | [`BetweenStudies::Reml`] | τ² | |
/// | `mean_error` | [`MeanError::HartungKnapp`] | errors of the coefficients | |
/// | `level` | 0.95 | of all intervals | (0, 1) |
///
/// The defaults are those of [`MetaAnalysis`](super::MetaAnalysis); metafor's are REML and normal errors (`test = "z"`).
///
/// # Errors
/// [`Error::OutOfRange`](crate::Error::OutOfRange) for a standard error that is not positive or an estimate that is not finite; [`Error::TooFewRows`](crate::Error::TooFewRows) without more studies than
/// coefficients; [`Error::InvalidOption`](crate::Error::InvalidOption) for instruments or fixed effects in the formula; [`Error::Unidentified`](crate::Error::Unidentified) when
/// moderators differ only between studies of hardly any weight; those of formulas and of finding columns.
///
/// # References
/// - Berkey, Hoaglin, Mosteller & Colditz (1995), *Statistics in Medicine* 14, 395–411. doi:10.1002/sim.4780140406
/// - Knapp & Hartung (2003), *Statistics in Medicine* 22, 2693–2710. doi:10.1002/sim.1482
/// - Raudenbush (2009), in *The Handbook of Research Synthesis and Meta-Analysis*, 2nd ed., 295–315.
/// - López-López, Marín-Martínez, Sánchez-Meca, Van den Noortgate & Viechtbauer (2014), *British J. Mathematical and Statistical Psychology* 67, 30–48. doi:10.1111/bmsp.12002
/// - Viechtbauer (2010), *J. Statistical Software* 36(3). doi:10.18637/jss.v036.i03
///
/// # Examples
/// ```
/// use cocreate::prelude::*;
/// let tests = Frame::new()
///     .with("shop", vec!["DE", "FR", "IT", "ES", "PL", "SE"])?
///     .with("lift", vec![0.021, 0.034, -0.004, 0.018, 0.027, 0.040])?
///     .with("se", vec![0.008, 0.010, 0.009, 0.012, 0.011, 0.010])?
///     .with("reward", vec![2.0, 4.0, 0.5, 2.0, 3.0, 5.0])?;
/// let fit = MetaRegression::new("lift ~ reward", "se").label("shop").fit(&tests)?;
/// assert!(fit.coefficient("reward")?.p_value() < 0.01);
/// assert!(fit.r_squared().unwrap() > 0.9); // rewards explain what differs
/// let further = fit.further_study("(Intercept) + 3*reward")?;
/// assert!(further.lower < further.mean.estimate && further.mean.estimate < further.upper);
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MetaRegression {
    formula: Formula,
    std_error: String,
    label: Option<String>,
    between: BetweenStudies,
    mean_error: MeanError,
    level: f64,
}

impl MetaRegression {
    /// From a formula of estimates and moderators, and the column of standard errors, one study a row.
    pub fn new(formula: impl Into<Formula>, std_error: impl Into<String>) -> Self {
        Self {
            formula: formula.into(),
            std_error: std_error.into(),
            label: None,
            between: BetweenStudies::default(),
            mean_error: MeanError::default(),
            level: 0.95,
        }
    }

    /// A column with the names of the rows.
    pub fn label(mut self, column: impl Into<String>) -> Self {
        self.label = Some(column.into());
        self
    }

    /// How τ² is estimated.
    pub fn between(mut self, between: BetweenStudies) -> Self {
        self.between = between;
        self
    }

    /// How the standard errors of coefficients are made.
    pub fn mean_error(mut self, mean_error: MeanError) -> Self {
        self.mean_error = mean_error;
        self
    }

    /// The level of all intervals.
    pub fn level(mut self, level: f64) -> Self {
        self.level = level;
        self
    }

    /// Takes the rows of a frame.
    ///
    /// # Errors
    /// See [`MetaRegression`].
    pub fn fit(&self, frame: &Frame) -> Result<MetaRegressionFit> {
        check_level(self.level)?;
        let read = Moderators::read(&self.formula, frame, &self.std_error, self.label.as_deref())?;
        MetaRegressionFit::new(read, self.between, self.mean_error, self.level)
    }
}
