//! The columns of a causal forest, read and checked once.

use super::causal::CausalForest;
use super::split::MOST_ROWS;
use crate::data::{Frame, MISSING, Rows};
use crate::error::{Error, Result, Warning};
use crate::regression::learners::{Features, Task};

/// A column that plays a part, on the used rows.
pub(super) struct Part {
    pub(super) name: String,
    /// What its folds and draws are named by when its mean is learned: the name, unless it is made from a column of another.
    pub(super) draws: String,
    pub(super) values: Vec<f64>,
    /// A probability when all values are 0 and 1.
    pub(super) task: Task,
    /// Its mean given the features, when a column holds it.
    pub(super) hat: Option<Vec<f64>>,
}

/// What a forest is fitted to.
pub(super) struct Prepared {
    pub(super) features: Features,
    pub(super) rows: Rows,
    pub(super) outcome: Part,
    pub(super) treatment: Part,
    pub(super) instrument: Option<Part>,
    pub(super) weights: Option<Vec<f64>>,
    /// The cluster of each used row, and their number.
    pub(super) clusters: Option<(Vec<u32>, usize)>,
    pub(super) warnings: Vec<Warning>,
}

/// Fewest rows of an arm, as a multiple of the smallest node: half draws, half splits, and half of those each fill a side.
pub(super) const ROWS_OF_ARM: usize = 4;
/// Fewest rows, or clusters, to draw from.
pub(super) const LEAST_UNITS: usize = 8;

impl Prepared {
    /// Reads the columns; `beside` are others that a row must have.
    pub(super) fn new(forest: &CausalForest, beside: &[&String], frame: &Frame) -> Result<Self> {
        let mut roles = vec![&forest.outcome, &forest.treatment];
        roles.extend(beside);
        roles.extend(&forest.instrument);
        for role in &roles {
            if forest.features.contains(role) {
                return Err(Error::invalid_option(
                    "features",
                    format!("with `{role}` among them"),
                    "columns other than outcome, treatment and instrument",
                ));
            }
        }
        let features = Features::from_frame(frame, &forest.features)?;
        let mut needed = roles;
        needed.extend(&forest.outcome_hat);
        needed.extend(&forest.propensity_hat);
        needed.extend(&forest.instrument_hat);
        needed.extend(&forest.weights);
        let (rows, warning) = complete(frame, &needed)?;
        let mut warnings: Vec<Warning> = warning.into_iter().collect();
        let part = |name: &String, hat: Option<&String>| -> Result<Part> {
            let values = rows.gather(frame.numeric(name)?.values());
            let hat = hat.map(|hat| frame.numeric(hat)).transpose()?;
            let hat = hat.map(|hat| rows.gather(hat.values()));
            Ok(Part::new(name.clone(), values, hat))
        };
        let outcome = part(&forest.outcome, forest.outcome_hat.as_ref())?;
        let treatment = part(&forest.treatment, forest.propensity_hat.as_ref())?;
        let instrument = forest
            .instrument
            .as_ref()
            .map(|z| part(z, forest.instrument_hat.as_ref()))
            .transpose()?;
        let weights = forest.weights.as_ref();
        let weights = weights.map(|name| weights_of(frame, name, &rows));
        let weights = weights.transpose()?;
        let least = ROWS_OF_ARM * forest.smallest_node();
        outcome.check(weights.as_deref(), 1)?;
        for part in [Some(&treatment), instrument.as_ref()]
            .into_iter()
            .flatten()
        {
            part.check(weights.as_deref(), least)?;
        }
        let clusters = forest
            .clusters
            .as_ref()
            .map(|name| clusters(frame, name, &rows))
            .transpose()?;
        check_rows(rows.len())?;
        warnings.extend(empty_features(&features, &rows));
        Ok(Self {
            features,
            rows,
            outcome,
            treatment,
            instrument,
            weights,
            clusters,
            warnings,
        })
    }
}

impl Part {
    pub(super) fn new(name: String, values: Vec<f64>, hat: Option<Vec<f64>>) -> Self {
        let is_class = |v: &f64| v.abs() <= 0.0 || (v - 1.0).abs() <= 0.0;
        Self {
            draws: name.clone(),
            name,
            task: if values.iter().all(is_class) {
                Task::Probability
            } else {
                Task::Regression
            },
            values,
            hat,
        }
    }

    /// Refuses a column that does not vary, and an arm with too few rows.
    pub(super) fn check(&self, weights: Option<&[f64]>, least: usize) -> Result<()> {
        let used: Vec<f64> = (0..self.values.len())
            .filter(|i| weights.is_none_or(|w| w[*i] > 0.0))
            .map(|i| self.values[i])
            .collect();
        let low = used.iter().copied().fold(f64::INFINITY, f64::min);
        let high = used.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        if low >= high {
            return Err(Error::Unidentified {
                what: format!("an effect with `{}`", self.name),
                needs: format!(
                    "a column that varies; it is {low} on all {} rows in use",
                    used.len()
                ),
            });
        }
        let ones = used.iter().filter(|v| **v > 0.5).count();
        let fewest = ones.min(used.len() - ones);
        if self.task == Task::Probability && fewest < least {
            return Err(Error::Unidentified {
                what: format!("an effect with `{}`", self.name),
                needs: format!(
                    "at least {least} rows of each value; one of them has {fewest} (a smaller .min_node_size needs fewer)"
                ),
            });
        }
        Ok(())
    }
}

/// Rows on which no needed column is missing; infinite values are refused.
pub(super) fn complete(frame: &Frame, needed: &[&String]) -> Result<(Rows, Option<Warning>)> {
    let mut keep = vec![true; frame.rows()];
    let mut missing = Vec::new();
    for name in needed {
        let column = frame.numeric(name)?;
        if column.infinite() > 0 {
            let row = column.values().iter().position(|v| v.is_infinite());
            return Err(Error::Infinite {
                column: (*name).clone(),
                row: row.map_or(0, |r| r + 1),
            });
        }
        if column.missing() > 0 {
            missing.push(((*name).clone(), column.missing()));
            for (keep, v) in keep.iter_mut().zip(column.values().iter()) {
                *keep &= !v.is_nan();
            }
        }
    }
    let rows = Rows::from_mask(&keep);
    if rows.is_empty() {
        let names: Vec<String> = needed.iter().map(|n| format!("`{n}`")).collect();
        return Err(Error::NoRows {
            reason: format!("none has all of {}", names.join(", ")),
        });
    }
    let dropped = rows.total() - rows.len();
    let warning = (dropped > 0).then_some(Warning::RowsDropped { dropped, missing });
    Ok((rows, warning))
}

/// Weights of the used rows.
pub(super) fn weights_of(frame: &Frame, name: &str, rows: &Rows) -> Result<Vec<f64>> {
    let mut weights = rows.gather(frame.numeric(name)?.values());
    if let Some(i) = weights.iter().position(|w| *w < 0.0) {
        return Err(Error::OutOfRange {
            column: name.to_owned(),
            row: rows.index(i) + 1,
            value: weights[i],
            expected: "a weight of at least 0".to_owned(),
        });
    }
    let most = weights.iter().copied().fold(0.0, f64::max);
    if most <= 0.0 {
        return Err(Error::NoRows {
            reason: format!("no weight in `{name}` is positive"),
        });
    }
    let by = near_one(most);
    for weight in &mut weights {
        *weight *= by;
    }
    Ok(weights)
}

/// Only the ratios of weights count: where products of three would vanish or overflow, the largest is brought near 1, by a power of two, which rounds
/// nothing.
fn near_one(most: f64) -> f64 {
    const FAR: f64 = 100.0;
    const FURTHEST: f64 = 1000.0;
    let exponent = most.log2().floor().clamp(-FURTHEST, FURTHEST);
    if exponent.abs() > FAR {
        (-exponent).exp2()
    } else {
        1.0
    }
}

/// Clusters of the used rows.
pub(super) fn clusters(frame: &Frame, name: &str, rows: &Rows) -> Result<(Vec<u32>, usize)> {
    let groups = frame.groups(name)?.over(rows);
    let missing = groups.codes.iter().filter(|c| **c == MISSING).count();
    if missing > 0 {
        return Err(Error::MissingClusters {
            column: name.to_owned(),
            missing,
        });
    }
    check_clusters(name, groups.count())?;
    Ok((groups.codes.to_vec(), groups.count()))
}

/// Refuses clusters that are too few to draw from.
pub(super) fn check_clusters(name: &str, count: usize) -> Result<()> {
    if count >= LEAST_UNITS {
        return Ok(());
    }
    Err(Error::Unidentified {
        what: format!("a forest that draws clusters of `{name}`"),
        needs: format!(
            "at least {LEAST_UNITS} clusters, so that half of a half sample has two; there are {count}"
        ),
    })
}

/// Refuses rows that are too few to draw from, or more than trees hold.
pub(super) fn check_rows(rows: usize) -> Result<()> {
    if rows < LEAST_UNITS {
        return Err(Error::Unidentified {
            what: "a forest".to_owned(),
            needs: format!(
                "at least {LEAST_UNITS} rows, so that half of a half sample has two; there are {rows}"
            ),
        });
    }
    if rows / 2 > MOST_ROWS {
        return Err(Error::invalid_option(
            "the frame",
            format!("{rows} rows"),
            format!("at most {} rows", 2 * MOST_ROWS),
        ));
    }
    Ok(())
}

/// Names features without a value on the used rows.
pub(super) fn empty_features(features: &Features, rows: &Rows) -> Option<Warning> {
    use crate::regression::learners::features::Values;
    let empty = |values: &Values| {
        (0..rows.len()).all(|i| match values {
            Values::Number(x) => x[rows.index(i)].is_nan(),
            Values::Category(label) => label.codes()[rows.index(i)] == MISSING,
        })
    };
    let columns: Vec<String> = features
        .names()
        .iter()
        .zip(features.values())
        .filter(|(_, values)| empty(values))
        .map(|(name, _)| format!("`{name}`"))
        .collect();
    (!columns.is_empty()).then(|| Warning::Note {
        message: format!("{} has no value on the rows in use", columns.join(", ")),
    })
}
