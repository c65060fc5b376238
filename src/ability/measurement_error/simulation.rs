//! Simulation and extrapolation: what [`Simex`](super::Simex) and [`McSimex`](super::McSimex) share.

use super::fit::ScoreFit;
use super::options::Plain;
use crate::data::Frame;
use crate::error::{Error, Result, Warning};
use crate::inference::{Inference, Summarized};
use crate::numeric::linalg::{Cholesky, nearest_semidefinite};
use crate::numeric::{Seed, blocks};
use crate::report::{Cell, Figure, LinePlot, Table};
use nalgebra::{DMatrix, DVector};
use serde::{Deserialize, Serialize};

/// Pseudo data sets a level of added error: the Monte Carlo error of the estimates is then a few per cent of their standard errors.
const DEFAULT_DRAWS: usize = 100;

/// The shares of added error variance that Cook & Stefanski use.
const DEFAULT_LEVELS: [f64; 4] = [0.5, 1.0, 1.5, 2.0];

/// The trend of the estimates in the added error.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Extrapolation {
    /// A straight line: corrects too little, with the least variance.
    Linear,
    /// A parabola: the usual compromise; it still leaves a part of a strong attenuation.
    #[default]
    Quadratic,
}

/// Data sets with more error, and the trend of what is fitted to them.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Simulation {
    pub(super) seed: Option<Seed>,
    pub(super) draws: usize,
    pub(super) levels: Vec<f64>,
    pub(super) extrapolation: Extrapolation,
}

impl Default for Simulation {
    fn default() -> Self {
        Self {
            seed: None,
            draws: DEFAULT_DRAWS,
            levels: DEFAULT_LEVELS.to_vec(),
            extrapolation: Extrapolation::default(),
        }
    }
}

/// Gives an estimator with a field `simulation` its builder methods; the sentence says what a level is.
macro_rules! simulation_builder {
    ($model:ident, $levels:literal) => {
        impl $model {
            /// The seed of the added errors.
            pub fn seed(mut self, seed: impl Into<crate::numeric::Seed>) -> Self {
                self.simulation.seed = Some(seed.into());
                self
            }

            /// Data sets a level.
            pub fn draws(mut self, draws: usize) -> Self {
                self.simulation.draws = draws;
                self
            }

            #[doc = $levels]
            pub fn levels(mut self, levels: &[f64]) -> Self {
                self.simulation.levels = levels.to_vec();
                self
            }

            /// The trend that is followed back.
            pub fn extrapolation(
                mut self,
                extrapolation: crate::ability::measurement_error::Extrapolation,
            ) -> Self {
                self.simulation.extrapolation = extrapolation;
                self
            }
        }
    };
}
pub(super) use simulation_builder;

impl Simulation {
    pub(super) fn check(&self, what: &str) -> Result<Seed> {
        let seed = self.seed.ok_or_else(|| Error::SeedRequired {
            what: what.to_owned(),
        })?;
        if self.draws < 2 {
            return Err(Error::invalid_option(
                "draws",
                self.draws,
                "2 or more, for a variance between data sets",
            ));
        }
        if let Some(bad) = self.levels.iter().find(|l| !(**l > 0.0 && l.is_finite())) {
            return Err(Error::invalid_option(
                "levels",
                bad,
                "above zero: how much error is added",
            ));
        }
        self.extrapolation.weights(&self.with_zero())?;
        Ok(seed.child(&what.to_lowercase()))
    }

    fn with_zero(&self) -> Vec<f64> {
        std::iter::once(0.0)
            .chain(self.levels.iter().copied())
            .collect()
    }

    /// Fits all data sets, which `noisier` makes from a level and the number of a draw, and extrapolates from them and from the naive fit.
    pub(super) fn run(
        &self,
        naive: Plain,
        titles: [String; 3],
        noisier: impl Fn(f64, u64) -> Result<Frame> + Sync,
        refit: impl Fn(&Frame) -> Result<Plain> + Sync,
    ) -> Result<SimexFit> {
        let (count, k) = (self.levels.len(), naive.names.len());
        let fits = blocks::map(count * self.draws, |i| {
            let (draw, level) = (i / count, self.levels[i % count]);
            let fit = refit(&noisier(level, draw as u64)?)?;
            naive.same_names(&fit)?;
            Ok((fit.estimates, fit.covariance))
        })
        .into_iter()
        .collect::<Result<Vec<_>>>()?;
        // One row a level, that without added error first: estimates, then covariances.
        let levels = self.with_zero();
        let mut curve = DMatrix::zeros(count + 1, k);
        let mut variances = DMatrix::zeros(count + 1, k * k);
        curve.row_mut(0).copy_from(&naive.estimates.transpose());
        variances
            .row_mut(0)
            .copy_from_slice(naive.covariance.as_slice());
        for level in 0..count {
            let own: Vec<&(DVector<f64>, DMatrix<f64>)> =
                fits.iter().skip(level).step_by(count).collect();
            let mean = own.iter().map(|f| &f.0).sum::<DVector<f64>>() / self.draws as f64;
            let within = own.iter().map(|f| &f.1).sum::<DMatrix<f64>>() / self.draws as f64;
            let between = own
                .iter()
                .map(|f| {
                    let gap = &f.0 - &mean;
                    &gap * gap.transpose()
                })
                .sum::<DMatrix<f64>>()
                / (self.draws - 1) as f64;
            curve.row_mut(level + 1).copy_from(&mean.transpose());
            variances
                .row_mut(level + 1)
                .copy_from_slice((within - between).as_slice());
        }
        let weights = self.extrapolation.weights(&levels)?;
        let estimates = curve.tr_mul(&weights);
        let raw = DMatrix::from_column_slice(k, k, variances.tr_mul(&weights).as_slice());
        let (covariance, adjusted) = nearest_semidefinite(&raw);
        let mut plain = Plain {
            estimates,
            covariance,
            label: format!("jackknife of SIMEX from {} covariances", naive.label),
            ..naive.clone()
        };
        plain
            .warnings
            .extend(adjusted.map(|smallest| Warning::CovarianceAdjusted { smallest }));
        let [title, formula, axis] = titles;
        let fit = ScoreFit {
            title,
            formula,
            plain,
            naive,
            attenuation: None,
            notes: vec![format!(
                "{:?} extrapolation from {count} levels of {} data sets",
                self.extrapolation, self.draws
            )],
        };
        Ok(SimexFit {
            fit,
            levels,
            curve,
            extrapolation: self.extrapolation,
            axis,
        })
    }
}

impl Extrapolation {
    fn degree(self) -> usize {
        match self {
            Self::Linear => 1,
            Self::Quadratic => 2,
        }
    }

    /// The weights of the levels' values in the least-squares polynomial at −1.
    fn weights(self, levels: &[f64]) -> Result<DVector<f64>> {
        let size = self.degree() + 1;
        let powers = |x: f64, j: usize| x.powi(i32::try_from(j).unwrap_or(0));
        let x = DMatrix::from_fn(levels.len(), size, |i, j| powers(levels[i], j));
        let factor = Cholesky::new(&x.tr_mul(&x));
        if factor.rank() < size {
            return Err(Error::invalid_option(
                "levels",
                format!("{levels:?}"),
                format!(
                    "at least {} different levels above zero for this extrapolation",
                    self.degree()
                ),
            ));
        }
        let end = DVector::from_fn(size, |j, _| powers(-1.0, j));
        Ok(x * factor.solve_vector(&end))
    }

    /// The coefficients of the trend.
    fn trend(self, levels: &[f64], values: &[f64]) -> Vec<f64> {
        let size = self.degree() + 1;
        let x = DMatrix::from_fn(levels.len(), size, |i, j| {
            levels[i].powi(i32::try_from(j).unwrap_or(0))
        });
        let y = DVector::from_column_slice(values);
        let factor = Cholesky::new(&x.tr_mul(&x));
        factor.solve_vector(&x.tr_mul(&y)).as_slice().to_vec()
    }
}

/// A SIMEX fit: corrected estimates, and the curve they were extrapolated from.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SimexFit {
    fit: ScoreFit,
    levels: Vec<f64>,
    curve: DMatrix<f64>,
    extrapolation: Extrapolation,
    /// What grows with the level.
    axis: String,
}

impl SimexFit {
    /// The levels ζ, zero first.
    pub fn levels(&self) -> &[f64] {
        &self.levels
    }

    /// Mean estimates: one row a level, one column a coefficient.
    pub fn curve(&self) -> &DMatrix<f64> {
        &self.curve
    }

    /// The estimates of the naive regression.
    pub fn naive(&self) -> &DVector<f64> {
        self.fit.naive()
    }

    /// What a reader of the numbers must know.
    pub fn warnings(&self) -> &[Warning] {
        self.fit.warnings()
    }

    /// A coefficient against the added error: the means and the trend back to ζ = −1.
    ///
    /// # Errors
    /// [`Error::UnknownCoefficient`].
    pub fn plot(&self, coefficient: &str) -> Result<Figure> {
        const POINTS: usize = 61;
        let at = self.position(coefficient)?;
        let values: Vec<f64> = self.curve.column(at).iter().copied().collect();
        let trend = self.extrapolation.trend(&self.levels, &values);
        let top = self.levels.iter().copied().fold(0.0, f64::max);
        let x: Vec<f64> = (0..POINTS)
            .map(|i| -1.0 + (top + 1.0) * i as f64 / (POINTS - 1) as f64)
            .collect();
        let y: Vec<f64> = x
            .iter()
            .map(|x| trend.iter().rev().fold(0.0, |sum, c| sum * x + c))
            .collect();
        LinePlot::new()
            .title(format!("SIMEX of {coefficient}"))
            .x_title(&self.axis)
            .y_title(coefficient)
            .line("trend", &x, &y)
            .line("mean estimate", &self.levels, &values)
            .reference_x(-1.0)
            .draw()
    }

    /// The fit as an HTML table.
    pub fn to_html(&self) -> String {
        self.fit.to_html()
    }
}

impl Inference for SimexFit {
    crate::inference::fields::inference_of_fit!(fit);

    fn table(&self) -> Table {
        self.fit.table()
    }
}

impl Summarized for SimexFit {
    fn footer(&self) -> Vec<(String, Cell)> {
        self.fit.footer()
    }

    fn covariance_label(&self) -> String {
        self.fit.covariance_label()
    }
}

impl std::fmt::Display for SimexFit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.fit.fmt(f)
    }
}

crate::report::notebook!(SimexFit);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn polynomials_are_extrapolated_exactly() {
        let levels = [0.0, 0.5, 1.0, 2.0];
        let weights = Extrapolation::Quadratic.weights(&levels).unwrap();
        let value = |x: f64| 3.0 - 2.0 * x + 0.5 * x * x;
        let found: f64 = levels
            .iter()
            .zip(weights.iter())
            .map(|(l, w)| w * value(*l))
            .sum();
        assert!((found - value(-1.0)).abs() < 1e-12);
        let trend = Extrapolation::Quadratic.trend(&levels, &levels.map(value));
        assert!((trend[2] - 0.5).abs() < 1e-12);
        assert!(Extrapolation::Quadratic.weights(&[0.0, 1.0]).is_err());
        assert!(Extrapolation::Linear.weights(&[0.0, 1.0]).is_ok());
    }
}
