//! The item response model as it is asked for.

use super::assemble::Plan;
use super::complete::GuessingPrior;
use super::fit::ItemResponseFit;
use super::item::ItemModel;
use crate::data::Frame;
use crate::error::{Error, Result};
use crate::inference::Covariance;
use crate::numeric::Progress;
use crate::regression::linear::Weights;
use serde::Serialize;

/// Item response models by marginal maximum likelihood: the answers `y_ik` of person i to the items k depend on ability `a_i` alone,
///
/// `L = Π_i ∫ Π_k P_k(y_ik | a) dΦ((a − μ_g − x_i'β)/σ_g)`, over the items that person i answered,
///
/// with the probabilities of [`ItemModel`]. What this is an estimate of: `D` and `δ` of each item, and the distribution of ability in the
/// population from which the persons are drawn. It needs answers that are independent given ability (one dimension, no learning from item to
/// item), ability that is normal within groups, and answers that are missing for reasons unrelated to ability given the
/// other answers.
///
/// **Identification.** Ability has neither origin nor unit of its own. By default it is N(0, 1) in the first group (in sorted order), given
/// regressors of zero; [`ItemResponse::anchor`] instead gives one item discrimination 1 and difficulty 0 and frees mean and variance
/// of all groups. Item parameters are the same in all groups. Fewer than three items do not identify discriminations of their own
/// ([`Error::Unidentified`]); the sign of ability is that of most items.
///
/// | name | default | meaning | range |
/// |---|---|---|---|
/// | `rasch`, `two_parameter`, `three_parameter`, `graded`, `partial_credit`, `generalized_partial_credit` | `two_parameter` | the model of all items | |
/// | `item_model` | | the model of one item | |
/// | `discrimination` | free | the discrimination that Rasch and partial-credit items share | > 0 |
/// | `anchor` | none | the item that fixes the scale, instead of N(0, 1) | an item |
/// | `group` | none | groups with means and variances of ability of their own | a column |
/// | `regressors` | none | regressors of ability, as on the right of a formula | |
/// | `difficulty_regressors` | none | difficulty as a function of features of items (LLTM) | Rasch items |
/// | `guessing_prior` | none | a weak prior on guessing: `strength` imagined answers, right with probability `mean` | (0, 1), > 0 |
/// | `frequency_weights`, `weights` | none | weights of persons | ≥ 0 |
/// | `covariance` | `Classical`, the inverse observed information | sampling variance | all but HC2, HC3, CR2, CR3 |
/// | `nodes` | by the data | equally spaced nodes over ±7 standard deviations; by default as close as the narrowest posterior is wide and 0.25 at most | ≥ 11 |
/// | `adaptive` | off | adaptive Gauss–Hermite quadrature of this many nodes for the last steps | 3 to 100 |
/// | `max_iterations` | 1000 | iterations in all | ≥ 1 |
///
/// EM with Newton M-steps (Bock & Aitkin 1981) until it is near, then Newton's method on the marginal likelihood with its exact Hessian
/// (Louis 1982), which is also the observed information behind the standard errors. Guessing that runs to zero is set to zero, with a warning.
///
/// # Errors
/// [`Error::Unidentified`] for an item that all answer alike, fewer than three items (two where they share their discrimination), a
/// discrimination that runs to infinity, or a likelihood that is flat; [`Error::OutOfRange`] for answers that are not whole numbers, or more
/// answers than the model has, and for negative weights; [`Error::TooFewRows`]; [`Error::NotConverged`]; [`Error::Cancelled`];
/// [`Error::InvalidOption`]; those of the columns and formulas.
///
/// # References
/// Bock, R. D. & Aitkin, M. (1981). Marginal maximum likelihood estimation of item parameters. *Psychometrika* 46(4), 443–459.
/// doi:10.1007/BF02293801
///
/// Louis, T. A. (1982). Finding the observed information matrix when using the EM algorithm. *JRSS B* 44(2), 226–233.
///
/// De Boeck, P. & Wilson, M. (2004). *Explanatory Item Response Models*. Springer. doi:10.1007/978-1-4757-3990-4
///
/// # Examples
/// ```
/// use cocreate::prelude::*;
/// let frame = datasets::load("lsat6_patterns")?;
/// let model = ItemResponse::new(["item1", "item2", "item3", "item4", "item5"]).frequency_weights("count");
/// let fit = model.fit(&frame)?;
/// assert!((fit.log_likelihood() + 2466.65338).abs() < 1e-4);
/// assert!((fit.coefficient("discrimination[item3]")?.estimate - 0.891).abs() < 1e-3);
/// let rasch = model.rasch().fit(&frame)?;
/// assert!(fit.likelihood_ratio_test(&rasch)?.p_value > 0.9); // one discrimination is enough
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, Serialize)]
pub struct ItemResponse {
    pub(super) items: Vec<String>,
    pub(super) model: ItemModel,
    pub(super) own_models: Vec<(String, ItemModel)>,
    pub(super) discrimination: Option<f64>,
    pub(super) anchor: Option<String>,
    pub(super) group: Option<String>,
    pub(super) regressors: Option<String>,
    #[serde(skip)]
    pub(super) features: Option<(String, Frame)>,
    pub(super) guessing_prior: Option<GuessingPrior>,
    pub(super) weights: Option<Weights>,
    pub(super) covariance: Covariance,
    pub(super) nodes: Option<usize>,
    pub(super) adaptive: Option<usize>,
    pub(super) most_iterations: usize,
}

/// Iterations in all, of EM and Newton.
const MOST_ITERATIONS: usize = 1000;

/// Fewer equally spaced nodes than this are no integral.
const FEWEST_NODES: usize = 11;

/// Adaptive rules: two nodes have no weight in the middle; a hundred are exact for any item.
const ADAPTIVE_NODES: std::ops::RangeInclusive<usize> = 3..=100;

impl ItemResponse {
    /// The two-parameter model of some items, given by the columns of their answers.
    pub fn new<S: Into<String>>(items: impl IntoIterator<Item = S>) -> Self {
        Self {
            items: items.into_iter().map(Into::into).collect(),
            model: ItemModel::TwoParameter,
            own_models: vec![],
            discrimination: None,
            anchor: None,
            group: None,
            regressors: None,
            features: None,
            guessing_prior: None,
            weights: None,
            covariance: Covariance::Classical,
            nodes: None,
            adaptive: None,
            most_iterations: MOST_ITERATIONS,
        }
    }

    /// All items are of the Rasch model.
    pub fn rasch(self) -> Self {
        self.model(ItemModel::Rasch)
    }

    /// All items are of the two-parameter model.
    pub fn two_parameter(self) -> Self {
        self.model(ItemModel::TwoParameter)
    }

    /// All items are of the three-parameter model.
    pub fn three_parameter(self) -> Self {
        self.model(ItemModel::ThreeParameter)
    }

    /// All items are of the graded response model.
    pub fn graded(self) -> Self {
        self.model(ItemModel::Graded)
    }

    /// All items are of the partial credit model.
    pub fn partial_credit(self) -> Self {
        self.model(ItemModel::PartialCredit)
    }

    /// All items are of the generalised partial credit model.
    pub fn generalized_partial_credit(self) -> Self {
        self.model(ItemModel::GeneralizedPartialCredit)
    }

    /// All items are of this model.
    pub fn model(mut self, model: ItemModel) -> Self {
        self.model = model;
        self
    }

    /// One item is of this model, whatever the others are.
    pub fn item_model(mut self, item: impl Into<String>, model: ItemModel) -> Self {
        self.own_models.push((item.into(), model));
        self
    }

    /// Fixes the discrimination that Rasch and partial-credit items share.
    pub fn discrimination(mut self, value: f64) -> Self {
        self.discrimination = Some(value);
        self
    }

    /// Fixes the scale of ability by an item of discrimination 1 and difficulty (first threshold, first step) 0.
    pub fn anchor(mut self, item: impl Into<String>) -> Self {
        self.anchor = Some(item.into());
        self
    }

    /// Groups with means and variances of ability of their own; the first, in sorted order, has mean 0 and variance 1.
    pub fn group(mut self, column: impl Into<String>) -> Self {
        self.group = Some(column.into());
        self
    }

    /// Regressors of ability, `a = x'β + ζ`, written as on the right of a formula; no constant is needed.
    pub fn regressors(mut self, right: impl Into<String>) -> Self {
        self.regressors = Some(right.into());
        self
    }

    /// Difficulty as a function of features of the items, `δ_k = w_k'γ` (the linear logistic test model): the right-hand side of a formula
    /// and a frame with the features and the name of each item in the column `item`. All items must be Rasch items.
    pub fn difficulty_regressors(mut self, right: impl Into<String>, items: &Frame) -> Self {
        self.features = Some((right.into(), items.clone()));
        self
    }

    /// A weak prior on guessing, `strength · [mean ln g + (1 − mean) ln(1 − g)]`: the estimates are then posterior modes.
    pub fn guessing_prior(mut self, mean: f64, strength: f64) -> Self {
        self.guessing_prior = Some(GuessingPrior { mean, strength });
        self
    }

    /// Frequency weights: each row stands for that many equal persons.
    pub fn frequency_weights(mut self, column: impl Into<String>) -> Self {
        self.weights = Some(Weights::Frequency(column.into()));
        self
    }

    /// Weights of the persons in the log-likelihood (sampling weights); use them with a robust covariance.
    pub fn weights(mut self, column: impl Into<String>) -> Self {
        self.weights = Some(Weights::Analytic(column.into()));
        self
    }

    /// Sets the covariance estimator.
    pub fn covariance(mut self, covariance: Covariance) -> Self {
        self.covariance = covariance;
        self
    }

    /// Sets the number of equally spaced nodes.
    pub fn nodes(mut self, count: usize) -> Self {
        self.nodes = Some(count);
        self
    }

    /// Takes the last steps with adaptive Gauss–Hermite quadrature: nodes around the posterior mode of each pattern.
    pub fn adaptive(mut self, nodes: usize) -> Self {
        self.adaptive = Some(nodes);
        self
    }

    /// Sets the number of iterations.
    pub fn max_iterations(mut self, iterations: usize) -> Self {
        self.most_iterations = iterations;
        self
    }

    /// Fits the model.
    ///
    /// # Errors
    /// See [`ItemResponse`].
    pub fn fit(&self, frame: &Frame) -> Result<ItemResponseFit> {
        self.fit_with(frame, &Progress::none())
    }

    /// Fits the model, watched by `progress`.
    ///
    /// # Errors
    /// See [`ItemResponse`].
    pub fn fit_with(&self, frame: &Frame, progress: &Progress) -> Result<ItemResponseFit> {
        self.check()?;
        Plan::new(self, frame)?.fit(self, frame, progress)
    }

    /// The model of each item.
    pub(super) fn models(&self) -> Vec<ItemModel> {
        self.items
            .iter()
            .map(|item| {
                (self.own_models.iter().rev())
                    .find(|(name, _)| name == item)
                    .map_or(self.model, |(_, model)| *model)
            })
            .collect()
    }

    /// Refuses options outside their range.
    fn check(&self) -> Result<()> {
        let named = self.own_models.iter().map(|(item, _)| ("item_model", item));
        let anchor = self.anchor.iter().map(|item| ("anchor", item));
        for (option, item) in named.chain(anchor) {
            if !self.items.contains(item) {
                return Err(Error::invalid_option(
                    option,
                    format!("`{item}`"),
                    format!("one of the items {}", self.items.join(", ")),
                ));
            }
        }
        if let Some(d) = self.discrimination
            && !(d.is_finite() && d > 0.0)
        {
            return Err(Error::invalid_option("discrimination", d, "positive"));
        }
        if let Some(prior) = self.guessing_prior {
            let good = prior.mean > 0.0
                && prior.mean < 1.0
                && prior.strength > 0.0
                && prior.strength.is_finite();
            if !good {
                return Err(Error::invalid_option(
                    "guessing_prior",
                    format!("mean {}, strength {}", prior.mean, prior.strength),
                    "a mean between 0 and 1 and a positive strength",
                ));
            }
        }
        if let Some(nodes) = self.nodes
            && nodes < FEWEST_NODES
        {
            return Err(Error::invalid_option(
                "nodes",
                nodes,
                format!("at least {FEWEST_NODES}"),
            ));
        }
        if let Some(nodes) = self.adaptive
            && !ADAPTIVE_NODES.contains(&nodes)
        {
            return Err(Error::invalid_option(
                "adaptive",
                nodes,
                format!(
                    "from {} to {}",
                    ADAPTIVE_NODES.start(),
                    ADAPTIVE_NODES.end()
                ),
            ));
        }
        if self.most_iterations == 0 {
            return Err(Error::invalid_option("max_iterations", 0, "at least 1"));
        }
        Ok(())
    }
}
