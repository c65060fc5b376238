//! The density of a dose given features, by location, scale and a kernel estimate of what is left.

use super::folds::CausalFolds;
use super::partially_linear::DECIDED;
use super::sample::CausalSample;
use crate::data::Rows;
use crate::error::{Error, Result, Warning};
use crate::numeric::blocks;

/// Doses at which means over all rows are worked out.
const DOSES: usize = 41;
/// Points at which a kernel estimate is tabulated, and bandwidths that the table reaches beyond the residuals.
const TABLE: usize = 501;
const BEYOND: f64 = 4.0;
/// The least variance given features, as a share of its mean, and how many rows may have it without a warning.
const LEAST_VARIANCE: f64 = 0.1;
const MOST_AT_LEAST: f64 = 0.05;

/// Equally spaced points, and values between them on straight lines.
#[derive(Clone, Copy, Debug)]
pub(super) struct Grid {
    low: f64,
    high: f64,
    steps: usize,
}

impl Grid {
    fn new(low: f64, high: f64, points: usize) -> Self {
        Self {
            low,
            high,
            steps: points - 1,
        }
    }

    /// From the least to the largest of these doses.
    pub(super) fn over(dose: &[f64]) -> Self {
        let low = dose.iter().copied().fold(f64::INFINITY, f64::min);
        let high = dose.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        Self::new(low, high, DOSES)
    }

    pub(super) fn ends(self) -> [f64; 2] {
        [self.low, self.high]
    }

    pub(super) fn doses(self) -> Vec<f64> {
        let step = (self.high - self.low) / self.steps as f64;
        (0..=self.steps)
            .map(|g| self.low + g as f64 * step)
            .collect()
    }

    /// The point before a value, and how far the value is on the way to the next.
    pub(super) fn place(self, value: f64) -> (usize, f64) {
        let at = (value - self.low) / (self.high - self.low) * self.steps as f64;
        let before = (at.floor().max(0.0) as usize).min(self.steps - 1);
        (before, at - before as f64)
    }

    pub(super) fn interpolate(self, values: &[f64], at: f64) -> f64 {
        let (before, share) = self.place(at);
        (1.0 - share) * values[before] + share * values[before + 1]
    }
}

/// A tabulated kernel estimate; zero outside of its table.
struct Kernel {
    grid: Grid,
    values: Vec<f64>,
}

impl Kernel {
    /// Of values with weights that need not sum to one.
    fn new(values: &[f64], weights: &[f64]) -> Self {
        let total: f64 = weights.iter().sum();
        let mean = |f: &dyn Fn(f64) -> f64| -> f64 {
            values
                .iter()
                .zip(weights)
                .map(|(v, w)| w * f(*v))
                .sum::<f64>()
                / total
        };
        let centre = mean(&|v| v);
        let deviation = mean(&|v| (v - centre).powi(2)).sqrt();
        let mut sorted: Vec<(f64, f64)> = (values.iter().copied())
            .zip(weights.iter().copied())
            .collect();
        sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
        let quantile = |share: f64| {
            // Sums of many weights miss a quarter by rounding.
            let wanted = share * total * (1.0 - 1e-12);
            let mut sum = 0.0;
            let reached = sorted.iter().find(|(_, w)| {
                sum += w;
                sum >= wanted
            });
            reached.map_or(centre, |(v, _)| *v)
        };
        let quartiles = (quantile(0.75) - quantile(0.25)) / 1.34;
        let spread = if quartiles > 0.0 {
            deviation.min(quartiles)
        } else {
            deviation
        };
        let rows = total * total / weights.iter().map(|w| w * w).sum::<f64>();
        let width = 0.9 * spread * rows.powf(-0.2);
        let ends = sorted.first().zip(sorted.last());
        let (low, high) = ends.map_or((0.0, 1.0), |(a, b)| (a.0, b.0));
        let grid = Grid::new(low - BEYOND * width, high + BEYOND * width, TABLE);
        let points = grid.doses();
        let scale = 1.0 / (total * width * std::f64::consts::TAU.sqrt());
        let values = blocks::map(TABLE, |g| {
            let sum: f64 = sorted
                .iter()
                .map(|(v, w)| w * (-0.5 * ((points[g] - v) / width).powi(2)).exp())
                .sum();
            scale * sum
        });
        Self { grid, values }
    }

    fn at(&self, value: f64) -> f64 {
        let [low, high] = self.grid.ends();
        if (low..=high).contains(&value) {
            self.grid.interpolate(&self.values, value)
        } else {
            0.0
        }
    }
}

/// `π(d | x_i)` of every row, by fits that have not seen the row's fold.
pub(super) struct DoseDensity {
    centre: Vec<f64>,
    deviation: Vec<f64>,
    kernels: Vec<Kernel>,
    fold: Vec<usize>,
    warnings: Vec<Warning>,
}

impl DoseDensity {
    pub(super) fn new(
        centre: &[f64],
        spread: &[f64],
        off: &[f64],
        weights: &[f64],
        folds: &CausalFolds,
        sample: &CausalSample,
    ) -> Result<Self> {
        let n = off.len();
        let mean = |f: &dyn Fn(usize) -> f64| -> f64 { (0..n).map(|i| weights[i] * f(i)).sum() };
        let variance = mean(&|i| off[i] * off[i]);
        let level = mean(&|i| centre[i] + off[i]);
        let all = mean(&|i| (centre[i] + off[i] - level).powi(2));
        if variance.is_nan() || variance <= DECIDED * all {
            return Err(Error::Unidentified {
                what: format!("the curve over `{}`", sample.treatment),
                needs: "a dose that the features leave open; leave out features that decide it"
                    .to_owned(),
            });
        }
        let least = LEAST_VARIANCE * variance;
        let raised = spread.iter().filter(|v| **v < least).count();
        let mut warnings = Vec::new();
        if raised as f64 > MOST_AT_LEAST * n as f64 {
            warnings.push(Warning::Note {
                message: format!(
                    "the variance of `{}` given the features was predicted below a tenth of its mean on {raised} rows, and raised to that",
                    sample.treatment
                ),
            });
        }
        let deviation: Vec<f64> = spread.iter().map(|v| v.max(least).sqrt()).collect();
        let mut fold = vec![0; n];
        let mut kernels = Vec::with_capacity(folds.count());
        for k in 0..folds.count() {
            let inside = folds.inside(&Rows::all(n), k);
            (0..inside.len()).for_each(|i| fold[inside.index(i)] = k);
            let outside = folds.outside(&Rows::all(n), k);
            let rows: Vec<usize> = (0..outside.len()).map(|i| outside.index(i)).collect();
            let values: Vec<f64> = rows.iter().map(|i| off[*i] / deviation[*i]).collect();
            let own: Vec<f64> = rows.iter().map(|i| weights[*i]).collect();
            kernels.push(Kernel::new(&values, &own));
        }
        Ok(Self {
            centre: centre.to_vec(),
            deviation,
            kernels,
            fold,
            warnings,
        })
    }

    /// The density of a dose given the features of a row.
    pub(super) fn at(&self, row: usize, dose: f64) -> f64 {
        let s = self.deviation[row];
        self.kernels[self.fold[row]].at((dose - self.centre[row]) / s) / s
    }

    pub(super) fn warnings(&self) -> Vec<Warning> {
        self.warnings.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::numeric::special::normal;

    #[test]
    fn values_between_points_are_on_lines() {
        let grid = Grid::over(&[3.0, 1.0, 2.0]);
        assert_eq!(grid.doses().len(), DOSES);
        let line: Vec<f64> = grid.doses().iter().map(|d| 2.0 * d - 1.0).collect();
        for at in [1.0, 1.234, 2.0, 3.0] {
            assert!((grid.interpolate(&line, at) - (2.0 * at - 1.0)).abs() < 1e-12);
        }
    }

    #[test]
    fn a_kernel_estimate_of_normal_quantiles_is_the_wider_normal_and_integrates_to_one() {
        let n = 4_000;
        let values: Vec<f64> = (0..n)
            .map(|i| normal::quantile((f64::from(i) + 0.5) / f64::from(n)))
            .collect();
        let kernel = Kernel::new(&values, &vec![2.0; values.len()]);
        // Silverman: variance 1 + h², h = 0.9 n^(−1/5).
        let wide = (1.0 + (0.9 * f64::from(n).powf(-0.2)).powi(2)).sqrt();
        for at in [-2.0, -0.5, 0.0, 1.0, 2.5] {
            let want = normal::pdf(at / wide) / wide;
            assert!(
                (kernel.at(at) - want).abs() < 2e-3,
                "{at}: {} {want}",
                kernel.at(at)
            );
        }
        let points = kernel.grid.doses();
        let step = points[1] - points[0];
        let sum: f64 = kernel.values.iter().sum::<f64>() * step;
        assert!((sum - 1.0).abs() < 1e-3 && kernel.at(99.0) == 0.0);
    }
}
