//! Ordered outcomes: ordered logit and ordered probit.

use super::LikelihoodFit;
use super::binary::logistic;
use super::count::NO_EFFECTS;
use super::likelihood::{
    Derivatives, Estimation, Index, Inputs, Likelihood, Options, Order, Quantity, RowModel,
    likelihood_builder, normal_curvature,
};
use super::sample::Sample;
use crate::data::{DesignColumn, Formula, Frame};
use crate::error::{Error, Result};
use crate::numeric::Progress;
use crate::numeric::special::{normal, truncated_normal};
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
    options: Options,
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

/// The distribution of what is cut at the thresholds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Latent {
    Logistic,
    Normal,
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
struct Categories {
    /// Their values, ascending.
    values: Vec<f64>,
    /// The share of weight at or below each but the last.
    shares: Vec<f64>,
    /// The outcome as positions in `values`, one a row of the frame.
    codes: DesignColumn,
}

impl Categories {
    fn new(sample: &Sample) -> Result<Self> {
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

/// A log-probability with its derivatives in η, the upper and the lower threshold: value, η, u, l, ηη, ηu, ηl, uu, ul, ll.
type Cell = [f64; 10];

impl Latent {
    fn quantile(self, p: f64) -> f64 {
        match self {
            Self::Logistic => (p / (1.0 - p)).ln(),
            Self::Normal => normal::quantile(p),
        }
    }

    fn probability(self, lower: f64, upper: f64) -> f64 {
        self.cell(lower, upper)[0].exp()
    }

    /// `ln(F(u) − F(l))`, either end of which may be infinite; −∞ when the thresholds are out of order.
    fn cell(self, lower: f64, upper: f64) -> Cell {
        if lower >= upper {
            let mut none = [f64::NAN; 10];
            none[0] = f64::NEG_INFINITY;
            return none;
        }
        match self {
            Self::Logistic => logistic_cell(lower, upper),
            Self::Normal => normal_cell(lower, upper),
        }
    }
}

/// `ln(Λ(u) − Λ(l)) = ln(1 − e^(l − u)) + ln Λ(u) + ln Λ(−l)`: three terms none of which cancels.
fn logistic_cell(lower: f64, upper: f64) -> Cell {
    let width = upper - lower;
    // 1/(e^(u − l) − 1), the derivative of ln(1 − e^(l − u)) in u.
    let near = if width.is_finite() {
        1.0 / width.exp_m1()
    } else {
        0.0
    };
    let gap = if width > std::f64::consts::LN_2 {
        (-(-width).exp()).ln_1p()
    } else {
        (-(-width).exp_m1()).ln()
    };
    let ln_logistic = |x: f64| x.min(0.0) - (-x.abs()).exp().ln_1p();
    let (above, below) = (logistic(-upper), logistic(lower));
    let (at_upper, at_lower) = (above * logistic(upper), below * logistic(-lower));
    let pull = near * (1.0 + near);
    [
        gap + ln_logistic(upper) + ln_logistic(-lower),
        below - above,
        near + above,
        -near - below,
        -at_upper - at_lower,
        at_upper,
        at_lower,
        -pull - at_upper,
        pull,
        -pull - at_lower,
    ]
}

/// `ln(Φ(u) − Φ(l))` by the moments of the normal truncated to (l, u): its mean is the slope in η, its variance less one the curvature.
fn normal_cell(lower: f64, upper: f64) -> Cell {
    let value = truncated_normal::ln_mass(lower, upper);
    // The density of the truncated normal at an end, and its product with a factor that is infinite with the end.
    let density = |x: f64| (normal::ln_pdf(x) - value).exp();
    let times = |density: f64, factor: f64| if density > 0.0 { density * factor } else { 0.0 };
    let (one_sided_up, one_sided_down) = (upper.is_infinite(), lower.is_infinite());
    let (at_upper, at_lower, mean, variance_less_one);
    if one_sided_down {
        (at_upper, at_lower) = (normal::inverse_mills(upper), 0.0);
        mean = -at_upper;
        variance_less_one = -normal_curvature(upper, at_upper);
    } else if one_sided_up {
        (at_upper, at_lower) = (0.0, normal::upper_inverse_mills(lower));
        mean = at_lower;
        variance_less_one = -normal_curvature(-lower, at_lower);
    } else {
        (at_upper, at_lower) = (density(upper), density(lower));
        mean = truncated_normal::mean(lower, upper);
        let plain = lower * at_lower - upper * at_upper - mean * mean;
        let lost = (lower * at_lower).abs() + (upper * at_upper).abs() + mean * mean;
        variance_less_one = if plain.abs() < CANCELLED * lost || 1.0 + plain < CANCELLED {
            truncated_normal::variance(lower, upper) - 1.0
        } else {
            plain
        };
    }
    [
        value,
        mean,
        at_upper,
        -at_lower,
        variance_less_one,
        times(at_upper, upper - mean),
        times(at_lower, mean - lower),
        -times(at_upper, upper + at_upper),
        at_upper * at_lower,
        times(at_lower, lower - at_lower),
    ]
}

/// A difference that leaves less than this share has lost three digits or more and is computed by quadrature instead.
const CANCELLED: f64 = 1e-3;

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
    fn indices(&self) -> usize {
        self.values.len()
    }

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
    use crate::numeric::derivative::{gradient, hessian};

    #[test]
    fn cells_have_the_derivatives_of_their_values() {
        for latent in [Latent::Logistic, Latent::Normal] {
            for eta in [-30.0, -6.0, -0.4, 0.0, 2.0, 30.0] {
                for (l, u) in [
                    (-1.0, 0.5),
                    (0.2, 0.3),
                    (f64::NEG_INFINITY, 0.4),
                    (-0.7, f64::INFINITY),
                    (-5.0, 8.0),
                ] {
                    let value = |p: &[f64]| {
                        let end = |x: f64, at: f64| if x.is_finite() { at } else { x };
                        latent.cell(end(l, p[2]) - p[0], end(u, p[1]) - p[0])[0]
                    };
                    let end = |x: f64| if x.is_finite() { x } else { 0.0 };
                    let at = [eta, end(u), end(l)];
                    let found = latent.cell(l - eta, u - eta);
                    let size = found[1..].iter().fold(1.0_f64, |m, v| m.max(v.abs()));
                    let slopes = gradient(value, &at).unwrap();
                    for (f, n) in found[1..4].iter().zip(&slopes) {
                        assert!(
                            (f - n).abs() < 1e-8 * size,
                            "{latent:?} {eta} ({l}, {u}): {f} {n}"
                        );
                    }
                    let curves = hessian(value, &at).unwrap();
                    let pairs = [(0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2)];
                    for (f, (i, j)) in found[4..].iter().zip(pairs) {
                        let gap = (f - curves[(i, j)]).abs();
                        assert!(
                            gap < 1e-5 * size,
                            "{latent:?} {eta} ({l}, {u}) {i}{j}: {f} {}",
                            curves[(i, j)]
                        );
                    }
                }
            }
        }
    }

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
