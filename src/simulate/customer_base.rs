//! A customer base that buys and drops out: the BG/NBD model.

use super::closed::{flag, process, seeded};
use super::generate::{data, generate, oracle};
use super::oracle::{Oracle, Simulated};
use crate::error::{Error, Result};
use crate::numeric::Seed;
use serde::{Deserialize, Serialize};

/// Customers who buy at rate λ ~ Gamma(r, rate α) while they live, and drop out after a purchase with probability p ~
/// Beta(a, b), the first purchase being the birth: the BG/NBD model at the estimates of Fader, Hardie & Lee (2005,
/// *Marketing Science* 24) for the CDNOW data.
///
/// | field | default | meaning |
/// |---|---|---|
/// | `customers` | 2,357 | as in CDNOW |
/// | `rate` | .243, 4.414 | r, α (weeks) |
/// | `dropout` | .793, 2.426 | a, b |
/// | `weeks` | 27 to 39 | observed time T since the first purchase, uniform |
/// | `ahead` | 39 | weeks of the future that the oracle counts |
///
/// **Data**: `frequency` (repeat purchases x), `recency` (t_x, 0 without repeat), `observed` (T). **Oracle**:
/// `purchase_rate`, `dropout_probability`, `alive`, `future` (purchases in the weeks ahead); effects:
/// `mean_frequency`, `alive`, `mean_future`, `expected_none` (Pr(x = 0) in closed form, E (α/(α + T))^r).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CustomerBase {
    /// How many customers.
    pub customers: usize,
    /// r and α.
    pub rate: [f64; 2],
    /// a and b.
    pub dropout: [f64; 2],
    /// Shortest and longest T.
    pub weeks: [f64; 2],
    /// Weeks ahead.
    pub ahead: f64,
    /// Whether the oracle's rows are kept.
    pub keep_oracle: bool,
    /// The seed; without one the process refuses to run.
    pub seed: Option<Seed>,
}

impl Default for CustomerBase {
    fn default() -> Self {
        Self {
            customers: 2_357,
            rate: [0.243, 4.414],
            dropout: [0.793, 2.426],
            weeks: [27.0, 39.0],
            ahead: 39.0,
            keep_oracle: true,
            seed: None,
        }
    }
}

process!(CustomerBase, customers, "customers");

impl CustomerBase {
    /// The base at its defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Draws the customers.
    ///
    /// # Errors
    /// [`Error::SeedRequired`], [`Error::InvalidOption`].
    pub fn simulate(&self) -> Result<Simulated> {
        let seed = seeded(self.seed, "the customer base")?.child("customer base");
        let mut positive = self.rate.iter().chain(&self.dropout);
        let ordered = self.weeks[0] > 0.0 && self.weeks[1] >= self.weeks[0];
        let reach = self.ahead + self.weeks[1];
        let fine = positive.all(|v| *v > 0.0 && v.is_finite())
            && ordered
            && self.ahead >= 0.0
            && reach.is_finite();
        if !fine {
            return Err(Error::invalid_option(
                "rate, dropout, weeks, ahead",
                format!(
                    "{:?}, {:?}, {:?}, {}",
                    self.rate, self.dropout, self.weeks, self.ahead
                ),
                "positive and finite, weeks in ascending order",
            ));
        }
        let fields: Vec<_> = ["frequency", "recency", "observed"]
            .map(data)
            .into_iter()
            .chain(["purchase_rate", "dropout_probability", "alive", "future"].map(oracle))
            .chain([super::generate::summed("none")])
            .collect();
        let [r, alpha] = self.rate;
        let made = generate(
            self.customers,
            seed,
            &fields,
            self.keep_oracle,
            |draws, _, out| {
                let lambda = draws.gamma(r) / alpha;
                let p = draws.beta(self.dropout[0], self.dropout[1]);
                let observed = self.weeks[0] + (self.weeks[1] - self.weeks[0]) * draws.uniform();
                let (mut now, mut count, mut last, mut future) = (0.0, 0.0, 0.0, 0.0);
                let mut died = f64::INFINITY;
                loop {
                    now += draws.exponential() / lambda;
                    if now > observed + self.ahead {
                        break;
                    }
                    if now <= observed {
                        count += 1.0;
                        last = now;
                    } else {
                        future += 1.0;
                    }
                    if draws.chance(p) {
                        died = now;
                        break;
                    }
                }
                out.copy_from_slice(&[
                    count,
                    last,
                    observed,
                    lambda,
                    p,
                    flag(died > observed),
                    future,
                    (alpha / (alpha + observed)).powf(r),
                ]);
            },
        )?;
        let truths = [
            ("mean_frequency", made.mean("frequency")),
            ("alive", made.mean("alive")),
            ("mean_future", made.mean("future")),
            ("expected_none", made.mean("none")),
        ];
        let oracle =
            (truths.into_iter()).fold(Oracle::new(made.oracle), |o, (name, v)| o.with(name, v));
        Ok(Simulated {
            data: made.data,
            oracle,
        })
    }
}
