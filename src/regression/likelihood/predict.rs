//! What a fitted model says about other rows: predictions with intervals.

use super::engine::inverse_map;
use super::index::Index;
use super::model::{Quantity, RowModel};
use crate::data::{Elsewhere, Formula, Frame, Rows, elsewhere, regressor_variables};
use crate::error::{Error, Result};
use crate::inference::check_level;
use crate::inference::fitted::Fitted;
use crate::numeric::blocks;
use crate::numeric::linalg::quadratic_form;
use crate::numeric::special::student_t;
use crate::report::{Cell, Table};
use crate::summary::gram::{TILE, Tile};
use nalgebra::{DMatrix, DVector};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// Rows of a parallel block.
const BLOCK: usize = 8 * TILE;

/// Step of the derivative of a quantity in an index: fourth-order differences then err by about 1e-12.
const STEP: f64 = 2e-3;

/// Predictions for the rows of a frame, with standard errors by the delta method.
///
/// The interval is that of the index, mapped to the quantity, when the model has one index. With several indices it is that of the
/// log-odds for a probability (so that its ends, too, stay between 0 and 1), else estimate ± z · standard error. It is a confidence interval of the quantity,
/// not of a single outcome.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Predictions {
    /// One value a row of the frame; NaN where a regressor is missing.
    pub values: Vec<f64>,
    /// Standard errors, NaN in the same rows.
    pub std_errors: Vec<f64>,
    /// Lower ends of the intervals.
    pub lower: Vec<f64>,
    /// Upper ends.
    pub upper: Vec<f64>,
    /// The level of the intervals.
    pub level: f64,
    /// Rows without a prediction.
    pub missing: usize,
}

impl Predictions {
    /// The predictions as a frame: `prediction`, `std_error`, `lower`, `upper`.
    ///
    /// # Errors
    /// None in practice: the columns have one length.
    pub fn to_frame(&self) -> Result<Frame> {
        Frame::new()
            .with("prediction", self.values.clone())?
            .with("std_error", self.std_errors.clone())?
            .with("lower", self.lower.clone())?
            .with("upper", self.upper.clone())
    }

    /// The first rows as a table.
    pub fn table(&self) -> Table {
        const SHOWN: usize = 20;
        const DIGITS: usize = 5;
        let percent = self.level * 100.0;
        let from = format!("{percent} % from");
        let mut table = Table::new("Predictions").columns([
            "row",
            "Prediction",
            "Std. error",
            from.as_str(),
            "to",
        ]);
        for i in 0..self.values.len().min(SHOWN) {
            table = table.row([
                Cell::from(i + 1),
                Cell::significant(self.values[i], DIGITS),
                Cell::significant(self.std_errors[i], DIGITS),
                Cell::significant(self.lower[i], DIGITS),
                Cell::significant(self.upper[i], DIGITS),
            ]);
        }
        if self.values.len() > SHOWN {
            table = table.note(format!("{} rows in all", self.values.len()));
        }
        if self.missing > 0 {
            table = table.note(format!(
                "{} rows have a missing regressor and no prediction",
                self.missing
            ));
        }
        table
    }

    /// The first rows as HTML.
    pub fn to_html(&self) -> String {
        self.table().to_html()
    }
}

impl fmt::Display for Predictions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.table().fmt(f)
    }
}

crate::report::notebook!(Predictions);

/// What a model says of a row with given indices.
pub(crate) trait Predicts: Sync {
    /// The quantity, if the model has it.
    fn quantity(&self, what: Quantity, indices: &[f64]) -> Option<f64>;

    /// Whether the quantity lies between 0 and 1.
    fn is_share(&self, what: Quantity) -> bool {
        matches!(what, Quantity::Probability(_))
    }

    /// See [`RowModel::index_of_mean`].
    fn index_of_mean(&self, mean: f64) -> Option<f64> {
        let _ = mean;
        None
    }
}

impl Predicts for Arc<dyn RowModel> {
    fn quantity(&self, what: Quantity, indices: &[f64]) -> Option<f64> {
        self.predict(what, indices)
    }

    fn index_of_mean(&self, mean: f64) -> Option<f64> {
        RowModel::index_of_mean(self.as_ref(), mean)
    }
}

/// One quantity, asked for as the mean.
pub(crate) struct Only<F> {
    pub(crate) quantity: F,
    /// Whether it lies between 0 and 1.
    pub(crate) share: bool,
}

impl<F: Fn(&[f64]) -> f64 + Sync> Predicts for Only<F> {
    fn quantity(&self, what: Quantity, indices: &[f64]) -> Option<f64> {
        (what == Quantity::Mean).then(|| (self.quantity)(indices))
    }

    fn is_share(&self, _what: Quantity) -> bool {
        self.share
    }
}

/// A fitted model as predictions need it.
#[derive(Clone, Copy)]
pub(crate) struct Predictor<'a> {
    pub(crate) model: &'a dyn Predicts,
    pub(crate) indices: &'a [Index],
    /// Formulas of the indices that are equations.
    pub(crate) formulas: &'a [Formula],
    pub(crate) frame: &'a Frame,
    pub(crate) rows: &'a Rows,
    /// The rows to which each formula was fitted, when they differ; else empty.
    pub(crate) rows_of_formulas: &'a [&'a Rows],
    /// Weights of all rows.
    pub(crate) weights: Option<&'a [f64]>,
    /// Coefficients and their covariance.
    pub(crate) fitted: &'a Fitted,
    /// What is added to the variance of a prediction, when it is that of a new outcome.
    pub(crate) noise: f64,
}

/// A weighted sum of predictions with its gradient in the coefficients, and the same sums of absolute values, which tell what is
/// rounding.
#[derive(Clone, Debug)]
pub(crate) struct PredictedSum {
    pub(crate) value: f64,
    pub(crate) gradient: DVector<f64>,
    value_size: f64,
    gradient_size: DVector<f64>,
}

impl PredictedSum {
    /// Zero, for a model of so many coefficients.
    pub(crate) fn zero(coefficients: usize) -> Self {
        Self {
            value: 0.0,
            gradient: DVector::zeros(coefficients),
            value_size: 0.0,
            gradient_size: DVector::zeros(coefficients),
        }
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.value += other.value;
        self.gradient += &other.gradient;
        self.value_size += other.value_size;
        self.gradient_size += &other.gradient_size;
    }

    /// The same with exact zeros where terms cancel up to rounding: a quantity that does not depend on a variable then has no
    /// effect, instead of one of 1e-14 with a standard error as small.
    pub(crate) fn without_rounding(mut self) -> Self {
        let clear = |sum: &mut f64, size: f64| {
            if sum.abs() <= ROUNDING * size {
                *sum = 0.0;
            }
        };
        clear(&mut self.value, self.value_size);
        for (sum, size) in self.gradient.iter_mut().zip(self.gradient_size.iter()) {
            clear(sum, *size);
        }
        self
    }
}

/// Sums below this share of the sum of the absolute terms are rounding: that of 1e6 terms stays below 1e-13.
const ROUNDING: f64 = 1e-12;

/// A quantity on a tile of rows with its derivatives in the working parameters.
struct Tiles<'a> {
    predictor: &'a Predictor<'a>,
    indices: Vec<Index>,
    at: Elsewhere,
    what: Quantity,
    point: Vec<f64>,
}

impl Predictor<'_> {
    /// A quantity for every row of `new`.
    pub(crate) fn predict(&self, new: &Frame, what: Quantity, level: f64) -> Result<Predictions> {
        check_level(level)?;
        let inverse = self.inverse_map();
        let covariance = &inverse * &self.fitted.covariance * inverse.transpose();
        let tiles = self.tiles(new, what)?;
        let quantile = |df: f64| student_t::quantile(0.5 + level / 2.0, df);
        let common = quantile(self.fitted.df);
        let count = tiles.at.rows.len();
        let work = |block: Range<usize>| {
            let mut out = Vec::with_capacity(block.len());
            tiles.each(block, |eta, value, gradient| {
                let variance = quadratic_form(&covariance, gradient).max(0.0) + self.noise;
                let error = variance.sqrt();
                let z = if self.fitted.has_own_degrees() {
                    let contrast = inverse.transpose() * gradient;
                    quantile(self.fitted.degrees_of_freedom(&contrast))
                } else {
                    common
                };
                let ends = self.interval(what, eta, value, error, z);
                out.push([value, error, ends[0], ends[1]]);
            })?;
            Ok(out)
        };
        let made = blocks::reduce(count, BLOCK, work, join).unwrap_or_else(|| Ok(vec![]))?;
        let mut columns: [Vec<f64>; 4] = std::array::from_fn(|_| vec![f64::NAN; new.rows()]);
        for (position, values) in tiles.at.positions.iter().zip(&made) {
            for (column, value) in columns.iter_mut().zip(values) {
                column[*position] = *value;
            }
        }
        let [values, std_errors, lower, upper] = columns;
        Ok(Predictions {
            values,
            std_errors,
            lower,
            upper,
            level,
            missing: new.rows() - count,
        })
    }

    /// The columns behind the regressors and offsets.
    pub(crate) fn variables(&self) -> Result<Vec<String>> {
        let also: Vec<&str> = self.indices.iter().filter_map(Index::offset).collect();
        regressor_variables(&self.parsed()?, self.frame, &also)
    }

    fn parsed(&self) -> Result<Vec<crate::data::ParsedFormula>> {
        self.formulas.iter().map(Formula::parse).collect()
    }

    /// `Σ_i weight_i q_i` over the rows of `new`, with its gradient in the coefficients. Every row must be complete.
    pub(crate) fn sum(&self, new: &Frame, weights: &[f64], what: Quantity) -> Result<PredictedSum> {
        let tiles = self.tiles(new, what)?;
        let k = tiles.point.len();
        let work = |block: Range<usize>| {
            let mut sums = vec![0.0; 2 * (k + 1)];
            let mut row = block.start;
            tiles.each(block, |_, value, gradient| {
                let weight = weights[tiles.at.positions[row]];
                row += 1;
                let (signed, sizes) = sums.split_at_mut(k + 1);
                let terms = gradient.iter().chain(std::iter::once(&value));
                for ((sum, size), term) in signed.iter_mut().zip(sizes).zip(terms) {
                    *sum += weight * term;
                    *size += (weight * term).abs();
                }
            })?;
            Ok(sums)
        };
        let add = |total: &mut Result<Vec<f64>>, part: Result<Vec<f64>>| match (&mut *total, part) {
            (Ok(sum), Ok(part)) => sum.iter_mut().zip(part).for_each(|(a, b)| *a += b),
            (Ok(_), Err(error)) => *total = Err(error),
            (Err(_), _) => {}
        };
        let sums = blocks::reduce(tiles.at.rows.len(), BLOCK, work, add)
            .unwrap_or_else(|| Ok(vec![0.0; 2 * (k + 1)]))?;
        let map = self.inverse_map().transpose();
        let (signed, sizes) = sums.split_at(k + 1);
        Ok(PredictedSum {
            value: signed[k],
            gradient: &map * DVector::from_column_slice(&signed[..k]),
            value_size: sizes[k],
            gradient_size: map.abs() * DVector::from_column_slice(&sizes[..k]),
        })
    }

    /// Working parameters = inverse map · coefficients.
    fn inverse_map(&self) -> DMatrix<f64> {
        inverse_map(self.indices)
    }

    fn tiles(&self, new: &Frame, what: Quantity) -> Result<Tiles<'_>> {
        let formulas = self.parsed()?;
        let also: Vec<&str> = self.indices.iter().filter_map(Index::offset).collect();
        let common = vec![self.rows; formulas.len()];
        let rows = if self.rows_of_formulas.is_empty() {
            &common
        } else {
            self.rows_of_formulas
        };
        let at = elsewhere(&formulas, self.frame, rows, new, &also)?;
        let mut columns = at.columns.iter();
        let indices = self
            .indices
            .iter()
            .map(|index| {
                if !index.is_equation() {
                    return Ok(index.clone());
                }
                let offset = index
                    .offset()
                    .map(|name| {
                        let values = at.frame.numeric(name)?.values().clone();
                        Ok::<_, Error>(crate::data::DesignColumn::new(name, values))
                    })
                    .transpose()?;
                index.elsewhere(columns.next().map_or(&[], Vec::as_slice), offset)
            })
            .collect::<Result<Vec<_>>>()?;
        let point = self.inverse_map() * &self.fitted.estimates;
        Ok(Tiles {
            predictor: self,
            indices,
            at,
            what,
            point: point.iter().copied().collect(),
        })
    }

    /// The ends of the interval of a quantity.
    fn interval(&self, what: Quantity, eta: &[f64], value: f64, error: f64, z: f64) -> [f64; 2] {
        let delta = [value - z * error, value + z * error];
        let [index] = eta else {
            let odds = value / (1.0 - value);
            if !(self.model.is_share(what) && odds > 0.0 && odds.is_finite()) {
                return delta;
            }
            let half = z * error / (value * (1.0 - value));
            return [-half, half].map(|d| 1.0 / (1.0 + (-(odds.ln() + d)).exp()));
        };
        let slope = slope(self.model, what, eta, 0);
        if what == Quantity::Linear || slope.abs() <= 0.0 {
            return delta;
        }
        let half = z * error / slope.abs();
        let ends = [index - half, index + half].map(|e| self.model.quantity(what, &[e]));
        let [Some(a), Some(b)] = ends else {
            return delta;
        };
        // The probability of a count rises in the index up to where the mean is the count, and falls beyond.
        let peak = match what {
            Quantity::Probability(y) => self.model.index_of_mean(y),
            _ => None,
        };
        let top = peak
            .filter(|peak| (peak - index).abs() < half)
            .and_then(|peak| self.model.quantity(what, &[peak]))
            .unwrap_or(f64::NEG_INFINITY);
        [a.min(b), a.max(b).max(top)]
    }
}

/// Appends the results of a block.
fn join(total: &mut Result<Vec<[f64; 4]>>, part: Result<Vec<[f64; 4]>>) {
    match (&mut *total, part) {
        (Ok(all), Ok(part)) => all.extend(part),
        (Ok(_), Err(error)) => *total = Err(error),
        (Err(_), _) => {}
    }
}

impl Tiles<'_> {
    /// Calls `take(indices, value, gradient in the working parameters)` for each row of a block, in order.
    fn each(
        &self,
        block: Range<usize>,
        mut take: impl FnMut(&[f64], f64, &DVector<f64>),
    ) -> Result<()> {
        let k = self.point.len();
        let model = self.predictor.model;
        let mut tile = Tile::new(k);
        let mut eta = vec![[0.0; TILE]; self.indices.len()];
        let mut gradient = DVector::zeros(k);
        let mut at = vec![0.0; self.indices.len()];
        for r in blocks::ranges(block.len(), TILE) {
            let rows = block.start + r.start..block.start + r.end;
            let mut first = 0;
            for (index, eta) in self.indices.iter().zip(&mut eta) {
                let count = index.parameters();
                let point = &self.point[first..first + count];
                let eta = &mut eta[..rows.len()];
                index.fill(&self.at.rows, rows.clone(), point, &mut tile, first, eta);
                first += count;
            }
            for i in 0..rows.len() {
                for (at, eta) in at.iter_mut().zip(&eta) {
                    *at = eta[i];
                }
                let unknown = || {
                    Error::invalid_option(
                        "quantity",
                        format!("{:?}", self.what),
                        "one that the model has (for a probability: a possible outcome)",
                    )
                };
                let value = model.quantity(self.what, &at).ok_or_else(unknown)?;
                if !value.is_finite() {
                    let row = self.at.positions[rows.start + i] + 1;
                    return Err(Error::NotFinite {
                        what: format!(
                            "the prediction in row {row} (a term of the formula may have no value there)"
                        ),
                    });
                }
                let mut first = 0;
                for (l, index) in self.indices.iter().enumerate() {
                    let slope = slope(model, self.what, &at, l);
                    for j in first..first + index.parameters() {
                        gradient[j] = slope * tile.column(j)[i];
                    }
                    first += index.parameters();
                }
                take(&at, value, &gradient);
            }
        }
        Ok(())
    }
}

/// The derivative of a quantity in index `l`, by fourth-order differences.
fn slope(model: &dyn Predicts, what: Quantity, at: &[f64], l: usize) -> f64 {
    if what == Quantity::Linear {
        return if l == 0 { 1.0 } else { 0.0 };
    }
    let h = STEP * at[l].abs().max(1.0);
    let mut moved = at.to_vec();
    let mut value = |steps: f64| {
        moved[l] = at[l] + steps * h;
        model.quantity(what, &moved).unwrap_or(f64::NAN)
    };
    // Differences first: they are exactly zero when the quantity does not depend on this index.
    let (near, far) = (value(1.0) - value(-1.0), value(2.0) - value(-2.0));
    (8.0 * near - far) / (12.0 * h)
}
