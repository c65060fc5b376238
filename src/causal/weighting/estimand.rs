//! Whose average effect is meant, and the weights that stand for them.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Whose average effect is estimated. With `e(x) = P(W = 1 | X = x)` it is `E[h(X) (Y(1) − Y(0))] / E[h(X)]`, and the treated are weighted by `h/e`, the
/// untreated by `h/(1 − e)` (Li, Morgan & Zaslavsky 2018, doi:10.1080/01621459.2016.1260466).
///
/// ```
/// use cocreate::prelude::*;
/// assert_eq!(Estimand::Att.to_string(), "Average effect on the treated (ATT)");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Estimand {
    /// The average treatment effect on all: `h = 1`.
    #[default]
    Ate,
    /// On the treated: `h = e`.
    Att,
    /// On the untreated, the controls: `h = 1 − e`.
    Atc,
    /// In the overlap: `h = e (1 − e)`. Those whose treatment was least certain count most.
    Ato,
}

impl fmt::Display for Estimand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ate => "Average treatment effect (ATE)",
            Self::Att => "Average effect on the treated (ATT)",
            Self::Atc => "Average effect on the untreated (ATC)",
            Self::Ato => "Average effect in the overlap (ATO)",
        })
    }
}

impl Estimand {
    /// The weight of a row and its derivative, where `η` is the log odds of treatment.
    pub(super) fn weight(self, treated: bool, eta: f64) -> (f64, f64) {
        // The untreated are the treated of the opposite question.
        let (own, eta, sign) = if treated {
            (self, eta, 1.0)
        } else {
            (self.mirrored(), -eta, -1.0)
        };
        let odds = (-eta).exp();
        let (weight, slope) = match own {
            Self::Ate => (1.0 + odds, -odds),
            Self::Att => (1.0, 0.0),
            Self::Atc => (odds, -odds),
            Self::Ato => {
                let other = 1.0 / (1.0 + eta.exp());
                (other, -other * (1.0 - other))
            }
        };
        (weight, sign * slope)
    }

    /// The same question with the arms exchanged.
    fn mirrored(self) -> Self {
        match self {
            Self::Att => Self::Atc,
            Self::Atc => Self::Att,
            same => same,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_h_over_e_and_their_slopes_are_derivatives() {
        for (estimand, h) in [
            (Estimand::Ate, (|_| 1.0) as fn(f64) -> f64),
            (Estimand::Att, |e| e),
            (Estimand::Atc, |e| 1.0 - e),
            (Estimand::Ato, |e| e * (1.0 - e)),
        ] {
            for eta in [-2.0_f64, -0.3, 0.0, 1.7] {
                let e = 1.0 / (1.0 + (-eta).exp());
                for (treated, share) in [(true, e), (false, 1.0 - e)] {
                    let (weight, slope) = estimand.weight(treated, eta);
                    assert!((weight - h(e) / share).abs() < 1e-13);
                    let near = |d: f64| estimand.weight(treated, eta + d).0;
                    assert!((slope - (near(1e-5) - near(-1e-5)) / 2e-5).abs() < 1e-8);
                }
            }
        }
    }
}
