//! The outcome estimated together with the answers to the items, without a score in between.

use super::joint::spread;
use super::joint_density::{JointRows, Kind, linear_start, ln, normal_log_density, sign};
use super::measured::{Measured, variance, with_scores};
use super::options::{Options, OutcomeModel, Use, covariates, score_builder};
use crate::ability::tables::Tables;
use crate::ability::{ItemResponseFit, Scoring};
use crate::data::{Design, Formula, Frame};
use crate::error::{Error, Result, Warning};
use crate::inference::Covariance;
use crate::numeric::Progress;
use crate::numeric::linalg::Cholesky;
use crate::regression::LikelihoodFit;
use crate::regression::likelihood::{
    ByFormula, Estimation, Index, Likelihood, Quantity, RowFormula, RowModel, Scalar,
    ln_normal_cdf, softplus,
};
use nalgebra::DVector;
use serde::Serialize;
use std::sync::Arc;

/// An outcome that depends on ability, and the answers that measure ability, by marginal maximum likelihood:
///
/// `L_i = ∫ f(y_i | x_i'β + θ a) Π_k P_k(answer_ik | a) φ((a − x_i'γ)/σ_a)/σ_a da`,
///
/// with f normal (linear), or the probability of a probit or logit. The items are those of a fitted [`crate::ability::ItemResponse`]; ability
/// stands in the formula under a name of its own, and the integral is taken over the nodes of that fit.
///
/// Ability is not replaced by a score, so that there is no measurement error to correct, for few answers and for extreme ones; γ and σ_a
/// are estimated anew given x. Coefficients are named as in [`super::JointScore`].
///
/// **Standard errors are conditional on the item parameters**, which are taken as known: they are a little too small unless the items were
/// calibrated on many more persons. A bootstrap over persons of both steps counts all.
///
/// | name | default | meaning |
/// |---|---|---|
/// | `outcome` | [`OutcomeModel::Linear`] | linear, probit or logit |
/// | `covariance` | HC1 | sandwich; `Covariance::Classical` for the observed information |
///
/// # Errors
/// [`Error::DataNotKept`] for an item fit after `lean`; [`Error::LengthMismatch`] when `fit` is given another frame than the items;
/// [`Error::InvalidOption`] for a Poisson outcome or a formula without ability; [`Error::DuplicateColumn`] when the frame has a column of
/// ability's name; those of the formula and covariance; [`Error::NotConverged`], [`Error::Cancelled`].
///
/// # References
/// Skrondal, A. & Laake, P. (2001). Regression among factor scores. doi:10.1007/BF02296196
#[derive(Clone, Debug, Serialize)]
pub struct JointAbility {
    options: Options,
    items: ItemResponseFit,
}

score_builder!(JointAbility, LikelihoodFit);

impl JointAbility {
    /// The joint model of a formula in which ability has the name `ability`, and of the items of a fit.
    ///
    /// ```
    /// use cocreate::prelude::*;
    /// let answers = datasets::load("lsat6_patterns")?;
    /// let columns = ["item1", "item2", "item3", "item4", "item5"];
    /// let items = ItemResponse::new(columns).frequency_weights("count").fit(&answers)?;
    /// // With an outcome in the frame: JointAbility::new("satisfaction ~ skill + age", "skill", &items).fit(&answers)?
    /// let refused = JointAbility::new("count ~ item1", "skill", &items).fit(&answers);
    /// assert!(refused.is_err()); // ability is not among the regressors
    /// # Ok::<(), cocreate::Error>(())
    /// ```
    pub fn new(
        formula: impl Into<Formula>,
        ability: impl Into<String>,
        items: &ItemResponseFit,
    ) -> Self {
        Self {
            // Never used as a score: only its name is.
            options: Options {
                formula: formula.into(),
                measured: Measured::with_variance(ability, 1.0),
                outcome: OutcomeModel::Linear,
                covariance: Covariance::default(),
            },
            items: items.clone(),
        }
    }

    /// Fits the model, watched by `progress`.
    ///
    /// # Errors
    /// See [`JointAbility`].
    pub fn fit_with(&self, frame: &Frame, progress: &Progress) -> Result<LikelihoodFit> {
        let options = &self.options;
        let name = options.measured.column();
        if self.items.frame()?.rows() != frame.rows() {
            return Err(Error::LengthMismatch {
                column: name.to_owned(),
                expected: self.items.frame()?.rows(),
                found: frame.rows(),
            });
        }
        if frame.has(name) {
            return Err(Error::DuplicateColumn {
                column: name.to_owned(),
            });
        }
        let (parsed, without, others) = options.split(Use::Main)?;
        let mut design = Design::build(&without.parse()?, frame, &[])?;
        let responses = self.items.responses()?;
        let mut pattern = vec![f64::NAN; frame.rows()];
        for person in 0..responses.persons() {
            pattern[responses.rows().index(person)] = responses.pattern_of(person) as f64;
        }
        let answered: Vec<bool> = (design.rows.gather(&pattern).iter())
            .map(|p| p.is_finite())
            .collect();
        design.restrict(&answered);
        if design.rows.is_empty() {
            return Err(Error::NoRows {
                reason: "nobody who answered items has an outcome and regressors".to_owned(),
            });
        }
        if options.outcome != OutcomeModel::Linear {
            crate::regression::binary::check_binary(&design.outcome, &design.rows)?;
        }
        let mut warnings = vec![];
        let dropped = frame.rows() - design.rows.len();
        if dropped > 0 {
            warnings.push(Warning::Note {
                message: format!("{dropped} rows left out without answers, outcome or regressors"),
            });
        }
        warnings.push(Warning::Note {
            message: "standard errors take the item parameters as known".to_owned(),
        });
        let index = |equation: &str, warnings: &mut Vec<Warning>| {
            Index::new(
                equation,
                &design.exogenous,
                true,
                &design.rows,
                None,
                warnings,
            )
        };
        let mut indices = vec![index("", &mut warnings), Index::parameter(name)];
        if options.outcome == OutcomeModel::Linear {
            indices.push(Index::parameter("ln_sigma"));
        }
        indices.push(index("ability", &mut Vec::new()));
        indices.push(Index::parameter("ability.ln_sigma"));
        let patterns = design.rows.gather(&pattern);
        let likelihood = Likelihood {
            model: self.row_model()?,
            indices,
            outcomes: vec![
                design.outcome.clone(),
                spread("pattern", &design.rows, frame, &patterns),
            ],
            rows: design.rows.clone(),
            weights: None,
            frequency: false,
        };
        let start = self.start(frame, &design, &likelihood, progress)?;
        Estimation {
            title: match options.outcome {
                OutcomeModel::Linear => "Joint linear and items",
                OutcomeModel::Logit => "Joint logit and items",
                _ => "Joint probit and items",
            },
            formulas: vec![without.clone(), without],
            formula: format!("{parsed}; ability ~ {others}"),
            likelihood,
            start,
            warnings,
            covariance: &options.covariance,
            frame,
        }
        .run(progress)
    }

    fn row_model(&self) -> Result<Arc<dyn RowModel>> {
        let responses = self.items.responses()?;
        let tables = Tables::new(self.items.items(), self.items.nodes().to_vec());
        let ln_likelihood = (0..responses.patterns())
            .map(|p| tables.ln_likelihood(responses.answers(p)))
            .collect();
        let table = Arc::new(Table {
            nodes: tables.nodes,
            ln_likelihood,
        });
        Ok(match self.options.outcome {
            OutcomeModel::Linear => Arc::new(ByFormula(AbilityRows {
                outcome: JointRows::linear()?,
                table,
            })),
            OutcomeModel::Probit => Arc::new(ByFormula(AbilityRows {
                outcome: JointRows::probit()?,
                table,
            })),
            OutcomeModel::Logit => Arc::new(ByFormula(AbilityRows {
                outcome: JointRows::logit()?,
                table,
            })),
            OutcomeModel::Poisson => {
                return Err(Error::invalid_option(
                    "outcome",
                    "Poisson",
                    "Linear, Probit or Logit for a joint model",
                ));
            }
        })
    }

    /// The regression on posterior means, in working parameters.
    fn start(
        &self,
        frame: &Frame,
        design: &Design,
        likelihood: &Likelihood,
        progress: &Progress,
    ) -> Result<Vec<f64>> {
        let name = self.options.measured.column();
        let eap = self.items.scores(Scoring::PosteriorMean)?;
        let scores = design.rows.gather(eap.ability());
        let x = covariates(design);
        let factor = Cholesky::full_rank(&x.tr_mul(&x), "the regressors' cross-product")?;
        let gamma = factor.solve_vector(&x.tr_mul(&DVector::from_column_slice(&scores)));
        let blank = frame.clone().with(name, vec![f64::NAN; frame.rows()])?;
        let completed = with_scores(&blank, name, &design.rows, &scores)?;
        let fit = self.options.refit(&completed, progress)?;
        let errors = design.rows.gather(eap.std_errors());
        let error = errors.iter().map(|e| e * e).sum::<f64>() / errors.len() as f64;
        let residual = DVector::from_column_slice(&scores) - &x * &gamma;
        Ok(linear_start(
            &fit,
            name,
            gamma.as_slice(),
            variance(residual.as_slice()) + error,
            &design.outcome.values(&design.rows),
            likelihood,
        ))
    }
}

/// Log-likelihoods of the answers at the nodes, pattern by pattern.
#[derive(Debug)]
struct Table {
    nodes: Vec<f64>,
    ln_likelihood: Vec<Vec<f64>>,
}

/// Indices as in [`JointRows`]. Outcomes: y, the number of the pattern.
#[derive(Clone, Debug)]
struct AbilityRows<const J: usize> {
    outcome: JointRows<J>,
    table: Arc<Table>,
}

/// Nodes whose part of the integral is below e^−40 of the largest add nothing to sixteen digits.
const NEGLIGIBLE: f64 = -40.0;

impl<const J: usize> AbilityRows<J> {
    /// The logarithm of the integrand at a node.
    fn term<T: Scalar>(&self, y: f64, ln_likelihood: f64, a: f64, indices: [T; J]) -> T {
        let (mean, ln_sigma) = (indices[J - 2], indices[J - 1]);
        let prior = normal_log_density(-mean + a, (ln_sigma * 2.0).exp());
        let at = indices[0] + indices[1] * a;
        let outcome = match self.outcome.kind {
            Kind::Linear => normal_log_density(-at + y, (indices[2] * 2.0).exp()),
            Kind::Probit => ln_normal_cdf(at * sign(y)),
            Kind::Logit => -softplus(-(at * sign(y))),
        };
        prior + outcome + ln_likelihood
    }
}

impl<const J: usize> RowFormula<J> for AbilityRows<J> {
    fn log_density<T: Scalar>(&self, y: &[f64], indices: [T; J]) -> T {
        let nodes = &self.table.nodes;
        let Some(answers) = self.table.ln_likelihood.get(y[1] as usize) else {
            return T::constant(f64::NAN);
        };
        let numbers = indices.map(Scalar::value);
        let each = || nodes.iter().zip(answers);
        let top = each()
            .map(|(a, l)| self.term(y[0], *l, *a, numbers))
            .fold(f64::NEG_INFINITY, f64::max);
        let mut sum = T::constant(0.0);
        for (a, l) in each() {
            if self.term(y[0], *l, *a, numbers) - top > NEGLIGIBLE {
                sum = sum + (self.term(y[0], *l, *a, indices) - top).exp();
            }
        }
        let step = nodes.get(1).map_or(1.0, |second| second - nodes[0]);
        ln(sum) + (top + step.ln())
    }

    fn predict(&self, what: Quantity, indices: &[f64]) -> Option<f64> {
        self.outcome.predict(what, indices)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// With answers whose likelihood is a normal density of a score, the integral is the closed form of the joint score model.
    #[test]
    fn normal_answers_give_the_joint_score_model() {
        let (s, v): (f64, f64) = (0.7, 0.4);
        let nodes: Vec<f64> = (0..141).map(|q| -7.0 + 0.1 * f64::from(q)).collect();
        let own: Vec<f64> = nodes.iter().map(|a| normal_log_density(s - a, v)).collect();
        let table = Arc::new(Table {
            nodes,
            ln_likelihood: vec![own],
        });
        let at = [-0.3, 1.4, 0.2, -0.1];
        let outcome = JointRows::probit().unwrap();
        let exact = outcome.log_density(&[1.0, s, v], at);
        let rows = AbilityRows { outcome, table };
        let found = rows.log_density(&[1.0, 0.0], at);
        assert!((found - exact).abs() < 1e-10, "{found} {exact}");
    }
}
