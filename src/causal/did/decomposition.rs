//! The comparisons of two cohorts that two-way fixed effects average.

use super::sample::Rollout;
use crate::error::{Error, Result};
use crate::report::figure::BinnedScatter;
use crate::report::{Cell, Figure, Table};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Whom a cohort is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum BaconControl {
    /// Units that are never treated.
    NeverTreated,
    /// A later cohort before its treatment.
    LaterTreated,
    /// An earlier cohort, which is treated already: its own changing effect is taken for a trend.
    EarlierTreated,
    /// Units that are treated in all periods, of which the same holds.
    AlwaysTreated,
}

/// A comparison of two cohorts over two stretches of time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BaconComparison {
    /// The cohort whose treatment starts.
    pub treated: String,
    /// The cohort it is compared with.
    pub control: String,
    /// What that cohort is.
    pub kind: BaconControl,
    /// The difference in differences.
    pub estimate: f64,
    /// Its weight; all sum to one.
    pub weight: f64,
}

/// The decomposition of Goodman-Bacon (2021): the coefficient of two-way fixed effects is the weighted mean of all comparisons of two cohorts, of which those with
/// [`EarlierTreated`](BaconControl::EarlierTreated) and [`AlwaysTreated`](BaconControl::AlwaysTreated) controls mislead when effects change with time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BaconDecomposition {
    comparisons: Vec<BaconComparison>,
    estimate: f64,
}

/// A cohort: the position of its first treated period (that of the end for never), its share, and its mean outcomes by period.
struct Group {
    label: String,
    start: usize,
    share: f64,
    means: Vec<f64>,
}

impl fmt::Display for BaconControl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NeverTreated => "never treated",
            Self::LaterTreated => "treated later",
            Self::EarlierTreated => "treated earlier",
            Self::AlwaysTreated => "always treated",
        })
    }
}

const KINDS: [BaconControl; 4] = [
    BaconControl::NeverTreated,
    BaconControl::LaterTreated,
    BaconControl::EarlierTreated,
    BaconControl::AlwaysTreated,
];

impl Group {
    /// The mean outcome over a stretch of periods.
    fn over(&self, periods: std::ops::Range<usize>) -> f64 {
        let count = periods.len() as f64;
        self.means[periods].iter().sum::<f64>() / count
    }
}

impl BaconDecomposition {
    pub(super) fn new(rollout: &Rollout, estimate: f64) -> Result<Self> {
        rollout
            .panel
            .require_balanced("a comparison of two cohorts")?;
        if !rollout.covariates.is_empty() {
            return Err(Error::invalid_option(
                "covariates",
                rollout.covariates.len(),
                "none for this decomposition",
            ));
        }
        let groups = groups(rollout);
        let periods = rollout.panel.periods.len();
        let mut comparisons = Vec::new();
        for early in 0..groups.len() {
            for late in early + 1..groups.len() {
                pair(&groups[early], &groups[late], periods, &mut comparisons);
            }
        }
        let total: f64 = comparisons.iter().map(|c| c.weight).sum();
        for comparison in &mut comparisons {
            comparison.weight /= total;
        }
        Ok(Self {
            comparisons,
            estimate,
        })
    }

    /// All comparisons.
    pub fn comparisons(&self) -> &[BaconComparison] {
        &self.comparisons
    }

    /// The coefficient of two-way fixed effects, which is their weighted mean.
    pub fn estimate(&self) -> f64 {
        self.estimate
    }

    /// The weight of all comparisons of a kind.
    pub fn weight(&self, kind: BaconControl) -> f64 {
        self.of(kind).map(|c| c.weight).sum()
    }

    fn of(&self, kind: BaconControl) -> impl Iterator<Item = &BaconComparison> {
        self.comparisons.iter().filter(move |c| c.kind == kind)
    }

    /// Weight and mean estimate by kind of control.
    pub fn table(&self) -> Table {
        let mut table = Table::new("Comparisons behind two-way fixed effects").columns([
            "Control",
            "Comparisons",
            "Weight",
            "Mean estimate",
        ]);
        for kind in KINDS {
            let weight = self.weight(kind);
            if self.of(kind).next().is_none() {
                continue;
            }
            let mean = self.of(kind).map(|c| c.weight * c.estimate).sum::<f64>() / weight;
            table = table.row([
                Cell::text(kind.to_string()),
                Cell::count(self.of(kind).count()),
                Cell::fixed(weight, 3),
                Cell::significant(mean, 5),
            ]);
        }
        table.note(format!(
            "The weighted mean is {}, the coefficient.",
            Cell::significant(self.estimate, 5)
        ))
    }

    /// Each comparison's estimate over its weight, by kind of control.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] when nothing can be drawn.
    pub fn plot(&self) -> Result<Figure> {
        let mut plot = BinnedScatter::new()
            .title("Comparisons behind two-way fixed effects")
            .x_title("weight")
            .y_title("difference in differences");
        for kind in KINDS {
            let (x, y): (Vec<f64>, Vec<f64>) =
                self.of(kind).map(|c| (c.weight, c.estimate)).unzip();
            if !x.is_empty() {
                plot = plot.group(kind.to_string()).points(x, y);
            }
        }
        plot.draw()
    }
}

crate::report::notebook::shown!(BaconDecomposition);

/// Cohorts by start, never-treated units last.
fn groups(rollout: &Rollout) -> Vec<Group> {
    let periods = &rollout.panel.periods;
    let total: f64 = rollout.weights.iter().sum();
    let mut starts: Vec<usize> = (rollout.adoption.first.iter())
        .map(|first| first.map_or(periods.len(), |first| first as usize))
        .collect();
    let of_units = starts.clone();
    starts.sort_unstable();
    starts.dedup();
    let group = |start: usize| {
        let units: Vec<usize> = (0..of_units.len())
            .filter(|u| of_units[*u] == start)
            .collect();
        let weight: f64 = units.iter().map(|unit| rollout.weights[*unit]).sum();
        let mean = |period: usize| {
            let own = units.iter().filter_map(|unit| {
                let row = rollout.panel.at(*unit, period)?;
                Some(rollout.weights[*unit] * rollout.y[row])
            });
            own.sum::<f64>() / weight
        };
        Group {
            label: periods
                .get(start)
                .map_or("never".to_owned(), |p| p.label.clone()),
            start,
            share: weight / total,
            means: (0..periods.len()).map(mean).collect(),
        }
    };
    starts.into_iter().map(group).collect()
}

/// The comparisons of two cohorts (equations 7 to 10 of the paper), with weights that are not normalised.
fn pair(early: &Group, late: &Group, periods: usize, out: &mut Vec<BaconComparison>) {
    let treated_share = |group: &Group| (periods - group.start) as f64 / periods as f64;
    let (d_early, d_late) = (treated_share(early), treated_share(late));
    let both = early.share + late.share;
    let n = early.share / both;
    let balance = n * (1.0 - n);
    let mut push = |treated: &Group, control: &Group, kind, estimate, weight| {
        out.push(BaconComparison {
            treated: treated.label.clone(),
            control: control.label.clone(),
            kind,
            estimate,
            weight,
        });
    };
    let change = |group: &Group, before: std::ops::Range<usize>, after: std::ops::Range<usize>| {
        group.over(after) - group.over(before)
    };
    // The early cohort starts while the late one is not treated.
    if early.start > 0 {
        let (before, after) = (0..early.start, early.start..late.start);
        let kind = if late.start == periods {
            BaconControl::NeverTreated
        } else {
            BaconControl::LaterTreated
        };
        let estimate = change(early, before.clone(), after.clone()) - change(late, before, after);
        let weight = both.powi(2) * balance * (d_early - d_late) * (1.0 - d_early);
        push(early, late, kind, estimate, weight);
    }
    // The late cohort starts while the early one is treated already.
    if late.start < periods {
        let (before, after) = (early.start..late.start, late.start..periods);
        let kind = if early.start == 0 {
            BaconControl::AlwaysTreated
        } else {
            BaconControl::EarlierTreated
        };
        let estimate = change(late, before.clone(), after.clone()) - change(early, before, after);
        let weight = both.powi(2) * balance * d_late * (d_early - d_late);
        push(late, early, kind, estimate, weight);
    }
}
