//! A fitted quantile forest.

use super::arm_moment::lanes;
use super::classes::{Classes, quantile};
use super::display::important;
use super::moment::Point;
use super::neighbours::Neighbourhood;
use super::outcome_rows::{Grown, OutcomeRows};
use super::plan::Plan;
use super::prediction::{ForestIntervals, half_width, told};
use super::quantile::{MOST_QUANTILES, QuantileForest};
use crate::data::Frame;
use crate::error::{Error, Result, Warning};
use crate::numeric::{Progress, Seed};
use crate::report::{Cell, Table, shown};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Classes that the code for few quantiles was compiled for.
const FEW_CLASSES: usize = 4;
/// Standard errors of the distribution function over which the slope of the quantile function is taken: those of a 95 % interval.
const NEAR: f64 = 1.959_963_984_540_054;

/// A quantile forest fitted to a frame. It is owned, and free of the frame.
#[derive(Clone, Serialize, Deserialize)]
pub struct QuantileForestFit {
    pub(super) forest: QuantileForest,
    pub(super) grown: Grown,
    /// Rows in use by their outcome.
    pub(super) order: Vec<u32>,
    outcome: Vec<f64>,
    pub(super) weights: Option<Vec<f64>>,
    pub(super) out_of_bag: QuantilePrediction,
    warnings: Vec<Warning>,
}

/// A quantile with its standard errors downwards and upwards.
#[derive(Clone, Copy)]
struct Told {
    value: f64,
    below: f64,
    above: f64,
}

/// Quantiles at rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct QuantilePrediction {
    quantiles: Vec<f64>,
    /// One column a quantile.
    values: Vec<Vec<f64>>,
    /// Their standard errors downwards and upwards, likewise.
    #[serde(deserialize_with = "crate::numeric::infinite::lists_above")]
    below: Vec<Vec<f64>>,
    #[serde(deserialize_with = "crate::numeric::infinite::lists_above")]
    above: Vec<Vec<f64>>,
    /// Rows without a tree to tell: they have the quantiles of all rows.
    pub undetermined: usize,
    /// Labels that training had not; they counted as missing.
    pub unseen: usize,
}

impl QuantilePrediction {
    /// The quantiles that were asked for.
    pub fn quantiles(&self) -> &[f64] {
        &self.quantiles
    }

    /// The values of a quantile, one a row.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] with the quantiles that are there.
    pub fn quantile(&self, quantile: f64) -> Result<&[f64]> {
        Ok(&self.values[self.position(quantile)?])
    }

    /// The standard errors of a quantile, one a row: half of the width of its 95 % interval by 1.96. Infinite where trees do not tell (bags of one tree, or a
    /// row that too few bags left out).
    ///
    /// # Errors
    /// As [`QuantilePrediction::quantile`].
    pub fn std_errors(&self, quantile: f64) -> Result<Vec<f64>> {
        let at = self.position(quantile)?;
        let sides = self.below[at].iter().zip(&self.above[at]);
        Ok(sides.map(|(b, a)| f64::midpoint(*b, *a)).collect())
    }

    /// Pointwise intervals of a quantile: how sure the forest is of it, not where outcomes lie (that is between two quantiles). They are as long to each
    /// side as the distribution is there; at a level other than 95 % both sides are lengthened or shortened alike.
    ///
    /// # Errors
    /// As [`QuantilePrediction::quantile`]; [`Error::InvalidOption`] for a level outside (0, 1); [`Error::Unidentified`] without variances.
    pub fn intervals(&self, quantile: f64, level: f64) -> Result<ForestIntervals> {
        let at = self.position(quantile)?;
        let z = half_width(level, &self.below[at])?;
        let end = |sign: f64, errors: &[f64]| {
            let pairs = self.values[at].iter().zip(errors);
            pairs
                .map(|(value, error)| value + sign * z * error)
                .collect()
        };
        Ok(ForestIntervals {
            level,
            lower: end(-1.0, &self.below[at]),
            upper: end(1.0, &self.above[at]),
        })
    }

    fn position(&self, quantile: f64) -> Result<usize> {
        let near = |q: &f64| (q - quantile).abs() < 1e-9;
        self.quantiles.iter().position(near).ok_or_else(|| {
            Error::invalid_option(
                "quantile",
                quantile,
                format!("one of {:?}, see .quantiles(&[…])", self.quantiles),
            )
        })
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.values[0].len()
    }

    /// Whether it has these quantiles of so many rows.
    pub(super) fn is_sound(&self, rows: usize, quantiles: &[f64]) -> bool {
        let whole = |columns: &Vec<Vec<f64>>| {
            columns.len() == quantiles.len() && columns.iter().all(|column| column.len() == rows)
        };
        !quantiles.is_empty()
            && [&self.values, &self.below, &self.above]
                .into_iter()
                .all(whole)
    }

    /// Mean and extremes of each quantile.
    pub fn table(&self) -> Table {
        const DIGITS: usize = 4;
        let mut table =
            Table::new("Predicted quantiles").columns(["Quantile", "mean", "smallest", "largest"]);
        for (q, values) in self.quantiles.iter().zip(&self.values) {
            let mean = values.iter().sum::<f64>() / values.len().max(1) as f64;
            let low = values.iter().copied().fold(f64::INFINITY, f64::min);
            let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            table = table.row([
                Cell::from(q.to_string()),
                Cell::significant(mean, DIGITS),
                Cell::significant(low, DIGITS),
                Cell::significant(high, DIGITS),
            ]);
        }
        let table = table.note(format!("{} rows", Cell::count(self.rows())));
        told(table, self.undetermined, "what all rows have", self.unseen)
    }
}

impl QuantileForestFit {
    pub(super) fn new(
        forest: &QuantileForest,
        mut sample: OutcomeRows,
        outcome: Vec<f64>,
        plan: &Plan,
        seed: Seed,
        progress: &Progress,
    ) -> Result<Self> {
        const MOST: usize = MOST_QUANTILES + 1;
        let points: Vec<Point> = (0..outcome.len())
            .map(|i| Point {
                y: outcome[i],
                weight: sample.weight(i),
                ..Point::default()
            })
            .collect();
        let quantiles = &forest.quantiles;
        let (grown, training) = if quantiles.len() < FEW_CLASSES {
            let classes = Classes::<FEW_CLASSES> { quantiles };
            Grown::new::<{ lanes(FEW_CLASSES) }, _>(
                &classes,
                &points,
                &mut sample,
                plan,
                seed,
                progress,
            )?
        } else {
            let classes = Classes::<MOST> { quantiles };
            Grown::new::<{ lanes(MOST) }, _>(&classes, &points, &mut sample, plan, seed, progress)?
        };
        let mut order: Vec<u32> = (0..outcome.len() as u32).collect();
        order.sort_by(|a, b| outcome[*a as usize].total_cmp(&outcome[*b as usize]));
        let mut fit = Self {
            forest: forest.clone(),
            grown,
            order,
            outcome,
            weights: sample.weights,
            out_of_bag: QuantilePrediction {
                quantiles: vec![],
                values: vec![],
                below: vec![],
                above: vec![],
                undetermined: 0,
                unseen: 0,
            },
            warnings: sample.warnings,
        };
        let answers = fit
            .grown
            .ask_out_of_bag(&training, |_, near| fit.answer(near));
        fit.out_of_bag = fit.prediction(&answers, 0);
        Ok(fit)
    }

    /// Quantiles at the rows of a frame that has the features. Labels that training had not count as missing.
    ///
    /// # Errors
    /// [`Error::ColumnNotFound`], [`Error::WrongKind`], [`Error::Infinite`].
    pub fn predict(&self, frame: &Frame) -> Result<QuantilePrediction> {
        let (answers, unseen) = self.grown.ask(frame, |_, near| self.answer(near))?;
        Ok(self.prediction(&answers, unseen))
    }

    /// Quantiles at the rows in use, each by the trees that have not seen it.
    pub fn out_of_bag(&self) -> &QuantilePrediction {
        &self.out_of_bag
    }

    /// Features with their share of the splits in the first four levels, each level weighted by `1/depth²`; largest first.
    pub fn importance(&self) -> Vec<(String, f64)> {
        self.grown.importance()
    }

    /// Number of rows in use.
    pub fn rows(&self) -> usize {
        self.outcome.len()
    }

    /// What a reader of the numbers must know.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// The share of rows in use whose outcome is at most the out-of-bag quantile, for each quantile: near the quantile itself where the forest is
    /// right.
    pub fn coverage(&self) -> Vec<f64> {
        let weight = |i: usize| self.weights.as_ref().map_or(1.0, |w| w[i]);
        let total: f64 = (0..self.rows()).map(weight).sum();
        let below = |values: &Vec<f64>| {
            let rows = (0..self.rows()).filter(|i| self.outcome[*i] <= values[*i]);
            rows.map(weight).sum::<f64>() / total
        };
        self.out_of_bag.values.iter().map(below).collect()
    }

    /// The out-of-bag quantiles and how many outcomes lie below.
    pub fn table(&self) -> Table {
        let mut table = Table::new(format!("Quantile forest of {}", self.forest.outcome))
            .columns(["Quantile", "mean", "outcomes below"]);
        let coverage = self.coverage();
        for ((q, values), below) in (self.forest.quantiles.iter())
            .zip(&self.out_of_bag.values)
            .zip(coverage)
        {
            let mean = values.iter().sum::<f64>() / values.len() as f64;
            table = table.row([
                Cell::from(q.to_string()),
                Cell::significant(mean, 4),
                Cell::percent(below, 1),
            ]);
        }
        important(table, &self.importance())
            .note(format!(
                "n = {}; {} trees; quantiles out of bag",
                Cell::count(self.rows()),
                Cell::count(self.grown.groves.len())
            ))
            .warned(&self.warnings)
    }

    fn weight(&self, row: u32) -> f64 {
        self.weights.as_ref().map_or(1.0, |w| w[row as usize])
    }

    /// The weighted quantiles of a neighbourhood with their errors; empty where no tree tells.
    fn answer(&self, near: &Neighbourhood) -> Vec<Told> {
        let mut sorted: Vec<(f64, f64)> = (near.shares.iter())
            .map(|(row, share)| (self.outcome[*row as usize], share * self.weight(*row)))
            .collect();
        sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
        let total: f64 = sorted.iter().map(|(_, w)| w).sum();
        let at = |share: f64| quantile(&sorted, share);
        let wanted = &self.forest.quantiles;
        let values: Vec<f64> = wanted.iter().filter_map(|q| at(*q)).collect();
        if values.len() < wanted.len() || total <= 0.0 {
            return vec![];
        }
        let reached: Vec<f64> = (values.iter())
            .map(|value| {
                let below = sorted.iter().take_while(|(y, _)| y <= value);
                below.map(|(_, w)| w).sum::<f64>() / total
            })
            .collect();
        let bag = self.forest.options.bag_size;
        let variances = near.variances(vec![0.0; wanted.len()], bag, |members, moved| {
            moved.fill(0.0);
            for row in members {
                let (y, weight) = (self.outcome[*row as usize], self.weight(*row) / total);
                for ((moved, value), reached) in moved.iter_mut().zip(&values).zip(&reached) {
                    *moved += weight * (f64::from(u8::from(y <= *value)) - reached);
                }
            }
        });
        let told = wanted.iter().zip(&values).zip(&variances);
        told.map(|((q, value), variance)| {
            let half = NEAR * variance.sqrt();
            let side = |to: f64| (at(to.clamp(0.0, 1.0)).unwrap_or(*value) - value).abs() / NEAR;
            Told {
                value: *value,
                below: if half.is_finite() {
                    side(q - half)
                } else {
                    half
                },
                above: if half.is_finite() {
                    side(q + half)
                } else {
                    half
                },
            }
        })
        .collect()
    }

    fn prediction(&self, answers: &[Vec<Told>], unseen: usize) -> QuantilePrediction {
        let quantiles = self.forest.quantiles.clone();
        let sorted: Vec<(f64, f64)> = (self.order.iter())
            .map(|row| (self.outcome[*row as usize], self.weight(*row)))
            .collect();
        let unknown = |q: &f64| Told {
            value: quantile(&sorted, *q).unwrap_or(0.0),
            below: f64::INFINITY,
            above: f64::INFINITY,
        };
        let overall: Vec<Told> = quantiles.iter().map(unknown).collect();
        let columns = |part: fn(&Told) -> f64| -> Vec<Vec<f64>> {
            let column = |k: usize| {
                answers
                    .iter()
                    .map(|a| part(a.get(k).unwrap_or(&overall[k])))
                    .collect()
            };
            (0..quantiles.len()).map(column).collect()
        };
        QuantilePrediction {
            values: columns(|told| told.value),
            below: columns(|told| told.below),
            above: columns(|told| told.above),
            undetermined: answers.iter().filter(|a| a.is_empty()).count(),
            unseen,
            quantiles: quantiles.clone(),
        }
    }
}

shown!(QuantilePrediction, QuantileForestFit);

impl fmt::Debug for QuantileForestFit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QuantileForestFit")
            .field("outcome", &self.forest.outcome)
            .field("rows", &self.rows())
            .field("trees", &self.grown.groves.len())
            .finish()
    }
}
