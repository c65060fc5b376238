//! One statement from the fits of several completed data sets: Rubin's rules.

use super::options::fewest_degrees;
use crate::error::{Error, Result};
use crate::inference::{Inference, Summarized, coefficient_table};
use crate::numeric::linalg::quadratic_form;
use crate::report::{Cell, Table};
use nalgebra::{DMatrix, DVector};
use serde::{Deserialize, Serialize};

/// Fits of the same model to M completed data sets (plausible values, multiple imputations) combined by Rubin's rules:
/// `β̄ = mean β̂_m`, `T = W̄ + (1 + 1/M) B` with W̄ the mean covariance and B the covariance between the β̂_m.
///
/// Contrasts c have the degrees of freedom of Barnard & Rubin (1999): with `λ = (1 + 1/M) c'Bc / c'Tc`,
/// `ν = 1/(λ²/(M − 1) + 1/ν_obs)`, `ν_obs = (ν₀ + 1)/(ν₀ + 3) · ν₀ (1 − λ)`, ν₀ the degrees of freedom of the fits.
///
/// What is combined must have been drawn with all variables of the model among the conditions, the **outcome too**: plausible values
/// that were drawn without the outcome shrink its coefficient as a naive score does.
///
/// # References
/// Rubin, D. B. (1987), doi:10.1002/9780470316696; Barnard, J. & Rubin, D. B. (1999), doi:10.1093/biomet/86.4.948; Mislevy, R. J.
/// (1991), doi:10.1007/BF02294457, for plausible values.
///
/// # Examples
/// ```
/// use cocreate::prelude::*;
/// let frame = datasets::load("nsw")?;
/// // Three "imputations" of the same column: nothing differs, so nothing is added.
/// let fit = Ols::new("re78 ~ treat").fit(&frame)?;
/// let pooled = PooledFit::from_fits(&[fit.clone(), fit.clone(), fit.clone()])?;
/// assert!((pooled.std_error("treat")? - fit.std_error("treat")?).abs() < 1e-9);
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PooledFit {
    pub(super) title: String,
    names: Vec<String>,
    estimates: DVector<f64>,
    within: DMatrix<f64>,
    between: DMatrix<f64>,
    covariance: DMatrix<f64>,
    count: usize,
    #[serde(deserialize_with = "crate::numeric::infinite::above")]
    complete_df: f64,
    label: String,
    pub(super) observations: Option<usize>,
    pub(super) notes: Vec<String>,
}

impl PooledFit {
    /// Combines fits of any kind that answer the verbs of [`Inference`].
    ///
    /// # Errors
    /// [`Error::TooFewRows`] for fewer than two fits; [`Error::Unidentified`] when they do not have the same coefficients.
    pub fn from_fits<F: Inference>(fits: &[F]) -> Result<Self> {
        let estimates: Vec<&DVector<f64>> = fits.iter().map(Inference::estimates).collect();
        let covariances: Vec<&DMatrix<f64>> = fits.iter().map(Inference::covariance).collect();
        let names: Vec<&[String]> = fits.iter().map(Inference::names).collect();
        let df = fits
            .iter()
            .map(fewest_degrees)
            .fold(f64::INFINITY, f64::min);
        Self::from_parts(&names, &estimates, &covariances, df)
    }

    /// The rules themselves.
    pub(super) fn from_parts(
        names: &[&[String]],
        estimates: &[&DVector<f64>],
        covariances: &[&DMatrix<f64>],
        complete_df: f64,
    ) -> Result<Self> {
        let count = estimates.len();
        if count < 2 {
            return Err(Error::TooFewRows {
                rows: count,
                parameters: 2,
            });
        }
        if let Some(other) = names.iter().find(|n| **n != names[0]) {
            return Err(Error::Unidentified {
                what: "a combination of fits".to_owned(),
                needs: format!(
                    "the same coefficients in every fit: one has {}, another {}",
                    names[0].join(", "),
                    other.join(", ")
                ),
            });
        }
        let m = count as f64;
        let mean = estimates.iter().copied().sum::<DVector<f64>>() / m;
        let within = covariances.iter().copied().sum::<DMatrix<f64>>() / m;
        let between = estimates
            .iter()
            .map(|b| {
                let gap = *b - &mean;
                &gap * gap.transpose()
            })
            .sum::<DMatrix<f64>>()
            / (m - 1.0);
        Ok(Self {
            title: "Combined fits".to_owned(),
            names: names[0].to_vec(),
            covariance: &within + &between * (1.0 + 1.0 / m),
            estimates: mean,
            within,
            between,
            count,
            complete_df,
            label: format!("Rubin's rules over {count} fits"),
            observations: None,
            notes: vec![],
        })
    }

    /// Number of fits combined.
    pub fn count(&self) -> usize {
        self.count
    }

    /// The mean covariance of the fits.
    pub fn within(&self) -> &DMatrix<f64> {
        &self.within
    }

    /// The covariance of the estimates between the fits.
    pub fn between(&self) -> &DMatrix<f64> {
        &self.between
    }

    /// The share of each coefficient's variance that comes from not knowing the completed values, `λ = (1 + 1/M) B/T`.
    pub fn missing_information(&self) -> Vec<f64> {
        (0..self.names.len())
            .map(|i| self.share(self.between[(i, i)], self.covariance[(i, i)]))
            .collect()
    }

    /// The fit as an HTML table.
    pub fn to_html(&self) -> String {
        self.full_table().to_html()
    }

    fn share(&self, between: f64, total: f64) -> f64 {
        if total > 0.0 {
            (1.0 + 1.0 / self.count as f64) * between / total
        } else {
            0.0
        }
    }

    fn full_table(&self) -> Table {
        let shares: Vec<String> = self
            .names
            .iter()
            .zip(self.missing_information())
            .map(|(name, share)| format!("{name} {share:.2}"))
            .collect();
        let mut table = coefficient_table(self)
            .with_title(self.title.as_str())
            .note(format!("Covariance: {}", self.label))
            .note(format!(
                "Share of the variance between fits: {}",
                shares.join(", ")
            ));
        if let Some(n) = self.observations {
            table = table.note(format!("n = {}", Cell::count(n)));
        }
        for note in &self.notes {
            table = table.note(note.as_str());
        }
        table
    }
}

impl Inference for PooledFit {
    crate::inference::fields::inference_of_fields!();

    fn degrees_of_freedom(&self, contrast: &DVector<f64>) -> f64 {
        let share = self.share(
            quadratic_form(&self.between, contrast),
            quadratic_form(&self.covariance, contrast),
        );
        let v = self.complete_df;
        let observed = if v.is_finite() {
            (v + 1.0) / (v + 3.0) * v * (1.0 - share)
        } else {
            f64::INFINITY
        };
        let inverse = share * share / (self.count as f64 - 1.0) + 1.0 / observed;
        1.0 / inverse
    }

    fn table(&self) -> Table {
        self.full_table()
    }
}

impl Summarized for PooledFit {
    fn footer(&self) -> Vec<(String, Cell)> {
        self.observations
            .map(|n| ("Observations".to_owned(), Cell::count(n)))
            .into_iter()
            .collect()
    }

    fn covariance_label(&self) -> String {
        self.label.clone()
    }
}

impl std::fmt::Display for PooledFit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.full_table().fmt(f)
    }
}

crate::report::notebook!(PooledFit);
