//! The tables of an experiment.

use super::fit::ExperimentFit;
use crate::experiment::role::Role;
use crate::report::{Cell, Table};

/// Digits of values and differences.
const DIGITS: usize = 5;

/// One row a metric and comparison, grouped by role.
pub(super) fn effects(fit: &ExperimentFit) -> Table {
    let percent = fit.level * 100.0;
    let several = fit.effects.iter().any(|e| e.control != fit.counts[0].arm);
    let mut table = Table::new("Effects").columns([
        String::new(),
        "Arm".to_owned(),
        "Control".to_owned(),
        "Value".to_owned(),
        "Difference".to_owned(),
        format!("{percent} % from"),
        "to".to_owned(),
        "Lift".to_owned(),
        "from".to_owned(),
        "to".to_owned(),
        "p".to_owned(),
        "Adjusted p".to_owned(),
        String::new(),
    ]);
    for effect in &fit.effects {
        let arm = if several {
            format!("{} - {}", effect.arm, effect.control)
        } else {
            effect.arm.clone()
        };
        let share = |v: f64| Cell::percent(v, 2);
        let verdict = match effect.role {
            Role::Secondary => effect.verdict.to_string(),
            role => format!("{} ({role})", effect.verdict),
        };
        let interval = effect.bootstrap.as_ref().unwrap_or(&effect.interval);
        table = table.row([
            Cell::from(effect.metric.as_str()),
            Cell::from(arm.as_str()),
            Cell::significant(effect.values[1], DIGITS),
            Cell::significant(effect.values[0], DIGITS),
            Cell::significant(effect.difference.estimate, DIGITS),
            Cell::significant(interval.lower, DIGITS),
            Cell::significant(interval.upper, DIGITS),
            share(effect.lift.estimate),
            share(effect.lift.lower),
            share(effect.lift.upper),
            Cell::p_value(effect.role_p_value),
            Cell::p_value(effect.adjusted_p_value),
            Cell::from(verdict.as_str()),
        ]);
    }
    let counts: Vec<String> = fit
        .counts
        .iter()
        .map(|c| {
            if c.assigned == c.analysed {
                format!("{} {}", c.arm, c.assigned)
            } else {
                format!("{} {} of {}", c.arm, c.analysed, c.assigned)
            }
        })
        .collect();
    table = table
        .note(format!("Units: {}.", counts.join(", ")))
        .note(format!("{}.", fit.sample_ratio))
        .note(format!(
            "Differences: Welch t intervals; lifts: delta method on the logarithm, Fieller's set where the control's value may be zero. Adjustment of p-values: {}.",
            fit.adjustment
        ));
    for note in &fit.notes {
        table = table.note(note.as_str());
    }
    for warning in &fit.warnings {
        table = table.note(warning.to_string());
    }
    table
}

/// One row a metric and arm.
pub(super) fn arms(fit: &ExperimentFit) -> Table {
    let mut table = Table::new("Values by arm").columns([
        "",
        "Arm",
        "Units",
        "Value",
        "Std. error",
        "Unadjusted",
        "Variance of a unit",
        "before adjustment",
    ]);
    for value in &fit.values {
        table = table.row([
            Cell::from(value.metric.as_str()),
            Cell::from(value.arm.as_str()),
            Cell::count(value.units as usize),
            Cell::significant(value.value, DIGITS),
            Cell::significant(value.std_error, DIGITS),
            Cell::significant(value.unadjusted, DIGITS),
            Cell::significant(value.unit_variance, DIGITS),
            Cell::significant(value.unadjusted_variance, DIGITS),
        ]);
    }
    table
}
