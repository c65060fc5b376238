//! Posteriors of arms: draws from them, and the probability that each is the best.

use crate::error::{Error, Result};
use crate::experiment::bayesian;
use crate::simulate::draws::Draws;

/// What is believed of one arm.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Posterior {
    Beta { a: f64, b: f64 },
    Normal { mean: f64, sd: f64 },
}

impl Posterior {
    pub(super) fn draw(self, draws: &mut Draws) -> f64 {
        match self {
            Self::Beta { a, b } => draws.beta(a, b),
            Self::Normal { mean, sd } => mean + sd * draws.normal(),
        }
    }

    pub(super) fn mean(self) -> f64 {
        match self {
            Self::Beta { a, b } => a / (a + b),
            Self::Normal { mean, .. } => mean,
        }
    }
}

impl From<Posterior> for bayesian::Posterior {
    fn from(arm: Posterior) -> Self {
        match arm {
            Posterior::Beta { a, b } => Self::Beta { a, b },
            Posterior::Normal { mean, sd } => Self::Normal { mean, sd },
        }
    }
}

/// `P(θ_a is the largest)` of every arm, made to add up to one.
pub(super) fn best_probabilities(arms: &[Posterior]) -> Result<Vec<f64>> {
    const TOLERANCE: f64 = 1e-3;
    let arms: Vec<bayesian::Posterior> = arms.iter().map(|arm| (*arm).into()).collect();
    let mut best = bayesian::probability_best(&arms)?;
    let total: f64 = best.iter().sum();
    if (total - 1.0).abs() > TOLERANCE || total.is_nan() {
        return Err(Error::invalid_option(
            "prior",
            format!("one whose probabilities add up to {total:.3}"),
            "of more successes and failures, so that they can be integrated",
        ));
    }
    for best in &mut best {
        *best /= total;
    }
    Ok(best)
}

/// The chances of top-two sampling (Russo 2020): the best arm with probability β, else the best of a draw in which another is best, whose chances `given` a leader are asked for
/// where they are lost in rounding.
pub(super) fn top_two(
    best: &[f64],
    first: f64,
    given: impl Fn(usize) -> Result<Vec<f64>>,
) -> Result<Vec<f64>> {
    let mut chances: Vec<f64> = best.iter().map(|p| first * p).collect();
    for (leader, lead) in best.iter().enumerate() {
        let rest: f64 = (0..best.len())
            .filter(|i| *i != leader)
            .map(|i| best[i])
            .sum();
        if rest > 0.0 {
            for (i, chance) in chances.iter_mut().enumerate().filter(|(i, _)| *i != leader) {
                *chance += (1.0 - first) * lead * best[i] / rest;
            }
        } else {
            for (chance, second) in chances.iter_mut().zip(given(leader)?) {
                *chance += (1.0 - first) * lead * second;
            }
        }
    }
    Ok(chances)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::numeric::special::normal;

    #[test]
    fn two_normal_arms_compare_as_their_difference() {
        for (a, b) in [
            ((0.0, 1.0), (0.5, 2.0)),
            ((3.0, 0.01), (3.02, 0.02)),
            ((0.0, 1.0), (0.0, 1e-3)),
        ] {
            let arms = [a, b].map(|(mean, sd)| Posterior::Normal { mean, sd });
            let found = best_probabilities(&arms).unwrap();
            let gap: f64 = (a.0 - b.0) / f64::hypot(a.1, b.1);
            assert!((found[0] - normal::cdf(gap)).abs() < 1e-9, "{found:?}");
        }
    }

    #[test]
    fn beta_arms_compare_as_their_sums_of_counts() {
        // P(B > A) = Σ_{i<b₁} B(a₂ + i, …)… by Evan Miller's sum for whole parameters.
        let (a, b) = ((3.0, 9.0), (6.0, 8.0));
        let arms = [a, b].map(|(a, b)| Posterior::Beta { a, b });
        let ln = crate::numeric::special::beta::ln_beta;
        let exact: f64 = (0..6_u8)
            .map(|i| {
                let i = f64::from(i);
                (ln(a.0 + i, b.1 + a.1) - (b.1 + i).ln() - ln(1.0 + i, b.1) - ln(a.0, a.1)).exp()
            })
            .sum();
        let found = best_probabilities(&arms).unwrap();
        assert!((found[1] - exact).abs() < 1e-9, "{found:?} {exact}");
        let same = best_probabilities(&[arms[0]; 4]).unwrap();
        assert!(same.iter().all(|p| (p - 0.25).abs() < 1e-12));
    }

    #[test]
    fn densities_that_are_infinite_at_the_ends_are_integrated() {
        let of = |pairs: [(f64, f64); 3]| {
            best_probabilities(&pairs.map(|(a, b)| Posterior::Beta { a, b })).unwrap()
        };
        let start = of([(0.5, 0.5); 3]);
        assert!(
            start.iter().all(|p| (p - 1.0 / 3.0).abs() < 1e-9),
            "{start:?}"
        );
        // Twins share what a third arm near zero leaves them.
        let found = of([(0.5, 0.5), (0.5, 0.5), (0.5, 5e4)]);
        assert!(
            (found[0] - found[1]).abs() < 1e-9 && found[2] < 0.02,
            "{found:?}"
        );
        let sharp = [(1e-7, 1e-7); 2].map(|(a, b)| Posterior::Beta { a, b });
        assert!(best_probabilities(&sharp).is_err());
    }

    #[test]
    fn top_two_splits_evenly_between_twins_and_adds_up() {
        let next = |_: usize| Ok(vec![0.0, 0.0, 1.0]);
        let found = top_two(&[0.5, 0.3, 0.2], 0.5, next).unwrap();
        assert!((found.iter().sum::<f64>() - 1.0).abs() < 1e-12, "{found:?}");
        assert_eq!(
            top_two(&[0.5, 0.5, 0.0], 0.5, next).unwrap(),
            [0.5, 0.5, 0.0]
        );
        assert_eq!(
            top_two(&[1.0, 0.0, 0.0], 0.25, next).unwrap(),
            [0.25, 0.0, 0.75]
        );
    }
}
