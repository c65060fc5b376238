//! What doubly robust scores say: average effects for all, for the treated, in the overlap, by group, and along features.

use super::arm_scores::{ArmScores, position};
use super::average::{AverageEffects, Sampled, averages};
use super::doubly_robust::{DoublyRobust, Prepared, effect_names};
use super::nuisance::StackMember;
use super::sample::Columns;
use super::units::{Linearised, Units};
use crate::data::{Frame, MISSING};
use crate::error::{Error, Result, Warning};
use crate::inference::Covariance;
use crate::regression::{Ols, OlsFit};
use crate::report::{Cell, Table};
use serde::{Deserialize, Serialize};
use std::fmt;

/// What [`DoublyRobust`] found: scores of every arm, and all that can be averaged from them. The verbs of [`Inference`](crate::inference::Inference) are those of the average
/// effect.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DoublyRobustFit {
    model: DoublyRobust,
    pub(super) scores: ArmScores,
    /// Of the rows in use, one column an arm.
    pub(super) means: Vec<Vec<f64>>,
    pub(super) propensities: Vec<Vec<f64>>,
    /// By what propensities are multiplied where they are divided by, one an arm; none are ones.
    #[serde(default)]
    factors: Vec<f64>,
    pub(super) outcome: Vec<f64>,
    pub(super) arm_of: Vec<u32>,
    /// One flag a row of the frame.
    kept: Vec<bool>,
    stack: Vec<StackMember>,
    warnings: Vec<Warning>,
    average: AverageEffects,
}

impl DoublyRobustFit {
    pub(super) fn new(model: &DoublyRobust, mut prepared: Prepared) -> Result<Self> {
        let keep = prepared.trimmed(model.trim)?;
        let scores = prepared.scores(&keep)?;
        let factors = prepared.factors(&keep);
        let Prepared {
            sample, nuisances, ..
        } = prepared;
        let kept = |column: &Vec<f64>| -> Vec<f64> {
            (column.iter().zip(&keep))
                .filter(|(_, k)| **k)
                .map(|(v, _)| *v)
                .collect()
        };
        let average = average(&model.columns, &scores, &sample.warnings);
        Ok(Self {
            model: model.clone(),
            means: nuisances.means.iter().map(kept).collect(),
            propensities: nuisances.propensities.iter().map(kept).collect(),
            factors,
            outcome: kept(&sample.y),
            arm_of: (sample.arm_of.iter().zip(&keep))
                .filter(|(_, k)| **k)
                .map(|(a, _)| *a)
                .collect(),
            kept: sample.rows.retain(&keep).mask(),
            stack: nuisances.members,
            warnings: sample.warnings,
            average,
            scores,
        })
    }

    /// The average effect of every arm against control: `E[Y(k) − Y(0)]`.
    pub fn average_effect(&self) -> &AverageEffects {
        &self.average
    }

    /// The mean outcome if everybody had an arm, `E[Y(k)]`, of every arm: average potential outcomes (APO). Contrasts of them are
    /// [`linear`](crate::inference::Inference::linear) combinations.
    #[doc(alias = "APO")]
    #[doc(alias = "average_potential_outcomes")]
    pub fn arm_means(&self) -> AverageEffects {
        let parts = (self.scores.values.iter())
            .map(|column| self.mean_of(column, |_| true))
            .collect::<Vec<_>>();
        AverageEffects::new(
            format!(
                "Mean of {} by arm of {}",
                self.model.columns.outcome, self.model.columns.treatment
            ),
            self.arms().to_vec(),
            &parts,
            &Units::of(&self.scores),
            self.sampled(|_| true),
        )
    }

    /// The average effect of every arm on those who had it, `E[Y(k) − Y(0) | W = k]`, by the score
    /// `1{W = k} (Y − μ_0) − 1{W = 0} (e_k/e_0) (Y − μ_0)` over `1{W = k}`.
    pub fn effect_on_treated(&self) -> AverageEffects {
        let parts: Vec<Linearised> = (1..self.arms().len())
            .map(|arm| {
                let own = |i: usize| f64::from(u8::from(self.arm_of[i] as usize == arm));
                let top: Vec<f64> = (0..self.rows())
                    .map(|i| {
                        let residual = self.outcome[i] - self.means[0][i];
                        if self.arm_of[i] == 0 {
                            -residual * self.odds(i, arm)
                        } else {
                            own(i) * residual
                        }
                    })
                    .collect();
                Units::of(&self.scores).ratio(&top, own, |_| true)
            })
            .collect();
        self.effects("Average effect on the treated (ATT)", &parts)
    }

    /// The propensity of another arm over that of the row's own.
    fn odds(&self, row: usize, other: usize) -> f64 {
        let own = self.arm_of[row] as usize;
        let chance = |arm: usize| self.propensities[arm][row];
        let factor = self.factors.get(own).copied().unwrap_or(1.0);
        let rest: f64 = (0..self.arms().len())
            .filter(|arm| *arm != own)
            .map(chance)
            .sum();
        // What is left by the own arm, over what was.
        let share = if (factor - 1.0).abs() > 0.0 {
            (1.0 - factor * chance(own)) / rest
        } else {
            1.0
        };
        share * chance(other) / (factor * chance(own))
    }

    /// The average effect of every arm on those who had control, `E[Y(k) − Y(0) | W = 0]`, by the score
    /// `1{W = k} (e_0/e_k) (Y − μ_k) − 1{W = 0} (Y − μ_k)` over `1{W = 0}`.
    pub fn effect_on_untreated(&self) -> AverageEffects {
        let parts: Vec<Linearised> = (1..self.arms().len())
            .map(|arm| {
                let top: Vec<f64> = (0..self.rows())
                    .map(|i| {
                        let residual = self.outcome[i] - self.means[arm][i];
                        if self.arm_of[i] as usize == arm {
                            residual * self.odds(i, 0)
                        } else if self.arm_of[i] == 0 {
                            -residual
                        } else {
                            0.0
                        }
                    })
                    .collect();
                let own = |i: usize| f64::from(u8::from(self.arm_of[i] == 0));
                Units::of(&self.scores).ratio(&top, own, |_| true)
            })
            .collect();
        self.effects("Average effect on the untreated (ATC)", &parts)
    }

    /// The effect in the overlap, weighted by `h = e_k e_0/(e_k + e_0)`: where propensities are near zero nothing is asked. It is the slope of
    /// `Y − m` on `1{W = k} − e` among the rows of the two arms, with e and m given that the arm is one of the two (Robinson 1988; Li, Morgan & Zaslavsky
    /// 2018, doi:10.1080/01621459.2016.1260466).
    pub fn effect_in_overlap(&self) -> AverageEffects {
        let parts: Vec<Linearised> = (1..self.arms().len())
            .map(|arm| self.overlap_part(arm))
            .collect();
        self.effects("Average effect in the overlap (ATO)", &parts)
    }

    fn overlap_part(&self, arm: usize) -> Linearised {
        let n = self.rows();
        let (mut top, mut bottom) = (vec![0.0; n], vec![0.0; n]);
        let pair = |i: usize| self.arm_of[i] == 0 || self.arm_of[i] as usize == arm;
        for i in (0..n).filter(|i| pair(*i)) {
            let (e_arm, e_control) = (self.propensities[arm][i], self.propensities[0][i]);
            let e = e_arm / (e_arm + e_control);
            let m = e * self.means[arm][i] + (1.0 - e) * self.means[0][i];
            let treatment = f64::from(u8::from(self.arm_of[i] as usize == arm)) - e;
            top[i] = treatment * (self.outcome[i] - m);
            bottom[i] = treatment * treatment;
        }
        Units::of(&self.scores).ratio(&top, |i| bottom[i], pair)
    }

    /// Average effects within the groups of a column of the frame that was fitted: `E[Y(k) − Y(0) | group]`. Names are `column=level`, with the
    /// arm in front when there are several.
    ///
    /// # Errors
    /// [`Error::LengthMismatch`] for another frame; [`Error::ColumnNotFound`]; [`Error::Unidentified`] for a group with fewer than two rows (or
    /// clusters) with weight.
    pub fn group_effects(&self, frame: &Frame, column: &str) -> Result<AverageEffects> {
        let groups = self.kept_frame(frame)?.groups(column)?;
        let several = self.arms().len() > 2;
        let (mut names, mut parts) = (Vec::new(), Vec::new());
        for arm in 1..self.arms().len() {
            let contrast = against_control(&self.scores, arm);
            for (code, level) in groups.levels.iter().enumerate() {
                let name = if several {
                    format!("{}: {column}={level}", self.arms()[arm])
                } else {
                    format!("{column}={level}")
                };
                let part = self.mean_of(&contrast, |i| groups.codes[i] as usize == code);
                if !part.influence.iter().all(|v| v.is_finite()) || !part.estimate.is_finite() {
                    return Err(Error::Unidentified {
                        what: format!("the effect in the group {column}={level}"),
                        needs:
                            "at least two rows with weight, of two clusters if there are clusters"
                                .to_owned(),
                    });
                }
                names.push(name);
                parts.push(part);
            }
        }
        let mut sampled = self.sampled(|i| groups.codes[i] != MISSING);
        if groups.missing > 0 {
            sampled.warnings.push(Warning::RowsDropped {
                dropped: groups.missing,
                missing: vec![(column.to_owned(), groups.missing)],
            });
        }
        Ok(AverageEffects::new(
            format!("Average effect by {column}"),
            names,
            &parts,
            &Units::of(&self.scores),
            sampled,
        ))
    }

    /// The best linear projection of an arm's effect on features: least squares of the score on `terms`, the right-hand side of a formula in
    /// columns of the frame that was fitted. Errors are clustered when the fit is, else HC3. With a constant alone it is the average effect.
    ///
    /// # References
    /// Semenova & Chernozhukov (2021), doi:10.1093/ectj/utaa027.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for an unknown arm; [`Error::LengthMismatch`] for another frame; those of [`Ols::fit`].
    pub fn best_linear_projection(&self, frame: &Frame, arm: &str, terms: &str) -> Result<OlsFit> {
        const SCORE: &str = "effect score";
        let scores = against_control(&self.scores, position(self.arms(), arm)?);
        let frame = self.kept_frame(frame)?.with_or_replace(SCORE, scores)?;
        let covariance = match &self.model.columns.clusters {
            Some(column) => Covariance::cluster(column),
            None => Covariance::Hc3,
        };
        let mut model = Ols::new(format!("`{SCORE}` ~ {terms}")).covariance(covariance);
        if let Some(column) = &self.model.columns.weights {
            model = model.weights(column);
        }
        model.fit(&frame)
    }

    /// The treatment's column.
    pub(super) fn treatment(&self) -> &str {
        &self.model.columns.treatment
    }

    /// The scores of every arm, of the rows in use.
    pub fn scores(&self) -> &ArmScores {
        &self.scores
    }

    /// The arms, control first.
    pub fn arms(&self) -> &[String] {
        self.scores.arms()
    }

    /// The cross-fitted propensities of an arm, of the rows in use.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] with the arms that exist.
    pub fn propensities(&self, arm: &str) -> Result<&[f64]> {
        Ok(&self.propensities[position(self.arms(), arm)?])
    }

    /// The cross-fitted mean outcomes under an arm, of the rows in use.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] with the arms that exist.
    pub fn outcome_means(&self, arm: &str) -> Result<&[f64]> {
        Ok(&self.means[position(self.arms(), arm)?])
    }

    /// One flag a row of the frame: whether it is in use.
    pub fn kept_rows(&self) -> &[bool] {
        &self.kept
    }

    /// Rows in use.
    pub fn rows(&self) -> usize {
        self.outcome.len()
    }

    /// The weights of stacked learners, nuisance by nuisance; empty when a single learner was used.
    pub fn stack_weights(&self) -> &[StackMember] {
        &self.stack
    }

    /// What a reader must know.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// The average effects, the stacks' weights and the range of propensities as a table.
    pub fn table(&self) -> Table {
        let mut table = self.average.table();
        for (arm, column) in self.arms().iter().zip(&self.propensities) {
            let (low, high) =
                (column.iter()).fold((f64::INFINITY, 0.0_f64), |(l, h), p| (l.min(*p), h.max(*p)));
            table = table.note(format!(
                "Propensity of {arm}: from {} to {}.",
                Cell::fixed(low, 3),
                Cell::fixed(high, 3)
            ));
        }
        let mut nuisances: Vec<&str> = self.stack.iter().map(|m| m.nuisance.as_str()).collect();
        nuisances.dedup();
        for nuisance in nuisances {
            let members: Vec<String> = (self.stack.iter())
                .filter(|m| m.nuisance == nuisance)
                .map(|m| format!("{} {}", m.learner, Cell::fixed(m.weight, 2)))
                .collect();
            table = table.note(format!("Stack of {nuisance}: {}.", members.join(", ")));
        }
        table
    }

    /// The table as HTML.
    pub fn to_html(&self) -> String {
        self.table().to_html()
    }

    fn mean_of(&self, values: &[f64], part: impl Fn(usize) -> bool) -> Linearised {
        Units::of(&self.scores).ratio(values, |_| 1.0, part)
    }

    pub(super) fn effects(&self, what: &str, parts: &[Linearised]) -> AverageEffects {
        effects(
            what,
            &self.model.columns,
            &self.scores,
            parts,
            self.sampled(|_| true),
        )
    }

    fn sampled(&self, part: impl Fn(usize) -> bool) -> Sampled {
        sampled(&self.model.columns, &self.scores, &self.warnings, part)
    }

    /// The rows in use of the frame that was fitted.
    fn kept_frame(&self, frame: &Frame) -> Result<Frame> {
        if frame.rows() != self.kept.len() {
            return Err(Error::LengthMismatch {
                column: "the frame, which must be the one that was fitted,".to_owned(),
                expected: self.kept.len(),
                found: frame.rows(),
            });
        }
        frame.filter(&self.kept)
    }
}

/// `Γ_k − Γ_0`.
fn against_control(scores: &ArmScores, arm: usize) -> Vec<f64> {
    let pairs = scores.values[arm].iter().zip(&scores.values[0]);
    pairs.map(|(a, b)| a - b).collect()
}

/// The average effects of all rows.
pub(crate) fn average(
    columns: &Columns,
    scores: &ArmScores,
    warnings: &[Warning],
) -> AverageEffects {
    let units = Units::of(scores);
    let parts: Vec<Linearised> = (1..scores.arms().len())
        .map(|arm| units.ratio(&against_control(scores, arm), |_| 1.0, |_| true))
        .collect();
    let sampled = sampled(columns, scores, warnings, |_| true);
    effects("Average effect", columns, scores, &parts, sampled)
}

fn effects(
    what: &str,
    columns: &Columns,
    scores: &ArmScores,
    parts: &[Linearised],
    sampled: Sampled,
) -> AverageEffects {
    AverageEffects::new(
        format!(
            "{what} of {} on {}, against {}",
            columns.treatment,
            columns.outcome,
            scores.arms()[0]
        ),
        effect_names(scores.arms()),
        parts,
        &Units::of(scores),
        sampled,
    )
}

/// What is said about some of the rows.
fn sampled(
    columns: &Columns,
    scores: &ArmScores,
    warnings: &[Warning],
    part: impl Fn(usize) -> bool,
) -> Sampled {
    let clusters = columns.clusters.clone();
    Sampled {
        clusters: clusters.map(|column| (column, Units::of(scores).among(&part))),
        rows: (0..scores.len()).filter(|i| part(*i)).count(),
        warnings: warnings.to_vec(),
    }
}

averages!(DoublyRobustFit);

impl fmt::Display for DoublyRobustFit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.table().fmt(f)
    }
}

crate::report::notebook!(DoublyRobustFit);
