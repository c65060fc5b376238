//! How an instrument moves the treatment of each row: what averages of an instrumental forest weigh by.

use super::codes::Binned;
use super::moment::{Moment, Point};
use super::plan::Plan;
use crate::error::{Result, Warning};
use crate::numeric::{Progress, Seed};
use serde::{Deserialize, Serialize};

/// The forest of compliance has this share of the trees, but at least so many: its effects are averaged, and need no variances.
const TREES_SHARE: usize = 4;
const LEAST_TREES: usize = 100;
/// Compliance is kept from zero by this share of its mean, so that no row has more than ten times the usual weight.
const LEAST_SHARE: f64 = 0.1;

/// The instrument of the rows in use.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct InstrumentRows {
    /// `Z − E[Z | X]`.
    pub(super) residual: Vec<f64>,
    /// `Var(Z | X)`.
    pub(super) variance: Vec<f64>,
    /// `Δ(X) = Cov(W, Z | X)/Var(Z | X)`, out of bag: of an instrument of 0 and 1 the share that takes the treatment because of it.
    pub(super) compliance: Vec<f64>,
}

impl InstrumentRows {
    /// Learns compliance by a causal forest of the treatment on the instrument.
    pub(super) fn learn(
        points: &[Point],
        variance: Vec<f64>,
        binned: &Binned,
        weighted: bool,
        plan: &Plan,
        (seed, progress): (Seed, &Progress),
        warnings: &mut Vec<Warning>,
    ) -> Result<Self> {
        let swapped: Vec<Point> = points
            .iter()
            .map(|p| Point {
                y: p.w,
                w: p.z,
                ..*p
            })
            .collect();
        let bag = plan.sampling.bag;
        let plan = Plan {
            moment: Moment::Effect,
            bags: (plan.bags * bag / TREES_SHARE)
                .max(LEAST_TREES)
                .div_ceil(bag),
            ..*plan
        };
        let data = binned.data(&swapped, weighted);
        let (forest, seen) = plan.grow(&data, seed.child("compliance"), progress)?;
        let mut compliance: Vec<f64> = forest
            .predict(&binned.codes, Some(&seen))
            .iter()
            .map(|p| p.estimate)
            .collect();
        let (mut above, mut below) = (0.0, 0.0);
        for (delta, p) in compliance.iter().zip(points) {
            above += p.weight * delta;
            below += p.weight;
        }
        // Compliance has one sign (monotonicity): that of its mean.
        let sign = if above < 0.0 { -1.0 } else { 1.0 };
        let least = LEAST_SHARE * (above / below).abs();
        let mut raised = 0;
        for delta in &mut compliance {
            if sign * *delta < least {
                *delta = sign * least;
                raised += 1;
            }
        }
        if raised > 0 {
            warnings.push(Warning::Note {
                message: format!(
                    "the instrument hardly moves the treatment of {raised} rows: their compliance was raised to {least:.3}; see ForestTarget::Compliers"
                ),
            });
        }
        Ok(Self {
            residual: points.iter().map(|p| p.z).collect(),
            variance,
            compliance,
        })
    }

    /// `(Z − E[Z | X]) / Var(Z | X)`: its product with a residual corrects the effect of the instrument.
    pub(super) fn correction(&self, row: usize) -> f64 {
        self.residual[row] / self.variance[row]
    }
}
