//! Full factorial experiments.

use crate::data::{Frame, Label};
use crate::error::{Error, Result};
use crate::numeric::Seed;
use crate::regression::{Ols, OlsFit};
use crate::report::{Cell, Table};
use crate::simulate::factorial;
use serde::{Deserialize, Serialize};
use std::fmt;

/// All combinations of the levels of several factors, the same number of units in each as far as it goes, in random order.
///
/// `analyze` regresses on the factors coded −½ and ½ and their products: the coefficient of a factor is its main effect (mean at the second
/// level less that at the first), that of a product the change of an effect when the other factor changes, which is how
/// [`FactorialPower`](crate::experiment::power::FactorialPower) defines them. Errors are HC2.
///
/// ```
/// use cocreate::prelude::*;
/// let design = Factorial::new().factor("tool", ["plain", "guided"]).factor("coupon", ["none", "ten"]);
/// let customers = design.assign(400, 7)?;
/// let y: Vec<f64> = customers.numeric("guided tool")?.values().iter().map(|z| z * 3.0).collect();
/// let noise: Vec<f64> = (0..400).map(|i| f64::from(i * 61 % 97) / 97.0).collect();
/// let data = customers.with("y", y.iter().zip(&noise).map(|(y, e)| y + e).collect::<Vec<f64>>())?;
/// let fit = design.analyze(&data, "y", 2)?;
/// assert!((fit.coefficient("tool")?.estimate - 3.0).abs() < 0.1);
/// assert!(fit.coefficient("tool:coupon")?.p_value() > 0.01);
/// # Ok::<(), cocreate::Error>(())
/// ```
///
/// # Errors
/// [`Error::InvalidOption`] for no factor, a factor with fewer than two levels or repeated names, fewer units than cells; for `analyze`, a
/// factor with more than two levels.
///
/// # References
/// Box, Hunter & Hunter (2005), *Statistics for Experimenters*, chapter 5; Dasgupta, Pillai & Rubin (2015), doi:10.1111/rssb.12085.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Factorial {
    factors: Vec<(String, Vec<String>)>,
}

impl Factorial {
    /// Without factors yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a factor with its levels, the usual one first.
    pub fn factor<S: Into<String>>(
        mut self,
        name: impl Into<String>,
        levels: impl IntoIterator<Item = S>,
    ) -> Self {
        let levels = levels.into_iter().map(Into::into).collect();
        self.factors.push((name.into(), levels));
        self
    }

    /// All combinations, the first factor changing fastest: a level for each factor.
    pub fn cells(&self) -> Vec<Vec<usize>> {
        let count = self.factors.iter().map(|(_, l)| l.len()).product();
        (0..count)
            .map(|cell| {
                let mut rest = cell;
                self.factors
                    .iter()
                    .map(|(_, levels)| {
                        let level = rest % levels.len();
                        rest /= levels.len();
                        level
                    })
                    .collect()
            })
            .collect()
    }

    /// Assigns units to cells: a frame with a label column for every factor and, for factors of two levels, a column of 0 and 1 named
    /// `LEVEL FACTOR` for the second level.
    ///
    /// # Errors
    /// See [`Factorial`].
    pub fn assign(&self, units: usize, seed: impl Into<Seed>) -> Result<Frame> {
        self.check()?;
        let levels: Vec<usize> = self.factors.iter().map(|(_, l)| l.len()).collect();
        let cells: usize = levels.iter().product();
        if units < cells {
            return Err(Error::invalid_option(
                "units",
                units,
                format!(
                    "at least the number of cells, {cells}; a fractional factorial needs fewer"
                ),
            ));
        }
        let drawn = factorial(units, &levels, seed)?;
        let mut frame = Frame::new();
        for ((name, levels), codes) in self.factors.iter().zip(drawn) {
            if let [_, second] = levels.as_slice() {
                frame = frame.with(format!("{second} {name}"), codes.clone())?;
            }
            frame = frame.with(name.as_str(), Label::new(codes, levels.clone())?)?;
        }
        Ok(frame)
    }

    /// Main effects and interactions up to an order.
    ///
    /// # Errors
    /// See [`Factorial`]; those of [`Ols`].
    pub fn analyze(&self, frame: &Frame, outcome: &str, order: usize) -> Result<OlsFit> {
        self.check()?;
        let names: Vec<&str> = self.factors.iter().map(|(n, _)| n.as_str()).collect();
        let mut signs = Vec::with_capacity(names.len());
        for (name, levels) in &self.factors {
            if levels.len() != 2 {
                return Err(Error::invalid_option(
                    "factor",
                    format!("`{name}` with {} levels", levels.len()),
                    "of two levels for effects; give other factors to Ols as C(factor)",
                ));
            }
            let label = frame.label(name)?;
            let second = label.levels().iter().position(|l| *l == levels[1]);
            let code = second.map_or(u32::MAX, |p| p as u32);
            signs.push(
                label
                    .codes()
                    .iter()
                    .map(|c| *c == code)
                    .collect::<Vec<bool>>(),
            );
        }
        effects(frame, outcome, &names, &signs, order)
    }

    fn check(&self) -> Result<()> {
        let names: std::collections::BTreeSet<&String> =
            self.factors.iter().map(|(n, _)| n).collect();
        if self.factors.is_empty() || names.len() < self.factors.len() {
            return Err(Error::invalid_option(
                "factors",
                self.factors.len(),
                "at least one, with different names",
            ));
        }
        for (name, levels) in &self.factors {
            let distinct: std::collections::BTreeSet<&String> = levels.iter().collect();
            if levels.len() < 2 || distinct.len() < levels.len() {
                return Err(Error::invalid_option(
                    "levels",
                    format!("{levels:?} of `{name}`"),
                    "at least two different ones",
                ));
            }
        }
        Ok(())
    }

    /// One row a cell.
    pub fn table(&self) -> Table {
        let mut table = Table::new("Factorial design").columns(
            std::iter::once("Cell".to_owned()).chain(self.factors.iter().map(|(n, _)| n.clone())),
        );
        for (i, cell) in self.cells().iter().enumerate() {
            let levels = cell.iter().zip(&self.factors);
            let levels = levels.map(|(level, (_, names))| Cell::text(names[*level].as_str()));
            table = table.row(std::iter::once(Cell::from(i + 1)).chain(levels));
        }
        table
    }

    /// The table as HTML.
    pub fn to_html(&self) -> String {
        self.table().to_html()
    }
}

impl fmt::Display for Factorial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.table().fmt(f)
    }
}

crate::report::notebook!(Factorial);

/// Least squares on factors coded ∓½ and their products up to an order, named `a`, `a:b`, …; HC2 errors.
pub(super) fn effects(
    frame: &Frame,
    outcome: &str,
    names: &[&str],
    second: &[Vec<bool>],
    order: usize,
) -> Result<OlsFit> {
    if !(1..=names.len()).contains(&order) {
        return Err(Error::invalid_option(
            "order",
            order,
            format!(
                "from 1 (main effects) to the number of factors, {}",
                names.len()
            ),
        ));
    }
    let y = super::plan::finite(frame, outcome)?;
    let mut data = Frame::new().with(outcome, y)?;
    let mut sets: Vec<u32> = (1_u32..1 << names.len())
        .filter(|set| set.count_ones() as usize <= order)
        .collect();
    sets.sort_by_key(|set| (set.count_ones(), *set));
    let mut terms = Vec::with_capacity(sets.len());
    for set in sets {
        let members: Vec<usize> = (0..names.len()).filter(|i| set >> i & 1 == 1).collect();
        let name = members
            .iter()
            .map(|i| names[*i])
            .collect::<Vec<_>>()
            .join(":");
        let column: Vec<f64> = (0..frame.rows())
            .map(|row| {
                let half = |i: &usize| if second[*i][row] { 0.5 } else { -0.5 };
                members.iter().map(half).product()
            })
            .collect();
        data = data.with(name.as_str(), column)?;
        terms.push(format!("`{name}`"));
    }
    Ols::new(format!("`{outcome}` ~ {}", terms.join(" + ")))
        .covariance(crate::inference::Covariance::Hc2)
        .fit(&data)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inference::Inference;

    #[test]
    fn cells_are_balanced() {
        let design = Factorial::new()
            .factor("a", ["0", "1", "2"])
            .factor("b", ["0", "1"]);
        assert_eq!(design.cells().len(), 6);
        let frame = design.assign(60, 1).unwrap();
        let pairs = frame.groups("a").unwrap().pair(&frame.groups("b").unwrap());
        for code in 0..6 {
            assert_eq!(pairs.codes.iter().filter(|c| **c == code).count(), 10);
        }
        assert!(frame.has("1 b") && !frame.has("1 a"));
    }

    #[test]
    fn effects_by_hand() {
        // Cell means 1, 4, 2, 9 for (a, b) = 00, 10, 01, 11.
        let design = Factorial::new()
            .factor("a", ["0", "1"])
            .factor("b", ["0", "1"]);
        let frame = design.assign(8, 3).unwrap();
        let (a, b) = (frame.numeric("1 a").unwrap(), frame.numeric("1 b").unwrap());
        let y: Vec<f64> = a
            .values()
            .iter()
            .zip(b.values().iter())
            .map(|(a, b)| 1.0 + 3.0 * a + b + 4.0 * a * b)
            .collect();
        let fit = design
            .analyze(&frame.with("y", y).unwrap(), "y", 2)
            .unwrap();
        let at = |name: &str| fit.coefficient(name).unwrap().estimate;
        assert!((at("a") - 5.0).abs() < 1e-12); // (4 + 9)/2 − (1 + 2)/2
        assert!((at("b") - 3.0).abs() < 1e-12);
        assert!((at("a:b") - 4.0).abs() < 1e-12); // (9 − 2) − (4 − 1)
    }

    #[test]
    fn nonsense_is_refused() {
        assert!(Factorial::new().assign(10, 1).is_err());
        assert!(Factorial::new().factor("a", ["x"]).assign(10, 1).is_err());
        assert!(
            Factorial::new()
                .factor("a", ["x", "x"])
                .assign(10, 1)
                .is_err()
        );
        let three = Factorial::new()
            .factor("a", ["x", "y", "z"])
            .factor("b", ["x", "y"]);
        assert!(three.assign(5, 1).is_err());
        let frame = three
            .assign(12, 1)
            .unwrap()
            .with("y", vec![0.0; 12])
            .unwrap();
        assert!(three.analyze(&frame, "y", 1).is_err());
    }
}
