//! Experiments on people who influence one another: effects of exposures rather than of treatments.

mod contrast;
mod mapping;
mod probabilities;
mod replay;
#[cfg(test)]
mod tests;

pub use contrast::{ConditionMean, ExposureContrast, NetworkFit};
pub use mapping::ExposureMapping;
pub(super) use replay::Replay;

use crate::data::Frame;
use crate::error::{Error, Result};
use crate::experiment::arms::{measured, note, zero_one};
use crate::inference::check_level;
use crate::numeric::Seed;
use crate::simulate::{Allocation, Network};
use contrast::Observed;
use probabilities::Probabilities;
use serde::Serialize;

/// Re-drawn assignments unless asked otherwise.
const DRAWS: usize = 10_000;

/// Fewer probabilities than this many draws can show are noise.
const FEWEST_DRAWS: usize = 100;

/// Effects of exposures on a network. What a person is exposed to, `Dᵢ = f(Z, neighbours of i)`, is a function of everybody's treatment
/// ([`ExposureMapping`]), so that its probabilities `πᵢ(d) = P(Dᵢ = d)` follow from the design and the network: exactly, by listing all assignments, when
/// they are few; otherwise from assignments drawn by the design. The mean outcome under exposure d is estimated by
///
/// - Horvitz–Thompson, `μ̂(d) = (1/n) Σ 1[Dᵢ = d] yᵢ/πᵢ(d)`, unbiased;
/// - Hájek, `Σ 1[Dᵢ = d] yᵢ/πᵢ(d) / Σ 1[Dᵢ = d]/πᵢ(d)`, nearly unbiased and less variable,
///
/// and contrasts have the conservative variance of Aronow & Samii (their equations 7–11; for Hájek with residuals in place of outcomes): it is
/// not smaller than the truth in expectation whatever the outcomes, pairs that can never be seen together included.
///
/// It must hold that outcomes depend on assignments only through the exposure. A person for whom an exposure has probability zero (nobody
/// to be influenced by) has no outcome under it: such samples are refused, and [`NetworkExperiment::restrict`] names the remedy.
///
/// | name | default | meaning | range |
/// |---|---|---|---|
/// | `allocation` | half of all, complete | the design | see [`Allocation`] |
/// | `contrast` | every exposure against the first | pairs of exposures | names of the mapping |
/// | `restrict` | off | keep those for whom all exposures compared are possible | |
/// | `draws` | 10 000 | assignments drawn when they cannot be listed | ≥ 100 |
/// | `seed` | none | required when assignments are drawn | any |
///
/// # Errors
/// [`Error::Unidentified`] when an exposure has probability zero for somebody, or nobody was exposed; [`Error::SeedRequired`];
/// [`Error::InvalidOption`] for unknown exposures, cuts that do not rise, a self-selected allocation; [`Error::LengthMismatch`] when network and frame
/// differ; [`Error::OutOfRange`] for a treatment other than 0 and 1 or a missing outcome; [`Error::Infinite`].
///
/// # References
/// Aronow, P. M. & Samii, C. (2017). Estimating average causal effects under general interference, with application to a social network
/// experiment. *Annals of Applied Statistics* 11(4), 1912–1947. doi:10.1214/16-AOAS1005
///
/// # Examples
/// ```
/// use cocreate::prelude::*;
/// use cocreate::simulate::Network;
/// let n = 10;
/// let network = Network::ring(n, 1)?;
/// let treated: Vec<f64> = (0..n).map(|i| f64::from(u8::from([0, 3, 4].contains(&i)))).collect();
/// let own = |i: usize| 1.0 + 0.5 * (i % 4) as f64;
/// let visits: Vec<f64> = (0..n).map(|i| own(i) + 2.0 * treated[i] + treated[(i + 1) % n] + treated[(i + n - 1) % n]).collect();
/// let frame = Frame::new().with("treated", treated)?.with("visits", visits)?;
/// let fit = NetworkExperiment::new("visits", "treated", ExposureMapping::AnyNeighbour)
///     .allocation(Allocation::Complete { share: 0.3 })
///     .fit(&frame, &network)?;
/// assert!(fit.exact && fit.draws == 120); // all ways to treat 3 of 10
/// println!("{fit}");
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct NetworkExperiment {
    outcome: String,
    treatment: String,
    mapping: ExposureMapping,
    allocation: Allocation,
    contrasts: Vec<(String, String)>,
    restrict: bool,
    draws: usize,
    level: f64,
    seed: Option<Seed>,
}

/// The experiment before it is known who was treated.
struct Prepared {
    names: Vec<String>,
    /// Positions of the exposures compared, and all of them.
    pairs: Vec<(usize, usize)>,
    used: Vec<usize>,
    y: std::sync::Arc<Vec<f64>>,
    members: Vec<usize>,
    probabilities: Probabilities,
}

impl Prepared {
    fn estimate(&self, exposure: &[u16]) -> Result<NetworkFit> {
        let observed = Observed {
            y: &self.y,
            exposure,
            members: &self.members,
            probabilities: &self.probabilities,
        };
        observed.estimate(&self.names, &self.used, &self.pairs)
    }
}

impl NetworkExperiment {
    /// Effects on an outcome of exposures to the treatment of a column.
    pub fn new(
        outcome: impl Into<String>,
        treatment: impl Into<String>,
        mapping: ExposureMapping,
    ) -> Self {
        Self {
            outcome: outcome.into(),
            treatment: treatment.into(),
            mapping,
            allocation: Allocation::Complete { share: 0.5 },
            contrasts: vec![],
            restrict: false,
            draws: DRAWS,
            level: 0.95,
            seed: None,
        }
    }

    /// The design.
    pub fn allocation(mut self, allocation: Allocation) -> Self {
        self.allocation = allocation;
        self
    }

    /// Adds a contrast of two exposures.
    pub fn contrast(mut self, exposed: impl Into<String>, base: impl Into<String>) -> Self {
        self.contrasts.push((exposed.into(), base.into()));
        self
    }

    /// Keeps only those for whom every exposure compared is possible. The effects are then theirs alone.
    pub fn restrict(mut self) -> Self {
        self.restrict = true;
        self
    }

    /// How many assignments are drawn when they cannot be listed.
    pub fn draws(mut self, draws: usize) -> Self {
        self.draws = draws;
        self
    }

    /// The level of intervals in the table.
    pub fn level(mut self, level: f64) -> Self {
        self.level = level;
        self
    }

    /// Sets the seed.
    pub fn seed(mut self, seed: impl Into<Seed>) -> Self {
        self.seed = Some(seed.into());
        self
    }

    /// Estimates the contrasts. Row i of the frame is person i of the network.
    ///
    /// # Errors
    /// See [`NetworkExperiment`].
    pub fn fit(&self, frame: &Frame, network: &Network) -> Result<NetworkFit> {
        check_level(self.level)?;
        let prepared = self.prepared(frame, network)?;
        let treated = zero_one(frame, &self.treatment)?;
        complete(&self.treatment, &treated)?;
        let treated: Vec<bool> = treated.iter().map(|t| *t > 0.5).collect();
        let exposure = self.mapping.exposures(&treated, network);
        let mut fit = prepared.estimate(&exposure)?;
        let impossible = frame.rows() - prepared.members.len();
        fit.level = self.level;
        fit.excluded = impossible;
        fit.design = format!("{:?}", self.allocation);
        if impossible > 0 {
            fit.warnings.push(note(format!(
                "{impossible} people for whom an exposure is impossible left out: effects are those of the other {}",
                prepared.members.len()
            )));
        }
        fit.warn();
        Ok(fit)
    }

    /// All that does not depend on who was treated.
    fn prepared(&self, frame: &Frame, network: &Network) -> Result<Prepared> {
        let names = self.mapping.names()?;
        let pairs = self.pairs(&names)?;
        let n = frame.rows();
        if network.neighbours().len() != n {
            return Err(Error::LengthMismatch {
                column: "the network".to_owned(),
                expected: n,
                found: network.neighbours().len(),
            });
        }
        let y = measured(frame, &self.outcome)?;
        complete(&self.outcome, &y)?;
        let mut used: Vec<usize> = pairs.iter().flat_map(|(a, b)| [*a, *b]).collect();
        used.sort_unstable();
        used.dedup();
        let probabilities = Probabilities::new(self, frame, network, &used)?;
        let possible: Vec<bool> = (0..n)
            .map(|i| used.iter().all(|d| probabilities.of(i, *d) > 0.0))
            .collect();
        let impossible = possible.iter().filter(|p| !**p).count();
        if impossible > 0 && !self.restrict || impossible == n {
            let never = if probabilities.exact {
                "have probability zero".to_owned()
            } else {
                format!("never occurred in {} draws", probabilities.draws)
            };
            return Err(Error::Unidentified {
                what: format!(
                    "a mean outcome under exposures that {never} for {impossible} of {n} people"
                ),
                needs: "a mapping or design under which everybody can have them, more draws, or `.restrict()` to those who can".to_owned(),
            });
        }
        Ok(Prepared {
            names,
            pairs,
            used,
            y,
            members: (0..n).filter(|i| possible[*i]).collect(),
            probabilities,
        })
    }

    /// Positions of the exposures compared.
    fn pairs(&self, names: &[String]) -> Result<Vec<(usize, usize)>> {
        if self.contrasts.is_empty() {
            return Ok((1..names.len()).map(|d| (d, 0)).collect());
        }
        let find = |name: &String| {
            let at = names.iter().position(|n| n == name);
            at.ok_or_else(|| crate::experiment::arms::unknown_arm("contrast", name, names))
        };
        self.contrasts
            .iter()
            .map(|(exposed, base)| {
                let pair = (find(exposed)?, find(base)?);
                if pair.0 == pair.1 {
                    return Err(Error::invalid_option(
                        "contrast",
                        exposed,
                        "of two different exposures",
                    ));
                }
                Ok(pair)
            })
            .collect()
    }
}

/// A column without missing values: nobody can leave a network after the assignment.
fn complete(column: &str, values: &[f64]) -> Result<()> {
    match values.iter().position(|v| v.is_nan()) {
        None => Ok(()),
        Some(row) => Err(Error::OutOfRange {
            column: column.to_owned(),
            row: row + 1,
            value: f64::NAN,
            expected: "known for everybody in the network".to_owned(),
        }),
    }
}
