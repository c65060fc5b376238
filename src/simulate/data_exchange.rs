//! The exchange of participation and of information: what customer and firm agree on.

use super::closed::{not_negative, process, seeded};
use super::generate::{data, generate, oracle};
use super::oracle::{Oracle, Simulated};
use super::population::LogNormal;
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
/// the incentives are symmetric. η .5, ψ .5 and log-normal λ are the page's; all levels are **assumed**.
///
/// **Data**: `incentive_e`, `incentive_z`, `e`, `z`, `control`, `transfer`. **Oracle**: `lambda`, `joint_surplus`,
/// `customer_surplus`, `profit`; effects: `mean_surplus`, `share_interior` (of customers with 0 < z < 1).
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
            keep_oracle: true,
            flaw: None,
            seed: None,
        }
    }
}

process!(DataExchange, customers, "customers");

/// What is agreed.
#[derive(Clone, Copy, Debug)]
struct Agreement {
    e: f64,
    z: f64,
    control: f64,
    surplus: f64,
}

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
            "e",
            "z",
            "control",
            "transfer",
        ]
        .map(data)
        .to_vec();
        fields.extend(["lambda", "joint_surplus", "customer_surplus", "profit"].map(oracle));
        fields.push(super::generate::summed("interior"));
        let made = generate(
            self.customers,
            seed,
            &fields,
            self.keep_oracle,
            |draws, _, out| {
                let taste = draws.normal();
                let lambda = self.privacy.median * (self.privacy.spread * taste).exp();
                let coins = [draws.uniform(), draws.uniform()];
                let chance = match self.flaw {
                    Some(ExchangeFlaw::TargetedIncentives) => 1.0 / (1.0 + (-2.0 * taste).exp()),
                    None => 0.5,
                };
                let s_e = if coins[0] < 0.5 { self.incentive } else { 0.0 };
                let s_z = if coins[1] < chance {
                    self.incentive
                } else {
                    0.0
                };
                let agreed = self.agree(lambda, s_e, s_z);
                let [d_c, d_f] = self.disagreement;
                let customer = d_c + self.bargaining * (agreed.surplus - d_c - d_f);
                let before = self.customer(lambda, s_e, s_z, &agreed);
                out.copy_from_slice(&[
                    s_e,
                    s_z,
                    agreed.e,
                    agreed.z,
                    agreed.control,
                    customer - before,
                    lambda,
                    agreed.surplus,
                    customer,
                    agreed.surplus - customer,
                    super::closed::flag(agreed.z > 0.0 && agreed.z < 1.0),
                ]);
            },
        )?;
        let truths = [
            ("mean_surplus", made.mean("joint_surplus")),
            ("share_interior", made.mean("interior")),
        ];
        let oracle =
            (truths.into_iter()).fold(Oracle::new(made.oracle), |o, (name, v)| o.with(name, v));
        Ok(Simulated {
            data: made.data,
            oracle,
        })
    }

    fn checked(&self) -> Result<()> {
        for (name, value) in [
            ("median of privacy", self.privacy.median),
            ("spread of privacy", self.privacy.spread),
            ("control_harm", self.control_harm),
            ("incentive", self.incentive),
            ("bargaining", self.bargaining),
        ] {
            not_negative(name, value)?;
        }
        let curvature = self.cost + self.firm_cost;
        let curved = self.benefit[3] * curvature > self.benefit[2].powi(2);
        if !(curvature > 0.0 && self.control_gain[1] > 0.0 && curved && self.bargaining <= 1.0) {
            return Err(Error::invalid_option(
                "cost, firm_cost, control_gain, benefit, bargaining",
                format!(
                    "{}, {}, {:?}, {:?}, {}",
                    self.cost, self.firm_cost, self.control_gain, self.benefit, self.bargaining
                ),
                "positive curvatures with d_z(c + k) > b_ez², and η at most 1",
            ));
        }
        Ok(())
    }

    /// The customer's utility before the transfer.
    fn customer(&self, lambda: f64, s_e: f64, s_z: f64, at: &Agreement) -> f64 {
        let [b_e, b_z, b_ez, d_z] = self.benefit;
        (b_e + s_e) * at.e + (b_z + s_z) * at.z + b_ez * at.e * at.z
            - 0.5 * d_z * at.z * at.z
            - 0.5 * self.cost * at.e * at.e
            - lambda * at.z * (1.0 + self.control_harm * at.control)
    }

    /// The best agreement. Given z, e and χ have closed forms and joint surplus is piecewise quadratic in z; its best
    /// point is found on a grid and polished by the first-order condition of its piece.
    fn agree(&self, lambda: f64, s_e: f64, s_z: f64) -> Agreement {
        const GRID: i32 = 40;
        const HALVINGS: usize = 40;
        let [b_e, b_z, b_ez, d_z] = self.benefit;
        let at = |z: f64| {
            let e =
                ((b_e + s_e + self.revenue[0] + b_ez * z) / (self.cost + self.firm_cost)).max(0.0);
            let wish = self.control_gain[0] - lambda * self.control_harm * z;
            let control = (wish / self.control_gain[1]).clamp(0.0, 1.0);
            let mut agreed = Agreement {
                e,
                z,
                control,
                surplus: 0.0,
            };
            agreed.surplus = self.customer(lambda, s_e, s_z, &agreed)
                + self.revenue[0] * e
                + self.revenue[1] * z
                + self.control_gain[0] * control
                - 0.5 * self.control_gain[1] * control * control
                - 0.5 * self.firm_cost * e * e;
            agreed
        };
        // By the envelope theorem the slope in z is the partial derivative at the best e and χ.
        let slope = |z: f64| {
            let best = at(z);
            b_z + s_z + self.revenue[1] + b_ez * best.e
                - d_z * z
                - lambda * (1.0 + self.control_harm * best.control)
        };
        let mut best = at(0.0);
        for i in 1..=GRID {
            let candidate = at(f64::from(i) / f64::from(GRID));
            if candidate.surplus > best.surplus {
                best = candidate;
            }
        }
        let step = 1.0 / f64::from(GRID);
        let (mut low, mut high) = ((best.z - step).max(0.0), (best.z + step).min(1.0));
        if slope(low) > 0.0 && slope(high) < 0.0 {
            for _ in 0..HALVINGS {
                let middle = 0.5 * (low + high);
                if slope(middle) > 0.0 {
                    low = middle;
                } else {
                    high = middle;
                }
            }
            return at(0.5 * (low + high));
        }
        best
    }
}
