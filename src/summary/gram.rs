//! The one hot kernel: half of the cross-product `B'B` of a small block of columns that sits in cache.

use super::kernels;
use crate::numeric::blocks;
use nalgebra::DMatrix;
use std::ops::Range;

/// Rows of a tile: 24 columns of a tile are 48 kB, within a second-level cache, and long enough to hide the loop's start.
pub(crate) const TILE: usize = 256;

/// Distance between columns in the buffer: a power of two would put every column on the same few cache lines.
const STRIDE: usize = TILE + 8;

/// Columns are taken four by four in the inner kernel; buffers are padded to a multiple of this.
const WIDTH: usize = 4;

/// Partial sums kept per pair of columns; enough to keep the adders busy in two vector registers.
const LANES: usize = 4;

/// A block of columns in one buffer, column after column, [`TILE`] rows each, zero beyond `len`.
pub(crate) struct Tile {
    buffer: Vec<f64>,
    columns: usize,
}

impl Tile {
    /// A tile of zeros.
    pub(crate) fn new(columns: usize) -> Self {
        Self {
            buffer: vec![0.0; columns.next_multiple_of(WIDTH) * STRIDE],
            columns,
        }
    }

    /// Number of columns.
    pub(crate) fn columns(&self) -> usize {
        self.columns
    }

    /// One column, all [`TILE`] rows.
    pub(crate) fn column(&self, j: usize) -> &[f64] {
        &self.buffer[j * STRIDE..j * STRIDE + TILE]
    }

    /// One column to write to.
    pub(crate) fn column_mut(&mut self, j: usize) -> &mut [f64] {
        &mut self.buffer[j * STRIDE..j * STRIDE + TILE]
    }

    /// Sets every column to zero from row `len` on, so that a short last tile adds nothing.
    pub(crate) fn clear_from(&mut self, len: usize) {
        for column in self.buffer.chunks_exact_mut(STRIDE) {
            column[len..].fill(0.0);
        }
    }

    /// Multiplies every column by `factor` row by row.
    pub(crate) fn scale_rows(&mut self, factor: &[f64]) {
        for column in self.buffer.chunks_exact_mut(STRIDE).take(self.columns) {
            kernels::scale(column, factor);
        }
    }

    /// Adds the lower triangle of `B'B` to `packed` (see [`packed_index`]), with the widest vectors the processor has. Products are
    /// not fused with sums, so the bits are the same whatever the width.
    pub(crate) fn add_gram(&self, packed: &mut [f64]) {
        self.add_gram_of(TILE, packed);
    }

    /// The same for a tile that is zero from row `len` on, at the cost of those rows alone.
    pub(crate) fn add_gram_of(&self, len: usize, packed: &mut [f64]) {
        pulp::Arch::new().dispatch(AddGram {
            tile: self,
            rows: len.next_multiple_of(LANES).min(TILE),
            packed,
        });
    }
}

/// The kernel as pulp compiles it for each width of vectors.
struct AddGram<'a> {
    tile: &'a Tile,
    rows: usize,
    packed: &'a mut [f64],
}

impl pulp::NullaryFnOnce for AddGram<'_> {
    type Output = ();

    #[expect(
        clippy::inline_always,
        reason = "each width of vectors needs a copy of its own"
    )]
    #[inline(always)]
    fn call(self) {
        let columns = self.tile.columns;
        let padded = self.tile.buffer.len() / STRIDE;
        for i in (0..padded).step_by(WIDTH) {
            // Column j against the four columns i..i+4, for all j ≤ i + 3.
            for j in 0..(i + WIDTH).min(columns) {
                let sums = four(&self.tile.buffer, self.rows, i, j);
                for (a, sum) in sums.iter().enumerate() {
                    let row = i + a;
                    if row < columns && j <= row {
                        self.packed[packed_index(row, j)] += sum;
                    }
                }
            }
        }
    }
}

/// The inner products of columns `i..i+4` with column `j` over the first rows.
#[expect(
    clippy::inline_always,
    reason = "each width of vectors needs a copy of its own"
)]
#[inline(always)]
fn four(buffer: &[f64], rows: usize, i: usize, j: usize) -> [f64; WIDTH] {
    let at = |c: usize| buffer[c * STRIDE..c * STRIDE + rows].as_chunks::<LANES>().0;
    let (b, a) = (at(j), [at(i), at(i + 1), at(i + 2), at(i + 3)]);
    let mut sums = [[0.0; LANES]; WIDTH];
    for r in 0..rows / LANES {
        for (sum, column) in sums.iter_mut().zip(&a) {
            for lane in 0..LANES {
                sum[lane] += column[r][lane] * b[r][lane];
            }
        }
    }
    lanes_summed(&sums)
}

/// Each column's sum over its lanes. Inlined, it makes LLVM put the four columns in one vector, which it must then shuffle for every
/// row: more than twice as slow.
#[inline(never)]
fn lanes_summed(sums: &[[f64; LANES]; WIDTH]) -> [f64; WIDTH] {
    sums.map(|s| (s[0] + s[1]) + (s[2] + s[3]))
}

/// Where entry (row, column) with `column ≤ row` stands in a packed lower triangle.
#[inline]
pub(crate) fn packed_index(row: usize, column: usize) -> usize {
    row * (row + 1) / 2 + column
}

/// Length of a packed lower triangle.
pub(crate) fn packed_len(columns: usize) -> usize {
    columns * (columns + 1) / 2
}

/// The full symmetric matrix of a packed lower triangle.
pub(crate) fn unpack(packed: &[f64], columns: usize) -> DMatrix<f64> {
    DMatrix::from_fn(columns, columns, |i, j| {
        packed[packed_index(i.max(j), i.min(j))]
    })
}

/// `X'X` of a matrix with many rows, on all cores. (nalgebra's `tr_mul` is a dot product for every pair of columns, ten times as slow.)
pub(crate) fn cross_product(x: &DMatrix<f64>) -> DMatrix<f64> {
    const BLOCK: usize = 8 * TILE;
    let (n, k) = x.shape();
    let work = |block: Range<usize>| {
        let (mut tile, mut packed) = (Tile::new(k), vec![0.0; packed_len(k)]);
        for rows in blocks::ranges(block.len(), TILE) {
            let (start, len) = (block.start + rows.start, rows.len());
            for j in 0..k {
                let column = &x.as_slice()[j * n + start..][..len];
                tile.column_mut(j)[..len].copy_from_slice(column);
            }
            tile.clear_from(len);
            tile.add_gram_of(len, &mut packed);
        }
        packed
    };
    let merge = |sum: &mut Vec<f64>, part: Vec<f64>| {
        sum.iter_mut().zip(part).for_each(|(a, b)| *a += b);
    };
    let packed = blocks::reduce(n, BLOCK, work, merge);
    packed.map_or_else(|| DMatrix::zeros(k, k), |packed| unpack(&packed, k))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tall_matrix_has_its_cross_product() {
        for (n, k) in [(0, 3), (1, 1), (300, 7), (5000, 5)] {
            let x = DMatrix::from_fn(n, k, |i, j| ((i * 13 + j * 7) % 11) as f64 - 4.0);
            assert_eq!(cross_product(&x), x.transpose() * &x, "{n} {k}");
        }
    }

    #[test]
    fn the_kernel_is_the_cross_product() {
        for columns in [1, 3, 4, 5, 9] {
            let mut tile = Tile::new(columns);
            let len = 201;
            for j in 0..columns {
                for (r, v) in tile.column_mut(j).iter_mut().enumerate() {
                    *v = ((r * 13 + j * 7) % 11) as f64 - 4.0;
                }
            }
            tile.clear_from(len);
            let mut packed = vec![0.0; packed_len(columns)];
            tile.add_gram(&mut packed);
            let full = unpack(&packed, columns);
            for i in 0..columns {
                for j in 0..columns {
                    let want: f64 = tile
                        .column(i)
                        .iter()
                        .zip(tile.column(j))
                        .map(|(a, b)| a * b)
                        .sum();
                    assert!((full[(i, j)] - want).abs() < 1e-9, "{columns} {i} {j}");
                }
            }
        }
    }
}
