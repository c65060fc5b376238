//! Whether predicted effects are as large as effects are.

use crate::causal::ArmScores;
use crate::causal::units::{Units, check_column, contrast_arms};
use crate::error::{Error, Result};
use crate::inference::{Distribution, Estimate, TestResult, check_level};
use crate::report::shown;
use crate::report::{Cell, Figure, LinePlot, Table};
use crate::uplift::path::Order;
use nalgebra::{Matrix2, Vector2};
use serde::{Deserialize, Serialize};

/// Compares predicted effects `τ̂_i` with doubly robust scores `Γ_i` of the effect, in groups of equal weight by prediction (sorted group average
/// effects) and along a line,
///
/// `Γ_i = α + β (τ̂_i − τ̄) + ε_i` with `τ̄` the mean prediction:
///
/// - `α − τ̄`, the level, is zero when predictions are right on average;
/// - `β`, the slope, is one when differences between predictions are as large as those between effects, and zero when predictions say
///   nothing of them; below one they are too extreme;
/// - the calibration test is of `α = τ̄` and `β = 1` together: χ²(2), or F(2, G − 1) with G clusters.
///
/// Rows of one prediction stay in one group. Errors are robust to heteroskedasticity, and to clusters when the scores have them. Predictions must
/// not be made from the outcomes of the same rows.
///
/// | name | default | meaning | range |
/// |---|---|---|---|
/// | `arm`, `control` | the second and the first | whose effect, against which arm | arms of the scores |
/// | `groups` | 5 | groups by prediction | 2 to 100 |
/// | `level` | 0.95 | of intervals | (0, 1) |
///
/// # Errors
/// [`Error::LengthMismatch`] and [`Error::OutOfRange`] for predictions that are not one finite number a row; [`Error::Unidentified`] when they
/// are all equal, and for fewer than three rows or clusters; [`Error::InvalidOption`].
///
/// # References
/// Chernozhukov, V., Demirer, M., Duflo, E. & Fernández-Val, I. (2025). Fisher–Schultz lecture: Generic machine learning inference on
/// heterogeneous treatment effects in randomized experiments, with an application to immunization in India. *Econometrica* 93, 1121–1164.
/// doi:10.3982/ECTA19303.
///
/// # Examples
/// ```
/// use cocreate::prelude::*;
/// let effect: Vec<f64> = (0..50).map(f64::from).collect();
/// let scores = ArmScores::new(["none", "coupon"], vec![vec![0.0; 50], effect.clone()])?;
/// let twice: Vec<f64> = effect.iter().map(|e| 2.0 * e).collect();
/// let fit = EffectCalibration::new().groups(2).fit(&scores, &twice)?;
/// assert!((fit.slope().estimate - 0.5).abs() < 1e-12);
/// assert!((fit.groups()[1].effect.estimate - 37.0).abs() < 1e-12);
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct EffectCalibration {
    arm: Option<String>,
    control: Option<String>,
    groups: usize,
    level: f64,
}

/// Effects of a group of rows of neighbouring predictions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CalibrationGroup {
    /// Rows.
    pub rows: usize,
    /// Their share of weight.
    pub share: f64,
    /// Mean prediction.
    pub predicted: f64,
    /// Mean of the scores.
    pub effect: Estimate,
}

/// What [`EffectCalibration`] found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EffectCalibrationFit {
    groups: Vec<CalibrationGroup>,
    spread: Estimate,
    level_gap: Estimate,
    slope: Estimate,
    test: TestResult,
    level: f64,
}

impl Default for EffectCalibration {
    fn default() -> Self {
        Self::new()
    }
}

impl EffectCalibration {
    /// Five groups.
    pub fn new() -> Self {
        Self {
            arm: None,
            control: None,
            groups: 5,
            level: 0.95,
        }
    }

    /// The arm whose effect is predicted.
    pub fn arm(mut self, arm: impl Into<String>) -> Self {
        self.arm = Some(arm.into());
        self
    }

    /// The arm it is compared with.
    pub fn control(mut self, arm: impl Into<String>) -> Self {
        self.control = Some(arm.into());
        self
    }

    /// How many groups.
    pub fn groups(mut self, groups: usize) -> Self {
        self.groups = groups;
        self
    }

    /// The level of intervals.
    pub fn level(mut self, level: f64) -> Self {
        self.level = level;
        self
    }

    /// Compares predictions with scores.
    ///
    /// # Errors
    /// See [`EffectCalibration`].
    pub fn fit(&self, scores: &ArmScores, predicted: &[f64]) -> Result<EffectCalibrationFit> {
        const MOST: usize = 100;
        check_level(self.level)?;
        if !(2..=MOST).contains(&self.groups) {
            let expected = format!("between 2 and {MOST}");
            return Err(Error::invalid_option("groups", self.groups, expected));
        }
        check_column("predicted", predicted, scores.len())?;
        let (arm, control) = contrast_arms(scores, self.arm.as_deref(), self.control.as_deref())?;
        let effects = scores.contrast(&arm, &control)?;
        let units = Units::of(scores);
        let mean = units.mean(predicted);
        let gaps: Vec<f64> = predicted.iter().map(|p| p - mean).collect();
        let spread = units.mean(&gaps.iter().map(|g| g * g).collect::<Vec<_>>());
        let members = groups_of(predicted, &units, self.groups);
        let count = members.iter().max().map_or(1, |last| last + 1);
        if count < 2 || spread <= 0.0 {
            return Err(Error::Unidentified {
                what: "the calibration of effects".to_owned(),
                needs: "predictions that differ between rows".to_owned(),
            });
        }
        let mut groups = Vec::with_capacity(count);
        let mut influences = Vec::with_capacity(count);
        for group in 0..count {
            let here = |row: usize| f64::from(u8::from(members[row] == group));
            let over = |values: &[f64]| -> f64 {
                let each = values.iter().zip(&units.weights).enumerate();
                each.map(|(row, (v, w))| here(row) * v * w).sum()
            };
            let share = over(&vec![1.0; effects.len()]);
            let effect = over(&effects) / share;
            let influence: Vec<f64> = (effects.iter().enumerate())
                .map(|(row, e)| here(row) * (e - effect) / share)
                .collect();
            groups.push(CalibrationGroup {
                rows: members.iter().filter(|m| **m == group).count(),
                share,
                predicted: over(predicted) / share,
                effect: units.estimate(&format!("group {}", group + 1), effect, &influence),
            });
            influences.push(influence);
        }
        let ends: Vec<f64> = influences[count - 1]
            .iter()
            .zip(&influences[0])
            .map(|(a, b)| a - b)
            .collect();
        let ends = units.estimate(
            "highest less lowest group",
            groups[count - 1].effect.estimate - groups[0].effect.estimate,
            &ends,
        );
        let average = units.mean(&effects);
        let products: Vec<f64> = gaps.iter().zip(&effects).map(|(g, e)| g * e).collect();
        let slope = units.mean(&products) / spread;
        let rest = |row: usize| effects[row] - average - slope * gaps[row];
        let of_level: Vec<f64> = (0..effects.len()).map(rest).collect();
        let of_slope: Vec<f64> = (0..effects.len())
            .map(|row| gaps[row] * rest(row) / spread)
            .collect();
        let size = spread.sqrt() + mean.abs() + average.abs();
        let test = joint_test(
            &units,
            [average - mean, slope - 1.0],
            [size, 1.0],
            [&of_level, &of_slope],
        )?;
        // The mean prediction varies with the rows, and the mean effect with it.
        let gap: Vec<f64> = effects.iter().zip(predicted).map(|(e, p)| e - p).collect();
        Ok(EffectCalibrationFit {
            groups,
            spread: ends,
            level_gap: units.estimate("level", average - mean, &gap),
            slope: units.estimate("slope", slope, &of_slope),
            test,
            level: self.level,
        })
    }
}

/// The group of every row: runs of equal predictions are put where their middle falls among groups of equal weight; empty groups are left out.
fn groups_of(predicted: &[f64], units: &Units, groups: usize) -> Vec<usize> {
    let order = Order::descending(predicted);
    let mut members = vec![0; predicted.len()];
    let runs: Vec<_> = order.runs().collect();
    let (mut before, mut last, mut next) = (0.0, None, 0);
    for run in runs.into_iter().rev() {
        let rows = &order.places[run];
        let weight: f64 = rows.iter().map(|row| units.weights[*row as usize]).sum();
        let middle = before + 0.5 * weight;
        before += weight;
        // Rows without weight make no group of their own.
        if weight > 0.0 {
            let group = ((middle * groups as f64) as usize).min(groups - 1);
            if last.is_some_and(|l| l != group) {
                next += 1;
            }
            last = Some(group);
        }
        for row in rows {
            members[*row as usize] = next;
        }
    }
    members
}

/// Wald test that both gaps are zero; `sizes` say of what numbers they are the differences.
fn joint_test(
    units: &Units,
    gaps: [f64; 2],
    sizes: [f64; 2],
    influences: [&[f64]; 2],
) -> Result<TestResult> {
    /// Gaps, errors and correlations this close to zero, zero and one are rounding.
    const ROUNDING: f64 = 1e-12;
    const NAME: &str = "level = 0 and slope = 1";
    let [a, b] = influences.map(|i| units.sums(i));
    let dot = |x: &[f64], y: &[f64]| {
        units.correction() * x.iter().zip(y).map(|(x, y)| x * y).sum::<f64>()
    };
    let clusters = units.clusters.is_some();
    // A line through two units leaves nothing to judge it by.
    if units.weighed < 3 {
        return Err(Error::Unidentified {
            what: "the calibration of effects".to_owned(),
            needs: "three rows or clusters at the least".to_owned(),
        });
    }
    let scaled = [gaps[0] / sizes[0], gaps[1] / sizes[1]];
    let covariance = Matrix2::new(
        dot(&a, &a) / (sizes[0] * sizes[0]),
        dot(&a, &b) / (sizes[0] * sizes[1]),
        dot(&a, &b) / (sizes[0] * sizes[1]),
        dot(&b, &b) / (sizes[1] * sizes[1]),
    );
    let (level, slope) = (covariance[(0, 0)], covariance[(1, 1)]);
    let noise =
        level.max(slope).sqrt() > ROUNDING && covariance.determinant() > ROUNDING * level * slope;
    let inverse = covariance.try_inverse().filter(|_| noise);
    let gaps = Vector2::from(scaled);
    // Scores without noise: either the predictions are the effects, or the hypothesis is certainly false.
    let statistic = inverse.map_or(
        if gaps.amax() > ROUNDING {
            f64::INFINITY
        } else {
            0.0
        },
        |inverse| (gaps.transpose() * inverse * gaps)[0],
    );
    Ok(if clusters {
        let df2 = units.degrees_of_freedom();
        TestResult::new(NAME, statistic / 2.0, Distribution::F { df1: 2.0, df2 })
    } else {
        TestResult::new(NAME, statistic, Distribution::ChiSquared { df: 2.0 })
    })
}

impl EffectCalibrationFit {
    /// The groups from the lowest predictions to the highest.
    pub fn groups(&self) -> &[CalibrationGroup] {
        &self.groups
    }

    /// The effect of the group of highest predictions less that of the lowest.
    pub fn spread(&self) -> &Estimate {
        &self.spread
    }

    /// Mean effect less mean prediction.
    pub fn level_gap(&self) -> &Estimate {
        &self.level_gap
    }

    /// By how much effects differ where predictions differ by one.
    pub fn slope(&self) -> &Estimate {
        &self.slope
    }

    /// The test that effects are on average as predicted along the line.
    pub fn test(&self) -> &TestResult {
        &self.test
    }

    /// Groups, level, slope and test.
    pub fn table(&self) -> Table {
        let mut table = Table::new("Calibration of predicted effects").columns([
            "",
            "Rows",
            "Predicted",
            "Effect",
            "Std. error",
            "from",
            "to",
        ]);
        let cells = |e: &Estimate| {
            let ends = e.confidence_interval(self.level);
            let (low, high) = ends.map_or((f64::NAN, f64::NAN), |i| (i.lower, i.upper));
            [
                Cell::significant(e.estimate, 4),
                Cell::significant(e.std_error, 3).parenthesised(),
                Cell::significant(low, 4),
                Cell::significant(high, 4),
            ]
        };
        for group in &self.groups {
            let mut row = vec![
                Cell::text(group.effect.name.as_str()),
                Cell::count(group.rows),
                Cell::significant(group.predicted, 4),
            ];
            row.extend(cells(&group.effect));
            table = table.row(row);
        }
        for estimate in [&self.spread, &self.level_gap, &self.slope] {
            let mut row = vec![
                Cell::text(estimate.name.as_str()),
                Cell::empty(),
                Cell::empty(),
            ];
            row.extend(cells(estimate));
            table = table.summary(row);
        }
        table.note(format!(
            "{}; intervals at {} %.",
            self.test,
            self.level * 100.0
        ))
    }

    /// Effects of groups against their predictions, with intervals, and the diagonal on which calibrated groups lie.
    ///
    /// # Errors
    /// Those of drawing.
    pub fn plot(&self) -> Result<Figure> {
        let x: Vec<f64> = self.groups.iter().map(|g| g.predicted).collect();
        let y: Vec<f64> = self.groups.iter().map(|g| g.effect.estimate).collect();
        let [mut low, mut high] = [const { Vec::new() }; 2];
        for group in &self.groups {
            let ends = group.effect.confidence_interval(self.level)?;
            low.push(ends.lower);
            high.push(ends.upper);
        }
        LinePlot::new()
            .line("effect", &x, &y)
            .band(&low, &high)
            .line("as predicted", &x, &x)
            .title("Calibration of predicted effects")
            .x_title("predicted effect, mean of the group")
            .y_title("effect")
            .note(format!("Band: {} %, pointwise", self.level * 100.0))
            .draw()
    }
}

shown!(EffectCalibrationFit);
