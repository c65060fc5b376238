//! Relabelling: the pseudo-outcomes of a node's rows, whose sums tell how much better two children would fit than their parent.

use super::grow::Growth;
use super::moment::{Effect, Instrument, Mean, Point, Sampled};
use super::split::{BELOW, Limits, Sums, rows_below, weighted};

/// A covariance whose square is below this share of the product of the variances is rounding: the node has no effect to speak of.
const NO_SLOPE: f64 = 1e-20;

/// How the rows of a node are relabelled.
pub(super) trait Relabel<const L: usize>: Sampled {
    /// Writes the pseudo-outcomes of some rows and what else a split looks at, in the order of `rows`; returns their sums and the limits of a
    /// split. None for a node that stays a leaf.
    fn relabel(
        &self,
        growth: &Growth,
        points: &[Self::Point],
        rows: &[u32],
        responses: &mut [Sums<L>],
    ) -> Option<(Sums<L>, Limits<L>)>;
}

/// Lanes of rows that share one relabelling, summed as they are written.
pub(super) struct Writing<'a, const L: usize> {
    responses: std::slice::IterMut<'a, Sums<L>>,
    pub(super) total: Sums<L>,
}

impl<const L: usize> Writing<'_, L> {
    #[inline]
    pub(super) fn put(&mut self, weight: f64, rho: f64, z: f64, zz: f64) {
        let Some(response) = self.responses.next() else {
            return;
        };
        response[0] = weight * rho;
        response[1] = weight * z;
        response[2] = weight * zz;
        response[3] = if z < 0.0 { 1.0 + BELOW } else { 1.0 };
        if weighted::<L>() {
            response[L - 1] = weight;
        }
        for (sum, value) in self.total.iter_mut().zip(response.iter()) {
            *sum += value;
        }
    }
}

pub(super) fn writing<const L: usize>(responses: &mut [Sums<L>]) -> Writing<'_, L> {
    Writing {
        responses: responses.iter_mut(),
        total: [0.0; L],
    }
}

/// The limits of one pseudo-outcome.
pub(super) fn limits<const L: usize>(
    growth: &Growth,
    total: &Sums<L>,
    each: u32,
    rows: usize,
) -> Limits<L> {
    let nodes = if weighted::<L>() {
        total[L - 1]
    } else {
        rows as f64
    };
    let mut size = [0.0; L];
    size[0] = growth.alpha * (total[2] - total[1] * total[1] / nodes);
    Limits {
        outcomes: 1,
        each,
        size,
        imbalance_penalty: growth.imbalance_penalty,
    }
}

impl<const L: usize> Relabel<L> for Mean {
    /// `ρ = y − ȳ`. A mean has no instrument: the size of a side is its number of rows.
    fn relabel(
        &self,
        growth: &Growth,
        points: &[Point],
        rows: &[u32],
        responses: &mut [Sums<L>],
    ) -> Option<(Sums<L>, Limits<L>)> {
        let (mut weight, mut y) = (0.0, 0.0);
        for row in rows {
            let p = &points[*row as usize];
            weight += p.weight;
            y += p.weight * p.y;
        }
        if weight <= 0.0 {
            return None;
        }
        let y = y / weight;
        let mut out = writing(responses);
        for row in rows {
            let p = &points[*row as usize];
            out.put(p.weight, p.y - y, 0.0, 1.0);
        }
        let total = out.total;
        Some((total, limits(growth, &total, 0, rows.len())))
    }
}

impl<const L: usize> Relabel<L> for Effect {
    fn relabel(
        &self,
        growth: &Growth,
        points: &[Point],
        rows: &[u32],
        responses: &mut [Sums<L>],
    ) -> Option<(Sums<L>, Limits<L>)> {
        by_slope(growth, points, rows, responses)
    }
}

impl<const L: usize> Relabel<L> for Instrument {
    fn relabel(
        &self,
        growth: &Growth,
        points: &[Point],
        rows: &[u32],
        responses: &mut [Sums<L>],
    ) -> Option<(Sums<L>, Limits<L>)> {
        by_slope(growth, points, rows, responses)
    }
}

/// `ρ = (z − z̄)(y − ȳ − τ (w − w̄))` with the node's own τ (section 3.2 of Athey, Tibshirani & Wager 2019).
fn by_slope<const L: usize>(
    growth: &Growth,
    points: &[Point],
    rows: &[u32],
    responses: &mut [Sums<L>],
) -> Option<(Sums<L>, Limits<L>)> {
    let (mut weight, mut y, mut w, mut z) = (0.0, 0.0, 0.0, 0.0);
    for row in rows {
        let p = &points[*row as usize];
        weight += p.weight;
        y += p.weight * p.y;
        w += p.weight * p.w;
        z += p.weight * p.z;
    }
    if weight <= 0.0 {
        return None;
    }
    let (y, w, z) = (y / weight, w / weight, z / weight);
    let (mut zy, mut zw, mut zz, mut ww) = (0.0, 0.0, 0.0, 0.0);
    for row in rows {
        let p = &points[*row as usize];
        let (a, b) = (p.weight * (p.z - z), p.w - w);
        zy += a * (p.y - y);
        zw += a * b;
        zz += a * (p.z - z);
        ww += p.weight * b * b;
    }
    if zw * zw <= NO_SLOPE * zz * ww {
        return None;
    }
    let slope = zy / zw;
    let mut out = writing(responses);
    for row in rows {
        let p = &points[*row as usize];
        let a = p.z - z;
        let rho = a * (p.y - y - slope * (p.w - w));
        out.put(p.weight, rho, a, a * a);
    }
    let total = out.total;
    let each = growth.min_node_size as u32;
    let (all, below) = rows_below(&total);
    if below < 2 * each || all - below < 2 * each {
        return None;
    }
    Some((total, limits(growth, &total, each, rows.len())))
}
