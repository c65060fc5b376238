//! The randomisation test: options, re-assignment, p-values and the interval by inversion.

use super::assignment::{Assignment, Assignments, Units};
use super::linear;
use super::report::{OutcomeTest, RandomizationFit};
use super::statistic::{Contrast, difference};
use crate::data::Frame;
use crate::error::{Error, Result};
use crate::inference::Interval;
use crate::inference::multiplicity::{Alternative, westfall_young};
use crate::inference::records::check_level;
use crate::numeric::{Seed, blocks};
use nalgebra::DMatrix;

/// A statistic this close below the observed one, relative to it, equals it but for rounding.
const TIE: f64 = 1e-10;

/// Steps outwards, doubling, after which an end of the interval is infinite.
const MOST_DOUBLINGS: usize = 24;

/// Halvings of the bracket of an end of the interval.
const HALVINGS: usize = 40;

/// Fisher's randomisation test of the sharp null hypothesis that treatment changes no outcome, with the assignments that could have
/// been drawn from the mechanism that was used. It is exact in samples of any size and distribution.
///
/// | name | default | meaning | range |
/// |---|---|---|---|
/// | `assignment` | complete | the mechanism | see [`Assignment`] |
/// | `contrast` | studentised difference | the statistic | see [`Contrast`] |
/// | `draws` | 9999 | random assignments; all there are when they are no more | ≥ 19 |
/// | `seed` | none | required unless all assignments are listed | any |
/// | `interval` | off | also the constant effects that are not rejected | level in (0, 1) |
///
/// With several outcomes p-values are also adjusted by Westfall & Young's stepdown over the same assignments. Treatment is a flag or a
/// column of 0 and 1; neither it nor an outcome may be missing, because a row cannot leave an experiment after the assignment.
///
/// ```
/// use cocreate::prelude::*;
/// // Fisher's tea: four of eight cups, all guessed right.
/// let frame = Frame::new()
///     .with("milk_first", vec![1.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0])?
///     .with("guess", vec![1.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0])?;
/// let test = RandomizationTest::new("guess", "milk_first").contrast(Contrast::DifferenceInMeans).run(&frame)?;
/// assert!(test.exact && (test.outcomes[0].p_value - 2.0 / 70.0).abs() < 1e-12); // both tails
/// # Ok::<(), cocreate::Error>(())
/// ```
///
/// # Errors
/// [`Error::SeedRequired`]; [`Error::InvalidOption`]; [`Error::OutOfRange`] for a treatment that is not 0 or 1; [`Error::NoRows`] for a
/// missing value or an empty arm; [`Error::Infinite`]; [`Error::TooFewClusters`]; [`Error::NotFinite`] when the statistic is not defined for
/// the observed assignment.
///
/// # References
/// Fisher (1935), *The Design of Experiments*; Imbens & Rubin (2015), chapter 5, doi:10.1017/CBO9781139025751; Wu & Ding (2021), *JASA*
/// 116(536), doi:10.1080/01621459.2020.1750415; Young (2019), *QJE* 134(2), doi:10.1093/qje/qjy029.
#[derive(Clone, Debug)]
pub struct RandomizationTest {
    outcomes: Vec<String>,
    treatment: String,
    assignment: Assignment,
    contrast: Contrast,
    draws: usize,
    seed: Option<Seed>,
    interval: Option<f64>,
}

impl RandomizationTest {
    /// A test of one outcome.
    pub fn new(outcome: impl Into<String>, treatment: impl Into<String>) -> Self {
        Self {
            outcomes: vec![outcome.into()],
            treatment: treatment.into(),
            assignment: Assignment::Complete,
            contrast: Contrast::Studentized,
            draws: 9999,
            seed: None,
            interval: None,
        }
    }

    /// Adds outcomes that are tested on the same assignments.
    pub fn outcomes<S: Into<String>>(mut self, outcomes: impl IntoIterator<Item = S>) -> Self {
        self.outcomes.extend(outcomes.into_iter().map(Into::into));
        self
    }

    /// Sets the mechanism of assignment.
    pub fn assignment(mut self, assignment: Assignment) -> Self {
        self.assignment = assignment;
        self
    }

    /// Sets the statistic.
    pub fn contrast(mut self, contrast: Contrast) -> Self {
        self.contrast = contrast;
        self
    }

    /// Sets the number of random assignments.
    pub fn draws(mut self, draws: usize) -> Self {
        self.draws = draws;
        self
    }

    /// Sets the seed.
    pub fn seed(mut self, seed: impl Into<Seed>) -> Self {
        self.seed = Some(seed.into());
        self
    }

    /// Also inverts the test: the constant effects τ for which outcomes less τ on the treated show no effect.
    pub fn interval(mut self, level: f64) -> Self {
        self.interval = Some(level);
        self
    }

    /// Runs the test.
    ///
    /// # Errors
    /// See [`RandomizationTest`].
    pub fn run(&self, frame: &Frame) -> Result<RandomizationFit> {
        const FEWEST: usize = 19;
        if self.draws < FEWEST {
            return Err(Error::invalid_option(
                "draws",
                self.draws,
                format!("at least {FEWEST}"),
            ));
        }
        self.interval.map_or(Ok(()), check_level)?;
        let treated = treatment(frame, &self.treatment)?;
        let units = Units::new(&self.assignment, frame, &treated)?;
        if units.treated.iter().all(|t| *t) || !units.treated.iter().any(|t| *t) {
            return Err(Error::NoRows {
                reason: format!("`{}` has one arm only", self.treatment),
            });
        }
        let required = || {
            self.seed.ok_or_else(|| Error::SeedRequired {
                what: "the randomisation test".to_owned(),
            })
        };
        let assignments = Assignments::new(&self.assignment, &units, self.draws, required)?;
        let problems = self
            .outcomes
            .iter()
            .map(|name| {
                let rows = outcome(frame, name)?;
                Ok(Problem {
                    by_unit: units.outcomes(&rows),
                    by_row: rows,
                    units: &units,
                    assignments: &assignments,
                    contrast: &self.contrast,
                })
            })
            .collect::<Result<Vec<_>>>()?;
        let mut outcomes = Vec::with_capacity(problems.len());
        let mut columns = Vec::new();
        for (name, problem) in self.outcomes.iter().zip(&problems) {
            let observed = problem.observed(0.0);
            if observed.is_nan() {
                return Err(Error::NotFinite {
                    what: format!("the statistic of `{name}` for the observed assignment"),
                });
            }
            let drawn = problem.drawn(0.0)?;
            let estimate = difference(&problem.by_unit, &units.treated, &units.blocks);
            outcomes.push(OutcomeTest {
                name: name.clone(),
                effect: estimate.effect,
                statistic: observed,
                p_value: assignments.p_value(observed, &drawn),
                adjusted: f64::NAN,
                interval: match self.interval {
                    Some(level) => Some(problem.interval(name, level)?),
                    None => None,
                },
            });
            columns.extend(
                drawn
                    .into_iter()
                    .map(|t| if t.is_nan() { f64::MAX } else { t }),
            );
        }
        let count = outcomes.len();
        if count == 1 {
            outcomes[0].adjusted = outcomes[0].p_value;
        } else {
            let equal = (1..assignments.count())
                .all(|i| (assignments.weight(i) - assignments.weight(0)).abs() <= 0.0);
            if !equal {
                return Err(Error::invalid_option(
                    "outcomes",
                    count,
                    "one, when all assignments of unequal probability are listed; ask for fewer draws, so that they are drawn",
                ));
            }
            let observed: Vec<f64> = outcomes.iter().map(|o| o.statistic).collect();
            let draws = DMatrix::from_vec(assignments.count(), count, columns);
            let adjusted = westfall_young(&observed, &draws, Alternative::TwoSided)?;
            for (outcome, adjusted) in outcomes.iter_mut().zip(adjusted) {
                outcome.adjusted = adjusted.max(outcome.p_value);
            }
        }
        Ok(RandomizationFit {
            outcomes,
            mechanism: self.assignment.to_string(),
            contrast: self.contrast.to_string(),
            assignments: assignments.count(),
            exact: assignments.exact(),
            units: units.treated.len(),
        })
    }
}

impl Assignments<'_> {
    /// How likely a statistic at least as large is. Random assignments count the observed one too, which is among all of them.
    fn p_value(&self, observed: f64, drawn: &[f64]) -> f64 {
        let threshold = observed.abs() * (1.0 - TIE);
        let (mut beyond, mut total) = (0.0, 0.0);
        for (i, t) in drawn.iter().enumerate() {
            let weight = self.weight(i);
            // An assignment for which the statistic is not defined counts against rejection.
            if t.is_nan() || t.abs() >= threshold {
                beyond += weight;
            }
            total += weight;
        }
        if self.exact() {
            beyond / total
        } else {
            (1.0 + beyond) / (1.0 + total)
        }
    }
}

/// One outcome under all assignments.
struct Problem<'a> {
    by_unit: Vec<f64>,
    by_row: Vec<f64>,
    units: &'a Units,
    assignments: &'a Assignments<'a>,
    contrast: &'a Contrast,
}

impl Problem<'_> {
    /// The statistic of the observed assignment when a constant effect was taken off the treated.
    fn observed(&self, effect: f64) -> f64 {
        self.statistic(&self.outcomes_less(effect), &self.units.treated)
    }

    /// The same of every other assignment.
    fn drawn(&self, effect: f64) -> Result<Vec<f64>> {
        const PIECE: usize = 64;
        let y = self.outcomes_less(effect);
        if let Some(seed) = self.assignments.uniform()
            && let Some(all) = linear::statistics(
                self.contrast,
                &y,
                self.units,
                self.assignments.count(),
                seed,
            )
        {
            return Ok(all);
        }
        let pieces: Vec<_> = blocks::ranges(self.assignments.count(), PIECE).collect();
        let parts = blocks::map(pieces.len(), |i| {
            let some = pieces[i].clone();
            some.map(|i| Ok(self.statistic(&y, &self.assignments.get(i)?)))
                .collect::<Result<Vec<f64>>>()
        });
        Ok(parts.into_iter().collect::<Result<Vec<_>>>()?.concat())
    }

    /// The unit of a row.
    fn unit(&self, row: usize) -> usize {
        self.units
            .of_row
            .as_ref()
            .map_or(row, |of_row| of_row[row] as usize)
    }

    /// Outcomes of the units (of the rows for a given statistic) less an effect on the treated.
    fn outcomes_less(&self, effect: f64) -> Vec<f64> {
        let less = |y: &f64, treated: bool| if treated { y - effect } else { *y };
        if matches!(self.contrast, Contrast::Custom(_)) {
            let rows = self.by_row.iter().enumerate();
            return rows
                .map(|(row, y)| less(y, self.units.treated[self.unit(row)]))
                .collect();
        }
        let units = self.by_unit.iter().zip(&self.units.treated);
        units.map(|(y, treated)| less(y, *treated)).collect()
    }

    fn statistic(&self, y: &[f64], assigned: &[bool]) -> f64 {
        if matches!(self.contrast, Contrast::Custom(_)) && self.units.of_row.is_some() {
            let rows: Vec<bool> = (0..y.len()).map(|row| assigned[self.unit(row)]).collect();
            return self.contrast.of(y, &rows, &[]);
        }
        self.contrast.of(y, assigned, &self.units.blocks)
    }

    /// The constant effects around the estimate that are not rejected.
    fn interval(&self, name: &str, level: f64) -> Result<Interval> {
        let estimate = difference(&self.by_unit, &self.units.treated, &self.units.blocks);
        let alpha = 1.0 - level;
        let kept = |effect: f64| -> Result<bool> {
            let p = self
                .assignments
                .p_value(self.observed(effect), &self.drawn(effect)?);
            Ok(p > alpha)
        };
        let spread = estimate.variance.sqrt();
        let scale = if spread > 0.0 {
            spread
        } else {
            estimate.effect.abs().max(f64::MIN_POSITIVE)
        };
        let end = |side: f64| -> Result<f64> {
            let (mut inside, mut step) = (estimate.effect, scale);
            for _ in 0..MOST_DOUBLINGS {
                let mut outside = estimate.effect + side * step;
                if kept(outside)? {
                    inside = outside;
                    step *= 2.0;
                    continue;
                }
                for _ in 0..HALVINGS {
                    let middle = 0.5 * (inside + outside);
                    if kept(middle)? {
                        inside = middle;
                    } else {
                        outside = middle;
                    }
                }
                return Ok(0.5 * (inside + outside));
            }
            Ok(side * f64::INFINITY)
        };
        Ok(Interval {
            name: name.to_owned(),
            level,
            lower: end(-1.0)?,
            upper: end(1.0)?,
        })
    }
}

/// The treatment of every row.
fn treatment(frame: &Frame, column: &str) -> Result<Vec<bool>> {
    let values = frame.numeric(column)?;
    values
        .values()
        .iter()
        .enumerate()
        .map(|(row, z)| {
            let (one, zero) = ((z - 1.0).abs() <= 0.0, z.abs() <= 0.0);
            if one || zero {
                return Ok(one);
            }
            Err(Error::OutOfRange {
                column: column.to_owned(),
                row: row + 1,
                value: *z,
                expected: "0 (control) or 1 (treated) in every row".to_owned(),
            })
        })
        .collect()
}

/// The outcome of every row.
fn outcome(frame: &Frame, column: &str) -> Result<Vec<f64>> {
    let values = frame.numeric(column)?;
    if let Some(row) = values.values().iter().position(|y| y.is_infinite()) {
        return Err(Error::Infinite {
            column: column.to_owned(),
            row: row + 1,
        });
    }
    if values.missing() > 0 {
        return Err(Error::NoRows {
            reason: format!(
                "`{column}` is missing in {} rows, and a row cannot leave an experiment after the assignment; impute it, or test in the rows whose membership treatment cannot change",
                values.missing()
            ),
        });
    }
    Ok(values.values().to_vec())
}
