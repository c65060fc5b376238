//! A search by values alone, for functions with kinks.

use crate::error::{Error, Result};

/// Evaluations in each of the searches of one call, a parameter.
const EVALUATIONS: usize = 250;
/// A search ends when the values of its simplex differ by less than this share.
const FLAT: f64 = 1e-11;
/// No new search begins when the last one gained less than this share.
const GAINED: f64 = 1e-7;

/// The lowest point that was found, and the function there.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Lowest {
    pub(crate) point: Vec<f64>,
    pub(crate) value: f64,
}

/// A local minimum of `f` near `start` by the simplex search of Nelder & Mead (1965, doi:10.1093/comjnl/7.4.308), whose coefficients depend on the dimension as Gao & Han (2012,
/// doi:10.1007/s10589-010-9329-3) advise, and which begins again with a fresh simplex, `restarts` times at most, as long as that helps. It needs no gradient and knows no certificate: a point that it returns need not be
/// a minimum. Infinite values count as high.
///
/// # Errors
/// `NotFinite` when `f` is NaN or nowhere finite on the first simplex; those of `f`.
pub(crate) fn nelder_mead(
    mut f: impl FnMut(&[f64]) -> Result<f64>,
    start: &[f64],
    step: f64,
    restarts: usize,
) -> Result<Lowest> {
    let mut f = |point: &[f64]| -> Result<f64> {
        let value = f(point)?;
        if value.is_nan() {
            return Err(Error::NotFinite {
                what: "a function searched by its values".to_owned(),
            });
        }
        Ok(value)
    };
    let mut best = search(&mut f, start, step)?;
    for _ in 0..restarts {
        let next = search(&mut f, &best.point, step)?;
        let gained = best.value - next.value;
        if gained > 0.0 {
            best = next;
        }
        if gained <= GAINED * best.value.abs() {
            break;
        }
    }
    if best.value.is_finite() {
        Ok(best)
    } else {
        Err(Error::NotFinite {
            what: "a function searched by its values, everywhere on its first simplex".to_owned(),
        })
    }
}

/// One search.
fn search(f: &mut impl FnMut(&[f64]) -> Result<f64>, start: &[f64], step: f64) -> Result<Lowest> {
    let n = start.len();
    let size = n.max(2) as f64;
    let (expand, contract, shrink) = (1.0 + 2.0 / size, 0.75 - 0.5 / size, 1.0 - 1.0 / size);
    let mut simplex = Vec::with_capacity(n + 1);
    for corner in 0..=n {
        let mut point = start.to_vec();
        if corner > 0 {
            point[corner - 1] += step;
        }
        let value = f(&point)?;
        simplex.push(Lowest { point, value });
    }
    let mut evaluations = n + 1;
    while evaluations < EVALUATIONS * (n + 1) {
        // A stable order: of equal values the older stays in front.
        simplex.sort_by(|a, b| a.value.total_cmp(&b.value));
        let (low, high) = (simplex[0].value, simplex[n].value);
        if high - low <= FLAT * low.abs() || n == 0 {
            break;
        }
        let centre: Vec<f64> = (0..n)
            .map(|k| simplex[..n].iter().map(|c| c.point[k]).sum::<f64>() / n as f64)
            .collect();
        // The worst corner mirrored at the others, as far as `by` of its distance.
        let mirrored = |by: f64| -> Vec<f64> {
            (centre.iter().zip(&simplex[n].point))
                .map(|(centre, worst)| centre + by * (centre - worst))
                .collect()
        };
        let mut tried = |by: f64| -> Result<Lowest> {
            let point = mirrored(by);
            let value = f(&point)?;
            evaluations += 1;
            Ok(Lowest { point, value })
        };
        let reflected = tried(1.0)?;
        let replacement = if reflected.value < low {
            let expanded = tried(expand)?;
            Some(if expanded.value < reflected.value {
                expanded
            } else {
                reflected
            })
        } else if reflected.value < simplex[n - 1].value {
            Some(reflected)
        } else {
            let outside = reflected.value < high;
            let contracted = tried(if outside { contract } else { -contract })?;
            (contracted.value < reflected.value.min(high)).then_some(contracted)
        };
        if let Some(corner) = replacement {
            simplex[n] = corner;
            continue;
        }
        let anchor = simplex[0].point.clone();
        for corner in &mut simplex[1..] {
            for (value, anchor) in corner.point.iter_mut().zip(&anchor) {
                *value = anchor + shrink * (*value - anchor);
            }
            corner.value = f(&corner.point)?;
        }
        evaluations += n;
    }
    simplex.sort_by(|a, b| a.value.total_cmp(&b.value));
    Ok(simplex.swap_remove(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn smooth_valleys_and_kinks_are_found() {
        let valley = |x: &[f64]| {
            Ok((x.windows(2))
                .map(|w| (1.0 - w[0]).powi(2) + 100.0 * (w[1] - w[0] * w[0]).powi(2))
                .sum::<f64>())
        };
        for n in [2, 5] {
            let found = nelder_mead(valley, &vec![-0.5; n], 0.5, 8).unwrap();
            assert!(
                found.point.iter().all(|x| (x - 1.0).abs() < 1e-4),
                "{n}: {found:?}"
            );
        }
        let kink = |x: &[f64]| Ok((x[0] - 2.0).abs().max((x[1] + 1.0).abs()) + 3.0);
        let found = nelder_mead(kink, &[0.0, 0.0], 1.0, 8).unwrap();
        assert!((found.value - 3.0).abs() < 1e-8, "{found:?}");
        let one = nelder_mead(|x| Ok((x[0] - 4.0).powi(2)), &[0.0], 1.0, 8).unwrap();
        assert!((one.point[0] - 4.0).abs() < 1e-4);
        assert_eq!(nelder_mead(|_| Ok(7.0), &[], 1.0, 8).unwrap().value, 7.0);
    }

    #[test]
    fn walls_are_kept_and_what_is_no_number_is_refused() {
        let wall = |x: &[f64]| {
            Ok(if x[0] > 1.0 {
                f64::INFINITY
            } else {
                (x[0] - 3.0).powi(2) + x[1] * x[1]
            })
        };
        let found = nelder_mead(wall, &[0.0, 1.0], 0.4, 8).unwrap();
        assert!((found.value - 4.0).abs() < 1e-3, "{found:?}");
        assert!(nelder_mead(|_| Ok(f64::NAN), &[0.0], 1.0, 8).is_err());
        assert!(nelder_mead(|_| Ok(f64::INFINITY), &[0.0], 1.0, 8).is_err());
        let refused = |_: &[f64]| {
            Err(Error::SeedRequired {
                what: "x".to_owned(),
            })
        };
        assert!(nelder_mead(refused, &[0.0], 1.0, 8).is_err());
    }
}
