//! What simulation adds to the error of a likelihood: the same estimates under other scrambles of the paths.

use super::likelihood::Learning;
use super::paths::Paths;
use crate::error::{Result, Warning};
use crate::numeric::Seed;
use crate::report::{Cell, Table};
use nalgebra::{DMatrix, DVector};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Independent scrambles.
const SCRAMBLES: usize = 8;

/// Simulation error above this share of a standard error is worth a warning.
const NOTABLE: f64 = 0.1;

/// What simulation does to one estimate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SimulatedEstimate {
    /// The coefficient.
    pub name: String,
    /// Standard deviation of the estimate over independent scrambles of the paths.
    pub std_dev: f64,
    /// Its bias, since the logarithm of a simulated mean is biased: to first order, from the same scrambles.
    pub bias: f64,
    /// The standard error that sampling of customers gives it (by the observed information).
    pub std_error: f64,
}

/// The error that simulated paths leave in the log-likelihood and the estimates: found at the estimates from eight independent scrambles of as many paths. With
/// score g_m of scramble m and B the inverse of the observed information, estimates vary by `B Var(g_m) B`; the bias of `ln p̂` is that of the logarithm of a mean,
/// `−½ Var(p̂)/p²`, measured as the mean of `ln p̂_m` less the logarithm of the mean of `p̂_m`, times 8/7, customer by customer. With twice as many paths standard deviations are
/// about half, biases a quarter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SimulationError {
    /// Paths a customer.
    pub paths: usize,
    /// Independent scrambles.
    pub scrambles: usize,
    /// Standard deviation of the log-likelihood over scrambles.
    pub log_likelihood_std_dev: f64,
    /// Bias of the log-likelihood: what to take off it.
    pub log_likelihood_bias: f64,
    /// That of the estimates.
    pub estimates: Vec<SimulatedEstimate>,
}

impl Learning {
    /// The simulation error at a point; `make` has the paths of a seed.
    pub(super) fn simulation_error(
        &self,
        point: &[f64],
        bread: &DMatrix<f64>,
        map: &DMatrix<f64>,
        names: &[String],
        seed: Seed,
        make: impl Fn(Seed) -> Result<Paths>,
    ) -> Result<SimulationError> {
        let (k, m) = (self.parameters(), SCRAMBLES as f64);
        let mut passes = vec![];
        let mut paths = 0;
        for scramble in 0..SCRAMBLES {
            let drawn = make(seed.child(&scramble.to_string()))?;
            paths = drawn.count();
            passes.push(self.pass(point, &drawn)?);
        }
        let mean = passes.iter().map(|p| p.value).sum::<f64>() / m;
        let squares: f64 = passes.iter().map(|p| (p.value - mean).powi(2)).sum();
        let average = passes
            .iter()
            .fold(DVector::zeros(k), |sum, p| sum + &p.gradient)
            / m;
        let spread = passes.iter().fold(DMatrix::zeros(k, k), |sum, p| {
            let gap = &p.gradient - &average;
            sum + &gap * gap.transpose()
        }) / (m - 1.0);
        // Customer by customer: the mean of logarithms less the logarithm of the mean.
        let (mut bias, mut bias_of_score) = (0.0, DVector::zeros(k));
        for (i, weight) in self.panel.weights.iter().enumerate() {
            let of = |p: &super::search::Pass| -> Vec<f64> {
                p.customers[i * (k + 1)..(i + 1) * (k + 1)].to_vec()
            };
            let found: Vec<Vec<f64>> = passes.iter().map(of).collect();
            let most = found.iter().map(|f| f[0]).fold(f64::NEG_INFINITY, f64::max);
            let shares: Vec<f64> = found.iter().map(|f| (f[0] - most).exp()).collect();
            let total: f64 = shares.iter().sum();
            let mean = found.iter().map(|f| f[0]).sum::<f64>() / m;
            bias += weight * (mean - most - (total / m).ln());
            for j in 0..k {
                let plain = found.iter().map(|f| f[1 + j]).sum::<f64>() / m;
                let pooled = found
                    .iter()
                    .zip(&shares)
                    .map(|(f, w)| w * f[1 + j])
                    .sum::<f64>();
                bias_of_score[j] += weight * (plain - pooled / total);
            }
        }
        let correction = m / (m - 1.0);
        let moved = map * bread * bias_of_score * correction;
        let of_estimates = map * bread * spread * bread * map.transpose();
        let sampling = map * bread * map.transpose();
        let estimates = (names.iter().enumerate())
            .map(|(j, name)| SimulatedEstimate {
                name: name.clone(),
                std_dev: of_estimates[(j, j)].max(0.0).sqrt(),
                bias: moved[j],
                std_error: sampling[(j, j)].max(0.0).sqrt(),
            })
            .collect();
        Ok(SimulationError {
            paths,
            scrambles: SCRAMBLES,
            log_likelihood_std_dev: (squares / (m - 1.0)).sqrt(),
            log_likelihood_bias: bias * correction,
            estimates,
        })
    }
}

impl SimulationError {
    /// The largest error, standard deviation or bias, as a share of the standard error.
    pub fn largest_share(&self) -> f64 {
        let share = |e: &SimulatedEstimate| e.std_dev.max(e.bias.abs()) / e.std_error;
        self.estimates.iter().map(share).fold(0.0, f64::max)
    }

    pub(super) fn warning(&self) -> Option<Warning> {
        let share = self.largest_share();
        (share > NOTABLE).then(|| Warning::Note {
            message: format!(
                "simulation error is {:.0} % of a standard error with {} paths: use more (LearningPanelModel::paths)",
                100.0 * share,
                self.paths
            ),
        })
    }

    /// A row an estimate.
    pub fn table(&self) -> Table {
        const DIGITS: usize = 3;
        let mut table = Table::new("Simulation error").columns([
            "",
            "Std. dev. over scrambles",
            "Bias",
            "Std. error",
        ]);
        for e in &self.estimates {
            table = table.row([
                Cell::from(e.name.as_str()),
                Cell::significant(e.std_dev, DIGITS),
                Cell::significant(e.bias, DIGITS),
                Cell::significant(e.std_error, DIGITS),
            ]);
        }
        table.note(self.note())
    }

    pub(super) fn note(&self) -> String {
        format!(
            "{} paths: log-likelihood to {:.2} (bias {:.2}), estimates to {:.1} % of a standard error",
            self.paths,
            self.log_likelihood_std_dev,
            self.log_likelihood_bias,
            100.0 * self.largest_share()
        )
    }

    /// The table as HTML.
    pub fn to_html(&self) -> String {
        self.table().to_html()
    }
}

impl fmt::Display for SimulationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.table().fmt(f)
    }
}

crate::report::notebook!(SimulationError);
