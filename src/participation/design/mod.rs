//! The design that identifies the structural model: information × tool × guarantee × coupon with elicited beliefs, as arms and as a
//! frame of assigned customers.
//!
//! | file | idea |
//! |---|---|
//! | `power` | what the design can find: information matrix, power and minimal sample per channel |
//! | `model` | the probabilities of participating and succeeding in each arm |
//! | `check` | the same power by simulating customers one by one |

mod check;
mod model;
mod power;

pub use check::SimulatedPower;
pub use model::AssumedTruth;
pub use power::{ChannelPower, Power, PowerAnalysis};

use serde::{Deserialize, Serialize};

use super::identification::{
    Elicitation, Evidence, Shifter, SignalVariance, SuccessSeen, ToolVariation,
};
use crate::data::{Frame, Label};
use crate::error::{Error, Result};
use crate::numeric::Seed;
use crate::numeric::permutation::shuffle;

/// A channel by which the firm can act on participation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Channel {
    /// Signals about ability.
    Information,
    /// Training: ability rises.
    Productivity,
    /// Encouragement: beliefs rise, ability stays.
    Persuasion,
    /// A tool that takes a share of the cost.
    Tool,
    /// Money back on failure.
    Guarantee,
    /// Money off the price.
    Coupon,
}

impl Channel {
    /// All six, in the order of the design's columns.
    pub const ALL: [Self; 6] = [
        Self::Information,
        Self::Productivity,
        Self::Persuasion,
        Self::Tool,
        Self::Guarantee,
        Self::Coupon,
    ];

    /// Its column in the generated frame.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Information => "information",
            Self::Productivity => "productivity",
            Self::Persuasion => "persuasion",
            Self::Tool => "tool",
            Self::Guarantee => "guarantee",
            Self::Coupon => "coupon",
        }
    }
}

/// One cell of the design.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Arm {
    /// Signals about ability.
    pub information: u32,
    /// Units of training; Δ_E each.
    pub productivity: f64,
    /// Units of encouragement; b_E each.
    pub persuasion: f64,
    /// Share of the cost that the tool takes away.
    pub tool: f64,
    /// Money paid on failure.
    pub guarantee: f64,
    /// Money off the price.
    pub coupon: f64,
}

impl Arm {
    /// The level of a channel.
    pub fn level(self, channel: Channel) -> f64 {
        match channel {
            Channel::Information => f64::from(self.information),
            Channel::Productivity => self.productivity,
            Channel::Persuasion => self.persuasion,
            Channel::Tool => self.tool,
            Channel::Guarantee => self.guarantee,
            Channel::Coupon => self.coupon,
        }
    }
}

/// How customers are given to arms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ArmAllocation {
    /// Every arm equally often (to one), in random order.
    #[default]
    Balanced,
    /// Every run of consecutive customers as long as the number of arms holds each arm once; the run is the block.
    Blocked,
    /// Every customer draws an arm independently.
    Independent,
}

/// A full factorial in the six channels, with belief elicitation.
///
/// A channel left out has one level, "nothing". [`identifying`](Self::identifying) is the design that identifies the whole model.
///
/// ```
/// use cocreate::participation::{ArmAllocation, FactorialDesign};
/// let design = FactorialDesign::new().information([0, 3])?.coupon([0.0, 0.2])?;
/// assert_eq!(design.arms().len(), 4);
/// let frame = design.assign(400, ArmAllocation::Blocked, 7)?;
/// assert_eq!(frame.real("coupon")?.iter().filter(|x| **x > 0.0).count(), 200);
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FactorialDesign {
    information: Vec<u32>,
    productivity: Vec<f64>,
    persuasion: Vec<f64>,
    tool: Vec<f64>,
    guarantee: Vec<f64>,
    coupon: Vec<f64>,
    bundled: bool,
    elicitation: Elicitation,
    cluster_size: usize,
}

impl Default for FactorialDesign {
    fn default() -> Self {
        Self::new()
    }
}

impl FactorialDesign {
    /// One arm in which nothing is done, beliefs not elicited.
    pub fn new() -> Self {
        Self {
            information: vec![0],
            productivity: vec![0.0],
            persuasion: vec![0.0],
            tool: vec![0.0],
            guarantee: vec![0.0],
            coupon: vec![0.0],
            bundled: false,
            elicitation: Elicitation::None,
            cluster_size: 1,
        }
    }

    /// The design that identifies it all: 0, 2 or 6 signals of known precision × tool of share 0 or ½ × guarantee 0, ½ or 1 ×
    /// coupon 0 or ¼ (money in units of the price, say), beliefs elicited at two quantiles.
    pub fn identifying() -> Self {
        Self {
            information: vec![0, 2, 6],
            tool: vec![0.0, 0.5],
            guarantee: vec![0.0, 0.5, 1.0],
            coupon: vec![0.0, 0.25],
            elicitation: Elicitation::Quantiles,
            ..Self::new()
        }
    }

    /// The numbers of signals about ability.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for no level or a repeated one.
    pub fn information(mut self, counts: impl IntoIterator<Item = u32>) -> Result<Self> {
        let counts: Vec<u32> = counts.into_iter().collect();
        let levels: Vec<f64> = counts.iter().map(|n| f64::from(*n)).collect();
        check_levels("information", &levels, f64::INFINITY)?;
        self.information = counts;
        Ok(self)
    }

    /// Training levels, each unit raising ability by Δ_E.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for no level, a repeated or a negative one.
    pub fn productivity(mut self, levels: impl IntoIterator<Item = f64>) -> Result<Self> {
        self.productivity = checked("productivity", levels, f64::INFINITY)?;
        Ok(self)
    }

    /// Encouragement levels, each unit raising beliefs by b_E.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for no level, a repeated or a negative one.
    pub fn persuasion(mut self, levels: impl IntoIterator<Item = f64>) -> Result<Self> {
        self.persuasion = checked("persuasion", levels, f64::INFINITY)?;
        Ok(self)
    }

    /// Shares of the cost that the tool takes away.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for no level, a repeated one or one outside [0, 1].
    pub fn tool(mut self, shares: impl IntoIterator<Item = f64>) -> Result<Self> {
        self.tool = checked("tool", shares, 1.0)?;
        Ok(self)
    }

    /// Guarantees, in money; two positive levels identify r.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for no level, a repeated or a negative one.
    pub fn guarantee(mut self, levels: impl IntoIterator<Item = f64>) -> Result<Self> {
        self.guarantee = checked("guarantee", levels, f64::INFINITY)?;
        Ok(self)
    }

    /// Coupons, in money.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for no level, a repeated or a negative one.
    pub fn coupon(mut self, levels: impl IntoIterator<Item = f64>) -> Result<Self> {
        self.coupon = checked("coupon", levels, f64::INFINITY)?;
        Ok(self)
    }

    /// Education as one bundle, as firms give it: who gets signals gets one unit of training and of encouragement too. Choices alone
    /// cannot tell the last two apart.
    pub fn bundled_education(mut self) -> Self {
        self.bundled = true;
        self
    }

    /// How beliefs are asked for, before the choice.
    pub fn elicitation(mut self, elicitation: Elicitation) -> Self {
        self.elicitation = elicitation;
        self
    }

    /// Whether the researcher sees beliefs on the scale of ability.
    pub(super) fn sees_beliefs(&self) -> bool {
        matches!(
            self.elicitation,
            Elicitation::AbilityScale | Elicitation::Quantiles
        )
    }

    /// Assign whole clusters of this many consecutive customers (default 1: each for themselves).
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for zero.
    pub fn clusters_of(mut self, customers: usize) -> Result<Self> {
        if customers == 0 {
            return Err(Error::invalid_option(
                "cluster size",
                customers,
                "at least 1",
            ));
        }
        self.cluster_size = customers;
        Ok(self)
    }

    /// Customers per cluster.
    pub(super) fn cluster_size(&self) -> usize {
        self.cluster_size
    }

    /// All arms, the coupon varying fastest.
    pub fn arms(&self) -> Vec<Arm> {
        let mut arms = Vec::new();
        for information in &self.information {
            let bundle = [f64::from(u8::from(*information > 0))];
            let (training, encouragement): (&[f64], &[f64]) = if self.bundled {
                (&bundle, &bundle)
            } else {
                (&self.productivity, &self.persuasion)
            };
            for productivity in training {
                // Bundled levels are tied: the second loop has one level then.
                for persuasion in encouragement {
                    for tool in &self.tool {
                        for guarantee in &self.guarantee {
                            for coupon in &self.coupon {
                                arms.push(Arm {
                                    information: *information,
                                    productivity: *productivity,
                                    persuasion: *persuasion,
                                    tool: *tool,
                                    guarantee: *guarantee,
                                    coupon: *coupon,
                                });
                            }
                        }
                    }
                }
            }
        }
        arms
    }

    /// The channels that vary.
    pub fn channels(&self) -> Vec<Channel> {
        let arms = self.arms();
        Channel::ALL
            .into_iter()
            .filter(|channel| {
                let first = arms[0].level(*channel);
                arms.iter()
                    .any(|arm| (arm.level(*channel) - first).abs() > 0.0)
            })
            .collect()
    }

    /// What data from this design show: participants' success, beliefs as elicited, signals of known precision.
    pub fn evidence(&self) -> Evidence {
        let mut shifters = Vec::new();
        if self.coupon.len() > 1 {
            shifters.push(Shifter::Coupon);
        }
        if self.bundled || self.productivity.len() > 1 {
            shifters.push(Shifter::Education);
        }
        if self.information.len() > 1 && !self.bundled {
            shifters.push(Shifter::Information);
        }
        Evidence {
            prices: self.coupon.len(),
            guarantees: self.guarantee.iter().filter(|g| **g > 0.0).count(),
            tool: if self.tool.len() > 1 {
                ToolVariation::KnownShare
            } else {
                ToolVariation::None
            },
            signal_counts: self.information.len(),
            signal_variance: SignalVariance::Known,
            elicitation: self.elicitation,
            success: SuccessSeen::Participants,
            shifters,
            ..Evidence::default()
        }
    }

    /// Assigns `customers` customers: one row each, with the columns `customer`, `arm` (label), the six channels, `elicit` (whether
    /// to ask for beliefs), `block` in a blocked allocation and `cluster` in a clustered one.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for fewer customers (clusters) than arms.
    pub fn assign(
        &self,
        customers: usize,
        allocation: ArmAllocation,
        seed: impl Into<Seed>,
    ) -> Result<Frame> {
        let arms = self.arms();
        let units = customers.div_ceil(self.cluster_size);
        if units < arms.len() {
            return Err(Error::invalid_option(
                "customers",
                customers,
                format!(
                    "at least {}, so that each of the {} arms is seen",
                    arms.len() * self.cluster_size,
                    arms.len()
                ),
            ));
        }
        let drawn = draw(units, arms.len(), allocation, seed.into());
        let of = |row: usize| drawn[row / self.cluster_size];
        let names: Vec<String> = (1..=arms.len()).map(|k| format!("arm {k}")).collect();
        let number = |f: &dyn Fn(usize) -> f64| -> Vec<f64> { (0..customers).map(f).collect() };
        let codes: Vec<u32> = (0..customers).map(|row| of(row) as u32).collect();
        let asks = self.elicitation != Elicitation::None;
        let mut frame = Frame::new()
            .with("customer", number(&|row| (row + 1) as f64))?
            .with("arm", Label::new(codes, names)?)?;
        for channel in Channel::ALL {
            frame = frame.with(channel.name(), number(&|row| arms[of(row)].level(channel)))?;
        }
        frame = frame.with("elicit", vec![asks; customers])?;
        if allocation == ArmAllocation::Blocked {
            let length = arms.len() * self.cluster_size;
            frame = frame.with("block", number(&|row| (row / length + 1) as f64))?;
        }
        if self.cluster_size > 1 {
            frame = frame.with(
                "cluster",
                number(&|row| (row / self.cluster_size + 1) as f64),
            )?;
        }
        Ok(frame)
    }
}

/// The arm of each unit.
fn draw(units: usize, arms: usize, allocation: ArmAllocation, seed: Seed) -> Vec<usize> {
    let mut random = seed.child("factorial design").stream(0);
    match allocation {
        ArmAllocation::Balanced => {
            // Which arms get one customer more is random as well.
            let mut order: Vec<usize> = (0..arms).collect();
            shuffle(&mut order, &mut random);
            let mut drawn: Vec<usize> = (0..units).map(|unit| order[unit % arms]).collect();
            shuffle(&mut drawn, &mut random);
            drawn
        }
        ArmAllocation::Blocked => {
            let mut drawn = Vec::with_capacity(units + arms);
            while drawn.len() < units {
                let mut block: Vec<usize> = (0..arms).collect();
                shuffle(&mut block, &mut random);
                drawn.extend(block);
            }
            drawn.truncate(units);
            drawn
        }
        ArmAllocation::Independent => (0..units)
            .map(|_| crate::numeric::permutation::below(&mut random, arms as u64) as usize)
            .collect(),
    }
}

fn checked(name: &str, levels: impl IntoIterator<Item = f64>, most: f64) -> Result<Vec<f64>> {
    let levels: Vec<f64> = levels.into_iter().collect();
    check_levels(name, &levels, most)?;
    Ok(levels)
}

fn check_levels(name: &str, levels: &[f64], most: f64) -> Result<()> {
    let expected = || {
        if most.is_finite() {
            format!("different levels between 0 and {most}")
        } else {
            "different levels, zero or positive".to_owned()
        }
    };
    if levels.is_empty() {
        return Err(Error::invalid_option(name, "no level", expected()));
    }
    for (k, level) in levels.iter().enumerate() {
        let repeated = levels[..k]
            .iter()
            .any(|other| other.total_cmp(level).is_eq());
        if !(level.is_finite() && (0.0..=most).contains(level)) || repeated {
            return Err(Error::invalid_option(name, level, expected()));
        }
    }
    Ok(())
}
