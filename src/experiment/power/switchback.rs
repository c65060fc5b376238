//! Power of a switchback by simulation.

use super::planner::{Planner, Setting, Shape};
use super::rejection::positive;
use super::simulated::{Simulation, direction, planned_by_simulation, simulated};
use crate::error::{Error, Result};
use crate::experiment::sums::satterthwaite;
use crate::numeric::permutation::{open_unit, shuffle};
use crate::numeric::special::{normal, student_t};
use rand::Rng;

/// Power of a switchback by simulation; the size is the number of periods.
///
/// Outcomes follow an AR(1) process with the given standard deviation and autocorrelation, plus the effect while treated; half of the blocks
/// are treated, burn-in periods are left out, and block means are compared by Welch's t test, as
/// [`SwitchbackSchedule::analyze`](crate::experiment::design::SwitchbackSchedule::analyze) does.
///
/// | name | default | meaning | range |
/// |---|---|---|---|
/// | `sd` | | of the outcome of a period | > 0 |
/// | `autocorrelation` | | of consecutive periods | (−1, 1) |
/// | `block_length` | 1 | periods a block | ≥ 1 |
/// | `burn_in` | 0 | periods left out | < block length |
/// | `replications`, `seed` | 2000, required | | |
///
/// ```
/// use cocreate::prelude::*;
/// let short = SwitchbackPower::new(10.0, 0.7).block_length(2).effect(4.0).replications(400).seed(7);
/// let long = short.clone().block_length(12);
/// assert!(short.power(240.0)?.power > long.power(240.0)?.power); // switching often tells slow noise from treatment
/// # Ok::<(), cocreate::Error>(())
/// ```
///
/// # Errors
/// [`Error::SeedRequired`]; [`Error::InvalidOption`] for numbers out of range; those of the verbs of [`Planner`].
#[derive(Clone, Debug, PartialEq)]
pub struct SwitchbackPower {
    sd: f64,
    autocorrelation: f64,
    block_length: usize,
    burn_in: usize,
    simulation: Simulation,
}

simulated!(SwitchbackPower);

impl SwitchbackPower {
    /// Blocks of one period without burn-in.
    pub fn new(sd: f64, autocorrelation: f64) -> Self {
        Self {
            sd,
            autocorrelation,
            block_length: 1,
            burn_in: 0,
            simulation: Simulation::default(),
        }
    }

    /// Periods in a block.
    pub fn block_length(mut self, periods: usize) -> Self {
        self.block_length = periods;
        self
    }

    /// Periods left out at the beginning of every block.
    pub fn burn_in(mut self, periods: usize) -> Self {
        self.burn_in = periods;
        self
    }
}

impl Planner for SwitchbackPower {
    planned_by_simulation!();

    fn check(&self) -> Result<()> {
        self.simulation.check()?;
        positive("standard deviation", self.sd)?;
        if self.autocorrelation.is_nan() || self.autocorrelation.abs() >= 1.0 {
            return Err(Error::invalid_option(
                "autocorrelation",
                self.autocorrelation,
                "between −1 and 1",
            ));
        }
        if self.burn_in >= self.block_length {
            return Err(Error::invalid_option(
                "burn_in",
                self.burn_in,
                format!(
                    "shorter than a block of {} periods, which has at least one",
                    self.block_length
                ),
            ));
        }
        Ok(())
    }

    fn setting(&self) -> Setting {
        let mut setting = Setting::new(
            "Switchback, Welch's t test of block means, simulated",
            "periods",
            "Difference of the means",
            4.0 * self.block_length as f64,
        )
        .assume("Standard deviation of a period", self.sd)
        .assume("Autocorrelation (AR 1)", self.autocorrelation)
        .assume(
            "Block length and burn-in",
            format!("{}, {}", self.block_length, self.burn_in),
        )
        .assume("Simulated experiments", self.simulation.replications);
        setting.direction = direction(self.simulation.effect);
        setting.shape = Shape::Simulated {
            replications: self.simulation.replications,
        };
        setting
    }

    fn power_at(&self, size: f64, effect: f64) -> Result<f64> {
        let count = size as usize / self.block_length;
        let (rho, innovation) = (
            self.autocorrelation,
            self.sd * (1.0 - self.autocorrelation.powi(2)).sqrt(),
        );
        self.simulation.share(|random| {
            let mut treated: Vec<bool> = (0..count).map(|b| b % 2 == 1).collect();
            shuffle(&mut treated, random);
            let mut gauss = || normal::quantile(open_unit(random.next_u64()));
            let mut noise = self.sd * gauss();
            let kept = (self.block_length - self.burn_in) as f64;
            let mut sums = [(0.0, 0.0, 0.0); 2];
            for treated in treated {
                let mut total = 0.0;
                for t in 0..self.block_length {
                    if t >= self.burn_in {
                        total += noise;
                    }
                    noise = rho * noise + innovation * gauss();
                }
                let mean = total / kept + if treated { effect } else { 0.0 };
                let arm = &mut sums[usize::from(treated)];
                // Welford's update: count, mean, squares.
                arm.0 += 1.0;
                let gap = mean - arm.1;
                arm.1 += gap / arm.0;
                arm.2 += gap * (mean - arm.1);
            }
            let [v0, v1] = sums.map(|(n, _, squares)| squares / ((n - 1.0) * n));
            let df = satterthwaite([v0, v1], [sums[0].0 - 1.0, sums[1].0 - 1.0]);
            let t = (sums[1].1 - sums[0].1) / (v0 + v1).sqrt();
            Ok(student_t::two_sided(t, df) <= self.simulation.alpha)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::power::MeanPower;

    #[test]
    fn without_autocorrelation_a_switchback_is_two_samples() {
        let simulated = SwitchbackPower::new(1.0, 0.0).effect(0.5).seed(1);
        let plan = simulated.power(120.0).unwrap();
        let exact = MeanPower::new(1.0).effect(0.5).power(120.0).unwrap().power;
        let error = plan.monte_carlo_error.unwrap();
        assert!(
            (plan.power - exact).abs() < 4.0 * error,
            "{} {exact}",
            plan.power
        );
        let level = simulated.clone().effect(0.0).power(120.0).unwrap();
        assert!((level.power - 0.05).abs() < 4.0 * level.monte_carlo_error.unwrap());
        // Burn-in costs the periods that are left out: blocks of two, one kept.
        let half = simulated.block_length(2).burn_in(1).power(240.0).unwrap();
        assert!(
            (half.power - exact).abs() < 4.0 * error,
            "{} {exact}",
            half.power
        );
    }

    #[test]
    fn searches_end_where_power_is_reached() {
        let planner = SwitchbackPower::new(1.0, 0.3)
            .effect(0.6)
            .seed(2)
            .replications(500);
        let plan = planner.sample_size(0.8).unwrap();
        assert!(plan.power >= 0.8 && planner.power(plan.size - 1.0).unwrap().power < 0.8);
        let found = planner.mde(plan.size, 0.8).unwrap();
        assert!(found.power >= 0.8 && found.effect <= 0.6 + 1e-9 && found.effect > 0.55);
        let below = planner.clone().effect(-0.6).mde(plan.size, 0.8).unwrap();
        assert!((below.effect + 0.6).abs() < 0.1);
    }

    #[test]
    fn nonsense_is_refused() {
        let fine = SwitchbackPower::new(1.0, 0.3).effect(0.6).seed(2);
        assert!(matches!(
            SwitchbackPower::new(1.0, 0.3).effect(0.6).power(99.0),
            Err(Error::SeedRequired { .. })
        ));
        assert!(fine.clone().replications(5).power(99.0).is_err());
        assert!(fine.clone().burn_in(1).power(99.0).is_err());
        assert!(fine.clone().block_length(0).power(99.0).is_err());
        assert!(
            SwitchbackPower::new(1.0, 1.0)
                .effect(0.6)
                .seed(2)
                .power(99.0)
                .is_err()
        );
        assert!(fine.sample_size(0.05).is_err());
    }
}
