//! Means of group-time effects, weighted by the sizes of cohorts, which are estimated too.

use super::effects::RolloutSize;
use super::group_time::Comparison;
use super::sample::{Rollout, cluster_sums};
use nalgebra::{DMatrix, DVector};

/// An aggregate with what each unit adds to its error.
#[derive(Clone, Debug)]
pub(super) struct Aggregate {
    pub(super) estimate: f64,
    pub(super) influence: DVector<f64>,
}

/// Who is in which cohort, and what each unit adds to each group-time effect.
#[derive(Clone, Debug)]
pub(super) struct Shares {
    pub(super) size: RolloutSize,
    /// Units by comparisons.
    influence: DMatrix<f64>,
    /// The cohort of every unit.
    first: Vec<Option<u32>>,
    /// Weights of units, which sum to one.
    weights: Vec<f64>,
    clusters: Vec<u32>,
    comparisons: Vec<Comparison>,
    periods: Vec<f64>,
}

impl Aggregate {
    /// The mean of aggregates with even weights.
    pub(super) fn even<'a>(parts: impl ExactSizeIterator<Item = &'a Self> + Clone) -> Self {
        let count = parts.len() as f64;
        let units = parts.clone().next().map_or(0, |part| part.influence.len());
        let mut influence = DVector::zeros(units);
        let mut estimate = 0.0;
        for part in parts {
            estimate += part.estimate / count;
            influence.axpy(1.0 / count, &part.influence, 1.0);
        }
        Self {
            estimate,
            influence,
        }
    }
}

impl Shares {
    pub(super) fn new(
        rollout: &Rollout,
        comparisons: &[Comparison],
        influence: DMatrix<f64>,
    ) -> Self {
        let total: f64 = rollout.weights.iter().sum();
        Self {
            size: rollout.size.clone(),
            influence,
            first: rollout.adoption.first.clone(),
            weights: rollout.weights.iter().map(|w| w / total).collect(),
            clusters: rollout.clusters.clone(),
            comparisons: comparisons.to_vec(),
            periods: rollout.panel.periods.iter().map(|p| p.value).collect(),
        }
    }

    /// The period of a comparison as a number.
    pub(super) fn period_of(&self, at: usize) -> f64 {
        self.periods[self.comparisons[at].period]
    }

    /// How long the cohort of a comparison is observed after its treatment.
    pub(super) fn observed_until(&self, at: usize) -> f64 {
        let last = self.periods.last().copied().unwrap_or(0.0);
        last - self.periods[self.comparisons[at].cohort as usize]
    }

    /// Time since treatment of the base period, when it is one for all cohorts.
    pub(super) fn reference(&self) -> Option<f64> {
        let mut of = self
            .comparisons
            .iter()
            .map(|c| self.periods[c.base] - self.periods[c.cohort as usize]);
        let first = of.next()?;
        of.all(|time| time.total_cmp(&first).is_eq())
            .then_some(first)
    }

    /// The share of a cohort among all units.
    fn share(&self, cohort: u32) -> f64 {
        let own = self.first.iter().zip(&self.weights);
        own.filter(|(first, _)| **first == Some(cohort))
            .map(|(_, weight)| weight)
            .sum()
    }

    /// The mean of group-time effects, weighted by shares of cohorts.
    pub(super) fn aggregate(&self, positions: &[usize], estimates: &[f64]) -> Aggregate {
        let column = |at: usize| self.influence.column(at).into_owned();
        let parts: Vec<Aggregate> = (positions.iter().zip(estimates))
            .map(|(at, estimate)| Aggregate {
                estimate: *estimate,
                influence: column(*at),
            })
            .collect();
        self.combine(positions, &parts.iter().collect::<Vec<_>>())
    }

    /// The mean of parts, each weighted by the share of the cohort of its comparison. With `p_k` the shares and `P` their sum, the estimate `Σ p_k θ_k/P` moves with a unit of weight
    /// s in cohort g by `(s/P) Σ_{k of g} (θ_k − θ)` beside what it adds to the parts.
    pub(super) fn combine(&self, positions: &[usize], parts: &[&Aggregate]) -> Aggregate {
        let cohorts: Vec<u32> = positions
            .iter()
            .map(|at| self.comparisons[*at].cohort)
            .collect();
        let shares: Vec<f64> = cohorts.iter().map(|cohort| self.share(*cohort)).collect();
        let total: f64 = shares.iter().sum();
        let weighted = shares.iter().zip(parts);
        let estimate = weighted.map(|(p, part)| p * part.estimate).sum::<f64>() / total;
        let mut influence = DVector::zeros(self.first.len());
        let mut gap = vec![0.0; self.periods.len()];
        for ((part, share), cohort) in parts.iter().zip(&shares).zip(&cohorts) {
            influence.axpy(share / total, &part.influence, 1.0);
            gap[*cohort as usize] += part.estimate - estimate;
        }
        for (unit, first) in self.first.iter().enumerate() {
            if let Some(cohort) = first {
                influence[unit] += self.weights[unit] / total * gap[*cohort as usize];
            }
        }
        Aggregate {
            estimate,
            influence,
        }
    }

    /// Sums within clusters: one row a cluster.
    pub(super) fn by_cluster(&self, influence: &DMatrix<f64>) -> DMatrix<f64> {
        cluster_sums(influence, &self.clusters, self.size.clusters.1)
    }
}
