//! The means of several arms.

mod anova;
mod levene;
mod pairwise;

pub use anova::Anova;
pub use levene::{Center, Levene};
pub use pairwise::{GamesHowell, TukeyHsd};

use super::means::Mean;
use super::result::ComparisonArm;
use super::sample::Arms;
use crate::error::{Error, Result};

fn means(arms: &Arms) -> Vec<Mean> {
    arms.values.iter().map(|v| Mean::of(v)).collect()
}

fn shown(arms: &Arms, means: &[Mean]) -> Vec<ComparisonArm> {
    let named = arms.names.iter().zip(means);
    named
        .map(|(name, mean)| ComparisonArm {
            name: name.clone(),
            rows: mean.rows as u64,
            location: mean.mean,
        })
        .collect()
}

/// Sums of squares between and within arms.
#[derive(Clone, Copy, Debug)]
struct Squares {
    between: f64,
    within: f64,
    df_between: f64,
    df_within: f64,
}

impl Squares {
    fn of(means: &[Mean], outcome: &str) -> Result<Self> {
        let n: f64 = means.iter().map(|m| m.rows).sum();
        let grand = means.iter().map(|m| m.rows * m.mean).sum::<f64>() / n;
        let squares = Self {
            between: means
                .iter()
                .map(|m| m.rows * (m.mean - grand).powi(2))
                .sum(),
            // An arm of one has no spread of its own.
            within: means
                .iter()
                .filter(|m| m.rows > 1.0)
                .map(|m| (m.rows - 1.0) * m.variance)
                .sum(),
            df_between: means.len() as f64 - 1.0,
            df_within: n - means.len() as f64,
        };
        if squares.df_within <= 0.0 || squares.within <= 0.0 {
            return Err(Error::Unidentified {
                what: format!("the spread of `{outcome}` within arms"),
                needs: "observations that differ within an arm".to_owned(),
            });
        }
        Ok(squares)
    }

    fn residual(&self) -> f64 {
        self.within / self.df_within
    }

    fn f(&self) -> f64 {
        self.between / self.df_between / self.residual()
    }
}
