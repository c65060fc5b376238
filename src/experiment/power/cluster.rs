//! Power when whole clusters are assigned.

use super::planner::{Planner, Setting};
use super::rejection::{Precision, Tested, margins, planned, positive, r_squared, tested};
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};

/// Power of the comparison of cluster means when clusters are assigned; the size is the number of clusters.
///
/// The mean of a cluster of m units has variance `σ² [(1 + CV²) ρ (1 − R²_B) + (1 − ρ)(1 − R²_W)/m]`, which is the design effect
/// `1 + ((1 + CV²) m − 1) ρ` over m without covariates; the test is t with the number of clusters less two (and less the
/// cluster-level covariates) degrees of freedom. Units beyond a few dozen in a cluster buy little: power tends to that of `σ² ρ`.
///
/// | name | default | meaning | range |
/// |---|---|---|---|
/// | `sd` | | standard deviation of a unit's outcome; √(p(1 − p)) for a proportion | > 0 |
/// | `icc` | | intra-cluster correlation ρ | [0, 1) |
/// | `cluster_size` | | mean number of units in a cluster, m | ≥ 1 |
/// | `cv` | 0 | coefficient of variation of the sizes | ≥ 0 |
/// | `ratio` | 1 | treated clusters per control cluster | > 0 |
/// | `adjusted_for` | none | covariates and the shares they explain between and within clusters | [0, 1) |
///
/// ```
/// use cocreate::prelude::*;
/// let shops = ClusterPower::new(1.0, 0.05, 30.0).effect(0.25).sample_size(0.8)?;
/// assert_eq!(shops.whole_size(), 44);
/// let unequal = ClusterPower::new(1.0, 0.05, 30.0).cv(0.6).effect(0.25).sample_size(0.8)?;
/// assert!(unequal.size > shops.size);
/// # Ok::<(), cocreate::Error>(())
/// ```
///
/// # Errors
/// [`Error::InvalidOption`] for numbers out of range; those of the verbs of [`Planner`].
///
/// # References
/// Donner & Klar (2000), *Design and Analysis of Cluster Randomization Trials*; Eldridge, Ashby & Kerry (2006), doi:10.1093/ije/dyl129.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClusterPower {
    sd: f64,
    icc: f64,
    cluster_size: f64,
    cv: f64,
    ratio: f64,
    covariates: usize,
    r_squared: (f64, f64),
    tested: Tested,
}

tested!(ClusterPower);
margins!(ClusterPower);

impl ClusterPower {
    /// Clusters of `cluster_size` units, whose outcomes correlate by `icc` within a cluster.
    pub fn new(sd: f64, icc: f64, cluster_size: f64) -> Self {
        Self {
            sd,
            icc,
            cluster_size,
            cv: 0.0,
            ratio: 1.0,
            covariates: 0,
            r_squared: (0.0, 0.0),
            tested: Tested::default(),
        }
    }

    /// The coefficient of variation of the cluster sizes.
    pub fn cv(mut self, cv: f64) -> Self {
        self.cv = cv;
        self
    }

    /// Treated clusters per control cluster.
    pub fn ratio(mut self, ratio: f64) -> Self {
        self.ratio = ratio;
        self
    }

    /// Covariates that explain these shares of the variance between and within clusters; those at the level of clusters cost a degree
    /// of freedom each.
    pub fn adjusted_for(mut self, cluster_covariates: usize, between: f64, within: f64) -> Self {
        self.covariates = cluster_covariates;
        self.r_squared = (between, within);
        self
    }

    /// Variance of the mean of independent units as a multiple: `1 + ((1 + CV²) m − 1) ρ`.
    pub fn design_effect(&self) -> f64 {
        1.0 + ((1.0 + self.cv * self.cv) * self.cluster_size - 1.0) * self.icc
    }

    fn cluster_variance(&self) -> f64 {
        let (between, within) = self.r_squared;
        let shared = (1.0 + self.cv * self.cv) * self.icc * (1.0 - between);
        let own = (1.0 - self.icc) * (1.0 - within) / self.cluster_size;
        self.sd * self.sd * (shared + own)
    }
}

impl Planner for ClusterPower {
    planned!();

    fn check(&self) -> Result<()> {
        positive("standard deviation", self.sd)?;
        positive("ratio", self.ratio)?;
        if !(0.0..1.0).contains(&self.icc) {
            return Err(Error::invalid_option(
                "icc",
                self.icc,
                "at least 0 and below 1: the correlation of two units of one cluster",
            ));
        }
        if !(self.cluster_size >= 1.0 && self.cluster_size.is_finite()) {
            return Err(Error::invalid_option(
                "cluster_size",
                self.cluster_size,
                "at least 1: the mean number of units in a cluster",
            ));
        }
        if !(self.cv >= 0.0 && self.cv.is_finite()) {
            return Err(Error::invalid_option("cv", self.cv, "not negative"));
        }
        r_squared("r_squared between clusters", self.r_squared.0)?;
        r_squared("r_squared within clusters", self.r_squared.1)?;
        self.tested.check()
    }

    fn setting(&self) -> Setting {
        let two = 2.0 * (1.0 + self.ratio) * f64::max(1.0, 1.0 / self.ratio);
        let setting = Setting::new(
            "Cluster means, t test",
            "clusters",
            "Difference of the means",
            two + self.covariates as f64,
        )
        .two_arms(self.ratio)
        .assume("Standard deviation of a unit", self.sd)
        .assume("Intra-cluster correlation", self.icc)
        .assume(
            "Units a cluster (mean, coefficient of variation)",
            format!("{}, {}", self.cluster_size, self.cv),
        )
        .assume("Design effect", format!("{:.4}", self.design_effect()));
        let setting = if self.r_squared.0 > 0.0 || self.r_squared.1 > 0.0 {
            setting.assume(
                "R² of covariates (between, within clusters)",
                format!("{}, {}", self.r_squared.0, self.r_squared.1),
            )
        } else {
            setting
        };
        self.tested.place(setting)
    }

    fn power_at(&self, size: f64, effect: f64) -> Result<f64> {
        let k0 = size / (1.0 + self.ratio);
        let variance = self.cluster_variance() * (1.0 / k0 + 1.0 / (size - k0));
        let df = size - 2.0 - self.covariates as f64;
        self.tested
            .power(effect, Precision::new(variance.sqrt(), df))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::power::MeanPower;

    #[test]
    fn clusters_of_one_are_units() {
        let one = ClusterPower::new(2.0, 0.3, 1.0).ratio(2.0).effect(0.7);
        let units = MeanPower::new(2.0).ratio(2.0).effect(0.7);
        let gap = one.power(120.0).unwrap().power - units.power(120.0).unwrap().power;
        assert!(gap.abs() < 1e-12);
    }

    #[test]
    fn the_design_effect_divides_the_sample() {
        let planner = ClusterPower::new(1.0, 0.05, 30.0).cv(0.5).effect(0.2);
        assert!((planner.design_effect() - (1.0 + (1.25 * 30.0 - 1.0) * 0.05)).abs() < 1e-12);
        let variance = planner.design_effect() / 30.0;
        assert!((planner.cluster_variance() - variance).abs() < 1e-14);
    }

    #[test]
    fn the_three_questions_invert_each_other() {
        let planner = ClusterPower::new(1.0, 0.1, 50.0)
            .cv(0.4)
            .adjusted_for(1, 0.5, 0.2)
            .effect(-0.3);
        let plan = planner.sample_size(0.8).unwrap();
        assert!((planner.power(plan.size).unwrap().power - 0.8).abs() < 1e-12);
        assert!((planner.mde(plan.size, 0.8).unwrap().effect + 0.3).abs() < 1e-9);
    }

    #[test]
    fn nonsense_is_refused() {
        for planner in [
            ClusterPower::new(1.0, 1.0, 30.0),
            ClusterPower::new(1.0, -0.1, 30.0),
            ClusterPower::new(1.0, 0.1, 0.5),
            ClusterPower::new(1.0, 0.1, 30.0).cv(-1.0),
            ClusterPower::new(1.0, 0.1, 30.0).adjusted_for(1, 1.0, 0.0),
        ] {
            let error = planner.effect(0.2).power(20.0).unwrap_err();
            assert!(matches!(error, Error::InvalidOption { .. }), "{error}");
        }
        assert!(
            ClusterPower::new(1.0, 0.1, 30.0)
                .effect(0.2)
                .power(3.0)
                .is_err()
        );
    }
}
