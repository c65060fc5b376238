//! Numerical derivatives by extrapolated central differences.
//!
//! Central differences have an error in even powers of the step, so halving the step and extrapolating to zero
//! (Richardson; Ridders 1982, doi:10.1016/S0141-1195(82)80057-0) removes one power at a time. The step starts at a tenth of
//! `|x|`, and the table with the smallest estimated error wins; when the first table is poor (the function varies faster
//! than `x` suggests, or leaves its domain) a smaller first step is tried. Smooth functions get about 11–12 digits for first
//! and 8–9 for second derivatives.

use crate::error::{Error, Result};
use nalgebra::DMatrix;

/// First step relative to `|x|`.
const RELATIVE_STEP: f64 = 0.1;
/// First step where `x` is near zero and gives no scale.
const ABSOLUTE_STEP: f64 = 0.02;
/// Rows of the extrapolation table: the last step is 2⁻⁷ of the first.
const LEVELS: usize = 8;
/// Each step is the one before over this.
const SHRINK: f64 = 2.0;
/// First steps tried, each [`RESTART`] times the one before.
const TABLES: usize = 7;
const RESTART: f64 = 1.0 / 32.0;
/// Rounding of a difference over the first step, in units of its values' last place, that is good enough for zero.
const ROUNDING_UNITS: f64 = 64.0;
/// A table this good (error relative to the derivative) needs no other.
const GOOD: f64 = 1e-11;
/// Second derivatives lose about the square root of the digits.
const GOOD_SECOND: f64 = 1e-9;

/// The gradient of `f` at `x`.
///
/// # Errors
/// [`Error::NotFinite`] when `f` is not finite at `x` or at all steps around it.
///
/// ```
/// use cocreate::numeric::derivative::gradient;
/// let found = gradient(|x| x[0].exp() / x[1], &[1.0, 2.0])?;
/// assert!((found[0] - 1f64.exp() / 2.0).abs() < 1e-10);
/// # Ok::<(), cocreate::Error>(())
/// ```
pub fn gradient(f: impl Fn(&[f64]) -> f64, x: &[f64]) -> Result<Vec<f64>> {
    let jacobian = jacobian_of(&|p| vec![f(p)], x)?;
    Ok(jacobian.iter().copied().collect())
}

/// The Jacobian of `f` at `x`: row `i`, column `j` is `∂fᵢ/∂xⱼ`.
///
/// # Errors
/// [`Error::NotFinite`] when `f` is not finite at `x` or at all steps around it; [`Error::Matrix`] when `f` changes its
/// length.
pub fn jacobian(f: impl Fn(&[f64]) -> Vec<f64>, x: &[f64]) -> Result<DMatrix<f64>> {
    jacobian_of(&f, x)
}

/// Compiled once, whatever the function.
fn jacobian_of(f: &dyn Fn(&[f64]) -> Vec<f64>, x: &[f64]) -> Result<DMatrix<f64>> {
    let here = f(x);
    check_finite(&here)?;
    let mut out = DMatrix::zeros(here.len(), x.len());
    for j in 0..x.len() {
        let central = |h: f64| {
            let mut point = x.to_vec();
            point[j] = x[j] + h;
            let (up, above) = (point[j] - x[j], f(&point));
            point[j] = x[j] - h;
            let (down, below) = (x[j] - point[j], f(&point));
            // The representable steps, so that their rounding is not in the quotient.
            let width = up + down;
            above
                .iter()
                .zip(&below)
                .map(|(a, b)| Difference {
                    value: (a - b) / width,
                    size: a.abs().max(b.abs()),
                })
                .collect()
        };
        let column = extrapolate(&central, first_step(x[j]), 1, here.len(), GOOD)?;
        for (i, value) in column.into_iter().enumerate() {
            out[(i, j)] = value;
        }
    }
    Ok(out)
}

/// The Hessian of `f` at `x` from values only.
///
/// # Errors
/// [`Error::NotFinite`] when `f` is not finite at `x` or at all steps around it.
pub fn hessian(f: impl Fn(&[f64]) -> f64, x: &[f64]) -> Result<DMatrix<f64>> {
    hessian_of(&f, x)
}

/// Compiled once, whatever the function.
fn hessian_of(f: &dyn Fn(&[f64]) -> f64, x: &[f64]) -> Result<DMatrix<f64>> {
    let n = x.len();
    let here = f(x);
    check_finite(&[here])?;
    let shifted = |moves: &[(usize, f64)]| {
        let mut point = x.to_vec();
        for (k, h) in moves {
            point[*k] += h;
        }
        f(&point)
    };
    let mut out = DMatrix::zeros(n, n);
    for i in 0..n {
        for j in 0..=i {
            let (hi, hj) = (first_step(x[i]), first_step(x[j]));
            // Both steps shrink together: the error is even in their common factor t.
            let second = |t: f64| {
                let (a, b) = (exact_step(x[i], t * hi), exact_step(x[j], t * hj));
                let (values, area) = if i == j {
                    (
                        [shifted(&[(i, a)]), -here, -here, shifted(&[(i, -a)])],
                        a * a,
                    )
                } else {
                    (
                        [
                            shifted(&[(i, a), (j, b)]),
                            -shifted(&[(i, a), (j, -b)]),
                            -shifted(&[(i, -a), (j, b)]),
                            shifted(&[(i, -a), (j, -b)]),
                        ],
                        4.0 * a * b,
                    )
                };
                vec![Difference {
                    value: values.iter().sum::<f64>() / area,
                    size: values.iter().fold(0.0, |m, v| v.abs().max(m)) / (hi * hj),
                }]
            };
            let found = extrapolate(&second, 1.0, 2, 1, GOOD_SECOND)?;
            out[(i, j)] = found[0];
            out[(j, i)] = found[0];
        }
    }
    Ok(out)
}

/// The first step of a coordinate.
fn first_step(x: f64) -> f64 {
    (RELATIVE_STEP * x.abs()).max(ABSOLUTE_STEP)
}

/// The step nearest to `h` whose both sides of `x` are representable to within rounding.
fn exact_step(x: f64, h: f64) -> f64 {
    let up = x + h;
    up - x
}

/// A difference quotient and the size of the values it was made of.
struct Difference {
    value: f64,
    size: f64,
}

/// Extrapolates every component of `difference(h)` to `h = 0`, where the difference is of the given order.
fn extrapolate(
    difference: &dyn Fn(f64) -> Vec<Difference>,
    first: f64,
    order: i32,
    components: usize,
    good: f64,
) -> Result<Vec<f64>> {
    let mut best = vec![(f64::NAN, f64::INFINITY); components];
    // The largest value met stands for the rounding of all: a difference over too small a step is then known to be noise
    // even if it happens to be zero.
    let mut sizes = vec![0.0_f64; components];
    let mut start = first;
    for _ in 0..TABLES {
        let (steps, rows) = finite_rows(difference, start, components)?;
        for k in 0..components {
            let largest = rows.iter().fold(0.0, |m, row| row[k].size.max(m));
            sizes[k] = sizes[k].max(largest);
            let column: Vec<(f64, f64)> = rows
                .iter()
                .zip(&steps)
                .map(|(row, h)| (row[k].value, f64::EPSILON * sizes[k] / h.powi(order)))
                .collect();
            let found = table(&column);
            if found.1 < best[k].1 {
                best[k] = found;
            }
        }
        let done = best.iter().zip(&sizes).all(|((value, error), size)| {
            let floor = ROUNDING_UNITS * f64::EPSILON * size / first.powi(order);
            *error <= good * value.abs() || *error <= floor
        });
        if done {
            break;
        }
        start *= RESTART;
    }
    if best.iter().all(|(value, _)| value.is_finite()) {
        return Ok(best.into_iter().map(|(value, _)| value).collect());
    }
    Err(Error::NotFinite {
        what: "the function around the point of differentiation".to_owned(),
    })
}

/// Differences at the steps `h, h/2, h/4, …`; rows that are not finite (outside the domain) are left out at the front.
fn finite_rows(
    difference: &dyn Fn(f64) -> Vec<Difference>,
    first: f64,
    components: usize,
) -> Result<(Vec<f64>, Vec<Vec<Difference>>)> {
    let mut steps = Vec::with_capacity(LEVELS);
    let mut rows = Vec::with_capacity(LEVELS);
    let mut h = first;
    for _ in 0..LEVELS {
        let row = difference(h);
        if row.len() != components {
            return Err(Error::Matrix {
                message: format!(
                    "the function returned {} values where it returned {components} before",
                    row.len()
                ),
            });
        }
        if row.iter().all(|d| d.value.is_finite()) {
            steps.push(h);
            rows.push(row);
        } else {
            steps.clear();
            rows.clear();
        }
        h /= SHRINK;
    }
    Ok((steps, rows))
}

/// Neville's table over `h²` from differences and their rounding errors; the entry with the smallest estimated error and
/// that estimate (Ridders 1982).
fn table(column: &[(f64, f64)]) -> (f64, f64) {
    let mut best = (f64::NAN, f64::INFINITY);
    let mut previous: Vec<f64> = Vec::new();
    for &(value, rounding) in column {
        let mut row = vec![value];
        let mut factor = SHRINK * SHRINK;
        for (k, &above) in previous.iter().enumerate() {
            let left = row[k];
            let next = (factor * left - above) / (factor - 1.0);
            // The change against both neighbours bounds the error of the truncation.
            let error = (next - left).abs().max((next - above).abs()) + rounding;
            if error < best.1 {
                best = (next, error);
            }
            row.push(next);
            factor *= SHRINK * SHRINK;
        }
        previous = row;
    }
    best
}

fn check_finite(values: &[f64]) -> Result<()> {
    if values.iter().all(|v| v.is_finite()) {
        return Ok(());
    }
    Err(Error::NotFinite {
        what: "the function at the point of differentiation".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn close(found: f64, exact: f64, relative: f64) -> bool {
        (found - exact).abs() <= relative * exact.abs()
    }

    #[test]
    fn first_derivatives_have_ten_digits() {
        type Case = (fn(f64) -> f64, fn(f64) -> f64, f64);
        let cases: [Case; 11] = [
            (f64::exp, f64::exp, 1.0),
            (f64::exp, f64::exp, 0.0),
            (f64::exp, f64::exp, -20.0),
            (f64::ln, f64::recip, 1e-6),
            (f64::ln, f64::recip, 123.0),
            (|x| 1.0 / x, |x| -1.0 / (x * x), 1e-3),
            (|x| 1.0 / x, |x| -1.0 / (x * x), -4e5),
            (f64::sin, f64::cos, 30.0),
            (f64::sqrt, |x| 0.5 / x.sqrt(), 1e-9),
            (
                |x| 1.0 / (1.0 + (-x).exp()),
                |x| 1.0 / (2.0 + x.exp() + (-x).exp()),
                2.0,
            ),
            (
                |x| (1e-3 * x).tanh(),
                |x| 1e-3 / (1e-3 * x).cosh().powi(2),
                0.5,
            ),
        ];
        for (k, (f, exact, x)) in cases.into_iter().enumerate() {
            let found = gradient(|p| f(p[0]), &[x]).unwrap()[0];
            let exact = exact(x);
            assert!(
                close(found, exact, 1e-10),
                "case {k}: {found:e} and {exact:e}"
            );
        }
    }

    #[test]
    fn a_ratio_of_coefficients_has_ten_digits() {
        // Willingness to pay −a/b and its gradient, the usual case of the delta method.
        let found = gradient(|p| -p[0] / p[1], &[0.83, -0.0021]).unwrap();
        assert!(close(found[0], 1.0 / 0.0021, 1e-10));
        assert!(close(found[1], 0.83 / (0.0021 * 0.0021), 1e-10));
    }

    #[test]
    fn the_jacobian_of_spherical_coordinates() {
        let f = |p: &[f64]| {
            vec![
                p[0] * p[1].sin() * p[2].cos(),
                p[0] * p[1].sin() * p[2].sin(),
                p[0] * p[1].cos(),
            ]
        };
        let (r, t) = (2.0, 0.7);
        let found = jacobian(f, &[r, t, -1.1]).unwrap();
        assert!(close(found.determinant(), r * r * f64::sin(t), 1e-10));
        assert!(found[(2, 2)].abs() < 1e-12);
    }

    #[test]
    fn second_derivatives_have_eight_digits() {
        let f = |p: &[f64]| (p[0] * p[1]).exp() + p[0].powi(3) * p[2].ln();
        let (x, y, z) = (0.4, -1.5, 3.0_f64);
        let found = hessian(f, &[x, y, z]).unwrap();
        let e = (x * y).exp();
        let exact = [
            [
                y * y * e + 6.0 * x * z.ln(),
                (1.0 + x * y) * e,
                3.0 * x * x / z,
            ],
            [(1.0 + x * y) * e, x * x * e, 0.0],
            [3.0 * x * x / z, 0.0, -x.powi(3) / (z * z)],
        ];
        for i in 0..3 {
            for j in 0..3 {
                let error = (found[(i, j)] - exact[i][j]).abs();
                assert!(error < 1e-8, "{i} {j}: {error:e}");
            }
        }
    }

    #[test]
    fn a_point_outside_the_domain_is_refused() {
        assert!(matches!(
            gradient(|p| p[0].ln(), &[-1.0]),
            Err(Error::NotFinite { .. })
        ));
        assert!(matches!(
            gradient(|p| p[0].sqrt(), &[0.0]),
            Err(Error::NotFinite { .. })
        ));
    }

    proptest! {
        #[test]
        fn cubics_are_differentiated_exactly(
            c in prop::array::uniform4(-10.0..10.0f64), x in -100.0..100.0f64,
        ) {
            let f = |p: &[f64]| c[0] + p[0] * (c[1] + p[0] * (c[2] + p[0] * c[3]));
            let exact = c[1] + x * (2.0 * c[2] + x * 3.0 * c[3]);
            let size = c[1].abs() + x.abs() * (2.0 * c[2].abs() + x.abs() * 3.0 * c[3].abs()) + c[0].abs();
            let found = gradient(f, &[x]).unwrap()[0];
            prop_assert!((found - exact).abs() <= 1e-11 * size, "{found} {exact}");
        }
    }
}
