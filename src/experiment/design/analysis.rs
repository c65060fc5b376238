//! Effects with the variance of their design.

use super::assigned::Assigned;
use super::plan::finite;
use crate::data::Frame;
use crate::error::{Error, Result};
use crate::inference::{Covariance, Inference, coefficient_table};
use crate::regression::Ols;
use crate::report::Table;
use nalgebra::{DMatrix, DVector};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Effects of arms against control under their design. The verbs of [`Inference`] speak of `arm - control`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DesignFit {
    names: Vec<String>,
    estimates: DVector<f64>,
    covariance: DMatrix<f64>,
    degrees_of_freedom: Vec<f64>,
    /// The outcome.
    pub outcome: String,
    /// The mechanism of assignment.
    pub mechanism: String,
    /// Estimator and variance.
    pub method: String,
    /// Rows used.
    pub rows: usize,
}

impl DesignFit {
    pub(super) fn new(
        names: Vec<String>,
        estimates: Vec<f64>,
        covariance: DMatrix<f64>,
        degrees_of_freedom: Vec<f64>,
        about: [&str; 3],
        rows: usize,
    ) -> Self {
        let [outcome, mechanism, method] = about.map(str::to_owned);
        Self {
            names,
            estimates: DVector::from_vec(estimates),
            covariance,
            degrees_of_freedom,
            outcome,
            mechanism,
            method,
            rows,
        }
    }

    /// The table as HTML.
    pub fn to_html(&self) -> String {
        self.table().to_html()
    }
}

impl Inference for DesignFit {
    crate::inference::fields::inference_of_fields!();

    /// Those of the effect; for a combination of effects the least.
    fn degrees_of_freedom(&self, contrast: &DVector<f64>) -> f64 {
        contrast
            .iter()
            .zip(&self.degrees_of_freedom)
            .filter(|(c, _)| c.abs() > 0.0)
            .map(|(_, df)| *df)
            .fold(f64::INFINITY, f64::min)
    }

    fn table(&self) -> Table {
        coefficient_table(self)
            .with_title(format!("Effects on {}", self.outcome))
            .note(&self.method)
            .note(&self.mechanism)
    }
}

impl fmt::Display for DesignFit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.table().fmt(f)
    }
}

crate::report::notebook!(DesignFit);

fn names(assigned: &Assigned) -> Vec<String> {
    let control = &assigned.arms[0];
    assigned.arms[1..]
        .iter()
        .map(|arm| format!("{arm} - {control}"))
        .collect()
}

pub(super) fn unadjusted(assigned: &Assigned, frame: &Frame, outcome: &str) -> Result<DesignFit> {
    let y = finite(frame, outcome)?;
    if assigned.plan.of_row.is_some() {
        return regression(assigned, frame, outcome, &y, &[]);
    }
    if assigned.plan.paired() {
        return Ok(paired(assigned, outcome, &y));
    }
    blocked(assigned, outcome, &y)
}

pub(super) fn adjusted(
    assigned: &Assigned,
    frame: &Frame,
    outcome: &str,
    covariates: &[&str],
) -> Result<DesignFit> {
    let y = finite(frame, outcome)?;
    let covariates = covariates
        .iter()
        .map(|c| finite(frame, c))
        .collect::<Result<Vec<_>>>()?;
    regression(assigned, frame, outcome, &y, &covariates)
}

/// The mean difference within pairs, with variance `Σ (d − d̄)²/(P (P − 1))`.
fn paired(assigned: &Assigned, outcome: &str, y: &[f64]) -> DesignFit {
    let differences: Vec<f64> = assigned
        .plan
        .strata
        .iter()
        .map(|pair| {
            let gap = y[pair[1] as usize] - y[pair[0] as usize];
            if assigned.codes[pair[1] as usize] == 1 {
                gap
            } else {
                -gap
            }
        })
        .collect();
    let pairs = differences.len() as f64;
    let mean = differences.iter().sum::<f64>() / pairs;
    let squares: f64 = differences.iter().map(|d| (d - mean).powi(2)).sum();
    DesignFit::new(
        names(assigned),
        vec![mean],
        DMatrix::from_element(1, 1, squares / (pairs * (pairs - 1.0))),
        vec![pairs - 1.0],
        [
            outcome,
            &assigned.mechanism(),
            "mean difference within pairs, their variance over the number of pairs",
        ],
        y.len(),
    )
}

/// `Σ_s (n_s/n)(ȳ_as − ȳ_0s)` with Neyman's variance `Σ_s (n_s/n)² (s²_as/n_as + s²_0s/n_0s)` and Satterthwaite's degrees of freedom.
fn blocked(assigned: &Assigned, outcome: &str, y: &[f64]) -> Result<DesignFit> {
    let arms = assigned.arms.len();
    let effects = arms - 1;
    let n = y.len() as f64;
    let mut estimates = vec![0.0; effects];
    let mut covariance = DMatrix::zeros(effects, effects);
    let mut spread = vec![0.0; effects];
    for (s, stratum) in assigned.plan.strata.iter().enumerate() {
        let mut count = vec![0.0; arms];
        let mut mean = vec![0.0; arms];
        for unit in stratum {
            let arm = assigned.codes[*unit as usize] as usize;
            count[arm] += 1.0;
            mean[arm] += y[*unit as usize];
        }
        if let Some(arm) = count.iter().position(|c| *c < 2.0) {
            return Err(Error::Unidentified {
                what: format!(
                    "the variance of arm `{}` in stratum {} of {}",
                    assigned.arms[arm],
                    s + 1,
                    assigned.plan.strata.len()
                ),
                needs: "two units of each arm in every stratum; merge strata, use matched pairs, or adjust for the strata with `analyze_adjusted`".to_owned(),
            });
        }
        for (m, c) in mean.iter_mut().zip(&count) {
            *m /= c;
        }
        let mut squares = vec![0.0; arms];
        for unit in stratum {
            let arm = assigned.codes[*unit as usize] as usize;
            squares[arm] += (y[*unit as usize] - mean[arm]).powi(2);
        }
        let weight = stratum.len() as f64 / n;
        let part: Vec<f64> = (0..arms)
            .map(|a| weight * weight * squares[a] / ((count[a] - 1.0) * count[a]))
            .collect();
        for a in 0..effects {
            estimates[a] += weight * (mean[a + 1] - mean[0]);
            spread[a] +=
                part[0].powi(2) / (count[0] - 1.0) + part[a + 1].powi(2) / (count[a + 1] - 1.0);
            covariance[(a, a)] += part[a + 1];
            for b in 0..effects {
                covariance[(a, b)] += part[0];
            }
        }
    }
    let df = (0..effects)
        .map(|a| {
            let variance: f64 = covariance[(a, a)];
            if variance > 0.0 {
                variance * variance / spread[a]
            } else {
                n - arms as f64
            }
        })
        .collect();
    let method = if assigned.plan.strata.len() > 1 {
        "difference of means averaged over strata, Neyman's variance"
    } else {
        "difference of means, Neyman's variance"
    };
    Ok(DesignFit::new(
        names(assigned),
        estimates,
        covariance,
        df,
        [outcome, &assigned.mechanism(), method],
        y.len(),
    ))
}

/// Least squares on the arms, centred covariates and their interactions; strata absorbed; HC2, or CR2 by cluster.
fn regression(
    assigned: &Assigned,
    frame: &Frame,
    outcome: &str,
    y: &[f64],
    covariates: &[Vec<f64>],
) -> Result<DesignFit> {
    let rows = frame.rows();
    let effects = assigned.arms.len() - 1;
    let mut data = Frame::new().with("y", y.to_vec())?;
    let mut terms = Vec::new();
    let is = |arm: usize| -> Vec<f64> {
        assigned
            .codes
            .iter()
            .map(|a| f64::from(u8::from(*a as usize == arm)))
            .collect()
    };
    for arm in 1..=effects {
        data = data.with(format!("arm{arm}"), is(arm))?;
        terms.push(format!("arm{arm}"));
    }
    for (j, x) in covariates.iter().enumerate() {
        let mean = x.iter().sum::<f64>() / rows as f64;
        let centred: Vec<f64> = x.iter().map(|x| x - mean).collect();
        for arm in 1..=effects {
            let product: Vec<f64> = is(arm).iter().zip(&centred).map(|(z, x)| z * x).collect();
            data = data.with(format!("arm{arm}x{j}"), product)?;
            terms.push(format!("arm{arm}x{j}"));
        }
        data = data.with(format!("x{j}"), centred)?;
        terms.push(format!("x{j}"));
    }
    let mut formula = format!("y ~ {}", terms.join(" + "));
    let strata = assigned.plan.strata.len() > 1;
    if strata {
        data = data.with("stratum", assigned.strata_by_row())?;
        // CR2 takes absorbed effects only when they are nested in the clusters; strata hold several, and are few.
        formula += if assigned.plan.of_row.is_some() {
            " + C(stratum)"
        } else {
            " | stratum"
        };
    }
    let covariance = match &assigned.plan.of_row {
        Some(of_row) => {
            data = data.with("cluster", of_row.clone())?;
            Covariance::cr2("cluster")
        }
        None => Covariance::Hc2,
    };
    let fit = Ols::new(formula).covariance(covariance).fit(&data)?;
    let at = (1..=effects)
        .map(|arm| fit.position(&format!("arm{arm}")))
        .collect::<Result<Vec<usize>>>()?;
    let df = (1..=effects)
        .map(|arm| Ok(fit.coefficient(&format!("arm{arm}"))?.degrees_of_freedom))
        .collect::<Result<Vec<f64>>>()?;
    let method = format!(
        "least squares{}{}, {} errors",
        if covariates.is_empty() {
            String::new()
        } else {
            format!(
                " with {} centred covariates and their interactions (Lin)",
                covariates.len()
            )
        },
        if strata { ", effects of strata" } else { "" },
        if assigned.plan.of_row.is_some() {
            "cluster-robust (CR2)"
        } else {
            "HC2"
        },
    );
    Ok(DesignFit::new(
        names(assigned),
        at.iter().map(|i| fit.estimates()[*i]).collect(),
        DMatrix::from_fn(effects, effects, |i, j| fit.covariance()[(at[i], at[j])]),
        df,
        [outcome, &assigned.mechanism(), &method],
        rows,
    ))
}
