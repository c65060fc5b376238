//! How far to go along a direction.

use super::objective::{Counted, Visit, along, dot};

/// Sufficient decrease, c₁ (Nocedal & Wright 2006, p. 62).
const DECREASE: f64 = 1e-4;
/// Curvature, c₂, for quasi-Newton directions (ibid.).
const CURVATURE: f64 = 0.9;
/// Trials before the search gives up: 2⁻⁶⁰ of the first step is below rounding.
const MAX_TRIALS: usize = 60;
/// An interpolated step keeps this distance, relative to the bracket, from its ends.
const MARGIN: f64 = 0.1;
/// Growth of the step while no upper end is known.
const EXPANSION: f64 = 2.5;

/// A trial on the line.
#[derive(Clone, Copy)]
struct Trial {
    step: f64,
    value: f64,
    slope: f64,
}

/// The upper end of a bracket.
#[derive(Clone, Copy)]
enum Upper {
    /// Not found yet.
    Unknown,
    /// A step that leaves the domain.
    Outside(f64),
    /// A step that is too high or rises.
    At(Trial),
}

/// The first step `t` in `1, …` that lowers the value enough: `f(x + tp) ≤ f + c₁ t g'p − c₁ t² κ/2`, where `κ ≥ 0` is
/// the curvature of a direction of negative curvature and 0 for an ordinary descent direction.
pub(super) fn backtrack(
    counted: &mut Counted<'_>,
    from: &Visit,
    direction: &[f64],
    negative_curvature: f64,
) -> Option<Visit> {
    let slope = dot(&from.gradient, direction);
    let mut step = 1.0;
    for _ in 0..MAX_TRIALS {
        let Some(visit) = counted.visit(along(&from.point, step, direction)) else {
            step *= 0.5;
            continue;
        };
        let bound = DECREASE * (step * slope - 0.5 * step * step * negative_curvature);
        if visit.value <= from.value + bound + from.noise() {
            return Some(visit);
        }
        // The minimiser of the parabola through f, g'p and this trial, kept within a tenth and a half of the step.
        let curve = visit.value - from.value - step * slope;
        let best = -slope * step * step / (2.0 * curve);
        step = if best.is_finite() {
            best.clamp(MARGIN * step, 0.5 * step)
        } else {
            0.5 * step
        };
    }
    None
}

/// A step that meets the strong Wolfe conditions `f(t) ≤ f + c₁ t g'p` and `|f'(t)| ≤ c₂ |g'p|`.
///
/// The bracket keeps at its lower end a point of sufficient decrease that still falls steeply, and at its upper end one
/// that is too high, rises, or is outside the domain; between the two lies a point that meets both conditions.
pub(super) fn wolfe(
    counted: &mut Counted<'_>,
    from: &Visit,
    direction: &[f64],
    first: f64,
) -> Option<Visit> {
    let start = Trial {
        step: 0.0,
        value: from.value,
        slope: dot(&from.gradient, direction),
    };
    let mut low = start;
    let mut upper = Upper::Unknown;
    let mut best: Option<Visit> = None;
    let mut step = first;
    for _ in 0..MAX_TRIALS {
        match counted.visit(along(&from.point, step, direction)) {
            None => upper = Upper::Outside(step),
            Some(visit) => {
                let trial = Trial {
                    step,
                    value: visit.value,
                    slope: dot(&visit.gradient, direction),
                };
                let enough = start.value + DECREASE * step * start.slope + from.noise();
                if trial.value > enough {
                    upper = Upper::At(trial);
                } else if trial.slope.abs() <= -CURVATURE * start.slope {
                    return Some(visit);
                } else {
                    if trial.slope > 0.0 {
                        upper = Upper::At(trial);
                    } else {
                        low = trial;
                    }
                    if best.as_ref().is_none_or(|b| visit.value < b.value) {
                        best = Some(visit);
                    }
                }
            }
        }
        step = match upper {
            Upper::Unknown => low.step * EXPANSION,
            Upper::Outside(end) => 0.5 * (low.step + end),
            Upper::At(high) => interpolate(low, high),
        };
    }
    best.filter(|b| b.value < from.value)
}

/// The minimiser of the cubic through two trials and their slopes (Nocedal & Wright 2006, eq. 3.59), kept off the ends.
fn interpolate(low: Trial, high: Trial) -> f64 {
    let width = high.step - low.step;
    let d1 = low.slope + high.slope - 3.0 * (low.value - high.value) / (low.step - high.step);
    let d2 = (d1 * d1 - low.slope * high.slope).sqrt();
    let cubic = high.step - width * (high.slope + d2 - d1) / (high.slope - low.slope + 2.0 * d2);
    let middle = 0.5 * (low.step + high.step);
    let step = if cubic.is_finite() { cubic } else { middle };
    step.clamp(low.step + MARGIN * width, high.step - MARGIN * width)
}
