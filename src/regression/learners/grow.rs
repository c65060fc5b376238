//! Growing a boosted tree: the leaf with the largest gain is split next.

use super::bins::{Bins, CODES, WIDTH};
use super::histogram::{self, Cell, Column, Scale, Sums};
use super::split::{self, Candidate, CodeSet, Filled, Limits, contains};
use super::tree::{CodedTree, to_leaf, to_node};
use crate::numeric::blocks;
use std::ops::Range;

/// Leaves from this size on are partitioned in parallel.
const PARALLEL_ROWS: usize = 1 << 17;
/// Rows of one task of a partition or a gather.
const CHUNK: usize = 1 << 15;
/// Features searched by one task.
const SEARCHED: usize = 32;

/// The shape of a tree.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Growth {
    pub(crate) leaves: usize,
    pub(crate) depth: usize,
    pub(crate) limits: Limits,
}

/// A leaf of the growing tree: where its rows are, what its histogram says.
struct Leaf<C> {
    rows: Range<usize>,
    depth: usize,
    sums: Sums,
    histogram: Vec<Column<C>>,
    best: Option<Candidate>,
    /// The node above and on which side.
    parent: Option<(usize, usize)>,
}

/// Grows trees on the same rows of the same bins.
pub(crate) struct Grower<'a, C> {
    bins: &'a Bins,
    growth: Growth,
    /// Rows of the tree, leaf by leaf, in order within a leaf.
    rows: Vec<u32>,
    scratch: Vec<u32>,
    ordered: Vec<C>,
    free: Vec<Vec<Column<C>>>,
}

/// A grown tree and the rows of its leaves, in the order of the leaves.
pub(crate) struct Grown<'g> {
    pub(crate) coded: CodedTree,
    pub(crate) rows: &'g [u32],
    pub(crate) leaves: Vec<Range<usize>>,
}

impl<'a, C: Cell> Grower<'a, C> {
    pub(crate) fn new(bins: &'a Bins, growth: Growth) -> Self {
        Self {
            bins,
            growth,
            rows: Vec::new(),
            scratch: Vec::new(),
            ordered: Vec::new(),
            free: Vec::new(),
        }
    }

    /// Grows a tree on these rows, with the gradients of all rows of the table and the features that are active. Leaf values are
    /// `−rate · G / (H + λ)`.
    pub(crate) fn grow(
        &mut self,
        rows: &[u32],
        gradients: &[C],
        scale: &Scale,
        active: &[bool],
        rate: f64,
    ) -> Grown<'_> {
        self.rows.clear();
        self.rows.extend_from_slice(rows);
        let mut coded = CodedTree::default();
        let mut leaves = vec![self.root(gradients, scale, active)];
        while leaves.len() < self.growth.leaves {
            let Some((at, split)) = largest_gain(&leaves) else {
                break;
            };
            let node = coded.push(&split, self.bins);
            let parent = &mut leaves[at];
            if let Some((above, side)) = parent.parent {
                coded.tree.nodes[above].children[side] = to_node(node);
            }
            let range = parent.rows.clone();
            let middle =
                range.start + self.partition(range.clone(), split.feature, &split.left_codes);
            let (depth, whole) = (parent.depth + 1, std::mem::take(&mut parent.histogram));
            let child = |rows, sums, side| Leaf {
                rows,
                depth,
                sums,
                histogram: Vec::new(),
                best: None,
                parent: Some((node, side)),
            };
            let mut left = child(range.start..middle, split.left, 0);
            let mut right = child(middle..range.end, split.right, 1);
            if leaves.len() + 1 < self.growth.leaves && depth < self.growth.depth {
                let (small, large) = if left.rows.len() <= right.rows.len() {
                    (&mut left, &mut right)
                } else {
                    (&mut right, &mut left)
                };
                self.search_children(small, large, whole, gradients, scale, active);
            } else {
                self.free.push(whole);
            }
            leaves[at] = left;
            leaves.push(right);
        }
        for (i, leaf) in leaves.iter_mut().enumerate() {
            if let Some((above, side)) = leaf.parent {
                coded.tree.nodes[above].children[side] = to_leaf(i);
            }
            let value = -rate * leaf.sums.gradient / (leaf.sums.hessian + self.growth.limits.l2);
            coded
                .tree
                .leaves
                .push(if value.is_finite() { value } else { 0.0 });
            self.free.push(std::mem::take(&mut leaf.histogram));
        }
        self.free.retain(|h| !h.is_empty());
        Grown {
            coded,
            rows: &self.rows,
            leaves: leaves.into_iter().map(|leaf| leaf.rows).collect(),
        }
    }

    fn root(&mut self, gradients: &[C], scale: &Scale, active: &[bool]) -> Leaf<C> {
        let mut histogram = self.histogram();
        let rows = 0..self.rows.len();
        self.build(rows.clone(), gradients, active, &mut histogram);
        // Every row has a code of every feature: any active column sums to the total.
        let mut total = C::ZERO;
        if let Some(column) = active.iter().position(|a| *a).map(|j| &histogram[j]) {
            for cell in column {
                total.add(*cell);
            }
        }
        let mut leaf = Leaf {
            rows,
            depth: 0,
            sums: total.sums(scale),
            histogram,
            best: None,
            parent: None,
        };
        leaf.best = self.search(&leaf, scale, active);
        leaf
    }

    /// Builds the histogram of the smaller child, has the larger one's by subtraction, and looks for their best splits.
    fn search_children(
        &mut self,
        small: &mut Leaf<C>,
        large: &mut Leaf<C>,
        mut parent: Vec<Column<C>>,
        gradients: &[C],
        scale: &Scale,
        active: &[bool],
    ) {
        let splittable = |leaf: &Leaf<C>| leaf.sums.count >= 2.0 * self.growth.limits.min_rows;
        if !splittable(large) {
            self.free.push(parent);
            return;
        }
        let mut histogram = self.histogram();
        self.build(small.rows.clone(), gradients, active, &mut histogram);
        histogram::subtract(&mut parent, &histogram, active);
        small.histogram = histogram;
        large.histogram = parent;
        small.best = self.search(small, scale, active);
        large.best = self.search(large, scale, active);
    }

    /// A histogram to write to.
    fn histogram(&mut self) -> Vec<Column<C>> {
        let columns = self.bins.groups.len() * WIDTH;
        self.free
            .pop()
            .unwrap_or_else(|| vec![[C::ZERO; CODES]; columns])
    }

    fn build(
        &mut self,
        range: Range<usize>,
        gradients: &[C],
        active: &[bool],
        histogram: &mut [Column<C>],
    ) {
        let rows = &self.rows[range];
        if rows.len() == gradients.len() {
            return histogram::build(self.bins, active, None, gradients, histogram);
        }
        self.ordered
            .resize(rows.len().max(self.ordered.len()), C::ZERO);
        let ordered = &mut self.ordered[..rows.len()];
        let gather = |first: usize, chunk: &mut [C]| {
            for (to, row) in chunk.iter_mut().zip(&rows[first..]) {
                *to = gradients[*row as usize];
            }
        };
        if rows.len() >= PARALLEL_ROWS {
            blocks::fill(ordered, CHUNK, gather);
        } else {
            gather(0, ordered);
        }
        histogram::build(self.bins, active, Some(rows), ordered, histogram);
    }

    /// The best split of a leaf over the active features.
    fn search(&self, leaf: &Leaf<C>, scale: &Scale, active: &[bool]) -> Option<Candidate> {
        let limits = &self.growth.limits;
        if leaf.sums.count < 2.0 * limits.min_rows {
            return None;
        }
        let of_range = |range: Range<usize>| {
            let mut filled = Vec::with_capacity(CODES);
            let mut best: Option<Candidate> = None;
            for feature in range.filter(|j| active[*j]) {
                fill(&leaf.histogram[feature], scale, &mut filled);
                let found = search_feature(self.bins, feature, &filled, leaf.sums, limits);
                best = better(best, found);
            }
            best
        };
        if active.len() <= SEARCHED {
            return of_range(0..active.len());
        }
        blocks::reduce(active.len(), SEARCHED, of_range, |best, found| {
            *best = better(best.take(), found);
        })
        .flatten()
    }

    /// Moves the rows of a leaf that go left to its front, keeping the order on both sides; returns how many they are.
    fn partition(&mut self, range: Range<usize>, feature: usize, left: &CodeSet) -> usize {
        let mut goes_left = [0_u8; CODES];
        for (code, side) in goes_left.iter_mut().enumerate() {
            *side = u8::from(contains(left, code as u8));
        }
        let (codes, slot) = (&self.bins.groups[feature / WIDTH], feature % WIDTH);
        let side = |row: u32| usize::from(goes_left[usize::from(codes[row as usize][slot])]);
        let rows = &mut self.rows[range];
        self.scratch.resize(rows.len().max(self.scratch.len()), 0);
        let scratch = &mut self.scratch[..rows.len()];
        if rows.len() < PARALLEL_ROWS {
            return stable_partition(rows, scratch, side);
        }
        let parts = blocks::map(rows.len().div_ceil(CHUNK), |i| {
            let mut part = rows[i * CHUNK..((i + 1) * CHUNK).min(rows.len())].to_vec();
            let mut scratch = vec![0; part.len()];
            let lefts = stable_partition(&mut part, &mut scratch, side);
            (part, lefts)
        });
        let total: usize = parts.iter().map(|(_, lefts)| lefts).sum();
        let (mut to_left, mut to_right) = rows.split_at_mut(total);
        for (part, lefts) in &parts {
            let (head, rest) = to_left.split_at_mut(*lefts);
            head.copy_from_slice(&part[..*lefts]);
            to_left = rest;
            let (head, rest) = to_right.split_at_mut(part.len() - lefts);
            head.copy_from_slice(&part[*lefts..]);
            to_right = rest;
        }
        total
    }
}

/// Rows with side 1 first, in order; every row is written to both places and one of the two positions moves on, so that there is no branch
/// to guess.
pub(crate) fn stable_partition(
    rows: &mut [u32],
    scratch: &mut [u32],
    side: impl Fn(u32) -> usize,
) -> usize {
    let (mut left, mut right) = (0, 0);
    for i in 0..rows.len() {
        let row = rows[i];
        let goes_left = side(row);
        rows[left] = row;
        scratch[right] = row;
        left += goes_left;
        right += 1 - goes_left;
    }
    rows[left..].copy_from_slice(&scratch[..right]);
    left
}

/// The leaf to split next: the largest gain, the first of equals.
fn largest_gain<C>(leaves: &[Leaf<C>]) -> Option<(usize, Candidate)> {
    let mut best: Option<(usize, Candidate)> = None;
    for (i, leaf) in leaves.iter().enumerate() {
        if let Some(candidate) = leaf.best
            && best.is_none_or(|(_, b)| candidate.gain > b.gain)
        {
            best = Some((i, candidate));
        }
    }
    best
}

/// The one with more gain, the first of equals.
pub(crate) fn better(best: Option<Candidate>, found: Option<Candidate>) -> Option<Candidate> {
    match (best, found) {
        (Some(best), Some(found)) if found.gain > best.gain => Some(found),
        (None, found) => found,
        (best, _) => best,
    }
}

/// The non-empty bins of a column.
fn fill<C: Cell>(column: &Column<C>, scale: &Scale, filled: &mut Vec<Filled>) {
    filled.clear();
    for (code, cell) in column.iter().enumerate() {
        if !cell.is_empty(scale) {
            filled.push(Filled {
                code: code as u8,
                sums: cell.sums(scale),
            });
        }
    }
}

/// The best split on one feature, given its non-empty bins in order.
pub(crate) fn search_feature(
    bins: &Bins,
    feature: usize,
    filled: &[Filled],
    total: Sums,
    limits: &Limits,
) -> Option<Candidate> {
    let of = &bins.features[feature];
    let missing = of.values as u8;
    match of.cut {
        super::bins::Cut::Edges(_) => split::numeric(feature, filled, missing, total, limits),
        super::bins::Cut::Levels(_) => {
            split::category(feature, filled, of.values, missing, total, limits)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partition_keeps_the_order_on_both_sides() {
        let mut rows: Vec<u32> = (0..1000).collect();
        let mut scratch = vec![0; 1000];
        let lefts = stable_partition(&mut rows, &mut scratch, |r| usize::from(r % 3 == 0));
        assert_eq!(lefts, 334);
        let want: Vec<u32> = (0..1000)
            .filter(|r| r % 3 == 0)
            .chain((0..1000).filter(|r| r % 3 != 0))
            .collect();
        assert_eq!(rows, want);
    }
}
