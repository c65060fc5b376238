//! One row of the static process: the customer, the arms, the decision with and without education, and what is seen of it.

use super::{ParticipationFlaw, StaticParticipation};
use crate::decision::{Cost, Preferences, Situation, Terms, Tool};
use crate::error::{Error, Result};
use crate::numeric::special::normal;
use crate::simulate::draws::Draws;
use crate::simulate::generate::{Field, data, data_flag, oracle, oracle_flag, summed};
use crate::simulate::participation_choice::{Choice, Known, Problem, PurchaseTiming};
use crate::simulate::population::{Customer, Prepared, covariate_fields};

/// The columns, in the order in which [`Fixed::row`] writes them.
pub(super) fn fields(process: &StaticParticipation) -> Vec<Field> {
    let mut fields = covariate_fields(&process.population);
    fields.extend(["education", "tool"].map(data_flag));
    fields.extend(["guarantee", "coupon", "signal", "price"].map(data));
    fields.extend(["reported_success", "belief_median", "belief_p90"].map(data));
    fields.extend(["buys", "participates"].map(data_flag));
    fields.extend(["effort", "quality", "success"].map(data));
    fields.extend(["ability", "prior_mean", "prior_variance"].map(oracle));
    fields.extend(["belief_mean", "belief_variance"].map(oracle));
    fields.extend(["mental_cost", "material_cost", "risk_aversion"].map(oracle));
    fields.extend(["outside_shock", "abandon_shock"].map(oracle));
    fields.extend(["true_effort", "believed_success", "true_success", "wtp"].map(oracle));
    fields.extend(["buys_0", "buys_1", "participates_0", "participates_1"].map(oracle_flag));
    fields.extend(["success_0", "success_1"].map(oracle_flag));
    fields.extend(["anticipated_0", "anticipated_1"].map(oracle));
    fields.extend(["experienced_0", "experienced_1"].map(oracle));
    fields.extend(["profit_0", "profit_1"].map(oracle));
    fields.extend(
        [
            "effect_over",
            "over",
            "effect_under",
            "under",
            "calibration_gap",
        ]
        .map(summed),
    );
    fields.extend((1..=process.items.len()).map(|k| data_flag(format!("item_{k}"))));
    fields
}

/// The process with its population prepared.
pub(super) struct Fixed<'a> {
    process: &'a StaticParticipation,
    population: Prepared,
    covariates: usize,
    /// Deviation of the mean of the education's signals.
    signal_deviation: f64,
    hidden_persuasion: f64,
}

/// What the ninth decile of a belief lies above its median, in standard deviations: Φ⁻¹(0.9).
const NINTH_DECILE: f64 = 1.281_551_565_544_600_4;

impl<'a> Fixed<'a> {
    pub(super) fn new(process: &'a StaticParticipation) -> Result<Self> {
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
        let signals = process.education.signals;
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
            signal_deviation: (signals.variance() / f64::from(signals.count().max(1))).sqrt(),
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

    /// One customer. Everything is drawn, whatever the arm, so that a change of parameters leaves the shocks as they are.
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
        let taught = self.taught(prior, signal);
        let without = problem.choose(process.timing, prior, customer.ability);
        let with = problem.choose(process.timing, taught, taught_ability);
        let (mine, belief, ability) = if education > 0.5 {
            (&with, taught, taught_ability)
        } else {
            (&without, prior, customer.ability)
        };
        let profit = |c: &Choice, taught: f64| {
            let claims = if c.participates > 0.5 && guarantee > 0.0 && !c.true_success.is_nan() {
                guarantee * (1.0 - c.true_success)
            } else {
                0.0
            };
            c.buys * problem.price
                - c.participates * (process.firm_cost * (1.0 - process.customer_share) + claims)
                - process.education_cost * taught
        };
        let seen = |value: f64| {
            if mine.participates > 0.5 {
                value
            } else {
                f64::NAN
            }
        };
        let reported = self.reported(prior, report);
        let effect = with.participates - without.participates;
        let over = f64::from(u8::from(customer.belief_mean > customer.ability));
        // What only the oracle's rows need is not computed without them.
        let (believed, truly, gap) = if process.keep_oracle {
            (
                problem.believed_success(belief, mine.log_effort),
                problem.true_success(ability, mine.log_effort),
                problem.believed_success(prior, 0.0) - problem.true_success(customer.ability, 0.0),
            )
        } else {
            (f64::NAN, f64::NAN, f64::NAN)
        };
        let shown_effort = if mine.participates > 0.5 {
            mine.effort * (process.effort_noise * effort_error).exp()
        } else {
            f64::NAN
        };
        let deviation = prior.variance.sqrt();
        let (head, rest) = out.split_at_mut(self.covariates);
        head.copy_from_slice(&customer.covariates[..self.covariates]);
        let values = [
            education,
            tool,
            guarantee,
            coupon * process.coupon,
            if education > 0.5 && lesson.signals.count() > 0 {
                signal
            } else {
                f64::NAN
            },
            problem.price,
            reported,
            prior.mean + process.report_noise * median,
            prior.mean + NINTH_DECILE * deviation + process.report_noise * p90,
            mine.buys,
            mine.participates,
            shown_effort,
            seen(mine.quality),
            seen(mine.success),
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
            believed,
            truly,
            mine.wtp,
            without.buys,
            with.buys,
            without.participates,
            with.participates,
            without.participates * without.success,
            with.participates * with.success,
            without.anticipated,
            with.anticipated,
            without.experienced,
            with.experienced,
            profit(&without, 0.0),
            profit(&with, 1.0),
            effect * over,
            over,
            effect * (1.0 - over),
            1.0 - over,
            gap,
        ];
        let (fixed, items) = rest.split_at_mut(values.len());
        fixed.copy_from_slice(&values);
        for (item, difficulty) in items.iter_mut().zip(&process.items) {
            *item = f64::from(u8::from(
                customer.ability - difficulty + draws.logistic() > 0.0,
            ));
        }
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
    /// top. It is [`Education::belief`] with the gain taken apart.
    fn taught(&self, prior: Known, signal: f64) -> Known {
        let lesson = &self.process.education;
        let information = f64::from(lesson.signals.count()) * prior.variance;
        let gain = if information > 0.0 {
            information / (information + lesson.signals.variance())
        } else {
            0.0
        };
        let mean = prior.mean + lesson.productivity;
        Known {
            mean: mean + gain * (signal - mean) + lesson.persuasion + self.hidden_persuasion,
            variance: prior.variance * (1.0 - gain),
        }
    }

    /// The success probability at no effort as the customer reports it.
    fn reported(&self, prior: Known, error: f64) -> f64 {
        let process = self.process;
        let z = (prior.mean - process.task.difficulty) / (1.0 + prior.variance).sqrt();
        let p = normal::cdf(z + process.report_noise * error);
        if process.rounding > 0.0 {
            (p / process.rounding).round() * process.rounding
        } else {
            p
        }
    }
}

/// Quantile of the Laplace distribution with variance one.
fn laplace_quantile(u: f64) -> f64 {
    let tail = (1.0 - 2.0 * (u - 0.5).abs()).ln() / std::f64::consts::SQRT_2;
    if u < 0.5 { tail } else { -tail }
}
