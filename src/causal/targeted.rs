//! Targeted maximum likelihood: average effects that are plugged in, so that they keep to what outcomes can be.

use super::average::AverageEffects;
use super::doubly_robust_fit::DoublyRobustFit;
use super::units::{Linearised, Units};
use crate::error::{Error, Result};

/// Means are kept this far, as a share of the outcome's range, from its ends, so that they have a logit.
const MARGIN: f64 = 5e-4;
const MOST_STEPS: usize = 100;
const TOLERANCE: f64 = 1e-12;

impl DoublyRobustFit {
    /// The average effects by targeted maximum likelihood (TMLE). With outcomes scaled to their range, the mean of each arm is moved by one parameter,
    ///
    /// `logit μ*_k(x) = logit μ̂_k(x) + ε_k`, `Σ 1{W = k} (Y − μ*_k(X))/ê_k(X) = 0`,
    ///
    /// and the mean outcome under the arm is that of `μ*_k(X)`. It solves the same equation as the scores of [`average_effect`](Self::average_effect) and has the same influence and limit, but
    /// as a mean of predictions it stays inside the range of the outcome, which steadies it where propensities are small. Outcomes of 0 and 1 make the usual logistic step.
    ///
    /// # Errors
    /// [`Error::Unidentified`] for an arm whose outcomes are all at one end of the range: its step has no solution; [`Error::NotConverged`].
    ///
    /// # References
    /// van der Laan & Rubin (2006), doi:10.2202/1557-4679.1043; Gruber & van der Laan (2010), doi:10.2202/1557-4679.1260, for outcomes in a range.
    ///
    /// # Examples
    /// ```
    /// use cocreate::prelude::*;
    /// let made = HeterogeneousEffects::new(EffectDesign::NieWagerC).customers(600).seed(7).simulate()?;
    /// let fit = DoublyRobust::new("y", "w", &["x1", "x2", "x3"]).learner(Learner::linear()).seed(7).fit(&made.data)?;
    /// let targeted = fit.targeted()?.coefficient("1")?;
    /// let scored = fit.average_effect().coefficient("1")?;
    /// assert!((targeted.estimate - scored.estimate).abs() < scored.std_error);
    /// # Ok::<(), cocreate::Error>(())
    /// ```
    pub fn targeted(&self) -> Result<AverageEffects> {
        let low = self.outcome.iter().copied().fold(f64::INFINITY, f64::min);
        let high = (self.outcome.iter().copied()).fold(f64::NEG_INFINITY, f64::max);
        let arms = (0..self.arms().len())
            .map(|arm| self.targeted_arm(arm, low, high - low))
            .collect::<Result<Vec<Linearised>>>()?;
        let parts: Vec<Linearised> = (arms[1..].iter())
            .map(|arm| Linearised {
                estimate: arm.estimate - arms[0].estimate,
                influence: (arm.influence.iter().zip(&arms[0].influence))
                    .map(|(a, b)| a - b)
                    .collect(),
            })
            .collect();
        Ok(self.effects("Average effect, targeted", &parts))
    }

    /// The mean outcome under an arm.
    fn targeted_arm(&self, arm: usize, low: f64, range: f64) -> Result<Linearised> {
        let rows = self.rows();
        let logits: Vec<f64> = (self.means[arm].iter())
            .map(|mean| {
                let share = ((mean - low) / range).clamp(MARGIN, 1.0 - MARGIN);
                (share / (1.0 - share)).ln()
            })
            .collect();
        let odds: Vec<f64> = (0..rows)
            .map(|row| {
                let own = self.arm_of[row] as usize == arm;
                f64::from(u8::from(own)) / self.propensities[arm][row]
            })
            .collect();
        let shares: Vec<f64> = self.outcome.iter().map(|y| (y - low) / range).collect();
        let weight = |row: usize| odds[row] * self.scores.weight(row);
        let own = (0..rows).filter(|row| weight(*row) > 0.0);
        let (most, least) = own.fold((0.0_f64, 1.0_f64), |(most, least), row| {
            (most.max(shares[row]), least.min(shares[row]))
        });
        if most <= 0.0 || least >= 1.0 {
            return Err(Error::Unidentified {
                what: format!("the targeted mean of arm `{}`", self.arms()[arm]),
                needs: "outcomes of the arm that are not all the lowest or all the highest; use `average_effect`".to_owned(),
            });
        }
        let fitted = |row: usize, step: f64| 1.0 / (1.0 + (-logits[row] - step).exp());
        let mut step = 0.0;
        let mut left = f64::INFINITY;
        for _ in 0..MOST_STEPS {
            let (mut gradient, mut curvature, mut total) = (0.0, 0.0, 0.0);
            for row in (0..rows).filter(|row| odds[*row] > 0.0) {
                let (w, p) = (weight(row), fitted(row, step));
                gradient += w * (shares[row] - p);
                curvature += w * p * (1.0 - p);
                total += w;
            }
            left = gradient.abs() / total;
            if left <= TOLERANCE {
                break;
            }
            // The slope is falling on both sides of its root; a bounded step cannot run away.
            step += (gradient / curvature).clamp(-1.0, 1.0);
        }
        if left > TOLERANCE {
            return Err(Error::NotConverged {
                what: format!("the targeting step of arm `{}`", self.arms()[arm]),
                iterations: MOST_STEPS,
                criterion: left,
                tolerance: TOLERANCE,
                remedy: "use `average_effect`".to_owned(),
            });
        }
        let score: Vec<f64> = (0..rows)
            .map(|row| {
                let mean = low + range * fitted(row, step);
                mean + odds[row] * (self.outcome[row] - mean)
            })
            .collect();
        Ok(Units::of(&self.scores).ratio(&score, |_| 1.0, |_| true))
    }
}
