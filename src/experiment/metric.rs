//! A metric: what is measured on every unit, how it is adjusted, and what it is for.

use super::role::{Margin, Role};
use crate::inference::Covariance;
use crate::numeric::Seed;
use crate::regression::learners::Learner;
use serde::{Deserialize, Serialize};

/// What is measured.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum MetricKind {
    /// The mean of a column.
    Mean {
        /// The column.
        column: String,
    },
    /// The share of ones (or `true`) in a column.
    Proportion {
        /// The column.
        column: String,
    },
    /// The mean of a column of counts, which are not negative.
    Count {
        /// The column.
        column: String,
    },
    /// The ratio of two means, `E[numerator] / E[denominator]`.
    Ratio {
        /// The column above.
        numerator: String,
        /// The column below.
        denominator: String,
    },
    /// A quantile of a column.
    Quantile {
        /// The column.
        column: String,
        /// Its probability, between 0 and 1.
        probability: f64,
    },
    /// The mean time until an event, restricted to a horizon.
    TimeToEvent {
        /// The column of times watched.
        time: String,
        /// The column that is 1 (or `true`) when the event happened.
        event: String,
        /// The horizon.
        horizon: f64,
    },
    /// The share of all units that pass each stage of a funnel.
    Funnel {
        /// The stages in order.
        stages: Vec<String>,
    },
}

/// A covariate measured before assignment: a mean, or a ratio of means.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Covariate {
    /// The column, or the column above the line.
    pub numerator: String,
    /// The column below the line, if it is a ratio.
    pub denominator: Option<String>,
}

/// Which units the slope of CUPED comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum CovariateSlope {
    /// One slope, from the co-moments within arms (the default): analysis of covariance.
    #[default]
    Within,
    /// One slope, from the co-moments of all units together, differences between arms included, as some software does it.
    Total,
    /// A slope for every arm: Lin's (2013) fully interacted adjustment.
    PerArm,
}

/// What a metric needs of the data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SufficientStatistics {
    /// Counts, means and co-moments of these columns per arm (and stratum, and cluster): one pass, mergeable.
    Moments {
        /// The columns.
        columns: Vec<String>,
    },
    /// The rows themselves.
    Rows {
        /// The columns.
        columns: Vec<String>,
        /// Why sums do not do.
        reason: String,
    },
}

/// A learner whose cross-fitted predictions serve as covariate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Cupac {
    pub(crate) learner: Learner,
    pub(crate) features: Vec<String>,
    pub(crate) folds: usize,
    pub(crate) seed: Option<Seed>,
}

/// Draws of the studentised bootstrap.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct BootstrapT {
    pub(crate) draws: usize,
    pub(crate) seed: Option<Seed>,
}

/// Lin's regression with a covariance estimator.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct LinAdjustment {
    pub(crate) covariates: Vec<String>,
    pub(crate) covariance: Covariance,
}

/// A metric of an [`Experiment`](super::Experiment).
///
/// | constructor | estimand in arm a | interval of the difference |
/// |---|---|---|
/// | [`mean`](Self::mean) | `E[Y]` | Welch t |
/// | [`proportion`](Self::proportion) | `P(Y = 1)` | Welch t with unpooled variance |
/// | [`count`](Self::count) | `E[Y]`, `Y ≥ 0` | Welch t: overdispersion is estimated, no Poisson variance is assumed |
/// | [`ratio`](Self::ratio) | `E[N] / E[D]` | delta method |
/// | [`quantile`](Self::quantile) | `F⁻¹(p)` | order statistics, clusters as in Deng, Knoblich & Lu (2018) |
/// | [`time_to_event`](Self::time_to_event) | `E[min(T, horizon)]` | Kaplan–Meier |
/// | [`funnel`](Self::funnel) | `P(pass stage k)` among all assigned | robust, with bounds for conditional rates |
///
/// | option | default | meaning |
/// |---|---|---|
/// | [`name`](Self::name) | from the columns | as it is printed |
/// | [`cuped`](Self::cuped), [`cuped_ratio`](Self::cuped_ratio) | none | covariates known before assignment; any number |
/// | [`slope`](Self::slope) | [`CovariateSlope::Within`] | where the slope comes from |
/// | [`adjust`](Self::adjust) | none | CUPAC: cross-fitted predictions of a learner as covariate |
/// | [`lin`](Self::lin) | none | Lin's interacted regression with a robust covariance |
/// | [`winsorize`](Self::winsorize) | none | values beyond two quantiles are set to them |
/// | [`bootstrap_t`](Self::bootstrap_t) | none | studentised bootstrap interval |
/// | [`higher_is_better`](Self::higher_is_better) | true | direction of improvement |
/// | [`decision`](Self::decision), [`guardrail`](Self::guardrail), [`non_inferiority`](Self::non_inferiority), [`equivalence`](Self::equivalence) | secondary | [`Role`] |
///
/// ```
/// use cocreate::prelude::*;
/// let metric = Metric::ratio("revenue", "orders").cuped_ratio("revenue_before", "orders_before").decision();
/// assert_eq!(metric.label(), "revenue / orders");
/// ```
///
/// # References
/// Deng, A., Xu, Y., Kohavi, R. & Walker, T. (2013). Improving the sensitivity of online controlled experiments by utilizing
/// pre-experiment data. *WSDM*. doi:10.1145/2433396.2433413
///
/// Deng, A., Knoblich, U. & Lu, J. (2018). Applying the delta method in metric analytics. *KDD*. doi:10.1145/3219819.3219919
///
/// Lin, W. (2013). Agnostic notes on regression adjustments to experimental data. *Annals of Applied Statistics* 7(1).
/// doi:10.1214/12-AOAS583
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Metric {
    name: Option<String>,
    pub(crate) kind: MetricKind,
    pub(crate) covariates: Vec<Covariate>,
    pub(crate) slope: CovariateSlope,
    pub(crate) winsorize: Option<[f64; 2]>,
    pub(crate) cupac: Option<Cupac>,
    pub(crate) lin: Option<LinAdjustment>,
    pub(crate) bootstrap: Option<BootstrapT>,
    pub(crate) higher_is_better: bool,
    pub(crate) role: Role,
}

impl Metric {
    /// A metric of a kind.
    pub fn new(kind: MetricKind) -> Self {
        Self {
            name: None,
            kind,
            covariates: Vec::new(),
            slope: CovariateSlope::default(),
            winsorize: None,
            cupac: None,
            lin: None,
            bootstrap: None,
            higher_is_better: true,
            role: Role::default(),
        }
    }

    /// The mean of a column.
    pub fn mean(column: impl Into<String>) -> Self {
        let column = column.into();
        Self::new(MetricKind::Mean { column })
    }

    /// The share of ones in a column of 0 and 1, or of `true`.
    pub fn proportion(column: impl Into<String>) -> Self {
        let column = column.into();
        Self::new(MetricKind::Proportion { column })
    }

    /// The mean of a column of counts. Counts of users scatter more than Poisson counts; their variance is estimated, not assumed. Events
    /// over an exposure that differs between users (visits, days) are a [`Metric::ratio`] of both columns.
    pub fn count(column: impl Into<String>) -> Self {
        let column = column.into();
        Self::new(MetricKind::Count { column })
    }

    /// The ratio of two means, such as revenue per order where the unit is the user.
    pub fn ratio(numerator: impl Into<String>, denominator: impl Into<String>) -> Self {
        Self::new(MetricKind::Ratio {
            numerator: numerator.into(),
            denominator: denominator.into(),
        })
    }

    /// A quantile of a column, e.g. 0.9.
    pub fn quantile(column: impl Into<String>, probability: f64) -> Self {
        Self::new(MetricKind::Quantile {
            column: column.into(),
            probability,
        })
    }

    /// The mean time until an event within a horizon, from times watched and whether the event ended them.
    pub fn time_to_event(time: impl Into<String>, event: impl Into<String>, horizon: f64) -> Self {
        Self::new(MetricKind::TimeToEvent {
            time: time.into(),
            event: event.into(),
            horizon,
        })
    }

    /// The share of all assigned units that pass each stage; rates among those who reached a stage are labelled as selected and
    /// come with bounds.
    pub fn funnel<S: Into<String>>(stages: impl IntoIterator<Item = S>) -> Self {
        let stages = stages.into_iter().map(Into::into).collect();
        Self::new(MetricKind::Funnel { stages })
    }

    /// How it is printed.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Covariates measured before assignment; the value becomes `Y − θ'(X − E[X])`.
    pub fn cuped<S: Into<String>>(mut self, columns: impl IntoIterator<Item = S>) -> Self {
        let plain = |column: S| Covariate {
            numerator: column.into(),
            denominator: None,
        };
        self.covariates.extend(columns.into_iter().map(plain));
        self
    }

    /// A covariate that is itself a ratio of means, for ratios.
    pub fn cuped_ratio(
        mut self,
        numerator: impl Into<String>,
        denominator: impl Into<String>,
    ) -> Self {
        self.covariates.push(Covariate {
            numerator: numerator.into(),
            denominator: Some(denominator.into()),
        });
        self
    }

    /// Where the slope of the covariates comes from.
    pub fn slope(mut self, slope: CovariateSlope) -> Self {
        self.slope = slope;
        self
    }

    /// CUPAC: predictions of the metric from features known before assignment, by a learner that has not seen the unit
    /// (two folds), become a covariate. Needs the rows; stochastic learners need [`Metric::seed`].
    ///
    /// Tang, Y., Huang, C., Kastelman, D. & Bauman, J. (2020). Control using predictions as covariates in switchback experiments.
    pub fn adjust<S: Into<String>>(
        mut self,
        learner: impl Into<Learner>,
        features: impl IntoIterator<Item = S>,
    ) -> Self {
        self.cupac = Some(Cupac {
            learner: learner.into(),
            features: features.into_iter().map(Into::into).collect(),
            folds: 2,
            seed: None,
        });
        self
    }

    /// Folds of the learner's cross-fitting.
    pub fn folds(mut self, folds: usize) -> Self {
        if let Some(cupac) = &mut self.cupac {
            cupac.folds = folds;
        }
        self
    }

    /// Lin's regression of the metric on arms, centred covariates and their products, with the covariance given (HC2 or HC3). Needs
    /// the rows; [`CovariateSlope::PerArm`] is the same estimate from sums.
    pub fn lin<S: Into<String>>(
        mut self,
        covariates: impl IntoIterator<Item = S>,
        covariance: Covariance,
    ) -> Self {
        self.lin = Some(LinAdjustment {
            covariates: covariates.into_iter().map(Into::into).collect(),
            covariance,
        });
        self
    }

    /// Sets values below the quantile `lower` and above the quantile `upper` of all units to those quantiles: 0 and 0.99 cut
    /// the top percent. The estimand is then the mean of the cut values, and the table says so.
    pub fn winsorize(mut self, lower: f64, upper: f64) -> Self {
        self.winsorize = Some([lower, upper]);
        self
    }

    /// A studentised bootstrap interval, second-order correct for skewed metrics; needs the rows and [`Metric::seed`].
    pub fn bootstrap_t(mut self, draws: usize) -> Self {
        self.bootstrap = Some(BootstrapT { draws, seed: None });
        self
    }

    /// The seed of the bootstrap and of the learner.
    pub fn seed(mut self, seed: impl Into<Seed>) -> Self {
        let seed = Some(seed.into());
        if let Some(bootstrap) = &mut self.bootstrap {
            bootstrap.seed = seed;
        }
        if let Some(cupac) = &mut self.cupac {
            cupac.seed = seed;
        }
        self
    }

    /// Whether more is better.
    pub fn higher_is_better(mut self, yes: bool) -> Self {
        self.higher_is_better = yes;
        self
    }

    /// The decision rests on this metric.
    pub fn decision(self) -> Self {
        self.role(Role::Decision)
    }

    /// This metric must not get worse.
    pub fn guardrail(self) -> Self {
        self.role(Role::Guardrail)
    }

    /// This metric may not be worse by the margin or more.
    pub fn non_inferiority(self, margin: Margin) -> Self {
        self.role(Role::NonInferiority(margin))
    }

    /// This metric must stay within the margin on both sides.
    pub fn equivalence(self, margin: Margin) -> Self {
        self.role(Role::Equivalence(margin))
    }

    /// What the metric is for.
    pub fn role(mut self, role: Role) -> Self {
        self.role = role;
        self
    }

    /// The name that is printed.
    pub fn label(&self) -> String {
        if let Some(name) = &self.name {
            return name.clone();
        }
        match &self.kind {
            MetricKind::Mean { column }
            | MetricKind::Proportion { column }
            | MetricKind::Count { column } => column.clone(),
            MetricKind::Ratio {
                numerator,
                denominator,
            } => format!("{numerator} / {denominator}"),
            MetricKind::Quantile {
                column,
                probability,
            } => format!("{column} q{probability}"),
            MetricKind::TimeToEvent { time, horizon, .. } => format!("{time} to {horizon}"),
            MetricKind::Funnel { stages } => stages.join(" > "),
        }
    }

    /// What is measured.
    pub fn kind(&self) -> &MetricKind {
        &self.kind
    }

    /// What the metric needs of the data: the sums or the rows of which columns.
    pub fn sufficient_statistics(&self) -> SufficientStatistics {
        let mut columns = self.own_columns();
        for covariate in &self.covariates {
            columns.push(covariate.numerator.clone());
            columns.extend(covariate.denominator.clone());
        }
        match self.needs_rows() {
            None => SufficientStatistics::Moments { columns },
            Some(reason) => SufficientStatistics::Rows {
                columns,
                reason: reason.to_owned(),
            },
        }
    }

    /// Why sums do not do, if they do not.
    pub(crate) fn needs_rows(&self) -> Option<&'static str> {
        match self.kind {
            MetricKind::Quantile { .. } => {
                return Some("an exact quantile needs all values in order");
            }
            MetricKind::TimeToEvent { .. } => {
                return Some("a survival curve needs all times in order");
            }
            MetricKind::Funnel { .. } => {
                return Some("the bounds of a funnel count rows of each arm");
            }
            _ => {}
        }
        if self.winsorize.is_some() {
            return Some("the quantiles that winsorise need all values in order");
        }
        if self.cupac.is_some() {
            return Some("a learner is fitted on the rows");
        }
        if self.lin.is_some() {
            return Some("HC2 and HC3 need the leverage of every row");
        }
        self.bootstrap.map(|_| "the bootstrap draws rows")
    }

    /// Whether the estimate itself is a function of moments, once columns are cut and predictions made.
    pub(crate) fn is_of_moments(&self) -> bool {
        self.lin.is_none() && self.quotient().is_some()
    }

    /// Column and, for ratios, the column below it.
    pub(crate) fn quotient(&self) -> Option<(&str, Option<&str>)> {
        match &self.kind {
            MetricKind::Mean { column }
            | MetricKind::Proportion { column }
            | MetricKind::Count { column } => Some((column, None)),
            MetricKind::Ratio {
                numerator,
                denominator,
            } => Some((numerator, Some(denominator))),
            _ => None,
        }
    }

    fn own_columns(&self) -> Vec<String> {
        match &self.kind {
            MetricKind::Mean { column }
            | MetricKind::Proportion { column }
            | MetricKind::Count { column }
            | MetricKind::Quantile { column, .. } => vec![column.clone()],
            MetricKind::Ratio {
                numerator,
                denominator,
            } => vec![numerator.clone(), denominator.clone()],
            MetricKind::TimeToEvent { time, event, .. } => vec![time.clone(), event.clone()],
            MetricKind::Funnel { stages } => stages.clone(),
        }
    }
}
