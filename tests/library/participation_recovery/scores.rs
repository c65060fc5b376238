//! Regressions on a score that measures ability with error: y = 1 + 0.8 a − 0.5 x + e with a = 0.5 x + 0.9 ζ.

use super::{Draws, Model, ROWS, Sample, all, frame, one, truth};
use cocreate::prelude::*;

/// Where the quadratic extrapolation of SIMEX goes as samples grow: 0.8·0.81/(0.81 + 0.4(1 + ζ)), the slope with 1 + ζ times the error
/// variance, fitted by a parabola over ζ = 0, ½, 1, 1½ and 2, has this value at −1 and not 0.8. The slope of x takes half of what is left.
const SIMEX_LIMIT: f64 = 0.720_039_757_2;

pub(super) fn models() -> Vec<Model> {
    vec![
        Model::new("regression_calibration", linear, |f| {
            all(&RegressionCalibration::new("y ~ s + x", measured()).fit(f)?)
        }),
        Model::new("plausible_regression", linear, |f| {
            all(&PlausibleRegression::new("y ~ s + x", measured())
                .seed(7)
                .fit(f)?)
        }),
        Model::new("joint_score", linear, |f| {
            all(&JointScore::new("y ~ s + x", measured()).fit(f)?)
        }),
        Model::new(
            "joint_score_probit",
            |s| scored(s, true),
            |f| {
                all(&JointScore::new("y ~ s + x", measured())
                    .outcome(OutcomeModel::Probit)
                    .fit(f)?)
            },
        ),
        Model::new("simex", simex, |f| {
            all(&Simex::new("y ~ s + x", measured()).seed(7).fit(f)?)
        }),
        Model::new("joint_ability", answered, |f| {
            let items = rasch().fit(f)?;
            all(&JointAbility::new("y ~ skill + x", "skill", &items).fit(f)?)
        })
        .slow(),
        Model::new("plausible_values", answered, |f| {
            let values = rasch()
                .regressors("x + y")
                .fit(f)?
                .plausible_values(20, 7)?;
            all(&values.pool(f, "skill", |f| Ols::new("y ~ skill + x").fit(f))?)
        })
        .slow(),
    ]
}

fn measured() -> Measured {
    Measured::with_std_errors("s", "s_se")
}

fn linear(seed: Seed) -> Sample {
    scored(seed, false)
}

fn simex(seed: Seed) -> Sample {
    let (frame, _) = linear(seed);
    let limits = [("s", SIMEX_LIMIT), ("x", -0.5 + 0.5 * (0.8 - SIMEX_LIMIT))];
    (frame, truth(&limits))
}

/// Scores with errors of standard deviation 0.4 and 0.8 in turn.
fn scored(seed: Seed, binary: bool) -> Sample {
    let mut d = Draws::new(seed);
    let (x, own, u, e) = (
        d.normals(ROWS),
        d.normals(ROWS),
        d.normals(ROWS),
        d.normals(ROWS),
    );
    let se: Vec<f64> = (0..ROWS).map(|i| 0.4 + 0.4 * (i % 2) as f64).collect();
    let a: Vec<f64> = (0..ROWS).map(|i| 0.5 * x[i] + 0.9 * own[i]).collect();
    let s = (0..ROWS).map(|i| a[i] + se[i] * u[i]).collect();
    let constant = if binary { 0.2 } else { 1.0 };
    let y = (0..ROWS)
        .map(|i| {
            let y = constant + 0.8 * a[i] - 0.5 * x[i] + e[i];
            if binary { one(y > 0.0) } else { y }
        })
        .collect();
    let truth = truth(&[("(Intercept)", constant), ("s", 0.8), ("x", -0.5)]);
    (
        frame(vec![("x", x), ("s", s), ("s_se", se), ("y", y)]),
        truth,
    )
}

/// Rasch items of discrimination one, the first of difficulty zero: the anchor gives ability its true scale, so that slopes need no
/// rescaling, and the item parameters taken as known are differences of difficulty alone, which slopes hardly feel.
fn rasch() -> ItemResponse {
    ItemResponse::new((0..10).map(|k| format!("q{k}")))
        .rasch()
        .anchor("q0")
}

fn answered(seed: Seed) -> Sample {
    let mut d = Draws::new(seed);
    let (x, own, e) = (d.normals(ROWS), d.normals(ROWS), d.normals(ROWS));
    let a: Vec<f64> = (0..ROWS).map(|i| 0.5 * x[i] + 0.9 * own[i]).collect();
    let y = (0..ROWS)
        .map(|i| 1.0 + 0.8 * a[i] - 0.5 * x[i] + e[i])
        .collect();
    let mut columns = vec![];
    for k in 0..10 {
        let difficulty = if k == 0 {
            0.0
        } else {
            -1.5 + 0.33 * f64::from(k)
        };
        let u = d.uniforms(ROWS);
        let answers = (0..ROWS)
            .map(|i| one(u[i] < 1.0 / (1.0 + (difficulty - a[i]).exp())))
            .collect();
        columns.push((format!("q{k}"), answers));
    }
    columns.push(("x".to_owned(), x));
    columns.push(("y".to_owned(), y));
    let truth = truth(&[("skill", 0.8), ("x", -0.5)]);
    (frame(columns), truth)
}
