//! Every estimator as a smooth function of means, and the choice among thresholds by the data.

use super::fit::{LOGGED, OffPolicyFit, Threshold, filled};
use super::pass::{Means, Part, Plan, Sums};
use crate::inference::Estimate;
use crate::numeric::special::normal;
use nalgebra::{DMatrix, DVector};

/// The level of the intervals that SLOPE compares.
const SLOPE_LEVEL: f64 = 0.95;

/// A function of means and its derivatives there.
#[derive(Clone, Debug)]
pub(super) struct Smooth {
    pub(super) name: &'static str,
    pub(super) value: f64,
    slope: Vec<(usize, f64)>,
}

/// The means of a pass by their meaning.
#[derive(Clone, Debug)]
pub(super) struct Found<'a> {
    pub(super) means: &'a Means,
    parts: Vec<Part>,
}

impl<'a> Found<'a> {
    pub(super) fn new(plan: &Plan, means: &'a Means) -> Self {
        Self {
            means,
            parts: plan.parts(),
        }
    }

    fn at(&self, part: Part) -> usize {
        // Every part that an estimator asks for is among those that its plan made.
        self.parts.iter().position(|p| *p == part).unwrap_or(0)
    }

    /// A sum of means.
    pub(super) fn sum(&self, name: &'static str, parts: &[Part]) -> Smooth {
        let slope: Vec<(usize, f64)> = parts.iter().map(|p| (self.at(*p), 1.0)).collect();
        Smooth {
            name,
            value: slope.iter().map(|(j, _)| self.means.mean[*j]).sum(),
            slope,
        }
    }

    /// A mean over that of the weights, added to another mean if there is one.
    pub(super) fn normalised(&self, name: &'static str, top: Part, plus: Option<Part>) -> Smooth {
        let (top, weight) = (self.at(top), self.at(Part::Weight));
        let total = self.means.mean[weight];
        let ratio = self.means.mean[top] / total;
        let mut slope = vec![(top, 1.0 / total), (weight, -ratio / total)];
        let mut value = ratio;
        if let Some(plus) = plus {
            slope.push((self.at(plus), 1.0));
            value += self.means.mean[self.at(plus)];
        }
        Smooth { name, value, slope }
    }

    /// Values and covariance of functions of means, by the delta method: the covariance of their influence functions.
    pub(super) fn joint(&self, functions: &[Smooth]) -> (DVector<f64>, DMatrix<f64>) {
        let mut jacobian = DMatrix::zeros(functions.len(), self.parts.len());
        for (i, function) in functions.iter().enumerate() {
            for (j, slope) in &function.slope {
                jacobian[(i, *j)] += slope;
            }
        }
        let covariance = &jacobian * &self.means.covariance * jacobian.transpose();
        (
            DVector::from_iterator(functions.len(), functions.iter().map(|f| f.value)),
            crate::numeric::linalg::symmetrize(&covariance),
        )
    }

    /// The threshold that SLOPE chooses among those sorted from least bias to least noise: the last of which no earlier one differs by more than
    /// the half-length of its interval and √6 − 1 times that of the earlier one (Tucker & Lee 2021). One threshold needs no choice.
    pub(super) fn slope(&self, candidates: &[Smooth]) -> usize {
        let (values, covariance) = self.joint(candidates);
        let wide = normal::quantile(0.5 + SLOPE_LEVEL / 2.0);
        let half = |i: usize| wide * covariance[(i, i)].max(0.0).sqrt();
        let agrees = |i: usize| {
            (0..i)
                .all(|j| (values[i] - values[j]).abs() <= half(i) + (6_f64.sqrt() - 1.0) * half(j))
        };
        (1..candidates.len())
            .take_while(|i| agrees(*i))
            .last()
            .unwrap_or(0)
    }
}

/// From means to estimates.
pub(super) fn conclude(
    plan: &Plan,
    sums: &Sums,
    means: &Means,
    clustered: bool,
    level: f64,
) -> OffPolicyFit {
    let found = Found::new(plan, means);
    let mut list = vec![
        found.sum("IPS", &[Part::Earned]),
        found.normalised("SNIPS", Part::Earned, None),
        found.sum(LOGGED, &[Part::Reward]),
    ];
    let (mut switch, mut shrinkage) = (None, None);
    if plan.has_model {
        list.push(found.sum("DM", &[Part::Model]));
        list.push(found.sum("DR", &[Part::Model, Part::Residual]));
        list.push(found.normalised("SNDR", Part::Residual, Some(Part::Model)));
    }
    let with_model = |name, part| found.sum(name, &[Part::Model, part]);
    if !plan.switch.is_empty() {
        let each = |k| with_model("SWITCH_DR", Part::SwitchResidual(k));
        let at = choose(&found, plan.switch.len(), each, &mut list);
        switch = Some(threshold(&plan.switch, at));
        if plan.has_table {
            list.push(found.sum("SWITCH", &[Part::Switch(at)]));
        }
    }
    if !plan.shrink.is_empty() {
        let scores = |k| found.sum("IPS_shrunk", &[Part::Shrunk(k)]);
        let at = if plan.has_model {
            let each = |k| with_model("DRos", Part::ShrunkResidual(k));
            let at = choose(&found, plan.shrink.len(), each, &mut list);
            list.push(scores(at));
            at
        } else {
            choose(&found, plan.shrink.len(), scores, &mut list)
        };
        shrinkage = Some(threshold(&plan.shrink, at));
    }
    let freedom = if clustered || means.units < 2 {
        means.units as f64 - 1.0
    } else {
        f64::INFINITY
    };
    let record = |name: &str, estimate: f64, variance: f64| Estimate {
        name: name.to_owned(),
        estimate,
        std_error: variance.max(0.0).sqrt(),
        degrees_of_freedom: freedom,
    };
    let (values, covariance) = found.joint(&list);
    let rows = sums.rows();
    let total = means.mean[0] * rows;
    let squares = means.comoment[(0, 0)] + total * means.mean[0];
    let known = plan.has_table.then(|| sums.unsupported / rows);
    let mut fit = OffPolicyFit {
        names: list.iter().map(|f| f.name.to_owned()).collect(),
        records: (0..list.len())
            .map(|i| record(list[i].name, values[i], covariance[(i, i)]))
            .collect(),
        values,
        mean_weight: record("mean weight", means.mean[0], means.covariance[(0, 0)]),
        covariance,
        effective_rows: total * total / squares,
        largest_weight: sums.largest,
        clipped: sums.clipped,
        rows: rows as usize,
        level,
        unsupported: known,
        switch,
        shrinkage,
        weights: filled(sums),
        warnings: Vec::new(),
    };
    fit.warn();
    fit
}

fn threshold(values: &[f64], at: usize) -> Threshold {
    Threshold {
        value: values[at],
        chosen: values.len() > 1,
    }
}

/// Adds the estimator with the threshold that is chosen, and tells which.
fn choose(
    found: &Found,
    count: usize,
    each: impl Fn(usize) -> Smooth,
    list: &mut Vec<Smooth>,
) -> usize {
    let candidates: Vec<Smooth> = (0..count).map(each).collect();
    let at = found.slope(&candidates);
    list.extend(candidates.into_iter().nth(at));
    at
}
