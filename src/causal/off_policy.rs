//! The value of a policy from the log of another.

use super::units::{Units, finite_column};
use crate::data::Frame;
use crate::error::{Error, Result, Warning};
use crate::inference::bootstrap::whole;
use crate::inference::{Estimate, check_level};
use crate::report::{Cell, Table};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Estimates what a policy would have earned from rows in which another policy chose the actions with known probabilities, whatever the
/// actions are. With reward `r_i`, probability `p_i` with which the logged action was chosen, and probability `q_i` with which the policy
/// would have chosen it, `w_i = q_i/p_i`, and
///
/// - inverse propensity scores: `IPS = mean(w r)`, unbiased;
/// - self-normalised: `SNIPS = Σ w r / Σ w`, with less noise from the weights and a bias of order 1/n;
/// - doubly robust, with a model of rewards: `DR = mean(m + w (r − μ))`, where `μ_i` is the prediction for the logged action and `m_i` the
///   prediction averaged over the policy's actions; unbiased whatever the model, and less noisy when it is good.
///
/// Every action that the policy may choose must have had a chance in the log. The mean weight is then one but for noise; a warning says
/// when it is not, and when few rows carry most of the weight.
///
/// | name | default | meaning | range |
/// |---|---|---|---|
/// | `model` | none | columns with `m` and `μ` | |
/// | `clip` | none | largest weight; larger ones are cut, which biases towards less noise | above 0 |
/// | `clusters` | none | a column of clusters, such as customers | |
/// | `level` | 0.95 | of intervals | (0, 1) |
///
/// # Errors
/// [`Error::OutOfRange`] for values that are missing, a logged probability outside (0, 1] or another outside \[0, 1\]; [`Error::NoRows`] when
/// the policy would have chosen no logged action; [`Error::MissingClusters`]; [`Error::TooFewClusters`]; those of finding columns.
///
/// # References
/// Horvitz & Thompson (1952), *JASA* 47, 663–685; Swaminathan, A. & Joachims, T. (2015). The self-normalized estimator for counterfactual
/// learning. *NeurIPS* 28; Dudík, M., Erhan, D., Langford, J. & Li, L. (2014). Doubly robust policy evaluation and optimization. *Statistical
/// Science* 29, 485–511. doi:10.1214/14-STS500.
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
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct OffPolicy {
    reward: String,
    logged: String,
    target: String,
    model: Option<(String, String)>,
    clip: Option<f64>,
    clusters: Option<String>,
    level: f64,
}

/// What [`OffPolicy`] found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OffPolicyFit {
    ips: Estimate,
    snips: Estimate,
    doubly_robust: Option<Estimate>,
    logged: Estimate,
    mean_weight: Estimate,
    effective_rows: f64,
    clipped: usize,
    rows: usize,
    level: f64,
    warnings: Vec<Warning>,
}

impl OffPolicy {
    /// From columns of rewards, of the probability with which the logged action was chosen, and of the probability with which the policy
    /// would have chosen it.
    pub fn new(
        reward: impl Into<String>,
        logged: impl Into<String>,
        target: impl Into<String>,
    ) -> Self {
        Self {
            reward: reward.into(),
            logged: logged.into(),
            target: target.into(),
            model: None,
            clip: None,
            clusters: None,
            level: 0.95,
        }
    }

    /// Columns with predicted rewards: averaged over the policy's actions, and of the logged action. The row's own reward must not have been used.
    pub fn model(mut self, of_policy: impl Into<String>, of_logged: impl Into<String>) -> Self {
        self.model = Some((of_policy.into(), of_logged.into()));
        self
    }

    /// The largest weight.
    pub fn clip(mut self, weight: f64) -> Self {
        self.clip = Some(weight);
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
        check_level(self.level)?;
        if let Some(clip) = self.clip.filter(|c| c.is_nan() || *c <= 0.0) {
            return Err(Error::invalid_option("clip", clip, "above 0"));
        }
        let rows = frame.rows();
        let column = |name: &str| finite_column(frame, name, rows);
        let reward = column(&self.reward)?;
        let (logged, target) = (column(&self.logged)?, column(&self.target)?);
        check(&self.logged, &logged, "above 0 and at most 1", |p| {
            p > 0.0 && p <= 1.0
        })?;
        check(&self.target, &target, "between 0 and 1", |p| {
            (0.0..=1.0).contains(&p)
        })?;
        let codes = match &self.clusters {
            None => None,
            Some(name) => Some(whole(frame, name)?),
        };
        let units = Units::new(rows, None, codes.as_ref().map(|g| g.codes.as_slice()));
        if let (Some(column), true) = (&self.clusters, units.count < 2) {
            return Err(Error::TooFewClusters {
                column: column.clone(),
                clusters: units.count,
            });
        }
        let most = self.clip.unwrap_or(f64::INFINITY);
        let raw = || target.iter().zip(&logged).map(|(q, p)| q / p);
        let weights: Vec<f64> = raw().map(|w| w.min(most)).collect();
        let mean_weight = units.average("mean weight", &weights);
        if rows == 0 || mean_weight.estimate <= 0.0 {
            return Err(Error::NoRows {
                reason: format!(
                    "`{}` is zero everywhere: the log says nothing of the policy",
                    self.target
                ),
            });
        }
        let earned: Vec<f64> = weights.iter().zip(&reward).map(|(w, r)| w * r).collect();
        let ips = units.average("IPS", &earned);
        let ratio = ips.estimate / mean_weight.estimate;
        let influence: Vec<f64> = weights
            .iter()
            .zip(&reward)
            .map(|(w, r)| w * (r - ratio) / mean_weight.estimate)
            .collect();
        let doubly_robust = match &self.model {
            None => None,
            Some((of_policy, of_logged)) => {
                let (policy, predicted) = (column(of_policy)?, column(of_logged)?);
                let scores: Vec<f64> = (0..rows)
                    .map(|i| policy[i] + weights[i] * (reward[i] - predicted[i]))
                    .collect();
                Some(units.average("doubly robust", &scores))
            }
        };
        let sum: f64 = weights.iter().sum();
        let squares: f64 = weights.iter().map(|w| w * w).sum();
        let mut fit = OffPolicyFit {
            snips: units.estimate("SNIPS", ratio, &influence),
            ips,
            doubly_robust,
            logged: units.average("policy of the log", &reward),
            mean_weight,
            effective_rows: sum * sum / squares,
            clipped: raw().filter(|w| *w > most).count(),
            rows,
            level: self.level,
            warnings: Vec::new(),
        };
        fit.warn();
        Ok(fit)
    }
}

/// Refuses a probability outside its range.
fn check(name: &str, values: &[f64], expected: &str, good: impl Fn(f64) -> bool) -> Result<()> {
    match values.iter().position(|v| !good(*v)) {
        None => Ok(()),
        Some(row) => Err(Error::OutOfRange {
            column: name.to_owned(),
            row: row + 1,
            value: values[row],
            expected: expected.to_owned(),
        }),
    }
}

impl OffPolicyFit {
    fn warn(&mut self) {
        /// Standard errors that the mean weight may lie from one.
        const FAR: f64 = 3.0;
        const FEW: f64 = 0.05;
        let far = self.mean_weight.statistic(1.0);
        if self.clipped == 0 && far.abs() > FAR {
            self.warnings.push(Warning::Note {
                message: format!(
                    "the mean weight is {:.3}, {:.1} standard errors from 1: the logged probabilities are wrong, or the policy chooses actions without a chance in the log",
                    self.mean_weight.estimate,
                    far.abs()
                ),
            });
        }
        if self.effective_rows < FEW * self.rows as f64 {
            self.warnings.push(Warning::Note {
                message: format!(
                    "the weights leave {:.0} of {} rows in effect: the policies differ much, and intervals may be too short",
                    self.effective_rows, self.rows
                ),
            });
        }
    }

    /// Inverse propensity scores.
    pub fn ips(&self) -> &Estimate {
        &self.ips
    }

    /// Self-normalised inverse propensity scores.
    pub fn snips(&self) -> &Estimate {
        &self.snips
    }

    /// Doubly robust, when a model was given.
    pub fn doubly_robust(&self) -> Option<&Estimate> {
        self.doubly_robust.as_ref()
    }

    /// The mean reward of the policy of the log.
    pub fn logged(&self) -> &Estimate {
        &self.logged
    }

    /// The mean weight, which is one but for noise when the probabilities are right and weights are not clipped.
    pub fn mean_weight(&self) -> &Estimate {
        &self.mean_weight
    }

    /// `(Σ w)²/Σ w²`: as many rows without weights would say as much.
    pub fn effective_rows(&self) -> f64 {
        self.effective_rows
    }

    /// What a reader of the numbers must know.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// One row an estimator.
    pub fn table(&self) -> Table {
        let mut table = Table::new("Value of the policy from the log of another").columns([
            "",
            "Estimate",
            "Std. error",
            "from",
            "to",
        ]);
        let estimates = [&self.ips, &self.snips].into_iter();
        for estimate in estimates.chain(&self.doubly_robust).chain([&self.logged]) {
            let ends = estimate.confidence_interval(self.level);
            let (low, high) = ends.map_or((f64::NAN, f64::NAN), |i| (i.lower, i.upper));
            table = table.row([
                Cell::text(estimate.name.as_str()),
                Cell::significant(estimate.estimate, 4),
                Cell::significant(estimate.std_error, 3).parenthesised(),
                Cell::significant(low, 4),
                Cell::significant(high, 4),
            ]);
        }
        table = table
            .summary([
                Cell::text("Mean weight"),
                Cell::significant(self.mean_weight.estimate, 4),
            ])
            .summary([
                Cell::text("Effective rows"),
                Cell::fixed(self.effective_rows, 0),
            ])
            .note(format!(
                "{} rows, {} weights clipped; intervals at {} %.",
                Cell::count(self.rows),
                Cell::count(self.clipped),
                self.level * 100.0
            ));
        table.warned(&self.warnings)
    }

    /// The table as HTML.
    pub fn to_html(&self) -> String {
        self.table().to_html()
    }
}

impl fmt::Display for OffPolicyFit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.table().fmt(f)
    }
}

crate::report::notebook!(OffPolicyFit);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::numeric::Seed;
    use rand::RngExt;

    /// Three actions; the log prefers the first, the policy follows x. The truth is 0.2 + 0.5 E[x] + …, in closed form.
    fn log(rows: usize, seed: u64) -> Frame {
        let mut random = Seed::new(seed).stream(0);
        let [
            mut reward,
            mut logged,
            mut target,
            mut policy,
            mut predicted,
        ] = [const { Vec::new() }; 5];
        for _ in 0..rows {
            let x: f64 = random.random();
            let p = [0.6, 0.3, 0.1];
            let q = [1.0 - x, x, 0.0];
            let mean = [0.2, 0.2 + 0.5 * x, 0.9];
            let draw: f64 = random.random();
            let action = usize::from(draw > p[0]) + usize::from(draw > p[0] + p[1]);
            let hit: f64 = random.random();
            reward.push(f64::from(u8::from(hit < mean[action])));
            logged.push(p[action]);
            target.push(q[action]);
            // A model that is wrong in level and slope.
            let model = [0.3, 0.3 + 0.3 * x, 0.5];
            policy.push(q[0] * model[0] + q[1] * model[1]);
            predicted.push(model[action]);
        }
        [
            ("r", reward),
            ("p", logged),
            ("q", target),
            ("m", policy),
            ("mu", predicted),
        ]
        .into_iter()
        .fold(Frame::new(), |frame, (name, values)| {
            frame.with(name, values).unwrap()
        })
    }

    #[test]
    fn intervals_of_all_three_cover_the_value() {
        const DRAWS: u64 = 400;
        let truth = 0.2 + 0.5 / 3.0; // 0.2 + E[x · x/2]
        let mut covered = [0.0; 3];
        for seed in 0..DRAWS {
            let fit = OffPolicy::new("r", "p", "q")
                .model("m", "mu")
                .fit(&log(500, seed))
                .unwrap();
            let found = [fit.ips(), fit.snips(), fit.doubly_robust().unwrap()];
            for (covered, estimate) in covered.iter_mut().zip(found) {
                let ends = estimate.confidence_interval(0.95).unwrap();
                *covered +=
                    f64::from(u8::from(ends.lower <= truth && truth <= ends.upper)) / DRAWS as f64;
            }
        }
        // The Monte Carlo error of a coverage of 0.95 is 0.011.
        assert!(
            covered.iter().all(|c| (0.915..0.985).contains(c)),
            "{covered:?}"
        );
    }

    #[test]
    fn wrong_probabilities_are_noticed() {
        let frame = log(2000, 1);
        let good = OffPolicy::new("r", "p", "q").fit(&frame).unwrap();
        assert!(
            good.warnings().is_empty() && good.doubly_robust().is_none(),
            "{good}"
        );
        let half: Vec<f64> = frame.real("p").unwrap().iter().map(|p| p / 2.0).collect();
        let bad = OffPolicy::new("r", "p", "q")
            .fit(&frame.replace("p", half).unwrap())
            .unwrap();
        assert!(bad.to_string().contains("mean weight"), "{bad}");
        assert_eq!(bad.warnings().len(), 1);
        let clipped = OffPolicy::new("r", "p", "q").clip(1.0).fit(&frame).unwrap();
        assert!(clipped.clipped > 0 && clipped.ips().std_error < good.ips().std_error);
        let zero = frame.replace("p", vec![0.0; 2000]).unwrap();
        assert!(matches!(
            OffPolicy::new("r", "p", "q").fit(&zero),
            Err(Error::OutOfRange { row: 1, .. })
        ));
        let never = frame.replace("q", vec![0.0; 2000]).unwrap();
        assert!(matches!(
            OffPolicy::new("r", "p", "q").fit(&never),
            Err(Error::NoRows { .. })
        ));
    }
}
