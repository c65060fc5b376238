//! Planning from data of the past: power, sample size, smallest effect, and simulation of the analysis itself.

mod baseline;
mod simulated;

pub use baseline::{ExperimentBaseline, MetricBaseline};
pub use simulated::{ExperimentSimulation, SimulatedMetric};

use super::declare::Experiment;
use super::role::{Margin, Role};
use crate::error::{Error, Result};
use crate::inference::check_level;
use crate::numeric::special::{noncentral, normal, student_t};
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
    /// The shares of the control and of the arm it is compared with.
    pub shares: [f64; 2],
    /// The confidence level of the test.
    pub level: f64,
}

impl Experiment {
    /// The power to find an effect with `units` in all arms together:
    /// `P(|t'| > t₁₋α/₂)` with a noncentral t of noncentrality `Δ/√(σ²/n_c + σ²/n_a)` and `n_c + n_a − 2` degrees of freedom, where σ² is the variance of a
    /// unit in the baseline, after adjustment, and units are clusters where they are declared. For a non-inferiority margin it is the power
    /// of its one-sided test, for an equivalence margin that of both (effect and margin as declared).
    ///
    /// Shares are those of [`Experiment::allocation`] (the control and the smallest other arm), by default equal shares of two arms. Multiplicity is not
    /// taken into account: set the level.
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
    /// [`Error::InvalidOption`] for too few units or an effect that is not finite.
    pub fn power(
        &self,
        baseline: &ExperimentBaseline,
        effect: Margin,
        units: f64,
    ) -> Result<ExperimentPlan> {
        self.plan(baseline, |metric, role, shares| {
            let difference = signed(effect, metric.value);
            let power = self.power_of(metric, role, shares, difference, units)?;
            Ok((difference, units, power))
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
        check_level(power)?;
        self.plan(baseline, |metric, role, shares| {
            let difference = signed(effect, metric.value);
            let least = 4.0 / shares[0].min(shares[1]);
            let at = |n: f64| self.power_of(metric, role, shares, difference, n);
            let mut most = least;
            while at(most)? < power {
                if most > MOST {
                    return Err(Error::Unidentified {
                        what: format!("a sample size for `{}`", metric.metric),
                        needs: "an effect away from the null hypothesis".to_owned(),
                    });
                }
                most *= 2.0;
            }
            let units = bisect(least, most, |n| Ok(at(n)? >= power))?;
            Ok((difference, units, at(units)?))
        })
    }

    /// The smallest effect that is found with the power; positive.
    ///
    /// # Errors
    /// As [`Experiment::power`].
    pub fn mde(
        &self,
        baseline: &ExperimentBaseline,
        units: f64,
        power: f64,
    ) -> Result<ExperimentPlan> {
        check_level(power)?;
        self.plan(baseline, |metric, role, shares| {
            if !matches!(role, Role::Decision | Role::Secondary | Role::Guardrail) {
                return Ok((f64::NAN, units, f64::NAN));
            }
            let at = |d: f64| self.power_of(metric, role, shares, d, units);
            let error = (metric.unit_variance / units * (1.0 / shares[0] + 1.0 / shares[1])).sqrt();
            let difference = bisect(0.0, FAR * error, |d| Ok(at(d)? >= power))?;
            Ok((difference, units, at(difference)?))
        })
    }

    fn plan(
        &self,
        baseline: &ExperimentBaseline,
        of: impl Fn(&MetricBaseline, Role, [f64; 2]) -> Result<(f64, f64, f64)>,
    ) -> Result<ExperimentPlan> {
        self.check()?;
        let shares = self.planned_shares()?;
        let mut metrics = Vec::new();
        for metric in &baseline.metrics {
            let declared = self.metrics.iter().find(|m| m.label() == metric.metric);
            let role = declared.map_or(Role::Secondary, |m| m.role);
            let (difference, units, power) = of(metric, role, shares)?;
            metrics.push(PlannedMetric {
                metric: metric.metric.clone(),
                difference,
                relative: difference / metric.value.abs(),
                units,
                power,
            });
        }
        Ok(ExperimentPlan {
            metrics,
            shares,
            level: self.level,
        })
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

    fn power_of(
        &self,
        metric: &MetricBaseline,
        role: Role,
        shares: [f64; 2],
        difference: f64,
        units: f64,
    ) -> Result<f64> {
        let [control, arm] = shares.map(|s| s * units);
        if !(control >= 2.0 && arm >= 2.0 && difference.is_finite()) {
            return Err(Error::invalid_option(
                "units",
                units,
                "enough for two of every arm, and the effect a number",
            ));
        }
        let df = control + arm - 2.0;
        let error = (metric.unit_variance * (1.0 / control + 1.0 / arm)).sqrt();
        let alpha = 1.0 - self.level;
        let upper = |alpha: f64, distance: f64| {
            let critical = student_t::quantile(1.0 - alpha, df);
            if df > NORMAL {
                return normal::sf(critical - distance / error);
            }
            noncentral::t_sf(critical, df, distance / error)
        };
        Ok(match role {
            Role::Decision | Role::Secondary => {
                upper(alpha / 2.0, difference) + upper(alpha / 2.0, -difference)
            }
            Role::Guardrail => upper(alpha, difference.abs()),
            Role::NonInferiority(margin) => {
                upper(alpha / 2.0, difference + margin.size(metric.value))
            }
            Role::Equivalence(margin) => {
                let size = margin.size(metric.value);
                (upper(alpha, size + difference) + upper(alpha, size - difference) - 1.0).max(0.0)
            }
        })
    }
}

/// More units than there are people.
const MOST: f64 = 1e11;

/// Standard errors beyond which every power is reached.
const FAR: f64 = 64.0;

/// From here on the noncentral t is normal to seven digits.
const NORMAL: f64 = 1e6;

/// The effect in units of the metric, with its sign.
fn signed(effect: Margin, value: f64) -> f64 {
    match effect {
        Margin::Absolute(size) => size,
        Margin::Relative(share) => share * value,
    }
}

/// Where a rising condition begins to hold.
fn bisect(mut low: f64, mut high: f64, holds: impl Fn(f64) -> Result<bool>) -> Result<f64> {
    /// Halvings down to the last digit.
    const HALVINGS: usize = 60;
    for _ in 0..HALVINGS {
        let middle = 0.5 * (low + high);
        if holds(middle)? {
            high = middle;
        } else {
            low = middle;
        }
    }
    Ok(high)
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
        table.note(format!(
            "Noncentral t; shares {:.3} and {:.3} of the units; level {}; one comparison",
            self.shares[0], self.shares[1], self.level
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
