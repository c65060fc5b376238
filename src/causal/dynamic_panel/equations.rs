//! The rows of each unit, differenced and in levels, with their regressors and instruments.

use super::estimator::DynamicPanelGmm;
use crate::causal::panel::Panel;
use crate::error::{Error, Result};
use nalgebra::{DMatrix, DVector};
use serde::{Deserialize, Serialize};

/// A variable of the model.
pub(super) struct Regressor {
    pub(super) name: String,
    /// The nearest lag that is an instrument; none for a variable that is its own.
    pub(super) first_lag: Option<usize>,
}

impl Regressor {
    /// The outcome: instruments from lag 2 on.
    pub(super) fn outcome(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            first_lag: Some(2),
        }
    }
}

/// One unit's rows: first the transformed ones, then those in levels.
pub(super) struct Block {
    pub(super) y: DVector<f64>,
    pub(super) x: DMatrix<f64>,
    pub(super) z: DMatrix<f64>,
    /// What each row has of the error of each period.
    pub(super) loadings: DMatrix<f64>,
    pub(super) differences: Differences,
}

/// One unit's differenced rows, whose residuals are tested for autocorrelation.
pub(super) struct Differences {
    pub(super) y: DVector<f64>,
    pub(super) x: DMatrix<f64>,
    pub(super) periods: Vec<usize>,
}

/// All units' rows.
pub(super) struct Equations {
    pub(super) blocks: Vec<Block>,
    pub(super) names: Vec<String>,
    pub(super) units: usize,
    /// Transformed rows.
    pub(super) rows: usize,
    /// Whose instrument each is.
    pub(super) sources: Vec<Source>,
}

/// Whose instrument one is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Source {
    /// The variable, or the column of periods.
    pub(super) name: String,
    /// Whether it is for rows in levels alone.
    pub(super) levels: bool,
}

/// An instrument: which rows it is for, and its value there.
enum Instrument {
    /// The level of a variable some periods ago, in transformed rows (of one period, when not collapsed).
    Level(usize, usize, Option<usize>),
    /// The difference of a variable some periods ago, in rows in levels.
    Difference(usize, usize, Option<usize>),
    /// A variable itself, transformed in transformed rows.
    Own(usize),
    /// The effect of a period, transformed in transformed rows.
    Period(usize),
    /// One in rows in levels.
    Constant,
}

/// A row of the equations: a sum of periods, each with a weight.
struct Row {
    levels: bool,
    /// To which instruments are dated: of a difference the later period, of an orthogonal deviation the one after.
    period: usize,
    terms: Vec<(usize, f64)>,
}

impl Row {
    fn level(period: usize) -> Self {
        Self {
            levels: true,
            period,
            terms: vec![(period, 1.0)],
        }
    }

    fn difference(period: usize) -> Self {
        Self {
            levels: false,
            period,
            terms: vec![(period, 1.0), (period - 1, -1.0)],
        }
    }

    /// A period less the mean of those that follow, scaled so that independent errors of one variance stay so.
    fn deviation(period: usize, later: &[usize]) -> Self {
        let n = later.len() as f64;
        let scale = (n / (n + 1.0)).sqrt();
        let mut terms = vec![(period, scale)];
        terms.extend(later.iter().map(|t| (*t, -scale / n)));
        Self {
            levels: false,
            period: period + 1,
            terms,
        }
    }

    fn sum(&self, value: impl Fn(usize) -> f64) -> f64 {
        self.terms.iter().map(|(t, w)| w * value(*t)).sum()
    }
}

/// Values by unit and period, NaN where there is no row.
struct Cells<'a> {
    panel: &'a Panel,
    columns: &'a [Vec<f64>],
}

impl Cells<'_> {
    fn at(&self, variable: usize, unit: usize, period: Option<usize>) -> f64 {
        let row = period.and_then(|period| self.panel.at(unit, period));
        row.map_or(f64::NAN, |row| {
            self.columns[variable][self.panel.rows.index(row)]
        })
    }

    fn change(&self, variable: usize, unit: usize, period: Option<usize>) -> f64 {
        let before = period.and_then(|period| period.checked_sub(1));
        self.at(variable, unit, period) - self.at(variable, unit, before)
    }
}

impl Equations {
    pub(super) fn new(
        model: &DynamicPanelGmm,
        panel: &Panel,
        regressors: &[Regressor],
        columns: &[Vec<f64>],
    ) -> Result<Self> {
        let cells = Cells { panel, columns };
        let lags = model.outcome_lags;
        let periods = panel.periods.len();
        let first = lags + 1;
        if first >= periods {
            return Err(Error::Unidentified {
                what: format!("the persistence of `{}`", model.outcome),
                needs: format!(
                    "{} periods for {lags} lags of a difference, of which `{}` has {periods}",
                    first + 1,
                    model.period
                ),
            });
        }
        let mut names: Vec<String> = (1..=lags)
            .map(|lag| format!("L{lag}.{}", model.outcome))
            .collect();
        names.extend(regressors[1..].iter().map(|r| r.name.clone()));
        let effects: Vec<usize> = if model.period_effects {
            (first..periods).collect()
        } else {
            Vec::new()
        };
        names.extend(
            effects
                .iter()
                .map(|t| format!("{}[{}]", model.period, panel.periods[*t].label)),
        );
        if model.levels {
            names.push("(Intercept)".to_owned());
        }
        let (instruments, sources): (Vec<Instrument>, Vec<Source>) =
            instruments(model, regressors, periods, &effects)
                .into_iter()
                .unzip();
        let dummy = |row: &Row, effect: usize| row.sum(|t| f64::from(u8::from(t == effect)));
        let mut blocks = Vec::new();
        let mut rows = 0;
        for unit in 0..panel.units.len() {
            let value = |variable: usize, lag: usize, period: usize| {
                cells.at(variable, unit, period.checked_sub(lag))
            };
            let complete = |period: &usize| {
                let lagged = (1..=lags).map(|lag| (0, lag));
                let others = (0..regressors.len()).map(|variable| (variable, 0));
                !(lagged.chain(others)).any(|(of, lag)| value(of, lag, *period).is_nan())
            };
            let known: Vec<usize> = (lags..periods).filter(complete).collect();
            let adjacent = known.windows(2).filter(|p| p[0] + 1 == p[1]);
            let differences: Vec<Row> = adjacent.map(|p| Row::difference(p[1])).collect();
            let left = |row: &Row| row.sum(|t| value(0, 0, t));
            let right = |row: &Row| -> Vec<f64> {
                let mut x: Vec<f64> = (1..=lags)
                    .map(|lag| row.sum(|t| value(0, lag, t)))
                    .collect();
                x.extend((1..regressors.len()).map(|of| row.sum(|t| value(of, 0, t))));
                x.extend(effects.iter().map(|effect| dummy(row, *effect)));
                if model.levels {
                    x.push(f64::from(u8::from(row.levels)));
                }
                x
            };
            let columns = |rows: &[Row]| -> (DVector<f64>, DMatrix<f64>) {
                let x: Vec<Vec<f64>> = rows.iter().map(&right).collect();
                (
                    DVector::from_iterator(rows.len(), rows.iter().map(left)),
                    DMatrix::from_fn(rows.len(), names.len(), |row, column| x[row][column]),
                )
            };
            let (dy, dx) = columns(&differences);
            let tested = Differences {
                y: dy,
                x: dx,
                periods: differences.iter().map(|row| row.period).collect(),
            };
            let mut used = if model.is_orthogonal() {
                let before_last = known.len().saturating_sub(1);
                (0..before_last)
                    .map(|at| Row::deviation(known[at], &known[at + 1..]))
                    .collect()
            } else {
                differences
            };
            rows += used.len();
            if model.levels {
                used.extend(known.iter().map(|period| Row::level(*period)));
            }
            if used.is_empty() {
                continue;
            }
            let instrument = |row: &Row, instrument: &Instrument| -> f64 {
                let of = |only: &Option<usize>| only.is_none_or(|only| only == row.period);
                let value = match instrument {
                    Instrument::Level(variable, lag, only) if !row.levels && of(only) => {
                        cells.at(*variable, unit, row.period.checked_sub(*lag))
                    }
                    Instrument::Difference(variable, lag, only) if row.levels && of(only) => {
                        cells.change(*variable, unit, row.period.checked_sub(*lag))
                    }
                    Instrument::Own(variable) => row.sum(|t| value(*variable, 0, t)),
                    Instrument::Period(effect) => dummy(row, *effect),
                    Instrument::Constant if row.levels => 1.0,
                    _ => 0.0,
                };
                if value.is_nan() { 0.0 } else { value }
            };
            let (y, x) = columns(&used);
            let mut loadings = DMatrix::zeros(used.len(), periods);
            for (at, row) in used.iter().enumerate() {
                for (period, weight) in &row.terms {
                    loadings[(at, *period)] = *weight;
                }
            }
            blocks.push(Block {
                z: DMatrix::from_fn(used.len(), instruments.len(), |row, column| {
                    instrument(&used[row], &instruments[column])
                }),
                y,
                x,
                loadings,
                differences: tested,
            });
        }
        if rows <= names.len() {
            return Err(Error::TooFewRows {
                rows,
                parameters: names.len(),
            });
        }
        Ok(Self {
            units: blocks.len(),
            blocks,
            names,
            rows,
            sources,
        })
    }
}

/// The instruments, each with whose it is.
fn instruments(
    model: &DynamicPanelGmm,
    regressors: &[Regressor],
    periods: usize,
    effects: &[usize],
) -> Vec<(Instrument, Source)> {
    let mut all = Vec::new();
    let (lags, first) = (model.outcome_lags, model.outcome_lags + 1);
    let source = |name: &str, levels: bool| Source {
        name: name.to_owned(),
        levels,
    };
    for (variable, regressor) in regressors.iter().enumerate() {
        let of = source(&regressor.name, false);
        let Some(nearest) = regressor.first_lag else {
            all.push((Instrument::Own(variable), of));
            continue;
        };
        let furthest = |period: usize| {
            model
                .instrument_lags
                .map_or(period, |count| (nearest + count - 1).min(period))
        };
        if model.collapsed {
            all.extend(
                (nearest..=furthest(periods - 1))
                    .map(|lag| (Instrument::Level(variable, lag, None), of.clone())),
            );
        } else {
            for period in first..periods {
                let each = (nearest..=furthest(period))
                    .map(|lag| (Instrument::Level(variable, lag, Some(period)), of.clone()));
                all.extend(each);
            }
        }
        if model.levels {
            // Further differences are implied by these and the levels above.
            let lag = nearest - 1;
            let of = source(&regressor.name, true);
            if model.collapsed {
                all.push((Instrument::Difference(variable, lag, None), of));
            } else {
                let each = (lags.max(lag + 1)..periods).map(|period| {
                    let instrument = Instrument::Difference(variable, lag, Some(period));
                    (instrument, of.clone())
                });
                all.extend(each);
            }
        }
    }
    let of = source(&model.period, false);
    all.extend((effects.iter()).map(|effect| (Instrument::Period(*effect), of.clone())));
    if model.levels {
        all.push((Instrument::Constant, source("(Intercept)", true)));
    }
    all
}
