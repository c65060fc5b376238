//! The sampling variance of quantile regression: what takes the place of the unknown density of the outcome at its quantile.

use super::fit::Parts;
use super::problem::Problem;
use super::{is_perfect, solve};
use crate::error::{Error, Result, Warning};
use crate::inference::Covariance;
use crate::inference::covariance::Counts;
use crate::inference::fitted::{Fitted, SecondPass};
use crate::numeric::Progress;
use crate::numeric::linalg::{Cholesky, sandwich};
use crate::numeric::special::normal;
use crate::regression::influence::Influence;
use nalgebra::{DMatrix, DVector};
use serde::{Deserialize, Serialize};
use std::fmt;

/// How the sampling variance of quantile regression is estimated. All are `H⁻¹ J H⁻¹`, where `H = Σ f_i x_i x_i'` has the
/// densities `f_i` of the outcome at its quantile.
///
/// | variant | density | meat J |
/// |---|---|---|
/// | `Iid` | one for all rows, from the slope of the ordered residuals (Koenker & Bassett 1978) | `τ(1 − τ) Σ x x'` |
/// | `HendricksKoenker` (default) | `2h/(x'β(τ + h) − x'β(τ − h))`: the error may depend on x | `τ(1 − τ) Σ x x'` |
/// | `Powell` | a Gaussian kernel of the residuals (Powell 1991) | `τ(1 − τ) Σ x x'` |
/// | `Cluster` | a uniform kernel (Parente & Santos Silva 2016) | sums of scores within clusters |
///
/// Bandwidths h are those of Hall & Sheather (1988). They are the `iid`, `nid` and `ker` of R's quantreg; clusters are corrected by
/// `G/(G − 1) · (n − 1)/(n − K)`.
///
/// # References
/// Hendricks, W. & Koenker, R. (1992). Hierarchical spline models for conditional quantiles and the demand for electricity. *JASA* 87(417), 58–68.
/// doi:10.1080/01621459.1992.10475175
///
/// Parente, P. M. D. C. & Santos Silva, J. M. C. (2016). Quantile regression with clustered data. *Journal of Econometric
/// Methods* 5(1), 1–15. doi:10.1515/jem-2014-0011
#[non_exhaustive]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub enum QuantileCovariance {
    /// Independent errors of one distribution.
    Iid,
    /// Independent errors whose distribution may depend on the regressors, with densities from neighbouring quantiles.
    #[default]
    HendricksKoenker,
    /// The same with a Gaussian kernel.
    Powell,
    /// Errors that may depend on one another within clusters, one or several ways.
    Cluster {
        /// The cluster columns.
        columns: Vec<String>,
    },
}

impl QuantileCovariance {
    /// Clustered by one column.
    pub fn cluster(column: impl Into<String>) -> Self {
        Self::Cluster {
            columns: vec![column.into()],
        }
    }
}

impl fmt::Display for QuantileCovariance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Iid => write!(f, "independent, identically distributed errors"),
            Self::HendricksKoenker => write!(f, "heteroskedasticity-robust (Hendricks–Koenker)"),
            Self::Powell => write!(f, "heteroskedasticity-robust (Powell's kernel)"),
            Self::Cluster { columns } => write!(f, "clustered by {}", columns.join(" and ")),
        }
    }
}

/// A covariance of the working parameters.
pub(super) struct Estimated {
    pub(super) covariance: DMatrix<f64>,
    /// `H⁻¹`.
    pub(super) bread: DMatrix<f64>,
    pub(super) df: f64,
    pub(super) warnings: Vec<Warning>,
}

/// Estimates the covariance of the working parameters.
pub(super) fn estimate(
    kind: &QuantileCovariance,
    parts: &Parts,
    progress: &Progress,
) -> Result<Estimated> {
    let (problem, tau) = (parts.problem.as_ref(), parts.tau);
    let (n, k) = (problem.rows() as f64, problem.parameters() as f64);
    let mut warnings = Vec::new();
    let residuals = &parts.vertex.residuals;
    let bread = match kind {
        QuantileCovariance::Iid => {
            inverse_of(problem, &vec![1.0; problem.rows()])?
                * sparsity(problem, residuals, tau, progress)?
        }
        QuantileCovariance::HendricksKoenker => {
            let h = bandwidth(n, tau);
            let high = solve(problem, tau + h, progress)?.b;
            let low = solve(problem, tau - h, progress)?.b;
            let gap: Vec<f64> = high.iter().zip(&low).map(|(h, l)| h - l).collect();
            let spread = problem.along(&DVector::from_vec(gap));
            let crossed = spread.iter().filter(|d| **d <= 0.0).count();
            if crossed > 0 {
                warnings.push(Warning::Note {
                    message: format!(
                        "on {crossed} rows the quantiles at τ ± {h:.3} cross, so that they have no density there and do not count in the covariance"
                    ),
                });
            }
            let zero = zero(problem, residuals);
            let of = |d: &f64| if *d > zero { 2.0 * h / (d - zero) } else { 0.0 };
            let density: Vec<f64> = spread.iter().map(of).collect();
            inverse_of(problem, &density)?
        }
        QuantileCovariance::Powell => {
            let width = window(n, tau) * spread_of(residuals);
            let density: Vec<f64> = residuals
                .iter()
                .map(|r| normal::pdf(r / width) / width)
                .collect();
            inverse_of(problem, &density)?
        }
        QuantileCovariance::Cluster { .. } => {
            let mut sizes: Vec<f64> = residuals.iter().map(|r| r.abs()).collect();
            let width = window(n, tau) * quantile_of(&mut sizes, 0.5);
            let density: Vec<f64> = residuals
                .iter()
                .map(|r| if r.abs() <= width { 0.5 / width } else { 0.0 })
                .collect();
            inverse_of(problem, &density)?
        }
    };
    if let QuantileCovariance::Cluster { columns } = kind {
        let fitted = clustered(columns, parts, &bread)?;
        warnings.extend(fitted.warnings.clone());
        return Ok(Estimated {
            covariance: fitted.covariance,
            bread,
            df: fitted.df,
            warnings,
        });
    }
    let gram = problem.weighted(&vec![1.0; problem.rows()], &problem.y).0;
    Ok(Estimated {
        covariance: sandwich(&gram, &bread) * (tau * (1.0 - tau)),
        bread,
        df: n - k,
        warnings,
    })
}

/// A residual below this share of the median one is that of a fitted row, and a spread below it has no density: ε^(2/3). It is quantreg's number, which is there in the outcome's own unit.
const ZERO: f64 = 3.666_852_862_501_036e-11;

/// What is zero beside the residuals, and but for the rounding of outcomes.
fn zero(problem: &Problem, residuals: &[f64]) -> f64 {
    let median = |values: &[f64]| {
        let mut sizes: Vec<f64> = values.iter().map(|v| v.abs()).collect();
        quantile_of(&mut sizes, 0.5)
    };
    (ZERO * median(residuals)).max(4.0 * f64::EPSILON * median(&problem.y))
}

/// `(Σ f x x')⁻¹`.
fn inverse_of(problem: &Problem, density: &[f64]) -> Result<DMatrix<f64>> {
    let gram = problem.weighted(density, &problem.y).0;
    let factor = Cholesky::with_tolerance(&gram, f64::EPSILON);
    if factor.rank() < problem.parameters() {
        return Err(Error::Unidentified {
            what: "the covariance of the quantile regression".to_owned(),
            needs: "more rows near the quantile: its density is zero for some regressors; use QuantileCovariance::Iid, or a τ nearer to one half"
                .to_owned(),
        });
    }
    Ok(factor.inverse())
}

/// The bandwidth of Hall & Sheather (1988) for 95 % intervals, halved until τ ± h are quantiles.
pub(super) fn bandwidth(n: f64, tau: f64) -> f64 {
    let mut h = hall_sheather(n, tau);
    while tau - h < 0.0 || tau + h > 1.0 {
        h /= 2.0;
    }
    h
}

fn hall_sheather(n: f64, tau: f64) -> f64 {
    const LEVEL: f64 = 0.975;
    let x = normal::quantile(tau);
    let f = normal::pdf(x);
    n.powf(-1.0 / 3.0)
        * normal::quantile(LEVEL).powf(2.0 / 3.0)
        * (1.5 * f * f / (2.0 * x * x + 1.0)).cbrt()
}

/// `Φ⁻¹(τ + h) − Φ⁻¹(τ − h)`: the bandwidth on the scale of standardised residuals.
fn window(n: f64, tau: f64) -> f64 {
    let h = bandwidth(n, tau);
    normal::quantile(tau + h) - normal::quantile(tau - h)
}

/// `min(standard deviation, interquartile range / 1.34)`.
fn spread_of(residuals: &[f64]) -> f64 {
    const NORMAL_RANGE: f64 = 1.34;
    let n = residuals.len() as f64;
    let mean = residuals.iter().sum::<f64>() / n;
    let squares: f64 = residuals.iter().map(|r| (r - mean).powi(2)).sum();
    let mut values = residuals.to_vec();
    let range = quantile_of(&mut values, 0.75) - quantile_of(&mut values, 0.25);
    (squares / (n - 1.0)).sqrt().min(range / NORMAL_RANGE)
}

/// A sample quantile, linear between order statistics.
fn quantile_of(values: &mut [f64], p: f64) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    let at = p * (values.len() - 1) as f64;
    let (low, share) = (at.floor() as usize, at.fract());
    let high = (low + 1).min(values.len() - 1);
    values[low] + share * (values[high] - values[low])
}

/// The sparsity `1/f`: the slope of the ordered residuals next to zero in their rank, by median regression.
fn sparsity(problem: &Problem, residuals: &[f64], tau: f64, progress: &Progress) -> Result<f64> {
    let (n, k) = (problem.rows(), problem.parameters());
    let mut near: Vec<f64> = residuals.to_vec();
    near.sort_unstable_by(|a, b| a.abs().total_cmp(&b.abs()).then(a.total_cmp(b)));
    let zero = zero(problem, residuals);
    let fitted = residuals.iter().filter(|r| r.abs() <= zero).count();
    let count = (k + 1).max((n as f64 * hall_sheather(n as f64, tau)).ceil() as usize);
    let last = (count + fitted + 1).min(n);
    let mut ordered = near[fitted.min(n)..last].to_vec();
    if ordered.len() < 3 {
        return Err(Error::TooFewRows {
            rows: n,
            parameters: k,
        });
    }
    ordered.sort_unstable_by(f64::total_cmp);
    let rank = (0..ordered.len())
        .map(|i| (fitted + 1 + i) as f64 / (n - k) as f64)
        .collect();
    let line = Problem {
        x: vec![vec![1.0; ordered.len()], rank],
        y: ordered,
    };
    let straight = line.least_squares();
    let slope = if is_perfect(&line, &straight) {
        straight[1]
    } else {
        solve(&line, 0.5, progress)?.b[1]
    };
    if slope > 0.0 {
        return Ok(slope);
    }
    Err(Error::Unidentified {
        what: "the density of the outcome at its quantile".to_owned(),
        needs: "outcomes without ties there: the residuals next to zero are equal".to_owned(),
    })
}

/// Sums of scores within clusters, by the machinery that all fits share.
fn clustered(columns: &[String], parts: &Parts, bread: &DMatrix<f64>) -> Result<Fitted> {
    let (problem, tau) = (parts.problem.as_ref(), parts.tau);
    let k = problem.parameters();
    let mut influence = vec![vec![0.0; parts.rows.len()]; k];
    let score: Vec<f64> = parts
        .vertex
        .residuals
        .iter()
        .map(|r| if *r < 0.0 { tau - 1.0 } else { tau })
        .collect();
    for i in 0..problem.rows() {
        let row = bread * problem.row(i) * score[i];
        let at = parts.repeats.as_ref().map_or(i, |repeats| repeats[i]);
        for (column, value) in influence.iter_mut().zip(row.iter()) {
            column[at] += value;
        }
    }
    let source = Influence::new(influence, None);
    let identity = DMatrix::identity(k, k);
    let pass = SecondPass {
        source: &source,
        frame: &parts.frame,
        rows: &parts.rows,
        counts: Counts {
            observations: problem.rows() as f64,
            effects: &[],
            absorbed: &[],
        },
        map: &identity,
        asymptotic: false,
    };
    let names = (0..k).map(|j| j.to_string()).collect();
    Fitted::new(names, DVector::zeros(k))
        .with_covariance(Covariance::clusters(columns.to_vec()), &pass)
}
