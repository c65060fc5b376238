//! Rows as the periods they were watched, without writing the periods out.

use super::super::outcome::{Sample, Survival};
use super::super::regressors::Regressors;
use super::{Baseline, HazardLink};
use crate::error::{Error, Result, Warning};
use nalgebra::DMatrix;
use std::f64::consts::LN_2;

/// More periods than this are a slip of units (days for months).
const MOST_PERIODS: f64 = 10_000.0;

/// A function of the index with two derivatives.
pub(super) type Jet = [f64; 3];

impl HazardLink {
    /// The log-likelihood of one period at index `h`, and its derivatives.
    pub(super) fn period(self, h: f64, event: bool) -> Jet {
        match self {
            Self::Logit => {
                let p = 1.0 / (1.0 + (-h).exp());
                let log = h.max(0.0) + (-h.abs()).exp().ln_1p();
                let y = f64::from(u8::from(event));
                [if event { h } else { 0.0 } - log, y - p, -p * (1.0 - p)]
            }
            Self::Cloglog => {
                let e = h.exp();
                if !event {
                    return [-e; 3];
                }
                // ln(1 − exp(−e)); its slope is e/(exp(e) − 1).
                let slope = if e > 0.0 { e / e.exp_m1() } else { 1.0 };
                let slope = if slope.is_finite() { slope } else { 0.0 };
                let value = if e < LN_2 {
                    (-(-e).exp_m1()).ln()
                } else {
                    (-(-e).exp()).ln_1p()
                };
                [value, slope, slope * (1.0 - e - slope)]
            }
        }
    }
}

/// The periods of all rows.
pub(super) struct Cells<'a> {
    pub(super) sample: &'a Sample,
    pub(super) link: HazardLink,
    /// First and last period of each row, from 0, as indices into the basis.
    pub(super) first: Vec<usize>,
    pub(super) last: Vec<usize>,
    /// The baseline's regressors in each period; none where the period says nothing.
    pub(super) basis: Vec<Option<Vec<f64>>>,
    pub(super) baseline_names: Vec<String>,
    /// Which of the baseline's parameters is a constant: what centring the regressors takes off is added to it.
    pub(super) constants: Vec<bool>,
}

impl<'a> Cells<'a> {
    pub(super) fn new(
        outcome: &Survival,
        sample: &'a Sample,
        link: HazardLink,
        baseline: Baseline,
        warnings: &mut Vec<Warning>,
    ) -> Result<Self> {
        let spells = &sample.spells;
        let whole = |values: &[f64], column: &str, least: f64| -> Result<Vec<usize>> {
            let bad = |v: &f64| !(v.fract().abs() <= 0.0 && *v >= least && *v <= MOST_PERIODS);
            if let Some(i) = values.iter().position(bad) {
                return Err(Error::OutOfRange {
                    column: column.to_owned(),
                    row: sample.design.rows.index(i) + 1,
                    value: values[i],
                    expected: format!(
                        "a whole number of periods from {least} to {MOST_PERIODS}; round times up to periods first"
                    ),
                });
            }
            Ok(values.iter().map(|v| *v as usize).collect())
        };
        let last: Vec<usize> = whole(&spells.stop, outcome.stop_column(), 1.0)?
            .iter()
            .map(|t| t - 1)
            .collect();
        let first = match (&spells.start, outcome.start_column()) {
            (Some(start), Some(column)) => whole(start, column, 0.0)?,
            _ => vec![0; last.len()],
        };
        let periods = last.iter().max().map_or(0, |t| t + 1);
        let (mut events, mut at_risk) = (vec![0_usize; periods], vec![0_usize; periods]);
        for i in 0..last.len() {
            at_risk[first[i]..=last[i]].iter_mut().for_each(|n| *n += 1);
            events[last[i]] += usize::from(spells.event[i]);
        }
        let (basis, baseline_names, constants) = match baseline {
            Baseline::Periods => by_period(&events, &at_risk, warnings),
            Baseline::Polynomial(degree) => polynomial(periods, degree)?,
        };
        Ok(Self {
            sample,
            link,
            first,
            last,
            basis,
            baseline_names,
            constants,
        })
    }

    pub(super) fn baseline(&self) -> usize {
        self.baseline_names.len()
    }

    /// The baseline's share of the index in each period; NaN where it says nothing.
    pub(super) fn offsets(&self, point: &[f64]) -> Vec<f64> {
        self.basis
            .iter()
            .map(|b| {
                b.as_ref()
                    .map_or(f64::NAN, |b| b.iter().zip(point).map(|(b, a)| a * b).sum())
            })
            .collect()
    }

    /// Calls back with period and event of each cell of a row that says something.
    pub(super) fn each(&self, row: usize, mut visit: impl FnMut(usize, bool)) {
        for t in self.first[row]..=self.last[row] {
            if self.basis[t].is_some() {
                visit(t, self.sample.spells.event[row] && t == self.last[row]);
            }
        }
    }

    /// From standardised to own units, with `after` further parameters.
    pub(super) fn own_units(&self, regressors: &Regressors, after: usize) -> DMatrix<f64> {
        let (q, p) = (self.baseline(), regressors.count());
        let mut map = DMatrix::identity(q + p + after, q + p + after);
        for j in 0..p {
            map[(q + j, q + j)] = 1.0 / regressors.spreads[j];
            for c in (0..q).filter(|c| self.constants[*c]) {
                map[(c, q + j)] = -regressors.means[j] / regressors.spreads[j];
            }
        }
        map
    }
}

type Basis = (Vec<Option<Vec<f64>>>, Vec<String>, Vec<bool>);

/// A parameter for each period in which some had the event and some had not.
fn by_period(events: &[usize], at_risk: &[usize], warnings: &mut Vec<Warning>) -> Basis {
    let says: Vec<bool> = events
        .iter()
        .zip(at_risk)
        .map(|(d, n)| *d > 0 && d < n)
        .collect();
    let silent: Vec<String> = (0..says.len())
        .filter(|t| !says[*t] && at_risk[*t] > 0)
        .map(|t| (t + 1).to_string())
        .collect();
    if !silent.is_empty() {
        warnings.push(Warning::Note {
            message: format!(
                "in period {} nobody, or everybody at risk, had the event: its hazard is 0 or 1 for all, and it is left out of the likelihood",
                silent.join(", ")
            ),
        });
    }
    let kept: Vec<usize> = (0..says.len()).filter(|t| says[*t]).collect();
    let basis = (0..says.len())
        .map(|t| says[t].then(|| kept.iter().map(|k| f64::from(u8::from(*k == t))).collect()))
        .collect();
    let names = kept.iter().map(|t| format!("period[{}]", t + 1)).collect();
    (basis, names, vec![true; kept.len()])
}

/// Powers of the log of the period.
fn polynomial(periods: usize, degree: usize) -> Result<Basis> {
    const HIGHEST: usize = 6;
    if degree > HIGHEST {
        return Err(Error::invalid_option(
            "baseline",
            format!("a polynomial of degree {degree}"),
            format!("of degree 0 to {HIGHEST}"),
        ));
    }
    let power = |t: usize, k: usize| ((t + 1) as f64).ln().powf(k as f64);
    let basis = (0..periods)
        .map(|t| Some((0..=degree).map(|k| power(t, k)).collect()))
        .collect();
    let names = (0..=degree).map(|k| match k {
        0 => "(Intercept)".to_owned(),
        1 => "ln(period)".to_owned(),
        k => format!("ln(period)^{k}"),
    });
    let constants = (0..=degree).map(|k| k == 0).collect();
    Ok((basis, names.collect(), constants))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn derivatives_of_a_period_are_right_in_the_tails_too() {
        for link in [HazardLink::Logit, HazardLink::Cloglog] {
            for event in [true, false] {
                for h in [-30.0, -4.0, -0.5, 0.3, 2.0] {
                    let step = 1e-5;
                    let (low, high) = (link.period(h - step, event), link.period(h + step, event));
                    for k in 0..2 {
                        let slope = (high[k] - low[k]) / (2.0 * step);
                        let found = link.period(h, event)[k + 1];
                        assert!(
                            (slope - found).abs() < 1e-6 * (1.0 + slope.abs()),
                            "{link} {event} {h} {k}: {slope} {found}"
                        );
                    }
                }
            }
        }
    }
}
