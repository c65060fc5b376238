//! Comparisons by ranks, which no monotone transformation of the outcome changes.

mod brunner_munzel;
mod exact;
mod kolmogorov_smirnov;
mod kruskal_wallis;
mod mann_whitney;
mod select;
mod signed_rank;

pub use brunner_munzel::{BrunnerMunzel, Reference};
pub use kolmogorov_smirnov::KolmogorovSmirnov;
pub use kruskal_wallis::KruskalWallis;
pub use mann_whitney::MannWhitney;
pub use signed_rank::WilcoxonSignedRank;

use super::result::ComparisonArm;
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use std::fmt;

/// How the p-value of a rank statistic is computed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum RankMethod {
    /// Exact in small samples without ties, asymptotic otherwise (default).
    #[default]
    Auto,
    /// From all orders of the observations.
    Exact,
    /// From the limit distribution.
    Asymptotic,
}

impl fmt::Display for RankMethod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Auto => "auto",
            Self::Exact => "exact",
            Self::Asymptotic => "asymptotic",
        })
    }
}

/// Mid-ranks, and `Σ t³ − t` over the ties.
#[derive(Clone, Debug)]
struct Ranking {
    ranks: Vec<f64>,
    ties: f64,
}

impl Ranking {
    fn of(values: &[f64]) -> Self {
        let mut order: Vec<usize> = (0..values.len()).collect();
        order.sort_by(|a, b| values[*a].total_cmp(&values[*b]));
        let (mut ranks, mut ties) = (vec![0.0; values.len()], 0.0);
        let mut from = 0;
        while from < order.len() {
            let smallest = values[order[from]];
            let tied = order[from..]
                .iter()
                .take_while(|i| values[**i] <= smallest)
                .count();
            for i in &order[from..from + tied] {
                ranks[*i] = from as f64 + f64::midpoint(tied as f64, 1.0);
            }
            let t = tied as f64;
            ties += t * t * t - t;
            from += tied;
        }
        Self { ranks, ties }
    }

    fn has_ties(&self) -> bool {
        self.ties > 0.0
    }
}

/// An arm by its median.
fn by_median(name: &str, values: &[f64]) -> ComparisonArm {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let n = sorted.len();
    ComparisonArm {
        name: name.to_owned(),
        rows: n as u64,
        location: f64::midpoint(sorted[(n - 1) / 2], sorted[n / 2]),
    }
}

fn all_equal(what: &str) -> Error {
    Error::Unidentified {
        what: format!("a comparison of the ranks of {what}"),
        needs: "observations that are not all equal".to_owned(),
    }
}

/// Refuses what an exact distribution would take too long for.
fn too_many_for_exact(what: String) -> Result<bool> {
    Err(Error::invalid_option("method", "exact", what))
}
