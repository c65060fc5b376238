//! The confidence sequence of how two proportions differ, from blocks of counts of both arms.

use super::nearest::{Divergence, Side};
use super::track::{ConfidenceLook, Statement, Track, sequence, sided};
use crate::error::{Error, Result, Warning};
use crate::inference::Alternative;
use crate::numeric::optimize::brent_root;
use serde::{Deserialize, Serialize};
use std::f64::consts::LN_2;

/// Events and others that are thought to have been seen in either arm before the first block, as Turner, Ly & Grünwald recommend.
const PRIOR: f64 = 0.18;

/// Values of the divergence that are tried before the ends are looked for between two of them.
const TRIED: usize = 40;

/// Rows of both arms that came together, as counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockCounts {
    /// Events of the control arm.
    pub control_events: u64,
    /// Rows of the control arm.
    pub control_rows: u64,
    /// Events of the treated arm.
    pub treated_events: u64,
    /// Rows of the treated arm.
    pub treated_rows: u64,
}

impl BlockCounts {
    /// From events and rows of the control, and events and rows of the treated.
    pub fn new(control: [u64; 2], treated: [u64; 2]) -> Self {
        Self {
            control_events: control[0],
            control_rows: control[1],
            treated_events: treated[0],
            treated_rows: treated[1],
        }
    }
}

/// A confidence sequence of how the rates of events θ_a (control) and θ_b (treated) differ, and the sequential test of it, exact for any number of rows: conversions of
/// two arms, from their counts. Each block of `n_a` and `n_b` rows with `y_a` and `y_b` events multiplies the evidence against a divergence δ by
///
/// `p_{θ̂_a}(y_a) p_{θ̂_b}(y_b) / {p_{θ°_a}(y_a) p_{θ°_b}(y_b)}`, `θ̂ = (events + β)/(rows + 2β)` of the blocks before,
///
/// where θ° is the pair of rates with divergence δ that is nearest to θ̂ in `n_a KL(θ̂_a, θ_a) + n_b KL(θ̂_b, θ_b)`. Its mean is at most one for all pairs with this divergence, since its logarithm is concave along
/// them with its maximum at θ°; the sequence has the δ whose product is below 1/α.
///
/// | constructor | divergence | two-sided |
/// |---|---|---|
/// | [`difference`](Self::difference) | `θ_b − θ_a` | one product for a δ, at α |
/// | [`ratio`](Self::ratio) | `θ_b/θ_a` | the same |
/// | [`odds_ratio`](Self::odds_ratio) | `θ_b (1 − θ_a)/{θ_a (1 − θ_b)}` | two products, each at α/2 |
///
/// One-sided products are one where θ̂ already has the claimed null, `δ(θ̂) ≤ δ` with [`Alternative::Greater`]. Pairs with an odds ratio of at most ψ form a convex set for ψ ≥ 1 only, and those of at least ψ for ψ ≤ 1: the
/// interval of an odds ratio has a lower end above one, or an upper end below one, or neither. At equality the null hypothesis of all three is `θ_a = θ_b`.
///
/// The rates may change from block to block as long as the divergence stays. The first block only teaches, and the bet on a block is made before it, so that **many small blocks** find more
/// than few large ones: give one block a day, an hour, or a pair of rows. A look costs time in proportion to all blocks so far, which are kept.
///
/// The estimate is that of all rows; where it would divide by zero, that of θ̂.
///
/// | name | default | meaning | range |
/// |---|---|---|---|
/// | `level` | 0.95 | confidence of the whole sequence | (0, 1), one-sided (½, 1) |
/// | `null` | no difference: 0 or 1 | divergence that the p-value tests | (−1, 1), of ratios > 0 |
/// | `alternative` | two-sided | side of test and interval | |
/// | `prior` | 0.18 | β | > 0 |
///
/// # Errors
/// [`Error::InvalidOption`] for more events than rows, a block without rows of an arm, a null value or a prior out of range, and options set after a look; [`Error::NoRows`] without blocks.
///
/// # References
/// - Turner, R. J., Ly, A. & Grünwald, P. D. (2024). Generic E-variables for exact sequential k-sample tests that allow for optional stopping. *Journal of Statistical Planning and
///   Inference* 230, 106116. doi:10.1016/j.jspi.2023.106116
/// - Turner, R. J. & Grünwald, P. D. (2023). Exact anytime-valid confidence intervals for contingency tables and beyond. *Statistics & Probability Letters* 198, 109835. doi:10.1016/j.spl.2023.109835
///
/// # Examples
/// ```
/// use cocreate::prelude::*;
/// let mut lift = TwoProportionSequence::difference();
/// for day in 0..20 {
///     lift.observe(format!("day {day}"), &[BlockCounts::new([10 + day % 3, 100], [15 + day % 4, 100])])?;
/// }
/// let set = lift.interval();
/// assert!(0.01 < set.lower && set.lower < 0.03 && 0.08 < set.upper && set.upper < 0.11);
/// assert!(lift.p_value() < 0.001);
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TwoProportionSequence {
    track: Track,
    measure: Divergence,
    prior: f64,
    blocks: Vec<BlockCounts>,
    /// Logarithms of the products at the null value: of both sides together, or of more and of less.
    evidence: [f64; 2],
    /// The largest evidence against the null value.
    best: f64,
}

sequence!(TwoProportionSequence);
sided!(TwoProportionSequence);

impl TwoProportionSequence {
    /// `θ_b − θ_a`.
    pub fn difference() -> Self {
        Self::of(Divergence::Difference, "difference of rates", 0.0)
    }

    /// `θ_b/θ_a`.
    pub fn ratio() -> Self {
        Self::of(Divergence::Ratio, "ratio of rates", 1.0)
    }

    /// `θ_b (1 − θ_a)/{θ_a (1 − θ_b)}`.
    pub fn odds_ratio() -> Self {
        Self::of(Divergence::OddsRatio, "odds ratio", 1.0)
    }

    fn of(measure: Divergence, name: &str, null: f64) -> Self {
        let mut track = Track::new(name);
        track.null = null;
        Self {
            track,
            measure,
            prior: PRIOR,
            blocks: vec![],
            evidence: [0.0; 2],
            best: -LN_2,
        }
    }

    /// β: so many events and as many others of either arm before the first block.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] unless positive, and after a look.
    pub fn prior(mut self, prior: f64) -> Result<Self> {
        super::mixture::positive("prior", prior)?;
        self.before_looks("prior", prior)?;
        self.prior = prior;
        Ok(self)
    }

    /// Takes in the blocks that came since the last look.
    ///
    /// # Errors
    /// See [`TwoProportionSequence`].
    pub fn observe(
        &mut self,
        label: impl Into<String>,
        blocks: &[BlockCounts],
    ) -> Result<ConfidenceLook> {
        self.track.check()?;
        let label = label.into();
        self.check(&label, blocks)?;
        let null = self.measure.scaled(self.track.null);
        let mut next = self.clone();
        next.blocks.extend_from_slice(blocks);
        let new: Vec<([f64; 2], BlockCounts)> = next.guesses().skip(self.blocks.len()).collect();
        for (guess, block) in new {
            for (evidence, side) in next.evidence.iter_mut().zip(self.sides()) {
                let gain = |side| self.measure.log_gain(&block, guess, null, side);
                *evidence += side.map_or(0.0, gain);
            }
            next.best = next.best.max(next.log_e_value());
        }
        let now = next.statement(&label)?;
        let look = next.track.record(label, now);
        *self = next;
        Ok(look)
    }

    fn check(&self, label: &str, blocks: &[BlockCounts]) -> Result<()> {
        if !self.measure.holds(self.track.null) {
            return Err(Error::invalid_option(
                "null",
                self.track.null,
                "between −1 and 1 for a difference, positive for a ratio",
            ));
        }
        if blocks.is_empty() {
            return Err(Error::NoRows {
                reason: format!("look {label} brings no new blocks; leave it out"),
            });
        }
        for (at, b) in blocks.iter().enumerate() {
            if b.control_rows == 0 || b.treated_rows == 0 {
                return Err(Error::invalid_option(
                    "blocks",
                    format!("{b:?} as block {} of look {label}", at + 1),
                    "with rows of both arms: wait for some, and join them to this block",
                ));
            }
            if b.control_events > b.control_rows || b.treated_events > b.treated_rows {
                return Err(Error::invalid_option(
                    "blocks",
                    format!("{b:?} as block {} of look {label}", at + 1),
                    "with at most as many events as rows: count each row once",
                ));
            }
        }
        Ok(())
    }

    /// The processes that the declared alternative needs: of lower and of upper ends, or one for both.
    fn sides(&self) -> [Option<Side>; 2] {
        match (self.track.alternative, self.measure) {
            (Alternative::TwoSided, Divergence::OddsRatio) => [Some(Side::More), Some(Side::Less)],
            (Alternative::TwoSided, _) => [Some(Side::Both), None],
            (Alternative::Greater, _) => [Some(Side::More), None],
            (Alternative::Less, _) => [Some(Side::Less), None],
        }
    }

    fn log_e_value(&self) -> f64 {
        match self.sides() {
            [_, None] => self.evidence[0],
            _ => self.evidence[0].max(self.evidence[1]) - LN_2,
        }
    }

    /// Each block with the rates that were guessed before it.
    fn guesses(&self) -> impl Iterator<Item = ([f64; 2], BlockCounts)> + '_ {
        let mut sums = [self.prior, 2.0 * self.prior, self.prior, 2.0 * self.prior];
        self.blocks.iter().map(move |block| {
            let guess = [sums[0] / sums[1], sums[2] / sums[3]];
            let b = block;
            for (sum, count) in (sums.iter_mut()).zip([
                b.control_events,
                b.control_rows,
                b.treated_events,
                b.treated_rows,
            ]) {
                *sum += count as f64;
            }
            (guess, *block)
        })
    }

    fn statement(&mut self, label: &str) -> Result<Statement> {
        let sums = self.blocks.iter().fold([0.0; 4], |s, b| {
            [
                s[0] + b.control_events as f64,
                s[1] + b.control_rows as f64,
                s[2] + b.treated_events as f64,
                s[3] + b.treated_rows as f64,
            ]
        });
        let raw = self.measure.of([sums[0] / sums[1], sums[2] / sums[3]]);
        let estimate = raw.unwrap_or_else(|| {
            let p = self.prior;
            let rate = |events: f64, rows: f64| (events + p) / (rows + 2.0 * p);
            let guess = [rate(sums[0], sums[1]), rate(sums[2], sums[3])];
            self.measure.of(guess).unwrap_or(self.track.null)
        });
        let known: Vec<([f64; 2], BlockCounts)> = self.guesses().collect();
        let mut ends = self.measure.range();
        let mut none_left = false;
        let sides = self.sides();
        for side in sides.into_iter().flatten() {
            let [low, high] = self.ends(&known, side, estimate, &mut none_left)?;
            if side != Side::Less {
                ends[0] = low;
            }
            if side != Side::More {
                ends[1] = high;
            }
        }
        if none_left && self.track.notes.is_empty() {
            self.track.notes.push(Warning::Note {
                message: format!(
                    "no {} is left from look {label} on: it changed over time, or the size of the blocks depends on their events; the interval is the value with the least evidence against it",
                    self.track.name
                ),
            });
        }
        Ok(Statement {
            rows: (sums[1] + sums[3]) as u64,
            estimate,
            lower: ends[0],
            upper: ends[1],
            log_e_value: self.log_e_value(),
            // Evidence between looks counts too.
            p_value: Some((-self.best).exp()),
        })
    }

    /// The first and the last divergence whose product is below its limit.
    fn ends(
        &self,
        known: &[([f64; 2], BlockCounts)],
        side: Side,
        estimate: f64,
        none_left: &mut bool,
    ) -> Result<[f64; 2]> {
        let halved = matches!(self.sides(), [Some(_), Some(_)]);
        let limit = -self.track.alpha().ln() + if halved { LN_2 } else { 0.0 };
        let excess = |x: f64| -> f64 {
            let gains = known
                .iter()
                .map(|(guess, block)| self.measure.log_gain(block, *guess, x, side));
            gains.sum::<f64>() - limit
        };
        let mut tried = self.measure.grid(side, TRIED);
        let middle = self.measure.scaled(estimate);
        if middle > tried[0] && middle < tried[tried.len() - 1] {
            tried.insert(tried.partition_point(|x| *x < middle), middle);
        }
        let found: Vec<f64> = tried.iter().map(|x| excess(*x)).collect();
        let left = |x: &f64| *x < 0.0;
        let range = self.measure.range();
        let (Some(first), Some(last)) = (found.iter().position(left), found.iter().rposition(left))
        else {
            *none_left = true;
            let least = (0..found.len())
                .min_by(|a, b| found[*a].total_cmp(&found[*b]))
                .unwrap_or(0);
            return Ok([self.measure.natural(tried[least]); 2]);
        };
        let root = |a: usize, b: usize| -> Result<f64> {
            let root = brent_root(excess, tried[a], tried[b], 0.0)?;
            Ok(self.measure.natural(root.point))
        };
        let low = if first == 0 {
            range[0]
        } else {
            root(first - 1, first)?
        };
        let high = if last + 1 == found.len() {
            range[1]
        } else {
            root(last, last + 1)?
        };
        Ok([low, high])
    }

    fn method(&self) -> String {
        format!(
            "Block e-variables, {} blocks, prior {}",
            self.blocks.len(),
            self.prior
        )
    }
}
