//! Expectations over a standard normal draw without tables or allocation: the trapezoidal rule for smooth functions, and
//! piecewise Gauss–Legendre for functions with kinks.

use crate::numeric::special::normal;

/// Beyond this many standard deviations lies a mass of 2·10⁻¹⁷.
const REACH: f64 = 8.5;
/// The trapezoidal rule converges faster than any power on normal integrands; with this step the error of a function whose
/// nearest singularity is two units away is exp(−2π·2/0.5) ≈ 10⁻¹¹.
const STEP: f64 = 0.5;

/// Nodes `(x, step)` of the trapezoidal rule `E f(Z) ≈ Σ step φ(x) f(x)`, where `f` is smooth on the scale `1/roughness` and the
/// mass of `φ f` lies between `low` and `high`, each with [`REACH`] added.
#[inline]
pub(super) fn nodes(low: f64, high: f64, roughness: f64) -> impl Iterator<Item = (f64, f64)> {
    /// More nodes than this bring nothing that a double can show.
    const MOST: f64 = 4000.0;
    let (low, high) = (low - REACH, high + REACH);
    let wished = ((high - low) * (1.0 + roughness) / STEP).ceil();
    let intervals = if wished < MOST { wished } else { MOST };
    let step = (high - low) / intervals;
    (0..=intervals as u32).map(move |k| (low + step * f64::from(k), step))
}

/// Width of the Gauss–Legendre pieces, in standard deviations: ten nodes on it are exact to about 10⁻¹³ for normal integrands.
const PANEL: f64 = 1.1;
/// Bisections that shrink a panel to the last digits of a double.
const BISECTIONS: u32 = 48;

/// `E f(Z)` for a function that returns its value and the branch it took; pieces are split where the branch changes.
pub(super) fn expectation(f: impl Fn(f64) -> (f64, bool)) -> f64 {
    let mut total = 0.0;
    pieces(
        0.0,
        |x| f(x).1,
        |x, width| total += width * normal::pdf(x) * f(x).0,
    );
    total
}

/// Calls `visit` with the nodes and weights (without φ) of a piecewise Gauss–Legendre rule for `E f(Z)`, the pieces split where
/// `branch` changes; the mass may be tilted to either side by up to `tilt` standard deviations.
pub(crate) fn pieces(tilt: f64, branch: impl Fn(f64) -> bool, mut visit: impl FnMut(f64, f64)) {
    /// More pieces than this bring nothing that a double can show.
    const MOST: f64 = 400.0;
    let reach = REACH + tilt.max(0.0);
    let wished = (2.0 * reach / PANEL).ceil();
    let panels = if wished < MOST { wished } else { MOST };
    let width = 2.0 * reach / panels;
    let (mut low, mut branch_low) = (-reach, branch(-reach));
    for k in 1..=panels as u32 {
        let high = width * f64::from(k) - reach;
        let branch_high = branch(high);
        if branch_low == branch_high {
            panel(low, high, &mut visit);
        } else {
            let kink = bisect(low, high, branch_low, &branch);
            panel(low, kink, &mut visit);
            panel(kink, high, &mut visit);
        }
        (low, branch_low) = (high, branch_high);
    }
}

fn bisect(mut low: f64, mut high: f64, branch_low: bool, branch: &impl Fn(f64) -> bool) -> f64 {
    for _ in 0..BISECTIONS {
        let middle = 0.5 * (low + high);
        if branch(middle) == branch_low {
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

fn panel(low: f64, high: f64, visit: &mut impl FnMut(f64, f64)) {
    let (middle, half) = (0.5 * (low + high), 0.5 * (high - low));
    for (node, weight) in LEGENDRE {
        for x in [middle - half * node, middle + half * node] {
            visit(x, half * weight);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_rules_know_the_normal_moments() {
        let smooth: f64 = nodes(0.0, 0.0, 0.0)
            .map(|(x, step)| step * normal::pdf(x) * x * x)
            .sum();
        assert!((smooth - 1.0).abs() < 1e-13, "{smooth}");
        let tilted: f64 = nodes(-3.0, 0.0, 0.0)
            .map(|(x, step)| step * normal::pdf(x) * (-3.0 * x).exp())
            .sum();
        assert!((tilted / 4.5f64.exp() - 1.0).abs() < 1e-12, "{tilted}");
        let kinked = expectation(|z| ((z - 0.3).max(0.0), z > 0.3));
        let exact = normal::pdf(0.3) - 0.3 * normal::sf(0.3);
        assert!((kinked - exact).abs() < 1e-12, "{kinked} {exact}");
    }
}
