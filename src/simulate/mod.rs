//! Customers, experiments and markets with a known truth, and the Monte Carlo runner.
