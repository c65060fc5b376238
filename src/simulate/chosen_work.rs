//! How customers choose their effort where it is seen beside beliefs.

use serde::{Deserialize, Serialize};

/// How customers of [`JointParticipation`](super::JointParticipation) choose their effort e: `ln(1 + e*) = max(0, ζ_0 + ζ_T tool + κ m_n − κ²v_n/2)`, which is missed by a normal error, and zero
/// below zero. It adds `θγ ψ(ln(1 + e*))`, `ψ(l) = l − 1 + e^−l`, to the choice and `γ ln(1 + e)` to the index of success.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ChosenWork {
    /// γ.
    pub returns: f64,
    /// ζ_0, ζ_T.
    pub index: [f64; 2],
    /// κ.
    pub relief: f64,
    /// The deviation of `ln(1 + e)` from the best.
    pub noise: f64,
}

impl Default for ChosenWork {
    fn default() -> Self {
        Self {
            returns: 0.5,
            index: [0.8, 0.4],
            relief: 0.4,
            noise: 0.5,
        }
    }
}
