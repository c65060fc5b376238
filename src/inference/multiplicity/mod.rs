//! Many tests at once: adjusted p-values, graphs, stepdown by resampling, Dunnett's comparisons with a control, simultaneous intervals;
//! e-values; tests that arrive one after the other.

mod adjust;
mod decisions;
mod dunnett;
mod e_value;
mod graph;
mod many_to_one;
mod max_t;
mod online;
mod stepdown;

pub use adjust::{Adjustment, adjust_p_values};
pub use decisions::{Decision, MultipleTests};
pub use dunnett::{Dunnett, DunnettFit};
pub use e_value::{Calibrator, EProcess, EValue, surprisal};
pub use graph::TestingGraph;
pub use many_to_one::ManyToOne;
pub use max_t::{MaxT, Simultaneous};
pub use online::{OnlineDecision, OnlineFdr, RunningTest};
pub use stepdown::{romano_wolf, westfall_young};

use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};

/// Against which side a hypothesis is tested.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Alternative {
    /// The effect differs from the null value: large |T|.
    #[default]
    TwoSided,
    /// The effect is larger: large T.
    Greater,
    /// The effect is smaller: small T.
    Less,
}

impl Alternative {
    /// The statistic turned so that large values speak against the null hypothesis.
    pub(crate) fn extremeness(self, statistic: f64) -> f64 {
        match self {
            Self::TwoSided => statistic.abs(),
            Self::Greater => statistic,
            Self::Less => -statistic,
        }
    }
}

/// # Errors
/// `InvalidOption` for an error rate outside (0, 1).
pub(crate) fn check_alpha(alpha: f64) -> Result<()> {
    if alpha > 0.0 && alpha < 1.0 {
        return Ok(());
    }
    Err(Error::invalid_option(
        "alpha",
        alpha,
        "between 0 and 1, e.g. 0.05",
    ))
}
