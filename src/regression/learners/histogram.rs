//! Sums of gradients by bin: the hot loop of boosting.
//!
//! Gradients are whole numbers of a quantum that is small beside the largest (2⁻²³ of it at a million rows), so that sums are exact: they are the
//! same bits in any order, on any number of threads, and a sibling is the parent minus the other to the last bit.

use super::bins::{Bins, CODES, WIDTH};
use crate::numeric::blocks;

/// Rows summed by one task when a leaf is large.
const CHUNK: usize = 1 << 16;
/// Additions below which threads cost more than they bring.
const PARALLEL_ADDITIONS: usize = 1 << 18;
/// Bits of a gradient at most: [`whole`] is exact below 2⁵¹.
const FINEST_BITS: u32 = 44;
/// A largest gradient below this is as good as zero; the scale stays finite.
const SMALLEST: f64 = 1e-250;
/// Half more than 2⁵²: added to a number below 2⁵¹, it leaves the nearest whole number in the low bits.
const ROUNDER: f64 = 6_755_399_441_055_744.0;

/// Sums over the rows of a bin.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Sums {
    pub(crate) gradient: f64,
    pub(crate) hessian: f64,
    pub(crate) count: f64,
}

impl Sums {
    pub(crate) fn add(&mut self, other: Self) {
        self.gradient += other.gradient;
        self.hessian += other.hessian;
        self.count += other.count;
    }

    pub(crate) fn minus(self, other: Self) -> Self {
        Self {
            gradient: self.gradient - other.gradient,
            hessian: self.hessian - other.hessian,
            count: self.count - other.count,
        }
    }
}

/// How gradients become whole numbers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scale {
    /// Quanta per unit of gradient, a power of two.
    gradient: f64,
    /// Quanta per unit of hessian, a power of two.
    hessian: f64,
    /// Low bits that hold the number of rows.
    count_bits: u32,
}

impl Scale {
    /// The finest scale at which the sums over `rows` rows fit, given the largest gradient and hessian in absolute value.
    pub(crate) fn new<C: Cell>(rows: usize, gradient: f64, hessian: f64) -> Self {
        let count_bits = usize::BITS - rows.leading_zeros();
        // The sums of a field grow by count_bits; one bit is the sign, one a reserve for rounding.
        let room = |fields: u32| (i64::BITS - 2).saturating_sub(fields * count_bits);
        let packed = room(2).min(FINEST_BITS).cast_signed();
        let alone = room(1).min(FINEST_BITS).cast_signed();
        let bits = if C::HESSIANS { alone } else { packed };
        let quanta = |bits: i32, largest: f64| {
            // Gradients of a perfect fit are all zero: any finite scale serves them.
            let exponent = largest.max(SMALLEST).log2().ceil() as i32;
            2.0_f64.powi(bits - exponent)
        };
        Self {
            gradient: quanta(bits, gradient),
            hessian: quanta(packed, hessian),
            count_bits,
        }
    }

    /// The largest power of two that a packed gradient can have at this many rows.
    pub(crate) fn packed_bits(rows: usize) -> u32 {
        (i64::BITS - 2).saturating_sub(2 * (usize::BITS - rows.leading_zeros()))
    }
}

/// The nearest whole number of a value below 2⁵¹.
#[inline]
fn whole(value: f64) -> i64 {
    (value + ROUNDER)
        .to_bits()
        .wrapping_sub(ROUNDER.to_bits())
        .cast_signed()
}

/// What a bin holds.
pub(crate) trait Cell: Copy + Send + Sync {
    /// Whether rows differ in their hessians.
    const HESSIANS: bool;
    const ZERO: Self;
    fn of(gradient: f64, hessian: f64, scale: &Scale) -> Self;
    fn add(&mut self, other: Self);
    fn subtract(&mut self, other: Self);
    fn sums(self, scale: &Scale) -> Sums;
    fn is_empty(self, scale: &Scale) -> bool;
}

/// Equal hessians: gradient above, number of rows below, in one word.
impl Cell for i64 {
    const HESSIANS: bool = false;
    const ZERO: Self = 0;

    #[inline]
    fn of(gradient: f64, _: f64, scale: &Scale) -> Self {
        (whole(gradient * scale.gradient) << scale.count_bits) + 1
    }

    #[inline]
    fn add(&mut self, other: Self) {
        *self = self.wrapping_add(other);
    }

    #[inline]
    fn subtract(&mut self, other: Self) {
        *self = self.wrapping_sub(other);
    }

    #[inline]
    fn sums(self, scale: &Scale) -> Sums {
        let count = (self & ((1 << scale.count_bits) - 1)) as f64;
        Sums {
            gradient: (self >> scale.count_bits) as f64 / scale.gradient,
            hessian: count,
            count,
        }
    }

    #[inline]
    fn is_empty(self, scale: &Scale) -> bool {
        self & ((1 << scale.count_bits) - 1) == 0
    }
}

/// Gradient in one word; hessian above and number of rows below in the other.
impl Cell for [i64; 2] {
    const HESSIANS: bool = true;
    const ZERO: Self = [0, 0];

    #[inline]
    fn of(gradient: f64, hessian: f64, scale: &Scale) -> Self {
        [
            whole(gradient * scale.gradient),
            (whole(hessian * scale.hessian) << scale.count_bits) + 1,
        ]
    }

    #[inline]
    fn add(&mut self, other: Self) {
        self[0] = self[0].wrapping_add(other[0]);
        self[1] = self[1].wrapping_add(other[1]);
    }

    #[inline]
    fn subtract(&mut self, other: Self) {
        self[0] = self[0].wrapping_sub(other[0]);
        self[1] = self[1].wrapping_sub(other[1]);
    }

    #[inline]
    fn sums(self, scale: &Scale) -> Sums {
        Sums {
            gradient: self[0] as f64 / scale.gradient,
            hessian: (self[1] >> scale.count_bits) as f64 / scale.hessian,
            count: (self[1] & ((1 << scale.count_bits) - 1)) as f64,
        }
    }

    #[inline]
    fn is_empty(self, scale: &Scale) -> bool {
        self[1] & ((1 << scale.count_bits) - 1) == 0
    }
}

/// The sums of one feature by code.
pub(crate) type Column<C> = [C; CODES];

/// Sets `histogram` (one column a feature, padded to whole groups) to the sums over `rows`, given in the order of `gradients`; `None`
/// means all rows of the table. Groups without an active feature are left as they are.
pub(crate) fn build<C: Cell>(
    bins: &Bins,
    active: &[bool],
    rows: Option<&[u32]>,
    gradients: &[C],
    histogram: &mut [Column<C>],
) {
    let groups: Vec<usize> = active
        .chunks(WIDTH)
        .enumerate()
        .filter(|(_, group)| group.contains(&true))
        .map(|(g, _)| g)
        .collect();
    let n = gradients.len();
    if n * groups.len() * WIDTH < PARALLEL_ADDITIONS {
        let columns = histogram.as_chunks_mut::<WIDTH>().0;
        for g in groups {
            columns[g] = [[C::ZERO; CODES]; WIDTH];
            add_rows(&bins.groups[g], rows, gradients, &mut columns[g]);
        }
        return;
    }
    let chunks: Vec<std::ops::Range<usize>> = blocks::ranges(n, CHUNK).collect();
    let parts = blocks::map(chunks.len() * groups.len(), |task| {
        let (range, g) = (
            chunks[task / groups.len()].clone(),
            groups[task % groups.len()],
        );
        let mut part = vec![[C::ZERO; CODES]; WIDTH];
        if let Some(part) = part.as_chunks_mut::<WIDTH>().0.first_mut() {
            let (gradients, codes) = (&gradients[range.clone()], &bins.groups[g]);
            match rows {
                Some(rows) => add_rows(codes, Some(&rows[range]), gradients, part),
                None => add_rows(&codes[range], None, gradients, part),
            }
        }
        part
    });
    let columns = histogram.as_chunks_mut::<WIDTH>().0;
    for (task, part) in parts.into_iter().enumerate() {
        let sum = &mut columns[groups[task % groups.len()]];
        for (column, part) in sum.iter_mut().zip(&part) {
            for (cell, part) in column.iter_mut().zip(part) {
                if task < groups.len() {
                    *cell = *part;
                } else {
                    cell.add(*part);
                }
            }
        }
    }
}

/// The loop itself: one load of codes and one of the gradient for [`WIDTH`] additions.
fn add_rows<C: Cell>(
    codes: &[[u8; WIDTH]],
    rows: Option<&[u32]>,
    gradients: &[C],
    columns: &mut [Column<C>; WIDTH],
) {
    let mut add = |codes: [u8; WIDTH], gradient: C| {
        for (column, code) in columns.iter_mut().zip(codes) {
            column[code as usize].add(gradient);
        }
    };
    match rows {
        None => {
            for (codes, gradient) in codes.iter().zip(gradients) {
                add(*codes, *gradient);
            }
        }
        Some(rows) => {
            for (row, gradient) in rows.iter().zip(gradients) {
                add(codes[*row as usize], *gradient);
            }
        }
    }
}

/// Takes the smaller child's sums from the parent's: what is left is the other child's.
pub(crate) fn subtract<C: Cell>(parent: &mut [Column<C>], child: &[Column<C>], active: &[bool]) {
    for ((parent, child), _) in parent
        .iter_mut()
        .zip(child)
        .zip(active)
        .filter(|(_, a)| **a)
    {
        for (cell, other) in parent.iter_mut().zip(child) {
            cell.subtract(*other);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Frame;
    use crate::regression::learners::features::Features;

    #[test]
    fn packed_sums_are_those_of_the_gradients() {
        let gradients: Vec<f64> = (0..1000).map(|i| f64::from(i).sin() * 3.0).collect();
        let scale = Scale::new::<i64>(1000, 3.0, 1.0);
        let mut cell = 0_i64;
        for g in &gradients {
            cell.add(i64::of(*g, 1.0, &scale));
        }
        let sums = cell.sums(&scale);
        assert_eq!(sums.count, 1000.0);
        assert!((sums.gradient - gradients.iter().sum::<f64>()).abs() < 1e-8);
        let scale = Scale::new::<[i64; 2]>(1000, 3.0, 0.25);
        let mut pair = [0_i64; 2];
        for g in &gradients {
            pair.add(<[i64; 2]>::of(*g, g.abs() / 12.0, &scale));
        }
        let sums = pair.sums(&scale);
        let hessian: f64 = gradients.iter().map(|g| g.abs() / 12.0).sum();
        assert!((sums.hessian - hessian).abs() < 1e-8 && sums.count == 1000.0);
    }

    #[test]
    fn a_perfect_fit_has_gradients_of_zero() {
        let scale = Scale::new::<i64>(1000, 0.0, 1.0);
        let cell = i64::of(0.0, 1.0, &scale);
        assert_eq!(
            cell.sums(&scale),
            Sums {
                gradient: 0.0,
                hessian: 1.0,
                count: 1.0
            }
        );
    }

    #[test]
    fn large_leaves_in_parts_are_the_same_as_row_by_row() {
        let n = 150_000;
        let mut frame = Frame::new();
        for j in 0..6 {
            let x: Vec<f64> = (0..n).map(|i| f64::from(i * (7 + j) % 97)).collect();
            frame = frame.with(format!("x{j}"), x).unwrap();
        }
        let names = frame.names().to_vec();
        let bins = Bins::build(&Features::from_frame(&frame, &names).unwrap(), 255);
        let scale = Scale::new::<i64>(n as usize, 1.0, 1.0);
        let gradients: Vec<i64> = (0..n)
            .map(|i| i64::of(f64::from(i).cos(), 1.0, &scale))
            .collect();
        let rows: Vec<u32> = (0..n as u32).collect();
        let mut all = vec![[0_i64; CODES]; 8];
        let mut listed = all.clone();
        build(&bins, &[true; 6], None, &gradients, &mut all);
        build(&bins, &[true; 6], Some(&rows), &gradients, &mut listed);
        assert_eq!(all, listed);
        let mut want = [0_i64; CODES];
        for (row, gradient) in gradients.iter().enumerate() {
            want[bins.code(5, row) as usize] += gradient;
        }
        assert_eq!(all[5], want);
    }
}
