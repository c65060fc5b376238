//! All checks of trust on one page.

use super::{
    AaCalibration, AaCalibrationFit, AssignmentCheck, AssignmentCheckFit, BalanceCheck,
    BalanceCheckFit, NoveltyFit, OutlierInfluence, OutlierInfluenceFit, SampleRatio,
    SampleRatioFit, Twyman, TwymanFit,
};
use crate::data::Frame;
use crate::error::Result;
use crate::report::shown;
use crate::report::{Cell, Page, Table, p_text};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Every check that the declared columns allow, each with a verdict. Fail means that effects must not be read before the cause is found; look, that a reader has
/// to know; skipped names what would have to be declared.
///
/// | name | default | meaning |
/// |---|---|---|
/// | `control` | the first arm | the arm compared with |
/// | `expected` | equal shares | arms with their shares |
/// | `unit` | none | units, for those in two arms |
/// | `clusters` | none | what was randomised in groups |
/// | `covariates` | none | known before assignment, for the balance table |
/// | `segments` | none | columns within which the sample ratio is tested |
/// | `outcomes` | none | metrics, for the influence of outliers and the A/A calibration |
/// | `experience` | none | past effects, for Twyman's law (of absolute effects on the outcomes) |
/// | `calibration` | none | an [`AaCalibration`], run on the same frame |
///
/// Rows are units here; the effects over time need a row a day and are added by [`TrustReportFit::with_novelty`].
///
/// # Errors
/// Those of the checks.
///
/// # Examples
/// ```
/// use cocreate::prelude::*;
/// let nsw = datasets::load("nsw")?;
/// let report = TrustReport::new("treat")
///     .expected([("0", 425.0), ("1", 297.0)])
///     .covariates(["age", "educ", "re75"])
///     .outcomes(["re78"])
///     .fit(&nsw)?;
/// assert_eq!(report.verdict("Sample ratio"), Some(TrustVerdict::Pass));
/// assert_eq!(report.verdict("Balance"), Some(TrustVerdict::Pass));
/// assert!(report.page().to_html().contains("Balance"));
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TrustReport {
    arm: String,
    control: Option<String>,
    expected: Vec<(String, f64)>,
    unit: Option<String>,
    clusters: Option<String>,
    covariates: Vec<String>,
    segments: Vec<String>,
    outcomes: Vec<String>,
    experience: Option<Twyman>,
    calibration: Option<AaCalibration>,
}

/// What a check says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TrustVerdict {
    /// Nothing found.
    Pass,
    /// Something that a reader of effects has to know.
    Look,
    /// Effects must not be read before the cause is found.
    Fail,
    /// Not done, because something was not declared.
    Skipped,
}

impl fmt::Display for TrustVerdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pass => "pass",
            Self::Look => "look",
            Self::Fail => "FAIL",
            Self::Skipped => "skipped",
        })
    }
}

/// One check in the report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrustCheck {
    /// The check.
    pub check: String,
    /// Its verdict.
    pub verdict: TrustVerdict,
    /// Why, in a sentence.
    pub message: String,
}

/// The report made by [`TrustReport`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrustReportFit {
    /// Units with two arms or none, when units were declared.
    pub assignments: Option<AssignmentCheckFit>,
    /// The sample ratio.
    pub sample_ratio: SampleRatioFit,
    /// The balance table, when covariates were declared.
    pub balance: Option<BalanceCheckFit>,
    /// The influence of units, by outcome.
    pub influence: Vec<OutlierInfluenceFit>,
    /// Effects against experience, when given.
    pub twyman: Option<TwymanFit>,
    /// The A/A calibration, when asked for.
    pub calibration: Option<AaCalibrationFit>,
    /// Effects over time, when added.
    pub novelty: Option<NoveltyFit>,
}

impl TrustReport {
    /// A report on the arms of a column.
    pub fn new(arm: impl Into<String>) -> Self {
        Self {
            arm: arm.into(),
            control: None,
            expected: vec![],
            unit: None,
            clusters: None,
            covariates: vec![],
            segments: vec![],
            outcomes: vec![],
            experience: None,
            calibration: None,
        }
    }

    /// The arm compared with.
    pub fn control(mut self, arm: impl Into<String>) -> Self {
        self.control = Some(arm.into());
        self
    }

    /// Arms with their shares.
    pub fn expected<S: Into<String>>(mut self, shares: impl IntoIterator<Item = (S, f64)>) -> Self {
        self.expected = shares.into_iter().map(|(a, s)| (a.into(), s)).collect();
        self
    }

    /// The column of units.
    pub fn unit(mut self, column: impl Into<String>) -> Self {
        self.unit = Some(column.into());
        self
    }

    /// The column that was randomised in groups. The sample ratio then counts the groups.
    pub fn clusters(mut self, column: impl Into<String>) -> Self {
        self.clusters = Some(column.into());
        self
    }

    /// Columns known before assignment.
    pub fn covariates<S: Into<String>>(mut self, columns: impl IntoIterator<Item = S>) -> Self {
        self.covariates = columns.into_iter().map(Into::into).collect();
        self
    }

    /// Columns within which the sample ratio is tested.
    pub fn segments<S: Into<String>>(mut self, columns: impl IntoIterator<Item = S>) -> Self {
        self.segments = columns.into_iter().map(Into::into).collect();
        self
    }

    /// Metrics.
    pub fn outcomes<S: Into<String>>(mut self, columns: impl IntoIterator<Item = S>) -> Self {
        self.outcomes = columns.into_iter().map(Into::into).collect();
        self
    }

    /// Past effects.
    pub fn experience(mut self, experience: Twyman) -> Self {
        self.experience = Some(experience);
        self
    }

    /// An A/A calibration.
    pub fn calibration(mut self, calibration: AaCalibration) -> Self {
        self.calibration = Some(calibration);
        self
    }

    /// Runs the checks.
    ///
    /// # Errors
    /// See [`TrustReport`].
    pub fn fit(&self, frame: &Frame) -> Result<TrustReportFit> {
        let assignments = match &self.unit {
            None => None,
            Some(unit) => Some(
                AssignmentCheck::new(unit, &self.arm)
                    .segments(self.segments.clone())
                    .fit(frame)?,
            ),
        };
        let mut ratio = SampleRatio::new(&self.arm)
            .expected(self.expected.clone())
            .segments(self.segments.clone());
        if let Some(randomised) = self.clusters.as_ref().or(self.unit.as_ref()) {
            ratio = ratio.unit(randomised);
        }
        let balance = if self.covariates.is_empty() {
            None
        } else {
            let mut check = BalanceCheck::new(&self.arm, self.covariates.clone());
            if let Some(control) = &self.control {
                check = check.control(control);
            }
            if let Some(clusters) = &self.clusters {
                check = check.clusters(clusters);
            }
            Some(check.fit(frame)?)
        };
        let influence = self
            .outcomes
            .iter()
            .map(|outcome| {
                let mut check = OutlierInfluence::new(outcome, &self.arm);
                if let Some(control) = &self.control {
                    check = check.control(control);
                }
                if let Some(unit) = &self.unit {
                    check = check.unit(unit);
                }
                check.fit(frame)
            })
            .collect::<Result<Vec<_>>>()?;
        let twyman = match &self.experience {
            None => None,
            Some(experience) => {
                let effects: Vec<_> = (influence.iter())
                    .flat_map(|fit| {
                        fit.arms.iter().map(|arm| {
                            let mut effect = arm.effect.clone();
                            effect.name = format!("{}, {}", fit.outcome, arm.arm);
                            effect
                        })
                    })
                    .collect();
                Some(experience.fit(&effects)?)
            }
        };
        let calibration = match &self.calibration {
            None => None,
            Some(calibration) => Some(calibration.fit(frame)?),
        };
        Ok(TrustReportFit {
            assignments,
            sample_ratio: ratio.fit(frame)?,
            balance,
            influence,
            twyman,
            calibration,
            novelty: None,
        })
    }
}

impl TrustReportFit {
    /// Adds the effects over time.
    pub fn with_novelty(mut self, novelty: NoveltyFit) -> Self {
        self.novelty = Some(novelty);
        self
    }

    /// The verdict of a check by its name.
    pub fn verdict(&self, check: &str) -> Option<TrustVerdict> {
        (self.checks().iter())
            .find(|c| c.check == check)
            .map(|c| c.verdict)
    }

    /// Whether no check fails.
    pub fn is_trusted(&self) -> bool {
        self.checks()
            .iter()
            .all(|c| c.verdict != TrustVerdict::Fail)
    }

    /// All checks with their verdicts.
    pub fn checks(&self) -> Vec<TrustCheck> {
        let ratio = &self.sample_ratio;
        let verdict =
            |bad: bool, verdict: TrustVerdict| if bad { verdict } else { TrustVerdict::Pass };
        vec![
            optional(
                "Assignments",
                self.assignments.as_ref(),
                "declare `unit`",
                |a| {
                    let biased = a
                        .crossing_test
                        .iter()
                        .chain(&a.missing_tests)
                        .any(|t| t.p_value < ratio.alpha);
                    let kind = if biased {
                        TrustVerdict::Fail
                    } else {
                        TrustVerdict::Look
                    };
                    let message = format!(
                        "{} units in two arms, {} rows without arm",
                        a.crossing_units, a.rows_without_arm
                    );
                    (verdict(!a.is_clean(), kind), message)
                },
            ),
            optional("Sample ratio", Some(ratio), "", |r| {
                (
                    verdict(r.is_mismatch(), TrustVerdict::Fail),
                    p_text(r.p_value()),
                )
            }),
            optional(
                "Balance",
                self.balance.as_ref(),
                "declare `covariates`",
                |b| {
                    let p = b
                        .omnibus
                        .iter()
                        .map(|o| o.adjusted_p_value)
                        .fold(1.0, f64::min);
                    let message = format!(
                        "smallest joint {}, {} of {} differences marked",
                        p_text(p),
                        b.marked().len(),
                        b.rows.len()
                    );
                    (verdict(!b.is_balanced(), TrustVerdict::Fail), message)
                },
            ),
            optional(
                "A/A calibration",
                self.calibration.as_ref(),
                "give a `calibration`",
                |c| {
                    let message = format!("95 % intervals cover {}", Cell::percent(c.coverage, 1));
                    (verdict(!c.is_calibrated(), TrustVerdict::Fail), message)
                },
            ),
            optional(
                "Outliers",
                (!self.influence.is_empty()).then_some(&self.influence),
                "declare `outcomes`",
                |all| {
                    let fragile: Vec<String> = (all.iter())
                        .flat_map(|fit| {
                            let few = fit.arms.iter().filter(|a| a.is_fragile());
                            few.map(|a| format!("{} ({})", fit.outcome, a.arm))
                        })
                        .collect();
                    let message = if fragile.is_empty() {
                        "no result hangs on one unit in a thousand".to_owned()
                    } else {
                        format!("a few units overturn {}", fragile.join(", "))
                    };
                    (verdict(!fragile.is_empty(), TrustVerdict::Look), message)
                },
            ),
            optional(
                "Twyman's law",
                self.twyman.as_ref(),
                "give `experience` and `outcomes`",
                |t| {
                    let count = t.effects.iter().filter(|e| e.implausible).count();
                    let message = format!("{count} of {} effects are implausible", t.effects.len());
                    (verdict(count > 0, TrustVerdict::Look), message)
                },
            ),
            optional(
                "Novelty",
                self.novelty.as_ref(),
                "add `with_novelty`",
                |n| {
                    let trends: Vec<String> = (n.trends.iter())
                        .map(|t| format!("{} {}", t.arm, t.pattern))
                        .collect();
                    (
                        verdict(!n.is_stable(), TrustVerdict::Look),
                        trends.join(", "),
                    )
                },
            ),
        ]
    }

    /// One row a check.
    pub fn table(&self) -> Table {
        let mut table = Table::new("Trust").columns(["Check", "Verdict", ""]);
        for check in self.checks() {
            table = table.row([
                Cell::from(check.check),
                Cell::from(check.verdict.to_string()),
                Cell::from(check.message),
            ]);
        }
        table.note(if self.is_trusted() {
            "No check fails"
        } else {
            "Do not read effects before the failures are explained"
        })
    }

    /// The page: verdicts first, then the table (and figure) of every check.
    pub fn page(&self) -> Page {
        let mut page = Page::new("Can this experiment be trusted?")
            .heading("Verdicts")
            .table(&self.table());
        if let Some(fit) = &self.assignments {
            page = page.heading("Assignments").table(&fit.table());
        }
        page = page
            .heading("Sample ratio")
            .table(&self.sample_ratio.table());
        if let Some(fit) = &self.balance {
            page = page.heading("Balance").table(&fit.table());
            if let Ok(figure) = fit.figure() {
                page = page.figure(&figure);
            }
        }
        if let Some(fit) = &self.calibration {
            page = page.heading("A/A calibration").table(&fit.table());
            if let Ok(figure) = fit.figure() {
                page = page.figure(&figure);
            }
        }
        for fit in &self.influence {
            page = page
                .heading(format!("Outliers: {}", fit.outcome))
                .table(&fit.table());
        }
        if let Some(fit) = &self.twyman {
            page = page.heading("Twyman's law").table(&fit.table());
        }
        if let Some(fit) = &self.novelty {
            page = page.heading("Novelty").table(&fit.table());
            if let Ok(figure) = fit.figure() {
                page = page.figure(&figure);
            }
        }
        page
    }
}

shown!(TrustReportFit);

/// A check that may not have been done.
fn optional<T>(
    check: &str,
    fit: Option<&T>,
    needs: &str,
    judge: impl FnOnce(&T) -> (TrustVerdict, String),
) -> TrustCheck {
    let (verdict, message) = match fit {
        None => (TrustVerdict::Skipped, format!("{needs} to have it")),
        Some(fit) => judge(fit),
    };
    TrustCheck {
        check: check.to_owned(),
        verdict,
        message,
    }
}

#[cfg(test)]
mod tests;
