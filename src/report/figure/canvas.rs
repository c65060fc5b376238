//! Lines, shapes and texts in pixels, drawn by plotters.

use crate::error::{Error, Result};
use crate::report::html::escape;
use crate::report::width::one_line;
use plotters::coord::Shift;
use plotters::element::{Drawable, PointCollection};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

/// The colour-blind-safe palette of Okabe & Ito (2008), without its yellow, which white paper swallows.
const PALETTE: [RGBColor; 7] = [
    RGBColor(0x00, 0x72, 0xb2),
    RGBColor(0xd5, 0x5e, 0x00),
    RGBColor(0x00, 0x9e, 0x73),
    RGBColor(0xcc, 0x79, 0xa7),
    RGBColor(0xe6, 0x9f, 0x00),
    RGBColor(0x56, 0xb4, 0xe9),
    RGBColor(0x00, 0x00, 0x00),
];
/// Text and axes.
pub(super) const INK: RGBColor = RGBColor(0x22, 0x22, 0x22);
/// Notes and reference lines.
pub(super) const GREY: RGBColor = RGBColor(0x59, 0x59, 0x59);
/// Curves in the background.
pub(super) const FAINT: RGBColor = RGBColor(0xb4, 0xb4, 0xb4);
/// The grid.
pub(super) const LIGHT: RGBColor = RGBColor(0xe3, 0xe3, 0xe3);

/// The colour of a series.
pub(super) fn colour(series: usize) -> RGBColor {
    PALETTE[series % PALETTE.len()]
}

/// plotters draws on whole units; a tenth of a pixel each keeps curves smooth.
const UNITS: f64 = 10.0;
/// plotters writes a font size divided by this.
const PLOTTERS_FONT_FACTOR: f64 = 1.24;

/// Where a text lies relative to its point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

/// A font size in pixels with its weight, colour and direction.
#[derive(Clone, Copy, Debug)]
pub(super) struct Font {
    pub size: f64,
    pub bold: bool,
    pub colour: RGBColor,
    /// Reading upwards, as a vertical axis title does.
    pub upwards: bool,
}

/// The drawing surface. A failure is kept and reported by [`Canvas::finish`]; writing to memory has none in practice.
pub(super) struct Canvas<'a> {
    area: DrawingArea<SVGBackend<'a>, Shift>,
    failure: Option<String>,
}

/// Draws on a white ground of this many pixels and returns the SVG document.
pub(super) fn draw(
    size: (u32, u32),
    description: &str,
    marks: impl FnOnce(&mut Canvas<'_>),
) -> Result<String> {
    let (width, height) = size;
    let units = (width * UNITS as u32, height * UNITS as u32);
    let mut drawn = String::new();
    let area = SVGBackend::with_string(&mut drawn, units).into_drawing_area();
    let mut canvas = Canvas {
        area,
        failure: None,
    };
    canvas.rectangle(
        (0.0, 0.0),
        (f64::from(width), f64::from(height)),
        WHITE,
        1.0,
    );
    marks(&mut canvas);
    canvas.finish()?;
    // The root element is ours: pixels outside, tenths inside, and a name for those who do not see the figure.
    let content = drawn.split_once('>').map_or("", |(_, rest)| rest);
    Ok(format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {} {}\" \
         style=\"max-width:100%;height:auto\" role=\"img\" aria-label=\"{}\">{content}",
        units.0,
        units.1,
        escape(description)
    ))
}

impl Canvas<'_> {
    /// A straight line.
    pub fn line(&mut self, from: (f64, f64), to: (f64, f64), colour: RGBColor, width: f64) {
        self.polyline(&[from, to], colour, width);
    }

    /// A dashed straight line.
    pub fn dashed(&mut self, from: (f64, f64), to: (f64, f64), colour: RGBColor, width: f64) {
        const DASH: f64 = 5.0;
        const GAP: f64 = 4.0;
        let length = (to.0 - from.0).hypot(to.1 - from.1);
        let at = |s: f64| {
            let t = (s / length).min(1.0);
            (from.0 + t * (to.0 - from.0), from.1 + t * (to.1 - from.1))
        };
        let mut start = 0.0;
        while start < length {
            self.line(at(start), at(start + DASH), colour, width);
            start += DASH + GAP;
        }
    }

    /// A line through points.
    pub fn polyline(&mut self, points: &[(f64, f64)], colour: RGBColor, width: f64) {
        let mut path: Vec<(i32, i32)> = points.iter().map(|p| units(*p)).collect();
        path.dedup();
        let style = colour.stroke_width((width * UNITS).round() as u32);
        self.element(&PathElement::new(path, style));
    }

    /// A filled shape.
    pub fn polygon(&mut self, points: &[(f64, f64)], colour: RGBColor, opacity: f64) {
        let path: Vec<(i32, i32)> = points.iter().map(|p| units(*p)).collect();
        self.element(&Polygon::new(path, colour.mix(opacity).filled()));
    }

    /// A filled rectangle between two corners.
    pub fn rectangle(&mut self, a: (f64, f64), b: (f64, f64), colour: RGBColor, opacity: f64) {
        self.element(&Rectangle::new(
            [units(a), units(b)],
            colour.mix(opacity).filled(),
        ));
    }

    /// A filled circle.
    pub fn disc(&mut self, centre: (f64, f64), radius: f64, colour: RGBColor) {
        let radius = (radius * UNITS).round() as i32;
        self.element(&Circle::new(units(centre), radius, colour.filled()));
    }

    /// A text whose vertical middle lies at the point; control characters become spaces.
    pub fn text(&mut self, text: &str, at: (f64, f64), anchor: Anchor, font: Font) {
        let horizontal = match anchor {
            Anchor::Start => HPos::Left,
            Anchor::Middle => HPos::Center,
            Anchor::End => HPos::Right,
        };
        let style = if font.bold {
            FontStyle::Bold
        } else {
            FontStyle::Normal
        };
        let size = font.size * UNITS * PLOTTERS_FONT_FACTOR;
        let mut description = FontDesc::new(FontFamily::SansSerif, size, style);
        if font.upwards {
            description = description.transform(FontTransform::Rotate270);
        }
        let style = TextStyle::from(description)
            .color(&font.colour)
            .pos(Pos::new(horizontal, VPos::Center));
        let result = self.area.draw_text(&one_line(text), &style, units(at));
        self.note_failure(result.map_err(|e| e.to_string()));
    }

    fn element<E>(&mut self, element: &E)
    where
        for<'e> &'e E: PointCollection<'e, (i32, i32)>,
        E: for<'s> Drawable<SVGBackend<'s>>,
    {
        let result = self.area.draw(element);
        self.note_failure(result.map_err(|e| e.to_string()));
    }

    fn note_failure(&mut self, result: std::result::Result<(), String>) {
        if let Err(message) = result {
            self.failure.get_or_insert(message);
        }
    }

    fn finish(mut self) -> Result<()> {
        let result = self.area.present();
        self.note_failure(result.map_err(|e| e.to_string()));
        match self.failure {
            None => Ok(()),
            Some(message) => Err(Error::Serialization {
                message: format!("the figure cannot be drawn: {message}"),
            }),
        }
    }
}

fn units((x, y): (f64, f64)) -> (i32, i32) {
    ((x * UNITS).round() as i32, (y * UNITS).round() as i32)
}
