//! Options of a metric that do not go together or lie outside their range.

use super::metric::{Metric, MetricKind};
use super::role::Role;
use crate::error::{Error, Result};

/// Fewer draws leave the tails of the studentised distribution to chance.
const FEWEST: usize = 200;

impl Metric {
    /// Options that do not go together or lie outside their range.
    pub(crate) fn check(&self) -> Result<()> {
        let refuse = |option: &str, value: String, expected: &str| {
            Err(Error::invalid_option(
                &format!("{option} of metric `{}`", self.label()),
                value,
                expected,
            ))
        };
        let linear = self.quotient().is_some();
        if let MetricKind::Quantile { probability, .. } = self.kind
            && !(probability > 0.0 && probability < 1.0)
        {
            return refuse(
                "probability",
                probability.to_string(),
                "between 0 and 1, e.g. 0.9",
            );
        }
        if let Some([lower, upper]) = self.winsorize
            && !((0.0..1.0).contains(&lower) && lower < upper && upper <= 1.0 && linear)
        {
            return refuse(
                "winsorize",
                format!("{lower} to {upper}"),
                "two probabilities in order, for a mean, count or ratio, e.g. 0 and 0.99",
            );
        }
        let adjusted = !self.covariates.is_empty() || self.cupac.is_some() || self.lin.is_some();
        if adjusted && !linear {
            return refuse(
                "covariates",
                "given".to_owned(),
                "left out: only means, counts, proportions and ratios are adjusted",
            );
        }
        let ratio = matches!(self.kind, MetricKind::Ratio { .. });
        if self.lin.is_some()
            && (ratio
                || !self.covariates.is_empty()
                || self.cupac.is_some()
                || self.winsorize.is_some())
        {
            return refuse(
                "lin",
                "given".to_owned(),
                "the only adjustment, and not of a ratio: use slope(CovariateSlope::PerArm)",
            );
        }
        if self.cupac.is_some() && ratio {
            return refuse(
                "adjust",
                "given".to_owned(),
                "left out for a ratio: give predictions of its parts as cuped columns",
            );
        }
        if let Some(cupac) = &self.cupac {
            cupac.learner.check()?;
            if cupac.folds < 2 {
                return refuse("folds", cupac.folds.to_string(), "2 or more");
            }
        }
        if let Some(bootstrap) = &self.bootstrap {
            if !matches!(
                self.kind,
                MetricKind::Mean { .. } | MetricKind::Count { .. }
            ) || adjusted
            {
                return refuse(
                    "bootstrap_t",
                    "given".to_owned(),
                    "left out: it is for unadjusted means and counts",
                );
            }
            if bootstrap.draws < FEWEST {
                return refuse(
                    "bootstrap_t",
                    bootstrap.draws.to_string(),
                    "at least 200 draws",
                );
            }
        }
        if let Role::NonInferiority(margin) | Role::Equivalence(margin) = self.role
            && !(margin.number() > 0.0 && margin.number().is_finite())
        {
            return refuse("margin", margin.to_string(), "above 0");
        }
        Ok(())
    }
}
