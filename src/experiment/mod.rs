//! Experiments: whether one can be trusted, and designs in which treatment, exposure and outcome are not one thing.

mod arms;
mod encouragement;
mod holdout;
mod interleaving;
mod network;
mod show;
mod sums;
mod surrogate;
mod triggered;
pub mod trust;

pub use encouragement::{AverageEffectBounds, Encouragement, EncouragementFit, NonCompliance};
pub use holdout::{Holdout, HoldoutFit, PastExperiment};
pub use interleaving::{
    Credit, InterleavedList, Interleaving, InterleavingPower, InterleavingSensitivity,
    InterleavingTest, InterleavingTestFit,
};
pub use network::{
    ConditionMean, ExposureContrast, ExposureMapping, NetworkExperiment, NetworkFit,
};
pub use surrogate::{SurrogateBalance, SurrogateFit, SurrogateIndex};
pub use triggered::{Triggered, TriggeredArm, TriggeredFit};
