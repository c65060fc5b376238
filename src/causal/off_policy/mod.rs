//! The value of a policy from the log of another.

mod bins;
pub(crate) mod columns;
mod estimators;
mod fit;
mod pass;
mod slate;
mod slate_rows;
mod stream;
#[cfg(test)]
mod tests;
mod tuning;

pub use fit::{OffPolicyFit, Threshold, WeightBin};
pub use slate::{SlatePolicy, SlatePolicyFit};
pub use stream::OffPolicyStream;
pub use tuning::ThresholdTuning;

use crate::data::Frame;
use crate::error::{Error, Result};
use crate::inference::bootstrap::whole;
use crate::inference::check_level;
use columns::{Actions, Log, Target, bounded, chances, codes, numbers, shares};
use estimators::conclude;
use pass::{Means, Plan, Sums};
use serde::{Deserialize, Serialize};

/// Estimates what a policy would have earned from rows in which another policy chose the actions with known probabilities, whatever the
/// actions are. With reward `r_i`, probability `p_i` with which the logged action was chosen, probability `q_i` with which the policy
/// would have chosen it, `w_i = q_i/p_i`, and, where there is a model of rewards, its prediction `μ_i` for the logged action and its predictions
/// averaged over the policy's actions `m_i`:
///
/// | name | estimator | |
/// |---|---|---|
/// | `IPS` | `mean(w r)` | unbiased |
/// | `SNIPS` | `Σ w r / Σ w` | less noise from the weights, a bias of order 1/n |
/// | `IPS_shrunk` | `mean(ŵ r)`, `ŵ = λw/(w² + λ)` | with `shrink`; biased towards zero |
/// | `DM` | `mean(m)` | as good as the model; its error is that of averaging, not of the model |
/// | `DR` | `mean(m + w (r − μ))` | unbiased whatever the model, and less noisy when it is good |
/// | `SNDR` | `mean(m) + Σ w (r − μ) / Σ w` | |
/// | `SWITCH_DR` | `mean(m + 1{w ≤ τ} w (r − μ))` | with `switch`; the model alone where weights are large |
/// | `SWITCH` | `mean(Σ_a q_a μ_a 1{q_a/p_a > τ} + 1{w ≤ τ} w r)` | with `switch` and the log's probabilities of all actions |
/// | `DRos` | `mean(m + ŵ (r − μ))` | with `shrink` |
/// | `logged` | `mean(r)` | the policy of the log |
///
/// All are smooth functions of means, which one pass over the rows collects; standard errors are those of the influence functions, summed by
/// cluster where there are clusters. The policies must be fixed beforehand and the model not have used the row's own reward; where the log's own policy
/// learned as it went, see adaptive inference in [`crate::experiment`].
///
/// Every action that the policy may choose must have had a chance in the log. The mean weight is then one but for noise; a warning says
/// when it is not, and when few rows carry most of the weight. When the log's probabilities of all actions are given, the share of the
/// policy's choices without support is known.
///
/// | name | default | meaning | range |
/// |---|---|---|---|
/// | `model` | none | columns with `m` and `μ` | |
/// | `targets` | | the policy's probability of every action, a column each ([`OffPolicy::over_actions`]) | sum to 1 |
/// | `predictions` | none | the predicted reward of every action, a column each | |
/// | `logged_actions` | none | the log's probability of every action, a column each | sum to 1 |
/// | `clip` | none | largest weight; larger ones are cut, which biases towards less noise | above 0 |
/// | `switch`, `switch_among` | none | τ, or several of which the data choose one | above 0 |
/// | `shrink`, `shrink_among` | none | λ, or several of which the data choose one | above 0 |
/// | `tuning` | [`ThresholdTuning::Slope`] | how they choose | |
/// | `bounds` | none | rewards outside are refused | |
/// | `clusters` | none | a column of clusters, such as customers | |
/// | `level` | 0.95 | of intervals | (0, 1) |
///
/// `clip` holds for the estimators without τ or λ. DRos and the shrunk scores use the λ chosen for DRos. An [`OffPolicyStream`] reads a log larger than memory.
///
/// # Errors
/// [`Error::OutOfRange`] for values that are missing, a logged probability above 1 or below 10⁻¹⁰⁰ or another outside \[0, 1\], probabilities of all actions that do
/// not add up to one, a reward outside the bounds; [`Error::WrongKind`] for an action that is not listed; [`Error::InvalidOption`]; [`Error::NoRows`] when
/// the policy would have chosen no logged action; [`Error::MissingClusters`]; [`Error::TooFewClusters`]; those of finding columns.
///
/// # References
/// Horvitz & Thompson (1952), *JASA* 47, 663–685; Swaminathan, A. & Joachims, T. (2015). The self-normalized estimator for counterfactual
/// learning. *NeurIPS* 28; Dudík, M., Erhan, D., Langford, J. & Li, L. (2014). Doubly robust policy evaluation and optimization. *Statistical
/// Science* 29, 485–511. doi:10.1214/14-STS500; Wang, Y.-X., Agarwal, A. & Dudík, M. (2017). Optimal and adaptive off-policy evaluation in contextual bandits.
/// *ICML*, PMLR 70; Su, Y., Dimakopoulou, M., Krishnamurthy, A. & Dudík, M. (2020). Doubly robust off-policy evaluation with shrinkage. *ICML*, PMLR 119; Su,
/// Y., Srinath, P. & Krishnamurthy, A. (2020). Adaptive estimator selection for off-policy evaluation. *ICML*, PMLR 119; Tucker, G. & Lee, J. (2021). Improved estimator selection for off-policy evaluation. *ICML
/// Workshop on Reinforcement Learning Theory*.
///
/// # Examples
/// ```
/// use cocreate::prelude::*;
/// let log = Frame::new()
///     .with("click", vec![1.0, 0.0, 1.0, 0.0])?
///     .with("logged", vec![0.5, 0.5, 0.5, 0.5])?
///     .with("wanted", vec![1.0, 0.0, 1.0, 1.0])?;
/// let value = OffPolicy::new("click", "logged", "wanted").fit(&log)?;
/// assert_eq!(value.ips().estimate, 1.0);
/// assert!((value.snips().estimate - 2.0 / 3.0).abs() < 1e-12);
///
/// let log = log
///     .with("banner", vec!["red", "red", "blue", "blue"])?
///     .with("q_red", vec![1.0, 0.0, 0.0, 0.0])?
///     .with("q_blue", vec![0.0, 1.0, 1.0, 1.0])?
///     .with("m_red", vec![0.4; 4])?
///     .with("m_blue", vec![0.6; 4])?;
/// let value = OffPolicy::over_actions("click", "logged", "banner", ["red", "blue"])
///     .targets(["q_red", "q_blue"])
///     .predictions(["m_red", "m_blue"])
///     .fit(&log)?;
/// // 0.55 on average from the model, and residuals 0.6, 0.4 and −0.6 of weight two.
/// assert!((value.doubly_robust().unwrap().estimate - 0.75).abs() < 1e-12);
/// // Estimates have one covariance: what the policy gains over the log, with its error.
/// assert!(value.linear("DR - logged")?.std_error > 0.0);
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OffPolicy {
    reward: String,
    logged: String,
    target: TargetColumns,
    clip: Option<f64>,
    #[serde(deserialize_with = "crate::numeric::infinite::all_above")]
    switch: Vec<f64>,
    #[serde(deserialize_with = "crate::numeric::infinite::all_above")]
    shrink: Vec<f64>,
    tuning: ThresholdTuning,
    bounds: Option<(f64, f64)>,
    clusters: Option<String>,
    level: f64,
}

/// Where the policy's probabilities stand.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum TargetColumns {
    Logged {
        wanted: String,
        model: Option<(String, String)>,
    },
    Actions {
        action: String,
        actions: Vec<String>,
        wanted: Vec<String>,
        predicted: Vec<String>,
        logged: Vec<String>,
    },
}

fn owned<S: Into<String>>(names: impl IntoIterator<Item = S>) -> Vec<String> {
    names.into_iter().map(Into::into).collect()
}

impl OffPolicy {
    /// From columns of rewards, of the probability with which the logged action was chosen, and of the probability with which the policy
    /// would have chosen it.
    pub fn new(
        reward: impl Into<String>,
        logged: impl Into<String>,
        target: impl Into<String>,
    ) -> Self {
        let wanted = target.into();
        Self::from_target(
            reward.into(),
            logged.into(),
            TargetColumns::Logged {
                wanted,
                model: None,
            },
        )
    }

    /// From columns of rewards, of the probability with which the logged action was chosen, and of the action, with all actions by name; then
    /// [`targets`](Self::targets) and other columns in their order.
    pub fn over_actions<S: Into<String>>(
        reward: impl Into<String>,
        logged: impl Into<String>,
        action: impl Into<String>,
        actions: impl IntoIterator<Item = S>,
    ) -> Self {
        Self::from_target(
            reward.into(),
            logged.into(),
            TargetColumns::Actions {
                action: action.into(),
                actions: owned(actions),
                wanted: Vec::new(),
                predicted: Vec::new(),
                logged: Vec::new(),
            },
        )
    }

    fn from_target(reward: String, logged: String, target: TargetColumns) -> Self {
        Self {
            reward,
            logged,
            target,
            clip: None,
            switch: Vec::new(),
            shrink: Vec::new(),
            tuning: ThresholdTuning::default(),
            bounds: None,
            clusters: None,
            level: 0.95,
        }
    }

    /// Columns with predicted rewards: averaged over the policy's actions, and of the logged action. The row's own reward must not have been used. For an evaluation
    /// [over actions](Self::over_actions), which averages itself, it changes nothing.
    pub fn model(mut self, of_policy: impl Into<String>, of_logged: impl Into<String>) -> Self {
        if let TargetColumns::Logged { model, .. } = &mut self.target {
            *model = Some((of_policy.into(), of_logged.into()));
        }
        self
    }

    /// Columns with the policy's probability of each action.
    pub fn targets<S: Into<String>>(mut self, columns: impl IntoIterator<Item = S>) -> Self {
        if let TargetColumns::Actions { wanted, .. } = &mut self.target {
            *wanted = owned(columns);
        }
        self
    }

    /// Columns with the predicted reward of each action. The row's own reward must not have been used.
    pub fn predictions<S: Into<String>>(mut self, columns: impl IntoIterator<Item = S>) -> Self {
        if let TargetColumns::Actions { predicted, .. } = &mut self.target {
            *predicted = owned(columns);
        }
        self
    }

    /// Columns with the probability that the log had for each action.
    pub fn logged_actions<S: Into<String>>(mut self, columns: impl IntoIterator<Item = S>) -> Self {
        if let TargetColumns::Actions { logged, .. } = &mut self.target {
            *logged = owned(columns);
        }
        self
    }

    /// The largest weight.
    pub fn clip(mut self, weight: f64) -> Self {
        self.clip = Some(weight);
        self
    }

    /// Adds SWITCH with this τ.
    pub fn switch(self, tau: f64) -> Self {
        self.switch_among([tau])
    }

    /// Adds SWITCH with the τ that the data choose.
    pub fn switch_among(mut self, taus: impl IntoIterator<Item = f64>) -> Self {
        self.switch = descending(taus);
        self
    }

    /// Adds shrunk weights with this λ.
    pub fn shrink(self, lambda: f64) -> Self {
        self.shrink_among([lambda])
    }

    /// Adds shrunk weights with the λ that the data choose.
    pub fn shrink_among(mut self, lambdas: impl IntoIterator<Item = f64>) -> Self {
        self.shrink = descending(lambdas);
        self
    }

    /// How the data choose among several thresholds.
    pub fn tuning(mut self, tuning: ThresholdTuning) -> Self {
        self.tuning = tuning;
        self
    }

    /// The bounds within which all rewards must lie.
    pub fn bounds(mut self, low: f64, high: f64) -> Self {
        self.bounds = Some((low, high));
        self
    }

    /// A column of clusters.
    pub fn clusters(mut self, column: impl Into<String>) -> Self {
        self.clusters = Some(column.into());
        self
    }

    /// The level of intervals.
    pub fn level(mut self, level: f64) -> Self {
        self.level = level;
        self
    }

    /// Estimates the value of the policy.
    ///
    /// # Errors
    /// See [`OffPolicy`].
    pub fn fit(&self, frame: &Frame) -> Result<OffPolicyFit> {
        self.check()?;
        let (log, plan) = (self.log(frame, 0)?, self.plan());
        let sums = log.sums(&plan)?;
        let means = match &self.clusters {
            None => sums.of_rows(),
            Some(column) => {
                let groups = whole(frame, column)?;
                let (mean, count) = (sums.mean(), groups.count());
                let by_cluster =
                    log.sums_by_cluster(&plan, mean.as_slice(), &groups.codes, count)?;
                sums.of_clusters(by_cluster.cross_product(), count)
            }
        };
        self.conclude(&plan, &sums, &means)
    }

    fn conclude(&self, plan: &Plan, sums: &Sums, means: &Means) -> Result<OffPolicyFit> {
        if sums.rows() <= 0.0 || means.mean[0] <= 0.0 {
            let wanted = match &self.target {
                TargetColumns::Logged { wanted, .. } => wanted.clone(),
                TargetColumns::Actions { wanted, .. } => wanted.join("`, `"),
            };
            return Err(Error::NoRows {
                reason: format!(
                    "`{wanted}` is zero everywhere for the action taken: the log says nothing of the policy"
                ),
            });
        }
        if let Some(column) = self.clusters.as_ref().filter(|_| means.units < 2) {
            return Err(Error::TooFewClusters {
                column: column.clone(),
                clusters: means.units,
            });
        }
        Ok(conclude(
            plan,
            sums,
            means,
            self.clusters.is_some(),
            self.level,
        ))
    }

    /// Refuses options that make no sense.
    fn check(&self) -> Result<()> {
        check_level(self.level)?;
        if let Some(clip) = self.clip.filter(|c| c.is_nan() || *c <= 0.0) {
            return Err(Error::invalid_option("clip", clip, "above 0"));
        }
        for (name, values) in [("switch", &self.switch), ("shrink", &self.shrink)] {
            if let Some(bad) = values.iter().find(|v| v.is_nan() || **v <= 0.0) {
                return Err(Error::invalid_option(name, bad, "above 0"));
            }
        }
        if let Some((low, high)) = self
            .bounds
            .filter(|(low, high)| low.is_nan() || high.is_nan() || low >= high)
        {
            return Err(Error::invalid_option(
                "bounds",
                format!("{low} to {high}"),
                "two numbers, the first below the second",
            ));
        }
        if self.switch.len().max(self.shrink.len()) > 1 {
            self.tuning.check(self.clip, self.bounds)?;
        }
        if let TargetColumns::Actions {
            actions,
            wanted,
            predicted,
            logged,
            ..
        } = &self.target
        {
            let lists = [
                ("targets", wanted, true),
                ("predictions", predicted, false),
                ("logged_actions", logged, false),
            ];
            for (name, list, needed) in lists {
                if list.len() != actions.len() && (needed || !list.is_empty()) {
                    return Err(Error::invalid_option(
                        name,
                        format!("{} columns", list.len()),
                        format!("one column for each of the {} actions", actions.len()),
                    ));
                }
            }
        }
        if self.has_model() || self.switch.is_empty() {
            return Ok(());
        }
        Err(Error::invalid_option(
            "switch",
            self.switch[0],
            "given with a model, to which it switches: add `.predictions(…)` or `.model(…)`",
        ))
    }

    fn has_model(&self) -> bool {
        match &self.target {
            TargetColumns::Logged { model, .. } => model.is_some(),
            TargetColumns::Actions { predicted, .. } => !predicted.is_empty(),
        }
    }

    fn plan(&self) -> Plan {
        let table = match &self.target {
            TargetColumns::Logged { .. } => false,
            TargetColumns::Actions { logged, .. } => !logged.is_empty(),
        };
        Plan {
            clip: self.clip.unwrap_or(f64::INFINITY),
            switch: self.switch.clone(),
            shrink: self.shrink.clone(),
            tuning: self.tuning,
            residual: self.bounds.map_or(0.0, |(low, high)| {
                if self.has_model() {
                    high - low
                } else {
                    low.abs().max(high.abs())
                }
            }),
            has_model: self.has_model(),
            has_table: table,
        }
    }

    /// The rows of a frame, the first of which is `first`.
    fn log(&self, frame: &Frame, first: usize) -> Result<Log> {
        let reward = numbers(frame, &self.reward)?;
        if let Some(bounds) = self.bounds {
            bounded(&self.reward, &reward, bounds)?;
        }
        let target = match &self.target {
            TargetColumns::Logged { wanted, model } => Target::Logged {
                wanted: shares(frame, wanted)?,
                model: match model {
                    None => None,
                    Some((all, taken)) => Some((numbers(frame, all)?, numbers(frame, taken)?)),
                },
            },
            TargetColumns::Actions {
                action,
                actions,
                wanted,
                predicted,
                logged,
            } => Target::Actions(Actions {
                codes: codes(frame, action, actions, first)?,
                wanted: wanted
                    .iter()
                    .map(|c| shares(frame, c))
                    .collect::<Result<_>>()?,
                predicted: predicted
                    .iter()
                    .map(|c| numbers(frame, c))
                    .collect::<Result<_>>()?,
                logged: logged
                    .iter()
                    .map(|c| shares(frame, c))
                    .collect::<Result<_>>()?,
            }),
        };
        Ok(Log {
            reward,
            logged: chances(frame, &self.logged)?,
            target,
        })
    }

    /// Every column that is read.
    fn columns(&self) -> Vec<String> {
        let mut columns = vec![self.reward.clone(), self.logged.clone()];
        columns.extend(self.clusters.clone());
        match &self.target {
            TargetColumns::Logged { wanted, model } => {
                columns.push(wanted.clone());
                let model = model.clone().into_iter();
                columns.extend(model.flat_map(|(all, taken)| [all, taken]));
            }
            TargetColumns::Actions {
                action,
                wanted,
                predicted,
                logged,
                ..
            } => {
                columns.push(action.clone());
                columns.extend([wanted, predicted, logged].into_iter().flatten().cloned());
            }
        }
        columns.sort();
        columns.dedup();
        columns
    }
}

/// From the least biased to the least noisy.
fn descending(values: impl IntoIterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(|a, b| b.total_cmp(a));
    values
}
