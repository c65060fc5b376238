//! What is asked of a Cox model after it is fitted: hazards, residuals, and the covariances of the risk sets.

use super::rows::{CoxRows, Hazard};
use crate::summary::gram::{packed_index, packed_len, unpack};
use nalgebra::DMatrix;

/// One instant with events.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    /// Position in [`CoxRows::instants`].
    pub(crate) instant: usize,
    pub(crate) time: f64,
    pub(crate) hazard: Hazard,
    /// Weight of the events.
    pub(crate) events: f64,
    /// `Σ_l w̄ x̄_l/φ_l`, the hazard times the mean, and what it is less for those who have the event.
    pub(crate) hazard_mean: Vec<f64>,
    pub(crate) own_mean: Vec<f64>,
    /// Mean of the risk set, averaged over tied events.
    pub(crate) mean: Vec<f64>,
    /// The sum over its events of the covariance of the regressors in the risk set.
    pub(crate) covariance: Option<Vec<f64>>,
}

/// The steps of a stratum in ascending time.
pub(crate) struct Detail {
    pub(crate) steps: Vec<Vec<Step>>,
    /// `w exp(x'β)` of the sorted rows.
    pub(crate) risk: Vec<f64>,
}

impl CoxRows {
    /// The pass once more, with everything kept by instant.
    pub(crate) fn detail(&self, slopes: &[f64], covariances: bool) -> Detail {
        let p = self.columns.len();
        let index = self.index(slopes);
        let risk: Vec<f64> = (0..self.len())
            .map(|i| self.weight(i) * index[i].exp())
            .collect();
        let x = |i: usize, j: usize| self.columns[j][i];
        let mut steps = Vec::with_capacity(self.strata.len());
        for stratum in &self.strata {
            let mut sums = Sums::new(p, covariances);
            let mut here = 0;
            let mut found = Vec::new();
            for k in stratum.clone() {
                let instant = &self.instants[k];
                here = here + instant.rows.len() - instant.leaving.len();
                for i in instant.rows.clone() {
                    sums.add(risk[i], |j| x(i, j));
                }
                for &i in &self.leaving[instant.leaving.clone()] {
                    sums.add(-risk[i], |j| x(i, j));
                }
                if here == 0 {
                    sums = Sums::new(p, covariances);
                }
                if instant.events == 0 {
                    continue;
                }
                let mut dead = Sums::new(p, covariances);
                let mut total = 0.0;
                for i in instant.rows.clone().filter(|i| self.event[*i]) {
                    dead.add(risk[i], |j| x(i, j));
                    total += self.weight(i);
                }
                let hazard = Hazard::new(
                    self.ties,
                    self.tied(instant.events, total),
                    total,
                    sums.s0,
                    dead.s0,
                );
                let [a, b, c] = hazard.squares;
                let combine = |s: f64, d: f64| -> Vec<f64> {
                    (0..p).map(|j| s * sums.s1[j] - d * dead.s1[j]).collect()
                };
                let covariance = covariances.then(|| {
                    let mut out = vec![0.0; packed_len(p)];
                    for i in 0..p {
                        for j in 0..=i {
                            let at = packed_index(i, j);
                            let (si, sj, di, dj) = (sums.s1[i], sums.s1[j], dead.s1[i], dead.s1[j]);
                            out[at] = hazard.whole * sums.s2[at]
                                - hazard.own * dead.s2[at]
                                - (a * si * sj - b * (si * dj + di * sj) + c * di * dj);
                        }
                    }
                    out
                });
                found.push(Step {
                    instant: k,
                    time: instant.time,
                    events: total,
                    hazard_mean: combine(a, b),
                    own_mean: combine(b, c),
                    mean: combine(hazard.whole / total, hazard.own / total),
                    covariance,
                    hazard,
                });
            }
            found.reverse();
            steps.push(found);
        }
        Detail { steps, risk }
    }

    /// Martingale residuals `δ − r Λ` and score residuals of the sorted rows, unweighted: the derivative of the log partial
    /// likelihood by the weight of a row (Lin & Wei 1989), `δ (x − x̄) − r ∫ (x − x̄) dΛ`.
    pub(crate) fn residuals(&self, detail: &Detail) -> (Vec<f64>, Vec<Vec<f64>>) {
        let p = self.columns.len();
        let mut martingale = vec![0.0; self.len()];
        let mut scores = vec![vec![0.0; self.len()]; p];
        for (stratum, steps) in self.strata.iter().zip(&detail.steps) {
            // Cumulative hazard and hazard-weighted means up to each instant (which descend in time).
            let count = stratum.len();
            let mut upto = vec![0.0; (count + 1) * (p + 1)];
            let mut at: Vec<Option<&Step>> = vec![None; count];
            for step in steps {
                at[step.instant - stratum.start] = Some(step);
            }
            for k in (0..count).rev() {
                for j in 0..=p {
                    let more = at[k].map_or(0.0, |s| {
                        if j == p {
                            s.hazard.whole
                        } else {
                            s.hazard_mean[j]
                        }
                    });
                    upto[k * (p + 1) + j] = upto[(k + 1) * (p + 1) + j] + more;
                }
            }
            for k in 0..count {
                for i in self.instants[stratum.start + k].rows.clone() {
                    let before = if self.start.is_some() {
                        self.first[i]
                    } else {
                        count
                    };
                    let event = at[k].filter(|_| self.event[i]);
                    let r = detail.risk[i] / self.weight(i);
                    let over = |j: usize| upto[k * (p + 1) + j] - upto[before * (p + 1) + j];
                    let exposed = over(p) - event.map_or(0.0, |s| s.hazard.own);
                    martingale[i] = f64::from(u8::from(self.event[i])) - r * exposed;
                    for (j, score) in scores.iter_mut().enumerate() {
                        let x = self.columns[j][i];
                        let means = over(j) - event.map_or(0.0, |s| s.own_mean[j]);
                        score[i] = event.map_or(0.0, |s| x - s.mean[j]) - r * (x * exposed - means);
                    }
                }
            }
        }
        (martingale, scores)
    }

    /// `Σ_k g(t_k) V_k` over all instants with events, for the weights of each stratum's steps.
    pub(crate) fn weighted_information(
        &self,
        detail: &Detail,
        g: impl Fn(f64) -> f64,
    ) -> DMatrix<f64> {
        let p = self.columns.len();
        let mut packed = vec![0.0; packed_len(p)];
        for step in detail.steps.iter().flatten() {
            let weight = g(step.time);
            for (sum, v) in packed.iter_mut().zip(step.covariance.iter().flatten()) {
                *sum += weight * v;
            }
        }
        unpack(&packed, p)
    }
}

/// Sums over a risk set.
struct Sums {
    s0: f64,
    s1: Vec<f64>,
    s2: Vec<f64>,
}

impl Sums {
    fn new(p: usize, second: bool) -> Self {
        Self {
            s0: 0.0,
            s1: vec![0.0; p],
            s2: vec![0.0; if second { packed_len(p) } else { 0 }],
        }
    }

    fn add(&mut self, risk: f64, x: impl Fn(usize) -> f64) {
        self.s0 += risk;
        for (j, s) in self.s1.iter_mut().enumerate() {
            *s += risk * x(j);
        }
        if self.s2.is_empty() {
            return;
        }
        for i in 0..self.s1.len() {
            for j in 0..=i {
                self.s2[packed_index(i, j)] += risk * x(i) * x(j);
            }
        }
    }
}
