//! The quadratic model of a function at a point, in scaled eigen-coordinates.

use nalgebra::linalg::SymmetricEigen;
use nalgebra::{DMatrix, DVector};

/// An eigenvalue of the unit-diagonal Hessian below this share of the largest counts as zero: what is left of it is
/// rounding of the cross-products.
const SINGULAR: f64 = 1e-13;
/// A negative eigenvalue beyond this share of the largest is curvature, not rounding.
const NEGATIVE: f64 = 1e-9;
/// Newton steps along eigenvectors whose curvature is below this share of the largest are shortened to it.
const FLOOR: f64 = 1e-8;
/// Sweeps of the eigenvalue iteration per row before it gives up (30 is the usual bound).
const SWEEPS: usize = 100;
/// Steps of the secular equation's bisection and Newton hybrid; each halves the bracket at worst.
const SECULAR_STEPS: usize = 200;

/// `f(x + Sz) ≈ f + c'z + ½ z'Λz`, with `S` the diagonal scale and `z` in eigen-coordinates.
pub(super) struct Model {
    eigenvalues: DVector<f64>,
    eigenvectors: DMatrix<f64>,
    gradient: DVector<f64>,
    scale: Vec<f64>,
}

/// A step in the original coordinates and what the model says of it.
pub(super) struct Step {
    pub(super) vector: Vec<f64>,
    /// Length in the scaled coordinates.
    pub(super) length: f64,
    /// The model's decrease of the function.
    pub(super) decrease: f64,
}

/// Scales that give the Hessian a unit diagonal, so that badly scaled variables do no harm.
pub(super) fn unit_diagonal(hessian: &DMatrix<f64>) -> Vec<f64> {
    hessian
        .diagonal()
        .iter()
        .map(|h| {
            let s = h.abs().sqrt().recip();
            if s.is_finite() { s } else { 1.0 }
        })
        .collect()
}

impl Model {
    /// The model, or `None` when the Hessian is not finite.
    pub(super) fn new(hessian: &DMatrix<f64>, gradient: &[f64], scale: Vec<f64>) -> Option<Self> {
        let n = gradient.len();
        let scaled = DMatrix::from_fn(n, n, |i, j| hessian[(i, j)] * scale[i] * scale[j]);
        if !scaled.iter().all(|v| v.is_finite()) {
            return None;
        }
        let eigen = SymmetricEigen::try_new(scaled, f64::EPSILON, SWEEPS * n.max(1))?;
        let scaled_gradient =
            DVector::from_iterator(n, gradient.iter().zip(&scale).map(|(g, s)| g * s));
        let gradient = eigen.eigenvectors.tr_mul(&scaled_gradient);
        Some(Self {
            eigenvalues: eigen.eigenvalues,
            eigenvectors: eigen.eigenvectors,
            gradient,
            scale,
        })
    }

    fn largest(&self) -> f64 {
        self.eigenvalues.amax()
    }

    fn smallest(&self) -> f64 {
        self.eigenvalues.min()
    }

    /// Whether the Hessian is positive definite beyond rounding.
    pub(super) fn is_positive_definite(&self) -> bool {
        self.smallest() > SINGULAR * self.largest()
    }

    /// Whether some direction curves down beyond rounding.
    pub(super) fn has_negative_curvature(&self) -> bool {
        self.smallest() < -NEGATIVE * self.largest()
    }

    /// The decrement `g'H⁻¹g` where the Hessian is positive definite.
    pub(super) fn decrement(&self) -> f64 {
        self.gradient
            .iter()
            .zip(self.eigenvalues.iter())
            .map(|(c, l)| c * c / l)
            .sum()
    }

    /// The Newton step; where the Hessian is not positive definite each eigenvalue is replaced by its absolute value,
    /// floored, so that the step descends and leaves saddles (Nocedal & Wright 2006, § 3.4).
    pub(super) fn newton(&self) -> Step {
        let definite = self.is_positive_definite();
        let floor = FLOOR * self.largest();
        let z = self.gradient.zip_map(&self.eigenvalues, |c, l| {
            let curvature = if definite { l } else { l.abs().max(floor) };
            // A function that is flat to second order leaves only the gradient to go by.
            if curvature > 0.0 { -c / curvature } else { -c }
        });
        self.step(&z)
    }

    /// A downhill unit step along the direction of most negative curvature, and that curvature's size.
    pub(super) fn escape(&self) -> (Step, f64) {
        let k = self.eigenvalues.imin();
        let mut z = DVector::zeros(self.gradient.len());
        z[k] = if self.gradient[k] > 0.0 { -1.0 } else { 1.0 };
        (self.step(&z), -self.eigenvalues[k])
    }

    /// The minimiser of the model within `radius` (scaled coordinates): the exact solution of the trust-region problem by
    /// its secular equation (Moré & Sorensen 1983, doi:10.1137/0904038), the hard case included.
    pub(super) fn within(&self, radius: f64) -> Step {
        if self.is_positive_definite() {
            let newton = self.newton();
            if newton.length <= radius {
                return newton;
            }
        }
        let shifted = |mu: f64| {
            self.gradient
                .zip_map(&self.eigenvalues, |c, l| -c / (l + mu))
        };
        // ‖z(μ)‖ falls in μ from the pole at −λ_min, and is below the radius at ‖c‖/Δ − λ_min.
        let pole = (-self.smallest()).max(0.0);
        let mut low = pole + SINGULAR * self.largest().max(f64::MIN_POSITIVE);
        if shifted(low).norm() <= radius {
            return self.step(&self.hard_case(shifted(low), radius));
        }
        let mut high = (self.gradient.norm() / radius + pole).max(2.0 * low);
        for _ in 0..SECULAR_STEPS {
            // Geometric bisection: μ may range over many orders of magnitude.
            let middle = pole + ((low - pole) * (high - pole)).sqrt();
            if !(middle > low && middle < high) {
                break;
            }
            if shifted(middle).norm() > radius {
                low = middle;
            } else {
                high = middle;
            }
        }
        self.step(&shifted(high))
    }

    /// The gradient has (almost) no part along the lowest eigenvector: go along it to the boundary.
    fn hard_case(&self, mut z: DVector<f64>, radius: f64) -> DVector<f64> {
        let k = self.eigenvalues.imin();
        z[k] = 0.0;
        let rest = (radius * radius - z.norm_squared()).max(0.0).sqrt();
        z[k] = if self.gradient[k] > 0.0 { -rest } else { rest };
        z
    }

    fn step(&self, z: &DVector<f64>) -> Step {
        let decrease = -z
            .iter()
            .zip(self.gradient.iter().zip(self.eigenvalues.iter()))
            .map(|(z, (c, l))| z * (c + 0.5 * l * z))
            .sum::<f64>();
        let scaled = &self.eigenvectors * z;
        Step {
            vector: scaled.iter().zip(&self.scale).map(|(v, s)| v * s).collect(),
            length: z.norm(),
            decrease,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_constrained_step_meets_the_optimality_conditions() {
        // (H + μI)p = −g with μ ≥ 0 and ‖p‖ = Δ, for a definite, an indefinite and a hard case.
        let cases: [([f64; 4], [f64; 2]); 3] = [
            ([4.0, 1.0, 1.0, 3.0], [10.0, -7.0]),
            ([1.0, 2.0, 2.0, -3.0], [0.5, 1.0]),
            ([2.0, 0.0, 0.0, -1.0], [1.0, 0.0]),
        ];
        for (h, g) in cases {
            let h = DMatrix::from_row_slice(2, 2, &h);
            let model = Model::new(&h, &g, vec![1.0; 2]).unwrap();
            let step = model.within(0.7);
            assert!((step.length - 0.7).abs() < 1e-12, "{}", step.length);
            let p = DVector::from_vec(step.vector);
            let residual = &h * &p + DVector::from_row_slice(&g);
            let mu = -residual.dot(&p) / p.norm_squared();
            assert!(mu >= -model.smallest() - 1e-9);
            assert!((residual + &p * mu).norm() < 1e-9);
        }
    }

    #[test]
    fn definiteness_does_not_depend_on_the_units() {
        let h = DMatrix::from_row_slice(2, 2, &[1e12, 1.0, 1.0, 1e-8]);
        let model = Model::new(&h, &[1.0, 1.0], unit_diagonal(&h)).unwrap();
        assert!(model.is_positive_definite());
        let h = DMatrix::from_row_slice(2, 2, &[4.0, 2.0, 2.0, 1.0]);
        let model = Model::new(&h, &[1.0, 1.0], unit_diagonal(&h)).unwrap();
        assert!(!model.is_positive_definite() && !model.has_negative_curvature());
    }
}
