//! Network gifting: a premium membership is given to some, and their friends adopt.

use super::closed::{flag, not_negative, process, seeded, share};
use super::generate::{data, data_flag, generate_units, oracle, oracle_flag};
use super::oracle::{Oracle, Simulated};
use crate::error::Result;
use crate::numeric::Seed;
use serde::{Deserialize, Serialize};

/// An assumption that the process breaks.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum GiftingFlaw {
    /// Friends of friends share a common taste that gifts go to (homophily): seeds of high taste are chosen, and
    /// their friends have it too.
    Homophily,
}

/// Seeds, half of them given a premium membership at random, and their friends, who may adopt: ln odds of a friend of
/// a seed with k friends are `ln odds(baseline) + ln OR(k)·given + u_seed`, `OR(k) = odds_ratio·k^{−decline}`, u ~
/// N(0, taste²).
///
/// Sizes and the fall with degree are those of Bapna & Umyarov (2015), odds ratio 1.5–1.6; the other levels are
/// **assumed**.
///
/// | field | default | meaning |
/// |---|---|---|
/// | `seeds` | 2,000 | half given, in expectation |
/// | `baseline` | .05 | adoption of friends of controls at u = 0 |
/// | `odds_ratio`, `decline` | 1.6, .02 | 1.6 with one friend, 1.53 with ten |
/// | `friends` | 5 | mean number beyond one |
/// | `taste` | .5 | deviation of what friends of one seed share |
///
/// **Data**, a row a friend: `seed`, `given`, `degree`, `adopts`. **Oracle**: `adopts_0`, `adopts_1`, `taste`;
/// effects: `ate`, `odds_ratio_1`, `odds_ratio_10`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NetworkGifting {
    /// How many seeds.
    pub seeds: usize,
    /// Adoption without a gift.
    pub baseline: f64,
    /// Odds ratio of a gift at one friend.
    pub odds_ratio: f64,
    /// How it falls with ln degree.
    pub decline: f64,
    /// Mean number of friends beyond one.
    pub friends: f64,
    /// Deviation of the shared taste.
    pub taste: f64,
    /// Whether the oracle's rows are kept.
    pub keep_oracle: bool,
    /// The assumption that is broken.
    pub flaw: Option<GiftingFlaw>,
    /// The seed; without one the process refuses to run.
    pub seed: Option<Seed>,
}

impl Default for NetworkGifting {
    fn default() -> Self {
        Self {
            seeds: 2_000,
            baseline: 0.05,
            odds_ratio: 1.6,
            decline: 0.02,
            friends: 5.0,
            taste: 0.5,
            keep_oracle: true,
            flaw: None,
            seed: None,
        }
    }
}

process!(NetworkGifting, seeds, "seeds");

impl NetworkGifting {
    /// The process at its defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Breaks one assumption.
    pub fn misspecify(mut self, flaw: GiftingFlaw) -> Self {
        self.flaw = Some(flaw);
        self
    }

    /// Draws seeds and friends.
    ///
    /// # Errors
    /// [`Error::SeedRequired`](crate::Error::SeedRequired), [`Error::InvalidOption`](crate::Error::InvalidOption).
    pub fn simulate(&self) -> Result<Simulated> {
        let seed = seeded(self.seed, "network gifting")?.child("gifting");
        share("baseline", self.baseline)?;
        for (name, value) in [
            ("odds_ratio", self.odds_ratio),
            ("decline", self.decline),
            ("friends", self.friends),
            ("taste", self.taste),
        ] {
            not_negative(name, value)?;
        }
        let fields = [
            data("seed"),
            data_flag("given"),
            data("degree"),
            data_flag("adopts"),
            oracle_flag("adopts_0"),
            oracle_flag("adopts_1"),
            oracle("taste"),
        ];
        let base = (self.baseline / (1.0 - self.baseline)).ln();
        let made = generate_units(
            self.seeds,
            seed,
            &fields,
            self.keep_oracle,
            |draws, unit, out| {
                let taste = self.taste * draws.normal();
                let coin = draws.uniform();
                let given = match self.flaw {
                    Some(GiftingFlaw::Homophily) => flag(coin < 1.0 / (1.0 + (-2.0 * taste).exp())),
                    None => flag(coin < 0.5),
                };
                let degree = 1.0 + draws.poisson(self.friends);
                let effect = self.log_odds_ratio(degree);
                for _ in 0..degree as usize {
                    let noise = draws.logistic();
                    let adopts = [0.0, effect].map(|e| flag(base + taste + e > noise));
                    out.extend([
                        unit as f64,
                        given,
                        degree,
                        adopts[given as usize],
                        adopts[0],
                        adopts[1],
                        taste,
                    ]);
                }
            },
        )?;
        let ate = made.mean("adopts_1") - made.mean("adopts_0");
        let oracle = Oracle::new(made.oracle)
            .with("ate", ate)
            .with("odds_ratio_1", self.log_odds_ratio(1.0).exp())
            .with("odds_ratio_10", self.log_odds_ratio(10.0).exp());
        Ok(Simulated {
            data: made.data,
            oracle,
        })
    }

    fn log_odds_ratio(&self, degree: f64) -> f64 {
        self.odds_ratio.ln() - self.decline * degree.ln()
    }
}
