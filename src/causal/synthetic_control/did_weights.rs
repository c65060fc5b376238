//! Weights on donors and on periods before treatment, and the difference in differences that they make.

use super::counterfactual::{mean, simplex_weights};
use crate::error::Result;

/// The penalty that only makes weights unique, as a share of the noise.
const UNIQUE: f64 = 1e-6;

/// Which weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) enum DidMethod {
    /// Donors and periods weighted.
    SyntheticDid,
    /// Donors weighted, levels not differenced.
    SyntheticControl,
    /// Even weights.
    DifferenceInDifferences,
}

/// Weights on donors, and on periods before treatment (all zero where levels are not differenced).
#[derive(Clone, Debug)]
pub(super) struct DidWeights {
    pub(super) donors: Vec<f64>,
    pub(super) periods: Vec<f64>,
}

/// The standard deviation of the changes of donors from one period before treatment to the next.
pub(super) fn noise(donors: &[&[f64]], start: usize) -> f64 {
    let changes: Vec<f64> = (donors.iter())
        .flat_map(|series| series[..start].windows(2).map(|pair| pair[1] - pair[0]))
        .collect();
    let centre = mean(changes.iter().copied());
    let squares: f64 = changes.iter().map(|c| (c - centre).powi(2)).sum();
    (squares / (changes.len() as f64 - 1.0)).sqrt()
}

impl DidMethod {
    /// The weights for the mean series of some treated units, whose penalties grow with the noise and with the number of treated cells.
    pub(super) fn weights(
        self,
        treated: &[f64],
        units: usize,
        donors: &[&[f64]],
        start: usize,
        noise: f64,
    ) -> Result<DidWeights> {
        let after = treated.len() - start;
        let before: Vec<&[f64]> = donors.iter().map(|series| &series[..start]).collect();
        // Objectives of the paper are sums over the matched points, to which the penalty is in proportion.
        let penalty = |share: f64, points: usize| (share * noise).powi(2) * points as f64;
        Ok(match self {
            Self::DifferenceInDifferences => DidWeights {
                donors: vec![1.0 / donors.len() as f64; donors.len()],
                periods: vec![1.0 / start as f64; start],
            },
            Self::SyntheticControl => DidWeights {
                donors: simplex_weights(&treated[..start], &before, false, penalty(UNIQUE, start))?,
                periods: vec![0.0; start],
            },
            Self::SyntheticDid => {
                let share = ((units * after) as f64).powf(0.25);
                let later: Vec<f64> = (donors.iter())
                    .map(|series| mean(series[start..].iter().copied()))
                    .collect();
                let by_period: Vec<Vec<f64>> = (0..start)
                    .map(|t| donors.iter().map(|series| series[t]).collect())
                    .collect();
                DidWeights {
                    donors: simplex_weights(
                        &treated[..start],
                        &before,
                        true,
                        penalty(share, start),
                    )?,
                    periods: simplex_weights(
                        &later,
                        &by_period,
                        true,
                        penalty(UNIQUE, donors.len()),
                    )?,
                }
            }
        })
    }
}

impl DidWeights {
    /// Treated minus weighted donors, one a period.
    pub(super) fn gaps(&self, treated: &[f64], donors: &[&[f64]]) -> Vec<f64> {
        (treated.iter().enumerate())
            .map(|(t, y)| {
                let made: f64 = (self.donors.iter().zip(donors))
                    .map(|(w, s)| w * s[t])
                    .sum();
                y - made
            })
            .collect()
    }

    /// The weighted mean of gaps before treatment, from which effects are counted.
    pub(super) fn level(&self, gaps: &[f64]) -> f64 {
        self.periods
            .iter()
            .zip(gaps)
            .map(|(weight, gap)| weight * gap)
            .sum()
    }

    /// The mean gap since the start less the level before it.
    pub(super) fn effect(&self, treated: &[f64], donors: &[&[f64]], start: usize) -> f64 {
        let gaps = self.gaps(treated, donors);
        mean(gaps[start..].iter().copied()) - self.level(&gaps)
    }
}
