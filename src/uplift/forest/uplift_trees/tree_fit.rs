//! A fitted uplift tree: its groups, their effects, and predictions.

use super::criterion::ROWS;
use super::determined::node_effects;
use super::grow::{KEPT, Node, means};
use super::predict::{effects, mean_outcomes};
use super::prepared::{Finished, Prepared};
use super::tree::UpliftTree;
use super::words::Answer;
use crate::data::Frame;
use crate::error::{Result, Warning};
use crate::inference::Estimate;
use crate::regression::learners::Features;
use crate::regression::learners::features::FeatureInfo;
use crate::report::{Cell, Figure, Table, TreePlot, shown};
use crate::uplift::forest::codes::{Binned, Codes, Cuts, MISSING_CODE};
use crate::uplift::forest::file::{Filed, cuts_are_sound, filed};
use crate::uplift::forest::tree::Tree;
use crate::uplift::meta::ArmEffects;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Digits of effects in tables and figures.
const DIGITS: usize = 3;

/// A node of an uplift tree: a group of customers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct UpliftNode {
    /// The answers that lead here.
    pub who: String,
    /// What is asked next; none in a leaf.
    pub question: Option<String>,
    /// The places of the nodes that follow "yes" and "no".
    pub children: Option<[usize; 2]>,
    /// The gain of the question on the rows that found it; 0 in a leaf.
    pub gain: f64,
    /// Rows of every arm, control first, among those that estimate.
    pub rows: Vec<usize>,
    /// Mean outcome of every arm, control first.
    pub means: Vec<f64>,
    /// Effect of every arm against control: the difference in means, with Welch's standard error and degrees of freedom, or those of weights and clusters
    /// ([`UpliftTree`]).
    pub effects: Vec<Estimate>,
}

/// What [`UpliftTree`] found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct UpliftTreeFit {
    options: UpliftTree,
    arms: Vec<String>,
    info: Arc<Vec<FeatureInfo>>,
    cuts: Vec<Cuts>,
    tree: Tree,
    nodes: Vec<UpliftNode>,
    importance: Vec<f64>,
    rows: usize,
    warnings: Vec<Warning>,
}

impl UpliftTreeFit {
    pub(super) fn new(options: &UpliftTree, prepared: Prepared, made: Finished) -> Self {
        let Finished { grown, rows } = made;
        let found = node_effects(&grown, &prepared.ground(), &rows, &prepared.sample.arms);
        let Prepared {
            sample,
            info,
            binned: Binned { codes, cuts, .. },
            centre,
            warnings,
            ..
        } = prepared;
        let missing: Vec<bool> = (0..codes.features())
            .map(|j| (0..codes.rows()).any(|row| codes.row(row)[j] == MISSING_CODE))
            .collect();
        let mut importance = vec![0.0; info.len()];
        grown.add_importance(&mut importance);
        normalize(&mut importance);
        let mut nodes: Vec<UpliftNode> = grown
            .nodes
            .iter()
            .zip(found)
            .map(|(node, effects)| described(node, effects, centre))
            .collect();
        let mut paths: Vec<Vec<Answer>> = vec![Vec::new(); nodes.len()];
        // Parents come before their children.
        for (at, node) in grown.nodes.iter().enumerate() {
            let Some((split, left)) = &node.split else {
                continue;
            };
            let j = split.feature;
            let answers = Answer::both(split, &info[j], &cuts[j], missing[j]);
            nodes[at].gain = split.gain;
            nodes[at].children = Some([*left, *left + 1]);
            nodes[at].question = Some(answers[0].words(&info));
            for (child, answer) in (*left..).zip(&answers) {
                paths[child] = answer.after(&paths[at]);
                let words = paths[child].iter().map(|answer| answer.words(&info));
                nodes[child].who = words.collect::<Vec<_>>().join(" and ");
            }
        }
        Self {
            options: options.clone(),
            arms: sample.arms.clone(),
            rows: sample.len(),
            info,
            cuts,
            tree: grown.tree,
            nodes,
            importance,
            warnings,
        }
    }

    /// Effects of every arm against control at the rows of a frame. Labels that training had not count as missing.
    ///
    /// # Errors
    /// [`Error::ColumnNotFound`](crate::Error::ColumnNotFound), [`Error::WrongKind`](crate::Error::WrongKind), [`Error::Infinite`](crate::Error::Infinite).
    pub fn predict(&self, frame: &Frame) -> Result<ArmEffects> {
        let means = self.mean_outcomes(frame)?;
        Ok(ArmEffects::new(&self.arms, effects(&means)))
    }

    /// Mean outcome in the leaf of every row, one column an arm, control first.
    ///
    /// # Errors
    /// As [`UpliftTreeFit::predict`].
    pub fn mean_outcomes(&self, frame: &Frame) -> Result<Vec<Vec<f64>>> {
        let codes = self.codes(frame)?;
        let trees = std::slice::from_ref(&self.tree);
        Ok(mean_outcomes(trees, &codes, self.arms.len(), None))
    }

    /// The leaf of every row, by its place among [`UpliftTreeFit::nodes`].
    ///
    /// # Errors
    /// As [`UpliftTreeFit::predict`].
    pub fn leaves(&self, frame: &Frame) -> Result<Vec<usize>> {
        let codes = self.codes(frame)?;
        let rows: Vec<u32> = (0..codes.rows() as u32).collect();
        let mut at = vec![0; rows.len()];
        self.tree.leaves(&codes, &rows, &mut at);
        let places: Vec<usize> = (0..self.nodes.len())
            .filter(|node| self.nodes[*node].children.is_none())
            .collect();
        Ok(at.into_iter().map(|leaf| places[leaf as usize]).collect())
    }

    fn codes(&self, frame: &Frame) -> Result<Codes> {
        let features = Features::matching(frame, &self.info)?;
        Ok(Codes::cut(&features, &self.cuts))
    }

    /// The nodes, the first question first; children come after their parent.
    pub fn nodes(&self) -> &[UpliftNode] {
        &self.nodes
    }

    /// The arms, control first.
    pub fn arms(&self) -> &[String] {
        &self.arms
    }

    /// Features with their share of the variance of effects that the splits account for, measured in an honest tree by the product of what the two
    /// halves of the rows say, so that splits found by chance add nothing on average; largest first.
    pub fn importance(&self) -> Vec<(String, f64)> {
        ranked(&self.info, &self.importance)
    }

    /// What a reader of the numbers must know.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// One row a leaf and arm.
    pub fn table(&self) -> Table {
        let mut table = Table::new(format!(
            "Uplift tree: effect on {}",
            self.options.options.columns.outcome
        ))
        .columns([
            "Who",
            "Arm",
            "Rows",
            self.arms[0].as_str(),
            "Effect",
            "Std. error",
        ]);
        for node in self.nodes.iter().filter(|node| node.children.is_none()) {
            for (k, effect) in node.effects.iter().enumerate() {
                let (who, rows, control) = if k == 0 {
                    (
                        Cell::text(node.who.as_str()),
                        Cell::count(node.rows.iter().sum()),
                        Cell::significant(node.means[0], DIGITS),
                    )
                } else {
                    (Cell::empty(), Cell::empty(), Cell::empty())
                };
                table = table.row([
                    who,
                    Cell::text(self.arms[k + 1].as_str()),
                    rows,
                    control,
                    Cell::significant(effect.estimate, DIGITS),
                    Cell::significant(effect.std_error, DIGITS).parenthesised(),
                ]);
            }
        }
        table = table.note(format!(
            "n = {}; {}.",
            Cell::count(self.rows),
            self.options.describe()
        ));
        table.warned(&self.warnings)
    }

    /// The tree as a figure: each leaf with its effects and the share of the rows that estimate; leaves with the same best arm have one colour.
    ///
    /// # Errors
    /// Those of drawing.
    pub fn plot(&self) -> Result<Figure> {
        let title = format!(
            "Uplift tree: effect on {}",
            self.options.options.columns.outcome
        );
        let all: usize = self.nodes[0].rows.iter().sum();
        let mut plot = TreePlot::new().title(title);
        for node in &self.nodes {
            plot = if let (Some(question), Some([yes, no])) = (&node.question, node.children) {
                plot.split(format!("{question}?"), yes, no)
            } else {
                let effect = |e: &Estimate| Cell::significant(e.estimate, DIGITS).to_string();
                let answer: Vec<String> = node.effects.iter().map(effect).collect();
                let rows: usize = node.rows.iter().sum();
                let share = Cell::percent(rows as f64 / all.max(1) as f64, 1);
                plot.leaf(answer.join("; "), share.to_string(), best(&node.means))
            };
        }
        plot.draw()
    }

    /// The options of the tree.
    pub fn tree(&self) -> &UpliftTree {
        &self.options
    }
}

/// The arm with the highest mean.
fn best(means: &[f64]) -> usize {
    (1..means.len()).fold(0, |best, k| if means[k] > means[best] { k } else { best })
}

/// Shares of one, unless all are nothing; what is negative is noise.
pub(super) fn normalize(importance: &mut [f64]) {
    for share in importance.iter_mut() {
        *share = share.max(0.0);
    }
    let total: f64 = importance.iter().sum();
    if total > 0.0 {
        for share in importance {
            *share /= total;
        }
    }
}

/// Features with their importance, largest first.
pub(super) fn ranked(info: &[FeatureInfo], importance: &[f64]) -> Vec<(String, f64)> {
    let names = info.iter().map(|info| info.name.clone());
    let mut all: Vec<(String, f64)> = names.zip(importance.iter().copied()).collect();
    all.sort_by(|a, b| b.1.total_cmp(&a.1));
    all
}

/// A node with its effects; who is in it and what it asks come later.
fn described(node: &Node, effects: Vec<Estimate>, centre: f64) -> UpliftNode {
    let rows = node.sums.iter().skip(ROWS).step_by(KEPT);
    UpliftNode {
        who: "all".to_owned(),
        question: None,
        children: None,
        gain: 0.0,
        rows: rows.map(|n| *n as usize).collect(),
        means: means(&node.sums).map(|mean| mean + centre).collect(),
        effects,
    }
}

shown!(UpliftTreeFit);
filed!(UpliftTreeFit);

impl Filed for UpliftTreeFit {
    const KIND: &'static str = "uplift tree";
    const VERSION: u32 = 1;

    fn is_sound(&self) -> bool {
        let features = self.info.len();
        let (arms, nodes) = (self.arms.len(), self.nodes.len());
        let leaves = self.nodes.iter().filter(|n| n.children.is_none()).count();
        let sound = |(at, node): (usize, &UpliftNode)| {
            node.means.len() == arms
                && node.rows.len() == arms
                && node.effects.len() + 1 == arms
                && (node.children)
                    .is_none_or(|[yes, no]| yes > at && no > at && yes < nodes && no < nodes)
        };
        arms > 1
            && cuts_are_sound(&self.cuts, features)
            && self.importance.len() == features
            && self.tree.is_sound(features, leaves)
            && self.tree.means.len() == leaves * arms
            && self.nodes.iter().enumerate().all(sound)
    }
}
