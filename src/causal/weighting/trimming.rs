//! Rows without counterparts in the other arm, left out by a rule that is said.

use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};

/// Which propensities are kept. The effect is then that of the kept rows, and is named so; covariates are balanced among them anew.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Trimming {
    /// From α to 1 − α, with the α that minimises the variance bound of the ATE among the kept rows when the outcome varies equally everywhere: `γ = 1/(α (1 − α))`
    /// solves `γ = 2 E[g | g ≤ γ]` for `g = 1/(e (1 − e))`; nothing is trimmed when `g ≤ 2 E[g]` on all rows (Crump, Hotz, Imbens & Mitnik 2009,
    /// doi:10.1093/biomet/asn055).
    Crump,
    /// From one fixed bound to another.
    Bounds {
        /// The lowest propensity kept.
        low: f64,
        /// The highest.
        high: f64,
    },
}

impl Trimming {
    /// # Errors
    /// `InvalidOption` for bounds that are not in order within 0 and 1.
    pub(super) fn check(self) -> Result<()> {
        match self {
            Self::Bounds { low, high } if !(low >= 0.0 && low < high && high <= 1.0) => {
                Err(Error::invalid_option(
                    "trim",
                    format!("Bounds {{ low: {low}, high: {high} }}"),
                    "bounds with 0 ≤ low < high ≤ 1",
                ))
            }
            _ => Ok(()),
        }
    }

    /// The lowest and the highest propensity kept.
    pub(super) fn range(self, propensities: &[f64], weights: &[f64]) -> (f64, f64) {
        match self {
            Self::Bounds { low, high } => (low, high),
            Self::Crump => {
                let alpha = crump(propensities, weights);
                (alpha, 1.0 - alpha)
            }
        }
    }
}

/// Crump's α. Of several solutions the one with the least variance bound, `Σ g / (number kept)²`.
fn crump(propensities: &[f64], weights: &[f64]) -> f64 {
    let mut sorted: Vec<(f64, f64)> = (propensities.iter().zip(weights))
        .filter(|(_, s)| **s > 0.0)
        .map(|(e, s)| (1.0 / (e * (1.0 - e)), *s))
        .collect();
    sorted.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
    let (mut sum, mut count) = (0.0, 0.0);
    let mut best = (f64::INFINITY, 0.0);
    for (at, (g, s)) in sorted.iter().enumerate() {
        sum += s * g;
        count += s;
        let gamma = 2.0 * sum / count;
        let next = sorted.get(at + 1).map_or(f64::INFINITY, |next| next.0);
        let bound = sum / (count * count);
        if *g <= gamma && gamma < next && bound < best.0 {
            let all = at + 1 == sorted.len();
            // 1 − √(1 − 4/γ) without cancellation.
            let alpha = 2.0 / gamma / (1.0 + (1.0 - 4.0 / gamma).max(0.0).sqrt());
            best = (bound, if all { 0.0 } else { alpha });
        }
    }
    best.1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crumps_rule_minimises_the_bound_over_all_cuts() {
        // Quantiles of a skewed distribution of propensities.
        let e: Vec<f64> = (0..400)
            .map(|i| 1.0 / (1.0 + (-6.0 * ((f64::from(i) + 0.5) / 400.0 - 0.3)).exp()))
            .map(|e| e * e)
            .collect();
        let ones = vec![1.0; e.len()];
        let (low, high) = Trimming::Crump.range(&e, &ones);
        let bound = |alpha: f64| {
            let kept = e.iter().filter(|e| **e >= alpha && **e <= 1.0 - alpha);
            let g: Vec<f64> = kept.map(|e| 1.0 / (e * (1.0 - e))).collect();
            g.iter().sum::<f64>() / (g.len() * g.len()) as f64
        };
        assert!(low > 0.02 && (low + high - 1.0).abs() < 1e-15);
        for step in 0..400 {
            // Cuts between two rows have the same rows: the bound of the rule is least but for 1/n.
            assert!(bound(low) <= bound(f64::from(step) / 1000.0) * (1.0 + 1e-4));
        }
        // γ is twice the mean of the kept.
        let kept = e.iter().filter(|e| **e >= low && **e <= high);
        let g: Vec<f64> = kept.map(|e| 1.0 / (e * (1.0 - e))).collect();
        let twice = 2.0 * g.iter().sum::<f64>() / g.len() as f64;
        assert!((twice * low * high - 1.0).abs() < 1e-12);
    }

    #[test]
    fn even_propensities_are_not_trimmed_and_weights_are_copies() {
        let e = [0.3, 0.5, 0.6, 0.4];
        assert_eq!(Trimming::Crump.range(&e, &[1.0; 4]), (0.0, 1.0));
        let e = [0.001, 0.5, 0.6, 0.4, 0.02];
        let weighted = Trimming::Crump.range(&e, &[1.0, 2.0, 1.0, 3.0, 0.0]);
        let copied = Trimming::Crump.range(&[0.001, 0.5, 0.5, 0.6, 0.4, 0.4, 0.4], &[1.0; 7]);
        assert!((weighted.0 - copied.0).abs() < 1e-15 && weighted.0 > 0.001);
        assert!(
            Trimming::Bounds {
                low: 0.9,
                high: 0.1
            }
            .check()
            .is_err()
        );
    }
}
