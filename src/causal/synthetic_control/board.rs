//! Outcomes of units by periods, who is treated from when, and features that are matched beside outcomes.

use super::predictor::{Feature, Predictor};
use crate::causal::panel::{Adoption, Panel};
use crate::data::{Frame, Rows};
use crate::error::{Error, Result, Warning};
use serde::{Deserialize, Serialize};

/// The columns of a panel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct PanelColumns {
    pub(super) outcome: String,
    pub(super) treatment: String,
    pub(super) unit: String,
    pub(super) period: String,
}

/// A balanced panel with donors.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Board {
    pub(super) columns: PanelColumns,
    pub(super) units: Vec<String>,
    /// Periods as they are written.
    pub(super) labels: Vec<String>,
    /// Periods as numbers.
    pub(super) times: Vec<f64>,
    /// Units by periods.
    pub(super) y: Vec<Vec<f64>>,
    /// The position of the first treated period of each unit.
    pub(super) first: Vec<Option<usize>>,
    pub(super) features: Vec<Feature>,
}

impl PanelColumns {
    pub(super) fn new(outcome: &str, treatment: &str, unit: &str, period: &str) -> Self {
        Self {
            outcome: outcome.to_owned(),
            treatment: treatment.to_owned(),
            unit: unit.to_owned(),
            period: period.to_owned(),
        }
    }

    /// Reads rows whose outcome and treatment are present.
    ///
    /// # Errors
    /// Those of the columns and of the panel; `Infinite`; `Unidentified` for gaps, without treated units, without donors, and for units treated from the first
    /// period.
    pub(super) fn read(
        &self,
        frame: &Frame,
        predictors: &[Predictor],
    ) -> Result<(Board, Vec<Warning>)> {
        let outcome = frame.numeric(&self.outcome)?;
        let treatment = frame.numeric(&self.treatment)?;
        let (outcome, treatment) = (outcome.values(), treatment.values());
        if let Some(row) = outcome.iter().position(|y| y.is_infinite()) {
            return Err(Error::Infinite {
                column: self.outcome.clone(),
                row: row + 1,
            });
        }
        let present: Vec<bool> = (outcome.iter().zip(treatment.iter()))
            .map(|(y, w)| !y.is_nan() && !w.is_nan())
            .collect();
        let rows = Rows::from_mask(&present);
        let mut warnings = Vec::new();
        if rows.is_empty() {
            return Err(Error::NoRows {
                reason: format!(
                    "`{}` or `{}` is missing in each; give both columns values",
                    self.outcome, self.treatment
                ),
            });
        }
        if rows.len() < present.len() {
            let missing = [(&self.outcome, outcome), (&self.treatment, treatment)];
            warnings.push(Warning::RowsDropped {
                dropped: present.len() - rows.len(),
                missing: (missing.iter())
                    .map(|(name, v)| ((*name).clone(), v.iter().filter(|v| v.is_nan()).count()))
                    .filter(|(_, count)| *count > 0)
                    .collect(),
            });
        }
        let panel = Panel::read(frame, &self.unit, &self.period, &rows)?;
        panel.require_balanced("a counterfactual made of other units")?;
        let adoption = Adoption::from_status(&panel, &self.treatment, &rows.gather(treatment))?;
        let over = |values: &[f64]| -> Vec<Vec<f64>> {
            (0..panel.units.len())
                .map(|unit| {
                    (0..panel.periods.len())
                        .filter_map(|period| panel.at(unit, period))
                        .map(|row| values[rows.index(row)])
                        .collect()
                })
                .collect()
        };
        let features = (predictors.iter())
            .map(|predictor| {
                let column = frame.numeric(&predictor.column)?;
                if let Some(row) = column.values().iter().position(|v| v.is_infinite()) {
                    return Err(Error::Infinite {
                        column: predictor.column.clone(),
                        row: row + 1,
                    });
                }
                Ok(Feature::new(predictor.clone(), &over(column.values())))
            })
            .collect::<Result<_>>()?;
        let board = Board {
            columns: self.clone(),
            y: over(outcome),
            units: panel.units.clone(),
            labels: panel.periods.iter().map(|p| p.label.clone()).collect(),
            times: panel.periods.iter().map(|p| p.value).collect(),
            first: (adoption.first.iter())
                .map(|first| first.map(|period| period as usize))
                .collect(),
            features,
        };
        board.check()?;
        Ok((board, warnings))
    }
}

impl Board {
    fn check(&self) -> Result<()> {
        let unidentified = |needs: String| {
            Err(Error::Unidentified {
                what: format!(
                    "the effect of `{}` on `{}`",
                    self.columns.treatment, self.columns.outcome
                ),
                needs,
            })
        };
        if self.treated().is_empty() {
            return unidentified(format!(
                "a treated unit: `{}` is 0 in every row",
                self.columns.treatment
            ));
        }
        if self.donors().is_empty() {
            return unidentified(format!(
                "a donor: every unit in `{}` is treated at some time; add units that never are, or end the panel before the last ones start",
                self.columns.unit
            ));
        }
        if let Some((unit, _)) = self.treated().iter().find(|(_, start)| *start == 0) {
            return unidentified(format!(
                "a period before treatment: `{}` {} is treated from the first, {}; add earlier periods or leave the unit out",
                self.columns.unit, self.units[*unit], self.labels[0]
            ));
        }
        Ok(())
    }

    /// Units that are never treated.
    pub(super) fn donors(&self) -> Vec<usize> {
        (0..self.units.len())
            .filter(|unit| self.first[*unit].is_none())
            .collect()
    }

    /// Treated units with the position of their first treated period.
    pub(super) fn treated(&self) -> Vec<(usize, usize)> {
        (self.first.iter().enumerate())
            .filter_map(|(unit, first)| Some((unit, (*first)?)))
            .collect()
    }

    pub(super) fn periods(&self) -> usize {
        self.times.len()
    }

    /// The periods before a position alone, with other starts.
    pub(super) fn before(&self, end: usize, first: Vec<Option<usize>>) -> Self {
        let mut board = self.clone();
        board.labels.truncate(end);
        board.times.truncate(end);
        for series in &mut board.y {
            series.truncate(end);
        }
        for feature in &mut board.features {
            feature.truncate(end);
        }
        board.first = first;
        board
    }
}
