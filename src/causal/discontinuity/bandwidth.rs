//! Bandwidths that balance squared bias and variance (Calonico, Cattaneo & Titiunik 2014; Calonico, Cattaneo, Farrell & Titiunik 2019, section 4).

use super::local::{LocalFit, covariate_slopes, factorial, net_of, power_of, ratio_slope};
use super::options::{BandwidthRule, MassPoints};
use super::regression_discontinuity::RegressionDiscontinuity;
use super::side::Side;
use crate::error::{Error, Result};
use crate::numeric::blocks;
use serde::{Deserialize, Serialize};

/// With mass points bandwidths reach this many distinct values of each side.
const FEWEST_VALUES: usize = 10;
/// A side with a larger share of repeated values has mass points.
const REPEATED: f64 = 0.2;
/// A bandwidth that reaches a row exactly would give it no weight.
const JUST_BEYOND: f64 = 1.0 + 1.490_116_119_384_765_6e-8;

/// Bandwidths on the left and on the right of the cutoff.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct DiscontinuityBandwidths {
    /// Of the estimate, h.
    pub estimate: [f64; 2],
    /// Of its bias, b.
    pub bias: [f64; 2],
}

/// Variance, bias and the variance of the bias of one side, but for powers of the bandwidth.
#[derive(Clone, Copy)]
struct Pieces {
    variance: f64,
    bias: f64,
    uncertainty: f64,
}

/// A fit at the pilot bandwidth: the variance of a coefficient, the constant of its bias, and the combination of columns that it is of.
struct Pilot {
    variance: f64,
    constant: f64,
    combination: Vec<f64>,
}

/// How the sides are put together.
#[derive(Clone, Copy)]
enum Together {
    Difference,
    Sum,
    Apart,
}

/// The sides, and what bandwidths depend on.
pub(super) struct Selection<'a> {
    pub(super) sides: &'a [Side; 2],
    pub(super) model: &'a RegressionDiscontinuity,
    /// Standard deviation or normalised interquartile range of the running variable, the smaller.
    pub(super) spread: f64,
    /// Whether the error of the treatment counts.
    pub(super) ratio: bool,
}

/// Whether a side has mass points.
pub(super) fn has_mass_points(side: &Side) -> bool {
    mass_points(side.distinct(), side.len())
}

/// Whether so many distinct values in so many rows are mass points.
pub(super) fn mass_points(values: usize, rows: usize) -> bool {
    1.0 - values as f64 / rows as f64 >= REPEATED
}

impl Selection<'_> {
    pub(super) fn select(&self, rule: BandwidthRule) -> Result<DiscontinuityBandwidths> {
        let (sides, model) = (self.sides, self.model);
        let n = (sides[0].len() + sides[1].len()) as f64;
        let adjust = model.mass_points == MassPoints::Adjust;
        let counted = if adjust {
            (sides[0].distinct() + sides[1].distinct()) as f64
        } else {
            n
        };
        let reach = [sides[0].reach(), sides[1].reach()];
        let least = if adjust && sides.iter().any(has_mass_points) {
            [0, 1].map(|s: usize| sides[s].distance_of_value(FEWEST_VALUES) * JUST_BEYOND)
        } else {
            [0.0; 2]
        };
        let pilot = (model.kernel.pilot_constant() * self.spread * counted.powf(-0.2))
            .min(reach[0].max(reach[1]))
            .max(least[0])
            .max(least[1]);
        let pilot = self.usable(pilot)?;
        let [left, right] = both(|side| self.pilots(&sides[side], pilot))?;
        let cascade = Cascade {
            selection: self,
            pilot,
            reach,
            least,
            first: both(|side| {
                let far = reach[side] * JUST_BEYOND;
                let q = model.bias_order;
                let pilots = [&left, &right][side];
                self.pieces(
                    &sides[side],
                    &pilots[0],
                    pilot,
                    [q + 1, q + 1, q + 2],
                    far,
                    0.0,
                )
            })?,
            pilots: [left, right],
        };
        let run = |together| cascade.run(together);
        let (base, coverage) = rule.base();
        let mut chosen = match base {
            BandwidthRule::MseTwo => run(Together::Apart)?,
            BandwidthRule::MseSum => run(Together::Sum)?,
            BandwidthRule::MseComb1 => {
                pointwise(&[run(Together::Difference)?, run(Together::Sum)?], 0)
            }
            BandwidthRule::MseComb2 => pointwise(
                &[
                    run(Together::Difference)?,
                    run(Together::Sum)?,
                    run(Together::Apart)?,
                ],
                1,
            ),
            _ => run(Together::Difference)?,
        };
        if coverage {
            let p = model.order as f64;
            let clusters = sides
                .iter()
                .map(|side| side.clusters_within(side.len()))
                .sum::<Option<usize>>();
            let count = clusters.map_or(n, |count| count as f64);
            let shrink = count.powf(-p / ((3.0 + p) * (3.0 + 2.0 * p)));
            chosen.estimate = chosen.estimate.map(|h| h * shrink);
        }
        Ok(chosen)
    }

    /// A bandwidth that is a positive number.
    fn usable(&self, bandwidth: f64) -> Result<f64> {
        if bandwidth > 0.0 && bandwidth.is_finite() {
            return Ok(bandwidth);
        }
        Err(Error::Unidentified {
            what: format!("a bandwidth for `{}`", self.model.outcome),
            needs: "an outcome and a running variable that vary on both sides of the cutoff and are no exact polynomial; give one with `.bandwidth(h)`".to_owned(),
        })
    }

    /// What the three steps need from fits at the pilot bandwidth, in their order.
    fn pilots(&self, side: &Side, h: f64) -> Result<[Pilot; 3]> {
        let m = self.model;
        let pilot = |order: usize, power: usize| -> Result<Pilot> {
            let fit = LocalFit::new(side, m.kernel, h, order)?;
            let slopes = covariate_slopes(&[&fit], m.covariates_from());
            let combination = if self.ratio {
                let [outcome, treatment] = [0, 1].map(|column| net_of(column, &slopes));
                let levels = [&outcome, &treatment]
                    .map(|net| factorial(power) * fit.coefficient(power, net));
                let slope = ratio_slope(levels);
                (outcome.iter().zip(&treatment))
                    .map(|(y, t)| slope[0] * y + slope[1] * t)
                    .collect()
            } else {
                net_of(0, &slopes)
            };
            Ok(Pilot {
                variance: fit.variance(power, &combination, m),
                constant: fit.bias_constant(power),
                combination,
            })
        };
        Ok([
            pilot(m.bias_order + 1, m.bias_order + 1)?,
            pilot(m.bias_order, m.order + 1)?,
            pilot(m.order, m.derivative)?,
        ])
    }

    /// Variance and bias of the coefficient of `(x − c)^power` in a fit of some order, whose bias comes from a fit of `bias_order` within `far`.
    fn pieces(
        &self,
        side: &Side,
        pilot: &Pilot,
        h: f64,
        [order, power, bias_order]: [usize; 3],
        far: f64,
        regularization: f64,
    ) -> Result<Pieces> {
        let fit = LocalFit::new(side, self.model.kernel, far, bias_order)?;
        let slope = fit.coefficient(order + 1, &pilot.combination);
        let rate = 2.0 * (order + 1 - power) as f64;
        let uncertainty = if regularization > 0.0 {
            let variance = fit.variance(order + 1, &pilot.combination, self.model);
            regularization * rate * 3.0 * pilot.constant * pilot.constant * variance
        } else {
            0.0
        };
        let twice = 2 * power + 1;
        Ok(Pieces {
            variance: twice as f64 * power_of(h, twice) * pilot.variance,
            bias: rate.sqrt() * pilot.constant * slope,
            uncertainty,
        })
    }
}

/// Three steps, each with the bandwidth of the one before: of the order beyond the bias, of the bias, of the estimate.
struct Cascade<'a> {
    selection: &'a Selection<'a>,
    pilot: f64,
    reach: [f64; 2],
    least: [f64; 2],
    pilots: [[Pilot; 3]; 2],
    first: [Pieces; 2],
}

impl Cascade<'_> {
    fn run(&self, together: Together) -> Result<DiscontinuityBandwidths> {
        let model = self.selection.model;
        let (p, q) = (model.order, model.bias_order);
        let bounds = |ends: [f64; 2]| match together {
            Together::Apart => ends,
            _ => [ends[0].max(ends[1]); 2],
        };
        let (reach, least) = (bounds(self.reach), bounds(self.least));
        let solve = |pieces: &[Pieces; 2], order: usize, least: [f64; 2]| -> Result<[f64; 2]> {
            let best = together.optimum(pieces, 1.0 / (2 * order + 3) as f64);
            let mut bounded = [0.0; 2];
            for side in 0..2 {
                bounded[side] = best[side].min(reach[side]).max(least[side]);
                self.selection.usable(best[side])?;
            }
            Ok(bounded)
        };
        let step = |at: usize, orders: [usize; 3], far: [f64; 2]| {
            both(|side| {
                self.selection.pieces(
                    &self.selection.sides[side],
                    &self.pilots[side][at],
                    self.pilot,
                    orders,
                    far[side],
                    model.regularization,
                )
            })
        };
        let beyond = solve(&self.first, q + 1, least)?;
        let bias = solve(&step(1, [q, p + 1, q + 1], beyond)?, q, [0.0; 2])?;
        let estimate = solve(&step(2, [p, model.derivative, q], bias)?, p, [0.0; 2])?;
        Ok(DiscontinuityBandwidths { estimate, bias })
    }
}

impl Together {
    /// `(V / (B² + R))^rate`.
    fn optimum(self, [left, right]: &[Pieces; 2], rate: f64) -> [f64; 2] {
        let of = |variance: f64, bias: f64, uncertainty: f64| {
            (variance / (bias * bias + uncertainty)).powf(rate)
        };
        let variance = left.variance + right.variance;
        let uncertainty = left.uncertainty + right.uncertainty;
        match self {
            Self::Difference => [of(variance, right.bias - left.bias, uncertainty); 2],
            Self::Sum => [of(variance, right.bias + left.bias, uncertainty); 2],
            Self::Apart => [left, right].map(|side| of(side.variance, side.bias, side.uncertainty)),
        }
    }
}

/// The `rank`-th smallest of each bandwidth.
fn pointwise(all: &[DiscontinuityBandwidths], rank: usize) -> DiscontinuityBandwidths {
    let pick = |of: fn(&DiscontinuityBandwidths) -> [f64; 2]| {
        [0, 1].map(|side: usize| {
            let mut values: Vec<f64> = all.iter().map(|b| of(b)[side]).collect();
            values.sort_unstable_by(f64::total_cmp);
            values[rank]
        })
    };
    DiscontinuityBandwidths {
        estimate: pick(|b| b.estimate),
        bias: pick(|b| b.bias),
    }
}

/// Both sides at once.
pub(super) fn both<T: Send>(work: impl Fn(usize) -> Result<T> + Sync) -> Result<[T; 2]> {
    let mut sides = blocks::map(2, work).into_iter();
    match (sides.next(), sides.next()) {
        (Some(left), Some(right)) => Ok([left?, right?]),
        _ => Err(Error::NotFinite {
            what: "a side of the cutoff".to_owned(),
        }),
    }
}
