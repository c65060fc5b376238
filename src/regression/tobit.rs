//! Normal outcomes that are seen in part: censored (tobit) and truncated regression.

use super::LikelihoodFit;
use super::count::{NO_EFFECTS, for_each_row};
use super::likelihood::{
    Derivatives, Estimation, Index, Inputs, Jet, Likelihood, Options, Order, Quantity, RowModel,
    Scalar, likelihood_builder, ln_normal_cdf, maximize,
};
use super::sample::Sample;
use super::two_part::explain;
use crate::data::{Formula, Frame};
use crate::error::{Error, Result, Warning};
use crate::numeric::Progress;
use crate::numeric::special::{normal, truncated_normal};
use serde::Serialize;
use std::sync::Arc;

/// The tobit model by maximum likelihood: a latent `y* = x'β + σε` with normal ε of which `y = max(y*, left)` is seen, or
/// `min(y*, right)`, or both. An outcome at a limit counts as censored.
///
/// β are effects on the latent outcome; effects on the expected y are smaller (by the probability of not being censored). Consistency
/// needs normal errors of equal variance. The parameter `ln_sigma` is ln σ.
///
/// | name | default | meaning | range |
/// |---|---|---|---|
/// | `left` | 0 | the left limit | below every outcome or equal; −∞ for none |
/// | `right` | ∞ | the right limit | above every outcome or equal; ∞ for none |
/// | `covariance` | `Covariance::Hc1` | sampling variance | see [`crate::inference::Covariance`] |
/// | `weights` | none | weights in the log-likelihood | ≥ 0; rows of weight 0 are left out |
/// | `frequency_weights` | none | each row stands for w equal rows | whole numbers |
/// | `offset` | none | a column with coefficient one | finite |
///
/// # Errors
/// [`Error::OutOfRange`] for an outcome beyond a limit; [`Error::InvalidOption`] for a left limit that is not below the right one;
/// [`Error::Unidentified`] when every row is censored or the outcomes are fitted without error; those of the formula and the
/// covariance; [`Error::TooFewRows`], [`Error::NotConverged`], [`Error::Cancelled`].
///
/// # References
/// Tobin, J. (1958). Estimation of relationships for limited dependent variables. *Econometrica* 26(1), 24–36. doi:10.2307/1907382.
/// The likelihood has one maximum (Olsen 1978, doi:10.2307/1911445).
///
/// # Examples
/// ```
/// use cocreate::prelude::*;
/// let frame = datasets::load("mroz")?;
/// let fit = Tobit::new("hours ~ nwifeinc + educ + exper + expersq + age + kidslt6 + kidsge6")
///     .covariance(Covariance::Classical)
///     .fit(&frame)?;
/// assert!((fit.coefficient("educ")?.estimate - 80.65).abs() < 0.01); // Wooldridge, Introductory Econometrics, example 17.2
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Tobit {
    options: Options,
    limits: Limits,
}

/// Truncated normal regression by maximum likelihood: rows are in the sample only when `left < y < right`, where
/// `y = x'β + σε` with normal ε. β describes the whole population.
///
/// Options are those of [`Tobit`]; the left limit is 0 unless another is given. Outcomes at a limit are refused, since they would show
/// that the data are censored: use [`Tobit`] for them.
///
/// # Errors
/// Those of [`Tobit`]; [`Error::NotConverged`] when the density falls from the limit on as if it were exponential, so that no
/// normal one fits best.
///
/// # References
/// Hausman, J. A. & Wise, D. A. (1977). Social experimentation, truncated distributions, and efficient estimation. *Econometrica*
/// 45(4), 919–938. doi:10.2307/1912682
///
/// ```
/// use cocreate::prelude::*;
/// let frame = datasets::load("mroz")?;
/// let fit = Truncated::new("faminc ~ educ + age").fit(&frame)?;
/// assert!(fit.coefficient("educ")?.estimate > 0.0);
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Truncated {
    options: Options,
    limits: Limits,
}

/// What is seen of the outcome.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
struct Limits {
    left: f64,
    right: f64,
}

macro_rules! limited_model {
    ($model:ident, $kind:expr) => {
        impl $model {
            /// The model of a formula, with the left limit 0 and robust errors.
            pub fn new(formula: impl Into<Formula>) -> Self {
                Self {
                    options: Options::new(formula.into()),
                    limits: Limits {
                        left: 0.0,
                        right: f64::INFINITY,
                    },
                }
            }

            /// Sets the left limit; −∞ for none.
            pub fn left(mut self, limit: f64) -> Self {
                self.limits.left = limit;
                self
            }

            /// Sets the right limit; ∞ for none.
            pub fn right(mut self, limit: f64) -> Self {
                self.limits.right = limit;
                self
            }

            fn estimate(&self, frame: &Frame, progress: &Progress) -> Result<LikelihoodFit> {
                limited_estimation(&self.options, self.limits, $kind, frame, progress)?
                    .run(progress)
                    .map_err(|error| explain(error, CORNERS))
            }
        }

        likelihood_builder!($model);
    };
}

limited_model!(Tobit, Kind::Censored);
limited_model!(Truncated, Kind::Truncated);

/// Where a search that finds no maximum leads.
const CORNERS: &str = "if ln_sigma rises without bound the outcomes fall from the limit on like an exponential, not a normal density; \
     transform the outcome, or use Poisson for a non-negative one";

/// What happens beyond the limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// The limit is seen instead.
    Censored,
    /// The row is not seen.
    Truncated,
}

fn limited_estimation<'a>(
    options: &'a Options,
    limits: Limits,
    kind: Kind,
    frame: &'a Frame,
    progress: &Progress,
) -> Result<Estimation<'a>> {
    if limits.left.is_nan() || limits.right.is_nan() || limits.left >= limits.right {
        return Err(Error::invalid_option(
            "left",
            limits.left,
            format!("below the right limit, {}", limits.right),
        ));
    }
    let mut sample = options.sample(frame, NO_EFFECTS)?;
    check_limits(&mut sample, limits, kind)?;
    let index = options.index(frame, &mut sample)?;
    let mut likelihood = Likelihood {
        model: Arc::new(LeastSquares),
        indices: vec![index],
        outcomes: vec![sample.design.outcome.clone()],
        rows: sample.design.rows.clone(),
        weights: sample.weights.map(Arc::new),
        frequency: sample.frequency,
    };
    let start = start(&likelihood, progress)?;
    likelihood.model = Arc::new(LimitedRows { limits, kind });
    likelihood.indices.push(Index::parameter("ln_sigma"));
    Ok(Estimation {
        title: match kind {
            Kind::Censored => "Tobit",
            Kind::Truncated => "Truncated regression",
        },
        formulas: vec![options.formula.clone()],
        formula: sample.parsed.to_string(),
        likelihood,
        start,
        warnings: sample.warnings,
        covariance: &options.covariance,
        frame,
    })
}

/// Refuses outcomes beyond the limits (at them too, when truncated), and samples without any uncensored row.
fn check_limits(sample: &mut Sample, limits: Limits, kind: Kind) -> Result<()> {
    let (outcome, rows) = (&sample.design.outcome, &sample.design.rows);
    let values = outcome.values(rows);
    let Limits { left, right } = limits;
    let mut seen = 0;
    for (i, y) in values.iter().enumerate() {
        let inside = left < *y && *y < right;
        let refused = match kind {
            Kind::Censored => *y < left || *y > right,
            Kind::Truncated => !inside,
        };
        if refused {
            return Err(Error::OutOfRange {
                column: outcome.name.clone(),
                row: rows.index(i) + 1,
                value: *y,
                expected: match kind {
                    Kind::Censored => format!("between the limits {left} and {right}, or at them"),
                    Kind::Truncated => format!(
                        "strictly between the limits {left} and {right} (outcomes at a limit are censored: use Tobit)"
                    ),
                },
            });
        }
        seen += usize::from(inside);
    }
    if seen == 0 {
        return Err(Error::Unidentified {
            what: format!("a model of `{}`", outcome.name),
            needs: format!("rows that are not censored, and all {} are", values.len()),
        });
    }
    if kind == Kind::Censored && seen == values.len() {
        sample.warnings.push(Warning::Note {
            message:
                "no row is at a limit: without censoring this is least squares with normal errors"
                    .to_owned(),
        });
    }
    Ok(())
}

/// Least squares and the logarithm of the residuals' standard deviation.
fn start(likelihood: &Likelihood, progress: &Progress) -> Result<Vec<f64>> {
    /// A standard deviation below this share of the outcomes' size is rounding.
    const NOTHING: f64 = 1e-12;
    let zeros = vec![0.0; likelihood.parameters()];
    let mut start = if zeros.is_empty() {
        zeros
    } else {
        maximize(
            likelihood,
            zeros,
            "least squares before the limits",
            progress,
        )?
        .point
    };
    let (mut residual, mut size) = (0.0, 0.0);
    for_each_row(likelihood, &start, |weight, y, eta| {
        residual += weight * (y - eta).powi(2);
        size += weight * y * y;
    });
    if residual <= NOTHING * NOTHING * size {
        return Err(Error::Unidentified {
            what: "ln_sigma".to_owned(),
            needs: "outcomes that the regressors do not fit without error".to_owned(),
        });
    }
    start.push(0.5 * (residual / likelihood.total_weight()).ln());
    Ok(start)
}

/// `−(y − η)²/2`.
#[derive(Clone, Copy, Debug)]
struct LeastSquares;

impl RowModel for LeastSquares {
    fn evaluate(&self, rows: &Inputs<'_>, _order: Order, out: &mut Derivatives) {
        for i in 0..rows.len {
            let gap = rows.outcomes[0][i] - rows.indices[0][i];
            out.value[i] = -0.5 * gap * gap;
            out.gradient[0][i] = gap;
            out.hessian[0][i] = -1.0;
        }
    }

    fn is_concave(&self) -> bool {
        true
    }
}

/// The rows of a normal outcome with limits: indices η and ln σ.
#[derive(Clone, Copy, Debug)]
struct LimitedRows {
    limits: Limits,
    kind: Kind,
}

impl LimitedRows {
    fn log_density(&self, y: f64, [eta, ln_sigma]: [Jet<2>; 2]) -> Jet<2> {
        let Limits { left, right } = self.limits;
        let per_sigma = (-ln_sigma).exp();
        let standardised = |limit: f64| (-eta + limit) * per_sigma;
        if self.kind == Kind::Censored {
            if y <= left {
                return ln_normal_cdf(standardised(left));
            }
            if y >= right {
                return ln_normal_cdf(-standardised(right));
            }
        }
        let z = standardised(y);
        let density = z.chain([normal::ln_pdf(z.value), -z.value, -1.0]) - ln_sigma;
        if self.kind == Kind::Censored {
            return density;
        }
        density
            - match (left.is_finite(), right.is_finite()) {
                (true, true) => ln_normal_mass(standardised(left), standardised(right)),
                (true, false) => ln_normal_cdf(-standardised(left)),
                (false, true) => ln_normal_cdf(standardised(right)),
                (false, false) => Jet::constant(0.0),
            }
    }
}

/// `ln(Φ(b) − Φ(a))` for finite ends.
fn ln_normal_mass(a: Jet<2>, b: Jet<2>) -> Jet<2> {
    let f = mass_derivatives(a.value, b.value);
    a.chain_two(b, f)
}

/// Value, derivatives in both ends, and second derivatives aa, ab, bb. With the densities p and q at the ends they are
/// `−p`, `q`, `p(a − p)`, `pq`, `−q(b + q)`; in a tail p ≈ a, and the variance of the truncated normal is used instead.
fn mass_derivatives(a: f64, b: f64) -> [f64; 6] {
    /// Below this, the mean p − q says little about p and q.
    const EVEN: f64 = 0.1;
    /// A difference of this share of its terms keeps more than 14 digits.
    const CLOSE: f64 = 0.05;
    let value = truncated_normal::ln_mass(a, b);
    // q = p e^(−fall), so that p − q, the mean, gives both without logarithms of tiny masses.
    let fall = 0.5 * (b - a) * (a + b);
    let (p, q) = if fall.abs() < EVEN {
        let at = |x: f64| (normal::ln_pdf(x) - value).exp();
        (at(a), at(b))
    } else {
        let mean = truncated_normal::mean(a, b);
        (-mean / (-fall).exp_m1(), mean / fall.exp_m1())
    };
    // v − 1 = p(a − p) − q(b + q) + 2pq.
    let curvature = || truncated_normal::variance(a, b) - 1.0;
    let first = if (p - a).abs() < CLOSE * p {
        curvature() + q * (b + q - 2.0 * p)
    } else {
        p * (a - p)
    };
    let second = if (q + b).abs() < CLOSE * q {
        curvature() - p * (a - p + 2.0 * q)
    } else {
        -q * (b + q)
    };
    [value, -p, q, first, p * q, second]
}

impl RowModel for LimitedRows {
    fn evaluate(&self, rows: &Inputs<'_>, _order: Order, out: &mut Derivatives) {
        for i in 0..rows.len {
            let at = Jet::variables([rows.indices[0][i], rows.indices[1][i]]);
            let jet = self.log_density(rows.outcomes[0][i], at);
            out.set(i, &jet, [0, 1]);
        }
    }

    /// The mean is that of the outcome as seen (the latent one is the index); a probability is that of a limit.
    fn predict(&self, what: Quantity, indices: &[f64]) -> Option<f64> {
        let (eta, sigma) = (*indices.first()?, indices.get(1)?.exp());
        let Limits { left, right } = self.limits;
        let (a, b) = ((left - eta) / sigma, (right - eta) / sigma);
        let censored = self.kind == Kind::Censored;
        let (below, above) = (normal::cdf(a), normal::sf(b));
        let at = |limit: f64, probability: f64| {
            if probability > 0.0 {
                limit * probability
            } else {
                0.0
            }
        };
        match what {
            Quantity::Linear => Some(eta),
            Quantity::Mean => {
                let inside = if a.is_infinite() && b.is_infinite() {
                    eta
                } else {
                    eta + sigma * truncated_normal::mean(a, b)
                };
                Some(if censored {
                    let seen = truncated_normal::mass(a, b);
                    at(left, below) + at(right, above) + at(inside, seen)
                } else {
                    inside
                })
            }
            Quantity::Probability(y) if censored && (y - left).abs() <= 0.0 => Some(below),
            Quantity::Probability(y) if censored && (y - right).abs() <= 0.0 => Some(above),
            Quantity::Probability(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::numeric::derivative::gradient;

    #[test]
    fn log_densities_have_their_derivatives() {
        let infinite = f64::INFINITY;
        for kind in [Kind::Censored, Kind::Truncated] {
            for (left, right) in [
                (0.0, infinite),
                (-infinite, 2.0),
                (0.0, 2.0),
                (-infinite, infinite),
            ] {
                let model = LimitedRows {
                    limits: Limits { left, right },
                    kind,
                };
                for y in [0.0, 0.7, 2.0] {
                    if kind == Kind::Truncated && !(left < y && y < right) {
                        continue;
                    }
                    for eta in [-30.0, -4.0, -0.3, 0.8, 5.0, 30.0] {
                        for ln_sigma in [-1.0, 0.2, 2.0] {
                            let at = [eta, ln_sigma];
                            let found = model.log_density(y, Jet::variables(at));
                            let jet =
                                |p: &[f64]| model.log_density(y, Jet::variables([p[0], p[1]]));
                            let slopes = gradient(|p| jet(p).value, &at).unwrap();
                            let size = found.value.abs().max(1.0);
                            for (i, slope) in slopes.iter().enumerate() {
                                let gap = (found.gradient[i] - slope).abs();
                                assert!(gap < 1e-8 * size, "{model:?} {y} {at:?} {gap}");
                                let curves = gradient(|p| jet(p).gradient[i], &at).unwrap();
                                let size = found.gradient[i].abs().max(size);
                                for (j, curve) in curves.iter().enumerate() {
                                    let gap = (found.hessian[i][j] - curve).abs();
                                    assert!(gap < 1e-8 * size, "{model:?} {y} {at:?} {i}{j} {gap}");
                                }
                            }
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn predictions_are_the_integrals() {
        let limits = Limits {
            left: 0.0,
            right: 2.0,
        };
        let (eta, sigma) = (0.6, 1.3_f64);
        let at = [eta, sigma.ln()];
        let censored = LimitedRows {
            limits,
            kind: Kind::Censored,
        };
        let truncated = LimitedRows {
            limits,
            kind: Kind::Truncated,
        };
        let steps = 20_000;
        let width = 2.0 / f64::from(steps);
        let (mut mean, mut mass) = (0.0, 0.0);
        for i in 0..steps {
            let y = (f64::from(i) + 0.5) * width;
            let p = normal::pdf((y - eta) / sigma) / sigma * width;
            mean += y * p;
            mass += p;
        }
        let low = censored.predict(Quantity::Probability(0.0), &at).unwrap();
        let high = censored.predict(Quantity::Probability(2.0), &at).unwrap();
        assert!((low + high + mass - 1.0).abs() < 1e-8);
        let seen = censored.predict(Quantity::Mean, &at).unwrap();
        assert!((seen - (mean + 2.0 * high)).abs() < 1e-8);
        let seen = truncated.predict(Quantity::Mean, &at).unwrap();
        assert!((seen - mean / mass).abs() < 1e-8);
        assert_eq!(truncated.predict(Quantity::Probability(0.0), &at), None);
        assert_eq!(censored.predict(Quantity::Linear, &at), Some(eta));
    }
}
