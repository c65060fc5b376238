//! What forests of an outcome without treatment share: their columns, the rows in use, and the trees with the rows in their leaves.

use super::codes::{Binned, Codes, Cuts};
use super::file::cuts_are_sound;
use super::neighbours::{Grove, Neighbourhood, ask};
use super::options::TreeOptions;
use super::plan::{Plan, Seen};
use super::prepare::{check_rows, clusters, complete, empty_features, weights_of};
use super::relabel::Relabel;
use crate::data::{Frame, Rows};
use crate::error::{Error, Result, Warning};
use crate::numeric::{Progress, Seed};
use crate::regression::learners::Features;
use crate::regression::learners::features::FeatureInfo;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The names of the columns beside the outcome.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Beside {
    pub(super) features: Vec<String>,
    pub(super) weights: Option<String>,
    pub(super) clusters: Option<String>,
}

/// The rows on which the outcome is known.
#[derive(Clone)]
pub(super) struct OutcomeRows {
    pub(super) features: Features,
    pub(super) rows: Rows,
    pub(super) weights: Option<Vec<f64>>,
    pub(super) clusters: Option<(Vec<u32>, usize)>,
    pub(super) warnings: Vec<Warning>,
}

impl Beside {
    pub(super) fn new<S: AsRef<str>>(features: &[S]) -> Self {
        Self {
            features: features.iter().map(|f| f.as_ref().to_owned()).collect(),
            weights: None,
            clusters: None,
        }
    }

    /// Reads the rows on which all parts of the outcome, and the weight, are known.
    pub(super) fn read(&self, frame: &Frame, outcome: &[&String]) -> Result<OutcomeRows> {
        if let Some(part) = outcome.iter().find(|part| self.features.contains(part)) {
            return Err(Error::invalid_option(
                "features",
                format!("with `{part}` among them"),
                "columns other than the outcome",
            ));
        }
        let features = Features::from_frame(frame, &self.features)?;
        let mut needed = outcome.to_vec();
        needed.extend(&self.weights);
        let (rows, warning) = complete(frame, &needed)?;
        check_rows(rows.len())?;
        let weights = self.weights.as_ref();
        let weights = weights.map(|name| weights_of(frame, name, &rows));
        let weights = weights.transpose()?;
        let clusters = self
            .clusters
            .as_ref()
            .map(|name| clusters(frame, name, &rows))
            .transpose()?;
        let mut warnings: Vec<Warning> = warning.into_iter().collect();
        warnings.extend(empty_features(&features, &rows));
        Ok(OutcomeRows {
            features,
            rows,
            weights,
            clusters,
            warnings,
        })
    }
}

impl OutcomeRows {
    pub(super) fn weight(&self, row: usize) -> f64 {
        self.weights.as_ref().map_or(1.0, |w| w[row])
    }
}

/// Trees with the rows in their leaves, and how new rows are cut.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Grown {
    pub(super) info: Arc<Vec<FeatureInfo>>,
    cuts: Vec<Cuts>,
    pub(super) groves: Vec<Grove>,
    /// Rows that trees were grown on.
    pub(super) rows: usize,
}

/// What a forest was grown on, for predictions out of bag.
pub(super) struct Training {
    pub(super) codes: Codes,
    pub(super) seen: Seen,
}

impl Grown {
    /// Grows the trees of a relabelling; `points` has one entry a row in use.
    pub(super) fn new<const L: usize, R: Relabel<L>>(
        relabel: &R,
        points: &[R::Point],
        sample: &mut OutcomeRows,
        plan: &Plan,
        seed: Seed,
        progress: &Progress,
    ) -> Result<(Self, Training)> {
        let binned = Binned::new(
            &sample.features,
            &sample.rows,
            sample.clusters.as_ref(),
            &mut sample.warnings,
        );
        let data = binned.data(points, true);
        let counts = |row: u32| sample.weight(row as usize) > 0.0;
        let fill =
            |tree, drawn: &super::sample::Drawn| Grove::filled(tree, drawn, &binned.codes, counts);
        let (groves, seen) = plan.trees(relabel, &data, seed, progress, fill)?;
        let grown = Self {
            info: Arc::clone(sample.features.info()),
            cuts: binned.cuts,
            groves,
            rows: points.len(),
        };
        let codes = binned.codes;
        Ok((grown, Training { codes, seen }))
    }

    /// Asks the neighbourhood of every row of a frame, by all trees; also how many labels training had not.
    pub(super) fn ask<A: Send + Clone + Default>(
        &self,
        frame: &Frame,
        answer: impl Fn(usize, &Neighbourhood) -> A + Sync,
    ) -> Result<(Vec<A>, usize)> {
        let features = Features::matching(frame, &self.info)?;
        let codes = Codes::cut(&features, &self.cuts);
        let answers = ask(&self.groves, self.rows, &codes, None, answer);
        Ok((answers, features.unseen()))
    }

    /// Asks the neighbourhood of every row in use, by the trees that have not seen it.
    pub(super) fn ask_out_of_bag<A: Send + Clone + Default>(
        &self,
        training: &Training,
        answer: impl Fn(usize, &Neighbourhood) -> A + Sync,
    ) -> Vec<A> {
        let seen = Some(&training.seen);
        ask(&self.groves, self.rows, &training.codes, seen, answer)
    }

    /// Whether trees, cuts and rows fit each other.
    pub(super) fn is_sound(&self, rows: usize) -> bool {
        let features = self.info.len();
        let whole = |grove: &Grove| grove.is_sound(features, rows);
        self.rows == rows && cuts_are_sound(&self.cuts, features) && self.groves.iter().all(whole)
    }

    /// Features with their share of the splits in the first four levels.
    pub(super) fn importance(&self) -> Vec<(String, f64)> {
        super::fit::ranked(self.groves.iter().map(Grove::tree), &self.info)
    }
}

impl TreeOptions {
    /// The seed, and how trees of an outcome are grown.
    pub(super) fn drawing(&self, features: usize, what: &str) -> Result<(Plan, Seed)> {
        let seed = self.seed.ok_or_else(|| Error::SeedRequired {
            what: format!("a {what}"),
        })?;
        let plan = self.plan(super::moment::Moment::Mean, features)?;
        Ok((plan, seed.child(what)))
    }
}
