//! Survival analysis: curves, tests and models of the time until an event.

mod aalen_johansen;
mod aft;
mod cox;
mod curve;
mod hazard;
mod incidence;
mod kaplan_meier;
mod likelihood;
mod log_rank;
mod newton;
mod outcome;
mod regressors;
mod risk;

pub use aalen_johansen::{AalenJohansen, AalenJohansenFit};
pub use aft::{Aft, AftFamily, AftFit, AftPrediction};
pub use cox::{
    Concordance, Cox, CoxFit, PredictedPoint, PredictedSurvival, ProportionalHazardsTest,
    SchoenfeldResidual, Ties, TimeTransform,
};
pub use curve::{CurveInterval, CurvePoint, RestrictedMean, SurvivalCurve, TimeEstimate};
pub use hazard::{Baseline, DiscreteHazard, DiscreteHazardFit, Frailty, HazardLink};
pub use incidence::{Incidence, IncidencePoint};
pub use kaplan_meier::{KaplanMeier, KaplanMeierFit};
pub use likelihood::SurvivalStatistics;
pub use log_rank::{LogRank, LogRankFit, LogRankGroup, RankWeights};
pub use outcome::Survival;

use crate::report::Cell;

/// A sum of weights: whole, as of customers counted, or to six digits.
pub(crate) fn amount(value: f64) -> Cell {
    const DIGITS: usize = 6;
    if value.fract().abs() <= 0.0 && value >= 0.0 {
        Cell::count(value as usize)
    } else {
        Cell::significant(value, DIGITS)
    }
}
