//! The distribution of ability among persons.

use serde::{Deserialize, Serialize};

/// Mean and variance of ability in one group.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GroupAbility {
    /// The group; empty without groups.
    pub name: String,
    /// The mean of ability where all regressors are zero.
    pub mean: f64,
    /// The variance of ability given the regressors.
    pub variance: f64,
}

/// Ability is normal, `a_i = μ_g + x_i'β + ζ_i`, `ζ_i ~ N(0, σ_g²)`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AbilityDistribution {
    pub(crate) groups: Vec<GroupAbility>,
    pub(crate) regressors: Vec<String>,
    pub(crate) slopes: Vec<f64>,
}

impl AbilityDistribution {
    /// Mean and variance by group, the reference first.
    pub fn groups(&self) -> &[GroupAbility] {
        &self.groups
    }

    /// The names of the regressors.
    pub fn regressors(&self) -> &[String] {
        &self.regressors
    }

    /// The slopes β.
    pub fn slopes(&self) -> &[f64] {
        &self.slopes
    }

    /// `E[a | group, x]`.
    pub fn mean(&self, group: usize, covariates: &[f64]) -> f64 {
        let slope: f64 = (self.slopes.iter().zip(covariates))
            .map(|(b, x)| b * x)
            .sum();
        self.groups[group].mean + slope
    }

    /// `Var(a | group, x)`.
    pub fn variance(&self, group: usize) -> f64 {
        self.groups[group].variance
    }
}
