//! The learning panel: against an independent implementation, on any data, and refusals.

use crate::support::{agree, data, fixture, names, numbers};
use cocreate::prelude::*;
use proptest::prelude::*;

fn model() -> LearningPanelModel {
    LearningPanelModel::new("participates ~ price", "customer", "period")
        .covariance(Covariance::Classical)
}

fn stored() -> Frame {
    data("tests/reference/learning_panel.csv")
}

#[test]
fn estimates_with_signals_seen_are_those_of_an_independent_implementation() {
    let record = fixture("learning_panel");
    let seen = model()
        .elicited("prior_mean")
        .signals_seen("signal")
        .ambiguity();
    for (key, model, tolerance) in [
        ("seen", seen.clone(), 1e-4),
        ("ahead", seen.forward_looking(0.9), 1e-3),
    ] {
        let fit = model.fit(&stored()).unwrap();
        assert_eq!(fit.names(), names(&record["values"]));
        let theirs = &record["values"][key];
        let value = [fit.statistics().log_likelihood];
        let reference = numbers(&theirs["log_likelihood"]);
        agree("log-likelihood", &value, &reference, 1e-7);
        let (estimates, errors) = (
            numbers(&theirs["estimates"]),
            numbers(&theirs["std_errors"]),
        );
        for ((ours, theirs), error) in fit.coefficients().iter().zip(estimates).zip(errors) {
            let gap = (ours.estimate - theirs) / error;
            assert!(gap.abs() < tolerance, "{key}: {ours} {theirs}");
            assert!(
                (ours.std_error / error - 1.0).abs() < 1e-3,
                "{key}: {ours} {error}"
            );
        }
        assert!(fit.simulation_error().is_none());
    }
}

#[test]
fn simulated_paths_are_as_far_from_quadrature_as_they_say() {
    let record = fixture("learning_panel");
    let theirs = &record["values"]["unseen"];
    let model = model().elicited("prior_mean").signal_variance(0.8);
    let mut last = f64::INFINITY;
    for paths in [256, 1024] {
        let fit = model.clone().paths(paths).seed(3).fit(&stored()).unwrap();
        let error = fit.simulation_error().unwrap();
        assert_eq!(error.paths, paths);
        let gap = fit.statistics().log_likelihood - numbers(&theirs["log_likelihood"])[0];
        let (spread, bias) = (error.log_likelihood_std_dev, error.log_likelihood_bias);
        assert!((gap - bias).abs() < 4.0 * spread, "{gap} {bias} {spread}");
        let estimates = numbers(&theirs["estimates"]);
        for ((ours, theirs), of) in fit
            .coefficients()
            .iter()
            .zip(estimates)
            .zip(&error.estimates)
        {
            assert_eq!(ours.name, of.name);
            let gap = ours.estimate - theirs - of.bias;
            assert!(gap.abs() < 4.0 * of.std_dev, "{ours} {theirs} {of:?}");
        }
        let errors = numbers(&theirs["std_errors"]);
        for (ours, theirs) in fit.coefficients().iter().zip(errors) {
            assert!(
                (ours.std_error / theirs - 1.0).abs() < 0.01,
                "{ours} {theirs}"
            );
        }
        // More paths err less.
        assert!(error.largest_share() < 0.5 * last);
        last = error.largest_share();
    }
    assert!(last < 0.02, "{last}");
}

#[test]
fn few_paths_are_warned_of_and_the_seed_is_asked_for() {
    let model = model().elicited("prior_mean").signal_variance(0.8);
    let fit = model.clone().paths(8).seed(1).fit(&stored()).unwrap();
    let warned = |w: &Warning| w.to_string().contains("simulation error");
    assert!(fit.warnings().iter().any(warned), "{fit}");
    assert!(matches!(
        model.fit(&stored()),
        Err(Error::SeedRequired { .. })
    ));
    let again = |seed: u64| {
        let fit = model.clone().paths(64).seed(seed).fit(&stored()).unwrap();
        fit.estimates().clone()
    };
    assert_eq!(again(2), again(2));
    assert_ne!(again(2), again(3));
}

#[cfg(feature = "parallel")]
#[test]
fn the_bits_do_not_depend_on_threads() {
    let frame = stored();
    let known = model().elicited("prior_mean").signal_variance(0.8);
    let model = known.paths(64).seed(4).forward_looking(0.7);
    let on = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new();
        let pool = pool.num_threads(threads).build().unwrap();
        let fit = pool.install(|| model.fit(&frame)).unwrap();
        let numbers = fit.coefficients().into_iter();
        let bits: Vec<u64> = numbers
            .flat_map(|e| [e.estimate.to_bits(), e.std_error.to_bits()])
            .collect();
        (bits, fit.simulation_error().cloned())
    };
    assert_eq!(on(1), on(3));
}

/// Without elicited beliefs participation has one number for overconfidence and ambiguity aversion: θb + (α/2)s².
#[test]
fn drift_is_the_sum_of_overconfidence_and_ambiguity() {
    let process = LearningPanel {
        overconfidence: 0.4,
        risk_aversion: 0.3,
        prior_deviation: 0.0,
        prices: [-0.9, -0.3],
        ..LearningPanel::new()
    };
    let made = process.customers(1_500).seed(6).simulate().unwrap();
    let model = LearningPanelModel::new("participates ~ price", "customer", "period").biased();
    let fit = model.paths(64).seed(2).fit(&made.data).unwrap();
    let truths = [
        ("drift", -0.4 + 0.15),
        ("(Intercept)", -0.2 - 0.15 - 0.15),
        ("price", -1.0),
        ("ln_spread", 0.0),
        ("ln_ratio", 0.0),
    ];
    for (name, truth) in truths {
        let own = fit.coefficient(name).unwrap();
        assert!(
            (own.estimate - truth).abs() < 3.0 * own.std_error,
            "{own} {truth}"
        );
        assert!(own.std_error < 0.4, "{own}");
    }
    assert!(matches!(
        fit.prior_variance(),
        Err(Error::Unidentified { .. })
    ));
}

#[test]
fn the_unit_of_ability_changes_what_is_measured_in_it_and_nothing_else() {
    let frame = stored();
    let times = |frame: Frame, name: &str| {
        let values = frame.numeric(name).unwrap().values().to_vec();
        let scaled: Vec<f64> = values.iter().map(|x| 3.0 * x).collect();
        frame.replace(name, scaled).unwrap()
    };
    let other = times(times(frame.clone(), "prior_mean"), "signal");
    let fit = |frame: &Frame| {
        let model = model().elicited("prior_mean").signals_seen("signal");
        model.ambiguity().biased().fit(frame).unwrap()
    };
    let (one, two) = (fit(&frame), fit(&other));
    for (a, b) in one.coefficients().iter().zip(two.coefficients()) {
        let expected = match a.name.as_str() {
            "taste" => a.estimate / 3.0,
            "bias" => 3.0 * a.estimate,
            "ln_sd_signal" => a.estimate + 3.0_f64.ln(),
            _ => a.estimate,
        };
        assert!((expected - b.estimate).abs() < 1e-6, "{a} {b}");
    }
    let variance = |fit: &LearningPanelFit| fit.prior_variance().unwrap().estimate;
    assert!((9.0 * variance(&one) / variance(&two) - 1.0).abs() < 1e-6);
    let ratio = one.prior_variance().unwrap().estimate / one.signal_variance().unwrap().estimate;
    assert!((ratio / one.ratio().unwrap().estimate - 1.0).abs() < 1e-12);
}

#[test]
fn customers_of_frequency_two_are_two_customers() {
    let frame = stored();
    let n = frame.rows();
    let twice = |name: &str| {
        let values = frame.numeric(name).unwrap().values().to_vec();
        let shift = if name == "customer" { 1e4 } else { 0.0 };
        let other: Vec<f64> = values.iter().map(|x| x + shift).collect();
        [values, other].concat()
    };
    let columns = [
        "customer",
        "period",
        "price",
        "prior_mean",
        "participates",
        "signal",
    ];
    let doubled = columns
        .iter()
        .fold(Frame::new(), |f, name| f.with(*name, twice(name)).unwrap());
    let counted = frame.with("count", vec![2.0; n]).unwrap();
    let model = LearningPanelModel::new("participates ~ price", "customer", "period")
        .elicited("prior_mean")
        .signals_seen("signal");
    let long = model.clone().fit(&doubled).unwrap();
    let short = model
        .clone()
        .frequency_weights("count")
        .fit(&counted)
        .unwrap();
    for (a, b) in long.coefficients().iter().zip(short.coefficients()) {
        assert!((a.estimate - b.estimate).abs() < 1e-7, "{a} {b}");
        assert!((a.std_error / b.std_error - 1.0).abs() < 1e-5, "{a} {b}");
    }
    // Customers are the clusters.
    let clustered = long
        .with_covariance(Covariance::cluster("customer"))
        .unwrap();
    for (a, b) in long.coefficients().iter().zip(clustered.coefficients()) {
        assert!((a.std_error / b.std_error - 1.0).abs() < 0.01, "{a} {b}");
    }
    assert_eq!(long.statistics().observations, 800.0);
}

#[test]
fn what_participation_does_not_tell_is_refused() {
    let frame = stored();
    let error = |model: LearningPanelModel| model.seed(1).fit(&frame).unwrap_err();
    let needs = |model: LearningPanelModel, words: &str| {
        let error = error(model);
        assert!(matches!(error, Error::Unidentified { .. }), "{error}");
        assert!(error.to_string().contains(words), "{error}");
    };
    needs(model().ambiguity(), "elicited");
    needs(model().ambiguity().signals_seen("signal"), "elicited");
    needs(model().ambiguity().elicited("prior_mean"), "signals_seen");
    let known = model().elicited("prior_mean").signal_variance(0.8);
    needs(known.ambiguity().biased(), "contents of signals");
    for discount in [1.0, -0.1, f64::NAN] {
        assert!(
            matches!(error(model().forward_looking(discount)), Error::InvalidOption { option, .. } if option == "discount")
        );
    }
    assert!(
        matches!(error(model().forward_looking(0.5).horizon(3)), Error::InvalidOption { option, .. } if option == "horizon")
    );
    assert!(
        matches!(error(model().paths(1)), Error::InvalidOption { option, .. } if option == "paths")
    );
    assert!(matches!(
        error(model().signal_variance(1.0)),
        Error::InvalidOption { .. }
    ));
    // Customers who look ahead must know the law of what changes.
    let moving: Vec<f64> = (0..frame.rows()).map(|i| (i as f64).sin()).collect();
    let many = frame.clone().replace("price", moving).unwrap();
    let refused = model()
        .signals_seen("signal")
        .forward_looking(0.9)
        .fit(&many);
    assert!(refused.unwrap_err().to_string().contains("joint values"));
}

#[test]
fn panels_that_say_nothing_or_contradict_themselves_are_refused() {
    let frame = stored();
    let with = |name: &str, change: &dyn Fn(usize, f64) -> f64| {
        let values = frame.numeric(name).unwrap().values().to_vec();
        let changed: Vec<f64> = values
            .iter()
            .enumerate()
            .map(|(i, x)| change(i, *x))
            .collect();
        frame.clone().replace(name, changed).unwrap()
    };
    let takes = frame.numeric("participates").unwrap().values().to_vec();
    let seen = || model().elicited("prior_mean").signals_seen("signal");
    let fit = |frame: &Frame, model: LearningPanelModel| model.seed(1).fit(frame).unwrap_err();
    let out = |frame: &Frame, model: LearningPanelModel, column: &str, words: &str| {
        let error = fit(frame, model);
        let text = error.to_string();
        assert!(
            matches!(&error, Error::OutOfRange { column: c, .. } if c == column),
            "{text}"
        );
        assert!(text.contains(words), "{text}");
    };
    // Row 2 is the second period of the first customer.
    let repeated = with("period", &|i, t| if i == 1 { 0.0 } else { t });
    out(&repeated, model(), "period", "twice");
    let gap = with("period", &|_, t| if t > 1.0 { t + 1.0 } else { t });
    out(&gap, model(), "period", "the period after 1");
    let halves = with("period", &|_, t| 0.5 * t);
    out(&halves, model(), "period", "whole");
    let stranger = takes.iter().position(|d| *d < 0.5).unwrap();
    let told = with("signal", &|i, s| if i == stranger { 0.3 } else { s });
    out(&told, seen(), "signal", "does not take part");
    let member = takes.iter().position(|d| *d > 0.5).unwrap();
    let untold = with("signal", &|i, s| if i == member { f64::NAN } else { s });
    out(&untold, seen(), "signal", "who takes part");
    let infinite = with("signal", &|i, s| {
        if i == member { f64::INFINITY } else { s }
    });
    assert!(matches!(fit(&infinite, seen()), Error::Infinite { row, .. } if row == member + 1));
    let moved = with("prior_mean", &|i, m| if i == 1 { m + 1.0 } else { m });
    out(&moved, seen(), "prior_mean", "one number a customer");
    let nothing = |frame: &Frame, model: LearningPanelModel, words: &str| {
        let error = fit(frame, model);
        assert!(matches!(error, Error::Unidentified { .. }), "{error}");
        assert!(error.to_string().contains(words), "{error}");
    };
    let first = with("participates", &|i, _| f64::from(u8::from(i % 4 == 0)));
    nothing(&first, model(), "after taking part twice");
    let always = with("participates", &|_, _| 1.0);
    nothing(&always, model(), "both outcomes");
    let never = with("participates", &|_, _| 0.0);
    nothing(&never, model(), "both outcomes");
    let alone = with("customer", &|i, _| i as f64);
    nothing(&alone, model(), "one period");
    let same = with("prior_mean", &|_, _| 0.5);
    nothing(&same, model().elicited("prior_mean"), "the same for all");
    // Whoever took part once always does: learning runs to a bound.
    let hooked: Vec<f64> = takes
        .chunks(4)
        .enumerate()
        .flat_map(|(i, d)| {
            let start = i % 6;
            (0..d.len()).map(move |t| f64::from(u8::from(t >= start)))
        })
        .collect();
    let hooked = frame.clone().replace("participates", hooked).unwrap();
    nothing(&hooked, model().paths(64), "bound");
}

#[test]
fn fits_are_stored_read_and_drawn() {
    let known = model().elicited("prior_mean").signal_variance(0.8);
    let model = known.paths(64).seed(1);
    let fit = model.clone().fit(&stored()).unwrap();
    let text = serde_json::to_string(&fit).unwrap();
    let again: LearningPanelFit = serde_json::from_str(&text).unwrap();
    assert_eq!(serde_json::to_string(&again).unwrap(), text);
    assert_eq!(again.to_string(), fit.to_string());
    assert!(
        fit.figure()
            .unwrap()
            .to_svg()
            .contains("takes part, fitted")
    );
    // Scores of the constant sum to nothing: what is fitted is what is observed, overall.
    let periods = fit.periods();
    assert_eq!(periods.len(), 4);
    let overall = |f: fn(&PanelPeriod) -> f64| periods.iter().map(f).sum::<f64>() / 4.0;
    assert!((overall(|p| p.observed) - overall(|p| p.fitted)).abs() < 0.02);
    assert!(
        periods
            .windows(2)
            .all(|p| p[1].uncertainty < p[0].uncertainty)
    );
    let table = model.sensitivity(&stored(), &[0.0, 0.9]).unwrap();
    assert!((table.points[0].log_likelihood - fit.statistics().log_likelihood).abs() < 1e-6);
    assert!(table.points[1].estimates[0].estimate < table.points[0].estimates[0].estimate);
    assert!(model.sensitivity(&stored(), &[]).is_err());
}

#[test]
fn simulated_customers_look_ahead_as_the_plan_says() {
    let process = LearningPanel {
        customers: 40_000,
        periods: 4,
        prior_deviation: 0.0,
        forward_looking: true,
        elicited: true,
        ..LearningPanel::new()
    };
    let made = process.clone().seed(5).simulate().unwrap();
    let column = |name: &str| made.data.numeric(name).unwrap().values().to_vec();
    let (takes, price) = (column("participates"), column("price"));
    assert!(column("prior_mean").iter().all(|m| *m == 0.0));
    let plan = process.participations().unwrap().plan().unwrap();
    let z = -0.15 - 0.2 - 0.3;
    for (p, e) in [(0.0, 0.3), (0.6, -0.3)] {
        let first = (0..takes.len()).filter(|i| i % 4 == 0 && price[*i] == p);
        let (sum, n) = first.fold((0.0, 0.0), |(s, n), i| (s + takes[i], n + 1.0));
        let expected = plan.probability(0, 0, z, e);
        let error = (expected * (1.0 - expected) / n).sqrt();
        assert!(
            (sum / n - expected).abs() < 4.0 * error,
            "{p}: {} {expected}",
            sum / n
        );
        let myopic = plan.probability(3, 0, z, e);
        assert!(expected > myopic + 0.05);
    }
    // Drawn with seed 7: those who take part, of 3 customers × 12 periods.
    let few = LearningPanel {
        forward_looking: true,
        cost_deviation: 0.3,
        ..LearningPanel::new()
    };
    let few = few.customers(3).seed(7).simulate().unwrap().data;
    let takes = few.numeric("participates").unwrap().values().to_vec();
    let members: Vec<usize> = (0..36).filter(|i| takes[*i] > 0.5).collect();
    assert_eq!(members, [0, 24, 28, 31, 33, 34]);
    // Ability is overestimated by so much.
    let sure = LearningPanel {
        overconfidence: 0.7,
        forward_looking: false,
        ..process
    };
    let made = sure.seed(5).simulate().unwrap();
    let ability = made.oracle.real("ability").unwrap().to_vec();
    let mean = ability.iter().sum::<f64>() / ability.len() as f64;
    assert!((mean + 0.7).abs() < 0.02, "{mean}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3))]

    /// The order of rows, the names of customers and the first period do not matter.
    #[test]
    fn only_the_order_of_periods_matters(first in -5_i32..50, turn in 1_usize..1_500) {
        let frame = stored();
        let n = frame.rows();
        let columns = ["customer", "period", "price", "prior_mean", "participates", "signal"];
        let turned = columns.iter().fold(Frame::new(), |f, name| {
            let values = frame.numeric(name).unwrap().values().to_vec();
            let moved: Vec<f64> = (0..n)
                .map(|i| values[(i * 7 + turn) % n])
                .map(|x| match *name {
                    "customer" => 3.0 * x + 11.0,
                    "period" => x + f64::from(first),
                    _ => x,
                })
                .collect();
            f.with(*name, moved).unwrap()
        });
        let model = model().elicited("prior_mean").signals_seen("signal");
        let (one, two) = (model.fit(&frame).unwrap(), model.fit(&turned).unwrap());
        for (a, b) in one.coefficients().iter().zip(two.coefficients()) {
            prop_assert!((a.estimate - b.estimate).abs() < 1e-7, "{} {}", a, b);
            prop_assert!((a.std_error / b.std_error - 1.0).abs() < 1e-5);
        }
    }
}
