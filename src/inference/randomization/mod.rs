//! Randomisation inference: tests and intervals whose only assumption is how treatment was assigned.

mod assignment;
mod linear;
mod report;
mod rerandomized;
mod run;
mod statistic;
mod subset;

pub use assignment::{Assignment, Mechanism};
pub use report::{OutcomeTest, RandomizationFit};
pub use run::RandomizationTest;
pub(crate) use statistic::mid_ranks;
pub use statistic::{Contrast, Statistic};
