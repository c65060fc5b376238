//! The causal forest: who responds to a treatment, and how sure one is.

use super::fit::CausalForestFit;
use super::moment::Moment;
use super::nuisance::ForestNuisances;
use super::options::{TreeOptions, tree_options};
use super::plan::Plan;
use super::prepare::Prepared;
use crate::causal::builders::row_columns;
use crate::data::Frame;
use crate::error::{Error, Result};
use crate::numeric::{Progress, Seed};
use serde::{Deserialize, Serialize};

/// With grf's 5, 95 % intervals cover 83, 82 and 98 % of the effects of setups A to C of Nie & Wager (2021; 2 000 rows, true nuisances), with 4 they
/// cover 87, 83 and 99 %; the mean squared errors change by 0, −4 and +10 %.
pub(super) const MIN_NODE_SIZE: usize = 4;

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
/// | `tuned` | false | whether the last options but `bag_size` and `sample_fraction` are chosen by the out-of-bag loss | |
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
    pub(super) options: TreeOptions,
    pub(super) tuned: bool,
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
            options: TreeOptions::new(MIN_NODE_SIZE),
            tuned: false,
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

    /// Whether the shape of trees is chosen by their out-of-bag loss; see [`ForestTuning`](super::ForestTuning). The options of this forest are one of
    /// the shapes, and kept unless another is better. It costs as much as 2700 trees.
    pub fn tuned(mut self, tuned: bool) -> Self {
        self.tuned = tuned;
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
        let (plan, seed) = self.drawing()?;
        self.nuisances.check()?;
        let prepared = Prepared::new(self, &[], frame)?;
        CausalForestFit::new(self, frame, prepared, &plan, seed, progress)
    }

    /// How trees are grown, and the seed they draw from.
    pub(super) fn drawing(&self) -> Result<(Plan, Seed)> {
        let seed = self.options.seed.ok_or_else(|| Error::SeedRequired {
            what: "a causal forest".to_owned(),
        })?;
        let moment = match self.instrument {
            Some(_) => Moment::Instrument,
            None => Moment::Effect,
        };
        let plan = self.options.plan(moment, self.features.len())?;
        Ok((plan, seed.child("causal forest")))
    }

    /// Where the means given the features came from, in words.
    pub(super) fn describe_nuisances(&self) -> String {
        let given = [
            &self.outcome_hat,
            &self.propensity_hat,
            &self.instrument_hat,
        ];
        let given = given.iter().filter(|hat| hat.is_some()).count();
        let wanted = 2 + usize::from(self.instrument.is_some());
        self.nuisances.describe_given(given, wanted)
    }

    pub(super) fn smallest_node(&self) -> usize {
        self.options.min_node_size
    }
}

row_columns!(
    CausalForest,
    "A column of clusters: rows of a cluster are drawn, held out and summed together."
);

tree_options!(
    CausalForest,
    "Fewest rows on each side of the mean treatment in a child."
);
