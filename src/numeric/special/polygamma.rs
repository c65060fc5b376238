//! Derivatives of ln Γ, re-exported by [`gamma`](super::gamma).

use std::f64::consts::PI;

use super::kernel::polynomial;

/// The positive zero of ψ, 1.461_632_144_968_362_2…, in two parts.
const ROOT: f64 = 1.461_632_144_968_362_2;
const ROOT_REST: f64 = 9.549_995_429_965_697e-17;

/// From here the asymptotic series are exact to double precision.
const ASYMPTOTIC: f64 = 10.0;

/// ψ(x) = d ln Γ(x)/dx, accurate relative to its size also near its zero at 1.4616…; reflection for x < 0, NaN at the
/// poles 0, −1, −2, ….
pub fn digamma(x: f64) -> f64 {
    if x <= 0.0 {
        if x.fract() >= 0.0 {
            return f64::NAN;
        }
        // DLMF 5.5.4; the tangent sees only the fractional part.
        return digamma(1.0 - x) - PI / (PI * x.fract()).tan();
    }
    if x < 0.75 {
        return digamma(x + 1.0) - 1.0 / x;
    }
    if (1.2..1.75).contains(&x) {
        let h = (x - ROOT) - ROOT_REST;
        return h * polynomial(&AROUND_ROOT, h);
    }
    let (mut shifted, mut sum) = (x, 0.0);
    while shifted < ASYMPTOTIC {
        sum -= 1.0 / shifted;
        shifted += 1.0;
    }
    // DLMF 5.11.2.
    let r = 1.0 / (shifted * shifted);
    let series = [
        1.0 / 12.0,
        -1.0 / 120.0,
        1.0 / 252.0,
        -1.0 / 240.0,
        1.0 / 132.0,
        -691.0 / 32_760.0,
        1.0 / 12.0,
    ];
    sum + shifted.ln() - 0.5 / shifted - r * polynomial(&series, r)
}

/// ψ′(x), the second derivative of ln Γ; reflection for x < 0, NaN at the poles.
pub fn trigamma(x: f64) -> f64 {
    if x <= 0.0 {
        if x.fract() >= 0.0 {
            return f64::NAN;
        }
        return (PI / (PI * x.fract()).sin()).powi(2) - trigamma(1.0 - x);
    }
    let (mut shifted, mut sum) = (x, 0.0);
    while shifted < ASYMPTOTIC {
        sum += 1.0 / (shifted * shifted);
        shifted += 1.0;
    }
    // Derivative of the series above, term by term.
    let r = 1.0 / (shifted * shifted);
    let series = [
        1.0 / 6.0,
        -1.0 / 30.0,
        1.0 / 42.0,
        -1.0 / 30.0,
        5.0 / 66.0,
        -691.0 / 2730.0,
        7.0 / 6.0,
    ];
    sum + (1.0 + 0.5 / shifted + r * polynomial(&series, r)) / shifted
}

/// Taylor coefficients of ψ about its zero from the linear one up, ψ⁽ᵏ⁾(x₀)/k! (computed with 60 digits).
const AROUND_ROOT: [f64; 25] = [
    0.967_672_245_447_621_2,
    -0.442_763_168_983_592_1,
    0.258_499_760_955_651,
    -0.163_942_705_442_406_52,
    0.107_824_050_691_262_37,
    -0.072_199_561_256_454_71,
    0.048_804_288_164_143_11,
    -0.033_161_126_474_847_36,
    0.022_597_648_232_218_104,
    -0.015_424_765_904_948_96,
    0.010_538_791_616_612_175,
    -0.007_204_534_386_356_869,
    0.004_926_781_395_729_853,
    -0.003_369_801_655_439_328,
    0.002_305_126_326_734_928,
    -0.001_576_936_771_430_197_2,
    0.001_078_825_201_916_296_7,
    -0.000_738_070_938_996_005_2,
    0.000_504_953_265_834_602,
    -0.000_345_468_025_106_307_7,
    0.000_236_356_015_640_270_53,
    -0.000_161_706_220_919_748_03,
    0.000_110_633_727_687_474_1,
    -7.569_179_582_195_066e-5,
    5.178_575_795_222_081e-5,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recurrences_hold_across_the_branches() {
        for i in 1..400 {
            let x = f64::from(i) * 0.031;
            assert!(
                (digamma(x + 1.0) - digamma(x) - 1.0 / x).abs() < 4e-15 * (1.0 + 1.0 / x),
                "{x}"
            );
            assert!(
                (trigamma(x) - trigamma(x + 1.0) - 1.0 / (x * x)).abs()
                    < 4e-15 * (1.0 + 1.0 / (x * x))
            );
        }
        assert!((digamma(-0.5) - 0.036_489_973_978_576_52).abs() < 1e-15);
        assert!((trigamma(-0.5) - 8.934_802_200_544_68).abs() < 1e-13);
        assert!(digamma(0.0).is_nan() && digamma(-3.0).is_nan() && trigamma(f64::NAN).is_nan());
    }
}
