//! The rows and columns of two binary equations of which the second is seen only where the first is one.

use crate::data::{Design, DesignColumn, Formula, Frame, ParsedFormula, Rows};
use crate::error::{Error, Result, Warning};
use crate::regression::binary::check_binary;
use crate::regression::likelihood::{Index, Options};
use crate::regression::selected::{
    design_where_seen, finite_or_missing, restrict_to_known, weights_where, zero_elsewhere,
};
use std::sync::Arc;

/// Both equations over their rows.
pub(super) struct PairSample {
    pub(super) buy: Index,
    pub(super) participate: Index,
    pub(super) bought: DesignColumn,
    /// P, zero where it is not seen.
    pub(super) participated: DesignColumn,
    pub(super) rows: Rows,
    /// The rows where P is seen.
    pub(super) seen: Rows,
    pub(super) weights: Option<Arc<Vec<f64>>>,
    /// Weights of the rows where P is seen.
    pub(super) weights_seen: Option<Arc<Vec<f64>>>,
    pub(super) frequency: bool,
    pub(super) formula: String,
    /// Whether the first equation has a regressor that the second has not.
    pub(super) excluded: bool,
    /// Whether some regressor of the second equation is missing where that is not seen.
    pub(super) partial: bool,
    pub(super) warnings: Vec<Warning>,
}

impl PairSample {
    pub(super) fn new(options: &Options, participate: &Formula, frame: &Frame) -> Result<Self> {
        let mut base = options.sample(frame, "without fixed effects for a bivariate probit")?;
        check_binary(&base.design.outcome, &base.design.rows)?;
        let (parsed, mut design) =
            design_where_seen(&base, participate, frame, "a bivariate probit")?;
        let bought = base.design.outcome.values(&base.design.rows);
        refuse_participation_without_purchase(&design.outcome.name, &base.design, &bought, frame)?;

        let everywhere = on_all_rows(&parsed, &design.outcome.name, &base.design, &bought, frame)?;
        let partial = everywhere.is_none();
        if let Some(all) = everywhere {
            design = all;
        }

        // Buyers of whom it is not known whether they participated.
        let unknown = restrict_to_known(&mut base, &design);
        let mut warnings = std::mem::take(&mut base.warnings);
        if unknown > 0 {
            warnings.push(Warning::Note {
                message: format!(
                    "{unknown} buyers dropped: a variable of the equation of participation is missing there"
                ),
            });
        }
        let rows = base.design.rows.clone();
        check_binary(&base.design.outcome, &rows)?;
        let bought = base.design.outcome.values(&rows);
        let seen_mask: Vec<bool> = bought.iter().map(|b| *b > 0.5).collect();
        let seen = rows.retain(&seen_mask);
        check_binary(&design.outcome, &seen)?;

        let weights_seen = (base.weights.as_ref()).map(|w| Arc::new(weights_where(&seen_mask, w)));
        let buy = Index::new(
            "buy",
            &base.design.exogenous,
            base.design.intercept,
            &rows,
            base.weights.as_deref(),
            &mut warnings,
        );
        let columns: Vec<DesignColumn> = design
            .exogenous
            .iter()
            .map(|column| finite_or_missing(column, &rows))
            .collect();
        let participate = Index::new(
            "participate",
            &columns,
            design.intercept,
            &seen,
            weights_seen.as_ref().map(|w| w.as_slice()),
            &mut warnings,
        );
        let participate = if partial {
            participate.partly_missing()
        } else {
            participate
        };
        let of_second: Vec<&str> = participate.regressors().collect();
        let excluded = buy.regressors().any(|name| !of_second.contains(&name));
        Ok(Self {
            participated: zero_elsewhere(&design.outcome, &seen),
            buy,
            participate,
            bought: base.design.outcome,
            rows,
            seen,
            frequency: base.frequency,
            weights: base.weights.map(Arc::new),
            weights_seen,
            formula: format!("buy: {}; participate: {parsed}", base.parsed),
            excluded,
            partial,
            warnings,
        })
    }
}

/// Participation comes after the purchase: one without the other is an error in the data.
fn refuse_participation_without_purchase(
    name: &str,
    base: &Design,
    bought: &[f64],
    frame: &Frame,
) -> Result<()> {
    // A computed outcome has no column to look at.
    let Ok(column) = frame.numeric(name) else {
        return Ok(());
    };
    let values = column.values();
    let wrong = (0..bought.len())
        .filter(|i| bought[*i] < 0.5)
        .map(|i| base.rows.index(i))
        .find(|row| !values[*row].is_nan() && values[*row].abs() > 0.0);
    match wrong {
        Some(row) => Err(Error::OutOfRange {
            column: name.to_owned(),
            row: row + 1,
            value: values[row],
            expected: format!(
                "0 or missing where `{}` is 0: participation is recorded without a purchase (if customers participate first and then buy, give the equations in that order)",
                base.outcome.name
            ),
        }),
        None => Ok(()),
    }
}

/// The second design on all rows of the first, with an outcome of zero where it is not seen; none when a regressor is missing there
/// or the outcome is computed. Categories and polynomials are then those of all rows, as in predictions for other frames.
fn on_all_rows(
    parsed: &ParsedFormula,
    outcome: &str,
    base: &Design,
    bought: &[f64],
    frame: &Frame,
) -> Result<Option<Design>> {
    let Ok(column) = frame.numeric(outcome) else {
        return Ok(None);
    };
    let mut values = column.values().to_vec();
    for (i, _) in bought.iter().enumerate().filter(|(_, b)| **b < 0.5) {
        values[base.rows.index(i)] = 0.0;
    }
    let also: Vec<&str> = base.missing.iter().map(|(name, _)| name.as_str()).collect();
    let design = Design::build(parsed, &frame.replace(outcome, values)?, &also)?;
    let known = design.rows.mask();
    let complete = bought
        .iter()
        .enumerate()
        .all(|(i, b)| *b > 0.5 || known[base.rows.index(i)]);
    Ok(complete.then_some(design))
}
