//! How a forest is grown, bag by bag.

use super::codes::Codes;
use super::ensemble::Ensemble;
use super::grow::{Ground, Growth, Workshop};
use super::moment::{EFFECT, Effect, INSTRUMENT, Instrument, Local, MEAN, Mean, Moment, Point};
use super::relabel::Relabel;
use super::sample::{Drawn, Sampling, Units};
use super::split::{PLAIN, WEIGHTED};
use super::tree::Tree;
use crate::error::Result;
use crate::numeric::{Progress, Seed, blocks};
use rand::Rng;

/// Bags grown between two reports of progress.
const WAVE: usize = 32;

/// How a forest is grown.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    pub(super) moment: Moment,
    pub(super) bags: usize,
    pub(super) sampling: Sampling,
    pub(super) growth: Growth,
}

/// What trees are grown on.
pub(super) struct Data<'a, P = Point> {
    pub(super) codes: &'a Codes,
    pub(super) category: &'a [bool],
    pub(super) points: &'a [P],
    pub(super) weighted: bool,
    pub(super) units: &'a Units,
}

/// Which rows each tree has seen, one bit a row.
pub(super) struct Seen(pub(super) Vec<Vec<u64>>);

impl Seen {
    /// Whether a tree has seen a row.
    #[inline]
    pub(super) fn has(&self, tree: usize, row: usize) -> bool {
        self.0[tree][row / 64] >> (row % 64) & 1 == 1
    }
}

impl Plan {
    /// Grows a forest of a moment with one solution.
    pub(super) fn grow(
        &self,
        data: &Data,
        seed: Seed,
        progress: &Progress,
    ) -> Result<(Ensemble, Seen)> {
        match (self.moment, data.weighted) {
            (Moment::Mean, false) => self.grow_as::<PLAIN, MEAN, 1, _>(&Mean, data, seed, progress),
            (Moment::Mean, true) => {
                self.grow_as::<WEIGHTED, MEAN, 1, _>(&Mean, data, seed, progress)
            }
            (Moment::Instrument, false) => {
                self.grow_as::<PLAIN, INSTRUMENT, 1, _>(&Instrument, data, seed, progress)
            }
            (Moment::Instrument, true) => {
                self.grow_as::<WEIGHTED, INSTRUMENT, 1, _>(&Instrument, data, seed, progress)
            }
            (_, false) => self.grow_as::<PLAIN, EFFECT, 1, _>(&Effect, data, seed, progress),
            (_, true) => self.grow_as::<WEIGHTED, EFFECT, 1, _>(&Effect, data, seed, progress),
        }
    }

    /// Grows a forest whose leaves keep the means of a moment.
    pub(super) fn grow_as<const L: usize, const D: usize, const T: usize, M>(
        &self,
        moment: &M,
        data: &Data<M::Point>,
        seed: Seed,
        progress: &Progress,
    ) -> Result<(Ensemble, Seen)>
    where
        M: Local<D, T> + Relabel<L>,
    {
        let fill = |tree, drawn: &Drawn| filled(tree, drawn, moment, data);
        let (trees, seen) = self.trees(moment, data, seed, progress, fill)?;
        let mut sums = [0.0; D];
        for point in data.points {
            for (sum, value) in sums.iter_mut().zip(moment.row(point)) {
                *sum += value;
            }
        }
        let overall = moment.solve(&sums);
        let ensemble = Ensemble {
            moment: self.moment,
            bag: self.sampling.bag,
            trees,
            overall: overall.map_or_else(
                || vec![0.0; T],
                |solved| solved.iter().map(|(value, _)| *value).collect(),
            ),
        };
        Ok((ensemble, seen))
    }

    /// Grows the trees, and lets each be filled with the rows that it kept for that. Bag g draws from stream g of one child of the seed, tree t
    /// from stream t of another.
    pub(super) fn trees<const L: usize, R: Relabel<L>, F: Send>(
        &self,
        relabel: &R,
        data: &Data<R::Point>,
        seed: Seed,
        progress: &Progress,
        fill: impl Fn(Tree, &Drawn) -> F + Sync,
    ) -> Result<(Vec<F>, Seen)> {
        let ground = Ground {
            codes: data.codes,
            category: data.category,
            points: data.points,
            relabel,
            growth: self.growth,
        };
        let size = self.sampling.bag;
        let mut trees = Vec::with_capacity(self.bags * size);
        let mut seen = Vec::with_capacity(self.bags * size);
        while trees.len() < self.bags * size {
            let from = trees.len() / size;
            let wave = blocks::map(WAVE.min(self.bags - from), |g| {
                let bag = from + g;
                let mut workshop = Workshop::<L, R::Point>::new(data.codes.features());
                let drawn = self.draws(data.units, bag, seed);
                let grown = drawn.map(|(drawn, mut random)| {
                    let tree = workshop.tree(&ground, &drawn.split, &mut random);
                    (fill(tree, &drawn), drawn.seen)
                });
                grown.collect::<Vec<_>>()
            });
            for (tree, rows) in wave.into_iter().flatten() {
                trees.push(tree);
                seen.push(rows);
            }
            progress.report("forest", trees.len(), self.bags * size)?;
        }
        Ok((trees, Seen(seen)))
    }

    /// What each tree of a bag has drawn, and its stream after that.
    pub(super) fn draws<'a>(
        &'a self,
        units: &'a Units,
        bag: usize,
        seed: Seed,
    ) -> impl Iterator<Item = (Drawn, impl Rng + use<>)> + 'a {
        let shared = units.bag(
            self.sampling,
            &mut seed.child("little bags").stream(bag as u64),
        );
        let size = self.sampling.bag;
        (0..size).map(move |k| {
            let mut random = seed.child("trees").stream((bag * size + k) as u64);
            let drawn = units.tree(&shared, self.sampling, &mut random);
            (drawn, random)
        })
    }
}

/// A tree whose leaves hold the means of the rows that were kept for them.
fn filled<const D: usize, const T: usize, M: Local<D, T>>(
    mut tree: Tree,
    drawn: &Drawn,
    moment: &M,
    data: &Data<M::Point>,
) -> Tree {
    let leaves = tree.number_leaves();
    let mut at = vec![0; drawn.fill.len()];
    tree.leaves(data.codes, &drawn.fill, &mut at);
    let (mut counts, mut means) = (vec![0_u32; leaves], vec![0.0; leaves * D]);
    for (leaf, row) in at.iter().zip(&drawn.fill) {
        let leaf = *leaf as usize;
        let point = &data.points[*row as usize];
        counts[leaf] += u32::from(moment.counts(point));
        for (sum, value) in means[leaf * D..][..D].iter_mut().zip(moment.row(point)) {
            *sum += value;
        }
    }
    for (count, means) in counts.iter().zip(means.chunks_exact_mut(D)) {
        let n = f64::from((*count).max(1));
        for mean in means.iter_mut() {
            *mean /= n;
        }
    }
    tree.pruned(&counts, &means, D)
}
