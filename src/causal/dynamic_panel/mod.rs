//! Panels whose outcome depends on its own past: [`DynamicPanelGmm`], by generalised method of moments on differences, or on differences and levels.

mod equations;
mod estimator;
mod fit;
mod instruments;
mod moments;

pub use estimator::DynamicPanelGmm;
pub use fit::DynamicPanelGmmFit;
pub use instruments::DifferenceInHansen;
