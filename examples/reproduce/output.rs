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
    let row = |name: &str, cells, agreeing, passes, paper: &str| {
        [
            Cell::text(name),
            Cell::count(cells),
            Cell::count(agreeing),
            Cell::text(verdict(passes)),
            Cell::text(paper),
        ]
    };
    let table = Table::new("Summary").columns(["Experiment", "Cells", "Agree", "Verdict", "Paper"]);
    let table = runs.iter().fold(table, |table, (e, f)| {
        table.row(row(
            e.name,
            f.comparisons.len(),
            f.agreeing(),
            f.passes(),
            e.authors,
        ))
    });
    let passes = runs.iter().all(|(_, f)| f.passes());
    table.summary(row("all", cells(runs), agreeing(runs), passes, ""))
}

/// How many cells are compared in all.
fn cells(runs: &[Run]) -> usize {
    runs.iter().map(|(_, f)| f.comparisons.len()).sum()
}

/// How many of them agree.
fn agreeing(runs: &[Run]) -> usize {
    runs.iter().map(|(_, f)| f.agreeing()).sum()
}

/// Every experiment with its paper and its data, for `--list`.
pub fn list(experiments: &[&Experiment]) -> Table {
    let table = Table::new("").columns(["Name", "What", "Paper", "Data"]);
    experiments.iter().fold(table, |table, e| {
        table.row([e.name, e.title, e.authors, e.data])
    })
}

/// Writes everything into the folder and returns the absolute path of the page.
pub fn write(runs: &[Run], folder: &Path) -> Result<PathBuf> {
    std::fs::create_dir_all(folder).map_err(|e| failed(folder, &e))?;
    for (experiment, findings) in runs {
        findings
            .table(experiment.title)
            .write(folder.join(format!("{}.csv", experiment.name)))?;
        for illustration in &findings.figures {
            illustration.figure.write(folder.join(&illustration.file))?;
        }
    }
    let manifest = folder.join("manifest.json");
    write_text(&manifest, &format!("{:#}\n", manifest_json(runs)))?;
    page(runs).write(folder.join("index.html"))
}

fn write_text(path: &Path, text: &str) -> Result<()> {
    std::fs::write(path, text).map_err(|e| failed(path, &e))
}

fn failed(path: &Path, error: &std::io::Error) -> Error {
    Error::Io {
        path: path.display().to_string(),
        message: error.to_string(),
    }
}

fn page(runs: &[Run]) -> Page {
    let page = Page::new(TITLE)
        .paragraph(
            "Each section recomputes cells of a published table from the data the paper used, puts them beside the \
             printed ones and shows the regressions they come from. A cell agrees when the difference is within \
             the tolerance: the rounding of the print or a little more.",
        )
        .paragraph(
            "Some printed figures were read in the paper; others were recalled from memory and then found again in \
             the data. The last column of each comparison says which. A recalled figure that agrees is a check of \
             this software on real data, but weaker evidence on what the paper printed.",
        )
        .paragraph(
            "Experiments in silico have no data of their paper: customers are simulated. A figure \"calibrated to\" is the \
             published one that went into the process and that the analysis has to find again; a \"predicted\" one \
             follows from the process and was never published; a \"computed\" one was found on the same process with the software that is \
             named. Where the last column says \"at most\" or \"at least\", the figure is what was asked of us.",
        )
        .heading("Summary")
        .paragraph(format!("{} of {} cells agree.", agreeing(runs), cells(runs)))
        .table(&summary(runs).with_title(""));
    let page = runs.iter().fold(page, section);
    page.heading("Manifest")
        .paragraph("What is needed to repeat this page, byte for byte on one type of machine; also in manifest.json.")
        .manifest(facts(runs))
        .paragraph("The data, each with its source, the package it was taken from, its licence and its SHA-256:")
        .manifest(used(runs).map(|d| (d.name, describe(d))))
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
fn facts(runs: &[Run]) -> Vec<(String, String)> {
    let mut command = vec!["cargo run --release --example reproduce"];
    if runs.len() < crate::ALL.len() {
        command.push("--");
        command.extend(runs.iter().map(|(e, _)| e.name));
    }
    let mut facts = vec![
        (
            "software",
            format!("{} {}", env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION")),
        ),
        ("command", command.join(" ")),
        ("seeds", "none: no random numbers are drawn".to_owned()),
        ("cells compared", cells(runs).to_string()),
        ("cells that agree", agreeing(runs).to_string()),
    ];
    if let Ok(seconds) = std::env::var("SOURCE_DATE_EPOCH") {
        facts.push(("SOURCE_DATE_EPOCH", seconds));
    }
    facts.into_iter().map(|(k, v)| (k.to_owned(), v)).collect()
}

/// The facts with the data sets, for programs.
fn manifest_json(runs: &[Run]) -> Value {
    let mut manifest: serde_json::Map<String, Value> = facts(runs)
        .into_iter()
        .map(|(k, v)| (k, Value::String(v)))
        .collect();
    manifest.insert("data".to_owned(), json!(used(runs).collect::<Vec<_>>()));
    Value::Object(manifest)
}

fn describe(d: &datasets::Dataset) -> String {
    format!(
        "{}, {} rows; {}; {}, {}; {}",
        d.file, d.rows, d.source, d.package, d.licence, d.sha256
    )
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
