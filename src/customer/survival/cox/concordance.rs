//! Harrell's concordance: how often the customer with the higher risk has the event first.

use super::rows::CoxRows;
use serde::{Deserialize, Serialize};

/// Harrell's C: of all pairs in which one customer had the event while the other was still watched, the share in which the former
/// had the higher predicted risk; pairs with equal risk count half. One half is chance, one is perfect order.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Concordance {
    /// C.
    pub value: f64,
    /// Its standard error, by the infinitesimal jackknife.
    pub std_error: f64,
    /// Weight of the pairs in the right order.
    pub concordant: f64,
    /// Weight of the pairs in the wrong order.
    pub discordant: f64,
    /// Weight of the pairs with equal risk.
    pub tied: f64,
}

/// Sums of weights by rank, updated and queried in `log n` (Fenwick 1994).
struct RankSums {
    tree: Vec<f64>,
    total: f64,
}

impl RankSums {
    fn new(ranks: usize) -> Self {
        Self {
            tree: vec![0.0; ranks + 1],
            total: 0.0,
        }
    }

    fn add(&mut self, rank: usize, weight: f64) {
        self.total += weight;
        let mut at = rank + 1;
        while at < self.tree.len() {
            self.tree[at] += weight;
            at += at & at.wrapping_neg();
        }
    }

    /// The sum of all ranks below.
    fn below(&self, rank: usize) -> f64 {
        let mut at = rank;
        let mut sum = 0.0;
        while at > 0 {
            sum += self.tree[at];
            at -= at & at.wrapping_neg();
        }
        sum
    }

    /// Weights below, at and above a rank.
    fn split(&self, rank: usize) -> [f64; 3] {
        let below = self.below(rank);
        let upto = self.below(rank + 1);
        [below, upto - below, self.total - upto]
    }
}

impl CoxRows {
    /// Counts the pairs of each stratum on two walks over time: back, for each event those at risk after it; forward, for each row
    /// the events that came while it was at risk.
    pub(crate) fn concordance(&self, slopes: &[f64]) -> Concordance {
        let index = self.index(slopes);
        let mut sorted: Vec<f64> = index.clone();
        sorted.sort_unstable_by(f64::total_cmp);
        sorted.dedup_by(|a, b| a.to_bits() == b.to_bits());
        let rank: Vec<usize> = index
            .iter()
            .map(|v| sorted.partition_point(|s| s < v))
            .collect();
        let mut sums = [0.0; 3];
        // Of each row: weight of its pairs in the right order less those in the wrong one, and of all its pairs.
        let mut own = vec![[0.0_f64; 2]; self.len()];
        for stratum in &self.strata {
            let mut later = RankSums::new(sorted.len());
            for instant in &self.instants[stratum.clone()] {
                let rows = || instant.rows.clone();
                // Censored at the time of an event means watched beyond it.
                rows()
                    .filter(|i| !self.event[*i])
                    .for_each(|i| later.add(rank[i], self.weight(i)));
                for &i in &self.leaving[instant.leaving.clone()] {
                    later.add(rank[i], -self.weight(i));
                }
                for i in rows().filter(|i| self.event[*i]) {
                    let [below, equal, above] = later.split(rank[i]);
                    let w = self.weight(i);
                    sums[0] += w * below;
                    sums[1] += w * above;
                    sums[2] += w * equal;
                    own[i][0] += below - above;
                    own[i][1] += below + equal + above;
                }
                rows()
                    .filter(|i| self.event[*i])
                    .for_each(|i| later.add(rank[i], self.weight(i)));
            }
            let mut earlier = RankSums::new(sorted.len());
            let count = |sums: &RankSums, own: &mut [f64; 2], rank: usize, sign: f64| {
                let [below, equal, above] = sums.split(rank);
                own[0] += sign * (above - below);
                own[1] += sign * (below + equal + above);
            };
            for instant in self.instants[stratum.clone()].iter().rev() {
                let rows = || instant.rows.clone();
                for i in rows().filter(|i| self.event[*i]) {
                    count(&earlier, &mut own[i], rank[i], 1.0);
                }
                rows()
                    .filter(|i| self.event[*i])
                    .for_each(|i| earlier.add(rank[i], self.weight(i)));
                for i in rows().filter(|i| !self.event[*i]) {
                    count(&earlier, &mut own[i], rank[i], 1.0);
                }
                // Those who come under observation at or after this time, and before the next, do not pair with its events.
                for &i in &self.leaving[instant.leaving.clone()] {
                    count(&earlier, &mut own[i], rank[i], -1.0);
                }
            }
        }
        let [concordant, discordant, tied] = sums;
        let pairs = concordant + discordant + tied;
        let value = (concordant + 0.5 * tied) / pairs;
        // C = (1 + (right − wrong)/pairs)/2, differentiated by the weight of a row.
        let difference = (concordant - discordant) / pairs;
        let variance: f64 = (0..self.len())
            .map(|i| {
                let w = self.weight(i);
                let slope = 0.5 * (own[i][0] - difference * own[i][1]) / pairs;
                slope * slope * if self.frequency { w } else { w * w }
            })
            .sum();
        Concordance {
            value,
            std_error: variance.sqrt(),
            concordant,
            discordant,
            tied,
        }
    }
}

impl std::fmt::Display for Concordance {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "concordance {:.4} (s.e. {:.4})",
            self.value, self.std_error
        )
    }
}

crate::report::notebook_line!(Concordance);
