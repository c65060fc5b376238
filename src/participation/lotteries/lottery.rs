//! Lotteries as columns: payoffs with their probabilities, in one scenario or several.

use super::theory::{ChoiceError, RiskTheory};
use crate::data::{DesignColumn, Rows};
use crate::error::{Error, Result};
use serde::Serialize;

/// How far probabilities may be from a sum of one: what rounding to six digits leaves.
const SUMS_TO_ONE: f64 = 1e-5;

/// A lottery of each row: columns of payoffs and of their probabilities.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Lottery {
    payoffs: Vec<String>,
    /// Weight and columns of probabilities of each scenario.
    scenarios: Vec<(f64, Vec<String>)>,
}

impl Lottery {
    /// The columns of payoffs, each with that of its probability. A lottery with fewer payoffs in some rows has probability zero there.
    pub fn new<S: Into<String>, T: Into<String>>(
        outcomes: impl IntoIterator<Item = (S, T)>,
    ) -> Self {
        let (payoffs, probabilities) = outcomes
            .into_iter()
            .map(|(x, p)| (x.into(), p.into()))
            .unzip();
        Self {
            payoffs,
            scenarios: vec![(1.0, probabilities)],
        }
    }

    /// Another scenario, as likely as each of those before: columns of other probabilities of the same payoffs. The customer does not know which
    /// scenario holds.
    pub fn or<S: Into<String>>(mut self, probabilities: impl IntoIterator<Item = S>) -> Self {
        self.scenarios
            .push((1.0, probabilities.into_iter().map(Into::into).collect()));
        let share = 1.0 / self.scenarios.len() as f64;
        self.scenarios.iter_mut().for_each(|s| s.0 = share);
        self
    }

    fn columns(&self) -> impl Iterator<Item = &str> {
        let chances = self.scenarios.iter().flat_map(|(_, p)| p);
        self.payoffs.iter().chain(chances).map(String::as_str)
    }

    fn shape(&self, at: usize) -> Shape {
        Shape {
            at,
            payoffs: self.payoffs.len(),
            weights: self.scenarios.iter().map(|s| s.0).collect(),
        }
    }
}

/// Where the columns of a lottery stand.
#[derive(Clone, Debug)]
pub(super) struct Shape {
    at: usize,
    pub(super) payoffs: usize,
    pub(super) weights: Vec<f64>,
}

impl Shape {
    fn width(&self) -> usize {
        self.payoffs * (1 + self.weights.len())
    }

    /// The lottery of a row: payoffs from the best to the worst, and the probabilities of each scenario in that order.
    pub(super) fn read(&self, value: impl Fn(usize) -> f64) -> Prospect {
        let mut order: Vec<usize> = (0..self.payoffs).collect();
        let payoff = |i: usize| value(self.at + i);
        order.sort_by(|a, b| payoff(*b).total_cmp(&payoff(*a)));
        let scenario = |k: usize| {
            let first = self.at + self.payoffs * (k + 1);
            order.iter().map(|i| value(first + i)).collect()
        };
        Prospect {
            payoffs: order.iter().map(|i| payoff(*i)).collect(),
            scenarios: (0..self.weights.len()).map(scenario).collect(),
        }
    }
}

/// A lottery of one row.
#[derive(Clone, Debug)]
pub(super) struct Prospect {
    pub(super) payoffs: Vec<f64>,
    pub(super) scenarios: Vec<Vec<f64>>,
}

impl Prospect {
    /// Probabilities over scenarios of these weights.
    pub(super) fn reduced(&self, weights: &[f64]) -> Vec<f64> {
        (0..self.payoffs.len())
            .map(|i| {
                self.scenarios
                    .iter()
                    .zip(weights)
                    .map(|(s, w)| w * s[i])
                    .sum()
            })
            .collect()
    }

    /// The best and the worst payoff that may come.
    pub(super) fn range(&self) -> (f64, f64) {
        let possible = |i: &usize| self.scenarios.iter().any(|s| s[*i] > 0.0);
        let mut seen = (0..self.payoffs.len())
            .filter(possible)
            .map(|i| self.payoffs[i]);
        let best = seen.next().unwrap_or(f64::NAN);
        (best, seen.next_back().unwrap_or(best))
    }

    /// P(payoff > x) given probabilities.
    fn above(&self, p: &[f64], x: f64) -> f64 {
        self.payoffs
            .iter()
            .zip(p)
            .filter(|(y, _)| **y > x)
            .map(|(_, p)| p)
            .sum()
    }
}

/// The two lotteries.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Pair {
    pub(super) a: Lottery,
    pub(super) b: Lottery,
}

/// Where the columns of both stand.
#[derive(Clone, Debug)]
pub(super) struct PairShape {
    pub(super) a: Shape,
    pub(super) b: Shape,
}

/// What the rows hold.
pub(super) struct Facts {
    rows: usize,
    pub(super) dominated: usize,
    gains: bool,
    losses: bool,
    ambiguous: bool,
    /// The mean size of payoffs, which the search measures money in.
    pub(super) unit: f64,
}

impl Pair {
    pub(super) fn check(&self) -> Result<()> {
        for (name, lottery) in [("lottery A", &self.a), ("lottery B", &self.b)] {
            let n = lottery.payoffs.len();
            let full = lottery.scenarios.iter().all(|(_, p)| p.len() == n);
            if n == 0 || !full {
                return Err(Error::invalid_option(
                    name,
                    format!("{n} payoffs, with probabilities {:?}", lottery.scenarios),
                    "a payoff or more, and in every scenario a probability for each",
                ));
            }
        }
        Ok(())
    }

    pub(super) fn columns(&self) -> Vec<&str> {
        self.a.columns().chain(self.b.columns()).collect()
    }

    pub(super) fn layout(&self) -> PairShape {
        let a = self.a.shape(0);
        let b = self.b.shape(a.width());
        PairShape { a, b }
    }

    /// Checks the rows and finds what they hold.
    pub(super) fn read(
        &self,
        theory: RiskTheory,
        error: ChoiceError,
        columns: &[DesignColumn],
        rows: &Rows,
    ) -> Result<Facts> {
        let values: Vec<Vec<f64>> = columns.iter().map(|c| c.values(rows)).collect();
        let layout = self.layout();
        let mut facts = Facts {
            rows: rows.len(),
            dominated: 0,
            gains: false,
            losses: false,
            ambiguous: false,
            unit: 0.0,
        };
        for i in 0..rows.len() {
            let row = rows.index(i) + 1;
            let out_of_range = |column: &str, value: f64, expected: &str| Error::OutOfRange {
                column: column.to_owned(),
                row,
                value,
                expected: expected.to_owned(),
            };
            if let Some(column) = columns
                .iter()
                .zip(&values)
                .find(|(_, v)| v[i].is_infinite())
            {
                return Err(Error::Infinite {
                    column: column.0.name.clone(),
                    row,
                });
            }
            let mut of_row = Vec::with_capacity(2);
            for (lottery, shape) in [(&self.a, &layout.a), (&self.b, &layout.b)] {
                let found = shape.read(|j| values[j][i]);
                for ((_, names), p) in lottery.scenarios.iter().zip(&found.scenarios) {
                    let total: f64 = p.iter().sum();
                    if let Some(negative) = p.iter().find(|p| **p < 0.0) {
                        return Err(out_of_range(
                            &names.join(", "),
                            *negative,
                            "a probability of zero or more",
                        ));
                    }
                    if (total - 1.0).abs() > SUMS_TO_ONE {
                        return Err(out_of_range(
                            &names.join(" + "),
                            total,
                            "one: probabilities of a lottery sum to one",
                        ));
                    }
                }
                let (best, worst) = found.range();
                let limit = error.least_payoff(theory);
                if worst < limit {
                    return Err(out_of_range(
                        &lottery.payoffs.join(", "),
                        worst,
                        if limit > 0.0 {
                            "above zero for Luce's errors"
                        } else {
                            "zero or more (losses want prospect theory)"
                        },
                    ));
                }
                facts.gains |= best > 0.0;
                facts.losses |= worst < 0.0;
                facts.ambiguous |=
                    shape.weights.len() > 1 && found.scenarios.windows(2).any(|w| w[0] != w[1]);
                facts.unit += 0.5 * best.abs().max(worst.abs()) / rows.len() as f64;
                of_row.push(found);
            }
            let [a, b] = [&of_row[0], &of_row[1]];
            let better = |x: &Prospect, y: &Prospect, wx: &[f64], wy: &[f64]| {
                let (p, q) = (x.reduced(wx), y.reduced(wy));
                let mut all = x.payoffs.iter().chain(&y.payoffs);
                all.all(|z| x.above(&p, *z) >= y.above(&q, *z) - SUMS_TO_ONE)
            };
            let (wa, wb) = (&layout.a.weights, &layout.b.weights);
            facts.dominated += usize::from(better(a, b, wa, wb) || better(b, a, wb, wa));
        }
        Ok(facts)
    }
}

impl Facts {
    /// Refuses rows that cannot say what the theory asks.
    pub(super) fn check(&self, theory: RiskTheory) -> Result<()> {
        let unidentified = |what: &str, needs: &str| Error::Unidentified {
            what: what.to_owned(),
            needs: needs.to_owned(),
        };
        if self.dominated == self.rows {
            return Err(unidentified(
                "an attitude to risk, where in every pair one lottery dominates the other,",
                "pairs in which the better chance or the larger prize is paid for by the other",
            ));
        }
        match theory {
            RiskTheory::ProspectTheory { .. } if !(self.losses && self.gains) => Err(unidentified(
                "loss aversion",
                "lotteries with gains and lotteries with losses; without, use rank-dependent utility",
            )),
            RiskTheory::SmoothAmbiguity if !self.ambiguous => Err(unidentified(
                "ambiguity aversion",
                "lotteries with several scenarios that differ (Lottery::or)",
            )),
            _ => Ok(()),
        }
    }
}
