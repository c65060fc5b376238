//! From a formula and a frame to the rows and columns that an estimator uses, with the weights read.

use super::linear::Weights;
use crate::data::{Design, Formula, Frame, ParsedFormula};
use crate::error::{Result, Warning};

/// The rows and columns of a model.
#[derive(Clone, Debug)]
pub(crate) struct Sample {
    pub(crate) parsed: ParsedFormula,
    pub(crate) design: Design,
    /// The weights of the used rows, none of them zero.
    pub(crate) weights: Option<Vec<f64>>,
    /// Whether weights count equal rows.
    pub(crate) frequency: bool,
    pub(crate) warnings: Vec<Warning>,
}

impl Sample {
    /// Builds the design on the rows where nothing that the formula, the weights or `also` name is missing, and leaves out
    /// rows of weight zero.
    pub(crate) fn new(
        formula: &Formula,
        weights: Option<&Weights>,
        also: &[&str],
        frame: &Frame,
    ) -> Result<Self> {
        let parsed = formula.parse()?;
        let also: Vec<&str> = weights
            .iter()
            .map(|w| w.column())
            .chain(also.iter().copied())
            .collect();
        let mut design = Design::build(&parsed, frame, &also)?;
        let mut warnings = Vec::new();
        let dropped = frame.rows() - design.rows.len();
        if dropped > 0 {
            warnings.push(Warning::RowsDropped {
                dropped,
                missing: design.missing.clone(),
            });
        }
        let mut values = weights.map(|w| w.read(frame, &design.rows)).transpose()?;
        if let Some(w) = &mut values
            && w.iter().any(|w| *w <= 0.0)
        {
            let keep: Vec<bool> = w.iter().map(|w| *w > 0.0).collect();
            design.restrict(&keep);
            warnings.push(Warning::Note {
                message: format!(
                    "{} rows of weight zero left out",
                    keep.iter().filter(|k| !**k).count()
                ),
            });
            w.retain(|w| *w > 0.0);
        }
        Ok(Self {
            parsed,
            design,
            weights: values,
            frequency: matches!(weights, Some(Weights::Frequency(_))),
            warnings,
        })
    }

    /// Keeps some of the used rows.
    pub(crate) fn restrict(&mut self, keep: &[bool]) {
        self.design.restrict(keep);
        let mut kept = keep.iter();
        if let Some(w) = &mut self.weights {
            w.retain(|_| kept.next().copied().unwrap_or(false));
        }
    }
}
