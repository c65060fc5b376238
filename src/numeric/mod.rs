//! Ground floor: special functions, linear algebra, optimisers, quadrature, quasi-random draws, seeds, progress and
//! deterministic parallel blocks. It knows no statistics.

pub mod blocks;
pub mod derivative;
pub(crate) mod infinite;
pub(crate) mod isotonic;
pub(crate) mod jet;
pub mod linalg;

pub mod optimize;
pub mod permutation;
pub mod progress;
pub mod quadrature;
pub mod quasi;
pub mod seed;
pub mod special;

pub use progress::Progress;
pub use seed::Seed;
