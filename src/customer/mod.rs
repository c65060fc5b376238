//! What customers do over time: when they churn, buy again or finish a design.

pub mod survival;
