//! What an experiment is: a paper, its data, and the printed figures that a regression has to give again.

use cocreate::prelude::*;
use serde::Serialize;

/// A paper and how its figures are recomputed.
pub struct Experiment {
    /// The name on the command line.
    pub name: &'static str,
    /// What it is about, in a few words.
    pub title: &'static str,
    /// Who published it, and when.
    pub authors: &'static str,
    /// The same with where.
    pub paper: &'static str,
    /// Which table or passage is reproduced.
    pub table: &'static str,
    /// The name of the bundled data set, or `simulate::` with the process that makes the data.
    pub data: &'static str,
    /// How the figures are estimated.
    pub estimator: &'static str,
    /// The formulas, each with what it gives. Words in capitals stand for a list that a later line spells out.
    pub formulas: &'static [(&'static str, &'static str)],
    /// What the paper did.
    pub study: &'static str,
    /// What has to be true for the estimate to be an effect.
    pub identification: &'static str,
    /// The regressions.
    pub run: fn(&Experiment, &Frame) -> Result<Findings>,
}

impl Experiment {
    /// Loads the data and runs the regressions.
    pub fn reproduce(&self) -> Result<Findings> {
        if self.is_simulated() {
            return (self.run)(self, &Frame::new());
        }
        (self.run)(self, &datasets::load(self.data)?)
    }

    /// Whether the data are made by a process and not observed.
    fn is_simulated(&self) -> bool {
        self.data.starts_with("simulate::")
    }

    /// The formula with this label, its words in capitals replaced by the lists they stand for.
    pub fn formula(&self, label: &str) -> String {
        let named = |wanted: &str| self.formulas.iter().find(|(name, _)| *name == wanted);
        let text = named(label).map_or(label, |(_, formula)| formula);
        text.split(' ')
            .map(|word| {
                let list = word.chars().all(|c| c.is_ascii_uppercase());
                named(word).filter(|_| list).map_or(word, |(_, list)| list)
            })
            .collect::<Vec<_>>()
            .join(" ")
    }

    /// What is known about the experiment before it is run.
    pub fn facts(&self) -> Vec<(String, String)> {
        let data = if self.is_simulated() {
            format!("simulated by {}", self.data)
        } else {
            format!("datasets::load(\"{}\")", self.data)
        };
        let mut facts = vec![
            ("Paper".to_owned(), self.paper.to_owned()),
            ("Table".to_owned(), self.table.to_owned()),
            ("Data".to_owned(), data),
            ("Estimator".to_owned(), self.estimator.to_owned()),
        ];
        let formulas = self.formulas.iter();
        facts.extend(formulas.map(|(name, text)| (format!("Formula, {name}"), (*text).to_owned())));
        facts
    }
}

/// How the printed figure is known to us.
#[derive(Clone, Copy, PartialEq)]
pub enum Standing {
    /// It was read in the paper.
    Read,
    /// It was written down from memory; the data give the same figure.
    Recalled,
    /// It was written down from memory, and the memory is not a sure one.
    RecalledLessSurely,
    /// Not printed: counted in the published data.
    Counted,
    /// A published figure to which the simulated process is calibrated, as the estimator has to find out.
    Calibrated,
    /// Not published: what the simulated process predicts in expectation.
    Predicted,
    /// Not published: computed with the software that the experiment names.
    Computed,
    /// Not published: the most that we allow ourselves.
    AtMost,
    /// Not published: the least that we ask of ourselves.
    AtLeast,
}

impl std::fmt::Display for Standing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Read => "read",
            Self::Recalled => "recalled",
            Self::RecalledLessSurely => "recalled, less surely",
            Self::Counted => "counted",
            Self::Calibrated => "calibrated to",
            Self::Predicted => "predicted",
            Self::Computed => "computed",
            Self::AtMost => "at most",
            Self::AtLeast => "at least",
        })
    }
}

/// A printed figure.
#[derive(Clone, Copy)]
pub struct Published {
    /// What it measures.
    pub quantity: &'static str,
    /// The figure.
    pub value: f64,
    /// The digits that were printed after the point.
    pub decimals: usize,
    /// How far a recomputed value may be away.
    pub tolerance: f64,
    /// Whether it was read or recalled.
    pub standing: Standing,
}

impl Published {
    const fn new(
        standing: Standing,
        quantity: &'static str,
        value: f64,
        decimals: usize,
        tolerance: f64,
    ) -> Self {
        Self {
            quantity,
            value,
            decimals,
            tolerance,
            standing,
        }
    }

    /// A figure that was read in the paper.
    pub const fn read(quantity: &'static str, value: f64, decimals: usize, tolerance: f64) -> Self {
        Self::new(Standing::Read, quantity, value, decimals, tolerance)
    }

    /// A figure that was recalled.
    pub const fn recalled(
        quantity: &'static str,
        value: f64,
        decimals: usize,
        tolerance: f64,
    ) -> Self {
        Self::new(Standing::Recalled, quantity, value, decimals, tolerance)
    }

    /// A figure that is not printed but was counted in the published data.
    pub const fn counted(
        quantity: &'static str,
        value: f64,
        decimals: usize,
        tolerance: f64,
    ) -> Self {
        Self::new(Standing::Counted, quantity, value, decimals, tolerance)
    }

    /// A published figure to which the simulated data are calibrated.
    pub const fn calibrated(
        quantity: &'static str,
        value: f64,
        decimals: usize,
        tolerance: f64,
    ) -> Self {
        Self::new(Standing::Calibrated, quantity, value, decimals, tolerance)
    }

    /// What a simulated process predicts.
    pub const fn predicted(
        quantity: &'static str,
        value: f64,
        decimals: usize,
        tolerance: f64,
    ) -> Self {
        Self::new(Standing::Predicted, quantity, value, decimals, tolerance)
    }

    /// A figure that was computed with other software.
    pub const fn computed(
        quantity: &'static str,
        value: f64,
        decimals: usize,
        tolerance: f64,
    ) -> Self {
        Self::new(Standing::Computed, quantity, value, decimals, tolerance)
    }

    /// A figure that ours may not exceed by more than the tolerance.
    pub const fn at_most(
        quantity: &'static str,
        value: f64,
        decimals: usize,
        tolerance: f64,
    ) -> Self {
        Self::new(Standing::AtMost, quantity, value, decimals, tolerance)
    }

    /// A figure that ours may not stay below by more than the tolerance.
    pub const fn at_least(
        quantity: &'static str,
        value: f64,
        decimals: usize,
        tolerance: f64,
    ) -> Self {
        Self::new(Standing::AtLeast, quantity, value, decimals, tolerance)
    }
}

/// A printed figure beside ours.
pub struct Comparison {
    pub published: Published,
    pub ours: f64,
}

impl Comparison {
    /// Ours less the printed figure.
    pub fn difference(&self) -> f64 {
        self.ours - self.published.value
    }

    /// Whether they agree; a value that is not a number never does.
    pub fn passes(&self) -> bool {
        let excess = match self.published.standing {
            Standing::AtMost => self.difference(),
            Standing::AtLeast => -self.difference(),
            _ => self.difference().abs(),
        };
        excess <= self.published.tolerance
    }

    /// The verdict in a word.
    pub fn verdict(&self) -> &'static str {
        verdict(self.passes())
    }
}

/// The word for a comparison, or for several.
pub fn verdict(passes: bool) -> &'static str {
    if passes { "agrees" } else { "DIFFERS" }
}

/// A figure with the name of its file.
pub struct Illustration {
    pub file: String,
    pub figure: Figure,
}

/// What the regressions of an experiment gave.
#[derive(Default)]
pub struct Findings {
    pub comparisons: Vec<Comparison>,
    pub models: Vec<Table>,
    pub figures: Vec<Illustration>,
    pub remarks: Vec<String>,
}

impl Findings {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts our value beside a printed figure.
    pub fn compare(mut self, published: Published, ours: f64) -> Self {
        self.comparisons.push(Comparison { published, ours });
        self
    }

    /// Adds a model, to be shown in full.
    pub fn model(mut self, fit: &impl Inference) -> Self {
        self.models.push(fit.table());
        self
    }

    /// Adds a table that is no model, to be shown in full.
    pub fn shown(mut self, table: Table) -> Self {
        self.models.push(table);
        self
    }

    /// Adds a figure, to be written to a file of this name.
    pub fn figure(mut self, file: &str, figure: Figure) -> Self {
        self.figures.push(Illustration {
            file: format!("{file}.svg"),
            figure,
        });
        self
    }

    /// Adds a remark for the reader of the numbers.
    pub fn remark(mut self, text: impl Into<String>) -> Self {
        self.remarks.push(text.into());
        self
    }

    /// Whether all figures agree.
    pub fn passes(&self) -> bool {
        self.comparisons.iter().all(Comparison::passes)
    }

    /// How many figures agree.
    pub fn agreeing(&self) -> usize {
        self.comparisons.iter().filter(|c| c.passes()).count()
    }

    /// The comparison, one row a printed figure.
    pub fn table(&self, title: &str) -> Table {
        /// Ours is printed with so many digits more than the paper's.
        const MORE_DIGITS: usize = 2;
        let columns = [
            "Quantity",
            "Published",
            "Ours",
            "Difference",
            "Tolerance",
            "Verdict",
            "Printed figure",
        ];
        let table = Table::new(title).columns(columns);
        self.comparisons.iter().fold(table, |table, c| {
            let p = c.published;
            table.row([
                Cell::text(p.quantity),
                Cell::fixed(p.value, p.decimals),
                Cell::fixed(c.ours, p.decimals + MORE_DIGITS),
                Cell::fixed(c.difference(), p.decimals + MORE_DIGITS),
                Cell::significant(p.tolerance, 1),
                Cell::text(c.verdict()),
                Cell::text(p.standing.to_string()),
            ])
        })
    }
}

/// A comparison as `--json` prints it.
#[derive(Serialize)]
pub struct Record {
    experiment: &'static str,
    quantity: &'static str,
    published: f64,
    ours: f64,
    tolerance: f64,
    pass: bool,
}

/// All comparisons of an experiment, for `--json`.
pub fn records(experiment: &Experiment, findings: &Findings) -> Vec<Record> {
    let record = |c: &Comparison| Record {
        experiment: experiment.name,
        quantity: c.published.quantity,
        published: c.published.value,
        ours: c.ours,
        tolerance: c.published.tolerance,
        pass: c.passes(),
    };
    findings.comparisons.iter().map(record).collect()
}
