//! Meta-regression against metafor; coverage, size and invariances by simulation.

use crate::support::{agree, data, fixture, numbers};
use cocreate::numeric::{Seed, blocks};
use cocreate::prelude::*;
use proptest::prelude::*;
use rand::RngExt;
use rand_distr::{Distribution as _, StandardNormal};

fn plan(case: &serde_json::Value) -> MetaRegression {
    let formula = match case["formula"].as_str().unwrap() {
        "latitude" => "y ~ ablat",
        "both" => "y ~ ablat + year",
        "all" => "y ~ ablat + year + alloc",
        _ => "y ~ 1",
    };
    let between = match case["method"].as_str().unwrap_or("REML") {
        "FE" => BetweenStudies::Fixed,
        "DL" => BetweenStudies::DerSimonianLaird,
        "PM" => BetweenStudies::PauleMandel,
        "ML" => BetweenStudies::MaximumLikelihood,
        _ => BetweenStudies::Reml,
    };
    MetaRegression::new(formula, "se")
        .label("trial")
        .between(between)
        .mean_error(mean_error(case))
}

fn mean_error(case: &serde_json::Value) -> MeanError {
    match case["test"].as_str().unwrap() {
        "z" => MeanError::Normal,
        "knha" => MeanError::HartungKnapp,
        _ => MeanError::AtLeastNormal,
    }
}

#[test]
fn every_number_is_metafors() {
    let all = fixture("meta_regression");
    let trials = data("tests/reference/meta_regression.csv");
    for case in all["values"]["cases"].as_array().unwrap() {
        let fit = plan(case).fit(&trials).unwrap();
        let name = format!("{} {} {}", case["formula"], case["method"], case["test"]);
        let number = |key: &str| case[key].as_f64().unwrap();
        let coefficients = fit.coefficients();
        let each = |f: &dyn Fn(&Estimate) -> f64| coefficients.iter().map(f).collect::<Vec<f64>>();
        agree(&name, &[1.0 + fit.between()], &[1.0 + number("tau2")], 1e-9);
        // Coefficients of the year come with a large constant: each is held to its own size.
        for (key, ours) in [
            ("estimates", each(&|c| c.estimate)),
            ("errors", each(&|c| c.std_error)),
            ("p", each(&|c| c.p_value())),
        ] {
            let theirs = numbers(&case[key]);
            assert_eq!(ours.len(), theirs.len(), "{name}");
            for (ours, theirs) in ours.iter().zip(&theirs) {
                agree(&format!("{name} {key}"), &[*ours], &[*theirs], 1e-7);
            }
        }
        let ends: Vec<Interval> = fit.confidence_interval(0.95).unwrap();
        let ends: Vec<f64> = (ends.iter().map(|e| e.lower))
            .chain(ends.iter().map(|e| e.upper))
            .collect();
        agree(
            &format!("{name} ends"),
            &ends,
            &numbers(&case["ends"]),
            1e-8,
        );
        let residual = fit.residual_test();
        agree(
            &format!("{name} rest"),
            &[
                residual.statistic,
                100.0 * residual.p_value,
                fit.h_squared(),
                fit.i_squared(),
            ],
            &[
                number("qe"),
                100.0 * number("qep"),
                number("h2"),
                number("i2"),
            ],
            1e-8,
        );
        if case["formula"] == "none" {
            assert!(fit.moderator_test().is_none());
        } else {
            let test = fit.moderator_test().unwrap();
            agree(
                &format!("{name} moderators"),
                &[test.statistic],
                &[number("qm")],
                1e-7,
            );
            agree(
                &format!("{name} moderators"),
                &[test.p_value],
                &[number("qmp")],
                1e-6,
            );
        }
        if let Some(theirs) = case["r2"].as_f64().filter(|_| case["method"] != "FE") {
            agree(
                &format!("{name} R2"),
                &[1.0 + fit.r_squared().unwrap()],
                &[1.0 + theirs],
                1e-8,
            );
        }
        if let Some(error) = fit.between_std_error() {
            agree(&name, &[error], &[number("se_tau2")], 1e-6);
        }
        if case["method"] == "REML" {
            let interval = fit.between_interval();
            agree(
                &name,
                &[interval.lower, interval.upper],
                &numbers(&case["tau2_interval"]),
                1e-7,
            );
        }
        let text = serde_json::to_string(&fit).unwrap();
        assert_eq!(
            serde_json::from_str::<MetaRegressionFit>(&text).unwrap(),
            fit
        );
    }
}

#[test]
fn without_a_constant() {
    let trials = data("tests/reference/meta_regression.csv");
    let fit = |formula: &str| MetaRegression::new(formula, "se").fit(&trials).unwrap();
    // A mean for each level says what the constant and differences say.
    let (means, differences) = (fit("y ~ 0 + alloc"), fit("y ~ alloc"));
    assert_eq!(means.names().len(), 3);
    agree(
        "between",
        &[means.between()],
        &[differences.between()],
        1e-10,
    );
    let q = [means.residual_test().statistic];
    agree("Q_E", &q, &[differences.residual_test().statistic], 1e-12);
    let of = |fit: &MetaRegressionFit, text: &str| fit.linear(text).unwrap();
    let (a, b) = (
        of(&means, "`alloc[random]` - `alloc[alternate]`"),
        of(&differences, "`alloc[random]`"),
    );
    agree(
        "difference",
        &[a.estimate, a.std_error],
        &[b.estimate, b.std_error],
        1e-9,
    );
    // Weighted least squares by numpy.
    let plan = MetaRegression::new("y ~ 0 + ablat + year", "se").between(BetweenStudies::Fixed);
    let found = plan.fit(&trials).unwrap();
    agree("slopes", &[found.estimates()[0]], &[-0.029_115_17], 1e-6);
    agree(
        "Q_E",
        &[found.residual_test().statistic],
        &[30.832_393_740_397_51],
        1e-12,
    );
    assert!(found.figure("ablat").is_ok());
}

/// What metafor prints for the BCG trials with the absolute latitude (Viechtbauer 2010, section 3.2).
#[test]
fn the_printed_figures_of_the_latitude() {
    let trials = data("tests/reference/meta_regression.csv");
    let plan = MetaRegression::new("y ~ ablat", "se").mean_error(MeanError::Normal);
    let fit = plan.fit(&trials).unwrap();
    let close =
        |ours: f64, printed: f64| assert!((ours - printed).abs() < 5.001e-5, "{ours} {printed}");
    // metafor stops at changes of 1e-5; the maximum is at 0.076348.
    assert!((fit.between() - 0.0764).abs() < 6e-5);
    close(fit.coefficient("(Intercept)").unwrap().estimate, 0.2515);
    close(fit.coefficient("ablat").unwrap().estimate, -0.0291);
    assert!((fit.moderator_test().unwrap().statistic - 16.3571).abs() < 2e-3);
    close(fit.residual_test().statistic, 30.7331);
}

#[test]
fn influence_asymmetry_and_growth_are_metafors() {
    let all = fixture("meta_regression");
    let values = &all["values"];
    let trials = data("tests/reference/meta_regression.csv");
    let pooled = |mean_error| {
        MetaAnalysis::new("y", "se")
            .label("trial")
            .mean_error(mean_error)
            .fit(&trials)
            .unwrap()
    };
    for case in values["influence"].as_array().unwrap() {
        let mut found = vec![plan(case).fit(&trials).unwrap().influence().unwrap()];
        if case["formula"] == "none" {
            found.push(pooled(mean_error(case)).influence().unwrap());
        }
        for found in found {
            let list = |f: fn(&StudyInfluence) -> f64| found.iter().map(f).collect::<Vec<f64>>();
            for (key, ours) in [
                ("leverage", list(|s| s.leverage)),
                ("studentized_residual", list(|s| s.studentized_residual)),
                ("dffits", list(|s| s.dffits)),
                ("cooks_distance", list(|s| s.cooks_distance)),
                ("covariance_ratio", list(|s| s.covariance_ratio)),
                ("between", list(|s| s.between)),
                ("q", list(|s| s.q)),
            ] {
                agree(&format!("{case} {key}"), &ours, &numbers(&case[key]), 1e-7);
            }
        }
    }
    let fit = MetaRegression::new("y ~ ablat + year", "se")
        .fit(&trials)
        .unwrap();
    let at = fit
        .further_study("(Intercept) + 33.46*ablat + 1970*year")
        .unwrap();
    let ours = [at.mean.estimate, at.mean.std_error, at.lower, at.upper];
    agree("further", &ours, &numbers(&values["further"]), 1e-8);
    let pooled = pooled(MeanError::HartungKnapp);
    let egger = pooled.asymmetry().unwrap();
    let ends = egger.limit.confidence_interval(0.95).unwrap();
    let ours = [
        egger.test.statistic,
        egger.test.p_value,
        egger.limit.estimate,
        ends.lower,
        ends.upper,
    ];
    agree("egger", &ours, &numbers(&values["egger"]), 1e-9);
    let growing = pooled.cumulative().unwrap();
    assert_eq!(growing[0].estimate, pooled.studies()[0].estimate);
    let means: Vec<f64> = growing[1..].iter().map(|e| e.estimate).collect();
    let errors: Vec<f64> = growing[1..].iter().map(|e| e.std_error).collect();
    agree("cumulative", &means, &numbers(&values["cumulative"]), 1e-8);
    agree(
        "cumulative",
        &errors,
        &numbers(&values["cumulative_errors"]),
        1e-7,
    );
    assert_eq!(growing.last().unwrap().estimate, pooled.mean().estimate);
    for figure in [
        pooled.funnel_figure(),
        pooled.cumulative_figure(),
        fit.figure("ablat"),
    ] {
        assert!(figure.unwrap().to_svg().contains("<svg"));
    }
    assert!(fit.to_string().contains("moderators (Q_M)"), "{fit}");
}

/// Shares of samples in which a slope is covered by Knapp & Hartung and by the normal, in which a moderator without effect is significant by them, in which a further
/// study is covered, and in which Egger's test rejects.
fn shares(studies: usize, runs: usize) -> [f64; 6] {
    let found: Vec<[bool; 6]> = blocks::map(runs, |run| {
        let mut draws = Seed::new(32).stream(run as u64);
        let rows: Vec<[f64; 5]> = (0..=studies)
            .map(|i| {
                let se = 0.1 * (1.0 + (i % 8) as f64 / 2.0);
                let (x, noise): (f64, f64) = (StandardNormal.sample(&mut draws), draws.random());
                let [u, e]: [f64; 2] = [
                    StandardNormal.sample(&mut draws),
                    StandardNormal.sample(&mut draws),
                ];
                let own = 0.2 + 0.3 * x + 0.3 * u;
                [own + se * e, se, x, noise, own]
            })
            .collect();
        let column = |j: usize| rows[..studies].iter().map(|r| r[j]).collect::<Vec<f64>>();
        let frame = "y se x noise"
            .split(' ')
            .enumerate()
            .fold(Frame::new(), |frame, (j, name)| {
                frame.with(name, column(j)).unwrap()
            });
        let fit = |mean_error| {
            let plan = MetaRegression::new("y ~ x + noise", "se").mean_error(mean_error);
            plan.fit(&frame).unwrap()
        };
        let covers = |fit: &MetaRegressionFit| {
            let ends = fit
                .coefficient("x")
                .unwrap()
                .confidence_interval(0.95)
                .unwrap();
            ends.lower <= 0.3 && 0.3 <= ends.upper
        };
        let rejects = |fit: &MetaRegressionFit| fit.coefficient("noise").unwrap().p_value() < 0.05;
        let (hk, normal) = (fit(MeanError::HartungKnapp), fit(MeanError::Normal));
        let [_, _, x, noise, own] = rows[studies];
        let further = hk.further_study(&format!("(Intercept) {x:+}*x {noise:+}*noise"));
        let further = further.unwrap();
        let alike = MetaAnalysis::new("y", "se").fit(&frame).unwrap();
        [
            covers(&hk),
            covers(&normal),
            rejects(&hk),
            rejects(&normal),
            further.lower <= own && own <= further.upper,
            alike.asymmetry().unwrap().test.p_value < 0.05,
        ]
    });
    std::array::from_fn(|k| found.iter().filter(|c| c[k]).count() as f64 / runs as f64)
}

#[test]
fn knapp_and_hartung_cover_where_the_normal_does_not() {
    let [hk, normal, size, size_normal, further, egger] = shares(12, 1500);
    println!("{hk} {normal} {size} {size_normal} {further} {egger}");
    // Four Monte Carlo errors of .0056.
    assert!(
        (hk - 0.95).abs() < 0.0225 && (size - 0.05).abs() < 0.0225,
        "{hk} {size}"
    );
    assert!(
        normal < 0.93 && size_normal > 0.07,
        "{normal} {size_normal}"
    );
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(48) })]
    #[test]
    fn what_must_hold_for_any_studies(seed in 0_u64..10_000, studies in 5_usize..40, size in -8.0_f64..8.0, level in -1e3_f64..1e3) {
        let mut draws = Seed::new(seed).stream(0);
        let mut normal = || -> f64 { StandardNormal.sample(&mut draws) };
        let x: Vec<f64> = (0..studies).map(|_| normal()).collect();
        let y: Vec<f64> = x.iter().map(|x| 0.3 * x + normal()).collect();
        let se: Vec<f64> = (0..studies).map(|_| (0.3 * normal()).exp()).collect();
        let frame = |y: &[f64], se: &[f64], x: &[f64]| {
            let columns = [("y", y), ("se", se), ("x", x)];
            columns.iter().fold(Frame::new(), |f, (name, v)| f.with(*name, v.to_vec()).unwrap())
        };
        let fit = |frame: &Frame, formula: &str| MetaRegression::new(formula, "se").fit(frame).unwrap();
        let was = fit(&frame(&y, &se, &x), "y ~ x");
        // Another unit of effects, and of the moderator, changes the numbers by it.
        let c = 10_f64.powf(size);
        let times = |v: &[f64], c: f64| v.iter().map(|v| v * c).collect::<Vec<f64>>();
        let is = fit(&frame(&times(&y, c), &times(&se, c), &x), "y ~ x");
        prop_assert!((is.between() / (c * c) - was.between()).abs() < 1e-8 * (1.0 + was.between()));
        prop_assert!((is.std_error("x").unwrap() / c / was.std_error("x").unwrap() - 1.0).abs() < 1e-7);
        let moved: Vec<f64> = x.iter().map(|v| level + v / c).collect();
        if size.abs() < 4.0 {
            let is = fit(&frame(&y, &se, &moved), "y ~ x");
            let (a, b) = (is.coefficient("x").unwrap(), was.coefficient("x").unwrap());
            prop_assert!((a.estimate / c - b.estimate).abs() < 1e-6 * b.std_error);
            prop_assert!((a.std_error / c / b.std_error - 1.0).abs() < 1e-6);
            prop_assert!((is.moderator_test().unwrap().p_value - was.moderator_test().unwrap().p_value).abs() < 1e-6);
        }
        // The order of studies does not matter.
        let back = |v: &[f64]| v.iter().rev().copied().collect::<Vec<f64>>();
        let is = fit(&frame(&back(&y), &back(&se), &back(&x)), "y ~ x");
        prop_assert!((is.estimates() - was.estimates()).amax() < 1e-9);
        // Without moderators it is the meta-analysis.
        let alone = fit(&frame(&y, &se, &x), "y ~ 1");
        let mean = MetaAnalysis::new("y", "se").fit(&frame(&y, &se, &x)).unwrap();
        prop_assert!((alone.between() - mean.between()).abs() < 1e-9 * (1.0 + mean.between()));
        prop_assert!((alone.coefficient("(Intercept)").unwrap().estimate - mean.mean().estimate).abs() < 1e-10);
        prop_assert!((alone.between_interval().upper - mean.between_interval().upper).abs() < 1e-8 * (1.0 + mean.between_interval().upper));
    }
}

#[test]
fn what_cannot_be_fitted_is_said() {
    let trials = data("tests/reference/meta_regression.csv");
    let said = |formula: &str, frame: &Frame| {
        MetaRegression::new(formula, "se")
            .fit(frame)
            .unwrap_err()
            .to_string()
    };
    assert!(said("y ~ ablat | year", &trials).contains("without `|`"));
    assert!(said("y ~ nothing", &trials).contains("nothing"));
    let few = trials.take(&[0, 1, 2]).unwrap();
    assert!(matches!(
        MetaRegression::new("y ~ ablat + year", "se").fit(&few),
        Err(Error::TooFewRows {
            rows: 3,
            parameters: 3
        })
    ));
    let bad = trials.replace("se", vec![-1.0; 13]).unwrap();
    assert!(said("y ~ ablat", &bad).contains("row 1"));
    // What others make up is left out with a warning, and a missing moderator takes its study with it.
    let mut ablat = trials.real("ablat").unwrap().to_vec();
    let twice: Vec<f64> = ablat.iter().map(|v| 2.0 * v).collect();
    ablat[4] = f64::NAN;
    let odd = trials.replace("ablat", ablat).unwrap();
    let odd = odd
        .with("twice", twice)
        .unwrap()
        .with("one", vec![1.0; 13])
        .unwrap();
    let fit = MetaRegression::new("y ~ ablat + twice + one", "se")
        .fit(&odd)
        .unwrap();
    assert_eq!(fit.names(), ["(Intercept)", "ablat"]);
    assert_eq!((fit.warnings().len(), fit.studies().len()), (3, 12));
    // A study that alone tells a coefficient cannot be left out, and studies of no weight tell none.
    let alone = odd
        .with(
            "alone",
            (0..13).map(|i| f64::from(i == 7)).collect::<Vec<f64>>(),
        )
        .unwrap();
    let fit = MetaRegression::new("y ~ alone", "se").fit(&alone).unwrap();
    assert!(
        fit.influence()
            .unwrap_err()
            .to_string()
            .contains("without study")
    );
    let mut se = vec![1e-12; 13];
    se[7] = 1e3;
    let error = said("y ~ alone", &alone.replace("se", se).unwrap());
    assert!(error.contains("weight"), "{error}");
    let alike = MetaAnalysis::new("y", "se").fit(&trials.replace("se", vec![0.1; 13]).unwrap());
    assert!(matches!(
        alike.unwrap().asymmetry(),
        Err(Error::Unidentified { .. })
    ));
    // Studies that agree to the last digit have no errors by which to measure what one of them does.
    let same = trials.replace("y", vec![0.3; 13]).unwrap();
    let fit = MetaRegression::new("y ~ ablat", "se").fit(&same).unwrap();
    assert!(
        fit.warnings()
            .iter()
            .any(|w| w.to_string().contains("agree better"))
    );
    let pooled = MetaAnalysis::new("y", "se").fit(&same).unwrap();
    for error in [fit.influence(), pooled.influence()] {
        assert!(error.unwrap_err().to_string().contains("AtLeastNormal"));
    }
    // One effect for all: I² is that of Q, not zero.
    let fixed = MetaAnalysis::new("y", "se")
        .between(BetweenStudies::Fixed)
        .fit(&trials)
        .unwrap();
    let q = fixed.heterogeneity_test().statistic;
    assert!((fixed.i_squared() - (q - 12.0) / q).abs() < 1e-12 && fixed.i_squared() > 0.9);
}
