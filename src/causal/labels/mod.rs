//! Labels made by a classifier or another model: what they say once a sample of true labels is there to check them.

mod equations;
mod misclassification;
mod prediction_powered;
mod quantile;

pub use misclassification::{CorrectedForErrors, Misclassification};
pub use prediction_powered::{PredictionPowered, PredictionPoweredFit};
pub use quantile::{PredictionPoweredQuantile, PredictionPoweredQuantileFit};
