//! Experiments: how large they must be, and how treatment is assigned so that its effect can be told.

pub mod design;
pub mod power;
