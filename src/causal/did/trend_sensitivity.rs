//! What an effect would be if trends were not parallel, but changed their slope by little from period to period.

use super::event_study::EventStudy;
use crate::error::{Error, Result};
use crate::inference::{Inference, check_level};
use crate::numeric::linalg::{Cholesky, block};
use crate::numeric::optimize::{brent_minimum, brent_root};
use crate::numeric::special::normal;
use crate::report::figure::CoefficientPlot;
use crate::report::{Cell, Figure, Table};
use nalgebra::{DMatrix, DVector};
use serde::{Deserialize, Serialize};

/// Sweeps of the descent at most.
const MOST_SWEEPS: usize = 10_000;
/// A sweep that moves no coefficient by more than this share of the largest is the last.
const STILL: f64 = 1e-13;
/// Penalties between none and the one at which all is zero, on the log scale; the best is refined between its neighbours.
const PENALTIES: usize = 60;

/// Intervals of an effect that hold as long as the difference in trends is smooth: its slope changes by at most M from one period to the next (Rambachan & Roth 2023).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrendSensitivity {
    /// What is estimated.
    pub effect: String,
    /// Confidence level.
    pub level: f64,
    /// The interval under parallel trends.
    pub parallel: SmoothInterval,
    /// One interval a bound.
    pub intervals: Vec<SmoothInterval>,
}

/// The shortest fixed-length interval for a bound on the change of slope.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SmoothInterval {
    /// M; zero allows a linear difference in trends. None under parallel trends.
    pub bound: Option<f64>,
    /// The estimate: effects after treatment less a weighted mean of those before.
    pub estimate: f64,
    /// Its standard error.
    pub std_error: f64,
    /// Its largest bias.
    pub bias: f64,
    /// Lower end.
    pub lower: f64,
    /// Upper end.
    pub upper: f64,
}

impl EventStudy {
    /// How the mean effect at some times since treatment depends on parallel trends: for each bound M the shortest interval about an affine estimator that covers whenever the difference in trends δ has
    /// `|(δ_{t+1} − δ_t) − (δ_t − δ_{t−1})| ≤ M` at all t (the set Δ^SD(M)).
    ///
    /// With M = 0 the difference may be linear, and the estimator takes off the trend that the effects before treatment show; with larger M it takes off less and allows for the bias that may be left:
    /// the half-length is the 1 − α quantile of `|N(b, se²)|` with b the largest bias (Donoho 1994; Armstrong & Kolesár 2018). The bias is a sum of absolute weights on changes of slope, so that all best pairs of bias
    /// and variance are a path of the lasso.
    ///
    /// # Errors
    /// [`Error::Unidentified`] without a common reference period (take a universal base period), without effects before it, or for times that are not one period apart;
    /// [`Error::InvalidOption`] for a level outside (0, 1) or a negative bound; [`Error::UnknownCoefficient`] for a time that the study has not; [`Error::Matrix`] for a singular covariance of the effects
    /// before treatment.
    ///
    /// # References
    /// Armstrong & Kolesár (2018), doi:10.3982/ECTA14434; Rambachan & Roth (2023), doi:10.1093/restud/rdad018.
    ///
    /// # Examples
    /// ```
    /// use cocreate::prelude::*;
    /// let rollout = StaggeredRollout { units: 400, seed: Some(Seed::new(3)), ..StaggeredRollout::new() }.simulate()?;
    /// let study = SunAbraham::new("y", "treated", "unit", "period").fit(&rollout.data)?.event_study();
    /// let sensitivity = study.trend_sensitivity(&[0.0, 1.0], &[0.0, 0.05, 0.1], 0.95)?;
    /// assert!(sensitivity.intervals[2].upper > sensitivity.intervals[1].upper);
    /// println!("{sensitivity}");
    /// # Ok::<(), cocreate::Error>(())
    /// ```
    pub fn trend_sensitivity(
        &self,
        times: &[f64],
        bounds: &[f64],
        level: f64,
    ) -> Result<TrendSensitivity> {
        check_level(level)?;
        if let Some(bad) = bounds.iter().find(|m| !(m.is_finite() && **m >= 0.0)) {
            return Err(Error::invalid_option(
                "bounds",
                bad,
                "0 or more, a change of slope from period to period",
            ));
        }
        let problem = Smooth::new(self, times)?;
        let alpha = 1.0 - level;
        Ok(TrendSensitivity {
            effect: problem.effect.clone(),
            level,
            parallel: problem.parallel(alpha)?,
            intervals: bounds
                .iter()
                .map(|bound| problem.interval(*bound, alpha))
                .collect::<Result<_>>()?,
        })
    }
}

/// The estimators of one effect, by their weights c on changes of slope before treatment.
struct Smooth {
    effect: String,
    /// `l'β̂_post`, and its variance.
    after: f64,
    after_variance: f64,
    /// Effects before treatment, in order.
    before: DVector<f64>,
    /// Their covariance with each other and with `l'β̂_post`.
    covariance: DMatrix<f64>,
    cross: DVector<f64>,
    /// Weights on effects before treatment from weights on changes of slope: `v = map · c`.
    map: DMatrix<f64>,
    /// The weight on the change of slope at the reference, which makes a linear trend harmless: `Σ l_t (t − r)`.
    last: f64,
    /// The sum of absolute weights on changes of slope from the reference on.
    fixed: f64,
}

/// The mean effect at some times, and the times about the reference period.
pub(super) struct Window {
    pub(super) effect: String,
    reference: f64,
    /// From one time to the next.
    step: f64,
    /// Places of effects before the reference, and after it, in order.
    pub(super) before: Vec<usize>,
    pub(super) after: Vec<usize>,
    /// The weight of each effect.
    pub(super) weights: DVector<f64>,
}

impl Window {
    pub(super) fn new(study: &EventStudy, times: &[f64], what: &str) -> Result<Self> {
        if times.is_empty() || times.iter().any(|time| *time < 0.0) {
            return Err(Error::invalid_option(
                "times",
                format!("{times:?}"),
                "at least one time from 0 on",
            ));
        }
        let unidentified = |needs: &str| Error::Unidentified {
            what: what.to_owned(),
            needs: needs.to_owned(),
        };
        let reference = study.reference().ok_or_else(|| {
            unidentified("one reference period for all effects; add `.base_period(BasePeriod::Universal)`, or use SunAbraham")
        })?;
        let all = study.times();
        let (before, after): (Vec<usize>, Vec<usize>) =
            (0..all.len()).partition(|at| all[*at] < reference);
        if before.is_empty() {
            return Err(unidentified("effects before the reference period"));
        }
        let mut grid: Vec<f64> = all.iter().copied().chain([reference]).collect();
        grid.sort_unstable_by(f64::total_cmp);
        let step = reference - all[before[before.len() - 1]];
        if grid
            .windows(2)
            .any(|w| (w[1] - w[0] - step).abs() > 1e-9 * step)
        {
            return Err(unidentified(
                "times that follow one another at one distance, the reference between them",
            ));
        }
        let share = 1.0 / times.len() as f64;
        let mut weights = DVector::zeros(all.len());
        for time in times {
            weights[study.position(&EventStudy::name(*time))?] += share;
        }
        let names: Vec<String> = times.iter().map(|time| EventStudy::name(*time)).collect();
        Ok(Self {
            effect: format!("mean of {}", names.join(", ")),
            reference,
            step,
            before,
            after,
            weights,
        })
    }
}

impl Smooth {
    fn new(study: &EventStudy, times: &[f64]) -> Result<Self> {
        let Window {
            reference,
            step,
            before,
            weights,
            effect,
            ..
        } = Window::new(
            study,
            times,
            "the effect under smooth differences in trends",
        )?;
        let share = 1.0 / times.len() as f64;
        let covariance = Inference::covariance(study);
        let product = covariance * &weights;
        // Periods after the reference.
        let steps = |time: f64| ((time - reference) / step).round();
        let last: f64 = times.iter().map(|time| share * steps(*time)).sum();
        let furthest = times.iter().map(|time| steps(*time)).fold(0.0, f64::max) as usize;
        let later: f64 = (1..furthest)
            .map(|k| {
                let ahead = times.iter().map(|time| (steps(*time) - k as f64).max(0.0));
                ahead.map(|ahead| share * ahead).sum::<f64>()
            })
            .sum();
        let size = before.len();
        // c_k = Σ_{s < k} v_s (k − s): the second differences of c, shifted by one, are v.
        let map = DMatrix::from_fn(size, size, |s, k| match s.checked_sub(k) {
            Some(0 | 2) => 1.0,
            Some(1) => -2.0,
            _ => 0.0,
        });
        let own = block(covariance, &before, &before);
        Cholesky::full_rank(&own, "the covariance of effects before treatment")?;
        Ok(Self {
            effect,
            after: weights.dot(study.estimates()),
            after_variance: weights.dot(&product),
            before: DVector::from_iterator(size, before.iter().map(|at| study.estimates()[*at])),
            cross: DVector::from_iterator(size, before.iter().map(|at| product[*at])),
            covariance: own,
            map,
            last,
            fixed: last.abs() + later,
        })
    }

    fn parallel(&self, alpha: f64) -> Result<SmoothInterval> {
        Self::finished(None, self.after, self.after_variance, 0.0, alpha)
    }

    fn finished(
        bound: Option<f64>,
        estimate: f64,
        variance: f64,
        bias: f64,
        alpha: f64,
    ) -> Result<SmoothInterval> {
        let std_error = variance.max(0.0).sqrt();
        let half = half_length(bias, std_error, alpha)?;
        Ok(SmoothInterval {
            bound,
            estimate,
            std_error,
            bias,
            lower: estimate - half,
            upper: estimate + half,
        })
    }

    /// The shortest interval over the path of `var(c) + 2 λ Σ |c_k|`.
    fn interval(&self, bound: f64, alpha: f64) -> Result<SmoothInterval> {
        let free = self.before.len() - 1;
        let quadratic = self.map.transpose() * &self.covariance * &self.map;
        let linear = self.map.transpose() * &self.cross;
        // c'Qc + 2 a'c + const, the last weight being fixed.
        let gradient = DVector::from_fn(free, |k, _| quadratic[(k, free)] * self.last + linear[k]);
        let weights = |c: &DVector<f64>| {
            let all = DVector::from_fn(free + 1, |k, _| if k < free { c[k] } else { self.last });
            &self.map * all
        };
        let measured = |c: &DVector<f64>| {
            let v = weights(c);
            let variance =
                self.after_variance + 2.0 * v.dot(&self.cross) + v.dot(&(&self.covariance * &v));
            let bias = bound * (self.fixed + c.iter().map(|c| c.abs()).sum::<f64>());
            (variance, bias)
        };
        let found = |c: &DVector<f64>| {
            let (variance, bias) = measured(c);
            let estimate = self.after + weights(c).dot(&self.before);
            Self::finished(Some(bound), estimate, variance, bias, alpha)
        };
        let length = |penalty: f64| -> f64 {
            let (variance, bias) = measured(&descend(&quadratic, &gradient, penalty));
            half_length(bias, variance.max(0.0).sqrt(), alpha).unwrap_or(f64::INFINITY)
        };
        let none = found(&descend(&quadratic, &gradient, 0.0))?;
        let most = gradient.amax();
        if free == 0 || bound <= 0.0 || most <= 0.0 {
            return Ok(none);
        }
        // From one part in a million of the largest penalty on.
        let at = |i: usize| most * 1e-6_f64.powf(1.0 - i as f64 / PENALTIES as f64);
        let best = (0..=PENALTIES)
            .map(|i| (i, length(at(i))))
            .fold(
                (0, f64::INFINITY),
                |best, new| if new.1 < best.1 { new } else { best },
            )
            .0;
        let (low, high) = (at(best.saturating_sub(1)), at((best + 1).min(PENALTIES)));
        let penalty = brent_minimum(length, low, high, 0.0)?.point;
        // The path has kinks, where the best may lie; one end of it, no weight at all, is on the grid.
        let mut shortest = none;
        for penalty in [at(best), penalty] {
            let other = found(&descend(&quadratic, &gradient, penalty))?;
            if other.upper - other.lower < shortest.upper - shortest.lower {
                shortest = other;
            }
        }
        Ok(shortest)
    }
}

/// The minimum of `c'Qc + 2 a'c + 2 λ Σ |c_k|` over the free weights, by coordinate descent.
fn descend(quadratic: &DMatrix<f64>, gradient: &DVector<f64>, penalty: f64) -> DVector<f64> {
    let free = gradient.len();
    let mut c = DVector::zeros(free);
    if penalty <= 0.0 && free > 0 {
        let factor = Cholesky::new(&quadratic.view((0, 0), (free, free)).into_owned());
        if factor.rank() == free {
            return factor.solve_vector(&-gradient);
        }
    }
    for _ in 0..MOST_SWEEPS {
        let mut moved = 0.0_f64;
        for k in 0..free {
            let others: f64 = (0..free)
                .filter(|j| *j != k)
                .map(|j| quadratic[(k, j)] * c[j])
                .sum();
            let pull = -(gradient[k] + others);
            let new: f64 = pull.signum() * (pull.abs() - penalty).max(0.0) / quadratic[(k, k)];
            moved = moved.max(f64::abs(new - c[k]));
            c[k] = new;
        }
        if moved <= STILL * c.amax() {
            break;
        }
    }
    c
}

/// The 1 − α quantile of `|N(bias, se²)|`.
fn half_length(bias: f64, std_error: f64, alpha: f64) -> Result<f64> {
    if std_error <= 0.0 {
        return Ok(bias);
    }
    let shift = bias / std_error;
    // Beyond either tail alone.
    let high = shift + normal::upper_quantile(alpha / 2.0);
    let outside = |c: f64| normal::sf(c - shift) + normal::cdf(-c - shift) - alpha;
    // Without bias the end is the root itself.
    if outside(high) >= 0.0 {
        return Ok(high * std_error);
    }
    Ok(brent_root(outside, 0.0, high, 1e-13)?.point * std_error)
}

impl TrendSensitivity {
    /// The largest of the bounds, in their order, up to which the interval leaves out zero; none when the first does not.
    pub fn robust_up_to(&self) -> Option<f64> {
        let robust = self
            .intervals
            .iter()
            .take_while(|i| i.lower > 0.0 || i.upper < 0.0);
        robust.last().and_then(|interval| interval.bound)
    }

    /// One row a bound.
    pub fn table(&self) -> Table {
        const DIGITS: usize = 4;
        let mut table = Table::new(format!("Smooth differences in trends: {}", self.effect))
            .columns([
                "Change of slope",
                "Estimate",
                "Std. error",
                "Bias at most",
                "from",
                "to",
            ])
            .note(format!(
                "{} % intervals of fixed length, shortest for each bound.",
                100.0 * self.level
            ));
        for row in std::iter::once(&self.parallel).chain(&self.intervals) {
            let bound = row
                .bound
                .map_or_else(|| "parallel trends".to_owned(), |m| m.to_string());
            table = table.row([
                Cell::from(bound.as_str()),
                Cell::significant(row.estimate, DIGITS),
                Cell::significant(row.std_error, DIGITS),
                Cell::significant(row.bias, DIGITS),
                Cell::significant(row.lower, DIGITS),
                Cell::significant(row.upper, DIGITS),
            ]);
        }
        table
    }

    /// The intervals beside each other.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] when nothing can be drawn.
    pub fn plot(&self) -> Result<Figure> {
        let mut plot = CoefficientPlot::new()
            .title(format!("Smooth differences in trends: {}", self.effect))
            .x_title("effect");
        for row in std::iter::once(&self.parallel).chain(&self.intervals) {
            let name = row
                .bound
                .map_or_else(|| "parallel".to_owned(), |m| format!("M = {m}"));
            plot = plot.point(name, row.estimate, row.lower, row.upper);
        }
        plot.draw()
    }
}

crate::report::notebook::shown!(TrendSensitivity);
