//! Sample-ratio mismatch: whether the arms have the sizes that the assignment should have given them.

use super::exact;
use super::sequential::{SequentialSampleRatio, proportions};
use crate::data::{Frame, MISSING};
use crate::error::{Error, Result, Warning};
use crate::experiment::arms::{note, unknown_arm};
use crate::inference::{Adjustment, Distribution, TestResult, adjust_p_values};
use crate::report::shown;
use crate::report::{Cell, Table, p_text};
use serde::{Deserialize, Serialize};

/// A p-value below which the ratio counts as broken: experimenters test every experiment, so that a level of 0.05 would stop one sound
/// experiment in twenty (Fabijan et al. 2019 use less than 0.001).
pub(in crate::experiment) const ALARM: f64 = 0.001;

/// Expected counts below this make χ² unreliable (Cochran's rule).
const SMALL: f64 = 5.0;

/// The test that units came to the arms in the declared shares. A mismatch means that units were lost or counted twice in a way that depends on
/// the arm; effects are then not to be believed, however small it looks.
///
/// With counts `nᵢ` of arms with shares `pᵢ` the statistic is `Σ (nᵢ − n pᵢ)²/(n pᵢ)`, χ² with one degree of freedom fewer than arms; the exact
/// p-value sums all tables no more probable than the observed one. Assignment must have been by independent draws: under complete
/// randomisation with fixed sizes there is nothing to test.
///
/// | name | default | meaning |
/// |---|---|---|
/// | `expected` | equal shares | arms with their shares, which need not sum to one |
/// | `unit` | each row | a column of units; further rows of a unit in the same arm count once |
/// | `segments` | none | columns within whose groups the test is repeated |
/// | `adjustment` | Holm | of the p-values of segments |
/// | `order` | none | a column (day, batch) in whose order the always-valid test looks |
/// | `alpha` | 0.001 | level below which the ratio is called broken |
///
/// # Errors
/// [`Error::InvalidOption`] for shares that are not positive or arms that have none; [`Error::NoRows`] without units.
///
/// # References
/// Fabijan, A., Gupchup, J., Gupta, S., Omhover, J., Qin, W., Vermeer, L. & Dmitriev, P. (2019). Diagnosing sample ratio mismatch in online
/// controlled experiments. *KDD*, 2156–2164. doi:10.1145/3292500.3330722
///
/// # Examples
/// ```
/// use cocreate::prelude::*;
/// let fit = SampleRatio::new("arm").fit_counts([("control", 10_000), ("tool", 10_300)])?;
/// assert!((fit.test.p_value - 0.035_240_2).abs() < 1e-6 && !fit.is_mismatch());
/// let fit = SampleRatio::new("arm").fit_counts([("control", 821_588), ("tool", 815_482)])?;
/// assert!(fit.is_mismatch());
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SampleRatio {
    arm: String,
    expected: Vec<(String, f64)>,
    unit: Option<String>,
    segments: Vec<String>,
    adjustment: Adjustment,
    order: Option<String>,
    alpha: f64,
}

/// One arm, counted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ArmShare {
    /// The arm.
    pub arm: String,
    /// Units in it.
    pub observed: u64,
    /// Units expected.
    pub expected: f64,
    /// `(nᵢ − n pᵢ)/√(n pᵢ (1 − pᵢ))`.
    pub residual: f64,
}

/// The test within one segment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SegmentRatio {
    /// The column.
    pub column: String,
    /// Its value.
    pub segment: String,
    /// Units, in the order of the arms.
    pub counts: Vec<u64>,
    /// The χ² test.
    pub test: TestResult,
    /// Its p-value adjusted for the number of segments.
    pub adjusted_p_value: f64,
}

/// What [`SampleRatio`] found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SampleRatioFit {
    /// The arms.
    pub arms: Vec<ArmShare>,
    /// The χ² test.
    pub test: TestResult,
    /// The exact p-value; none where the sum has too many terms, and χ² is as good.
    pub exact_p_value: Option<f64>,
    /// The test within segments, in the order of columns and values.
    pub segments: Vec<SegmentRatio>,
    /// The test that is valid at every look, with an `order`.
    pub sequential: Option<SequentialSampleRatio>,
    /// The level below which the ratio is called broken.
    pub alpha: f64,
    warnings: Vec<Warning>,
}

impl SampleRatio {
    /// The test of the arms in a column, in equal shares.
    pub fn new(arm: impl Into<String>) -> Self {
        Self {
            arm: arm.into(),
            expected: vec![],
            unit: None,
            segments: vec![],
            adjustment: Adjustment::Holm,
            order: None,
            alpha: ALARM,
        }
    }

    /// The arms and their shares.
    pub fn expected<S: Into<String>>(mut self, shares: impl IntoIterator<Item = (S, f64)>) -> Self {
        self.expected = shares.into_iter().map(|(a, s)| (a.into(), s)).collect();
        self
    }

    /// The column of units, when a unit has several rows.
    pub fn unit(mut self, column: impl Into<String>) -> Self {
        self.unit = Some(column.into());
        self
    }

    /// Columns within whose groups the test is repeated.
    pub fn segments<S: Into<String>>(mut self, columns: impl IntoIterator<Item = S>) -> Self {
        self.segments = columns.into_iter().map(Into::into).collect();
        self
    }

    /// How the p-values of segments are adjusted.
    pub fn adjustment(mut self, adjustment: Adjustment) -> Self {
        self.adjustment = adjustment;
        self
    }

    /// The column in whose order units came.
    pub fn order(mut self, column: impl Into<String>) -> Self {
        self.order = Some(column.into());
        self
    }

    /// The level below which the ratio is called broken.
    pub fn alpha(mut self, alpha: f64) -> Self {
        self.alpha = alpha;
        self
    }

    /// Tests counts.
    ///
    /// # Errors
    /// See [`SampleRatio`]; [`Error::InvalidOption`] with segments or an order, which counts do not have.
    pub fn fit_counts<S: Into<String>>(
        &self,
        counts: impl IntoIterator<Item = (S, u64)>,
    ) -> Result<SampleRatioFit> {
        if !self.segments.is_empty() || self.order.is_some() || self.unit.is_some() {
            return Err(Error::invalid_option(
                "segments, order or unit",
                "set",
                "left out when there are only counts; use `fit` with a frame",
            ));
        }
        let (arms, counts): (Vec<String>, Vec<u64>) =
            counts.into_iter().map(|(a, c)| (a.into(), c)).unzip();
        let (arms, shares, place) = self.declared(&arms)?;
        let mut ordered = vec![0; arms.len()];
        for (place, count) in place.iter().zip(&counts) {
            ordered[*place] += count;
        }
        self.tested(&arms, &shares, &ordered)
    }

    /// Tests the rows of a frame.
    ///
    /// # Errors
    /// See [`SampleRatio`]; [`Error::ColumnNotFound`].
    pub fn fit(&self, frame: &Frame) -> Result<SampleRatioFit> {
        let groups = frame.groups(&self.arm)?;
        let (arms, shares, place) = self.declared(&groups.levels)?;
        let counted = self.counted(frame, &groups.codes)?;
        let arm_of = |row: usize| counted[row].then(|| place[groups.codes[row] as usize]);
        let mut counts = vec![0; arms.len()];
        (0..frame.rows())
            .filter_map(arm_of)
            .for_each(|arm| counts[arm] += 1);
        let mut fit = self.tested(&arms, &shares, &counts)?;
        if groups.missing > 0 {
            fit.warnings.push(note(format!(
                "{} rows have no arm; if that depends on the arm, effects are biased whatever the counts say",
                groups.missing
            )));
        }
        for column in &self.segments {
            let segments = frame.groups(column)?;
            let mut counts = vec![vec![0; arms.len()]; segments.count()];
            for (row, segment) in segments.codes.iter().enumerate() {
                if let (Some(arm), false) = (arm_of(row), *segment == MISSING) {
                    counts[*segment as usize][arm] += 1;
                }
            }
            for (segment, counts) in segments.levels.iter().zip(counts) {
                if counts.iter().sum::<u64>() > 0 {
                    fit.segments.push(SegmentRatio {
                        column: column.clone(),
                        segment: segment.clone(),
                        test: chi_squared(&counts, &shares),
                        counts,
                        adjusted_p_value: 1.0,
                    });
                }
            }
        }
        let raw: Vec<f64> = fit.segments.iter().map(|s| s.test.p_value).collect();
        let adjusted = adjust_p_values(&raw, self.adjustment)?;
        for (segment, p) in fit.segments.iter_mut().zip(adjusted) {
            segment.adjusted_p_value = p;
        }
        if let Some(column) = &self.order {
            let looks = frame.groups(column)?;
            let mut batches = vec![vec![0; arms.len()]; looks.count()];
            for (row, look) in looks.codes.iter().enumerate() {
                if let (Some(arm), false) = (arm_of(row), *look == MISSING) {
                    batches[*look as usize][arm] += 1;
                }
            }
            let named = arms.iter().cloned().zip(shares.iter().copied());
            let mut monitor = SequentialSampleRatio::new(named)?;
            for (label, batch) in looks.levels.iter().zip(&batches) {
                monitor.observe(label.clone(), batch)?;
            }
            fit.sequential = Some(monitor);
        }
        Ok(fit)
    }

    /// Arms, their shares, and the place of each present level among them.
    fn declared(&self, present: &[String]) -> Result<(Vec<String>, Vec<f64>, Vec<usize>)> {
        if self.expected.is_empty() {
            let shares = proportions(&vec![1.0; present.len()])?;
            return Ok((present.to_vec(), shares, (0..present.len()).collect()));
        }
        let (arms, shares): (Vec<String>, Vec<f64>) = self.expected.iter().cloned().unzip();
        let shares = proportions(&shares)?;
        let place = present
            .iter()
            .map(|level| {
                let found = arms.iter().position(|arm| arm == level);
                found.ok_or_else(|| unknown_arm("expected shares", level, &arms))
            })
            .collect::<Result<Vec<usize>>>()?;
        Ok((arms, shares, place))
    }

    /// The rows that count: those with an arm, and of each unit in an arm the first.
    fn counted(&self, frame: &Frame, arms: &[u32]) -> Result<Vec<bool>> {
        let mut counted: Vec<bool> = arms.iter().map(|code| *code != MISSING).collect();
        if let Some(column) = &self.unit {
            let units = frame.groups(column)?;
            let mut pairs: Vec<(u32, u32, usize)> = (0..arms.len())
                .filter(|row| counted[*row] && units.codes[*row] != MISSING)
                .map(|row| (units.codes[row], arms[row], row))
                .collect();
            pairs.sort_unstable();
            counted = vec![false; arms.len()];
            let mut last = None;
            for (unit, arm, row) in pairs {
                if last != Some((unit, arm)) {
                    counted[row] = true;
                    last = Some((unit, arm));
                }
            }
        }
        Ok(counted)
    }

    fn tested(&self, arms: &[String], shares: &[f64], counts: &[u64]) -> Result<SampleRatioFit> {
        /// So close to the declared shares that chance would rarely do it.
        const TOO_GOOD: f64 = 1.0 - 1e-4;
        if !(self.alpha > 0.0 && self.alpha < 1.0) {
            return Err(Error::invalid_option(
                "alpha",
                self.alpha,
                "between 0 and 1",
            ));
        }
        let n = counts.iter().sum::<u64>() as f64;
        if n <= 0.0 {
            return Err(Error::NoRows {
                reason: format!("no unit has an arm in `{}`", self.arm),
            });
        }
        let test = chi_squared(counts, shares);
        let exact_p_value = exact::multinomial(counts, shares);
        let mut warnings = Vec::new();
        let smallest = shares.iter().fold(f64::INFINITY, |m, s| m.min(s * n));
        if smallest < SMALL {
            warnings.push(note(format!(
                "an arm expects only {smallest:.1} units: read the exact p-value instead of χ²"
            )));
        }
        if test.p_value > TOO_GOOD && n > 1000.0 {
            warnings.push(note(
                "the counts are closer to the declared shares than independent assignment would make them: if sizes were fixed by design this test says nothing, otherwise see how units were filtered",
            ));
        }
        let arms = (arms.iter().zip(shares).zip(counts))
            .map(|((arm, share), count)| ArmShare {
                arm: arm.clone(),
                observed: *count,
                expected: n * share,
                residual: (*count as f64 - n * share) / (n * share * (1.0 - share)).sqrt(),
            })
            .collect();
        Ok(SampleRatioFit {
            arms,
            test,
            exact_p_value,
            segments: vec![],
            sequential: None,
            alpha: self.alpha,
            warnings,
        })
    }
}

/// `Σ (n − e)²/e` of counts whose shares, which sum to one, were declared.
pub(in crate::experiment) fn chi_squared(counts: &[u64], shares: &[f64]) -> TestResult {
    let n = counts.iter().sum::<u64>() as f64;
    let statistic = (counts.iter().zip(shares))
        .map(|(count, share)| (*count as f64 - n * share).powi(2) / (n * share))
        .sum();
    let df = counts.len() as f64 - 1.0;
    TestResult::new("Sample ratio", statistic, Distribution::ChiSquared { df })
}

impl SampleRatioFit {
    /// Whether the ratio is broken at the level of the test: overall (by the exact p-value when χ² is not reliable) or, after adjustment, in
    /// some segment, or at some look.
    pub fn is_mismatch(&self) -> bool {
        self.p_value() < self.alpha
            || self
                .segments
                .iter()
                .any(|s| s.adjusted_p_value < self.alpha)
            || (self.sequential.as_ref()).is_some_and(|s| s.p_value() < self.alpha)
    }

    /// The p-value over all units: exact where χ² is not reliable.
    pub fn p_value(&self) -> f64 {
        let small = self.arms.iter().any(|a| a.expected < SMALL);
        match self.exact_p_value {
            Some(p) if small => p,
            _ => self.test.p_value,
        }
    }

    /// What a reader of the numbers must know.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// Counts, expectations and tests.
    pub fn table(&self) -> Table {
        let mut table = Table::new("Sample ratio")
            .columns(["Arm", "Units", "Expected", "Residual", "χ²", "p", "adj. p"]);
        for arm in &self.arms {
            table = table.row([
                Cell::from(arm.arm.as_str()),
                Cell::count(arm.observed as usize),
                Cell::fixed(arm.expected, 1),
                Cell::fixed(arm.residual, 2),
            ]);
        }
        if !self.segments.is_empty() {
            table = table.section("Segments");
        }
        for s in &self.segments {
            let counts: Vec<String> = s.counts.iter().map(u64::to_string).collect();
            table = table.row([
                Cell::from(format!(
                    "{} = {}: {}",
                    s.column,
                    s.segment,
                    counts.join(" / ")
                )),
                Cell::count(s.counts.iter().sum::<u64>() as usize),
                Cell::empty(),
                Cell::empty(),
                Cell::fixed(s.test.statistic, 2),
                Cell::p_value(s.test.p_value),
                Cell::p_value(s.adjusted_p_value),
            ]);
        }
        table = table.note(self.test.to_string());
        if let Some(p) = self.exact_p_value {
            table = table.note(format!("Exact multinomial test: {}", p_text(p)));
        }
        if let Some(sequential) = &self.sequential {
            table = table.note(format!(
                "Valid at every one of {} looks: {}",
                sequential.looks().len(),
                p_text(sequential.p_value())
            ));
        }
        table = table.note(if self.is_mismatch() {
            "Sample-ratio mismatch: do not read effects before its cause is found"
        } else {
            "No mismatch found"
        });
        for warning in &self.warnings {
            table = table.note(format!("Warning: {warning}"));
        }
        table
    }
}

shown!(SampleRatioFit);

#[cfg(test)]
mod tests;
