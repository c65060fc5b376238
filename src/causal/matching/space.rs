//! Where rows stand: coordinates whose Euclidean distance is the distance of matching, and calipers.

use super::tree::tied;
use crate::causal::weighting::observed::{Basis, Observed};
use crate::causal::weighting::tilt::{Tilt, Tilted};
use crate::data::Frame;
use crate::error::{Error, Result};
use crate::numeric::linalg::Cholesky;
use nalgebra::{DMatrix, DVector};
use serde::{Deserialize, Serialize};
use std::fmt;

/// How far apart two rows are.
///
/// ```
/// use cocreate::prelude::*;
/// assert_eq!(MatchDistance::LogOdds.to_string(), "log odds of the propensity");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum MatchDistance {
    /// `(x − z)'S⁻¹(x − z)` with the covariance S of the covariates: the same for all covariates that are affine maps of these.
    #[default]
    Mahalanobis,
    /// `Σ (x − z)²/s²` with the variance of each covariate.
    InverseVariance,
    /// `|e(x) − e(z)|` with the propensity of a logit.
    Propensity,
    /// `|ln e(x)/(1 − e(x)) − ln e(z)/(1 − e(z))|`: nearer ends count more than with the propensity.
    LogOdds,
}

impl fmt::Display for MatchDistance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Mahalanobis => "Mahalanobis distance",
            Self::InverseVariance => "Euclidean distance of standardised covariates",
            Self::Propensity => "propensity",
            Self::LogOdds => "log odds of the propensity",
        })
    }
}

impl MatchDistance {
    /// Whether the distance is one of estimated propensities.
    pub(super) fn of_score(self) -> bool {
        matches!(self, Self::Propensity | Self::LogOdds)
    }
}

/// What rows may be matched.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Limits {
    pub(super) distance: MatchDistance,
    /// Columns that matched rows have in common.
    pub(super) exact: Vec<String>,
    /// Other columns without which a row is left out.
    #[serde(skip)]
    pub(super) present: Vec<String>,
    /// Standard deviations of the score.
    pub(super) caliper: Option<f64>,
    /// Covariates with their standard deviations.
    pub(super) calipers: Vec<(String, f64)>,
}

/// Rows as points.
pub(super) struct Space {
    /// Coordinates of a row.
    pub(super) width: usize,
    pub(super) points: Vec<f64>,
    /// The exact cell of every row.
    pub(super) cells: Vec<u32>,
    /// How many cells there are.
    pub(super) cell_count: usize,
    /// Values (in units of their caliper) that must not differ by more than one.
    pub(super) limits: Vec<Vec<f64>>,
    /// The score's first step, when the distance or the caliper is one of a score.
    pub(super) score: Option<Tilted>,
}

impl Limits {
    pub(super) fn check(&self) -> Result<()> {
        let named = self
            .calipers
            .iter()
            .map(|(name, width)| (format!("caliper of `{name}`"), *width));
        let own = self.caliper.map(|width| ("caliper".to_owned(), width));
        match own
            .into_iter()
            .chain(named)
            .find(|(_, width)| !(*width >= 0.0 && width.is_finite()))
        {
            None => Ok(()),
            Some((option, width)) => Err(Error::invalid_option(
                &option,
                width,
                "a finite number of standard deviations, 0 or more",
            )),
        }
    }

    /// `by_score` asks for a score whatever the distance.
    ///
    /// # Errors
    /// `Unidentified` when no covariate varies, or propensities are 0 or 1; `InvalidOption` for a caliper on what is no covariate.
    pub(super) fn space(
        &self,
        observed: &Observed,
        basis: &Basis,
        frame: &Frame,
        by_score: bool,
    ) -> Result<Space> {
        if basis.width < 2 {
            return Err(Error::Unidentified {
                what: format!("a distance between rows of `{}`", observed.treatment),
                needs: "a covariate that varies".to_owned(),
            });
        }
        let score = if by_score || self.distance.of_score() || self.caliper.is_some() {
            Some(Tilted::solve(Tilt::Likelihood, observed, basis)?)
        } else {
            None
        };
        let n = observed.len();
        let unit = |values: &[f64]| scaled(values, &observed.weights, 1.0);
        let (width, points) = match (self.distance, &score) {
            (MatchDistance::Propensity, Some(score)) => (1, unit(&score.propensities())),
            (MatchDistance::LogOdds, Some(score)) => (1, unit(&score.eta)),
            (MatchDistance::InverseVariance, _) => {
                let columns: Vec<Vec<f64>> = (observed.covariates.iter())
                    .map(|(_, values)| unit(values))
                    .filter(|values| !values.is_empty())
                    .collect();
                let width = columns.len();
                let at = |i: usize| columns[i % width][i / width];
                (width, (0..n * width).map(at).collect())
            }
            _ => (basis.width - 1, whitened(observed, basis)),
        };
        let mut limits = Vec::new();
        if let (Some(caliper), Some(score)) = (self.caliper, &score) {
            let values = match self.distance {
                MatchDistance::Propensity => {
                    scaled(&score.propensities(), &observed.weights, caliper)
                }
                _ => scaled(&score.eta, &observed.weights, caliper),
            };
            limits.push(values);
        }
        for (name, width) in &self.calipers {
            let column = observed.covariates.iter().find(|(own, _)| own == name);
            let Some((_, values)) = column else {
                let names: Vec<&str> = observed
                    .covariates
                    .iter()
                    .map(|(name, _)| name.as_str())
                    .collect();
                return Err(Error::invalid_option(
                    "caliper_on",
                    format!("on `{name}`"),
                    format!("on a covariate: {}", names.join(", ")),
                ));
            };
            limits.push(scaled(values, &observed.weights, *width));
        }
        limits.retain(|values| !values.is_empty());
        let (cells, cell_count) = self.cells(observed, frame)?;
        Ok(Space {
            width,
            points,
            cells,
            cell_count,
            limits,
            score,
        })
    }

    pub(super) fn cells(&self, observed: &Observed, frame: &Frame) -> Result<(Vec<u32>, usize)> {
        let mut cells = None;
        for name in &self.exact {
            let own = frame.groups(name)?.over(&observed.rows);
            cells = Some(match cells {
                None => own,
                Some(cells) => own.pair(&cells),
            });
        }
        let Some(cells) = cells else {
            return Ok((vec![0; observed.len()], 1));
        };
        let mut arms = vec![[false; 2]; cells.count()];
        for (row, cell) in cells.codes.iter().enumerate() {
            arms[*cell as usize][usize::from(observed.treated[row])] = true;
        }
        if !arms.contains(&[true; 2]) {
            return Err(Error::NoRows {
                reason: format!(
                    "no value of {} occurs in both arms of `{}`; match exactly on fewer or coarser columns",
                    self.exact
                        .iter()
                        .map(|c| format!("`{c}`"))
                        .collect::<Vec<_>>()
                        .join(" with "),
                    observed.treatment
                ),
            });
        }
        Ok((cells.codes.to_vec(), cells.count()))
    }
}

impl Space {
    /// Mahalanobis distances without limits.
    pub(super) fn of_covariates(observed: &Observed, basis: &Basis) -> Self {
        Self {
            width: basis.width - 1,
            points: whitened(observed, basis),
            cells: vec![0; observed.len()],
            cell_count: 1,
            limits: Vec::new(),
            score: None,
        }
    }

    pub(super) fn point(&self, row: usize) -> &[f64] {
        &self.points[row * self.width..(row + 1) * self.width]
    }

    /// Whether calipers allow two rows to be matched.
    pub(super) fn allows(&self, a: usize, b: usize) -> bool {
        self.limits
            .iter()
            .all(|values| (values[a] - values[b]).powi(2) <= tied(1.0))
    }

    /// The squared distance of two rows.
    pub(super) fn squared(&self, a: usize, b: usize) -> f64 {
        let pairs = self.point(a).iter().zip(self.point(b));
        pairs.map(|(a, b)| (a - b) * (a - b)).sum()
    }
}

/// Values in units of `width` standard deviations; empty when they do not vary. A width of zero makes any difference too large.
fn scaled(values: &[f64], weights: &[f64], width: f64) -> Vec<f64> {
    let total: f64 = weights.iter().sum();
    let mean = values.iter().zip(weights).map(|(v, w)| v * w).sum::<f64>() / total;
    let around: f64 = values
        .iter()
        .zip(weights)
        .map(|(v, w)| w * (v - mean).powi(2))
        .sum();
    let spread = (around / (total - 1.0)).sqrt();
    if spread <= 1e-12 * mean.abs() || spread <= f64::MIN_POSITIVE {
        return Vec::new();
    }
    // Smaller widths are below what counts as a tie.
    let unit = spread * width.max(1e-9);
    values.iter().map(|v| (v - mean) / unit).collect()
}

/// Rows `x'R` with `R R' = S⁻¹`.
fn whitened(observed: &Observed, basis: &Basis) -> Vec<f64> {
    let p = basis.width - 1;
    let total: f64 = observed.weights.iter().sum();
    let mut covariance = DMatrix::zeros(p, p);
    for (row, weight) in observed.weights.iter().enumerate() {
        let x = &basis.row(row)[1..];
        for a in 0..p {
            for b in 0..=a {
                covariance[(a, b)] += weight * x[a] * x[b];
            }
        }
    }
    covariance.fill_upper_triangle_with_lower_triangle();
    let root = Cholesky::with_tolerance(&(covariance / (total - 1.0)), 0.0).inverse_root();
    let mut out = Vec::with_capacity(observed.len() * p);
    for row in 0..observed.len() {
        let x = DVector::from_column_slice(&basis.row(row)[1..]);
        out.extend_from_slice(root.tr_mul(&x).as_slice());
    }
    out
}
