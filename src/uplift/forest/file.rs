//! Forests and trees in files of JSON that say their kind and version.

use super::arm_moment::{MOST_TREATMENTS, room};
use super::causal_survival_fit::CausalSurvivalForestFit;
use super::codes::Cuts;
use super::fit::CausalForestFit;
use super::linear_forest_fit::LocalLinearForestFit;
use super::moment::Moment;
use super::multi_arm_fit::MultiArmForestFit;
use super::quantile_fit::QuantileForestFit;
use super::survival_fit::SurvivalForestFit;
use crate::error::{Error, Result};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{BufReader, BufWriter, Write};
use std::path::Path;

/// A model that has a file.
pub(super) trait Filed: Serialize + DeserializeOwned {
    /// What the file says it is.
    const KIND: &'static str;
    /// The format of the file; it changes when older readers could not read newer files.
    const VERSION: u32;

    /// Whether its parts fit together, so that predictions stay inside of them.
    fn is_sound(&self) -> bool;
}

/// The methods of models that have a file.
macro_rules! filed {
    ($type:ident) => {
        impl $type {
            /// Writes the model to a file of JSON that says its kind and version.
            ///
            /// # Errors
            /// [`Error::Io`](crate::Error::Io); [`Error::Serialization`](crate::Error::Serialization).
            pub fn write(&self, path: impl AsRef<std::path::Path>) -> crate::error::Result<()> {
                crate::uplift::forest::file::write(self, path.as_ref())
            }

            /// Reads a model from a file. It predicts as before, bit by bit; the frame is not in the file.
            ///
            /// # Errors
            /// [`Error::Io`](crate::Error::Io); [`Error::Serialization`](crate::Error::Serialization) for another kind of file, another version, or a file
            /// that was changed.
            pub fn read(path: impl AsRef<std::path::Path>) -> crate::error::Result<Self> {
                crate::uplift::forest::file::read(path.as_ref())
            }
        }
    };
}
pub(super) use filed;

#[derive(Serialize)]
struct Written<'a, F> {
    kind: String,
    version: u32,
    fit: &'a F,
}

#[derive(Deserialize)]
struct Header {
    kind: Option<String>,
    version: Option<u32>,
}

#[derive(Deserialize)]
#[serde(bound = "F: DeserializeOwned")]
struct Read<F> {
    fit: F,
}

fn io(path: &Path, error: &std::io::Error) -> Error {
    Error::Io {
        path: path.display().to_string(),
        message: error.to_string(),
    }
}

fn wrong(path: &Path, message: &str) -> Error {
    Error::Serialization {
        message: format!("`{}` {message}", path.display()),
    }
}

fn kind<F: Filed>() -> String {
    format!("cocreate {}", F::KIND)
}

pub(super) fn write<F: Filed>(fit: &F, path: &Path) -> Result<()> {
    let file = File::create(path).map_err(|e| io(path, &e))?;
    let mut out = BufWriter::new(file);
    let written = Written {
        kind: kind::<F>(),
        version: F::VERSION,
        fit,
    };
    serde_json::to_writer(&mut out, &written)
        .map_err(|e| wrong(path, &format!("cannot be written: {e}")))?;
    out.flush().map_err(|e| io(path, &e))
}

pub(super) fn read<F: Filed>(path: &Path) -> Result<F> {
    let open = || {
        let file = File::open(path).map_err(|e| io(path, &e))?;
        Ok::<_, Error>(BufReader::new(file))
    };
    let another = || format!("is no file of {} {}", article(F::KIND), F::KIND);
    let header: Header = serde_json::from_reader(open()?)
        .map_err(|e| wrong(path, &format!("{}: {e}", another())))?;
    if header.kind != Some(kind::<F>()) {
        return Err(wrong(path, &another()));
    }
    if header.version != Some(F::VERSION) {
        let found = header
            .version
            .map_or_else(|| "none".to_owned(), |v| v.to_string());
        return Err(wrong(
            path,
            &format!(
                "has version {found} where {} is read; fit the model again, or use the version of cocreate that wrote it",
                F::VERSION
            ),
        ));
    }
    let Read::<F> { fit } = serde_json::from_reader(open()?).map_err(|e| {
        wrong(
            path,
            &format!("does not read as {} {}: {e}", article(F::KIND), F::KIND),
        )
    })?;
    if fit.is_sound() {
        Ok(fit)
    } else {
        Err(wrong(path, "was changed: its parts do not fit together"))
    }
}

fn article(kind: &str) -> &'static str {
    if kind.starts_with(['a', 'e', 'i', 'o', 'u']) {
        "an"
    } else {
        "a"
    }
}

/// Whether values of these features can be coded by their cuts.
pub(super) fn cuts_are_sound(cuts: &[Cuts], features: usize) -> bool {
    let edges = |cut: &Cuts| match cut {
        Cuts::Edges(edges) => edges.len() < usize::from(u8::MAX),
        Cuts::Levels(_) => true,
    };
    cuts.len() == features && cuts.iter().all(edges)
}

filed!(CausalForestFit);
filed!(CausalSurvivalForestFit);
filed!(LocalLinearForestFit);
filed!(MultiArmForestFit);
filed!(QuantileForestFit);
filed!(SurvivalForestFit);

impl Filed for CausalForestFit {
    const KIND: &'static str = "causal forest";
    const VERSION: u32 = 2;

    fn is_sound(&self) -> bool {
        let (n, features) = (self.rows(), self.info.len());
        let s = &self.sample;
        let moment = if self.forest.instrument.is_some() {
            Moment::Instrument
        } else {
            Moment::Effect
        };
        let lengths = [
            s.outcome_hat.len(),
            s.treatment.len(),
            s.propensity.len(),
            self.out_of_bag.estimates.len(),
            self.out_of_bag.variances.len(),
            s.weights.as_ref().map_or(n, Vec::len),
            s.treatment_variance.as_ref().map_or(n, Vec::len),
            s.clusters.as_ref().map_or(n, |(c, _)| c.len()),
            s.instrument.as_ref().map_or(n, |z| z.residual.len()),
            s.instrument.as_ref().map_or(n, |z| z.variance.len()),
            s.instrument.as_ref().map_or(n, |z| z.compliance.len()),
        ];
        let inside =
            |(codes, count): &(Vec<u32>, usize)| codes.iter().all(|c| (*c as usize) < *count);
        self.ensemble.is_sound(moment, 1, features)
            && s.instrument.is_some() == self.forest.instrument.is_some()
            && cuts_are_sound(&self.cuts, features)
            && lengths.iter().all(|l| *l == n)
            && s.clusters.as_ref().is_none_or(inside)
            && (s.kept.is_empty() || s.kept.len() == n)
    }
}

impl Filed for MultiArmForestFit {
    const KIND: &'static str = "multi-arm causal forest";
    const VERSION: u32 = 1;

    fn is_sound(&self) -> bool {
        let (n, features, arms) = (self.rows(), self.info.len(), self.arms().len());
        let treatments = arms.saturating_sub(1);
        let known = (1..=MOST_TREATMENTS).contains(&treatments);
        let whole = |columns: &[Vec<f64>]| {
            columns.len() == arms && columns.iter().all(|column| column.len() == n)
        };
        let scores = &self.scores;
        known
            && (self.ensemble).is_sound(Moment::Arms(treatments), room(treatments), features)
            && cuts_are_sound(&self.cuts, features)
            && self.outcome_hat.len() == n
            && whole(&self.propensities)
            && whole(&scores.values)
            && scores.weights.as_ref().is_none_or(|w| w.len() == n)
            && scores.clusters.as_ref().is_none_or(|c| c.len() == n)
            && self.out_of_bag.is_sound(self.arms(), n)
    }
}

impl Filed for CausalSurvivalForestFit {
    const KIND: &'static str = "causal survival forest";
    const VERSION: u32 = 1;

    fn is_sound(&self) -> bool {
        self.effects.is_sound() && self.followed.len() == self.effects.rows()
    }
}

impl Filed for LocalLinearForestFit {
    const KIND: &'static str = "local linear forest";
    const VERSION: u32 = 2;

    fn is_sound(&self) -> bool {
        let (n, locals) = (self.rows(), &self.locals);
        self.grown.is_sound(n)
            && self.forest.options.bag_size > 0
            && self.out_of_bag.estimates.len() == n
            && self.out_of_bag.variances.len() == n
            && self.scale.is_sound(self.grown.info.len())
            && locals.is_sound(n)
            && locals.w.is_none()
            && locals.count == self.scale.count()
    }
}

impl Filed for QuantileForestFit {
    const KIND: &'static str = "quantile forest";
    const VERSION: u32 = 2;

    fn is_sound(&self) -> bool {
        let n = self.rows();
        self.grown.is_sound(n)
            && self.order.len() == n
            && self.order.iter().all(|row| (*row as usize) < n)
            && self.weights.as_ref().is_none_or(|w| w.len() == n)
            && self.out_of_bag.is_sound(n, &self.forest.quantiles)
    }
}

impl Filed for SurvivalForestFit {
    const KIND: &'static str = "survival forest";
    const VERSION: u32 = 2;

    fn is_sound(&self) -> bool {
        let (n, most) = (self.rows(), self.grid.len());
        self.grown.is_sound(n)
            && self.reached.len() == n
            && self.reached.iter().all(|k| *k as usize <= most)
            && self.weights.as_ref().is_none_or(|w| w.len() == n)
            && self.out_of_bag.curves.len() == n
            && self.out_of_bag.variances.len() == n
            && (self
                .out_of_bag
                .curves
                .iter()
                .chain(&self.out_of_bag.variances))
            .all(|values| values.len() == self.times.len())
    }
}
