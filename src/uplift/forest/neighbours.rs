//! Forests as weights: how often a row falls in the leaf of another.

use super::codes::Codes;
use super::ensemble::{SEEN, debiased};
use super::plan::Seen;
use super::sample::Drawn;
use super::tree::Tree;
use crate::numeric::blocks;
use serde::{Deserialize, Serialize};

/// Rows asked for by one task.
const CHUNK: usize = 64;

/// A tree whose leaves hold the rows that were kept for them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Grove {
    tree: Tree,
    /// Where the rows of each leaf start; one more than leaves.
    starts: Vec<u32>,
    rows: Vec<u32>,
}

impl Grove {
    /// Fills a tree that was grown with the drawn rows that count, leaving out empty leaves.
    pub(super) fn filled(
        mut tree: Tree,
        drawn: &Drawn,
        codes: &Codes,
        counts: impl Fn(u32) -> bool,
    ) -> Self {
        let leaves = tree.number_leaves();
        let kept: Vec<u32> = drawn.fill.iter().copied().filter(|r| counts(*r)).collect();
        let mut at = vec![0; kept.len()];
        tree.leaves(codes, &kept, &mut at);
        let mut rows = vec![0_u32; leaves];
        for leaf in &at {
            rows[*leaf as usize] += 1;
        }
        Self::of(tree.pruned(&rows, &[], 0), &kept, codes)
    }

    /// A tree without empty leaves, with the rows in each.
    pub(super) fn of(tree: Tree, kept: &[u32], codes: &Codes) -> Self {
        let mut at = vec![0; kept.len()];
        tree.leaves(codes, kept, &mut at);
        let leaves = at.iter().max().map_or(0, |l| *l as usize + 1);
        let mut starts = vec![0_u32; leaves + 1];
        for leaf in &at {
            starts[*leaf as usize + 1] += 1;
        }
        for l in 0..leaves {
            starts[l + 1] += starts[l];
        }
        let mut next = starts.clone();
        let mut rows = vec![0; kept.len()];
        for (leaf, row) in at.iter().zip(kept) {
            let place = &mut next[*leaf as usize];
            rows[*place as usize] = *row;
            *place += 1;
        }
        Self { tree, starts, rows }
    }

    /// Whether tree, leaves and rows fit each other.
    pub(super) fn is_sound(&self, features: usize, rows: usize) -> bool {
        let leaves = self.starts.len().saturating_sub(1);
        let ends = self
            .starts
            .last()
            .is_none_or(|end| *end as usize == self.rows.len());
        ends && self.starts.is_sorted()
            && self.rows.iter().all(|row| (*row as usize) < rows)
            && (leaves == 0 || self.tree.is_sound(features, leaves))
    }

    pub(super) fn tree(&self) -> &Tree {
        &self.tree
    }

    fn members(&self, leaf: u32) -> &[u32] {
        let leaf = leaf as usize;
        match (self.starts.get(leaf), self.starts.get(leaf + 1)) {
            (Some(from), Some(to)) => &self.rows[*from as usize..*to as usize],
            // A tree that no row fills has nothing to say.
            _ => &[],
        }
    }
}

/// The weights of one row, and the leaves that they come from.
pub(super) struct Neighbourhood<'a> {
    /// Rows with weight, in order, and their share: the mean over trees of one over the rows of the leaf.
    pub(super) shares: &'a [(u32, f64)],
    /// The rows of this row's leaf in each tree; empty for a tree that has seen it.
    pub(super) leaves: &'a [&'a [u32]],
}

impl Neighbourhood<'_> {
    /// The variance of little bags of what the neighbours, each in the place of its share, move by `influence` a row.
    pub(super) fn variance(&self, influence: &[f64], bag: usize) -> f64 {
        let place = |row: &u32| self.shares.binary_search_by_key(row, |(r, _)| *r);
        let [variance] = self.variances([0.0], bag, |members, [moved]| {
            let places = members.iter().filter_map(|row| place(row).ok());
            *moved = places.map(|p| influence[p]).sum();
        });
        variance
    }

    /// The variances of little bags of several estimates; `moved` tells the sums over the rows of a leaf of what each moves them by. `room` is as long
    /// as there are estimates.
    pub(super) fn variances<V: AsRef<[f64]> + AsMut<[f64]> + Clone>(
        &self,
        room: V,
        bag: usize,
        moved: impl Fn(&[u32], &mut V),
    ) -> V {
        if bag < 2 {
            let mut unknown = room;
            unknown.as_mut().fill(f64::INFINITY);
            return unknown;
        }
        let (mut between, mut total, mut bags) = (room.clone(), room.clone(), 0.0);
        let (mut sum, mut squares, mut own) = (room.clone(), room.clone(), room);
        let size = bag as f64;
        for trees in self.leaves.chunks(bag) {
            if trees.iter().any(|members| members.is_empty()) {
                continue;
            }
            sum.as_mut().fill(0.0);
            squares.as_mut().fill(0.0);
            for members in trees {
                moved(members, &mut own);
                let sums = sum.as_mut().iter_mut().zip(squares.as_mut());
                for ((sum, square), own) in sums.zip(own.as_ref()) {
                    let moved = own / members.len() as f64;
                    *sum += moved;
                    *square += moved * moved;
                }
            }
            let of_bag = sum.as_ref().iter().zip(squares.as_ref());
            let sums = between.as_mut().iter_mut().zip(total.as_mut());
            for ((between, total), (sum, squares)) in sums.zip(of_bag) {
                *between += (sum / size).powi(2);
                *total += squares / size;
            }
            bags += 1.0;
        }
        for (between, total) in between.as_mut().iter_mut().zip(total.as_ref()) {
            *between = debiased(*between / bags, total / bags, size, bags);
        }
        between
    }
}

/// Asks something of the neighbourhood of every row of a table; with `seen`, of the trees that have not seen it. `rows` is the number of rows
/// that trees were grown on.
pub(super) fn ask<A: Send + Clone + Default>(
    trees: &[Grove],
    rows: usize,
    codes: &Codes,
    seen: Option<&Seen>,
    answer: impl Fn(usize, &Neighbourhood) -> A + Sync,
) -> Vec<A> {
    let mut out = vec![A::default(); codes.rows()];
    blocks::fill(&mut out, CHUNK, |first, chunk| {
        let n = chunk.len();
        let mut at = vec![SEEN; n * trees.len()];
        let mut walkers: Vec<u32> = (first..first + n).map(|row| row as u32).collect();
        let mut walked = vec![0; n];
        for (t, grove) in trees.iter().enumerate() {
            if let Some(seen) = seen {
                walkers.clear();
                let range = first..first + n;
                walkers.extend(range.filter(|r| !seen.has(t, *r)).map(|row| row as u32));
            }
            grove
                .tree
                .leaves(codes, &walkers, &mut walked[..walkers.len()]);
            for (row, leaf) in walkers.iter().zip(&walked) {
                at[t * n + *row as usize - first] = *leaf;
            }
        }
        let mut dense = vec![0.0; rows];
        let mut touched = vec![0_u64; rows.div_ceil(64)];
        let mut shares = Vec::new();
        let mut leaves: Vec<&[u32]> = Vec::with_capacity(trees.len());
        for (i, out) in chunk.iter_mut().enumerate() {
            leaves.clear();
            let mut used = 0.0;
            for (t, grove) in trees.iter().enumerate() {
                let leaf = at[t * n + i];
                let members = if leaf == SEEN {
                    &[]
                } else {
                    grove.members(leaf)
                };
                leaves.push(members);
                if members.is_empty() {
                    continue;
                }
                used += 1.0;
                let share = 1.0 / members.len() as f64;
                for row in members {
                    dense[*row as usize] += share;
                    touched[*row as usize / 64] |= 1 << (row % 64);
                }
            }
            shares.clear();
            for (word, bits) in touched.iter_mut().enumerate() {
                while *bits != 0 {
                    let row = word * 64 + bits.trailing_zeros() as usize;
                    *bits &= *bits - 1;
                    shares.push((row as u32, dense[row] / used));
                    dense[row] = 0.0;
                }
            }
            *out = answer(
                first + i,
                &Neighbourhood {
                    shares: &shares,
                    leaves: &leaves,
                },
            );
        }
    });
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Frame, Rows};
    use crate::regression::learners::Features;
    use crate::uplift::forest::tree::Rule;

    #[test]
    fn shares_are_those_of_the_leaf() {
        let x: Vec<f64> = (0..6).map(f64::from).collect();
        let frame = Frame::new().with("x", x).unwrap();
        let features = Features::from_frame(&frame, &["x"]).unwrap();
        let codes = Codes::binned(&features.bins(255), &Rows::all(6));
        let mut tree = Tree::seed();
        let rule = Rule::Number {
            last_left: 2,
            missing_left: true,
        };
        tree.split(0, 0, &rule).unwrap();
        let drawn = |fill: Vec<u32>| Drawn {
            fill,
            ..Drawn::default()
        };
        // One tree has rows on both sides, one (without the row that does not count) on the left alone.
        let groves = vec![
            Grove::filled(tree.clone(), &drawn(vec![0, 1, 3, 4, 5]), &codes, |_| true),
            Grove::filled(tree, &drawn(vec![1, 2, 5]), &codes, |row| row < 5),
        ];
        let seen = Seen(vec![vec![0], vec![1 << 4]]);
        let shares = ask(&groves, 6, &codes, Some(&seen), |_, near| {
            (near.shares.to_vec(), near.leaves.len())
        });
        assert_eq!(shares[0], (vec![(0, 0.25), (1, 0.5), (2, 0.25)], 2));
        let third = 1.0 / 3.0;
        assert_eq!(shares[4].0, [(3, third), (4, third), (5, third)]);
        assert_eq!(shares[3].0.len(), 5);
        assert_eq!(shares[3].0[0], (1, 0.25));
    }
}
