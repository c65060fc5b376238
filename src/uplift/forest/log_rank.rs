//! Relabelling by log-rank scores: how much earlier than its node a row's event came.

use super::grow::Growth;
use super::moment::Sampled;
use super::relabel::{Relabel, limits, writing};
use super::split::{Limits, Sums};

/// The time of a row as its rank among all times, and whether an event ended it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ended {
    pub(super) rank: u32,
    pub(super) event: bool,
    pub(super) weight: f64,
}

/// Log-rank scores.
pub(super) struct LogRank;

impl Sampled for LogRank {
    type Point = Ended;
}

impl<const L: usize> Relabel<L> for LogRank {
    /// `ρ = event − Λ(t)` with the node's Nelson–Aalen Λ. The sum over a side is the numerator of the log-rank statistic, observed less expected
    /// events; a split by it has the statistic's variance under permutation (Hothorn & Lausen 2003, doi:10.1016/S0167-9473(02)00225-6).
    fn relabel(
        &self,
        growth: &Growth,
        points: &[Ended],
        rows: &[u32],
        responses: &mut [Sums<L>],
    ) -> Option<(Sums<L>, Limits<L>)> {
        let mut order: Vec<u32> = (0..rows.len() as u32).collect();
        let of = |i: u32| &points[rows[i as usize] as usize];
        order.sort_by_key(|i| of(*i).rank);
        let mut at_risk: f64 = order.iter().map(|i| of(*i).weight).sum();
        let mut hazard = vec![0.0; rows.len()];
        let (mut sum, mut events, mut from) = (0.0, 0, 0);
        while from < order.len() {
            let rank = of(order[from]).rank;
            let ties = order[from..].iter().take_while(|i| of(**i).rank == rank);
            let to = from + ties.count();
            let (mut dead, mut gone) = (0.0, 0.0);
            for i in &order[from..to] {
                let p = of(*i);
                gone += p.weight;
                if p.event && p.weight > 0.0 {
                    dead += p.weight;
                    events += 1;
                }
            }
            if dead > 0.0 && at_risk > 0.0 {
                sum += dead / at_risk;
            }
            for i in &order[from..to] {
                hazard[*i as usize] = sum;
            }
            at_risk -= gone;
            from = to;
        }
        if events == 0 {
            return None;
        }
        let mut out = writing(responses);
        for (row, hazard) in rows.iter().zip(&hazard) {
            let p = &points[*row as usize];
            out.put(p.weight, f64::from(u8::from(p.event)) - hazard, 0.0, 1.0);
        }
        let total = out.total;
        Some((total, limits(growth, &total, 0, rows.len())))
    }
}

#[cfg(test)]
mod tests {
    use super::super::split::WEIGHTED;
    use super::*;

    /// Observed less expected events of one group, time by time.
    #[test]
    fn scores_sum_to_the_numerator_of_the_log_rank_test() {
        let points: Vec<Ended> = (0..80_u32)
            .map(|i| Ended {
                rank: i * i % 23,
                event: i % 3 > 0,
                weight: 1.0 + f64::from(i % 4),
            })
            .collect();
        let growth = Growth {
            min_node_size: 1,
            alpha: 0.0,
            imbalance_penalty: 0.0,
            features_per_split: 1.0,
        };
        let rows: Vec<u32> = (0..80).filter(|i| i % 7 > 0).collect();
        let mut responses = vec![[0.0; WEIGHTED]; rows.len()];
        let (total, _) = LogRank
            .relabel(&growth, &points, &rows, &mut responses)
            .unwrap();
        assert!(total[0].abs() < 1e-10);
        let group = |i: usize| rows[i] % 2 == 1;
        let sum = |rank: u32, dead: bool, grouped: bool| {
            let used = (0..rows.len()).filter(|i| {
                let p = &points[rows[*i] as usize];
                let there = if dead {
                    p.rank == rank && p.event
                } else {
                    p.rank >= rank
                };
                there && (!grouped || group(*i))
            });
            used.map(|i| points[rows[i] as usize].weight).sum::<f64>()
        };
        let numerator: f64 = (0..23)
            .filter(|rank| sum(*rank, true, false) > 0.0)
            .map(|rank| {
                let expected =
                    sum(rank, true, false) * sum(rank, false, true) / sum(rank, false, false);
                sum(rank, true, true) - expected
            })
            .sum();
        let scores: f64 = (0..rows.len())
            .filter(|i| group(*i))
            .map(|i| responses[i][0])
            .sum();
        assert!((scores - numerator).abs() < 1e-9, "{scores} {numerator}");
        let censored: Vec<Ended> = points
            .iter()
            .map(|p| Ended { event: false, ..*p })
            .collect();
        assert!(
            LogRank
                .relabel(&growth, &censored, &rows, &mut responses)
                .is_none()
        );
    }
}
