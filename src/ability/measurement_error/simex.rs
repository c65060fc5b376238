//! Simulation extrapolation: more error is added, and the trend is followed back to none.

use super::fit::ScoreFit;
use super::measured::{Measured, with_scores};
use super::options::{Options, Plain, Sample, Use, score_builder};
use crate::data::{Formula, Frame};
use crate::error::{Error, Result, Warning};
use crate::inference::{Inference, Summarized};
use crate::numeric::linalg::{Cholesky, nearest_semidefinite};
use crate::numeric::{Progress, Seed, blocks};
use crate::report::{Cell, Figure, LinePlot, Table};
use nalgebra::{DMatrix, DVector};
use rand_distr::{Distribution, StandardNormal};
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

/// SIMEX: error of variance `ζ v_i` is added to the scores for several ζ > 0, the regression is fitted to each of many such data
/// sets, and the mean estimates, a function of ζ, are extrapolated to ζ = −1, where no error is left.
///
/// It needs only the error variances ([`Measured`]) and no model of the true scores, and takes any outcome model and any function of
/// the score (`I(skill^2)`). The extrapolated function is an approximation: for a linear model with attenuation λ the truth is
/// `θ λ/(1 + ζ(1 − λ))`, of which a parabola recovers most when λ is above 0.7 and too little below.
///
/// **Standard errors** are those of Stefanski & Cook's jackknife: at each ζ, the mean covariance of the fits less the covariance of the
/// estimates between data sets, extrapolated like the estimates. They agree with those of `Bootstrap::pairs()` around `fit`, which is slower.
///
/// | name | default | meaning |
/// |---|---|---|
/// | `outcome` | [`super::OutcomeModel::Linear`] | model of the outcome |
/// | `covariance` | HC1 | covariance of each fit |
/// | `seed` | none | required |
/// | `draws` | 100 | data sets a level, at least 2 |
/// | `levels` | 0.5, 1, 1.5, 2 | the ζ |
/// | `extrapolation` | quadratic | linear or quadratic |
///
/// # Errors
/// [`Error::SeedRequired`]; [`Error::InvalidOption`] for options out of range; [`Error::OutOfRange`] for a negative standard error;
/// those of the outcome model.
///
/// # References
/// Cook, J. R. & Stefanski, L. A. (1994), doi:10.1080/01621459.1994.10476871; Stefanski, L. A. & Cook, J. R. (1995),
/// doi:10.1080/01621459.1995.10476629, for the variance.
///
/// # Examples
/// ```
/// use cocreate::prelude::*;
/// let a: Vec<f64> = (0..400).map(|i| if i % 4 < 2 { 1.0 } else { -1.0 }).collect();
/// let s: Vec<f64> = a.iter().enumerate().map(|(i, a)| a + if i % 2 < 1 { 0.5 } else { -0.5 }).collect();
/// let y: Vec<f64> = a.iter().enumerate().map(|(i, a)| 2.0 * a + (i as f64).sin()).collect();
/// let people = Frame::new().with("y", y)?.with("skill", s)?;
/// let fit = Simex::new("y ~ skill", Measured::with_variance("skill", 0.25)).seed(7).fit(&people)?;
/// assert!(fit.naive()[1] < 1.65); // 2 × 0.8
/// assert!(fit.coefficient("skill")?.estimate > 1.9);
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Simex {
    options: Options,
    seed: Option<Seed>,
    draws: usize,
    levels: Vec<f64>,
    extrapolation: Extrapolation,
}

score_builder!(Simex, SimexFit);

impl Simex {
    /// SIMEX of a formula with a score.
    pub fn new(formula: impl Into<Formula>, measured: Measured) -> Self {
        Self::from_options(Options::new(formula.into(), measured))
    }

    pub(super) fn from_options(options: Options) -> Self {
        Self {
            options,
            seed: None,
            draws: DEFAULT_DRAWS,
            levels: DEFAULT_LEVELS.to_vec(),
            extrapolation: Extrapolation::default(),
        }
    }

    /// The seed of the added errors.
    pub fn seed(mut self, seed: impl Into<Seed>) -> Self {
        self.seed = Some(seed.into());
        self
    }

    /// Data sets a level.
    pub fn draws(mut self, draws: usize) -> Self {
        self.draws = draws;
        self
    }

    /// The shares ζ of the error variance that are added, all above zero.
    pub fn levels(mut self, levels: &[f64]) -> Self {
        self.levels = levels.to_vec();
        self
    }

    /// The trend that is followed back.
    pub fn extrapolation(mut self, extrapolation: Extrapolation) -> Self {
        self.extrapolation = extrapolation;
        self
    }

    /// Fits the model, watched by `progress`.
    ///
    /// # Errors
    /// See [`Simex`].
    pub fn fit_with(&self, frame: &Frame, progress: &Progress) -> Result<SimexFit> {
        let seed = self.check()?;
        let options = &self.options;
        let sample = options.sample(frame, Use::Any)?;
        let naive = options.refit(frame, progress)?;
        let (count, k) = (self.levels.len(), naive.names.len());
        let fits = blocks::map(count * self.draws, |i| {
            let (draw, level) = (i / count, self.levels[i % count]);
            let scores = noisier(&sample, level, seed, draw as u64);
            let column = options.measured.column();
            let noisy = with_scores(frame, column, &sample.rows, &scores)?;
            let fit = options.refit(&noisy, progress)?;
            naive.same_names(&fit)?;
            Ok((fit.estimates, fit.covariance))
        })
        .into_iter()
        .collect::<Result<Vec<_>>>()?;
        // One row a level, that without added error first: estimates, then covariances.
        let mut levels = vec![0.0];
        levels.extend(&self.levels);
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
        let fit = ScoreFit {
            title: format!("SIMEX, {}", options.outcome),
            formula: sample.parsed.to_string(),
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
        })
    }

    fn check(&self) -> Result<Seed> {
        let seed = self.seed.ok_or_else(|| Error::SeedRequired {
            what: "SIMEX".to_owned(),
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
                "above zero: the share of the error variance that is added",
            ));
        }
        self.extrapolation.weights(&self.with_zero())?;
        Ok(seed.child("simex"))
    }

    fn with_zero(&self) -> Vec<f64> {
        std::iter::once(0.0)
            .chain(self.levels.iter().copied())
            .collect()
    }
}

/// The scores with error of variance `level · v_i` added. All levels of a data set use the same draws, so that the curve is smooth.
fn noisier(sample: &Sample, level: f64, seed: Seed, draw: u64) -> Vec<f64> {
    let mut random = seed.stream(draw);
    let rows = sample.scores.iter().zip(&sample.variances);
    rows.map(|(s, v)| {
        let z: f64 = StandardNormal.sample(&mut random);
        s + (level * v).sqrt() * z
    })
    .collect()
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
            .x_title("added error variance, as a share of that of the scores")
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
    fn names(&self) -> &[String] {
        self.fit.names()
    }

    fn estimates(&self) -> &DVector<f64> {
        self.fit.estimates()
    }

    fn covariance(&self) -> &DMatrix<f64> {
        self.fit.covariance()
    }

    fn degrees_of_freedom(&self, contrast: &DVector<f64>) -> f64 {
        self.fit.degrees_of_freedom(contrast)
    }

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
