//! Scores of persons: posterior mean, posterior mode, maximum likelihood and Warm's weighted likelihood, each with its own standard
//! error.

use super::fit::ItemResponseFit;
use super::item::Item;
use super::population::AbilityDistribution;
use super::responses::Responses;
use super::tables::{Sums, Tables, answers_of, range};
use crate::data::{Frame, Rows};
use crate::error::{Error, Result, Warning};
use crate::numeric::blocks;
use crate::numeric::optimize::brent_root;
use crate::report::{Cell, Table};
use serde::{Deserialize, Serialize};

/// Nodes of the search for a maximum.
const NODES: usize = 121;

/// Patterns of a parallel block.
const BLOCK: usize = 64;

/// How answers become a score.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Scoring {
    /// The posterior mean `E[a | answers, x]` (EAP); its standard error is the posterior standard deviation. Shrunken towards the mean of
    /// the person's group and regressors: biased as an outcome. As a regressor of a linear model it is right when the other regressors of that
    /// model were regressors of ability here, which makes it regression calibration; else see [`super::Measured::unshrink`].
    #[default]
    PosteriorMean,
    /// The posterior mode (MAP), with `1/√(−ℓ″ + 1/σ²)`.
    PosteriorMode,
    /// Maximum likelihood, with `1/√I(a)`. Infinite for those who have all answers at one end.
    MaximumLikelihood,
    /// Warm's weighted likelihood (WLE), the root of `ℓ′(a) + J(a)/(2 I(a))`, `J = Σ P′P″/P`, with `1/√I(a)`: nearly unbiased given
    /// ability, and finite for all answers. The score to report; in regressions see [`super::Measured`].
    WeightedLikelihood,
}

impl std::fmt::Display for Scoring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::PosteriorMean => "posterior mean (EAP)",
            Self::PosteriorMode => "posterior mode (MAP)",
            Self::MaximumLikelihood => "maximum likelihood",
            Self::WeightedLikelihood => "weighted likelihood (WLE)",
        })
    }
}

/// The score of one person.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct AbilityScore {
    /// The score.
    pub ability: f64,
    /// Its standard error; infinite where the score is.
    pub std_error: f64,
}

/// Scores one set of answers with known items: `answers[k]` is the category of item k, counted from 0, `None` where it is missing;
/// `prior` is mean and standard deviation of ability, used by the posterior scores alone.
///
/// ```
/// use cocreate::ability::{Item, Scoring, score_answers};
/// let items = [Item::rasch("a", -1.0)?, Item::rasch("b", 0.0)?, Item::rasch("c", 1.0)?];
/// let all_right = [Some(1); 3];
/// let wle = score_answers(&items, &all_right, Scoring::WeightedLikelihood, (0.0, 1.0))?;
/// let ml = score_answers(&items, &all_right, Scoring::MaximumLikelihood, (0.0, 1.0))?;
/// assert!(wle.ability.is_finite() && ml.ability.is_infinite());
/// # Ok::<(), cocreate::Error>(())
/// ```
///
/// # Errors
/// [`Error::InvalidOption`] when the answers do not fit the items, or for a prior whose standard deviation is not above zero;
/// [`Error::NoRows`] when nothing was answered.
pub fn score_answers(
    items: &[Item],
    answers: &[Option<usize>],
    scoring: Scoring,
    prior: (f64, f64),
) -> Result<AbilityScore> {
    let (mean, sd) = prior;
    if !(sd > 0.0 && sd.is_finite() && mean.is_finite()) {
        return Err(Error::invalid_option(
            "prior",
            format!("({mean}, {sd})"),
            "a finite mean and a standard deviation above zero",
        ));
    }
    let fits = answers.len() == items.len()
        && answers
            .iter()
            .zip(items)
            .all(|(a, item)| a.is_none_or(|c| c < item.categories()));
    if !fits {
        return Err(Error::invalid_option(
            "answers",
            format!("{answers:?}"),
            format!(
                "one for each of {} items, below its number of categories",
                items.len()
            ),
        ));
    }
    let given: Vec<(usize, usize)> = answers
        .iter()
        .enumerate()
        .filter_map(|(k, c)| c.map(|c| (k, c)))
        .collect();
    if given.is_empty() {
        return Err(Error::NoRows {
            reason: "the person answered no item".to_owned(),
        });
    }
    Ok(Scorer::new(items, scoring).score(&given, mean, sd))
}

/// Items made ready to score many persons.
pub(super) struct Scorer<'a> {
    items: &'a [Item],
    scoring: Scoring,
    tables: Tables,
}

impl<'a> Scorer<'a> {
    pub(super) fn new(items: &'a [Item], scoring: Scoring) -> Self {
        let [low, high] = range(items);
        let step = (high - low) / (NODES - 1) as f64;
        let nodes = (0..NODES).map(|i| low + step * i as f64).collect();
        Self {
            items,
            scoring,
            tables: Tables::new(items, nodes),
        }
    }

    /// The score of answers under a normal prior.
    pub(super) fn score(&self, answers: &[(usize, usize)], mean: f64, sd: f64) -> AbilityScore {
        match self.scoring {
            Scoring::PosteriorMean => self.posterior_mean(answers, mean, sd),
            _ => self.root(answers, mean, sd),
        }
    }

    /// Mean and standard deviation of the posterior, by the rectangle rule over ±8 prior standard deviations, which is exact to
    /// rounding for smooth densities.
    fn posterior_mean(&self, answers: &[(usize, usize)], mean: f64, sd: f64) -> AbilityScore {
        const REACH: f64 = 8.0;
        let nodes: Vec<f64> = (0..NODES)
            .map(|q| mean + sd * REACH * (2.0 * q as f64 / (NODES - 1) as f64 - 1.0))
            .collect();
        let ln: Vec<f64> = nodes
            .iter()
            .map(|a| {
                let own = answers
                    .iter()
                    .map(|(k, c)| self.items[*k].ln_probability(*c, *a)[0]);
                own.sum::<f64>() - 0.5 * ((a - mean) / sd).powi(2)
            })
            .collect();
        moments(&nodes, &ln)
    }

    /// The score's estimating function at an ability.
    fn function(&self, answers: &[(usize, usize)], mean: f64, sd: f64, a: f64) -> f64 {
        let sums = Sums::at(self.items, answers.iter().copied(), a);
        match self.scoring {
            Scoring::PosteriorMode => sums.slope - (a - mean) / (sd * sd),
            Scoring::WeightedLikelihood => sums.slope + 0.5 * sums.warm / sums.information,
            _ => sums.slope,
        }
    }

    /// The root where the function falls through zero; of several the one of the highest (penalised) likelihood.
    fn root(&self, answers: &[(usize, usize)], mean: f64, sd: f64) -> AbilityScore {
        const TOLERANCE: f64 = 1e-12;
        let weighted = self.scoring == Scoring::WeightedLikelihood;
        let nodes = &self.tables.nodes;
        let mut values = self.tables.score(answers.iter().copied(), weighted);
        if self.scoring == Scoring::PosteriorMode {
            for (value, a) in values.iter_mut().zip(nodes) {
                *value -= (a - mean) / (sd * sd);
            }
        }
        let mut best: Option<(f64, f64)> = None;
        for q in 1..nodes.len() {
            if values[q - 1] <= 0.0 || values[q] > 0.0 {
                continue;
            }
            let f = |a| self.function(answers, mean, sd, a);
            let Ok(found) = brent_root(f, nodes[q - 1], nodes[q], TOLERANCE) else {
                continue;
            };
            let height = self.height(answers, mean, sd, found.point);
            if best.is_none_or(|b| height > b.1) {
                best = Some((found.point, height));
            }
        }
        let Some((ability, _)) = best else {
            let rising = values[0] > 0.0;
            return AbilityScore {
                ability: if rising {
                    f64::INFINITY
                } else {
                    f64::NEG_INFINITY
                },
                std_error: f64::INFINITY,
            };
        };
        let sums = Sums::at(self.items, answers.iter().copied(), ability);
        let precision = match self.scoring {
            Scoring::PosteriorMode => 1.0 / (sd * sd) - sums.curvature,
            _ => sums.information,
        };
        AbilityScore {
            ability,
            std_error: precision.sqrt().recip(),
        }
    }

    fn height(&self, answers: &[(usize, usize)], mean: f64, sd: f64, a: f64) -> f64 {
        let sums = Sums::at(self.items, answers.iter().copied(), a);
        sums.value
            + match self.scoring {
                Scoring::PosteriorMode => -0.5 * ((a - mean) / sd).powi(2),
                Scoring::WeightedLikelihood => 0.5 * sums.information.ln(),
                _ => 0.0,
            }
    }
}

/// Mean and standard deviation of a density given by its logarithm at equally spaced nodes.
pub(super) fn moments(nodes: &[f64], ln: &[f64]) -> AbilityScore {
    let top = ln.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let (mut total, mut first) = (0.0, 0.0);
    for (a, l) in nodes.iter().zip(ln) {
        let w = (l - top).exp();
        total += w;
        first += w * a;
    }
    let mean = first / total;
    let second = nodes.iter().zip(ln);
    let spread: f64 = second
        .map(|(a, l)| (l - top).exp() * (a - mean).powi(2))
        .sum();
    AbilityScore {
        ability: mean,
        std_error: (spread / total).sqrt(),
    }
}

/// The scores of the persons of a fit.
#[derive(Clone, Debug, Serialize)]
pub struct AbilityScores {
    scoring: Scoring,
    /// One a row of the frame.
    ability: Vec<f64>,
    std_error: Vec<f64>,
    persons: usize,
    warnings: Vec<Warning>,
}

impl ItemResponseFit {
    /// The score of every person, with its standard error. Item parameters are taken as known; missing answers are skipped.
    ///
    /// ```
    /// use cocreate::prelude::*;
    /// let frame = datasets::load("lsat6_patterns")?;
    /// let items = ["item1", "item2", "item3", "item4", "item5"];
    /// let fit = ItemResponse::new(items).frequency_weights("count").fit(&frame)?;
    /// let scores = fit.scores(Scoring::WeightedLikelihood)?;
    /// assert_eq!(scores.ability().len(), frame.rows());
    /// let people = scores.append(&frame, "skill")?;
    /// assert!(people.has("skill_se"));
    /// # Ok::<(), cocreate::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::DataNotKept`] after `lean`.
    pub fn scores(&self, scoring: Scoring) -> Result<AbilityScores> {
        let frame = self.frame()?;
        let responses = self.responses()?;
        let scored = self.pattern_scores(scoring)?;
        let mut ability = vec![f64::NAN; frame.rows()];
        let mut std_error = vec![f64::NAN; frame.rows()];
        let mut infinite = 0;
        for person in 0..responses.persons() {
            let score = scored[responses.pattern_of(person)];
            let row = responses.rows().index(person);
            ability[row] = score.ability;
            std_error[row] = score.std_error;
            infinite += usize::from(score.ability.is_infinite());
        }
        let mut warnings = vec![];
        if infinite > 0 {
            warnings.push(Warning::Note {
                message: format!(
                    "{infinite} persons have an infinite maximum likelihood score, because all their answers lie at one end; Scoring::WeightedLikelihood is finite for them"
                ),
            });
        }
        Ok(AbilityScores {
            scoring,
            ability,
            std_error,
            persons: responses.persons(),
            warnings,
        })
    }

    /// The score of every pattern.
    pub(super) fn pattern_scores(&self, scoring: Scoring) -> Result<Vec<AbilityScore>> {
        let responses = self.responses()?;
        let scorer = Scorer::new(self.items(), scoring);
        let tables = Tables::new(self.items(), self.nodes().to_vec());
        let blocks: Vec<_> = blocks::ranges(responses.patterns(), BLOCK).collect();
        let scored = blocks::map(blocks.len(), |b| {
            blocks[b]
                .clone()
                .map(|pattern| {
                    let (mean, sd) = (
                        self.ability_mean(pattern)?,
                        self.ability_variance(pattern)?.sqrt(),
                    );
                    if scoring == Scoring::PosteriorMean {
                        return Ok(moments(self.nodes(), &self.ln_posterior(&tables, pattern)?));
                    }
                    Ok(scorer.score(&answers_of(responses, pattern), mean, sd))
                })
                .collect::<Result<Vec<AbilityScore>>>()
        });
        Ok(scored
            .into_iter()
            .collect::<Result<Vec<_>>>()?
            .into_iter()
            .flatten()
            .collect())
    }

    /// [`ln_posterior`] at the estimates.
    pub(super) fn ln_posterior(&self, tables: &Tables, pattern: usize) -> Result<Vec<f64>> {
        let responses = self.responses()?;
        Ok(ln_posterior(tables, responses, &self.population, pattern))
    }
}

/// The logarithm of a pattern's posterior at the nodes, up to a constant.
pub(super) fn ln_posterior(
    tables: &Tables,
    responses: &Responses,
    population: &AbilityDistribution,
    pattern: usize,
) -> Vec<f64> {
    let group = responses.group(pattern);
    let mean = population.mean(group, responses.covariates(pattern));
    let variance = population.variance(group);
    let mut ln = tables.ln_likelihood(responses.answers(pattern));
    for (ln, a) in ln.iter_mut().zip(&tables.nodes) {
        *ln -= 0.5 * (a - mean).powi(2) / variance;
    }
    ln
}

impl AbilityScores {
    /// How the answers became scores.
    pub fn scoring(&self) -> Scoring {
        self.scoring
    }

    /// The scores, one a row of the frame; NaN for rows that are no persons.
    pub fn ability(&self) -> &[f64] {
        &self.ability
    }

    /// Their standard errors.
    pub fn std_errors(&self) -> &[f64] {
        &self.std_error
    }

    /// What a reader of the numbers must know.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// The frame with the scores as column `name` and their standard errors as `name_se`; infinite scores are missing.
    ///
    /// # Errors
    /// [`Error::DuplicateColumn`]; [`Error::LengthMismatch`] for another frame.
    pub fn append(&self, frame: &Frame, name: &str) -> Result<Frame> {
        let finite = |values: &[f64]| -> Vec<f64> {
            let known = |v: &f64| if v.is_finite() { *v } else { f64::NAN };
            values.iter().map(known).collect()
        };
        frame
            .clone()
            .with(name, finite(&self.ability))?
            .with(format!("{name}_se"), finite(&self.std_error))
    }

    /// The rows with a finite score.
    fn finite(&self) -> Rows {
        let mask: Vec<bool> = self.ability.iter().map(|a| a.is_finite()).collect();
        Rows::from_mask(&mask)
    }

    /// The reliability of these scores among the persons: for posterior scores `Var(â)/(Var(â) + mean s.e.²)`, for the others
    /// `1 − mean s.e.²/Var(â)`; infinite scores are left out.
    pub fn reliability(&self) -> f64 {
        let rows = self.finite();
        let scores = rows.gather(&self.ability);
        let n = scores.len() as f64;
        let error: f64 = rows
            .gather(&self.std_error)
            .iter()
            .map(|e| e * e)
            .sum::<f64>()
            / n;
        let mean = scores.iter().sum::<f64>() / n;
        let variance = scores.iter().map(|s| (s - mean).powi(2)).sum::<f64>() / (n - 1.0);
        match self.scoring {
            Scoring::PosteriorMean | Scoring::PosteriorMode => variance / (variance + error),
            _ => 1.0 - error / variance,
        }
    }

    /// Mean, spread and reliability of the scores.
    pub fn table(&self) -> Table {
        let rows = self.finite();
        let scores = rows.gather(&self.ability);
        let errors = rows.gather(&self.std_error);
        let n = scores.len() as f64;
        let mean = scores.iter().sum::<f64>() / n;
        let sd = (scores.iter().map(|s| (s - mean).powi(2)).sum::<f64>() / (n - 1.0)).sqrt();
        let end =
            |values: &[f64], pick: fn(f64, f64) -> f64| values.iter().copied().fold(f64::NAN, pick);
        let mean_error = errors.iter().sum::<f64>() / n;
        let mut table = Table::new(format!("Scores: {}", self.scoring))
            .columns(["", "Mean", "Std. dev.", "Least", "Largest"])
            .row([
                Cell::from("ability"),
                Cell::significant(mean, 4),
                Cell::significant(sd, 4),
                Cell::significant(end(&scores, f64::min), 4),
                Cell::significant(end(&scores, f64::max), 4),
            ])
            .row([
                Cell::from("standard error"),
                Cell::significant(mean_error, 4),
                Cell::empty(),
                Cell::significant(end(&errors, f64::min), 4),
                Cell::significant(end(&errors, f64::max), 4),
            ])
            .note(format!(
                "{} persons, reliability {}",
                Cell::count(self.persons),
                Cell::fixed(self.reliability(), 3)
            ));
        for warning in &self.warnings {
            table = table.note(format!("Warning: {warning}"));
        }
        table
    }

    /// The table as HTML.
    pub fn to_html(&self) -> String {
        self.table().to_html()
    }
}

impl std::fmt::Display for AbilityScores {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.table().fmt(f)
    }
}

crate::report::notebook!(AbilityScores);
