//! The scores (derivatives of log-likelihoods) of persons, as covariance estimators see them.

use super::fit::Parts;
use super::marginal::Marginal;
use crate::error::{Error, Result};
use crate::inference::covariance::ScoreRows;
use crate::numeric::linalg::Cholesky;
use crate::summary::gram::Tile;
use nalgebra::DMatrix;
use std::ops::Range;

/// The score of each person with respect to the free parameters, kept by pattern.
pub(super) struct PersonScores<'a> {
    parts: &'a Parts,
    /// The inverse of the observed information.
    bread: DMatrix<f64>,
    /// One row a pattern; empty where only the bread is wanted.
    scores: Vec<f64>,
}

impl<'a> PersonScores<'a> {
    pub(super) fn new(parts: &'a Parts, with_scores: bool) -> Result<Self> {
        let size = parts.structure.size;
        let factor = Cholesky::with_tolerance(&parts.information, f64::EPSILON * size as f64);
        if factor.rank() < size {
            return Err(Error::Unidentified {
                what: "a parameter of the item response model".to_owned(),
                needs: "data in which the information matrix is not singular".to_owned(),
            });
        }
        let scores = if with_scores {
            let marginal = Marginal::new(&parts.structure, &parts.responses);
            let phi = parts.structure.working(&parts.theta);
            marginal
                .scores(&phi, &parts.grid)
                .chunks_exact(phi.len())
                .flat_map(|score| parts.structure.pull_gradient(score).data.as_vec().clone())
                .collect()
        } else {
            vec![]
        };
        Ok(Self {
            parts,
            bread: factor.inverse(),
            scores,
        })
    }
}

impl ScoreRows for PersonScores<'_> {
    fn rows(&self) -> usize {
        self.parts.responses.persons()
    }

    fn parameters(&self) -> usize {
        self.parts.structure.size
    }

    fn fill(&self, rows: Range<usize>, tile: &mut Tile, residual: &mut [f64]) {
        let r = &self.parts.responses;
        let size = self.parameters();
        for (row, person) in rows.enumerate() {
            let from = r.pattern_of(person) * size;
            for (j, s) in self.scores[from..from + size].iter().enumerate() {
                tile.column_mut(j)[row] = s * r.person_weight(person);
            }
        }
        residual.fill(1.0);
    }

    fn bread(&self) -> &DMatrix<f64> {
        &self.bread
    }

    fn frequencies(&self, rows: Range<usize>) -> Option<&[f64]> {
        let r = &self.parts.responses;
        Some(&r.person_weights().filter(|_| r.is_frequency())?[rows])
    }

    fn variance(&self, _residual_df: f64) -> f64 {
        1.0 // the inverse information is the classical covariance
    }

    fn add_absorbed_leverage(&self, _rows: Range<usize>, _leverage: &mut [f64]) -> Result<()> {
        Ok(())
    }
}
