//! Interrupted time series: agreement with statsmodels, coverage under dependent errors, what holds for any series, bad input.

use crate::support::{agree, data, fixture, numbers};
use cocreate::prelude::*;
use proptest::prelude::{prop_assert, proptest};
use proptest::test_runner::Config;
use rand_distr::{Distribution as _, StandardNormal};

fn orders() -> InterruptedTimeSeries {
    InterruptedTimeSeries::new("orders", "month", 30.0)
}

/// Estimates, then errors times a factor.
fn of(fit: &InterruptedTimeSeriesFit, names: &[&str], factor: f64) -> [Vec<f64>; 2] {
    let all: Vec<Estimate> = names.iter().map(|n| fit.coefficient(n).unwrap()).collect();
    let errors = all.iter().map(|e| e.std_error * factor);
    [all.iter().map(|e| e.estimate).collect(), errors.collect()]
}

#[test]
fn segments_errors_and_counterfactuals_are_those_of_statsmodels() {
    let reference = fixture("interrupted");
    let values = &reference["values"];
    let both = data("tests/reference/interrupted.csv");
    let own: Vec<bool> = both
        .real("redesigned")
        .unwrap()
        .iter()
        .map(|o| *o > 0.5)
        .collect();
    let one = both.filter(&own).unwrap();
    let lags = || Covariance::newey_west("month").lags(3);
    for (key, model) in [
        ("plain", orders()),
        ("seasons", orders().terms("C(season)")),
    ] {
        let fit = model.covariance(lags()).fit(&one).unwrap();
        let [estimates, errors] = of(&fit, &["trend", "level", "slope"], 1.0);
        agree(key, &estimates, &numbers(&values[key]["estimates"]), 1e-9);
        agree(key, &errors, &numbers(&values[key]["errors"]), 1e-9);
    }
    let fit = orders()
        .terms("C(season)")
        .covariance(lags())
        .fit(&one)
        .unwrap();
    let effect = fit.effect_at(40.0).unwrap();
    let ours = [effect.estimate, effect.std_error];
    agree("effect", &ours, &numbers(&values["effect_10"]), 1e-9);
    let last = fit.periods().last().unwrap();
    let ours = [last.counterfactual, last.std_error];
    agree(
        "counterfactual",
        &ours,
        &numbers(&values["counterfactual_last"]),
        1e-9,
    );
    agree(
        "watson",
        fit.durbin_watson(),
        &numbers(&values["durbin_watson"]),
        1e-9,
    );
    let fit = orders()
        .comparison("redesigned")
        .covariance(Covariance::driscoll_kraay("month").lags(3))
        .fit(&both)
        .unwrap();
    let names = ["trend", "common_level", "common_slope", "level", "slope"];
    // 96 rows, 8 parameters, 48 months.
    let factor: f64 = (95.0 / 88.0 * 48.0 / 47.0_f64).sqrt();
    let [estimates, errors] = of(&fit, &names, 1.0 / factor);
    agree(
        "comparison",
        &estimates,
        &numbers(&values["comparison"]["estimates"]),
        1e-9,
    );
    agree(
        "comparison",
        &errors,
        &numbers(&values["comparison"]["errors"]),
        1e-9,
    );
    let theirs = &values["autoregressive"];
    let one = orders()
        .terms("C(season)")
        .autoregressive()
        .fit(&one)
        .unwrap();
    let pair = orders()
        .comparison("redesigned")
        .autoregressive()
        .fit(&both)
        .unwrap();
    let rho = [&one, &pair].map(|fit| fit.autocorrelation().unwrap());
    agree("rho", &rho, &numbers(&theirs["rho"]), 1e-9);
    let ours = [
        of(&one, &["trend", "level", "slope"], 1.0),
        of(&pair, &["level", "slope"], 1.0),
    ];
    for (part, key) in [(0, "estimates"), (1, "errors")] {
        let ours = [ours[0][part].clone(), ours[1][part].clone()].concat();
        agree(key, &ours, &numbers(&theirs[key]), 1e-9);
    }
    assert_eq!((fit.periods().len(), fit.durbin_watson().len()), (48, 2));
}

/// A series whose errors depend on those before by `persistence`; level 3 and slope 0.2 from period 40 of 80 on.
fn series(persistence: f64, draw: u64) -> Frame {
    let mut generator = Seed::new(77).stream(draw);
    let mut normal = || -> f64 { StandardNormal.sample(&mut generator) };
    let mut e = normal() / (1.0 - persistence * persistence).sqrt();
    let (mut t, mut y) = (vec![], vec![]);
    for period in 0..80 {
        let d = f64::from(period) - 40.0;
        t.push(f64::from(period));
        y.push(10.0 + 0.1 * d + if d >= 0.0 { 3.0 + 0.2 * d } else { 0.0 } + e);
        e = persistence * e + normal();
    }
    Frame::new().with("t", t).unwrap().with("y", y).unwrap()
}

#[test]
fn dependent_errors_need_the_default_covariance() {
    let draws = 400;
    let (mut robust, mut classical, mut mean, mut autoregressive) = (0, 0, 0, 0);
    for draw in 0..draws {
        let frame = series(0.4, draw);
        let model = InterruptedTimeSeries::new("y", "t", 40.0);
        let fit = model.fit(&frame).unwrap();
        let covers = |e: Estimate, truth: f64| {
            let i = e.confidence_interval(0.9).unwrap();
            usize::from(i.lower <= truth && truth <= i.upper)
        };
        robust += covers(fit.coefficient("level").unwrap(), 3.0);
        // The mean of 3 + 0.2 d over d = 0, …, 39.
        mean += covers(fit.average_effect().unwrap(), 6.9);
        let fit = model.clone().autoregressive().fit(&frame).unwrap();
        autoregressive += covers(fit.coefficient("level").unwrap(), 3.0);
        let fit = model.covariance(Covariance::Classical).fit(&frame).unwrap();
        classical += covers(fit.coefficient("level").unwrap(), 3.0);
    }
    println!(
        "autoregressive {autoregressive}, level {robust}, mean {mean}, classical {classical} of {draws} at 0.9"
    );
    let share = |count: usize| count as f64 / draws as f64;
    // Newey-West is short by more than ten points in 80 periods, as it is known to be; errors that are modelled as they are, by less. Three standard errors are 5.
    assert!(share(robust) > 0.73 && share(mean) > 0.70);
    assert!(share(classical) < share(robust) && share(robust) < share(autoregressive));
    assert!(share(autoregressive) > 0.82);
}

proptest! {
    #![proptest_config(Config::with_cases(16))]

    /// A line through the series changes neither level nor slope; scale scales them; the order of rows does not matter.
    #[test]
    fn trends_scale_and_rows(draw in 0_u64..1000, a in -20.0_f64..20.0, b in -2.0_f64..2.0, scale in 0.01_f64..100.0) {
        let frame = series(0.2, draw);
        let moved: Vec<f64> = (frame.real("y").unwrap().iter().zip(frame.real("t").unwrap()))
            .map(|(y, t)| scale * (y + a + b * t))
            .collect();
        let back: Vec<usize> = (0..80).rev().collect();
        let other = frame.replace("y", moved).unwrap().take(&back).unwrap();
        let fit = |frame: &Frame| InterruptedTimeSeries::new("y", "t", 40.0).fit(frame).unwrap();
        let (one, two) = (fit(&frame), fit(&other));
        for name in ["level", "slope"] {
            let (p, q) = (one.coefficient(name).unwrap(), two.coefficient(name).unwrap());
            prop_assert!((scale * p.estimate - q.estimate).abs() < 1e-8 * scale);
            prop_assert!((scale * p.std_error - q.std_error).abs() < 1e-8 * scale);
        }
    }
}

#[test]
fn dates_count_in_periods_and_a_round_trip() {
    let days: Vec<String> = (0..24)
        .map(|m| format!("{}-{:02}-01", 2020 + m / 12, m % 12 + 1))
        .collect();
    let rows: Vec<String> = (days.iter().enumerate())
        .map(|(m, day)| format!("{day},{}", if m < 12 { m } else { 2 * m + m % 3 }))
        .collect();
    let frame = Frame::from_csv(format!("day,y\n{}\n", rows.join("\n"))).unwrap();
    // 2021-01-01.
    let fit = InterruptedTimeSeries::new("y", "day", 1_609_459_200.0)
        .fit(&frame)
        .unwrap();
    assert_eq!(fit.periods()[0].since, -12.0);
    assert!((fit.coefficient("trend").unwrap().estimate - 1.0).abs() < 1e-9);
    assert!(fit.effect_since(3.0).unwrap().estimate > 12.0);
    assert!(
        fit.effect_at(1_609_459_200.0)
            .unwrap_err()
            .to_string()
            .contains("effect_since")
    );
    assert!(fit.effect_since(-1.0).is_err());
    let text = serde_json::to_string(&fit).unwrap();
    assert_eq!(
        serde_json::from_str::<InterruptedTimeSeriesFit>(&text).unwrap(),
        fit
    );
    assert!(
        fit.plot(0.95)
            .unwrap()
            .to_svg()
            .contains("without the interruption")
    );
}

#[test]
fn bad_input_is_refused_with_the_remedy() {
    let frame = series(0.0, 1);
    let refused = |model: InterruptedTimeSeries, frame: &Frame, words: &str| {
        let text = model.fit(frame).unwrap_err().to_string();
        assert!(text.contains(words), "{text}");
    };
    let at = |start: f64| InterruptedTimeSeries::new("y", "t", start);
    refused(
        at(1.0),
        &frame,
        "two periods before it and two from it on, of which `t` has 1 and 79",
    );
    refused(at(f64::NAN), &frame, "finite");
    refused(
        InterruptedTimeSeries::new("y", "when", 40.0),
        &frame,
        "`when`",
    );
    let twice = frame
        .replace(
            "t",
            [[3.0].as_slice(), &frame.real("t").unwrap()[1..]].concat(),
        )
        .unwrap();
    refused(at(40.0), &twice, "1 and 4, which are the same period");
    refused(
        at(40.0),
        &frame.clone().with("trend", vec![0.0; 80]).unwrap(),
        "`trend` occurs twice",
    );
    let post: Vec<f64> = (0..80).map(|t| f64::from(u8::from(t >= 40))).collect();
    let other = frame.clone().with("post", post).unwrap();
    // Given first it would take the place of the level: the level stays, and the term is named.
    let fit = at(40.0).terms("post").fit(&other).unwrap();
    assert!(fit.to_html().contains("post"));
    let half: Vec<f64> = (0..80).map(|t| if t == 5 { 0.5 } else { 1.0 }).collect();
    refused(
        at(40.0).comparison("own"),
        &frame.clone().with("own", half).unwrap(),
        "0.5 in row 6",
    );
    refused(
        at(40.0).autoregressive().covariance(Covariance::Hc1),
        &frame,
        "transformed series",
    );
    let drifting: Vec<f64> = (0..80).map(|t| 1.2_f64.powi(t)).collect();
    refused(
        at(40.0).autoregressive(),
        &frame.replace("y", drifting).unwrap(),
        "drifts",
    );
    let short = at(76.0).fit(&frame).unwrap();
    assert!(short.to_html().contains("4 from it on"));
}

/// Drivers killed or seriously injured by month, in logarithms; the seat belt is month 169.
fn drivers() -> (Frame, InterruptedTimeSeries) {
    let frame = data("tests/reference/drivers.csv");
    let killed = frame.numeric("drivers").unwrap();
    let logs: Vec<f64> = killed.values().iter().map(|d| d.ln()).collect();
    let frame = frame.with("logs", logs).unwrap();
    (frame, InterruptedTimeSeries::new("logs", "t", 169.0))
}

#[test]
fn autoregressions_of_any_order_are_those_of_gls_and_arima() {
    let reference = fixture("drivers");
    let values = &reference["values"];
    let (frame, model) = drivers();
    let months = || model.clone().terms("C(month)");
    let models = [
        ("one", months().autoregressive_order(1)),
        ("two", months().autoregressive_order(2)),
        ("three", months().autoregressive_order(3)),
        ("full", months().full_likelihood(2)),
        (
            "waves",
            model.clone().seasons(12.0, 2).autoregressive_order(2),
        ),
    ];
    for (key, model) in models {
        let (fit, theirs) = (model.fit(&frame).unwrap(), &values[key]);
        let [estimates, errors] = of(&fit, &["trend", "level", "slope"], 1.0);
        agree(key, &estimates, &numbers(&theirs["estimates"]), 1e-5);
        agree(key, &errors, &numbers(&theirs["errors"]), 1e-5);
        agree(key, fit.autoregression(), &numbers(&theirs["phi"]), 1e-5);
        assert!(fit.table().to_string().contains("AR("));
        let back: InterruptedTimeSeriesFit =
            serde_json::from_str(&serde_json::to_string(&fit).unwrap()).unwrap();
        assert_eq!(back, fit);
    }
    let fit = months().full_likelihood(2).fit(&frame).unwrap();
    agree(
        "arima",
        fit.autoregression(),
        &numbers(&values["arima"]["phi"]),
        1e-5,
    );
    // One wave fewer than half the season has all but the alternating one: months have eleven terms, five waves ten.
    let five = model.clone().seasons(12.0, 5).fit(&frame).unwrap();
    let six = model.clone().seasons(12.0, 6).fit(&frame).unwrap();
    let all = months().fit(&frame).unwrap();
    assert_eq!(five.names().len() + 1, six.names().len());
    agree(
        "six waves",
        &[six.coefficient("level").unwrap().estimate],
        &[all.coefficient("level").unwrap().estimate],
        1e-9,
    );
}

#[test]
fn autoregressions_know_gaps_scale_and_what_they_cannot_do() {
    let (frame, model) = drivers();
    let fit = |frame: &Frame| {
        model
            .clone()
            .seasons(12.0, 1)
            .autoregressive_order(2)
            .fit(frame)
            .unwrap()
    };
    let whole = fit(&frame);
    // The order of rows and the unit of the outcome do not matter.
    let back: Vec<usize> = (0..frame.rows()).rev().collect();
    let tenfold: Vec<f64> = frame
        .real("logs")
        .unwrap()
        .iter()
        .map(|y| 10.0 * y + 3.0)
        .collect();
    let other = fit(&frame
        .clone()
        .with_or_replace("logs", tenfold)
        .unwrap()
        .take(&back)
        .unwrap());
    agree("phi", whole.autoregression(), other.autoregression(), 1e-6);
    let [own, tenth] = [&whole, &other].map(|f| f.coefficient("level").unwrap());
    agree(
        "level",
        &[10.0 * own.estimate, 10.0 * own.std_error],
        &[tenth.estimate, tenth.std_error],
        1e-6,
    );
    // A month without a value begins a new run, and the series before and after say the same.
    let mut logs = frame.real("logs").unwrap().to_vec();
    logs[100] = f64::NAN;
    let gap = fit(&frame.clone().with_or_replace("logs", logs).unwrap());
    assert!((gap.autoregression()[0] - whole.autoregression()[0]).abs() < 0.1);
    // A line without errors has no autoregression.
    let line: Vec<f64> = frame
        .numeric("t")
        .unwrap()
        .values()
        .iter()
        .map(|t| 2.0 + 0.5 * t)
        .collect();
    let exact = fit(&frame.clone().with_or_replace("logs", line).unwrap());
    assert!(exact.autoregression().iter().all(|phi| *phi == 0.0));
    let refused = |model: InterruptedTimeSeries, needle: &str| {
        let text = model.fit(&frame).unwrap_err().to_string();
        assert!(text.contains(needle), "{text}");
    };
    refused(model.clone().autoregressive_order(0), "from 1 to 24");
    refused(
        model
            .clone()
            .autoregressive_order(2)
            .covariance(Covariance::Classical),
        "autoregressive errors",
    );
    refused(model.clone().seasons(12.0, 7), "half of it");
    refused(model.clone().seasons(f64::NAN, 1), "half of it");
    refused(model.clone().seasons(12.0, 0), "half of it");
    // A walk has no level to return to, and short runs no order.
    let mut sum = 0.0;
    let walk: Vec<f64> = frame
        .real("logs")
        .unwrap()
        .iter()
        .map(|y| {
            sum += y - 7.4;
            sum
        })
        .collect();
    let walk = frame.clone().with_or_replace("logs", walk).unwrap();
    let drifting = model.clone().full_likelihood(1).fit(&walk);
    assert!(
        drifting.as_ref().map_or_else(
            |e| e.to_string().contains("drifts"),
            |f| f.autoregression()[0] > 0.8
        ),
        "{drifting:?}"
    );
    let few = frame
        .filter(
            &(0..frame.rows())
                .map(|row| (160..176).contains(&row) && row % 4 > 0)
                .collect::<Vec<_>>(),
        )
        .unwrap();
    let text = model
        .clone()
        .autoregressive_order(2)
        .fit(&few)
        .unwrap_err()
        .to_string();
    assert!(text.contains("longest run has 3"), "{text}");
}
