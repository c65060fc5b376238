//! Effects of arms at each stage of a funnel: intention to treat first, then what those who reached a stage did, with bounds.

use super::bounds::{Counts, EffectBounds, lee, manski};
use super::stages::Stages;
use crate::data::Frame;
use crate::error::{Error, Result, Warning};
use crate::inference::{Covariance, Estimate, Inference};
use crate::regression::Ols;
use crate::report::{Cell, Table};
use serde::{Deserialize, Serialize};
use std::fmt;

/// The effects of randomised arms in a funnel, from its counts alone: who was assigned, who passed each stage.
///
/// By the funnel rule the report leads with the intention-to-treat effect on passing each stage, among all who were assigned. Rates among
/// those who reached a stage compare selected groups ("conversion given start" after an arm that changed who starts); they are labelled so,
/// and stand with bounds: Manski's first, which assume nothing, then Lee's, which hold only when the arm moves everybody the same way. An arm that
/// inspires some and discourages others violates it.
///
/// Columns of stages are 0 or 1, in order. A later stage is 0 or missing for those who did not pass the one before.
///
/// | name | default | meaning |
/// |---|---|---|
/// | `control` | the first level | the arm compared with |
/// | `covariance` | `Covariance::Hc1` | of intention-to-treat effects; clusters when assigned in groups |
/// | `adjust` | none | regressors known before assignment |
///
/// # Errors
/// [`Error::OutOfRange`] with the row for a stage recorded for somebody who did not pass the stage before, or values other than 0 and 1;
/// [`Error::InvalidOption`] for fewer than two arms or an unknown control; [`Error::Unidentified`] when nobody passes a stage; those of
/// [`Ols`].
///
/// # References
/// Manski, C. F. (1990). Nonparametric bounds on treatment effects. *AER P&P* 80(2), 319–323.
///
/// Lee, D. S. (2009). Training, wages, and sample selection. *Review of Economic Studies* 76(3), 1071–1102.
/// doi:10.1111/j.1467-937X.2009.00536.x
///
/// Imbens, G. W. & Manski, C. F. (2004). Confidence intervals for partially identified parameters. *Econometrica* 72(6), 1845–1857.
/// doi:10.1111/j.1468-0262.2004.00555.x
///
/// # Examples
/// ```
/// use cocreate::prelude::*;
/// let n = 1000;
/// let arm: Vec<&str> = (0..n).map(|i| if i % 2 == 0 { "control" } else { "tool" }).collect();
/// let start: Vec<f64> = (0..n).map(|i| f64::from(u8::from(i % 20 < if i % 2 == 0 { 8 } else { 12 }))).collect();
/// let finish: Vec<f64> = (0..n).map(|i| if start[i] > 0.5 { f64::from(u8::from((i / 20) % 2 == 0)) } else { f64::NAN }).collect();
/// let frame = Frame::new().with("arm", arm)?.with("start", start)?.with("finish", finish)?;
/// let effects = FunnelEffects::new("arm", ["start", "finish"]).control("control").fit(&frame)?;
/// let first = &effects.intention_to_treat[0];
/// assert!((first.effect.estimate - 0.2).abs() < 1e-9 && first.control_rate < 0.5);
/// assert!(effects.conditional[0].manski.lower < 0.0);
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FunnelEffects {
    arm: String,
    stages: Vec<String>,
    control: Option<String>,
    adjust: Option<String>,
    covariance: Covariance,
}

/// The effect of an arm on passing a stage, among all who were assigned.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StageEffect {
    /// The stage.
    pub stage: String,
    /// The arm.
    pub arm: String,
    /// The share of the control arm that passed.
    pub control_rate: f64,
    /// The share of the arm that passed.
    pub rate: f64,
    /// The difference, or its adjusted estimate.
    pub effect: Estimate,
}

/// The rates among those who reached a stage: selected groups.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ConditionalRate {
    /// The stage.
    pub stage: String,
    /// The stage that they had passed.
    pub given: String,
    /// The arm.
    pub arm: String,
    /// The rate in the control arm among those who reached the stage.
    pub control_rate: f64,
    /// The rate in the arm.
    pub rate: f64,
    /// Bounds on the effect had everybody reached the stage.
    pub manski: EffectBounds,
    /// Bounds on the effect for those who reach it in either arm, when selection is monotone.
    pub lee: EffectBounds,
}

/// The effects found by [`FunnelEffects`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FunnelEffectsFit {
    /// Effects on passing each stage among all who were assigned: these compare like with like.
    pub intention_to_treat: Vec<StageEffect>,
    /// Rates among those who reached a stage: these do not.
    pub conditional: Vec<ConditionalRate>,
    /// The arm compared with.
    pub control: String,
    /// Rows used.
    pub rows: usize,
    covariance: String,
    warnings: Vec<Warning>,
}

impl FunnelEffects {
    /// Effects of the arms in a column on the stages of a funnel, in order.
    pub fn new<S: Into<String>>(
        arm: impl Into<String>,
        stages: impl IntoIterator<Item = S>,
    ) -> Self {
        Self {
            arm: arm.into(),
            stages: stages.into_iter().map(Into::into).collect(),
            control: None,
            adjust: None,
            covariance: Covariance::default(),
        }
    }

    /// The arm compared with.
    pub fn control(mut self, level: impl Into<String>) -> Self {
        self.control = Some(level.into());
        self
    }

    /// Regressors known before assignment: the right-hand side of a formula.
    pub fn adjust(mut self, regressors: impl Into<String>) -> Self {
        self.adjust = Some(regressors.into());
        self
    }

    /// Sets the covariance estimator of the intention-to-treat effects.
    pub fn covariance(mut self, covariance: Covariance) -> Self {
        self.covariance = covariance;
        self
    }

    /// Computes the effects.
    ///
    /// # Errors
    /// See [`FunnelEffects`].
    pub fn fit(&self, frame: &Frame) -> Result<FunnelEffectsFit> {
        let stages = Stages::read(&self.stages, frame)?;
        let groups = frame.groups(&self.arm)?;
        let assigned: Vec<Option<u32>> = groups
            .codes
            .iter()
            .zip(&stages.known)
            .map(|(code, known)| (*known && (*code as usize) < groups.count()).then_some(*code))
            .collect();
        let rows = assigned.iter().flatten().count();
        let mut present = vec![false; groups.count()];
        assigned
            .iter()
            .flatten()
            .for_each(|c| present[*c as usize] = true);
        let levels: Vec<usize> = (0..present.len()).filter(|l| present[*l]).collect();
        let control = match &self.control {
            Some(level) => levels.iter().copied().find(|l| groups.levels[*l] == *level),
            None => levels.first().copied(),
        };
        let Some(control) = control.filter(|_| levels.len() > 1) else {
            let known: Vec<&str> = levels.iter().map(|l| groups.levels[*l].as_str()).collect();
            return Err(Error::invalid_option(
                "arm",
                self.control.as_deref().unwrap_or(&self.arm),
                format!("a column of two arms or more that has the control; there are {known:?}"),
            ));
        };
        let counts = |level: usize, stage: usize| {
            let mut counts = Counts {
                assigned: 0.0,
                reached: 0.0,
                passed: 0.0,
            };
            for (row, code) in assigned.iter().enumerate() {
                if *code == Some(level as u32) {
                    let reached = stage == 0 || stages.passed[stage - 1][row] > 0.5;
                    counts.assigned += 1.0;
                    counts.reached += f64::from(u8::from(reached));
                    counts.passed += stages.passed[stage][row];
                }
            }
            counts
        };
        let mut warnings = Vec::new();
        if stages.unknown > 0 {
            warnings.push(Warning::Note {
                message: format!(
                    "{} rows left out: it is not known whether a stage that they reached was passed",
                    stages.unknown
                ),
            });
        }
        let mut fit = FunnelEffectsFit {
            intention_to_treat: vec![],
            conditional: vec![],
            control: groups.levels[control].clone(),
            rows,
            covariance: self.covariance.to_string(),
            warnings,
        };
        for (k, stage) in self.stages.iter().enumerate() {
            let estimates = self.intention_to_treat(k, &stages, &fit.control, frame)?;
            let of_control = counts(control, k);
            for level in levels.iter().copied().filter(|l| *l != control) {
                let arm = &groups.levels[level];
                let of_arm = counts(level, k);
                let suffix = format!("[{arm}]");
                let effect = estimates.iter().find(|e| e.name.ends_with(&suffix));
                let Some(effect) = effect else {
                    return Err(Error::Unidentified {
                        what: format!("the effect of the arm {arm} at stage `{stage}`"),
                        needs: "adjusting regressors that do not tell the arm".to_owned(),
                    });
                };
                fit.intention_to_treat.push(StageEffect {
                    stage: stage.clone(),
                    arm: arm.clone(),
                    control_rate: of_control.passed / of_control.assigned,
                    rate: of_arm.passed / of_arm.assigned,
                    effect: Estimate {
                        name: format!("{stage}, {arm}"),
                        ..effect.clone()
                    },
                });
                if k == 0 {
                    continue;
                }
                if of_arm.reached <= 0.0 || of_control.reached <= 0.0 {
                    return Err(Error::Unidentified {
                        what: format!("the rate of `{stage}` given `{}`", self.stages[k - 1]),
                        needs: "somebody in each arm who reached the stage".to_owned(),
                    });
                }
                fit.conditional.push(ConditionalRate {
                    stage: stage.clone(),
                    given: self.stages[k - 1].clone(),
                    arm: arm.clone(),
                    control_rate: of_control.passed / of_control.reached,
                    rate: of_arm.passed / of_arm.reached,
                    manski: manski(of_arm, of_control),
                    lee: lee(of_arm, of_control),
                });
            }
        }
        Ok(fit)
    }

    /// The regression of passing a stage on the arms, among all rows.
    fn intention_to_treat(
        &self,
        stage: usize,
        stages: &Stages,
        control: &str,
        frame: &Frame,
    ) -> Result<Vec<Estimate>> {
        let name = &self.stages[stage];
        let passed: Vec<f64> = stages.passed[stage]
            .iter()
            .zip(&stages.known)
            .map(|(p, known)| if *known { *p } else { f64::NAN })
            .collect();
        let frame = frame.replace(name, passed)?;
        let adjust = self
            .adjust
            .as_ref()
            .map_or_else(String::new, |a| format!(" + {a}"));
        let formula = format!("`{name}` ~ C(`{}`, ref = \"{control}\"){adjust}", self.arm);
        let fit = Ols::new(formula)
            .covariance(self.covariance.clone())
            .fit(&frame)?;
        let arms = format!("C({})[", self.arm);
        let quoted = format!("C(`{}`)[", self.arm);
        let of_arms = fit
            .coefficients()
            .into_iter()
            .filter(|e| e.name.starts_with(&arms) || e.name.starts_with(&quoted));
        Ok(of_arms.collect())
    }
}

impl FunnelEffectsFit {
    /// What a reader of the numbers must know.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// The intention-to-treat effects.
    pub fn table(&self) -> Table {
        const LEVEL: f64 = 0.95;
        let mut table = Table::new(format!(
            "Intention to treat: effects on passing each stage, against {}",
            self.control
        ))
        .columns([
            "",
            "Control",
            "Arm",
            "Effect",
            "Std. error",
            "p",
            "95 % from",
            "to",
        ]);
        for e in &self.intention_to_treat {
            let ends = e.effect.confidence_interval(LEVEL);
            let (lower, upper) = ends.map_or((f64::NAN, f64::NAN), |i| (i.lower, i.upper));
            table = table.row([
                Cell::from(e.effect.name.as_str()),
                Cell::fixed(e.control_rate, 4),
                Cell::fixed(e.rate, 4),
                Cell::fixed(e.effect.estimate, 4),
                Cell::fixed(e.effect.std_error, 4),
                Cell::p_value(e.effect.p_value()),
                Cell::fixed(lower, 4),
                Cell::fixed(upper, 4),
            ]);
        }
        table = table.note(format!(
            "n = {} assigned; covariance: {}",
            Cell::count(self.rows),
            self.covariance
        ));
        for c in &self.conditional {
            table = table.note(format!(
                "Selected: {} given {}, {}: {:.4} against {:.4}; effect within {} or {}",
                c.stage, c.given, c.arm, c.rate, c.control_rate, c.manski, c.lee
            ));
        }
        for warning in &self.warnings {
            table = table.note(format!("Warning: {warning}"));
        }
        table
    }

    /// Rates among those who reached each stage, labelled as selected, with bounds.
    pub fn conditional_table(&self) -> Table {
        let mut table = Table::new("Selected groups: rates among those who reached a stage")
            .columns([
                "",
                "Control",
                "Arm",
                "Difference",
                "Manski from",
                "to",
                "Lee from",
                "to",
            ]);
        for c in &self.conditional {
            table = table.row([
                Cell::from(format!("{} given {}, {}", c.stage, c.given, c.arm)),
                Cell::fixed(c.control_rate, 4),
                Cell::fixed(c.rate, 4),
                Cell::fixed(c.rate - c.control_rate, 4),
                Cell::fixed(c.manski.lower, 4),
                Cell::fixed(c.manski.upper, 4),
                Cell::fixed(c.lee.lower, 4),
                Cell::fixed(c.lee.upper, 4),
            ]);
        }
        table
            .note("The arm may have changed who reached the stage: differences are not effects")
            .note("Lee's bounds need selection that is monotone in the arm; inspiring some and discouraging others violates it")
    }

    /// Both tables as HTML, intention to treat first.
    pub fn to_html(&self) -> String {
        format!(
            "{}{}",
            self.table().to_html(),
            self.conditional_table().to_html()
        )
    }
}

impl fmt::Display for FunnelEffectsFit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n{}", self.table(), self.conditional_table())
    }
}

crate::report::notebook!(FunnelEffectsFit);
