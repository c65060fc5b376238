//! Whether propensities overlap and say what they claim.

use super::arm_scores::position;
use super::doubly_robust_fit::DoublyRobustFit;
use super::units::Units;
use crate::error::{Error, Result};
use crate::inference::{Distribution, TestResult};
use crate::report::{BinnedScatter, Cell, Ecdf, Figure, Table, p_text};
use serde::{Deserialize, Serialize};

/// Rows of like propensity, and how many of them have the arm.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PropensityBin {
    /// Rows.
    pub rows: usize,
    /// Their mean propensity.
    pub propensity: f64,
    /// The share of them that has the arm.
    pub share: f64,
    /// The standard error of share less propensity; zero for a single row or cluster.
    pub std_error: f64,
}

/// What [`DoublyRobustFit::propensity_calibration`] found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PropensityCalibration {
    arm: String,
    treatment: String,
    bins: Vec<PropensityBin>,
    spiegelhalter: Option<TestResult>,
}

impl DoublyRobustFit {
    /// The distribution functions of the propensity of an arm among the rows of each arm. Where one has risen before the other begins, there is no overlap.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] with the arms that exist.
    pub fn overlap_plot(&self, arm: &str) -> Result<Figure> {
        let propensities = self.propensities(arm)?;
        let mut plot = Ecdf::new()
            .title(format!("Overlap of {}", self.treatment()))
            .x_title(format!("propensity of {} = {arm}", self.treatment()));
        for (place, name) in self.arms().iter().enumerate() {
            let own =
                (propensities.iter().zip(&self.arm_of)).filter(|(_, of)| **of as usize == place);
            plot = plot.group(name, own.map(|(e, _)| *e).collect::<Vec<f64>>());
        }
        plot.draw()
    }

    /// Whether propensities of an arm say what they claim: rows in bins of about equal weight by their propensity, with the share that has the arm, and the test of Spiegelhalter (1986,
    /// doi:10.1002/sim.4780050506) that `E[(1 − 2ê)(1{W = k} − ê)] = 0`, with the error of rows or clusters.
    ///
    /// Propensities that are calibrated (the default where they are learned) are so by construction, in the same rows; look with `.calibrate(false)` at what the learner does, and at
    /// [`overlap_plot`](Self::overlap_plot) in either case. Calibration is needed for the effect, and not enough: features that were left out do not show.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for an unknown arm, and without bins or with more of them than rows.
    ///
    /// # Examples
    /// ```
    /// use cocreate::prelude::*;
    /// let made = HeterogeneousEffects::new(EffectDesign::NieWagerC).customers(600).seed(7).simulate()?;
    /// let model = DoublyRobust::new("y", "w", &["x1", "x2", "x3"]).learner(Learner::linear()).calibrate(false).seed(7);
    /// let check = model.fit(&made.data)?.propensity_calibration("1", 10)?;
    /// assert_eq!(check.bins().len(), 10);
    /// assert!(check.spiegelhalter().is_some_and(|test| test.p_value > 0.01));
    /// # Ok::<(), cocreate::Error>(())
    /// ```
    pub fn propensity_calibration(&self, arm: &str, bins: usize) -> Result<PropensityCalibration> {
        let propensities = self.propensities(arm)?;
        let place = position(self.arms(), arm)?;
        if bins == 0 || bins > self.rows() {
            return Err(Error::invalid_option(
                "bins",
                bins,
                format!("from 1 to {}, the number of rows", self.rows()),
            ));
        }
        let units = Units::of(&self.scores);
        let has = |row: usize| f64::from(u8::from(self.arm_of[row] as usize == place));
        let mut order: Vec<usize> = (0..self.rows())
            .filter(|row| units.weights[*row] > 0.0)
            .collect();
        order.sort_by(|a, b| propensities[*a].total_cmp(&propensities[*b]));
        // Rows of one propensity stay together: to which bin each belongs hangs on the weight before the first of them.
        let (mut of_row, mut before, mut run) = (vec![usize::MAX; self.rows()], 0.0, 0);
        let mut last = f64::NAN;
        for row in order {
            if propensities[row].total_cmp(&last).is_ne() {
                run = ((before * bins as f64 + 1e-9) as usize).min(bins - 1);
                last = propensities[row];
            }
            of_row[row] = run;
            before += units.weights[row];
        }
        let gaps: Vec<f64> = (0..self.rows())
            .map(|row| has(row) - propensities[row])
            .collect();
        let bins = (0..bins)
            .filter_map(|bin| {
                let inside = |row: usize| of_row[row] == bin;
                let rows = of_row.iter().filter(|of| **of == bin).count();
                let gap = units.ratio(&gaps, |_| 1.0, inside);
                let propensity = units.ratio(propensities, |_| 1.0, inside).estimate;
                let std_error = if units.among(inside) > 1 {
                    units.linearised("", &gap).std_error
                } else {
                    0.0
                };
                (rows > 0).then_some(PropensityBin {
                    rows,
                    propensity,
                    share: propensity + gap.estimate,
                    std_error,
                })
            })
            .collect();
        let score: Vec<f64> = (gaps.iter().zip(propensities))
            .map(|(gap, e)| (1.0 - 2.0 * e) * gap)
            .collect();
        let mean = units.linearised("", &units.ratio(&score, |_| 1.0, |_| true));
        let statistic = mean.estimate / mean.std_error;
        Ok(PropensityCalibration {
            arm: arm.to_owned(),
            treatment: self.treatment().to_owned(),
            bins,
            spiegelhalter: statistic.is_finite().then(|| {
                let df = mean.degrees_of_freedom;
                TestResult::new(
                    "propensities are calibrated",
                    statistic,
                    Distribution::T { df },
                )
            }),
        })
    }
}

impl PropensityCalibration {
    /// The bins that have rows, from the lowest propensity on.
    pub fn bins(&self) -> &[PropensityBin] {
        &self.bins
    }

    /// Spiegelhalter's test; none when propensities leave it no variance.
    pub fn spiegelhalter(&self) -> Option<&TestResult> {
        self.spiegelhalter.as_ref()
    }

    /// The largest distance of a share from its propensity.
    pub fn largest_gap(&self) -> f64 {
        (self.bins.iter()).fold(0.0, |most, bin| {
            most.max((bin.share - bin.propensity).abs())
        })
    }

    /// Shares over propensities with 95 % intervals, and the diagonal on which they should lie.
    ///
    /// # Errors
    /// None that a fit allows.
    pub fn plot(&self) -> Result<Figure> {
        let over =
            |of: &dyn Fn(&PropensityBin) -> f64| -> Vec<f64> { self.bins.iter().map(of).collect() };
        let x = over(&|bin| bin.propensity);
        let reach = 1.959_963_984_540_054;
        let ends = [0.0, 1.0].map(|end: f64| {
            x.iter()
                .copied()
                .fold(1.0 - end, if end > 0.5 { f64::max } else { f64::min })
        });
        BinnedScatter::new()
            .title(format!("Calibration of {} = {}", self.treatment, self.arm))
            .x_title("propensity")
            .y_title("share")
            .group("rows of like propensity")
            .points(&x, over(&|bin| bin.share))
            .intervals(
                over(&|bin| bin.share - reach * bin.std_error),
                over(&|bin| bin.share + reach * bin.std_error),
            )
            .line(ends, ends)
            .draw()
    }

    /// The bins as a table.
    pub fn table(&self) -> Table {
        let title = format!(
            "Calibration of the propensity of {} = {}",
            self.treatment, self.arm
        );
        let columns = ["rows", "propensity", "share", "std. error"];
        let mut table =
            (self.bins.iter()).fold(Table::new(title).columns(columns), |table, bin| {
                table.row([
                    Cell::count(bin.rows),
                    Cell::fixed(bin.propensity, 4),
                    Cell::fixed(bin.share, 4),
                    Cell::fixed(bin.std_error, 4),
                ])
            });
        if let Some(test) = &self.spiegelhalter {
            table = table.note(format!(
                "Spiegelhalter's test: {}, {}.",
                Cell::fixed(test.statistic, 2),
                p_text(test.p_value)
            ));
        }
        table
    }
}

crate::report::notebook::shown!(PropensityCalibration);
