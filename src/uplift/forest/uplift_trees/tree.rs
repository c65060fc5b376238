//! The uplift tree: a few questions that tell who responds to what.

use super::criterion::UpliftCriterion;
use super::options::{Options, grown};
use super::tree_fit::UpliftTreeFit;
use crate::data::Frame;
use crate::error::{Error, Result};
use crate::numeric::{Progress, Seed};
use crate::uplift::forest::sample::{Drawn, Sampling};
use serde::{Deserialize, Serialize};

/// A tree whose questions separate customers by their response to treatment, in a trial with two or more arms. Each split maximises an
/// [`UpliftCriterion`]; each leaf has the mean outcome of every arm, and the differences to control are the predicted effects:
/// `τ_k(leaf) = ȳ_k(leaf) − ȳ_0(leaf)`.
///
/// Arms must have been assigned at random, with the same probabilities for all: the tree compares means and adjusts for nothing. (For other data
/// there is the [`CausalForest`](crate::uplift::CausalForest).) By default the tree is honest: half of the rows find the splits and the other half estimate
/// the leaves, so that the effects and their standard errors hold for the groups that were found. With
/// [`validation_fraction`](Self::validation_fraction), rows that neither find splits nor estimate leaves cut back what they do not confirm.
///
/// Numbers are cut into at most 255 bins; missing values go to the side, or are the side, where they fit; categories are split as sets of levels, put
/// in order by their effect. While a split is judged, means are pulled towards the parent's by `shrinkage`; leaves have plain means.
///
/// | name | default | meaning | range |
/// |---|---|---|---|
/// | `criterion` | `Euclidean` | what splits maximise | outcomes of 0 and 1 for two of them |
/// | `control` | the first level | the arm compared with | |
/// | `normalized` | true | gains are divided by what the split tells about the arm | |
/// | `shrinkage` | 10 | rows with the parent's mean added to each arm | ≥ 0 |
/// | `depth` | 3 | questions on the way to a leaf | 0 to 64 |
/// | `min_arm_rows` | 10 | rows of every arm on each side | ≥ 2 |
/// | `min_leaf_rows` | 100 | rows on each side | ≥ 1 |
/// | `least_gain` | 0 | a split must gain more | ≥ 0 |
/// | `features_per_split` | all | features tried at a split | 1 to p |
/// | `honest`, `honesty_fraction` | true, 0.5 | other rows estimate the leaves; the share that finds splits | (0, 1) |
/// | `validation_fraction` | 0 | share of the rows that cuts the tree back | [0, 1) |
/// | `weights` | none | a column of weights ≥ 0, scaled to mean 1 where positive: means and gains are weighted; limits count rows | |
/// | `clusters` | none | a column: rows of a cluster are drawn and held out together, errors are clustered | |
///
/// With weights or clusters the error of a leaf's effect is that of the linearised means, summed over the clusters (rows) that have the arms, with
/// the factor G/(G − 1) of each arm: Welch's where every row stands alone. Degrees of freedom are Welch and Satterthwaite's by clusters, and where a cluster has
/// both arms the smaller of the two arms' clusters less one. A split that leaves fewer than two clusters with an arm on a side is not kept.
///
/// Cutting back compares, from the leaves upwards, the effect of the most effective arm in a node on the validation rows, signed as on the rows that
/// grew the tree, with the same of the subtree's leaves, and keeps the subtree where it is larger (the maximum class probability difference of
/// Rzepakowski & Jaroszewicz, section 5).
///
/// # Errors
/// [`Error::SeedRequired`] when anything is drawn; [`Error::ColumnNotFound`], [`Error::Infinite`]; [`Error::MissingClusters`]; [`Error::OutOfRange`] for
/// negative weights; [`Error::Unidentified`] for an outcome that does not vary or an arm with too few rows or clusters; [`Error::InvalidOption`], also for a criterion that needs outcomes of 0 and 1 when there are others.
///
/// # References
/// - Rzepakowski, P. & Jaroszewicz, S. (2012). Decision trees for uplift modeling with single and multiple treatments. *Knowledge and Information
///   Systems* 32, 303–327, doi:10.1007/s10115-011-0434-0.
/// - Zhao, Y., Fang, X. & Simchi-Levi, D. (2017). Uplift modeling with multiple treatments and general response types. *SIAM International
///   Conference on Data Mining*, 588–596, doi:10.1137/1.9781611974973.66.
/// - Su, X., Tsai, C.-L., Wang, H., Nickerson, D. M. & Li, B. (2009). Subgroup analysis via recursive partitioning. *JMLR* 10, 141–158.
/// - Athey, S. & Imbens, G. (2016), *PNAS* 113(27), doi:10.1073/pnas.1510489113 (honest estimation).
///
/// # Examples
/// ```
/// use cocreate::prelude::*;
/// let n = 2_000_u32;
/// let age: Vec<f64> = (0..n).map(|i| f64::from(20 + i * 37 % 50)).collect();
/// let arm: Vec<&str> = (0..n).map(|i| ["control", "invited"][(i * 7919 % 1009 % 2) as usize]).collect();
/// // Invitations raise buying from one in five to three in five, of those above 44 only.
/// let buys: Vec<f64> = (0..n as usize).map(|i| {
///     let likely = if age[i] > 44.0 && arm[i] == "invited" { 3 } else { 1 };
///     f64::from(u8::from(i * 613 % 1013 % 5 < likely))
/// }).collect();
/// let trial = Frame::new().with("age", age)?.with("arm", arm)?.with("buys", buys)?;
/// let fit = UpliftTree::new("buys", "arm", &["age"]).depth(1).seed(7).fit(&trial)?;
/// assert_eq!(fit.nodes()[0].question.as_deref(), Some("age ≤ 44.5"));
/// let effects = fit.predict(&Frame::new().with("age", vec![30.0, 60.0])?)?;
/// assert!(effects.first()[0].abs() < 0.1 && (effects.first()[1] - 0.4).abs() < 0.1);
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct UpliftTree {
    pub(super) options: Options,
    validation_fraction: f64,
}

grown!(UpliftTree);

impl UpliftTree {
    /// A tree for the effect of the arms on an outcome, with questions about these columns.
    pub fn new<S: AsRef<str>>(
        outcome: impl AsRef<str>,
        treatment: impl AsRef<str>,
        features: &[S],
    ) -> Self {
        Self {
            options: Options::new(outcome.as_ref(), treatment.as_ref(), features),
            validation_fraction: 0.0,
        }
    }

    /// The share of the rows that cuts the tree back.
    pub fn validation_fraction(mut self, share: f64) -> Self {
        self.validation_fraction = share;
        self
    }

    /// Fits to the frame.
    ///
    /// # Errors
    /// See [`UpliftTree`].
    pub fn fit(&self, frame: &Frame) -> Result<UpliftTreeFit> {
        self.fit_with(frame, &Progress::none())
    }

    /// Fits to the frame, watched.
    ///
    /// # Errors
    /// See [`UpliftTree`]; [`Error::Cancelled`].
    pub fn fit_with(&self, frame: &Frame, progress: &Progress) -> Result<UpliftTreeFit> {
        let options = &self.options;
        let validation = self.validation_fraction;
        if !(0.0..1.0).contains(&validation) {
            return Err(Error::invalid_option(
                "validation_fraction",
                validation,
                "from 0 to below 1",
            ));
        }
        let features = options.columns.features.len();
        let chosen = options.features_per_split.is_some_and(|k| k < features);
        let seed = match options.seed {
            Some(seed) => seed,
            // Nothing is drawn.
            None if !options.honest && !chosen && validation <= 0.0 => Seed::new(0),
            None => {
                return Err(Error::SeedRequired {
                    what: "an uplift tree".to_owned(),
                });
            }
        };
        let honesty = if options.honest {
            options.honesty_fraction
        } else {
            1.0
        };
        let prepared = options.prepare(frame, features, honesty * (1.0 - validation))?;
        let units = &prepared.binned.units;
        let mut random = seed.child("uplift tree").stream(0);
        let drawn = if options.honest || validation > 0.0 {
            let sampling = Sampling {
                bag: 1,
                fraction: 1.0 - validation,
                honesty: options.honesty_fraction,
            };
            let all = units.bag(sampling, &mut random);
            units.tree(&all, sampling, &mut random)
        } else {
            Drawn {
                split: (0..prepared.sample.len() as u32).collect(),
                ..Drawn::default()
            }
        };
        let everybody = prepared.everybody();
        let all = prepared
            .ground()
            .sums(everybody.into_iter().map(|row| row as usize));
        let prune = validation > 0.0;
        let made = prepared.tree(options.honest, prune, &drawn, &all, &mut random);
        progress.report("uplift tree", 1, 1)?;
        Ok(UpliftTreeFit::new(self, prepared, made))
    }

    /// How the tree was grown, in words.
    pub(super) fn describe(&self) -> String {
        let mut words = self.options.describe();
        if self.validation_fraction > 0.0 {
            words.push_str("; cut back on validation rows");
        }
        words
    }
}
