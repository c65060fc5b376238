//! Answers to items given ability: Rasch, 2PL, 3PL and graded responses, for measuring what customers can do.

use super::closed::{flag, not_negative, process, seeded};
use super::draws::Draws;
use super::generate::{data, generate, oracle};
use super::oracle::{Oracle, Simulated};
use crate::error::{Error, Result};
use crate::numeric::Seed;
use serde::{Deserialize, Serialize};

/// One item. The probability of passing step k is `c + (1 − c)·Λ(D(a − δ_k))`, Λ the logistic function; an item with
/// several steps is graded, and its answer is the number of steps passed (cumulative, so the steps must ascend).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ItemParameters {
    /// D.
    pub discrimination: f64,
    /// δ_k, ascending; one for a right-or-wrong item.
    pub difficulties: Vec<f64>,
    /// c, the chance of a lucky guess; zero for graded items.
    pub guessing: f64,
}

impl ItemParameters {
    /// A Rasch item.
    pub fn rasch(difficulty: f64) -> Self {
        Self::two_parameter(1.0, difficulty)
    }

    /// A 2PL item.
    pub fn two_parameter(discrimination: f64, difficulty: f64) -> Self {
        Self {
            discrimination,
            difficulties: vec![difficulty],
            guessing: 0.0,
        }
    }

    /// A 3PL item.
    pub fn three_parameter(discrimination: f64, difficulty: f64, guessing: f64) -> Self {
        Self {
            guessing,
            ..Self::two_parameter(discrimination, difficulty)
        }
    }

    /// A graded item (Samejima 1969) with answers 0, 1, …, as many as steps.
    pub fn graded(discrimination: f64, difficulties: impl Into<Vec<f64>>) -> Self {
        Self {
            discrimination,
            difficulties: difficulties.into(),
            guessing: 0.0,
        }
    }

    /// The probabilities of the answers 0, 1, … at this ability.
    pub fn probabilities(&self, ability: f64) -> Vec<f64> {
        let at_least: Vec<f64> = std::iter::once(1.0)
            .chain((self.difficulties.iter()).map(|d| self.passes(ability, *d)))
            .chain([0.0])
            .collect();
        at_least.windows(2).map(|w| w[0] - w[1]).collect()
    }

    fn passes(&self, ability: f64, difficulty: f64) -> f64 {
        let p = 1.0 / (1.0 + (-self.discrimination * (ability - difficulty)).exp());
        self.guessing + (1.0 - self.guessing) * p
    }

    fn checked(&self) -> Result<()> {
        let ascending = self.difficulties.windows(2).all(|w| w[0] < w[1]);
        let finite = self.difficulties.iter().all(|d| d.is_finite());
        if self.difficulties.is_empty() || !ascending || !finite {
            return Err(Error::invalid_option(
                "difficulties",
                format!("{:?}", self.difficulties),
                "at least one, finite and ascending",
            ));
        }
        not_negative("discrimination", self.discrimination)?;
        let graded = self.difficulties.len() > 1;
        if !(self.guessing >= 0.0 && self.guessing < 1.0) || (graded && self.guessing > 0.0) {
            return Err(Error::invalid_option(
                "guessing",
                self.guessing,
                "in [0, 1), and zero for a graded item",
            ));
        }
        Ok(())
    }

    /// An answer. Graded answers use one uniform, so that they are cumulative.
    fn answer(&self, ability: f64, draws: &mut Draws) -> f64 {
        let u = draws.uniform();
        (self.difficulties.iter())
            .map(|d| flag(u < self.passes(ability, *d)))
            .sum()
    }
}

/// An assumption that the answers break.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ItemFlaw {
    /// The first half of the items depends on a second ability, independent of the first, as much as on the first.
    SecondDimension,
    /// The first item is harder by one for the group: differential item functioning.
    DifferentialFunctioning,
    /// Ability is exponential (skewed), with the same mean and variance.
    SkewedAbility,
}

/// People who answer items: ability `a = β·x + shift·group + σ·ζ`, answers independent given ability.
///
/// | field | default | meaning |
/// |---|---|---|
/// | `people` | 1000 | |
/// | `items` | 10 Rasch items from −2 to 2 | |
/// | `regression` | 0 | β, of a standard normal `x` in ability |
/// | `group_shift` | 0 | of the flag `group` (half of the people) |
/// | `deviation` | 1 | σ |
/// | `missing` | 0 | share of answers that are missing at random |
///
/// All levels are **assumed**. **Data**: `x`, `group`, `item_1` … (missing answers are NaN). **Oracle**: `ability`,
/// `expected_score`; effects: `mean_ability`, `deviation`, `regression`, and `classical_reliability`, Var(expected
/// score)/Var(score), of complete answers.
///
/// ```
/// use cocreate::simulate::{ItemParameters, ItemResponses};
/// let items = [-1.0, 0.0, 1.0].map(|d| ItemParameters::two_parameter(1.5, d));
/// let made = ItemResponses::new(items).people(500).seed(3).simulate()?;
/// assert_eq!(made.data.real("item_3")?.len(), 500);
/// # Ok::<(), cocreate::Error>(())
/// ```
///
/// # Errors
/// [`Error::SeedRequired`], [`Error::InvalidOption`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ItemResponses {
    /// How many people.
    pub people: usize,
    /// The items.
    pub items: Vec<ItemParameters>,
    /// β.
    pub regression: f64,
    /// How much higher the ability of the group is.
    pub group_shift: f64,
    /// σ.
    pub deviation: f64,
    /// Share of answers that are missing.
    pub missing: f64,
    /// Whether the oracle's rows are kept.
    pub keep_oracle: bool,
    /// The assumption that is broken.
    pub flaw: Option<ItemFlaw>,
    /// The seed; without one the process refuses to run.
    pub seed: Option<Seed>,
}

impl Default for ItemResponses {
    fn default() -> Self {
        const ITEMS: i32 = 10;
        let difficulty = |k: i32| -2.0 + 4.0 * f64::from(k) / f64::from(ITEMS - 1);
        Self::new((0..ITEMS).map(|k| ItemParameters::rasch(difficulty(k))))
    }
}

process!(ItemResponses, people, "people");

impl ItemResponses {
    /// People who answer these items.
    pub fn new(items: impl IntoIterator<Item = ItemParameters>) -> Self {
        Self {
            people: 1_000,
            items: items.into_iter().collect(),
            regression: 0.0,
            group_shift: 0.0,
            deviation: 1.0,
            missing: 0.0,
            keep_oracle: true,
            flaw: None,
            seed: None,
        }
    }

    /// Breaks one assumption.
    pub fn misspecify(mut self, flaw: ItemFlaw) -> Self {
        self.flaw = Some(flaw);
        self
    }

    /// Draws people and answers.
    ///
    /// # Errors
    /// As on the type.
    pub fn simulate(&self) -> Result<Simulated> {
        let seed = seeded(self.seed, "the item responses")?.child("item responses");
        not_negative("deviation", self.deviation)?;
        if !(self.missing >= 0.0 && self.missing < 1.0) {
            return Err(Error::invalid_option("missing", self.missing, "in [0, 1)"));
        }
        for item in &self.items {
            item.checked()?;
        }
        let count = self.items.len();
        let mut fields = vec![data("x"), data("group")];
        fields.extend((1..=count).map(|k| data(format!("item_{k}"))));
        fields.extend(["ability", "expected_score"].map(oracle));
        fields.extend(["score", "score_squared", "expected_squared"].map(super::generate::summed));
        let made = generate(
            self.people,
            seed,
            &fields,
            self.keep_oracle,
            |draws, _, out| {
                let (x, group) = (draws.normal(), flag(draws.chance(0.5)));
                let (zeta, second) = (draws.normal(), draws.normal());
                let skewed = draws.exponential() - 1.0;
                let zeta = if self.flaw == Some(ItemFlaw::SkewedAbility) {
                    skewed
                } else {
                    zeta
                };
                let ability =
                    self.regression * x + self.group_shift * group + self.deviation * zeta;
                out[..2].copy_from_slice(&[x, group]);
                let (mut score, mut expected) = (0.0, 0.0);
                for (k, item) in self.items.iter().enumerate() {
                    let at = match self.flaw {
                        Some(ItemFlaw::SecondDimension) if 2 * k < count => ability + second,
                        Some(ItemFlaw::DifferentialFunctioning) if k == 0 => ability - group,
                        _ => ability,
                    };
                    let answer = item.answer(at, draws);
                    score += answer;
                    expected += item
                        .difficulties
                        .iter()
                        .map(|d| item.passes(at, *d))
                        .sum::<f64>();
                    let missing = draws.uniform() < self.missing;
                    out[2 + k] = if missing { f64::NAN } else { answer };
                }
                out[2 + count..].copy_from_slice(&[
                    ability,
                    expected,
                    score,
                    score * score,
                    expected * expected,
                ]);
            },
        )?;
        let variance = |mean: &str, square: &str| made.mean(square) - made.mean(mean).powi(2);
        let reliability =
            variance("expected_score", "expected_squared") / variance("score", "score_squared");
        let oracle = Oracle::new(made.oracle)
            .with("mean_ability", 0.5 * self.group_shift)
            .with("deviation", self.deviation)
            .with("regression", self.regression)
            .with("classical_reliability", reliability);
        Ok(Simulated {
            data: made.data,
            oracle,
        })
    }
}
