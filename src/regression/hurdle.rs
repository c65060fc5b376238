//! Hurdle models of counts: whether there is any, and how many there are if there is one.

use super::LikelihoodFit;
use super::binary::logistic;
use super::count::{LN_ALPHA, dispersion, for_each_row};
use super::count_density::{Counts, Distribution, Factorials, ln_complement, positive_poisson};
use super::likelihood::{
    Derivatives, Estimation, Index, Inputs, Jet, Likelihood, Options, Order, Quantity, Recession,
    RowModel, Scalar, likelihood_builder, maximize, softplus,
};
use super::two_part::{CountJets, TwoParts, explain};
use crate::data::{Formula, Frame};
use crate::error::{Error, Result};
use crate::numeric::Progress;
use serde::Serialize;
use std::sync::Arc;

/// The hurdle model of counts by maximum likelihood: `P(y > 0 | z) = Λ(z'γ)`, and above zero a Poisson or negative binomial count of
/// mean `μ = e^(x'β)` before its zeros are cut off, `P(y | y > 0) = f(y)/(1 − f(0))`.
///
/// Zeros are decided by the hurdle alone, as when customers first decide whether to take part and then how often. The coefficients
/// of the hurdle are called `hurdle.z`: log odds ratios of a count **above zero**. γ and β are estimated as if each part were alone.
/// `offset` belongs to the counts.
///
/// | name | default | meaning | range |
/// |---|---|---|---|
/// | `hurdle` | the regressors of the counts | regressors of the hurdle: `"z1 + z2"`, `"~ z1 + z2"` | a formula |
/// | `covariance`, `weights`, `frequency_weights`, `offset` | | | as for [`super::Poisson`] |
///
/// # Errors
/// [`Error::OutOfRange`] for an outcome that is negative or not a whole number; [`Error::Unidentified`] when all outcomes are equal,
/// none is zero, or all that are not zero are one; [`Error::Separated`] when regressors tell the zeros, or the ones among the others,
/// without error; [`Error::NotConverged`] for a negative binomial whose counts vary no more than Poisson's; those of the formula
/// and the covariance; [`Error::TooFewRows`], [`Error::Cancelled`].
///
/// # References
/// Mullahy, J. (1986). Specification and testing of some modified count data models. *Journal of Econometrics* 33(3), 341–365.
/// doi:10.1016/0304-4076(86)90002-3
///
/// # Examples
/// ```
/// use cocreate::prelude::*;
/// let frame = datasets::load("rossi")?;
/// let fit = Hurdle::poisson("prio ~ age + fin").hurdle("age + wexp").fit(&frame)?;
/// assert!(fit.coefficient("hurdle.age")?.estimate.is_finite());
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Hurdle {
    options: Options,
    distribution: Distribution,
    first_step: Option<Formula>,
}

/// Where a search that finds no maximum leads.
const CORNERS: &str = "if ln_alpha falls without bound the counts above zero vary no more than Poisson's (use Hurdle::poisson); if it rises, they are \
     too few or too small to tell alpha";

impl Hurdle {
    /// Poisson counts above the hurdle, with robust errors.
    pub fn poisson(formula: impl Into<Formula>) -> Self {
        Self::new(Distribution::Poisson, formula.into())
    }

    /// Negative binomial counts above the hurdle, with robust errors.
    pub fn negative_binomial(formula: impl Into<Formula>) -> Self {
        Self::new(Distribution::NegativeBinomial, formula.into())
    }

    /// Sets the regressors of the hurdle.
    pub fn hurdle(mut self, formula: impl Into<Formula>) -> Self {
        self.first_step = Some(formula.into());
        self
    }

    fn new(distribution: Distribution, formula: Formula) -> Self {
        Self {
            options: Options::new(formula),
            distribution,
            first_step: None,
        }
    }

    fn estimate(&self, frame: &Frame, progress: &Progress) -> Result<LikelihoodFit> {
        let parts = TwoParts::new(&self.options, self.first_step.as_ref(), "hurdle", frame)?;
        let hurdle = parts.logit_of_positive(progress)?;
        let (count, ln_alpha) = positive_part(&parts, self.distribution, progress)?;
        let mut indices = vec![parts.count.clone(), parts.second.clone()];
        let mut start = [count, hurdle].concat();
        if let Some(ln_alpha) = ln_alpha {
            indices.push(Index::parameter(LN_ALPHA));
            start.push(ln_alpha);
        }
        let model = HurdleRows {
            distribution: self.distribution,
            factorials: Factorials::new(),
        };
        let estimation = Estimation {
            title: match self.distribution {
                Distribution::Poisson => "Hurdle Poisson",
                Distribution::NegativeBinomial => "Hurdle negative binomial",
            },
            formulas: vec![self.options.formula.clone(), parts.second_formula.clone()],
            formula: parts.text.clone(),
            likelihood: parts.likelihood(Arc::new(model), indices),
            start,
            warnings: parts.sample.warnings,
            covariance: &self.options.covariance,
            frame,
        };
        estimation.run(progress)
    }
}

likelihood_builder!(Hurdle);

/// The counts above zero alone: the coefficients and ln α at their maximum.
pub(super) fn positive_part(
    parts: &TwoParts,
    distribution: Distribution,
    progress: &Progress,
) -> Result<(Vec<f64>, Option<f64>)> {
    let (rows, weights) = parts.positive();
    let mut likelihood = parts.likelihood(
        Arc::new(PositivePoisson {
            factorials: Factorials::new(),
        }),
        vec![parts.count.clone()],
    );
    likelihood.rows = rows;
    likelihood.weights = weights;
    let most = largest(&likelihood);
    if most <= 1.0 {
        return Err(Error::Unidentified {
            what: format!("how large `{}` is above zero", likelihood.outcomes[0].name),
            needs: "an outcome above 1, and there is none: use Logit".to_owned(),
        });
    }
    let mut start = vec![0.0; likelihood.parameters()];
    if likelihood.indices[0].constant.is_some() {
        start[0] = (likelihood.mean_outcome() - 1.0)
            .max(f64::MIN_POSITIVE)
            .ln();
    }
    let poisson = maximize(
        &likelihood,
        start,
        "the Poisson model of counts above zero",
        progress,
    )?;
    if distribution == Distribution::Poisson {
        return Ok((poisson.point, None));
    }
    let alpha = dispersion(&likelihood, &poisson.point).max(LEAST_START);
    likelihood.model = Arc::new(PositiveNegativeBinomial {
        factorials: Factorials::new(),
    });
    likelihood.indices.push(Index::parameter(LN_ALPHA));
    let start = [poisson.point, vec![alpha.ln()]].concat();
    let what = "the negative binomial model of counts above zero";
    let mut found = maximize(&likelihood, start, what, progress)
        .map_err(|error| explain(error, CORNERS))?
        .point;
    let ln_alpha = found.pop();
    Ok((found, ln_alpha))
}

/// A start for α when its moment estimate is smaller.
pub(super) const LEAST_START: f64 = 0.1;

/// The largest outcome.
fn largest(likelihood: &Likelihood) -> f64 {
    let mut most = 0.0_f64;
    let zeros = vec![0.0; likelihood.parameters()];
    for_each_row(likelihood, &zeros, |_, y, _| most = most.max(y));
    most
}

/// The rows above zero of a Poisson model.
#[derive(Clone, Debug)]
struct PositivePoisson {
    factorials: Factorials,
}

impl RowModel for PositivePoisson {
    fn evaluate(&self, rows: &Inputs<'_>, _order: Order, out: &mut Derivatives) {
        let (y, eta) = (&rows.outcomes[0], &rows.indices[0]);
        for i in 0..rows.len {
            let factorial = self.factorials.ln(y[i]);
            let [value, slope, curvature] = positive_poisson(y[i], eta[i], factorial);
            out.value[i] = value;
            out.gradient[0][i] = slope;
            out.hessian[0][i] = curvature;
        }
    }

    fn is_concave(&self) -> bool {
        true
    }

    fn recession(&self, outcome: f64) -> Recession {
        if outcome > 1.0 {
            Recession::Fixed
        } else {
            Recession::Down
        }
    }

    fn remedy_for_separation(&self) -> &'static str {
        "leave these columns out of the counts: they single out rows whose count is 1 whenever it is not 0"
    }
}

/// The rows above zero of a negative binomial model: indices η and ln α.
#[derive(Clone, Debug)]
struct PositiveNegativeBinomial {
    factorials: Factorials,
}

impl RowModel for PositiveNegativeBinomial {
    fn evaluate(&self, rows: &Inputs<'_>, _order: Order, out: &mut Derivatives) {
        let mut jets = CountJets::new(Distribution::NegativeBinomial, &self.factorials);
        for i in 0..rows.len {
            let at = Jet::variables([rows.indices[0][i], rows.indices[1][i]]);
            let jet = above_zero(&mut jets, rows.outcomes[0][i], &at);
            out.set(i, &jet, [0, 1]);
        }
    }
}

/// `ln f(y) − ln(1 − f(0))`.
fn above_zero<const J: usize>(jets: &mut CountJets<'_>, y: f64, at: &[Jet<J>; J]) -> Jet<J> {
    let zero = jets.at(0.0, at);
    jets.at(y, at) - zero.chain(ln_complement(zero.value))
}

/// The rows of a hurdle model: indices η, ζ and, for the negative binomial, ln α.
#[derive(Clone, Debug)]
struct HurdleRows {
    distribution: Distribution,
    factorials: Factorials,
}

impl HurdleRows {
    fn tile<const J: usize>(&self, rows: &Inputs<'_>, out: &mut Derivatives) {
        let mut jets = CountJets::new(self.distribution, &self.factorials);
        for i in 0..rows.len {
            let at: [Jet<J>; J] = Jet::variables(std::array::from_fn(|j| rows.indices[j][i]));
            let (y, zeta) = (rows.outcomes[0][i], at[1]);
            let jet = if y <= 0.0 {
                -softplus(zeta)
            } else if self.distribution == Distribution::Poisson {
                let count = positive_poisson(y, at[0].value, self.factorials.ln(y));
                at[0].chain(count) - softplus(-zeta)
            } else {
                above_zero(&mut jets, y, &at) - softplus(-zeta)
            };
            out.set(i, &jet, std::array::from_fn(|j| j));
        }
    }
}

impl RowModel for HurdleRows {
    fn evaluate(&self, rows: &Inputs<'_>, _order: Order, out: &mut Derivatives) {
        match self.distribution {
            Distribution::Poisson => self.tile::<2>(rows, out),
            Distribution::NegativeBinomial => self.tile::<3>(rows, out),
        }
    }

    fn predict(&self, what: Quantity, indices: &[f64]) -> Option<f64> {
        let (eta, zeta) = (*indices.first()?, *indices.get(1)?);
        let ln_alpha = indices.get(2).copied().unwrap_or(f64::NEG_INFINITY);
        let mut counts = Counts::new(self.distribution);
        let mut log = |y: f64| counts.density(y, eta, ln_alpha, self.factorials.ln(y))[0];
        let some = logistic(zeta);
        let positive = -log(0.0).exp_m1();
        match what {
            Quantity::Linear => Some(eta),
            Quantity::Mean if positive > 0.0 => Some(some * eta.exp() / positive),
            Quantity::Mean => Some(some),
            Quantity::Probability(y) if y.abs() <= 0.0 => Some(logistic(-zeta)),
            Quantity::Probability(y) if y > 0.0 && y.fract() <= 0.0 => {
                Some(some * log(y).exp() / positive)
            }
            Quantity::Probability(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::two_part::checks;
    use super::*;

    #[test]
    fn rows_have_their_derivatives_and_predictions() {
        for distribution in [Distribution::Poisson, Distribution::NegativeBinomial] {
            let model = HurdleRows {
                distribution,
                factorials: Factorials::new(),
            };
            let indices = match distribution {
                Distribution::Poisson => 2,
                Distribution::NegativeBinomial => 3,
            };
            checks::derivatives(&model, indices, 0.0);
            for at in [[0.4, -0.3, -0.5], [1.7, 0.8, 0.3]] {
                checks::predictions(&model, &at[..indices]);
            }
        }
    }
}
