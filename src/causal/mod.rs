//! Effects of treatments from trials and from observational data.
//!
//! [`DoublyRobust`] learns nuisances by cross-fitting over any [`Learner`](crate::regression::learners::Learner) and turns them into
//! [`ArmScores`]: one score a row and arm whose mean is the mean outcome under that arm; [`TrialScores`] makes them from a randomised trial without
//! models. Average effects (for all, for the treated, in the overlap, by group, along features) are [`AverageEffects`]; curves, policies and learners of
//! effects start from the same scores. [`PartiallyLinear`] has the effect per unit of a treatment that is a number, [`DoseEffects`] that effect as a function of
//! features, [`DoseResponse`] the whole curve. [`OffPolicy`] and [`SlatePolicy`] value a policy from logged decisions. [`TreatmentWeighting`] makes the arms of
//! observational data alike by weights: inverse propensities, covariate balancing, entropy balancing. [`SyntheticControl`] compares few treated units of a panel with
//! weighted means of others, [`SyntheticDid`] with weighted donors and periods, [`InterruptedTimeSeries`] one series with its own past. [`DynamicPanelGmm`]
//! is for outcomes that depend on their own past.
//!
//! | the treatment was | estimators |
//! |---|---|
//! | as good as random given what is measured | [`DoublyRobust`], [`TreatmentWeighting`] and [`MultiArmWeighting`], [`Matching`] and [`SetMatching`] with [`RosenbaumBounds`], [`Stratification`]; on quantiles [`QuantileEffects`] |
//! | a number, such as a price or a dose | [`PartiallyLinear`], [`DoseEffects`], [`DoseResponse`] |
//! | chosen by people, and something random moves their choice | [`PartiallyLinearIv`], [`LocalAverageEffect`] |
//! | rolled out over time | [`CallawaySantAnna`], [`SunAbraham`], [`Imputation`], [`TwoWayFixedEffects`] with what it weighs; on and off: [`Switching`] |
//! | given to few units, or to one | [`SyntheticControl`], [`SyntheticDid`], [`InterruptedTimeSeries`] |
//! | given by a rule with a cutoff | [`RegressionDiscontinuity`], [`LocalRandomization`]; was the rule kept: [`DiscontinuityDensity`], [`McCraryTest`] |
//! | a policy in a log of decisions | [`OffPolicy`], [`SlatePolicy`] |
//!
//! What could still be wrong: [`OmittedVariable`], [`OmittedConfounder`], [`MarginalSensitivity`], [`CoefficientStability`], [`ConfoundingEValue`] say how strong something that was left out would have to be;
//! [`ManskiBounds`], [`HorowitzManski`] and [`LeeBounds`] assume less; [`Placebo`] looks where there is nothing to find. [`Mediation`] says what of an effect goes through a mediator, [`PredictionPowered`]
//! corrects labels that a model made by a few true ones ([`PredictionPoweredQuantile`] for quantiles), [`Misclassification`] by rates of error. [`LinearInMeans`] has effects of peers.

pub(crate) mod arm_scores;
pub(crate) mod arms;
mod autoregressive_errors;
mod average;
pub(crate) mod bounds;
pub(crate) mod builders;
mod conditional_density;
pub(crate) mod cross_fit;
mod derived_scores;
mod did;
mod discontinuity;
mod dose_effects;
mod dose_response;
mod dose_response_fit;
pub(crate) mod doubly_robust;
pub(crate) mod doubly_robust_fit;
mod dynamic_panel;
pub(crate) mod folds;
mod instrumented;
mod interrupted_time_series;
mod interrupted_time_series_fit;
mod labels;
mod matching;
mod mediation;
pub(crate) mod nuisance;
pub(crate) mod off_policy;
pub(crate) mod panel;
pub(crate) mod partially_linear;
mod peers;
mod prais_winsten;
mod propensity_checks;
mod quantile_effects;
pub(crate) mod sample;
mod sensitivity;
mod synthetic_control;
mod targeted;
mod trial_scores;
pub(crate) mod units;
mod weighting;

pub use arm_scores::ArmScores;
pub use average::AverageEffects;
pub use bounds::{
    HorowitzManski, IdentifiedSet, LeeBounds, LeeBoundsFit, LeeCell, ManskiBounds, Monotone,
};
pub use did::{
    BaconComparison, BaconControl, BaconDecomposition, BasePeriod, CallawaySantAnna,
    CallawaySantAnnaFit, ControlGroup, DidMethod, EventStudy, GroupTime, Imputation, ImputationFit,
    LocalProjections, PreTrendPower, PreTrendTime, RelativeInterval, RelativeMagnitudes,
    RolloutEffects, SmoothInterval, Stacked, SunAbraham, SunAbrahamFit, Switching, SwitchingFit,
    TrendSensitivity, TwoWayFixedEffects, TwoWayFixedEffectsFit, TwoWayWeights,
};
pub use discontinuity::{
    BandwidthRule, BinRule, DensityBandwidthRule, DensityCurve, DiscontinuityBandwidths,
    DiscontinuityBin, DiscontinuityCheck, DiscontinuityChecks, DiscontinuityCurve,
    DiscontinuityDensity, DiscontinuityDensityFit, DiscontinuityJumps, DiscontinuityPlot,
    DiscontinuityPlotFit, HonestDiscontinuity, LocalKernel, LocalRandomization,
    LocalRandomizationFit, MassPoints, McCraryFit, McCraryTest, MultipleCutoffsFit,
    RandomizationWindow, RegressionDiscontinuity, RegressionDiscontinuityFit, ResidualVariance,
};
pub use dose_effects::{DoseEffects, DoseEffectsFit};
pub use dose_response::DoseResponse;
pub use dose_response_fit::DoseResponseFit;
pub use doubly_robust::DoublyRobust;
pub use doubly_robust_fit::DoublyRobustFit;
pub use dynamic_panel::{DifferenceInHansen, DynamicPanelGmm, DynamicPanelGmmFit};
pub use instrumented::{InstrumentedFit, LocalAverageEffect, PartiallyLinearIv};
pub use interrupted_time_series::InterruptedTimeSeries;
pub use interrupted_time_series_fit::{InterruptedPeriod, InterruptedTimeSeriesFit};
pub use labels::{
    CorrectedForErrors, Misclassification, PredictionPowered, PredictionPoweredFit,
    PredictionPoweredQuantile, PredictionPoweredQuantileFit,
};
pub use matching::{
    JointImbalance, MatchDistance, MatchOrder, Matching, MatchingFit, RosenbaumBounds,
    RosenbaumBoundsFit, RosenbaumPoint, SetMatching, SetsFit, Stratification,
};
pub use mediation::{
    Mediation, MediationFit, MediationModel, MediationPoint, MediationSensitivity,
};
pub use nuisance::StackMember;
pub use off_policy::{
    OffPolicy, OffPolicyFit, OffPolicyStream, SlatePolicy, SlatePolicyFit, Threshold,
    ThresholdTuning, WeightBin,
};
pub use partially_linear::{PartiallyLinear, PartiallyLinearFit};
pub use peers::{LinearInMeans, LinearInMeansFit};
pub use propensity_checks::{PropensityBin, PropensityCalibration};
pub use quantile_effects::{QuantileEffects, QuantileEffectsFit};
pub use sensitivity::{
    CoefficientStability, ConfoundedEffect, ConfounderBenchmark, ConfounderGain, ConfoundingEValue,
    EmpiricalNull, MarginalBounds, MarginalSensitivity, MarginalSensitivityFit, OmittedConfounder,
    OmittedVariable, Placebo, PlaceboFit, RatioScale, StableBeta,
};
pub use synthetic_control::{
    ConformalIntervals, ConformalPermutations, DonorWeight, JointPlacebo, LeftOutDonor,
    PeriodEffect, PeriodWeight, PlaceboUnit, PredictorBalance, PredictorImportance, SpacePlacebo,
    SyntheticControl, SyntheticControlFit, SyntheticDid, SyntheticDidCohort, SyntheticDidFit,
    SyntheticUnit,
};
pub use trial_scores::TrialScores;
pub use weighting::{
    ArmWeights, BalanceTable, CovariateBalance, Estimand, MultiArmWeighting, MultiArmWeightingFit,
    TargetPopulation, TreatmentWeighting, TreatmentWeightingFit, Trimming,
};
