//! Zero-inflated counts: some rows cannot but be zero.

use super::LikelihoodFit;
use super::binary::logistic;
use super::count::{LN_ALPHA, dispersion, for_each_row, poisson_likelihood, start_at_mean};
use super::count_density::{Counts, Distribution, Factorials};
use super::hurdle::{LEAST_START, positive_part};
use super::likelihood::{
    Derivatives, Estimation, Index, Inputs, Jet, Likelihood, Options, Order, Quantity, RowModel,
    likelihood_builder, ln_add_exp, maximize, softplus,
};
use super::two_part::{CountJets, TwoParts, explain};
use crate::data::{Formula, Frame};
use crate::error::{Error, Result};
use crate::numeric::Progress;
use serde::Serialize;
use std::sync::Arc;

/// Zero-inflated counts by maximum likelihood: with probability `π = Λ(z'γ)` the outcome cannot but be zero, otherwise it is a Poisson or
/// negative binomial count of mean `μ = e^(x'β)`, which may be zero too: `P(0) = π + (1 − π) f(0)`, `P(y) = (1 − π) f(y)`.
///
/// It is a mixture of two kinds of customers, those who never take part and those who might; that there are two kinds is an assumption
/// which zeros in large number do not prove (a negative binomial has many too). The coefficients of the inflation are called
/// `inflate.z`: log odds ratios of being of the kind that is **always zero**. Both parts are consistent only if the whole
/// distribution is right. `offset` belongs to the counts.
///
/// | name | default | meaning | range |
/// |---|---|---|---|
/// | `inflate` | the regressors of the counts | regressors of the inflation: `"z1 + z2"`, `"~ z1 + z2"`, `"1"` | a formula |
/// | `covariance`, `weights`, `frequency_weights`, `offset` | | | as for [`super::Poisson`] |
///
/// # Errors
/// [`crate::Error::OutOfRange`] for an outcome that is negative or not a whole number; [`crate::Error::Unidentified`] when all
/// outcomes are equal or none is zero; [`crate::Error::Separated`] when regressors of the inflation tell the zeros without error;
/// [`crate::Error::NotConverged`] when there are no more zeros than the counts explain
/// (π → 0) or they vary no more than Poisson's (α → 0); those of the formula and the covariance; [`crate::Error::TooFewRows`],
/// [`crate::Error::Cancelled`].
///
/// # References
/// Lambert, D. (1992). Zero-inflated Poisson regression, with an application to defects in manufacturing. *Technometrics* 34(1),
/// 1–14. doi:10.2307/1269547
///
/// # Examples
/// ```
/// use cocreate::prelude::*;
/// let frame = datasets::load("rossi")?;
/// let fit = ZeroInflated::poisson("prio ~ age + fin").inflate("wexp").fit(&frame)?;
/// let poisson = Poisson::new("prio ~ age + fin").fit(&frame)?;
/// assert!(fit.statistics().bic < poisson.statistics().bic);
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ZeroInflated {
    options: Options,
    distribution: Distribution,
    inflate: Option<Formula>,
}

/// Where a search that finds no maximum leads.
const CORNERS: &str = "if the coefficients of the inflation run away there are no more zeros than the counts explain, or regressors tell them without \
     error (use Poisson, NegativeBinomial or fewer regressors in `inflate`); if ln_alpha falls without bound, use \
     ZeroInflated::poisson";

impl ZeroInflated {
    /// Poisson counts with more zeros, with robust errors.
    pub fn poisson(formula: impl Into<Formula>) -> Self {
        Self::new(Distribution::Poisson, formula.into())
    }

    /// Negative binomial counts with more zeros, with robust errors.
    pub fn negative_binomial(formula: impl Into<Formula>) -> Self {
        Self::new(Distribution::NegativeBinomial, formula.into())
    }

    /// Sets the regressors of the inflation.
    pub fn inflate(mut self, formula: impl Into<Formula>) -> Self {
        self.inflate = Some(formula.into());
        self
    }

    fn new(distribution: Distribution, formula: Formula) -> Self {
        Self {
            options: Options::new(formula),
            distribution,
            inflate: None,
        }
    }

    fn estimate(&self, frame: &Frame, progress: &Progress) -> Result<LikelihoodFit> {
        let parts = TwoParts::new(&self.options, self.inflate.as_ref(), "inflate", frame)?;
        let mut indices = vec![parts.count.clone(), parts.second.clone()];
        if self.distribution == Distribution::NegativeBinomial {
            indices.push(Index::parameter(LN_ALPHA));
        }
        let model = ZeroInflatedRows {
            distribution: self.distribution,
            factorials: Factorials::new(),
        };
        let likelihood = parts.likelihood(Arc::new(model), indices);
        let start = best_start(&parts, &likelihood, self.distribution, progress)?;
        let estimation = Estimation {
            title: match self.distribution {
                Distribution::Poisson => "Zero-inflated Poisson",
                Distribution::NegativeBinomial => "Zero-inflated negative binomial",
            },
            formulas: vec![self.options.formula.clone(), parts.second_formula.clone()],
            formula: parts.text.clone(),
            likelihood,
            start,
            warnings: parts.sample.warnings.clone(),
            covariance: &self.options.covariance,
            frame,
        };
        estimation
            .run(progress)
            .map_err(|error| match parts.logit_of_positive(progress) {
                // Regressors that tell the zeros leave the inflation without a maximum too.
                Err(separated @ Error::Separated { .. }) => separated,
                _ => explain(error, CORNERS),
            })
    }
}

likelihood_builder!(ZeroInflated);

/// The likelihood may have several maxima: it is climbed from two starts, and the higher end is returned. One has the counts above
/// zero (whose distribution is that of the uninflated ones) and the zeros that they leave; the other all counts and few zeros of
/// the second kind.
fn best_start(
    parts: &TwoParts,
    likelihood: &Likelihood,
    distribution: Distribution,
    progress: &Progress,
) -> Result<Vec<f64>> {
    let poisson = poisson_likelihood(parts.count.clone(), &parts.sample);
    let what = "the Poisson model before the zero-inflated one";
    let all = maximize(&poisson, start_at_mean(&poisson), what, progress)?.point;
    let alpha = dispersion(&poisson, &all).max(LEAST_START);
    let positive = positive_part(parts, Distribution::Poisson, progress)
        .map_or_else(|_| all.clone(), |(point, _)| point);
    let mut best: Option<(f64, Vec<f64>)> = None;
    let mut last = Vec::new();
    for count in [positive, all] {
        let mut start = vec![0.0; likelihood.parameters()];
        start[..count.len()].copy_from_slice(&count);
        if parts.second.constant.is_some() {
            start[count.len()] = excess_zeros(&poisson, &count);
        }
        if distribution == Distribution::NegativeBinomial {
            *start.last_mut().unwrap_or(&mut 0.0) = alpha.ln();
        }
        match maximize(likelihood, start.clone(), "", progress) {
            Ok(found)
                if best
                    .as_ref()
                    .is_none_or(|(value, _)| found.sums.value > *value) =>
            {
                best = Some((found.sums.value, found.point));
            }
            Err(cancelled @ Error::Cancelled { .. }) => return Err(cancelled),
            _ => {}
        }
        last = start;
    }
    Ok(best.map_or(last, |(_, point)| point))
}

/// The log odds of the share of zeros that Poisson counts do not explain, kept between 5 % and 95 %.
fn excess_zeros(poisson: &Likelihood, point: &[f64]) -> f64 {
    const LEAST: f64 = 0.05;
    let (mut zeros, mut explained, mut total) = (0.0, 0.0, 0.0);
    for_each_row(poisson, point, |weight, y, eta| {
        total += weight;
        zeros += if y > 0.0 { 0.0 } else { weight };
        explained += weight * (-eta.exp()).exp();
    });
    let share = ((zeros - explained) / (total - explained)).clamp(LEAST, 1.0 - LEAST);
    (share / (1.0 - share)).ln()
}

/// The rows of a zero-inflated model: indices η, ζ and, for the negative binomial, ln α.
#[derive(Clone, Debug)]
struct ZeroInflatedRows {
    distribution: Distribution,
    factorials: Factorials,
}

impl ZeroInflatedRows {
    fn tile<const J: usize>(&self, rows: &Inputs<'_>, out: &mut Derivatives) {
        let mut jets = CountJets::new(self.distribution, &self.factorials);
        for i in 0..rows.len {
            let at: [Jet<J>; J] = Jet::variables(std::array::from_fn(|j| rows.indices[j][i]));
            let (y, zeta) = (rows.outcomes[0][i], at[1]);
            let count = jets.at(y, &at);
            let jet = if y > 0.0 {
                count
            } else {
                ln_add_exp(zeta, count)
            };
            let jet = jet - softplus(zeta);
            out.set(i, &jet, std::array::from_fn(|j| j));
        }
    }
}

impl RowModel for ZeroInflatedRows {
    fn evaluate(&self, rows: &Inputs<'_>, _order: Order, out: &mut Derivatives) {
        match self.distribution {
            Distribution::Poisson => self.tile::<2>(rows, out),
            Distribution::NegativeBinomial => self.tile::<3>(rows, out),
        }
    }

    fn predict(&self, what: Quantity, indices: &[f64]) -> Option<f64> {
        let (eta, zeta) = (*indices.first()?, *indices.get(1)?);
        let ln_alpha = indices.get(2).copied().unwrap_or(f64::NEG_INFINITY);
        let (always, sometimes) = (logistic(zeta), logistic(-zeta));
        match what {
            Quantity::Linear => Some(eta),
            Quantity::Mean => Some(sometimes * eta.exp()),
            Quantity::Probability(y) if y >= 0.0 && y.fract() <= 0.0 => {
                let mut counts = Counts::new(self.distribution);
                let log = counts.density(y, eta, ln_alpha, self.factorials.ln(y))[0];
                let zero = if y > 0.0 { 0.0 } else { always };
                Some(zero + sometimes * log.exp())
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
            let model = ZeroInflatedRows {
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
