//! Ground floor: tables, figures and pages. It knows no statistics; whoever has numbers to show fills a [`Table`] or a
//! figure builder and gets text, HTML, LaTeX, Markdown, CSV, JSON or SVG.

pub mod cell;
mod csv;
pub mod figure;
mod html;
mod json;
mod latex;
mod markdown;
pub(crate) mod notebook;
pub mod page;
pub mod table;
#[cfg(test)]
mod tests;
mod text;
mod width;

pub(crate) use cell::p_text;
pub use cell::{Cell, NumberFormat};
pub use figure::{
    BarPlot, BinnedScatter, CoefficientPlot, DistributionMap, Ecdf, EventStudyPlot, Figure,
    Histogram, LinePlot, SurvivalPlot, TreePlot, WaterfallPlot,
};
pub(crate) use notebook::{notebook, notebook_line, shown};
pub use page::Page;
pub use table::{Align, RowKind, Table};

use crate::error::{Error, Result};
use std::path::{Path, PathBuf};

/// Writes a rendered output and returns its absolute path, which is what a notebook wants to show.
fn write_file(path: &Path, content: &str) -> Result<PathBuf> {
    let failed = |e: std::io::Error| Error::Io {
        path: path.display().to_string(),
        message: e.to_string(),
    };
    std::fs::write(path, content).map_err(failed)?;
    std::path::absolute(path).map_err(failed)
}
