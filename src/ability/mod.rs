//! Measuring customers: item response models, and scores with their uncertainty.

mod fit;
mod item;
pub mod measurement_error;
mod population;
mod responses;
mod working;

pub use fit::ItemResponseFit;
pub use item::{CategoryCurve, Item, ItemModel};
pub use measurement_error::{
    Extrapolation, JointScore, Measured, MeasurementError, OutcomeModel, PlausibleRegression,
    PooledFit, RegressionCalibration, ScoreComparison, ScoreComparisonFit, ScoreFit, Simex,
    SimexFit,
};
pub use population::{GroupAbility, Population};
pub use responses::Responses;
