//! Expectations over a standard normal draw without tables or allocation: the trapezoidal rule for smooth functions, and
//! piecewise Gauss–Legendre for functions with kinks.

use crate::numeric::special::normal;

/// Beyond this many standard deviations lies a mass of 2·10⁻¹⁷.
const REACH: f64 = 8.5;
/// The trapezoidal rule converges faster than any power on normal integrands; with this step the error of a function whose
/// nearest singularity is two units away is exp(−2π·2/0.5) ≈ 10⁻¹¹.
const STEP: f64 = 0.5;

/// Nodes `(x, weight)` of the trapezoidal rule for `E f(Z)`, where `f` is smooth on the scale `1/roughness` and its mass may be
/// tilted to either side by up to `tilt` standard deviations.
#[inline]
pub(super) fn nodes(roughness: f64, tilt: f64) -> impl Iterator<Item = (f64, f64)> {
    /// More nodes than this bring nothing that a double can show.
    const MOST: f64 = 4000.0;
    let reach = REACH + tilt.max(0.0);
    let wished = (2.0 * reach * (1.0 + roughness) / STEP).ceil();
    let intervals = if wished < MOST { wished } else { MOST };
    let step = 2.0 * reach / intervals;
    (0..=intervals as u32).map(move |k| {
        let x = step * f64::from(k) - reach;
        (x, step * normal::pdf(x))
    })
}

/// Where Gauss–Legendre pieces are looked for.
const PANELS: u32 = 16;
/// Bisections that shrink a panel to the last digits of a double.
const BISECTIONS: u32 = 48;

/// `E f(Z)` for a function that returns its value and the branch it took; panels are split where the branch changes.
pub(super) fn expectation(f: impl Fn(f64) -> (f64, bool)) -> f64 {
    let width = 2.0 * REACH / f64::from(PANELS);
    let mut total = 0.0;
    let (mut low, mut branch_low) = (-REACH, f(-REACH).1);
    for k in 1..=PANELS {
        let high = -REACH + width * f64::from(k);
        let branch_high = f(high).1;
        if branch_low == branch_high {
            total += panel(low, high, &f);
        } else {
            let kink = bisect(low, high, branch_low, &f);
            total += panel(low, kink, &f) + panel(kink, high, &f);
        }
        (low, branch_low) = (high, branch_high);
    }
    total
}

fn bisect(mut low: f64, mut high: f64, branch_low: bool, f: &impl Fn(f64) -> (f64, bool)) -> f64 {
    for _ in 0..BISECTIONS {
        let middle = 0.5 * (low + high);
        if f(middle).1 == branch_low {
            low = middle;
        } else {
            high = middle;
        }
    }
    0.5 * (low + high)
}

/// Positive nodes and weights of the 10-point Gauss–Legendre rule on [−1, 1] (Abramowitz & Stegun 25.4.30).
const LEGENDRE: [(f64, f64); 5] = [
    (0.148_874_338_981_631_22, 0.295_524_224_714_752_87),
    (0.433_395_394_129_247_2, 0.269_266_719_309_996_36),
    (0.679_409_568_299_024_4, 0.219_086_362_515_982_04),
    (0.865_063_366_688_984_5, 0.149_451_349_150_580_6),
    (0.973_906_528_517_171_7, 0.066_671_344_308_688_14),
];

fn panel(low: f64, high: f64, f: &impl Fn(f64) -> (f64, bool)) -> f64 {
    let (middle, half) = (0.5 * (low + high), 0.5 * (high - low));
    let at = |x: f64| normal::pdf(x) * f(x).0;
    LEGENDRE
        .iter()
        .map(|(x, weight)| weight * (at(middle - half * x) + at(middle + half * x)))
        .sum::<f64>()
        * half
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_rules_know_the_normal_moments() {
        let smooth: f64 = nodes(0.0, 0.0).map(|(x, w)| w * x * x).sum();
        assert!((smooth - 1.0).abs() < 1e-13, "{smooth}");
        let tilted: f64 = nodes(0.0, 3.0).map(|(x, w)| w * (-3.0 * x).exp()).sum();
        assert!((tilted / 4.5f64.exp() - 1.0).abs() < 1e-12, "{tilted}");
        let kinked = expectation(|z| ((z - 0.3).max(0.0), z > 0.3));
        let exact = normal::pdf(0.3) - 0.3 * normal::sf(0.3);
        assert!((kinked - exact).abs() < 1e-12, "{kinked} {exact}");
    }
}
