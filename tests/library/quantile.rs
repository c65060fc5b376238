//! Quantile regression: against quantreg, by brute force, in simulations with known truth, and by what must hold for any data.

use crate::support::{agree, agree_covariance, data, fixture, names, numbers, pick};
use cocreate::numeric::blocks;
use cocreate::prelude::*;
use rand::rngs::ChaCha8Rng;
use rand_distr::{Distribution as _, StandardNormal};

#[test]
fn estimates_and_covariances_are_those_of_quantreg() {
    let reference = fixture("quantile");
    for (name, case) in reference["values"]["fits"].as_object().unwrap() {
        let frame = data(case["data"].as_str().unwrap());
        let mut model =
            Quantile::new(case["formula"].as_str().unwrap()).tau(case["tau"].as_f64().unwrap());
        if let Some(weight) = case["weight"].as_str().filter(|w| !w.is_empty()) {
            model = model.weights(weight);
        }
        let fit = model.fit(&frame).unwrap();
        let (objective, theirs) = (
            fit.statistics().objective,
            case["objective"].as_f64().unwrap(),
        );
        // ours is no worse; where solutions are many, it need not be the same
        assert!(
            objective <= theirs * (1.0 + 1e-12),
            "{name}: {objective} {theirs}"
        );
        assert!((objective / theirs - 1.0).abs() < 1e-10, "{name}");
        let r1 = 1.0 - theirs / case["null_objective"].as_f64().unwrap();
        assert!((fit.statistics().r1.unwrap() - r1).abs() < 1e-9, "{name}");
        let (at, estimates) = pick(&fit, &names(case));
        agree(name, &estimates, &numbers(&case["estimates"]), 1e-8);
        let kinds = [
            ("iid", QuantileCovariance::Iid),
            ("nid", QuantileCovariance::HendricksKoenker),
            ("ker", QuantileCovariance::Powell),
        ];
        for (kind, ours) in kinds {
            let fit = fit.with_covariance(ours).unwrap();
            agree_covariance(
                &format!("{name}, {kind}"),
                &fit,
                &at,
                &case["covariance"][kind],
                1e-6,
            );
        }
        if let Some(group) = case["group"].as_str().filter(|g| !g.is_empty()) {
            let fit = fit
                .with_covariance(QuantileCovariance::cluster(group))
                .unwrap();
            agree_covariance(
                &format!("{name}, cluster"),
                &fit,
                &at,
                &case["covariance"]["cluster"],
                1e-6,
            );
        }
    }
}

#[test]
fn the_test_of_equal_slopes_is_that_of_quantreg() {
    let case = &fixture("quantile")["values"]["equality"];
    let frame = data(case["data"].as_str().unwrap());
    let process = Quantile::new(case["formula"].as_str().unwrap())
        .fit_at(&frame, &numbers(&case["taus"]))
        .unwrap();
    let test = process.slope_equality_test().unwrap();
    agree("F", &[test.statistic], &[case["f"].as_f64().unwrap()], 1e-6);
    let Distribution::F { df1, df2 } = test.distribution else {
        panic!("{test}");
    };
    assert!((df1 - case["df1"].as_f64().unwrap()).abs() < 0.5);
    assert!((df2 - case["df2"].as_f64().unwrap()).abs() < 0.5);
    assert!(process.plot("x").unwrap().to_string().contains("quantile"));
    assert!(process.to_string().contains("0.75"));
}

fn normal(random: &mut ChaCha8Rng) -> f64 {
    StandardNormal.sample(random)
}

fn frame(columns: Vec<(&str, Vec<f64>)>) -> Frame {
    columns.into_iter().fold(Frame::new(), |f, (name, values)| {
        f.with(name, values).unwrap()
    })
}

fn check(r: f64, tau: f64) -> f64 {
    if r < 0.0 { (tau - 1.0) * r } else { tau * r }
}

/// The optimum is at a line through two points: all of them are tried. Outcomes have ties on purpose.
#[test]
fn no_line_through_two_points_is_better() {
    let mut found = 0;
    for seed in 0..60 {
        let random = &mut Seed::new(11).stream(seed);
        let n = 12;
        let coarse = |v: f64| (v * 2.0).round();
        let x: Vec<f64> = (0..n).map(|_| coarse(normal(random))).collect();
        let y: Vec<f64> = (0..n).map(|_| coarse(normal(random))).collect();
        let tau = [0.1, 0.25, 0.5, 0.75, 0.9][seed as usize % 5];
        let loss = |a: f64, b: f64| -> f64 {
            x.iter()
                .zip(&y)
                .map(|(x, y)| check(y - a - b * x, tau))
                .sum()
        };
        let mut best = f64::INFINITY;
        for i in 0..n {
            for j in 0..i {
                if (x[i] - x[j]).abs() > 0.5 {
                    let b = (y[i] - y[j]) / (x[i] - x[j]);
                    best = best.min(loss(y[i] - b * x[i], b));
                }
            }
        }
        let data = frame(vec![("x", x.clone()), ("y", y.clone())]);
        // Ties can leave no density at the quantile; then there is no fit. With one the line is optimal.
        let fitted = [
            QuantileCovariance::Iid,
            QuantileCovariance::Powell,
            QuantileCovariance::HendricksKoenker,
        ]
        .into_iter()
        .find_map(|kind| {
            Quantile::new("y ~ x")
                .tau(tau)
                .covariance(kind)
                .fit(&data)
                .ok()
        });
        let Some(fit) = fitted else {
            continue;
        };
        found += 1;
        let ours = loss(fit.estimates()[0], fit.estimates()[1]);
        assert!(ours <= best + 1e-9, "{seed}: {ours} {best}");
    }
    assert!(found > 50, "{found}");
}

#[test]
fn a_constant_alone_gives_the_sample_quantile() {
    let y: Vec<f64> = (1..=101).rev().map(f64::from).collect();
    let data = frame(vec![("y", y)]);
    for (tau, quantile) in [(0.1, 11.0), (0.5, 51.0), (0.87, 88.0)] {
        let fit = Quantile::new("y ~ 1").tau(tau).fit(&data).unwrap();
        assert!((fit.estimates()[0] - quantile).abs() < 1e-9);
    }
    // 100 numbers have many medians
    let data = frame(vec![("y", (1..=100).map(f64::from).collect())]);
    let fit = Quantile::new("y ~ 1").fit(&data).unwrap();
    assert!((50.0..=51.0).contains(&fit.estimates()[0]));
    assert!(fit.to_string().contains("may not be the only one"), "{fit}");
}

#[test]
fn quantiles_are_equivariant() {
    let frame = data("tests/reference/selection.csv");
    let d = frame.real("d").unwrap().to_vec();
    let x = frame.real("x").unwrap().to_vec();
    let more = frame
        .clone()
        .with("negative", d.iter().map(|d| -d).collect::<Vec<_>>())
        .unwrap()
        .with(
            "moved",
            d.iter()
                .zip(&x)
                .map(|(d, x)| 100.0 * (d + 3.0 * x))
                .collect::<Vec<_>>(),
        )
        .unwrap()
        .with("u", x.iter().map(|x| 1e5 * x - 1e7).collect::<Vec<_>>())
        .unwrap();
    let fit = |formula: &str, tau: f64| Quantile::new(formula).tau(tau).fit(&more).unwrap();
    let base = fit("d ~ x + z1", 0.3);
    let mirrored = fit("negative ~ x + z1", 0.7);
    let moved = fit("moved ~ x + z1", 0.3);
    let rescaled = fit("d ~ u + z1", 0.3);
    for j in 0..3 {
        assert!((base.estimates()[j] + mirrored.estimates()[j]).abs() < 1e-10);
    }
    let slope = base.coefficient("x").unwrap();
    assert!(
        (moved.coefficient("x").unwrap().estimate - 100.0 * (slope.estimate + 3.0)).abs() < 1e-8
    );
    assert!((moved.std_error("x").unwrap() - 100.0 * slope.std_error).abs() < 1e-7);
    assert!((1e5 * rescaled.coefficient("u").unwrap().estimate - slope.estimate).abs() < 1e-9);
    // a share of about τ lies below, with at most as many fitted rows as coefficients between
    let below = base
        .residuals()
        .unwrap()
        .iter()
        .filter(|r| **r < 0.0)
        .count();
    let above = base
        .residuals()
        .unwrap()
        .iter()
        .filter(|r| **r > 0.0)
        .count();
    assert!(below as f64 <= 0.3 * 500.0 && above as f64 <= 0.7 * 500.0);
    assert_eq!(500 - below - above, 3);
}

#[test]
fn frequency_weights_are_repeated_rows_and_order_does_not_matter() {
    let frame = data("tests/reference/selection.csv");
    let count = frame.real("count").unwrap().to_vec();
    let again = |rows: Vec<usize>| {
        ["d", "x", "z1", "group"]
            .iter()
            .fold(Frame::new(), |out, name| {
                let values = frame.numeric(name).unwrap();
                out.with(
                    *name,
                    rows.iter().map(|i| values.values()[*i]).collect::<Vec<_>>(),
                )
                .unwrap()
            })
    };
    let repeated = again(
        (0..500)
            .flat_map(|i| std::iter::repeat_n(i, count[i] as usize))
            .collect(),
    );
    let reversed = again((0..500).rev().collect());
    let kinds = [
        QuantileCovariance::Iid,
        QuantileCovariance::HendricksKoenker,
        QuantileCovariance::Powell,
        QuantileCovariance::cluster("group"),
    ];
    for kind in kinds {
        let model = Quantile::new("d ~ x + z1").tau(0.37).covariance(kind);
        let same = |a: &QuantileFit, b: &QuantileFit| {
            agree(
                "estimates",
                a.estimates().as_slice(),
                b.estimates().as_slice(),
                1e-9,
            );
            agree(
                "errors",
                a.std_errors().as_slice(),
                b.std_errors().as_slice(),
                1e-8,
            );
        };
        let weighted = model
            .clone()
            .frequency_weights("count")
            .fit(&frame)
            .unwrap();
        same(&model.fit(&repeated).unwrap(), &weighted);
        same(&model.fit(&reversed).unwrap(), &model.fit(&frame).unwrap());
    }
}

#[test]
fn intervals_cover_where_theory_says_and_fail_where_it_says_so() {
    const RUNS: usize = 400;
    // y = 1 + x + (0.2 + |x|) e: the 0.75-quantile has slope 1 + q on x > 0; x is positive here
    let q = cocreate::numeric::special::normal::quantile(0.75);
    let seed = Seed::new(2026).child("quantile");
    let covered = blocks::map(RUNS, |run| {
        let random = &mut seed.stream(run as u64);
        let x: Vec<f64> = (0..400).map(|_| normal(random).abs() * 2.0).collect();
        let y: Vec<f64> = x
            .iter()
            .map(|x| 1.0 + x + (0.2 + x) * normal(random))
            .collect();
        let data = frame(vec![("x", x), ("y", y)]);
        let fit = Quantile::new("y ~ x").tau(0.75).fit(&data).unwrap();
        let covers = |kind: QuantileCovariance| {
            let i = fit
                .with_covariance(kind)
                .unwrap()
                .coefficient("x")
                .unwrap()
                .confidence_interval(0.95)
                .unwrap();
            i.lower <= 1.0 + q && 1.0 + q <= i.upper
        };
        [
            covers(QuantileCovariance::HendricksKoenker),
            covers(QuantileCovariance::Powell),
            covers(QuantileCovariance::Iid),
        ]
    });
    let rate = [0, 1, 2].map(|k| covered.iter().filter(|c| c[k]).count() as f64 / RUNS as f64);
    println!("coverage: {rate:?}");
    assert!((rate[0] - 0.95).abs() < 0.04, "{rate:?}");
    assert!((rate[1] - 0.95).abs() < 0.05, "{rate:?}");
    assert!(rate[2] < 0.85, "{rate:?}");
}

#[test]
fn clusters_need_clustered_errors() {
    const RUNS: usize = 300;
    let seed = Seed::new(2026).child("quantile clusters");
    let covered = blocks::map(RUNS, |run| {
        let random = &mut seed.stream(run as u64);
        let (mut x, mut y, mut g) = (vec![], vec![], vec![]);
        for group in 0..60 {
            let (common, shock) = (normal(random), normal(random));
            for _ in 0..10 {
                x.push(common);
                y.push(1.0 + common + shock + normal(random));
                g.push(f64::from(group));
            }
        }
        let data = frame(vec![("x", x), ("y", y), ("g", g)]);
        let fit = Quantile::new("y ~ x").fit(&data).unwrap();
        let covers = |fit: &QuantileFit| {
            let i = fit
                .coefficient("x")
                .unwrap()
                .confidence_interval(0.95)
                .unwrap();
            i.lower <= 1.0 && 1.0 <= i.upper
        };
        [
            covers(&fit),
            covers(
                &fit.with_covariance(QuantileCovariance::cluster("g"))
                    .unwrap(),
            ),
        ]
    });
    let rate = [0, 1].map(|k| covered.iter().filter(|c| c[k]).count() as f64 / RUNS as f64);
    println!("coverage: {rate:?}");
    assert!(rate[0] < 0.75, "{rate:?}");
    assert!((rate[1] - 0.95).abs() < 0.045, "{rate:?}");
}

#[test]
fn many_rows_are_solved_exactly() {
    let random = &mut Seed::new(4).stream(0);
    let n = 100_000;
    let mut columns: Vec<Vec<f64>> = (0..10)
        .map(|_| (0..n).map(|_| normal(random)).collect())
        .collect();
    let y: Vec<f64> = (0..n)
        .map(|i| columns[0][i] + 0.5 * columns[9][i] + normal(random))
        .collect();
    columns.push(y);
    let named = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "y"];
    let data = frame(named.into_iter().zip(columns).collect());
    let fit = Quantile::new("y ~ a + b + c + d + e + f + g + h + i + j")
        .tau(0.3)
        .covariance(QuantileCovariance::Powell)
        .fit(&data)
        .unwrap();
    let residuals = fit.residuals().unwrap();
    assert_eq!(residuals.iter().filter(|r| r.abs() <= 0.0).count(), 11);
    let below = residuals.iter().filter(|r| **r < 0.0).count() as f64;
    assert!((below - 0.3 * n as f64).abs() <= 11.0);
    assert!((fit.coefficient("a").unwrap().estimate - 1.0).abs() < 0.02);
    assert!(fit.warnings().is_empty(), "{fit}");
}

#[test]
fn bad_input_is_named() {
    let frame = data("tests/reference/selection.csv");
    let invalid = |result: Result<QuantileFit>| matches!(result, Err(Error::InvalidOption { .. }));
    for tau in [0.0, 1.0, -0.5, f64::NAN] {
        assert!(invalid(Quantile::new("d ~ x").tau(tau).fit(&frame)));
    }
    assert!(invalid(Quantile::new("d ~ x | group").fit(&frame)));
    assert!(Quantile::new("d ~ x").fit_at(&frame, &[]).is_err());
    assert!(Quantile::new("d ~ x").fit_at(&frame, &[0.5, 0.5]).is_err());
    let one = Quantile::new("d ~ x").fit_at(&frame, &[0.5]).unwrap();
    assert!(one.slope_equality_test().is_err());
    let perfect = frame
        .clone()
        .with(
            "p",
            frame
                .real("x")
                .unwrap()
                .iter()
                .map(|x| 2.0 * x + 1.0)
                .collect::<Vec<_>>(),
        )
        .unwrap();
    assert!(matches!(
        Quantile::new("p ~ x").fit(&perfect),
        Err(Error::Unidentified { .. })
    ));
    let fit = Quantile::new("d ~ x + I(2 * x) + z1").fit(&frame).unwrap();
    assert!(matches!(fit.warnings()[0], Warning::Collinear { .. }));
    assert!(matches!(
        fit.lean().residuals(),
        Err(Error::DataNotKept { .. })
    ));
    let clusters = Quantile::new("d ~ x").covariance(QuantileCovariance::cluster("nobody"));
    assert!(matches!(
        clusters.fit(&frame),
        Err(Error::ColumnNotFound { .. })
    ));
    let text = serde_json::to_string(&fit).unwrap();
    let back: QuantileFit = serde_json::from_str(&text).unwrap();
    assert_eq!(back.estimates(), fit.estimates());
}
