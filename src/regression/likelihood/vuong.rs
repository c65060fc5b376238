//! Which of two models that are not nested is closer to the truth: Vuong's test.

use super::fit::LikelihoodFit;
use super::model::Order;
use crate::error::{Error, Result};
use crate::inference::{Distribution, TestResult};
use crate::numeric::blocks;
use crate::summary::gram::TILE;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A spread of the log-density ratio below this share of the log-densities is rounding: the models are the same.
const SAME: f64 = 1e-10;

/// Vuong's test: `z = Σ m_i / (√n s_m)` with the log-density ratios `m_i = ln f(y_i) − ln g(y_i)`, standard normal when both
/// models are equally far from the truth. A large positive z speaks for the first model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VuongTest {
    /// Without a penalty for parameters.
    pub uncorrected: TestResult,
    /// With Akaike's: `Σ m_i − (k_f − k_g)`.
    pub aic_corrected: TestResult,
    /// With Schwarz's: `Σ m_i − (k_f − k_g) ln(n)/2`.
    pub bic_corrected: TestResult,
}

impl LikelihoodFit {
    /// The log-density of every used row at the estimates, without weights.
    ///
    /// # Errors
    /// [`Error::DataNotKept`] after `lean`.
    pub fn log_densities(&self) -> Result<Vec<f64>> {
        let rows = self.at_maximum("the log-densities of the rows")?;
        let mut likelihood = rows.likelihood.clone();
        likelihood.weights = None;
        let mut work = likelihood.workspace();
        let mut out = Vec::with_capacity(likelihood.rows.len());
        for range in blocks::ranges(likelihood.rows.len(), TILE) {
            let len = range.len();
            likelihood.fill(range, &rows.point, Order::Value, &mut work);
            out.extend_from_slice(&work.derivatives.value[..len]);
        }
        Ok(out)
    }

    /// Vuong's test of this model against another of the same outcome on the same rows, for models neither of which is a special
    /// case of the other (logit and probit, hurdle and zero-inflated counts). Weights multiply the log-densities; a frequency
    /// weight stands for that many rows.
    ///
    /// It is not a test of zero inflation: a Poisson model is the zero-inflated one at the edge of its parameter space, where
    /// the statistic is not normal (Wilson 2015, doi:10.1016/j.econlet.2014.12.029); compare information criteria there.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] when rows, weights or outcomes differ; [`Error::Unidentified`] when the two models give every row the
    /// same density, as nested models do under the smaller one; [`Error::DataNotKept`] after `lean`.
    ///
    /// # References
    /// Vuong, Q. H. (1989). Likelihood ratio tests for model selection and non-nested hypotheses. *Econometrica* 57(2), 307–333.
    /// doi:10.2307/1912557
    ///
    /// ```
    /// use cocreate::prelude::*;
    /// let frame = datasets::load("nsw")?;
    /// let logit = Logit::new("treat ~ age + educ + nodegree").fit(&frame)?;
    /// let test = logit.vuong(&Probit::new("treat ~ age + educ + nodegree").fit(&frame)?)?;
    /// assert!(test.uncorrected.p_value > 0.05);
    /// # Ok::<(), cocreate::Error>(())
    /// ```
    pub fn vuong(&self, other: &Self) -> Result<VuongTest> {
        let own = &self.at_maximum("Vuong's test")?.likelihood;
        other.at_maximum("Vuong's test")?;
        if self.differs_in_data(other) {
            return Err(Error::invalid_option(
                "other model",
                other.formula(),
                "fitted to the same outcome on the same rows with the same weights",
            ));
        }
        let (f, g) = (self.log_densities()?, other.log_densities()?);
        let n = own.observations();
        let weight = |i: usize| own.weights.as_ref().map_or(1.0, |w| w[i]);
        // A frequency weight counts equal rows; any other multiplies the log-density.
        let (count, factor): (Vec<f64>, Vec<f64>) = (0..f.len())
            .map(|i| {
                if own.frequency {
                    (weight(i), 1.0)
                } else {
                    (1.0, weight(i))
                }
            })
            .unzip();
        let ratio: Vec<f64> = (0..f.len()).map(|i| factor[i] * (f[i] - g[i])).collect();
        let total: f64 = ratio.iter().zip(&count).map(|(m, c)| m * c).sum();
        let squares: f64 = ratio
            .iter()
            .zip(&count)
            .map(|(m, c)| c * (m - total / n).powi(2))
            .sum();
        let spread = (squares / (n - 1.0)).sqrt();
        let size = f.iter().map(|v| v.abs()).sum::<f64>() / f.len() as f64;
        if spread <= SAME * size {
            return Err(Error::Unidentified {
                what: "the better of the two models by Vuong's test".to_owned(),
                needs: "models that differ in the density of some row; compare nested models by a likelihood-ratio test".to_owned(),
            });
        }
        let more = self.statistics().parameters as f64 - other.statistics().parameters as f64;
        let test = |how: &str, penalty: f64| {
            TestResult::new(
                format!(
                    "Vuong test of {} against {}{how}",
                    self.title(),
                    other.title()
                ),
                (total - penalty) / (n.sqrt() * spread),
                Distribution::T { df: f64::INFINITY },
            )
        };
        Ok(VuongTest {
            uncorrected: test("", 0.0),
            aic_corrected: test(", AIC-corrected", more),
            bic_corrected: test(", BIC-corrected", more * n.ln() / 2.0),
        })
    }
}

impl fmt::Display for VuongTest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}\n{}\n{}",
            self.uncorrected, self.aic_corrected, self.bic_corrected
        )
    }
}

crate::report::notebook_line!(VuongTest);
