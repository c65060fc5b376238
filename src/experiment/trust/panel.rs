//! Units by periods, and the effects of an arm in all periods with the covariance that units common to several periods bring.

use crate::experiment::arms::Arms;
use nalgebra::DMatrix;

/// What a unit did in a period.
#[derive(Clone, Copy, Debug)]
struct Visit {
    unit: u32,
    arm: usize,
    /// Position among the periods.
    period: usize,
    y: f64,
    /// Days on which the unit was seen in the period.
    n: f64,
}

/// Visits in the order of units, then periods.
#[derive(Clone, Debug)]
pub(super) struct Panel {
    visits: Vec<Visit>,
    periods: Vec<f64>,
}

/// Effects of one arm against the control in the periods in which both have two units or more.
#[derive(Clone, Debug)]
pub(super) struct Effects {
    pub(super) periods: Vec<f64>,
    /// Units of both arms in each period.
    pub(super) units: Vec<usize>,
    pub(super) estimates: Vec<f64>,
    pub(super) covariance: DMatrix<f64>,
    /// `n₁ n₀/(n₁ + n₀)` of days seen.
    pub(super) weights: Vec<f64>,
    /// Units of both arms in any period.
    pub(super) all_units: usize,
}

/// Sums of an arm in a period.
#[derive(Clone, Copy, Debug, Default)]
struct Total {
    units: f64,
    y: f64,
    n: f64,
}

impl Panel {
    /// Rows of one unit with the same value of `once` (a day) are one day whose outcomes add up; days of one period add up to a visit.
    pub(super) fn new(
        units: &[u32],
        arms: &Arms,
        y: &[f64],
        periods: &[f64],
        once: &[f64],
        known: &[bool],
    ) -> Self {
        let mut levels: Vec<f64> = (0..y.len())
            .filter(|row| known[*row] && !periods[*row].is_nan())
            .map(|row| periods[row])
            .collect();
        levels.sort_by(f64::total_cmp);
        levels.dedup_by(|a, b| (*a - *b).abs() <= 0.0);
        let mut rows: Vec<(Visit, f64)> = (0..y.len())
            .filter(|row| known[*row] && !periods[*row].is_nan())
            .filter_map(|row| {
                let visit = Visit {
                    unit: units[row],
                    arm: arms.of_row[row]?,
                    period: levels.partition_point(|level| *level < periods[row]),
                    y: y[row],
                    n: 1.0,
                };
                Some((visit, once[row]))
            })
            .collect();
        // Outcomes last, so that sums do not depend on the order of rows.
        rows.sort_by(|(a, day_a), (b, day_b)| {
            (a.unit, a.arm, a.period)
                .cmp(&(b.unit, b.arm, b.period))
                .then(day_a.total_cmp(day_b))
                .then(a.y.total_cmp(&b.y))
        });
        let mut visits: Vec<Visit> = Vec::with_capacity(rows.len());
        let mut last_day = f64::NAN;
        for (visit, day) in rows {
            match visits.last_mut() {
                Some(last)
                    if (last.unit, last.arm, last.period)
                        == (visit.unit, visit.arm, visit.period) =>
                {
                    last.y += visit.y;
                    last.n += f64::from(u8::from((day - last_day).abs() > 0.0));
                }
                _ => visits.push(visit),
            }
            last_day = day;
        }
        Self {
            visits,
            periods: levels,
        }
    }

    /// The visits of an arm, unit by unit.
    fn by_unit(&self, arm: usize) -> impl Iterator<Item = Vec<Visit>> {
        let here: Vec<Visit> = self
            .visits
            .iter()
            .filter(|v| v.arm == arm)
            .copied()
            .collect();
        here.chunk_by(|a, b| a.unit == b.unit)
            .map(<[Visit]>::to_vec)
            .collect::<Vec<_>>()
            .into_iter()
    }

    /// Effects period by period.
    pub(super) fn effects(&self, arm: usize) -> Effects {
        let count = self.periods.len();
        let mut covariance = DMatrix::zeros(count, count);
        let mut sides = Vec::new();
        let mut all_units = 0;
        for side in [arm, 0] {
            let mut totals = vec![Total::default(); count];
            let mut units: f64 = 0.0;
            for visits in self.by_unit(side) {
                units += 1.0;
                for v in visits {
                    let total = &mut totals[v.period];
                    *total = Total {
                        units: total.units + 1.0,
                        y: total.y + v.y,
                        n: total.n + v.n,
                    };
                }
            }
            let correction = units / (units - 1.0);
            for visits in self.by_unit(side) {
                let influence = |v: &Visit| {
                    let total = totals[v.period];
                    (v.y - total.y / total.n * v.n) / total.n
                };
                for a in &visits {
                    for b in &visits {
                        covariance[(a.period, b.period)] +=
                            correction * influence(a) * influence(b);
                    }
                }
            }
            all_units += units as usize;
            sides.push(totals);
        }
        let kept: Vec<usize> = (0..count)
            .filter(|k| sides.iter().all(|side| side[*k].units >= 2.0))
            .collect();
        let of = |k: usize| (sides[0][k], sides[1][k]);
        Effects {
            periods: kept.iter().map(|k| self.periods[*k]).collect(),
            units: (kept.iter())
                .map(|k| (of(*k).0.units + of(*k).1.units) as usize)
                .collect(),
            estimates: (kept.iter())
                .map(|k| of(*k).0.y / of(*k).0.n - of(*k).1.y / of(*k).1.n)
                .collect(),
            covariance: crate::numeric::linalg::block(&covariance, &kept, &kept),
            weights: (kept.iter())
                .map(|k| of(*k).0.n * of(*k).1.n / (of(*k).0.n + of(*k).1.n))
                .collect(),
            all_units,
        }
    }

    /// Effects from the first period to each; only the variances are filled in.
    pub(super) fn cumulative(&self, arm: usize) -> Effects {
        let count = self.periods.len();
        // Differences do not change when outcomes are centred, and sums of squares keep their digits.
        let days: f64 = self.visits.iter().map(|v| v.n).sum();
        let center = self.visits.iter().map(|v| v.y).sum::<f64>() / days;
        let mut sides: Vec<Vec<(Total, f64)>> = Vec::new();
        for side in [arm, 0] {
            let units: Vec<Vec<Visit>> = self.by_unit(side).collect();
            let mut steps: Vec<Vec<(usize, Visit)>> = vec![Vec::new(); count];
            for (unit, visits) in units.iter().enumerate() {
                for v in visits {
                    steps[v.period].push((unit, *v));
                }
            }
            let mut so_far = vec![(0.0_f64, 0.0_f64); units.len()];
            let mut total = Total::default();
            let (mut yy, mut yn, mut nn) = (0.0, 0.0, 0.0);
            let mut out = Vec::new();
            for step in &steps {
                for (unit, v) in step {
                    let (y, n) = so_far[*unit];
                    if n <= 0.0 {
                        total.units += 1.0;
                    }
                    let (y_now, n_now) = (y + v.y - center * v.n, n + v.n);
                    yy += y_now * y_now - y * y;
                    yn += y_now * n_now - y * n;
                    nn += n_now * n_now - n * n;
                    total.y += v.y - center * v.n;
                    total.n += v.n;
                    so_far[*unit] = (y_now, n_now);
                }
                let ratio = total.y / total.n;
                let squares = (yy - 2.0 * ratio * yn + ratio * ratio * nn).max(0.0);
                let variance = total.units / (total.units - 1.0) * squares / total.n.powi(2);
                out.push((total, variance));
            }
            sides.push(out);
        }
        let kept: Vec<usize> = (0..count)
            .filter(|k| sides.iter().all(|side| side[*k].0.units >= 2.0))
            .collect();
        let ratio = |side: usize, k: usize| sides[side][k].0.y / sides[side][k].0.n;
        let variances = kept.iter().map(|k| sides[0][*k].1 + sides[1][*k].1);
        Effects {
            periods: kept.iter().map(|k| self.periods[*k]).collect(),
            units: (kept.iter())
                .map(|k| (sides[0][*k].0.units + sides[1][*k].0.units) as usize)
                .collect(),
            estimates: kept.iter().map(|k| ratio(0, *k) - ratio(1, *k)).collect(),
            covariance: DMatrix::from_diagonal(&nalgebra::DVector::from_iterator(
                kept.len(),
                variances,
            )),
            weights: vec![1.0; kept.len()],
            all_units: 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Frame;

    #[test]
    fn one_period_is_welch_and_cumulating_it_is_the_same() {
        let y = [1.0, 2.0, 6.0, 3.0, 8.0, 9.5, 4.0];
        let frame = Frame::new()
            .with("arm", vec![0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0])
            .unwrap();
        let arms = Arms::read("arm", None, &frame).unwrap();
        let units: Vec<u32> = (0..7).collect();
        let zeros = [0.0; 7];
        let panel = Panel::new(&units, &arms, &y, &zeros, &zeros, &[true; 7]);
        let sums = |arm: usize| {
            let here = (0..7).filter(move |i| i % 2 == arm).map(|i| y[i]);
            crate::experiment::sums::Sums::of(here)
        };
        let direct = crate::experiment::sums::welch("x", sums(1), sums(0)).unwrap();
        for effects in [panel.effects(1), panel.cumulative(1)] {
            assert!((effects.estimates[0] - direct.estimate).abs() < 1e-13);
            assert!((effects.covariance[(0, 0)].sqrt() / direct.std_error - 1.0).abs() < 1e-12);
        }
    }
}
