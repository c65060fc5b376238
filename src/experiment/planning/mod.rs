//! Planning from data of the past: power, sample size, smallest effect, and simulation of the analysis itself.

mod baseline;
mod simulated;

pub use baseline::{ExperimentBaseline, MetricBaseline};
pub use simulated::{ExperimentSimulation, SimulatedMetric};

use super::declare::Experiment;
use super::power::{MeanPower, Planner, PowerPlan};
use super::role::{Margin, Role};
use crate::error::{Error, Result};
use crate::inference::Alternative;
use crate::report::{Cell, Table};
use serde::{Deserialize, Serialize};
use std::fmt;

/// What a plan says of one metric.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlannedMetric {
    /// The metric.
    pub metric: String,
    /// The difference between an arm and the control, in units of the metric.
    pub difference: f64,
    /// The same as a share of the baseline's value.
    pub relative: f64,
    /// Units in all arms together.
    pub units: f64,
    /// The probability that the test of the metric's role succeeds.
    pub power: f64,
}

/// Power, sample size or smallest effect of every metric.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExperimentPlan {
    /// One entry a metric.
    pub metrics: Vec<PlannedMetric>,
    /// Metrics of equivalence, for which no smallest effect is defined.
    pub left_out: Vec<String>,
    /// The shares of the control and of the arm it is compared with.
    pub shares: [f64; 2],
    /// The confidence level of the test.
    pub level: f64,
}

impl Experiment {
    /// The power to find an effect with `units` in all arms together: that of [`MeanPower`] (Student's t with n_c + n_a − 2 degrees of
    /// freedom), where the variance of a unit is the baseline's, after adjustment, and units are clusters where they are
    /// declared. The role of a metric says which test: two-sided for decision and secondary metrics, one-sided for a guardrail (the power to
    /// see a harm of this size), one-sided at α/2 against the margin of non-inferiority, both one-sided tests for equivalence (effect and
    /// margins as declared).
    ///
    /// Shares are those of [`Experiment::allocation`] (the control and the smallest other arm), by default equal shares of two arms. Multiplicity is not
    /// taken into account: set the level, or ask [`DunnettPower`](crate::experiment::power::DunnettPower).
    ///
    /// ```
    /// use cocreate::prelude::*;
    /// let past = Frame::new().with("spend", (0..1000).map(|i| f64::from(i % 10)).collect::<Vec<_>>())?;
    /// let experiment = Experiment::new("arm", "control").metric(Metric::mean("spend"));
    /// let baseline = experiment.baseline(&past)?;
    /// let plan = experiment.sample_size(&baseline, Margin::Relative(0.05), 0.8)?;
    /// let back = experiment.power(&baseline, Margin::Relative(0.05), plan.metrics[0].units)?;
    /// assert!((back.metrics[0].power - 0.8).abs() < 1e-9);
    /// # Ok::<(), cocreate::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for too few units, an effect that is not finite, or a metric without variance.
    pub fn power(
        &self,
        baseline: &ExperimentBaseline,
        effect: Margin,
        units: f64,
    ) -> Result<ExperimentPlan> {
        self.plan(baseline, |metric| {
            metric
                .assuming(effect)
                .power(units * metric.share)
                .map(Some)
        })
    }

    /// Units in all arms together that give the power; not rounded.
    ///
    /// # Errors
    /// As [`Experiment::power`]; [`Error::Unidentified`] when no number of units gives the power.
    pub fn sample_size(
        &self,
        baseline: &ExperimentBaseline,
        effect: Margin,
        power: f64,
    ) -> Result<ExperimentPlan> {
        self.plan(baseline, |metric| {
            metric.assuming(effect).sample_size(power).map(Some)
        })
    }

    /// The smallest effect that is found with the power: above zero for a test of an effect; for non-inferiority the least favourable
    /// difference at which it is still shown. For equivalence there is none: such metrics are left out and named in the plan.
    ///
    /// # Errors
    /// As [`Experiment::power`].
    pub fn mde(
        &self,
        baseline: &ExperimentBaseline,
        units: f64,
        power: f64,
    ) -> Result<ExperimentPlan> {
        self.plan(baseline, |metric| {
            if matches!(metric.role, Role::Equivalence(_)) {
                return Ok(None);
            }
            metric.planner.mde(units * metric.share, power).map(Some)
        })
    }

    fn plan(
        &self,
        baseline: &ExperimentBaseline,
        answer: impl Fn(Planned) -> Result<Option<PowerPlan>>,
    ) -> Result<ExperimentPlan> {
        self.check()?;
        let shares = self.planned_shares()?;
        let share = shares[0] + shares[1];
        let (mut metrics, mut left_out) = (Vec::new(), Vec::new());
        for metric in &baseline.metrics {
            let declared = self.metrics.iter().find(|m| m.label() == metric.metric);
            let role = declared.map_or(Role::Secondary, |m| m.role);
            let planned = Planned {
                value: metric.value,
                role,
                share,
                planner: self.planner(
                    metric,
                    role,
                    declared.is_none_or(|m| m.higher_is_better),
                    shares,
                ),
            };
            let name = || metric.metric.clone();
            match answer(planned).map_err(|error| named(error, &metric.metric))? {
                Some(found) => metrics.push(PlannedMetric {
                    metric: name(),
                    difference: found.effect,
                    relative: found.effect / metric.value.abs(),
                    units: found.size / share,
                    power: found.power,
                }),
                None => left_out.push(name()),
            }
        }
        Ok(ExperimentPlan {
            metrics,
            left_out,
            shares,
            level: self.level,
        })
    }

    /// The test of a metric's role.
    fn planner(
        &self,
        metric: &MetricBaseline,
        role: Role,
        higher_is_better: bool,
        shares: [f64; 2],
    ) -> MeanPower {
        let alpha = 1.0 - self.level;
        let planner = MeanPower::new(metric.unit_variance.sqrt())
            .ratio(shares[1] / shares[0])
            .alpha(alpha);
        match role {
            Role::Decision | Role::Secondary => planner,
            // A harm has the size of the effect, whatever side is worse.
            Role::Guardrail => planner.alternative(Alternative::Greater),
            Role::NonInferiority(margin) => {
                let size = margin.size(metric.value);
                let margin = if higher_is_better { -size } else { size };
                planner.non_inferiority(margin).alpha(alpha / 2.0)
            }
            Role::Equivalence(margin) => {
                let size = margin.size(metric.value);
                planner.equivalence(-size, size)
            }
        }
    }

    /// Shares of the control and of the smallest other arm.
    fn planned_shares(&self) -> Result<[f64; 2]> {
        if self.allocation.is_empty() {
            return Ok([0.5, 0.5]);
        }
        let total: f64 = self.allocation.iter().map(|(_, s)| s).sum();
        let control = self.allocation.iter().find(|(arm, _)| *arm == self.control);
        let others = self
            .allocation
            .iter()
            .filter(|(arm, _)| *arm != self.control);
        let smallest = others.map(|(_, s)| *s).fold(f64::INFINITY, f64::min);
        match control {
            Some((_, share)) if smallest.is_finite() => Ok([share / total, smallest / total]),
            _ => Err(Error::invalid_option(
                "allocation",
                format!("without `{}` or without another arm", self.control),
                "a share for every arm",
            )),
        }
    }
}

/// A metric whose plan is asked for.
struct Planned {
    value: f64,
    role: Role,
    /// The share of all units that the two arms of the comparison have.
    share: f64,
    planner: MeanPower,
}

impl Planned {
    /// The planner of an effect given with its sign.
    fn assuming(&self, effect: Margin) -> MeanPower {
        let effect = match effect {
            Margin::Absolute(size) => size,
            Margin::Relative(share) => share * self.value,
        };
        if self.role == Role::Guardrail && effect < 0.0 {
            let harm = self.planner.clone().alternative(Alternative::Less);
            return harm.effect(effect);
        }
        self.planner.clone().effect(effect)
    }
}

/// The error of a planner with the metric it came from.
fn named(error: Error, metric: &str) -> Error {
    match error {
        Error::Unidentified { what, needs } => Error::Unidentified {
            what: format!("{what} in `{metric}`"),
            needs,
        },
        Error::InvalidOption {
            option,
            value,
            expected,
        } => Error::InvalidOption {
            option: format!("{option} of `{metric}`"),
            value,
            expected,
        },
        other => other,
    }
}

impl ExperimentPlan {
    /// One row a metric.
    pub fn table(&self) -> Table {
        let mut table =
            Table::new("Plan").columns(["", "Difference", "Relative", "Units", "Power"]);
        for metric in &self.metrics {
            table = table.row([
                Cell::from(metric.metric.as_str()),
                Cell::significant(metric.difference, 4),
                Cell::percent(metric.relative, 2),
                Cell::count(metric.units.ceil() as usize),
                Cell::fixed(metric.power, 3),
            ]);
        }
        table = table.note(format!(
            "Noncentral t; shares {:.3} and {:.3} of the units; level {}; one comparison",
            self.shares[0], self.shares[1], self.level
        ));
        if self.left_out.is_empty() {
            return table;
        }
        table.note(format!(
            "No smallest effect is defined for equivalence: {}",
            self.left_out.join(", ")
        ))
    }

    /// The table as HTML.
    pub fn to_html(&self) -> String {
        self.table().to_html()
    }
}

impl fmt::Display for ExperimentPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.table().fmt(f)
    }
}

crate::report::notebook!(ExperimentPlan);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::Metric;

    fn of(variance: f64) -> (Experiment, ExperimentBaseline) {
        let experiment = Experiment::new("arm", "a").metric(Metric::mean("y"));
        let metrics = vec![MetricBaseline {
            metric: "y".to_owned(),
            value: 1.0,
            units: 1000,
            unit_variance: variance,
            unadjusted_variance: variance,
        }];
        (experiment, ExperimentBaseline { metrics })
    }

    #[test]
    fn sample_sizes_as_in_statsmodels() {
        // statsmodels 0.15.0, TTestIndPower().solve_power, α 0.05: units of one arm.
        let (experiment, baseline) = of(1.0);
        for (d, power, want) in [
            (0.1, 0.8, 1_570.733_043_051_2),
            (0.5, 0.8, 63.765_610_588_911_7),
            (0.2, 0.9, 526.333_188_576_053),
        ] {
            let plan = experiment
                .sample_size(&baseline, Margin::Absolute(d), power)
                .unwrap();
            assert!(
                (plan.metrics[0].units / 2.0 / want - 1.0).abs() < 1e-6,
                "{plan:?}"
            );
            let mde = experiment.mde(&baseline, 2.0 * want, power).unwrap();
            assert!((mde.metrics[0].difference / d - 1.0).abs() < 1e-6);
        }
        let uneven = experiment.allocation([("a", 1.0), ("b", 4.0)]);
        let plan = uneven
            .sample_size(&baseline, Margin::Absolute(0.1), 0.8)
            .unwrap();
        assert!((plan.metrics[0].units / 5.0 / 981.491_854_936_1 - 1.0).abs() < 1e-6);
    }

    #[test]
    fn margins_have_power_of_their_own() {
        let (mut experiment, baseline) = of(1.0);
        let alone = experiment
            .power(&baseline, Margin::Absolute(0.1), 3_000.0)
            .unwrap();
        experiment.metrics[0] = Metric::mean("y").non_inferiority(Margin::Absolute(0.1));
        let same = experiment
            .power(&baseline, Margin::Absolute(0.0), 3_000.0)
            .unwrap();
        // One-sided at α/2 with the margin in place of the effect: the two-sided test has its far tail, Φ(−1.96 − 2.74), besides.
        let tail = alone.metrics[0].power - same.metrics[0].power;
        assert!(tail > 0.0 && tail < 2e-6, "{tail}");
        experiment.metrics[0] = Metric::mean("y").equivalence(Margin::Absolute(0.1));
        let both = experiment
            .power(&baseline, Margin::Absolute(0.0), 3_000.0)
            .unwrap();
        assert!(both.metrics[0].power < alone.metrics[0].power);
        let none = experiment.sample_size(&baseline, Margin::Absolute(0.2), 0.8);
        assert!(matches!(none, Err(Error::Unidentified { .. })));
    }
}
