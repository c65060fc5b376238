//! Whether the data at hand can tell frailty from effects that differ by stage.

use super::frailty::Funnels;
use crate::error::{Error, Result, Warning};
use crate::participation::identification::{Evidence, FunnelEvidence, funnel_frailty};
use crate::regression::likelihood::Index;

/// Refuses a frailty that nothing identifies, and warns of one that only functional form identifies.
///
/// With one funnel a customer the data are the conditional rates of each stage in each cell of the regressors: when a model without
/// frailty has a parameter for each of them, frailty adds one too many. With a regressor in common to the stages, or left out of some
/// stage, fewer parameters than rates remain.
pub(super) fn check(
    funnels: &Funnels,
    indices: &[Index],
    repeated: bool,
) -> Result<Option<Warning>> {
    if repeated {
        return Ok(None);
    }
    let parameters = funnels.parameters + 1;
    let rates = rates(funnels);
    let restricted =
        !funnels.common.is_empty() || !same_regressors(&indices[..funnels.stages.len()]);
    let found = funnel_frailty(&Evidence {
        funnel: if restricted {
            FunnelEvidence::Restricted {
                stages: funnels.stages.len(),
            }
        } else {
            FunnelEvidence::StageSpecific {
                stages: funnels.stages.len(),
            }
        },
        ..Evidence::default()
    });
    let needs = "a cross-stage restriction (slopes in common: Funnel::common; or a regressor that moves one stage and not a later one), or repeated funnels of the same customers (Funnel::subject)";
    if parameters > rates {
        return Err(Error::Unidentified {
            what: format!(
                "the frailty of a funnel with {parameters} parameters for {rates} conditional rates"
            ),
            needs: needs.to_owned(),
        });
    }
    // Regressors with many values: only the shape of F speaks, which is said and not refused.
    Ok(found.err().map(|_| Warning::Note {
        message: format!(
            "every regressor has an effect of its own at each stage: the frailty is identified by functional form alone; it wants {needs}"
        ),
    }))
}

/// Whether every stage has the same regressors.
fn same_regressors(stages: &[Index]) -> bool {
    let sets: Vec<Vec<&str>> = stages
        .iter()
        .map(|index| {
            let mut names: Vec<&str> = index.regressors().collect();
            names.sort_unstable();
            names
        })
        .collect();
    sets.windows(2).all(|w| w[0] == w[1])
}

/// Distinct pairs of a stage and the values of all regressors among those who reached it, counted as far as parameters could.
fn rates(funnels: &Funnels) -> usize {
    let rows = funnels.stages.first().map_or(0, |s| s.passed.len());
    let columns: Vec<&Vec<f64>> = funnels
        .stages
        .iter()
        .flat_map(|s| &s.columns)
        .chain(&funnels.common)
        .collect();
    let enough = funnels.parameters + 1;
    let mut total = 0;
    for stage in &funnels.stages {
        let mut cells: Vec<Vec<u64>> = Vec::new();
        for row in (0..rows).filter(|r| stage.reached[*r]) {
            let cell: Vec<u64> = columns.iter().map(|c| c[row].to_bits()).collect();
            if let Err(at) = cells.binary_search(&cell) {
                cells.insert(at, cell);
            }
            if cells.len() > enough {
                break;
            }
        }
        total += cells.len();
    }
    total
}
