//! Data in: frames and their columns, CSV, formulas, design matrices, bundled data sets.

pub mod column;
pub mod frame;

pub use column::{Column, Groups, Label, Real, Time};
pub use frame::Frame;
