//! Experiments: what the arms of a randomised comparison say.

pub mod compare;
