//! What a likelihood says about one row, given its indices.

use super::separation::Recession;
use crate::numeric::jet::{Jet, Scalar};
use crate::summary::gram::{TILE, packed_index, packed_len};
use serde::{Deserialize, Serialize};

/// How many derivatives are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Order {
    Value,
    Gradient,
    Hessian,
}

/// At most a tile of rows: outcomes and indices, each a slice of `len` numbers.
pub(crate) struct Inputs<'a> {
    pub(crate) outcomes: &'a [[f64; TILE]],
    pub(crate) indices: &'a [[f64; TILE]],
    pub(crate) len: usize,
}

/// Log-densities of a tile of rows with their derivatives in the indices.
pub(crate) struct Derivatives {
    pub(crate) value: [f64; TILE],
    /// One array an index.
    pub(crate) gradient: Vec<[f64; TILE]>,
    /// One array a pair of indices, the lower triangle row by row.
    pub(crate) hessian: Vec<[f64; TILE]>,
}

impl Derivatives {
    pub(crate) fn new(indices: usize) -> Self {
        Self {
            value: [0.0; TILE],
            gradient: vec![[0.0; TILE]; indices],
            hessian: vec![[0.0; TILE]; packed_len(indices)],
        }
    }

    /// Multiplies everything by the weights of the rows.
    pub(crate) fn weigh(&mut self, weights: &[f64], order: Order) {
        let times = |values: &mut [f64; TILE]| {
            values.iter_mut().zip(weights).for_each(|(v, w)| *v *= w);
        };
        times(&mut self.value);
        if order >= Order::Gradient {
            self.gradient.iter_mut().for_each(times);
            self.hessian.iter_mut().for_each(times);
        }
    }

    /// Row `i` adds nothing.
    pub(crate) fn clear(&mut self, i: usize) {
        self.value[i] = 0.0;
        let slopes = self.gradient.iter_mut().chain(&mut self.hessian);
        slopes.for_each(|tile| tile[i] = 0.0);
    }

    /// Writes the jet of row `i`, whose variables are the indices `positions`, in ascending order.
    pub(crate) fn set<const J: usize>(&mut self, i: usize, jet: &Jet<J>, positions: [usize; J]) {
        self.value[i] = jet.value;
        self.write(i, &jet.gradient, jet.hessian.as_flattened(), &positions);
    }

    /// One function for every number of variables: unrolled for three it took a twentieth of the crate's compilation.
    #[inline(never)]
    fn write(&mut self, i: usize, gradient: &[f64], hessian: &[f64], positions: &[usize]) {
        let rows = gradient.iter().zip(hessian.chunks_exact(gradient.len()));
        for (a, (slope, curvatures)) in rows.enumerate() {
            let row = positions[a];
            self.gradient[row][i] = *slope;
            for (column, curvature) in positions[..=a].iter().zip(curvatures) {
                self.hessian[packed_index(row, *column)][i] = *curvature;
            }
        }
    }
}

/// What is predicted for a row.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub enum Quantity {
    /// The expected outcome (for a binary outcome the probability of 1).
    #[default]
    Mean,
    /// The index of the outcome's equation.
    Linear,
    /// The probability that the outcome is the given one (a count, or the position of a category).
    Probability(f64),
}

/// The rows of a likelihood in linear indices.
pub(crate) trait RowModel: Send + Sync + std::fmt::Debug {
    /// Log-densities and as many derivatives as asked for.
    fn evaluate(&self, rows: &Inputs<'_>, order: Order, out: &mut Derivatives);

    /// Whether the log-density is concave in its only index.
    fn is_concave(&self) -> bool {
        false
    }

    /// Where a row with this first outcome wants its index; asked of concave models.
    fn recession(&self, outcome: f64) -> Recession {
        let _ = outcome;
        Recession::Fixed
    }

    /// What helps when the sample is separated.
    fn remedy_for_separation(&self) -> &'static str {
        "leave the named columns out"
    }

    /// The index at which a model of a constant alone has this mean outcome, when it is known in closed form.
    fn index_of_mean(&self, mean: f64) -> Option<f64> {
        let _ = mean;
        None
    }

    /// A predicted quantity at the indices of a row; `None` when the model has no such quantity.
    fn predict(&self, what: Quantity, indices: &[f64]) -> Option<f64> {
        match what {
            Quantity::Linear => indices.first().copied(),
            Quantity::Mean | Quantity::Probability(_) => None,
        }
    }
}

/// A log-density written once as a formula of `J` indices and the outcomes of a row; derivatives follow.
pub(crate) trait RowFormula<const J: usize>: Send + Sync + std::fmt::Debug {
    /// The log-density of a row; `y` has one entry an outcome.
    fn log_density<T: Scalar>(&self, y: &[f64], indices: [T; J]) -> T;

    /// See [`RowModel::predict`].
    fn predict(&self, what: Quantity, indices: &[f64]) -> Option<f64>;
}

/// A formula as a model.
#[derive(Clone, Debug)]
pub(crate) struct ByFormula<F, const J: usize>(pub(crate) F);

impl<F: RowFormula<J>, const J: usize> RowModel for ByFormula<F, J> {
    fn evaluate(&self, rows: &Inputs<'_>, order: Order, out: &mut Derivatives) {
        /// Outcomes of a row at most.
        const MOST: usize = 4;
        let count = rows.outcomes.len().min(MOST);
        let mut y = [0.0; MOST];
        for i in 0..rows.len {
            for (y, outcome) in y.iter_mut().zip(rows.outcomes) {
                *y = outcome[i];
            }
            let at: [f64; J] = std::array::from_fn(|j| rows.indices[j][i]);
            if order == Order::Value {
                out.value[i] = self.0.log_density(&y[..count], at);
            } else {
                let jet = self.0.log_density(&y[..count], Jet::variables(at));
                out.set(i, &jet, std::array::from_fn(|j| j));
            }
        }
    }

    fn predict(&self, what: Quantity, indices: &[f64]) -> Option<f64> {
        match what {
            Quantity::Linear => indices.first().copied(),
            _ => self.0.predict(what, indices),
        }
    }
}
