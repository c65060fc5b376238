//! What a run leaves behind: the text on the screen, the page, its figures, the comparisons and the manifest.

use crate::experiment::{Experiment, Findings, verdict};
use cocreate::prelude::*;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// An experiment with what it gave.
pub type Run = (&'static Experiment, Findings);

const TITLE: &str = "Published tables, recomputed";

/// An experiment as text: what it is, the comparison, and the models in full.
pub fn text((experiment, findings): &Run) -> String {
    let page = Page::new("")
        .heading(heading(experiment))
        .manifest(experiment.facts());
    let page = page
        .table(&findings.table(""))
        .list(findings.remarks.clone());
    findings.models.iter().fold(page, Page::table).to_string()
}

/// All experiments in a table, with a verdict each.
pub fn summary(runs: &[Run]) -> Table {
    let table = Table::new("Summary").columns(["Experiment", "Paper", "Cells", "Agree", "Verdict"]);
    let table = runs.iter().fold(table, |table, (experiment, findings)| {
        table.row([
            Cell::text(experiment.name),
            Cell::text(experiment.authors),
            Cell::count(findings.comparisons.len()),
            Cell::count(findings.agreeing()),
            Cell::text(verdict(findings.passes())),
        ])
    });
    let total =
        |count: fn(&Findings) -> usize| Cell::count(runs.iter().map(|(_, f)| count(f)).sum());
    table.summary([
        Cell::text("all"),
        Cell::empty(),
        total(|f| f.comparisons.len()),
        total(Findings::agreeing),
        Cell::text(verdict(runs.iter().all(|(_, f)| f.passes()))),
    ])
}

/// Every experiment with its paper and its data, for `--list`.
pub fn list(experiments: &[&Experiment]) -> Table {
    let table = Table::new("").columns(["Name", "Paper", "Data"]);
    experiments
        .iter()
        .fold(table, |table, e| table.row([e.name, e.paper, e.data]))
}

/// Writes everything into the folder and returns the absolute path of the page.
pub fn write(runs: &[Run], folder: &Path) -> Result<PathBuf> {
    std::fs::create_dir_all(folder).map_err(|e| Error::Io {
        path: folder.display().to_string(),
        message: e.to_string(),
    })?;
    for (experiment, findings) in runs {
        findings
            .table(experiment.title)
            .write(folder.join(format!("{}.csv", experiment.name)))?;
        for illustration in &findings.figures {
            illustration.figure.write(folder.join(&illustration.file))?;
        }
    }
    let manifest = manifest(runs);
    let path = folder.join("manifest.json");
    std::fs::write(&path, format!("{manifest:#}\n")).map_err(|e| Error::Io {
        path: path.display().to_string(),
        message: e.to_string(),
    })?;
    page(runs, &manifest).write(folder.join("index.html"))
}

fn page(runs: &[Run], manifest: &Value) -> Page {
    let page = Page::new(TITLE)
        .paragraph(
            "Each section recomputes figures of a published paper from the data the paper used, puts them beside the printed \
             ones and shows the regressions they come from. A figure agrees when it is within the tolerance, which is the \
             rounding of the print or a little more.",
        )
        .paragraph(
            "Some printed figures were read in the paper; others were recalled from memory and then found again in the data. \
             The last column of each comparison says which. A recalled figure that agrees is a check of this software on \
             real data, but weaker evidence on what the paper printed.",
        )
        .heading("Summary")
        .table(&summary(runs).with_title(""));
    let page = runs.iter().fold(page, |page, run| section(page, run));
    let page = page
        .heading("Manifest")
        .paragraph("What is needed to repeat this page, byte for byte on one type of machine; also in manifest.json.")
        .manifest(manifest_lines(manifest));
    page.table(&data_table(runs))
}

fn section(page: Page, (experiment, findings): &Run) -> Page {
    let page = page
        .heading(heading(experiment))
        .manifest(experiment.facts())
        .paragraph(experiment.study)
        .paragraph(format!(
            "Why this is an effect: {}",
            lower_first(experiment.identification)
        ))
        .table(&findings.table("Published and ours"))
        .list(findings.remarks.clone());
    let page = findings
        .figures
        .iter()
        .fold(page, |page, f| page.figure(&f.figure));
    findings.models.iter().fold(page, Page::table)
}

/// Facts about the run that do not depend on when or where it took place; the date only where one is given.
fn manifest(runs: &[Run]) -> Value {
    let names: Vec<&str> = runs.iter().map(|(e, _)| e.name).collect();
    let data: Vec<&datasets::Dataset> = used(runs).collect();
    let mut manifest = json!({
        "software": format!("{} {}", env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION")),
        "command": format!("cargo run --release --example reproduce -- {}", names.join(" ")),
        "seeds": "none: no random numbers are drawn",
        "cells compared": runs.iter().map(|(_, f)| f.comparisons.len()).sum::<usize>(),
        "cells that agree": runs.iter().map(|(_, f)| f.agreeing()).sum::<usize>(),
        "data": data,
    });
    if let Ok(seconds) = std::env::var("SOURCE_DATE_EPOCH") {
        manifest["SOURCE_DATE_EPOCH"] = Value::String(seconds);
    }
    manifest
}

/// The manifest without the data, which have a table.
fn manifest_lines(manifest: &Value) -> Vec<(String, String)> {
    let entries = manifest.as_object().into_iter().flatten();
    entries
        .filter(|(key, _)| *key != "data")
        .map(|(key, value)| {
            (
                key.clone(),
                value
                    .as_str()
                    .map_or_else(|| value.to_string(), str::to_owned),
            )
        })
        .collect()
}

fn data_table(runs: &[Run]) -> Table {
    let table =
        Table::new("Data").columns(["Name", "File", "Rows", "Source", "Licence", "SHA-256"]);
    used(runs).fold(table, |table, d| {
        table.row([
            Cell::text(d.name),
            Cell::text(d.file),
            Cell::count(d.rows),
            Cell::text(d.source),
            Cell::text(d.licence),
            Cell::text(d.sha256),
        ])
    })
}

/// The data sets that the experiments read.
fn used(runs: &[Run]) -> impl Iterator<Item = &'static datasets::Dataset> {
    datasets::list()
        .iter()
        .filter(|d| runs.iter().any(|(e, _)| e.data == d.name))
}

fn heading(experiment: &Experiment) -> String {
    format!("{}: {}", experiment.name, experiment.title)
}

fn lower_first(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_lowercase().chain(letters).collect()
    })
}
