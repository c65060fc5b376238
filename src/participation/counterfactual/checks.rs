//! What a market refuses before anything is worked out.

use super::market::{Market, Source, Uncertainty};
use super::policy::Policy;
use crate::decision::{Belief, HoldUp, TasteShock};
use crate::error::{Error, Result};
use crate::simulate::PurchaseTiming;

impl Market {
    pub(super) fn check(&self) -> Result<()> {
        if let Some(name) = self.misplaced {
            let expected =
                "left out in a market that is not fitted: its customers have it themselves";
            return Err(Error::invalid_option(name, "set", expected));
        }
        if let Source::Listed(customers) = &self.source {
            if self.uncertainty != Uncertainty::Delta {
                let expected = "the default where nothing is estimated";
                return Err(Error::invalid_option(
                    "uncertainty",
                    "draws of estimates",
                    expected,
                ));
            }
            if let (Some(k), PurchaseTiming::BeforePurchase) = (self.hold_up, self.timing) {
                // What the game refuses, it refuses of the first customer.
                let first = &customers[0];
                let belief = Belief::new(first.belief, first.belief_variance)?;
                HoldUp::solve(&first.situation, belief, k)?;
            }
        }
        if let Some(variance) = self.signal_variance
            && !(variance > 0.0 && variance.is_finite())
        {
            let expected = "positive and finite";
            return Err(Error::invalid_option("signal_variance", variance, expected));
        }
        let costs = [
            ("unit_cost", Some(self.unit_cost)),
            ("marginal cost", self.hold_up),
        ];
        for (name, value) in costs {
            if let Some(value) = value
                && !value.is_finite()
            {
                return Err(Error::invalid_option(
                    name,
                    value,
                    "a finite number of money",
                ));
            }
        }
        match self.shock {
            TasteShock::Logit(scale) | TasteShock::Probit(scale)
                if !(scale >= 0.0 && scale.is_finite()) =>
            {
                let expected = "a scale of zero or above";
                Err(Error::invalid_option("shock", scale, expected))
            }
            _ => Ok(()),
        }
    }

    /// What a policy needs of the market.
    pub(super) fn check_policy(&self, policy: &Policy) -> Result<()> {
        let name = policy.name();
        let unidentified = |what: &str, needs: &str| {
            Err(Error::Unidentified {
                what: format!("{what} of policy `{name}`"),
                needs: needs.to_owned(),
            })
        };
        let listed = matches!(self.source, Source::Listed(_));
        if policy.signals > 0 && listed && self.signal_variance.is_none() {
            return unidentified(
                "the information",
                "the variance of a signal (Market::signal_variance)",
            );
        }
        if listed && !(policy.lessons.is_empty() && policy.tools.is_empty()) {
            return Err(Error::invalid_option(
                "lesson or tool_column",
                name,
                "for a fitted market only: an assumed one has no columns",
            ));
        }
        let timing = policy.timing.unwrap_or(self.timing);
        let before = timing == PurchaseTiming::BeforePurchase;
        if policy.guarantee > 0.0 && before {
            return unidentified(
                "the guarantee",
                "payment before the work: who designs first has seen the quality when paying",
            );
        }
        if self.interim.count() > 0 && before {
            return unidentified(
                "the interim signals",
                "payment before the work: nothing lies between payment and work otherwise",
            );
        }
        if policy.commitment && (self.hold_up.is_none() || !before) {
            return unidentified(
                "the price commitment",
                "a firm that sets its price after the design (Market::holds_up), and designs before the purchase",
            );
        }
        Ok(())
    }
}
