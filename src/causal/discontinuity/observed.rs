//! The rows in use, split at the cutoff.

use super::bandwidth::mass_points;
use super::regression_discontinuity::RegressionDiscontinuity;
use super::side::Side;
use crate::causal::arms::{check_weights, measured};
use crate::causal::sample::cluster_codes;
use crate::data::formula::Term;
use crate::data::{Design, Formula, Frame, Real, Rows};
use crate::error::{Error, Result, Warning};
use crate::summary::Moments;
use nalgebra::DMatrix;

/// Interquartile range of a normal distribution of variance one, to the digits that the field uses.
const NORMAL_QUARTILES: f64 = 1.349;

/// Ranges of a running variable whose powers neither overflow nor vanish.
const SIZES: std::ops::RangeInclusive<f64> = 1e-15..=1e15;
/// Fewer rows than this within the bandwidth on a side are said in a warning.
const FEW_ROWS: usize = 20;

/// Both sides of the cutoff, left first.
pub(super) struct Observed {
    pub(super) sides: [Side; 2],
    pub(super) rows: Rows,
    /// Standard deviation or normalised interquartile range of the running variable, the smaller.
    pub(super) spread: f64,
    /// Whether treatment varies on both sides, so that its error counts in bandwidths.
    pub(super) ratio: bool,
    /// Names of the covariates in use.
    pub(super) covariates: Vec<String>,
    pub(super) warnings: Vec<Warning>,
}

impl Observed {
    pub(super) fn read(model: &RegressionDiscontinuity, frame: &Frame) -> Result<Self> {
        let terms = model.covariates.as_deref().unwrap_or("1");
        let formula = Formula::from(format!("`{}` ~ {terms}", model.outcome).as_str()).parse()?;
        let everything = formula.exogenous().iter().any(Term::has_everything);
        if everything || !(formula.effects().is_empty() && formula.endogenous().is_empty()) {
            return Err(Error::invalid_option(
                "covariates",
                format!("`{terms}`"),
                "covariates by name, without `.` and `|`",
            ));
        }
        let also: Vec<&str> = std::iter::once(&model.running)
            .chain(&model.treatment)
            .chain(&model.weights)
            .map(String::as_str)
            .collect();
        let read = |name: &str| numbers(frame, name);
        let running = read(&model.running)?;
        let treatment = model.treatment.as_deref().map(read).transpose()?;
        let weights = model.weights.as_deref().map(read).transpose()?;
        let mut design = Design::build(&formula, frame, &also)?;
        let total = design.rows.len();
        if let (Some(column), Some(weights)) = (&model.weights, &weights) {
            let own = design.rows.gather(weights.values());
            check_weights(column, &own, |row| design.rows.index(row))?;
            let keep: Vec<bool> = own.iter().map(|w| *w > 0.0).collect();
            design.restrict(&keep);
        }
        let distance = |values: &[f64]| -> Vec<f64> {
            design
                .rows
                .gather(values)
                .iter()
                .map(|x| x - model.cutoff)
                .collect()
        };
        let mut x = distance(running.values());
        check_range(&model.running, model.cutoff, &x)?;
        if model.donut > 0.0 {
            let keep: Vec<bool> = x.iter().map(|x| x.abs() >= model.donut).collect();
            design.restrict(&keep);
            x.retain(|x| x.abs() >= model.donut);
        }
        let names = ["left", "right"];
        let split = [false, true].map(|right| -> Vec<u32> {
            (0..x.len() as u32)
                .filter(|i| (x[*i as usize] >= 0.0) == right)
                .collect()
        });
        if let Some(side) = (0..2).find(|side| split[*side].is_empty()) {
            return Err(Error::NoRows {
                reason: format!(
                    "the {} of the cutoff {} of `{}` is empty; make the donut of {} smaller",
                    names[side], model.cutoff, model.running, model.donut
                ),
            });
        }
        let mut warnings = Vec::new();
        let dropped = design.rows.total() - total;
        if dropped > 0 {
            warnings.push(Warning::RowsDropped {
                dropped,
                missing: design.missing.clone(),
            });
        }
        let mut columns = vec![design.outcome.values(&design.rows)];
        columns.extend(treatment.map(|t| design.rows.gather(t.values())));
        let (covariates, mut values) = independent(&design, &mut warnings)?;
        columns.append(&mut values);
        let weights = weights.map(|w| design.rows.gather(w.values()));
        let clusters = cluster_codes(model.clusters.as_deref(), frame, &design.rows)?;
        let side = |at: usize| {
            Side::new(
                names[at],
                &x,
                &split[at],
                &columns,
                weights.as_deref(),
                clusters.as_deref(),
            )
        };
        let sides = [side(0), side(1)];
        Ok(Self {
            ratio: model.treatment.is_some() && treatment_varies(model, &sides)?,
            spread: spread(&x)?,
            rows: design.rows,
            covariates,
            warnings,
            sides,
        })
    }
}

/// A column of numbers.
///
/// # Errors
/// `WrongKind`, `UnknownColumn`, `Infinite`.
pub(super) fn numbers(frame: &Frame, name: &str) -> Result<Real> {
    measured(frame, name).map_err(|error| {
        error
            .with_remedy(|column| format!("correct the text, or make numbers of `{column}` before"))
    })
}

/// Refuses a cutoff without rows on both sides; x are distances from it.
pub(super) fn check_range(running: &str, cutoff: f64, x: &[f64]) -> Result<()> {
    let low = x.iter().copied().fold(f64::INFINITY, f64::min);
    let high = x.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if low < 0.0 && high > 0.0 {
        return if SIZES.contains(&(high - low)) {
            Ok(())
        } else {
            Err(Error::Unidentified {
                what: format!(
                    "a jump along `{running}`, whose values are {:e} apart",
                    high - low
                ),
                needs: "a running variable in units of its own size: powers of its distances are not numbers that a computer has".to_owned(),
            })
        };
    }
    Err(Error::invalid_option(
        "cutoff",
        cutoff,
        format!(
            "inside the range of `{running}`, which is {} to {}: a jump there needs rows on both sides",
            low + cutoff,
            high + cutoff
        ),
    ))
}

/// A warning when values on a side repeat so often that they are mass points.
pub(super) fn mass_point_warning(
    running: &str,
    values: [usize; 2],
    rows: [usize; 2],
    consequence: &str,
) -> Option<Warning> {
    (0..2).any(|side| mass_points(values[side], rows[side])).then(|| Warning::Note {
        message: format!(
            "the running variable `{running}` has mass points: {} and {} distinct values on the left and right in {} and {} rows; {consequence}",
            values[0], values[1], rows[0], rows[1]
        ),
    })
}

/// A warning when few rows are within the bandwidth on a side.
pub(super) fn few_rows_warning(rows: [usize; 2], consequence: &str) -> Option<Warning> {
    rows.iter().any(|n| *n < FEW_ROWS).then(|| Warning::Note {
        message: format!(
            "only {} and {} rows within the bandwidth on the left and right: {consequence}",
            rows[0], rows[1]
        ),
    })
}

/// The covariates that vary and that earlier ones do not span; the others are named in warnings.
fn independent(
    design: &Design,
    warnings: &mut Vec<Warning>,
) -> Result<(Vec<String>, Vec<Vec<f64>>)> {
    let values: Vec<Vec<f64>> = (design.exogenous.iter())
        .map(|column| column.values(&design.rows))
        .collect();
    if values.is_empty() {
        return Ok((Vec::new(), values));
    }
    let borrowed: Vec<&[f64]> = values.iter().map(Vec::as_slice).collect();
    let moments = Moments::of(&borrowed, None)?;
    let (mean, products): (_, DMatrix<f64>) = (moments.mean(), moments.comoment());
    let n = design.rows.len() as f64;
    let constant: Vec<usize> = (0..values.len())
        .filter(|k| (products[(*k, *k)] / n).sqrt() <= 1e-12 * mean[*k].abs())
        .collect();
    let mut open = products;
    for k in &constant {
        open.row_mut(*k).fill(0.0);
        open.column_mut(*k).fill(0.0);
    }
    let factor = crate::numeric::linalg::Cholesky::new(&open);
    let name = |k: &usize| design.exogenous[*k].name.clone();
    if !constant.is_empty() {
        warnings.push(Warning::Constant {
            columns: constant.iter().map(name).collect(),
        });
    }
    let spanned: Vec<String> = (factor.dropped().iter())
        .filter(|k| !constant.contains(k))
        .map(name)
        .collect();
    if !spanned.is_empty() {
        warnings.push(Warning::Collinear { columns: spanned });
    }
    let kept = factor.kept();
    Ok((
        kept.iter().map(name).collect(),
        kept.iter().map(|k| values[*k].clone()).collect(),
    ))
}

/// Whether treatment varies on both sides.
///
/// # Errors
/// `Unidentified` when it is the same everywhere.
fn treatment_varies(model: &RegressionDiscontinuity, sides: &[Side; 2]) -> Result<bool> {
    let ends = |side: &Side| {
        let values = &side.columns[1];
        (
            values.iter().copied().fold(f64::INFINITY, f64::min),
            values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        )
    };
    let [left, right] = [ends(&sides[0]), ends(&sides[1])];
    if left.0.min(right.0) < left.1.max(right.1) {
        return Ok(left.0 < left.1 && right.0 < right.1);
    }
    let column = model.treatment.as_deref().unwrap_or_default();
    Err(Error::Unidentified {
        what: format!("the effect of `{column}`, which is {} on all rows", left.0),
        needs: "a treatment that differs between the sides of the cutoff; name the column of the treatment that was taken, or leave `.fuzzy(…)` out".to_owned(),
    })
}

/// Standard deviation or normalised interquartile range, the smaller; quartiles are means of two order statistics where one would be arbitrary.
fn spread(x: &[f64]) -> Result<f64> {
    let mut sorted = x.to_vec();
    let n = sorted.len();
    let mut order = |k: usize| {
        *sorted
            .select_nth_unstable_by(k.min(n - 1), f64::total_cmp)
            .1
    };
    let mut quartile = |quarters: usize| {
        let at = quarters * n / 4;
        if (quarters * n).is_multiple_of(4) {
            f64::midpoint(order(at - 1), order(at))
        } else {
            order(at)
        }
    };
    let between = (quartile(3) - quartile(1)) / NORMAL_QUARTILES;
    let deviation = Moments::of(&[x], None)?.covariance(1.0)[(0, 0)].sqrt();
    Ok(if between > 0.0 {
        deviation.min(between)
    } else {
        deviation
    })
}
