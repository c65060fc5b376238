//! CUPAC: predictions of a metric by a learner that has not seen the unit.

use crate::data::{Frame, Rows};
use crate::error::{Error, Result};
use crate::experiment::metric::Cupac;
use crate::numeric::Seed;
use crate::regression::learners::{Features, Task, TrainingSet};

/// Out-of-fold predictions of a column for every row. Rows are put in folds by a mix of their code (the row, or the cluster, so
/// that no unit is predicted from its own outcomes); rows without an outcome are predicted but not learned from.
pub(crate) fn predictions(
    cupac: &Cupac,
    outcome: &str,
    codes: Option<&[u32]>,
    frame: &Frame,
) -> Result<Vec<f64>> {
    if cupac.learner.needs_seed() && cupac.seed.is_none() {
        return Err(Error::SeedRequired {
            what: format!("the learner that predicts `{outcome}`"),
        });
    }
    let seed = cupac.seed.unwrap_or_else(|| Seed::new(0)).child("cupac");
    let features = Features::from_frame(frame, &cupac.features)?;
    let target = frame.numeric(outcome)?;
    let fold_of = |row: usize| {
        let code = codes.map_or(row as u64, |c| u64::from(c[row]));
        (crate::numeric::seed::mix(code ^ seed.value()) % cupac.folds as u64) as usize
    };
    let rows = frame.rows();
    let folds: Vec<usize> = (0..rows).map(fold_of).collect();
    let mut out = vec![f64::NAN; rows];
    for fold in 0..cupac.folds {
        let of = |want: bool| -> Vec<u32> {
            (0..rows as u32)
                .filter(|row| (folds[*row as usize] == fold) == want)
                .collect()
        };
        let mut training = of(false);
        training.retain(|row| !target.values()[*row as usize].is_nan());
        let set = TrainingSet::new(&features, target.values(), Task::Regression)
            .rows(Rows::some(rows, training))
            .named(outcome);
        let fitted = cupac
            .learner
            .fit(&set, seed.child(&format!("fold {fold}")))?;
        let held_out = of(true);
        let mut predicted = vec![0.0; held_out.len()];
        fitted.predict(
            &features,
            &Rows::some(rows, held_out.clone()),
            &mut predicted,
        )?;
        for (row, value) in held_out.iter().zip(predicted) {
            out[*row as usize] = value;
        }
    }
    Ok(out)
}
