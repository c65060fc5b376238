//! Item response models: ten items, five where an item has several answers.

use super::{Draws, Model, ROWS, Sample, all, frame, one};
use cocreate::prelude::*;

const ITEMS: usize = 10;
const GRADED_ITEMS: usize = 5;

pub(super) fn models() -> Vec<Model> {
    vec![
        Model::new(
            "rasch",
            |s| right_or_wrong(s, Kind::Rasch),
            |f| all(&ItemResponse::new(items(ITEMS)).rasch().fit(f)?),
        )
        .slow(),
        Model::new(
            "two_parameter",
            |s| right_or_wrong(s, Kind::Two),
            |f| all(&ItemResponse::new(items(ITEMS)).fit(f)?),
        )
        .slow(),
        Model::new(
            "graded",
            |s| several(s, false),
            |f| all(&ItemResponse::new(items(GRADED_ITEMS)).graded().fit(f)?),
        )
        .slow(),
        Model::new(
            "generalized_partial_credit",
            |s| several(s, true),
            |f| {
                let model = ItemResponse::new(items(GRADED_ITEMS)).generalized_partial_credit();
                all(&model.fit(f)?)
            },
        )
        .slow(),
        Model::new(
            "ability_regressors",
            |s| right_or_wrong(s, Kind::Regressors),
            |f| all(&ItemResponse::new(items(ITEMS)).regressors("x + z").fit(f)?),
        )
        .slow(),
        Model::new(
            "difficulty_regressors",
            |s| right_or_wrong(s, Kind::Features),
            |f| {
                let model = ItemResponse::new(items(ITEMS)).rasch();
                all(&model
                    .difficulty_regressors("steps + tool", &features())
                    .fit(f)?)
            },
        )
        .slow(),
    ]
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Rasch,
    Two,
    Regressors,
    Features,
}

fn items(count: usize) -> Vec<String> {
    (1..=count).map(|k| format!("i{k}")).collect()
}

/// Steps that each item asks for, and whether a tool helps.
fn features() -> Frame {
    let steps = (0..ITEMS).map(|k| (k % 4) as f64).collect();
    let tool = (0..ITEMS).map(|k| one(k % 3 == 0)).collect();
    let frame = frame(vec![("steps", steps), ("tool", tool)]);
    frame.with("item", items(ITEMS)).unwrap()
}

fn right_or_wrong(seed: Seed, kind: Kind) -> Sample {
    let mut d = Draws::new(seed);
    let (x, z, own) = (d.normals(ROWS), d.coins(ROWS), d.normals(ROWS));
    let ability: Vec<f64> = if kind == Kind::Regressors {
        (0..ROWS)
            .map(|i| 0.5 * x[i] - 0.4 * z[i] + own[i])
            .collect()
    } else {
        own
    };
    let mut columns: Vec<(String, Vec<f64>)> = vec![];
    let mut truth: Vec<(String, f64)> = vec![];
    match kind {
        Kind::Rasch => truth.push(("discrimination".to_owned(), 1.3)),
        Kind::Features => truth.extend(
            [
                ("discrimination", 1.3),
                ("difficulty.(Intercept)", -0.8),
                ("difficulty.steps", 0.6),
                ("difficulty.tool", -0.5),
            ]
            .map(|(name, value)| (name.to_owned(), value)),
        ),
        Kind::Regressors => {
            truth.extend([
                ("ability.x".to_owned(), 0.5),
                ("ability.z".to_owned(), -0.4),
            ]);
        }
        Kind::Two => {}
    }
    let features = features();
    let (steps, tool) = (
        features.real("steps").unwrap(),
        features.real("tool").unwrap(),
    );
    for (k, name) in items(ITEMS).into_iter().enumerate() {
        let (mut slope, mut difficulty) = (1.3, -1.5 + 3.0 * k as f64 / (ITEMS - 1) as f64);
        match kind {
            Kind::Rasch => truth.push((format!("difficulty[{name}]"), difficulty)),
            Kind::Features => difficulty = -0.8 + 0.6 * steps[k] - 0.5 * tool[k],
            Kind::Two | Kind::Regressors => {
                slope = 0.8 + 1.2 * ((3 * k) % ITEMS) as f64 / (ITEMS - 1) as f64;
                truth.push((format!("discrimination[{name}]"), slope));
                truth.push((format!("difficulty[{name}]"), difficulty));
            }
        }
        let u = d.uniforms(ROWS);
        let answers = (0..ROWS)
            .map(|i| one(u[i] < 1.0 / (1.0 + (-slope * (ability[i] - difficulty)).exp())))
            .collect();
        columns.push((name, answers));
    }
    columns.push(("x".to_owned(), x));
    columns.push(("z".to_owned(), z));
    (frame(columns), truth)
}

/// Four ordered answers (graded response), or three (partial credit).
fn several(seed: Seed, partial: bool) -> Sample {
    let mut d = Draws::new(seed);
    let ability = d.normals(ROWS);
    let (mut columns, mut truth) = (vec![], vec![]);
    for (k, name) in items(GRADED_ITEMS).into_iter().enumerate() {
        let slope = 0.9 + 0.25 * k as f64;
        let middle = -0.6 + 0.3 * k as f64;
        let cuts = if partial {
            vec![middle - 0.5, middle + 0.6]
        } else {
            vec![middle - 1.0, middle, middle + 0.9]
        };
        let u = d.uniforms(ROWS);
        let answer = |i: usize| -> f64 {
            let at = |b: &f64| slope * (ability[i] - b);
            // P(y ≥ m) by category.
            let beyond: Vec<f64> = if partial {
                let mut ln = vec![0.0];
                for b in &cuts {
                    ln.push(ln[ln.len() - 1] + at(b));
                }
                let total: f64 = ln.iter().map(|v| v.exp()).sum();
                (1..ln.len())
                    .map(|m| ln[m..].iter().map(|v| v.exp()).sum::<f64>() / total)
                    .collect()
            } else {
                cuts.iter().map(|b| 1.0 / (1.0 + (-at(b)).exp())).collect()
            };
            beyond.iter().filter(|p| u[i] < **p).count() as f64
        };
        columns.push((name.clone(), (0..ROWS).map(answer).collect()));
        truth.push((format!("discrimination[{name}]"), slope));
        let kind = if partial { "step" } else { "threshold" };
        for (m, b) in cuts.iter().enumerate() {
            truth.push((format!("{kind}{}[{name}]", m + 1), *b));
        }
    }
    (frame(columns), truth)
}
