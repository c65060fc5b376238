//! What the reference tests share: fixtures, data and comparison with digits of agreement.

use cocreate::prelude::*;
use serde_json::Value;

/// Reads a fixture.
pub fn fixture(name: &str) -> Value {
    let path = format!("{}/tests/reference/{name}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// Loads the data a fixture names: a bundled data set or a file beside the fixtures.
pub fn data(path: &str) -> Frame {
    if let Some(file) = path.strip_prefix("datasets/") {
        return datasets::load(file.split('.').next().unwrap()).unwrap();
    }
    Frame::read_csv(format!("{}/{path}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

pub fn filter(frame: &Frame, keep: &[bool]) -> Frame {
    let kept = Rows::from_mask(keep);
    frame.names().iter().fold(Frame::new(), |out, name| {
        match frame.column(name).unwrap() {
            Column::Label(l) => out
                .with(
                    name.clone(),
                    Label::new(kept.gather(l.codes()), l.levels().to_vec()).unwrap(),
                )
                .unwrap(),
            _ => out
                .with(
                    name.clone(),
                    kept.gather(frame.numeric(name).unwrap().values()),
                )
                .unwrap(),
        }
    })
}

/// The rows whose cluster is known.
pub fn with_clusters(frame: &Frame, cluster: &str) -> Frame {
    let present: Vec<bool> = frame
        .groups(cluster)
        .unwrap()
        .codes
        .iter()
        .map(|c| *c != u32::MAX)
        .collect();
    filter(frame, &present)
}

pub fn numbers(value: &Value) -> Vec<f64> {
    match value {
        Value::Array(items) => items.iter().flat_map(numbers).collect(),
        Value::Number(n) => vec![n.as_f64().unwrap()],
        other => panic!("not a number: {other}"),
    }
}

/// Relative to the largest number of the group: a covariance near zero is compared with its neighbours.
pub fn agree(what: &str, ours: &[f64], theirs: &[f64], tolerance: f64) {
    assert_eq!(ours.len(), theirs.len(), "{what}");
    let scale = theirs.iter().fold(f64::MIN_POSITIVE, |m, v| m.max(v.abs()));
    let worst = ours
        .iter()
        .zip(theirs)
        .map(|(a, b)| (a - b).abs() / scale)
        .fold(0.0, f64::max);
    println!("{what}: {:.1} digits", -worst.max(1e-17).log10());
    assert!(
        worst < tolerance,
        "{what}: ours {ours:?}\ntheirs {theirs:?}\nrelative difference {worst:.2e}"
    );
}

/// Estimates in the order of the fixture's names.
pub fn pick(fit: &impl Inference, names: &[String]) -> (Vec<usize>, Vec<f64>) {
    let at: Vec<usize> = names.iter().map(|n| fit.position(n).unwrap()).collect();
    let estimates = at.iter().map(|i| fit.estimates()[*i]).collect();
    (at, estimates)
}

pub fn names(value: &Value) -> Vec<String> {
    // R writes a level of a factor as factor(shop)2.
    let ours = |name: &str| match name.strip_prefix("factor(") {
        Some(rest) => format!("C({}]", rest.replace(')', ")[")),
        None => name.to_owned(),
    };
    value["names"]
        .as_array()
        .unwrap()
        .iter()
        .map(|n| ours(n.as_str().unwrap()))
        .collect()
}

pub fn covariance_of(fit: &impl Inference, at: &[usize]) -> Vec<f64> {
    at.iter()
        .flat_map(|i| {
            at.iter()
                .map(|j| fit.covariance()[(*i, *j)])
                .collect::<Vec<_>>()
        })
        .collect()
}

/// Standard errors squared, scaled one by one, so that a small one is held to the tolerance too.
pub fn agree_covariance(
    what: &str,
    fit: &impl Inference,
    at: &[usize],
    theirs: &Value,
    tolerance: f64,
) {
    let (ours, theirs) = (covariance_of(fit, at), numbers(theirs));
    agree(what, &ours, &theirs, tolerance);
    let k = at.len();
    for i in 0..k {
        let (a, b) = (ours[i * k + i].sqrt(), theirs[i * k + i].sqrt());
        assert!(
            (a / b - 1.0).abs() < tolerance,
            "{what}: standard error {i}: {a} {b}"
        );
    }
}
