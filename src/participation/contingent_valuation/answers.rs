//! Answers to bids as intervals of the amount they speak of.

use super::ContingentValuation;
use crate::data::{Frame, Rows};
use crate::error::{Error, Result, Warning};

/// What is known of each used row's amount.
pub(super) struct Answers {
    /// Ends of the interval, in the scale of the model; −∞ and ∞ for none. One entry a row of the frame.
    pub(super) lower: Vec<f64>,
    pub(super) upper: Vec<f64>,
    /// 1 where the amount is known to be zero, 2 where it may be, 0 where it is positive.
    pub(super) zero: Vec<f64>,
    pub(super) warnings: Vec<Warning>,
}

/// One bid with its answer.
#[derive(Clone, Copy)]
struct Bid {
    amount: f64,
    yes: bool,
}

impl Answers {
    pub(super) fn read(
        model: &ContingentValuation,
        first: &[f64],
        rows: &Rows,
        frame: &Frame,
    ) -> Result<Self> {
        let bids = frame.numeric(&model.bid)?;
        let follow = match &model.follow_up {
            Some((bid, answer)) => Some((frame.numeric(bid)?, frame.numeric(answer)?)),
            None => None,
        };
        let any = match &model.spike {
            Some(column) => Some(frame.numeric(column)?),
            None => None,
        };
        let total = rows.total();
        let mut out = Self {
            lower: vec![f64::NEG_INFINITY; total],
            upper: vec![f64::INFINITY; total],
            zero: vec![0.0; total],
            warnings: vec![],
        };
        let mut asked: Vec<Bid> = Vec::with_capacity(rows.len());
        for (i, yes) in first.iter().enumerate() {
            let row = rows.index(i);
            let bid = Bid {
                amount: positive(&model.bid, bids.values()[row], row)?,
                yes: *yes > 0.5,
            };
            asked.push(bid);
            out.learn(model, row, bid);
            if let Some((second, answer)) = &follow {
                let (amount, answer) = (second.values()[row], answer.values()[row]);
                if !amount.is_nan() && !answer.is_nan() {
                    let second = model.second(bid, amount, answer, row)?;
                    out.learn(model, row, second);
                    asked.push(second);
                }
            }
            if let Some(any) = &any {
                out.learn_zero(model, row, any.values()[row])?;
            }
        }
        check_variation(model, &asked)?;
        out.warnings.extend(brackets(model, &asked));
        Ok(out)
    }

    /// Narrows the interval of a row by an answer.
    fn learn(&mut self, model: &ContingentValuation, row: usize, bid: Bid) {
        let amount = model.scaled(bid.amount);
        // Whoever pays values it at the bid or more; whoever takes a compensation has a cost of the bid or less.
        if bid.yes == model.compensation {
            self.upper[row] = self.upper[row].min(amount);
        } else {
            self.lower[row] = self.lower[row].max(amount);
        }
    }

    /// What the question "anything at all?" adds.
    fn learn_zero(&mut self, model: &ContingentValuation, row: usize, any: f64) -> Result<()> {
        let refused = |expected: &str| {
            Err(Error::OutOfRange {
                column: model.spike.clone().unwrap_or_default(),
                row: row + 1,
                value: any,
                expected: expected.to_owned(),
            })
        };
        // A bid was accepted, or a compensation refused.
        let positive = self.lower[row].is_finite();
        if any.is_nan() {
            // Not asked: the others may have none.
            self.zero[row] = if positive { 0.0 } else { 2.0 };
            return Ok(());
        }
        if (any - 1.0).abs() <= 0.0 {
            if !model.log {
                self.lower[row] = self.lower[row].max(0.0);
            }
            return Ok(());
        }
        if any.abs() > 0.0 {
            return refused("0 or 1: whether the amount is positive at all");
        }
        if positive {
            return refused(if model.compensation {
                "1 where a bid was refused: who wants nothing would have taken it"
            } else {
                "1 where a bid was accepted: an amount of zero contradicts it"
            });
        }
        self.zero[row] = 1.0;
        self.upper[row] = 0.0;
        Ok(())
    }
}

impl ContingentValuation {
    /// A bid on the scale of the latent amount.
    fn scaled(&self, bid: f64) -> f64 {
        if self.log { bid.ln() } else { bid }
    }

    /// The second bid, which must lie on the side that the first answer left open.
    fn second(&self, first: Bid, amount: f64, answer: f64, row: usize) -> Result<Bid> {
        let (bid, column) = match &self.follow_up {
            Some((bid, answer)) => (bid.as_str(), answer.as_str()),
            None => ("", ""),
        };
        let amount = positive(bid, amount, row)?;
        let one = (answer - 1.0).abs() <= 0.0;
        if !one && answer.abs() > 0.0 {
            return Err(Error::OutOfRange {
                column: column.to_owned(),
                row: row + 1,
                value: answer,
                expected: "0 or 1, or missing where there was no second question".to_owned(),
            });
        }
        let higher = first.yes != self.compensation;
        let consistent = if higher {
            amount > first.amount
        } else {
            amount < first.amount
        };
        if !consistent {
            return Err(Error::OutOfRange {
                column: bid.to_owned(),
                row: row + 1,
                value: amount,
                expected: format!(
                    "{} than the first bid of {}, to which the answer was {}",
                    if higher { "higher" } else { "lower" },
                    first.amount,
                    if first.yes { "yes" } else { "no" }
                ),
            });
        }
        Ok(Bid { amount, yes: one })
    }
}

/// A bid, which must be positive.
fn positive(column: &str, bid: f64, row: usize) -> Result<f64> {
    if bid > 0.0 && bid.is_finite() {
        return Ok(bid);
    }
    Err(Error::OutOfRange {
        column: column.to_owned(),
        row: row + 1,
        value: bid,
        expected: "a positive amount".to_owned(),
    })
}

/// Answers that say nothing of the amount, or nothing of its spread.
fn check_variation(model: &ContingentValuation, asked: &[Bid]) -> Result<()> {
    let unidentified = |what: &str, needs: String| {
        Err(Error::Unidentified {
            what: what.to_owned(),
            needs,
        })
    };
    let yes = asked.iter().filter(|b| b.yes).count();
    if yes == 0 || yes == asked.len() {
        let answer = if yes == 0 { "no" } else { "yes" };
        return unidentified(
            "the distribution of the amount",
            format!(
                "bids that bracket it: every answer to `{}` is {answer}",
                model.bid
            ),
        );
    }
    let lowest = asked.iter().map(|b| b.amount).fold(f64::INFINITY, f64::min);
    let highest = asked.iter().map(|b| b.amount).fold(0.0, f64::max);
    if highest <= lowest {
        return unidentified(
            "the scale of the amount",
            format!("bids that vary: every `{}` is {lowest}", model.bid),
        );
    }
    // Every bid below a limit answered one way, every bid above it the other.
    let end = |yes: bool, fold: fn(f64, f64) -> f64, from: f64| {
        let of = asked.iter().filter(|b| b.yes == yes).map(|b| b.amount);
        of.fold(from, fold)
    };
    let (low_yes, high_yes) = (end(true, f64::min, f64::INFINITY), end(true, f64::max, 0.0));
    let (low_no, high_no) = (
        end(false, f64::min, f64::INFINITY),
        end(false, f64::max, 0.0),
    );
    if high_yes < low_no || high_no < low_yes {
        return unidentified(
            "the spread of the amount",
            "bids at which some say yes and some no: the answers change all at once from one bid to the next"
                .to_owned(),
        );
    }
    Ok(())
}

/// Whether the bids reach both sides of the median.
fn brackets(model: &ContingentValuation, asked: &[Bid]) -> Vec<Warning> {
    const HALF: f64 = 0.5;
    let mut amounts: Vec<f64> = asked.iter().map(|b| b.amount).collect();
    amounts.sort_by(f64::total_cmp);
    // A tenth of the questions at either end, so that continuous bids are judged too.
    let tenth = amounts.len() / 10;
    let (low, high) = (amounts[tenth], amounts[amounts.len() - 1 - tenth]);
    let above = |bids: Vec<&Bid>| {
        let exceeding = bids.iter().filter(|b| b.yes != model.compensation).count();
        exceeding as f64 / bids.len() as f64
    };
    let at_low = above(asked.iter().filter(|b| b.amount <= low).collect());
    let at_high = above(asked.iter().filter(|b| b.amount >= high).collect());
    let note = |side: &str, share: f64| Warning::Note {
        message: format!(
            "the bids do not bracket the median: {:.0} % of amounts exceed the {side} bids, so that mean and median rest on the assumed distribution",
            100.0 * share
        ),
    };
    let mut warnings = Vec::new();
    if at_high > HALF {
        warnings.push(note("highest", at_high));
    }
    if at_low < HALF {
        warnings.push(note("lowest", at_low));
    }
    warnings
}
