//! The likelihood as a function of ρ, maximised over everything else.

use super::density::SelectedProbit;
use crate::error::{Error, Result};
use crate::numeric::Progress;
use crate::numeric::special::chi_squared;
use crate::regression::likelihood::{Likelihood, maximize};
use crate::report::{Cell, Table};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

/// The grid of ρ of a profile that nobody gave a grid.
pub(super) const GRID: [f64; 15] = [
    -0.95, -0.85, -0.7, -0.55, -0.4, -0.25, -0.1, 0.0, 0.1, 0.25, 0.4, 0.55, 0.7, 0.85, 0.95,
];

/// The likelihood at one ρ.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProfilePoint {
    /// The correlation.
    pub rho: f64,
    /// The largest log-likelihood at this correlation.
    pub log_likelihood: f64,
    /// `2 (max ℓ − ℓ(ρ))`, to be compared with χ²(1).
    pub deviance: f64,
}

/// The profile of the log-likelihood over ρ. Where it is flat the data do not know ρ, whatever its standard error says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RhoProfile {
    /// The points in ascending order of ρ.
    pub points: Vec<ProfilePoint>,
    /// The estimate of ρ.
    pub estimate: f64,
}

impl RhoProfile {
    pub(super) fn new(
        likelihood: &Likelihood,
        point: &[f64],
        top: f64,
        grid: &[f64],
        progress: &Progress,
    ) -> Result<Self> {
        if let Some(rho) = grid.iter().find(|r| r.is_nan() || r.abs() >= 1.0) {
            return Err(Error::invalid_option("grid", rho, "between −1 and 1"));
        }
        let mut grid = grid.to_vec();
        grid.sort_by(f64::total_cmp);
        let last = point.len() - 1;
        let estimate = point[last].tanh();
        // From the estimate outwards on both sides, each from the point before.
        let (below, above): (Vec<f64>, Vec<f64>) = grid.iter().partition(|r| **r < estimate);
        let mut points = Vec::with_capacity(grid.len());
        let sides = [below.into_iter().rev().collect::<Vec<_>>(), above];
        for side in sides {
            let mut start = point[..last].to_vec();
            for rho in side {
                let fixed = Likelihood {
                    model: Arc::new(SelectedProbit {
                        fixed: Some(rho.atanh()),
                    }),
                    indices: likelihood.indices[..2].to_vec(),
                    ..likelihood.clone()
                };
                let what = format!("the likelihood at ρ = {rho}");
                let found = maximize(&fixed, start, &what, progress)?;
                start = found.point;
                points.push(ProfilePoint {
                    rho,
                    log_likelihood: found.sums.value,
                    deviance: (2.0 * (top - found.sums.value)).max(0.0),
                });
            }
        }
        points.sort_by(|a, b| a.rho.total_cmp(&b.rho));
        Ok(Self { points, estimate })
    }

    /// The correlations of the grid that a likelihood-ratio test at `1 − level` does not reject. It wants the model to be true
    /// and weights to be frequencies.
    pub fn not_rejected(&self, level: f64) -> Vec<f64> {
        let kept = self
            .points
            .iter()
            .filter(|p| 1.0 - chi_squared::sf(p.deviance, 1.0) <= level);
        kept.map(|p| p.rho).collect()
    }

    /// The profile as a table.
    pub fn table(&self) -> Table {
        const DIGITS: usize = 8;
        const DECIMALS: usize = 3;
        let mut table =
            Table::new("Profile of the likelihood over ρ").columns(["ρ", "Log-likelihood", "2Δ"]);
        for p in &self.points {
            table = table.row([
                Cell::fixed(p.rho, 2),
                Cell::significant(p.log_likelihood, DIGITS),
                Cell::fixed(p.deviance, DECIMALS),
            ]);
        }
        table.note(format!("highest at ρ = {:.4}", self.estimate))
    }

    /// The table as HTML.
    pub fn to_html(&self) -> String {
        self.table().to_html()
    }
}

impl fmt::Display for RhoProfile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.table().fmt(f)
    }
}

crate::report::notebook!(RhoProfile);
