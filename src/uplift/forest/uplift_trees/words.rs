//! The questions of a tree in words.

use super::split::Candidate;
use crate::regression::learners::features::FeatureInfo;
use crate::uplift::forest::codes::{Cuts, MISSING_CODE};
use crate::uplift::forest::tree::{CodeSet, Rule, contains};
use crate::uplift::policy::short;

/// Levels named in a question; more are counted.
const LEVELS_SHOWN: usize = 4;

/// An answer on the way to a node.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Answer {
    feature: usize,
    yes: bool,
    what: What,
}

#[derive(Clone, Debug, PartialEq)]
enum What {
    /// On this side of a cut, or missing.
    Cut { cut: f64, or_missing: bool },
    /// In these levels, or not.
    Levels(String),
    /// Not missing, or missing.
    Present,
}

impl Answer {
    /// The answers yes and no to the question of a split; `some_missing` says whether the feature has missing values.
    pub(super) fn both(
        split: &Candidate,
        info: &FeatureInfo,
        cuts: &Cuts,
        some_missing: bool,
    ) -> [Self; 2] {
        [true, false].map(|yes| {
            let what = match (&split.rule, cuts) {
                (
                    Rule::Number {
                        last_left,
                        missing_left,
                    },
                    Cuts::Edges(edges),
                ) => match edges.get(usize::from(*last_left)) {
                    Some(cut) => What::Cut {
                        cut: *cut,
                        or_missing: some_missing && *missing_left == yes,
                    },
                    None => What::Present,
                },
                (Rule::Levels(set), Cuts::Levels(codes)) => {
                    What::Levels(levels(set, info, codes, some_missing))
                }
                // Numbers have edges and categories levels.
                _ => What::Present,
            };
            Self {
                feature: split.feature,
                yes,
                what,
            }
        })
    }

    /// The answer in words.
    pub(super) fn words(&self, info: &[FeatureInfo]) -> String {
        let name = &info[self.feature].name;
        match &self.what {
            What::Cut { cut, or_missing } => {
                let sign = if self.yes { "≤" } else { ">" };
                let missing = if *or_missing { " or missing" } else { "" };
                format!("{name} {sign} {}{missing}", short(*cut))
            }
            What::Levels(list) => {
                let not = if self.yes { "" } else { "not " };
                format!("{name} {not}in {{{list}}}")
            }
            What::Present => {
                let not = if self.yes { "not " } else { "" };
                format!("{name} {not}missing")
            }
        }
    }

    /// Adds an answer to those before it; further down a cut on the same side is the tighter one.
    pub(super) fn after(&self, before: &[Self]) -> Vec<Self> {
        let mut all = before.to_vec();
        if let What::Cut { cut, or_missing } = &self.what {
            for answer in &mut all {
                let same = answer.feature == self.feature && answer.yes == self.yes;
                if let (
                    true,
                    What::Cut {
                        or_missing: both, ..
                    },
                ) = (same, &answer.what)
                {
                    answer.what = What::Cut {
                        cut: *cut,
                        or_missing: *both && *or_missing,
                    };
                    return all;
                }
            }
        }
        all.push(self.clone());
        all
    }
}

/// The levels of a set, the first of them by name.
fn levels(set: &CodeSet, info: &FeatureInfo, codes: &[u8], some_missing: bool) -> String {
    let names = info.levels.as_deref().unwrap_or_default();
    let mut inside: Vec<&str> = names
        .iter()
        .zip(codes)
        .filter(|(_, code)| **code != MISSING_CODE && contains(set, **code))
        .map(|(level, _)| level.as_str())
        .collect();
    if some_missing && contains(set, MISSING_CODE) {
        inside.push("missing");
    }
    let more = inside.len().saturating_sub(LEVELS_SHOWN);
    inside.truncate(LEVELS_SHOWN);
    let list = inside.join(", ");
    if more > 0 {
        format!("{list} and {more} more")
    } else {
        list
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(last_left: u8, missing_left: bool) -> Candidate {
        Candidate {
            gain: 1.0,
            feature: 0,
            rule: Rule::Number {
                last_left,
                missing_left,
            },
        }
    }

    #[test]
    fn answers_are_words_and_tighter_cuts_take_their_place() {
        let info = [FeatureInfo {
            name: "age".to_owned(),
            levels: None,
        }];
        let cuts = Cuts::Edges(vec![20.5, 30.25, 40.0]);
        let asked = |at: u8, left: bool| Answer::both(&split(at, left), &info[0], &cuts, true);
        let [below, above] = asked(2, true);
        assert_eq!(below.words(&info), "age ≤ 40 or missing");
        assert_eq!(above.words(&info), "age > 40");
        let [closer, between] = asked(1, false);
        let who = |path: &[Answer]| path.iter().map(|a| a.words(&info)).collect::<Vec<_>>();
        // Who is missing has gone the other way at one of the two questions.
        assert_eq!(
            who(&closer.after(std::slice::from_ref(&below))),
            ["age ≤ 30.25"]
        );
        let middle = between.after(&[below]);
        assert_eq!(
            who(&middle),
            ["age ≤ 40 or missing", "age > 30.25 or missing"]
        );
        let [present, missing] = asked(7, false);
        assert_eq!(present.words(&info), "age not missing");
        assert_eq!(who(&missing.after(&middle)).len(), 3);
        let town = FeatureInfo {
            name: "town".to_owned(),
            levels: Some(["a", "b", "c", "d", "e", "f"].map(str::to_owned).to_vec()),
        };
        let rule = Rule::Levels([0b11_1110, 0, 0, 1 << 63]);
        let split = Candidate {
            rule,
            ..split(0, true)
        };
        let codes = Cuts::Levels(vec![0, 1, 2, 3, 4, 5]);
        let [yes, no] = Answer::both(&split, &town, &codes, true);
        let info = [town];
        assert_eq!(yes.words(&info), "town in {b, c, d, e and 2 more}");
        assert_eq!(no.words(&info), "town not in {b, c, d, e and 2 more}");
    }
}
