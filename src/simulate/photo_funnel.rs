//! The photo-product funnel: start → finish → buy, co-creating before purchase, with peers' designs shown to some.

use super::closed::{
    flag, over_normal, over_normal_kinked, process, seeded, seen_if, share, solve,
};
use super::generate::{data, data_label, generate, oracle, oracle_flag};
use super::oracle::{Oracle, Simulated};
use crate::error::{Error, Result};
use crate::numeric::Seed;
use crate::numeric::special::normal;
use serde::{Deserialize, Serialize};

/// The arms, in the order of their codes.
const ARMS: [&str; 3] = ["control", "peers", "experts"];

/// An assumption that the funnel breaks.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FunnelFlaw {
    /// The designs shown discourage already at the start, by the same −.30·(gap)₊: some start only without them, so
    /// that selection is no longer monotone and Lee's bounds are invalid.
    NonMonotone,
    /// Ability moves only the start: finishing and buying are independent of it, and of the gap. The naive
    /// conditional funnel is then right.
    IndependentStages,
}

/// A funnel of customers who may start a photo product, finish it, and buy it. Two arms are shown designs of others,
/// which *inspire* (the start) and *discourage* those who see that they cannot do as well (the finish).
///
/// With ability a = .5·experience + ζ ~ N(0, 1), arm k with exemplars of quality x_k, and independent N(0, 1) errors,
///
/// * start: `c_1 + λa + .15·shown > ε_1`,
/// * finish: `c_2 + λa − .30·(x_k − a)₊·shown > ε_2`,
/// * buy: `c_3 + λa > ε_3`,
///
/// on the probit scale. The constants are solved so that in the control arm 20 % start, 35 % of these finish, 25 % of
/// these buy. The signs are those of Jung, Sun, Bapna & Golden, "Social Learning in Prosumption"; all levels are
/// **assumed**.
///
/// | field | default | meaning |
/// |---|---|---|
/// | `customers` | 60,000 | in three arms of equal size (in expectation) |
/// | `start`, `finish`, `buy` | .20, .35, .25 | control rates, each given the one before |
/// | `inspiration` | .15 | on the probit index of starting |
/// | `discouragement` | .30 | per unit of gap, on the probit index of finishing |
/// | `exemplars` | 0.5, 1.5 | x of peers and experts, in standard deviations of ability |
/// | `loading` | .6 | λ, what ability adds at each stage |
/// | `spend` | 3.2, .5 | log mean and log deviation of what a buyer spends |
///
/// **Data**: `arm`, `experience`, `starts`, of starters `finishes`, of finishers `buys`, `spend` (0 unless bought).
///
/// **Oracle**: `ability`, potential outcomes `starts_k`, `finishes_k`, `buys_k` in arm k = 0, 1, 2 (a stage not
/// reached is not done). Effects, for both arms against control: stage ITTs `itt_start_peers` …, and by quadrature,
/// without simulation, their expectations `expected_…`, the effect on finishing among those who start anyway
/// (`finish_always_starters_…`), the naive contrast of finishing given start (`naive_finish_…`), and by how much it
/// fails (`naive_bias_…`).
///
/// # Errors
/// [`Error::SeedRequired`], [`Error::InvalidOption`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PhotoFunnel {
    /// How many customers.
    pub customers: usize,
    /// Share of the control arm that starts.
    pub start: f64,
    /// Share of its starters that finish.
    pub finish: f64,
    /// Share of its finishers that buy.
    pub buy: f64,
    /// What the exemplars add to the index of starting.
    pub inspiration: f64,
    /// What a unit of gap takes from the index of finishing.
    pub discouragement: f64,
    /// Quality of the designs of peers and of experts.
    pub exemplars: [f64; 2],
    /// λ.
    pub loading: f64,
    /// Log mean and log deviation of spending.
    pub spend: [f64; 2],
    /// Whether the oracle's rows are kept.
    pub keep_oracle: bool,
    /// The assumption that is broken.
    pub flaw: Option<FunnelFlaw>,
    /// The seed; without one the process refuses to run.
    pub seed: Option<Seed>,
}

impl Default for PhotoFunnel {
    fn default() -> Self {
        Self {
            customers: 60_000,
            start: 0.20,
            finish: 0.35,
            buy: 0.25,
            inspiration: 0.15,
            discouragement: 0.30,
            exemplars: [0.5, 1.5],
            loading: 0.6,
            spend: [3.2, 0.5],
            keep_oracle: true,
            flaw: None,
            seed: None,
        }
    }
}

process!(PhotoFunnel, customers, "customers");

/// Rates of one arm, in expectation over ability.
#[derive(Clone, Copy, Debug)]
struct Rates {
    start: f64,
    finish: f64,
    buy: f64,
    /// Share that starts here and in the control arm.
    always: f64,
    /// Share that starts here and in the control arm, and finishes here.
    always_finish: f64,
}

/// The indices of the stages.
#[derive(Clone, Copy, Debug)]
struct Stages {
    constants: [f64; 3],
    loadings: [f64; 3],
}

impl PhotoFunnel {
    /// The funnel at its defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Breaks one assumption.
    pub fn misspecify(mut self, flaw: FunnelFlaw) -> Self {
        self.flaw = Some(flaw);
        self
    }

    /// The preset in which comparing finishing rates of those who started is wrong by the amount that the oracle
    /// predicts.
    pub fn naive_conditional_fails() -> Self {
        Self {
            inspiration: 0.6,
            loading: 1.0,
            ..Self::default()
        }
    }

    /// Draws the customers.
    ///
    /// # Errors
    /// As on the type.
    pub fn simulate(&self) -> Result<Simulated> {
        let seed = seeded(self.seed, "the photo-product funnel")?;
        let stages = self.stages()?;
        let fields: Vec<_> = [data_label("arm", &ARMS), data("experience")]
            .into_iter()
            .chain(["starts", "finishes", "buys", "spend"].map(data))
            .chain([oracle("ability")])
            .chain((0..ARMS.len()).flat_map(|k| {
                ["starts", "finishes", "buys"].map(|s| oracle_flag(format!("{s}_{k}")))
            }))
            .collect();
        let made = generate(
            self.customers,
            seed.child("photo funnel"),
            &fields,
            self.keep_oracle,
            |draws, _, out| {
                /// What experience adds to ability.
                const EXPERIENCE: f64 = 0.5;
                let arm = draws.below(ARMS.len());
                let experience = draws.normal();
                let ability = EXPERIENCE * experience
                    + (1.0 - EXPERIENCE * EXPERIENCE).sqrt() * draws.normal();
                let errors: [f64; 3] = std::array::from_fn(|_| draws.normal());
                let spend = (self.spend[0] + self.spend[1] * draws.normal()).exp();
                let outcomes: [[f64; 3]; 3] = std::array::from_fn(|k| {
                    let index = self.indices(&stages, k, ability);
                    let passes = [0, 1, 2].map(|s| flag(index[s] > errors[s]));
                    let [start, finish, buy] = passes;
                    [start, start * finish, start * finish * buy]
                });
                let [start, finish, buy] = outcomes[arm];
                out[..7].copy_from_slice(&[
                    arm as f64,
                    experience,
                    start,
                    seen_if(start, finish),
                    seen_if(finish, buy),
                    buy * spend,
                    ability,
                ]);
                out[7..].copy_from_slice(outcomes.as_flattened());
            },
        )?;
        let control = self.rates(&stages, 0);
        let mut oracle = Oracle::new(made.oracle.clone());
        for (k, arm) in ARMS.iter().enumerate().skip(1) {
            let itt =
                |stage: &str| made.mean(&format!("{stage}_{k}")) - made.mean(&format!("{stage}_0"));
            let there = self.rates(&stages, k);
            let naive = there.finish / there.start - control.finish / control.start;
            // In the control arm, those who start in both: finishing depends on ability, so their rate differs from all starters'.
            let anyway = self.control_finish_of_always_starters(&stages, k);
            let causal = there.always_finish / there.always - anyway;
            oracle = oracle
                .with(format!("itt_start_{arm}"), itt("starts"))
                .with(format!("itt_finish_{arm}"), itt("finishes"))
                .with(format!("itt_buy_{arm}"), itt("buys"))
                .with(
                    format!("expected_itt_start_{arm}"),
                    there.start - control.start,
                )
                .with(
                    format!("expected_itt_finish_{arm}"),
                    there.finish - control.finish,
                )
                .with(format!("expected_itt_buy_{arm}"), there.buy - control.buy)
                .with(format!("finish_always_starters_{arm}"), causal)
                .with(format!("naive_finish_{arm}"), naive)
                .with(format!("naive_bias_{arm}"), naive - causal);
        }
        Ok(Simulated {
            data: made.data,
            oracle,
        })
    }

    /// Solves the constants from the control rates, stage after stage.
    fn stages(&self) -> Result<Stages> {
        /// Constants beyond this give rates that cannot be told from 0 or 1.
        const ENDS: (f64, f64) = (-12.0, 12.0);
        share("start", self.start)?;
        share("finish", self.finish)?;
        share("buy", self.buy)?;
        let numbers = [
            self.inspiration,
            self.discouragement,
            self.exemplars[0],
            self.exemplars[1],
            self.loading,
            self.spend[0],
            self.spend[1],
        ];
        if numbers.iter().any(|v| !v.is_finite()) {
            return Err(Error::NotFinite {
                what: "a parameter of the photo-product funnel".to_owned(),
            });
        }
        let later = if self.flaw == Some(FunnelFlaw::IndependentStages) {
            0.0
        } else {
            self.loading
        };
        let loadings = [self.loading, later, later];
        let mut constants = [0.0; 3];
        let mut reached = 1.0;
        for (stage, rate) in [self.start, self.finish, self.buy].into_iter().enumerate() {
            let target = reached * rate;
            let before = constants;
            constants[stage] = solve("a rate of the funnel", target, ENDS, |c| {
                over_normal(|a| {
                    let passed = (0..stage)
                        .map(|s| normal::cdf(before[s] + loadings[s] * a))
                        .product::<f64>();
                    passed * normal::cdf(c + loadings[stage] * a)
                })
            })?;
            reached = target;
        }
        Ok(Stages {
            constants,
            loadings,
        })
    }

    /// The probit indices of the stages in arm k at this ability.
    fn indices(&self, stages: &Stages, arm: usize, ability: f64) -> [f64; 3] {
        let mut index = std::array::from_fn(|s| stages.constants[s] + stages.loadings[s] * ability);
        if arm > 0 {
            let gap = (self.exemplars[arm - 1] - ability).max(0.0);
            index[0] += self.inspiration;
            match self.flaw {
                Some(FunnelFlaw::NonMonotone) => index[0] -= self.discouragement * gap,
                Some(FunnelFlaw::IndependentStages) => return index,
                None => {}
            }
            index[1] -= self.discouragement * gap;
        }
        index
    }

    /// The rates of an arm by quadrature over ability. Errors are shared by the arms, so who starts with the lower
    /// index starts with the higher one too.
    fn rates(&self, stages: &Stages, arm: usize) -> Rates {
        let passes = |a: f64| self.indices(stages, arm, a).map(normal::cdf);
        let both = |a: f64| {
            let here = self.indices(stages, arm, a)[0];
            normal::cdf(here.min(self.indices(stages, 0, a)[0]))
        };
        Rates {
            start: over_normal_kinked(|a| passes(a)[0]),
            finish: over_normal_kinked(|a| passes(a)[0] * passes(a)[1]),
            buy: over_normal_kinked(|a| passes(a).iter().product()),
            always: over_normal_kinked(both),
            always_finish: over_normal_kinked(|a| both(a) * passes(a)[1]),
        }
    }

    /// Share that finishes in the control arm, among those who start in it and in arm k.
    fn control_finish_of_always_starters(&self, stages: &Stages, arm: usize) -> f64 {
        let both = |a: f64| {
            let here = self.indices(stages, arm, a)[0];
            normal::cdf(here.min(self.indices(stages, 0, a)[0]))
        };
        let finish = |a: f64| normal::cdf(self.indices(stages, 0, a)[1]);
        over_normal_kinked(|a| both(a) * finish(a)) / over_normal_kinked(both)
    }
}
