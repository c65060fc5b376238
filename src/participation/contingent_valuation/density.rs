//! The log-density of answers to bids.

use super::amount::Amount;
use crate::participation::interval::LatentError;
use crate::regression::likelihood::{
    Derivatives, Inputs, Jet, Order, Quantity, RowModel, ln_add_exp, softplus,
};

/// Rows with outcomes (lower, upper, zero) and indices (z, b) or (z, b, s): the amount exceeds a bid t with probability
/// `F(z + b t)`, `F(z + b ln t)` on the scale of logarithms. With s, the amount is zero with probability Λ(s) first.
#[derive(Clone, Copy, Debug)]
pub(super) struct BidRows {
    pub(super) amount: Amount,
}

impl BidRows {
    fn log_density<const J: usize>(self, y: [f64; 3], index: [Jet<J>; J]) -> Jet<J> {
        let error: LatentError = self.amount.error;
        let end = |t: f64| t.is_finite().then(|| -(index[0] + index[1] * t));
        let [lower, upper, zero] = y;
        if J < 3 {
            // On the scale of levels an amount of zero is one at or below zero.
            return error.ln_probability(end(lower), end(upper));
        }
        let (none, some) = (-softplus(-index[J - 1]), -softplus(index[J - 1]));
        if zero > 1.5 {
            return ln_add_exp(none, some + error.ln_probability(end(lower), end(upper)));
        }
        if zero > 0.5 {
            return none;
        }
        some + error.ln_probability(end(lower), end(upper))
    }
}

impl RowModel for BidRows {
    fn evaluate(&self, rows: &Inputs<'_>, _order: Order, out: &mut Derivatives) {
        for i in 0..rows.len {
            let y = [0, 1, 2].map(|j| rows.outcomes[j][i]);
            let at = |j: usize| rows.indices[j][i];
            if self.amount.has_mass() {
                let jet = self.log_density(y, Jet::<3>::variables([at(0), at(1), at(2)]));
                out.set(i, &jet, [0, 1, 2]);
            } else {
                let jet = self.log_density(y, Jet::<2>::variables([at(0), at(1)]));
                out.set(i, &jet, [0, 1]);
            }
        }
    }

    fn predict(&self, what: Quantity, indices: &[f64]) -> Option<f64> {
        match what {
            Quantity::Linear => indices.first().copied(),
            Quantity::Mean => Some(self.amount.mean(indices)),
            Quantity::Probability(bid) => (bid > 0.0).then(|| self.amount.exceeds(indices, bid)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::numeric::derivative::{gradient, hessian};

    #[test]
    fn derivatives_with_a_mass_at_zero_are_those_of_the_value() {
        let rows = BidRows {
            amount: Amount {
                error: LatentError::Normal,
                log: true,
                spike: true,
            },
        };
        let infinite = f64::INFINITY;
        let at = [0.8, -0.9, -1.2];
        let outcomes = [
            [0.5, infinite, 0.0],
            [0.5, 1.1, 0.0],
            [-infinite, 0.5, 2.0],
            [-infinite, 0.0, 1.0],
        ];
        for y in outcomes {
            let value = |x: &[f64]| {
                rows.log_density(y, Jet::<3>::variables([x[0], x[1], x[2]]))
                    .value
            };
            let jet = rows.log_density(y, Jet::variables(at));
            let (g, h) = (gradient(value, &at).unwrap(), hessian(value, &at).unwrap());
            for i in 0..3 {
                assert!((jet.gradient[i] - g[i]).abs() < 1e-7, "{y:?}");
                for j in 0..3 {
                    assert!((jet.hessian[i][j] - h[(i, j)]).abs() < 1e-5, "{y:?}");
                }
            }
        }
    }
}
