//! The columns of a linear model: read from the frame in place, or projected off the fixed effects.

use crate::data::{Design, DesignColumn, Frame, Rows};
use crate::error::{Error, Result};
use crate::numeric::Progress;
use crate::regression::absorb::Absorbed;
use crate::summary::Moments;
use std::ops::Range;
use std::sync::Arc;

/// What a weight stands for.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub(crate) enum Weights {
    /// Precision: the error variance of a row is proportional to 1/w.
    Analytic(String),
    /// Frequency: the row stands for w equal rows.
    Frequency(String),
}

impl Weights {
    pub(crate) fn column(&self) -> &str {
        match self {
            Self::Analytic(c) | Self::Frequency(c) => c,
        }
    }

    /// The weights of the used rows; all must be finite and not negative. Rows of weight zero must have been dropped.
    pub(crate) fn read(&self, frame: &Frame, rows: &Rows) -> Result<Vec<f64>> {
        let values = rows.gather(frame.numeric(self.column())?.values());
        if let Some(i) = values.iter().position(|w| !w.is_finite() || *w < 0.0) {
            return Err(Error::OutOfRange {
                column: self.column().to_owned(),
                row: rows.index(i) + 1,
                value: values[i],
                expected: "a finite weight, zero or more".to_owned(),
            });
        }
        if let Self::Frequency(column) = self
            && let Some(i) = values.iter().position(|w| w.fract().abs() > 0.0)
        {
            return Err(Error::OutOfRange {
                column: column.clone(),
                row: rows.index(i) + 1,
                value: values[i],
                expected: "a whole number of equal rows".to_owned(),
            });
        }
        Ok(values)
    }
}

/// All columns of a model, outcome last, over the used rows.
#[derive(Clone, Debug)]
pub(crate) struct Columns {
    pub(crate) names: Vec<String>,
    source: Source,
    pub(crate) rows: Rows,
    pub(crate) weights: Option<Arc<Vec<f64>>>,
    pub(crate) frequency: bool,
}

#[derive(Clone, Debug)]
enum Source {
    Design(Arc<Vec<DesignColumn>>),
    Projected(Arc<Vec<Vec<f64>>>),
}

impl Columns {
    /// The columns of a design: exogenous, endogenous, instruments, outcome.
    pub(crate) fn new(design: &Design, weights: Option<Vec<f64>>, frequency: bool) -> Self {
        let columns: Vec<DesignColumn> = design
            .exogenous
            .iter()
            .chain(&design.endogenous)
            .chain(&design.instruments)
            .chain([&design.outcome])
            .cloned()
            .collect();
        Self {
            names: columns.iter().map(|c| c.name.clone()).collect(),
            source: Source::Design(Arc::new(columns)),
            rows: design.rows.clone(),
            weights: weights.map(Arc::new),
            frequency,
        }
    }

    /// The same columns with the fixed effects projected off, and the variation of each before.
    pub(crate) fn project(
        &self,
        absorbed: &Absorbed,
        progress: &Progress,
    ) -> Result<(Self, Vec<f64>)> {
        let projected = absorbed.project(
            self.len(),
            |j, range, out| self.fill(j, range, out),
            progress,
        )?;
        let columns = Self {
            source: Source::Projected(Arc::new(projected.columns)),
            ..self.clone()
        };
        Ok((columns, projected.variation))
    }

    /// Number of columns, the outcome included.
    pub(crate) fn len(&self) -> usize {
        self.names.len()
    }

    /// Writes a range of rows of one column.
    pub(crate) fn fill(&self, j: usize, range: Range<usize>, out: &mut [f64]) {
        match &self.source {
            Source::Design(columns) => columns[j].fill(&self.rows, range, out),
            Source::Projected(columns) => out.copy_from_slice(&columns[j][range]),
        }
    }

    /// Counts, means and co-moments of all columns.
    pub(crate) fn moments(&self) -> Moments {
        let weights = self.weights.as_ref().map(|w| w.as_slice());
        Moments::from_columns(self.rows.len(), self.len(), weights, |j, range, out| {
            self.fill(j, range, out);
        })
    }
}
