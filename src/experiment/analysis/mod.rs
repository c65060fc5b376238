//! From the statistics of arms to effects.

mod bootstrap_t;
mod decide;
mod effect;
mod fit;
mod joint;
mod linear;
mod normality;
mod quantile;
mod report;
mod survival;

pub(crate) use bootstrap_t::{ArmDraws, arm_draws, bootstrap_t};
pub(crate) use decide::decide;
pub use effect::{ArmValue, Effect, Lift, LiftMethod};
pub(crate) use effect::{Compared, compare};
pub(crate) use fit::Parts;
pub use fit::{ArmCount, ExperimentFit};
pub(crate) use joint::{Joint, Pair};
pub(crate) use linear::{Analysed, analyse};
pub(crate) use normality::warn_about_skew;
pub(crate) use quantile::quantiles;
pub(crate) use survival::restricted_means;
