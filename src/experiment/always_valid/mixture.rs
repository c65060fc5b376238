//! Curves that a martingale rarely crosses at any time, by mixing over the alternative (the method of mixtures).

use crate::error::{Error, Result};
use crate::inference::multiplicity::check_alpha;
use crate::numeric::optimize::brent_root;
use crate::numeric::special::{beta, gamma, normal};
use serde::{Deserialize, Serialize};
use std::f64::consts::{LN_2, TAU};

/// Newton's steps at most; a handful is usual.
const MOST_STEPS: usize = 100;

/// A relative step after which the next, in its square, is below rounding.
const LAST_STEP: f64 = 1e-9;

/// The least shape ρ/c² of a gamma mixture: its integrals are numbers far beyond it.
const LEAST_SHAPE: f64 = 1e-150;

/// The least prior strength of a mixture of Bernoulli alternatives, as a share of the variance of one row.
const LEAST_STRENGTH: f64 = 1e-3;

/// The mixture `M(s, v) = ∫ exp{λs − ψ(λ)v} dF(λ)` of a process `S` with variance process `V` that starts at one and, under the null
/// hypothesis, is a supermartingale. By Ville's inequality it ever reaches `1/α` with probability at most α, so the curve
/// `u(v) = sup{s : M(s, v) < 1/α}` is crossed by `S` at any time with probability at most α.
///
/// | constructor | increments of S | F | `M(s, v)` |
/// |---|---|---|---|
/// | [`normal`](Self::normal) | sub-Gaussian, both sides | N(0, 1/ρ) | `√(ρ/(v+ρ)) exp{s²/(2(v+ρ))}` |
/// | [`one_sided_normal`](Self::one_sided_normal) | sub-Gaussian | half-normal | `2 √(ρ/(v+ρ)) exp{s²/(2(v+ρ))} Φ(s/√(v+ρ))` |
/// | [`gamma_exponential`](Self::gamma_exponential) | sub-exponential of scale c | truncated gamma | with `a = (v+ρ)/c²`, `r = ρ/c²`, `x = (cs+v+ρ)/c²`: `r^r Γ(a) P(a,x) e^{x−r} / {x^a Γ(r) P(r,r)}` |
/// | [`bernoulli`](Self::bernoulli) | indicators less their mean p | truncated beta | with N = np + s, n = v/(p(1−p)): `B_{1−p}(r/p + n − N, r/(1−p) + N) / {B_{1−p}(r/p, r/(1−p)) p^N (1−p)^{n−N}}` |
/// | [`two_sided_bernoulli`](Self::two_sided_bernoulli) | the same, both sides | beta | the same with B for `B_{1−p}` |
///
/// ρ says for which v the curve is low: [`best_rho`](Self::best_rho) makes it lowest at a planned v, and it stays within a tenth of the
/// lowest for a quarter to four times that.
///
/// # Errors
/// [`Error::InvalidOption`] for ρ, a scale or a planned v that is not positive, a ρ/c² that no number holds, for p outside (0, 1), and for α outside (0, 1).
///
/// # References
/// - Robbins, H. (1970). Statistical methods related to the law of the iterated logarithm. *Annals of Mathematical Statistics* 41(5),
///   1397–1409. doi:10.1214/aoms/1177696786
/// - Howard, S. R., Ramdas, A., McAuliffe, J. & Sekhon, J. (2021). Time-uniform, nonparametric, nonasymptotic confidence sequences. *Annals
///   of Statistics* 49(2), 1055–1080. doi:10.1214/20-AOS1991
///
/// # Examples
/// ```
/// use cocreate::prelude::*;
/// let rho = MixtureBoundary::best_rho(1_000.0, 0.05)?;
/// let curve = MixtureBoundary::normal(rho)?;
/// assert!((curve.threshold(1_000.0, 0.05)? - 95.981_735_84).abs() < 1e-8);
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct MixtureBoundary {
    family: Family,
    rho: f64,
    /// What of ln M does not depend on the data, where that is costly.
    constant: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
enum Family {
    Normal,
    OneSidedNormal,
    GammaExponential { scale: f64 },
    Bernoulli { p: f64 },
    TwoSidedBernoulli { p: f64 },
}

impl MixtureBoundary {
    /// Both sides of a sub-Gaussian process.
    ///
    /// # Errors
    /// See [`MixtureBoundary`].
    pub fn normal(rho: f64) -> Result<Self> {
        Self::of(Family::Normal, rho)
    }

    /// The upper side of a sub-Gaussian process.
    ///
    /// # Errors
    /// See [`MixtureBoundary`].
    pub fn one_sided_normal(rho: f64) -> Result<Self> {
        Self::of(Family::OneSidedNormal, rho)
    }

    /// The upper side of a sub-exponential process of this scale; values in an interval have its length as scale, when V is the sum of the
    /// squared errors of predicting them.
    ///
    /// # Errors
    /// See [`MixtureBoundary`].
    pub fn gamma_exponential(rho: f64, scale: f64) -> Result<Self> {
        positive("scale", scale)?;
        Self::of(Family::GammaExponential { scale }, rho)
    }

    /// The upper side of a count of events of probability p, less its mean; `v = n p(1 − p)`.
    ///
    /// # Errors
    /// See [`MixtureBoundary`].
    pub fn bernoulli(rho: f64, p: f64) -> Result<Self> {
        check_probability(p)?;
        Self::of(Family::Bernoulli { p }, rho)
    }

    /// Both sides of a count of events of probability p, less its mean.
    ///
    /// # Errors
    /// See [`MixtureBoundary`].
    pub fn two_sided_bernoulli(rho: f64, p: f64) -> Result<Self> {
        check_probability(p)?;
        Self::of(Family::TwoSidedBernoulli { p }, rho)
    }

    /// The count of events of n rows at which a mixture of Bernoulli alternatives on both sides is least: it is convex in the count.
    pub(super) fn least_count(&self, n: f64, p: f64) -> Result<f64> {
        let [a, b] = prior(self.rho, p);
        let slope = |count: f64| {
            gamma::digamma(b + count) - gamma::digamma(a + n - count) + (1.0 - p).ln() - p.ln()
        };
        if slope(0.0) >= 0.0 {
            return Ok(0.0);
        }
        if slope(n) <= 0.0 {
            return Ok(n);
        }
        Ok(brent_root(slope, 0.0, n, 0.0)?.point)
    }

    fn of(family: Family, rho: f64) -> Result<Self> {
        positive("rho", rho)?;
        let constant = match family {
            Family::Normal | Family::OneSidedNormal => 0.0,
            Family::GammaExponential { scale } => {
                let r = rho / (scale * scale);
                if !(r >= LEAST_SHAPE && r.is_finite()) {
                    return Err(Error::invalid_option(
                        "rho",
                        rho,
                        format!(
                            "in range of the squared scale, whose scale is {scale}: ρ/c² is {r}"
                        ),
                    ));
                }
                -log_gamma_below(r, r).0
            }
            Family::Bernoulli { p } => {
                let [a, b] = prior(rho, p);
                -log_beta_below(a, b, 1.0 - p)
            }
            Family::TwoSidedBernoulli { p } => {
                let [a, b] = prior(rho, p);
                -beta::ln_beta(a, b)
            }
        };
        Ok(Self {
            family,
            rho,
            constant,
        })
    }

    /// The ρ that makes the two-sided normal curve lowest at a planned v: `v / {2 ln(1/α) + ln(1 + 2 ln(1/α))}`, nearly so. A one-sided curve
    /// takes 2α in the place of α.
    ///
    /// # Errors
    /// See [`MixtureBoundary`].
    pub fn best_rho(planned: f64, alpha: f64) -> Result<f64> {
        positive("planned", planned)?;
        check_alpha(alpha)?;
        let twice = -2.0 * alpha.ln();
        Ok(planned / (twice + twice.ln_1p()))
    }

    /// ρ.
    pub fn rho(&self) -> f64 {
        self.rho
    }

    /// ln M(s, v): the logarithm of the evidence against the null hypothesis, an e-value at any time.
    pub fn log_value(&self, s: f64, v: f64) -> f64 {
        self.value_and_slope(s, v).0
    }

    /// ln M and, but for Bernoulli alternatives, its derivative by s.
    fn value_and_slope(&self, s: f64, v: f64) -> (f64, f64) {
        let (rho, total) = (self.rho, v + self.rho);
        let square = s * s / (2.0 * total);
        match self.family {
            Family::Normal => (0.5 * (rho / total).ln() + square, s / total),
            Family::OneSidedNormal => {
                let root = total.sqrt();
                let (tail, slope) = normal::ln_cdf_and_slope(s / root);
                // Below zero ln Φ(z) = ln φ(z) − ln(slope), so that the large z²/2 does not cancel.
                let log = if s > 0.0 {
                    square + tail
                } else {
                    -0.5 * TAU.ln() - slope.ln()
                };
                (
                    LN_2 + 0.5 * (rho / total).ln() + log,
                    s / total + slope / root,
                )
            }
            Family::GammaExponential { scale } => {
                let square = scale * scale;
                let (a, x) = (total / square, (scale * s + total) / square);
                if x <= 0.0 {
                    // Γ(a) P(a, x) e^x/x^a = ∫ exp{−aw + x(1 − e^{−w})} dw over w > 0 goes on below zero, where it is
                    // 1/(a − x) at least: the same at zero, and no more than the mixture, so that it stays an e-value.
                    let rest = (a - x).recip();
                    return (self.constant + rest.ln(), rest / scale);
                }
                let (value, slope) = log_gamma_below(a, x);
                (self.constant + value, slope / scale)
            }
            Family::Bernoulli { p } | Family::TwoSidedBernoulli { p } => {
                let q = 1.0 - p;
                let n = v / (p * q);
                let (ones, zeros) = ((n * p + s).max(0.0), (n * q - s).max(0.0));
                let [a, b] = prior(rho, p);
                let mixed = match self.family {
                    Family::TwoSidedBernoulli { .. } => beta::ln_beta(a + zeros, b + ones),
                    _ => log_beta_below(a + zeros, b + ones, q),
                };
                let value = mixed - ones * p.ln() - zeros * q.ln();
                (self.constant + value, f64::NAN)
            }
        }
    }

    /// The curve at v: where M reaches 1/α. For counts infinite when no count reaches it.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for α outside (0, 1) or v < 0; [`Error::NotConverged`] where rounding hides the curve.
    pub fn threshold(&self, v: f64, alpha: f64) -> Result<f64> {
        check_alpha(alpha)?;
        if !(v >= 0.0 && v.is_finite()) {
            return Err(Error::invalid_option(
                "v",
                v,
                "a sum of squares, zero or more",
            ));
        }
        let limit = -alpha.ln();
        let total = v + self.rho;
        let two_sided = (total * ((total / self.rho).ln() + 2.0 * limit)).sqrt();
        match self.family {
            Family::Normal => Ok(two_sided),
            Family::Bernoulli { p } | Family::TwoSidedBernoulli { p } => {
                let most = v / p;
                let above = |s: f64| self.log_value(s, v) - limit;
                if above(most) < 0.0 {
                    return Ok(f64::INFINITY);
                }
                Ok(brent_root(above, 0.0, most, 0.0)?.point)
            }
            _ => self.newton(two_sided, v, limit),
        }
    }

    /// ln M is convex in s, so that Newton's steps approach the root from above after the first.
    fn newton(&self, start: f64, v: f64, limit: f64) -> Result<f64> {
        let mut s = start;
        let mut step = f64::INFINITY;
        for _ in 0..MOST_STEPS {
            let (value, slope) = self.value_and_slope(s, v);
            step = (value - limit) / slope;
            s -= step;
            if step.abs() <= LAST_STEP * s {
                return Ok(s);
            }
        }
        Err(Error::NotConverged {
            what: "the boundary of a mixture".to_owned(),
            iterations: MOST_STEPS,
            criterion: step.abs() / s,
            tolerance: LAST_STEP,
            remedy: "plan for as many rows as there are, or for fewer".to_owned(),
        })
    }
}

/// `ln Γ(a) + ln P(a, x) − a ln x + x` and its derivative by x: the first through the gamma density where that does not underflow, so that large terms do not
/// cancel.
fn log_gamma_below(a: f64, x: f64) -> (f64, f64) {
    let density = gamma::pdf(a, x);
    let kernel = if x * density > f64::MIN_POSITIVE {
        -(x * density).ln()
    } else {
        gamma::ln_gamma(a) - a * x.ln() + x
    };
    let below = gamma::ln_lower_regularized(a, x);
    (kernel + below, 1.0 - a / x + density / below.exp())
}

/// The parameters of the beta distribution of alternatives, of probabilities of no event and of an event.
fn prior(rho: f64, p: f64) -> [f64; 2] {
    let unit = p * (1.0 - p);
    let strength = (rho - unit).max(LEAST_STRENGTH * unit);
    [strength / p, strength / (1.0 - p)]
}

/// The logarithm of the incomplete beta function, not regularised.
fn log_beta_below(a: f64, b: f64, x: f64) -> f64 {
    beta::ln_regularized(a, b, x) + beta::ln_beta(a, b)
}

/// # Errors
/// `InvalidOption` unless positive and finite.
pub(super) fn positive(option: &str, value: f64) -> Result<()> {
    if value > 0.0 && value.is_finite() {
        return Ok(());
    }
    Err(Error::invalid_option(option, value, "positive and finite"))
}

/// # Errors
/// `InvalidOption` unless inside (0, 1).
pub(super) fn check_probability(p: f64) -> Result<()> {
    if p > 0.0 && p < 1.0 {
        return Ok(());
    }
    Err(Error::invalid_option(
        "p",
        p,
        "between 0 and 1, e.g. 0.5 for the median",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_curve_is_where_the_evidence_reaches_its_limit(
            log_rho in -6.0_f64..18.0,
            log_scale in -5.0_f64..5.0,
            log_v in -8.0_f64..18.0,
            log_alpha in -40.0_f64..-0.02,
        ) {
            let [rho, scale, v, alpha] = [log_rho, log_scale, log_v, log_alpha].map(f64::exp);
            for curve in [
                MixtureBoundary::normal(rho),
                MixtureBoundary::one_sided_normal(rho),
                MixtureBoundary::gamma_exponential(rho, scale),
            ] {
                let curve = curve.unwrap();
                let s = curve.threshold(v, alpha).unwrap();
                let (value, slope) = curve.value_and_slope(s, v);
                // As near as the rounding of s and of the value allow.
                let room = 1e-9 * (1.0 - log_alpha) + 1e-12 * slope * s;
                prop_assert!((value + log_alpha).abs() < room, "{curve:?} {v} {alpha}: {s} {value}");
            }
        }
    }

    #[test]
    fn evidence_far_on_the_other_side_is_none() {
        // For z = s/√(v + ρ) → −∞: 2 √(ρ/(v + ρ)) e^{z²/2} Φ(z) ≈ 2 √(ρ/(v + ρ)) / (−z √(2π)).
        let curve = MixtureBoundary::one_sided_normal(100.0).unwrap();
        for z in [1e6_f64, 3.7e9, 1e12, 1e160] {
            let near = LN_2 + 0.5 * 0.1_f64.ln() - z.ln() - 0.5 * TAU.ln();
            let found = curve.log_value(-z * 1_000.0_f64.sqrt(), 900.0);
            assert!((found - near).abs() < 1e-9, "{z}: {found} {near}");
        }
    }

    #[test]
    fn evidence_goes_on_where_the_incomplete_gamma_function_ends() {
        // At s = −(v + ρ)/c; by the trapezoid rule of the integral on both sides of it.
        let (rho, v, c) = (2.5, 10.0, 0.5);
        let curve = MixtureBoundary::gamma_exponential(rho, c).unwrap();
        let edge = -(v + rho) / c;
        for step in [1e-9, 1e-3, 10.0] {
            let [a, x] = [(v + rho) / (c * c), -step / c];
            let integral: f64 = (0..200_000)
                .map(|i| (f64::from(i) + 0.5) * 1e-5)
                .map(|w| (-a * w - x * (-w).exp_m1()).exp() * 1e-5)
                .sum();
            let exact = curve.constant + integral.ln();
            let below = curve.log_value(edge - step, v);
            assert!(
                below <= exact + 1e-6 && below > exact - 0.02,
                "{below} {exact}"
            );
        }
        let [below, above] = [-1e-9, 1e-9].map(|step| curve.log_value(edge + step, v));
        assert!((below - above).abs() < 1e-8, "{below} {above}");
    }

    #[test]
    fn shapes_beyond_numbers_are_refused() {
        for (rho, scale) in [(1.0, 1e-200), (1.0, 1e200), (1e-300, 1e10)] {
            assert!(MixtureBoundary::gamma_exponential(rho, scale).is_err());
        }
    }

    #[test]
    fn evidence_beyond_the_range_of_densities_is_continuous() {
        // The gamma density underflows at ln M ≈ 700; the value goes on rising smoothly.
        let curve = MixtureBoundary::gamma_exponential(100.0, 1.0).unwrap();
        let values: Vec<f64> = (0..200)
            .map(|i| curve.log_value(1_000.0 + 10.0 * f64::from(i), 500.0))
            .collect();
        let slopes: Vec<f64> = values.windows(2).map(|w| w[1] - w[0]).collect();
        assert!(values[0] < 700.0 && values[199] > 900.0, "{values:?}");
        assert!(
            slopes.windows(2).all(|w| w[1] > w[0] && w[1] - w[0] < 0.1),
            "{slopes:?}"
        );
    }

    #[test]
    fn a_mixture_of_bernoulli_alternatives_is_a_martingale() {
        // The mean of the next value under the null is the value now; half-sided mixtures as well.
        for p in [0.1, 0.5, 0.9] {
            let curve = MixtureBoundary::bernoulli(20.0 * p * (1.0 - p), p).unwrap();
            for (n, ones) in [(0.0, 0.0), (10.0, 3.0), (200.0, 150.0)] {
                let at = |n: f64, ones: f64| curve.log_value(ones - n * p, n * p * (1.0 - p)).exp();
                let next = p * at(n + 1.0, ones + 1.0) + (1.0 - p) * at(n + 1.0, ones);
                assert!((next / at(n, ones) - 1.0).abs() < 1e-10, "{p} {n} {ones}");
            }
            let both = MixtureBoundary::two_sided_bernoulli(20.0 * p * (1.0 - p), p).unwrap();
            let at = |n: f64, ones: f64| both.log_value(ones - n * p, n * p * (1.0 - p));
            for (n, ones) in [(0.0, 0.0), (10.0, 3.0), (200.0, 150.0)] {
                let next = p * at(n + 1.0, ones + 1.0).exp() + (1.0 - p) * at(n + 1.0, ones).exp();
                assert!(
                    (next / at(n, ones).exp() - 1.0).abs() < 1e-10,
                    "{p} {n} {ones}"
                );
            }
            let least = both.least_count(200.0, p).unwrap();
            assert!(at(200.0, least) <= at(200.0, least - 0.1).min(at(200.0, least + 0.1)));
        }
    }
}
