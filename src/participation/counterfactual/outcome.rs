//! What is counted of a policy.

use serde::{Deserialize, Serialize};
use std::fmt;

/// What is counted, as a mean over the customers of a market.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Outcome {
    /// The share who buy.
    Purchase,
    /// The share who take part.
    Participation,
    /// The share who take part and succeed.
    Success,
    /// Consumer surplus as customers foresee it when they choose: `E max{0, U − u_0 + ε}`, in money. With a logit shock it is the log-sum.
    AnticipatedSurplus,
    /// Consumer surplus as it turns out: the anticipated one plus `P(V^e − V^a)`.
    ExperiencedSurplus,
    /// What the log-sum credits falsely: anticipated less experienced surplus.
    FalseConfidence,
    /// Π, the firm's profit.
    Profit,
    /// Experienced surplus and profit.
    Welfare,
}

/// Outcomes that are worked out; the others follow from them.
pub(super) const CORE: usize = 6;

/// All of them.
pub(super) const COUNT: usize = 8;

impl Outcome {
    /// All of them, in the order of tables.
    pub const ALL: [Self; COUNT] = [
        Self::Purchase,
        Self::Participation,
        Self::Success,
        Self::AnticipatedSurplus,
        Self::ExperiencedSurplus,
        Self::FalseConfidence,
        Self::Profit,
        Self::Welfare,
    ];

    pub(super) const fn position(self) -> usize {
        self as usize
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Purchase => "purchase",
            Self::Participation => "participation",
            Self::Success => "success",
            Self::AnticipatedSurplus => "anticipated surplus",
            Self::ExperiencedSurplus => "experienced surplus",
            Self::FalseConfidence => "false confidence",
            Self::Profit => "profit",
            Self::Welfare => "welfare",
        })
    }
}

/// Purchase, participation, success, anticipated and experienced surplus, profit.
pub(super) type Core = [f64; CORE];

/// The outcomes that follow.
pub(super) fn all(core: &Core) -> [f64; COUNT] {
    let [
        purchase,
        participation,
        success,
        anticipated,
        experienced,
        profit,
    ] = *core;
    [
        purchase,
        participation,
        success,
        anticipated,
        experienced,
        anticipated - experienced,
        profit,
        experienced + profit,
    ]
}
