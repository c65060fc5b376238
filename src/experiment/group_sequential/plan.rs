//! Sample sizes of a design: that of the experiment with one look, inflated.

use super::result::GroupSequentialDesign;
use crate::error::{Error, Result};
use crate::experiment::power::{Planner, PowerPlan};
use crate::report::{Cell, Table, shown};
use serde::{Deserialize, Serialize};

/// A look in units of an experiment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlannedSize {
    /// Information fraction.
    pub fraction: f64,
    /// Size, all arms together, not rounded.
    pub size: f64,
    /// The estimate at the efficacy bound; `None` where nothing can be spent yet.
    pub efficacy_effect: Option<f64>,
    /// The estimate at the futility bound.
    pub futility_effect: Option<f64>,
}

/// A group-sequential design of a given test, made by [`GroupSequentialDesign::sample_size`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GroupSequentialPlan {
    /// The design.
    pub design: GroupSequentialDesign,
    /// The experiment with one look.
    pub fixed: PowerPlan,
    /// The looks.
    pub looks: Vec<PlannedSize>,
    /// Size of the last look, all arms together, not rounded.
    pub maximum_size: f64,
    /// Expected size without an effect, at half the effect, and with the effect.
    pub expected_sizes: [f64; 3],
}

impl GroupSequentialDesign {
    /// The sizes of the looks for a test that one of the planners of [`power`](crate::experiment::power) describes: its size with one look, times the inflation
    /// and the fraction of the look. Information is taken to be proportional to size.
    ///
    /// ```
    /// use cocreate::prelude::*;
    /// let design = GroupSequential::new(5).power(0.9).design()?;
    /// let plan = design.sample_size(&MeanPower::new(30.0).effect(1.5))?;
    /// assert!((plan.maximum_size / plan.fixed.size - 1.026).abs() < 1e-3);
    /// assert!(plan.expected_sizes[2] < 0.76 * plan.fixed.size);
    /// # Ok::<(), cocreate::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::InvalidOption`] when level or claim of the planner are not the design's, or the effect has not the claim's sign; those of
    /// [`Planner::sample_size`].
    pub fn sample_size<P: Planner>(&self, planner: &P) -> Result<GroupSequentialPlan> {
        /// Levels are written with few digits.
        const SLACK: f64 = 1e-9;
        /// How far on the wrong side of the null value the claim of the planner is tried, as a share of the effect.
        const TRIED: f64 = 0.25;
        let alpha = planner.alpha_level();
        if (alpha - self.alpha).abs() > SLACK {
            return Err(Error::invalid_option(
                "alpha",
                format!("{alpha} in the planner"),
                format!("{} as in the design", self.alpha),
            ));
        }
        let setting = planner.setting();
        let fixed = planner.sample_size(self.power)?;
        let effect = fixed.effect - setting.null;
        let at_efficacy = self.efficacy_effects(effect)?;
        // A two-sided test rejects more often than its level on the wrong side, a one-sided test less often.
        let wrong = setting.null - TRIED * effect;
        let rejects = planner.assuming(wrong).power_at(fixed.size, wrong)?;
        if (rejects > alpha) != self.two_sided() || setting.direction.abs() <= 0.0 {
            return Err(Error::invalid_option(
                "alternative",
                "in the planner another than in the design",
                "the same in both; tests of equivalence have no group-sequential design here",
            ));
        }
        let maximum_size = fixed.size * self.inflation;
        let looks = (self.looks.iter().zip(at_efficacy))
            .map(|(look, efficacy)| PlannedSize {
                fraction: look.fraction,
                size: look.fraction * maximum_size,
                efficacy_effect: Some(setting.null + efficacy).filter(|e| e.is_finite()),
                futility_effect: (look.futility)
                    .map(|z| setting.null + self.at_bound(look, z, effect)),
            })
            .collect();
        Ok(GroupSequentialPlan {
            looks,
            maximum_size,
            expected_sizes: [&self.under_null, &self.midway, &self.under_alternative]
                .map(|case| case.expected_information * fixed.size),
            design: self.clone(),
            fixed,
        })
    }
}

impl GroupSequentialPlan {
    /// The day of each look, when so many units come in a day.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] unless the number is positive and finite.
    pub fn days(&self, units_per_day: f64) -> Result<Vec<f64>> {
        if !(units_per_day > 0.0 && units_per_day.is_finite()) {
            return Err(Error::invalid_option(
                "units_per_day",
                units_per_day,
                "positive and finite",
            ));
        }
        Ok(self
            .looks
            .iter()
            .map(|look| look.size / units_per_day)
            .collect())
    }

    /// The looks.
    pub fn table(&self) -> Table {
        let futility = self.design.futility.is_some();
        let mut head = vec!["Look", "Information", "Size", "z efficacy", "Effect there"];
        if futility {
            head.extend(["z futility", "Effect there"]);
        }
        let mut table =
            Table::new(format!("Group-sequential plan: {}", self.fixed.test)).columns(head);
        for (k, (look, planned)) in self.looks.iter().zip(&self.design.looks).enumerate() {
            let mut row = vec![
                Cell::count(k + 1),
                Cell::percent(look.fraction, 1),
                Cell::count(look.size.ceil() as usize),
                Cell::fixed(planned.efficacy, 4),
                look.efficacy_effect
                    .map_or(Cell::empty(), |e| Cell::significant(e, 4)),
            ];
            if futility {
                let (z, effect) = (planned.futility, look.futility_effect);
                row.push(z.map_or(Cell::empty(), |z| Cell::fixed(z, 4)));
                row.push(effect.map_or(Cell::empty(), |e| Cell::significant(e, 4)));
            }
            table = table.row(row);
        }
        let [null, midway, full] = self.expected_sizes.map(f64::ceil);
        table
            .note(format!(
                "{}: {}; level {}, power {}",
                self.fixed.effect_name, self.fixed.effect, self.design.alpha, self.design.power
            ))
            .note(format!(
                "Size with one look: {}; expected size: {null} without effect, {midway} at half of it, {full} with it",
                self.fixed.whole_size()
            ))
    }
}

shown!(GroupSequentialPlan);
