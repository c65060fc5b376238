//! An assignment that was drawn, with the mechanism it was drawn by.

use super::analysis::{self, DesignFit};
use super::balance::Balance;
use super::plan::Plan;
use crate::data::{Frame, Label};
use crate::error::{Error, Result};
use crate::inference::{Assignment, RandomizationFit, RandomizationTest};
use crate::numeric::Seed;
use crate::numeric::permutation::shuffle;
use crate::report::{Cell, Table};
use serde::{Deserialize, Serialize};
use std::fmt;

/// The arm of every row, drawn by a [`Randomization`](super::Randomization) or [`MatchedPairs`](super::MatchedPairs). It knows its
/// mechanism, so that analysis and randomisation test are those of the design.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Assigned {
    pub(super) plan: Plan,
    pub(super) arms: Vec<String>,
    /// Arm of every row.
    pub(super) codes: Vec<u32>,
    strata: Vec<String>,
    cluster: Option<String>,
    seed: Seed,
}

impl fmt::Debug for Assigned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Assigned")
            .field("mechanism", &self.mechanism())
            .field("arms", &self.arms)
            .field("rows", &self.codes.len())
            .finish_non_exhaustive()
    }
}

/// Names of columns that a test adds to its own copy of the frame; users' columns do not begin with a space.
const FLAG: &str = " treated";
const STRATUM: &str = " stratum";
const CLUSTER: &str = " cluster";

impl Assigned {
    pub(super) fn draw(
        plan: Plan,
        arms: Vec<String>,
        strata: Vec<String>,
        cluster: Option<String>,
        seed: Seed,
    ) -> Result<Self> {
        let units = plan.draw(&mut seed.stream(0))?;
        Ok(Self {
            codes: plan.by_row(&units),
            plan,
            arms,
            strata,
            cluster,
            seed,
        })
    }

    /// The arms, control first.
    pub fn arms(&self) -> &[String] {
        &self.arms
    }

    /// The arm of every row, as a position in [`arms`](Self::arms).
    pub fn codes(&self) -> &[u32] {
        &self.codes
    }

    /// Rows in each arm.
    pub fn counts(&self) -> Vec<usize> {
        let mut counts = vec![0; self.arms.len()];
        for arm in &self.codes {
            counts[*arm as usize] += 1;
        }
        counts
    }

    /// Whether each row is in this arm.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for an unknown arm.
    pub fn is(&self, arm: &str) -> Result<Vec<bool>> {
        let position = self.position(arm)? as u32;
        Ok(self.codes.iter().map(|a| *a == position).collect())
    }

    /// The stratum of every row (the pair, for matched pairs), numbered from zero.
    pub fn strata_by_row(&self) -> Vec<u32> {
        self.plan.by_row(&self.plan.stratum_of_unit())
    }

    /// The frame with the arm as a label column of this name.
    ///
    /// # Errors
    /// [`Error::LengthMismatch`] for a frame of another length; [`Error::DuplicateColumn`].
    pub fn attach(&self, frame: &Frame, column: &str) -> Result<Frame> {
        self.check_rows(frame)?;
        frame
            .clone()
            .with(column, Label::new(self.codes.clone(), self.arms.clone())?)
    }

    /// The mechanism in words.
    pub fn mechanism(&self) -> String {
        let kind = if self.plan.independent {
            "independent assignment"
        } else {
            "complete randomisation"
        };
        let mut parts = vec![kind.to_owned()];
        parts.extend(self.cluster.iter().map(|c| format!(" of clusters of {c}")));
        if !self.strata.is_empty() {
            parts.push(format!(" within {}", self.strata.join(" × ")));
        }
        parts.extend(self.plan.balance.iter().map(|balance| {
            let share = Cell::significant(100.0 * balance.acceptance(), 3);
            format!(", drawn again until balanced ({share} % accepted)")
        }));
        parts.concat()
    }

    /// The criterion of a rerandomised design.
    pub fn balance(&self) -> Option<&Balance> {
        self.plan.balance.as_ref()
    }

    /// The mechanism for a [`RandomizationTest`] of two arms.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for more arms; use [`randomization_test`](Self::randomization_test) then.
    pub fn assignment(&self) -> Result<Assignment> {
        if self.arms.len() != 2 {
            return Err(Error::invalid_option(
                "arms",
                self.arms.len(),
                "two for a mechanism of treated or not; randomization_test compares one of several with control",
            ));
        }
        let plain = self.plan.balance.is_none();
        Ok(match (&self.cluster, self.strata.as_slice()) {
            (None, []) if plain && self.plan.independent => {
                Assignment::Bernoulli(self.plan.shares[1])
            }
            (None, []) if plain => Assignment::Complete,
            (Some(cluster), []) if plain && !self.plan.independent => {
                Assignment::Clustered(cluster.clone())
            }
            _ => self.redrawn(),
        })
    }

    /// The mechanism as a function that draws the whole design again. A balanced assignment cannot always be found; after many failures
    /// the assignment that was used stands in, which makes a test more cautious.
    fn redrawn(&self) -> Assignment {
        let (plan, used) = (self.plan.clone(), self.codes.clone());
        Assignment::custom(move |random| {
            let codes = match plan.draw(random) {
                Ok(units) => plan.by_row(&units),
                Err(_) => used.clone(),
            };
            codes.into_iter().map(|a| a == 1).collect()
        })
    }

    /// Fisher's randomisation test of one arm against control, with the assignments that this design could have drawn. With more than two
    /// arms the units of both arms are kept and exchanged within their strata.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for an unknown arm, control itself, or a rerandomised design of more than two arms (exchanging two arms
    /// alone would not keep the balance); those of [`RandomizationTest`]; [`Error::LengthMismatch`].
    pub fn randomization_test(
        &self,
        frame: &Frame,
        outcome: &str,
        arm: &str,
        draws: usize,
        seed: impl Into<Seed>,
    ) -> Result<RandomizationFit> {
        self.check_rows(frame)?;
        let arm = self.position(arm)? as u32;
        if arm == 0 {
            return Err(Error::invalid_option(
                "arm",
                &self.arms[0],
                "an arm other than the control",
            ));
        }
        let mut data = frame.select(&[outcome])?.with(
            FLAG,
            self.codes.iter().map(|a| *a == arm).collect::<Vec<bool>>(),
        )?;
        let test = RandomizationTest::new(outcome, FLAG)
            .draws(draws)
            .seed(seed);
        let several = self.arms.len() > 2;
        if several && self.plan.balance.is_some() {
            return Err(Error::invalid_option(
                "arms",
                self.arms.len(),
                "two for a randomisation test of a rerandomised design",
            ));
        }
        let keep: Vec<bool> = self.codes.iter().map(|a| *a == 0 || *a == arm).collect();
        let strata = self.strata_by_row();
        data = data.with(STRATUM, strata.clone())?;
        if let Some(of_row) = &self.plan.of_row {
            data = data.with(CLUSTER, of_row.clone())?;
        }
        let assignment = if self.plan.balance.is_some() {
            self.redrawn()
        } else if self.plan.independent && self.plan.of_row.is_none() {
            let (none, one) = (self.plan.shares[0], self.plan.shares[arm as usize]);
            Assignment::Bernoulli(one / (none + one))
        } else if self.plan.of_row.is_some() {
            if self.plan.strata.len() == 1 && !self.plan.independent {
                Assignment::Clustered(CLUSTER.to_owned())
            } else {
                self.exchanged(arm, &keep)
            }
        } else {
            Assignment::Blocked(STRATUM.to_owned())
        };
        if several {
            data = data.filter(&keep)?;
        }
        test.assignment(assignment).run(&data)
    }

    /// Clusters of both arms exchanged within strata; the rows are those kept. Given how many of each arm a stratum has, all exchanges are
    /// equally likely, for coins too.
    fn exchanged(&self, arm: u32, keep: &[bool]) -> Assignment {
        let of_row: Vec<u32> = match &self.plan.of_row {
            Some(of_row) => of_row.clone(),
            None => (0..self.codes.len() as u32).collect(),
        };
        let mut treated = vec![None; self.plan.units];
        for (row, unit) in of_row.iter().enumerate() {
            if keep[row] {
                treated[*unit as usize] = Some(self.codes[row] == arm);
            }
        }
        let strata: Vec<Vec<u32>> = self
            .plan
            .strata
            .iter()
            .map(|units| {
                let mine = units.iter().copied();
                mine.filter(|u| treated[*u as usize].is_some()).collect()
            })
            .collect();
        let rows: Vec<u32> = of_row
            .iter()
            .zip(keep)
            .filter(|(_, keep)| **keep)
            .map(|(unit, _)| *unit)
            .collect();
        let treated: Vec<bool> = treated.into_iter().map(|t| t.unwrap_or(false)).collect();
        Assignment::custom(move |random| {
            let mut z = treated.clone();
            for units in &strata {
                let mut flags: Vec<bool> = units.iter().map(|u| treated[*u as usize]).collect();
                shuffle(&mut flags, random);
                for (unit, flag) in units.iter().zip(flags) {
                    z[*unit as usize] = flag;
                }
            }
            rows.iter().map(|unit| z[*unit as usize]).collect()
        })
    }

    /// The effects of the arms on an outcome, with the variance of this design:
    ///
    /// - units: the difference of means, averaged over strata with their shares of units, and Neyman's variance;
    /// - matched pairs: the mean difference within pairs, and the variance of those;
    /// - clusters: least squares of the units with effects of strata, and cluster-robust errors of Bell & McCaffrey (CR2).
    ///
    /// A rerandomised design is analysed as if it were not, which is cautious.
    ///
    /// # Errors
    /// [`Error::ColumnNotFound`], [`Error::WrongKind`]; [`Error::OutOfRange`] for a missing outcome: a unit cannot leave after the
    /// assignment; [`Error::Unidentified`] for a stratum with fewer than two units of an arm; [`Error::LengthMismatch`].
    pub fn analyze(&self, frame: &Frame, outcome: &str) -> Result<DesignFit> {
        self.check_rows(frame)?;
        analysis::unadjusted(self, frame, outcome)
    }

    /// The same, adjusted by Lin's regression: covariates from before the assignment, centred, in interaction with the arms; HC2 errors, CR2
    /// with clusters; with effects of strata.
    ///
    /// # Errors
    /// Those of [`analyze`](Self::analyze) and of [`Ols`](crate::regression::Ols).
    ///
    /// # References
    /// Lin (2013), doi:10.1214/12-AOAS583.
    pub fn analyze_adjusted(
        &self,
        frame: &Frame,
        outcome: &str,
        covariates: &[&str],
    ) -> Result<DesignFit> {
        self.check_rows(frame)?;
        analysis::adjusted(self, frame, outcome, covariates)
    }

    pub(super) fn check_rows(&self, frame: &Frame) -> Result<()> {
        if frame.rows() == self.plan.rows() {
            return Ok(());
        }
        Err(Error::LengthMismatch {
            column: "the assignment".to_owned(),
            expected: self.plan.rows(),
            found: frame.rows(),
        })
    }

    fn position(&self, arm: &str) -> Result<usize> {
        self.arms.iter().position(|a| a == arm).ok_or_else(|| {
            Error::invalid_option("arm", arm, format!("one of {}", self.arms.join(", ")))
        })
    }

    /// Rows by arm.
    pub fn table(&self) -> Table {
        let mut table = Table::new("Assignment")
            .columns(["Arm", "Share", "Rows"])
            .note(self.mechanism())
            .note(format!(
                "{} units in {} strata",
                Cell::count(self.plan.units),
                Cell::count(self.plan.strata.len())
            ));
        for ((arm, share), count) in self.arms.iter().zip(&self.plan.shares).zip(self.counts()) {
            table = table.row([
                Cell::from(arm.as_str()),
                Cell::percent(*share, 1),
                Cell::count(count),
            ]);
        }
        table
    }

    /// The table as HTML.
    pub fn to_html(&self) -> String {
        self.table().to_html()
    }
}

impl fmt::Display for Assigned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.table().fmt(f)
    }
}

crate::report::notebook!(Assigned);
