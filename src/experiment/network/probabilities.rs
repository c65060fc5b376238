//! Probabilities of exposures, alone and of two people together, from all assignments or from draws.

use super::{FEWEST_DRAWS, NetworkExperiment};
use crate::data::{Frame, MISSING};
use crate::error::{Error, Result};
use crate::numeric::blocks;
use crate::simulate::{Allocation, Network};

/// Assignments listed at most.
const MOST_LISTED: f64 = 20_000.0;

/// In each person's exposures over assignments one bit says whether they had it.
#[derive(Clone, Debug)]
pub(super) struct Probabilities {
    /// Whether all assignments were listed.
    pub(super) exact: bool,
    pub(super) draws: usize,
    /// Probability of each assignment; none when all are equal.
    weights: Option<Vec<f64>>,
    /// Where each exposure is kept, or nowhere.
    place: Vec<Option<usize>>,
    people: usize,
    words: usize,
    /// Bits by exposure, person, assignment.
    bits: Vec<u64>,
    single: Vec<f64>,
    /// Of two people together, by position, once they are remembered.
    pairs: Vec<f64>,
}

impl Probabilities {
    pub(super) fn new(
        options: &NetworkExperiment,
        frame: &Frame,
        network: &Network,
        used: &[usize],
    ) -> Result<Self> {
        if matches!(options.allocation, Allocation::SelfSelected { .. }) {
            return Err(Error::invalid_option(
                "allocation",
                "self-selected",
                "a randomised one, whose probabilities are known",
            ));
        }
        // The drawing checks shares and columns; one draw is enough.
        options.allocation.draw(frame, 0)?;
        let listed = listed(&options.allocation, frame)?;
        let people = frame.rows();
        let (draws, weights, exact) = match &listed {
            Some(all) => {
                let first = all[0].1;
                let equal = all.iter().all(|(_, w)| (w / first - 1.0).abs() < 1e-12);
                let weights = (!equal).then(|| all.iter().map(|(_, w)| *w).collect());
                (all.len(), weights, true)
            }
            None => (options.draws, None, false),
        };
        if !exact && draws < FEWEST_DRAWS {
            return Err(Error::invalid_option(
                "draws",
                draws,
                format!("at least {FEWEST_DRAWS}"),
            ));
        }
        let seed = match (exact, options.seed) {
            (true, _) => None,
            (false, Some(seed)) => Some(seed.child("exposure")),
            (false, None) => {
                return Err(Error::SeedRequired {
                    what: "exposure probabilities by simulation of the design".to_owned(),
                });
            }
        };
        let exposures = blocks::map(draws, |draw| {
            let treated = match (&listed, seed) {
                (Some(all), _) => Ok(all[draw].0.clone()),
                (None, Some(seed)) => {
                    (options.allocation).draw(frame, seed.child(&draw.to_string()))
                }
                (None, None) => Ok(vec![]),
            };
            treated.map(|z| options.mapping.exposures(&z, network))
        });
        let mut place = vec![None; used.iter().max().map_or(0, |m| m + 1)];
        for (at, exposure) in used.iter().enumerate() {
            place[*exposure] = Some(at);
        }
        let words = draws.div_ceil(u64::BITS as usize);
        let mut this = Self {
            exact,
            draws,
            weights,
            place,
            people,
            words,
            bits: vec![0; used.len() * people * words],
            single: vec![],
            pairs: vec![],
        };
        for (draw, exposure) in exposures.into_iter().enumerate() {
            for (person, d) in exposure?.into_iter().enumerate() {
                if let Some(at) = this.place.get(usize::from(d)).copied().flatten() {
                    let first = (at * people + person) * words;
                    this.bits[first + draw / 64] |= 1 << (draw % 64);
                }
            }
        }
        let count = used.len() * people;
        this.single = (0..count)
            .map(|k| this.mass(this.row(k), this.row(k)))
            .collect();
        Ok(this)
    }

    fn row(&self, at: usize) -> &[u64] {
        &self.bits[at * self.words..(at + 1) * self.words]
    }

    fn at(&self, person: usize, exposure: usize) -> Option<usize> {
        let place = self.place.get(exposure).copied().flatten()?;
        Some(place * self.people + person)
    }

    /// Probability of the assignments whose bits are set in both.
    fn mass(&self, a: &[u64], b: &[u64]) -> f64 {
        match &self.weights {
            None => {
                let count: u32 = a.iter().zip(b).map(|(a, b)| (a & b).count_ones()).sum();
                f64::from(count) / self.draws as f64
            }
            Some(weights) => {
                let mut total = 0.0;
                for (word, (a, b)) in a.iter().zip(b).enumerate() {
                    let mut both = a & b;
                    while both != 0 {
                        total += weights[word * 64 + both.trailing_zeros() as usize];
                        both &= both - 1;
                    }
                }
                total
            }
        }
    }

    /// `πᵢ(d)`.
    pub(super) fn of(&self, person: usize, exposure: usize) -> f64 {
        self.at(person, exposure).map_or(0.0, |at| self.single[at])
    }

    /// `π_ij(d, e)`.
    pub(super) fn both(&self, i: usize, d: usize, j: usize, e: usize) -> f64 {
        match (self.at(i, d), self.at(j, e)) {
            (Some(a), Some(b)) if self.pairs.is_empty() => self.mass(self.row(a), self.row(b)),
            (Some(a), Some(b)) => self.pairs[a * self.single.len() + b],
            _ => 0.0,
        }
    }

    /// Works the probabilities of two people out once, where they are few enough to be kept.
    pub(super) fn remember_pairs(&mut self) {
        /// 32 MB.
        const MOST: usize = 4_000_000;
        let count = self.single.len();
        if count * count <= MOST {
            let rows = blocks::map(count, |a| -> Vec<f64> {
                (0..count)
                    .map(|b| self.mass(self.row(a), self.row(b)))
                    .collect()
            });
            self.pairs = rows.concat();
        }
    }

    /// The exposure that a person has in a draw; one that is not compared has no number.
    pub(super) fn exposure(&self, person: usize, draw: usize) -> u16 {
        let has = |place: &usize| {
            let row = self.row(place * self.people + person);
            row[draw / 64] >> (draw % 64) & 1 == 1
        };
        let found = (self.place.iter()).position(|place| place.as_ref().is_some_and(has));
        found.map_or(u16::MAX, |exposure| exposure as u16)
    }

    /// Probability of a listed assignment, or of a draw.
    pub(super) fn weight(&self, draw: usize) -> f64 {
        (self.weights.as_ref()).map_or(1.0 / self.draws as f64, |weights| weights[draw])
    }

    /// Adds `value` to every draw in which the person had the exposure.
    pub(super) fn add_to_draws(
        &self,
        person: usize,
        exposure: usize,
        value: f64,
        draws: &mut [f64],
    ) {
        let Some(at) = self.at(person, exposure) else {
            return;
        };
        for (word, bits) in self.row(at).iter().enumerate() {
            let mut bits = *bits;
            while bits != 0 {
                draws[word * 64 + bits.trailing_zeros() as usize] += value;
                bits &= bits - 1;
            }
        }
    }
}

/// An assignment with its probability.
type Weighted = (Vec<bool>, f64);

/// The rows of each unit of a block.
type Units = Vec<Vec<usize>>;

/// Numbers of units treated, with their probabilities.
type Numbers = Vec<(usize, f64)>;

/// All assignments with their probabilities, unless they are too many.
fn listed(allocation: &Allocation, frame: &Frame) -> Result<Option<Vec<Weighted>>> {
    let rows = frame.rows();
    let alone = || (0..rows).map(|row| vec![row]).collect::<Vec<_>>();
    // Blocks of units (each a list of rows), with the numbers of units treated and their probabilities.
    let blocks: Vec<(Units, Numbers)> = match allocation {
        Allocation::Complete { share } => {
            vec![(alone(), vec![((share * rows as f64).round() as usize, 1.0)])]
        }
        Allocation::Bernoulli { share } => (0..rows)
            .map(|row| (vec![vec![row]], vec![(0, 1.0 - share), (1, *share)]))
            .collect(),
        Allocation::Blocked { column, share } => grouped(frame, column)?
            .into_iter()
            .map(|members| {
                let wanted = share * members.len() as f64;
                let (whole, part) = (wanted as usize, wanted.fract());
                let mut numbers = vec![(whole, 1.0 - part)];
                if part > 0.0 {
                    numbers.push((whole + 1, part));
                }
                (members.into_iter().map(|row| vec![row]).collect(), numbers)
            })
            .collect(),
        Allocation::Clustered { column, share } => {
            let clusters = grouped(frame, column)?;
            let count = (share * clusters.len() as f64).round() as usize;
            vec![(clusters, vec![(count, 1.0)])]
        }
        Allocation::SelfSelected { .. } => return Ok(None),
    };
    let total: f64 = (blocks.iter())
        .map(|(units, numbers)| {
            let ways = numbers.iter().map(|(k, _)| choose(units.len(), *k));
            ways.sum::<f64>()
        })
        .product();
    if total > MOST_LISTED {
        return Ok(None);
    }
    let mut all = vec![(vec![false; rows], 1.0)];
    for (units, numbers) in &blocks {
        let mut next = Vec::new();
        for (assignment, weight) in &all {
            for (count, probability) in numbers {
                let share = weight * probability / choose(units.len(), *count);
                subsets(units.len(), *count, &mut |chosen| {
                    let mut z = assignment.clone();
                    for unit in chosen {
                        for row in &units[*unit] {
                            z[*row] = true;
                        }
                    }
                    next.push((z, share));
                });
            }
        }
        all = next;
    }
    Ok(Some(all))
}

/// The rows of each group.
fn grouped(frame: &Frame, column: &str) -> Result<Vec<Vec<usize>>> {
    let groups = frame.groups(column)?;
    let mut members = vec![Vec::new(); groups.count()];
    for (row, code) in groups
        .codes
        .iter()
        .enumerate()
        .filter(|(_, c)| **c != MISSING)
    {
        members[*code as usize].push(row);
    }
    Ok(members)
}

fn choose(n: usize, k: usize) -> f64 {
    (0..k.min(n)).fold(1.0, |c, i| c * (n - i) as f64 / (i + 1) as f64)
}

/// Calls `take` with every set of `k` numbers below `n`.
fn subsets(n: usize, k: usize, take: &mut impl FnMut(&[usize])) {
    let mut chosen: Vec<usize> = (0..k).collect();
    if k > n {
        return;
    }
    loop {
        take(&chosen);
        // The last number that can still rise does, and those after it follow it.
        let Some(i) = (0..k).rev().find(|i| chosen[*i] < n - k + i) else {
            return;
        };
        chosen[i] += 1;
        for j in i + 1..k {
            chosen[j] = chosen[j - 1] + 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_assignments_are_listed_with_their_probabilities() {
        let frame = Frame::new()
            .with("block", vec!["a", "a", "a", "b", "b"])
            .unwrap();
        for (allocation, count) in [
            (Allocation::Complete { share: 0.4 }, 10),
            (Allocation::Bernoulli { share: 0.3 }, 32),
            (
                Allocation::Blocked {
                    column: "block".into(),
                    share: 0.5,
                },
                12,
            ),
            (
                Allocation::Clustered {
                    column: "block".into(),
                    share: 0.5,
                },
                2,
            ),
        ] {
            let all = listed(&allocation, &frame).unwrap().unwrap();
            assert_eq!(all.len(), count, "{allocation:?}");
            let total: f64 = all.iter().map(|(_, w)| w).sum();
            assert!((total - 1.0).abs() < 1e-12);
            // The shares that the drawing has, from many draws.
            let exact = |row: usize| {
                all.iter()
                    .filter(|(z, _)| z[row])
                    .map(|(_, w)| w)
                    .sum::<f64>()
            };
            for row in [0, 4] {
                let drawn = (0..2000_u64)
                    .filter(|s| allocation.draw(&frame, *s).unwrap()[row])
                    .count() as f64
                    / 2000.0;
                assert!(
                    (drawn - exact(row)).abs() < 0.045,
                    "{allocation:?} {drawn} {}",
                    exact(row)
                );
            }
        }
        let many = Frame::new().with("x", vec![0.0; 40]).unwrap();
        assert!(
            listed(&Allocation::Complete { share: 0.5 }, &many)
                .unwrap()
                .is_none()
        );
    }
}
