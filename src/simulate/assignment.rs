//! How treatment comes to customers: randomised, in clusters, by their own choice, with non-compliance, attrition and
//! peers.

use super::closed::share;
use super::draws::Draws;
use crate::data::{Frame, Groups, MISSING};
use crate::error::{Error, Result};
use crate::numeric::Seed;
use crate::numeric::permutation::{below, shuffle};
use serde::{Deserialize, Serialize};

/// A mechanism that assigns treatment to the rows of a frame.
///
/// ```
/// use cocreate::prelude::*;
/// use cocreate::simulate::Allocation;
/// let shops = Frame::new().with("region", vec!["north", "south", "north", "south"])?;
/// let treated = Allocation::Blocked { column: "region".into(), share: 0.5 }.draw(&shops, 7)?;
/// assert_eq!(treated.iter().filter(|t| **t).count(), 2); // one in each region
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Allocation {
    /// Exactly `share` of the rows (rounded), all choices equally likely.
    Complete {
        /// The share treated.
        share: f64,
    },
    /// Each row by its own coin.
    Bernoulli {
        /// The probability.
        share: f64,
    },
    /// `share` of the rows within each group of a column; a fraction of a row goes to chance, so that every row has
    /// exactly that probability.
    Blocked {
        /// The column of the blocks.
        column: String,
        /// The share treated.
        share: f64,
    },
    /// Whole clusters: `share` of them, rounded.
    Clustered {
        /// The column of the clusters.
        column: String,
        /// The share treated.
        share: f64,
    },
    /// By own choice: Pr(treated) = Λ(constant + slope·column), for what the researcher cannot randomise.
    SelfSelected {
        /// The column that drives the choice, such as an oracle's ability.
        column: String,
        /// Log-odds at zero.
        constant: f64,
        /// Log-odds per unit.
        slope: f64,
    },
}

impl Allocation {
    /// Draws an assignment.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for a share outside (0, 1); [`Error::ColumnNotFound`]; [`Error::MissingClusters`].
    pub fn draw(&self, frame: &Frame, seed: impl Into<Seed>) -> Result<Vec<bool>> {
        let seed = seed.into().child("allocation");
        let rows = frame.rows();
        match self {
            Self::Complete { share: part } => {
                share("share", *part)?;
                Ok(chosen(rows, (part * rows as f64).round() as usize, seed))
            }
            Self::Bernoulli { share: part } => {
                share("share", *part)?;
                let mut draws = Draws::new(seed, 0);
                Ok((0..rows).map(|_| draws.chance(*part)).collect())
            }
            Self::Blocked {
                column,
                share: part,
            } => {
                share("share", *part)?;
                let groups = whole(frame, column)?;
                let mut members = vec![Vec::new(); groups.count()];
                for (row, code) in groups.codes.iter().enumerate() {
                    members[*code as usize].push(row);
                }
                let mut treated = vec![false; rows];
                for (block, rows) in members.iter_mut().enumerate() {
                    let mut draws = Draws::new(seed, block as u64);
                    let wanted = part * rows.len() as f64;
                    let more = usize::from(draws.chance(wanted.fract()));
                    shuffle(rows, draws.generator());
                    for row in rows.iter().take(wanted as usize + more) {
                        treated[*row] = true;
                    }
                }
                Ok(treated)
            }
            Self::Clustered {
                column,
                share: part,
            } => {
                share("share", *part)?;
                let groups = whole(frame, column)?;
                let clusters = groups.count();
                let picked = chosen(clusters, (part * clusters as f64).round() as usize, seed);
                Ok(groups.codes.iter().map(|c| picked[*c as usize]).collect())
            }
            Self::SelfSelected {
                column,
                constant,
                slope,
            } => {
                let x = frame.numeric(column)?;
                let mut draws = Draws::new(seed, 0);
                let chooses = |x: &f64| constant + slope * x > draws.logistic();
                Ok(x.values().iter().map(chooses).collect())
            }
        }
    }
}

/// A factorial assignment: for each factor a level 0, 1, …, all cells of the same size as far as the number of rows
/// allows, in random order.
///
/// # Errors
/// [`Error::InvalidOption`] when a factor has no level.
pub fn factorial(rows: usize, levels: &[usize], seed: impl Into<Seed>) -> Result<Vec<Vec<u32>>> {
    let cells: usize = levels.iter().product();
    if cells == 0 || levels.is_empty() {
        return Err(Error::invalid_option(
            "levels",
            format!("{levels:?}"),
            "at least one factor, each with at least one level",
        ));
    }
    let mut draws = Draws::new(seed.into().child("factorial"), 0);
    // The cells that get one row more than others are drawn too.
    let mut order: Vec<usize> = (0..cells).collect();
    shuffle(&mut order, draws.generator());
    let mut cell: Vec<usize> = (0..rows).map(|row| order[row % cells]).collect();
    shuffle(&mut cell, draws.generator());
    let mut divisor = 1;
    Ok(levels
        .iter()
        .map(|count| {
            let factor = cell.iter().map(|c| (c / divisor % count) as u32).collect();
            divisor *= count;
            factor
        })
        .collect())
}

/// Who takes what is assigned: the principal strata of non-compliance. The rest complies; there are no defiers.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Compliance {
    /// Share that takes the treatment in any arm.
    pub always: f64,
    /// Share that never takes it.
    pub never: f64,
}

/// The stratum of one customer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stratum {
    /// Takes what is assigned.
    Complier,
    /// Takes the treatment in any arm.
    AlwaysTaker,
    /// Never takes it.
    NeverTaker,
}

impl Compliance {
    /// Everybody takes what is assigned.
    pub const FULL: Self = Self {
        always: 0.0,
        never: 0.0,
    };

    /// Draws the strata.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] when the shares are negative or sum to more than one.
    pub fn draw(&self, rows: usize, seed: impl Into<Seed>) -> Result<Vec<Stratum>> {
        self.checked()?;
        let mut draws = Draws::new(seed.into().child("compliance"), 0);
        Ok((0..rows).map(|_| self.at(draws.uniform())).collect())
    }

    pub(super) fn checked(&self) -> Result<()> {
        if self.always >= 0.0 && self.never >= 0.0 && self.always + self.never <= 1.0 {
            return Ok(());
        }
        Err(Error::invalid_option(
            "shares of always-takers and never-takers",
            format!("{}, {}", self.always, self.never),
            "not negative and at most one together",
        ))
    }

    /// The stratum at a reluctance between 0 and 1, evenly spread over customers.
    pub(super) fn at(&self, reluctance: f64) -> Stratum {
        if reluctance < self.always {
            Stratum::AlwaysTaker
        } else if reluctance > 1.0 - self.never {
            Stratum::NeverTaker
        } else {
            Stratum::Complier
        }
    }
}

impl Stratum {
    /// What a customer of this stratum takes.
    pub fn takes(self, assigned: bool) -> bool {
        match self {
            Self::Complier => assigned,
            Self::AlwaysTaker => true,
            Self::NeverTaker => false,
        }
    }
}

/// Who is lost: row i stays with probability Λ(constant + slope·x_i). Returns true for those who stay.
pub fn attrition(x: &[f64], constant: f64, slope: f64, seed: impl Into<Seed>) -> Vec<bool> {
    let mut draws = Draws::new(seed.into().child("attrition"), 0);
    x.iter()
        .map(|x| constant + slope * x > draws.logistic())
        .collect()
}

/// Who knows whom, for spill-overs between peers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Network {
    neighbours: Vec<Vec<u32>>,
}

impl Network {
    /// A ring in which everybody knows the `reach` people on each side.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] when the ring is too small for that.
    pub fn ring(people: usize, reach: usize) -> Result<Self> {
        if reach == 0 || 2 * reach >= people {
            return Err(Error::invalid_option(
                "reach",
                reach,
                "at least 1 and less than half the people",
            ));
        }
        let neighbours = (0..people)
            .map(|i| {
                (1..=reach)
                    .flat_map(|k| [(i + k) % people, (i + people - k) % people])
                    .map(|j| j as u32)
                    .collect()
            })
            .collect();
        Ok(Self { neighbours })
    }

    /// A random network with `people · mean_degree / 2` ties between pairs drawn at random (Erdős & Rényi); repeated
    /// pairs count once.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for fewer than two people or a mean degree that is not between 0 and the number of
    /// others.
    pub fn random(people: usize, mean_degree: f64, seed: impl Into<Seed>) -> Result<Self> {
        if people < 2 || !(mean_degree >= 0.0 && mean_degree < people as f64) {
            return Err(Error::invalid_option(
                "mean_degree",
                mean_degree,
                "between 0 and the number of others",
            ));
        }
        let mut draws = Draws::new(seed.into().child("network"), 0);
        let mut neighbours = vec![Vec::new(); people];
        for _ in 0..(0.5 * mean_degree * people as f64).round() as usize {
            let a = below(draws.generator(), people as u64) as usize;
            let b = below(draws.generator(), people as u64 - 1) as usize;
            let b = if b >= a { b + 1 } else { b };
            neighbours[a].push(b as u32);
            neighbours[b].push(a as u32);
        }
        for list in &mut neighbours {
            list.sort_unstable();
            list.dedup();
        }
        Ok(Self { neighbours })
    }

    /// A network from its ties between people, numbered from 0; a tie joins both ways, and repeated ties count once.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for a tie of somebody with themselves or with a number that nobody has.
    pub fn from_ties(people: usize, ties: &[(u32, u32)]) -> Result<Self> {
        let mut neighbours = vec![Vec::new(); people];
        for (a, b) in ties {
            if a == b || *a as usize >= people || *b as usize >= people {
                return Err(Error::invalid_option(
                    "ties",
                    format!("({a}, {b})"),
                    format!("between two different numbers below {people}"),
                ));
            }
            neighbours[*a as usize].push(*b);
            neighbours[*b as usize].push(*a);
        }
        for list in &mut neighbours {
            list.sort_unstable();
            list.dedup();
        }
        Ok(Self { neighbours })
    }

    /// The people whom each knows.
    pub fn neighbours(&self) -> &[Vec<u32>] {
        &self.neighbours
    }

    /// The share of everybody's neighbours that is treated; zero for those who know nobody.
    ///
    /// # Errors
    /// [`Error::LengthMismatch`].
    pub fn exposure(&self, treated: &[bool]) -> Result<Vec<f64>> {
        if treated.len() != self.neighbours.len() {
            return Err(Error::LengthMismatch {
                column: "treated".to_owned(),
                expected: self.neighbours.len(),
                found: treated.len(),
            });
        }
        let exposed = |list: &Vec<u32>| {
            let count = list.iter().filter(|j| treated[**j as usize]).count();
            count as f64 / list.len().max(1) as f64
        };
        Ok(self.neighbours.iter().map(exposed).collect())
    }
}

/// `count` of `rows`, all choices equally likely.
fn chosen(rows: usize, count: usize, seed: Seed) -> Vec<bool> {
    let mut flags: Vec<bool> = (0..rows).map(|i| i < count).collect();
    shuffle(&mut flags, Draws::new(seed, 0).generator());
    flags
}

/// The groups of a column without missing values.
fn whole(frame: &Frame, column: &str) -> Result<Groups> {
    let groups = frame.groups(column)?;
    let missing = groups.codes.iter().filter(|c| **c == MISSING).count();
    if missing > 0 {
        return Err(Error::MissingClusters {
            column: column.to_owned(),
            missing,
        });
    }
    Ok(groups)
}
