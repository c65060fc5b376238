//! What customers ask for their data: choices among offers, and answers to bids.

use super::closed::{flag, not_negative, process, seeded, seen_if};
use super::generate::{data, generate, generate_units, oracle};
use super::oracle::{Oracle, Simulated};
use crate::error::{Error, Result};
use crate::numeric::Seed;
use crate::numeric::special::normal;
use serde::{Deserialize, Serialize};

/// Offers of a choice set, the last of which takes nothing and gives nothing.
const OFFERS: usize = 3;

/// Customers choose among two offers for their data and none: `U_j = β_1 share + β_2 control + β_3 benefit + β_t payment + ε`, ε Gumbel, no offer with
/// all attributes zero. Shares, control and benefits are drawn from levels, payments uniformly between zero and the largest. Levels are **assumed**.
///
/// **Data**, one row an offer: `person`, `set`, `share`, `control`, `benefit`, `payment`, `chosen`. **Oracle**: effects `wta_share`, `wta_control`,
/// `wta_benefit`: the payment that makes up for one unit, `−β/β_t`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DataOffers {
    /// How many persons.
    pub customers: usize,
    /// Choice sets of each.
    pub sets: usize,
    /// β of share, control, benefit, payment.
    pub tastes: [f64; 4],
    /// The largest payment.
    pub largest_payment: f64,
    /// Whether the oracle's rows are kept.
    pub keep_oracle: bool,
    /// The seed; without one the process refuses to run.
    pub seed: Option<Seed>,
}

impl Default for DataOffers {
    fn default() -> Self {
        Self {
            customers: 500,
            sets: 6,
            tastes: [-1.2, -0.8, 0.6, 0.4],
            largest_payment: 8.0,
            keep_oracle: true,
            seed: None,
        }
    }
}

process!(DataOffers, customers, "persons");

impl DataOffers {
    /// The process at its defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Draws the choices.
    ///
    /// # Errors
    /// [`Error::SeedRequired`], [`Error::InvalidOption`].
    pub fn simulate(&self) -> Result<Simulated> {
        let seed = seeded(self.seed, "the choices among offers")?.child("data offers");
        not_negative("largest_payment", self.largest_payment)?;
        let [b_share, b_control, b_benefit, b_payment] = self.tastes;
        let finite = self.tastes.iter().all(|b| b.is_finite());
        if !(finite && b_payment > 0.0) || self.sets == 0 {
            return Err(Error::invalid_option(
                "tastes, sets",
                format!("{:?}, {}", self.tastes, self.sets),
                "finite tastes, a positive one for payments, and at least one set",
            ));
        }
        let names = [
            "person", "set", "share", "control", "benefit", "payment", "chosen",
        ];
        let fields = names.map(data);
        let made = generate_units(
            self.customers,
            seed,
            &fields,
            self.keep_oracle,
            |draws, person, out| {
                for set in 0..self.sets {
                    let mut offers = [[0.0; 4]; OFFERS];
                    for offer in &mut offers[..OFFERS - 1] {
                        *offer = [
                            0.25 * (1 + draws.below(4)) as f64,
                            0.5 * draws.below(3) as f64,
                            draws.below(3) as f64,
                            self.largest_payment * draws.uniform(),
                        ];
                    }
                    let utilities = offers.map(|offer| {
                        let value: f64 = offer.iter().zip(&self.tastes).map(|(x, b)| x * b).sum();
                        value - draws.exponential().ln()
                    });
                    let best = utilities.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                    for (offer, utility) in offers.iter().zip(utilities) {
                        out.extend([person as f64, (person * self.sets + set) as f64]);
                        out.extend(offer);
                        out.push(flag(utility >= best));
                    }
                }
            },
        )?;
        let oracle = Oracle::new(made.oracle)
            .with("wta_share", -b_share / b_payment)
            .with("wta_control", -b_control / b_payment)
            .with("wta_benefit", -b_benefit / b_payment);
        Ok(Simulated {
            data: made.data,
            oracle,
        })
    }
}

/// Customers are asked whether they would give their data for a bid, and again for a lower bid after yes or a higher one after no. The least
/// compensation is `max(μ + βx + σu, 0)`, u standard normal: those for whom it is zero give their data for nothing. Levels are **assumed**.
///
/// **Data**: `x`, `bid`, `yes`, `bid_2`, `yes_2`, `wants_any` (0 for those who ask nothing). **Oracle**: `compensation`; effects `mean`, `median` (both at
/// x = 0, its mean) and `share_for_nothing`, of the population.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DataAsks {
    /// How many persons.
    pub customers: usize,
    /// μ, β, σ.
    pub compensation: [f64; 3],
    /// The first bids, asked with equal probability; the second is half or double.
    pub bids: Vec<f64>,
    /// Whether the oracle's rows are kept.
    pub keep_oracle: bool,
    /// The seed; without one the process refuses to run.
    pub seed: Option<Seed>,
}

impl Default for DataAsks {
    fn default() -> Self {
        Self {
            customers: 2_000,
            compensation: [5.0, 1.0, 5.0],
            bids: vec![2.0, 4.0, 8.0, 12.0],
            keep_oracle: true,
            seed: None,
        }
    }
}

process!(DataAsks, customers, "persons");

impl DataAsks {
    /// The process at its defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Draws the answers.
    ///
    /// # Errors
    /// [`Error::SeedRequired`], [`Error::InvalidOption`].
    pub fn simulate(&self) -> Result<Simulated> {
        let seed = seeded(self.seed, "the answers to bids")?.child("data asks");
        let [mu, beta, sigma] = self.compensation;
        let good = self.bids.iter().all(|b| *b > 0.0 && b.is_finite()) && !self.bids.is_empty();
        if !(good && sigma > 0.0 && [mu, beta, sigma].iter().all(|v| v.is_finite())) {
            return Err(Error::invalid_option(
                "compensation, bids",
                format!("{:?}, {:?}", self.compensation, self.bids),
                "finite, with σ and all bids positive",
            ));
        }
        let mut fields: Vec<_> = ["x", "bid", "yes", "bid_2", "yes_2", "wants_any"]
            .map(data)
            .to_vec();
        fields.push(oracle("compensation"));
        let made = generate(
            self.customers,
            seed,
            &fields,
            self.keep_oracle,
            |draws, _, out| {
                let x = draws.normal();
                let least = (mu + beta * x + sigma * draws.normal()).max(0.0);
                let bid = self.bids[draws.below(self.bids.len())];
                let yes = flag(least <= bid);
                let second = if yes > 0.5 { 0.5 * bid } else { 2.0 * bid };
                let any = flag(least > 0.0);
                // Whoever asks nothing is not asked further.
                out.copy_from_slice(&[
                    x,
                    bid,
                    yes,
                    seen_if(any, second),
                    seen_if(any, flag(least <= second)),
                    any,
                    least,
                ]);
            },
        )?;
        let z = mu / sigma;
        let oracle = Oracle::new(made.oracle)
            .with("mean", mu * normal::cdf(z) + sigma * normal::pdf(z))
            .with("median", mu.max(0.0))
            .with("share_for_nothing", normal::cdf(-z));
        Ok(Simulated {
            data: made.data,
            oracle,
        })
    }
}
