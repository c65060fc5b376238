//! Second-price auctions whose top bid is hidden: the surplus of winners is not seen.

use super::closed::{not_negative, process, seeded, solve};
use super::generate::{data, generate, oracle};
use super::oracle::{Oracle, Simulated};
use crate::error::Result;
use crate::numeric::Seed;
use crate::numeric::special::normal;
use serde::{Deserialize, Serialize};

/// Second-price auctions: 2 + Poisson(λ) bidders with independent log-normal values bid their value; the highest wins
/// and pays the second value. The platform shows all bids but the highest, so consumer surplus v₁ − v₂ is hidden.
///
/// The median value is solved so that the median surplus is `median_surplus`, about $4 in Bapna, Jank & Shmueli
/// (2008); the other levels are **assumed**.
///
/// | field | default | meaning |
/// |---|---|---|
/// | `auctions` | 5,000 | |
/// | `median_surplus` | 4 | money |
/// | `spread` | .5 | deviation of ln value |
/// | `more_bidders` | 3 | λ |
///
/// **Data**: `bidders`, `price`, `third` (third highest value, NaN with two bidders). **Oracle**: `top`, `surplus`;
/// effects: `median_value`, `mean_surplus`, `share_above_median` (of surpluses above `median_surplus`; ½ in
/// expectation).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Auctions {
    /// How many auctions.
    pub auctions: usize,
    /// Median of v₁ − v₂.
    pub median_surplus: f64,
    /// Deviation of ln value.
    pub spread: f64,
    /// Mean number of bidders beyond two.
    pub more_bidders: f64,
    /// Whether the oracle's rows are kept.
    pub keep_oracle: bool,
    /// The seed; without one the process refuses to run.
    pub seed: Option<Seed>,
}

impl Default for Auctions {
    fn default() -> Self {
        Self {
            auctions: 5_000,
            median_surplus: 4.0,
            spread: 0.5,
            more_bidders: 3.0,
            keep_oracle: true,
            seed: None,
        }
    }
}

process!(Auctions, auctions, "auctions");

impl Auctions {
    /// The process at its defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Draws the auctions.
    ///
    /// # Errors
    /// [`Error::SeedRequired`](crate::Error::SeedRequired), [`Error::InvalidOption`](crate::Error::InvalidOption).
    pub fn simulate(&self) -> Result<Simulated> {
        let seed = seeded(self.seed, "the auctions")?.child("auctions");
        for (name, value) in [
            ("median_surplus", self.median_surplus),
            ("spread", self.spread),
            ("more_bidders", self.more_bidders),
        ] {
            not_negative(name, value)?;
        }
        let median = self.median_value()?;
        let mut fields = vec![data("bidders"), data("price"), data("third")];
        fields.extend(["top", "surplus"].map(oracle));
        fields.push(super::generate::summed("above"));
        let made = generate(
            self.auctions,
            seed,
            &fields,
            self.keep_oracle,
            |draws, _, out| {
                let bidders = 2.0 + draws.poisson(self.more_bidders);
                let mut best = [f64::NEG_INFINITY; 3];
                for _ in 0..bidders as usize {
                    let value = median * (self.spread * draws.normal()).exp();
                    let place = best.partition_point(|b| *b > value);
                    if place < best.len() {
                        best[place..].rotate_right(1);
                        best[place] = value;
                    }
                }
                let surplus = best[0] - best[1];
                let third = if best[2].is_finite() {
                    best[2]
                } else {
                    f64::NAN
                };
                out.copy_from_slice(&[
                    bidders,
                    best[1],
                    third,
                    best[0],
                    surplus,
                    super::closed::flag(surplus > self.median_surplus),
                ]);
            },
        )?;
        let truths = [
            ("median_value", median),
            ("mean_surplus", made.mean("surplus")),
            ("share_above_median", made.mean("above")),
        ];
        let oracle =
            (truths.into_iter()).fold(Oracle::new(made.oracle), |o, (name, v)| o.with(name, v));
        Ok(Simulated {
            data: made.data,
            oracle,
        })
    }

    /// The median value at which the median surplus is what it should be. With n bidders,
    /// `Pr(v₁ − v₂ > s) = n(n − 1) ∫ F^{n−2}(1 − F(v + s)) dF(v)`; over Poisson n − 2, Σ has the closed form used below.
    fn median_value(&self) -> Result<f64> {
        /// Values of a dollar or less, or of a million, are no auctions of this kind.
        const ENDS: (f64, f64) = (1e-3, 1e6);
        let lambda = self.more_bidders;
        let exceeds = |median: f64| {
            super::closed::over_normal(|z| {
                let f = normal::cdf(z);
                let value = median * (self.spread * z).exp();
                let above = normal::sf(((value + self.median_surplus) / median).ln() / self.spread);
                // Σ_k Pois(k; λ)(k + 2)(k + 1) F^k = e^{−λ(1−F)}((λF)² + 4λF + 2)
                let x = lambda * f;
                (-lambda * (1.0 - f)).exp() * (x * x + 4.0 * x + 2.0) * above
            })
        };
        solve("median_surplus", 0.5, ENDS, exceeds)
    }
}
