//! One pass over the rows: log-likelihood, gradient and Hessian in the working parameters.

use super::index::Index;
use super::model::{Derivatives, Inputs, Order, RowModel};
use crate::data::{DesignColumn, Rows};
use crate::numeric::blocks;
use crate::summary::gram::{TILE, Tile, packed_index, packed_len, unpack};
use crate::summary::kernels::dot;
use nalgebra::{DMatrix, DVector};
use std::ops::Range;
use std::sync::Arc;

/// Rows of a parallel block.
const BLOCK: usize = 32 * TILE;

/// A likelihood over its rows: `ℓ(θ) = Σ_i w_i ℓ_i(η_1, …, η_J)`.
#[derive(Clone, Debug)]
pub(crate) struct Likelihood {
    pub(crate) model: Arc<dyn RowModel>,
    pub(crate) indices: Vec<Index>,
    pub(crate) outcomes: Vec<DesignColumn>,
    pub(crate) rows: Rows,
    pub(crate) weights: Option<Arc<Vec<f64>>>,
    pub(crate) frequency: bool,
}

/// What a pass finds.
#[derive(Clone, Debug)]
pub(crate) struct Sums {
    pub(crate) value: f64,
    pub(crate) gradient: DVector<f64>,
    /// The negative Hessian: the observed information.
    pub(crate) information: DMatrix<f64>,
}

/// Buffers for a tile of rows.
pub(crate) struct Workspace {
    pub(crate) tile: Tile,
    indices: Vec<[f64; TILE]>,
    outcomes: Vec<[f64; TILE]>,
    pub(crate) derivatives: Derivatives,
}

impl Workspace {
    /// The first outcome and the first index of row `i` of the tile.
    pub(crate) fn row(&self, i: usize) -> (f64, f64) {
        (self.outcomes[0][i], self.indices[0][i])
    }
}

impl Likelihood {
    /// Number of working parameters.
    pub(crate) fn parameters(&self) -> usize {
        self.indices.iter().map(Index::parameters).sum()
    }

    /// The working parameters of each index.
    pub(crate) fn ranges(&self) -> Vec<Range<usize>> {
        let mut at = 0;
        self.indices
            .iter()
            .map(|index| {
                at += index.parameters();
                at - index.parameters()..at
            })
            .collect()
    }

    /// Names of the coefficients.
    pub(crate) fn names(&self) -> Vec<String> {
        self.indices.iter().flat_map(Index::names).collect()
    }

    /// Coefficients = map · working parameters.
    pub(crate) fn map(&self) -> DMatrix<f64> {
        let size = self.parameters();
        let mut map = DMatrix::zeros(size, size);
        for (index, range) in self.indices.iter().zip(self.ranges()) {
            index.fill_map(&mut map, range.start);
        }
        map
    }

    /// Working parameters = inverse map · coefficients.
    pub(crate) fn inverse_map(&self) -> DMatrix<f64> {
        inverse_map(&self.indices)
    }

    /// Sum of weights, or number of rows.
    pub(crate) fn total_weight(&self) -> f64 {
        match &self.weights {
            Some(w) => w.iter().sum(),
            None => self.rows.len() as f64,
        }
    }

    /// Observations: rows, or the sum of frequency weights.
    pub(crate) fn observations(&self) -> f64 {
        if self.frequency {
            self.total_weight()
        } else {
            self.rows.len() as f64
        }
    }

    /// The weighted mean of the first outcome.
    pub(crate) fn mean_outcome(&self) -> f64 {
        let (mut sum, mut y) = (0.0, [0.0; TILE]);
        for r in blocks::ranges(self.rows.len(), TILE) {
            let y = &mut y[..r.len()];
            self.outcomes[0].fill(&self.rows, r.clone(), y);
            sum += match &self.weights {
                Some(w) => dot(y, &w[r]),
                None => y.iter().sum(),
            };
        }
        sum / self.total_weight()
    }

    pub(crate) fn workspace(&self) -> Workspace {
        Workspace {
            tile: Tile::new(self.parameters()),
            indices: vec![[0.0; TILE]; self.indices.len()],
            outcomes: vec![[0.0; TILE]; self.outcomes.len()],
            derivatives: Derivatives::new(self.indices.len()),
        }
    }

    /// Fills a workspace with a range of at most a tile of rows: regressors, indices at `point`, weighted derivatives.
    pub(crate) fn fill(
        &self,
        range: Range<usize>,
        point: &[f64],
        order: Order,
        work: &mut Workspace,
    ) {
        let len = self.fill_inputs(range.clone(), point, work);
        let inputs = Inputs {
            outcomes: &work.outcomes,
            indices: &work.indices,
            len,
        };
        self.model.evaluate(&inputs, order, &mut work.derivatives);
        if let Some(weights) = &self.weights {
            work.derivatives.weigh(&weights[range], order);
        }
    }

    /// Regressors, indices at `point` and outcomes of a range of at most a tile of rows; returns how many they are.
    fn fill_inputs(&self, range: Range<usize>, point: &[f64], work: &mut Workspace) -> usize {
        let len = range.len();
        let mut at = 0;
        for (index, eta) in self.indices.iter().zip(&mut work.indices) {
            let count = index.parameters();
            index.fill(
                &self.rows,
                range.clone(),
                &point[at..at + count],
                &mut work.tile,
                at,
                &mut eta[..len],
            );
            at += count;
        }
        for (column, out) in self.outcomes.iter().zip(&mut work.outcomes) {
            column.fill(&self.rows, range.clone(), &mut out[..len]);
        }
        len
    }

    /// What the model sees of a range of at most a tile of rows.
    pub(crate) fn inputs(&self, range: Range<usize>, point: &[f64], see: impl FnOnce(&Inputs<'_>)) {
        let mut work = self.workspace();
        let len = self.fill_inputs(range, point, &mut work);
        see(&Inputs {
            outcomes: &work.outcomes,
            indices: &work.indices,
            len,
        });
    }

    /// A pass over every `stride`-th tile of rows.
    pub(crate) fn pass(&self, point: &[f64], order: Order, stride: usize) -> Sums {
        let k = self.parameters();
        let ranges = self.ranges();
        let empty = || (0.0, vec![0.0; k], vec![0.0; packed_len(k)]);
        let work = |block: Range<usize>| {
            let (mut value, mut gradient, mut packed) = empty();
            let mut work = self.workspace();
            for r in blocks::ranges(block.len(), TILE).step_by(stride) {
                let rows = block.start + r.start..block.start + r.end;
                let len = rows.len();
                self.fill(rows, point, order, &mut work);
                value += work.derivatives.value[..len].iter().sum::<f64>();
                if order >= Order::Gradient {
                    for (range, slope) in ranges.iter().zip(&work.derivatives.gradient) {
                        for j in range.clone() {
                            gradient[j] += dot(&work.tile.column(j)[..len], &slope[..len]);
                        }
                    }
                }
                if order >= Order::Hessian {
                    self.add_information(&ranges, &mut work, len, &mut packed);
                }
            }
            (value, gradient, packed)
        };
        let add = |sum: &mut [f64], part: &[f64]| {
            sum.iter_mut().zip(part).for_each(|(a, b)| *a += b);
        };
        let (value, gradient, packed) =
            blocks::reduce(self.rows.len(), BLOCK, work, |total, part| {
                total.0 += part.0;
                add(&mut total.1, &part.1);
                add(&mut total.2, &part.2);
            })
            .unwrap_or_else(empty);
        Sums {
            value,
            gradient: DVector::from_vec(gradient),
            information: unpack(&packed, k),
        }
    }

    /// Adds `−Σ_i ∂²ℓ_i/∂θ∂θ'` of a tile to a packed lower triangle.
    fn add_information(
        &self,
        ranges: &[Range<usize>],
        work: &mut Workspace,
        len: usize,
        packed: &mut [f64],
    ) {
        if self.model.is_concave() {
            let mut root = [0.0; TILE];
            for (root, h) in root[..len].iter_mut().zip(&work.derivatives.hessian[0]) {
                *root = (-h).max(0.0).sqrt();
            }
            work.tile.scale_rows(&root[..len]);
            work.tile.clear_from(len);
            work.tile.add_gram(packed);
            return;
        }
        let mut scaled = [0.0; TILE];
        for (a, rows) in ranges.iter().enumerate() {
            for (b, columns) in ranges[..=a].iter().enumerate() {
                let h = &work.derivatives.hessian[packed_index(a, b)];
                for j in rows.clone() {
                    let x = work.tile.column(j);
                    for ((s, x), h) in scaled[..len].iter_mut().zip(x).zip(h) {
                        *s = -x * h;
                    }
                    for k in columns.start..columns.end.min(j + 1) {
                        packed[packed_index(j, k)] +=
                            dot(&work.tile.column(k)[..len], &scaled[..len]);
                    }
                }
            }
        }
    }
}

/// Working parameters = inverse map · coefficients.
pub(crate) fn inverse_map(indices: &[Index]) -> DMatrix<f64> {
    let size = indices.iter().map(Index::parameters).sum();
    let mut inverse = DMatrix::zeros(size, size);
    let mut at = 0;
    for index in indices {
        index.fill_inverse_map(&mut inverse, at);
        at += index.parameters();
    }
    inverse
}
