//! From everybody's treatment to what each person is exposed to.

use crate::error::{Error, Result};
use crate::simulate::Network;
use serde::{Deserialize, Serialize};

/// How treatments of oneself and of neighbours make an exposure. Exposures are numbered with one's own treatment first: those of the untreated, from
/// little to much, then those of the treated.
///
/// ```
/// use cocreate::prelude::*;
/// let names = ExposureMapping::AnyNeighbour.names()?;
/// assert_eq!(names, ["not exposed", "neighbour treated", "treated alone", "treated, neighbour treated"]);
/// let names = ExposureMapping::Share { cuts: vec![0.5] }.names()?;
/// assert_eq!(names[1], "untreated, share ≥ 0.5");
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum ExposureMapping {
    /// One's own treatment alone: no interference.
    Own,
    /// One's own treatment, and whether any neighbour is treated (Aronow & Samii's direct and indirect exposure).
    AnyNeighbour,
    /// One's own treatment, and the number of treated neighbours cut at these values: below the first, from the first to below the second, …
    Count {
        /// Rising whole numbers from 1.
        cuts: Vec<usize>,
    },
    /// One's own treatment, and the share of neighbours that is treated, cut at these values; zero for those without neighbours.
    Share {
        /// Rising numbers above 0 and at most 1.
        cuts: Vec<f64>,
    },
}

impl ExposureMapping {
    /// The names of the exposures.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for cuts that are empty, out of range or do not rise.
    pub fn names(&self) -> Result<Vec<String>> {
        let owned = |names: [&str; 4]| names.map(str::to_owned).to_vec();
        match self {
            Self::Own => Ok(vec!["untreated".to_owned(), "treated".to_owned()]),
            Self::AnyNeighbour => Ok(owned([
                "not exposed",
                "neighbour treated",
                "treated alone",
                "treated, neighbour treated",
            ])),
            Self::Count { cuts } => {
                let rising = cuts.windows(2).all(|w| w[0] < w[1]);
                if cuts.is_empty() || cuts[0] == 0 || !rising {
                    return Err(Error::invalid_option(
                        "cuts",
                        format!("{cuts:?}"),
                        "rising whole numbers from 1",
                    ));
                }
                Ok(binned("count", cuts))
            }
            Self::Share { cuts } => {
                let rising = cuts.windows(2).all(|w| w[0] < w[1]);
                if cuts.is_empty() || !rising || !cuts.iter().all(|c| *c > 0.0 && *c <= 1.0) {
                    return Err(Error::invalid_option(
                        "cuts",
                        format!("{cuts:?}"),
                        "rising numbers above 0 and at most 1",
                    ));
                }
                Ok(binned("share", cuts))
            }
        }
    }

    /// The exposure of everybody under an assignment.
    pub(super) fn exposures(&self, treated: &[bool], network: &Network) -> Vec<u16> {
        let neighbours = network.neighbours();
        (0..treated.len())
            .map(|i| {
                let list = &neighbours[i];
                let count = list.iter().filter(|j| treated[**j as usize]).count();
                let (bins, bin) = match self {
                    Self::Own => (1, 0),
                    Self::AnyNeighbour => (2, usize::from(count > 0)),
                    Self::Count { cuts } => {
                        (cuts.len() + 1, cuts.iter().filter(|c| count >= **c).count())
                    }
                    Self::Share { cuts } => {
                        /// A share of two whole numbers may fall short of its cut by rounding.
                        const SLACK: f64 = 1e-12;
                        let share = count as f64 / list.len().max(1) as f64 + SLACK;
                        (cuts.len() + 1, cuts.iter().filter(|c| share >= **c).count())
                    }
                };
                (usize::from(treated[i]) * bins + bin) as u16
            })
            .collect()
    }
}

/// Names of bins for the untreated and the treated.
fn binned<T: std::fmt::Display>(what: &str, cuts: &[T]) -> Vec<String> {
    ["untreated", "treated"]
        .iter()
        .flat_map(|own| {
            let first = format!("{own}, {what} < {}", cuts[0]);
            let others = cuts.iter().map(move |c| format!("{own}, {what} ≥ {c}"));
            std::iter::once(first).chain(others)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exposures_count_neighbours() {
        let line = Network::from_ties(5, &[(0, 1), (1, 2), (2, 3), (1, 0)]).unwrap();
        let treated = [true, false, true, false, false];
        let of = |mapping: ExposureMapping| mapping.exposures(&treated, &line);
        assert_eq!(of(ExposureMapping::Own), [1, 0, 1, 0, 0]);
        assert_eq!(of(ExposureMapping::AnyNeighbour), [2, 1, 2, 1, 0]);
        assert_eq!(
            of(ExposureMapping::Count { cuts: vec![1, 2] }),
            [3, 2, 3, 1, 0]
        );
        assert_eq!(
            of(ExposureMapping::Share { cuts: vec![1.0] }),
            [2, 1, 2, 1, 0]
        );
        assert!(ExposureMapping::Count { cuts: vec![2, 1] }.names().is_err());
        assert!(ExposureMapping::Share { cuts: vec![0.0] }.names().is_err());
        assert!(
            Network::from_ties(3, &[(1, 1)]).is_err() && Network::from_ties(3, &[(0, 3)]).is_err()
        );
    }
}
