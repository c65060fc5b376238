//! Learners of one's own.

use super::features::Features;
use super::training::TrainingSet;
use crate::data::Rows;
use crate::error::{Error, Result};
use crate::numeric::{Progress, Seed};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::sync::Arc;

/// A learner written elsewhere. It should draw random numbers from `seed` only, so that results can be repeated.
pub trait CustomLearner: Send + Sync {
    /// Its name: in tables, and all that is written to a file.
    fn name(&self) -> &str;

    /// Learns from the rows in use; the set has been checked.
    ///
    /// # Errors
    /// Whatever it cannot learn from.
    fn fit(&self, set: &TrainingSet, seed: Seed, progress: &Progress)
    -> Result<Arc<dyn CustomFit>>;
}

/// What a custom learner has learned.
pub trait CustomFit: Send + Sync {
    /// Writes a prediction for each of `rows`, in order, to `out` of the same length.
    ///
    /// # Errors
    /// Whatever it cannot predict from.
    fn predict(&self, features: &Features, rows: &Rows, out: &mut [f64]) -> Result<()>;
}

/// A [`CustomLearner`] behind an `Arc`. Two are equal when their names are. A file keeps the name only: one read back has to be replaced by
/// the learner itself before it can fit.
#[derive(Clone)]
pub struct Custom {
    name: String,
    learner: Option<Arc<dyn CustomLearner>>,
}

impl Custom {
    /// Wraps a learner.
    pub fn new(learner: impl CustomLearner + 'static) -> Self {
        Self {
            name: learner.name().to_owned(),
            learner: Some(Arc::new(learner)),
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn learn(
        &self,
        set: &TrainingSet,
        seed: Seed,
        progress: &Progress,
    ) -> Result<FittedCustom> {
        let learner = self.learner.as_ref().ok_or_else(|| not_kept(&self.name))?;
        Ok(FittedCustom {
            name: self.name.clone(),
            fit: Some(learner.fit(set, seed, progress)?),
        })
    }
}

fn not_kept(name: &str) -> Error {
    Error::DataNotKept {
        what: format!(
            "the custom learner `{name}` was read from a file, which keeps its name only; using it"
        ),
        remedy: "make it again with Custom::new".to_owned(),
    }
}

impl PartialEq for Custom {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl fmt::Debug for Custom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Custom").field(&self.name).finish()
    }
}

impl Serialize for Custom {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.name)
    }
}

impl<'de> Deserialize<'de> for Custom {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        Ok(Self {
            name: String::deserialize(deserializer)?,
            learner: None,
        })
    }
}

/// A custom learner after fitting.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct FittedCustom {
    pub(crate) name: String,
    #[serde(skip)]
    fit: Option<Arc<dyn CustomFit>>,
}

impl FittedCustom {
    pub(crate) fn predict(&self, features: &Features, rows: &Rows, out: &mut [f64]) -> Result<()> {
        match &self.fit {
            Some(fit) => fit.predict(features, rows, out),
            None => Err(not_kept(&self.name)),
        }
    }
}

impl fmt::Debug for FittedCustom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("FittedCustom").field(&self.name).finish()
    }
}
