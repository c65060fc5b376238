//! The wild (cluster) bootstrap of a least-squares fit.

use crate::data::Groups;
use crate::error::{Error, Result};
use crate::inference::bootstrap::wild::{UnitSums, WildTest, influence, refuse_frequencies};
use crate::inference::bootstrap::{
    Influence, WeightSource, WildTestResult, WildWeights, check_options,
};
use crate::inference::covariance::{ScoreRows, kept_groups, nested_only};
use crate::inference::{Inference, SmallSample, parse_hypothesis};
use crate::numeric::Seed;
use crate::regression::OlsFit;
use nalgebra::DMatrix;
use serde::{Deserialize, Serialize};

/// The wild bootstrap of the t statistic of one linear hypothesis about an OLS or WLS fit, by cluster or, without clusters, by row.
/// The default, restricted residuals with Rademacher weights (WCR), keeps its size with as few as a dozen clusters, where
/// cluster-robust t tests over-reject; it needs clusters of not too different sizes and more than a few treated ones.
///
/// | name | default | meaning | range |
/// |---|---|---|---|
/// | `cluster` | none | column of clusters; each row on its own without | no effects absorbed, or nested in the clusters |
/// | `draws` | 9999 | draws of the weights; all 2ᴳ Rademacher vectors when they are no more | ≥ 99 |
/// | `weights` | Rademacher | their distribution; Webb for ten clusters or fewer | see [`WildWeights`] |
/// | `restricted` | true | residuals with the hypothesis imposed | |
/// | `level` | 0.95 | of the interval, the hypotheses that are not rejected | (0, 1) |
/// | `seed` | none | required | any |
///
/// One pass over the rows, then every draw costs 4Gk operations, and inverting the test draws nothing again. The p-value counts the
/// observed statistic as one of the draws.
///
/// ```
/// use cocreate::prelude::*;
/// let frame = datasets::load("nsw")?;
/// let fit = Ols::new("re78 ~ treat + educ").fit(&frame)?;
/// let test = WildBootstrap::new("treat = 0").cluster("age").draws(999).seed(7).run(&fit)?;
/// assert!(test.p_value < 0.05 && test.interval.lower > 0.0);
/// # Ok::<(), cocreate::Error>(())
/// ```
///
/// # Errors
/// [`Error::SeedRequired`]; [`Error::InvalidOption`]; [`Error::TooFewClusters`]; [`Error::MissingClusters`]; [`Error::Formula`] and
/// [`Error::UnknownCoefficient`] for the hypothesis; [`Error::DataNotKept`] after `lean`.
///
/// # References
/// - Cameron, Gelbach & Miller (2008), *REStat* 90(3), doi:10.1162/rest.90.3.414.
/// - Roodman, MacKinnon, Nielsen & Webb (2019), *Stata Journal* 19(1), doi:10.1177/1536867X19830877.
/// - Webb (2023), *Canadian Journal of Economics* 56(3), doi:10.1111/caje.12661.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WildBootstrap {
    hypothesis: String,
    cluster: Option<String>,
    draws: usize,
    weights: WildWeights,
    restricted: bool,
    level: f64,
    seed: Option<Seed>,
}

impl WildBootstrap {
    /// A test of one linear hypothesis, written as `"treat = 0"` or `"x1 - x2 = 0.5"`.
    pub fn new(hypothesis: impl Into<String>) -> Self {
        Self {
            hypothesis: hypothesis.into(),
            cluster: None,
            draws: 9999,
            weights: WildWeights::Rademacher,
            restricted: true,
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

    /// Whether residuals have the hypothesis imposed (WCR, the default) or not (WCU).
    pub fn restricted(mut self, restricted: bool) -> Self {
        self.restricted = restricted;
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
    /// See [`WildBootstrap`].
    pub fn run(&self, fit: &OlsFit) -> Result<WildTestResult> {
        let (test, groups, value, factor, source) = self.prepare(fit)?;
        let units = groups.as_ref().map_or(
            fit.core().parts("the wild bootstrap")?.rows.rows(),
            Groups::count,
        );
        Ok(
            WildTestResult::inverted(&self.hypothesis, &test, value, self.level, factor)?
                .described("wild", &source, self.cluster.as_deref(), units),
        )
    }

    /// The bootstrap t statistics under the hypothesis, in the order of the draws.
    ///
    /// # Errors
    /// See [`WildBootstrap`].
    pub fn statistics(&self, fit: &OlsFit) -> Result<Vec<f64>> {
        let (test, _, value, factor, _) = self.prepare(fit)?;
        let scale = factor.sqrt();
        Ok(test.statistics(value).iter().map(|t| t / scale).collect())
    }

    /// The draws, the clusters, the hypothesised value, the small-sample factor, and the source of weights.
    fn prepare(&self, fit: &OlsFit) -> Result<(WildTest, Option<Groups>, f64, f64, WeightSource)> {
        let seed = check_options(self.draws, self.level, self.seed, "the wild bootstrap")?;
        let core = fit.core();
        let parts = core.parts("the wild bootstrap")?;
        let parsed = parse_hypothesis(&self.hypothesis, fit.names())?;
        let counts = parts.counts(fit.statistics().observations);
        let groups = groups_of(fit, self.cluster.as_deref())?;
        match &groups {
            Some(groups) => nested_only("the wild bootstrap", groups, &counts)?,
            None if !parts.effects.is_empty() => {
                return Err(Error::invalid_option(
                    "formula",
                    fit.formula(),
                    "without absorbed effects for the wild bootstrap by row; write them as C(effect), or give clusters in which they are nested",
                ));
            }
            None => refuse_frequencies(&parts.rows, "the wild bootstrap by row")?,
        }
        let contrast = parts.map.transpose() * &parsed.weights;
        let codes = groups.as_ref().map(|g| (g.codes.as_slice(), g.count()));
        let sums = UnitSums::new(&parts.rows, &contrast, codes)?;
        let source = WeightSource::new(self.weights, self.draws, sums.units(), seed.child("wild"));
        let test = WildTest {
            estimate: parsed.weights.dot(fit.estimates()),
            std_error: sums.own().iter().map(|a| a * a).sum::<f64>().sqrt(),
            draws: sums.draw(&source, self.restricted),
            // Unrestricted draws under the observed signs give zero, not the observed statistic.
            enumerated: source.enumerated && self.restricted,
        };
        let k = parts.rows.parameters();
        let factor = match &groups {
            Some(g) => {
                let count = g.count();
                SmallSample::default().factor(&counts, k, std::slice::from_ref(g), count)
            }
            None => counts.observations / counts.residual_df(k),
        };
        Ok((test, groups, parsed.value, factor, source))
    }
}

/// The clusters of a column over the rows of a fit.
fn groups_of(fit: &OlsFit, cluster: Option<&str>) -> Result<Option<Groups>> {
    let parts = fit.core().parts("resampling by cluster")?;
    let Some(column) = cluster else {
        return Ok(None);
    };
    let mut groups = kept_groups(&parts.frame, parts.kept(), &parts.effects, [column])?;
    Ok(groups.pop())
}

impl Influence for OlsFit {
    fn influence(&self, cluster: Option<&str>) -> Result<DMatrix<f64>> {
        let parts = self.core().parts("the influence of rows")?;
        let groups = groups_of(self, cluster)?;
        if groups.is_none() {
            refuse_frequencies(&parts.rows, "the influence of rows")?;
        }
        let codes = groups.as_ref().map(|g| (g.codes.as_slice(), g.count()));
        Ok(influence(&parts.rows, &parts.map, codes))
    }
}
