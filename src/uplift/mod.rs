//! Who responds, how sure we are, and whom to treat: uplift curves, calibration and policies from doubly robust scores.

pub mod evaluate;
mod path;
pub mod policy;
mod show;
