//! The recipes at work: predictions of effects for rows that were not fitted, and models fitted to all rows.

use super::kind::{EffectLearner, EffectLoss, MetaKind};
use super::model::{EffectModel, Share, cross, difference, share_of, with_arm};
use crate::causal::cross_fit::{CrossFit, OutOfFold, convex, products, regression};
use crate::causal::doubly_robust::DoublyRobust;
use crate::causal::nuisance::{Nuisances, mean_name, propensity_name};
use crate::causal::sample::CausalSample;
use crate::causal::units::Units;
use crate::data::Rows;
use crate::error::{Error, Result, Warning};
use crate::regression::learners::{Learner, Task, TrainingSet};
use nalgebra::DMatrix;

/// One arm against control: the rows of both, and the residuals of outcome and treatment.
pub(crate) struct Pair<'a> {
    pub(crate) sample: &'a CausalSample,
    pub(crate) nuisances: &'a Nuisances,
    pub(crate) fit: CrossFit<'a>,
    pub(crate) base: &'a DoublyRobust,
    arm: usize,
    rows: Rows,
    /// `e = e_k/(e_k + e_0)`.
    share: Vec<f64>,
    /// `Ỹ`, and `W̃` (zero on the rows of other arms).
    outcome: Vec<f64>,
    treatment: Vec<f64>,
    scores: Vec<f64>,
    pub(crate) warnings: Vec<Warning>,
}

/// A recipe's effects: for rows that were not fitted, and what the model of all rows needs.
pub(crate) struct Candidate {
    pub(crate) out_of_fold: Vec<f64>,
    /// Weights of the members of each regression, in order.
    weights: Vec<Vec<f64>>,
    pub(crate) warnings: Vec<Warning>,
}

impl<'a> Pair<'a> {
    pub(crate) fn new(
        sample: &'a CausalSample,
        nuisances: &'a Nuisances,
        base: &'a DoublyRobust,
        fit: CrossFit<'a>,
        arm: usize,
    ) -> Result<Self> {
        let (e, n) = (&nuisances.propensities, sample.len());
        let share: Vec<f64> = (0..n).map(|i| share_of(e[arm][i], e[0][i])).collect();
        let rows = sample.of_arms(&[0, arm]);
        let mixed: Vec<f64> = (0..n)
            .map(|i| share[i] * nuisances.means[arm][i] + (1.0 - share[i]) * nuisances.means[0][i])
            .collect();
        // E[Y | X] among the two arms: learned directly, or mixed from the arms' means; the data weigh the two.
        let name = format!(
            "{} given {} or {}",
            sample.outcome, sample.arms[0], sample.arms[arm]
        );
        let set = TrainingSet::new(&sample.features, &sample.y, Task::Regression)
            .weights(sample.weights.as_deref())
            .rows(rows.clone())
            .named(&name);
        let direct = fit.out_of_fold(&name, &base.learners.outcome, &set, &[&sample.features])?;
        let candidates = [direct.predictions[0].as_slice(), mixed.as_slice()];
        let mean = crate::causal::cross_fit::weighted(&candidates, &convex(&candidates, &set)?);
        let treatment = (0..n)
            .map(|i| match sample.arm_of[i] as usize {
                0 => -share[i],
                own if own == arm => 1.0 - share[i],
                _ => 0.0,
            })
            .collect();
        Ok(Self {
            outcome: difference(&sample.y, &mean),
            scores: difference(
                &nuisances.scores(sample, arm, 1.0),
                &nuisances.scores(sample, 0, 1.0),
            ),
            sample,
            nuisances,
            fit,
            base,
            arm,
            rows,
            share,
            treatment,
            warnings: direct.warnings,
        })
    }

    /// What the pseudo-outcome recipes regress, with which weights, on which rows.
    fn pseudo(&self, kind: MetaKind) -> (Vec<f64>, Option<Vec<f64>>, Rows) {
        let n = self.sample.len();
        let ratio = || -> Vec<f64> {
            (0..n)
                .map(|i| {
                    if self.treatment[i].abs() > 0.0 {
                        self.outcome[i] / self.treatment[i]
                    } else {
                        0.0
                    }
                })
                .collect()
        };
        let squares = |i: usize| self.sample.weight(i) * self.treatment[i] * self.treatment[i];
        let own = || self.sample.weights.clone();
        match kind {
            MetaKind::R => (
                ratio(),
                Some((0..n).map(squares).collect()),
                self.rows.clone(),
            ),
            MetaKind::U => (ratio(), own(), self.rows.clone()),
            MetaKind::TransformedOutcome => {
                let e = &self.nuisances.propensities;
                let transformed = (0..n).map(|i| match self.sample.arm_of[i] as usize {
                    0 => -self.sample.y[i] / e[0][i],
                    own if own == self.arm => self.sample.y[i] / e[self.arm][i],
                    _ => 0.0,
                });
                (transformed.collect(), own(), self.sample.all())
            }
            _ => (self.scores.clone(), own(), self.sample.all()),
        }
    }

    /// Imputed effects of the X recipe: those of the arm, then those of control.
    fn imputed(&self, arm: usize) -> (Vec<f64>, Rows) {
        let (means, y) = (&self.nuisances.means, &self.sample.y);
        let effects = if arm == 0 {
            difference(&means[self.arm], y)
        } else {
            difference(y, &means[0])
        };
        (effects, self.sample.of_arms(&[arm]))
    }

    fn name(&self, of: &EffectLearner, part: &str) -> String {
        format!("{} effect of {}{part}", of.kind, self.sample.arms[self.arm])
    }

    fn regress(
        &self,
        name: &str,
        learner: &Learner,
        target: &[f64],
        weights: Option<&[f64]>,
        rows: Rows,
    ) -> Result<OutOfFold> {
        let set = regression(&self.sample.features, target, weights, rows, name);
        self.fit
            .out_of_fold(name, learner, &set, &[&self.sample.features])
    }

    /// Effects for every row by fits that have not seen its fold.
    pub(crate) fn cross_fit(&self, of: &EffectLearner) -> Result<Candidate> {
        let (own, sample) = (self.sample.weights.as_deref(), self.sample);
        let done = |out: OutOfFold| {
            let mut predictions = out.predictions;
            Candidate {
                out_of_fold: predictions.swap_remove(0),
                weights: vec![out.weights],
                warnings: out.warnings,
            }
        };
        match of.kind {
            MetaKind::T => {
                self.learned_means()?;
                Ok(Candidate {
                    out_of_fold: difference(
                        &self.nuisances.means[self.arm],
                        &self.nuisances.means[0],
                    ),
                    weights: Vec::new(),
                    warnings: Vec::new(),
                })
            }
            MetaKind::S => {
                let under = |codes: Vec<u32>| {
                    with_arm(&sample.features, &sample.treatment, &sample.arms, codes)
                };
                let observed = under(sample.arm_of.clone())?;
                let (arm, control) = (
                    under(vec![self.arm as u32; sample.len()])?,
                    under(vec![0; sample.len()])?,
                );
                let name = self.name(of, "");
                let set = TrainingSet::new(&observed, &sample.y, Task::Regression)
                    .weights(own)
                    .named(&name);
                // Weights of a stack come from the first table: the arms as they were.
                let mut out =
                    self.fit
                        .out_of_fold(&name, &of.learner, &set, &[&observed, &arm, &control])?;
                out.predictions = vec![difference(&out.predictions[1], &out.predictions[2])];
                Ok(done(out))
            }
            MetaKind::X => {
                let mut both = Vec::with_capacity(2);
                for (arm, part) in [(self.arm, " on the treated"), (0, " on the untreated")] {
                    let (effects, rows) = self.imputed(arm);
                    both.push(self.regress(
                        &self.name(of, part),
                        &of.learner,
                        &effects,
                        own,
                        rows,
                    )?);
                }
                let mut all = Candidate {
                    out_of_fold: cross(
                        &both[0].predictions[0],
                        &both[1].predictions[0],
                        &self.share,
                    ),
                    weights: Vec::new(),
                    warnings: Vec::new(),
                };
                for out in both {
                    all.weights.push(out.weights);
                    all.warnings.extend(out.warnings);
                }
                Ok(all)
            }
            MetaKind::Constant => Ok(Candidate {
                out_of_fold: self.constants(),
                weights: Vec::new(),
                warnings: Vec::new(),
            }),
            kind => {
                let (target, weights, rows) = self.pseudo(kind);
                self.regress(
                    &self.name(of, ""),
                    &of.learner,
                    &target,
                    weights.as_deref(),
                    rows,
                )
                .map(done)
            }
        }
    }

    /// The model of all rows.
    pub(crate) fn full(&self, of: &EffectLearner, candidate: &Candidate) -> Result<EffectModel> {
        let (own, sample) = (self.sample.weights.as_deref(), self.sample);
        let direct =
            |part: usize, suffix: &str, target: &[f64], weights: Option<&[f64]>, rows: Rows| {
                let name = self.name(of, suffix);
                let set = regression(&sample.features, target, weights, rows, &name);
                self.fit
                    .full(&name, &of.learner, &set, &candidate.weights[part])
            };
        Ok(match of.kind {
            MetaKind::T => EffectModel::Difference {
                on_arm: self.mean_model(self.arm)?,
                on_control: self.mean_model(0)?,
            },
            MetaKind::S => {
                let observed = with_arm(
                    &sample.features,
                    &sample.treatment,
                    &sample.arms,
                    sample.arm_of.clone(),
                )?;
                let name = self.name(of, "");
                let set = TrainingSet::new(&observed, &sample.y, Task::Regression)
                    .weights(own)
                    .named(&name);
                EffectModel::Single {
                    model: self
                        .fit
                        .full(&name, &of.learner, &set, &candidate.weights[0])?,
                    column: sample.treatment.clone(),
                    arms: sample.arms.clone(),
                    arm: self.arm as u32,
                }
            }
            MetaKind::X => {
                let (treated, untreated) = (self.imputed(self.arm), self.imputed(0));
                EffectModel::Cross {
                    on_arm: direct(0, " on the treated", &treated.0, own, treated.1)?,
                    on_control: direct(1, " on the untreated", &untreated.0, own, untreated.1)?,
                    share: self.share_model()?,
                }
            }
            MetaKind::Constant => EffectModel::Constant(self.constant(&self.rows)),
            kind => {
                let (target, weights, rows) = self.pseudo(kind);
                EffectModel::Direct(direct(0, "", &target, weights.as_deref(), rows)?)
            }
        })
    }

    fn learned_means(&self) -> Result<()> {
        if self.nuisances.mean_weights.is_empty() {
            return Err(Error::invalid_option(
                "outcome_mean",
                "given for the T recipe",
                "left out: predictions for new rows need learned means",
            ));
        }
        Ok(())
    }

    fn mean_model(&self, arm: usize) -> Result<crate::causal::cross_fit::Combined> {
        let name = mean_name(self.sample, arm);
        let set = self.sample.mean_set(arm, &name);
        self.fit.full(
            &name,
            &self.base.learners.outcome,
            &set,
            &self.nuisances.mean_weights[arm],
        )
    }

    /// The propensity for new rows; when it was given it is the arm's share.
    fn share_model(&self) -> Result<Share> {
        let sample = self.sample;
        let learned = |arm: usize, weights: &[f64]| {
            let (name, indicator) = (propensity_name(sample, arm), sample.indicator(arm));
            let set = sample.propensity_set(&indicator, &name);
            self.fit
                .full(&name, &self.base.learners.propensity, &set, weights)
        };
        Ok(match self.nuisances.propensity_weights.as_slice() {
            [] => {
                let mean = |arm: usize| {
                    let rows = sample.of_arms(&[arm]);
                    (0..rows.len())
                        .map(|i| sample.weight(rows.index(i)))
                        .sum::<f64>()
                };
                Share::Constant(share_of(mean(self.arm), mean(0)))
            }
            [weights] => Share::Learned(learned(1, weights)?),
            all => Share::Of(learned(self.arm, &all[self.arm])?, learned(0, &all[0])?),
        })
    }

    /// `Σ W̃Ỹ / Σ W̃²` over some rows; zero when the treatment does not vary on them.
    fn constant(&self, rows: &Rows) -> f64 {
        let (mut above, mut below) = (0.0, 0.0);
        for i in (0..rows.len()).map(|i| rows.index(i)) {
            let w = self.sample.weight(i) * self.treatment[i];
            above += w * self.outcome[i];
            below += w * self.treatment[i];
        }
        if below > 0.0 { above / below } else { 0.0 }
    }

    /// The constant effect by the rows of the other folds.
    fn constants(&self) -> Vec<f64> {
        let mut effects = vec![0.0; self.sample.len()];
        for fold in 0..self.fit.folds.count() {
            let effect = self.constant(&self.fit.folds.outside(&self.rows, fold));
            let inside = self.fit.folds.inside(&self.sample.all(), fold);
            for i in 0..inside.len() {
                effects[inside.index(i)] = effect;
            }
        }
        effects
    }

    /// What a loss compares effects with.
    fn target(&self, loss: EffectLoss) -> &[f64] {
        match loss {
            EffectLoss::R => &self.outcome,
            EffectLoss::DoublyRobust => &self.scores,
        }
    }

    /// The errors of a candidate; those of rows that a loss leaves out mean nothing.
    fn errors(&self, loss: EffectLoss, effects: &[f64]) -> Vec<f64> {
        let target = self.target(loss);
        let error = |i: usize| match loss {
            EffectLoss::R => target[i] - effects[i] * self.treatment[i],
            EffectLoss::DoublyRobust => target[i] - effects[i],
        };
        (0..effects.len()).map(error).collect()
    }

    /// Mean products of the errors of candidates: the diagonal has their losses.
    pub(crate) fn losses(&self, loss: EffectLoss, candidates: &[&[f64]]) -> DMatrix<f64> {
        let rows = match loss {
            EffectLoss::R => self.rows.clone(),
            EffectLoss::DoublyRobust => self.sample.all(),
        };
        let errors: Vec<Vec<f64>> = (candidates.iter())
            .map(|effects| self.errors(loss, effects))
            .collect();
        let set = regression(
            &self.sample.features,
            self.target(loss),
            self.sample.weights.as_deref(),
            rows,
            "loss",
        );
        products(&errors, &set)
    }

    /// How much of the difference between effects and a constant the loss bears out: `max(0, 1 − 2/z²)`, where z is the ratio to its standard error of
    /// the multiple of the difference that has the least loss.
    pub(crate) fn borne_out(&self, loss: EffectLoss, constant: &[f64], effects: &[f64]) -> f64 {
        /// `z²` exceeds that of the true effects by one since the multiple is fitted, and by about one more since the effects were chosen by this loss.
        const OPTIMISM: f64 = 2.0;
        let errors = self.errors(loss, constant);
        let gained = difference(&errors, &self.errors(loss, effects));
        let top: Vec<f64> = errors.iter().zip(&gained).map(|(e, g)| e * g).collect();
        let sample = self.sample;
        let (weights, clusters) = (sample.weights.as_deref(), sample.clusters.as_deref());
        let units = Units::new(sample.len(), weights, clusters);
        let multiple = units.ratio(&top, |i| gained[i] * gained[i], |_| true);
        let multiple = units.linearised("multiple", &multiple);
        let z = multiple.estimate / multiple.std_error;
        // Effects that are the constant have no multiple.
        if z > 0.0 {
            (1.0 - OPTIMISM / (z * z)).max(0.0)
        } else {
            0.0
        }
    }
}
