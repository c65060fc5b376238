//! Uplift: who responds to a treatment, how sure we are, and whom to treat.

pub mod forest;

pub use forest::{
    CausalForest, CausalForestFit, ForestCalibration, ForestIntervals, ForestNuisances,
    ForestPrediction, ForestTarget,
};
