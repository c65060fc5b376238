//! Meta-analysis: one answer from several experiments, and how much they differ.

mod fit;
mod funnel;
mod heterogeneity;
mod influence;
mod regression;

pub use fit::MetaAnalysisFit;
pub use funnel::FunnelAsymmetry;
pub use influence::StudyInfluence;
pub use regression::{FurtherStudy, MetaRegression, MetaRegressionFit};

use super::{Estimate, check_level, studies};
use crate::error::{Error, Result, Warning};
use crate::report::Cell;
use serde::{Deserialize, Serialize};

/// How the variance τ² between studies is estimated.
///
/// | variant | τ² |
/// |---|---|
/// | `Fixed` | 0: all studies estimate the same effect (or: the mean of these studies is asked for) |
/// | `DerSimonianLaird` | `max(0, (Q − (k − 1)) / (Σw − Σw²/Σw))`, w = 1/s² |
/// | `PauleMandel` | the root of `Σ (y − μ̂(τ²))²/(s² + τ²) = k − 1`, zero when there is none |
/// | `MaximumLikelihood` | the maximum of the likelihood, too small with few studies |
/// | `Reml` | the maximum of the restricted likelihood, all local maxima compared |
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum BetweenStudies {
    /// One effect.
    Fixed,
    /// By moments.
    DerSimonianLaird,
    /// By the generalised Q.
    PauleMandel,
    /// By maximum likelihood.
    MaximumLikelihood,
    /// By restricted maximum likelihood.
    #[default]
    Reml,
}

/// Studies below which intervals that take τ² as known are much too short.
const FEW: usize = 20;

impl BetweenStudies {
    /// What a reader must know of errors made from `ratio`, Q at τ² over its degrees of freedom, and of an interval of τ² that ends at `upper`.
    fn remarks(
        self,
        mean_error: MeanError,
        ratio: f64,
        between: f64,
        studies: usize,
        upper: f64,
    ) -> Vec<Warning> {
        let mut messages = Vec::new();
        if mean_error == MeanError::HartungKnapp && ratio < 1.0 && between <= 0.0 {
            messages.push(format!(
                "the studies agree better than their standard errors lead to expect (q = {}): the Hartung–Knapp standard error is below \
                 the one for known τ²; MeanError::AtLeastNormal does not go below",
                Cell::significant(ratio, 3)
            ));
        }
        if mean_error == MeanError::Normal && self != Self::Fixed && studies < FEW {
            messages.push(format!(
                "{studies} studies say little about τ², which the intervals take as known: they are too short; use MeanError::HartungKnapp"
            ));
        }
        if upper <= 0.0 {
            messages.push("the estimates differ less than their standard errors allow even at τ² = 0: the interval of τ² is empty, and shown as zero; are the standard errors too large?".to_owned());
        }
        let note = |message| Warning::Note { message };
        messages.into_iter().map(note).collect()
    }

    fn text(self) -> &'static str {
        match self {
            Self::Fixed => "one effect",
            Self::DerSimonianLaird => "DerSimonian–Laird",
            Self::PauleMandel => "Paule–Mandel",
            Self::MaximumLikelihood => "maximum likelihood",
            Self::Reml => "REML",
        }
    }
}

/// How sure the mean effect is.
///
/// | variant | standard error of μ̂ | distribution |
/// |---|---|---|
/// | `HartungKnapp` | `√(q/Σw*)`, `q = Σ w*(y − μ̂)²/(k − 1)`, w* = 1/(s² + τ²) | t(k − 1) |
/// | `AtLeastNormal` | the same with `max(1, q)` (Knapp & Hartung's modification) | t(k − 1) |
/// | `Normal` | `√(1/Σw*)`, which takes τ² as known | N(0, 1) |
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum MeanError {
    /// Hartung & Knapp, Sidik & Jonkman.
    #[default]
    HartungKnapp,
    /// The same, never narrower than known τ² would make it.
    AtLeastNormal,
    /// As if τ² were known.
    Normal,
}

impl MeanError {
    /// What multiplies `(X'WX)⁻¹` at `q` over its degrees of freedom, and the degrees of freedom of t.
    fn scale(self, ratio: f64, free: f64) -> (f64, f64) {
        match self {
            Self::HartungKnapp => (ratio, free),
            Self::AtLeastNormal => (ratio.max(1.0), free),
            Self::Normal => (1.0, f64::INFINITY),
        }
    }

    fn text(self) -> &'static str {
        match self {
            Self::HartungKnapp => "Hartung–Knapp",
            Self::AtLeastNormal => "Hartung–Knapp, never below known τ²",
            Self::Normal => "τ² taken as known",
        }
    }
}

/// Pools the estimates of several studies (experiments, countries, segments): `y_i ~ N(θ_i, s_i²)`, `θ_i ~ N(μ, τ²)`. The mean is
/// `μ̂ = Σ w*y/Σ w*` with `w* = 1/(s² + τ̂²)`.
///
/// Reported beside it: Cochran's `Q = Σ (y − ȳ_w)²/s²` with its χ²(k − 1) test; `I² = τ̂²/(τ̂² + s̃²)` and `H² = 1 + τ̂²/s̃²` with the
/// typical variance `s̃² = (k − 1) Σw / ((Σw)² − Σw²)` (with one effect, [`BetweenStudies::Fixed`], `I² = (Q − (k − 1))/Q` and `H² = Q/(k − 1)`, 0 and 1 at least); intervals of τ², I², H² by inverting the generalised Q (Viechtbauer), which are exact
/// for normal estimates with known variances; and the prediction interval of a further study's effect, `μ̂ ± t(k − 2) √(τ̂² + se²)`,
/// (Higgins, Thompson & Spiegelhalter; R's `metafor` has t(k − 1) with Hartung–Knapp and the normal quantile without),
/// which is too short where few studies put τ̂² at zero: with eight studies and sampling errors like τ it covers .86 of further studies, with forty .95.
///
/// Standard errors are taken as known: studies of few units are not what this is for. Effects must be on one scale. Selective
/// publication of significant studies biases μ̂ away from zero; pool all experiments of a programme, not those that were shipped.
///
/// | name | default | meaning | range |
/// |---|---|---|---|
/// | `label` | row number | a column with names of studies | |
/// | `between` | [`BetweenStudies::Reml`] | τ² | |
/// | `mean_error` | [`MeanError::HartungKnapp`] | interval of the mean | |
/// | `level` | 0.95 | of all intervals | (0, 1) |
///
/// # Errors
/// [`Error::OutOfRange`] for a standard error that is not positive or an estimate that is not finite; [`Error::Unidentified`] for fewer than two
/// studies; [`Error::InvalidOption`]; those of finding columns.
///
/// # References
/// - DerSimonian & Laird (1986), *Controlled Clinical Trials* 7, 177–188. doi:10.1016/0197-2456(86)90046-2
/// - Viechtbauer (2005), *J. Educational and Behavioral Statistics* 30, 261–293. doi:10.3102/10769986030003261
/// - Viechtbauer (2007), *Statistics in Medicine* 26, 37–52. doi:10.1002/sim.2514
/// - Hartung & Knapp (2001), *Statistics in Medicine* 20, 3875–3889. doi:10.1002/sim.1009; Knapp & Hartung (2003), 22, 2693–2710.
/// - Higgins & Thompson (2002), *Statistics in Medicine* 21, 1539–1558. doi:10.1002/sim.1186
/// - Higgins, Thompson & Spiegelhalter (2009), *JRSS A* 172, 137–159. doi:10.1111/j.1467-985X.2008.00552.x
///
/// # Examples
/// ```
/// use cocreate::prelude::*;
/// let tests = Frame::new()
///     .with("shop", vec!["DE", "FR", "IT", "ES", "PL"])?
///     .with("lift", vec![0.021, 0.034, -0.004, 0.018, 0.027])?
///     .with("se", vec![0.008, 0.010, 0.009, 0.012, 0.011])?;
/// let pooled = MetaAnalysis::new("lift", "se").label("shop").fit(&tests)?;
/// assert!(pooled.mean().p_value() < 0.05);
/// assert!(pooled.i_squared() > 0.3); // a third and more of the spread is not chance
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MetaAnalysis {
    estimate: String,
    std_error: String,
    label: Option<String>,
    between: BetweenStudies,
    mean_error: MeanError,
    level: f64,
}

studies::from_studies!(MetaAnalysis, MetaAnalysisFit);

impl MetaAnalysis {
    /// From the columns of estimates and of their standard errors, one study a row.
    pub fn new(estimate: impl Into<String>, std_error: impl Into<String>) -> Self {
        Self {
            estimate: estimate.into(),
            std_error: std_error.into(),
            label: None,
            between: BetweenStudies::default(),
            mean_error: MeanError::default(),
            level: 0.95,
        }
    }

    /// How τ² is estimated.
    pub fn between(mut self, between: BetweenStudies) -> Self {
        self.between = between;
        self
    }

    /// How the standard error of the mean is made.
    pub fn mean_error(mut self, mean_error: MeanError) -> Self {
        self.mean_error = mean_error;
        self
    }

    fn pool(&self, found: &[Estimate], warnings: Vec<Warning>) -> Result<MetaAnalysisFit> {
        check_level(self.level)?;
        if found.len() < 2 {
            return Err(Error::Unidentified {
                what: format!("what {} studies have in common", found.len()),
                needs: "at least two estimates with standard errors".to_owned(),
            });
        }
        MetaAnalysisFit::new(
            found.to_vec(),
            self.between,
            self.mean_error,
            self.level,
            warnings,
        )
    }
}
