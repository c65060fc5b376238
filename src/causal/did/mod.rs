//! Roll-outs: treatments that units take up at different times, compared with units that have not taken them up.
//!
//! [`CallawaySantAnna`] compares each cohort with units that are not treated yet; [`EventStudy`] is what it and its relatives say by time since treatment.

mod aggregate;
mod callaway_santanna;
mod effects;
mod event_study;
mod group_time;
mod group_time_fit;
mod sample;

pub use callaway_santanna::{BasePeriod, CallawaySantAnna, ControlGroup, DidMethod};
pub use effects::RolloutEffects;
pub use event_study::EventStudy;
pub use group_time_fit::{CallawaySantAnnaFit, GroupTime};
