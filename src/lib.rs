//! Statistical research on e-commerce co-creation: customers who design, configure, learn, review, share data and so
//! help to produce what they buy.
#![cfg_attr(test, allow(clippy::float_cmp))]

pub mod data;
pub mod error;
pub mod numeric;
pub mod prelude;
pub mod report;

pub use data::datasets;
pub use error::{Error, Result, Warning};
