//! Answers of persons to items, read from named columns, with identical persons merged.

use super::answers::{answers, check_names, code};
use super::item::ItemModel;
use super::people::{People, Regressors};
use crate::data::{Frame, Rows};
use crate::error::{Result, Warning};
use crate::regression::linear::Weights;

/// The code of an answer that is missing.
pub(crate) const NO_ANSWER: u8 = u8::MAX;

/// What is read of a frame.
#[derive(Clone, Debug, Default)]
pub(crate) struct Request<'a> {
    pub(crate) items: &'a [String],
    pub(crate) models: &'a [ItemModel],
    pub(crate) weights: Option<&'a Weights>,
    pub(crate) group: Option<&'a str>,
    /// The right-hand side of the regression of ability.
    pub(crate) regressors: Option<&'a str>,
}

/// The answers of persons to items. Persons with the same answers, group and regressors are one *pattern*, whose weight is the
/// sum of theirs; patterns are sorted, so that their order does not depend on that of the rows.
#[derive(Clone, Debug)]
pub struct Responses {
    names: Vec<String>,
    /// The values that stand for categories 0, 1, …, per item.
    categories: Vec<Vec<f64>>,
    /// The rows of the frame that are persons.
    rows: Rows,
    /// The pattern of each person.
    pattern_of: Vec<u32>,
    /// The weight of each person, if there are weights.
    person_weights: Option<Vec<f64>>,
    /// Whether weights count equal persons.
    frequency: bool,
    /// Codes, pattern by pattern.
    codes: Vec<u8>,
    weights: Vec<f64>,
    group_column: Option<String>,
    groups: Vec<String>,
    group_of: Vec<u32>,
    regressors: Vec<String>,
    /// Regressors, pattern by pattern.
    covariates: Vec<f64>,
    warnings: Vec<Warning>,
}

impl Responses {
    /// Reads the items of a frame: whole numbers, flags, or missing. Category 0 is the lowest value of the item that occurs.
    ///
    /// # Errors
    /// [`Error::ColumnNotFound`](crate::Error::ColumnNotFound); [`Error::WrongKind`](crate::Error::WrongKind) for labels; [`Error::OutOfRange`](crate::Error::OutOfRange) for answers that are not whole numbers;
    /// [`Error::Unidentified`](crate::Error::Unidentified) for an item that all answer alike; [`Error::NoRows`](crate::Error::NoRows); [`Error::InvalidOption`](crate::Error::InvalidOption) for fewer than two
    /// items, or an item named twice.
    pub fn read(frame: &Frame, items: &[&str]) -> Result<Self> {
        let items: Vec<String> = items.iter().map(|s| (*s).to_owned()).collect();
        let models = vec![ItemModel::Graded; items.len()];
        Self::new(
            frame,
            &Request {
                items: &items,
                models: &models,
                ..Request::default()
            },
        )
    }

    pub(crate) fn new(frame: &Frame, request: &Request<'_>) -> Result<Self> {
        check_names(request.items)?;
        let mut warnings = Vec::new();
        let mut people = People::new(frame, request, &mut warnings)?;
        let raw = request
            .items
            .iter()
            .map(|name| answers(frame, name))
            .collect::<Result<Vec<_>>>()?;
        people.drop_unanswered(&raw, &mut warnings)?;
        let rows = &people.rows;
        let mut categories = Vec::new();
        let mut columns = Vec::new();
        for ((name, model), values) in request.items.iter().zip(request.models).zip(&raw) {
            let (labels, codes) = code(name, *model, values, rows, &mut warnings)?;
            categories.push(labels);
            columns.push(codes);
        }
        let regression = Regressors::new(frame, request.regressors, &people.rows, &mut warnings)?;
        let mut out = Self {
            names: request.items.to_vec(),
            categories,
            pattern_of: vec![],
            person_weights: people.weights,
            frequency: matches!(request.weights, Some(Weights::Frequency(_))),
            codes: vec![],
            weights: vec![],
            group_column: request.group.map(str::to_owned),
            groups: people.levels,
            group_of: vec![],
            regressors: regression.names,
            covariates: vec![],
            rows: people.rows,
            warnings,
        };
        out.collapse(&columns, &people.group, &regression.columns);
        Ok(out)
    }

    /// Merges persons who have everything in common.
    fn collapse(&mut self, columns: &[Vec<u8>], group: &[u32], covariates: &[Vec<f64>]) {
        let persons = self.rows.len();
        let items = columns.len();
        let mut codes = vec![NO_ANSWER; persons * items];
        for (k, column) in columns.iter().enumerate() {
            for (i, code) in column.iter().enumerate() {
                codes[i * items + k] = *code;
            }
        }
        let of = |i: u32| &codes[i as usize * items..(i as usize + 1) * items];
        let compare = |a: &u32, b: &u32| {
            let (i, j) = (*a as usize, *b as usize);
            of(*a)
                .cmp(of(*b))
                .then_with(|| group[i].cmp(&group[j]))
                .then_with(|| {
                    covariates
                        .iter()
                        .map(|x| x[i].total_cmp(&x[j]))
                        .find(|order| order.is_ne())
                        .unwrap_or(std::cmp::Ordering::Equal)
                })
        };
        let mut order: Vec<u32> = (0..persons as u32).collect();
        order.sort_by(compare);
        self.pattern_of = vec![0; persons];
        let mut before: Option<u32> = None;
        for i in order {
            let person = i as usize;
            if before.is_none_or(|b| compare(&b, &i).is_ne()) {
                self.codes.extend_from_slice(of(i));
                self.weights.push(0.0);
                self.group_of.push(group[person]);
                self.covariates.extend(covariates.iter().map(|x| x[person]));
            }
            let pattern = self.weights.len() - 1;
            self.weights[pattern] += self.person_weights.as_ref().map_or(1.0, |w| w[person]);
            self.pattern_of[person] = pattern as u32;
            before = Some(i);
        }
    }

    /// Number of items.
    pub fn items(&self) -> usize {
        self.names.len()
    }

    /// Their columns.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The values that stand for categories 0, 1, … of an item.
    pub fn categories(&self, item: usize) -> &[f64] {
        &self.categories[item]
    }

    /// Number of persons: rows of the frame with at least one answer, a weight, a group and regressors where these are asked for.
    pub fn persons(&self) -> usize {
        self.rows.len()
    }

    /// Their rows in the frame, in the order of persons.
    pub fn rows(&self) -> &Rows {
        &self.rows
    }

    /// The pattern of a person.
    pub fn pattern_of(&self, person: usize) -> usize {
        self.pattern_of[person] as usize
    }

    /// The weight of a person: one without weights.
    pub fn person_weight(&self, person: usize) -> f64 {
        self.person_weights.as_ref().map_or(1.0, |w| w[person])
    }

    /// Number of different patterns.
    pub fn patterns(&self) -> usize {
        self.weights.len()
    }

    /// The answer of a pattern to an item, as category; `None` where it is missing.
    pub fn answer(&self, pattern: usize, item: usize) -> Option<usize> {
        let code = self.codes(pattern)[item];
        (code != NO_ANSWER).then_some(usize::from(code))
    }

    /// The answers of a pattern, item and category, without the missing.
    pub fn answers(&self, pattern: usize) -> impl Iterator<Item = (usize, usize)> + '_ {
        self.codes(pattern)
            .iter()
            .enumerate()
            .filter(|(_, c)| **c != NO_ANSWER)
            .map(|(k, c)| (k, usize::from(*c)))
    }

    /// The codes of a pattern, [`NO_ANSWER`] where missing.
    pub(crate) fn codes(&self, pattern: usize) -> &[u8] {
        let items = self.names.len();
        &self.codes[pattern * items..(pattern + 1) * items]
    }

    /// The sum of the weights of its persons.
    pub fn weight(&self, pattern: usize) -> f64 {
        self.weights[pattern]
    }

    /// The sum of all weights: the number of persons where weights are frequencies or absent.
    pub fn total_weight(&self) -> f64 {
        self.weights.iter().sum()
    }

    /// The group of a pattern, 0 without groups.
    pub fn group(&self, pattern: usize) -> usize {
        self.group_of[pattern] as usize
    }

    /// The names of the groups; the first is the reference. One without a name if there are none.
    pub fn groups(&self) -> &[String] {
        &self.groups
    }

    /// The column of groups.
    pub fn group_column(&self) -> Option<&str> {
        self.group_column.as_deref()
    }

    /// The names of the regressors of ability.
    pub fn regressors(&self) -> &[String] {
        &self.regressors
    }

    /// The regressors of a pattern.
    pub fn covariates(&self, pattern: usize) -> &[f64] {
        let width = self.regressors.len();
        &self.covariates[pattern * width..(pattern + 1) * width]
    }

    /// Whether weights count equal persons.
    pub(crate) fn is_frequency(&self) -> bool {
        self.frequency
    }

    /// The weights of persons.
    pub(crate) fn person_weights(&self) -> Option<&[f64]> {
        self.person_weights.as_deref()
    }

    /// What a reader must know of how the answers were read.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame() -> Frame {
        Frame::new()
            .with("a", vec![1.0, 0.0, 1.0, f64::NAN, 1.0])
            .unwrap()
            .with("b", vec![3.0, 1.0, 3.0, f64::NAN, f64::NAN])
            .unwrap()
            .with("n", vec![2.0, 1.0, 3.0, 1.0, 1.0])
            .unwrap()
    }

    #[test]
    fn equal_persons_are_merged_and_the_silent_are_named() {
        let items = ["a".to_owned(), "b".to_owned()];
        let models = [ItemModel::Graded; 2];
        let weights = Weights::Frequency("n".to_owned());
        let request = Request {
            items: &items,
            models: &models,
            weights: Some(&weights),
            ..Request::default()
        };
        let r = Responses::new(&frame(), &request).unwrap();
        assert_eq!((r.persons(), r.patterns()), (4, 3));
        assert_eq!(r.pattern_of(0), r.pattern_of(2));
        assert_eq!(r.weight(r.pattern_of(0)), 5.0);
        assert_eq!(r.total_weight(), 7.0);
        assert_eq!(r.categories(1), &[1.0, 3.0]);
        let last = r.pattern_of(3);
        assert_eq!((r.answer(last, 0), r.answer(last, 1)), (Some(1), None));
        assert_eq!(r.answers(last).collect::<Vec<_>>(), [(0, 1)]);
        assert_eq!(r.rows().index(3), 4);
        let text: Vec<String> = r.warnings().iter().map(ToString::to_string).collect();
        assert!(text[0].contains("row 4"), "{text:?}");
        assert!(text[1].contains("skip a number"), "{text:?}");
    }

    #[test]
    fn bad_answers_are_refused_by_name() {
        let message =
            |f: Frame, items: &[&str]| Responses::read(&f, items).unwrap_err().to_string();
        let half = frame().with("c", vec![0.0, 1.0, 0.5, 1.0, 0.0]).unwrap();
        assert!(message(half, &["a", "c"]).contains("`c` is 0.5 in row 3"));
        let same = frame().with("c", vec![1.0; 5]).unwrap();
        assert!(message(same, &["a", "c"]).contains("all pass"));
        let zero = frame().with("c", vec![0.0; 5]).unwrap();
        assert!(message(zero, &["a", "c"]).contains("all fail"));
        assert!(message(frame(), &["a"]).contains("at least two"));
        assert!(message(frame(), &["a", "a"]).contains("twice"));
        let text = frame().with("c", vec!["x", "y", "x", "y", "x"]).unwrap();
        assert!(message(text, &["a", "c"]).contains("code the answers"));
    }
}
