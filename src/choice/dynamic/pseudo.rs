//! Conditional choice probabilities instead of a fixed point: Hotz & Miller, and nested pseudo-likelihood.

use super::nested::Pass;
use super::payoffs::Payoffs;
use crate::decision::{DynamicProgram, LawOfMotion, RelativeSystem};
use crate::error::{Error, Result};
use crate::numeric::Progress;
use crate::numeric::optimize::{Convergence, Newton, Objective, Stopping};
use nalgebra::DMatrix;

/// A logit over cells of states and actions: `v(s, a) = h(s, a) + Σ_k z_k(s, a) θ_k`, which is concave in θ.
pub(super) struct CellLogit<'a> {
    pub(super) actions: usize,
    pub(super) counts: &'a [f64],
    pub(super) features: Vec<Vec<f64>>,
    pub(super) offset: Vec<f64>,
}

impl CellLogit<'_> {
    /// `P(a | s)` at `s * actions + a`.
    pub(super) fn probabilities(&self, theta: &[f64]) -> Vec<f64> {
        let mut v = self.offset.clone();
        for (z, t) in self.features.iter().zip(theta) {
            v.iter_mut().zip(z).for_each(|(v, z)| *v += z * t);
        }
        for row in v.chunks_exact_mut(self.actions) {
            let most = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            for v in row.iter_mut() {
                *v = (*v - most).exp();
            }
            let total: f64 = row.iter().sum();
            for v in row {
                *v /= total;
            }
        }
        v
    }

    pub(super) fn pass(&self, theta: &[f64]) -> Pass {
        let p = self.probabilities(theta);
        let k = self.features.len();
        let value = p
            .iter()
            .zip(self.counts)
            .filter(|(_, n)| **n > 0.0)
            .map(|(p, n)| n * p.ln())
            .sum();
        let mut scores = self.features.clone();
        for z in &mut scores {
            for (z, p) in z
                .chunks_exact_mut(self.actions)
                .zip(p.chunks_exact(self.actions))
            {
                let mean: f64 = z.iter().zip(p).map(|(z, p)| z * p).sum();
                for z in z {
                    *z -= mean;
                }
            }
        }
        let gradient = scores
            .iter()
            .map(|g| g.iter().zip(self.counts).map(|(g, n)| g * n).sum())
            .collect();
        let visits: Vec<f64> = self
            .counts
            .chunks_exact(self.actions)
            .map(|n| n.iter().sum())
            .collect();
        let mut information = DMatrix::zeros(k, k);
        for i in 0..k {
            for j in 0..=i {
                let total: f64 = (0..p.len())
                    .map(|cell| {
                        visits[cell / self.actions] * p[cell] * scores[i][cell] * scores[j][cell]
                    })
                    .sum();
                information[(i, j)] = total;
                information[(j, i)] = total;
            }
        }
        Pass {
            value,
            gradient,
            information,
            scores,
        }
    }

    fn fit(&self, what: &str, progress: &Progress) -> Result<(Vec<f64>, Convergence)> {
        const MOST_ITERATIONS: usize = 100;
        let found = Newton::new()
            .stopping(Stopping::new().max_iterations(MOST_ITERATIONS))
            .minimize_with(self, &vec![0.0; self.features.len()], progress)?
            .or_error(what)?;
        Ok((found.point, found.convergence))
    }
}

impl Objective for CellLogit<'_> {
    fn value(&self, x: &[f64]) -> f64 {
        -self.pass(x).value
    }

    fn gradient(&self, x: &[f64], gradient: &mut [f64]) {
        gradient
            .iter_mut()
            .zip(self.pass(x).gradient)
            .for_each(|(out, g)| *out = -g);
    }

    fn hessian(&self, x: &[f64]) -> DMatrix<f64> {
        self.pass(x).information
    }
}

/// What nested pseudo-likelihood works on.
pub(super) struct PseudoLikelihood<'a> {
    pub(super) payoffs: &'a Payoffs,
    pub(super) discount: f64,
    pub(super) counts: &'a [f64],
    pub(super) laws: &'a [LawOfMotion],
}

/// Where it ends.
pub(super) struct PseudoMaximum {
    pub(super) point: Vec<f64>,
    pub(super) pass: Pass,
    pub(super) convergence: Convergence,
    pub(super) iterations: usize,
}

impl<'a> PseudoLikelihood<'a> {
    /// `iterations` rounds, or as many as it takes until the choice probabilities no longer change when there are none given.
    pub(super) fn maximize(
        &self,
        iterations: Option<usize>,
        progress: &Progress,
    ) -> Result<PseudoMaximum> {
        /// Rounds until the probabilities settle: ten are usual.
        const MOST_ROUNDS: usize = 200;
        const SETTLED: f64 = 1e-11;
        let what = "the pseudo-likelihood of the dynamic choice";
        let mut probabilities = self.first_probabilities(progress)?;
        let rounds = iterations.unwrap_or(MOST_ROUNDS);
        let mut change = f64::INFINITY;
        for round in 1..=rounds {
            let logit = self.logit(&probabilities)?;
            let (point, convergence) = logit.fit(what, progress)?;
            let next = logit.probabilities(&point);
            change = next
                .iter()
                .zip(&probabilities)
                .fold(0.0, |m: f64, (a, b)| m.max((a - b).abs()));
            probabilities = next;
            let settled = change < SETTLED;
            if (iterations.is_none() && settled) || iterations == Some(round) {
                return Ok(PseudoMaximum {
                    pass: logit.pass(&point),
                    point,
                    convergence,
                    iterations: round,
                });
            }
        }
        Err(Error::NotConverged {
            what: what.to_owned(),
            iterations: rounds,
            criterion: change,
            tolerance: SETTLED,
            remedy: "use the nested fixed point, or a number of rounds (DynamicMethod::PseudoLikelihood)".to_owned(),
        })
    }

    /// The logit of one round: given probabilities of the future, choice values are linear in θ.
    fn logit(&self, p: &[f64]) -> Result<CellLogit<'a>> {
        let actions = self.payoffs.actions();
        let none = vec![0.0; self.payoffs.names().len()];
        let program =
            DynamicProgram::new(self.payoffs.at(&none), self.laws.to_vec(), self.discount)?;
        let linear = RelativeSystem::new(&program, p)?;
        let valued = |flow: &[f64], own: &[f64]| -> Vec<f64> {
            let rows = p.chunks_exact(actions).zip(flow.chunks_exact(actions));
            let w = linear.solve(
                rows.map(|(p, f)| p.iter().zip(f).map(|(p, f)| p * f).sum())
                    .collect(),
            );
            own.iter()
                .enumerate()
                .map(|(cell, x)| {
                    x + self.discount * program.law(cell % actions).expect(cell / actions, &w)
                })
                .collect()
        };
        // The expected shock of the chosen action, less Euler's constant; p ln p is zero at p = 0.
        let shocks: Vec<f64> = p.iter().map(|p| -p.max(f64::MIN_POSITIVE).ln()).collect();
        Ok(CellLogit {
            actions,
            counts: self.counts,
            features: self
                .payoffs
                .features()
                .iter()
                .map(|x| valued(x, x))
                .collect(),
            offset: valued(&shocks, &vec![0.0; p.len()]),
        })
    }

    /// Choice probabilities by a logit that is cubic in the number of the state, for each action by itself: smooth, so that states where
    /// nobody was seen have them too.
    fn first_probabilities(&self, progress: &Progress) -> Result<Vec<f64>> {
        const DEGREE: usize = 3;
        let (states, actions) = (self.payoffs.states(), self.payoffs.actions());
        // Powers of the state over the states that were seen, from −1 to 1; beyond them, as at the last of them.
        let seen: Vec<usize> = (0..states)
            .filter(|s| {
                self.counts[s * actions..(s + 1) * actions]
                    .iter()
                    .sum::<f64>()
                    > 0.0
            })
            .collect();
        let (low, high) = (
            seen.first().copied().unwrap_or(0),
            seen.last().copied().unwrap_or(0),
        );
        let scale = |s: usize| {
            let width = (high - low).max(1) as f64;
            2.0 * (s.clamp(low, high) - low) as f64 / width - 1.0
        };
        let degree = DEGREE.min(seen.len().saturating_sub(1));
        let mut last = Error::NoRows {
            reason: "no state was seen".to_owned(),
        };
        // A power that separates the choices is left out.
        for degree in (0..=degree).rev() {
            let features = (1..actions)
                .flat_map(|action| (0..=degree).map(move |power| (action, power as f64)))
                .map(|(action, power)| {
                    let x = |cell: usize| {
                        if cell % actions == action {
                            scale(cell / actions).powf(power)
                        } else {
                            0.0
                        }
                    };
                    (0..states * actions).map(x).collect()
                })
                .collect();
            let logit = CellLogit {
                actions,
                counts: self.counts,
                features,
                offset: vec![0.0; states * actions],
            };
            match logit.fit("the logit of first choice probabilities", progress) {
                Ok((point, _)) => return Ok(logit.probabilities(&point)),
                Err(Error::Cancelled { what }) => return Err(Error::Cancelled { what }),
                Err(error) => last = error,
            }
        }
        Err(last)
    }
}
