//! The flagship process: customers of uncertain ability decide whether to buy and to co-create, in a factorial
//! experiment of education, tool, guarantee and coupon.

mod fields;
mod offer;
mod row;

use super::assignment::Compliance;
use super::closed::seeded;
use super::generate::{Generated, generate};
use super::oracle::{Oracle, Simulated};
use super::participation_choice::PurchaseTiming;
use super::population::{Population, Traits};
use crate::data::Frame;
use crate::decision::{Education, Signals, Task};
use crate::error::{Error, Result};
use crate::numeric::Seed;
use fields::{Detail, OUTCOMES, fields};
use row::Fixed;
use serde::{Deserialize, Serialize};

/// An assumption that the process breaks, one at a time, to see what an estimator that makes it does then.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ParticipationFlaw {
    /// Customers believe twice as precisely as they know: the stated belief variance is half the true one.
    Overprecision,
    /// Choices load on ability directly, not only through the belief's mean: the able find the task cheaper (c_0
    /// falls by .3 a unit).
    ChoiceOnAbility,
    /// The coupon teaches: it raises ability by .3, so that it is no longer excluded from success.
    CouponTeaches,
    /// Education persuades: it moves the belief's mean by .5 beyond what it tells.
    EducationPersuades,
    /// Task noise is Laplace, with variance one, instead of normal.
    LaplaceTaskNoise,
}

/// One of the firm's offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Offer {
    /// To be taught what one can do.
    Education,
    /// A tool that takes work away.
    Tool,
    /// Money back for a failed design.
    Guarantee,
    /// Money off the price.
    Coupon,
}

/// A static participation experiment: who buys, who takes part, who succeeds, under randomised education, tool,
/// guarantee and coupon, in the notation of the crate's model (form 3, CARA over a continuous quality).
///
/// For every customer the process draws a, m, v, c_m, c_0 and r from the [`Population`], measures m and v before
/// treatment, assigns the arms independently of each other and of everything else, lets education give n signals, and
/// lets the customer decide with the anticipated values at the timing given (see [`PurchaseTiming`]). Outside utility
/// and the value of giving up have each a normal part that the customer knows and the researcher does not. All levels
/// are **assumed**.
///
/// | field | default | meaning |
/// |---|---|---|
/// | `population` | [`Traits::default`] | a, m, v, b(x), c_m, c_0, r |
/// | `task` | d 0.3, γ 0.5 | difficulty, effort return |
/// | `taste` | 1.5 | θ |
/// | `price`, `outside`, `abandon` | 0.6, 0, −0.1 | p, u_0, L_0 |
/// | `ambiguity` | 0 | α − r; only after purchase and without guarantees |
/// | `education` | 2 signals of variance 1, no productivity, no persuasion | in the education arm |
/// | `interim` | none | signals between payment and work, after purchase only; with a guarantee the value of awaiting them is a quadrature for each customer (slow) |
/// | `compliance` | all take what they are offered | shares of always- and never-takers of education |
/// | `selection` | 0 | how strongly a high belief makes customers reluctant to be taught: the reluctance is `(z + selection·m)/√(1 + selection²)`, the lowest share always takes, the highest never; at 0 the shares are exact |
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
/// **Data**: covariates, `education`, `tool`, `guarantee`, `coupon` (money off), `signal` (mean of the signals,
/// missing without), `price` (paid), `reported_success` (rounded Φ((m−d)/√(1+v)) at no effort), `belief_median`,
/// `belief_p90` (reported quantiles of the belief), `buys`, `participates`, and of participants only `effort`,
/// `quality`, `success`; `interim_signal` (of buyers, where there are such signals); `taught`, where not all comply:
/// `education` is then the randomised offer, an encouragement; `item_k`.
///
/// **Oracle**, a row a customer: ability, belief before and after, costs, shocks, believed and true success,
/// potential outcomes without and with education (`buys_0`, `buys_1`, `participates_0` …, at the other arms as
/// assigned), effort and the number of local optima of its problem, WTP, anticipated and experienced surplus, profit;
/// `interim_mean`, `interim_variance`, `stratum` where they exist. **Effects** of education: `itt_purchase`,
/// `itt_participation`, `itt_success`, the same among the over- and the underconfident (CATE), on surpluses and
/// profit; `calibration`, the mean of believed less true success at the prior (only with the oracle's rows);
/// `several_optima`, the share of customers whose effort has more than one local optimum. Where not all comply, `itt_`
/// is the effect of the offer, `late_purchase`, `late_participation`, … the mean effect of being taught among the
/// `share_compliers`, and `ate_purchase`, … that among all.
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
    /// Signals between payment and work.
    pub interim: Signals,
    /// Who takes the education that is offered.
    pub compliance: Compliance,
    /// How strongly a high belief makes reluctant.
    pub selection: f64,
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
            interim: Signals::NONE,
            compliance: Compliance::FULL,
            selection: 0.0,
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

    /// Signals that arrive between payment and work: the customer buys on the own forecast of what they will say, and
    /// goes on, or not, with the belief that they leave: given ability `m' ~ N(m + K(a − m), K²σ_s²/n)`.
    pub fn interim(mut self, signals: Signals) -> Self {
        self.interim = signals;
        self
    }

    /// Makes the assignment of education an encouragement: some are taught in any arm, some in none, and with
    /// `selection` they differ in what they believe.
    ///
    /// ```
    /// use cocreate::prelude::*;
    /// use cocreate::simulate::{Compliance, PurchaseTiming, StaticParticipation};
    /// let made = StaticParticipation::new(PurchaseTiming::AfterPurchase)
    ///     .encouragement(Compliance { always: 0.1, never: 0.3 }, 1.0)
    ///     .customers(20_000)
    ///     .seed(3)
    ///     .simulate()?;
    /// let late = made.oracle.effect("late_purchase")?;
    /// let ratio = made.oracle.effect("itt_purchase")? / made.oracle.effect("share_compliers")?;
    /// assert!((late - ratio).abs() < 1e-12);
    /// # Ok::<(), cocreate::Error>(())
    /// ```
    pub fn encouragement(mut self, compliance: Compliance, selection: f64) -> Self {
        self.compliance = compliance;
        self.selection = selection;
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
        let detail = if self.keep_oracle {
            Detail::Oracle
        } else {
            Detail::Effects
        };
        let made = self.generated(detail)?;
        let truths = self.truths(&made);
        let overflows =
            |(name, v): &(String, f64)| v.is_infinite() || (v.is_nan() && name == "itt_purchase");
        if truths.iter().any(overflows) {
            return Err(too_large());
        }
        let oracle = (truths.into_iter())
            .filter(|(_, v)| !v.is_nan())
            .fold(Oracle::new(made.oracle), |o, (name, v)| o.with(name, v));
        Ok(Simulated {
            data: made.data,
            oracle,
        })
    }

    /// Only the data, the same bits as those of [`simulate`](Self::simulate) in about half the time: what customers
    /// would do in the other arm is not worked out.
    ///
    /// ```
    /// use cocreate::simulate::{PurchaseTiming, StaticParticipation};
    /// let process = StaticParticipation::new(PurchaseTiming::AfterPurchase).customers(1_000).seed(7);
    /// assert_eq!(process.data()?.flag("buys")?, process.simulate()?.data.flag("buys")?);
    /// # Ok::<(), cocreate::Error>(())
    /// ```
    ///
    /// # Errors
    /// As on the type.
    pub fn data(&self) -> Result<Frame> {
        let made = self.generated(Detail::Data)?;
        if made.mean("wtp").is_finite() {
            Ok(made.data)
        } else {
            Err(too_large())
        }
    }

    fn generated(&self, detail: Detail) -> Result<Generated> {
        let seed = seeded(self.seed, "the static participation process")?;
        let fixed = Fixed::new(self, detail)?;
        generate(
            self.customers,
            seed.child("static participation"),
            &fields(self, detail),
            self.keep_oracle,
            |draws, _, out| fixed.row(draws, out),
        )
    }

    /// The effects, by name; NaN where one does not exist.
    fn truths(&self, made: &Generated) -> Vec<(String, f64)> {
        /// The effects among the over- and the underconfident come after those on the stages, before the surpluses.
        const STAGES: usize = 3;
        let mean = |name: &str| made.mean(name);
        let partial = self.compliance != Compliance::FULL;
        let all = |name: &str| mean(&format!("{name}_1")) - mean(&format!("{name}_0"));
        let offer = |name: &str| {
            if partial {
                mean(&format!("complier_{name}"))
            } else {
                all(name)
            }
        };
        let named = |kind: &str, effect: &dyn Fn(&str) -> f64| -> Vec<(String, f64)> {
            OUTCOMES
                .iter()
                .map(|(name, what)| (format!("{kind}_{what}"), effect(name)))
                .collect()
        };
        let mut truths = named("itt", &offer);
        let among = [
            (
                "itt_participation_overconfident",
                made.ratio("effect_over", "over"),
            ),
            (
                "itt_participation_underconfident",
                made.ratio("effect_under", "under"),
            ),
        ];
        for (at, (name, value)) in among.into_iter().enumerate() {
            truths.insert(STAGES + at, (name.to_owned(), value));
        }
        if partial {
            let compliers = |name: &str| made.ratio(&format!("complier_{name}"), "complier");
            truths.extend(named("late", &compliers));
            truths.extend(named("ate", &all));
            truths.push(("share_compliers".to_owned(), mean("complier")));
        }
        truths.push(("calibration".to_owned(), mean("calibration_gap")));
        truths.push(("mean_wtp".to_owned(), mean("wtp")));
        truths.push(("several_optima".to_owned(), mean("several_optima")));
        truths
    }
}

#[cold]
fn too_large() -> Error {
    Error::NotFinite {
        what: "the value of taking part at these parameters".to_owned(),
    }
}
