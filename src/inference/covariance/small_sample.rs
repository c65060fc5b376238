//! Finite-sample corrections of clustered and kernel covariances, switchable one by one.

use super::scores::Counts;
use crate::data::Groups;
use serde::{Deserialize, Serialize};

/// Finite-sample corrections in fixest's terms, so that results can be matched digit for digit.
///
/// The clustered covariance is multiplied by `(n − 1)/(n − K)` when `adjust` is on and by `G/(G − 1)` when
/// `cluster_adjust` is on. The kernel covariances take the same factors with the number of periods T for G, all absorbed effects
/// counted in K; for one series that is n/(n − K).
///
/// | name | default | meaning |
/// |---|---|---|
/// | `adjust` | true | multiply by (n − 1)/(n − K) |
/// | `fixed_effects` | `Nested` | which absorbed effects count in K |
/// | `cluster_adjust` | true | multiply by G/(G − 1) |
/// | `cluster_df` | `Min` | with several cluster columns: the smallest G for all terms, or each term's own |
/// | `residual_df` | `Min` | t distribution with min G − 1 degrees of freedom, or n − K |
///
/// With one cluster column and no absorbed effects the default is Stata's and CR1S of clubSandwich. With one absorbed
/// effect nested in the cluster it is what Stata's `xtreg, fe` and fixest report.
///
/// # References
/// Bergé (2018), *Efficient estimation of maximum likelihood models with multiple fixed-effects: the R package FENmlm*,
/// CREA discussion paper 13; the package's page "On standard-errors".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SmallSample {
    /// Multiply by (n − 1)/(n − K).
    pub adjust: bool,
    /// Which absorbed effects count in K.
    pub fixed_effects: FixedEffectCount,
    /// Multiply by G/(G − 1).
    pub cluster_adjust: bool,
    /// Which G, with several cluster columns.
    pub cluster_df: ClusterDf,
    /// Degrees of freedom of the tests.
    pub residual_df: ResidualDf,
}

/// Which absorbed effects count as parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FixedEffectCount {
    /// None.
    None,
    /// Those nested in a cluster column count as one parameter each.
    Nested,
    /// All.
    Full,
}

/// Which number of clusters corrects each term of a multi-way sum.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ClusterDf {
    /// The smallest of the columns', for all terms.
    Min,
    /// Each term's own.
    Conventional,
}

/// Degrees of freedom of tests with clustered errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ResidualDf {
    /// The smallest number of clusters less one.
    Min,
    /// n − K.
    Conventional,
}

impl Default for SmallSample {
    fn default() -> Self {
        Self {
            adjust: true,
            fixed_effects: FixedEffectCount::Nested,
            cluster_adjust: true,
            cluster_df: ClusterDf::Min,
            residual_df: ResidualDf::Min,
        }
    }
}

impl SmallSample {
    /// No correction of the variance (CR0); tests still use min G − 1.
    pub fn none() -> Self {
        Self {
            adjust: false,
            cluster_adjust: false,
            ..Self::default()
        }
    }

    /// Only G/(G − 1): CR1 of clubSandwich.
    pub fn clusters_only() -> Self {
        Self {
            adjust: false,
            ..Self::default()
        }
    }

    /// Sets which absorbed effects count.
    pub fn fixed_effects(mut self, count: FixedEffectCount) -> Self {
        self.fixed_effects = count;
        self
    }

    /// Sets which G corrects the terms of a multi-way sum.
    pub fn cluster_df(mut self, rule: ClusterDf) -> Self {
        self.cluster_df = rule;
        self
    }

    /// Sets the degrees of freedom of tests.
    pub fn residual_df(mut self, rule: ResidualDf) -> Self {
        self.residual_df = rule;
        self
    }

    /// Whether the variance is left as it is.
    pub(crate) fn is_none(self) -> bool {
        !self.adjust && !self.cluster_adjust
    }

    /// K as these rules count it.
    pub(crate) fn parameters(
        self,
        counts: &Counts<'_>,
        parameters: usize,
        clusters: &[Groups],
    ) -> f64 {
        let absorbed = match self.fixed_effects {
            FixedEffectCount::None => 0,
            FixedEffectCount::Full => counts.absorbed_total(),
            FixedEffectCount::Nested => counts.absorbed_not_nested(clusters),
        };
        (parameters + absorbed) as f64
    }

    /// The factor for a term with `groups` clusters.
    pub(crate) fn factor(
        self,
        counts: &Counts<'_>,
        parameters: usize,
        clusters: &[Groups],
        groups: usize,
    ) -> f64 {
        let n = counts.observations;
        let mut factor = 1.0;
        if self.adjust {
            factor *= (n - 1.0) / (n - self.parameters(counts, parameters, clusters));
        }
        if self.cluster_adjust {
            factor *= groups as f64 / (groups as f64 - 1.0);
        }
        factor
    }
}
