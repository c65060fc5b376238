//! The questions of a tree in words.

use super::split::Candidate;
use crate::regression::learners::features::FeatureInfo;
use crate::uplift::forest::codes::{Cuts, MISSING_CODE};
use crate::uplift::forest::tree::{Rule, contains};
use crate::uplift::policy::short;

/// Levels named in a question; more are counted.
const LEVELS_SHOWN: usize = 4;

/// A question, and the same answered with no.
pub(super) struct Question {
    pub(super) yes: String,
    pub(super) no: String,
}

impl Question {
    /// `some_missing` says whether the feature has missing values.
    pub(super) fn of(
        split: &Candidate,
        info: &FeatureInfo,
        cuts: &Cuts,
        some_missing: bool,
    ) -> Self {
        let name = &info.name;
        match (&split.rule, cuts) {
            (
                Rule::Number {
                    last_left,
                    missing_left,
                },
                Cuts::Edges(edges),
            ) => match edges.get(usize::from(*last_left)) {
                Some(edge) => {
                    let edge = short(*edge);
                    let or = |here: bool| {
                        if some_missing && here {
                            " or missing"
                        } else {
                            ""
                        }
                    };
                    Self {
                        yes: format!("{name} ≤ {edge}{}", or(*missing_left)),
                        no: format!("{name} > {edge}{}", or(!*missing_left)),
                    }
                }
                None => Self {
                    yes: format!("{name} not missing"),
                    no: format!("{name} missing"),
                },
            },
            (Rule::Levels(set), Cuts::Levels(codes)) => {
                let levels = info.levels.as_deref().unwrap_or_default();
                let mut left: Vec<&str> = levels
                    .iter()
                    .zip(codes)
                    .filter(|(_, code)| **code != MISSING_CODE && contains(set, **code))
                    .map(|(level, _)| level.as_str())
                    .collect();
                if some_missing && contains(set, MISSING_CODE) {
                    left.push("missing");
                }
                let more = left.len().saturating_sub(LEVELS_SHOWN);
                left.truncate(LEVELS_SHOWN);
                let more = if more > 0 {
                    format!(" and {more} more")
                } else {
                    String::new()
                };
                let list = format!("{}{more}", left.join(", "));
                Self {
                    yes: format!("{name} in {{{list}}}"),
                    no: format!("{name} not in {{{list}}}"),
                }
            }
            // Numbers have edges and categories levels.
            _ => Self {
                yes: name.clone(),
                no: format!("not {name}"),
            },
        }
    }
}
