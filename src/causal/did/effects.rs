//! Effects of a roll-out with what each unit adds to their error.

use crate::error::{Error, Result, Warning};
use crate::inference::{Estimate, Inference, Influence, coefficient_table};
use crate::report::{Cell, Table};
use crate::summary::gram::cross_product;
use nalgebra::{DMatrix, DVector};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Effects of a roll-out with their joint covariance. The verbs of [`Inference`] apply, with t distributions of G − 1 degrees of freedom for G units or clusters;
/// [`MultiplierBootstrap`](crate::inference::MultiplierBootstrap) has their simultaneous intervals.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RolloutEffects {
    estimand: String,
    names: Vec<String>,
    estimates: DVector<f64>,
    covariance: DMatrix<f64>,
    size: RolloutSize,
    /// How errors were made, in words.
    errors: String,
    warnings: Vec<Warning>,
    /// Units or clusters by effects, with the small-sample factor in it.
    #[serde(skip)]
    influence: Option<Arc<DMatrix<f64>>>,
}

/// How much data there were.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct RolloutSize {
    pub(super) rows: usize,
    pub(super) units: usize,
    /// The column of units or of clusters, and how many.
    pub(super) clusters: (String, usize),
}

/// What is said about effects besides their numbers.
#[derive(Clone, Debug)]
pub(super) struct About {
    pub(super) estimand: String,
    pub(super) size: RolloutSize,
    pub(super) errors: String,
    pub(super) warnings: Vec<Warning>,
}

impl RolloutEffects {
    /// From influences, whose sum over units is the error; the factor √(G/(G − 1)) is multiplied in here.
    pub(super) fn new(
        about: About,
        names: Vec<String>,
        estimates: DVector<f64>,
        mut influence: DMatrix<f64>,
    ) -> Self {
        let count = about.size.clusters.1 as f64;
        influence *= (count / (count - 1.0)).sqrt();
        Self::scaled(about, names, estimates, influence)
    }

    /// From influences that have their small-sample factor.
    pub(super) fn scaled(
        about: About,
        names: Vec<String>,
        estimates: DVector<f64>,
        influence: DMatrix<f64>,
    ) -> Self {
        Self {
            estimand: about.estimand,
            names,
            estimates,
            covariance: cross_product(&influence),
            size: about.size,
            errors: about.errors,
            warnings: about.warnings,
            influence: Some(Arc::new(influence)),
        }
    }

    /// Of estimates that were made elsewhere.
    pub(super) fn given(
        estimand: &str,
        names: Vec<String>,
        estimates: DVector<f64>,
        covariance: DMatrix<f64>,
    ) -> Self {
        Self {
            estimand: estimand.to_owned(),
            names,
            estimates,
            covariance,
            size: RolloutSize {
                rows: 0,
                units: 0,
                clusters: (String::new(), 0),
            },
            errors: String::new(),
            warnings: Vec::new(),
            influence: None,
        }
    }

    /// With other effects of the same clusters before them, whose influences have their small-sample factor.
    pub(super) fn preceded(
        self,
        mut names: Vec<String>,
        estimates: &DVector<f64>,
        influence: &DMatrix<f64>,
    ) -> Result<Self> {
        let own = Influence::influence(&self, None)?;
        let (first, all) = (names.len(), names.len() + self.names.len());
        let joint = |row: usize, column: usize| match column.checked_sub(first) {
            None => influence[(row, column)],
            Some(column) => own[(row, column)],
        };
        names.extend(self.names);
        let about = About {
            estimand: self.estimand,
            size: self.size,
            errors: self.errors,
            warnings: self.warnings,
        };
        let both = estimates.iter().chain(self.estimates.iter()).copied();
        Ok(Self::scaled(
            about,
            names,
            DVector::from_iterator(all, both),
            DMatrix::from_fn(own.nrows(), all, joint),
        ))
    }

    /// What is estimated, in words.
    pub fn estimand(&self) -> &str {
        &self.estimand
    }

    /// Rows used.
    pub fn rows(&self) -> usize {
        self.size.rows
    }

    /// Units used.
    pub fn units(&self) -> usize {
        self.size.units
    }

    /// Units or clusters that errors take as independent.
    pub fn clusters(&self) -> usize {
        self.size.clusters.1
    }

    /// What a reader must know.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    pub(super) fn warn(&mut self, warning: Warning) {
        self.warnings.push(warning);
    }

    pub(super) fn rename(&mut self, names: Vec<String>) {
        self.names = names;
    }

    /// Combinations of the effects with fixed weights, one row of the map each.
    pub(super) fn mapped(&self, estimand: &str, names: Vec<String>, map: &DMatrix<f64>) -> Self {
        Self {
            estimand: estimand.to_owned(),
            names,
            estimates: map * &self.estimates,
            covariance: map * &self.covariance * map.transpose(),
            influence: (self.influence.as_ref())
                .map(|influence| Arc::new(influence.as_ref() * map.transpose())),
            ..self.clone()
        }
    }

    /// A combination of the effects with fixed weights.
    pub(super) fn combination(&self, name: &str, weights: &DVector<f64>) -> Estimate {
        Estimate {
            name: name.to_owned(),
            estimate: weights.dot(&self.estimates),
            std_error: crate::numeric::linalg::quadratic_form(&self.covariance, weights)
                .max(0.0)
                .sqrt(),
            degrees_of_freedom: self.degrees_of_freedom(weights),
        }
    }

    /// The effects as a table.
    pub fn table(&self) -> Table {
        let (column, count) = &self.size.clusters;
        let table = coefficient_table(self).with_title(&self.estimand);
        if *count == 0 {
            return table.note("Estimates and covariance as given.");
        }
        table
            .note(format!(
                "{} rows, {} units. {}, {} clusters by {column}.",
                Cell::count(self.size.rows),
                Cell::count(self.size.units),
                self.errors,
                Cell::count(*count),
            ))
            .warned(&self.warnings)
    }
}

impl Inference for RolloutEffects {
    crate::inference::fields::inference_of_fields!();

    fn degrees_of_freedom(&self, _: &DVector<f64>) -> f64 {
        match self.size.clusters.1 {
            0 => f64::INFINITY,
            count => count as f64 - 1.0,
        }
    }
}

impl Influence for RolloutEffects {
    fn influence(&self, cluster: Option<&str>) -> Result<DMatrix<f64>> {
        if let Some(column) = cluster.filter(|column| *column != self.size.clusters.0) {
            return Err(Error::DataNotKept {
                what: format!("clustering by `{column}`"),
                remedy: format!("add `.clusters(\"{column}\")` before fitting"),
            });
        }
        let kept = self.influence.as_ref().ok_or_else(|| Error::DataNotKept {
            what: "the influence of units".to_owned(),
            remedy: "fit again: influences are not written to files".to_owned(),
        })?;
        Ok(DMatrix::clone(kept))
    }
}

crate::report::notebook::shown!(RolloutEffects);

/// The verbs of a result are those of its field `effects`.
macro_rules! rollout_verbs {
    ($type:ty) => {
        impl crate::inference::Inference for $type {
            crate::inference::fields::inference_of_fit!(effects);
        }

        impl crate::inference::Influence for $type {
            fn influence(&self, cluster: Option<&str>) -> crate::Result<nalgebra::DMatrix<f64>> {
                self.effects.influence(cluster)
            }
        }

        impl $type {
            /// What a reader must know.
            pub fn warnings(&self) -> &[crate::Warning] {
                self.effects.warnings()
            }
        }
    };
}
pub(super) use rollout_verbs;
