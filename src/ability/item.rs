//! The item: how the answer to one question depends on ability.

use crate::error::{Error, Result};
use crate::report::Cell;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The models of one item. With ability `a`, discrimination `D`, difficulty `δ`, guessing `g` and `Λ(z) = 1/(1 + e^(−z))`:
///
/// | model | probability | answers | parameters |
/// |---|---|---|---|
/// | `Rasch` | `Λ(D(a − δ))`, one `D` for all such items | 2 | `difficulty` |
/// | `TwoParameter` | `Λ(D(a − δ))` | 2 | `discrimination`, `difficulty` |
/// | `ThreeParameter` | `g + (1 − g) Λ(D(a − δ))` | 2 | `discrimination`, `difficulty`, `guessing` |
/// | `Graded` | `P(y ≥ m) = Λ(D(a − b_m))`, `b_1 < b_2 < …` for `D > 0` | ≥ 2 | `discrimination`, thresholds `b_m` |
/// | `PartialCredit` | `P(y = m) ∝ exp Σ_{j ≤ m} D(a − b_j)`, one `D` for all such items and Rasch items | ≥ 2 | steps `b_j` |
/// | `GeneralizedPartialCredit` | the same with a `D` of its own | ≥ 2 | `discrimination`, steps `b_j` |
///
/// The lowest answer is category 0. With two answers the last three models are those of Rasch and the two-parameter model.
///
/// # References
/// Birnbaum (1968) in Lord & Novick, *Statistical Theories of Mental Test Scores*. Samejima (1969), *Psychometrika* monograph 17.
/// Masters (1982), *Psychometrika* 47, doi:10.1007/BF02296272. Muraki (1992), *Applied Psychological Measurement* 16,
/// doi:10.1177/014662169201600206.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ItemModel {
    /// One discrimination for all items.
    Rasch,
    /// Two-parameter logistic.
    TwoParameter,
    /// Three-parameter logistic, with guessing.
    ThreeParameter,
    /// Graded response.
    Graded,
    /// Partial credit.
    PartialCredit,
    /// Generalised partial credit.
    GeneralizedPartialCredit,
}

impl ItemModel {
    /// Whether items of this model share one discrimination.
    pub fn shares_discrimination(self) -> bool {
        matches!(self, Self::Rasch | Self::PartialCredit)
    }

    /// Whether the model is for two answers only.
    pub fn is_dichotomous(self) -> bool {
        matches!(
            self,
            Self::Rasch | Self::TwoParameter | Self::ThreeParameter
        )
    }

    /// What the cut points of an item of this model are called, given how many there are.
    pub(crate) fn cut_name(self, cuts: usize, cut: usize) -> String {
        match self {
            _ if cuts == 1 => "difficulty".to_owned(),
            Self::PartialCredit | Self::GeneralizedPartialCredit => format!("step{}", cut + 1),
            _ => format!("threshold{}", cut + 1),
        }
    }
}

impl fmt::Display for ItemModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Rasch => "Rasch",
            Self::TwoParameter => "two-parameter logistic",
            Self::ThreeParameter => "three-parameter logistic",
            Self::Graded => "graded response",
            Self::PartialCredit => "partial credit",
            Self::GeneralizedPartialCredit => "generalised partial credit",
        })
    }
}

/// The probability of one answer at an ability, with its derivatives with respect to ability.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CategoryCurve {
    /// `P(y = c | a)`.
    pub probability: f64,
    /// `∂P/∂a`.
    pub slope: f64,
    /// `∂²P/∂a²`.
    pub curvature: f64,
}

/// One item with known parameters. It is kept in slope–intercept form, `η_m = D a + t_m` with `t_m = −D b_m`, which exists also where
/// the discrimination is zero.
///
/// ```
/// use cocreate::ability::Item;
/// let item = Item::two_parameter("item1", 1.5, -0.5)?;
/// assert!((item.probabilities(-0.5)[1] - 0.5).abs() < 1e-15);
/// assert!((item.information(-0.5) - 1.5 * 1.5 / 4.0).abs() < 1e-15);
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Item {
    name: String,
    model: ItemModel,
    discrimination: f64,
    intercepts: Vec<f64>,
    guessing: f64,
}

impl Item {
    /// A Rasch item of discrimination one.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for a difficulty that is not finite.
    pub fn rasch(name: impl Into<String>, difficulty: f64) -> Result<Self> {
        Self::new(name, ItemModel::Rasch, 1.0, &[difficulty], 0.0)
    }

    /// A two-parameter logistic item.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for parameters that are not finite.
    pub fn two_parameter(
        name: impl Into<String>,
        discrimination: f64,
        difficulty: f64,
    ) -> Result<Self> {
        Self::new(
            name,
            ItemModel::TwoParameter,
            discrimination,
            &[difficulty],
            0.0,
        )
    }

    /// A three-parameter logistic item.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for parameters that are not finite, or guessing outside [0, 1).
    pub fn three_parameter(
        name: impl Into<String>,
        discrimination: f64,
        difficulty: f64,
        guessing: f64,
    ) -> Result<Self> {
        Self::new(
            name,
            ItemModel::ThreeParameter,
            discrimination,
            &[difficulty],
            guessing,
        )
    }

    /// An item of any model from its parameters: `cuts` are the difficulty, the thresholds or the steps.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for parameters that are not finite, no cuts, several cuts for a model of two answers, thresholds of
    /// the graded model that do not rise (fall, where the discrimination is negative), or guessing outside [0, 1).
    pub fn new(
        name: impl Into<String>,
        model: ItemModel,
        discrimination: f64,
        cuts: &[f64],
        guessing: f64,
    ) -> Result<Self> {
        if !discrimination.is_finite() {
            return Err(Error::invalid_option(
                "discrimination",
                discrimination,
                "finite",
            ));
        }
        let wrong = cuts.is_empty() || (model.is_dichotomous() && cuts.len() > 1);
        if wrong || cuts.iter().any(|b| !b.is_finite()) {
            return Err(Error::invalid_option(
                "difficulty, thresholds or steps",
                format!("{cuts:?}"),
                format!(
                    "finite, {} for the {model} model",
                    if model.is_dichotomous() {
                        "one"
                    } else {
                        "one for each answer but the lowest"
                    }
                ),
            ));
        }
        if model == ItemModel::Graded && !cuts.is_sorted_by(|a, b| discrimination * (b - a) > 0.0) {
            return Err(Error::invalid_option(
                "thresholds",
                format!("{cuts:?}"),
                "in strictly rising order",
            ));
        }
        let allowed = if model == ItemModel::ThreeParameter {
            (0.0..1.0).contains(&guessing)
        } else {
            guessing.abs() <= 0.0
        };
        if !allowed {
            return Err(Error::invalid_option(
                "guessing",
                guessing,
                "at least 0 and below 1 in the three-parameter model, 0 in others",
            ));
        }
        let intercepts = cuts.iter().map(|b| -discrimination * b).collect();
        Ok(Self::from_intercepts(
            name.into(),
            model,
            discrimination,
            intercepts,
            guessing,
        ))
    }

    /// An item in slope–intercept form, unchecked.
    pub(crate) fn from_intercepts(
        name: String,
        model: ItemModel,
        discrimination: f64,
        intercepts: Vec<f64>,
        guessing: f64,
    ) -> Self {
        Self {
            name,
            model,
            discrimination,
            intercepts,
            guessing,
        }
    }

    /// The column of its answers.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its model.
    pub fn model(&self) -> ItemModel {
        self.model
    }

    /// Number of possible answers.
    pub fn categories(&self) -> usize {
        self.intercepts.len() + 1
    }

    /// The discrimination `D`.
    pub fn discrimination(&self) -> f64 {
        self.discrimination
    }

    /// The intercepts `t_m = −D b_m`.
    pub fn intercepts(&self) -> &[f64] {
        &self.intercepts
    }

    /// The difficulty `δ = −t/D`; with more than two answers the mean of thresholds or steps.
    pub fn difficulty(&self) -> f64 {
        let mean = self.intercepts.iter().sum::<f64>() / self.intercepts.len() as f64;
        -mean / self.discrimination
    }

    /// Thresholds `b_m` of the graded model, steps of the partial-credit models; with two answers the difficulty alone.
    pub fn thresholds(&self) -> Vec<f64> {
        self.intercepts
            .iter()
            .map(|t| -t / self.discrimination)
            .collect()
    }

    /// The probability of the higher answer at the lowest ability.
    pub fn guessing(&self) -> f64 {
        self.guessing
    }

    /// Probabilities of all answers, from the lowest.
    pub fn probabilities(&self, ability: f64) -> Vec<f64> {
        self.curves(ability).iter().map(|c| c.probability).collect()
    }

    /// Probabilities of all answers with their derivatives with respect to ability.
    pub fn curves(&self, ability: f64) -> Vec<CategoryCurve> {
        let d = self.discrimination;
        let lines = self.intercepts.iter().map(|t| d * ability + t);
        match self.model {
            ItemModel::Rasch | ItemModel::TwoParameter | ItemModel::ThreeParameter => {
                let eta = lines.sum::<f64>();
                let (low, high) = (logistic(-eta), logistic(eta));
                let share = 1.0 - self.guessing;
                let slope = share * d * low * high;
                let curvature = slope * d * (low - high);
                [(share * low, -1.0), (self.guessing + share * high, 1.0)]
                    .map(|(probability, sign)| CategoryCurve {
                        probability,
                        slope: sign * slope,
                        curvature: sign * curvature,
                    })
                    .to_vec()
            }
            ItemModel::Graded => {
                let cuts: Vec<f64> = lines.collect();
                (0..=cuts.len())
                    .map(|c| graded(c.checked_sub(1).map(|m| cuts[m]), cuts.get(c).copied(), d))
                    .collect()
            }
            ItemModel::PartialCredit | ItemModel::GeneralizedPartialCredit => {
                let p = partial_credit(lines);
                let mean: f64 = p.iter().enumerate().map(|(c, p)| c as f64 * p).sum();
                let spread = |c: usize| c as f64 - mean;
                let variance: f64 = (p.iter().enumerate())
                    .map(|(c, p)| p * spread(c) * spread(c))
                    .sum();
                p.iter()
                    .enumerate()
                    .map(|(c, p)| CategoryCurve {
                        probability: *p,
                        slope: p * d * spread(c),
                        curvature: p * d * d * (spread(c) * spread(c) - variance),
                    })
                    .collect()
            }
        }
    }

    /// `ln P(y = c | a)` with its first and second derivatives with respect to ability; minus infinity beyond the answers.
    pub fn ln_probability(&self, category: usize, ability: f64) -> [f64; 3] {
        if category > self.intercepts.len() {
            return [f64::NEG_INFINITY, 0.0, 0.0];
        }
        let mut work = super::working::Work::new(self.intercepts.len());
        let logit = (self.guessing / (1.0 - self.guessing)).ln();
        work.derivatives(
            self.model,
            self.discrimination,
            &self.intercepts,
            logit,
            ability,
        );
        let [slope, curvature] = work.by_ability(category, self.discrimination);
        [work.value(category), slope, curvature]
    }

    /// The mean answer at an ability, categories counted from 0.
    pub fn expected_score(&self, ability: f64) -> f64 {
        (self.curves(ability).iter().enumerate())
            .map(|(c, curve)| c as f64 * curve.probability)
            .sum()
    }

    /// Fisher's information about ability, `I(a) = Σ_c P′_c(a)²/P_c(a)`.
    pub fn information(&self, ability: f64) -> f64 {
        self.curves(ability)
            .iter()
            .filter(|c| c.probability > 0.0)
            .map(|c| c.slope * c.slope / c.probability)
            .sum()
    }
}

impl fmt::Display for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |v: f64| Cell::significant(v, SHOWN_DIGITS).to_string();
        let cuts: Vec<String> = self.thresholds().into_iter().map(shown).collect();
        write!(
            f,
            "{} ({}): discrimination {}, {} {}",
            self.name,
            self.model,
            shown(self.discrimination),
            match self.model {
                _ if cuts.len() == 1 => "difficulty",
                ItemModel::Graded => "thresholds",
                _ => "steps",
            },
            cuts.join(", ")
        )?;
        if self.model == ItemModel::ThreeParameter {
            write!(f, ", guessing {}", shown(self.guessing))?;
        }
        Ok(())
    }
}

crate::report::notebook_line!(Item);

/// Digits of parameters in one line.
const SHOWN_DIGITS: usize = 4;

/// `1/(1 + e^(−z))`, without overflow.
pub(crate) fn logistic(z: f64) -> f64 {
    if z >= 0.0 {
        1.0 / (1.0 + (-z).exp())
    } else {
        let e = z.exp();
        e / (1.0 + e)
    }
}

/// A category of the graded model between the line above which it begins and the line above which the next does.
fn graded(from: Option<f64>, to: Option<f64>, d: f64) -> CategoryCurve {
    let at = |line: Option<f64>, beyond: f64| match line {
        None => [beyond, 0.0, 0.0],
        Some(eta) => {
            let (low, high) = (logistic(-eta), logistic(eta));
            [high, d * low * high, d * d * low * high * (low - high)]
        }
    };
    let (above, below) = (at(from, 1.0), at(to, 0.0));
    let probability = match (from, to) {
        // Λ(x) − Λ(y) = Λ(x) Λ(−y) (1 − e^(y − x)) keeps its digits where both are near one.
        (Some(x), Some(y)) => above[0] * logistic(-y) * -(y - x).exp_m1(),
        (None, Some(y)) => logistic(-y),
        _ => above[0],
    };
    CategoryCurve {
        probability,
        slope: above[1] - below[1],
        curvature: above[2] - below[2],
    }
}

/// Probabilities proportional to `exp Σ_{j ≤ m} η_j`.
pub(crate) fn partial_credit(lines: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut p = vec![0.0];
    let mut sum = 0.0;
    for eta in lines {
        sum += eta;
        p.push(sum);
    }
    let largest = p.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    for v in &mut p {
        *v = (*v - largest).exp();
    }
    let total: f64 = p.iter().sum();
    for v in &mut p {
        *v /= total;
    }
    p
}

#[cfg(test)]
mod tests;
