//! Gauss–Legendre quadrature of smooth positive integrands, the fallback where no series converges fast.

/// Non-negative nodes and weights of the 20-point Gauss–Legendre rule on [−1, 1] (computed with 40 digits).
const NODES: [(f64, f64); 10] = [
    (0.076_526_521_133_497_32, 0.152_753_387_130_725_84),
    (0.227_785_851_141_645_07, 0.149_172_986_472_603_74),
    (0.373_706_088_715_419_55, 0.142_096_109_318_382_04),
    (0.510_867_001_950_827_1, 0.131_688_638_449_176_64),
    (0.636_053_680_726_515, 0.118_194_531_961_518_43),
    (0.746_331_906_460_150_8, 0.101_930_119_817_240_44),
    (0.839_116_971_822_218_8, 0.083_276_741_576_704_75),
    (0.912_234_428_251_326, 0.062_672_048_334_109_05),
    (0.963_971_927_277_913_8, 0.040_601_429_800_386_94),
    (0.993_128_599_185_094_9, 0.017_614_007_139_152_118),
];

/// An exponent this far below its maximum contributes nothing to a double: e⁻⁴⁰ < 2⁻⁵⁷.
pub(super) const NEGLIGIBLE: f64 = 40.0;

/// Two estimates that agree to this relative error are equal for our purpose (the finer one is far better still).
const AGREEMENT: f64 = 1e-12;

/// Below this relative error a panel whose halves do not agree much better has no error but rounding: in a far tail the integrand is the exponential
/// of a large number.
const ROUNDING: f64 = 1e-7;

/// Halvings of an interval before an adaptive integral gives up refining it.
const DEPTH: u32 = 30;

/// One 20-point rule on `[from, to]`.
pub(super) fn panel(from: f64, to: f64, mut integrand: impl FnMut(f64) -> f64) -> f64 {
    let (half, middle) = (0.5 * (to - from), 0.5 * (to + from));
    let sum: f64 = NODES
        .iter()
        .map(|&(node, weight)| {
            weight * (integrand(middle - half * node) + integrand(middle + half * node))
        })
        .sum();
    half * sum
}

/// `count` equal panels on `[from, to]`.
pub(super) fn panels(
    from: f64,
    to: f64,
    count: usize,
    mut integrand: impl FnMut(f64) -> f64,
) -> f64 {
    let width = (to - from) / count as f64;
    (0..count)
        .map(|i| {
            let start = from + width * i as f64;
            panel(start, start + width, &mut integrand)
        })
        .sum()
}

/// Adaptive integral of a non-negative integrand: a panel is halved until it agrees with its halves relative to the
/// whole integral.
pub(super) fn adaptive(from: f64, to: f64, mut integrand: impl FnMut(f64) -> f64) -> f64 {
    if to <= from {
        return 0.0;
    }
    let whole = panel(from, to, &mut integrand);
    let mut pending = vec![(from, to, whole, f64::INFINITY, DEPTH)];
    let (mut done, mut estimate) = (0.0, whole);
    while let Some((from, to, coarse, before, depth)) = pending.pop() {
        let middle = 0.5 * (from + to);
        let left = panel(from, middle, &mut integrand);
        let right = panel(middle, to, &mut integrand);
        estimate += left + right - coarse;
        let difference = (left + right - coarse).abs();
        // Written so that NaN ends the refinement.
        let differs = difference > AGREEMENT * estimate.abs();
        let rounded = difference < ROUNDING * estimate.abs() && difference > 0.1 * before;
        if !differs || rounded || depth == 0 {
            done += left + right;
        } else {
            pending.push((from, middle, left, difference, depth - 1));
            pending.push((middle, to, right, difference, depth - 1));
        }
    }
    done
}

/// ∫ exp(`exponent`) around the maximum of a unimodal exponent, searched from `start` in steps that begin with
/// `scale`; nothing below `lowest` counts, where the exponent must be −∞. Returns the maximum and the integral of exp(exponent − maximum) (0 when the exponent is −∞ everywhere).
pub(super) fn integrate_peak(
    start: f64,
    scale: f64,
    lowest: f64,
    mut exponent: impl FnMut(f64) -> f64,
) -> (f64, f64) {
    let (mode, top) = climb(start, scale, &mut exponent);
    if top.is_nan() {
        return (0.0, f64::NAN);
    }
    if top.is_infinite() && top < 0.0 {
        return (0.0, 0.0);
    }
    let mut edge = |sign: f64| {
        let mut reach = scale;
        while exponent(mode + sign * reach) > top - NEGLIGIBLE {
            reach *= 1.5;
        }
        // The first reach may be far too long for a narrow peak.
        let mut shorter = 0.5 * reach;
        while shorter > f64::EPSILON * (1.0 + mode.abs())
            && exponent(mode + sign * shorter) < top - NEGLIGIBLE
        {
            reach = shorter;
            shorter *= 0.5;
        }
        mode + sign * reach
    };
    let (from, to) = (edge(-1.0).max(lowest), edge(1.0));
    let mut integrand = |w: f64| (exponent(w) - top).exp();
    let area = adaptive(from, mode, &mut integrand) + adaptive(mode, to, &mut integrand);
    (top, area)
}

/// The rough maximum of a unimodal function: steps grow by two while the function rises, then golden sections.
fn climb(start: f64, scale: f64, f: &mut impl FnMut(f64) -> f64) -> (f64, f64) {
    /// The golden section of an interval.
    const SECTION: f64 = 0.381_966_011_250_105_1;
    /// A maximum known to this drop of the exponent is as good as exact for placing panels.
    const FLAT: f64 = 0.05;
    let (mut best, mut top) = (start, f(start));
    let mut step = scale;
    let mut bracket = [start - scale, start + scale];
    for sign in [1.0, -1.0] {
        let mut moved = false;
        loop {
            let trial = best + sign * step;
            let value = f(trial);
            if value > top {
                bracket = if sign > 0.0 {
                    [best, trial + step]
                } else {
                    [trial - step, best]
                };
                (best, top) = (trial, value);
                step *= 2.0;
                moved = true;
            } else {
                bracket[usize::from(sign > 0.0)] = trial;
                break;
            }
        }
        if moved {
            break;
        }
    }
    for _ in 0..60 {
        let right = bracket[1] - best > best - bracket[0];
        let trial = if right {
            best + SECTION * (bracket[1] - best)
        } else {
            best - SECTION * (best - bracket[0])
        };
        let value = f(trial);
        let drop = (value - top).abs();
        let side = usize::from(trial > best);
        if value > top {
            bracket[1 - side] = best;
            (best, top) = (trial, value);
        } else {
            bracket[side] = trial;
        }
        if drop < FLAT {
            break;
        }
    }
    (best, top)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_integrate_what_they_should() {
        assert!((panel(0.0, 2.0, |x| x.powi(5)) - 64.0 / 6.0).abs() < 1e-13);
        assert!((panels(0.0, 30.0, 6, |x| (-x).exp()) - 1.0).abs() < 1e-13);
        assert!(
            (adaptive(0.0, 1e3, |x| (-x * x).exp()) / 0.886_226_925_452_758 - 1.0).abs() < 1e-13
        );
        // Noise of 10⁻¹⁰ is not refined for ever.
        let mut calls = 0;
        let noisy = adaptive(0.0, 9.0, |x| {
            calls += 1;
            (-x * x).exp() * (1.0 + 1e-10 * (1e9 * x).sin())
        });
        assert!(
            (noisy / 0.886_226_925_452_758 - 1.0).abs() < 1e-9 && calls < 5_000,
            "{noisy} {calls}"
        );
        let (top, area) = integrate_peak(0.0, 1.0, f64::NEG_INFINITY, |x| {
            700.0 - 0.5 * ((x - 37.0) / 1e-3).powi(2)
        });
        let log = top + area.ln();
        assert!((log - 700.0 - (1e-3 * (2.0 * std::f64::consts::PI).sqrt()).ln()).abs() < 1e-12);
    }
}
