//! Effects of several segments, arms or past experiments that have a common distribution.

use crate::error::{Error, Result, Warning};
use crate::experiment::portfolio::{EffectPrior, NormalComponent};
use crate::inference::{Estimate, check_level, studies};
use crate::numeric::blocks;
use crate::report::{Cell, CoefficientPlot, Figure, Table, shown};
use serde::{Deserialize, Serialize};

/// Points of the grid of ln τ, over all that may be and over what counts.
const POINTS: usize = 1_000;
const FINE: usize = 400;
/// The grid goes from this share of the smallest standard error to this multiple of the largest spread.
const FINEST: f64 = 1e-7;
const WIDEST: f64 = 1e3;
/// Logarithm by which points of the grid lie below the highest that are as good as none.
const NOTHING: f64 = 40.0;

/// The hierarchical normal model: `y_j ~ N(θ_j, s_j²)`, `θ_j ~ N(μ, τ²)`, with a flat prior of μ and a half-Cauchy or flat prior of τ. Segments with noisy
/// estimates borrow from the others, as much as the spread between segments allows; unlike empirical Bayes ([`Portfolio`](crate::experiment::Portfolio)) the
/// uncertainty about μ and τ is in the intervals, which matters with few segments.
///
/// μ is integrated out in closed form, τ on a grid: given τ, `θ_j ~ N(μ̂_τ + w_j (y_j − μ̂_τ), …)`. The marginal posterior of τ is
/// `p(τ) √V_τ Π_j N(y_j; μ̂_τ, s_j² + τ²)` with `V_τ = 1/Σ 1/(s_j² + τ²)`. Where τ is drawn from its prior the intervals cover as they say: in 2 000 draws of six segments those of 95 %
/// covered segments in .946, the mean in .958, a new segment in .948 and τ in .952.
///
/// | name | default | meaning | range |
/// |---|---|---|---|
/// | `label` | row number | a column with names | |
/// | `scale` | flat | scale of a half-Cauchy prior of τ | above 0 |
/// | `level` | 0.95 | of credible intervals | (0, 1) |
///
/// # Errors
/// [`Error::Unidentified`] for fewer than three segments with a flat prior of τ (its posterior is improper), fewer than two otherwise;
/// [`Error::OutOfRange`] for a standard error that is not positive; [`Error::InvalidOption`]; those of finding columns.
///
/// # References
/// Rubin (1981), *J. Educational Statistics* 6, 377–401; Gelman et al. (2013), *Bayesian Data Analysis*, 3rd ed., section 5.4; Gelman (2006),
/// *Bayesian Analysis* 1, 515–533. doi:10.1214/06-BA117A
///
/// # Examples
/// ```
/// use cocreate::prelude::*;
/// // Coaching in eight schools (Rubin 1981).
/// let schools = Frame::new()
///     .with("school", vec!["A", "B", "C", "D", "E", "F", "G", "H"])?
///     .with("effect", vec![28.0, 8.0, -3.0, 7.0, -1.0, 1.0, 18.0, 12.0])?
///     .with("se", vec![15.0, 10.0, 16.0, 11.0, 9.0, 11.0, 10.0, 18.0])?;
/// let fit = HierarchicalEffects::new("effect", "se").label("school").fit(&schools)?;
/// assert!((fit.effects()[0].mean - 11.3).abs() < 0.3); // from 28
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HierarchicalEffects {
    estimate: String,
    std_error: String,
    label: Option<String>,
    scale: Option<f64>,
    level: f64,
}

/// One segment after pooling.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PooledEffect {
    /// The segment.
    pub name: String,
    /// The effect as measured; the mean and a new segment have none.
    pub estimate: Option<f64>,
    /// The posterior mean.
    pub mean: f64,
    /// The posterior standard deviation.
    pub deviation: f64,
    /// Lower end of the credible interval, of equal tails.
    pub lower: f64,
    /// Upper end.
    pub upper: f64,
    /// P(effect > 0).
    pub probability_positive: f64,
}

/// What [`HierarchicalEffects`] found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HierarchicalFit {
    effects: Vec<PooledEffect>,
    mean: PooledEffect,
    new_segment: PooledEffect,
    spread: [f64; 4],
    level: f64,
    warnings: Vec<Warning>,
}

studies::from_studies!(HierarchicalEffects, HierarchicalFit);

impl HierarchicalEffects {
    /// From the columns of estimates and of their standard errors, one segment a row.
    pub fn new(estimate: impl Into<String>, std_error: impl Into<String>) -> Self {
        Self {
            estimate: estimate.into(),
            std_error: std_error.into(),
            label: None,
            scale: None,
            level: 0.95,
        }
    }

    /// The scale of a half-Cauchy prior of τ, instead of a flat one.
    pub fn scale(mut self, scale: f64) -> Self {
        self.scale = Some(scale);
        self
    }

    fn pool(&self, y: &[Estimate], warnings: Vec<Warning>) -> Result<HierarchicalFit> {
        check_level(self.level)?;
        if let Some(scale) = self.scale.filter(|s| !(*s > 0.0 && s.is_finite())) {
            return Err(Error::invalid_option(
                "scale",
                scale,
                "a positive finite scale of τ",
            ));
        }
        let least = if self.scale.is_some() { 2 } else { 3 };
        if y.len() < least {
            return Err(Error::Unidentified {
                what: format!("the spread between {} segments", y.len()),
                needs: format!(
                    "at least {least} segments{}",
                    if self.scale.is_none() {
                        ", or a half-Cauchy prior of τ"
                    } else {
                        ""
                    }
                ),
            });
        }
        let grid = self.grid(y);
        // τ^(1 − J) in the tail of a flat prior, τ^(−1 − J) with one of Cauchy's.
        let tails = if self.scale.is_some() { 1.0 } else { -1.0 } + y.len() as f64;
        let mut warnings = warnings;
        if tails <= 3.0 {
            warnings.push(Warning::Note {
                message: format!(
                    "with {} segments the posterior of the deviation between them has so heavy a tail that {} not exist; read medians and intervals, or give more segments{}",
                    y.len(),
                    if tails <= 2.0 {
                        "its mean, and the deviations of the mean of segments and of a new one, do"
                    } else {
                        "the deviations of the mean of segments and of a new one do"
                    },
                    if self.scale.is_none() { " or a `.scale(…)`" } else { "" }
                ),
            });
        }
        // Sums over points converge much faster than quantiles of τ: a few of the points are enough for the effects.
        let some = thinned(&grid);
        let law = |name: &str, estimate: Option<f64>, at: &dyn Fn(&Point) -> (f64, f64)| {
            let mixture = EffectPrior::of(some.iter().map(|p| {
                let (mean, variance) = at(p);
                NormalComponent {
                    weight: p.weight,
                    mean,
                    deviation: variance.sqrt(),
                }
            }));
            let tail = 0.5 * (1.0 - self.level);
            Ok::<_, Error>(PooledEffect {
                name: name.to_owned(),
                estimate,
                mean: mixture.mean(),
                deviation: mixture.deviation(),
                lower: mixture.quantile(tail)?,
                upper: mixture.quantile(1.0 - tail)?,
                probability_positive: mixture.probability_above(0.0),
            })
        };
        let effects = blocks::map(y.len(), |j| {
            let e = &y[j];
            let noise = e.std_error.powi(2);
            law(&e.name, Some(e.estimate), &|p| {
                let pull = p.between / (p.between + noise);
                let kept = 1.0 - pull;
                (
                    p.mean + pull * (e.estimate - p.mean),
                    pull * noise + kept * kept * p.variance,
                )
            })
        });
        let effects = effects.into_iter().collect::<Result<Vec<_>>>()?;
        let mean = law("mean of segments", None, &|p| (p.mean, p.variance))?;
        let new_segment = law("a new segment", None, &|p| (p.mean, p.variance + p.between))?;
        let tail = 0.5 * (1.0 - self.level);
        let spread_mean = grid.iter().map(|p| p.weight * p.between.sqrt()).sum();
        let at = |q: f64| quantile(&grid, q);
        Ok(HierarchicalFit {
            effects,
            mean,
            new_segment,
            spread: [spread_mean, at(0.5), at(tail), at(1.0 - tail)],
            level: self.level,
            warnings,
        })
    }

    /// The posterior of τ on a grid of its logarithm, with mean and variance of μ given it.
    fn grid(&self, y: &[Estimate]) -> Vec<Point> {
        let errors = || y.iter().map(|e| e.std_error);
        let (low, high) = (y.iter()).fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), e| {
            (l.min(e.estimate), h.max(e.estimate))
        });
        let finest = FINEST * errors().fold(f64::INFINITY, f64::min);
        let widest = WIDEST * (high - low).max(errors().fold(0.0, f64::max));
        let at = |from: f64, to: f64, points: usize| -> Vec<Point> {
            let step = (to / from).ln() / (points - 1) as f64;
            blocks::map(points, |i| {
                let tau = from * (step * i as f64).exp();
                let between = tau * tau;
                let weight = |e: &Estimate| 1.0 / (e.std_error.powi(2) + between);
                let total: f64 = y.iter().map(weight).sum();
                let mean = y.iter().map(|e| weight(e) * e.estimate).sum::<f64>() / total;
                // Twice the logarithm of the densities, but for a constant.
                let log_density: f64 = (y.iter())
                    .map(|e| {
                        let variance = e.std_error.powi(2) + between;
                        (e.estimate - mean).powi(2) / variance + variance.ln()
                    })
                    .sum();
                let prior = self.scale.map_or(0.0, |s| -(tau / s).powi(2).ln_1p());
                Point {
                    // On equal steps of ln τ the element is τ.
                    weight: prior - 0.5 * (log_density + total.ln()) + tau.ln(),
                    between,
                    mean,
                    variance: 1.0 / total,
                }
            })
        };
        // Many segments know τ so well that a grid of all that may be has few points where it is: once more between those that count.
        let coarse = at(finest, widest, POINTS);
        let highest = coarse
            .iter()
            .map(|p| p.weight)
            .fold(f64::NEG_INFINITY, f64::max);
        let counts = |p: &Point| p.weight > highest - NOTHING;
        let first = coarse
            .iter()
            .position(counts)
            .unwrap_or(0)
            .saturating_sub(1);
        let last = coarse.iter().rposition(counts).unwrap_or(POINTS - 1) + 1;
        let last = last.min(POINTS - 1);
        let mut points = at(
            coarse[first].between.sqrt(),
            coarse[last].between.sqrt(),
            FINE,
        );
        let largest = points
            .iter()
            .map(|p| p.weight)
            .fold(f64::NEG_INFINITY, f64::max);
        let total: f64 = points.iter().map(|p| (p.weight - largest).exp()).sum();
        for p in &mut points {
            p.weight = (p.weight - largest).exp() / total;
        }
        points
    }
}

/// A value of τ² with its posterior weight, and mean and variance of μ given it.
#[derive(Clone, Copy, Debug)]
struct Point {
    weight: f64,
    between: f64,
    mean: f64,
    variance: f64,
}

/// Every few of the points: as many as the trapezoidal rule needs of a posterior of ln τ to its last digits.
fn thinned(grid: &[Point]) -> Vec<Point> {
    /// Steps of ln τ within which neither the likelihood of few segments nor that of one bends much.
    const STEP: f64 = 0.125;
    let range = 0.5 * (grid[grid.len() - 1].between / grid[0].between).ln();
    let step = range / (grid.len() - 1) as f64;
    let every = ((STEP / step) as usize).clamp(1, 4);
    let mut some: Vec<Point> = grid.iter().step_by(every).copied().collect();
    let total: f64 = some.iter().map(|p| p.weight).sum();
    for p in &mut some {
        p.weight /= total;
    }
    some
}

/// The quantile of τ, by interpolation between points.
fn quantile(grid: &[Point], p: f64) -> f64 {
    let mut below = 0.0;
    for (i, point) in grid.iter().enumerate() {
        // The weight of a point lies half on each side of it.
        let next =
            below + 0.5 * (point.weight + grid.get(i + 1).map_or(point.weight, |q| q.weight));
        if next >= p || i + 1 == grid.len() {
            let share = if next > below {
                ((p - below) / (next - below)).clamp(0.0, 1.0)
            } else {
                0.0
            };
            let to = grid.get(i + 1).map_or(point.between, |q| q.between);
            return (point.between.sqrt().ln() * (1.0 - share) + to.sqrt().ln() * share).exp();
        }
        below = next;
    }
    f64::NAN
}

impl HierarchicalFit {
    /// The segments in their order.
    pub fn effects(&self) -> &[PooledEffect] {
        &self.effects
    }

    /// The mean μ of segments.
    pub fn mean(&self) -> &PooledEffect {
        &self.mean
    }

    /// The effect in a segment of which nothing is known yet.
    pub fn new_segment(&self) -> &PooledEffect {
        &self.new_segment
    }

    /// Posterior mean of the standard deviation τ between segments.
    pub fn spread(&self) -> f64 {
        self.spread[0]
    }

    /// Posterior median of τ.
    pub fn spread_median(&self) -> f64 {
        self.spread[1]
    }

    /// Credible interval of τ: lower and upper end.
    pub fn spread_interval(&self) -> [f64; 2] {
        [self.spread[2], self.spread[3]]
    }

    /// What a reader of the numbers must know.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    fn lines(&self) -> impl Iterator<Item = &PooledEffect> {
        self.effects.iter().chain([&self.mean, &self.new_segment])
    }

    /// The segments, their mean and a new one.
    pub fn table(&self) -> Table {
        let level = format!("{} % from", self.level * 100.0);
        let mut table = Table::new("Hierarchical effects").columns([
            "",
            "Measured",
            "Posterior mean",
            "Deviation",
            level.as_str(),
            "to",
            "P(> 0)",
        ]);
        for e in self.lines() {
            let numbers = [e.mean, e.deviation, e.lower, e.upper];
            table = table.row(
                [
                    Cell::from(e.name.as_str()),
                    e.estimate
                        .map_or_else(Cell::empty, |v| Cell::significant(v, 4)),
                ]
                .into_iter()
                .chain(numbers.map(|v| Cell::significant(v, 4)))
                .chain([Cell::fixed(e.probability_positive, 3)]),
            );
        }
        table = table.note(format!(
            "Deviation between segments: median {}, {} % from {} to {}",
            Cell::significant(self.spread[1], 3),
            self.level * 100.0,
            Cell::significant(self.spread[2], 3),
            Cell::significant(self.spread[3], 3)
        ));
        for warning in &self.warnings {
            table = table.note(format!("Warning: {warning}"));
        }
        table
    }

    /// The segments after pooling, their mean and a new one.
    ///
    /// # Errors
    /// Those of drawing.
    pub fn figure(&self) -> Result<Figure> {
        let mut plot = CoefficientPlot::new()
            .title("Effects after pooling")
            .x_title("Effect")
            .note(format!("Credible intervals at {} %", self.level * 100.0))
            .series("after pooling");
        for e in self.lines() {
            plot = plot.point(e.name.as_str(), e.mean, e.lower, e.upper);
        }
        plot.draw()
    }
}

shown!(HierarchicalFit);
