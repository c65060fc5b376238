//! Survival analysis against R's survival and against likelihoods written down in `tests/reference/make/survival.R`.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::float_cmp,
    missing_docs
)]

mod support;

use cocreate::prelude::*;
use serde_json::Value;
use support::{agree, data, fixture, numbers};

fn customers() -> Frame {
    data("tests/reference/survival_customers.csv")
}

fn outcome() -> Survival {
    Survival::right("time", "event")
}

fn late() -> Survival {
    Survival::counting("entry", "time", "event")
}

/// Numbers with NaN where R has none (written as text or null).
fn maybe(value: &Value) -> Vec<f64> {
    value
        .as_array()
        .unwrap()
        .iter()
        .map(|v| v.as_f64().unwrap_or(f64::NAN))
        .collect()
}

/// Compares where the reference has a number.
fn agree_where_known(what: &str, ours: &[f64], theirs: &[f64], tolerance: f64) {
    assert_eq!(ours.len(), theirs.len(), "{what}");
    let known: Vec<usize> = (0..theirs.len())
        .filter(|i| theirs[*i].is_finite())
        .collect();
    let pick = |v: &[f64]| known.iter().map(|i| v[*i]).collect::<Vec<_>>();
    assert!(!known.is_empty(), "{what}");
    agree(what, &pick(ours), &pick(theirs), tolerance);
}

#[test]
fn curves_as_in_survfit() {
    let all = fixture("survival");
    let tolerance = all["tolerance"].as_f64().unwrap();
    let want = &all["values"]["curves"];
    let frame = customers();
    let log = |outcome| KaplanMeier::new(outcome).interval(CurveInterval::Log);
    for (name, estimator) in [
        ("log", log(outcome())),
        ("log_log", KaplanMeier::new(outcome())),
        ("plain", log(outcome()).interval(CurveInterval::Plain)),
        ("truncated", log(late())),
        ("frequency", log(outcome()).frequency_weights("f")),
        ("sampling", log(outcome()).weights("w")),
        ("sampling_truncated", log(late()).weights("w")),
    ] {
        let fit = estimator.fit(&frame).unwrap();
        let points = fit.curve("").unwrap().points();
        let of = |f: fn(&CurvePoint) -> f64| points.iter().map(f).collect::<Vec<f64>>();
        let want = &want[name];
        for (key, ours) in [
            ("time", of(|p| p.time)),
            ("at_risk", of(|p| p.at_risk)),
            ("events", of(|p| p.events)),
            ("survival", of(|p| p.survival)),
            ("std_error", of(|p| p.std_error)),
            ("lower", of(|p| p.lower)),
            ("upper", of(|p| p.upper)),
            ("hazard", of(|p| p.cumulative_hazard)),
            ("hazard_std_error", of(|p| p.hazard_std_error)),
        ] {
            agree_where_known(
                &format!("{name} {key}"),
                &ours,
                &maybe(&want[key]),
                tolerance,
            );
        }
    }
}

#[test]
fn quantiles_and_restricted_means_as_in_survfit() {
    let all = fixture("survival");
    let want = &all["values"]["curves"];
    let frame = customers();
    for (name, interval) in [
        ("quantiles_log", CurveInterval::Log),
        ("quantiles_log_log", CurveInterval::LogLog),
    ] {
        let fit = KaplanMeier::new(outcome())
            .interval(interval)
            .fit(&frame)
            .unwrap();
        let found: Vec<TimeEstimate> = [0.25, 0.5, 0.75]
            .iter()
            .map(|p| fit.curves()[0].quantile(*p))
            .collect();
        for (key, ours) in [
            (
                "estimate",
                found.iter().map(|q| q.estimate).collect::<Vec<_>>(),
            ),
            ("lower", found.iter().map(|q| q.lower).collect()),
            ("upper", found.iter().map(|q| q.upper).collect()),
        ] {
            agree_where_known(
                &format!("{name} {key}"),
                &ours,
                &maybe(&want[name][key]),
                1e-12,
            );
        }
    }
    for (name, outcome, horizon) in [
        ("restricted_mean", outcome(), 9.0),
        ("restricted_mean_truncated", late(), 7.0),
    ] {
        let fit = KaplanMeier::new(outcome).fit(&frame).unwrap();
        let mean = fit.curves()[0].restricted_mean(horizon).unwrap().mean;
        agree(
            name,
            &[mean.estimate, mean.std_error],
            &numbers(&want[name]),
            1e-9,
        );
    }
}

#[test]
fn rank_tests_as_in_survdiff() {
    let all = fixture("survival");
    let want = &all["values"]["tests"];
    let frame = customers();
    let test = || LogRank::new(outcome(), "arm");
    for (name, estimator) in [
        ("log_rank", test()),
        ("peto", test().weights(RankWeights::PetoPeto)),
        (
            "half",
            test().weights(RankWeights::FlemingHarrington { rho: 0.5 }),
        ),
        ("stratified", test().strata("shop")),
    ] {
        let fit = estimator.fit(&frame).unwrap();
        let (observed, expected): (Vec<f64>, Vec<f64>) =
            fit.groups.iter().map(|g| (g.observed, g.expected)).unzip();
        agree(
            &format!("{name} observed"),
            &observed,
            &numbers(&want[name]["observed"]),
            1e-9,
        );
        agree(
            &format!("{name} expected"),
            &expected,
            &numbers(&want[name]["expected"]),
            1e-9,
        );
        agree(
            name,
            &[fit.test.statistic],
            &[want[name]["statistic"].as_f64().unwrap()],
            1e-9,
        );
    }
    let fit = test().weights(RankWeights::Gehan).fit(&frame).unwrap();
    agree(
        "gehan",
        &[fit.test.statistic],
        &[want["gehan"].as_f64().unwrap()],
        1e-9,
    );
}
