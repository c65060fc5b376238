//! Log-probabilities that a latent logistic or normal outcome lies between two thresholds, exact in both tails.

use super::binary::logistic;
use super::likelihood::normal_curvature;
use crate::numeric::special::{normal, truncated_normal};

/// The distribution of what is cut at the thresholds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Latent {
    Logistic,
    Normal,
}

/// A log-probability with its derivatives in η, the upper and the lower threshold: value, η, u, l, ηη, ηu, ηl, uu, ul, ll.
pub(super) type Cell = [f64; 10];

impl Latent {
    pub(super) fn quantile(self, p: f64) -> f64 {
        match self {
            Self::Logistic => (p / (1.0 - p)).ln(),
            Self::Normal => normal::quantile(p),
        }
    }

    pub(super) fn probability(self, lower: f64, upper: f64) -> f64 {
        self.cell(lower, upper)[0].exp()
    }

    /// `ln(F(u) − F(l))`, either end of which may be infinite; −∞ when the thresholds are out of order.
    pub(super) fn cell(self, lower: f64, upper: f64) -> Cell {
        if lower >= upper {
            let mut none = [f64::NAN; 10];
            none[0] = f64::NEG_INFINITY;
            return none;
        }
        match self {
            Self::Logistic => logistic_cell(lower, upper),
            Self::Normal => normal_cell(lower, upper),
        }
    }
}

/// `ln(Λ(u) − Λ(l)) = ln(1 − e^(l − u)) + ln Λ(u) + ln Λ(−l)`: three terms none of which cancels.
fn logistic_cell(lower: f64, upper: f64) -> Cell {
    let width = upper - lower;
    // 1/(e^(u − l) − 1), the derivative of ln(1 − e^(l − u)) in u.
    let near = if width.is_finite() {
        1.0 / width.exp_m1()
    } else {
        0.0
    };
    let gap = if width > std::f64::consts::LN_2 {
        (-(-width).exp()).ln_1p()
    } else {
        (-(-width).exp_m1()).ln()
    };
    let ln_logistic = |x: f64| x.min(0.0) - (-x.abs()).exp().ln_1p();
    let (above, below) = (logistic(-upper), logistic(lower));
    let (at_upper, at_lower) = (above * logistic(upper), below * logistic(-lower));
    let pull = near * (1.0 + near);
    [
        gap + ln_logistic(upper) + ln_logistic(-lower),
        below - above,
        near + above,
        -near - below,
        -at_upper - at_lower,
        at_upper,
        at_lower,
        -pull - at_upper,
        pull,
        -pull - at_lower,
    ]
}

/// `ln(Φ(u) − Φ(l))` by the moments of the normal truncated to (l, u): its mean is the slope in η, its variance less one the curvature.
fn normal_cell(lower: f64, upper: f64) -> Cell {
    let value = truncated_normal::ln_mass(lower, upper);
    // The density of the truncated normal at an end, and its product with a factor that is infinite with the end.
    let density = |x: f64| (normal::ln_pdf(x) - value).exp();
    let times = |density: f64, factor: f64| if density > 0.0 { density * factor } else { 0.0 };
    let (one_sided_up, one_sided_down) = (upper.is_infinite(), lower.is_infinite());
    let (at_upper, at_lower, mean, variance_less_one);
    if one_sided_down {
        (at_upper, at_lower) = (normal::inverse_mills(upper), 0.0);
        mean = -at_upper;
        variance_less_one = -normal_curvature(upper, at_upper);
    } else if one_sided_up {
        (at_upper, at_lower) = (0.0, normal::upper_inverse_mills(lower));
        mean = at_lower;
        variance_less_one = -normal_curvature(-lower, at_lower);
    } else {
        (at_upper, at_lower) = (density(upper), density(lower));
        mean = truncated_normal::mean(lower, upper);
        let plain = lower * at_lower - upper * at_upper - mean * mean;
        let lost = (lower * at_lower).abs() + (upper * at_upper).abs() + mean * mean;
        variance_less_one = if plain.abs() < CANCELLED * lost || 1.0 + plain < CANCELLED {
            truncated_normal::variance(lower, upper) - 1.0
        } else {
            plain
        };
    }
    [
        value,
        mean,
        at_upper,
        -at_lower,
        variance_less_one,
        times(at_upper, upper - mean),
        times(at_lower, mean - lower),
        -times(at_upper, upper + at_upper),
        at_upper * at_lower,
        times(at_lower, lower - at_lower),
    ]
}

/// A difference that leaves less than this share has lost three digits or more and is computed by quadrature instead.
const CANCELLED: f64 = 1e-3;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::numeric::derivative::{gradient, hessian};

    #[test]
    fn cells_have_the_derivatives_of_their_values() {
        for latent in [Latent::Logistic, Latent::Normal] {
            for eta in [-30.0, -6.0, -0.4, 0.0, 2.0, 30.0] {
                for (l, u) in [
                    (-1.0, 0.5),
                    (0.2, 0.3),
                    (f64::NEG_INFINITY, 0.4),
                    (-0.7, f64::INFINITY),
                    (-5.0, 8.0),
                ] {
                    let value = |p: &[f64]| {
                        let end = |x: f64, at: f64| if x.is_finite() { at } else { x };
                        latent.cell(end(l, p[2]) - p[0], end(u, p[1]) - p[0])[0]
                    };
                    let end = |x: f64| if x.is_finite() { x } else { 0.0 };
                    let at = [eta, end(u), end(l)];
                    let found = latent.cell(l - eta, u - eta);
                    let size = found[1..].iter().fold(1.0_f64, |m, v| m.max(v.abs()));
                    let slopes = gradient(value, &at).unwrap();
                    for (f, n) in found[1..4].iter().zip(&slopes) {
                        assert!(
                            (f - n).abs() < 1e-8 * size,
                            "{latent:?} {eta} ({l}, {u}): {f} {n}"
                        );
                    }
                    let curves = hessian(value, &at).unwrap();
                    let pairs = [(0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2)];
                    for (f, (i, j)) in found[4..].iter().zip(pairs) {
                        let gap = (f - curves[(i, j)]).abs();
                        assert!(
                            gap < 1e-5 * size,
                            "{latent:?} {eta} ({l}, {u}) {i}{j}: {f} {}",
                            curves[(i, j)]
                        );
                    }
                }
            }
        }
    }
}
