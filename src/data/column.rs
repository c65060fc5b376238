//! Columns of a frame: numbers, flags, labels and times, each behind an `Arc`.

use super::levels::Levels;
use super::number_groups::number_groups;
use super::time;
use crate::error::{Error, Result};
use std::sync::Arc;

/// The code of a missing label or group.
pub const MISSING: u32 = u32::MAX;

/// One column. Cloning is cheap.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq)]
pub enum Column {
    /// Numbers; NaN is missing.
    Real(Real),
    /// True or false, never missing.
    Flag(Arc<Vec<bool>>),
    /// Text with few or many distinct values.
    Label(Arc<Label>),
    /// Seconds since 1970-01-01 UTC; NaN is missing.
    Time(Time),
}

/// Numbers with the count of those that are missing (NaN) and infinite, taken once.
#[derive(Clone, PartialEq)]
pub struct Real {
    values: Arc<Vec<f64>>,
    missing: usize,
    infinite: usize,
}

impl Real {
    /// Wraps the values and counts the missing and infinite ones.
    pub fn new(values: Vec<f64>) -> Self {
        let (mut missing, mut infinite) = (0, 0);
        for v in &values {
            missing += usize::from(v.is_nan());
            infinite += usize::from(v.is_infinite());
        }
        Self {
            values: Arc::new(values),
            missing,
            infinite,
        }
    }

    /// The numbers.
    pub fn values(&self) -> &Arc<Vec<f64>> {
        &self.values
    }

    /// How many are NaN.
    pub fn missing(&self) -> usize {
        self.missing
    }

    /// How many are infinite.
    pub fn infinite(&self) -> usize {
        self.infinite
    }
}

impl std::fmt::Debug for Real {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        abbreviated(f, "Real", &self.values)
    }
}

/// Times in seconds since 1970-01-01 UTC.
#[derive(Clone, PartialEq)]
pub struct Time(Real);

impl Time {
    /// Wraps seconds since 1970-01-01 UTC.
    pub fn new(seconds: Vec<f64>) -> Self {
        Self(Real::new(seconds))
    }

    /// The seconds as numbers.
    pub fn seconds(&self) -> &Real {
        &self.0
    }
}

impl std::fmt::Debug for Time {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        abbreviated(f, "Time", self.0.values())
    }
}

/// `Name([1.0, 2.0, 3.0, … 1000 values])`.
fn abbreviated(f: &mut std::fmt::Formatter<'_>, name: &str, values: &[f64]) -> std::fmt::Result {
    const SHOWN: usize = 6;
    write!(f, "{name}({:?}", &values[..values.len().min(SHOWN)])?;
    if values.len() > SHOWN {
        write!(f, " … {} values", values.len())?;
    }
    write!(f, ")")
}

/// Text coded as indices into its levels; [`MISSING`] is missing.
#[derive(Clone, PartialEq)]
pub struct Label {
    codes: Vec<u32>,
    levels: Levels,
    missing: usize,
}

impl Label {
    /// Builds a label column from codes and levels.
    ///
    /// # Errors
    /// [`Error::Matrix`] when a code is neither [`MISSING`] nor an index into `levels`.
    pub fn new(codes: Vec<u32>, levels: Vec<String>) -> Result<Self> {
        let missing = codes.iter().filter(|c| **c == MISSING).count();
        if let Some(row) = codes
            .iter()
            .position(|c| *c != MISSING && *c as usize >= levels.len())
        {
            return Err(Error::Matrix {
                message: format!(
                    "label code {} in row {} has no level; there are {} levels",
                    codes[row],
                    row + 1,
                    levels.len()
                ),
            });
        }
        Ok(Self {
            codes,
            levels: levels.into(),
            missing,
        })
    }

    /// Codes text; levels are sorted, `None` is missing.
    pub fn from_text<S: AsRef<str>>(values: &[Option<S>]) -> Self {
        let mut levels: Vec<&str> = values.iter().flatten().map(AsRef::as_ref).collect();
        levels.sort_unstable();
        levels.dedup();
        let codes: Vec<u32> = values
            .iter()
            .map(|v| match v {
                Some(s) => levels
                    .binary_search(&s.as_ref())
                    .map_or(MISSING, |i| i as u32),
                None => MISSING,
            })
            .collect();
        let missing = codes.iter().filter(|c| **c == MISSING).count();
        Self {
            levels: levels.into(),
            codes,
            missing,
        }
    }

    /// Wraps codes that are known to fit their levels.
    pub(crate) fn coded(codes: Vec<u32>, levels: Levels) -> Self {
        let missing = codes.iter().filter(|c| **c == MISSING).count();
        Self {
            codes,
            levels,
            missing,
        }
    }

    /// One code a row.
    pub fn codes(&self) -> &[u32] {
        &self.codes
    }

    /// The distinct values.
    pub fn levels(&self) -> &Levels {
        &self.levels
    }

    /// The text of a row, `None` when missing or out of range.
    pub fn get(&self, row: usize) -> Option<&str> {
        let code = *self.codes.get(row)?;
        self.levels.get(code as usize)
    }

    /// How many rows are missing.
    pub fn missing(&self) -> usize {
        self.missing
    }
}

impl std::fmt::Debug for Label {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        const SHOWN: usize = 6;
        let shown: Vec<Option<&str>> = (0..self.codes.len().min(SHOWN))
            .map(|i| self.get(i))
            .collect();
        write!(f, "Label({shown:?}, {} levels", self.levels.len())?;
        if self.codes.len() > SHOWN {
            write!(f, " … {} values", self.codes.len())?;
        }
        write!(f, ")")
    }
}

/// A column of any kind coded as groups `0..levels.len()`, in sorted order of the values: clusters, arms, effects.
#[derive(Clone, PartialEq)]
pub struct Groups {
    /// The column's name.
    pub name: String,
    /// One code a row; [`MISSING`] where the column is missing.
    pub codes: Arc<Vec<u32>>,
    /// What each code stands for.
    pub levels: Arc<Vec<String>>,
    /// Rows that are missing.
    pub missing: usize,
}

impl std::fmt::Debug for Groups {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "Groups({:?}, {} groups, {} values)",
            self.name,
            self.levels.len(),
            self.codes.len()
        )
    }
}

impl Groups {
    /// Number of groups.
    pub fn count(&self) -> usize {
        self.levels.len()
    }
}

impl Column {
    /// Number of rows.
    pub fn len(&self) -> usize {
        match self {
            Self::Real(c) => c.values.len(),
            Self::Flag(c) => c.len(),
            Self::Label(c) => c.codes.len(),
            Self::Time(c) => c.0.values.len(),
        }
    }

    /// Whether the column has no rows.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many rows are missing.
    pub fn missing(&self) -> usize {
        match self {
            Self::Real(c) => c.missing,
            Self::Flag(_) => 0,
            Self::Label(c) => c.missing,
            Self::Time(c) => c.0.missing,
        }
    }

    /// `real`, `flag`, `label` or `time`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Real(_) => "real",
            Self::Flag(_) => "flag",
            Self::Label(_) => "label",
            Self::Time(_) => "time",
        }
    }

    /// The value of a row as text, `None` when missing. Numbers print in the shortest form that reads back,
    /// times in ISO form.
    pub fn text(&self, row: usize) -> Option<String> {
        match self {
            Self::Real(c) => c
                .values
                .get(row)
                .filter(|v| !v.is_nan())
                .map(f64::to_string),
            Self::Flag(c) => c.get(row).map(bool::to_string),
            Self::Label(c) => c.get(row).map(str::to_owned),
            Self::Time(c) => {
                c.0.values
                    .get(row)
                    .filter(|v| !v.is_nan())
                    .map(|v| time::iso_text(*v))
            }
        }
    }

    /// Codes the rows as groups in sorted order: numbers and times by value (−0 equals 0), false before true, labels in
    /// their own order of levels (levels that no row uses are left out).
    pub fn groups(&self, name: &str) -> Groups {
        let (codes, levels) = match self {
            Self::Real(c) => number_groups(&c.values, |v| v.to_string()),
            Self::Time(c) => number_groups(c.0.values(), time::iso_text),
            Self::Flag(c) => {
                let any = [c.iter().any(|v| !*v), c.iter().any(|v| *v)];
                let true_code = u32::from(any[0]);
                let codes = c.iter().map(|v| if *v { true_code } else { 0 }).collect();
                let levels = [(any[0], "false"), (any[1], "true")]
                    .into_iter()
                    .filter(|(used, _)| *used)
                    .map(|(_, l)| l.to_owned())
                    .collect();
                (codes, levels)
            }
            Self::Label(c) => {
                let mut used = vec![false; c.levels.len()];
                for code in c.codes.iter().filter(|c| **c != MISSING) {
                    used[*code as usize] = true;
                }
                let mut next = 0;
                let map: Vec<u32> = used
                    .iter()
                    .map(|u| {
                        let code = next;
                        next += u32::from(*u);
                        code
                    })
                    .collect();
                let codes = c
                    .codes
                    .iter()
                    .map(|c| {
                        if *c == MISSING {
                            MISSING
                        } else {
                            map[*c as usize]
                        }
                    })
                    .collect();
                let levels = c
                    .levels
                    .iter()
                    .zip(&used)
                    .filter(|(_, u)| **u)
                    .map(|(l, _)| l.to_owned())
                    .collect();
                (codes, levels)
            }
        };
        Groups {
            name: name.to_owned(),
            codes: Arc::new(codes),
            levels: Arc::new(levels),
            missing: self.missing(),
        }
    }
}

macro_rules! column_from {
    ($($source:ty => $make:expr),* $(,)?) => {$(
        impl From<$source> for Column {
            fn from(values: $source) -> Self {
                ($make)(values)
            }
        }
    )*};
}

/// Text options to a label column.
fn label(values: &[Option<impl AsRef<str>>]) -> Column {
    Column::Label(Arc::new(Label::from_text(values)))
}

column_from! {
    Vec<f64> => |v: Vec<f64>| Column::Real(Real::new(v)),
    &[f64] => |v: &[f64]| Column::Real(Real::new(v.to_vec())),
    Vec<f32> => |v: Vec<f32>| Column::Real(Real::new(v.into_iter().map(f64::from).collect())),
    Vec<i32> => |v: Vec<i32>| Column::Real(Real::new(v.into_iter().map(f64::from).collect())),
    Vec<u32> => |v: Vec<u32>| Column::Real(Real::new(v.into_iter().map(f64::from).collect())),
    Vec<u8> => |v: Vec<u8>| Column::Real(Real::new(v.into_iter().map(f64::from).collect())),
    Vec<i64> => |v: Vec<i64>| integers(v.into_iter().map(i128::from).collect()),
    Vec<u64> => |v: Vec<u64>| integers(v.into_iter().map(i128::from).collect()),
    Vec<usize> => |v: Vec<usize>| integers(v.into_iter().map(|i| i as i128).collect()),
    Vec<Option<f64>> => |v: Vec<Option<f64>>| Column::Real(Real::new(v.into_iter().map(|x| x.unwrap_or(f64::NAN)).collect())),
    Vec<bool> => |v: Vec<bool>| Column::Flag(Arc::new(v)),
    Vec<&str> => |v: Vec<&str>| label(&v.into_iter().map(Some).collect::<Vec<_>>()),
    Vec<String> => |v: Vec<String>| label(&v.into_iter().map(Some).collect::<Vec<_>>()),
    Vec<Option<String>> => |v: Vec<Option<String>>| label(&v),
    Vec<Option<&str>> => |v: Vec<Option<&str>>| label(&v),
    Real => Column::Real,
    Time => Column::Time,
    Label => |v: Label| Column::Label(Arc::new(v)),
}

/// Integers become numbers when every one is exact in a double, otherwise labels (identifiers must not be rounded).
fn integers(values: Vec<i128>) -> Column {
    const EXACT: i128 = 1 << 53;
    if values.iter().all(|v| v.abs() <= EXACT) {
        return Column::Real(Real::new(values.into_iter().map(|v| v as f64).collect()));
    }
    label(
        &values
            .iter()
            .map(|v| Some(v.to_string()))
            .collect::<Vec<_>>(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_sorted_and_skip_missing() {
        let g = Column::from(vec![3.0, -0.0, f64::NAN, 0.0, 3.0]).groups("g");
        assert_eq!(*g.codes, vec![1, 0, MISSING, 0, 1]);
        assert_eq!(*g.levels, vec!["0", "3"]);
        assert_eq!(g.missing, 1);
        let g = Column::from(vec![63.0, 5.0, f64::NAN, 63.0]).groups("g");
        assert_eq!((*g.codes).as_slice(), [1, 0, MISSING, 1]);
        let g = Column::from(vec![64.0, 5.0, -1.0]).groups("g");
        assert_eq!(*g.codes, vec![2, 1, 0]);
        let g = Column::from(vec![0.5, 1e300, 0.5]).groups("g");
        assert_eq!(*g.codes, vec![0, 1, 0]);
        let g = Column::from(vec!["b", "a", "b"]).groups("g");
        assert_eq!(*g.codes, vec![1, 0, 1]);
        let g = Column::from(vec![true, true]).groups("g");
        assert_eq!((g.count(), g.codes[0]), (1, 0));
    }

    #[test]
    fn large_identifiers_become_labels() {
        let c = Column::from(vec![(1_u64 << 53) + 1, 7]);
        assert_eq!(c.kind(), "label");
        assert_eq!(c.text(0).unwrap(), "9007199254740993");
    }
}
