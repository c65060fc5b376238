//! The record of a Monte Carlo study: every estimate of every replication, mergeable and serialisable.

use super::performance::{Measure, Performance, performance};
use super::render::{self, MonteCarloTable};
use super::replication::Entry;
use super::stored::Stored;
use crate::error::{Error, Result, nearest_name};
use crate::numeric::Seed;
use crate::report::{Figure, Table};
use serde::{Deserialize, Serialize};
use std::fmt;

/// What became of one replication.
#[derive(Clone, Debug)]
pub(super) struct Outcome {
    pub index: usize,
    pub entries: Vec<Entry>,
    /// The sentence of the error, when it failed.
    pub failure: Option<String>,
    /// The error itself, as long as the record is in memory.
    error: Option<Error>,
}

impl Outcome {
    pub(super) fn done(index: usize, entries: Vec<Entry>) -> Self {
        Self {
            index,
            entries,
            failure: None,
            error: None,
        }
    }

    pub(super) fn failed(index: usize, error: Error) -> Self {
        Self {
            index,
            entries: Vec::new(),
            failure: Some(error.to_string()),
            error: Some(error),
        }
    }

    pub(super) fn read(index: usize, entries: Vec<Entry>, failure: Option<String>) -> Self {
        Self {
            index,
            entries,
            failure,
            error: None,
        }
    }

    /// Whether both have the same bits; numbers that are none are all alike.
    fn same(&self, other: &Self) -> bool {
        let alike = |a: &f64, b: &f64| a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan());
        self.failure == other.failure
            && self.entries.len() == other.entries.len()
            && self.entries.iter().zip(&other.entries).all(|(a, b)| {
                a.name == b.name
                    && (a.numbers().iter())
                        .zip(&b.numbers())
                        .all(|(a, b)| alike(a, b))
            })
    }
}

/// A failed replication.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// The replication, from 0.
    pub replication: usize,
    /// Why it failed.
    pub message: String,
}

/// What a [`MonteCarlo`](super::MonteCarlo) study found: all estimates of all replications in the order of their index.
///
/// It is written as JSON and read again with the same bits, so that a long study can be stored, extended, merged from
/// shards, and checked by running a few of its replications again.
#[derive(Clone, Serialize, Deserialize)]
#[serde(into = "Stored", try_from = "Stored")]
pub struct MonteCarloFit {
    pub(super) title: String,
    pub(super) seed: Seed,
    pub(super) level: f64,
    /// Sorted by index.
    pub(super) outcomes: Vec<Outcome>,
}

impl MonteCarloFit {
    pub(super) fn empty(title: String, seed: Seed, level: f64) -> Self {
        Self {
            title,
            seed,
            level,
            outcomes: Vec::new(),
        }
    }

    /// Replications done, those that failed included.
    pub fn replications(&self) -> usize {
        self.outcomes.len()
    }

    /// The replications that failed.
    pub fn failures(&self) -> Vec<Failure> {
        let failed = |o: &Outcome| {
            o.failure.as_ref().map(|message| Failure {
                replication: o.index,
                message: message.clone(),
            })
        };
        self.outcomes.iter().filter_map(failed).collect()
    }

    /// Confidence level of the intervals.
    pub fn level(&self) -> f64 {
        self.level
    }

    /// The title.
    pub fn title(&self) -> &str {
        &self.title
    }

    /// The names of what was estimated, in the order in which they first appear.
    pub fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        for entry in self.outcomes.iter().flat_map(|o| &o.entries) {
            if !names.contains(&entry.name) {
                names.push(entry.name.clone());
            }
        }
        names
    }

    /// The estimates of one quantity, in the order of the replications that have it.
    ///
    /// # Errors
    /// [`Error::UnknownCoefficient`].
    pub fn estimates(&self, name: &str) -> Result<Vec<f64>> {
        Ok(self.entries(name)?.iter().map(|e| e.estimate).collect())
    }

    /// How one quantity was estimated.
    ///
    /// # Errors
    /// [`Error::UnknownCoefficient`].
    pub fn performance(&self, name: &str) -> Result<Performance> {
        Ok(performance(name, &self.entries(name)?, self.level))
    }

    /// How every quantity was estimated.
    pub fn performances(&self) -> Vec<Performance> {
        let one = |name: &String| self.performance(name).ok();
        self.names().iter().filter_map(one).collect()
    }

    fn entries(&self, name: &str) -> Result<Vec<&Entry>> {
        let all = self.outcomes.iter().flat_map(|o| &o.entries);
        let found: Vec<&Entry> = all.filter(|e| e.name == name).collect();
        if found.is_empty() {
            let available = self.names();
            return Err(Error::UnknownCoefficient {
                name: name.to_owned(),
                nearest: nearest_name(name, &available),
                available,
            });
        }
        Ok(found)
    }

    /// Puts shards, or studies that were extended in different places, together; the order in which they are given
    /// does not matter.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] when there is none, when they have different seeds or levels, or when they have different
    /// numbers for the same replication.
    pub fn merge(shards: impl IntoIterator<Item = Self>) -> Result<Self> {
        let mut shards = shards.into_iter();
        let mut merged = shards
            .next()
            .ok_or_else(|| Error::invalid_option("shards", "none", "at least one"))?;
        for shard in shards {
            merged.same_study(&shard)?;
            if let Some(outcome) = shard.outcomes.iter().find(|o| !merged.agrees(o)) {
                return Err(Error::invalid_option(
                    "shards",
                    format!("replication {}", outcome.index),
                    "replications that have the same numbers in all shards which have them",
                ));
            }
            merged.push(shard.outcomes);
        }
        Ok(merged)
    }

    /// Reads what [`MonteCarloFit::to_json`] has written.
    ///
    /// # Errors
    /// [`Error::Serialization`].
    pub fn from_json(text: &str) -> Result<Self> {
        serde_json::from_str(text).map_err(|e| Error::Serialization {
            message: e.to_string(),
        })
    }

    /// The record as JSON: names once, numbers with all their digits.
    ///
    /// # Errors
    /// [`Error::Serialization`].
    pub fn to_json(&self) -> Result<String> {
        serde_json::to_string(self).map_err(|e| Error::Serialization {
            message: e.to_string(),
        })
    }

    /// The simulation table of a paper: for every quantity truth, mean estimate, bias, standard deviation, mean standard
    /// error, RMSE, coverage and rejections, with Monte Carlo errors in parentheses.
    pub fn table(&self) -> Table {
        render::table(&self.title, &[("", self)])
    }

    /// The table as HTML.
    pub fn to_html(&self) -> String {
        self.table().to_html()
    }

    /// The table as LaTeX.
    pub fn to_latex(&self) -> String {
        self.table().to_latex()
    }

    /// One measure of every quantity as dots with 95 % Monte Carlo intervals.
    ///
    /// # Errors
    /// As [`crate::report::CoefficientPlot::draw`].
    pub fn plot(&self, measure: Measure) -> Result<Figure> {
        MonteCarloTable::new(&self.title)
            .scenario("", self)
            .plot(measure)
    }

    pub(super) fn has(&self, index: usize) -> bool {
        self.find(index).is_some()
    }

    fn find(&self, index: usize) -> Option<&Outcome> {
        let place = self.outcomes.binary_search_by_key(&index, |o| o.index);
        place.ok().map(|i| &self.outcomes[i])
    }

    /// Whether the record has not this replication, or has it with the same numbers.
    pub(super) fn agrees(&self, outcome: &Outcome) -> bool {
        self.find(outcome.index).is_none_or(|o| o.same(outcome))
    }

    /// Adds replications; those that are there already stay as they are.
    pub(super) fn push(&mut self, outcomes: impl IntoIterator<Item = Outcome>) {
        self.outcomes.extend(outcomes);
        self.outcomes.sort_by_key(|o| o.index);
        self.outcomes.dedup_by_key(|o| o.index);
    }

    /// Refuses a record of another study.
    pub(super) fn same_study(&self, other: &Self) -> Result<()> {
        if self.seed == other.seed && self.level.to_bits() == other.level.to_bits() {
            return Ok(());
        }
        Err(Error::invalid_option(
            "record of replications",
            format!("seed {}, level {}", self.seed.value(), self.level),
            format!(
                "seed {} and level {}, as in the other",
                other.seed.value(),
                other.level
            ),
        ))
    }

    /// The first error, when nothing but errors came of the study.
    pub(super) fn or_first_error(&self) -> Result<()> {
        if self.outcomes.iter().any(|o| o.failure.is_none()) {
            return Ok(());
        }
        match self.outcomes.iter().find_map(|o| o.error.clone()) {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }
}

impl fmt::Display for MonteCarloFit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.table().fmt(f)
    }
}

impl fmt::Debug for MonteCarloFit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MonteCarloFit")
            .field("title", &self.title)
            .field("seed", &self.seed)
            .field("replications", &self.outcomes.len())
            .field("names", &self.names())
            .finish_non_exhaustive()
    }
}

/// The same numbers for the same replications.
impl PartialEq for MonteCarloFit {
    fn eq(&self, other: &Self) -> bool {
        self.same_study(other).is_ok()
            && self.outcomes.len() == other.outcomes.len()
            && self
                .outcomes
                .iter()
                .all(|o| other.has(o.index) && other.agrees(o))
    }
}

crate::report::notebook!(MonteCarloFit);
