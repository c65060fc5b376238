//! Willingness to participate under uncertainty: models that estimate it, and what identifies them.

pub use crate::decision::{
    Belief, Cost, Education, Forecast, Form, Objective, Preferences, Signals, Situation, Slopes,
    Task, Terms, Tool,
};
