//! How the record of a study is written: names once, then rows of numbers.

use super::fit::{MonteCarloFit, Outcome};
use super::replication::{Entry, NUMBERS};
use crate::numeric::Seed;
use serde::{Deserialize, Serialize};

/// Version of this layout.
const LAYOUT: u32 = 1;

/// The written form.
#[derive(Serialize, Deserialize)]
pub(super) struct Stored {
    layout: u32,
    title: String,
    seed: Seed,
    level: f64,
    /// What was estimated; rows refer to it by index.
    names: Vec<String>,
    replications: Vec<Row>,
}

/// One replication.
#[derive(Serialize, Deserialize)]
struct Row {
    index: usize,
    /// Of each entry: the index of its name, then truth, estimate, standard error, lower, upper, p-value. What is
    /// infinite or missing is null.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    entries: Vec<(usize, [Option<f64>; NUMBERS])>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    failure: Option<String>,
}

impl From<MonteCarloFit> for Stored {
    fn from(fit: MonteCarloFit) -> Self {
        let names = fit.names();
        let entry = |e: &Entry| {
            let name = names.iter().position(|n| *n == e.name).unwrap_or(0);
            (name, e.numbers().map(|v| v.is_finite().then_some(v)))
        };
        let replications = (fit.outcomes.iter())
            .map(|o| Row {
                index: o.index,
                entries: o.entries.iter().map(entry).collect(),
                failure: o.failure.clone(),
            })
            .collect();
        Self {
            layout: LAYOUT,
            title: fit.title,
            seed: fit.seed,
            level: fit.level,
            names,
            replications,
        }
    }
}

impl TryFrom<Stored> for MonteCarloFit {
    type Error = String;

    fn try_from(stored: Stored) -> Result<Self, String> {
        if stored.layout != LAYOUT {
            return Err(format!(
                "the study is stored in layout {}, and this version reads layout {LAYOUT}",
                stored.layout
            ));
        }
        let mut fit = Self::empty(stored.title, stored.seed, stored.level);
        for row in stored.replications {
            let mut entries = Vec::with_capacity(row.entries.len());
            for (name, numbers) in row.entries {
                let name = stored
                    .names
                    .get(name)
                    .ok_or_else(|| format!("replication {} names no quantity", row.index))?;
                entries.push(Entry::from_numbers(name, read(numbers)));
            }
            fit.push([Outcome::read(row.index, entries, row.failure)]);
        }
        Ok(fit)
    }
}

/// The numbers: the ends of an interval that is there are infinite where they are null.
fn read(stored: [Option<f64>; NUMBERS]) -> [f64; NUMBERS] {
    let [truth, estimate, std_error, lower, upper, p_value] = stored;
    let number = |v: Option<f64>| v.unwrap_or(f64::NAN);
    // With a p-value or one finite end there is an interval; without either there is none.
    let interval = lower.is_some() || upper.is_some() || std_error.is_some();
    let end =
        |v: Option<f64>, infinite: f64| v.unwrap_or(if interval { infinite } else { f64::NAN });
    [
        number(truth),
        number(estimate),
        number(std_error),
        end(lower, f64::NEG_INFINITY),
        end(upper, f64::INFINITY),
        number(p_value),
    ]
}
