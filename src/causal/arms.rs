//! The arm of every row, coded with control first.

use crate::data::{Frame, Groups, MISSING, Real};
use crate::error::{Error, Result, nearest_name};

/// The arms of a treatment, control first, the others in the order of their values.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ArmCodes {
    pub(crate) levels: Vec<String>,
    /// Position in `levels` of every row; [`MISSING`] where the arm is missing.
    pub(crate) codes: Vec<u32>,
}

impl ArmCodes {
    /// Moves control to the front; it is the first value unless named.
    ///
    /// # Errors
    /// `InvalidOption` for fewer than two arms or a control that does not occur.
    pub(crate) fn of(groups: &Groups, control: Option<&str>) -> Result<Self> {
        if groups.count() < 2 {
            return Err(Error::invalid_option(
                "arm",
                format!("`{}` with {} arm", groups.name, groups.count()),
                "a column with at least two arms",
            ));
        }
        let control = match control {
            None => 0,
            Some(name) => place("control", &groups.levels, name)?,
        };
        let mut levels = groups.levels.to_vec();
        let first = levels.remove(control);
        levels.insert(0, first);
        // The order of the others stays.
        let moved = |code: u32| match (code as usize).cmp(&control) {
            _ if code == MISSING => MISSING,
            std::cmp::Ordering::Equal => 0,
            std::cmp::Ordering::Less => code + 1,
            std::cmp::Ordering::Greater => code,
        };
        Ok(Self {
            levels,
            codes: groups.codes.iter().map(|code| moved(*code)).collect(),
        })
    }
}

/// Where an arm stands among others.
///
/// # Errors
/// Those of [`unknown_arm`].
pub(crate) fn place(option: &str, arms: &[String], name: &str) -> Result<usize> {
    let at = arms.iter().position(|arm| arm == name);
    at.ok_or_else(|| unknown_arm(option, name, arms))
}

/// An arm that the data do not have: an `InvalidOption` with the arms that exist and the nearest of them.
pub(crate) fn unknown_arm(option: &str, name: &str, arms: &[String]) -> Error {
    let hint =
        nearest_name(name, arms).map_or_else(String::new, |n| format!("; did you mean `{n}`?"));
    Error::invalid_option(
        option,
        format!("`{name}`"),
        format!("one of the arms {}{hint}", arms.join(", ")),
    )
}

/// A numeric column without infinite values; NaN is missing.
pub(crate) fn measured(frame: &Frame, column: &str) -> Result<Real> {
    let real = frame.numeric(column)?;
    match real.values().iter().position(|v| v.is_infinite()) {
        None => Ok(real),
        Some(row) => Err(Error::Infinite {
            column: column.to_owned(),
            row: row + 1,
        }),
    }
}

/// Refuses a column whose squares, or sums of them over rows, are no numbers.
pub(crate) fn check_squares(column: &str, values: &[f64]) -> Result<()> {
    let n = values.len() as f64;
    let squares: f64 = values.iter().map(|v| v * v).sum();
    if (squares * n * n).is_finite() {
        return Ok(());
    }
    Err(Error::NotFinite {
        what: format!(
            "the sum of squares of `{column}` (rescale the column: its values are near the largest that f64 holds)"
        ),
    })
}

/// Refuses weights that are negative or all zero; `row` gives their rows in the frame.
pub(crate) fn check_weights(
    column: &str,
    weights: &[f64],
    row: impl Fn(usize) -> usize,
) -> Result<()> {
    if let Some(i) = weights.iter().position(|w| *w < 0.0) {
        return Err(Error::OutOfRange {
            column: column.to_owned(),
            row: row(i) + 1,
            value: weights[i],
            expected: "not negative".to_owned(),
        });
    }
    if weights.iter().sum::<f64>() <= 0.0 {
        return Err(Error::NoRows {
            reason: format!("no weight in `{column}` is positive"),
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_control_stands_first_and_the_others_keep_their_order() {
        let column = vec![Some("b"), Some("c"), None, Some("a"), Some("c")];
        let frame = Frame::new().with("arm", column).unwrap();
        let groups = frame.groups("arm").unwrap();
        let arms = ArmCodes::of(&groups, Some("b")).unwrap();
        assert_eq!(arms.levels, ["b", "a", "c"]);
        assert_eq!(arms.codes, [0, 2, MISSING, 1, 2]);
        let error = ArmCodes::of(&groups, Some("bb")).unwrap_err();
        assert!(error.to_string().contains("one of the arms a, b, c"));
        let single = Frame::new().with("arm", vec!["a", "a"]).unwrap();
        let error = ArmCodes::of(&single.groups("arm").unwrap(), None).unwrap_err();
        assert!(error.to_string().contains("`arm` with 1 arm"), "{error}");
    }
}
