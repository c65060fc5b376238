//! Dynamic panels by GMM: agreement with pydynpd, recovery and coverage, what holds for any panel, bad input.

use crate::support::{agree, data, fixture, numbers};
use cocreate::prelude::*;
use proptest::prelude::{prop_assert, proptest};
use proptest::test_runner::Config;
use rand_distr::{Distribution as _, StandardNormal};

fn with_regressors(model: DynamicPanelGmm) -> DynamicPanelGmm {
    model.predetermined(&["x"]).exogenous(&["w"])
}

fn firms() -> DynamicPanelGmm {
    with_regressors(DynamicPanelGmm::difference("y", "firm", "year"))
}

fn firm_system() -> DynamicPanelGmm {
    with_regressors(DynamicPanelGmm::system("y", "firm", "year"))
}

#[test]
fn both_steps_their_errors_and_tests_are_those_of_pydynpd() {
    let reference = fixture("dynamic_panel");
    let frame = data("tests/reference/dynamic_panel.csv");
    let two_lags = DynamicPanelGmm::difference("y", "firm", "year").outcome_lags(2);
    let models = [
        ("difference_one", firms().one_step()),
        ("difference_two", firms()),
        ("collapsed", firms().collapsed().instrument_lags(3)),
        ("periods", firms().collapsed().period_effects()),
        (
            "two_lags",
            two_lags
                .endogenous(&["x"])
                .exogenous(&["w"])
                .collapsed()
                .instrument_lags(3),
        ),
        (
            "system_one",
            firm_system().collapsed().instrument_lags(3).one_step(),
        ),
        ("system_two", firm_system().collapsed().instrument_lags(3)),
        (
            "system_periods",
            firm_system().instrument_lags(2).period_effects(),
        ),
    ];
    for (key, model) in models {
        let theirs = &reference["values"][key];
        let names: Vec<String> = serde_json::from_value(theirs["names"].clone()).unwrap();
        let fit = model.fit(&frame).unwrap();
        let ours: Vec<Estimate> = (names.iter())
            .map(|name| {
                fit.coefficient(if name == "_con" { "(Intercept)" } else { name })
                    .unwrap()
            })
            .collect();
        let estimates: Vec<f64> = ours.iter().map(|e| e.estimate).collect();
        agree(key, &estimates, &numbers(&theirs["estimates"]), 1e-8);
        let errors: Vec<f64> = ours.iter().map(|e| e.std_error).collect();
        agree(key, &errors, &numbers(&theirs["errors"]), 1e-8);
        let hansen = fit.hansen().unwrap();
        let Distribution::ChiSquared { df } = hansen.distribution else {
            panic!("{hansen:?}");
        };
        agree(
            key,
            &[hansen.statistic, df],
            &numbers(&theirs["hansen"]),
            1e-8,
        );
        let z: Vec<f64> = fit.autocorrelation().iter().map(|t| t.statistic).collect();
        // Theirs of one step takes scores of the second; plm has it right.
        if !key.ends_with("one") {
            agree(key, &z, &numbers(&theirs["autocorrelation"]), 1e-7);
        }
        let counts = [fit.instruments() as f64, fit.rows() as f64];
        let theirs = [&theirs["instruments"], &theirs["observations"]].map(|v| numbers(v)[0]);
        assert_eq!(counts, theirs, "{key}");
    }
}

#[test]
fn difference_gmm_is_that_of_plm() {
    let reference = fixture("dynamic_panel_r");
    let values = &reference["values"];
    let frame = data("tests/reference/dynamic_panel.csv");
    for (key, model) in [("one", firms().one_step()), ("two", firms())] {
        let (theirs, fit) = (&values[key], model.fit(&frame).unwrap());
        agree(
            key,
            fit.estimates().as_slice(),
            &numbers(&theirs["estimates"]),
            1e-7,
        );
        agree(
            key,
            fit.std_errors().as_slice(),
            &numbers(&theirs["errors"]),
            1e-7,
        );
        let z: Vec<f64> = fit.autocorrelation().iter().map(|t| t.statistic).collect();
        agree(key, &z, &numbers(&theirs["autocorrelation"]), 1e-7);
        let tests = [
            fit.hansen().unwrap().statistic,
            fit.sargan().unwrap().statistic,
        ];
        let theirs = [numbers(&values["hansen"]), numbers(&values["sargan"])].concat();
        agree(key, &tests, &theirs, 1e-7);
    }
}

/// Outcomes with persistence `rho` and a predetermined regressor of slope 0.5; drawn near their long-run mean.
fn panel(units: usize, periods: usize, rho: f64, draw: u64) -> Frame {
    let mut generator = Seed::new(91).stream(draw);
    let mut normal = || -> f64 { StandardNormal.sample(&mut generator) };
    let (mut id, mut time, mut y, mut x) = (vec![], vec![], vec![], vec![]);
    for unit in 0..units {
        let taste = normal();
        let (mut now, mut regressor, mut shock) = (taste / (1.0 - rho), 0.0, 0.0);
        for t in 0..periods + 20 {
            regressor = 0.5 * regressor + 0.3 * shock + normal();
            shock = normal();
            now = rho * now + 0.5 * regressor + taste + shock;
            if t >= 20 {
                id.push(unit as f64);
                time.push(t as f64);
                y.push(now);
                x.push(regressor);
            }
        }
    }
    Frame::new()
        .with("id", id)
        .unwrap()
        .with("t", time)
        .unwrap()
        .with("y", y)
        .unwrap()
        .with("x", x)
        .unwrap()
}

#[test]
fn it_recovers_persistence_where_within_units_does_not_and_covers() {
    let draws = 100;
    let (mut covered, mut system, mut over, mut second, mut within, mut mean) =
        (0, 0, 0, 0, 0.0, 0.0);
    for draw in 0..draws {
        let frame = panel(150, 6, 0.5, draw);
        let difference = DynamicPanelGmm::difference("y", "id", "t")
            .predetermined(&["x"])
            .collapsed();
        let fit = difference.fit(&frame).unwrap();
        let covers = |fit: &DynamicPanelGmmFit| {
            let i = fit
                .coefficient("L1.y")
                .unwrap()
                .confidence_interval(0.9)
                .unwrap();
            usize::from(i.lower <= 0.5 && 0.5 <= i.upper)
        };
        covered += covers(&fit);
        mean += fit.coefficient("L1.y").unwrap().estimate / draws as f64;
        over += usize::from(fit.hansen().unwrap().p_value <= 0.1);
        second += usize::from(fit.autocorrelation()[1].p_value <= 0.1);
        assert!(fit.autocorrelation()[0].p_value < 0.05);
        let both = DynamicPanelGmm::system("y", "id", "t")
            .predetermined(&["x"])
            .collapsed();
        system += covers(&both.fit(&frame).unwrap());
        let (y, t) = (frame.real("y").unwrap(), frame.real("t").unwrap());
        let keep: Vec<bool> = t.iter().map(|t| *t > 20.5).collect();
        let before: Vec<f64> = [[0.0].as_slice(), &y[..y.len() - 1]].concat();
        let lagged = frame.with("before", before).unwrap().filter(&keep).unwrap();
        let naive = Ols::new("y ~ before + x | id").fit(&lagged).unwrap();
        within += naive.coefficient("before").unwrap().estimate / draws as f64;
    }
    println!(
        "difference {covered}, system {system}; Hansen {over}, second order {second} of {draws}; means {mean:.3}, within {within:.3}"
    );
    // Three standard errors of 100 draws are 9 points at 0.9.
    for count in [covered, system] {
        assert!(count as f64 / draws as f64 > 0.81, "{count}");
    }
    for count in [over, second] {
        assert!((count as f64 / draws as f64) < 0.19, "{count}");
    }
    assert!((mean - 0.5).abs() < 0.05 && within < 0.35);
}

proptest! {
    #![proptest_config(Config::with_cases(12))]

    /// Effects of units do not matter to differences; scale and the order of rows neither.
    #[test]
    fn unit_effects_scale_and_rows(draw in 0_u64..1000, scale in 0.01_f64..100.0, level in -5.0_f64..5.0) {
        let frame = panel(40, 6, 0.4, draw);
        let back: Vec<usize> = (0..frame.rows()).rev().collect();
        let fit = |frame: &Frame| {
            DynamicPanelGmm::difference("y", "id", "t").predetermined(&["x"]).collapsed().fit(frame).unwrap()
        };
        let one = fit(&frame);
        let scaled: Vec<f64> = frame.real("y").unwrap().iter().map(|y| scale * y).collect();
        let other = fit(&frame.replace("y", scaled).unwrap().take(&back).unwrap());
        let (a, b) = (one.coefficient("L1.y").unwrap(), other.coefficient("L1.y").unwrap());
        prop_assert!((a.estimate - b.estimate).abs() < 1e-8 && (a.std_error - b.std_error).abs() < 1e-8);
        let (a, b) = (one.coefficient("x").unwrap(), other.coefficient("x").unwrap());
        prop_assert!((scale * a.estimate - b.estimate).abs() < 1e-8 * scale);
        // An exogenous regressor enters by its differences alone.
        let raised: Vec<f64> = frame.real("x").unwrap().iter().map(|x| x + level).collect();
        let exogenous = |frame: &Frame| {
            DynamicPanelGmm::difference("y", "id", "t").exogenous(&["x"]).collapsed().fit(frame).unwrap()
        };
        let (a, b) = (exogenous(&frame), exogenous(&frame.replace("x", raised).unwrap()));
        prop_assert!((a.coefficient("x").unwrap().estimate - b.coefficient("x").unwrap().estimate).abs() < 1e-8);
    }
}

#[test]
fn bad_input_and_weak_designs() {
    let frame = panel(12, 6, 0.5, 1);
    let model = || DynamicPanelGmm::difference("y", "id", "t");
    let refused = |model: DynamicPanelGmm, frame: &Frame, words: &str| {
        let text = model.fit(frame).unwrap_err().to_string();
        assert!(text.contains(words), "{text}");
    };
    refused(model().outcome_lags(0), &frame, "at least 1");
    refused(model().outcome_lags(5), &frame, "7 periods for 5 lags");
    refused(model().instrument_lags(0), &frame, "at least 1");
    refused(
        model().exogenous(&["x"]).endogenous(&["x"]),
        &frame,
        "`x` occurs twice",
    );
    refused(model().exogenous(&["z"]), &frame, "`z`");
    let constant = frame.clone().with("c", vec![1.0; frame.rows()]).unwrap();
    refused(model().exogenous(&["c"]), &constant, "`c`");
    let twice = frame
        .replace(
            "t",
            [[21.0].as_slice(), &frame.real("t").unwrap()[1..]].concat(),
        )
        .unwrap();
    refused(model(), &twice, "1 and 2");
    let mut y = frame.real("y").unwrap().to_vec();
    y[3] = f64::INFINITY;
    refused(
        model(),
        &frame.replace("y", y.clone()).unwrap(),
        "infinite in row 4",
    );
    y[3] = f64::NAN;
    let fit = model()
        .collapsed()
        .fit(&frame.replace("y", y).unwrap())
        .unwrap();
    assert!(fit.to_html().contains("`y` is missing on 1 rows") && fit.rows() < 48);
    let crowded = model().predetermined(&["x"]).fit(&frame).unwrap();
    assert!(crowded.to_html().contains("instruments for 12 units"));
    let uneven: Vec<f64> = frame
        .real("t")
        .unwrap()
        .iter()
        .map(|t| if *t > 22.5 { t + 1.0 } else { *t })
        .collect();
    let fit = model()
        .collapsed()
        .fit(&frame.replace("t", uneven).unwrap())
        .unwrap();
    assert!(fit.to_html().contains("even steps"));
    let text = serde_json::to_string(&crowded).unwrap();
    assert_eq!(
        serde_json::from_str::<DynamicPanelGmmFit>(&text).unwrap(),
        crowded
    );
    // As many instruments as regressors: nothing to test.
    let exact = model().collapsed().instrument_lags(1).fit(&frame).unwrap();
    assert!(exact.hansen().is_none() && exact.sargan().is_none());
}
