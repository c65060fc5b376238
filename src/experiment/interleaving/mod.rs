//! Interleaving: two rankings compared within one list, by the clicks of one user.

mod analysis;
mod sensitivity;

pub use analysis::{InterleavingTest, InterleavingTestFit};
pub use sensitivity::{InterleavingPower, InterleavingSensitivity};

use crate::error::{Error, Result};
use crate::numeric::Seed;
use crate::numeric::permutation::open_unit;
use rand::Rng;
use rand::rngs::ChaCha8Rng;
use serde::{Deserialize, Serialize};

/// How two rankings are merged into one list, and to whom its clicks are credited.
///
/// | method | list | credit |
/// |---|---|---|
/// | `TeamDraft` | both rankings pick in turns their best item that is left; a coin says who picks first in each round | a click counts for the ranking that picked the item |
/// | `Balanced` | items in the order of their better rank; a coin says who is first | clicks among the first k of each ranking, where k just reaches the lowest click |
/// | `Probabilistic` | at each place a coin chooses the ranking, which draws an item with probability ∝ 1/rank^τ | the share of each ranking in the probability that the item stands there, averaged over all coins |
///
/// Balanced interleaving can prefer one of two rankings under random clicks; the other two cannot.
///
/// # References
/// Joachims (2003), in *Text Mining*, 79–96; Radlinski, Kurup & Joachims (2008), *CIKM*, doi:10.1145/1458082.1458092; Hofmann, Whiteson & de
/// Rijke (2011), *CIKM*, doi:10.1145/2063576.2063618.
///
/// # Examples
/// ```
/// use cocreate::prelude::*;
/// let list = Interleaving::TeamDraft.draw(&[1, 2, 3, 4], &[3, 1, 5, 2], 4, 7)?;
/// assert_eq!(list.items().len(), 4);
/// let credit = list.credit(&[0])?; // the first item was clicked
/// assert_eq!(credit.a + credit.b, 1.0);
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Interleaving {
    /// Team draft.
    TeamDraft,
    /// Balanced.
    Balanced,
    /// Probabilistic, with marginalised credit.
    Probabilistic {
        /// How steeply probabilities fall with the rank: τ > 0, usually 3.
        tau: f64,
    },
}

/// A merged list, as shown to one user.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InterleavedList {
    method: Interleaving,
    items: Vec<u32>,
    /// For each place the share of its credit that is A's.
    share_a: Vec<f64>,
    /// Ranks of each item in A and in B from 0; the length of the ranking when it is not in it.
    ranks: Vec<(usize, usize)>,
}

/// Credit of one list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Credit {
    /// For ranking A.
    pub a: f64,
    /// For ranking B.
    pub b: f64,
}

impl Interleaving {
    /// Merges two rankings, best item first, into a list of at most `length` items.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for an empty ranking or length, an item twice in a ranking, or a τ that is not positive.
    pub fn draw(
        &self,
        a: &[u32],
        b: &[u32],
        length: usize,
        seed: impl Into<Seed>,
    ) -> Result<InterleavedList> {
        self.check(a, b, length)?;
        Ok(self.merge(
            a,
            b,
            length,
            &mut seed.into().child("interleaving").stream(0),
        ))
    }

    pub(super) fn check(&self, a: &[u32], b: &[u32], length: usize) -> Result<()> {
        for (name, ranking) in [("a", a), ("b", b)] {
            let mut sorted = ranking.to_vec();
            sorted.sort_unstable();
            sorted.dedup();
            if ranking.is_empty() || sorted.len() < ranking.len() {
                return Err(Error::invalid_option(
                    name,
                    format!("{ranking:?}"),
                    "a ranking of at least one item, each once",
                ));
            }
        }
        if length == 0 {
            return Err(Error::invalid_option("length", length, "at least 1"));
        }
        match self {
            Self::Probabilistic { tau } if !(*tau > 0.0 && tau.is_finite()) => {
                Err(Error::invalid_option("tau", tau, "positive, usually 3"))
            }
            _ => Ok(()),
        }
    }

    pub(super) fn merge(
        &self,
        a: &[u32],
        b: &[u32],
        length: usize,
        random: &mut ChaCha8Rng,
    ) -> InterleavedList {
        let mut list = InterleavedList {
            method: *self,
            items: vec![],
            share_a: vec![],
            ranks: vec![],
        };
        let mut coin = || open_unit(random.next_u64());
        match self {
            Self::TeamDraft => {
                let mut picks = (0, 0);
                while list.items.len() < length {
                    let (next_a, next_b) = (list.first_left(a), list.first_left(b));
                    let a_picks = match (next_a, next_b) {
                        (None, None) => break,
                        (Some(_), None) => true,
                        (None, Some(_)) => false,
                        _ if picks.0 == picks.1 => coin() < 0.5,
                        _ => picks.0 < picks.1,
                    };
                    if a_picks {
                        picks.0 += 1;
                    } else {
                        picks.1 += 1;
                    }
                    let item = if a_picks { next_a } else { next_b };
                    list.extend(item, f64::from(u8::from(a_picks)));
                }
            }
            Self::Balanced => {
                let a_first = coin() < 0.5;
                let (mut i, mut j) = (0, 0);
                while list.items.len() < length && (i < a.len() || j < b.len()) {
                    let a_next = j >= b.len() || (i < a.len() && (i < j || (i == j && a_first)));
                    let item = if a_next { a[i] } else { b[j] };
                    if a_next {
                        i += 1;
                    } else {
                        j += 1;
                    }
                    if !list.items.contains(&item) {
                        list.extend(Some(item), f64::NAN);
                    }
                }
            }
            Self::Probabilistic { tau } => {
                while list.items.len() < length {
                    let (of_a, of_b) = (list.softmax(a, *tau), list.softmax(b, *tau));
                    let chosen = match (of_a.is_empty(), of_b.is_empty()) {
                        (true, true) => break,
                        (false, true) => &of_a,
                        (true, false) => &of_b,
                        _ if coin() < 0.5 => &of_a,
                        _ => &of_b,
                    };
                    let mut left = coin();
                    let mut item = chosen[chosen.len() - 1].0;
                    for (candidate, p) in chosen {
                        left -= p;
                        if left <= 0.0 {
                            item = *candidate;
                            break;
                        }
                    }
                    let of = |list: &[(u32, f64)]| {
                        (list.iter().find(|(c, _)| *c == item)).map_or(0.0, |(_, p)| *p)
                    };
                    let (p, q) = (of(&of_a), of(&of_b));
                    list.extend(Some(item), p / (p + q));
                }
            }
        }
        let rank = |ranking: &[u32], item: &u32| {
            (ranking.iter().position(|r| r == item)).unwrap_or(ranking.len())
        };
        list.ranks = (list.items.iter())
            .map(|item| (rank(a, item), rank(b, item)))
            .collect();
        list
    }
}

impl InterleavedList {
    /// The items, in the order in which they are shown.
    pub fn items(&self) -> &[u32] {
        &self.items
    }

    /// For each place, the share of the credit of a click there that is A's; NaN under balanced interleaving, which credits lists as a whole.
    pub fn shares(&self) -> &[f64] {
        &self.share_a
    }

    /// The credit of clicks on these places, from 0; a place clicked twice counts once.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for a place that the list does not have.
    pub fn credit(&self, clicked: &[usize]) -> Result<Credit> {
        if let Some(place) = clicked.iter().find(|p| **p >= self.items.len()) {
            return Err(Error::invalid_option(
                "clicked",
                place,
                format!("a place below {}", self.items.len()),
            ));
        }
        let mut places = clicked.to_vec();
        places.sort_unstable();
        places.dedup();
        let Some(lowest) = places.last() else {
            return Ok(Credit::default());
        };
        if self.method == Interleaving::Balanced {
            // The smallest k with which either ranking reaches the lowest click.
            let k = self.ranks[*lowest].0.min(self.ranks[*lowest].1);
            let within = |of: &dyn Fn(&(usize, usize)) -> usize| {
                places.iter().filter(|p| of(&self.ranks[**p]) <= k).count() as f64
            };
            return Ok(Credit {
                a: within(&|r| r.0),
                b: within(&|r| r.1),
            });
        }
        let a: f64 = places.iter().map(|p| self.share_a[*p]).sum();
        Ok(Credit {
            a,
            b: places.len() as f64 - a,
        })
    }

    fn first_left(&self, ranking: &[u32]) -> Option<u32> {
        ranking
            .iter()
            .copied()
            .find(|item| !self.items.contains(item))
    }

    fn extend(&mut self, item: Option<u32>, share_a: f64) {
        self.items.extend(item);
        self.share_a.extend(item.map(|_| share_a));
    }

    /// Items of a ranking that are left, with probabilities ∝ 1/rank^τ.
    fn softmax(&self, ranking: &[u32], tau: f64) -> Vec<(u32, f64)> {
        let mut left: Vec<(u32, f64)> = (ranking.iter().enumerate())
            .filter(|(_, item)| !self.items.contains(item))
            .map(|(rank, item)| (*item, (rank as f64 + 1.0).powf(-tau)))
            .collect();
        let total: f64 = left.iter().map(|(_, w)| w).sum();
        for (_, weight) in &mut left {
            *weight /= total;
        }
        left
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: [u32; 4] = [1, 2, 3, 4];
    const B: [u32; 4] = [2, 3, 4, 1];
    const ALL: [Interleaving; 3] = [
        Interleaving::TeamDraft,
        Interleaving::Balanced,
        Interleaving::Probabilistic { tau: 3.0 },
    ];

    #[test]
    fn team_draft_and_balanced_lists_are_those_of_radlinski() {
        // Either ranking picks first; 1 or 2 leads, and the list is 1 2 3 4 or 2 1 3 4 (balanced).
        let (mut first, mut lists) = (0, std::collections::BTreeSet::new());
        for seed in 0..400 {
            let draft = Interleaving::TeamDraft.draw(&A, &B, 4, seed).unwrap();
            first += usize::from(draft.items()[0] == 1);
            assert!(
                draft.shares()[0] != draft.shares()[1] && draft.shares()[2] != draft.shares()[3]
            );
            lists.insert(Interleaving::Balanced.draw(&A, &B, 4, seed).unwrap().items);
        }
        assert!((170..=230).contains(&first), "{first}");
        let expected: Vec<Vec<u32>> = vec![vec![1, 2, 3, 4], vec![2, 1, 3, 4]];
        assert_eq!(lists.into_iter().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_random_click_favours_nobody_but_under_balanced_interleaving() {
        // The example of Radlinski et al. (2008): under one random click balanced interleaving prefers B.
        for method in ALL {
            let mut preference = 0.0_f64;
            for seed in 0..4000_u64 {
                let list = method.draw(&A, &B, 4, seed).unwrap();
                let credit = list.credit(&[(seed % 4) as usize]).unwrap();
                preference += match credit.a.total_cmp(&credit.b) {
                    std::cmp::Ordering::Less => -1.0,
                    std::cmp::Ordering::Greater => 1.0,
                    std::cmp::Ordering::Equal => 0.0,
                } / 4000.0;
                if method == Interleaving::TeamDraft {
                    assert!((credit.a + credit.b - 1.0).abs() < 1e-15);
                }
            }
            if method == Interleaving::Balanced {
                assert!(preference < -0.3, "{preference}");
            }
            if method == Interleaving::TeamDraft {
                assert!(preference.abs() < 0.06, "{preference}");
            }
        }
        // The marginalised credit, and not the number of wins, is even in expectation.
        let method = Interleaving::Probabilistic { tau: 3.0 };
        let gap: f64 = (0..4000_u64)
            .map(|seed| {
                let c = method
                    .draw(&A, &B, 4, seed)
                    .unwrap()
                    .credit(&[(seed % 4) as usize])
                    .unwrap();
                (c.a - c.b) / 4000.0
            })
            .sum();
        assert!(gap.abs() < 0.04, "{gap}");
    }

    #[test]
    fn equal_rankings_get_equal_credit_and_bad_input_is_refused() {
        for seed in 0..50 {
            let list = Interleaving::Probabilistic { tau: 3.0 }
                .draw(&A, &A, 9, seed)
                .unwrap();
            let credit = list.credit(&[0, 2, 2]).unwrap();
            assert!(
                (credit.a - 1.0).abs() < 1e-12
                    && (credit.b - 1.0).abs() < 1e-12
                    && list.items().len() == 4
            );
            let balanced = Interleaving::Balanced.draw(&A, &A, 3, seed).unwrap();
            assert_eq!(balanced.items(), [1, 2, 3]);
            assert_eq!(balanced.credit(&[1]).unwrap(), Credit { a: 1.0, b: 1.0 });
        }
        let draw = Interleaving::TeamDraft.draw(&A, &[9], 10, 1).unwrap();
        assert_eq!(draw.items().len(), 5);
        assert_eq!(draw.credit(&[]).unwrap(), Credit::default());
        assert!(draw.credit(&[5]).is_err());
        assert!(Interleaving::TeamDraft.draw(&[1, 1], &B, 3, 1).is_err());
        assert!(Interleaving::TeamDraft.draw(&[], &B, 3, 1).is_err());
        assert!(Interleaving::Balanced.draw(&A, &B, 0, 1).is_err());
        assert!(
            Interleaving::Probabilistic { tau: 0.0 }
                .draw(&A, &B, 3, 1)
                .is_err()
        );
        let pinned = Interleaving::Probabilistic { tau: 3.0 }
            .draw(&A, &B, 4, 7)
            .unwrap();
        assert_eq!(
            pinned,
            Interleaving::Probabilistic { tau: 3.0 }
                .draw(&A, &B, 4, 7)
                .unwrap()
        );
    }
}
