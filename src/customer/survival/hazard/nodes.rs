//! How many nodes the integral over a normal frailty takes.

use super::super::newton::Maximum;
use super::super::regressors::Regressors;
use super::cells::Cells;
use super::frailty::Shared;
use super::{DiscreteHazard, Frailty, NODES, with_frailty};
use crate::error::{Error, Result};
use crate::numeric::Progress;
use crate::numeric::quadrature::gauss_hermite_normal;

/// Nodes beyond which rounding is all that changes.
const MOST_NODES: usize = 127;

/// About twice as many nodes may change the log-likelihood by this.
const EXACT: f64 = 1e-6;

impl DiscreteHazard {
    /// The maximum with frailty, with as many nodes as it takes: a score that is not the derivative of its inexact value may not even converge.
    pub(super) fn with_enough_nodes(
        &self,
        shared: &mut Shared<'_>,
        cells: &Cells<'_>,
        regressors: &Regressors,
        plain: &Maximum,
        progress: &Progress,
    ) -> Result<Option<Maximum>> {
        let stays = self.nodes.is_some() || self.frailty != Frailty::Normal;
        let mut nodes = self.nodes.unwrap_or(NODES);
        loop {
            let found = with_frailty(shared, cells, regressors, plain, progress);
            let finer = 2 * nodes + 1;
            if stays || finer > MOST_NODES {
                return found;
            }
            match &found {
                Ok(Some(maximum)) => {
                    shared.rule = gauss_hermite_normal(finer)?;
                    let value = shared.pass(&maximum.point).log_likelihood;
                    if (value - maximum.pass.log_likelihood).abs() <= EXACT {
                        shared.rule = gauss_hermite_normal(nodes)?;
                        return found;
                    }
                }
                Err(Error::NotConverged { .. }) => shared.rule = gauss_hermite_normal(finer)?,
                _ => return found,
            }
            nodes = finer;
        }
    }
}
