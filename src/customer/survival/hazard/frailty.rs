//! The likelihood of periods when customers differ in ways that were not observed.

use super::super::newton::Pass;
use super::super::regressors::Regressors;
use super::Frailty;
use super::cells::Cells;
use crate::numeric::blocks;
use crate::numeric::quadrature::NormalFrailty;
use nalgebra::{DMatrix, DVector};

/// Below this, `θH` is small and the closed forms cancel: their series are used.
const SMALL: f64 = 0.01;
/// Terms of these series: the last is below 1e-20.
const TERMS: i32 = 10;

/// The rows of each customer and how frailty enters.
pub(super) struct Shared<'a> {
    pub(super) cells: &'a Cells<'a>,
    pub(super) regressors: &'a Regressors,
    pub(super) frailty: Frailty,
    /// Rows of each customer.
    pub(super) customers: Vec<Vec<usize>>,
}

/// Customers of a parallel block.
const BLOCK: usize = 128;

/// A period of a customer: its index without frailty, whether the event came, and what multiplies the parameters in it.
struct Cell {
    index: f64,
    event: bool,
    row: usize,
    period: usize,
}

/// What the parameters at a point say of all rows.
struct At {
    /// The baseline by period.
    offsets: Vec<f64>,
    /// `x'β` by row.
    index: Vec<f64>,
    /// Variance (gamma) or standard deviation (normal).
    spread: f64,
}

/// The log-likelihood of a customer with its derivatives.
struct Terms {
    value: f64,
    gradient: DVector<f64>,
    hessian: DMatrix<f64>,
}

impl Shared<'_> {
    fn parameters(&self) -> usize {
        self.cells.baseline() + self.regressors.count() + 1
    }

    /// One pass over all customers. The last parameter is the log of the variance (gamma) or standard deviation (normal).
    pub(super) fn pass(&self, point: &[f64]) -> Pass {
        let k = self.parameters();
        let nothing = || Pass {
            log_likelihood: 0.0,
            gradient: vec![0.0; k],
            information: DMatrix::zeros(k, k),
        };
        let at = self.at(point);
        blocks::reduce(
            self.customers.len(),
            BLOCK,
            |range| {
                let mut sums = nothing();
                for rows in &self.customers[range] {
                    let terms = self.terms(rows, &at);
                    let w = self.cells.sample.weight(rows[0]);
                    sums.log_likelihood += w * terms.value;
                    for (sum, g) in sums.gradient.iter_mut().zip(terms.gradient.iter()) {
                        *sum += w * g;
                    }
                    sums.information -= terms.hessian * w;
                }
                sums
            },
            |total, part| {
                total.log_likelihood += part.log_likelihood;
                for (sum, g) in total.gradient.iter_mut().zip(part.gradient) {
                    *sum += g;
                }
                total.information += part.information;
            },
        )
        .unwrap_or_else(nothing)
    }

    /// Weighted scores, each customer's in its first row, in own units by `inverse`, from own to standardised units.
    pub(super) fn scores(&self, point: &[f64], inverse: &DMatrix<f64>) -> Vec<Vec<f64>> {
        let mut columns = vec![vec![0.0; self.cells.last.len()]; self.parameters()];
        let at = self.at(point);
        let scores = blocks::map(self.customers.len(), |customer| {
            inverse.transpose() * self.terms(&self.customers[customer], &at).gradient
        });
        for (rows, own) in self.customers.iter().zip(scores) {
            let w = self.cells.sample.weight(rows[0]);
            for (column, value) in columns.iter_mut().zip(own.iter()) {
                column[rows[0]] = w * value;
            }
        }
        columns
    }

    fn at(&self, point: &[f64]) -> At {
        let (q, p) = (self.cells.baseline(), self.regressors.count());
        let mut index = vec![0.0; self.cells.last.len()];
        self.regressors.add_index(&point[q..q + p], &mut index);
        At {
            offsets: self.cells.offsets(point),
            index,
            spread: point[q + p].exp(),
        }
    }

    /// The likelihood of the customer with these rows.
    fn terms(&self, rows: &[usize], at: &At) -> Terms {
        let mut cells = Vec::new();
        for &row in rows {
            self.cells.each(row, |period, event| {
                cells.push(Cell {
                    index: at.offsets[period] + at.index[row],
                    event,
                    row,
                    period,
                });
            });
        }
        match self.frailty {
            Frailty::Gamma => self.gamma(&cells, at.spread),
            _ => self.normal(&cells, at.spread),
        }
    }

    /// The derivative of a cell's index by all parameters (zero for that of frailty).
    fn direction(&self, cell: &Cell, out: &mut DVector<f64>) {
        let q = self.cells.baseline();
        out.fill(0.0);
        for (a, b) in self.cells.basis[cell.period].iter().flatten().enumerate() {
            out[a] = *b;
        }
        for (j, column) in self.regressors.columns.iter().enumerate() {
            out[q + j] = column[cell.row];
        }
    }

    /// Gamma frailty of mean one and variance θ in the complementary log-log model: `S(H) = (1 + θH)^{−1/θ}` with H the cumulative
    /// hazard, and the event in the last period has probability `S(before) − S(H)` (Meyer 1990).
    fn gamma(&self, cells: &[Cell], theta: f64) -> Terms {
        let k = self.parameters();
        let mut direction = DVector::zeros(k);
        // Of the periods survived, and of all: the cumulative hazard and its gradient.
        let (mut before, mut upto) = (0.0, 0.0);
        let (mut before_slope, mut upto_slope) = (DVector::zeros(k), DVector::zeros(k));
        for cell in cells {
            let e = cell.index.exp();
            self.direction(cell, &mut direction);
            upto += e;
            upto_slope.axpy(e, &direction, 1.0);
            if !cell.event {
                before += e;
                before_slope.axpy(e, &direction, 1.0);
            }
        }
        let event = cells.iter().any(|c| c.event);
        let s0 = LogSurvival::new(before, theta);
        let s1 = LogSurvival::new(upto, theta);
        let (w0, w1, value) = if event {
            let ratio = (s1.value - s0.value).exp();
            let rest = -f64::exp_m1(s1.value - s0.value);
            (1.0 / rest, ratio / rest, s0.value + rest.ln())
        } else {
            (0.0, -1.0, s1.value)
        };
        let (g0, g1) = (s0.gradient(&before_slope), s1.gradient(&upto_slope));
        let gradient = &g0 * w0 - &g1 * w1;
        let mut hessian = s0.curvature(&before_slope) * w0 - s1.curvature(&upto_slope) * w1;
        if event {
            hessian.ger(w0, &g0, &g0, 1.0);
            hessian.ger(-w1, &g1, &g1, 1.0);
            hessian.ger(-1.0, &gradient, &gradient, 1.0);
        }
        for cell in cells {
            let part = if cell.event { 0.0 } else { w0 * s0.slope } - w1 * s1.slope;
            self.direction(cell, &mut direction);
            hessian.ger(part * cell.index.exp(), &direction, &direction, 1.0);
        }
        Terms {
            value,
            gradient,
            hessian,
        }
    }

    /// Normal frailty: the index of all periods of a customer moves by `σ z`, z standard normal, which is integrated out.
    fn normal(&self, cells: &[Cell], sigma: f64) -> Terms {
        let (k, link) = (self.parameters(), self.cells.link);
        let jet = |c: usize, shift: f64| link.period(cells[c].index + shift, cells[c].event);
        let Some(shared) = NormalFrailty::new(cells.len(), sigma, jet) else {
            return Terms {
                value: f64::NAN,
                gradient: DVector::from_element(k, f64::NAN),
                hessian: DMatrix::from_element(k, k, f64::NAN),
            };
        };
        // From the indices of cells and ln σ to the parameters.
        let mut directions = DMatrix::zeros(k, cells.len() + 1);
        let mut direction = DVector::zeros(k);
        for (c, cell) in cells.iter().enumerate() {
            self.direction(cell, &mut direction);
            directions.set_column(c, &direction);
        }
        directions[(k - 1, cells.len())] = 1.0;
        let by_cell = DMatrix::from_row_slice(cells.len() + 1, cells.len() + 1, &shared.hessian);
        Terms {
            value: shared.value,
            gradient: &directions * DVector::from_vec(shared.gradient),
            hessian: &directions * by_cell * directions.transpose(),
        }
    }
}

/// `ln S(H) = −ln(1 + θH)/θ` with derivatives by H and by φ = ln θ.
struct LogSurvival {
    value: f64,
    slope: f64,
    curvature: f64,
    /// ∂/∂φ, ∂²/∂φ², ∂²/∂H∂φ.
    by_log: f64,
    by_log_twice: f64,
    mixed: f64,
}

impl LogSurvival {
    fn new(hazard: f64, theta: f64) -> Self {
        let u = theta * hazard;
        let one = 1.0 + u;
        // θ² ∂/∂θ and θ³ ∂²/∂θ² of ln S.
        let (first, second) = if u < SMALL {
            let series = |from: i32, coefficient: fn(f64) -> f64| -> f64 {
                (from..from + TERMS)
                    .map(|k| (-u).powi(k) * coefficient(f64::from(k)))
                    .sum()
            };
            (
                series(2, |k| (k - 1.0) / k),
                series(3, |k| k - 3.0 + 2.0 / k),
            )
        } else {
            (
                u.ln_1p() - u / one,
                -2.0 * u.ln_1p() + 2.0 * u / one + (u / one).powi(2),
            )
        };
        let by_theta = first / theta;
        Self {
            value: -u.ln_1p() / theta,
            slope: -1.0 / one,
            curvature: theta / (one * one),
            by_log: by_theta,
            by_log_twice: second / theta + by_theta,
            mixed: u / (one * one),
        }
    }

    fn gradient(&self, slope: &DVector<f64>) -> DVector<f64> {
        let mut out = slope * self.slope;
        let last = out.len() - 1;
        out[last] += self.by_log;
        out
    }

    /// The second derivatives without the part from the curvature of H itself.
    fn curvature(&self, slope: &DVector<f64>) -> DMatrix<f64> {
        let last = slope.len() - 1;
        let mut out = slope * slope.transpose() * self.curvature;
        for j in 0..last {
            out[(j, last)] += self.mixed * slope[j];
            out[(last, j)] += self.mixed * slope[j];
        }
        out[(last, last)] += self.by_log_twice;
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_series_and_the_closed_forms_meet() {
        let theta = 0.5;
        let (below, above) = (0.019_999_9, 0.020_000_1);
        let (a, b) = (
            LogSurvival::new(below, theta),
            LogSurvival::new(above, theta),
        );
        for (x, y) in [
            (a.by_log, b.by_log),
            (a.by_log_twice, b.by_log_twice),
            (a.mixed, b.mixed),
        ] {
            assert!((x / y - 1.0).abs() < 1e-4, "{x} {y}");
        }
        // ∂/∂φ by differences.
        let h = 1e-5;
        for hazard in [0.001, 0.5, 3.0] {
            let at = |phi: f64| LogSurvival::new(hazard, phi.exp());
            let (low, high) = (at(-0.3 - h), at(-0.3 + h));
            let here = at(-0.3);
            assert!(((high.value - low.value) / (2.0 * h) - here.by_log).abs() < 1e-9);
            assert!(((high.by_log - low.by_log) / (2.0 * h) - here.by_log_twice).abs() < 1e-9);
            assert!(((high.slope - low.slope) / (2.0 * h) - here.mixed).abs() < 1e-9);
        }
    }
}
