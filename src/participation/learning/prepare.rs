//! The panel as the likelihood sees it: rows by customer and period, signals counted, what is not a panel refused.

use super::LearningPanelModel;
use super::layout::Layout;
use super::likelihood::{Foresight, Learning};
use crate::data::{Frame, MISSING, Rows};
use crate::error::{Error, Result, Warning};
use crate::numeric::blocks;
use crate::regression::binary::check_binary;
use crate::regression::likelihood::Index;
use crate::summary::gram::{TILE, Tile};
use std::ops::Range;

/// With more joint values of the regressors that change, customers' law of them is not read off the sample.
pub(super) const MOST_PATTERNS: usize = 32;

/// Rows in the order of customers and periods.
#[derive(Clone, Debug)]
pub(super) struct Panel {
    pub(super) customers: Vec<Range<usize>>,
    pub(super) weights: Vec<f64>,
    /// Working regressors, row by row.
    regressors: Vec<f64>,
    pub(super) width: usize,
    /// Working regressors that change within customers, and a flag for each.
    pub(super) moving: Vec<usize>,
    pub(super) is_moving: Vec<bool>,
    /// Periods from the first.
    pub(super) periods: Vec<usize>,
    /// 1 for those who take part, else −1.
    pub(super) signs: Vec<f64>,
    /// Signals before each row.
    pub(super) signals: Vec<usize>,
    /// Their average.
    pub(super) averages: Vec<f64>,
    /// Of each customer: signals, their average, their squares around it.
    pub(super) contents: Vec<[f64; 3]>,
    /// m_0 of each customer, where it is elicited.
    pub(super) priors: Vec<f64>,
    /// The place of each row among the used rows.
    pub(super) places: Vec<usize>,
}

/// A learning panel ready for estimation.
pub(super) struct Prepared {
    pub(super) learning: Learning,
    pub(super) index: Index,
    pub(super) rows: Rows,
    pub(super) frequency: bool,
    pub(super) warnings: Vec<Warning>,
    pub(super) formula: String,
    /// The first period of the data.
    pub(super) first: f64,
}

impl Panel {
    pub(super) fn regressors(&self, row: usize) -> &[f64] {
        &self.regressors[row * self.width..(row + 1) * self.width]
    }

    /// The part of the index that changes.
    pub(super) fn changing(&self, x: &[f64], beta: &[f64]) -> f64 {
        self.moving.iter().map(|k| x[*k] * beta[*k]).sum()
    }

    /// The most signals before a decision.
    pub(super) fn most_signals(&self) -> usize {
        self.signals.iter().copied().max().unwrap_or(0)
    }

    /// Where signals lie and how they spread.
    pub(super) fn about_signals(&self) -> [f64; 2] {
        let mut sums = [0.0; 3];
        for [n, average, squares] in &self.contents {
            sums[0] += n;
            sums[1] += n * average;
            sums[2] += squares + n * average * average;
        }
        if sums[0] < 1.0 {
            return [0.0, 1.0];
        }
        let mean = sums[1] / sums[0];
        [mean, (sums[2] / sums[0] - mean * mean).max(1e-12).sqrt()]
    }
}

impl LearningPanelModel {
    pub(super) fn prepare(&self, frame: &Frame, layout: Layout) -> Result<Prepared> {
        let also = [
            Some(&self.customer),
            Some(&self.period),
            self.elicited.as_ref(),
        ];
        let also: Vec<&str> = also.into_iter().flatten().map(String::as_str).collect();
        let mut sample = (self.options).sample_with(
            frame,
            &also,
            "without fixed effects for a learning panel",
        )?;
        let rows = sample.design.rows.clone();
        check_binary(&sample.design.outcome, &rows)?;
        let index = self.options.index(frame, &mut sample)?;
        let codes = frame.groups(&self.customer)?.codes;
        let time = rows.gather(frame.numeric(&self.period)?.values());
        if let Some(i) = time
            .iter()
            .position(|t| !t.is_finite() || t.fract().abs() > 0.0)
        {
            return Err(Error::OutOfRange {
                column: self.period.clone(),
                row: rows.index(i) + 1,
                value: time[i],
                expected: "a whole number: periods are counted".to_owned(),
            });
        }
        let key = |i: &usize| (codes[rows.index(*i)], time[*i]);
        let mut places: Vec<usize> = (0..rows.len())
            .filter(|i| codes[rows.index(*i)] != MISSING)
            .collect();
        places.sort_by(|a, b| key(a).0.cmp(&key(b).0).then(key(a).1.total_cmp(&key(b).1)));
        let mut starts = vec![0];
        for k in 1..places.len() {
            let (before, now) = (key(&places[k - 1]), key(&places[k]));
            if before.0 != now.0 {
                starts.push(k);
            } else if (now.1 - before.1 - 1.0).abs() > 0.0 {
                let expected = if now.1 - before.1 < 0.5 {
                    "one row a period for each customer: this period is there twice".to_owned()
                } else {
                    format!(
                        "the period after {}: what a customer learned in the periods between is not known (a row with a missing value counts as not there)",
                        before.1
                    )
                };
                return Err(Error::OutOfRange {
                    column: self.period.clone(),
                    row: rows.index(places[k]) + 1,
                    value: now.1,
                    expected,
                });
            }
        }
        starts.push(places.len());
        let customers: Vec<Range<usize>> = starts.windows(2).map(|w| w[0]..w[1]).collect();
        if customers.iter().all(|rows| rows.len() < 2) {
            return Err(Error::Unidentified {
                what: "what customers learn, with one period a customer,".to_owned(),
                needs: "two periods or more of the same customers".to_owned(),
            });
        }
        let first = time.iter().copied().fold(f64::INFINITY, f64::min);
        let outcome = sample.design.outcome.values(&rows);
        let (regressors, width) = working(&index, &rows, &places);
        let mut panel = Panel {
            weights: vec![1.0; customers.len()],
            regressors,
            width,
            moving: vec![],
            is_moving: vec![],
            periods: places.iter().map(|i| (time[*i] - first) as usize).collect(),
            signs: (places.iter())
                .map(|i| if outcome[*i] > 0.5 { 1.0 } else { -1.0 })
                .collect(),
            signals: vec![0; places.len()],
            averages: vec![0.0; places.len()],
            contents: vec![],
            priors: vec![],
            places,
            customers,
        };
        let row_of = |place: usize| rows.index(place);
        self.read_signals(&mut panel, frame, &row_of)?;
        if let Some(column) = &self.elicited {
            let values = frame.numeric(column)?;
            panel.priors = panel.one_a_customer(column, values.values(), &row_of)?;
            let same = panel
                .priors
                .iter()
                .all(|m| (m - panel.priors[0]).abs() <= 0.0);
            if same && !layout.seen() {
                return Err(Error::Unidentified {
                    what: format!(
                        "what beliefs count, where `{column}` is the same for all customers,"
                    ),
                    needs: "prior means that differ, or a model without them".to_owned(),
                });
            }
        }
        if let Some(weights) = &sample.weights {
            let mut all = vec![0.0; rows.total()];
            (weights.iter().enumerate()).for_each(|(i, w)| all[rows.index(i)] = *w);
            panel.weights = panel.one_a_customer("weights", &all, &row_of)?;
        }
        panel.is_moving = (0..width)
            .map(|k| {
                let mut all = panel.customers.iter();
                all.any(|r| {
                    let value = |row: usize| panel.regressors(row)[k];
                    r.clone()
                        .any(|row| (value(row) - value(r.start)).abs() > 0.0)
                })
            })
            .collect();
        panel.moving = (0..width).filter(|k| panel.is_moving[*k]).collect();
        if panel.most_signals() < 2 {
            return Err(Error::Unidentified {
                what: "what a signal tells, where nobody is seen after taking part twice,"
                    .to_owned(),
                needs: "customers who take part more often, or more periods".to_owned(),
            });
        }
        let foresight = self.foresight(&panel)?;
        Ok(Prepared {
            learning: Learning {
                panel,
                layout,
                foresight,
            },
            index,
            rows,
            frequency: sample.frequency,
            warnings: sample.warnings,
            formula: sample.parsed.to_string(),
            first,
        })
    }

    /// Counts signals, and reads what they say.
    fn read_signals(
        &self,
        panel: &mut Panel,
        frame: &Frame,
        row_of: &impl Fn(usize) -> usize,
    ) -> Result<()> {
        let told = match &self.signals {
            Some(column) => Some((column, frame.numeric(column)?)),
            None => None,
        };
        for customer in &panel.customers {
            let (mut n, mut mean, mut squares) = (0_usize, 0.0, 0.0);
            for k in customer.clone() {
                (panel.signals[k], panel.averages[k]) = (n, mean);
                let takes_part = panel.signs[k] > 0.0;
                if let Some((column, values)) = &told {
                    let row = row_of(panel.places[k]);
                    let signal = values.values()[row];
                    let refuse = |expected: &str| Error::OutOfRange {
                        column: (*column).clone(),
                        row: row + 1,
                        value: signal,
                        expected: expected.to_owned(),
                    };
                    if signal.is_infinite() {
                        return Err(Error::Infinite {
                            column: (*column).clone(),
                            row: row + 1,
                        });
                    }
                    if takes_part && signal.is_nan() {
                        return Err(refuse(
                            "the signal of a customer who takes part; where contents are not seen, leave LearningPanelModel::signals_seen out",
                        ));
                    }
                    if !takes_part && !signal.is_nan() {
                        return Err(refuse(
                            "a missing value: the customer does not take part in this period, and gets no signal",
                        ));
                    }
                    if takes_part {
                        let gap = signal - mean;
                        mean += gap / (n + 1) as f64;
                        squares += gap * (signal - mean);
                    }
                }
                n += usize::from(takes_part);
            }
            panel.contents.push([n as f64, mean, squares]);
        }
        Ok(())
    }

    /// What customers who look ahead know of their future.
    fn foresight(&self, panel: &Panel) -> Result<Option<Foresight>> {
        let periods = panel.periods.iter().max().map_or(0, |t| t + 1);
        let horizon = self.horizon.unwrap_or(periods);
        if horizon < periods {
            return Err(Error::invalid_option(
                "horizon",
                horizon,
                format!("the {periods} periods of the data or more"),
            ));
        }
        let Some(discount) = self.discount.filter(|d| *d > 0.0) else {
            return Ok(None);
        };
        let mut patterns: Vec<(Vec<f64>, f64)> = vec![];
        let mut total = 0.0;
        for (customer, weight) in panel.customers.iter().zip(&panel.weights) {
            for row in customer.clone() {
                let x = panel.regressors(row);
                let same = |known: &(Vec<f64>, f64)| {
                    panel
                        .moving
                        .iter()
                        .all(|k| (known.0[*k] - x[*k]).abs() <= 0.0)
                };
                match patterns.iter_mut().find(|known| same(known)) {
                    Some(known) => known.1 += weight,
                    None => patterns.push((x.to_vec(), *weight)),
                }
                total += weight;
                if patterns.len() > MOST_PATTERNS {
                    return Err(Error::invalid_option(
                        "formula",
                        self.options.formula.clone(),
                        format!(
                            "regressors that take at most {MOST_PATTERNS} joint values over periods, for customers who look ahead: they know with which chances each comes (group them)"
                        ),
                    ));
                }
            }
        }
        for (_, p) in &mut patterns {
            *p /= total;
        }
        Ok(Some(Foresight {
            horizon,
            discount,
            patterns,
        }))
    }
}

impl Panel {
    /// A number of each customer that all their rows must share.
    fn one_a_customer(
        &self,
        column: &str,
        values: &[f64],
        row_of: &impl Fn(usize) -> usize,
    ) -> Result<Vec<f64>> {
        let at = |k: usize| (row_of(self.places[k]), values[row_of(self.places[k])]);
        let mut found = Vec::with_capacity(self.customers.len());
        for customer in &self.customers {
            let (row, first) = at(customer.start);
            if first.is_infinite() {
                return Err(Error::Infinite {
                    column: column.to_owned(),
                    row: row + 1,
                });
            }
            if let Some(k) = customer.clone().find(|k| (at(*k).1 - first).abs() > 0.0) {
                return Err(Error::OutOfRange {
                    column: column.to_owned(),
                    row: at(k).0 + 1,
                    value: at(k).1,
                    expected: format!("{first}, as in row {}: one number a customer", row + 1),
                });
            }
            found.push(first);
        }
        Ok(found)
    }
}

/// The working regressors of these rows, row by row.
fn working(index: &Index, rows: &Rows, places: &[usize]) -> (Vec<f64>, usize) {
    let width = index.parameters();
    let point = vec![0.0; width];
    let mut all = vec![0.0; rows.len() * width];
    let mut tile = Tile::new(width);
    for range in blocks::ranges(rows.len(), TILE) {
        let mut eta = [0.0; TILE];
        let len = range.len();
        index.fill(rows, range.clone(), &point, &mut tile, 0, &mut eta[..len]);
        for k in 0..width {
            for (i, x) in range.clone().zip(tile.column(k)) {
                all[i * width + k] = *x;
            }
        }
    }
    let rows = places.iter().map(|i| &all[i * width..(i + 1) * width]);
    (rows.flatten().copied().collect(), width)
}
