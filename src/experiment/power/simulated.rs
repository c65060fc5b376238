//! Power by simulation: of any test, of switchbacks, and of geo experiments on their own history.

use super::planner::{Planner, Setting, Shape};
use super::rejection::positive;
use crate::data::Frame;
use crate::error::{Error, Result};
use crate::experiment::design::{GeoExperiment, Panel, pair_up};
use crate::numeric::permutation::{below, open_unit, shuffle};
use crate::numeric::special::{normal, student_t};
use crate::numeric::{Seed, blocks};
use rand::Rng;
use rand::rngs::ChaCha8Rng;
use std::fmt;
use std::sync::Arc;

/// Experiments simulated unless asked otherwise: a simulation error of the power of at most 1.1 percentage points.
const REPLICATIONS: usize = 2000;

/// A p-value of one simulated experiment of a size and effect.
pub type SimulatedTest = Arc<dyn Fn(usize, f64, &mut ChaCha8Rng) -> Result<f64> + Send + Sync>;

/// Effect, level, replications and seed of a simulated planner.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Simulation {
    effect: Option<f64>,
    alpha: f64,
    replications: usize,
    seed: Option<Seed>,
}

impl Default for Simulation {
    fn default() -> Self {
        Self {
            effect: None,
            alpha: 0.05,
            replications: REPLICATIONS,
            seed: None,
        }
    }
}

impl Simulation {
    fn check(&self) -> Result<()> {
        const FEWEST: usize = 20;
        if self.replications < FEWEST {
            return Err(Error::invalid_option(
                "replications",
                self.replications,
                format!("at least {FEWEST}"),
            ));
        }
        self.seed.map(|_| ()).ok_or_else(|| Error::SeedRequired {
            what: "power by simulation".to_owned(),
        })
    }

    /// The share of experiments that reject. Experiment i has stream i at all sizes and effects, so that comparisons are sharper than the
    /// simulation error, and power moves with the effect in one direction when the statistic does.
    fn share(&self, reject: impl Fn(&mut ChaCha8Rng) -> Result<bool> + Sync) -> Result<f64> {
        let seed = self.seed.unwrap_or_else(|| Seed::new(0)).child("power");
        let all = blocks::map(self.replications, |i| reject(&mut seed.stream(i as u64)));
        let mut rejected = 0_usize;
        for outcome in all {
            rejected += usize::from(outcome?);
        }
        Ok(rejected as f64 / self.replications as f64)
    }
}

macro_rules! simulated {
    ($type:ty) => {
        impl $type {
            /// Sets the effect that power and sample size are for.
            pub fn effect(mut self, effect: f64) -> Self {
                self.simulation.effect = Some(effect);
                self
            }

            /// Sets the level of the two-sided test (default 0.05).
            pub fn alpha(mut self, alpha: f64) -> Self {
                self.simulation.alpha = alpha;
                self
            }

            /// Sets the number of simulated experiments (default 2000).
            pub fn replications(mut self, replications: usize) -> Self {
                self.simulation.replications = replications;
                self
            }

            /// Sets the seed.
            pub fn seed(mut self, seed: impl Into<Seed>) -> Self {
                self.simulation.seed = Some(seed.into());
                self
            }
        }
    };
}

macro_rules! planned {
    () => {
        fn alpha_level(&self) -> f64 {
            self.simulation.alpha
        }

        fn assumed_effect(&self) -> Option<f64> {
            self.simulation.effect
        }

        fn assuming(&self, effect: f64) -> Self {
            self.clone().effect(effect)
        }
    };
}

/// Power of any test, by simulating experiments: give a function from size, effect and random generator to the p-value of one experiment.
///
/// Sizes are whole numbers. The effect at which the test has its level is zero, effects are looked for above it (below, for a negative
/// `effect`). The same seed gives the same power on any number of threads; its simulation error is part of the plan.
///
/// ```
/// use cocreate::prelude::*;
/// use cocreate::numeric::permutation::open_unit;
/// use cocreate::numeric::special::normal;
/// use rand::Rng as _;
/// // A sign test of exponential outcomes whose median the treatment moves.
/// let sign_test = PowerSimulation::new("Sign test", |size, effect, random| {
///     let above = (0..size).filter(|_| -open_unit(random.next_u64()).ln() + effect > 2f64.ln()).count();
///     let z = (above as f64 - 0.5 * size as f64) / (0.25 * size as f64).sqrt();
///     Ok(2.0 * normal::sf(z.abs()))
/// });
/// let plan = sign_test.seed(7).replications(400).effect(0.3).power(100.0)?;
/// assert!(plan.power > 0.7 && plan.monte_carlo_error.unwrap() < 0.03);
/// # Ok::<(), cocreate::Error>(())
/// ```
///
/// # Errors
/// [`Error::SeedRequired`]; [`Error::InvalidOption`] for fewer than 20 replications; those of the function; those of the verbs of [`Planner`].
#[derive(Clone)]
pub struct PowerSimulation {
    name: String,
    test: SimulatedTest,
    smallest: usize,
    simulation: Simulation,
}

simulated!(PowerSimulation);

impl fmt::Debug for PowerSimulation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PowerSimulation")
            .field("name", &self.name)
            .field("simulation", &self.simulation)
            .finish_non_exhaustive()
    }
}

impl PowerSimulation {
    /// A test of this name that is simulated by this function.
    pub fn new(
        name: impl Into<String>,
        test: impl Fn(usize, f64, &mut ChaCha8Rng) -> Result<f64> + Send + Sync + 'static,
    ) -> Self {
        Self {
            name: name.into(),
            test: Arc::new(test),
            smallest: 2,
            simulation: Simulation::default(),
        }
    }

    /// The smallest size for which the test is defined (default 2).
    pub fn smallest(mut self, size: usize) -> Self {
        self.smallest = size;
        self
    }
}

impl Planner for PowerSimulation {
    planned!();

    fn check(&self) -> Result<()> {
        self.simulation.check()
    }

    fn setting(&self) -> Setting {
        let mut setting = Setting::new(
            format!("{}, simulated", self.name),
            "units",
            "Effect",
            self.smallest as f64,
        )
        .assume("Simulated experiments", self.simulation.replications);
        setting.direction = direction(self.simulation.effect);
        setting.shape = Shape::Simulated {
            replications: self.simulation.replications,
        };
        setting
    }

    fn power_at(&self, size: f64, effect: f64) -> Result<f64> {
        let alpha = self.simulation.alpha;
        self.simulation
            .share(|random| Ok((self.test)(size.round() as usize, effect, random)? <= alpha))
    }
}

fn direction(effect: Option<f64>) -> f64 {
    if effect.is_some_and(|e| e < 0.0) {
        -1.0
    } else {
        1.0
    }
}

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
    planned!();

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
            let df =
                (v0 + v1).powi(2) / (v0 * v0 / (sums[0].0 - 1.0) + v1 * v1 / (sums[1].0 - 1.0));
            let t = (sums[1].1 - sums[0].1) / (v0 + v1).sqrt();
            Ok(student_t::two_sided(t, df) <= self.simulation.alpha)
        })
    }
}

/// Power of a [`GeoExperiment`] by placebo experiments on its own history; the size is the number of times of the experiment.
///
/// Every placebo experiment draws a start, pairs the regions by what came before, treats one of each pair, raises its outcomes by the
/// relative `effect` over as many times as the size says, and tests as [`GeoAssigned::analyze`](crate::experiment::design::GeoAssigned::analyze)
/// does: the t test of the pairs' differences in differences. No model of the noise is assumed, only that the future is like the past.
///
/// | name | default | meaning | range |
/// |---|---|---|---|
/// | `history` | | panel from before the experiment | complete |
/// | `before` | half of the history | times that come before a placebo start, at least | ≥ 3 |
/// | `replications`, `seed` | 2000, required | | |
///
/// ```
/// use cocreate::prelude::*;
/// let cells = (0..12_u32).flat_map(|g| (0..60_u32).map(move |t| (g, t)));
/// let (mut geo, mut week, mut sales) = (vec![], vec![], vec![]);
/// for (g, t) in cells {
///     geo.push(f64::from(g));
///     week.push(f64::from(t));
///     sales.push(100.0 + 20.0 * f64::from(g / 2) + f64::from((g * 31 + t * 17 + g * t) % 23));
/// }
/// let history = Frame::new().with("geo", geo)?.with("week", week)?.with("sales", sales)?;
/// let planner = GeoPower::new(&GeoExperiment::new("geo", "week", "sales"), &history)?.replications(200).seed(7);
/// assert!(planner.clone().effect(0.10).power(8.0)?.power > 0.9);
/// assert!(planner.effect(0.0).power(8.0)?.power < 0.12); // placebos without effect
/// # Ok::<(), cocreate::Error>(())
/// ```
///
/// # Errors
/// [`Error::SeedRequired`]; [`Error::InvalidOption`] for a history that is too short for the size; those of [`GeoExperiment`] and of the verbs
/// of [`Planner`].
#[derive(Clone, Debug, PartialEq)]
pub struct GeoPower {
    panel: Panel,
    before: usize,
    simulation: Simulation,
}

simulated!(GeoPower);

impl GeoPower {
    /// Power from this history.
    ///
    /// # Errors
    /// Those of [`GeoExperiment`].
    pub fn new(design: &GeoExperiment, history: &Frame) -> Result<Self> {
        let panel = design.panel(history)?;
        Ok(Self {
            before: panel.times.len() / 2,
            panel,
            simulation: Simulation::default(),
        })
    }

    /// Times that come before a placebo start, at least.
    pub fn before(mut self, times: usize) -> Self {
        self.before = times;
        self
    }
}

impl Planner for GeoPower {
    planned!();

    fn check(&self) -> Result<()> {
        const FEWEST: usize = 3;
        self.simulation.check()?;
        if self.before < FEWEST || self.before >= self.panel.times.len() {
            return Err(Error::invalid_option(
                "before",
                self.before,
                format!(
                    "from {FEWEST} to less than the {} times of the history",
                    self.panel.times.len()
                ),
            ));
        }
        pair_up(&self.panel, self.before, Seed::new(0)).map(|_| ())
    }

    fn setting(&self) -> Setting {
        let mut setting = Setting::new(
            "Geo experiment, differences in differences of pairs, placebo experiments",
            "times",
            "Relative lift",
            1.0,
        )
        .assume("Regions", self.panel.geos.len())
        .assume("Times of history", self.panel.times.len())
        .assume("Times before a placebo start, at least", self.before)
        .assume("Placebo experiments", self.simulation.replications);
        setting.direction = direction(self.simulation.effect);
        if setting.direction < 0.0 {
            setting.limit = 1.0;
        }
        setting.shape = Shape::Simulated {
            replications: self.simulation.replications,
        };
        setting
    }

    fn power_at(&self, size: f64, effect: f64) -> Result<f64> {
        let window = size as usize;
        let times = self.panel.times.len();
        if self.before + window > times {
            return Err(Error::invalid_option(
                "size",
                window,
                format!(
                    "at most {}: the history has {times} times, of which {} come before",
                    times - self.before,
                    self.before
                ),
            ));
        }
        let starts = (times - window - self.before + 1) as u64;
        self.simulation.share(|random| {
            let start = self.before + below(random, starts) as usize;
            let assigned = pair_up(&self.panel, start, Seed::new(random.next_u64()))?;
            let strata = assigned.strata_by_row();
            let mut differences = vec![0.0; self.panel.geos.len() / 2];
            for ((series, pair), arm) in self.panel.series.iter().zip(strata).zip(assigned.codes())
            {
                let after = series[start..start + window].iter().sum::<f64>() / window as f64;
                let before = series[..start].iter().sum::<f64>() / start as f64;
                differences[pair as usize] += if *arm == 1 {
                    after * (1.0 + effect) - before
                } else {
                    before - after
                };
            }
            let pairs = differences.len() as f64;
            let mean = differences.iter().sum::<f64>() / pairs;
            let squares: f64 = differences.iter().map(|d| (d - mean).powi(2)).sum();
            let t = mean / (squares / (pairs * (pairs - 1.0))).sqrt();
            Ok(student_t::two_sided(t, pairs - 1.0) <= self.simulation.alpha)
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
