//! The value of a policy that fills several places at once.

use super::super::units::Units;
use super::columns::{chances, numbers, shares};
use super::fit::cells;
use super::slate_rows::{check_places, normalised, same_within, weights_above};
use crate::data::Frame;
use crate::error::{Error, Result, Warning};
use crate::inference::bootstrap::whole;
use crate::inference::{Estimate, Inference, check_level};
use crate::report::{Cell, Table, shown};
use nalgebra::{DMatrix, DVector};
use serde::{Deserialize, Serialize};

/// What a reward at a place is taken to depend on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Kind {
    Standard,
    Independent,
    RewardInteraction,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Standard => "standard",
            Self::Independent => "independent",
            Self::RewardInteraction => "reward_interaction",
        }
    }

    fn self_normalised(self) -> &'static str {
        match self {
            Self::Standard => "SN_standard",
            Self::Independent => "SN_independent",
            Self::RewardInteraction => "SN_reward_interaction",
        }
    }
}

/// Estimates what a policy would have earned that fills the places of a slate (a page, a mail, a basket of tasks), from a log with one row a slate and place.
/// With rewards `r_sk`, the value is the expected sum over places, and each estimator is `(1/S) Σ_s Σ_k w_sk r_sk` with weights that say how the policy and the
/// log differ in what the reward at a place depends on:
///
/// | name | weight `w_sk`: policy's over log's probability of | the reward at a place may depend on |
/// |---|---|---|
/// | `standard` | the whole slate | everything; weights grow exponentially with the places |
/// | `independent` | the item at place k | that item alone |
/// | `reward_interaction` | the items down to place k | that item and those above: a customer who reads from the top (a cascade) |
///
/// Each is unbiased under its assumption, whatever the policies are. The self-normalised `SN_standard`, `SN_independent` and `SN_reward_interaction` divide the
/// weights by their mean, that of each place for the last two, which trades a bias of order 1/S for less noise from the weights. With a model of the rewards from a place down, `cascade_doubly_robust` is
/// `(1/S) Σ_s Σ_k w_sk (r_sk − Q_sk) + w_{s,k−1} V_sk` with the weights of `reward_interaction` and `w_s0 = 1`, where `Q_sk` is predicted for the item at place k and `V_sk` averages it over the
/// policy's items there, given those above: unbiased whatever the model, and less noisy when it is good. Slates are independent, or clusters of them are.
///
/// | name | default | meaning |
/// |---|---|---|
/// | `standard`, `independent`, `reward_interaction` | one is needed | columns with the log's and the policy's probability |
/// | `cascade_doubly_robust` | none | columns with `Q` and `V`, beside `reward_interaction`; places must be numbers |
/// | `clusters` | none | a column of clusters, such as customers |
/// | `level` | 0.95 | of intervals |
///
/// # Errors
/// [`Error::OutOfRange`] for missing values, a logged probability outside (0, 1], or a probability of the whole slate that differs between its places;
/// [`Error::InvalidOption`] without weights, or for a place twice in a slate; [`Error::NoRows`] when no weight is above zero; [`Error::MissingClusters`]; [`Error::TooFewClusters`].
///
/// # References
/// Swaminathan, A. et al. (2017). Off-policy evaluation for slate recommendation. *NeurIPS* 30; Li, S. et al. (2018). Offline evaluation of ranking policies
/// with click models. *KDD*. doi:10.1145/3219819.3220028; McInerney, J., Brost, B., Chandar, P., Mehrotra, R. & Carterette, B. (2020). Counterfactual
/// evaluation of slate recommendations with sequential reward interactions. *KDD*. doi:10.1145/3394486.3403229; Kiyohara, H., Saito, Y., Matsuhiro, T., Narita, Y., Shimizu, N. & Yamamoto, Y. (2022).
/// Doubly robust off-policy evaluation for ranking policies under the cascade behavior model. *WSDM*. doi:10.1145/3488560.3498380.
///
/// # Examples
/// ```
/// use cocreate::prelude::*;
/// let log = Frame::new()
///     .with("page", vec![1.0, 1.0, 2.0, 2.0])?
///     .with("place", vec![1.0, 2.0, 1.0, 2.0])?
///     .with("click", vec![1.0, 0.0, 0.0, 1.0])?
///     .with("p", vec![0.5, 0.5, 0.5, 0.5])?
///     .with("q", vec![1.0, 0.0, 0.5, 0.5])?;
/// let value = SlatePolicy::new("page", "place", "click").independent("p", "q").fit(&log)?;
/// // Weights 2, 0, 1, 1: (2 + 1)/2 clicks a page.
/// assert_eq!(value.coefficient("independent")?.estimate, 1.5);
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SlatePolicy {
    slate: String,
    place: String,
    reward: String,
    weights: Vec<(Kind, String, String)>,
    model: Option<(String, String)>,
    clusters: Option<String>,
    level: f64,
}

/// What [`SlatePolicy`] found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SlatePolicyFit {
    names: Vec<String>,
    values: DVector<f64>,
    covariance: DMatrix<f64>,
    #[serde(deserialize_with = "crate::numeric::infinite::above")]
    degrees_of_freedom: f64,
    logged: Estimate,
    mean_weights: Vec<Estimate>,
    effective_slates: Vec<f64>,
    slates: usize,
    level: f64,
    warnings: Vec<Warning>,
}

impl SlatePolicy {
    /// From columns of slates, places and rewards.
    pub fn new(
        slate: impl Into<String>,
        place: impl Into<String>,
        reward: impl Into<String>,
    ) -> Self {
        Self {
            slate: slate.into(),
            place: place.into(),
            reward: reward.into(),
            weights: Vec::new(),
            model: None,
            clusters: None,
            level: 0.95,
        }
    }

    /// The probabilities of the whole slate, the same in all its rows.
    pub fn standard(self, logged: impl Into<String>, target: impl Into<String>) -> Self {
        self.with(Kind::Standard, logged.into(), target.into())
    }

    /// The probabilities of the item at its place.
    pub fn independent(self, logged: impl Into<String>, target: impl Into<String>) -> Self {
        self.with(Kind::Independent, logged.into(), target.into())
    }

    /// The probabilities of the items from the first place down to this one.
    pub fn reward_interaction(self, logged: impl Into<String>, target: impl Into<String>) -> Self {
        self.with(Kind::RewardInteraction, logged.into(), target.into())
    }

    fn with(mut self, kind: Kind, logged: String, target: String) -> Self {
        self.weights.retain(|(other, _, _)| *other != kind);
        self.weights.push((kind, logged, target));
        self
    }

    /// Columns with the predicted sum of rewards from this place down: of the item at the place, and averaged over the policy's items there. The slate's own rewards must not have been used.
    pub fn cascade_doubly_robust(
        mut self,
        of_item: impl Into<String>,
        of_policy: impl Into<String>,
    ) -> Self {
        self.model = Some((of_item.into(), of_policy.into()));
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
    /// See [`SlatePolicy`].
    pub fn fit(&self, frame: &Frame) -> Result<SlatePolicyFit> {
        check_level(self.level)?;
        if self.weights.is_empty() {
            return Err(Error::invalid_option(
                "weights",
                "none",
                "one of `.standard(…)`, `.independent(…)`, `.reward_interaction(…)`",
            ));
        }
        let cascade = self
            .weights
            .iter()
            .any(|(kind, _, _)| *kind == Kind::RewardInteraction);
        if self.model.is_some() && !cascade {
            return Err(Error::invalid_option(
                "cascade_doubly_robust",
                "without weights",
                "beside `.reward_interaction(…)`",
            ));
        }
        let reward = numbers(frame, &self.reward)?;
        let slates = whole(frame, &self.slate)?;
        let count = slates.count();
        if count == 0 {
            return Err(Error::NoRows {
                reason: "the log has no slate".to_owned(),
            });
        }
        let total = |values: &[f64]| {
            let mut sums = vec![0.0; count];
            for (value, slate) in values.iter().zip(slates.codes.iter()) {
                sums[*slate as usize] += value;
            }
            sums
        };
        let places = total(&vec![1.0; reward.len()]);
        let place = whole(frame, &self.place)?;
        check_places(&place, &slates.codes)?;
        let units = Units::new(
            count,
            None,
            self.clusters_of(frame, &slates.codes, count)?.as_deref(),
        );
        if units.count < 2 && self.clusters.is_some() {
            return Err(Error::TooFewClusters {
                column: self.clusters.clone().unwrap_or_default(),
                clusters: units.count,
            });
        }
        let mut fit = SlatePolicyFit {
            names: Vec::new(),
            values: DVector::zeros(0),
            covariance: DMatrix::zeros(0, 0),
            degrees_of_freedom: units.degrees_of_freedom(),
            logged: units.average("logged", &total(&reward)),
            mean_weights: Vec::new(),
            effective_slates: Vec::new(),
            slates: count,
            level: self.level,
            warnings: Vec::new(),
        };
        let (mut parts, mut normal) = (Vec::new(), Vec::new());
        for (kind, logged, target) in &self.weights {
            let (p, q) = (chances(frame, logged)?, shares(frame, target)?);
            if *kind == Kind::Standard {
                same_within(logged, &p, &slates.codes, count)?;
                same_within(target, &q, &slates.codes, count)?;
            }
            let weights: Vec<f64> = q.iter().zip(p.iter()).map(|(q, p)| q / p).collect();
            let earned: Vec<f64> = weights
                .iter()
                .zip(reward.iter())
                .map(|(w, r)| w * r)
                .collect();
            let mut mean: Vec<f64> = total(&weights);
            for (mean, places) in mean.iter_mut().zip(&places) {
                *mean /= places;
            }
            let sum: f64 = mean.iter().sum();
            if sum <= 0.0 {
                return Err(Error::NoRows {
                    reason: format!(
                        "`{target}` is zero everywhere: the log says nothing of the policy"
                    ),
                });
            }
            fit.effective_slates
                .push(sum * sum / mean.iter().map(|w| w * w).sum::<f64>());
            fit.mean_weights.push(units.average(kind.name(), &mean));
            fit.names.push(kind.name().to_owned());
            parts.push(units.ratio(&total(&earned), |_| 1.0, |_| true));
            // The whole slate has one weight, which is normalised over all rows.
            let (group, groups) = if *kind == Kind::Standard {
                (&vec![0; weights.len()], 1)
            } else {
                (&*place.codes, place.count())
            };
            match normalised(&weights, &earned, group, groups) {
                Ok(scores) => normal.push((
                    kind.self_normalised().to_owned(),
                    units.ratio(&total(&scores), |_| 1.0, |_| true),
                )),
                Err(at) => fit.warnings.push(Warning::Note {
                    message: format!(
                        "{} is left out: all weights at place {} are zero, so that they have no mean to divide by",
                        kind.self_normalised(),
                        place.levels[at]
                    ),
                }),
            }
            if let (Kind::RewardInteraction, Some((of_item, of_policy))) = (*kind, &self.model) {
                let (item, policy) = (numbers(frame, of_item)?, numbers(frame, of_policy)?);
                let above = weights_above(&numbers(frame, &self.place)?, &slates.codes, &weights);
                let scores: Vec<f64> = (0..weights.len())
                    .map(|i| weights[i] * (reward[i] - item[i]) + above[i] * policy[i])
                    .collect();
                fit.names.push("cascade_doubly_robust".to_owned());
                parts.push(units.ratio(&total(&scores), |_| 1.0, |_| true));
            }
        }
        for (name, part) in normal {
            fit.names.push(name);
            parts.push(part);
        }
        fit.values = DVector::from_iterator(parts.len(), parts.iter().map(|p| p.estimate));
        fit.covariance = if units.count > 1 {
            units.covariance(&parts)
        } else {
            DMatrix::zeros(parts.len(), parts.len())
        };
        fit.warn();
        Ok(fit)
    }

    /// The cluster of every slate.
    fn clusters_of(&self, frame: &Frame, slates: &[u32], count: usize) -> Result<Option<Vec<u32>>> {
        let Some(column) = &self.clusters else {
            return Ok(None);
        };
        let groups = whole(frame, column)?;
        let mut clusters = vec![u32::MAX; count];
        for (row, (slate, cluster)) in slates.iter().zip(groups.codes.iter()).enumerate() {
            let known = &mut clusters[*slate as usize];
            if *known != u32::MAX && known != cluster {
                return Err(Error::OutOfRange {
                    column: column.clone(),
                    row: row + 1,
                    value: f64::from(*cluster),
                    expected: "the same in all rows of a slate: slates nest in clusters".to_owned(),
                });
            }
            *known = *cluster;
        }
        Ok(Some(clusters))
    }
}

impl Inference for SlatePolicyFit {
    fn names(&self) -> &[String] {
        &self.names
    }

    fn estimates(&self) -> &DVector<f64> {
        &self.values
    }

    fn covariance(&self) -> &DMatrix<f64> {
        &self.covariance
    }

    fn degrees_of_freedom(&self, _: &DVector<f64>) -> f64 {
        self.degrees_of_freedom
    }
}

impl SlatePolicyFit {
    fn warn(&mut self) {
        const FAR: f64 = 3.0;
        const FEW: f64 = 0.05;
        for (weight, effective) in self.mean_weights.iter().zip(&self.effective_slates) {
            let far = weight.statistic(1.0);
            if far.abs() > FAR {
                self.warnings.push(Warning::Note {
                    message: format!(
                        "the mean weight of {} is {:.3}, {:.1} standard errors from 1: probabilities are wrong, or the policy fills slates without a chance in the log",
                        weight.name,
                        weight.estimate,
                        far.abs()
                    ),
                });
            }
            if *effective < FEW * self.slates as f64 {
                self.warnings.push(Warning::Note {
                    message: format!(
                        "the weights of {} leave {effective:.0} of {} slates in effect: its interval may be too short",
                        weight.name, self.slates
                    ),
                });
            }
        }
    }

    /// The mean reward of a slate in the log.
    pub fn logged(&self) -> &Estimate {
        &self.logged
    }

    /// The mean weight of each kind of weights.
    pub fn mean_weights(&self) -> &[Estimate] {
        &self.mean_weights
    }

    /// As many slates without weights would say as much, for each kind of weights.
    pub fn effective_slates(&self) -> &[f64] {
        &self.effective_slates
    }

    /// What a reader of the numbers must know.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// One row an estimator.
    pub fn table(&self) -> Table {
        let mut table = Table::new("Value of the policy from the log of another, by slate")
            .columns([
                "",
                "Estimate",
                "Std. error",
                "from",
                "to",
                "Mean weight",
                "Effective slates",
            ]);
        let estimates = self.coefficients();
        for estimate in estimates.iter().chain([&self.logged]) {
            let of_weights = self.mean_weights.iter().zip(&self.effective_slates);
            let mut own = of_weights.filter(|(w, _)| w.name == estimate.name);
            let (weight, effective) =
                own.next().map_or((Cell::empty(), Cell::empty()), |(w, e)| {
                    (Cell::significant(w.estimate, 4), Cell::fixed(*e, 0))
                });
            let value = cells(&estimate.name, estimate, self.level);
            table = table.row(value.into_iter().chain([weight, effective]));
        }
        table
            .note(format!(
                "{} slates; intervals at {} %.",
                Cell::count(self.slates),
                self.level * 100.0
            ))
            .warned(&self.warnings)
    }
}

shown!(SlatePolicyFit);
