//! Densities of counts with their derivatives in the index and in ln α: Poisson, negative binomial, and Poisson without zero.

use super::binary::logistic;
use crate::numeric::special::gamma::{digamma, ln_gamma, trigamma};
use serde::{Deserialize, Serialize};

/// A log-density with its derivatives in the index η and in a = ln α: value, η, a, ηη, ηa, aa.
pub(super) type Density = [f64; 6];

/// The distribution of a count with mean μ = e^η.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Distribution {
    /// Variance μ.
    Poisson,
    /// Variance μ + αμ².
    NegativeBinomial,
}

/// Computes densities of many rows; remembers what depends on the outcome or on α alone.
pub(super) struct Counts {
    distribution: Distribution,
    /// `ln α` of the remembered sums.
    ln_alpha: f64,
    rising: Vec<[f64; 3]>,
}

impl Counts {
    pub(super) fn new(distribution: Distribution) -> Self {
        Self {
            distribution,
            ln_alpha: f64::NAN,
            rising: Vec::new(),
        }
    }

    /// The log-density at a count. Without dispersion (Poisson) `ln_alpha` is not looked at.
    pub(super) fn density(
        &mut self,
        y: f64,
        eta: f64,
        ln_alpha: f64,
        ln_factorial: f64,
    ) -> Density {
        match self.distribution {
            Distribution::Poisson => {
                let mean = eta.exp();
                let value = y * eta - mean - ln_factorial;
                [value, y - mean, 0.0, -mean, 0.0, 0.0]
            }
            Distribution::NegativeBinomial => {
                let rising = self.rising(y, ln_alpha);
                negative_binomial(y, eta, ln_alpha, rising, ln_factorial)
            }
        }
    }

    fn rising(&mut self, y: f64, ln_alpha: f64) -> [f64; 3] {
        if y > SHORT {
            return rising(y, ln_alpha.exp());
        }
        if self.ln_alpha.to_bits() != ln_alpha.to_bits() {
            self.ln_alpha = ln_alpha;
            self.rising = rising_table(ln_alpha.exp());
        }
        self.rising[y as usize]
    }
}

/// Factorials below this count are kept in a table.
const FACTORIALS: usize = 256;

/// `ln y!`, from a table for small whole numbers; `ln Γ(y + 1)` in general.
#[derive(Clone, Debug)]
pub(super) struct Factorials(Vec<f64>);

impl Factorials {
    pub(super) fn new() -> Self {
        Self((0..FACTORIALS).map(|k| ln_gamma(k as f64 + 1.0)).collect())
    }

    pub(super) fn ln(&self, y: f64) -> f64 {
        match self.0.get(y as usize) {
            Some(known) if y.fract() <= 0.0 => *known,
            _ => ln_gamma(y + 1.0),
        }
    }
}

/// Sums of this many terms are added up; longer ones have a closed form.
const SHORT: f64 = 31.0;

/// `S = Σ_{j<y} ln(1 + αj)` and its first two derivatives in ln α, for y = 0, 1, …, SHORT.
fn rising_table(alpha: f64) -> Vec<[f64; 3]> {
    let mut sum = [0.0; 3];
    let mut table = vec![sum];
    for j in 0..SHORT as u32 {
        let q = alpha * f64::from(j);
        let rest = 1.0 / (1.0 + q);
        sum[0] += q.ln_1p();
        sum[1] += q * rest;
        sum[2] += q * rest * rest;
        table.push(sum);
    }
    table
}

/// `S = Σ_{j<y} ln(1 + αj) = ln Γ(y + r) − ln Γ(r) + y ln α` with r = 1/α, and its first two derivatives in ln α, for a large y.
fn rising(y: f64, alpha: f64) -> [f64; 3] {
    /// From here Stirling's series is exact to double precision.
    const ASYMPTOTIC: f64 = 10.0;
    let r = 1.0 / alpha;
    if r < ASYMPTOTIC {
        let slope = r * (digamma(y + r) - digamma(r));
        return [
            ln_gamma(y + r) - ln_gamma(r) + y * alpha.ln(),
            y - slope,
            slope + r * r * (trigamma(y + r) - trigamma(r)),
        ];
    }
    // With q = αy and Stirling's remainder s: S = r [(1 + q) ln(1 + q) − q] − ln(1 + q)/2 + s(r + y) − s(r).
    let q = alpha * y;
    let (below, above) = (stirling(r), stirling(r + y));
    let rest = 1.0 / (1.0 + q);
    let change: [f64; 3] = std::array::from_fn(|i| above[i] - below[i]);
    [
        r * entropy(q) - 0.5 * q.ln_1p() + change[0],
        r * q_minus_ln(q) - 0.5 * q * rest - r * change[1],
        r * ln_minus_share(q) - 0.5 * q * rest * rest + r * change[1] + r * r * change[2],
    ]
}

/// `ln Γ(z) − [(z − ½) ln z − z + ½ ln 2π]` with its first two derivatives (DLMF 5.11.1).
fn stirling(z: f64) -> [f64; 3] {
    const SERIES: [f64; 7] = [
        1.0 / 12.0,
        -1.0 / 360.0,
        1.0 / 1260.0,
        -1.0 / 1680.0,
        1.0 / 1188.0,
        -691.0 / 360_360.0,
        1.0 / 156.0,
    ];
    let mut sum = [0.0; 3];
    let mut power = 1.0 / z;
    for (k, c) in SERIES.iter().enumerate() {
        let order = 2.0 * k as f64 + 1.0;
        sum[0] += c * power;
        sum[1] -= order * c * power / z;
        sum[2] += order * (order + 1.0) * c * power / (z * z);
        power /= z * z;
    }
    sum
}

/// Below this the following differences cancel, and their series converge to double precision in [`TERMS`] terms.
const SMALL: f64 = 0.05;
const TERMS: u32 = 17;

/// `Σ_{k ≥ 2} (−1)^k c(k) t^k`.
fn alternating(t: f64, c: impl Fn(f64) -> f64) -> f64 {
    (2..TERMS)
        .rev()
        .fold(0.0, |sum, k| c(f64::from(k)) - t * sum)
        * t
        * t
}

/// `(1 + t) ln(1 + t) − t`.
fn entropy(t: f64) -> f64 {
    if t < SMALL {
        return alternating(t, |k| 1.0 / (k * (k - 1.0)));
    }
    (1.0 + t) * t.ln_1p() - t
}

/// `t − ln(1 + t)`.
fn q_minus_ln(t: f64) -> f64 {
    if t < SMALL {
        return alternating(t, |k| 1.0 / k);
    }
    t - t.ln_1p()
}

/// `ln(1 + t) − t/(1 + t)`.
fn ln_minus_share(t: f64) -> f64 {
    if t < SMALL {
        return alternating(t, |k| (k - 1.0) / k);
    }
    t.ln_1p() - t / (1.0 + t)
}

/// `t²/(1 + t)² + t/(1 + t) − ln(1 + t)`.
fn share_excess(t: f64) -> f64 {
    if t < SMALL {
        return alternating(t, |k| (k - 1.0) * (k - 1.0) / k);
    }
    let share = t / (1.0 + t);
    share * share + share - t.ln_1p()
}

/// `ln f = S − ln y! + yη − (y + 1/α) ln(1 + αμ)`: no gamma functions of 1/α, so that α → 0 is the Poisson limit.
fn negative_binomial(
    y: f64,
    eta: f64,
    ln_alpha: f64,
    rising: [f64; 3],
    ln_factorial: f64,
) -> Density {
    let inverse = (-ln_alpha).exp();
    let (mean, odds) = (eta.exp(), eta + ln_alpha);
    let t = odds.exp();
    let (share, rest) = (logistic(odds), logistic(-odds));
    // ln(1 + t), also where t overflows.
    let log = odds.max(0.0) + (-odds.abs()).exp().ln_1p();
    let per_alpha = if t < SMALL { t.ln_1p() } else { log } * inverse;
    let value = rising[0] - ln_factorial + y * eta - y * log - per_alpha;
    let gap = (y - mean) * rest;
    [
        value,
        gap,
        rising[1] - y * share + inverse * ln_minus_share(t),
        -(1.0 + y / inverse) * mean * rest * rest,
        -gap * share,
        rising[2] - y * share * rest + inverse * share_excess(t),
    ]
}

/// The log-density of a Poisson count that is not zero, `(y − 1)η − ln((e^μ − 1)/μ) − ln y!`, with two derivatives in η.
pub(super) fn positive_poisson(y: f64, eta: f64, ln_factorial: f64) -> [f64; 3] {
    /// Below, the differences cancel; the next terms of the series are of order μ⁶/30240 and less.
    const SMALL_MEAN: f64 = 1e-2;
    let m = eta.exp();
    if m < SMALL_MEAN {
        let square = m * m;
        return [
            (y - 1.0) * eta - m / 2.0 - square / 24.0 * (1.0 - square / 120.0) - ln_factorial,
            (y - 1.0) - m / 2.0 - square / 12.0 * (1.0 - square / 60.0),
            -m / 2.0 - square / 6.0 * (1.0 - square / 30.0),
        ];
    }
    let zero = (-m).exp();
    let positive = -(-m).exp_m1();
    let mean = m / positive;
    [
        y * eta - m - positive.ln() - ln_factorial,
        y - mean,
        -mean * (1.0 - mean * zero),
    ]
}

/// `ln(1 − e^x)` for x < 0 with two derivatives: from the log-probability of zero to that of the rest.
pub(super) fn ln_complement(x: f64) -> [f64; 3] {
    let value = if x > -std::f64::consts::LN_2 {
        (-x.exp_m1()).ln()
    } else {
        (-x.exp()).ln_1p()
    };
    let odds = 1.0 / (-x).exp_m1();
    [value, -odds, -odds * (1.0 + odds)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::numeric::derivative::{gradient, hessian};

    fn density(y: f64, eta: f64, a: f64) -> Density {
        let factorial = Factorials::new().ln(y);
        Counts::new(Distribution::NegativeBinomial).density(y, eta, a, factorial)
    }

    #[test]
    fn the_sums_of_all_branches_agree() {
        for alpha in [1e-7, 1e-3, 0.02, 0.099, 0.101, 0.7, 30.0, 1e6] {
            let y = SHORT;
            let table = rising_table(alpha)[y as usize];
            let closed = rising(y, alpha);
            for (a, b) in table.iter().zip(closed) {
                assert!((a - b).abs() <= 3e-13 * a.abs() + 1e-13, "{alpha} {a} {b}");
            }
        }
        // Against the definition, far beyond the table.
        for (y, alpha) in [
            (2000.0, 1e-6),
            (2000.0, 0.05),
            (2000.0, 3.0),
            (150.0, 1e-12),
        ] {
            let mut sum = [0.0; 3];
            for j in 0..y as u32 {
                let q = alpha * f64::from(j);
                sum[0] += q.ln_1p();
                sum[1] += q / (1.0 + q);
                sum[2] += q / (1.0 + q).powi(2);
            }
            for (a, b) in sum.iter().zip(rising(y, alpha)) {
                assert!((a - b).abs() <= 1e-10 * a.abs(), "{y} {alpha} {a} {b}");
            }
        }
    }

    #[test]
    fn derivatives_of_the_negative_binomial() {
        for y in [0.0, 1.0, 3.0, 31.0, 32.0, 400.0, 1e5] {
            for eta in [-30.0, -2.0, 0.3, 4.0, 12.0, 30.0] {
                for a in [-14.0, -5.0, -0.4, 3.0] {
                    let found = density(y, eta, a);
                    let value = |p: &[f64]| density(y, p[0], p[1])[0];
                    let slopes = gradient(value, &[eta, a]).unwrap();
                    let size = found[0].abs().max(y).max(1.0); // y ln μ and more cancel in the value
                    for (f, n) in found[1..3].iter().zip(slopes) {
                        let gap = (f - n).abs();
                        assert!(gap < 1e-9 * size.max(f.abs()), "{y} {eta} {a}: {f} {n}");
                    }
                    let slope = |i: usize| move |p: &[f64]| density(y, p[0], p[1])[i];
                    let first = gradient(slope(1), &[eta, a]).unwrap();
                    let second = gradient(slope(2), &[eta, a]).unwrap();
                    for (f, n) in found[3..].iter().zip([first[0], first[1], second[1]]) {
                        let gap = (f - n).abs();
                        let size = found[1].abs().max(found[2].abs()).max(1.0);
                        assert!(gap < 1e-8 * size, "{y} {eta} {a}: {f} {n}");
                    }
                }
            }
        }
    }

    #[test]
    fn the_poisson_limit_is_exact() {
        for (y, eta) in [(0.0, 1.0), (3.0, 0.5), (60.0, 4.0), (1e4, 9.0)] {
            let factorial = Factorials::new().ln(y);
            let poisson = Counts::new(Distribution::Poisson).density(y, eta, 0.0, factorial);
            let limit = density(y, eta, -70.0);
            assert!((poisson[0] - limit[0]).abs() <= 1e-12 * poisson[0].abs());
            assert!((poisson[1] - limit[1]).abs() <= 1e-12 * poisson[1].abs().max(1.0));
            // ∂ℓ/∂ ln α = α [(y − μ)² − y]/2 + O(α²), without cancellation.
            let a: f64 = -20.0;
            let score = a.exp() * ((y - eta.exp()).powi(2) - y) / 2.0;
            let found = density(y, eta, a)[2];
            assert!(
                (found / score - 1.0).abs() < 1e-3 && found.is_finite(),
                "{found} {score}"
            );
        }
    }

    #[test]
    fn probabilities_sum_to_one() {
        for (eta, a) in [(0.7, -0.5), (1.5, 0.8), (2.0, -9.0)] {
            let mut counts = Counts::new(Distribution::NegativeBinomial);
            let factorials = Factorials::new();
            let (mut total, mut mean) = (0.0, 0.0);
            for k in 0..3000 {
                let y = f64::from(k);
                let p = counts.density(y, eta, a, factorials.ln(y))[0].exp();
                total += p;
                mean += y * p;
            }
            assert!((total - 1.0).abs() < 1e-11, "{total}");
            assert!((mean / eta.exp() - 1.0).abs() < 1e-9, "{mean}");
        }
    }

    #[test]
    fn derivatives_of_what_is_left_without_zero() {
        for y in [1.0, 2.0, 7.0] {
            for eta in [-30.0, -5.0, -4.61, -4.6, -1.0, 0.5, 3.0, 8.0] {
                let value = |p: &[f64]| positive_poisson(y, p[0], 0.0)[0];
                let slope = |p: &[f64]| positive_poisson(y, p[0], 0.0)[1];
                let found = positive_poisson(y, eta, 0.0);
                let size = found[1].abs().max(1.0);
                let first = gradient(value, &[eta]).unwrap()[0];
                let second = gradient(slope, &[eta]).unwrap()[0];
                assert!((found[1] - first).abs() < 1e-9 * size, "{y} {eta}");
                assert!((found[2] - second).abs() < 1e-9 * size, "{y} {eta}");
            }
        }
        for x in [-1e-8, -0.3, -0.69, -0.7, -5.0, -60.0] {
            let found = ln_complement(x);
            let slope = gradient(|p| ln_complement(p[0])[0], &[x]).unwrap()[0];
            let curve = hessian(|p| ln_complement(p[0])[0], &[x]).unwrap()[(0, 0)];
            assert!(
                (found[1] - slope).abs() < 1e-8 * found[1].abs().max(1.0),
                "{x}"
            );
            assert!(
                (found[2] - curve).abs() < 1e-5 * found[2].abs().max(1.0),
                "{x}"
            );
        }
    }
}
