//! Who the most and the least affected are.

use crate::causal::ArmScores;
use crate::causal::units::{Units, check_column};
use crate::data::{Column, Frame, MISSING};
use crate::error::{Error, Result};
use crate::inference::{Adjustment, Estimate, adjust_p_values, check_level};
use crate::report::shown;
use crate::report::{BarPlot, Cell, CoefficientPlot, Figure, Table};
use crate::uplift::path::Order;
use serde::{Deserialize, Serialize};

/// Classification analysis (CLAN): means of covariates among the share of rows with the highest predicted effects and among that with the
/// lowest, and their difference. Numbers, flags and times have one row, labels one for each level, the share that has it. Rows on the border
/// that have one prediction are taken in equal parts; missing values are left out of the means of their covariate.
///
/// | name | default | meaning | range |
/// |---|---|---|---|
/// | `share` | 0.2 | share of weight in either group | (0, 0.5] |
/// | `level` | 0.95 | of intervals | (0, 1) |
///
/// # Errors
/// [`Error::ColumnNotFound`]; [`Error::LengthMismatch`]; [`Error::OutOfRange`] for a prediction that is not finite; [`Error::Unidentified`] when
/// predictions are all equal; [`Error::NoRows`] when a covariate is missing in a whole group; [`Error::InvalidOption`].
///
/// # References
/// Chernozhukov, V., Demirer, M., Duflo, E. & Fernández-Val, I. (2025). *Econometrica* 93, 1121–1164. doi:10.3982/ECTA19303.
///
/// # Examples
/// ```
/// use cocreate::prelude::*;
/// let people = Frame::new()
///     .with("age", vec![20.0, 30.0, 40.0, 50.0])?
///     .with("channel", vec!["app", "app", "shop", "app"])?;
/// let scores = ArmScores::new(["none", "coupon"], vec![vec![0.0; 4], vec![4.0, 3.0, 2.0, 1.0]])?;
/// let clan = Clan::new(["age", "channel"]).share(0.5).fit(&scores, &people, &[4.0, 3.0, 2.0, 1.0])?;
/// assert_eq!(clan.rows()[0].difference.estimate, -20.0);
/// assert_eq!(clan.rows()[1].most.estimate, 1.0); // all of the most affected use the app
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Clan {
    covariates: Vec<String>,
    share: f64,
    level: f64,
}

/// One covariate among the most and the least affected.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClanRow {
    /// The covariate, or a level of it.
    pub covariate: String,
    /// Mean among the most affected.
    pub most: Estimate,
    /// Mean among the least affected.
    pub least: Estimate,
    /// Most less least.
    pub difference: Estimate,
    /// p-value of the difference, adjusted for the number of covariates by Holm's method.
    pub adjusted_p_value: f64,
    /// Mean among all rows.
    pub mean: f64,
    /// Standard deviation among all rows.
    pub std_dev: f64,
}

/// What [`Clan`] found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClanFit {
    rows: Vec<ClanRow>,
    share: f64,
    level: f64,
}

impl Clan {
    /// An analysis of these columns.
    pub fn new<I>(covariates: I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
        Self {
            covariates: covariates.into_iter().map(Into::into).collect(),
            share: 0.2,
            level: 0.95,
        }
    }

    /// The share of weight in either group.
    pub fn share(mut self, share: f64) -> Self {
        self.share = share;
        self
    }

    /// The level of intervals.
    pub fn level(mut self, level: f64) -> Self {
        self.level = level;
        self
    }

    /// Compares the most affected with the least. The scores give weights and clusters.
    ///
    /// # Errors
    /// See [`Clan`].
    pub fn fit(&self, scores: &ArmScores, frame: &Frame, predicted: &[f64]) -> Result<ClanFit> {
        check_level(self.level)?;
        if !(self.share > 0.0 && self.share <= 0.5) {
            return Err(Error::invalid_option(
                "share",
                self.share,
                "above 0 and at most 0.5",
            ));
        }
        if self.covariates.is_empty() {
            return Err(Error::invalid_option(
                "covariates",
                "empty",
                "at least one column",
            ));
        }
        check_column("predicted", predicted, scores.len())?;
        if frame.rows() != scores.len() {
            return Err(Error::LengthMismatch {
                column: self.covariates[0].clone(),
                expected: scores.len(),
                found: frame.rows(),
            });
        }
        let units = Units::of(scores);
        let weighed = predicted.iter().zip(&units.weights);
        let mut known = weighed.filter(|(_, w)| **w > 0.0).map(|(p, _)| *p);
        let first = known.next().unwrap_or_default();
        if known.all(|p| (p - first).abs() <= 0.0) {
            return Err(Error::Unidentified {
                what: "who the most and the least affected are".to_owned(),
                needs: "predictions that differ between rows".to_owned(),
            });
        }
        let most = part_of_group(predicted, &units, self.share);
        let opposite: Vec<f64> = predicted.iter().map(|p| -p).collect();
        let least = part_of_group(&opposite, &units, self.share);
        let mut rows = Vec::new();
        for name in &self.covariates {
            let Column::Label(label) = frame.column(name)? else {
                let values = frame.numeric(name)?;
                rows.push(compare(name, values.values(), &units, [&most, &least])?);
                continue;
            };
            for (code, level) in label.levels().iter().enumerate() {
                let each = label.codes().iter().map(|c| match *c {
                    MISSING => f64::NAN,
                    c => f64::from(u8::from(c as usize == code)),
                });
                let values: Vec<f64> = each.collect();
                let name = format!("{name}: {level}");
                rows.push(compare(&name, &values, &units, [&most, &least])?);
            }
        }
        let p_values: Vec<f64> = rows.iter().map(|r| r.difference.p_value()).collect();
        let adjusted = adjust_p_values(&p_values, Adjustment::Holm)?;
        for (row, p) in rows.iter_mut().zip(adjusted) {
            row.adjusted_p_value = p;
        }
        Ok(ClanFit {
            rows,
            share: self.share,
            level: self.level,
        })
    }
}

/// The part of each row that belongs to the share of weight of highest priority.
fn part_of_group(priority: &[f64], units: &Units, share: f64) -> Vec<f64> {
    let order = Order::descending(priority);
    let mut parts = vec![0.0; priority.len()];
    let mut left = share;
    for run in order.runs() {
        let rows = &order.places[run];
        let weight: f64 = rows.iter().map(|row| units.weights[*row as usize]).sum();
        let part = if weight > 0.0 {
            (left / weight).min(1.0)
        } else {
            1.0
        };
        for row in rows {
            parts[*row as usize] = part;
        }
        left -= part * weight;
        if left <= 0.0 {
            break;
        }
    }
    parts
}

/// Means of the two groups and their difference.
fn compare(name: &str, values: &[f64], units: &Units, groups: [&Vec<f64>; 2]) -> Result<ClanRow> {
    if let Some(row) = values.iter().position(|v| v.is_infinite()) {
        return Err(Error::Infinite {
            column: name.to_owned(),
            row: row + 1,
        });
    }
    let known = |row: usize| !values[row].is_nan();
    let mean = |parts: &dyn Fn(usize) -> f64| {
        let rows = (0..values.len()).filter(|row| known(*row));
        let (mut weight, mut sum) = (0.0, 0.0);
        for row in rows {
            weight += parts(row) * units.weights[row];
            sum += parts(row) * units.weights[row] * values[row];
        }
        (weight, sum / weight)
    };
    let mut found = Vec::with_capacity(2);
    for parts in groups {
        let (weight, average) = mean(&|row| parts[row]);
        if weight <= 0.0 {
            return Err(Error::NoRows {
                reason: format!("`{name}` is missing for all of the most or the least affected"),
            });
        }
        let influence: Vec<f64> = (0..values.len())
            .map(|row| {
                if known(row) {
                    parts[row] * (values[row] - average) / weight
                } else {
                    0.0
                }
            })
            .collect();
        found.push((average, influence));
    }
    let (_, overall) = mean(&|_| 1.0);
    let squares: Vec<f64> = (0..values.len())
        .map(|row| {
            if known(row) {
                (values[row] - overall).powi(2)
            } else {
                0.0
            }
        })
        .collect();
    let (known_weight, _) = mean(&|_| 1.0);
    let gap: Vec<f64> = (found[0].1.iter().zip(&found[1].1))
        .map(|(a, b)| a - b)
        .collect();
    let estimate = |what: &str, value: f64, influence: &[f64]| {
        units.estimate(&format!("{name}, {what}"), value, influence)
    };
    Ok(ClanRow {
        covariate: name.to_owned(),
        most: estimate("most affected", found[0].0, &found[0].1),
        least: estimate("least affected", found[1].0, &found[1].1),
        difference: estimate("difference", found[0].0 - found[1].0, &gap),
        adjusted_p_value: 1.0,
        mean: overall,
        std_dev: (units.mean(&squares) / known_weight).sqrt(),
    })
}

impl ClanFit {
    /// The covariates.
    pub fn rows(&self) -> &[ClanRow] {
        &self.rows
    }

    /// One row a covariate.
    pub fn table(&self) -> Table {
        let percent = self.share * 100.0;
        let mut table = Table::new("Who the most and the least affected are").columns([
            "",
            &format!("Most affected {percent} %"),
            "Std. error",
            &format!("Least affected {percent} %"),
            "Std. error",
            "Difference",
            "Std. error",
            "p (Holm)",
        ]);
        for row in &self.rows {
            let mut cells = vec![Cell::text(row.covariate.as_str())];
            for estimate in [&row.most, &row.least, &row.difference] {
                cells.push(Cell::significant(estimate.estimate, 4));
                cells.push(Cell::significant(estimate.std_error, 3).parenthesised());
            }
            cells.push(Cell::p_value(row.adjusted_p_value));
            table = table.row(cells);
        }
        table.note("By predicted effects; p-values are adjusted for the number of covariates.")
    }

    /// The means of the most and of the least affected as bars from the mean of all, in standard deviations of the covariates, with intervals.
    /// Constant covariates are left out.
    ///
    /// # Errors
    /// Those of drawing.
    pub fn bars(&self) -> Result<Figure> {
        let mut plot = BarPlot::new()
            .title("Who the most and the least affected are")
            .x_title(format!(
                "mean less the mean of all, in standard deviations ({} % intervals)",
                self.level * 100.0
            ));
        for most in [true, false] {
            plot = plot.series(if most {
                "most affected"
            } else {
                "least affected"
            });
            for row in self.rows.iter().filter(|r| r.std_dev > 0.0) {
                let mean = if most { &row.most } else { &row.least };
                let ends = mean.confidence_interval(self.level)?;
                let [at, low, high] =
                    [mean.estimate, ends.lower, ends.upper].map(|v| (v - row.mean) / row.std_dev);
                plot = plot.bar(&row.covariate, at).interval(low, high);
            }
        }
        plot.draw()
    }

    /// Differences in standard deviations of the covariates, with intervals. Constant covariates are left out.
    ///
    /// # Errors
    /// Those of drawing.
    pub fn plot(&self) -> Result<Figure> {
        let mut plot = CoefficientPlot::new()
            .title("Most less least affected")
            .x_title(format!(
                "difference in standard deviations ({} % intervals)",
                self.level * 100.0
            ));
        for row in self.rows.iter().filter(|r| r.std_dev > 0.0) {
            let ends = row.difference.confidence_interval(self.level)?;
            let [at, low, high] =
                [row.difference.estimate, ends.lower, ends.upper].map(|v| v / row.std_dev);
            plot = plot.point(&row.covariate, at, low, high);
        }
        plot.draw()
    }
}

shown!(ClanFit);
