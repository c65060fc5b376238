//! Every estimator as a smooth function of means.

use super::fit::{LOGGED, OffPolicyFit, Threshold, filled};
use super::pass::{Means, Part, Plan, Sums};
use crate::inference::Estimate;
use nalgebra::{DMatrix, DVector};

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

    /// The number of rows and the sum of their squared weights.
    pub(super) fn rows_and_squared_weights(&self) -> (f64, f64) {
        let total = self.means.mean[0] * self.means.rows;
        let squares = self.means.comoment[(0, 0)] + total * self.means.mean[0];
        (self.means.rows, squares)
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
    // What SWITCH and DRos are without a threshold: DR, or IPS.
    let whole = list[if plan.has_model { 4 } else { 0 }].clone();
    let choose = |candidates: &[Smooth]| {
        plan.tuning
            .choose(&found, candidates, &whole, sums.largest, plan.residual)
    };
    let with_model = |name, part| found.sum(name, &[Part::Model, part]);
    if !plan.switch.is_empty() {
        let each = |k| with_model("SWITCH_DR", Part::SwitchResidual(k));
        let candidates: Vec<Smooth> = (0..plan.switch.len()).map(each).collect();
        let at = choose(&candidates);
        list.push(candidates[at].clone());
        switch = Some(threshold(&plan.switch, at));
        if plan.has_table {
            list.push(found.sum("SWITCH", &[Part::Switch(at)]));
        }
    }
    if !plan.shrink.is_empty() {
        let scores = |k| found.sum("IPS_shrunk", &[Part::Shrunk(k)]);
        let each = |k| {
            if plan.has_model {
                with_model("DRos", Part::ShrunkResidual(k))
            } else {
                scores(k)
            }
        };
        let candidates: Vec<Smooth> = (0..plan.shrink.len()).map(each).collect();
        let at = choose(&candidates);
        list.push(candidates[at].clone());
        if plan.has_model {
            list.push(scores(at));
        }
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
    let (rows, squares) = found.rows_and_squared_weights();
    let total = means.mean[0] * rows;
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
