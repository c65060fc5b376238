//! The test of each metric's role, adjustment for multiplicity, and verdicts.

use super::effect::Effect;
use crate::error::Result;
use crate::experiment::declare::Multiplicity;
use crate::experiment::metric::Metric;
use crate::experiment::role::{Role, Verdict};
use crate::inference::{Alternative, ManyToOne, adjust_p_values};
use crate::numeric::special::student_t;

/// Fills in the p-values of the roles, adjusts those of decision and secondary metrics, and draws verdicts. Effects stand metric by
/// metric, `comparisons` each.
pub(crate) fn decide(
    effects: &mut [Effect],
    metrics: &[Metric],
    comparisons: usize,
    multiplicity: Multiplicity,
    level: f64,
) -> Result<()> {
    let better = |effect: &Effect| {
        let metric = metrics.iter().find(|m| m.label() == effect.metric);
        metric.is_none_or(|m| m.higher_is_better)
    };
    for effect in effects.iter_mut() {
        effect.role_p_value = role_p_value(effect, better(effect));
        effect.adjusted_p_value = effect.role_p_value;
    }
    let of_family = |e: &Effect| matches!(e.role, Role::Decision | Role::Secondary);
    match multiplicity {
        Multiplicity::Adjust(adjustment) => {
            let family: Vec<usize> = (0..effects.len())
                .filter(|i| of_family(&effects[*i]))
                .collect();
            let p: Vec<f64> = family.iter().map(|i| effects[*i].role_p_value).collect();
            for (i, adjusted) in family.iter().zip(adjust_p_values(&p, adjustment)?) {
                effects[*i].adjusted_p_value = adjusted;
            }
        }
        Multiplicity::ManyToOne => {
            for metric in effects.chunks_mut(comparisons.max(1)) {
                if of_family(&metric[0]) {
                    dunnett(metric)?;
                }
            }
        }
    }
    for effect in effects.iter_mut() {
        effect.verdict = verdict(effect, better(effect), level);
    }
    Ok(())
}

/// Dunnett's adjusted p-values of comparisons with one control.
fn dunnett(effects: &mut [Effect]) -> Result<()> {
    let sizes: Vec<f64> = effects.iter().map(|e| e.units[0] as f64).collect();
    let df = effects
        .iter()
        .map(|e| e.difference.degrees_of_freedom)
        .fold(f64::INFINITY, f64::min);
    let joint = ManyToOne::new(df, &sizes, effects[0].units[1] as f64)?;
    for effect in effects {
        effect.adjusted_p_value =
            joint.p_value(effect.difference.statistic(0.0), Alternative::TwoSided);
    }
    Ok(())
}

/// The p-value of the role's hypothesis.
fn role_p_value(effect: &Effect, higher_is_better: bool) -> f64 {
    let sign = if higher_is_better { 1.0 } else { -1.0 };
    let d = &effect.difference;
    let above = |margin: f64| {
        let distance = sign * d.estimate + margin;
        let statistic = if distance.abs() <= 0.0 {
            0.0
        } else {
            distance / d.std_error
        };
        student_t::sf(statistic, d.degrees_of_freedom)
    };
    match effect.role {
        Role::Decision | Role::Secondary => effect.p_value,
        Role::Guardrail => 1.0 - above(0.0),
        Role::NonInferiority(margin) => above(margin.size(effect.values[1])),
        Role::Equivalence(margin) => {
            let size = margin.size(effect.values[1]);
            above(size).max(1.0 - above(-size))
        }
    }
}

fn verdict(effect: &Effect, higher_is_better: bool, level: f64) -> Verdict {
    let alpha = 1.0 - level;
    let gain = (effect.difference.estimate > 0.0) == higher_is_better;
    let p = effect.adjusted_p_value;
    match effect.role {
        Role::Decision | Role::Secondary if p >= alpha => Verdict::Open,
        Role::Decision | Role::Secondary if gain => Verdict::Better,
        Role::Decision | Role::Secondary => Verdict::Worse,
        Role::Guardrail if p < alpha => Verdict::Worse,
        Role::Guardrail => Verdict::NoHarmShown,
        Role::NonInferiority(_) if p < 0.5 * alpha => Verdict::NonInferior,
        Role::Equivalence(_) if p < alpha => Verdict::Equivalent,
        Role::NonInferiority(_) | Role::Equivalence(_) => Verdict::NotShown,
    }
}
