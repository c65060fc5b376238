//! What a row that was not followed to the end counts for: an outcome whose mean is that of the uncensored one when either of two curves is right,
//! that of events or that of censoring.

use super::outcome_rows::OutcomeRows;
use super::plan::Plan;
use super::prepare::{LEAST_UNITS, Prepared, check_rows};
use super::survival::SurvivalForest;
use super::survival_fit::{SurvivalForestFit, few};
use crate::data::Rows;
use crate::error::{Error, Result, Warning};
use crate::numeric::{Progress, Seed, blocks};
use crate::regression::learners::{Features, Task};
use serde::{Deserialize, Serialize};

/// The least probability to be followed that is divided by: no row counts for more than twenty.
pub(super) const LEAST_FOLLOWED: f64 = 0.05;
/// More than this share of rows at that limit is worth a warning.
const AT_LIMIT: f64 = 0.01;
/// Steps of a row's curve.
const MOST_STEPS: usize = 200;
/// Rows whose outcomes are made by one task.
const CHUNK: usize = 256;

/// What about a time until an event is compared, at a horizon h.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum SurvivalTarget {
    /// The mean time without the event until h, `E[min(T, h)]` (restricted mean survival time).
    RestrictedMean(f64),
    /// The probability to be without the event still after h, `P(T > h)`.
    Probability(f64),
}

impl SurvivalTarget {
    /// The horizon.
    pub fn horizon(&self) -> f64 {
        match self {
            Self::RestrictedMean(h) | Self::Probability(h) => *h,
        }
    }

    /// The outcome of a time, in words.
    pub(super) fn of(&self, time: &str) -> String {
        match self {
            Self::RestrictedMean(h) => format!("min({time}, {h})"),
            Self::Probability(h) => format!("{time} > {h}"),
        }
    }

    /// The outcome of a row that had the event at a time, or (`beyond`) is known to have it after the horizon.
    fn value(&self, time: f64, beyond: bool) -> f64 {
        match self {
            Self::RestrictedMean(h) => time.min(*h),
            Self::Probability(_) => f64::from(u8::from(beyond)),
        }
    }
}

/// A curve in steps: its value from each time on; 1 before the first.
struct Steps<'a> {
    times: &'a [f64],
    values: &'a [f64],
}

/// The mean outcome of those who are without the event after a time.
struct Expected<'a> {
    target: SurvivalTarget,
    curve: Steps<'a>,
    /// The area below the curve from each step to the horizon.
    areas: Vec<f64>,
}

impl<'a> Expected<'a> {
    fn new(target: SurvivalTarget, curve: Steps<'a>) -> Self {
        let horizon = target.horizon();
        let mut areas = vec![0.0; curve.times.len()];
        let (mut end, mut area) = (horizon, 0.0);
        for (k, area_from) in areas.iter_mut().enumerate().rev() {
            let from = curve.times[k].min(horizon);
            area += curve.values[k] * (end - from);
            (*area_from, end) = (area, from);
        }
        Self {
            target,
            curve,
            areas,
        }
    }

    /// `E[f(T) | T > s]` for an s before the horizon: `s + ∫_s^h S(u) du / S(s)`, or `S(h)/S(s)`.
    fn after(&self, s: f64) -> f64 {
        let horizon = self.target.horizon();
        let Steps { times, values } = self.curve;
        let passed = times.partition_point(|t| *t <= s);
        let here = if passed == 0 { 1.0 } else { values[passed - 1] };
        match self.target {
            SurvivalTarget::RestrictedMean(_) if here > 0.0 => {
                let next = times.get(passed).map_or(horizon, |t| t.min(horizon));
                let rest = self.areas.get(passed).copied().unwrap_or(0.0);
                next + rest / here
            }
            SurvivalTarget::RestrictedMean(_) => s,
            SurvivalTarget::Probability(_) if here > 0.0 => {
                let until = times.partition_point(|t| *t <= horizon);
                let last = if until == 0 { 1.0 } else { values[until - 1] };
                last / here
            }
            SurvivalTarget::Probability(_) => 0.0,
        }
    }
}

/// How a row ended, at the latest at the horizon.
#[derive(Clone, Copy, Debug, PartialEq)]
struct End {
    time: f64,
    /// The outcome, unless the row was censored before it was known.
    known: Option<f64>,
    /// Whether the event was seen.
    event: bool,
}

impl End {
    fn new(target: SurvivalTarget, time: f64, event: bool) -> Self {
        let horizon = target.horizon();
        let beyond = time > horizon || (time >= horizon && !event);
        let event = event && !beyond;
        Self {
            time: time.min(horizon),
            known: (event || beyond).then(|| target.value(time, beyond)),
            event,
        }
    }

    /// The outcome freed of censoring, and the estimated probability to be followed so far:
    ///
    /// `Γ = Q(U)^{1−Δ} f^Δ / G − Σ_s Q(s) d(1/G(s))`, `Q(s) = E[f(T) | T > s]`, `G(s) = P(C > s)`,
    ///
    /// the first G at U if censored and just before it if not, the sum over the times until then at which the row could have been censored. (An
    /// event comes before a censoring of the same time.)
    fn freed(&self, expected: &Expected, followed: &Steps) -> (f64, f64) {
        let (mut inverse, mut taken, mut probability) = (1.0, 0.0, 1.0);
        for (s, g) in followed.times.iter().zip(followed.values) {
            if *s > self.time || (self.known.is_some() && *s >= self.time) {
                break;
            }
            let next = 1.0 / g.max(LEAST_FOLLOWED);
            taken += expected.after(*s) * (next - inverse);
            (inverse, probability) = (next, *g);
        }
        let own = self.known.unwrap_or_else(|| expected.after(self.time));
        (inverse * own - taken, probability)
    }
}

/// The outcomes of all rows in use, freed of censoring.
pub(super) struct Freed {
    pub(super) outcomes: Vec<f64>,
    /// The estimated probability to be followed as long as each row was.
    pub(super) followed: Vec<f64>,
    /// Rows whose outcome is not known.
    pub(super) censored: usize,
    pub(super) warnings: Vec<Warning>,
}

/// How the curves are grown.
pub(super) struct Curves<'a> {
    /// The column of clusters.
    pub(super) clusters: Option<&'a str>,
    pub(super) plan: &'a Plan,
    pub(super) seed: Seed,
    pub(super) progress: &'a Progress,
}

/// Rows whose curves are learned together, by their place among the rows in use.
struct Group {
    /// In words.
    name: String,
    places: Vec<u32>,
    features: Features,
}

impl Curves<'_> {
    /// Frees the outcomes of censoring. Curves are those of survival forests, of the rows of each arm by themselves (of all rows with the
    /// treatment as a feature when it is not 0 or 1), and out of bag.
    pub(super) fn free(
        &self,
        prepared: &Prepared,
        times: &[f64],
        events: &[bool],
        target: SurvivalTarget,
    ) -> Result<Freed> {
        let ends: Vec<End> = (times.iter().zip(events))
            .map(|(time, event)| End::new(target, *time, *event))
            .collect();
        let n = ends.len();
        let mut freed = Freed {
            outcomes: vec![0.0; n],
            followed: vec![1.0; n],
            censored: ends.iter().filter(|end| end.known.is_none()).count(),
            warnings: vec![],
        };
        for group in groups(prepared)? {
            let of_group = self.group(prepared, &group, &ends, target)?;
            for (place, (outcome, followed)) in group.places.iter().zip(of_group) {
                freed.outcomes[*place as usize] = outcome;
                freed.followed[*place as usize] = followed;
            }
        }
        let rare = freed.followed.iter().filter(|g| **g <= LEAST_FOLLOWED);
        let rare = rare.count();
        if rare as f64 > AT_LIMIT * n as f64 {
            freed.warnings.push(Warning::Note {
                message: format!(
                    "few are followed as long as {rare} of the {n} rows: their probability of it was raised to {LEAST_FOLLOWED}; an earlier horizon needs less"
                ),
            });
        }
        Ok(freed)
    }

    /// The outcomes of a group and the probabilities to be followed.
    fn group(
        &self,
        prepared: &Prepared,
        group: &Group,
        ends: &[End],
        target: SurvivalTarget,
    ) -> Result<Vec<(f64, f64)>> {
        let sample = group.sample(prepared)?;
        if let (Some(column), Some((_, count))) = (self.clusters, &sample.clusters)
            && *count < LEAST_UNITS
        {
            return Err(Error::Unidentified {
                what: format!("the outcome until {} {}", target.horizon(), group.name),
                needs: format!(
                    "at least {LEAST_UNITS} clusters of `{column}` with such rows; there are {count}"
                ),
            });
        }
        let ends: Vec<End> = group.places.iter().map(|i| ends[*i as usize]).collect();
        let counts = |i: usize| sample.weight(i) > 0.0;
        let last = (0..ends.len()).filter(|i| counts(*i));
        let last = last.max_by(|a, b| {
            let order = ends[*a].time.total_cmp(&ends[*b].time);
            order.then(ends[*a].known.is_none().cmp(&ends[*b].known.is_none()))
        });
        if let Some(end) = last.map(|i| ends[i]).filter(|end| end.known.is_none()) {
            return Err(Error::Unidentified {
                what: format!("the outcome until {} {}", target.horizon(), group.name),
                needs: format!(
                    "rows that are followed until then; the last is censored at {} (an earlier horizon)",
                    end.time
                ),
            });
        }
        let mut distinct: Vec<f64> = ends.iter().map(|end| end.time).collect();
        distinct.sort_by(f64::total_cmp);
        distinct.dedup();
        // An event comes before a censoring of the same time: who has it is not at risk of being censored.
        let codes: Vec<f64> = (ends.iter())
            .map(|end| {
                let rank = distinct.partition_point(|t| *t < end.time);
                (2 * rank + usize::from(!end.event)) as f64
            })
            .collect();
        let gone: Vec<bool> = ends.iter().map(|end| end.known.is_none()).collect();
        let seen: Vec<bool> = ends.iter().map(|end| end.event).collect();
        let curves = |what: &str, flags: Vec<bool>| {
            let flagged = (0..codes.len()).filter(|i| flags[*i] && sample.weight(*i) > 0.0);
            let mut told: Vec<f64> = flagged.map(|i| codes[i]).collect();
            told.sort_by(f64::total_cmp);
            told.dedup();
            if told.is_empty() {
                return Ok((vec![], vec![vec![]; codes.len()]));
            }
            let told = few(&told, MOST_STEPS);
            let forest = SurvivalForest::new::<&str>("", "", &[]).times(&told);
            let seed = self.seed.child(what).child(&group.name);
            let drawing = (seed, self.progress);
            let part = sample.clone();
            let fit = SurvivalForestFit::new(&forest, part, &codes, flags, self.plan, drawing)?;
            let times: Vec<f64> = told.iter().map(|c| distinct[*c as usize / 2]).collect();
            Ok::<_, Error>((times, fit.out_of_bag().curves.clone()))
        };
        let (event_times, event_curves) = curves("events", seen)?;
        let (gone_times, gone_curves) = curves("censoring", gone)?;
        let kept: f64 = (gone_curves.iter())
            .map(|g| g.last().copied().unwrap_or(1.0))
            .sum();
        let kept = kept / ends.len() as f64;
        if kept < LEAST_FOLLOWED {
            return Err(Error::Unidentified {
                what: format!("the outcome until {} {}", target.horizon(), group.name),
                needs: format!(
                    "more rows that are followed until then: {:.1} % are not censored before (an earlier horizon)",
                    100.0 * kept
                ),
            });
        }
        let mut out = vec![(0.0, 1.0); ends.len()];
        blocks::fill(&mut out, CHUNK, |first, chunk| {
            for (i, out) in (first..).zip(chunk) {
                let curve = |times, values| Steps { times, values };
                let expected = Expected::new(target, curve(&event_times, &event_curves[i]));
                *out = ends[i].freed(&expected, &curve(&gone_times, &gone_curves[i]));
            }
        });
        Ok(out)
    }
}

impl Group {
    /// The rows of the group as a forest reads them.
    fn sample(&self, prepared: &Prepared) -> Result<OutcomeRows> {
        check_rows(self.places.len())?;
        let places = || self.places.iter().map(|i| *i as usize);
        let index = places().map(|i| prepared.rows.index(i) as u32).collect();
        let weights = (prepared.weights.as_ref()).map(|w| places().map(|i| w[i]).collect());
        let clusters = prepared.clusters.as_ref().map(|(of_row, count)| {
            // Clusters without a row of the group are not drawn.
            let mut code = vec![u32::MAX; *count];
            let mut used = 0;
            let mut of = |cluster: u32| {
                let code = &mut code[cluster as usize];
                if *code == u32::MAX {
                    (*code, used) = (used, used + 1);
                }
                *code
            };
            let codes: Vec<u32> = places().map(|i| of(of_row[i])).collect();
            (codes, used as usize)
        });
        Ok(OutcomeRows {
            features: self.features.clone(),
            rows: Rows::some(prepared.rows.total(), index),
            weights,
            clusters,
            warnings: vec![],
        })
    }
}

/// The arms of a treatment of 0 and 1; of any other all rows at once, with the treatment as a feature.
fn groups(prepared: &Prepared) -> Result<Vec<Group>> {
    let treatment = &prepared.treatment;
    let all = 0..treatment.values.len() as u32;
    if treatment.task == Task::Regression {
        let mut wide = vec![f64::NAN; prepared.rows.total()];
        for (i, value) in treatment.values.iter().enumerate() {
            wide[prepared.rows.index(i)] = *value;
        }
        return Ok(vec![Group {
            name: "of all rows".to_owned(),
            places: all.collect(),
            features: prepared.features.clone().with(&treatment.name, wide)?,
        }]);
    }
    let arm = |arm: u32| Group {
        name: format!("with `{}` = {arm}", treatment.name),
        places: (all.clone())
            .filter(|i| u32::from(treatment.values[*i as usize] > 0.5) == arm)
            .collect(),
        features: prepared.features.clone(),
    };
    Ok(vec![arm(0), arm(1)])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::numeric::permutation::open_unit;
    use rand::Rng;
    use serde_json::Value;

    fn numbers(value: &Value) -> Vec<f64> {
        let all = value.as_array().unwrap().iter();
        all.map(|v| v.as_f64().unwrap()).collect()
    }

    fn freed(
        target: SurvivalTarget,
        event: (&[f64], &[f64]),
        gone: (&[f64], &[f64]),
        end: (f64, bool),
    ) -> f64 {
        let steps = |(times, values)| Steps { times, values };
        let expected = Expected::new(target, steps(event));
        End::new(target, end.0, end.1)
            .freed(&expected, &steps(gone))
            .0
    }

    /// The sum over events instead of censorings, from numpy.
    #[test]
    fn freed_outcomes_are_those_by_the_martingale_of_events() {
        let text = include_str!("../../../tests/reference/forest_outcomes.json");
        let fixture: Value = serde_json::from_str(text).unwrap();
        let cases = fixture["values"]["freed"].as_array().unwrap();
        let mut compared = 0;
        for case in cases {
            let horizon = case["horizon"].as_f64().unwrap();
            let target = match case["kind"].as_str().unwrap() {
                "mean" => SurvivalTarget::RestrictedMean(horizon),
                _ => SurvivalTarget::Probability(horizon),
            };
            let [times, event, gone, followed, ends, want] = [
                "event_times",
                "event",
                "gone_times",
                "followed",
                "ends",
                "freed",
            ]
            .map(|name| numbers(&case[name]));
            let died = case["died"].as_array().unwrap();
            for (i, want) in want.iter().enumerate() {
                let end = (ends[i], died[i].as_bool().unwrap());
                let found = freed(target, (&times, &event), (&gone, &followed), end);
                assert!(
                    (found - want).abs() < 1e-9 * want.abs().max(1.0),
                    "{end:?}: {found} {want}"
                );
                compared += 1;
            }
        }
        assert!(compared > 120);
    }

    /// Over all times of event and censoring, the mean is that of the outcome when one of the curves is right, whatever the other.
    #[test]
    fn one_right_curve_is_enough() {
        let times: Vec<f64> = (1..=6).map(f64::from).collect();
        let mut random = Seed::new(3).stream(0);
        for draw in 0..60 {
            let mut curve = || {
                let mut left = 1.0;
                let fall = |_: &f64| {
                    left *= 1.0 - 0.05 - 0.25 * open_unit(random.next_u64());
                    left
                };
                times.iter().map(fall).collect::<Vec<f64>>()
            };
            let (event, gone, wrong) = (curve(), curve(), curve());
            let target = match draw % 2 {
                0 => SurvivalTarget::RestrictedMean(4.5),
                _ => SurvivalTarget::Probability(4.0),
            };
            let mass = |curve: &[f64], k: usize| {
                let after = |k: usize| if k == 0 { 1.0 } else { curve[k - 1] };
                if k < 6 { after(k) - curve[k] } else { curve[5] }
            };
            let time = |k: usize| times.get(k).copied().unwrap_or(9.0);
            let (mut truth, mut means) = (0.0, [0.0; 3]);
            for a in 0..=6 {
                let own = match target {
                    SurvivalTarget::RestrictedMean(h) => time(a).min(h),
                    SurvivalTarget::Probability(h) => f64::from(u8::from(time(a) > h)),
                };
                truth += mass(&event, a) * own;
                for c in 0..=6 {
                    let share = mass(&event, a) * mass(&gone, c);
                    let end = (time(a).min(time(c)), a <= c);
                    for (mean, (e, g)) in
                        means
                            .iter_mut()
                            .zip([(&event, &wrong), (&wrong, &gone), (&wrong, &wrong)])
                    {
                        *mean += share * freed(target, (&times, e), (&times, g), end);
                    }
                }
            }
            assert!((means[0] - truth).abs() < 1e-12, "{means:?} {truth}");
            assert!((means[1] - truth).abs() < 1e-12, "{means:?} {truth}");
            assert!((means[2] - truth).abs() > 1e-6, "{means:?} {truth}");
        }
    }

    #[test]
    fn without_censoring_outcomes_are_what_they_are() {
        let mean = SurvivalTarget::RestrictedMean(4.0);
        let probability = SurvivalTarget::Probability(4.0);
        let curve = ([1.0, 3.0].as_slice(), [0.5, 0.2].as_slice());
        let of = |target, end| freed(target, curve, (&[], &[]), end);
        assert_eq!(of(mean, (2.5, true)), 2.5);
        assert_eq!(of(mean, (7.0, false)), 4.0);
        assert_eq!(of(probability, (4.0, true)), 0.0);
        assert_eq!(of(probability, (4.0, false)), 1.0);
        // Censored at 2 with nobody else: what those who are left may expect, 3 with 3/5 and 4 with 2/5.
        assert!((of(mean, (2.0, false)) - 3.4).abs() < 1e-12);
    }
}
