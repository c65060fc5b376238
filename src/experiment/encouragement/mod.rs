//! Encouragement designs: what is randomised is an invitation, and people decide.

mod bounds;

pub use bounds::AverageEffectBounds;

use crate::data::Frame;
use crate::error::{Error, Result, Warning};
use crate::experiment::arms::{measured, note, zero_one};
use crate::experiment::sums::Sums;
use crate::inference::{ConfidenceSet, Covariance, Estimate, Inference, check_level};
use crate::regression::{Iv, Ols};
use crate::report::shown;
use crate::report::{Cell, Table};
use bounds::Cells;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The effects of an encouragement and of what it encourages to. With Z the encouragement, D taking the treatment, Y the outcome:
///
/// - intention to treat, `E[Y | Z = 1] − E[Y | Z = 0]`: of the encouragement, needs only that it was random;
/// - the local average treatment effect `(E[Y | 1] − E[Y | 0])/(E[D | 1] − E[D | 0])` by two-stage least squares: of the treatment for compliers, who take
///   it because they are encouraged. It needs that encouragement moves the outcome through the treatment alone (exclusion), and discourages nobody (monotonicity);
/// - shares of compliers, always-takers and never-takers, and the means of compliers with and without treatment;
/// - bounds on the average effect for everybody: Manski's, and for a binary outcome the sharp ones of Balke & Pearl. They need no monotonicity.
///
/// The set of Anderson & Rubin is right however weak the encouragement; a weak one is said so.
///
/// | name | default | meaning |
/// |---|---|---|
/// | `adjust` | none | regressors known before: the right-hand side of a formula |
/// | `covariance` | HC1 | of intention to treat and two-stage least squares |
/// | `outcome_range` | 0 and 1 for a binary outcome, else none | smallest and largest possible outcome, for Manski's bounds |
/// | `level` | 0.95 | of intervals |
///
/// # Errors
/// [`Error::OutOfRange`] for encouragement or treatment other than 0 and 1, or outcomes outside the range; [`Error::Unidentified`] when encouragement changes
/// nobody's treatment; those of [`Ols`] and [`Iv`].
///
/// # References
/// Angrist, Imbens & Rubin (1996), *JASA* 91(434), doi:10.1080/01621459.1996.10476902; Balke & Pearl (1997), *JASA* 92(439),
/// doi:10.1080/01621459.1997.10474074; Manski (1990), *AER P&P* 80(2); Imbens & Rubin (1997), *Review of Economic Studies* 64(4), doi:10.2307/2971731.
///
/// # Examples
/// ```
/// use cocreate::prelude::*;
/// let n = 1000;
/// let invited: Vec<f64> = (0..n).map(|i| f64::from(i % 2)).collect();
/// let joined: Vec<f64> = (0..n).map(|i| f64::from(u8::from(i % 2 == 1 && i % 10 < 6))).collect(); // 60 % of those invited
/// let spend: Vec<f64> = (0..n as usize).map(|i| (i % 7) as f64 + 5.0 * joined[i]).collect();
/// let frame = Frame::new().with("invited", invited)?.with("joined", joined)?.with("spend", spend)?;
/// let fit = Encouragement::new("spend", "joined", "invited").fit(&frame)?;
/// assert_eq!(fit.non_compliance, NonCompliance::NoAlwaysTakers); // nobody joins uninvited: the effect on those who joined
/// assert!((fit.local_effect.estimate - 5.0).abs() < 0.1);
/// assert!((fit.intention_to_treat.estimate / fit.compliers.estimate - fit.local_effect.estimate).abs() < 1e-9);
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Encouragement {
    outcome: String,
    treatment: String,
    assigned: String,
    adjust: Option<String>,
    covariance: Covariance,
    outcome_range: Option<(f64, f64)>,
    level: f64,
}

/// Who did not do as they were encouraged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum NonCompliance {
    /// Everybody did.
    Full,
    /// One-sided: nobody takes the treatment without encouragement. The local effect is that on the treated.
    NoAlwaysTakers,
    /// One-sided: everybody takes it with encouragement. The local effect is that on the untreated.
    NoNeverTakers,
    /// Some took it without, some did not with encouragement.
    TwoSided,
}

impl fmt::Display for NonCompliance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full => "full compliance: the local effect is that on everybody",
            Self::NoAlwaysTakers => {
                "one-sided non-compliance, no always-takers: the local effect is that on the treated"
            }
            Self::NoNeverTakers => {
                "one-sided non-compliance, no never-takers: the local effect is that on the untreated"
            }
            Self::TwoSided => {
                "two-sided non-compliance: the local effect is that on compliers, given that encouragement discourages nobody"
            }
        })
    }
}

/// What [`Encouragement`] found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EncouragementFit {
    /// Effect of the encouragement on the outcome.
    pub intention_to_treat: Estimate,
    /// Effect of the encouragement on taking the treatment.
    pub take_up: Estimate,
    /// Effect of the treatment on compliers.
    pub local_effect: Estimate,
    /// The Anderson–Rubin set of the local effect.
    pub local_set: ConfidenceSet,
    /// Effective F of the first stage.
    pub effective_f: Option<f64>,
    /// Share of compliers, without adjustment.
    pub compliers: Estimate,
    /// Share of always-takers.
    pub always_takers: Estimate,
    /// Share of never-takers.
    pub never_takers: Estimate,
    /// Mean outcome of compliers with the treatment.
    pub complier_treated_mean: f64,
    /// Mean outcome of compliers without it.
    pub complier_control_mean: f64,
    /// Who did not comply.
    pub non_compliance: NonCompliance,
    /// Bounds on the average effect for everybody.
    pub bounds: Vec<AverageEffectBounds>,
    /// Rows used.
    pub rows: usize,
    covariance: String,
    level: f64,
    warnings: Vec<Warning>,
}

impl Encouragement {
    /// Effects on an outcome of a treatment to which people were encouraged at random; treatment and encouragement are 0 or 1.
    pub fn new(
        outcome: impl Into<String>,
        treatment: impl Into<String>,
        encouragement: impl Into<String>,
    ) -> Self {
        Self {
            outcome: outcome.into(),
            treatment: treatment.into(),
            assigned: encouragement.into(),
            adjust: None,
            covariance: Covariance::default(),
            outcome_range: None,
            level: 0.95,
        }
    }

    /// Regressors known before.
    pub fn adjust(mut self, regressors: impl Into<String>) -> Self {
        self.adjust = Some(regressors.into());
        self
    }

    /// The covariance of the regressions.
    pub fn covariance(mut self, covariance: Covariance) -> Self {
        self.covariance = covariance;
        self
    }

    /// The smallest and the largest possible outcome.
    pub fn outcome_range(mut self, low: f64, high: f64) -> Self {
        self.outcome_range = Some((low, high));
        self
    }

    /// The level of intervals.
    pub fn level(mut self, level: f64) -> Self {
        self.level = level;
        self
    }

    /// Estimates.
    ///
    /// # Errors
    /// See [`Encouragement`].
    pub fn fit(&self, frame: &Frame) -> Result<EncouragementFit> {
        check_level(self.level)?;
        let (y, d, z) = (
            measured(frame, &self.outcome)?,
            zero_one(frame, &self.treatment)?,
            zero_one(frame, &self.assigned)?,
        );
        let known: Vec<bool> = (0..frame.rows())
            .map(|i| !(y[i].is_nan() || d[i].is_nan() || z[i].is_nan()))
            .collect();
        let mut cells = Cells {
            rows: [vec![], vec![]],
        };
        for i in (0..frame.rows()).filter(|i| known[*i]) {
            cells.rows[usize::from(z[i] > 0.5)].push((y[i], d[i]));
        }
        if cells.rows.iter().any(|rows| rows.len() < 2) {
            return Err(Error::Unidentified {
                what: format!("the effect of `{}`", self.assigned),
                needs: "two rows or more with and without encouragement".to_owned(),
            });
        }
        let bounds = self.bounds(&cells, &y, &known)?;
        let sample = sample(frame, &y, &d, &z, &known)?;
        let adjust = (self.adjust.as_ref()).map_or_else(String::new, |a| format!(" + {a}"));
        let on = |outcome: &str, name: String| -> Result<Estimate> {
            let fit = Ols::new(format!("{outcome} ~ {Z}{adjust}"))
                .covariance(self.covariance.clone())
                .fit(&sample)?;
            Ok(Estimate {
                name,
                ..fit.coefficient(Z)?
            })
        };
        let intention_to_treat = on(Y, format!("{} on {}", self.assigned, self.outcome))?;
        let take_up = on(D, format!("{} on {}", self.assigned, self.treatment))?;
        let exogenous = self.adjust.as_deref().unwrap_or("1");
        let iv = Iv::new(format!("{Y} ~ {exogenous} | {D} ~ {Z}"))
            .covariance(self.covariance.clone())
            .fit(&sample)?;
        let name = format!("{} on {}, compliers", self.treatment, self.outcome);
        let local_effect = Estimate {
            name: name.clone(),
            ..iv.coefficient(D)?
        };
        let local_set = ConfidenceSet {
            name,
            ..iv.confidence_set(D, self.level)?
        };
        let taken = |z: usize| Sums::of(cells.rows[z].iter().map(|(_, d)| *d));
        let (without, with) = (taken(0), taken(1));
        let share = |name: &str, estimate: f64, variance: f64| Estimate {
            name: name.to_owned(),
            estimate,
            std_error: variance.sqrt(),
            degrees_of_freedom: f64::INFINITY,
        };
        let compliers = with.mean - without.mean;
        let mean = |z: usize, of: &dyn Fn(f64, f64) -> f64| {
            let rows = &cells.rows[z];
            rows.iter().map(|(y, d)| of(*y, *d)).sum::<f64>() / rows.len() as f64
        };
        let change = |of: &dyn Fn(f64, f64) -> f64| mean(1, of) - mean(0, of);
        let non_compliance = match (without.mean > 0.0, with.mean < 1.0) {
            (false, false) => NonCompliance::Full,
            (false, true) => NonCompliance::NoAlwaysTakers,
            (true, false) => NonCompliance::NoNeverTakers,
            (true, true) => NonCompliance::TwoSided,
        };
        let mut warnings = iv.warnings();
        let missing = known.iter().filter(|k| !**k).count();
        if missing > 0 {
            warnings.push(note(format!(
                "{missing} rows without outcome, treatment or encouragement left out; if that depends on the encouragement, it is random no longer"
            )));
        }
        if compliers < 0.0 {
            warnings.push(note(
                "fewer took the treatment with encouragement than without: the local effect is that on those whom encouragement discourages",
            ));
        }
        for bound in bounds.iter().filter(|b| b.is_contradiction()) {
            warnings.push(note(format!(
                "{}: the bounds cross, so that encouragement was not random or acts not through the treatment alone",
                bound.method
            )));
        }
        Ok(EncouragementFit {
            effective_f: iv.first_stage()?.first().and_then(|f| f.effective_f),
            compliers: share("compliers", compliers, with.of_mean() + without.of_mean()),
            always_takers: share("always-takers", without.mean, without.of_mean()),
            never_takers: share("never-takers", 1.0 - with.mean, with.of_mean()),
            complier_treated_mean: change(&|y, d| y * d) / compliers,
            complier_control_mean: -change(&|y, d| y * (1.0 - d)) / compliers,
            intention_to_treat,
            take_up,
            local_effect,
            local_set,
            non_compliance,
            bounds,
            rows: sample.rows(),
            covariance: self.covariance.to_string(),
            level: self.level,
            warnings,
        })
    }

    fn bounds(&self, cells: &Cells, y: &[f64], known: &[bool]) -> Result<Vec<AverageEffectBounds>> {
        let of = |v: f64| v.abs() <= 0.0 || (v - 1.0).abs() <= 0.0;
        let binary = (y.iter().zip(known)).all(|(y, known)| !known || of(*y));
        let mut bounds = Vec::new();
        if let Some((low, high)) = self.outcome_range.or(binary.then_some((0.0, 1.0))) {
            if !(low < high && low.is_finite() && high.is_finite()) {
                return Err(Error::invalid_option(
                    "outcome_range",
                    format!("{low} to {high}"),
                    "two finite numbers, the smaller first",
                ));
            }
            let outside = (0..y.len()).find(|i| known[*i] && !(low..=high).contains(&y[*i]));
            if let Some(row) = outside {
                return Err(Error::OutOfRange {
                    column: self.outcome.clone(),
                    row: row + 1,
                    value: y[row],
                    expected: format!("between {low} and {high}, the range given"),
                });
            }
            bounds.push(cells.manski(low, high, self.level));
        }
        if binary {
            bounds.push(cells.balke_pearl(self.level));
        }
        Ok(bounds)
    }
}

/// The rows used, with short names for the three columns.
fn sample(frame: &Frame, y: &[f64], d: &[f64], z: &[f64], known: &[bool]) -> Result<Frame> {
    let all = frame
        .clone()
        .with(Y, y.to_vec())?
        .with(D, d.to_vec())?
        .with(Z, z.to_vec())?;
    all.filter(known)
}

/// Names in the frame of the regressions.
const Y: &str = "outcome_of_encouragement";
const D: &str = "treatment_taken";
const Z: &str = "encouraged_to_it";

impl EncouragementFit {
    /// What a reader of the numbers must know.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// Effects, shares and bounds.
    pub fn table(&self) -> Table {
        let percent = self.level * 100.0;
        let mut table = Table::new("Encouragement design").columns([
            String::new(),
            "Estimate".to_owned(),
            "Std. error".to_owned(),
            "p".to_owned(),
            format!("{percent} % from"),
            "to".to_owned(),
        ]);
        let row = |table: Table, label: String, e: &Estimate, p: bool| {
            let ends = e.confidence_interval(self.level);
            let (low, high) = ends.map_or((f64::NAN, f64::NAN), |i| (i.lower, i.upper));
            table.row([
                Cell::from(label),
                Cell::significant(e.estimate, 5),
                Cell::significant(e.std_error, 4),
                if p {
                    Cell::p_value(e.p_value())
                } else {
                    Cell::empty()
                },
                Cell::significant(low, 5),
                Cell::significant(high, 5),
            ])
        };
        table = row(
            table,
            format!("Intention to treat: {}", self.intention_to_treat.name),
            &self.intention_to_treat,
            true,
        );
        table = row(
            table,
            format!("Take-up: {}", self.take_up.name),
            &self.take_up,
            true,
        );
        table = row(
            table,
            format!("Local effect: {}", self.local_effect.name),
            &self.local_effect,
            true,
        );
        table = table.section("Shares");
        for share in [&self.compliers, &self.always_takers, &self.never_takers] {
            table = row(table, share.name.clone(), share, false);
        }
        table = table
            .note(format!("Anderson–Rubin {}", self.local_set))
            .note(format!("Non-compliance: {}", self.non_compliance))
            .note(format!(
                "Compliers: mean {} with, {} without the treatment",
                Cell::significant(self.complier_treated_mean, 5),
                Cell::significant(self.complier_control_mean, 5)
            ));
        if let Some(f) = self.effective_f {
            table = table.note(format!("Effective F of the first stage: {f:.1}"));
        }
        for bound in &self.bounds {
            table = table.note(format!("Effect for everybody, {bound}"));
        }
        table = table.note(format!(
            "n = {}; covariance: {}",
            Cell::count(self.rows),
            self.covariance
        ));
        for warning in &self.warnings {
            table = table.note(format!("Warning: {warning}"));
        }
        table
    }
}

shown!(EncouragementFit);

#[cfg(test)]
mod tests;
