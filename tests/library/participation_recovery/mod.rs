//! Recovery of the truth by the models of participation and ability over many simulated samples, stored so that a few replications
//! are run again, bit for bit. `COCREATE_RECOVERY=write` runs all of them and writes the file anew; the names of models, separated by commas,
//! run those and leave the others as they are. A run that is stopped goes on where it was; `COCREATE_REPLICATIONS` asks for another number.
//! Studies that wait are too long for one night: they run when they are named, and are judged from when they are stored.
//! Where a change of the arithmetic moves nothing but rounding, `bits` stores the new bits of the few replications.

mod ability;
mod exchange;
mod joint;
#[cfg(test)]
mod judged;
mod learning;
mod lotteries;
mod scores;
mod stages;
mod stated;
mod trials;
mod voice;

use cocreate::prelude::*;
use rand::RngExt;
use rand_distr::{Distribution as _, StandardNormal};
use serde_json::{Value, json};

/// Customers of a sample.
const ROWS: usize = 5_000;

/// A sample and the truth behind it, by the names of the estimates.
type Sample = (Frame, Vec<(String, f64)>);

pub(crate) struct Model {
    pub(crate) name: &'static str,
    /// Replications whose numbers are stored one by one, and run again by the test.
    pub(crate) stored: usize,
    /// Whether the study may lack.
    pub(crate) waits: bool,
    simulate: fn(Seed) -> Sample,
    fit: fn(&Frame) -> Result<Vec<Estimate>>,
}

impl Model {
    const fn new(
        name: &'static str,
        simulate: fn(Seed) -> Sample,
        fit: fn(&Frame) -> Result<Vec<Estimate>>,
    ) -> Self {
        Self {
            name,
            stored: 2,
            waits: false,
            simulate,
            fit,
        }
    }

    /// One replication is run again: those that take long.
    const fn slow(mut self) -> Self {
        self.stored = 1;
        self
    }

    /// The study runs when it is named alone.
    const fn waiting(mut self) -> Self {
        self.waits = true;
        self
    }
}

pub(crate) fn models() -> Vec<Model> {
    [
        stages::models(),
        stated::models(),
        ability::models(),
        scores::models(),
        joint::models(),
        exchange::models(),
        trials::models(),
        voice::models(),
        learning::models(),
        lotteries::models(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// The coefficients of a fit, if all of them are numbers.
fn all(fit: &impl Inference) -> Result<Vec<Estimate>> {
    let found = fit.coefficients();
    let lost = found
        .iter()
        .find(|e| !(e.estimate.is_finite() && e.std_error.is_finite()));
    lost.map_or(Ok(()), |e| {
        Err(Error::NotFinite {
            what: format!("`{}`", e.name),
        })
    })?;
    Ok(found)
}

struct Draws {
    random: Box<dyn FnMut() -> (f64, f64)>,
}

impl Draws {
    fn new(seed: Seed) -> Self {
        let mut random = seed.stream(0);
        Self {
            random: Box::new(move || (StandardNormal.sample(&mut random), random.random::<f64>())),
        }
    }
    fn normals(&mut self, n: usize) -> Vec<f64> {
        (0..n).map(|_| (self.random)().0).collect()
    }
    fn uniforms(&mut self, n: usize) -> Vec<f64> {
        (0..n).map(|_| (self.random)().1).collect()
    }
    fn coins(&mut self, n: usize) -> Vec<f64> {
        self.uniforms(n).iter().map(|u| one(*u < 0.5)).collect()
    }
}

fn one(flag: bool) -> f64 {
    f64::from(u8::from(flag))
}

fn frame<S: Into<String>>(columns: Vec<(S, Vec<f64>)>) -> Frame {
    columns.into_iter().fold(Frame::new(), |f, (name, values)| {
        f.with(name.into(), values).unwrap()
    })
}

fn truth<S: AsRef<str>>(values: &[(S, f64)]) -> Vec<(String, f64)> {
    let own = |(name, value): &(S, f64)| (name.as_ref().to_owned(), *value);
    values.iter().map(own).collect()
}

fn seed(model: &Model, replication: usize) -> Seed {
    Seed::new(20_261_122)
        .child(model.name)
        .child(&replication.to_string())
}

/// Estimate and standard error of each parameter.
pub(crate) fn replicate(model: &Model, replication: usize) -> Result<Vec<[f64; 2]>> {
    let (frame, truth) = (model.simulate)(seed(model, replication));
    let found = (model.fit)(&frame)?;
    let of = |name: &str| {
        found
            .iter()
            .find(|e| e.name == name)
            .map_or([f64::NAN; 2], |e| [e.estimate, e.std_error])
    };
    Ok(truth.iter().map(|(name, _)| of(name)).collect())
}

pub(crate) fn bits(values: &[[f64; 2]]) -> Value {
    values
        .iter()
        .map(|v| json!([v[0].to_bits().to_string(), v[1].to_bits().to_string()]))
        .collect()
}

fn path() -> String {
    format!(
        "{}/tests/reference/participation_recovery.json",
        env!("CARGO_MANIFEST_DIR")
    )
}

pub(crate) fn read() -> Value {
    serde_json::from_str(&std::fs::read_to_string(path()).unwrap()).unwrap()
}
