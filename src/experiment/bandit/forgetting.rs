//! What a contextual bandit still knows when rewards count less with time.

use super::arms::Memory;
use nalgebra::DMatrix;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// What a reward told of its arm: it adds `w xx'` to the precision of the coefficients and `r x` to precision times mean.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Told {
    pub(super) arm: usize,
    pub(super) x: Vec<f64>,
    /// w.
    pub(super) weight: f64,
    /// r.
    pub(super) pull: f64,
}

/// Sums of what was told, with what is forgotten taken off.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Forgetting {
    pub(super) memory: Memory,
    /// Of every arm `Σ w xx'`, row after row, and `Σ r x`.
    sums: Vec<(Vec<f64>, Vec<f64>)>,
    latest: VecDeque<Told>,
}

impl Forgetting {
    pub(super) fn new(memory: Memory, arms: usize, features: usize) -> Self {
        Self {
            memory,
            sums: vec![(vec![0.0; features * features], vec![0.0; features]); arms],
            latest: VecDeque::new(),
        }
    }

    /// Takes in a reward, and tells which arms are known otherwise now.
    pub(super) fn add(&mut self, told: Told) -> Vec<usize> {
        let own = told.arm;
        match self.memory {
            Memory::Discount(factor) => {
                for (gram, right) in &mut self.sums {
                    for value in gram.iter_mut().chain(right) {
                        *value *= factor;
                    }
                }
                self.count(&told, 1.0);
                (0..self.sums.len()).collect()
            }
            Memory::Window(window) => {
                self.count(&told, 1.0);
                self.latest.push_back(told);
                let old = (self.latest.len() > window)
                    .then(|| self.latest.pop_front())
                    .flatten();
                match old {
                    Some(old) => {
                        self.count(&old, -1.0);
                        if self.latest.iter().all(|told| told.arm != old.arm) {
                            self.clear(old.arm);
                        }
                        vec![own, old.arm]
                    }
                    None => vec![own],
                }
            }
            Memory::All => {
                self.count(&told, 1.0);
                vec![own]
            }
        }
    }

    fn count(&mut self, told: &Told, sign: f64) {
        let (gram, right) = &mut self.sums[told.arm];
        let rows = gram.chunks_exact_mut(told.x.len());
        for ((row, right), x) in rows.zip(right).zip(&told.x) {
            *right += sign * told.pull * x;
            for (value, other) in row.iter_mut().zip(&told.x) {
                *value += sign * told.weight * x * other;
            }
        }
    }

    fn clear(&mut self, arm: usize) {
        let (gram, right) = &mut self.sums[arm];
        gram.fill(0.0);
        right.fill(0.0);
    }

    /// Inverse of the precision of an arm, row after row, and its coefficients.
    pub(super) fn posterior(&mut self, arm: usize, ridge: f64) -> Option<(Vec<f64>, Vec<f64>)> {
        self.solved(arm, ridge).or_else(|| {
            // What taking off leaves in rounding may be less than nothing: once more from what is kept.
            self.clear(arm);
            let kept = std::mem::take(&mut self.latest);
            for told in kept.iter().filter(|told| told.arm == arm) {
                self.count(told, 1.0);
            }
            self.latest = kept;
            self.solved(arm, ridge)
        })
    }

    fn solved(&self, arm: usize, ridge: f64) -> Option<(Vec<f64>, Vec<f64>)> {
        let (gram, right) = &self.sums[arm];
        let features = right.len();
        let precision = DMatrix::from_row_slice(features, features, gram)
            + DMatrix::from_diagonal_element(features, features, ridge);
        let inverse = precision.cholesky()?.inverse();
        let coefficients: Vec<f64> = (inverse.row_iter())
            .map(|row| row.iter().zip(right).map(|(a, b)| a * b).sum())
            .collect();
        // Symmetric: columns are rows.
        Some((inverse.as_slice().to_vec(), coefficients))
    }
}
