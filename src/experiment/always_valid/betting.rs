//! The confidence sequence of a bounded mean by betting against every value that it could have.

use super::mean::{check_bounds, check_null, check_values};
use super::track::{ConfidenceLook, Statement, Track, sequence};
use crate::error::{Error, Result, Warning};
use serde::{Deserialize, Serialize};
use std::f64::consts::LN_2;

/// Cells of the grid of means.
const CELLS: usize = 1_000;

/// Cells at most: each costs time at every row.
const MOST_CELLS: usize = 1_000_000;

/// The share of what may be lost that a bet puts at stake.
const STAKE: f64 = 0.5;

/// The hedged-capital confidence sequence of the mean of rows with values in `[a, b]` and, given the rows before, mean μ. On the unit interval,
/// for each m a gambler bets that μ > m and another that μ < m, with stakes known before each row:
///
/// `K⁺(m) = Π {1 + λ⁺ᵢ(m) (xᵢ − m)}`, `K⁻(m) = Π {1 − λ⁻ᵢ(m) (xᵢ − m)}`, `λ⁺ = min(λ, c/m)`, `λ⁻ = min(λ, c/(1 − m))`,
///
/// `λᵢ = √{2 ln(2/α)/(σ̂²ᵢ₋₁ i ln(1 + i))}`, `σ̂²ᵢ = {¼ + Σⱼ≤ᵢ (xⱼ − μ̂ⱼ)²}/(i + 1)`, `μ̂ᵢ = (½ + Σⱼ≤ᵢ xⱼ)/(i + 1)`, c = ½.
///
/// At m = μ both capitals are martingales, so the set of m where `max(K⁺, K⁻)/2` never reached 1/α covers μ at all times with probability 1 − α.
/// It adapts to the variance, and is narrower than empirical Bernstein; it needs **the rows in the order in which they came**
/// (any order that does not depend on the values), which no sums can replace: use [`MeanSequence::bounded`](super::MeanSequence::bounded) where only sums are there.
///
/// The set is kept on a grid of means, outer ends, so that it is wider than the exact one by at most a cell on each side. Its intervals never widen: where no
/// point of the grid is left, the cell that was left last stays, with a warning. The state has a fixed size, but for its looks.
///
/// | name | default | meaning | range |
/// |---|---|---|---|
/// | `level` | 0.95 | confidence of the whole sequence | (0, 1) |
/// | `null` | the middle of the bounds | value that the p-value tests | inside the bounds |
/// | `cells` | 1 000 | cells of the grid | 2 to 1 000 000 |
///
/// # Errors
/// [`Error::OutOfRange`] for a value outside the bounds, with its row in the block; [`Error::InvalidOption`] for bounds out of order, a null value
/// outside them, and options set after a look.
///
/// # References
/// Waudby-Smith, I. & Ramdas, A. (2024). Estimating means of bounded random variables by betting. *JRSS B* 86(1), 1–27. doi:10.1093/jrsssb/qkad009
///
/// # Examples
/// ```
/// use cocreate::prelude::*;
/// let mut share = BettingSequence::new(0.0, 1.0)?;
/// let rows: Vec<f64> = (0..500).map(|i| f64::from(i % 10 == 0)).collect();
/// share.observe("first day", &rows)?;
/// let set = share.interval();
/// assert!(0.06 < set.lower && set.lower < 0.1 && 0.1 < set.upper && set.upper < 0.16);
/// assert!(share.p_value() < 1e-9);
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BettingSequence {
    track: Track,
    lower: f64,
    upper: f64,
    rows: u64,
    /// Σ x and ¼ + Σ (x − μ̂)² on the unit interval.
    sum: f64,
    squares: f64,
    /// Capitals of the two gamblers at the points of the grid that are left.
    more: Vec<f64>,
    less: Vec<f64>,
    /// The points that are left, first and past the last.
    left: [usize; 2],
    /// Logarithms of the capitals at the null value.
    null_capital: [f64; 2],
    /// The largest hedged capital at the null value.
    best: f64,
}

sequence!(BettingSequence);

impl BettingSequence {
    /// Values within these bounds.
    ///
    /// # Errors
    /// See [`BettingSequence`].
    pub fn new(lower: f64, upper: f64) -> Result<Self> {
        check_bounds(lower, upper)?;
        let mut track = Track::new("mean");
        track.null = f64::midpoint(lower, upper);
        Self {
            track,
            lower,
            upper,
            rows: 0,
            sum: 0.0,
            squares: 0.25,
            more: vec![],
            less: vec![],
            left: [0, 0],
            null_capital: [0.0; 2],
            best: -LN_2,
        }
        .cells(CELLS)
    }

    /// Cells of the grid of means.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] below two or above a million, and after a look.
    pub fn cells(mut self, cells: usize) -> Result<Self> {
        self.before_looks("cells", cells)?;
        if !(2..=MOST_CELLS).contains(&cells) {
            return Err(Error::invalid_option(
                "cells",
                cells,
                "from 2 to a million, e.g. 1000",
            ));
        }
        self.more = vec![1.0; cells + 1];
        self.less = vec![1.0; cells + 1];
        self.left = [0, cells + 1];
        Ok(self)
    }

    /// Takes in the rows that came since the last look, in their order.
    ///
    /// # Errors
    /// See [`BettingSequence`].
    pub fn observe(&mut self, label: impl Into<String>, values: &[f64]) -> Result<ConfidenceLook> {
        self.track.check()?;
        let label = label.into();
        check_null(self.track.null, self.lower, self.upper)?;
        check_values(values, self.lower, self.upper)?;
        let range = self.upper - self.lower;
        let null = (self.track.null - self.lower) / range;
        if values.is_empty() {
            return Err(Error::NoRows {
                reason: format!("look {label} brings no new rows; leave it out"),
            });
        }
        for value in values {
            self.bet((value - self.lower) / range, null);
        }
        let cells = (self.more.len() - 1) as f64;
        let end = |cell: f64| self.lower + range * (cell / cells).clamp(0.0, 1.0);
        let [first, past] = self.left;
        let now = Statement {
            rows: self.rows,
            estimate: self.lower + range * self.sum / self.rows as f64,
            lower: end(first as f64 - 1.0),
            upper: end(past as f64),
            log_e_value: self.null_capital[0].max(self.null_capital[1]) - LN_2,
        };
        let best = self.best;
        if first == past && self.track.notes.is_empty() {
            self.track.notes.push(Warning::Note {
                message: format!(
                    "no mean on the grid is left from look {label} on: the interval is narrower than a cell, then take more `cells`; or the mean changed over time, \
                     or the order of the rows depends on their values"
                ),
            });
        }
        let look = self.track.record(label, now);
        // Evidence between looks counts too.
        let p_value = (-best).exp().min(look.p_value);
        if let Some(last) = self.track.looks.last_mut() {
            last.p_value = p_value;
        }
        Ok(ConfidenceLook { p_value, ..look })
    }

    /// One row on the unit interval.
    fn bet(&mut self, x: f64, null: f64) {
        let alpha = self.track.alpha();
        let i = self.rows as f64 + 1.0;
        let variance = self.squares / i;
        let stake = (2.0 * (2.0 / alpha).ln() / (variance * i * i.ln_1p())).sqrt();
        let limit = 2.0 / alpha;
        let cells = (self.more.len() - 1) as f64;
        let [first, past] = self.left;
        let capitals = self.more[first..past]
            .iter_mut()
            .zip(&mut self.less[first..past]);
        for (at, (more, less)) in (first..past).zip(capitals) {
            let m = at as f64 / cells;
            *more *= 1.0 + stake.min(STAKE / m) * (x - m);
            *less *= 1.0 - stake.min(STAKE / (1.0 - m)) * (x - m);
        }
        // K⁺ falls with m and K⁻ rises, so what is ruled out lies at the ends.
        while self.left[0] < past && self.more[self.left[0]] >= limit {
            self.left[0] += 1;
        }
        while self.left[1] > self.left[0] && self.less[self.left[1] - 1] >= limit {
            self.left[1] -= 1;
        }
        self.null_capital[0] += (stake.min(STAKE / null) * (x - null)).ln_1p();
        self.null_capital[1] += (-stake.min(STAKE / (1.0 - null)) * (x - null)).ln_1p();
        self.best = self
            .best
            .max(self.null_capital[0].max(self.null_capital[1]) - LN_2);
        self.rows += 1;
        self.sum += x;
        let mean = (0.5 + self.sum) / (i + 1.0);
        self.squares += (x - mean).powi(2);
    }

    fn method(&self) -> String {
        format!(
            "Hedged betting on values in [{}, {}], rows in order, {} cells",
            self.lower,
            self.upper,
            self.more.len() - 1
        )
    }
}
