//! Expectations over s = χ(df)/√df, the scale estimate that studentises a normal statistic.

use super::kernel::{SQRT_TAU, exp_m1_minus, gamma_star};
use super::quadrature;

/// E[exp(ln_g(s))] for ln g concave in s, with full relative accuracy however small it is. With w = ln s the density
/// is √(df/π)/Γ*(df/2) exp(−df/2 (e²ʷ − 1 − 2w)); the integrand is unimodal, found from s = `start` and integrated on
/// the log scale.
pub(super) fn expectation(df: f64, start: f64, ln_g: impl Fn(f64) -> f64) -> f64 {
    if df.is_infinite() {
        return ln_g(1.0).exp();
    }
    let half = 0.5 * df;
    let (top, area) = quadrature::integrate_peak(
        start.ln(),
        (1.0 + 2.0 * df).sqrt().recip(),
        f64::NEG_INFINITY,
        |w| ln_g(w.exp()) - half * exp_m1_minus(2.0 * w),
    );
    top.exp() * (area * half.sqrt() * 2.0 / (SQRT_TAU * gamma_star(half)))
}
