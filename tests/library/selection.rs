//! Selection models, bivariate probit and probits with endogenous regressors: against independent implementations, in simulations with
//! known truth, and by what must hold for any data.

use crate::support::{agree, agree_covariance, data, fixture, names, numbers, pick};
use cocreate::numeric::blocks;
use cocreate::numeric::special::normal;
use cocreate::prelude::*;
use rand::rngs::ChaCha8Rng;
use rand_distr::{Distribution as _, StandardNormal};
use serde_json::Value;

const ESTIMATES: f64 = 1e-7;
const COVARIANCES: f64 = 1e-6;

fn compare(what: &str, case: &Value, order: &Value, fit: &impl Inference, robust: &impl Inference) {
    let (at, estimates) = pick(fit, &names(order));
    agree(what, &estimates, &numbers(&case["estimates"]), ESTIMATES);
    for (ours, theirs) in estimates.iter().zip(numbers(&case["estimates"])) {
        assert!(
            (ours - theirs).abs() < 1e-6 * theirs.abs().max(1e-3),
            "{what}: {ours} {theirs}"
        );
    }
    agree_covariance(
        &format!("{what}, classical"),
        fit,
        &at,
        &case["classical"],
        COVARIANCES,
    );
    agree_covariance(
        &format!("{what}, HC0"),
        robust,
        &at,
        &case["HC0"],
        COVARIANCES,
    );
}

fn close(what: &str, ours: f64, theirs: &Value, tolerance: f64) {
    agree(what, &[ours], &[theirs.as_f64().unwrap()], tolerance);
}

fn mroz() -> Heckman {
    Heckman::new(
        "lwage ~ educ + exper + expersq",
        "inlf ~ nwifeinc + educ + exper + expersq + age + kidslt6 + kidsge6",
    )
    .covariance(Covariance::Classical)
}

#[test]
fn heckman_agrees_with_an_independent_implementation() {
    let reference = fixture("selection");
    let cases = [
        ("heckman_mroz", "datasets/mroz.csv", mroz()),
        (
            "heckman_small",
            "tests/reference/selection.csv",
            Heckman::new("wage ~ x + z2", "seen ~ x + z1").covariance(Covariance::Classical),
        ),
    ];
    for (name, path, model) in cases {
        let (case, frame) = (&reference["values"][name], data(path));
        let two = model.clone().two_step().fit(&frame).unwrap();
        let mut order: Vec<Value> = case["names"].as_array().unwrap().clone();
        order.push("lambda".into());
        let order = serde_json::json!({ "names": order });
        let steps = &case["two_step"];
        let robust = two.with_covariance(Covariance::Hc0).unwrap();
        compare(&format!("{name}, two steps"), steps, &order, &two, &robust);
        close(
            "sigma",
            two.sigma().unwrap().estimate,
            &steps["sigma"],
            ESTIMATES,
        );
        close("rho", two.rho().unwrap().estimate, &steps["rho"], ESTIMATES);
        close(
            "sigma, s.e.",
            robust.sigma().unwrap().std_error,
            &steps["sigma_se_HC0"],
            COVARIANCES,
        );
        close(
            "rho, s.e.",
            robust.rho().unwrap().std_error,
            &steps["rho_se_HC0"],
            COVARIANCES,
        );

        let fit = model.fit(&frame).unwrap();
        let mut order: Vec<Value> = case["names"].as_array().unwrap().clone();
        order.extend(["ln_sigma".into(), "atanh_rho".into()]);
        let order = serde_json::json!({ "names": order });
        let ml = &case["ml"];
        let robust = fit.with_covariance(Covariance::Hc0).unwrap();
        compare(&format!("{name}, ML"), ml, &order, &fit, &robust);
        let value = fit.likelihood().unwrap().log_likelihood();
        close("log-likelihood", value, &ml["log_likelihood"], 1e-10);
        close(
            "sigma, s.e.",
            fit.sigma().unwrap().std_error,
            &ml["sigma_se"],
            COVARIANCES,
        );
        close(
            "rho, s.e.",
            fit.rho().unwrap().std_error,
            &ml["rho_se"],
            COVARIANCES,
        );
        let test = fit.independence_test().unwrap();
        assert!((test.statistic - ml["lr"].as_f64().unwrap()).abs() < 1e-8);
        assert!((fit.selected() - case["selected"].as_f64().unwrap()).abs() < 0.5);
    }
}

#[test]
fn bivariate_probit_agrees_with_an_independent_implementation_and_vgam() {
    let frame = data("tests/reference/selection.csv");
    let reference = fixture("selection");
    for (name, second) in [
        ("bivariate", "y2 ~ x + z2"),
        ("recursive", "y2 ~ x + y1 + z2"),
    ] {
        let case = &reference["values"][name];
        let model = BivariateProbit::new("y1 ~ x + z1", second).covariance(Covariance::Classical);
        let fit = model.fit(&frame).unwrap();
        compare(
            name,
            case,
            case,
            &fit,
            &fit.with_covariance(Covariance::Hc0).unwrap(),
        );
        close(
            "log-likelihood",
            fit.statistics().log_likelihood,
            &case["log_likelihood"],
            1e-10,
        );
        close(
            "rho, s.e.",
            fit.rho().unwrap().std_error,
            &case["rho_se"],
            COVARIANCES,
        );
        let test = fit.independence_test();
        assert!((test.statistic - case["lr"].as_f64().unwrap()).abs() < 1e-7);
    }
    let vgam = &fixture("selection_r")["values"];
    let common = &reference["values"]["bivariate_common"];
    let fit = BivariateProbit::new("y1 ~ x + z1 + z2", "y2 ~ x + z1 + z2")
        .fit(&frame)
        .unwrap();
    let ours = fit.estimates().as_slice();
    agree("VGAM, first", &ours[..4], &numbers(&vgam["first"]), 1e-6);
    agree("VGAM, second", &ours[4..8], &numbers(&vgam["second"]), 1e-6);
    close("VGAM, rho", fit.rho().unwrap().estimate, &vgam["rho"], 1e-6);
    // VGAM's own distribution function has seven digits or so; ours has those of the independent implementation.
    let value = fit.statistics().log_likelihood;
    close("log-likelihood", value, &common["log_likelihood"], 1e-10);
    close("VGAM, log-likelihood", value, &vgam["log_likelihood"], 1e-6);
}

#[test]
fn endogenous_probit_agrees_with_an_independent_implementation() {
    let frame = data("tests/reference/selection.csv");
    let case = &fixture("selection")["values"]["endogenous"];
    let model = EndogenousProbit::new("ybin ~ x | d ~ z1 + z2").covariance(Covariance::Classical);
    let two = model.fit(&frame).unwrap();
    let robust = two.with_covariance(Covariance::Hc0).unwrap();
    compare(
        "two steps",
        &case["two_step"],
        &case["two_step"],
        &two,
        &robust,
    );
    close(
        "first-stage F",
        two.first_stage_f()[0],
        &case["two_step"]["first_stage_f"],
        1e-9,
    );
    let asf = robust.average_structural_function(&[("d", 1.0)]).unwrap();
    close("ASF", asf.estimate, &case["two_step"]["asf"], ESTIMATES);
    close(
        "ASF, s.e.",
        asf.std_error,
        &case["two_step"]["asf_se_HC0"],
        COVARIANCES,
    );

    let fit = model.maximum_likelihood().fit(&frame).unwrap();
    let robust = fit.with_covariance(Covariance::Hc0).unwrap();
    compare("ML", &case["ml"], &case["ml"], &fit, &robust);
    close(
        "log-likelihood",
        fit.log_likelihood(),
        &case["ml"]["log_likelihood"],
        1e-10,
    );
    // Both methods estimate the same function.
    let by_likelihood = fit.average_structural_function(&[("d", 1.0)]).unwrap();
    assert!((by_likelihood.estimate - asf.estimate).abs() < 0.02);
    assert!((by_likelihood.std_error / asf.std_error - 1.0).abs() < 0.1);
}

// Simulations with known truth.

fn draw(random: &mut ChaCha8Rng) -> f64 {
    StandardNormal.sample(random)
}

fn replicate<T: Send>(
    name: &str,
    count: usize,
    once: impl Fn(&mut ChaCha8Rng) -> T + Sync,
) -> Vec<T> {
    let seed = Seed::new(2026).child(name);
    blocks::map(count, |i| once(&mut seed.stream(i as u64)))
}

fn frame(columns: Vec<(&str, Vec<f64>)>) -> Frame {
    columns.into_iter().fold(Frame::new(), |f, (name, values)| {
        f.with(name, values).unwrap()
    })
}

/// wage = 1 + 0.5 x + ε, seen where 0.3 + 0.6 x + z + u > 0, corr(ε, u) = ρ.
fn selected_sample(random: &mut ChaCha8Rng, n: usize, rho: f64) -> Frame {
    let mut columns = [vec![], vec![], vec![], vec![]];
    for _ in 0..n {
        let (x, z, u) = (draw(random), draw(random), draw(random));
        let e = rho * u + (1.0 - rho * rho).sqrt() * draw(random);
        let seen = 0.3 + 0.6 * x + z + u > 0.0;
        let wage = if seen { 1.0 + 0.5 * x + e } else { f64::NAN };
        for (column, value) in columns
            .iter_mut()
            .zip([x, z, f64::from(u8::from(seen)), wage])
        {
            column.push(value);
        }
    }
    let [x, z, seen, wage] = columns;
    frame(vec![("x", x), ("z", z), ("seen", seen), ("wage", wage)])
}

/// Mean estimate and share of 95 % intervals that hold the truth.
fn summary(estimates: &[Estimate], truth: f64) -> (f64, f64) {
    let n = estimates.len() as f64;
    let covers = |e: &&Estimate| {
        let i = e.confidence_interval(0.95).unwrap();
        i.lower <= truth && truth <= i.upper
    };
    let mean = estimates.iter().map(|e| e.estimate).sum::<f64>() / n;
    (mean, estimates.iter().filter(covers).count() as f64 / n)
}

#[test]
fn selection_biases_least_squares_and_heckman_corrects_it() {
    const RUNS: usize = 400;
    let results = replicate("heckman", RUNS, |random| {
        let data = selected_sample(random, 600, 0.7);
        let model = Heckman::new("wage ~ x", "seen ~ x + z");
        let naive = Ols::new("wage ~ x").fit(&data).unwrap();
        let likelihood = model.fit(&data).unwrap();
        let two = model.clone().two_step().fit(&data).unwrap();
        let heckman = two.with_covariance(Covariance::Classical).unwrap();
        [
            naive.coefficient("x").unwrap(),
            likelihood.coefficient("x").unwrap(),
            two.coefficient("x").unwrap(),
            heckman.coefficient("x").unwrap(),
            likelihood.rho().unwrap(),
            likelihood.sigma().unwrap(),
            two.sigma().unwrap(),
        ]
    });
    let of = |k: usize, truth: f64| {
        let estimates: Vec<Estimate> = results.iter().map(|r| r[k].clone()).collect();
        let found = summary(&estimates, truth);
        println!("{k}: mean {:.4}, coverage {:.3}", found.0, found.1);
        found
    };
    // three Monte Carlo errors of a coverage of 95 % are 3.3 points
    let (naive, covered) = of(0, 0.5);
    assert!(naive < 0.43 && covered < 0.6, "{naive} {covered}");
    for k in 1..4 {
        let (mean, covered) = of(k, 0.5);
        assert!((mean - 0.5).abs() < 0.01, "{k}: {mean}");
        assert!((covered - 0.95).abs() < 0.033, "{k}: {covered}");
    }
    assert!((of(4, 0.7).0 - 0.7).abs() < 0.02);
    for k in 5..7 {
        let (mean, covered) = of(k, 1.0);
        assert!((mean - 1.0).abs() < 0.015, "{k}: {mean}");
        assert!((covered - 0.95).abs() < 0.04, "{k}: {covered}");
    }
}

#[test]
fn the_test_of_independence_has_its_size_and_power() {
    const RUNS: usize = 400;
    let reject = |rho: f64| {
        let p = replicate("independence", RUNS, |random| {
            let data = selected_sample(random, 400, rho);
            let model = Heckman::new("wage ~ x", "seen ~ x + z");
            let lr = model
                .fit(&data)
                .unwrap()
                .independence_test()
                .unwrap()
                .p_value;
            let wald = model
                .two_step()
                .fit(&data)
                .unwrap()
                .independence_test()
                .unwrap()
                .p_value;
            [lr, wald]
        });
        [0, 1].map(|k| p.iter().filter(|p| p[k] < 0.05).count() as f64 / RUNS as f64)
    };
    for rate in reject(0.0) {
        assert!((rate - 0.05).abs() < 0.033, "{rate}");
    }
    for rate in reject(0.6) {
        assert!(rate > 0.7, "{rate}");
    }
}

#[test]
fn endogeneity_biases_the_probit_and_the_control_function_corrects_it() {
    const RUNS: usize = 300;
    // y = 1{0.2 + 0.5 d + u > 0}, d = z + v, corr(u, v) = 0.6; the structural probability at d = 1 is Φ(0.7)
    let truth = cocreate::numeric::special::normal::cdf(0.7);
    let results = replicate("endogenous", RUNS, |random| {
        let mut columns = [vec![], vec![], vec![]];
        for _ in 0..600 {
            let (z, v) = (draw(random), draw(random));
            let u = 0.6 * v + 0.8 * draw(random);
            let d = z + v;
            let y = f64::from(u8::from(0.2 + 0.5 * d + u > 0.0));
            for (column, value) in columns.iter_mut().zip([y, d, z]) {
                column.push(value);
            }
        }
        let [y, d, z] = columns;
        let data = frame(vec![("y", y), ("d", d), ("z", z)]);
        let naive = Probit::new("y ~ d").fit(&data).unwrap();
        let model = EndogenousProbit::new("y ~ 1 | d ~ z");
        let two = model.fit(&data).unwrap();
        let ml = model.maximum_likelihood().fit(&data).unwrap();
        let set = [("d", 1.0)];
        [
            naive.coefficient("d").unwrap(),
            ml.coefficient("d").unwrap(),
            two.average_structural_function(&set).unwrap(),
            ml.average_structural_function(&set).unwrap(),
            two.coefficient("d").unwrap(),
        ]
    });
    let of = |k: usize, truth: f64| {
        let estimates: Vec<Estimate> = results.iter().map(|r| r[k].clone()).collect();
        let found = summary(&estimates, truth);
        println!("{k}: mean {:.4}, coverage {:.3}", found.0, found.1);
        found
    };
    assert!(of(0, 0.5).0 > 0.75);
    let cases = [
        (1, 0.5, 0.02),
        (2, truth, 0.01),
        (3, truth, 0.01),
        (4, 0.5 / 0.8, 0.02),
    ];
    for (k, truth, bias) in cases {
        let (mean, covered) = of(k, truth);
        assert!((mean - truth).abs() < bias, "{k}: {mean} {truth}");
        assert!((covered - 0.95).abs() < 0.04, "{k}: {covered}");
    }
}

#[test]
fn the_recursive_bivariate_probit_finds_the_effect_that_the_probit_misses() {
    const RUNS: usize = 150;
    let results = replicate("recursive", RUNS, |random| {
        let mut columns = [vec![], vec![], vec![], vec![]];
        for _ in 0..1000 {
            let (x, z, u) = (draw(random), draw(random), draw(random));
            let e = 0.5 * u + 0.75_f64.sqrt() * draw(random);
            let y1 = f64::from(u8::from(0.5 * x + z + u > 0.0));
            let y2 = f64::from(u8::from(-0.4 + 0.5 * x + 0.6 * y1 + e > 0.0));
            for (column, value) in columns.iter_mut().zip([x, z, y1, y2]) {
                column.push(value);
            }
        }
        let [x, z, y1, y2] = columns;
        let data = frame(vec![("x", x), ("z", z), ("y1", y1), ("y2", y2)]);
        let naive = Probit::new("y2 ~ x + y1").fit(&data).unwrap();
        let fit = BivariateProbit::new("y1 ~ x + z", "y2 ~ x + y1")
            .fit(&data)
            .unwrap();
        [
            naive.coefficient("y1").unwrap(),
            fit.coefficient("y2.y1").unwrap(),
            fit.rho().unwrap(),
        ]
    });
    let of = |k: usize, truth: f64| {
        let estimates: Vec<Estimate> = results.iter().map(|r| r[k].clone()).collect();
        let found = summary(&estimates, truth);
        println!("{k}: mean {:.4}, coverage {:.3}", found.0, found.1);
        found
    };
    assert!(of(0, 0.6).1 < 0.2);
    let (mean, covered) = of(1, 0.6);
    assert!(
        (mean - 0.6).abs() < 0.05 && (covered - 0.95).abs() < 0.054,
        "{mean} {covered}"
    );
    assert!((of(2, 0.5).0 - 0.5).abs() < 0.04);
}

// What must hold for any data.

fn same(what: &str, a: &impl Inference, b: &impl Inference, tolerance: f64) {
    agree(
        what,
        a.estimates().as_slice(),
        b.estimates().as_slice(),
        tolerance,
    );
    agree(
        what,
        a.std_errors().as_slice(),
        b.std_errors().as_slice(),
        tolerance,
    );
}

#[test]
fn outcomes_that_are_not_seen_are_irrelevant() {
    let frame = selected_sample(&mut Seed::new(3).stream(0), 300, 0.4);
    let seen = frame.real("seen").unwrap().to_vec();
    let wage: Vec<f64> = frame.real("wage").unwrap().to_vec();
    let x = frame.real("x").unwrap().to_vec();
    let put = |values: Vec<f64>, of_x: Vec<f64>| {
        frame_with(&frame, "w", values).with("x2", of_x).unwrap()
    };
    let pick = |at: usize, hidden: f64, v: f64| if seen[at] > 0.5 { v } else { hidden };
    let missing = put(wage.clone(), x.clone());
    let others = put(
        wage.iter()
            .enumerate()
            .map(|(i, w)| pick(i, -9.0, *w))
            .collect(),
        x.iter()
            .enumerate()
            .map(|(i, x)| pick(i, f64::INFINITY, *x))
            .collect(),
    );
    for two_step in [false, true] {
        let fit = |frame: &Frame| {
            let model = Heckman::new("w ~ x2", "seen ~ x + z");
            let model = if two_step { model.two_step() } else { model };
            model.fit(frame).unwrap()
        };
        same("hidden outcomes", &fit(&missing), &fit(&others), 1e-12);
    }
    // a wage of zero has no logarithm, which matters to nobody who is not selected
    let levels = wage
        .iter()
        .map(|w| if w.is_nan() { 0.0 } else { w.exp() })
        .collect();
    let logs = Heckman::new("log(level) ~ x", "seen ~ x + z")
        .fit(&frame_with(&frame, "level", levels))
        .unwrap();
    let plain = Heckman::new("wage ~ x", "seen ~ x + z")
        .fit(&frame)
        .unwrap();
    same("logarithms", &logs, &plain, 1e-9);
}

fn frame_with(frame: &Frame, name: &str, values: Vec<f64>) -> Frame {
    frame.clone().with(name, values).unwrap()
}

/// Rows in another order, and rows repeated.
fn rearranged(frame: &Frame, rows: &[usize]) -> Frame {
    frame.names().iter().fold(Frame::new(), |out, name| {
        let values = frame.numeric(name).unwrap();
        let picked: Vec<f64> = rows.iter().map(|i| values.values()[*i]).collect();
        out.with(name.clone(), picked).unwrap()
    })
}

#[test]
fn order_units_and_repetition_do_not_matter() {
    let frame = data("tests/reference/selection.csv");
    let n = frame.rows();
    let reversed = rearranged(&frame, &(0..n).rev().collect::<Vec<_>>());
    let count = frame.real("count").unwrap().to_vec();
    let repeated: Vec<usize> = (0..n)
        .flat_map(|i| std::iter::repeat_n(i, count[i] as usize))
        .collect();
    let repeated = rearranged(&frame, &repeated);

    let heckman = Heckman::new("wage ~ x + z2", "seen ~ x + z1");
    for model in [heckman.clone(), heckman.clone().two_step()] {
        let fit = model.fit(&frame).unwrap();
        same("order", &fit, &model.fit(&reversed).unwrap(), 1e-8);
        for kind in [Covariance::Classical, Covariance::Hc1] {
            let model = model.clone().covariance(kind);
            let weighted = model
                .clone()
                .frequency_weights("count")
                .fit(&frame)
                .unwrap();
            same(
                "repetition",
                &model.fit(&repeated).unwrap(),
                &weighted,
                1e-8,
            );
        }
        let scaled = frame_with(
            &frame,
            "u",
            frame
                .real("x")
                .unwrap()
                .iter()
                .map(|x| 1e4 * x + 1e6)
                .collect(),
        );
        let other = if fit.likelihood().is_some() {
            Heckman::new("wage ~ u + z2", "seen ~ u + z1")
                .fit(&scaled)
                .unwrap()
        } else {
            Heckman::new("wage ~ u + z2", "seen ~ u + z1")
                .two_step()
                .fit(&scaled)
                .unwrap()
        };
        let (a, b) = (
            fit.coefficient("x").unwrap(),
            other.coefficient("u").unwrap(),
        );
        assert!((a.estimate - 1e4 * b.estimate).abs() < 1e-7 * a.estimate.abs());
        assert!((a.std_error - 1e4 * b.std_error).abs() < 1e-6 * a.std_error);
    }

    let model = BivariateProbit::new("y1 ~ x + z1", "y2 ~ x + z2");
    same(
        "order",
        &model.fit(&frame).unwrap(),
        &model.fit(&reversed).unwrap(),
        1e-8,
    );
    let weighted = model
        .clone()
        .frequency_weights("count")
        .fit(&frame)
        .unwrap();
    same(
        "repetition",
        &model.fit(&repeated).unwrap(),
        &weighted,
        1e-8,
    );
    // The two equations can change places.
    let swapped = BivariateProbit::new("y2 ~ x + z2", "y1 ~ x + z1")
        .fit(&frame)
        .unwrap();
    let (a, b) = (model.fit(&frame).unwrap(), swapped);
    for (one, other) in [("z1", "y1.z1"), ("y2.z2", "z2"), ("atanh_rho", "atanh_rho")] {
        let (a, b) = (a.coefficient(one).unwrap(), b.coefficient(other).unwrap());
        assert!((a.estimate - b.estimate).abs() < 1e-8, "{one}");
        assert!((a.std_error - b.std_error).abs() < 1e-8, "{one}");
    }

    let model = EndogenousProbit::new("ybin ~ x | d ~ z1 + z2");
    for model in [model.clone(), model.clone().maximum_likelihood()] {
        same(
            "order",
            &model.fit(&frame).unwrap(),
            &model.fit(&reversed).unwrap(),
            1e-8,
        );
        let weighted = model
            .clone()
            .frequency_weights("count")
            .fit(&frame)
            .unwrap();
        same(
            "repetition",
            &model.fit(&repeated).unwrap(),
            &weighted,
            1e-8,
        );
    }
}

#[test]
fn predictions_are_what_they_say() {
    use BivariateProbitPrediction as P;
    let frame = datasets::load("mroz").unwrap();
    let fit = mroz().two_step().fit(&frame).unwrap();
    let seen = frame.real("inlf").unwrap();
    let wage = frame.real("lwage").unwrap();
    let selected = fit.predict(&frame, HeckmanPrediction::Selected).unwrap();
    // least squares with λ: predictions of the selected have the mean of their outcomes
    let gap: f64 = (0..753)
        .filter(|i| seen[*i] > 0.5)
        .map(|i| selected[i] - wage[i])
        .sum();
    assert!(gap.abs() < 1e-9);
    let anyone = fit
        .predict(&frame, HeckmanPrediction::Unconditional)
        .unwrap();
    let others = fit.predict(&frame, HeckmanPrediction::NotSelected).unwrap();
    let p = fit.predict(&frame, HeckmanPrediction::Probability).unwrap();
    for i in 0..753 {
        // E[y] = P E[y | selected] + (1 − P) E[y | not selected]
        let mixed = p[i] * selected[i] + (1.0 - p[i]) * others[i];
        assert!((mixed - anyone[i]).abs() < 1e-12);
    }
    let lean = fit.lean();
    assert!(matches!(
        lean.predict(&frame, HeckmanPrediction::Selected),
        Err(Error::DataNotKept { .. })
    ));
    assert!(matches!(
        lean.with_covariance(Covariance::Hc0),
        Err(Error::DataNotKept { .. })
    ));

    let frame = data("tests/reference/selection.csv");
    let fit = BivariateProbit::new("y1 ~ x + z1", "y2 ~ x + z2")
        .fit(&frame)
        .unwrap();
    let all = [
        P::Both,
        P::FirstOnly,
        P::SecondOnly,
        P::Neither,
        P::First,
        P::Second,
        P::FirstGivenSecond,
    ]
    .map(|what| fit.predict(&frame, what).unwrap());
    let [both, first, second, neither, y1, y2, given] = all;
    for i in 0..frame.rows() {
        assert!((both[i] + first[i] + second[i] + neither[i] - 1.0).abs() < 1e-12);
        assert!((both[i] + first[i] - y1[i]).abs() < 1e-12);
        assert!((both[i] + second[i] - y2[i]).abs() < 1e-12);
        assert!((given[i] * y2[i] - both[i]).abs() < 1e-12);
    }
}

#[test]
fn other_rows_are_predicted_with_errors() {
    let frame = datasets::load("mroz").unwrap();
    // Without outcome and selection, and with a row that cannot be predicted.
    let some = frame.take(&[3, 500, 20]).unwrap();
    let mut educ = some.real("educ").unwrap().to_vec();
    educ[1] = f64::NAN;
    let new = some
        .select(&["exper", "expersq", "nwifeinc", "age", "kidslt6", "kidsge6"])
        .unwrap()
        .with("educ", educ)
        .unwrap();
    for fit in [mroz(), mroz().two_step()].map(|model| model.fit(&frame).unwrap()) {
        for what in [
            HeckmanPrediction::Unconditional,
            HeckmanPrediction::Selected,
            HeckmanPrediction::NotSelected,
            HeckmanPrediction::Probability,
        ] {
            let here = fit.predict(&frame, what).unwrap();
            let there = fit.predict_interval(&new, what, 0.9).unwrap();
            assert!((there.values[0] - here[3]).abs() < 1e-12);
            assert!((there.values[2] - here[20]).abs() < 1e-12);
            assert!(there.values[1].is_nan() && there.missing == 1);
            assert!(there.lower[0] < there.values[0] && there.values[0] < there.upper[0]);
            if what == HeckmanPrediction::Probability {
                assert!(there.lower[2] > 0.0 && there.upper[2] < 1.0);
            }
        }
        // x'β is linear in the coefficients.
        let x = |name: &str| frame.real(name).unwrap()[3];
        let line = fit.linear(&format!(
            "(Intercept) + {}*educ + {}*exper + {}*expersq",
            x("educ"),
            x("exper"),
            x("expersq")
        ));
        let line = line.unwrap();
        let there = fit
            .predict_interval(&new, HeckmanPrediction::Unconditional, 0.9)
            .unwrap();
        assert!((there.std_errors[0] / line.std_error - 1.0).abs() < 1e-9);
        // σ and ρ, or λ, are parameters of the mean of the selected.
        let index = |p: &[f64]| {
            let row = [
                "nwifeinc", "educ", "exper", "expersq", "age", "kidslt6", "kidsge6",
            ];
            p[0] + row.iter().zip(&p[1..]).map(|(v, b)| x(v) * b).sum::<f64>()
        };
        let selection: Vec<&str> = fit
            .names()
            .iter()
            .filter(|n| n.starts_with("select."))
            .map(String::as_str)
            .collect();
        assert_eq!(selection.len(), 8);
        let p = fit
            .nonlinear("p", &selection, |p| normal::cdf(index(p)))
            .unwrap();
        let there = fit
            .predict_interval(&new, HeckmanPrediction::Probability, 0.9)
            .unwrap();
        assert!((there.values[0] - p.estimate).abs() < 1e-10);
        assert!((there.std_errors[0] / p.std_error - 1.0).abs() < 1e-6);
    }
    let by_job = Heckman::new("lwage ~ educ + C(kidslt6)", "inlf ~ educ + age")
        .fit(&frame)
        .unwrap();
    let strange = Frame::new()
        .with("educ", vec![12.0])
        .unwrap()
        .with("age", vec![40.0])
        .unwrap()
        .with("kidslt6", vec![9.0])
        .unwrap();
    assert!(matches!(
        by_job.predict(&strange, HeckmanPrediction::Selected),
        Err(Error::InvalidOption { .. })
    ));

    let frame = data("tests/reference/selection.csv");
    let fit = BivariateProbit::new("y1 ~ x + z1", "y2 ~ x + z2")
        .fit(&frame)
        .unwrap();
    let new = Frame::new()
        .with("x", vec![0.3])
        .unwrap()
        .with("z1", vec![-1.0])
        .unwrap()
        .with("z2", vec![40.0])
        .unwrap();
    let sure = fit
        .predict_interval(&new, BivariateProbitPrediction::Second, 0.95)
        .unwrap();
    assert!(sure.lower[0] >= 0.0 && sure.upper[0] <= 1.0);
}

/// A probit with a normal endogenous regressor.
fn endogenous(seed: u64, rows: usize) -> Frame {
    let random = &mut Seed::new(seed).stream(0);
    let mut columns = [const { Vec::new() }; 4];
    for _ in 0..rows {
        let [x, z, v, e] = [0; 4].map(|_| draw(random));
        let d = 0.5 * x + z + v;
        let y = f64::from(u8::from(0.2 + 0.4 * x - 0.6 * d + 0.5 * v + e > 0.0));
        for (column, value) in columns.iter_mut().zip([x, z, d, y]) {
            column.push(value);
        }
    }
    let [x, z, d, y] = columns;
    frame(vec![("x", x), ("z", z), ("d", d), ("y", y)])
}

#[test]
fn structural_probabilities_need_no_instruments() {
    let frame = endogenous(8, 3000);
    let model = EndogenousProbit::new("y ~ x | d ~ z");
    let new = Frame::new()
        .with("x", vec![0.5, f64::NAN])
        .unwrap()
        .with("d", vec![-0.4, 0.0])
        .unwrap();
    let set = [("x", 0.5), ("d", -0.4)];
    let ml = model.clone().maximum_likelihood().fit(&frame).unwrap();
    let (row, all) = (
        ml.predict_interval(&new, 0.95).unwrap(),
        ml.average_structural_function(&set).unwrap(),
    );
    // All rows alike: the average is that of one row.
    assert!((row.values[0] - all.estimate).abs() < 1e-12);
    assert!((row.std_errors[0] / all.std_error - 1.0).abs() < 1e-6);
    assert!(row.values[1].is_nan());
    let steps = model.fit(&frame).unwrap();
    let (row, all) = (
        steps.predict_interval(&new, 0.95).unwrap(),
        steps.average_structural_function(&set).unwrap(),
    );
    // The residuals are nearly normal.
    assert!((row.values[0] - all.estimate).abs() < 2e-3);
    // Its standard error is the spread of estimates: 200 samples tell it to 5 %.
    let samples: Vec<[f64; 2]> = (0..200)
        .map(|i| {
            let fit = model.fit(&endogenous(100 + i, 1000)).unwrap();
            let row = fit.predict_interval(&new, 0.95).unwrap();
            [row.values[0], row.std_errors[0]]
        })
        .collect();
    let mean = |j: usize| samples.iter().map(|s| s[j]).sum::<f64>() / 200.0;
    let centre = mean(0);
    let spread = samples.iter().map(|s| (s[0] - centre).powi(2)).sum::<f64>() / 199.0;
    let ratio = mean(1) / spread.sqrt();
    assert!((ratio - 1.0).abs() < 0.15, "{ratio}");
    let truth = normal::cdf((0.2 + 0.4 * 0.5 + 0.6 * 0.4) / 1.25_f64.sqrt());
    assert!(
        (centre - truth).abs() < 4.0 * (spread / 200.0).sqrt(),
        "{centre} {truth}"
    );
}

#[test]
fn what_is_not_identified_is_said() {
    let random = &mut Seed::new(5).stream(0);
    let frame = selected_sample(random, 300, 0.5);
    let no_exclusion = Heckman::new("wage ~ x + z", "seen ~ x + z")
        .fit(&frame)
        .unwrap();
    let text = no_exclusion.to_string().replace('\n', " ");
    assert!(text.contains("no exclusion restriction"), "{text}");
    let with = Heckman::new("wage ~ x", "seen ~ x + z")
        .fit(&frame)
        .unwrap();
    assert!(!with.to_string().contains("no exclusion"));
    // λ is a linear function of a binary regressor
    let binary = frame_with(
        &frame,
        "b",
        frame
            .real("x")
            .unwrap()
            .iter()
            .map(|x| f64::from(u8::from(*x > 0.0)))
            .collect(),
    );
    assert!(matches!(
        Heckman::new("wage ~ b", "seen ~ b").two_step().fit(&binary),
        Err(Error::Unidentified { .. })
    ));
    // an outcome that follows selection without error: ρ = 1
    let u: Vec<f64> = (0..400).map(|_| draw(random)).collect();
    let x: Vec<f64> = (0..400).map(|_| draw(random)).collect();
    let seen: Vec<f64> = u
        .iter()
        .zip(&x)
        .map(|(u, x)| f64::from(u8::from(x + u > 0.0)))
        .collect();
    let degenerate = frame_of(vec![
        ("x", x.clone()),
        ("y", u.clone()),
        ("seen", seen.clone()),
    ]);
    let error = Heckman::new("y ~ 1", "seen ~ x")
        .fit(&degenerate)
        .unwrap_err();
    assert!(error.to_string().contains("±1"), "{error}");
    // equal outcomes
    let twice = frame_of(vec![
        ("x", x.clone()),
        ("a", seen.clone()),
        ("b", seen.clone()),
    ]);
    let error = BivariateProbit::new("a ~ x", "b ~ x")
        .fit(&twice)
        .unwrap_err();
    assert!(error.to_string().contains("±1"), "{error}");
    // instruments that explain nothing, or everything, or are none
    let weak = frame_of(vec![
        ("y", seen.clone()),
        ("d", u.iter().zip(&x).map(|(u, x)| u + 0.5 * x).collect()),
        ("z", (0..400).map(|_| draw(random)).collect()),
        ("one", vec![1.0; 400]),
    ]);
    let fit = EndogenousProbit::new("y ~ 1 | d ~ z").fit(&weak).unwrap();
    assert!(fit.to_string().contains("weak first stage"), "{fit}");
    assert!(matches!(
        EndogenousProbit::new("y ~ 1 | d ~ one").fit(&weak),
        Err(Error::Unidentified { .. })
    ));
    let explained = EndogenousProbit::new("y ~ z | z ~ d").fit(&weak);
    assert!(explained.is_err());
    assert!(matches!(
        EndogenousProbit::new("y ~ d").fit(&weak),
        Err(Error::InvalidOption { .. })
    ));
}

fn frame_of(columns: Vec<(&str, Vec<f64>)>) -> Frame {
    frame(columns)
}

#[test]
fn bad_input_is_named() {
    let frame = selected_sample(&mut Seed::new(6).stream(0), 200, 0.2);
    let model = Heckman::new("wage ~ x", "seen ~ x + z");
    for kind in [Covariance::Hc3, Covariance::Hc2, Covariance::cr2("seen")] {
        for model in [model.clone(), model.clone().two_step()] {
            let refused = model.covariance(kind.clone()).fit(&frame);
            assert!(matches!(refused, Err(Error::InvalidOption { .. })));
        }
    }
    assert!(matches!(
        Heckman::new("wage ~ x", "x ~ z").fit(&frame),
        Err(Error::OutOfRange { .. })
    ));
    assert!(matches!(
        Heckman::new("wage ~ nobody", "seen ~ z").fit(&frame),
        Err(Error::ColumnNotFound { .. })
    ));
    assert!(matches!(
        Heckman::new("wage ~ x", "seen ~ z | x").fit(&frame),
        Err(Error::InvalidOption { .. })
    ));
    let all = frame_with(&frame, "all", vec![1.0; 200]);
    assert!(matches!(
        Heckman::new("wage ~ x", "all ~ z").fit(&all),
        Err(Error::Unidentified { .. })
    ));
    // selection told by a regressor
    let told = frame_with(
        &frame,
        "told",
        frame
            .real("seen")
            .unwrap()
            .iter()
            .map(|s| 2.0 * s - 1.0)
            .collect(),
    );
    assert!(matches!(
        Heckman::new("wage ~ x", "seen ~ told").fit(&told),
        Err(Error::Separated { .. })
    ));
    // a selected row without outcome is left out, and said
    let mut wage = frame.real("wage").unwrap().to_vec();
    let first = frame
        .real("seen")
        .unwrap()
        .iter()
        .position(|s| *s > 0.5)
        .unwrap();
    wage[first] = f64::NAN;
    let fit = Heckman::new("w ~ x", "seen ~ x + z")
        .fit(&frame_with(&frame, "w", wage))
        .unwrap();
    assert!((fit.observations() - 199.0).abs() < 0.5);
    assert!(fit.to_string().contains("1 selected rows dropped"), "{fit}");
    let text = serde_json::to_string(&fit).unwrap();
    let back: HeckmanFit = serde_json::from_str(&text).unwrap();
    assert_eq!(back.estimates(), fit.estimates());
}
