//! What is asked of a design, checked at one place.

use super::boundary::{EfficacyBoundary, SpendingFunction};
use super::result::GroupSequentialDesign;
use super::solve::Asked;
use crate::error::{Error, Result};
use crate::inference::Alternative;
use serde::{Deserialize, Serialize};

/// Most looks of a design; boundaries hardly change beyond.
const MOST_LOOKS: usize = 100;

/// The smallest increment of information between looks, as a share of all: nearer looks are one.
pub(super) const SMALLEST_STEP: f64 = 1e-4;

/// A group-sequential design: an experiment that is looked at a few times and may stop at each.
///
/// The estimates `θ̂ₖ` at looks k = 1 … K have information `Iₖ = 1/se²`, and their statistics `Zₖ = θ̂ₖ √Iₖ` are, in large samples, jointly normal
/// with means `θ √Iₖ` and correlations `√(Iⱼ/Iₖ)`, j < k, whatever efficient estimator they come from. The design finds bounds bₖ with
///
/// `P(Z₁ ≥ b₁ or … or Z_K ≥ b_K | θ = 0) = α`
///
/// (α/2 on either side of a two-sided test), and the information that gives the power at an effect.
///
/// | name | default | meaning | range |
/// |---|---|---|---|
/// | looks or `fractions` | | number of equally spaced looks, or the information fractions | 1 to 100; increasing, the last 1 |
/// | `alpha` | 0.05 | level | 10⁻⁸ to 0.4 |
/// | `power` | 0.8 | power in the direction of the effect | above `alpha`, below 1 |
/// | `alternative` | two-sided | the claim | |
/// | `efficacy` | O'Brien–Fleming | bounds of stops for an effect | see [`EfficacyBoundary`] |
/// | `futility` | none | how the second error is spent on stops without an effect | see [`SpendingFunction`] |
/// | `binding` | no | whether the level counts on stops for futility | with spending of the level only |
///
/// A futility bound aₖ spends `P(no stop before k, Zₖ ≤ aₖ | θ = δ)`; of a two-sided test it is a wedge, `|Zₖ| ≤ aₖ`, and the second error counts
/// stops on the wrong side, too. A bound that is not binding may be overruled: the level holds whether or not it is followed.
///
/// # Errors
/// [`Error::InvalidOption`] for numbers out of range, fractions that do not increase by at least 10⁻⁴ or pass one, a Haybittle–Peto constant
/// that leaves nothing for the last look, a binding bound without spending of the level, and a second error spent so early that the bounds meet
/// before the last look.
///
/// # References
/// Jennison & Turnbull (2000), *Group Sequential Methods with Applications to Clinical Trials*; Pocock (1977), doi:10.1093/biomet/64.2.191;
/// O'Brien & Fleming (1979), doi:10.2307/2530245; Wang & Tsiatis (1987), doi:10.2307/2531959; Lan & DeMets (1983),
/// doi:10.1093/biomet/70.3.659; Hwang, Shih & DeCani (1990), doi:10.1002/sim.4780091207; Pampallona, Tsiatis & Kim (2001),
/// doi:10.1177/009286150103500408 (spending of both errors).
///
/// # Examples
/// ```
/// use cocreate::prelude::*;
/// let design = GroupSequential::new(5).power(0.9).design()?;
/// assert!((design.looks[0].efficacy - 4.561_74).abs() < 1e-5);
/// assert!((design.inflation - 1.026).abs() < 1e-3); // the price of five looks
/// assert!(design.under_alternative.expected_information < 0.76); // what they save when the effect is there
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GroupSequential {
    fractions: Vec<f64>,
    alpha: f64,
    power: f64,
    alternative: Alternative,
    efficacy: EfficacyBoundary,
    futility: Option<SpendingFunction>,
    binding: bool,
}

impl GroupSequential {
    /// A design with this many looks, the last one included, after equal amounts of information.
    pub fn new(looks: usize) -> Self {
        // More than allowed are refused by `design`.
        let looks = looks.min(MOST_LOOKS + 1);
        Self::fractions((1..=looks).map(|k| k as f64 / looks as f64))
    }

    /// A design with looks at these fractions of the information; the last one is 1.
    pub fn fractions(fractions: impl IntoIterator<Item = f64>) -> Self {
        Self {
            fractions: fractions.into_iter().collect(),
            alpha: 0.05,
            power: 0.8,
            alternative: Alternative::TwoSided,
            efficacy: EfficacyBoundary::OBrienFleming,
            futility: None,
            binding: false,
        }
    }

    /// Sets the level.
    pub fn alpha(mut self, alpha: f64) -> Self {
        self.alpha = alpha;
        self
    }

    /// Sets the power.
    pub fn power(mut self, power: f64) -> Self {
        self.power = power;
        self
    }

    /// Sets the claim.
    pub fn alternative(mut self, alternative: Alternative) -> Self {
        self.alternative = alternative;
        self
    }

    /// Sets the bounds of stops for an effect.
    pub fn efficacy(mut self, boundary: EfficacyBoundary) -> Self {
        self.efficacy = boundary;
        self
    }

    /// Stops without an effect, too, spending the second error `1 − power` in this way.
    pub fn futility(mut self, spending: SpendingFunction) -> Self {
        self.futility = Some(spending);
        self
    }

    /// Whether the level counts on stops for futility: bounds are a little lower, and must then be followed.
    pub fn binding(mut self, binding: bool) -> Self {
        self.binding = binding;
        self
    }

    /// The design.
    ///
    /// # Errors
    /// See [`GroupSequential`].
    pub fn design(&self) -> Result<GroupSequentialDesign> {
        self.check()?;
        let two_sided = self.alternative == Alternative::TwoSided;
        let asked = Asked {
            fractions: &self.fractions,
            alpha: if two_sided {
                0.5 * self.alpha
            } else {
                self.alpha
            },
            power: self.power,
            two_sided,
            efficacy: self.efficacy,
            futility: self.futility,
            binding: self.binding && self.futility.is_some(),
        };
        GroupSequentialDesign::new(&asked, self.alpha, self.alternative)
    }

    fn check(&self) -> Result<()> {
        /// Below, the normal approximation of any statistic is fiction.
        const SMALLEST_LEVEL: f64 = 1e-8;
        const LARGEST_LEVEL: f64 = 0.4;
        let looks = self.fractions.len();
        if looks == 0 || looks > MOST_LOOKS {
            return Err(Error::invalid_option(
                "looks",
                looks,
                format!("between 1 and {MOST_LOOKS}"),
            ));
        }
        let mut before = 0.0;
        for (k, t) in self.fractions.iter().enumerate() {
            let enough = t - before >= SMALLEST_STEP;
            if !enough || *t > 1.0 {
                return Err(Error::invalid_option(
                    "fractions",
                    format!("{t} at look {}", k + 1),
                    format!(
                        "at least {SMALLEST_STEP} above the one before, {before}, and at most 1: shares of the information of the last look"
                    ),
                ));
            }
            before = *t;
        }
        if before < 1.0 {
            return Err(Error::invalid_option(
                "fractions",
                format!("{before} at the last look"),
                "1 at the last look: divide all fractions by the last one",
            ));
        }
        if !(SMALLEST_LEVEL..=LARGEST_LEVEL).contains(&self.alpha) {
            return Err(Error::invalid_option(
                "alpha",
                self.alpha,
                format!("between {SMALLEST_LEVEL} and {LARGEST_LEVEL}"),
            ));
        }
        if !(self.power > self.alpha && self.power < 1.0) {
            return Err(Error::invalid_option(
                "power",
                self.power,
                format!("above the level {} and below 1", self.alpha),
            ));
        }
        self.efficacy.check()?;
        if let Some(futility) = self.futility {
            futility.check("futility")?;
            let spends = matches!(self.efficacy, EfficacyBoundary::Spending(_));
            if self.binding && !spends {
                return Err(Error::invalid_option(
                    "binding",
                    format!("true with {}", self.efficacy),
                    "false, or with `.efficacy(EfficacyBoundary::Spending(…))`: the shape of the other bounds is defined without stops for futility",
                ));
            }
        }
        Ok(())
    }
}
