//! Power of the F test that several means are equal.

use super::planner::{Planner, Setting};
use super::rejection::{positive, shares};
use crate::error::{Error, Result};
use crate::numeric::special::{f, noncentral};
use serde::{Deserialize, Serialize};

/// Power of the F test of equal means in k arms. The effect is Cohen's `f = sd of the arm means / sd within arms`, the means weighted by
/// the shares of the arms; with n units the test is non-central F(k − 1, n − k) with non-centrality `f² n`.
///
/// | name | default | meaning | range |
/// |---|---|---|---|
/// | `arms` | | number of arms, or their shares | ≥ 2; shares sum to 1 |
/// | `effect` | none | Cohen's f | ≥ 0 |
/// | `means` | none | the same from arm means and a standard deviation | |
/// | `alpha` | 0.05 | level | (0, 1) |
///
/// ```
/// use cocreate::prelude::*;
/// let plan = AnovaPower::new(4).effect(0.1).sample_size(0.8)?;
/// assert!((plan.size - 1094.1716).abs() < 1e-3); // statsmodels
/// let same = AnovaPower::new(3).means(&[5.0, 5.0, 6.0], 4.0)?;
/// assert!(same.power(600.0)?.power > 0.7);
/// # Ok::<(), cocreate::Error>(())
/// ```
///
/// # Errors
/// [`Error::InvalidOption`] for numbers out of range; those of the verbs of [`Planner`].
///
/// # References
/// Cohen (1988), *Statistical Power Analysis for the Behavioral Sciences*, chapter 8.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AnovaPower {
    shares: Vec<f64>,
    effect: Option<f64>,
    alpha: f64,
}

impl AnovaPower {
    /// Arms of equal size.
    pub fn new(arms: usize) -> Self {
        Self {
            shares: vec![1.0 / arms as f64; arms],
            effect: None,
            alpha: 0.05,
        }
    }

    /// The shares of the arms.
    pub fn shares(mut self, shares: &[f64]) -> Self {
        self.shares = shares.to_vec();
        self
    }

    /// Sets Cohen's f.
    pub fn effect(mut self, effect: f64) -> Self {
        self.effect = Some(effect);
        self
    }

    /// Sets Cohen's f from the means of the arms and the standard deviation within them.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] when there is not one mean for each arm or the standard deviation is not positive.
    pub fn means(self, means: &[f64], sd: f64) -> Result<Self> {
        positive("standard deviation", sd)?;
        if means.len() != self.shares.len() {
            return Err(Error::invalid_option(
                "means",
                means.len(),
                format!("one for each of the {} arms", self.shares.len()),
            ));
        }
        let pairs = || means.iter().zip(&self.shares);
        let grand: f64 = pairs().map(|(m, s)| m * s).sum();
        let between: f64 = pairs().map(|(m, s)| s * (m - grand).powi(2)).sum();
        Ok(self.effect(between.sqrt() / sd))
    }

    /// Sets the level of the test (default 0.05).
    pub fn alpha(mut self, alpha: f64) -> Self {
        self.alpha = alpha;
        self
    }
}

impl Planner for AnovaPower {
    fn check(&self) -> Result<()> {
        if self.shares.len() < 2 {
            return Err(Error::invalid_option(
                "arms",
                self.shares.len(),
                "at least 2",
            ));
        }
        shares("shares", &self.shares)?;
        if let Some(effect) = self.effect.filter(|e| e.is_nan() || *e < 0.0) {
            return Err(Error::invalid_option("effect", effect, "not negative"));
        }
        Ok(())
    }

    fn alpha_level(&self) -> f64 {
        self.alpha
    }

    fn assumed_effect(&self) -> Option<f64> {
        self.effect
    }

    fn assuming(&self, effect: f64) -> Self {
        self.clone().effect(effect)
    }

    fn setting(&self) -> Setting {
        let arms = self.shares.len();
        let names = (0..arms).map(|i| format!("arm {}", i + 1));
        Setting::new(
            "Equal means, F test",
            "units",
            "Cohen's f",
            arms as f64 + 1.0,
        )
        .arms(names.zip(self.shares.iter().copied()))
        .assume("Outcomes", "normal with one variance")
    }

    fn power_at(&self, size: f64, effect: f64) -> Result<f64> {
        let groups = self.shares.len() as f64;
        let (df1, df2) = (groups - 1.0, size - groups);
        let critical = f::upper_quantile(self.alpha, df1, df2);
        Ok(noncentral::f_sf(critical, df1, df2, effect * effect * size))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::power::MeanPower;

    #[test]
    fn two_arms_are_a_t_test() {
        let f = AnovaPower::new(2)
            .shares(&[0.25, 0.75])
            .means(&[0.0, 0.4], 1.0)
            .unwrap();
        let t = MeanPower::new(1.0).effect(0.4).ratio(3.0);
        for n in [20.0, 150.0, 400.0] {
            let gap = f.power(n).unwrap().power - t.power(n).unwrap().power;
            assert!(gap.abs() < 1e-12, "{gap}");
        }
    }

    #[test]
    fn the_three_questions_invert_each_other() {
        let planner = AnovaPower::new(5).effect(0.15).alpha(0.01);
        let plan = planner.sample_size(0.9).unwrap();
        assert!((planner.power(plan.size).unwrap().power - 0.9).abs() < 1e-12);
        assert!((planner.mde(plan.size, 0.9).unwrap().effect - 0.15).abs() < 1e-9);
    }

    #[test]
    fn nonsense_is_refused() {
        assert!(AnovaPower::new(1).effect(0.1).power(50.0).is_err());
        assert!(AnovaPower::new(0).effect(0.1).power(50.0).is_err());
        assert!(AnovaPower::new(3).effect(-0.1).power(50.0).is_err());
        assert!(
            AnovaPower::new(2)
                .shares(&[0.5, 0.6])
                .effect(0.1)
                .power(50.0)
                .is_err()
        );
        assert!(AnovaPower::new(3).means(&[1.0, 2.0], 1.0).is_err());
        assert!(AnovaPower::new(3).effect(0.0).sample_size(0.8).is_err());
    }
}
