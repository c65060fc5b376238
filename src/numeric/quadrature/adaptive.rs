//! Adaptive Gauss–Kronrod integration.

use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Positive nodes of the 21-point Kronrod rule (Piessens et al. 1983, QUADPACK, routine QK21); the even-numbered (from 0)
/// belong to the rule alone, the odd-numbered to the 10-point Gauss rule too. The centre is the last.
const NODES: [f64; 11] = [
    0.995_657_163_025_808_1,
    0.973_906_528_517_171_7,
    0.930_157_491_355_708_2,
    0.865_063_366_688_984_5,
    0.780_817_726_586_416_9,
    0.679_409_568_299_024_4,
    0.562_757_134_668_604_7,
    0.433_395_394_129_247_2,
    0.294_392_862_701_460_2,
    0.148_874_338_981_631_22,
    0.0,
];
/// Kronrod weights of [`NODES`].
const KRONROD: [f64; 11] = [
    0.011_694_638_867_371_874,
    0.032_558_162_307_964_725,
    0.054_755_896_574_351_995,
    0.075_039_674_810_919_96,
    0.093_125_454_583_697_6,
    0.109_387_158_802_297_64,
    0.123_491_976_262_065_84,
    0.134_709_217_311_473_34,
    0.142_775_938_577_060_09,
    0.147_739_104_901_338_49,
    0.149_445_554_002_916_9,
];
/// Gauss weights of the odd-numbered [`NODES`].
const GAUSS: [f64; 5] = [
    0.066_671_344_308_688_14,
    0.149_451_349_150_580_6,
    0.219_086_362_515_982_04,
    0.269_266_719_309_996_35,
    0.295_524_224_714_752_87,
];
/// Evaluations of one interval.
const RULE_SIZE: usize = 21;
/// QUADPACK's error heuristic: `(200 |K − G| / A)^1.5 A`, with `A` the integral of the distance to the mean.
const ERROR_FACTOR: f64 = 200.0;
/// Its exponent.
const ERROR_POWER: f64 = 1.5;
/// Rounding of one interval, in units of its absolute integral's last place (ibid.).
const ROUNDING_UNITS: f64 = 50.0;

/// Adaptive integration over finite and infinite intervals: the 21-point Gauss–Kronrod rule, halving the interval with the
/// largest error until the sum of the errors is within the tolerance.
///
/// | name | default | meaning | range |
/// |---|---|---|---|
/// | `absolute_tolerance` | 1e-14 | accepted error | ≥ 0 |
/// | `relative_tolerance` | 1e-10 | accepted error relative to the integral | ≥ 0, one of the two positive |
/// | `max_intervals` | 1000 | intervals before it gives up | ≥ 1 |
///
/// Infinite ends are mapped by `x = a ± t/(1 − t)` and `x = t/(1 − t²)`. Ends may be singular if integrable; other kinks and
/// peaks are found unless they are narrow and far from all nodes: split the interval there.
///
/// # References
/// Piessens, de Doncker-Kapenga, Überhuber & Kahaner (1983), *QUADPACK*.
///
/// ```
/// use cocreate::numeric::quadrature::Adaptive;
/// let found = Adaptive::new().integrate(|x| (-x * x).exp(), f64::NEG_INFINITY, f64::INFINITY)?.or_error("the Gauss integral")?;
/// assert!((found.value - std::f64::consts::PI.sqrt()).abs() < 1e-12);
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Adaptive {
    absolute_tolerance: f64,
    relative_tolerance: f64,
    max_intervals: usize,
}

impl Default for Adaptive {
    fn default() -> Self {
        Self {
            absolute_tolerance: 1e-14,
            relative_tolerance: 1e-10,
            max_intervals: 1000,
        }
    }
}

impl Adaptive {
    /// With the defaults of the table above.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the accepted error.
    pub fn absolute_tolerance(mut self, tolerance: f64) -> Self {
        self.absolute_tolerance = tolerance;
        self
    }

    /// Sets the accepted error relative to the integral.
    pub fn relative_tolerance(mut self, tolerance: f64) -> Self {
        self.relative_tolerance = tolerance;
        self
    }

    /// Sets the number of intervals before it gives up.
    pub fn max_intervals(mut self, intervals: usize) -> Self {
        self.max_intervals = intervals;
        self
    }

    /// Integrates `f` from `low` to `high`; with `low > high` the sign is reversed.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for a bad setting or a NaN end; [`Error::NotFinite`] when `f` is not finite at a node.
    pub fn integrate(
        &self,
        mut f: impl FnMut(f64) -> f64,
        low: f64,
        high: f64,
    ) -> Result<Integral> {
        self.validate(low, high)?;
        if low > high {
            let mut reversed = self.integrate(f, high, low)?;
            reversed.value = -reversed.value;
            return Ok(reversed);
        }
        let map = Map::of(low, high);
        let (start, end) = map.ends(low, high);
        let mut g = |t: f64| map.apply(&mut f, t);
        let mut pieces = vec![Piece::new(&mut g, start, end)?];
        loop {
            let value: f64 = pieces.iter().map(|p| p.value).sum();
            let error: f64 = pieces.iter().map(|p| p.error).sum();
            let tolerance = self
                .absolute_tolerance
                .max(self.relative_tolerance * value.abs());
            let converged = error <= tolerance;
            let worst = (0..pieces.len())
                .filter(|i| pieces[*i].can_be_halved())
                .max_by(|i, j| pieces[*i].error.total_cmp(&pieces[*j].error));
            let full = pieces.len() >= self.max_intervals;
            let Some(worst) = worst.filter(|_| !converged && !full) else {
                return Ok(Integral {
                    value,
                    error,
                    tolerance,
                    converged,
                    intervals: pieces.len(),
                    evaluations: RULE_SIZE * (2 * pieces.len() - 1),
                });
            };
            let Piece { start, end, .. } = pieces[worst];
            let middle = 0.5 * (start + end);
            pieces[worst] = Piece::new(&mut g, start, middle)?;
            pieces.push(Piece::new(&mut g, middle, end)?);
        }
    }

    fn validate(&self, low: f64, high: f64) -> Result<()> {
        let good = self.absolute_tolerance >= 0.0
            && self.relative_tolerance >= 0.0
            && self.absolute_tolerance + self.relative_tolerance > 0.0;
        if !good {
            return Err(Error::invalid_option(
                "tolerance",
                format!(
                    "{} absolute, {} relative",
                    self.absolute_tolerance, self.relative_tolerance
                ),
                "not negative, and one of the two positive",
            ));
        }
        if self.max_intervals == 0 {
            return Err(Error::invalid_option("max_intervals", 0, "at least 1"));
        }
        if low.is_nan() || high.is_nan() {
            return Err(Error::invalid_option(
                "low, high",
                format!("[{low}, {high}]"),
                "numbers or infinite",
            ));
        }
        Ok(())
    }
}

/// An integral with its estimated error.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Integral {
    /// The integral.
    pub value: f64,
    /// The estimated absolute error, usually far too large.
    pub error: f64,
    /// The error that was accepted.
    pub tolerance: f64,
    /// Whether the estimated error is within the tolerance.
    pub converged: bool,
    /// Intervals used.
    pub intervals: usize,
    /// Evaluations of the integrand.
    pub evaluations: usize,
}

impl Integral {
    /// This integral if it converged.
    ///
    /// # Errors
    /// [`Error::NotConverged`] for `what` otherwise.
    pub fn or_error(self, what: &str) -> Result<Self> {
        if self.converged {
            return Ok(self);
        }
        Err(Error::NotConverged {
            what: format!("{what} (adaptive integration)"),
            iterations: self.intervals,
            criterion: self.error,
            tolerance: self.tolerance,
            remedy: "split the interval at singular points, allow more intervals, or loosen the tolerance".to_owned(),
        })
    }
}

impl fmt::Display for Integral {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:.10} (estimated error {:.1e}, {} intervals, {} evaluations{})",
            self.value,
            self.error,
            self.intervals,
            self.evaluations,
            if self.converged {
                ""
            } else {
                ", not converged"
            }
        )
    }
}

/// How an infinite interval is mapped to a finite one.
#[derive(Clone, Copy)]
enum Map {
    Finite,
    /// `x = a + s t/(1 − t)`, `t` from 0 to 1; `s = −1` for an interval without lower end.
    Half {
        from: f64,
        sign: f64,
    },
    /// `x = t/(1 − t²)`, `t` from −1 to 1.
    Line,
}

impl Map {
    fn of(low: f64, high: f64) -> Self {
        match (low.is_finite(), high.is_finite()) {
            (true, true) => Self::Finite,
            (true, false) => Self::Half {
                from: low,
                sign: 1.0,
            },
            (false, true) => Self::Half {
                from: high,
                sign: -1.0,
            },
            (false, false) => Self::Line,
        }
    }

    fn ends(self, low: f64, high: f64) -> (f64, f64) {
        match self {
            Self::Finite => (low, high),
            Self::Half { .. } => (0.0, 1.0),
            Self::Line => (-1.0, 1.0),
        }
    }

    /// The mapped integrand; zero where `t` has rounded to an infinite end.
    fn apply(self, f: &mut impl FnMut(f64) -> f64, t: f64) -> f64 {
        match self {
            Self::Finite => f(t),
            Self::Half { from, sign } => {
                let rest = 1.0 - t;
                if rest <= 0.0 {
                    return 0.0;
                }
                f(from + sign * t / rest) / (rest * rest)
            }
            Self::Line => {
                let rest = (1.0 - t) * (1.0 + t);
                if rest <= 0.0 {
                    return 0.0;
                }
                f(t / rest) * (1.0 + t * t) / (rest * rest)
            }
        }
    }
}

/// The integral over one interval.
#[derive(Clone, Copy)]
struct Piece {
    start: f64,
    end: f64,
    value: f64,
    error: f64,
}

impl Piece {
    fn new(g: &mut impl FnMut(f64) -> f64, start: f64, end: f64) -> Result<Self> {
        let (half, middle) = (0.5 * (end - start), 0.5 * (start + end));
        let mut values = [(0.0, 0.0); NODES.len()];
        for (value, node) in values.iter_mut().zip(NODES) {
            *value = (g(middle - half * node), g(middle + half * node));
        }
        // The centre was asked for twice and counts once.
        values[NODES.len() - 1].1 = 0.0;
        let sum = |weights: &[f64; NODES.len()], of: &dyn Fn(f64) -> f64| -> f64 {
            let last = NODES.len() - 1;
            let pairs: f64 = values[..last]
                .iter()
                .zip(weights)
                .map(|((a, b), w)| w * (of(*a) + of(*b)))
                .sum();
            pairs + weights[last] * of(values[last].0)
        };
        let kronrod = sum(&KRONROD, &|v| v);
        if !kronrod.is_finite() {
            return Err(Error::NotFinite {
                what: format!(
                    "the integrand between {start} and {end} (mapped to a finite interval if infinite)"
                ),
            });
        }
        let gauss: f64 = GAUSS
            .iter()
            .enumerate()
            .map(|(k, w)| w * (values[2 * k + 1].0 + values[2 * k + 1].1))
            .sum();
        let absolute = half * sum(&KRONROD, &f64::abs);
        let spread = half * sum(&KRONROD, &|v| (v - 0.5 * kronrod).abs());
        let difference = half * (kronrod - gauss).abs();
        let scaled = if spread > 0.0 {
            spread
                * (ERROR_FACTOR * difference / spread)
                    .powf(ERROR_POWER)
                    .min(1.0)
        } else {
            difference
        };
        Ok(Self {
            start,
            end,
            value: half * kronrod,
            error: scaled.max(ROUNDING_UNITS * f64::EPSILON * absolute),
        })
    }

    /// Whether the halves still have interior points.
    fn can_be_halved(&self) -> bool {
        let width = self.end - self.start;
        width > RULE_SIZE as f64 * f64::EPSILON * self.start.abs().max(self.end.abs())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::f64::consts::PI;

    const INF: f64 = f64::INFINITY;

    #[test]
    fn one_interval_is_exact_for_polynomials_of_degree_31() {
        for degree in 0..32 {
            let piece = Piece::new(&mut |x: f64| x.powi(degree), 0.0, 1.0).unwrap();
            let exact = 1.0 / (f64::from(degree) + 1.0);
            assert!((piece.value - exact).abs() < 3e-16, "{degree}");
        }
        let gauss: f64 = 2.0 * GAUSS.iter().sum::<f64>();
        assert!((gauss - 2.0).abs() < 4e-16);
    }

    #[test]
    fn smooth_singular_oscillating_and_infinite_integrals() {
        type Case = (fn(f64) -> f64, f64, f64, f64);
        let cases: [Case; 9] = [
            (f64::exp, 0.0, 1.0, 1f64.exp() - 1.0),
            (|x| 1.0 / x.sqrt(), 0.0, 1.0, 2.0),
            (f64::ln, 0.0, 1.0, -1.0),
            (|x| (50.0 * x).cos(), 0.0, 3.0, 150f64.sin() / 50.0),
            (|x| (x - 0.3).abs(), 0.0, 1.0, 0.29),
            (|x| 1.0 / (1.0 + x * x), -INF, INF, PI),
            (|x| (-x).exp(), 2.0, INF, (-2f64).exp()),
            (|x| x.exp(), -INF, 1.0, 1f64.exp()),
            (
                |x| 1e-3 / (1e-6 + (x - 0.7).powi(2)),
                0.0,
                1.0,
                300f64.atan() + 700f64.atan(),
            ),
        ];
        for (k, (f, low, high, exact)) in cases.into_iter().enumerate() {
            let found = Adaptive::new().integrate(f, low, high).unwrap();
            let error = (found.value - exact).abs();
            assert!(found.converged, "case {k}: {found}");
            assert!(
                error <= found.error.max(1e-14),
                "case {k}: {found} {error:e}"
            );
            let back = Adaptive::new().integrate(f, high, low).unwrap();
            assert_eq!(back.value, -found.value);
        }
    }

    #[test]
    fn what_cannot_be_integrated_is_reported() {
        let divergent = Adaptive::new().integrate(|x| 1.0 / x, 0.0, 1.0).unwrap();
        assert!(!divergent.converged);
        assert!(matches!(
            divergent.or_error("1/x"),
            Err(Error::NotConverged { .. })
        ));
        let nan = Adaptive::new().integrate(f64::ln, -1.0, 1.0);
        assert!(matches!(nan, Err(Error::NotFinite { .. })));
        let few = Adaptive::new().max_intervals(2);
        assert_eq!(few.integrate(f64::sqrt, 0.0, 1.0).unwrap().intervals, 2);
        let none = Adaptive::new()
            .absolute_tolerance(0.0)
            .relative_tolerance(0.0);
        assert!(none.integrate(f64::exp, 0.0, 1.0).is_err());
        assert!(Adaptive::new().integrate(f64::exp, f64::NAN, 1.0).is_err());
        let empty = Adaptive::new().integrate(f64::exp, 1.0, 1.0).unwrap();
        assert!(empty.converged && empty.value == 0.0);
    }
}
