//! Variants of the forest: tuned, local linear, quantile and survival forests against definitions and simulated truth.

use cocreate::numeric::permutation::open_unit;
use cocreate::numeric::special::normal;
use cocreate::prelude::*;
use rand::Rng;

const X: [&str; 5] = ["x1", "x2", "x3", "x4", "x5"];

/// Setup B of Nie & Wager (2021) with its effects; `m` and `e` are the true means.
fn smooth(n: usize, seed: u64) -> (Frame, Vec<f64>) {
    let mut random = Seed::new(seed).stream(0);
    let mut u = || open_unit(random.next_u64());
    let mut x = vec![vec![]; X.len()];
    let (mut y, mut w, mut m, mut effects) = (vec![], vec![], vec![], vec![]);
    for _ in 0..n {
        let v: Vec<f64> = X.iter().map(|_| normal::quantile(u())).collect();
        let tau = v[0] + v[1].exp().ln_1p();
        let base = (v[0] + v[1]).max(v[2]).max(0.0) + (v[3] + v[4]).max(0.0);
        let treated = f64::from(u8::from(u() < 0.5));
        y.push(base + (treated - 0.5) * tau + normal::quantile(u()));
        w.push(treated);
        m.push(base);
        effects.push(tau);
        for (column, v) in x.iter_mut().zip(v) {
            column.push(v);
        }
    }
    let half = vec![0.5; n];
    let names = ["y", "w", "m", "e"].into_iter().chain(X);
    let columns = [y, w, m, half].into_iter().chain(x);
    let frame = names
        .zip(columns)
        .fold(Frame::new(), |frame, (name, column)| {
            frame.with(name, column).unwrap()
        });
    (frame, effects)
}

fn given(trees: usize) -> CausalForest {
    CausalForest::new("y", "w", &X)
        .outcome_hat("m")
        .propensity_hat("e")
        .trees(trees)
        .seed(7)
}

fn error(found: &[f64], truth: &[f64]) -> f64 {
    let squares = found.iter().zip(truth).map(|(a, b)| (a - b).powi(2));
    squares.sum::<f64>() / truth.len() as f64
}

// ---------------------------------------------------------------- tuning

#[test]
fn tuning_takes_the_shape_with_the_least_loss_or_keeps_the_given_one() {
    let (frame, _) = smooth(700, 1);
    // A shape that nobody would take: almost no leaf is split.
    let poor = given(50).min_node_size(60);
    let fit = poor.clone().tuned(true).fit(&frame).unwrap();
    let tuning = fit.tuning().unwrap();
    assert!(!tuning.kept() && tuning.best().min_node_size < 60);
    assert_eq!(
        (tuning.trials.len(), tuning.trials[0].min_node_size),
        (29, 60)
    );
    let again: Vec<f64> = tuning.trials[24..].iter().map(|t| t.loss).collect();
    assert!(again.iter().all(|loss| tuning.best().loss <= *loss));
    assert!((again[0] - tuning.best().loss - tuning.gain).abs() < 1e-12);
    // The forest that was grown is one with the chosen shape.
    let best = tuning.best();
    let direct = poor
        .min_node_size(best.min_node_size)
        .features_per_split(best.features_per_split)
        .alpha(best.alpha)
        .honesty_fraction(best.honesty_fraction)
        .imbalance_penalty(best.imbalance_penalty)
        .fit(&frame)
        .unwrap();
    assert_eq!(fit.out_of_bag(), direct.out_of_bag());
    assert!(
        fit.to_string()
            .contains("Tuned: the out-of-bag loss is lower")
    );
    assert!(tuning.to_string().contains("chosen"));
}

// ---------------------------------------------------------------- local linear corrections

#[test]
fn a_correction_with_an_endless_penalty_changes_nothing() {
    let (frame, _) = smooth(400, 2);
    let ids: Vec<String> = (0..400).map(|i| format!("c{}", i / 4)).collect();
    let times: Vec<f64> = (0..400).map(|i| f64::from(i % 3)).collect();
    let frame = frame.with("id", ids).unwrap().with("times", times).unwrap();
    for forest in [given(60), given(60).clusters("id").weights("times")] {
        let fit = forest.fit(&frame).unwrap();
        let plain = fit.predict(&frame).unwrap();
        let flat = fit
            .predict_local_linear(&frame, &["x1", "x2"], Some(1e10))
            .unwrap();
        for i in 0..400 {
            assert!((plain.estimates[i] - flat.estimates[i]).abs() < 1e-7);
            assert!((plain.variances[i] - flat.variances[i]).abs() < 1e-6 * plain.variances[i]);
        }
    }
}

/// Predictions are what their definition makes of the weights: a slope, a mean, a quantile.
#[test]
fn predictions_are_made_of_forest_weights() {
    let (frame, _) = smooth(300, 8);
    let ids: Vec<String> = (0..300).map(|i| format!("c{}", i / 3)).collect();
    let times: Vec<f64> = (0..300).map(|i| f64::from(i % 4)).collect();
    let frame = frame.with("id", ids).unwrap();
    let frame = frame.with("times", times.clone()).unwrap();
    let (new, _) = smooth(20, 9);
    let column = |name: &str| frame.real(name).unwrap().to_vec();
    let (y, w, m) = (column("y"), column("w"), column("m"));
    let sum = |near: &[ForestNeighbour], f: &dyn Fn(usize) -> f64| -> f64 {
        let each = near.iter().map(|n| n.weight * f(n.row));
        each.sum()
    };
    let causal = given(40).clusters("id").weights("times");
    let causal = causal.fit(&frame).unwrap();
    let flat = LocalLinearForest::new("y", &X).penalty(1e12).trees(40);
    let flat = flat.weights("times").seed(1).fit(&frame).unwrap();
    let median = QuantileForest::new("y", &X).quantiles(&[0.5]).trees(40);
    let median = median.seed(1).fit(&frame).unwrap();
    let effects = causal.predict(&new).unwrap().estimates;
    let means = flat.predict(&new).unwrap().estimates;
    let medians = median.predict(&new).unwrap();
    let medians = medians.quantile(0.5).unwrap();
    let weights = [
        causal.forest_weights(&new).unwrap(),
        flat.forest_weights(&new).unwrap(),
        median.forest_weights(&new).unwrap(),
    ];
    for i in 0..20 {
        let [slope, mean, middle] = weights.each_ref().map(|all| all.of(i).unwrap());
        for near in [slope, mean, middle] {
            assert!((sum(near, &|_| 1.0) - 1.0).abs() < 1e-12);
            assert!(near.is_sorted_by(|a, b| a.row < b.row));
        }
        let total = sum(slope, &|r| times[r]);
        let level = |v: &dyn Fn(usize) -> f64| sum(slope, &|r| times[r] * v(r)) / total;
        let (of_y, of_w) = (|r: usize| y[r] - m[r], |r: usize| w[r] - 0.5);
        let (my, mw) = (level(&of_y), level(&of_w));
        let shared = level(&|r| (of_w(r) - mw) * (of_y(r) - my));
        let effect = shared / level(&|r| (of_w(r) - mw).powi(2));
        assert!((effect - effects[i]).abs() < 1e-9 * effect.abs().max(1.0));
        let found = sum(mean, &|r| times[r] * y[r]) / sum(mean, &|r| times[r]);
        assert!((found - means[i]).abs() < 1e-6);
        let below = sum(middle, &|r| f64::from(u8::from(y[r] <= medians[i])));
        let under = sum(middle, &|r| f64::from(u8::from(y[r] < medians[i])));
        assert!(below > 0.5 - 1e-9 && under < 0.5 + 1e-9);
    }
    assert!(
        weights[0]
            .of(20)
            .unwrap_err()
            .to_string()
            .contains("below 20")
    );
    let told = causal.lean().forest_weights(&new).unwrap_err().to_string();
    assert!(told.contains("forest weights"), "{told}");
    for size in weights[2].effective_rows() {
        assert!((1.0..300.0).contains(&size), "{size}");
    }
    assert!(weights[2].to_string().contains("training rows"));
    let text = serde_json::to_string(&weights[0]).unwrap();
    let back: ForestWeights = serde_json::from_str(&text).unwrap();
    assert_eq!(back, weights[0]);
}

#[test]
fn slopes_halve_the_error_of_smooth_effects() {
    let (frame, _) = smooth(800, 3);
    let (new, truth) = smooth(200, 4);
    let fit = given(100).fit(&frame).unwrap();
    let plain = error(&fit.predict(&new).unwrap().estimates, &truth);
    let chosen = fit.predict_local_linear(&new, &[], None).unwrap();
    let straight = error(&chosen.estimates, &truth);
    assert!(straight < 0.6 * plain, "{straight} {plain}");
    let ends = chosen.intervals(0.95).unwrap();
    let inside = (0..200).filter(|i| ends.lower[*i] <= truth[*i] && truth[*i] <= ends.upper[*i]);
    assert!(inside.count() > 160);
}

#[test]
fn corrections_tell_what_they_need() {
    let (frame, _) = smooth(200, 5);
    let city: Vec<&str> = (0..200).map(|i| ["a", "b"][i % 2]).collect();
    let frame = frame.with("city", city).unwrap();
    let forest = CausalForest::new("y", "w", &["x1", "city"])
        .outcome_hat("m")
        .propensity_hat("e");
    let fit = forest.trees(20).seed(1).fit(&frame).unwrap();
    let told = |columns: &[&str], penalty, part: &str| {
        let message = fit
            .predict_local_linear(&frame, columns, penalty)
            .unwrap_err()
            .to_string();
        assert!(message.contains(part), "{message}");
    };
    told(&["x9"], None, "features of the forest: x1, city");
    told(&["city"], None, "a label has no slope");
    told(&["x1"], Some(0.0), "above 0");
    assert!(matches!(
        fit.lean().predict_local_linear(&frame, &[], None),
        Err(Error::DataNotKept { .. })
    ));
    assert!(fit.predict_local_linear(&frame, &[], None).is_ok());
    let by = forest_by_instrument(&frame);
    assert!(by.predict_local_linear(&frame, &[], None).is_err());
}

fn forest_by_instrument(frame: &Frame) -> CausalForestFit {
    let moved: Vec<f64> = frame.real("w").unwrap().to_vec();
    let frame = frame.clone().with("z", moved).unwrap();
    let forest = CausalForest::new("y", "w", &["x1"]).instrument("z");
    forest
        .nuisances(ForestNuisances::OutOfBag)
        .trees(20)
        .seed(1)
        .fit(&frame)
        .unwrap()
}

// ---------------------------------------------------------------- quantiles

/// y = x1 + (1 + 2·1{x2 > ½}) ε: the mean moves with x1, the spread with x2.
fn spread(n: usize, seed: u64) -> Frame {
    let mut random = Seed::new(seed).stream(0);
    let mut u = || open_unit(random.next_u64());
    let mut columns = vec![vec![]; 5];
    for _ in 0..n {
        let v = [u(), u(), u(), u()];
        let scale = if v[1] > 0.5 { 3.0 } else { 1.0 };
        let y = v[0] + scale * normal::quantile(u());
        for (column, v) in columns.iter_mut().zip(v.into_iter().chain([y])) {
            column.push(v);
        }
    }
    let names = ["x1", "x2", "x3", "x4", "y"].into_iter().zip(columns);
    names.fold(Frame::new(), |frame, (name, column)| {
        frame.with(name, column).unwrap()
    })
}

#[test]
fn a_spread_that_moves_alone_is_found() {
    let forest = QuantileForest::new("y", &X[..4])
        .quantiles(&[0.1, 0.5, 0.9])
        .trees(150)
        .seed(3);
    let fit = forest.fit(&spread(2000, 1)).unwrap();
    assert_eq!(fit.importance()[0].0, "x2");
    let new = spread(300, 2);
    let found = fit.predict(&new).unwrap();
    for q in [0.1, 0.5, 0.9] {
        let (x1, x2) = (new.real("x1").unwrap(), new.real("x2").unwrap());
        let truth: Vec<f64> = (0..300)
            .map(|i| x1[i] + if x2[i] > 0.5 { 3.0 } else { 1.0 } * normal::quantile(q))
            .collect();
        let off = error(found.quantile(q).unwrap(), &truth).sqrt();
        // Without features the tails are 1.3 off.
        assert!(off < 0.55, "{q} {off}");
    }
    for (q, below) in [0.1, 0.5, 0.9].into_iter().zip(fit.coverage()) {
        assert!((below - q).abs() < 0.04, "{q} {below}");
    }
    for i in 0..300 {
        let at = |q| found.quantile(q).unwrap()[i];
        assert!(at(0.1) <= at(0.5) && at(0.5) <= at(0.9));
    }
    let text = serde_json::to_string(&fit).unwrap();
    let back: QuantileForestFit = serde_json::from_str(&text).unwrap();
    assert_eq!(back.predict(&new).unwrap(), found);
    assert!(found.quantile(0.3).is_err() && fit.to_string().contains("outcomes below"));
}

#[test]
fn quantiles_follow_the_order_of_outcomes_and_features() {
    let frame = spread(500, 3);
    let map = |frame: &Frame, name: &str, f: fn(f64) -> f64| {
        let values: Vec<f64> = frame.real(name).unwrap().iter().map(|v| f(*v)).collect();
        frame.replace(name, values).unwrap()
    };
    // Eight quantiles have more classes than the code for few.
    for quantiles in [vec![0.5], (1..=8).map(|k| f64::from(k) / 9.0).collect()] {
        let forest = QuantileForest::new("y", &X[..4])
            .quantiles(&quantiles)
            .trees(30)
            .seed(3);
        let base = forest.fit(&frame).unwrap();
        let moved = map(&map(&frame, "y", f64::exp), "x1", f64::sqrt);
        let moved = forest.fit(&moved).unwrap();
        for q in &quantiles {
            let (a, b) = (base.out_of_bag(), moved.out_of_bag());
            for (a, b) in a.quantile(*q).unwrap().iter().zip(b.quantile(*q).unwrap()) {
                assert!((a.exp() - b).abs() < 1e-9 * b);
            }
        }
    }
}

#[test]
fn quantile_forests_tell_what_they_need() {
    let frame = spread(100, 4);
    let told = |forest: QuantileForest, frame: &Frame, part: &str| {
        let message = forest.fit(frame).unwrap_err().to_string();
        assert!(message.contains(part), "{message}");
    };
    let forest = || QuantileForest::new("y", &X[..4]).trees(10).seed(1);
    told(QuantileForest::new("y", &X[..4]), &frame, ".seed(7)");
    told(forest().quantiles(&[0.5, 0.2]), &frame, "increasing");
    told(forest().quantiles(&[1.0]), &frame, "between 0 and 1");
    told(forest().quantiles(&[]), &frame, "1 to 14");
    told(forest().clusters("x9"), &frame, "x9");
    told(
        QuantileForest::new("x1", &X[..4]).seed(1),
        &frame,
        "other than the outcome",
    );
    told(
        forest(),
        &frame.replace("y", vec![2.0; 100]).unwrap(),
        "varies",
    );
    told(
        forest(),
        &frame.replace("y", vec![f64::NAN; 100]).unwrap(),
        "`y`",
    );
}

// ---------------------------------------------------------------- survival

/// Exponential times with rate exp(x1 − ½) · (4 if x2 > ½), censored by an exponential of mean 2.
fn waiting(n: usize, seed: u64) -> Frame {
    let mut random = Seed::new(seed).stream(0);
    let mut u = || open_unit(random.next_u64());
    let mut columns = vec![vec![]; 6];
    for _ in 0..n {
        let v = [u(), u(), u(), u()];
        let rate = (v[0] - 0.5).exp() * if v[1] > 0.5 { 4.0 } else { 1.0 };
        let (time, gone) = (-u().ln() / rate, -2.0 * u().ln());
        let event = f64::from(u8::from(time <= gone));
        for (column, v) in columns
            .iter_mut()
            .zip(v.into_iter().chain([time.min(gone), event]))
        {
            column.push(v);
        }
    }
    let names = ["x1", "x2", "x3", "x4", "time", "event"]
        .into_iter()
        .zip(columns);
    names.fold(Frame::new(), |frame, (name, column)| {
        frame.with(name, column).unwrap()
    })
}

#[test]
fn survival_is_found_through_censoring() {
    let times = [0.1, 0.3, 0.7, 1.5];
    let forest = SurvivalForest::new("time", "event", &X[..4])
        .times(&times)
        .trees(150)
        .seed(3);
    let fit = forest.fit(&waiting(2000, 1)).unwrap();
    assert_eq!(fit.importance()[0].0, "x2");
    let new = waiting(300, 2);
    let found = fit.predict(&new).unwrap();
    let (x1, x2) = (new.real("x1").unwrap(), new.real("x2").unwrap());
    for time in times {
        let truth: Vec<f64> = (0..300)
            .map(|i| (-time * (x1[i] - 0.5).exp() * if x2[i] > 0.5 { 4.0 } else { 1.0 }).exp())
            .collect();
        let off = error(&found.at(time), &truth).sqrt();
        // Without features it is about 0.2.
        assert!(off < 0.07, "{time} {off}");
    }
    assert!(found.at(0.01).iter().all(|s| *s == 1.0));
    for curve in &found.curves {
        assert!(
            curve.iter().all(|s| (0.0..=1.0).contains(s)) && curve.windows(2).all(|s| s[1] <= s[0])
        );
    }
    let medians = found.medians();
    let early = |high: bool| {
        (0..300)
            .filter(|i| (x2[*i] > 0.5) == high && medians[*i].is_some_and(|m| m < 0.5))
            .count()
    };
    assert!(early(true) > 100 && early(false) < 15);
    assert!(found.risks().iter().all(|r| r.is_finite()));
    let text = serde_json::to_string(&fit).unwrap();
    let back: SurvivalForestFit = serde_json::from_str(&text).unwrap();
    assert_eq!(back.predict(&new).unwrap(), found);
    assert!(fit.to_string().contains("Survival forest"));
}

#[test]
fn a_forest_without_splits_is_kaplan_meier() {
    let frame = waiting(600, 3);
    let forest = SurvivalForest::new("time", "event", &X[..1])
        .min_node_size(10_000)
        .trees(400)
        .seed(3);
    let curves = forest.fit(&frame).unwrap().predict(&frame).unwrap();
    let (time, event) = (frame.real("time").unwrap(), frame.real("event").unwrap());
    for at in [0.2, 0.6, 1.2] {
        let mut survival = 1.0;
        let mut order: Vec<usize> = (0..600)
            .filter(|i| event[*i] > 0.5 && time[*i] <= at)
            .collect();
        order.sort_by(|a, b| time[*a].total_cmp(&time[*b]));
        for i in order {
            survival *= 1.0 - 1.0 / (0..600).filter(|j| time[*j] >= time[i]).count() as f64;
        }
        // Trees fill their leaves with a quarter of the rows each: 400 of them weigh rows almost, not quite, alike. The last told time may be a
        // little before.
        assert!((curves.at(at)[0] - survival).abs() < 0.02, "{at}");
    }
}

#[test]
fn survival_forests_tell_what_they_need() {
    let frame = waiting(100, 4);
    let told = |forest: SurvivalForest, frame: &Frame, part: &str| {
        let message = forest.fit(frame).unwrap_err().to_string();
        assert!(message.contains(part), "{message}");
    };
    let forest = || {
        SurvivalForest::new("time", "event", &X[..4])
            .trees(10)
            .seed(1)
    };
    told(
        SurvivalForest::new("time", "event", &X[..4]),
        &frame,
        ".seed(7)",
    );
    told(forest().times(&[2.0, 1.0]), &frame, "increasing");
    told(
        forest(),
        &frame.replace("event", vec![0.0; 100]).unwrap(),
        "at least one event",
    );
    told(
        forest(),
        &frame.replace("event", vec![2.0; 100]).unwrap(),
        "0 or 1",
    );
    told(
        forest(),
        &frame.replace("time", vec![-1.0; 100]).unwrap(),
        "at least 0",
    );
    told(forest().alpha(0.4), &frame, "alpha");
    // Ties, weights and clusters, and a row without an answer.
    let rounded: Vec<f64> = frame
        .real("time")
        .unwrap()
        .iter()
        .enumerate()
        .map(|(i, t)| if i == 4 { f64::NAN } else { (4.0 * t).round() })
        .collect();
    let weights: Vec<f64> = (0..100).map(|i| f64::from(i % 3)).collect();
    let ids: Vec<String> = (0..100).map(|i| format!("c{}", i / 2)).collect();
    let frame = frame
        .replace("time", rounded)
        .unwrap()
        .with("weight", weights)
        .unwrap()
        .with("id", ids)
        .unwrap();
    let fit = forest()
        .weights("weight")
        .clusters("id")
        .fit(&frame)
        .unwrap();
    assert_eq!(fit.rows(), 99);
    assert_eq!(fit.warnings().len(), 1);
    assert!(
        fit.out_of_bag()
            .curves
            .iter()
            .flatten()
            .all(|s| (0.0..=1.0).contains(s))
    );
}
