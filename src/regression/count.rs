//! Counts: Poisson regression, which is right for any non-negative outcome with a log-linear mean, and the negative binomial.

use super::LikelihoodFit;
use super::count_density::{Counts, Distribution, Factorials};
use super::likelihood::{
    Derivatives, Estimation, Index, Inputs, Likelihood, Options, Order, Quantity, Recession,
    RowModel, likelihood_builder, maximize,
};
use super::sample::Sample;
use crate::data::{DesignColumn, Formula, Frame, Rows};
use crate::error::{Error, Result, Warning};
use crate::inference::{Distribution as Reference, TestResult};
use crate::numeric::{Progress, blocks};
use crate::summary::gram::TILE;
use serde::Serialize;
use std::sync::Arc;

/// Poisson regression `E[y | x] = e^(x'β)`, by (pseudo-)maximum likelihood.
///
/// β are semi-elasticities: one unit of x multiplies the mean by e^β. The estimates are consistent whenever the mean is right,
/// whatever the variance and also for outcomes that are not whole numbers, such as spending or trade (pseudo-maximum likelihood,
/// PPML); the robust errors that are the default allow for that, classical ones do not. Zeros need no treatment.
///
/// Fixed effects (`"visits ~ price | customer + month"`) are absorbed, however many levels they have, without the bias that
/// dummies give other nonlinear models. Levels whose outcomes are all zero, and rows alone in a level, are left out with a
/// warning; there are no predictions then.
///
/// | name | default | meaning | range |
/// |---|---|---|---|
/// | `covariance` | `Covariance::Hc1` | sampling variance | see [`crate::inference::Covariance`] |
/// | `weights` | none | weights in the log-likelihood | ≥ 0; rows of weight 0 are left out |
/// | `frequency_weights` | none | each row stands for w equal rows | whole numbers |
/// | `offset` | none | a column with coefficient one: the log of exposure | finite |
///
/// # Errors
/// [`Error::OutOfRange`] for a negative outcome; [`Error::Unidentified`] when all outcomes are equal; [`Error::Separated`] when a
/// combination of regressors singles out rows whose outcome is zero; those of the formula and the covariance;
/// [`Error::TooFewRows`], [`Error::NotConverged`], [`Error::Cancelled`].
///
/// # References
/// Gourieroux, C., Monfort, A. & Trognon, A. (1984). Pseudo maximum likelihood methods: applications to Poisson models.
/// *Econometrica* 52(3), 701–720. doi:10.2307/1913472. Santos Silva, J. M. C. & Tenreyro, S. (2006). The log of gravity.
/// *Review of Economics and Statistics* 88(4), 641–658. doi:10.1162/rest.88.4.641
///
/// # Examples
/// ```
/// use cocreate::prelude::*;
/// let frame = datasets::load("mroz")?;
/// let fit = Poisson::new("kidslt6 ~ age + educ").fit(&frame)?;
/// assert!(fit.coefficient("age")?.estimate < 0.0);
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Poisson {
    options: Options,
}

/// Negative binomial regression (NB2): `E[y | x] = μ = e^(x'β)` and `Var[y | x] = μ + αμ²`, by maximum likelihood, as when the
/// Poisson mean is multiplied by a gamma variable of variance α. The parameter `ln_alpha` is ln α.
///
/// β is consistent when the mean is right, but unlike [`Poisson`]'s it is not for outcomes that are not whole numbers. Options are
/// those of [`Poisson`].
///
/// # Errors
/// Those of [`Poisson`]; [`Error::OutOfRange`] for an outcome that is not a whole number; [`Error::Unidentified`] when the outcomes
/// vary no more than Poisson counts do, so that α = 0 is the estimate and ln α has none.
///
/// # References
/// Cameron, A. C. & Trivedi, P. K. (1986). Econometric models based on count data. *Journal of Applied Econometrics* 1(1),
/// 29–53. doi:10.1002/jae.3950010104
///
/// # Examples
/// ```
/// use cocreate::prelude::*;
/// let frame = datasets::load("cdnow_summary")?;
/// let model = NegativeBinomial::new("frequency ~ T");
/// assert!(model.overdispersion_test(&frame)?.p_value < 1e-6);
/// assert!(model.fit(&frame)?.coefficient("ln_alpha")?.estimate > 0.0);
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct NegativeBinomial {
    options: Options,
}

/// What a formula with fixed effects is told.
pub(super) const NO_EFFECTS: &str =
    "without fixed effects for this model: few may be written C(effect)";

impl Poisson {
    /// The model of a formula, with robust errors.
    pub fn new(formula: impl Into<Formula>) -> Self {
        Self {
            options: Options::new(formula.into()),
        }
    }

    fn estimate(&self, frame: &Frame, progress: &Progress) -> Result<LikelihoodFit> {
        let mut sample = self.options.sample_with_effects(frame, &[])?;
        let whole = check_counts(&sample.design.outcome, &sample.design.rows, Whole::Any)?;
        if !whole {
            sample.warnings.push(Warning::Note {
                message: "some outcomes are not whole numbers: the estimates are pseudo-maximum likelihood, right for the mean with robust errors; the log-likelihood compares no models"
                    .to_owned(),
            });
        }
        if !sample.design.fixed_effects.is_empty() {
            return super::poisson_effects::poisson_effects(&self.options, sample, frame, progress);
        }
        let index = self.options.index(frame, &mut sample)?;
        let likelihood = poisson_likelihood(index, &sample);
        let start = start_at_mean(&likelihood);
        let estimation = Estimation {
            title: "Poisson",
            formulas: vec![self.options.formula.clone()],
            formula: sample.parsed.to_string(),
            start,
            likelihood,
            warnings: sample.warnings,
            covariance: &self.options.covariance,
            frame,
        };
        estimation.run(progress)
    }
}

likelihood_builder!(Poisson);

impl NegativeBinomial {
    /// The model of a formula, with robust errors.
    pub fn new(formula: impl Into<Formula>) -> Self {
        Self {
            options: Options::new(formula.into()),
        }
    }

    /// The likelihood-ratio test of α = 0, the Poisson model, against this one. As α cannot be negative, the statistic is zero with
    /// probability one half under the hypothesis and χ²(1) otherwise, so the p-value is half that of χ²(1); it is one when the
    /// outcomes vary less than Poisson counts. It assumes independent rows.
    ///
    /// # Errors
    /// Those of [`NegativeBinomial::fit`], but for the one of α = 0.
    ///
    /// # References
    /// Self, S. G. & Liang, K.-Y. (1987). Asymptotic properties of maximum likelihood estimators and likelihood ratio tests under
    /// nonstandard conditions. *JASA* 82(398), 605–610. doi:10.1080/01621459.1987.10478472
    pub fn overdispersion_test(&self, frame: &Frame) -> Result<TestResult> {
        const NAME: &str = "likelihood-ratio test of alpha = 0 (half of chi-squared)";
        let progress = Progress::none();
        let poisson = self.poisson(frame, &progress)?;
        let statistic = if poisson.dispersion > 0.0 {
            let value = poisson.value;
            let full = poisson.estimation(self, frame).run(&progress)?;
            2.0 * (full.log_likelihood() - value)
        } else {
            0.0
        };
        let mut test = TestResult::new(NAME, statistic.max(0.0), Reference::ChiSquared { df: 1.0 });
        test.p_value = if statistic > 0.0 {
            0.5 * test.p_value
        } else {
            1.0
        };
        Ok(test)
    }

    fn estimate(&self, frame: &Frame, progress: &Progress) -> Result<LikelihoodFit> {
        let poisson = self.poisson(frame, progress)?;
        if poisson.dispersion <= 0.0 {
            return Err(Error::Unidentified {
                what: "ln_alpha of the negative binomial model".to_owned(),
                needs: "outcomes that vary more than Poisson counts of the same means; these do not, so that alpha = 0 is the estimate: use Poisson, with robust errors"
                    .to_owned(),
            });
        }
        poisson.estimation(self, frame).run(progress)
    }

    /// The Poisson model of the same sample, from which the search starts.
    fn poisson(&self, frame: &Frame, progress: &Progress) -> Result<PoissonStart> {
        let mut sample = self.options.sample(frame, NO_EFFECTS)?;
        check_counts(&sample.design.outcome, &sample.design.rows, Whole::Only)?;
        let index = self.options.index(frame, &mut sample)?;
        let likelihood = poisson_likelihood(index, &sample);
        let what = "the Poisson model before the negative binomial one";
        let found = maximize(&likelihood, start_at_mean(&likelihood), what, progress)?;
        Ok(PoissonStart {
            dispersion: dispersion(&likelihood, &found.point),
            value: found.sums.value,
            point: found.point,
            sample,
            likelihood,
        })
    }
}

likelihood_builder!(NegativeBinomial);

/// A Poisson model at its maximum.
struct PoissonStart {
    sample: Sample,
    likelihood: Likelihood,
    point: Vec<f64>,
    value: f64,
    dispersion: f64,
}

impl PoissonStart {
    fn estimation<'a>(self, model: &'a NegativeBinomial, frame: &'a Frame) -> Estimation<'a> {
        let mut likelihood = self.likelihood;
        likelihood.model = Arc::new(NegativeBinomialRows {
            factorials: Factorials::new(),
        });
        likelihood.indices.push(Index::parameter(LN_ALPHA));
        let mut start = self.point;
        start.push(self.dispersion.ln());
        Estimation {
            title: "Negative binomial",
            formulas: vec![model.options.formula.clone()],
            formula: self.sample.parsed.to_string(),
            likelihood,
            start,
            warnings: self.sample.warnings,
            covariance: &model.options.covariance,
            frame,
        }
    }
}

/// How the dispersion is called in tables.
pub(super) const LN_ALPHA: &str = "ln_alpha";

/// Which numbers an outcome may be.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Whole {
    Any,
    Only,
}

/// Refuses negative outcomes, those that are not whole when they must be, and outcomes that are all equal; says whether all are
/// whole.
pub(super) fn check_counts(outcome: &DesignColumn, rows: &Rows, whole: Whole) -> Result<bool> {
    let values = outcome.values(rows);
    let mut all_whole = true;
    for (i, y) in values.iter().enumerate() {
        let fraction = y.fract().abs() > 0.0;
        if *y < 0.0 || (fraction && whole == Whole::Only) {
            let expected = match whole {
                Whole::Any => "0 or more for a log-linear mean",
                Whole::Only => {
                    "a whole number of 0 or more for a count (Poisson takes any outcome of 0 or more)"
                }
            };
            return Err(Error::OutOfRange {
                column: outcome.name.clone(),
                row: rows.index(i) + 1,
                value: *y,
                expected: expected.to_owned(),
            });
        }
        all_whole &= !fraction;
    }
    let first = values.first().copied().unwrap_or_default();
    if values.iter().all(|y| (y - first).abs() <= 0.0) {
        return Err(Error::Unidentified {
            what: format!("a model of `{}`", outcome.name),
            needs: format!(
                "outcomes that differ, and all {} rows have {first}",
                values.len()
            ),
        });
    }
    Ok(all_whole)
}

/// The Poisson likelihood of a sample.
pub(super) fn poisson_likelihood(index: Index, sample: &Sample) -> Likelihood {
    Likelihood {
        model: Arc::new(PoissonRows {
            factorials: Factorials::new(),
        }),
        indices: vec![index],
        outcomes: vec![sample.design.outcome.clone()],
        rows: sample.design.rows.clone(),
        weights: sample.weights.clone().map(Arc::new),
        frequency: sample.frequency,
    }
}

/// A start whose mean is that of the outcomes where the model has a constant; zeros otherwise.
pub(super) fn start_at_mean(likelihood: &Likelihood) -> Vec<f64> {
    let mut start = vec![0.0; likelihood.parameters()];
    if likelihood.indices[0].constant.is_some() {
        let mean = mean_exponential(likelihood, &start);
        start[0] = (likelihood.mean_outcome() / mean).ln();
    }
    start
}

/// The weighted mean of `e^η` at a point: of the exposure, when all coefficients are zero.
fn mean_exponential(likelihood: &Likelihood, point: &[f64]) -> f64 {
    let mut sum = 0.0;
    for_each_row(likelihood, point, |weight, _, eta| {
        sum += weight * eta.exp();
    });
    sum / likelihood.total_weight()
}

/// The moment estimate `Σ [(y − μ)² − y] / Σ μ²` of α, which has the sign of the likelihood's slope at α = 0.
pub(super) fn dispersion(likelihood: &Likelihood, point: &[f64]) -> f64 {
    let (mut excess, mut squares) = (0.0, 0.0);
    for_each_row(likelihood, point, |weight, y, eta| {
        let mean = eta.exp();
        excess += weight * ((y - mean).powi(2) - y);
        squares += weight * mean * mean;
    });
    excess / squares
}

/// Visits weight, first outcome and first index of all rows.
pub(super) fn for_each_row(
    likelihood: &Likelihood,
    point: &[f64],
    mut visit: impl FnMut(f64, f64, f64),
) {
    let mut work = likelihood.workspace();
    for range in blocks::ranges(likelihood.rows.len(), TILE) {
        likelihood.fill(range.clone(), point, Order::Value, &mut work);
        for (at, i) in range.enumerate() {
            let weight = likelihood.weights.as_ref().map_or(1.0, |w| w[i]);
            let (y, eta) = work.row(at);
            visit(weight, y, eta);
        }
    }
}

/// The rows of a Poisson model.
#[derive(Clone, Debug)]
struct PoissonRows {
    factorials: Factorials,
}

impl RowModel for PoissonRows {
    fn evaluate(&self, rows: &Inputs<'_>, _order: Order, out: &mut Derivatives) {
        let (y, eta) = (&rows.outcomes[0], &rows.indices[0]);
        for i in 0..rows.len {
            let mean = eta[i].exp();
            out.value[i] = y[i] * eta[i] - mean - self.factorials.ln(y[i]);
            out.gradient[0][i] = y[i] - mean;
            out.hessian[0][i] = -mean;
        }
    }

    fn is_concave(&self) -> bool {
        true
    }

    fn recession(&self, outcome: f64) -> Recession {
        if outcome > 0.0 {
            Recession::Fixed
        } else {
            Recession::Down
        }
    }

    fn remedy_for_separation(&self) -> &'static str {
        "leave these columns out, or the rows that they single out, all of which have the outcome 0 and a fitted mean of 0"
    }

    fn index_of_mean(&self, mean: f64) -> Option<f64> {
        Some(mean.ln())
    }

    fn predict(&self, what: Quantity, indices: &[f64]) -> Option<f64> {
        predict_count(Distribution::Poisson, &self.factorials, what, indices)
    }
}

/// The rows of a negative binomial model: indices η and ln α.
#[derive(Clone, Debug)]
struct NegativeBinomialRows {
    factorials: Factorials,
}

impl RowModel for NegativeBinomialRows {
    fn evaluate(&self, rows: &Inputs<'_>, _order: Order, out: &mut Derivatives) {
        let (y, eta, ln_alpha) = (&rows.outcomes[0], &rows.indices[0], &rows.indices[1]);
        let mut counts = Counts::new(Distribution::NegativeBinomial);
        for i in 0..rows.len {
            let factorial = self.factorials.ln(y[i]);
            let [value, first, second, h0, h1, h2] =
                counts.density(y[i], eta[i], ln_alpha[i], factorial);
            out.value[i] = value;
            out.gradient[0][i] = first;
            out.gradient[1][i] = second;
            out.hessian[0][i] = h0;
            out.hessian[1][i] = h1;
            out.hessian[2][i] = h2;
        }
    }

    fn predict(&self, what: Quantity, indices: &[f64]) -> Option<f64> {
        predict_count(
            Distribution::NegativeBinomial,
            &self.factorials,
            what,
            indices,
        )
    }
}

/// Mean and probabilities of a count.
fn predict_count(
    distribution: Distribution,
    factorials: &Factorials,
    what: Quantity,
    indices: &[f64],
) -> Option<f64> {
    let eta = *indices.first()?;
    match what {
        Quantity::Linear => Some(eta),
        Quantity::Mean => Some(eta.exp()),
        Quantity::Probability(y) if y >= 0.0 && y.fract() <= 0.0 => {
            let ln_alpha = indices.get(1).copied().unwrap_or(f64::NEG_INFINITY);
            let mut counts = Counts::new(distribution);
            let [value, ..] = counts.density(y, eta, ln_alpha, factorials.ln(y));
            Some(value.exp())
        }
        Quantity::Probability(_) => None,
    }
}
