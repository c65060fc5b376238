//! The average dose-response curve: the mean outcome if everybody had this dose.

use super::builders::cross_fitted;
use super::conditional_density::{DoseDensity, Grid};
use super::cross_fit::{CrossFit, cross_fit_seed};
use super::dose_response_fit::{Basis, DoseResponseFit};
use super::folds::CausalFolds;
use super::nuisance::{default_outcome, stack_members};
use super::sample::{CausalSample, Columns};
use super::units::{Linearised, Units};
use crate::data::Frame;
use crate::error::{Error, Result, Warning};
use crate::numeric::{Progress, Seed};
use crate::regression::learners::{Features, Learner, Task, TrainingSet};
use nalgebra::{DMatrix, DVector};
use serde::{Deserialize, Serialize};

/// More rows than this with one and the same dose have no density there.
const MOST_AT_ONE_DOSE: f64 = 0.1;
/// The largest weight `ϖ/π` of a row, and the share of rows that may reach it.
const LARGEST_WEIGHT: f64 = 20.0;
const MOST_AT_LARGEST: f64 = 0.05;
/// Weighted rows must be worth this share of the rows.
const LEAST_EFFECTIVE: f64 = 0.05;
/// How far from 1 the mean weight, and from 0 the weighted correlation of the dose with its prediction, may be without a warning.
const OFF_BALANCE: f64 = 0.1;

/// The average dose-response curve `θ(d) = E[Y(d)] = E{E[Y | X, D = d]}` of a treatment that is a number, doubly robust: right when the mean of the
/// outcome or the density of the dose given the features is.
///
/// With cross-fitted `μ(x, d) = E[Y | X = x, D = d]` and `π(d | x)`, their means `m(d) = E μ(X, d)` and `ϖ(d) = E π(d | X)` over the rows, and
///
/// `ξ = (Y − μ(X, D)) ϖ(D)/π(D | X) + m(D)`,
///
/// whose mean given D = d is θ(d), the curve is the regression of ξ on a natural cubic spline `b(D)`. Errors are those of the influence function
/// `Q⁻¹ {b(D)(ξ − b(D)'β) + ∫ b(d)(μ(X, d) − m(d)) dP(d)}`, `Q = E b b'`: they hold for the spline nearest to θ under the doses that were given, and for θ as
/// far as the spline can follow it. More `knots` follow it closer.
///
/// The density is that of a location-scale model, `π(d | x) = f((d − m(x))/s(x))/s(x)`: `m` and `s²` are learned, f is a kernel estimate (Gaussian,
/// Silverman's bandwidth) of the standardised residuals outside the fold. Means over doses are worked out at 41 doses and interpolated.
///
/// It needs a dose that is as good as random given the features, and doses of all sizes for everybody. Weights `ϖ/π` are at most 20, with a warning that
/// says how often. There are warnings too when the weights do not balance: their mean should be 1, and with them the dose should not be correlated with
/// its prediction. With a dose that has a value on more than a tenth of the rows, weights at 20 on more than 5 % of them, or weighted rows worth less
/// than 5 % of the rows, it is refused.
///
/// | name | default | meaning | range |
/// |---|---|---|---|
/// | `learner`, `outcome_learner`, `dose_learner`, `spread_learner` | stack of linear, quadratic, boosted trees, forest | of μ, m, s² | see [`Learner`] |
/// | `knots` | 5 | of the spline, at quantiles 0.05 to 0.95 of the dose; 2 for a straight line | 2 to 12 |
/// | `folds` | 5 | of the cross-fitting, whole clusters | ≥ 2 |
/// | `weights`, `clusters` | none | columns | |
/// | `seed` | none | required | any |
///
/// # Errors
/// [`Error::SeedRequired`]; [`Error::Unidentified`] as said above, and for too few rows or a dose or outcome that does not vary;
/// [`Error::MissingClusters`]; [`Error::InvalidOption`]; those of the learners.
///
/// # References
/// Kennedy, Ma, McHugh & Small (2017), *JRSS B* 79(4), 1229–1245, doi:10.1111/rssb.12212; Semenova & Chernozhukov (2021), *The Econometrics Journal* 24(2),
/// 264–289, doi:10.1093/ectj/utaa027 (series regression of the score).
///
/// # Examples
/// ```
/// use cocreate::prelude::*;
/// let unit = |i: i32, step: f64| (f64::from(i) * step).fract();
/// let x: Vec<f64> = (0..800).map(|i| unit(i, 0.618_034)).collect();
/// let discount: Vec<f64> = (0..800).map(|i| x[i as usize] + 2.0 * unit(i, 0.754_878)).collect();
/// let spent: Vec<f64> = (0..800).map(|i| 3.0 * x[i as usize] + discount[i as usize].powi(2)).collect();
/// let frame = Frame::new().with("x", x)?.with("discount", discount)?.with("spent", spent)?;
/// let fit = DoseResponse::new("spent", "discount", &["x"])
///     .outcome_learner(Learner::quadratic())
///     .dose_learner(Learner::linear())
///     .spread_learner(Learner::linear())
///     .seed(7)
///     .fit(&frame)?;
/// // E[Y(d)] = 1.5 + d².
/// assert!((fit.mean_at(1.5)?.estimate - 3.75).abs() < 0.1);
/// assert!((fit.contrast(1.0, 2.0)?.estimate - 3.0).abs() < 0.2);
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DoseResponse {
    columns: Columns,
    outcome_learner: Learner,
    dose_learner: Learner,
    spread_learner: Learner,
    knots: usize,
    folds: usize,
    seed: Option<Seed>,
}

impl DoseResponse {
    /// The curve of an outcome over a dose, given features known before it.
    pub fn new<S: AsRef<str>>(outcome: &str, dose: &str, features: &[S]) -> Self {
        let mut columns = Columns::new(outcome, dose, features);
        columns.continuous = true;
        Self {
            columns,
            outcome_learner: default_outcome(),
            dose_learner: default_outcome(),
            spread_learner: default_outcome(),
            knots: 5,
            folds: 5,
            seed: None,
        }
    }

    /// The learner of everything.
    pub fn learner(self, learner: impl Into<Learner>) -> Self {
        let learner = learner.into();
        self.outcome_learner(learner.clone())
            .dose_learner(learner.clone())
            .spread_learner(learner)
    }

    /// The learner of `E[Y | X, D]`.
    pub fn outcome_learner(mut self, learner: impl Into<Learner>) -> Self {
        self.outcome_learner = learner.into();
        self
    }

    /// The learner of `E[D | X]`.
    pub fn dose_learner(mut self, learner: impl Into<Learner>) -> Self {
        self.dose_learner = learner.into();
        self
    }

    /// The learner of `Var(D | X)`.
    pub fn spread_learner(mut self, learner: impl Into<Learner>) -> Self {
        self.spread_learner = learner.into();
        self
    }

    /// Knots of the spline.
    pub fn knots(mut self, knots: usize) -> Self {
        self.knots = knots;
        self
    }

    /// Learns the nuisances and the curve.
    ///
    /// # Errors
    /// See [`DoseResponse`].
    pub fn fit(&self, frame: &Frame) -> Result<DoseResponseFit> {
        self.fit_with(frame, &Progress::none())
    }

    /// Learns the nuisances and the curve, watched.
    ///
    /// # Errors
    /// See [`DoseResponse`].
    pub fn fit_with(&self, frame: &Frame, progress: &Progress) -> Result<DoseResponseFit> {
        let seed = cross_fit_seed(self.seed, true, "dose response")?;
        let mut sample = self.columns.read(frame)?;
        let dose = sample.dose.clone().unwrap_or_default();
        refuse_mass_points(&sample, &dose)?;
        let basis = Basis::at_quantiles(&dose, self.knots, &sample.treatment)?;
        let folds = CausalFolds::draw(&sample, self.folds, seed)?;
        let fit = CrossFit {
            folds: &folds,
            seed,
            progress,
        };
        let weights = Units::new(sample.len(), sample.weights.as_deref(), None).weights;
        let grid = Grid::over(&dose);
        let mut stack = Vec::new();
        let mut notes = Vec::new();
        let mut learned = |name: &str, learner: &Learner, target: &[f64], at: &[&Features]| {
            let set = TrainingSet::new(at[0], target, Task::Regression)
                .weights(sample.weights.as_deref())
                .named(name);
            let mut out = fit.out_of_fold(name, learner, &set, at)?;
            stack.extend(stack_members(name, learner, &out.weights));
            notes.append(&mut out.warnings);
            Ok::<_, Error>(out.predictions)
        };
        // The dose given the features.
        let features = &sample.features;
        let centre = learned(&sample.treatment, &self.dose_learner, &dose, &[features])?;
        let centre = centre.into_iter().next().unwrap_or_default();
        let off: Vec<f64> = dose.iter().zip(&centre).map(|(d, m)| d - m).collect();
        let squares: Vec<f64> = off.iter().map(|o| o * o).collect();
        let name = format!("spread of {}", sample.treatment);
        let spread = learned(&name, &self.spread_learner, &squares, &[features])?;
        let spread = spread.into_iter().next().unwrap_or_default();
        let density = DoseDensity::new(&centre, &spread, &off, &weights, &folds, &sample)?;
        // The outcome given features and dose, at the own dose and at those of the grid.
        let own = features.clone().with(&sample.treatment, dose.clone())?;
        let others = (grid.doses().into_iter())
            .map(|d| {
                let column = vec![d; sample.len()];
                features.clone().with(&sample.treatment, column)
            })
            .collect::<Result<Vec<_>>>()?;
        let tables: Vec<&Features> = std::iter::once(&own).chain(&others).collect();
        let name = format!("{} given {}", sample.outcome, sample.treatment);
        let mut means = learned(&name, &self.outcome_learner, &sample.y, &tables)?;
        let mean = means.remove(0);
        let average =
            |values: &[f64]| -> f64 { values.iter().zip(&weights).map(|(v, w)| v * w).sum() };
        let level: Vec<f64> = means.iter().map(|column| average(column)).collect();
        let marginal: Vec<f64> = (grid.doses().into_iter())
            .map(|d| {
                (0..sample.len())
                    .map(|i| weights[i] * density.at(i, d))
                    .sum()
            })
            .collect();
        let ratio: Vec<f64> = (0..sample.len())
            .map(|i| grid.interpolate(&marginal, dose[i]) / density.at(i, dose[i]))
            .collect();
        sample.warnings.append(&mut notes);
        sample.warnings.extend(density.warnings());
        let ratio = bounded(ratio, &weights, &mut sample)?;
        sample.warnings.extend(off_balance(
            &ratio,
            &weights,
            &dose,
            &centre,
            &sample.treatment,
        ));
        let score: Vec<f64> = (0..sample.len())
            .map(|i| (sample.y[i] - mean[i]) * ratio[i] + grid.interpolate(&level, dose[i]))
            .collect();
        let units = Units::new(
            sample.len(),
            sample.weights.as_deref(),
            sample.clusters.as_deref(),
        );
        let scored = Scored {
            dose: &dose,
            score: &score,
            means: &means,
            level: &level,
        };
        let curve = regressed(&basis, &scored, &units, grid, &sample.treatment)?;
        let estimates = curve.iter().map(|part| part.estimate);
        Ok(DoseResponseFit {
            outcome: sample.outcome.clone(),
            dose: sample.treatment.clone(),
            range: grid.ends(),
            coefficients: DVector::from_iterator(curve.len(), estimates),
            covariance: units.covariance(&curve),
            shown: DoseResponseFit::deciles(&dose),
            basis,
            effective: effective(&ratio, &weights) * sample.len() as f64,
            rows: sample.len(),
            clusters: sample
                .cluster_column
                .clone()
                .map(|column| (column, units.among(|_| true))),
            score,
            balance: ratio,
            kept: sample.rows.mask(),
            stack,
            warnings: sample.warnings,
        })
    }
}

cross_fitted!(DoseResponse);

/// A density needs doses that do not repeat.
fn refuse_mass_points(sample: &CausalSample, dose: &[f64]) -> Result<()> {
    let mut sorted = dose.to_vec();
    sorted.sort_by(f64::total_cmp);
    let runs = sorted.chunk_by(|a, b| a.total_cmp(b).is_eq());
    let longest = runs.max_by_key(|run| run.len());
    match longest {
        Some(run) if run.len() as f64 > MOST_AT_ONE_DOSE * dose.len() as f64 => {
            Err(Error::Unidentified {
                what: format!("a density of `{}`", sample.treatment),
                needs: format!(
                    "a dose that hardly repeats; {} of {} rows have {}. With few doses use them as the arms of `DoublyRobust`; the slope alone is that of `PartiallyLinear`",
                    run.len(),
                    dose.len(),
                    run[0]
                ),
            })
        }
        _ => Ok(()),
    }
}

/// What weighted rows are worth, as a share of the rows.
fn effective(ratio: &[f64], weights: &[f64]) -> f64 {
    let sum =
        |f: fn(f64) -> f64| -> f64 { ratio.iter().zip(weights).map(|(r, w)| w * f(*r)).sum() };
    sum(|r| r).powi(2) / sum(|r| r * r)
}

/// Weights that are not too large; refused where too many are, or where the others are worth nothing.
fn bounded(mut ratio: Vec<f64>, weights: &[f64], sample: &mut CausalSample) -> Result<Vec<f64>> {
    let mut large = (0, 0.0);
    for (r, w) in ratio.iter_mut().zip(weights) {
        if r.is_nan() || *r > LARGEST_WEIGHT {
            *r = LARGEST_WEIGHT;
            large = (large.0 + 1, large.1 + w);
        }
    }
    if large.1 > MOST_AT_LARGEST || effective(&ratio, weights) < LEAST_EFFECTIVE {
        return Err(Error::Unidentified {
            what: format!(
                "the mean outcome if everybody had the same `{}`",
                sample.treatment
            ),
            needs: format!(
                "overlap: {} rows have a dose that their features make most unlikely, and rows weighted for that are worth {:.0} of {}; leave out features that decide the dose, or restrict the sample",
                large.0,
                effective(&ratio, weights) * ratio.len() as f64,
                ratio.len()
            ),
        });
    }
    if large.0 > 0 {
        sample.warnings.push(Warning::Note {
            message: format!(
                "{} rows have a `{}` that their features make most unlikely: their weights were lowered to {LARGEST_WEIGHT}",
                large.0, sample.treatment
            ),
        });
    }
    Ok(ratio)
}

/// Says where the weights do not do what weights by the right density do.
fn off_balance(
    ratio: &[f64],
    weights: &[f64],
    dose: &[f64],
    centre: &[f64],
    name: &str,
) -> Option<Warning> {
    let sum = |f: &dyn Fn(usize) -> f64| -> f64 {
        (0..dose.len()).map(|i| weights[i] * ratio[i] * f(i)).sum()
    };
    let total = sum(&|_| 1.0);
    let (d, m) = (sum(&|i| dose[i]) / total, sum(&|i| centre[i]) / total);
    let product = |a: &dyn Fn(usize) -> f64, b: &dyn Fn(usize) -> f64| sum(&|i| a(i) * b(i));
    let (of_dose, of_centre) = (|i: usize| dose[i] - d, |i: usize| centre[i] - m);
    let below = product(&of_dose, &of_dose) * product(&of_centre, &of_centre);
    let correlation = if below > 0.0 {
        product(&of_dose, &of_centre) / below.sqrt()
    } else {
        0.0
    };
    ((total - 1.0).abs() > OFF_BALANCE || correlation.abs() > OFF_BALANCE).then(|| Warning::Note {
        message: format!(
            "the density of `{name}` given the features does not balance: weights have mean {total:.2} where 1 is right, and leave a correlation of {correlation:.2} with the prediction; the curve then rests on the outcome's model"
        ),
    })
}

/// What the curve is estimated from.
struct Scored<'a> {
    dose: &'a [f64],
    score: &'a [f64],
    /// `μ(x_i, d)` and its mean, by dose of the grid.
    means: &'a [Vec<f64>],
    level: &'a [f64],
}

/// The regression of the score on the basis, with influence functions.
fn regressed(
    basis: &Basis,
    scored: &Scored,
    units: &Units,
    grid: Grid,
    name: &str,
) -> Result<Vec<Linearised>> {
    let p = basis.len();
    let Scored {
        dose,
        score,
        means,
        level,
    } = *scored;
    let rows: Vec<DVector<f64>> = dose.iter().map(|d| basis.at(*d)).collect();
    let (mut gram, mut product) = (DMatrix::zeros(p, p), DVector::zeros(p));
    // What the doses given weigh at each dose of the grid, by basis function.
    let mut over = DMatrix::zeros(p, level.len());
    for (i, b) in rows.iter().enumerate() {
        let w = units.weights[i];
        gram.ger(w, b, b, 1.0);
        product.axpy(w * score[i], b, 1.0);
        let (at, share) = grid.place(dose[i]);
        over.column_mut(at).axpy(w * (1.0 - share), b, 1.0);
        over.column_mut(at + 1).axpy(w * share, b, 1.0);
    }
    let inverse = gram
        .cholesky()
        .map(|c| c.inverse())
        .ok_or_else(|| Error::Unidentified {
            what: format!("the curve over `{name}`"),
            needs: "fewer `knots`: the doses do not tell them apart".to_owned(),
        })?;
    let beta = &inverse * product;
    let count = units.weighed as f64;
    let correction = (count / (count - 1.0)).sqrt();
    let over = &inverse * over;
    let mut parts: Vec<Linearised> = beta
        .iter()
        .map(|b| Linearised {
            estimate: *b,
            influence: vec![0.0; dose.len()],
        })
        .collect();
    for (i, b) in rows.iter().enumerate() {
        let mut psi = &inverse * b * (score[i] - b.dot(&beta));
        for (g, (column, level)) in means.iter().zip(level).enumerate() {
            psi.axpy(column[i] - level, &over.column(g), 1.0);
        }
        for (part, psi) in parts.iter_mut().zip(psi.iter()) {
            part.influence[i] = correction * units.weights[i] * psi;
        }
    }
    Ok(parts)
}
