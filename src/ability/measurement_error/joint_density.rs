//! The density of a row of the joint model, with derivatives by jets.

use super::options::Plain;
use crate::error::Result;
use crate::numeric::quadrature::{Rule, gauss_hermite_normal};
use crate::numeric::special::normal;
use crate::regression::binary::logistic;
use crate::regression::likelihood::{
    Likelihood, Quantity, RowFormula, Scalar, ln_add_exp, ln_normal_cdf, softplus,
};
use nalgebra::DVector;

/// Nodes over the posterior of the true score for the logit: exact to rounding for posteriors as narrow as scores have.
const NODES: usize = 21;

/// `ln √(2π)`.
const LN_ROOT_TWO_PI: f64 = 0.918_938_533_204_672_8;

/// The outcome's part of the density.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Linear,
    Probit,
    Logit,
}

/// Indices: x'β, θ, (ln σ_e,) x'γ, ln σ_a. Outcomes: y, s, v.
#[derive(Clone, Debug)]
pub(super) struct JointRows<const J: usize> {
    pub(super) kind: Kind,
    rule: Rule,
}

impl JointRows<5> {
    pub(super) fn linear() -> Result<Self> {
        Ok(Self {
            kind: Kind::Linear,
            rule: gauss_hermite_normal(1)?,
        })
    }
}

impl JointRows<4> {
    pub(super) fn probit() -> Result<Self> {
        Ok(Self {
            kind: Kind::Probit,
            rule: gauss_hermite_normal(1)?,
        })
    }

    pub(super) fn logit() -> Result<Self> {
        Ok(Self {
            kind: Kind::Logit,
            rule: gauss_hermite_normal(NODES)?,
        })
    }
}

impl<const J: usize> RowFormula<J> for JointRows<J> {
    fn log_density<T: Scalar>(&self, y: &[f64], indices: [T; J]) -> T {
        let [y, s, v] = [y[0], y[1], y[2]];
        let (eta, theta) = (indices[0], indices[1]);
        let (mean, ln_sigma) = (indices[J - 2], indices[J - 1]);
        let sigma = (ln_sigma * 2.0).exp();
        let total = sigma + v;
        let gap = -mean + s;
        let score = normal_log_density(gap, total);
        let share = sigma / total;
        let known = mean + share * gap;
        let unknown = share * v; // τ²
        let at = eta + theta * known;
        let spread = theta.square() * unknown;
        let outcome = match self.kind {
            Kind::Linear => normal_log_density(-at + y, (indices[2] * 2.0).exp() + spread),
            Kind::Probit => ln_normal_cdf(at * sign(y) / root(spread + 1.0)),
            Kind::Logit => self.average(at * sign(y), theta * root(unknown)),
        };
        score + outcome
    }

    fn predict(&self, what: Quantity, indices: &[f64]) -> Option<f64> {
        let (eta, theta) = (indices[0], indices[1]);
        let at = eta + theta * indices[J - 2];
        let spread = theta * indices[J - 1].exp();
        let one = || match self.kind {
            Kind::Linear => None,
            Kind::Probit => Some(normal::cdf(at / (1.0 + spread * spread).sqrt())),
            Kind::Logit => {
                let rule = gauss_hermite_normal(NODES).ok()?;
                Some(rule.integrate(|z| logistic(at + spread * z)))
            }
        };
        match what {
            Quantity::Mean if self.kind == Kind::Linear => Some(at),
            Quantity::Mean => one(),
            Quantity::Probability(y) if (y - 1.0).abs() <= 0.0 => one(),
            Quantity::Probability(y) if y.abs() <= 0.0 => one().map(|p| 1.0 - p),
            _ => None,
        }
    }
}

impl<const J: usize> JointRows<J> {
    /// `ln E Λ(at + width Z)`.
    fn average<T: Scalar>(&self, at: T, width: T) -> T {
        let nodes = self.rule.nodes().iter().zip(self.rule.weights());
        let each = nodes.map(|(z, w)| -softplus(-(at + width * *z)) + w.ln());
        each.reduce(ln_add_exp)
            .unwrap_or_else(|| T::constant(f64::NAN))
    }
}

/// `ln N(gap; 0, variance)`.
pub(super) fn normal_log_density<T: Scalar>(gap: T, variance: T) -> T {
    -(gap.square() / variance) * 0.5 - ln(variance) * 0.5 - LN_ROOT_TWO_PI
}

pub(super) fn ln<T: Scalar>(x: T) -> T {
    let at = x.value();
    x.chain([at.ln(), 1.0 / at, -1.0 / (at * at)])
}

/// √x; at zero its value alone (a score without error has a posterior without width, whatever σ_a is).
fn root<T: Scalar>(x: T) -> T {
    let at = x.value();
    if at <= 0.0 {
        return T::constant(0.0);
    }
    let root = at.sqrt();
    x.chain([root, 0.5 / root, -0.25 / (root * at)])
}

pub(super) fn sign(y: f64) -> f64 {
    if y > 0.5 { 1.0 } else { -1.0 }
}

/// Working parameters at the calibrated regression `fit` and true scores N(x'γ, σ_a²).
pub(super) fn linear_start(
    fit: &Plain,
    score: &str,
    gamma: &[f64],
    sigma: f64,
    y: &[f64],
    likelihood: &Likelihood,
) -> Vec<f64> {
    let theta = fit
        .names
        .iter()
        .position(|n| n == score)
        .map_or(0.0, |i| fit.estimates[i]);
    let mut coefficients = DVector::zeros(likelihood.parameters());
    let names = likelihood.names();
    let mut next = gamma.iter();
    for (value, name) in coefficients.iter_mut().zip(&names) {
        let found = fit.names.iter().position(|n| n == name);
        *value = if name == "ability.ln_sigma" {
            0.5 * sigma.ln()
        } else if name == "ln_sigma" {
            0.5 * (super::measured::variance(y) - theta * theta * sigma)
                .max(0.1 * super::measured::variance(y))
                .ln()
        } else if name.starts_with("ability.") {
            next.next().copied().unwrap_or(0.0)
        } else {
            found.map_or(0.0, |i| fit.estimates[i])
        };
    }
    let inverse = likelihood.inverse_map();
    (inverse * coefficients).as_slice().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::numeric::quadrature::Adaptive;

    /// The density is the integral over the true score that the model states.
    #[test]
    fn closed_forms_are_the_integrals_they_stand_for() {
        let (y, s, v): (f64, f64, f64) = (1.0, 0.7, 0.4);
        let (eta, theta, mean, ln_sigma): (f64, f64, f64, f64) = (-0.3, 1.4, 0.2, -0.1);
        let sigma = ln_sigma.exp();
        let integral = |outcome: &dyn Fn(f64) -> f64| {
            Adaptive::new()
                .relative_tolerance(1e-12)
                .integrate(
                    |a| {
                        outcome(eta + theta * a) * normal::pdf((s - a) / v.sqrt()) / v.sqrt()
                            * normal::pdf((a - mean) / sigma)
                            / sigma
                    },
                    -12.0,
                    12.0,
                )
                .unwrap()
                .value
                .ln()
        };
        let four = [eta, theta, mean, ln_sigma];
        let probit = JointRows::probit().unwrap().log_density(&[y, s, v], four);
        assert!((probit - integral(&normal::cdf)).abs() < 1e-10);
        let logit = JointRows::logit().unwrap().log_density(&[y, s, v], four);
        assert!((logit - integral(&logistic)).abs() < 1e-10, "{logit}");
        let linear = JointRows::linear()
            .unwrap()
            .log_density(&[y, s, v], [eta, theta, 0.25, mean, ln_sigma]);
        let sd = 0.25_f64.exp();
        let expected = integral(&|at| normal::pdf((y - at) / sd) / sd);
        assert!((linear - expected).abs() < 1e-10, "{linear} {expected}");
    }

    #[test]
    fn predictions_average_over_the_true_score() {
        let rows = JointRows::probit().unwrap();
        let p = rows
            .predict(Quantity::Mean, &[0.1, 0.5, 0.3, -0.2])
            .unwrap();
        let spread = 0.5 * (-0.2_f64).exp();
        assert!((p - normal::cdf(0.25 / (1.0 + spread * spread).sqrt())).abs() < 1e-15);
        assert_eq!(rows.predict(Quantity::Probability(0.5), &[0.0; 4]), None);
    }
}
