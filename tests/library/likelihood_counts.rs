//! Counts, ordered, censored and truncated outcomes: against R, simulations with known truth, properties, bad input.

use crate::support::{agree, fixture, names, numbers};
use cocreate::numeric::blocks;
use cocreate::prelude::*;
use rand::RngExt;
use rand::rngs::ChaCha8Rng;
use rand_distr::{Distribution as _, Gamma, StandardNormal};
use serde_json::Value;

type Fit = Result<LikelihoodFit>;

fn counts() -> Frame {
    crate::support::data("tests/reference/likelihood_counts.csv")
}

/// Estimates in the order of the names, and their standard errors.
fn estimates(fit: &LikelihoodFit, names: &[String]) -> (Vec<f64>, Vec<f64>) {
    names
        .iter()
        .map(|name| {
            let found = fit.coefficient(name).unwrap();
            (found.estimate, found.std_error)
        })
        .unzip()
}

fn compare(what: &str, case: &Value, fit: &LikelihoodFit) {
    let names = names(case);
    assert_eq!(fit.names().len(), names.len(), "{what}");
    let (found, errors) = estimates(fit, &names);
    // Each to its own size, but for those near zero, which are held to their standard errors.
    let theirs = numbers(&case["estimates"]);
    for (i, (a, b)) in found.iter().zip(&theirs).enumerate() {
        let gap = (a - b).abs() / b.abs().max(0.1 * errors[i]);
        assert!(gap < 1e-8, "{what} {}: {a} {b} ({gap:.1e})", names[i]);
    }
    let log = case["log_likelihood"].as_f64().unwrap();
    agree(
        &format!("{what} ln L"),
        &[fit.log_likelihood()],
        &[log],
        1e-11,
    );
    if let Some(list) = case["std_errors"].as_array() {
        for (i, theirs) in list.iter().enumerate() {
            let gap = (errors[i] / theirs.as_f64().unwrap() - 1.0).abs();
            assert!(gap < 1e-6, "{what} s.e. of {}: {gap:.1e}", names[i]);
        }
    }
}

fn limit(case: &Value, i: usize) -> f64 {
    let limit = &case["limits"][i];
    limit
        .as_f64()
        .unwrap_or_else(|| limit.as_str().unwrap().parse().unwrap())
}

#[test]
fn estimates_are_those_of_r() {
    let (frame, record) = (counts(), fixture("likelihood_counts"));
    let values = &record["values"];
    let classical = Covariance::Classical;
    for (name, case) in values.as_object().unwrap() {
        let Some(formula) = case["formula"].as_str() else {
            continue;
        };
        let second = case["second"].as_str().unwrap_or("1");
        let fit: Fit = match name.as_str() {
            "poisson" => Poisson::new(formula)
                .offset("e")
                .covariance(classical.clone())
                .fit(&frame),
            "poisson_weights" => Poisson::new(formula)
                .offset("e")
                .frequency_weights("w")
                .covariance(classical.clone())
                .fit(&frame),
            "negbin" | "negbin_large" => NegativeBinomial::new(formula)
                .covariance(classical.clone())
                .fit(&frame),
            "rossi" => NegativeBinomial::new(formula)
                .covariance(classical.clone())
                .fit(&datasets::load("rossi").unwrap()),
            "hurdle_poisson" => Hurdle::poisson(formula)
                .hurdle(second)
                .covariance(classical.clone())
                .fit(&frame),
            "hurdle_negbin" => Hurdle::negative_binomial(formula)
                .hurdle(second)
                .covariance(classical.clone())
                .fit(&frame),
            "inflated_poisson" => ZeroInflated::poisson(formula)
                .inflate(second)
                .covariance(classical.clone())
                .fit(&frame),
            "inflated_negbin" => ZeroInflated::negative_binomial(formula)
                .inflate(second)
                .covariance(classical.clone())
                .fit(&frame),
            "ordered_logistic" => OrderedLogit::new(formula)
                .covariance(classical.clone())
                .fit(&frame),
            "ordered_probit" => OrderedProbit::new(formula)
                .covariance(classical.clone())
                .fit(&frame),
            "mroz" => Tobit::new(formula)
                .covariance(classical.clone())
                .fit(&datasets::load("mroz").unwrap()),
            tobit if tobit.starts_with("tobit") => Tobit::new(formula)
                .left(limit(case, 0))
                .right(limit(case, 1))
                .covariance(classical.clone())
                .fit(&frame),
            truncated if truncated.starts_with("truncated") => Truncated::new(formula)
                .left(limit(case, 0))
                .right(limit(case, 1))
                .covariance(classical.clone())
                .fit(&frame),
            other => panic!("{other}"),
        };
        let fit = fit.unwrap_or_else(|error| panic!("{name}: {error}"));
        compare(name, case, &fit);
        if let Some(null) = case["null"].as_f64() {
            agree(
                "null",
                &[fit.statistics().null_log_likelihood.unwrap()],
                &[null],
                1e-8,
            );
        }
        if let Some(statistic) = case["boundary"].as_f64() {
            let test = NegativeBinomial::new(formula)
                .overdispersion_test(&frame)
                .unwrap();
            agree("boundary", &[test.statistic], &[statistic], 1e-9);
            let whole = fit.likelihood_ratio_test(&Poisson::new(formula).fit(&frame).unwrap());
            assert!((test.p_value - 0.5 * whole.unwrap().p_value).abs() < 1e-12);
        }
    }
    let robust = Poisson::new("poisson ~ x + d")
        .offset("e")
        .covariance(Covariance::Hc0)
        .fit(&frame)
        .unwrap();
    let (_, errors) = estimates(&robust, &names(&values["poisson"]));
    agree("HC0", &errors, &numbers(&values["poisson"]["robust"]), 1e-9);
}

#[test]
fn vuong_s_test_is_that_of_pscl() {
    let frame = counts();
    let record = fixture("likelihood_counts");
    let theirs = &record["values"]["vuong"];
    let formula = "inflated_poisson ~ x + d";
    let inflated = ZeroInflated::poisson(formula)
        .inflate("~ z")
        .fit(&frame)
        .unwrap();
    let hurdle = Hurdle::poisson(formula)
        .hurdle("inflated_poisson ~ z")
        .fit(&frame)
        .unwrap();
    let test = inflated.vuong(&hurdle).unwrap();
    let statistic = theirs["statistic"].as_f64().unwrap();
    agree("vuong", &[test.uncorrected.statistic], &[statistic], 1e-6);
    assert_eq!(test.uncorrected.statistic, test.bic_corrected.statistic);
    let poisson = Poisson::new(formula).fit(&frame).unwrap();
    let test = inflated.vuong(&poisson).unwrap();
    let found = [&test.uncorrected, &test.aic_corrected, &test.bic_corrected].map(|t| t.statistic);
    agree("vuong", &found, &numbers(&theirs["against_poisson"]), 1e-6);
    assert!(test.to_string().contains("BIC-corrected"));
    let total: f64 = inflated.log_densities().unwrap().iter().sum();
    assert!((total - inflated.log_likelihood()).abs() < 1e-9);
    assert!(matches!(
        poisson.vuong(&poisson),
        Err(Error::Unidentified { .. })
    ));
    let fewer = Poisson::new("inflated_poisson ~ x")
        .fit(&crate::support::filter(
            &frame,
            &vec![true; 400][..]
                .iter()
                .enumerate()
                .map(|(i, _)| i > 0)
                .collect::<Vec<_>>(),
        ))
        .unwrap();
    assert!(matches!(
        poisson.vuong(&fewer),
        Err(Error::InvalidOption { .. })
    ));
    assert!(matches!(
        poisson.lean().vuong(&poisson),
        Err(Error::DataNotKept { .. })
    ));
}

#[test]
fn brant_s_test_is_that_of_r_and_has_its_size() {
    let theirs = &fixture("likelihood_counts")["values"]["brant"]["statistics"];
    let test = OrderedLogit::new("ordered ~ x + d")
        .parallel_lines_test(&counts())
        .unwrap();
    let found: Vec<f64> = std::iter::once(&test.all)
        .chain(&test.by_regressor)
        .map(|t| t.statistic)
        .collect();
    agree("brant", &found, &numbers(theirs), 1e-8);
    assert_eq!(test.all.distribution, Distribution::ChiSquared { df: 4.0 });

    let seed = Seed::new(17).child("brant");
    let rejections = |slope_of_upper: f64| {
        let p_values = blocks::map(REPLICATIONS, |i| {
            let frame = sample(&mut seed.stream(i as u64), |r, x, _| {
                // P(y > 0) and P(y > 1) are logits whose slopes differ, for |x| < 4, without crossing.
                let u = uniform(r);
                let first = u < logistic(1.5 + 0.5 * x);
                let second = u < logistic(-1.5 + slope_of_upper * x);
                Some(f64::from(u8::from(first)) + f64::from(u8::from(first && second)))
            });
            let test = OrderedLogit::new("y ~ x + z").parallel_lines_test(&frame);
            test.unwrap().all.p_value
        });
        p_values.iter().filter(|p| **p < 0.05).count() as f64 / REPLICATIONS as f64
    };
    let size = rejections(0.5);
    assert!((size - 0.05).abs() < NEAR, "{size}");
    assert!(rejections(1.1) > 0.8);

    let error = OrderedLogit::new("d ~ x").parallel_lines_test(&counts());
    assert!(
        matches!(error, Err(Error::Unidentified { .. })),
        "{error:?}"
    );
    let error = OrderedLogit::new("ordered ~ x")
        .weights("w")
        .parallel_lines_test(&counts());
    assert!(
        matches!(error, Err(Error::InvalidOption { .. })),
        "{error:?}"
    );
}

/// Every model on the fixture's data, with its offset, covariance and weights set by the caller.
macro_rules! models {
    ($with:expr) => {{
        let with = $with;
        vec![
            (
                "poisson",
                with(Model::Poisson(Poisson::new("poisson ~ x + d"))),
            ),
            (
                "negbin",
                with(Model::NegativeBinomial(NegativeBinomial::new(
                    "negbin ~ x + d",
                ))),
            ),
            (
                "hurdle",
                with(Model::Hurdle(
                    Hurdle::poisson("hurdle_poisson ~ x + d").hurdle("z"),
                )),
            ),
            (
                "hurdle nb",
                with(Model::Hurdle(
                    Hurdle::negative_binomial("hurdle_negbin ~ x").hurdle("z + x"),
                )),
            ),
            (
                "zip",
                with(Model::ZeroInflated(
                    ZeroInflated::poisson("inflated_poisson ~ x + d").inflate("z"),
                )),
            ),
            (
                "zinb",
                with(Model::ZeroInflated(
                    ZeroInflated::negative_binomial("inflated_negbin ~ x").inflate("z"),
                )),
            ),
            (
                "ologit",
                with(Model::OrderedLogit(OrderedLogit::new("ordered ~ x + d"))),
            ),
            (
                "oprobit",
                with(Model::OrderedProbit(OrderedProbit::new("ordered ~ x + d"))),
            ),
            (
                "tobit",
                with(Model::Tobit(Tobit::new("both ~ x + d").right(2.5))),
            ),
            (
                "truncated",
                with(Model::Truncated(Truncated::new("above ~ x + d"))),
            ),
        ]
    }};
}

/// The models under one name, so that a property is written once.
enum Model {
    Poisson(Poisson),
    NegativeBinomial(NegativeBinomial),
    Hurdle(Hurdle),
    ZeroInflated(ZeroInflated),
    OrderedLogit(OrderedLogit),
    OrderedProbit(OrderedProbit),
    Tobit(Tobit),
    Truncated(Truncated),
}

macro_rules! each {
    ($model:expr, $m:ident => $body:expr) => {
        match $model {
            Model::Poisson($m) => $body,
            Model::NegativeBinomial($m) => $body,
            Model::Hurdle($m) => $body,
            Model::ZeroInflated($m) => $body,
            Model::OrderedLogit($m) => $body,
            Model::OrderedProbit($m) => $body,
            Model::Tobit($m) => $body,
            Model::Truncated($m) => $body,
        }
    };
}

/// Some rows of a frame of numbers, in any order and number.
fn take(frame: &Frame, rows: &[usize]) -> Frame {
    frame.names().iter().fold(Frame::new(), |out, name| {
        let values = frame.numeric(name).unwrap().values().clone();
        let taken: Vec<f64> = rows.iter().map(|i| values[*i]).collect();
        out.with(name.clone(), taken).unwrap()
    })
}

/// Estimates and covariances, to a share of the standard errors.
fn same(what: &str, a: &LikelihoodFit, b: &LikelihoodFit, tolerance: f64) {
    assert_eq!(a.names(), b.names());
    for name in a.names() {
        let (x, y) = (a.coefficient(name).unwrap(), b.coefficient(name).unwrap());
        let gap = (x.estimate - y.estimate).abs() / y.std_error;
        assert!(gap < tolerance, "{what} {name}: {gap:.1e}");
        let gap = (x.std_error / y.std_error - 1.0).abs();
        assert!(gap < tolerance, "{what} s.e. {name}: {gap:.1e}");
    }
}

#[test]
fn the_order_of_rows_does_not_matter() {
    let frame = counts();
    let reversed = take(&frame, &(0..frame.rows()).rev().collect::<Vec<_>>());
    let fits = |frame: &Frame| models!(|m| each!(m, m => m.fit(frame).unwrap()));
    for ((name, a), (_, b)) in fits(&frame).iter().zip(&fits(&reversed)) {
        same(name, a, b, 1e-7);
    }
}

#[test]
fn frequency_weights_are_equal_rows() {
    let frame = counts();
    let w = frame.numeric("w").unwrap().values().clone();
    let rows: Vec<usize> = (0..frame.rows())
        .flat_map(|i| std::iter::repeat_n(i, w[i] as usize))
        .collect();
    let repeated = take(&frame, &rows);
    for covariance in [Covariance::Classical, Covariance::Hc1] {
        let weighted = models!(
            |m| each!(m, m => m.frequency_weights("w").covariance(covariance.clone()).fit(&frame).unwrap())
        );
        let long =
            models!(|m| each!(m, m => m.covariance(covariance.clone()).fit(&repeated).unwrap()));
        for ((name, a), (_, b)) in weighted.iter().zip(&long) {
            same(name, a, b, 1e-7);
            let (a, b) = (a.statistics(), b.statistics());
            assert!((a.bic - b.bic).abs() < 1e-8 * b.bic.abs(), "{name}");
        }
    }
}

#[test]
fn units_of_a_regressor_and_offsets_only_move_what_they_must() {
    const SHIFT: f64 = 1.7e6;
    let frame = counts();
    let x: Vec<f64> = frame
        .real("x")
        .unwrap()
        .iter()
        .map(|x| SHIFT + 1000.0 * x)
        .collect();
    let kept: Vec<usize> = (0..frame.rows()).collect();
    let mut moved = Frame::new();
    for name in take(&frame, &kept).names() {
        let values = frame.numeric(name).unwrap().values().to_vec();
        moved = moved
            .with(name.clone(), if name == "x" { x.clone() } else { values })
            .unwrap();
    }
    let moved = moved.with("one", vec![1.0; frame.rows()]).unwrap();
    let plain = models!(|m| each!(m, m => m.fit(&frame).unwrap()));
    let scaled = models!(|m| each!(m, m => m.fit(&moved).unwrap()));
    let offset = models!(|m| each!(m, m => m.offset("one").fit(&moved).unwrap()));
    for (((name, a), (_, b)), (_, c)) in plain.iter().zip(&scaled).zip(&offset) {
        let estimate = |fit: &LikelihoodFit, name: &str| fit.coefficient(name).unwrap().estimate;
        let error = a.coefficient("x").unwrap().std_error;
        assert!(
            (estimate(a, "x") - 1000.0 * estimate(b, "x")).abs() < 1e-6 * error,
            "{name}"
        );
        assert!(
            (a.log_likelihood() - b.log_likelihood()).abs() < 1e-8,
            "{name}"
        );
        assert!(
            (c.log_likelihood() - b.log_likelihood()).abs() < 1e-8,
            "{name}"
        );
        let (constant, sign) = if name.starts_with('o') {
            ("cut2", -1.0)
        } else {
            ("(Intercept)", 1.0)
        };
        let expected = estimate(a, constant) - sign * estimate(a, "x") * SHIFT / 1000.0;
        let gap = (estimate(b, constant) - expected).abs();
        assert!(
            gap < 1e-6 * b.coefficient(constant).unwrap().std_error,
            "{name} {gap}"
        );
        let gap = (estimate(c, constant) - estimate(b, constant) + sign).abs();
        assert!(
            gap < 1e-6 * b.coefficient(constant).unwrap().std_error,
            "{name} {gap}"
        );
    }
}

// ---- simulations ----

const REPLICATIONS: usize = 400;
const ROWS: usize = 500;

fn normal(random: &mut ChaCha8Rng) -> f64 {
    StandardNormal.sample(random)
}

fn uniform(random: &mut ChaCha8Rng) -> f64 {
    random.random()
}

fn poisson(random: &mut ChaCha8Rng, mean: f64) -> f64 {
    if mean <= 0.0 {
        return 0.0;
    }
    rand_distr::Poisson::new(mean).unwrap().sample(random)
}

fn negative_binomial(random: &mut ChaCha8Rng, mean: f64, alpha: f64) -> f64 {
    let rate = Gamma::new(1.0 / alpha, alpha).unwrap().sample(random);
    poisson(random, mean * rate)
}

fn logistic(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// Draws x and z and an outcome for each row.
fn sample(
    random: &mut ChaCha8Rng,
    draw: impl Fn(&mut ChaCha8Rng, f64, f64) -> Option<f64>,
) -> Frame {
    let (mut x, mut z, mut y) = (vec![], vec![], vec![]);
    while y.len() < ROWS {
        let (a, b) = (normal(random), uniform(random));
        if let Some(outcome) = draw(random, a, b) {
            x.push(a);
            z.push(b);
            y.push(outcome);
        }
    }
    let frame = Frame::new().with("x", x).unwrap().with("z", z).unwrap();
    frame.with("y", y).unwrap()
}

/// Bias in standard deviations of the mean over replications, and coverage of 95 % intervals under two covariances.
struct Found {
    bias: f64,
    size_of_bias: f64,
    classical: f64,
    robust: f64,
}

fn simulate(
    name: &str,
    truths: &[(&str, f64)],
    draw: impl Fn(&mut ChaCha8Rng, f64, f64) -> Option<f64> + Sync,
    fit: impl Fn(&Frame) -> Fit + Sync,
) -> Vec<Found> {
    let seed = Seed::new(31).child(name);
    let runs = blocks::map(REPLICATIONS, |i| {
        let frame = sample(&mut seed.stream(i as u64), &draw);
        let robust = fit(&frame).unwrap_or_else(|error| panic!("{name} {i}: {error}"));
        let classical = robust.with_covariance(Covariance::Classical).unwrap();
        truths
            .iter()
            .map(|(coefficient, truth)| {
                let covers = |fit: &LikelihoodFit| {
                    let interval = fit
                        .coefficient(coefficient)
                        .unwrap()
                        .confidence_interval(0.95)
                        .unwrap();
                    f64::from(u8::from(
                        interval.lower <= *truth && *truth <= interval.upper,
                    ))
                };
                let estimate = robust.coefficient(coefficient).unwrap().estimate;
                [estimate - truth, covers(&classical), covers(&robust)]
            })
            .collect::<Vec<_>>()
    });
    let count = REPLICATIONS as f64;
    let found: Vec<Found> = (0..truths.len())
        .map(|k| {
            let mean = |j: usize| runs.iter().map(|run| run[k][j]).sum::<f64>() / count;
            let bias = mean(0);
            let spread = runs
                .iter()
                .map(|run| (run[k][0] - bias).powi(2))
                .sum::<f64>()
                / (count - 1.0);
            Found {
                bias: bias / (spread / count).sqrt(),
                size_of_bias: bias,
                classical: mean(1),
                robust: mean(2),
            }
        })
        .collect();
    for ((coefficient, _), f) in truths.iter().zip(&found) {
        println!(
            "{name} {coefficient}: bias {:.4} ({:.1} s.e.), coverage {:.3} classical, {:.3} robust",
            f.size_of_bias, f.bias, f.classical, f.robust
        );
    }
    found
}

/// Three Monte Carlo standard errors of a coverage near 95 %, √(0.95 · 0.05/400) each, and one point for n = 500.
const NEAR: f64 = 3.0 * 0.0109 + 0.01;

/// The bias of maximum likelihood is of order 1/n; this is a multiple of what remains at n = 500.
fn well_behaved(name: &str, found: &[Found]) {
    for f in found {
        assert!(f.bias.abs() < 3.5 || f.size_of_bias.abs() < 0.03, "{name}");
        assert!((f.classical - 0.95).abs() < NEAR, "{name} {}", f.classical);
        assert!((f.robust - 0.95).abs() < NEAR, "{name} {}", f.robust);
    }
}

#[test]
fn counts_are_estimated_without_bias_and_covered() {
    let truths = [("(Intercept)", 0.5), ("x", 0.4)];
    let mean = |x: f64| (0.5 + 0.4 * x).exp();
    let found = simulate(
        "Poisson",
        &truths,
        |r, x, _| Some(poisson(r, mean(x))),
        |f| Poisson::new("y ~ x").fit(f),
    );
    well_behaved("Poisson", &found);

    let truths = [("(Intercept)", 0.5), ("x", 0.4), ("ln_alpha", 0.7_f64.ln())];
    let found = simulate(
        "negative binomial",
        &truths,
        |r, x, _| Some(negative_binomial(r, mean(x), 0.7)),
        |f| NegativeBinomial::new("y ~ x").fit(f),
    );
    well_behaved("negative binomial", &found);
}

#[test]
fn robust_errors_of_poisson_survive_overdispersion_and_classical_ones_do_not() {
    let truths = [("x", 0.4)];
    let found = simulate(
        "overdispersed Poisson",
        &truths,
        |r, x, _| Some(negative_binomial(r, (0.5 + 0.4 * x).exp(), 1.0)),
        |f| Poisson::new("y ~ x").fit(f),
    );
    assert!(found[0].bias.abs() < 3.5);
    assert!(
        (found[0].robust - 0.95).abs() < NEAR + 0.01,
        "{}",
        found[0].robust
    );
    assert!(found[0].classical < 0.85, "{}", found[0].classical);
    // PPML: an outcome that is not a count at all, with the right mean.
    let found = simulate(
        "spending",
        &truths,
        |r, x, _| Some((0.5 + 0.4 * x).exp() * (0.6 * normal(r) - 0.18).exp()),
        |f| Poisson::new("y ~ x").fit(f),
    );
    assert!(found[0].bias.abs() < 3.5);
    assert!((found[0].robust - 0.95).abs() < NEAR, "{}", found[0].robust);
}

#[test]
fn counts_with_many_zeros_are_estimated_without_bias_and_covered() {
    let truths = [
        ("(Intercept)", 0.8),
        ("x", 0.4),
        ("hurdle.(Intercept)", -0.2),
        ("hurdle.z", 1.0),
    ];
    let mean = |x: f64| (0.8 + 0.4 * x).exp();
    let found = simulate(
        "hurdle",
        &truths,
        |r, x, z| {
            if uniform(r) > logistic(-0.2 + z) {
                return Some(0.0);
            }
            loop {
                let y = poisson(r, mean(x));
                if y > 0.0 {
                    return Some(y);
                }
            }
        },
        |f| Hurdle::poisson("y ~ x").hurdle("z").fit(f),
    );
    well_behaved("hurdle", &found);

    let truths = [
        ("(Intercept)", 0.8),
        ("x", 0.4),
        ("inflate.(Intercept)", -0.8),
        ("inflate.z", 1.0),
    ];
    let found = simulate(
        "zero-inflated",
        &truths,
        |r, x, z| {
            Some(if uniform(r) < logistic(-0.8 + z) {
                0.0
            } else {
                poisson(r, mean(x))
            })
        },
        |f| ZeroInflated::poisson("y ~ x").inflate("z").fit(f),
    );
    well_behaved("zero-inflated", &found);

    let truths = [("x", 0.4), ("inflate.(Intercept)", -0.3)];
    let found = simulate(
        "zero-inflated negative binomial",
        &truths,
        |r, x, _| {
            Some(if uniform(r) < logistic(-0.3) {
                0.0
            } else {
                negative_binomial(r, 4.0 * mean(x), 0.3)
            })
        },
        |f| ZeroInflated::negative_binomial("y ~ x").inflate("1").fit(f),
    );
    well_behaved("zero-inflated negative binomial", &found);
    let truths = [
        ("x", 0.4),
        ("hurdle.(Intercept)", -0.3),
        ("ln_alpha", 0.5_f64.ln()),
    ];
    let found = simulate(
        "hurdle negative binomial",
        &truths,
        |r, x, _| {
            if uniform(r) > logistic(-0.3) {
                return Some(0.0);
            }
            loop {
                let y = negative_binomial(r, 4.0 * mean(x), 0.5);
                if y > 0.0 {
                    return Some(y);
                }
            }
        },
        |f| Hurdle::negative_binomial("y ~ x").hurdle("1").fit(f),
    );
    well_behaved("hurdle negative binomial", &found);
}

#[test]
fn ordered_and_limited_outcomes_are_estimated_without_bias_and_covered() {
    let category = |latent: f64| {
        Some(f64::from(u8::from(latent > -0.5)) + 2.0 * f64::from(u8::from(latent > 1.0)))
    };
    let truths = [("x", 0.7), ("cut1", -0.5), ("cut2", 1.0)];
    let found = simulate(
        "ordered logit",
        &truths,
        |r, x, _| {
            let u = uniform(r);
            category(0.7 * x + (u / (1.0 - u)).ln())
        },
        |f| OrderedLogit::new("y ~ x").fit(f),
    );
    well_behaved("ordered logit", &found);
    let found = simulate(
        "ordered probit",
        &truths,
        |r, x, _| category(0.7 * x + normal(r)),
        |f| OrderedProbit::new("y ~ x").fit(f),
    );
    well_behaved("ordered probit", &found);

    let truths = [("(Intercept)", 0.5), ("x", 1.0), ("ln_sigma", 1.5_f64.ln())];
    let latent = |r: &mut ChaCha8Rng, x: f64| 0.5 + x + 1.5 * normal(r);
    let found = simulate(
        "tobit",
        &truths,
        |r, x, _| Some(latent(r, x).max(0.0)),
        |f| Tobit::new("y ~ x").fit(f),
    );
    well_behaved("tobit", &found);
    let found = simulate(
        "two limits",
        &truths,
        |r, x, _| Some(latent(r, x).clamp(-1.0, 2.0)),
        |f| Tobit::new("y ~ x").left(-1.0).right(2.0).fit(f),
    );
    well_behaved("two limits", &found);
    let found = simulate(
        "truncated",
        &truths,
        |r, x, _| Some(latent(r, x)).filter(|y| *y > -1.0),
        |f| Truncated::new("y ~ x").left(-1.0).fit(f),
    );
    well_behaved("truncated", &found);
}

#[test]
fn the_boundary_test_rejects_as_often_as_it_says() {
    let seed = Seed::new(7).child("boundary");
    let rejections = |alpha: Option<f64>| {
        let p_values = blocks::map(REPLICATIONS, |i| {
            let mut random = seed.stream(i as u64);
            let frame = sample(&mut random, |r, x, _| {
                let mean = (0.5 + 0.4 * x).exp();
                Some(match alpha {
                    None => poisson(r, mean),
                    Some(a) => negative_binomial(r, mean, a),
                })
            });
            NegativeBinomial::new("y ~ x")
                .overdispersion_test(&frame)
                .unwrap()
                .p_value
        });
        p_values.iter().filter(|p| **p < 0.05).count() as f64 / REPLICATIONS as f64
    };
    let size = rejections(None);
    assert!((size - 0.05).abs() < NEAR, "{size}");
    assert!(rejections(Some(0.5)) > 0.95);
}

// ---- bad input ----

fn frame(columns: &[(&str, &[f64])]) -> Frame {
    columns.iter().fold(Frame::new(), |f, (name, values)| {
        f.with(*name, values.to_vec()).unwrap()
    })
}

#[test]
fn outcomes_outside_the_support_are_named() {
    let data = frame(&[
        ("y", &[0.0, 1.0, -2.0, 3.0, 1.0, 0.0]),
        ("half", &[0.0, 1.0, 2.5, 3.0, 1.0, 0.0]),
        ("x", &[1.0, 2.0, 4.0, 3.0, 5.0, 2.5]),
    ]);
    let out_of_range = |fit: Fit, found: f64| match fit {
        Err(Error::OutOfRange { row, value, .. }) => assert_eq!((row, value), (3, found)),
        other => panic!("{other:?}"),
    };
    out_of_range(Poisson::new("y ~ x").fit(&data), -2.0);
    out_of_range(NegativeBinomial::new("y ~ x").fit(&data), -2.0);
    out_of_range(NegativeBinomial::new("half ~ x").fit(&data), 2.5);
    out_of_range(Hurdle::poisson("half ~ x").fit(&data), 2.5);
    out_of_range(ZeroInflated::negative_binomial("half ~ x").fit(&data), 2.5);
    out_of_range(Tobit::new("y ~ x").fit(&data), -2.0);
    out_of_range(Tobit::new("half ~ x").right(2.0).left(-1.0).fit(&data), 2.5);
    out_of_range(
        Truncated::new("y ~ x").left(-2.0).right(9.0).fit(&data),
        -2.0,
    );
    let note = Poisson::new("half ~ x").fit(&data).unwrap().warnings();
    assert!(
        note.iter().any(|w| w.to_string().contains("whole numbers")),
        "{note:?}"
    );
    assert!(
        Poisson::new("abs(y) ~ x")
            .fit(&data)
            .unwrap()
            .warnings()
            .is_empty()
    );
}

#[test]
fn outcomes_that_say_nothing_are_refused() {
    let data = frame(&[
        ("zero", &[0.0; 6]),
        ("three", &[3.0; 6]),
        ("ones", &[0.0, 1.0, 0.0, 1.0, 1.0, 0.0]),
        ("positive", &[4.0, 1.0, 2.0, 1.0, 1.0, 3.0]),
        ("x", &[1.0, 2.0, 4.0, 3.0, 5.0, 2.5]),
    ]);
    for fit in [
        Poisson::new("zero ~ x").fit(&data),
        NegativeBinomial::new("three ~ x").fit(&data),
        Hurdle::poisson("zero ~ x").fit(&data),
        Hurdle::poisson("positive ~ 1").fit(&data),
        Hurdle::poisson("ones ~ 1").fit(&data),
        ZeroInflated::poisson("positive ~ x").fit(&data),
        OrderedLogit::new("three ~ x").fit(&data),
        Tobit::new("zero ~ x").fit(&data),
        Tobit::new("positive ~ positive2").fit(
            &data
                .clone()
                .with("positive2", vec![4.0, 1.0, 2.0, 1.0, 1.0, 3.0])
                .unwrap(),
        ),
        // Less variation than Poisson counts have.
        NegativeBinomial::new("ones ~ 1").fit(&data),
    ] {
        assert!(matches!(fit, Err(Error::Unidentified { .. })), "{fit:?}");
    }
    let test = NegativeBinomial::new("ones ~ 1")
        .overdispersion_test(&data)
        .unwrap();
    assert_eq!((test.statistic, test.p_value), (0.0, 1.0));
    let text = NegativeBinomial::new("ones ~ 1")
        .fit(&data)
        .unwrap_err()
        .to_string();
    assert!(text.contains("use Poisson"), "{text}");
}

#[test]
fn separation_is_named() {
    let mut random = Seed::new(3).stream(0);
    let base = sample(&mut random, |r, x, _| {
        Some(poisson(r, (0.3 + 0.3 * x).exp()))
    });
    let y = base.real("y").unwrap();
    // Half of the zeros are members; nobody else is.
    let member: Vec<f64> = y
        .iter()
        .enumerate()
        .map(|(i, y)| f64::from(u8::from(*y <= 0.0 && i % 2 == 0)))
        .collect();
    let single: Vec<f64> = y
        .iter()
        .enumerate()
        .map(|(i, y)| f64::from(u8::from(*y > 0.0 && *y < 2.0 && i % 2 == 0)))
        .collect();
    let order: Vec<f64> = y
        .iter()
        .enumerate()
        .map(|(i, y)| y.min(2.0) + 0.001 * (i % 10) as f64)
        .collect();
    let three: Vec<f64> = y.iter().map(|y| y.min(2.0)).collect();
    let data = base
        .with("member", member.clone())
        .unwrap()
        .with("single", single)
        .unwrap()
        .with("order", order)
        .unwrap()
        .with("three", three)
        .unwrap();
    for (fit, name) in [
        (Poisson::new("y ~ x + member").fit(&data), "member"),
        (NegativeBinomial::new("y ~ x + member").fit(&data), "member"),
        (
            Hurdle::poisson("y ~ x").hurdle("member").fit(&data),
            "member",
        ),
        // All members are zero, so that the inflation tells them without error.
        (
            ZeroInflated::poisson("y ~ x").inflate("member").fit(&data),
            "member",
        ),
        (
            Hurdle::poisson("y ~ single").hurdle("x").fit(&data),
            "single",
        ),
        (OrderedLogit::new("three ~ x + order").fit(&data), "order"),
        (OrderedProbit::new("three ~ order").fit(&data), "order"),
    ] {
        match fit {
            Err(Error::Separated { columns, .. }) => assert_eq!(columns, [name]),
            other => panic!("{name}: {other:?}"),
        }
    }
    let Err(Error::Separated { rows, complete, .. }) = Poisson::new("y ~ x + member").fit(&data)
    else {
        panic!("not separated");
    };
    assert_eq!((rows as f64, complete), (member.iter().sum::<f64>(), false));
}

#[test]
fn models_without_a_maximum_say_where_they_lead() {
    let mut random = Seed::new(5).stream(0);
    // Fewer zeros than Poisson counts have.
    let few = sample(&mut random, |r, x, _| {
        let y = poisson(r, (0.7 + 0.2 * x).exp());
        Some(if y <= 0.0 && uniform(r) < 0.7 { 1.0 } else { y })
    });
    let error = ZeroInflated::poisson("y ~ x")
        .inflate("1")
        .fit(&few)
        .unwrap_err();
    assert!(matches!(error, Error::NotConverged { .. }), "{error:?}");
    assert!(error.to_string().contains("no more zeros"), "{error}");
    // A density that falls from the limit on slower than any normal one.
    let heavy = sample(&mut random, |r, _, _| Some((-uniform(r).ln()).powi(2)));
    let error = Truncated::new("y ~ x").fit(&heavy).unwrap_err();
    assert!(matches!(error, Error::NotConverged { .. }), "{error:?}");
    assert!(error.to_string().contains("exponential"), "{error}");
}

#[test]
fn other_mistakes_are_typed_errors() {
    let data = counts();
    let option = |fit: Fit| assert!(matches!(fit, Err(Error::InvalidOption { .. })), "{fit:?}");
    option(Tobit::new("left ~ x").left(1.0).right(1.0).fit(&data));
    option(Tobit::new("left ~ x").left(f64::NAN).fit(&data));
    option(NegativeBinomial::new("negbin ~ x | d").fit(&data));
    option(
        ZeroInflated::poisson("inflated_poisson ~ x")
            .inflate("poisson ~ z")
            .fit(&data),
    );
    option(
        Hurdle::poisson("hurdle_poisson ~ x")
            .hurdle("z | d")
            .fit(&data),
    );
    option(OrderedLogit::new("left ~ x").fit(&data));
    option(
        NegativeBinomial::new("negbin ~ x")
            .covariance(Covariance::Hc3)
            .fit(&data),
    );
    let bad = Hurdle::poisson("hurdle_poisson ~ x")
        .hurdle("z +")
        .fit(&data);
    assert!(matches!(bad, Err(Error::Formula { .. })), "{bad:?}");
    let label = data
        .clone()
        .with("grade", vec!["low"; data.rows()])
        .unwrap();
    let wrong = OrderedLogit::new("grade ~ x").fit(&label);
    assert!(matches!(wrong, Err(Error::WrongKind { .. })), "{wrong:?}");
    let cancelled =
        Tobit::new("left ~ x").fit_with(&data, &Progress::until(std::time::Duration::ZERO));
    assert!(
        matches!(cancelled, Err(Error::Cancelled { .. })),
        "{cancelled:?}"
    );
}

#[test]
fn rows_complete_in_both_equations_are_used() {
    let data = counts();
    let mut z = data.real("z").unwrap().to_vec();
    let mut x = data.real("x").unwrap().to_vec();
    z[3] = f64::NAN;
    x[7] = f64::NAN;
    let both: Vec<usize> = (0..400).filter(|i| *i != 3 && *i != 7).collect();
    let complete = take(&data, &both);
    let rest = ["d", "inflated_poisson"]
        .iter()
        .fold(Frame::new(), |f, name| {
            f.with(*name, data.numeric(name).unwrap().values().to_vec())
                .unwrap()
        });
    let holes = rest.with("x", x).unwrap().with("z", z).unwrap();
    let model = ZeroInflated::poisson("inflated_poisson ~ x + d").inflate("z");
    let a = model.fit(&holes).unwrap();
    same("holes", &a, &model.fit(&complete).unwrap(), 1e-8);
    assert_eq!(a.kept_rows().unwrap().iter().filter(|k| !**k).count(), 2);
    assert!(
        a.warnings()
            .iter()
            .any(|w| matches!(w, Warning::RowsDropped { dropped: 2, .. }))
    );
    // The dot stands for all columns, so that the other equation decides no row alone.
    let dot = ZeroInflated::poisson("inflated_poisson ~ x + d")
        .inflate(".")
        .fit(&holes)
        .unwrap();
    assert_eq!(dot.statistics().observations, 398.0);
    // A category with one row, a constant regressor, a formula without a constant.
    let odd = take(&complete, &(0..398).collect::<Vec<_>>());
    let ordered: Vec<f64> = (0..398)
        .map(|i| {
            if i == 5 {
                9.0
            } else {
                f64::from(u8::from(i % 3 > 0))
            }
        })
        .collect();
    let odd = odd
        .with("y", ordered)
        .unwrap()
        .with("one", vec![1.0; 398])
        .unwrap();
    let fit = OrderedLogit::new("y ~ 0 + x + one").fit(&odd).unwrap();
    assert_eq!(fit.names(), ["x", "cut1", "cut2"]);
    assert!(
        fit.warnings()
            .iter()
            .any(|w| matches!(w, Warning::Constant { .. }))
    );
}

#[test]
fn heavy_censoring_and_large_units_converge() {
    let mut random = Seed::new(11).stream(0);
    let data = sample(&mut random, |r, x, _| {
        Some((1e6 * (-2.0 + x + normal(r))).max(0.0))
    });
    let censored = data
        .real("y")
        .unwrap()
        .iter()
        .filter(|y| **y <= 0.0)
        .count();
    assert!(censored > 430, "{censored}");
    let fit = Tobit::new("y ~ x").fit(&data).unwrap();
    let slope = fit.coefficient("x").unwrap();
    assert!((slope.estimate - 1e6).abs() < 3.0 * slope.std_error);
    assert!(fit.convergence().iterations < 30);
    let large = sample(&mut random, |r, x, _| {
        Some(poisson(r, (12.0 + 0.3 * x).exp()))
    });
    let fit = Poisson::new("y ~ 0 + x + z").fit(&large).unwrap();
    assert!(fit.statistics().null_log_likelihood.is_none());
    let fit = Poisson::new("y ~ x").fit(&large).unwrap();
    assert!((fit.coefficient("x").unwrap().estimate - 0.3).abs() < 1e-3);
}
