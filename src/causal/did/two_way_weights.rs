//! What two-way fixed effects weigh the effects of treated cells with.

use super::sample::Rollout;
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};

/// The weights of de Chaisemartin & D'Haultfœuille (2020): under parallel trends the coefficient has expectation `Σ (n_c/N₁) w_c Δ_c` over the treated unit-periods c, whose effects are Δ_c, with
/// `w_c` the residual of the treatment on all other regressors over its mean among them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TwoWayWeights {
    /// Treated unit-periods.
    pub treated: usize,
    /// Those with a negative weight.
    pub negative: usize,
    /// The sum of the negative weights; all weights sum to one.
    pub negative_sum: f64,
    /// The smallest standard deviation of the effects at which the average effect on the treated may be zero in spite of the coefficient: `|β|/σ(w)`. Infinite when all weights are equal.
    #[serde(deserialize_with = "crate::numeric::infinite::above")]
    pub deviation_for_zero: f64,
    /// The smallest standard deviation at which all effects may have the opposite sign; infinite without negative weights.
    #[serde(deserialize_with = "crate::numeric::infinite::above")]
    pub deviation_for_opposite: f64,
}

impl TwoWayWeights {
    /// From the residuals of the treatment, one a row.
    pub(super) fn new(rollout: &Rollout, residual: &[f64], estimate: f64) -> Result<Self> {
        let status = rollout.status();
        // Share of the treated, and weight relative to an even one.
        let mut cells: Vec<(f64, f64)> = (0..status.len())
            .filter(|row| status[*row] > 0.5)
            .map(|row| {
                let unit = rollout.panel.unit_of[row] as usize;
                (rollout.weights[unit], residual[row])
            })
            .collect();
        let total: f64 = cells.iter().map(|(n, _)| n).sum();
        let mean = cells.iter().map(|(n, e)| n * e).sum::<f64>() / total;
        if !(mean.is_finite() && mean > f64::EPSILON) {
            return Err(Error::Unidentified {
                what: "the weights of two-way fixed effects".to_owned(),
                needs: "treatment that varies within units and periods".to_owned(),
            });
        }
        for (share, weight) in &mut cells {
            *share /= total;
            *weight /= mean;
        }
        // Rounding is no negative weight.
        let below = |weight: f64| weight < -1e-10;
        let spread: f64 = cells.iter().map(|(p, w)| p * (w - 1.0).powi(2)).sum();
        let negative: Vec<&(f64, f64)> = cells.iter().filter(|(_, w)| below(*w)).collect();
        Ok(Self {
            treated: cells.len(),
            negative: negative.len(),
            negative_sum: negative.iter().fold(0.0, |sum, (p, w)| sum + p * w),
            deviation_for_zero: if spread > 1e-20 {
                estimate.abs() / spread.sqrt()
            } else {
                f64::INFINITY
            },
            deviation_for_opposite: opposite(&mut cells.clone(), estimate),
        })
    }
}

/// Corollary 1 (ii): with cells by decreasing weight and `P_k`, `S_k`, `T_k` the sums of shares, of share × weight and of share × weight² from k on, and s the first k with `w_k < −S_k/(1 − P_k)`, `|β|/√(T_s + S_s²/(1 − P_s))`.
fn opposite(cells: &mut [(f64, f64)], estimate: f64) -> f64 {
    cells.sort_by(|a, b| a.1.total_cmp(&b.1));
    if cells.first().is_none_or(|(_, w)| *w >= -1e-10) {
        return f64::INFINITY;
    }
    let (mut p, mut s, mut t) = (0.0, 0.0, 0.0);
    let mut found = f64::INFINITY;
    // From the lowest weight up: the condition holds for a stretch of the lowest, and s is its upper end.
    for (share, weight) in cells.iter() {
        p += share;
        s += share * weight;
        t += share * weight * weight;
        if p < 1.0 && *weight < -s / (1.0 - p) {
            found = estimate.abs() / (t + s * s / (1.0 - p)).sqrt();
        }
    }
    found
}
