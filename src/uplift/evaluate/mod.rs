//! How well priorities rank effects: uplift curves with errors, rank-weighted averages, comparisons, calibration, and who the most
//! affected are.

mod compare;
mod curve;
mod curve_figures;
mod rate;
mod trial;

pub use compare::{RankingComparison, RankingDifference};
pub use curve::{UpliftCurve, UpliftCurveFit, UpliftPoint};
pub use rate::RateWeights;
pub use trial::{TrialCurve, TrialCurveFit, TrialCurveKind, TrialPoint};
