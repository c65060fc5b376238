//! How treatment was assigned, and the assignments that could have been.

use super::rerandomized::Balance;
use crate::data::Frame;
use crate::error::{Error, Result};
use crate::inference::bootstrap::whole;
use crate::numeric::Seed;
use crate::numeric::permutation::{below, open_unit};
use rand::Rng;
use rand::rngs::ChaCha8Rng;
use std::fmt;
use std::sync::Arc;

/// A mechanism given as a function: an assignment, one flag a row, from a random generator.
pub type Mechanism = Arc<dyn Fn(&mut ChaCha8Rng) -> Vec<bool> + Send + Sync>;

/// The mechanism by which treatment was assigned; the test re-draws assignments from it.
#[derive(Clone)]
pub enum Assignment {
    /// A fixed number of rows, all choices equally likely.
    Complete,
    /// Each row by its own coin with this probability. Assignments without any treated or any control row are not counted: the test is
    /// conditional on having both.
    Bernoulli(f64),
    /// A fixed number of rows within each group of a column (stratified or matched pairs).
    Blocked(String),
    /// Whole clusters, a fixed number of them. Outcomes are averaged over each cluster, which is then the unit.
    Clustered(String),
    /// A fixed number of rows, drawn again until the Mahalanobis distance between the arms' means of the covariates, `M = n₁n₀/n
    /// (x̄₁ − x̄₀)'S⁻¹(x̄₁ − x̄₀)`, is at most the threshold (Morgan & Rubin 2012). With k covariates the χ²(k) quantile of p accepts a share of
    /// about p.
    Rerandomized {
        /// Numeric columns without missing values.
        covariates: Vec<String>,
        /// The largest distance that is accepted.
        threshold: f64,
    },
    /// Any other mechanism: an assignment (one flag a row) from a random generator.
    Custom(Mechanism),
}

impl fmt::Debug for Assignment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Assignment({self})")
    }
}

impl fmt::Display for Assignment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Complete => write!(f, "complete randomisation"),
            Self::Bernoulli(p) => write!(f, "independent assignment with probability {p}"),
            Self::Blocked(column) => write!(f, "randomisation within {column}"),
            Self::Clustered(column) => write!(f, "randomisation of clusters of {column}"),
            Self::Rerandomized {
                covariates,
                threshold,
            } => write!(
                f,
                "rerandomisation until the distance of {} is at most {threshold}",
                covariates.join(", ")
            ),
            Self::Custom(_) => write!(f, "a given mechanism"),
        }
    }
}

impl Assignment {
    /// A mechanism given as a function.
    pub fn custom(draw: impl Fn(&mut ChaCha8Rng) -> Vec<bool> + Send + Sync + 'static) -> Self {
        Self::Custom(Arc::new(draw))
    }

    /// Complete randomisation, repeated until covariates are balanced: see [`Assignment::Rerandomized`].
    pub fn rerandomized<S: Into<String>>(
        covariates: impl IntoIterator<Item = S>,
        threshold: f64,
    ) -> Self {
        Self::Rerandomized {
            covariates: covariates.into_iter().map(Into::into).collect(),
            threshold,
        }
    }
}

/// The units of a test: rows, or clusters of them.
#[derive(Clone, Debug)]
pub(super) struct Units {
    /// Treatment of each unit.
    pub(super) treated: Vec<bool>,
    /// Unit of each row, when units are clusters.
    pub(super) of_row: Option<Vec<u32>>,
    /// Units of each block; one block without blocks.
    pub(super) blocks: Vec<Vec<u32>>,
    /// What an assignment must balance to be accepted.
    pub(super) balance: Option<Balance>,
}

impl Units {
    pub(super) fn new(assignment: &Assignment, frame: &Frame, rows: &[bool]) -> Result<Self> {
        let all = |count: usize| vec![(0..count as u32).collect::<Vec<u32>>()];
        match assignment {
            Assignment::Bernoulli(p) if !(*p > 0.0 && *p < 1.0) => Err(Error::invalid_option(
                "probability of treatment",
                p,
                "between 0 and 1",
            )),
            Assignment::Complete | Assignment::Bernoulli(_) | Assignment::Custom(_) => Ok(Self {
                treated: rows.to_vec(),
                of_row: None,
                blocks: all(rows.len()),
                balance: None,
            }),
            Assignment::Rerandomized {
                covariates,
                threshold,
            } => Ok(Self {
                treated: rows.to_vec(),
                of_row: None,
                blocks: all(rows.len()),
                balance: Some(Balance::new(frame, covariates, *threshold, rows)?),
            }),
            Assignment::Blocked(column) => {
                let groups = whole(frame, column)?;
                let mut blocks = vec![Vec::new(); groups.count()];
                for (row, code) in groups.codes.iter().enumerate() {
                    blocks[*code as usize].push(row as u32);
                }
                Ok(Self {
                    treated: rows.to_vec(),
                    of_row: None,
                    blocks,
                    balance: None,
                })
            }
            Assignment::Clustered(column) => {
                let groups = whole(frame, column)?;
                if groups.count() < 2 {
                    return Err(Error::TooFewClusters {
                        column: column.clone(),
                        clusters: groups.count(),
                    });
                }
                let mut treated: Vec<Option<bool>> = vec![None; groups.count()];
                for (row, code) in groups.codes.iter().enumerate() {
                    let slot = treated[*code as usize].get_or_insert(rows[row]);
                    if *slot != rows[row] {
                        return Err(Error::OutOfRange {
                            column: "treatment".to_owned(),
                            row: row + 1,
                            value: f64::from(u8::from(rows[row])),
                            expected: format!(
                                "the same in all rows of a cluster of `{column}`, since clusters were assigned"
                            ),
                        });
                    }
                }
                Ok(Self {
                    treated: treated.into_iter().map(|t| t.unwrap_or(false)).collect(),
                    blocks: all(groups.count()),
                    of_row: Some(groups.codes.to_vec()),
                    balance: None,
                })
            }
        }
    }

    /// Outcomes by unit: means over the rows of each.
    pub(super) fn outcomes(&self, rows: &[f64]) -> Vec<f64> {
        let Some(of_row) = &self.of_row else {
            return rows.to_vec();
        };
        let mut sums = vec![(0.0, 0.0); self.treated.len()];
        for (y, unit) in rows.iter().zip(of_row) {
            let sum = &mut sums[*unit as usize];
            *sum = (sum.0 + y, sum.1 + 1.0);
        }
        sums.into_iter().map(|(sum, count)| sum / count).collect()
    }
}

/// Assignments that could have been. Random ones are drawn again whenever they are needed (assignment i from stream i), so that many rows
/// need no memory.
#[derive(Clone, Debug)]
pub(super) struct Assignments<'a> {
    assignment: &'a Assignment,
    units: &'a Units,
    /// All there are, the observed one included, with their relative probabilities.
    listed: Option<(Vec<Vec<bool>>, Vec<f64>)>,
    draws: usize,
    seed: Seed,
}

impl<'a> Assignments<'a> {
    /// All assignments when they are no more than `draws`; random ones otherwise.
    pub(super) fn new(
        assignment: &'a Assignment,
        units: &'a Units,
        draws: usize,
        seed: impl FnOnce() -> Result<Seed>,
    ) -> Result<Self> {
        let listed = enumerate(assignment, units, draws).map(|all| {
            let weights = all.iter().map(|z| likelihood(assignment, z)).collect();
            (all, weights)
        });
        let seed = if listed.is_some() {
            Seed::new(0)
        } else {
            seed()?.child("randomization")
        };
        Ok(Self {
            assignment,
            units,
            listed,
            draws,
            seed,
        })
    }

    /// The seed of random assignments that are uniform within blocks: all that linear statistics need to know.
    pub(super) fn uniform(&self) -> Option<Seed> {
        let uniform = matches!(
            self.assignment,
            Assignment::Complete | Assignment::Blocked(_) | Assignment::Clustered(_)
        );
        (uniform && self.listed.is_none()).then_some(self.seed)
    }

    /// Whether these are all there are.
    pub(super) fn exact(&self) -> bool {
        self.listed.is_some()
    }

    /// How many.
    pub(super) fn count(&self) -> usize {
        self.listed
            .as_ref()
            .map_or(self.draws, |(all, _)| all.len())
    }

    /// The probability of assignment `i` relative to the others.
    pub(super) fn weight(&self, i: usize) -> f64 {
        self.listed.as_ref().map_or(1.0, |(_, weights)| weights[i])
    }

    /// Assignment `i`.
    pub(super) fn get(&self, i: usize) -> Result<Vec<bool>> {
        match &self.listed {
            Some((all, _)) => Ok(all[i].clone()),
            None => draw(self.assignment, self.units, &mut self.seed.stream(i as u64)),
        }
    }
}

/// Probability relative to the other assignments.
fn likelihood(assignment: &Assignment, treated: &[bool]) -> f64 {
    match assignment {
        Assignment::Bernoulli(p) => {
            let count = treated.iter().filter(|t| **t).count() as f64;
            // Relative to one half each, so that many rows do not underflow.
            (count * (p * 2.0).ln() + (treated.len() as f64 - count) * (2.0 - p * 2.0).ln()).exp()
        }
        _ => 1.0,
    }
}

fn draw(assignment: &Assignment, units: &Units, random: &mut ChaCha8Rng) -> Result<Vec<bool>> {
    /// With both arms possible, this many misses in a row do not happen.
    const MOST_TRIES: usize = 100_000;
    match assignment {
        Assignment::Bernoulli(p) => {
            for _ in 0..MOST_TRIES {
                let z: Vec<bool> = units
                    .treated
                    .iter()
                    .map(|_| open_unit(random.next_u64()) < *p)
                    .collect();
                if z.iter().any(|t| *t) && !z.iter().all(|t| *t) {
                    return Ok(z);
                }
            }
            Err(Error::Unidentified {
                what: "an assignment with treated and control rows".to_owned(),
                needs: "a probability further from 0 and 1, or more rows".to_owned(),
            })
        }
        Assignment::Custom(draw) => {
            let z = draw(random);
            if z.len() == units.treated.len() {
                return Ok(z);
            }
            Err(Error::LengthMismatch {
                column: "an assignment of the given mechanism".to_owned(),
                expected: units.treated.len(),
                found: z.len(),
            })
        }
        _ => {
            let mut z = units.treated.clone();
            for _ in 0..MOST_TRIES {
                for block in &units.blocks {
                    // Fisher–Yates within the block.
                    for last in (1..block.len()).rev() {
                        let other = below(random, last as u64 + 1) as usize;
                        z.swap(block[last] as usize, block[other] as usize);
                    }
                }
                if units.balance.as_ref().is_none_or(|b| b.accepts(&z)) {
                    return Ok(z);
                }
            }
            Err(Error::Unidentified {
                what: "a balanced assignment".to_owned(),
                needs: format!("a larger threshold: none of {MOST_TRIES} assignments was accepted"),
            })
        }
    }
}

/// All assignments, unless they are more than `most` or cannot be listed.
fn enumerate(assignment: &Assignment, units: &Units, most: usize) -> Option<Vec<Vec<bool>>> {
    let count = units.treated.len();
    match assignment {
        Assignment::Custom(_) => None,
        Assignment::Bernoulli(_) => {
            let all = 1_usize.checked_shl(u32::try_from(count).ok()?)?;
            if all.checked_sub(2)? > most {
                return None;
            }
            Some(
                (1..all - 1)
                    .map(|set| (0..count).map(|i| set >> i & 1 == 1).collect())
                    .collect(),
            )
        }
        _ => {
            let chosen = |block: &[u32]| {
                block
                    .iter()
                    .filter(|unit| units.treated[**unit as usize])
                    .count()
            };
            // Rerandomisation keeps some of them.
            let total = units.blocks.iter().try_fold(1_usize, |total, block| {
                total.checked_mul(combinations(block.len(), chosen(block), most)?)
            })?;
            if total > most {
                return None;
            }
            let mut all = vec![vec![false; count]];
            for block in &units.blocks {
                let sets = subsets(block, chosen(block));
                all = all
                    .into_iter()
                    .flat_map(|z| {
                        sets.iter().map(move |set| {
                            let mut z = z.clone();
                            for unit in set {
                                z[*unit as usize] = true;
                            }
                            z
                        })
                    })
                    .collect();
            }
            if let Some(balance) = &units.balance {
                all.retain(|z| balance.accepts(z));
            }
            Some(all)
        }
    }
}

/// Binomial coefficient, unless it exceeds `most`.
fn combinations(n: usize, k: usize, most: usize) -> Option<usize> {
    let mut total: usize = 1;
    for i in 0..k.min(n - k) {
        total = total.checked_mul(n - i)? / (i + 1);
        if total > most {
            return None;
        }
    }
    Some(total)
}

/// All subsets of `k` of the items.
fn subsets(items: &[u32], k: usize) -> Vec<Vec<u32>> {
    if k == 0 {
        return vec![vec![]];
    }
    let mut out = Vec::new();
    for first in 0..=items.len() - k {
        for mut rest in subsets(&items[first + 1..], k - 1) {
            rest.push(items[first]);
            out.push(rest);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn units(treated: &[u8], blocks: Vec<Vec<u32>>) -> Units {
        Units {
            treated: treated.iter().map(|t| *t == 1).collect(),
            of_row: None,
            blocks,
            balance: None,
        }
    }

    #[test]
    fn all_assignments_are_listed_once() {
        let complete = units(&[1, 0, 0, 1, 0], vec![(0..5).collect()]);
        let all = enumerate(&Assignment::Complete, &complete, 10).unwrap();
        assert_eq!(all.len(), 10);
        let distinct: std::collections::BTreeSet<_> = all.iter().cloned().collect();
        assert!(distinct.len() == 10 && distinct.contains(&complete.treated));
        assert!(all.iter().all(|z| z.iter().filter(|t| **t).count() == 2));
        assert!(enumerate(&Assignment::Complete, &complete, 9).is_none());
        let blocked = units(&[1, 0, 0, 1, 0], vec![vec![0, 1], vec![2, 3, 4]]);
        let all = enumerate(&Assignment::Blocked(String::new()), &blocked, 99).unwrap();
        assert_eq!(all.len(), 6);
        let coins = enumerate(&Assignment::Bernoulli(0.3), &complete, 30).unwrap();
        assert_eq!(coins.len(), 30);
        let total: f64 = coins
            .iter()
            .map(|z| likelihood(&Assignment::Bernoulli(0.3), z))
            .sum();
        let none_and_all = 32.0 * (0.7_f64.powi(5) + 0.3_f64.powi(5));
        assert!((total + none_and_all - 32.0).abs() < 1e-12);
    }

    #[test]
    fn drawn_assignments_respect_the_mechanism() {
        let blocked = units(&[1, 0, 0, 1, 1], vec![vec![0, 1], vec![2, 3, 4]]);
        let mut counts = [0_u32; 5];
        for i in 0..3000 {
            let z = draw(
                &Assignment::Blocked(String::new()),
                &blocked,
                &mut Seed::new(1).stream(i),
            )
            .unwrap();
            assert!(z[0] != z[1] && z[2..].iter().filter(|t| **t).count() == 2);
            z.iter()
                .zip(&mut counts)
                .for_each(|(t, c)| *c += u32::from(*t));
        }
        for (count, expected) in counts.iter().zip([1500.0, 1500.0, 2000.0, 2000.0, 2000.0]) {
            assert!((f64::from(*count) - expected).abs() < 110.0, "{counts:?}");
        }
    }

    #[test]
    fn draws_are_pinned() {
        let five = units(&[1, 0, 0, 1, 0], vec![(0..5).collect()]);
        let z = draw(&Assignment::Complete, &five, &mut Seed::new(7).stream(0)).unwrap();
        let coin = draw(
            &Assignment::Bernoulli(0.4),
            &five,
            &mut Seed::new(7).stream(0),
        )
        .unwrap();
        assert_eq!(z, [true, false, false, false, true]);
        assert_eq!(coin, [true, true, false, false, false]);
    }
}
