//! Measuring customers: item response models, and scores with their uncertainty.

mod adaptive;
mod answers;
mod assemble;
mod complete;
pub mod dif;
mod features;
mod fit;
mod grid;
mod information;
mod item;
mod item_fit;
mod louis;
mod marginal;
pub mod measurement_error;
mod model;
mod people;
mod person_fit;
mod person_scores;
mod plausible_values;
mod population;
mod posterior;
mod reliability;
mod responses;
mod scores;
mod search;
mod structure;
mod tables;
mod working;

pub use dif::{
    LikelihoodRatioDif, LikelihoodRatioDifFit, LikelihoodRatioDifRow, LogisticDif, LogisticDifFit,
    LogisticDifRow, MantelHaenszelDif, MantelHaenszelDifFit, MantelHaenszelDifRow,
};
pub use fit::ItemResponseFit;
pub use information::TestInformation;
pub use item::{CategoryCurve, Item, ItemModel};
pub use item_fit::{ItemFit, ItemFitRow};
pub use measurement_error::{
    Extrapolation, JointAbility, JointScore, McSimex, Measured, MeasurementError, OutcomeModel,
    PlausibleRegression, PooledFit, RegressionCalibration, ScoreComparison, ScoreComparisonFit,
    ScoreFit, Simex, SimexFit,
};
pub use model::ItemResponse;
pub use person_fit::{PersonFit, PersonFitRow};
pub use plausible_values::PlausibleValues;
pub use population::{AbilityDistribution, GroupAbility};
pub use reliability::{AlphaItem, CronbachAlpha};
pub use responses::Responses;
pub use scores::{AbilityScore, AbilityScores, Scoring, score_answers};
