//! Effects that data bound and do not pin down: no assumption on what was not seen, monotone responses, and selection that goes one way.

mod arms;
mod identified_set;
mod lee;
mod missing;
mod treatment;

pub use identified_set::IdentifiedSet;
pub(crate) use identified_set::critical;
pub use lee::{LeeBounds, LeeBoundsFit, LeeCell};
pub use missing::HorowitzManski;
pub use treatment::{ManskiBounds, Monotone};
