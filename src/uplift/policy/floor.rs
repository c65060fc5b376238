//! The best allocation that treats at least a share of every group.
//!
//! At a price λ of the budget the floor makes no difficulty: row i is worth `v_i = max_k τ̂_ik − λ C_ik`, and of every group those with
//! `v_i > 0` are treated, or, where these are too few, as many of the highest `v_i` as the floor asks for. What that gains and spends bounds
//! every allocation within the budget B from above, `gain(λ) + λ (B − spent(λ))`, for any λ (weak duality); the price is the one at which
//! spending falls to the budget.

use crate::data::{Groups, MISSING};
use crate::error::{Error, Result};
use serde::Serialize;

/// Groups and the share of each that is treated at least.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Floor {
    pub(super) codes: Vec<u32>,
    pub(super) levels: Vec<String>,
    name: String,
    share: f64,
}

/// Rounding of sums of costs, and of shares of counts.
pub(super) const ROUNDING: f64 = 1e-12;

/// Who gets what at a price of the budget.
#[derive(Clone, Debug)]
pub(super) struct Priced {
    pub(super) given: Vec<u32>,
    pub(super) spent: f64,
    pub(super) gain: f64,
    pub(super) price: f64,
    /// No allocation within the budget gains more.
    pub(super) bound: f64,
}

impl Floor {
    pub(super) fn new(groups: &Groups, share: f64) -> Self {
        Self {
            codes: groups.codes.to_vec(),
            levels: groups.levels.to_vec(),
            name: groups.name.clone(),
            share,
        }
    }

    /// The least number of rows of each group.
    fn needed(&self, rows: usize) -> Result<Vec<usize>> {
        if !(0.0..=1.0).contains(&self.share) {
            return Err(Error::invalid_option(
                "minimum_share",
                self.share,
                "between 0 and 1",
            ));
        }
        if self.codes.len() != rows {
            return Err(Error::LengthMismatch {
                column: self.name.clone(),
                expected: rows,
                found: self.codes.len(),
            });
        }
        let missing = self.codes.iter().filter(|c| **c == MISSING).count();
        if missing > 0 {
            return Err(Error::MissingClusters {
                column: self.name.clone(),
                missing,
            });
        }
        let mut needed = vec![0_usize; self.levels.len()];
        for code in &self.codes {
            needed[*code as usize] += 1;
        }
        for count in &mut needed {
            // A share that is a whole number of rows but for rounding is that number.
            *count = (self.share * *count as f64 * (1.0 - ROUNDING)).ceil() as usize;
        }
        Ok(needed)
    }

    /// The allocation at the lowest price at which the budget pays for it.
    pub(super) fn cover(
        &self,
        total: f64,
        effects: &[Vec<f64>],
        costs: &[Vec<f64>],
    ) -> Result<Priced> {
        /// Doublings of a price that is as high as the best gain per cost; halvings of the interval between prices, more than a number
        /// has digits.
        const DOUBLINGS: usize = 60;
        const HALVINGS: usize = 120;
        let rows = effects[0].len();
        let needed = self.needed(rows)?;
        let mut members = vec![Vec::new(); needed.len()];
        for (row, code) in self.codes.iter().enumerate() {
            members[*code as usize].push(row as u32);
        }
        let problem = Problem {
            effects,
            costs,
            members,
            needed,
        };
        let within = |priced: &Priced| priced.spent <= total * (1.0 + ROUNDING);
        let bound = |priced: &Priced| priced.gain + priced.price * (total - priced.spent).max(0.0);
        let cheapest = problem.solve(f64::INFINITY);
        if !within(&cheapest) {
            return Err(Error::invalid_option(
                "total",
                total,
                format!(
                    "at least {}, what the minimum share of every group costs",
                    cheapest.spent
                ),
            ));
        }
        let free = problem.solve(0.0);
        if within(&free) {
            return Ok(Priced {
                bound: free.gain,
                ..free
            });
        }
        let (mut low, mut high) = (0.0, problem.steepest());
        let mut best = problem.solve(high);
        for _ in 0..DOUBLINGS {
            if within(&best) {
                break;
            }
            low = high;
            high *= 2.0;
            best = problem.solve(high);
        }
        if !within(&best) {
            // Every bound holds; the last price is the closest to the one at which only the cheapest is left.
            let above = best.gain + best.price * (total - best.spent);
            return Ok(Priced {
                bound: above,
                price: best.price,
                ..cheapest
            });
        }
        for _ in 0..HALVINGS {
            let middle = f64::midpoint(low, high);
            if middle <= low || middle >= high {
                break;
            }
            let priced = problem.solve(middle);
            if within(&priced) {
                (high, best) = (middle, priced);
            } else {
                low = middle;
            }
        }
        Ok(Priced {
            bound: bound(&best),
            ..best
        })
    }
}

/// Rows by group, and what is known of them.
struct Problem<'a> {
    effects: &'a [Vec<f64>],
    costs: &'a [Vec<f64>],
    members: Vec<Vec<u32>>,
    needed: Vec<usize>,
}

/// The best arm of a row at a price.
#[derive(Clone, Copy)]
struct Choice {
    row: u32,
    arm: usize,
    value: f64,
    cost: f64,
    gain: f64,
}

impl Choice {
    /// The higher value comes first; of equal ones the cheaper, then the better, then the earlier.
    fn before(&self, other: &Self) -> std::cmp::Ordering {
        let value = other.value.total_cmp(&self.value);
        let cost = self.cost.total_cmp(&other.cost);
        let gain = other.gain.total_cmp(&self.gain);
        value.then(cost).then(gain).then(self.row.cmp(&other.row))
    }
}

impl Problem<'_> {
    /// The highest absolute effect per cost of arms that can be paid for.
    fn steepest(&self) -> f64 {
        let mut most = f64::MIN_POSITIVE;
        for (effects, costs) in self.effects.iter().zip(self.costs) {
            for (effect, cost) in effects.iter().zip(costs) {
                if effect.is_finite() {
                    most = most.max((effect / cost).abs());
                }
            }
        }
        most.min(f64::MAX.sqrt())
    }

    /// The best of a row at a price; at an infinite one the cheapest.
    fn choice(&self, row: u32, price: f64) -> Choice {
        let of = |arm: usize| {
            let (gain, cost) = (
                self.effects[arm][row as usize],
                self.costs[arm][row as usize],
            );
            let value = if price.is_finite() {
                gain - price * cost
            } else {
                -cost
            };
            Choice {
                row,
                arm,
                value,
                cost,
                gain,
            }
        };
        let rest = (1..self.effects.len()).map(of);
        rest.fold(of(0), |best, next| {
            if next.before(&best).is_lt() {
                next
            } else {
                best
            }
        })
    }

    /// What is best at a price.
    fn solve(&self, price: f64) -> Priced {
        let mut best = Priced {
            given: vec![0; self.effects[0].len()],
            spent: 0.0,
            gain: 0.0,
            price,
            bound: f64::INFINITY,
        };
        let mut choices = Vec::new();
        for (members, needed) in self.members.iter().zip(&self.needed) {
            choices.clear();
            choices.extend(members.iter().map(|row| self.choice(*row, price)));
            let worth = choices.iter().filter(|c| c.value > 0.0).count();
            let taken = worth.max(*needed);
            if taken > 0 && taken < choices.len() {
                choices.select_nth_unstable_by(taken - 1, Choice::before);
            }
            // In the order of rows, so that sums do not depend on how the choice was made.
            choices.truncate(taken);
            choices.sort_unstable_by_key(|c| c.row);
            for choice in &choices {
                best.given[choice.row as usize] = choice.arm as u32 + 1;
                best.spent += choice.cost;
                best.gain += choice.gain;
            }
        }
        best
    }
}
