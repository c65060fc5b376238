//! Tasks with data that nobody randomised: a discontinuity, matching, a roll-out.

use super::{Failure, Once};
use cocreate::prelude::*;
use serde_json::{Map, Value, json};

fn numbers<const N: usize>(pairs: [(&str, f64); N]) -> Map<String, Value> {
    Map::from_iter(pairs.map(|(name, value)| (name.to_owned(), json!(value))))
}

/// What a task does once.
pub fn task(task: &str, file: &str) -> Result<Once, Failure> {
    let frame = Frame::read_csv(file)?;
    Ok(match task {
        "discontinuity" => Box::new(move || {
            let fit = RegressionDiscontinuity::new("y", "x", 0.0).fit(&frame)?;
            let (bandwidths, robust) = (fit.bandwidths(), fit.robust());
            Ok(numbers([
                ("h", bandwidths.estimate[0]),
                ("b", bandwidths.bias[0]),
                ("conventional", fit.conventional().estimate),
                ("corrected", robust.estimate),
                ("error", robust.std_error),
            ]))
        }),
        "matching" => {
            let terms: Vec<String> = (1..=10).map(|j| format!("x{j}")).collect();
            let model = Matching::new("y", "w", &terms.join(" + "));
            Box::new(move || {
                let effect = model.fit(&frame)?.coefficient("1")?;
                Ok(numbers([
                    ("effect", effect.estimate),
                    ("error", effect.std_error),
                ]))
            })
        }
        _ => {
            let model = CallawaySantAnna::new("y", "start", "unit", "period")
                .starts()
                .covariates("x");
            Box::new(move || {
                let fit = model.fit(&frame)?;
                let effects = fit.group_time();
                let names: Vec<&str> = effects.names().iter().map(String::as_str).collect();
                MultiplierBootstrap::new()
                    .draws(999)
                    .seed(1)
                    .run(effects, &names, 0.95)?;
                let simple = fit.simple()?.coefficients()[0].estimate;
                Ok(numbers([
                    ("simple", simple),
                    ("effects", names.len() as f64),
                ]))
            })
        }
    })
}
