//! Bounds on the average effect of a treatment that not everybody takes as assigned.

use crate::numeric::special::normal;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Bounds on the average effect for everybody, compliers or not.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AverageEffectBounds {
    /// Who found them.
    pub method: String,
    /// Lower bound.
    pub lower: f64,
    /// Upper bound.
    pub upper: f64,
    /// Lower end of an interval for the effect at `level`, sampling error included.
    pub lower_limit: f64,
    /// Its upper end.
    pub upper_limit: f64,
    /// The level.
    pub level: f64,
}

impl AverageEffectBounds {
    /// Whether the bounds cross: the data contradict that the encouragement was random and acts through the treatment alone.
    pub fn is_contradiction(&self) -> bool {
        self.lower > self.upper
    }
}

impl fmt::Display for AverageEffectBounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}: [{:.4}, {:.4}], at {} % [{:.4}, {:.4}]",
            self.method,
            self.lower,
            self.upper,
            self.level * 100.0,
            self.lower_limit,
            self.upper_limit
        )
    }
}

/// Outcome and treatment of each row, by encouragement.
#[derive(Clone, Debug)]
pub(super) struct Cells {
    /// Rows not encouraged, then rows encouraged: (y, d).
    pub(super) rows: [Vec<(f64, f64)>; 2],
}

/// A number and the mean of a function of (y, d) among the not encouraged and among the encouraged.
struct Functional<'a> {
    constant: f64,
    of: [Box<dyn Fn(f64, f64) -> f64 + 'a>; 2],
}

impl Cells {
    /// The value, and its standard error.
    fn evaluate(&self, functional: &Functional<'_>) -> (f64, f64) {
        let (mut value, mut variance) = (functional.constant, 0.0);
        for (rows, of) in self.rows.iter().zip(&functional.of) {
            let n = rows.len() as f64;
            let mean = rows.iter().map(|(y, d)| of(*y, *d)).sum::<f64>() / n;
            let squares: f64 = rows.iter().map(|(y, d)| (of(*y, *d) - mean).powi(2)).sum();
            value += mean;
            variance += squares / (n - 1.0) / n;
        }
        (value, variance.sqrt())
    }

    /// The largest of the lower and the smallest of the upper functionals. The limits take each functional at its own one-sided limit, adjusted by
    /// Bonferroni for their number: then all hold together, and the largest lower one lies below the bound.
    fn bounds(
        &self,
        method: &str,
        lower: &[Functional<'_>],
        upper: &[Functional<'_>],
        level: f64,
    ) -> AverageEffectBounds {
        let mut out = AverageEffectBounds {
            method: method.to_owned(),
            lower: f64::NEG_INFINITY,
            upper: f64::INFINITY,
            lower_limit: f64::NEG_INFINITY,
            upper_limit: f64::INFINITY,
            level,
        };
        let z = |count: usize| normal::upper_quantile((1.0 - level) / 2.0 / count as f64);
        for functional in lower {
            let (value, error) = self.evaluate(functional);
            out.lower = out.lower.max(value);
            out.lower_limit = out.lower_limit.max(value - z(lower.len()) * error);
        }
        for functional in upper {
            let (value, error) = self.evaluate(functional);
            out.upper = out.upper.min(value);
            out.upper_limit = out.upper_limit.min(value + z(upper.len()) * error);
        }
        out
    }

    /// Manski's bounds with an instrument, for outcomes in [low, high]: those who did not take what is asked for may have any outcome,
    /// `E[Y(1)]` lies for each z between `E[YD + low (1 − D) | z]` and `E[YD + high (1 − D) | z]`, and the intersections hold.
    pub(super) fn manski(&self, low: f64, high: f64, level: f64) -> AverageEffectBounds {
        let treated = |missing: f64| move |y: f64, d: f64| y * d + missing * (1.0 - d);
        let control = |missing: f64| move |y: f64, d: f64| y * (1.0 - d) + missing * d;
        // E[Y(1)] at its end by encouragement a, less E[Y(0)] at its other end by encouragement b.
        let all = |one: f64, zero: f64| -> Vec<Functional<'static>> {
            (0..4_usize)
                .map(|k| {
                    let (a, b) = (k / 2, k % 2);
                    let of = |z: usize| -> Box<dyn Fn(f64, f64) -> f64> {
                        let (t, c) = (treated(one), control(zero));
                        let (t_on, c_on) =
                            (f64::from(u8::from(a == z)), f64::from(u8::from(b == z)));
                        Box::new(move |y, d| t_on * t(y, d) - c_on * c(y, d))
                    };
                    Functional {
                        constant: 0.0,
                        of: [of(0), of(1)],
                    }
                })
                .collect()
        };
        self.bounds("Manski", &all(low, high), &all(high, low), level)
    }

    /// Balke & Pearl's bounds for outcomes and treatments of zero and one: the sharp ones, each the solution of a linear programme over the 16 ways in
    /// which a person may respond. The coefficients of `p(y, d | z)` stand in the order 00, 01, 10, 11 of (y, d).
    pub(super) fn balke_pearl(&self, level: f64) -> AverageEffectBounds {
        let make = |(constant, coefficients): &(f64, [[f64; 4]; 2])| {
            let of = |z: usize| -> Box<dyn Fn(f64, f64) -> f64> {
                let c = coefficients[z];
                Box::new(move |y, d| c[2 * usize::from(y > 0.5) + usize::from(d > 0.5)])
            };
            Functional {
                constant: *constant,
                of: [of(0), of(1)],
            }
        };
        let lower: Vec<_> = LOWER.iter().map(make).collect();
        let upper: Vec<_> = UPPER.iter().map(make).collect();
        self.bounds("Balke–Pearl", &lower, &upper, level)
    }
}

/// Constant, and coefficients among the not encouraged and among the encouraged.
type Linear = (f64, [[f64; 4]; 2]);

/// Lower bounds of Balke & Pearl (1997).
const LOWER: [Linear; 8] = [
    (-1.0, [[1.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 1.0]]),
    (-1.0, [[0.0, 0.0, 0.0, 1.0], [1.0, 0.0, 0.0, 0.0]]),
    (0.0, [[0.0, -1.0, -1.0, 1.0], [0.0, 0.0, -1.0, -1.0]]),
    (0.0, [[0.0, 0.0, -1.0, -1.0], [0.0, -1.0, -1.0, 1.0]]),
    (0.0, [[0.0; 4], [0.0, -1.0, -1.0, 0.0]]),
    (0.0, [[0.0, -1.0, -1.0, 0.0], [0.0; 4]]),
    (0.0, [[-1.0, -1.0, 0.0, 0.0], [1.0, -1.0, -1.0, 0.0]]),
    (0.0, [[1.0, -1.0, -1.0, 0.0], [-1.0, -1.0, 0.0, 0.0]]),
];

/// Upper bounds.
const UPPER: [Linear; 8] = [
    (1.0, [[0.0, 0.0, -1.0, 0.0], [0.0, -1.0, 0.0, 0.0]]),
    (1.0, [[0.0, -1.0, 0.0, 0.0], [0.0, 0.0, -1.0, 0.0]]),
    (0.0, [[1.0, -1.0, 0.0, 1.0], [1.0, 1.0, 0.0, 0.0]]),
    (0.0, [[1.0, 1.0, 0.0, 0.0], [1.0, -1.0, 0.0, 1.0]]),
    (0.0, [[0.0; 4], [1.0, 0.0, 0.0, 1.0]]),
    (0.0, [[1.0, 0.0, 0.0, 1.0], [0.0; 4]]),
    (0.0, [[0.0, 0.0, 1.0, 1.0], [1.0, 0.0, -1.0, 1.0]]),
    (0.0, [[1.0, 0.0, -1.0, 1.0], [0.0, 0.0, 1.0, 1.0]]),
];

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows with these numbers of 00, 01, 10, 11.
    fn cells(counts: [[usize; 4]; 2]) -> Cells {
        Cells {
            rows: counts.map(|c| {
                let of = |k: usize| vec![((k / 2) as f64, (k % 2) as f64); c[k]];
                (0..4).flat_map(of).collect()
            }),
        }
    }

    #[test]
    fn the_lipid_trial_of_balke_and_pearl() {
        // Balke & Pearl (1997), section 5: P(y, d | z) of the cholestyramine trial; published bounds 0.392 and 0.780.
        let trial = cells([[919, 0, 81, 0], [315, 139, 73, 473]]);
        let bounds = trial.balke_pearl(0.95);
        assert!((bounds.lower - 0.392).abs() < 1e-12 && (bounds.upper - 0.780).abs() < 1e-12);
        let manski = trial.manski(0.0, 1.0, 0.95);
        assert!(manski.lower <= bounds.lower + 1e-12 && manski.upper >= bounds.upper - 1e-12);
        assert!(bounds.lower_limit < bounds.lower && bounds.upper_limit > bounds.upper);
    }

    #[test]
    fn with_full_compliance_the_effect_is_a_point() {
        let trial = cells([[60, 0, 40, 0], [0, 30, 0, 70]]);
        for bounds in [trial.balke_pearl(0.95), trial.manski(0.0, 1.0, 0.95)] {
            assert!((bounds.lower - 0.3).abs() < 1e-12 && (bounds.upper - 0.3).abs() < 1e-12);
        }
        // Encouragement that changes outcomes of those who never take it contradicts the exclusion.
        let broken = cells([[100, 0, 0, 0], [10, 0, 90, 0]]);
        assert!(broken.balke_pearl(0.95).is_contradiction());
    }
}
