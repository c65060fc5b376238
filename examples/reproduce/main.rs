//! The main job: published tables recomputed from real data, with ours beside the printed figures.
//!
//! `cargo run --release --example reproduce -- --help` tells more. A new paper is a file with an [`Experiment`], and a
//! line in [`ALL`].
#![allow(clippy::unwrap_used, clippy::print_stderr, missing_docs)]

mod arguments;
mod experiment;
mod output;
mod plots;

mod card;
mod castle;
mod cloud_onboarding;
mod hyderabad;
mod lalonde;
mod lsat;
mod mroz;
mod nie_wager;
mod nsw;
mod open_bandit;
mod organ_donations;
mod photo_funnel;
mod proposition_99;
mod recovery;
mod roll_out;
mod rossi;
mod thornton;
mod timing;
mod weather_insurance;

use experiment::Experiment;
use indicatif::{ProgressBar, ProgressStyle};
use output::Run;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Every experiment, in the order in which they run.
const ALL: [&Experiment; 22] = [
    &nsw::NSW,
    &lalonde::LALONDE,
    &card::CARD,
    &castle::CASTLE,
    &hyderabad::HYDERABAD,
    &thornton::THORNTON,
    &open_bandit::OPEN_BANDIT,
    &organ_donations::ORGAN_DONATIONS,
    &weather_insurance::WEATHER_INSURANCE,
    &mroz::MROZ,
    &rossi::ROSSI,
    &lsat::LSAT,
    &proposition_99::PROPOSITION_99,
    &photo_funnel::PHOTO_FUNNEL,
    &cloud_onboarding::CLOUD_ONBOARDING,
    &timing::TIMING,
    &roll_out::ROLL_OUT,
    &recovery::JOINT,
    &recovery::LEARNING,
    &recovery::STOPPING,
    &recovery::EXCHANGE,
    &nie_wager::NIE_WAGER,
];

fn main() -> ExitCode {
    let known: Vec<String> = ALL.iter().map(|e| e.name.to_owned()).collect();
    let arguments = match arguments::parse(std::env::args().skip(1), &known) {
        Ok(arguments) => arguments,
        Err(message) => {
            eprintln!("error: {message}\nTry --help.");
            return ExitCode::from(2);
        }
    };
    if arguments.help {
        return exit(print(arguments::HELP));
    }
    if arguments.list {
        return exit(print(&output::list(&ALL).to_string()));
    }
    let chosen = ALL
        .into_iter()
        .filter(|e| arguments.names.is_empty() || arguments.names.iter().any(|n| n == e.name));
    let (runs, complete) = run(&chosen.collect::<Vec<_>>());
    let printed = print(&if arguments.json {
        let records: Vec<_> = runs
            .iter()
            .flat_map(|(e, f)| experiment::records(e, f))
            .collect();
        serde_json::to_string_pretty(&records).unwrap()
    } else {
        let sections = runs
            .iter()
            .map(output::text)
            .chain([output::summary(&runs).to_string()]);
        sections.collect::<Vec<_>>().join("\n\n\n")
    });
    let folder = arguments.out.unwrap_or_else(default_folder);
    let written = match output::write(&runs, &folder) {
        Ok(page) => {
            eprintln!("Page: {}", page.display());
            true
        }
        Err(error) => {
            eprintln!("error: {error}");
            false
        }
    };
    let agrees = runs.iter().all(|(_, findings)| findings.passes());
    exit(agrees && complete && printed && written)
}

fn exit(good: bool) -> ExitCode {
    if good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Prints a text on stdout. A reader that has seen enough, as `head` has, is no error.
fn print(text: &str) -> bool {
    let mut out = std::io::stdout().lock();
    match writeln!(out, "{text}") {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            eprintln!("error: cannot print: {error}");
            false
        }
        _ => true,
    }
}

/// Runs the experiments, and says whether all of them came to an end.
fn run(chosen: &[&'static Experiment]) -> (Vec<Run>, bool) {
    // The bar is drawn on stderr, and only when that is a terminal.
    let bar = ProgressBar::new(chosen.len() as u64);
    bar.set_style(ProgressStyle::with_template("{bar:30} {pos}/{len} {msg}").unwrap());
    let mut runs = Vec::new();
    for &experiment in chosen {
        bar.set_message(experiment.name);
        match experiment.reproduce() {
            Ok(findings) => runs.push((experiment, findings)),
            Err(error) => bar.suspend(|| eprintln!("error: {}: {error}", experiment.name)),
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    let complete = runs.len() == chosen.len();
    (runs, complete)
}

/// `reproduce/` in the target folder of the package, wherever cargo was called.
fn default_folder() -> PathBuf {
    let package = std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default();
    let target = std::env::var_os("CARGO_TARGET_DIR");
    target
        .map_or_else(|| Path::new(&package).join("target"), PathBuf::from)
        .join("reproduce")
}
