//! E-values: how strongly a confounder must be tied to treatment and outcome to explain a ratio away.

use crate::error::{Error, Result};
use crate::inference::{Estimate, check_level};
use crate::numeric::special::normal;
use crate::report::{Cell, Table};
use serde::{Deserialize, Serialize};

/// What a ratio is a ratio of, which says how it becomes a risk ratio.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RatioScale {
    /// Of risks, or of rates: as it is.
    Risk,
    /// Of odds of an outcome that less than about 15 % have: as it is.
    OddsOfRare,
    /// Of odds of a common outcome: its square root.
    OddsOfCommon,
    /// Of hazards of an event that less than about 15 % have had at the end: as it is.
    HazardOfRare,
    /// Of hazards of a common event: `(1 − 0.5^√HR)/(1 − 0.5^√(1/HR))`.
    HazardOfCommon,
}

/// The E-value of a ratio: the least strength of association, as a risk ratio, that an unmeasured confounder must have with both treatment and outcome, given the measured covariates, to explain
/// the ratio fully. For a risk ratio of at least one
///
/// `E = RR + √(RR (RR − 1))`,
///
/// below one that of its inverse. The E-value of the interval is that of the limit nearer to one, and 1 when the interval holds one. A confounder with risk ratios `RR_UD`, `RR_EU`
/// can move the ratio by at most `RR_UD RR_EU/(RR_UD + RR_EU − 1)`, whatever its distribution.
///
/// Odds and hazard ratios of common outcomes and standardised differences (`RR ≈ exp(0.91 d)`, with limits `exp(0.91 (d ± z se))`; the paper rounds 0.91 z to 1.78 at 95 %) become risk ratios approximately. To see how far a ratio is from another null than 1, say so by
/// [`ConfoundingEValue::against`].
///
/// | name | default | meaning | range |
/// |---|---|---|---|
/// | `against` | 1 | the ratio that is to be explained | > 0 |
///
/// # Errors
/// [`Error::InvalidOption`] for ratios that are not positive and finite, limits that do not hold the ratio between them, a level outside (0, 1).
///
/// # References
/// VanderWeele, T. J. & Ding, P. (2017). Sensitivity analysis in observational research: introducing the E-value. *Annals of Internal Medicine* 167(4), 268–274.
/// doi:10.7326/M16-2607
///
/// # Examples
/// ```
/// use cocreate::prelude::*;
/// // The paper's example: a risk ratio of 3.9 with limits 1.8 and 8.7.
/// let e = ConfoundingEValue::new(RatioScale::Risk, 3.9, 1.8, 8.7)?;
/// assert!((e.e_value() - 7.26).abs() < 0.005 && (e.e_value_of_limit() - 3.0).abs() < 1e-9);
/// println!("{e}");
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ConfoundingEValue {
    /// Risk ratio, lower and upper limit.
    ratios: [f64; 3],
    null: f64,
    from: String,
}

impl ConfoundingEValue {
    /// Of a ratio with the limits of its interval.
    ///
    /// # Errors
    /// See [`ConfoundingEValue`].
    pub fn new(scale: RatioScale, ratio: f64, lower: f64, upper: f64) -> Result<Self> {
        for (option, value) in [("ratio", ratio), ("lower", lower), ("upper", upper)] {
            if !(value > 0.0 && value.is_finite()) {
                return Err(Error::invalid_option(
                    option,
                    value,
                    "positive and finite; coefficients of log ratios go through `of_log`",
                ));
            }
        }
        if !(lower <= ratio && ratio <= upper) {
            return Err(Error::invalid_option(
                "lower",
                format!("{lower} with the ratio {ratio} and the upper limit {upper}"),
                "at most the ratio, and the ratio at most the upper limit",
            ));
        }
        Ok(Self {
            ratios: [ratio, lower, upper].map(|r| scale.risk(r)),
            null: 1.0,
            from: scale.words().to_owned(),
        })
    }

    /// Of a log ratio, such as a coefficient of a logit or Cox model.
    ///
    /// # Errors
    /// See [`ConfoundingEValue`].
    pub fn of_log(scale: RatioScale, estimate: &Estimate, level: f64) -> Result<Self> {
        let i = estimate.confidence_interval(level)?;
        Self::new(scale, estimate.estimate.exp(), i.lower.exp(), i.upper.exp())
    }

    /// Of a difference of means in standard deviations of the outcome, with its standard error.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for a difference that is not finite, a standard error that is negative or not finite, a level outside (0, 1).
    pub fn standardized(difference: f64, std_error: f64, level: f64) -> Result<Self> {
        /// Log risk ratio of one standard deviation.
        const LOG_RATIO: f64 = 0.91;
        check_level(level)?;
        if !(difference.is_finite() && std_error >= 0.0 && std_error.is_finite()) {
            return Err(Error::invalid_option(
                "difference",
                format!("{difference} with standard error {std_error}"),
                "finite, with a standard error that is finite and not negative",
            ));
        }
        let half = normal::quantile(0.5 + level / 2.0) * std_error;
        let [ratio, lower, upper] =
            [0.0, -half, half].map(|by| (LOG_RATIO * (difference + by)).exp());
        let mut out = Self::new(RatioScale::Risk, ratio, lower, upper)?;
        "a standardised difference".clone_into(&mut out.from);
        Ok(out)
    }

    /// Against another risk ratio than 1: how strong a confounder must be for it to be the truth.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for a ratio that is not positive and finite.
    pub fn against(mut self, risk_ratio: f64) -> Result<Self> {
        if !(risk_ratio > 0.0 && risk_ratio.is_finite()) {
            return Err(Error::invalid_option(
                "against",
                risk_ratio,
                "positive and finite",
            ));
        }
        self.null = risk_ratio;
        Ok(self)
    }

    /// The risk ratio, made from what was given.
    pub fn risk_ratio(&self) -> f64 {
        self.ratios[0]
    }

    /// The E-value of the estimate.
    pub fn e_value(&self) -> f64 {
        strength(self.ratios[0] / self.null)
    }

    /// The E-value of the limit nearer to the null; 1 when the interval holds it.
    pub fn e_value_of_limit(&self) -> f64 {
        let [_, lower, upper] = self.ratios.map(|r| r / self.null);
        if lower > 1.0 {
            strength(lower)
        } else if upper < 1.0 {
            strength(upper)
        } else {
            1.0
        }
    }

    /// The most by which a confounder can move a risk ratio, from its risk ratio with the outcome and the ratio of its prevalences by treatment.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for ratios below 1 or not finite.
    pub fn bounding_factor(with_outcome: f64, with_treatment: f64) -> Result<f64> {
        for (option, ratio) in [
            ("with_outcome", with_outcome),
            ("with_treatment", with_treatment),
        ] {
            if !(ratio >= 1.0 && ratio.is_finite()) {
                return Err(Error::invalid_option(
                    option,
                    ratio,
                    "finite and at least 1; invert a ratio below 1",
                ));
            }
        }
        Ok(with_outcome * with_treatment / (with_outcome + with_treatment - 1.0))
    }

    /// The risk ratio with its limits, and the E-values.
    pub fn table(&self) -> Table {
        let shown = |v: f64| Cell::significant(v, 5);
        let [ratio, lower, upper] = self.ratios;
        Table::new(format!("E-values, from {}", self.from))
            .columns(["", "Risk ratio", "E-value"])
            .row([Cell::text("estimate"), shown(ratio), shown(self.e_value())])
            .row([
                Cell::text("limit nearer to the null"),
                shown(if ratio > self.null { lower } else { upper }),
                shown(self.e_value_of_limit()),
            ])
            .note(format!(
                "A confounder must multiply the risk of treatment and of the outcome by at least the E-value for the truth to be {}.",
                shown(self.null)
            ))
    }
}

crate::report::notebook::shown!(ConfoundingEValue);

impl RatioScale {
    fn risk(self, ratio: f64) -> f64 {
        match self {
            Self::Risk | Self::OddsOfRare | Self::HazardOfRare => ratio,
            Self::OddsOfCommon => ratio.sqrt(),
            Self::HazardOfCommon => {
                // 1 − 0.5^x without cancellation.
                let share = |x: f64| -(-std::f64::consts::LN_2 * x).exp_m1();
                let root = ratio.sqrt();
                share(root) / share(1.0 / root)
            }
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Risk => "a risk ratio",
            Self::OddsOfRare => "an odds ratio of a rare outcome",
            Self::OddsOfCommon => "an odds ratio of a common outcome",
            Self::HazardOfRare => "a hazard ratio of a rare event",
            Self::HazardOfCommon => "a hazard ratio of a common event",
        }
    }
}

fn strength(ratio: f64) -> f64 {
    let ratio = ratio.max(1.0 / ratio);
    ratio + (ratio * (ratio - 1.0)).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_confounder_of_the_e_value_explains_the_ratio_and_a_weaker_one_does_not() {
        for ratio in [1.0, 1.2, 0.4, 3.9, 17.0] {
            let e = ConfoundingEValue::new(RatioScale::Risk, ratio, ratio, ratio).unwrap();
            let factor = |s: f64| ConfoundingEValue::bounding_factor(s, s).unwrap();
            let wanted = ratio.max(1.0 / ratio);
            assert!((factor(e.e_value()) - wanted).abs() < 1e-12 * wanted);
            assert!((e.against(ratio).unwrap().e_value() - 1.0).abs() < 1e-7);
        }
    }

    #[test]
    fn common_outcomes_shrink_ratios_alike_on_both_sides() {
        for scale in [RatioScale::OddsOfCommon, RatioScale::HazardOfCommon] {
            let up = ConfoundingEValue::new(scale, 3.0, 2.0, 4.5).unwrap();
            let down = ConfoundingEValue::new(scale, 1.0 / 3.0, 1.0 / 4.5, 0.5).unwrap();
            assert!(up.risk_ratio() < 3.0);
            assert!((up.e_value() - down.e_value()).abs() < 1e-12);
            assert!((up.e_value_of_limit() - down.e_value_of_limit()).abs() < 1e-12);
        }
        // (1 − 2^−x)/(1 − 2^(−1/x)) with x = 10²⁰ is x/ln 2.
        let far = RatioScale::HazardOfCommon.risk(1e40);
        assert!((far * std::f64::consts::LN_2 / 1e20 - 1.0).abs() < 1e-12);
        let d = ConfoundingEValue::standardized(0.5, 0.1, 0.95).unwrap();
        assert!((d.risk_ratio() - 0.455_f64.exp()).abs() < 1e-12);
        // Chinn's and VanderWeele's limits: exp(0.91 d ± 1.78 se).
        assert!((d.ratios[1] - (0.455_f64 - 0.178_356_8).exp()).abs() < 1e-6);
        let holds = ConfoundingEValue::standardized(0.1, 0.1, 0.95).unwrap();
        assert!((holds.e_value_of_limit() - 1.0).abs() < 1e-15 && holds.e_value() > 1.0);
    }

    #[test]
    fn bad_ratios_are_named() {
        let text = |l: f64, r: f64, u: f64| {
            ConfoundingEValue::new(RatioScale::Risk, r, l, u)
                .unwrap_err()
                .to_string()
        };
        assert!(text(0.0, 1.0, 2.0).contains("`lower` is 0"));
        assert!(text(1.0, f64::NAN, 2.0).contains("`ratio`"));
        assert!(text(2.0, 1.5, 3.0).contains("at most the ratio"));
        assert!(ConfoundingEValue::bounding_factor(0.5, 2.0).is_err());
        assert!(ConfoundingEValue::standardized(0.5, -1.0, 0.95).is_err());
        let e = ConfoundingEValue::new(RatioScale::Risk, 2.0, 1.5, 3.0).unwrap();
        assert!(e.clone().against(0.0).is_err());
        assert!(e.to_string().contains("3.4142"));
    }
}
