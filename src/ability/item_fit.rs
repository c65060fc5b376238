//! Item fit: whether the answers to an item follow its curve.

use super::fit::ItemResponseFit;
use super::item::ItemModel;
use super::scores::Scoring;
use super::tables::answers_of;
use crate::error::Result;
use crate::inference::{Distribution, TestResult};
use crate::report::{Cell, Table};
use serde::{Deserialize, Serialize};

/// Expected counts below this are put together with their neighbours, as Orlando & Thissen do.
const LEAST_EXPECTED: f64 = 1.0;

/// The fit of each item.
///
/// **S-X²** (items with two answers, persons who answered every item, all of them with two answers): persons are grouped by their sum
/// score k, and the share of right answers in each group is compared with what the model expects there,
/// `E_k = ∫ P S*_{k−1} g / ∫ S_k g`, with S the distribution of sum scores given ability and S* that of the other items, both by the recursion of
/// Lord & Wingersky: `Σ_k N_k (O_k − E_k)²/(E_k (1 − E_k))` on as many degrees of freedom as groups (after those of expected counts below one
/// are joined) less the item's estimated parameters.
///
/// **Outfit** is the mean squared standardised residual over persons, **infit** the same weighted by information, both at the weighted
/// likelihood score; about 1 when the item fits, above when its answers are noisier than the model says, below when they are more
/// regular. `z` are their Wilson–Hilferty transforms, about N(0, 1).
///
/// # References
/// Orlando, M. & Thissen, D. (2000), doi:10.1177/01466216000241003; Lord, F. M. & Wingersky, M. S. (1984), doi:10.1177/014662168400800409;
/// Wright, B. D. & Masters, G. N. (1982), *Rating Scale Analysis*.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ItemFit {
    /// One record an item.
    pub items: Vec<ItemFitRow>,
    /// Persons with all answers, on whom S-X² rests.
    pub complete: f64,
}

/// The fit of one item.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ItemFitRow {
    /// The item.
    pub name: String,
    /// S-X², where it is defined and has degrees of freedom.
    pub s_x2: Option<TestResult>,
    /// Mean squared standardised residual.
    pub outfit: f64,
    /// The transform of outfit to N(0, 1).
    pub outfit_z: f64,
    /// The mean square weighted by information.
    pub infit: f64,
    /// The transform of infit to N(0, 1).
    pub infit_z: f64,
}

impl ItemResponseFit {
    /// The fit of every item.
    ///
    /// # Errors
    /// [`crate::Error::DataNotKept`] after `lean`.
    pub fn item_fit(&self) -> Result<ItemFit> {
        let sums = ScoreGroups::new(self)?;
        let scores = self.pattern_scores(Scoring::WeightedLikelihood)?;
        let mut squares = vec![MeanSquares::default(); self.items().len()];
        let responses = self.responses()?;
        for (pattern, score) in scores.iter().enumerate() {
            let weight = responses.weight(pattern);
            for (k, c) in answers_of(responses, pattern) {
                squares[k].push(&self.items()[k].probabilities(score.ability), c, weight);
            }
        }
        let items = self.items().iter().zip(&squares).enumerate();
        Ok(ItemFit {
            items: items
                .map(|(k, (item, squares))| ItemFitRow {
                    name: item.name().to_owned(),
                    s_x2: sums.as_ref().and_then(|s| s.test(self, k)),
                    outfit: squares.outfit(),
                    outfit_z: squares.outfit_z(),
                    infit: squares.infit(),
                    infit_z: squares.infit_z(),
                })
                .collect(),
            complete: sums.as_ref().map_or(0.0, |s| s.sizes.iter().sum()),
        })
    }
}

/// Persons with all answers, by sum score.
struct ScoreGroups {
    /// Mixture of the priors at the nodes.
    prior: Vec<f64>,
    /// Persons with each sum score.
    sizes: Vec<f64>,
    /// Right answers to each item in each group.
    right: Vec<Vec<f64>>,
    /// Chances of a right answer at the nodes, item by item.
    chances: Vec<Vec<f64>>,
}

impl ScoreGroups {
    /// `None` when some item has more than two answers or nobody answered all.
    fn new(fit: &ItemResponseFit) -> Result<Option<Self>> {
        let (items, responses) = (fit.items(), fit.responses()?);
        if items.iter().any(|i| i.categories() > 2) {
            return Ok(None);
        }
        let count = items.len();
        let mut out = Self {
            prior: vec![0.0; fit.nodes().len()],
            sizes: vec![0.0; count + 1],
            right: vec![vec![0.0; count + 1]; count],
            chances: items
                .iter()
                .map(|i| fit.nodes().iter().map(|a| i.probabilities(*a)[1]).collect())
                .collect(),
        };
        for pattern in 0..responses.patterns() {
            let answers = answers_of(responses, pattern);
            if answers.len() < count {
                continue;
            }
            let weight = responses.weight(pattern);
            let score: usize = answers.iter().map(|(_, c)| c).sum();
            out.sizes[score] += weight;
            for (k, c) in answers {
                out.right[k][score] += weight * c as f64;
            }
            let prior = fit.prior_weights(pattern)?;
            let each = out.prior.iter_mut().zip(prior);
            each.for_each(|(sum, p)| *sum += weight * p);
        }
        Ok((out.sizes.iter().sum::<f64>() > 0.0).then_some(out))
    }

    /// S-X² of item k.
    fn test(&self, fit: &ItemResponseFit, item: usize) -> Option<TestResult> {
        let count = self.chances.len();
        let all: Vec<&[f64]> = self.chances.iter().map(Vec::as_slice).collect();
        let rest: Vec<&[f64]> = (0..count)
            .filter(|k| *k != item)
            .map(|k| self.chances[k].as_slice())
            .collect();
        let (whole, others) = (lord_wingersky(&all), lord_wingersky(&rest));
        // Groups of 1 … K − 1 right answers: the others tell the item's answer by themselves.
        let mut groups: Vec<Group> = (1..count)
            .map(|score| {
                let sum = |f: &dyn Fn(usize) -> f64| -> f64 {
                    (0..self.prior.len()).map(|q| self.prior[q] * f(q)).sum()
                };
                let right = sum(&|q| self.chances[item][q] * others[score - 1][q]);
                let size = self.sizes[score];
                Group {
                    size,
                    right: self.right[item][score],
                    expected: size * right / sum(&|q| whole[score][q]),
                }
            })
            .collect();
        join(&mut groups);
        let parameters = match fit.items()[item].model() {
            ItemModel::Rasch | ItemModel::PartialCredit => 1,
            ItemModel::ThreeParameter => 3,
            _ => 2,
        };
        let df = groups.len().checked_sub(parameters).filter(|df| *df > 0)? as f64;
        let statistic = groups
            .iter()
            .map(|g| {
                let e = g.expected / g.size;
                g.size * (g.right / g.size - e).powi(2) / (e * (1.0 - e))
            })
            .sum();
        Some(TestResult::new(
            format!("S-X² of {}", fit.items()[item].name()),
            statistic,
            Distribution::ChiSquared { df },
        ))
    }
}

/// Persons of one sum score, or of several.
#[derive(Clone, Copy, Debug, Default)]
struct Group {
    size: f64,
    right: f64,
    expected: f64,
}

impl Group {
    fn is_small(&self) -> bool {
        self.expected.min(self.size - self.expected) < LEAST_EXPECTED
    }

    fn add(&mut self, other: Self) {
        self.size += other.size;
        self.right += other.right;
        self.expected += other.expected;
    }
}

/// Joins groups with small expected counts to their neighbours: from both ends towards the middle, where persons are.
fn join(groups: &mut Vec<Group>) {
    let mut out: Vec<Group> = vec![];
    let mut open = Group::default();
    for group in groups.iter() {
        open.add(*group);
        if !open.is_small() {
            out.push(std::mem::take(&mut open));
        }
    }
    if open.size > 0.0
        && let Some(last) = out.last_mut()
    {
        last.add(open);
    }
    *groups = out;
}

/// The distribution of the sum of right answers at each node: `out[score][node]`.
fn lord_wingersky(chances: &[&[f64]]) -> Vec<Vec<f64>> {
    let nodes = chances.first().map_or(0, |c| c.len());
    let mut out = vec![vec![1.0; nodes]];
    for chance in chances {
        out.push(vec![0.0; nodes]);
        for score in (0..out.len()).rev() {
            for q in 0..nodes {
                let below = if score > 0 { out[score - 1][q] } else { 0.0 };
                out[score][q] = out[score][q] * (1.0 - chance[q]) + below * chance[q];
            }
        }
    }
    out
}

/// Sums for infit and outfit of an item.
#[derive(Clone, Copy, Debug, Default)]
struct MeanSquares {
    weight: f64,
    /// Σ residual²/variance.
    standardised: f64,
    residual: f64,
    variance: f64,
    /// Σ κ/variance², with κ the fourth central moment.
    kurtosis: f64,
    /// Σ (κ − variance²).
    excess: f64,
}

impl MeanSquares {
    fn push(&mut self, probabilities: &[f64], category: usize, weight: f64) {
        let mean: f64 = probabilities
            .iter()
            .enumerate()
            .map(|(c, p)| c as f64 * p)
            .sum();
        let moment = |power: i32| -> f64 {
            let each = probabilities.iter().enumerate();
            each.map(|(c, p)| (c as f64 - mean).powi(power) * p).sum()
        };
        let (variance, fourth) = (moment(2), moment(4));
        let square = (category as f64 - mean).powi(2);
        self.weight += weight;
        self.standardised += weight * square / variance;
        self.residual += weight * square;
        self.variance += weight * variance;
        self.kurtosis += weight * fourth / (variance * variance);
        self.excess += weight * (fourth - variance * variance);
    }

    fn outfit(&self) -> f64 {
        self.standardised / self.weight
    }

    fn infit(&self) -> f64 {
        self.residual / self.variance
    }

    fn outfit_z(&self) -> f64 {
        let variance = self.kurtosis / self.weight.powi(2) - 1.0 / self.weight;
        cube_root(self.outfit(), variance)
    }

    fn infit_z(&self) -> f64 {
        cube_root(self.infit(), self.excess / self.variance.powi(2))
    }
}

/// Wilson & Hilferty's transform of a mean square of the given variance.
fn cube_root(mean_square: f64, variance: f64) -> f64 {
    let sd = variance.sqrt();
    (mean_square.cbrt() - 1.0) * 3.0 / sd + sd / 3.0
}

impl ItemFit {
    /// One row an item.
    pub fn table(&self) -> Table {
        let start = Table::new("Item fit")
            .columns(["Item", "S-X²", "df", "p", "Outfit", "z", "Infit", "z"]);
        self.items
            .iter()
            .fold(start, |table, item| {
                let test = match &item.s_x2 {
                    Some(test) => {
                        let df = match test.distribution {
                            Distribution::ChiSquared { df } => df,
                            _ => f64::NAN,
                        };
                        [
                            Cell::fixed(test.statistic, 2),
                            Cell::fixed(df, 0),
                            Cell::p_value(test.p_value),
                        ]
                    }
                    None => [Cell::empty(), Cell::empty(), Cell::empty()],
                };
                let squares = [item.outfit, item.outfit_z, item.infit, item.infit_z];
                let name = std::iter::once(Cell::from(item.name.as_str()));
                table.row(name.chain(test).chain(squares.map(|v| Cell::fixed(v, 2))))
            })
            .note(format!(
                "S-X² on {} persons with all answers; outfit and infit at weighted likelihood scores",
                Cell::count(self.complete as usize)
            ))
    }

    /// The table as HTML.
    pub fn to_html(&self) -> String {
        self.table().to_html()
    }
}

impl std::fmt::Display for ItemFit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.table().fmt(f)
    }
}

crate::report::notebook!(ItemFit);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_recursion_is_the_sum_over_all_patterns() {
        let chances = [[0.3, 0.9], [0.5, 0.2], [0.8, 0.6]];
        let found = lord_wingersky(&chances.each_ref().map(<[f64; 2]>::as_slice));
        for q in 0..2 {
            let mut exact = [0.0; 4];
            for pattern in 0..8_usize {
                let p = (0..3).map(|k| {
                    let right = pattern >> k & 1 == 1;
                    if right {
                        chances[k][q]
                    } else {
                        1.0 - chances[k][q]
                    }
                });
                exact[pattern.count_ones() as usize] += p.product::<f64>();
            }
            for (score, exact) in exact.iter().enumerate() {
                assert!((found[score][q] - exact).abs() < 1e-15);
            }
        }
    }

    #[test]
    fn small_groups_join_their_neighbours() {
        let group = |size, expected| Group {
            size,
            right: 0.0,
            expected,
        };
        let mut groups = vec![
            group(2.0, 0.4),
            group(10.0, 3.0),
            group(9.0, 5.0),
            group(3.0, 2.5),
        ];
        join(&mut groups);
        let sizes: Vec<f64> = groups.iter().map(|g| g.size).collect();
        assert_eq!(sizes, [12.0, 12.0]);
    }
}
