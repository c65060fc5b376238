//! Power of any test by simulation.

use super::planner::{Planner, Setting, Shape};
use crate::error::{Error, Result};
use crate::numeric::{Seed, blocks};
use rand::rngs::ChaCha8Rng;
use std::fmt;
use std::sync::Arc;

/// Experiments simulated unless asked otherwise: a simulation error of the power of at most 1.1 percentage points.
const REPLICATIONS: usize = 2000;

/// A p-value of one simulated experiment of a size and effect.
pub type SimulatedTest = Arc<dyn Fn(usize, f64, &mut ChaCha8Rng) -> Result<f64> + Send + Sync>;

/// Effect, level, replications and seed of a simulated planner.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Simulation {
    pub(super) effect: Option<f64>,
    pub(super) alpha: f64,
    pub(super) replications: usize,
    pub(super) seed: Option<Seed>,
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
    pub(super) fn check(&self) -> Result<()> {
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
    pub(super) fn share(
        &self,
        reject: impl Fn(&mut ChaCha8Rng) -> Result<bool> + Sync,
    ) -> Result<f64> {
        let seed = self.seed.unwrap_or_else(|| Seed::new(0)).child("power");
        let all = blocks::map(self.replications, |i| reject(&mut seed.stream(i as u64)));
        let mut rejected = 0_usize;
        for outcome in all {
            rejected += usize::from(outcome?);
        }
        Ok(rejected as f64 / self.replications as f64)
    }
}

/// Builder methods of a planner with a field `simulation`.
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
            pub fn seed(mut self, seed: impl Into<$crate::numeric::Seed>) -> Self {
                self.simulation.seed = Some(seed.into());
                self
            }
        }
    };
}

pub(super) use simulated;

/// The three required methods of `Planner` that read the field `simulation`.
macro_rules! planned_by_simulation {
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

pub(super) use planned_by_simulation;

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
    planned_by_simulation!();

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

/// Where effects are looked for.
pub(super) fn direction(effect: Option<f64>) -> f64 {
    if effect.is_some_and(|e| e < 0.0) {
        -1.0
    } else {
        1.0
    }
}
