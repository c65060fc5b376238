//! Log-probabilities of intervals of a latent variable that is normal or logistic, with two derivatives in their ends.

use crate::numeric::special::{normal, truncated_normal};
use crate::regression::binary::logistic;
use crate::regression::likelihood::{
    Derivatives, Inputs, Jet, Order, Quantity, RowModel, Scalar, ln_normal_cdf, normal_curvature,
    softplus,
};
use serde::{Deserialize, Serialize};

/// The distribution of what regressors do not explain.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum LatentError {
    /// Standard normal.
    #[default]
    Normal,
    /// Standard logistic, with variance π²/3.
    Logistic,
}

impl LatentError {
    /// `F(x)`.
    pub(super) fn cdf(self, x: f64) -> f64 {
        match self {
            Self::Normal => normal::cdf(x),
            Self::Logistic => logistic(x),
        }
    }

    /// `F⁻¹(p)`.
    pub(super) fn quantile(self, p: f64) -> f64 {
        match self {
            Self::Normal => normal::quantile(p),
            Self::Logistic => (p / (1.0 - p)).ln(),
        }
    }

    /// `ln F(x)`.
    pub(super) fn ln_cdf<T: Scalar>(self, x: T) -> T {
        match self {
            Self::Normal => ln_normal_cdf(x),
            Self::Logistic => -softplus(-x),
        }
    }

    /// `ln F(x)` with two derivatives by x.
    pub(super) fn ln_cdf_at(self, x: f64) -> [f64; 3] {
        match self {
            Self::Normal => {
                let (value, slope) = normal::ln_cdf_and_slope(x);
                [value, slope, -normal_curvature(x, slope)]
            }
            Self::Logistic => {
                let odds = (-x.abs()).exp();
                let (more, less) = (1.0 / (1.0 + odds), odds / (1.0 + odds));
                let slope = if x > 0.0 { less } else { more };
                [x.min(0.0) - odds.ln_1p(), slope, -more * less]
            }
        }
    }

    /// `ln f(x)`.
    pub(super) fn ln_density<T: Scalar>(self, x: T) -> T {
        match self {
            Self::Normal => x.square() * -0.5 + normal::ln_pdf(0.0),
            Self::Logistic => -x - softplus(-x) * 2.0,
        }
    }

    /// `ln [F(b) − F(a)]` of finite ends a < b.
    fn ln_between<const J: usize>(self, a: Jet<J>, b: Jet<J>) -> Jet<J> {
        if self == Self::Logistic {
            // Λ(b) − Λ(a) = (e^b − e^a)/((1 + e^a)(1 + e^b)): no difference of nearly equal numbers.
            let width = b - a;
            let w = width.value();
            let odds = 1.0 / w.exp_m1();
            let gap = width.chain([(-(-w).exp_m1()).ln(), odds, -odds * (1.0 + odds)]);
            return b + gap - softplus(a) - softplus(b);
        }
        let value = truncated_normal::ln_mass(a.value(), b.value());
        let share = |x: f64| (normal::ln_pdf(x) - value).exp();
        let (low, high) = (share(a.value()), share(b.value()));
        let f = [
            value,
            -low,
            high,
            low * (a.value() - low),
            low * high,
            -high * (b.value() + high),
        ];
        a.chain_two(b, f)
    }

    /// `ln P(a < x < b)`; an end that is none is infinite.
    pub(super) fn ln_probability<const J: usize>(
        self,
        a: Option<Jet<J>>,
        b: Option<Jet<J>>,
    ) -> Jet<J> {
        match (a, b) {
            (Some(a), Some(b)) => self.ln_between(a, b),
            (None, Some(b)) => self.ln_cdf(b),
            // Both distributions are symmetric.
            (Some(a), None) => self.ln_cdf(-a),
            (None, None) => Jet::constant(0.0),
        }
    }
}

/// Rows with outcomes (lower, upper), either of which may be infinite, and indices (η, ln σ): the latent `η + σε` lies between
/// them, or at them when they are equal.
#[derive(Clone, Copy, Debug)]
pub(super) struct IntervalRows {
    pub(super) error: LatentError,
    /// What the latent variable is a scale of, for predictions of a mean.
    pub(super) mean: MeanOf,
}

/// What a mean is taken of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MeanOf {
    /// The latent variable itself.
    Latent,
    /// Its exponential: normal errors only.
    Exponential,
    /// Φ of it, a probability.
    Probability,
}

impl IntervalRows {
    fn log_density(self, ends: [f64; 2], [eta, ln_sigma]: [Jet<2>; 2]) -> Jet<2> {
        let per_sigma = (-ln_sigma).exp();
        let standard = |end: f64| (-eta + end) * per_sigma;
        let [lower, upper] = ends;
        if upper <= lower {
            return self.error.ln_density(standard(lower)) - ln_sigma;
        }
        let end = |end: f64| end.is_finite().then(|| standard(end));
        self.error.ln_probability(end(lower), end(upper))
    }
}

impl RowModel for IntervalRows {
    fn evaluate(&self, rows: &Inputs<'_>, _order: Order, out: &mut Derivatives) {
        for i in 0..rows.len {
            let ends = [rows.outcomes[0][i], rows.outcomes[1][i]];
            let at = [rows.indices[0][i], rows.indices[1][i]];
            let jet = self.log_density(ends, Jet::variables(at));
            out.set(i, &jet, [0, 1]);
        }
    }

    fn predict(&self, what: Quantity, indices: &[f64]) -> Option<f64> {
        let (eta, sigma) = (*indices.first()?, indices.get(1)?.exp());
        match (what, self.mean) {
            (Quantity::Linear, _) | (Quantity::Mean, MeanOf::Latent) => Some(eta),
            (Quantity::Mean, MeanOf::Exponential) => Some((eta + 0.5 * sigma * sigma).exp()),
            // E Φ(η + σε) = Φ(η/√(1 + σ²)).
            (Quantity::Mean, MeanOf::Probability) => {
                Some(normal::cdf(eta / (1.0 + sigma * sigma).sqrt()))
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::numeric::derivative::{gradient, hessian};

    #[test]
    fn the_numbers_without_intervals_are_the_same() {
        for error in [LatentError::Normal, LatentError::Logistic] {
            for at in [-40.0, -6.0, -0.3, 0.0, 0.8, 7.0] {
                let jet = error.ln_cdf(Jet::<1>::variable(at, 0));
                let other = [jet.value, jet.gradient[0], jet.hessian[0][0]];
                for (a, b) in error.ln_cdf_at(at).iter().zip(other) {
                    assert!((a - b).abs() <= 1e-14 * b.abs(), "{at}: {a} {b}");
                }
            }
        }
    }

    #[test]
    fn derivatives_are_those_of_the_value() {
        let infinite = f64::INFINITY;
        let intervals = [
            [-infinite, 0.4],
            [0.1, infinite],
            [0.1, 0.4],
            [5.0, 5.5],
            [-9.0, -8.0],
            [0.3, 0.3],
        ];
        for error in [LatentError::Normal, LatentError::Logistic] {
            let rows = IntervalRows {
                error,
                mean: MeanOf::Latent,
            };
            for ends in intervals {
                for at in [[0.2, -0.5], [-1.0, 0.6]] {
                    let value =
                        |x: &[f64]| rows.log_density(ends, Jet::variables([x[0], x[1]])).value;
                    let jet = rows.log_density(ends, Jet::variables(at));
                    let (g, h) = (gradient(value, &at).unwrap(), hessian(value, &at).unwrap());
                    let scale = jet.value.abs().max(1.0);
                    for i in 0..2 {
                        assert!((jet.gradient[i] - g[i]).abs() < 1e-6 * scale, "{ends:?}");
                        for j in 0..2 {
                            let second = jet.hessian[i][j];
                            assert!((second - h[(i, j)]).abs() < 1e-4 * scale, "{ends:?}");
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn intervals_add_to_one_and_shrink_to_the_density() {
        for error in [LatentError::Normal, LatentError::Logistic] {
            let rows = IntervalRows {
                error,
                mean: MeanOf::Latent,
            };
            let at = [0.3, 0.2];
            let p = |a: f64, b: f64| rows.log_density([a, b], Jet::variables(at)).value;
            let cuts = [f64::NEG_INFINITY, -1.0, 0.5, 2.0, f64::INFINITY];
            let total: f64 = cuts.windows(2).map(|w| p(w[0], w[1]).exp()).sum();
            assert!((total - 1.0).abs() < 1e-14);
            let narrow = p(0.7 - 5e-5, 0.7 + 5e-5) - 1e-4_f64.ln();
            assert!((narrow - p(0.7, 0.7)).abs() < 1e-8);
            assert!((error.cdf(error.quantile(0.3)) - 0.3).abs() < 1e-12);
        }
    }
}
