//! The columns of a causal question, read from a frame: outcome, arms, features, weights, clusters.

use super::arm_scores::position;
use super::arms::{ArmCodes, check_weights, measured};
use crate::data::{Frame, MISSING, Real, Rows};
use crate::error::{Error, Result, Warning};
use crate::regression::learners::{Features, Task, TrainingSet};
use serde::{Deserialize, Serialize};

/// The names of the columns.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Columns {
    pub(crate) outcome: String,
    pub(crate) treatment: String,
    pub(crate) features: Vec<String>,
    pub(crate) control: Option<String>,
    pub(crate) weights: Option<String>,
    pub(crate) clusters: Option<String>,
    /// Known propensities: arms and their columns.
    pub(crate) propensities: Vec<(String, String)>,
    /// Known means: arms (of a continuous treatment outcome and treatment) and their columns.
    pub(crate) means: Vec<(String, String)>,
    /// Other numeric columns that a row needs: instruments, or a treatment beside its instrument and its means.
    #[serde(default)]
    pub(crate) others: Vec<String>,
    /// Whether the treatment is a number, not arms.
    #[serde(default)]
    pub(crate) continuous: bool,
}

/// The rows in use, numbered from 0.
#[derive(Clone, Debug)]
pub(crate) struct CausalSample {
    pub(crate) treatment: String,
    pub(crate) outcome: String,
    pub(crate) cluster_column: Option<String>,
    /// Rows of the frame in use.
    pub(crate) rows: Rows,
    /// Control first; of a continuous treatment a single one with its name.
    pub(crate) arms: Vec<String>,
    pub(crate) arm_of: Vec<u32>,
    /// The values of a continuous treatment.
    pub(crate) dose: Option<Vec<f64>>,
    pub(crate) y: Vec<f64>,
    pub(crate) weights: Option<Vec<f64>>,
    pub(crate) clusters: Option<Vec<u32>>,
    /// Known propensities, one column an arm.
    pub(crate) propensities: Option<Vec<Vec<f64>>>,
    /// Known means, one column an arm.
    pub(crate) means: Option<Vec<Vec<f64>>>,
    /// The other columns.
    pub(crate) others: Vec<Vec<f64>>,
    pub(crate) features: Features,
    pub(crate) warnings: Vec<Warning>,
}

impl Columns {
    pub(crate) fn new<S: AsRef<str>>(outcome: &str, treatment: &str, features: &[S]) -> Self {
        Self {
            outcome: outcome.to_owned(),
            treatment: treatment.to_owned(),
            features: features.iter().map(|f| f.as_ref().to_owned()).collect(),
            control: None,
            weights: None,
            clusters: None,
            propensities: Vec::new(),
            means: Vec::new(),
            others: Vec::new(),
            continuous: false,
        }
    }

    /// Reads the rows on which outcome, treatment, weight and known propensities are present; features may be missing.
    pub(crate) fn read(&self, frame: &Frame) -> Result<CausalSample> {
        if self.outcome == self.treatment {
            return Err(Error::invalid_option(
                "treatment",
                format!("`{}`, which is the outcome", self.treatment),
                "another column",
            ));
        }
        for (role, name) in [("outcome", &self.outcome), ("treatment", &self.treatment)] {
            if self.features.contains(name) {
                return Err(Error::invalid_option(
                    "features",
                    format!("with the {role} `{name}` among them"),
                    "columns that were known before treatment",
                ));
            }
        }
        let outcome = measured(frame, &self.outcome)?;
        let (groups, dose) = if self.continuous {
            (None, Some(measured(frame, &self.treatment)?))
        } else {
            (Some(frame.groups(&self.treatment)?), None)
        };
        let weights = self
            .weights
            .as_ref()
            .map(|w| measured(frame, w))
            .transpose()?;
        let given = |columns: &[(String, String)]| {
            let read = columns.iter().map(|(_, column)| measured(frame, column));
            read.collect::<Result<Vec<_>>>()
        };
        let (known, known_means) = (given(&self.propensities)?, given(&self.means)?);
        let others = self.others.iter().map(|column| measured(frame, column));
        let others = others.collect::<Result<Vec<_>>>()?;
        let present: Vec<bool> = (0..frame.rows())
            .map(|row| {
                groups.as_ref().is_none_or(|g| g.codes[row] != MISSING)
                    && std::iter::once(&outcome)
                        .chain(&dose)
                        .chain(&weights)
                        .chain(&known)
                        .chain(&known_means)
                        .chain(&others)
                        .all(|column| !column.values()[row].is_nan())
            })
            .collect();
        let rows = Rows::from_mask(&present);
        if rows.is_empty() {
            return Err(Error::NoRows {
                reason: format!(
                    "on each of the {} rows something is missing ({})",
                    frame.rows(),
                    self.needed()
                        .map(|c| format!("`{c}`"))
                        .collect::<Vec<_>>()
                        .join(", ")
                ),
            });
        }
        let ArmCodes {
            levels: arms,
            codes: arm_of,
        } = match &groups {
            Some(groups) => ArmCodes::of(&groups.over(&rows), self.control.as_deref())?,
            None => ArmCodes {
                levels: vec![self.treatment.clone()],
                codes: vec![0; rows.len()],
            },
        };
        let dose = dose.map(|d| rows.gather(d.values()));
        let y = rows.gather(outcome.values());
        let weights = weights.map(|w| rows.gather(w.values()));
        if let (Some(column), Some(weights)) = (&self.weights, &weights) {
            check_weights(column, weights, |i| rows.index(i))?;
        }
        let kept = if rows.is_all() {
            frame.clone()
        } else {
            frame.filter(&present)?
        };
        varies(&y, &self.outcome, "an outcome")?;
        if let Some(dose) = &dose {
            varies(dose, &self.treatment, "a treatment")?;
        }
        let others: Vec<Vec<f64>> = (others.iter())
            .map(|column| rows.gather(column.values()))
            .collect();
        Ok(CausalSample {
            treatment: self.treatment.clone(),
            outcome: self.outcome.clone(),
            cluster_column: self.clusters.clone(),
            clusters: cluster_codes(self.clusters.as_deref(), frame, &rows)?,
            propensities: self.known(&known, &arms, &rows)?,
            means: self.known_means(&known_means, &arms, &rows)?,
            features: Features::from_frame(&kept, &self.features)?,
            warnings: self.dropped(frame, &rows),
            others,
            rows,
            arms,
            arm_of,
            dose,
            y,
            weights,
        })
    }

    /// One column of known propensities an arm; the one arm that was not given gets the rest.
    fn known(&self, given: &[Real], arms: &[String], rows: &Rows) -> Result<Option<Vec<Vec<f64>>>> {
        if given.is_empty() {
            return Ok(None);
        }
        let mut all: Vec<Option<Vec<f64>>> = vec![None; arms.len()];
        for ((arm, column), values) in self.propensities.iter().zip(given) {
            let values = rows.gather(values.values());
            if let Some(i) = values.iter().position(|p| !(*p > 0.0 && *p < 1.0)) {
                return Err(Error::OutOfRange {
                    column: column.clone(),
                    row: rows.index(i) + 1,
                    value: values[i],
                    expected: "a probability strictly between 0 and 1".to_owned(),
                });
            }
            let slot = &mut all[position(arms, arm)?];
            if slot.replace(values).is_some() {
                return Err(given_twice("propensity", arm));
            }
        }
        let total: Vec<f64> = (0..rows.len())
            .map(|i| all.iter().flatten().map(|p| p[i]).sum())
            .collect();
        let open: Vec<&String> = (arms.iter().zip(&all))
            .filter(|(_, p)| p.is_none())
            .map(|(a, _)| a)
            .collect();
        let bad = |sum: f64| match open.len() {
            0 => (sum - 1.0).abs() > 1e-6,
            _ => sum >= 1.0,
        };
        if open.len() > 1 {
            return Err(Error::invalid_option(
                "propensity",
                format!(
                    "given for {} of {} arms",
                    arms.len() - open.len(),
                    arms.len()
                ),
                "given for all arms, or for all but one",
            ));
        }
        if let Some(i) = total.iter().position(|sum| bad(*sum)) {
            return Err(Error::OutOfRange {
                column: "the sum of the propensities".to_owned(),
                row: rows.index(i) + 1,
                value: total[i],
                expected: if open.is_empty() { "1" } else { "below 1" }.to_owned(),
            });
        }
        let rest: Vec<f64> = total.iter().map(|sum| 1.0 - sum).collect();
        Ok(Some(
            all.into_iter()
                .map(|p| p.unwrap_or_else(|| rest.clone()))
                .collect(),
        ))
    }

    /// One column of known means an arm.
    fn known_means(
        &self,
        given: &[Real],
        arms: &[String],
        rows: &Rows,
    ) -> Result<Option<Vec<Vec<f64>>>> {
        if given.is_empty() {
            return Ok(None);
        }
        if self.continuous {
            let columns = given.iter().map(|column| rows.gather(column.values()));
            return Ok(Some(columns.collect()));
        }
        let mut all = vec![Vec::new(); arms.len()];
        for ((arm, _), values) in self.means.iter().zip(given) {
            let slot = &mut all[position(arms, arm)?];
            if !slot.is_empty() {
                return Err(given_twice("outcome_mean", arm));
            }
            *slot = rows.gather(values.values());
        }
        match arms.iter().zip(&all).find(|(_, means)| means.is_empty()) {
            None => Ok(Some(all)),
            Some((arm, _)) => Err(Error::invalid_option(
                "outcome_mean",
                format!("not given for arm `{arm}`"),
                "given for all arms or for none",
            )),
        }
    }

    /// The columns without which a row cannot be used.
    fn needed(&self) -> impl Iterator<Item = &String> {
        let known = self.propensities.iter().chain(&self.means);
        [&self.outcome, &self.treatment]
            .into_iter()
            .chain(&self.weights)
            .chain(known.map(|(_, column)| column))
            .chain(&self.others)
    }

    fn dropped(&self, frame: &Frame, rows: &Rows) -> Vec<Warning> {
        let dropped = rows.total() - rows.len();
        if dropped == 0 {
            return Vec::new();
        }
        let missing = self
            .needed()
            .filter_map(|name| Some((name.clone(), frame.column(name).ok()?.missing())))
            .filter(|(_, n)| *n > 0)
            .collect();
        vec![Warning::RowsDropped { dropped, missing }]
    }
}

impl CausalSample {
    /// Number of rows in use.
    pub(crate) fn len(&self) -> usize {
        self.y.len()
    }

    /// All rows in use, numbered from 0.
    pub(crate) fn all(&self) -> Rows {
        Rows::all(self.len())
    }

    /// The rows of some arms.
    pub(crate) fn of_arms(&self, arms: &[usize]) -> Rows {
        let mask: Vec<bool> = (self.arm_of.iter())
            .map(|a| arms.contains(&(*a as usize)))
            .collect();
        Rows::from_mask(&mask)
    }

    /// One on the rows of an arm, else zero.
    pub(crate) fn indicator(&self, arm: usize) -> Vec<f64> {
        let one = |a: &u32| f64::from(u8::from(*a as usize == arm));
        self.arm_of.iter().map(one).collect()
    }

    /// What the mean outcome of an arm is learned from.
    pub(crate) fn mean_set<'a>(&'a self, arm: usize, name: &'a str) -> TrainingSet<'a> {
        TrainingSet::new(&self.features, &self.y, Task::Regression)
            .weights(self.weights.as_deref())
            .rows(self.of_arms(&[arm]))
            .named(name)
    }

    /// What the probability of an arm is learned from.
    pub(crate) fn propensity_set<'a>(
        &'a self,
        indicator: &'a [f64],
        name: &'a str,
    ) -> TrainingSet<'a> {
        TrainingSet::new(&self.features, indicator, Task::Probability)
            .weights(self.weights.as_deref())
            .named(name)
    }

    /// The weight of a row, 1 without weights.
    pub(crate) fn weight(&self, row: usize) -> f64 {
        self.weights.as_ref().map_or(1.0, |w| w[row])
    }
}

fn given_twice(option: &str, arm: &str) -> Error {
    Error::invalid_option(
        option,
        format!("given twice for arm `{arm}`"),
        "given once for each arm",
    )
}

/// The cluster of every row in use.
///
/// # Errors
/// `MissingClusters`; `TooFewClusters` for fewer than two.
pub(super) fn cluster_codes(
    column: Option<&str>,
    frame: &Frame,
    rows: &Rows,
) -> Result<Option<Vec<u32>>> {
    let Some(column) = column else {
        return Ok(None);
    };
    let groups = frame.groups(column)?.over(rows);
    if groups.missing > 0 {
        return Err(Error::MissingClusters {
            column: column.to_owned(),
            missing: groups.missing,
        });
    }
    if groups.count() < 2 {
        return Err(Error::TooFewClusters {
            column: column.to_owned(),
            clusters: groups.count(),
        });
    }
    Ok(Some(groups.codes.to_vec()))
}

/// Refuses a column that is the same on all rows.
pub(super) fn varies(values: &[f64], column: &str, what: &str) -> Result<()> {
    let low = values.iter().copied().fold(f64::INFINITY, f64::min);
    let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if low < high {
        return Ok(());
    }
    Err(Error::Unidentified {
        what: format!("any effect on or of `{column}`"),
        needs: format!(
            "{what} that varies; it is {low} on all {} rows",
            values.len()
        ),
    })
}
