//! Tests that groups have the same hazard: log-rank and its weighted relatives, stratified or not.

use super::amount;
use super::outcome::{CaseWeights, Survival, members};
use super::risk::order_by;
use crate::data::Frame;
use crate::error::{Error, Result, Warning};
use crate::inference::{Distribution, TestResult};
use crate::numeric::linalg::{Cholesky, block};
use crate::report::{Cell, Table};
use nalgebra::{DMatrix, DVector};
use serde::{Deserialize, Serialize};

/// How much each event time counts in the test; `Y` are those at risk, `S` is the pooled Kaplan–Meier curve just before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub enum RankWeights {
    /// 1: best when hazards are proportional (Mantel 1966; the default).
    #[default]
    LogRank,
    /// `Y`: early differences (Gehan 1965, Breslow 1970).
    Gehan,
    /// `√Y` (Tarone & Ware 1977).
    TaroneWare,
    /// `S(t−)`: Peto & Peto's Wilcoxon test.
    PetoPeto,
    /// `S(t−)^ρ` (Harrington & Fleming 1982).
    FlemingHarrington {
        /// The power; 0 is the log-rank test.
        rho: f64,
    },
}

impl std::fmt::Display for RankWeights {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::LogRank => write!(f, "log-rank test"),
            Self::Gehan => write!(f, "Gehan–Breslow–Wilcoxon test"),
            Self::TaroneWare => write!(f, "Tarone–Ware test"),
            Self::PetoPeto => write!(f, "Peto–Peto–Wilcoxon test"),
            Self::FlemingHarrington { rho } => write!(f, "Fleming–Harrington test (ρ = {rho})"),
        }
    }
}

/// The test that the groups of a column have one hazard: observed less expected events
/// `U_g = Σ_k w_k (d_gk − d_k Y_gk/Y_k)`, with the hypergeometric variance
/// `V_gh = Σ_k w_k² d_k (Y_k − d_k)/(Y_k − 1) · Y_gk/Y_k (1[g = h] − Y_hk/Y_k)`; `U'V⁻U` is χ² with one degree of freedom fewer than
/// groups. With [`LogRank::strata`] both are summed over strata.
///
/// | name | default | meaning |
/// |---|---|---|
/// | `weights` | [`RankWeights::LogRank`] | weight of each event time |
/// | `strata` | none | a column within whose groups alone customers are compared |
/// | `frequency_weights` | none | each row stands for w equal customers |
///
/// # Errors
/// As [`KaplanMeier`](super::KaplanMeier); [`Error::Unidentified`] without events or with fewer than two groups at risk together.
///
/// # References
/// Mantel (1966), *Cancer Chemotherapy Reports* 50. Harrington & Fleming (1982), doi:10.1093/biomet/69.3.553.
///
/// # Examples
/// ```
/// use cocreate::prelude::*;
/// let released = datasets::load("rossi")?;
/// let fit = LogRank::new(Survival::right("week", "arrest"), "fin").fit(&released)?;
/// assert!((fit.test.statistic - 3.8376).abs() < 1e-4);
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LogRank {
    outcome: Survival,
    by: String,
    weights: RankWeights,
    strata: Option<String>,
    frequency: Option<CaseWeights>,
}

impl LogRank {
    /// The log-rank test of the groups of a column.
    pub fn new(outcome: Survival, by: impl Into<String>) -> Self {
        Self {
            outcome,
            by: by.into(),
            weights: RankWeights::LogRank,
            strata: None,
            frequency: None,
        }
    }

    /// The weights of event times.
    pub fn weights(mut self, weights: RankWeights) -> Self {
        self.weights = weights;
        self
    }

    /// Compares only within the groups of this column.
    pub fn strata(mut self, column: impl Into<String>) -> Self {
        self.strata = Some(column.into());
        self
    }

    /// Frequency weights: the row stands for w equal customers.
    pub fn frequency_weights(mut self, column: impl Into<String>) -> Self {
        self.frequency = Some(CaseWeights::Frequency(column.into()));
        self
    }

    /// Tests.
    ///
    /// # Errors
    /// See [`LogRank`].
    pub fn fit(&self, frame: &Frame) -> Result<LogRankFit> {
        let mut also = vec![self.by.as_str()];
        also.extend(self.strata.as_deref());
        let sample = self
            .outcome
            .read("", self.frequency.as_ref(), &also, frame)?;
        if sample.spells.events() == 0 {
            return Err(self.outcome.no_events());
        }
        let groups = frame.groups(&self.by)?.over(&sample.design.rows);
        let strata: Vec<Vec<usize>> = match &self.strata {
            None => vec![(0..sample.spells.len()).collect()],
            Some(column) => members(&frame.groups(column)?.over(&sample.design.rows)),
        };
        let count = groups.count();
        let mut sums = Sums {
            observed: vec![0.0; count],
            expected: vec![0.0; count],
            score: DVector::zeros(count),
            variance: DMatrix::zeros(count, count),
        };
        for rows in &strata {
            let spells = sample.spells.select(rows);
            let codes: Vec<usize> = rows.iter().map(|i| groups.codes[*i] as usize).collect();
            let weights: Vec<f64> = rows.iter().map(|i| sample.weight(*i)).collect();
            sums.add(&spells, &codes, &weights, self.weights);
        }
        // A group that was never at risk when an event came says nothing.
        let kept: Vec<usize> = (0..count).filter(|g| sums.expected[*g] > 0.0).collect();
        if kept.len() < 2 {
            return Err(Error::Unidentified {
                what: format!("a difference between the groups of `{}`", self.by),
                needs: "two groups that are at risk together when an event comes".to_owned(),
            });
        }
        let free = &kept[1..];
        let factor = Cholesky::new(&block(&sums.variance, free, free));
        let used: Vec<usize> = factor.kept().iter().map(|i| free[*i]).collect();
        if used.is_empty() {
            return Err(Error::Unidentified {
                what: "the variance of the test".to_owned(),
                needs:
                    "an event time at which both groups are at risk and not everybody has the event"
                        .to_owned(),
            });
        }
        let u = DVector::from_iterator(used.len(), used.iter().map(|g| sums.score[*g]));
        let statistic = u.dot(&factor.solve_vector(&u));
        let mut name = format!("{} of {}", self.weights, self.by);
        if let Some(strata) = &self.strata {
            name = format!("{name} within {strata}");
        }
        let df = used.len() as f64;
        let rows = (0..count).map(|g| LogRankGroup {
            group: groups.levels[g].clone(),
            observations: (0..sample.spells.len())
                .filter(|i| groups.codes[*i] as usize == g)
                .map(|i| sample.weight(i))
                .sum(),
            observed: sums.observed[g],
            expected: sums.expected[g],
        });
        Ok(LogRankFit {
            test: TestResult::new(name, statistic, Distribution::ChiSquared { df }),
            groups: rows.collect(),
            warnings: sample.warnings,
        })
    }
}

/// Sums over strata and event times.
struct Sums {
    observed: Vec<f64>,
    expected: Vec<f64>,
    score: DVector<f64>,
    variance: DMatrix<f64>,
}

impl Sums {
    /// Adds a stratum, from the last time to the first, while those at risk come in and go out; the pooled curve needs the other
    /// direction, so what it weighs is kept by time.
    fn add(
        &mut self,
        spells: &super::outcome::Spells,
        codes: &[usize],
        weights: &[f64],
        kind: RankWeights,
    ) {
        let order = order_by(&spells.stop);
        let entries = spells
            .start
            .as_ref()
            .map(|s| order_by(s))
            .unwrap_or_default();
        let mut late = entries.len();
        let count = self.observed.len();
        let mut at_risk = vec![0.0; count];
        let mut end = order.len();
        let mut instants: Vec<(Vec<f64>, Vec<f64>)> = Vec::new();
        while end > 0 {
            let time = spells.stop[order[end - 1]];
            let mut events = vec![0.0; count];
            while end > 0 && spells.stop[order[end - 1]] >= time {
                let i = order[end - 1];
                at_risk[codes[i]] += weights[i];
                if spells.event[i] {
                    events[codes[i]] += weights[i];
                }
                end -= 1;
            }
            if let Some(start) = &spells.start {
                while late > 0 && start[entries[late - 1]] >= time {
                    let i = entries[late - 1];
                    at_risk[codes[i]] -= weights[i];
                    late -= 1;
                }
            }
            if events.iter().any(|d| *d > 0.0) {
                instants.push((at_risk.clone(), events));
            }
        }
        let mut survival = 1.0;
        for (at_risk, events) in instants.iter().rev() {
            let (y, d): (f64, f64) = (at_risk.iter().sum(), events.iter().sum());
            let w = match kind {
                RankWeights::LogRank => 1.0,
                RankWeights::Gehan => y,
                RankWeights::TaroneWare => y.sqrt(),
                RankWeights::PetoPeto => survival,
                RankWeights::FlemingHarrington { rho } => f64::powf(survival, rho),
            };
            survival *= 1.0 - d / y;
            let spread = if y > 1.0 {
                w * w * d * (y - d) / (y - 1.0)
            } else {
                0.0
            };
            for g in 0..count {
                let share = at_risk[g] / y;
                self.observed[g] += w * events[g];
                self.expected[g] += w * d * share;
                self.score[g] += w * (events[g] - d * share);
                for (h, other) in at_risk.iter().enumerate() {
                    let same = f64::from(u8::from(g == h));
                    self.variance[(g, h)] += spread * share * (same - other / y);
                }
            }
        }
    }
}

/// What a group contributed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LogRankGroup {
    /// The group.
    pub group: String,
    /// Customers.
    pub observations: f64,
    /// Events (weighted by the test).
    pub observed: f64,
    /// Events expected under one hazard.
    pub expected: f64,
}

/// The result of a test of equal hazards.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LogRankFit {
    /// The test.
    pub test: TestResult,
    /// Observed and expected events by group.
    pub groups: Vec<LogRankGroup>,
    /// What a reader of the numbers must know.
    pub warnings: Vec<Warning>,
}

impl LogRankFit {
    /// Observed and expected events by group, with the test below.
    pub fn table(&self) -> Table {
        const DIGITS: usize = 5;
        let mut table =
            Table::new(self.test.name.as_str()).columns(["", "n", "Observed", "Expected"]);
        for g in &self.groups {
            table = table.row([
                Cell::from(g.group.as_str()),
                amount(g.observations),
                amount(g.observed),
                Cell::significant(g.expected, DIGITS),
            ]);
        }
        table = table.note(format!("{}", self.test));
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

impl std::fmt::Display for LogRankFit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.table().fmt(f)
    }
}

crate::report::notebook!(LogRankFit);
