//! Restricted mean times of every arm.

use super::effect::{ArmValue, Compared};
use crate::customer::survival::{KaplanMeier, LogRank, Survival};
use crate::data::Frame;
use crate::error::Result;

/// `E[min(T, horizon)]` of each arm, the area under its Kaplan–Meier curve, and the log-rank test of equal hazards as a sentence.
pub(crate) fn restricted_means(
    metric: &str,
    (time, event, horizon): (&str, &str, f64),
    variant: &str,
    arms: &[String],
    frame: &Frame,
) -> Result<(Vec<Compared>, String)> {
    let outcome = Survival::right(time, event);
    let curves = KaplanMeier::new(outcome.clone()).by(variant).fit(frame)?;
    let test = LogRank::new(outcome, variant).fit(frame)?;
    let mut found = Vec::new();
    for arm in arms {
        let curve = curves.curve(arm)?;
        let mean = curve.restricted_mean(horizon)?.mean;
        let units = curve.observations();
        let variance = mean.std_error * mean.std_error;
        found.push(Compared {
            record: ArmValue {
                metric: metric.to_owned(),
                arm: arm.clone(),
                units: units as u64,
                value: mean.estimate,
                std_error: mean.std_error,
                unit_variance: units * variance,
                unadjusted: mean.estimate,
                unadjusted_variance: units * variance,
            },
            parts: vec![(variance, f64::INFINITY)],
        });
    }
    Ok((found, format!("`{metric}`: {}.", test.test)))
}
