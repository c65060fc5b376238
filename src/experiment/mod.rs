//! Experiments: whether one can be trusted, and designs in which treatment, exposure and outcome are not one thing.

mod arms;
mod show;
mod sums;

pub mod encouragement;
pub mod network;
pub mod trust;
