//! How the forecast of the posterior mean moves with the variance of the prior.

use super::belief::{Belief, Signals};

/// How the forecast moves with the prior variance.
pub(super) struct Moves {
    /// ∂v'/∂v = (1 − K)².
    pub posterior: f64,
    /// ∂√(v − v')/∂v = (1 − K/2) √(n/(nv + σ_s²)).
    pub deviation: f64,
}

impl Moves {
    #[inline]
    pub fn of(belief: Belief, signals: Signals) -> Self {
        let gain = belief.gain(signals);
        let count = f64::from(signals.count());
        let total = count * belief.variance() + signals.variance();
        Self {
            posterior: (1.0 - gain) * (1.0 - gain),
            deviation: if count > 0.0 && total > 0.0 {
                (1.0 - 0.5 * gain) * (count / total).sqrt()
            } else {
                0.0
            },
        }
    }
}
