//! Models of one arm's effect after fitting.

use crate::causal::cross_fit::Combined;
use crate::data::Label;
use crate::error::{Error, Result};
use crate::regression::learners::Features;
use serde::{Deserialize, Serialize};

/// The effect of an arm as a function of features.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum EffectModel {
    Constant(f64),
    Direct(Combined),
    Difference {
        on_arm: Combined,
        on_control: Combined,
    },
    Single {
        model: Combined,
        column: String,
        arms: Vec<String>,
        arm: u32,
    },
    Cross {
        on_arm: Combined,
        on_control: Combined,
        share: Share,
    },
}

/// The probability of the arm among the rows of arm and control.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Share {
    Constant(f64),
    /// Of two arms.
    Learned(Combined),
    /// Of the arm and of control.
    Of(Combined, Combined),
}

/// The features with the arm as a further one.
pub(crate) fn with_arm(
    features: &Features,
    column: &str,
    arms: &[String],
    codes: Vec<u32>,
) -> Result<Features> {
    features
        .clone()
        .with(column, Label::new(codes, arms.to_vec())?)
}

impl EffectModel {
    /// Effects for every row; never missing.
    pub(crate) fn predict(&self, features: &Features) -> Result<Vec<f64>> {
        let effects = match self {
            Self::Constant(effect) => vec![*effect; features.rows()],
            Self::Direct(model) => model.predict(features)?,
            Self::Difference { on_arm, on_control } => {
                difference(&on_arm.predict(features)?, &on_control.predict(features)?)
            }
            Self::Single {
                model,
                column,
                arms,
                arm,
            } => {
                let under = |arm: u32| {
                    model.predict(&with_arm(
                        features,
                        column,
                        arms,
                        vec![arm; features.rows()],
                    )?)
                };
                difference(&under(*arm)?, &under(0)?)
            }
            Self::Cross {
                on_arm,
                on_control,
                share,
            } => cross(
                &on_arm.predict(features)?,
                &on_control.predict(features)?,
                &share.predict(features)?,
            ),
        };
        match effects.iter().position(|v| !v.is_finite()) {
            None => Ok(effects),
            Some(row) => Err(Error::NotFinite {
                what: format!("the predicted effect of row {}", row + 1),
            }),
        }
    }
}

impl Share {
    fn predict(&self, features: &Features) -> Result<Vec<f64>> {
        match self {
            Self::Constant(share) => Ok(vec![*share; features.rows()]),
            Self::Learned(model) => model.predict(features),
            Self::Of(arm, control) => {
                let pairs = arm
                    .predict(features)?
                    .into_iter()
                    .zip(control.predict(features)?);
                Ok(pairs.map(|(a, c)| share_of(a, c)).collect())
            }
        }
    }
}

/// `a/(a + c)`, one half without either.
pub(crate) fn share_of(arm: f64, control: f64) -> f64 {
    if arm + control > 0.0 {
        arm / (arm + control)
    } else {
        0.5
    }
}

pub(crate) fn difference(a: &[f64], b: &[f64]) -> Vec<f64> {
    a.iter().zip(b).map(|(a, b)| a - b).collect()
}

/// `(1 − e) τ_arm + e τ_control`: each part counts where the other arm, which imputed for it, is well known.
pub(crate) fn cross(on_arm: &[f64], on_control: &[f64], share: &[f64]) -> Vec<f64> {
    (0..on_arm.len())
        .map(|i| (1.0 - share[i]) * on_arm[i] + share[i] * on_control[i])
        .collect()
}
