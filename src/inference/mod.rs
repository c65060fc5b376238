//! From numbers to statements: the [`Inference`] verbs, covariance estimators, tests, the delta method and its rivals.

pub mod bootstrap;
pub mod covariance;
pub(crate) mod fields;
mod fieller;
pub(crate) mod fitted;
mod hypothesis;
pub(crate) mod krinsky_robb;
mod meta_analysis;
mod model_table;
pub mod multiplicity;
pub mod randomization;
pub(crate) mod ratio;
mod records;
mod selected;
pub(crate) mod studies;
mod verbs;

pub use bootstrap::{
    Bootstrap, BootstrapFit, Influence, Jackknife, JackknifeFit, Method, MultiplierBootstrap,
    Resample, ScoreBootstrap, WildTestResult, WildWeights,
};
pub use covariance::{ClusterDf, Covariance, FixedEffectCount, ResidualDf, SmallSample};
pub use fieller::fieller;
pub(crate) use fieller::quadratic_set;
pub(crate) use hypothesis::parse as parse_hypothesis;
pub use krinsky_robb::KrinskyRobb;
pub use meta_analysis::{
    BetweenStudies, FunnelAsymmetry, FurtherStudy, MeanError, MetaAnalysis, MetaAnalysisFit,
    MetaRegression, MetaRegressionFit, StudyInfluence,
};
pub use model_table::{ModelTable, Summarized};
pub use multiplicity::{
    Adjustment, Alternative, Calibrator, Dunnett, DunnettFit, EProcess, EValue, ManyToOne, MaxT,
    MultipleTests, OnlineDecision, OnlineFdr, RunningTest, Simultaneous, TestingGraph,
    adjust_p_values, romano_wolf, surprisal, westfall_young,
};
pub(crate) use randomization::mid_ranks;
pub use randomization::{Assignment, Contrast, OutcomeTest, RandomizationFit, RandomizationTest};
pub use ratio::RatioIntervals;
pub(crate) use records::check_level;
pub use records::{ConfidenceSet, Distribution, Estimate, Interval, Segment, TestResult};
pub use selected::SelectedEstimate;
pub use verbs::Inference;
pub(crate) use verbs::{coefficient_table, wald_statistic};
