//! A learned policy tree: what it asks, whom it gives what, and what that is worth.

use super::ranks::Ranks;
use crate::causal::ArmScores;
use crate::causal::units::{Units, finite_column};
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
        /// Rows with at most this value go left.
        cut: f64,
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
        feature: usize,
        bin: u32,
        sides: Box<[Grown; 2]>,
    },
}

/// An answer on the way to a leaf.
#[derive(Clone, Copy, Debug)]
struct Answer {
    feature: usize,
    above: bool,
    cut: f64,
}

/// Numbers the nodes and describes the leaves.
pub(super) fn grown(
    root: Grown,
    names: &[String],
    features: &[Ranks],
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
    fit.lay(root, features, &[]);
    let mut leaf_of = vec![0; scores.len()];
    for (row, leaf) in leaf_of.iter_mut().enumerate() {
        *leaf = fit.leaf(|feature, cut| {
            let ranks = &features[feature];
            let code = ranks.codes[row] as usize;
            // The cut above a bin is the same number that was laid into the tree.
            code < ranks.cuts.len() && ranks.cuts[code] <= cut
        });
    }
    let control = &scores.values[0];
    for (at, leaf) in fit.leaves.iter_mut().enumerate() {
        let arm = &scores.values[leaf.arm as usize];
        leaf.rows = leaf_of.iter().filter(|l| **l == at).count();
        let here = |row: usize| leaf_of[row] == at;
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
    fn lay(&mut self, grown: Grown, features: &[Ranks], asked: &[Answer]) -> usize {
        let at = self.nodes.len();
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
                feature,
                bin,
                sides,
            } => {
                let cut = features[feature].cuts[bin as usize];
                self.nodes.push(PolicyNode::Leaf(0));
                let path = |above: bool| {
                    let mut path = asked.to_vec();
                    let same = |a: &&mut Answer| a.feature == feature && a.above == above;
                    // Further down a cut on the same side is the tighter one.
                    match path.iter_mut().find(same) {
                        Some(answer) => answer.cut = cut,
                        None => path.push(Answer {
                            feature,
                            above,
                            cut,
                        }),
                    }
                    path
                };
                let [left, right] = *sides;
                let left = self.lay(left, features, &path(false));
                let right = self.lay(right, features, &path(true));
                self.nodes[at] = PolicyNode::Split {
                    feature,
                    cut,
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
            let sign = if a.above { ">" } else { "≤" };
            format!("{} {sign} {}", self.features[a.feature], short(a.cut))
        };
        asked.iter().map(word).collect::<Vec<_>>().join(" and ")
    }

    /// The leaf of a row, from the answers to its questions.
    fn leaf(&self, left: impl Fn(usize, f64) -> bool) -> usize {
        let mut at = 0;
        loop {
            match &self.nodes[at] {
                PolicyNode::Leaf(leaf) => return *leaf,
                PolicyNode::Split {
                    feature,
                    cut,
                    left: low,
                    right: high,
                } => at = if left(*feature, *cut) { *low } else { *high },
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
    /// Those of finding columns; [`Error::OutOfRange`](crate::Error::OutOfRange) for a missing value.
    pub fn assign(&self, frame: &Frame) -> Result<Vec<u32>> {
        let mut columns = Vec::with_capacity(self.features.len());
        for (at, name) in self.features.iter().enumerate() {
            let asked = |node: &PolicyNode| matches!(node, PolicyNode::Split { feature, .. } if *feature == at);
            columns.push(if self.nodes.iter().any(asked) {
                finite_column(frame, name, frame.rows())?
            } else {
                Vec::new()
            });
        }
        let arm = |row: usize| self.leaves[self.leaf(|f, cut| columns[f][row] <= cut)].arm;
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
                    cut,
                    left,
                    right,
                } => {
                    let question = format!("{} ≤ {}?", self.features[*feature], short(*cut));
                    plot.split(question, *left, *right)
                }
            };
        }
        plot.draw()
    }
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
