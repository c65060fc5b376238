//! An experiment on a network carried out again and again, without an effect: how its estimates and their errors vary.

use super::NetworkExperiment;
use crate::data::Frame;
use crate::error::{Error, Result};
use crate::numeric::blocks;
use crate::simulate::Network;

/// Assignments carried out where not all are listed: a simulation error of the power of at most 1.6 percentage points.
const REPLAYS: usize = 1000;

/// What Hájek's contrast would have been under the assignments of the design, had nobody an effect.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::experiment) struct Replay {
    /// The contrast.
    pub(in crate::experiment) name: String,
    /// People whose effects it is about.
    pub(in crate::experiment) people: usize,
    /// Whether all assignments were carried out.
    pub(in crate::experiment) exact: bool,
    /// Contrast, standard error and probability of each assignment; no contrast where nobody had an exposure.
    pub(in crate::experiment) estimates: Vec<(Option<(f64, f64)>, f64)>,
}

impl NetworkExperiment {
    /// Carries the experiment out under the assignments of its design, with the outcomes as they stand.
    pub(in crate::experiment) fn replay(&self, frame: &Frame, network: &Network) -> Result<Replay> {
        let mut prepared = self.prepared(frame, network)?;
        let [(exposed, base)] = prepared.pairs[..] else {
            return Err(Error::invalid_option(
                "contrast",
                format!("{} contrasts", prepared.pairs.len()),
                "one, named by `.contrast(exposed, base)`: each has a power of its own",
            ));
        };
        prepared.probabilities.remember_pairs();
        let all = prepared.probabilities.draws;
        let replays = if prepared.probabilities.exact {
            all
        } else {
            all.min(REPLAYS)
        };
        let estimates = blocks::map(replays, |draw| {
            let exposure: Vec<u16> = (0..frame.rows())
                .map(|person| prepared.probabilities.exposure(person, draw))
                .collect();
            let contrast = match prepared.estimate(&exposure) {
                Ok(fit) => fit
                    .contrasts
                    .first()
                    .map(|c| (c.hajek.estimate, c.hajek.std_error)),
                Err(_) => None,
            };
            let weight = if prepared.probabilities.exact {
                prepared.probabilities.weight(draw)
            } else {
                1.0 / replays as f64
            };
            (contrast, weight)
        });
        Ok(Replay {
            name: format!("{} − {}", prepared.names[exposed], prepared.names[base]),
            people: prepared.members.len(),
            exact: prepared.probabilities.exact,
            estimates,
        })
    }
}
