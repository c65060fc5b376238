//! The rows and columns of a selection model: who could be seen, who is, and what is known of each.

use crate::data::{DesignColumn, Formula, Frame, Rows};
use crate::error::{Result, Warning};
use crate::regression::binary::check_binary;
use crate::regression::likelihood::{Index, Options};
use crate::regression::selected::{
    design_where_seen, finite_or_missing, restrict_to_known, weights_where, zero_elsewhere,
};
use std::sync::Arc;

/// Both equations over their rows.
#[derive(Clone, Debug)]
pub(super) struct SelectionSample {
    /// x'β.
    pub(super) outcome: Index,
    /// z'γ.
    pub(super) selection: Index,
    /// The outcome, zero where it is not seen.
    pub(super) y: DesignColumn,
    /// One where the outcome is seen.
    pub(super) seen: DesignColumn,
    /// All rows: the outcome is seen, or it is known that it is not.
    pub(super) rows: Rows,
    /// The rows where the outcome is seen.
    pub(super) seen_rows: Rows,
    pub(super) weights: Option<Arc<Vec<f64>>>,
    pub(super) frequency: bool,
    /// Both formulas as printed.
    pub(super) formula: String,
    pub(super) warnings: Vec<Warning>,
}

impl SelectionSample {
    pub(super) fn new(options: &Options, outcome: &Formula, frame: &Frame) -> Result<Self> {
        let mut base = options.sample(frame, "without fixed effects for a selection model")?;
        check_binary(&base.design.outcome, &base.design.rows)?;
        let (parsed, design) = design_where_seen(&base, outcome, frame, "a selection model")?;
        let unknown = restrict_to_known(&mut base, &design);
        let mut warnings = std::mem::take(&mut base.warnings);
        if unknown > 0 {
            warnings.push(Warning::Note {
                message: format!(
                    "{unknown} selected rows dropped: a variable of the outcome's equation is missing there"
                ),
            });
        }
        let rows = base.design.rows.clone();
        check_binary(&base.design.outcome, &rows)?;

        let weights = base.weights.map(Arc::new);
        let selected: Vec<bool> = (base.design.outcome.values(&rows).iter())
            .map(|s| *s > 0.5)
            .collect();
        let total = weights.as_ref().map(|w| weights_where(&selected, w));
        let selection = Index::new(
            "select",
            &base.design.exogenous,
            base.design.intercept,
            &rows,
            weights.as_ref().map(|w| w.as_slice()),
            &mut warnings,
        );
        let columns: Vec<_> = design
            .exogenous
            .iter()
            .map(|column| finite_or_missing(column, &rows))
            .collect();
        let outcome = Index::new(
            "",
            &columns,
            design.intercept,
            &design.rows,
            total.as_deref(),
            &mut warnings,
        )
        .partly_missing();
        let sample = Self {
            y: zero_elsewhere(&design.outcome, &design.rows),
            outcome,
            selection,
            seen: base.design.outcome,
            rows,
            seen_rows: design.rows,
            frequency: base.frequency,
            weights,
            formula: format!("{parsed}; selection: {}", base.parsed),
            warnings,
        };
        Ok(sample.with_exclusion_checked())
    }

    /// Warns when selection has no regressor of its own.
    fn with_exclusion_checked(mut self) -> Self {
        let of_outcome: Vec<&str> = self.outcome.regressors().collect();
        let excluded = self
            .selection
            .regressors()
            .any(|name| !of_outcome.contains(&name));
        if !excluded {
            self.warnings.push(Warning::Note {
                message: "no exclusion restriction: every regressor of the selection is in the outcome's equation, so that only the assumed normality separates selection from outcome; add a variable that moves selection alone"
                    .to_owned(),
            });
        }
        self
    }

    /// The weight of each of some rows: one without weights.
    pub(super) fn row_weights(&self) -> Vec<f64> {
        match &self.weights {
            Some(w) => w.to_vec(),
            None => vec![1.0; self.rows.len()],
        }
    }

    /// Which of the used rows are seen.
    pub(super) fn seen(&self) -> Vec<bool> {
        let values = self.seen.values(&self.rows);
        values.iter().map(|s| *s > 0.5).collect()
    }
}
