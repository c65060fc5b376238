//! Many trees: grown in little bags, and read together as one local moment with its variance.

use super::codes::Codes;
use super::grow::{Ground, Growth, Workshop};
use super::moment::{EFFECT, Effect, INSTRUMENT, Instrument, Local, MEAN, Mean, Moment, Point};
use super::sample::{Drawn, Sampling, Units};
use super::split::{PLAIN, WEIGHTED};
use super::tree::Tree;
use crate::error::Result;
use crate::numeric::special::normal;
use crate::numeric::{Progress, Seed, blocks};
use serde::{Deserialize, Serialize};

/// Bags grown between two reports of progress.
const WAVE: usize = 32;
/// Rows predicted by one task: enough that a tree is read for many rows while it is near.
const CHUNK: usize = 1 << 10;
/// The leaf of a row that a tree has seen.
const SEEN: u32 = u32::MAX;

/// How a forest is grown.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    pub(super) moment: Moment,
    pub(super) bags: usize,
    pub(super) sampling: Sampling,
    pub(super) growth: Growth,
}

/// What trees are grown on.
pub(super) struct Data<'a> {
    pub(super) codes: &'a Codes,
    pub(super) category: &'a [bool],
    pub(super) points: &'a [Point],
    pub(super) weighted: bool,
    pub(super) units: &'a Units,
}

/// The trees of a forest, bag by bag.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Ensemble {
    pub(super) moment: Moment,
    pub(super) bag: usize,
    pub(super) trees: Vec<Tree>,
    /// The solution for all rows at once: the prediction where trees do not determine one.
    pub(super) overall: f64,
}

/// Which rows each tree has seen, one bit a row.
pub(super) struct Seen(Vec<Vec<u64>>);

/// A prediction with the two variances that little bags give: of the means of bags, and of trees within bags.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Predicted {
    pub(super) estimate: f64,
    pub(super) variance: f64,
    /// Whether trees determined it.
    pub(super) known: bool,
}

impl Plan {
    /// Grows the trees. Bag g draws from stream g of one child of the seed, tree t from stream t of another.
    pub(super) fn grow(
        &self,
        data: &Data,
        seed: Seed,
        progress: &Progress,
    ) -> Result<(Ensemble, Seen)> {
        match (self.moment, data.weighted) {
            (Moment::Mean, false) => self.grow_as::<PLAIN, MEAN, Mean>(data, seed, progress),
            (Moment::Mean, true) => self.grow_as::<WEIGHTED, MEAN, Mean>(data, seed, progress),
            (Moment::Effect, false) => self.grow_as::<PLAIN, EFFECT, Effect>(data, seed, progress),
            (Moment::Effect, true) => {
                self.grow_as::<WEIGHTED, EFFECT, Effect>(data, seed, progress)
            }
            (Moment::Instrument, false) => {
                self.grow_as::<PLAIN, INSTRUMENT, Instrument>(data, seed, progress)
            }
            (Moment::Instrument, true) => {
                self.grow_as::<WEIGHTED, INSTRUMENT, Instrument>(data, seed, progress)
            }
        }
    }

    fn grow_as<const L: usize, const D: usize, M: Local<D>>(
        &self,
        data: &Data,
        seed: Seed,
        progress: &Progress,
    ) -> Result<(Ensemble, Seen)> {
        let ground = Ground {
            codes: data.codes,
            category: data.category,
            points: data.points,
            moment: self.moment,
            growth: self.growth,
        };
        let (bags, size) = (seed.child("little bags"), self.sampling.bag);
        let mut trees = Vec::with_capacity(self.bags * size);
        let mut seen = Vec::with_capacity(self.bags * size);
        while trees.len() < self.bags * size {
            let from = trees.len() / size;
            let wave = blocks::map(WAVE.min(self.bags - from), |g| {
                let bag = data
                    .units
                    .bag(self.sampling, &mut bags.stream((from + g) as u64));
                let mut workshop = Workshop::<L>::new(data.codes.features());
                let grown = (0..size).map(|k| {
                    let mut random = seed.child("trees").stream(((from + g) * size + k) as u64);
                    let drawn: Drawn = data.units.tree(&bag, self.sampling, &mut random);
                    let tree = workshop.tree::<D, M>(&ground, &drawn, &mut random);
                    (tree, drawn.seen)
                });
                grown.collect::<Vec<_>>()
            });
            for (tree, rows) in wave.into_iter().flatten() {
                trees.push(tree);
                seen.push(rows);
            }
            progress.report("forest", trees.len(), self.bags * size)?;
        }
        let mut sums = [0.0; D];
        for point in data.points {
            for (sum, value) in sums.iter_mut().zip(M::row(point)) {
                *sum += value;
            }
        }
        let ensemble = Ensemble {
            moment: self.moment,
            bag: size,
            trees,
            overall: M::solve(&sums).map_or(0.0, |(value, _)| value),
        };
        Ok((ensemble, Seen(seen)))
    }
}

impl Ensemble {
    /// Predictions for every row of a table; with `seen`, each row by the trees that have not seen it.
    pub(super) fn predict(&self, codes: &Codes, seen: Option<&Seen>) -> Vec<Predicted> {
        match self.moment {
            Moment::Mean => self.predict_as::<MEAN, Mean>(codes, seen),
            Moment::Effect => self.predict_as::<EFFECT, Effect>(codes, seen),
            Moment::Instrument => self.predict_as::<INSTRUMENT, Instrument>(codes, seen),
        }
    }

    fn predict_as<const D: usize, M: Local<D>>(
        &self,
        codes: &Codes,
        seen: Option<&Seen>,
    ) -> Vec<Predicted> {
        let mut out = vec![Predicted::default(); codes.rows()];
        blocks::fill(&mut out, CHUNK, |first, chunk| {
            let n = chunk.len();
            // The leaf of each row in each tree: the second pass needs no walk.
            let mut leaves = vec![SEEN; n * self.trees.len()];
            let mut sums = vec![[0.0; D]; n];
            let mut used = vec![0_u32; n];
            let mut rows: Vec<u32> = (first..first + n).map(|row| row as u32).collect();
            let mut walked = vec![0; n];
            for (t, tree) in self.trees.iter().enumerate() {
                if let Some(Seen(bits)) = seen {
                    rows.clear();
                    let unseen = |row: &usize| bits[t][row / 64] >> (row % 64) & 1 == 0;
                    let range = first..first + n;
                    rows.extend(range.filter(unseen).map(|row| row as u32));
                }
                tree.leaves(codes, &rows, &mut walked[..rows.len()]);
                for (row, leaf) in rows.iter().zip(&walked) {
                    let i = *row as usize - first;
                    leaves[t * n + i] = *leaf;
                    used[i] += 1;
                    let means = &tree.means[*leaf as usize * D..][..D];
                    for (sum, mean) in sums[i].iter_mut().zip(means) {
                        *sum += mean;
                    }
                }
            }
            let solved: Vec<Option<(f64, [f64; D])>> = sums
                .iter()
                .zip(&used)
                .map(|(sums, used)| M::solve(&sums.map(|s| s / f64::from(*used))))
                .collect();
            let variances = self.variances::<D>(&leaves, &solved);
            for (i, out) in chunk.iter_mut().enumerate() {
                *out = Predicted {
                    estimate: solved[i].map_or(self.overall, |(value, _)| value),
                    variance: variances[i],
                    known: solved[i].is_some(),
                };
            }
        });
        out
    }

    /// The variance of each row's prediction. A tree moves it by `slope · means of its leaf`; the mean square of the means of bags is the
    /// variance between half samples plus the noise of few trees in a bag, which trees within bags tell (section 4.1 of Athey, Tibshirani &
    /// Wager 2019).
    fn variances<const D: usize>(
        &self,
        leaves: &[u32],
        solved: &[Option<(f64, [f64; D])>],
    ) -> Vec<f64> {
        let n = solved.len();
        let size = self.bag as f64;
        let mut between = vec![0.0; n];
        let mut total = vec![0.0; n];
        let mut bags = vec![0_u32; n];
        let mut of_bag = vec![(0.0, 0.0, 0_usize); n];
        for (g, trees) in self.trees.chunks(self.bag).enumerate() {
            of_bag.fill((0.0, 0.0, 0));
            for (k, tree) in trees.iter().enumerate() {
                let at = &leaves[(g * self.bag + k) * n..][..n];
                for ((leaf, bag), solved) in at.iter().zip(&mut of_bag).zip(solved) {
                    let (true, Some((_, slope))) = (*leaf != SEEN, solved) else {
                        continue;
                    };
                    let means = &tree.means[*leaf as usize * D..][..D];
                    let influence: f64 = means.iter().zip(slope).map(|(m, s)| m * s).sum();
                    bag.0 += influence;
                    bag.1 += influence * influence;
                    bag.2 += 1;
                }
            }
            for (i, (sum, squares, count)) in of_bag.iter().enumerate() {
                // A bag counts where all its trees have not seen the row.
                if *count == self.bag {
                    between[i] += (sum / size).powi(2);
                    total[i] += squares / size;
                    bags[i] += 1;
                }
            }
        }
        (0..n)
            .map(|i| {
                let bags = f64::from(bags[i]);
                debiased(between[i] / bags, total[i] / bags, size, bags)
            })
            .collect()
    }

    /// The share of splits on each feature, weighted by depth: `Σ_k k⁻² share_k / Σ_k k⁻²` over the first `depths` levels.
    pub(super) fn importance(&self, features: usize, depths: usize) -> Vec<f64> {
        let mut counts = vec![vec![0.0; features]; depths];
        for tree in &self.trees {
            tree.count_splits(&mut counts);
        }
        let (mut importance, mut weights) = (vec![0.0; features], 0.0);
        for (k, counts) in counts.iter().enumerate() {
            let splits: f64 = counts.iter().sum();
            let weight = ((k + 1) as f64).powi(-2);
            weights += weight;
            for (sum, count) in importance.iter_mut().zip(counts) {
                *sum += weight * count / splits.max(1.0);
            }
        }
        importance.iter().map(|v| v / weights).collect()
    }
}

/// The variance between bags without the noise within, kept positive: the mean of its posterior under a flat prior on [0, ∞), the
/// moment estimate `s` being normal with standard error `max(between, noise) √(2/bags)`.
fn debiased(between: f64, total: f64, size: f64, bags: f64) -> f64 {
    if size < 2.0 || bags < 2.0 {
        return f64::INFINITY;
    }
    let noise = (total - between) / (size - 1.0);
    let (estimate, error) = (between - noise, between.max(noise) * (2.0 / bags).sqrt());
    if error <= 0.0 {
        return 0.0;
    }
    // E[X | X > 0] = μ + σ φ(μ/σ)/Φ(μ/σ).
    estimate + error * normal::inverse_mills(estimate / error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Frame, Rows};
    use crate::numeric::permutation::open_unit;
    use crate::regression::learners::Features;
    use rand::Rng;

    /// Rows with an effect that jumps in the first of two features.
    fn sample(n: usize) -> (Codes, Vec<Point>) {
        let mut random = Seed::new(5).stream(0);
        let mut u = || open_unit(random.next_u64());
        let (mut a, mut b, mut points) = (vec![], vec![], vec![]);
        for _ in 0..n {
            let (x1, x2, w, noise) = (u(), u(), u() - 0.5, u() - 0.5);
            let effect = if x1 > 0.5 { 3.0 } else { 0.0 };
            let z = w + 0.2 * (u() - 0.5);
            points.push(Point {
                y: effect * w + noise,
                w,
                z,
                weight: 0.5 + x2,
            });
            a.push(x1);
            b.push(x2);
        }
        let frame = Frame::new().with("a", a).unwrap().with("b", b).unwrap();
        let features = Features::from_frame(&frame, &["a", "b"]).unwrap();
        (Codes::binned(&features.bins(255), &Rows::all(n)), points)
    }

    fn plan(moment: Moment, bags: usize) -> Plan {
        Plan {
            moment,
            bags,
            sampling: Sampling {
                bag: 2,
                fraction: 0.4,
                honesty: 0.5,
            },
            growth: Growth {
                min_node_size: 3,
                alpha: 0.05,
                imbalance_penalty: 0.0,
                features_per_split: 2.0,
            },
        }
    }

    /// The forest's weights by definition, and from them the weighted two-stage least squares with its influence by tree.
    #[test]
    fn predictions_solve_the_weighted_moment_and_variances_are_those_of_little_bags() {
        let n = 400;
        let (codes, points) = sample(n);
        let units = Units::rows(n);
        let data = Data {
            codes: &codes,
            category: &[false, false],
            points: &points,
            weighted: true,
            units: &units,
        };
        let (seed, bags) = (Seed::new(11), 30);
        for moment in [Moment::Effect, Moment::Instrument] {
            let plan = plan(moment, bags);
            let (forest, seen) = plan.grow(&data, seed, &Progress::none()).unwrap();
            let predicted = forest.predict(&codes, Some(&seen));
            let z = |p: &Point| if moment == Moment::Effect { p.w } else { p.z };
            let drawn: Vec<Drawn> = (0..2 * bags)
                .map(|t| {
                    let mut of_bag = seed.child("little bags").stream(t as u64 / 2);
                    let bag = units.bag(plan.sampling, &mut of_bag);
                    units.tree(
                        &bag,
                        plan.sampling,
                        &mut seed.child("trees").stream(t as u64),
                    )
                })
                .collect();
            for row in (0..n).step_by(37) {
                // The share of each row in the leaf of this one, tree by tree.
                let mut shares: Vec<Option<Vec<f64>>> = vec![];
                for (tree, drawn) in forest.trees.iter().zip(&drawn) {
                    if drawn.seen[row / 64] >> (row % 64) & 1 == 1 {
                        shares.push(None);
                        continue;
                    }
                    let mut leaf = [0];
                    tree.leaves(&codes, &[row as u32], &mut leaf);
                    let mut at = vec![0; drawn.fill.len()];
                    tree.leaves(&codes, &drawn.fill, &mut at);
                    let together = at.iter().filter(|l| **l == leaf[0]).count();
                    let mut share = vec![0.0; n];
                    for (row, l) in drawn.fill.iter().zip(&at) {
                        if *l == leaf[0] {
                            share[*row as usize] = 1.0 / together as f64;
                        }
                    }
                    shares.push(Some(share));
                }
                let used: Vec<&Vec<f64>> = shares.iter().flatten().collect();
                let mean = |f: &dyn Fn(&Point) -> f64, weights: &[&Vec<f64>]| {
                    let sum = |share: &Vec<f64>| {
                        let each = points.iter().zip(share);
                        each.map(|(p, s)| s * p.weight * f(p)).sum::<f64>()
                    };
                    weights.iter().map(|s| sum(s)).sum::<f64>() / weights.len() as f64
                };
                let total = mean(&|_| 1.0, &used);
                let [y, w, mz] = [
                    mean(&|p| p.y, &used) / total,
                    mean(&|p| p.w, &used) / total,
                    mean(&z, &used) / total,
                ];
                let slope = mean(&|p| (z(p) - mz) * (p.w - w), &used);
                let effect = mean(&|p| (z(p) - mz) * (p.y - y), &used) / slope;
                assert!((effect - predicted[row].estimate).abs() < 1e-9);
                let of_tree = |share: &Vec<f64>| {
                    let moved = |p: &Point| (z(p) - mz) * (p.y - y - effect * (p.w - w)) / slope;
                    mean(&moved, &[share])
                };
                let (mut between, mut within, mut count) = (0.0, 0.0, 0.0);
                for pair in shares.chunks(2) {
                    if let [Some(a), Some(b)] = pair {
                        let (a, b) = (of_tree(a), of_tree(b));
                        between += f64::midpoint(a, b).powi(2);
                        within += f64::midpoint(a * a, b * b);
                        count += 1.0;
                    }
                }
                let want = debiased(between / count, within / count, 2.0, count);
                let variance = predicted[row].variance;
                assert!((variance - want).abs() < 1e-9 * want, "{variance} {want}");
            }
        }
    }

    #[test]
    fn a_jump_in_the_effect_is_found() {
        let n = 4000;
        let (codes, points) = sample(n);
        let units = Units::rows(n);
        let data = Data {
            codes: &codes,
            category: &[false, false],
            points: &points,
            weighted: false,
            units: &units,
        };
        let plan = plan(Moment::Effect, 50);
        let (forest, seen) = plan.grow(&data, Seed::new(2), &Progress::none()).unwrap();
        let predicted = forest.predict(&codes, Some(&seen));
        let error: f64 = predicted
            .iter()
            .enumerate()
            .map(|(i, p)| {
                let truth = if codes.row(i)[0] > 127 { 3.0 } else { 0.0 };
                (p.estimate - truth).abs() / n as f64
            })
            .sum();
        assert!(error < 0.2, "{error}");
        let importance = forest.importance(2, 4);
        assert!(importance[0] > 0.5 && (importance.iter().sum::<f64>() - 1.0).abs() < 1e-12);
    }

    #[test]
    fn variances_stay_positive_and_are_the_moment_estimate_when_clear() {
        let clear = debiased(1.0, 1.5, 2.0, 1000.0);
        assert!((clear - 0.5).abs() < 1e-6, "{clear}");
        let negative = debiased(1.0, 3.0, 2.0, 50.0);
        assert!(negative > 0.0 && negative < 0.5, "{negative}");
        assert_eq!(debiased(0.0, 0.0, 2.0, 10.0), 0.0);
        assert!(debiased(1.0, 1.0, 1.0, 10.0).is_infinite());
    }
}
