//! What a bandit would have earned, from a log of uniform choices.

use super::simulation::BanditPlayer;
use crate::causal::off_policy::columns::codes;
use crate::data::Frame;
use crate::error::{Error, Result, Warning};
use crate::inference::Estimate;
use crate::report::{Cell, Table, shown};
use serde::{Deserialize, Serialize};

/// Replays a log in which arms were chosen uniformly at random: the bandit chooses, and where it agrees with the log the reward counts and is learned from; other rows are passed over. The
/// rows that count are then a run of the bandit itself, about one in K of the log, and their mean reward is unbiased for that many rounds (Li, Chu, Langford & Wang 2011).
///
/// The standard error takes rewards given their arms as independent: it is that of the mean over this run, not over runs, which differ by what the bandit happened to learn.
///
/// | option | default | meaning |
/// |---|---|---|
/// | `propensity` | none | a column with the log's probabilities, which must be 1/K |
/// | `features` | none | columns for a contextual bandit, in its order |
///
/// # Errors
/// [`Error::InvalidOption`] when arms or features are not the bandit's; [`Error::OutOfRange`] for a propensity other than 1/K ([`OffPolicy`](crate::causal::OffPolicy) values fixed policies on such logs); [`Error::WrongKind`] for an arm that is not listed; [`Error::NoRows`] when bandit and log never agree; those of the
/// bandit and of finding columns.
///
/// # References
/// Li, L., Chu, W., Langford, J. & Wang, X. (2011). Unbiased offline evaluation of contextual-bandit-based news article recommendation algorithms. *WSDM*.
/// doi:10.1145/1935826.1935878.
///
/// # Examples
/// ```
/// use cocreate::prelude::*;
/// // A log of a fair coin, in a world where the second arm succeeds more often.
/// let world = BanditEnvironment::bernoulli([0.2, 0.6]);
/// let log = BanditSimulation::new(world, Bandit::new(BanditPolicy::Uniform, 2)).rounds(4000).seed(7).log(0)?;
/// let replay = BanditReplay::new("arm", "reward", ["0", "1"]).propensity("probability");
/// let fit = replay.run(&log, Bandit::new(BanditPolicy::thompson(), 2).seed(3))?;
/// assert!((fit.value().estimate - 0.6).abs() < 0.05);
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BanditReplay {
    arm: String,
    reward: String,
    arms: Vec<String>,
    propensity: Option<String>,
    features: Vec<String>,
}

/// What a replay found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BanditReplayFit {
    name: String,
    value: Estimate,
    logged: Estimate,
    counts: Vec<u64>,
    arms: Vec<String>,
    rows: usize,
    warnings: Vec<Warning>,
}

impl BanditReplay {
    /// From columns of arms and rewards, and all arms by name, in the bandit's order.
    pub fn new<S: Into<String>>(
        arm: impl Into<String>,
        reward: impl Into<String>,
        arms: impl IntoIterator<Item = S>,
    ) -> Self {
        Self {
            arm: arm.into(),
            reward: reward.into(),
            arms: arms.into_iter().map(Into::into).collect(),
            propensity: None,
            features: Vec::new(),
        }
    }

    /// A column with the log's probability of the arm, to be checked.
    pub fn propensity(mut self, column: impl Into<String>) -> Self {
        self.propensity = Some(column.into());
        self
    }

    /// Columns of features.
    pub fn features<S: Into<String>>(mut self, columns: impl IntoIterator<Item = S>) -> Self {
        self.features = columns.into_iter().map(Into::into).collect();
        self
    }

    /// Replays the log in the order of its rows.
    ///
    /// # Errors
    /// See [`BanditReplay`].
    pub fn run(&self, log: &Frame, bandit: impl Into<BanditPlayer>) -> Result<BanditReplayFit> {
        let mut player = bandit.into();
        let count = self.arms.len();
        if player.arms() != count {
            return Err(Error::invalid_option(
                "arms",
                count,
                format!("the {} of the bandit", player.arms()),
            ));
        }
        if player.features().unwrap_or(0) != self.features.len() {
            return Err(Error::invalid_option(
                "features",
                self.features.len(),
                format!("the {} of the bandit", player.features().unwrap_or(0)),
            ));
        }
        self.check_uniform(log)?;
        let codes = codes(log, &self.arm, &self.arms, 0)?;
        let rewards = log.numeric(&self.reward)?;
        let columns = self
            .features
            .iter()
            .map(|c| log.numeric(c))
            .collect::<Result<Vec<_>>>()?;
        let mut x = vec![0.0; columns.len()];
        let (mut counts, mut kept) = (vec![0; count], Vec::new());
        for (row, code) in codes.iter().enumerate() {
            let arm = *code as usize;
            for (x, column) in x.iter_mut().zip(&columns) {
                *x = column.values()[row];
            }
            let choice = player.choose(&x, false)?;
            if choice.arm == arm {
                let reward = rewards.values()[row];
                player.update(&choice, &x, reward)?;
                counts[arm] += 1;
                kept.push(reward);
            }
        }
        if kept.is_empty() {
            return Err(Error::NoRows {
                reason: "bandit and log never chose the same arm".to_owned(),
            });
        }
        let mut warnings = Vec::new();
        if self.propensity.is_none() {
            warnings.push(Warning::Note {
                message: "that the log chose uniformly was taken for granted; give its propensities to have it checked".to_owned(),
            });
        }
        Ok(BanditReplayFit {
            name: player.name().to_owned(),
            value: mean("value", &kept),
            logged: mean("logged", rewards.values()),
            counts,
            arms: self.arms.clone(),
            rows: log.rows(),
            warnings,
        })
    }

    fn check_uniform(&self, log: &Frame) -> Result<()> {
        const ROUNDING: f64 = 1e-6;
        let Some(name) = &self.propensity else {
            return Ok(());
        };
        let even = 1.0 / self.arms.len() as f64;
        let column = log.numeric(name)?;
        let far = |p: &f64| p.is_nan() || (p - even).abs() > ROUNDING;
        match column.values().iter().position(far) {
            None => Ok(()),
            Some(row) => Err(Error::OutOfRange {
                column: name.clone(),
                row: row + 1,
                value: column.values()[row],
                expected: format!(
                    "{even}, since a replay needs uniform choices; value a fixed policy by OffPolicy instead"
                ),
            }),
        }
    }
}

/// A mean with its error.
fn mean(name: &str, values: &[f64]) -> Estimate {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let squares: f64 = values.iter().map(|v| (v - mean).powi(2)).sum();
    Estimate {
        name: name.to_owned(),
        estimate: mean,
        std_error: (squares / (n - 1.0).max(1.0) / n).sqrt(),
        degrees_of_freedom: n - 1.0,
    }
}

impl BanditReplayFit {
    /// Mean reward of the bandit.
    pub fn value(&self) -> &Estimate {
        &self.value
    }

    /// Mean reward of the log.
    pub fn logged(&self) -> &Estimate {
        &self.logged
    }

    /// Rows that count, by arm.
    pub fn counts(&self) -> &[u64] {
        &self.counts
    }

    /// What a reader of the numbers must know.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// Value, and how often each arm was played.
    pub fn table(&self) -> Table {
        let mut table =
            Table::new(format!("{} replayed", self.name)).columns(["", "Estimate", "Std. error"]);
        for (name, estimate) in [("value", &self.value), ("log", &self.logged)] {
            table = table.row([
                Cell::text(name),
                Cell::significant(estimate.estimate, 4),
                Cell::significant(estimate.std_error, 3).parenthesised(),
            ]);
        }
        for (arm, count) in self.arms.iter().zip(&self.counts) {
            table = table.summary([
                Cell::text(format!("rounds of {arm}")),
                Cell::count(*count as usize),
            ]);
        }
        table
            .note(format!("{} rows of the log.", Cell::count(self.rows)))
            .warned(&self.warnings)
    }
}

shown!(BanditReplayFit);
