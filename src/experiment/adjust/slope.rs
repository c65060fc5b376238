//! The slope of a metric on its covariates from co-moments.

use crate::experiment::arm::{CellMoments, Quotient};
use crate::experiment::metric::CovariateSlope;
use crate::numeric::linalg::Cholesky;
use nalgebra::{DMatrix, DVector};

/// A linear form in the variables: position and weight.
pub(crate) type Form = Vec<(usize, f64)>;

/// The value of a quotient at means, and its gradient there: `Δ(N/D) ≈ ΔN/D − (N/D) ΔD/D`.
pub(crate) fn linearise(q: &Quotient, mean: impl Fn(usize) -> f64) -> (f64, Form) {
    match q.denominator {
        None => (mean(q.numerator), vec![(q.numerator, 1.0)]),
        Some(below) => {
            let denominator = mean(below);
            let ratio = mean(q.numerator) / denominator;
            let form = vec![
                (q.numerator, 1.0 / denominator),
                (below, -ratio / denominator),
            ];
            (ratio, form)
        }
    }
}

/// Co-moments of the units of one arm and stratum with the linear forms of the metric and its covariates there.
pub(crate) struct Group<'a> {
    pub(crate) moments: &'a CellMoments,
    pub(crate) value: &'a Form,
    pub(crate) covariates: &'a [Form],
}

/// One slope a covariate, for every arm; zero for a covariate that is a combination of those before it.
pub(crate) struct Slopes {
    pub(crate) by_arm: Vec<Vec<f64>>,
    pub(crate) dropped: Vec<usize>,
}

/// `θ = S_xx⁻¹ S_xy`, where the co-moments are summed within arms and strata, or within the arm alone, or over all units.
pub(crate) fn slopes(rule: CovariateSlope, groups: &[Vec<Group<'_>>], total: &Group<'_>) -> Slopes {
    let count = total.covariates.len();
    let mut dropped = Vec::new();
    let mut solve = |groups: &[&Group<'_>]| {
        let sum = |f: &dyn Fn(&Group<'_>) -> f64| groups.iter().map(|g| f(g)).sum::<f64>();
        let xx = DMatrix::from_fn(count, count, |i, j| {
            sum(&|g| g.moments.bilinear(&g.covariates[i], &g.covariates[j]))
        });
        let xy = DVector::from_fn(count, |i, _| {
            sum(&|g| g.moments.bilinear(&g.covariates[i], g.value))
        });
        let factor = Cholesky::new(&xx);
        let kept = factor.kept();
        let right = DVector::from_iterator(kept.len(), kept.iter().map(|i| xy[*i]));
        let solution = factor.solve_vector(&right);
        let mut theta = vec![0.0; count];
        for (slope, i) in solution.iter().zip(kept) {
            theta[*i] = *slope;
        }
        dropped.extend_from_slice(factor.dropped());
        theta
    };
    let by_arm = match rule {
        CovariateSlope::Total => vec![solve(&[total]); groups.len()],
        CovariateSlope::Within => {
            let all: Vec<&Group<'_>> = groups.iter().flatten().collect();
            vec![solve(&all); groups.len()]
        }
        CovariateSlope::PerArm => groups
            .iter()
            .map(|arm| solve(&arm.iter().collect::<Vec<_>>()))
            .collect(),
    };
    dropped.sort_unstable();
    dropped.dedup();
    Slopes { by_arm, dropped }
}
