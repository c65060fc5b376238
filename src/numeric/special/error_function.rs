//! The error function and its complements.

use super::kernel::polynomial;

/// erf(x) = 2/√π ∫₀ˣ e^(−t²) dt, to the last place (fdlibm's rational approximations).
pub fn erf(x: f64) -> f64 {
    libm::erf(x)
}

/// erfc(x) = 1 − erf(x), accurate in the upper tail (fdlibm's rational approximations).
pub fn erfc(x: f64) -> f64 {
    libm::erfc(x)
}

/// Scaled complementary error function erfcx(x) = e^(x²) erfc(x); tends to 1/(x√π). Relative error below 4·10⁻¹⁶ for
/// x ≥ 0; overflows to infinity below −26.6.
///
/// For x ≥ 0 it is the polynomial of degree 24 in t = (x − 3)/(x + 3) that interpolates (1 + 2x) erfcx(x) at
/// Chebyshev's points (the map of Shepherd & Laframboise 1981; coefficients computed with 60 digits).
pub fn erfcx(x: f64) -> f64 {
    if x < 0.0 {
        // 2 e^(x²) with the square exact: √2 x would round, so the two halves of x² are exponentiated apart.
        let high = f64::from(x as f32);
        let rest = (x - high) * (x + high);
        return 2.0 * (high * high).exp() * rest.exp() - erfcx(-x);
    }
    erfcx_positive(x)
}

/// The same for x ≥ 0, without a branch.
#[inline]
pub(super) fn erfcx_positive(x: f64) -> f64 {
    const FRAC_1_SQRT_PI: f64 = 0.564_189_583_547_756_3;
    /// Beyond, 1/(x√π) is exact.
    const ASYMPTOTIC: f64 = 1e9;
    let t = (x - 3.0) / (x + 3.0);
    // Even and odd powers apart: two short chains run in parallel.
    let square = t * t;
    let near = (polynomial(&EVEN, square) + t * polynomial(&ODD, square)) / (1.0 + 2.0 * x);
    if x > ASYMPTOTIC {
        FRAC_1_SQRT_PI / x
    } else {
        near
    }
}

const EVEN: [f64; 13] = [
    1.253_008_058_269_729_6,
    -0.047_562_294_353_449_2,
    -0.119_273_663_415_386_38,
    -0.023_770_514_917_171_34,
    0.001_888_690_344_999_171_8,
    -0.000_105_159_719_584_480_65,
    4.949_196_649_968_345e-6,
    -7.308_281_468_783_614e-7,
    3.557_608_668_408_059_5e-7,
    -1.404_765_431_542_846_2e-7,
    4.106_401_366_794_035_5e-8,
    -8.217_595_058_711_455e-9,
    8.393_734_858_690_877e-10,
];

const ODD: [f64; 12] = [
    -0.135_621_106_124_581_17,
    0.129_645_158_702_759_4,
    0.068_308_027_344_009_9,
    0.002_529_391_815_693_969_6,
    -0.000_779_832_269_654_330_6,
    0.000_125_099_342_458_372_9,
    -2.010_054_226_852_561_2e-5,
    3.472_370_944_977_168e-6,
    -6.166_011_460_398_726e-7,
    1.018_362_060_384_273_6e-7,
    -1.331_291_966_103_868_7e-8,
    9.862_533_510_345_587e-10,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scaled_and_plain_agree() {
        for i in 0..500 {
            let x = -3.0 + f64::from(i) * 0.02;
            let product = erfcx(x) * (-x * x).exp();
            assert!((product / erfc(x) - 1.0).abs() < 1e-13, "{x}");
        }
        assert!(erfcx(1e300) > 0.0);
        assert!(erfcx(f64::NAN).is_nan());
        assert_eq!(erfcx(f64::INFINITY), 0.0);
        assert_eq!(erfcx(-30.0), f64::INFINITY);
    }
}
