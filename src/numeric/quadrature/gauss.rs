//! Gauss rules for the Hermite, Legendre and Laguerre weights.
//!
//! The nodes are the zeros of the orthonormal polynomial `pₙ`, the weights `μ₀ / Σ pₖ(x)²` (Christoffel). Each node is
//! bracketed, polished by Newton's method in double and once more in double-double precision; the weight is summed at the
//! unrounded node, so nodes and weights are good to the last digit or two.

use super::double_double::Double;
use super::rule::Rule;
use crate::error::{Error, Result};
use crate::numeric::blocks;
use std::f64::consts::{PI, SQRT_2};

/// `√π = ∫ e^(−x²)`.
const SQRT_PI: f64 = 1.772_453_850_905_516;
/// Beyond this many nodes the outer weights of the Hermite rule leave the range of a double.
const MAX_HERMITE: usize = 350;
/// Beyond this many nodes the outer weights of the Laguerre rule leave the range of a double.
const MAX_LAGUERRE: usize = 170;
/// The work grows with the square of the nodes; this many take some seconds.
const MAX_LEGENDRE: usize = 5000;
/// Bisections that leave 10⁻¹² of the range, from where Newton's method converges in two steps.
const BISECTIONS: usize = 40;
/// Newton steps in double precision.
const NEWTON_STEPS: usize = 4;

/// The rule for `∫ e^(−x²) f(x) dx` over the line, exact for polynomials of degree below `2n`.
///
/// # Errors
/// [`Error::InvalidOption`] unless `1 ≤ n ≤ 350`.
///
/// ```
/// use cocreate::numeric::quadrature::gauss_hermite;
/// let rule = gauss_hermite(20)?;
/// let found = rule.integrate(f64::cos);
/// assert!((found - std::f64::consts::PI.sqrt() * (-0.25f64).exp()).abs() < 1e-14);
/// # Ok::<(), cocreate::Error>(())
/// ```
pub fn gauss_hermite(n: usize) -> Result<Rule> {
    let (nodes, weights) = hermite(n)?;
    let weights = weights.into_iter().map(|w| SQRT_PI * w).collect();
    Ok(Rule::new("Gauss–Hermite", nodes, weights))
}

/// The rule for `E f(Z)` with `Z` standard normal, exact for polynomials of degree below `2n`; the weights sum to one.
///
/// # Errors
/// [`Error::InvalidOption`] unless `1 ≤ n ≤ 350`.
pub fn gauss_hermite_normal(n: usize) -> Result<Rule> {
    let (nodes, weights) = hermite(n)?;
    let nodes = nodes.into_iter().map(|x| SQRT_2 * x).collect();
    Ok(Rule::new("Gauss–Hermite (normal)", nodes, weights))
}

/// The rule for `∫ f(x) dx` over `[low, high]`, exact for polynomials of degree below `2n`.
///
/// # Errors
/// [`Error::InvalidOption`] unless `1 ≤ n ≤ 5000` and the ends are finite.
pub fn gauss_legendre(n: usize, low: f64, high: f64) -> Result<Rule> {
    check_size(n, MAX_LEGENDRE)?;
    if !(low.is_finite() && high.is_finite()) {
        return Err(Error::invalid_option(
            "low, high",
            format!("[{low}, {high}]"),
            "finite; use Adaptive for infinite intervals",
        ));
    }
    let recurrence = Recurrence::new(
        n,
        |_| 0.0,
        |k| {
            let k = Double::new(k);
            let square = k * k;
            square * (Double::new(4.0) * square - Double::ONE).recip()
        },
    );
    let (nodes, weights) = recurrence.symmetric_rule(|i| {
        // Error O(n⁻⁴) (Davis & Rabinowitz 1984, eq. 2.7.3.10); i counts from the largest.
        let n = n as f64;
        let angle = PI * (i as f64 + 0.75) / (n + 0.5);
        (1.0 - (n - 1.0) / (8.0 * n.powi(3))) * angle.cos()
    });
    let (half, middle) = (0.5 * (high - low), 0.5 * (low + high));
    let nodes = nodes.into_iter().map(|x| middle + half * x).collect();
    // μ₀ = 2 and the scale half the width.
    let weights = weights.into_iter().map(|w| 2.0 * half * w).collect();
    Ok(Rule::new("Gauss–Legendre", nodes, weights))
}

/// The rule for `∫ e^(−x) f(x) dx` over `x > 0`, exact for polynomials of degree below `2n`.
///
/// # Errors
/// [`Error::InvalidOption`] unless `1 ≤ n ≤ 170`.
pub fn gauss_laguerre(n: usize) -> Result<Rule> {
    check_size(n, MAX_LAGUERRE)?;
    let recurrence = Recurrence::new(n, |k| 2.0 * k + 1.0, |k| Double::new(k) * Double::new(k));
    // All zeros lie below 4n + 2 (Szegő 1975, § 6.31).
    let top = 4.0 * n as f64 + 2.0;
    let pairs = blocks::map(n, |i| recurrence.polish(recurrence.bisect(i, 0.0, top)));
    let (nodes, weights) = pairs.into_iter().unzip();
    Ok(Rule::new("Gauss–Laguerre", nodes, weights))
}

/// Nodes and weights of the Hermite rule with total weight one.
fn hermite(n: usize) -> Result<(Vec<f64>, Vec<f64>)> {
    check_size(n, MAX_HERMITE)?;
    let recurrence = Recurrence::new(n, |_| 0.0, |k| Double::new(0.5 * k));
    // All zeros lie within √(2n + 1) of zero (Szegő 1975, § 6.32).
    let top = (2.0 * n as f64 + 1.0).sqrt();
    Ok(recurrence.symmetric_rule(|i| recurrence.bisect(n - 1 - i, -top, top)))
}

fn check_size(n: usize, most: usize) -> Result<()> {
    if (1..=most).contains(&n) {
        return Ok(());
    }
    Err(Error::invalid_option(
        "nodes",
        n,
        format!("from 1 to {most}"),
    ))
}

/// The recurrence `b₍ₖ₊₁₎ p₍ₖ₊₁₎ = (x − aₖ) pₖ − bₖ p₍ₖ₋₁₎` of the orthonormal polynomials up to degree `n`, with `p₀ = 1`
/// (so that the total weight is one).
struct Recurrence {
    a: Vec<f64>,
    /// `b[k]`, with `b[0] = 0`.
    b: Vec<Double>,
    /// `1 / b[k + 1]`.
    inverse: Vec<Double>,
}

impl Recurrence {
    /// From `aₖ` and `bₖ²`.
    fn new(n: usize, a: impl Fn(f64) -> f64, b_squared: impl Fn(f64) -> Double) -> Self {
        let mut b = vec![Double::ZERO];
        b.extend((1..=n).map(|k| b_squared(k as f64).sqrt()));
        Self {
            a: (0..n).map(|k| a(k as f64)).collect(),
            inverse: b[1..].iter().map(|b| b.recip()).collect(),
            b,
        }
    }

    fn degree(&self) -> usize {
        self.a.len()
    }

    /// The rule of a weight symmetric about zero from starting values for its largest nodes (0 is the largest).
    fn symmetric_rule(&self, start: impl Fn(usize) -> f64 + Sync) -> (Vec<f64>, Vec<f64>) {
        let n = self.degree();
        let upper = blocks::map(n.div_ceil(2), |i| {
            let centre = 2 * i + 1 == n;
            self.polish(if centre { 0.0 } else { start(i) })
        });
        let lower = upper.iter().map(|(x, w)| (-x, *w));
        let mirrored = upper[..n / 2].iter().rev().copied();
        // The middle node of an odd rule is zero itself.
        lower
            .map(|(x, w)| (if x.abs() > 0.0 { x } else { 0.0 }, w))
            .chain(mirrored)
            .unzip()
    }

    /// How many zeros of `pₙ` lie below `x`: the negative pivots of the shifted Jacobi matrix (Sturm).
    fn zeros_below(&self, x: f64) -> usize {
        let mut pivot = 1.0_f64;
        let mut count = 0;
        for (a, b) in self.a.iter().zip(&self.b) {
            pivot = a - x - b.hi * b.hi / pivot;
            if pivot.abs() < f64::MIN_POSITIVE {
                pivot = -f64::MIN_POSITIVE;
            }
            count += usize::from(pivot < 0.0);
        }
        count
    }

    /// The zero number `i` (from the smallest) by bisection.
    fn bisect(&self, i: usize, low: f64, high: f64) -> f64 {
        let (mut low, mut high) = (low, high);
        for _ in 0..BISECTIONS {
            let middle = 0.5 * (low + high);
            if self.zeros_below(middle) > i {
                high = middle;
            } else {
                low = middle;
            }
        }
        0.5 * (low + high)
    }

    /// The node near `start` and its weight.
    fn polish(&self, start: f64) -> (f64, f64) {
        let mut x = start;
        let mut slope = 1.0;
        for _ in 0..NEWTON_STEPS {
            let (value, derivative) = self.evaluate(x);
            slope = derivative;
            x -= value / slope;
        }
        let residual = self.accumulate(Double::new(x)).0;
        let exact = Double::new(x) - Double::new(residual.hi / slope);
        (exact.hi, 1.0 / self.accumulate(exact).1.hi)
    }

    /// `pₙ(x)` and its derivative.
    fn evaluate(&self, x: f64) -> (f64, f64) {
        let (mut before, mut here) = (0.0, 1.0);
        let (mut slope_before, mut slope) = (0.0, 0.0);
        for ((a, b), inverse) in self.a.iter().zip(&self.b).zip(&self.inverse) {
            let next = ((x - a) * here - b.hi * before) * inverse.hi;
            let slope_next = (here + (x - a) * slope - b.hi * slope_before) * inverse.hi;
            (before, here) = (here, next);
            (slope_before, slope) = (slope, slope_next);
        }
        (here, slope)
    }

    /// `pₙ(x)` and `Σₖ₌₀ⁿ⁻¹ pₖ(x)²`.
    fn accumulate(&self, x: Double) -> (Double, Double) {
        let (mut before, mut here) = (Double::ZERO, Double::ONE);
        let mut squares = Double::ZERO;
        for ((a, b), inverse) in self.a.iter().zip(&self.b).zip(&self.inverse) {
            squares = squares + here * here;
            let next = ((x - Double::new(*a)) * here - *b * before) * *inverse;
            (before, here) = (here, next);
        }
        (here, squares)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn nodes_and_weights_have_the_digits_of_the_reference() {
        let fixture = include_str!("../../../tests/reference/quadrature.csv");
        let mut checked = 0;
        let mut rule = gauss_hermite(1).unwrap();
        let mut made = String::new();
        for line in fixture.lines().filter(|l| !l.starts_with(['#', 'r'])) {
            let cells: Vec<&str> = line.split(',').collect();
            let n: usize = cells[1].parse().unwrap();
            if made != cells[..2].concat() {
                made = cells[..2].concat();
                rule = match cells[0] {
                    "hermite" => gauss_hermite(n).unwrap(),
                    "legendre" => gauss_legendre(n, -1.0, 1.0).unwrap(),
                    _ => gauss_laguerre(n).unwrap(),
                };
            }
            let i: usize = cells[2].parse().unwrap();
            let [node, weight] = [cells[3], cells[4]].map(|v| v.parse::<f64>().unwrap());
            assert!(
                (rule.nodes()[i] - node).abs() <= 4e-16 * node.abs(),
                "{line}"
            );
            assert!(
                (rule.weights()[i] - weight).abs() <= 2e-15 * weight,
                "{line}"
            );
            checked += 1;
        }
        assert_eq!(checked, 66);
    }

    #[test]
    fn hermite_moments_are_exact() {
        for n in [1, 2, 7, 40, 200, 350] {
            let rule = gauss_hermite_normal(n).unwrap();
            // E Z^(2m) = (2m − 1)!!
            let mut exact = 1.0;
            for m in 0..i32::try_from(n.min(40)).unwrap() {
                let found = rule.integrate(|z| z.powi(2 * m));
                assert!(
                    (found / exact - 1.0).abs() < 1e-13,
                    "{n} {m}: {found} {exact}"
                );
                exact *= 2.0 * f64::from(m) + 1.0;
            }
            assert!(rule.integrate(|z| z.powi(3)).abs() < 1e-13);
        }
    }

    #[test]
    fn rules_beyond_the_range_of_a_double_are_refused() {
        assert!(gauss_hermite(0).is_err() && gauss_hermite(351).is_err());
        assert!(gauss_laguerre(171).is_err() && gauss_legendre(5001, 0.0, 1.0).is_err());
        assert!(gauss_legendre(5, 0.0, f64::INFINITY).is_err());
        let edge = gauss_laguerre(170).unwrap();
        assert!(edge.weights().iter().all(|w| *w > 0.0));
        assert!((edge.integrate(|x| x * x) - 2.0).abs() < 1e-13);
    }

    #[test]
    fn large_legendre_rules_are_exact_to_rounding() {
        for n in [100, 1000] {
            let rule = gauss_legendre(n, 0.0, 2.0).unwrap();
            assert!((rule.weights().iter().sum::<f64>() - 2.0).abs() < 1e-14);
            assert!((rule.integrate(f64::exp) - (2f64.exp() - 1.0)).abs() < 1e-14);
            assert!((rule.integrate(|x| (40.0 * x).cos()) - 80f64.sin() / 40.0).abs() < 1e-14);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(100))]
        #[test]
        fn legendre_integrates_polynomials_exactly(
            c in prop::collection::vec(-5.0..5.0f64, 1..24), low in -3.0..3.0f64, width in 0.1..4.0f64,
        ) {
            let high = low + width;
            let antiderivative = |x: f64| {
                c.iter().zip(1..).map(|(c, k)| c * x.powi(k) / f64::from(k)).sum::<f64>()
            };
            let size = |x: f64| c.iter().zip(0..).map(|(c, k)| (c * x.powi(k)).abs()).sum::<f64>();
            let rule = gauss_legendre(c.len().div_ceil(2), low, high).unwrap();
            let found = rule.integrate(|x| c.iter().rev().fold(0.0, |sum, c| sum * x + c));
            let exact = antiderivative(high) - antiderivative(low);
            let scale = size(low.abs().max(high.abs())) * (width + 7.0);
            prop_assert!((found - exact).abs() <= 1e-14 * scale, "{found} {exact}");
        }
    }
}
