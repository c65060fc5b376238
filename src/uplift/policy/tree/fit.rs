//! A learned policy tree: what it asks, whom it gives what, and what that is worth.

use super::questions::{Questions, values_for};
use crate::causal::ArmScores;
use crate::causal::units::Units;
use crate::data::Frame;
use crate::error::Result;
use crate::inference::Estimate;
use crate::report::shown;
use crate::report::{Cell, Figure, Table, TreePlot};
use crate::uplift::policy::value::{PolicyValue, PolicyValueFit};
use serde::{Deserialize, Serialize};

/// A node of a policy tree.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum PolicyNode {
    /// A question.
    Split {
        /// The feature's place among [`PolicyTreeFit::features`].
        feature: usize,
        /// The level of a label that goes left; none for numbers.
        level: Option<String>,
        /// Rows with at most this value go left; −∞ when only missing values do. For a label, rows of the level.
        #[serde(deserialize_with = "crate::numeric::infinite::below")]
        cut: f64,
        /// Where missing values go: left, right, or nowhere because there were none to learn from.
        missing_left: Option<bool>,
        /// The node on the left, by its place among [`PolicyTreeFit::nodes`].
        left: usize,
        /// The node on the right.
        right: usize,
    },
    /// An answer: the place of a leaf among [`PolicyTreeFit::leaves`].
    Leaf(usize),
}

/// A leaf: who is in it and which arm they get.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PolicyLeaf {
    /// The answers that lead here.
    pub rule: String,
    /// The arm's place among the arms.
    pub arm: u32,
    /// Rows learned from.
    pub rows: usize,
    /// Their share of all weight.
    pub share: f64,
    /// The mean effect of the arm against the control in the leaf on the rows learned from: too good.
    pub effect: Estimate,
}

/// What [`PolicyTree`](super::PolicyTree) learned.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PolicyTreeFit {
    features: Vec<String>,
    arms: Vec<String>,
    nodes: Vec<PolicyNode>,
    leaves: Vec<PolicyLeaf>,
    training_value: f64,
}

/// A tree while it grows.
pub(super) enum Grown {
    Leaf {
        arm: usize,
    },
    Split {
        question: usize,
        bin: u32,
        sides: Box<[Grown; 2]>,
    },
}

/// An answer on the way to a leaf.
#[derive(Clone, Debug)]
struct Answer {
    feature: usize,
    level: Option<String>,
    above: bool,
    cut: f64,
    /// Whether a missing value is such an answer too.
    missing: bool,
}

/// Numbers the nodes and describes the leaves.
pub(super) fn grown(
    root: Grown,
    names: &[String],
    questions: &[Questions],
    scores: &ArmScores,
    units: &Units,
) -> PolicyTreeFit {
    let mut fit = PolicyTreeFit {
        features: names.to_vec(),
        arms: scores.arms().to_vec(),
        nodes: Vec::new(),
        leaves: Vec::new(),
        training_value: 0.0,
    };
    let mut cuts = Vec::new();
    fit.lay(root, questions, &[], &mut cuts);
    let leaf_of: Vec<usize> = (0..scores.len())
        .map(|row| {
            fit.leaf(|node| {
                let (question, bin) = cuts[node];
                questions[question].ranks.codes[row] <= bin
            })
        })
        .collect();
    let control = &scores.values[0];
    for (at, leaf) in fit.leaves.iter_mut().enumerate() {
        let arm = &scores.values[leaf.arm as usize];
        let here = |row: usize| leaf_of[row] == at && units.weights[row] > 0.0;
        leaf.rows = (0..scores.len()).filter(|row| here(*row)).count();
        leaf.share = (0..scores.len())
            .filter(|row| here(*row))
            .map(|row| units.weights[row])
            .sum();
        let mean = (0..scores.len())
            .filter(|row| here(*row))
            .map(|row| units.weights[row] * (arm[row] - control[row]))
            .sum::<f64>()
            / leaf.share;
        let influence: Vec<f64> = (0..scores.len())
            .map(|row| {
                if here(row) {
                    (arm[row] - control[row] - mean) / leaf.share
                } else {
                    0.0
                }
            })
            .collect();
        leaf.effect = units.estimate(&leaf.rule, mean, &influence);
    }
    fit.training_value = leaf_of
        .iter()
        .enumerate()
        .map(|(row, leaf)| units.weights[row] * scores.values[fit.leaves[*leaf].arm as usize][row])
        .sum();
    fit
}

impl PolicyTreeFit {
    /// Lays a grown tree into the nodes and returns where it starts; `asked` is what was answered on the way there.
    /// `cuts` has the question and bin of every node, which mean nothing at leaves.
    fn lay(
        &mut self,
        grown: Grown,
        questions: &[Questions],
        asked: &[Answer],
        cuts: &mut Vec<(usize, u32)>,
    ) -> usize {
        let at = self.nodes.len();
        cuts.push((0, 0));
        match grown {
            Grown::Leaf { arm } => {
                self.nodes.push(PolicyNode::Leaf(self.leaves.len()));
                self.leaves.push(PolicyLeaf {
                    rule: self.rule(asked),
                    arm: arm as u32,
                    rows: 0,
                    share: 0.0,
                    effect: Estimate {
                        name: String::new(),
                        estimate: 0.0,
                        std_error: 0.0,
                        degrees_of_freedom: f64::INFINITY,
                    },
                });
            }
            Grown::Split {
                question,
                bin,
                sides,
            } => {
                cuts[at] = (question, bin);
                let Questions {
                    column: feature,
                    level,
                    missing_left,
                    ranks,
                } = &questions[question];
                let cut = ranks.cuts[bin as usize];
                self.nodes.push(PolicyNode::Leaf(0));
                let missing_left = gaps(questions, *feature).then_some(*missing_left);
                let mut before = asked.iter().filter(|a| a.feature == *feature);
                let met = before.all(|a| a.missing);
                let path = |above: bool| {
                    let mut path = asked.to_vec();
                    let missing = met && missing_left == Some(!above);
                    let same = |a: &&mut Answer| {
                        a.feature == *feature && a.level == *level && a.above == above
                    };
                    // Further down a cut on the same side is the tighter one.
                    match path.iter_mut().find(same) {
                        Some(answer) => (answer.cut, answer.missing) = (cut, missing),
                        None => path.push(Answer {
                            feature: *feature,
                            level: level.clone(),
                            above,
                            cut,
                            missing,
                        }),
                    }
                    path
                };
                let [left, right] = *sides;
                let left = self.lay(left, questions, &path(false), cuts);
                let right = self.lay(right, questions, &path(true), cuts);
                self.nodes[at] = PolicyNode::Split {
                    feature: *feature,
                    level: level.clone(),
                    cut,
                    missing_left,
                    left,
                    right,
                };
            }
        }
        at
    }

    /// The answers in words.
    fn rule(&self, asked: &[Answer]) -> String {
        if asked.is_empty() {
            return "all".to_owned();
        }
        let word = |a: &Answer| {
            let name = &self.features[a.feature];
            let missing = if a.missing { " (or missing)" } else { "" };
            match (&a.level, a.above) {
                (_, false) if a.cut.is_infinite() => format!("{name} missing"),
                (_, true) if a.cut.is_infinite() => format!("{name} known"),
                (Some(level), false) => format!("{name} = {level}{missing}"),
                (Some(level), true) => format!("{name} ≠ {level}{missing}"),
                (None, false) => format!("{name} ≤ {}{missing}", short(a.cut)),
                (None, true) => format!("{name} > {}{missing}", short(a.cut)),
            }
        };
        asked.iter().map(word).collect::<Vec<_>>().join(" and ")
    }

    /// The leaf of a row, from the answers to the questions of nodes.
    fn leaf(&self, left: impl Fn(usize) -> bool) -> usize {
        let mut at = 0;
        loop {
            match &self.nodes[at] {
                PolicyNode::Leaf(leaf) => return *leaf,
                PolicyNode::Split {
                    left: low,
                    right: high,
                    ..
                } => at = if left(at) { *low } else { *high },
            }
        }
    }

    /// The features that it may ask about.
    pub fn features(&self) -> &[String] {
        &self.features
    }

    /// The arms, the control first.
    pub fn arms(&self) -> &[String] {
        &self.arms
    }

    /// The nodes, the first question first.
    pub fn nodes(&self) -> &[PolicyNode] {
        &self.nodes
    }

    /// The leaves from left to right.
    pub fn leaves(&self) -> &[PolicyLeaf] {
        &self.leaves
    }

    /// The mean score of the arms given, on the rows learned from: too good.
    pub fn training_value(&self) -> f64 {
        self.training_value
    }

    /// One sentence for each leaf.
    pub fn rules(&self) -> Vec<String> {
        let leaves = self.leaves.iter();
        leaves
            .map(|leaf| format!("{}: {}", leaf.rule, self.arms[leaf.arm as usize]))
            .collect()
    }

    /// The arm of every row, by its place among the arms.
    ///
    /// # Errors
    /// Those of finding columns; [`Error::WrongKind`](crate::Error::WrongKind) for a column of another kind;
    /// [`Error::OutOfRange`](crate::Error::OutOfRange) for a missing value where none was learned from.
    pub fn assign(&self, frame: &Frame) -> Result<Vec<u32>> {
        // Whether each row goes left, by node.
        let mut left = Vec::with_capacity(self.nodes.len());
        for node in &self.nodes {
            let PolicyNode::Split {
                feature,
                level,
                cut,
                missing_left,
                ..
            } = node
            else {
                left.push(Vec::new());
                continue;
            };
            let name = &self.features[*feature];
            let values = values_for(frame, name, level.as_deref(), missing_left.is_some())?;
            let goes = |v: &f64| *v <= *cut || (v.is_nan() && *missing_left == Some(true));
            left.push(values.iter().map(goes).collect());
        }
        let arm = |row: usize| self.leaves[self.leaf(|node| left[node][row])].arm;
        Ok((0..frame.rows()).map(arm).collect())
    }

    /// What the policy is worth on other rows, with errors.
    ///
    /// # Errors
    /// Those of [`PolicyTreeFit::assign`] and [`PolicyValue`].
    pub fn evaluate(&self, scores: &ArmScores, frame: &Frame) -> Result<PolicyValueFit> {
        PolicyValue::new().fit(scores, &self.assign(frame)?)
    }

    /// One row a leaf.
    pub fn table(&self) -> Table {
        let mut table = Table::new("Policy tree").columns([
            "Who",
            "gets",
            "Rows",
            "Share",
            &format!("Effect against {}", self.arms[0]),
            "Std. error",
        ]);
        for leaf in &self.leaves {
            table = table.row([
                Cell::text(leaf.rule.as_str()),
                Cell::text(self.arms[leaf.arm as usize].as_str()),
                Cell::count(leaf.rows),
                Cell::percent(leaf.share, 1),
                Cell::significant(leaf.effect.estimate, 4),
                Cell::significant(leaf.effect.std_error, 3).parenthesised(),
            ]);
        }
        table
            .summary([
                Cell::text("Value"),
                Cell::empty(),
                Cell::empty(),
                Cell::empty(),
                Cell::significant(self.training_value, 4),
            ])
            .note("Effects and value are on the rows learned from, hence too good: evaluate on others.")
    }

    /// The tree as a figure.
    ///
    /// # Errors
    /// Those of drawing.
    pub fn plot(&self) -> Result<Figure> {
        let mut plot = TreePlot::new().title("Policy tree");
        for node in &self.nodes {
            plot = match node {
                PolicyNode::Leaf(leaf) => {
                    let leaf = &self.leaves[*leaf];
                    let share = Cell::percent(leaf.share, 1);
                    let arm = &self.arms[leaf.arm as usize];
                    plot.leaf(arm, share.to_string(), leaf.arm as usize)
                }
                PolicyNode::Split {
                    feature,
                    level,
                    cut,
                    left,
                    right,
                    ..
                } => {
                    let name = &self.features[*feature];
                    let question = match level {
                        _ if cut.is_infinite() => format!("{name} missing?"),
                        Some(level) => format!("{name} = {level}?"),
                        None => format!("{name} ≤ {}?", short(*cut)),
                    };
                    plot.split(question, *left, *right)
                }
            };
        }
        plot.draw()
    }
}

/// Whether a column had missing values: it is asked about in two ways then.
fn gaps(questions: &[Questions], column: usize) -> bool {
    questions
        .iter()
        .any(|q| q.column == column && q.missing_left)
}

/// A cut with as many digits as a reader wants, without trailing zeros.
pub(in crate::uplift) fn short(cut: f64) -> String {
    const DIGITS: usize = 4;
    let text = Cell::significant(cut, DIGITS).to_string();
    if text.contains('.') && !text.contains('e') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

shown!(PolicyTreeFit);
