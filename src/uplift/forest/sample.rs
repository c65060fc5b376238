//! Which rows a tree sees: little bags, subsamples of clusters, and the two honest halves.

use crate::numeric::permutation::below;
use rand::Rng;

/// What rows are drawn from: rows, or clusters of rows.
#[derive(Clone, Debug)]
pub(super) struct Units {
    rows: usize,
    /// The cluster of each row, and how many clusters there are.
    clusters: Option<(Vec<u32>, usize)>,
}

/// How rows are drawn.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sampling {
    /// Trees that share a half sample.
    pub(super) bag: usize,
    /// Share of the units a tree sees.
    pub(super) fraction: f64,
    /// Share of those that find the splits; the others fill the leaves.
    pub(super) honesty: f64,
}

/// The rows of one tree.
#[derive(Clone, Debug, Default)]
pub(super) struct Drawn {
    /// Rows that find the splits, in order.
    pub(super) split: Vec<u32>,
    /// Rows that fill the leaves, in order.
    pub(super) fill: Vec<u32>,
    /// One bit a row: whether the tree has seen it in either role.
    pub(super) seen: Vec<u64>,
}

impl Units {
    pub(super) fn rows(rows: usize) -> Self {
        Self {
            rows,
            clusters: None,
        }
    }

    /// Whole clusters are drawn; `codes` has the cluster of each row.
    pub(super) fn clusters(codes: Vec<u32>, count: usize) -> Self {
        Self {
            rows: codes.len(),
            clusters: Some((codes, count)),
        }
    }

    pub(super) fn count(&self) -> usize {
        self.clusters
            .as_ref()
            .map_or(self.rows, |(_, count)| *count)
    }

    /// The half of the units that the trees of a bag share, in random order; all of them when each tree is alone.
    pub(super) fn bag(&self, sampling: Sampling, random: &mut impl Rng) -> Vec<u32> {
        let mut units: Vec<u32> = (0..self.count() as u32).collect();
        if sampling.bag > 1 {
            let half = units.len() / 2;
            to_front(&mut units, half, random);
            units.truncate(half);
        }
        units
    }

    /// The rows of one tree of a bag.
    pub(super) fn tree(&self, bag: &[u32], sampling: Sampling, random: &mut impl Rng) -> Drawn {
        const SPLIT: u8 = 1;
        const FILL: u8 = 2;
        let share = if sampling.bag > 1 {
            2.0 * sampling.fraction
        } else {
            sampling.fraction
        };
        let drawn = ((bag.len() as f64 * share).round() as usize).clamp(2, bag.len().max(2));
        let split = ((drawn as f64 * sampling.honesty).round() as usize).clamp(1, drawn - 1);
        let mut units = bag.to_vec();
        to_front(&mut units, drawn, random);
        // The first of a random order are a random choice, whoever stood there before.
        to_front(&mut units[..drawn], split, random);
        let mut role = vec![0_u8; self.count()];
        for (i, unit) in units[..drawn].iter().enumerate() {
            role[*unit as usize] = if i < split { SPLIT } else { FILL };
        }
        let mut rows = Drawn {
            seen: vec![0; self.rows.div_ceil(64)],
            ..Drawn::default()
        };
        for row in 0..self.rows {
            let unit = self
                .clusters
                .as_ref()
                .map_or(row, |(of, _)| of[row] as usize);
            match role[unit] {
                SPLIT => rows.split.push(row as u32),
                FILL => rows.fill.push(row as u32),
                _ => continue,
            }
            rows.seen[row / 64] |= 1 << (row % 64);
        }
        rows
    }
}

/// Brings a random choice of `count` items to the front.
fn to_front(items: &mut [u32], count: usize, random: &mut impl Rng) {
    for i in 0..count.min(items.len().saturating_sub(1)) {
        let chosen = i + below(random, (items.len() - i) as u64) as usize;
        items.swap(i, chosen);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::numeric::Seed;

    const HALF: Sampling = Sampling {
        bag: 2,
        fraction: 0.5,
        honesty: 0.5,
    };

    #[test]
    fn trees_of_a_bag_share_a_half_and_split_it_anew() {
        let units = Units::rows(1000);
        let mut random = Seed::new(1).stream(0);
        let bag = units.bag(HALF, &mut random);
        let (a, b) = (
            units.tree(&bag, HALF, &mut random),
            units.tree(&bag, HALF, &mut random),
        );
        assert_eq!((a.split.len(), a.fill.len()), (250, 250));
        assert_eq!(a.seen, b.seen);
        assert_ne!(a.split, b.split);
        assert!(a.split.is_sorted() && a.split.iter().all(|r| !a.fill.contains(r)));
        let bits: u32 = a.seen.iter().map(|w| w.count_ones()).sum();
        assert_eq!(bits, 500);
        let third = Sampling {
            fraction: 0.3,
            honesty: 0.4,
            ..HALF
        };
        let c = units.tree(&bag, third, &mut random);
        assert_eq!((c.split.len(), c.fill.len()), (120, 180));
    }

    #[test]
    fn every_row_is_drawn_equally_often() {
        let units = Units::rows(40);
        let mut counts = [[0_u32; 2]; 40];
        let runs = 4000;
        for k in 0..runs {
            let mut random = Seed::new(3).stream(k);
            let bag = units.bag(HALF, &mut random);
            let drawn = units.tree(&bag, HALF, &mut random);
            drawn.split.iter().for_each(|r| counts[*r as usize][0] += 1);
            drawn.fill.iter().for_each(|r| counts[*r as usize][1] += 1);
        }
        // Each role has a quarter of the rows: 1000 ± 27; 80 counts stay within 4.2 standard deviations.
        for row in counts {
            assert!(row.iter().all(|c| (885..=1115).contains(c)), "{row:?}");
        }
    }

    #[test]
    fn clusters_are_drawn_whole() {
        let codes: Vec<u32> = (0..300).map(|i| i % 30).collect();
        let units = Units::clusters(codes, 30);
        let mut random = Seed::new(2).stream(0);
        let bag = units.bag(HALF, &mut random);
        let drawn = units.tree(&bag, HALF, &mut random);
        let of = |rows: &[u32]| {
            let mut clusters: Vec<u32> = rows.iter().map(|r| r % 30).collect();
            clusters.sort_unstable();
            clusters.dedup();
            clusters
        };
        let (split, fill) = (of(&drawn.split), of(&drawn.fill));
        assert_eq!(drawn.split.len(), 10 * split.len());
        assert_eq!(split.len() + fill.len(), 15);
        assert!(split.iter().all(|c| !fill.contains(c)));
    }
}
