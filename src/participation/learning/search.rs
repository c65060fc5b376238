//! The maximum of the likelihood: searches over few paths by the scores' outer product, then over all paths by the Hessian of few.

use super::likelihood::Learning;
use super::paths::Paths;
use crate::error::{Error, Result, Warning};
use crate::numeric::Progress;
use crate::numeric::linalg::Cholesky;
use crate::numeric::optimize::{Convergence, Newton, Objective, Stopping};
use crate::participation::optima::{Optima, Search, warn};
use nalgebra::{DMatrix, DVector};
use std::cell::RefCell;

/// Paths of the searches; what they find is improved over all.
pub(super) const FEW: usize = 64;

/// A search that has not converged by then creeps towards a bound.
const MOST_ITERATIONS: usize = 80;

/// A search is over when its Newton decrement is this share of the log-likelihood.
const ROUGH: f64 = 1e-9;

/// The same over all paths: the last step is then some hundred-thousandths of a standard error, and the next one percent of that.
const FINE: f64 = 1e-13;

/// Searches that end closer than this in log-likelihood found one maximum.
const SAME: f64 = 1e-3;

/// Log-likelihood and gradient, with the scores they come from.
#[derive(Clone, Debug)]
pub(super) struct Pass {
    pub(super) value: f64,
    pub(super) gradient: DVector<f64>,
    /// `parameters + 1` numbers a customer: log-likelihood and score.
    pub(super) customers: Vec<f64>,
}

impl Learning {
    pub(super) fn pass(&self, point: &[f64], paths: &Paths) -> Result<Pass> {
        let customers = self.customers(point, paths)?;
        let k = self.parameters();
        let (mut value, mut gradient) = (0.0, DVector::zeros(k));
        for (found, weight) in customers.chunks(k + 1).zip(&self.panel.weights) {
            value += weight * found[0];
            for (g, s) in gradient.iter_mut().zip(&found[1..]) {
                *g += weight * s;
            }
        }
        Ok(Pass {
            value,
            gradient,
            customers,
        })
    }

    /// The observed information, by differences of the analytic gradient from that at the point.
    pub(super) fn information(
        &self,
        point: &[f64],
        gradient: &DVector<f64>,
        paths: &Paths,
    ) -> Result<DMatrix<f64>> {
        /// Rounding of the gradient over the step, and the step itself, are both lost in the sixth digit.
        const STEP: f64 = 1e-6;
        /// The value of looking ahead is read from cubics: the step must cross enough of their ends, and be taken to both sides.
        const WIDE: f64 = 1e-3;
        let (k, both) = (point.len(), self.foresight.is_some());
        let mut found = DMatrix::zeros(k, k);
        for j in 0..k {
            let size = if both { WIDE } else { STEP } * point[j].abs().max(1.0);
            let at = |by: f64| {
                let mut moved = point.to_vec();
                moved[j] += by;
                Ok::<_, Error>((self.pass(&moved, paths)?.gradient, moved[j] - point[j]))
            };
            let (up, above) = at(size)?;
            let (low, below) = if both {
                at(-size)?
            } else {
                (gradient.clone(), 0.0)
            };
            found.set_column(j, &((low - up) / (above - below)));
        }
        Ok((&found + found.transpose()) * 0.5)
    }
}

/// What stands for the Hessian.
enum Curvature {
    /// The sum of outer products of scores.
    Outer,
    /// That of few paths, the same everywhere.
    Fixed(DMatrix<f64>),
}

struct Negative<'a> {
    learning: &'a Learning,
    paths: &'a Paths,
    curvature: Curvature,
    last: RefCell<Option<(Vec<f64>, Pass)>>,
}

impl Negative<'_> {
    fn pass(&self, x: &[f64]) -> Option<Pass> {
        let mut last = self.last.borrow_mut();
        if let Some((known, pass)) = &*last
            && known == x
        {
            return Some(pass.clone());
        }
        let pass = self.learning.pass(x, self.paths).ok()?;
        *last = Some((x.to_vec(), pass.clone()));
        Some(pass)
    }
}

impl Objective for Negative<'_> {
    fn value(&self, x: &[f64]) -> f64 {
        self.pass(x).map_or(f64::NAN, |pass| -pass.value)
    }

    fn gradient(&self, x: &[f64], gradient: &mut [f64]) {
        match self.pass(x) {
            Some(pass) => (gradient.iter_mut().zip(&pass.gradient)).for_each(|(o, g)| *o = -g),
            None => gradient.fill(f64::NAN),
        }
    }

    fn hessian(&self, x: &[f64]) -> DMatrix<f64> {
        let k = x.len();
        let none = || DMatrix::from_element(k, k, f64::NAN);
        match &self.curvature {
            Curvature::Fixed(matrix) => matrix.clone(),
            Curvature::Outer => {
                let Some(pass) = self.pass(x) else {
                    return none();
                };
                let mut outer = DMatrix::zeros(k, k);
                let all = pass.customers.chunks(k + 1);
                for (found, weight) in all.zip(&self.learning.panel.weights) {
                    let score = DVector::from_column_slice(&found[1..]);
                    outer.syger(*weight, &score, &score, 1.0);
                }
                outer.fill_upper_triangle_with_lower_triangle();
                outer
            }
        }
    }
}

/// Where the likelihood is largest.
pub(super) struct Maximum {
    pub(super) point: Vec<f64>,
    pub(super) pass: Pass,
    pub(super) information: DMatrix<f64>,
    pub(super) convergence: Convergence,
    pub(super) optima: Optima,
}

pub(super) const WHAT: &str = "the likelihood of the learning panel";

pub(super) fn not_finite() -> Error {
    Error::NotFinite {
        what: WHAT.to_owned(),
    }
}

impl Learning {
    fn negative<'a>(&'a self, paths: &'a Paths, curvature: Curvature) -> Negative<'a> {
        Negative {
            learning: self,
            paths,
            curvature,
            last: RefCell::new(None),
        }
    }

    /// The highest maximum over the searches.
    pub(super) fn maximum(
        &self,
        few: &Paths,
        all: &Paths,
        starts: Vec<(String, Vec<f64>)>,
        warnings: &mut Vec<Warning>,
        progress: &Progress,
    ) -> Result<Maximum> {
        let mut searches = vec![];
        let mut found: Vec<(Vec<f64>, f64)> = vec![];
        let mut first_error = None;
        for (name, tail) in starts {
            let start: Vec<f64> = [0.0]
                .repeat(self.panel.width)
                .into_iter()
                .chain(tail)
                .collect();
            let mut search = Search {
                start: name,
                log_likelihood: f64::NAN,
                optimum: None,
                failure: None,
            };
            match self.search(few, &start, &mut search.log_likelihood, progress) {
                Ok((point, value)) => {
                    let known = found.iter().position(|(_, v)| (v - value).abs() < SAME);
                    search.optimum = Some(known.unwrap_or(found.len()));
                    if known.is_none() {
                        found.push((point, value));
                    }
                }
                Err(Error::Cancelled { what }) => return Err(Error::Cancelled { what }),
                Err(error) => {
                    search.failure = Some(error.to_string());
                    first_error.get_or_insert(error);
                }
            }
            searches.push(search);
        }
        let mut order: Vec<usize> = (0..found.len()).collect();
        order.sort_by(|a, b| found[*b].1.total_cmp(&found[*a].1));
        for search in &mut searches {
            let rank = |at: usize| order.iter().position(|o| *o == at);
            search.optimum = search.optimum.and_then(rank).map(|r| r + 1);
        }
        let Some(best) = order.first() else {
            return Err(first_error.unwrap_or_else(not_finite));
        };
        let optima = Optima {
            searches,
            rows: self.panel.places.len(),
            distinct: found.len(),
        };
        warn(&optima.searches, optima.distinct, warnings);
        let start = found.swap_remove(*best).0;
        let gradient = self.pass(&start, few)?.gradient;
        let information = self.information(&start, &gradient, few)?;
        let objective = self.negative(all, Curvature::Fixed(information));
        let stopping = Stopping::new()
            .max_iterations(MOST_ITERATIONS)
            .decrement_tolerance(FINE)
            .point_tolerance(1e-6);
        let search = Newton::new().stopping(stopping);
        let end = search.minimize_with(&objective, &start, progress)?;
        self.refuse(&end.point)?;
        let end = end.or_error(WHAT)?;
        let pass = objective.pass(&end.point).ok_or_else(not_finite)?;
        Ok(Maximum {
            information: self.information(&end.point, &pass.gradient, all)?,
            pass,
            point: end.point,
            convergence: end.convergence,
            optima,
        })
    }

    fn refuse(&self, point: &[f64]) -> Result<()> {
        (self.layout.refuse(&point[self.panel.width..])).map_or(Ok(()), Err)
    }

    /// One search, by outer products.
    fn search(
        &self,
        paths: &Paths,
        start: &[f64],
        reached: &mut f64,
        progress: &Progress,
    ) -> Result<(Vec<f64>, f64)> {
        let stopping = Stopping::new()
            .max_iterations(MOST_ITERATIONS)
            .decrement_tolerance(ROUGH)
            .point_tolerance(1.0);
        let objective = self.negative(paths, Curvature::Outer);
        let found =
            (Newton::new().stopping(stopping)).minimize_with(&objective, start, progress)?;
        *reached = -found.value;
        self.refuse(&found.point)?;
        let found = found.or_error(WHAT)?;
        Ok((found.point, -found.value))
    }
}

impl Maximum {
    /// The inverse of the observed information.
    pub(super) fn bread(&self) -> Result<DMatrix<f64>> {
        let factor = Cholesky::with_tolerance(&self.information, f64::EPSILON);
        if factor.rank() < self.point.len() {
            return Err(Error::Unidentified {
                what: "a parameter of the learning panel".to_owned(),
                needs: "data in which the information matrix is not singular: fewer regressors, or a simpler model".to_owned(),
            });
        }
        Ok(factor.inverse())
    }
}
