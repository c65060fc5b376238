//! The multi-arm causal forest: the effects of several treatments against one control.

use super::arm_moment::MOST_TREATMENTS;
use super::moment::Moment;
use super::multi_arm_fit::MultiArmForestFit;
use super::nuisance::ForestNuisances;
use super::options::{TreeOptions, tree_options};
use super::prepare::{ROWS_OF_ARM, check_clusters, check_rows, empty_features};
use crate::causal::builders::row_columns;
use crate::causal::sample::{CausalSample, Columns};
use crate::data::Frame;
use crate::error::{Error, Result};
use crate::numeric::Progress;
use serde::{Deserialize, Serialize};

/// A forest of honest trees for the effects of several arms against control. With `W̃_k = 1{W = k} − P(W = k | X)` for every arm k but control
/// and `Ỹ = Y − E[Y | X]`, the vector of effects at x solves
///
/// `Σ_i α_i(x) (Ỹ_i − τ(x)'W̃_i − c(x)) (1, W̃_i) = 0`,
///
/// where `α_i(x)` is how often row i falls in the leaf of x: `τ_k(x) = E[Y(k) − Y(control) | X = x]` when nothing but X drives both arm and
/// outcome and every x has some of each arm. All effects share the trees, whose splits maximise the squared differences of the effects
/// between children, summed over arms. With two arms it is the [`CausalForest`](super::CausalForest).
///
/// | name | default | meaning | range |
/// |---|---|---|---|
/// | `control` | the first level | the arm that others are compared with | |
/// | `nuisances` | linear, boosted trees, forest; 5 folds | how `E[Y \| X]` and `P(W = k \| X)` are learned | |
/// | `outcome_hat` | learned | a column that holds `E[Y \| X]` | |
/// | `propensity` | learned | a column with the probability of an arm; one arm may be left out | (0, 1) |
/// | `weights`, `clusters` | none | columns | |
/// | `min_node_size` | 4 | fewest rows with, and without, each arm in a child | ≥ 1 |
/// | `alpha` | 0.05 | least share of the node's variation of each arm in a child | [0, 0.25) |
///
/// The other options are those of [`CausalForest`](super::CausalForest). Learned probabilities are scaled to sum to one and kept 0.01 from 0.
///
/// # Errors
/// [`Error::SeedRequired`]; those of finding columns; [`Error::MissingClusters`]; [`Error::Unidentified`] for an outcome that does not vary or an
/// arm with too few rows; [`Error::InvalidOption`], also for more than 16 arms; those of the learners.
///
/// # References
/// - Athey, Tibshirani & Wager (2019), *Annals of Statistics* 47(2), doi:10.1214/18-AOS1709 (section 6 on vectors of effects).
/// - Nie & Wager (2021), *Biometrika* 108(2), doi:10.1093/biomet/asaa076.
///
/// # Examples
/// ```
/// use cocreate::prelude::*;
/// let n = 900_usize;
/// let age: Vec<f64> = (0..n).map(|i| (i * 37 % 100) as f64 / 100.0).collect();
/// let arm: Vec<&str> = (0..n).map(|i| ["none", "mail", "call"][i * 7919 % 1009 % 3]).collect();
/// let spend: Vec<f64> = (0..n).map(|i| {
///     let effect = match arm[i] { "mail" => 1.0, "call" => 3.0 * f64::from(u8::from(age[i] > 0.5)), _ => 0.0 };
///     age[i] + effect + (i % 13) as f64 / 13.0
/// }).collect();
/// let frame = Frame::new().with("age", age)?.with("arm", arm)?.with("spend", spend)?;
/// let forest = MultiArmForest::new("spend", "arm", &["age"]).control("none").nuisances(ForestNuisances::OutOfBag);
/// let fit = forest.trees(200).seed(7).fit(&frame)?;
/// let effects = fit.predict(&Frame::new().with("age", vec![0.2, 0.8])?)?;
/// let call = &effects.arm("call")?.estimates;
/// assert!(call[0].abs() < 0.6 && (call[1] - 3.0).abs() < 0.6);
/// let average = fit.average_effect().coefficient("mail")?;
/// assert!((average.estimate - 1.0).abs() < 4.0 * average.std_error);
/// // Scores for curves and policies.
/// assert_eq!(fit.scores().arms(), ["none", "call", "mail"]);
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MultiArmForest {
    pub(super) columns: Columns,
    pub(super) outcome_hat: Option<String>,
    pub(super) nuisances: ForestNuisances,
    pub(super) options: TreeOptions,
}

impl MultiArmForest {
    /// The effects of the arms in a column on an outcome, as a function of these columns.
    pub fn new<S: AsRef<str>>(
        outcome: impl AsRef<str>,
        treatment: impl AsRef<str>,
        features: &[S],
    ) -> Self {
        Self {
            columns: Columns::new(outcome.as_ref(), treatment.as_ref(), features),
            outcome_hat: None,
            nuisances: ForestNuisances::default(),
            options: TreeOptions::new(super::causal::MIN_NODE_SIZE),
        }
    }

    /// The arm that others are compared with.
    pub fn control(mut self, arm: impl Into<String>) -> Self {
        self.columns.control = Some(arm.into());
        self
    }

    /// A column that holds `E[Y | X]`.
    pub fn outcome_hat(mut self, column: impl Into<String>) -> Self {
        self.outcome_hat = Some(column.into());
        self
    }

    /// A column that holds the probability of an arm. Give it for all arms but one, or for all.
    pub fn propensity(mut self, arm: impl Into<String>, column: impl Into<String>) -> Self {
        self.columns.propensities.push((arm.into(), column.into()));
        self
    }

    /// How the means given the features are learned.
    pub fn nuisances(mut self, nuisances: ForestNuisances) -> Self {
        self.nuisances = nuisances;
        self
    }

    /// Fits to the frame.
    ///
    /// # Errors
    /// See [`MultiArmForest`].
    pub fn fit(&self, frame: &Frame) -> Result<MultiArmForestFit> {
        self.fit_with(frame, &Progress::none())
    }

    /// Fits to the frame, watched.
    ///
    /// # Errors
    /// See [`MultiArmForest`]; [`Error::Cancelled`].
    pub fn fit_with(&self, frame: &Frame, progress: &Progress) -> Result<MultiArmForestFit> {
        let seed = self.options.seed.ok_or_else(|| Error::SeedRequired {
            what: "a multi-arm causal forest".to_owned(),
        })?;
        // The number of arms is known when the frame is read; options are checked before.
        let plan = self
            .options
            .plan(Moment::Arms(1), self.columns.features.len())?;
        self.nuisances.check()?;
        let sample = self.columns.read(frame)?;
        self.check(&sample)?;
        let outcome_hat = self.given(frame, &sample)?;
        MultiArmForestFit::new(
            self,
            &sample,
            outcome_hat,
            plan,
            seed.child("causal forest"),
            progress,
        )
    }

    /// Refuses arms that are too many or too small.
    fn check(&self, sample: &CausalSample) -> Result<()> {
        if sample.arms.len() > MOST_TREATMENTS + 1 {
            return Err(Error::invalid_option(
                "treatment",
                format!("`{}` with {} arms", sample.treatment, sample.arms.len()),
                format!("a column with at most {} arms", MOST_TREATMENTS + 1),
            ));
        }
        check_rows(sample.len())?;
        if let (Some(name), Some(codes)) = (&sample.cluster_column, &sample.clusters) {
            let last = codes.iter().max().map_or(0, |c| *c as usize);
            check_clusters(name, last + 1)?;
        }
        let least = ROWS_OF_ARM * self.options.min_node_size;
        let mut rows = vec![0; sample.arms.len()];
        for (i, arm) in sample.arm_of.iter().enumerate() {
            rows[*arm as usize] += usize::from(sample.weight(i) > 0.0);
        }
        match sample
            .arms
            .iter()
            .zip(&rows)
            .find(|(_, rows)| **rows < least)
        {
            None => Ok(()),
            Some((arm, rows)) => Err(Error::Unidentified {
                what: format!("an effect with arm `{arm}` of `{}`", sample.treatment),
                needs: format!(
                    "at least {least} rows of each arm; it has {rows} (a smaller .min_node_size needs fewer; or leave the arm out)"
                ),
            }),
        }
    }

    /// The given `E[Y | X]` of the rows in use.
    fn given(&self, frame: &Frame, sample: &CausalSample) -> Result<Option<Vec<f64>>> {
        let Some(column) = &self.outcome_hat else {
            return Ok(None);
        };
        let values = sample.rows.gather(frame.numeric(column)?.values());
        match values.iter().position(|v| !v.is_finite()) {
            None => Ok(Some(values)),
            Some(i) => Err(Error::OutOfRange {
                column: column.clone(),
                row: sample.rows.index(i) + 1,
                value: values[i],
                expected: "a finite number wherever there is an outcome".to_owned(),
            }),
        }
    }
}

row_columns!(
    MultiArmForest,
    "A column of clusters: rows of a cluster are drawn, held out and summed together.",
    columns
);

tree_options!(
    MultiArmForest,
    "Fewest rows with, and without, each arm in a child."
);

impl MultiArmForest {
    /// What a reader of the numbers must know about the rows, before anything is fitted.
    pub(super) fn warned(sample: &CausalSample) -> Vec<crate::error::Warning> {
        let mut warnings = sample.warnings.clone();
        warnings.extend(empty_features(&sample.features, &sample.all()));
        warnings
    }
}
