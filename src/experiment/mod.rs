//! A/B and multi-arm experiments: one object says who was assigned to what and what is measured; it analyses frames, streams
//! and files from one set of mergeable sufficient statistics, and plans the next experiment from them.

mod adjust;
mod analysis;
mod arm;
mod declare;
mod figures;
pub mod funnel;
mod metric;
mod metric_check;
mod planning;
mod prepare;
mod role;
mod stream;

pub use analysis::{ArmCount, ArmValue, Effect, ExperimentFit, Lift, LiftMethod};
pub use arm::ExperimentStatistics;
pub use declare::{Comparisons, Experiment};
pub use figures::{DatedEffect, LiftOverTime};
pub use metric::{Covariate, CovariateSlope, Metric, MetricKind, SufficientStatistics};
pub use planning::{
    ExperimentBaseline, ExperimentPlan, ExperimentSimulation, MetricBaseline, PlannedMetric,
    SimulatedMetric,
};
pub use role::{Margin, Role, Verdict};
pub use stream::ExperimentStream;

pub mod always_valid;
pub mod compare;

pub mod design;
pub mod group_sequential;
pub mod power;

pub mod adaptive;
mod arms;
pub mod bandit;
mod bayesian;
mod encouragement;
mod holdout;
mod interleaving;
mod network;
mod portfolio;
mod sums;
mod surrogate;
mod triggered;
pub mod trust;

pub use adaptive::{
    AdaptiveInference, AdaptiveInferenceFit, AdaptivePolicyValue, AdaptivePolicyValueFit,
    AdaptiveWeights,
};
pub use bandit::{
    Bandit, BanditChoice, BanditEnvironment, BanditPlayer, BanditPolicy, BanditReplay,
    BanditReplayFit, BanditSimulation, BanditSimulationFit, BestArm, BestArmPolicy,
    ContextualBandit, ContextualPolicy, RegretPoint,
};
pub use bayesian::{
    BayesianArm, BayesianComparison, BayesianDecision, BayesianFit, BayesianModel, BayesianTest,
    HierarchicalEffects, HierarchicalFit, NormalPrior, PooledEffect,
};
pub use encouragement::{AverageEffectBounds, Encouragement, EncouragementFit, NonCompliance};
pub use group_sequential::{
    EfficacyBoundary, GroupSequential, GroupSequentialDesign, GroupSequentialMonitor,
    GroupSequentialPlan, MonitoredLook, PlannedLook, PlannedSize, SequentialAnalysis,
    SequentialDecision, SpendingFunction, StoppingProbabilities,
};
pub use holdout::{Holdout, HoldoutFit, PastExperiment};
pub use interleaving::{
    Credit, InterleavedList, Interleaving, InterleavingPower, InterleavingSensitivity,
    InterleavingTest, InterleavingTestFit,
};
pub use network::{
    ConditionMean, ExposureContrast, ExposureMapping, NetworkExperiment, NetworkFit,
};
pub use portfolio::{
    CumulativeLift, EffectFamily, EffectPrior, NormalComponent, Portfolio, PortfolioFit,
    ProgrammeOption, ProgrammePlan, Shipping, ShippingRule, ShrunkEffect, TestingProgramme,
};
pub use surrogate::{SurrogateBalance, SurrogateFit, SurrogateIndex};
pub use triggered::{Triggered, TriggeredArm, TriggeredFit};
