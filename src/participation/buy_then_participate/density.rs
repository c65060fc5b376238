//! The log-density of a choice that is seen only for those who made another one, with two derivatives.

use super::fit::BuyThenParticipatePrediction as P;
use crate::numeric::special::normal;
use crate::regression::binary::Link;
use crate::regression::bivariate_probit::density::{LogCdf, ln_bivariate_cdf};
use crate::regression::likelihood::{Derivatives, Inputs, Order, Quantity, RowModel};
use crate::summary::gram::packed_index;

/// Rows with outcomes (B, P) and indices (z_B, z_P, atanh ρ), or (z_B, z_P) at a fixed atanh ρ:
/// `ln Φ(−z_B)` without B, else `ln Φ₂(z_B, q z_P; qρ)` with `q = 2P − 1`.
#[derive(Clone, Copy, Debug)]
pub(super) struct SelectedProbit {
    /// A fixed atanh ρ.
    pub(super) fixed: Option<f64>,
}

impl RowModel for SelectedProbit {
    fn evaluate(&self, rows: &Inputs<'_>, order: Order, out: &mut Derivatives) {
        let free = if self.fixed.is_some() { 2 } else { 3 };
        for i in 0..rows.len {
            let buy = rows.indices[0][i];
            if rows.outcomes[0][i] < 0.5 {
                let [value, slope, curvature] = Link::Probit.log_density(0.0, buy);
                out.value[i] = value;
                for a in 0..free {
                    out.gradient[a][i] = 0.0;
                    for b in 0..=a {
                        out.hessian[packed_index(a, b)][i] = 0.0;
                    }
                }
                out.gradient[0][i] = slope;
                out.hessian[0][i] = curvature;
                continue;
            }
            let q = if rows.outcomes[1][i] > 0.5 { 1.0 } else { -1.0 };
            let t = self.fixed.unwrap_or_else(|| rows.indices[2][i]);
            let participate = q * rows.indices[1][i];
            if order == Order::Value {
                out.value[i] = ln_bivariate_cdf(buy, participate, q * t);
                continue;
            }
            let all = LogCdf::at(buy, participate, q * t);
            out.value[i] = all.value;
            let signs = [1.0, q, q];
            for a in 0..free {
                out.gradient[a][i] = signs[a] * all.gradient[a];
                for b in 0..=a {
                    let at = packed_index(a, b);
                    out.hessian[at][i] = signs[a] * signs[b] * all.hessian[at];
                }
            }
        }
    }

    fn predict(&self, what: Quantity, indices: &[f64]) -> Option<f64> {
        let buy = *indices.first()?;
        let participate = *indices.get(1)?;
        let t = self.fixed.or_else(|| indices.get(2).copied())?;
        let Quantity::Probability(code) = what else {
            return match what {
                Quantity::Linear => Some(buy),
                Quantity::Mean => Some(normal::cdf(buy)),
                _ => None,
            };
        };
        let what = P::ALL.into_iter().find(|p| (p.code() - code).abs() < 0.5)?;
        Some(match what {
            P::Buy => normal::cdf(buy),
            P::Participate => normal::cdf(participate),
            P::BuyAndParticipate => ln_bivariate_cdf(buy, participate, t).exp(),
            P::BuyOnly => ln_bivariate_cdf(buy, -participate, -t).exp(),
            P::ParticipateGivenBuy => {
                (ln_bivariate_cdf(buy, participate, t) - normal::ln_cdf(buy)).exp()
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::numeric::derivative::{gradient, hessian};
    use crate::regression::likelihood::Derivatives;
    use crate::summary::gram::TILE;

    fn at(model: SelectedProbit, y: [f64; 2], index: &[f64], order: Order) -> Derivatives {
        let outcomes = y.map(|v| [v; TILE]);
        let indices: Vec<[f64; TILE]> = index.iter().map(|v| [*v; TILE]).collect();
        let mut out = Derivatives::new(index.len());
        let rows = Inputs {
            outcomes: &outcomes,
            indices: &indices,
            len: 1,
        };
        model.evaluate(&rows, order, &mut out);
        out
    }

    #[test]
    fn derivatives_are_those_of_the_value_and_probabilities_add_to_one() {
        let model = SelectedProbit { fixed: None };
        let outcomes = [[0.0, 0.0], [1.0, 0.0], [1.0, 1.0]];
        for index in [[0.4, -0.7, 0.5], [-4.0, 3.0, -1.4], [3.0, -4.0, 0.9]] {
            let mut total = 0.0;
            for y in outcomes {
                let value = |x: &[f64]| at(model, y, x, Order::Value).value[0];
                let found = at(model, y, &index, Order::Hessian);
                total += found.value[0].exp();
                let (g, h) = (
                    gradient(value, &index).unwrap(),
                    hessian(value, &index).unwrap(),
                );
                for a in 0..3 {
                    assert!((found.gradient[a][0] - g[a]).abs() < 1e-6, "{index:?}");
                    for b in 0..=a {
                        let ours = found.hessian[packed_index(a, b)][0];
                        assert!((ours - h[(a, b)]).abs() < 1e-4, "{index:?} {y:?}");
                    }
                }
                let fixed = SelectedProbit {
                    fixed: Some(index[2]),
                };
                let two = at(fixed, y, &index[..2], Order::Hessian);
                assert_eq!(two.value[0], found.value[0]);
                assert_eq!(two.hessian[1][0], found.hessian[1][0]);
            }
            assert!((total - 1.0).abs() < 1e-13);
        }
    }

    #[test]
    fn predictions_are_the_probabilities_of_the_rows() {
        let model = SelectedProbit { fixed: None };
        let index = [0.4, -0.7, 0.5];
        let p = |what: P| {
            model
                .predict(Quantity::Probability(what.code()), &index)
                .unwrap()
        };
        let row = |y| at(model, y, &index, Order::Value).value[0].exp();
        assert!((p(P::Buy) - 1.0 + row([0.0, 0.0])).abs() < 1e-14);
        assert!((p(P::BuyAndParticipate) - row([1.0, 1.0])).abs() < 1e-14);
        assert!((p(P::BuyOnly) - row([1.0, 0.0])).abs() < 1e-14);
        assert!((p(P::ParticipateGivenBuy) * p(P::Buy) - p(P::BuyAndParticipate)).abs() < 1e-14);
        assert!((p(P::Participate) - normal::cdf(-0.7)).abs() < 1e-15);
    }
}
