//! The surrogate index: a long-term effect from an experiment that is over and a sample that has been watched for long.

mod fit;

pub use fit::{SurrogateBalance, SurrogateFit};

use crate::data::design::{Design, elsewhere};
use crate::data::{Formula, Frame};
use crate::error::{Error, Result, Warning};
use crate::experiment::arms::{note, zero_one};
use crate::experiment::sums::{Sums, welch};
use crate::inference::{Covariance, Estimate, Inference};
use crate::numeric::{Progress, Seed, blocks};
use crate::regression::Ols;
use crate::regression::learners::Learner;
use crate::report::Cell;
use nalgebra::{DMatrix, DVector};
use rand::Rng;
use serde::Serialize;

/// A standardised difference between the samples from which comparability deserves a look (Imbens & Rubin 2015).
const FAR: f64 = 0.25;

/// The effect of a treatment on a long-term outcome Y that the experiment did not wait for. From an observational sample with surrogates S, covariates X and Y the
/// surrogate index `μ(s, x) = E[Y | s, x]` is estimated; in the experimental sample with W, S and X
///
/// `τ̂ = mean of μ̂(S, X) among the treated − mean of μ̂(S, X) in the control`.
///
/// It is the effect on Y when (1) W was randomised, (2) *surrogacy*: given S and X, W tells nothing about Y — the whole effect goes through S —, and (3)
/// *comparability*: `E[Y | S, X]` is the same in both samples. Neither (2) nor (3) can be tested with these data.
///
/// The variance has two parts from independent samples: that of the difference in means given the index, and `g'V_β g` of the index itself, where g is the difference
/// between arms in the mean regressors. With a learner in place of a regression both samples are bootstrapped and the learner fitted again.
///
/// Without surrogacy, with `ε = Y − μ(S, X)` and p the share treated, the bias is `Cov(ε, W)/(p(1 − p))`; by Cauchy & Schwarz at most
/// `ρ σ_ε √((1 − R²_W)/(p(1 − p)))` for a correlation ρ of ε with what S and X do not tell of W. [`SurrogateFit::bias_bound`] gives it for any ρ.
///
/// | name | default | meaning |
/// |---|---|---|
/// | `covariance` | HC1 | of the regression of the index |
/// | `learner` | none | a learner in place of the regression, of the columns of the formula as features |
/// | `bootstrap` | 200 | draws with a learner |
/// | `seed` | none | required with a learner |
///
/// # Errors
/// [`Error::OutOfRange`] for a treatment other than 0 and 1; [`Error::ColumnNotFound`]; [`Error::Unidentified`] with fewer than two units in an arm or an index that
/// does not vary; [`Error::SeedRequired`]; those of [`Ols`].
///
/// # References
/// Athey, S., Chetty, R., Imbens, G. W. & Kang, H. (2019). The surrogate index: combining short-term proxies to estimate long-term treatment effects more rapidly
/// and precisely. NBER working paper 26463, doi:10.3386/w26463. Prentice (1989), *Statistics in Medicine* 8(4), doi:10.1002/sim.4780080407.
///
/// # Examples
/// ```
/// use cocreate::prelude::*;
/// let n = 400_usize;
/// let visits: Vec<f64> = (0..n).map(|i| (i % 9) as f64).collect();
/// let year: Vec<f64> = (0..n).map(|i| 10.0 + 3.0 * visits[i] + (i / 9 % 5) as f64).collect();
/// let past = Frame::new().with("visits", visits)?.with("spend_in_a_year", year)?;
/// let treated: Vec<f64> = (0..n).map(|i| (i % 2) as f64).collect();
/// let visits: Vec<f64> = (0..n).map(|i| (i / 2 % 9) as f64 + treated[i]).collect(); // one visit more
/// let test = Frame::new().with("treated", treated)?.with("visits", visits)?;
/// let fit = SurrogateIndex::new("spend_in_a_year ~ visits", "treated").fit(&test, &past)?;
/// assert!((fit.effect.estimate - 3.0).abs() < 0.1);
/// assert!(fit.bias_bound(0.1)? > 0.0);
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SurrogateIndex {
    formula: Formula,
    treatment: String,
    covariance: Covariance,
    learner: Option<Learner>,
    bootstrap: usize,
    seed: Option<Seed>,
}

/// An index with what is needed of it.
struct Index {
    /// Its values in the experiment.
    values: Vec<f64>,
    /// Its values in the observational sample, with the outcome.
    fitted: Vec<f64>,
    outcome: Vec<f64>,
    /// Covariance of coefficients, in the order of `columns`.
    covariance: Option<DMatrix<f64>>,
    residual_df: f64,
}

impl SurrogateIndex {
    /// The effect of a treatment on the outcome of a formula, whose right-hand side are surrogates and covariates.
    pub fn new(formula: impl Into<Formula>, treatment: impl Into<String>) -> Self {
        Self {
            formula: formula.into(),
            treatment: treatment.into(),
            covariance: Covariance::default(),
            learner: None,
            bootstrap: 200,
            seed: None,
        }
    }

    /// The covariance of the regression.
    pub fn covariance(mut self, covariance: Covariance) -> Self {
        self.covariance = covariance;
        self
    }

    /// A learner in place of the regression.
    pub fn learner(mut self, learner: impl Into<Learner>) -> Self {
        self.learner = Some(learner.into());
        self
    }

    /// How many bootstrap draws, with a learner.
    pub fn bootstrap(mut self, draws: usize) -> Self {
        self.bootstrap = draws;
        self
    }

    /// Sets the seed.
    pub fn seed(mut self, seed: impl Into<Seed>) -> Self {
        self.seed = Some(seed.into());
        self
    }

    /// Estimates the effect from the experiment (treatment, surrogates, covariates) and the observational sample (surrogates, covariates, long-term outcome).
    ///
    /// # Errors
    /// See [`SurrogateIndex`].
    pub fn fit(&self, experimental: &Frame, observational: &Frame) -> Result<SurrogateFit> {
        self.fit_with(experimental, observational, &Progress::none())
    }

    /// Estimates the effect, watched by `progress`.
    ///
    /// # Errors
    /// See [`SurrogateIndex`].
    pub fn fit_with(
        &self,
        experimental: &Frame,
        observational: &Frame,
        progress: &Progress,
    ) -> Result<SurrogateFit> {
        let parsed = self.formula.parse()?;
        let design = Design::build(&parsed, observational, &[])?;
        let treated = zero_one(experimental, &self.treatment)?;
        let known: Vec<bool> = treated.iter().map(|t| !t.is_nan()).collect();
        let assigned = experimental.filter(&known)?;
        let new = elsewhere(&[parsed], observational, &[&design.rows], &assigned, &[])?;
        let test = assigned.take(&new.positions)?;
        let treated: Vec<bool> = zero_one(&test, &self.treatment)?
            .iter()
            .map(|t| *t > 0.5)
            .collect();
        let past = observational.filter(&design.rows.mask())?;
        let names: Vec<String> = design.exogenous.iter().map(|c| c.name.clone()).collect();
        let old: Vec<Vec<f64>> = (design.exogenous.iter())
            .map(|c| c.values(&design.rows))
            .collect();
        let here: Vec<Vec<f64>> = (new.columns[0].iter())
            .map(|c| c.values(&new.rows))
            .collect();
        let mut warnings = Vec::new();
        let index = match &self.learner {
            None => self.regression(&past, &names, &here, &mut warnings)?,
            Some(learner) => learned(learner, self.seed, &named(&names, &old)?, &design, &here)?,
        };
        let direct = difference(&index.values, &treated)?;
        let index_error = if let Some(covariance) = &index.covariance {
            let gap = |x: &Vec<f64>| {
                let of = |arm: bool| side(x, &treated, arm).mean;
                of(true) - of(false)
            };
            let g = DVector::from_iterator(here.len(), here.iter().map(gap));
            (covariance * &g).dot(&g).max(0.0).sqrt()
        } else {
            let total = self.resampled(&old, &design, &here, &names, &treated, progress)?;
            (total.powi(2) - direct.std_error.powi(2)).max(0.0).sqrt()
        };
        let residuals = index.outcome.iter().zip(&index.fitted).map(|(y, m)| y - m);
        let rss: f64 = residuals.map(|e| e * e).sum();
        let low = index.fitted.iter().copied().fold(f64::INFINITY, f64::min);
        let high = index
            .fitted
            .iter()
            .copied()
            .fold(f64::NEG_INFINITY, f64::max);
        let slack = 1e-9 * (high - low).abs();
        let beyond = |v: &&f64| **v < low - slack || **v > high + slack;
        let outside = index.values.iter().filter(beyond).count() as f64 / index.values.len() as f64;
        let comparability: Vec<SurrogateBalance> = (names.iter().zip(old.iter().zip(&here)))
            .map(|(name, (old, here))| {
                let past = Sums::of(old.iter().copied());
                let control = side(here, &treated, false);
                let sd = f64::midpoint(past.variance(), control.variance()).sqrt();
                let gap = control.mean - past.mean;
                SurrogateBalance {
                    name: name.clone(),
                    observational: past.mean,
                    experimental: control.mean,
                    standardized_difference: if sd > 0.0 { gap / sd } else { 0.0 },
                }
            })
            .collect();
        let far: Vec<&str> = (comparability.iter())
            .filter(|b| b.standardized_difference.abs() > FAR)
            .map(|b| b.name.as_str())
            .collect();
        if !far.is_empty() {
            warnings.push(note(format!(
                "the samples differ by more than {FAR} standard deviations in {}: comparability rests on the form of the index",
                far.join(", ")
            )));
        }
        if outside > 0.0 {
            warnings.push(note(format!(
                "{} of the experiment lies outside the range of the index in the observational sample",
                Cell::percent(outside, 1)
            )));
        }
        let dropped = experimental.rows() - test.rows();
        if dropped > 0 {
            warnings.push(note(format!(
                "{dropped} rows of the experiment without treatment or surrogates left out"
            )));
        }
        let flags = treated.iter().map(|t| f64::from(u8::from(*t)));
        Ok(SurrogateFit {
            effect: Estimate {
                name: format!("{} on {}", self.treatment, design.outcome.name),
                estimate: direct.estimate,
                std_error: direct.std_error.hypot(index_error),
                degrees_of_freedom: f64::INFINITY,
            },
            experimental_error: direct.std_error,
            index_error,
            index_r_squared: 1.0 - rss / Sums::of(index.outcome.iter().copied()).squares,
            residual_sd: (rss / index.residual_df).sqrt(),
            treatment_r_squared: told(&here, &treated)?,
            treated_share: Sums::of(flags).mean,
            comparability,
            outside,
            experimental_rows: test.rows(),
            observational_rows: past.rows(),
            index: match &self.learner {
                None => self.formula.to_string(),
                Some(learner) => format!("{} by {}", self.formula, learner.name()),
            },
            warnings,
        })
    }

    /// The index by least squares.
    fn regression(
        &self,
        past: &Frame,
        names: &[String],
        here: &[Vec<f64>],
        warnings: &mut Vec<Warning>,
    ) -> Result<Index> {
        let fit = Ols::new(self.formula.clone())
            .covariance(self.covariance.clone())
            .fit(past)?;
        warnings.extend(fit.warnings());
        // A regressor that was dropped has coefficient zero, known exactly.
        let at: Vec<Option<usize>> = names.iter().map(|n| fit.position(n).ok()).collect();
        let coefficient = |k: Option<usize>| k.map_or(0.0, |k| fit.estimates()[k]);
        let constant = coefficient(fit.position("(Intercept)").ok());
        let values = (0..here.first().map_or(0, Vec::len))
            .map(|row| {
                let terms = at.iter().zip(here).map(|(k, x)| coefficient(*k) * x[row]);
                constant + terms.sum::<f64>()
            })
            .collect();
        let v = fit.covariance();
        let covariance = DMatrix::from_fn(names.len(), names.len(), |i, j| match (at[i], at[j]) {
            (Some(i), Some(j)) => v[(i, j)],
            _ => 0.0,
        });
        let residuals = fit.residuals()?;
        let fitted = fit.predict(past)?;
        Ok(Index {
            values,
            outcome: fitted.iter().zip(&residuals).map(|(m, e)| m + e).collect(),
            fitted,
            covariance: Some(covariance),
            residual_df: fit.statistics().residual_df,
        })
    }

    /// The standard error with a learner: both samples drawn again.
    fn resampled(
        &self,
        old: &[Vec<f64>],
        design: &Design,
        here: &[Vec<f64>],
        names: &[String],
        treated: &[bool],
        progress: &Progress,
    ) -> Result<f64> {
        const FEWEST: usize = 20;
        if self.bootstrap < FEWEST {
            return Err(Error::invalid_option(
                "bootstrap",
                self.bootstrap,
                format!("at least {FEWEST}"),
            ));
        }
        let seed = self.required()?.child("surrogate bootstrap");
        let (Some(learner), outcome) = (&self.learner, design.outcome.values(&design.rows)) else {
            return Ok(0.0);
        };
        progress.report("surrogate index", 0, self.bootstrap)?;
        let draws = blocks::map(self.bootstrap, |draw| {
            let mut random = seed.stream(draw as u64);
            let mut rows = |count: usize| -> Vec<usize> {
                (0..count)
                    .map(|_| crate::numeric::permutation::below(&mut random, count as u64) as usize)
                    .collect()
            };
            let (past, test) = (rows(outcome.len()), rows(treated.len()));
            let pick = |columns: &[Vec<f64>], rows: &[usize]| -> Vec<Vec<f64>> {
                (columns.iter())
                    .map(|c| rows.iter().map(|r| c[*r]).collect())
                    .collect()
            };
            let y: Vec<f64> = past.iter().map(|r| outcome[*r]).collect();
            let model = predict(
                learner,
                random.next_u64(),
                &named(names, &pick(old, &past))?,
                &y,
            )?;
            let values = model.predict(&named(names, &pick(here, &test))?)?;
            let arms: Vec<bool> = test.iter().map(|r| treated[*r]).collect();
            Ok(side(&values, &arms, true).mean - side(&values, &arms, false).mean)
        });
        let estimates = draws.into_iter().collect::<Result<Vec<f64>>>()?;
        Ok(Sums::of(estimates.iter().copied()).variance().sqrt())
    }

    fn required(&self) -> Result<Seed> {
        self.seed.ok_or_else(|| Error::SeedRequired {
            what: "the surrogate index with a learner".to_owned(),
        })
    }
}

/// The index by a learner.
fn learned(
    learner: &Learner,
    seed: Option<Seed>,
    past: &Frame,
    design: &Design,
    here: &[Vec<f64>],
) -> Result<Index> {
    let seed = seed.ok_or_else(|| Error::SeedRequired {
        what: "the surrogate index with a learner".to_owned(),
    })?;
    let outcome = design.outcome.values(&design.rows);
    let names = past.names().to_vec();
    let model = predict(
        learner,
        seed.child("surrogate index").value(),
        past,
        &outcome,
    )?;
    Ok(Index {
        values: model.predict(&named(&names, here)?)?,
        fitted: model.predict(past)?,
        residual_df: outcome.len() as f64,
        outcome,
        covariance: None,
    })
}

fn predict(
    learner: &Learner,
    seed: u64,
    past: &Frame,
    outcome: &[f64],
) -> Result<crate::regression::learners::LearnerFit> {
    const OUTCOME: &str = "long-term outcome";
    let names = past.names().to_vec();
    let frame = past.clone().with(OUTCOME, outcome.to_vec())?;
    learner.of(OUTCOME, &names).seed(seed).fit(&frame)
}

fn named(names: &[String], columns: &[Vec<f64>]) -> Result<Frame> {
    (names.iter().zip(columns)).try_fold(Frame::new(), |frame, (name, column)| {
        frame.with(name.clone(), column.clone())
    })
}

fn side(values: &[f64], treated: &[bool], arm: bool) -> Sums {
    let here = values.iter().zip(treated).filter(move |(_, t)| **t == arm);
    Sums::of(here.map(|(v, _)| *v))
}

fn difference(values: &[f64], treated: &[bool]) -> Result<Estimate> {
    welch(
        "the effect on the index",
        side(values, treated, true),
        side(values, treated, false),
    )
}

/// R² of treatment on the surrogates.
fn told(here: &[Vec<f64>], treated: &[bool]) -> Result<f64> {
    let flags: Vec<f64> = treated.iter().map(|t| f64::from(u8::from(*t))).collect();
    let mut frame = Frame::new().with("w", flags)?;
    let mut terms = Vec::new();
    for (j, column) in here.iter().enumerate() {
        let name = format!("s{j}");
        frame = frame.with(name.clone(), column.clone())?;
        terms.push(name);
    }
    let fit = Ols::new(format!("w ~ {}", terms.join(" + "))).fit(&frame)?;
    Ok(fit.statistics().r_squared)
}

#[cfg(test)]
mod tests;
