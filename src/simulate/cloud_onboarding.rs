//! Cloud onboarding: customers pay first and co-create the service later; some are educated when they sign up.

use super::closed::{flag, not_negative, over_normal, process, seeded, share, solve};
use super::generate::{data, data_flag, generate, oracle};
use super::oracle::{Oracle, Simulated};
use crate::error::{Error, Result};
use crate::numeric::Seed;
use crate::numeric::permutation::shuffle;
use serde::{Deserialize, Serialize};

/// Days of the first week, and of eight months.
const WEEK: usize = 7;
const EIGHT_MONTHS: usize = 243;

/// An assumption that the process breaks.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum OnboardingFlaw {
    /// Education is not drawn at random: the able are educated more often (their log-odds rise by one a unit of ability).
    SelfSelection,
    /// The effect on churn does not fade, so that hazards are proportional over the eight months.
    LastingEffect,
}

/// Customers of a cloud service, of whom some are educated at the beginning (co-creation *after* purchase).
///
/// Each has ability a ~ N(0, 1). The daily churn hazard is `h_t·exp(−ηa)`, with h_t = `hazard_week` in the first week
/// and `hazard_later` after; education multiplies it by `exp(−δ·2^{−(t − ½)/half_life})` on day t, with δ solved so
/// that week-1 churn is halved. Questions in the first week are Poisson with a gamma mean, multiplied by `1 − .1955`.
/// Usage on a day before churn is gamma over customers, times `exp(φa − φ²/2)`, multiplied by a factor for the
/// educated that is solved so that *total* usage over eight months, zero after churn, is 46.57 % higher.
///
/// Sizes and effects: Retana, Forman & Wu, *M&SOM* (proactive education, 2,673 customers, 366 of them educated); the
/// half-life, hazards, levels of questions and usage, dispersion and the roles of ability are **assumed**.
///
/// | field | default | meaning |
/// |---|---|---|
/// | `customers`, `educated` | 2673, 366 | exactly so many are educated |
/// | `churn_ratio` | .5 | week-1 churn of the educated over that of the others |
/// | `question_effect` | −.1955 | on the mean number of questions |
/// | `usage_effect` | .4657 | on mean total usage in eight months |
/// | `half_life` | 3 | days |
/// | `hazard_week`, `hazard_later` | .02, .003 | daily, at a = 0 |
/// | `questions` | 1.5 | mean in the first week, without education |
/// | `usage` | 10 | mean a day |
/// | `dispersion` | 1, .5 | gamma variances of questions and usage, mean one |
/// | `roles` | .3, −.3, .3 | what a unit of ability does to ln hazard (with minus), ln questions, ln usage |
///
/// **Data**: `educated`, `days` (until churn or the end of the 243), `churned`, `churned_week1`, `questions`, `usage`
/// (total), `usage_per_day` (of days as a customer). **Oracle**: `ability`, and both potential outcomes of each.
/// Effects: sample means of the potential outcomes' differences and ratios, expectations by quadrature
/// (`expected_…`), and what the naive comparison of usage a day among those who are still there at the end gives
/// (`naive_survivors`) beside the true factor on usage a day (`usage_per_day_ratio`).
///
/// # Errors
/// [`Error::SeedRequired`], [`Error::InvalidOption`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CloudOnboarding {
    /// How many customers.
    pub customers: usize,
    /// How many of them are educated.
    pub educated: usize,
    /// Week-1 churn of the educated over that of the others.
    pub churn_ratio: f64,
    /// Relative effect on questions.
    pub question_effect: f64,
    /// Relative effect on total usage.
    pub usage_effect: f64,
    /// Days in which the effect on ln hazard halves.
    pub half_life: f64,
    /// Daily hazard in the first week.
    pub hazard_week: f64,
    /// Daily hazard after it.
    pub hazard_later: f64,
    /// Mean number of questions in the first week.
    pub questions: f64,
    /// Mean usage a day.
    pub usage: f64,
    /// Gamma variances of questions and usage.
    pub dispersion: [f64; 2],
    /// What ability does to −ln hazard, ln questions and ln usage.
    pub roles: [f64; 3],
    /// Whether the oracle's rows are kept.
    pub keep_oracle: bool,
    /// The assumption that is broken.
    pub flaw: Option<OnboardingFlaw>,
    /// The seed; without one the process refuses to run.
    pub seed: Option<Seed>,
}

impl Default for CloudOnboarding {
    fn default() -> Self {
        Self {
            customers: 2_673,
            educated: 366,
            churn_ratio: 0.5,
            question_effect: -0.1955,
            usage_effect: 0.4657,
            half_life: 3.0,
            hazard_week: 0.02,
            hazard_later: 0.003,
            questions: 1.5,
            usage: 10.0,
            dispersion: [1.0, 0.5],
            roles: [0.3, -0.3, 0.3],
            keep_oracle: true,
            flaw: None,
            seed: None,
        }
    }
}

process!(CloudOnboarding, customers, "customers");

/// Survival of one customer over the days: index t is the share alive after t days.
type Survival = [f64; EIGHT_MONTHS + 1];

impl CloudOnboarding {
    /// The process at its defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Breaks one assumption.
    pub fn misspecify(mut self, flaw: OnboardingFlaw) -> Self {
        self.flaw = Some(flaw);
        self
    }

    /// Draws the customers.
    ///
    /// # Errors
    /// As on the type.
    pub fn simulate(&self) -> Result<Simulated> {
        let seed = seeded(self.seed, "cloud onboarding")?.child("cloud onboarding");
        let solved = self.solve()?;
        let hazards = [0.0, solved.delta].map(|delta| self.hazards(delta));
        let chosen = self.assignment(seed);
        let names = ["days", "questions", "usage", "usage_per_day"];
        let mut fields = vec![data_flag("educated")];
        fields.extend([
            data("days"),
            data_flag("churned"),
            data_flag("churned_week1"),
        ]);
        fields.extend([data("questions"), data("usage"), data("usage_per_day")]);
        fields.extend([
            oracle("ability"),
            oracle("churned_week1_0"),
            oracle("churned_week1_1"),
        ]);
        for name in names {
            fields.extend([0, 1].map(|arm| oracle(format!("{name}_{arm}"))));
        }
        let made = generate(
            self.customers,
            seed,
            &fields,
            self.keep_oracle,
            |draws, index, out| {
                let ability = draws.normal();
                let u = draws.uniform();
                let rates = self.dispersion.map(|variance| {
                    if variance > 0.0 {
                        draws.gamma(1.0 / variance) * variance
                    } else {
                        1.0
                    }
                });
                let (poisson, self_selected) = (draws.uniform(), draws.logistic());
                let educated = match self.flaw {
                    Some(OnboardingFlaw::SelfSelection) => {
                        let odds = self.educated as f64 / (self.customers as f64);
                        ability + (odds / (1.0 - odds)).ln() > self_selected
                    }
                    _ => chosen[index],
                };
                let phi = self.roles[2];
                let lift = (phi * ability - 0.5 * phi * phi).exp();
                let ask = (self.roles[1] * ability - 0.5 * self.roles[1].powi(2)).exp();
                let outcomes: [[f64; 5]; 2] = [0, 1].map(|k| {
                    let arm = k as f64;
                    let days = self.days(&hazards[k], ability, u);
                    let per_day =
                        self.usage * rates[1] * lift * (1.0 + arm * (solved.usage_factor - 1.0));
                    let mean = self.questions * rates[0] * ask * (1.0 + arm * self.question_effect);
                    [
                        days,
                        poisson_quantile(mean, poisson),
                        days * per_day,
                        per_day,
                        flag(days < WEEK as f64),
                    ]
                });
                let mine = outcomes[usize::from(educated)];
                out[..10].copy_from_slice(&[
                    flag(educated),
                    mine[0],
                    flag(mine[0] < EIGHT_MONTHS as f64),
                    mine[4],
                    mine[1],
                    mine[2],
                    mine[3],
                    ability,
                    outcomes[0][4],
                    outcomes[1][4],
                ]);
                for (i, pair) in out[10..].chunks_exact_mut(2).enumerate() {
                    pair.copy_from_slice(&[outcomes[0][i], outcomes[1][i]]);
                }
            },
        )?;
        let ratio = |name: &str| made.mean(&format!("{name}_1")) / made.mean(&format!("{name}_0"));
        let oracle = Oracle::new(made.oracle.clone())
            .with("churn_week1_ratio", ratio("churned_week1"))
            .with("questions_ratio", ratio("questions"))
            .with("usage_ratio", ratio("usage"))
            .with("usage_per_day_ratio", solved.usage_factor)
            .with("expected_churn_week1_0", solved.churn[0])
            .with("expected_churn_week1_1", solved.churn[1])
            .with("expected_days_0", solved.days[0])
            .with("expected_days_1", solved.days[1])
            .with("naive_survivors", solved.naive_survivors)
            .with("delta", solved.delta);
        Ok(Simulated {
            data: made.data,
            oracle,
        })
    }

    /// Who is educated: exactly so many, all choices equally likely.
    fn assignment(&self, seed: Seed) -> Vec<bool> {
        let mut chosen: Vec<bool> = (0..self.customers).map(|i| i < self.educated).collect();
        shuffle(&mut chosen, &mut seed.child("assignment").stream(0));
        chosen
    }

    /// The daily hazard at a = 0 on day t (from 1).
    fn hazard(&self, day: usize) -> f64 {
        if day <= WEEK {
            self.hazard_week
        } else {
            self.hazard_later
        }
    }

    /// What education does to the ln hazard on day t.
    fn fading(&self, day: usize) -> f64 {
        if self.flaw == Some(OnboardingFlaw::LastingEffect) {
            return 1.0;
        }
        (-(day as f64 - 0.5) / self.half_life).exp2()
    }

    /// The daily hazards at a = 0 under education of strength `delta`.
    fn hazards(&self, delta: f64) -> [f64; EIGHT_MONTHS] {
        std::array::from_fn(|i| self.hazard(i + 1) * (-delta * self.fading(i + 1)).exp())
    }

    /// Days as a customer: the first day on which survival falls below `u`, as whole days survived.
    fn days(&self, hazards: &[f64; EIGHT_MONTHS], ability: f64, u: f64) -> f64 {
        let relief = (-self.roles[0] * ability).exp();
        let mut alive = 1.0;
        for (day, hazard) in hazards.iter().enumerate() {
            alive *= 1.0 - (hazard * relief).min(1.0);
            if alive < u {
                return day as f64;
            }
        }
        EIGHT_MONTHS as f64
    }

    fn survival(&self, hazards: &[f64; EIGHT_MONTHS], ability: f64) -> Survival {
        let relief = (-self.roles[0] * ability).exp();
        let mut survival = [1.0; EIGHT_MONTHS + 1];
        for (day, hazard) in hazards.iter().enumerate() {
            survival[day + 1] = survival[day] * (1.0 - (hazard * relief).min(1.0));
        }
        survival
    }

    /// Solves δ from the churn ratio and the factor on usage from the effect on total usage.
    fn solve(&self) -> Result<Solved> {
        /// Beyond, not even a service without churn on the first days could do it.
        const STRONGEST: f64 = 60.0;
        share("churn_ratio", self.churn_ratio)?;
        share("hazard_week", self.hazard_week)?;
        share("hazard_later", self.hazard_later)?;
        for (name, value) in [
            ("questions", self.questions),
            ("usage", self.usage),
            ("variance of questions", self.dispersion[0]),
            ("variance of usage", self.dispersion[1]),
            ("1 + question_effect", 1.0 + self.question_effect),
            ("1 + usage_effect", 1.0 + self.usage_effect),
        ] {
            not_negative(name, value)?;
        }
        if self.half_life.is_nan() || self.half_life <= 0.0 {
            return Err(Error::invalid_option(
                "half_life",
                self.half_life,
                "a positive number of days",
            ));
        }
        if self.educated == 0 || self.educated >= self.customers {
            return Err(Error::invalid_option(
                "educated",
                self.educated,
                format!("between 1 and {}", self.customers.saturating_sub(1)),
            ));
        }
        let churn = |delta: f64| {
            over_normal(|a| {
                let relief = (-self.roles[0] * a).exp();
                let alive: f64 = (1..=WEEK)
                    .map(|day| {
                        let h = self.hazard(day) * relief * (-delta * self.fading(day)).exp();
                        1.0 - h.min(1.0)
                    })
                    .product();
                1.0 - alive
            })
        };
        let without = churn(0.0);
        let delta = solve(
            "churn_ratio",
            1.0 - self.churn_ratio,
            (0.0, STRONGEST),
            |delta| 1.0 - churn(delta) / without,
        )?;
        let phi = self.roles[2];
        let lift = |a: f64| (phi * a - 0.5 * phi * phi).exp();
        let days = |s: &Survival| s[1..].iter().sum::<f64>();
        let mut totals = [[0.0; 4]; 2];
        for (arm, total) in totals.iter_mut().enumerate() {
            let hazards = self.hazards(delta * arm as f64);
            *total = over_ability(|a| {
                let s = self.survival(&hazards, a);
                let end = s[EIGHT_MONTHS];
                [days(&s), days(&s) * lift(a), end, end * lift(a)]
            });
        }
        let usage_factor = (1.0 + self.usage_effect) * totals[0][1] / totals[1][1];
        let among_survivors = totals.map(|t| t[3] / t[2]);
        Ok(Solved {
            delta,
            usage_factor,
            churn: [without, churn(delta)],
            days: totals.map(|t| t[0]),
            naive_survivors: usage_factor * among_survivors[1] / among_survivors[0],
        })
    }
}

/// Means of four functions of ability over its N(0, 1), by the trapezoid rule on smooth functions.
fn over_ability(f: impl Fn(f64) -> [f64; 4]) -> [f64; 4] {
    const END: f64 = 8.0;
    const STEPS: i32 = 128;
    let step = 2.0 * END / f64::from(STEPS);
    let mut total = [0.0; 4];
    for i in 0..=STEPS {
        let a = f64::from(i) * step - END;
        let weight = crate::numeric::special::normal::pdf(a) * step;
        for (sum, value) in total.iter_mut().zip(f(a)) {
            *sum += weight * value;
        }
    }
    total
}

/// What was solved, and what follows from it in expectation.
#[derive(Clone, Copy, Debug)]
struct Solved {
    delta: f64,
    usage_factor: f64,
    churn: [f64; 2],
    days: [f64; 2],
    naive_survivors: f64,
}

/// The number of a Poisson distribution at this probability, so that both potential outcomes come of one draw. Means
/// are small here.
fn poisson_quantile(mean: f64, u: f64) -> f64 {
    /// Far beyond any count that a customer asks.
    const MOST: f64 = 10_000.0;
    let mut k = 0.0;
    let mut p = (-mean).exp();
    let mut cumulated = p;
    while cumulated < u && k < MOST {
        k += 1.0;
        p *= mean / k;
        cumulated += p;
    }
    k
}
