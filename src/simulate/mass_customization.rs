//! Mass customisation: what self-design adds to willingness to pay, elicited by the Becker–DeGroot–Marschak mechanism.

use super::closed::{flag, not_negative, process, seeded, seen_if, share};
use super::generate::{data, data_flag, data_label, generate, oracle};
use super::oracle::{Oracle, Simulated};
use super::population::LogNormal;
use crate::error::Result;
use crate::numeric::Seed;
use crate::numeric::special::normal;
use serde::{Deserialize, Serialize};

/// The products, in the order of their codes.
const ARMS: [&str; 3] = ["standard", "tailored", "self-designed"];

/// An assumption that the elicitation breaks.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ElicitationFlaw {
    /// Bids are a fifth above willingness to pay: the mechanism is not understood.
    Overbidding,
    /// Only those who succeed bid: failures are missing.
    FailuresMissing,
}

/// Customers bid, by the BDM mechanism, for a standard product, one tailored to them by others, or one that they
/// design themselves.
///
/// Willingness to pay w for the standard product is log-normal; the tailored one is worth `w(1 + fit)`, the
/// self-designed one `w(1 + fit − effort + authorship·S/Pr(S))`, S = 1 with probability Φ((c + a)), so that
/// self-design adds fit − effort + authorship = 100 % on average and authorship comes only with success. A price is
/// drawn uniformly; who bids at least it buys at it, so that the bid is the true willingness to pay.
///
/// The gain of about 100 % is that of Schreier (2006) and of Norton, Mochon & Ariely (2012); its split is **assumed**.
///
/// | field | default | meaning |
/// |---|---|---|
/// | `customers` | 3,000 | in three arms |
/// | `standard` | median 10, spread .4 | w, money |
/// | `fit`, `effort`, `authorship` | .6, .1, .5 | shares of w |
/// | `success` | .7 | Pr(S), of a ~ N(0, 1) with probit slope one |
/// | `highest_price` | 60 | of the BDM draw |
///
/// **Data**: `arm`, `bid`, `price`, `buys`, `paid`, `success` (of self-designers). **Oracle**: `ability`, `wtp_0`,
/// `wtp_1`, `wtp_2`; effects: `wtp_ratio_tailored`, `wtp_ratio_self_designed` (of means), `expected_wtp`,
/// `authorship_given_success`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MassCustomization {
    /// How many customers.
    pub customers: usize,
    /// w.
    pub standard: LogNormal,
    /// What fit adds, as a share of w.
    pub fit: f64,
    /// What effort takes.
    pub effort: f64,
    /// What authorship adds on average.
    pub authorship: f64,
    /// Share of self-designers who succeed.
    pub success: f64,
    /// Upper end of the price draw.
    pub highest_price: f64,
    /// Whether the oracle's rows are kept.
    pub keep_oracle: bool,
    /// The assumption that is broken.
    pub flaw: Option<ElicitationFlaw>,
    /// The seed; without one the process refuses to run.
    pub seed: Option<Seed>,
}

impl Default for MassCustomization {
    fn default() -> Self {
        Self {
            customers: 3_000,
            standard: LogNormal::new(10.0, 0.4),
            fit: 0.6,
            effort: 0.1,
            authorship: 0.5,
            success: 0.7,
            highest_price: 60.0,
            keep_oracle: true,
            flaw: None,
            seed: None,
        }
    }
}

process!(MassCustomization, customers, "customers");

impl MassCustomization {
    /// The process at its defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Breaks one assumption.
    pub fn misspecify(mut self, flaw: ElicitationFlaw) -> Self {
        self.flaw = Some(flaw);
        self
    }

    /// Draws the customers.
    ///
    /// # Errors
    /// [`Error::SeedRequired`](crate::Error::SeedRequired), [`Error::InvalidOption`](crate::Error::InvalidOption).
    pub fn simulate(&self) -> Result<Simulated> {
        /// What overbidders add to their bid.
        const OVERBID: f64 = 0.2;
        let seed = seeded(self.seed, "mass customisation")?.child("mass customization");
        share("success", self.success)?;
        for (name, value) in [
            ("median of the standard product", self.standard.median),
            ("spread of the standard product", self.standard.spread),
            ("fit", self.fit),
            ("effort", self.effort),
            ("authorship", self.authorship),
            ("highest_price", self.highest_price),
        ] {
            not_negative(name, value)?;
        }
        // Pr(c + a + ξ > 0) = Φ(c/√2)
        let constant = std::f64::consts::SQRT_2 * normal::quantile(self.success);
        let fields = [
            data_label("arm", &ARMS),
            data("bid"),
            data("price"),
            data_flag("buys"),
            data("paid"),
            data("success"),
            oracle("ability"),
            oracle("wtp_0"),
            oracle("wtp_1"),
            oracle("wtp_2"),
        ];
        let authorship = self.authorship / self.success;
        let made = generate(
            self.customers,
            seed,
            &fields,
            self.keep_oracle,
            |draws, _, out| {
                let arm = draws.below(ARMS.len());
                let ability = draws.normal();
                let success = flag(constant + ability + draws.normal() > 0.0);
                let w = self.standard.median * (self.standard.spread * draws.normal()).exp();
                let price = self.highest_price * draws.uniform();
                let wtp = [
                    w,
                    w * (1.0 + self.fit),
                    w * (1.0 + self.fit - self.effort + authorship * success),
                ];
                let mut bid = wtp[arm];
                match self.flaw {
                    Some(ElicitationFlaw::Overbidding) => bid *= 1.0 + OVERBID,
                    Some(ElicitationFlaw::FailuresMissing) if arm == 2 && success < 0.5 => {
                        bid = f64::NAN;
                    }
                    _ => {}
                }
                let buys = flag(bid >= price);
                out.copy_from_slice(&[
                    arm as f64,
                    bid,
                    price,
                    buys,
                    buys * price,
                    seen_if(flag(arm == 2), success),
                    ability,
                    wtp[0],
                    wtp[1],
                    wtp[2],
                ]);
            },
        )?;
        let means = ["wtp_0", "wtp_1", "wtp_2"].map(|name| made.mean(name));
        let oracle = Oracle::new(made.oracle)
            .with("wtp_ratio_tailored", means[1] / means[0])
            .with("wtp_ratio_self_designed", means[2] / means[0])
            .with("expected_wtp", self.standard.mean())
            .with("authorship_given_success", authorship);
        Ok(Simulated {
            data: made.data,
            oracle,
        })
    }
}
