//! The arm of every row, and the columns measured on it.

pub(in crate::experiment) use crate::causal::arms::unknown_arm;
use crate::causal::{self, arms::ArmCodes};
use crate::data::{Frame, MISSING};
use crate::error::{Error, Result, Warning};
use std::sync::Arc;

/// The arms of an experiment, control first, the others in the order of their values.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::experiment) struct Arms {
    pub(in crate::experiment) column: String,
    pub(in crate::experiment) levels: Vec<String>,
    /// Position in `levels`; none where the arm is missing.
    pub(in crate::experiment) of_row: Vec<Option<usize>>,
    pub(in crate::experiment) missing: usize,
}

impl Arms {
    /// Reads a column of any kind; the control is the first value unless named.
    ///
    /// # Errors
    /// `ColumnNotFound`; `InvalidOption` for fewer than two arms or a control that does not occur.
    pub(in crate::experiment) fn read(
        column: &str,
        control: Option<&str>,
        frame: &Frame,
    ) -> Result<Self> {
        let groups = frame.groups(column)?;
        let ArmCodes { levels, codes } = ArmCodes::of(&groups, control)?;
        let place = |code: &u32| (*code != MISSING).then_some(*code as usize);
        Ok(Self {
            column: column.to_owned(),
            levels,
            of_row: codes.iter().map(place).collect(),
            missing: groups.missing,
        })
    }

    /// A warning when rows have no arm.
    pub(in crate::experiment) fn warning(&self) -> Option<Warning> {
        (self.missing > 0).then(|| Warning::Note {
            message: format!(
                "{} rows have no arm in `{}` and are left out; see AssignmentCheck",
                self.missing, self.column
            ),
        })
    }

    /// One for the rows of an arm, zero for those of the control, missing for all others.
    pub(in crate::experiment) fn indicator(&self, arm: usize) -> Vec<f64> {
        self.of_row
            .iter()
            .map(|code| match code {
                Some(0) => 0.0,
                Some(code) if *code == arm => 1.0,
                _ => f64::NAN,
            })
            .collect()
    }
}

/// A numeric column without infinite values; NaN is missing.
pub(in crate::experiment) fn measured(frame: &Frame, column: &str) -> Result<Arc<Vec<f64>>> {
    Ok(causal::arms::measured(frame, column)?.values().clone())
}

/// A column of zeros and ones; NaN is missing.
pub(in crate::experiment) fn zero_one(frame: &Frame, column: &str) -> Result<Arc<Vec<f64>>> {
    let values = measured(frame, column)?;
    let bad = |v: &f64| !(v.is_nan() || v.abs() <= 0.0 || (v - 1.0).abs() <= 0.0);
    if let Some(row) = values.iter().position(bad) {
        return Err(Error::OutOfRange {
            column: column.to_owned(),
            row: row + 1,
            value: values[row],
            expected: "0 or 1".to_owned(),
        });
    }
    Ok(values)
}

/// A warning with this sentence.
pub(in crate::experiment) fn note(message: impl Into<String>) -> Warning {
    Warning::Note {
        message: message.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_control_stands_first_and_the_others_keep_their_order() {
        let frame = Frame::new()
            .with(
                "arm",
                vec![Some("b"), Some("c"), None, Some("a"), Some("c")],
            )
            .unwrap();
        let arms = Arms::read("arm", Some("b"), &frame).unwrap();
        assert_eq!(arms.levels, ["b", "a", "c"]);
        assert_eq!(arms.of_row, [Some(0), Some(2), None, Some(1), Some(2)]);
        assert_eq!(arms.missing, 1);
        let one = arms.indicator(2);
        assert!(one[0] == 0.0 && one[1] == 1.0 && one[2].is_nan() && one[3].is_nan());
        let text = Arms::read("arm", Some("bb"), &frame)
            .unwrap_err()
            .to_string();
        assert!(text.contains("a, b, c"), "{text}");
        let single = Frame::new().with("arm", vec!["a", "a"]).unwrap();
        assert!(Arms::read("arm", None, &single).is_err());
    }

    #[test]
    fn columns_are_held_to_their_range() {
        let frame = Frame::new()
            .with("y", vec![1.0, f64::INFINITY])
            .unwrap()
            .with("d", vec![1.0, 2.0])
            .unwrap();
        assert!(matches!(
            measured(&frame, "y"),
            Err(Error::Infinite { row: 2, .. })
        ));
        assert!(matches!(
            zero_one(&frame, "d"),
            Err(Error::OutOfRange { row: 2, .. })
        ));
    }
}
