//! A fitted local linear forest.

use super::display::important;
use super::ensemble::Predicted;
use super::fit::prediction;
use super::linear_forest::LocalLinearForest;
use super::moment::{Mean, Point};
use super::neighbours::Neighbourhood;
use super::outcome_rows::{Grown, OutcomeRows};
use super::plan::Plan;
use super::prediction::ForestPrediction;
use super::ridge::{Locals, Scale};
use super::ridge_splits::{RidgeSplits, Sloped};
use super::split::WEIGHTED;
use crate::data::Frame;
use crate::error::{Result, Warning};
use crate::numeric::{Progress, Seed};
use crate::regression::learners::Features;
use crate::report::{Cell, Table, shown};
use serde::{Deserialize, Serialize};
use std::fmt;

/// A local linear forest fitted to a frame. It is owned, and free of the frame.
#[derive(Clone, Serialize, Deserialize)]
pub struct LocalLinearForestFit {
    pub(super) forest: LocalLinearForest,
    pub(super) grown: Grown,
    pub(super) locals: Locals,
    pub(super) scale: Scale,
    penalty: f64,
    /// The mean of all rows.
    overall: f64,
    pub(super) out_of_bag: ForestPrediction,
    warnings: Vec<Warning>,
}

impl LocalLinearForestFit {
    pub(super) fn new(
        forest: &LocalLinearForest,
        mut sample: OutcomeRows,
        outcome: Vec<f64>,
        plan: &Plan,
        seed: Seed,
        progress: &Progress,
    ) -> Result<Self> {
        let known = sample.features.gather(&sample.rows)?;
        let points: Vec<Point> = (0..outcome.len())
            .map(|i| Point {
                y: outcome[i],
                weight: sample.weight(i),
                ..Point::default()
            })
            .collect();
        let weight: Vec<f64> = points.iter().map(|p| p.weight).collect();
        let scale = Scale::new(&known, &forest.slopes, &weight)?;
        let locals = Locals {
            weight,
            y: outcome,
            w: None,
            x: scale.rows(&known),
            count: scale.count(),
        };
        let (grown, training) = if let Some(penalty) = forest.ridge_splits {
            let sloped = |(row, p): (usize, &Point)| Sloped {
                y: p.y,
                weight: p.weight,
                row: row as u32,
            };
            let points: Vec<Sloped> = points.iter().enumerate().map(sloped).collect();
            let splits = RidgeSplits::new(&points, &locals.x, locals.count, penalty);
            Grown::new::<WEIGHTED, _>(&splits, &points, &mut sample, plan, seed, progress)?
        } else {
            Grown::new::<WEIGHTED, _>(&Mean, &points, &mut sample, plan, seed, progress)?
        };
        let total: f64 = locals.weight.iter().sum();
        let sum: f64 = points.iter().map(|p| p.weight * p.y).sum();
        let overall = sum / total;
        let penalty = forest.penalty.unwrap_or_else(|| {
            locals.penalty(&grown.groves, &training.seen, &training.codes, overall)
        });
        let mut fit = Self {
            forest: forest.clone(),
            grown,
            locals,
            scale,
            penalty,
            overall,
            out_of_bag: prediction(&[], 0),
            warnings: sample.warnings,
        };
        let own = |row, near: &Neighbourhood| fit.at(near, &fit.locals.x, row);
        let predicted = fit.grown.ask_out_of_bag(&training, own);
        fit.out_of_bag = fit.outcomes(predicted, 0);
        Ok(fit)
    }

    /// Outcomes at the rows of a frame that has the features. Labels that training had not count as missing.
    ///
    /// # Errors
    /// [`ColumnNotFound`](crate::Error::ColumnNotFound), [`WrongKind`](crate::Error::WrongKind), [`Infinite`](crate::Error::Infinite).
    pub fn predict(&self, frame: &Frame) -> Result<ForestPrediction> {
        let x = self
            .scale
            .rows(&Features::matching(frame, &self.grown.info)?);
        let (predicted, unseen) = self.grown.ask(frame, |row, near| self.at(near, &x, row))?;
        Ok(self.outcomes(predicted, unseen))
    }

    /// Outcomes at the rows in use, each by the trees that have not seen it.
    pub fn out_of_bag(&self) -> &ForestPrediction {
        &self.out_of_bag
    }

    /// The penalty on slopes.
    pub fn penalty(&self) -> f64 {
        self.penalty
    }

    /// Features with their share of the splits in the first four levels, each level weighted by `1/depth²`; largest first.
    pub fn importance(&self) -> Vec<(String, f64)> {
        self.grown.importance()
    }

    /// The mean squared error out of bag.
    pub fn error(&self) -> f64 {
        let (mut squares, mut total) = (0.0, 0.0);
        let rows = self.locals.y.iter().zip(&self.out_of_bag.estimates);
        for ((y, found), weight) in rows.zip(&self.locals.weight) {
            squares += weight * (y - found).powi(2);
            total += weight;
        }
        squares / total
    }

    /// Number of rows in use.
    pub fn rows(&self) -> usize {
        self.locals.y.len()
    }

    /// What a reader of the numbers must know.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// The out-of-bag outcomes, and how the forest was grown.
    pub fn table(&self) -> Table {
        let title = format!("Local linear forest of {}, out of bag", self.forest.outcome);
        important(
            self.out_of_bag.table().with_title(title),
            &self.importance(),
        )
        .note(format!(
            "{} trees; slopes of {} features; penalty {}; mean squared error {}",
            Cell::count(self.grown.groves.len()),
            Cell::count(self.locals.count),
            Cell::significant(self.penalty, 3),
            Cell::significant(self.error(), 4)
        ))
        .warned(&self.warnings)
    }

    /// The outcome at a row of standardised features.
    fn at(&self, near: &Neighbourhood, x: &[f64], row: usize) -> Predicted {
        let count = self.locals.count;
        let at = &x[row * count..][..count];
        let bag = self.forest.options.bag_size;
        self.locals.predicted(near, at, self.penalty, bag)
    }

    fn outcomes(&self, mut predicted: Vec<Predicted>, unseen: usize) -> ForestPrediction {
        for p in predicted.iter_mut().filter(|p| !p.known) {
            (p.estimate, p.variance) = (self.overall, f64::INFINITY);
        }
        ForestPrediction {
            of_outcomes: true,
            ..prediction(&predicted, unseen)
        }
    }
}

shown!(LocalLinearForestFit);

impl fmt::Debug for LocalLinearForestFit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalLinearForestFit")
            .field("outcome", &self.forest.outcome)
            .field("rows", &self.rows())
            .field("trees", &self.grown.groves.len())
            .finish()
    }
}
