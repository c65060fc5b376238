//! The task and the terms on which the firm offers it.

use serde::{Deserialize, Serialize};

use super::cost::Tool;
use crate::error::{Error, Result};

/// What is to be done: quality is `q = a + γ ln(1+e) − d + ξ`, `ξ ~ N(0, 1)`, and the task succeeds when q > 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Task {
    /// d, in units of ability.
    pub difficulty: f64,
    /// γ ≥ 0: what effort adds to quality, per unit of ln(1+e).
    pub effort_return: f64,
}

impl Task {
    /// γ ln(1+e) − d, what is added to ability.
    #[inline]
    pub fn lift(self, effort: f64) -> f64 {
        self.effort_return * effort.ln_1p() - self.difficulty
    }
}

/// The firm's terms and the customer's stakes, all in money.
///
/// ```
/// use cocreate::participation::{Terms, Tool};
/// let terms = Terms { price: 1.0, coupon: 0.2, taste: 2.0, tool: Tool::Share(0.5), ..Terms::default() }.checked()?;
/// assert_eq!(terms.price_paid(), 0.8);
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Terms {
    /// p.
    pub price: f64,
    /// What a coupon takes off the price.
    pub coupon: f64,
    /// u_0: what the customer has without buying.
    pub outside: f64,
    /// G ≥ 0: what the firm pays when the task fails.
    pub guarantee: f64,
    /// The tool on offer.
    pub tool: Tool,
    /// V: gross value of success (binary forms).
    pub value_success: f64,
    /// L: gross value of failure after trying (binary forms).
    pub value_failure: f64,
    /// L_0: gross value when the customer, having paid, gives up before trying.
    pub value_abandon: f64,
    /// θ ≥ 0: money value of one unit of quality (continuous forms).
    pub taste: f64,
}

impl Terms {
    /// p less the coupon. A coupon above the price pays the customer.
    #[inline]
    pub fn price_paid(self) -> f64 {
        self.price - self.coupon
    }

    /// The terms themselves, if every number is finite, and coupon, guarantee and taste are not negative.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] naming the number.
    #[inline]
    pub fn checked(self) -> Result<Self> {
        let finite = [
            self.price,
            self.outside,
            self.value_success,
            self.value_failure,
            self.value_abandon,
        ];
        let positive = [self.coupon, self.guarantee, self.taste];
        if finite.iter().all(|x| x.is_finite())
            && positive.iter().all(|x| *x >= 0.0 && x.is_finite())
        {
            self.tool.checked()?;
            Ok(self)
        } else {
            Err(self.fault())
        }
    }

    #[cold]
    fn fault(self) -> Error {
        for (name, value) in [
            ("price", self.price),
            ("outside", self.outside),
            ("value_success", self.value_success),
            ("value_failure", self.value_failure),
            ("value_abandon", self.value_abandon),
        ] {
            if !value.is_finite() {
                return Error::invalid_option(name, value, "a finite number of money");
            }
        }
        for (name, value) in [("coupon", self.coupon), ("guarantee", self.guarantee)] {
            if !(value >= 0.0 && value.is_finite()) {
                return Error::invalid_option(name, value, "zero or a positive number of money");
            }
        }
        Error::invalid_option(
            "taste",
            self.taste,
            "zero or a positive number (money per unit of quality)",
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bad_terms_are_named() {
        let fair = Terms::default();
        for (terms, name) in [
            (
                Terms {
                    price: f64::NAN,
                    ..fair
                },
                "price",
            ),
            (
                Terms {
                    guarantee: -1.0,
                    ..fair
                },
                "guarantee",
            ),
            (
                Terms {
                    taste: f64::INFINITY,
                    ..fair
                },
                "taste",
            ),
            (
                Terms {
                    tool: Tool::Share(-0.1),
                    ..fair
                },
                "tool share",
            ),
        ] {
            let error = terms.checked().unwrap_err().to_string();
            assert!(error.contains(name), "{error}");
        }
    }
}
