//! Scores of persons and regressions on them: against R, against known truths, on bad input.

use crate::support::{agree, data, fixture, numbers, pick};
use cocreate::ability::{Item, ItemModel, score_answers};
use cocreate::prelude::*;
use rand::rngs::ChaCha8Rng;
use rand_distr::{Distribution as _, StandardNormal};
use serde_json::Value;

const ITEMS: [&str; 8] = ["i1", "i2", "i3", "i4", "i5", "i6", "i7", "i8"];

fn reference() -> (Frame, Value) {
    let fixture = fixture("ability_scores");
    (
        data("tests/reference/ability_scores.csv"),
        fixture["values"].clone(),
    )
}

fn column(rows: &Value, j: usize) -> Vec<f64> {
    rows.as_array()
        .unwrap()
        .iter()
        .map(|row| numbers(row)[j])
        .collect()
}

fn normal(random: &mut ChaCha8Rng) -> f64 {
    StandardNormal.sample(random)
}

// ---- reference values ----

#[test]
fn alpha_is_that_of_psych() {
    let (frame, values) = reference();
    let theirs = &values["alpha"];
    let ours = CronbachAlpha::of(&frame, &ITEMS).unwrap();
    agree("alpha", &[ours.alpha], &numbers(&theirs["alpha"]), 1e-12);
    let rest: Vec<f64> = ours.items.iter().map(|i| i.rest_correlation).collect();
    agree("rest correlations", &rest, &numbers(&theirs["rest"]), 1e-12);
    let without: Vec<f64> = ours.items.iter().map(|i| i.alpha_without).collect();
    agree(
        "alpha without",
        &without,
        &numbers(&theirs["without"]),
        1e-12,
    );
    let interval = ours.confidence_interval(0.95).unwrap();
    let ends = [interval.lower, interval.upper];
    agree("Feldt", &ends, &numbers(&theirs["ci"]), 1e-9);
}

#[test]
fn dif_is_that_of_base_r() {
    let (frame, values) = reference();
    let ours = MantelHaenszelDif::new(&ITEMS, "group")
        .reference("old")
        .fit(&frame)
        .unwrap();
    let theirs = &values["mantel_haenszel"];
    let each = |f: &dyn Fn(&cocreate::ability::MantelHaenszelDifRow) -> f64| -> Vec<f64> {
        ours.items.iter().map(f).collect()
    };
    agree(
        "odds ratios",
        &each(&|i| i.odds_ratio),
        &column(theirs, 0),
        1e-11,
    );
    agree(
        "chi squared",
        &each(&|i| i.test.statistic),
        &column(theirs, 1),
        1e-11,
    );
    agree("p", &each(&|i| i.test.p_value), &column(theirs, 2), 1e-11);
    agree(
        "s.e.",
        &each(&|i| i.ln_std_error),
        &column(theirs, 3),
        1e-11,
    );
    let classes: String = ours.items.iter().map(|i| i.class).collect();
    assert_eq!(&classes[2..3], "C", "item 3 was made harder for `new`");

    let ours = LogisticDif::new(&ITEMS, "group")
        .reference("old")
        .fit(&frame)
        .unwrap();
    let theirs = &values["logistic"];
    let each = |f: &dyn Fn(&cocreate::ability::LogisticDifRow) -> f64| -> Vec<f64> {
        ours.items.iter().map(f).collect()
    };
    agree(
        "coefficients",
        &each(&|i| i.coefficient),
        &column(theirs, 0),
        1e-9,
    );
    agree(
        "uniform",
        &each(&|i| i.uniform.statistic),
        &column(theirs, 1),
        1e-9,
    );
    agree(
        "non-uniform",
        &each(&|i| i.nonuniform.statistic),
        &column(theirs, 2),
        1e-9,
    );
    agree(
        "gain",
        &each(&|i| i.r_squared_gain),
        &column(theirs, 3),
        1e-9,
    );
}

#[test]
fn rubins_rules_are_those_of_mitools_and_mice() {
    let (frame, values) = reference();
    let theirs = &values["rubin"];
    let fits: Vec<OlsFit> = (1..=5)
        .map(|m| {
            let a = frame.real(&format!("pv{m}")).unwrap().to_vec();
            let completed = frame.clone().with("a", a).unwrap();
            Ols::new("y ~ a + x")
                .covariance(Covariance::Classical)
                .fit(&completed)
                .unwrap()
        })
        .collect();
    let pooled = PooledFit::from_fits(&fits).unwrap();
    let (at, estimates) = pick(&pooled, &crate::support::names(theirs));
    agree(
        "estimates",
        &estimates,
        &numbers(&theirs["estimates"]),
        1e-12,
    );
    crate::support::agree_covariance("covariance", &pooled, &at, &theirs["covariance"], 1e-11);
    let df: Vec<f64> = at
        .iter()
        .map(|i| pooled.estimate_at(*i).degrees_of_freedom)
        .collect();
    agree("Barnard–Rubin", &df, &numbers(&theirs["df"]), 1e-10);
}

fn four_items() -> [Item; 4] {
    [
        Item::two_parameter("a", 1.3, -0.5).unwrap(),
        Item::three_parameter("b", 1.6, 0.4, 0.2).unwrap(),
        Item::new("c", ItemModel::Graded, 1.1, &[-1.0, 0.2, 1.1], 0.0).unwrap(),
        Item::new(
            "d",
            ItemModel::GeneralizedPartialCredit,
            0.9,
            &[-0.6, 0.7],
            0.0,
        )
        .unwrap(),
    ]
}

#[test]
fn scores_of_known_items_are_the_integrals_and_roots() {
    let (_, values) = reference();
    let known = &values["known"];
    let items = four_items();
    let patterns = known["patterns"].as_array().unwrap();
    let scores = known["scores"].as_array().unwrap();
    for (pattern, theirs) in patterns.iter().zip(scores) {
        let answers: Vec<Option<usize>> = numbers(pattern)
            .iter()
            .map(|c| (*c >= 0.0).then_some(*c as usize))
            .collect();
        let score = |scoring| score_answers(&items, &answers, scoring, (0.3, 1.2)).unwrap();
        let (eap, map, wle) = (
            score(Scoring::PosteriorMean),
            score(Scoring::PosteriorMode),
            score(Scoring::WeightedLikelihood),
        );
        let theirs = numbers(theirs);
        agree("EAP", &[eap.ability, eap.std_error], &theirs[..2], 1e-9);
        // Differences and a search for the maximum have fewer digits.
        agree("MAP", &[map.ability, map.std_error], &theirs[2..4], 1e-6);
        agree("WLE", &[wle.ability, wle.std_error], &theirs[4..], 1e-5);
    }
}

#[test]
fn calibration_is_that_of_the_stacked_equations() {
    let (frame, values) = reference();
    let theirs = &values["calibration"];
    let measured = Measured::with_std_errors("s", "s_se");
    let fit = RegressionCalibration::new("y ~ s + x", measured)
        .covariance(Covariance::Hc0)
        .fit(&frame)
        .unwrap();
    let (at, estimates) = pick(&fit, &crate::support::names(theirs));
    agree(
        "calibrated",
        &estimates,
        &numbers(&theirs["estimates"]),
        1e-6,
    );
    agree(
        "naive",
        fit.naive().as_slice(),
        &numbers(&theirs["naive"]),
        1e-12,
    );
    let errors: Vec<f64> = at.iter().map(|i| fit.std_errors()[*i]).collect();
    // R's have the cross terms, of expectation zero, that ours leave out.
    agree(
        "standard errors",
        &errors,
        &numbers(&theirs["stacked_std_errors"]),
        0.03,
    );
}

#[test]
fn the_joint_likelihood_is_the_one_written_down_in_r() {
    let (frame, values) = reference();
    let measured = Measured::with_std_errors("s", "s_se");
    let names = [
        "ability.(Intercept)",
        "ability.x",
        "ability.ln_sigma",
        "(Intercept)",
        "s",
        "x",
        "ln_sigma",
    ];
    let check = |what: &str, fit: &LikelihoodFit, count: usize| {
        let theirs = &values[what];
        let names: Vec<String> = names[..count].iter().map(|n| (*n).to_owned()).collect();
        let (at, estimates) = pick(fit, &names);
        agree(what, &estimates, &numbers(&theirs["estimates"]), 1e-5);
        let errors: Vec<f64> = at.iter().map(|i| fit.std_errors()[*i]).collect();
        agree(what, &errors, &numbers(&theirs["std_errors"]), 1e-3);
        let value = numbers(&theirs["log_likelihood"])[0];
        assert!((fit.log_likelihood() - value).abs() < 1e-6, "{what}");
    };
    let linear = JointScore::new("y ~ s + x", measured.clone())
        .covariance(Covariance::Classical)
        .fit(&frame)
        .unwrap();
    check("joint_linear", &linear, 7);
    let probit = JointScore::new("bought ~ s + x", measured)
        .outcome(OutcomeModel::Probit)
        .covariance(Covariance::Classical)
        .fit(&frame)
        .unwrap();
    check("joint_probit", &probit, 6);
}

// ---- known truth ----

/// y = 1 + 0.8 a − 0.5 x + e with a = 0.5 x + ζ; s = a + u with errors that differ between persons.
fn people(n: usize, seed: u64, binary: bool) -> Frame {
    let mut random = Seed::new(seed).child("people").stream(0);
    let (mut x, mut s, mut se, mut y) = (vec![], vec![], vec![], vec![]);
    for i in 0..n {
        let own = normal(&mut random);
        let a = 0.5 * own + 0.9 * normal(&mut random);
        let error = 0.4 + 0.4 * (i % 2) as f64;
        let index = 1.0 + 0.8 * a - 0.5 * own;
        x.push(own);
        s.push(a + error * normal(&mut random));
        se.push(error);
        let e = normal(&mut random);
        y.push(if binary {
            f64::from(u8::from(index - 1.0 + e > 0.0))
        } else {
            index + e
        });
    }
    Frame::new()
        .with("x", x)
        .unwrap()
        .with("s", s)
        .unwrap()
        .with("s_se", se)
        .unwrap()
        .with("y", y)
        .unwrap()
}

/// Var(a | x) over itself plus the mean error variance.
const ATTENUATION: f64 = 0.81 / (0.81 + 0.5 * (0.16 + 0.64));

/// The mean of the estimates is within four Monte Carlo errors of a value, and their intervals cover it.
fn judge(what: &str, estimates: &[Estimate], truth: f64, covers: bool) {
    let n = estimates.len() as f64;
    let mean = estimates.iter().map(|e| e.estimate).sum::<f64>() / n;
    let gap = |e: &Estimate| (e.estimate - mean).powi(2);
    let sd = (estimates.iter().map(gap).sum::<f64>() / (n - 1.0)).sqrt();
    let error = sd / n.sqrt();
    let covered = estimates
        .iter()
        .filter(|e| {
            let interval = e.confidence_interval(0.95).unwrap();
            interval.lower <= truth && truth <= interval.upper
        })
        .count() as f64
        / n;
    let shown = estimates.iter().map(|e| e.std_error).sum::<f64>() / n;
    println!(
        "{what}: mean {mean:.4} (MC error {error:.4}), sd {sd:.4}, mean s.e. {shown:.4}, coverage {covered:.3}"
    );
    assert!((mean - truth).abs() < 4.0 * error, "{what}: {mean} {truth}");
    if covers {
        let monte_carlo = (0.95_f64 * 0.05 / n).sqrt();
        assert!(
            (covered - 0.95).abs() < 4.0 * monte_carlo,
            "{what}: {covered}"
        );
    }
}

#[test]
fn honest_regressions_recover_the_slope_and_cover_it() {
    const REPLICATIONS: u64 = 300;
    let formula = "y ~ s + x";
    let measured = || Measured::with_std_errors("s", "s_se");
    let mut by_method: Vec<(&str, Vec<Estimate>)> = vec![
        ("naive", vec![]),
        ("calibration", vec![]),
        ("plausible values", vec![]),
        ("joint", vec![]),
        ("attenuation", vec![]),
    ];
    for seed in 0..REPLICATIONS {
        let frame = people(400, seed, false);
        let calibration = RegressionCalibration::new(formula, measured())
            .fit(&frame)
            .unwrap();
        let own = [
            Ols::new(formula)
                .fit(&frame)
                .unwrap()
                .coefficient("s")
                .unwrap(),
            calibration.coefficient("s").unwrap(),
            PlausibleRegression::new(formula, measured())
                .seed(seed)
                .fit(&frame)
                .unwrap()
                .coefficient("s")
                .unwrap(),
            JointScore::new(formula, measured())
                .fit(&frame)
                .unwrap()
                .coefficient("s")
                .unwrap(),
            calibration.attenuation().unwrap().clone(),
        ];
        for (slot, estimate) in by_method.iter_mut().zip(own) {
            slot.1.push(estimate);
        }
    }
    // The naive slope is attenuated by the predicted factor.
    judge("naive", &by_method[0].1, 0.8 * ATTENUATION, true);
    for (what, estimates) in &by_method[1..4] {
        judge(what, estimates, 0.8, true);
    }
    judge("attenuation", &by_method[4].1, ATTENUATION, true);
}

#[test]
fn simex_follows_the_curve_of_attenuation_back() {
    // The naive slope at added error ζ tends to 0.8 · 0.81/(0.81 + (1 + ζ) 0.4); the quadratic through it ends short of 0.8, at a value
    // known in advance.
    let levels = [0.0, 0.5, 1.0, 1.5, 2.0];
    let curve: Vec<f64> = levels
        .iter()
        .map(|z| 0.8 * 0.81 / (0.81 + (1.0 + z) * 0.4))
        .collect();
    let limit = quadratic_at_minus_one(&levels, &curve);
    assert!(limit > 0.72 && limit < 0.8, "{limit}");
    let mut estimates = vec![];
    for seed in 0..100 {
        let frame = people(400, 1000 + seed, false);
        let fit = Simex::new("y ~ s + x", Measured::with_std_errors("s", "s_se"))
            .draws(20)
            .seed(seed)
            .fit(&frame)
            .unwrap();
        estimates.push(fit.coefficient("s").unwrap());
    }
    judge("SIMEX", &estimates, limit, true);
}

/// Least squares of a parabola, at −1, by Lagrange's identity on normal equations solved by hand.
fn quadratic_at_minus_one(x: &[f64], y: &[f64]) -> f64 {
    let moment = |p: i32| x.iter().map(|x| x.powi(p)).sum::<f64>();
    let right = |p: i32| x.iter().zip(y).map(|(x, y)| x.powi(p) * y).sum::<f64>();
    let det = |m: [[f64; 3]; 3]| {
        m[0][0] * (m[1][1] * m[2][2] - m[1][2] * m[2][1])
            - m[0][1] * (m[1][0] * m[2][2] - m[1][2] * m[2][0])
            + m[0][2] * (m[1][0] * m[2][1] - m[1][1] * m[2][0])
    };
    let gram: [[f64; 3]; 3] = [0, 1, 2].map(|i: i32| [0, 1, 2].map(|j: i32| moment(i + j)));
    let coefficient = |k: usize| {
        let mut m = gram;
        for (i, row) in (0..).zip(m.iter_mut()) {
            row[k] = right(i);
        }
        det(m) / det(gram)
    };
    coefficient(0) - coefficient(1) + coefficient(2)
}

#[test]
fn the_joint_probit_and_logit_recover_what_calibration_shrinks() {
    let mut probit = vec![];
    for seed in 0..100 {
        let frame = people(600, 5000 + seed, true);
        let fit = JointScore::new("y ~ s + x", Measured::with_std_errors("s", "s_se"))
            .outcome(OutcomeModel::Probit)
            .fit(&frame)
            .unwrap();
        probit.push(fit.coefficient("s").unwrap());
    }
    // Maximum likelihood of a probit is biased by about 1 % at this size: compare with four Monte Carlo errors.
    judge("joint probit", &probit, 0.8, true);
}

// ---- properties ----

#[test]
fn without_error_all_methods_are_the_naive_regression() {
    let frame = people(200, 1, false);
    let none = Measured::with_variance("s", 0.0);
    let naive = Ols::new("y ~ s + x").fit(&frame).unwrap();
    let calibration = RegressionCalibration::new("y ~ s + x", none.clone())
        .fit(&frame)
        .unwrap();
    let simex = Simex::new("y ~ s + x", none.clone())
        .seed(1)
        .draws(5)
        .fit(&frame)
        .unwrap();
    for (a, b) in naive.estimates().iter().zip(calibration.estimates()) {
        assert!((a - b).abs() < 1e-9, "{a} {b}");
    }
    for (a, b) in naive.estimates().iter().zip(simex.estimates()) {
        assert!((a - b).abs() < 1e-9, "{a} {b}");
    }
    for i in 0..3 {
        let gap = naive.std_errors()[i] - simex.std_errors()[i];
        assert!(gap.abs() < 1e-9, "{gap}");
    }
    let joint = JointScore::new("y ~ s + x", none.clone()).fit(&frame);
    assert!(matches!(joint, Err(Error::Unidentified { .. })));
    let all = ScoreComparison::new("y ~ s + x", none)
        .seed(1)
        .fit(&frame)
        .unwrap();
    assert!(all.joint().is_none());
    assert!((all.attenuation().estimate - 1.0).abs() < 1e-12);
}

#[test]
fn a_single_score_is_divided_by_its_reliability() {
    let frame = people(300, 2, false);
    let naive = Ols::new("y ~ s").fit(&frame).unwrap();
    let fit = RegressionCalibration::new("y ~ s", Measured::with_reliability("s", 0.7))
        .fit(&frame)
        .unwrap();
    let ratio = naive.coefficient("s").unwrap().estimate / fit.coefficient("s").unwrap().estimate;
    assert!((ratio - 0.7).abs() < 1e-10, "{ratio}");
    // A known reliability costs no precision: the standard error is divided by it, too.
    let ratio = naive.std_error("s").unwrap() / fit.std_error("s").unwrap();
    assert!((ratio - 0.7).abs() < 1e-6, "{ratio}");
    // The scale of the score does not matter.
    let scaled: Vec<f64> = frame
        .real("s")
        .unwrap()
        .iter()
        .map(|s| 10.0 * s + 3.0)
        .collect();
    let frame = frame.with("t", scaled).unwrap();
    let other = RegressionCalibration::new("y ~ t", Measured::with_reliability("t", 0.7))
        .fit(&frame)
        .unwrap();
    let gap =
        10.0 * other.coefficient("t").unwrap().estimate - fit.coefficient("s").unwrap().estimate;
    assert!(gap.abs() < 1e-9, "{gap}");
}

#[test]
fn the_same_seed_gives_the_same_bits_and_rows_may_be_missing() {
    let frame = people(200, 3, false);
    let measured = || Measured::with_std_errors("s", "s_se");
    let comparison = ScoreComparison::new("y ~ s + x", measured()).seed(5);
    let (a, b) = (
        comparison.fit(&frame).unwrap(),
        comparison.fit(&frame).unwrap(),
    );
    assert_eq!(
        serde_json::to_string(&a).unwrap(),
        serde_json::to_string(&b).unwrap()
    );
    let text = a.to_string();
    for method in [
        "naive",
        "regression calibration",
        "SIMEX",
        "plausible values",
        "joint likelihood",
    ] {
        assert!(text.contains(method), "{text}");
    }
    assert!(a.to_html().contains("<table"));
    assert!(a.model_table().to_latex().contains("calibration"));
    assert!(a.simex().plot("s").unwrap().to_svg().contains("<svg"));
    // A row with a missing standard error is left out by all.
    let mut se = frame.real("s_se").unwrap().to_vec();
    se[7] = f64::NAN;
    let holes = Frame::new()
        .with("x", frame.real("x").unwrap().to_vec())
        .unwrap()
        .with("s", frame.real("s").unwrap().to_vec())
        .unwrap()
        .with("y", frame.real("y").unwrap().to_vec())
        .unwrap()
        .with("s_se", se)
        .unwrap();
    let fit = RegressionCalibration::new("y ~ s + x", measured())
        .fit(&holes)
        .unwrap();
    assert!(fit.to_string().contains("n = 199"), "{fit}");
    let joint = JointScore::new("y ~ s + x", measured())
        .fit(&holes)
        .unwrap();
    assert_eq!(joint.statistics().observations, 199.0);
}

#[test]
fn extreme_answers_have_finite_weighted_scores() {
    let items = four_items();
    for (answers, sign) in [([1, 1, 3, 2], 1.0), ([0, 0, 0, 0], -1.0)] {
        let given: Vec<Option<usize>> = answers.iter().map(|c| Some(*c)).collect();
        let score = |scoring| score_answers(&items, &given, scoring, (0.0, 1.0)).unwrap();
        let ml = score(Scoring::MaximumLikelihood);
        assert_eq!(ml.ability, sign * f64::INFINITY);
        assert_eq!(ml.std_error, f64::INFINITY);
        let wle = score(Scoring::WeightedLikelihood);
        assert!(
            wle.ability.is_finite() && wle.ability * sign > 0.5,
            "{wle:?}"
        );
        assert!(wle.ability.abs() > score(Scoring::PosteriorMean).ability.abs());
    }
}

// ---- bad input ----

#[test]
fn bad_input_is_refused_with_its_name() {
    let frame = people(100, 4, false);
    let fit = |measured| {
        RegressionCalibration::new("y ~ s + x", measured)
            .fit(&frame)
            .unwrap_err()
    };
    let option = |error: Error| match error {
        Error::InvalidOption { option, .. } => option,
        other => panic!("{other}"),
    };
    assert_eq!(
        option(fit(Measured::with_variance("s", -0.1))),
        "error variance"
    );
    assert_eq!(
        option(fit(Measured::with_reliability("s", 0.0))),
        "reliability"
    );
    assert_eq!(
        option(fit(Measured::with_reliability("s", -0.3))),
        "reliability"
    );
    assert_eq!(
        option(fit(Measured::with_reliability("s", 1.2))),
        "reliability"
    );
    assert!(matches!(
        fit(Measured::with_variance("s", 50.0)),
        Error::Unidentified { .. }
    ));
    assert!(matches!(
        fit(Measured::with_std_errors("s", "sse")),
        Error::ColumnNotFound { .. }
    ));
    let negative = fit(Measured::with_std_errors("s", "x"));
    assert!(matches!(negative, Error::OutOfRange { .. }), "{negative}");
    let measured = || Measured::with_variance("s", 0.3);
    assert_eq!(option(fit(Measured::with_variance("z", 0.3))), "formula");
    let squared = RegressionCalibration::new("y ~ s + I(s^2)", measured()).fit(&frame);
    assert!(squared.unwrap_err().to_string().contains("Simex"));
    let simex = Simex::new("y ~ s + I(s^2)", measured());
    assert!(matches!(simex.fit(&frame), Err(Error::SeedRequired { .. })));
    assert!(simex.clone().seed(1).draws(4).fit(&frame).is_ok());
    assert!(simex.clone().seed(1).draws(1).fit(&frame).is_err());
    assert!(simex.seed(1).levels(&[-1.0]).fit(&frame).is_err());
    let plausible = PlausibleRegression::new("y ~ s + x", measured());
    assert!(matches!(
        plausible.fit(&frame),
        Err(Error::SeedRequired { .. })
    ));
    let poisson = JointScore::new("y ~ s + x", measured()).outcome(OutcomeModel::Poisson);
    assert_eq!(option(poisson.fit(&frame).unwrap_err()), "outcome");
    let fits: [OlsFit; 0] = [];
    assert!(PooledFit::from_fits(&fits).is_err());
}

#[test]
fn dif_needs_two_groups_and_right_or_wrong_answers() {
    let (frame, _) = reference();
    let one = crate::support::filter(
        &frame,
        &(0..frame.rows()).map(|i| i % 2 == 0).collect::<Vec<bool>>(),
    );
    let single = MantelHaenszelDif::new(&ITEMS, "group")
        .fit(&one)
        .unwrap_err();
    assert!(
        single.to_string().contains("exactly two groups"),
        "{single}"
    );
    assert!(LogisticDif::new(&ITEMS, "x").fit(&frame).is_err());
    assert!(LogisticDif::new(&["i1", "x"], "group").fit(&frame).is_err());
    assert!(LogisticDif::new(&["i1"], "group").fit(&frame).is_err());
    let unknown = LogisticDif::new(&ITEMS, "group")
        .reference("young")
        .fit(&frame);
    assert!(matches!(unknown, Err(Error::InvalidOption { .. })));
    // The other reference turns the odds around.
    let a = MantelHaenszelDif::new(&ITEMS, "group")
        .reference("old")
        .fit(&frame)
        .unwrap();
    let b = MantelHaenszelDif::new(&ITEMS, "group")
        .reference("new")
        .fit(&frame)
        .unwrap();
    for (a, b) in a.items.iter().zip(&b.items) {
        assert!((a.odds_ratio * b.odds_ratio - 1.0).abs() < 1e-12);
        assert!((a.test.statistic - b.test.statistic).abs() < 1e-9);
    }
}

#[test]
fn answers_that_do_not_fit_the_items_are_refused() {
    let items = four_items();
    let none = score_answers(&items, &[None; 4], Scoring::PosteriorMean, (0.0, 1.0));
    assert!(matches!(none, Err(Error::NoRows { .. })));
    let high = score_answers(
        &items,
        &[Some(2), None, None, None],
        Scoring::PosteriorMean,
        (0.0, 1.0),
    );
    assert!(high.is_err());
    assert!(score_answers(&items, &[Some(1)], Scoring::PosteriorMean, (0.0, 1.0)).is_err());
    assert!(score_answers(&items, &[Some(1); 4], Scoring::PosteriorMean, (0.0, -1.0)).is_err());
    let alpha = CronbachAlpha::of(&people(20, 1, false), &["x"]);
    assert!(alpha.is_err());
}

// ---- scores and diagnostics of fitted item response models ----

fn two_parameter(frame: &Frame) -> ItemResponseFit {
    // The nodes of the reference: ±6 with spacing 0.1 there, ±7 with spacing 0.1 here; both are exact to rounding.
    ItemResponse::new(ITEMS).nodes(141).fit(frame).unwrap()
}

#[test]
fn diagnostics_of_the_two_parameter_model_are_those_written_down_in_r() {
    let (frame, values) = reference();
    let theirs = &values["two_parameter"];
    let fit = two_parameter(&frame);
    let each = |f: &dyn Fn(&Item) -> f64| -> Vec<f64> { fit.items().iter().map(f).collect() };
    let of = |name: &str| numbers(&theirs[name]);
    agree(
        "discrimination",
        &each(&Item::discrimination),
        &of("discrimination"),
        1e-5,
    );
    agree(
        "difficulty",
        &each(&Item::difficulty),
        &of("difficulty"),
        1e-5,
    );
    assert!((fit.log_likelihood() - of("log_likelihood")[0]).abs() < 1e-6);

    let eap = fit.scores(Scoring::PosteriorMean).unwrap();
    agree("EAP", &eap.ability()[..20], &of("eap"), 1e-5);
    agree("EAP s.d.", &eap.std_errors()[..20], &of("eap_sd"), 1e-5);
    let reliability = [eap.reliability()];
    agree(
        "reliability",
        &reliability,
        &of("empirical_reliability"),
        1e-5,
    );
    let marginal = [fit.marginal_reliability()];
    agree("marginal", &marginal, &of("marginal_reliability"), 1e-5);
    let wle = fit.scores(Scoring::WeightedLikelihood).unwrap();
    agree("WLE", &wle.ability()[..20], &of("wle"), 1e-5);
    assert!(wle.ability().iter().all(|a| a.is_finite()));

    let people = fit.person_fit(Scoring::WeightedLikelihood).unwrap();
    let of_person = |f: &dyn Fn(&cocreate::ability::PersonFitRow) -> f64| -> Vec<f64> {
        people.rows()[..20].iter().map(f).collect()
    };
    let person = &theirs["person"];
    agree("l_z", &of_person(&|p| p.lz), &column(person, 0), 1e-5);
    agree("l_z*", &of_person(&|p| p.lz_star), &column(person, 1), 1e-5);
    agree(
        "person outfit",
        &of_person(&|p| p.outfit),
        &column(person, 2),
        1e-5,
    );
    agree(
        "person infit",
        &of_person(&|p| p.infit),
        &column(person, 3),
        1e-5,
    );

    let items = fit.item_fit().unwrap();
    let of_item = |f: &dyn Fn(&cocreate::ability::ItemFitRow) -> f64| -> Vec<f64> {
        items.items.iter().map(f).collect()
    };
    agree("outfit", &of_item(&|i| i.outfit), &of("outfit"), 1e-5);
    agree("infit", &of_item(&|i| i.infit), &of("infit"), 1e-5);
    let statistic = of_item(&|i| i.s_x2.as_ref().unwrap().statistic);
    agree("S-X²", &statistic, &of("s_x2"), 1e-4);
    let df = of_item(&|i| match i.s_x2.as_ref().unwrap().distribution {
        Distribution::ChiSquared { df } => df,
        _ => f64::NAN,
    });
    assert_eq!(df, of("s_x2_df"));
}

/// Answers to ten items, ability 0.5 x + 0.9 ζ, an outcome and a purchase that depend on ability, a few missing answers.
fn customers(n: usize, seed: u64) -> (Frame, Vec<f64>) {
    let mut random = Seed::new(seed).child("customers").stream(0);
    let uniform = rand_distr::Uniform::new(0.0, 1.0).unwrap();
    let (mut x, mut y, mut bought, mut ability) = (vec![], vec![], vec![], vec![]);
    let mut items = vec![vec![]; 10];
    for _ in 0..n {
        let own = normal(&mut random);
        let a = 0.5 * own + 0.9 * normal(&mut random);
        let index = 0.8 * a - 0.5 * own;
        x.push(own);
        y.push(1.0 + index + normal(&mut random));
        bought.push(f64::from(u8::from(index + normal(&mut random) > 0.0)));
        ability.push(a);
        for (k, item) in items.iter_mut().enumerate() {
            let difficulty = -1.5 + 0.33 * k as f64;
            let p = 1.0 / (1.0 + (-1.4 * (a - difficulty)).exp());
            let answer = f64::from(u8::from(uniform.sample(&mut random) < p));
            let missing = uniform.sample(&mut random) < 0.05;
            item.push(if missing { f64::NAN } else { answer });
        }
    }
    let frame = Frame::new()
        .with("x", x)
        .unwrap()
        .with("y", y)
        .unwrap()
        .with("bought", bought)
        .unwrap();
    let frame = items
        .into_iter()
        .enumerate()
        .fold(frame, |f, (k, v)| f.with(format!("q{k}"), v).unwrap());
    (frame, ability)
}

fn questions() -> Vec<String> {
    (0..10).map(|k| format!("q{k}")).collect()
}

#[test]
fn plausible_values_have_the_posterior_as_their_distribution() {
    let (frame, _) = customers(400, 3);
    let fit = ItemResponse::new(questions())
        .regressors("x")
        .fit(&frame)
        .unwrap();
    let eap = fit.scores(Scoring::PosteriorMean).unwrap();
    let many = fit.plausible_values(400, 7).unwrap();
    let count = many.count() as f64;
    let mut worst = 0.0_f64;
    for i in 0..frame.rows() {
        let own: Vec<f64> = (0..many.count())
            .map(|m| many.draw(m).unwrap()[i])
            .collect();
        let mean = own.iter().sum::<f64>() / count;
        worst = worst.max((mean - eap.ability()[i]).abs() / (eap.std_errors()[i] / count.sqrt()));
    }
    // The largest of 400 standard normal deviations is below 4.5 with probability 0.997; the seed is fixed.
    assert!(worst < 4.5, "{worst}");
    let again = fit.plausible_values(2, 7).unwrap();
    assert_eq!(again.draw(1).unwrap()[17], many.draw(1).unwrap()[17]);
    assert!(fit.plausible_values(1, 7).is_err());
    assert!(many.to_string().contains("the answers and x"));
}

#[test]
fn ability_in_a_regression_is_recovered_by_the_honest_ways() {
    const REPLICATIONS: u64 = 20;
    let mut results: Vec<(&str, Vec<Estimate>)> = [
        "naive EAP",
        "WLE calibrated",
        "WLE, mean error",
        "EAP given x",
        "plausible",
        "joint",
        "joint probit",
    ]
    .iter()
    .map(|n| (*n, vec![]))
    .collect();
    for seed in 0..REPLICATIONS {
        let (frame, _) = customers(500, 100 + seed);
        let items = ItemResponse::new(questions()).fit(&frame).unwrap();
        // Ability has variance 1.06 and the scale of the fit N(0, 1): slopes are per standard deviation.
        let scale = (0.25_f64 + 0.81).sqrt().recip();
        let with_eap = items
            .scores(Scoring::PosteriorMean)
            .unwrap()
            .append(&frame, "skill")
            .unwrap();
        let with_wle = items
            .scores(Scoring::WeightedLikelihood)
            .unwrap()
            .append(&frame, "skill")
            .unwrap();
        let conditional = ItemResponse::new(questions())
            .regressors("x + y")
            .fit(&frame)
            .unwrap();
        // Given x and y ability has variance 0.81/(1 + 0.64 · 0.81), which is the unit of this fit.
        let own_scale = (0.81_f64 / (1.0 + 0.64 * 0.81)).sqrt().recip();
        let pooled = conditional
            .plausible_values(10, seed)
            .unwrap()
            .pool(&frame, "skill", |f| Ols::new("y ~ skill + x").fit(f))
            .unwrap();
        let joint = JointAbility::new("y ~ skill + x", "skill", &items)
            .fit(&frame)
            .unwrap();
        let probit = JointAbility::new("bought ~ skill + x", "skill", &items)
            .outcome(OutcomeModel::Probit)
            .fit(&frame)
            .unwrap();
        let calibrate = |measured| {
            RegressionCalibration::new("y ~ skill + x", measured)
                .fit(&with_wle)
                .unwrap()
        };
        let by_person = calibrate(Measured::with_std_errors("skill", "skill_se"));
        let said = by_person.to_string();
        assert!(said.contains("larger for extreme scores"), "{said}");
        let by_mean = calibrate(Measured::with_mean_std_errors("skill", "skill_se"));
        // Given x the unit of ability is its standard deviation 0.9.
        let calibrated = ItemResponse::new(questions())
            .regressors("x")
            .fit(&frame)
            .unwrap()
            .scores(Scoring::PosteriorMean)
            .unwrap()
            .append(&frame, "skill")
            .unwrap();
        let scaled = |e: Estimate, by: f64| Estimate {
            estimate: e.estimate * by,
            std_error: e.std_error * by,
            ..e
        };
        let own = [
            scaled(
                Ols::new("y ~ skill + x")
                    .fit(&with_eap)
                    .unwrap()
                    .coefficient("skill")
                    .unwrap(),
                scale,
            ),
            scaled(by_person.coefficient("skill").unwrap(), scale),
            scaled(by_mean.coefficient("skill").unwrap(), scale),
            scaled(
                Ols::new("y ~ skill + x")
                    .fit(&calibrated)
                    .unwrap()
                    .coefficient("skill")
                    .unwrap(),
                1.0 / 0.9,
            ),
            scaled(pooled.coefficient("skill").unwrap(), own_scale),
            scaled(joint.coefficient("skill").unwrap(), scale),
            scaled(probit.coefficient("skill").unwrap(), scale),
        ];
        for (slot, estimate) in results.iter_mut().zip(own) {
            slot.1.push(estimate);
        }
    }
    let mean = |e: &[Estimate]| e.iter().map(|e| e.estimate).sum::<f64>() / e.len() as f64;
    for (what, estimates) in &results {
        println!("{what}: {:.4}", mean(estimates));
    }
    // Posterior means without x among the conditions are a naive regressor.
    assert!(mean(&results[0].1) < 0.77);
    // Weights by the scores' own errors overshoot by far; their mean square, too large for ten items, by the 0.92/0.80 that a calculation with
    // the eleven scores of these items gives.
    assert!(mean(&results[1].1) > 1.2);
    judge("WLE, mean error", &results[2].1, 0.92, false);
    for (what, estimates) in &results[3..] {
        judge(what, estimates, 0.8, true);
    }
}

#[test]
fn row_order_and_labels_do_not_matter() {
    let (frame, _) = customers(300, 9);
    let fit = ItemResponse::new(questions()).fit(&frame).unwrap();
    let reversed = |values: &[f64]| -> Vec<f64> { values.iter().rev().copied().collect() };
    let back = frame.iter().fold(Frame::new(), |out, (name, _)| {
        let values = frame.real(name).unwrap();
        out.with(name, reversed(values)).unwrap()
    });
    let other = ItemResponse::new(questions()).fit(&back).unwrap();
    let scores = |fit: &ItemResponseFit| fit.scores(Scoring::WeightedLikelihood).unwrap();
    let turned = reversed(scores(&other).ability());
    for (a, b) in scores(&fit).ability().iter().zip(turned) {
        assert!((a - b).abs() < 1e-6, "{a} {b}");
    }
    // 0/1 called 3/7: the same scores.
    let relabelled = frame.iter().fold(Frame::new(), |out, (name, _)| {
        let values = frame.real(name).unwrap();
        let new = |v: &f64| {
            if name.starts_with('q') {
                3.0 + 4.0 * v
            } else {
                *v
            }
        };
        out.with(name, values.iter().map(new).collect::<Vec<f64>>())
            .unwrap()
    });
    let third = ItemResponse::new(questions()).fit(&relabelled).unwrap();
    for (a, b) in scores(&fit).ability().iter().zip(scores(&third).ability()) {
        assert!((a - b).abs() < 1e-9);
    }
}

#[test]
fn dif_by_likelihood_ratio_finds_the_harder_item() {
    let (frame, _) = reference();
    let fit = LikelihoodRatioDif::new(&ITEMS, "group")
        .reference("old")
        .fit(&frame)
        .unwrap();
    println!("{fit}");
    let smallest = fit
        .items
        .iter()
        .min_by(|a, b| a.test.p_value.total_cmp(&b.test.p_value))
        .unwrap();
    assert_eq!(smallest.name, "i3");
    assert!(smallest.test.p_value < 1e-4);
    assert!(smallest.difficulty[1] > smallest.difficulty[0] + 0.3);
    assert_eq!(
        smallest.test.distribution,
        Distribution::ChiSquared { df: 2.0 }
    );
    let one = crate::support::filter(&frame, &(0..600).map(|i| i % 2 == 0).collect::<Vec<bool>>());
    assert!(LikelihoodRatioDif::new(&ITEMS, "group").fit(&one).is_err());
}

#[test]
fn figures_and_tables_show_themselves() {
    let (frame, _) = reference();
    let fit = two_parameter(&frame);
    let information = fit.information().unwrap();
    for svg in [
        information.plot().unwrap(),
        information.plot_items().unwrap(),
        fit.item_curves("i3").unwrap(),
        fit.all_item_curves().unwrap(),
        fit.person_item_map().unwrap(),
    ] {
        assert!(svg.to_svg().contains("</svg>"));
    }
    assert!(fit.item_curves("nobody").is_err());
    let text = format!(
        "{information}{}{}{}",
        fit.item_fit().unwrap(),
        fit.person_fit(Scoring::PosteriorMode).unwrap(),
        fit.scores(Scoring::default()).unwrap()
    );
    assert!(text.contains("S-X²") && text.contains("l_z*") && text.contains("reliability"));
    assert!(fit.person_fit(Scoring::PosteriorMean).is_err());
    let lean = fit.lean();
    assert!(matches!(
        lean.scores(Scoring::default()),
        Err(Error::DataNotKept { .. })
    ));
    assert!(matches!(
        lean.plausible_values(5, 1),
        Err(Error::DataNotKept { .. })
    ));
}
