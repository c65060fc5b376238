//! Roll-outs: group-time effects and event studies against reference software, by simulation with known truth, and on bad input.

use crate::support::{agree, data, fixture, numbers};
use cocreate::prelude::*;
use cocreate::simulate::Cohort;
use serde_json::Value;

fn text<'a>(case: &'a Value, key: &str) -> Option<&'a str> {
    case[key].as_str()
}

fn model(case: &Value) -> CallawaySantAnna {
    let mut model = CallawaySantAnna::new("y", "treated", "unit", "year")
        .anticipation(case["anticipation"].as_f64().unwrap_or(0.0));
    if text(case, "control") == Some("notyettreated") {
        model = model.controls(ControlGroup::NotYetTreated);
    }
    if text(case, "base") == Some("universal") {
        model = model.base_period(BasePeriod::Universal);
    }
    if let Some(terms) = text(case, "covariates") {
        model = model.covariates(terms);
    }
    if let Some(column) = text(case, "weights") {
        model = model.weights(column);
    }
    if let Some(column) = text(case, "clusters") {
        model = model.clusters(column);
    }
    match text(case, "method") {
        Some("reg") => model.method(DidMethod::OutcomeRegression),
        Some("ipw") => model.method(DidMethod::InversePropensity),
        _ => model,
    }
}

/// The numbers of a list that are not null.
fn present(value: &Value) -> Vec<f64> {
    value
        .as_array()
        .unwrap()
        .iter()
        .filter_map(Value::as_f64)
        .collect()
}

#[test]
fn group_time_effects_and_their_aggregates_are_those_of_csdid() {
    let reference = fixture("rollout");
    let frame = data(reference["data"].as_str().unwrap());
    let tolerance = reference["tolerance"].as_f64().unwrap();
    for case in reference["values"]["callaway_santanna"].as_array().unwrap() {
        let fit = model(case).fit(&frame).unwrap();
        let count = fit.group_time().clusters() as f64;
        // Theirs have no factor G/(G − 1).
        let plain = ((count - 1.0) / count).sqrt();
        let check =
            |what: &str, fit: &dyn Fn() -> (Vec<f64>, Vec<f64>), att: &[f64], se: &[f64]| {
                let (ours, errors) = fit();
                agree(what, &ours, att, tolerance);
                let errors: Vec<f64> = errors.iter().map(|e| e * plain).collect();
                agree(&format!("{what} errors"), &errors, se, tolerance);
            };
        let all = |fit: &RolloutEffects| {
            let errors = fit.std_errors().iter().copied().collect::<Vec<f64>>();
            (
                fit.estimates().iter().copied().collect::<Vec<f64>>(),
                errors,
            )
        };
        let names: Vec<&str> = fit.names().iter().map(String::as_str).collect();
        let theirs: Vec<&str> = case["cells"]
            .as_array()
            .unwrap()
            .iter()
            .map(|v| v.as_str().unwrap())
            .collect();
        assert_eq!(names, theirs);
        check(
            "cells",
            &|| all(fit.group_time()),
            &numbers(&case["att"]),
            &numbers(&case["se"]),
        );
        let simple = &case["simple"];
        check(
            "simple",
            &|| all(&fit.simple().unwrap()),
            &numbers(&simple["overall"]),
            &numbers(&simple["overall_se"]),
        );
        for (key, ours) in [
            ("group", fit.by_cohort().unwrap()),
            ("calendar", fit.by_period().unwrap()),
        ] {
            let with = |list: &str, last: &str| {
                [present(&case[key][list]), numbers(&case[key][last])].concat()
            };
            check(
                key,
                &|| all(&ours),
                &with("att", "overall"),
                &with("se", "overall_se"),
            );
        }
        let study = fit.event_study().unwrap();
        let dynamic = &case["dynamic"];
        let estimated: Vec<bool> = dynamic["se"]
            .as_array()
            .unwrap()
            .iter()
            .map(Value::is_number)
            .collect();
        let att: Vec<f64> = numbers(&dynamic["att"])
            .iter()
            .zip(&estimated)
            .filter(|(_, e)| **e)
            .map(|(a, _)| *a)
            .collect();
        check(
            "dynamic",
            &|| all(study.effects()),
            &att,
            &present(&dynamic["se"]),
        );
        let average = study.average().unwrap();
        check(
            "average",
            &|| (vec![average.estimate], vec![average.std_error]),
            &numbers(&dynamic["overall"]),
            &numbers(&dynamic["overall_se"]),
        );
        if text(case, "base").is_some() {
            assert_eq!(study.reference(), Some(-1.0));
        }
        if let Some(balanced) = case.get("balanced") {
            let study = fit.balanced_event_study(1.0).unwrap();
            check(
                "balanced",
                &|| all(study.effects()),
                &numbers(&balanced["att"]),
                &numbers(&balanced["se"]),
            );
        }
    }
}

fn cohorts(effects: &[(usize, f64, f64)]) -> Vec<Cohort> {
    let cohort = |(start, effect, growth): &(usize, f64, f64)| Cohort {
        start: *start,
        effect: *effect,
        growth: *growth,
    };
    effects.iter().map(cohort).collect()
}

fn small(seed: u64) -> StaggeredRollout {
    StaggeredRollout {
        units: 120,
        periods: 6,
        cohorts: cohorts(&[(2, 1.0, 0.5), (4, 0.5, -0.2), (6, 0.0, 0.0)]),
        keep_oracle: false,
        seed: Some(Seed::new(seed)),
        ..StaggeredRollout::new()
    }
}

/// Two of the three cohorts are of one size, so that the truth by time since treatment is a plain mean.
const TRUTH: [f64; 4] = [0.75, 0.9, 2.0, 2.5];

#[test]
fn pointwise_intervals_cover_each_effect_and_bands_all_of_them() {
    let runs = 400;
    let (mut point, mut band, mut pre, mut simple) = (0, 0, 0, 0);
    for run in 0..runs {
        let frame = small(run).simulate().unwrap().data;
        let fit = CallawaySantAnna::new("y", "treated", "unit", "period")
            .fit(&frame)
            .unwrap();
        let study = fit.event_study().unwrap();
        let inside =
            |interval: &Interval, truth: f64| (interval.lower..=interval.upper).contains(&truth);
        for (time, truth) in TRUTH.iter().enumerate() {
            let interval = study
                .at(time as f64)
                .unwrap()
                .confidence_interval(0.95)
                .unwrap();
            point += u32::from(inside(&interval, *truth));
        }
        let bands = MultiplierBootstrap::new()
            .draws(499)
            .seed(run)
            .run(&study, &study.after(), 0.95)
            .unwrap();
        band += u32::from(bands.intervals.iter().zip(TRUTH).all(|(i, t)| inside(i, t)));
        pre += u32::from(study.pre_trend_test().unwrap().p_value < 0.05);
        // Six treated cells of the early cohort… four of it and two of the late one.
        let truth = (1.0 + 1.5 + 2.0 + 2.5 + 0.5 + 0.3) / 6.0;
        let interval = &fit.simple().unwrap().confidence_interval(0.95).unwrap()[0];
        simple += u32::from(inside(interval, truth));
    }
    let share = |count: u32, of: usize| f64::from(count) / of as f64;
    let runs = runs as usize;
    println!(
        "pointwise {}, bands {}, pre-trend {}, simple {}",
        share(point, 4 * runs),
        share(band, runs),
        share(pre, runs),
        share(simple, runs)
    );
    // Monte Carlo errors are 1.1 points; pointwise effects are 4 a run, but correlated.
    assert!((0.925..=0.975).contains(&share(point, 4 * runs)));
    assert!((0.915..=0.98).contains(&share(band, runs)));
    assert!((0.915..=0.98).contains(&share(simple, runs)));
    assert!((0.02..=0.095).contains(&share(pre, runs)));
}

#[test]
fn roll_outs_that_cannot_be_compared_are_refused_with_a_remedy() {
    let frame = data("tests/reference/rollout.csv");
    let refused =
        |model: CallawaySantAnna, frame: &Frame| model.fit(frame).unwrap_err().to_string();
    let plain = || CallawaySantAnna::new("y", "treated", "unit", "year");
    let numeric = |name: &str| frame.numeric(name).unwrap().values().to_vec();
    let rows = frame.rows();
    let replace = |name: &str, values: Vec<f64>| frame.replace(name, values).unwrap();
    let start = numeric("start");

    // Twice the same unit and year; a gap; treatment that ends.
    let mut year = numeric("year");
    year[1] = year[0];
    let text = refused(plain(), &replace("year", year));
    assert!(text.contains("1 and 2"), "{text}");
    let keep: Vec<bool> = (0..rows).map(|row| row != 5).collect();
    let text = refused(plain(), &frame.filter(&keep).unwrap());
    assert!(
        text.contains("has no row in `year` 2006 (1 gaps in all)"),
        "{text}"
    );
    let mut y = numeric("y");
    y[5] = f64::NAN;
    assert!(refused(plain(), &replace("y", y)).contains("2006"));
    let mut treated = numeric("treated");
    let last = (0..rows)
        .find(|row| numeric("year")[*row] > 2006.5 && treated[*row] > 0.5)
        .unwrap();
    treated[last] = 0.0;
    let text = refused(plain(), &replace("treated", treated));
    assert!(
        text.contains(&format!("row {}", last + 1)) && text.contains("switch off"),
        "{text}"
    );

    // Nobody is never treated, nobody is treated, everybody at once.
    let ever: Vec<bool> = start.iter().map(|s| *s > 0.0).collect();
    let text = refused(plain(), &frame.filter(&ever).unwrap());
    assert!(text.contains("NotYetTreated"), "{text}");
    let fit = plain()
        .controls(ControlGroup::NotYetTreated)
        .fit(&frame.filter(&ever).unwrap())
        .unwrap();
    assert!(
        fit.names()
            .iter()
            .all(|name| !name.ends_with("2006)") && !name.ends_with("2007)"))
    );
    assert!(
        fit.warnings()
            .iter()
            .any(|w| w.to_string().contains("no controls left"))
    );
    assert!(
        refused(
            plain(),
            &frame
                .filter(&start.iter().map(|s| *s < 1.0).collect::<Vec<_>>())
                .unwrap()
        )
        .contains("treated")
    );
    let one: Vec<bool> = start.iter().map(|s| (*s - 2004.0).abs() < 0.5).collect();
    let text = refused(
        plain().controls(ControlGroup::NotYetTreated),
        &frame.filter(&one).unwrap(),
    );
    assert!(text.contains("later than others"), "{text}");

    // Covariates that separate, or that are too many.
    let apart: Vec<f64> = start
        .iter()
        .map(|s| f64::from(u8::from(*s > 0.0)))
        .collect();
    let separated = frame.clone().with("apart", apart).unwrap();
    let text = refused(
        plain()
            .covariates("apart")
            .method(DidMethod::InversePropensity),
        &separated,
    );
    assert!(text.contains("apart") && text.contains("ATT("), "{text}");
    let text = refused(
        plain()
            .covariates("apart")
            .method(DidMethod::OutcomeRegression),
        &separated,
    );
    assert!(text.contains("vary among the"), "{text}");
    assert!(refused(plain().covariates("x | village"), &frame).contains("without `.` and `|`"));

    // Weights and clusters that change within a unit, options out of range.
    let mut weight = numeric("weight");
    weight[3] += 1.0;
    assert!(refused(plain().weights("weight"), &replace("weight", weight)).contains("row 4"));
    assert!(refused(plain().clusters("year"), &frame).contains("same in all rows of `unit` 1"));
    assert!(refused(plain().anticipation(-1.0), &frame).contains("0 or more"));
    let study = plain().fit(&frame).unwrap().event_study().unwrap();
    let unseeded = MultiplierBootstrap::new()
        .run(&study, &["t+0"], 0.95)
        .unwrap_err();
    assert!(unseeded.to_string().contains(".seed(7)"));
}

fn reads_back<T: serde::Serialize + serde::de::DeserializeOwned + std::fmt::Display>(result: &T) {
    let back: T = serde_json::from_str(&serde_json::to_string(result).unwrap()).unwrap();
    assert_eq!(back.to_string(), result.to_string());
}

#[test]
fn all_results_read_back_from_files() {
    let frame = data("tests/reference/rollout.csv");
    let names = ("y", "treated", "unit", "year");
    let two_way = TwoWayFixedEffects::new(names.0, names.1, names.2, names.3)
        .fit(&frame)
        .unwrap();
    assert!(two_way.weights().deviation_for_opposite.is_infinite());
    reads_back(&two_way);
    reads_back(two_way.decomposition().unwrap());
    let interacted = SunAbraham::new(names.0, names.1, names.2, names.3)
        .fit(&frame)
        .unwrap();
    let study = interacted.event_study();
    reads_back(&interacted);
    reads_back(&study);
    reads_back(&study.pre_trend_power(0.05).unwrap());
    reads_back(&study.trend_sensitivity(&[0.0], &[0.0, 0.1], 0.95).unwrap());
    reads_back(
        &Imputation::new(names.0, names.1, names.2, names.3)
            .fit(&frame)
            .unwrap(),
    );
    reads_back(
        &Switching::new(names.0, names.1, names.2, names.3)
            .fit(&frame)
            .unwrap(),
    );
}

#[test]
fn the_other_estimators_refuse_too_and_live_with_gaps() {
    let frame = data("tests/reference/rollout.csv");
    let start = frame.numeric("start").unwrap().values().to_vec();
    let one = frame
        .filter(
            &start
                .iter()
                .map(|s| (*s - 2004.0).abs() < 0.5)
                .collect::<Vec<_>>(),
        )
        .unwrap();
    let none = frame
        .filter(&start.iter().map(|s| *s < 1.0).collect::<Vec<_>>())
        .unwrap();
    let names = ("y", "treated", "unit", "year");
    for frame in [&one, &none] {
        let errors = [
            TwoWayFixedEffects::new(names.0, names.1, names.2, names.3)
                .fit(frame)
                .unwrap_err(),
            SunAbraham::new(names.0, names.1, names.2, names.3)
                .fit(frame)
                .unwrap_err(),
            Imputation::new(names.0, names.1, names.2, names.3)
                .fit(frame)
                .unwrap_err(),
            Stacked::new(names.0, names.1, names.2, names.3, 1, 1)
                .fit(frame)
                .unwrap_err(),
            LocalProjections::new(names.0, names.1, names.2, names.3, 1, 1)
                .fit(frame)
                .unwrap_err(),
            Switching::new(names.0, names.1, names.2, names.3)
                .fit(frame)
                .unwrap_err(),
        ];
        for error in errors {
            assert!(
                matches!(error, cocreate::Error::Unidentified { .. }),
                "{error}"
            );
        }
    }
    let gaps: Vec<bool> = (0..frame.rows()).map(|row| row % 23 != 7).collect();
    let gaps = frame.filter(&gaps).unwrap();
    let two_way = TwoWayFixedEffects::new(names.0, names.1, names.2, names.3)
        .fit(&gaps)
        .unwrap();
    assert!(
        two_way
            .decomposition()
            .unwrap_err()
            .to_string()
            .contains("has no row")
    );
    let near = |estimate: f64| assert!((estimate - 1.5).abs() < 0.4, "{estimate}");
    near(
        Imputation::new(names.0, names.1, names.2, names.3)
            .fit(&gaps)
            .unwrap()
            .estimates()[0],
    );
    near(
        SunAbraham::new(names.0, names.1, names.2, names.3)
            .fit(&gaps)
            .unwrap()
            .simple()
            .estimates()[0],
    );
    near(
        LocalProjections::new(names.0, names.1, names.2, names.3, 2, 2)
            .fit(&gaps)
            .unwrap()
            .average()
            .unwrap()
            .estimate,
    );
    near(
        Switching::new(names.0, names.1, names.2, names.3)
            .fit(&gaps)
            .unwrap()
            .event_study()
            .unwrap()
            .average()
            .unwrap()
            .estimate,
    );
    let missing = CallawaySantAnna::new("z", names.1, names.2, names.3)
        .fit(&frame)
        .unwrap_err();
    assert!(missing.to_string().contains("`z`"), "{missing}");
}

#[test]
fn units_treated_from_the_start_and_cohorts_of_one_are_named() {
    let frame = data("tests/reference/rollout.csv");
    let plain = || CallawaySantAnna::new("y", "start", "unit", "year").starts();
    let with_status = CallawaySantAnna::new("y", "treated", "unit", "year")
        .fit(&frame)
        .unwrap();
    let by_start = plain().fit(&frame).unwrap();
    assert_eq!(with_status.estimates(), by_start.estimates());
    let unit = frame.numeric("unit").unwrap().values().to_vec();
    let mut start = frame.numeric("start").unwrap().values().to_vec();
    for (start, unit) in start.iter_mut().zip(&unit) {
        if *unit < 2.5 {
            *start = 1999.0;
        } else if *unit < 3.5 {
            *start = 2007.0;
        } else if *start < 1.0 {
            *start = f64::NAN;
        }
    }
    let fit = plain()
        .fit(&frame.replace("start", start).unwrap())
        .unwrap();
    let notes: Vec<String> = fit.warnings().iter().map(ToString::to_string).collect();
    assert!(
        notes
            .iter()
            .any(|n| n.starts_with("2 units treated from the first period on left out")),
        "{notes:?}"
    );
    assert!(notes.iter().any(|n| n.contains("cohort 2007")), "{notes:?}");
    assert_eq!(fit.group_time().units(), 148);
}

#[test]
fn a_written_fit_reads_back_and_says_what_it_lacks() {
    let fit = CallawaySantAnna::new("y", "treated", "unit", "year")
        .fit(&data("tests/reference/rollout.csv"))
        .unwrap();
    let back: CallawaySantAnnaFit =
        serde_json::from_str(&serde_json::to_string(&fit).unwrap()).unwrap();
    assert_eq!(back.to_string(), fit.to_string());
    assert!(back.simple().unwrap_err().to_string().contains("fit again"));
    let study = fit.event_study().unwrap();
    let plain = study.plot(None).unwrap().to_svg().to_owned();
    assert!(plain.contains("time since treatment") && !plain.contains("of all at once"));
    let bands = MultiplierBootstrap::new()
        .seed(7)
        .run(&study, &study.after(), 0.9)
        .unwrap();
    let banded = study.plot(Some(&bands)).unwrap().to_svg().to_owned();
    assert!(
        banded.contains("thin: 90 % intervals of all at once"),
        "{banded}"
    );
    // With bands the own whisker of each effect is thick.
    let thick = |svg: &str| svg.matches("stroke-width=\"50\"").count();
    assert_eq!((thick(&plain), thick(&banded)), (0, study.times().len()));
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(24))]
    /// What is common to all units of a period, and what is a unit's own, is differenced away; units of measurement carry over; twice the units are twice the weight.
    #[test]
    fn group_time_effects_see_differences_of_changes_alone(seed in 0_u64..1000, scale in 0.1_f64..10.0, shock in -5.0_f64..5.0) {
        let frame = small(seed).simulate().unwrap().data;
        let column = |name: &str| frame.numeric(name).unwrap().values().to_vec();
        let (unit, period) = (column("unit"), column("period"));
        let moved: Vec<f64> = column("y").iter().zip(unit.iter().zip(&period))
            .map(|(y, (unit, period))| scale * y + shock * (period * period) + (unit * 1.7).sin() * 9.0)
            .collect();
        let model = CallawaySantAnna::new("y", "treated", "unit", "period").controls(ControlGroup::NotYetTreated);
        let before = model.fit(&frame).unwrap();
        let after = model.fit(&frame.replace("y", moved).unwrap()).unwrap();
        for (a, b) in before.coefficients().iter().zip(after.coefficients()) {
            proptest::prop_assert!((scale * a.estimate - b.estimate).abs() < 1e-9 * (1.0 + scale));
            proptest::prop_assert!((scale * a.std_error - b.std_error).abs() < 1e-9 * (1.0 + scale));
        }
    }
}

#[test]
fn the_power_of_the_test_before_treatment_is_that_of_scipy_and_of_draws() {
    let reference = fixture("rollout");
    let frame = data(reference["data"].as_str().unwrap());
    let values = &reference["values"]["regressions"]["plain"]["pre_trends"];
    let study = SunAbraham::new("y", "treated", "unit", "year")
        .fit(&frame)
        .unwrap()
        .event_study();
    let found: Vec<PreTrendPower> = [0.5, 0.8]
        .map(|power| study.detectable_slope(power).unwrap())
        .into();
    // Integrals in four dimensions, ours to 1e-4.
    agree("size", &[found[0].size], &numbers(&values["size"]), 1e-3);
    agree(
        "slopes",
        &[found[0].slope, found[1].slope],
        &numbers(&values["slopes"]),
        1e-3,
    );
    assert!((found[1].power - 0.8).abs() < 3e-4);
    for ((time, mean), error) in found[0]
        .times
        .iter()
        .zip(numbers(&values["passed"]))
        .zip(numbers(&values["passed_error"]))
    {
        assert!(
            (time.bias_if_passed - mean).abs() < 4.5 * error,
            "{time:?} and not {mean}"
        );
        assert!((time.bias - found[0].slope * (time.time + 1.0)).abs() < 1e-12);
    }
    assert!(
        study
            .detectable_slope(0.01)
            .unwrap_err()
            .to_string()
            .contains("the size of the test")
    );
    let varying = CallawaySantAnna::new("y", "treated", "unit", "year")
        .fit(&frame)
        .unwrap()
        .event_study()
        .unwrap();
    assert!(
        varying
            .detectable_slope(0.8)
            .unwrap_err()
            .to_string()
            .contains("BasePeriod::Universal")
    );
}

fn all(fit: &impl Inference) -> (Vec<f64>, Vec<f64>) {
    let errors = fit.std_errors().iter().copied().collect();
    (fit.estimates().iter().copied().collect(), errors)
}

#[test]
fn regressions_on_a_roll_out_are_those_of_pyfixest() {
    let reference = fixture("rollout");
    let frame = data(reference["data"].as_str().unwrap());
    for (name, weighted) in [("plain", false), ("weighted", true)] {
        let values = &reference["values"]["regressions"][name];
        let two_way = || {
            let model = TwoWayFixedEffects::new("y", "treated", "unit", "year");
            if weighted {
                model.weights("weight").clusters("village")
            } else {
                model
            }
        };
        let covariates = if weighted {
            two_way().covariates("x:year")
        } else {
            two_way()
        };
        let (estimate, error) = all(&covariates.fit(&frame).unwrap());
        agree(
            "static",
            &[estimate[0], error[0]],
            &numbers(&values["static"]),
            1e-7,
        );
        let check = |what: &str, study: &EventStudy, key: &str| {
            let (att, se) = all(study);
            assert_eq!(study.times(), numbers(&values[key]["at"]));
            assert_eq!(study.reference(), Some(-1.0));
            agree(what, &att, &numbers(&values[key]["att"]), 1e-6);
            agree(
                &format!("{what} errors"),
                &se,
                &numbers(&values[key]["se"]),
                1e-6,
            );
        };
        check(
            "event study",
            &two_way().event_study(&frame).unwrap(),
            "event",
        );
        let model = SunAbraham::new("y", "treated", "unit", "year");
        let model = if weighted {
            model.weights("weight").clusters("village")
        } else {
            model
        };
        check(
            "Sun and Abraham",
            &model.fit(&frame).unwrap().event_study(),
            "sun_abraham",
        );
        if !weighted {
            let fit = Imputation::two_stage("y", "treated", "unit", "year")
                .fit(&frame)
                .unwrap();
            let (estimate, error) = all(&fit);
            // Theirs have no factor G/(G − 1).
            let plain = (149.0_f64 / 150.0).sqrt();
            agree(
                "two stages",
                &[estimate[0], plain * error[0]],
                &numbers(&values["two_stage"]),
                1e-6,
            );
            // Theirs has the effects of units and years to six digits; those of dense matrices are met below. Their reference is ours too.
            let (mut att, mut se) = all(fit.event_study());
            let reference = fit
                .event_study()
                .times()
                .iter()
                .position(|t| *t == -1.0)
                .unwrap();
            att.remove(reference);
            se.remove(reference);
            agree(
                "two stages by time",
                &att,
                &numbers(&values["two_stage_event"]["att"]),
                5e-6,
            );
            let se: Vec<f64> = se.iter().map(|s| s * plain).collect();
            agree(
                "two stages by time, errors",
                &se,
                &numbers(&values["two_stage_event"]["se"]),
                5e-6,
            );
        }
    }
}

#[test]
fn imputation_is_that_of_dense_matrices() {
    let reference = fixture("rollout");
    let frame = data(reference["data"].as_str().unwrap());
    for (key, weighted) in [("imputation", false), ("imputation_weighted", true)] {
        let values = &reference["values"][key];
        let model = Imputation::new("y", "treated", "unit", "year");
        let model = if weighted {
            model.weights("weight").clusters("village")
        } else {
            model
        };
        let fit = model.fit(&frame).unwrap();
        let count = fit.event_study().effects().clusters() as f64;
        let plain = ((count - 1.0) / count).sqrt();
        let (att, se) = all(&fit);
        agree(
            key,
            &[att[0], plain * se[0]],
            &numbers(&values["att"]),
            1e-9,
        );
        let (att, se) = all(fit.event_study());
        agree(key, &att, &numbers(&values["event"]), 1e-9);
        let se: Vec<f64> = se.iter().map(|s| s * plain).collect();
        agree(key, &se, &numbers(&values["event_se"]), 1e-9);
        let values = &reference["values"][key.replace("imputation", "two_stage")];
        let model = Imputation::two_stage("y", "treated", "unit", "year");
        let model = if weighted {
            model.weights("weight").clusters("village")
        } else {
            model
        };
        let fit = model.fit(&frame).unwrap();
        let (att, se) = all(fit.event_study());
        assert_eq!(fit.event_study().times(), numbers(&values["at"]));
        agree("two stages", &att, &numbers(&values["att"]), 1e-9);
        let se: Vec<f64> = se.iter().map(|s| s * plain).collect();
        agree("two stages, errors", &se, &numbers(&values["se"]), 1e-9);
    }
}

#[test]
fn two_way_fixed_effects_are_taken_apart_as_by_definition() {
    let reference = fixture("rollout");
    let frame = data(reference["data"].as_str().unwrap());
    let model = TwoWayFixedEffects::new("y", "treated", "unit", "year");
    let fit = model.fit(&frame).unwrap();
    let parts = fit.decomposition().unwrap();
    for comparison in reference["values"]["bacon"].as_array().unwrap() {
        let year = |key: &str| match comparison[key].as_i64().unwrap() {
            0 => "never".to_owned(),
            year => year.to_string(),
        };
        let own = parts
            .comparisons()
            .iter()
            .find(|c| c.treated == year("treated") && c.control == year("control"))
            .unwrap();
        agree(
            "comparison",
            &[own.estimate, own.weight],
            &[
                comparison["estimate"].as_f64().unwrap(),
                comparison["weight"].as_f64().unwrap(),
            ],
            1e-9,
        );
    }
    let mean: f64 = parts
        .comparisons()
        .iter()
        .map(|c| c.weight * c.estimate)
        .sum();
    assert!((mean - fit.estimates()[0]).abs() < 1e-10);
    assert!(parts.plot().unwrap().to_svg().contains("treated earlier"));
    let start = frame.numeric("start").unwrap().values().to_vec();
    let ever = frame
        .filter(&start.iter().map(|s| *s > 0.0).collect::<Vec<_>>())
        .unwrap();
    for (frame, values) in [&frame, &ever]
        .iter()
        .zip(reference["values"]["two_way_weights"].as_array().unwrap())
    {
        let fit = model.fit(frame).unwrap();
        let weights = fit.weights();
        assert_eq!(
            (weights.treated as u64, weights.negative as u64),
            (
                values["treated"].as_u64().unwrap(),
                values["negative"].as_u64().unwrap()
            )
        );
        let ours = [
            fit.estimates()[0],
            weights.negative_sum,
            weights.deviation_for_zero,
        ];
        agree(
            "weights",
            &ours,
            &["beta", "negative_sum", "zero"].map(|key| values[key].as_f64().unwrap()),
            1e-9,
        );
        assert_eq!(
            weights.negative > 0,
            fit.warnings()
                .iter()
                .any(|w| w.to_string().contains("negative weights"))
        );
        match values["opposite"].as_f64() {
            Some(opposite) => agree(
                "opposite",
                &[weights.deviation_for_opposite],
                &[opposite],
                1e-9,
            ),
            None => assert!(weights.deviation_for_opposite.is_infinite()),
        }
    }
}

#[test]
fn where_two_way_fixed_effects_flip_the_sign_each_remedy_recovers_the_effect() {
    let simulated = StaggeredRollout {
        seed: Some(Seed::new(5)),
        ..StaggeredRollout::sign_flip()
    }
    .simulate()
    .unwrap();
    let frame = &simulated.data;
    let two_way = TwoWayFixedEffects::new("y", "treated", "unit", "period")
        .fit(frame)
        .unwrap();
    let coefficient = two_way.coefficient("treated").unwrap();
    let oracle = |name: &str| simulated.oracle.effect(name).unwrap();
    assert!(coefficient.estimate < -3.0 * coefficient.std_error);
    assert!((coefficient.estimate - oracle("twfe")).abs() < 4.0 * coefficient.std_error);
    assert!((two_way.weights().negative_sum - oracle("negative_weight")).abs() < 1e-9);
    // The effects are 0.1, 1.1, …; the early cohort has controls for seven periods, whose mean is 3.1.
    let near = |what: &str, estimate: Estimate, truth: f64| {
        assert!(
            (estimate.estimate - truth).abs() < 4.0 * estimate.std_error,
            "{what}: {estimate} and not {truth}"
        );
        assert!(estimate.std_error < 0.2, "{what}: {estimate}");
    };
    let callaway = CallawaySantAnna::new("y", "treated", "unit", "period")
        .controls(ControlGroup::NotYetTreated)
        .fit(frame)
        .unwrap();
    near(
        "Callaway and Sant'Anna",
        callaway.simple().unwrap().coefficient("ATT").unwrap(),
        3.1,
    );
    let interacted = SunAbraham::new("y", "treated", "unit", "period")
        .fit(frame)
        .unwrap();
    near(
        "Sun and Abraham",
        interacted.simple().coefficient("ATT").unwrap(),
        3.1,
    );
    let before: Vec<bool> = frame
        .real("period")
        .unwrap()
        .iter()
        .map(|t| *t < 9.0)
        .collect();
    let before = frame.filter(&before).unwrap();
    for model in [
        Imputation::new("y", "treated", "unit", "period"),
        Imputation::two_stage("y", "treated", "unit", "period"),
    ] {
        let refused = model.fit(frame).unwrap_err().to_string();
        assert!(refused.contains("leave out that period"), "{refused}");
        near(
            "imputation",
            model.fit(&before).unwrap().coefficient("ATT").unwrap(),
            3.1,
        );
    }
}

#[test]
fn one_cohort_and_no_covariates_make_all_estimators_one() {
    let frame = StaggeredRollout {
        cohorts: cohorts(&[(3, 1.0, 0.3), (6, 0.0, 0.0)]),
        ..small(11)
    }
    .simulate()
    .unwrap()
    .data;
    let study = TwoWayFixedEffects::new("y", "treated", "unit", "period")
        .event_study(&frame)
        .unwrap();
    let interacted = SunAbraham::new("y", "treated", "unit", "period")
        .fit(&frame)
        .unwrap()
        .event_study();
    let callaway = CallawaySantAnna::new("y", "treated", "unit", "period")
        .base_period(BasePeriod::Universal)
        .fit(&frame)
        .unwrap()
        .event_study()
        .unwrap();
    assert_eq!(study.names(), callaway.names());
    for other in [&interacted, &callaway] {
        agree("one cohort", &all(other).0, &all(&study).0, 1e-10);
    }
    // The errors of both kinds are those of sums of units, but for the factors.
    agree("errors", &all(&callaway).1, &all(&study).1, 0.02);
}

#[test]
fn the_errors_of_all_estimators_cover() {
    let runs = 300;
    let mut inside = [0; 4];
    for run in 0..runs {
        let frame = small(1000 + run).simulate().unwrap().data;
        let truth = (1.0 + 1.5 + 2.0 + 2.5 + 0.5 + 0.3) / 6.0;
        let found = [
            SunAbraham::new("y", "treated", "unit", "period")
                .fit(&frame)
                .unwrap()
                .simple()
                .coefficient("ATT"),
            Imputation::new("y", "treated", "unit", "period")
                .fit(&frame)
                .unwrap()
                .coefficient("ATT"),
            Imputation::two_stage("y", "treated", "unit", "period")
                .fit(&frame)
                .unwrap()
                .coefficient("ATT"),
            CallawaySantAnna::new("y", "treated", "unit", "period")
                .controls(ControlGroup::NotYetTreated)
                .fit(&frame)
                .unwrap()
                .simple()
                .unwrap()
                .coefficient("ATT"),
        ];
        for (count, estimate) in inside.iter_mut().zip(found) {
            let interval = estimate.unwrap().confidence_interval(0.95).unwrap();
            *count += i32::from((interval.lower..=interval.upper).contains(&truth));
        }
    }
    let shares = inside.map(|count| f64::from(count) / runs as f64);
    println!("Sun and Abraham, imputation, two stages, Callaway and Sant'Anna cover {shares:?}");
    // The Monte Carlo error is 1.3 points; the conservative one and the one that knows of differences between times may cover more.
    assert!(
        shares.iter().all(|share| (0.91..=0.995).contains(share)),
        "{shares:?}"
    );
}

/// A treatment of effect 1 that comes and goes, common shocks and levels of units; drawn in the same way by `tests/reference/make/switching.py`.
fn coupons(seed: u64) -> Frame {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut uniform = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) as f64 / (1_u64 << 53) as f64
    };
    let (mut unit, mut week, mut on, mut y) = (vec![], vec![], vec![], vec![]);
    for i in 0..80 {
        let level = 3.0 * uniform();
        let mut treated = f64::from(u8::from(uniform() < 0.4));
        for t in 0..6 {
            if t > 0 && uniform() < 0.25 {
                treated = 1.0 - treated;
            }
            let noise: f64 = (0..4).map(|_| uniform() - 0.5).sum();
            unit.push(f64::from(i));
            week.push(f64::from(t));
            on.push(treated);
            y.push(level + (f64::from(t) * 1.3).sin() + treated + noise);
        }
    }
    Frame::new()
        .with("unit", unit)
        .unwrap()
        .with("week", week)
        .unwrap()
        .with("on", on)
        .unwrap()
        .with("y", y)
        .unwrap()
}

#[test]
fn changes_of_treatment_are_compared_by_definition() {
    let frame = coupons(3);
    let column = |name: &str| frame.numeric(name).unwrap().values().to_vec();
    let (on, y) = (column("on"), column("y"));
    // Rows are units by six weeks.
    let at = |values: &[f64], unit: usize, week: usize| values[6 * unit + week];
    let (mut sum, mut count) = (0.0, 0.0);
    for week in 1..6 {
        for before in [0.0, 1.0] {
            let mean = |after: f64| -> (f64, f64) {
                let own: Vec<f64> = (0..80)
                    .filter(|unit| {
                        at(&on, *unit, week - 1) == before && at(&on, *unit, week) == after
                    })
                    .map(|unit| at(&y, unit, week) - at(&y, unit, week - 1))
                    .collect();
                (own.iter().sum::<f64>() / own.len() as f64, own.len() as f64)
            };
            let ((moved, size), (stayed, _)) = (mean(1.0 - before), mean(before));
            sum += size * (1.0 - 2.0 * before) * (moved - stayed);
            count += size;
        }
    }
    let model = Switching::new("y", "on", "unit", "week");
    let fit = model.fit(&frame).unwrap();
    assert_eq!(fit.switches() as f64, count);
    agree("DID_M", &[fit.estimates()[0]], &[sum / count], 1e-12);
    // Reference software has the same draws. It takes the placebo the other way round, and its errors another way.
    let reference = fixture("switching");
    let values = &reference["values"];
    let study = fit.event_study().unwrap();
    agree(
        "DID_M",
        &all(&fit).0,
        &[
            values["did_m"].as_f64().unwrap(),
            -values["placebo"].as_f64().unwrap(),
        ],
        1e-12,
    );
    let ours: Vec<f64> = (0..4)
        .map(|l| study.at(f64::from(l)).unwrap().estimate)
        .collect();
    agree("DID_l", &ours, &numbers(&values["did_l"]), 1e-12);
    agree(
        "placebo of a first change",
        &[study.at(-2.0).unwrap().estimate],
        &numbers(&values["did_l_placebo"]),
        1e-12,
    );
    // Untreated for treated, the effect changes its sign and nothing else.
    let off: Vec<f64> = on.iter().map(|on| 1.0 - on).collect();
    let mirrored = model.fit(&frame.replace("on", off).unwrap()).unwrap();
    let negative: Vec<f64> = mirrored.estimates().iter().map(|e| -e).collect();
    agree("mirrored", &negative, &all(&fit).0, 1e-12);
    agree("mirrored errors", &all(&mirrored).1, &all(&fit).1, 1e-12);
    let (study, other) = (fit.event_study().unwrap(), mirrored.event_study().unwrap());
    agree("mirrored study", &all(other).1, &all(study).1, 1e-10);
    // A treatment that stays on is a roll-out.
    let rollout = data("tests/reference/rollout.csv");
    let switching = Switching::new("y", "treated", "unit", "year")
        .fit(&rollout)
        .unwrap();
    let callaway = CallawaySantAnna::new("y", "treated", "unit", "year")
        .controls(ControlGroup::NotYetTreated)
        .base_period(BasePeriod::Universal)
        .fit(&rollout)
        .unwrap();
    let (ours, theirs) = (
        switching.event_study().unwrap(),
        callaway.event_study().unwrap(),
    );
    assert_eq!(ours.names(), theirs.names());
    agree("a roll-out", &all(ours).0, &all(&theirs).0, 1e-12);
    agree("a roll-out, errors", &all(ours).1, &all(&theirs).1, 1e-12);
    let wrong = CallawaySantAnna::new("y", "on", "unit", "week")
        .fit(&frame)
        .unwrap_err()
        .to_string();
    assert!(wrong.contains("Switching"), "{wrong}");
    let two = model
        .fit(
            &frame
                .replace("on", on.iter().map(|on| 2.0 * on).collect::<Vec<_>>())
                .unwrap(),
        )
        .unwrap_err();
    assert!(two.to_string().contains("0 or 1"), "{two}");
}

#[test]
fn changes_in_a_panel_with_gaps_are_those_of_rows_that_are_there() {
    let reference = fixture("switching_gaps");
    let values = &reference["values"];
    let frame = coupons(3);
    let keep: Vec<bool> = (0..frame.rows()).map(|row| row % 11 != 5).collect();
    let frame = frame.filter(&keep).unwrap();
    let model = Switching::new("y", "on", "unit", "week");
    let fit = model.fit(&frame).unwrap();
    agree("DID_M", &all(&fit).0, &numbers(&values["did_m"]), 1e-12);
    let study = fit.event_study().unwrap();
    assert_eq!(study.times(), numbers(&values["times"]));
    agree("DID_l", &all(study).0, &numbers(&values["did_l"]), 1e-12);
    agree("errors", &all(study).1, &numbers(&values["errors"]), 1e-12);
    let text = study.to_string();
    let unclear = values["unclear"].as_u64().unwrap();
    assert!(
        text.contains(&format!("{unclear} units have no row in the period before")),
        "{text}"
    );
    // The order of rows does not matter.
    let backwards: Vec<usize> = (0..frame.rows()).rev().collect();
    let other = model.fit(&frame.take(&backwards).unwrap()).unwrap();
    agree("turned", &all(&other).0, &all(&fit).0, 1e-12);
    let other = other.event_study().unwrap().clone();
    agree("turned study", &all(&other).1, &all(study).1, 1e-10);
}

#[test]
fn errors_at_changes_of_treatment_cover() {
    let runs = 500;
    let (mut covered, mut placebo, mut later) = (0, 0, 0);
    for run in 1..=runs {
        let fit = Switching::new("y", "on", "unit", "week")
            .fit(&coupons(run))
            .unwrap();
        let inside = |name: &str, truth: f64| {
            let interval = fit
                .coefficient(name)
                .unwrap()
                .confidence_interval(0.95)
                .unwrap();
            i32::from((interval.lower..=interval.upper).contains(&truth))
        };
        covered += inside("DID_M", 1.0);
        placebo += inside("placebo", 0.0);
        let first = fit
            .event_study()
            .unwrap()
            .at(0.0)
            .unwrap()
            .confidence_interval(0.95)
            .unwrap();
        later += i32::from((first.lower..=first.upper).contains(&1.0));
    }
    let shares = [covered, placebo, later].map(|count| f64::from(count) / runs as f64);
    println!("changes cover {shares:?}");
    // The Monte Carlo error is one point.
    assert!(
        shares.iter().all(|share| (0.92..=0.975).contains(share)),
        "{shares:?}"
    );
}

#[test]
fn stacks_and_local_projections_are_those_of_pyfixest() {
    let reference = fixture("rollout");
    let frame = data(reference["data"].as_str().unwrap());
    let values = &reference["values"]["stacks"];
    let check = |study: &EventStudy, values: &Value, factor: f64| {
        let (att, se) = all(study);
        agree("effects", &att, &numbers(&values["att"]), 1e-7);
        let se: Vec<f64> = se.iter().map(|s| s * factor).collect();
        agree("errors", &se, &numbers(&values["se"]), 1e-7);
    };
    // 1 376 rows and 13 parameters; theirs counts two more, an effect of a period of each further stack, which the units' effects make redundant.
    let redundant = (1363.0_f64 / 1361.0).sqrt();
    let stacked = || Stacked::new("y", "treated", "unit", "year", 2, 1);
    check(
        &stacked().fit(&frame).unwrap(),
        &values["weighted"],
        redundant,
    );
    check(
        &stacked().unweighted().fit(&frame).unwrap(),
        &values["unweighted"],
        redundant,
    );
    // With gaps controls count by the treated rows of their period.
    let gaps: Vec<bool> = (0..frame.rows()).map(|row| row % 23 != 7).collect();
    let gaps = frame.filter(&gaps).unwrap();
    let loose = |study: &EventStudy, values: &Value| {
        agree("effects", &all(study).0, &numbers(&values["att"]), 1e-7);
        // Parameters are counted otherwise.
        agree("errors", &all(study).1, &numbers(&values["se"]), 2e-3);
    };
    // Who has no row when treatment starts has a start all the same.
    let started = || Stacked::new("y", "start", "unit", "year", 2, 1).starts();
    loose(&started().fit(&gaps).unwrap(), &values["gaps"]["weighted"]);
    loose(
        &started().unweighted().fit(&gaps).unwrap(),
        &values["gaps"]["unweighted"],
    );
    let projections = || LocalProjections::new("y", "treated", "unit", "year", 2, 3);
    let study = projections().fit(&frame).unwrap();
    assert_eq!(study.times(), numbers(&values["projections"]["at"]));
    check(&study, &values["projections"], 1.0);
    // With even weights they are Callaway and Sant'Anna's.
    let even = projections().equally_weighted().fit(&frame).unwrap();
    let callaway = CallawaySantAnna::new("y", "treated", "unit", "year")
        .controls(ControlGroup::NotYetTreated)
        .base_period(BasePeriod::Universal)
        .fit(&frame)
        .unwrap()
        .event_study()
        .unwrap();
    let theirs: Vec<f64> = even
        .times()
        .iter()
        .map(|time| callaway.at(*time).unwrap().estimate)
        .collect();
    agree("even weights", &all(&even).0, &theirs, 1e-10);
    // Horizons and windows that do not exist.
    let text = LocalProjections::new("y", "treated", "unit", "year", 2, 9)
        .fit(&frame)
        .unwrap_err()
        .to_string();
    assert!(
        text.contains("horizon 5") && text.contains("fewer horizons"),
        "{text}"
    );
    let text = Stacked::new("y", "treated", "unit", "year", 2, 9)
        .fit(&frame)
        .unwrap_err()
        .to_string();
    assert!(text.contains("make the window shorter"), "{text}");
    let short = Stacked::new("y", "treated", "unit", "year", 2, 2)
        .fit(&frame)
        .unwrap();
    assert!(short.warnings().iter().any(|w| {
        w.to_string()
            .contains("left out, whose window is not in the panel or has no controls: 2006")
    }));
    let bands = MultiplierBootstrap::new()
        .seed(1)
        .run(&study, &study.after(), 0.95)
        .unwrap();
    assert!(bands.critical_value > 1.97 && bands.critical_value < 2.8);
}

#[test]
fn intervals_for_smooth_differences_in_trends_are_those_of_the_definition() {
    let reference = fixture("rollout");
    let frame = data(reference["data"].as_str().unwrap());
    let values = &reference["values"]["regressions"]["plain"]["smooth"];
    let study = SunAbraham::new("y", "treated", "unit", "year")
        .fit(&frame)
        .unwrap()
        .event_study();
    let bounds = numbers(&values["bounds"]);
    for (key, times) in [
        ("first", vec![0.0]),
        ("even", vec![0.0, 1.0, 2.0, 3.0, 4.0]),
    ] {
        // Theirs has the normal distribution too, though the study knows of 149 degrees of freedom.
        let found = study.trend_sensitivity(&times, &bounds, 0.95).unwrap();
        for (own, theirs) in found.intervals.iter().zip(values[key].as_array().unwrap()) {
            let theirs = numbers(theirs);
            let half = (own.upper - own.lower) / 2.0;
            // Their linear programme meets its constraints to 1e-7: the last bias is 0.2 exactly, and 0.19999994 theirs.
            agree("half", &[half], &[theirs[3]], 1e-6);
            assert!(
                (own.estimate - theirs[0]).abs() < 2e-3 * half,
                "{own:?} and not {theirs:?}"
            );
        }
        assert!(
            (found.parallel.estimate
                - times
                    .iter()
                    .map(|t| study.at(*t).unwrap().estimate)
                    .sum::<f64>()
                    / times.len() as f64)
                .abs()
                < 1e-12
        );
    }
    let refused = |times: &[f64], bounds: &[f64]| {
        study
            .trend_sensitivity(times, bounds, 0.95)
            .unwrap_err()
            .to_string()
    };
    assert!(refused(&[-2.0], &[0.1]).contains("from 0 on"));
    assert!(refused(&[0.0], &[-0.1]).contains("0 or more"));
    assert!(refused(&[7.0], &[0.1]).contains("t+7"));
    assert!(
        study
            .trend_sensitivity(&[0.0], &bounds, 0.95)
            .unwrap()
            .plot()
            .unwrap()
            .to_svg()
            .contains("M = 0.05")
    );
}

#[test]
fn smooth_intervals_cover_where_trends_bend() {
    let runs = 300;
    let (bend, mut parallel, mut smooth) = (0.2, 0, 0);
    for run in 0..runs {
        let frame = StaggeredRollout {
            cohorts: cohorts(&[(3, 1.0, 0.0), (6, 0.0, 0.0)]),
            ..small(5000 + run)
        }
        .simulate()
        .unwrap()
        .data;
        let column = |name: &str| frame.numeric(name).unwrap().values().to_vec();
        let (period, cohort) = (column("period"), column("cohort"));
        // The treated gain bend/2 · t(t + 3): a slope that grows by `bend` a period.
        let moved: Vec<f64> = (column("y").iter().zip(period.iter().zip(&cohort)))
            .map(|(y, (t, cohort))| {
                y + if *cohort < 5.5 {
                    bend / 2.0 * t * (t + 3.0)
                } else {
                    0.0
                }
            })
            .collect();
        let study = SunAbraham::new("y", "treated", "unit", "period")
            .fit(&frame.replace("y", moved).unwrap())
            .unwrap()
            .event_study();
        let found = study.trend_sensitivity(&[0.0], &[bend], 0.95).unwrap();
        let inside =
            |interval: &SmoothInterval| i32::from((interval.lower..=interval.upper).contains(&1.0));
        parallel += inside(&found.parallel);
        smooth += inside(&found.intervals[0]);
    }
    let share = |count: i32| f64::from(count) / runs as f64;
    println!(
        "bent trends: parallel {}, smooth {}",
        share(parallel),
        share(smooth)
    );
    // Parallel trends fail, as they must; the interval that allows for the bend covers at least as often as it says.
    assert!(share(parallel) < 0.5 && share(smooth) > 0.925);
}
