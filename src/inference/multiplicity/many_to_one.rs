//! The distribution of the largest of several t statistics that share a control group.

use super::Alternative;
use crate::error::{Error, Result};
use crate::numeric::optimize::{bracket_root, brent_root};
use crate::numeric::quadrature::gauss_legendre;
use crate::numeric::special::{chi_squared, normal};

/// Panels over the shared normal and over the scale, which needs more: with one degree of freedom and a large statistic only a small
/// scale counts. A t test, whose tail is known, is met to 1e-12.
const SHARED_PANELS: usize = 8;
const SCALE_PANELS: usize = 24;

/// Nodes of a panel.
const NODES: usize = 16;

/// Beyond this the normal density is below 1e-17 of its peak.
const EDGE: f64 = 8.6;

/// Probability left out at either end of the distribution of the scale.
const TAIL: f64 = 1e-15;

/// Many-to-one comparisons: `T_i = (λ_i Z₀ + √(1 − λ_i²) Z_i)/S` with independent standard normals `Z` and
/// `S² ~ χ²(df)/df`. With group sizes `n_i` and control size `n₀`, `λ_i² = n_i/(n_i + n₀)`; equal sizes have correlation ½.
///
/// ```
/// use cocreate::inference::multiplicity::{Alternative, ManyToOne};
/// let three = ManyToOne::new(20.0, &[10.0, 10.0, 10.0], 10.0)?;
/// let critical = three.critical_value(0.95, Alternative::TwoSided)?;
/// assert!((critical - 2.54035).abs() < 1e-5); // Dunnett's table
/// # Ok::<(), cocreate::Error>(())
/// ```
///
/// # References
/// Dunnett (1955), *JASA* 50(272), doi:10.2307/2281208.
#[derive(Clone, Debug, PartialEq)]
pub struct ManyToOne {
    loadings: Vec<f64>,
    /// Nodes and weights over the common normal; the density is in the weights.
    shared: Vec<(f64, f64)>,
    /// Nodes and weights over the scale.
    scale: Vec<(f64, f64)>,
}

impl ManyToOne {
    /// For treatment groups of these sizes, a control group, and the degrees of freedom of the variance (infinite when it is
    /// known).
    ///
    /// # Errors
    /// [`Error::InvalidOption`] without groups, for sizes that are not positive, or degrees of freedom that are not.
    pub fn new(df: f64, sizes: &[f64], control: f64) -> Result<Self> {
        let positive = |v: f64| v > 0.0 && v.is_finite();
        if sizes.is_empty() || !positive(control) || !sizes.iter().all(|n| positive(*n)) {
            return Err(Error::invalid_option(
                "group sizes",
                format!("{sizes:?} and a control of {control}"),
                "at least one treatment group, all sizes positive",
            ));
        }
        if df.is_nan() || df <= 0.0 {
            return Err(Error::invalid_option("degrees of freedom", df, "positive"));
        }
        let shared = nodes(-EDGE, EDGE, SHARED_PANELS, normal::pdf)?;
        let scale = if df.is_infinite() {
            vec![(1.0, 1.0)]
        } else {
            let low = (chi_squared::quantile(TAIL, df) / df).sqrt();
            let high = (chi_squared::upper_quantile(TAIL, df) / df).sqrt();
            nodes(low, high, SCALE_PANELS, |s| {
                chi_squared::pdf(df * s * s, df) * 2.0 * df * s
            })?
        };
        Ok(Self {
            loadings: sizes.iter().map(|n| (n / (n + control)).sqrt()).collect(),
            shared,
            scale,
        })
    }

    /// P(at least one of the statistics is as extreme as `statistic`): the p-value adjusted for the number of comparisons. For
    /// [`Alternative::Less`] as extreme is as small.
    pub fn p_value(&self, statistic: f64, alternative: Alternative) -> f64 {
        let c = alternative.extremeness(statistic);
        let mut total = 0.0;
        for (s, weight) in &self.scale {
            let given: f64 = self
                .shared
                .iter()
                .map(|(z, w)| {
                    let none: f64 = self
                        .loadings
                        .iter()
                        .map(|l| (-exceed(c * s, *l, *z, alternative)).ln_1p())
                        .sum();
                    -w * none.exp_m1()
                })
                .sum();
            total += weight * given;
        }
        total.clamp(0.0, 1.0)
    }

    /// The value that the most extreme of the statistics exceeds with probability `1 − level`. For [`Alternative::Less`] it is the
    /// negative of the value that statistics fall below.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for a level outside (0, 1).
    pub fn critical_value(&self, level: f64, alternative: Alternative) -> Result<f64> {
        crate::inference::records::check_level(level)?;
        let side = match alternative {
            Alternative::TwoSided => Alternative::TwoSided,
            Alternative::Greater | Alternative::Less => Alternative::Greater, // symmetric
        };
        let gap = |c: f64| (self.p_value(c, side) / (1.0 - level)).ln();
        let ends = bracket_root(gap, 1.0, 3.0)?;
        Ok(brent_root(gap, ends.low, ends.high, 0.0)?.point)
    }
}

/// P(the statistic of one group is beyond `c` given the shared normal `z`), the scale multiplied in.
fn exceed(c: f64, loading: f64, z: f64, alternative: Alternative) -> f64 {
    let own = (1.0 - loading * loading).sqrt();
    let above = normal::sf((c - loading * z) / own);
    match alternative {
        Alternative::TwoSided if c <= 0.0 => 1.0,
        Alternative::TwoSided => above + normal::cdf((-c - loading * z) / own),
        Alternative::Greater | Alternative::Less => above,
    }
}

/// Composite Gauss–Legendre with a density multiplied into the weights.
fn nodes(
    low: f64,
    high: f64,
    panels: usize,
    density: impl Fn(f64) -> f64,
) -> Result<Vec<(f64, f64)>> {
    let width = (high - low) / panels as f64;
    let mut out = Vec::with_capacity(panels * NODES);
    for panel in 0..panels {
        let from = low + width * panel as f64;
        let rule = gauss_legendre(NODES, from, from + width)?;
        out.extend(
            rule.nodes()
                .iter()
                .zip(rule.weights())
                .map(|(x, w)| (*x, w * density(*x))),
        );
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::numeric::special::student_t;

    #[test]
    fn one_comparison_is_a_t_test() {
        for df in [1.0, 3.0, 20.0, 500.0, f64::INFINITY] {
            let one = ManyToOne::new(df, &[7.0], 12.0).unwrap();
            for t in [0.1, 1.0, 2.5, 6.0] {
                let p = one.p_value(-t, Alternative::TwoSided);
                assert!((p - student_t::two_sided(t, df)).abs() < 1e-12, "{df} {t}");
                let p = one.p_value(t, Alternative::Greater);
                assert!((p - student_t::sf(t, df)).abs() < 1e-12, "{df} {t}");
                let p = one.p_value(t, Alternative::Less);
                assert!((p - student_t::cdf(t, df)).abs() < 1e-12, "{df} {t}");
            }
            let c = one.critical_value(0.95, Alternative::TwoSided).unwrap();
            assert!(
                (c / student_t::quantile(0.975, df) - 1.0).abs() < 1e-10,
                "{df}"
            );
        }
    }

    #[test]
    fn a_huge_control_makes_comparisons_independent() {
        let free = ManyToOne::new(f64::INFINITY, &[1.0; 4], 1e14).unwrap();
        let p = free.p_value(2.3, Alternative::TwoSided);
        let want = 1.0 - (1.0 - normal::sf(2.3) * 2.0).powi(4);
        assert!((p - want).abs() < 1e-7, "{p} {want}");
    }

    #[test]
    fn nonsense_is_refused() {
        assert!(ManyToOne::new(10.0, &[], 5.0).is_err());
        assert!(ManyToOne::new(10.0, &[0.0], 5.0).is_err());
        assert!(ManyToOne::new(0.0, &[1.0], 5.0).is_err());
        let fine = ManyToOne::new(10.0, &[1.0], 5.0).unwrap();
        assert!(fine.critical_value(1.0, Alternative::TwoSided).is_err());
    }
}
