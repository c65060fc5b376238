//! Symmetric linear algebra: Cholesky with rank detection, inverses, matrix roots and quadratic forms.

use crate::error::{Error, Result};
use nalgebra::{DMatrix, DVector, SymmetricEigen};

/// A column whose share of variation left over by the earlier columns is below this is a linear combination of them.
/// Rounding in a centred, unit-scaled Gram is about 1e-15; an honest regressor has 1 − R² far above 1e-11.
pub const RANK_TOLERANCE: f64 = 1e-11;

/// Cholesky factor of a symmetric positive semi-definite matrix, taken in the given order of its columns; a column that
/// the earlier ones span is dropped and named by its index.
#[derive(Clone, Debug)]
pub struct Cholesky {
    /// Columns kept, in order.
    kept: Vec<usize>,
    /// Columns dropped, in order.
    dropped: Vec<usize>,
    /// Lower triangular factor of the kept block after unit scaling.
    lower: DMatrix<f64>,
    /// Square roots of the kept diagonal.
    scale: Vec<f64>,
    /// Smallest share of variation left over (1 − R²) among the kept columns.
    smallest_pivot: f64,
}

impl Cholesky {
    /// Factors `matrix`, dropping columns whose remaining diagonal is at most `tolerance` of their own diagonal. A column
    /// with a diagonal of zero (or not a number) is dropped too.
    pub fn with_tolerance(matrix: &DMatrix<f64>, tolerance: f64) -> Self {
        let p = matrix.nrows();
        let (mut kept, mut dropped, mut scale) = (Vec::new(), Vec::new(), Vec::new());
        let mut rows: Vec<Vec<f64>> = Vec::new();
        let mut smallest_pivot = 1.0_f64;
        for j in 0..p {
            let diagonal = matrix[(j, j)];
            if diagonal.is_nan() || diagonal <= 0.0 || diagonal.is_infinite() {
                dropped.push(j);
                continue;
            }
            let root = diagonal.sqrt();
            let mut row: Vec<f64> = Vec::with_capacity(kept.len() + 1);
            let mut left = 1.0;
            for (a, &i) in kept.iter().enumerate() {
                let other: &Vec<f64> = &rows[a];
                let dot: f64 = other[..a].iter().zip(&row).map(|(x, y)| x * y).sum();
                let value = (matrix[(i, j)] / scale[a] / root - dot) / other[a];
                left -= value * value;
                row.push(value);
            }
            if left.is_nan() || left <= tolerance {
                dropped.push(j);
                continue;
            }
            smallest_pivot = smallest_pivot.min(left);
            row.push(left.sqrt());
            rows.push(row);
            kept.push(j);
            scale.push(root);
        }
        let k = kept.len();
        let lower = DMatrix::from_fn(k, k, |i, j| if j <= i { rows[i][j] } else { 0.0 });
        Self {
            kept,
            dropped,
            lower,
            scale,
            smallest_pivot,
        }
    }

    /// Factors with [`RANK_TOLERANCE`].
    pub fn new(matrix: &DMatrix<f64>) -> Self {
        Self::with_tolerance(matrix, RANK_TOLERANCE)
    }

    /// Factors a matrix that must have full rank.
    ///
    /// # Errors
    /// [`Error::Matrix`] naming `what` when it is singular.
    pub fn full_rank(matrix: &DMatrix<f64>, what: &str) -> Result<Self> {
        let factor = Self::with_tolerance(matrix, f64::EPSILON * matrix.nrows() as f64);
        if factor.dropped.is_empty() {
            return Ok(factor);
        }
        Err(Error::Matrix {
            message: format!(
                "{what} is singular: {} of its {} columns are linear combinations of the others; remove redundant restrictions or columns",
                factor.dropped.len(),
                matrix.nrows()
            ),
        })
    }

    /// Indices of the columns that are kept.
    pub fn kept(&self) -> &[usize] {
        &self.kept
    }

    /// Indices of the columns that earlier ones span.
    pub fn dropped(&self) -> &[usize] {
        &self.dropped
    }

    /// Rank found.
    pub fn rank(&self) -> usize {
        self.kept.len()
    }

    /// Smallest 1 − R² of a kept column on the earlier ones: how close to collinear the columns are.
    pub fn smallest_pivot(&self) -> f64 {
        self.smallest_pivot
    }

    /// Solves for the kept block; `right` has one row per kept column.
    pub fn solve(&self, right: &DMatrix<f64>) -> DMatrix<f64> {
        let mut x = right.clone();
        for (i, s) in self.scale.iter().enumerate() {
            x.row_mut(i).scale_mut(1.0 / s);
        }
        self.lower.solve_lower_triangular_unchecked_mut(&mut x);
        self.lower.tr_solve_lower_triangular_unchecked_mut(&mut x);
        for (i, s) in self.scale.iter().enumerate() {
            x.row_mut(i).scale_mut(1.0 / s);
        }
        x
    }

    /// Solves for one right-hand side of the kept block.
    pub fn solve_vector(&self, right: &DVector<f64>) -> DVector<f64> {
        let solution = self.solve(&DMatrix::from_column_slice(
            right.len(),
            1,
            right.as_slice(),
        ));
        DVector::from_column_slice(solution.as_slice())
    }

    /// Inverse of the kept block, symmetric to the bit.
    pub fn inverse(&self) -> DMatrix<f64> {
        let k = self.rank();
        symmetrize(&self.solve(&DMatrix::identity(k, k)))
    }

    /// The lower triangular factor `F` with `F F' = A` of the kept block.
    pub fn root(&self) -> DMatrix<f64> {
        DMatrix::from_fn(self.rank(), self.rank(), |i, j| {
            self.scale[i] * self.lower[(i, j)]
        })
    }

    /// The factor `R` with `R R' = A⁻¹` of the kept block (upper triangular), so that rows `x'R` are whitened.
    pub fn inverse_root(&self) -> DMatrix<f64> {
        let k = self.rank();
        let mut root = DMatrix::identity(k, k);
        self.lower
            .tr_solve_lower_triangular_unchecked_mut(&mut root);
        for (i, s) in self.scale.iter().enumerate() {
            root.row_mut(i).scale_mut(1.0 / s);
        }
        root
    }
}

/// `(A + A') / 2`.
pub fn symmetrize(a: &DMatrix<f64>) -> DMatrix<f64> {
    DMatrix::from_fn(a.nrows(), a.ncols(), |i, j| {
        f64::midpoint(a[(i, j)], a[(j, i)])
    })
}

/// `T' A T`, symmetric to the bit.
pub fn sandwich(a: &DMatrix<f64>, t: &DMatrix<f64>) -> DMatrix<f64> {
    symmetrize(&(t.transpose() * a * t))
}

/// The block of `a` with these rows and columns.
pub fn block(a: &DMatrix<f64>, rows: &[usize], columns: &[usize]) -> DMatrix<f64> {
    DMatrix::from_fn(rows.len(), columns.len(), |i, j| a[(rows[i], columns[j])])
}

/// `V f(λ) V'` of a symmetric matrix.
pub fn spectral(a: &DMatrix<f64>, f: impl Fn(f64) -> f64) -> DMatrix<f64> {
    if a.is_empty() {
        return a.clone();
    }
    let eigen = SymmetricEigen::new(symmetrize(a));
    let scaled = DMatrix::from_fn(a.nrows(), a.nrows(), |i, j| {
        eigen.eigenvectors[(i, j)] * f(eigen.eigenvalues[j])
    });
    symmetrize(&(scaled * eigen.eigenvectors.transpose()))
}

/// Makes a covariance positive semi-definite by setting negative eigenvalues to zero (Cameron, Gelbach & Miller 2011,
/// section 2.3). Returns the smallest eigenvalue relative to the largest when it was negative beyond rounding.
pub fn nearest_semidefinite(a: &DMatrix<f64>) -> (DMatrix<f64>, Option<f64>) {
    if a.nrows() == 0 {
        return (a.clone(), None);
    }
    // The diagonal may span many orders of magnitude: judge and repair the correlation matrix.
    let scale: Vec<f64> = a.diagonal().iter().map(|v| v.abs().sqrt()).collect();
    // Where there is no variance there is no covariance: what stands beside a zero is rounding.
    let unit = DMatrix::from_fn(a.nrows(), a.ncols(), |i, j| {
        if scale[i] > 0.0 && scale[j] > 0.0 {
            a[(i, j)] / scale[i] / scale[j]
        } else {
            0.0
        }
    });
    let values = SymmetricEigen::new(symmetrize(&unit)).eigenvalues;
    let (low, high) = (values.min(), values.max());
    if low >= -f64::EPSILON * 16.0 * a.nrows() as f64 * high.abs() {
        return (a.clone(), None);
    }
    let repaired = spectral(&unit, |v| v.max(0.0));
    let back = DMatrix::from_fn(a.nrows(), a.ncols(), |i, j| {
        repaired[(i, j)] * scale[i] * scale[j]
    });
    (back, Some(low / high))
}

/// `x' A x`.
pub fn quadratic_form(a: &DMatrix<f64>, x: &DVector<f64>) -> f64 {
    (a * x).dot(x)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> DMatrix<f64> {
        let x = DMatrix::from_fn(9, 3, |i, j| {
            ((i * 7 + j * 3) % 5) as f64 + (i * j) as f64 * 0.3
        });
        x.transpose() * x
    }

    #[test]
    fn the_inverse_inverts_and_its_root_squares_to_it() {
        let a = example();
        let factor = Cholesky::new(&a);
        assert_eq!(factor.rank(), 3);
        let error = (&a * factor.inverse() - DMatrix::identity(3, 3)).amax();
        assert!(error < 1e-12, "{error}");
        let root = factor.inverse_root();
        assert!((&root * root.transpose() - factor.inverse()).amax() < 1e-12);
    }

    #[test]
    fn a_repeated_column_is_dropped_where_it_stands() {
        let a = example();
        let with = DMatrix::from_fn(4, 4, |i, j| {
            let at = |k: usize| {
                if k == 2 {
                    0
                } else {
                    k.min(2).max(if k > 2 { 2 } else { k })
                }
            };
            a[(at(i), at(j))]
        });
        let factor = Cholesky::new(&with);
        assert_eq!(factor.kept(), &[0, 1, 3]);
        assert_eq!(factor.dropped(), &[2]);
        assert!(Cholesky::full_rank(&with, "the test matrix").is_err());
    }

    #[test]
    fn the_scale_of_a_column_does_not_decide_its_rank() {
        let a = example();
        let d = DMatrix::from_diagonal(&DVector::from_vec(vec![1e-9, 1.0, 1e12]));
        assert_eq!(Cholesky::new(&(&d * &a * &d)).rank(), 3);
    }

    #[test]
    fn negative_eigenvalues_are_cut() {
        let a = DMatrix::from_row_slice(2, 2, &[1.0, 2.0, 2.0, 1.0]);
        let (fixed, smallest) = nearest_semidefinite(&a);
        assert!(smallest.unwrap() < -0.3);
        assert!(SymmetricEigen::new(fixed).eigenvalues.min() > -1e-12);
        assert!(nearest_semidefinite(&example()).1.is_none());
        let zero = DMatrix::from_row_slice(2, 2, &[0.0, 1e-17, 1e-17, 1.0]);
        assert!(nearest_semidefinite(&zero).0.iter().all(|v| v.is_finite()));
        assert!(nearest_semidefinite(&DMatrix::zeros(0, 0)).1.is_none());
    }
}
