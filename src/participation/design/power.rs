//! The power of a design for each channel, from the information matrix of the participation model at an assumed truth.

use std::fmt;

use nalgebra::DMatrix;
use serde::{Deserialize, Serialize};

use super::model::{AssumedTruth, Model, Outcome, PARAMETERS, TRUTH};
use super::{Arm, Channel, FactorialDesign};
use crate::decision::Timing;
use crate::error::{Error, Result};
use crate::numeric::linalg::Cholesky;
use crate::numeric::special::normal;
use crate::report::{Cell, Table, notebook};

/// Power analysis of a [`FactorialDesign`] under an [`AssumedTruth`].
///
/// Every channel k has a multiple λ_k of its assumed strength: one in truth, zero if the channel does nothing (for information, of
/// the weight K that beliefs give to the largest number of signals). Participation is a
/// probit in the surplus (see [`AssumedTruth`]); with the outcome probabilities π_o of a cell the information of one customer is
/// `I = Σ_cells w Σ_o ∇π_o ∇π_o'/π_o`, a constant in the surplus included as a nuisance. The two-sided Wald test of λ_k = 0 at
/// level α has power `Φ(√n/se_k − z) + Φ(−√n/se_k − z)`, `se_k² = (I⁻¹)_kk`, `z = Φ⁻¹(1 − α/2)`. Beliefs, where the design elicits
/// them, are part of the cell; participants' success is seen unless [`choices_only`](Self::choices_only). Clusters of m
/// customers with intra-cluster correlation ρ multiply the variance by `1 + (m − 1)ρ`.
///
/// ```
/// use cocreate::participation::*;
/// let terms = Terms { price: 1.0, taste: 2.0, value_abandon: -1.0, ..Terms::default() };
/// let truth = AssumedTruth {
///     situation: Situation::new(Preferences::continuous_cara(0.3)?, Cost::material(0.5), Task::default(), terms)?,
///     effort: 0.0, shock_sd: 1.0, belief_mean: 0.5, belief_sd: 0.7, belief_variance: 0.6, overconfidence: 0.4,
///     ability_sd: 0.8, signal_variance: 1.0, productivity: 0.3, persuasion: 0.2,
/// };
/// let design = FactorialDesign::identifying();
/// let power = PowerAnalysis::new(&design, truth).run(&AfterPurchase::without_signal(), 20_000)?;
/// assert!(power.of(Channel::Coupon)?.power > 0.9);
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct PowerAnalysis<'a> {
    pub(super) design: &'a FactorialDesign,
    pub(super) truth: AssumedTruth,
    pub(super) alpha: f64,
    target: f64,
    pub(super) success_seen: bool,
    correlation: f64,
}

impl<'a> PowerAnalysis<'a> {
    /// Level 5 %, power 80 %, participants' success seen, no correlation within clusters.
    pub const fn new(design: &'a FactorialDesign, truth: AssumedTruth) -> Self {
        Self {
            design,
            truth,
            alpha: 0.05,
            target: 0.8,
            success_seen: true,
            correlation: 0.0,
        }
    }

    /// The level α of the two-sided tests (default 0.05).
    pub const fn level(mut self, alpha: f64) -> Self {
        self.alpha = alpha;
        self
    }

    /// The power that the minimal sample must reach (default 0.8).
    pub const fn target(mut self, power: f64) -> Self {
        self.target = power;
        self
    }

    /// Only participation is seen, not whether participants succeed.
    pub const fn choices_only(mut self) -> Self {
        self.success_seen = false;
        self
    }

    /// The intra-cluster correlation ρ of the scores (default 0); clusters are those of the design.
    pub const fn intra_cluster_correlation(mut self, correlation: f64) -> Self {
        self.correlation = correlation;
        self
    }

    /// Power of every channel that varies, with `customers` customers shared equally by the arms, and the customers that each needs.
    ///
    /// # Errors
    /// [`Error::Unidentified`] naming the channels that the design cannot tell apart (bundled education without success
    /// outcomes, say) or when nothing varies; [`Error::InvalidOption`] for options or assumptions out of range.
    pub fn run<T: Timing>(&self, timing: &T, customers: usize) -> Result<Power> {
        self.check()?;
        let channels = self.design.channels();
        let information = self.information(timing, &TRUTH)?;
        let covariance = invert(&information, &channels)?;
        let inflation = 1.0 + (self.design.cluster_size() as f64 - 1.0) * self.correlation;
        let critical = normal::upper_quantile(0.5 * self.alpha);
        let rows = channels
            .iter()
            .enumerate()
            .map(|(k, channel)| {
                // Position 0 is the constant.
                let unit = (covariance[(k + 1, k + 1)] * inflation).sqrt();
                let standard_error = unit / (customers as f64).sqrt();
                ChannelPower {
                    channel: *channel,
                    standard_error,
                    power: wald_power(1.0 / standard_error, critical),
                    customers_needed: minimal(unit, critical, self.target),
                }
            })
            .collect();
        Ok(Power {
            customers,
            level: self.alpha,
            target: self.target,
            channels: rows,
        })
    }

    pub(super) fn check(&self) -> Result<()> {
        for (name, value) in [("level", self.alpha), ("target", self.target)] {
            if !(value > 0.0 && value < 1.0) {
                return Err(Error::invalid_option(name, value, "between 0 and 1"));
            }
        }
        if self.target <= self.alpha {
            return Err(Error::invalid_option(
                "target",
                self.target,
                "above the level: a test that looks at nothing has that power",
            ));
        }
        if !(0.0..=1.0).contains(&self.correlation) {
            return Err(Error::invalid_option(
                "intra_cluster_correlation",
                self.correlation,
                "between 0 and 1",
            ));
        }
        if self.design.channels().is_empty() {
            return Err(Error::Unidentified {
                what: "every channel".into(),
                needs: "a design in which at least one of them varies".into(),
            });
        }
        Ok(())
    }

    /// Information of one customer about the constant and the channels that vary.
    pub(super) fn information<T: Timing>(
        &self,
        timing: &T,
        multiples: &[f64; PARAMETERS],
    ) -> Result<DMatrix<f64>> {
        let arms = self.design.arms();
        let mut total = DMatrix::zeros(PARAMETERS, PARAMETERS);
        for arm in &arms {
            for cell in self.cells(timing, *arm, multiples)? {
                total += cell.information() * (cell.weight / arms.len() as f64);
            }
        }
        let kept = positions(&self.design.channels());
        Ok(DMatrix::from_fn(kept.len(), kept.len(), |i, j| {
            total[(kept[i], kept[j])]
        }))
    }

    /// What is seen in an arm: one cell a rating where beliefs are elicited, one in all otherwise.
    pub(super) fn cells<T: Timing>(
        &self,
        timing: &T,
        arm: Arm,
        multiples: &[f64; PARAMETERS],
    ) -> Result<Vec<OutcomeCell>> {
        let model = Model::new(timing, &self.truth, &self.design.arms())?;
        let ratings = AssumedTruth::RATINGS;
        let share = 1.0 / ratings as f64;
        let mut cells = Vec::with_capacity(ratings);
        for rating in 0..ratings {
            let at = |multiples: &[f64; PARAMETERS]| {
                model.outcome(arm, self.truth.rating(rating), multiples)
            };
            let mut cell = OutcomeCell {
                weight: share,
                probabilities: at(multiples)?,
                slopes: [[0.0; 2]; PARAMETERS],
            };
            for k in 0..PARAMETERS {
                /// The cube root of a double's precision, the usual step of a central difference.
                const STEP: f64 = 6e-6;
                let (mut high, mut low) = (*multiples, *multiples);
                high[k] += STEP;
                low[k] -= STEP;
                let (high, low) = (at(&high)?, at(&low)?);
                for outcome in 0..2 {
                    cell.slopes[k][outcome] = (high[outcome] - low[outcome]) / (2.0 * STEP);
                }
            }
            if !self.success_seen {
                cell.forget_success();
            }
            cells.push(cell);
        }
        Ok(if self.design.sees_beliefs() {
            cells
        } else {
            vec![OutcomeCell::mixed(&cells)]
        })
    }
}

/// The outcome probabilities of customers who look alike to the researcher, with their derivatives.
#[derive(Clone, Copy)]
pub(super) struct OutcomeCell {
    /// Its share in the arm.
    pub weight: f64,
    pub probabilities: Outcome,
    pub slopes: [Outcome; PARAMETERS],
}

impl OutcomeCell {
    /// Success is not seen: both outcomes of participation are one.
    fn forget_success(&mut self) {
        let merge = |pair: &mut Outcome| *pair = [pair[0] + pair[1], 0.0];
        merge(&mut self.probabilities);
        self.slopes.iter_mut().for_each(merge);
    }

    fn mixed(cells: &[Self]) -> Self {
        let mut whole = Self {
            weight: 1.0,
            probabilities: [0.0; 2],
            slopes: [[0.0; 2]; PARAMETERS],
        };
        for cell in cells {
            for outcome in 0..2 {
                whole.probabilities[outcome] += cell.weight * cell.probabilities[outcome];
                for (sum, slopes) in whole.slopes.iter_mut().zip(&cell.slopes) {
                    sum[outcome] += cell.weight * slopes[outcome];
                }
            }
        }
        whole
    }

    /// The three outcomes (not participating last) as probability and slopes.
    pub fn outcomes(&self) -> [(f64, [f64; PARAMETERS]); 3] {
        let mut stay_out = [0.0; PARAMETERS];
        let (mut fail, mut succeed) = (stay_out, stay_out);
        for (k, slopes) in self.slopes.iter().enumerate() {
            (fail[k], succeed[k]) = (slopes[0], slopes[1]);
            stay_out[k] = -slopes[0] - slopes[1];
        }
        let [f, s] = self.probabilities;
        [(f, fail), (s, succeed), (1.0 - f - s, stay_out)]
    }

    fn information(&self) -> DMatrix<f64> {
        let mut total = DMatrix::zeros(PARAMETERS, PARAMETERS);
        for (probability, slopes) in self.outcomes() {
            if probability > f64::MIN_POSITIVE {
                for i in 0..PARAMETERS {
                    for j in 0..PARAMETERS {
                        total[(i, j)] += slopes[i] * slopes[j] / probability;
                    }
                }
            }
        }
        total
    }
}

/// Positions of the constant and of these channels among the parameters.
pub(super) fn positions(channels: &[Channel]) -> Vec<usize> {
    let mut kept = vec![0];
    for (position, channel) in Channel::ALL.iter().enumerate() {
        if channels.contains(channel) {
            kept.push(position + 1);
        }
    }
    kept
}

/// The inverse of the information, or the channels that cannot be told apart.
pub(super) fn invert(information: &DMatrix<f64>, channels: &[Channel]) -> Result<DMatrix<f64>> {
    /// Derivatives by differences are good to about 10⁻¹⁰ of themselves, their products to the like.
    const TOLERANCE: f64 = 1e-8;
    let factor = Cholesky::with_tolerance(information, TOLERANCE);
    let Some(dropped) = factor.dropped().first() else {
        return Ok(factor.inverse());
    };
    let name = |position: usize| {
        position
            .checked_sub(1)
            .map_or("the constant", |k| channels[k].name())
    };
    let kept = factor.kept();
    let right = DMatrix::from_fn(kept.len(), 1, |i, _| information[(kept[i], *dropped)]);
    let loads = factor.solve(&right);
    // In units of standard deviations of the scores, so that a channel with a weak effect counts as much as others.
    let scaled = |i: usize| {
        loads[(i, 0)] * (information[(kept[i], kept[i])] / information[(*dropped, *dropped)]).sqrt()
    };
    let partners: Vec<String> = (0..kept.len())
        .filter(|i| scaled(*i).abs() > 1e-3)
        .map(|i| format!("`{}`", name(kept[i])))
        .collect();
    Err(Error::Unidentified {
        what: format!("the channel `{}`", name(*dropped)),
        needs: if partners.is_empty() {
            "an effect on what is seen: under the assumed truth nothing moves with it".into()
        } else {
            format!(
                "arms, beliefs or outcomes that tell it apart from {}",
                partners.join(" and ")
            )
        },
    })
}

/// Power of the two-sided test when the estimate is `signal` standard errors from zero.
fn wald_power(signal: f64, critical: f64) -> f64 {
    normal::cdf(signal - critical) + normal::cdf(-signal - critical)
}

/// The least n with power `target`, for a standard error `unit/√n` of an effect of one.
fn minimal(unit: f64, critical: f64, target: f64) -> f64 {
    // The other tail is negligible at any power worth having; the last step settles it.
    let signal = critical + normal::quantile(target);
    let mut n = (signal * unit).powi(2).ceil().max(1.0);
    while n > 1.0 && wald_power((n - 1.0).sqrt() / unit, critical) >= target {
        n -= 1.0;
    }
    n
}

/// The power of a design.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Power {
    /// Customers in all arms together.
    pub customers: usize,
    /// Level of the tests.
    pub level: f64,
    /// The power that `customers_needed` reaches.
    pub target: f64,
    /// One row a channel that varies.
    pub channels: Vec<ChannelPower>,
}

/// The power for one channel.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ChannelPower {
    /// The channel.
    pub channel: Channel,
    /// Standard error of the channel's strength, as a multiple of the assumed one.
    pub standard_error: f64,
    /// Probability of finding it.
    pub power: f64,
    /// Customers with whom it is found with the target power.
    pub customers_needed: f64,
}

impl Power {
    /// The row of a channel.
    ///
    /// # Errors
    /// [`Error::Unidentified`] for a channel that the design does not vary.
    pub fn of(&self, channel: Channel) -> Result<ChannelPower> {
        self.channels
            .iter()
            .copied()
            .find(|row| row.channel == channel)
            .ok_or_else(|| Error::Unidentified {
                what: format!("the channel `{}`", channel.name()),
                needs: "a design that varies it".into(),
            })
    }

    /// The table.
    pub fn table(&self) -> Table {
        let mut table = Table::new(format!("Power with {} customers", self.customers)).columns([
            "channel".to_owned(),
            "std. error (of 1)".to_owned(),
            "power".to_owned(),
            format!("customers for {:.0} %", 100.0 * self.target),
        ]);
        for row in &self.channels {
            table = table.row([
                row.channel.name().into(),
                Cell::fixed(row.standard_error, 3),
                Cell::fixed(row.power, 3),
                Cell::fixed(row.customers_needed, 0),
            ]);
        }
        table.note(format!(
            "Two-sided tests at level {}; strengths are multiples of the assumed ones.",
            self.level
        ))
    }

    /// The table as HTML.
    pub fn to_html(&self) -> String {
        self.table().to_html()
    }
}

impl fmt::Display for Power {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.table().fmt(f)
    }
}

notebook!(Power);
