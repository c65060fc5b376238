//! The marginal likelihood by adaptive Gauss–Hermite quadrature: nodes around the posterior mode of each pattern.

use super::grid::prior_mean;
use super::marginal::Marginal;
use super::working::Work;
use crate::error::Result;
use crate::numeric::blocks;
use crate::numeric::quadrature::{Rule, gauss_hermite_normal};
use crate::numeric::special::normal;
use nalgebra::{DMatrix, DVector};

/// Patterns of a parallel block.
const BLOCK: usize = 256;

/// Steps of the search for a posterior mode, and halvings of one step.
const MOST_STEPS: usize = 60;
const MOST_HALVINGS: usize = 30;

/// The mode is found when a step is shorter than this in prior standard deviations; nodes need not be more exact.
const MODE_TOLERANCE: f64 = 1e-10;

/// The least share of the prior's precision that the curvature at the mode is taken to have (guessing bends the other way).
const LEAST_PRECISION: f64 = 0.25;

/// Value, gradient and minus the Hessian of the log-likelihood with respect to the working coefficients.
#[derive(Clone, Debug)]
pub(super) struct Sums {
    pub(super) value: f64,
    pub(super) gradient: DVector<f64>,
    pub(super) information: DMatrix<f64>,
}

/// The rule `∫ f(a) da ≈ τ √(2π) Σ_q w_q e^(z_q²/2) f(â + τ z_q)` with the posterior mode `â` and `τ² = −1/(ln f)″(â)` (Liu & Pierce
/// 1994, doi:10.1093/biomet/81.3.624). Derivatives hold the nodes fixed: they are those of the integral up to the error of the rule.
#[derive(Clone, Debug)]
pub(super) struct Adaptive {
    rule: Rule,
}

impl Adaptive {
    pub(super) fn new(nodes: usize) -> Result<Self> {
        Ok(Self {
            rule: gauss_hermite_normal(nodes)?,
        })
    }

    /// One pass over the patterns.
    pub(super) fn pass(&self, marginal: &Marginal<'_>, phi: &[f64]) -> Sums {
        let all = phi.len();
        let empty = || Sums {
            value: 0.0,
            gradient: DVector::zeros(all),
            information: DMatrix::zeros(all, all),
        };
        let work = |range: std::ops::Range<usize>| {
            let mut out = empty();
            let mut curve = Curve::new(marginal, phi);
            for pattern in range {
                curve.pattern = pattern;
                self.add(&mut curve, &mut out);
            }
            out
        };
        let merge = |total: &mut Sums, part: Sums| {
            total.value += part.value;
            total.gradient += part.gradient;
            total.information += part.information;
        };
        blocks::reduce(marginal.responses.patterns(), BLOCK, work, merge).unwrap_or_else(empty)
    }

    /// Adds one pattern.
    fn add(&self, curve: &mut Curve<'_>, out: &mut Sums) {
        let all = curve.phi.len();
        let weight = curve.marginal.responses.weight(curve.pattern);
        let (mode, scale) = curve.peak();
        let nodes: Vec<f64> = self.rule.nodes().iter().map(|z| mode + scale * z).collect();
        let constant = scale.ln() - normal::ln_pdf(0.0);
        let logs: Vec<f64> = (nodes.iter().zip(self.rule.nodes()).zip(self.rule.weights()))
            .map(|((a, z), w)| curve.at(*a)[0] + constant + w.ln() + 0.5 * z * z)
            .collect();
        let largest = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let sum: f64 = logs.iter().map(|v| (v - largest).exp()).sum();
        out.value += weight * (largest + sum.ln());
        let mut mean = DVector::zeros(all);
        let mut score = DVector::zeros(all);
        for (a, ln) in nodes.iter().zip(&logs) {
            let p = (ln - largest).exp() / sum;
            score.fill(0.0);
            curve.score(*a, p * weight, &mut score, &mut out.information);
            out.information.ger(-p * weight, &score, &score, 1.0);
            mean.axpy(p, &score, 1.0);
        }
        out.gradient.axpy(weight, &mean, 1.0);
        out.information.ger(weight, &mean, &mean, 1.0);
    }
}

/// The logarithm of prior times likelihood of one pattern as a function of ability.
struct Curve<'a> {
    marginal: &'a Marginal<'a>,
    phi: &'a [f64],
    pattern: usize,
    works: Vec<Work>,
}

impl<'a> Curve<'a> {
    fn new(marginal: &'a Marginal<'a>, phi: &'a [f64]) -> Self {
        let cuts = &marginal.structure.cuts;
        Self {
            marginal,
            phi,
            pattern: 0,
            works: cuts.iter().map(|c| Work::new(*c)).collect(),
        }
    }

    /// Mean and precision of ability before the answers.
    fn prior(&self) -> [f64; 2] {
        let (s, r) = (self.marginal.structure, self.marginal.responses);
        let ln_sd = self.phi[s.scale_at(r.group(self.pattern))];
        [
            prior_mean(s, self.phi, r, self.pattern),
            (-2.0 * ln_sd).exp(),
        ]
    }

    /// Value, slope and curvature; the items' derivatives stay in `works`.
    fn at(&mut self, ability: f64) -> [f64; 3] {
        let s = self.marginal.structure;
        let [mean, precision] = self.prior();
        let gap = ability - mean;
        let mut out = [
            normal::ln_pdf(0.0) + 0.5 * precision.ln() - 0.5 * precision * gap * gap,
            -precision * gap,
            -precision,
        ];
        for (k, category) in self.marginal.responses.answers(self.pattern) {
            let own = &self.phi[s.offsets[k]..s.offsets[k + 1]];
            let work = &mut self.works[k];
            work.at(s.models[k], own, ability);
            let [slope, bend] = work.by_ability(category, own[0]);
            out[0] += work.value(category);
            out[1] += slope;
            out[2] += bend;
        }
        out
    }

    /// The mode and the width of the curve there.
    fn peak(&mut self) -> (f64, f64) {
        let [mut mode, precision] = self.prior();
        let mut here = self.at(mode);
        for _ in 0..MOST_STEPS {
            let mut step = here[1] / (-here[2]).max(LEAST_PRECISION * precision);
            if step.abs() * precision.sqrt() < MODE_TOLERANCE {
                break;
            }
            let mut next = None;
            for _ in 0..MOST_HALVINGS {
                let there = self.at(mode + step);
                if there[0] >= here[0] {
                    next = Some((mode + step, there));
                    break;
                }
                step *= 0.5;
            }
            let Some(found) = next else { break };
            (mode, here) = found;
        }
        let width = 1.0 / (-here[2]).max(LEAST_PRECISION * precision).sqrt();
        (mode, width)
    }

    /// The score of the complete data at an ability; their information times `weight` is added.
    fn score(
        &mut self,
        ability: f64,
        weight: f64,
        score: &mut DVector<f64>,
        information: &mut DMatrix<f64>,
    ) {
        self.at(ability);
        let (s, r) = (self.marginal.structure, self.marginal.responses);
        for (k, category) in r.answers(self.pattern) {
            let (first, work) = (s.offsets[k], &self.works[k]);
            for i in 0..s.width(k) {
                score[first + i] = work.coefficient_gradient(category, i, ability);
                for j in 0..s.width(k) {
                    information[(first + i, first + j)] -=
                        weight * work.coefficient_hessian(category, i, j, ability);
                }
            }
        }
        let [mean, precision] = self.prior();
        let gap = ability - mean;
        let start = s.population_start();
        let scale = s.scale_at(r.group(self.pattern));
        let z = gap * gap * precision;
        score[scale] = z - 1.0;
        information[(scale, scale)] += weight * 2.0 * z;
        let loadings = self.marginal.loadings(self.pattern);
        for (i, x) in &loadings {
            let at = start + i;
            score[at] = x * gap * precision;
            information[(at, scale)] += weight * 2.0 * x * gap * precision;
            information[(scale, at)] += weight * 2.0 * x * gap * precision;
            for (j, y) in &loadings {
                information[(at, start + j)] += weight * x * y * precision;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::ability::ItemResponse;
    use crate::inference::Inference;

    #[test]
    fn both_rules_find_one_maximum() {
        let frame = crate::datasets::load("lsat6_patterns").unwrap();
        let model = ItemResponse::new(["item1", "item2", "item3", "item4", "item5"])
            .frequency_weights("count");
        let fixed = model.fit(&frame).unwrap();
        let adaptive = model.adaptive(25).fit(&frame).unwrap();
        assert!((fixed.log_likelihood() - adaptive.log_likelihood()).abs() < 1e-8);
        for (a, b) in fixed.coefficients().iter().zip(adaptive.coefficients()) {
            assert!((a.estimate - b.estimate).abs() < 1e-6, "{a} {b}");
            assert!((a.std_error - b.std_error).abs() < 1e-6, "{a} {b}");
        }
    }
}
