//! Probabilities of the multivariate normal distribution: the bivariate distribution function to full accuracy, and
//! boxes in any dimension by randomised quasi-Monte-Carlo with an error estimate.

use nalgebra::DMatrix;
use rand::RngExt;

use super::{normal, truncated_normal};
use crate::numeric::Seed;
use crate::numeric::blocks;

pub use super::bivariate_normal::{bivariate_cdf, ln_bivariate_cdf};

/// How [`cdf`] samples.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    /// Stop when the error estimate is below this absolute error; 10⁻⁶.
    pub tolerance: f64,
    /// Most lattice points in all; 10⁶.
    pub points: usize,
    /// Independent random shifts of the lattice, from whose spread the error is estimated; 12.
    pub shifts: usize,
    /// The seed of the shifts.
    pub seed: Seed,
}

impl Settings {
    /// The defaults with this seed.
    pub fn new(seed: impl Into<Seed>) -> Self {
        Self {
            tolerance: 1e-6,
            points: 1_000_000,
            shifts: 12,
            seed: seed.into(),
        }
    }
}

/// A probability with its estimated error.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// The probability.
    pub value: f64,
    /// Three standard errors over the random shifts; 0 where the value is exact up to rounding (one dimension).
    pub error: f64,
    /// Lattice points used.
    pub points: usize,
}

/// P(lower < X < upper) for X normal with mean 0 and this covariance (positive semi-definite; only the lower triangle
/// is read). Ends may be infinite. NaN when sizes differ or the covariance has a negative or NaN pivot.
///
/// Genz & Bretz (2002, 2009): the box is mapped to the unit cube by conditioning one variable after the other, the
/// variable with the smallest expected conditional probability first, and the cube is sampled by a randomly shifted
/// Richtmyer lattice with the baker's transformation; points double until the error is below the tolerance. The result
/// does not depend on the number of threads.
///
/// ```
/// use cocreate::numeric::special::multivariate_normal::{Settings, cdf};
/// use nalgebra::DMatrix;
/// // Three variables with correlation ½: the orthant has probability 1/4.
/// let covariance = DMatrix::from_fn(3, 3, |i, j| if i == j { 1.0 } else { 0.5 });
/// let settings = Settings { tolerance: 1e-4, ..Settings::new(1) };
/// let estimate = cdf(&[f64::NEG_INFINITY; 3], &[0.0; 3], &covariance, &settings);
/// assert!((estimate.value - 0.25).abs() < 1e-4);
/// ```
pub fn cdf(
    lower: &[f64],
    upper: &[f64],
    covariance: &DMatrix<f64>,
    settings: &Settings,
) -> Estimate {
    let exact = |value| Estimate {
        value,
        error: 0.0,
        points: 0,
    };
    let n = lower.len();
    if upper.len() != n
        || covariance.shape() != (n, n)
        || lower.iter().chain(upper).any(|x| x.is_nan())
    {
        return exact(f64::NAN);
    }
    if n == 0 {
        return exact(1.0);
    }
    if lower.iter().zip(upper).any(|(l, u)| l >= u) {
        return exact(0.0);
    }
    let Some(chain) = Chain::new(lower, upper, covariance) else {
        return exact(f64::NAN);
    };
    if n == 1 {
        return exact(chain.probability(&[], &mut Vec::new()));
    }
    chain.sample(settings)
}

/// The variables in the order of conditioning, with the rows of the Cholesky factor divided by their diagonal.
struct Chain {
    lower: Vec<f64>,
    upper: Vec<f64>,
    /// Row i holds the i coefficients of the earlier variables.
    rows: Vec<Vec<f64>>,
    /// Whether variable i varies given the earlier ones (its pivot is not zero).
    varies: Vec<bool>,
}

impl Chain {
    /// Pivoted Cholesky decomposition: at each step the variable comes next whose interval, at the expected values of
    /// those before, has the smallest probability (Genz & Bretz 2009, section 4.1.3).
    fn new(lower: &[f64], upper: &[f64], covariance: &DMatrix<f64>) -> Option<Self> {
        /// A pivot this small relative to the variance is zero up to rounding.
        const SINGULAR: f64 = 1e-13;
        let n = lower.len();
        let mut order: Vec<usize> = (0..n).collect();
        let mut factor = DMatrix::<f64>::zeros(n, n);
        let entry = |i: usize, j: usize| covariance[(i.max(j), i.min(j))];
        let mut expected: Vec<f64> = Vec::with_capacity(n);
        let mut chain = Self {
            lower: Vec::with_capacity(n),
            upper: Vec::with_capacity(n),
            rows: Vec::with_capacity(n),
            varies: Vec::with_capacity(n),
        };
        for step in 0..n {
            let conditional = |position: usize| {
                let variable = order[position];
                let row = factor.row(position);
                let explained: f64 = (0..step).map(|k| row[k] * row[k]).sum();
                let mean: f64 = (0..step).map(|k| row[k] * expected[k]).sum();
                let variance = entry(variable, variable) - explained;
                let degenerate = variance <= SINGULAR * entry(variable, variable);
                let deviation = if degenerate { 0.0 } else { variance.sqrt() };
                let scale = if degenerate { 1.0 } else { deviation };
                let (a, b) = (
                    (lower[variable] - mean) / scale,
                    (upper[variable] - mean) / scale,
                );
                (variance, deviation, a, b)
            };
            let mut best = (f64::INFINITY, step);
            for (position, &variable) in order.iter().enumerate().skip(step) {
                let (variance, deviation, a, b) = conditional(position);
                let total = entry(variable, variable);
                // The comparison also refuses NaN.
                if !(variance >= -1e-8 * total && total > 0.0) {
                    return None;
                }
                // Variables that no longer vary come last.
                let probability = if deviation > 0.0 {
                    truncated_normal::mass(a, b)
                } else {
                    2.0
                };
                if probability < best.0 {
                    best = (probability, position);
                }
            }
            let (_, deviation, a, b) = conditional(best.1);
            order.swap(step, best.1);
            factor.swap_rows(step, best.1);
            let varies = deviation > 0.0;
            expected.push(if varies {
                truncated_normal::mean(a, b)
            } else {
                0.0
            });
            factor[(step, step)] = deviation;
            for position in step + 1..n {
                let dot: f64 = (0..step)
                    .map(|k| factor[(position, k)] * factor[(step, k)])
                    .sum();
                let covariance = entry(order[position], order[step]) - dot;
                factor[(position, step)] = if varies { covariance / deviation } else { 0.0 };
            }
            let scale = if varies { deviation } else { 1.0 };
            chain.lower.push(lower[order[step]] / scale);
            chain.upper.push(upper[order[step]] / scale);
            chain
                .rows
                .push((0..step).map(|k| factor[(step, k)] / scale).collect());
            chain.varies.push(varies);
        }
        Some(chain)
    }

    /// The product of conditional probabilities at a point of the unit cube of one dimension less.
    fn probability(&self, cube: &[f64], values: &mut Vec<f64>) -> f64 {
        values.clear();
        let mut product = 1.0;
        for (i, row) in self.rows.iter().enumerate() {
            let mean: f64 = row.iter().zip(&*values).map(|(c, y)| c * y).sum();
            let (a, b) = (self.lower[i] - mean, self.upper[i] - mean);
            if !self.varies[i] {
                if a > SLACK || b < -SLACK {
                    return 0.0;
                }
                values.push(0.0);
                continue;
            }
            let (below, mass) = if a > 0.0 {
                (normal::sf(b), truncated_normal::mass(a, b))
            } else {
                (normal::cdf(a), truncated_normal::mass(a, b))
            };
            product *= mass;
            if product <= 0.0 {
                return 0.0;
            }
            if let Some(&u) = cube.get(i) {
                // In the right half the upper tails are used, mirrored.
                let y = if a > 0.0 {
                    normal::upper_quantile(below + u * mass)
                } else {
                    normal::quantile((below + u * mass).min(1.0))
                };
                values.push(y.clamp(a.max(-LARGEST), b.min(LARGEST)));
            }
        }
        product
    }

    /// Doubles the lattice until the shifts agree.
    fn sample(&self, settings: &Settings) -> Estimate {
        /// Points of the first lattice per shift.
        const FIRST: usize = 256;
        let dimensions = self.rows.len() - 1;
        let generators: Vec<f64> = primes(dimensions).map(|p| p.sqrt().fract()).collect();
        let shifts = settings.shifts.max(2);
        let mut points = FIRST;
        let mut used = 0;
        // Precision-weighted mean over the rounds.
        let (mut weight, mut mean) = (0.0_f64, 0.0_f64);
        for round in 0_u64.. {
            let estimates = blocks::map(shifts, |s| {
                let mut stream = settings.seed.stream((round << 32) + s as u64);
                let shift: Vec<f64> = generators.iter().map(|_| stream.random::<f64>()).collect();
                let (mut cube, mut values) = (vec![0.0; dimensions], Vec::new());
                let mut sum = 0.0;
                for i in 0..points {
                    for ((u, g), s) in cube.iter_mut().zip(&generators).zip(&shift) {
                        // The baker's transformation makes the integrand periodic.
                        *u = (2.0 * ((i as f64 + 1.0) * g + s).fract() - 1.0).abs();
                    }
                    sum += self.probability(&cube, &mut values);
                }
                sum / points as f64
            });
            used += points * shifts;
            let count = shifts as f64;
            let centre = estimates.iter().sum::<f64>() / count;
            let spread: f64 = estimates.iter().map(|e| (e - centre).powi(2)).sum();
            let variance = spread / (count * (count - 1.0));
            // Rounding keeps a variance of 0 from claiming all the weight.
            let precision = 1.0 / (variance + (f64::EPSILON * centre).powi(2) + f64::MIN_POSITIVE);
            mean += (centre - mean) * precision / (weight + precision);
            weight += precision;
            let error = 3.0 / weight.sqrt();
            points *= 2;
            if error <= settings.tolerance || used + points * shifts > settings.points {
                return Estimate {
                    value: mean,
                    error,
                    points: used,
                };
            }
        }
        Estimate {
            value: f64::NAN,
            error: f64::NAN,
            points: used,
        }
    }
}

/// Rounding that a variable without own variance is allowed beyond its interval.
const SLACK: f64 = 1e-9;

/// A normal value beyond which nothing happens in `f64`.
const LARGEST: f64 = 39.0;

/// The first `count` primes, by trial division.
fn primes(count: usize) -> impl Iterator<Item = f64> {
    (2_u32..)
        .filter(|n| (2..=n.isqrt()).all(|d| n % d != 0))
        .take(count)
        .map(f64::from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::f64::consts::PI;

    #[test]
    fn orthants_have_closed_forms() {
        let correlations = [0.3, -0.4, 0.6];
        let exact = 0.125 + correlations.iter().map(|r: &f64| r.asin()).sum::<f64>() / (4.0 * PI);
        let mut matrix = DMatrix::identity(3, 3);
        for (&(i, j), r) in [(1, 0), (2, 0), (2, 1)].iter().zip(correlations) {
            matrix[(i, j)] = r;
        }
        let estimate = cdf(&[0.0; 3], &[f64::INFINITY; 3], &matrix, &Settings::new(5));
        assert!(
            (estimate.value - exact).abs() < 2.0 * estimate.error.max(1e-12),
            "{estimate:?} {exact}"
        );
        assert!(estimate.error <= 1e-6);
    }

    #[test]
    fn equicorrelated_and_singular_boxes() {
        // n + 1 exchangeable contrasts of correlation ½: P(all < 0) = 1/(n + 1).
        let n = 9;
        let matrix = DMatrix::from_fn(n, n, |i, j| if i == j { 4.0 } else { 2.0 });
        let settings = Settings {
            tolerance: 1e-4,
            ..Settings::new(2)
        };
        let estimate = cdf(
            &vec![f64::NEG_INFINITY; n],
            &vec![0.0; n],
            &matrix,
            &settings,
        );
        assert!(
            (estimate.value - 0.1).abs() < 2.0 * estimate.error,
            "{estimate:?}"
        );
        // X₃ = X₁ + X₂ below 0 with both: the third condition is implied by the first two.
        let singular =
            DMatrix::from_row_slice(3, 3, &[1.0, 0.0, 1.0, 0.0, 1.0, 1.0, 1.0, 1.0, 2.0]);
        let estimate = cdf(&[f64::NEG_INFINITY; 3], &[0.0; 3], &singular, &settings);
        assert!((estimate.value - 0.25).abs() < 1e-3, "{estimate:?}");
    }

    #[test]
    fn nonsense_and_limits() {
        let settings = Settings::new(1);
        let one = DMatrix::from_element(1, 1, 4.0);
        let estimate = cdf(&[-2.0], &[2.0], &one, &settings);
        assert!((estimate.value - (1.0 - 2.0 * normal::sf(1.0))).abs() < 1e-15);
        let indefinite = DMatrix::from_row_slice(2, 2, &[1.0, 2.0, 2.0, 1.0]);
        assert!(
            cdf(&[0.0; 2], &[1.0; 2], &indefinite, &settings)
                .value
                .is_nan()
        );
        assert!(cdf(&[0.0], &[1.0; 2], &one, &settings).value.is_nan());
        assert!(cdf(&[f64::NAN], &[1.0], &one, &settings).value.is_nan());
        assert_eq!(cdf(&[1.0], &[1.0], &one, &settings).value, 0.0);
        assert!(
            bivariate_cdf(0.0, 0.0, 1.1).is_nan() && bivariate_cdf(f64::NAN, 0.0, 0.1).is_nan()
        );
        assert_eq!(bivariate_cdf(0.0, f64::NEG_INFINITY, 0.5), 0.0);
        assert_eq!(bivariate_cdf(f64::INFINITY, 1.0, 0.5), normal::cdf(1.0));
    }

    #[test]
    fn two_dimensions_agree_with_the_bivariate_function() {
        let matrix = DMatrix::from_row_slice(2, 2, &[1.0, -0.6, -0.6, 1.0]);
        let settings = Settings {
            tolerance: 1e-8,
            ..Settings::new(3)
        };
        let estimate = cdf(&[f64::NEG_INFINITY; 2], &[0.4, -0.2], &matrix, &settings);
        let exact = bivariate_cdf(0.4, -0.2, -0.6);
        assert!(
            (estimate.value - exact).abs() < 3.0 * estimate.error.max(1e-10),
            "{estimate:?} {exact}"
        );
    }
}
