//! Studies and their moderators, in units in which neither size nor level matters.

use crate::data::{Design, Formula, Frame};
use crate::error::{Error, Result, Warning};
use crate::inference::{Estimate, studies};
use crate::numeric::linalg::Cholesky;
use nalgebra::{DMatrix, DVector};

/// A column whose spread is below this share of its size has none: it is rounding.
const NO_SPREAD: f64 = 1e-13;

/// Estimates with their errors, and moderators of full rank.
pub(super) struct Moderators {
    pub(super) studies: Vec<Estimate>,
    /// The constant, if there is one, before the moderators.
    pub(super) names: Vec<String>,
    pub(super) intercept: bool,
    /// Moderators less their means (with a constant) over their spreads.
    pub(super) standardised: DMatrix<f64>,
    /// The same columns as they are.
    pub(super) own: DMatrix<f64>,
    /// From coefficients of the standardised columns to those of the columns.
    pub(super) to_own: DMatrix<f64>,
    pub(super) warnings: Vec<Warning>,
}

impl Moderators {
    pub(super) fn read(
        formula: &Formula,
        frame: &Frame,
        std_error: &str,
        label: Option<&str>,
    ) -> Result<Self> {
        let parsed = formula.parse()?;
        if !(parsed.effects().is_empty() && parsed.endogenous().is_empty()) {
            return Err(Error::invalid_option(
                "formula",
                formula.as_str(),
                "without `|`: estimates on the left, moderators on the right (a category is `C(column)`)",
            ));
        }
        let design = Design::build(&parsed, frame, &[std_error])?;
        let rows = &design.rows;
        let errors = rows.gather(frame.numeric(std_error)?.values());
        let labels = label.map(|name| frame.groups(name)).transpose()?;
        let mut found = Vec::with_capacity(rows.len());
        for (at, (value, error)) in design.outcome.values(rows).iter().zip(&errors).enumerate() {
            let row = rows.index(at);
            let name = labels.as_ref().and_then(|groups| {
                let code = groups.codes[row] as usize;
                groups.levels.get(code).map(ToString::to_string)
            });
            let name = name.unwrap_or_else(|| (row + 1).to_string());
            let columns = [design.outcome.name.as_str(), std_error];
            studies::check(&name, *value, *error, row, columns)?;
            found.push(Estimate {
                name,
                estimate: *value,
                std_error: *error,
                degrees_of_freedom: f64::INFINITY,
            });
        }
        let mut warnings = Vec::new();
        let dropped = frame.rows() - rows.len();
        if dropped > 0 {
            warnings.push(Warning::RowsDropped {
                dropped,
                missing: design.missing.clone(),
            });
        }
        let mut read = Self {
            studies: found,
            names: Vec::new(),
            intercept: design.intercept,
            standardised: DMatrix::zeros(rows.len(), 0),
            own: DMatrix::zeros(rows.len(), 0),
            to_own: DMatrix::zeros(0, 0),
            warnings,
        };
        let columns: Vec<(String, Vec<f64>)> = (design.exogenous.iter())
            .map(|column| (column.name.clone(), column.values(rows)))
            .collect();
        read.standardise(columns);
        if read.names.is_empty() {
            return Err(Error::invalid_option(
                "formula",
                formula.as_str(),
                "a constant or a moderator that differs between studies",
            ));
        }
        if read.studies.len() <= read.names.len() {
            return Err(Error::TooFewRows {
                rows: read.studies.len(),
                parameters: read.names.len(),
            });
        }
        Ok(read)
    }

    /// Centres and scales the columns, and leaves out those that others make up.
    fn standardise(&mut self, columns: Vec<(String, Vec<f64>)>) {
        let rows = self.studies.len();
        let (mut constant, mut kept) = (Vec::new(), Vec::new());
        for (name, values) in columns {
            let size = values.iter().fold(0.0_f64, |m, v| m.max(v.abs()));
            let mean = if self.intercept {
                values.iter().map(|v| v / rows as f64).sum()
            } else {
                0.0
            };
            let squares = values
                .iter()
                .map(|v| ((v - mean) / size.max(f64::MIN_POSITIVE)).powi(2));
            let spread = size * (squares.sum::<f64>() / rows as f64).sqrt();
            if spread > NO_SPREAD * size {
                let scaled: Vec<f64> = values.iter().map(|v| (v - mean) / spread).collect();
                let scaled = DVector::from_vec(scaled);
                kept.push((name, mean, spread, scaled, DVector::from_vec(values)));
            } else {
                constant.push(name);
            }
        }
        let gram = DMatrix::from_fn(kept.len(), kept.len(), |i, j| kept[i].3.dot(&kept[j].3));
        let factor = Cholesky::new(&gram);
        let name = |at: &usize| kept[*at].0.clone();
        let spanned: Vec<String> = factor.dropped().iter().map(name).collect();
        let (mut columns, mut own) = (Vec::new(), Vec::new());
        if self.intercept {
            self.names.push("(Intercept)".to_owned());
            columns.push(DVector::from_element(rows, 1.0));
            own.push(DVector::from_element(rows, 1.0));
        }
        let first = columns.len();
        let count = first + factor.rank();
        let mut to_own = DMatrix::identity(count, count);
        for (j, at) in factor.kept().iter().enumerate() {
            let (name, mean, spread, scaled, values) = &kept[*at];
            self.names.push(name.clone());
            columns.push(scaled.clone());
            own.push(values.clone());
            to_own[(first + j, first + j)] = 1.0 / spread;
            if self.intercept {
                to_own[(0, first + j)] = -mean / spread;
            }
        }
        self.to_own = to_own;
        if !columns.is_empty() {
            self.standardised = DMatrix::from_columns(&columns);
            self.own = DMatrix::from_columns(&own);
        }
        if !constant.is_empty() {
            self.warnings.push(Warning::Constant { columns: constant });
        }
        if !spanned.is_empty() {
            self.warnings.push(Warning::Collinear { columns: spanned });
        }
    }
}
