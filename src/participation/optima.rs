//! Several searches for the maximum of a likelihood from different starts, and a report of what they found.

use crate::data::Rows;
use crate::error::{Error, Result, Warning};
use crate::numeric::Progress;
use crate::regression::likelihood::{Likelihood, Maximum, Order, maximize_within};
use crate::report::{Cell, Table};
use serde::{Deserialize, Serialize};
use std::cell::RefCell;
use std::fmt;
use std::sync::Arc;

/// With more rows than this the searches use a part of them, and only what they found is improved on all rows.
const ROWS_OF_SEARCH: usize = 5_000;

/// A search that has not converged by then creeps towards a bound; those that find a maximum need five to thirty iterations.
const MOST_ITERATIONS: usize = 50;

/// A maximum this much lower on the part is not tried on all rows: its odds are e⁻²⁰ there already.
const HOPELESS: f64 = 20.0;

/// Points closer than this in standardised parameters are one optimum.
const SAME_POINT: f64 = 1e-2;

/// Likelihoods closer than this are equal up to rounding and tolerance of the search.
const SAME_VALUE: f64 = 1e-5;

/// How one search ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Search {
    /// Where it began.
    pub start: String,
    /// The log-likelihood that it reached, on the rows of the searches.
    pub log_likelihood: f64,
    /// The optimum that it found, counted from 1 (the highest); none when it found no inner maximum.
    pub optimum: Option<usize>,
    /// Why it found none.
    pub failure: Option<String>,
}

/// What searches from several starts found: a likelihood that is not concave may have several maxima, of which the highest is
/// reported.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Optima {
    /// The searches in the order of their starts.
    pub searches: Vec<Search>,
    /// Rows that the searches used; with fewer than all, what they found was improved on all rows.
    pub rows: usize,
    /// Distinct maxima.
    pub distinct: usize,
}

impl Optima {
    /// The searches as a table.
    pub fn table(&self) -> Table {
        const DIGITS: usize = 9;
        let mut table = Table::new("Searches for the maximum").columns([
            "start",
            "Log-likelihood",
            "Optimum",
            "Remark",
        ]);
        for search in &self.searches {
            table = table.row([
                Cell::from(search.start.as_str()),
                Cell::significant(search.log_likelihood, DIGITS),
                match search.optimum {
                    Some(number) => Cell::count(number),
                    None => Cell::from(""),
                },
                Cell::from(search.failure.as_deref().unwrap_or("")),
            ]);
        }
        table.note(format!(
            "{} distinct, found on {} rows",
            self.distinct,
            Cell::count(self.rows)
        ))
    }

    /// The table as HTML.
    pub fn to_html(&self) -> String {
        self.table().to_html()
    }

    /// The report in a line.
    pub(super) fn note(&self) -> String {
        let reached = self
            .searches
            .iter()
            .filter(|s| s.optimum == Some(1))
            .count();
        format!(
            "{reached} of {} starts lead to this maximum; {} distinct",
            self.searches.len(),
            self.distinct
        )
    }
}

impl fmt::Display for Optima {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.table().fmt(f)
    }
}

crate::report::notebook!(Optima);

/// A start with its description.
pub(super) struct Start {
    pub(super) name: String,
    pub(super) point: Vec<f64>,
}

/// The highest maximum from several starts, with the report. `refuse` has the error for a point where a parameter runs to a bound
/// of its range; it is returned when no search ends elsewhere.
pub(super) fn highest(
    likelihood: &Likelihood,
    starts: Vec<Start>,
    what: &str,
    refuse: impl Fn(&[f64]) -> Option<Error>,
    warnings: &mut Vec<Warning>,
    progress: &Progress,
) -> Result<(Maximum, Optima)> {
    let part = a_part(likelihood);
    let searched = part.as_ref().unwrap_or(likelihood);
    let attempt = |on: &Likelihood, start: Vec<f64>| {
        let last = RefCell::new(start.clone());
        let refuse = |point: &[f64]| {
            *last.borrow_mut() = point.to_vec();
            refuse(point)
        };
        let found = maximize_within(MOST_ITERATIONS, on, start, what, refuse, progress);
        (found, last.into_inner())
    };
    let mut found: Vec<Maximum> = Vec::new();
    let mut searches: Vec<(Search, Option<usize>)> = Vec::new();
    let mut first_error = None;
    for start in starts {
        let (result, last) = attempt(searched, start.point);
        match result {
            Ok(maximum) => {
                let known = found.iter().position(|other| is_same(other, &maximum));
                let value = maximum.sums.value;
                let at = known.unwrap_or_else(|| {
                    found.push(maximum);
                    found.len() - 1
                });
                searches.push((
                    Search {
                        start: start.name,
                        log_likelihood: value,
                        optimum: None,
                        failure: None,
                    },
                    Some(at),
                ));
            }
            Err(Error::Cancelled { what }) => return Err(Error::Cancelled { what }),
            Err(error) => {
                searches.push((
                    Search {
                        start: start.name,
                        log_likelihood: searched.pass(&last, Order::Value, 1).value,
                        optimum: None,
                        failure: Some(error.to_string()),
                    },
                    None,
                ));
                first_error.get_or_insert(error);
            }
        }
    }
    // From the highest to the lowest; ties keep the order of the starts.
    let mut order: Vec<usize> = (0..found.len()).collect();
    order.sort_by(|a, b| found[*b].sums.value.total_cmp(&found[*a].sums.value));
    let (rows, distinct) = (searched.rows.len(), found.len());
    for (search, at) in &mut searches {
        search.optimum = at.and_then(|at| order.iter().position(|o| *o == at).map(|p| p + 1));
    }
    let searches: Vec<Search> = searches.into_iter().map(|(search, _)| search).collect();
    let mut best: Option<Maximum> = None;
    if part.is_some() {
        let top = order.first().map_or(0.0, |at| found[*at].sums.value);
        order.retain(|at| found[*at].sums.value > top - HOPELESS);
        for at in order {
            let (result, _) = attempt(likelihood, found[at].point.clone());
            match result {
                Ok(maximum) => {
                    let higher = best
                        .as_ref()
                        .is_none_or(|b| maximum.sums.value > b.sums.value);
                    if higher {
                        best = Some(maximum);
                    }
                }
                Err(error) => {
                    first_error.get_or_insert(error);
                }
            }
        }
    } else if let Some(at) = order.first() {
        best = Some(found.swap_remove(*at));
    }
    let Some(best) = best else {
        return Err(first_error.unwrap_or_else(|| {
            Error::invalid_option("starts", "none", "at least one start of the search")
        }));
    };
    warn(&searches, distinct, warnings);
    let optima = Optima {
        searches,
        rows,
        distinct,
    };
    Ok((best, optima))
}

/// Says when the answer depends on where the search begins, or when it is better at a bound.
pub(super) fn warn(searches: &[Search], distinct: usize, warnings: &mut Vec<Warning>) {
    if distinct > 1 {
        warnings.push(Warning::Note {
            message: format!(
                "the likelihood has {distinct} maxima; the highest is reported (see the report of the searches)"
            ),
        });
    }
    let top = searches
        .iter()
        .filter(|s| s.optimum == Some(1))
        .map(|s| s.log_likelihood)
        .fold(f64::NEG_INFINITY, f64::max);
    let bound = searches
        .iter()
        .find(|s| s.optimum.is_none() && s.log_likelihood > top + SAME_VALUE);
    if let Some(search) = bound {
        warnings.push(Warning::Note {
            message: format!(
                "the search from {} reached a higher log-likelihood ({:.4}) without an inner maximum: the reported one may not be the best",
                search.start, search.log_likelihood
            ),
        });
    }
}

fn is_same(a: &Maximum, b: &Maximum) -> bool {
    let near = a
        .point
        .iter()
        .zip(&b.point)
        .all(|(a, b)| (a - b).abs() < SAME_POINT * a.abs().max(1.0));
    near && (a.sums.value - b.sums.value).abs() < SAME_VALUE * a.sums.value.abs().max(1.0)
}

/// Every so-many-th row of a large sample.
fn a_part(likelihood: &Likelihood) -> Option<Likelihood> {
    let n = likelihood.rows.len();
    if n <= ROWS_OF_SEARCH {
        return None;
    }
    let stride = n.div_ceil(ROWS_OF_SEARCH);
    let keep: Vec<bool> = (0..n).map(|i| i % stride == 0).collect();
    Some(restricted(likelihood, &keep))
}

/// The likelihood of some of its rows.
pub(super) fn restricted(likelihood: &Likelihood, keep: &[bool]) -> Likelihood {
    let rows: Rows = likelihood.rows.retain(keep);
    let weights = likelihood.weights.as_ref().map(|w| {
        let kept = w.iter().zip(keep).filter(|(_, k)| **k);
        Arc::new(kept.map(|(w, _)| *w).collect::<Vec<f64>>())
    });
    Likelihood {
        rows,
        weights,
        ..likelihood.clone()
    }
}
