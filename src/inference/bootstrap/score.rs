//! The score bootstrap: perturbed influences instead of new fits, for any estimator that knows them.

use super::weights::{WeightSource, WildWeights};
use crate::error::{Error, Result};
use crate::inference::Inference;
use crate::inference::hypothesis;
use crate::inference::records::check_level;
use crate::numeric::{Seed, blocks};
use nalgebra::DMatrix;
use serde::{Deserialize, Serialize};

use super::report::WildTestResult;

/// An estimator with known influences.
pub trait Influence: Inference {
    /// What each row (or each cluster of a column) adds to the error of the coefficients: `B s_g`, one row a unit, one column a
    /// coefficient; `B` is the inverse of the information and `s_g` the score at the estimates. Columns sum to about zero.
    ///
    /// # Errors
    /// [`Error::DataNotKept`]; [`Error::MissingClusters`], [`Error::TooFewClusters`]; [`Error::InvalidOption`] for frequency weights
    /// without clusters: equal rows have errors of their own.
    fn influence(&self, cluster: Option<&str>) -> Result<DMatrix<f64>>;
}

/// The score bootstrap of Kline & Santos (2012): with `a_g = c'B s_g`, the t statistic `(c'β̂ − r)/√(Σ a_g²)` is compared with
/// `Σ v_g a_g/√(Σ (v_g a_g − mean)²)` for random weights `v_g`. It needs one pass over the rows and no new fit, so it serves maximum
/// likelihood as well as least squares; in linear models with few clusters the wild bootstrap is better.
///
/// | name | default | meaning | range |
/// |---|---|---|---|
/// | `cluster` | none | column of clusters; rows are independent without | |
/// | `draws` | 9999 | draws of the weights | ≥ 99 |
/// | `weights` | Rademacher | their distribution | see [`WildWeights`] |
/// | `level` | 0.95 | of the interval | (0, 1) |
/// | `seed` | none | required | any |
///
/// ```
/// use cocreate::prelude::*;
/// let frame = datasets::load("nsw")?;
/// let fit = Ols::new("re78 ~ treat + age").fit(&frame)?;
/// let test = ScoreBootstrap::new("treat = 0").draws(999).seed(7).run(&fit)?;
/// assert!((test.p_value - fit.coefficient("treat")?.p_value()).abs() < 0.03);
/// # Ok::<(), cocreate::Error>(())
/// ```
///
/// # Errors
/// [`Error::SeedRequired`], [`Error::InvalidOption`], [`Error::Formula`], [`Error::UnknownCoefficient`], and those of [`Influence`].
///
/// # References
/// Kline & Santos (2012), *Journal of Econometric Methods* 1(1), doi:10.1515/2156-6674.1006.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ScoreBootstrap {
    hypothesis: String,
    cluster: Option<String>,
    draws: usize,
    weights: WildWeights,
    level: f64,
    seed: Option<Seed>,
}

impl ScoreBootstrap {
    /// A test of one linear hypothesis, written as `"x1 = 0"` or `"x1 - x2 = 0.5"`.
    pub fn new(hypothesis: impl Into<String>) -> Self {
        Self {
            hypothesis: hypothesis.into(),
            cluster: None,
            draws: 9999,
            weights: WildWeights::Rademacher,
            level: 0.95,
            seed: None,
        }
    }

    /// Draws one weight a cluster.
    pub fn cluster(mut self, column: impl Into<String>) -> Self {
        self.cluster = Some(column.into());
        self
    }

    /// Sets the number of draws.
    pub fn draws(mut self, draws: usize) -> Self {
        self.draws = draws;
        self
    }

    /// Sets the distribution of the weights.
    pub fn weights(mut self, weights: WildWeights) -> Self {
        self.weights = weights;
        self
    }

    /// Sets the confidence level of the interval.
    pub fn level(mut self, level: f64) -> Self {
        self.level = level;
        self
    }

    /// Sets the seed.
    pub fn seed(mut self, seed: impl Into<Seed>) -> Self {
        self.seed = Some(seed.into());
        self
    }

    /// Tests the hypothesis.
    ///
    /// # Errors
    /// See [`ScoreBootstrap`].
    pub fn run(&self, fit: &impl Influence) -> Result<WildTestResult> {
        let seed = check_options(self.draws, self.level, self.seed, "the score bootstrap")?;
        let parsed = hypothesis::parse(&self.hypothesis, fit.names())?;
        let own = fit.influence(self.cluster.as_deref())? * &parsed.weights;
        let units = own.len();
        let source = WeightSource::new(self.weights, self.draws, units, seed.child("score"));
        let statistics = blocks::map(source.draws, |i| {
            let (mut sum, mut square) = (0.0, 0.0);
            source.draw(i, units, |g, v| {
                let a = v * own[g];
                sum += a;
                square += a * a;
            });
            sum / (square - sum * sum / units as f64).sqrt()
        });
        let std_error = own.norm();
        WildTestResult::studentized(
            &self.hypothesis,
            parsed.weights.dot(fit.estimates()),
            parsed.value,
            std_error,
            &statistics,
            self.level,
        )
        .map(|test| test.described("score", &source, self.cluster.as_deref(), units))
    }
}

/// Checks what all tests of this kind share and gives the seed.
pub(crate) fn check_options(
    draws: usize,
    level: f64,
    seed: Option<Seed>,
    what: &str,
) -> Result<Seed> {
    const FEWEST: usize = 99;
    check_level(level)?;
    if draws < FEWEST {
        return Err(Error::invalid_option(
            "draws",
            draws,
            format!("at least {FEWEST}"),
        ));
    }
    seed.ok_or_else(|| Error::SeedRequired {
        what: what.to_owned(),
    })
}
