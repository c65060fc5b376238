//! Adjustment: slopes of covariates, winsorising, predictions of learners, Lin's regression.

pub(crate) mod cupac;
pub(crate) mod lin;
mod slope;
pub(crate) mod winsorize;

pub(crate) use slope::{Group, Slopes, linearise, slopes};
