//! A binary tree of questions and answers.

use super::canvas::{self, Anchor, Canvas, Font, GREY, INK, colour};
use super::labels::Labels;
use super::{Figure, nothing_to_draw};
use crate::error::{Error, Result};
use crate::report::width::{ellipsize, one_line};
use plotters::style::WHITE;
use serde::Serialize;

/// Height of a level, of a box, and of the room for the title and around it all.
const LEVEL: f64 = 96.0;
const BOX: f64 = 46.0;
const TITLE: f64 = 34.0;
const PAD: f64 = 14.0;

/// Questions with two answers each, from top to bottom; "yes" goes left. The first node added is the top.
///
/// ```
/// use cocreate::report::TreePlot;
/// let figure = TreePlot::new()
///     .split("age ≤ 30?", 1, 2)
///     .leaf("coupon", "40.0%", 1)
///     .leaf("none", "60.0%", 0)
///     .draw()?;
/// assert!(figure.to_svg().contains("coupon"));
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, Default, Serialize)]
pub struct TreePlot {
    labels: Labels,
    nodes: Vec<Node>,
}

#[derive(Clone, Debug, Serialize)]
struct Node {
    text: String,
    below: String,
    series: usize,
    children: Option<[usize; 2]>,
}

impl TreePlot {
    /// A tree without nodes.
    pub fn new() -> Self {
        Self::default()
    }

    /// The title over the figure.
    pub fn title(mut self, title: impl Into<String>) -> Self {
        self.labels.title = title.into();
        self
    }

    /// Width and height in pixels, from 300 × 200 to 10 000 × 10 000; by default 720 wide and as high as the levels need.
    pub fn size(mut self, width: u32, height: u32) -> Self {
        self.labels.size = Some((width, height));
        self
    }

    /// Adds a question and the nodes, by the order in which they are added, that follow "yes" and "no".
    pub fn split(mut self, question: impl Into<String>, yes: usize, no: usize) -> Self {
        self.nodes.push(Node {
            text: question.into(),
            below: String::new(),
            series: 0,
            children: Some([yes, no]),
        });
        self
    }

    /// Adds an answer with a line below it; leaves of one series have one colour.
    pub fn leaf(
        mut self,
        answer: impl Into<String>,
        below: impl Into<String>,
        series: usize,
    ) -> Self {
        self.nodes.push(Node {
            text: answer.into(),
            below: below.into(),
            series,
            children: None,
        });
        self
    }

    /// Draws the figure.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] without nodes, for a question that leads to no later node or to one that another leads to, or for a size
    /// out of range.
    pub fn draw(&self) -> Result<Figure> {
        if self.nodes.is_empty() {
            return Err(nothing_to_draw("nodes"));
        }
        let places = self.places()?;
        let levels = places.iter().map(|p| p.1).max().unwrap_or(0) + 1;
        let leaves = self.nodes.iter().filter(|n| n.children.is_none()).count();
        let title = one_line(self.labels.title.trim());
        let top = PAD + if title.is_empty() { 0.0 } else { TITLE };
        let needed = top + LEVEL * (levels as f64 - 1.0) + BOX + PAD;
        let size = self.labels.size_or((needed as u32).max(200))?;
        let width = f64::from(size.0);
        let slot = (width - 2.0 * PAD) / leaves as f64;
        let at = |node: usize| {
            let (across, level) = places[node];
            (PAD + slot * across, top + BOX / 2.0 + LEVEL * level as f64)
        };
        let description = if title.is_empty() { "Tree" } else { &title };
        let svg = canvas::draw(size, description, |canvas| {
            if !title.is_empty() {
                let shown = ellipsize(&title, HEADING.size, width - 2.0 * PAD);
                canvas.text(&shown, (PAD, PAD + TITLE / 3.0), Anchor::Start, HEADING);
            }
            for (node, children) in self.nodes.iter().enumerate() {
                for (child, word) in children.children.iter().flatten().zip(["yes", "no"]) {
                    edge(canvas, at(node), at(*child), word);
                }
            }
            for (node, content) in self.nodes.iter().enumerate() {
                content.draw(canvas, at(node), slot);
            }
        })?;
        Ok(Figure {
            title,
            kind: "Tree".to_owned(),
            width: size.0,
            height: size.1,
            svg,
        })
    }

    /// Across in slots of leaves and down in levels, for every node.
    fn places(&self) -> Result<Vec<(f64, usize)>> {
        let mut levels = vec![None; self.nodes.len()];
        levels[0] = Some(0);
        for (at, node) in self.nodes.iter().enumerate() {
            for child in node.children.into_iter().flatten() {
                if child <= at || child >= self.nodes.len() || levels[child].is_some() {
                    return Err(Error::invalid_option(
                        "split",
                        format!("node {at}, which leads to node {child}"),
                        "followed by two nodes that are added later and that no other leads to",
                    ));
                }
                levels[child] = levels[at].map(|level| level + 1);
            }
        }
        let mut across = vec![0.0; self.nodes.len()];
        let mut leaves = 0.0;
        self.spread(0, &mut across, &mut leaves);
        let levels = levels.into_iter().map(|level| level.unwrap_or(0));
        Ok(across.into_iter().zip(levels).collect())
    }

    fn spread(&self, node: usize, across: &mut [f64], leaves: &mut f64) {
        across[node] = match self.nodes[node].children {
            None => {
                *leaves += 1.0;
                *leaves - 0.5
            }
            Some(children) => {
                for child in children {
                    self.spread(child, across, leaves);
                }
                f64::midpoint(across[children[0]], across[children[1]])
            }
        };
    }
}

const HEADING: Font = Font {
    size: 16.0,
    bold: true,
    colour: INK,
    upwards: false,
};
const TEXT: Font = Font {
    size: 13.0,
    bold: false,
    colour: INK,
    upwards: false,
};
const SMALL: Font = Font {
    size: 12.0,
    bold: false,
    colour: GREY,
    upwards: false,
};

/// A line from one box to another with its answer.
fn edge(canvas: &mut Canvas<'_>, from: (f64, f64), to: (f64, f64), word: &str) {
    let (start, end) = ((from.0, from.1 + BOX / 2.0), (to.0, to.1 - BOX / 2.0));
    canvas.line(start, end, GREY, 1.4);
    let middle = (f64::midpoint(start.0, end.0), f64::midpoint(start.1, end.1));
    let left = end.0 < start.0;
    let shift = if left { -8.0 } else { 8.0 };
    let anchor = if left { Anchor::End } else { Anchor::Start };
    canvas.text(word, (middle.0 + shift, middle.1 - 4.0), anchor, SMALL);
}

impl Node {
    fn draw(&self, canvas: &mut Canvas<'_>, (x, y): (f64, f64), slot: f64) {
        /// Boxes are no wider than this, and leave a gap between them; a question stands over two leaves or more.
        const WIDEST: f64 = 250.0;
        const GAP: f64 = 10.0;
        const LINE: f64 = 9.0;
        const TINT: f64 = 0.25;
        let leaf = self.children.is_none();
        let room = if leaf { slot } else { 2.0 * slot } - GAP;
        let half = room.clamp(24.0, WIDEST) / 2.0;
        let corners = ((x - half, y - BOX / 2.0), (x + half, y + BOX / 2.0));
        canvas.rectangle(corners.0, corners.1, WHITE, 1.0);
        let ink = if leaf { colour(self.series) } else { GREY };
        if leaf {
            canvas.rectangle(corners.0, corners.1, ink, TINT);
        }
        let outline = [
            corners.0,
            (corners.1.0, corners.0.1),
            corners.1,
            (corners.0.0, corners.1.1),
            corners.0,
        ];
        canvas.polyline(&outline, ink, 1.4);
        let text = ellipsize(&one_line(&self.text), TEXT.size, 2.0 * half - 6.0);
        let below = ellipsize(&one_line(&self.below), SMALL.size, 2.0 * half - 6.0);
        let up = if below.is_empty() { 0.0 } else { LINE };
        canvas.text(&text, (x, y - up), Anchor::Middle, TEXT);
        if !below.is_empty() {
            canvas.text(&below, (x, y + LINE), Anchor::Middle, SMALL);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leaves_stand_side_by_side_and_questions_over_them() {
        let tree = TreePlot::new()
            .split("a?", 1, 2)
            .leaf("x", "", 0)
            .split("b?", 3, 4)
            .leaf("y", "", 1)
            .leaf("z", "", 0);
        let places = tree.places().unwrap();
        assert_eq!(places, [(1.25, 0), (0.5, 1), (2.0, 1), (1.5, 2), (2.5, 2)]);
        let figure = tree.title("Who gets what").draw().unwrap();
        for word in ["a?", "b?", "yes", "no", "Who gets what"] {
            assert!(figure.to_svg().contains(word), "{word}");
        }
    }

    #[test]
    fn what_is_no_tree_is_refused() {
        assert!(TreePlot::new().draw().is_err());
        assert!(
            TreePlot::new()
                .split("a?", 0, 1)
                .leaf("x", "", 0)
                .draw()
                .is_err()
        );
        assert!(
            TreePlot::new()
                .split("a?", 1, 1)
                .leaf("x", "", 0)
                .draw()
                .is_err()
        );
        assert!(
            TreePlot::new()
                .split("a?", 1, 2)
                .leaf("x", "", 0)
                .draw()
                .is_err()
        );
    }
}
