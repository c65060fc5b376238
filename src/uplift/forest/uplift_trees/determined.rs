//! What the rows that estimate a tree determine: in which nodes every arm has a mean with an error, and what the errors are.

use super::criterion::WEIGHT;
use super::grow::{FEWEST_ROWS, Ground, Grown, KEPT, complete, means};
use crate::inference::Estimate;

/// For each node, whether every arm has the rows, and with clusters the clusters, that a mean and its error need.
pub(super) fn determined(
    grown: &Grown,
    ground: &Ground,
    rows: &[u32],
    leaves: &[usize],
    sums: &[Vec<f64>],
) -> Vec<bool> {
    let mut sound: Vec<bool> = sums.iter().map(|sums| complete(sums)).collect();
    if let Some(clusters) = ground.clusters {
        let parents = parents(grown);
        let mut counts = vec![0.0; sums.len() * ground.arms];
        // The cluster that was counted last, by node and arm.
        let mut last = vec![None; counts.len()];
        for i in by_cluster(clusters, rows) {
            let row = rows[i] as usize;
            let mut at = Some(leaves[i]);
            while let Some(node) = at {
                let cell = node * ground.arms + ground.arm_of[row] as usize;
                if last[cell] != Some(clusters[row]) {
                    last[cell] = Some(clusters[row]);
                    counts[cell] += 1.0;
                }
                at = parents[node];
            }
        }
        for (sound, counts) in sound.iter_mut().zip(counts.chunks_exact(ground.arms)) {
            *sound &= counts.iter().all(|count| *count >= FEWEST_ROWS);
        }
    }
    sound
}

/// The effects of a tree's nodes on the rows that estimate them, with errors.
///
/// With weights w, `ȳ_k = Σ w y/Σ w` has the influence `a_i = w_i (y_i − ȳ_k)/Σ w`, summed over clusters g to `a_gk`; an effect has the variance
/// `Σ_g (c_k a_gk − c_0 a_g0)²` with `c_k² = G_k/(G_k − 1)`, `G_k` being the clusters (without clusters rows) that have arm k: Welch's where every row stands
/// alone. Degrees of freedom are Welch and Satterthwaite's from `G_k − 1`, where a cluster has both arms the smaller of `G_k − 1` and `G_0 − 1`.
pub(super) fn node_effects(
    grown: &Grown,
    ground: &Ground,
    rows: &[u32],
    arms: &[String],
) -> Vec<Vec<Estimate>> {
    let leaves = grown.leaves(ground, rows);
    let order = match ground.clusters {
        Some(clusters) => by_cluster(clusters, rows),
        None => (0..rows.len()).collect(),
    };
    let parents = parents(grown);
    let means: Vec<Vec<f64>> = grown
        .nodes
        .iter()
        .map(|n| means(&n.sums).collect())
        .collect();
    let mut spread: Vec<Spread> = grown
        .nodes
        .iter()
        .map(|node| Spread::new(node.sums.chunks_exact(KEPT).map(|arm| arm[WEIGHT])))
        .collect();
    for i in order {
        let row = rows[i] as usize;
        let (arm, group) = (
            ground.arm_of[row] as usize,
            ground.clusters.map_or(rows[i], |clusters| clusters[row]),
        );
        let mut at = Some(leaves[i]);
        while let Some(node) = at {
            let off = ground.weight(row) * (ground.y[row] - means[node][arm]);
            spread[node].add(group, arm, off);
            at = parents[node];
        }
    }
    (spread.into_iter().zip(&means))
        .map(|(spread, means)| spread.estimates(means, arms))
        .collect()
}

/// The parent of every node; the first has none.
fn parents(grown: &Grown) -> Vec<Option<usize>> {
    let mut parents = vec![None; grown.nodes.len()];
    for (at, node) in grown.nodes.iter().enumerate() {
        if let Some((_, left)) = node.split {
            parents[left..=left + 1].fill(Some(at));
        }
    }
    parents
}

/// The places of some rows, those of a cluster together.
fn by_cluster(clusters: &[u32], rows: &[u32]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..rows.len()).collect();
    order.sort_by_key(|i| clusters[rows[*i] as usize]);
    order
}

/// Sums over the clusters of a node, which come one after the other.
struct Spread {
    weights: Vec<f64>,
    /// The cluster at hand, its sums by arm, and whether it has the arm.
    group: Option<u32>,
    own: Vec<f64>,
    has: Vec<bool>,
    /// Clusters and sums of squares of each arm.
    groups: Vec<f64>,
    squares: Vec<f64>,
    /// Of each arm but control the sum of products with control, and whether a cluster has both.
    products: Vec<f64>,
    mixed: Vec<bool>,
}

impl Spread {
    fn new(weights: impl Iterator<Item = f64>) -> Self {
        let weights: Vec<f64> = weights.collect();
        let arms = weights.len();
        Self {
            weights,
            group: None,
            own: vec![0.0; arms],
            has: vec![false; arms],
            groups: vec![0.0; arms],
            squares: vec![0.0; arms],
            products: vec![0.0; arms],
            mixed: vec![false; arms],
        }
    }

    fn add(&mut self, group: u32, arm: usize, off: f64) {
        if self.group != Some(group) {
            self.close();
            self.group = Some(group);
        }
        self.own[arm] += off / self.weights[arm];
        self.has[arm] = true;
    }

    /// Ends the cluster at hand.
    fn close(&mut self) {
        for k in 0..self.own.len() {
            if self.has[k] {
                self.groups[k] += 1.0;
                self.squares[k] += self.own[k] * self.own[k];
                self.products[k] += self.own[k] * self.own[0];
                self.mixed[k] |= self.has[0];
            }
        }
        self.own.fill(0.0);
        self.has.fill(false);
    }

    fn estimates(mut self, means: &[f64], arms: &[String]) -> Vec<Estimate> {
        self.close();
        let factor = |k: usize| self.groups[k] / (self.groups[k] - 1.0);
        let variance = |k: usize| factor(k) * self.squares[k];
        let effect = |k: usize| {
            let together = (factor(k) * factor(0)).sqrt() * self.products[k];
            let total = (variance(k) + variance(0) - 2.0 * together).max(0.0);
            let part = |k: usize| variance(k).powi(2) / (self.groups[k] - 1.0);
            let below = part(k) + part(0);
            let freedom = if self.mixed[k] {
                self.groups[k].min(self.groups[0]) - 1.0
            } else if below > 0.0 {
                total.powi(2) / below
            } else {
                f64::INFINITY
            };
            Estimate {
                name: arms[k].clone(),
                estimate: means[k] - means[0],
                std_error: total.sqrt(),
                degrees_of_freedom: freedom,
            }
        };
        (1..means.len()).map(effect).collect()
    }
}
