//! Dynamic panels by GMM: agreement with pydynpd, recovery and coverage, what holds for any panel, bad input.

use crate::support::{agree, data, fixture, numbers};
use cocreate::causal::DifferenceInHansen;
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

/// The panel of Arellano & Bond (1991) in logarithms, with lags of its regressors: `w1` is the wage of the year before.
fn employment() -> Frame {
    let frame = data("tests/reference/employment.csv");
    let column = |name: &str| frame.numeric(name).unwrap().values().to_vec();
    let (firm, year) = (column("firm"), column("year"));
    let lagged = |values: &[f64], lag: usize| -> Vec<f64> {
        (0..firm.len())
            .map(|row| {
                let then = row.checked_sub(lag);
                let same = then.filter(|then| {
                    firm[*then] == firm[row] && year[*then] + lag as f64 == year[row]
                });
                same.map_or(f64::NAN, |then| values[then])
            })
            .collect()
    };
    let mut out = frame.clone();
    for (name, lags) in [("w", 1), ("k", 2), ("ys", 2)] {
        for lag in 1..=lags {
            let values = lagged(&column(name), lag);
            out = out.with(format!("{name}{lag}"), values).unwrap();
        }
    }
    out
}

fn jobs() -> DynamicPanelGmm {
    DynamicPanelGmm::difference("n", "firm", "year").outcome_lags(2)
}

fn close(what: &str, ours: f64, printed: f64, half: f64) {
    assert!(
        (ours - printed).abs() <= half,
        "{what}: {ours} printed as {printed}"
    );
}

#[test]
fn the_employment_equation_is_that_of_plm_of_stata_and_of_the_paper() {
    let reference = fixture("employment");
    let frame = employment();
    let a = || {
        jobs()
            .period_effects()
            .exogenous(&["w", "w1", "k", "k1", "k2", "ys", "ys1", "ys2"])
    };
    let b = jobs()
        .period_effects()
        .exogenous(&["w", "w1", "k", "ys", "ys1"]);
    for (key, model) in [("a1", a().one_step()), ("a2", a()), ("b", b)] {
        let (theirs, fit) = (&reference["values"][key], model.fit(&frame).unwrap());
        let slopes = numbers(&theirs["estimates"]);
        let count = slopes.len();
        agree(key, &fit.estimates().as_slice()[..count], &slopes, 1e-7);
        agree(
            key,
            &fit.std_errors().as_slice()[..count],
            &numbers(&theirs["errors"]),
            1e-7,
        );
        let z: Vec<f64> = fit.autocorrelation().iter().map(|t| t.statistic).collect();
        agree(key, &z, &numbers(&theirs["autocorrelation"]), 1e-6);
        if key != "a1" {
            let hansen = fit.hansen().unwrap().statistic;
            agree(key, &[hansen], &numbers(&theirs["hansen"]), 1e-7);
        }
        // Table 4 of the paper, first lag and wage.
        let printed = match key {
            "a1" => [0.686, -0.608],
            "a2" => [0.629, -0.526],
            _ => [0.474, -0.513],
        };
        for (name, printed) in ["L1.n", "w"].into_iter().zip(printed) {
            close(
                key,
                fit.coefficient(name).unwrap().estimate,
                printed,
                5.1e-4,
            );
        }
        assert_eq!((fit.units(), fit.rows()), (140, 611));
    }
    // What `xtabond2 … gmm(L.n) iv(w L.w … yr*) nolevel robust` prints of (a1): Roodman (2009), page 109.
    let fit = a().one_step().fit(&frame).unwrap();
    assert_eq!(fit.instruments(), 41);
    // The paper prints 65.8; xtabond2 divides the squared residuals by the rows and not by those less the coefficients.
    let sargan = fit.sargan().unwrap().statistic;
    close("Sargan", sargan, 65.8, 0.051);
    close("Sargan", sargan * 611.0 / 595.0, 67.59, 0.0051);
    close("Hansen", fit.hansen().unwrap().statistic, 31.38, 0.0051);
    let own = ["w", "w1", "k", "k1", "k2", "ys", "ys1", "ys2", "year"];
    let test = fit.difference_in_hansen(&own).unwrap();
    close("others", test.excluding.unwrap().statistic, 12.01, 0.0051);
    close("own", test.difference.statistic, 19.37, 0.0051);
    assert_eq!(
        test.difference.distribution,
        Distribution::ChiSquared { df: 14.0 }
    );
}

#[test]
fn differences_in_hansen_are_those_of_xtabond2() {
    // xtabond2 n L(1/2).n w k, gmm(n, lag(2 4)) gmm(w, lag(1 3)) iv(k) nolevel twostep robust, as in the documentation of pydynpd.
    let model = jobs()
        .predetermined(&["w"])
        .exogenous(&["k"])
        .instrument_lags(3);
    let fit = model.fit(&employment()).unwrap();
    let printed = [
        ("L1.n", 0.170_061_6, 0.104_665_2),
        ("L2.n", -0.011_338_1, 0.037_720_5),
        ("w", -0.951_058_2, 0.127_729_8),
        ("k", 0.463_722_3, 0.071_832_8),
    ];
    for (name, estimate, error) in printed {
        let ours = fit.coefficient(name).unwrap();
        close(name, ours.estimate, estimate, 1e-6);
        close(name, ours.std_error, error, 1e-6);
    }
    close(
        "Sargan",
        fit.sargan().unwrap().statistic * 611.0 / 607.0,
        91.61,
        0.0051,
    );
    close("Hansen", fit.hansen().unwrap().statistic, 47.86, 0.0051);
    let groups = [
        ("n", 23.75, 24.11, 17.0),
        ("w", 17.25, 30.61, 18.0),
        ("k", 38.33, 9.53, 1.0),
    ];
    for (name, without, difference, df) in groups {
        let test = fit.difference_in_hansen(&[name]).unwrap();
        close(name, test.excluding.unwrap().statistic, without, 0.0051);
        close(name, test.difference.statistic, difference, 0.0051);
        assert_eq!(
            test.difference.distribution,
            Distribution::ChiSquared { df }
        );
    }
    let test = fit.difference_in_hansen(&["n"]).unwrap();
    let back: DifferenceInHansen =
        serde_json::from_str(&serde_json::to_string(&test).unwrap()).unwrap();
    assert_eq!(back, test);
    let text = fit.instrument_table().to_string();
    assert!(
        text.contains("24.11") && text.contains("38.33") && !text.contains("of levels"),
        "{text}"
    );
    let refused = fit.difference_in_hansen(&["ys"]).unwrap_err().to_string();
    assert!(refused.contains("n, w, k"), "{refused}");
    assert!(fit.difference_in_hansen(&["n", "w"]).is_err());
    assert!(
        fit.difference_in_hansen_of_levels()
            .unwrap_err()
            .to_string()
            .contains("system")
    );
}

#[test]
fn orthogonal_deviations_are_those_of_pydynpd() {
    let reference = fixture("employment_orthogonal");
    let frame = employment();
    let model = || {
        jobs()
            .predetermined(&["w"])
            .exogenous(&["k"])
            .orthogonal_deviations()
            .instrument_lags(3)
    };
    let system = || {
        DynamicPanelGmm::system("n", "firm", "year")
            .predetermined(&["w", "k"])
            .orthogonal_deviations()
    };
    let models = [
        ("one", model().one_step()),
        ("two", model()),
        ("collapsed", model().collapsed()),
        ("system", system().instrument_lags(2).collapsed()),
        ("system_full", system()),
    ];
    let year = frame.numeric("year").unwrap();
    let balanced: Vec<bool> = year
        .values()
        .iter()
        .map(|t| (1978.0..=1982.0).contains(t))
        .collect();
    let balanced = frame.filter(&balanced).unwrap();
    for (key, model) in models {
        let of_system = key.starts_with("system");
        let theirs = &reference["values"][key];
        let fit = model
            .fit(if of_system { &balanced } else { &frame })
            .unwrap();
        agree(
            key,
            fit.estimates().as_slice(),
            &numbers(&theirs["estimates"]),
            1e-8,
        );
        agree(
            key,
            fit.std_errors().as_slice(),
            &numbers(&theirs["errors"]),
            1e-8,
        );
        let hansen = fit.hansen().unwrap().statistic;
        agree(key, &[hansen], &numbers(&theirs["hansen"])[..1], 1e-8);
        let z: Vec<f64> = fit.autocorrelation().iter().map(|t| t.statistic).collect();
        if key != "one" {
            agree(key, &z, &numbers(&theirs["autocorrelation"]), 1e-7);
        }
        assert_eq!(
            fit.instruments() as f64,
            numbers(&theirs["instruments"])[0],
            "{key}"
        );
        let title = fit.table().to_string();
        assert!(title.contains("rthogonal deviations"), "{title}");
        assert_eq!(
            fit.difference_in_hansen_of_levels().is_ok(),
            of_system,
            "{key}"
        );
    }
}

#[test]
fn in_balanced_panels_deviations_are_weighted_differences() {
    // Arellano & Bover (1995): with all instruments, one step does not depend on how the effects are removed.
    let frame = panel(80, 6, 0.5, 3);
    let model = || {
        DynamicPanelGmm::difference("y", "id", "t")
            .predetermined(&["x"])
            .one_step()
    };
    let differences = model().fit(&frame).unwrap();
    let deviations = model().orthogonal_deviations().fit(&frame).unwrap();
    let [a, b] = [&differences, &deviations].map(|fit| fit.estimates().as_slice().to_vec());
    agree("estimates", &a, &b, 1e-9);
    let [a, b] = [&differences, &deviations].map(|fit| fit.std_errors().as_slice().to_vec());
    agree("errors", &a, &b, 1e-9);
    // With gaps deviations keep rows that differences lose.
    let mut keep = vec![true; frame.rows()];
    for row in (2..frame.rows()).step_by(6) {
        keep[row] = !row.is_multiple_of(4);
    }
    let gaps = frame.filter(&keep).unwrap();
    let [few, more] = [model(), model().orthogonal_deviations()].map(|m| m.fit(&gaps).unwrap());
    assert!(few.rows() < more.rows(), "{} {}", few.rows(), more.rows());
    let back: DynamicPanelGmmFit =
        serde_json::from_str(&serde_json::to_string(&more).unwrap()).unwrap();
    assert_eq!(back, more);
}
