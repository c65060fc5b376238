//! Which of two priorities ranks effects better, on the same rows.

use super::curve::UpliftCurve;
use super::rate::RateWeights;
use crate::causal::ArmScores;
use crate::causal::units::Units;
use crate::error::Result;
use crate::inference::Estimate;
use crate::report::shown;
use crate::report::{Cell, Table};
use serde::{Deserialize, Serialize};

/// One measure for two priorities and their difference.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RankingDifference {
    /// The measure: an area, or the gain at a share.
    pub measure: String,
    /// For the first priority.
    pub first: Estimate,
    /// For the second.
    pub second: Estimate,
    /// First less second, with the error of the paired difference.
    pub difference: Estimate,
}

/// What [`UpliftCurve::compare`] found: paired comparisons of two priorities. Both are evaluated on the same scores, so their errors are
/// correlated and the difference is far better known than its parts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RankingComparison {
    first: String,
    second: String,
    arm: String,
    control: String,
    level: f64,
    differences: Vec<RankingDifference>,
}

impl RankingDifference {
    /// From two estimates and the contributions of units to either.
    pub(in crate::uplift) fn of(
        units: &Units,
        measure: String,
        names: [&str; 2],
        [(x, of_x), (y, of_y)]: [(f64, Vec<f64>); 2],
    ) -> Self {
        let gap: Vec<f64> = of_x.iter().zip(&of_y).map(|(x, y)| x - y).collect();
        Self {
            first: units.of_contributions(names[0], x, &of_x),
            second: units.of_contributions(names[1], y, &of_y),
            difference: units.of_contributions(&measure, x - y, &gap),
            measure,
        }
    }
}

impl UpliftCurve {
    /// Compares two named priorities on the same rows: AUTOC, Qini coefficient, and the gain at the shares of [`UpliftCurve::at`]. All errors
    /// are from influence functions, with or without [`UpliftCurve::half_samples`].
    ///
    /// ```
    /// use cocreate::prelude::*;
    /// let effect: Vec<f64> = (0..100).map(f64::from).collect();
    /// let scores = ArmScores::new(["a", "b"], vec![vec![0.0; 100], effect.clone()])?;
    /// let constant = vec![1.0; 100];
    /// let test = UpliftCurve::new().compare(&scores, ("oracle", &effect), ("nobody knows", &constant))?;
    /// assert!(test.differences()[0].difference.p_value() < 1e-6);
    /// # Ok::<(), cocreate::Error>(())
    /// ```
    ///
    /// # Errors
    /// See [`UpliftCurve`].
    pub fn compare(
        &self,
        scores: &ArmScores,
        first: (&str, &[f64]),
        second: (&str, &[f64]),
    ) -> Result<RankingComparison> {
        let level = self.check()?;
        let a = self.rank(scores, first.0, first.1)?;
        let b = self.rank(scores, second.0, second.1)?;
        let units = &a.units;
        let mut differences = Vec::new();
        let mut add = |measure: String, at: [(f64, Vec<f64>); 2]| {
            let names = [first.0, second.0];
            differences.push(RankingDifference::of(units, measure, names, at));
        };
        let kinds = [RateWeights::Autoc, RateWeights::Qini];
        let [of_a, of_b] = [&a, &b].map(|ranked| self.areas(ranked, kinds));
        for ((name, x), y) in ["AUTOC", "Qini"].into_iter().zip(of_a).zip(of_b) {
            let both = [x, y].map(|rate| (rate.estimate, rate.contributions));
            add(name.to_owned(), both);
        }
        for share in self.shares().iter().filter(|s| **s < 1.0) {
            let both = [&a, &b].map(|ranked| {
                let path = &ranked.path;
                (path.gain_at(*share), path.contributions(units, *share))
            });
            add(format!("gain at {}", Cell::percent(*share, 1)), both);
        }
        Ok(RankingComparison {
            first: first.0.to_owned(),
            second: second.0.to_owned(),
            arm: a.arm.clone(),
            control: a.control.clone(),
            level,
            differences,
        })
    }
}

impl RankingComparison {
    /// AUTOC, Qini coefficient, and the gain at each share below one.
    pub fn differences(&self) -> &[RankingDifference] {
        &self.differences
    }

    /// A row per measure.
    pub fn table(&self) -> Table {
        let (first, second) = (&self.first, &self.second);
        let (arm, control) = (&self.arm, &self.control);
        let title = format!("{first} and {second}: effect of {arm} against {control}");
        differences_table(title, [first, second], &self.differences, self.level)
    }
}

/// A row per measure of two rules that are compared.
pub(in crate::uplift) fn differences_table(
    title: String,
    [first, second]: [&String; 2],
    differences: &[RankingDifference],
    level: f64,
) -> Table {
    let mut table = Table::new(title).columns([
        "",
        first,
        second,
        "Difference",
        "Std. error",
        "from",
        "to",
        "p",
    ]);
    for row in differences {
        let ends = row.difference.confidence_interval(level);
        let (low, high) = ends.map_or((f64::NAN, f64::NAN), |i| (i.lower, i.upper));
        table = table.row([
            Cell::text(row.measure.as_str()),
            Cell::significant(row.first.estimate, 4),
            Cell::significant(row.second.estimate, 4),
            Cell::significant(row.difference.estimate, 4),
            Cell::significant(row.difference.std_error, 3).parenthesised(),
            Cell::significant(low, 4),
            Cell::significant(high, 4),
            Cell::p_value(row.difference.p_value()),
        ]);
    }
    table.note(format!(
        "Paired on the same rows; intervals at {} %.",
        level * 100.0
    ))
}

shown!(RankingComparison);
