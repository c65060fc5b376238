//! Bayesian experiments against scipy; calibration under the prior, peeking and properties by simulation.

use crate::support::{agree, fixture, numbers};
use cocreate::numeric::{Seed, blocks};
use cocreate::prelude::*;
use proptest::prelude::*;
use rand_distr::{Beta, Distribution as _, StandardNormal};
use serde_json::Value;

/// Arms by their outcomes.
fn frame(arms: &[(&str, Vec<f64>)]) -> Frame {
    let names: Vec<&str> = arms
        .iter()
        .flat_map(|(name, y)| vec![*name; y.len()])
        .collect();
    let y: Vec<f64> = arms.iter().flat_map(|(_, y)| y.clone()).collect();
    Frame::new()
        .with("arm", names)
        .unwrap()
        .with("y", y)
        .unwrap()
}

fn clicks(successes: usize, trials: usize) -> Vec<f64> {
    (0..trials)
        .map(|i| f64::from(u8::from(i < successes)))
        .collect()
}

fn compared(what: &str, fit: &BayesianFit, theirs: &Value, tolerance: f64) {
    let of = |f: fn(&BayesianArm) -> f64| fit.arms().iter().map(f).collect::<Vec<f64>>();
    agree(
        &format!("{what} best"),
        &of(|a| a.probability_best),
        &numbers(&theirs["best"]),
        tolerance,
    );
    agree(
        &format!("{what} loss"),
        &of(|a| a.expected_loss),
        &numbers(&theirs["loss"]),
        tolerance,
    );
    let c = &fit.comparisons()[0];
    let ours = [c.probability_better, c.probability_equivalent.unwrap()];
    let number = |key: &str| theirs[key].as_f64().unwrap();
    agree(
        &format!("{what} better"),
        &ours,
        &[number("better"), number("rope")],
        tolerance,
    );
    agree(
        &format!("{what} difference"),
        &[c.lower, c.upper],
        &numbers(&theirs["difference"]),
        tolerance,
    );
    if let Some(lift) = c.lift {
        agree(
            &format!("{what} lift"),
            &lift,
            &numbers(&theirs["lift"]),
            tolerance,
        );
    }
}

#[test]
fn posteriors_and_losses_as_in_scipy() {
    let all = fixture("bayesian");
    let values = &all["values"];
    let theirs = &values["conversion"];
    let data = frame(&[
        ("a", clicks(100, 1000)),
        ("b", clicks(130, 1000)),
        ("c", clicks(124, 1000)),
    ]);
    let test = BayesianTest::new("y", "arm");
    let fit = test
        .clone()
        .model(BayesianModel::conversion())
        .rope(0.01)
        .fit(&data)
        .unwrap();
    compared("conversion", &fit, theirs, 1e-9);
    agree(
        "finite sum",
        &[fit.comparisons()[0].probability_better],
        &[theirs["closed"].as_f64().unwrap()],
        1e-10,
    );

    let theirs = &values["mean"];
    let samples: Vec<Vec<f64>> = theirs["samples"]
        .as_array()
        .unwrap()
        .iter()
        .map(numbers)
        .collect();
    let data = frame(&[
        ("a", samples[0].clone()),
        ("b", samples[1].clone()),
        ("c", samples[2].clone()),
    ]);
    let fit = test.clone().rope(0.5).fit(&data).unwrap();
    compared("mean", &fit, theirs, 1e-9);
    assert!(fit.comparisons()[0].lift.is_none());

    let theirs = &values["count"];
    let data = Frame::from_csv("arm,y,days\na,200,80\na,40,20\nb,275,104\n").unwrap();
    let counts = test
        .clone()
        .model(BayesianModel::count())
        .exposure("days")
        .rope(0.1);
    compared("count", &counts.fit(&data).unwrap(), theirs, 1e-9);
}

#[test]
fn revenue_as_drawn() {
    let all = fixture("bayesian");
    let theirs = &all["values"]["revenue"];
    let visitors = numbers(&theirs["visitors"]);
    let arm = |i: usize| {
        let mut y = numbers(&theirs["spent"][i]);
        y.resize(visitors[i] as usize, 0.0);
        y
    };
    let data = frame(&[("a", arm(0)), ("b", arm(1))]);
    let fit = BayesianTest::new("y", "arm")
        .model(BayesianModel::revenue())
        .fit(&data)
        .unwrap();
    let number = |key: &str| theirs[key].as_f64().unwrap();
    let near = |what: &str, ours: f64, drawn: f64, error: f64| {
        assert!((ours - drawn).abs() < 4.5 * error, "{what}: {ours} {drawn}");
    };
    for i in 0..2 {
        let a = &fit.arms()[i];
        let sd = theirs["sd"][i].as_f64().unwrap();
        near(
            "mean",
            a.mean,
            theirs["mean"][i].as_f64().unwrap(),
            sd / 5e6_f64.sqrt(),
        );
        near("deviation", a.deviation, sd, 0.003);
        let q = numbers(&theirs["quantiles"][i]);
        near("lower", a.lower, q[0], 0.001);
        near("upper", a.upper, q[2], 0.004);
        near(
            "loss",
            a.expected_loss,
            theirs["loss"][i].as_f64().unwrap(),
            0.001,
        );
    }
    let c = &fit.comparisons()[0];
    near("better", c.probability_better, number("better"), 1e-4);
    let d = numbers(&theirs["difference"]);
    near("from", c.lower, d[0], 0.003);
    near("to", c.upper, d[1], 0.004);
    assert!(fit.warnings().is_empty());
    // Six buyers: the mean hangs on the bound of the variance.
    let few = |n: usize| {
        let mut y = arm(0)[..6].to_vec();
        y.resize(n, 0.0);
        y
    };
    let fit = BayesianTest::new("y", "arm")
        .model(BayesianModel::revenue())
        .fit(&frame(&[("a", few(50)), ("b", arm(1))]));
    assert!(fit.unwrap().to_string().contains("too few buyers"));
}

#[test]
fn eight_schools() {
    let all = fixture("bayesian");
    let theirs = &all["values"]["schools"];
    let data = Frame::new()
        .with("y", numbers(&theirs["y"]))
        .unwrap()
        .with("s", numbers(&theirs["s"]))
        .unwrap();
    for (key, plan) in [
        ("flat", HierarchicalEffects::new("y", "s")),
        ("cauchy", HierarchicalEffects::new("y", "s").scale(25.0)),
    ] {
        let fit = plan.fit(&data).unwrap();
        let of = |f: fn(&PooledEffect) -> f64| fit.effects().iter().map(f).collect::<Vec<f64>>();
        agree(key, &of(|e| e.mean), &numbers(&theirs[key]["mean"]), 1e-5);
        agree(
            key,
            &of(|e| e.deviation),
            &numbers(&theirs[key]["sd"]),
            1e-5,
        );
        agree(
            key,
            &of(|e| e.probability_positive),
            &numbers(&theirs[key]["positive"]),
            1e-5,
        );
        let ours = [fit.spread(), fit.mean().mean];
        agree(
            key,
            &ours,
            &[
                theirs[key]["tau"].as_f64().unwrap(),
                theirs[key]["mu"].as_f64().unwrap(),
            ],
            1e-4,
        );
        assert!(fit.new_segment().deviation > fit.mean().deviation);
        let [low, high] = fit.spread_interval();
        assert!(low < fit.spread_median() && fit.spread_median() < high);
        assert!(
            fit.to_string().contains("a new segment")
                && fit.figure().unwrap().to_svg().contains("pooling")
        );
    }
}

#[test]
fn priors_from_past_arms_as_in_scipy() {
    let all = fixture("bayesian");
    let theirs = &all["values"]["past_conversion"];
    let past = Frame::new()
        .with("x", numbers(&theirs["successes"]))
        .unwrap()
        .with("n", numbers(&theirs["trials"]))
        .unwrap();
    let BayesianModel::BetaBinomial { a, b } =
        BayesianModel::conversion_from_past(&past, "x", "n").unwrap()
    else {
        panic!("another model");
    };
    agree(
        "beta",
        &[a, b],
        &[theirs["a"].as_f64().unwrap(), theirs["b"].as_f64().unwrap()],
        1e-4,
    );
    let theirs = &all["values"]["past_count"];
    let past = Frame::new()
        .with("x", numbers(&theirs["counts"]))
        .unwrap()
        .with("t", numbers(&theirs["exposure"]))
        .unwrap();
    let BayesianModel::GammaPoisson { shape, rate } =
        BayesianModel::count_from_past(&past, "x", "t").unwrap()
    else {
        panic!("another model");
    };
    let expected = [
        theirs["shape"].as_f64().unwrap(),
        theirs["rate"].as_f64().unwrap(),
    ];
    agree("gamma", &[shape, rate], &expected, 1e-4);
    // Arms that differ by no more than chance leave the prior without spread.
    let alike = Frame::from_csv("x,n\n50,100\n50,100\n50,100\n50,100\n").unwrap();
    assert!(matches!(
        BayesianModel::conversion_from_past(&alike, "x", "n"),
        Err(Error::Unidentified { .. })
    ));
    let over = Frame::from_csv("x,n\n50,100\n120,100\n50,100\n").unwrap();
    assert!(matches!(
        BayesianModel::conversion_from_past(&over, "x", "n"),
        Err(Error::OutOfRange { row: 2, .. })
    ));
}

/// Rates drawn from the prior, stopped at the first look at which the expected loss is small: intervals cover, and probabilities to be best and losses come
/// true on average, whenever one stopped.
#[test]
fn decisions_are_calibrated_under_the_prior() {
    const RUNS: usize = 150;
    const CARING: f64 = 0.004;
    let model = BayesianModel::BetaBinomial { a: 10.0, b: 90.0 };
    let found: Vec<[f64; 4]> = blocks::map(RUNS, |run| {
        let mut draws = Seed::new(77).stream(run as u64);
        let prior = Beta::new(10.0, 90.0).unwrap();
        let rates = [prior.sample(&mut draws), prior.sample(&mut draws)];
        let mut arms = [Vec::new(), Vec::new()];
        let mut fit;
        loop {
            for (arm, rate) in arms.iter_mut().zip(rates) {
                let law = rand::distr::Bernoulli::new(rate).unwrap();
                arm.extend((0..500).map(|_| f64::from(u8::from(law.sample(&mut draws)))));
            }
            let data = frame(&[("a", arms[0].clone()), ("b", arms[1].clone())]);
            fit = BayesianTest::new("y", "arm")
                .model(model)
                .fit(&data)
                .unwrap();
            let small = matches!(
                fit.decision(CARING).unwrap(),
                BayesianDecision::Choose { .. }
            );
            if small || arms[0].len() >= 1_500 {
                break;
            }
        }
        let best = usize::from(fit.best().name == "b");
        let c = &fit.comparisons()[0];
        let difference = rates[1] - rates[0];
        [
            f64::from(u8::from(c.lower <= difference && difference <= c.upper)),
            fit.best().expected_loss,
            (rates[1 - best] - rates[best]).max(0.0),
            fit.best().probability_best - f64::from(u8::from(rates[best] >= rates[1 - best])),
        ]
    });
    let mean = |k: usize| found.iter().map(|f| f[k]).sum::<f64>() / RUNS as f64;
    // Monte Carlo errors: .018 of the coverage, .0004 of the loss, .03 of the probability.
    assert!((mean(0) - 0.95).abs() < 0.054, "coverage {}", mean(0));
    assert!(
        (mean(1) - mean(2)).abs() < 0.0012,
        "loss {} {}",
        mean(1),
        mean(2)
    );
    assert!(mean(1) < CARING && mean(2) > 0.0);
    assert!(mean(3).abs() < 0.09, "probability to be best {}", mean(3));
}

/// What more rows are said to be worth, against drawing them.
#[test]
fn information_is_worth_what_is_said() {
    const RUNS: usize = 200_000;
    let y = |mean: f64| {
        (0..100)
            .map(|i| mean + f64::from(i % 10) - 4.5)
            .collect::<Vec<f64>>()
    };
    let fit = BayesianTest::new("y", "arm")
        .fit(&frame(&[("a", y(0.0)), ("b", y(0.3)), ("c", y(-0.2))]))
        .unwrap();
    let said = fit.value_of_sample_information(300.0).unwrap();
    let mut draws = Seed::new(12).stream(0);
    let mut z = || -> f64 { StandardNormal.sample(&mut draws) };
    let best = fit.best().mean;
    let mut drawn = 0.0;
    for _ in 0..RUNS {
        let after = fit
            .arms()
            .iter()
            .map(|a| a.mean + a.deviation * 0.75_f64.sqrt() * z());
        drawn += after.fold(f64::NEG_INFINITY, f64::max) - best;
    }
    // Monte Carlo error .0004.
    assert!((said - drawn / RUNS as f64).abs() < 0.002, "{said}");
    let perfect = fit.value_of_perfect_information();
    assert!(
        said < perfect
            && (fit.value_of_sample_information(1e9).unwrap() / perfect - 1.0).abs() < 0.03
    );
    assert!(fit.worthwhile_rows(1e6, 0.01).unwrap() > fit.worthwhile_rows(1e6, 1.0).unwrap());
    assert_eq!(fit.worthwhile_rows(1e3, 1e9).unwrap(), 0.0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn probabilities_sum_and_losses_fit_together(
        successes in prop::collection::vec(0_usize..60, 2..5),
        trials in 60_usize..400,
    ) {
        let names = ["a", "b", "c", "d"];
        let arms: Vec<(&str, Vec<f64>)> = successes.iter().zip(names).map(|(s, n)| (n, clicks(*s, trials))).collect();
        let fit = BayesianTest::new("y", "arm").model(BayesianModel::conversion()).fit(&frame(&arms)).unwrap();
        let total: f64 = fit.arms().iter().map(|a| a.probability_best).sum();
        prop_assert!((total - 1.0).abs() < 1e-9, "{}", total);
        // Differences of losses are differences of means.
        for a in &fit.arms()[1..] {
            let gap = fit.arms()[0].expected_loss - a.expected_loss;
            prop_assert!((gap - (a.mean - fit.arms()[0].mean)).abs() < 1e-10);
        }
        // Rows in another order change nothing.
        let turned: Vec<(&str, Vec<f64>)> = arms.iter().rev().map(|(n, y)| (*n, y.iter().rev().copied().collect())).collect();
        let again = BayesianTest::new("y", "arm").model(BayesianModel::conversion()).fit(&frame(&turned)).unwrap();
        prop_assert_eq!(fit.arms(), again.arms());
    }

    #[test]
    fn units_do_not_matter(y in prop::collection::vec(0.1_f64..50.0, 24), factor in 1e-3_f64..1e3) {
        let two = |f: f64| frame(&[
            ("a", y[..12].iter().enumerate().map(|(i, v)| (v + i as f64) * f).collect()),
            ("b", y[12..].iter().enumerate().map(|(i, v)| (v + i as f64) * f).collect()),
        ]);
        for model in [BayesianModel::mean(), BayesianModel::revenue()] {
            let plain = BayesianTest::new("y", "arm").model(model).fit(&two(1.0)).unwrap();
            let other = BayesianTest::new("y", "arm").model(model).fit(&two(factor)).unwrap();
            for (a, b) in plain.arms().iter().zip(other.arms()) {
                prop_assert!((a.mean * factor / b.mean - 1.0).abs() < 1e-6);
                prop_assert!((a.probability_best - b.probability_best).abs() < 1e-6);
            }
        }
    }
}

#[test]
fn bad_input_and_what_is_shown() {
    let data = Frame::from_csv("arm,y\na,1\na,0\na,1\nb,0\nb,1\nb,\nb,0\n").unwrap();
    let fit = BayesianTest::new("y", "arm")
        .model(BayesianModel::conversion())
        .rope(0.05)
        .fit(&data)
        .unwrap();
    let text = fit.to_string();
    for part in [
        "P(best)",
        "Expected loss",
        "P(equivalent)",
        "Beta(1, 1)",
        "1 row",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(fit.figure().unwrap().to_svg().contains("Density"));
    assert!(matches!(
        fit.decision(1e-6).unwrap(),
        BayesianDecision::Continue { .. }
    ));
    assert!(fit.decision(0.0).is_err() && fit.comparison("z").is_err());
    let again: BayesianFit = serde_json::from_str(&serde_json::to_string(&fit).unwrap()).unwrap();
    assert_eq!(again, fit);

    let counts = Frame::from_csv("arm,y,days\na,1,2\na,,1\nb,2,1\nb,3,\nb,1,\n").unwrap();
    let text = BayesianTest::new("y", "arm")
        .model(BayesianModel::count())
        .exposure("days")
        .fit(&counts)
        .unwrap()
        .to_string();
    assert!(
        text.contains("3 rows") && text.contains("`y` 1") && text.contains("`days` 2"),
        "{text}"
    );

    let refused = |csv: &str, model: BayesianModel| {
        BayesianTest::new("y", "arm")
            .model(model)
            .fit(&Frame::from_csv(csv).unwrap())
            .unwrap_err()
    };
    assert!(matches!(
        refused("arm,y\na,1\nb,2\n", BayesianModel::conversion()),
        Error::OutOfRange { row: 2, .. }
    ));
    assert!(matches!(
        refused("arm,y\na,1\nb,0.5\n", BayesianModel::count()),
        Error::OutOfRange { row: 2, .. }
    ));
    assert!(matches!(
        refused("arm,y\na,1\nb,-3\n", BayesianModel::revenue()),
        Error::OutOfRange { row: 2, .. }
    ));
    assert!(matches!(
        refused("arm,y\na,1\na,2\nb,3\nb,4\n", BayesianModel::mean()),
        Error::Unidentified { .. }
    ));
    assert!(matches!(
        refused("arm,y\na,1\na,2\n", BayesianModel::mean()),
        Error::InvalidOption { .. }
    ));
    let empty = BayesianModel::BetaBinomial { a: 0.0, b: 0.0 };
    assert!(
        refused("arm,y\na,1\nb,0\n", empty)
            .to_string()
            .contains("mass")
    );
    // The parameter is named, and a way out.
    let normal = |mean: f64, scale: f64| {
        BayesianModel::Normal(NormalPrior {
            mean,
            strength: 1.0,
            shape: 2.0,
            scale,
        })
    };
    for (model, words) in [
        (
            BayesianModel::BetaBinomial { a: 1.0, b: -2.0 },
            ["`b`", "-2", "conversion_from_past"],
        ),
        (
            BayesianModel::GammaPoisson {
                shape: f64::INFINITY,
                rate: 1.0,
            },
            ["`shape`", "inf", "count_from_past"],
        ),
        (
            BayesianModel::GammaPoisson {
                shape: 1.0,
                rate: -1.0,
            },
            ["`rate`", "-1", "zero or more"],
        ),
        (normal(f64::NAN, 1.0), ["`mean`", "NaN", "REFERENCE"]),
        (normal(0.0, 0.0), ["`scale`", "0", "REFERENCE"]),
    ] {
        let said = refused("arm,y\na,1\nb,0\n", model).to_string();
        assert!(words.iter().all(|w| said.contains(w)), "{said}");
    }
    let half = BayesianModel::Normal(NormalPrior {
        mean: 0.0,
        strength: 1.0,
        shape: 0.0,
        scale: 0.0,
    });
    assert!(matches!(
        refused("arm,y\na,1\nb,0\n", half),
        Error::InvalidOption { .. }
    ));
    let schools = Frame::from_csv("y,s\n1,1\n2,1\n").unwrap();
    assert!(matches!(
        HierarchicalEffects::new("y", "s").fit(&schools),
        Err(Error::Unidentified { .. })
    ));
    assert!(
        HierarchicalEffects::new("y", "s")
            .scale(1.0)
            .fit(&schools)
            .is_ok()
    );
    assert!(
        HierarchicalEffects::new("y", "s")
            .scale(-1.0)
            .fit(&schools)
            .is_err()
    );
}

#[test]
fn few_rows_and_priors_without_a_finite_density_are_integrated() {
    // By adaptive quadrature (scipy 1.17.1, `integrate.quad` on the probability or the logarithm).
    let t = frame(&[
        ("a", vec![0.0, 1.0, 2.0, 3.0]),
        ("b", vec![0.5, 1.0, 1.7, 9.0]),
    ]);
    let fit = BayesianTest::new("y", "arm").fit(&t).unwrap();
    let better = 0.732_550_877_295_720_5;
    assert!((fit.arms()[1].probability_best - better).abs() < 1e-9);
    assert!((fit.comparisons()[0].probability_better - better).abs() < 1e-9);
    assert!((fit.best().expected_loss - 0.602_400_345_664_962_1).abs() < 1e-8);
    // Twins differ by as much in either direction, also near the end of what rates may be.
    for successes in [5, 45] {
        let twins = frame(&[("a", clicks(successes, 50)), ("b", clicks(successes, 50))]);
        let model = BayesianModel::BetaBinomial { a: 1e-3, b: 1e-3 };
        let fit = BayesianTest::new("y", "arm").model(model).fit(&twins);
        let fit = fit.unwrap();
        let c = &fit.comparisons()[0];
        assert!((c.lower + c.upper).abs() < 1e-10, "{} {}", c.lower, c.upper);
    }
    // No success in 1 000 trials of the control.
    let rates = frame(&[("a", clicks(0, 1000)), ("b", clicks(10, 1000))]);
    for (a, better) in [
        (0.5, 0.999_842_909_192_845_1),
        (0.1, 0.999_979_923_006_366_5),
    ] {
        let model = BayesianModel::BetaBinomial { a, b: 1.0 };
        let fit = BayesianTest::new("y", "arm").model(model).fit(&rates);
        let fit = fit.unwrap();
        assert!((fit.comparisons()[0].probability_better - better).abs() < 1e-10);
        assert!((fit.arms()[1].probability_best - better).abs() < 1e-10);
        // Half of the ratios lie above the median lift, which is far in the tail of its range.
        let [median, low, high] = fit.comparisons()[0].lift.unwrap();
        assert!(1.0 < low && low < median && median < high && high.is_finite());
    }
}

#[test]
fn revenue_of_customers_who_spend_alike_is_that_of_the_share_of_buyers() {
    let spend = |buyers: usize| -> Vec<f64> {
        let of = |i: usize| (i as f64 + 0.5) / buyers as f64;
        let bought = (0..buyers)
            .map(|i| (3.0 + 0.02 * cocreate::numeric::special::normal::quantile(of(i))).exp());
        bought.chain(vec![0.0; 1000 - buyers]).collect()
    };
    let data = frame(&[("a", spend(100)), ("b", spend(120))]);
    let fit = BayesianTest::new("y", "arm")
        .model(BayesianModel::revenue())
        .fit(&data)
        .unwrap();
    // Quantiles by Gauss rules over variance and mean of logarithms (numpy 2.4.6, scipy 1.17.1), the share of buyers by its distribution function.
    for (arm, ends) in fit.arms().iter().zip([
        [1.666_094_734_060_373, 2.414_260_654_350_032_5],
        [2.035_473_373_364_709, 2.845_348_171_464_954_7],
    ]) {
        assert!((arm.lower / ends[0] - 1.0).abs() < 1e-8, "{arm:?}");
        assert!((arm.upper / ends[1] - 1.0).abs() < 1e-8, "{arm:?}");
    }
    let [best, better] = [
        fit.arms()[1].probability_best,
        fit.comparisons()[0].probability_better,
    ];
    assert!((best - better).abs() < 1e-7, "{best} {better}");
}

#[test]
fn information_on_an_arm_known_badly_beside_one_known_well() {
    use cocreate::numeric::special::normal;
    let sample = |n: usize, mean: f64| -> Vec<f64> {
        (0..n)
            .map(|i| mean + normal::quantile((i as f64 + 0.5) / n as f64))
            .collect()
    };
    for gap in [0.3, 0.25, 0.1] {
        let data = frame(&[("known", sample(100_000, 0.0)), ("new", sample(20, gap))]);
        let fit = BayesianTest::new("y", "arm").fit(&data).unwrap();
        let found = fit.value_of_sample_information(1000.0).unwrap();
        // E max(X, 0) − max(E X, 0) of the normal difference.
        let arms = fit.arms();
        let law = |arm: &BayesianArm| arm.deviation * (1000.0 / (1000.0 + arm.rows as f64)).sqrt();
        let deviation = law(&arms[0]).hypot(law(&arms[1]));
        let z = (arms[1].mean - arms[0].mean).abs() / deviation;
        let exact = deviation * (normal::pdf(z) - z * normal::sf(z));
        assert!((found / exact - 1.0).abs() < 1e-9, "{gap}: {found} {exact}");
    }
}

#[test]
fn many_segments_know_their_spread_as_well_as_theory_says_and_few_do_not() {
    let fit = |segments: usize| {
        let quantile = cocreate::numeric::special::normal::quantile;
        let y: Vec<f64> = (0..segments)
            .map(|i| 2_f64.sqrt() * quantile((i as f64 + 0.5) / segments as f64))
            .collect();
        let data = Frame::new()
            .with("y", y)
            .unwrap()
            .with("se", vec![1.0; segments])
            .unwrap();
        HierarchicalEffects::new("y", "se").fit(&data).unwrap()
    };
    // Of s² + τ² = 2 the standard error is 2√(2/J), of τ = 1 half of it.
    let many = fit(1_000);
    let half = 1.96 * (2.0 / 1_000_f64).sqrt();
    let [low, high] = many.spread_interval();
    assert!((low - (1.0 - half)).abs() < 0.05 * half, "{low}");
    assert!((high - (1.0 + half)).abs() < 0.05 * half, "{high}");
    assert!(many.warnings().is_empty());
    // With three or four and a flat prior some moments do not exist.
    for segments in [3, 4] {
        let said = fit(segments).warnings()[0].to_string();
        assert!(said.contains("not exist"), "{said}");
    }
    assert!(fit(5).warnings().is_empty());
}

#[test]
fn ends_of_what_a_rate_may_be_leave_no_trace() {
    // A narrow arm beside one of which little is known, whose density ends within the body of the other's shifted law; and rates of all but one under the prior of
    // Jeffreys, whose density rises without bound there. Quadrature in scipy 1.17 with panels that halve towards every kink: (2.5 %, 97.5 %) of the difference, lift at 50 % and those.
    let fit = |arms: [(u32, u32); 2], prior: f64| {
        let (mut name, mut y) = (vec![], vec![]);
        for (k, (successes, rows)) in arms.into_iter().enumerate() {
            for i in 0..rows {
                name.push(["a", "b"][k]);
                y.push(f64::from(i < successes));
            }
        }
        let frame = Frame::new()
            .with("arm", name)
            .unwrap()
            .with("y", y)
            .unwrap();
        let model = BayesianModel::BetaBinomial { a: prior, b: prior };
        BayesianTest::new("y", "arm")
            .control("a")
            .model(model)
            .fit(&frame)
            .unwrap()
    };
    let close = |ours: f64, theirs: f64| assert!((ours - theirs).abs() < 1e-10, "{ours} {theirs}");
    for (arms, prior, difference) in [
        (
            [(500, 1_000), (0, 1)],
            1.0,
            [-0.489_817_572_985_74, 0.342_676_296_265_53],
        ),
        (
            [(500, 1_000), (0, 1)],
            0.5,
            [-0.511_860_762_332_94, 0.353_753_643_076_95],
        ),
        (
            [(500, 1_000), (1, 1)],
            0.5,
            [-0.353_753_643_076_95, 0.511_860_762_332_94],
        ),
    ] {
        let fit = fit(arms, prior);
        let found = &fit.comparisons()[0];
        close(found.lower, difference[0]);
        close(found.upper, difference[1]);
    }
    for (prior, lift) in [
        (
            1.0,
            [
                0.088_643_468_797_619,
                -0.185_263_432_518_12,
                0.592_470_547_791_94,
            ],
        ),
        (
            0.5,
            [
                0.086_989_979_708_323,
                -0.135_108_091_833_64,
                0.560_333_684_055_62,
            ],
        ),
    ] {
        let fit = fit([(9, 10), (10, 10)], prior);
        for (ours, theirs) in fit.comparisons()[0].lift.unwrap().into_iter().zip(lift) {
            close(ours, theirs);
        }
        let total: f64 = fit.arms().iter().map(|arm| arm.probability_best).sum();
        close(total, 1.0);
    }
}
