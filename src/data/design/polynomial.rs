//! Polynomials of a column: plain powers, or orthogonal over the rows used.

use crate::data::rows::Rows;
use crate::error::{Error, Result};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Orthonormal polynomials of degree 1 to `degree` over the used rows, as R's `poly`: orthogonal to the constant and to
/// each other, sum of squares 1, positive leading coefficient. They come from the three-term recurrence
/// p₍ₖ₊₁₎ = (x − aₖ) pₖ − bₖ p₍ₖ₋₁₎ with aₖ = Σx pₖ²/Σpₖ², bₖ = Σpₖ²/Σp₍ₖ₋₁₎².
///
/// # Errors
/// [`Error::InvalidOption`] when there are not more distinct values than `degree`.
///
/// # References
/// Forsythe (1957), Generation and use of orthogonal polynomials for data-fitting, doi:10.1137/0105007.
pub(super) fn orthogonal(
    values: &[f64],
    rows: &Rows,
    degree: usize,
    name: &str,
) -> Result<Vec<Arc<Vec<f64>>>> {
    let used = |v: &[f64], i: usize| v[rows.index(i)];
    let mut distinct = BTreeSet::new();
    let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
    for i in 0..rows.len() {
        let v = used(values, i) + 0.0;
        if distinct.len() <= degree {
            distinct.insert(v.to_bits());
        }
        low = low.min(v);
        high = high.max(v);
    }
    if distinct.len() <= degree {
        return Err(Error::invalid_option(
            &format!("degree of {name}"),
            degree,
            format!(
                "less than the number of distinct values, here {}",
                distinct.len()
            ),
        ));
    }
    // a map to [-1, 1] keeps the powers in range and changes neither directions nor signs
    let (middle, half) = (low / 2.0 + high / 2.0, high / 2.0 - low / 2.0);
    let x: Vec<f64> = values.iter().map(|v| (v - middle) / half).collect();
    let sum =
        |term: &dyn Fn(usize) -> f64| -> f64 { (0..rows.len()).map(|i| term(rows.index(i))).sum() };
    let mut previous = vec![0.0; x.len()];
    let mut current = vec![1.0; x.len()];
    let (mut norm, mut b) = (rows.len() as f64, 0.0);
    let mut columns = Vec::with_capacity(degree);
    for _ in 0..degree {
        let a = sum(&|r| x[r] * current[r] * current[r]) / norm;
        let next: Vec<f64> = (0..x.len())
            .map(|r| (x[r] - a) * current[r] - b * previous[r])
            .collect();
        let squares = sum(&|r| next[r] * next[r]);
        b = squares / norm;
        norm = squares;
        let length = squares.sqrt();
        columns.push(Arc::new(next.iter().map(|v| v / length).collect()));
        previous = std::mem::replace(&mut current, next);
    }
    Ok(columns)
}

/// x, x², … up to `degree`.
pub(super) fn powers(values: &Arc<Vec<f64>>, degree: usize) -> Vec<Arc<Vec<f64>>> {
    let mut columns = vec![Arc::clone(values)];
    while columns.len() < degree {
        let last = &columns[columns.len() - 1];
        let next = last.iter().zip(values.iter()).map(|(p, x)| p * x).collect();
        columns.push(Arc::new(next));
    }
    columns
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equally_spaced_points_give_the_tabulated_contrasts() {
        // contr.poly(5): linear −2 −1 0 1 2 / √10, quadratic 2 −1 −2 −1 2 / √14, cubic −1 2 0 −2 1 / √10
        let x = [1.0, 2.0, 3.0, 4.0, 5.0];
        let table = [
            ([-2.0, -1.0, 0.0, 1.0, 2.0], 10.0_f64),
            ([2.0, -1.0, -2.0, -1.0, 2.0], 14.0),
            ([-1.0, 2.0, 0.0, -2.0, 1.0], 10.0),
        ];
        let columns = orthogonal(&x, &Rows::all(5), 3, "poly(x, 3)").unwrap();
        for (column, (expected, squares)) in columns.iter().zip(table) {
            for (value, e) in column.iter().zip(expected) {
                assert!((value - e / squares.sqrt()).abs() < 1e-15);
            }
        }
    }

    #[test]
    fn unused_rows_do_not_matter_and_distinct_values_are_counted() {
        let x = [1.0, 2.0, f64::NAN, 3.0, 4.0, 5.0, 1e9];
        let rows = Rows::some(7, vec![0, 1, 3, 4, 5]);
        let columns = orthogonal(&x, &rows, 2, "p").unwrap();
        assert!((columns[0][0] + 2.0 / 10.0_f64.sqrt()).abs() < 1e-15);
        let error = orthogonal(&[1.0, 1.0, 2.0], &Rows::all(3), 2, "poly(x, 2)").unwrap_err();
        assert!(error.to_string().contains("here 2"), "{error}");
    }
}
