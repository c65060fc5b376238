//! Latin squares: every treatment once in each row and each column.

use crate::data::{Frame, Label};
use crate::error::{Error, Result};
use crate::inference::Covariance;
use crate::numeric::Seed;
use crate::numeric::permutation::shuffle;
use crate::regression::{Ols, OlsFit};
use serde::{Deserialize, Serialize};

/// A k × k Latin square: two nuisances (shop and week, say) are balanced at once with k² units. The cyclic square with its rows, columns and
/// treatments in random order.
///
/// ```
/// use cocreate::prelude::*;
/// let square = LatinSquare::new(["plain", "guided", "gallery"]).assign(7)?;
/// assert_eq!(square.rows(), 9);
/// let y: Vec<f64> = square.label("treatment")?.codes().iter().enumerate().map(|(i, t)| f64::from(*t) + 0.1 * (i * 7 % 5) as f64).collect();
/// let fit = LatinSquare::new(["plain", "guided", "gallery"]).analyze(&square.with("y", y)?, "y")?;
/// assert!((fit.coefficient("gallery - plain")?.estimate - 2.0).abs() < 0.5);
/// # Ok::<(), cocreate::Error>(())
/// ```
///
/// # Errors
/// [`Error::InvalidOption`] for fewer than three treatments (no degrees of freedom would be left) or repeated names.
///
/// # References
/// Fisher (1935), *The Design of Experiments*; Montgomery (2013), section 4.2.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LatinSquare {
    treatments: Vec<String>,
}

impl LatinSquare {
    /// A square of these treatments, control first.
    pub fn new<S: Into<String>>(treatments: impl IntoIterator<Item = S>) -> Self {
        Self {
            treatments: treatments.into_iter().map(Into::into).collect(),
        }
    }

    /// Draws the square: a frame with columns `row`, `column` (from 1) and `treatment`.
    ///
    /// # Errors
    /// See [`LatinSquare`].
    pub fn assign(&self, seed: impl Into<Seed>) -> Result<Frame> {
        self.check()?;
        let k = self.treatments.len();
        let mut random = seed.into().child("latin square").stream(0);
        let mut order = || {
            let mut items: Vec<usize> = (0..k).collect();
            shuffle(&mut items, &mut random);
            items
        };
        let (rows, columns, symbols) = (order(), order(), order());
        let cells = || (0..k * k).map(|i| (i / k, i % k));
        let treatment: Vec<u32> = cells()
            .map(|(r, c)| symbols[(rows[r] + columns[c]) % k] as u32)
            .collect();
        Frame::new()
            .with(
                "row",
                cells().map(|(r, _)| (r + 1) as f64).collect::<Vec<f64>>(),
            )?
            .with(
                "column",
                cells().map(|(_, c)| (c + 1) as f64).collect::<Vec<f64>>(),
            )?
            .with("treatment", Label::new(treatment, self.treatments.clone())?)
    }

    /// Treatments against the first, rows and columns taken out: least squares with classical errors, `(k − 1)(k − 2)` degrees of freedom.
    ///
    /// # Errors
    /// Those of [`Ols`]; [`Error::ColumnNotFound`] when the frame does not come from [`assign`](Self::assign).
    pub fn analyze(&self, frame: &Frame, outcome: &str) -> Result<OlsFit> {
        self.check()?;
        let label = frame.label("treatment")?;
        let mut data = frame.select(&["row", "column", outcome])?;
        let mut terms = Vec::new();
        for name in &self.treatments[1..] {
            let code = label.levels().iter().position(|l| l == name);
            let is = |c: &u32| f64::from(u8::from(Some(*c as usize) == code));
            let term = format!("{name} - {}", self.treatments[0]);
            data = data.with(
                term.as_str(),
                label.codes().iter().map(is).collect::<Vec<f64>>(),
            )?;
            terms.push(format!("`{term}`"));
        }
        Ols::new(format!(
            "`{outcome}` ~ {} + C(row) + C(column)",
            terms.join(" + ")
        ))
        .covariance(Covariance::Classical)
        .fit(&data)
    }

    fn check(&self) -> Result<()> {
        let distinct: std::collections::BTreeSet<&String> = self.treatments.iter().collect();
        if self.treatments.len() < 3 || distinct.len() < self.treatments.len() {
            return Err(Error::invalid_option(
                "treatments",
                format!("{:?}", self.treatments),
                "at least three different names",
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_treatment_is_once_in_each_row_and_column() {
        for seed in 0..20 {
            let frame = LatinSquare::new(["a", "b", "c", "d", "e"])
                .assign(seed)
                .unwrap();
            let treatment = frame.groups("treatment").unwrap();
            for line in ["row", "column"] {
                let pairs = frame.groups(line).unwrap().pair(&treatment);
                assert_eq!(pairs.count(), 25);
            }
        }
        assert!(LatinSquare::new(["a", "b"]).assign(1).is_err());
        assert!(LatinSquare::new(["a", "b", "b"]).assign(1).is_err());
    }
}
