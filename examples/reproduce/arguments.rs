//! What is asked for on the command line.

use cocreate::error::nearest_name;
use std::path::PathBuf;

pub const HELP: &str = "\
Recomputes published tables from real data, prints ours beside the printed figures and writes a page with figures.

Usage: cargo run --release --example reproduce -- [OPTIONS] [NAME…]

  NAME…        experiments to run; all without one
  --list       name, paper and data of every experiment
  --json       the comparisons as JSON on stdout, and nothing else there
  --out DIR    folder of the page; by default reproduce/ in the target folder
  --help       this text

Exit code: 0 when every figure agrees, 1 when one differs or cannot be computed, 2 for arguments that make no sense.";

/// The arguments, understood.
#[derive(Default)]
pub struct Arguments {
    pub help: bool,
    pub list: bool,
    pub json: bool,
    pub out: Option<PathBuf>,
    /// In the order given, each once.
    pub names: Vec<String>,
}

/// Understands the arguments, or says in a sentence what is wrong with them.
pub fn parse(
    mut given: impl Iterator<Item = String>,
    known: &[String],
) -> Result<Arguments, String> {
    const OPTIONS: [&str; 4] = ["--list", "--json", "--out", "--help"];
    let mut arguments = Arguments::default();
    while let Some(word) = given.next() {
        match word.as_str() {
            "--help" | "-h" => arguments.help = true,
            "--list" => arguments.list = true,
            "--json" => arguments.json = true,
            "--out" => {
                let folder = given
                    .next()
                    .ok_or("--out needs a folder, as in `--out results`")?;
                arguments.out = Some(PathBuf::from(folder));
            }
            option if option.starts_with('-') => {
                return Err(unknown("option", option, &OPTIONS.map(str::to_owned)));
            }
            name if !known.iter().any(|k| k == name) => {
                return Err(unknown("experiment", name, known));
            }
            name if arguments.names.iter().any(|n| n == name) => {}
            name => arguments.names.push(name.to_owned()),
        }
    }
    Ok(arguments)
}

fn unknown(what: &str, name: &str, known: &[String]) -> String {
    let remedy = match nearest_name(name, known) {
        Some(nearest) => format!("did you mean `{nearest}`?"),
        None => format!("there are {}", known.join(", ")),
    };
    format!("there is no {what} `{name}`; {remedy}")
}
