//! One row of the static process: the customer, the arms, the decision with and without education, and what is seen of it.

use super::fields::Detail;
use super::{ParticipationFlaw, StaticParticipation};
use crate::decision::{Cost, Preferences, Signals, Situation, Terms, Tool};
use crate::error::{Error, Result};
use crate::numeric::special::normal;
use crate::simulate::assignment::{Compliance, Stratum};
use crate::simulate::draws::Draws;
use crate::simulate::participation_choice::{Choice, Known, Problem, PurchaseTiming};
use crate::simulate::population::{Customer, Prepared};

/// The process with its population prepared.
pub(super) struct Fixed<'a> {
    process: &'a StaticParticipation,
    population: Prepared,
    covariates: usize,
    detail: Detail,
    /// Whether some do not take what they are offered.
    partial: bool,
    /// Deviation of the mean of the education's signals, and of the interim ones.
    signal_deviation: f64,
    interim_deviation: f64,
    hidden_persuasion: f64,
}

/// What the ninth decile of a belief lies above its median, in standard deviations: Φ⁻¹(0.9).
const NINTH_DECILE: f64 = 1.281_551_565_544_600_4;

impl<'a> Fixed<'a> {
    pub(super) fn new(process: &'a StaticParticipation, detail: Detail) -> Result<Self> {
        /// What [`ParticipationFlaw::EducationPersuades`] adds to beliefs.
        const HIDDEN: f64 = 0.5;
        let shares = process.shares.iter();
        if let Some(share) = shares
            .clone()
            .find(|share| !(**share >= 0.0 && **share <= 1.0))
        {
            return Err(Error::invalid_option("shares", share, "between 0 and 1"));
        }
        let scales = [
            ("noise of u_0", process.noise[0]),
            ("noise of L_0", process.noise[1]),
            ("effort_noise", process.effort_noise),
            ("rounding", process.rounding),
            ("report_noise", process.report_noise),
            ("ambiguity", process.ambiguity),
            ("selection", process.selection.abs()),
        ];
        for (name, value) in scales {
            if !(value >= 0.0 && value.is_finite()) {
                return Err(Error::invalid_option(
                    name,
                    value,
                    "zero or a positive finite number",
                ));
            }
        }
        if process.guarantees.is_empty() {
            return Err(Error::invalid_option(
                "guarantees",
                "none",
                "at least one level; 0 is no guarantee",
            ));
        }
        if process.ambiguity > 0.0 && process.timing == PurchaseTiming::BeforePurchase {
            return Err(Error::invalid_option(
                "ambiguity",
                process.ambiguity,
                "zero when the design comes before the purchase",
            ));
        }
        if process.ambiguity > 0.0 && process.guarantees.iter().any(|g| *g > 0.0) {
            return Err(Error::invalid_option(
                "ambiguity",
                process.ambiguity,
                "zero where guarantees are paid: with both, effort has no fast solution",
            ));
        }
        if process.interim.count() > 0 && process.timing == PurchaseTiming::BeforePurchase {
            return Err(Error::invalid_option(
                "interim",
                process.interim.count(),
                "no signal when the design comes before the purchase: nothing lies between payment and work",
            ));
        }
        process.compliance.checked()?;
        if process.tool >= 1.0 && process.task.effort_return > 0.0 {
            return Err(Error::invalid_option(
                "tool",
                process.tool,
                "a share below 1 where effort has a return: free effort has no bound",
            ));
        }
        let effortless = process
            .population
            .segments()
            .iter()
            .any(|(_, traits)| traits.mental_cost.median <= 0.0);
        if effortless && process.task.effort_return > 0.0 {
            return Err(Error::invalid_option(
                "mental_cost",
                0,
                "positive where effort has a return: free effort has no bound",
            ));
        }
        let fixed = Self {
            process,
            population: process.population.prepare()?,
            covariates: process.population.covariates().len(),
            detail,
            partial: process.compliance != Compliance::FULL,
            signal_deviation: deviation_of_average(process.education.signals),
            interim_deviation: deviation_of_average(process.interim),
            hidden_persuasion: if process.flaw == Some(ParticipationFlaw::EducationPersuades) {
                HIDDEN
            } else {
                0.0
            },
        };
        for guarantee in &process.guarantees {
            // What can be refused is refused here, before the rows are made.
            let terms = Terms {
                price: process.price,
                coupon: process.coupon,
                outside: process.outside,
                guarantee: *guarantee,
                tool: Tool::Share(process.tool),
                value_abandon: process.abandon,
                taste: process.taste,
                ..Terms::default()
            };
            let preferences = Preferences::smooth_ambiguity(0.0, process.ambiguity)?;
            Situation::new(preferences, Cost::material(0.0), process.task, terms)?;
        }
        Ok(fixed)
    }

    /// One customer. Everything is drawn, whatever the arm, so that a change of parameters leaves the shocks as they are;
    /// only what compliance and interim signals need is drawn where there are any.
    pub(super) fn row(&self, draws: &mut Draws, out: &mut [f64]) {
        let process = self.process;
        let mut customer = self.population.draw(draws);
        let assigned = process
            .shares
            .map(|share| f64::from(u8::from(draws.chance(share))));
        let [education, tool, coupon] = assigned;
        let guarantee = process.guarantees[draws.below(process.guarantees.len())];
        let raw: [f64; 8] = std::array::from_fn(|_| draws.normal());
        let [
            u0,
            l0,
            signal_noise,
            effort_error,
            report,
            median,
            p90,
            normal_noise,
        ] = raw;
        let laplace = draws.uniform();
        let task_noise = if process.flaw == Some(ParticipationFlaw::LaplaceTaskNoise) {
            laplace_quantile(laplace)
        } else {
            normal_noise
        };
        self.break_assumption(&mut customer, coupon);
        let stratum = if self.partial {
            self.stratum(&customer, draws.normal())
        } else {
            Stratum::Complier
        };
        let interim_error = if process.interim.count() > 0 {
            self.interim_deviation * draws.normal()
        } else {
            0.0
        };
        let r = customer.risk_aversion;
        let left = 1.0 - tool * process.tool;
        let problem = Problem {
            taste: process.taste,
            effort_return: process.task.effort_return,
            difficulty: process.task.difficulty,
            mental: left * customer.mental_cost,
            material: left * customer.material_cost,
            risk_aversion: r,
            ambiguity_aversion: r + process.ambiguity,
            guarantee,
            price: process.price - coupon * process.coupon,
            outside: process.outside + process.noise[0] * u0,
            abandon: process.abandon + process.noise[1] * l0,
            task_noise,
            interim: process.interim,
            thorough: self.detail >= Detail::Oracle,
            reach: 1.0,
            highest: 0.0,
        }
        .prepared();
        let prior = Known {
            mean: customer.belief_mean,
            variance: customer.belief_variance,
        };
        let lesson = &process.education;
        let taught_ability = customer.ability + lesson.productivity;
        let signal = taught_ability + self.signal_deviation * signal_noise;
        let decide = |belief: Known, ability: f64| {
            problem.choose(process.timing, belief, ability, ability + interim_error)
        };
        let takes = stratum.takes(education > 0.5);
        let (belief, ability) = if takes {
            (self.taught(prior, signal), taught_ability)
        } else {
            (prior, customer.ability)
        };
        let mine = decide(belief, ability);
        let seen = |value: f64| {
            if mine.participates > 0.5 {
                value
            } else {
                f64::NAN
            }
        };
        let shown_effort = if mine.participates > 0.5 {
            mine.effort * (process.effort_noise * effort_error).exp()
        } else {
            f64::NAN
        };
        let mut out = Columns { out, at: 0 };
        out.put(&customer.covariates[..self.covariates]);
        out.put(&[
            education,
            tool,
            guarantee,
            coupon * process.coupon,
            if takes && lesson.signals.count() > 0 {
                signal
            } else {
                f64::NAN
            },
            problem.price,
            self.reported(prior, report),
            prior.mean + process.report_noise * median,
            prior.mean + NINTH_DECILE * prior.variance.sqrt() + process.report_noise * p90,
            mine.buys,
            mine.participates,
            shown_effort,
            seen(mine.quality),
            seen(mine.success),
        ]);
        if process.interim.count() > 0 {
            let told = mine.buys > 0.5;
            out.put(&[if told {
                ability + interim_error
            } else {
                f64::NAN
            }]);
        }
        if self.partial {
            out.put(&[flag(takes)]);
        }
        for difficulty in &process.items {
            out.put(&[flag(customer.ability - difficulty + draws.logistic() > 0.0)]);
        }
        if self.detail >= Detail::Oracle {
            out.put(&[
                ability,
                prior.mean,
                prior.variance,
                belief.mean,
                belief.variance,
                customer.mental_cost,
                customer.material_cost,
                r,
                problem.outside - process.outside,
                problem.abandon - process.abandon,
                mine.effort,
                mine.optima,
                problem.believed_success(mine.standing, mine.log_effort),
                problem.true_success(ability, mine.log_effort),
                problem.believed_success(prior, 0.0) - problem.true_success(customer.ability, 0.0),
            ]);
            if process.interim.count() > 0 {
                out.put(&[mine.standing.mean, mine.standing.variance]);
            }
            if self.partial {
                out.put(&[f64::from(stratum as u8)]);
            }
        }
        out.put(&[mine.wtp]);
        if self.detail >= Detail::Effects {
            let (without, with) = if takes {
                (decide(prior, customer.ability), mine)
            } else {
                (mine, decide(self.taught(prior, signal), taught_ability))
            };
            let experienced =
                |choice: &Choice, able: f64| problem.experienced(process.timing, choice, able);
            let over = flag(customer.belief_mean > customer.ability);
            let complier = flag(stratum == Stratum::Complier);
            let effect = complier * (with.participates - without.participates);
            let profits = [
                self.profit(&problem, &without, 0.0),
                self.profit(&problem, &with, 1.0),
            ];
            let outcomes = [
                [without.buys, with.buys],
                [without.participates, with.participates],
                [
                    without.participates * without.success,
                    with.participates * with.success,
                ],
                [without.anticipated, with.anticipated],
                [
                    experienced(&without, customer.ability),
                    experienced(&with, taught_ability),
                ],
                profits,
            ];
            out.put(outcomes.as_flattened());
            out.put(&[
                effect * over,
                over,
                effect * (1.0 - over),
                1.0 - over,
                flag(mine.optima > 1.0),
            ]);
            if self.partial {
                out.put(&[complier]);
                out.put(&outcomes.map(|[y0, y1]| complier * (y1 - y0)));
            }
        }
    }

    /// What the firm earns from a choice.
    #[inline]
    fn profit(&self, problem: &Problem, choice: &Choice, taught: f64) -> f64 {
        let process = self.process;
        let guarantee = problem.guarantee;
        let insured = choice.participates > 0.5 && guarantee > 0.0;
        let claims = if insured && !choice.true_success.is_nan() {
            guarantee * (1.0 - choice.true_success)
        } else {
            0.0
        };
        choice.buys * problem.price
            - choice.participates * (process.firm_cost * (1.0 - process.customer_share) + claims)
            - process.education_cost * taught
    }

    /// Who takes the lesson: the customers in order of a latent reluctance that rises with the belief's mean.
    fn stratum(&self, customer: &Customer, own: f64) -> Stratum {
        let selection = self.process.selection;
        let reluctance =
            (own + selection * customer.belief_mean) / (1.0 + selection * selection).sqrt();
        self.process.compliance.at(normal::cdf(reluctance))
    }

    /// What the flaws change in the customer.
    fn break_assumption(&self, customer: &mut Customer, coupon: f64) {
        match self.process.flaw {
            Some(ParticipationFlaw::Overprecision) => customer.belief_variance *= 0.5,
            Some(ParticipationFlaw::ChoiceOnAbility) => {
                customer.material_cost -= 0.3 * customer.ability;
            }
            Some(ParticipationFlaw::CouponTeaches) => customer.ability += 0.3 * coupon,
            _ => {}
        }
    }

    /// The belief after education: the prior moves with what is learned, the signals update it, persuasion comes on
    /// top. It is [`Education::belief`](crate::decision::Education::belief) in plain numbers.
    #[inline]
    fn taught(&self, prior: Known, signal: f64) -> Known {
        let lesson = &self.process.education;
        let moved = Known {
            mean: prior.mean + lesson.productivity,
            ..prior
        };
        let learned = moved.updated(lesson.signals, signal);
        Known {
            mean: learned.mean + lesson.persuasion + self.hidden_persuasion,
            ..learned
        }
    }

    /// The success probability at no effort as the customer reports it.
    fn reported(&self, prior: Known, error: f64) -> f64 {
        let process = self.process;
        let z = (prior.mean - process.task.difficulty) / (1.0 + prior.variance).sqrt();
        let p = normal::cdf(z + process.report_noise * error);
        if process.rounding > 0.0 {
            rounded(p / process.rounding) * process.rounding
        } else {
            p
        }
    }
}

/// A row that is filled from left to right.
struct Columns<'a> {
    out: &'a mut [f64],
    at: usize,
}

impl Columns<'_> {
    #[inline]
    fn put(&mut self, values: &[f64]) {
        let end = self.at + values.len();
        self.out[self.at..end].copy_from_slice(values);
        self.at = end;
    }
}

#[inline]
fn flag(yes: bool) -> f64 {
    f64::from(u8::from(yes))
}

/// A number that is not negative to the nearest whole one, halves up: as `f64::round`, which is a call on machines without the instruction.
#[inline]
fn rounded(x: f64) -> f64 {
    /// From here on every number is whole.
    const WHOLE: f64 = 4_503_599_627_370_496.0;
    if x >= WHOLE {
        return x;
    }
    let below = (x as u64) as f64;
    below + flag(x - below >= 0.5)
}

/// Standard deviation of the average of some signals.
fn deviation_of_average(signals: Signals) -> f64 {
    (signals.variance() / f64::from(signals.count().max(1))).sqrt()
}

/// Quantile of the Laplace distribution with variance one.
fn laplace_quantile(u: f64) -> f64 {
    let tail = (1.0 - 2.0 * (u - 0.5).abs()).ln() / std::f64::consts::SQRT_2;
    if u < 0.5 { tail } else { -tail }
}
