//! Krinsky–Robb: the distribution of a function of the coefficients by drawing them from their normal distribution.

use super::records::{Interval, check_level};
use super::verbs::Inference;
use crate::error::{Error, Result};
use crate::numeric::linalg::spectral;
use crate::numeric::{Seed, blocks};
use nalgebra::DVector;
use rand_distr::{Distribution, StandardNormal};

/// Draws of a block that share one random stream.
const BLOCK: usize = 1024;

/// Percentile intervals of any function of the coefficients, from draws `β* ~ N(β̂, V)` (Krinsky & Robb 1986). Unlike the
/// delta method it needs no derivative and keeps the skew of ratios such as willingness to pay. It is as good as the
/// normality of β̂, and it cannot cure a denominator near zero (see [`super::fieller`]).
///
/// | name | default | meaning | range |
/// |---|---|---|---|
/// | `draws` | 10 000 | number of draws | ≥ 100 |
/// | `seed` | none | required | any |
///
/// ```
/// use cocreate::prelude::*;
/// let frame = datasets::load("card")?;
/// let fit = Ols::new("lwage ~ educ + exper").fit(&frame)?;
/// let ratio = KrinskyRobb::new().seed(7).interval(&fit, "ratio", &["educ", "exper"], |b| b[0] / b[1], 0.95)?;
/// assert!(ratio.lower < 2.3 && 2.3 < ratio.upper);
/// # Ok::<(), cocreate::Error>(())
/// ```
///
/// # References
/// Krinsky, I. & Robb, A. L. (1986). On approximating the statistical properties of elasticities. *REStat* 68(4),
/// 715–719. doi:10.2307/1924536
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct KrinskyRobb {
    draws: usize,
    seed: Option<Seed>,
}

impl Default for KrinskyRobb {
    fn default() -> Self {
        Self::new()
    }
}

impl KrinskyRobb {
    /// 10 000 draws, no seed yet.
    pub fn new() -> Self {
        Self {
            draws: 10_000,
            seed: None,
        }
    }

    /// Sets the number of draws.
    pub fn draws(mut self, draws: usize) -> Self {
        self.draws = draws;
        self
    }

    /// Sets the seed.
    pub fn seed(mut self, seed: impl Into<Seed>) -> Self {
        self.seed = Some(seed.into());
        self
    }

    /// The percentile interval of `function` of the named coefficients.
    ///
    /// # Errors
    /// [`Error::SeedRequired`]; [`Error::InvalidOption`] for a level outside (0, 1) or fewer than 100 draws;
    /// [`Error::UnknownCoefficient`]; [`Error::NotFinite`] when the function is not a number at some draw.
    pub fn interval(
        &self,
        fit: &impl Inference,
        name: &str,
        of: &[&str],
        function: impl Fn(&[f64]) -> f64 + Sync,
        level: f64,
    ) -> Result<Interval> {
        const FEWEST: usize = 100;
        check_level(level)?;
        if self.draws < FEWEST {
            return Err(Error::invalid_option(
                "draws",
                self.draws,
                format!("at least {FEWEST}"),
            ));
        }
        let seed = self.seed.ok_or_else(|| Error::SeedRequired {
            what: "Krinsky–Robb".to_owned(),
        })?;
        let positions = of
            .iter()
            .map(|n| fit.position(n))
            .collect::<Result<Vec<_>>>()?;
        let center: Vec<f64> = positions.iter().map(|&i| fit.estimates()[i]).collect();
        let variance = crate::numeric::linalg::block(fit.covariance(), &positions, &positions);
        let root = spectral(&variance, |v| v.max(0.0).sqrt());
        let seed = seed.child("krinsky-robb");
        let chunks: Vec<_> = blocks::ranges(self.draws, BLOCK).collect();
        let mut values: Vec<f64> = blocks::map(chunks.len(), |i| {
            let mut random = seed.stream(i as u64);
            chunks[i]
                .clone()
                .map(|_| {
                    let z =
                        DVector::from_fn(center.len(), |_, _| StandardNormal.sample(&mut random));
                    let shift = &root * z;
                    let draw: Vec<f64> = center
                        .iter()
                        .zip(shift.iter())
                        .map(|(c, s)| c + s)
                        .collect();
                    function(&draw)
                })
                .collect::<Vec<f64>>()
        })
        .concat();
        if values.iter().any(|v| v.is_nan()) {
            return Err(Error::NotFinite {
                what: format!("`{name}` at a draw of the coefficients"),
            });
        }
        values.sort_unstable_by(f64::total_cmp);
        let tail = (1.0 - level) / 2.0;
        Ok(Interval {
            name: name.to_owned(),
            level,
            lower: sorted_quantile(&values, tail),
            upper: sorted_quantile(&values, 1.0 - tail),
        })
    }
}

/// Linear interpolation between order statistics (Hyndman & Fan type 7).
pub(crate) fn sorted_quantile(sorted: &[f64], p: f64) -> f64 {
    let at = p * (sorted.len() as f64 - 1.0);
    let (low, high) = (at.floor() as usize, at.ceil() as usize);
    let share = at - at.floor();
    if low == high {
        return sorted[low];
    }
    sorted[low] * (1.0 - share) + sorted[high] * share
}
