//! What models of counts with two equations share: the second formula, the rows complete in both, the product of their parts.

use super::binary::{Binary, Link};
use super::count::{NO_EFFECTS, Whole, check_counts};
use super::count_density::{Counts, Density, Distribution, Factorials};
use super::likelihood::{Index, Jet, Likelihood, Options, maximize};
use super::sample::Sample;
use crate::data::{Formula, Frame, Rows};
use crate::error::{Error, Result};
use crate::numeric::Progress;
use std::sync::Arc;

/// Two equations on the same rows.
pub(super) struct TwoParts {
    pub(super) sample: Sample,
    pub(super) count: Index,
    pub(super) second: Index,
    /// The second formula, with the outcome.
    pub(super) second_formula: Formula,
    /// Both as printed.
    pub(super) text: String,
}

impl TwoParts {
    /// Reads both equations. Without a second formula it has the regressors of the first.
    pub(super) fn new(
        options: &Options,
        second: Option<&Formula>,
        equation: &str,
        frame: &Frame,
    ) -> Result<Self> {
        let formula = match second {
            Some(second) => with_outcome(second, &options.formula)?,
            None => options.formula.clone(),
        };
        let other = Options {
            formula: formula.clone(),
            ..options.clone()
        };
        let (first, then) = (options.formula.parse()?, formula.parse()?);
        if first.outcome() != then.outcome() {
            return Err(Error::invalid_option(
                equation,
                &then,
                format!("regressors alone, or a formula of the same outcome as `{first}`"),
            ));
        }
        let mut sample = options.sample_with(frame, &strs(&then.variables()), NO_EFFECTS)?;
        let mut second = other.sample_with(frame, &strs(&first.variables()), NO_EFFECTS)?;
        // They differ only when a formula has a `.`.
        let (kept, other_kept) = (sample.design.rows.mask(), second.design.rows.mask());
        sample.restrict(&sample.design.rows.gather(&other_kept));
        second.restrict(&second.design.rows.gather(&kept));
        check_counts(&sample.design.outcome, &sample.design.rows, Whole::Only)?;
        check_zeros(&sample)?;
        let count = options.index(frame, &mut sample)?;
        let text = format!(
            "{}; {equation} ~ {}",
            sample.parsed,
            right_side(&second.parsed.to_string())
        );
        let second = Index::new(
            equation,
            &second.design.exogenous,
            second.design.intercept,
            &second.design.rows,
            second.weights.as_deref(),
            &mut sample.warnings,
        );
        Ok(Self {
            sample,
            count,
            second,
            second_formula: formula,
            text,
        })
    }

    /// A likelihood over the rows of both equations.
    pub(super) fn likelihood(
        &self,
        model: Arc<dyn super::likelihood::RowModel>,
        indices: Vec<Index>,
    ) -> Likelihood {
        Likelihood {
            model,
            indices,
            outcomes: vec![self.sample.design.outcome.clone()],
            rows: self.sample.design.rows.clone(),
            weights: self.sample.weights.clone().map(Arc::new),
            frequency: self.sample.frequency,
        }
    }

    /// The logit of a count that is not zero on the regressors of the second equation, at its maximum.
    pub(super) fn logit_of_positive(&self, progress: &Progress) -> Result<Vec<f64>> {
        let model = Arc::new(Binary { link: Link::Logit });
        let likelihood = self.likelihood(model, vec![self.second.clone()]);
        let start = vec![0.0; likelihood.parameters()];
        let what = "the logit of a count above zero";
        let found = maximize(&likelihood, start, what, progress).map_err(|error| match error {
            Error::Separated {
                columns,
                rows,
                complete,
                ..
            } => Error::Separated {
                columns,
                rows,
                complete,
                remedy: format!(
                    "leave these columns out of the equation of the zeros (`{}`)",
                    self.second.equation
                ),
            },
            other => other,
        })?;
        Ok(found.point)
    }

    /// The rows with a count above zero, and their weights.
    pub(super) fn positive(&self) -> (Rows, Option<Arc<Vec<f64>>>) {
        let design = &self.sample.design;
        let keep: Vec<bool> = design
            .outcome
            .values(&design.rows)
            .iter()
            .map(|y| *y > 0.0)
            .collect();
        let weights = self.sample.weights.as_ref().map(|weights| {
            let kept = weights.iter().zip(&keep).filter(|(_, keep)| **keep);
            Arc::new(kept.map(|(w, _)| *w).collect())
        });
        (design.rows.retain(&keep), weights)
    }
}

fn strs(names: &[String]) -> Vec<&str> {
    names.iter().map(String::as_str).collect()
}

/// Both equations need rows with and without zero.
fn check_zeros(sample: &Sample) -> Result<()> {
    let values = sample.design.outcome.values(&sample.design.rows);
    if values.iter().any(|y| *y <= 0.0) {
        return Ok(()); // outcomes that are all zero were refused
    }
    Err(Error::Unidentified {
        what: format!("the zeros of `{}`", sample.design.outcome.name),
        needs: "rows with the outcome 0, and there are none: use Poisson or NegativeBinomial"
            .to_owned(),
    })
}

/// A formula for a second equation, `z1 + z2` or `~ z1 + z2` or with the outcome, as one with the outcome of the first.
fn with_outcome(second: &Formula, first: &Formula) -> Result<Formula> {
    let text = second.as_str();
    match tilde(text) {
        Some(at) if !text[..at].trim().is_empty() => Ok(second.clone()),
        at => {
            let canonical = first.parse()?.to_string();
            let outcome = tilde(&canonical).map_or("", |end| &canonical[..end]);
            let regressors = at.map_or(text, |at| &text[at + 1..]);
            Ok(Formula::from(format!(
                "{} ~ {}",
                outcome.trim(),
                regressors.trim()
            )))
        }
    }
}

/// What stands on the right of the formula.
fn right_side(formula: &str) -> &str {
    tilde(formula).map_or(formula, |at| formula[at + 1..].trim())
}

/// The place of the first `~` that is not inside quotes.
fn tilde(text: &str) -> Option<usize> {
    let mut quote = None;
    for (at, c) in text.char_indices() {
        if let Some(open) = quote {
            quote = quote.filter(|_| c != open);
        } else if matches!(c, '`' | '"' | '\'') {
            quote = Some(c);
        } else if c == '~' {
            return Some(at);
        }
    }
    None
}

/// Log-densities of a count as jets. The variables are η, the second index, and, for the negative binomial, ln α.
pub(super) struct CountJets<'a> {
    counts: Counts,
    factorials: &'a Factorials,
}

impl<'a> CountJets<'a> {
    pub(super) fn new(distribution: Distribution, factorials: &'a Factorials) -> Self {
        Self {
            counts: Counts::new(distribution),
            factorials,
        }
    }

    /// The log-density of the count part at y.
    pub(super) fn at<const J: usize>(&mut self, y: f64, variables: &[Jet<J>; J]) -> Jet<J> {
        let eta = variables[0];
        let last = variables[J - 1];
        let factorial = self.factorials.ln(y);
        let density: Density = self.counts.density(y, eta.value, last.value, factorial);
        eta.chain_two(last, density)
    }
}

/// A model that leads into a corner of its parameters has no maximum; says which corners there are.
pub(super) fn explain(error: Error, corners: &str) -> Error {
    match error {
        Error::NotConverged {
            what,
            iterations,
            criterion,
            tolerance,
            ..
        } => Error::NotConverged {
            what,
            iterations,
            criterion,
            tolerance,
            remedy: corners.to_owned(),
        },
        other => other,
    }
}

/// What the tests of both models share.
#[cfg(test)]
pub(super) mod checks {
    use crate::numeric::derivative::gradient;
    use crate::regression::likelihood::{Derivatives, Inputs, Order, Quantity, RowModel};
    use crate::summary::gram::{TILE, packed_index};

    fn row(model: &dyn RowModel, y: f64, at: &[f64]) -> Derivatives {
        let fill = |v: &f64| [*v; TILE];
        let mut out = Derivatives::new(at.len());
        let rows = Inputs {
            outcomes: &[fill(&y)],
            indices: &at.iter().map(fill).collect::<Vec<_>>(),
            len: 1,
        };
        model.evaluate(&rows, Order::Hessian, &mut out);
        out
    }

    /// Gradient and Hessian against differences of value and gradient, far out too.
    pub(crate) fn derivatives(model: &dyn RowModel, indices: usize, least: f64) {
        for y in [0.0, 1.0, 3.0, 40.0, 1000.0] {
            if y < least {
                continue;
            }
            for eta in [-30.0, -3.0, 0.2, 4.0, 15.0] {
                for zeta in [-30.0, -0.7, 1.0, 30.0] {
                    for a in [-9.0, -0.5, 2.0] {
                        let at = &[eta, zeta, a][..indices];
                        let found = row(model, y, at);
                        let size = found.value[0].abs().max(1.0).max(y);
                        let slopes = gradient(|p| row(model, y, p).value[0], at).unwrap();
                        for (i, slope) in slopes.iter().enumerate() {
                            let own = found.gradient[i][0];
                            let gap = (own - slope).abs();
                            assert!(
                                gap < 1e-8 * size.max(own.abs()),
                                "{y} {at:?} {i}: {own} {slope}"
                            );
                            let curves = gradient(|p| row(model, y, p).gradient[i][0], at).unwrap();
                            for (j, curve) in curves[..=i].iter().enumerate() {
                                let second = found.hessian[packed_index(i, j)][0];
                                let gap = (second - curve).abs();
                                let size = size.max(own.abs());
                                assert!(gap < 1e-7 * size, "{y} {at:?} {i}{j}: {second} {curve}");
                            }
                        }
                    }
                }
            }
        }
    }

    /// Probabilities are e to the log-densities, sum to one, and have the predicted mean.
    pub(crate) fn predictions(model: &dyn RowModel, at: &[f64]) {
        let (mut total, mut mean) = (0.0, 0.0);
        for k in 0..2000 {
            let y = f64::from(k);
            let p = model.predict(Quantity::Probability(y), at).unwrap();
            assert!((p - row(model, y, at).value[0].exp()).abs() < 1e-13);
            total += p;
            mean += y * p;
        }
        assert!((total - 1.0).abs() < 1e-11, "{total}");
        let predicted = model.predict(Quantity::Mean, at).unwrap();
        assert!((predicted / mean - 1.0).abs() < 1e-9, "{predicted} {mean}");
        assert_eq!(model.predict(Quantity::Linear, at), Some(at[0]));
        assert_eq!(model.predict(Quantity::Probability(0.5), at), None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_formula_may_name_its_outcome_or_not() {
        let first = Formula::from("`a ~ b` ~ x");
        for text in ["z1 + z2", "~ z1 + z2", " ~z1+z2", "`a ~ b` ~ z1 + z2"] {
            let full = with_outcome(&Formula::from(text), &first).unwrap();
            assert_eq!(
                full.parse().unwrap().to_string(),
                "`a ~ b` ~ z1 + z2",
                "{text}"
            );
        }
        assert_eq!(right_side("`a ~ b` ~ I(g == \"~\")"), "I(g == \"~\")");
    }
}
