//! Treatments that switch on and off: coupons, subscriptions, features behind a flag.

use super::aggregate::{Aggregate, Shares};
use super::callaway_santanna::{BasePeriod, CallawaySantAnna, ControlGroup};
use super::effects::{About, RolloutEffects, rollout_verbs};
use super::event_study::EventStudy;
use super::group_time::GroupTimes;
use super::sample::{Rollout, RolloutColumns, rollout_options};
use crate::causal::panel::Adoption;
use crate::data::Frame;
use crate::error::{Error, Result, Warning};
use crate::numeric::Progress;
use crate::report::Table;
use nalgebra::{DMatrix, DVector};
use serde::{Deserialize, Serialize};

/// Effects of a treatment that may switch on and off, from units whose treatment changes compared with units whose treatment was the same before and does not change.
///
/// `DID_M` is the mean effect of treatment, at the time of a change, over all unit-periods whose treatment changes: those that switch on are compared with units that stay
/// untreated, those that switch off with units that stay treated,
///
/// `DID_M = Σ_t [N_{on,t} (ΔȲ_{on,t} − ΔȲ_{stay 0,t}) + N_{off,t} (ΔȲ_{stay 1,t} − ΔȲ_{off,t})]/N`.
///
/// It asks that a treatment has no effect after it has ended, or begun, beyond its present value. The [event study](SwitchingFit::event_study) does not: it follows each unit from its *first*
/// change, whatever its treatment does later, against units of the same first treatment that have not changed yet. Its effects are those of having changed so many periods ago (with the opposite sign for
/// units that were treated at first), effects of all later treatments included.
///
/// | name | default | meaning |
/// |---|---|---|
/// | `treatment` | required | 0 or 1 in each period |
/// | `weights` | none | a column, constant within units |
/// | `clusters` | the unit | a column, in which units lie |
///
/// Trends without a change must be parallel, of untreated and of treated outcomes. `placebo` is the same difference one period earlier, among units whose treatment did not change then. In the event study an effect
/// before the change is a difference to the last period before it, with all units as controls that had not changed by then. The panel must be
/// balanced. Changes without a unit that stays are left out, counted in a warning. Errors come from influence functions, with the factor G/(G − 1) and t distributions of
/// G − 1 degrees of freedom.
///
/// # Errors
/// [`Error::Unidentified`] for gaps, and when no change has units that stay; [`Error::OutOfRange`] for a treatment that is neither 0 nor 1; those of reading the panel.
///
/// # References
/// de Chaisemartin & D'Haultfœuille (2020), doi:10.1257/aer.20181169; de Chaisemartin & D'Haultfœuille (2024), doi:10.1162/rest_a_01414.
///
/// # Examples
/// ```
/// use cocreate::prelude::*;
/// // Coupons of value 2 that come and go, for three customers over four weeks.
/// let frame = Frame::new()
///     .with("customer", vec![1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3])?
///     .with("week", vec![1, 2, 3, 4, 1, 2, 3, 4, 1, 2, 3, 4])?
///     .with("coupon", vec![0, 1, 1, 0, 0, 0, 0, 0, 1, 1, 1, 1])?
///     .with("spent", vec![5.0, 8.0, 9.0, 8.0, 3.0, 4.0, 5.0, 6.0, 9.0, 10.0, 11.0, 12.0])?;
/// let fit = Switching::new("spent", "coupon", "customer", "week").fit(&frame)?;
/// assert!((fit.coefficient("DID_M")?.estimate - 2.0).abs() < 1e-12);
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Switching {
    columns: RolloutColumns,
}

/// `DID_M` and, where there is one, `placebo`; the verbs of [`Inference`](crate::inference::Inference) are those of both.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SwitchingFit {
    effects: RolloutEffects,
    study: Result<EventStudy, String>,
    switches: usize,
}

rollout_options!(Switching, no starts);
rollout_verbs!(SwitchingFit);

/// A change of treatment in a period, or what would have been one a period earlier.
struct Change {
    /// 1 for switching on.
    sign: f64,
    /// Units that switch, and units that stay.
    sides: [Vec<usize>; 2],
    period: usize,
}

impl Switching {
    /// The effects of a treatment on an outcome, for units observed over periods.
    pub fn new(outcome: &str, treatment: &str, unit: &str, period: &str) -> Self {
        Self {
            columns: RolloutColumns::new(outcome, treatment, unit, period),
        }
    }

    /// Compares all changes.
    ///
    /// # Errors
    /// See [`Switching`].
    pub fn fit(&self, frame: &Frame) -> Result<SwitchingFit> {
        let (rollout, status) = self.columns.read_switching(frame)?;
        rollout
            .panel
            .require_balanced("a comparison of two periods")?;
        let periods = rollout.panel.periods.len();
        let units = rollout.panel.units.len();
        let at = |unit: usize, period: usize| -> bool {
            (rollout.panel.at(unit, period)).is_some_and(|row| status[row] > 0.5)
        };
        let mut changes = Vec::new();
        let mut placebos = Vec::new();
        let mut lonely = 0;
        for period in 1..periods {
            for before in [false, true] {
                let same: Vec<usize> = (0..units)
                    .filter(|unit| at(*unit, period - 1) == before)
                    .collect();
                let (stay, switch): (Vec<usize>, Vec<usize>) = same
                    .into_iter()
                    .partition(|unit| at(*unit, period) == before);
                if switch.is_empty() {
                    continue;
                }
                let sign = if before { -1.0 } else { 1.0 };
                if stay.is_empty() {
                    lonely += switch.len();
                    continue;
                }
                if period > 1 {
                    let stable = |list: &[usize]| -> Vec<usize> {
                        let list = list.iter().copied();
                        list.filter(|unit| at(*unit, period - 2) == before)
                            .collect()
                    };
                    let sides = [stable(&switch), stable(&stay)];
                    if sides.iter().all(|side| !side.is_empty()) {
                        placebos.push(Change {
                            sign,
                            sides,
                            period: period - 1,
                        });
                    }
                }
                changes.push(Change {
                    sign,
                    sides: [switch, stay],
                    period,
                });
            }
        }
        if changes.is_empty() {
            return Err(Error::Unidentified {
                what: format!("the effect of `{}`", self.columns.treatment),
                needs: "units whose treatment changes while that of others of the same treatment does not".to_owned(),
            });
        }
        let mut warnings = rollout.warnings.clone();
        if lonely > 0 {
            warnings.push(Warning::Note {
                message: format!(
                    "{lonely} changes of treatment left out: no unit of the same treatment stays as it is in that period"
                ),
            });
        }
        let about = |estimand: &str| About {
            estimand: format!(
                "{estimand} of {} on {}",
                self.columns.treatment, self.columns.outcome
            ),
            size: rollout.size.clone(),
            errors: "Standard errors of the influence function".to_owned(),
            warnings: warnings.clone(),
        };
        let mut parts = vec![mean_change(&rollout, &changes)];
        let mut names = vec!["DID_M".to_owned()];
        if !placebos.is_empty() {
            parts.push(mean_change(&rollout, &placebos));
            names.push("placebo".to_owned());
        }
        let study = self.first_changes(
            &rollout,
            &status,
            about("Effects by time since the first change"),
        );
        Ok(SwitchingFit {
            effects: together(&rollout, about("Effect at changes"), names, &parts),
            study: study.map_err(|error| error.to_string()),
            switches: changes.iter().map(|change| change.sides[0].len()).sum(),
        })
    }

    /// Units by their first treatment, each against those that have not changed yet; then both together.
    fn first_changes(
        &self,
        rollout: &Rollout,
        status: &[f64],
        mut about: About,
    ) -> Result<EventStudy> {
        let panel = &rollout.panel;
        let units = panel.units.len();
        let value =
            |unit: usize, period: usize| panel.at(unit, period).map_or(f64::NAN, |row| status[row]);
        let names = &self.columns;
        let model =
            CallawaySantAnna::new(&names.outcome, &names.treatment, &names.unit, &names.period)
                .controls(ControlGroup::NotYetTreated)
                .base_period(BasePeriod::Universal);
        // Time, sign, the units that have changed, and their mean effect.
        let mut parts: Vec<(f64, f64, Vec<usize>, Aggregate)> = Vec::new();
        for baseline in [0.0, 1.0] {
            let same = |unit: usize| (value(unit, 0) - baseline).abs() < 0.5;
            let own: Vec<usize> = (0..units).filter(|unit| same(*unit)).collect();
            if own.len() < 2 {
                continue;
            }
            let keep: Vec<bool> = panel
                .unit_of
                .iter()
                .map(|unit| same(*unit as usize))
                .collect();
            let mut part = rollout.retain(&keep)?;
            part.adoption = Adoption {
                first: (own.iter())
                    .map(|unit| {
                        let periods = 0..panel.periods.len();
                        let changed =
                            |period: &usize| (value(*unit, *period) - baseline).abs() > 0.5;
                        periods
                            .into_iter()
                            .find(changed)
                            .map(|period| period as u32)
                    })
                    .collect(),
            };
            if part.adoption.cohorts().is_empty() {
                continue;
            }
            let Ok(times) = GroupTimes::estimate(&model, &part, &Progress::none()) else {
                about.warnings.push(Warning::Note {
                    message: format!(
                        "units whose first treatment is {baseline} left out: all that change do so at once"
                    ),
                });
                continue;
            };
            let since = |at: usize| {
                let comparison = times.comparisons[at];
                part.panel.periods[comparison.period].value
                    - part.panel.periods[comparison.cohort as usize].value
            };
            let mut distinct: Vec<f64> = (0..times.comparisons.len()).map(since).collect();
            distinct.sort_unstable_by(f64::total_cmp);
            distinct.dedup();
            let shares = Shares::new(&part, &times.comparisons, times.influence.clone());
            for time in distinct {
                let positions: Vec<usize> = (0..times.comparisons.len())
                    .filter(|at| since(*at).total_cmp(&time).is_eq())
                    .collect();
                let estimates: Vec<f64> = positions.iter().map(|at| times.estimates[*at]).collect();
                let found = shares.aggregate(&positions, &estimates);
                let mut influence = DVector::zeros(units);
                for (unit, psi) in own.iter().zip(found.influence.iter()) {
                    influence[*unit] = *psi;
                }
                let cohorts: Vec<u32> = positions
                    .iter()
                    .map(|at| times.comparisons[*at].cohort)
                    .collect();
                let switched = (own.iter().zip(&part.adoption.first))
                    .filter(|(_, first)| first.is_some_and(|first| cohorts.contains(&first)))
                    .map(|(unit, _)| *unit)
                    .collect();
                let estimate = found.estimate;
                let part = Aggregate {
                    estimate,
                    influence,
                };
                parts.push((time, 1.0 - 2.0 * baseline, switched, part));
            }
        }
        let mut distinct: Vec<f64> = parts.iter().map(|part| part.0).collect();
        distinct.sort_unstable_by(f64::total_cmp);
        distinct.dedup();
        if !distinct.iter().any(|time| *time >= 0.0) {
            return Err(Error::Unidentified {
                what: "the effects by time since the first change".to_owned(),
                needs: "units of the same first treatment that change later, or never".to_owned(),
            });
        }
        let combined: Vec<Aggregate> = (distinct.iter())
            .map(|time| {
                let own: Vec<Part<'_>> = (parts.iter())
                    .filter(|part| part.0.total_cmp(time).is_eq())
                    .map(|(_, sign, units, part)| Part {
                        sign: *sign,
                        units,
                        mean: part,
                    })
                    .collect();
                weighted(rollout, &own)
            })
            .collect();
        let names = distinct
            .iter()
            .map(|time| EventStudy::name(*time))
            .collect();
        let effects = together(rollout, about, names, &combined);
        let spacing = rollout
            .panel
            .periods
            .windows(2)
            .map(|w| w[1].value - w[0].value);
        let even = spacing.clone().fold(f64::INFINITY, f64::min);
        let reference = spacing.fold(0.0, f64::max);
        let reference = (reference - even <= 1e-9 * reference).then_some(-reference);
        Ok(EventStudy::new(effects, distinct, reference))
    }
}

/// A part of a mean: its sign and the units whose weight it has.
struct Part<'a> {
    sign: f64,
    units: &'a [usize],
    mean: &'a Aggregate,
}

/// The mean of signed parts by the weight of their units, which is random too.
fn weighted(rollout: &Rollout, parts: &[Part<'_>]) -> Aggregate {
    let size = |part: &Part<'_>| -> f64 { part.units.iter().map(|u| rollout.weights[*u]).sum() };
    let total: f64 = parts.iter().map(size).sum();
    let value = |part: &Part<'_>| part.sign * part.mean.estimate;
    let estimate = parts
        .iter()
        .map(|part| size(part) * value(part))
        .sum::<f64>()
        / total;
    let mut influence = DVector::zeros(rollout.panel.units.len());
    for part in parts {
        influence.axpy(part.sign * size(part) / total, &part.mean.influence, 1.0);
        for unit in part.units {
            influence[*unit] += rollout.weights[*unit] / total * (value(part) - estimate);
        }
    }
    Aggregate {
        estimate,
        influence,
    }
}

/// The mean over changes, each by the weight of its switching units.
fn mean_change(rollout: &Rollout, changes: &[Change]) -> Aggregate {
    let each: Vec<Aggregate> = changes
        .iter()
        .map(|change| compared(rollout, change))
        .collect();
    let parts: Vec<Part<'_>> = (changes.iter().zip(&each))
        .map(|(change, part)| Part {
            sign: change.sign,
            units: &change.sides[0],
            mean: part,
        })
        .collect();
    weighted(rollout, &parts)
}

/// The change of the outcomes of switching units less that of staying units.
fn compared(rollout: &Rollout, change: &Change) -> Aggregate {
    let outcome = |unit: usize, period: usize| {
        (rollout.panel.at(unit, period)).map_or(f64::NAN, |row| rollout.y[row])
    };
    let moved = |unit: usize| outcome(unit, change.period) - outcome(unit, change.period - 1);
    let mut influence = DVector::zeros(rollout.panel.units.len());
    let mut estimate = 0.0;
    for (side, sign) in change.sides.iter().zip([1.0, -1.0]) {
        let total: f64 = side.iter().map(|unit| rollout.weights[*unit]).sum();
        let sum: f64 = side
            .iter()
            .map(|unit| rollout.weights[*unit] * moved(*unit))
            .sum();
        estimate += sign * sum / total;
        for unit in side {
            influence[*unit] +=
                sign * rollout.weights[*unit] * (moved(*unit) - sum / total) / total;
        }
    }
    Aggregate {
        estimate,
        influence,
    }
}

fn together(
    rollout: &Rollout,
    about: About,
    names: Vec<String>,
    parts: &[Aggregate],
) -> RolloutEffects {
    let columns: Vec<DVector<f64>> = parts.iter().map(|part| part.influence.clone()).collect();
    RolloutEffects::new(
        about,
        names,
        DVector::from_iterator(parts.len(), parts.iter().map(|part| part.estimate)),
        rollout.by_cluster(&DMatrix::from_columns(&columns)),
    )
}

impl SwitchingFit {
    /// Unit-periods whose treatment changes and that count in `DID_M`.
    pub fn switches(&self) -> usize {
        self.switches
    }

    /// The effects by time since a unit's first change.
    ///
    /// # Errors
    /// [`Error::Unidentified`] when no unit of the same first treatment changes later, or never.
    pub fn event_study(&self) -> Result<&EventStudy> {
        self.study.as_ref().map_err(|needs| Error::Unidentified {
            what: "the event study".to_owned(),
            needs: needs.clone(),
        })
    }

    /// The effects as a table.
    pub fn table(&self) -> Table {
        self.effects.table()
    }
}

crate::report::notebook::shown!(SwitchingFit);
