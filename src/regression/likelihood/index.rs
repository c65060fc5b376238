//! One linear index of a likelihood: its columns, centred and scaled so that any units and means are harmless.

use crate::data::{DesignColumn, Rows};
use crate::error::{Error, Result, Warning};
use crate::numeric::linalg::{Cholesky, block};
use crate::summary::Moments;
use crate::summary::gram::Tile;
use crate::summary::kernels::standardize_into;
use nalgebra::DMatrix;
use std::ops::Range;
use std::sync::Arc;

/// A regressor whose spread is below this share of its mean is constant: rounding of a centred column is about 1e-16 of it.
const CONSTANT: f64 = 1e-13;

/// `η = offset + α + Σ_j x_j β_j`. The working parameters are `α` at the means of the regressors and `β_j` times their
/// standard deviations.
#[derive(Clone, Debug)]
pub(crate) struct Index {
    /// What stands before the names of its coefficients: nothing for the equation of the outcome.
    pub(crate) equation: String,
    columns: Vec<DesignColumn>,
    /// The name of the constant, when there is one.
    pub(crate) constant: Option<String>,
    offset: Option<DesignColumn>,
    center: Vec<f64>,
    scale: Vec<f64>,
    /// Whether it has a formula of its own; else it is a single parameter.
    is_equation: bool,
    /// Whether regressors may be missing on rows where the model does not ask for this index; they count as zero there.
    partial: bool,
    /// How many of the parameters behind this index, each `c − η` in the model, stand for its constant (thresholds).
    thresholds: usize,
}

impl Index {
    /// An index of regressors; those that are constant or linear combinations of earlier ones are left out with a warning.
    pub(crate) fn new(
        equation: &str,
        columns: &[DesignColumn],
        constant: bool,
        rows: &Rows,
        weights: Option<&[f64]>,
        warnings: &mut Vec<Warning>,
    ) -> Self {
        let moments = Moments::from_columns(rows.len(), columns.len(), weights, |j, range, out| {
            columns[j].fill(rows, range, out);
        });
        let (mean, weight) = (moments.mean(), moments.weight());
        let spread = moments.comoment();
        let gram = if constant {
            spread.clone()
        } else {
            moments.cross_product()
        };
        let (fixed, varying): (Vec<usize>, Vec<usize>) = (0..columns.len())
            .partition(|j| constant && spread[(*j, *j)] <= (CONSTANT * mean[*j]).powi(2) * weight);
        let factor = Cholesky::new(&block(&gram, &varying, &varying));
        let kept: Vec<usize> = factor.kept().iter().map(|i| varying[*i]).collect();
        let named = |list: &[usize]| list.iter().map(|j| columns[*j].name.clone()).collect();
        if !fixed.is_empty() {
            let columns = named(&fixed);
            warnings.push(Warning::Constant { columns });
        }
        if !factor.dropped().is_empty() {
            let dropped: Vec<usize> = factor.dropped().iter().map(|i| varying[*i]).collect();
            let columns = named(&dropped);
            warnings.push(Warning::Collinear { columns });
        }
        Self {
            equation: equation.to_owned(),
            center: kept
                .iter()
                .map(|j| if constant { mean[*j] } else { 0.0 })
                .collect(),
            scale: kept
                .iter()
                .map(|j| (gram[(*j, *j)] / weight).sqrt())
                .collect(),
            columns: kept.iter().map(|j| columns[*j].clone()).collect(),
            constant: constant.then(|| "(Intercept)".to_owned()),
            offset: None,
            is_equation: true,
            partial: false,
            thresholds: 0,
        }
    }

    /// An index known by its names alone, to be filled elsewhere, whose columns are used as they are.
    pub(crate) fn placeholder<'n>(names: impl Iterator<Item = &'n str>, constant: bool) -> Self {
        let empty = Arc::new(Vec::new());
        let columns: Vec<DesignColumn> = names
            .map(|name| DesignColumn::new(name, Arc::clone(&empty)))
            .collect();
        Self {
            equation: String::new(),
            center: vec![0.0; columns.len()],
            scale: vec![1.0; columns.len()],
            columns,
            constant: constant.then(|| "(Intercept)".to_owned()),
            offset: None,
            is_equation: true,
            partial: false,
            thresholds: 0,
        }
    }

    /// The same index on other rows: `columns` has, under their names, the columns of its formula there.
    pub(crate) fn elsewhere(
        &self,
        columns: &[DesignColumn],
        offset: Option<DesignColumn>,
    ) -> Result<Self> {
        let find = |old: &DesignColumn| {
            let column = columns.iter().find(|c| c.name == old.name);
            column.cloned().ok_or_else(|| Error::ColumnNotFound {
                column: old.name.clone(),
                nearest: None,
                available: vec![],
            })
        };
        Ok(Self {
            columns: self.columns.iter().map(find).collect::<Result<_>>()?,
            offset,
            partial: false,
            ..self.clone()
        })
    }

    /// The same index without its last regressors.
    pub(crate) fn without_last(mut self, regressors: usize) -> Self {
        let kept = self.columns.len().saturating_sub(regressors);
        self.columns.truncate(kept);
        self.center.truncate(kept);
        self.scale.truncate(kept);
        self
    }

    /// An index that is one parameter, the same for all rows.
    pub(crate) fn parameter(name: &str) -> Self {
        Self {
            equation: String::new(),
            columns: vec![],
            constant: Some(name.to_owned()),
            offset: None,
            center: vec![],
            scale: vec![],
            is_equation: false,
            partial: false,
            thresholds: 0,
        }
    }

    /// Adds an offset: a regressor whose coefficient is one.
    pub(crate) fn with_offset(mut self, offset: Option<DesignColumn>) -> Self {
        self.offset = offset;
        self
    }

    /// Lets regressors be missing where the model does not ask for this index.
    pub(crate) fn partly_missing(mut self) -> Self {
        self.partial = true;
        self
    }

    /// Gives the constant up to thresholds: the model has `c − η` for each of the `thresholds` parameters that follow this index,
    /// so that a constant of its own would not be identified.
    pub(crate) fn with_thresholds(mut self, thresholds: usize) -> Self {
        self.constant = None;
        self.thresholds = thresholds;
        self
    }

    /// Whether the model has a constant here, under its own name or as thresholds.
    pub(crate) fn has_constant(&self) -> bool {
        self.constant.is_some() || self.thresholds > 0
    }

    /// The same index under the name of an equation.
    pub(crate) fn named(mut self, equation: &str) -> Self {
        equation.clone_into(&mut self.equation);
        self
    }

    /// The regressors as they are, a column of ones first when there is a constant.
    pub(crate) fn raw_columns(&self, rows: &Rows) -> Vec<Vec<f64>> {
        let ones = self.constant.iter().map(|_| vec![1.0; rows.len()]);
        ones.chain(self.columns.iter().map(|c| c.values(rows)))
            .collect()
    }

    /// The same index without regressors: what a model of constants alone uses.
    pub(crate) fn without_slopes(&self) -> Self {
        Self {
            columns: vec![],
            center: vec![],
            scale: vec![],
            ..self.clone()
        }
    }

    /// Number of working parameters.
    pub(crate) fn parameters(&self) -> usize {
        self.columns.len() + usize::from(self.constant.is_some())
    }

    /// Whether it has a formula of its own.
    pub(crate) fn is_equation(&self) -> bool {
        self.is_equation
    }

    /// The column that is the offset.
    pub(crate) fn offset(&self) -> Option<&str> {
        self.offset.as_ref().map(|c| c.name.as_str())
    }

    /// Names of the regressors.
    pub(crate) fn regressors(&self) -> impl Iterator<Item = &str> {
        self.columns.iter().map(|c| c.name.as_str())
    }

    /// Names of the coefficients.
    pub(crate) fn names(&self) -> Vec<String> {
        let prefix = if self.equation.is_empty() {
            String::new()
        } else {
            format!("{}.", self.equation)
        };
        self.constant
            .iter()
            .map(String::as_str)
            .chain(self.regressors())
            .map(|name| format!("{prefix}{name}"))
            .collect()
    }

    /// Writes the block of the map from working parameters to coefficients, from (`at`, `at`) on.
    pub(crate) fn fill_map(&self, map: &mut DMatrix<f64>, at: usize) {
        let first = usize::from(self.constant.is_some());
        if first == 1 {
            map[(at, at)] = 1.0;
        }
        for (j, (center, scale)) in self.center.iter().zip(&self.scale).enumerate() {
            let k = at + first + j;
            map[(k, k)] = 1.0 / scale;
            if first == 1 {
                map[(at, k)] = -center / scale;
            }
            let behind = at + self.parameters();
            for threshold in behind..behind + self.thresholds {
                map[(threshold, k)] = center / scale;
            }
        }
    }

    /// Writes the block of the inverse map, from coefficients to working parameters.
    pub(crate) fn fill_inverse_map(&self, inverse: &mut DMatrix<f64>, at: usize) {
        let first = usize::from(self.constant.is_some());
        if first == 1 {
            inverse[(at, at)] = 1.0;
        }
        for (j, (center, scale)) in self.center.iter().zip(&self.scale).enumerate() {
            let k = at + first + j;
            inverse[(k, k)] = *scale;
            if first == 1 {
                inverse[(at, k)] = *center;
            }
            let behind = at + self.parameters();
            for threshold in behind..behind + self.thresholds {
                inverse[(threshold, k)] = -center;
            }
        }
    }

    /// Writes the working regressors of a range of at most a tile of rows into the columns of `tile` from `at` on, and the
    /// index at `point`.
    pub(crate) fn fill(
        &self,
        rows: &Rows,
        range: Range<usize>,
        point: &[f64],
        tile: &mut Tile,
        at: usize,
        eta: &mut [f64],
    ) {
        let len = range.len();
        match &self.offset {
            Some(offset) => offset.fill(rows, range.clone(), eta),
            None => eta.fill(0.0),
        }
        let first = usize::from(self.constant.is_some());
        if first == 1 {
            tile.column_mut(at)[..len].fill(1.0);
            for eta in eta.iter_mut() {
                *eta += point[0];
            }
        }
        for (j, source) in self.columns.iter().enumerate() {
            let (center, inverse) = (self.center[j], 1.0 / self.scale[j]);
            let slope = point[first + j];
            let out = &mut tile.column_mut(at + first + j)[..len];
            if let Some(plain) = source.slice(rows, range.clone()).filter(|_| !self.partial) {
                standardize_into(plain, (center, inverse), slope, out, eta);
                continue;
            }
            source.fill(rows, range.clone(), out);
            if self.partial {
                for x in out.iter_mut().filter(|x| x.is_nan()) {
                    *x = center;
                }
            }
            for (x, eta) in out.iter_mut().zip(eta.iter_mut()) {
                *x = (*x - center) * inverse;
                *eta += slope * *x;
            }
        }
    }
}
