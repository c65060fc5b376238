//! Which arm is best, with few rounds and a bound on being wrong.

use super::arms::divergence;
use super::track::{Divergence, binary, normal, optimal_shares, ratios, statistic};
use crate::error::{Error, Result};
use crate::report::{Cell, Table, shown};
use serde::{Deserialize, Serialize};

/// How a [`BestArm`] samples. Rewards lie in [0, 1], or are brought there by their [`bounds`](BestArm::bounds); t is the number of rounds, n that of an arm.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum BestArmPolicy {
    /// All arms in turn; an arm goes when the best is ahead by twice `√(ln(4Kn²/δ)/2n)` (Even-Dar, Mannor & Mansour 2006).
    SuccessiveElimination,
    /// The leader and its strongest challenger in turn, until their intervals `√(ln(5Kt⁴/4δ)/2n)` part (Kalyanakrishnan, Tewari, Auer & Stone 2012).
    Lucb,
    /// The shares of arms that tell the best apart soonest, tracked as they are estimated, until the likelihood ratio passes `ln(2t(K − 1)/δ)` (Garivier & Kaufmann 2016).
    /// Rewards are 0 or 1 (one bound or the other).
    TrackAndStop,
    /// The same for normal rewards with a known standard deviation, which need no bounds, until against every other arm the likelihood ratio passes
    /// `(1 + 1/min(n, n'))(ln((K − 1)/δ) + ½ ln(1 + n) + ½ ln(1 + n'))`: by the method of mixtures, at all times at once.
    TrackAndStopGaussian {
        /// Standard deviation of a reward.
        sd: f64,
    },
}

impl BestArmPolicy {
    /// The name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::SuccessiveElimination => "successive elimination",
            Self::Lucb => "LUCB",
            Self::TrackAndStop => "track-and-stop",
            Self::TrackAndStopGaussian { .. } => "track-and-stop (normal)",
        }
    }
}

/// Finds the best of K arms and is wrong with probability δ at most: [`next`](Self::next) names the arm to be tried, until it names none.
///
/// No policy with that guarantee needs fewer rounds on average than `T*(μ) kl(δ, 1 − δ)`, which track-and-stop attains for small δ. Nearly equal arms take long:
/// `slack` stops with an arm that is at most so much worse.
///
/// | option | default | meaning | range |
/// |---|---|---|---|
/// | `error` | 0.05 | δ | (0, 1) |
/// | `slack` | 0 | how much worse the arm may be (elimination and LUCB), in units of the reward | ≥ 0 |
/// | `bounds` | 0 and 1 | of rewards | low < high |
///
/// # Errors
/// [`Error::InvalidOption`]; [`Error::OutOfRange`] for a reward outside its bounds, or other than the bounds with track-and-stop.
///
/// # References
/// Even-Dar, E., Mannor, S. & Mansour, Y. (2006). Action elimination and stopping conditions. *JMLR* 7, 1079–1105; Kalyanakrishnan, S., Tewari, A., Auer, P. & Stone, P. (2012). PAC subset
/// selection in stochastic multi-armed bandits. *ICML*; Garivier, A. & Kaufmann, E. (2016). Optimal best arm identification with fixed confidence. *COLT*, PMLR 49; Kaufmann, E. & Koolen, W. M. (2021). Mixture martingales
/// revisited with applications to sequential tests and confidence intervals. *JMLR* 22 (246) (thresholds by mixtures).
///
/// # Examples
/// ```
/// use cocreate::prelude::*;
/// let mut search = BestArm::new(BestArmPolicy::Lucb, 2);
/// while let Some(arm) = search.next()? {
///     search.update(arm, if arm == 1 { 0.9 } else { 0.1 })?;
/// }
/// assert_eq!(search.best(), 1);
/// assert_eq!(search.rounds(), 150);
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BestArm {
    policy: BestArmPolicy,
    error: f64,
    slack: f64,
    bounds: (f64, f64),
    count: Vec<u64>,
    sum: Vec<f64>,
    /// Arms not eliminated.
    alive: Vec<bool>,
    /// Whether bounds were set after a reward.
    #[serde(default)]
    late: bool,
}

impl BestArm {
    /// A search that has seen nothing.
    pub fn new(policy: BestArmPolicy, arms: usize) -> Self {
        Self {
            policy,
            error: 0.05,
            slack: 0.0,
            bounds: (0.0, 1.0),
            count: vec![0; arms],
            sum: vec![0.0; arms],
            alive: vec![true; arms],
            late: false,
        }
    }

    /// The probability δ of being wrong.
    pub fn error(mut self, delta: f64) -> Self {
        self.error = delta;
        self
    }

    /// How much worse than the best the arm may be.
    pub fn slack(mut self, slack: f64) -> Self {
        self.slack = slack;
        self
    }

    /// The bounds of rewards; before the first reward: later ones are refused by the next choice, since those that were taken in are kept in units of the first.
    pub fn bounds(mut self, low: f64, high: f64) -> Self {
        if self.rounds() > 0 {
            self.late = true;
        } else {
            self.bounds = (low, high);
        }
        self
    }

    /// Whether rewards are normal, and need no bounds.
    fn unbounded(&self) -> bool {
        matches!(self.policy, BestArmPolicy::TrackAndStopGaussian { .. })
    }

    /// What a reward of zero and a reward of one stand for: units in which the policies reckon.
    fn unit(&self) -> (f64, f64) {
        match self.policy {
            BestArmPolicy::TrackAndStopGaussian { sd } => (0.0, sd),
            _ => (self.bounds.0, self.bounds.1 - self.bounds.0),
        }
    }

    fn check(&self) -> Result<()> {
        let (low, unit) = self.unit();
        if !(unit > 0.0 && unit.is_finite() && low.is_finite()) {
            let (option, value, expected) = if self.unbounded() {
                ("sd", unit.to_string(), "finite and above 0")
            } else {
                let (low, high) = self.bounds;
                (
                    "bounds",
                    format!("{low} and {high}"),
                    "finite, the lower one first",
                )
            };
            return Err(Error::invalid_option(option, value, expected));
        }
        if self.late {
            return Err(Error::invalid_option(
                "bounds",
                "others, after a reward",
                "set before the first reward; begin a new search",
            ));
        }
        if self.count.len() < 2 {
            return Err(Error::invalid_option(
                "arms",
                self.count.len(),
                "two at least",
            ));
        }
        if !(self.error > 0.0 && self.error < 1.0) {
            return Err(Error::invalid_option(
                "error",
                self.error,
                "above 0 and below 1",
            ));
        }
        if !(self.slack >= 0.0 && self.slack.is_finite()) {
            return Err(Error::invalid_option("slack", self.slack, "at least 0"));
        }
        let tracks = self.unbounded() || self.policy == BestArmPolicy::TrackAndStop;
        if tracks && self.slack > 0.0 {
            return Err(Error::invalid_option(
                "slack",
                self.slack,
                "0 for track-and-stop",
            ));
        }
        Ok(())
    }

    /// The arm to be tried; none when the best is known.
    ///
    /// # Errors
    /// [`Error::InvalidOption`].
    pub fn next(&self) -> Result<Option<usize>> {
        self.check()?;
        if let Some(arm) = self.count.iter().position(|n| *n == 0) {
            return Ok(Some(arm));
        }
        Ok(match self.policy {
            BestArmPolicy::SuccessiveElimination => self.eliminating(),
            BestArmPolicy::Lucb => self.challenging(),
            BestArmPolicy::TrackAndStop | BestArmPolicy::TrackAndStopGaussian { .. } => {
                self.tracking()
            }
        })
    }

    /// The least tried of the arms that are left.
    fn eliminating(&self) -> Option<usize> {
        let left = (0..self.count.len()).filter(|a| self.alive[*a]);
        if left.clone().count() < 2 {
            return None;
        }
        let least = left.min_by_key(|a| self.count[*a])?;
        let slack = self.slack / self.unit().1;
        let close = slack > 0.0 && 2.0 * self.radius(self.count[least]) <= slack;
        (!close).then_some(least)
    }

    /// `√(ln(4Kn²/δ)/2n)`, which all means keep at all times with probability 1 − δ.
    fn radius(&self, count: u64) -> f64 {
        let n = count as f64;
        ((4.0 * self.count.len() as f64 * n * n / self.error).ln() / (2.0 * n)).sqrt()
    }

    fn challenging(&self) -> Option<usize> {
        let t = self.rounds() as f64;
        let level = (1.25 * self.count.len() as f64 * t.powi(4) / self.error).ln();
        let radius = |arm: usize| (level / (2.0 * self.count[arm] as f64)).sqrt();
        let leader = self.best();
        let (mut challenger, mut highest) = (leader, f64::NEG_INFINITY);
        for arm in (0..self.count.len()).filter(|a| *a != leader) {
            let upper = self.mean(arm) + radius(arm);
            if upper > highest {
                (challenger, highest) = (arm, upper);
            }
        }
        let apart = highest - (self.mean(leader) - radius(leader));
        // The wider interval first: both are tried in turn.
        (apart >= self.slack / self.unit().1 && apart > 0.0).then_some(
            if self.count[challenger] < self.count[leader] {
                challenger
            } else {
                leader
            },
        )
    }

    fn tracking(&self) -> Option<usize> {
        let arms = self.count.len();
        let t = self.rounds() as f64;
        let counts: Vec<f64> = self.count.iter().map(|n| *n as f64).collect();
        let means: Vec<f64> = (0..arms).map(|a| self.mean(a)).collect();
        let others = arms as f64 - 1.0;
        let kl: Divergence = if self.unbounded() { normal } else { binary };
        let leading = counts[self.best()];
        let threshold = |arm: usize| {
            if self.unbounded() {
                let mixed = 0.5 * (leading.ln_1p() + counts[arm].ln_1p());
                (1.0 + 1.0 / leading.min(counts[arm])) * ((others / self.error).ln() + mixed)
            } else {
                (2.0 * t * others / self.error).ln()
            }
        };
        if ratios(kl, &means, &counts).all(|(arm, ratio)| ratio > threshold(arm)) {
            return None;
        }
        let least = (0..arms).min_by_key(|a| self.count[*a])?;
        // Forced exploration keeps estimates from being stuck.
        if counts[least] < t.sqrt() - arms as f64 / 2.0 {
            return Some(least);
        }
        let shares = optimal_shares(kl, &means);
        (0..arms)
            .max_by(|a, b| (t * shares[*a] - counts[*a]).total_cmp(&(t * shares[*b] - counts[*b])))
    }

    /// Takes in the reward of an arm.
    ///
    /// # Errors
    /// See [`BestArm`].
    pub fn update(&mut self, arm: usize, reward: f64) -> Result<()> {
        let arms = self.count.len();
        if arm >= arms {
            return Err(Error::invalid_option("arm", arm, format!("below {arms}")));
        }
        self.check()?;
        let (low, unit) = self.unit();
        let scaled = (reward - low) / unit;
        let binary = self.policy == BestArmPolicy::TrackAndStop;
        let whole = scaled.abs() <= 0.0 || (scaled - 1.0).abs() <= 0.0;
        let outside = !self.unbounded() && !(0.0..=1.0).contains(&scaled);
        if !scaled.is_finite() || outside || (binary && !whole) {
            let (low, high) = self.bounds;
            return Err(Error::OutOfRange {
                column: "reward".to_owned(),
                row: self.rounds() as usize + 1,
                value: reward,
                expected: if binary {
                    format!("{low} or {high}")
                } else if self.unbounded() {
                    "finite".to_owned()
                } else {
                    format!("from {low} to {high}, or declare other bounds before the first")
                },
            });
        }
        self.count[arm] += 1;
        self.sum[arm] += scaled;
        if self.policy == BestArmPolicy::SuccessiveElimination {
            self.eliminate();
        }
        Ok(())
    }

    /// Takes out arms that are behind, when all that are left were tried equally often.
    fn eliminate(&mut self) {
        let left: Vec<usize> = (0..self.count.len()).filter(|a| self.alive[*a]).collect();
        let n = self.count[left[0]];
        if n == 0 || left.iter().any(|a| self.count[*a] != n) {
            return;
        }
        let top = left
            .iter()
            .map(|a| self.mean(*a))
            .fold(f64::NEG_INFINITY, f64::max);
        for arm in left {
            self.alive[arm] = top - self.mean(arm) < 2.0 * self.radius(n);
        }
    }

    /// In units of the policy.
    fn mean(&self, arm: usize) -> f64 {
        self.sum[arm] / (self.count[arm] as f64).max(1.0)
    }

    /// The arm with the best mean so far, among those that are left.
    pub fn best(&self) -> usize {
        let mut best = (f64::NEG_INFINITY, 0);
        for arm in (0..self.count.len()).filter(|a| self.alive[*a]) {
            if self.mean(arm) > best.0 {
                best = (self.mean(arm), arm);
            }
        }
        best.1
    }

    /// Rewards that were taken in.
    pub fn rounds(&self) -> u64 {
        self.count.iter().sum()
    }

    /// How often each arm was tried.
    pub fn counts(&self) -> &[u64] {
        &self.count
    }

    /// The least expected number of rounds in which any policy finds the best of arms with these success rates and is wrong with probability δ at most:
    /// `T*(μ) kl(δ, 1 − δ)` (Garivier & Kaufmann 2016, theorem 1); infinite when two are best.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for rates outside (0, 1), fewer than two, or a δ outside (0, 1).
    pub fn lower_bound(means: &[f64], delta: f64) -> Result<f64> {
        Self::new(BestArmPolicy::TrackAndStop, means.len())
            .error(delta)
            .check()?;
        if let Some(bad) = means.iter().find(|m| !(**m > 0.0 && **m < 1.0)) {
            return Err(Error::invalid_option("means", bad, "above 0 and below 1"));
        }
        let rate = statistic(binary, means, &optimal_shares(binary, means));
        Ok(divergence(delta, 1.0 - delta) / rate)
    }

    /// The same for normal rewards with these means and this standard deviation; of two arms `8 (sd/Δ)² kl(δ, 1 − δ)`.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for means that are not finite, fewer than two, a standard deviation that is not above 0, or a δ outside (0, 1).
    pub fn lower_bound_gaussian(means: &[f64], sd: f64, delta: f64) -> Result<f64> {
        Self::new(BestArmPolicy::TrackAndStopGaussian { sd }, means.len())
            .error(delta)
            .check()?;
        if let Some(bad) = means.iter().find(|m| !m.is_finite()) {
            return Err(Error::invalid_option("means", bad, "finite"));
        }
        let means: Vec<f64> = means.iter().map(|m| m / sd).collect();
        let rate = statistic(normal, &means, &optimal_shares(normal, &means));
        Ok(divergence(delta, 1.0 - delta) / rate)
    }

    /// One row an arm.
    pub fn table(&self) -> Table {
        let mut table = Table::new(format!("Best arm by {}", self.policy.name()))
            .columns(["Arm", "Tried", "Mean", "Left"]);
        let (low, unit) = self.unit();
        for arm in 0..self.count.len() {
            table = table.row([
                Cell::count(arm),
                Cell::count(self.count[arm] as usize),
                Cell::significant(low + unit * self.mean(arm), 4),
                Cell::text(if self.alive[arm] { "yes" } else { "no" }),
            ]);
        }
        table.note(format!("Wrong with probability {} at most.", self.error))
    }
}

shown!(BestArm);
