//! Which of two interleaved rankings users prefer.

use crate::data::{Frame, MISSING};
use crate::error::{Error, Result, Warning};
use crate::experiment::arms::{measured, note};
use crate::experiment::sums::Sums;
use crate::experiment::trust::exact;
use crate::inference::{Estimate, check_level};
use crate::report::shown;
use crate::report::{Cell, Table, p_text};
use serde::{Deserialize, Serialize};

/// Tests which of two rankings users prefer, from the credit of each list. A unit (a list, or all lists of a user) is a win for the ranking with more
/// credit. Reported are
///
/// - `Δ_AB = (wins of A + ties/2)/units − 1/2`, the preference of Chapelle et al., with the standard error of a mean of 1, 1/2 and 0;
/// - the exact sign test without ties;
/// - the paired t test of the difference of credit.
///
/// | name | default | meaning |
/// |---|---|---|
/// | `unit` | each row | a column of users, over whose lists credit is summed |
/// | `level` | 0.95 | of intervals |
///
/// # Errors
/// [`Error::OutOfRange`] for negative credit; [`Error::NoRows`] for fewer than two units; [`Error::Infinite`].
///
/// # References
/// Chapelle, O., Joachims, T., Radlinski, F. & Yue, Y. (2012). Large-scale validation and analysis of interleaved search evaluation. *ACM TOIS* 30(1), 6.
/// doi:10.1145/2094072.2094078
///
/// # Examples
/// ```
/// use cocreate::prelude::*;
/// let lists = Frame::new()
///     .with("a", vec![1.0, 2.0, 1.0, 0.0, 1.0, 1.0, 3.0, 1.0])?
///     .with("b", vec![0.0, 1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0])?;
/// let fit = InterleavingTest::new("a", "b").fit(&lists)?;
/// assert_eq!((fit.wins_a, fit.wins_b, fit.ties), (6, 0, 2));
/// assert!((fit.preference.estimate - 0.375).abs() < 1e-12 && (fit.sign_p_value - 2.0 / 64.0).abs() < 1e-12);
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct InterleavingTest {
    a: String,
    b: String,
    unit: Option<String>,
    level: f64,
}

/// What [`InterleavingTest`] found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InterleavingTestFit {
    /// Units that prefer A.
    pub wins_a: usize,
    /// Units that prefer B.
    pub wins_b: usize,
    /// Units that prefer neither.
    pub ties: usize,
    /// `Δ_AB`: positive when A is preferred.
    pub preference: Estimate,
    /// p-value of the exact sign test; one when all are ties.
    pub sign_p_value: f64,
    /// Mean difference of credit, with its paired t test.
    pub credit: Estimate,
    level: f64,
    warnings: Vec<Warning>,
}

impl InterleavingTest {
    /// A test from two columns of credit, a row a list.
    pub fn new(a: impl Into<String>, b: impl Into<String>) -> Self {
        Self {
            a: a.into(),
            b: b.into(),
            unit: None,
            level: 0.95,
        }
    }

    /// The column of users.
    pub fn unit(mut self, column: impl Into<String>) -> Self {
        self.unit = Some(column.into());
        self
    }

    /// The level of intervals.
    pub fn level(mut self, level: f64) -> Self {
        self.level = level;
        self
    }

    /// Tests.
    ///
    /// # Errors
    /// See [`InterleavingTest`].
    pub fn fit(&self, frame: &Frame) -> Result<InterleavingTestFit> {
        check_level(self.level)?;
        let (a, b) = (measured(frame, &self.a)?, measured(frame, &self.b)?);
        for (name, values) in [(&self.a, &a), (&self.b, &b)] {
            if let Some(row) = values.iter().position(|v| *v < 0.0) {
                return Err(Error::OutOfRange {
                    column: name.clone(),
                    row: row + 1,
                    value: values[row],
                    expected: "zero or more: it is the credit of clicks".to_owned(),
                });
            }
        }
        let units = match &self.unit {
            None => None,
            Some(column) => Some(frame.groups(column)?),
        };
        let known = |row: &usize| {
            !(a[*row].is_nan() || b[*row].is_nan())
                && units.as_ref().is_none_or(|u| u.codes[*row] != MISSING)
        };
        let rows: Vec<usize> = (0..frame.rows()).filter(known).collect();
        let gaps: Vec<f64> = match &units {
            None => rows.iter().map(|row| a[*row] - b[*row]).collect(),
            Some(units) => {
                let mut sums = vec![None; units.count()];
                for row in &rows {
                    *sums[units.codes[*row] as usize].get_or_insert(0.0) += a[*row] - b[*row];
                }
                sums.into_iter().flatten().collect()
            }
        };
        let mut fit = of_gaps(&gaps)?;
        fit.level = self.level;
        let dropped = frame.rows() - rows.len();
        if dropped > 0 {
            fit.warnings.push(note(format!(
                "{dropped} rows without credit or unit left out"
            )));
        }
        Ok(fit)
    }
}

/// The test from differences of credit.
pub(super) fn of_gaps(gaps: &[f64]) -> Result<InterleavingTestFit> {
    /// Differences smaller than this are rounding of shares of credit.
    const TIE: f64 = 1e-9;
    if gaps.len() < 2 {
        return Err(Error::NoRows {
            reason: format!(
                "{} units have credit, and a comparison needs two",
                gaps.len()
            ),
        });
    }
    let score = |gap: &f64| {
        if gap.abs() <= TIE {
            0.5
        } else {
            f64::from(u8::from(*gap > 0.0))
        }
    };
    let wins_a = gaps.iter().filter(|g| **g > TIE).count();
    let wins_b = gaps.iter().filter(|g| **g < -TIE).count();
    let df = gaps.len() as f64 - 1.0;
    let estimate = |name: &str, sums: Sums, null: f64| Estimate {
        name: name.to_owned(),
        estimate: sums.mean - null,
        std_error: sums.of_mean().sqrt(),
        degrees_of_freedom: df,
    };
    let sign_p_value = if wins_a + wins_b == 0 {
        1.0
    } else {
        exact::multinomial(&[wins_a as u64, wins_b as u64], &[0.5, 0.5]).unwrap_or(1.0)
    };
    Ok(InterleavingTestFit {
        wins_a,
        wins_b,
        ties: gaps.len() - wins_a - wins_b,
        preference: estimate("preference for A", Sums::of(gaps.iter().map(score)), 0.5),
        sign_p_value,
        credit: estimate("credit of A − B", Sums::of(gaps.iter().copied()), 0.0),
        level: 0.95,
        warnings: vec![],
    })
}

impl InterleavingTestFit {
    /// What a reader of the numbers must know.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// Preference, credit and tests.
    pub fn table(&self) -> Table {
        let mut table =
            Table::new("Interleaving").columns(["", "Estimate", "Std. error", "p", "from", "to"]);
        for e in [&self.preference, &self.credit] {
            let ends = e.confidence_interval(self.level);
            let (low, high) = ends.map_or((f64::NAN, f64::NAN), |i| (i.lower, i.upper));
            table = table.row([
                Cell::from(e.name.as_str()),
                Cell::fixed(e.estimate, 4),
                Cell::fixed(e.std_error, 4),
                Cell::p_value(e.p_value()),
                Cell::fixed(low, 4),
                Cell::fixed(high, 4),
            ]);
        }
        table = table.note(format!(
            "{} prefer A, {} B, {} neither; exact sign test {}",
            Cell::count(self.wins_a),
            Cell::count(self.wins_b),
            Cell::count(self.ties),
            p_text(self.sign_p_value)
        ));
        for warning in &self.warnings {
            table = table.note(format!("Warning: {warning}"));
        }
        table
    }
}

shown!(InterleavingTestFit);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_units_and_swapping_turns_the_sign() {
        let frame = Frame::new()
            .with("a", vec![1.0, 0.0, 2.0, 0.0, 1.0, f64::NAN])
            .unwrap()
            .with("b", vec![0.0, 3.0, 0.0, 0.0, 0.0, 1.0])
            .unwrap()
            .with("user", vec!["x", "x", "y", "z", "w", "w"])
            .unwrap();
        let fit = InterleavingTest::new("a", "b")
            .unit("user")
            .fit(&frame)
            .unwrap();
        assert_eq!((fit.wins_a, fit.wins_b, fit.ties), (2, 1, 1));
        assert_eq!(fit.warnings().len(), 1);
        let swapped = InterleavingTest::new("b", "a")
            .unit("user")
            .fit(&frame)
            .unwrap();
        assert!((swapped.preference.estimate + fit.preference.estimate).abs() < 1e-15);
        assert!(
            (swapped.sign_p_value - fit.sign_p_value).abs() < 1e-15
                && fit.to_string().contains("neither")
        );
        let negative = frame.replace("a", vec![-1.0; 6]).unwrap();
        assert!(matches!(
            InterleavingTest::new("a", "b").fit(&negative),
            Err(Error::OutOfRange { row: 1, .. })
        ));
        assert!(InterleavingTest::new("a", "b").fit(&frame.head(1)).is_err());
    }
}
