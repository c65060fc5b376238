//! Certified values: the linear regressions of NIST's Statistical Reference Datasets, and tests, ratios and functions of
//! coefficients.

use crate::support::{agree, fixture, numbers};
use cocreate::prelude::*;
use serde_json::Value;

/// A data set of the fixture as a frame with columns y, x1, x2, …
fn certified_frame(problem: &Value) -> (Frame, String) {
    let rows: Vec<Vec<f64>> = problem["x"]
        .as_array()
        .unwrap()
        .iter()
        .map(numbers)
        .collect();
    let mut frame = Frame::new().with("y", numbers(&problem["y"])).unwrap();
    let mut terms = Vec::new();
    for j in 0..rows[0].len() {
        let name = format!("x{}", j + 1);
        frame = frame
            .with(name.clone(), rows.iter().map(|r| r[j]).collect::<Vec<_>>())
            .unwrap();
        terms.push(name);
    }
    let constant = if problem["intercept"] == true {
        ""
    } else {
        "0 + "
    };
    (frame, format!("y ~ {constant}{}", terms.join(" + ")))
}

#[test]
fn nist_linear_regressions() {
    // Longley and the Wampler polynomials are made to be hard; the rest must be right to the last digits.
    let tolerance = |name: &str| match name {
        "longley" => 1e-10,
        _ if name.starts_with("wampler") => 1e-8,
        _ => 1e-12,
    };
    for (name, problem) in fixture("nist")["values"].as_object().unwrap() {
        if name == "filip" {
            continue;
        }
        let (frame, formula) = certified_frame(problem);
        let fit = Ols::new(formula)
            .covariance(Covariance::Classical)
            .fit(&frame)
            .unwrap();
        let exact = &problem["exact"];
        let tolerance = tolerance(name);
        let errors = numbers(&exact["std_errors"]);
        // An estimate is judged by its own size or by its standard error, whichever is larger.
        let estimates = numbers(&exact["estimates"]);
        for ((ours, theirs), error) in fit.estimates().iter().zip(&estimates).zip(&errors) {
            let scale = theirs.abs().max(*error);
            assert!(
                (ours - theirs).abs() < tolerance * scale,
                "{name}: {ours} {theirs}"
            );
        }
        if errors.iter().all(|e| *e > 0.0) {
            for (ours, theirs) in fit.std_errors().iter().zip(errors) {
                agree(
                    &format!("{name} standard error"),
                    &[*ours],
                    &[theirs],
                    tolerance,
                );
            }
            agree(
                name,
                &[fit.statistics().r_squared],
                &numbers(&exact["r_squared"]),
                1e-12,
            );
        } else {
            assert!(fit.std_errors().max() < 1e-7, "{name}");
        }
    }
}

#[test]
fn what_double_precision_cannot_separate_is_named() {
    // Filip's ten powers are collinear to 1e-15 of their variation: columns are dropped by name, never guessed.
    let (frame, _) = certified_frame(&fixture("nist")["values"]["filip"]);
    let powers: Vec<String> = (1..=10).map(|p| format!("I(x1^{p})")).collect();
    let fit = Ols::new(format!("y ~ {}", powers.join(" + ")))
        .fit(&frame)
        .unwrap();
    assert!(
        fit.warnings()
            .iter()
            .any(|w| matches!(w, Warning::Collinear { columns } if !columns.is_empty()))
    );
    // The orthogonal basis of the same space is no problem at all.
    let orthogonal = Ols::new("y ~ poly(x1, 10)").fit(&frame).unwrap();
    let certified = numbers(&fixture("nist")["values"]["filip"]["exact"]["r_squared"]);
    agree(
        "Filip, orthogonal basis",
        &[orthogonal.statistics().r_squared],
        &certified,
        1e-9,
    );
}

/// The value of one of the fixture's functions.
fn function(text: &str, b: &[f64]) -> f64 {
    match text {
        "-exper / (2 * expersq)" => -b[0] / (2.0 * b[1]),
        "exp(black) - 1" => b[0].exp() - 1.0,
        "black / educ" => b[0] / b[1],
        other => panic!("{other}"),
    }
}

#[test]
fn tests_and_functions_of_coefficients() {
    let all = fixture("delta");
    let values = &all["values"];
    let frame = datasets::load("card").unwrap();
    let fit = Ols::new(values["formula"].as_str().unwrap())
        .fit(&frame)
        .unwrap();
    for (kind, covariance) in [
        ("classical", Covariance::Classical),
        ("HC1", Covariance::Hc1),
    ] {
        let fit = fit.with_covariance(covariance).unwrap();
        for (name, want) in values["wald"][kind].as_object().unwrap() {
            let restrictions: Vec<String> = want["restrictions"]
                .as_array()
                .unwrap()
                .iter()
                .map(|r| {
                    let terms: Vec<String> = r["terms"]
                        .as_object()
                        .unwrap()
                        .iter()
                        .map(|(n, w)| format!("{w} * `{n}`"))
                        .collect();
                    format!(
                        "{} = {}",
                        terms.join(" + ").replace("+ -", "- "),
                        r["equals"]
                    )
                })
                .collect();
            let restrictions: Vec<&str> = restrictions.iter().map(String::as_str).collect();
            let test = fit.wald(&restrictions).unwrap();
            agree(
                &format!("{kind} {name}"),
                &[test.statistic],
                &numbers(&want["f"]),
                1e-9,
            );
            agree(
                &format!("{kind} {name} p"),
                &[test.p_value],
                &numbers(&want["p_f"]),
                1e-8,
            );
        }
        for (name, want) in values["delta"][kind].as_object().unwrap() {
            let Some(text) = want["function"].as_str() else {
                continue;
            };
            if !["-exper / (2 * expersq)", "exp(black) - 1", "black / educ"].contains(&text) {
                continue;
            }
            let uses: Vec<&str> = want["uses"]
                .as_array()
                .unwrap()
                .iter()
                .map(|u| u.as_str().unwrap())
                .collect();
            let ours = fit.nonlinear(name, &uses, |b| function(text, b)).unwrap();
            agree(
                name,
                &[ours.estimate, ours.std_error],
                &[
                    want["estimate"].as_f64().unwrap(),
                    want["std_error"].as_f64().unwrap(),
                ],
                1e-9,
            );
            let interval = ours.confidence_interval(0.95).unwrap();
            agree(
                name,
                &[interval.lower, interval.upper],
                &numbers(&want["interval_95_t"]),
                1e-9,
            );
        }
    }
    let fit = fit.with_covariance(Covariance::Classical).unwrap();
    let set = fieller(&fit, "black", "educ", 0.95).unwrap();
    let want = numbers(&values["fieller"]["card_ratio"]["intervals"]);
    agree(
        "Fieller",
        &[set.segments[0].lower, set.segments[0].upper],
        &want,
        1e-9,
    );
    let fit = fit.with_covariance(Covariance::Hc1).unwrap();
    for (name, want) in values["krinsky_robb"].as_object().unwrap() {
        let (Some(text), true) = (want["function"].as_str(), want["covariance"] == "HC1") else {
            continue;
        };
        let uses: Vec<&str> = want["uses"]
            .as_array()
            .unwrap()
            .iter()
            .map(|u| u.as_str().unwrap())
            .collect();
        let ours = KrinskyRobb::new()
            .draws(400_000)
            .seed(7)
            .interval(&fit, name, &uses, |b| function(text, b), 0.95)
            .unwrap();
        let ends: Vec<f64> = ["2.5", "97.5"]
            .iter()
            .map(|p| want["percentiles"][*p].as_f64().unwrap())
            .collect();
        agree(
            name,
            &[ours.lower, ours.upper],
            &ends,
            want["tolerance_relative"].as_f64().unwrap(),
        );
    }
}
