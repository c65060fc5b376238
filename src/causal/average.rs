//! Average effects with their joint covariance.

use super::units::{Linearised, Units};
use crate::error::{Error, Result, Warning};
use crate::inference::Inference;
use crate::inference::coefficient_table;
use crate::numeric::Seed;
use crate::report::Table;
use nalgebra::{DMatrix, DVector};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Average effects of arms against control, for all or for a part of the rows. The verbs of [`Inference`] apply; distributions are normal, with
/// G clusters t with G − 1 degrees of freedom.
///
/// Standard errors are those of the influence function, `V = Σ_g (Σ_{i∈g} ψ_i)(Σ_{i∈g} ψ_i)'` over clusters (or rows), with the factor
/// G/(G − 1).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AverageEffects {
    estimand: String,
    names: Vec<String>,
    estimates: DVector<f64>,
    covariance: DMatrix<f64>,
    rows: usize,
    clusters: Option<(String, usize)>,
    /// What the standard errors are, when not those of an influence function.
    #[serde(default)]
    errors: Option<String>,
    warnings: Vec<Warning>,
}

/// What is said about the rows below a table of effects.
pub(crate) struct Sampled {
    pub(crate) rows: usize,
    pub(crate) clusters: Option<(String, usize)>,
    pub(crate) warnings: Vec<Warning>,
}

impl AverageEffects {
    pub(crate) fn new(
        estimand: impl Into<String>,
        names: Vec<String>,
        parts: &[Linearised],
        units: &Units,
        sampled: Sampled,
    ) -> Self {
        Self {
            estimand: estimand.into(),
            names,
            estimates: DVector::from_iterator(parts.len(), parts.iter().map(|p| p.estimate)),
            covariance: units.covariance(parts),
            rows: sampled.rows,
            clusters: sampled.clusters,
            errors: None,
            warnings: sampled.warnings,
        }
    }

    /// One effect whose variance is not that of an influence function; `errors` says what it is.
    pub(crate) fn of_variance(
        estimand: impl Into<String>,
        name: String,
        [estimate, variance]: [f64; 2],
        errors: impl Into<String>,
        sampled: Sampled,
    ) -> Self {
        Self {
            estimand: estimand.into(),
            names: vec![name],
            estimates: DVector::from_element(1, estimate),
            covariance: DMatrix::from_element(1, 1, variance),
            rows: sampled.rows,
            clusters: sampled.clusters,
            errors: Some(errors.into()),
            warnings: sampled.warnings,
        }
    }

    /// Repeated cross-fitting: the medians of effects over several random splits into folds, so that the estimate does not hang on one. With `θ_s` and `V_s` of
    /// split s, the covariance is the one among `V_s + (θ_s − θ̃)(θ_s − θ̃)'` whose largest eigenvalue is the median (of an even number the mean of the two in the middle), and so
    /// counts how much splits differ.
    ///
    /// Split s is fitted by `fit` with the seed `seed.child("split s")`, s from 1.
    /// Medians of 5 splits of the partially linear model with 40 clusters cover 95 % (600 samples). DoubleML 0.11.4 has the median of the upper ends `θ_s + 1.96 σ_s` less `θ̃`, over 1.96, for a
    /// standard error, which is mostly smaller where splits differ.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] without splits or for effects that are called otherwise in another split; those of `fit`.
    ///
    /// # References
    /// Chernozhukov, Chetverikov, Demirer, Duflo, Hansen, Newey & Robins (2018), doi:10.1111/ectj.12097, definition 3.3.
    ///
    /// # Examples
    /// ```
    /// use cocreate::prelude::*;
    /// let made = HeterogeneousEffects::new(EffectDesign::NieWagerC).customers(400).seed(7).simulate()?;
    /// let model = DoublyRobust::new("y", "w", &["x1", "x2", "x3"]).learner(Learner::linear());
    /// let effects = AverageEffects::over_splits(5, 7, |seed| {
    ///     Ok(model.clone().seed(seed).fit(&made.data)?.average_effect().clone())
    /// })?;
    /// let effect = effects.coefficient("1")?;
    /// assert!((effect.estimate - 1.0).abs() < 3.0 * effect.std_error);
    /// # Ok::<(), cocreate::Error>(())
    /// ```
    pub fn over_splits(
        splits: usize,
        seed: impl Into<Seed>,
        fit: impl Fn(Seed) -> Result<Self>,
    ) -> Result<Self> {
        let seed = seed.into();
        let fits = (1..=splits)
            .map(|split| fit(seed.child(&format!("split {split}"))))
            .collect::<Result<Vec<Self>>>()?;
        let Some(first) = fits.first() else {
            return Err(Error::invalid_option("splits", splits, "at least 1"));
        };
        if let Some(other) = fits.iter().find(|fit| fit.names != first.names) {
            return Err(Error::invalid_option(
                "fit",
                format!("{} and {}", first.names.join(", "), other.names.join(", ")),
                "the same effects in every split",
            ));
        }
        let middle = |mut values: Vec<(f64, usize)>| -> [usize; 2] {
            values.sort_by(|a, b| a.0.total_cmp(&b.0));
            [values[(splits - 1) / 2].1, values[splits / 2].1]
        };
        let estimates = DVector::from_fn(first.names.len(), |effect, _| {
            let each = fits.iter().map(|fit| fit.estimates[effect]);
            let [a, b] = middle(each.zip(0..).collect());
            f64::midpoint(fits[a].estimates[effect], fits[b].estimates[effect])
        });
        let spread: Vec<DMatrix<f64>> = (fits.iter())
            .map(|fit| {
                let off = &fit.estimates - &estimates;
                &fit.covariance + &off * off.transpose()
            })
            .collect();
        let largest = (spread.iter()).map(|matrix| matrix.symmetric_eigenvalues().max());
        let [a, b] = middle(largest.zip(0..).collect());
        let mut warnings: Vec<Warning> = Vec::new();
        for warning in fits.iter().flat_map(|fit| &fit.warnings) {
            if !warnings.contains(warning) {
                warnings.push(warning.clone());
            }
        }
        Ok(Self {
            estimand: format!("{}, median of {splits} splits", first.estimand),
            estimates,
            covariance: (&spread[a] + &spread[b]) / 2.0,
            warnings,
            ..first.clone()
        })
    }

    /// What is estimated, in words.
    pub fn estimand(&self) -> &str {
        &self.estimand
    }

    /// Rows used.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// What a reader must know.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// The effects as a table.
    pub fn table(&self) -> Table {
        let errors = match &self.clusters {
            Some((column, count)) => format!("clustered by {column}; {count} clusters"),
            None => "independent rows".to_owned(),
        };
        let errors = (self.errors.clone())
            .unwrap_or_else(|| format!("Standard errors of the influence function, {errors}"));
        let table = coefficient_table(self)
            .with_title(&self.estimand)
            .note(format!("{} rows. {errors}.", self.rows));
        table.warned(&self.warnings)
    }

    /// The table as HTML.
    pub fn to_html(&self) -> String {
        self.table().to_html()
    }
}

/// The verbs of a fit are those of its field `average`.
macro_rules! averages {
    ($type:ty) => {
        impl crate::inference::Inference for $type {
            crate::inference::fields::inference_of_fit!(average);
        }
    };
}
pub(crate) use averages;

impl Inference for AverageEffects {
    crate::inference::fields::inference_of_fields!();

    fn degrees_of_freedom(&self, _: &DVector<f64>) -> f64 {
        let clusters = self.clusters.as_ref();
        clusters.map_or(f64::INFINITY, |(_, count)| *count as f64 - 1.0)
    }
}

impl fmt::Display for AverageEffects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.table().fmt(f)
    }
}

crate::report::notebook!(AverageEffects);
