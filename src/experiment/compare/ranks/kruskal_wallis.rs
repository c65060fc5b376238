//! Kruskal and Wallis' test of several arms.

use super::super::result::{Comparison, ComparisonTest, NullDistribution};
use super::super::sample::{Arms, Options, several_arms};
use super::{Ranking, all_equal, by_median};
use crate::data::Frame;
use crate::error::Result;
use crate::inference::{Alternative, check_level};
use crate::numeric::special::chi_squared;
use serde::{Deserialize, Serialize};

/// Kruskal and Wallis' test that several arms have the same distribution: `H = 12/(N(N + 1)) Σ n_g (R̄_g − (N + 1)/2)²`, corrected for ties, is
/// χ² with one degree of freedom fewer than arms.
///
/// ```
/// use cocreate::prelude::*;
/// let fit = KruskalWallis::default().compare(&[&[1.0, 3.0, 5.0, 7.0, 9.0], &[2.0, 4.0, 6.0, 8.0, 10.0]])?;
/// assert!((fit.statistic() - 0.2727272727).abs() < 1e-9);
/// # Ok::<(), cocreate::Error>(())
/// ```
///
/// # Errors
/// [`Error::ColumnNotFound`](crate::Error::ColumnNotFound), [`Error::WrongKind`](crate::Error::WrongKind), [`Error::Infinite`](crate::Error::Infinite);
/// [`Error::NoRows`](crate::Error::NoRows) with one arm only; [`Error::Unidentified`](crate::Error::Unidentified) when all observations are equal.
///
/// # References
/// Kruskal & Wallis (1952), doi:10.1080/01621459.1952.10483441.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KruskalWallis {
    options: Options,
}

impl KruskalWallis {
    /// Compares a column between the arms of another.
    pub fn new(outcome: impl Into<String>, arm: impl Into<String>) -> Self {
        Self {
            options: Options::new(outcome, arm),
        }
    }

    #[expect(
        clippy::unused_self,
        reason = "the verbs of all comparisons call it so"
    )]
    fn run(&self, arms: &Arms) -> Result<Comparison> {
        arms.at_least(1)?;
        let all = arms.values.concat();
        let ranking = Ranking::of(&all);
        let n = all.len() as f64;
        let untied = 1.0 - ranking.ties / (n * n * n - n);
        if untied.is_nan() || untied <= 0.0 {
            return Err(all_equal(&arms.outcome));
        }
        let center = f64::midpoint(n, 1.0);
        let (mut from, mut between) = (0, 0.0);
        for values in &arms.values {
            let count = values.len() as f64;
            let ranks = &ranking.ranks[from..from + values.len()];
            between += count * (ranks.iter().sum::<f64>() / count - center).powi(2);
            from += values.len();
        }
        let statistic = 12.0 / (n * (n + 1.0)) * between / untied;
        let df = arms.names.len() as f64 - 1.0;
        Ok(Comparison {
            title: format!("Kruskal–Wallis test of {}", arms.outcome),
            location: "Median".to_owned(),
            arms: arms
                .names
                .iter()
                .zip(&arms.values)
                .map(|(name, values)| by_median(name, values))
                .collect(),
            effects: Vec::new(),
            tests: vec![ComparisonTest {
                name: "Kruskal–Wallis test".to_owned(),
                statistic,
                distribution: NullDistribution::ChiSquared { df },
                alternative: Alternative::TwoSided,
                p_value: chi_squared::sf(statistic, df),
            }],
            warnings: arms.warnings.clone(),
        })
    }
}

several_arms!(KruskalWallis);
