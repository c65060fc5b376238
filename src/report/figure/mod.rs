//! Figures as SVG: one builder a file, all on the same axes, fonts and colours.

mod axes;
mod bar;
mod binned_scatter;
mod canvas;
mod coefficient;
mod distribution_map;
mod ecdf;
mod event_study;
mod histogram;
mod labels;
mod line;
mod marks;
mod scale;
mod survival;
#[cfg(test)]
mod tests;
mod tree;
mod waterfall;

pub use bar::BarPlot;
pub use binned_scatter::BinnedScatter;
pub use coefficient::CoefficientPlot;
pub use distribution_map::DistributionMap;
pub use ecdf::Ecdf;
pub use event_study::EventStudyPlot;
pub use histogram::Histogram;
pub use line::LinePlot;
pub use survival::SurvivalPlot;
pub use tree::TreePlot;
pub use waterfall::WaterfallPlot;

use super::html::escape;
use super::{notebook, write_file};
use crate::error::{Error, Result};
use serde::Serialize;
use std::path::{Path, PathBuf};

/// A finished figure: an SVG with an opaque white ground that needs neither fonts nor a network.
///
/// ```
/// use cocreate::prelude::*;
/// let figure = CoefficientPlot::new()
///     .title("Willingness to participate")
///     .point("reward", 0.31, 0.12, 0.50)
///     .point("effort", -0.22, -0.40, -0.04)
///     .draw()?;
/// assert!(figure.to_svg().starts_with("<svg"));
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, PartialEq, Serialize)]
pub struct Figure {
    title: String,
    kind: String,
    width: u32,
    height: u32,
    svg: String,
}

impl Figure {
    /// The SVG document.
    pub fn to_svg(&self) -> &str {
        &self.svg
    }

    /// The SVG inside a `<figure>` element, to be put into a page.
    pub fn to_html(&self) -> String {
        format!("<figure class=\"cocreate\">\n{}</figure>", self.svg)
    }

    /// The title, which may be empty.
    pub fn title(&self) -> &str {
        &self.title
    }

    /// Width in pixels.
    pub fn width(&self) -> u32 {
        self.width
    }

    /// Height in pixels.
    pub fn height(&self) -> u32 {
        self.height
    }

    /// Writes the figure to a file, `.svg` or (as a document of its own) `.html`, and returns the absolute path.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for another extension, [`Error::Io`] when the file cannot be written.
    pub fn write(&self, path: impl AsRef<Path>) -> Result<PathBuf> {
        let path = path.as_ref();
        let extension = path.extension().and_then(|e| e.to_str()).unwrap_or("");
        match extension.to_ascii_lowercase().as_str() {
            "svg" => write_file(path, &self.svg),
            "html" | "htm" => {
                let title = escape(if self.title.is_empty() {
                    &self.kind
                } else {
                    &self.title
                });
                write_file(
                    path,
                    &format!(
                        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>{title}</title>\n\
                         </head>\n<body>\n{}\n</body>\n</html>\n",
                        self.to_html()
                    ),
                )
            }
            _ => Err(Error::invalid_option(
                "path",
                path.display(),
                "a path that ends in .svg or .html",
            )),
        }
    }
}

/// One line: what the figure is and how large.
impl std::fmt::Display for Figure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.kind)?;
        if !self.title.is_empty() {
            write!(f, " \"{}\"", self.title)?;
        }
        write!(f, " ({} × {} px SVG)", self.width, self.height)
    }
}

/// Without the SVG, which is long.
impl std::fmt::Debug for Figure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Figure")
            .field("title", &self.title)
            .field("kind", &self.kind)
            .field("width", &self.width)
            .field("height", &self.height)
            .finish_non_exhaustive()
    }
}

notebook!(Figure);

/// Refuses vectors that should run in parallel and do not.
fn same_length(what: &str, expected: usize, found: usize) -> Result<()> {
    if expected == found {
        return Ok(());
    }
    Err(Error::LengthMismatch {
        column: what.to_owned(),
        expected,
        found,
    })
}

/// Nothing to draw.
fn nothing_to_draw(what: &str) -> Error {
    Error::invalid_option(
        what,
        "empty or entirely missing",
        "given with at least one finite value",
    )
}

/// The place of a name in a list, at its end when it is new.
fn index_of(names: &mut Vec<String>, name: String) -> usize {
    names.iter().position(|n| *n == name).unwrap_or_else(|| {
        names.push(name);
        names.len() - 1
    })
}
