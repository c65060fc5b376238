//! A choice under false confidence: what people choose follows what they anticipate, what they get is something else.

use super::closed::{not_negative, process, seeded};
use super::generate::{data, data_label, generate, oracle};
use super::oracle::{Oracle, Simulated};
use crate::error::Result;
use crate::numeric::Seed;
use serde::{Deserialize, Serialize};

/// The alternatives, in the order of their codes.
const ALTERNATIVES: [&str; 3] = ["none", "standard", "co-create"];

/// Customers choose among nothing, a standard product and co-creating one by a logit of *anticipated* utility;
/// co-creating turns out worse than anticipated by `overconfidence`, in money. The log-sum of anticipated utilities
/// credits this false confidence as welfare; the right consumer surplus is `(1/β_p)[ln Σ e^{V^a} + Σ P_j(V^e_j −
/// V^a_j)]`. All levels are **assumed**.
///
/// | field | default | meaning |
/// |---|---|---|
/// | `customers` | 10,000 | |
/// | `standard`, `co_create` | 1, 1.5 | anticipated values in money, before the price |
/// | `overconfidence` | .8 | anticipated less experienced value of co-creating |
/// | `prices` | .5, 1, 1.5 | of both products, drawn independently |
/// | `price_coefficient` | 2 | β_p |
///
/// **Data**: `choice`, `price_standard`, `price_co_create`. **Oracle**: `anticipated_surplus` (log-sum),
/// `experienced_surplus`, `p_co_create`; effects: `log_sum`, `surplus`, and `log_sum_bias` = their difference,
/// `overconfidence · mean P(co-create)`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ConfidentChoice {
    /// How many customers.
    pub customers: usize,
    /// Value of the standard product.
    pub standard: f64,
    /// Anticipated value of co-creating.
    pub co_create: f64,
    /// What is lost against it.
    pub overconfidence: f64,
    /// The prices.
    pub prices: [f64; 3],
    /// β_p.
    pub price_coefficient: f64,
    /// Whether the oracle's rows are kept.
    pub keep_oracle: bool,
    /// The seed; without one the process refuses to run.
    pub seed: Option<Seed>,
}

impl Default for ConfidentChoice {
    fn default() -> Self {
        Self {
            customers: 10_000,
            standard: 1.0,
            co_create: 1.5,
            overconfidence: 0.8,
            prices: [0.5, 1.0, 1.5],
            price_coefficient: 2.0,
            keep_oracle: true,
            seed: None,
        }
    }
}

process!(ConfidentChoice, customers, "customers");

impl ConfidentChoice {
    /// The process at its defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Draws the customers.
    ///
    /// # Errors
    /// [`Error::SeedRequired`](crate::Error::SeedRequired), [`Error::InvalidOption`](crate::Error::InvalidOption).
    pub fn simulate(&self) -> Result<Simulated> {
        let seed = seeded(self.seed, "the choice")?.child("confident choice");
        not_negative("price_coefficient", self.price_coefficient)?;
        let fields = [
            data_label("choice", &ALTERNATIVES),
            data("price_standard"),
            data("price_co_create"),
            oracle("anticipated_surplus"),
            oracle("experienced_surplus"),
            oracle("p_co_create"),
        ];
        let beta = self.price_coefficient;
        let made = generate(
            self.customers,
            seed,
            &fields,
            self.keep_oracle,
            |draws, _, out| {
                let prices = [0, 1].map(|_| self.prices[draws.below(self.prices.len())]);
                let v = [
                    0.0,
                    beta * (self.standard - prices[0]),
                    beta * (self.co_create - prices[1]),
                ];
                // Gumbel errors: −ln of exponentials.
                let u = v.map(|v| v - draws.exponential().ln());
                let choice = if u[2] > u[0].max(u[1]) {
                    2.0
                } else if u[1] > u[0] {
                    1.0
                } else {
                    0.0
                };
                let total: f64 = v.iter().map(|v| v.exp()).sum();
                let log_sum = total.ln() / beta;
                let p = v[2].exp() / total;
                out.copy_from_slice(&[
                    choice,
                    prices[0],
                    prices[1],
                    log_sum,
                    log_sum - p * self.overconfidence,
                    p,
                ]);
            },
        )?;
        let (naive, right) = (
            made.mean("anticipated_surplus"),
            made.mean("experienced_surplus"),
        );
        let oracle = Oracle::new(made.oracle)
            .with("log_sum", naive)
            .with("surplus", right)
            .with("log_sum_bias", naive - right);
        Ok(Simulated {
            data: made.data,
            oracle,
        })
    }
}
