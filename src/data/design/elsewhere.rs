//! The regressors of a fitted model on other rows: the same columns, with the levels, means and polynomials of the fit.

use super::coding::{Coder, Span};
use super::{DesignColumn, everything, sample};
use crate::data::formula::ParsedFormula;
use crate::data::frame::Frame;
use crate::data::rows::Rows;
use crate::error::Result;

/// Regressors on new rows.
#[derive(Clone, Debug)]
pub(crate) struct Elsewhere {
    /// The regressors of each formula as in the fit, the exogenous before the endogenous.
    pub(crate) columns: Vec<Vec<DesignColumn>>,
    /// The complete new rows, among the stacked rows of fit and new data.
    pub(crate) rows: Rows,
    /// Both frames stacked, with the columns used.
    pub(crate) frame: Frame,
    /// For each complete new row, where it stands in the new frame.
    pub(crate) positions: Vec<usize>,
}

/// The columns that the regressors of `formulas` name, and `also`, each once.
pub(crate) fn regressor_variables(
    formulas: &[ParsedFormula],
    frame: &Frame,
    also: &[&str],
) -> Result<Vec<String>> {
    let mut names: Vec<String> = Vec::new();
    for formula in formulas {
        let mut terms = everything::expand(formula, frame)?;
        terms.extend_from_slice(formula.endogenous());
        for name in crate::data::formula::columns_of(&terms, also) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
    }
    Ok(names)
}

/// Builds the regressors of `formulas`, each fitted to its own `rows` of `frame`, on the rows of `new` where nothing that they or
/// `also` name is missing. Both frames are stacked, and whatever depends on the data (levels, references, means of standardised
/// columns, orthogonal polynomials) is taken from the rows of the fit.
///
/// # Errors
/// `ColumnNotFound` and `WrongKind` for columns of the new frame, `InvalidOption` for a level that the fit has not seen,
/// `Infinite`, `NoRows`.
pub(crate) fn elsewhere(
    formulas: &[ParsedFormula],
    frame: &Frame,
    rows: &[&Rows],
    new: &Frame,
    also: &[&str],
) -> Result<Elsewhere> {
    let terms = formulas
        .iter()
        .map(|formula| everything::expand(formula, frame))
        .collect::<Result<Vec<_>>>()?;
    let names = regressor_variables(formulas, frame, also)?;
    // A frame needs a column to have rows; a model of a constant alone has none.
    let position = "row of the new data";
    let counted = |f: &Frame| {
        let numbers: Vec<f64> = (0..f.rows()).map(|i| i as f64).collect();
        f.select(&names)?.with(position, numbers)
    };
    let (old, new) = (counted(frame)?, counted(new)?);
    let (complete, _) = sample::used_rows(&names, &new)?;
    sample::refuse_infinite(&names, &new, &complete)?;
    let first = old.rows();
    let stacked = Frame::concat(&[old, new])?;
    let total = stacked.rows();
    let positions: Vec<usize> = (0..complete.len()).map(|i| complete.index(i)).collect();
    let ahead = positions.iter().map(|i| (first + i) as u32).collect();
    let ahead = Rows::some(total, ahead);
    let mut columns = Vec::with_capacity(formulas.len());
    for ((formula, terms), rows) in formulas.iter().zip(&terms).zip(rows) {
        let fitted = (0..rows.len()).map(|i| rows.index(i) as u32).collect();
        let fitted = Rows::some(total, fitted);
        let mut coder = Coder::new(&stacked, &fitted, formula.intercept());
        let mut span = Span::default();
        let mut regressors = coder.columns(terms, &mut span)?;
        regressors.extend(coder.columns(formula.endogenous(), &mut span)?);
        columns.push(regressors);
        coder.refuse_unseen(&ahead, first)?;
    }
    Ok(Elsewhere {
        columns,
        rows: ahead,
        frame: stacked,
        positions,
    })
}
