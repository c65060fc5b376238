//! Covariance estimators: what can be asked for, and the pass over the rows that answers it.

mod cluster;
mod cr2;
mod cr3;
mod heteroskedastic;
mod kernel;
mod scores;
mod small_sample;

pub(crate) use cr2::{BiasReduced, nested_only};
pub(crate) use scores::{Counts, ScoreRows};
pub use small_sample::{ClusterDf, FixedEffectCount, ResidualDf, SmallSample};

use crate::data::{Frame, Groups, Rows};
use crate::error::{Error, Result, Warning};
use crate::numeric::linalg::nearest_semidefinite;
use nalgebra::DMatrix;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

/// Below this many clusters, asymptotic cluster-robust tests are known to over-reject clearly (Cameron & Miller 2015,
/// section VI: "few" is 20 to 50).
const FEW_CLUSTERS: usize = 30;

/// How the sampling variance of estimates is estimated. All but [`Covariance::Classical`] are of the sandwich form
/// `B M B` with the bread `B = (X'X)⁻¹` (for instruments, with the projected regressors) and the meat `M` below;
/// `e` are residuals, `h` leverages, `K` the parameters including absorbed effects, `s_g = Σ_{i∈g} x_i e_i`.
///
/// | variant | meat or variance | tests use |
/// |---|---|---|
/// | `Classical` | `B · e'e/(n − K)`: independent errors of one variance | t(n − K) |
/// | `Hc0` | `Σ e² x x'` (White 1980) | t(n − K) |
/// | `Hc1` (default) | `n/(n − K) · HC0` | t(n − K) |
/// | `Hc2` | `Σ e²/(1 − h) x x'`: unbiased under one variance | t(n − K) |
/// | `Hc3` | `Σ e²/(1 − h)² x x'`: near the jackknife | t(n − K) |
/// | `Cluster` | `Σ_g s_g s_g'`, several columns by inclusion–exclusion | t(min G − 1), see [`SmallSample`] |
/// | `Cr2` | `Σ_g X_g'A_g e_g e_g'A_g X_g`, `A_g = (I − H_gg)^{-1/2}` (Bell & McCaffrey 2002) | t(Satterthwaite) |
/// | `Cr3` | the cluster jackknife `(G − 1)/G Σ_g (β̂₍g₎ − β̂)(β̂₍g₎ − β̂)'`, refitting nothing | t(G − 1) |
/// | `NeweyWest` | Bartlett-weighted autocovariances of the scores up to `lags` | t(n − K) |
/// | `DriscollKraay` | the same of the scores summed by period | t(T − 1) |
///
/// ```
/// use cocreate::prelude::*;
/// assert_eq!(Covariance::cluster("village").to_string(), "clustered by village (CR1)");
/// assert_eq!(Covariance::default(), Covariance::Hc1);
/// ```
///
/// # References
/// - White (1980), *Econometrica* 48(4), doi:10.2307/1912934.
/// - MacKinnon & White (1985), *Journal of Econometrics* 29(3), doi:10.1016/0304-4076(85)90158-7.
/// - Cameron, Gelbach & Miller (2011), *JBES* 29(2), doi:10.1198/jbes.2010.07136.
/// - Bell & McCaffrey (2002), *Survey Methodology* 28(2); Pustejovsky & Tipton (2018), *JBES* 36(4),
///   doi:10.1080/07350015.2016.1247004.
/// - MacKinnon, Nielsen & Webb (2023), *Journal of Applied Econometrics* 38(5), doi:10.1002/jae.2969 (their CV3).
/// - Newey & West (1987), *Econometrica* 55(3), doi:10.2307/1913610.
/// - Driscoll & Kraay (1998), *REStat* 80(4), doi:10.1162/003465398557825.
#[non_exhaustive]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub enum Covariance {
    /// Independent errors of one variance.
    Classical,
    /// White's heteroskedasticity-consistent estimator.
    Hc0,
    /// HC0 times n/(n − K).
    #[default]
    Hc1,
    /// Squared residuals over 1 − h.
    Hc2,
    /// Squared residuals over (1 − h)².
    Hc3,
    /// Cluster-robust (CR1), one or several ways.
    Cluster {
        /// The cluster columns.
        columns: Vec<String>,
        /// Finite-sample corrections.
        small_sample: SmallSample,
    },
    /// Bias-reduced linearisation with Satterthwaite degrees of freedom: for few clusters.
    Cr2 {
        /// The cluster column.
        column: String,
    },
    /// The cluster jackknife, centred at the estimates, with the factor (G − 1)/G: CV3 of MacKinnon, Nielsen & Webb (2023), conservative
    /// with few or unequal clusters. CR3 of clubSandwich and CRV3 of pyfixest have no such factor (they are G/(G − 1) times this); the
    /// variant centred at the mean of the jackknife is [`crate::inference::Jackknife`]. With instruments it is the same formula on the
    /// projected regressors, near the jackknife but not equal to it.
    Cr3 {
        /// The cluster column.
        column: String,
    },
    /// Newey–West, for one series or within the units of a panel.
    NeweyWest {
        /// The column that orders time.
        time: String,
        /// The column of units of a panel.
        unit: Option<String>,
        /// Lags; by default ⌊4 (T/100)^{2/9}⌋ (Newey & West 1994).
        lags: Option<usize>,
        /// Finite-sample corrections.
        small_sample: SmallSample,
    },
    /// Driscoll–Kraay: robust to dependence across units and over time; needs many periods.
    DriscollKraay {
        /// The column that orders time.
        time: String,
        /// Lags; by default ⌊4 (T/100)^{2/9}⌋.
        lags: Option<usize>,
        /// Finite-sample corrections.
        small_sample: SmallSample,
    },
}

impl Covariance {
    /// Clustered by one column, with the default corrections.
    pub fn cluster(column: impl Into<String>) -> Self {
        Self::Cluster {
            columns: vec![column.into()],
            small_sample: SmallSample::default(),
        }
    }

    /// Clustered by several columns at once (multi-way).
    pub fn clusters<S: Into<String>>(columns: impl IntoIterator<Item = S>) -> Self {
        Self::Cluster {
            columns: columns.into_iter().map(Into::into).collect(),
            small_sample: SmallSample::default(),
        }
    }

    /// Bias-reduced linearisation clustered by a column.
    pub fn cr2(column: impl Into<String>) -> Self {
        Self::Cr2 {
            column: column.into(),
        }
    }

    /// The cluster jackknife over a column.
    pub fn cr3(column: impl Into<String>) -> Self {
        Self::Cr3 {
            column: column.into(),
        }
    }

    /// Newey–West over a time column, lags by rule.
    pub fn newey_west(time: impl Into<String>) -> Self {
        Self::NeweyWest {
            time: time.into(),
            unit: None,
            lags: None,
            small_sample: SmallSample::default(),
        }
    }

    /// Newey–West within the units of a panel, lags by rule.
    pub fn newey_west_panel(unit: impl Into<String>, time: impl Into<String>) -> Self {
        Self::NeweyWest {
            time: time.into(),
            unit: Some(unit.into()),
            lags: None,
            small_sample: SmallSample::default(),
        }
    }

    /// Driscoll–Kraay over a time column, lags by rule.
    pub fn driscoll_kraay(time: impl Into<String>) -> Self {
        Self::DriscollKraay {
            time: time.into(),
            lags: None,
            small_sample: SmallSample::default(),
        }
    }

    /// Sets the number of lags of [`Covariance::NeweyWest`] and [`Covariance::DriscollKraay`]; others have none.
    pub fn lags(mut self, count: usize) -> Self {
        if let Self::NeweyWest { lags, .. } | Self::DriscollKraay { lags, .. } = &mut self {
            *lags = Some(count);
        }
        self
    }

    /// Sets the finite-sample corrections of the clustered and kernel estimators; the others have theirs by definition.
    pub fn small_sample(mut self, correction: SmallSample) -> Self {
        if let Self::Cluster { small_sample, .. }
        | Self::NeweyWest { small_sample, .. }
        | Self::DriscollKraay { small_sample, .. } = &mut self
        {
            *small_sample = correction;
        }
        self
    }
}

impl fmt::Display for Covariance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Classical => write!(f, "classical (homoskedastic)"),
            Self::Hc0 => write!(f, "heteroskedasticity-robust (HC0)"),
            Self::Hc1 => write!(f, "heteroskedasticity-robust (HC1)"),
            Self::Hc2 => write!(f, "heteroskedasticity-robust (HC2)"),
            Self::Hc3 => write!(f, "heteroskedasticity-robust (HC3)"),
            Self::Cluster {
                columns,
                small_sample,
            } => {
                let name = if small_sample.is_none() { "CR0" } else { "CR1" };
                write!(f, "clustered by {} ({name})", columns.join(" and "))
            }
            Self::Cr2 { column } => write!(f, "clustered by {column} (CR2, Satterthwaite)"),
            Self::Cr3 { column } => write!(f, "clustered by {column} (CR3, jackknife)"),
            Self::NeweyWest {
                time, unit, lags, ..
            } => {
                write!(f, "Newey–West over {time}")?;
                if let Some(unit) = unit {
                    write!(f, " within {unit}")?;
                }
                write_lags(f, *lags)
            }
            Self::DriscollKraay { time, lags, .. } => {
                write!(f, "Driscoll–Kraay over {time}")?;
                write_lags(f, *lags)
            }
        }
    }
}

fn write_lags(f: &mut fmt::Formatter<'_>, lags: Option<usize>) -> fmt::Result {
    match lags {
        Some(lags) => write!(f, " ({lags} lags)"),
        None => write!(f, " (lags by rule)"),
    }
}

/// The reference distribution of a contrast.
#[derive(Clone, Debug)]
pub(crate) enum Degrees {
    /// The same for every contrast.
    Fixed(f64),
    /// Satterthwaite's, which differ between contrasts.
    Satterthwaite(Arc<BiasReduced>),
}

/// An estimated covariance of the working parameters.
#[derive(Clone, Debug)]
pub(crate) struct Estimated {
    pub(crate) matrix: DMatrix<f64>,
    pub(crate) degrees: Degrees,
    /// Clusters (or periods) per column.
    pub(crate) clusters: Vec<(String, usize)>,
    pub(crate) warnings: Vec<Warning>,
}

impl Estimated {
    /// Denominator degrees of freedom of joint tests: those of t tests, or clusters less one under Satterthwaite.
    pub(crate) fn fixed_df(&self, observations: f64) -> f64 {
        match self.degrees {
            Degrees::Fixed(df) => df,
            Degrees::Satterthwaite(_) => {
                self.clusters.first().map_or(observations, |c| c.1 as f64) - 1.0
            }
        }
    }
}

/// [`estimate`] or [`unrepaired`].
pub(crate) type Estimator =
    fn(&Covariance, &dyn ScoreRows, &Frame, &Rows, &Counts<'_>) -> Result<Estimated>;

/// Estimates the covariance of the working parameters of `source`, whose rows are `rows` of `frame`, and makes it positive
/// semi-definite.
pub(crate) fn estimate(
    covariance: &Covariance,
    source: &dyn ScoreRows,
    frame: &Frame,
    rows: &Rows,
    counts: &Counts<'_>,
) -> Result<Estimated> {
    let mut estimated = unrepaired(covariance, source, frame, rows, counts)?;
    let (matrix, negative) = nearest_semidefinite(&estimated.matrix);
    estimated.matrix = matrix;
    let warning = negative.map(|smallest| Warning::CovarianceAdjusted { smallest });
    estimated.warnings.extend(warning);
    Ok(estimated)
}

/// The same before the repair: a quadratic form in the residuals.
pub(crate) fn unrepaired(
    covariance: &Covariance,
    source: &dyn ScoreRows,
    frame: &Frame,
    rows: &Rows,
    counts: &Counts<'_>,
) -> Result<Estimated> {
    let residual_df = counts.residual_df(source.parameters());
    let mut warnings = Vec::new();
    let (matrix, degrees, clusters) = match covariance {
        Covariance::Classical => (
            source.bread() * source.variance(residual_df),
            Degrees::Fixed(residual_df),
            vec![],
        ),
        Covariance::Hc0 | Covariance::Hc1 | Covariance::Hc2 | Covariance::Hc3 => {
            let (meat, determined) = heteroskedastic::meat(covariance, source)?;
            if determined > 0 {
                warnings.push(Warning::Note {
                    message: format!(
                        "{determined} rows have leverage one: a parameter of their own fits them, and the standard errors of such parameters mean nothing under HC2 and HC3"
                    ),
                });
            }
            let factor = match covariance {
                Covariance::Hc1 => counts.observations / residual_df,
                _ => 1.0,
            };
            (
                bread_meat(source, &meat) * factor,
                Degrees::Fixed(residual_df),
                vec![],
            )
        }
        Covariance::Cluster {
            columns,
            small_sample,
        } => {
            let groups = kept_groups(
                frame,
                rows,
                counts.effects,
                columns.iter().map(String::as_str),
            )?;
            let (meat, df) = cluster::meat(source, &groups, *small_sample, counts)?;
            let named = groups.iter().map(|g| (g.name.clone(), g.count())).collect();
            (bread_meat(source, &meat), Degrees::Fixed(df), named)
        }
        Covariance::Cr2 { column } => {
            let groups = kept_groups(frame, rows, counts.effects, [column.as_str()])?;
            let group = &groups[0];
            let (meat, reduced) = cr2::reduce(source, group, counts)?;
            let named = vec![(group.name.clone(), group.count())];
            (
                bread_meat(source, &meat),
                Degrees::Satterthwaite(Arc::new(reduced)),
                named,
            )
        }
        Covariance::Cr3 { column } => {
            let groups = kept_groups(frame, rows, counts.effects, [column.as_str()])?;
            let group = &groups[0];
            let (matrix, warning) = cr3::covariance(source, group, counts)?;
            warnings.extend(warning);
            let df = (group.count() - 1) as f64;
            let named = vec![(group.name.clone(), group.count())];
            (matrix, Degrees::Fixed(df), named)
        }
        Covariance::NeweyWest {
            time,
            unit,
            lags,
            small_sample,
        } => {
            refuse_unordered(frame, time)?;
            let names = [Some(time.as_str()), unit.as_deref()];
            let groups = kept_groups(frame, rows, counts.effects, names.into_iter().flatten())?;
            let meat = kernel::newey_west(source, &groups[0], groups.get(1), *lags)?;
            let factor = small_sample.factor(counts, source.parameters(), &[], groups[0].count());
            (
                bread_meat(source, &meat) * factor,
                Degrees::Fixed(residual_df),
                vec![],
            )
        }
        Covariance::DriscollKraay {
            time,
            lags,
            small_sample,
        } => {
            refuse_unordered(frame, time)?;
            let groups = kept_groups(frame, rows, counts.effects, [time.as_str()])?;
            let periods = groups[0].count();
            let meat = kernel::driscoll_kraay(source, &groups[0], *lags)?;
            let factor = small_sample.factor(counts, source.parameters(), &[], periods);
            let df = (periods - 1) as f64;
            (
                bread_meat(source, &meat) * factor,
                Degrees::Fixed(df),
                vec![(time.clone(), periods)],
            )
        }
    };
    if matches!(covariance, Covariance::Cluster { .. }) {
        for (column, clusters) in clusters.iter().filter(|(_, n)| *n < FEW_CLUSTERS) {
            warnings.push(Warning::FewClusters {
                column: column.clone(),
                clusters: *clusters,
            });
        }
    }
    Ok(Estimated {
        matrix,
        degrees,
        clusters,
        warnings,
    })
}

/// `B M B`.
fn bread_meat(source: &dyn ScoreRows, meat: &DMatrix<f64>) -> DMatrix<f64> {
    crate::numeric::linalg::sandwich(meat, source.bread())
}

/// Refuses text as time: its alphabetical order (`10` before `9`, `Feb` before `Jan`) is not that of the periods.
fn refuse_unordered(frame: &Frame, time: &str) -> Result<()> {
    frame
        .numeric(time)
        .map(|_| ())
        .map_err(|error| match error {
            Error::WrongKind { column, found, .. } => Error::WrongKind {
                column,
                expected: "numeric or a time, so that periods have an order".to_owned(),
                found,
                remedy:
                    "number the periods, or declare the format with CsvOptions::time when reading"
                        .to_owned(),
            },
            other => other,
        })
}

/// The groups of several columns over the kept rows: compact codes, none missing, at least two groups.
pub(crate) fn kept_groups<'a>(
    frame: &Frame,
    rows: &Rows,
    effects: &[Groups],
    columns: impl IntoIterator<Item = &'a str>,
) -> Result<Vec<Groups>> {
    columns
        .into_iter()
        .map(|column| {
            // An absorbed effect is coded already.
            let groups = match effects.iter().find(|e| e.name == column) {
                Some(effect) => effect.clone(),
                None => frame.groups(column)?.over(rows),
            };
            if groups.missing > 0 {
                return Err(Error::MissingClusters {
                    column: column.to_owned(),
                    missing: groups.missing,
                });
            }
            if groups.count() < 2 {
                return Err(Error::TooFewClusters {
                    column: column.to_owned(),
                    clusters: groups.count(),
                });
            }
            Ok(groups)
        })
        .collect()
}
