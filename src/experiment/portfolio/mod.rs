//! A portfolio of many tests: what effects they have, what is left of each after shrinkage, and how to spend units on the next ones.

mod fit;
mod prior;
mod programme;
mod search;

pub use fit::{CumulativeLift, PortfolioFit, Shipping, ShrunkEffect};
pub use prior::{EffectPrior, NormalComponent};
pub use programme::{ProgrammeOption, ProgrammePlan, ShippingRule, TestingProgramme};

use crate::error::{Error, Result, Warning};
use crate::inference::{Estimate, check_level, studies};
use serde::{Deserialize, Serialize};

/// The family of the distribution of true effects.
///
/// | variant | distribution | parameters by |
/// |---|---|---|
/// | `Normal` | N(μ, τ²) | maximum likelihood |
/// | `StudentT` | μ + σ t(ν): few ideas do much of the good | maximum likelihood, ν from 1 to 100 |
/// | `AdaptiveShrinkage` | a mass at zero and normals around it with a grid of deviations: unimodal at zero, symmetric | penalised maximum likelihood |
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum EffectFamily {
    /// Normal–normal.
    Normal,
    /// Fat tails.
    #[default]
    StudentT,
    /// A mixture around zero.
    AdaptiveShrinkage,
}

/// Empirical Bayes for many tests: estimates `x_i ~ N(θ_i, s_i²)` of effects `θ_i ~ G`. G is estimated from all of them and each estimate
/// is shrunk towards it: `E(θ_i | x_i)` under G. The largest estimates shrink most, since they are large by luck as well (the
/// winner's curse); selection does not bias a posterior mean.
///
/// A Student's t is taken as normals of variance σ²/g, g ~ Gamma(ν/2, ν/2), on a grid of ln g. Adaptive shrinkage has deviations
/// from a tenth of the smallest standard error to `2 √max(x² − s²)` by factors of √2, and a penalty `9 ln π₀` that prefers no effect (Stephens).
///
/// Assumed: tests are independent given their effects, standard errors are known and say nothing about the effect, and the portfolio holds
/// all tests, not only those that were shipped. Intervals take G as known: they cover on average over the portfolio, and too rarely when it has few tests.
///
/// | name | default | meaning | range |
/// |---|---|---|---|
/// | `label` | row number | a column with names of tests | |
/// | `family` | [`EffectFamily::StudentT`] | G | |
/// | `level` | 0.95 | of intervals | (0, 1) |
///
/// # Errors
/// [`Error::Unidentified`] for fewer than three tests (ten for Student's t); [`Error::OutOfRange`] for a standard error that is not positive; [`Error::InvalidOption`];
/// [`Error::NotConverged`]; those of finding columns.
///
/// # References
/// - Efron & Morris (1975), *JASA* 70, 311–319. doi:10.1080/01621459.1975.10479864
/// - Stephens (2017). False discovery rates: a new deal. *Biostatistics* 18(2), 275–294. doi:10.1093/biostatistics/kxw041
/// - Azevedo, Deng, Montiel Olea, Rao & Weyl (2020). A/B testing with fat tails. *Journal of Political Economy* 128(12), 4614–4672. doi:10.1086/710607
///
/// # Examples
/// ```
/// use cocreate::prelude::*;
/// let tests = TestPortfolio::default().seed(3).simulate()?;
/// let fit = Portfolio::new("estimate", "std_error").fit(&tests.data)?;
/// let effects = tests.oracle.real("effect")?;
/// let error = |f: &dyn Fn(usize) -> f64| (0..1_000).map(|i| (f(i) - effects[i]).powi(2)).sum::<f64>();
/// let (raw, shrunk) = (error(&|i| fit.effects()[i].estimate), error(&|i| fit.effects()[i].mean));
/// assert!(shrunk < 0.8 * raw);
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Portfolio {
    estimate: String,
    std_error: String,
    label: Option<String>,
    family: EffectFamily,
    level: f64,
}

studies::from_studies!(Portfolio, PortfolioFit);

impl Portfolio {
    /// From the columns of estimates and of their standard errors, one test a row.
    pub fn new(estimate: impl Into<String>, std_error: impl Into<String>) -> Self {
        Self {
            estimate: estimate.into(),
            std_error: std_error.into(),
            label: None,
            family: EffectFamily::default(),
            level: 0.95,
        }
    }

    /// The family of the effects' distribution.
    pub fn family(mut self, family: EffectFamily) -> Self {
        self.family = family;
        self
    }

    fn pool(&self, tests: &[Estimate], warnings: Vec<Warning>) -> Result<PortfolioFit> {
        check_level(self.level)?;
        let least = if self.family == EffectFamily::StudentT {
            10
        } else {
            3
        };
        if tests.len() < least {
            return Err(Error::Unidentified {
                what: format!("the distribution of effects from {} tests", tests.len()),
                needs: format!("at least {least} tests for this family"),
            });
        }
        let found = search::fitted(self.family, tests)?;
        PortfolioFit::new(self.family, found, tests, self.level, warnings)
    }
}
