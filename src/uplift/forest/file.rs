//! Forests in files.

use super::fit::CausalForestFit;
use super::moment::Moment;
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{BufReader, BufWriter, Write};
use std::path::Path;

/// What the file says it is.
const KIND: &str = "cocreate causal forest";
/// The format of the file; it changes when older readers could not read newer files.
const VERSION: u32 = 2;

#[derive(Serialize)]
struct Written<'a> {
    kind: &'a str,
    version: u32,
    fit: &'a CausalForestFit,
}

#[derive(Deserialize)]
struct Header {
    kind: Option<String>,
    version: Option<u32>,
}

#[derive(Deserialize)]
struct Read {
    fit: CausalForestFit,
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

impl CausalForestFit {
    /// Writes the forest to a file of JSON that says its kind and version.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::Serialization`].
    pub fn write(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        let file = File::create(path).map_err(|e| io(path, &e))?;
        let mut out = BufWriter::new(file);
        let written = Written {
            kind: KIND,
            version: VERSION,
            fit: self,
        };
        serde_json::to_writer(&mut out, &written)
            .map_err(|e| wrong(path, &format!("cannot be written: {e}")))?;
        out.flush().map_err(|e| io(path, &e))
    }

    /// Reads a forest from a file. It predicts as before, bit by bit; the frame is not in the file.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::Serialization`] for another kind of file, another version, or a file that was changed.
    pub fn read(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let open = || {
            let file = File::open(path).map_err(|e| io(path, &e))?;
            Ok::<_, Error>(BufReader::new(file))
        };
        let header: Header = serde_json::from_reader(open()?)
            .map_err(|e| wrong(path, &format!("is no file of a causal forest: {e}")))?;
        if header.kind.as_deref() != Some(KIND) {
            return Err(wrong(path, "is no file of a causal forest"));
        }
        if header.version != Some(VERSION) {
            let found = header
                .version
                .map_or_else(|| "none".to_owned(), |v| v.to_string());
            return Err(wrong(
                path,
                &format!(
                    "has version {found} where {VERSION} is read; fit the forest again, or use the version of cocreate that wrote it"
                ),
            ));
        }
        let Read { fit } = serde_json::from_reader(open()?)
            .map_err(|e| wrong(path, &format!("does not read as a causal forest: {e}")))?;
        if fit.is_sound() {
            Ok(fit)
        } else {
            Err(wrong(path, "was changed: its trees do not fit together"))
        }
    }

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
        let edges = |cut: &super::codes::Cuts| match cut {
            super::codes::Cuts::Edges(edges) => edges.len() < usize::from(u8::MAX),
            super::codes::Cuts::Levels(_) => true,
        };
        let size = self.ensemble.moment.size();
        self.ensemble.moment == moment
            && self.ensemble.overall.len() == 1
            && s.instrument.is_some() == self.forest.instrument.is_some()
            && self.ensemble.bag > 0
            && self.cuts.len() == features
            && self.cuts.iter().all(edges)
            && lengths.iter().all(|l| *l == n)
            && s.clusters.as_ref().is_none_or(inside)
            && (s.kept.is_empty() || s.kept.len() == n)
            && self
                .ensemble
                .trees
                .iter()
                .all(|tree| tree.is_sound(features, size))
    }
}
