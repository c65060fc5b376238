//! Features of items, on which their difficulties may depend.

use super::item::ItemModel;
use super::model::ItemResponse;
use crate::data::{Design, Formula, Frame};
use crate::error::{Error, Result, Warning};
use crate::numeric::linalg::Cholesky;
use nalgebra::DMatrix;

/// The column of the names of items in a frame of features.
const ITEM_COLUMN: &str = "item";

/// The name of the column that stands for difficulty in its regression; no formula of a user can spell it.
const DIFFICULTY: &str = "(difficulty)";

/// Features of items: one row an item.
pub(super) struct Features {
    pub(super) names: Vec<String>,
    pub(super) values: DMatrix<f64>,
}

impl Features {
    /// Reads them in the order of the items, with a constant.
    pub(super) fn new(
        model: &ItemResponse,
        models: &[ItemModel],
        right: &str,
        items: &Frame,
        warnings: &mut Vec<Warning>,
    ) -> Result<Self> {
        if model.anchor.is_some() || models.iter().any(|m| *m != ItemModel::Rasch) {
            return Err(Error::invalid_option(
                "difficulty_regressors",
                right,
                "given for Rasch items only (ItemResponse::rasch), without an anchor: intercepts must be linear in the features",
            ));
        }
        let formula: Formula = Formula::outcome(DIFFICULTY).term(right).into();
        let parsed = formula.parse()?;
        let with_outcome = items.clone().with(DIFFICULTY, vec![0.0; items.rows()])?;
        let design = Design::build(&parsed, &with_outcome, &[ITEM_COLUMN])?;
        if !design.endogenous.is_empty() || !design.fixed_effects.is_empty() {
            return Err(Error::invalid_option(
                "difficulty_regressors",
                right,
                "without fixed effects and instruments",
            ));
        }
        let groups = items.groups(ITEM_COLUMN)?;
        let row_of = |name: &str| {
            (0..design.rows.len()).find(|i| {
                let code = groups.codes[design.rows.index(*i)] as usize;
                groups.levels.get(code).is_some_and(|level| level == name)
            })
        };
        let rows = (model.items.iter())
        .map(|name| {
            row_of(name).ok_or_else(|| Error::Unidentified {
                what: format!("the difficulty of item `{name}`"),
                needs: format!(
                    "a row of the frame of features whose column `{ITEM_COLUMN}` is `{name}`, with no feature missing"
                ),
            })
        })
        .collect::<Result<Vec<usize>>>()?;
        let mut names = vec![];
        let mut columns: Vec<Vec<f64>> = vec![];
        if design.intercept {
            names.push("(Intercept)".to_owned());
            columns.push(vec![1.0; rows.len()]);
        }
        for column in &design.exogenous {
            let values = column.values(&design.rows);
            names.push(column.name.clone());
            columns.push(rows.iter().map(|i| values[*i]).collect());
        }
        let all = DMatrix::from_fn(rows.len(), columns.len(), |i, j| columns[j][i]);
        let factor = Cholesky::new(&(all.transpose() * &all));
        if !factor.dropped().is_empty() {
            warnings.push(Warning::Collinear {
                columns: factor.dropped().iter().map(|j| names[*j].clone()).collect(),
            });
        }
        Ok(Self {
            names: factor.kept().iter().map(|j| names[*j].clone()).collect(),
            values: all.select_columns(factor.kept()),
        })
    }
}
