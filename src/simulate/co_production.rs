//! Co-production intensity: satisfaction falls with the work that is asked for, and messages moderate that.

use super::closed::{not_negative, process, seeded};
use super::generate::{data, data_label, generate, oracle};
use super::oracle::{Oracle, Simulated};
use crate::error::Result;
use crate::numeric::Seed;
use serde::{Deserialize, Serialize};

/// The messages, in the order of their codes.
const MESSAGES: [&str; 3] = ["none", "value", "ease"];

/// An assumption that the process breaks.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum CoProductionFlaw {
    /// The able choose more work and are more satisfied: intensity is not exogenous.
    ChosenIntensity,
}

/// Customers who co-produce with more or less intensity, some after a message that stresses the value of the result
/// or the ease of the work.
///
/// `satisfaction = 5 + effect·intensity + (moderation_k·intensity)·1{message k} + .2·a + ε`, intensity and a standard
/// normal, ε ~ N(0, noise²). Haumann et al. (2015) have the sample size, the fall, and that both kinds of message
/// weaken it; levels are **assumed**.
///
/// | field | default | meaning |
/// |---|---|---|
/// | `customers` | 803 | |
/// | `effect` | −.40 | of intensity on satisfaction, without a message |
/// | `moderation` | .20, .15 | what value and ease messages add to that slope |
/// | `noise` | 1 | |
///
/// **Data**: `message`, `intensity`, `satisfaction`. **Oracle**: `ability`, `satisfaction_0` … `satisfaction_2` (by
/// message); effects: `slope_none`, `slope_value`, `slope_ease`, and `chosen_bias`, what
/// [`CoProductionFlaw::ChosenIntensity`] adds to every slope.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CoProduction {
    /// How many customers.
    pub customers: usize,
    /// Slope without a message.
    pub effect: f64,
    /// What the messages add to it.
    pub moderation: [f64; 2],
    /// Standard deviation of ε.
    pub noise: f64,
    /// Whether the oracle's rows are kept.
    pub keep_oracle: bool,
    /// The assumption that is broken.
    pub flaw: Option<CoProductionFlaw>,
    /// The seed; without one the process refuses to run.
    pub seed: Option<Seed>,
}

impl Default for CoProduction {
    fn default() -> Self {
        Self {
            customers: 803,
            effect: -0.4,
            moderation: [0.2, 0.15],
            noise: 1.0,
            keep_oracle: true,
            flaw: None,
            seed: None,
        }
    }
}

process!(CoProduction, customers, "customers");

impl CoProduction {
    /// The process at its defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Breaks one assumption.
    pub fn misspecify(mut self, flaw: CoProductionFlaw) -> Self {
        self.flaw = Some(flaw);
        self
    }

    /// Draws the customers.
    ///
    /// # Errors
    /// [`Error::SeedRequired`](crate::Error::SeedRequired), [`Error::InvalidOption`](crate::Error::InvalidOption).
    pub fn simulate(&self) -> Result<Simulated> {
        const LEVEL: f64 = 5.0;
        /// What ability adds to satisfaction, and its correlation with chosen intensity.
        const ABLE: f64 = 0.2;
        const CHOSEN: f64 = 0.5;
        let seed = seeded(self.seed, "co-production")?.child("co-production");
        not_negative("noise", self.noise)?;
        let fields = [
            data_label("message", &MESSAGES),
            data("intensity"),
            data("satisfaction"),
            oracle("ability"),
            oracle("satisfaction_0"),
            oracle("satisfaction_1"),
            oracle("satisfaction_2"),
        ];
        let chosen = self.flaw == Some(CoProductionFlaw::ChosenIntensity);
        let made = generate(
            self.customers,
            seed,
            &fields,
            self.keep_oracle,
            |draws, _, out| {
                let message = draws.below(MESSAGES.len());
                let (ability, own) = (draws.normal(), draws.normal());
                let intensity = if chosen {
                    CHOSEN * ability + (1.0 - CHOSEN * CHOSEN).sqrt() * own
                } else {
                    own
                };
                let noise = self.noise * draws.normal();
                let base = LEVEL + self.effect * intensity + ABLE * ability + noise;
                let y = [0.0, self.moderation[0], self.moderation[1]].map(|m| base + m * intensity);
                out.copy_from_slice(&[
                    message as f64,
                    intensity,
                    y[message],
                    ability,
                    y[0],
                    y[1],
                    y[2],
                ]);
            },
        )?;
        let oracle = Oracle::new(made.oracle)
            .with("slope_none", self.effect)
            .with("slope_value", self.effect + self.moderation[0])
            .with("slope_ease", self.effect + self.moderation[1])
            .with("chosen_bias", if chosen { ABLE * CHOSEN } else { 0.0 });
        Ok(Simulated {
            data: made.data,
            oracle,
        })
    }
}
