//! The distribution of effects by maximum likelihood.

use super::EffectFamily;
use super::prior::{EffectPrior, NormalComponent, ln_marginal};
use crate::error::{Error, Result};
use crate::inference::{BetweenStudies, Estimate, MeanError, MetaAnalysis};
use crate::numeric::blocks;
use crate::numeric::optimize::{Lbfgs, Objective, brent_minimum};
use std::cell::Cell;

/// Nodes of the grid of ln g; the trapezoid rule is good to 1e-6 at ν = 1 and better above.
const NODES: usize = 64;
/// Smallest and largest degrees of freedom: with a hundred a t is a normal.
const FREEDOM: (f64, f64) = (1.0, 100.0);
/// Logarithm of the density, relative to its largest, beyond which g is left out.
const NEGLIGIBLE: f64 = -16.0;
/// Stephens' penalty on weights: of the mass at zero; the others have one.
const NULL_WEIGHT: f64 = 10.0;
/// Steps of the search for weights, and the change of the log-likelihood a test that ends it.
const STEPS: usize = 20_000;
const ENOUGH: f64 = 1e-12;
/// Tests that are summed together.
const BLOCK: usize = 256;

/// A distribution with its log-likelihood, and parameters by name.
pub(super) struct Found {
    pub(super) prior: EffectPrior,
    pub(super) log_likelihood: f64,
    pub(super) parameters: Vec<(&'static str, f64)>,
}

pub(super) fn fitted(family: EffectFamily, tests: &[Estimate]) -> Result<Found> {
    let (prior, parameters) = match family {
        EffectFamily::Normal => {
            let [mean, deviation] = normal_fit(tests)?;
            let prior = EffectPrior::normal(mean, deviation)?;
            (
                prior,
                vec![("mean", mean), ("standard deviation", deviation)],
            )
        }
        EffectFamily::StudentT => {
            let (prior, [mean, scale, freedom]) = student_t_fit(tests)?;
            let named = vec![
                ("centre", mean),
                ("scale", scale),
                ("degrees of freedom", freedom),
            ];
            (prior, named)
        }
        EffectFamily::AdaptiveShrinkage => {
            let prior = adaptive(tests)?;
            let null = prior.components()[0].weight;
            (prior, vec![("share without effect", null)])
        }
    };
    let log_likelihood = tests
        .iter()
        .map(|t| prior.ln_marginal(t.estimate, t.std_error))
        .sum();
    Ok(Found {
        prior,
        log_likelihood,
        parameters,
    })
}

/// Mean and deviation of a normal.
fn normal_fit(tests: &[Estimate]) -> Result<[f64; 2]> {
    let plan = MetaAnalysis::new("", "")
        .between(BetweenStudies::MaximumLikelihood)
        .mean_error(MeanError::Normal);
    let fit = plan.fit_estimates(tests)?;
    Ok([fit.mean().estimate, fit.between().sqrt()])
}

/// Shares and square roots of 1/g for g ~ Gamma(ν/2, ν/2).
fn scales(freedom: f64) -> [(f64, f64); NODES] {
    let half = 0.5 * freedom;
    let log_density = |u: f64| half * (u - u.exp() + 1.0);
    let edge = |direction: f64| {
        let stride = direction * 0.5 / half.sqrt();
        let mut u = 0.0;
        while log_density(u) >= NEGLIGIBLE {
            u += stride;
        }
        u
    };
    let (low, high) = (edge(-1.0), edge(1.0));
    let step = (high - low) / (NODES - 1) as f64;
    let at = |k: usize| low + step * k as f64;
    let total: f64 = (0..NODES).map(|k| log_density(at(k)).exp()).sum();
    std::array::from_fn(|k| (log_density(at(k)).exp() / total, (-0.5 * at(k)).exp()))
}

/// The negative mean log-likelihood of a Student's t at given degrees of freedom, in centre and ln scale.
struct Centred<'a> {
    tests: &'a [Estimate],
    scales: [(f64, f64); NODES],
}

impl Objective for Centred<'_> {
    fn value(&self, at: &[f64]) -> f64 {
        self.value_and_gradient(at, &mut [0.0; 2])
    }

    fn gradient(&self, at: &[f64], gradient: &mut [f64]) {
        self.value_and_gradient(at, gradient);
    }

    fn value_and_gradient(&self, at: &[f64], gradient: &mut [f64]) -> f64 {
        let (centre, scale) = (at[0], at[1].exp());
        let sums = blocks::reduce(
            self.tests.len(),
            BLOCK,
            |range| {
                let mut sums = [0.0; 3];
                for test in &self.tests[range] {
                    let (gap, noise) = (test.estimate - centre, test.std_error.powi(2));
                    // Relative to the widest node, so that the density of an outlier does not underflow.
                    let widest = (scale * self.scales[0].1).powi(2) + noise;
                    let least = 0.5 * gap * gap / widest;
                    let (mut density, mut by_centre, mut by_scale) = (0.0, 0.0, 0.0);
                    for (share, factor) in self.scales {
                        let prior = (scale * factor).powi(2);
                        let total = prior + noise;
                        let here = share * (least - 0.5 * gap * gap / total).exp() / total.sqrt();
                        density += here;
                        by_centre += here * gap / total;
                        by_scale += here * prior * (gap * gap / total - 1.0) / total;
                    }
                    sums[0] += density.ln() - least;
                    sums[1] += by_centre / density;
                    sums[2] += by_scale / density;
                }
                sums
            },
            |all, more| all.iter_mut().zip(more).for_each(|(a, b)| *a += b),
        );
        let [value, by_centre, by_scale] = sums.unwrap_or([f64::NAN; 3]);
        let n = self.tests.len() as f64;
        gradient.copy_from_slice(&[-by_centre / n, -by_scale / n]);
        -value / n
    }
}

/// The prior, and centre, scale and degrees of freedom.
fn student_t_fit(tests: &[Estimate]) -> Result<(EffectPrior, [f64; 3])> {
    // The unit of the search is a typical standard error.
    let unit = tests.iter().map(|t| t.std_error).sum::<f64>() / tests.len() as f64;
    let scaled: Vec<Estimate> = (tests.iter())
        .map(|t| Estimate {
            name: String::new(),
            estimate: t.estimate / unit,
            std_error: t.std_error / unit,
            degrees_of_freedom: f64::INFINITY,
        })
        .collect();
    let [mean, deviation] = normal_fit(&scaled)?;
    // Each search starts where the one before ended.
    let start = Cell::new([mean, deviation.max(0.05).ln()]);
    let at = |freedom: f64| {
        let objective = Centred {
            tests: &scaled,
            scales: scales(freedom),
        };
        let found = Lbfgs::new().minimize(&objective, &start.get())?;
        start.set([found.point[0], found.point[1]]);
        Ok::<_, Error>(found)
    };
    let (low, high) = (FREEDOM.0.ln(), FREEDOM.1.ln());
    // The ends are tried as well: a portfolio may be as good as normal.
    let inner = brent_minimum(
        |l| at(l.exp()).map_or(f64::INFINITY, |m| m.value),
        low,
        high,
        1e-6,
    )?;
    let (mut best, mut least) = (inner.point.exp(), inner.value);
    for end in [FREEDOM.0, FREEDOM.1] {
        let value = at(end)?.value;
        if value < least {
            (best, least) = (end, value);
        }
    }
    let found = at(best)?.or_error("the distribution of effects")?;
    let (centre, scale) = (found.point[0] * unit, found.point[1].exp() * unit);
    let prior = EffectPrior::of(scales(best).map(|(weight, factor)| NormalComponent {
        weight,
        mean: centre,
        deviation: scale * factor,
    }));
    Ok((prior, [centre, scale, best]))
}

/// Weights of a mass at zero and of normals around it.
fn adaptive(tests: &[Estimate]) -> Result<EffectPrior> {
    let smallest = tests
        .iter()
        .map(|t| t.std_error)
        .fold(f64::INFINITY, f64::min);
    let excess = (tests.iter())
        .map(|t| t.estimate.powi(2) - t.std_error.powi(2))
        .fold(0.0, f64::max);
    let first = smallest / 10.0;
    let last = if excess > 0.0 {
        2.0 * excess.sqrt()
    } else {
        8.0 * first
    };
    let grid = || std::iter::successors(Some(last), |d| Some(d / std::f64::consts::SQRT_2));
    let mut deviations: Vec<f64> = grid().take_while(|d| *d > first).collect();
    deviations.push(0.0);
    deviations.reverse();
    let count = deviations.len();
    // Likelihoods of each test, relative to its largest.
    let likelihood: Vec<f64> = (tests.iter())
        .flat_map(|t| {
            let logs: Vec<f64> = (deviations.iter())
                .map(|d| {
                    let c = NormalComponent {
                        weight: 1.0,
                        mean: 0.0,
                        deviation: *d,
                    };
                    ln_marginal(&c, t.estimate, t.std_error)
                })
                .collect();
            let largest = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            logs.into_iter()
                .map(move |l| (l - largest).exp())
                .collect::<Vec<f64>>()
        })
        .collect();
    let weights = Weights {
        likelihood: &likelihood,
        count,
        tests: tests.len() as f64,
    };
    let found = weights.best()?;
    Ok(EffectPrior::of((deviations.iter().zip(found)).map(
        |(deviation, weight)| NormalComponent {
            weight,
            mean: 0.0,
            deviation: *deviation,
        },
    )))
}

/// The weights of a mixture whose components are fixed: a concave problem.
struct Weights<'a> {
    likelihood: &'a [f64],
    count: usize,
    tests: f64,
}

impl Weights<'_> {
    /// One step of expectation and maximisation, and the penalised log-likelihood before it.
    fn step(&self, weights: &[f64]) -> (Vec<f64>, f64) {
        let mut sums = vec![0.0; self.count];
        sums[0] = NULL_WEIGHT - 1.0;
        let mut value = (NULL_WEIGHT - 1.0) * weights[0].ln();
        for row in self.likelihood.chunks_exact(self.count) {
            let density: f64 = row.iter().zip(weights).map(|(l, w)| l * w).sum();
            value += density.ln();
            for ((sum, l), w) in sums.iter_mut().zip(row).zip(weights) {
                *sum += l * w / density;
            }
        }
        let total: f64 = sums.iter().sum();
        for sum in &mut sums {
            *sum /= total;
        }
        (sums, value)
    }

    /// Squared extrapolation (Varadhan & Roland 2008, doi:10.1111/j.1467-9469.2007.00585.x) of the steps; an extrapolation that
    /// leaves the simplex or lowers the likelihood is dropped.
    fn best(&self) -> Result<Vec<f64>> {
        let mut weights = vec![1.0 / self.count as f64; self.count];
        let mut last = f64::INFINITY;
        for _ in 0..STEPS {
            let (one, before) = self.step(&weights);
            let (two, middle) = self.step(&one);
            let first: Vec<f64> = one.iter().zip(&weights).map(|(a, b)| a - b).collect();
            let second: Vec<f64> = (0..self.count)
                .map(|k| two[k] - one[k] - first[k])
                .collect();
            let norm = |v: &[f64]| v.iter().map(|x| x * x).sum::<f64>().sqrt();
            let length = -(norm(&first) / norm(&second)).max(1.0);
            let jump: Vec<f64> = (0..self.count)
                .map(|k| weights[k] - 2.0 * length * first[k] + length * length * second[k])
                .collect();
            let inside = jump.iter().all(|w| *w >= 0.0 && w.is_finite()) && jump[0] > 0.0;
            let mut next = two;
            if inside {
                let (from, value) = self.step(&jump);
                if value >= middle {
                    next = from;
                }
            }
            let (_, after) = self.step(&next);
            weights = next;
            last = (after - before) / self.tests;
            if last <= ENOUGH {
                return Ok(weights);
            }
        }
        Err(Error::NotConverged {
            what: "the weights of the mixture of effects".to_owned(),
            iterations: STEPS,
            criterion: last,
            tolerance: ENOUGH,
            remedy: "use EffectFamily::StudentT, or fewer tests".to_owned(),
        })
    }
}
