//! The rows of each unit, differenced and in levels, with their regressors and instruments.

use super::estimator::DynamicPanelGmm;
use crate::causal::panel::Panel;
use crate::error::{Error, Result};
use nalgebra::{DMatrix, DVector};

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

/// One unit's rows: first the differenced ones.
pub(super) struct Block {
    pub(super) y: DVector<f64>,
    pub(super) x: DMatrix<f64>,
    pub(super) z: DMatrix<f64>,
    /// The period of each row.
    pub(super) periods: Vec<usize>,
    pub(super) differenced: usize,
}

/// All units' rows.
pub(super) struct Equations {
    pub(super) blocks: Vec<Block>,
    pub(super) names: Vec<String>,
    pub(super) units: usize,
    /// Differenced rows.
    pub(super) rows: usize,
}

/// An instrument: which rows it is for, and its value there.
enum Instrument {
    /// The level of a variable some periods ago, in differenced rows (of one period, when not collapsed).
    Level(usize, usize, Option<usize>),
    /// The difference of a variable some periods ago, in rows in levels.
    Difference(usize, usize, Option<usize>),
    /// A variable itself, differenced in differenced rows.
    Own(usize),
    /// The effect of a period, differenced in differenced rows.
    Period(usize),
    /// One in rows in levels.
    Constant,
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

    /// A value in levels or differenced.
    fn value(&self, difference: bool, variable: usize, unit: usize, period: Option<usize>) -> f64 {
        if difference {
            self.change(variable, unit, period)
        } else {
            self.at(variable, unit, period)
        }
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
        let instruments = instruments(model, regressors, periods, &effects);
        let dummy = |difference: bool, effect: usize, period: usize| {
            let now = f64::from(u8::from(effect == period));
            let then = f64::from(u8::from(effect + 1 == period));
            if difference { now - then } else { now }
        };
        let mut blocks = Vec::new();
        let mut rows = 0;
        for unit in 0..panel.units.len() {
            let mut kept = Vec::new();
            for difference in [true, false] {
                let from = if difference { first } else { lags };
                if !difference && !model.levels {
                    continue;
                }
                for period in from..periods {
                    let value = |variable: usize, lag: usize| {
                        cells.value(difference, variable, unit, period.checked_sub(lag))
                    };
                    let y = value(0, 0);
                    let mut x: Vec<f64> = (1..=lags).map(|lag| value(0, lag)).collect();
                    x.extend((1..regressors.len()).map(|variable| value(variable, 0)));
                    if y.is_nan() || x.iter().any(|x| x.is_nan()) {
                        continue;
                    }
                    x.extend(
                        effects
                            .iter()
                            .map(|effect| dummy(difference, *effect, period)),
                    );
                    if model.levels {
                        x.push(f64::from(u8::from(!difference)));
                    }
                    let z: Vec<f64> = (instruments.iter())
                        .map(|instrument| {
                            let of = |only: &Option<usize>| only.is_none_or(|only| only == period);
                            let value = match instrument {
                                Instrument::Level(variable, lag, only)
                                    if difference && of(only) =>
                                {
                                    cells.at(*variable, unit, period.checked_sub(*lag))
                                }
                                Instrument::Difference(variable, lag, only)
                                    if !difference && of(only) =>
                                {
                                    cells.change(*variable, unit, period.checked_sub(*lag))
                                }
                                Instrument::Own(variable) => {
                                    cells.value(difference, *variable, unit, Some(period))
                                }
                                Instrument::Period(effect) => dummy(difference, *effect, period),
                                Instrument::Constant if !difference => 1.0,
                                _ => 0.0,
                            };
                            if value.is_nan() { 0.0 } else { value }
                        })
                        .collect();
                    kept.push((difference, period, y, x, z));
                }
            }
            if kept.is_empty() {
                continue;
            }
            let differenced = kept.iter().filter(|row| row.0).count();
            rows += differenced;
            blocks.push(Block {
                y: DVector::from_fn(kept.len(), |row, _| kept[row].2),
                x: DMatrix::from_fn(kept.len(), names.len(), |row, column| kept[row].3[column]),
                z: DMatrix::from_fn(kept.len(), instruments.len(), |row, column| {
                    kept[row].4[column]
                }),
                periods: kept.iter().map(|row| row.1).collect(),
                differenced,
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
        })
    }
}

impl Block {
    /// The covariance of two rows when errors are independent with variance one: `(h)` of differences is 2 and −1, of a difference and a level ±1.
    pub(super) fn shape(&self, a: usize, b: usize) -> f64 {
        let weight = |row: usize, period: usize| -> f64 {
            let own = self.periods[row];
            if own == period {
                1.0
            } else if row < self.differenced && own == period + 1 {
                -1.0
            } else {
                0.0
            }
        };
        let own = self.periods[a];
        let before = own
            .checked_sub(1)
            .map_or(0.0, |t| weight(a, t) * weight(b, t));
        weight(a, own) * weight(b, own) + before
    }
}

fn instruments(
    model: &DynamicPanelGmm,
    regressors: &[Regressor],
    periods: usize,
    effects: &[usize],
) -> Vec<Instrument> {
    let mut all = Vec::new();
    let (lags, first) = (model.outcome_lags, model.outcome_lags + 1);
    for (variable, regressor) in regressors.iter().enumerate() {
        let Some(nearest) = regressor.first_lag else {
            all.push(Instrument::Own(variable));
            continue;
        };
        let furthest = |period: usize| {
            model
                .instrument_lags
                .map_or(period, |count| (nearest + count - 1).min(period))
        };
        if model.collapsed {
            all.extend(
                (nearest..=furthest(periods - 1)).map(|lag| Instrument::Level(variable, lag, None)),
            );
        } else {
            for period in first..periods {
                let each = (nearest..=furthest(period))
                    .map(|lag| Instrument::Level(variable, lag, Some(period)));
                all.extend(each);
            }
        }
        if model.levels {
            // Further differences are implied by these and the levels above.
            let lag = nearest - 1;
            if model.collapsed {
                all.push(Instrument::Difference(variable, lag, None));
            } else {
                let of = |period| Instrument::Difference(variable, lag, Some(period));
                all.extend((lags.max(lag + 1)..periods).map(of));
            }
        }
    }
    all.extend(effects.iter().map(|effect| Instrument::Period(*effect)));
    if model.levels {
        all.push(Instrument::Constant);
    }
    all
}
