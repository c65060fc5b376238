//! Discrete choice: customers who look ahead and bear the consequences of what they choose.

pub mod dynamic;

pub use dynamic::{
    DiscountPoint, DiscountSensitivity, DynamicChoice, DynamicChoiceFit, DynamicMethod, Payoffs,
    Transitions,
};
