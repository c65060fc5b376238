//! The exchange of participation and of information: what customer and firm agree on.

use super::closed::{flag, not_negative, process, seeded, seen_if};
use super::draws::Draws;
use super::generate::{data, generate, oracle, summed};
use super::oracle::{Oracle, Simulated};
use super::population::LogNormal;
use crate::decision::DataBargain;
use crate::error::{Error, Result};
use crate::numeric::Seed;
use serde::{Deserialize, Serialize};

/// An assumption that the exchange breaks.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ExchangeFlaw {
    /// Incentives are not drawn at random: the privacy-minded are offered more for their data.
    TargetedIncentives,
}

/// Customers and a firm agree on participation e ≥ 0, a data share z ∈ [0, 1] and the firm's control χ ∈ [0, 1] that
/// maximise their joint surplus, and share it by Nash bargaining through a transfer t.
///
/// `U_c = b_e e + b_z z + b_ez e z − d_z z²/2 + t − c e²/2 − λ z(1 + ψχ) + s_e e + s_z z`, `Π = r_e e + r_z z + g χ −
/// g₂ χ²/2 − k e²/2 − t`, λ log-normal over customers, s_e and s_z randomised incentives of an experimenter, each 0
/// or `incentive`. With disagreement points d_c, d_f and joint surplus Σ*, `U_c = d_c + η(Σ* − d_c − d_f)`.
///
/// The two markets are complements or substitutes by the sign of b_ez; with interior quantities the cross-effects of
/// the incentives are symmetric. Outside offers, uniform between zero and `outside`, raise the disagreement points; those for whom they
/// leave no gain from trade agree on nothing: quantities are zero and there is no transfer. η .5, ψ .5 and log-normal λ are the
/// page's; all levels are **assumed**.
///
/// **Data**: `incentive_e`, `incentive_z`, `outside_c`, `outside_f`, `agreed`, `e`, `z`, `control`, `transfer` (missing without agreement).
/// **Oracle**: `lambda`, `joint_surplus`, `customer_surplus`, `profit`; effects: `mean_surplus`, `share_interior` (of customers with
/// 0 < z < 1), `share_agreed`, `eta`, and the mean cross-effects of the incentives per unit of money, `e_by_incentive_z` and
/// `z_by_incentive_e`, when all agree.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DataExchange {
    /// How many customers.
    pub customers: usize,
    /// b_e, b_z, b_ez, d_z: what the customer has of participation and of sharing.
    pub benefit: [f64; 4],
    /// c: curvature of the cost of participation.
    pub cost: f64,
    /// λ, money for all data without control.
    pub privacy: LogNormal,
    /// ψ.
    pub control_harm: f64,
    /// r_e, r_z: the firm's revenue.
    pub revenue: [f64; 2],
    /// g, g₂: what control brings the firm.
    pub control_gain: [f64; 2],
    /// k: curvature of the firm's cost.
    pub firm_cost: f64,
    /// η.
    pub bargaining: f64,
    /// d_c, d_f.
    pub disagreement: [f64; 2],
    /// Size of the incentives.
    pub incentive: f64,
    /// Largest outside offers to the customer and to the firm, money that raises d_c and d_f.
    pub outside: [f64; 2],
    /// Standard deviations of b_e and of b_z between customers, and their correlation: tastes that make participation and sharing go
    /// together or apart without any complementarity.
    pub tastes: [f64; 3],
    /// Whether the oracle's rows are kept.
    pub keep_oracle: bool,
    /// The assumption that is broken.
    pub flaw: Option<ExchangeFlaw>,
    /// The seed; without one the process refuses to run.
    pub seed: Option<Seed>,
}

impl Default for DataExchange {
    fn default() -> Self {
        Self {
            customers: 2_000,
            benefit: [0.5, 0.6, 0.3, 2.0],
            cost: 1.0,
            privacy: LogNormal::new(0.5, 0.5),
            control_harm: 0.5,
            revenue: [0.5, 0.8],
            control_gain: [0.4, 1.0],
            firm_cost: 0.5,
            bargaining: 0.5,
            disagreement: [0.0, 0.0],
            incentive: 0.2,
            outside: [0.0, 0.0],
            tastes: [0.0, 0.0, 0.0],
            keep_oracle: true,
            flaw: None,
            seed: None,
        }
    }
}

process!(DataExchange, customers, "customers");

impl DataExchange {
    /// The process at its defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Breaks one assumption.
    pub fn misspecify(mut self, flaw: ExchangeFlaw) -> Self {
        self.flaw = Some(flaw);
        self
    }

    /// Draws the customers and solves their agreements.
    ///
    /// # Errors
    /// [`Error::SeedRequired`], [`Error::InvalidOption`].
    pub fn simulate(&self) -> Result<Simulated> {
        let seed = seeded(self.seed, "the data exchange")?.child("data exchange");
        self.checked()?;
        let mut fields: Vec<_> = [
            "incentive_e",
            "incentive_z",
            "outside_c",
            "outside_f",
            "agreed",
            "e",
            "z",
            "control",
            "transfer",
        ]
        .map(data)
        .to_vec();
        fields.extend(["lambda", "joint_surplus", "customer_surplus", "profit"].map(oracle));
        fields.extend(["interior", "e_by_z", "z_by_e"].map(summed));
        let made = generate(
            self.customers,
            seed,
            &fields,
            self.keep_oracle,
            |draws, _, out| self.row(draws, out),
        )?;
        let truths = [
            ("mean_surplus", made.mean("joint_surplus")),
            ("share_interior", made.mean("interior")),
            ("share_agreed", made.mean("agreed")),
            ("eta", self.bargaining),
            ("e_by_incentive_z", made.mean("e_by_z")),
            ("z_by_incentive_e", made.mean("z_by_e")),
        ];
        let oracle =
            (truths.into_iter()).fold(Oracle::new(made.oracle), |o, (name, v)| o.with(name, v));
        Ok(Simulated {
            data: made.data,
            oracle,
        })
    }

    /// Draws one customer and solves the bargain.
    fn row(&self, draws: &mut Draws, out: &mut [f64]) {
        let taste = draws.normal();
        let lambda = self.privacy.median * (self.privacy.spread * taste).exp();
        let coins = [draws.uniform(), draws.uniform()];
        let chance = match self.flaw {
            Some(ExchangeFlaw::TargetedIncentives) => 1.0 / (1.0 + (-2.0 * taste).exp()),
            None => 0.5,
        };
        let offers = [draws.uniform(), draws.uniform()];
        let common = [draws.normal(), draws.normal()];
        let [sd_e, sd_z, rho] = self.tastes;
        let draw = CustomerDraw {
            lambda,
            incentives: [
                self.incentive * flag(coins[0] < 0.5),
                self.incentive * flag(coins[1] < chance),
            ],
            outside: [self.outside[0] * offers[0], self.outside[1] * offers[1]],
            tastes: [
                sd_e * common[0],
                sd_z * (rho * common[0] + (1.0 - rho * rho).sqrt() * common[1]),
            ],
        };
        let bargain = self.bargain(&draw);
        let by = |s: [f64; 2]| {
            let other = DataBargain {
                incentives: s,
                ..bargain
            };
            let (best, _) = other.best();
            [best.participation, best.share]
        };
        let s = self.incentive;
        let [s_e, s_z] = draw.incentives;
        let (on_z, off_z) = (by([s_e, s]), by([s_e, 0.0]));
        let (on_e, off_e) = (by([s, s_z]), by([0.0, s_z]));
        let per = if s > 0.0 { 1.0 / s } else { 0.0 };
        let (best, gain) = bargain.best();
        let [d_c, d_f] = bargain.disagreement;
        let agreed = gain >= 0.0;
        let seen = |value: f64| if agreed { value } else { 0.0 };
        let customer = if agreed { best.customer_utility } else { d_c };
        let profit = if agreed { best.profit } else { d_f };
        out.copy_from_slice(&[
            s_e,
            s_z,
            draw.outside[0],
            draw.outside[1],
            flag(agreed),
            seen(best.participation),
            seen(best.share),
            seen(best.control),
            seen_if(flag(agreed), best.transfer),
            lambda,
            best.joint_surplus,
            customer,
            profit,
            flag(best.share > 0.0 && best.share < 1.0),
            (on_z[0] - off_z[0]) * per,
            (on_e[1] - off_e[1]) * per,
        ]);
    }

    /// The bargain of one customer.
    fn bargain(&self, draw: &CustomerDraw) -> DataBargain {
        let [b_e, b_z, b_ez, d_z] = self.benefit;
        let [d_c, d_f] = self.disagreement;
        DataBargain {
            benefit: [b_e + draw.tastes[0], b_z + draw.tastes[1], b_ez, d_z],
            cost: self.cost,
            privacy: draw.lambda,
            control_harm: self.control_harm,
            revenue: self.revenue,
            control_gain: self.control_gain,
            firm_cost: self.firm_cost,
            incentives: draw.incentives,
            bargaining: self.bargaining,
            disagreement: [d_c + draw.outside[0], d_f + draw.outside[1]],
        }
    }

    fn checked(&self) -> Result<()> {
        for (name, value) in [
            ("median of privacy", self.privacy.median),
            ("spread of privacy", self.privacy.spread),
            ("incentive", self.incentive),
            ("tastes", self.tastes[0]),
            ("tastes", self.tastes[1]),
        ] {
            not_negative(name, value)?;
        }
        if self.tastes[2].abs() > 1.0 || self.outside.iter().any(|o| !o.is_finite()) {
            return Err(Error::invalid_option(
                "tastes, outside",
                format!("{:?}, {:?}", self.tastes, self.outside),
                "a correlation between −1 and 1, and finite outside offers",
            ));
        }
        self.bargain(&CustomerDraw {
            lambda: self.privacy.median,
            incentives: [0.0; 2],
            outside: [0.0; 2],
            tastes: [0.0; 2],
        })
        .check()
    }
}

/// What differs between customers.
struct CustomerDraw {
    lambda: f64,
    incentives: [f64; 2],
    outside: [f64; 2],
    tastes: [f64; 2],
}
