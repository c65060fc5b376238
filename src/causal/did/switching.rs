//! Treatments that switch on and off: coupons, subscriptions, features behind a flag.

use super::aggregate::Aggregate;
use super::effects::{About, RolloutEffects, rollout_verbs};
use super::event_study::EventStudy;
use super::sample::{Rollout, RolloutColumns, rollout_options};
use crate::data::Frame;
use crate::error::{Error, Result, Warning};
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
/// before the change is a difference to the last period before it, with all units as controls that had not changed by then. Changes without a unit that stays are left out, counted in a warning.
///
/// Panels may have gaps. A difference of two periods is that of the units observed in both, so that `DID_M` asks for two periods in a row and the placebo for three. For the event study a unit begins with its first
/// row and keeps its treatment between rows that agree; when the row before its first change is missing, it is not known when it changed: it is a control until its last row before, and left out from then on
/// (the conventions of `did_multiplegt_dyn`). Errors come from influence functions, with the factor G/(G − 1) and t distributions of
/// G − 1 degrees of freedom.
///
/// # Errors
/// [`Error::Unidentified`] when no change has units that stay; [`Error::OutOfRange`] for a treatment that is neither 0 nor 1; those of reading the panel.
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

/// A change of treatment between two periods, or what would have been one.
struct Change {
    /// 1 for switching on.
    sign: f64,
    /// Units that switch, and units that stay.
    sides: [Vec<usize>; 2],
    base: usize,
    period: usize,
}

/// A unit's treatment until it changes for the first time.
struct Spell {
    /// The treatment in its first row.
    on: bool,
    /// The period of its first change, when it has a row in the period before.
    change: Option<usize>,
    /// The last period of which it is known that it is as it was, or the last of all for units whose change is known.
    until: usize,
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
        let periods = rollout.panel.periods.len();
        let units = rollout.panel.units.len();
        let at = |unit: usize, period: usize| -> Option<bool> {
            Some(status[rollout.panel.at(unit, period)?] > 0.5)
        };
        let mut changes = Vec::new();
        let mut placebos = Vec::new();
        let mut lonely = 0;
        for period in 1..periods {
            for before in [false, true] {
                let (stay, switch): (Vec<usize>, Vec<usize>) = (0..units)
                    .filter(|unit| at(*unit, period - 1) == Some(before))
                    .filter(|unit| at(*unit, period).is_some())
                    .partition(|unit| at(*unit, period) == Some(before));
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
                        list.filter(|unit| at(*unit, period - 2) == Some(before))
                            .collect()
                    };
                    let sides = [stable(&switch), stable(&stay)];
                    if sides.iter().all(|side| !side.is_empty()) {
                        placebos.push(Change {
                            sign,
                            sides,
                            base: period - 2,
                            period: period - 1,
                        });
                    }
                }
                changes.push(Change {
                    sign,
                    sides: [switch, stay],
                    base: period - 1,
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
        let mut parts = vec![mean_change(&rollout, changes.iter())];
        let mut names = vec!["DID_M".to_owned()];
        if !placebos.is_empty() {
            parts.push(mean_change(&rollout, placebos.iter()));
            names.push("placebo".to_owned());
        }
        let study = first_changes(
            &rollout,
            &spells(&rollout, &status),
            about("Effects by time since the first change"),
        );
        Ok(SwitchingFit {
            effects: together(&rollout, about("Effect at changes"), names, &parts),
            study: study.map_err(|error| error.to_string()),
            switches: changes.iter().map(|change| change.sides[0].len()).sum(),
        })
    }
}

/// The first change of every unit. Between rows of the same treatment it is taken to have stayed; whose row before a change is missing may have changed earlier.
fn spells(rollout: &Rollout, status: &[f64]) -> Vec<Spell> {
    let panel = &rollout.panel;
    let last = panel.periods.len() - 1;
    (0..panel.units.len())
        .map(|unit| {
            let mut rows = (0..=last).filter_map(|period| {
                let row = panel.at(unit, period)?;
                Some((period, status[row] > 0.5))
            });
            let mut spell = Spell {
                on: false,
                change: None,
                until: last,
            };
            let Some((mut before, on)) = rows.next() else {
                return spell;
            };
            spell.on = on;
            for (period, now) in rows {
                if now != on {
                    if before + 1 == period {
                        spell.change = Some(period);
                    } else {
                        spell.until = before;
                    }
                    break;
                }
                before = period;
            }
            spell
        })
        .collect()
}

/// Units by their first treatment, each against those that have not changed yet; then both together.
fn first_changes(rollout: &Rollout, spells: &[Spell], mut about: About) -> Result<EventStudy> {
    let panel = &rollout.panel;
    let periods = panel.periods.len();
    let mut changes: Vec<(f64, Change)> = Vec::new();
    for on in [false, true] {
        let own: Vec<usize> = (0..spells.len())
            .filter(|unit| spells[*unit].on == on)
            .collect();
        let mut cohorts: Vec<usize> = own.iter().filter_map(|unit| spells[*unit].change).collect();
        cohorts.sort_unstable();
        cohorts.dedup();
        let found = changes.len();
        for &cohort in &cohorts {
            let base = cohort - 1;
            for period in (0..periods).filter(|period| *period != base) {
                let latest = period.max(base);
                let observed = |unit: &usize| {
                    panel.at(*unit, base).is_some() && panel.at(*unit, period).is_some()
                };
                let side = |inside: &dyn Fn(&Spell) -> bool| -> Vec<usize> {
                    let own = own.iter().copied();
                    own.filter(|unit| inside(&spells[*unit]) && observed(unit))
                        .collect()
                };
                let sides = [
                    side(&|spell| spell.change == Some(cohort)),
                    side(&|spell| {
                        let later = |change| change > latest && change != cohort;
                        spell.change.is_none_or(later) && spell.until >= latest
                    }),
                ];
                if sides.iter().all(|side| !side.is_empty()) {
                    let since = panel.periods[period].value - panel.periods[cohort].value;
                    let sign = if on { -1.0 } else { 1.0 };
                    changes.push((
                        since,
                        Change {
                            sign,
                            sides,
                            base,
                            period,
                        },
                    ));
                }
            }
        }
        if found == changes.len() && !cohorts.is_empty() {
            about.warnings.push(Warning::Note {
                message: format!(
                    "units whose first treatment is {} left out: all that change do so at once",
                    u8::from(on)
                ),
            });
        }
    }
    let unclear = spells
        .iter()
        .filter(|spell| spell.until + 1 < periods)
        .count();
    if unclear > 0 {
        about.warnings.push(Warning::Note {
            message: format!(
                "{unclear} units have no row in the period before their first change, which may have been earlier: they are controls until their last row before it"
            ),
        });
    }
    let mut times: Vec<f64> = changes.iter().map(|(since, _)| *since).collect();
    times.sort_unstable_by(f64::total_cmp);
    times.dedup();
    if !times.iter().any(|time| *time >= 0.0) {
        return Err(Error::Unidentified {
            what: "the effects by time since the first change".to_owned(),
            needs: "units of the same first treatment that change later, or never".to_owned(),
        });
    }
    let combined: Vec<Aggregate> = (times.iter())
        .map(|time| {
            let own = changes
                .iter()
                .filter(|(since, _)| since.total_cmp(time).is_eq());
            mean_change(rollout, own.map(|(_, change)| change))
        })
        .collect();
    let names = times.iter().map(|time| EventStudy::name(*time)).collect();
    let effects = together(rollout, about, names, &combined);
    let spacing = panel.periods.windows(2).map(|w| w[1].value - w[0].value);
    let even = spacing.clone().fold(f64::INFINITY, f64::min);
    let reference = spacing.fold(0.0, f64::max);
    let reference = (reference - even <= 1e-9 * reference).then_some(-reference);
    Ok(EventStudy::new(effects, times, reference))
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
fn mean_change<'a>(
    rollout: &Rollout,
    changes: impl Iterator<Item = &'a Change> + Clone,
) -> Aggregate {
    let each: Vec<Aggregate> = changes
        .clone()
        .map(|change| compared(rollout, change))
        .collect();
    let parts: Vec<Part<'_>> = (changes.zip(&each))
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
    let moved = |unit: usize| outcome(unit, change.period) - outcome(unit, change.base);
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
