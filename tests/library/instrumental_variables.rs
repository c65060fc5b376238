//! Instrumental variables against linearmodels and independent computations: every number of `tests/reference/iv.json`.

use crate::support::{agree, agree_covariance, data, fixture, names, numbers, pick};
use cocreate::prelude::*;
use serde_json::Value;

fn kind(name: &str, cluster: Option<&str>) -> Option<Covariance> {
    Some(match name {
        "classical" => Covariance::Classical,
        "HC0" => Covariance::Hc0,
        "HC1" => Covariance::Hc1,
        "cluster" => Covariance::cluster(cluster?),
        "cluster_uncorrected" => Covariance::cluster(cluster?).small_sample(SmallSample::none()),
        _ => return None,
    })
}

#[test]
fn estimates_and_covariances() {
    for (name, want) in fixture("iv")["values"]["fits"].as_object().unwrap() {
        let frame = data(want["data"].as_str().unwrap());
        let formula = want["formula"].as_str().unwrap();
        let cluster = want["cluster"].as_str();
        for (key, estimator) in [("2sls", KClass::TwoStage), ("liml", KClass::Liml)] {
            let want = &want[key];
            if want.is_null() {
                continue;
            }
            let fit = Iv::new(formula)
                .estimator(estimator)
                .covariance(Covariance::Classical)
                .fit(&frame)
                .unwrap();
            let (at, estimates) = pick(&fit, &names(want));
            agree(
                &format!("{name} {key}"),
                &estimates,
                &numbers(&want["estimates"]),
                1e-9,
            );
            agree(
                &format!("{name} {key} rss"),
                &[fit.statistics().rss],
                &numbers(&want["rss"]),
                1e-9,
            );
            if let Some(kappa) = want["kappa"].as_f64() {
                agree(&format!("{name} kappa"), &[fit.kappa()], &[kappa], 1e-10);
            }
            for (variance, theirs) in want["covariance"].as_object().unwrap() {
                let Some(kind) = kind(variance, cluster) else {
                    continue;
                };
                let fit = fit.with_covariance(kind).unwrap();
                agree_covariance(&format!("{name} {key} {variance}"), &fit, &at, theirs, 1e-9);
            }
            if key == "2sls" {
                let test = fit.wu_hausman().unwrap();
                agree(
                    &format!("{name} Wu–Hausman"),
                    &[test.statistic],
                    &numbers(&want["wu_hausman"]["f"]),
                    1e-8,
                );
                agree(
                    &format!("{name} Wu–Hausman p"),
                    &[test.p_value],
                    &numbers(&want["wu_hausman"]["p"]),
                    1e-8,
                );
                match want["sargan"]["chi2"].as_f64() {
                    Some(chi2) => {
                        agree(
                            "Sargan",
                            &[fit.overidentification().unwrap().statistic],
                            &[chi2],
                            1e-9,
                        );
                    }
                    None => assert!(matches!(
                        fit.overidentification(),
                        Err(Error::Unidentified { .. })
                    )),
                }
            }
        }
        for (key, variance) in [
            ("gmm_two_step_robust", "HC1"),
            ("gmm_two_step_clustered", "cluster"),
        ] {
            if let (Some(j), Some(kind)) = (
                want[key]["hansen_j"]["chi2"].as_f64(),
                kind(variance, cluster),
            ) {
                let fit = Iv::new(formula).covariance(kind).fit(&frame).unwrap();
                agree(
                    &format!("{name} {key}"),
                    &[fit.overidentification().unwrap().statistic],
                    &[j],
                    1e-8,
                );
            }
        }
    }
}

#[test]
fn strength_of_instruments() {
    for (name, want) in fixture("iv")["values"]["strength"].as_object().unwrap() {
        let frame = data(want["data"].as_str().unwrap());
        let fit = Iv::new(want["formula"].as_str().unwrap())
            .fit(&frame)
            .unwrap();
        for stage in fit.first_stage().unwrap() {
            let theirs = &want[&stage.endogenous];
            for (variance, f) in theirs["partial_f"].as_object().unwrap() {
                let Some(kind) = kind(variance, want["cluster"].as_str()) else {
                    continue;
                };
                let fit = fit.with_covariance(kind).unwrap();
                let stage = fit
                    .first_stage()
                    .unwrap()
                    .iter()
                    .find(|s| s.endogenous == stage.endogenous)
                    .unwrap();
                let what = format!("{name} {} {variance}", stage.endogenous);
                agree(
                    &what,
                    &stage.coefficients,
                    &numbers(&theirs["coefficients"]),
                    1e-9,
                );
                agree(
                    &what,
                    &stage.std_errors,
                    &numbers(&theirs["std_errors"][variance]),
                    1e-9,
                );
                agree(&what, &[stage.robust_f.statistic], &numbers(f), 1e-9);
                agree(
                    &what,
                    &[stage.partial_r_squared],
                    &numbers(&theirs["partial_r_squared"]),
                    1e-9,
                );
                if let Some(effective) = theirs["effective_f"][variance].as_f64() {
                    agree(&what, &[stage.effective_f.unwrap()], &[effective], 1e-9);
                    let critical = theirs["effective_f_critical_5pct"][variance]["tau_10pct"]
                        .as_f64()
                        .unwrap();
                    agree(&what, &[stage.critical_value.unwrap()], &[critical], 1e-8);
                }
            }
        }
    }
}

/// An end of an interval: a number or an infinity in words.
fn end(value: &Value) -> f64 {
    value
        .as_f64()
        .unwrap_or_else(|| match value.as_str().unwrap() {
            "-Infinity" => f64::NEG_INFINITY,
            _ => f64::INFINITY,
        })
}

#[test]
fn anderson_rubin_tests_and_sets() {
    let (mut shapes, mut sets) = (std::collections::BTreeSet::new(), 0);
    for (name, want) in fixture("iv")["values"]["anderson_rubin"]
        .as_object()
        .unwrap()
    {
        let frame = data(want["data"].as_str().unwrap());
        let fit = Iv::new(want["formula"].as_str().unwrap())
            .fit(&frame)
            .unwrap();
        for (variance, tests) in want["tests"].as_object().unwrap() {
            let fit = fit
                .with_covariance(kind(variance, want["cluster"].as_str()).unwrap())
                .unwrap();
            for test in tests.as_array().unwrap() {
                let ours = fit
                    .anderson_rubin(&numbers(&Value::Array(vec![test["beta"].clone()])))
                    .unwrap();
                agree(
                    &format!("{name} {variance}"),
                    &[ours.statistic],
                    &numbers(&test["f"]),
                    1e-8,
                );
                agree(
                    &format!("{name} {variance} p"),
                    &[ours.p_value],
                    &numbers(&test["p_f"]),
                    1e-7,
                );
            }
            for set in want["sets"][variance].as_array().into_iter().flatten() {
                if set["reference"] != "f" {
                    continue;
                }
                let level = set["level"].as_f64().unwrap();
                let endogenous = fit.first_stage().unwrap()[0].endogenous.clone();
                let ours = fit.confidence_set(&endogenous, level).unwrap();
                let theirs = set["intervals"].as_array().unwrap();
                assert_eq!(
                    ours.segments.len(),
                    theirs.len(),
                    "{name} {variance} {level}: {ours} {theirs:?}"
                );
                for (a, b) in ours.segments.iter().zip(theirs) {
                    for (x, y) in [(a.lower, end(&b[0])), (a.upper, end(&b[1]))] {
                        assert!(
                            x == y || (x - y).abs() < 1e-6 * (1.0 + y.abs()),
                            "{name} {variance} {level}: {x} {y}"
                        );
                    }
                }
                shapes.insert(set["shape"].as_str().unwrap().to_owned());
                sets += 1;
            }
        }
    }
    assert!(shapes.len() == 4 && sets > 50, "{shapes:?} {sets}");
}
