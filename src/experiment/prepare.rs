//! From an experiment and a frame to what the passes over the rows need: cut-off points, predictions, units, and rows by arm.

use super::adjust::{cupac, lin, winsorize};
use super::analysis::{
    ArmDraws, Compared, Effect, arm_draws, bootstrap_t, quantiles, restricted_means,
};
use super::arm::{Codes, Layout, Plan, Sample, check_clusters, in_two_arms, triggered};
use super::declare::Experiment;
use super::funnel::{FunnelEffects, FunnelEffectsFit, Stages};
use super::metric::{Metric, MetricKind};
use crate::data::{Frame, MISSING};
use crate::error::{Error, Result, Warning};
use crate::inference::Covariance;
use std::collections::BTreeSet;

/// The experiment made ready for a frame.
pub(crate) struct Prepared {
    /// The frame with columns of predictions and of stages.
    pub(crate) frame: Frame,
    pub(crate) layout: Layout,
    /// The metrics, of which funnels have become one for each stage.
    pub(crate) metrics: Vec<Metric>,
    pub(crate) plan: Plan,
    pub(crate) notes: Vec<String>,
    pub(crate) warnings: Vec<Warning>,
    pub(crate) funnels: Vec<FunnelEffectsFit>,
}

/// What metrics that need the rows found.
#[derive(Default)]
pub(crate) struct RowValues {
    values: Vec<(usize, Vec<Compared>)>,
    draws: Vec<(usize, Vec<ArmDraws>)>,
    pub(crate) warnings: Vec<Warning>,
}

impl RowValues {
    /// The values of a metric by arm.
    pub(crate) fn of(&self, metric: usize) -> Option<&Vec<Compared>> {
        let found = self.values.iter().find(|(m, _)| *m == metric);
        found.map(|(_, values)| values)
    }

    /// Replaces p-value and interval by those of the bootstrap, if the metric asked for it.
    pub(crate) fn bootstrap(
        &self,
        metric: usize,
        arm: usize,
        control: usize,
        level: f64,
        effect: &mut Effect,
    ) {
        if let Some((_, draws)) = self.draws.iter().find(|(m, _)| *m == metric) {
            let (interval, p) =
                bootstrap_t(&effect.difference.name, &draws[arm], &draws[control], level);
            effect.bootstrap = Some(interval);
            effect.p_value = p;
        }
    }
}

impl Experiment {
    /// The columns of the design, with the clusters that are the units of analysis, if any.
    pub(crate) fn layout(&self, clusters: Option<&String>) -> Layout {
        Layout {
            variant: self.variant.clone(),
            strata: self.strata.clone(),
            clusters: clusters.cloned(),
            trigger: self.trigger.clone(),
        }
    }

    /// Checks the options and makes everything ready that needs the whole frame.
    pub(crate) fn prepare(&self, frame: &Frame) -> Result<Prepared> {
        self.check()?;
        let repeated = self.repeated_units(frame)?;
        let clusters = self
            .clusters
            .as_ref()
            .or(repeated.then_some(()).and(self.unit.as_ref()));
        let mut prepared = Prepared {
            frame: frame.clone(),
            layout: self.layout(clusters),
            metrics: Vec::new(),
            plan: Plan::default(),
            notes: Vec::new(),
            warnings: Vec::new(),
            funnels: Vec::new(),
        };
        for metric in &self.metrics {
            match &metric.kind {
                MetricKind::Funnel { stages } => prepared.add_funnel(metric, stages, self)?,
                _ => prepared.metrics.push(metric.clone()),
            }
        }
        prepared.plan()?;
        Ok(prepared)
    }

    /// Makes everything ready for rows that come in batches: units may come back, so they are summed.
    pub(crate) fn prepare_stream(&self) -> Result<Prepared> {
        let mut prepared = Prepared {
            frame: Frame::new(),
            layout: self.layout(self.clusters.as_ref().or(self.unit.as_ref())),
            metrics: self.metrics.clone(),
            plan: Plan::default(),
            notes: Vec::new(),
            warnings: Vec::new(),
            funnels: Vec::new(),
        };
        prepared.plan = Plan::new(&prepared.metrics, &[], &[])?;
        prepared.note_covariates();
        Ok(prepared)
    }

    /// Whether units have several rows; an error when one has rows in two arms.
    fn repeated_units(&self, frame: &Frame) -> Result<bool> {
        let Some(unit) = &self.unit else {
            return Ok(false);
        };
        let units = Codes::of(unit, frame)?;
        check_clusters(unit, units.codes())?;
        let arms = Codes::of(&self.variant, frame)?;
        let mut arm_of = vec![MISSING; units.levels().len()];
        let (mut repeated, mut crossed) = (false, Vec::new());
        for (row, (code, arm)) in units.codes().iter().zip(arms.codes()).enumerate() {
            if *arm == MISSING {
                continue;
            }
            let first = &mut arm_of[*code as usize];
            repeated |= *first != MISSING;
            if *first == MISSING {
                *first = *arm;
            } else if *first != *arm {
                crossed.push(row);
            }
        }
        let Some(row) = crossed.first() else {
            return Ok(repeated);
        };
        let code = units.codes()[*row] as usize;
        let name = |arm: u32| arms.levels()[arm as usize].as_str();
        let (first, second) = (name(arm_of[code]), name(arms.codes()[*row]));
        let others: BTreeSet<u32> = crossed.iter().map(|row| units.codes()[*row]).collect();
        let mut label = units.levels()[code].clone();
        if others.len() > 1 {
            label = format!("{label} (and of {} other units)", others.len() - 1);
        }
        Err(in_two_arms(unit, &label, first, second))
    }
}

impl Prepared {
    /// A funnel becomes one proportion of all assigned units a stage, and its conditional rates are kept with their bounds.
    fn add_funnel(
        &mut self,
        metric: &Metric,
        stages: &[String],
        experiment: &Experiment,
    ) -> Result<()> {
        let found = Stages::read(stages, &self.frame)?;
        for (stage, passed) in stages.iter().zip(&found.passed) {
            let values: Vec<f64> = (passed.iter().zip(&found.known))
                .map(|(p, known)| if *known { *p } else { f64::NAN })
                .collect();
            let column = format!("passed {stage}");
            self.frame = self.frame.clone().with_or_replace(&column, values)?;
            let mut of_stage = metric.clone().name(format!("{stage} per assigned"));
            of_stage.kind = MetricKind::Proportion { column };
            self.metrics.push(of_stage);
        }
        let covariance = match &self.layout.clusters {
            Some(column) => Covariance::cluster(column),
            None => Covariance::Hc2,
        };
        let used = self.analysed_frame()?;
        let effects = FunnelEffects::new(&experiment.variant, stages)
            .control(&experiment.control)
            .covariance(covariance)
            .fit(&used)?;
        self.warnings.extend_from_slice(effects.warnings());
        self.funnels.push(effects);
        Ok(())
    }

    /// Cut-off points and predictions, then the plan of the pass.
    fn plan(&mut self) -> Result<()> {
        let mut clips = vec![None; self.metrics.len()];
        let mut predicted = vec![None; self.metrics.len()];
        let learned = self.metrics.iter().any(|m| m.cupac.is_some());
        let codes = match &self.layout.clusters {
            Some(column) if learned => Some(self.frame.groups(column)?),
            _ => None,
        };
        for (index, metric) in self.metrics.clone().iter().enumerate() {
            let Some((column, _)) = metric.quotient() else {
                continue;
            };
            if let Some(shares) = metric.winsorize {
                let cut = winsorize::bounds(column, shares, &self.frame)?;
                clips[index] = Some(cut);
                self.notes.push(format!(
                    "`{}`: `{column}` is cut at {:.6} and {:.6} (its quantiles {} and {} over all rows); the estimand is that of the cut values.",
                    metric.label(), cut[0], cut[1], shares[0], shares[1]
                ));
            }
            if let Some(rule) = &metric.cupac {
                let codes = codes.as_ref().map(|g| g.codes.as_slice());
                let values = cupac::predictions(rule, column, codes, &self.frame)?;
                let name = format!("prediction of {}", metric.label());
                self.frame = self.frame.clone().with_or_replace(&name, values)?;
                predicted[index] = Some(name);
            }
        }
        self.note_covariates();
        self.plan = Plan::new(&self.metrics, &clips, &predicted)?;
        Ok(())
    }

    fn note_covariates(&mut self) {
        let adjusted: Vec<String> = (self.metrics.iter())
            .filter(|m| !m.covariates.is_empty() || m.cupac.is_some() || m.lin.is_some())
            .map(|m| format!("`{}`", m.label()))
            .collect();
        if !adjusted.is_empty() {
            self.notes
                .push(format!("Adjusted for covariates: {}.", adjusted.join(", ")));
        }
    }

    /// The rows that are analysed.
    fn analysed_frame(&self) -> Result<Frame> {
        match &self.layout.trigger {
            Some(column) => self.frame.filter(&triggered(column, &self.frame)?),
            None => Ok(self.frame.clone()),
        }
    }

    /// Computes the metrics that need the rows.
    pub(crate) fn row_values(&self, sample: &Sample, level: f64) -> Result<RowValues> {
        let mut found = RowValues::default();
        let wanted = |m: &Metric| !m.is_of_moments() || m.bootstrap.is_some();
        if !self.metrics.iter().any(wanted) {
            return Ok(found);
        }
        let rows = self.rows_by_arm(sample)?;
        let clusters = match &self.layout.clusters {
            Some(column) => Some(self.frame.groups(column)?.codes),
            None => None,
        };
        for (index, metric) in self.metrics.iter().enumerate() {
            let label = metric.label();
            if let (Some(strata), true) = (&self.layout.strata, wanted(metric)) {
                found.warnings.push(Warning::Note {
                    message: format!(
"`{label}` compares arms over all units, not within the strata of `{strata}` (means, proportions, counts and ratios do, without .lin and .bootstrap_t): right when every stratum has the same shares of arms, if less precise, and biased when the shares differ",
                    ),
                });
            }
            let refuse_clusters = |what: &str, remedy: &str| match &clusters {
                None => Ok(()),
                Some(_) => Err(Error::invalid_option(
                    &format!("{what} of metric `{label}`"),
                    "given with clusters",
                    remedy,
                )),
            };
            match &metric.kind {
                MetricKind::Quantile {
                    column,
                    probability,
                } => {
                    let values = self.frame.numeric(column)?;
                    let codes = clusters.as_ref().map(|c| c.as_slice());
                    let arms = quantiles(
                        &label,
                        values.values(),
                        *probability,
                        level,
                        &sample.arms,
                        &rows,
                        codes,
                    )?;
                    found.values.push((index, arms));
                }
                MetricKind::TimeToEvent {
                    time,
                    event,
                    horizon,
                } => {
                    refuse_clusters(
                        "time_to_event",
                        "left out: its variance treats rows as independent",
                    )?;
                    let (arms, test) = restricted_means(
                        &label,
                        (time, event, *horizon),
                        &self.layout.variant,
                        &sample.arms,
                        &self.analysed_frame()?,
                    )?;
                    found.values.push((index, arms));
                    found.warnings.push(Warning::Note { message: test });
                }
                _ => {}
            }
            let Some((column, _)) = metric.quotient() else {
                continue;
            };
            if let Some(adjustment) = &metric.lin {
                refuse_clusters(
                    "lin",
                    "left out: slope(CovariateSlope::PerArm) is the same estimate and knows clusters",
                )?;
                let arms = lin::lin(adjustment, &label, column, &self.frame, &sample.arms, &rows)?;
                found.values.push((index, arms));
            }
            if let Some(bootstrap) = &metric.bootstrap {
                refuse_clusters(
                    "bootstrap_t",
                    "left out: it draws rows as if they were independent",
                )?;
                let seed = bootstrap.seed.ok_or_else(|| Error::SeedRequired {
                    what: format!("the bootstrap of `{label}`"),
                })?;
                let values = self.frame.numeric(column)?;
                let cut = self.plan.clip(index);
                let draws = (rows.iter().zip(&sample.arms))
                    .map(|(rows, arm)| {
                        let used: Vec<f64> = (rows.iter().map(|r| values.values()[*r as usize]))
                            .filter(|v| !v.is_nan())
                            .map(|v| cut.map_or(v, |[low, high]| v.clamp(low, high)))
                            .collect();
                        arm_draws(&used, bootstrap.draws, seed.child(&label).child(arm))
                    })
                    .collect();
                found.draws.push((index, draws));
            }
        }
        Ok(found)
    }

    /// The analysed rows of every arm of the sample.
    fn rows_by_arm(&self, sample: &Sample) -> Result<Vec<Vec<u32>>> {
        let arms = Codes::of(&self.layout.variant, &self.frame)?;
        let position: Vec<Option<usize>> = (arms.levels().iter())
            .map(|level| sample.arms.iter().position(|arm| arm == level))
            .collect();
        let analysed = match &self.layout.trigger {
            Some(column) => Some(triggered(column, &self.frame)?),
            None => None,
        };
        let strata = match &self.layout.strata {
            Some(column) => Some(self.frame.groups(column)?.codes),
            None => None,
        };
        let mut rows = vec![Vec::new(); sample.arms.len()];
        for (row, code) in (0_u32..).zip(arms.codes()) {
            let at = row as usize;
            let used = analysed.as_ref().is_none_or(|a| a[at])
                && strata.as_ref().is_none_or(|s| s[at] != MISSING);
            if let (true, Some(Some(arm))) = (used, position.get(*code as usize)) {
                rows[*arm].push(row);
            }
        }
        Ok(rows)
    }
}
