//! How alike the arms are in every covariate, before and after weighting.

use super::estimand::Estimand;
use super::observed::Observed;
use crate::error::Result;
use crate::numeric::blocks;
use crate::report::{Cell, CoefficientPlot, Figure, Table};
use serde::{Deserialize, Serialize};

/// Absolute standardised differences above this are usually called imbalance (Austin 2009, doi:10.1002/sim.3697).
const IMBALANCED: f64 = 0.1;

/// One covariate in both arms.
///
/// The standardised mean difference is `(x̄₁ − x̄₀)/s`. Before and after weighting s is the same and of the unweighted rows: of the treated for the ATT, of the
/// untreated for the ATC, else `√((s₁² + s₀²)/2)` (Stuart 2010, doi:10.1214/09-STS313). The variance ratio is `s₁²/s₀²`, with weights
/// `s² = Σ w (x − x̄)²/(Σ w − Σ w²/Σ w)`. The Kolmogorov–Smirnov distance is the largest difference of the weighted distribution functions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CovariateBalance {
    /// The column of the design.
    pub name: String,
    /// Mean of the treated and of the untreated before weighting.
    pub means_before: [f64; 2],
    /// After.
    pub means_after: [f64; 2],
    /// Standardised mean difference before weighting; none when nothing varies by which it could be scaled.
    pub difference_before: Option<f64>,
    /// After.
    pub difference_after: Option<f64>,
    /// Variance ratio before weighting; none of columns with two values, whose means tell it, and without variance among the untreated.
    pub variance_ratio_before: Option<f64>,
    /// After.
    pub variance_ratio_after: Option<f64>,
    /// Kolmogorov–Smirnov distance before weighting.
    pub distance_before: f64,
    /// After.
    pub distance_after: f64,
}

/// The balance of all covariates.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BalanceTable {
    /// One row a covariate, those left out as collinear included.
    pub rows: Vec<CovariateBalance>,
    title: String,
}

impl BalanceTable {
    /// `weights` are those of the rows after weighting, sampling weights included.
    pub(in crate::causal) fn new(observed: &Observed, weights: &[f64], estimand: Estimand) -> Self {
        let rows = blocks::map(observed.covariates.len(), |at| {
            let (name, x) = &observed.covariates[at];
            covariate(name, x, observed, weights, estimand)
        });
        let [control, treated] = &observed.arms;
        Self {
            rows,
            title: format!(
                "Balance of {}: {treated} against {control}",
                observed.treatment
            ),
        }
    }

    /// The largest absolute standardised difference after weighting.
    pub fn largest_difference(&self) -> f64 {
        let after = self.rows.iter().filter_map(|row| row.difference_after);
        after.fold(0.0, |m, d| m.max(d.abs()))
    }

    /// The balance as a table.
    pub fn table(&self) -> Table {
        let some = |value: Option<f64>| value.map_or_else(Cell::empty, |v| Cell::fixed(v, 3));
        let mut table = Table::new(&self.title)
            .columns(["", "before", "after", "before", "after", "before", "after"])
            .group_headers([
                ("", 1),
                ("standardised difference", 2),
                ("variance ratio", 2),
                ("KS distance", 2),
            ]);
        for row in &self.rows {
            table = table.row([
                Cell::text(&row.name),
                some(row.difference_before),
                some(row.difference_after),
                some(row.variance_ratio_before),
                some(row.variance_ratio_after),
                Cell::fixed(row.distance_before, 3),
                Cell::fixed(row.distance_after, 3),
            ]);
        }
        let over = (self.rows.iter())
            .filter_map(|row| row.difference_after)
            .filter(|d| d.abs() > IMBALANCED)
            .count();
        table.note(format!(
            "{over} of {} covariates differ by more than {IMBALANCED} standard deviations after weighting.",
            self.rows.len()
        ))
    }

    /// A love plot: absolute standardised differences before and after weighting, one line a covariate.
    ///
    /// # Errors
    /// [`Error::InvalidOption`](crate::Error::InvalidOption) without covariates that vary.
    pub fn love_plot(&self) -> Result<Figure> {
        let mut plot = CoefficientPlot::new()
            .title(&self.title)
            .x_title("absolute standardised mean difference");
        for (series, difference) in [
            (
                "before",
                (|row| row.difference_before) as fn(&CovariateBalance) -> Option<f64>,
            ),
            ("after", |row| row.difference_after),
        ] {
            plot = plot.series(series);
            for row in &self.rows {
                if let Some(d) = difference(row) {
                    plot = plot.point(&row.name, d.abs(), d.abs(), d.abs());
                }
            }
        }
        plot.draw()
    }
}

crate::report::notebook::shown!(BalanceTable);

/// Mean and variance of an arm.
struct Spread {
    mean: f64,
    variance: f64,
}

fn spread(x: &[f64], weights: &[f64], rows: &[usize]) -> Spread {
    let total: f64 = rows.iter().map(|i| weights[*i]).sum();
    let squares: f64 = rows.iter().map(|i| weights[*i] * weights[*i]).sum();
    let mean = rows.iter().map(|i| weights[*i] * x[*i]).sum::<f64>() / total;
    let around: f64 = rows
        .iter()
        .map(|i| weights[*i] * (x[*i] - mean).powi(2))
        .sum();
    let degrees = total - squares / total;
    Spread {
        mean,
        variance: if degrees > 0.0 { around / degrees } else { 0.0 },
    }
}

fn covariate(
    name: &str,
    x: &[f64],
    observed: &Observed,
    after: &[f64],
    estimand: Estimand,
) -> CovariateBalance {
    let arms = [true, false].map(|arm| observed.of_arm(arm).collect::<Vec<usize>>());
    let of = |weights: &[f64]| [0, 1].map(|arm: usize| spread(x, weights, &arms[arm]));
    let [first, last] = [of(&observed.weights), of(after)];
    let scale = match estimand {
        Estimand::Att => first[0].variance,
        Estimand::Atc => first[1].variance,
        Estimand::Ate | Estimand::Ato => 0.5 * (first[0].variance + first[1].variance),
    }
    .sqrt();
    let mut sorted: Vec<(f64, u32)> = arms.iter().flatten().map(|i| (x[*i], *i as u32)).collect();
    sorted.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    let levels = 1 + sorted
        .windows(2)
        .filter(|pair| pair[0].0 < pair[1].0)
        .count();
    let difference = |s: &[Spread; 2]| (scale > 0.0).then(|| (s[0].mean - s[1].mean) / scale);
    let ratio = |s: &[Spread; 2]| {
        (levels > 2 && s[1].variance > 0.0).then(|| s[0].variance / s[1].variance)
    };
    CovariateBalance {
        name: name.to_owned(),
        means_before: [first[0].mean, first[1].mean],
        means_after: [last[0].mean, last[1].mean],
        difference_before: difference(&first),
        difference_after: difference(&last),
        variance_ratio_before: ratio(&first),
        variance_ratio_after: ratio(&last),
        distance_before: distance(&observed.weights, &observed.treated, &sorted),
        distance_after: distance(after, &observed.treated, &sorted),
    }
}

/// The largest difference of two weighted distribution functions; the values are in rising order, each with its row.
fn distance(weights: &[f64], treated: &[bool], sorted: &[(f64, u32)]) -> f64 {
    let mut totals = [0.0; 2];
    for (_, row) in sorted {
        totals[usize::from(treated[*row as usize])] += weights[*row as usize];
    }
    let (mut sums, mut most) = ([0.0; 2], 0.0_f64);
    for (at, (x, row)) in sorted.iter().enumerate() {
        sums[usize::from(treated[*row as usize])] += weights[*row as usize];
        let tied = sorted.get(at + 1).is_some_and(|next| next.0 <= *x);
        if !tied {
            most = most.max((sums[0] / totals[0] - sums[1] / totals[1]).abs());
        }
    }
    most
}
