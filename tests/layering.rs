//! Holds the source to the drawing of the house: every room uses only rooms to its left, files stay one idea, and outside
//! crates stay in the rooms that own them.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::float_cmp,
    missing_docs
)]

#[path = "layering/source.rs"]
mod source;

use source::{Module, Token, external_uses, modules, paths, tokens, without_tests};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The rooms from left to right; those of one level may not use each other. `error` belongs to everybody.
const LEVELS: [&[&str]; 11] = [
    &["numeric", "report"],
    &["data"],
    &["summary"],
    &["inference"],
    &["decision"],
    &["simulate"],
    &["regression"],
    &["customer"],
    &["causal"],
    &["experiment", "uplift", "ability", "choice"],
    &["participation"],
];

/// Crates that one room hides from the others.
const OWNED_CRATES: [(&str, &str); 6] = [
    ("libm", "numeric"),
    ("statrs", "numeric/special"),
    ("rayon", "numeric"),
    ("plotters", "report"),
    ("memchr", "data"),
    ("flate2", "data"),
];

const LONGEST_FILE: usize = 500;
const MOST_EXCEPTIONS_TO_LINTS: usize = 12;

fn level(room: &str) -> Option<usize> {
    LEVELS.iter().position(|rooms| rooms.contains(&room))
}

/// What is wrong with a room using a path of the crate, if anything.
fn fault(room: &str, target: &str, reexported: &BTreeMap<String, String>) -> Option<String> {
    let target = reexported.get(target).map_or(target, String::as_str);
    if target == room || target == "error" {
        return None;
    }
    if room == "error" {
        return Some("error is used by all rooms and may use none".to_owned());
    }
    let Some(theirs) = level(target) else {
        return Some(format!("`{target}` is not a room"));
    };
    let Some(ours) = level(room) else {
        return Some(format!("`{room}` is not a room: add it to the drawing"));
    };
    (theirs >= ours).then(|| format!("{room} may use only what stands to its left"))
}

/// Every fault of a file: line and words.
fn faults(text: &str, module: &Module, reexported: &BTreeMap<String, String>) -> Vec<String> {
    let tokens = without_tests(&tokens(text));
    let Some(room) = module.room() else {
        return Vec::new();
    };
    let mut found: Vec<String> = paths(&tokens, module.depth())
        .into_iter()
        .filter_map(|path| {
            let why = fault(room, &path.root, reexported)?;
            Some(format!("{}: `{}`: {why}", path.line, path.text))
        })
        .collect();
    for (name, owner) in OWNED_CRATES {
        if !module.inside(owner) {
            found.extend(
                external_uses(&tokens, name)
                    .map(|line| format!("{line}: `{name}::`: only {owner} uses this crate")),
            );
        }
    }
    found
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// The names at the root of the crate that come from a room: `pub use data::datasets` makes `crate::datasets` mean data.
fn reexported(lib: &str) -> BTreeMap<String, String> {
    let tokens = without_tests(&tokens(lib));
    let mut names = BTreeMap::new();
    for (i, token) in tokens.iter().enumerate() {
        if token.text == "use" {
            for leaf in source::tree(&tokens, i + 1) {
                names.insert(leaf.last().unwrap().clone(), leaf[0].clone());
            }
        }
    }
    names
}

#[test]
fn rooms_use_only_what_stands_to_their_left() {
    let reexported = reexported(&std::fs::read_to_string(root().join("lib.rs")).unwrap());
    let mut found = Vec::new();
    let all = modules(&root());
    assert!(all.len() > 50, "only {} files were found", all.len());
    for module in all {
        let text = std::fs::read_to_string(&module.file).unwrap();
        let file = module
            .file
            .strip_prefix(root())
            .unwrap()
            .display()
            .to_string();
        found.extend(
            faults(&text, &module, &reexported)
                .into_iter()
                .map(|fault| format!("src/{file}:{fault}")),
        );
    }
    assert!(
        found.is_empty(),
        "{} faults:\n{}",
        found.len(),
        found.join("\n")
    );
}

#[test]
fn files_are_one_idea_and_say_which() {
    let mut found = Vec::new();
    for file in source::files(&root()) {
        let text = std::fs::read_to_string(&file).unwrap();
        let name = file.display();
        let lines = text.lines().count();
        if lines > LONGEST_FILE {
            found.push(format!(
                "{name}: {lines} lines, more than {LONGEST_FILE}: split it"
            ));
        }
        if !text.starts_with("//! ") {
            found.push(format!("{name}: begins without a `//!` sentence"));
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn exceptions_to_the_lints_are_rare() {
    let found: Vec<String> = modules(&root())
        .iter()
        .flat_map(|module| {
            let text = std::fs::read_to_string(&module.file).unwrap();
            let tokens = without_tests(&tokens(&text));
            source::lint_exceptions(&tokens)
                .map(|line| format!("{}:{line}", module.file.display()))
                .collect::<Vec<_>>()
        })
        .collect();
    assert!(
        found.len() <= MOST_EXCEPTIONS_TO_LINTS,
        "{}",
        found.join("\n")
    );
}

/// The faults of a snippet that stands in `src/FILE`.
fn snippet(file: &str, text: &str) -> Vec<String> {
    let reexported = reexported(
        "pub use data::datasets; pub use error::{Error, Result}; pub use numeric::{Progress, Seed};",
    );
    faults(
        text,
        &Module::of(Path::new(""), Path::new(file)),
        &reexported,
    )
}

#[test]
fn forbidden_uses_are_caught() {
    for (file, text) in [
        ("summary/gram.rs", "use crate::{regression, data::Frame};"),
        (
            "summary/gram.rs",
            "use crate::{data::Frame, error::{Error, Result}, inference::{self}};",
        ),
        (
            "data/frame.rs",
            "fn f() -> crate::summary::Moments { todo() }",
        ),
        ("numeric/blocks.rs", "use crate::report::Table;"),
        ("report/table.rs", "use crate::numeric::Seed;"),
        ("report/table.rs", "fn f(seed: crate::Seed) {}"),
        ("numeric/seed.rs", "use crate::datasets;"),
        ("numeric/seed.rs", "crate::report::notebook!(Seed);"),
        (
            "numeric/seed.rs",
            "macro_rules! m { () => { $crate::report::notebook::show() }; }",
        ),
        ("numeric/seed.rs", "use super::super::report::Table;"),
        ("numeric/optimize/mod.rs", "use super::super::data;"),
        ("numeric/mod.rs", "use super::report;"),
        (
            "numeric/seed.rs",
            "use super::{super::report::Table, blocks};",
        ),
        (
            "numeric/seed.rs",
            "mod inner { use super::super::super::report::Table; }",
        ),
        ("numeric/seed.rs", "use self::super::super::report::Table;"),
        ("uplift/forest.rs", "use crate::choice::Logit;"),
        ("numeric/seed.rs", "use crate as c;"),
        ("numeric/seed.rs", "use crate::{self as c};"),
        ("numeric/seed.rs", "use crate::*;"),
        ("data/frame.rs", "use crate::prelude::*;"),
        ("kitchen/sink.rs", "use crate::data::Frame;"),
        ("error.rs", "use crate::data::Frame;"),
        (
            "data/frame.rs",
            "fn f<'a>(x: &'a str) { let c = '\"'; crate::summary::g(c, '\\'') }",
        ),
        (
            "data/frame.rs",
            "let s = r#\"a\"b\"#; use crate::summary::Moments;",
        ),
        (
            "data/frame.rs",
            "/* a /* nested */ comment */ use crate::summary::Moments;",
        ),
        (
            "data/frame.rs",
            "#[cfg(not(test))] use crate::summary::Moments;",
        ),
        (
            "data/frame.rs",
            "#[cfg(test)] mod tests { fn f() {} } use crate::summary::Moments;",
        ),
        (
            "data/frame.rs",
            "#[cfg(test)] use std::{fmt, io}; use crate::summary::Moments;",
        ),
        (
            "data/frame.rs",
            "use crate :: // a comment\n summary :: Moments;",
        ),
        ("inference/fieller.rs", "let x = libm::erfc(1.0);"),
        ("numeric/blocks.rs", "use statrs::function::erf::erf;"),
        ("summary/gram.rs", "use rayon::prelude::*;"),
        ("data/frame.rs", "use {rayon::prelude, std::fmt};"),
    ] {
        assert_eq!(
            snippet(file, text).len(),
            1,
            "{file}: {text}: {:?}",
            snippet(file, text)
        );
    }
}

#[test]
fn allowed_uses_pass() {
    for (file, text) in [
        (
            "regression/ols.rs",
            "use crate::{data::Frame, error::Error, report::Table, summary};",
        ),
        (
            "regression/ols.rs",
            "use super::linear::Core; use crate::regression::absorb;",
        ),
        (
            "regression/iv/mod.rs",
            "use super::super::regression::linear;",
        ),
        (
            "data/frame.rs",
            "fn f() -> crate::Result<()> { crate::datasets::load(\"nsw\").map(drop) }",
        ),
        (
            "data/frame.rs",
            "// crate::summary::Moments\n/// [`crate::regression::Ols`]\nfn f() {}",
        ),
        (
            "data/frame.rs",
            "/* crate::summary */ let s = \"crate::summary \\\" crate::summary\";",
        ),
        (
            "data/frame.rs",
            "let s = r##\"crate::summary\"# crate::summary\"##; let b = b\"crate::summary\";",
        ),
        (
            "data/frame.rs",
            "#[cfg(test)]\nmod tests { use crate::summary::Moments; fn f() { {} } }",
        ),
        (
            "data/frame.rs",
            "#[cfg(test)] use crate::{summary, regression};",
        ),
        (
            "data/frame.rs",
            "#[cfg(test)] #[inline] pub fn f(x: [u8; 2]) -> u8 { crate::summary::g(x) }",
        ),
        (
            "data/frame.rs",
            "pub(crate) fn f() {} pub(in crate::data) fn g() {}",
        ),
        ("lib.rs", "pub use participation::Study;"),
        ("prelude.rs", "pub use crate::regression::Ols;"),
        (
            "numeric/special/gamma.rs",
            "use libm::lgamma; let x = statrs::function::beta::beta(1.0, 2.0);",
        ),
        (
            "data/csv/mod.rs",
            "let libm = 1; let x = memchr::memchr(b',', bytes);",
        ),
    ] {
        assert_eq!(snippet(file, text), Vec::<String>::new(), "{file}: {text}");
    }
}

#[test]
fn lint_exceptions_are_counted_outside_tests_only() {
    let text = "#[allow(x)] fn f() {} #![expect(y)] #[cfg(test)] #[allow(z)] mod tests { #[allow(w)] fn g() {} }";
    let tokens: Vec<Token> = without_tests(&tokens(text));
    assert_eq!(source::lint_exceptions(&tokens).count(), 2);
}
