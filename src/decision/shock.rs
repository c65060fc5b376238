//! The taste shock that turns a surplus into a probability of participating.

use serde::{Deserialize, Serialize};

use crate::numeric::special::normal;

/// What the researcher does not see of the customer's surplus, in money.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub enum TasteShock {
    /// None: who gains participates.
    #[default]
    None,
    /// Logistic with this scale (standard deviation π/√3 times it); zero is none.
    Logit(f64),
    /// Normal with this standard deviation; zero is none.
    Probit(f64),
}

impl TasteShock {
    /// The probability that the surplus and the shock together are positive.
    #[inline]
    pub fn probability(self, surplus: f64) -> f64 {
        match self {
            Self::Logit(scale) if scale > 0.0 => 1.0 / (1.0 + (-surplus / scale).exp()),
            Self::Probit(scale) if scale > 0.0 => normal::cdf(surplus / scale),
            _ if surplus > 0.0 => 1.0,
            _ => 0.0,
        }
    }

    /// The derivative of [`probability`](Self::probability) with respect to the surplus; zero without a shock.
    #[inline]
    pub fn density(self, surplus: f64) -> f64 {
        match self {
            Self::Logit(scale) if scale > 0.0 => {
                let p = 1.0 / (1.0 + (-surplus.abs() / scale).exp());
                p * (1.0 - p) / scale
            }
            Self::Probit(scale) if scale > 0.0 => normal::pdf(surplus / scale) / scale,
            _ => 0.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probabilities_and_their_slopes() {
        let h = 1e-6;
        for shock in [TasteShock::Logit(0.7), TasteShock::Probit(1.3)] {
            assert!((shock.probability(0.0) - 0.5).abs() < 1e-15);
            for x in [-2.0, 0.4, 3.0] {
                let slope = (shock.probability(x + h) - shock.probability(x - h)) / (2.0 * h);
                assert!((shock.density(x) - slope).abs() < 1e-9);
            }
            assert_eq!(shock.probability(-1e6), 0.0);
            assert_eq!(shock.probability(1e6), 1.0);
        }
        assert_eq!(TasteShock::None.probability(0.0), 0.0);
        assert_eq!(TasteShock::Logit(0.0).probability(0.1), 1.0);
    }
}
