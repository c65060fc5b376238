//! Strata of rows that are alike: coarsened covariates, classes of propensities.

use super::nearest::{enough, read, whole};
use super::sets::{Sets, SetsFit};
use super::space::Limits;
use crate::causal::sample::Columns;
use crate::causal::weighting::Estimand;
use crate::causal::weighting::observed::Observed;
use crate::causal::weighting::tilt::{Tilt, Tilted};
use crate::data::Frame;
use crate::error::{Error, Result, Warning};
use crate::numeric::Progress;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Classes of propensities unless asked otherwise.
const CLASSES: usize = 5;

/// Effects within strata, averaged as the estimand says.
///
/// | constructor | strata |
/// |---|---|
/// | [`coarsened`](Self::coarsened) | rows whose covariates fall into the same bins: coarsened exact matching (Iacus, King & Porro 2012) |
/// | [`propensity`](Self::propensity) | rows between the same quantiles of the propensity of a logit: subclassification (Rosenbaum & Rubin 1984) |
///
/// `τ̂ = Σ_s ω_s (Ȳ_{s1} − Ȳ_{s0})` with ω_s the share of the stratum among all rows (ATE), treated (ATT) or untreated ones (ATC). Strata without both arms are left out; the effect is then that of the
/// other rows and is named so. It must hold that potential outcomes do not depend on the treatment within strata: coarsening bounds what is left by the width of the bins, five
/// classes of propensities leave about a tenth of the bias of one covariate (Cochran 1968).
///
/// | name | default | meaning | range |
/// |---|---|---|---|
/// | `terms` | required | covariates, the right-hand side of a formula | |
/// | `estimand` | [`Estimand::Ate`] | whose effect | not `Ato` |
/// | `bins` | Sturges: `⌈log₂ n⌉ + 1` | bins of even width over the range of a covariate; one with no more values than bins keeps its values | 1 or more |
/// | `cut_points` | none | where bins of a covariate begin | rising |
/// | `classes` | 5 | classes of propensities, even among the rows of the estimand | 2 or more |
/// | `exact` | none | columns (of any kind) in which strata agree | |
/// | `control` | the first arm | the arm the other is compared with | |
///
/// With `s²` the variances within the cells of strata and arms, `V̂ = Σ ω_s² v_s + max(0, Σ ω_s ((d_s − τ̂)² − v_s))/n` with `v_s = s²_{s1}/n_{s1} + s²_{s0}/n_{s0}`; the second part is what the sampling of strata with different effects adds. A cell of
/// one row has the pooled variance of its arm, and a warning says so. The bins and the propensities are taken as given, which for propensities makes errors too large.
///
/// Measured on a confounded design (1 500 rows, two covariates, 100 samples): with bins of a quarter of a standard deviation the bias is below 0.01 and 95 % intervals cover 98 to 100 % of the time, with two bins of each covariate 1 %, the bias being 0.5 to 0.7; with twenty
/// classes of propensities the bias is 0.03 and standard errors are 1.4 to 2.4 times too large.
///
/// # Errors
/// [`Error::NoRows`] when no stratum has both arms; [`Error::Unidentified`] when none has two rows of an arm, or propensities are 0 or 1; [`Error::InvalidOption`] for more or fewer than two arms and options out of range.
/// Rows with missing values are left out with a warning.
///
/// # References
/// Cochran (1968), doi:10.2307/2528036; Iacus, King & Porro (2012), doi:10.1093/pan/mpr013; Imbens & Rubin (2015), doi:10.1017/CBO9781139025751, chapter 17; Rosenbaum & Rubin (1984), doi:10.1080/01621459.1984.10478078.
///
/// # Examples
/// ```
/// use cocreate::prelude::*;
/// let nsw = datasets::load("nsw")?;
/// let strata = Stratification::coarsened("re78", "treat", "age + educ + black + hisp + marr + re74")
///     .estimand(Estimand::Att)
///     .cut_points("age", &[20.0, 25.0, 35.0])
///     .cut_points("educ", &[9.0, 12.0])
///     .cut_points("re74", &[0.01, 5000.0])
///     .fit(&nsw)?;
/// assert!(strata.unmatched() > 0 && strata.imbalance().after < strata.imbalance().before);
/// println!("{strata}");
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stratification {
    columns: Columns,
    terms: String,
    estimand: Estimand,
    exact: Vec<String>,
    rule: Rule,
    bins: Vec<(String, usize)>,
    cuts: Vec<(String, Vec<f64>)>,
    classes: Option<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Rule {
    Coarsened,
    Propensity,
}

impl Stratification {
    /// Covariates in bins.
    pub fn coarsened(outcome: &str, treatment: &str, terms: &str) -> Self {
        Self::new(Rule::Coarsened, outcome, treatment, terms)
    }

    /// Propensities in classes.
    pub fn propensity(outcome: &str, treatment: &str, terms: &str) -> Self {
        Self::new(Rule::Propensity, outcome, treatment, terms)
    }

    fn new(rule: Rule, outcome: &str, treatment: &str, terms: &str) -> Self {
        Self {
            columns: Columns::new::<&str>(outcome, treatment, &[]),
            terms: terms.to_owned(),
            estimand: Estimand::Ate,
            exact: Vec::new(),
            rule,
            bins: Vec::new(),
            cuts: Vec::new(),
            classes: None,
        }
    }

    /// Whose average effect.
    pub fn estimand(mut self, estimand: Estimand) -> Self {
        self.estimand = estimand;
        self
    }

    /// The arm that the other is compared with.
    pub fn control(mut self, arm: impl Into<String>) -> Self {
        self.columns.control = Some(arm.into());
        self
    }

    /// Columns in which strata agree.
    pub fn exact<S: AsRef<str>>(mut self, columns: &[S]) -> Self {
        self.exact = columns.iter().map(|c| c.as_ref().to_owned()).collect();
        self
    }

    /// How many bins a covariate has.
    pub fn bins(mut self, covariate: &str, count: usize) -> Self {
        self.bins.push((covariate.to_owned(), count));
        self
    }

    /// Where the bins of a covariate begin but for the first.
    pub fn cut_points(mut self, covariate: &str, points: &[f64]) -> Self {
        self.cuts.push((covariate.to_owned(), points.to_vec()));
        self
    }

    /// How many classes of propensities.
    pub fn classes(mut self, count: usize) -> Self {
        self.classes = Some(count);
        self
    }

    /// Finds the strata and the effect.
    ///
    /// # Errors
    /// See [`Stratification`].
    pub fn fit(&self, frame: &Frame) -> Result<SetsFit> {
        self.fit_with(frame, &Progress::none())
    }

    /// Finds the strata and the effect, watched.
    ///
    /// # Errors
    /// See [`Stratification`].
    pub fn fit_with(&self, frame: &Frame, progress: &Progress) -> Result<SetsFit> {
        self.check()?;
        let limits = Limits {
            exact: self.exact.clone(),
            ..Limits::default()
        };
        let mut observed = read(&self.columns, &self.terms, &limits, frame)?;
        enough(&observed, 2)?;
        progress.report("stratification", 0, 1)?;
        let (cells, _) = limits.cells(&observed, frame)?;
        let (keys, propensities, what) = match self.rule {
            Rule::Coarsened => {
                let keys = coarsened(&observed, &self.bins, &self.cuts)?;
                (keys, None, "Coarsened exact matching".to_owned())
            }
            Rule::Propensity => {
                let classes = self.classes.unwrap_or(CLASSES);
                let basis = observed.standardised();
                let propensities =
                    Tilted::solve(Tilt::Likelihood, &observed, &basis)?.propensities();
                let keys = vec![self.classes_of(&observed, &propensities, classes)];
                observed.warnings.push(Warning::Note {
                    message: "standard errors take the propensities as known, which makes them too large when covariates explain the outcome".to_owned(),
                });
                (
                    keys,
                    Some(propensities),
                    format!("Subclassified by {classes} classes of the propensity"),
                )
            }
        };
        let mut strata: BTreeMap<Vec<u32>, u32> = BTreeMap::new();
        let of_row: Vec<Option<u32>> = (0..observed.len())
            .map(|row| {
                let key = std::iter::once(cells[row])
                    .chain(keys.iter().map(|codes| codes[row]))
                    .collect();
                let next = strata.len() as u32;
                Some(*strata.entry(key).or_insert(next))
            })
            .collect();
        SetsFit::new(
            observed,
            Sets {
                outcome: &self.columns.outcome,
                estimand: self.estimand,
                what: format!("{what}; {} strata have rows.", strata.len()),
                of_row,
                propensities,
                of_strata: true,
            },
        )
    }

    fn check(&self) -> Result<()> {
        whole(self.estimand)?;
        if self.classes.is_some_and(|classes| classes < 2) {
            return Err(Error::invalid_option(
                "classes",
                self.classes.unwrap_or(0),
                "2 or more",
            ));
        }
        let elsewhere = match self.rule {
            Rule::Coarsened if self.classes.is_some() => Some(("classes", "propensity")),
            Rule::Propensity if !self.bins.is_empty() => Some(("bins", "coarsened")),
            Rule::Propensity if !self.cuts.is_empty() => Some(("cut_points", "coarsened")),
            _ => None,
        };
        match elsewhere {
            None => Ok(()),
            Some((option, owner)) => Err(Error::invalid_option(
                option,
                "given to strata of another kind",
                format!("an option of `Stratification::{owner}` alone"),
            )),
        }
    }

    /// The class of every row: classes begin at quantiles of the propensity among the rows of the estimand.
    fn classes_of(&self, observed: &Observed, propensities: &[f64], classes: usize) -> Vec<u32> {
        let meant = |row: &usize| match self.estimand {
            Estimand::Att => observed.treated[*row],
            Estimand::Atc => !observed.treated[*row],
            Estimand::Ate | Estimand::Ato => true,
        };
        let mut sorted: Vec<f64> = (0..observed.len())
            .filter(meant)
            .map(|row| propensities[row])
            .collect();
        sorted.sort_unstable_by(f64::total_cmp);
        let quantile = |share: f64| {
            let at = share * (sorted.len() - 1) as f64;
            let low = sorted[at as usize];
            low + at.fract() * (sorted[(at as usize + 1).min(sorted.len() - 1)] - low)
        };
        let cuts: Vec<f64> = (1..classes)
            .map(|k| quantile(k as f64 / classes as f64))
            .collect();
        binned(propensities, &cuts)
    }
}

/// The bin of each value: bins begin at the cuts.
fn binned(values: &[f64], cuts: &[f64]) -> Vec<u32> {
    values
        .iter()
        .map(|v| cuts.partition_point(|cut| cut <= v) as u32)
        .collect()
}

/// Where bins of even width begin; at every value when there are no more values than bins.
fn even(values: &[f64], bins: usize) -> Vec<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    sorted.dedup();
    let (low, high) = (sorted[0], sorted[sorted.len() - 1]);
    if sorted.len() <= bins {
        return sorted.split_off(1);
    }
    let width = (high - low) / bins as f64;
    (1..bins).map(|k| low + width * k as f64).collect()
}

/// Codes of the bins of each covariate.
fn coarsened(
    observed: &Observed,
    bins: &[(String, usize)],
    cuts: &[(String, Vec<f64>)],
) -> Result<Vec<Vec<u32>>> {
    let known = |option: &str, name: &String| {
        let names: Vec<&str> = observed
            .covariates
            .iter()
            .map(|(name, _)| name.as_str())
            .collect();
        if names.contains(&name.as_str()) {
            return Ok(());
        }
        Err(Error::invalid_option(
            option,
            format!("of `{name}`"),
            format!("of a covariate: {}", names.join(", ")),
        ))
    };
    for (name, count) in bins {
        known("bins", name)?;
        if *count == 0 {
            return Err(Error::invalid_option(
                "bins",
                format!("0 of `{name}`"),
                "1 or more",
            ));
        }
    }
    for (name, points) in cuts {
        known("cut_points", name)?;
        if !points.windows(2).all(|pair| pair[0] < pair[1])
            || points.iter().any(|point| !point.is_finite())
        {
            return Err(Error::invalid_option(
                "cut_points",
                format!("{points:?} of `{name}`"),
                "finite and rising",
            ));
        }
    }
    let sturges = (observed.len() as f64).log2().ceil() as usize + 1;
    let codes = observed.covariates.iter().map(|(name, values)| {
        if let Some((_, points)) = cuts.iter().find(|(own, _)| own == name) {
            return binned(values, points);
        }
        let count = bins
            .iter()
            .find(|(own, _)| own == name)
            .map_or(sturges, |(_, count)| *count);
        binned(values, &even(values, count))
    });
    Ok(codes.collect())
}

/// How far apart the joint distributions of the covariates are in both arms: `L₁ = ½ Σ_b |f_b − g_b|` over the bins of all covariates (Iacus, King & Porro 2011), from 0 when
/// they are alike to 1 when they have no bin in common. Bins are those of Scott's rule on all rows in use, whatever the matching was: widths `3.49 s n^{−1/3}`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct JointImbalance {
    /// Before matching.
    pub before: f64,
    /// With the weights of matching.
    pub after: f64,
}

impl JointImbalance {
    pub(super) fn new(observed: &Observed, weights: &[f64]) -> Self {
        let n = observed.len();
        let codes: Vec<Vec<u32>> = (observed.covariates.iter())
            .map(|(_, values)| {
                let mean = values.iter().sum::<f64>() / n as f64;
                let around: f64 = values.iter().map(|v| (v - mean).powi(2)).sum();
                let width = 3.49 * (around / (n as f64 - 1.0)).sqrt() / (n as f64).cbrt();
                let (low, high) = values
                    .iter()
                    .fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| {
                        (l.min(*v), h.max(*v))
                    });
                let bins = if width > 0.0 {
                    ((high - low) / width).ceil().max(1.0) as usize
                } else {
                    1
                };
                binned(values, &even(values, bins.min(n)))
            })
            .collect();
        let distance = |weights: &[f64]| {
            let mut masses: BTreeMap<Vec<u32>, [f64; 2]> = BTreeMap::new();
            let mut totals = [0.0; 2];
            for (row, weight) in weights.iter().enumerate() {
                let arm = usize::from(observed.treated[row]);
                let key = codes.iter().map(|codes| codes[row]).collect();
                masses.entry(key).or_default()[arm] += weight;
                totals[arm] += weight;
            }
            0.5 * masses
                .values()
                .map(|mass| (mass[0] / totals[0] - mass[1] / totals[1]).abs())
                .sum::<f64>()
        };
        Self {
            before: distance(&observed.weights),
            after: distance(weights),
        }
    }
}
