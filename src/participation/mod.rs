//! Willingness to participate under uncertainty: models that estimate it, and what identifies them.

pub use crate::decision::{
    AfterPurchase, BeforePurchase, Belief, Cost, Education, EffortChoice, Forecast, Form, HoldUp,
    LocalOptimum, Objective, ParticipationPlot, Preferences, PriceOutcome, Signals, Situation,
    Slopes, Task, TasteShock, Terms, Timing, Tool, path_figure, updating_figure,
};
