//! e-values: evidence that multiplies over independent studies, averages over dependent ones, and may be looked at any time.

use super::{Adjustment, MultipleTests};
use crate::error::{Error, Result};
use crate::report::p_text;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A number that is not negative and has expectation at most one under the null hypothesis: by Markov's inequality it is 1/α or more with probability at most
/// α. A betting game: e is what one unit staked against the null hypothesis has become.
///
/// | e-value | says |
/// |---|---|
/// | below 1 | nothing against the null hypothesis |
/// | 10 | strong evidence; p ≤ 0.1 |
/// | 20 | p ≤ 0.05 |
///
/// # Errors
/// [`Error::InvalidOption`] for a number that is negative or NaN.
///
/// # References
/// Vovk, V. & Wang, R. (2021). E-values: calibration, combination and applications. *Annals of Statistics* 49(3), 1736–1754. doi:10.1214/20-AOS2020
///
/// # Examples
/// ```
/// use cocreate::prelude::*;
/// let [a, b] = [EValue::new(4.0)?, EValue::new(6.0)?];
/// assert_eq!(a.times(b).value(), 24.0); // independent studies
/// assert_eq!(EValue::mean(&[a, b])?.value(), 5.0); // whatever their dependence
/// assert!(a.times(b).p_value() < 0.05);
/// assert!((EValue::from_p_value(0.01, Calibrator::Power { kappa: 0.5 })?.value() - 5.0).abs() < 1e-12);
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize, Deserialize)]
pub struct EValue(#[serde(deserialize_with = "crate::numeric::infinite::above")] f64);

/// What turns a p-value into an e-value: a decreasing function whose integral over (0, 1) is one. The e-value is always weaker evidence than the p-value was.
/// Of the p-value of an [`EProcess`], one over its largest value so far, it is an adjuster: an e-value that keeps part of the largest evidence that there ever was (Shafer, Shen, Vereshchagin & Vovk 2011, doi:10.1214/10-STS347).
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Calibrator {
    /// `κ p^{κ−1}`.
    Power {
        /// κ, in (0, 1).
        kappa: f64,
    },
    /// The powers mixed over all κ: `(1 − p + p ln p)/(p ln² p)`.
    Mixture,
    /// Shafer's (2021) `p^{−1/2} − 1`, which is zero at p = 1.
    Shafer,
}

/// The S-value or surprisal of a p-value, `−log₂ p` bits of information against a hypothesis and all assumptions around it: p = 0.05 surprises as little as four or five heads in as many
/// tosses of a fair coin (Greenland 2019). It is a p-value on another scale, and neither an [`EValue`] nor the score of Shafer's bets, which [`Calibrator::Shafer`] gives.
///
/// # Errors
/// [`Error::InvalidOption`] for p outside [0, 1]; zero gives infinity.
///
/// # References
/// Greenland, S. (2019). Valid P-values behave exactly as they should: some misleading criticisms of P-values and their resolution with S-values. *The American Statistician* 73(sup1),
/// 106–114. doi:10.1080/00031305.2018.1529625
///
/// # Examples
/// ```
/// use cocreate::prelude::*;
/// assert_eq!(surprisal(0.25)?, 2.0);
/// assert!((surprisal(0.05)? - 4.321_928_095).abs() < 1e-9 && surprisal(1.0)? == 0.0);
/// # Ok::<(), cocreate::Error>(())
/// ```
pub fn surprisal(p_value: f64) -> Result<f64> {
    if !(0.0..=1.0).contains(&p_value) {
        return Err(Error::invalid_option("p-value", p_value, "between 0 and 1"));
    }
    // No surprise is zero without a sign.
    Ok(0.0 - p_value.log2())
}

/// One over e, at most one.
pub(super) fn to_p_value(e: f64) -> f64 {
    e.recip().min(1.0)
}

impl EValue {
    /// An e-value.
    ///
    /// # Errors
    /// See [`EValue`].
    pub fn new(value: f64) -> Result<Self> {
        if value >= 0.0 {
            return Ok(Self(value));
        }
        Err(Error::invalid_option("e-value", value, "zero or more"))
    }

    /// From its logarithm, which is a number.
    pub(crate) fn of_logarithm(logarithm: f64) -> Self {
        Self(logarithm.exp())
    }

    /// From a p-value.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for p outside [0, 1] or κ outside (0, 1).
    pub fn from_p_value(p: f64, calibrator: Calibrator) -> Result<Self> {
        /// Below this −ln p the mixture is its series, whose next term is beyond the last digit.
        const NEAR_ONE: f64 = 1e-2;
        if !(0.0..=1.0).contains(&p) {
            return Err(Error::invalid_option("p-value", p, "between 0 and 1"));
        }
        if p <= 0.0 {
            return Ok(Self(f64::INFINITY));
        }
        Ok(Self(match calibrator {
            Calibrator::Power { kappa } if kappa > 0.0 && kappa < 1.0 => {
                kappa * p.powf(kappa - 1.0)
            }
            Calibrator::Power { kappa } => {
                return Err(Error::invalid_option(
                    "kappa",
                    kappa,
                    "between 0 and 1, e.g. 0.5",
                ));
            }
            Calibrator::Mixture => {
                // With u = −ln p the mixture is (eᵘ − 1 − u)/u².
                let u = -p.ln();
                if u < NEAR_ONE {
                    // Σ uᵏ/(k + 2)!
                    [5_040.0, 720.0, 120.0, 24.0, 6.0, 2.0]
                        .iter()
                        .fold(0.0, |sum, factorial: &f64| sum * u + factorial.recip())
                } else {
                    (u.exp_m1() - u) / (u * u)
                }
            }
            Calibrator::Shafer => p.sqrt().recip() - 1.0,
        }))
    }

    /// The number.
    pub fn value(self) -> f64 {
        self.0
    }

    /// The p-value `min(1, 1/e)`.
    pub fn p_value(self) -> f64 {
        to_p_value(self.0)
    }

    /// The product: an e-value when the second is one whatever the first was (independent studies, or the next of a sequence).
    pub fn times(self, other: Self) -> Self {
        // Evidence that was refuted stays so.
        if self.0 <= 0.0 || other.0 <= 0.0 {
            return Self(0.0);
        }
        Self(self.0 * other.0)
    }

    /// The average: an e-value whatever the dependence.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] without any.
    pub fn mean(values: &[Self]) -> Result<Self> {
        if values.is_empty() {
            return Err(Error::invalid_option("e-values", "empty", "one or more"));
        }
        Ok(Self(
            values.iter().map(|e| e.0).sum::<f64>() / values.len() as f64,
        ))
    }
}

impl fmt::Display for EValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "e = {:.4}, p ≤ {:.4}", self.0, self.p_value())
    }
}

crate::report::notebook_line!(EValue);

/// A running product of e-values, each valid given those before it: a supermartingale under the null hypothesis, so that it ever reaches 1/α with probability at
/// most α, and one may stop whenever it does. Kept as a logarithm: it neither overflows nor underflows.
///
/// # Errors
/// [`Error::InvalidOption`] for a level outside (0, 1).
///
/// # References
/// Ramdas, A., Grünwald, P., Vovk, V. & Shafer, G. (2023). Game-theoretic statistics and safe anytime-valid inference. *Statistical Science* 38(4), 576–601. doi:10.1214/23-STS894
///
/// # Examples
/// ```
/// use cocreate::prelude::*;
/// let mut evidence = EProcess::new();
/// for likelihood_ratio in [2.0, 0.5, 4.0, 8.0] {
///     evidence.push(EValue::new(likelihood_ratio)?);
/// }
/// assert!((evidence.e_value().value() - 32.0).abs() < 1e-12);
/// assert!(evidence.rejects(0.05)? && !evidence.rejects(0.01)?);
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct EProcess {
    steps: u64,
    log_value: f64,
    log_largest: f64,
    /// An e-value of zero ends the game: what comes after multiplies nothing.
    ruined: bool,
}

impl EProcess {
    /// A game that begins with one unit.
    pub fn new() -> Self {
        Self::default()
    }

    /// Stakes all on the next e-value.
    pub fn push(&mut self, next: EValue) {
        self.steps += 1;
        if next.0 <= 0.0 {
            self.ruined = true;
        }
        if !self.ruined {
            self.log_value = (self.log_value + next.0.ln()).min(f64::MAX);
            self.log_largest = self.log_largest.max(self.log_value);
        }
    }

    /// E-values taken in.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// The e-value now.
    pub fn e_value(&self) -> EValue {
        EValue(if self.ruined {
            0.0
        } else {
            self.log_value.exp()
        })
    }

    /// One over the largest product so far: a p-value at any time.
    pub fn p_value(&self) -> f64 {
        (-self.log_largest).exp()
    }

    /// Whether the product ever reached 1/α.
    ///
    /// # Errors
    /// See [`EProcess`].
    pub fn rejects(&self, alpha: f64) -> Result<bool> {
        super::check_alpha(alpha)?;
        Ok(self.p_value() <= alpha)
    }
}

impl fmt::Display for EProcess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} after {} steps, {} at any time",
            self.e_value(),
            self.steps,
            p_text(self.p_value())
        )
    }
}

crate::report::notebook_line!(EProcess);

impl MultipleTests {
    /// e-BH: Benjamini and Hochberg's procedure on one over the e-values. The false discovery rate is at most α **whatever the dependence** of the e-values: those of
    /// arms that share a control, metrics of the same customers, experiments at the same time. The k largest are rejected for the largest k with `e₍ₖ₎ ≥ m/(kα)`.
    ///
    /// # Errors
    /// [`Error::LengthMismatch`]; [`Error::InvalidOption`] for an α outside (0, 1).
    ///
    /// # References
    /// Wang, R. & Ramdas, A. (2022). False discovery rate control with e-values. *JRSS B* 84(3), 822–852. doi:10.1111/rssb.12489
    ///
    /// # Examples
    /// ```
    /// use cocreate::prelude::*;
    /// let e = [100.0, 45.0, 2.0, 0.1].map(|e| EValue::new(e).unwrap());
    /// let tests = MultipleTests::e_bh(["a", "b", "c", "d"], &e, 0.05)?;
    /// assert_eq!(tests.rejected(), 2); // 100 ≥ 4/0.05, and 45 ≥ 4/(2 · 0.05)
    /// # Ok::<(), cocreate::Error>(())
    /// ```
    pub fn e_bh<S: Into<String>>(
        names: impl IntoIterator<Item = S>,
        e_values: &[EValue],
        alpha: f64,
    ) -> Result<Self> {
        let p: Vec<f64> = e_values.iter().map(|e| e.p_value()).collect();
        let adjusted = super::adjust_p_values(&p, Adjustment::BenjaminiHochberg)?;
        Self::adjusted(names, &p, &adjusted, "e-BH, any dependence", alpha)
    }
}
