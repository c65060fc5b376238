//! The data sets that come with the crate: published experiments, panels, purchases and choices.

mod catalogue;

use super::csv::CsvOptions;
use super::frame::Frame;
use crate::error::{Error, Result, nearest_name};
use crate::report::{Cell, Table};
use catalogue::CATALOGUE;
use serde::Serialize;

/// A bundled data set. The columns are explained in `datasets/README.md`.
#[derive(Clone, Copy, Serialize)]
pub struct Dataset {
    /// The name for [`load`].
    pub name: &'static str,
    /// Other names that [`load`] accepts.
    pub aliases: &'static [&'static str],
    /// What it is.
    pub title: &'static str,
    /// The file in `datasets/`.
    pub file: &'static str,
    /// Rows.
    pub rows: usize,
    /// Columns.
    pub columns: usize,
    /// Who collected or first published the data.
    pub source: &'static str,
    /// The package that distributes the file.
    pub package: &'static str,
    /// The licence of that package; its text is in `datasets/licences/`.
    pub licence: &'static str,
    /// SHA-256 of the file as shipped, in hexadecimal.
    pub sha256: &'static str,
    /// A column of times that is not in ISO form, and its format.
    #[serde(skip)]
    time: Option<(&'static str, &'static str)>,
    #[serde(skip)]
    bytes: &'static [u8],
}

impl Dataset {
    /// Reads it.
    ///
    /// # Errors
    /// Those of [`CsvOptions::parse`]; none for the files as shipped.
    pub fn load(&self) -> Result<Frame> {
        let options = CsvOptions::new();
        match self.time {
            Some((column, format)) => options.time(column, format).parse(self.bytes),
            None => options.parse(self.bytes),
        }
    }
}

impl std::fmt::Debug for Dataset {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Dataset({self})")
    }
}

impl std::fmt::Display for Dataset {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{}: {} ({}); {} rows, {} columns",
            self.name, self.title, self.source, self.rows, self.columns
        )
    }
}

/// Loads a bundled data set by its name, an alias, or the name of its file without the ending.
///
/// ```
/// use cocreate::prelude::*;
/// let nsw = datasets::load("nsw")?;
/// assert_eq!((nsw.rows(), nsw.columns()), (445, 11));
/// # Ok::<(), cocreate::Error>(())
/// ```
///
/// # Errors
/// [`Error::UnknownDataset`] with the nearest name.
pub fn load(name: &str) -> Result<Frame> {
    find(name)?.load()
}

/// All bundled data sets.
pub fn list() -> &'static [Dataset] {
    CATALOGUE
}

/// The bundled data sets as a table.
pub fn table() -> Table {
    let table = Table::new("Bundled data sets")
        .columns(["name", "what", "rows", "columns", "source", "licence"]);
    CATALOGUE.iter().fold(table, |table, d| {
        table.row([
            Cell::text(d.name),
            Cell::text(d.title),
            Cell::count(d.rows),
            Cell::count(d.columns),
            Cell::text(d.source),
            Cell::text(d.licence),
        ])
    })
}

fn find(name: &str) -> Result<&'static Dataset> {
    let is = |d: &&Dataset| d.name == name || d.aliases.contains(&name);
    CATALOGUE.iter().find(is).ok_or_else(|| {
        let names = |all: bool| -> Vec<String> {
            let aliases = |d: &'static Dataset| d.aliases.iter().filter(move |_| all);
            CATALOGUE
                .iter()
                .flat_map(|d| std::iter::once(&d.name).chain(aliases(d)))
                .map(|n| (*n).to_owned())
                .collect()
        };
        Error::UnknownDataset {
            name: name.to_owned(),
            nearest: nearest_name(name, &names(true)),
            available: names(false),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use sha2::{Digest, Sha256};

    #[test]
    fn every_file_is_the_one_described_and_loads() {
        for d in list() {
            let bytes = Sha256::digest(d.bytes);
            let digest = bytes
                .iter()
                .map(|b| format!("{b:02x}"))
                .collect::<Vec<_>>()
                .concat();
            assert_eq!(digest, d.sha256, "{}", d.name);
            let frame = d.load().unwrap();
            assert_eq!(
                (frame.rows(), frame.columns()),
                (d.rows, d.columns),
                "{}",
                d.name
            );
        }
    }

    #[test]
    fn the_readme_lists_every_data_set_and_every_licence_is_there() {
        let readme = include_str!("../../../datasets/README.md");
        for d in list() {
            let row = readme
                .lines()
                .find(|l| l.starts_with(&format!("| `{}` |", d.name)));
            let row = row.unwrap_or_else(|| panic!("{} is not in the README", d.name));
            for fact in [
                d.file,
                d.source,
                d.package,
                d.licence,
                d.sha256,
                &d.rows.to_string(),
            ] {
                assert!(row.contains(fact), "{}: {fact}", d.name);
            }
            let columns = readme
                .split(&format!("### `{}`", d.name))
                .nth(1)
                .unwrap_or_default();
            let columns = columns.split("\n### ").next().unwrap_or_default();
            for name in d.load().unwrap().names() {
                let explained = columns.contains(&format!("`{name}`")) || d.name == "prop99";
                assert!(explained, "{}: column {name} is not explained", d.name);
            }
            if d.licence != "facts" {
                let package = d.package.split(' ').next().unwrap();
                let path = format!(
                    "{}/datasets/licences/{package}.txt",
                    env!("CARGO_MANIFEST_DIR")
                );
                assert!(std::fs::metadata(&path).is_ok(), "{path}");
            }
        }
        let shipped = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/datasets")).unwrap();
        let files = shipped
            .filter(|f| {
                f.as_ref()
                    .unwrap()
                    .file_name()
                    .to_string_lossy()
                    .contains(".csv")
            })
            .count();
        assert_eq!(files, list().len());
    }

    #[test]
    fn names_aliases_and_slips() {
        let (a, b) = (
            find("social_insurance").unwrap(),
            find("weather_insurance").unwrap(),
        );
        assert_eq!(a.file, b.file);
        assert_eq!(load("california_prop99").unwrap().rows(), 31);
        let text = load("swismetro").unwrap_err().to_string();
        assert_eq!(
            text,
            "there is no bundled data set `swismetro`; did you mean `swissmetro`?"
        );
        assert!(table().to_string().contains("lsat6"));
    }

    #[test]
    fn kinds_are_those_of_the_data() {
        let kind = |set: &str, column: &str| load(set).unwrap().column(column).unwrap().kind();
        assert_eq!(kind("cdnow_transactions", "date"), "time");
        assert_eq!(kind("open_bandit_bts", "timestamp"), "time");
        assert_eq!(kind("electricity", "choice"), "flag");
        assert_eq!(kind("modecanada", "column_1"), "real");
        assert_eq!(kind("heating", "depvar"), "label");
        assert_eq!(kind("thornton", "got"), "real");
    }
}
