//! What a fitted model shows of its rows to a covariance estimator.

use crate::data::Groups;
use crate::summary::gram::Tile;
use nalgebra::DMatrix;
use std::ops::Range;

/// The rows of a fitted model as effective regressors and residuals: the score of row i is `x_i e_i`, its leverage
/// `x_i' B x_i` (plus that of absorbed effects), with square roots of weights multiplied in.
pub(crate) trait ScoreRows: Send + Sync {
    /// Number of rows.
    fn rows(&self) -> usize;

    /// Number of working parameters `k`.
    fn parameters(&self) -> usize;

    /// Writes the regressors of a range of at most a tile of rows into the first `k` columns of `tile`, and the residuals.
    fn fill(&self, rows: Range<usize>, tile: &mut Tile, residual: &mut [f64]);

    /// `B = (Σ x x')⁻¹`.
    fn bread(&self) -> &DMatrix<f64>;

    /// Frequency weights of a range of rows: each row stands for that many equal ones.
    fn frequencies(&self, rows: Range<usize>) -> Option<&[f64]>;

    /// Error variance for the classical covariance, given the residual degrees of freedom.
    fn variance(&self, residual_df: f64) -> f64;

    /// Adds the leverage of absorbed effects; `Err` says why it is not available.
    fn add_absorbed_leverage(&self, rows: Range<usize>, leverage: &mut [f64]) -> crate::Result<()>;
}

impl std::fmt::Debug for dyn ScoreRows {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "scores of {} rows", self.rows())
    }
}

/// Counts that finite-sample corrections need.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Counts<'a> {
    /// Observations: rows, or the sum of frequency weights.
    pub(crate) observations: f64,
    /// Absorbed effects over the kept rows.
    pub(crate) effects: &'a [Groups],
    /// Parameters that each effect adds, in order, redundant ones left out.
    pub(crate) absorbed: &'a [usize],
}

impl Counts<'_> {
    /// `n − K` with all absorbed effects counted.
    pub(crate) fn residual_df(&self, parameters: usize) -> f64 {
        self.observations - (parameters + self.absorbed_total()) as f64
    }

    /// All absorbed parameters.
    pub(crate) fn absorbed_total(&self) -> usize {
        self.absorbed.iter().sum()
    }

    /// Absorbed parameters when an effect nested in one of the cluster columns counts as one parameter.
    pub(crate) fn absorbed_not_nested(&self, clusters: &[Groups]) -> usize {
        let nested: usize = self
            .effects
            .iter()
            .filter(|effect| clusters.iter().any(|c| is_nested(effect, c)))
            .map(|effect| effect.count() - 1)
            .sum();
        self.absorbed_total().saturating_sub(nested)
    }
}

/// Whether each level of `inner` lies within one level of `outer`.
pub(crate) fn is_nested(inner: &Groups, outer: &Groups) -> bool {
    const UNSEEN: u32 = u32::MAX;
    if std::sync::Arc::ptr_eq(&inner.codes, &outer.codes) {
        return true;
    }
    let mut of = vec![UNSEEN; inner.count()];
    inner.codes.iter().zip(outer.codes.iter()).all(|(i, o)| {
        let slot = &mut of[*i as usize];
        if *slot == UNSEEN {
            *slot = *o;
        }
        *slot == *o
    })
}
