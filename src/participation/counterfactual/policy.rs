//! What the firm does: a policy, and the levers it moves.

use crate::decision::{Signals, Tool};
use crate::error::{Error, Result};
use crate::simulate::PurchaseTiming;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A channel by which a policy acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Lever {
    /// Signals about the own ability.
    Information,
    /// Ability rises, and customers know it.
    Productivity,
    /// Beliefs rise, ability stays.
    Persuasion,
    /// Customers are told how far people like them misjudge themselves.
    Disclosure,
    /// The tool: less cost, or an easier task.
    Cost,
    /// Money back on failure.
    Guarantee,
    /// Money off the price.
    Coupon,
    /// The price is announced before the work.
    Commitment,
    /// When the customer pays.
    Timing,
}

impl Lever {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Information,
        Self::Productivity,
        Self::Persuasion,
        Self::Disclosure,
        Self::Cost,
        Self::Guarantee,
        Self::Coupon,
        Self::Commitment,
        Self::Timing,
    ];
}

impl fmt::Display for Lever {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Information => "information",
            Self::Productivity => "productivity",
            Self::Persuasion => "persuasion",
            Self::Disclosure => "disclosure",
            Self::Cost => "cost",
            Self::Guarantee => "guarantee",
            Self::Coupon => "coupon",
            Self::Commitment => "price commitment",
            Self::Timing => "timing",
        })
    }
}

/// What the firm does to every customer, over and above what stands: education by three channels, a tool, a guarantee, a coupon, disclosure, a price
/// commitment, another timing; and what that costs it.
///
/// ```
/// use cocreate::prelude::*;
/// let teach = Policy::new("teach").signals(4).productivity(0.2).cost(0.05);
/// let insure = Policy::new("insure").guarantee(0.5);
/// assert_eq!(teach.name(), "teach");
/// # let _ = insure;
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Policy {
    pub(super) name: String,
    pub(super) signals: u32,
    pub(super) productivity: f64,
    pub(super) persuasion: f64,
    pub(super) disclosure: f64,
    pub(super) tool: Tool,
    pub(super) guarantee: f64,
    pub(super) coupon: f64,
    pub(super) commitment: bool,
    pub(super) timing: Option<PurchaseTiming>,
    pub(super) cost: f64,
    /// Columns of a fitted model.
    pub(super) lessons: Vec<(String, f64)>,
    pub(super) tools: Vec<(String, f64)>,
}

impl Policy {
    /// A policy that does nothing yet.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            signals: 0,
            productivity: 0.0,
            persuasion: 0.0,
            disclosure: 0.0,
            tool: Tool::None,
            guarantee: 0.0,
            coupon: 0.0,
            commitment: false,
            timing: None,
            cost: 0.0,
            lessons: vec![],
            tools: vec![],
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Education informs: n signals about ability, of the variance of the market's.
    pub fn signals(mut self, count: u32) -> Self {
        self.signals = count;
        self
    }

    /// Education trains: ability rises by Δ_E (assumed), and the customer knows it.
    pub fn productivity(mut self, rise: f64) -> Self {
        self.productivity = rise;
        self
    }

    /// Education persuades: beliefs rise by b_E (assumed), ability stays.
    pub fn persuasion(mut self, rise: f64) -> Self {
        self.persuasion = rise;
        self
    }

    /// Tells customers the mean overconfidence of people like them, of which they take back this share.
    pub fn disclosure(mut self, share: f64) -> Self {
        self.disclosure = share;
        self
    }

    /// A tool of known strength.
    pub fn tool(mut self, tool: Tool) -> Self {
        self.tool = tool;
        self
    }

    /// Pays G to those who take part and fail.
    pub fn guarantee(mut self, payment: f64) -> Self {
        self.guarantee = payment;
        self
    }

    /// Takes money off the price.
    pub fn coupon(mut self, money: f64) -> Self {
        self.coupon = money;
        self
    }

    /// Announces the price before the work, where it is otherwise set after it ([`Market::holds_up`](super::Market::holds_up)).
    pub fn commitment(mut self) -> Self {
        self.commitment = true;
        self
    }

    /// Moves the payment.
    pub fn timing(mut self, timing: PurchaseTiming) -> Self {
        self.timing = Some(timing);
        self
    }

    /// What it costs the firm for each customer to whom it is offered (K_E).
    pub fn cost(mut self, per_customer: f64) -> Self {
        self.cost = per_customer;
        self
    }

    /// Sets a column of a fitted model that is a lesson: its effect on the index of success is productivity, and what is left of its effect on the
    /// choice is persuasion.
    pub fn lesson(mut self, column: impl Into<String>, value: f64) -> Self {
        self.lessons.push((column.into(), value));
        self
    }

    /// Sets a column of a fitted model that is a tool: its effect on the choice is a cost that customers save, as they know.
    pub fn tool_column(mut self, column: impl Into<String>, value: f64) -> Self {
        self.tools.push((column.into(), value));
        self
    }

    /// The levers it moves.
    pub fn levers(&self) -> Vec<Lever> {
        let lesson = !self.lessons.is_empty();
        let moved = |lever: Lever| match lever {
            Lever::Information => self.signals > 0,
            Lever::Productivity => self.productivity.abs() > 0.0 || lesson,
            Lever::Persuasion => self.persuasion.abs() > 0.0 || lesson,
            Lever::Disclosure => self.disclosure.abs() > 0.0,
            Lever::Cost => self.tool != Tool::None || !self.tools.is_empty(),
            Lever::Guarantee => self.guarantee > 0.0,
            Lever::Coupon => self.coupon > 0.0,
            Lever::Commitment => self.commitment,
            Lever::Timing => self.timing.is_some(),
        };
        Lever::ALL.into_iter().filter(|l| moved(*l)).collect()
    }

    pub(super) fn check(&self) -> Result<()> {
        self.tool.checked()?;
        let named = |name: &str| format!("{name} of `{}`", self.name);
        for (name, value) in [
            ("productivity", self.productivity),
            ("persuasion", self.persuasion),
            ("cost", self.cost),
        ] {
            if !value.is_finite() {
                return Err(Error::invalid_option(
                    &named(name),
                    value,
                    "a finite number",
                ));
            }
        }
        for (name, value) in [("guarantee", self.guarantee), ("coupon", self.coupon)] {
            if !(value >= 0.0 && value.is_finite()) {
                let expected = "zero or a positive number of money";
                return Err(Error::invalid_option(&named(name), value, expected));
            }
        }
        if !(0.0..=1.0).contains(&self.disclosure) {
            let expected = "a share between 0 and 1";
            return Err(Error::invalid_option(
                &named("disclosure"),
                self.disclosure,
                expected,
            ));
        }
        Ok(())
    }
}

/// What a policy does to one customer, in numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Moved {
    pub(super) signals: u32,
    pub(super) productivity: f64,
    pub(super) persuasion: f64,
    pub(super) disclosure: f64,
    pub(super) tool: Tool,
    /// Money that a tool of a fitted model saves, and by how much it eases the task.
    pub(super) saving: f64,
    pub(super) easing: f64,
    pub(super) guarantee: f64,
    pub(super) coupon: f64,
    pub(super) commitment: bool,
    pub(super) timing: Option<PurchaseTiming>,
    pub(super) cost: f64,
}

impl Moved {
    pub(super) fn of(policy: &Policy) -> Self {
        Self {
            signals: policy.signals,
            productivity: policy.productivity,
            persuasion: policy.persuasion,
            disclosure: policy.disclosure,
            tool: policy.tool,
            saving: 0.0,
            easing: 0.0,
            guarantee: policy.guarantee,
            coupon: policy.coupon,
            commitment: policy.commitment,
            timing: policy.timing,
            cost: policy.cost,
        }
    }

    /// The same with these levers alone; the firm's outlay stays.
    pub(super) fn only(mut self, levers: &[Lever]) -> Self {
        let kept = |lever: Lever| levers.contains(&lever);
        if !kept(Lever::Information) {
            self.signals = 0;
        }
        if !kept(Lever::Productivity) {
            self.productivity = 0.0;
        }
        if !kept(Lever::Persuasion) {
            self.persuasion = 0.0;
        }
        if !kept(Lever::Disclosure) {
            self.disclosure = 0.0;
        }
        if !kept(Lever::Cost) {
            (self.tool, self.saving, self.easing) = (Tool::None, 0.0, 0.0);
        }
        if !kept(Lever::Guarantee) {
            self.guarantee = 0.0;
        }
        if !kept(Lever::Coupon) {
            self.coupon = 0.0;
        }
        if !kept(Lever::Commitment) {
            self.commitment = false;
        }
        if !kept(Lever::Timing) {
            self.timing = None;
        }
        self
    }

    /// The signals of a market where each has this variance.
    pub(super) fn information(&self, variance: f64) -> Signals {
        Signals::new(1, variance).map_or(Signals::NONE, |one| one.with_count(self.signals))
    }
}
