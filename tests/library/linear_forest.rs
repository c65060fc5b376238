//! The local linear forest on the designs of its paper, and against what it must be in the limit.

use cocreate::numeric::permutation::open_unit;
use cocreate::numeric::special::normal;
use cocreate::prelude::*;
use rand::Rng;

/// Outcomes with a mean that is a function of independent uniform features, and that mean.
fn drawn(
    n: usize,
    count: usize,
    noise: f64,
    seed: u64,
    mean: fn(&[f64]) -> f64,
) -> (Frame, Vec<f64>) {
    let mut random = Seed::new(seed).stream(0);
    let mut u = || open_unit(random.next_u64());
    let mut x = vec![vec![]; count];
    let (mut y, mut truth) = (vec![], vec![]);
    for _ in 0..n {
        let v: Vec<f64> = (0..count).map(|_| u()).collect();
        truth.push(mean(&v));
        y.push(mean(&v) + noise * normal::quantile(u()));
        for (column, v) in x.iter_mut().zip(v) {
            column.push(v);
        }
    }
    let frame = Frame::new().with("y", y).unwrap();
    let frame = (names(count).iter().zip(x)).fold(frame, |frame, (name, column)| {
        frame.with(name.clone(), column).unwrap()
    });
    (frame, truth)
}

fn names(count: usize) -> Vec<String> {
    (1..=count).map(|j| format!("x{j}")).collect()
}

/// Friedman's (1991) function.
fn friedman(x: &[f64]) -> f64 {
    10.0 * (std::f64::consts::PI * x[0] * x[1]).sin()
        + 20.0 * (x[2] - 0.5).powi(2)
        + 10.0 * x[3]
        + 5.0 * x[4]
}

/// Equation 1 of Friedberg et al.
fn bend(x: &[f64]) -> f64 {
    (6.0 * x[0]).exp().ln_1p()
}

fn rmse(found: &ForestPrediction, truth: &[f64]) -> f64 {
    let squares = found.estimates.iter().zip(truth);
    let sum: f64 = squares.map(|(a, b)| (a - b).powi(2)).sum();
    (sum / truth.len() as f64).sqrt()
}

#[test]
fn slopes_help_where_outcomes_are_smooth() {
    let (frame, _) = drawn(1000, 10, 5.0, 1, friedman);
    let (new, truth) = drawn(400, 10, 5.0, 2, friedman);
    let forest = LocalLinearForest::new("y", &names(10)).trees(200).seed(7);
    let fit = forest.fit(&frame).unwrap();
    let found = fit.predict(&new).unwrap();
    let flat = forest.clone().penalty(1e10).fit(&frame).unwrap();
    let (sloped, flat) = (
        rmse(&found, &truth),
        rmse(&flat.predict(&new).unwrap(), &truth),
    );
    assert!(sloped < 0.92 * flat && sloped < 2.4, "{sloped} {flat}");
    // The error out of bag is that of the mean plus the noise of 25.
    assert!(
        (fit.error() - 25.0 - sloped * sloped).abs() < 3.0,
        "{}",
        fit.error()
    );
    assert!(fit.penalty() < 1.0);
    assert_eq!(fit.importance()[0].0, "x4");
    assert!(fit.to_string().contains("slopes of 10 features"));
    assert!(found.to_string().contains("Predicted outcomes"));
}

/// Splits by the mean go after the slopes that predictions take away anyway; those by what a ridge regression leaves go where the outcome bends.
#[test]
fn ridge_splits_leave_slopes_to_the_regression() {
    let (new, truth) = drawn(400, 10, 5.0, 2, friedman);
    let forest = LocalLinearForest::new("y", &names(10)).trees(150);
    let (mut errors, draws) = ([0.0; 2], 3);
    for draw in 0..draws {
        let (frame, _) = drawn(1000, 10, 5.0, 40 + draw, friedman);
        let forest = forest.clone().seed(draw);
        let by_means = forest.fit(&frame).unwrap();
        let by_ridge = forest.ridge_splits(0.1).fit(&frame).unwrap();
        let share = |fit: &LocalLinearForestFit, name: &str| {
            let all = fit.importance();
            all.iter().find(|(n, _)| n == name).unwrap().1
        };
        // x4 has a slope and no bend, x3 a bend and no slope.
        assert!(share(&by_means, "x4") > 0.4 && share(&by_means, "x3") < 0.1);
        assert!(share(&by_ridge, "x4") < 0.1 && share(&by_ridge, "x3") > 0.3);
        for (error, fit) in errors.iter_mut().zip([by_means, by_ridge]) {
            *error += rmse(&fit.predict(&new).unwrap(), &truth) / draws as f64;
        }
    }
    assert!(
        errors[1] < 0.93 * errors[0] && errors[1] < 2.3,
        "{errors:?}"
    );
}

/// What training says nothing about moves no prediction.
#[test]
fn a_constant_has_no_slope() {
    let (frame, _) = drawn(120, 2, 1.0, 3, |x| x[0]);
    let frame = frame.with("always", vec![0.1; 120]).unwrap();
    let later = frame.replace("always", vec![0.2; 120]).unwrap();
    let features = ["x1", "x2", "always"];
    let forest = LocalLinearForest::new("y", &features).trees(20).seed(1);
    for forest in [forest.clone(), forest.ridge_splits(0.1)] {
        let fit = forest.fit(&frame).unwrap();
        let (now, then) = (fit.predict(&frame).unwrap(), fit.predict(&later).unwrap());
        assert_eq!(now, then);
    }
}

#[test]
fn edges_are_not_flattened_and_intervals_reach_them() {
    const EDGE: usize = 20;
    let edge: Vec<f64> = (0..EDGE).map(|i| 0.95 + 0.0025 * i as f64).collect();
    let truth: Vec<f64> = edge.iter().map(|x| bend(&[*x])).collect();
    let new = (2..=5).fold(Frame::new().with("x1", edge).unwrap(), |frame, j| {
        frame.with(format!("x{j}"), vec![0.5; EDGE]).unwrap()
    });
    let forest = LocalLinearForest::new("y", &names(5)).trees(100).seed(7);
    let (mut bias, mut inside, draws) = ([0.0; 2], [0; 2], 10);
    for draw in 0..draws {
        let (frame, _) = drawn(600, 5, 0.5, 30 + draw, bend);
        let sloped = forest.clone().slopes(&["x1"]);
        for (k, forest) in [sloped, forest.clone().penalty(1e10)].iter().enumerate() {
            let found = forest.fit(&frame).unwrap().predict(&new).unwrap();
            let ends = found.intervals(0.95).unwrap();
            for (i, truth) in truth.iter().enumerate() {
                bias[k] += (found.estimates[i] - truth) / (draws * EDGE as u64) as f64;
                inside[k] += usize::from(ends.lower[i] <= *truth && *truth <= ends.upper[i]);
            }
        }
    }
    // The mean of a leaf that ends at the edge is too low by half of its rise.
    assert!(
        bias[1] < -0.1 && bias[0].abs() < 0.4 * bias[1].abs(),
        "{bias:?}"
    );
    assert!(inside[0] > 160 && inside[0] > inside[1], "{inside:?}");
}

/// A line is what the correction knows: it is found to the digits whatever the leaves, at every place.
#[test]
fn a_line_without_noise_is_found() {
    let line = |x: &[f64]| 2.0 + 3.0 * x[0] - x[1];
    let (frame, _) = drawn(400, 3, 0.0, 4, line);
    let (new, truth) = drawn(100, 3, 0.0, 5, line);
    let forest = LocalLinearForest::new("y", &names(3))
        .penalty(1e-10)
        .trees(40)
        .seed(1);
    let fit = forest.fit(&frame).unwrap();
    assert!(rmse(&fit.predict(&new).unwrap(), &truth) < 1e-6);
    // Other units of features change nothing; those of the outcome scale it.
    let scaled = |frame: &Frame| {
        let by = |name: &str, f: fn(f64) -> f64| -> Vec<f64> {
            frame.real(name).unwrap().iter().map(|v| f(*v)).collect()
        };
        let x = frame.replace("x1", by("x1", |x| 1024.0 * x)).unwrap();
        x.replace("y", by("y", |y| 4.0 * y)).unwrap()
    };
    let (frame, _) = drawn(400, 3, 1.0, 6, line);
    let forest = LocalLinearForest::new("y", &names(3)).trees(40).seed(1);
    let (a, b) = (
        forest.fit(&frame).unwrap(),
        forest.fit(&scaled(&frame)).unwrap(),
    );
    assert_eq!(a.penalty(), b.penalty());
    for (a, b) in a
        .out_of_bag()
        .estimates
        .iter()
        .zip(&b.out_of_bag().estimates)
    {
        assert!((4.0 * a - b).abs() < 1e-9 * b.abs());
    }
    assert_eq!(a.out_of_bag(), forest.fit(&frame).unwrap().out_of_bag());
}

#[test]
fn weights_clusters_labels_and_files() {
    let (frame, _) = drawn(300, 3, 1.0, 7, |x| x[0]);
    let city: Vec<&str> = (0..300).map(|i| ["a", "b", "c"][i % 3]).collect();
    let ids: Vec<String> = (0..300).map(|i| format!("c{}", i / 3)).collect();
    let weights: Vec<f64> = (0..300).map(|i| f64::from(i % 4)).collect();
    let mut holes = frame.real("x2").unwrap().to_vec();
    holes[5] = f64::NAN;
    let frame = frame
        .replace("x2", holes)
        .unwrap()
        .with("city", city)
        .unwrap()
        .with("id", ids)
        .unwrap()
        .with("weight", weights)
        .unwrap();
    let forest = LocalLinearForest::new("y", &["x1", "x2", "x3", "city"])
        .weights("weight")
        .clusters("id")
        .trees(30)
        .seed(2);
    let fit = forest.fit(&frame).unwrap();
    let found = fit.predict(&frame).unwrap();
    assert!(
        found
            .estimates
            .iter()
            .chain(&found.variances)
            .all(|v| v.is_finite())
    );
    let path = std::env::temp_dir().join(format!("cocreate-linear-{}.json", std::process::id()));
    fit.write(&path).unwrap();
    let back = LocalLinearForestFit::read(&path).unwrap();
    assert_eq!(back.predict(&frame).unwrap(), found);
    let told = QuantileForestFit::read(&path).unwrap_err().to_string();
    assert!(told.contains("is no file of a quantile forest"), "{told}");
    std::fs::remove_file(&path).unwrap();
}

#[test]
fn files_of_quantile_and_survival_forests() {
    let (frame, _) = drawn(200, 3, 1.0, 8, |x| x[0]);
    let event: Vec<f64> = (0..200).map(|i| f64::from(i % 3 % 2)).collect();
    let time: Vec<f64> = frame.real("y").unwrap().iter().map(|y| y.abs()).collect();
    let frame = frame
        .with("event", event)
        .unwrap()
        .with("time", time)
        .unwrap();
    let path = std::env::temp_dir().join(format!("cocreate-outcomes-{}.json", std::process::id()));
    let refused = |text: String, told: &dyn Fn() -> Error| {
        std::fs::write(&path, text).unwrap();
        let message = told().to_string();
        assert!(message.contains("was changed"), "{message}");
    };
    let quantiles = QuantileForest::new("y", &names(3)).trees(10).seed(1);
    let quantiles = quantiles.fit(&frame).unwrap();
    quantiles.write(&path).unwrap();
    let back = QuantileForestFit::read(&path).unwrap();
    assert_eq!(
        back.predict(&frame).unwrap(),
        quantiles.predict(&frame).unwrap()
    );
    let text = std::fs::read_to_string(&path).unwrap();
    refused(text.replacen("\"order\":[", "\"order\":[900,", 1), &|| {
        QuantileForestFit::read(&path).unwrap_err()
    });
    let survival = SurvivalForest::new("time", "event", &names(3))
        .trees(10)
        .seed(1);
    let survival = survival.fit(&frame).unwrap();
    survival.write(&path).unwrap();
    let back = SurvivalForestFit::read(&path).unwrap();
    assert_eq!(
        back.predict(&frame).unwrap(),
        survival.predict(&frame).unwrap()
    );
    let text = std::fs::read_to_string(&path).unwrap();
    refused(
        text.replacen("\"starts\":[0,", "\"starts\":[0,4000000,", 1),
        &|| SurvivalForestFit::read(&path).unwrap_err(),
    );
    std::fs::remove_file(&path).unwrap();
}

#[test]
fn local_linear_forests_tell_what_they_need() {
    let (frame, _) = drawn(100, 2, 1.0, 9, |x| x[0]);
    let city: Vec<&str> = (0..100).map(|i| ["a", "b"][i % 2]).collect();
    let frame = frame.with("city", city).unwrap();
    let told = |forest: LocalLinearForest, part: &str| {
        let message = forest.fit(&frame).unwrap_err().to_string();
        assert!(message.contains(part), "{message}");
    };
    let forest = || {
        LocalLinearForest::new("y", &["x1", "x2", "city"])
            .trees(10)
            .seed(1)
    };
    told(LocalLinearForest::new("y", &["x1"]), ".seed(7)");
    told(forest().slopes(&["x9"]), "features of the forest");
    told(forest().slopes(&["city"]), "a label has no slope");
    told(forest().penalty(0.0), "above 0");
    told(forest().ridge_splits(f64::NAN), "ridge_splits");
    told(
        LocalLinearForest::new("x1", &["x1"]).seed(1),
        "other than the outcome",
    );
    let weightless = frame.clone().with("none", vec![0.0; 100]).unwrap();
    let told = |message: Error| assert!(message.to_string().contains("no weight in `none`"));
    told(forest().weights("none").fit(&weightless).unwrap_err());
    let quantiles = QuantileForest::new("y", &["x1"]).weights("none").seed(1);
    told(quantiles.fit(&weightless).unwrap_err());
    // Labels alone have no slopes: it is the forest's own mean.
    let flat = LocalLinearForest::new("y", &["city"]).trees(20).seed(1);
    let flat = flat.fit(&frame).unwrap();
    assert!(flat.error().is_finite() && flat.predict(&frame).unwrap().undetermined == 0);
}
