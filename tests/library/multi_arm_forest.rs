//! The multi-arm causal forest: with two arms the causal forest, with three the truth of a simulation, and what bad input is told.

use cocreate::numeric::permutation::open_unit;
use cocreate::numeric::special::normal;
use cocreate::prelude::*;
use rand::Rng;

const X: [&str; 4] = ["x1", "x2", "x3", "x4"];

/// Arms a, b and c (the last only of three), columns y, arm, m, ea, eb, ec and features; the effects of b and c are x1 + x2 and 2 x3 − 1.
fn draw(n: usize, arms: usize, seed: u64) -> (Frame, [Vec<f64>; 2]) {
    let mut random = Seed::new(seed).stream(0);
    let mut u = || open_unit(random.next_u64());
    let mut x = vec![vec![]; X.len()];
    let (mut y, mut arm, mut m) = (vec![], vec![], vec![]);
    let mut e = vec![vec![]; 3];
    let mut effects = [vec![], vec![]];
    for _ in 0..n {
        let v: Vec<f64> = X.iter().map(|_| u()).collect();
        let effect = [0.0, v[0] + v[1], 2.0 * v[2] - 1.0];
        let odds = [1.0, 1.0 + v[0], if arms > 2 { 1.0 + v[3] } else { 0.0 }];
        let total: f64 = odds.iter().sum();
        let p = odds.map(|o| o / total);
        let pick = u();
        let k = usize::from(pick > p[0]) + usize::from(pick > p[0] + p[1]).min(arms - 2);
        let base = 2.0 * (v[3] - 0.5).powi(2);
        y.push(base + effect[k] + normal::quantile(u()));
        m.push(base + (0..3).map(|k| p[k] * effect[k]).sum::<f64>());
        arm.push(["a", "b", "c"][k]);
        for k in 0..3 {
            e[k].push(p[k]);
        }
        for k in 0..2 {
            effects[k].push(effect[k + 1]);
        }
        for (column, v) in x.iter_mut().zip(v) {
            column.push(v);
        }
    }
    let treated: Vec<f64> = arm.iter().map(|a| f64::from(u8::from(*a == "b"))).collect();
    let mut frame = Frame::new().with("y", y).unwrap().with("arm", arm).unwrap();
    frame = frame
        .with("treated", treated)
        .unwrap()
        .with("m", m)
        .unwrap();
    for (name, column) in ["ea", "eb", "ec"].into_iter().zip(e) {
        frame = frame.with(name, column).unwrap();
    }
    for (name, column) in X.into_iter().zip(x) {
        frame = frame.with(name, column).unwrap();
    }
    (frame, effects)
}

fn plain(trees: usize) -> MultiArmForest {
    MultiArmForest::new("y", "arm", &X)
        .control("a")
        .nuisances(ForestNuisances::OutOfBag)
        .trees(trees)
        .seed(7)
}

fn given(trees: usize) -> MultiArmForest {
    let forest = plain(trees).outcome_hat("m");
    forest.propensity("b", "eb").propensity("c", "ec")
}

#[test]
fn a_file_predicts_as_before_and_is_refused_when_changed() {
    let path = std::env::temp_dir().join(format!("cocreate-arms-{}.json", std::process::id()));
    for arms in [2, 3] {
        let (frame, _) = draw(400, arms, 11);
        let ids: Vec<String> = (0..400).map(|i| format!("c{}", i / 2)).collect();
        let weights: Vec<f64> = (0..400).map(|i| f64::from(i % 3)).collect();
        let frame = frame
            .with("id", ids)
            .and_then(|f| f.with("weight", weights))
            .unwrap();
        let fit = plain(20)
            .clusters("id")
            .weights("weight")
            .fit(&frame)
            .unwrap();
        fit.write(&path).unwrap();
        let back = MultiArmForestFit::read(&path).unwrap();
        assert_eq!(back.predict(&frame).unwrap(), fit.predict(&frame).unwrap());
        assert_eq!(back.out_of_bag(), fit.out_of_bag());
        assert_eq!(back.scores(), fit.scores());
        assert_eq!(back.to_string(), fit.to_string());
        let told = CausalForestFit::read(&path).unwrap_err().to_string();
        assert!(told.contains("is no file of a causal forest"), "{told}");
        let text = std::fs::read_to_string(&path).unwrap();
        for (from, to, part) in [
            (
                "\"moment\":{\"Arms\":",
                "\"moment\":{\"Arms\":1",
                "was changed",
            ),
            ("\"outcome_hat\":[", "\"outcome_hat\":[0.5,", "was changed"),
            ("\"overall\":[", "\"overall\":[0.5,", "was changed"),
            ("\"version\":1", "\"version\":9", "has version 9"),
        ] {
            assert!(text.contains(from));
            std::fs::write(&path, text.replacen(from, to, 1)).unwrap();
            let told = MultiArmForestFit::read(&path).unwrap_err().to_string();
            assert!(told.contains(part), "{from}: {told}");
        }
    }
    std::fs::remove_file(&path).unwrap();
}

#[test]
fn with_two_arms_it_is_the_causal_forest() {
    let (frame, _) = draw(800, 2, 1);
    for known in [true, false] {
        let (mut one, mut many) = (
            CausalForest::new("y", "treated", &X)
                .nuisances(ForestNuisances::OutOfBag)
                .trees(60)
                .seed(7),
            plain(60),
        );
        if known {
            one = one.outcome_hat("m").propensity_hat("eb");
            many = many.outcome_hat("m").propensity("b", "eb");
        }
        let (one, many) = (one.fit(&frame).unwrap(), many.fit(&frame).unwrap());
        let (a, b) = (one.out_of_bag(), many.out_of_bag().arm("b").unwrap());
        if !known {
            // The name of what is learned decides its stream: propensities are those of another forest.
            let average = one.average_effect(ForestTarget::All).unwrap();
            let other = many.average_effect().coefficient("b").unwrap();
            assert!((average.estimate - other.estimate).abs() < 0.5 * average.std_error);
            continue;
        }
        for i in 0..800 {
            assert!((a.estimates[i] - b.estimates[i]).abs() < 1e-12);
            assert!((a.variances[i] - b.variances[i]).abs() < 1e-9 * a.variances[i]);
        }
        let contrast = many.scores().contrast("b", "a").unwrap();
        for (x, y) in one.scores().unwrap().iter().zip(&contrast) {
            assert!((x - y).abs() < 1e-9, "{x} {y}");
        }
    }
}

#[test]
fn three_effects_are_found_and_covered() {
    let runs = 12;
    let (test, truth) = draw(400, 3, 900);
    let (mut error, mut inside, mut averages) = ([0.0; 2], [0; 2], [0; 2]);
    for run in 0..runs {
        let fit = given(150).fit(&draw(1200, 3, run).0).unwrap();
        let found = fit.predict(&test).unwrap();
        for (k, (arm, mean)) in [("b", 1.0), ("c", 0.0)].into_iter().enumerate() {
            let effects = found.arm(arm).unwrap();
            let ends = effects.intervals(0.95).unwrap();
            for (i, t) in truth[k].iter().enumerate() {
                error[k] += (effects.estimates[i] - t).powi(2) / (400.0 * runs as f64);
                inside[k] += usize::from(ends.lower[i] <= *t && *t <= ends.upper[i]);
            }
            let average = fit.average_effect().coefficient(arm).unwrap();
            averages[k] += usize::from((average.estimate - mean).abs() < 1.96 * average.std_error);
        }
    }
    // A constant would leave the variances of the effects, 1/6 and 1/3.
    assert!(error[0] < 0.12 && error[1] < 0.10, "{error:?}");
    assert!(inside.iter().all(|i| *i > 400 * 12 * 7 / 10), "{inside:?}");
    assert!(averages.iter().all(|a| *a >= 9), "{averages:?}");
}

#[test]
fn more_arms_than_room_for_seven_are_told_apart() {
    let n = 3000_usize;
    let arm: Vec<String> = (0..n)
        .map(|i| format!("arm {:02}", i * 7919 % 1009 % 9))
        .collect();
    let x: Vec<f64> = (0..n).map(|i| (i * 31 % 997) as f64 / 997.0).collect();
    let y: Vec<f64> = (0..n)
        .map(|i| {
            let k = (i * 7919 % 1009 % 9) as f64;
            k * f64::from(u8::from(x[i] > 0.5)) + (i % 17) as f64 / 17.0
        })
        .collect();
    let frame = Frame::new().with("y", y).unwrap();
    let frame = frame.with("x", x).unwrap().with("arm", arm).unwrap();
    let fit = MultiArmForest::new("y", "arm", &["x"])
        .nuisances(ForestNuisances::OutOfBag)
        .trees(60)
        .seed(1)
        .fit(&frame)
        .unwrap();
    let new = Frame::new().with("x", vec![0.2, 0.8]).unwrap();
    let found = fit.predict(&new).unwrap();
    for k in 1..9_u32 {
        let effects = &found.arm(&format!("arm {k:02}")).unwrap().estimates;
        assert!(
            effects[0].abs() < 0.7 && (effects[1] - f64::from(k)).abs() < 0.7,
            "{effects:?}"
        );
    }
    assert_eq!(found.effects().arms().len(), 8);
    assert!(fit.to_string().contains("arm 08"));
}

#[test]
fn the_bits_do_not_depend_on_threads_and_text_brings_the_fit_back() {
    let (frame, _) = draw(500, 3, 3);
    let fit = plain(40).fit(&frame).unwrap();
    let again = plain(40).fit(&frame).unwrap();
    assert_eq!(fit.out_of_bag(), again.out_of_bag());
    let text = serde_json::to_string(&fit).unwrap();
    let back: MultiArmForestFit = serde_json::from_str(&text).unwrap();
    assert_eq!(fit.predict(&frame).unwrap(), back.predict(&frame).unwrap());
    assert_eq!(fit.to_string(), back.to_string());
    #[cfg(feature = "parallel")]
    for threads in [1, 3] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
        let again = pool.build().unwrap().install(|| plain(40).fit(&frame));
        assert_eq!(fit.out_of_bag(), again.unwrap().out_of_bag());
    }
    let sums = fit
        .propensity_hat("a")
        .unwrap()
        .iter()
        .zip(fit.propensity_hat("b").unwrap());
    let sums = sums.zip(fit.propensity_hat("c").unwrap());
    assert!(
        sums.into_iter()
            .all(|((a, b), c)| (a + b + c - 1.0).abs() < 0.03)
    );
}

#[test]
fn weights_clusters_and_missing_rows_are_kept_in_the_scores() {
    let (frame, _) = draw(600, 3, 4);
    let gaps: Vec<f64> = frame
        .real("y")
        .unwrap()
        .iter()
        .enumerate()
        .map(|(i, y)| if i % 60 == 7 { f64::NAN } else { *y })
        .collect();
    let ids: Vec<String> = (0..600).map(|i| format!("c{}", i / 4)).collect();
    let weights: Vec<f64> = (0..600).map(|i| f64::from(i % 3)).collect();
    let frame = frame.replace("y", gaps).unwrap();
    let frame = frame
        .with("id", ids)
        .unwrap()
        .with("weight", weights)
        .unwrap();
    let fit = given(40)
        .clusters("id")
        .weights("weight")
        .fit(&frame)
        .unwrap();
    assert_eq!((fit.rows(), fit.used_rows()[7]), (590, 8));
    let text = fit.to_string();
    assert!(
        text.contains("clustered by id")
            && text.contains("10 rows dropped")
            && text.contains("nuisances: given"),
        "{text}"
    );
    // The averages are those of the scores, and the scores go where scores go.
    let tree = PolicyTree::new([X[0], X[1]]).depth(1).fit(
        fit.scores(),
        &frame
            .filter(
                &frame
                    .real("y")
                    .unwrap()
                    .iter()
                    .map(|y| !y.is_nan())
                    .collect::<Vec<_>>(),
            )
            .unwrap(),
    );
    assert!(tree.is_ok());
}

#[test]
fn bad_input_is_told_what_to_do() {
    let (frame, _) = draw(200, 3, 5);
    let told = |forest: MultiArmForest, frame: &Frame, part: &str| {
        let message = forest.fit(frame).unwrap_err().to_string();
        assert!(message.contains(part), "{message}");
    };
    told(MultiArmForest::new("y", "arm", &X), &frame, ".seed(7)");
    told(plain(10).control("z"), &frame, "`z`");
    told(plain(10).alpha(0.3), &frame, "alpha");
    told(
        plain(10),
        &frame.replace("y", vec![1.0; 200]).unwrap(),
        "varies",
    );
    let lonely: Vec<&str> = (0..200)
        .map(|i| if i < 3 { "c" } else { ["a", "b"][i % 2] })
        .collect();
    told(
        plain(10),
        &frame.replace("arm", lonely).unwrap(),
        "arm `c` of `arm`",
    );
    let many: Vec<String> = (0..200).map(|i| format!("{}", i % 20)).collect();
    told(
        MultiArmForest::new("y", "arm", &X).seed(1),
        &frame.replace("arm", many).unwrap(),
        "at most 16 arms",
    );
    let holes: Vec<f64> = (0..200)
        .map(|i| if i == 5 { f64::NAN } else { 0.0 })
        .collect();
    told(
        plain(10).outcome_hat("m"),
        &frame.replace("m", holes).unwrap(),
        "row 6",
    );
    let certain = frame.replace("eb", vec![1.0; 200]).unwrap();
    told(given(10), &certain, "strictly between 0 and 1");
    let one: Vec<String> = (0..200).map(|i| format!("{}", i % 4)).collect();
    let frame = frame.with("id", one).unwrap();
    told(plain(10).clusters("id"), &frame, "clusters");
}
