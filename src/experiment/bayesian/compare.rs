//! Comparisons of posteriors by quadrature.

use super::law::{self, Law, Point};
use super::posterior::Posterior;
use crate::error::Result;
use crate::numeric::optimize::{brent_root, secant_root};
use crate::numeric::quadrature::{Rule, gauss_legendre};
use crate::numeric::special::normal;
use std::cell::OnceCell;

/// Nodes of each panel.
const NODES: usize = 14;
/// How exact the quantile of a difference is, as a share of where it is looked for.
const PRECISION: f64 = 1e-11;

/// The arms with a rule that integrates over where any of them has mass.
pub(super) struct Arms<'a> {
    posteriors: &'a [Posterior],
    laws: Vec<Law<'a>>,
    /// Weights of the rule, and what every arm says of its node.
    nodes: Vec<(f64, Vec<Point>)>,
    /// Nodes of each arm alone, with its density in their weights, once they are asked for.
    masses: Vec<OnceCell<Vec<(f64, f64)>>>,
    panel: Rule,
}

impl<'a> Arms<'a> {
    pub(super) fn new(posteriors: &'a [Posterior]) -> Result<Self> {
        let panel = gauss_legendre(NODES, 0.0, 1.0)?;
        let cuts: Vec<Vec<(f64, f64)>> = posteriors.iter().map(Posterior::cuts).collect();
        let all = cuts.iter().flatten();
        let range = all.fold([f64::INFINITY, f64::NEG_INFINITY], |[low, high], cut| {
            [low.min(cut.0), high.max(cut.0)]
        });
        let rule = gauss_legendre(law::NODES, -1.0, 1.0)?;
        let laws: Vec<Law> = (posteriors.iter())
            .map(|posterior| Law::new(posterior, range, &rule))
            .collect();
        let nodes = rolled(&posteriors[0], &panel, cuts.concat());
        Ok(Self {
            posteriors,
            nodes: (nodes.into_iter())
                .map(|(x, w)| (w, laws.iter().map(|law| law.at_parts(x)).collect()))
                .collect(),
            laws,
            masses: vec![OnceCell::new(); posteriors.len()],
            panel,
        })
    }

    fn masses(&self, i: usize) -> &[(f64, f64)] {
        self.masses[i].get_or_init(|| self.masses_between(i, self.posteriors[i].cuts()))
    }

    fn masses_between(&self, i: usize, cuts: Vec<(f64, f64)>) -> Vec<(f64, f64)> {
        let nodes = rolled(&self.posteriors[i], &self.panel, cuts).into_iter();
        nodes
            .map(|(x, w)| (x.0, w * self.laws[i].at_parts(x).density))
            .collect()
    }

    /// The mean of a function of an arm that is smooth but at two places, where it may rise like a small power: panels get narrower towards those within the body.
    fn mean_of(&self, i: usize, kinks: [f64; 2], f: impl Fn(f64) -> f64) -> f64 {
        const GRADES: i32 = 20;
        let sum = |masses: &[(f64, f64)]| masses.iter().map(|(x, mass)| mass * f(*x)).sum();
        let mut cuts = self.posteriors[i].cuts();
        let ends = (cuts[0].0, cuts[cuts.len() - 1].0);
        let inside = |x: &f64| *x > ends.0 && *x < ends.1;
        let before = cuts.len();
        for kink in kinks.into_iter().filter(inside) {
            cuts.push((kink, 1.0 - kink));
            for grade in 1..=GRADES {
                let step = (ends.1 - ends.0) * 0.25_f64.powi(grade);
                let near = [kink - step, kink + step].into_iter().filter(inside);
                cuts.extend(near.map(|x| (x, 1.0 - x)));
            }
        }
        if cuts.len() == before {
            sum(self.masses(i))
        } else {
            sum(&self.masses_between(i, cuts))
        }
    }

    /// P(arm has the largest mean) of each.
    pub(super) fn probability_best(&self) -> Vec<f64> {
        each(&self.nodes, best)
    }

    /// `E max_j θ_j − E θ_i = ∫ F_i (1 − Π_{j≠i} F_j)` of each: every term is positive, so that small losses keep their digits.
    pub(super) fn expected_loss(&self) -> Vec<f64> {
        each(&self.nodes, |i, arms| {
            let logs: f64 = others(i, arms).map(|arm| (-arm.above).ln_1p()).sum();
            arms[i].below * -logs.exp_m1()
        })
    }

    /// P(θ_i > shift + factor·θ_j), over the nodes of the narrower of the two: the other is smooth between them.
    pub(super) fn probability_above(&self, i: usize, j: usize, shift: f64, factor: f64) -> f64 {
        /// Widths that differ by less do not matter to the rule.
        const ALIKE: f64 = 4.0;
        let (arm, base) = (&self.laws[i], &self.laws[j]);
        // In the variable that such a shift or factor leaves alike in both.
        let width = |law: &Posterior| {
            law.deviation()
                * match law {
                    Posterior::T { .. } | Posterior::Normal { .. } => 1.0,
                    _ if shift.abs() > 0.0 => 1.0,
                    Posterior::Beta { .. } if factor.ln().abs() <= 0.0 => law.chart(law.mean()).1,
                    _ => 1.0 / law.mean(),
                }
        };
        let (first, second) = (&self.posteriors[i], &self.posteriors[j]);
        let (own, other) = (width(first), width(second));
        let alike = own < ALIKE * other && other < ALIKE * own;
        let centre = 0.5 * (first.mean() + second.mean());
        // A shift that leads across the end of what a mean may be leaves a kink there: of arms alike the one is moved away from the nearer end.
        let narrower = match first {
            Posterior::Beta { .. } if shift.abs() > 0.0 && alike => (shift < 0.0) == (centre < 0.5),
            Posterior::Gamma { .. } if shift.abs() > 0.0 && alike => shift < 0.0,
            _ => own < other,
        };
        // Where a shift leads across an end of what the mean of the other arm may be; without one ends meet ends.
        let kinks = match first {
            Posterior::Beta { .. } if shift.abs() > 0.0 || factor.ln().abs() > 0.0 => [0.0, 1.0],
            Posterior::Gamma { .. } if shift.abs() > 0.0 => [0.0; 2],
            _ => [f64::NAN; 2],
        };
        let found = if narrower {
            let kinks = kinks.map(|end| shift + factor * end);
            self.mean_of(i, kinks, |x| base.at((x - shift) / factor).below)
        } else {
            let kinks = kinks.map(|end| (end - shift) / factor);
            self.mean_of(j, kinks, |y| arm.at(shift + factor * y).above)
        };
        found.clamp(0.0, 1.0)
    }

    /// The quantile of an arm.
    pub(super) fn quantile(&self, i: usize, p: f64) -> f64 {
        self.laws[i].quantile(p)
    }

    /// The quantile of θ_i − θ_j.
    pub(super) fn difference_quantile(&self, i: usize, j: usize, p: f64) -> Result<f64> {
        let (arm, base) = (&self.posteriors[i], &self.posteriors[j]);
        let spread = arm.deviation().hypot(base.deviation());
        let range = self.ends(i, j, p);
        let range = [range[0][0] - range[1][1], range[0][1] - range[1][0]];
        crossing(p, arm.mean() - base.mean(), spread, range, |d| {
            self.probability_above(i, j, d, 1.0)
        })
    }

    /// The quantile of θ_i/θ_j − 1, for positive means; sought on the scale of logarithms, since the mean of control may be all but zero.
    pub(super) fn lift_quantile(&self, i: usize, j: usize, p: f64) -> Result<f64> {
        let (arm, base) = (&self.posteriors[i], &self.posteriors[j]);
        let relative = |law: &Posterior| law.deviation() / law.mean();
        let range = self.ends(i, j, p);
        let low = (range[0][0] / range[1][1]).max(f64::MIN_POSITIVE).ln();
        let high = (range[0][1] / range[1][0]).min(f64::MAX).ln();
        let centre = (arm.mean() / base.mean()).ln();
        let spread = relative(arm).hypot(relative(base));
        crossing(p, centre, spread, [low, high], |r| {
            self.probability_above(i, j, 0.0, r.exp())
        })
        .map(f64::exp_m1)
    }

    /// Ends of two arms: with a quarter of the tail beyond each, less than p lies below the lowest difference, and more below the highest.
    fn ends(&self, i: usize, j: usize, p: f64) -> [[f64; 2]; 2] {
        let tail = 0.25 * p.min(1.0 - p);
        [i, j].map(|arm| [tail, 1.0 - tail].map(|p| self.laws[arm].quantile(p)))
    }
}

/// Where the probability of being above is 1 − p: from a normal guess by the secant rule, else within the range.
fn crossing(
    p: f64,
    centre: f64,
    spread: f64,
    [low, high]: [f64; 2],
    above: impl Fn(f64) -> f64,
) -> Result<f64> {
    let gap = |x: f64| 1.0 - p - above(x);
    let z = normal::quantile(p);
    let (start, slope) = (centre + z * spread, normal::pdf(z) / spread);
    let found = secant_root(gap, start, slope, [low, high], PRECISION * (high - low));
    Ok(match found {
        Some(found) => found,
        None => brent_root(gap, low, high, PRECISION * (high - low))?.point,
    })
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

/// P(arm has the largest mean) of each, where nothing else is asked: polynomials do not pay then.
pub(in crate::experiment) fn probability_best(arms: &[Posterior]) -> Result<Vec<f64>> {
    const NODES: usize = 8;
    let panel = gauss_legendre(NODES, 0.0, 1.0)?;
    let cuts = arms.iter().flat_map(Posterior::cuts).collect();
    let nodes: Vec<(f64, Vec<Point>)> = (rolled(&arms[0], &panel, cuts).into_iter())
        .map(|(x, w)| {
            let at = |arm: &Posterior| Point::exact(arm, x.0);
            (w, arms.iter().map(at).collect())
        })
        .collect();
    Ok(each(&nodes, best))
}

/// The integral of a function of each arm.
fn each(nodes: &[(f64, Vec<Point>)], of: impl Fn(usize, &[Point]) -> f64) -> Vec<f64> {
    let arms = nodes.first().map_or(0, |(_, arms)| arms.len());
    (0..arms)
        .map(|i| nodes.iter().map(|(w, arms)| w * of(i, arms)).sum())
        .collect()
}

/// The density of an arm's mean where it is the largest.
fn best(i: usize, arms: &[Point]) -> f64 {
    let others = others(i, arms).map(|arm| arm.below);
    arms[i].density * others.product::<f64>()
}

fn others(i: usize, arms: &[Point]) -> impl Iterator<Item = &Point> {
    let others = arms.iter().enumerate().filter(move |(j, _)| *j != i);
    others.map(|(_, arm)| arm)
}

/// The rule on every stretch between two cuts, in the variable in which a density is smooth.
fn rolled(like: &Posterior, panel: &Rule, cuts: Vec<(f64, f64)>) -> Vec<((f64, f64), f64)> {
    let cuts = cuts.into_iter().map(|x| like.chart_of(x).0).collect();
    let nodes = spread(panel, cuts).into_iter();
    nodes
        .map(|(w, weight)| {
            let x = like.parts_at(w);
            (x, weight / like.chart_of(x).1)
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
