//! The multiplier bootstrap of several coefficients at once, from their influences: intervals that hold together.

use super::score::{Influence, check_options};
use super::weights::{WeightSource, WildWeights};
use crate::error::{Error, Result};
use crate::inference::krinsky_robb::sorted_quantile;
use crate::inference::multiplicity::Simultaneous;
use crate::inference::records::Interval;
use crate::numeric::{Seed, blocks};
use nalgebra::DMatrix;
use serde::{Deserialize, Serialize};

/// Draws that are multiplied together: one matrix product.
const BLOCK: usize = 64;

/// Simultaneous (sup-t) intervals by the multiplier bootstrap: with the influences `ψ_g` of units or clusters, `Σ_g ψ_g` approximates the error of the estimates, and
/// `max_j |Σ_g v_g ψ_gj|/se_j` over random weights `v_g` the largest error of all in standard errors. The intervals `β̂_j ± c·se_j`, with `c` the quantile of that
/// maximum, hold all the truths together with the given probability (Callaway & Sant'Anna 2021, Theorem 3; Montiel Olea & Plagborg-Møller 2019).
///
/// | name | default | meaning | range |
/// |---|---|---|---|
/// | `draws` | 999 | draws of the weights | ≥ 99 |
/// | `weights` | Rademacher | their distribution | see [`WildWeights`] |
/// | `seed` | none | required | any |
///
/// # Errors
/// [`Error::SeedRequired`], [`Error::InvalidOption`], [`Error::UnknownCoefficient`], [`Error::Unidentified`] when a standard error is zero, and those of [`Influence`].
///
/// # References
/// Callaway & Sant'Anna (2021), doi:10.1016/j.jeconom.2020.12.001; Montiel Olea & Plagborg-Møller (2019), doi:10.1002/jae.2656.
///
/// # Examples
/// ```
/// use cocreate::prelude::*;
/// let frame = datasets::load("nsw")?;
/// let fit = Ols::new("re78 ~ treat + age + educ").fit(&frame)?;
/// let bands = MultiplierBootstrap::new().seed(7).run(&fit, &["treat", "age", "educ"], 0.95)?;
/// assert!(bands.critical_value > 1.96 && bands.critical_value < 2.6);
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MultiplierBootstrap {
    draws: usize,
    weights: WildWeights,
    seed: Option<Seed>,
}

impl Default for MultiplierBootstrap {
    fn default() -> Self {
        Self::new()
    }
}

impl MultiplierBootstrap {
    /// 999 draws of Rademacher weights.
    pub fn new() -> Self {
        Self {
            draws: 999,
            weights: WildWeights::Rademacher,
            seed: None,
        }
    }

    /// Sets the number of draws.
    pub fn draws(mut self, draws: usize) -> Self {
        self.draws = draws;
        self
    }

    /// Sets the distribution of the weights.
    pub fn weights(mut self, weights: WildWeights) -> Self {
        self.weights = weights;
        self
    }

    /// Sets the seed.
    pub fn seed(mut self, seed: impl Into<Seed>) -> Self {
        self.seed = Some(seed.into());
        self
    }

    /// Intervals of the named coefficients, with p-values adjusted for looking at all of them.
    ///
    /// # Errors
    /// See [`MultiplierBootstrap`].
    pub fn run(&self, fit: &impl Influence, names: &[&str], level: f64) -> Result<Simultaneous> {
        let seed = check_options(self.draws, level, self.seed, "the multiplier bootstrap")?;
        if names.is_empty() {
            return Err(Error::invalid_option(
                "names",
                "empty",
                "at least one coefficient",
            ));
        }
        let positions = names
            .iter()
            .map(|n| fit.position(n))
            .collect::<Result<Vec<_>>>()?;
        let estimates: Vec<_> = positions.iter().map(|i| fit.estimate_at(*i)).collect();
        if let Some(zero) = estimates
            .iter()
            .find(|e| !e.std_error.is_finite() || e.std_error <= 0.0)
        {
            return Err(Error::Unidentified {
                what: "the joint distribution of the coefficients".to_owned(),
                needs: format!("a positive standard error of `{}`", zero.name),
            });
        }
        let influence = fit.influence(None)?;
        let scaled = DMatrix::from_fn(names.len(), influence.nrows(), |j, g| {
            influence[(g, positions[j])] / estimates[j].std_error
        });
        let mut maxima = self.maxima(&scaled, seed.child("multiplier"));
        maxima.sort_unstable_by(f64::total_cmp);
        let critical_value = sorted_quantile(&maxima, level);
        let p_value = |t: f64| {
            let below = maxima.partition_point(|m| *m < t.abs());
            (1 + maxima.len() - below) as f64 / (maxima.len() + 1) as f64
        };
        Ok(Simultaneous {
            intervals: (estimates.iter())
                .map(|e| Interval {
                    name: e.name.clone(),
                    level,
                    lower: e.estimate - critical_value * e.std_error,
                    upper: e.estimate + critical_value * e.std_error,
                })
                .collect(),
            adjusted: (estimates.iter())
                .map(|e| p_value(e.statistic(0.0)))
                .collect(),
            critical_value,
            draws: maxima.len(),
        })
    }

    /// The largest of the perturbed sums, one a draw.
    fn maxima(&self, scaled: &DMatrix<f64>, seed: Seed) -> Vec<f64> {
        let units = scaled.ncols();
        let source = WeightSource::new(self.weights, self.draws, units, seed);
        let chunks: Vec<_> = blocks::ranges(source.draws, BLOCK).collect();
        blocks::map(chunks.len(), |i| {
            let mut weights = DMatrix::zeros(units, chunks[i].len());
            for (column, draw) in chunks[i].clone().enumerate() {
                source.draw(draw, units, |g, v| weights[(g, column)] = v);
            }
            (scaled * weights)
                .column_iter()
                .map(|sums| sums.amax())
                .collect::<Vec<f64>>()
        })
        .concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inference::Inference;
    use nalgebra::DVector;

    struct Known {
        names: Vec<String>,
        estimates: DVector<f64>,
        covariance: DMatrix<f64>,
        influence: DMatrix<f64>,
    }

    impl Inference for Known {
        crate::inference::fields::inference_of_fields!();
    }

    impl Influence for Known {
        fn influence(&self, _: Option<&str>) -> Result<DMatrix<f64>> {
            Ok(self.influence.clone())
        }
    }

    fn known(units: usize) -> Known {
        let influence =
            DMatrix::from_fn(units, 3, |i, j| ((i * (j + 2) + 3 * j) as f64 * 1.7).sin());
        Known {
            names: ["a", "b", "c"].map(str::to_owned).to_vec(),
            estimates: DVector::from_vec(vec![9.0, 0.0, 1.0]),
            covariance: influence.tr_mul(&influence),
            influence,
        }
    }

    #[test]
    fn one_coefficient_has_the_normal_quantile_and_more_have_more() {
        let bootstrap = MultiplierBootstrap::new().draws(20_000).seed(7);
        let fit = known(400);
        let critical = |names: &[&str]| bootstrap.run(&fit, names, 0.95).unwrap().critical_value;
        let (one, three) = (critical(&["a"]), critical(&["a", "b", "c"]));
        assert!((one - 1.96).abs() < 0.04, "{one}");
        // Of three that are nearly independent: 2.39.
        assert!((three - 2.39).abs() < 0.05, "{three}");
    }

    #[cfg(feature = "parallel")]
    #[test]
    fn any_number_of_threads_gives_the_same_bits() {
        let run = || {
            let bootstrap = MultiplierBootstrap::new().seed(7);
            bootstrap.run(&known(50), &["a", "b", "c"], 0.95).unwrap()
        };
        let pool = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
            pool.build().unwrap().install(run)
        };
        assert_eq!(pool(1), pool(5));
    }

    #[test]
    fn few_units_take_every_sign_once() {
        let fit = known(6);
        let found = MultiplierBootstrap::new()
            .seed(1)
            .run(&fit, &["a"], 0.9)
            .unwrap();
        assert_eq!(found.draws, 64);
        let none = MultiplierBootstrap::new().seed(1).run(&fit, &[], 0.9);
        assert!(none.unwrap_err().to_string().contains("at least one"));
    }
}
