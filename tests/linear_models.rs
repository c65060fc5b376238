//! Linear models against reference software: every number of the fixtures in `tests/reference`.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, clippy::float_cmp, missing_docs)]

use cocreate::prelude::*;
use serde_json::Value;

/// Reads a fixture.
fn fixture(name: &str) -> Value {
    let path = format!("{}/tests/reference/{name}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// Loads the data a fixture names: a bundled data set or a file beside the fixtures.
fn data(path: &str) -> Frame {
    if let Some(file) = path.strip_prefix("datasets/") {
        return datasets::load(file.split('.').next().unwrap()).unwrap();
    }
    Frame::read_csv(format!("{}/{path}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

fn numbers(value: &Value) -> Vec<f64> {
    match value {
        Value::Array(items) => items.iter().flat_map(numbers).collect(),
        Value::Number(n) => vec![n.as_f64().unwrap()],
        other => panic!("not a number: {other}"),
    }
}

/// Relative to the largest number of the group: a covariance near zero is compared with its neighbours.
fn agree(what: &str, ours: &[f64], theirs: &[f64], tolerance: f64) {
    assert_eq!(ours.len(), theirs.len(), "{what}");
    let scale = theirs.iter().fold(f64::MIN_POSITIVE, |m, v| m.max(v.abs()));
    let worst = ours.iter().zip(theirs).map(|(a, b)| (a - b).abs() / scale).fold(0.0, f64::max);
    println!("{what}: {:.1} digits", -worst.max(1e-17).log10());
    assert!(worst < tolerance, "{what}: ours {ours:?}\ntheirs {theirs:?}\nrelative difference {worst:.2e}");
}

/// Estimates in the order of the fixture's names.
fn pick(fit: &impl Inference, names: &[String]) -> (Vec<usize>, Vec<f64>) {
    let at: Vec<usize> = names.iter().map(|n| fit.position(n).unwrap()).collect();
    let estimates = at.iter().map(|i| fit.estimates()[*i]).collect();
    (at, estimates)
}

fn names(value: &Value) -> Vec<String> {
    value["names"].as_array().unwrap().iter().map(|n| n.as_str().unwrap().to_owned()).collect()
}

fn covariance(fit: &impl Inference, at: &[usize]) -> Vec<f64> {
    at.iter().flat_map(|i| at.iter().map(|j| fit.covariance()[(*i, *j)]).collect::<Vec<_>>()).collect()
}

/// Standard errors squared, scaled one by one, so that a small one is held to the tolerance too.
fn agree_covariance(what: &str, fit: &impl Inference, at: &[usize], theirs: &Value, tolerance: f64) {
    let (ours, theirs) = (covariance(fit, at), numbers(theirs));
    agree(what, &ours, &theirs, tolerance);
    let k = at.len();
    for i in 0..k {
        let (a, b) = (ours[i * k + i].sqrt(), theirs[i * k + i].sqrt());
        assert!((a / b - 1.0).abs() < tolerance, "{what}: standard error {i}: {a} {b}");
    }
}

#[test]
fn least_squares_as_in_statsmodels() {
    for file in ["ols", "wls"] {
        let all = fixture(file);
        let tolerance = all["tolerance"].as_f64().unwrap();
        for (name, want) in all["values"].as_object().unwrap() {
            let mut frame = data(want["data"].as_str().unwrap());
            let mut ols = Ols::new(want["formula"].as_str().unwrap()).covariance(Covariance::Classical);
            if let Some(weights) = want["weights"].as_str() {
                ols = ols.weights(weights);
            }
            let cluster = want["cluster"].as_str();
            if let Some(cluster) = cluster {
                let present: Vec<bool> =
                    frame.groups(cluster).unwrap().codes.iter().map(|c| *c != u32::MAX).collect();
                frame = frame.filter(&present).unwrap();
            }
            let fit = ols.fit(&frame).unwrap();
            let (at, estimates) = pick(&fit, &names(want));
            agree(&format!("{name} estimates"), &estimates, &numbers(&want["estimates"]), tolerance);
            let s = fit.statistics();
            assert_eq!(s.observations, want["n"].as_f64().unwrap());
            let pairs = [
                ("r_squared", s.r_squared),
                ("adj_r_squared", s.adjusted_r_squared),
                ("log_likelihood", s.log_likelihood),
                ("aic", s.aic),
                ("bic", s.bic),
                ("sigma2", s.residual_std_error.powi(2)),
                ("f", fit.f_test().unwrap().statistic),
            ];
            for (key, ours) in pairs {
                if let Some(theirs) = want[key].as_f64() {
                    agree(&format!("{name} {key}"), &[ours], &[theirs], tolerance);
                }
            }
            for (kind, theirs) in want["covariance"].as_object().unwrap() {
                let kind = match kind.as_str() {
                    "classical" | "nonrobust" => Covariance::Classical,
                    "HC0" => Covariance::Hc0,
                    "HC1" => Covariance::Hc1,
                    "HC2" => Covariance::Hc2,
                    "HC3" => Covariance::Hc3,
                    "cluster" => Covariance::cluster(cluster.unwrap()),
                    "cluster_uncorrected" | "cluster_none" => {
                        Covariance::cluster(cluster.unwrap()).small_sample(SmallSample::none())
                    }
                    other => panic!("{name}: {other}"),
                };
                let fit = fit.with_covariance(kind.clone()).unwrap();
                agree_covariance(&format!("{name} {kind}"), &fit, &at, theirs, tolerance);
            }
        }
    }
}
