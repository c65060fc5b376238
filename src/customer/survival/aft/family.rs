//! The distributions of `W` in `ln T = x'β + σ W`.

use crate::numeric::special::normal;
use serde::{Deserialize, Serialize};

/// How the time to the event is distributed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum AftFamily {
    /// Weibull, `S(t) = exp(−(t e^{−x'β})^{1/σ})`: a hazard that rises (σ < 1) or falls (σ > 1) all the time (the default).
    #[default]
    Weibull,
    /// Exponential: Weibull with σ = 1, a constant hazard.
    Exponential,
    /// Lognormal: a hazard that rises and then falls.
    Lognormal,
    /// Loglogistic, the same with heavier tails: `S(t) = 1/(1 + (t e^{−x'β})^{1/σ})`.
    Loglogistic,
}

impl std::fmt::Display for AftFamily {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Weibull => "Weibull",
            Self::Exponential => "Exponential",
            Self::Lognormal => "Lognormal",
            Self::Loglogistic => "Loglogistic",
        })
    }
}

/// A function and its first two derivatives.
pub(super) type Jet = [f64; 3];

impl AftFamily {
    /// Whether σ is estimated.
    pub(super) fn has_scale(self) -> bool {
        self != Self::Exponential
    }

    /// `ln f_W(z)`.
    pub(super) fn log_density(self, z: f64) -> Jet {
        match self {
            Self::Weibull | Self::Exponential => {
                let e = z.exp();
                [z - e, 1.0 - e, -e]
            }
            Self::Lognormal => [normal::ln_pdf(z), -z, -1.0],
            Self::Loglogistic => {
                let p = logistic(z);
                [
                    -z.abs() - 2.0 * (-z.abs()).exp().ln_1p(),
                    1.0 - 2.0 * p,
                    -2.0 * p * (1.0 - p),
                ]
            }
        }
    }

    /// `ln P(W > z)`.
    pub(super) fn log_survival(self, z: f64) -> Jet {
        match self {
            Self::Weibull | Self::Exponential => [-z.exp(); 3],
            Self::Lognormal => {
                let h = normal::upper_inverse_mills(z);
                [normal::ln_sf(z), -h, -h * (h - z)]
            }
            Self::Loglogistic => {
                let p = logistic(z);
                [-(z.max(0.0) + (-z.abs()).exp().ln_1p()), -p, -p * (1.0 - p)]
            }
        }
    }

    /// The z with `P(W ≤ z) = p`.
    pub(super) fn quantile(self, p: f64) -> f64 {
        match self {
            Self::Weibull | Self::Exponential => (-(-p).ln_1p()).ln(),
            Self::Lognormal => normal::quantile(p),
            Self::Loglogistic => (p / (1.0 - p)).ln(),
        }
    }
}

fn logistic(z: f64) -> f64 {
    1.0 / (1.0 + (-z).exp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn derivatives_are_those_of_the_functions() {
        let families = [
            AftFamily::Weibull,
            AftFamily::Lognormal,
            AftFamily::Loglogistic,
        ];
        for family in families {
            for z in [-3.0, -0.4, 0.0, 0.7, 2.5] {
                for f in [AftFamily::log_density, AftFamily::log_survival] {
                    let h = 1e-5;
                    let (low, high) = (f(family, z - h), f(family, z + h));
                    for k in 0..2 {
                        let slope = (high[k] - low[k]) / (2.0 * h);
                        assert!(
                            (slope - f(family, z)[k + 1]).abs() < 1e-7 * (1.0 + slope.abs()),
                            "{family} {z} {k}"
                        );
                    }
                }
                let p = -f64::exp_m1(family.log_survival(z)[0]);
                assert!((family.quantile(p) - z).abs() < 1e-9);
            }
        }
    }
}
