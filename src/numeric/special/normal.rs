//! The standard normal distribution.

use std::f64::consts::{FRAC_1_SQRT_2, LN_2};

use super::error_function::{erfcx, erfcx_positive};
use super::kernel::{SQRT_TAU, exp_minus_half_square, is_positive, polynomial};

/// ½ ln 2π.
const HALF_LN_TAU: f64 = 0.918_938_533_204_672_8;

/// √(2/π).
const SCALE: f64 = 0.797_884_560_802_865_4;

/// The density φ(x).
pub fn pdf(x: f64) -> f64 {
    exp_minus_half_square(x) / SQRT_TAU
}

/// ln φ(x).
pub fn ln_pdf(x: f64) -> f64 {
    -0.5 * x * x - HALF_LN_TAU
}

/// The distribution function Φ(x), to a relative error of a few 10⁻¹⁶ down to the smallest `f64` (x ≈ −38.5).
pub fn cdf(x: f64) -> f64 {
    let tail = 0.5 * exp_minus_half_square(x) * erfcx(x.abs() * FRAC_1_SQRT_2);
    if x > 0.0 { 1.0 - tail } else { tail }
}

/// The upper tail 1 − Φ(x) = Φ(−x).
pub fn sf(x: f64) -> f64 {
    cdf(-x)
}

/// ln Φ(x), for any x: about −x²/2 far below zero, where Φ itself underflows.
pub fn ln_cdf(x: f64) -> f64 {
    /// Above, ln(Φ) loses nothing; below, the exponent is kept apart.
    const FAR: f64 = -5.0;
    if x > 0.0 {
        (-cdf(-x)).ln_1p()
    } else if x > FAR {
        cdf(x).ln()
    } else if x.is_infinite() {
        f64::NEG_INFINITY
    } else {
        -0.5 * x * x + (erfcx(-x * FRAC_1_SQRT_2).ln() - LN_2)
    }
}

/// ln(1 − Φ(x)).
pub fn ln_sf(x: f64) -> f64 {
    ln_cdf(-x)
}

/// The ratio φ(x)/Φ(x), the derivative of ln Φ; about −x far below zero.
pub fn inverse_mills(x: f64) -> f64 {
    if x <= 0.0 {
        // φ/Φ = √(2/π)/erfcx(−x/√2): no exponential, so nothing underflows.
        SCALE / erfcx(-x * FRAC_1_SQRT_2)
    } else {
        pdf(x) / cdf(x)
    }
}

/// ln Φ(x) and its derivative φ(x)/Φ(x) in one go: they share what takes long.
pub(crate) fn ln_cdf_and_slope(x: f64) -> (f64, f64) {
    let scaled = erfcx(x.abs() * FRAC_1_SQRT_2);
    if x > 0.0 {
        let density = exp_minus_half_square(x);
        let tail = 0.5 * density * scaled;
        ((-tail).ln_1p(), density / (SQRT_TAU * (1.0 - tail)))
    } else {
        (-0.5 * x * x + (scaled.ln() - LN_2), SCALE / scaled)
    }
}

/// Φ(x) and φ(x)/Φ(x) in one go, without a logarithm.
pub(crate) fn cdf_and_slope(x: f64) -> (f64, f64) {
    let scaled = erfcx(x.abs() * FRAC_1_SQRT_2);
    let density = exp_minus_half_square(x);
    let tail = 0.5 * density * scaled;
    if x > 0.0 {
        let p = 1.0 - tail;
        (p, density / (SQRT_TAU * p))
    } else {
        (tail, SCALE / scaled)
    }
}

/// [`cdf_and_slope`] of all x, the same bits: what is arithmetic alone runs over several at once.
pub(crate) fn cdfs_and_slopes(x: &[f64], p: &mut [f64], slope: &mut [f64]) {
    for (scaled, x) in slope.iter_mut().zip(x) {
        *scaled = erfcx_positive(x.abs() * FRAC_1_SQRT_2);
    }
    for (density, x) in p.iter_mut().zip(x) {
        *density = exp_minus_half_square(*x);
    }
    for ((p, slope), x) in p.iter_mut().zip(slope).zip(x) {
        let (density, scaled) = (*p, *slope);
        let tail = 0.5 * density * scaled;
        let rest = 1.0 - tail;
        let (above, below) = (density / (SQRT_TAU * rest), SCALE / scaled);
        *p = if *x > 0.0 { rest } else { tail };
        *slope = if *x > 0.0 { above } else { below };
    }
}

/// The mirror φ(x)/(1 − Φ(x)), the hazard of the normal distribution; about x far above zero.
pub fn upper_inverse_mills(x: f64) -> f64 {
    inverse_mills(-x)
}

/// The quantile Φ⁻¹(p): −∞ at 0, ∞ at 1, NaN outside [0, 1]. Relative error about 10⁻¹⁶.
///
/// Wichura's (1988) algorithm AS 241, PPND16.
pub fn quantile(p: f64) -> f64 {
    let q = p - 0.5;
    if q.abs() <= CENTRE {
        let r = CENTRE * CENTRE - q * q;
        return q * polynomial(&CENTRE_TOP, r) / polynomial(&CENTRE_BOTTOM, r);
    }
    if q < 0.0 { -upper(p) } else { upper(1.0 - p) }
}

/// The point x with 1 − Φ(x) = q; accurate where 1 − q would round to one.
pub fn upper_quantile(q: f64) -> f64 {
    -quantile(q)
}

/// Inside this distance from one half, one rational function serves.
const CENTRE: f64 = 0.425;

/// The positive quantile with upper tail `q` < 0.075.
fn upper(q: f64) -> f64 {
    if !is_positive(q) {
        return if q >= 0.0 { f64::INFINITY } else { f64::NAN };
    }
    let r = (-q.ln()).sqrt();
    if r <= 5.0 {
        polynomial(&MIDDLE_TOP, r - 1.6) / polynomial(&MIDDLE_BOTTOM, r - 1.6)
    } else {
        polynomial(&FAR_TOP, r - 5.0) / polynomial(&FAR_BOTTOM, r - 5.0)
    }
}

const CENTRE_TOP: [f64; 8] = [
    3.387_132_872_796_366_5,
    133.141_667_891_784_38,
    1_971.590_950_306_551_3,
    13_731.693_765_509_46,
    45_921.953_931_549_87,
    67_265.770_927_008_7,
    33_430.575_583_588_13,
    2_509.080_928_730_122_7,
];
const CENTRE_BOTTOM: [f64; 8] = [
    1.0,
    42.313_330_701_600_91,
    687.187_007_492_057_9,
    5_394.196_021_424_751,
    21_213.794_301_586_597,
    39_307.895_800_092_71,
    28_729.085_735_721_943,
    5_226.495_278_852_854,
];
const MIDDLE_TOP: [f64; 8] = [
    1.423_437_110_749_683_5,
    4.630_337_846_156_546,
    5.769_497_221_460_691,
    3.647_848_324_763_204_5,
    1.270_458_252_452_368_4,
    0.241_780_725_177_450_6,
    0.022_723_844_989_269_184,
    0.000_774_545_014_278_341_4,
];
const MIDDLE_BOTTOM: [f64; 8] = [
    1.0,
    2.053_191_626_637_759,
    1.676_384_830_183_803_8,
    0.689_767_334_985_1,
    0.148_103_976_427_480_08,
    0.015_198_666_563_616_457,
    0.000_547_593_808_499_534_5,
    1.050_750_071_644_416_9e-9,
];
const FAR_TOP: [f64; 8] = [
    6.657_904_643_501_103,
    5.463_784_911_164_114,
    1.784_826_539_917_291_3,
    0.296_560_571_828_504_87,
    0.026_532_189_526_576_124,
    0.001_242_660_947_388_078_4,
    2.711_555_568_743_487_6e-5,
    2.010_334_399_292_288_1e-7,
];
const FAR_BOTTOM: [f64; 8] = [
    1.0,
    0.599_832_206_555_888,
    0.136_929_880_922_735_8,
    0.014_875_361_290_850_615,
    0.000_786_869_131_145_613_3,
    1.846_318_317_510_054_8e-5,
    1.421_511_758_316_446e-7,
    2.044_263_103_389_939_7e-15,
];

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn several_at_once_are_the_same_bits() {
        let mut x: Vec<f64> = (-400..=400).map(|i| 0.1 * f64::from(i) + 0.003).collect();
        x.extend([
            0.0,
            -0.0,
            1e-300,
            -1e-9,
            1e10,
            -1e10,
            f64::INFINITY,
            f64::NEG_INFINITY,
        ]);
        let (mut p, mut slope) = (vec![0.0; x.len()], vec![0.0; x.len()]);
        cdfs_and_slopes(&x, &mut p, &mut slope);
        for ((x, p), slope) in x.iter().zip(p).zip(slope) {
            let one = cdf_and_slope(*x);
            let (ours, theirs) = (
                [p, slope].map(f64::to_bits),
                [one.0, one.1].map(f64::to_bits),
            );
            assert_eq!(ours, theirs, "{x}");
        }
    }

    #[test]
    fn limits_and_nonsense() {
        assert_eq!(cdf(f64::NEG_INFINITY), 0.0);
        assert_eq!(cdf(f64::INFINITY), 1.0);
        assert_eq!(quantile(0.0), f64::NEG_INFINITY);
        assert_eq!(quantile(1.0), f64::INFINITY);
        assert_eq!(ln_cdf(f64::NEG_INFINITY), f64::NEG_INFINITY);
        assert_eq!(ln_cdf(f64::INFINITY), 0.0);
        assert_eq!(inverse_mills(f64::INFINITY), 0.0);
        assert!((inverse_mills(-1e8) / 1e8 - 1.0).abs() < 1e-15);
        for bad in [f64::NAN, -0.1, 1.1, f64::INFINITY] {
            assert!(quantile(bad).is_nan(), "{bad}");
        }
        assert!(
            cdf(f64::NAN).is_nan() && ln_cdf(f64::NAN).is_nan() && inverse_mills(f64::NAN).is_nan()
        );
    }

    #[test]
    fn the_logarithm_and_its_slope_are_those_of_the_single_functions() {
        for step in -500..=160 {
            let x = f64::from(step) * 0.1;
            let (value, slope) = ln_cdf_and_slope(x);
            assert!((value / ln_cdf(x) - 1.0).abs() < 4e-15, "{x}");
            assert!((slope / inverse_mills(x) - 1.0).abs() < 4e-15, "{x}");
            let (value, slope) = cdf_and_slope(x);
            assert!(value > 0.0 || x < -38.0, "{x}");
            assert!((value - cdf(x)).abs() <= 4e-15 * value, "{x}");
            assert!((slope / inverse_mills(x) - 1.0).abs() < 4e-15, "{x}");
        }
        assert_eq!(ln_cdf_and_slope(f64::NEG_INFINITY).0, f64::NEG_INFINITY);
        assert!(ln_cdf_and_slope(f64::NAN).0.is_nan());
    }

    proptest! {
        #[test]
        fn tails_are_symmetric_and_sum_to_one(x in -40.0..40.0_f64) {
            prop_assert!((cdf(x) + sf(x) - 1.0).abs() <= f64::EPSILON);
            prop_assert_eq!(sf(x).to_bits(), cdf(-x).to_bits());
            prop_assert!(cdf(x) <= cdf(x + 1e-6));
        }

        #[test]
        fn quantile_inverts(x in -37.0..0.0_f64) {
            prop_assert!((quantile(cdf(x)) - x).abs() <= 1e-14 * (1.0 + x.abs()));
        }

        #[test]
        fn mills_is_the_slope_of_ln_cdf(x in -200.0..8.0_f64) {
            let h = 1e-4 * (1.0 + x.abs()).recip();
            let slope = (ln_cdf(x + h) - ln_cdf(x - h)) / (2.0 * h);
            prop_assert!((inverse_mills(x) - slope).abs() <= 1e-5 * (1.0 + slope));
        }
    }
}
