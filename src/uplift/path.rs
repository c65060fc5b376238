//! The engine of all curves: rows take up gain and cost step by step in the order of their priority, and every point of the way has its
//! error.
//!
//! With `G(s)` the mean gain when `s` has been spent and `m(s) = G'(s)`, the influence of a row on the estimated `G(s)` is
//! `g_i − G(s) − m(s) (c_i − s)`, where `g_i` and `c_i` are what the row has taken up: the rule, the order of priorities, is fixed, but how far
//! one gets down the order for a given mean cost is estimated. For one arm at unit cost, `s` is the share treated. See Yadlowsky et al.
//! (2025), theorem 2, and Sverdrup et al. (2025), theorem 1.

use crate::causal::units::Units;

/// The order of descending priorities: places, and the end of each run of equal ones.
pub(crate) struct Order {
    pub(crate) places: Vec<u32>,
    pub(crate) ends: Vec<usize>,
}

impl Order {
    pub(crate) fn descending(priorities: &[f64]) -> Self {
        let mut keyed: Vec<(u64, u32)> = priorities
            .iter()
            .enumerate()
            .map(|(place, priority)| (!ascending_key(*priority), place as u32))
            .collect();
        keyed.sort_unstable();
        let mut ends: Vec<usize> = Vec::new();
        for (at, pair) in keyed.windows(2).enumerate() {
            if pair[0].0 != pair[1].0 {
                ends.push(at + 1);
            }
        }
        if !keyed.is_empty() {
            ends.push(keyed.len());
        }
        Self {
            places: keyed.into_iter().map(|(_, place)| place).collect(),
            ends,
        }
    }

    /// Ranges of equal priority.
    pub(crate) fn runs(&self) -> impl Iterator<Item = std::ops::Range<usize>> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, end)| start..*end)
    }
}

/// Bits in the order of the numbers; both zeros are one.
fn ascending_key(value: f64) -> u64 {
    const SIGN: u64 = 1 << 63;
    let bits = (value + 0.0).to_bits();
    if bits & SIGN == 0 { bits | SIGN } else { !bits }
}

/// Steps in their order, with weighted gains and costs.
pub(crate) struct Path {
    pub(crate) order: Order,
    rows: Vec<u32>,
    gains: Vec<f64>,
    costs: Vec<f64>,
    /// Spent and gained before the first run, and after each.
    pub(crate) spent: Vec<f64>,
    pub(crate) gained: Vec<f64>,
}

/// One step: a row takes up more gain at more cost, both unweighted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step {
    pub(crate) row: u32,
    pub(crate) gain: f64,
    pub(crate) cost: f64,
}

/// A point of the way.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PathPoint {
    pub(crate) gain: f64,
    pub(crate) gain_error: f64,
    /// Error of the gain less `spent` times the mean of `totals`.
    pub(crate) excess_error: f64,
}

impl Path {
    /// The way through steps in descending order of their priority; equal ones are taken together.
    pub(crate) fn new(units: &Units, priorities: &[f64], step: impl Fn(usize) -> Step) -> Self {
        let order = Order::descending(priorities);
        let count = order.places.len();
        let mut path = Self {
            rows: Vec::with_capacity(count),
            gains: Vec::with_capacity(count),
            costs: Vec::with_capacity(count),
            spent: vec![0.0],
            gained: vec![0.0],
            order,
        };
        let (mut spent, mut gained) = (0.0, 0.0);
        for run in path.order.runs() {
            for place in &path.order.places[run] {
                let step = step(*place as usize);
                let weight = units.weights[step.row as usize];
                path.rows.push(step.row);
                path.gains.push(weight * step.gain);
                path.costs.push(weight * step.cost);
                spent += weight * step.cost;
                gained += weight * step.gain;
            }
            path.spent.push(spent);
            path.gained.push(gained);
        }
        path
    }

    /// All that can be spent.
    pub(crate) fn most(&self) -> f64 {
        self.spent[self.spent.len() - 1]
    }

    /// Gain when this has been spent, on straight lines between runs.
    pub(crate) fn gain_at(&self, spend: f64) -> f64 {
        let end = self.spent.partition_point(|s| *s < spend);
        if end == 0 {
            return 0.0;
        }
        if end >= self.spent.len() {
            return self.gained[self.gained.len() - 1];
        }
        let (a, b) = (self.spent[end - 1], self.spent[end]);
        let part = (spend - a) / (b - a);
        self.gained[end - 1] + part * (self.gained[end] - self.gained[end - 1])
    }

    /// The slope of the gain, over a window that narrows with the number of units. Where nothing is left to spend on, all steps are taken
    /// whatever they cost, so that no threshold is estimated.
    fn slope_at(&self, spend: f64, units: &Units) -> f64 {
        /// Half of the window is this × units^(−1/4) of all spending: wide enough that its noise does not enter the errors.
        const HALF: f64 = 0.5;
        if spend >= self.most() {
            return 0.0;
        }
        let half = HALF * (units.count as f64).powf(-0.25) * self.most();
        let (low, high) = ((spend - half).max(0.0), (spend + half).min(self.most()));
        if high > low {
            (self.gain_at(high) - self.gain_at(low)) / (high - low)
        } else {
            0.0
        }
    }

    /// Points where so much has been spent (ascending), with errors. `totals` are weighted sums by unit of what the gain is compared with in
    /// [`PathPoint::excess_error`].
    pub(crate) fn trace(&self, units: &Units, spends: &[f64], totals: &[f64]) -> Vec<PathPoint> {
        let mut sums = Sums::new(units, totals);
        let average: f64 = totals.iter().sum();
        let mut points = Vec::with_capacity(spends.len());
        let mut finish = |sums: &[f64; DYNAMIC], fixed: &[f64; 3], spend: f64| {
            let (gain, slope) = (self.gain_at(spend), self.slope_at(spend, units));
            let rest = gain - slope * spend;
            let of = |contrast| (units.correction() * quadratic(sums, fixed, contrast)).sqrt();
            points.push(PathPoint {
                gain,
                gain_error: of([1.0, -slope, -rest, 0.0]),
                excess_error: of([1.0, -slope, spend * average - rest, -spend]),
            });
        };
        let mut next = 0;
        for (at, run) in self.order.runs().enumerate() {
            let (from, to) = (self.spent[at], self.spent[at + 1]);
            let last = at + 1 == self.order.ends.len();
            let within = spends[next..].iter().take_while(|s| last || **s <= to);
            let here = next..next + within.count();
            let before = sums.moving;
            if here.is_empty() {
                self.take(run, units, 1.0, &mut sums);
                continue;
            }
            // What units have taken up is linear in the part of the run that is taken, so the sums are quadratic in it.
            self.take(run.clone(), units, 0.5, &mut sums);
            let half = sums.moving;
            self.take(run, units, 0.5, &mut sums);
            for spend in &spends[here.clone()] {
                let spend = spend.clamp(0.0, self.most());
                let f = if to > from {
                    ((spend - from) / (to - from)).clamp(0.0, 1.0)
                } else {
                    1.0
                };
                let (a, b, c) = (
                    (2.0 * f - 1.0) * (f - 1.0),
                    4.0 * f * (1.0 - f),
                    f * (2.0 * f - 1.0),
                );
                let mix: [f64; DYNAMIC] =
                    std::array::from_fn(|i| a * before[i] + b * half[i] + c * sums.moving[i]);
                finish(&mix, &sums.fixed, spend);
            }
            next = here.end;
        }
        points
    }

    /// Contributions of units to the error of the gain when so much has been spent.
    pub(crate) fn contributions(&self, units: &Units, spend: f64) -> Vec<f64> {
        self.mean_contributions(units, &[(spend, 1.0)])
    }

    /// The same of a weighted sum of gains at ascending spends.
    pub(crate) fn mean_contributions(&self, units: &Units, spends: &[(f64, f64)]) -> Vec<f64> {
        let places: Vec<Place> = (spends.iter())
            .map(|(spend, part)| {
                let spend = spend.clamp(0.0, self.most());
                let slope = self.slope_at(spend, units);
                Place {
                    spend,
                    part: *part,
                    sloped: part * slope,
                    level: part * (self.gain_at(spend) - slope * spend),
                }
            })
            .collect();
        // What a row adds that is taken at all places from one of them on.
        let mut from_here = vec![[0.0; 2]; places.len() + 1];
        for (at, place) in places.iter().enumerate().rev() {
            let [part, sloped] = from_here[at + 1];
            from_here[at] = [part + place.part, sloped + place.sloped];
        }
        let level: f64 = places.iter().map(|place| place.level).sum();
        let mut sums = vec![0.0; units.count];
        for (row, weight) in units.weights.iter().enumerate() {
            sums[units.unit(row)] -= level * weight;
        }
        let mut next = 0;
        for (at, run) in self.order.runs().enumerate() {
            let (from, to) = (self.spent[at], self.spent[at + 1]);
            next += places[next..]
                .iter()
                .take_while(|p| p.spend <= from)
                .count();
            let within = places[next..].iter().take_while(|p| p.spend < to);
            let (mut taken, mut count) = ([0.0; 2], 0);
            for place in within {
                let part = (place.spend - from) / (to - from);
                taken[0] += part * place.part;
                taken[1] += part * place.sloped;
                count += 1;
            }
            let [part, sloped] = from_here[next + count];
            let [gain, cost] = [taken[0] + part, taken[1] + sloped];
            for step in run {
                let unit = units.unit(self.rows[step] as usize);
                sums[unit] += gain * self.gains[step] - cost * self.costs[step];
            }
        }
        sums
    }

    /// Units take up a part of the steps of a run.
    fn take(&self, run: std::ops::Range<usize>, units: &Units, part: f64, sums: &mut Sums) {
        for at in run {
            let unit = units.unit(self.rows[at] as usize);
            sums.add(unit, part * self.gains[at], part * self.costs[at]);
        }
    }
}

/// A place on the way: what is spent there, its weight in a sum, and the weighted slope and level of the line through it.
struct Place {
    spend: f64,
    part: f64,
    sloped: f64,
    level: f64,
}

/// Products of sums of units that change on the way: gain², gain·cost, cost², and gain and cost with weight and total.
const DYNAMIC: usize = 7;

/// What units have taken up, and the sums over units of all products.
struct Sums {
    /// Gain, cost, weight and total of each unit, side by side in memory.
    units: Vec<[f64; 4]>,
    moving: [f64; DYNAMIC],
    /// weight², weight·total, total².
    fixed: [f64; 3],
}

impl Sums {
    fn new(units: &Units, totals: &[f64]) -> Self {
        let mut sums = Self {
            units: vec![[0.0; 4]; units.count],
            moving: [0.0; DYNAMIC],
            fixed: [0.0; 3],
        };
        for (row, weight) in units.weights.iter().enumerate() {
            sums.units[units.unit(row)][2] += weight;
        }
        for (unit, total) in sums.units.iter_mut().zip(totals) {
            unit[3] = *total;
        }
        for [_, _, w, t] in &sums.units {
            sums.fixed[0] += w * w;
            sums.fixed[1] += w * t;
            sums.fixed[2] += t * t;
        }
        sums
    }

    fn add(&mut self, unit: usize, gain: f64, cost: f64) {
        let state = &mut self.units[unit];
        let [g, c, w, t] = *state;
        let change = [
            gain * (2.0 * g + gain),
            gain * c + cost * (g + gain),
            cost * (2.0 * c + cost),
            gain * w,
            cost * w,
            gain * t,
            cost * t,
        ];
        state[0] = g + gain;
        state[1] = c + cost;
        for (sum, change) in self.moving.iter_mut().zip(change) {
            *sum += change;
        }
    }
}

/// The sum over units of the square of a contrast of gain, cost, weight and total.
fn quadratic(moving: &[f64; DYNAMIC], fixed: &[f64; 3], [g, c, w, t]: [f64; 4]) -> f64 {
    /// What is left of larger terms by their rounding.
    const ROUNDING: f64 = 1e-13;
    let [gg, gc, cc, gw, cw, gt, ct] = *moving;
    let [ww, wt, tt] = *fixed;
    let squares = g * g * gg + c * c * cc + w * w * ww + t * t * tt;
    let products = g * c * gc + g * w * gw + c * w * cw + g * t * gt + c * t * ct + w * t * wt;
    let sum = squares + 2.0 * products;
    if sum > ROUNDING * squares { sum } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(units: &Units, priorities: &[f64], gains: &[f64]) -> Path {
        Path::new(units, priorities, |place| Step {
            row: place as u32,
            gain: gains[place],
            cost: 1.0,
        })
    }

    #[test]
    fn priorities_descend_and_ties_are_together() {
        let order = Order::descending(&[0.0, 2.0, -1.0, -0.0, f64::MAX]);
        assert_eq!(order.places, [4, 1, 0, 3, 2]);
        assert_eq!(order.ends, [1, 2, 4, 5]);
        assert!(Order::descending(&[]).ends.is_empty());
    }

    #[test]
    fn points_have_the_gain_and_the_error_of_their_contributions() {
        let priorities = [3.0, 2.0, 2.0, 2.0, 1.0, 0.0, -1.0, 5.0];
        let gains = [4.0, 1.0, 2.0, 3.0, -1.0, 0.5, -2.0, 2.5];
        let clusters = [0, 0, 1, 1, 2, 2, 3, 3];
        for units in [
            Units::new(8, None, None),
            Units::new(
                8,
                Some(&[1.0, 2.0, 1.0, 1.0, 3.0, 1.0, 1.0, 0.5]),
                Some(&clusters),
            ),
        ] {
            let path = path(&units, &priorities, &gains);
            let spends = [0.1, 0.3, 0.4, 0.55, 1.0];
            let totals = units.sums(&gains);
            let average = units.mean(&gains);
            let points = path.trace(&units, &spends, &totals);
            assert_eq!(points.len(), spends.len());
            let weights = units.sums(&[1.0; 8]);
            for (point, spend) in points.iter().zip(spends) {
                let gain = path.contributions(&units, spend);
                let error = units.std_error(&gain);
                assert!(
                    (point.gain_error - error).abs() < 1e-12,
                    "{point:?} {error}"
                );
                let excess: Vec<f64> = gain
                    .iter()
                    .zip(totals.iter().zip(&weights))
                    .map(|(g, (t, w))| g - spend * (t - average * w))
                    .collect();
                let error = units.std_error(&excess);
                assert!((point.excess_error - error).abs() < 1e-12);
            }
            assert!((points[4].gain - average).abs() < 1e-15);
            assert!(points[4].excess_error < 1e-8);
        }
    }

    #[test]
    fn contributions_to_a_sum_are_the_sum_of_contributions() {
        let priorities = [3.0, 2.0, 2.0, 2.0, 1.0, 0.0, 0.0, 5.0];
        let gains = [4.0, 1.0, 2.0, 3.0, -1.0, 0.5, -2.0, 2.5];
        let clusters = [0, 0, 1, 1, 2, 2, 3, 3];
        let weights = [1.0, 2.0, 1.0, 1.0, 3.0, 0.0, 1.0, 0.5];
        let units = Units::new(8, Some(&weights), Some(&clusters));
        let path = path(&units, &priorities, &gains);
        // Within the tie, at its ends, twice at one place, and beyond the end.
        let places = [
            (0.1, 0.5),
            (0.2, -1.0),
            (0.3, 2.0),
            (0.3, 0.25),
            (0.9, 1.0),
            (7.0, 3.0),
        ];
        let mut sums = vec![0.0; 4];
        for (spend, part) in places {
            let each = path.contributions(&units, spend);
            sums.iter_mut()
                .zip(each)
                .for_each(|(sum, one)| *sum += part * one);
        }
        let ours = path.mean_contributions(&units, &places);
        for (a, b) in ours.iter().zip(&sums) {
            assert!((a - b).abs() < 1e-14, "{ours:?} {sums:?}");
        }
    }

    #[test]
    fn a_tie_is_a_straight_line() {
        let units = Units::new(4, None, None);
        let path = path(&units, &[1.0; 4], &[4.0, 0.0, 2.0, 2.0]);
        assert!((path.gain_at(0.5) - 1.0).abs() < 1e-15);
        assert!((path.gain_at(0.125) - 0.25).abs() < 1e-15);
        assert_eq!((path.gain_at(0.0), path.gain_at(7.0)), (0.0, 2.0));
    }
}
