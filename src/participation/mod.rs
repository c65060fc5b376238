//! Willingness to participate under uncertainty, and what identifies it.

mod adoption;
mod bdm;
mod belief_quantiles;
mod buy_then_participate;
mod contingent_valuation;
mod counterfactual;
mod elicited_beliefs;
mod exchange;
mod funnel;
mod interval;
mod joint;
mod learning;
mod lotteries;
mod mutual_acceptance;
mod optima;
mod probability;
mod stated;
mod trial_stopping;
mod willingness;

mod design;
pub mod identification;

pub use design::{
    Arm, ArmAllocation, AssumedTruth, Channel, ChannelPower, FactorialDesign, Power, PowerAnalysis,
    SimulatedPower,
};
pub use identification::{
    Collinearity, Elicitation, Evidence, Finding, FunnelEvidence, Identification, Parameter, Roles,
    ScaleChoice, Shifter, SignalVariance, SuccessLoading, SuccessSeen, ToolVariation, Verdict,
    check_channels, collinear_channels,
};

pub use crate::decision::{
    AfterPurchase, Agreement, BeforePurchase, Belief, Corner, Cost, DataBargain, Education,
    EffortChoice, Forecast, Form, HoldUp, LocalOptimum, Objective, ParticipationPlot, Preferences,
    PriceOutcome, Signals, Situation, Slopes, Task, TasteShock, Terms, Timing, Tool, path_figure,
    updating_figure,
};
pub use crate::inference::RatioIntervals;
pub use adoption::Adoption;
pub use bdm::Bdm;
pub use belief_quantiles::{BeliefQuantiles, BeliefQuantilesFit};
pub use buy_then_participate::{
    BuyThenParticipate, BuyThenParticipateFit, BuyThenParticipatePrediction, ProfilePoint,
    RhoProfile,
};
pub use contingent_valuation::{
    ContingentValuation, ContingentValuationFit, WtpIntervals, WtpMeasure,
};
pub use counterfactual::{
    Counterfactual, Decomposition, Lever, Market, MarketCustomer, OptimalLevel, Outcome, Policy,
    PolicyTargeting, Uncertainty,
};
pub use elicited_beliefs::ElicitedBeliefs;
pub use exchange::{
    CrossEffects, CrossEffectsFit, GainFromTrade, NashBargaining, NashBargainingFit, OfferChoice,
    OfferChoiceFit, OutsideOption, SymmetricEffect,
};
pub use funnel::{
    ConditionalRate, EffectBounds, Funnel, FunnelEffects, FunnelEffectsFit, FunnelFit,
    FunnelPrediction, StageEffect,
};
pub use interval::LatentError;
pub use joint::{JointWillingness, JointWillingnessFit};
pub use learning::{
    LearningPanelFit, LearningPanelModel, PanelPeriod, SimulatedEstimate, SimulationError,
};
pub use lotteries::{
    ChoiceError, Lottery, LotteryChoice, LotteryChoiceFit, RiskTheory, UtilityForm, Weighting,
};
pub use mutual_acceptance::{MutualAcceptance, MutualAcceptanceFit, MutualAcceptancePrediction};
pub use optima::{Optima, Search};
pub use stated::StatedFit;
pub use trial_stopping::{TrialStopping, TrialStoppingFit};
pub use willingness::{Willingness, WillingnessFit, WillingnessRatio, WillingnessScale};
