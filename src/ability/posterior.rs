//! The posterior of ability given the answers of one pattern, over the nodes.

use super::grid::Grid;
use crate::numeric::special::normal;
use std::ops::Range;

/// Nodes whose posterior weight is below `e^(−40)` of the largest are left out: together they are less than the rounding of the sum.
const NEGLIGIBLE: f64 = -40.0;

/// The posterior of one pattern over the nodes.
pub(super) struct Posterior {
    pub(super) weights: Vec<f64>,
    /// The nodes that matter.
    pub(super) window: Range<usize>,
    /// The prior that `prior` holds, as mean and log standard deviation.
    of: Option<[f64; 2]>,
    prior: Vec<f64>,
}

impl Posterior {
    pub(super) fn new(nodes: usize) -> Self {
        Self {
            weights: vec![0.0; nodes],
            window: 0..nodes,
            of: None,
            prior: vec![0.0; nodes],
        }
    }

    /// Starts from `ln[h φ((a − m)/σ)/σ]`, kept as long as persons have the same prior.
    pub(super) fn set_prior(&mut self, grid: &Grid, mean: f64, ln_sd: f64) {
        let same =
            |of: &[f64; 2]| of[0].to_bits() == mean.to_bits() && of[1].to_bits() == ln_sd.to_bits();
        if !self.of.as_ref().is_some_and(same) {
            let constant = grid.step.ln() - ln_sd + normal::ln_pdf(0.0);
            let inverse = (-ln_sd).exp();
            for (ln, a) in self.prior.iter_mut().zip(&grid.nodes) {
                let z = (a - mean) * inverse;
                *ln = constant - 0.5 * z * z;
            }
            self.of = Some([mean, ln_sd]);
        }
        self.weights.copy_from_slice(&self.prior);
    }

    /// From logarithms to weights that sum to one, zero outside the window; returns the logarithm of their sum.
    pub(super) fn normalize(&mut self) -> f64 {
        let largest = self
            .weights
            .iter()
            .copied()
            .fold(f64::NEG_INFINITY, f64::max);
        if !largest.is_finite() {
            self.window = 0..0;
            return f64::NAN;
        }
        let matters = |v: &f64| *v > largest + NEGLIGIBLE;
        let first = self.weights.iter().position(matters).unwrap_or(0);
        let last = self.weights.iter().rposition(matters).unwrap_or(0);
        self.window = first..last + 1;
        let mut sum = 0.0;
        for v in &mut self.weights[first..=last] {
            *v = (*v - largest).exp();
            sum += *v;
        }
        for v in &mut self.weights[first..=last] {
            *v /= sum;
        }
        largest + sum.ln()
    }
}
