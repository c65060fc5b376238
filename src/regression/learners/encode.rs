//! Features as columns of numbers for linear learners: means for missing values with an indicator beside, indicators of levels.

use super::features::{Features, Values};
use super::training::TrainingSet;
use crate::data::MISSING;
use crate::error::Warning;
use serde::{Deserialize, Serialize};

/// One column.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Column {
    /// The numbers of a feature, its training mean where they are missing.
    Value { feature: usize, fill: f64 },
    /// Where a feature is missing.
    Missing { feature: usize },
    /// Where a feature has this level.
    Level { feature: usize, level: u32 },
}

impl Column {
    pub(crate) fn feature(self) -> usize {
        match self {
            Self::Value { feature, .. }
            | Self::Missing { feature }
            | Self::Level { feature, .. } => feature,
        }
    }
}

/// The columns of all features.
#[derive(Clone, Debug)]
pub(crate) struct Encoding {
    pub(crate) columns: Vec<Column>,
    pub(crate) names: Vec<String>,
    pub(crate) warnings: Vec<Warning>,
}

impl Encoding {
    /// Looks at the rows in use for means, missing values and levels. Every level that occurs has its indicator.
    pub(crate) fn new(set: &TrainingSet) -> Self {
        let features = set.features();
        let (mut columns, mut names, mut imputed) = (Vec::new(), Vec::new(), Vec::new());
        for (feature, (info, values)) in features.info().iter().zip(features.values()).enumerate() {
            let missing = match values {
                Values::Number(x) => {
                    let (sum, total, missing) = match set.used_rows().indices() {
                        None => sums(set, x.iter().copied().enumerate()),
                        Some(rows) => sums(set, rows.iter().map(|r| (*r as usize, x[*r as usize]))),
                    };
                    let fill = if total > 0.0 { sum / total } else { 0.0 };
                    columns.push(Column::Value { feature, fill });
                    names.push(info.name.clone());
                    if missing > 0 {
                        imputed.push((info.name.clone(), missing));
                    }
                    missing
                }
                Values::Category(label) => {
                    let mut used = vec![false; label.levels().len()];
                    let mut missing = 0;
                    for i in 0..set.used_rows().len() {
                        match label.codes()[set.used_rows().index(i)] {
                            MISSING => missing += 1,
                            level => used[level as usize] = true,
                        }
                    }
                    for (level, text) in label.levels().iter().enumerate().filter(|(l, _)| used[*l])
                    {
                        let level = level as u32;
                        columns.push(Column::Level { feature, level });
                        names.push(format!("{}[{text}]", info.name));
                    }
                    missing
                }
            };
            if missing > 0 {
                columns.push(Column::Missing { feature });
                names.push(format!("{}[missing]", info.name));
            }
        }
        let warnings = if imputed.is_empty() {
            Vec::new()
        } else {
            let list: Vec<String> = imputed
                .iter()
                .map(|(name, n)| format!("`{name}` {n}"))
                .collect();
            vec![Warning::Note {
                message: format!(
                    "missing values were replaced by the training mean, with an indicator beside ({})",
                    list.join(", ")
                ),
            }]
        };
        Self {
            columns,
            names,
            warnings,
        }
    }

    /// Writes column `j` of some rows, in rising order, less `shift`.
    pub(crate) fn fill(
        &self,
        j: usize,
        features: &Features,
        rows: &[u32],
        shift: f64,
        out: &mut [f64],
    ) {
        let column = self.columns[j];
        let pairs = out.iter_mut().zip(rows);
        match (column, &features.values()[column.feature()]) {
            (Column::Value { fill, .. }, Values::Number(x)) => {
                // Rows without a gap are read as they lie.
                if let [first, .., last] = rows
                    && last.wrapping_sub(*first) as usize + 1 == rows.len()
                {
                    let lying = &x[*first as usize..=*last as usize];
                    for (out, x) in out.iter_mut().zip(lying) {
                        *out = if x.is_nan() { fill } else { *x } - shift;
                    }
                    return;
                }
                for (out, row) in pairs {
                    let x = x[*row as usize];
                    *out = if x.is_nan() { fill } else { x } - shift;
                }
            }
            (Column::Missing { .. }, Values::Number(x)) => {
                for (out, row) in pairs {
                    *out = f64::from(u8::from(x[*row as usize].is_nan())) - shift;
                }
            }
            (column, Values::Category(label)) => {
                let wanted = match column {
                    Column::Level { level, .. } => level,
                    _ => MISSING,
                };
                for (out, row) in pairs {
                    *out = f64::from(u8::from(label.codes()[*row as usize] == wanted)) - shift;
                }
            }
            // A level of a number does not exist by construction.
            (Column::Level { .. }, Values::Number(_)) => out.fill(-shift),
        }
    }

    /// Where each column is centred so that sums of products keep their digits.
    pub(crate) fn shift(&self, j: usize) -> f64 {
        match self.columns[j] {
            Column::Value { fill, .. } => fill,
            _ => 0.0,
        }
    }

    /// The effects by feature of coefficients by column.
    pub(crate) fn effects(&self, features: &Features, coefficients: &[f64]) -> Vec<Effect> {
        let mut effects: Vec<Effect> = features
            .info()
            .iter()
            .map(|info| Effect {
                slope: 0.0,
                fill: 0.0,
                missing: 0.0,
                levels: info.levels.as_ref().map(|levels| vec![0.0; levels.len()]),
            })
            .collect();
        for (column, coefficient) in self.columns.iter().zip(coefficients) {
            let effect = &mut effects[column.feature()];
            match column {
                Column::Value { fill, .. } => {
                    effect.slope = *coefficient;
                    effect.fill = *fill;
                }
                Column::Missing { .. } => effect.missing = *coefficient,
                Column::Level { level, .. } => {
                    if let Some(levels) = &mut effect.levels {
                        levels[*level as usize] = *coefficient;
                    }
                }
            }
        }
        effects
    }
}

/// Weighted sum and weight of the values that are there, and how many are missing.
fn sums(set: &TrainingSet, values: impl Iterator<Item = (usize, f64)>) -> (f64, f64, usize) {
    let (mut sum, mut total, mut missing) = (0.0, 0.0, 0);
    for (row, x) in values {
        if x.is_nan() {
            missing += 1;
        } else {
            let weight = set.weight(row);
            sum += weight * x;
            total += weight;
        }
    }
    (sum, total, missing)
}

/// What one feature adds to a linear prediction. A level that training had not adds nothing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Effect {
    slope: f64,
    fill: f64,
    missing: f64,
    levels: Option<Vec<f64>>,
}

impl Effect {
    /// Adds the feature's part to the predictions of rows.
    pub(crate) fn add(&self, values: &Values, row: impl Fn(usize) -> usize, out: &mut [f64]) {
        match (values, &self.levels) {
            (Values::Number(x), _) => {
                for (i, out) in out.iter_mut().enumerate() {
                    let x = x[row(i)];
                    *out += if x.is_nan() {
                        self.slope * self.fill + self.missing
                    } else {
                        self.slope * x
                    };
                }
            }
            (Values::Category(label), Some(levels)) => {
                for (i, out) in out.iter_mut().enumerate() {
                    let code = label.codes()[row(i)] as usize;
                    *out += levels.get(code).copied().unwrap_or(self.missing);
                }
            }
            (Values::Category(_), None) => {}
        }
    }
}
