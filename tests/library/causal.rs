//! Doubly robust average effects: agreement with DoubleML and with their formulas, coverage, what must hold for any data, bad input.

use crate::support::{agree, data, fixture, numbers};
use cocreate::causal::PropensityCalibration;
use cocreate::prelude::*;
use proptest::prelude::{prop_assert, proptest};
use proptest::test_runner::Config;
use rand_distr::{Distribution as _, StandardNormal};

const FEATURES: [&str; 2] = ["x1", "x2"];

/// The binary treatment of `causal.csv` with its given nuisances; nothing is learned.
fn given() -> DoublyRobust {
    DoublyRobust::new("y", "w", &FEATURES)
        .outcome_mean("0", "m0")
        .outcome_mean("1", "m1")
        .propensity("1", "e")
}

fn pair(fit: &AverageEffects, factor: f64) -> [f64; 2] {
    let effect = &fit.coefficients()[0];
    [effect.estimate, effect.std_error * factor]
}

#[test]
fn effects_on_given_nuisances_are_those_of_doubleml() {
    let reference = fixture("causal");
    let theirs = &reference["values"]["doubleml"];
    let frame = data("tests/reference/causal.csv");
    let fit = given().fit(&frame).unwrap();
    let n = frame.rows() as f64;
    // DoubleML divides by n where ours has n − 1.
    let factor = ((n - 1.0) / n).sqrt();
    for (name, ours) in [
        ("ate", fit.average_effect()),
        ("att", &fit.effect_on_treated()),
        ("overlap", &fit.effect_in_overlap()),
    ] {
        agree(name, &pair(ours, factor), &numbers(&theirs[name]), 1e-9);
    }
}

#[test]
fn normalized_propensities_and_potential_outcomes_are_those_of_doubleml() {
    let reference = fixture("causal");
    let theirs = &reference["values"]["doubleml"];
    let frame = data("tests/reference/causal.csv");
    let factor = ((frame.rows() as f64 - 1.0) / frame.rows() as f64).sqrt();
    let fit = given().normalized().fit(&frame).unwrap();
    for (name, ours) in [
        ("ate_normalized", fit.average_effect()),
        ("att_normalized", &fit.effect_on_treated()),
    ] {
        agree(name, &pair(ours, factor), &numbers(&theirs[name]), 1e-10);
    }
    let arms = DoublyRobust::new("outcome", "arm", &FEATURES)
        .propensity("a", "p_a")
        .propensity("b", "p_b")
        .outcome_mean("a", "q_a")
        .outcome_mean("b", "q_b")
        .outcome_mean("c", "q_c");
    for (name, model) in [
        ("potential_outcomes", arms.clone()),
        ("potential_outcomes_normalized", arms.clone().normalized()),
    ] {
        let means = model.fit(&frame).unwrap().arm_means();
        let ours: Vec<f64> = (means.coefficients().iter())
            .flat_map(|mean| [mean.estimate, mean.std_error * factor])
            .collect();
        agree(name, &ours, &numbers(&theirs[name]), 1e-10);
    }
    // Means of arms move with the outcome when weights of an arm sum to one, though nothing is known of outcomes; else they do not.
    let shift = 1e3;
    let y: Vec<f64> = (frame.real("y").unwrap().iter())
        .map(|y| y + shift)
        .collect();
    let zero = vec![0.0; y.len()];
    let moved = frame
        .clone()
        .with("moved", y)
        .unwrap()
        .with("zero", zero)
        .unwrap();
    let mean = |outcome: &str, normalized: bool| {
        let model = DoublyRobust::new(outcome, "w", &FEATURES)
            .outcome_mean("0", "zero")
            .outcome_mean("1", "zero")
            .propensity("1", "e");
        let model = if normalized {
            model.normalized()
        } else {
            model
        };
        model.fit(&moved).unwrap().arm_means().estimates()[1]
    };
    assert!((mean("moved", true) - mean("y", true) - shift).abs() < 1e-8);
    assert!((mean("moved", false) - mean("y", false) - shift).abs() > 1.0);
}

#[test]
fn weights_clusters_arms_groups_and_projections_follow_their_formulas() {
    let reference = fixture("causal");
    let theirs = &reference["values"]["formula"];
    let frame = data("tests/reference/causal.csv");
    let clustered = given()
        .weights("weight")
        .clusters("village")
        .fit(&frame)
        .unwrap();
    let want = numbers(&theirs["weighted_clustered"]);
    let ours = pair(clustered.average_effect(), 1.0);
    agree("clustered", &[ours[0], ours[1] * ours[1]], &want, 1e-9);
    let arms = DoublyRobust::new("outcome", "arm", &FEATURES)
        .propensity("a", "p_a")
        .propensity("b", "p_b")
        .outcome_mean("a", "q_a")
        .outcome_mean("b", "q_b")
        .outcome_mean("c", "q_c")
        .fit(&frame)
        .unwrap();
    let mut ours: Vec<f64> = arms.estimates().iter().copied().collect();
    ours.extend(arms.covariance().iter());
    agree("three arms", &ours, &numbers(&theirs["three_arms"]), 1e-9);
    assert!(arms.wald(&["b = 0", "c = 0"]).unwrap().p_value < 1e-4);
    let fit = given().fit(&frame).unwrap();
    let groups = fit.group_effects(&frame, "segment").unwrap();
    assert_eq!(groups.names(), ["segment=high", "segment=low"]);
    let ours: Vec<f64> = (0..2)
        .flat_map(|g| [groups.estimates()[g], groups.covariance()[(g, g)]])
        .collect();
    agree("groups", &ours, &numbers(&theirs["groups"]), 1e-9);
    let line = fit.best_linear_projection(&frame, "1", "x1 + x2").unwrap();
    let mut ours: Vec<f64> = line.estimates().iter().copied().collect();
    ours.extend(line.std_errors().iter());
    agree("projection", &ours, &numbers(&theirs["projection"]), 1e-9);
}

#[test]
fn intervals_cover_the_average_effect_when_nuisances_are_learned() {
    const DRAWS: u64 = 200;
    let covers = |seed: u64| {
        let made = HeterogeneousEffects::new(EffectDesign::WagerAtheyConfounded)
            .customers(500)
            .features(5)
            .seed(seed)
            .simulate()
            .unwrap();
        let fit = DoublyRobust::new("y", "w", &["x1", "x2", "x3"])
            .learner(Learner::quadratic().net(Learner::ridge().lambda(0.005)))
            .seed(seed)
            .fit(&made.data)
            .unwrap();
        let inside = |e: &AverageEffects| {
            let interval = e.coefficients()[0].confidence_interval(0.95).unwrap();
            u32::from(interval.lower < 0.0 && 0.0 < interval.upper)
        };
        // The naive comparison is confounded; this one must not be.
        [
            inside(fit.average_effect()),
            inside(&fit.effect_on_treated()),
            inside(&fit.effect_on_untreated()),
            inside(&fit.effect_in_overlap()),
        ]
    };
    let mut counts = [0; 4];
    for seed in 0..DRAWS {
        for (count, one) in counts.iter_mut().zip(covers(seed)) {
            *count += one;
        }
    }
    // 95 % less three Monte Carlo errors of 1.5 points.
    assert!(counts.iter().all(|c| *c >= 181), "{counts:?} of {DRAWS}");
}

#[test]
fn intervals_of_groups_projections_and_normalised_means_cover() {
    const DRAWS: u64 = 300;
    // Half of the normal distribution has the mean √(2/π).
    let half = (2.0 / std::f64::consts::PI).sqrt();
    let mut counts = [0; 6];
    for draw in 0..DRAWS {
        let mut random = Seed::new(draw).child("groups").stream(0);
        let mut normal = || -> f64 { StandardNormal.sample(&mut random) };
        let (mut y, mut w, mut x1, mut x2) = (vec![], vec![], vec![], vec![]);
        for _ in 0..400 {
            let (a, b) = (normal(), normal());
            let treated = normal() < 0.6 * a;
            x1.push(a);
            x2.push(b);
            w.push(f64::from(u8::from(treated)));
            y.push(a + b + if treated { 1.0 + a } else { 0.0 } + normal());
        }
        let high: Vec<bool> = x1.iter().map(|x| *x > 0.0).collect();
        let frame = Frame::new()
            .with("y", y)
            .unwrap()
            .with("w", w)
            .unwrap()
            .with("x1", x1)
            .unwrap()
            .with("x2", x2)
            .unwrap()
            .with("high", high)
            .unwrap();
        let model = || {
            DoublyRobust::new("y", "w", &FEATURES)
                .learner(Learner::linear())
                .calibrate(false)
                .seed(draw)
        };
        let fit = model().fit(&frame).unwrap();
        let groups = fit.group_effects(&frame, "high").unwrap();
        let line = fit.best_linear_projection(&frame, "1", "x1").unwrap();
        let means = model().normalized().fit(&frame).unwrap().arm_means();
        let inside = |fit: &dyn Inference, at: usize, truth: f64| {
            let interval = fit.coefficients()[at].confidence_interval(0.95).unwrap();
            u32::from((interval.lower..=interval.upper).contains(&truth))
        };
        let one = [
            inside(&groups, 0, 1.0 - half),
            inside(&groups, 1, 1.0 + half),
            inside(&line, 0, 1.0),
            inside(&line, 1, 1.0),
            inside(&means, 0, 0.0),
            inside(&means, 1, 1.0),
        ];
        for (count, one) in counts.iter_mut().zip(one) {
            *count += one;
        }
    }
    println!("groups, projections, means: {counts:?} of {DRAWS}");
    // 95 % with four Monte Carlo errors of 1.3 points.
    assert!(
        counts.iter().all(|count| (270..=299).contains(count)),
        "{counts:?} of {DRAWS}"
    );
}

/// Twelve clusters of small data with given nuisances.
fn small(y: &[f64], weights: &[f64]) -> Frame {
    let n = y.len();
    let column = |f: &dyn Fn(usize) -> f64| (0..n).map(f).collect::<Vec<f64>>();
    Frame::new()
        .with("y", y.to_vec())
        .unwrap()
        .with("w", column(&|i| (i % 2) as f64))
        .unwrap()
        .with("x1", column(&|i| i as f64))
        .unwrap()
        .with("x2", column(&|i| ((i * 7) % 5) as f64))
        .unwrap()
        .with("m0", column(&|i| 0.1 * i as f64))
        .unwrap()
        .with("m1", column(&|i| 1.0 - 0.1 * i as f64))
        .unwrap()
        .with("e", column(&|i| 0.2 + 0.6 * ((i * 3) % 7) as f64 / 7.0))
        .unwrap()
        .with("weight", weights.to_vec())
        .unwrap()
}

proptest! {
    #![proptest_config(Config { failure_persistence: None, ..Config::with_cases(32) })]

    #[test]
    fn weights_stand_for_copies_and_the_order_of_rows_does_not_matter(
        y in proptest::collection::vec(-3.0..3.0_f64, 40),
        copies in proptest::collection::vec(1..3_usize, 40),
    ) {
        let weights: Vec<f64> = copies.iter().map(|c| *c as f64).collect();
        let frame = small(&y, &weights);
        let weighted = given().weights("weight").fit(&frame).unwrap();
        let rows: Vec<usize> = (0..40).flat_map(|i| vec![i; copies[i]]).collect();
        let copied = given().fit(&frame.take(&rows).unwrap()).unwrap();
        let turned: Vec<usize> = (0..40).rev().collect();
        let reversed = given().weights("weight").fit(&frame.take(&turned).unwrap()).unwrap();
        for pick in [
            |f: &DoublyRobustFit| f.average_effect().clone(),
            DoublyRobustFit::effect_on_treated,
            DoublyRobustFit::effect_on_untreated,
            DoublyRobustFit::effect_in_overlap,
        ] {
            let [a, b, c] = [&weighted, &copied, &reversed].map(|f| pick(f).coefficients()[0].clone());
            prop_assert!((a.estimate - b.estimate).abs() < 1e-9);
            prop_assert!((a.estimate - c.estimate).abs() < 1e-9 && (a.std_error - c.std_error).abs() < 1e-9);
        }
    }
}

#[test]
fn the_scale_of_the_outcome_is_the_scale_of_the_effect() {
    let made = HeterogeneousEffects::new(EffectDesign::NieWagerB)
        .customers(300)
        .seed(5)
        .simulate()
        .unwrap();
    let tenfold: Vec<f64> = made
        .data
        .real("y")
        .unwrap()
        .iter()
        .map(|y| 10.0 * y + 3.0)
        .collect();
    let frame = made.data.with("tenfold", tenfold).unwrap();
    let fit = |y: &str| {
        let model = DoublyRobust::new(y, "w", &["x1", "x2"])
            .learner(Learner::linear())
            .seed(1);
        model.fit(&frame).unwrap().coefficients()[0].clone()
    };
    let (one, ten) = (fit("y"), fit("tenfold"));
    assert!((10.0 * one.estimate - ten.estimate).abs() < 1e-8);
    assert!((10.0 * one.std_error - ten.std_error).abs() < 1e-8);
}

#[test]
fn what_cannot_be_estimated_is_refused_with_the_reason() {
    let frame = data("tests/reference/causal.csv");
    let text = |model: DoublyRobust, frame: &Frame| model.fit(frame).unwrap_err().to_string();
    let learned = || {
        DoublyRobust::new("y", "w", &FEATURES)
            .learner(Learner::linear())
            .seed(1)
    };
    let no_seed = DoublyRobust::new("y", "w", &FEATURES).fit(&frame);
    assert!(matches!(no_seed, Err(Error::SeedRequired { .. })));
    assert!(text(learned().control("2"), &frame).contains("one of the arms 0, 1"));
    assert!(
        text(DoublyRobust::new("y", "w", &["x1", "w"]).seed(1), &frame).contains("treatment `w`")
    );
    assert!(text(learned().trim(0.7), &frame).contains("below 0.5"));
    assert!(text(given().propensity("0", "x1"), &frame).contains("strictly between 0 and 1"));
    let constant = frame.clone().with("same", vec![2.0; frame.rows()]).unwrap();
    let same = DoublyRobust::new("same", "w", &FEATURES).seed(1);
    assert!(text(same, &constant).contains("an outcome that varies"));
    // A treatment that the features decide has no overlap.
    let decided: Vec<f64> = frame
        .real("x1")
        .unwrap()
        .iter()
        .map(|x| f64::from(u8::from(*x > 0.0)))
        .collect();
    let decided = frame.clone().with("decided", decided).unwrap();
    let model = DoublyRobust::new("y", "decided", &FEATURES)
        .learner(Learner::boosted_trees())
        .seed(1);
    assert!(text(model, &decided).contains("overlap"));
}

#[test]
fn poor_overlap_is_said_and_trimming_counts_its_rows() {
    let frame = data("tests/reference/causal.csv");
    let model = DoublyRobust::new("y", "w", &FEATURES)
        .learner(Learner::linear())
        .seed(1);
    let bounded = model.clone().propensity_bound(0.3).fit(&frame).unwrap();
    let said = |w: &&Warning| matches!(w, Warning::PoorOverlap { bound, .. } if (*bound - 0.3).abs() < 1e-12);
    assert_eq!(bounded.warnings().iter().filter(said).count(), 2);
    let trimmed = model.trim(0.3).fit(&frame).unwrap();
    let kept = trimmed.kept_rows().iter().filter(|k| **k).count();
    assert!(kept < frame.rows() && kept == trimmed.rows());
    assert!(
        trimmed
            .propensities("1")
            .unwrap()
            .iter()
            .all(|p| (0.3..=0.7).contains(p))
    );
    assert!(trimmed.group_effects(&frame, "segment").is_ok());
    assert!(trimmed.to_string().contains("trimmed"));
}

#[test]
fn missing_rows_are_counted_and_missing_features_are_not_dropped() {
    let made = HeterogeneousEffects::new(EffectDesign::NieWagerB)
        .customers(400)
        .seed(2)
        .simulate()
        .unwrap();
    let holes = |name: &str, every: usize| -> Vec<f64> {
        let values = made.data.real(name).unwrap().iter().enumerate();
        values
            .map(|(i, v)| if i % every == 0 { f64::NAN } else { *v })
            .collect()
    };
    let frame = made.data.clone().replace("y", holes("y", 40)).unwrap();
    let frame = frame.replace("x1", holes("x1", 3)).unwrap();
    let fit = DoublyRobust::new("y", "w", &["x1", "x2"])
        .learner(Learner::linear())
        .seed(4)
        .fit(&frame)
        .unwrap();
    assert_eq!(fit.rows(), 390);
    assert!(matches!(
        &fit.warnings()[0],
        Warning::RowsDropped { dropped: 10, .. }
    ));
    let again: DoublyRobustFit =
        serde_json::from_str(&serde_json::to_string(&fit).unwrap()).unwrap();
    assert_eq!(again, fit);
}

#[test]
fn calibrated_propensities_balance_the_arms_at_every_propensity() {
    // Nie & Wager's setup A: trees shrink the propensity, and what they leave confounds.
    let made = HeterogeneousEffects::new(EffectDesign::NieWagerA)
        .customers(2_000)
        .seed(11)
        .simulate()
        .unwrap();
    let truth = made.oracle.real("propensity").unwrap();
    let treated = made.data.real("w").unwrap();
    let fit = |calibrate: bool| {
        DoublyRobust::new("y", "w", &["x1", "x2", "x3"])
            .learner(Learner::linear())
            .propensity_learner(Learner::boosted_trees().rounds(10).learning_rate(0.05))
            .calibrate(calibrate)
            .seed(1)
            .fit(&made.data)
            .unwrap()
    };
    let (raw, calibrated) = (fit(false), fit(true));
    let error = |fit: &DoublyRobustFit| {
        let pairs = fit.propensities("1").unwrap().iter().zip(truth);
        pairs.map(|(e, p)| (e - p).powi(2)).sum::<f64>() / 2_000.0
    };
    assert!(error(&calibrated) < 0.5 * error(&raw));
    // Between the bounds a step is the share of treated rows on it.
    let e = calibrated.propensities("1").unwrap();
    let step = e[(0..2_000).find(|i| (0.3..0.7).contains(&e[*i])).unwrap()];
    let on = (0..2_000).filter(|i| (e[*i] - step).abs() < 1e-12);
    let (mut rows, mut sum) = (0.0, 0.0);
    for i in on {
        rows += 1.0;
        sum += treated[i];
    }
    assert!((sum / rows - step).abs() < 1e-9, "{step} {rows}");
    let rank = |fit: &DoublyRobustFit| fit.propensities("1").unwrap().to_vec();
    let (before, after) = (rank(&raw), rank(&calibrated));
    let mut order: Vec<usize> = (0..2_000).collect();
    order.sort_by(|a, b| before[*a].total_cmp(&before[*b]));
    assert!(order.windows(2).all(|w| after[w[0]] <= after[w[1]] + 1e-12));
}

#[test]
fn a_rare_arm_of_a_trial_keeps_its_share_and_an_undecided_design_is_refused() {
    let rows = 3_000;
    let column = |of: &dyn Fn(usize) -> f64| (0..rows).map(of).collect::<Vec<f64>>();
    let frame = Frame::new()
        .with("x", column(&|i| ((i * 37) % 101) as f64))
        .and_then(|f| {
            f.with(
                "arm",
                column(&|i| f64::from(u8::from(i.is_multiple_of(150)))),
            )
        })
        .and_then(|f| f.with("y", column(&|i| ((i * 53) % 97) as f64)))
        .and_then(|f| f.with("none", vec![f64::NAN; rows]))
        .unwrap();
    let model = |y: &str, arm: &str| {
        DoublyRobust::new(y, arm, &["x"])
            .learner(Learner::linear())
            .seed(1)
    };
    let fit = model("y", "arm").randomized().fit(&frame).unwrap();
    assert!((fit.propensities("1").unwrap()[0] - 1.0 / 150.0).abs() < 1e-12);
    assert!(fit.warnings().is_empty());
    let text = |model: DoublyRobust| model.fit(&frame).unwrap_err().to_string();
    assert!(text(model("y", "arm")).contains("propensity_bound"));
    assert!(text(model("y", "y")).contains("which is the outcome"));
    assert!(text(model("none", "arm")).contains("something is missing"));
    let twice = model("y", "arm").propensity("1", "x").propensity("1", "x");
    let frame = frame.clone().replace("x", vec![0.5; rows]).unwrap();
    let error = twice.fit(&frame).unwrap_err().to_string();
    assert!(error.contains("given twice for arm `1`"), "{error}");
}

#[test]
fn effects_on_the_untreated_are_those_on_the_treated_of_the_opposite_question() {
    let frame = data("tests/reference/causal.csv");
    for model in [given(), given().weights("weight").clusters("village")] {
        let fit = model.clone().fit(&frame).unwrap();
        let opposite = model.control("1").fit(&frame).unwrap();
        let pairs = [
            [fit.effect_on_untreated(), opposite.effect_on_treated()],
            [fit.effect_on_treated(), opposite.effect_on_untreated()],
            [fit.effect_in_overlap(), opposite.effect_in_overlap()],
        ];
        for [own, other] in pairs {
            let [own, other] = [&own, &other].map(|e| pair(e, 1.0));
            agree("opposite", &own, &[-other[0], other[1]], 1e-12);
        }
        let titles = [
            fit.effect_on_treated(),
            fit.effect_on_untreated(),
            fit.effect_in_overlap(),
        ];
        for (effects, name) in titles.iter().zip(["(ATT)", "(ATC)", "(ATO)"]) {
            assert!(effects.estimand().contains(name), "{}", effects.estimand());
        }
    }
    // Of three arms each is compared with control among those who had control.
    let arms = DoublyRobust::new("outcome", "arm", &FEATURES)
        .propensity("a", "p_a")
        .propensity("b", "p_b")
        .outcome_mean("a", "q_a")
        .outcome_mean("b", "q_b")
        .outcome_mean("c", "q_c")
        .fit(&frame)
        .unwrap();
    let column = |name: &str| frame.numeric(name).unwrap().values().to_vec();
    let (y, a, b, q) = (
        column("outcome"),
        column("p_a"),
        column("p_b"),
        column("q_b"),
    );
    let arm = frame.label("arm").unwrap();
    let (mut top, mut count) = (0.0, 0.0);
    for row in 0..frame.rows() {
        match arm.get(row) {
            Some("a") => (top, count) = (top + q[row] - y[row], count + 1.0),
            Some("b") => top += a[row] / b[row] * (y[row] - q[row]),
            _ => {}
        }
    }
    let ours = arms
        .effect_on_untreated()
        .coefficient("b")
        .unwrap()
        .estimate;
    assert!((ours - top / count).abs() < 1e-12);
}

#[test]
fn propensities_are_checked_by_bins_and_spiegelhalter() {
    let frame = data("tests/reference/causal.csv");
    let fit = given().fit(&frame).unwrap();
    let check = fit.propensity_calibration("1", 5).unwrap();
    assert_eq!(
        check.bins().iter().map(|b| b.rows).sum::<usize>(),
        frame.rows()
    );
    // By hand: the test, and the share in the lowest bin.
    let (w, e) = (frame.numeric("w").unwrap(), frame.numeric("e").unwrap());
    let (w, e) = (w.values().to_vec(), e.values().to_vec());
    let n = w.len() as f64;
    let score: Vec<f64> = w
        .iter()
        .zip(&e)
        .map(|(w, e)| (1.0 - 2.0 * e) * (w - e))
        .collect();
    let mean = score.iter().sum::<f64>() / n;
    let squares: f64 = score.iter().map(|s| (s - mean).powi(2)).sum();
    let z = mean / (squares / (n - 1.0) / n).sqrt();
    let test = check.spiegelhalter().unwrap();
    agree("spiegelhalter", &[test.statistic], &[z], 1e-10);
    let mut order: Vec<usize> = (0..w.len()).collect();
    order.sort_by(|a, b| e[*a].total_cmp(&e[*b]));
    let lowest = &check.bins()[0];
    let rows = &order[..lowest.rows];
    let share = rows.iter().map(|row| w[*row]).sum::<f64>() / rows.len() as f64;
    assert!((lowest.share - share).abs() < 1e-12 && lowest.std_error > 0.0);
    // The other arm is the mirror of this one.
    let other = fit.propensity_calibration("0", 1).unwrap();
    let one = fit.propensity_calibration("1", 1).unwrap();
    assert!((other.bins()[0].share + one.bins()[0].share - 1.0).abs() < 1e-12);
    // What is known to be wrong is found, what is right is not.
    let wrong: Vec<f64> = e.iter().map(|e| 0.5 + 0.4 * (e - 0.5)).collect();
    let shrunk = frame.clone().with_or_replace("e", wrong).unwrap();
    let shrunk = given()
        .fit(&shrunk)
        .unwrap()
        .propensity_calibration("1", 5)
        .unwrap();
    assert!(shrunk.spiegelhalter().unwrap().statistic.abs() > test.statistic.abs());
    // Calibrated propensities that take few values keep them together.
    let learned = DoublyRobust::new("y", "w", &FEATURES)
        .learner(Learner::linear())
        .seed(7)
        .fit(&frame)
        .unwrap();
    let steps = learned.propensity_calibration("1", 20).unwrap();
    assert!(
        steps
            .bins()
            .windows(2)
            .all(|b| b[0].propensity < b[1].propensity)
    );
    assert!(steps.largest_gap() < 0.02, "{}", steps.largest_gap());
    let even = frame
        .clone()
        .with_or_replace("e", vec![0.5; frame.rows()])
        .unwrap();
    assert!(
        given()
            .fit(&even)
            .unwrap()
            .propensity_calibration("1", 3)
            .unwrap()
            .spiegelhalter()
            .is_none()
    );
    for figure in [check.plot(), fit.overlap_plot("1")] {
        assert!(figure.unwrap().to_svg().starts_with("<svg"));
    }
    let back: PropensityCalibration =
        serde_json::from_str(&serde_json::to_string(&check).unwrap()).unwrap();
    assert_eq!(back, check);
    assert!(check.table().to_string().contains("Spiegelhalter"));
    assert!(fit.propensity_calibration("2", 5).is_err() && fit.overlap_plot("2").is_err());
    assert!(fit.propensity_calibration("1", 0).is_err());
}
