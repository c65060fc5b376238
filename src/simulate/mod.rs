//! Customers, experiments and markets with a known truth, and the Monte Carlo runner.

mod draws;
mod generate;
pub mod monte_carlo;
mod oracle;

pub use monte_carlo::{
    Measure, MonteCarlo, MonteCarloFit, MonteCarloTable, Performance, Replication,
};
pub use oracle::{Oracle, Simulated, Truth};
