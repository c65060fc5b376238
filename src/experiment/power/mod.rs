//! How large an experiment must be: power, sample size and smallest detectable effect of many tests, by formula where there is one
//! and by simulation where not.
//!
//! | planner | test |
//! |---|---|
//! | [`MeanPower`] | two means: Student, Welch, normal; covariates (CUPED); non-inferiority and equivalence |
//! | [`ProportionPower`] | two proportions: pooled, unpooled, arcsine; exact tests by enumeration |
//! | [`RatioPower`], [`LiftPower`] | ratio metrics and relative lifts by the delta method |
//! | [`CountPower`] | two rates: Poisson, quasi-Poisson, negative binomial |
//! | [`AnovaPower`] | several means: F |
//! | [`ContrastPower`], [`FactorialPower`] | contrasts of means (Welch); main effects and interactions |
//! | [`DunnettPower`] | several arms against one control |
//! | [`ClusterPower`] | clusters are assigned |
//! | [`StratifiedPower`], [`PairedPower`] | within strata and within matched pairs |
//! | [`EncouragementPower`], [`TriggeredPower`] | treatment reaches some only |
//! | [`RerandomizedPower`] | two means under rerandomisation: tests under the design, and the usual one |
//! | [`PreferencePower`] | interleaving: the preference between two rankings |
//! | [`HoldoutPower`], [`SurrogatePower`] | effects that come late: holdouts, surrogate indices |
//! | [`NetworkPower`] | exposures on a network, by replayed assignments |
//! | [`SurvivalPower`] | log-rank |
//! | [`SwitchbackPower`], [`GeoPower`] | by simulation; placebo experiments on a history |
//! | [`PowerSimulation`] | any test, by simulation |
//!
//! All answer the verbs of [`Planner`]: `power`, `sample_size`, `mde`, `curve`.

mod anova;
mod blocked;
mod cluster;
mod contrast;
mod count;
mod curve;
mod diluted;
mod dunnett;
mod geo;
mod long_term;
mod mean;
mod network;
mod plan;
mod planner;
mod preference;
mod proportion;
mod proportion_exact;
mod ratio;
mod rejection;
mod rerandomized;
mod simulated;
mod survival;
mod switchback;

pub use anova::AnovaPower;
pub use blocked::{PairedPower, PlannedStratum, StratifiedPower};
pub use cluster::ClusterPower;
pub use contrast::{ContrastPower, FactorialPower};
pub use count::CountPower;
pub use curve::{PowerCurve, PowerLine};
pub use diluted::{EncouragementPower, TriggeredPower};
pub use dunnett::{DunnettPower, DunnettSuccess};
pub use geo::GeoPower;
pub use long_term::{HoldoutPower, SurrogatePower};
pub use mean::{MeanPower, MeanTest};
pub use network::NetworkPower;
pub use plan::{ArmSize, Assumption, PowerPlan};
pub use planner::{Planner, Setting, Shape};
pub use preference::PreferencePower;
pub use proportion::{ProportionPower, ProportionPowerTest};
pub use ratio::{LiftPower, RatioPower};
pub use rerandomized::RerandomizedPower;
pub use simulated::{PowerSimulation, SimulatedTest};
pub use survival::SurvivalPower;
pub use switchback::SwitchbackPower;
