//! What the data show: which variation is there, and what is seen of beliefs, success and effort.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::points::Shifter;
use crate::data::{Column, Frame};
use crate::error::{Error, Result};

/// How beliefs about ability were asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Elicitation {
    /// Not at all.
    #[default]
    None,
    /// A self-rating on a free scale, `N(τ_0 + τ_1 m, σ_η²)`: its zero and unit are unknown.
    FreeScale,
    /// One number on the scale of the items or of the success probability: identifies m where v is known.
    AbilityScale,
    /// Two or more belief quantiles, or a success probability at two or more difficulties: identifies (m, v).
    Quantiles,
}

/// Whose success is seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum SuccessSeen {
    /// Nobody's.
    #[default]
    Never,
    /// That of those who participate.
    Participants,
    /// Everybody's (a test that all take).
    Everyone,
}

/// What is known of a randomised tool.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ToolVariation {
    /// There is none.
    #[default]
    None,
    /// Given to some, but the share c_T of the cost that it takes away is unknown.
    UnknownStrength,
    /// Given to some, and c_T is known.
    KnownShare,
}

/// What is known of the variance σ_s² of the signals about ability.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum SignalVariance {
    /// Nothing: only their number is seen.
    #[default]
    Unknown,
    /// Its value, in units of ability.
    Known,
    /// The contents of the signals are seen, on the scale of ability.
    ContentsSeen,
}

/// The funnel start → finish → buy in the data.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Funnel {
    /// There is none.
    #[default]
    None,
    /// One funnel a customer, whose effects differ freely between stages.
    StageSpecific {
        /// Stages.
        stages: usize,
    },
    /// One funnel a customer, with an effect that is the same at two stages or a shifter of one stage only.
    Restricted {
        /// Stages.
        stages: usize,
    },
    /// The same customer is seen in several funnels.
    Repeated,
}

/// A description of the data, from which [`Identification`](super::Identification) tells what can be estimated. The default is
/// participation seen and nothing else.
///
/// ```
/// use cocreate::participation::{Evidence, Identification, Parameter};
/// let evidence = Evidence { signal_counts: 2, ..Evidence::default() };
/// let found = Identification::of(&evidence);
/// assert!(found.require(&[Parameter::PriorToSignalVariance]).is_ok());
/// let refusal = found.require(&[Parameter::AmbiguityAversion]).unwrap_err().to_string();
/// assert!(refusal.contains("elicited"), "{refusal}");
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// Distinct randomised prices (coupons included).
    pub prices: usize,
    /// Distinct randomised values at stake: of success, or of a unit of quality.
    pub stakes: usize,
    /// Distinct *positive* randomised guarantees.
    pub guarantees: usize,
    /// The randomised tool.
    pub tool: ToolVariation,
    /// Distinct randomised numbers of signals about ability (zero counts as one).
    pub signal_counts: usize,
    /// What is known of the signals' variance.
    pub signal_variance: SignalVariance,
    /// How beliefs were elicited.
    pub elicitation: Elicitation,
    /// Items answered by every customer that measure ability.
    pub items: usize,
    /// Whether an item (or the success equation) anchors the scale of ability.
    pub anchored: bool,
    /// Whose success is seen.
    pub success: SuccessSeen,
    /// Whether effort (time) is seen.
    pub effort: bool,
    /// What was randomised besides the tool and the guarantee and moves participation.
    pub shifters: Vec<Shifter>,
    /// The funnel.
    pub funnel: Funnel,
}

/// Which columns of a frame play which part, for [`Evidence::from_frame`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Roles {
    price: Option<String>,
    coupon: Option<String>,
    stake: Option<String>,
    guarantee: Option<String>,
    tool: Option<(String, bool)>,
    signals: Option<String>,
    education: Option<String>,
    participation: Option<String>,
    success: Option<String>,
    effort: Option<String>,
    items: Vec<String>,
}

macro_rules! roles {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {$(
        $(#[$doc])*
        pub fn $name(mut self, column: impl Into<String>) -> Self {
            self.$name = Some(column.into());
            self
        }
    )*};
}

impl Roles {
    /// No roles yet.
    pub fn new() -> Self {
        Self::default()
    }

    roles! {
        /// The randomised price.
        price,
        /// The randomised coupon.
        coupon,
        /// The randomised value at stake.
        stake,
        /// The randomised guarantee.
        guarantee,
        /// The randomised number of signals.
        signals,
        /// The randomised education.
        education,
        /// Whether the customer participated.
        participation,
        /// Whether the customer succeeded; missing where it is not seen.
        success,
        /// Effort or time; missing where it is not seen.
        effort,
    }

    /// The randomised tool, and whether the share of the cost that it takes away is known.
    pub fn tool(mut self, column: impl Into<String>, share_known: bool) -> Self {
        self.tool = Some((column.into(), share_known));
        self
    }

    /// The columns of the items that measure ability.
    pub fn items<S: Into<String>>(mut self, columns: impl IntoIterator<Item = S>) -> Self {
        self.items = columns.into_iter().map(Into::into).collect();
        self
    }
}

impl Evidence {
    /// Reads from a frame what varies and what is seen. What a frame cannot tell — how beliefs were elicited, whether a precision
    /// is known, the funnel — is left at its default, to be filled in with `..`.
    ///
    /// # Errors
    /// [`Error::ColumnNotFound`], [`Error::WrongKind`]; [`Error::OutOfRange`] with the row for a success recorded for somebody who
    /// did not participate although others' success is missing (such a record is a mistake, or the success of a forced trial).
    pub fn from_frame(frame: &Frame, roles: &Roles) -> Result<Self> {
        let distinct = |column: &Option<String>| -> Result<Vec<f64>> {
            column
                .as_ref()
                .map_or_else(|| Ok(Vec::new()), |name| levels(frame, name))
        };
        let (prices, coupons) = (distinct(&roles.price)?, distinct(&roles.coupon)?);
        let positive = |levels: &[f64]| levels.iter().filter(|x| **x > 0.0).count();
        let tool = match &roles.tool {
            Some((name, known)) if levels(frame, name)?.len() > 1 => {
                if *known {
                    ToolVariation::KnownShare
                } else {
                    ToolVariation::UnknownStrength
                }
            }
            _ => ToolVariation::None,
        };
        let mut shifters = Vec::new();
        if coupons.len() > 1 || prices.len() > 1 {
            shifters.push(Shifter::Coupon);
        }
        if distinct(&roles.education)?.len() > 1 {
            shifters.push(Shifter::Education);
        }
        if distinct(&roles.signals)?.len() > 1 {
            shifters.push(Shifter::Information);
        }
        for item in &roles.items {
            frame.column(item)?;
        }
        Ok(Self {
            prices: prices.len().max(coupons.len()),
            stakes: distinct(&roles.stake)?.len(),
            guarantees: positive(&distinct(&roles.guarantee)?),
            tool,
            signal_counts: distinct(&roles.signals)?.len(),
            items: roles.items.len(),
            success: success(frame, roles)?,
            effort: match &roles.effort {
                Some(name) => frame.numeric(name)?.values().iter().any(|x| !x.is_nan()),
                None => false,
            },
            shifters,
            ..Self::default()
        })
    }
}

/// Whose success the frame records.
fn success(frame: &Frame, roles: &Roles) -> Result<SuccessSeen> {
    let Some(name) = &roles.success else {
        return Ok(SuccessSeen::Never);
    };
    let outcome = frame.numeric(name)?;
    let outcome = outcome.values();
    let Some(participation) = &roles.participation else {
        return Ok(if outcome.iter().all(|x| x.is_nan()) {
            SuccessSeen::Never
        } else {
            SuccessSeen::Everyone
        });
    };
    let took_part = frame.numeric(participation)?;
    let took_part = took_part.values();
    let (mut seen_in, mut seen_out, mut missing_out, mut first) = (0, 0, 0, None);
    for (row, (s, p)) in outcome.iter().zip(took_part.iter()).enumerate() {
        match (s.is_nan(), *p > 0.0) {
            (false, true) => seen_in += 1,
            (false, false) => {
                seen_out += 1;
                first.get_or_insert((row, *s));
            }
            (true, false) => missing_out += 1,
            (true, true) => {}
        }
    }
    match (first, missing_out) {
        (Some((row, value)), 1..) => Err(Error::OutOfRange {
            column: name.clone(),
            row: row + 1,
            value,
            expected: format!(
                "missing where `{participation}` is 0, as it is for {missing_out} others: success is seen for participants only ({seen_out} rows have it all the same)"
            ),
        }),
        (Some(_), _) => Ok(SuccessSeen::Everyone),
        (None, _) if seen_in > 0 => Ok(SuccessSeen::Participants),
        (None, _) => Ok(SuccessSeen::Never),
    }
}

/// The distinct values of a numeric or true/false column, increasing; labels count as 0, 1, ….
fn levels(frame: &Frame, name: &str) -> Result<Vec<f64>> {
    if let Column::Label(label) = frame.column(name)? {
        let seen: BTreeSet<u32> = (0..label.codes().len())
            .filter(|row| label.get(*row).is_some())
            .map(|row| label.codes()[row])
            .collect();
        return Ok(seen.into_iter().map(f64::from).collect());
    }
    let column = frame.numeric(name)?;
    let mut values: Vec<f64> = column
        .values()
        .iter()
        .copied()
        .filter(|x| !x.is_nan())
        .collect();
    values.sort_by(f64::total_cmp);
    values.dedup_by(|a, b| a.total_cmp(b).is_eq());
    Ok(values)
}
