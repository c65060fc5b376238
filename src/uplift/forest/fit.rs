//! A fitted causal forest.

use super::causal::CausalForest;
use super::codes::{Binned, Codes, Cuts};
use super::compliance::InstrumentRows;
use super::ensemble::{Ensemble, Predicted, importance};
use super::moment::Point;
use super::nuisance::{self, CLIP, Sample, Wanted};
use super::plan::Plan;
use super::prediction::ForestPrediction;
use super::prepare::{Part, Prepared};
use super::tree::Tree;
use super::tuning::{self, ForestTuning};
use crate::data::{Frame, Rows};
use crate::error::{Error, Result, Warning};
use crate::numeric::{Progress, Seed};
use crate::regression::learners::features::FeatureInfo;
use crate::regression::learners::{Features, Task};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

/// Levels of the trees that count for importance.
const IMPORTANT_DEPTHS: usize = 4;
/// More than this share of propensities at their limit is worth a warning.
pub(super) const AT_LIMIT: f64 = 0.01;

/// A forest fitted to a frame: effects at any row, averages with their errors, and what the forest found.
///
/// It is owned, and free of the frame but for a handle that [`CausalForestFit::best_linear_projection`] uses and a file does not keep.
#[derive(Clone, Serialize, Deserialize)]
pub struct CausalForestFit {
    pub(super) forest: CausalForest,
    pub(super) tuning: Option<ForestTuning>,
    pub(super) info: Arc<Vec<FeatureInfo>>,
    pub(super) cuts: Vec<Cuts>,
    pub(super) ensemble: Ensemble,
    pub(super) sample: TrainingRows,
    pub(super) out_of_bag: ForestPrediction,
    pub(super) warnings: Vec<Warning>,
    #[serde(skip)]
    pub(super) frame: Option<Frame>,
}

/// What averages and tests need of the rows in use.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct TrainingRows {
    /// The row of the frame of each row in use; empty when all are.
    pub(super) kept: Vec<u32>,
    pub(super) outcome: Vec<f64>,
    pub(super) outcome_hat: Vec<f64>,
    pub(super) treatment: Vec<f64>,
    pub(super) propensity: Vec<f64>,
    /// Whether the treatment is 0 or 1.
    pub(super) binary: bool,
    /// `Var(W | X)` of any other treatment.
    pub(super) treatment_variance: Option<Vec<f64>>,
    pub(super) instrument: Option<InstrumentRows>,
    pub(super) weights: Option<Vec<f64>>,
    pub(super) clusters: Option<(Vec<u32>, usize)>,
}

/// Learns the means of one part, unless a column holds them.
struct Learning<'a> {
    forest: &'a CausalForest,
    sample: Sample<'a>,
    plan: &'a Plan,
    seed: Seed,
    progress: &'a Progress,
}

impl Learning<'_> {
    fn mean(&self, part: &Part, warnings: &mut Vec<Warning>) -> Result<Vec<f64>> {
        if let Some(hat) = &part.hat {
            return Ok(hat.clone());
        }
        let wanted = Wanted {
            name: &part.name,
            draws: &part.draws,
            target: &part.values,
            task: part.task,
        };
        self.of(&wanted, warnings)
    }

    fn of(&self, wanted: &Wanted, warnings: &mut Vec<Warning>) -> Result<Vec<f64>> {
        let nuisances = &self.forest.nuisances;
        let (means, more) = nuisance::means(
            nuisances,
            &self.sample,
            wanted,
            self.plan,
            self.seed,
            self.progress,
        )?;
        warnings.extend(more);
        Ok(means)
    }

    /// The variance of a part given the features, from the squares of its residuals.
    fn variance(
        &self,
        part: &Part,
        residuals: &[f64],
        warnings: &mut Vec<Warning>,
    ) -> Result<Vec<f64>> {
        let squares: Vec<f64> = residuals.iter().map(|r| r * r).collect();
        let name = format!("{}²", part.name);
        let wanted = Wanted {
            name: &name,
            draws: &name,
            target: &squares,
            task: Task::Regression,
        };
        let learned = self.of(&wanted, warnings)?;
        let least = CLIP * squares.iter().sum::<f64>() / squares.len() as f64;
        Ok(learned.iter().map(|v| v.max(least)).collect())
    }
}

impl CausalForestFit {
    pub(super) fn new(
        forest: &CausalForest,
        frame: &Frame,
        prepared: Prepared,
        plan: &Plan,
        seed: Seed,
        progress: &Progress,
    ) -> Result<Self> {
        let Prepared {
            features,
            rows,
            outcome,
            treatment,
            instrument,
            weights,
            clusters,
            mut warnings,
        } = prepared;
        let binned = Binned::new(&features, &rows, clusters.as_ref(), &mut warnings);
        let learning = Learning {
            forest,
            sample: Sample {
                features: &features,
                rows: &rows,
                binned: &binned,
                weights: weights.as_deref(),
                groups: clusters.as_ref().map(|(of_row, _)| of_row.as_slice()),
            },
            plan,
            seed,
            progress,
        };
        let outcome_hat = learning.mean(&outcome, &mut warnings)?;
        let propensity = learning.mean(&treatment, &mut warnings)?;
        let instrument_hat = instrument
            .as_ref()
            .map(|part| learning.mean(part, &mut warnings))
            .transpose()?;
        let binary = treatment.task == Task::Probability;
        match (&instrument, &instrument_hat) {
            (Some(part), Some(hat)) if part.task == Task::Probability => {
                warnings.extend(overlap(part, hat, &rows)?);
            }
            (None, _) if binary => warnings.extend(overlap(&treatment, &propensity, &rows)?),
            _ => {}
        }
        let residual = |part: &Part, hat: &[f64], i: usize| part.values[i] - hat[i];
        let points: Vec<Point> = (0..rows.len())
            .map(|i| {
                let w = residual(&treatment, &propensity, i);
                Point {
                    y: residual(&outcome, &outcome_hat, i),
                    w,
                    z: match (&instrument, &instrument_hat) {
                        (Some(part), Some(hat)) => residual(part, hat, i),
                        _ => w,
                    },
                    weight: weights.as_ref().map_or(1.0, |w| w[i]),
                }
            })
            .collect();
        first_stage(&points, instrument.as_ref())?;
        let treatment_variance = match &instrument {
            None if !binary => {
                let residuals: Vec<f64> = points.iter().map(|p| p.w).collect();
                Some(learning.variance(&treatment, &residuals, &mut warnings)?)
            }
            _ => None,
        };
        let instrument = match (&instrument, &instrument_hat) {
            (Some(part), Some(hat)) => {
                let residuals: Vec<f64> = points.iter().map(|p| p.z).collect();
                let variance = match part.task {
                    Task::Probability => hat.iter().map(|h| h * (1.0 - h)).collect(),
                    Task::Regression => learning.variance(part, &residuals, &mut warnings)?,
                };
                Some(InstrumentRows::learn(
                    &points,
                    variance,
                    &binned,
                    weights.is_some(),
                    plan,
                    (seed, progress),
                    &mut warnings,
                )?)
            }
            _ => None,
        };
        let data = binned.data(&points, weights.is_some());
        let mut forest = forest.clone();
        let mut plan = *plan;
        let mut tuning = None;
        if forest.tuned {
            let by: Vec<f64> = match &instrument {
                None => points.iter().map(|p| p.w).collect(),
                Some(z) => (points.iter().zip(&z.compliance))
                    .map(|(p, delta)| p.z * delta)
                    .collect(),
            };
            let ground = tuning::Ground {
                data: &data,
                by: &by,
                clusters: clusters.as_ref(),
                plan: &plan,
                seed: seed.child("tuning"),
                progress,
            };
            let (options, found) = ground.tune(&forest.options)?;
            plan = options.plan(plan.moment, features.count())?;
            forest.options = options;
            tuning = Some(found);
        }
        let (ensemble, seen) = plan.grow(&data, seed, progress)?;
        let out_of_bag = prediction(&ensemble.predict(&binned.codes, Some(&seen)), 0);
        Ok(Self {
            forest,
            tuning,
            info: Arc::clone(features.info()),
            cuts: binned.cuts,
            ensemble,
            sample: TrainingRows {
                kept: rows.indices().map_or_else(Vec::new, <[u32]>::to_vec),
                outcome: outcome.values,
                outcome_hat,
                treatment: treatment.values,
                propensity,
                binary,
                treatment_variance,
                instrument,
                weights,
                clusters,
            },
            out_of_bag,
            warnings,
            frame: Some(frame.clone()),
        })
    }

    /// Effects at the rows of a frame that has the features, by all trees. Labels that training had not count as missing.
    ///
    /// # Errors
    /// [`Error::ColumnNotFound`], [`Error::WrongKind`], [`Error::Infinite`].
    pub fn predict(&self, frame: &Frame) -> Result<ForestPrediction> {
        let features = Features::matching(frame, &self.info)?;
        let codes = Codes::cut(&features, &self.cuts);
        Ok(prediction(
            &self.ensemble.predict(&codes, None),
            features.unseen(),
        ))
    }

    /// Effects at the rows in use, each by the trees that have not seen it.
    pub fn out_of_bag(&self) -> &ForestPrediction {
        &self.out_of_bag
    }

    /// The rows of the frame that were used, from 0.
    pub fn used_rows(&self) -> Vec<usize> {
        if self.sample.kept.is_empty() {
            return (0..self.rows()).collect();
        }
        self.sample.kept.iter().map(|row| *row as usize).collect()
    }

    /// Number of rows in use.
    pub fn rows(&self) -> usize {
        self.sample.outcome.len()
    }

    /// Number of trees.
    pub fn trees(&self) -> usize {
        self.ensemble.trees.len()
    }

    /// `E[Y | X]` as it was used, one a row in use.
    pub fn outcome_hat(&self) -> &[f64] {
        &self.sample.outcome_hat
    }

    /// `E[W | X]` as it was used, one a row in use.
    pub fn propensity_hat(&self) -> &[f64] {
        &self.sample.propensity
    }

    /// Features with their share of the splits in the first four levels, each level weighted by `1/depth²`; largest first.
    pub fn importance(&self) -> Vec<(String, f64)> {
        ranked(&self.ensemble.trees, &self.info)
    }

    /// What a reader of the numbers must know.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// How the shape of trees was chosen, where it was.
    pub fn tuning(&self) -> Option<&ForestTuning> {
        self.tuning.as_ref()
    }

    /// The options of the forest, as they were used.
    pub fn forest(&self) -> &CausalForest {
        &self.forest
    }

    /// The same fit without its handle on the frame.
    pub fn lean(&self) -> Self {
        Self {
            frame: None,
            ..self.clone()
        }
    }
}

impl fmt::Debug for CausalForestFit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CausalForestFit")
            .field("outcome", &self.forest.outcome)
            .field("treatment", &self.forest.treatment)
            .field("rows", &self.rows())
            .field("trees", &self.trees())
            .finish()
    }
}

/// Features with their importance, largest first.
pub(super) fn ranked<'a>(
    trees: impl IntoIterator<Item = &'a Tree>,
    info: &[FeatureInfo],
) -> Vec<(String, f64)> {
    let shares = importance(trees, info.len(), IMPORTANT_DEPTHS);
    let names = info.iter().map(|info| info.name.clone());
    let mut all: Vec<(String, f64)> = names.zip(shares).collect();
    all.sort_by(|a, b| b.1.total_cmp(&a.1));
    all
}

pub(super) fn prediction(predicted: &[Predicted], unseen: usize) -> ForestPrediction {
    ForestPrediction {
        estimates: predicted.iter().map(|p| p.estimate).collect(),
        variances: predicted.iter().map(|p| p.variance).collect(),
        undetermined: predicted.iter().filter(|p| !p.known).count(),
        unseen,
        of_outcomes: false,
    }
}

/// Refuses propensities outside (0, 1), and warns where some of both treatments are hardly to be had.
fn overlap(treatment: &Part, propensity: &[f64], rows: &Rows) -> Result<Option<Warning>> {
    if let Some(i) = propensity.iter().position(|p| !(*p > 0.0 && *p < 1.0)) {
        return Err(Error::OutOfRange {
            column: format!("the propensity of {}", treatment.name),
            row: rows.index(i) + 1,
            value: propensity[i],
            expected: "between 0 and 1: where everybody or nobody is treated there is no effect to see; leave such rows out".to_owned(),
        });
    }
    let limit = CLIP * (1.0 + 1e-9);
    let extreme = propensity
        .iter()
        .filter(|p| **p <= limit || **p >= 1.0 - limit)
        .count();
    let share = extreme as f64 / propensity.len() as f64;
    Ok((share > AT_LIMIT).then(|| Warning::Note {
        message: format!(
            "poor overlap: {extreme} rows have a propensity of at most {CLIP} or at least {}; see ForestTarget::Overlap",
            1.0 - CLIP
        ),
    }))
}

/// Refuses an instrument that does not move the treatment, and a treatment that the features tell exactly.
fn first_stage(points: &[Point], instrument: Option<&Part>) -> Result<()> {
    /// |t| of the first stage below which the instrument is no evidence of anything.
    const LEAST_T: f64 = 2.0;
    let n = points.len() as f64;
    let (mut zw, mut zz, mut ww) = (0.0, 0.0, 0.0);
    for p in points {
        zw += p.weight * p.z * p.w;
        zz += p.weight * p.z * p.z;
        ww += p.weight * p.w * p.w;
    }
    let varies = ww > 0.0 && zz > 0.0;
    let Some(instrument) = instrument.filter(|_| varies) else {
        if varies {
            return Ok(());
        }
        return Err(Error::Unidentified {
            what: "the effect".to_owned(),
            needs: "treatment that varies given the features; here they tell it exactly".to_owned(),
        });
    };
    let r2 = zw * zw / (zz * ww);
    if r2 * n < LEAST_T * LEAST_T {
        return Err(Error::Unidentified {
            what: format!("the effect by `{}`", instrument.name),
            needs: format!(
                "an instrument that moves the treatment; given the features the correlation is {:.4}",
                r2.sqrt()
            ),
        });
    }
    Ok(())
}
