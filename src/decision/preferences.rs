//! The customer's attitude to risk: which of the four value forms, with which coefficients.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// Which of the four value forms the customer has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Form {
    /// Success or failure, risk neutral.
    RiskNeutral,
    /// Success or failure, constant absolute risk aversion.
    BinaryCara,
    /// Money value θq of the quality, constant absolute risk aversion: the default structural form.
    ContinuousCara,
    /// Money value θq of the quality, CARA over the task noise and a larger CARA over the belief (Klibanoff, Marinacci & Mukerji).
    SmoothAmbiguity,
}

/// The customer's attitude to risk: a value form with its coefficients, checked once.
///
/// With `μ = m + γ ln(1+e) − d`, the certainty equivalent gross of cost and price is
///
/// | form | G0 |
/// |---|---|
/// | [`risk_neutral`](Self::risk_neutral) | `πV + (1−π)L`, `π = Φ(μ/√(1+v))` |
/// | [`binary_cara`](Self::binary_cara) | `−(1/r) ln[π e^{−rV} + (1−π) e^{−rL}]` |
/// | [`continuous_cara`](Self::continuous_cara) | `θμ − (r/2)θ²(1+v)`, with a guarantee `−(1/r) ln[1 − (1−e^{−rG}) Φ(−h)]` more, `h = (μ − rθ(1+v))/√(1+v)` |
/// | [`smooth_ambiguity`](Self::smooth_ambiguity) | `θμ − (r/2)θ² − (α/2)θ²v`, with a guarantee by quadrature over the belief |
///
/// In the binary forms a guarantee raises the value of failure to L + G. Every limit r → 0 and α → 0 is taken exactly.
///
/// # References
/// Klibanoff, P., Marinacci, M. and Mukerji, S. (2005). A smooth model of decision making under ambiguity. *Econometrica* 73(6),
/// 1849–1892.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Preferences {
    form: Form,
    risk_aversion: f64,
    ambiguity_aversion: f64,
}

impl Preferences {
    /// Form 1: binary, risk neutral.
    pub const fn risk_neutral() -> Self {
        Self {
            form: Form::RiskNeutral,
            risk_aversion: 0.0,
            ambiguity_aversion: 0.0,
        }
    }

    /// Form 2: binary, CARA coefficient r ≥ 0 (per unit of money).
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for a coefficient that is negative or not finite.
    #[inline]
    pub fn binary_cara(risk_aversion: f64) -> Result<Self> {
        Self::new(Form::BinaryCara, risk_aversion, risk_aversion)
    }

    /// Form 3: continuous, CARA coefficient r ≥ 0 (per unit of money).
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for a coefficient that is negative or not finite.
    #[inline]
    pub fn continuous_cara(risk_aversion: f64) -> Result<Self> {
        Self::new(Form::ContinuousCara, risk_aversion, risk_aversion)
    }

    /// Form 4: continuous, r ≥ 0 over the task noise and α ≥ r over the belief. At α = r it is form 3.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for a negative or infinite coefficient, or α < r.
    #[inline]
    pub fn smooth_ambiguity(risk_aversion: f64, ambiguity_aversion: f64) -> Result<Self> {
        Self::new(Form::SmoothAmbiguity, risk_aversion, ambiguity_aversion)
    }

    #[inline]
    fn new(form: Form, risk_aversion: f64, ambiguity_aversion: f64) -> Result<Self> {
        if risk_aversion >= 0.0
            && ambiguity_aversion >= risk_aversion
            && ambiguity_aversion.is_finite()
        {
            Ok(Self {
                form,
                risk_aversion,
                ambiguity_aversion,
            })
        } else {
            Err(Self::fault(risk_aversion, ambiguity_aversion))
        }
    }

    /// Form 4 with a coefficient α of either sign, as an estimate may have it.
    #[inline]
    pub(crate) const fn ambiguity_of_any_sign(risk_aversion: f64, ambiguity_aversion: f64) -> Self {
        Self {
            form: Form::SmoothAmbiguity,
            risk_aversion,
            ambiguity_aversion,
        }
    }

    #[cold]
    fn fault(risk_aversion: f64, ambiguity_aversion: f64) -> Error {
        if risk_aversion >= 0.0 && risk_aversion.is_finite() {
            Error::invalid_option(
                "ambiguity_aversion",
                ambiguity_aversion,
                format!("finite and at least the risk aversion, {risk_aversion}"),
            )
        } else {
            Error::invalid_option(
                "risk_aversion",
                risk_aversion,
                "zero or a positive finite number (per unit of money)",
            )
        }
    }

    /// The value form.
    #[inline]
    pub const fn form(self) -> Form {
        self.form
    }

    /// r, over the task noise.
    #[inline]
    pub const fn risk_aversion(self) -> f64 {
        self.risk_aversion
    }

    /// α, over the belief; r in the forms that make no difference, 0 in form 1.
    #[inline]
    pub const fn ambiguity_aversion(self) -> f64 {
        self.ambiguity_aversion
    }

    /// Whether the value is that of success or failure (forms 1 and 2) rather than of quality (3 and 4).
    #[inline]
    pub const fn is_binary(self) -> bool {
        matches!(self.form, Form::RiskNeutral | Form::BinaryCara)
    }
}
