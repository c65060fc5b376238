//! The rows and columns of a selection model: who could be seen, who is, and what is known of each.

use crate::data::{Design, DesignColumn, Formula, Frame, Rows};
use crate::error::{Error, Result, Warning};
use crate::regression::binary::check_binary;
use crate::regression::likelihood::{Index, Options};
use std::sync::Arc;

/// The name of the column that empties the outcome's variables where the outcome is not seen; no formula can spell it.
const SEEN: &str = "(selected)";

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
        let selected = base.design.outcome.values(&base.design.rows);

        let mut mask = vec![f64::NAN; frame.rows()];
        for (i, _) in selected.iter().enumerate().filter(|(_, s)| **s > 0.5) {
            mask[base.design.rows.index(i)] = 1.0;
        }
        let parsed = outcome.parse()?;
        let design = Design::build(&parsed, &frame.clone().with(SEEN, mask)?, &[SEEN])?;
        let refused = [
            (!design.endogenous.is_empty(), "an instrumental part"),
            (!design.fixed_effects.is_empty(), "fixed effects"),
        ];
        if let Some((_, what)) = refused.iter().find(|(refuse, _)| *refuse) {
            let expected = format!("without {what} for a selection model");
            return Err(Error::invalid_option("formula", &parsed, expected));
        }

        // Rows whose outcome should be seen and is not known.
        let known = design.rows.mask();
        let keep: Vec<bool> = selected
            .iter()
            .enumerate()
            .map(|(i, s)| *s < 0.5 || known[base.design.rows.index(i)])
            .collect();
        let unknown = keep.iter().filter(|k| !**k).count();
        base.restrict(&keep);
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
        let total: Option<Vec<f64>> = weights.as_ref().map(|w| {
            let seen = base.design.outcome.values(&rows);
            w.iter()
                .zip(&seen)
                .filter(|(_, s)| **s > 0.5)
                .map(|(w, _)| *w)
                .collect()
        });
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
            .map(|column| harmless(column, &rows))
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
            y: only_on(&design.outcome, &design.rows),
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

/// The column with its infinite values on rows outside the equation made missing; shared when there are none.
fn harmless(column: &DesignColumn, rows: &Rows) -> DesignColumn {
    let values = column.values(rows);
    if !values.iter().any(|v| v.is_infinite()) {
        return column.clone();
    }
    let mut out = vec![f64::NAN; rows.total()];
    for (i, v) in values.iter().enumerate().filter(|(_, v)| v.is_finite()) {
        out[rows.index(i)] = *v;
    }
    DesignColumn::new(column.name.clone(), Arc::new(out))
}

/// The column with zeros outside the rows where it is defined.
fn only_on(column: &DesignColumn, rows: &Rows) -> DesignColumn {
    let mut out = vec![0.0; rows.total()];
    for (i, v) in column.values(rows).iter().enumerate() {
        out[rows.index(i)] = *v;
    }
    DesignColumn::new(column.name.clone(), Arc::new(out))
}
