//! A binary tree of questions and answers.

use super::canvas::{self, Anchor, Canvas, Font, GREY, INK, colour};
use super::labels::{HEIGHT, Labels, WIDTH};
use super::{Figure, nothing_to_draw};
use crate::error::{Error, Result};
use crate::report::width::{ellipsize, one_line, pixels, wrap};
use plotters::style::WHITE;
use serde::Serialize;

/// From a box to the next level, the least height of a box, and the room for the title and around it all.
const BETWEEN: f64 = 50.0;
const BOX: f64 = 46.0;
const TITLE: f64 = 34.0;
const PAD: f64 = 14.0;
/// A leaf has at least this width, unless a size is asked for.
const LEAST_SLOT: f64 = 74.0;

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

    /// Width and height in pixels, from 300 × 200 to 10 000 × 10 000; by default 720 wide, more for more than nine leaves, and as high as
    /// the levels need.
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
        let levels = places.iter().map(|p| p.level).max().unwrap_or(0) + 1;
        let leaves = self.nodes.iter().filter(|n| n.children.is_none()).count();
        let title = one_line(self.labels.title.trim());
        let top = PAD + if title.is_empty() { 0.0 } else { TITLE };
        let mut labels = self.labels.clone();
        let wide = (LEAST_SLOT * leaves as f64 + 2.0 * PAD) as u32;
        let (width, _) = labels.size_or(HEIGHT)?;
        let width = if labels.size.is_some() {
            width
        } else {
            WIDTH.max(wide)
        };
        let slot = (f64::from(width) - 2.0 * PAD) / leaves as f64;
        let half = |node: usize| half(places[node].room * slot);
        // All boxes are as high as the one with the most lines.
        let lines = (0..self.nodes.len()).map(|n| self.nodes[n].lines(half(n)).len());
        let lines = lines.max();
        let tall = BOX.max(LINE * (lines.unwrap_or(0) as f64 + 0.5));
        let needed = top + (tall + BETWEEN) * (levels as f64 - 1.0) + tall + PAD;
        labels.size = labels.size.or(Some((width, (needed as u32).max(200))));
        let size = labels.size_or(HEIGHT)?;
        let at = |node: usize| {
            let Place { across, level, .. } = places[node];
            let down = top + tall / 2.0 + (tall + BETWEEN) * level as f64;
            (PAD + slot * across, down)
        };
        let description = if title.is_empty() { "Tree" } else { &title };
        let svg = canvas::draw(size, description, |canvas| {
            if !title.is_empty() {
                let shown = ellipsize(&title, HEADING.size, f64::from(width) - 2.0 * PAD);
                canvas.text(&shown, (PAD, PAD + TITLE / 3.0), Anchor::Start, HEADING);
            }
            for (node, children) in self.nodes.iter().enumerate() {
                for (child, word) in children.children.iter().flatten().zip(["yes", "no"]) {
                    edge(canvas, at(node), at(*child), tall, word);
                }
            }
            for (node, content) in self.nodes.iter().enumerate() {
                content.draw(canvas, at(node), (half(node), tall / 2.0));
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

    fn places(&self) -> Result<Vec<Place>> {
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
        let level = |level: Option<usize>| Place {
            level: level.unwrap_or(0),
            ..Place::default()
        };
        let mut places: Vec<Place> = levels.into_iter().map(level).collect();
        self.spread(0, &mut places, 0.0);
        Ok(places)
    }

    /// Spreads the leaves below a node from a slot on, and returns the slot after them.
    fn spread(&self, node: usize, places: &mut [Place], from: f64) -> f64 {
        let (across, to) = match self.nodes[node].children {
            None => (from + 0.5, from + 1.0),
            Some(children) => {
                let middle = self.spread(children[0], places, from);
                let to = self.spread(children[1], places, middle);
                let between = children.map(|child| places[child].across);
                (f64::midpoint(between[0], between[1]), to)
            }
        };
        places[node].across = across;
        places[node].room = 2.0 * (across - from).min(to - across);
        to
    }
}

/// Where a node stands: across in slots of leaves, down in levels; and the slots that it may fill, those of the leaves below it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Place {
    across: f64,
    level: usize,
    room: f64,
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
fn edge(canvas: &mut Canvas<'_>, from: (f64, f64), to: (f64, f64), tall: f64, word: &str) {
    let (start, end) = ((from.0, from.1 + tall / 2.0), (to.0, to.1 - tall / 2.0));
    canvas.line(start, end, GREY, 1.4);
    let middle = (f64::midpoint(start.0, end.0), f64::midpoint(start.1, end.1));
    let left = end.0 < start.0;
    let shift = if left { -8.0 } else { 8.0 };
    let anchor = if left { Anchor::End } else { Anchor::Start };
    canvas.text(word, (middle.0 + shift, middle.1 - 7.0), anchor, SMALL);
}

/// From line to line in a box.
const LINE: f64 = 18.0;

/// Half of the width of a box in so much room: boxes leave a gap between them.
fn half(room: f64) -> f64 {
    const WIDEST: f64 = 250.0;
    const GAP: f64 = 10.0;
    (room - GAP).clamp(24.0, WIDEST) / 2.0
}

impl Node {
    /// The text, broken where the box is too narrow, and what is below it, with their fonts.
    fn lines(&self, half: f64) -> Vec<(String, Font)> {
        /// Lines of the text; what is longer ends in an ellipsis.
        const MOST: usize = 3;
        let room = 2.0 * half - 6.0;
        let mut broken = wrap(&one_line(&self.text), room, |t| pixels(t, TEXT.size));
        if broken.len() > MOST {
            let rest = broken.split_off(MOST - 1).join(" ");
            broken.push(rest);
        }
        let below = one_line(&self.below);
        let text = broken.into_iter().map(|line| (line, TEXT));
        text.chain((!below.is_empty()).then_some((below, SMALL)))
            .map(|(line, font)| (ellipsize(&line, font.size, room), font))
            .collect()
    }

    fn draw(&self, canvas: &mut Canvas<'_>, (x, y): (f64, f64), (half, up): (f64, f64)) {
        const TINT: f64 = 0.25;
        let leaf = self.children.is_none();
        let corners = ((x - half, y - up), (x + half, y + up));
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
        let lines = self.lines(half);
        let first = y - LINE * (lines.len() as f64 - 1.0) / 2.0;
        for (i, (line, font)) in lines.into_iter().enumerate() {
            let at = (x, first + LINE * i as f64);
            canvas.text(&line, at, Anchor::Middle, font);
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
        let places: Vec<_> = places.iter().map(|p| (p.across, p.level, p.room)).collect();
        let want = [
            (1.25, 0, 2.5),
            (0.5, 1, 1.0),
            (2.0, 1, 2.0),
            (1.5, 2, 1.0),
            (2.5, 2, 1.0),
        ];
        assert_eq!(places, want);
        let figure = tree.title("Who gets what").draw().unwrap();
        for word in ["a?", "b?", "yes", "no", "Who gets what"] {
            assert!(figure.to_svg().contains(word), "{word}");
        }
    }

    #[test]
    fn a_question_too_long_for_its_box_is_broken_and_not_cut() {
        let mut tree = TreePlot::new();
        // Three levels of questions over eight leaves.
        for node in 0..7 {
            tree = tree.split("reported_success ≤ 0.525?", 2 * node + 1, 2 * node + 2);
        }
        for leaf in 0..8 {
            tree = tree.leaf("0.0918; 0.325", "55.5%", leaf);
        }
        let svg = tree.draw().unwrap().to_svg().to_owned();
        for line in ["reported_success", "≤ 0.525?", "0.0918;", "55.5%"] {
            assert!(svg.contains(line), "{line}");
        }
        assert!(!svg.contains('…'));
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
