//! What is believed of one arm after its data.

use super::model::NormalPrior;
use crate::error::Result;
use crate::numeric::quadrature::gauss_legendre;
use crate::numeric::special::kernel::{exp_m1_minus, ln_1p_minus};
use crate::numeric::special::{beta, gamma, normal, student_t};
use serde::{Deserialize, Serialize};
use std::f64::consts::{LN_2, SQRT_2};

/// Probability beyond which the tails of what is integrated are left out.
const TAIL: f64 = 1e-13;
/// Probability of the variance of logs that is cut off above: without a bound the mean of a log-normal has no posterior mean.
const VARIANCE_TAIL: f64 = 1e-12;
/// Nodes over the share of buyers and over the variance of logs.
const NODES: usize = 32;
/// Points of a tabulated distribution, and how far they reach, in standard deviations of the logarithm.
const POINTS: usize = 513;
const REACH: f64 = 9.0;
/// Points of a tabulated distribution between two cuts.
const EVERY: usize = 16;
/// Where the body of a posterior ends: how far the logarithm of the density has fallen from the mode. Beyond lies 10⁻¹⁷.
pub(super) const BODY: f64 = 36.0;
/// The same but for the inexactness of [`Posterior::falls_by`].
const LAST: f64 = 0.99 * BODY;
/// Where the density is nothing.
const NOTHING: f64 = 740.0;

/// The posterior of the mean outcome of one arm.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(in crate::experiment) enum Posterior {
    Beta { a: f64, b: f64 },
    T { df: f64, centre: f64, scale: f64 },
    Gamma { shape: f64, rate: f64 },
    Normal { mean: f64, sd: f64 },
    Table(Tabulated),
}

/// A positive quantity by its distribution function and density in the logarithm, on equal steps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(in crate::experiment) struct Tabulated {
    start: f64,
    step: f64,
    cdf: Vec<f64>,
    density: Vec<f64>,
    mean: f64,
    deviation: f64,
}

/// Mean revenue of the posterior, and what it would be with a wider bound on the variance of logs.
pub(super) struct Revenue {
    pub(super) posterior: Posterior,
    pub(super) wider_mean: f64,
}

impl Posterior {
    pub(super) fn mean(&self) -> f64 {
        match self {
            Self::Beta { a, b } => a / (a + b),
            Self::T { centre, .. } => *centre,
            Self::Gamma { shape, rate } => shape / rate,
            Self::Normal { mean, .. } => *mean,
            Self::Table(t) => t.mean,
        }
    }

    pub(super) fn deviation(&self) -> f64 {
        match self {
            Self::Beta { a, b } => (a * b / (a + b + 1.0)).sqrt() / (a + b),
            Self::T { df, scale, .. } => scale * (df / (df - 2.0)).sqrt(),
            Self::Gamma { shape, rate } => shape.sqrt() / rate,
            Self::Normal { sd, .. } => *sd,
            Self::Table(t) => t.deviation,
        }
    }

    pub(super) fn pdf(&self, x: f64) -> f64 {
        match self {
            Self::Beta { a, b } => {
                if x > 0.0 && x < 1.0 {
                    beta::pdf(*a, *b, x)
                } else {
                    0.0
                }
            }
            Self::T { df, centre, scale } => student_t::pdf((x - centre) / scale, *df) / scale,
            Self::Gamma { shape, rate } => {
                if x > 0.0 {
                    rate * gamma::pdf(*shape, rate * x)
                } else {
                    0.0
                }
            }
            Self::Normal { mean, sd } => normal::pdf((x - mean) / sd) / sd,
            Self::Table(t) => t.at(x).1,
        }
    }

    pub(super) fn cdf(&self, x: f64) -> f64 {
        match self {
            Self::Beta { a, b } => beta::regularized(*a, *b, x.clamp(0.0, 1.0)),
            Self::T { df, centre, scale } => student_t::cdf((x - centre) / scale, *df),
            Self::Gamma { shape, rate } => gamma::lower_regularized(*shape, rate * x.max(0.0)),
            Self::Normal { mean, sd } => normal::cdf((x - mean) / sd),
            Self::Table(t) => t.at(x).0,
        }
    }

    pub(super) fn sf(&self, x: f64) -> f64 {
        match self {
            Self::Beta { a, b } => beta::upper_regularized(*a, *b, x.clamp(0.0, 1.0)),
            Self::T { df, centre, scale } => student_t::sf((x - centre) / scale, *df),
            Self::Gamma { shape, rate } => gamma::upper_regularized(*shape, rate * x.max(0.0)),
            Self::Normal { mean, sd } => normal::sf((x - mean) / sd),
            Self::Table(t) => 1.0 - t.at(x).0,
        }
    }

    pub(super) fn quantile(&self, p: f64) -> f64 {
        match self {
            Self::Beta { a, b } => beta::quantile(*a, *b, p),
            Self::T { df, centre, scale } => centre + scale * student_t::quantile(p, *df),
            Self::Gamma { shape, rate } => gamma::quantile(*shape, p) / rate,
            Self::Normal { mean, sd } => mean + sd * normal::quantile(p),
            Self::Table(t) => t.quantile(p),
        }
    }

    /// A variable w that is zero at a mode and in which the density is proportional to the exponential of a concave function, and its derivative: log odds,
    /// logarithms, the inverse hyperbolic sine of a Student's t.
    pub(super) fn chart(&self, x: f64) -> (f64, f64) {
        self.chart_of((x, 1.0 - x))
    }

    /// The same of a mean and what it lacks of one, which has digits of its own where a rate is all but one.
    pub(super) fn chart_of(&self, (x, y): (f64, f64)) -> (f64, f64) {
        match self {
            Self::Beta { a, b } => ((x / y * (b / a)).ln(), 1.0 / (x * y)),
            Self::T { df, centre, scale } => {
                let unit = scale * df.sqrt();
                let t = (x - centre) / unit;
                (t.asinh(), 1.0 / (unit * t.hypot(1.0)))
            }
            Self::Gamma { shape, rate } => ((x * rate / shape).ln(), 1.0 / x),
            Self::Normal { mean, sd } => ((x - mean) / sd, 1.0 / sd),
            Self::Table(_) => (x.ln(), 1.0 / x),
        }
    }

    /// The mean at a place of the chart.
    pub(super) fn mean_at(&self, w: f64) -> f64 {
        match self {
            Self::Beta { a, b } => 1.0 / (1.0 + b / a * (-w).exp()),
            Self::T { df, centre, scale } => centre + scale * df.sqrt() * w.sinh(),
            Self::Gamma { shape, rate } => shape / rate * w.exp(),
            Self::Normal { mean, sd } => mean + sd * w,
            Self::Table(_) => w.exp(),
        }
    }

    /// The same, and what it lacks of one.
    pub(super) fn parts_at(&self, w: f64) -> (f64, f64) {
        let x = self.mean_at(w);
        match self {
            Self::Beta { a, b } => (x, 1.0 / (1.0 + a / b * w.exp())),
            _ => (x, 1.0 - x),
        }
    }

    /// By how much the logarithm of the density in the chart has fallen since the mode, and its derivative.
    pub(super) fn drop(&self, w: f64) -> (f64, f64) {
        /// Beyond, eʷ is all of eʷ − 1.
        const FAR: f64 = 40.0;
        /// Parts so small may cancel: what is left of them is good to 10⁻¹³.
        const SMALL: f64 = 1e3;
        match self {
            // (a + b) ln(1 + p(eʷ − 1)) − a w with p = a/(a + b), at most one half so that nothing cancels.
            Self::Beta { a, b } if a > b => {
                let (d, slope) = Self::Beta { a: *b, b: *a }.drop(-w);
                (d, -slope)
            }
            Self::Beta { a, b } => {
                let (n, p) = (a + b, a / (a + b));
                if w > FAR {
                    return (n * p.ln() + b * w, *b);
                }
                let grown = w.exp_m1();
                let d = if a * w.abs() < SMALL {
                    n * (p * grown).ln_1p() - a * w
                } else {
                    n * ln_1p_minus(p * grown) + a * exp_m1_minus(w)
                };
                (d, a * b * grown / (b + a * (1.0 + grown)))
            }
            Self::T { df, .. } => {
                let half = (0.5 * w).sinh();
                let d = if w.abs() > FAR {
                    df * (w.abs() - LN_2)
                } else {
                    df * (2.0 * half * half).ln_1p()
                };
                (d, df * w.tanh())
            }
            Self::Gamma { shape, .. } => (shape * exp_m1_minus(w), shape * w.exp_m1()),
            Self::Normal { .. } | Self::Table(_) => (0.5 * w * w, w),
        }
    }

    /// Where, above (with `sign` 1) or below (−1) the mode, the logarithm of the density has fallen by d. By Newton's method, which for a convex function goes one
    /// way from its second step on; the place need not be exact.
    pub(super) fn falls_by(&self, d: f64, sign: f64) -> f64 {
        const STEPS: usize = 100;
        const NEARLY: f64 = 1e-3;
        let curvature = match self {
            Self::Beta { a, b } => a / (a + b) * b,
            Self::T { df, .. } => *df,
            Self::Gamma { shape, .. } => *shape,
            Self::Normal { .. } | Self::Table(_) => 1.0,
        };
        let mut w = sign * (2.0 * d / curvature).sqrt();
        for _ in 0..STEPS {
            let (found, slope) = self.drop(w);
            let step = (d - found) / slope;
            w += step;
            if step.abs() <= NEARLY * w.abs() || !step.is_finite() {
                break;
            }
        }
        w
    }

    /// Points, in order, between which the density is smooth enough for a short rule, with what they lack of one.
    pub(super) fn cuts(&self) -> Vec<(f64, f64)> {
        /// The widest panel about the mode, in units of the chart.
        const WIDEST: f64 = 3.0;
        if let Self::Table(table) = self {
            // Equal steps of the logarithm: the tail above is long.
            return (table.cdf.iter().enumerate().step_by(EVERY))
                .map(|(i, _)| self.parts_at(table.start + table.step * i as f64))
                .collect();
        }
        let further = |d: f64| (d.sqrt() + SQRT_2).powi(2).min(BODY);
        let side = |sign: f64| {
            let ends = self.side(sign, 0.0, WIDEST, further).into_iter();
            ends.map(|w| self.parts_at(w))
        };
        let mut cuts: Vec<(f64, f64)> = side(-1.0).rev().collect();
        cuts.push(self.parts_at(0.0));
        cuts.extend(side(1.0));
        cuts
    }

    /// Ends of panels of the chart on one side of the mode, outwards, to the end of the body and as far as `reach`. After a fall by d comes the end where it has
    /// fallen `further`; a panel is no wider than `widest` and half its distance from the mode, since on the shoulder of a shallow tail the density bends.
    pub(super) fn side(
        &self,
        sign: f64,
        reach: f64,
        widest: f64,
        further: impl Fn(f64) -> f64,
    ) -> Vec<f64> {
        let (mut ends, mut w, mut d) = (vec![], 0.0_f64, 0.0);
        while d < LAST || d < NOTHING && sign * (reach - w) > 0.0 {
            let fallen = self.falls_by(further(d), sign).abs();
            w = sign * fallen.min(1.5 * w.abs() + widest);
            d = self.drop(w).0;
            ends.push(w);
        }
        ends
    }

    /// From the posterior of the share of buyers, Beta(a, b), and that of logs of what buyers spend.
    pub(super) fn revenue(a: f64, b: f64, logs: &NormalPrior) -> Result<Revenue> {
        let ends = [
            beta::quantile(a, b, TAIL).ln(),
            beta::upper_quantile(a, b, TAIL).ln(),
        ];
        // In the logarithm, in which the density is smooth at zero too.
        let shares: Vec<(f64, f64)> =
            (nodes(ends[0], ends[1], |u| beta::pdf(a, b, u.exp()) * u.exp())?)
                .into_iter()
                .map(|(u, w)| (u.exp(), w))
                .collect();
        // σ² = scale/g with g ~ Gamma(shape): its upper tail is the lower tail of g.
        let variances = |tail: f64| -> Result<Vec<(f64, f64)>> {
            let (low, high) = (
                gamma::quantile(logs.shape, tail),
                gamma::upper_quantile(logs.shape, TAIL),
            );
            let found = nodes(low.ln(), high.ln(), |u| {
                gamma::pdf(logs.shape, u.exp()) * u.exp()
            })?;
            Ok(found
                .into_iter()
                .map(|(u, w)| (logs.scale / u.exp(), w))
                .collect())
        };
        let kept = variances(VARIANCE_TAIL)?;
        let moment = |power: f64, variances: &[(f64, f64)]| -> f64 {
            let share: f64 = shares.iter().map(|(p, w)| w * p.powf(power)).sum();
            let spent: f64 = (variances.iter())
                .map(|(v, w)| {
                    w * (power * (logs.mean + 0.5 * v) + 0.5 * power * power * v / logs.strength)
                        .exp()
                })
                .sum();
            share * spent
        };
        let mean = moment(1.0, &kept);
        let wider_mean = moment(1.0, &variances(TAIL)?);
        let deviation = (moment(2.0, &kept) - mean * mean).max(0.0).sqrt();
        let spend = |v: f64| (logs.mean + 0.5 * v, (v / logs.strength).sqrt());
        // Moments of the logarithm of mean revenue, for the reach of the table.
        let (share_mean, share_spread) =
            about(&shares.iter().map(|(p, w)| (p.ln(), *w)).collect::<Vec<_>>());
        let (mean_spend, between) = about(
            &kept
                .iter()
                .map(|(v, w)| (spend(*v).0, *w))
                .collect::<Vec<_>>(),
        );
        let within: f64 = kept
            .iter()
            .map(|(v, w)| w * v / logs.strength)
            .sum::<f64>()
            .sqrt();
        let centre = share_mean + mean_spend;
        let spread = share_spread.hypot(between).hypot(within);
        let (start, step) = (
            centre - REACH * spread,
            2.0 * REACH * spread / (POINTS - 1) as f64,
        );
        // One of the parts is summed over its nodes and the other enters by its distribution function: the wider one, which is smooth between the nodes.
        let by_share = share_spread > within;
        let given: Vec<(f64, f64, f64)> = if by_share {
            let errors = nodes(-REACH, REACH, normal::pdf)?;
            (kept.iter())
                .flat_map(|(v, w)| {
                    let (m, s) = spend(*v);
                    errors.iter().map(move |(z, u)| (m + s * z, s, w * u))
                })
                .collect()
        } else {
            (shares.iter())
                .flat_map(|(p, w)| {
                    kept.iter().map(move |(v, u)| {
                        let (m, s) = spend(*v);
                        (p.ln() + m, s, w * u)
                    })
                })
                .collect()
        };
        let law = Tabulated::new(ends[0], (ends[1] - ends[0]) / (POINTS - 1) as f64, |u| {
            let p = u.exp();
            (beta::regularized(a, b, p), p * beta::pdf(a, b, p))
        });
        let table = Tabulated::new(start, step, |x| {
            let (mut below, mut here) = (0.0, 0.0);
            for (m, s, w) in &given {
                let (more, slope) = if by_share {
                    let p = (x - m).exp();
                    let (more, density) = law.at(p);
                    (more, p * density)
                } else {
                    let z = (x - m) / s;
                    (normal::cdf(z), normal::pdf(z) / s)
                };
                below += w * more;
                here += w * slope;
            }
            (below, here)
        });
        Ok(Revenue {
            posterior: Self::Table(Tabulated {
                mean,
                deviation,
                ..table
            }),
            wider_mean,
        })
    }
}

impl Tabulated {
    /// Distribution function and density in the logarithm at every point.
    fn new(start: f64, step: f64, at: impl Fn(f64) -> (f64, f64)) -> Self {
        let points = (0..POINTS).map(|i| at(start + step * i as f64));
        let (cdf, density) = points.unzip();
        Self {
            start,
            step,
            cdf,
            density,
            mean: f64::NAN,
            deviation: f64::NAN,
        }
    }

    /// Distribution function and density at x, by cubics that agree with both at the points.
    pub(super) fn at(&self, x: f64) -> (f64, f64) {
        if x <= 0.0 {
            return (0.0, 0.0);
        }
        let place = (x.ln() - self.start) / self.step;
        if place <= 0.0 {
            return (0.0, 0.0);
        }
        if place >= (self.cdf.len() - 1) as f64 {
            return (1.0, 0.0);
        }
        let i = place as usize;
        let t = place - i as f64;
        let (low, high) = (self.cdf[i], self.cdf[i + 1]);
        let (from, to) = (self.step * self.density[i], self.step * self.density[i + 1]);
        let rise = high - low;
        let (c2, c3) = (3.0 * rise - 2.0 * from - to, from + to - 2.0 * rise);
        let value = low + t * (from + t * (c2 + t * c3));
        let slope = from + t * (2.0 * c2 + 3.0 * t * c3);
        (value.clamp(0.0, 1.0), (slope / (self.step * x)).max(0.0))
    }

    /// By halving, to the last bit: the function rises.
    fn quantile(&self, p: f64) -> f64 {
        let (mut low, mut high) = (
            self.start,
            self.start + self.step * (self.cdf.len() - 1) as f64,
        );
        for _ in 0..60 {
            let middle = 0.5 * (low + high);
            if self.at(middle.exp()).0 < p {
                low = middle;
            } else {
                high = middle;
            }
        }
        (0.5 * (low + high)).exp()
    }
}

/// Mean and deviation of values with weights that sum to one.
fn about(values: &[(f64, f64)]) -> (f64, f64) {
    let mean: f64 = values.iter().map(|(x, w)| w * x).sum();
    let squares: f64 = values.iter().map(|(x, w)| w * (x - mean).powi(2)).sum();
    (mean, squares.sqrt())
}

/// Nodes with the density in their weights, which sum to one.
fn nodes(low: f64, high: f64, density: impl Fn(f64) -> f64) -> Result<Vec<(f64, f64)>> {
    let rule = gauss_legendre(NODES, low, high)?;
    let raw: Vec<(f64, f64)> = (rule.nodes().iter().zip(rule.weights()))
        .map(|(x, w)| (*x, w * density(*x)))
        .collect();
    let total: f64 = raw.iter().map(|(_, w)| w).sum();
    Ok(raw.into_iter().map(|(x, w)| (x, w / total)).collect())
}
