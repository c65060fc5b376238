//! The table of features that all learners share: columns of a frame, numbers or categories, missing values kept.

use super::bins::Bins;
use crate::data::formula::{Expression, Factor};
use crate::data::{Column, Formula, Frame, Label, MISSING, Real, Rows};
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// What a learner knows of one feature: its name, and its levels when it is a category.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct FeatureInfo {
    pub(crate) name: String,
    pub(crate) levels: Option<Vec<String>>,
}

/// The values of one feature.
#[derive(Clone, Debug)]
pub(crate) enum Values {
    /// Numbers; NaN is missing.
    Number(Arc<Vec<f64>>),
    /// Categories as codes into the levels of [`FeatureInfo`]; [`MISSING`] is missing.
    Category(Arc<Label>),
}

/// Bins of the features for each number of bins asked for, shared by clones so that cross-fitting bins once.
type BinCache = Arc<Mutex<Vec<(usize, Arc<Bins>)>>>;

/// Features for learners: named columns of one length. Numeric and label columns are shared with the frame, not copied;
/// flags count as 0 and 1, times as seconds. Label columns are categories. Missing values stay missing: trees learn where to
/// send them, linear learners fill in the training mean and add an indicator.
///
/// Clones share their columns and the bins that trees cut them into, so that learners fitted on different rows
/// (cross-fitting) bin the features once.
///
/// ```
/// use cocreate::prelude::*;
/// let frame = Frame::new()
///     .with("age", vec![Some(31.0), None, Some(54.0)])?
///     .with("channel", vec!["app", "shop", "app"])?;
/// let features = Features::from_frame(&frame, &["age", "channel"])?;
/// assert_eq!((features.rows(), features.names()), (3, vec!["age", "channel"]));
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Features {
    info: Arc<Vec<FeatureInfo>>,
    values: Vec<Values>,
    rows: usize,
    unseen: usize,
    bins: BinCache,
}

impl Features {
    /// These columns of the frame, in this order.
    ///
    /// # Errors
    /// [`Error::ColumnNotFound`]; [`Error::DuplicateColumn`]; [`Error::Infinite`]; [`Error::InvalidOption`] without columns.
    pub fn from_frame<S: AsRef<str>>(frame: &Frame, columns: &[S]) -> Result<Self> {
        if columns.is_empty() {
            return Err(Error::invalid_option(
                "features",
                "empty",
                "at least one column",
            ));
        }
        columns.iter().try_fold(Self::default(), |features, name| {
            features.with(name.as_ref(), frame.column(name.as_ref())?.clone())
        })
    }

    /// The right-hand side of a formula: columns, and columns of any kind as categories, `C(k)`. Trees find interactions and
    /// curves themselves; what is computed (`log(x)`, `x:z`) has to be a column of the frame first.
    ///
    /// # Errors
    /// [`Error::Formula`]; [`Error::InvalidOption`] for a term that is not a column; those of [`Features::from_frame`].
    pub fn from_formula(frame: &Frame, formula: impl Into<Formula>) -> Result<Self> {
        let formula = formula.into().parse()?;
        let outcome = match formula.outcome() {
            Expression::Column(name) => Some(name.as_str()),
            _ => None,
        };
        let mut features = Self::default();
        for term in formula.exogenous() {
            features = match term.factors.as_slice() {
                [Factor::Column(name)] => features.with(name, frame.column(name)?.clone())?,
                [Factor::Categorical { column, .. }] => {
                    let groups = frame.groups(column)?;
                    let label = Label::new(groups.codes.to_vec(), groups.levels.to_vec())?;
                    features.with(column, label)?
                }
                [Factor::Everything] => frame
                    .names()
                    .iter()
                    .filter(|name| outcome != Some(name.as_str()))
                    .try_fold(features, |all, name| {
                        all.with(name, frame.column(name)?.clone())
                    })?,
                _ => {
                    return Err(Error::invalid_option(
                        "formula",
                        &formula,
                        "made of columns and C(column); compute other terms as columns of the frame first",
                    ));
                }
            };
        }
        if features.values.is_empty() {
            return Err(Error::invalid_option(
                "formula",
                &formula,
                "with at least one column on its right-hand side",
            ));
        }
        Ok(features)
    }

    /// Adds a feature, such as a treatment; the bins of the others are computed again.
    ///
    /// # Errors
    /// [`Error::DuplicateColumn`], [`Error::LengthMismatch`], [`Error::Infinite`].
    pub fn with(mut self, name: &str, column: impl Into<Column>) -> Result<Self> {
        let column = column.into();
        if self.info.iter().any(|info| info.name == name) {
            return Err(Error::DuplicateColumn {
                column: name.to_owned(),
            });
        }
        if self.values.is_empty() {
            self.rows = column.len();
        } else if column.len() != self.rows {
            return Err(Error::LengthMismatch {
                column: name.to_owned(),
                expected: self.rows,
                found: column.len(),
            });
        }
        let (levels, values) = match column {
            Column::Label(label) => (Some(label.levels().to_vec()), Values::Category(label)),
            Column::Real(real) => (None, finite(name, &real)?),
            Column::Time(time) => (None, finite(name, time.seconds())?),
            Column::Flag(flags) => {
                let numbers = flags.iter().map(|f| f64::from(u8::from(*f))).collect();
                (None, Values::Number(Arc::new(numbers)))
            }
        };
        Arc::make_mut(&mut self.info).push(FeatureInfo {
            name: name.to_owned(),
            levels,
        });
        self.values.push(values);
        self.bins = BinCache::default();
        Ok(self)
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Number of features.
    pub fn count(&self) -> usize {
        self.values.len()
    }

    /// The names in order.
    pub fn names(&self) -> Vec<&str> {
        self.info.iter().map(|info| info.name.as_str()).collect()
    }

    /// The values of a numeric feature, NaN where missing; `None` for one of categories or a position that does not exist. This and
    /// [`category`](Self::category) are what a learner of one's own reads.
    pub fn number(&self, feature: usize) -> Option<&[f64]> {
        match self.values.get(feature)? {
            Values::Number(values) => Some(values.as_slice()),
            Values::Category(_) => None,
        }
    }

    /// The values of a feature of categories; `None` for a numeric one or a position that does not exist.
    pub fn category(&self, feature: usize) -> Option<&Label> {
        match self.values.get(feature)? {
            Values::Number(_) => None,
            Values::Category(label) => Some(label),
        }
    }

    /// Labels of the frame that the learner had not seen in training; they count as missing.
    pub fn unseen(&self) -> usize {
        self.unseen
    }

    /// The features that a learner was trained on, from another frame: levels are matched by their text.
    pub(crate) fn matching(frame: &Frame, info: &Arc<Vec<FeatureInfo>>) -> Result<Self> {
        let mut features = Self::default();
        let mut unseen = 0;
        for feature in info.iter() {
            let name = feature.name.as_str();
            let column = match (&feature.levels, frame.column(name)?) {
                (None, Column::Label(_)) => Column::Real(frame.numeric(name)?),
                (None, other) => other.clone(),
                (Some(levels), column) => {
                    let (label, unknown) = recode(column, name, levels);
                    unseen += unknown;
                    Column::from(label)
                }
            };
            features = features.with(name, column)?;
        }
        features.info = Arc::clone(info);
        features.unseen = unseen;
        Ok(features)
    }

    /// Some rows, as a table of their own.
    pub(crate) fn gather(&self, rows: &Rows) -> Result<Self> {
        if rows.is_all() {
            return Ok(self.clone());
        }
        let mut part = Self::default();
        for (info, values) in self.info.iter().zip(&self.values) {
            let column = match values {
                Values::Number(x) => Column::Real(Real::new(rows.gather(x))),
                Values::Category(label) => Column::from(Label::coded(
                    rows.gather(label.codes()),
                    label.levels().clone(),
                )),
            };
            part = part.with(&info.name, column)?;
        }
        Ok(part)
    }

    pub(crate) fn info(&self) -> &Arc<Vec<FeatureInfo>> {
        &self.info
    }

    pub(crate) fn values(&self) -> &[Values] {
        &self.values
    }

    /// Refuses features that a learner was not trained on.
    pub(crate) fn check_like(&self, info: &Arc<Vec<FeatureInfo>>) -> Result<()> {
        if Arc::ptr_eq(&self.info, info) || self.info == *info {
            return Ok(());
        }
        let theirs: Vec<&str> = info.iter().map(|i| i.name.as_str()).collect();
        Err(Error::invalid_option(
            "features",
            format!("[{}]", self.names().join(", ")),
            format!(
                "those of training, with the same levels: [{}]; predict from a frame to have levels matched",
                theirs.join(", ")
            ),
        ))
    }

    /// The bins of all features, computed at the first call. The lock is not held meanwhile: a thread that waits for its share of the
    /// work may be given a fit that asks for the same bins. At worst two threads compute the same.
    pub(crate) fn bins(&self, most: usize) -> Arc<Bins> {
        let cached = |cache: &[(usize, Arc<Bins>)]| {
            let found = cache.iter().find(|(m, _)| *m == most);
            found.map(|(_, bins)| Arc::clone(bins))
        };
        let lock = || self.bins.lock().unwrap_or_else(PoisonError::into_inner);
        let before = cached(&lock());
        before.unwrap_or_else(|| {
            let built = Arc::new(Bins::build(self, most));
            let mut cache = lock();
            cached(&cache).unwrap_or_else(|| {
                cache.push((most, Arc::clone(&built)));
                built
            })
        })
    }
}

/// Numbers without infinite values.
fn finite(name: &str, real: &Real) -> Result<Values> {
    if real.infinite() > 0 {
        let row = real.values().iter().position(|v| v.is_infinite());
        return Err(Error::Infinite {
            column: name.to_owned(),
            row: row.map_or(0, |r| r + 1),
        });
    }
    Ok(Values::Number(Arc::clone(real.values())))
}

/// Codes a column by the levels of training; returns how many values have no level.
fn recode(column: &Column, name: &str, levels: &[String]) -> (Label, usize) {
    let groups = match column {
        Column::Label(label) if label.levels() == levels => return (Label::clone(label), 0),
        other => other.groups(name),
    };
    let known: BTreeMap<&str, u32> = levels
        .iter()
        .enumerate()
        .map(|(i, level)| (level.as_str(), i as u32))
        .collect();
    let of = |level: &String| known.get(level.as_str()).copied().unwrap_or(MISSING);
    let map: Vec<u32> = groups.levels.iter().map(of).collect();
    let mut unseen = 0;
    let codes = groups
        .codes
        .iter()
        .map(|code| {
            let mapped = map.get(*code as usize).copied().unwrap_or(MISSING);
            unseen += usize::from(mapped == MISSING && *code != MISSING);
            mapped
        })
        .collect();
    (Label::coded(codes, levels.iter().collect()), unseen)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_shared_and_labels_keep_their_levels() {
        let frame = Frame::new()
            .with("x", vec![1.0, f64::NAN, 3.0])
            .unwrap()
            .with("c", vec!["b", "a", "b"])
            .unwrap();
        let features = Features::from_frame(&frame, &["x", "c"]).unwrap();
        let Values::Number(x) = &features.values()[0] else {
            panic!("a number")
        };
        assert!(std::ptr::eq(x.as_slice(), frame.real("x").unwrap()));
        let other = Frame::new()
            .with("c", vec!["z", "b"])
            .unwrap()
            .with("x", vec![0.0, 1.0])
            .unwrap();
        let matched = Features::matching(&other, features.info()).unwrap();
        assert_eq!(matched.unseen(), 1);
        let Values::Category(c) = &matched.values()[1] else {
            panic!("a category")
        };
        assert_eq!(c.codes(), [MISSING, 1]);
        assert!(matched.check_like(features.info()).is_ok());
        let fewer = Features::from_frame(&frame, &["x"]).unwrap();
        assert!(fewer.check_like(features.info()).is_err());
    }

    #[test]
    fn a_formula_gives_columns_and_categories() {
        let frame = Frame::new()
            .with("y", vec![1.0, 2.0])
            .unwrap()
            .with("k", vec![3.0, 1.0])
            .unwrap()
            .with("x", vec![3.0, 1.0])
            .unwrap();
        let features = Features::from_formula(&frame, "y ~ x + C(k)").unwrap();
        assert_eq!(features.names(), ["x", "k"]);
        assert!(features.info()[1].levels.is_some());
        assert!(Features::from_formula(&frame, "y ~ log(x)").is_err());
        let bad = Frame::new().with("x", vec![1.0, f64::INFINITY]).unwrap();
        assert!(matches!(
            Features::from_frame(&bad, &["x"]),
            Err(Error::Infinite { row: 2, .. })
        ));
    }
}
