//! The curve of the law of the iterated logarithm that a martingale rarely crosses at any time, by stitching.

use super::mixture::positive;
use crate::error::{Error, Result};
use crate::inference::multiplicity::check_alpha;
use crate::numeric::special::zeta;
use serde::{Deserialize, Serialize};

/// s, the exponent of the error spent on epochs, as Howard et al. recommend.
const EXPONENT: f64 = 1.4;

/// η, the ratio of the epochs' ends, as they recommend.
const SPACING: f64 = 2.0;

/// Epochs before and after the present one that are summed for an e-value; those left out would only add to it.
const NEIGHBOURS: f64 = 32.0;

/// Polynomial stitching: a curve in closed form, of the order `√(v ln ln v)`, that a process with variance process V crosses at any time with probability
/// at most α. With start m, scale c, exponent s and spacing η it is `S_α(max(v, m))`,
///
/// `S_α(v) = √{k₁² v ℓ + k₂² c² ℓ²} + k₂ c ℓ`, `ℓ = s ln{1 + ln(v/m)/ln η} + ln{ζ(s)/α}`, `k₁ = (η^¼ + η^{−¼})/√2`, `k₂ = (√η + 1)/2`.
///
/// Between `m η^k` and `m η^{k+1}` it lies above the line that a process crosses with probability `α/{ζ(s)(k+1)^s}`, and those sum to α. A [mixture](super::MixtureBoundary)
/// is lower near the v that it was made for; this one is for processes that run on for ever: its ratio to `√(v ln ln v)` stays bounded, where that of a mixture grows.
///
/// | name | default | meaning | range |
/// |---|---|---|---|
/// | start | | m: v from which on the curve is low | > 0 |
/// | `scale` | 0 | c: of increments that are sub-gamma; sub-exponential ones, as those of values in an interval of length c, are that too; 0 sub-Gaussian | ≥ 0 |
/// | `exponent` | 1.4 | s: smaller is lower late, larger is lower early | > 1 |
/// | `spacing` | 2 | η: ratio of the epochs | > 1 |
///
/// # Errors
/// [`Error::InvalidOption`] for numbers outside these ranges, and for α outside (0, 1).
///
/// # References
/// Howard, S. R., Ramdas, A., McAuliffe, J. & Sekhon, J. (2021). Time-uniform, nonparametric, nonasymptotic confidence sequences. *Annals of Statistics*
/// 49(2), 1055–1080, theorem 1 and equation 10. doi:10.1214/20-AOS1991
///
/// # Examples
/// ```
/// use cocreate::prelude::*;
/// let curve = StitchedBoundary::new(10.0)?.scale(3.0)?;
/// assert!((curve.threshold(100.0, 0.05)? - 64.487_55).abs() < 1e-5);
/// assert!((curve.p_value(64.487_55, 100.0) - 0.05).abs() < 1e-7);
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct StitchedBoundary {
    start: f64,
    scale: f64,
    exponent: f64,
    spacing: f64,
}

impl StitchedBoundary {
    /// Low from this v on.
    ///
    /// # Errors
    /// See [`StitchedBoundary`].
    pub fn new(start: f64) -> Result<Self> {
        positive("start", start)?;
        Ok(Self {
            start,
            scale: 0.0,
            exponent: EXPONENT,
            spacing: SPACING,
        })
    }

    /// c.
    ///
    /// # Errors
    /// See [`StitchedBoundary`].
    pub fn scale(mut self, scale: f64) -> Result<Self> {
        if !(scale >= 0.0 && scale.is_finite()) {
            return Err(Error::invalid_option(
                "scale",
                scale,
                "zero or more, and finite",
            ));
        }
        self.scale = scale;
        Ok(self)
    }

    /// s.
    ///
    /// # Errors
    /// See [`StitchedBoundary`].
    pub fn exponent(mut self, exponent: f64) -> Result<Self> {
        self.exponent = above_one("exponent", exponent, EXPONENT)?;
        Ok(self)
    }

    /// η.
    ///
    /// # Errors
    /// See [`StitchedBoundary`].
    pub fn spacing(mut self, spacing: f64) -> Result<Self> {
        self.spacing = above_one("spacing", spacing, SPACING)?;
        Ok(self)
    }

    /// The curve at v.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for α outside (0, 1) or v < 0.
    pub fn threshold(&self, v: f64, alpha: f64) -> Result<f64> {
        check_alpha(alpha)?;
        if !(v >= 0.0 && v.is_finite()) {
            return Err(Error::invalid_option(
                "v",
                v,
                "a sum of squares, zero or more",
            ));
        }
        let v = v.max(self.start);
        let log = self.log_price(v) - alpha.ln();
        let [a, b] = self.coefficients();
        let linear = b * log;
        Ok((a * v * log + linear * linear).sqrt() + linear)
    }

    /// The smallest α whose curve lies at or below s at v: a p-value at any time.
    pub fn p_value(&self, s: f64, v: f64) -> f64 {
        self.log_p_value(s, v).exp()
    }

    pub(super) fn log_p_value(&self, s: f64, v: f64) -> f64 {
        if s <= 0.0 {
            return 0.0;
        }
        let v = v.max(self.start);
        let [a, b] = self.coefficients();
        (self.log_price(v) - s * s / (a * v + 2.0 * b * s)).min(0.0)
    }

    /// The logarithm of the mixture of exponential supermartingales, one an epoch, which is 1/α at least where the process is above the curve of α: an e-value
    /// at any time.
    pub(super) fn log_value(&self, s: f64, v: f64, alpha: f64) -> f64 {
        let price = zeta::riemann(self.exponent).ln();
        let now = self.epoch(v.max(self.start)).floor();
        let first = (now - NEIGHBOURS).max(0.0);
        let count = (now + NEIGHBOURS - first) as usize;
        let mut middle = self.start * self.spacing.powf(first - 0.5);
        let terms: Vec<f64> = (0..=count)
            .map(|k| {
                let weight = price + self.exponent * (first + k as f64).ln_1p();
                middle *= self.spacing;
                // The λ at which ψ(λ) = λ²/{2(1 − cλ)} is this.
                let psi = (weight - alpha.ln()) / middle;
                let bend = psi * self.scale;
                let lambda = 2.0 * psi / (bend + (bend * bend + 2.0 * psi).sqrt());
                lambda * s - psi * v - weight
            })
            .filter(|term| term.is_finite())
            .collect();
        let largest = terms.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        largest + terms.iter().map(|t| (t - largest).exp()).sum::<f64>().ln()
    }

    /// What is added to ln(1/α) for the epoch.
    fn log_price(&self, v: f64) -> f64 {
        zeta::riemann(self.exponent).ln() + self.exponent * self.epoch(v).ln_1p()
    }

    /// k where v is `m η^k`.
    fn epoch(&self, v: f64) -> f64 {
        (v / self.start).ln() / self.spacing.ln()
    }

    /// k₁² and k₂ c.
    fn coefficients(&self) -> [f64; 2] {
        let root = self.spacing.sqrt();
        [
            0.5 * (root + 1.0 / root) + 1.0,
            0.5 * (root + 1.0) * self.scale,
        ]
    }
}

fn above_one(option: &str, value: f64, usual: f64) -> Result<f64> {
    if value > 1.0 && value.is_finite() {
        return Ok(value);
    }
    Err(Error::invalid_option(
        option,
        value,
        format!("above one and finite, e.g. {usual}"),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn above_the_curve_the_evidence_has_reached_its_limit(
            log_start in -5.0_f64..5.0,
            log_scale in -5.0_f64..3.0,
            log_v in -3.0_f64..20.0,
            log_alpha in -30.0_f64..-0.1,
            exponent in 1.05_f64..3.0,
            spacing in 1.05_f64..5.0,
        ) {
            let start = log_start.exp();
            let (v, alpha) = (start * log_v.exp(), log_alpha.exp());
            for scale in [0.0, start.sqrt() * log_scale.exp()] {
                let curve = StitchedBoundary::new(start).unwrap().scale(scale).unwrap()
                    .exponent(exponent).unwrap().spacing(spacing).unwrap();
                let s = curve.threshold(v, alpha).unwrap();
                let p = curve.log_p_value(s, v);
                prop_assert!((p - log_alpha).abs() < 1e-9 * (1.0 - log_alpha), "{curve:?} {p}");
                let e = curve.log_value(s, v, alpha);
                prop_assert!(e >= -log_alpha - 1e-9, "{curve:?} {v} {e} {log_alpha}");
                // Before the start the curve is flat, and it never falls.
                let earlier = curve.threshold(0.5 * v, alpha).unwrap();
                prop_assert!(earlier <= s && (v > start || earlier >= s));
            }
        }
    }

    #[test]
    fn nothing_seen_is_no_evidence() {
        let curve = StitchedBoundary::new(3.0).unwrap();
        let e = curve.log_value(0.0, 0.0, 0.05);
        // The weights of the epochs that are left out are missing.
        assert!(e < 0.0 && e > -0.25, "{e}");
        assert_eq!(curve.p_value(0.0, 10.0), 1.0);
        assert_eq!(curve.p_value(-5.0, 10.0), 1.0);
    }
}
