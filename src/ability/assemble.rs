//! From the options and the answers to parameters, starting values and the finished fit.

use super::features::Features;
use super::fit::{ItemResponseFit, Parts};
use super::item::ItemModel;
use super::marginal::Marginal;
use super::model::ItemResponse;
use super::responses::{Request, Responses};
use super::search::{Maximum, Outcome, Search, Settings};
use super::structure::{Linear, Reported, Structure};
use crate::data::Frame;
use crate::error::{Error, Result, Warning};
use crate::inference::fitted::Fitted;
use crate::numeric::Progress;
use crate::regression::LikelihoodStatistics;
use std::sync::Arc;

/// Discriminations of their own need the covariances of three items: two have one covariance for two discriminations.
const FEWEST_ITEMS: usize = 3;

/// Where logit guessing starts without a prior: one answer in six.
const GUESSING_START: f64 = -1.6;

/// Log-odds given ability are this much larger than marginal ones for a discrimination of one: √(1 + 3/π²), from matching
/// logistic and normal curves (Demidenko 2013, § 7.1.2).
const CONDITIONAL: f64 = 1.14;

/// Logit guessing that is zero in every respect.
const ZERO: f64 = -1e3;

/// What is to be fitted.
pub(super) struct Plan {
    responses: Responses,
    models: Vec<ItemModel>,
    features: Option<Features>,
    warnings: Vec<Warning>,
}

impl Plan {
    /// Reads the answers and checks that the model is identified.
    pub(super) fn new(model: &ItemResponse, frame: &Frame) -> Result<Self> {
        let models = model.models();
        let responses = Responses::new(
            frame,
            &Request {
                items: &model.items,
                models: &models,
                weights: model.weights.as_ref(),
                group: model.group.as_deref(),
                regressors: model.regressors.as_deref(),
            },
        )?;
        let own = models.iter().filter(|m| !m.shares_discrimination()).count();
        if own > 0 && models.len() < FEWEST_ITEMS {
            return Err(Error::Unidentified {
                what: format!("a discrimination for each of {} items", models.len()),
                needs: "at least three items, or one discrimination for all (ItemResponse::rasch)"
                    .to_owned(),
            });
        }
        if model.discrimination.is_some() && own == models.len() {
            return Err(Error::invalid_option(
                "discrimination",
                "given",
                "left out where every item has a discrimination of its own; it is that of Rasch and partial-credit items",
            ));
        }
        let mut warnings = responses.warnings().to_vec();
        let features = match &model.features {
            None => None,
            Some((right, items)) => {
                Some(Features::new(model, &models, right, items, &mut warnings)?)
            }
        };
        Ok(Self {
            responses,
            models,
            features,
            warnings,
        })
    }

    /// Fits it.
    pub(super) fn fit(
        mut self,
        model: &ItemResponse,
        frame: &Frame,
        progress: &Progress,
    ) -> Result<ItemResponseFit> {
        let settings = Settings {
            nodes: model.nodes,
            adaptive: model.adaptive,
            most_iterations: model.most_iterations,
            prior: model.guessing_prior,
        };
        let mut without_guessing = vec![];
        let mut start = None;
        loop {
            let structure = self.structure(model, &without_guessing);
            let persons = self.responses.total_weight();
            if persons <= structure.size as f64 {
                return Err(Error::TooFewRows {
                    rows: persons as usize,
                    parameters: structure.size,
                });
            }
            let phi = start.unwrap_or_else(|| self.start(model, &structure));
            let marginal = Marginal::new(&structure, &self.responses);
            let search = Search {
                marginal: &marginal,
                settings,
                progress,
            };
            match search.run(structure.nearest(&phi))? {
                Outcome::Boundary(items, phi) => {
                    without_guessing.extend(items);
                    start = Some(phi);
                }
                Outcome::Found(found) => {
                    if !without_guessing.is_empty() {
                        without_guessing.sort_unstable();
                        let names: Vec<&str> = without_guessing
                            .iter()
                            .map(|k| model.items[*k].as_str())
                            .collect();
                        self.warnings.push(Warning::Note {
                            message: format!(
                                "guessing of {} runs to zero and is set to zero; a prior (ItemResponse::guessing_prior) keeps it inside",
                                names.join(", ")
                            ),
                        });
                    }
                    return self.finish(model, frame, structure, *found);
                }
            }
        }
    }

    /// The free parameters.
    fn structure(&self, model: &ItemResponse, without_guessing: &[usize]) -> Structure {
        let r = &self.responses;
        let mut size = 0;
        let mut free = || {
            size += 1;
            Linear::free(size - 1)
        };
        let mut offsets = vec![0];
        let mut coefficients: Vec<Linear> = vec![];
        let mut reported = vec![];
        let anchor = (model.anchor.as_ref()).and_then(|a| model.items.iter().position(|i| i == a));
        let anchored_share = anchor.is_some_and(|k| self.models[k].shares_discrimination());
        let mut shared: Option<Linear> = match model.discrimination {
            Some(d) => Some(Linear::fixed(d)),
            None if anchored_share => Some(Linear::fixed(1.0)),
            None => None,
        };
        let slopes: Vec<Linear> = (self.features.iter())
            .flat_map(|f| &f.names)
            .map(|_| free())
            .collect();
        for (k, kind) in self.models.iter().enumerate() {
            let name = &model.items[k];
            let at = coefficients.len();
            let cuts = r.categories(k).len() - 1;
            let is_anchor = anchor == Some(k);
            let discrimination = if kind.shares_discrimination() {
                if shared.is_none() {
                    reported.push(("discrimination".to_owned(), Reported::Plain(at)));
                }
                shared.get_or_insert_with(&mut free).clone()
            } else if is_anchor {
                Linear::fixed(1.0)
            } else {
                reported.push((format!("discrimination[{name}]"), Reported::Plain(at)));
                free()
            };
            coefficients.push(discrimination);
            for cut in 0..cuts {
                if let Some(features) = &self.features {
                    coefficients.push(Linear {
                        constant: 0.0,
                        terms: slopes
                            .iter()
                            .enumerate()
                            .map(|(j, slope)| (slope.terms[0].0, -features.values[(k, j)]))
                            .collect(),
                    });
                } else if is_anchor && cut == 0 {
                    coefficients.push(Linear::fixed(0.0));
                } else {
                    let label = kind.cut_name(cuts, cut);
                    reported.push((format!("{label}[{name}]"), Reported::Cut(at + 1 + cut, at)));
                    coefficients.push(free());
                }
            }
            if *kind == ItemModel::ThreeParameter {
                if without_guessing.contains(&k) {
                    coefficients.push(Linear::fixed(ZERO));
                } else {
                    reported.push((
                        format!("guessing[{name}]"),
                        Reported::Guessing(coefficients.len()),
                    ));
                    coefficients.push(free());
                }
            }
            offsets.push(coefficients.len());
        }
        if let Some(features) = &self.features {
            for (name, slope) in features.names.iter().zip(&slopes) {
                reported.push((
                    format!("difficulty.{name}"),
                    Reported::DifficultySlope(slope.terms[0].0, 0),
                ));
            }
        }
        let groups = r.groups().len();
        let label = |what: &str, g: usize| match r.groups()[g].as_str() {
            "" => what.to_owned(),
            name => format!("{what}[{name}]"),
        };
        for what in ["ability_mean", "ability_variance"] {
            for g in 0..groups {
                if g == 0 && anchor.is_none() {
                    coefficients.push(Linear::fixed(0.0));
                    continue;
                }
                let at = coefficients.len();
                reported.push((
                    label(what, g),
                    if what == "ability_mean" {
                        Reported::Plain(at)
                    } else {
                        Reported::Variance(at)
                    },
                ));
                coefficients.push(free());
            }
        }
        for name in r.regressors() {
            reported.push((
                format!("ability.{name}"),
                Reported::Plain(coefficients.len()),
            ));
            coefficients.push(free());
        }
        Structure {
            names: model.items.clone(),
            models: self.models.clone(),
            cuts: (0..r.items()).map(|k| r.categories(k).len() - 1).collect(),
            offsets,
            groups,
            slopes: r.regressors().len(),
            coefficients,
            size,
            reported,
        }
    }

    /// Starting values of the working coefficients: discriminations of one, intercepts from the shares of the answers.
    fn start(&self, model: &ItemResponse, structure: &Structure) -> Vec<f64> {
        let signs = self.signs();
        let mut phi = vec![];
        for (k, sign) in signs.into_iter().enumerate() {
            let kind = self.models[k];
            let sign = if kind.shares_discrimination() {
                1.0
            } else {
                sign
            };
            phi.push(sign * model.discrimination.unwrap_or(1.0));
            let shares = self.shares(k);
            for cut in 0..structure.cuts[k] {
                let (below, above) = match kind {
                    ItemModel::PartialCredit | ItemModel::GeneralizedPartialCredit => {
                        (shares[cut], shares[cut + 1])
                    }
                    _ => (
                        shares[..=cut].iter().sum::<f64>(),
                        shares[cut + 1..].iter().sum::<f64>(),
                    ),
                };
                phi.push(CONDITIONAL * (above / below).ln());
            }
            if kind == ItemModel::ThreeParameter {
                phi.push(match model.guessing_prior {
                    Some(prior) => (prior.mean / (1.0 - prior.mean)).ln(),
                    None => GUESSING_START,
                });
            }
        }
        let anchor = (model.anchor.as_ref())
            .and_then(|a| model.items.iter().position(|i| i == a))
            .map(|k| structure.offsets[k] + 1);
        let origin = anchor.map_or(0.0, |at| phi[at]);
        for k in 0..structure.items() {
            for t in 0..structure.cuts[k] {
                phi[structure.offsets[k] + 1 + t] -= origin * phi[structure.offsets[k]];
            }
        }
        phi.extend(std::iter::repeat_n(origin, structure.groups));
        phi.extend(std::iter::repeat_n(
            0.0,
            structure.groups + structure.slopes,
        ));
        phi
    }

    /// The shares of the answers to an item, none of them zero.
    fn shares(&self, item: usize) -> Vec<f64> {
        let r = &self.responses;
        let mut counts = vec![0.5; r.categories(item).len()];
        for pattern in 0..r.patterns() {
            if let Some(c) = r.answer(pattern, item) {
                counts[c] += r.weight(pattern);
            }
        }
        counts
    }

    /// Minus one for items whose answers fall as those to the others rise.
    fn signs(&self) -> Vec<f64> {
        let r = &self.responses;
        let items = r.items();
        let centre: Vec<f64> = (0..items)
            .map(|k| {
                let shares = self.shares(k);
                let total: f64 = shares.iter().sum();
                shares
                    .iter()
                    .enumerate()
                    .map(|(c, s)| c as f64 * s)
                    .sum::<f64>()
                    / total
            })
            .collect();
        let scale = |k: usize| (r.categories(k).len() - 1) as f64;
        let mut products = vec![0.0; items];
        for pattern in 0..r.patterns() {
            let gaps: Vec<(usize, f64)> = (r.answers(pattern))
                .map(|(k, c)| (k, (c as f64 - centre[k]) / scale(k)))
                .collect();
            let total: f64 = gaps.iter().map(|(_, gap)| gap).sum();
            for (k, gap) in gaps {
                products[k] += r.weight(pattern) * gap * (total - gap);
            }
        }
        products
            .into_iter()
            .map(|p| if p < 0.0 { -1.0 } else { 1.0 })
            .collect()
    }

    /// The fit with its covariance.
    fn finish(
        self,
        model: &ItemResponse,
        frame: &Frame,
        structure: Structure,
        found: Maximum,
    ) -> Result<ItemResponseFit> {
        let phi = structure.working(&found.theta);
        let (estimates, _) = structure.report(&found.theta);
        let names: Vec<String> = structure.reported.iter().map(|(n, _)| n.clone()).collect();
        let r = &self.responses;
        let observations = if r.is_frequency() {
            r.total_weight()
        } else {
            r.persons() as f64
        };
        let k = structure.size as f64;
        let fit = ItemResponseFit {
            title: title(model, &self.models),
            items: structure.items_at(&phi),
            population: structure.population_at(&phi, r.groups(), r.regressors()),
            nodes: found.grid.nodes.clone(),
            fitted: Fitted::new(names, estimates),
            statistics: LikelihoodStatistics {
                observations,
                parameters: structure.size,
                log_likelihood: found.value,
                null_log_likelihood: None,
                mcfadden_r_squared: None,
                aic: -2.0 * found.value + 2.0 * k,
                bic: -2.0 * found.value + observations.ln() * k,
            },
            convergence: found.convergence.clone(),
            history: found.history.clone(),
            warnings: self.warnings,
            parts: Some(Arc::new(Parts {
                responses: self.responses,
                frame: frame.clone(),
                structure,
                theta: found.theta,
                information: found.information,
                grid: found.grid,
            })),
        };
        fit.with_covariance(model.covariance.clone())
    }
}

/// What the model is called.
fn title(model: &ItemResponse, models: &[ItemModel]) -> String {
    let first = models[0];
    let name = if models.iter().all(|m| *m == first) {
        format!("{first} model")
    } else {
        "Item response model".to_owned()
    };
    let parts = [
        Some(format!("{}{}", name[..1].to_uppercase(), &name[1..])),
        (model.regressors.as_ref()).map(|right| format!("ability ~ {right}")),
        (model.features.as_ref()).map(|(right, _)| format!("difficulty ~ {right}")),
        (model.group.as_ref()).map(|group| format!("groups by {group}")),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}
