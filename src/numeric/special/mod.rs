//! Special functions and the distribution functions that statistics is built on, in `f64`, accurate on the whole domain.
//!
//! These are ground-floor functions: they never panic and never return an error. A NaN argument, a parameter outside
//! its domain (for example negative degrees of freedom) or a probability outside [0, 1] gives NaN; callers that face
//! users check their arguments first and raise a typed [`Error`](crate::Error).
//!
//! Every distribution has `cdf` and `sf` (the upper tail 1 − cdf), each computed directly where it is small, so that
//! p-values keep their relative accuracy down to the smallest `f64`. Where a value may be smaller still, a `ln_…`
//! variant gives its logarithm. `quantile` inverts `cdf` and `upper_quantile` inverts `sf`.
//!
//! | module | functions of |
//! |---|---|
//! | [`error_function`] | erf, erfc, scaled erfc |
//! | [`gamma`] | ln Γ, digamma, trigamma, regularised incomplete gamma function |
//! | [`beta`] | ln B, regularised incomplete beta function |
//! | [`normal`], [`student_t`], [`chi_squared`], [`f`] | the classical distributions |
//! | [`noncentral`] | their non-central forms, for power analysis |
//! | [`studentized_range`] | Tukey's honestly significant difference |
//! | [`truncated_normal`], [`multivariate_normal`] | normal distributions on intervals and boxes |
//! | [`zeta`] | ζ(s) |

pub mod beta;
pub mod chi_squared;
pub mod error_function;
pub mod f;
pub mod gamma;
pub mod multivariate_normal;
pub mod noncentral;
pub mod normal;
pub mod student_t;
pub mod studentized_range;
pub mod truncated_normal;
pub mod zeta;

mod bivariate_normal;
mod chi_scale;
pub(crate) mod kernel;
mod polygamma;
mod quadrature;
mod root;
