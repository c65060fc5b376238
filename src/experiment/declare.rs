//! The experiment as it is declared, and its analysis.

use super::analysis::{
    Analysed, ArmCount, ExperimentFit, Joint, Pair, Parts, analyse, compare, decide,
    warn_about_skew,
};
use super::arm::{ExperimentStatistics, Sample};
use super::metric::Metric;
use super::prepare::{Prepared, RowValues};
use super::trust::{SAMPLE_RATIO_ALARM, sample_ratio_test};
use crate::data::Frame;
use crate::error::{Error, Result, Warning};
use crate::inference::{Adjustment, Estimate, TestResult, check_level};
use serde::{Deserialize, Serialize};

/// Which arms are compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Comparisons {
    /// Every arm with the control.
    #[default]
    WithControl,
    /// Every pair of arms.
    AllPairs,
}

/// How p-values of several effects are taken together.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Multiplicity {
    Adjust(Adjustment),
    /// Dunnett's comparisons with the control, metric by metric.
    ManyToOne,
}

/// An experiment: who was assigned to what, and what is measured.
///
/// | option | default | meaning |
/// |---|---|---|
/// | [`metric`](Self::metric) | | a [`Metric`]; one or more |
/// | [`unit`](Self::unit) | a row | column that names the unit that was randomised; its rows are taken together, and no unit may be in two arms |
/// | [`clusters`](Self::clusters) | none | column of groups that were randomised as one |
/// | [`strata`](Self::strata) | none | column of strata or blocks: arms are compared within, and averaged by their sizes |
/// | [`trigger`](Self::trigger) | everybody | column that is 1 where the unit met the change; the others are left out, and the diluted effect is given too |
/// | [`level`](Self::level) | 0.95 | confidence level |
/// | [`comparisons`](Self::comparisons) | with the control | or all pairs |
/// | [`adjust`](Self::adjust), [`many_to_one`](Self::many_to_one) | none | multiplicity over decision and secondary metrics and arms |
/// | [`allocation`](Self::allocation) | equal | shares of units that each arm should have, for the test of the sample ratio |
///
/// Differences have Welch's t interval, `T_a − T_c ± t(df) √(V_a + V_c)`, whatever T is: a mean, a ratio (linearised), adjusted for
/// covariates or strata. With clusters every mean is a ratio of sums over clusters, and V their delta-method variance.
/// Inference is conditional on the covariates of the units in the experiment.
///
/// Rows that lack a metric are left out for this metric alone, and counted in a warning.
///
/// ```
/// use cocreate::prelude::*;
/// let n = 4000;
/// let arm: Vec<&str> = (0..n).map(|i| if i % 2 == 0 { "control" } else { "tool" }).collect();
/// let before: Vec<f64> = (0..n).map(|i| ((i * 37) % 101) as f64).collect();
/// let orders: Vec<f64> = (0..n).map(|i| 1.0 + ((i / 2) % 3) as f64).collect();
/// let spend: Vec<f64> = (0..n).map(|i| before[i] + ((i * 13) % 29) as f64 + 2.0 * (i % 2) as f64).collect();
/// let frame = Frame::new().with("arm", arm)?.with("before", before)?.with("orders", orders)?.with("spend", spend)?;
/// let fit = Experiment::new("arm", "control")
///     .metric(Metric::mean("spend").cuped(["before"]).decision())
///     .metric(Metric::ratio("spend", "orders").name("spend an order").guardrail())
///     .analyze(&frame)?;
/// let effect = fit.effect("spend", "tool")?;
/// assert!((effect.difference.estimate - 2.0).abs() < 0.6 && effect.verdict == Verdict::Better);
/// assert!(effect.variance_reduction > 0.9);
/// assert!(fit.sample_ratio().p_value > 0.9);
/// // The joint covariance answers questions about several metrics.
/// assert!(fit.wald(&["spend: tool = 0", "spend an order: tool = 0"])?.p_value < 0.01);
/// # Ok::<(), cocreate::Error>(())
/// ```
///
/// # Errors
/// [`Error::InvalidOption`] for a control that is no arm (with the nearest name), metrics of one name, options out of range;
/// [`Error::Unidentified`] for one arm alone, a stratum that lacks an arm, a denominator of mean zero, and a unit with rows in two arms;
/// [`Error::OutOfRange`] with the row for counts below zero, proportions other than 0 and 1, and funnels that are not monotone;
/// [`Error::Infinite`], [`Error::MissingClusters`], [`Error::ColumnNotFound`], [`Error::WrongKind`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Experiment {
    pub(crate) variant: String,
    pub(crate) control: String,
    pub(crate) unit: Option<String>,
    pub(crate) clusters: Option<String>,
    pub(crate) strata: Option<String>,
    pub(crate) trigger: Option<String>,
    pub(crate) metrics: Vec<Metric>,
    pub(crate) level: f64,
    comparisons: Comparisons,
    multiplicity: Multiplicity,
    pub(crate) allocation: Vec<(String, f64)>,
}

impl Experiment {
    /// An experiment whose arms stand in a column, one of which is the control.
    pub fn new(variant: impl Into<String>, control: impl Into<String>) -> Self {
        const LEVEL: f64 = 0.95;
        Self {
            variant: variant.into(),
            control: control.into(),
            unit: None,
            clusters: None,
            strata: None,
            trigger: None,
            metrics: Vec::new(),
            level: LEVEL,
            comparisons: Comparisons::default(),
            multiplicity: Multiplicity::Adjust(Adjustment::None),
            allocation: Vec::new(),
        }
    }

    /// Adds a metric.
    pub fn metric(mut self, metric: Metric) -> Self {
        self.metrics.push(metric);
        self
    }

    /// The column that names the unit that was randomised.
    pub fn unit(mut self, column: impl Into<String>) -> Self {
        self.unit = Some(column.into());
        self
    }

    /// The column of groups that were randomised as one.
    pub fn clusters(mut self, column: impl Into<String>) -> Self {
        self.clusters = Some(column.into());
        self
    }

    /// The column of strata (blocks) within which units were randomised, or by which to post-stratify.
    pub fn strata(mut self, column: impl Into<String>) -> Self {
        self.strata = Some(column.into());
        self
    }

    /// The column that is 1 where the unit met the change or would have met it.
    pub fn trigger(mut self, column: impl Into<String>) -> Self {
        self.trigger = Some(column.into());
        self
    }

    /// The confidence level.
    pub fn level(mut self, level: f64) -> Self {
        self.level = level;
        self
    }

    /// Which arms are compared.
    pub fn comparisons(mut self, comparisons: Comparisons) -> Self {
        self.comparisons = comparisons;
        self
    }

    /// How p-values of decision and secondary metrics, over all comparisons, are adjusted.
    pub fn adjust(mut self, adjustment: Adjustment) -> Self {
        self.multiplicity = Multiplicity::Adjust(adjustment);
        self
    }

    /// Dunnett's adjustment of the comparisons with the control, metric by metric, from the sizes of the arms.
    pub fn many_to_one(mut self) -> Self {
        self.multiplicity = Multiplicity::ManyToOne;
        self
    }

    /// The share of units that each arm should have.
    pub fn allocation<S: Into<String>>(
        mut self,
        shares: impl IntoIterator<Item = (S, f64)>,
    ) -> Self {
        self.allocation = shares.into_iter().map(|(arm, s)| (arm.into(), s)).collect();
        self
    }

    /// The metrics.
    pub fn metrics(&self) -> &[Metric] {
        &self.metrics
    }

    /// Analyses a frame.
    ///
    /// # Errors
    /// See [`Experiment`].
    pub fn analyze(&self, frame: &Frame) -> Result<ExperimentFit> {
        let prepared = self.prepare(frame)?;
        let statistics =
            ExperimentStatistics::of(&prepared.plan, &prepared.layout, &prepared.frame)?;
        self.conclude(&prepared, &statistics, true)
    }

    /// Refuses options that make no sense, at one place.
    pub(crate) fn check(&self) -> Result<()> {
        check_level(self.level)?;
        if self.metrics.is_empty() {
            return Err(Error::invalid_option(
                "metrics",
                "none",
                "one or more: add .metric(Metric::mean(\"column\"))",
            ));
        }
        for (i, metric) in self.metrics.iter().enumerate() {
            metric.check()?;
            if self.metrics[..i]
                .iter()
                .any(|m| m.label() == metric.label())
            {
                return Err(Error::invalid_option(
                    "metrics",
                    format!("`{}` twice", metric.label()),
                    "named differently: use Metric::name",
                ));
            }
        }
        if self.multiplicity == Multiplicity::ManyToOne && self.comparisons == Comparisons::AllPairs
        {
            return Err(Error::invalid_option(
                "many_to_one",
                "given with all pairs",
                "with comparisons against the control; use .adjust(Adjustment::Holm) for all pairs",
            ));
        }
        let bad = |share: f64| !(share > 0.0 && share.is_finite());
        if let Some((arm, share)) = self.allocation.iter().find(|(_, s)| bad(*s)) {
            return Err(Error::invalid_option(
                "allocation",
                format!("{share} for `{arm}`"),
                "above 0 for every arm",
            ));
        }
        Ok(())
    }

    /// From statistics to effects; `rows` says whether metrics that need the rows can be computed.
    pub(crate) fn conclude(
        &self,
        prepared: &Prepared,
        statistics: &ExperimentStatistics,
        rows: bool,
    ) -> Result<ExperimentFit> {
        let sample = statistics.sample(&self.control)?;
        let mut warnings = prepared.warnings.clone();
        self.warn_about_rows(statistics, &mut warnings);
        let counts: Vec<ArmCount> = (sample.arms.iter().zip(&sample.assigned).enumerate())
            .map(|(a, (arm, assigned))| ArmCount {
                arm: arm.clone(),
                assigned: *assigned,
                analysed: sample.analysed(a),
            })
            .collect();
        let sample_ratio = self.sample_ratio(&counts, &mut warnings)?;

        let mut moments = Vec::new();
        for (bit, plan) in sample.plan.metrics.iter().enumerate() {
            let metric = &prepared.metrics[plan.metric];
            let stratified = self.strata.is_some();
            moments.push(analyse(
                &sample,
                plan,
                bit,
                metric,
                stratified,
                &mut warnings,
            )?);
        }
        let mut by_rows = RowValues::default();
        if rows {
            by_rows = prepared.row_values(&sample, self.level)?;
            warnings.append(&mut by_rows.warnings);
        }

        let pairs = self.pairs(sample.arms.len());
        let (mut effects, mut values) = (Vec::new(), Vec::new());
        let (mut names, mut estimates, mut joint_pairs) = (Vec::new(), Vec::new(), Vec::new());
        for (index, metric) in prepared.metrics.iter().enumerate() {
            let bit = sample.plan.metrics.iter().position(|m| m.metric == index);
            let arms = match bit {
                Some(bit) => &moments[bit].arms,
                None => match by_rows.of(index) {
                    Some(arms) => arms,
                    None => continue,
                },
            };
            values.extend(arms.iter().map(|a| a.record.clone()));
            for &(arm, control) in &pairs {
                let name = effect_name(&metric.label(), &sample.arms, arm, control);
                let mut effect =
                    compare(&name, metric.role, &arms[arm], &arms[control], self.level)?;
                if let Some(bit) = bit {
                    names.push(name);
                    estimates.push(effect.difference.estimate);
                    joint_pairs.push(Pair {
                        metric: bit,
                        arm,
                        control,
                    });
                    by_rows.bootstrap(index, arm, control, self.level, &mut effect);
                    if effect.bootstrap.is_none() {
                        let analysed: &Analysed = &moments[bit];
                        warnings
                            .extend(warn_about_skew(analysed, arm, control, &effect, self.level));
                    }
                }
                warn_about_effect(&effect, bit.map(|b| &moments[b]), &mut warnings);
                if self.trigger.is_some() {
                    effect.diluted = Some(diluted(&effect.difference, &counts));
                }
                effects.push(effect);
            }
        }
        decide(
            &mut effects,
            &prepared.metrics,
            pairs.len(),
            self.multiplicity,
            self.level,
        )?;
        let joint = Joint::new(&sample, &moments, joint_pairs);
        warnings.dedup();
        Ok(Parts {
            effects,
            values,
            counts,
            sample_ratio,
            funnels: prepared.funnels.clone(),
            level: self.level,
            adjustment: match self.multiplicity {
                Multiplicity::Adjust(adjustment) => adjustment.to_string(),
                Multiplicity::ManyToOne => "Dunnett, metric by metric".to_owned(),
            },
            notes: self.notes(prepared, &sample),
            warnings,
            names,
            estimates,
            joint,
        }
        .into())
    }

    /// The comparisons as pairs of arms, of which the first is the control.
    fn pairs(&self, arms: usize) -> Vec<(usize, usize)> {
        match self.comparisons {
            Comparisons::WithControl => (1..arms).map(|a| (a, 0)).collect(),
            Comparisons::AllPairs => (0..arms)
                .flat_map(|c| (c + 1..arms).map(move |a| (a, c)))
                .collect(),
        }
    }

    /// Pearson's χ² of the units assigned, and a warning when it is far off.
    fn sample_ratio(&self, counts: &[ArmCount], warnings: &mut Vec<Warning>) -> Result<TestResult> {
        let share = |arm: &str| {
            if self.allocation.is_empty() {
                return Ok(1.0);
            }
            let found = self.allocation.iter().find(|(name, _)| name == arm);
            found.map(|(_, share)| *share).ok_or_else(|| {
                Error::invalid_option(
                    "allocation",
                    format!("without `{arm}`"),
                    "a share for every arm",
                )
            })
        };
        let shares = (counts.iter().map(|c| share(&c.arm))).collect::<Result<Vec<f64>>>()?;
        let total: f64 = shares.iter().sum();
        let shares: Vec<f64> = shares.iter().map(|share| share / total).collect();
        let assigned: Vec<u64> = counts.iter().map(|c| c.assigned).collect();
        let test = sample_ratio_test(&assigned, &shares);
        if test.p_value < SAMPLE_RATIO_ALARM {
            warnings.push(Warning::Note {
                message: format!(
                    "sample-ratio mismatch (p = {:.1e}): units got lost or were assigned otherwise than planned, so arms may not be alike; find the cause before reading effects, or declare the shares with .allocation",
                    test.p_value
                ),
            });
        }
        Ok(test)
    }

    fn warn_about_rows(&self, statistics: &ExperimentStatistics, warnings: &mut Vec<Warning>) {
        if statistics.unassigned() > 0 {
            warnings.push(Warning::Note {
                message: format!(
                    "{} rows left out: `{}` is missing there; units without an assignment can make arms unlike, so find out why",
                    statistics.unassigned(),
                    self.variant
                ),
            });
        }
        if let (Some(strata), true) = (&self.strata, statistics.without_stratum() > 0) {
            warnings.push(Warning::Note {
                message: format!(
                    "{} rows left out: `{strata}` is missing there",
                    statistics.without_stratum()
                ),
            });
        }
        for (column, count) in statistics.missing() {
            warnings.push(Warning::Note {
                message: format!(
                    "`{column}` is missing in {count} rows, which the metrics that use it leave out; if missing means zero, say so in the data"
                ),
            });
        }
    }

    fn notes(&self, prepared: &Prepared, sample: &Sample) -> Vec<String> {
        let mut notes = prepared.notes.clone();
        if sample.clustered {
            let column = prepared.layout.clusters.as_deref().unwrap_or_default();
            notes.push(format!(
                "Units are those of `{column}`; variances by the delta method over their sums."
            ));
        }
        if let Some(strata) = &self.strata {
            notes.push(format!(
                "Arms are compared within the {} strata of `{strata}`, weighted by their units.",
                sample.strata.len()
            ));
        }
        notes
    }
}

/// `metric: arm`, or `metric: arm - other` when the other is not the control.
fn effect_name(metric: &str, arms: &[String], arm: usize, control: usize) -> String {
    if control == 0 {
        format!("{metric}: {}", arms[arm])
    } else {
        format!("{metric}: {} - {}", arms[arm], arms[control])
    }
}

/// The effect over all assigned units when the others have none: `r Δ`, with `Var = r² Var Δ + Δ² r(1 − r)/N`.
fn diluted(difference: &Estimate, counts: &[ArmCount]) -> Estimate {
    let assigned: f64 = counts.iter().map(|c| c.assigned as f64).sum();
    let share = counts.iter().map(|c| c.analysed as f64).sum::<f64>() / assigned;
    let variance = (share * difference.std_error).powi(2)
        + difference.estimate.powi(2) * share * (1.0 - share) / assigned;
    Estimate {
        name: format!("{} over all assigned", difference.name),
        estimate: share * difference.estimate,
        std_error: variance.sqrt(),
        degrees_of_freedom: difference.degrees_of_freedom,
    }
}

/// Warnings about what the numbers of one effect cannot carry.
fn warn_about_effect(
    effect: &super::analysis::Effect,
    moments: Option<&Analysed>,
    warnings: &mut Vec<Warning>,
) {
    let mut note = |message: String| warnings.push(Warning::Note { message });
    if effect.difference.std_error <= 0.0 {
        note(format!(
            "`{}` does not vary in `{}` nor in `{}`: there is no sampling error to test against; see whether the column is right",
            effect.metric, effect.arm, effect.control
        ));
    } else if !effect.lift.determined {
        note(format!(
            "`{}`: the interval of `{}` covers zero, so a lift relative to it is not determined; read the difference, or Fieller's set {}",
            effect.metric, effect.control, effect.lift.fieller
        ));
    }
    if let Some(moments) = moments
        && moments.denominator_t < DENOMINATOR
    {
        note(format!(
            "`{}`: a denominator's mean is only {:.1} standard errors from zero, so the delta method is not to be trusted; count more units or compare numerators",
            effect.metric, moments.denominator_t
        ));
    }
}

/// Below this many standard errors from zero a denominator makes ratios skewed: Hayya, Armstrong & Gressis (1975) ask for a coefficient of
/// variation of the denominator under 0.1.
const DENOMINATOR: f64 = 10.0;
