//! Simulation extrapolation: more error is added, and the trend is followed back to none.

use super::measured::{Measured, with_scores};
use super::options::{Options, Sample, Use, score_builder};
use super::simulation::{SimexFit, Simulation, simulation_builder};
use crate::data::{Formula, Frame};
use crate::error::Result;
use crate::numeric::{Progress, Seed};
use rand_distr::{Distribution, StandardNormal};
use serde::Serialize;

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
/// [`Error::SeedRequired`](crate::Error::SeedRequired); [`Error::InvalidOption`](crate::Error::InvalidOption) for options out of range; [`Error::OutOfRange`](crate::Error::OutOfRange) for a negative standard error;
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
    simulation: Simulation,
}

score_builder!(Simex, SimexFit);
simulation_builder!(
    Simex,
    "The shares ζ of the error variance that are added, all above zero."
);

impl Simex {
    /// SIMEX of a formula with a score.
    pub fn new(formula: impl Into<Formula>, measured: Measured) -> Self {
        Self::from_options(Options::new(formula.into(), measured))
    }

    pub(super) fn from_options(options: Options) -> Self {
        Self {
            options,
            simulation: Simulation::default(),
        }
    }

    /// Fits the model, watched by `progress`.
    ///
    /// # Errors
    /// See [`Simex`].
    pub fn fit_with(&self, frame: &Frame, progress: &Progress) -> Result<SimexFit> {
        let seed = self.simulation.check("SIMEX")?;
        let options = &self.options;
        let sample = options.sample(frame, Use::Any)?;
        let column = options.measured.column();
        self.simulation.run(
            options.refit(frame, progress)?,
            [
                format!("SIMEX, {}", options.outcome),
                sample.parsed.to_string(),
                "added error variance, as a share of that of the scores".to_owned(),
            ],
            |level, draw| {
                let scores = noisier(&sample, level, seed, draw);
                with_scores(frame, column, &sample.rows, &scores)
            },
            |noisy| options.refit(noisy, progress),
        )
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
