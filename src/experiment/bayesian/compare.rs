//! Comparisons of posteriors by quadrature.

use super::posterior::Posterior;
use crate::error::Result;
use crate::numeric::optimize::brent_root;
use crate::numeric::quadrature::{Rule, gauss_legendre};
use crate::numeric::special::normal;

/// Nodes of each panel.
const NODES: usize = 10;
/// How exact the quantile of a difference is, as a share of where it is looked for.
const PRECISION: f64 = 1e-11;

/// The arms with a rule that integrates over where any of them has mass.
pub(super) struct Arms<'a> {
    laws: &'a [Posterior],
    nodes: Vec<(f64, f64)>,
    /// Nodes of each arm alone, with its density in their weights.
    masses: Vec<Vec<(f64, f64)>>,
}

impl<'a> Arms<'a> {
    pub(super) fn new(arms: &'a [Posterior]) -> Result<Self> {
        let panel = gauss_legendre(NODES, 0.0, 1.0)?;
        let cuts: Vec<Vec<f64>> = arms.iter().map(Posterior::cuts).collect();
        let masses = (arms.iter().zip(&cuts))
            .map(|(arm, cuts)| {
                let nodes = rolled(arm, &panel, cuts.clone()).into_iter();
                nodes.map(|(x, w)| (x, w * arm.pdf(x))).collect()
            })
            .collect();
        Ok(Self {
            nodes: rolled(&arms[0], &panel, cuts.concat()),
            masses,
            laws: arms,
        })
    }

    /// P(arm has the largest mean) of each.
    pub(super) fn probability_best(&self) -> Vec<f64> {
        (0..self.laws.len())
            .map(|i| {
                let beaten = |x: f64| self.others(i, x).product::<f64>();
                self.nodes
                    .iter()
                    .map(|(x, w)| w * self.laws[i].pdf(*x) * beaten(*x))
                    .sum()
            })
            .collect()
    }

    /// `E max_j θ_j − E θ_i = ∫ F_i (1 − Π_{j≠i} F_j)` of each: every term is positive, so that small losses keep their digits.
    pub(super) fn expected_loss(&self) -> Vec<f64> {
        (0..self.laws.len())
            .map(|i| {
                let lost = |x: f64| {
                    let logs: f64 = (self.laws.iter().enumerate())
                        .filter(|(j, _)| *j != i)
                        .map(|(_, arm)| (-arm.sf(x)).ln_1p())
                        .sum();
                    self.laws[i].cdf(x) * -logs.exp_m1()
                };
                self.nodes.iter().map(|(x, w)| w * lost(*x)).sum()
            })
            .collect()
    }

    fn others(&self, i: usize, x: f64) -> impl Iterator<Item = f64> {
        let others = self.laws.iter().enumerate().filter(move |(j, _)| *j != i);
        others.map(move |(_, arm)| arm.cdf(x))
    }

    /// P(θ_i > shift + factor·θ_j), over the nodes of the narrower of the two: the other is smooth between them.
    pub(super) fn probability_above(&self, i: usize, j: usize, shift: f64, factor: f64) -> f64 {
        let (arm, base) = (&self.laws[i], &self.laws[j]);
        let found: f64 = if arm.deviation() < factor * base.deviation() {
            self.masses[i]
                .iter()
                .map(|(x, mass)| mass * base.cdf((x - shift) / factor))
                .sum()
        } else {
            self.masses[j]
                .iter()
                .map(|(y, mass)| mass * arm.sf(shift + factor * y))
                .sum()
        };
        found.clamp(0.0, 1.0)
    }

    /// The quantile of θ_i − θ_j.
    pub(super) fn difference_quantile(&self, i: usize, j: usize, p: f64) -> Result<f64> {
        let (arm, base) = (&self.laws[i], &self.laws[j]);
        // With a quarter of the tail in each arm less than p lies below the first, and more below the second.
        let tail = 0.25 * p.min(1.0 - p);
        let low = arm.quantile(tail) - base.quantile(1.0 - tail);
        let high = arm.quantile(1.0 - tail) - base.quantile(tail);
        let gap = |d: f64| 1.0 - p - self.probability_above(i, j, d, 1.0);
        Ok(brent_root(gap, low, high, PRECISION * (high - low))?.point)
    }

    /// The quantile of θ_i/θ_j − 1, for positive means; sought on the scale of logarithms, since the mean of control may be all but zero.
    pub(super) fn lift_quantile(&self, i: usize, j: usize, p: f64) -> Result<f64> {
        let (arm, base) = (&self.laws[i], &self.laws[j]);
        let tail = 0.25 * p.min(1.0 - p);
        let low = (arm.quantile(tail) / base.quantile(1.0 - tail)).max(f64::MIN_POSITIVE);
        let high = (arm.quantile(1.0 - tail) / base.quantile(tail)).min(f64::MAX);
        let (low, high) = (low.ln(), high.ln());
        let gap = |r: f64| 1.0 - p - self.probability_above(i, j, 0.0, r.exp());
        Ok(brent_root(gap, low, high, PRECISION * (high - low))?
            .point
            .exp_m1())
    }
}

/// E max of independent normals.
pub(super) fn mean_of_largest(laws: &[(f64, f64)]) -> Result<f64> {
    let best = laws.iter().map(|l| l.0).fold(f64::NEG_INFINITY, f64::max);
    if laws.iter().all(|l| l.1 <= 0.0) {
        return Ok(best);
    }
    // E max = best + ∫_best^∞ (1 − ΠF) − ∫_{−∞}^best ΠF.
    let cdf = |x: f64, law: &(f64, f64)| {
        if law.1 > 0.0 {
            normal::cdf((x - law.0) / law.1)
        } else {
            f64::from(u8::from(x >= law.0))
        }
    };
    let below = |x: f64| laws.iter().map(|l| cdf(x, l)).product::<f64>();
    let panel = gauss_legendre(NODES, 0.0, 1.0)?;
    // Every law's own scale is cut, on either side of the best mean.
    let cuts = |up: bool| -> Vec<f64> {
        let steps = |law: &(f64, f64)| {
            let (mean, deviation) = *law;
            (-20..=20).map(move |k| mean + 0.5 * f64::from(k) * deviation)
        };
        let side = laws.iter().flat_map(steps);
        side.filter(|x| if up { *x > best } else { *x < best })
            .chain([best])
            .collect()
    };
    let up: f64 = spread(&panel, cuts(true))
        .iter()
        .map(|(x, w)| w * (1.0 - below(*x)))
        .sum();
    let down: f64 = spread(&panel, cuts(false))
        .iter()
        .map(|(x, w)| w * below(*x))
        .sum();
    Ok(best + up - down)
}

/// The rule on every stretch between two cuts, in the variable in which such densities are smooth.
fn rolled(like: &Posterior, panel: &Rule, cuts: Vec<f64>) -> Vec<(f64, f64)> {
    let cuts = cuts.into_iter().map(|x| like.unrolled(x)).collect();
    let nodes = spread(panel, cuts).into_iter();
    nodes
        .map(|(u, weight)| {
            let (x, slope) = like.rolled(u);
            (x, weight * slope)
        })
        .collect()
}

/// The rule on every stretch between two cuts.
fn spread(panel: &Rule, mut cuts: Vec<f64>) -> Vec<(f64, f64)> {
    cuts.retain(|c| c.is_finite());
    cuts.sort_by(f64::total_cmp);
    (cuts.windows(2).filter(|w| w[1] > w[0]))
        .flat_map(|w| {
            let width = w[1] - w[0];
            let nodes = panel.nodes().iter().zip(panel.weights());
            nodes
                .map(move |(x, weight)| (w[0] + width * x, width * weight))
                .collect::<Vec<_>>()
        })
        .collect()
}
