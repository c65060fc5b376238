//! What every comparison of arms returns: arms, tests, effects with intervals, warnings, one table.

use crate::error::{Error, Result, Warning};
use crate::inference::{Alternative, ConfidenceSet, Segment};
use crate::report::{Cell, Table, p_text};
use serde::{Deserialize, Serialize};
use std::fmt;

/// One arm of a comparison.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ComparisonArm {
    /// The arm.
    pub name: String,
    /// Its observations.
    pub rows: u64,
    /// Where it lies: the mean, proportion, rate or median that [`Comparison::location`] names.
    pub location: f64,
}

/// The distribution of a statistic under the null hypothesis.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum NullDistribution {
    /// Standard normal.
    Normal,
    /// Student's t.
    T {
        /// Degrees of freedom.
        #[serde(deserialize_with = "crate::numeric::infinite::above")]
        df: f64,
    },
    /// Fisher's F.
    F {
        /// Numerator degrees of freedom.
        df1: f64,
        /// Denominator degrees of freedom.
        df2: f64,
    },
    /// χ².
    ChiSquared {
        /// Degrees of freedom.
        df: f64,
    },
    /// The range of independent normals over an independent estimate of their standard deviation.
    StudentizedRange {
        /// How many normals.
        groups: f64,
        /// Degrees of freedom of the estimate.
        df: f64,
    },
    /// The normal approximation of a statistic that is not standardised, such as a sum of ranks.
    NormalApproximation,
    /// The limit of the largest gap between two distribution functions.
    Kolmogorov,
    /// The exact distribution in samples of this size.
    Exact,
}

impl fmt::Display for NullDistribution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        /// Degrees of freedom with as many digits as stay the same on all machines.
        fn df(value: f64) -> Cell {
            Cell::significant(value, 6)
        }
        match self {
            Self::T { df } if df.is_infinite() => write!(f, "N(0, 1)"),
            Self::Normal => write!(f, "N(0, 1)"),
            Self::T { df: d } => write!(f, "t({})", df(*d)),
            Self::F { df1, df2 } => write!(f, "F({df1}, {})", df(*df2)),
            Self::ChiSquared { df } => write!(f, "χ²({df})"),
            Self::StudentizedRange { groups, df: d } => write!(f, "q({groups}, {})", df(*d)),
            Self::NormalApproximation => write!(f, "normal approximation"),
            Self::Kolmogorov => write!(f, "Kolmogorov"),
            Self::Exact => write!(f, "exact"),
        }
    }
}

/// A test.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ComparisonTest {
    /// What is tested, and how.
    pub name: String,
    /// The statistic.
    #[serde(deserialize_with = "crate::numeric::infinite::undetermined")]
    pub statistic: f64,
    /// Its distribution under the null hypothesis.
    pub distribution: NullDistribution,
    /// The side.
    pub alternative: Alternative,
    /// The p-value.
    pub p_value: f64,
}

impl fmt::Display for ComparisonTest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let side = match self.alternative {
            Alternative::TwoSided => "two-sided",
            Alternative::Greater => "greater",
            Alternative::Less => "less",
        };
        write!(
            f,
            "{}: {} ~ {}, {side} {}",
            self.name,
            Cell::significant(self.statistic, 5),
            self.distribution,
            p_text(self.p_value)
        )
    }
}

/// An effect with its confidence set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ComparisonEffect {
    /// What is estimated, e.g. `difference in means`.
    pub name: String,
    /// How the set was made, e.g. `Fieller`.
    pub method: String,
    /// The point estimate.
    #[serde(deserialize_with = "crate::numeric::infinite::undetermined")]
    pub estimate: f64,
    /// The confidence set: an interval, but for Fieller's ratio with a denominator that may be zero.
    pub set: ConfidenceSet,
}

impl ComparisonEffect {
    pub(super) fn new(
        name: &str,
        method: impl Into<String>,
        estimate: f64,
        level: f64,
        segments: Vec<Segment>,
    ) -> Self {
        Self {
            name: name.to_owned(),
            method: method.into(),
            estimate,
            set: ConfidenceSet {
                name: name.to_owned(),
                level,
                segments,
            },
        }
    }

    /// The smallest value in the set, −∞ when there is none.
    pub fn lower(&self) -> f64 {
        self.set.segments.first().map_or(f64::NAN, |s| s.lower)
    }

    /// The largest value in the set, ∞ when there is none.
    pub fn upper(&self) -> f64 {
        self.set.segments.last().map_or(f64::NAN, |s| s.upper)
    }
}

impl fmt::Display for ComparisonEffect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let estimate = Cell::significant(self.estimate, 5);
        write!(f, "{estimate} ({}); {}", self.method, self.set)
    }
}

crate::report::notebook_line!(ComparisonTest, ComparisonEffect);

/// The result of a comparison: what the arms are, whether they differ, and by how much.
///
/// The first test is the one the comparison is named after; the first effect is the one it is about.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// The comparison.
    pub title: String,
    /// What the location of the arms is: `Mean`, `Proportion`, `Rate` or `Median`.
    pub location: String,
    /// The arms.
    pub arms: Vec<ComparisonArm>,
    /// The effects.
    pub effects: Vec<ComparisonEffect>,
    /// The tests.
    pub tests: Vec<ComparisonTest>,
    /// What a reader of the numbers must know.
    pub warnings: Vec<Warning>,
}

impl Comparison {
    /// The p-value of the first test.
    pub fn p_value(&self) -> f64 {
        self.tests.first().map_or(f64::NAN, |t| t.p_value)
    }

    /// The statistic of the first test.
    pub fn statistic(&self) -> f64 {
        self.tests.first().map_or(f64::NAN, |t| t.statistic)
    }

    /// The first effect of this name.
    ///
    /// # Errors
    /// [`Error::UnknownCoefficient`], with the names there are.
    pub fn effect(&self, name: &str) -> Result<&ComparisonEffect> {
        let found = self.effects.iter().find(|e| e.name == name);
        found.ok_or_else(|| unknown(name, self.effects.iter().map(|e| &e.name)))
    }

    /// The effect of this name with the set made by this method.
    ///
    /// # Errors
    /// [`Error::UnknownCoefficient`], with the methods there are.
    pub fn effect_by(&self, name: &str, method: &str) -> Result<&ComparisonEffect> {
        self.effect(name)?;
        let mine = || self.effects.iter().filter(|e| e.name == name);
        let found = mine().find(|e| e.method == method);
        found.ok_or_else(|| unknown(method, mine().map(|e| &e.method)))
    }

    /// The first test of this name.
    ///
    /// # Errors
    /// [`Error::UnknownCoefficient`], with the names there are.
    pub fn test(&self, name: &str) -> Result<&ComparisonTest> {
        let found = self.tests.iter().find(|t| t.name == name);
        found.ok_or_else(|| unknown(name, self.tests.iter().map(|t| &t.name)))
    }

    /// Arms, effects and tests.
    pub fn table(&self) -> Table {
        const DIGITS: usize = 5;
        let mut table = Table::new(self.title.as_str())
            .columns(["", "Estimate", "from", "to", "p"])
            .section(self.location.as_str());
        for arm in &self.arms {
            table = table.row([
                Cell::from(format!("{} (n = {})", arm.name, arm.rows)),
                Cell::significant(arm.location, DIGITS),
                Cell::empty(),
                Cell::empty(),
                Cell::empty(),
            ]);
        }
        if let Some(first) = self.effects.first() {
            table = table.section(format!("Effects, {} % sets", first.set.level * 100.0));
        }
        for effect in &self.effects {
            table = table.row([
                Cell::from(format!("{} ({})", effect.name, effect.method)),
                Cell::significant(effect.estimate, DIGITS),
                Cell::significant(effect.lower(), DIGITS),
                Cell::significant(effect.upper(), DIGITS),
                Cell::empty(),
            ]);
            if effect.set.segments.len() != 1 {
                table = table.note(effect.set.to_string());
            }
        }
        if !self.tests.is_empty() {
            table = table.section("Tests");
        }
        for test in &self.tests {
            table = table.row([
                Cell::from(test.name.as_str()),
                Cell::significant(test.statistic, DIGITS),
                Cell::from(test.distribution.to_string()),
                Cell::empty(),
                Cell::p_value(test.p_value),
            ]);
        }
        match self.tests.first().map(|t| t.alternative) {
            Some(Alternative::Greater) => table = table.note("Alternative: greater"),
            Some(Alternative::Less) => table = table.note("Alternative: less"),
            _ => {}
        }
        for warning in &self.warnings {
            table = table.note(format!("Warning: {warning}"));
        }
        table
    }

    /// The table as HTML.
    pub fn to_html(&self) -> String {
        self.table().to_html()
    }
}

fn unknown<'a>(name: &str, there: impl Iterator<Item = &'a String>) -> Error {
    let mut available: Vec<String> = Vec::new();
    for other in there {
        if !available.contains(other) {
            available.push(other.clone());
        }
    }
    Error::UnknownCoefficient {
        name: name.to_owned(),
        nearest: crate::error::nearest_name(name, &available),
        available,
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.table().fmt(f)
    }
}

crate::report::notebook!(Comparison);
