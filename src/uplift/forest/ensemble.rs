//! Many trees read together as one local moment with its variance.

use super::codes::Codes;
use super::moment::{EFFECT, Effect, INSTRUMENT, Instrument, Local, MEAN, Mean, Moment, Solved};
use super::plan::Seen;
use super::tree::Tree;
use crate::numeric::blocks;
use crate::numeric::special::normal;
use serde::{Deserialize, Serialize};

/// Rows predicted by one task: enough that a tree is read for many rows while it is near.
const CHUNK: usize = 1 << 10;
/// The leaf of a row that a tree has seen.
pub(super) const SEEN: u32 = u32::MAX;

/// The trees of a forest, bag by bag.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Ensemble {
    pub(super) moment: Moment,
    pub(super) bag: usize,
    pub(super) trees: Vec<Tree>,
    /// The solutions for all rows at once: the prediction where trees do not determine them.
    pub(super) overall: Vec<f64>,
}

/// A prediction with the two variances that little bags give: of the means of bags, and of trees within bags.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Predicted {
    pub(super) estimate: f64,
    pub(super) variance: f64,
    /// Whether trees determined it.
    pub(super) known: bool,
}

impl Ensemble {
    /// Whether its trees are of this moment with so many solutions, on so many features.
    pub(super) fn is_sound(&self, moment: Moment, solutions: usize, features: usize) -> bool {
        let size = moment.size();
        let mut trees = self.trees.iter();
        self.moment == moment
            && self.overall.len() == solutions
            && self.bag > 0
            && trees.all(|tree| tree.is_sound(features, tree.means.len() / size))
    }

    /// Predictions of a moment with one solution for every row of a table; with `seen`, each row by the trees that have not seen it.
    pub(super) fn predict(&self, codes: &Codes, seen: Option<&Seen>) -> Vec<Predicted> {
        let predicted = match self.moment {
            Moment::Mean => self.predict_as::<MEAN, 1, _>(&Mean, codes, seen),
            Moment::Instrument => self.predict_as::<INSTRUMENT, 1, _>(&Instrument, codes, seen),
            _ => self.predict_as::<EFFECT, 1, _>(&Effect, codes, seen),
        };
        predicted.into_iter().map(|[one]| one).collect()
    }

    pub(super) fn predict_as<const D: usize, const T: usize, M: Local<D, T>>(
        &self,
        moment: &M,
        codes: &Codes,
        seen: Option<&Seen>,
    ) -> Vec<[Predicted; T]> {
        let mut out = vec![[Predicted::default(); T]; codes.rows()];
        blocks::fill(&mut out, CHUNK, |first, chunk| {
            let n = chunk.len();
            // The leaf of each row in each tree: the second pass needs no walk.
            let mut leaves = vec![SEEN; n * self.trees.len()];
            let mut sums = vec![[0.0; D]; n];
            let mut used = vec![0_u32; n];
            let mut rows: Vec<u32> = (first..first + n).map(|row| row as u32).collect();
            let mut walked = vec![0; n];
            for (t, tree) in self.trees.iter().enumerate() {
                if let Some(seen) = seen {
                    rows.clear();
                    let range = first..first + n;
                    rows.extend(range.filter(|r| !seen.has(t, *r)).map(|row| row as u32));
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
            let solved: Vec<Option<[Solved<D>; T]>> = sums
                .iter()
                .zip(&used)
                .map(|(sums, used)| moment.solve(&sums.map(|s| s / f64::from(*used))))
                .collect();
            let variances = self.variances(&leaves, &solved);
            for (i, out) in chunk.iter_mut().enumerate() {
                for (t, out) in out.iter_mut().enumerate() {
                    let solution = solved[i].as_ref().map(|solved| solved[t].0);
                    *out = Predicted {
                        estimate: solution.unwrap_or(self.overall[t]),
                        variance: variances[i][t],
                        known: solution.is_some(),
                    };
                }
            }
        });
        out
    }

    /// The variance of each row's prediction. A tree moves it by `slope · means of its leaf`; the mean square of the means of bags is the
    /// variance between half samples plus the noise of few trees in a bag, which trees within bags tell (section 4.1 of Athey, Tibshirani &
    /// Wager 2019).
    fn variances<const D: usize, const T: usize>(
        &self,
        leaves: &[u32],
        solved: &[Option<[Solved<D>; T]>],
    ) -> Vec<[f64; T]> {
        let n = solved.len();
        let size = self.bag as f64;
        let mut between = vec![[0.0; T]; n];
        let mut total = vec![[0.0; T]; n];
        let mut bags = vec![0_u32; n];
        let mut of_bag = vec![([0.0; T], [0.0; T], 0_usize); n];
        for (g, trees) in self.trees.chunks(self.bag).enumerate() {
            of_bag.fill(([0.0; T], [0.0; T], 0));
            for (k, tree) in trees.iter().enumerate() {
                let at = &leaves[(g * self.bag + k) * n..][..n];
                for ((leaf, bag), solved) in at.iter().zip(&mut of_bag).zip(solved) {
                    let (true, Some(solved)) = (*leaf != SEEN, solved) else {
                        continue;
                    };
                    let means = &tree.means[*leaf as usize * D..][..D];
                    for (t, (_, slope)) in solved.iter().enumerate() {
                        let influence: f64 = means.iter().zip(slope).map(|(m, s)| m * s).sum();
                        bag.0[t] += influence;
                        bag.1[t] += influence * influence;
                    }
                    bag.2 += 1;
                }
            }
            for (i, (sum, squares, count)) in of_bag.iter().enumerate() {
                // A bag counts where all its trees have not seen the row.
                if *count == self.bag {
                    for t in 0..T {
                        between[i][t] += (sum[t] / size).powi(2);
                        total[i][t] += squares[t] / size;
                    }
                    bags[i] += 1;
                }
            }
        }
        (0..n)
            .map(|i| {
                let bags = f64::from(bags[i]);
                std::array::from_fn(|t| {
                    debiased(between[i][t] / bags, total[i][t] / bags, size, bags)
                })
            })
            .collect()
    }
}

/// The share of splits on each feature, weighted by depth: `Σ_k k⁻² share_k / Σ_k k⁻²` over the first `depths` levels.
pub(super) fn importance<'a>(
    trees: impl IntoIterator<Item = &'a Tree>,
    features: usize,
    depths: usize,
) -> Vec<f64> {
    let mut counts = vec![vec![0.0; features]; depths];
    for tree in trees {
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

/// The variance between bags without the noise within, kept positive: the mean of its posterior under a flat prior on [0, ∞), the
/// moment estimate `s` being normal with standard error `max(between, noise) √(2/bags)`.
pub(super) fn debiased(between: f64, total: f64, size: f64, bags: f64) -> f64 {
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
    use super::super::grow::Growth;
    use super::super::moment::Point;
    use super::super::plan::{Data, Plan};
    use super::super::sample::{Drawn, Sampling, Units};
    use super::*;
    use crate::data::{Frame, Rows};
    use crate::numeric::permutation::open_unit;
    use crate::numeric::{Progress, Seed};
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
        let importance = importance(&forest.trees, 2, 4);
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
