#![cfg_attr(test, allow(clippy::float_cmp))]
//! Scratch.
pub use base::*;
/// x
pub mod inference {
    pub use base::inference::*;
    #[path = "/tmp/wt-ss/src/inference/fields.rs"]
    pub(crate) mod fields;
}
/// x
pub mod causal {
    pub use base::causal::*;
    #[path = "/tmp/wt-ss/src/causal/bounds/mod.rs"]
    pub(crate) mod bounds;
    pub use bounds::{
        HorowitzManski, IdentifiedSet, LeeBounds, LeeBoundsFit, LeeCell, ManskiBounds, Monotone,
    };
    #[path = "/tmp/wt-ss/src/causal/labels/mod.rs"]
    mod labels;
    pub use labels::{
        CorrectedForErrors, Misclassification, PredictionPowered, PredictionPoweredFit,
    };
    #[path = "/tmp/wt-ss/src/causal/mediation/mod.rs"]
    mod mediation;
    pub use mediation::{
        Mediation, MediationFit, MediationModel, MediationPoint, MediationSensitivity,
    };
    #[path = "/tmp/wt-ss/src/causal/peers/mod.rs"]
    mod peers;
    pub use peers::{LinearInMeans, LinearInMeansFit};
    #[path = "/tmp/wt-ss/src/causal/sensitivity/mod.rs"]
    mod sensitivity;
    pub use sensitivity::{
        CoefficientStability, ConfoundedEffect, ConfounderBenchmark, ConfounderGain,
        ConfoundingEValue, EmpiricalNull, MarginalBounds, MarginalSensitivity,
        MarginalSensitivityFit, OmittedConfounder, OmittedVariable, Placebo, PlaceboFit,
        RatioScale, StableBeta,
    };
}
/// x
pub mod ability {
    pub use base::ability::*;
    #[path = "/tmp/wt-ss/src/ability/measurement_error/mod.rs"]
    pub mod measurement_error;
    pub use measurement_error::{
        Extrapolation, JointAbility, JointScore, McSimex, Measured, MeasurementError, OutcomeModel,
        PlausibleRegression, PooledFit, RegressionCalibration, ScoreComparison, ScoreComparisonFit,
        ScoreFit, Simex, SimexFit,
    };
}
/// x
pub mod prelude {
    pub use crate::ability::{
        Extrapolation, JointAbility, JointScore, McSimex, Measured, MeasurementError, OutcomeModel,
        PlausibleRegression, PooledFit, RegressionCalibration, ScoreComparison, ScoreComparisonFit,
        ScoreFit, Simex, SimexFit,
    };
    pub use crate::causal::{
        CoefficientStability, ConfoundedEffect, ConfounderBenchmark, ConfounderGain,
        ConfoundingEValue, CorrectedForErrors, EmpiricalNull, HorowitzManski, IdentifiedSet,
        LeeBounds, LeeBoundsFit, LeeCell, LinearInMeans, LinearInMeansFit, ManskiBounds,
        MarginalBounds, MarginalSensitivity, MarginalSensitivityFit, Mediation, MediationFit,
        MediationModel, MediationPoint, MediationSensitivity, Misclassification, Monotone,
        OmittedConfounder, OmittedVariable, Placebo, PlaceboFit, PredictionPowered,
        PredictionPoweredFit, RatioScale, StableBeta,
    };
    pub use base::prelude::*;
}
