//! The layout common to all figures: titles, legend, grid, ticks and note around a plotting area.

use super::Figure;
use super::canvas::{self, Anchor, Canvas, Font, GREY, INK, LIGHT};
use super::labels::Labels;
use super::marks::{self, Mark};
use super::scale::{Range, Tick};
use crate::error::Result;
use crate::report::width::{ellipsize, one_line, pixels, wrap};

/// Empty border of the figure.
const PAD: f64 = 14.0;
/// Height of a line of text relative to its font size.
const LEADING: f64 = 1.35;
/// Between an axis and its labels.
const TICK_GAP: f64 = 7.0;

const TITLE: Font = Font {
    size: 16.0,
    bold: true,
    colour: INK,
    upwards: false,
};
const AXIS: Font = Font {
    size: 14.0,
    bold: false,
    colour: INK,
    upwards: false,
};
const TICK: Font = Font {
    size: 13.0,
    bold: false,
    colour: INK,
    upwards: false,
};
const NOTE: Font = Font {
    size: 12.0,
    bold: false,
    colour: GREY,
    upwards: false,
};

/// What stands along the vertical axis.
pub(super) enum Vertical {
    Numbers(Range),
    /// Numbers with ticks at whole numbers only.
    Counts(Range),
    /// Names from top to bottom, at 0, 1, 2, …
    Names(Vec<String>),
}

/// An entry of the legend.
pub(super) struct Key {
    pub label: String,
    pub mark: Mark,
}

/// Everything around the marks.
pub(super) struct Axes<'a> {
    pub labels: &'a Labels,
    /// What the figure is, for its one-line description.
    pub kind: &'a str,
    /// A line added to the note by the figure itself.
    pub remark: String,
    pub x: Range,
    /// Whether ticks lie at whole numbers only.
    pub whole_x: bool,
    pub y: Vertical,
    /// Drawn when it has at least one entry.
    pub legend: Vec<Key>,
    /// Height when no size is asked for.
    pub height: u32,
}

/// The plotting area with its scales, in which the marks are drawn.
pub(super) struct Plot<'c, 'a> {
    pub canvas: &'c mut Canvas<'a>,
    pub left: f64,
    pub right: f64,
    pub top: f64,
    pub bottom: f64,
    x: Range,
    y: Range,
}

impl Plot<'_, '_> {
    /// Pixels of a value on the horizontal axis.
    pub fn px(&self, value: f64) -> f64 {
        self.left + (value - self.x.low) / (self.x.high - self.x.low) * (self.right - self.left)
    }

    /// Pixels of a value on the vertical axis (of the middle of a name's slot for names).
    pub fn py(&self, value: f64) -> f64 {
        self.bottom - (value - self.y.low) / (self.y.high - self.y.low) * (self.bottom - self.top)
    }

    /// A line over the whole height.
    pub fn vertical(&mut self, x: f64, dashed: bool) {
        let x = self.px(x);
        self.rule((x, self.top), (x, self.bottom), dashed);
    }

    /// A line over the whole width.
    pub fn horizontal(&mut self, y: f64, dashed: bool) {
        let y = self.py(y);
        self.rule((self.left, y), (self.right, y), dashed);
    }

    fn rule(&mut self, from: (f64, f64), to: (f64, f64), dashed: bool) {
        const WIDTH: f64 = 1.2;
        if dashed {
            self.canvas.dashed(from, to, GREY, WIDTH);
        } else {
            self.canvas.line(from, to, GREY, WIDTH);
        }
    }
}

impl Axes<'_> {
    /// Draws everything, the marks in between grid and axes.
    pub fn draw(self, marks: impl FnOnce(&mut Plot<'_, '_>)) -> Result<Figure> {
        let size = self.labels.size_or(self.height)?;
        let title = one_line(self.labels.title.trim());
        let description = if title.is_empty() { self.kind } else { &title };
        let layout = Layout::new(&self, f64::from(size.0), f64::from(size.1));
        let svg = canvas::draw(size, description, |canvas| {
            layout.grid(canvas);
            let mut plot = Plot {
                canvas,
                left: layout.left,
                right: layout.right,
                top: layout.top,
                bottom: layout.bottom,
                x: self.x,
                y: layout.y,
            };
            marks(&mut plot);
            layout.frame(canvas);
        })?;
        Ok(Figure {
            title,
            kind: self.kind.to_owned(),
            width: size.0,
            height: size.1,
            svg,
        })
    }
}

/// A text and where it stands.
struct Placed {
    text: String,
    at: (f64, f64),
    anchor: Anchor,
    font: Font,
}

/// Where everything stands.
struct Layout {
    left: f64,
    right: f64,
    top: f64,
    bottom: f64,
    y: Range,
    grid_x: Vec<f64>,
    grid_y: Vec<f64>,
    texts: Vec<Placed>,
    keys: Vec<((f64, f64), Mark)>,
}

impl Layout {
    fn new(axes: &Axes<'_>, width: f64, height: f64) -> Self {
        let mut layout = Self {
            left: PAD + axes.labels.beside,
            right: width - 2.0 * PAD,
            top: PAD,
            bottom: height - PAD,
            y: Range {
                low: 0.0,
                high: 1.0,
            },
            grid_x: Vec::new(),
            grid_y: Vec::new(),
            texts: Vec::new(),
            keys: Vec::new(),
        };
        layout.title(axes, width, height);
        layout.legend(axes, width, height);
        layout.note(axes, width, height);
        let x_title = layout.bottom - AXIS.size * LEADING / 2.0 - 2.0;
        if !axes.labels.x.trim().is_empty() {
            layout.bottom -= AXIS.size * LEADING + 4.0;
        }
        layout.bottom -= axes.labels.below;
        layout.bottom -= TICK_GAP + TICK.size * LEADING;
        layout.vertical_axis(axes, width);
        layout.horizontal_axis(axes, width);
        layout.x_title(axes, width, x_title);
        layout
    }

    fn push(&mut self, text: String, at: (f64, f64), anchor: Anchor, font: Font) {
        self.texts.push(Placed {
            text,
            at,
            anchor,
            font,
        });
    }

    fn title(&mut self, axes: &Axes<'_>, width: f64, height: f64) {
        const TALL: f64 = 300.0;
        let limit = width - 2.0 * PAD;
        let most = if height < TALL { 1 } else { 2 };
        for line in lines(&axes.labels.title, TITLE.size * BOLD, limit, most) {
            let at = (PAD, self.top + TITLE.size * LEADING / 2.0);
            self.push(line, at, Anchor::Start, TITLE);
            self.top += TITLE.size * LEADING;
        }
        self.top += 6.0;
    }

    /// Entries from left to right in as many rows as needed, up to a fifth of the figure.
    fn legend(&mut self, axes: &Axes<'_>, width: f64, height: f64) {
        const SWATCH: f64 = 26.0;
        const GAP: f64 = 18.0;
        const SHARE: f64 = 0.2;
        if axes.legend.is_empty() {
            return;
        }
        let row = TICK.size * 1.5;
        let lowest = self.top + (SHARE * height / row).floor().max(1.0) * row;
        let mut x = PAD;
        for (i, key) in axes.legend.iter().enumerate() {
            let label = ellipsize(&one_line(&key.label), TICK.size, 0.6 * width);
            let needed = SWATCH + pixels(&label, TICK.size);
            if x > PAD && x + needed > width - PAD {
                x = PAD;
                self.top += row;
            }
            if self.top + row > lowest {
                let more = format!("… and {} more", axes.legend.len() - i);
                self.push(more, (PAD, self.top + row / 2.0), Anchor::Start, TICK);
                break;
            }
            let middle = self.top + row / 2.0;
            self.keys.push(((x + SWATCH / 2.0 - 4.0, middle), key.mark));
            self.push(label, (x + SWATCH, middle), Anchor::Start, TICK);
            x += needed + GAP;
        }
        self.top += row + 6.0;
    }

    fn note(&mut self, axes: &Axes<'_>, width: f64, height: f64) {
        const SHARE: f64 = 0.15;
        let row = NOTE.size * LEADING;
        let most = (SHARE * height / row).floor() as usize;
        let note = [axes.labels.note.trim(), axes.remark.trim()].join(" ");
        let lines = lines(&note, NOTE.size, width - 2.0 * PAD, most);
        self.bottom -= row * lines.len() as f64;
        for (i, line) in lines.into_iter().enumerate() {
            let y = self.bottom + row * (i as f64 + 0.5) + 2.0;
            self.push(line, (PAD, y), Anchor::Start, NOTE);
        }
    }

    /// Under the middle of the plotting area, as far as the text stays inside the figure.
    fn x_title(&mut self, axes: &Axes<'_>, width: f64, y: f64) {
        for line in lines(&axes.labels.x, AXIS.size, width - 2.0 * PAD, 1) {
            let half = pixels(&line, AXIS.size) / 2.0;
            let middle = f64::midpoint(self.left, self.right);
            let inside = middle.min(width - PAD - half).max(PAD + half);
            self.push(line, (inside, y), Anchor::Middle, AXIS);
        }
    }

    fn vertical_axis(&mut self, axes: &Axes<'_>, width: f64) {
        let middle = f64::midpoint(self.top, self.bottom);
        let limit = self.bottom - self.top;
        for line in lines(&axes.labels.y, AXIS.size, limit, 1) {
            let font = Font {
                upwards: true,
                ..AXIS
            };
            let at = (PAD + AXIS.size / 2.0, middle);
            self.push(line, at, Anchor::Middle, font);
            self.left += AXIS.size * LEADING + 4.0;
        }
        match &axes.y {
            Vertical::Numbers(range) => self.numbers(*range, false),
            Vertical::Counts(range) => self.numbers(*range, true),
            Vertical::Names(names) => self.names(names, width),
        }
    }

    fn numbers(&mut self, range: Range, whole: bool) {
        const SPACING: f64 = 44.0;
        const CLOSEST: f64 = 1.5 * TICK.size;
        self.y = range;
        let height = self.bottom - self.top;
        let most = (height / SPACING).max(2.0) as usize;
        let scale = height / (range.high - range.low);
        let ticks = sparse_enough(range, most, whole, |_, step| step * scale >= CLOSEST);
        self.left += widest(&ticks) + TICK_GAP;
        let (top, bottom) = (self.top, self.bottom);
        let py = |v: f64| bottom - (v - range.low) / (range.high - range.low) * (bottom - top);
        for tick in ticks {
            let y = py(tick.value);
            self.grid_y.push(y);
            let at = (self.left - TICK_GAP, y);
            self.push(tick.label, at, Anchor::End, TICK);
        }
    }

    /// Names in slots of one height; where slots are too low for a line, only every second, third, … name is written.
    fn names(&mut self, names: &[String], width: f64) {
        const SHARE: f64 = 0.42;
        let row = TICK.size * 1.2;
        let count = names.len().max(1) as f64;
        let slot = (self.bottom - self.top) / count;
        // Upside down, so that the first name is on top.
        self.y = Range {
            low: count - 0.5,
            high: -0.5,
        };
        let every = (row / slot).ceil().max(1.0) as usize;
        let most = if slot >= 2.0 * row { 2 } else { 1 };
        let wrapped: Vec<Vec<String>> = names
            .iter()
            .map(|name| lines(name, TICK.size, SHARE * width, most))
            .collect();
        let widest = wrapped
            .iter()
            .flatten()
            .map(|line| pixels(line, TICK.size))
            .fold(0.0, f64::max);
        self.left += widest + TICK_GAP;
        for (i, lines) in wrapped.into_iter().enumerate() {
            let middle = self.top + slot * (i as f64 + 0.5);
            self.grid_y.push(middle);
            if !i.is_multiple_of(every) {
                continue;
            }
            let first = middle - row * (lines.len() as f64 - 1.0) / 2.0;
            for (j, line) in lines.into_iter().enumerate() {
                let at = (self.left - TICK_GAP, first + row * j as f64);
                self.push(line, at, Anchor::End, TICK);
            }
        }
    }

    /// As many ticks as have room for their labels.
    fn horizontal_axis(&mut self, axes: &Axes<'_>, width: f64) {
        const MOST: usize = 12;
        const ROOM: f64 = 12.0;
        let x = axes.x;
        let scale = (self.right - self.left) / (x.high - x.low);
        let ticks = sparse_enough(x, MOST, axes.whole_x, |ticks, step| {
            step * scale >= widest(ticks) + ROOM
        });
        let y = self.bottom + TICK_GAP + TICK.size / 2.0;
        for tick in ticks {
            let at = self.left + (tick.value - x.low) * scale;
            self.grid_x.push(at);
            let half = pixels(&tick.label, TICK.size) / 2.0;
            let inside = at.min(width - 2.0 - half).max(2.0 + half);
            self.push(tick.label, (inside, y), Anchor::Middle, TICK);
        }
    }

    fn grid(&self, canvas: &mut Canvas<'_>) {
        for x in &self.grid_x {
            canvas.line((*x, self.top), (*x, self.bottom), LIGHT, 1.0);
        }
        for y in &self.grid_y {
            canvas.line((self.left, *y), (self.right, *y), LIGHT, 1.0);
        }
    }

    fn frame(&self, canvas: &mut Canvas<'_>) {
        let corner = (self.left, self.bottom);
        canvas.line(corner, (self.right, self.bottom), INK, 1.0);
        canvas.line(corner, (self.left, self.top), INK, 1.0);
        for (at, mark) in &self.keys {
            marks::key(canvas, *mark, *at);
        }
        for placed in &self.texts {
            canvas.text(&placed.text, placed.at, placed.anchor, placed.font);
        }
    }
}

/// Bold letters are this much wider.
const BOLD: f64 = 1.12;

/// The text in at most so many lines, each cut to the limit; a line that lost words ends in an ellipsis.
fn lines(text: &str, size: f64, limit: f64, most: usize) -> Vec<String> {
    let mut lines = wrap(&one_line(text), limit, |s| pixels(s, size));
    if most > 0 && lines.len() > most {
        let rest = lines.split_off(most - 1).join(" ");
        lines.push(rest);
    }
    lines.truncate(most);
    lines
        .iter()
        .map(|line| ellipsize(line, size, limit))
        .collect()
}

/// The most ticks, up to about `most`, that fit; one if no two do.
fn sparse_enough(
    range: Range,
    most: usize,
    integers: bool,
    fit: impl Fn(&[Tick], f64) -> bool,
) -> Vec<Tick> {
    let mut ticks = Vec::new();
    for count in (1..=most).rev() {
        ticks = range.ticks(count, integers);
        match ticks.as_slice() {
            [first, second, ..] if !fit(&ticks, second.value - first.value) => {}
            _ => return ticks,
        }
    }
    ticks.truncate(1);
    ticks
}

fn widest(ticks: &[Tick]) -> f64 {
    ticks
        .iter()
        .map(|tick| pixels(&tick.label, TICK.size))
        .fold(0.0, f64::max)
}
