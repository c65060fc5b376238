//! The classical comparisons of arms: means, proportions, rates, ranks, several arms. Every one is a builder with `fit(&frame)` for columns and
//! `compare(…)` for slices, and returns a [`Comparison`].

mod location;
mod means;
mod paired;
mod result;
mod sample;
mod standardized;

pub use means::{Spread, TwoMeans};
pub use paired::PairedMeans;
pub use result::{Comparison, ComparisonArm, ComparisonEffect, ComparisonTest, NullDistribution};
