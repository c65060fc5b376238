//! Means and ratios of means in every arm, adjusted for covariates and strata, from moments alone.

use super::effect::{ArmValue, Compared};
use crate::error::{Error, Result, Warning};
use crate::experiment::adjust::{Group, Slopes, linearise, slopes};
use crate::experiment::arm::{CellMoments, MomentMetric, Quotient, Sample};
use crate::experiment::metric::Metric;
use std::borrow::Cow;

/// A linear form in the variables: position and weight.
type Form = Vec<(usize, f64)>;

/// A metric in all arms.
pub(crate) struct Analysed {
    /// The bit of the metric.
    pub(crate) bits: u64,
    pub(crate) arms: Vec<Compared>,
    /// For every arm the linear form whose mean has the variance of the (adjusted) value.
    pub(crate) forms: Vec<Form>,
    /// The strata within which arms were compared, none when over all units at once; with the weight of each.
    pub(crate) strata: Option<Vec<usize>>,
    pub(crate) weights: Vec<f64>,
    /// The smallest absolute t statistic of a denominator among the arms, infinite without one.
    pub(crate) denominator_t: f64,
    /// Skewness in every arm of the metric's own variable, of a ratio of its residual `y − R x`.
    pub(crate) skewness: Vec<f64>,
}

/// The moments that one metric rests on: by arm and stratum, where strata are one when they are not used.
struct Table<'a> {
    cells: Vec<Vec<Cow<'a, CellMoments>>>,
    weights: Vec<f64>,
    strata: Option<Vec<usize>>,
}

/// Analyses one metric; `stratified` says whether arms are compared within strata and averaged by their sizes
/// (post-stratification, `T_a = Σ_s (n_s/n) Ȳ_as`).
pub(crate) fn analyse(
    sample: &Sample,
    plan: &MomentMetric,
    bit: usize,
    metric: &Metric,
    stratified: bool,
    warnings: &mut Vec<Warning>,
) -> Result<Analysed> {
    let bits = 1_u64 << bit;
    let table = table(sample, bits, stratified, &metric.label())?;
    let n_arms = sample.arms.len();
    let arm_mean = |a: usize| {
        let (cells, weights) = (&table.cells[a], &table.weights);
        move |v: usize| -> f64 { cells.iter().zip(weights).map(|(c, w)| w * c.mean(v)).sum() }
    };
    let mut all = CellMoments::empty(sample.plan.variables.len(), &[]);
    for cell in table.cells.iter().flatten() {
        all.join(cell);
    }

    let mut values = Vec::new();
    let mut covariates = Vec::new();
    for a in 0..n_arms {
        let (value, form) = linearise(&plan.value, arm_mean(a));
        if !value.is_finite() {
            return Err(Error::Unidentified {
                what: format!("`{}` in arm `{}`", metric.label(), sample.arms[a]),
                needs: "a denominator whose mean is not zero: in this arm it is zero for all units or cancels".to_owned(),
            });
        }
        values.push((value, form));
        covariates.push(
            (plan.covariates.iter())
                .map(|q| linearise(q, arm_mean(a)))
                .collect::<Vec<_>>(),
        );
    }
    let centre: Vec<(f64, Form)> = plan
        .covariates
        .iter()
        .map(|q| linearise(q, |v| all.mean(v)))
        .collect();
    let theta = find_slopes(metric, plan, &table, &all, &values, &covariates, &centre);
    warn_about_covariates(metric, &theta, warnings);

    let mut arms = Vec::new();
    let mut forms = Vec::new();
    for a in 0..n_arms {
        let (unadjusted, own) = &values[a];
        let (mut value, mut form) = (*unadjusted, own.clone());
        for ((slope, (x, direction)), (mean, _)) in
            theta.by_arm[a].iter().zip(&covariates[a]).zip(&centre)
        {
            if slope.abs() > 0.0 {
                value -= slope * (x - mean);
                form.extend(direction.iter().map(|(v, w)| (*v, -slope * w)));
            }
        }
        let parts = table.parts(a, &form);
        let units: u64 = table.cells[a].iter().map(|c| c.rows()).sum();
        let variance: f64 = parts.iter().map(|p| p.0).sum();
        let before: f64 = table.parts(a, own).iter().map(|p| p.0).sum();
        arms.push(Compared {
            record: ArmValue {
                metric: metric.label(),
                arm: sample.arms[a].clone(),
                units,
                value,
                std_error: variance.sqrt(),
                unit_variance: variance * units as f64,
                unadjusted: *unadjusted,
                unadjusted_variance: before * units as f64,
            },
            parts,
        });
        forms.push(form);
    }
    let denominator_t = match plan.value.denominator {
        None => f64::INFINITY,
        Some(below) => (0..n_arms)
            .map(|a| {
                let variance: f64 = table
                    .parts(a, &vec![(below, 1.0)])
                    .iter()
                    .map(|p| p.0)
                    .sum();
                arm_mean(a)(below).abs() / variance.sqrt()
            })
            .fold(f64::INFINITY, f64::min),
    };
    let skewness = (0..n_arms)
        .map(|a| {
            let moments = sample.arm_moments(a, bits);
            let Quotient {
                numerator,
                denominator,
            } = plan.value;
            match denominator {
                None => moments.skewness(numerator),
                Some(x) => moments.skewness_of_ratio(numerator, x, arms[a].record.unadjusted),
            }
        })
        .collect();
    Ok(Analysed {
        bits,
        arms,
        forms,
        strata: table.strata,
        weights: table.weights,
        denominator_t,
        skewness,
    })
}

impl Table<'_> {
    /// The variance of the mean of a linear form in an arm, `Σ_s W_s² S²_s / n_s`, stratum by stratum.
    fn parts(&self, arm: usize, form: &Form) -> Vec<(f64, f64)> {
        (self.cells[arm].iter().zip(&self.weights))
            .map(|(cell, w)| {
                let n = cell.n();
                let variance = cell.bilinear(form, form).max(0.0) / (n - 1.0);
                (w * w * variance / n, n - 1.0)
            })
            .collect()
    }
}

/// Gathers the cells of a metric and refuses those too small for a variance.
fn table<'a>(sample: &'a Sample, bits: u64, stratified: bool, metric: &str) -> Result<Table<'a>> {
    let strata = if stratified { sample.strata.len() } else { 1 };
    let cells: Vec<Vec<Cow<'a, CellMoments>>> = (0..sample.arms.len())
        .map(|a| {
            if stratified {
                (0..strata).map(|s| sample.moments(a, s, bits)).collect()
            } else {
                vec![sample.arm_moments(a, bits)]
            }
        })
        .collect();
    let total = |s: usize| cells.iter().map(|arm| arm[s].n()).sum::<f64>();
    let everybody: f64 = (0..strata).map(total).sum();
    for (arm, name) in cells.iter().zip(&sample.arms) {
        for (s, cell) in arm.iter().enumerate() {
            // A stratum nobody of which has the metric weighs nothing.
            if cell.rows() >= 2 || (stratified && total(s) <= 0.0) {
                continue;
            }
            let units = if sample.clustered {
                "clusters"
            } else {
                "units"
            };
            return Err(Error::Unidentified {
                what: format!(
                    "the variance of `{metric}` in arm `{name}`{}",
                    if stratified {
                        format!(
                            " and stratum `{}`, where it has {} {units}",
                            sample.strata[s],
                            cell.rows()
                        )
                    } else {
                        format!(", which has {} {units}", cell.rows())
                    }
                ),
                needs: if stratified {
                    "at least two units of every arm in every stratum: merge small strata, or analyse without them".to_owned()
                } else {
                    "at least two units of every arm that have the metric".to_owned()
                },
            });
        }
    }
    let used: Vec<usize> = (0..strata).filter(|s| total(*s) > 0.0).collect();
    let weights = used.iter().map(|s| total(*s) / everybody).collect();
    let cells = (cells.into_iter())
        .map(|arm| {
            let kept = arm
                .into_iter()
                .enumerate()
                .filter(|(s, _)| used.contains(s));
            kept.map(|(_, cell)| cell).collect()
        })
        .collect();
    Ok(Table {
        cells,
        weights,
        strata: stratified.then_some(used),
    })
}

fn find_slopes(
    metric: &Metric,
    plan: &MomentMetric,
    table: &Table<'_>,
    all: &CellMoments,
    values: &[(f64, Form)],
    covariates: &[Vec<(f64, Form)>],
    centre: &[(f64, Form)],
) -> Slopes {
    let forms: Vec<Vec<Form>> = covariates
        .iter()
        .map(|arm| arm.iter().map(|(_, form)| form.clone()).collect())
        .collect();
    let groups: Vec<Vec<Group<'_>>> = (table.cells.iter().zip(values).zip(&forms))
        .map(|((cells, (_, value)), covariates)| {
            let group = |moments| Group {
                moments,
                value,
                covariates,
            };
            cells.iter().map(|c| group(c.as_ref())).collect()
        })
        .collect();
    let (_, value) = linearise(&plan.value, |v| all.mean(v));
    let centre: Vec<Form> = centre.iter().map(|(_, form)| form.clone()).collect();
    let total = Group {
        moments: all,
        value: &value,
        covariates: &centre,
    };
    slopes(metric.slope, &groups, &total)
}

/// Names covariates that bring nothing.
fn warn_about_covariates(metric: &Metric, theta: &Slopes, warnings: &mut Vec<Warning>) {
    let names: Vec<String> = theta
        .dropped
        .iter()
        .map(|i| match metric.covariates.get(*i) {
            Some(c) => match &c.denominator {
                Some(below) => format!("{} / {below}", c.numerator),
                None => c.numerator.clone(),
            },
            None => "the prediction".to_owned(),
        })
        .collect();
    if !names.is_empty() {
        warnings.push(Warning::Note {
            message: format!(
                "`{}`: covariates that do not vary, or are combinations of others, were left out: {}",
                metric.label(),
                names.join(", ")
            ),
        });
    }
}
