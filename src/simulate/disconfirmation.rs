//! Satisfaction of customers who expected something.

use super::closed::{not_negative, process, seeded};
use super::generate::{data, generate};
use super::oracle::{Oracle, Simulated};
use crate::error::{Error, Result};
use crate::numeric::Seed;
use serde::{Deserialize, Serialize};

/// Customers expect E, see performance P and say how satisfied they are: `y = b_0 + b_1 E + b_2 P + b_3 E² + b_4 EP + b_5 P² − ℓ (E − P)₊ + σε`, with (E, P) normal with mean zero, standard
/// deviations `spreads` and correlation ρ. With ℓ > 0 performance below the expectation weighs more than performance above it. Levels are
/// **assumed**.
///
/// **Data**: `expectation`, `performance`, `satisfaction`. **Oracle**: effects `congruence_slope` b_1 + b_2, `congruence_curvature` b_3 + b_4 + b_5,
/// `incongruence_slope` b_1 − b_2, `incongruence_curvature` b_3 − b_4 + b_5, and `loss_aversion` `(b_2 + ℓ)/b_2`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Disconfirmation {
    /// How many customers.
    pub customers: usize,
    /// b_0 … b_5.
    pub surface: [f64; 6],
    /// ℓ.
    pub loss: f64,
    /// Standard deviations of E and P.
    pub spreads: [f64; 2],
    /// ρ.
    pub correlation: f64,
    /// σ.
    pub noise: f64,
    /// Whether the oracle's rows are kept.
    pub keep_oracle: bool,
    /// The seed; without one the process refuses to run.
    pub seed: Option<Seed>,
}

impl Default for Disconfirmation {
    fn default() -> Self {
        Self {
            customers: 2_000,
            surface: [5.0, -0.1, 0.5, -0.1, 0.15, -0.08],
            loss: 0.5,
            spreads: [1.0, 1.0],
            correlation: 0.3,
            noise: 1.0,
            keep_oracle: true,
            seed: None,
        }
    }
}

process!(Disconfirmation, customers, "customers");

impl Disconfirmation {
    /// The process at its defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Draws the customers.
    ///
    /// # Errors
    /// [`Error::SeedRequired`], [`Error::InvalidOption`].
    pub fn simulate(&self) -> Result<Simulated> {
        let seed = seeded(self.seed, "the satisfaction survey")?.child("disconfirmation");
        for (name, value) in [
            ("spreads", self.spreads[0]),
            ("spreads", self.spreads[1]),
            ("noise", self.noise),
        ] {
            not_negative(name, value)?;
        }
        let finite = self.surface.iter().all(|b| b.is_finite()) && self.loss.is_finite();
        if !(finite && self.correlation.abs() <= 1.0) {
            return Err(Error::invalid_option(
                "surface, loss, correlation",
                format!("{:?}, {}, {}", self.surface, self.loss, self.correlation),
                "finite numbers, and a correlation between −1 and 1",
            ));
        }
        let [b0, b1, b2, b3, b4, b5] = self.surface;
        let rho = self.correlation;
        let fields = ["expectation", "performance", "satisfaction"].map(data);
        let made = generate(
            self.customers,
            seed,
            &fields,
            self.keep_oracle,
            |draws, _, out| {
                let (u, v) = (draws.normal(), draws.normal());
                let e = self.spreads[0] * u;
                let p = self.spreads[1] * (rho * u + (1.0 - rho * rho).sqrt() * v);
                let y = b0 + b1 * e + b2 * p + b3 * e * e + b4 * e * p + b5 * p * p
                    - self.loss * (e - p).max(0.0)
                    + self.noise * draws.normal();
                out.copy_from_slice(&[e, p, y]);
            },
        )?;
        let mut oracle = Oracle::new(made.oracle)
            .with("congruence_slope", b1 + b2)
            .with("congruence_curvature", b3 + b4 + b5)
            .with("incongruence_slope", b1 - b2)
            .with("incongruence_curvature", b3 - b4 + b5);
        if b2.abs() > 0.0 {
            oracle = oracle.with("loss_aversion", (b2 + self.loss) / b2);
        }
        Ok(Simulated {
            data: made.data,
            oracle,
        })
    }
}
