//! Matching in which a row may have several others: one more pair at a time, each along the shortest augmenting path.

use super::assignment::Solution;

/// A matching in which focal rows have up to `most` others, with potentials that prove that no other one of as many pairs has a smaller sum of distances: successive shortest paths of a flow
/// (Ahuja, Magnanti & Orlin 1993, section 9.7), with potentials as those of Jonker & Volgenant.
pub(super) struct Flow<'a> {
    /// Those of a focal row follow each other; infinite where a match is not allowed.
    distances: &'a [f64],
    most: usize,
    focal_of: Vec<Option<usize>>,
    load: Vec<usize>,
    /// Potentials: the sum of those of a pair is no larger than its distance, and equal to it when they are matched.
    focals: Vec<f64>,
    others: Vec<f64>,
    /// The length of the last path: no focal row that may have one more has a smaller potential.
    level: f64,
    /// The nearest focal row that may have one more, of each other row, and its distance.
    nearest: Vec<(f64, usize)>,
}

/// How an other row is reached on a shortest path: how far it is, from which focal row, and from which other row that one gives up; none at the start of a path.
#[derive(Clone, Copy)]
struct Reach {
    length: f64,
    focal: usize,
    before: Option<usize>,
}

impl<'a> Flow<'a> {
    /// The focal row of each other row, when each focal row has between `least` and `most` and there are `total` pairs, as far as may be. `found` has matched `least` places a focal row, those without a match that is
    /// allowed with columns beyond `width`.
    pub(super) fn grown(
        distances: &'a [f64],
        width: usize,
        [least, most]: [usize; 2],
        total: usize,
        found: Solution,
    ) -> Vec<Option<usize>> {
        let mut flow = Self {
            distances,
            most,
            focal_of: vec![None; width],
            load: vec![0; distances.len() / width],
            focals: found.rows.iter().copied().step_by(least).collect(),
            others: found.columns[..width].to_vec(),
            level: f64::NEG_INFINITY,
            nearest: Vec::new(),
        };
        for (place, other) in found.column_of.into_iter().enumerate() {
            if other < width {
                flow.focal_of[other] = Some(place / least);
                flow.load[place / least] += 1;
            }
        }
        flow.nearest = (0..width).map(|other| flow.nearest_to(other)).collect();
        let matched: usize = flow.load.iter().sum();
        for _ in matched..total.min(width) {
            if !flow.augment() {
                break;
            }
        }
        flow.focal_of
    }

    fn may_have_more(&self, focal: usize) -> bool {
        self.load[focal] < self.most
    }

    fn nearest_to(&self, other: usize) -> (f64, usize) {
        (0..self.load.len())
            .filter(|focal| self.may_have_more(*focal))
            .map(|focal| (self.distances[focal * self.others.len() + other], focal))
            .fold((f64::INFINITY, usize::MAX), |best, new| {
                if new.0 < best.0 { new } else { best }
            })
    }

    /// One more pair; false when there is none: Dijkstra's algorithm from all focal rows that may have one more to the first free other row.
    fn augment(&mut self) -> bool {
        let width = self.others.len();
        let mut reach: Vec<Reach> = (self.nearest.iter().zip(&self.others))
            .map(|((distance, focal), potential)| Reach {
                length: distance - potential,
                focal: *focal,
                before: None,
            })
            .collect();
        // Other rows of a focal row that may have one more and that nothing reaches sooner than itself lead on to nothing new.
        let (idle, mut open): (Vec<usize>, Vec<usize>) = (0..width).partition(|other| {
            self.focal_of[*other]
                .is_some_and(|focal| self.may_have_more(focal) && self.focals[focal] <= self.level)
        });
        let mut done: Vec<usize> = Vec::new();
        let mut nearest = (f64::INFINITY, usize::MAX);
        for &other in &open {
            if reach[other].length < nearest.0 {
                nearest = (reach[other].length, other);
            }
        }
        let (reached, end) = loop {
            let (length, at) = nearest;
            if at == usize::MAX {
                return false;
            }
            let Some(focal) = self.focal_of[at] else {
                break nearest;
            };
            let row = &self.distances[focal * width..][..width];
            let offset = length - self.focals[focal];
            nearest = (f64::INFINITY, usize::MAX);
            open.retain(|&other| {
                let own = &mut reach[other];
                // All other rows of the focal row are as far.
                if self.focal_of[other] == Some(focal) {
                    own.length = length;
                    done.push(other);
                    return false;
                }
                let through = offset + row[other] - self.others[other];
                if through < own.length {
                    *own = Reach {
                        length: through,
                        focal,
                        before: Some(at),
                    };
                }
                if own.length < nearest.0 {
                    nearest = (own.length, other);
                }
                true
            });
        };
        let mut rise = vec![0.0_f64; self.load.len()];
        for other in done {
            let short = reached - reach[other].length;
            self.others[other] -= short;
            if let Some(focal) = self.focal_of[other] {
                rise[focal] = rise[focal].max(short);
            }
        }
        for other in idle {
            self.others[other] -= (reached - reach[other].length).max(0.0);
        }
        for (focal, rise) in rise.into_iter().enumerate() {
            self.focals[focal] += rise;
            if self.may_have_more(focal) {
                self.focals[focal] = self.focals[focal].max(reached);
            }
        }
        self.level = reached;
        // Along the path each focal row gives up an other row to the one before it.
        let mut at = end;
        while let Some(before) = reach[at].before {
            self.focal_of[at] = Some(reach[at].focal);
            at = before;
        }
        let first = reach[at].focal;
        self.focal_of[at] = Some(first);
        self.load[first] += 1;
        if !self.may_have_more(first) {
            for other in 0..width {
                if self.nearest[other].1 == first {
                    self.nearest[other] = self.nearest_to(other);
                }
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::super::assignment::least_cost;
    use super::*;
    use crate::numeric::Seed;
    use rand::RngExt;

    /// The least sum of distances as an assignment of other rows to places: at a focal row, the first ones of which are worth any distance, or among those left out.
    fn by_places(
        distances: &[f64],
        width: usize,
        [least, most]: [usize; 2],
        total: usize,
    ) -> (usize, f64) {
        let far = 1e4;
        let places = distances.len() / width * most;
        let total = total.min(width).min(places);
        let cost = |other: usize, place: usize| {
            if place >= places {
                // Whoever can be left out is.
                return -5.0;
            }
            let d = distances[place / most * width + other];
            match (d.is_infinite(), place % most < least) {
                (true, _) => far,
                (false, true) => d - 2.0 * far,
                (false, false) => d,
            }
        };
        let found = least_cost(width, places + width - total, cost).column_of;
        let own = (found.into_iter().enumerate()).filter(|(_, place)| *place < places);
        let own: Vec<f64> = own
            .map(|(other, place)| distances[place / most * width + other])
            .filter(|d| d.is_finite())
            .collect();
        (own.len(), own.iter().sum())
    }

    #[test]
    fn one_more_pair_at_a_time_ends_at_the_least_sum() {
        let mut random = Seed::new(9).stream(0);
        let draw = |random: &mut rand::rngs::ChaCha8Rng| random.random::<f64>();
        for case in 0..300 {
            let rows = 1 + (draw(&mut random) * 8.0) as usize;
            let width = 1 + (draw(&mut random) * 25.0) as usize;
            let least = 1 + (draw(&mut random) * 2.0) as usize;
            let most = least + (draw(&mut random) * 4.0) as usize;
            let total =
                rows * least + (draw(&mut random) * (rows * (most - least) + 1) as f64) as usize;
            let distances: Vec<f64> = (0..rows * width)
                .map(|_| {
                    let d = draw(&mut random);
                    // Ties, and pairs that calipers do not allow.
                    let d = if case % 3 == 0 { (4.0 * d).floor() } else { d };
                    if case % 2 == 0 && draw(&mut random) < 0.3 {
                        f64::INFINITY
                    } else {
                        d
                    }
                })
                .collect();
            let spare = rows * least;
            let cost = |place: usize, other: usize| {
                if other < width {
                    distances[place / least * width + other].min(2e4)
                } else {
                    1e4
                }
            };
            let found = least_cost(rows * least, width + spare, cost);
            let grown = Flow::grown(&distances, width, [least, most], total, found);
            let own: Vec<f64> = (grown.iter().enumerate())
                .filter_map(|(other, focal)| Some(distances[(*focal)? * width + other]))
                .collect();
            for focal in 0..rows {
                assert!(grown.iter().filter(|of| **of == Some(focal)).count() <= most);
            }
            let (count, sum) = by_places(&distances, width, [least, most], total);
            assert_eq!(own.len(), count, "case {case}");
            assert!((own.iter().sum::<f64>() - sum).abs() < 1e-7, "case {case}");
        }
    }
}
