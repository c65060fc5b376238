//! Power over sizes: table and figure.

use super::plan::PowerPlan;
use crate::error::{Error, Result};
use crate::report::{Cell, Figure, LinePlot, Table};
use serde::{Deserialize, Serialize};
use std::fmt;

/// The power that the field plans for; a line of the figure.
const USUAL_POWER: f64 = 0.8;

/// Power by size, one line for each effect.
///
/// ```
/// use cocreate::prelude::*;
/// let sizes = [200.0, 500.0, 1000.0, 2000.0];
/// let curve = MeanPower::new(1.0).curve(&sizes, &[0.1, 0.2])?;
/// assert!(curve.lines[1].power[2] > curve.lines[0].power[2]);
/// assert!(curve.figure()?.to_svg().starts_with("<svg"));
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PowerCurve {
    /// The test.
    pub test: String,
    /// What sizes count.
    pub size_of: String,
    /// What effects are.
    pub effect_name: String,
    /// The sizes.
    pub sizes: Vec<f64>,
    /// One line an effect.
    pub lines: Vec<PowerLine>,
}

/// The power of one effect at the sizes of a [`PowerCurve`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PowerLine {
    /// The effect.
    pub effect: f64,
    /// Power at each size.
    pub power: Vec<f64>,
    /// Its simulation error at each size; empty when it was not simulated.
    pub monte_carlo_error: Vec<f64>,
}

impl PowerCurve {
    pub(super) fn new(plans: &[Vec<PowerPlan>]) -> Result<Self> {
        let Some(first) = plans.first().and_then(|line| line.first()) else {
            return Err(Error::invalid_option(
                "sizes and effects",
                "empty",
                "at least one size and one effect",
            ));
        };
        Ok(Self {
            test: first.test.clone(),
            size_of: first.size_of.clone(),
            effect_name: first.effect_name.clone(),
            sizes: plans[0].iter().map(|p| p.size).collect(),
            lines: plans
                .iter()
                .map(|line| PowerLine {
                    effect: line[0].effect,
                    power: line.iter().map(|p| p.power).collect(),
                    monte_carlo_error: line.iter().filter_map(|p| p.monte_carlo_error).collect(),
                })
                .collect(),
        })
    }

    /// The figure: power against size, with a line at 80 % and, when simulated, bands of two simulation errors.
    ///
    /// # Errors
    /// Those of [`LinePlot`].
    pub fn figure(&self) -> Result<Figure> {
        let mut plot = LinePlot::new()
            .title(format!("Power: {}", self.test))
            .x_title(format!("Size: {}", self.size_of))
            .y_title("Power")
            .reference_y(USUAL_POWER);
        for line in &self.lines {
            let name = format!("effect {}", Cell::significant(line.effect, 3));
            plot = plot.line(name, &self.sizes, &line.power);
            if !line.monte_carlo_error.is_empty() {
                let ends = |side: f64| -> Vec<f64> {
                    line.power
                        .iter()
                        .zip(&line.monte_carlo_error)
                        .map(|(p, e)| (p + side * 2.0 * e).clamp(0.0, 1.0))
                        .collect()
                };
                plot = plot.band(ends(-1.0), ends(1.0));
            }
        }
        plot.draw()
    }

    /// One row a size, one column an effect.
    pub fn table(&self) -> Table {
        let effects = self
            .lines
            .iter()
            .map(|l| Cell::significant(l.effect, 4).to_string());
        let mut table = Table::new(format!("Power: {}", self.test))
            .columns(std::iter::once(self.size_of.clone()).chain(effects))
            .note(format!("columns: {}", self.effect_name));
        for (i, size) in self.sizes.iter().enumerate() {
            let power = self.lines.iter().map(|l| Cell::fixed(l.power[i], 4));
            table = table.row(std::iter::once(Cell::significant(*size, 6)).chain(power));
        }
        table
    }

    /// The table as HTML.
    pub fn to_html(&self) -> String {
        self.table().to_html()
    }
}

impl fmt::Display for PowerCurve {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.table().fmt(f)
    }
}

crate::report::notebook!(PowerCurve);
