//! Willingness to participate under uncertainty: models that estimate it, and what identifies them.

mod design;
pub mod identification;

pub use design::{
    Allocation, Arm, AssumedTruth, Channel, ChannelPower, FactorialDesign, Power, PowerAnalysis,
    SimulatedPower,
};
pub use identification::{
    Collinearity, Elicitation, Evidence, Finding, Funnel, Identification, Parameter, Roles,
    ScaleChoice, Shifter, SignalVariance, SuccessLoading, SuccessSeen, ToolVariation, Verdict,
    check_channels, collinear_channels,
};

pub use crate::decision::{
    AfterPurchase, BeforePurchase, Belief, Cost, Education, EffortChoice, Forecast, Form, HoldUp,
    LocalOptimum, Objective, ParticipationPlot, Preferences, PriceOutcome, Signals, Situation,
    Slopes, Task, TasteShock, Terms, Timing, Tool, path_figure, updating_figure,
};
