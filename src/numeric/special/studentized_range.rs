//! The studentised range: the range of `groups` independent standard normal means over an independent scale estimate
//! with `df` degrees of freedom (infinite for a known scale); Tukey's honestly significant difference.

use super::kernel::SQRT_TAU;
use super::{chi_scale, normal, quadrature, root, truncated_normal};

/// The distribution function P(Q ≤ q); 0 for q ≤ 0. NaN unless `groups` ≥ 2 and `df` > 0.
pub fn cdf(q: f64, groups: f64, df: f64) -> f64 {
    if !valid(q, groups, df) {
        return f64::NAN;
    }
    if q <= 0.0 {
        return 0.0;
    }
    if q.is_infinite() {
        return 1.0;
    }
    let value = chi_scale::expectation(df, 1.0, |s| range(q * s, groups, false).ln());
    if value > 0.5 {
        1.0 - upper(q, groups, df)
    } else {
        value
    }
}

/// The upper tail P(Q > q), accurate where it is small: the p-value of Tukey's test.
///
/// The range given the scale is one integral over the largest normal, the tail another over the scale; both integrands
/// are positive, smooth and unimodal, and both integrals adaptive Gauss–Legendre.
pub fn sf(q: f64, groups: f64, df: f64) -> f64 {
    if !valid(q, groups, df) {
        return f64::NAN;
    }
    if q <= 0.0 {
        return 1.0;
    }
    if q.is_infinite() {
        return 0.0;
    }
    let value = upper(q, groups, df);
    if value > 0.5 {
        1.0 - cdf(q, groups, df)
    } else {
        value
    }
}

/// The q with cdf(q) = p: the critical value of Tukey's test at level 1 − p.
pub fn quantile(p: f64, groups: f64, df: f64) -> f64 {
    if !((0.0..=1.0).contains(&p) && valid(1.0, groups, df)) {
        return f64::NAN;
    }
    if p <= 0.0 {
        return 0.0;
    }
    if p >= 1.0 {
        return f64::INFINITY;
    }
    if p <= 0.5 {
        let goal = p.ln();
        root::half_line(1.0, |q| cdf(q, groups, df).ln() - goal)
    } else {
        let goal = (1.0 - p).ln();
        root::half_line(3.0, |q| goal - sf(q, groups, df).ln())
    }
}

fn valid(q: f64, groups: f64, df: f64) -> bool {
    !q.is_nan() && groups >= 2.0 && groups.is_finite() && df > 0.0
}

fn upper(q: f64, groups: f64, df: f64) -> f64 {
    /// A range whose tail is well inside f64: there the search for the peak starts, which lies at or below s = 1.
    const REACHED: f64 = 15.0;
    chi_scale::expectation(df, (REACHED / q).min(1.0), |s| {
        range(q * s, groups, true).ln()
    })
}

/// P(range ≤ w) = k ∫ φ(z) [Φ(z) − Φ(z − w)]ᵏ⁻¹ dz over the largest value z, or its complement, in which the bracket is
/// replaced by Φ(z)ᵏ⁻¹ minus it.
fn range(w: f64, groups: f64, complement: bool) -> f64 {
    /// Beyond, the normal density vanishes in `f64`.
    const EDGE: f64 = 38.6;
    /// φ(9) is negligible against φ(0).
    const WIDE: f64 = 9.0;
    let others = groups - 1.0;
    if w <= 0.0 {
        return f64::from(complement);
    }
    let integrand = |z: f64| {
        let below = normal::cdf(z);
        let factor = if complement {
            // Φᵏ⁻¹ (1 − (1 − r)ᵏ⁻¹) with r = Φ(z − w)/Φ(z).
            let ratio = if below > 0.0 {
                (normal::cdf(z - w) / below).min(1.0)
            } else {
                0.0
            };
            -(others * (-ratio).ln_1p()).exp_m1() * (others * below.ln()).exp()
        } else {
            (others * truncated_normal::mass(z - w, z).ln()).exp()
        };
        (-0.5 * z * z).exp() * factor
    };
    // Far out the complement is carried by a largest value near w/2 and a smallest near −w/2; the largest of any
    // number of groups that fits in memory lies below 12.
    let (low, high) = if complement {
        (0.5 * w - WIDE, (0.5 * w + WIDE).min(EDGE))
    } else {
        (-WIDE, 12.0)
    };
    let cut = low + 0.5 * (high - low);
    groups / SQRT_TAU
        * (quadrature::adaptive(low, cut, integrand) + quadrature::adaptive(cut, high, integrand))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::numeric::special::student_t;

    #[test]
    fn two_groups_are_a_t_test() {
        // The range of two normals is √2 |z|, so Q/√2 is |t|.
        for df in [1.0, 4.0, 30.0, 1e6, f64::INFINITY] {
            for t in [0.01, 0.7, 2.0, 5.0, 12.0] {
                let q = t * std::f64::consts::SQRT_2;
                assert!(
                    (sf(q, 2.0, df) / student_t::two_sided(t, df) - 1.0).abs() < 1e-12,
                    "{t} {df}"
                );
            }
            assert!(
                (quantile(0.95, 2.0, df) / (student_t::quantile(0.975, df) * 2.0_f64.sqrt()) - 1.0)
                    .abs()
                    < 1e-12
            );
        }
    }

    #[test]
    fn limits_and_nonsense() {
        assert_eq!(cdf(0.0, 3.0, 5.0), 0.0);
        assert_eq!(sf(f64::INFINITY, 3.0, 5.0), 0.0);
        assert_eq!(quantile(1.0, 3.0, 5.0), f64::INFINITY);
        assert!((cdf(3.0, 4.0, 20.0) + sf(3.0, 4.0, 20.0) - 1.0).abs() < 1e-15);
        assert!(
            cdf(1.0, 1.0, 5.0).is_nan()
                && sf(1.0, 3.0, -1.0).is_nan()
                && quantile(1.5, 3.0, 5.0).is_nan()
        );
        assert!(cdf(f64::NAN, 3.0, 5.0).is_nan());
    }
}
