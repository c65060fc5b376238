//! Levene's test of equal variances, and Brown and Forsythe's.

use super::super::result::{Comparison, ComparisonArm, ComparisonTest, NullDistribution};
use super::super::sample::{Arms, Options, several_arms};
use super::{Squares, means};
use crate::data::Frame;
use crate::error::Result;
use crate::experiment::compare::means::Mean;
use crate::inference::{Alternative, check_level};
use crate::numeric::special::f;
use serde::{Deserialize, Serialize};

/// About what the deviations are taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Center {
    /// The median: Brown and Forsythe's test, robust to skewness (default).
    #[default]
    Median,
    /// The mean: Levene's test, for symmetric outcomes.
    Mean,
}

/// The test that several arms have one spread: the analysis of variance of the absolute deviations from the centre of each.
///
/// | name | default | meaning | range |
/// |---|---|---|---|
/// | `center` | median (Brown–Forsythe) | about what deviations are taken | see [`Center`] |
///
/// ```
/// use cocreate::prelude::*;
/// let fit = Levene::default().compare(&[&[1.0, 2.0, 3.0, 4.0], &[-10.0, 0.0, 5.0, 20.0]])?;
/// assert!(fit.p_value() < 0.2);
/// # Ok::<(), cocreate::Error>(())
/// ```
///
/// # Errors
/// As [`Anova`](super::Anova).
///
/// # References
/// Levene (1960); Brown & Forsythe (1974), doi:10.1080/01621459.1974.10482955.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Levene {
    options: Options,
    center: Center,
}

impl Levene {
    /// Compares the spread of a column between the arms of another.
    pub fn new(outcome: impl Into<String>, arm: impl Into<String>) -> Self {
        Self {
            options: Options::new(outcome, arm),
            center: Center::Median,
        }
    }

    /// About what the deviations are taken.
    pub fn center(mut self, center: Center) -> Self {
        self.center = center;
        self
    }

    fn run(&self, arms: &Arms) -> Result<Comparison> {
        arms.at_least(1)?;
        let mut deviations = arms.clone();
        for values in &mut deviations.values {
            let center = match self.center {
                Center::Mean => Mean::of(values).mean,
                Center::Median => {
                    values.sort_by(f64::total_cmp);
                    let n = values.len();
                    f64::midpoint(values[(n - 1) / 2], values[n / 2])
                }
            };
            for v in values.iter_mut() {
                *v = (*v - center).abs();
            }
        }
        let squares = Squares::of(&means(&deviations), &arms.outcome)?;
        let name = match self.center {
            Center::Mean => "Levene's test",
            Center::Median => "Brown–Forsythe test",
        };
        let spread = |(name, mean): (&String, Mean)| ComparisonArm {
            name: name.clone(),
            rows: mean.rows as u64,
            location: if mean.rows > 1.0 {
                mean.variance.sqrt()
            } else {
                0.0
            },
        };
        let (df1, df2) = (squares.df_between, squares.df_within);
        Ok(Comparison {
            title: format!("{name} of equal spread: {}", arms.outcome),
            location: "Standard deviation".to_owned(),
            arms: arms.names.iter().zip(means(arms)).map(spread).collect(),
            effects: Vec::new(),
            tests: vec![ComparisonTest {
                name: name.to_owned(),
                statistic: squares.f(),
                distribution: NullDistribution::F { df1, df2 },
                alternative: Alternative::TwoSided,
                p_value: f::sf(squares.f(), df1, df2),
            }],
            warnings: arms.warnings.clone(),
        })
    }
}

several_arms!(Levene);
