//! How well priorities rank effects: uplift curves with errors, rank-weighted averages, comparisons, calibration, and who the most
//! affected are.

mod calibration;
mod clan;
mod compare;
mod curve;
mod curve_figures;
mod rate;
mod trial;

pub use calibration::{CalibrationGroup, EffectCalibration, EffectCalibrationFit};
pub use clan::{Clan, ClanFit, ClanRow};
pub(in crate::uplift) use compare::differences_table;
pub use compare::{RankingComparison, RankingDifference};
pub use curve::{UpliftCurve, UpliftCurveFit, UpliftPoint};
pub use rate::RateWeights;
pub use trial::{TrialCurve, TrialCurveFit, TrialCurveKind, TrialPoint};
