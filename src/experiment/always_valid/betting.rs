//! The confidence sequence of a bounded mean by betting against every value that it could have.

use super::mean::{check_bounds, check_null, check_values};
use super::track::{ConfidenceLook, Statement, Track, sequence, sided};
use crate::error::{Error, Result, Warning};
use crate::inference::Alternative;
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
/// `λᵢ = √{2 ln(1/α′)/(σ̂²ᵢ₋₁ i ln(1 + i))}`, `σ̂²ᵢ = {¼ + Σⱼ≤ᵢ (xⱼ − μ̂ⱼ)²}/(i + 1)`, `μ̂ᵢ = (½ + Σⱼ≤ᵢ xⱼ)/(i + 1)`, c = ½, α′ = α/2, or α on one side.
///
/// At m = μ both capitals are martingales, so the set of m where `max(K⁺, K⁻)/2` never reached 1/α covers μ at all times with probability 1 − α.
/// One side alone takes one gambler, whose capital is a supermartingale for every mean up to m: with [`Alternative::Greater`] `K⁺(m)` tests `μ ≤ m`, and the m where it never reached
/// 1/α have a lower end; with [`Alternative::Less`] `K⁻(m)` tests `μ ≥ m`. The conditional means of the rows may then differ, as long as all are on that side.
///
/// It adapts to the variance, and is narrower than empirical Bernstein; it needs **the rows in the order in which they came**
/// (any order that does not depend on the values), which no sums can replace: use [`MeanSequence::bounded`](super::MeanSequence::bounded) where only sums are there.
///
/// **Two arms.** [`difference`](Self::difference) is the sequence of the difference of the arms' means when each row was assigned at random, with a probability π of treatment that is known. It bets on
///
/// `φᵢ = (yᵢ − ŷᵢ) {Aᵢ/π − (1 − Aᵢ)/(1 − π)}`, `ŷᵢ = {½(a + b) + Σⱼ<ᵢ yⱼ}/i`,
///
/// whose mean, given the rows before, is the difference whatever the prediction ŷ, and whose values lie within `±(b − a)/min(π, 1 − π)`. Rows that come in pairs, one of each arm, have differences
/// in `[a − b, b − a]`: give those to [`new`](Self::new).
///
/// The set is kept on a grid of means, outer ends, so that it is wider than the exact one by at most a cell on each side. Its intervals never widen: where no
/// point of the grid is left, the cell that was left last stays, with a warning. The state has a fixed size, but for its looks.
///
/// | name | default | meaning | range |
/// |---|---|---|---|
/// | `level` | 0.95 | confidence of the whole sequence | (0, 1), one-sided (½, 1) |
/// | `null` | the middle of the bounds; no difference | value that the p-value tests | inside the bounds |
/// | `alternative` | two-sided | side of test and interval | |
/// | `cells` | 1 000 | cells of the grid | 2 to 1 000 000 |
///
/// # Errors
/// [`Error::OutOfRange`] for a value outside the bounds, with its row in the block; [`Error::InvalidOption`] for bounds out of order, a null value
/// outside them, a share outside (0, 1), as many arms as not rows, rows of one kind given to a sequence of the other, and options set after a look.
///
/// # References
/// Waudby-Smith, I. & Ramdas, A. (2024). Estimating means of bounded random variables by betting. *JRSS B* 86(1), 1–27. doi:10.1093/jrsssb/qkad009; with weights Waudby-Smith, I., Wu, L., Ramdas, A., Karampatziakis, N. & Mineiro, P. (2024).
/// Anytime-valid off-policy inference for contextual bandits. *ACM/IMS Journal of Data Science* 1(3). doi:10.1145/3643693
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
    /// The largest evidence against the null value.
    best: f64,
    /// Of a difference of two arms.
    #[serde(default)]
    arms: Option<Arms>,
}

/// What a difference of two arms knows before the next row.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Arms {
    lower: f64,
    upper: f64,
    share: f64,
    sum: f64,
}

sequence!(BettingSequence);
sided!(BettingSequence);

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
            arms: None,
        }
        .cells(CELLS)
    }

    /// The difference of the means of two arms, treatment less control, of values within these bounds, when `share` is the probability of treatment.
    ///
    /// ```
    /// use cocreate::prelude::*;
    /// let mut lift = BettingSequence::difference(0.0, 1.0, 0.5)?.alternative(Alternative::Greater)?;
    /// let treated: Vec<bool> = (0..4_000).map(|i| i * 7_919 % 1_009 % 2 == 0).collect();
    /// let bought: Vec<f64> = (0..4_000).map(|i| f64::from(i % 10 < if treated[i as usize] { 3 } else { 1 })).collect();
    /// let look = lift.observe_assigned("first week", &treated, &bought)?;
    /// assert!(0.1 < look.lower && look.lower < look.estimate && look.estimate < 0.25 && look.upper >= 1.0);
    /// # Ok::<(), cocreate::Error>(())
    /// ```
    ///
    /// # Errors
    /// See [`BettingSequence`].
    pub fn difference(lower: f64, upper: f64, share: f64) -> Result<Self> {
        check_bounds(lower, upper)?;
        if !(share > 0.0 && share < 1.0) {
            return Err(Error::invalid_option(
                "share",
                share,
                "the probability of treatment, between 0 and 1, e.g. 0.5",
            ));
        }
        let reach = (upper - lower) / share.min(1.0 - share);
        let mut sequence = Self::new(-reach, reach)?.named("difference");
        sequence.track.null = 0.0;
        sequence.arms = Some(Arms {
            lower,
            upper,
            share,
            sum: f64::midpoint(lower, upper),
        });
        Ok(sequence)
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
        if self.arms.is_some() {
            return Err(Error::invalid_option(
                "values",
                "without their arms",
                "given with them, by `observe_assigned`: this is the sequence of a difference",
            ));
        }
        check_values(values, self.lower, self.upper)?;
        self.take(label.into(), values)
    }

    /// Takes in the rows that came since the last look, in their order, with whether each was treated.
    ///
    /// # Errors
    /// See [`BettingSequence`].
    pub fn observe_assigned(
        &mut self,
        label: impl Into<String>,
        treated: &[bool],
        values: &[f64],
    ) -> Result<ConfidenceLook> {
        let Some(mut arms) = self.arms else {
            return Err(Error::invalid_option(
                "treated",
                "given",
                "left out of the sequence of one mean: begin one by `BettingSequence::difference`",
            ));
        };
        if treated.len() != values.len() {
            return Err(Error::LengthMismatch {
                column: "treated".to_owned(),
                found: treated.len(),
                expected: values.len(),
            });
        }
        check_values(values, arms.lower, arms.upper)?;
        let scores: Vec<f64> = (treated.iter().zip(values).enumerate())
            .map(|(i, (treated, value))| {
                let prediction = arms.sum / (self.rows as f64 + i as f64 + 1.0);
                arms.sum += value;
                let error = value - prediction;
                let score = if *treated {
                    error / arms.share
                } else {
                    -error / (1.0 - arms.share)
                };
                // Rounding may lead a hair's breadth outside.
                score.clamp(self.lower, self.upper)
            })
            .collect();
        let look = self.take(label.into(), &scores)?;
        self.arms = Some(arms);
        Ok(look)
    }

    fn take(&mut self, label: String, values: &[f64]) -> Result<ConfidenceLook> {
        self.track.check()?;
        check_null(self.track.null, self.lower, self.upper)?;
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
            log_e_value: self.evidence(),
            // Evidence between looks counts too.
            p_value: Some((-self.best).exp()),
        };
        if first == past && self.track.notes.is_empty() {
            self.track.notes.push(Warning::Note {
                message: format!(
                    "no mean on the grid is left from look {label} on: the interval is narrower than a cell, then take more `cells`; or the mean changed over time, \
                     or the order of the rows depends on their values"
                ),
            });
        }
        Ok(self.track.record(label, now))
    }

    /// The logarithm of the capital at the null value, of both gamblers or of the declared side.
    fn evidence(&self) -> f64 {
        self.track.sided(self.null_capital[0], self.null_capital[1])
    }

    /// One row on the unit interval.
    fn bet(&mut self, x: f64, null: f64) {
        let i = self.rows as f64 + 1.0;
        let variance = self.squares / i;
        let limit = self.track.side_alpha().recip();
        let stake = (2.0 * limit.ln() / (variance * i * i.ln_1p())).sqrt();
        let side = self.track.alternative;
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
        while side != Alternative::Less && self.left[0] < past && self.more[self.left[0]] >= limit {
            self.left[0] += 1;
        }
        while side != Alternative::Greater
            && self.left[1] > self.left[0]
            && self.less[self.left[1] - 1] >= limit
        {
            self.left[1] -= 1;
        }
        self.null_capital[0] += (stake.min(STAKE / null) * (x - null)).ln_1p();
        self.null_capital[1] += (-stake.min(STAKE / (1.0 - null)) * (x - null)).ln_1p();
        self.best = self.best.max(self.evidence());
        self.rows += 1;
        self.sum += x;
        let mean = (0.5 + self.sum) / (i + 1.0);
        self.squares += (x - mean).powi(2);
    }

    fn method(&self) -> String {
        let what = match self.arms {
            Some(arms) => format!(
                "a difference of values in [{}, {}], share {} treated",
                arms.lower, arms.upper, arms.share
            ),
            None => format!("values in [{}, {}]", self.lower, self.upper),
        };
        format!(
            "Hedged betting on {what}, rows in order, {} cells",
            self.more.len() - 1
        )
    }
}
