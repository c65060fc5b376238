//! Integrals of one variable: Gauss rules, adaptive integration, and the adaptive Gauss–Hermite rule of random effects.
//!
//! | what | rule |
//! |---|---|
//! | `∫ e^(−x²) f` over the line | [`gauss_hermite`] |
//! | `E f(Z)`, `Z` standard normal | [`gauss_hermite_normal`] |
//! | `∫ f` over `[a, b]`, `f` smooth | [`gauss_legendre`] |
//! | `∫ e^(−x) f` over `x > 0` | [`gauss_laguerre`] |
//! | `∫ f` to a tolerance, finite or not | [`Adaptive`] |
//! | `ln ∫ e^ℓ(u) du`, `ℓ` with one peak | [`AdaptiveHermite`] |
//! | the same for log-concave `e^ℓ`, nearly exact, with nodes that stay | [`Peak::visit_nodes`] |

mod adaptive;
mod adaptive_hermite;
mod double_double;
mod frailty;
mod gauss;
mod lattice;
mod rule;

pub use adaptive::{Adaptive, Integral};
pub use adaptive_hermite::{AdaptiveHermite, Curve, Peak};
pub(crate) use frailty::NormalFrailty;
pub use gauss::{gauss_hermite, gauss_hermite_normal, gauss_laguerre, gauss_legendre};
pub use rule::Rule;
