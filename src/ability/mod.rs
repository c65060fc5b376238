//! Measuring customers: item response models, and scores with their uncertainty.

pub mod measurement_error;

pub use measurement_error::{
    Extrapolation, JointScore, Measured, MeasurementError, OutcomeModel, PlausibleRegression,
    PooledFit, RegressionCalibration, ScoreComparison, ScoreComparisonFit, ScoreFit, Simex,
    SimexFit,
};
