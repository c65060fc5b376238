//! Everything a program or notebook needs: `use cocreate::prelude::*;`.
//!
//! It brings the types that one writes down and the traits whose verbs one calls ([`Inference`]). What only some programs
//! need stays in its room: optimisers, quadrature and draws in [`crate::numeric`], the statistics of blocks in [`crate::summary`].
//! [`Result`] is that of this crate, with [`Error`] as its default; write `std::result::Result` for the other.

pub use crate::ability::{
    AbilityScores, CronbachAlpha, Extrapolation, GroupAbility, Item, ItemFit, ItemModel,
    ItemResponse, ItemResponseFit, JointAbility, JointScore, LikelihoodRatioDif, LogisticDif,
    MantelHaenszelDif, McSimex, Measured, MeasurementError, OutcomeModel, PersonFit,
    PlausibleRegression, PlausibleValues, PooledFit, RegressionCalibration, Responses,
    ScoreComparison, ScoreComparisonFit, ScoreFit, Scoring, Simex, SimexFit, TestInformation,
};
pub use crate::causal::{
    ArmScores, ArmWeights, AverageEffects, BaconComparison, BaconControl, BaconDecomposition,
    BalanceTable, BandwidthRule, BasePeriod, BinRule, CallawaySantAnna, CallawaySantAnnaFit,
    CoefficientStability, ConformalIntervals, ConformalPermutations, ConfoundedEffect,
    ConfounderBenchmark, ConfounderGain, ConfoundingEValue, ControlGroup, CorrectedForErrors,
    CovariateBalance, DensityBandwidthRule, DensityCurve, DidMethod, DiscontinuityBandwidths,
    DiscontinuityBin, DiscontinuityCheck, DiscontinuityChecks, DiscontinuityCurve,
    DiscontinuityDensity, DiscontinuityDensityFit, DiscontinuityJumps, DiscontinuityPlot,
    DiscontinuityPlotFit, DoseEffects, DoseEffectsFit, DoseResponse, DoseResponseFit, DoublyRobust,
    DoublyRobustFit, DynamicPanelGmm, DynamicPanelGmmFit, EmpiricalNull, Estimand, EventStudy,
    GroupTime, HonestDiscontinuity, HorowitzManski, IdentifiedSet, Imputation, ImputationFit,
    InstrumentedFit, InterruptedTimeSeries, InterruptedTimeSeriesFit, JointImbalance, LeeBounds,
    LeeBoundsFit, LeeCell, LinearInMeans, LinearInMeansFit, LocalAverageEffect, LocalKernel,
    LocalProjections, LocalRandomization, LocalRandomizationFit, ManskiBounds, MarginalBounds,
    MarginalSensitivity, MarginalSensitivityFit, MassPoints, MatchDistance, MatchOrder, Matching,
    MatchingFit, McCraryFit, McCraryTest, Mediation, MediationFit, MediationModel, MediationPoint,
    MediationSensitivity, Misclassification, Monotone, MultiArmWeighting, MultiArmWeightingFit,
    MultipleCutoffsFit, OffPolicy, OffPolicyFit, OffPolicyStream, OmittedConfounder,
    OmittedVariable, PartiallyLinear, PartiallyLinearFit, PartiallyLinearIv, Placebo, PlaceboFit,
    PreTrendPower, PreTrendTime, PredictionPowered, PredictionPoweredFit,
    PredictionPoweredQuantile, PredictionPoweredQuantileFit, PredictorImportance, QuantileEffects,
    QuantileEffectsFit, RandomizationWindow, RatioScale, RegressionDiscontinuity,
    RegressionDiscontinuityFit, RelativeInterval, RelativeMagnitudes, ResidualVariance,
    RolloutEffects, RosenbaumBounds, RosenbaumBoundsFit, RosenbaumPoint, SetMatching, SetsFit,
    SlatePolicy, SlatePolicyFit, SmoothInterval, SpacePlacebo, StableBeta, StackMember, Stacked,
    Stratification, SunAbraham, SunAbrahamFit, Switching, SwitchingFit, SyntheticControl,
    SyntheticControlFit, SyntheticDid, SyntheticDidCohort, SyntheticDidFit, SyntheticUnit,
    TargetPopulation, ThresholdTuning, TreatmentWeighting, TreatmentWeightingFit, TrendSensitivity,
    TrialScores, Trimming, TwoWayFixedEffects, TwoWayFixedEffectsFit, TwoWayWeights,
};
pub use crate::choice::{
    DiscountPoint, DiscountSensitivity, DynamicChoice, DynamicChoiceFit, DynamicMethod, Payoffs,
    Transitions,
};
pub use crate::customer::survival::{
    AalenJohansen, AalenJohansenFit, Aft, AftFamily, AftFit, AftPrediction, Baseline, Concordance,
    Cox, CoxFit, CurveInterval, CurvePoint, DiscreteHazard, DiscreteHazardFit, Frailty, HazardLink,
    Incidence, IncidencePoint, KaplanMeier, KaplanMeierFit, LogRank, LogRankFit, LogRankGroup,
    PredictedPoint, PredictedSurvival, ProportionalHazardsTest, RankWeights, RestrictedMean,
    SchoenfeldResidual, Survival, SurvivalCurve, SurvivalStatistics, Ties, TimeEstimate,
    TimeTransform,
};
pub use crate::customer::{
    BetaBinomialNeeds, ChaoForm, CurveOfNeeds, ExpectationSurface, ExpectationSurfaceFit,
    NeedsDiscovery, NeedsPoint, NeedsTotal, SurfaceFeature, VoicedNeeds,
};
pub use crate::data::{
    Column, CsvBatches, CsvOptions, Description, Design, DesignColumn, Formula, FormulaBuilder,
    Frame, Groups, Label, Real, Rows, Time, datasets,
};
pub use crate::error::{Error, Result, Warning};
pub use crate::experiment::adaptive::{
    AdaptiveInference, AdaptiveInferenceFit, AdaptivePolicyValue, AdaptivePolicyValueFit,
    AdaptiveWeights,
};
pub use crate::experiment::always_valid::{
    BettingSequence, BlockCounts, CoefficientStatistics, ConfidenceLook, EffectSequence,
    JointEffectLook, JointEffectSequence, JointLook, JointRegressionSequence, MeanSequence,
    MixtureBoundary, ProportionSequence, QuantileDifferenceSequence, QuantileSequence,
    RegressionSequence, StitchedBoundary, TwoProportionSequence,
};
pub use crate::experiment::bandit::{
    Bandit, BanditChoice, BanditEnvironment, BanditPlayer, BanditPolicy, BanditReplay,
    BanditReplayFit, BanditSimulation, BanditSimulationFit, BestArm, BestArmPolicy,
    ContextualBandit, ContextualPolicy, RegretPoint,
};
pub use crate::experiment::compare::{
    Anova, BrunnerMunzel, Center, Comparison, ComparisonArm, ComparisonEffect, ComparisonTest,
    DifferenceInterval, GamesHowell, KolmogorovSmirnov, KruskalWallis, Levene, MannWhitney,
    McNemar, NullDistribution, OddsRatioInterval, OneProportion, OneProportionTest, PairedMeans,
    ProportionInterval, ProportionTest, RankMethod, RateInterval, RateTest, RatioInterval,
    Reference, Spread, TukeyHsd, TwoMeans, TwoProportions, TwoRates, WilcoxonSignedRank,
};
pub use crate::experiment::design::{
    Assigned, Balance, BalanceTier, DesignFit, Factorial, FractionalFactorial, GeoAssigned,
    GeoExperiment, HashSplit, LatinSquare, MatchedPairs, Randomization, Switchback, SwitchbackRule,
    SwitchbackSchedule, TimeBasedRegression,
};
pub use crate::experiment::group_sequential::{
    EfficacyBoundary, GroupSequential, GroupSequentialDesign, GroupSequentialMonitor,
    GroupSequentialPlan, MonitoredLook, PlannedLook, PlannedSize, SequentialAnalysis,
    SequentialDecision, SpendingFunction, StoppingProbabilities,
};
pub use crate::experiment::power::{
    AnovaPower, ArmSize, Assumption, ClusterPower, ContrastPower, CountPower, DunnettPower,
    DunnettSuccess, EncouragementPower, FactorialPower, GeoPower, HoldoutPower, LiftPower,
    MeanPower, MeanTest, NetworkPower, PairedPower, PlannedStratum, Planner, PowerCurve, PowerLine,
    PowerPlan, PowerSimulation, PreferencePower, ProportionPower, ProportionPowerTest, RatioPower,
    RerandomizedPower, StratifiedPower, SurrogatePower, SurvivalPower, SwitchbackPower,
    TriggeredPower,
};
pub use crate::experiment::trust::{
    AaCalibration, AaCalibrationFit, AaTest, ArmBalance, ArmInfluence, ArmPair, ArmShare, ArmTrend,
    AssignmentCheck, AssignmentCheckFit, BalanceCheck, BalanceCheckFit, BalanceRow, Contributor,
    Dropped, NoveltyCheck, NoveltyFit, OutlierInfluence, OutlierInfluenceFit, Pattern,
    PeriodEffect, PlausibleEffect, RejectionRate, Remedy, SampleRatio, SampleRatioFit,
    SegmentRatio, SequentialLook, SequentialSampleRatio, TrustCheck, TrustReport, TrustReportFit,
    TrustVerdict, Twyman, TwymanFit,
};
pub use crate::experiment::{
    ArmCount, ArmValue, AverageEffectBounds, BayesianArm, BayesianComparison, BayesianDecision,
    BayesianFit, BayesianModel, BayesianTest, Comparisons, ConditionMean, Covariate,
    CovariateSlope, Credit, CumulativeLift, DatedEffect, Effect, EffectFamily, EffectPrior,
    Encouragement, EncouragementFit, Experiment, ExperimentBaseline, ExperimentFit, ExperimentPlan,
    ExperimentSimulation, ExperimentStatistics, ExperimentStream, ExposureContrast,
    ExposureMapping, HierarchicalEffects, HierarchicalFit, Holdout, HoldoutFit, InterleavedList,
    Interleaving, InterleavingPower, InterleavingSensitivity, InterleavingTest,
    InterleavingTestFit, Lift, LiftMethod, LiftOverTime, Margin, Metric, MetricBaseline,
    MetricKind, NetworkExperiment, NetworkFit, NonCompliance, NormalComponent, NormalPrior,
    PastExperiment, PlannedMetric, PooledEffect, Portfolio, PortfolioFit, ProgrammeOption,
    ProgrammePlan, Role, Shipping, ShippingRule, ShrunkEffect, SimulatedMetric,
    SufficientStatistics, SurrogateBalance, SurrogateFit, SurrogateIndex, TestingProgramme,
    Triggered, TriggeredArm, TriggeredFit, Verdict,
};
pub use crate::inference::{
    Adjustment, Alternative, Assignment, BetweenStudies, Bootstrap, BootstrapFit, Calibrator,
    ClusterDf, ConfidenceSet, Contrast, Covariance, Distribution, Dunnett, DunnettFit, EProcess,
    EValue, Estimate, FixedEffectCount, FunnelAsymmetry, FurtherStudy, Inference, Influence,
    Interval, Jackknife, JackknifeFit, KrinskyRobb, ManyToOne, MaxT, MeanError, MetaAnalysis,
    MetaAnalysisFit, MetaRegression, MetaRegressionFit, Method, ModelTable, MultipleTests,
    MultiplierBootstrap, OnlineDecision, OnlineFdr, OutcomeTest, RandomizationFit,
    RandomizationTest, Resample, ResidualDf, RunningTest, ScoreBootstrap, Segment,
    SelectedEstimate, Simultaneous, SmallSample, StudyInfluence, Summarized, TestResult,
    TestingGraph, WildTestResult, WildWeights, adjust_p_values, fieller, romano_wolf, surprisal,
    westfall_young,
};
pub use crate::numeric::{Progress, Seed};
pub use crate::participation::{
    Adoption, AfterPurchase, Agreement, ArmAllocation, AssumedTruth, Bdm, BeforePurchase, Belief,
    BeliefQuantiles, BeliefQuantilesFit, BuyThenParticipate, BuyThenParticipateFit,
    BuyThenParticipatePrediction, Channel, ChoiceError, ConditionalRate, ContingentValuation,
    ContingentValuationFit, Corner, Cost, Counterfactual, CrossEffects, CrossEffectsFit,
    DataBargain, Decomposition, Education, EffectBounds, ElicitedBeliefs, Evidence,
    FactorialDesign, Funnel, FunnelEffects, FunnelEffectsFit, FunnelFit, FunnelPrediction,
    GainFromTrade, HoldUp, Identification, JointWillingness, JointWillingnessFit, LatentError,
    LearningPanelFit, LearningPanelModel, Lever, Lottery, LotteryChoice, LotteryChoiceFit, Market,
    MarketCustomer, MutualAcceptance, MutualAcceptanceFit, MutualAcceptancePrediction,
    NashBargaining, NashBargainingFit, OfferChoice, OfferChoiceFit, Optima, OptimalLevel, Outcome,
    OutsideOption, PanelPeriod, Parameter, ParticipationPlot, Policy, PolicyTargeting,
    PowerAnalysis, Preferences, ProfilePoint, RatioIntervals, RhoProfile, RiskTheory, Search,
    Signals, SimulatedEstimate, SimulationError, Situation, StageEffect, StatedFit,
    SymmetricEffect, TasteShock, Terms, Timing, Tool, TrialStopping, TrialStoppingFit, Uncertainty,
    UtilityForm, Weighting, Willingness, WillingnessFit, WillingnessRatio, WillingnessScale,
    WtpIntervals, WtpMeasure,
};
pub use crate::regression::learners::{
    BoostedTrees, Custom, CustomFit, CustomLearner, ElasticNet, Features, FittedLearner, Forest,
    Learner, LearnerFit, LearnerModel, Linear, PenaltyPath, Quadratic, Stack, Strength, Task,
    TrainingSet,
};
pub use crate::regression::{
    BivariateProbit, BivariateProbitFit, BivariateProbitPrediction, Cloglog, ConditionalLogit,
    EndogenousProbit, EndogenousProbitFit, FirstStage, FitStatistics, Heckman, HeckmanFit,
    HeckmanPrediction, Hurdle, Iv, IvFit, KClass, LikelihoodFit, LikelihoodStatistics, Logit,
    MarginalEffects, Margins, NegativeBinomial, Ols, OlsFit, OrderedLogit, OrderedProbit,
    ParallelLinesTest, Poisson, Predictions, Probit, Quantile, QuantileCovariance, QuantileFit,
    QuantileProcess, QuantileStatistics, Quantity, ResidualBootstrap, SampleSizeChart,
    SampleSizeFit, SampleSizePoint, Tobit, Truncated, VuongTest, WildBootstrap, ZeroInflated,
};
pub use crate::report::{
    Align, BarPlot, BinnedScatter, Cell, CoefficientPlot, DistributionMap, Ecdf, EventStudyPlot,
    Figure, Histogram, LinePlot, NumberFormat, Page, RowKind, SurvivalPlot, Table, TreePlot,
    WaterfallPlot,
};
pub use crate::simulate::{
    Allocation, Auctions, ChosenWork, CloudOnboarding, CoProduction, Cohort, ConfidentChoice,
    CustomerBase, CustomerSurvey, DataAsks, DataExchange, DataOffers, Disconfirmation,
    DynamicPanel, EffectDesign, HeterogeneousEffects, InstrumentedEffects, InvitationTargeting,
    ItemResponses, JointParticipation, LearningPanel, LogNormal, LotteryTasks, MassCustomization,
    Measure, MonteCarlo, MonteCarloFit, MonteCarloTable, NeedInterviews, NetworkGifting, Offer,
    Oracle, Performance, PhotoFunnel, Population, PurchaseTiming, Replication, SemiSynthetic,
    Simulated, StaggeredRollout, StaticParticipation, Targeting, TestPortfolio, Traits, TrialPanel,
};
pub use crate::summary::{GroupSums, Moments, Summary};
pub use crate::uplift::evaluate::{
    CalibrationGroup, Clan, ClanFit, ClanRow, EffectCalibration, EffectCalibrationFit,
    RankingComparison, RankingDifference, RateWeights, TrialCurve, TrialCurveFit, TrialCurveKind,
    TrialPoint, UpliftCurve, UpliftCurveFit, UpliftPoint,
};
pub use crate::uplift::policy::{
    Budget, BudgetAllocation, BudgetComparison, BudgetCurve, BudgetCurveFit, BudgetPoint,
    GroupCoverage, NextBestAction, NextBestFit, PolicyLeaf, PolicyNode, PolicyRegret, PolicyTree,
    PolicyTreeFit, PolicyValue, PolicyValueFit,
};
pub use crate::uplift::{
    ArmEffects, CausalForest, CausalForestFit, CausalSurvivalForest, CausalSurvivalForestFit,
    ContinuousEffects, ContinuousEffectsFit, EffectLearner, EffectLoss, ForestCalibration,
    ForestIntervals, ForestNeighbour, ForestNuisances, ForestPrediction, ForestTarget,
    ForestTuning, ForestWeights, LocalLinearForest, LocalLinearForestFit, MetaKind, MetaLearner,
    MetaLearnerFit, MultiArmForest, MultiArmForestFit, MultiArmPrediction, QuantileForest,
    QuantileForestFit, QuantilePrediction, RecipeLoss, SurvivalForest, SurvivalForestFit,
    SurvivalPrediction, SurvivalTarget, TuningTrial, UpliftCriterion, UpliftForest,
    UpliftForestFit, UpliftNode, UpliftTree, UpliftTreeFit,
};
