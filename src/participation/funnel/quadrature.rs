//! How many nodes the integral over the frailty takes.

use super::Prepared;
use crate::error::{Result, Warning};
use crate::numeric::Progress;
use crate::numeric::linalg::Cholesky;
use crate::numeric::optimize::Convergence;
use crate::numeric::quadrature::gauss_hermite_normal;
use crate::summary::gram::unpack;
use nalgebra::DVector;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Adaptive nodes where the search begins: enough for one funnel a customer, whose integrand is wide and nearly normal.
pub(super) const FEWEST_NODES: usize = 15;

/// Adaptive nodes beyond which rounding of their weights is all that changes.
const MOST_NODES: usize = 127;

/// Twice as many nodes may change the log-likelihood by this: a likelihood ratio is printed to three decimals.
const VALUE_TOLERANCE: f64 = 1e-4;

/// … and estimates by this many of their standard errors.
const MOVE_TOLERANCE: f64 = 1e-3;

/// … and standard errors by this share.
const ERROR_TOLERANCE: f64 = 1e-3;

/// How exact the integrals over the frailty are: what about twice as many nodes would change.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct FrailtyQuadrature {
    /// Adaptive nodes in use.
    pub nodes: usize,
    /// Nodes of the finer rule.
    pub finer: usize,
    /// The log-likelihood by the finer rule, at the estimates, less that in use.
    pub log_likelihood_change: f64,
    /// How far estimates would move by the finer rule: `√(g' I⁻¹ g)` with its score g and information I, the largest move of any linear combination
    /// in standard errors.
    pub estimate_change: f64,
    /// The largest change of a standard error (of the inverse information, in the working units of regressors) by the finer rule, as a share of it.
    pub std_error_change: f64,
}

impl FrailtyQuadrature {
    /// Whether the log-likelihood changes by less than 1e-4, estimates by less than 1e-3 standard errors, and these by less than 1e-3 of them.
    pub fn is_exact(&self) -> bool {
        self.log_likelihood_change.abs() <= VALUE_TOLERANCE
            && self.estimate_change <= MOVE_TOLERANCE
            && self.std_error_change <= ERROR_TOLERANCE
    }
}

impl fmt::Display for FrailtyQuadrature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "adaptive quadrature with {} nodes; {} would change the log-likelihood by {:.0e}, estimates by {:.0e} standard errors and these by a share of {:.0e}",
            self.nodes,
            self.finer,
            self.log_likelihood_change,
            self.estimate_change,
            self.std_error_change
        )
    }
}

crate::report::notebook_line!(FrailtyQuadrature);

/// The maximum with frailty, by a rule that is fine enough.
pub(super) struct Refined {
    pub(super) point: Vec<f64>,
    pub(super) convergence: Convergence,
    pub(super) quadrature: FrailtyQuadrature,
}

impl Prepared {
    /// Searches from `start`, and again with about twice as many nodes until that changes nothing; a number that is asked for stays.
    pub(super) fn refined(
        &mut self,
        start: &[f64],
        asked: Option<usize>,
        progress: &Progress,
    ) -> Result<Refined> {
        let mut nodes = asked.unwrap_or(FEWEST_NODES);
        let mut from = start.to_vec();
        loop {
            let (point, convergence) = self.maximum(&from, progress)?;
            let quadrature = self.check_rule(&point, nodes)?;
            let last = asked.is_some() || quadrature.finer > MOST_NODES;
            if quadrature.is_exact() || last {
                if !quadrature.is_exact() {
                    self.warnings.push(Warning::Note {
                        message: format!("{quadrature}: the integral over the frailty is not exact (more nodes: Funnel::nodes)"),
                    });
                }
                return Ok(Refined {
                    point,
                    convergence,
                    quadrature,
                });
            }
            nodes = quadrature.finer;
            self.use_nodes(nodes)?;
            from = point;
        }
    }

    /// What a finer rule says at a point.
    fn check_rule(&mut self, point: &[f64], nodes: usize) -> Result<FrailtyQuadrature> {
        let finer = 2 * nodes + 1;
        let coarse = self.funnels.pass_at(point);
        self.use_nodes(finer)?;
        let pass = self.funnels.pass(point);
        self.use_nodes(nodes)?;
        let gradient = DVector::from_vec(pass.gradient);
        // Far too few nodes may give an information without an inverse: nothing is then known of the estimates.
        let inverse_of = |packed: &[f64]| {
            let information = unpack(packed, self.funnels.parameters);
            let inverse = Cholesky::with_tolerance(&information, f64::EPSILON).inverse();
            (inverse.nrows() == self.funnels.parameters).then_some(inverse)
        };
        let inverses = (
            inverse_of(&pass.information),
            inverse_of(&coarse.information),
        );
        let (mut estimate_change, mut std_error_change) = (f64::INFINITY, f64::INFINITY);
        if let (Some(inverse), Some(before)) = inverses {
            estimate_change = gradient.dot(&(&inverse * &gradient)).max(0.0).sqrt();
            std_error_change = (0..inverse.nrows())
                .map(|j| ((inverse[(j, j)] / before[(j, j)]).sqrt() - 1.0).abs())
                .fold(0.0, f64::max);
        }
        Ok(FrailtyQuadrature {
            nodes,
            finer,
            log_likelihood_change: pass.value - coarse.value,
            estimate_change,
            std_error_change,
        })
    }

    fn use_nodes(&mut self, nodes: usize) -> Result<()> {
        self.funnels.rule = gauss_hermite_normal(nodes)?;
        *self.funnels.last.borrow_mut() = None;
        Ok(())
    }
}
