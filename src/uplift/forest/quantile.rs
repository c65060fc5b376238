//! The quantile forest: the distribution of an outcome as a function of features.

use super::options::{TreeOptions, tree_options};
use super::outcome_rows::Beside;
use super::quantile_fit::QuantileForestFit;
use crate::causal::builders::row_columns;
use crate::data::Frame;
use crate::error::{Error, Result};
use crate::numeric::Progress;
use serde::{Deserialize, Serialize};

/// The rows a leaf is about as large as before no split is sought.
pub(super) const MIN_NODE_SIZE: usize = 5;
/// Most quantiles: they cut a node's outcomes into one class more.
pub(super) const MOST_QUANTILES: usize = 14;

/// Quantiles of an outcome given features, by a forest of honest trees. The quantile q at x is the smallest y with
///
/// `Σ_i α_i(x) 1{Y_i ≤ y} ≥ q`,
///
/// where `α_i(x)` is how often row i falls in the leaf of x. Splits look for changes of the whole distribution, not of its mean: the outcomes of a node
/// are cut into classes at its quantiles, and a split maximises the drop of the classes' Gini impurity. So a feature that moves the spread alone is
/// found too. What a customer pays at most, how late an order can be, the range of an offer.
///
/// Intervals are Woodruff's: with σ² the variance by little bags of `F(y) = Σ_i α_i(x) 1{Y_i ≤ y}` at the quantile, they go from the quantile of `q − zσ` to that of
/// `q + zσ`, which is the delta method with the density taken over the interval itself. They know how a quantile moves between samples, not the bias
/// that is left where the leaves of x hold different distributions. With normal outcomes, mean and spread linear in two of four features, intervals of 95 %
/// of the quantiles 0.1, 0.5 and 0.9 covered 88, 93 and 87 of 100 with 300 rows, 93, 94 and 93 with 1 000, and 96 each with 4 000.
///
/// Standard errors are above the standard deviation of the quantile between samples, for two reasons. With few trees the variance of F is told with noise, and what is
/// kept positive is too large on average: errors of the median of that design (1 000 rows) were 1.45 times the standard deviation with 300 trees, 1.13 times with
/// 2 000 and 1.01 times with 10 000, as those of a forest of means are. Larger bags tell the same variance with fewer trees: 0.99 times with 2 000 and
/// `.bag_size(10)`. And in the tails the distance to the quantile of `q − zσ` grows faster than z: half of an interval by 1.96 is then still
/// 1.0 and 1.3 times the standard deviation of the quantiles 0.9 and 0.1. Intervals that are not too long cover less, since they do not know the bias: 91, 93 and
/// 84 of 100 with bags of ten.
///
/// | name | default | meaning | range |
/// |---|---|---|---|
/// | `quantiles` | 0.1, 0.5, 0.9 | the quantiles, for splits and predictions | (0, 1), increasing, at most 14 |
/// | `weights`, `clusters` | none | columns | |
/// | `min_node_size` | 5 | nodes of so many rows are not split | ≥ 1 |
/// | `alpha` | 0.05 | least share of a node's rows in a child | [0, 0.25) |
///
/// The other options are those of [`CausalForest`](super::CausalForest).
///
/// # Errors
/// [`Error::SeedRequired`]; [`Error::ColumnNotFound`], [`Error::WrongKind`], [`Error::Infinite`], [`Error::OutOfRange`] for negative weights;
/// [`Error::MissingClusters`]; [`Error::Unidentified`] for an outcome that does not vary, or too few rows; [`Error::InvalidOption`].
///
/// # References
/// - Meinshausen (2006), *JMLR* 7 (forest weights for quantiles).
/// - Athey, Tibshirani & Wager (2019), *Annals of Statistics* 47(2), doi:10.1214/18-AOS1709 (section 4: little bags; section 5: splits by classes).
/// - Woodruff (1952), *JASA* 47(260), doi:10.1080/01621459.1952.10483443 (intervals of quantiles).
///
/// # Examples
/// ```
/// use cocreate::prelude::*;
/// let n = 1000_u32;
/// let age: Vec<f64> = (0..n).map(|i| f64::from(i * 37 % 100) / 100.0).collect();
/// // The spread grows with age; the mean does not move.
/// let spend: Vec<f64> = (0..n).map(|i| (f64::from(i * 7919 % 1009) / 1009.0 - 0.5) * if age[i as usize] > 0.5 { 10.0 } else { 1.0 }).collect();
/// let frame = Frame::new().with("age", age)?.with("spend", spend)?;
/// let fit = QuantileForest::new("spend", &["age"]).trees(200).seed(7).fit(&frame)?;
/// let found = fit.predict(&Frame::new().with("age", vec![0.2, 0.8])?)?;
/// let high = found.quantile(0.9)?;
/// assert!((high[0] - 0.4).abs() < 0.2 && (high[1] - 4.0).abs() < 0.8);
/// let sure = found.intervals(0.9, 0.95)?;
/// assert!(sure.lower[1] < high[1] && high[1] < sure.upper[1]);
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct QuantileForest {
    pub(super) outcome: String,
    pub(super) beside: Beside,
    pub(super) quantiles: Vec<f64>,
    pub(super) options: TreeOptions,
}

impl QuantileForest {
    /// Quantiles of an outcome, as a function of these columns.
    pub fn new<S: AsRef<str>>(outcome: impl Into<String>, features: &[S]) -> Self {
        Self {
            outcome: outcome.into(),
            beside: Beside::new(features),
            quantiles: vec![0.1, 0.5, 0.9],
            options: TreeOptions::new(MIN_NODE_SIZE),
        }
    }

    /// The quantiles.
    pub fn quantiles(mut self, quantiles: &[f64]) -> Self {
        self.quantiles = quantiles.to_vec();
        self
    }

    /// Fits to the frame.
    ///
    /// # Errors
    /// See [`QuantileForest`].
    pub fn fit(&self, frame: &Frame) -> Result<QuantileForestFit> {
        self.fit_with(frame, &Progress::none())
    }

    /// Fits to the frame, watched.
    ///
    /// # Errors
    /// See [`QuantileForest`]; [`Error::Cancelled`].
    pub fn fit_with(&self, frame: &Frame, progress: &Progress) -> Result<QuantileForestFit> {
        let (plan, seed) = self
            .options
            .drawing(self.beside.features.len(), "quantile forest")?;
        let inside = self.quantiles.iter().all(|q| *q > 0.0 && *q < 1.0);
        let increasing = self.quantiles.windows(2).all(|pair| pair[0] < pair[1]);
        let few = (1..=MOST_QUANTILES).contains(&self.quantiles.len());
        if !(inside && increasing && few) {
            return Err(Error::invalid_option(
                "quantiles",
                format!("{:?}", self.quantiles),
                format!("1 to {MOST_QUANTILES} numbers between 0 and 1, increasing"),
            ));
        }
        let sample = self.beside.read(frame, &[&self.outcome])?;
        let outcome = sample.rows.gather(frame.numeric(&self.outcome)?.values());
        let low = outcome.iter().copied().fold(f64::INFINITY, f64::min);
        let high = outcome.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        if low >= high {
            return Err(Error::Unidentified {
                what: format!("the distribution of `{}`", self.outcome),
                needs: format!(
                    "an outcome that varies; it is {low} on all {} rows in use",
                    outcome.len()
                ),
            });
        }
        QuantileForestFit::new(self, sample, outcome, &plan, seed, progress)
    }
}

row_columns!(
    QuantileForest,
    "A column of clusters: rows of a cluster are drawn and held out together.",
    beside
);

tree_options!(QuantileForest, "Nodes of so many rows are not split.");
