//! Subjects who choose between lotteries: the simulator of the models of risk.

use super::closed::{flag, process, seeded};
use super::generate::{data, data_flag, generate_units, oracle};
use super::oracle::{Oracle, Simulated};
use crate::error::{Error, Result};
use crate::numeric::Seed;
use crate::numeric::special::normal;
use serde::{Deserialize, Serialize};

/// Payoffs of a lottery.
const PAYOFFS: usize = 3;

/// Subjects choose between lotteries A and B, `tasks` times each: B with probability `Φ((V_B − V_A)/(μ[u(best) − u(worst)]))`, the contextual error. A lottery of
/// payoffs x, of which probabilities p and q may hold with equal chance, is worth
///
/// ```text
/// V = Σ_i π_i u(x_i),  π_i = w(p_1 + … + p_i) − w(p_1 + … + p_(i−1)) from the best down,  w(p) = exp(−η(−ln p)^γ),
/// V = −(1/α) ln ½[exp(−α Σ p u) + exp(−α Σ q u)]   where α ≠ 0,
/// u(x) = (x^(1−r) − 1)/(1 − r),   or [1 − exp(−a x^(1−r))]/a where a ≠ 0;   x^(1−r) for gains and −λ(−x)^(1−r) for losses where there are losses,
/// ```
///
/// with losses weighted from the worst up. So r alone is expected utility, a adds expo-power, γ and η rank dependence, λ prospect theory, and α smooth ambiguity. r may differ
/// among subjects, normally. Payoffs are whole numbers from 1 to `highest`, equally likely; where there are losses a third of the tasks has gains alone, a third two losses of three, a third losses alone. Probabilities are
/// the spacings of two uniform draws, in percents. All levels are **assumed**.
///
/// | field | default | meaning |
/// |---|---|---|
/// | `subjects`, `tasks` | 100, 40 | |
/// | `risk_aversion`, `deviation` | .5, 0 | r: its mean and its deviation over subjects |
/// | `expo` | 0 | a |
/// | `weighting` | 1, 1 | γ, η |
/// | `loss_aversion` | none | λ; with it there are losses |
/// | `ambiguity` | 0 | α, which wants γ = η = 1 and neither a nor λ |
/// | `noise` | .15 | μ |
/// | `highest` | 20 | the largest payoff |
///
/// **Data**: `subject`, `task`, payoffs `ax1`, `ax2`, `ax3`, `bx1`, … with their probabilities `ap1`, …, and those of the other scenario `aq1`, … (the same but for ambiguous lotteries B
/// where α ≠ 0), `chose_b`. **Oracle**: `risk_aversion` of the subject, `value_a`, `value_b`, `p_b`; effects `share_b` and `mean_p_b`.
///
/// # Errors
/// [`Error::SeedRequired`]; [`Error::InvalidOption`] for a level out of range.
///
/// # Examples
/// ```
/// use cocreate::prelude::*;
/// let made = LotteryTasks::new().seed(4).simulate()?;
/// let lottery = |l: &str| Lottery::new((1..=3).map(|i| (format!("{l}x{i}"), format!("{l}p{i}"))));
/// let fit = LotteryChoice::new("chose_b ~ 1", lottery("a"), lottery("b"), "subject").fit(&made.data)?;
/// let r = fit.coefficient("(Intercept)")?;
/// assert!((r.estimate - 0.5).abs() < 3.0 * r.std_error);
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LotteryTasks {
    /// How many subjects.
    pub subjects: usize,
    /// Choices of each.
    pub tasks: usize,
    /// Mean of r.
    pub risk_aversion: f64,
    /// Deviation of r over subjects.
    pub deviation: f64,
    /// a.
    pub expo: f64,
    /// γ and η.
    pub weighting: [f64; 2],
    /// λ, where there are losses.
    pub loss_aversion: Option<f64>,
    /// α.
    pub ambiguity: f64,
    /// μ.
    pub noise: f64,
    /// The largest payoff.
    pub highest: f64,
    /// Whether the oracle's rows are kept.
    pub keep_oracle: bool,
    /// The seed; without one the process refuses to run.
    pub seed: Option<Seed>,
}

impl Default for LotteryTasks {
    fn default() -> Self {
        Self {
            subjects: 100,
            tasks: 40,
            risk_aversion: 0.5,
            deviation: 0.0,
            expo: 0.0,
            weighting: [1.0, 1.0],
            loss_aversion: None,
            ambiguity: 0.0,
            noise: 0.15,
            highest: 20.0,
            keep_oracle: true,
            seed: None,
        }
    }
}

process!(LotteryTasks, subjects, "subjects");

/// A lottery, from the best payoff down.
#[derive(Clone, Copy, Debug, Default)]
struct Drawn {
    payoffs: [f64; PAYOFFS],
    first: [f64; PAYOFFS],
    second: [f64; PAYOFFS],
}

impl LotteryTasks {
    /// The process at its defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Draws the choices.
    ///
    /// # Errors
    /// See [`LotteryTasks`].
    pub fn simulate(&self) -> Result<Simulated> {
        let seed = seeded(self.seed, "the choices between lotteries")?.child("lottery tasks");
        self.check()?;
        let mut names = vec!["subject".to_owned(), "task".to_owned()];
        for lottery in ["a", "b"] {
            for kind in ["x", "p", "q"] {
                names.extend((1..=PAYOFFS).map(|i| format!("{lottery}{kind}{i}")));
            }
        }
        let mut fields: Vec<_> = names.into_iter().map(data).collect();
        fields.push(data_flag("chose_b"));
        fields.extend(["risk_aversion", "value_a", "value_b", "p_b"].map(oracle));
        let made = generate_units(
            self.subjects,
            seed,
            &fields,
            self.keep_oracle,
            |draws, subject, out| {
                let r = self.risk_aversion + self.deviation * draws.normal();
                for task in 0..self.tasks {
                    // What is at stake: gains, losses, or both.
                    let signs = match (self.loss_aversion, task % 3) {
                        (None, _) | (_, 0) => [1.0; PAYOFFS],
                        (_, 1) => [1.0, -1.0, -1.0],
                        _ => [-1.0; PAYOFFS],
                    };
                    let mut lottery = |ambiguous: bool| {
                        let mut payoffs =
                            signs.map(|s| s * (1.0 + draws.below(self.highest as usize) as f64));
                        payoffs.sort_unstable_by(|a, b| b.total_cmp(a));
                        let mut chances = || {
                            let mut cuts = [0, 0].map(|_| 1 + draws.below(99));
                            cuts.sort_unstable();
                            let [low, high] = cuts.map(|c| 0.01 * c as f64);
                            [low, high - low, 1.0 - high]
                        };
                        let first = chances();
                        let second = if ambiguous { chances() } else { first };
                        Drawn {
                            payoffs,
                            first,
                            second,
                        }
                    };
                    let (a, b) = (lottery(false), lottery(self.ambiguity.abs() > 0.0));
                    let value = [a, b].map(|l| self.value(&l, r));
                    let best = a.payoffs[0].max(b.payoffs[0]);
                    let worst = a.payoffs[PAYOFFS - 1].min(b.payoffs[PAYOFFS - 1]);
                    let range = self.utility(best, r) - self.utility(worst, r);
                    // Lotteries of one and the same payoff are all alike.
                    let gap = if range > 0.0 {
                        (value[1] - value[0]) / range
                    } else {
                        0.0
                    };
                    let chance = normal::cdf(gap / self.noise);
                    out.extend([subject as f64, task as f64]);
                    for l in [a, b] {
                        out.extend(l.payoffs.into_iter().chain(l.first).chain(l.second));
                    }
                    out.push(flag(draws.uniform() < chance));
                    out.extend([r, value[0], value[1], chance]);
                }
            },
        )?;
        let (share, mean) = (made.mean("chose_b"), made.mean("p_b"));
        let oracle = Oracle::new(made.oracle)
            .with("share_b", share)
            .with("mean_p_b", mean);
        Ok(Simulated {
            data: made.data,
            oracle,
        })
    }

    fn check(&self) -> Result<()> {
        let [gamma, eta] = self.weighting;
        let weighs = (gamma - 1.0).abs() > 0.0 || (eta - 1.0).abs() > 0.0;
        let numbers = [
            self.risk_aversion,
            self.deviation,
            self.expo,
            self.ambiguity,
        ];
        let positive = |x: f64| x > 0.0 && x.is_finite();
        let lost = self.loss_aversion.is_some();
        let bent = self.expo.abs() > 0.0;
        let refused = [
            (
                "noise, weighting or loss_aversion",
                ![self.noise, gamma, eta, self.loss_aversion.unwrap_or(1.0)]
                    .into_iter()
                    .all(positive),
                "positive finite numbers",
            ),
            (
                "risk_aversion, deviation, expo or ambiguity",
                !numbers.iter().all(|x| x.is_finite()) || self.deviation < 0.0,
                "finite numbers, and a deviation of zero or more",
            ),
            (
                "ambiguity",
                self.ambiguity.abs() > 0.0 && (weighs || lost || bent),
                "without weighting, loss aversion and expo-power",
            ),
            ("expo", bent && lost, "without loss aversion"),
            ("tasks", self.tasks == 0, "one or more"),
            (
                "highest",
                !(self.highest >= 2.0 && self.highest <= 1e6),
                "from 2 to a million",
            ),
        ];
        match refused.into_iter().find(|(_, wrong, _)| *wrong) {
            Some((name, _, expected)) => {
                Err(Error::invalid_option(name, format!("{self:?}"), expected))
            }
            None => Ok(()),
        }
    }

    fn utility(&self, x: f64, r: f64) -> f64 {
        let k = 1.0 - r;
        if let Some(lambda) = self.loss_aversion {
            return if x < 0.0 {
                -lambda * (-x).powf(k)
            } else {
                x.powf(k)
            };
        }
        if self.expo.abs() > 0.0 {
            return -(-self.expo * x.powf(k)).exp_m1() / self.expo;
        }
        let l = x.ln();
        if (k * l).abs() > 0.0 {
            (k * l).exp_m1() / k
        } else {
            l
        }
    }

    /// w, of a probability that sums of others may have led just beyond its range.
    fn weight(&self, p: f64) -> f64 {
        let [gamma, eta] = self.weighting;
        if p <= 0.0 {
            0.0
        } else if p >= 1.0 {
            1.0
        } else {
            (-eta * (-p.ln()).powf(gamma)).exp()
        }
    }

    fn value(&self, lottery: &Drawn, r: f64) -> f64 {
        let u = lottery.payoffs.map(|x| self.utility(x, r));
        let mean = |p: &[f64; PAYOFFS]| -> f64 { p.iter().zip(u).map(|(p, u)| p * u).sum() };
        if self.ambiguity.abs() > 0.0 {
            let [a, b] = [mean(&lottery.first), mean(&lottery.second)];
            // −(1/α) ln ½(e^{−αa} + e^{−αb}), from the middle.
            let half = 0.5 * self.ambiguity * (a - b);
            let cosh = half.abs() + (0.5 * (1.0 + (-2.0 * half.abs()).exp())).ln();
            return 0.5 * (a + b) - cosh / self.ambiguity;
        }
        let p = &lottery.first;
        let mut total = 0.0;
        let gain = |i: &usize| self.loss_aversion.is_none() || lottery.payoffs[*i] >= 0.0;
        let mut sum = 0.0;
        for i in (0..PAYOFFS).filter(gain) {
            total += (self.weight(sum + p[i]) - self.weight(sum)) * u[i];
            sum += p[i];
        }
        sum = 0.0;
        for i in (0..PAYOFFS).rev().filter(|i| !gain(i)) {
            total += (self.weight(sum + p[i]) - self.weight(sum)) * u[i];
            sum += p[i];
        }
        total
    }
}
