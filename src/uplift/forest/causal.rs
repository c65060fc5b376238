//! The causal forest: who responds to a treatment, and how sure one is.

use super::ensemble::Plan;
use super::fit::CausalForestFit;
use super::grow::Growth;
use super::moment::Moment;
use super::nuisance::ForestNuisances;
use super::prepare::Prepared;
use super::sample::Sampling;
use super::tree::MOST_FEATURES;
use crate::data::Frame;
use crate::error::{Error, Result};
use crate::numeric::{Progress, Seed};
use serde::{Deserialize, Serialize};

/// With grf's 5, 95 % intervals cover 83, 82 and 98 % of the effects of setups A to C of Nie & Wager (2021; 2 000 rows, true nuisances), with 4 they
/// cover 87, 83 and 99 %; the mean squared errors change by 0, −4 and +10 %.
const MIN_NODE_SIZE: usize = 4;
/// Features tried at a split by default: √p and so many more.
const MORE_FEATURES: f64 = 20.0;

/// A forest of honest trees for the effect of a treatment as a function of features. With residuals `Ỹ = Y − E[Y | X]` and
/// `W̃ = W − E[W | X]`, the effect at x solves the local moment
///
/// `Σ_i α_i(x) (Ỹ_i − τ(x) W̃_i − c(x)) (1, W̃_i) = 0`,
///
/// where `α_i(x)` is how often row i falls in the leaf of x. It is `E[Y(1) − Y(0) | X = x]` for a treatment of 0 and 1 when nothing but X drives both
/// treatment and outcome and every x has some of both (unconfoundedness, overlap), the average partial effect for any other number, and
/// with [`CausalForest::instrument`] the effect among compliers, `Z̃` taking the place of `W̃` in the last factor.
///
/// Each tree draws half of the rows, finds its splits with one half of them and fills its leaves with the other (honesty). Splits maximise the
/// difference of effects between children. Trees come in little bags that share a half sample, from which the variance of every prediction
/// is known. Numbers are cut into 255 bins; missing values go to the side, or are the side, where they fit; categories are split as sets of levels.
/// Predictions are never NaN.
///
/// | name | default | meaning | range |
/// |---|---|---|---|
/// | `trees` | 2000 | trees, rounded up to whole bags | ≥ 1 |
/// | `nuisances` | linear, boosted trees, forest; 5 folds | how `E[Y \| X]`, `E[W \| X]`, `E[Z \| X]` are learned | |
/// | `outcome_hat`, `propensity_hat`, `instrument_hat` | learned | columns that hold them | |
/// | `weights` | none | a column of weights ≥ 0 | |
/// | `clusters` | none | a column: rows of a cluster are drawn, held out and summed together | |
/// | `sample_fraction` | 0.5 | share of rows (clusters) a tree draws | (0, 0.5], (0, 1] for bags of one |
/// | `honesty_fraction` | 0.5 | share of those that find the splits | (0, 1) |
/// | `min_node_size` | 4 | fewest rows with treatment above, and below, the node's mean in a child | ≥ 1 |
/// | `alpha` | 0.05 | least share of the node's treatment variation in a child | [0, 0.25) |
/// | `imbalance_penalty` | 0 | charge on unequal children | ≥ 0 |
/// | `features_per_split` | min(p, √p + 20) | features tried at a split, on average (Poisson) | 1 to p |
/// | `bag_size` | 2 | trees that share a half sample | ≥ 1; variances need 2 |
///
/// The defaults of trees are those of R's grf but for its `min_node_size` of 5; its nuisances are [`ForestNuisances::OutOfBag`].
///
/// # Errors
/// [`Error::SeedRequired`]; [`Error::ColumnNotFound`], [`Error::WrongKind`], [`Error::Infinite`], [`Error::OutOfRange`] for negative weights;
/// [`Error::MissingClusters`]; [`Error::Unidentified`] for a treatment or outcome that does not vary, an arm with too few rows, or an instrument
/// that does not move the treatment; [`Error::InvalidOption`]; those of the learners.
///
/// # References
/// - Wager & Athey (2018), *JASA* 113(523), doi:10.1080/01621459.2017.1319839.
/// - Athey, Tibshirani & Wager (2019), *Annals of Statistics* 47(2), doi:10.1214/18-AOS1709.
/// - Nie & Wager (2021), *Biometrika* 108(2), doi:10.1093/biomet/asaa076.
///
/// # Examples
/// ```
/// use cocreate::prelude::*;
/// let n = 800_u32;
/// let age: Vec<f64> = (0..n).map(|i| f64::from(i * 37 % 100) / 100.0).collect();
/// let invited: Vec<f64> = (0..n).map(|i| f64::from(i * 7919 % 1009 % 2)).collect();
/// let spend: Vec<f64> = (0..n as usize).map(|i| age[i] + if age[i] > 0.5 { 2.0 * invited[i] } else { 0.0 } + (i % 13) as f64 / 13.0).collect();
/// let frame = Frame::new().with("age", age)?.with("invited", invited)?.with("spend", spend)?;
/// let fit = CausalForest::new("spend", "invited", &["age"]).nuisances(ForestNuisances::OutOfBag).trees(200).seed(7).fit(&frame)?;
/// let new = Frame::new().with("age", vec![0.2, 0.8])?;
/// let effects = fit.predict(&new)?;
/// assert!(effects.estimates[0].abs() < 0.4 && (effects.estimates[1] - 2.0).abs() < 0.4);
/// let average = fit.average_effect(ForestTarget::All)?;
/// assert!((average.estimate - 1.0).abs() < 4.0 * average.std_error);
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CausalForest {
    pub(super) outcome: String,
    pub(super) treatment: String,
    pub(super) features: Vec<String>,
    pub(super) instrument: Option<String>,
    pub(super) outcome_hat: Option<String>,
    pub(super) propensity_hat: Option<String>,
    pub(super) instrument_hat: Option<String>,
    pub(super) nuisances: ForestNuisances,
    pub(super) weights: Option<String>,
    pub(super) clusters: Option<String>,
    pub(super) trees: usize,
    sample_fraction: f64,
    honesty_fraction: f64,
    min_node_size: usize,
    alpha: f64,
    imbalance_penalty: f64,
    features_per_split: Option<f64>,
    pub(super) bag_size: usize,
    seed: Option<Seed>,
}

impl CausalForest {
    /// The effect of a treatment on an outcome, as a function of these columns.
    pub fn new<S: AsRef<str>>(
        outcome: impl Into<String>,
        treatment: impl Into<String>,
        features: &[S],
    ) -> Self {
        Self {
            outcome: outcome.into(),
            treatment: treatment.into(),
            features: features.iter().map(|f| f.as_ref().to_owned()).collect(),
            instrument: None,
            outcome_hat: None,
            propensity_hat: None,
            instrument_hat: None,
            nuisances: ForestNuisances::default(),
            weights: None,
            clusters: None,
            trees: 2000,
            sample_fraction: 0.5,
            honesty_fraction: 0.5,
            min_node_size: MIN_NODE_SIZE,
            alpha: 0.05,
            imbalance_penalty: 0.0,
            features_per_split: None,
            bag_size: 2,
            seed: None,
        }
    }

    /// A column that moves the treatment and the outcome through it alone: the forest becomes an instrumental forest.
    pub fn instrument(mut self, column: impl Into<String>) -> Self {
        self.instrument = Some(column.into());
        self
    }

    /// A column that holds `E[Y | X]`.
    pub fn outcome_hat(mut self, column: impl Into<String>) -> Self {
        self.outcome_hat = Some(column.into());
        self
    }

    /// A column that holds `E[W | X]`: in an experiment, the share that was treated.
    pub fn propensity_hat(mut self, column: impl Into<String>) -> Self {
        self.propensity_hat = Some(column.into());
        self
    }

    /// A column that holds `E[Z | X]`.
    pub fn instrument_hat(mut self, column: impl Into<String>) -> Self {
        self.instrument_hat = Some(column.into());
        self
    }

    /// How the means given the features are learned.
    pub fn nuisances(mut self, nuisances: ForestNuisances) -> Self {
        self.nuisances = nuisances;
        self
    }

    /// A column of weights.
    pub fn weights(mut self, column: impl Into<String>) -> Self {
        self.weights = Some(column.into());
        self
    }

    /// A column of clusters.
    pub fn clusters(mut self, column: impl Into<String>) -> Self {
        self.clusters = Some(column.into());
        self
    }

    /// Trees.
    pub fn trees(mut self, trees: usize) -> Self {
        self.trees = trees;
        self
    }

    /// Share of the rows a tree draws.
    pub fn sample_fraction(mut self, share: f64) -> Self {
        self.sample_fraction = share;
        self
    }

    /// Share of a tree's rows that find its splits.
    pub fn honesty_fraction(mut self, share: f64) -> Self {
        self.honesty_fraction = share;
        self
    }

    /// Fewest rows on each side of the mean treatment in a child.
    pub fn min_node_size(mut self, rows: usize) -> Self {
        self.min_node_size = rows;
        self
    }

    /// Least share of a node's treatment variation in a child.
    pub fn alpha(mut self, share: f64) -> Self {
        self.alpha = share;
        self
    }

    /// Charge on unequal children.
    pub fn imbalance_penalty(mut self, penalty: f64) -> Self {
        self.imbalance_penalty = penalty;
        self
    }

    /// Features tried at a split, on average.
    pub fn features_per_split(mut self, count: f64) -> Self {
        self.features_per_split = Some(count);
        self
    }

    /// Trees that share a half sample.
    pub fn bag_size(mut self, trees: usize) -> Self {
        self.bag_size = trees;
        self
    }

    /// The seed.
    pub fn seed(mut self, seed: impl Into<Seed>) -> Self {
        self.seed = Some(seed.into());
        self
    }

    /// Fits to the frame.
    ///
    /// # Errors
    /// See [`CausalForest`].
    pub fn fit(&self, frame: &Frame) -> Result<CausalForestFit> {
        self.fit_with(frame, &Progress::none())
    }

    /// Fits to the frame, watched.
    ///
    /// # Errors
    /// See [`CausalForest`]; [`Error::Cancelled`].
    pub fn fit_with(&self, frame: &Frame, progress: &Progress) -> Result<CausalForestFit> {
        let seed = self.seed.ok_or_else(|| Error::SeedRequired {
            what: "a causal forest".to_owned(),
        })?;
        let plan = self.check()?;
        let prepared = Prepared::new(self, frame)?;
        CausalForestFit::new(
            self,
            frame,
            prepared,
            &plan,
            seed.child("causal forest"),
            progress,
        )
    }

    /// Where the means given the features came from, in words.
    pub(super) fn describe_nuisances(&self) -> String {
        let given = [
            &self.outcome_hat,
            &self.propensity_hat,
            &self.instrument_hat,
        ];
        let given = given.iter().filter(|hat| hat.is_some()).count();
        match given {
            0 => self.nuisances.describe(),
            g if g == 2 + usize::from(self.instrument.is_some()) => "given".to_owned(),
            _ => format!("given in part, else {}", self.nuisances.describe()),
        }
    }

    pub(super) fn smallest_node(&self) -> usize {
        self.min_node_size
    }

    /// Refuses options out of range, and says how trees are grown.
    fn check(&self) -> Result<Plan> {
        let p = self.features.len();
        let most = if self.bag_size > 1 { 0.5 } else { 1.0 };
        let tried = (p as f64).min(((p as f64).sqrt() + MORE_FEATURES).ceil());
        let growth = Growth {
            min_node_size: self.min_node_size,
            alpha: self.alpha,
            imbalance_penalty: self.imbalance_penalty,
            features_per_split: self.features_per_split.unwrap_or(tried),
        };
        let (fraction, honesty) = (self.sample_fraction, self.honesty_fraction);
        let of_split = growth.features_per_split;
        let rules: [(&str, String, bool, String); 8] = [
            (
                "features",
                p.to_string(),
                p > 0 && p < MOST_FEATURES,
                format!("from 1 to {} columns", MOST_FEATURES - 1),
            ),
            (
                "trees",
                self.trees.to_string(),
                self.trees > 0,
                "at least 1".to_owned(),
            ),
            (
                "bag_size",
                self.bag_size.to_string(),
                self.bag_size > 0,
                "at least 1, and 2 for variances".to_owned(),
            ),
            (
                "sample_fraction",
                fraction.to_string(),
                fraction > 0.0 && fraction <= most,
                format!(
                    "above 0 and at most {most}, since the trees of a bag share half of the rows"
                ),
            ),
            (
                "honesty_fraction",
                honesty.to_string(),
                honesty > 0.0 && honesty < 1.0,
                "between 0 and 1".to_owned(),
            ),
            (
                "min_node_size",
                self.min_node_size.to_string(),
                self.min_node_size > 0 && self.min_node_size < 1 << 24,
                "at least 1".to_owned(),
            ),
            (
                "alpha",
                self.alpha.to_string(),
                (0.0..0.25).contains(&self.alpha),
                "from 0 to below 0.25".to_owned(),
            ),
            (
                "imbalance_penalty",
                self.imbalance_penalty.to_string(),
                self.imbalance_penalty >= 0.0 && self.imbalance_penalty.is_finite(),
                "finite and not negative".to_owned(),
            ),
        ];
        if let Some((option, value, _, expected)) = rules.into_iter().find(|rule| !rule.2) {
            return Err(Error::invalid_option(option, value, expected));
        }
        if !(1.0..=p as f64).contains(&of_split) {
            return Err(Error::invalid_option(
                "features_per_split",
                of_split,
                format!("from 1 to the number of features, {p}"),
            ));
        }
        self.nuisances.check()?;
        Ok(Plan {
            moment: if self.instrument.is_some() {
                Moment::Instrument
            } else {
                Moment::Effect
            },
            bags: self.trees.div_ceil(self.bag_size),
            sampling: Sampling {
                bag: self.bag_size,
                fraction,
                honesty,
            },
            growth,
        })
    }
}
