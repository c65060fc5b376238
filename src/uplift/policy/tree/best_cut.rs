//! The best single cut of a growing set of rows along one feature, kept up to date as rows are added.

use std::ops::Range;

/// What a set of rows is worth when cut once along one feature: `max_s max_a max_b Σ_{bin ≤ s} Γ_a + Σ_{bin > s} Γ_b`.
pub(super) trait BestCut {
    /// Adds a row of this bin.
    fn add(&mut self, bin: u32, scores: &[f64]);

    /// The value of the best cut that leaves at least `fewest` rows on either side; −∞ when there is none. What is not above `floor` need
    /// not be exact.
    fn best(&self, fewest: usize, floor: f64) -> f64;
}

/// Sums by bin, scanned whenever the best cut is asked for: for few bins or few questions.
pub(super) struct Histogram {
    arms: usize,
    sums: Vec<f64>,
    counts: Vec<usize>,
    totals: Vec<f64>,
    rows: usize,
}

impl Histogram {
    pub(super) fn new(bins: usize, arms: usize) -> Self {
        Self {
            arms,
            sums: vec![0.0; bins * arms],
            counts: vec![0; bins],
            totals: vec![0.0; arms],
            rows: 0,
        }
    }

    /// Every cut with its value: the last bin to the left, and the arms of either side.
    pub(super) fn scan(&self, fewest: usize, mut visit: impl FnMut(usize, f64, [usize; 2])) {
        let mut left = vec![0.0; self.arms];
        let mut count = 0;
        let bins = self.counts.len();
        for (bin, sums) in self.sums.chunks_exact(self.arms).enumerate() {
            let mut best = [(f64::NEG_INFINITY, 0); 2];
            for (arm, ((left, sum), total)) in
                left.iter_mut().zip(sums).zip(&self.totals).enumerate()
            {
                *left += sum;
                let right = total - *left;
                if *left > best[0].0 {
                    best[0] = (*left, arm);
                }
                if right > best[1].0 {
                    best[1] = (right, arm);
                }
            }
            count += self.counts[bin];
            if bin + 1 < bins && count >= fewest && self.rows - count >= fewest {
                visit(bin, best[0].0 + best[1].0, best.map(|b| b.1));
            }
        }
    }
}

impl BestCut for Histogram {
    fn add(&mut self, bin: u32, scores: &[f64]) {
        let at = bin as usize * self.arms;
        for (sum, score) in self.sums[at..at + self.arms].iter_mut().zip(scores) {
            *sum += score;
        }
        for (total, score) in self.totals.iter_mut().zip(scores) {
            *total += score;
        }
        self.counts[bin as usize] += 1;
        self.rows += 1;
    }

    fn best(&self, fewest: usize, _floor: f64) -> f64 {
        let mut best = f64::NEG_INFINITY;
        self.scan(fewest, |_, value, _| best = best.max(value));
        best
    }
}

/// A segment tree over blocks of bins with the extremes of prefix sums of the difference of every pair of arms: adding a row costs a block
/// and the logarithm of the number of blocks, whatever the number of bins is. `P` is at least the number of pairs.
pub(super) struct SegmentTree<const P: usize> {
    arms: usize,
    /// Number of leaves, which are blocks of bins: a power of two.
    leaves: usize,
    nodes: Vec<Node<P>>,
    /// Sums of pairs and numbers of rows, by bin.
    sums: Vec<[f64; P]>,
    counts: Vec<usize>,
    totals: Vec<f64>,
    rows: usize,
}

/// Bins of a block: as many as are scanned in the time of a few levels of the tree.
const BLOCK: usize = 16;

/// Sums over a segment of bins, for each pair of arms.
#[derive(Clone, Copy)]
struct Node<const P: usize> {
    sum: [f64; P],
    highest: [f64; P],
    lowest: [f64; P],
    rows: usize,
}

impl<const P: usize> Node<P> {
    const EMPTY: Self = Self {
        sum: [0.0; P],
        highest: [0.0; P],
        lowest: [0.0; P],
        rows: 0,
    };

    fn join(left: &Self, right: &Self) -> Self {
        let mut out = Self::EMPTY;
        for p in 0..P {
            out.sum[p] = left.sum[p] + right.sum[p];
            out.highest[p] = higher(left.highest[p], left.sum[p] + right.highest[p]);
            out.lowest[p] = lower(left.lowest[p], left.sum[p] + right.lowest[p]);
        }
        out.rows = left.rows + right.rows;
        out
    }
}

/// Without the care for NaN of `f64::max`, which costs more than the comparison; scores are finite.
fn higher(a: f64, b: f64) -> f64 {
    if b > a { b } else { a }
}

fn lower(a: f64, b: f64) -> f64 {
    if b < a { b } else { a }
}

impl<const P: usize> SegmentTree<P> {
    pub(super) fn new(bins: usize, arms: usize) -> Self {
        let leaves = bins.div_ceil(BLOCK).next_power_of_two();
        Self {
            arms,
            leaves,
            nodes: vec![Node::EMPTY; 2 * leaves],
            sums: vec![[0.0; P]; leaves * BLOCK],
            counts: vec![0; leaves * BLOCK],
            totals: vec![0.0; arms],
            rows: 0,
        }
    }

    /// The value of the pairs whose extremes of prefix sums are given.
    fn value(&self, highest: &[f64; P], lowest: &[f64; P]) -> f64 {
        // One arm on both sides.
        let mut best = self
            .totals
            .iter()
            .copied()
            .fold(f64::NEG_INFINITY, f64::max);
        let mut pair = 0;
        for a in 0..self.arms {
            for b in a + 1..self.arms {
                // a left and b right, and the reverse.
                best = best.max(self.totals[b] + highest[pair]);
                best = best.max(self.totals[a] - lowest[pair]);
                pair += 1;
            }
        }
        best
    }

    /// The first bin at which at least so many rows lie to the left or in it.
    fn bin_of(&self, rows: usize) -> usize {
        let (mut node, mut before) = (1, 0);
        while node < self.leaves {
            node *= 2;
            let left = before + self.nodes[node].rows;
            if left < rows {
                before = left;
                node += 1;
            }
        }
        let mut bin = (node - self.leaves) * BLOCK;
        loop {
            before += self.counts[bin];
            if before >= rows {
                return bin;
            }
            bin += 1;
        }
    }

    /// Extremes of prefix sums that end in a range of bins.
    fn extremes(
        &self,
        node: usize,
        span: Range<usize>,
        wanted: &Range<usize>,
        found: &mut Found<P>,
    ) {
        if span.start >= wanted.end {
            return;
        }
        let here = &self.nodes[node];
        if span.end <= wanted.start {
            for p in 0..P {
                found.before[p] += here.sum[p];
            }
        } else if span.start >= wanted.start && span.end <= wanted.end {
            found.pass(here);
        } else if node >= self.leaves {
            for bin in span.start..span.end.min(wanted.end) {
                let sum = self.sums[bin];
                if bin < wanted.start {
                    for (before, sum) in found.before.iter_mut().zip(sum) {
                        *before += sum;
                    }
                } else {
                    found.pass(&Node {
                        sum,
                        highest: sum,
                        lowest: sum,
                        rows: 0,
                    });
                }
            }
        } else {
            let middle = usize::midpoint(span.start, span.end);
            self.extremes(2 * node, span.start..middle, wanted, found);
            self.extremes(2 * node + 1, middle..span.end, wanted, found);
        }
    }
}

/// What a query has found so far.
struct Found<const P: usize> {
    before: [f64; P],
    highest: [f64; P],
    lowest: [f64; P],
}

impl<const P: usize> Found<P> {
    fn pass(&mut self, node: &Node<P>) {
        for p in 0..P {
            self.highest[p] = higher(self.highest[p], self.before[p] + node.highest[p]);
            self.lowest[p] = lower(self.lowest[p], self.before[p] + node.lowest[p]);
            self.before[p] += node.sum[p];
        }
    }
}

impl<const P: usize> BestCut for SegmentTree<P> {
    fn add(&mut self, bin: u32, scores: &[f64]) {
        let bin = bin as usize;
        let own = &mut self.sums[bin];
        let mut pair = 0;
        for (a, first) in scores.iter().enumerate() {
            for second in &scores[a + 1..] {
                own[pair] += first - second;
                pair += 1;
            }
        }
        self.counts[bin] += 1;
        let block = bin / BLOCK;
        let mut sum = [0.0; P];
        let mut highest = [f64::NEG_INFINITY; P];
        let mut lowest = [f64::INFINITY; P];
        for bin in &self.sums[block * BLOCK..(block + 1) * BLOCK] {
            for p in 0..P {
                sum[p] += bin[p];
                highest[p] = higher(highest[p], sum[p]);
                lowest[p] = lower(lowest[p], sum[p]);
            }
        }
        let mut at = self.leaves + block;
        self.nodes[at] = Node {
            sum,
            highest,
            lowest,
            rows: self.nodes[at].rows + 1,
        };
        while at > 1 {
            at /= 2;
            self.nodes[at] = Node::join(&self.nodes[2 * at], &self.nodes[2 * at + 1]);
        }
        for (total, score) in self.totals.iter_mut().zip(scores) {
            *total += score;
        }
        self.rows += 1;
    }

    fn best(&self, fewest: usize, floor: f64) -> f64 {
        if self.rows < 2 * fewest {
            return f64::NEG_INFINITY;
        }
        // A side without rows is one arm for all, which is no worse than it is.
        let bound = self.value(&self.nodes[1].highest, &self.nodes[1].lowest);
        if fewest <= 1 || bound <= floor {
            return bound;
        }
        let first = self.bin_of(fewest);
        // The last bin that may end the left side is before the one that holds the first row that must be right.
        let end = self.bin_of(self.rows - fewest + 1);
        if first >= end {
            return f64::NEG_INFINITY;
        }
        let mut found = Found {
            before: [0.0; P],
            highest: [f64::NEG_INFINITY; P],
            lowest: [f64::INFINITY; P],
        };
        self.extremes(1, 0..self.leaves * BLOCK, &(first..end), &mut found);
        self.value(&found.highest, &found.lowest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::numeric::Seed;
    use rand::RngExt;

    #[test]
    fn the_tree_agrees_with_the_scan_at_every_step() {
        let mut random = Seed::new(3).stream(0);
        for (bins, fewest) in [(1, 1), (5, 1), (37, 1), (5, 2), (37, 3), (37, 8), (64, 5)] {
            let mut scan = Histogram::new(bins, 3);
            let mut tree = SegmentTree::<4>::new(bins, 3);
            for _ in 0..60 {
                let bin = (random.random::<f64>() * bins as f64) as u32;
                let scores: [f64; 3] = std::array::from_fn(|_| random.random::<f64>() - 0.5);
                scan.add(bin, &scores);
                tree.add(bin, &scores);
                // Without a lower limit both allow an arm for all, the scan by an empty side when it has a bin there.
                let all = scan
                    .totals
                    .iter()
                    .copied()
                    .fold(f64::NEG_INFINITY, f64::max);
                let low = f64::NEG_INFINITY;
                let (a, b) = (scan.best(fewest, low), tree.best(fewest, low));
                assert!(tree.best(fewest, 0.0) <= b.max(0.0));
                if fewest == 1 {
                    assert!((a.max(all) - b.max(all)).abs() < 1e-12, "{a} {b}");
                } else {
                    assert_eq!(a.is_finite(), b.is_finite(), "{bins} {fewest}: {a} {b}");
                    assert!(
                        !a.is_finite() || (a - b).abs() < 1e-12,
                        "{bins} {fewest}: {a} {b}"
                    );
                }
            }
        }
    }
}
