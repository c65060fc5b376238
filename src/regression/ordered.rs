//! Ordered outcomes: ordered logit and ordered probit.

use super::LikelihoodFit;
use super::count::NO_EFFECTS;
use super::likelihood::{
    Derivatives, Estimation, Index, Inputs, Likelihood, Options, Order, Quantity, RowModel,
    likelihood_builder,
};
use super::ordered_density::Latent;
use super::sample::Sample;
use crate::data::{DesignColumn, Formula, Frame};
use crate::error::{Error, Result};
use crate::numeric::Progress;
use crate::summary::gram::packed_index;
use serde::Serialize;
use std::sync::Arc;

/// The ordered logit (proportional odds): `P(y ≤ k | x) = Λ(c_k − x'β)` with thresholds c₁ < c₂ < …, by maximum likelihood.
///
/// The categories are the distinct values of the outcome in ascending order; their distances do not matter. β > 0 moves the outcome
/// up, and is the log odds ratio of being above any category, the same for all: that is the assumption. Thresholds are called
/// `cut1`, `cut2`, …; they take the place of the constant, which is left out.
///
/// | name | default | meaning | range |
/// |---|---|---|---|
/// | `covariance` | `Covariance::Hc1` | sampling variance | see [`crate::inference::Covariance`] |
/// | `weights` | none | weights in the log-likelihood | ≥ 0; rows of weight 0 are left out |
/// | `frequency_weights` | none | each row stands for w equal rows | whole numbers |
/// | `offset` | none | a column with coefficient one | finite |
///
/// # Errors
/// [`Error::WrongKind`] for an outcome of texts, which have no order (code them as numbers); [`Error::Unidentified`] when all
/// outcomes are equal; [`Error::InvalidOption`] for an outcome of more than 128 values; [`Error::Separated`] when a regressor orders
/// the categories without overlap; [`Error::NotConverged`] when several do so together; those of the formula and the covariance;
/// [`Error::TooFewRows`], [`Error::Cancelled`].
///
/// # References
/// McCullagh, P. (1980). Regression models for ordinal data. *JRSS B* 42(2), 109–142. doi:10.1111/j.2517-6161.1980.tb01109.x. The
/// log-likelihood is concave (Pratt 1981, doi:10.1080/01621459.1981.10477613), so its maximum is the only one.
///
/// # Examples
/// ```
/// use cocreate::prelude::*;
/// let frame = datasets::load("mroz")?;
/// let fit = OrderedLogit::new("kidslt6 ~ age + educ").fit(&frame)?;
/// assert_eq!(fit.names(), ["age", "educ", "cut1", "cut2", "cut3"]);
/// assert!(fit.coefficient("age")?.estimate < 0.0);
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct OrderedLogit {
    pub(super) options: Options,
}

/// The ordered probit: `P(y ≤ k | x) = Φ(c_k − x'β)`, by maximum likelihood. Categories, options and errors are those of
/// [`OrderedLogit`].
///
/// # References
/// McKelvey, R. D. & Zavoina, W. (1975). A statistical model for the analysis of ordinal level dependent variables. *Journal of
/// Mathematical Sociology* 4(1), 103–120. doi:10.1080/0022250X.1975.9989847
///
/// ```
/// use cocreate::prelude::*;
/// let frame = datasets::load("mroz")?;
/// let fit = OrderedProbit::new("kidslt6 ~ age + educ").fit(&frame)?;
/// assert_eq!(fit.statistics().parameters, 5);
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct OrderedProbit {
    options: Options,
}

macro_rules! ordered_model {
    ($model:ident, $latent:expr) => {
        impl $model {
            /// The model of a formula, with robust errors.
            pub fn new(formula: impl Into<Formula>) -> Self {
                Self {
                    options: Options::new(formula.into()),
                }
            }

            fn estimate(&self, frame: &Frame, progress: &Progress) -> Result<LikelihoodFit> {
                ordered_estimation(&self.options, $latent, frame)?.run(progress)
            }
        }

        likelihood_builder!($model);
    };
}

ordered_model!(OrderedLogit, Latent::Logistic);
ordered_model!(OrderedProbit, Latent::Normal);

fn ordered_estimation<'a>(
    options: &'a Options,
    latent: Latent,
    frame: &'a Frame,
) -> Result<Estimation<'a>> {
    let mut sample = options.sample(frame, NO_EFFECTS)?;
    let categories = Categories::new(&sample)?;
    check_overlap(&sample, &categories)?;
    // The thresholds are the constant, whether the formula asks for one or not.
    sample.design.intercept = true;
    let cuts = categories.values.len() - 1;
    let index = options.index(frame, &mut sample)?.with_thresholds(cuts);
    let slopes = index.parameters();
    let mut indices = vec![index];
    indices.extend((1..=cuts).map(|k| Index::parameter(&format!("cut{k}"))));
    let mut start = vec![0.0; slopes];
    start.extend(
        categories
            .shares
            .iter()
            .map(|share| latent.quantile(*share)),
    );
    let model = OrderedRows {
        latent,
        values: categories.values,
    };
    Ok(Estimation {
        title: match latent {
            Latent::Logistic => "Ordered logit",
            Latent::Normal => "Ordered probit",
        },
        formulas: vec![options.formula.clone()],
        formula: sample.parsed.to_string(),
        likelihood: Likelihood {
            model: Arc::new(model),
            indices,
            outcomes: vec![categories.codes],
            rows: sample.design.rows.clone(),
            weights: sample.weights.map(Arc::new),
            frequency: sample.frequency,
        },
        start,
        warnings: sample.warnings,
        covariance: &options.covariance,
        frame,
    })
}

/// More categories than this are not categories.
const MOST_CATEGORIES: usize = 128;

/// The categories of an outcome.
pub(super) struct Categories {
    /// Their values, ascending.
    pub(super) values: Vec<f64>,
    /// The share of weight at or below each but the last.
    shares: Vec<f64>,
    /// The outcome as positions in `values`, one a row of the frame.
    pub(super) codes: DesignColumn,
}

impl Categories {
    pub(super) fn new(sample: &Sample) -> Result<Self> {
        let (outcome, rows) = (&sample.design.outcome, &sample.design.rows);
        let found = outcome.values(rows);
        let mut values = found.clone();
        values.sort_unstable_by(f64::total_cmp);
        values.dedup_by(|a, b| *a <= *b);
        if values.len() < 2 {
            return Err(Error::Unidentified {
                what: format!("a model of `{}`", outcome.name),
                needs: format!(
                    "at least two categories, and all {} rows have {}",
                    found.len(),
                    values.first().copied().unwrap_or_default()
                ),
            });
        }
        if values.len() > MOST_CATEGORIES {
            return Err(Error::invalid_option(
                "outcome",
                format!("`{}` of {} distinct values", outcome.name, values.len()),
                format!("of at most {MOST_CATEGORIES} categories; cut it into fewer, or use Ols"),
            ));
        }
        let mut codes = vec![f64::NAN; rows.total()];
        let mut weights = vec![0.0; values.len()];
        for (i, y) in found.iter().enumerate() {
            let position = values.partition_point(|value| value < y);
            codes[rows.index(i)] = position as f64;
            weights[position] += sample.weights.as_ref().map_or(1.0, |w| w[i]);
        }
        let total: f64 = weights.iter().sum();
        let shares = weights[..values.len() - 1]
            .iter()
            .scan(0.0, |sum, w| {
                *sum += w / total;
                Some(*sum)
            })
            .collect();
        Ok(Self {
            codes: DesignColumn::new(outcome.name.clone(), Arc::new(codes)),
            values,
            shares,
        })
    }
}

/// Refuses a regressor that alone orders all categories without overlap (equal values at the borders allowed): its coefficient
/// would be infinite.
fn check_overlap(sample: &Sample, categories: &Categories) -> Result<()> {
    let rows = &sample.design.rows;
    let codes = categories.codes.values(rows);
    let count = categories.values.len();
    for column in &sample.design.exogenous {
        let mut least = vec![f64::INFINITY; count];
        let mut most = vec![f64::NEG_INFINITY; count];
        for (x, code) in column.values(rows).iter().zip(&codes) {
            let k = *code as usize;
            least[k] = least[k].min(*x);
            most[k] = most[k].max(*x);
        }
        let ascending = (1..count).all(|k| most[k - 1] <= least[k]);
        let descending = (1..count).all(|k| least[k - 1] >= most[k]);
        let varies = least[0].min(least[count - 1]) < most[0].max(most[count - 1]);
        if (ascending || descending) && varies {
            // A value that two neighbouring categories share leaves its rows between them open.
            let (ends, starts) = if ascending {
                (&most, &least)
            } else {
                (&least, &most)
            };
            let shared = |k: usize, x: f64| {
                let with = |a: usize, b: usize| {
                    (ends[a] - starts[b]).abs() <= 0.0 && (x - ends[a]).abs() <= 0.0
                };
                (k > 0 && with(k - 1, k)) || (k + 1 < count && with(k, k + 1))
            };
            let open = column
                .values(rows)
                .iter()
                .zip(&codes)
                .filter(|(x, code)| shared(**code as usize, **x))
                .count();
            return Err(Error::Separated {
                columns: vec![column.name.clone()],
                rows: rows.len() - open,
                complete: open == 0,
                remedy: "leave the column out, or merge categories".to_owned(),
            });
        }
    }
    Ok(())
}

/// The rows of an ordered model: index η, then the thresholds. The outcome is the position of the category.
#[derive(Clone, Debug)]
struct OrderedRows {
    latent: Latent,
    values: Vec<f64>,
}

impl OrderedRows {
    /// Lower and upper threshold of a category.
    fn ends(&self, category: usize, cut: impl Fn(usize) -> f64) -> (f64, f64) {
        let lower = match category {
            0 => f64::NEG_INFINITY,
            k => cut(k),
        };
        let upper = if category + 1 == self.values.len() {
            f64::INFINITY
        } else {
            cut(category + 1)
        };
        (lower, upper)
    }
}

impl RowModel for OrderedRows {
    fn evaluate(&self, rows: &Inputs<'_>, order: Order, out: &mut Derivatives) {
        let last = self.values.len() - 1;
        if order > Order::Value {
            let all = out.gradient.iter_mut().chain(&mut out.hessian);
            all.for_each(|values| values[..rows.len].fill(0.0));
        }
        for i in 0..rows.len {
            let k = rows.outcomes[0][i] as usize;
            let eta = rows.indices[0][i];
            let (lower, upper) = self.ends(k, |cut| rows.indices[cut][i] - eta);
            let [value, e, u, l, ee, eu, el, uu, ul, ll] = self.latent.cell(lower, upper);
            out.value[i] = value;
            if order == Order::Value {
                continue;
            }
            out.gradient[0][i] = e;
            out.hessian[0][i] = ee;
            // Thresholds are indices 1 to last; category k lies between k and k + 1.
            if k < last {
                out.gradient[k + 1][i] = u;
                out.hessian[packed_index(k + 1, 0)][i] = eu;
                out.hessian[packed_index(k + 1, k + 1)][i] = uu;
            }
            if k > 0 {
                out.gradient[k][i] = l;
                out.hessian[packed_index(k, 0)][i] = el;
                out.hessian[packed_index(k, k)][i] = ll;
            }
            if k > 0 && k < last {
                out.hessian[packed_index(k + 1, k)][i] = ul;
            }
        }
    }

    fn predict(&self, what: Quantity, indices: &[f64]) -> Option<f64> {
        let eta = *indices.first()?;
        if indices.len() < self.values.len() {
            return None;
        }
        let probability = |k: usize| {
            let (lower, upper) = self.ends(k, |cut| indices[cut] - eta);
            self.latent.probability(lower, upper)
        };
        match what {
            Quantity::Linear => Some(eta),
            Quantity::Mean => Some(
                (0..self.values.len())
                    .map(|k| self.values[k] * probability(k))
                    .sum(),
            ),
            Quantity::Probability(value) => self
                .values
                .iter()
                .position(|v| (v - value).abs() <= 0.0)
                .map(probability),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probabilities_of_the_categories_sum_to_one() {
        for latent in [Latent::Logistic, Latent::Normal] {
            let model = OrderedRows {
                latent,
                values: vec![1.0, 2.0, 5.0],
            };
            let at = [0.3, -0.5, 1.1];
            let p = |v: f64| model.predict(Quantity::Probability(v), &at);
            let all: f64 = [1.0, 2.0, 5.0].iter().map(|v| p(*v).unwrap()).sum();
            assert!((all - 1.0).abs() < 1e-14);
            assert_eq!(p(3.0), None);
            let mean = p(1.0).unwrap() + 2.0 * p(2.0).unwrap() + 5.0 * p(5.0).unwrap();
            assert!((model.predict(Quantity::Mean, &at).unwrap() - mean).abs() < 1e-14);
        }
    }
}
