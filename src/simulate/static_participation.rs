//! The flagship process: customers of uncertain ability decide whether to buy and to co-create, in a factorial experiment of
//! education, tool, guarantee and coupon.

use super::draws::Draws;
use super::generate::{Field, data, data_flag, generate, oracle, oracle_flag, summed};
use super::oracle::{Oracle, Simulated};
use super::participation_choice::{Choice, Known, Problem, PurchaseTiming};
use super::population::{Customer, Population, Traits, covariate_fields};
use crate::decision::{Cost, Education, Preferences, Signals, Situation, Task, Terms, Tool};
use crate::error::{Error, Result};
use crate::numeric::Seed;
use crate::numeric::special::normal;
use serde::{Deserialize, Serialize};

/// An assumption that the process breaks, one at a time, to see what an estimator that makes it does then.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ParticipationFlaw {
    /// Customers believe twice as precisely as they know: the stated belief variance is half the true one.
    Overprecision,
    /// Choices load on ability directly, not only through the belief's mean: the able find the task cheaper (c_0 falls by .3 a unit).
    ChoiceOnAbility,
    /// The coupon teaches: it raises ability by .3, so that it is no longer excluded from success.
    CouponTeaches,
    /// Education persuades: it moves the belief's mean by .5 beyond what it tells.
    EducationPersuades,
    /// Task noise is Laplace, with variance one, instead of normal.
    LaplaceTaskNoise,
}

/// A static participation experiment: who buys, who takes part, who succeeds, under randomised education, tool, guarantee and
/// coupon, in the notation of the crate's model (form 3, CARA over a continuous quality).
///
/// For every customer the process draws a, m, v, c_m, c_0 and r from the [`Population`], measures m and v before treatment, assigns
/// the arms independently of each other and of everything else, lets education give n signals, and lets the customer decide with the
/// anticipated values at the timing given (see [`PurchaseTiming`]). Outside utility and the value of giving up have each a normal
/// part that the customer knows and the researcher does not. All levels are **assumed**.
///
/// | field | default | meaning |
/// |---|---|---|
/// | `population` | [`Traits::default`] | a, m, v, b(x), c_m, c_0, r |
/// | `task` | d 0.3, γ 0.5 | difficulty, effort return |
/// | `taste` | 1.5 | θ |
/// | `price`, `outside`, `abandon` | 0.6, 0, −0.1 | p, u_0, L_0 |
/// | `ambiguity` | 0 | α − r; only after purchase and without guarantees |
/// | `education` | 2 signals of variance 1, no productivity, no persuasion | in the education arm |
/// | `tool` | 0.4 | share c_T of the cost that the tool takes away |
/// | `guarantees` | 0, 0.3, 0.6 | levels of G, equally likely |
/// | `coupon` | 0.3 | off the price in the coupon arm |
/// | `shares` | ½ each | probabilities of education, tool, coupon |
/// | `noise` | 0.5, 0.3 | standard deviations of the unseen parts of u_0 and L_0 |
/// | `effort_noise` | 0.2 | measurement error of ln effort |
/// | `rounding` | 0.05 | reported success probabilities are rounded to multiples of this |
/// | `report_noise` | 0.1 | standard deviation of the error in reported beliefs (probit and ability scale) |
/// | `items` | none | difficulties of Rasch items answered before treatment, `item_1`, … |
/// | `firm_cost`, `customer_share`, `education_cost` | 0.2, 0.5, 0.05 | k_f, h, K_E |
///
/// **Data**: covariates, `education`, `tool`, `guarantee`, `coupon` (money off), `signal` (mean of the signals, missing without), `price`
/// (paid), `reported_success` (rounded Φ((m−d)/√(1+v)) at no effort), `belief_median`, `belief_p90` (reported quantiles of the belief),
/// `buys`, `participates`, and of participants only `effort`, `quality`, `success`; `item_k`.
///
/// **Oracle**, a row a customer: ability, belief before and after, costs, shocks, believed and true success, potential outcomes without
/// and with education (`buys_0`, `buys_1`, `participates_0` …, at the other arms as assigned), effort, WTP, anticipated and
/// experienced surplus, profit. **Effects** of education: `itt_purchase`, `itt_participation`, `itt_success`, the same among the
/// over- and the underconfident (CATE), on surpluses and profit; `calibration`, the mean of believed less true success at the prior
/// (only with the oracle's rows).
///
/// ```
/// use cocreate::simulate::{PurchaseTiming, StaticParticipation};
/// let made = StaticParticipation::new(PurchaseTiming::AfterPurchase).customers(20_000).seed(7).simulate()?;
/// // Randomised: the difference in means is near the mean of the individual effects.
/// let (taught, bought) = (made.data.flag("education")?, made.data.flag("participates")?);
/// let rate = |arm: bool| {
///     let of_arm = taught.iter().zip(bought).filter(|(t, _)| **t == arm);
///     of_arm.clone().filter(|(_, b)| **b).count() as f64 / of_arm.count() as f64
/// };
/// assert!((rate(true) - rate(false) - made.oracle.effect("itt_participation")?).abs() < 0.03);
/// # Ok::<(), cocreate::Error>(())
/// ```
///
/// # Errors
/// [`Error::SeedRequired`]; [`Error::InvalidOption`] for a parameter outside its range; those of the population.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StaticParticipation {
    /// When the customer pays.
    pub timing: PurchaseTiming,
    /// How many customers.
    pub customers: usize,
    /// Who they are.
    pub population: Population,
    /// What is to be done.
    pub task: Task,
    /// θ, money per unit of quality.
    pub taste: f64,
    /// p.
    pub price: f64,
    /// Mean of u_0.
    pub outside: f64,
    /// Mean of L_0.
    pub abandon: f64,
    /// α − r.
    pub ambiguity: f64,
    /// What education does.
    pub education: Education,
    /// c_T.
    pub tool: f64,
    /// Levels of G.
    pub guarantees: Vec<f64>,
    /// What the coupon takes off the price.
    pub coupon: f64,
    /// Probabilities of education, tool and coupon.
    pub shares: [f64; 3],
    /// Standard deviations of the unseen parts of u_0 and L_0.
    pub noise: [f64; 2],
    /// Standard deviation of the error in ln effort.
    pub effort_noise: f64,
    /// Grid of reported probabilities; zero for no rounding.
    pub rounding: f64,
    /// Standard deviation of the error in reported beliefs.
    pub report_noise: f64,
    /// Difficulties of the Rasch items.
    pub items: Vec<f64>,
    /// k_f, what a participant costs the firm when the customer takes over nothing.
    pub firm_cost: f64,
    /// h, the share of production that the customer takes over.
    pub customer_share: f64,
    /// K_E, what education costs the firm, per educated customer.
    pub education_cost: f64,
    /// Whether the oracle's rows are kept (its effects always are).
    pub keep_oracle: bool,
    /// The assumption that is broken.
    pub flaw: Option<ParticipationFlaw>,
    /// The seed; without one the process refuses to run.
    pub seed: Option<Seed>,
}

impl StaticParticipation {
    /// The process at its defaults. The timing has none: whether the price is an option or sunk changes every sign.
    pub fn new(timing: PurchaseTiming) -> Self {
        Self {
            timing,
            customers: 5_000,
            population: Population::new(Traits::default()),
            task: Task {
                difficulty: 0.3,
                effort_return: 0.5,
            },
            taste: 1.5,
            price: 0.6,
            outside: 0.0,
            abandon: -0.1,
            ambiguity: 0.0,
            education: Education {
                signals: Signals::NONE.with_count(2),
                productivity: 0.0,
                persuasion: 0.0,
            },
            tool: 0.4,
            guarantees: vec![0.0, 0.3, 0.6],
            coupon: 0.3,
            shares: [0.5; 3],
            noise: [0.5, 0.3],
            effort_noise: 0.2,
            rounding: 0.05,
            report_noise: 0.1,
            items: Vec::new(),
            firm_cost: 0.2,
            customer_share: 0.5,
            education_cost: 0.05,
            keep_oracle: true,
            flaw: None,
            seed: None,
        }
    }

    /// How many customers.
    pub fn customers(mut self, customers: usize) -> Self {
        self.customers = customers;
        self
    }

    /// Who they are.
    pub fn population(mut self, population: Population) -> Self {
        self.population = population;
        self
    }

    /// The seed.
    pub fn seed(mut self, seed: impl Into<Seed>) -> Self {
        self.seed = Some(seed.into());
        self
    }

    /// Whether the oracle's rows are kept; without them memory is that of the data alone.
    pub fn keep_oracle(mut self, keep: bool) -> Self {
        self.keep_oracle = keep;
        self
    }

    /// Breaks one assumption.
    pub fn misspecify(mut self, flaw: ParticipationFlaw) -> Self {
        self.flaw = Some(flaw);
        self
    }

    /// Draws the customers and lets them decide.
    ///
    /// # Errors
    /// As on the type.
    pub fn simulate(&self) -> Result<Simulated> {
        let seed = self.seed.ok_or_else(|| Error::SeedRequired {
            what: "the static participation process".to_owned(),
        })?;
        let fixed = Fixed::new(self)?;
        let fields = fields(self);
        let seed = seed.child("static participation");
        let made = generate(
            self.customers,
            seed,
            &fields,
            self.keep_oracle,
            |draws, _, out| fixed.row(draws, out),
        )?;
        let mean = |name: &str| made.mean(name);
        let truths = [
            ("itt_purchase", mean("buys_1") - mean("buys_0")),
            (
                "itt_participation",
                mean("participates_1") - mean("participates_0"),
            ),
            ("itt_success", mean("success_1") - mean("success_0")),
            (
                "itt_participation_overconfident",
                made.ratio("effect_over", "over"),
            ),
            (
                "itt_participation_underconfident",
                made.ratio("effect_under", "under"),
            ),
            (
                "itt_anticipated_surplus",
                mean("anticipated_1") - mean("anticipated_0"),
            ),
            (
                "itt_experienced_surplus",
                mean("experienced_1") - mean("experienced_0"),
            ),
            ("itt_profit", mean("profit_1") - mean("profit_0")),
            ("calibration", mean("calibration_gap")),
            ("mean_wtp", mean("wtp")),
        ];
        if truths
            .iter()
            .any(|(name, v)| v.is_infinite() || (v.is_nan() && name.starts_with("itt_pur")))
        {
            return Err(Error::NotFinite {
                what: "the value of taking part at these parameters".to_owned(),
            });
        }
        let oracle = (truths.into_iter())
            .filter(|(_, v)| !v.is_nan())
            .fold(Oracle::new(made.oracle), |o, (name, v)| o.with(name, v));
        Ok(Simulated {
            data: made.data,
            oracle,
        })
    }
}

/// The columns, in the order in which [`Fixed::row`] writes them.
fn fields(process: &StaticParticipation) -> Vec<Field> {
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
struct Fixed<'a> {
    process: &'a StaticParticipation,
    population: super::population::Prepared,
    covariates: usize,
    /// Deviation of the mean of the education's signals.
    signal_deviation: f64,
    hidden_persuasion: f64,
}

/// What the ninth decile of a belief lies above its median, in standard deviations: Φ⁻¹(0.9).
const NINTH_DECILE: f64 = 1.281_551_565_544_600_4;

impl<'a> Fixed<'a> {
    fn new(process: &'a StaticParticipation) -> Result<Self> {
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
        /// What [`ParticipationFlaw::EducationPersuades`] adds to beliefs.
        const HIDDEN: f64 = 0.5;
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
    fn row(&self, draws: &mut Draws, out: &mut [f64]) {
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
        };
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

    /// The belief after education: the prior moves with what is learned, the signals update it, persuasion comes on top. It is
    /// [`Education::belief`] with the gain taken apart.
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
