//! Fieller's confidence set for a ratio of two coefficients.

use super::records::{ConfidenceSet, Segment, check_level};
use super::verbs::Inference;
use crate::error::{Error, Result};
use crate::numeric::special::student_t;

/// Fieller's set for `numerator / denominator`: all ratios ρ that the test of `b_n − ρ b_d = 0` does not reject,
/// `(b_n − ρ b_d)² ≤ t² (V_nn − 2ρ V_nd + ρ² V_dd)`. When the denominator is not clearly different from zero the set is the
/// complement of an interval or the whole line, which the delta method hides.
///
/// ```
/// use cocreate::prelude::*;
/// let frame = datasets::load("card")?;
/// let fit = Ols::new("lwage ~ educ + exper").fit(&frame)?;
/// let set = fieller(&fit, "educ", "exper", 0.95)?;
/// assert!(set.is_bounded());
/// # Ok::<(), cocreate::Error>(())
/// ```
///
/// # Errors
/// [`Error::UnknownCoefficient`]; [`Error::InvalidOption`] for a level outside (0, 1) or twice the same coefficient.
///
/// # References
/// Fieller, E. C. (1954). Some problems in interval estimation. *JRSS B* 16(2), 175–185.
pub fn fieller(
    fit: &impl Inference,
    numerator: &str,
    denominator: &str,
    level: f64,
) -> Result<ConfidenceSet> {
    check_level(level)?;
    let (n, d) = (fit.position(numerator)?, fit.position(denominator)?);
    if n == d {
        return Err(Error::invalid_option(
            "denominator",
            denominator,
            "another coefficient than the numerator",
        ));
    }
    let (b, v) = (fit.estimates(), fit.covariance());
    let mut contrast = nalgebra::DVector::zeros(b.len());
    contrast[n] = 1.0;
    contrast[d] = -b[n] / b[d];
    let df = if contrast[d].is_finite() {
        fit.degrees_of_freedom(&contrast)
    } else {
        f64::INFINITY
    };
    let t = student_t::quantile(0.5 + level / 2.0, df);
    let t2 = t * t;
    // a ρ² − 2 h ρ + c ≤ 0
    let a = b[d] * b[d] - t2 * v[(d, d)];
    let h = b[n] * b[d] - t2 * v[(n, d)];
    let c = b[n] * b[n] - t2 * v[(n, n)];
    let mut segments = quadratic_set(a, h, c);
    if segments.is_empty() {
        // The estimate itself is never rejected: a set without points is the rounding of a double root.
        segments.push(Segment {
            lower: b[n] / b[d],
            upper: b[n] / b[d],
        });
    }
    Ok(ConfidenceSet {
        name: format!("{numerator}/{denominator}"),
        level,
        segments,
    })
}

/// The set `{x : a x² − 2 h x + c ≤ 0}`.
pub(crate) fn quadratic_set(a: f64, h: f64, c: f64) -> Vec<Segment> {
    let (below, above) = (f64::NEG_INFINITY, f64::INFINITY);
    let discriminant = h * h - a * c;
    if a.abs() <= f64::EPSILON * h.abs().max(c.abs()) {
        // Linear: −2 h x + c ≤ 0.
        return match (h > 0.0, h < 0.0) {
            (true, _) => vec![Segment {
                lower: c / (2.0 * h),
                upper: above,
            }],
            (_, true) => vec![Segment {
                lower: below,
                upper: c / (2.0 * h),
            }],
            _ if c <= 0.0 => vec![Segment {
                lower: below,
                upper: above,
            }],
            _ => vec![],
        };
    }
    if discriminant < 0.0 {
        return if a > 0.0 {
            vec![]
        } else {
            vec![Segment {
                lower: below,
                upper: above,
            }]
        };
    }
    // The root of larger magnitude first, the other from the product of the roots, so that neither cancels.
    let q = h + h.signum() * discriminant.sqrt();
    let (x, y) = if q.abs() > 0.0 {
        (q / a, c / q)
    } else {
        (0.0, 0.0)
    };
    let (low, high) = (x.min(y), x.max(y));
    if a > 0.0 {
        vec![Segment {
            lower: low,
            upper: high,
        }]
    } else {
        vec![
            Segment {
                lower: below,
                upper: low,
            },
            Segment {
                lower: high,
                upper: above,
            },
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_four_shapes() {
        let ends = |a, h, c| -> Vec<(f64, f64)> {
            quadratic_set(a, h, c)
                .iter()
                .map(|s| (s.lower, s.upper))
                .collect()
        };
        assert_eq!(ends(1.0, 1.5, 2.0), vec![(1.0, 2.0)]);
        assert_eq!(
            ends(-1.0, -1.5, -2.0),
            vec![(f64::NEG_INFINITY, 1.0), (2.0, f64::INFINITY)]
        );
        assert_eq!(ends(1.0, 0.0, 1.0), vec![]);
        assert_eq!(
            ends(-1.0, 0.0, -1.0),
            vec![(f64::NEG_INFINITY, f64::INFINITY)]
        );
        assert_eq!(ends(0.0, 1.0, 4.0), vec![(2.0, f64::INFINITY)]);
        assert_eq!(ends(0.0, -1.0, 4.0), vec![(f64::NEG_INFINITY, -2.0)]);
    }
}
