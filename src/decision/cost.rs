//! What the work costs the customer, in money: mental cost that falls with ability, material cost, and the tool that takes a share
//! of both.

use serde::{Deserialize, Serialize};

use super::belief::Belief;
use crate::error::{Error, Result};

/// The cost of co-creating, in money: `C = c_m e exp(−κ a) + c_0` with effort e and ability a.
///
/// The customer does not know a. The *anticipated* cost is its mean under the belief `N(m, v)`,
/// `C̄ = c_m e exp(−κ m + κ² v/2) + c_0` (the mean of a log-normal): more uncertainty, more anticipated cost.
///
/// ```
/// use cocreate::participation::{Belief, Cost};
/// let cost = Cost { mental: 2.0, material: 0.5, relief: 1.0 };
/// let belief = Belief::new(0.0, 2.0)?;
/// assert!((cost.anticipated(belief, 1.0) - (2.0 * 1.0f64.exp() + 0.5)).abs() < 1e-15);
/// assert_eq!(cost.realised(0.0, 1.0), 2.5);
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cost {
    /// c_m: money per unit of effort at ability zero.
    pub mental: f64,
    /// c_0: money, whatever the effort.
    pub material: f64,
    /// κ: how much a unit of ability relieves, on the log scale of the mental cost.
    pub relief: f64,
}

impl Cost {
    /// A cost of nothing but money.
    pub const fn material(material: f64) -> Self {
        Self {
            mental: 0.0,
            material,
            relief: 0.0,
        }
    }

    /// The cost itself, if every part is finite and mental cost and relief are not negative.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] naming the part. A negative material cost is allowed: work may be enjoyed.
    pub fn checked(self) -> Result<Self> {
        for (name, value) in [("mental cost", self.mental), ("relief", self.relief)] {
            if !(value >= 0.0 && value.is_finite()) {
                return Err(Error::invalid_option(
                    name,
                    value,
                    "zero or a positive finite number",
                ));
            }
        }
        if !self.material.is_finite() {
            return Err(Error::invalid_option(
                "material cost",
                self.material,
                "a finite number",
            ));
        }
        Ok(self)
    }

    /// C at the true ability.
    #[inline]
    pub fn realised(self, ability: f64, effort: f64) -> f64 {
        self.slope_at(-self.relief * ability) * effort + self.material
    }

    /// C̄, what the customer expects to pay.
    #[inline]
    pub fn anticipated(self, belief: Belief, effort: f64) -> f64 {
        self.anticipated_slope(belief) * effort + self.material
    }

    /// ∂C̄/∂e = c_m exp(−κ m + κ² v/2), the same for every effort.
    #[inline]
    pub fn anticipated_slope(self, belief: Belief) -> f64 {
        self.slope_at(-self.relief * (belief.mean() - 0.5 * self.relief * belief.variance()))
    }

    #[inline]
    fn slope_at(self, exponent: f64) -> f64 {
        if self.relief > 0.0 {
            self.mental * exponent.exp()
        } else {
            self.mental
        }
    }

    /// The cost of a customer who has *learned it beforehand*: κ is spent on the known ability, and nothing is left uncertain. Value
    /// forms with risk aversion need it (or κ = 0), since the expected utility of a log-normal loss does not exist under CARA.
    #[inline]
    pub fn learned(self, ability: f64) -> Self {
        Self {
            mental: self.slope_at(-self.relief * ability),
            material: self.material,
            relief: 0.0,
        }
    }
}

/// A tool that helps the customer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub enum Tool {
    /// No tool.
    #[default]
    None,
    /// Takes away the share c_T ∈ [0, 1] of the whole cost C.
    Share(f64),
    /// Lowers the difficulty by d_T, in units of ability.
    Difficulty(f64),
}

impl Tool {
    /// What is left of the cost: 1 − c_T.
    #[inline]
    pub const fn cost_left(self) -> f64 {
        match self {
            Self::Share(share) => 1.0 - share,
            Self::None | Self::Difficulty(_) => 1.0,
        }
    }

    /// By how much the task becomes easier: d_T.
    #[inline]
    pub const fn easing(self) -> f64 {
        match self {
            Self::Difficulty(by) => by,
            Self::None | Self::Share(_) => 0.0,
        }
    }

    /// The tool itself, if its strength makes sense.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for a share outside [0, 1] or an easing that is not finite.
    pub fn checked(self) -> Result<Self> {
        match self {
            Self::Share(share) if !(0.0..=1.0).contains(&share) => Err(Error::invalid_option(
                "tool share",
                share,
                "between 0 and 1 (the share of the cost that the tool takes away)",
            )),
            Self::Difficulty(by) if !by.is_finite() => Err(Error::invalid_option(
                "tool difficulty",
                by,
                "a finite number",
            )),
            _ => Ok(self),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_learned_cost_is_the_realised_one_whatever_is_believed() {
        let cost = Cost {
            mental: 0.8,
            material: 0.2,
            relief: 0.6,
        };
        let learned = cost.learned(1.3);
        let belief = Belief::new(-4.0, 3.0).unwrap();
        assert_eq!(learned.anticipated(belief, 2.0), cost.realised(1.3, 2.0));
        assert_eq!(learned.relief, 0.0);
    }

    #[test]
    fn bad_parts_are_named() {
        let cost = Cost::material(1.0);
        let bad = Cost {
            mental: -1.0,
            ..cost
        };
        assert!(bad.checked().unwrap_err().to_string().contains("mental"));
        let bad = Cost {
            relief: f64::NAN,
            ..cost
        };
        assert!(bad.checked().unwrap_err().to_string().contains("relief"));
        assert!(Tool::Share(1.2).checked().is_err());
        assert!(Tool::Difficulty(f64::NAN).checked().is_err());
        assert!(Cost::material(-0.3).checked().is_ok());
    }
}
