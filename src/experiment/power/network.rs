//! Power of an experiment on people who influence one another.

use super::planner::{Planner, Setting, Shape};
use super::rejection::{Claim, Tested, planned, tested};
use crate::data::Frame;
use crate::error::Result;
use crate::experiment::network::{NetworkExperiment, Replay};
use crate::inference::Alternative;
use crate::numeric::special::normal;
use crate::simulate::Network;

/// Power of a contrast of exposures on a network ([`NetworkExperiment`]), by carrying the experiment out under the assignments of its design.
///
/// The outcome column is what people do without the treatment: a past period. Under every assignment Hájek's contrast D and its conservative
/// standard error are worked out; an effect δ on everybody exposed moves the contrast by δ and leaves its error, so that the share of assignments with
/// `|δ + D| > z · se` is the power. What the network, the mapping, the design and the caution of the variance cost is all in it; that effects are equal is assumed.
///
/// The size counts people. That of the network itself is simulated; others mean so many such networks, whose contrast is taken to be spread as one's, scaled by
/// `√(people/size)`. Assignments are all those of the design where they can be listed, else the first 1000 that the experiment draws.
///
/// ```
/// use cocreate::prelude::*;
/// use cocreate::simulate::Network;
/// let n = 60;
/// let network = Network::ring(n, 1)?;
/// let past: Vec<f64> = (0..n).map(|i| f64::from((i * 37 % 23) as u8)).collect();
/// let frame = Frame::new().with("visits", past)?;
/// let design = NetworkExperiment::new("visits", "invited", ExposureMapping::AnyNeighbour)
///     .allocation(Allocation::Complete { share: 0.3 })
///     .contrast("neighbour treated", "not exposed")
///     .draws(1000)
///     .seed(7);
/// let planner = NetworkPower::new(&design, &frame, &network)?;
/// assert!(planner.clone().effect(0.0).power(60.0)?.power < 0.15); // 60 people are few: z tests reject too often
/// assert!(planner.clone().effect(20.0).power(60.0)?.power > 0.9);
/// let found = planner.mde(60.0, 0.8)?.effect;
/// assert!(found > 3.0 && found < 20.0);
/// # Ok::<(), cocreate::Error>(())
/// ```
///
/// # Errors
/// Those of [`NetworkExperiment`]; [`Error::InvalidOption`](crate::Error::InvalidOption) unless there is one contrast; those of the verbs of [`Planner`].
///
/// # References
/// Aronow & Samii (2017), doi:10.1214/16-AOAS1005.
#[derive(Clone, Debug, PartialEq)]
pub struct NetworkPower {
    replay: Replay,
    tested: Tested,
}

tested!(NetworkPower);

impl NetworkPower {
    /// Power of an experiment on this network, with these outcomes in the absence of an effect. The treatment column need not exist.
    ///
    /// # Errors
    /// See [`NetworkPower`].
    pub fn new(design: &NetworkExperiment, frame: &Frame, network: &Network) -> Result<Self> {
        Ok(Self {
            replay: design.replay(frame, network)?,
            tested: Tested::default(),
        })
    }
}

impl Planner for NetworkPower {
    planned!();

    fn check(&self) -> Result<()> {
        self.tested.check()
    }

    fn setting(&self) -> Setting {
        let replays = self.replay.estimates.len();
        let silent = self
            .replay
            .estimates
            .iter()
            .filter(|e| e.0.is_none())
            .count();
        let mut setting = Setting::new(
            format!("{}, Hájek, replayed assignments", self.replay.name),
            "people",
            "Effect of the exposure",
            2.0,
        )
        .assume("People in the network", self.replay.people)
        .assume(
            if self.replay.exact {
                "Assignments, all"
            } else {
                "Assignments drawn"
            },
            replays,
        )
        .assume("Effects", "the same for everybody exposed");
        if silent > 0 {
            setting = setting.assume("Assignments without an estimate (no rejection)", silent);
        }
        setting.shape = Shape::Simulated {
            replications: replays,
        };
        self.tested.place(setting)
    }

    fn power_at(&self, size: f64, effect: f64) -> Result<f64> {
        let copies = (size / self.replay.people as f64).sqrt();
        let alpha = self.tested.alpha;
        let (one, two) = (
            normal::upper_quantile(alpha),
            normal::upper_quantile(0.5 * alpha),
        );
        let rejects = |z: f64| match self.tested.claim {
            Claim::Difference(Alternative::Greater) => z > one,
            Claim::Difference(Alternative::Less) => z < -one,
            _ => z.abs() > two,
        };
        let found = (self.replay.estimates.iter())
            .filter(|(contrast, _)| {
                contrast.is_some_and(|(gap, error)| rejects((effect * copies + gap) / error))
            })
            .map(|(_, weight)| weight)
            .sum();
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::ExposureMapping;
    use crate::simulate::Allocation;

    #[test]
    fn the_power_is_the_share_of_assignments_that_find_the_effect() {
        // All 220 assignments of a ring of twelve, each carried out by hand with an effect on those with a treated neighbour.
        let n = 12;
        let network = Network::ring(n, 1).unwrap();
        let past: Vec<f64> = (0..n).map(|i| (i * 7 % 5) as f64).collect();
        let design = NetworkExperiment::new("y", "z", ExposureMapping::AnyNeighbour)
            .allocation(Allocation::Complete { share: 0.25 })
            .contrast("neighbour treated", "not exposed");
        let frame = Frame::new().with("y", past.clone()).unwrap();
        let planner = NetworkPower::new(&design, &frame, &network).unwrap();
        for effect in [0.0, 1.5, -3.0] {
            let (mut found, mut all) = (0.0, 0.0);
            for set in (0..1_u32 << n).filter(|set| set.count_ones() == 3) {
                let treated = |i: usize| set >> i & 1 == 1;
                let y: Vec<f64> = (0..n)
                    .map(|i| {
                        let near = treated((i + 1) % n) || treated((i + n - 1) % n);
                        past[i] + if near && !treated(i) { effect } else { 0.0 }
                    })
                    .collect();
                let z: Vec<f64> = (0..n).map(|i| f64::from(u8::from(treated(i)))).collect();
                let seen = Frame::new().with("y", y).unwrap().with("z", z).unwrap();
                all += 1.0;
                if let Ok(fit) = design.fit(&seen, &network) {
                    found += f64::from(u8::from(fit.contrasts[0].hajek.p_value() < 0.05));
                }
            }
            let power = planner.clone().effect(effect).power(12.0).unwrap();
            assert!(
                (power.power - found / all).abs() < 1e-12,
                "{effect}: {power}"
            );
        }
        // Four such networks are as good as an effect of twice the size.
        let four = planner.clone().effect(1.5).power(48.0).unwrap().power;
        let twice = planner.clone().effect(3.0).power(12.0).unwrap().power;
        assert!((four - twice).abs() < 1e-12);
        let many = NetworkExperiment::new("y", "z", ExposureMapping::AnyNeighbour)
            .allocation(Allocation::Complete { share: 0.25 });
        assert!(NetworkPower::new(&many, &frame, &network).is_err());
    }
}
