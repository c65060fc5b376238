//! Monte Carlo studies as tables and dot plots.

use super::fit::MonteCarloFit;
use super::performance::{Measure, Performance};
use crate::error::Result;
use crate::numeric::special::normal;
use crate::report::{Cell, CoefficientPlot, Figure, Table};
use std::fmt;

/// Digits of estimates and of their Monte Carlo errors; decimals of shares.
const DIGITS: usize = 4;
const ERROR_DIGITS: usize = 2;
const SHARE_DECIMALS: usize = 3;

/// Several studies in one table, one panel a scenario (sample sizes, processes, assumptions that are broken).
#[derive(Clone, Debug)]
pub struct MonteCarloTable {
    title: String,
    scenarios: Vec<(String, MonteCarloFit)>,
}

impl MonteCarloTable {
    /// A table with this title.
    pub fn new(title: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            scenarios: Vec::new(),
        }
    }

    /// Adds a study as a panel.
    pub fn scenario(mut self, name: impl Into<String>, fit: &MonteCarloFit) -> Self {
        self.scenarios.push((name.into(), fit.clone()));
        self
    }

    /// The table.
    pub fn table(&self) -> Table {
        let panels: Vec<(&str, &MonteCarloFit)> = self
            .scenarios
            .iter()
            .map(|(name, fit)| (name.as_str(), fit))
            .collect();
        table(&self.title, &panels)
    }

    /// The table as HTML.
    pub fn to_html(&self) -> String {
        self.table().to_html()
    }

    /// The table as LaTeX.
    pub fn to_latex(&self) -> String {
        self.table().to_latex()
    }

    /// One measure as dots with 95 % Monte Carlo intervals, one series a scenario.
    ///
    /// # Errors
    /// [`Error::InvalidOption`](crate::Error::InvalidOption) when no value is finite.
    pub fn plot(&self, measure: Measure) -> Result<Figure> {
        const LEVEL: f64 = 0.95;
        let width = normal::quantile(0.5 + LEVEL / 2.0);
        let mut plot = CoefficientPlot::new()
            .title(self.title.as_str())
            .x_title(measure.label())
            .note("Dots with 95 % Monte Carlo intervals.");
        for (name, fit) in &self.scenarios {
            if self.scenarios.len() > 1 || !name.is_empty() {
                plot = plot.series(name.as_str());
            }
            for p in fit.performances() {
                let (value, error) = p.measure(measure, fit.level());
                let half = width * error;
                plot = plot.point(p.name, value, value - half, value + half);
            }
        }
        plot.draw()
    }
}

impl fmt::Display for MonteCarloTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.table().fmt(f)
    }
}

crate::report::notebook!(MonteCarloTable);

/// The table of some studies.
pub(super) fn table(title: &str, panels: &[(&str, &MonteCarloFit)]) -> Table {
    let mut table = Table::new(title).columns([
        "",
        "Truth",
        "Mean",
        "Bias",
        "SD",
        "Std. error",
        "RMSE",
        "Coverage",
        "Rejects",
    ]);
    for (name, fit) in panels {
        if !name.is_empty() {
            table = table.section(*name);
        }
        for p in fit.performances() {
            table = table.row(values(&p)).row(errors(&p));
        }
    }
    for (name, fit) in panels {
        table = table.note(note(name, fit));
    }
    table
}

fn values(p: &Performance) -> [Cell; 9] {
    let number = |v: f64| Cell::significant(v, DIGITS);
    let share = |v: f64| Cell::fixed(v, SHARE_DECIMALS);
    [
        Cell::text(p.name.as_str()),
        number(p.truth),
        number(p.mean),
        number(p.bias),
        number(p.deviation),
        number(p.std_error),
        number(p.rmse),
        share(p.coverage),
        share(p.rejection),
    ]
}

/// Monte Carlo errors in parentheses under their values.
fn errors(p: &Performance) -> [Cell; 9] {
    let shown = |v: f64, cell: fn(f64) -> Cell| {
        if v.is_nan() {
            Cell::empty()
        } else {
            cell(v).parenthesised()
        }
    };
    let number = |v: f64| shown(v, |v| Cell::significant(v, ERROR_DIGITS));
    let share = |v: f64| shown(v, |v| Cell::fixed(v, SHARE_DECIMALS));
    [
        Cell::empty(),
        Cell::empty(),
        Cell::empty(),
        number(p.bias_error),
        number(p.deviation_error),
        Cell::empty(),
        number(p.rmse_error),
        share(p.coverage_error),
        share(p.rejection_error),
    ]
}

/// How often, from which seed, and what failed.
fn note(name: &str, fit: &MonteCarloFit) -> String {
    let failures = fit.failures();
    let panel = if name.is_empty() {
        String::new()
    } else {
        format!("{name}: ")
    };
    let failed = match failures.first() {
        None => "none failed".to_owned(),
        Some(first) => format!(
            "{} failed (the first, replication {}: {})",
            failures.len(),
            first.replication,
            first.message
        ),
    };
    format!(
        "{panel}{} replications, seed {}, {failed}. Monte Carlo errors in parentheses; intervals at {} %, rejections of zero at {:.3}.",
        fit.replications(),
        fit.seed.value(),
        fit.level() * 100.0,
        1.0 - fit.level(),
    )
}
