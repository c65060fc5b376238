//! A fitted multi-arm causal forest.

use super::arm_moment::{ArmPoint, Arms, MOST_TREATMENTS, lanes, means, room};
use super::codes::{Binned, Codes, Cuts};
use super::display::important;
use super::ensemble::{Ensemble, Predicted};
use super::fit::{prediction, ranked};
use super::moment::Moment;
use super::multi_arm::MultiArmForest;
use super::multi_arm_prediction::MultiArmPrediction;
use super::nuisance::{self, CLIP, Sample, Wanted};
use super::plan::{Plan, Seen};
use super::prediction::ForestPrediction;
use crate::causal::doubly_robust_fit::average;
use crate::causal::nuisance::propensity_name;
use crate::causal::sample::CausalSample;
use crate::causal::{ArmScores, AverageEffects};
use crate::data::Frame;
use crate::error::{Result, Warning};
use crate::numeric::{Progress, Seed};
use crate::regression::learners::features::FeatureInfo;
use crate::regression::learners::{Features, Task};
use crate::report::{Cell, Table, notebook};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

/// A multi-arm forest fitted to a frame: effects of every arm at any row, averages with their errors, scores for curves and policies. It is
/// owned, and free of the frame.
#[derive(Clone, Serialize, Deserialize)]
pub struct MultiArmForestFit {
    forest: MultiArmForest,
    pub(super) info: Arc<Vec<FeatureInfo>>,
    pub(super) cuts: Vec<Cuts>,
    pub(super) ensemble: Ensemble,
    kept: Vec<u32>,
    pub(super) scores: ArmScores,
    pub(super) outcome_hat: Vec<f64>,
    /// One column an arm.
    pub(super) propensities: Vec<Vec<f64>>,
    pub(super) out_of_bag: MultiArmPrediction,
    average: AverageEffects,
    warnings: Vec<Warning>,
}

/// The nuisances of the rows in use.
struct Learned {
    outcome_hat: Vec<f64>,
    propensities: Vec<Vec<f64>>,
    warnings: Vec<Warning>,
}

impl MultiArmForestFit {
    pub(super) fn new(
        forest: &MultiArmForest,
        sample: &CausalSample,
        outcome_hat: Option<Vec<f64>>,
        plan: Plan,
        seed: Seed,
        progress: &Progress,
    ) -> Result<Self> {
        let mut warnings = MultiArmForest::warned(sample);
        let clusters = sample.clusters.clone().map(|codes| {
            let count = codes.iter().max().map_or(0, |c| *c as usize + 1);
            (codes, count)
        });
        let binned = Binned::new(
            &sample.features,
            &sample.all(),
            clusters.as_ref(),
            &mut warnings,
        );
        let plan = Plan {
            moment: Moment::Arms(sample.arms.len() - 1),
            ..plan
        };
        let learned = Learned::new(
            forest,
            sample,
            outcome_hat,
            &binned,
            (&plan, seed),
            progress,
        )?;
        warnings.extend(learned.warnings);
        let (outcome_hat, propensities) = (learned.outcome_hat, learned.propensities);
        let (ensemble, effects) = grown(
            &plan,
            &binned,
            sample,
            &outcome_hat,
            &propensities,
            seed,
            progress,
        )?;
        let scores = scores(sample, &outcome_hat, &propensities, &effects)?;
        Ok(Self {
            average: average(&forest.columns, &scores, &warnings),
            forest: forest.clone(),
            info: Arc::clone(sample.features.info()),
            cuts: binned.cuts,
            ensemble,
            kept: (0..sample.len())
                .map(|i| sample.rows.index(i) as u32)
                .collect(),
            out_of_bag: MultiArmPrediction::new(&sample.arms, effects),
            scores,
            outcome_hat,
            propensities,
            warnings,
        })
    }

    /// Effects of every arm at the rows of a frame that has the features, by all trees. Labels that training had not count as missing.
    ///
    /// # Errors
    /// [`ColumnNotFound`](crate::Error::ColumnNotFound), [`WrongKind`](crate::Error::WrongKind), [`Infinite`](crate::Error::Infinite).
    pub fn predict(&self, frame: &Frame) -> Result<MultiArmPrediction> {
        let features = Features::matching(frame, &self.info)?;
        let codes = Codes::cut(&features, &self.cuts);
        let treatments = self.arms().len() - 1;
        let effects = predicted(&self.ensemble, treatments, &codes, None, features.unseen());
        Ok(MultiArmPrediction::new(self.arms(), effects))
    }

    /// Effects at the rows in use, each by the trees that have not seen it.
    pub fn out_of_bag(&self) -> &MultiArmPrediction {
        &self.out_of_bag
    }

    /// The average effect of every arm against control, `E[Y(k) − Y(control)]`: differences of the means of the doubly robust scores, with the
    /// error of the influence function, summed by cluster where there are clusters.
    ///
    /// # References
    /// Robins, Rotnitzky & Zhao (1994), doi:10.1080/01621459.1994.10476818.
    pub fn average_effect(&self) -> &AverageEffects {
        &self.average
    }

    /// Doubly robust scores of every arm, `Γ_k = μ_k(X) + 1{W = k} (Y − μ_k(X))/e_k(X)` with `μ_control = m − Σ_k e_k τ_k`,
    /// `μ_k = μ_control + τ_k` and out-of-bag τ: for uplift curves, policies and learners of effects.
    pub fn scores(&self) -> &ArmScores {
        &self.scores
    }

    /// The arms, control first.
    pub fn arms(&self) -> &[String] {
        self.scores.arms()
    }

    /// The rows of the frame that were used, from 0.
    pub fn used_rows(&self) -> Vec<usize> {
        self.kept.iter().map(|row| *row as usize).collect()
    }

    /// Number of rows in use.
    pub fn rows(&self) -> usize {
        self.kept.len()
    }

    /// Number of trees.
    pub fn trees(&self) -> usize {
        self.ensemble.trees.len()
    }

    /// `E[Y | X]` as it was used, one a row in use.
    pub fn outcome_hat(&self) -> &[f64] {
        &self.outcome_hat
    }

    /// `P(W = arm | X)` as it was used, one a row in use.
    ///
    /// # Errors
    /// [`InvalidOption`](crate::Error::InvalidOption) with the arms that exist.
    pub fn propensity_hat(&self, arm: &str) -> Result<&[f64]> {
        let at = crate::causal::arm_scores::position(self.arms(), arm)?;
        Ok(&self.propensities[at])
    }

    /// Features with their share of the splits in the first four levels, each level weighted by `1/depth²`; largest first.
    pub fn importance(&self) -> Vec<(String, f64)> {
        ranked(&self.ensemble.trees, &self.info)
    }

    /// What a reader of the numbers must know.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// The options of the forest.
    pub fn forest(&self) -> &MultiArmForest {
        &self.forest
    }

    /// The average effects, the importance of features and how the forest was grown.
    pub fn table(&self) -> Table {
        let given = usize::from(self.forest.outcome_hat.is_some())
            + usize::from(!self.forest.columns.propensities.is_empty());
        important(self.average.table(), &self.importance()).note(format!(
            "Multi-arm causal forest: {} trees in bags of {}; nuisances: {}",
            Cell::count(self.trees()),
            self.forest.options.bag_size,
            self.forest.nuisances.describe_given(given, 2)
        ))
    }

    /// The table as HTML.
    pub fn to_html(&self) -> String {
        self.table().to_html()
    }
}

impl fmt::Display for MultiArmForestFit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.table().fmt(f)
    }
}

notebook!(MultiArmForestFit);

impl fmt::Debug for MultiArmForestFit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MultiArmForestFit")
            .field("arms", &self.arms())
            .field("rows", &self.rows())
            .field("trees", &self.trees())
            .finish()
    }
}

impl Learned {
    fn new(
        forest: &MultiArmForest,
        causal: &CausalSample,
        outcome_hat: Option<Vec<f64>>,
        binned: &Binned,
        (plan, seed): (&Plan, Seed),
        progress: &Progress,
    ) -> Result<Self> {
        let rows = causal.all();
        let sample = Sample {
            features: &causal.features,
            rows: &rows,
            binned,
            weights: causal.weights.as_deref(),
            groups: causal.clusters.as_deref(),
        };
        let mut warnings = Vec::new();
        let mut learn = |name: &str, target: &[f64], task| {
            let wanted = Wanted {
                name,
                draws: name,
                target,
                task,
            };
            let nuisances = &forest.nuisances;
            let (means, more) = nuisance::means(nuisances, &sample, &wanted, plan, seed, progress)?;
            warnings.extend(more);
            Ok::<_, crate::error::Error>(means)
        };
        let outcome_hat = if let Some(given) = outcome_hat {
            given
        } else {
            let ends = |y: &f64| y.abs() <= 0.0 || (y - 1.0).abs() <= 0.0;
            let task = if causal.y.iter().all(ends) {
                Task::Probability
            } else {
                Task::Regression
            };
            learn(&causal.outcome, &causal.y, task)?
        };
        let propensities = if let Some(given) = &causal.propensities {
            given.clone()
        } else {
            // Of two arms one tells the other.
            let first = usize::from(causal.arms.len() == 2);
            let mut columns = Vec::with_capacity(causal.arms.len());
            for arm in first..causal.arms.len() {
                let name = propensity_name(causal, arm);
                columns.push(learn(&name, &causal.indicator(arm), Task::Probability)?);
            }
            if first == 1 {
                let other = columns[0].iter().map(|p| 1.0 - p).collect();
                columns.insert(0, other);
            }
            warnings.extend(summing_to_one(&mut columns, &causal.arms));
            columns
        };
        Ok(Self {
            outcome_hat,
            propensities,
            warnings,
        })
    }
}

/// Scales probabilities to sum to one, raises them to the bound, and says where overlap is poor.
fn summing_to_one(columns: &mut [Vec<f64>], arms: &[String]) -> Vec<Warning> {
    for row in 0..columns[0].len() {
        let total: f64 = columns.iter().map(|c| c[row]).sum();
        for column in columns.iter_mut() {
            column[row] /= total;
        }
    }
    let mut warnings = Vec::new();
    let bound = CLIP * (1.0 + 1e-9);
    for (column, arm) in columns.iter_mut().zip(arms) {
        let low = column.iter().filter(|p| **p <= bound).count();
        let smallest = column.iter().copied().fold(f64::INFINITY, f64::min);
        for p in column.iter_mut() {
            *p = p.max(CLIP);
        }
        if low as f64 > super::fit::AT_LIMIT * column.len() as f64 {
            warnings.push(Warning::PoorOverlap {
                arm: arm.clone(),
                rows: low,
                smallest,
                bound: CLIP,
            });
        }
    }
    warnings
}

/// `Γ_k` of every arm.
fn scores(
    sample: &CausalSample,
    outcome_hat: &[f64],
    propensities: &[Vec<f64>],
    effects: &[ForestPrediction],
) -> Result<ArmScores> {
    let effect = |arm: usize, i: usize| match arm {
        0 => 0.0,
        _ => effects[arm - 1].estimates[i],
    };
    let control: Vec<f64> = (0..sample.len())
        .map(|i| {
            let share = (1..propensities.len()).map(|arm| propensities[arm][i] * effect(arm, i));
            outcome_hat[i] - share.sum::<f64>()
        })
        .collect();
    let column = |arm: usize| -> Vec<f64> {
        (0..sample.len())
            .map(|i| {
                let mean = control[i] + effect(arm, i);
                let own = sample.arm_of[i] as usize == arm;
                let correction = (sample.y[i] - mean) / propensities[arm][i];
                mean + if own { correction } else { 0.0 }
            })
            .collect()
    };
    let values = (0..propensities.len()).map(column).collect();
    let mut scores = ArmScores::new(sample.arms.clone(), values)?;
    if let Some(weights) = &sample.weights {
        scores = scores.weights(weights.clone())?;
    }
    if let Some(clusters) = &sample.clusters {
        scores = scores.clusters(clusters)?;
    }
    Ok(scores)
}

/// The forest and its out-of-bag effects, one an arm after control.
fn grown(
    plan: &Plan,
    binned: &Binned,
    sample: &CausalSample,
    outcome_hat: &[f64],
    propensities: &[Vec<f64>],
    seed: Seed,
    progress: &Progress,
) -> Result<(Ensemble, Vec<ForestPrediction>)> {
    let treatments = propensities.len() - 1;
    let of = |i: usize, k: usize| {
        let own = sample.arm_of[i] as usize == k + 1;
        f64::from(u8::from(own)) - propensities[k + 1][i]
    };
    macro_rules! grow {
        ($room:expr) => {{
            const T: usize = $room;
            let points: Vec<ArmPoint<T>> = (0..sample.len())
                .map(|i| ArmPoint {
                    y: sample.y[i] - outcome_hat[i],
                    w: std::array::from_fn(|k| if k < treatments { of(i, k) } else { 0.0 }),
                    weight: sample.weight(i),
                })
                .collect();
            let arms = Arms::<T> { used: treatments };
            let data = binned.data(&points, true);
            plan.grow_as::<{ lanes(T) }, { means(T) }, T, _>(&arms, &data, seed, progress)?
        }};
    }
    let (ensemble, seen) = match room(treatments) {
        2 => grow!(2),
        3 => grow!(3),
        7 => grow!(7),
        _ => grow!(MOST_TREATMENTS),
    };
    let effects = predicted(&ensemble, treatments, &binned.codes, Some(&seen), 0);
    Ok((ensemble, effects))
}

/// The effects of every arm after control.
fn predicted(
    ensemble: &Ensemble,
    treatments: usize,
    codes: &Codes,
    seen: Option<&Seen>,
    unseen: usize,
) -> Vec<ForestPrediction> {
    macro_rules! predict {
        ($room:expr) => {{
            const T: usize = $room;
            let arms = Arms::<T> { used: treatments };
            let rows = ensemble.predict_as::<{ means(T) }, T, _>(&arms, codes, seen);
            let of = |k: usize| -> Vec<Predicted> { rows.iter().map(|row| row[k]).collect() };
            (0..treatments).map(of).collect::<Vec<_>>()
        }};
    }
    let columns = match room(treatments) {
        2 => predict!(2),
        3 => predict!(3),
        7 => predict!(7),
        _ => predict!(MOST_TREATMENTS),
    };
    columns.iter().map(|c| prediction(c, unseen)).collect()
}
