//! The result of a wild or score bootstrap test.

use super::interval::quantile;
use super::weights::{WeightSource, WildWeights};
use super::wild::{Tails, WildTest};
use crate::error::{Error, Result, Warning};
use crate::inference::Interval;
use crate::report::{Cell, Table};
use serde::{Deserialize, Serialize};
use std::fmt;

/// With this many clusters or fewer Rademacher weights give too few different draws (Webb 2023).
const FEW_CLUSTERS: usize = 10;

/// A bootstrap test of one linear hypothesis `c'β = r`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WildTestResult {
    /// The hypothesis.
    pub hypothesis: String,
    /// `c'β̂`.
    pub estimate: f64,
    /// Its standard error (CR1 with the default corrections of the wild bootstrap, CR0 of the score bootstrap; HC likewise).
    pub std_error: f64,
    /// `(c'β̂ − r)/std_error`.
    pub statistic: f64,
    /// Symmetric p-value: how often |t*| is at least |t|.
    pub p_value: f64,
    /// Equal-tailed p-value: twice the smaller tail.
    pub equal_tailed_p_value: f64,
    /// The values of r that the symmetric test does not reject.
    pub interval: Interval,
    /// Draws used: all sign vectors when `enumerated`.
    pub draws: usize,
    /// Whether every sign vector was taken once, so that the p-value has no simulation error.
    pub enumerated: bool,
    /// Clusters, or rows without clusters.
    pub units: usize,
    /// How it was computed.
    pub label: String,
    /// What a reader must know.
    pub warnings: Vec<Warning>,
}

impl WildTestResult {
    /// From draws that are known as functions of the hypothesis. `factor` is the small-sample factor of the variance.
    pub(crate) fn inverted(
        hypothesis: &str,
        test: &WildTest,
        value: f64,
        level: f64,
        factor: f64,
    ) -> Result<Self> {
        let [lower, upper] = test.interval(level, Tails::Symmetric)?;
        let std_error = test.std_error * factor.sqrt();
        Ok(Self {
            hypothesis: hypothesis.to_owned(),
            estimate: test.estimate,
            std_error,
            statistic: (test.estimate - value) / std_error,
            p_value: test.p_value(value, Tails::Symmetric),
            equal_tailed_p_value: test.p_value(value, Tails::Equal),
            interval: Interval {
                name: hypothesis.to_owned(),
                level,
                lower,
                upper,
            },
            draws: test.draws.len(),
            enumerated: test.enumerated,
            units: 0,
            label: String::new(),
            warnings: vec![],
        })
    }

    /// From statistics that do not depend on the hypothesis: a symmetric bootstrap-t interval.
    pub(super) fn studentized(
        hypothesis: &str,
        estimate: f64,
        value: f64,
        std_error: f64,
        statistics: &[f64],
        level: f64,
    ) -> Result<Self> {
        if std_error <= 0.0 || !std_error.is_finite() {
            return Err(Error::Unidentified {
                what: format!("the distribution of `{hypothesis}`"),
                needs: "residuals that vary".to_owned(),
            });
        }
        let t = (estimate - value) / std_error;
        let mut sizes: Vec<f64> = statistics.iter().map(|s| s.abs()).collect();
        // A draw without spread counts against rejection.
        sizes
            .iter_mut()
            .filter(|s| s.is_nan())
            .for_each(|s| *s = f64::INFINITY);
        sizes.sort_unstable_by(f64::total_cmp);
        let share = |count: usize| (1 + count) as f64 / (statistics.len() + 1) as f64;
        let low = statistics.iter().filter(|s| s.is_nan() || **s <= t).count();
        let high = statistics.iter().filter(|s| s.is_nan() || **s >= t).count();
        let half = quantile(&sizes, level) * std_error;
        Ok(Self {
            hypothesis: hypothesis.to_owned(),
            estimate,
            std_error,
            statistic: t,
            p_value: share(sizes.len() - sizes.partition_point(|s| *s < t.abs())),
            equal_tailed_p_value: (2.0 * share(low.min(high))).min(1.0),
            interval: Interval {
                name: hypothesis.to_owned(),
                level,
                lower: estimate - half,
                upper: estimate + half,
            },
            draws: statistics.len(),
            enumerated: false,
            units: 0,
            label: String::new(),
            warnings: vec![],
        })
    }

    /// Says how it was computed, and warns of few clusters.
    pub(crate) fn described(
        mut self,
        kind: &str,
        source: &WeightSource,
        cluster: Option<&str>,
        units: usize,
    ) -> Self {
        let over = cluster.map_or("rows".to_owned(), |c| format!("clusters of {c}"));
        self.label = format!(
            "{kind} bootstrap over {units} {over}, {} weights",
            source.weights
        );
        self.units = units;
        self.enumerated = source.enumerated;
        if source.weights == WildWeights::Rademacher
            && let Some(column) = cluster.filter(|_| units <= FEW_CLUSTERS)
        {
            self.warnings.push(Warning::Note {
                message: format!(
                    "only {units} clusters in `{column}`: Rademacher weights have {} different absolute statistics at most; use WildWeights::Webb",
                    1_u64 << (units - 1)
                ),
            });
        }
        self
    }

    /// The test as a table.
    pub fn table(&self) -> Table {
        let how = if self.enumerated {
            "all sign vectors"
        } else {
            "draws"
        };
        let mut table = Table::new(format!("Bootstrap test of {}", self.hypothesis))
            .columns([
                "Estimate",
                "Std. error",
                "t",
                "p",
                "p (equal tails)",
                "from",
                "to",
            ])
            .row([
                Cell::significant(self.estimate, 5),
                Cell::significant(self.std_error, 5),
                Cell::fixed(self.statistic, 3),
                Cell::p_value(self.p_value),
                Cell::p_value(self.equal_tailed_p_value),
                Cell::significant(self.interval.lower, 5),
                Cell::significant(self.interval.upper, 5),
            ])
            .note(format!("{}; {} {how}", self.label, Cell::count(self.draws)))
            .note(format!(
                "{} % interval by inversion of the symmetric test",
                self.interval.level * 100.0
            ));
        for warning in &self.warnings {
            table = table.note(format!("Warning: {warning}"));
        }
        table
    }

    /// The table as HTML.
    pub fn to_html(&self) -> String {
        self.table().to_html()
    }
}

impl fmt::Display for WildTestResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.table().fmt(f)
    }
}

crate::report::notebook!(WildTestResult);
