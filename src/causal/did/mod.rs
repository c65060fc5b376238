//! Roll-outs: treatments that units take up at different times, compared with units that have not taken them up.
//!
//! [`CallawaySantAnna`] compares each cohort with units that are not treated yet; [`EventStudy`] is what it and its relatives say by time since treatment.

mod aggregate;
mod callaway_santanna;
mod decomposition;
mod effects;
mod event_study;
mod group_time;
mod group_time_fit;
mod imputation;
mod local_projections;
mod moment_inequalities;
mod pooled;
mod pre_trends;
mod regression;
mod relative_magnitudes;
mod sample;
mod stacked;
mod sun_abraham;
mod switching;
mod trend_sensitivity;
mod two_way;
mod two_way_weights;
mod untreated;

pub use callaway_santanna::{BasePeriod, CallawaySantAnna, ControlGroup, DidMethod};
pub use decomposition::{BaconComparison, BaconControl, BaconDecomposition};
pub use effects::RolloutEffects;
pub use event_study::EventStudy;
pub use group_time_fit::{CallawaySantAnnaFit, GroupTime};
pub use imputation::{Imputation, ImputationFit};
pub use local_projections::LocalProjections;
pub use pre_trends::{PreTrendPower, PreTrendTime};
pub use relative_magnitudes::{RelativeInterval, RelativeMagnitudes};
pub use stacked::Stacked;
pub use sun_abraham::{SunAbraham, SunAbrahamFit};
pub use switching::{Switching, SwitchingFit};
pub use trend_sensitivity::{SmoothInterval, TrendSensitivity};
pub use two_way::{TwoWayFixedEffects, TwoWayFixedEffectsFit};
pub use two_way_weights::TwoWayWeights;
