//! What a synthetic control found: paths, effects, weights.

use super::board::Board;
use super::counterfactual::{Recipe, mean, rms};
use super::estimator::SyntheticControl;
use super::importance::PredictorBalance;
use crate::error::{Error, Result, Warning};
use crate::report::{Cell, Figure, LinePlot, Table};
use serde::{Deserialize, Serialize};

/// Weights below this in size are rounding.
pub(super) const NO_WEIGHT: f64 = 1e-9;

/// A root mean squared gap below this share of the spread of outcomes is rounding.
const EXACT: f64 = 1e-9;

/// A donor's weight.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DonorWeight {
    /// The unit.
    pub donor: String,
    /// Its weight; those of a treated unit sum to one.
    pub weight: f64,
}

/// A treated unit beside its synthetic one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SyntheticUnit {
    /// The unit.
    pub unit: String,
    /// The first period of treatment, as it is written.
    pub start: String,
    /// Periods before treatment; the position of the start.
    pub periods_before: usize,
    /// Every donor's weight, largest first.
    pub weights: Vec<DonorWeight>,
    /// Outcomes, one a period.
    pub actual: Vec<f64>,
    /// Outcomes of the synthetic unit, one a period.
    pub synthetic: Vec<f64>,
    /// The root mean squared gap before treatment: how far the unit is from its donors.
    pub pre_rmspe: f64,
    /// The root mean squared gap from the start of treatment on.
    pub post_rmspe: f64,
    /// The mean gap from the start of treatment on.
    pub effect: f64,
    /// The penalty of the augmentation.
    pub penalty: Option<f64>,
    /// The predictors, when these were matched.
    #[serde(default)]
    pub predictors: Vec<PredictorBalance>,
    #[serde(default)]
    exact: bool,
}

/// The mean effect at a time since treatment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PeriodEffect {
    /// Periods since the start; 0 is the first of treatment, −1 the last before.
    pub since: i64,
    /// The mean gap of the units observed then.
    pub effect: f64,
    /// How many units these are.
    pub units: usize,
}

/// What [`SyntheticControl`] found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SyntheticControlFit {
    pub(super) model: SyntheticControl,
    pub(super) board: Board,
    pub(super) units: Vec<SyntheticUnit>,
    warnings: Vec<Warning>,
}

impl SyntheticUnit {
    /// Actual minus synthetic outcomes, one a period.
    pub fn gaps(&self) -> Vec<f64> {
        (self.actual.iter().zip(&self.synthetic))
            .map(|(actual, synthetic)| actual - synthetic)
            .collect()
    }
}

impl SyntheticControl {
    pub(super) fn unit(
        &self,
        board: &Board,
        target: usize,
        donors: &[usize],
        start: usize,
    ) -> Result<SyntheticUnit> {
        let (Recipe { penalty, .. }, made, features) =
            self.counterfactual(board, target, donors, start)?;
        let predictors =
            (features.as_ref()).map_or_else(Vec::new, |f| f.balance(board, &made.weights));
        let exact = features.is_some_and(|f| f.exact(&made.weights));
        let mut weights: Vec<DonorWeight> = (donors.iter().zip(&made.weights))
            .map(|(donor, weight)| DonorWeight {
                donor: board.units[*donor].clone(),
                weight: *weight,
            })
            .collect();
        weights.sort_by(|a, b| b.weight.total_cmp(&a.weight));
        let mut unit = SyntheticUnit {
            unit: board.units[target].clone(),
            start: board.labels[start].clone(),
            periods_before: start,
            weights,
            actual: board.y[target].clone(),
            synthetic: made.synthetic,
            pre_rmspe: 0.0,
            post_rmspe: 0.0,
            effect: 0.0,
            penalty,
            predictors,
            exact,
        };
        let gaps = unit.gaps();
        unit.pre_rmspe = rms(&gaps[..start]);
        unit.post_rmspe = rms(&gaps[start..]);
        unit.effect = mean(gaps[start..].iter().copied());
        Ok(unit)
    }

    pub(super) fn on(
        &self,
        board: Board,
        mut warnings: Vec<Warning>,
    ) -> Result<SyntheticControlFit> {
        let (donors, treated) = (board.donors(), board.treated());
        let units = (treated.iter())
            .map(|(unit, start)| self.unit(&board, *unit, &donors, *start))
            .collect::<Result<Vec<_>>>()?;
        let mut note = |message: String| warnings.push(Warning::Note { message });
        if let [donor] = donors.as_slice() {
            note(format!(
                "there is one donor, {}, and it has all the weight: the effect is the difference from it; add donors, or use SyntheticDid",
                board.units[*donor]
            ));
        }
        for (unit, (place, start)) in units.iter().zip(&treated) {
            self.judge(&board, unit, *place, *start, &donors, &mut note)?;
        }
        Ok(SyntheticControlFit {
            model: self.clone(),
            board,
            units,
            warnings,
        })
    }

    /// What a reader must know about a match.
    fn judge(
        &self,
        board: &Board,
        unit: &SyntheticUnit,
        place: usize,
        start: usize,
        donors: &[usize],
        note: &mut impl FnMut(String),
    ) -> Result<()> {
        let pool: Vec<f64> = donors
            .iter()
            .flat_map(|d| &board.y[*d][..start])
            .copied()
            .collect();
        let centre = mean(pool.iter().copied());
        let spread = rms(&pool.iter().map(|y| y - centre).collect::<Vec<_>>());
        let own: Vec<f64> = board.y[place][..start].iter().map(|y| y - centre).collect();
        if spread <= f64::EPSILON * centre.abs() && rms(&own) <= f64::EPSILON * centre.abs() {
            return Err(Error::Unidentified {
                what: format!("the synthetic {}", unit.unit),
                needs: format!(
                    "outcomes that differ between units or periods: `{}` is {centre} for all of them before {}",
                    board.columns.outcome, unit.start
                ),
            });
        }
        if start == 1 {
            note(format!(
                "{} has one period before treatment, which any donors on both sides of it match: the fit says nothing about the counterfactual",
                unit.unit
            ));
        } else if !self.has_predictors() && donors.len() > 1 && unit.pre_rmspe <= EXACT * spread {
            note(format!(
                "{} is matched exactly before treatment, so that many weights do: the effect depends on which; fewer donors or more periods would tell",
                unit.unit
            ));
        }
        if unit.exact && donors.len() > 1 {
            note(format!(
                "the predictors of {} are met exactly, so that many weights do: the effect depends on which; more predictors, or outcomes in their place, would tell",
                unit.unit
            ));
        }
        let ends = |t: usize| {
            (donors.iter()).fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), d| {
                (low.min(board.y[*d][t]), high.max(board.y[*d][t]))
            })
        };
        let beyond = (0..start)
            .filter(|t| {
                let (low, high) = ends(*t);
                !(low..=high).contains(&board.y[place][*t])
            })
            .count();
        if beyond > 0 && !self.has_room() {
            note(format!(
                "{} is outside the convex hull of the donors: above or below all of them in {beyond} of {start} periods before treatment, and {:.4} from its synthetic unit (root mean square); use `.augmented()` or `.demeaned()`, or SyntheticDid",
                unit.unit, unit.pre_rmspe
            ));
        }
        Ok(())
    }
}

impl SyntheticControlFit {
    /// The mean effect over treated units and periods since their start.
    pub fn effect(&self) -> f64 {
        let after = |unit: &SyntheticUnit| unit.actual.len() - unit.periods_before;
        let total: usize = self.units.iter().map(after).sum();
        let sum: f64 = self.units.iter().map(|u| u.effect * after(u) as f64).sum();
        sum / total as f64
    }

    /// The treated units.
    pub fn units(&self) -> &[SyntheticUnit] {
        &self.units
    }

    /// The periods as they are written.
    pub fn periods(&self) -> &[String] {
        &self.board.labels
    }

    /// What a reader must know.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// Mean gaps by time since treatment, from the earliest on.
    pub fn path(&self) -> Vec<PeriodEffect> {
        let since = |unit: &SyntheticUnit, t: usize| {
            i64::from(t as u32) - i64::from(unit.periods_before as u32)
        };
        let mut path: Vec<PeriodEffect> = Vec::new();
        for unit in &self.units {
            for (t, gap) in unit.gaps().into_iter().enumerate() {
                let at = since(unit, t);
                match path.binary_search_by_key(&at, |p| p.since) {
                    Ok(found) => {
                        path[found].effect += gap;
                        path[found].units += 1;
                    }
                    Err(place) => path.insert(
                        place,
                        PeriodEffect {
                            since: at,
                            effect: gap,
                            units: 1,
                        },
                    ),
                }
            }
        }
        for period in &mut path {
            period.effect /= period.units as f64;
        }
        path
    }

    /// The position of a treated unit.
    pub(super) fn place(&self, unit: &str) -> Result<usize> {
        let names: Vec<String> = self.units.iter().map(|u| u.unit.clone()).collect();
        names.iter().position(|name| name == unit).ok_or_else(|| {
            Error::invalid_option(
                "unit",
                unit,
                format!("a treated unit: {}", names.join(", ")),
            )
        })
    }

    /// Actual and synthetic outcomes of a treated unit.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for a unit that is not treated.
    pub fn path_plot(&self, unit: &str) -> Result<Figure> {
        let unit = &self.units[self.place(unit)?];
        LinePlot::new()
            .title(format!("{} and its synthetic control", unit.unit))
            .x_title(&self.board.columns.period)
            .y_title(&self.board.columns.outcome)
            .line(&unit.unit, &self.board.times, &unit.actual)
            .line(
                format!("synthetic {}", unit.unit),
                &self.board.times,
                &unit.synthetic,
            )
            .reference_x(self.between(unit.periods_before))
            .note("The dashed line is where treatment begins.")
            .draw()
    }

    /// Halfway between the last period before a start and the start.
    pub(super) fn between(&self, start: usize) -> f64 {
        f64::midpoint(self.board.times[start - 1], self.board.times[start])
    }

    /// Weights of donors, one column a treated unit; donors without weight are left out.
    pub fn weights_table(&self) -> Table {
        let weight = |unit: &SyntheticUnit, donor: &str| {
            (unit.weights.iter())
                .find(|w| w.donor == donor)
                .map_or(0.0, |w| w.weight)
        };
        let mut donors: Vec<(f64, &String)> = (self.board.donors().iter())
            .map(|d| &self.board.units[*d])
            .map(|donor| {
                let largest = self.units.iter().map(|u| weight(u, donor).abs());
                (largest.fold(0.0, f64::max), donor)
            })
            .filter(|(largest, _)| *largest > NO_WEIGHT)
            .collect();
        donors.sort_by(|a, b| b.0.total_cmp(&a.0));
        let headers = [self.board.columns.unit.clone()].into_iter();
        let mut table = Table::new("Weights of donors")
            .columns(headers.chain(self.units.iter().map(|u| u.unit.clone())));
        for (_, donor) in donors {
            let cells = [Cell::text(donor)].into_iter();
            table =
                table.row(cells.chain(self.units.iter().map(|u| Cell::fixed(weight(u, donor), 4))));
        }
        table
    }

    /// The predictors of a treated unit: how much each counts, and its means in the unit, in the synthetic unit and in all donors.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for a unit that is not treated.
    pub fn predictor_table(&self, unit: &str) -> Result<Table> {
        let unit = &self.units[self.place(unit)?];
        let synthetic = format!("synthetic {}", unit.unit);
        let columns = [
            "predictor",
            "importance",
            &unit.unit,
            &synthetic,
            "all donors",
        ];
        let rows = unit.predictors.iter().map(|p| {
            [
                Cell::text(&p.predictor),
                Cell::significant(p.importance, 3),
                Cell::significant(p.treated, 5),
                Cell::significant(p.synthetic, 5),
                Cell::significant(p.donors, 5),
            ]
        });
        Ok(rows.fold(Table::new("Predictors").columns(columns), Table::row))
    }

    /// The effects of the treated units.
    pub fn table(&self) -> Table {
        let columns = &self.board.columns;
        let mut table = Table::new(format!(
            "Synthetic control: {} on {}",
            columns.treatment, columns.outcome
        ))
        .columns([
            columns.unit.as_str(),
            "start",
            "effect",
            "RMSPE before",
            "RMSPE after",
            "donors used",
        ]);
        for unit in &self.units {
            let used = unit
                .weights
                .iter()
                .filter(|w| w.weight.abs() > NO_WEIGHT)
                .count();
            table = table.row([
                Cell::text(&unit.unit),
                Cell::text(&unit.start),
                Cell::significant(unit.effect, 4),
                Cell::significant(unit.pre_rmspe, 4),
                Cell::significant(unit.post_rmspe, 4),
                Cell::count(used),
            ]);
        }
        let donors = self.board.donors().len();
        table
            .summary([
                Cell::text("mean effect"),
                Cell::empty(),
                Cell::significant(self.effect(), 4),
            ])
            .note(format!(
                "{donors} donors, {} periods. RMSPE is the root mean squared gap to the synthetic unit.",
                self.board.periods()
            ))
            .warned(&self.warnings)
    }
}

crate::report::notebook::shown!(SyntheticControlFit);
