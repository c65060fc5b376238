//! Statistical research on e-commerce co-creation: customers who design, configure, learn, review, share data and so
//! help to produce what they buy.
#![cfg_attr(test, allow(clippy::float_cmp))]

pub mod data;
pub mod error;
pub mod inference;
pub mod numeric;
pub mod prelude;
pub mod regression;
pub mod report;
pub mod summary;

pub use data::datasets;
pub use error::{Error, Result, Warning};
pub use numeric::{Progress, Seed};
