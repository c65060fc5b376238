//! From near the optimum to an exact vertex: as many rows as parameters are fitted without residual, and no exchange of one of
//! them for another lowers the objective.

use super::problem::{Problem, check};
use crate::error::{Error, Result};
use crate::numeric::Progress;
use nalgebra::{DMatrix, DVector};

/// A dual variable outside [0, 1] by less than this is rounding.
const FEASIBLE: f64 = 1e-9;

/// Outcomes are moved by up to this share of the mean residual while vertices are searched, so that ties cannot make the search go in
/// circles; the estimates are computed from the outcomes as they are.
const MOVED: f64 = 1e-9;

/// A step below this share of the mean residual is none: rows are tied.
const NO_STEP: f64 = 1e-12;

/// A row is independent of others when this share of it is not in their span.
const INDEPENDENT: f64 = 1e-7;

/// An exchange needs at least this share of the largest change of a residual: smaller ones are rounding.
const PIVOT: f64 = 1e-9;

/// An optimal vertex.
#[derive(Clone, Debug)]
pub(super) struct Vertex {
    pub(super) b: Vec<f64>,
    /// Zero, without rounding, on the fitted rows.
    pub(super) residuals: Vec<f64>,
    /// Whether every dual variable is inside its bounds, which proves that no other vertex is as good.
    pub(super) unique: bool,
    /// Exchanges made.
    pub(super) exchanges: usize,
}

/// Goes from `start` down to an optimal vertex.
///
/// At a vertex `X_h b = y_h`; the dual variables are 1 for rows above, 0 for rows below, and `X_h'a_h = (1 − τ)X'1 − Σ_above x` for the
/// fitted. The vertex is optimal when all `a_h` are in [0, 1]; else the row that is furthest outside leaves, and a line search along the edge finds
/// the row that takes its place (Barrodale & Roberts 1973, doi:10.1137/0710069; Koenker & d'Orey 1987, doi:10.2307/2347802).
pub(super) fn descend(
    problem: &Problem,
    tau: f64,
    start: &[f64],
    progress: &Progress,
) -> Result<Vertex> {
    let n = problem.rows();
    let residuals = problem.residuals(start);
    let typical = residuals.iter().map(|r| r.abs()).sum::<f64>() / n as f64;
    let mut search = Search {
        problem,
        total: problem.total(&vec![1.0; n]) * (1.0 - tau),
        basis: basis(problem, &residuals)?,
        exchanges: 0,
        limit: 2_000 + 50 * problem.parameters(),
    };
    let moved: Vec<f64> = problem
        .y
        .iter()
        .enumerate()
        .map(|(i, y)| y + MOVED * typical * scattered(i))
        .collect();
    let shape = search.exchange(&moved, None, 0.0, progress)?;
    let end = search.exchange(
        &problem.y,
        Some(&shape.residuals),
        NO_STEP * typical,
        progress,
    )?;
    let unique = end
        .dual
        .iter()
        .all(|a| (FEASIBLE..=1.0 - FEASIBLE).contains(a));
    Ok(Vertex {
        b: end.b,
        residuals: end.residuals,
        unique,
        exchanges: search.exchanges,
    })
}

struct Search<'a> {
    problem: &'a Problem,
    /// `(1 − τ) X'1`.
    total: DVector<f64>,
    basis: Vec<usize>,
    exchanges: usize,
    limit: usize,
}

struct State {
    b: Vec<f64>,
    residuals: Vec<f64>,
    dual: Vec<f64>,
}

impl Search<'_> {
    /// Exchanges rows until the vertex is optimal for outcomes `y`. Residuals of at most `smallest` count as zero: their side is
    /// that of `sides`, and no step is made to them.
    fn exchange(
        &mut self,
        y: &[f64],
        sides: Option<&[f64]>,
        smallest: f64,
        progress: &Progress,
    ) -> Result<State> {
        loop {
            progress.report("vertex search", self.exchanges, self.limit)?;
            let inverse = self.inverse()?;
            let fitted = DVector::from_iterator(self.basis.len(), self.basis.iter().map(|i| y[*i]));
            let b = &inverse * &fitted;
            let along = self.problem.along(&b);
            let mut residuals: Vec<f64> = y.iter().zip(&along).map(|(y, f)| y - f).collect();
            for i in &self.basis {
                residuals[*i] = 0.0;
            }
            let mut above: Vec<f64> = residuals
                .iter()
                .enumerate()
                .map(|(i, r)| {
                    let side = if r.abs() > smallest {
                        *r
                    } else {
                        sides.map_or(*r, |s| s[i])
                    };
                    f64::from(u8::from(side > 0.0))
                })
                .collect();
            for i in &self.basis {
                above[*i] = 0.0;
            }
            let dual = inverse.tr_mul(&(&self.total - self.problem.total(&above)));
            let state = State {
                b: b.as_slice().to_vec(),
                residuals,
                dual: dual.as_slice().to_vec(),
            };
            let outside = |a: f64| (a - 1.0).max(-a);
            let Some((leaving, by)) = state
                .dual
                .iter()
                .map(|a| outside(*a))
                .enumerate()
                .max_by(|a, b| a.1.total_cmp(&b.1))
                .filter(|(_, by)| *by > FEASIBLE)
            else {
                return Ok(state);
            };
            // The residual of the leaving row becomes positive when its dual variable is above one.
            let sign = if state.dual[leaving] > 0.5 { -1.0 } else { 1.0 };
            let direction = inverse.column(leaving) * sign;
            let change = self.problem.along(&direction.into_owned());
            let Some((entering, length)) = self.line_search(&state.residuals, &above, &change, by)
            else {
                return Ok(state);
            };
            if sides.is_some() && length <= smallest {
                return Ok(state); // tied: the moved outcomes have shown that this vertex is optimal
            }
            if self.exchanges >= self.limit {
                return Err(Error::NotConverged {
                    what: "the vertex search of the quantile regression".to_owned(),
                    iterations: self.exchanges,
                    criterion: by,
                    tolerance: FEASIBLE,
                    remedy: "scale the regressors, or leave out those that nearly repeat others"
                        .to_owned(),
                });
            }
            self.basis[leaving] = entering;
            self.exchanges += 1;
        }
    }

    /// The inverse of `X_h`.
    fn inverse(&self) -> Result<DMatrix<f64>> {
        let k = self.basis.len();
        let x = DMatrix::from_fn(k, k, |i, j| self.problem.x[j][self.basis[i]]);
        x.try_inverse().ok_or_else(|| Error::Matrix {
            message: "the fitted rows of the quantile regression are linearly dependent: leave out regressors that nearly repeat others"
                .to_owned(),
        })
    }

    /// The row at which the objective stops falling: the slope starts at `−by`, and rises by |x'd| whenever a residual changes its
    /// sign.
    fn line_search(
        &self,
        residuals: &[f64],
        above: &[f64],
        change: &[f64],
        by: f64,
    ) -> Option<(usize, f64)> {
        let largest = change.iter().fold(0.0_f64, |m, c| m.max(c.abs()));
        let in_basis = |i: &usize| self.basis.contains(i);
        let mut breaks: Vec<(f64, usize)> = (0..change.len())
            .filter(|i| change[*i].abs() > PIVOT * largest)
            .filter(|i| (change[*i] > 0.0) == (above[*i] > 0.5))
            .filter(|i| !in_basis(i))
            .map(|i| ((residuals[i] / change[i]).max(0.0), i))
            .collect();
        breaks.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        let mut slope = -by;
        breaks.into_iter().find_map(|(length, i)| {
            slope += change[i].abs();
            (slope >= 0.0).then_some((i, length))
        })
    }
}

/// The rows of smallest residual that are linearly independent.
fn basis(problem: &Problem, residuals: &[f64]) -> Result<Vec<usize>> {
    let k = problem.parameters();
    let mut order: Vec<usize> = (0..residuals.len()).collect();
    order.sort_unstable_by(|a, b| {
        residuals[*a]
            .abs()
            .total_cmp(&residuals[*b].abs())
            .then(a.cmp(b))
    });
    let mut found = Vec::with_capacity(k);
    let mut orthonormal: Vec<DVector<f64>> = Vec::with_capacity(k);
    for i in order {
        if found.len() == k {
            break;
        }
        let row = problem.row(i);
        let mut rest = row.clone();
        for q in orthonormal.iter().chain(&orthonormal) {
            let part = q.dot(&rest);
            rest -= q * part;
        }
        if rest.norm() > INDEPENDENT * row.norm() {
            orthonormal.push(rest.normalize());
            found.push(i);
        }
    }
    if found.len() < k {
        return Err(Error::Unidentified {
            what: "a coefficient of the quantile regression".to_owned(),
            needs: "regressors that are linearly independent".to_owned(),
        });
    }
    Ok(found)
}

/// A number between 0 and 1 for a row, without pattern (the multiplicative hash of Knuth 1998, section 6.4).
fn scattered(i: usize) -> f64 {
    const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;
    let hash = (i as u64 + 1).wrapping_mul(GOLDEN);
    (hash ^ (hash >> 29)).wrapping_mul(GOLDEN) as f64 / u64::MAX as f64
}

/// `Σ ρ_τ` of residuals.
pub(super) fn objective(residuals: &[f64], tau: f64) -> f64 {
    residuals.iter().map(|r| check(*r, tau)).sum()
}
