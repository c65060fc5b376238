//! What a fitted market can say of a policy, and where it goes beyond its data.

use super::fitted::FittedCustomers;
use super::policy::Policy;
use crate::data::Frame;
use crate::decision::Tool;
use crate::error::{Error, Result, Warning};
use crate::simulate::PurchaseTiming;

impl FittedCustomers {
    /// Values of columns beyond those of the data.
    pub(super) fn check_support(
        &self,
        who: &str,
        columns: &[(String, f64)],
        warnings: &mut Vec<Warning>,
    ) -> Result<()> {
        let frame = &self.fit.likelihood().parts("a counterfactual")?.frame;
        for (column, value) in columns {
            let [low, high] = range(frame.numeric(column)?.values());
            if !(low..=high).contains(value) {
                warnings.push(Warning::Note {
                    message: format!(
                        "{who} sets `{column}` to {value}, outside {low} to {high} of the data: an extrapolation"
                    ),
                });
            }
        }
        Ok(())
    }

    /// What is refused, and what goes beyond the data.
    pub(super) fn check(&self, policy: &Policy, warnings: &mut Vec<Warning>) -> Result<()> {
        let name = policy.name();
        let share = matches!(policy.tool, Tool::Share(s) if s > 0.0);
        if share && self.work_cost.is_none() {
            return Err(Error::Unidentified {
                what: format!("the tool of policy `{name}`: a share of an unknown cost"),
                needs: "the cost of the work (Market::work_cost), or a column of the tool (Policy::tool_column)".to_owned(),
            });
        }
        let before = policy.timing == Some(PurchaseTiming::BeforePurchase);
        if before && (self.work_cost.is_none() || self.price.is_none()) {
            return Err(Error::Unidentified {
                what: format!(
                    "the timing of policy `{name}`: choices give the sum of cost, price and outside option"
                ),
                needs: "the price and the cost of the work (Market::price, Market::work_cost)"
                    .to_owned(),
            });
        }
        for columns in [&policy.lessons, &policy.tools] {
            self.check_support(&format!("`{name}`"), columns, warnings)?;
        }
        let frame = &self.fit.likelihood().parts("a counterfactual")?.frame;
        let mut note = |message: String| warnings.push(Warning::Note { message });
        if let Some(column) = self.fit.signals_column()
            && policy.signals > 0
        {
            let [_, most] = range(frame.numeric(column)?.values());
            if f64::from(policy.signals) > most {
                note(format!(
                    "`{name}` gives {} signals, more than the {most} of the data: an extrapolation by Bayes' rule",
                    policy.signals
                ));
            }
        }
        match self.fit.guarantee_column() {
            _ if policy.guarantee <= 0.0 => {}
            None => note(format!(
                "the guarantee of `{name}` was not in the data: its value to customers follows from their beliefs and risk aversion {} as said",
                self.risk_aversion.unwrap_or(0.0)
            )),
            Some(column) => {
                let [_, most] = range(frame.numeric(column)?.values());
                let [_, here] = range(set(&self.frame, &self.base)?.numeric(column)?.values());
                if policy.guarantee + here > most {
                    note(format!(
                        "`{name}` pays up to {} on failure, more than the {most} of the data: an extrapolation",
                        policy.guarantee + here
                    ));
                }
            }
        }
        if let Some(money) = self.fit.money_column()
            && policy.coupon > 0.0
            && let Ok(values) = frame.numeric(money)
        {
            let [low, high] = range(values.values());
            if policy.coupon > high - low {
                note(format!(
                    "the coupon of `{name}` is larger than the range {} of `{money}`: an extrapolation",
                    high - low
                ));
            }
        }
        if policy.productivity.abs() > 0.0 || policy.persuasion.abs() > 0.0 {
            note(format!(
                "productivity and persuasion of `{name}` are assumed, not estimated"
            ));
        }
        Ok(())
    }
}

fn range(values: &[f64]) -> [f64; 2] {
    let known = values.iter().filter(|v| !v.is_nan());
    known.fold([f64::INFINITY, f64::NEG_INFINITY], |[low, high], v| {
        [low.min(*v), high.max(*v)]
    })
}

pub(super) fn set(frame: &Frame, columns: &[(String, f64)]) -> Result<Frame> {
    let mut frame = frame.clone();
    for (column, value) in columns {
        let is_flag = frame.flag(column).is_ok();
        frame = if is_flag {
            if (value * (1.0 - value)).abs() > 0.0 {
                let expected = "0 or 1: the column is a flag";
                return Err(Error::invalid_option(
                    &format!("`{column}`"),
                    value,
                    expected,
                ));
            }
            frame.replace(column.as_str(), vec![*value > 0.5; frame.rows()])?
        } else {
            // Says which columns there are where it is none.
            frame.numeric(column)?;
            frame.replace(column.as_str(), vec![*value; frame.rows()])?
        };
    }
    Ok(frame)
}
