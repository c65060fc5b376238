//! HC0 to HC3: one pass over the rows, the weighted cross-product of the regressors.

use super::{Covariance, ScoreRows};
use crate::error::Result;
use crate::numeric::{blocks, linalg::Cholesky};
use crate::summary::gram::{TILE, Tile, packed_len, unpack};
use nalgebra::DMatrix;
use std::ops::Range;

/// A row with 1 − h below this is fitted by a parameter of its own: its residual is zero and so is its share of the meat.
const FULL_LEVERAGE: f64 = 1e-10;

/// Rows of a parallel block.
const BLOCK: usize = 32 * TILE;

/// `Σ c(h) e² x x'`, with c = 1 (HC0, HC1), 1/(1 − h) (HC2), 1/(1 − h)² (HC3), and the number of rows of leverage one.
pub(super) fn meat(
    covariance: &Covariance,
    source: &dyn ScoreRows,
) -> Result<(DMatrix<f64>, usize)> {
    let k = source.parameters();
    // The residual is multiplied by (1 − h)^(−power).
    let power = match covariance {
        Covariance::Hc2 => 0.5,
        Covariance::Hc3 => 1.0,
        _ => 0.0,
    };
    // B = W W', so x'Bx = |W'x|².
    let whiten = if power > 0.0 {
        source.add_absorbed_leverage(0..0, &mut [])?;
        Some(Cholesky::full_rank(source.bread(), "the bread of the covariance")?.root())
    } else {
        None
    };
    let work = |block: Range<usize>| -> Result<Vec<f64>> {
        // The last entry counts rows of leverage one.
        let mut packed = vec![0.0; packed_len(k) + 1];
        let mut tile = Tile::new(k);
        let (mut residual, mut leverage) = ([0.0; TILE], [0.0; TILE]);
        for r in blocks::ranges(block.len(), TILE) {
            let rows = block.start + r.start..block.start + r.end;
            let len = rows.len();
            source.fill(rows.clone(), &mut tile, &mut residual[..len]);
            let frequencies = source.frequencies(rows.clone());
            // A row that stands for f equal ones has f times their score and leverage, but adds f squares, not f².
            for (e, f) in residual[..len].iter_mut().zip(frequencies.unwrap_or(&[])) {
                *e /= f.sqrt();
            }
            if let Some(whiten) = &whiten {
                leverage[..len].fill(0.0);
                add_leverage(&tile, whiten, &mut leverage[..len]);
                source.add_absorbed_leverage(rows, &mut leverage[..len])?;
                for (h, f) in leverage[..len].iter_mut().zip(frequencies.unwrap_or(&[])) {
                    *h /= f;
                }
                for (e, h) in residual[..len].iter_mut().zip(&leverage) {
                    let left = 1.0 - h;
                    *e = if left > FULL_LEVERAGE {
                        *e / left.powf(power)
                    } else {
                        packed[packed_len(k)] += 1.0;
                        0.0
                    };
                }
            }
            tile.scale_rows(&residual[..len]);
            tile.clear_from(len);
            tile.add_gram(&mut packed);
        }
        Ok(packed)
    };
    let merge = |total: &mut Result<Vec<f64>>, part: Result<Vec<f64>>| match (&mut *total, part) {
        (Ok(sum), Ok(part)) => sum.iter_mut().zip(part).for_each(|(a, b)| *a += b),
        (Ok(_), Err(error)) => *total = Err(error),
        (Err(_), _) => {}
    };
    let packed = blocks::reduce(source.rows(), BLOCK, work, merge)
        .unwrap_or_else(|| Ok(vec![0.0; packed_len(k) + 1]))?;
    Ok((unpack(&packed, k), packed[packed_len(k)] as usize))
}

/// Adds `|whiten' x|²` of each row.
fn add_leverage(tile: &Tile, whiten: &DMatrix<f64>, leverage: &mut [f64]) {
    let mut dot = [0.0; TILE];
    let dot = &mut dot[..leverage.len()];
    for a in 0..whiten.ncols() {
        dot.fill(0.0);
        for j in a..whiten.nrows() {
            let w = whiten[(j, a)];
            for (d, x) in dot.iter_mut().zip(tile.column(j)) {
                *d += w * x;
            }
        }
        for (h, d) in leverage.iter_mut().zip(&*dot) {
            *h += d * d;
        }
    }
}
