//! The exchange of participation and of information: what a customer and a firm agree on, and who gets how much of it.

use crate::error::{Error, Result};
use crate::report::{Cell, Table};
use serde::{Deserialize, Serialize};

/// A customer and a firm bargain over participation e ≥ 0, a data share z ∈ [0, 1], the firm's control χ ∈ [0, 1] over the data, and
/// a transfer t to the customer.
///
/// `U_c = (b_e + s_e) e + (b_z + s_z) z + b_ez e z − d_z z²/2 − c e²/2 − λ z (1 + ψχ) + t`, `Π = r_e e + r_z z + g χ − g₂ χ²/2 − k e²/2 − t`,
/// where s_e and s_z are incentives that a third party pays. Nash bargaining maximises `(U_c − d_c)^η (Π − d_f)^(1−η)`: because the
/// transfer moves utility one to one, (e, z, χ) maximise the joint surplus `Σ = U_c + Π` whatever η, and t gives
/// `U_c = d_c + η(Σ* − d_c − d_f)`.
///
/// Given z, e and χ have closed forms, and Σ is piecewise quadratic in z (and convex on a piece where a larger share makes the firm give up
/// control fast): every stationary point of every piece and every end is compared, so that the solution is exact and global.
///
/// # References
/// Nash, J. (1950). The bargaining problem. *Econometrica* 18(2), 155–162. doi:10.2307/1907266
///
/// Binmore, K., Rubinstein, A. & Wolinsky, A. (1986). The Nash bargaining solution in economic modelling. *RAND Journal of Economics* 17(2),
/// 176–188. doi:10.2307/2555382
///
/// # Examples
/// ```
/// use cocreate::prelude::*;
/// let bargain = DataBargain { privacy: 0.5, ..DataBargain::default() };
/// let agreed = bargain.solve()?;
/// assert!(agreed.share > 0.0 && agreed.share < 1.0 && agreed.corners.is_empty());
/// assert!((agreed.customer_utility - 0.5 * agreed.joint_surplus).abs() < 1e-12);
/// // A better outside option of the customer, worth 0.2, moves the transfer by (1 − η)·0.2 and nothing else.
/// let better = DataBargain { disagreement: [0.2, 0.0], ..bargain }.solve()?;
/// assert!((better.transfer - agreed.transfer - 0.1).abs() < 1e-12);
/// assert_eq!(better.share, agreed.share);
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct DataBargain {
    /// b_e, b_z, b_ez, d_z: what the customer has of participation and of sharing.
    pub benefit: [f64; 4],
    /// c: curvature of the customer's cost of participation.
    pub cost: f64,
    /// λ: what giving all data without control costs this customer, in money.
    pub privacy: f64,
    /// ψ: how much control adds to it.
    pub control_harm: f64,
    /// r_e, r_z: the firm's revenue.
    pub revenue: [f64; 2],
    /// g, g₂: what control brings the firm.
    pub control_gain: [f64; 2],
    /// k: curvature of the firm's cost.
    pub firm_cost: f64,
    /// s_e, s_z: incentives paid by a third party.
    pub incentives: [f64; 2],
    /// η: the customer's share of the gain from trade.
    pub bargaining: f64,
    /// d_c, d_f: what either has without the other.
    pub disagreement: [f64; 2],
}

impl Default for DataBargain {
    /// Levels are assumed.
    fn default() -> Self {
        Self {
            benefit: [0.5, 0.6, 0.3, 2.0],
            cost: 1.0,
            privacy: 0.5,
            control_harm: 0.5,
            revenue: [0.5, 0.8],
            control_gain: [0.4, 1.0],
            firm_cost: 0.5,
            incentives: [0.0, 0.0],
            bargaining: 0.5,
            disagreement: [0.0, 0.0],
        }
    }
}

/// Where an agreement ends at a limit of what can be agreed, so that it does not answer to small incentives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Corner {
    /// e = 0.
    NoParticipation,
    /// z = 0.
    NoData,
    /// z = 1.
    AllData,
    /// χ = 0.
    NoControl,
    /// χ = 1.
    FullControl,
}

/// What is agreed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Agreement {
    /// e.
    pub participation: f64,
    /// z.
    pub share: f64,
    /// χ.
    pub control: f64,
    /// t, from the firm to the customer; negative when the customer pays.
    pub transfer: f64,
    /// Σ*.
    pub joint_surplus: f64,
    /// U_c, the transfer included.
    pub customer_utility: f64,
    /// Π, the transfer paid.
    pub profit: f64,
    /// Limits that bind.
    pub corners: Vec<Corner>,
    /// How many values of z maximise the joint surplus locally; with more than one, a small change of the terms can move the
    /// agreement by a jump.
    pub local_optima: usize,
}

/// Quantities and their joint surplus.
#[derive(Clone, Copy)]
struct Point {
    e: f64,
    z: f64,
    control: f64,
    surplus: f64,
}

impl DataBargain {
    /// What is agreed.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for numbers that are not finite, negative λ or ψ, η outside [0, 1], curvatures without which surplus has no
    /// maximum (`c + k`, `g₂`, `d_z(c + k) − b_ez²` must be positive), and, naming `disagreement`, when there is no gain from trade: `Σ* < d_c + d_f`.
    pub fn solve(&self) -> Result<Agreement> {
        self.check()?;
        let (best, gain) = self.best();
        if gain < 0.0 {
            let [d_c, d_f] = self.disagreement;
            return Err(Error::invalid_option(
                "disagreement",
                format!("{d_c}, {d_f}"),
                format!(
                    "at most {} together, the joint surplus: there is no gain from trade and nothing is agreed",
                    best.joint_surplus
                ),
            ));
        }
        Ok(best)
    }

    /// The agreement and its gain from trade, which may be negative; the bargain was checked.
    pub(crate) fn best(&self) -> (Agreement, f64) {
        let (best, local_optima) = self.top();
        let [d_c, d_f] = self.disagreement;
        (self.agreement(best, local_optima), best.surplus - d_c - d_f)
    }

    /// The joint surplus `U_c + Π` at given quantities.
    pub fn joint_surplus(&self, participation: f64, share: f64, control: f64) -> f64 {
        let (e, z) = (participation, share);
        self.customer_value(e, z, control)
            + self.revenue[0] * e
            + self.revenue[1] * z
            + self.control_gain[0] * control
            - 0.5 * self.control_gain[1] * control * control
            - 0.5 * self.firm_cost * e * e
    }

    /// The customer's utility before the transfer.
    pub fn customer_value(&self, participation: f64, share: f64, control: f64) -> f64 {
        let (e, z) = (participation, share);
        let [b_e, b_z, b_ez, d_z] = self.benefit;
        let [s_e, s_z] = self.incentives;
        (b_e + s_e) * e + (b_z + s_z) * z + b_ez * e * z
            - 0.5 * d_z * z * z
            - 0.5 * self.cost * e * e
            - self.privacy * z * (1.0 + self.control_harm * control)
    }

    /// Refuses what has no solution.
    pub(crate) fn check(&self) -> Result<()> {
        for (name, value) in [
            ("privacy", self.privacy),
            ("control_harm", self.control_harm),
        ] {
            if !(value >= 0.0 && value.is_finite()) {
                return Err(Error::invalid_option(
                    name,
                    value,
                    "zero or a positive finite number",
                ));
            }
        }
        if !(0.0..=1.0).contains(&self.bargaining) {
            return Err(Error::invalid_option(
                "bargaining",
                self.bargaining,
                "between 0 and 1",
            ));
        }
        let linear = [self.revenue, self.incentives, self.disagreement];
        let finite = linear.iter().flatten().chain(&self.benefit).chain([
            &self.control_gain[0],
            &self.cost,
            &self.firm_cost,
        ]);
        if let Some(value) = finite.into_iter().find(|v| !v.is_finite()) {
            return Err(Error::invalid_option(
                "benefit, revenue, control_gain, cost, firm_cost, incentives, disagreement",
                value,
                "finite numbers",
            ));
        }
        let curvature = self.cost + self.firm_cost;
        let curved = self.benefit[3] * curvature > self.benefit[2].powi(2);
        let control = self.control_gain[1];
        if !(curvature > 0.0 && curved && control > 0.0 && control.is_finite()) {
            return Err(Error::invalid_option(
                "cost, firm_cost, benefit, control_gain",
                format!(
                    "{}, {}, {:?}, {:?}",
                    self.cost, self.firm_cost, self.benefit, self.control_gain
                ),
                "positive curvatures c + k and g₂, with d_z(c + k) > b_ez²",
            ));
        }
        Ok(())
    }

    /// Quantities that are best given z.
    fn at(&self, z: f64) -> Point {
        let e = (self.participation_wish(z) / (self.cost + self.firm_cost)).max(0.0);
        let control = (self.control_wish(z) / self.control_gain[1]).clamp(0.0, 1.0);
        Point {
            e,
            z,
            control,
            surplus: self.joint_surplus(e, z, control),
        }
    }

    fn participation_wish(&self, z: f64) -> f64 {
        self.benefit[0] + self.incentives[0] + self.revenue[0] + self.benefit[2] * z
    }

    fn control_wish(&self, z: f64) -> f64 {
        self.control_gain[0] - self.privacy * self.control_harm * z
    }

    /// The slope of the surplus in z at the best e and χ: the partial derivative, by the envelope theorem.
    fn slope(&self, z: f64) -> f64 {
        let best = self.at(z);
        let [_, b_z, b_ez, d_z] = self.benefit;
        b_z + self.incentives[1] + self.revenue[1] + b_ez * best.e
            - d_z * z
            - self.privacy * (1.0 + self.control_harm * best.control)
    }

    /// The best point of all, and how many local maxima there are.
    fn top(&self) -> (Point, usize) {
        // Where e leaves zero, and where χ leaves one and reaches zero.
        let harm = self.privacy * self.control_harm;
        let breaks = [
            -self.participation_wish(0.0) / self.benefit[2],
            (self.control_gain[0] - self.control_gain[1]) / harm,
            self.control_gain[0] / harm,
        ];
        let mut ends: Vec<f64> = breaks
            .into_iter()
            .filter(|z| *z > 0.0 && *z < 1.0)
            .chain([0.0, 1.0])
            .collect();
        ends.sort_by(f64::total_cmp);
        let slopes: Vec<f64> = ends.iter().map(|z| self.slope(*z)).collect();
        let mut optima = Vec::new();
        if slopes[0] <= 0.0 {
            optima.push(0.0);
        }
        for (z, slope) in ends.windows(2).zip(slopes.windows(2)) {
            if slope[0] > 0.0 && slope[1] <= 0.0 {
                // The slope is linear between two ends.
                optima.push(z[0] + (z[1] - z[0]) * slope[0] / (slope[0] - slope[1]));
            }
        }
        if slopes.last().is_some_and(|s| *s > 0.0) {
            optima.push(1.0);
        }
        let count = optima.len();
        let mut best = self.at(optima.first().copied().unwrap_or(0.0));
        for z in optima.into_iter().skip(1) {
            let other = self.at(z);
            if other.surplus > best.surplus {
                best = other;
            }
        }
        (best, count)
    }

    fn agreement(&self, best: Point, local_optima: usize) -> Agreement {
        let [d_c, d_f] = self.disagreement;
        let utility = d_c + self.bargaining * (best.surplus - d_c - d_f);
        let corners = [
            (best.e <= 0.0, Corner::NoParticipation),
            (best.z <= 0.0, Corner::NoData),
            (best.z >= 1.0, Corner::AllData),
            (best.control <= 0.0, Corner::NoControl),
            (best.control >= 1.0, Corner::FullControl),
        ];
        Agreement {
            participation: best.e,
            share: best.z,
            control: best.control,
            transfer: utility - self.customer_value(best.e, best.z, best.control),
            joint_surplus: best.surplus,
            customer_utility: utility,
            profit: best.surplus - utility,
            corners: corners
                .into_iter()
                .filter(|(binds, _)| *binds)
                .map(|(_, corner)| corner)
                .collect(),
            local_optima,
        }
    }
}

impl Agreement {
    /// The agreement as a table.
    pub fn table(&self) -> Table {
        const DIGITS: usize = 5;
        let rows = [
            ("participation e", self.participation),
            ("data share z", self.share),
            ("control χ", self.control),
            ("transfer t", self.transfer),
            ("joint surplus Σ", self.joint_surplus),
            ("customer's utility", self.customer_utility),
            ("firm's profit", self.profit),
        ];
        let mut table = Table::new("What is agreed").columns(["", "Value"]);
        for (name, value) in rows {
            table = table.row([Cell::text(name), Cell::significant(value, DIGITS)]);
        }
        if !self.corners.is_empty() {
            table = table.note(format!("Limits that bind: {:?}", self.corners));
        }
        if self.local_optima > 1 {
            table = table.note(format!(
                "{} local optima: a small change of terms can move the agreement by a jump",
                self.local_optima
            ));
        }
        table
    }
}

crate::report::notebook::shown!(Agreement);

#[cfg(test)]
mod tests {
    use super::*;

    /// Terms that lead to all kinds of solutions.
    fn bargains() -> impl Iterator<Item = DataBargain> {
        (0..400).map(|i| {
            let u = |k: u32| f64::from((i * k + k / 2) % 401) / 401.0;
            DataBargain {
                benefit: [u(31) - 0.6, 2.0 * u(57), u(91) - 0.5, 0.25 + u(17)],
                privacy: 0.3 + 1.5 * u(77),
                control_harm: 3.0 * u(13),
                control_gain: [1.5 * u(7), 0.4 + u(111)],
                revenue: [u(43) - 0.3, u(3)],
                bargaining: u(191),
                ..DataBargain::default()
            }
        })
    }

    #[test]
    fn no_point_of_a_fine_grid_is_better() {
        let mut inside = 0;
        let mut several = 0;
        for bargain in bargains() {
            let Ok(agreed) = bargain.solve() else {
                continue;
            };
            inside += usize::from(agreed.share > 0.0 && agreed.share < 1.0);
            several += usize::from(agreed.local_optima > 1);
            for i in 0..=50 {
                for j in 0..=20 {
                    for k in 0..=30 {
                        let (z, x, e) = (
                            f64::from(i) / 50.0,
                            f64::from(j) / 20.0,
                            f64::from(k) / 15.0,
                        );
                        assert!(
                            bargain.joint_surplus(e, z, x) <= agreed.joint_surplus + 1e-12,
                            "{bargain:?}"
                        );
                    }
                }
            }
        }
        assert!(
            inside > 20 && inside < 300 && several > 20,
            "{inside} {several}"
        );
    }

    #[test]
    fn the_transfer_maximises_the_nash_product() {
        for bargain in bargains().filter(|b| b.bargaining > 0.05 && b.bargaining < 0.95) {
            let Ok(agreed) = bargain.solve() else {
                continue;
            };
            if agreed.joint_surplus < 1e-3 {
                continue;
            }
            let product = |t: f64| {
                let shift = t - agreed.transfer;
                let (u, p) = (agreed.customer_utility + shift, agreed.profit - shift);
                bargain.bargaining * u.max(0.0).ln() + (1.0 - bargain.bargaining) * p.max(0.0).ln()
            };
            let top = product(agreed.transfer);
            for shift in [-1e-3, 1e-3] {
                let other = product(agreed.transfer + shift * agreed.joint_surplus);
                assert!(other < top, "{bargain:?}");
            }
        }
    }

    #[test]
    fn what_has_no_solution_is_refused_with_its_reason() {
        let none = DataBargain {
            disagreement: [5.0, 0.0],
            ..DataBargain::default()
        };
        assert!(
            none.solve()
                .unwrap_err()
                .to_string()
                .contains("no gain from trade")
        );
        for bad in [
            DataBargain {
                bargaining: 1.5,
                ..DataBargain::default()
            },
            DataBargain {
                privacy: -1.0,
                ..DataBargain::default()
            },
            DataBargain {
                revenue: [f64::NAN, 0.0],
                ..DataBargain::default()
            },
            DataBargain {
                benefit: [0.0, 0.0, 5.0, 1.0],
                ..DataBargain::default()
            },
            DataBargain {
                control_gain: [0.1, 0.0],
                ..DataBargain::default()
            },
        ] {
            assert!(
                matches!(bad.solve(), Err(Error::InvalidOption { .. })),
                "{bad:?}"
            );
        }
    }
}
