//! Adjusted p-values from the p-values alone.

use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use std::fmt;

/// How p-values are adjusted for their number `m`. With `p₍₁₎ ≤ … ≤ p₍ₘ₎` the adjusted value of the i-th smallest is
///
/// | variant | adjusted p-value | controls | under |
/// |---|---|---|---|
/// | `None` | `p₍ᵢ₎` | nothing | |
/// | `Bonferroni` | `m p₍ᵢ₎` | familywise error | any dependence |
/// | `Sidak` | `1 − (1 − p₍ᵢ₎)ᵐ` | familywise error | independence |
/// | `Holm` | `max_{j≤i} (m − j + 1) p₍ⱼ₎` | familywise error | any dependence |
/// | `Hochberg` | `min_{j≥i} (m − j + 1) p₍ⱼ₎` | familywise error | independence, positive dependence |
/// | `Hommel` | the closed test with Simes' inequality | familywise error | the same; never less powerful than Hochberg |
/// | `BenjaminiHochberg` | `min_{j≥i} m p₍ⱼ₎/j` | false discovery rate | the same |
/// | `BenjaminiYekutieli` | the same times `Σ 1/j` | false discovery rate | any dependence |
/// | `Storey` | BH times `π̂₀`, the q-value | positive false discovery rate | independence |
/// | `TwoStage` | BH times `(1 + α) m̂₀/m`, see below | false discovery rate | independence |
///
/// each at most 1. Storey's share of true hypotheses is `π̂₀(λ) = #{p ≥ λ}/(m (1 − λ))`, at most 1 and at least 1/m; without λ it is taken from .05, .10, …, .95 where
/// `#{p ≥ λ}/(m²(1 − λ)²) (1 − #{p ≥ λ}/m) + (π̂₀(λ) − q)²` is smallest, q the first decile of the π̂₀(λ) before they are cut at one. Two-stage BH runs BH at `α/(1 + α)`, estimates the number of true hypotheses `m̂₀` by those that stand, and
/// runs BH again at `α/(1 + α) · m/m̂₀`; its adjusted values hold for this α alone.
///
/// # References
/// - Holm (1979), *Scandinavian Journal of Statistics* 6(2), 65–70.
/// - Hochberg (1988), *Biometrika* 75(4), doi:10.1093/biomet/75.4.800; Hommel (1988), *Biometrika* 75(2),
///   doi:10.1093/biomet/75.2.383.
/// - Benjamini & Hochberg (1995), *JRSS B* 57(1), doi:10.1111/j.2517-6161.1995.tb02031.x.
/// - Benjamini & Yekutieli (2001), *Annals of Statistics* 29(4), doi:10.1214/aos/1013699998.
/// - Storey (2002), *JRSS B* 64(3), doi:10.1111/1467-9868.00346; Storey, Taylor & Siegmund (2004), *JRSS B* 66(1),
///   doi:10.1111/j.1467-9868.2004.00439.x.
/// - Benjamini, Krieger & Yekutieli (2006), *Biometrika* 93(3), definition 6, doi:10.1093/biomet/93.3.491.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Adjustment {
    /// As they are.
    None,
    /// Times their number.
    Bonferroni,
    /// Exact for independent tests.
    Sidak,
    /// Stepdown Bonferroni.
    Holm,
    /// Stepup Bonferroni.
    Hochberg,
    /// Closed Simes tests.
    Hommel,
    /// False discovery rate.
    BenjaminiHochberg,
    /// False discovery rate under any dependence.
    BenjaminiYekutieli,
    /// q-values.
    Storey {
        /// p-values above it are taken for true hypotheses, between 0 and 1; chosen by the data when there is none.
        lambda: Option<f64>,
    },
    /// Adaptive false discovery rate.
    TwoStage {
        /// The rate to be controlled, between 0 and 1.
        alpha: f64,
    },
}

impl fmt::Display for Adjustment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => write!(f, "no adjustment"),
            Self::Bonferroni => write!(f, "Bonferroni"),
            Self::Sidak => write!(f, "Šidák"),
            Self::Holm => write!(f, "Holm"),
            Self::Hochberg => write!(f, "Hochberg"),
            Self::Hommel => write!(f, "Hommel"),
            Self::BenjaminiHochberg => write!(f, "Benjamini–Hochberg"),
            Self::BenjaminiYekutieli => write!(f, "Benjamini–Yekutieli"),
            Self::Storey { lambda: None } => write!(f, "Storey's q-values"),
            Self::Storey {
                lambda: Some(lambda),
            } => write!(f, "Storey's q-values (λ = {lambda})"),
            Self::TwoStage { alpha } => write!(f, "two-stage Benjamini–Hochberg at {alpha}"),
        }
    }
}

/// Adjusted p-values in the order given (see [`Adjustment`]). Hommel's take time in the square of their number.
///
/// ```
/// use cocreate::prelude::*;
/// let adjusted = adjust_p_values(&[0.01, 0.02, 0.03, 0.5], Adjustment::Holm)?;
/// assert_eq!(adjusted, [0.04, 0.06, 0.06, 0.5]);
/// # Ok::<(), cocreate::Error>(())
/// ```
///
/// # Errors
/// [`Error::OutOfRange`] for a p-value that is missing or outside [0, 1], with its place; [`Error::InvalidOption`] for an α
/// outside (0, 1).
pub fn adjust_p_values(p: &[f64], adjustment: Adjustment) -> Result<Vec<f64>> {
    check_p_values(p)?;
    let count = p.len();
    let m = count as f64;
    let mut order: Vec<usize> = (0..count).collect();
    order.sort_by(|a, b| p[*a].total_cmp(&p[*b]));
    let sorted: Vec<f64> = order.iter().map(|i| p[*i]).collect();
    let left = |i: usize| (count - i) as f64; // m − j + 1 for the j-th smallest, j = i + 1
    let adjusted = match adjustment {
        Adjustment::None => sorted,
        Adjustment::Bonferroni => each(&sorted, |_, p| m * p),
        Adjustment::Sidak => each(&sorted, |_, p| -(m * (-p).ln_1p()).exp_m1()),
        Adjustment::Holm => running_max(each(&sorted, |i, p| left(i) * p)),
        Adjustment::Hochberg => running_min(each(&sorted, |i, p| left(i) * p)),
        Adjustment::Hommel => hommel(&sorted),
        Adjustment::BenjaminiHochberg => step_up(&sorted, 1.0),
        Adjustment::BenjaminiYekutieli => {
            step_up(&sorted, (1..=count).map(|j| 1.0 / j as f64).sum())
        }
        Adjustment::Storey { lambda } => step_up(&sorted, storey(&sorted, lambda)?),
        Adjustment::TwoStage { alpha } => two_stage(&sorted, alpha)?,
    };
    let mut out = vec![0.0; count];
    for (i, value) in order.into_iter().zip(adjusted) {
        out[i] = value.min(1.0);
    }
    Ok(out)
}

/// Refuses what is no p-value.
pub(super) fn check_p_values(p: &[f64]) -> Result<()> {
    let Some(at) = p.iter().position(|p| !(0.0..=1.0).contains(p)) else {
        return Ok(());
    };
    Err(Error::OutOfRange {
        column: "p-values".to_owned(),
        row: at + 1,
        value: p[at],
        expected: "between 0 and 1; leave out tests without a p-value".to_owned(),
    })
}

/// π̂₀, the share of true hypotheses.
fn storey(sorted: &[f64], lambda: Option<f64>) -> Result<f64> {
    let m = sorted.len() as f64;
    let above = |lambda: f64| sorted.iter().filter(|p| **p >= lambda).count() as f64;
    let share = |lambda: f64| above(lambda) / (m * (1.0 - lambda));
    if let Some(lambda) = lambda {
        if !(0.0..1.0).contains(&lambda) {
            return Err(Error::invalid_option("lambda", lambda, "from 0 to below 1"));
        }
        return Ok(share(lambda).clamp(1.0 / m.max(1.0), 1.0));
    }
    let lambdas = || (1..20).map(|i| f64::from(i) / 20.0);
    let mut shares: Vec<f64> = lambdas().map(share).collect();
    shares.sort_by(f64::total_cmp);
    // The first decile by linear interpolation: 0.1 × 18 of the way from the first of 19.
    let low = shares[1] + 0.8 * (shares[2] - shares[1]);
    let loss = |lambda: f64| {
        let w = above(lambda);
        w / (m * (1.0 - lambda)).powi(2) * (1.0 - w / m) + (share(lambda) - low).powi(2)
    };
    let best = lambdas().fold(0.05, |best, l| if loss(l) < loss(best) { l } else { best });
    Ok(share(best).clamp(1.0 / m.max(1.0), 1.0))
}

fn each(sorted: &[f64], f: impl Fn(usize, f64) -> f64) -> Vec<f64> {
    sorted.iter().enumerate().map(|(i, p)| f(i, *p)).collect()
}

/// `max_{j≤i}`.
pub(super) fn running_max(mut values: Vec<f64>) -> Vec<f64> {
    for i in 1..values.len() {
        values[i] = values[i].max(values[i - 1]);
    }
    values
}

/// `min_{j≥i}`.
fn running_min(mut values: Vec<f64>) -> Vec<f64> {
    for i in (1..values.len()).rev() {
        values[i - 1] = values[i - 1].min(values[i]);
    }
    values
}

/// `min_{j≥i} factor · m/j · p₍ⱼ₎`.
fn step_up(sorted: &[f64], factor: f64) -> Vec<f64> {
    let m = sorted.len() as f64;
    running_min(each(sorted, |i, p| factor * m / (i + 1) as f64 * p))
}

/// The closed test: a hypothesis stands unless every set that contains it is rejected by Simes' test. The hardest set of k
/// hypotheses with `p` is `p` with the k − 1 largest, so the adjusted value is `max_k min(C_k, k p)` with Simes' p-value
/// `C_k = min_j k p₍ₘ₋ₖ₊ⱼ₎/j` of the k largest; those among the k largest have `k p ≥ C_k` of themselves.
fn hommel(sorted: &[f64]) -> Vec<f64> {
    let m = sorted.len();
    let simes: Vec<f64> = (1..=m)
        .map(|k| {
            let largest = sorted[m - k..].iter().enumerate();
            largest
                .map(|(j, p)| k as f64 * p / (j + 1) as f64)
                .fold(f64::INFINITY, f64::min)
        })
        .collect();
    each(sorted, |_, p| {
        let sets = simes.iter().enumerate();
        sets.map(|(k, c)| c.min((k + 1) as f64 * p))
            .fold(0.0, f64::max)
    })
}

/// Definition 6 of Benjamini, Krieger & Yekutieli (2006).
fn two_stage(sorted: &[f64], alpha: f64) -> Result<Vec<f64>> {
    if !(alpha > 0.0 && alpha < 1.0) {
        return Err(Error::invalid_option(
            "alpha",
            alpha,
            "between 0 and 1, e.g. 0.05",
        ));
    }
    let mut adjusted = step_up(sorted, 1.0);
    let first = alpha / (1.0 + alpha);
    let rejected = adjusted.iter().filter(|p| **p <= first).count();
    let m = sorted.len();
    // With everything rejected, or nothing, there is no second stage.
    let standing = if rejected == m { m } else { m - rejected };
    for p in &mut adjusted {
        *p = p.min(1.0) * (standing as f64 / m as f64) * (1.0 + alpha);
    }
    Ok(adjusted)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Adjustment; 10] = [
        Adjustment::Storey { lambda: None },
        Adjustment::None,
        Adjustment::Bonferroni,
        Adjustment::Sidak,
        Adjustment::Holm,
        Adjustment::Hochberg,
        Adjustment::Hommel,
        Adjustment::BenjaminiHochberg,
        Adjustment::BenjaminiYekutieli,
        Adjustment::TwoStage { alpha: 0.1 },
    ];

    #[test]
    fn what_is_not_a_p_value_is_refused() {
        for bad in [f64::NAN, -1e-9, 1.0 + 1e-9, f64::INFINITY] {
            for adjustment in ALL {
                let error = adjust_p_values(&[0.1, bad], adjustment).unwrap_err();
                assert!(matches!(error, Error::OutOfRange { row: 2, .. }), "{error}");
            }
        }
        assert!(adjust_p_values(&[0.1], Adjustment::TwoStage { alpha: 1.0 }).is_err());
        for adjustment in ALL {
            assert!(adjust_p_values(&[], adjustment).unwrap().is_empty());
        }
    }

    #[test]
    fn hommel_is_the_closed_test() {
        // All subsets, by brute force.
        let p = [0.012, 0.4, 0.03, 0.021, 0.8, 0.011];
        let ours = adjust_p_values(&p, Adjustment::Hommel).unwrap();
        for (i, ours) in ours.iter().enumerate() {
            let worst = (1_usize..1 << p.len())
                .filter(|set| set >> i & 1 == 1)
                .map(|set| {
                    let mut members: Vec<f64> = (0..p.len())
                        .filter(|j| set >> j & 1 == 1)
                        .map(|j| p[j])
                        .collect();
                    members.sort_by(f64::total_cmp);
                    let k = members.len() as f64;
                    members
                        .iter()
                        .enumerate()
                        .map(|(j, p)| k * p / (j + 1) as f64)
                        .fold(1.0, f64::min)
                })
                .fold(0.0, f64::max);
            assert!((ours - worst).abs() < 1e-15, "{i}: {ours} {worst}");
        }
    }

    /// The fifteen p-values of Benjamini & Hochberg (1995); q-values by a transcription of the definition in numpy 2.4.6.
    #[test]
    fn storeys_q_values() {
        let p = [
            0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262,
            0.5719, 0.6528, 0.7590, 1.0,
        ];
        let expected = [
            0.000_631_58,
            0.001_263_16,
            0.004,
            0.015,
            0.025_389_47,
            0.026_887_22,
            0.026_887_22,
            0.027_157_89,
            0.032_210_53,
            0.204_631_58,
            0.244_708_13,
            0.301,
            0.317_149_8,
            0.342_406_02,
            0.421_052_63,
        ];
        let found = adjust_p_values(&p, Adjustment::Storey { lambda: None }).unwrap();
        for (ours, theirs) in found.iter().zip(expected) {
            assert!((ours - theirs).abs() < 5e-9, "{ours} {theirs}");
        }
        // Four of fifteen lie above one half: π̂₀ = 8/15.
        let half = adjust_p_values(&p, Adjustment::Storey { lambda: Some(0.5) }).unwrap();
        let bh = adjust_p_values(&p, Adjustment::BenjaminiHochberg).unwrap();
        for (q, b) in half.iter().zip(bh) {
            assert!((q - b * 8.0 / 15.0).abs() < 1e-12);
        }
        let none =
            adjust_p_values(&[0.001, 0.002], Adjustment::Storey { lambda: Some(0.5) }).unwrap();
        assert_eq!(none, [0.001, 0.001]);
        assert!(adjust_p_values(&p, Adjustment::Storey { lambda: Some(1.0) }).is_err());
    }

    proptest::proptest! {
        #[test]
        fn adjusted_values_keep_the_order_and_do_not_depend_on_it(
            p in proptest::collection::vec(0.0..1.0_f64, 1..20),
            shift in 0_usize..20,
        ) {
            for adjustment in ALL {
                let adjusted = adjust_p_values(&p, adjustment).unwrap();
                for i in 0..p.len() {
                    let smaller = matches!(adjustment, Adjustment::TwoStage { .. } | Adjustment::Storey { .. });
                    proptest::prop_assert!(smaller || adjusted[i] >= p[i] * (1.0 - 1e-12));
                    proptest::prop_assert!((0.0..=1.0).contains(&adjusted[i]));
                    for j in 0..p.len() {
                        proptest::prop_assert!(p[i] > p[j] || adjusted[i] <= adjusted[j]);
                    }
                }
                let mut turned = p.clone();
                turned.rotate_left(shift % p.len());
                let mut expected = adjusted.clone();
                expected.rotate_left(shift % p.len());
                proptest::prop_assert_eq!(adjust_p_values(&turned, adjustment).unwrap(), expected);
            }
        }
    }
}
