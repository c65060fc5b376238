//! Switchback experiments: one market that switches between treatment and control over time.

use super::analysis::DesignFit;
use super::assigned::Assigned;
use super::plan::{Plan, finite};
use crate::data::Frame;
use crate::error::{Error, Result};
use crate::inference::{Covariance, Estimate, RandomizationFit};
use crate::numeric::Seed;
use crate::regression::{Ols, OlsFit};
use serde::{Deserialize, Serialize};

/// How the blocks of a switchback are assigned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum SwitchbackRule {
    /// Half of the blocks are treated (default).
    #[default]
    Complete,
    /// One of each two consecutive blocks is treated: for trends.
    Paired,
    /// Every block by a fair coin, as in Bojinov, Simchi-Levi & Zhao.
    Independent,
}

/// A switchback over `periods` periods in blocks of `block_length` periods of one treatment. What is done in one period may carry over to
/// the next `burn_in` periods, which are left out at the beginning of every block; longer carry-over biases all estimators here.
///
/// | name | default | meaning | range |
/// |---|---|---|---|
/// | `periods` | | in all | a multiple of the block length |
/// | `block_length` | 1 | periods a block | ≥ 1 |
/// | `burn_in` | 0 | periods left out at the beginning of a block | < block length |
/// | `rule` | complete | see [`SwitchbackRule`] | |
///
/// ```
/// use cocreate::prelude::*;
/// // Six weeks of days in blocks of three days, of which the first is left out.
/// let schedule = Switchback::new(42).block_length(3).burn_in(1).assign(7)?;
/// let days = schedule.frame()?; // period, block, treated, kept
/// let sales: Vec<f64> = days.numeric("treated")?.values().iter().enumerate()
///     .map(|(day, z)| 100.0 + 8.0 * z + (day * 37 % 11) as f64).collect();
/// let data = days.with("sales", sales)?;
/// let fit = schedule.analyze(&data, "sales")?;
/// assert!((fit.coefficient("treated - control")?.estimate - 8.0).abs() < 2.5);
/// assert!(schedule.regression(&data, "sales")?.coefficient("treated")?.p_value() < 0.01);
/// assert!(schedule.randomization_test(&data, "sales", 199, 7)?.outcomes[0].p_value < 0.05);
/// # Ok::<(), cocreate::Error>(())
/// ```
///
/// # Errors
/// [`Error::InvalidOption`] for lengths out of range, fewer than four blocks, or an odd number of blocks with [`SwitchbackRule::Paired`].
///
/// # References
/// Bojinov, Simchi-Levi & Zhao (2023), *Management Science* 69(7), doi:10.1287/mnsc.2022.4583.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Switchback {
    periods: usize,
    block_length: usize,
    burn_in: usize,
    rule: SwitchbackRule,
}

impl Switchback {
    /// Blocks of one period without burn-in.
    pub fn new(periods: usize) -> Self {
        Self {
            periods,
            block_length: 1,
            burn_in: 0,
            rule: SwitchbackRule::Complete,
        }
    }

    /// Periods in a block.
    pub fn block_length(mut self, periods: usize) -> Self {
        self.block_length = periods;
        self
    }

    /// Periods left out at the beginning of every block.
    pub fn burn_in(mut self, periods: usize) -> Self {
        self.burn_in = periods;
        self
    }

    /// Sets how blocks are assigned.
    pub fn rule(mut self, rule: SwitchbackRule) -> Self {
        self.rule = rule;
        self
    }

    /// Draws the schedule.
    ///
    /// # Errors
    /// See [`Switchback`].
    pub fn assign(&self, seed: impl Into<Seed>) -> Result<SwitchbackSchedule> {
        const FEWEST_BLOCKS: usize = 4;
        if self.block_length == 0 || !self.periods.is_multiple_of(self.block_length) {
            return Err(Error::invalid_option(
                "periods",
                self.periods,
                format!(
                    "a multiple of the block length {}, which is at least 1",
                    self.block_length
                ),
            ));
        }
        if self.burn_in >= self.block_length {
            return Err(Error::invalid_option(
                "burn_in",
                self.burn_in,
                format!("shorter than a block of {} periods", self.block_length),
            ));
        }
        let blocks = self.periods / self.block_length;
        let paired = self.rule == SwitchbackRule::Paired;
        if blocks < FEWEST_BLOCKS || paired && blocks % 2 == 1 {
            return Err(Error::invalid_option(
                "periods",
                self.periods,
                format!(
                    "such that there are at least {FEWEST_BLOCKS} blocks (an even number for pairs), not {blocks}"
                ),
            ));
        }
        let all: Vec<u32> = (0..blocks as u32).collect();
        let plan = Plan {
            shares: vec![0.5, 0.5],
            independent: self.rule == SwitchbackRule::Independent,
            strata: if paired {
                all.chunks(2).map(<[u32]>::to_vec).collect()
            } else {
                vec![all]
            },
            of_row: None,
            units: blocks,
            balance: None,
        };
        let strata = if paired {
            vec!["consecutive blocks of periods".to_owned()]
        } else {
            Vec::new()
        };
        let blocks = Assigned::draw(
            plan,
            vec!["control".to_owned(), "treated".to_owned()],
            strata,
            None,
            seed.into().child("switchback"),
        )?;
        Ok(SwitchbackSchedule {
            design: self.clone(),
            blocks,
        })
    }
}

/// A drawn [`Switchback`]. Frames given to its methods have one row a period, in order of time, as [`frame`](Self::frame) has.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SwitchbackSchedule {
    design: Switchback,
    blocks: Assigned,
}

impl SwitchbackSchedule {
    /// Whether each period is treated.
    pub fn treated(&self) -> Vec<bool> {
        let codes = self.blocks.codes();
        (0..self.design.periods)
            .map(|t| codes[t / self.design.block_length] == 1)
            .collect()
    }

    /// Whether each period counts: whether it lies behind the burn-in of its block.
    pub fn kept(&self) -> Vec<bool> {
        (0..self.design.periods)
            .map(|t| t % self.design.block_length >= self.design.burn_in)
            .collect()
    }

    /// One row a period: `period` and `block` from 1, `treated` 0 or 1, `kept` a flag.
    ///
    /// # Errors
    /// None in practice.
    pub fn frame(&self) -> Result<Frame> {
        let number = |t: usize| (t + 1) as f64;
        let periods = 0..self.design.periods;
        let block = |t: usize| number(t / self.design.block_length);
        let treated = self.treated().into_iter().map(|z| f64::from(u8::from(z)));
        Frame::new()
            .with("period", periods.clone().map(number).collect::<Vec<f64>>())?
            .with("block", periods.map(block).collect::<Vec<f64>>())?
            .with("treated", treated.collect::<Vec<f64>>())?
            .with("kept", self.kept())
    }

    /// The mean of the kept periods of every block.
    fn block_means(&self, frame: &Frame, outcome: &str) -> Result<Frame> {
        self.check_rows(frame)?;
        let y = finite(frame, outcome)?;
        let kept = (self.design.block_length - self.design.burn_in) as f64;
        let means: Vec<f64> = y
            .chunks(self.design.block_length)
            .map(|block| block[self.design.burn_in..].iter().sum::<f64>() / kept)
            .collect();
        Frame::new().with(outcome, means)
    }

    fn check_rows(&self, frame: &Frame) -> Result<()> {
        if frame.rows() == self.design.periods {
            return Ok(());
        }
        Err(Error::LengthMismatch {
            column: "the switchback's periods".to_owned(),
            expected: self.design.periods,
            found: frame.rows(),
        })
    }

    /// The difference of the means of treated and control blocks (within pairs of blocks, if so assigned), with the variance of the
    /// assignment of blocks: outcomes may be correlated over time in any way.
    ///
    /// # Errors
    /// Those of [`Assigned::analyze`].
    pub fn analyze(&self, frame: &Frame, outcome: &str) -> Result<DesignFit> {
        self.blocks
            .analyze(&self.block_means(frame, outcome)?, outcome)
    }

    /// The Horvitz–Thompson estimate of blocks assigned by coins, `Σ_b ȳ_b [W_b/½ − (1 − W_b)/½]/B`, exactly unbiased, with the variance
    /// bound `Σ_b (2 ȳ_b)²/B²`. It is wide when the level of the outcome is far from zero: [`analyze`](Self::analyze) is better then.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for another rule than [`SwitchbackRule::Independent`]; those of [`analyze`](Self::analyze).
    pub fn horvitz_thompson(&self, frame: &Frame, outcome: &str) -> Result<Estimate> {
        if self.design.rule != SwitchbackRule::Independent {
            return Err(Error::invalid_option(
                "rule",
                format!("{:?}", self.design.rule),
                "SwitchbackRule::Independent for the Horvitz–Thompson estimate; use `analyze`",
            ));
        }
        let means = self.block_means(frame, outcome)?;
        let y = finite(&means, outcome)?;
        let count = y.len() as f64;
        let signed = |(y, z): (&f64, &u32)| if *z == 1 { 2.0 * y } else { -2.0 * y };
        let total: f64 = y.iter().zip(self.blocks.codes()).map(signed).sum();
        let squares: f64 = y.iter().map(|y| 4.0 * y * y).sum();
        Ok(Estimate {
            name: "treated - control (Horvitz–Thompson)".to_owned(),
            estimate: total / count,
            std_error: squares.sqrt() / count,
            degrees_of_freedom: f64::INFINITY,
        })
    }

    /// Least squares of the kept periods on `treated`, with Newey–West errors that look back over a block at least. It needs many periods and an
    /// error process that is stable over time.
    ///
    /// # Errors
    /// Those of [`Ols`].
    pub fn regression(&self, frame: &Frame, outcome: &str) -> Result<OlsFit> {
        self.check_rows(frame)?;
        let kept = self.kept();
        let periods = self.frame()?.filter(&kept)?;
        let y: Vec<f64> = finite(frame, outcome)?
            .into_iter()
            .zip(&kept)
            .filter(|(_, kept)| **kept)
            .map(|(y, _)| y)
            .collect();
        let rule = 4.0 * (y.len() as f64 / 100.0).powf(2.0 / 9.0);
        let lags = (rule as usize).max(self.design.block_length - self.design.burn_in);
        // The kept periods follow each other.
        let order: Vec<f64> = (1..=y.len()).map(|t| t as f64).collect();
        let data = Frame::new()
            .with("y", y)?
            .with("treated", periods.numeric("treated")?.values().to_vec())?
            .with("order", order)?;
        Ols::new("y ~ treated")
            .covariance(Covariance::newey_west("order").lags(lags))
            .fit(&data)
    }

    /// Fisher's randomisation test on block means, with the schedules that could have been drawn.
    ///
    /// # Errors
    /// Those of [`Assigned::randomization_test`].
    pub fn randomization_test(
        &self,
        frame: &Frame,
        outcome: &str,
        draws: usize,
        seed: impl Into<Seed>,
    ) -> Result<RandomizationFit> {
        let means = self.block_means(frame, outcome)?;
        self.blocks
            .randomization_test(&means, outcome, "treated", draws, seed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inference::Inference;

    #[test]
    fn schedules_keep_their_rule() {
        for rule in [
            SwitchbackRule::Complete,
            SwitchbackRule::Paired,
            SwitchbackRule::Independent,
        ] {
            let design = Switchback::new(48).block_length(4).burn_in(1).rule(rule);
            let schedule = design.assign(5).unwrap();
            let z = schedule.treated();
            for block in z.chunks(4) {
                assert!(block.iter().all(|t| *t == block[0]));
            }
            let count = z.iter().filter(|t| **t).count();
            assert!(rule == SwitchbackRule::Independent || count == 24);
            if rule == SwitchbackRule::Paired {
                for pair in z.chunks(8) {
                    assert!(pair[0] != pair[4]);
                }
            }
            assert_eq!(schedule.kept().iter().filter(|k| **k).count(), 36);
            assert_eq!(schedule, design.assign(5).unwrap());
        }
    }

    #[test]
    fn the_burn_in_takes_carry_over_away() {
        let design = Switchback::new(400).block_length(4).burn_in(1);
        let schedule = design.assign(2).unwrap();
        let z = schedule.treated();
        // An effect of 1 that takes one period to come and to go.
        let y: Vec<f64> = (0..400)
            .map(|t| {
                let now = f64::from(u8::from(z[t]));
                let before = if t > 0 {
                    f64::from(u8::from(z[t - 1]))
                } else {
                    now
                };
                0.5 * (now + before)
            })
            .collect();
        let data = Frame::new().with("y", y).unwrap();
        let effect = |s: &SwitchbackSchedule| {
            s.analyze(&data, "y")
                .unwrap()
                .coefficient("treated - control")
                .unwrap()
                .estimate
        };
        assert!((effect(&schedule) - 1.0).abs() < 1e-12);
        let mut without = schedule.clone();
        without.design.burn_in = 0;
        assert!(effect(&without) < 0.95);
    }

    #[test]
    fn horvitz_thompson_is_unbiased() {
        let y: Vec<f64> = (0..12).map(|t| f64::from(t * 5 % 7)).collect();
        let design = Switchback::new(12)
            .block_length(2)
            .rule(SwitchbackRule::Independent);
        let (mut sum, mut squares, mut bound) = (0.0, 0.0, 0.0);
        let draws = 4000;
        for seed in 0..draws {
            let schedule = design.assign(seed).unwrap();
            let z = schedule.treated();
            // An effect of 2 + t/10 in period t.
            let seen: Vec<f64> = (0..12)
                .map(|t| y[t] + if z[t] { 2.0 + t as f64 / 10.0 } else { 0.0 })
                .collect();
            let frame = Frame::new().with("y", seen).unwrap();
            let e = schedule.horvitz_thompson(&frame, "y").unwrap();
            sum += e.estimate;
            squares += e.estimate * e.estimate;
            bound += e.std_error * e.std_error;
        }
        let n = draws as f64;
        let (mean, variance) = (sum / n, squares / n - (sum / n).powi(2));
        assert!((mean - 2.55).abs() < 4.0 * (variance / n).sqrt(), "{mean}");
        assert!(bound / n > variance, "{} {variance}", bound / n);
        let complete = Switchback::new(12).assign(1).unwrap();
        let frame = Frame::new().with("y", y).unwrap();
        assert!(complete.horvitz_thompson(&frame, "y").is_err());
    }

    #[test]
    fn nonsense_is_refused() {
        assert!(Switchback::new(10).block_length(3).assign(1).is_err());
        assert!(Switchback::new(12).block_length(0).assign(1).is_err());
        assert!(
            Switchback::new(12)
                .block_length(3)
                .burn_in(3)
                .assign(1)
                .is_err()
        );
        assert!(Switchback::new(6).block_length(2).assign(1).is_err());
        let odd = Switchback::new(10)
            .block_length(2)
            .rule(SwitchbackRule::Paired);
        assert!(odd.assign(1).is_err());
        let schedule = Switchback::new(10).assign(1).unwrap();
        let short = Frame::new().with("y", vec![1.0; 9]).unwrap();
        assert!(matches!(
            schedule.analyze(&short, "y"),
            Err(Error::LengthMismatch { .. })
        ));
    }
}
