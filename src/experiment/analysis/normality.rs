//! Whether the normal approximation of a difference of means can be trusted, from skewness and sizes.

use super::effect::Effect;
use super::linear::Analysed;
use crate::error::Warning;
use crate::numeric::special::normal;

/// Kohavi, Deng, Longbotham & Xu (2014): a mean of `355 · skewness²` values has a 95 % interval whose tails are near nominal
/// (each between 2 and 3 percent instead of 2.5).
const UNITS_PER_SQUARED_SKEWNESS: f64 = 355.0;

/// A change of one tail's probability by more than this share of its nominal value is worth a warning: 0.5 of 2.5 points, as in Kohavi's rule.
const TAIL: f64 = 0.2;

/// Warns where the skewness of the difference, `κ = κ₃ (1/nₐ² − 1/n_c²) / V^{3/2}` with the third moment κ₃ of both arms together (that of
/// one arm alone is too noisy to tell), moves a tail of the t interval by more than [`TAIL`]. By Edgeworth's expansion (Hall 1988; Johnson
/// 1978) the studentised difference lies beyond z with probability `Φ(−z) ± κ (2z² + 1)/6 · φ(z)`: equal arms cancel, unequal ones do not.
pub(crate) fn warn_about_skew(
    metric: &Analysed,
    arm: usize,
    control: usize,
    effect: &Effect,
    level: f64,
) -> Option<Warning> {
    let z = normal::quantile(0.5 + level / 2.0);
    let size = |a: usize| metric.arms[a].record.units as f64;
    let third = |a: usize| {
        size(a) * metric.skewness[a] * metric.arms[a].record.unadjusted_variance.powf(1.5)
    };
    let pooled = (third(arm) + third(control)) / (size(arm) + size(control));
    let variance = effect.difference.std_error * effect.difference.std_error;
    let gap = size(arm).powi(-2) - size(control).powi(-2);
    let skewness = pooled * gap / variance.powf(1.5);
    let shift = skewness.abs() * (2.0 * z * z + 1.0) / 6.0 * normal::pdf(z) / normal::sf(z);
    let needs = |a: usize| UNITS_PER_SQUARED_SKEWNESS * metric.skewness[a] * metric.skewness[a];
    let short = [arm, control].into_iter().find(|a| size(*a) < needs(*a));
    let sizes = effect.units;
    if shift > TAIL {
        let worst = short.unwrap_or(arm);
        return Some(Warning::Note {
            message: format!(
                "`{}`, {} against {}: the normal approximation is not to be trusted: skewness {:.1} in `{}` with {} against {} units moves a tail of the interval by {:.0} % of its probability (355·skewness² asks for {:.0} units an arm); {}",
                effect.metric,
                effect.arm,
                effect.control,
                metric.skewness[worst],
                metric.arms[worst].record.arm,
                sizes[0],
                sizes[1],
                100.0 * shift,
                needs(arm).max(needs(control)),
                if metric.denominator_t.is_finite() {
                    "compare the numerator with .bootstrap_t(2000).seed(7), winsorize it, or count more units"
                } else {
                    "use .bootstrap_t(2000).seed(7), winsorize, or count more units"
                },
            ),
        });
    }
    None
}
