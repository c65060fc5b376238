//! The likelihood of a choice between two lotteries.

use super::lottery::{PairShape, Prospect, Shape};
use super::theory::{ChoiceError, RiskTheory};
use crate::numeric::jet::{Jet, Scalar};
use crate::participation::interval::LatentError;
use crate::regression::likelihood::{Derivatives, Inputs, Order, Quantity, RowModel};

/// Below this the certainty equivalent over scenarios is summed by three cumulants.
const NEARLY_NEUTRAL: f64 = 1e-4;

/// Rows of pairs of lotteries.
#[derive(Clone, Debug)]
pub(super) struct LotteryRows {
    pair: PairShape,
    theory: RiskTheory,
    error: ChoiceError,
    link: LatentError,
}

impl LotteryRows {
    pub(super) fn new(
        pair: PairShape,
        theory: RiskTheory,
        error: ChoiceError,
        link: LatentError,
    ) -> Self {
        Self {
            pair,
            theory,
            error,
            link: if error == ChoiceError::Luce {
                LatentError::Logistic
            } else {
                link
            },
        }
    }

    fn value<T: Scalar>(&self, prospect: &Prospect, shape: &Shape, p: &[T]) -> T {
        let utilities: Vec<T> = prospect
            .payoffs
            .iter()
            .map(|x| self.theory.utility(*x, p))
            .collect();
        let sum = |weights: &[T], chances: &[f64]| {
            let terms = weights.iter().zip(&utilities).zip(chances);
            terms
                .filter(|(_, chance)| **chance > 0.0)
                .fold(T::constant(0.0), |total, ((w, u), _)| total + *w * *u)
        };
        if self.theory != RiskTheory::SmoothAmbiguity {
            let chances = prospect.reduced(&shape.weights);
            return sum(
                &self.theory.decision_weights(&prospect.payoffs, &chances, p),
                &chances,
            );
        }
        let means = prospect.scenarios.iter().map(|chances| {
            let weights: Vec<T> = chances.iter().map(|c| T::constant(*c)).collect();
            sum(&weights, chances)
        });
        smooth(p[1], &means.collect::<Vec<_>>(), &shape.weights)
    }

    /// What F is taken of, for the choice of B.
    fn index<T: Scalar>(&self, a: &Prospect, b: &Prospect, p: &[T]) -> T {
        let (of_a, of_b) = (
            self.value(a, &self.pair.a, p),
            self.value(b, &self.pair.b, p),
        );
        let mu = p[p.len() - 1].exp();
        match self.error {
            ChoiceError::Fechner => (of_b - of_a) / mu,
            ChoiceError::Contextual => {
                let ((best, worst), (other_best, other_worst)) = (a.range(), b.range());
                let (best, worst) = (best.max(other_best), worst.min(other_worst));
                // One and the same payoff, whatever is chosen: a toss-up, as under the other errors.
                if best <= worst {
                    return T::constant(0.0);
                }
                let utility = |x: f64| self.theory.utility(x, p);
                let range = utility(best) - utility(worst);
                (of_b - of_a) / (range * mu)
            }
            ChoiceError::Luce => {
                // Utility with its zero at zero, positive below r = 1.
                let shift = match self.theory {
                    RiskTheory::ExpectedUtility(super::UtilityForm::ExpoPower)
                    | RiskTheory::ProspectTheory(_) => T::constant(0.0),
                    _ => T::constant(1.0) / (-p[0] + 1.0),
                };
                let ln = |v: T| {
                    let at = v.value();
                    v.chain([at.ln(), 1.0 / at, -1.0 / (at * at)])
                };
                (ln(of_b + shift) - ln(of_a + shift)) / mu
            }
        }
    }

    fn rows<const J: usize>(&self, rows: &Inputs<'_>, out: &mut Derivatives) {
        for i in 0..rows.len {
            let column = |j: usize| rows.outcomes[j + 1][i];
            let (a, b) = (self.pair.a.read(column), self.pair.b.read(column));
            let p: [Jet<J>; J] = Jet::variables(std::array::from_fn(|j| rows.indices[j][i]));
            let index = self.index(&a, &b, &p);
            let signed = if rows.outcomes[0][i] > 0.5 {
                index
            } else {
                -index
            };
            let jet = self.link.ln_cdf(signed);
            out.set(i, &jet, std::array::from_fn(|j| j));
        }
    }
}

/// `−(1/α) ln Σ q e^(−αx)`.
fn smooth<T: Scalar>(alpha: T, values: &[T], weights: &[f64]) -> T {
    let zero = T::constant(0.0);
    let mean = |f: &dyn Fn(T) -> T| {
        values
            .iter()
            .zip(weights)
            .fold(zero, |sum, (v, q)| sum + f(*v) * *q)
    };
    let center = mean(&|v| v);
    if alpha.value().abs() < NEARLY_NEUTRAL {
        let square = mean(&|v| (v - center).square());
        let cube = mean(&|v| (v - center).square() * (v - center));
        return center - alpha * square * 0.5 + alpha.square() * cube * (1.0 / 6.0);
    }
    let sum = mean(&|v| (-(alpha * (v - center))).exp());
    let at = sum.value();
    center - sum.chain([at.ln(), 1.0 / at, -1.0 / (at * at)]) / alpha
}

impl RowModel for LotteryRows {
    fn evaluate(&self, rows: &Inputs<'_>, _order: Order, out: &mut Derivatives) {
        match rows.indices.len() {
            2 => self.rows::<2>(rows, out),
            3 => self.rows::<3>(rows, out),
            4 => self.rows::<4>(rows, out),
            _ => self.rows::<5>(rows, out),
        }
    }

    fn predict(&self, what: Quantity, indices: &[f64]) -> Option<f64> {
        match what {
            Quantity::Linear => indices.first().copied(),
            _ => None,
        }
    }
}
