//! Uplift trees and forests: other software's gains and trees, what must hold for any data, known truth, bad input.

use crate::support::{fixture, numbers};
use cocreate::numeric::permutation::open_unit;
use cocreate::prelude::*;
use serde_json::Value;

const ARMS: [&str; 3] = ["control", "one", "two"];
const X: [&str; 5] = ["x1", "x2", "x3", "x4", "x5"];

fn criterion(name: &str) -> UpliftCriterion {
    serde_json::from_value(Value::from(name)).unwrap()
}

fn close(ours: f64, theirs: f64, what: &str) {
    let apart = (ours - theirs).abs() / theirs.abs().max(1e-3);
    assert!(
        apart < 1e-9,
        "{what}: {ours} and {theirs} differ by {apart}"
    );
}

/// The generator of `reference/make/uplift_trees.py`.
fn generate(n: u64, arms: usize) -> Frame {
    fn mix(mut z: u64) -> u64 {
        z = z.wrapping_add(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
    let mut x = vec![Vec::new(); 5];
    let (mut arm, mut y, mut truth) = (vec![], vec![], vec![]);
    for row in 0..n {
        let u = |j: u64| open_unit(mix(row * 16 + j));
        for (j, column) in (0..).zip(&mut x) {
            column.push((10.0 * u(j)).floor());
        }
        let last = |j: usize| x[j][row as usize];
        let which = (arms as f64 * u(10)) as usize;
        let effects = [
            0.0,
            0.04 * (last(0) - 3.0),
            if last(1) > 5.0 { 0.2 } else { -0.1 },
        ];
        let likely = 0.3 + 0.02 * last(2) + effects[which];
        arm.push(ARMS[which]);
        y.push(f64::from(u8::from(u(11) < likely)));
        truth.push(effects[1]);
    }
    let frame = X.iter().zip(x).fold(Frame::new(), |f, (name, column)| {
        f.with(*name, column).unwrap()
    });
    frame
        .with("arm", arm)
        .unwrap()
        .with("y", y)
        .unwrap()
        .with("truth", truth)
        .unwrap()
}

/// A tree on all rows, as the papers grow it.
fn plain(features: &[&str]) -> UpliftTree {
    UpliftTree::new("y", "arm", features)
        .control("control")
        .honest(false)
        .normalized(false)
}

// ---------------------------------------------------------------- references

#[test]
fn gains_are_those_of_causalml_and_of_the_paper() {
    let reference = fixture("uplift_trees");
    for case in reference["values"]["gains"].as_array().unwrap() {
        let (mut side, mut arm, mut y) = (vec![], vec![], vec![]);
        for (x, cells) in [(0.0, &case["left"]), (1.0, &case["right"])] {
            for (k, cell) in cells.as_array().unwrap().iter().enumerate() {
                let (rows, successes) = (cell[0].as_u64().unwrap(), cell[1].as_u64().unwrap());
                for i in 0..rows {
                    side.push(x);
                    arm.push(ARMS[k]);
                    y.push(f64::from(u8::from(i < successes)));
                }
            }
        }
        let frame = Frame::new()
            .with("side", side)
            .unwrap()
            .with("arm", arm)
            .unwrap()
            .with("y", y)
            .unwrap();
        let tree = plain(&["side"])
            .criterion(criterion(case["criterion"].as_str().unwrap()))
            .shrinkage(case["shrinkage"].as_f64().unwrap())
            .min_leaf_rows(1);
        let gain = |tree: &UpliftTree| tree.fit(&frame).unwrap().nodes()[0].gain;
        close(
            gain(&tree),
            case["gain"].as_f64().unwrap(),
            &case.to_string(),
        );
        if let Some(normalized) = case["normalized"].as_f64() {
            close(gain(&tree.normalized(true)), normalized, &case.to_string());
        }
    }
}

#[test]
fn interaction_statistics_are_f_tests_of_a_regression() {
    let reference = fixture("uplift_trees");
    for case in reference["values"]["interactions"].as_array().unwrap() {
        let frame = generate(400, case["arms"].as_u64().unwrap() as usize);
        let above: Vec<f64> = frame
            .real("x1")
            .unwrap()
            .iter()
            .map(|v| f64::from(u8::from(*v > 4.0)))
            .collect();
        let outcome: Vec<f64> = (frame.real("y").unwrap().iter())
            .zip(frame.real("x4").unwrap())
            .map(|(y, x)| y + 0.3 * x)
            .collect();
        let frame = frame
            .with("above", above)
            .unwrap()
            .with("outcome", outcome)
            .unwrap();
        let fit = UpliftTree::new("outcome", "arm", &["above"])
            .control("control")
            .criterion(UpliftCriterion::Interaction)
            .honest(false)
            .min_leaf_rows(1)
            .fit(&frame)
            .unwrap();
        close(
            fit.nodes()[0].gain,
            case["gain"].as_f64().unwrap(),
            "interaction",
        );
    }
}

#[test]
fn whole_trees_are_those_of_causalml() {
    let reference = fixture("uplift_trees");
    let grid: Vec<[f64; 3]> = (0..1000)
        .step_by(37)
        .map(|i| [i / 100, i / 10 % 10, i % 10].map(f64::from))
        .collect();
    let column = |j: usize| grid.iter().map(|p| p[j]).collect::<Vec<f64>>();
    let points = Frame::new()
        .with("x1", column(0))
        .unwrap()
        .with("x2", column(1))
        .unwrap()
        .with("x3", column(2))
        .unwrap()
        .with("x4", vec![4.0; grid.len()])
        .unwrap()
        .with("x5", vec![5.0; grid.len()])
        .unwrap();
    for case in reference["values"]["trees"].as_array().unwrap() {
        let arms = case["arms"].as_u64().unwrap() as usize;
        let name = case["criterion"].as_str().unwrap();
        let fit = plain(&X)
            .criterion(criterion(name))
            .min_arm_rows(20)
            .fit(&generate(4000, arms))
            .unwrap();
        let asked: Vec<&str> = (fit.nodes().iter())
            .filter_map(|n| n.question.as_deref())
            .collect();
        let theirs: Vec<String> = numbers(&case["features"])
            .iter()
            .zip(numbers(&case["thresholds"]))
            .map(|(j, cut)| format!("x{} ≤ {cut}", j + 1.0))
            .collect();
        let sorted = |mut questions: Vec<String>| {
            questions.sort();
            questions
        };
        let asked = asked.into_iter().map(str::to_owned).collect();
        assert_eq!(sorted(asked), sorted(theirs), "{name} {arms}");
        let ours = fit.mean_outcomes(&points).unwrap();
        for (i, row) in case["means"].as_array().unwrap().iter().enumerate() {
            for (k, mean) in numbers(row).into_iter().enumerate() {
                close(ours[k][i], mean, name);
            }
        }
    }
}

// ---------------------------------------------------------------- known truth

#[test]
fn honest_effects_cover_their_groups() {
    // Leaves of noise: any split is found by chance, so that estimates on the same rows are too large and honest ones are not.
    let (mut covered, mut leaves, mut adaptive, mut honest) = (0.0, 0.0, 0.0, 0.0);
    for seed in 0..60 {
        let made = HeterogeneousEffects::new(EffectDesign::NieWagerC)
            .customers(800)
            .seed(seed)
            .simulate()
            .unwrap();
        let coin: Vec<f64> = (0..800)
            .map(|i| {
                f64::from(u8::from(
                    open_unit((i * 2_654_435_769_u64 + seed).wrapping_mul(0x9e37_79b9_7f4a_7c15))
                        > 0.5,
                ))
            })
            .collect();
        let frame = made.data.with("coin", coin).unwrap();
        let tree = UpliftTree::new("y", "coin", &["x1", "x2", "x3", "x4", "x5", "x6"])
            .min_leaf_rows(30)
            .seed(seed);
        let fit = tree.fit(&frame).unwrap();
        let effects = |fit: &UpliftTreeFit| {
            let leaves = fit.nodes().iter().filter(|n| n.children.is_none());
            leaves.map(|n| n.effects[0].clone()).collect::<Vec<_>>()
        };
        let size = |effects: &[Estimate]| {
            let squares = effects.iter().map(|e| (e.estimate / e.std_error).powi(2));
            squares.sum::<f64>() / effects.len() as f64
        };
        let found = effects(&fit);
        honest += size(&found) / 60.0;
        adaptive += size(&effects(&tree.honest(false).fit(&frame).unwrap())) / 60.0;
        let inside = |e: &&Estimate| e.p_value() > 0.05;
        covered += found.iter().filter(inside).count() as f64;
        leaves += found.len() as f64;
    }
    let share = covered / leaves;
    println!(
        "honest: coverage {share:.3} of {leaves} leaves, mean squared t {honest:.2}; not honest {adaptive:.2}"
    );
    assert!((share - 0.95).abs() < 4.0 * (0.05 * 0.95 / leaves).sqrt() + 0.01);
    assert!(honest < 1.3 && adaptive > 2.0);
}

#[test]
fn forests_find_whom_to_treat() {
    let made = InvitationTargeting::new()
        .customers(6_000)
        .seed(4)
        .simulate()
        .unwrap();
    let features = ["experience", "visits", "confidence", "u1", "u2", "u3"];
    let truth = made.oracle.real("net_effect").unwrap();
    let best = made.oracle.effect("value_best").unwrap();
    for criterion in [
        UpliftCriterion::Euclidean,
        UpliftCriterion::ContextualTreatment,
        UpliftCriterion::Interaction,
    ] {
        let fit = UpliftForest::new("profit", "invited", &features)
            .criterion(criterion)
            .trees(60)
            .seed(1)
            .fit(&made.data)
            .unwrap();
        // Value of inviting those whose out-of-bag effect exceeds the cost.
        let value: f64 = (fit.out_of_bag().first().iter())
            .zip(truth)
            .filter(|(effect, _)| **effect > 0.5)
            .map(|(_, net)| net / truth.len() as f64)
            .sum();
        println!("{criterion}: {value:.3} of {best:.3}");
        assert!(value > 0.6 * best, "{criterion}: {value} of {best}");
        let importance = fit.importance();
        assert!((importance.iter().map(|i| i.1).sum::<f64>() - 1.0).abs() < 1e-12);
        assert_eq!(importance[0].0, "confidence");
    }
}

#[test]
fn features_that_matter_are_important() {
    let frame = generate(6000, 2);
    let share = |honest: bool| {
        let forest = UpliftForest::new("y", "arm", &X)
            .control("control")
            .honest(honest);
        let fit = forest
            .trees(60)
            .min_leaf_rows(200)
            .seed(2)
            .fit(&frame)
            .unwrap();
        let importance = fit.importance();
        assert_eq!(importance[0].0, "x1");
        importance[0].1
    };
    // What splits on noise seem to account for cancels only where other rows are asked.
    let (honest, adaptive) = (share(true), share(false));
    println!("importance of x1: honest {honest:.3}, not honest {adaptive:.3}");
    assert!(honest > 0.8 && honest > adaptive + 0.1);
}

#[test]
fn validation_rows_cut_noise_away() {
    let frame = generate(3000, 2);
    let noise = ["x4", "x5"];
    let leaves = |features: &[&str], validation: f64| {
        let tree = UpliftTree::new("y", "arm", features)
            .control("control")
            .min_leaf_rows(40)
            .depth(5)
            .validation_fraction(validation)
            .seed(3);
        let fit = tree.fit(&frame).unwrap();
        fit.nodes().iter().filter(|n| n.children.is_none()).count()
    };
    assert!(leaves(&noise, 0.3) < leaves(&noise, 0.0));
    assert!(leaves(&["x1"], 0.3) > 1);
}

// ---------------------------------------------------------------- properties

#[test]
fn order_of_rows_scale_and_names_do_not_matter() {
    let frame = generate(2000, 3);
    let tree = plain(&X).min_leaf_rows(60).depth(4);
    for criterion in [
        UpliftCriterion::Euclidean,
        UpliftCriterion::KullbackLeibler,
        UpliftCriterion::Interaction,
    ] {
        let tree = tree.clone().criterion(criterion);
        let fit = tree.fit(&frame).unwrap();
        let back: Vec<usize> = (0..2000).rev().collect();
        let turned = frame.take(&back).unwrap();
        let other = tree.fit(&turned).unwrap();
        let questions = |fit: &UpliftTreeFit| {
            fit.nodes()
                .iter()
                .map(|n| n.question.clone())
                .collect::<Vec<_>>()
        };
        assert_eq!(questions(&fit), questions(&other));
        // Three times every row: the same means, and without shrinkage the same questions.
        let thrice = Frame::concat(&[frame.clone(), frame.clone(), frame.clone()]).unwrap();
        let bare = tree.clone().shrinkage(0.0);
        let more = bare.clone().min_leaf_rows(180).min_arm_rows(30);
        assert_eq!(
            questions(&bare.fit(&frame).unwrap()),
            questions(&more.fit(&thrice).unwrap())
        );
        // Any increasing function of a feature.
        let curved: Vec<f64> = frame
            .real("x1")
            .unwrap()
            .iter()
            .map(|v| v.powi(3))
            .collect();
        let renamed = frame.drop(&["x1"]).unwrap().with("x1", curved).unwrap();
        let bent = tree.fit(&renamed).unwrap();
        assert_eq!(
            bent.predict(&renamed).unwrap().first(),
            fit.predict(&frame).unwrap().first()
        );
    }
}

#[test]
fn an_outcome_in_other_units_scales_the_effects() {
    let frame = generate(2000, 2);
    let scaled: Vec<f64> = frame
        .real("y")
        .unwrap()
        .iter()
        .map(|v| 4.0 * v - 8e6)
        .collect();
    let other = frame.clone().with("spend", scaled).unwrap();
    for criterion in [
        UpliftCriterion::Euclidean,
        UpliftCriterion::ContextualTreatment,
        UpliftCriterion::Interaction,
    ] {
        let tree = |outcome: &str| {
            UpliftTree::new(outcome, "arm", &X)
                .control("control")
                .criterion(criterion)
                .seed(5)
        };
        let (a, b) = (
            tree("y").fit(&other).unwrap().predict(&other).unwrap(),
            tree("spend").fit(&other).unwrap().predict(&other).unwrap(),
        );
        assert!(
            a.first()
                .iter()
                .zip(b.first())
                .all(|(a, b)| (4.0 * a - b).abs() < 1e-8)
        );
    }
}

#[test]
fn leaves_hold_what_they_say() {
    let frame = generate(3000, 3);
    let fit = plain(&X).fit(&frame).unwrap();
    let leaves = fit.leaves(&frame).unwrap();
    let (y, arm) = (frame.real("y").unwrap(), frame.label("arm").unwrap());
    for (at, node) in fit
        .nodes()
        .iter()
        .enumerate()
        .filter(|(_, n)| n.children.is_none())
    {
        for (k, name) in fit.arms().iter().enumerate() {
            let own: Vec<f64> = (0..3000)
                .filter(|i| leaves[*i] == at && arm.get(*i) == Some(name))
                .map(|i| y[i])
                .collect();
            assert_eq!(own.len(), node.rows[k]);
            let mean = own.iter().sum::<f64>() / own.len() as f64;
            assert!((mean - node.means[k]).abs() < 1e-12);
        }
        let (p, q) = (node.means[1], node.means[0]);
        let (n, m) = (node.rows[1] as f64, node.rows[0] as f64);
        let error = (p * (1.0 - p) / (n - 1.0) + q * (1.0 - q) / (m - 1.0)).sqrt();
        assert!((node.effects[0].std_error - error).abs() < 1e-9);
        assert!((node.effects[0].estimate - (p - q)).abs() < 1e-12);
    }
    let effects = fit.predict(&frame).unwrap();
    let shown = fit.to_string();
    assert!(shown.contains("Uplift tree: effect on y") && shown.contains("not honest"));
    assert!(fit.plot().unwrap().to_svg().contains("≤"));
    let text = serde_json::to_string(&fit).unwrap();
    let read: UpliftTreeFit = serde_json::from_str(&text).unwrap();
    assert_eq!(
        read.predict(&frame).unwrap().arm("two").unwrap(),
        effects.arm("two").unwrap()
    );
}

#[test]
fn missing_values_and_categories_are_split() {
    let frame = generate(4000, 2);
    let x1 = frame.real("x1").unwrap();
    // The effect is .04 (x1 − 3): unknown where it is large, and by town.
    let gaps: Vec<f64> = x1
        .iter()
        .map(|v| if *v > 7.0 { f64::NAN } else { 1.0 })
        .collect();
    let town: Vec<Option<&str>> = x1
        .iter()
        .map(|v| [Some("ulm"), None, Some("bonn"), Some("kiel")][*v as usize % 4])
        .collect();
    let frame = frame
        .with("gaps", gaps)
        .unwrap()
        .with("town", town)
        .unwrap();
    let fit = plain(&["gaps"]).depth(1).fit(&frame).unwrap();
    assert_eq!(fit.nodes()[0].question.as_deref(), Some("gaps not missing"));
    let fit = plain(&["town", "x1"]).depth(4).fit(&frame).unwrap();
    let new = Frame::new()
        .with("town", vec![Some("paris"), None, Some("ulm")])
        .unwrap()
        .with("x1", vec![f64::NAN, 100.0, -5.0])
        .unwrap();
    let effects = fit.predict(&new).unwrap();
    assert!(effects.first().iter().all(|e| e.is_finite()));
    let towns = plain(&["town"]).depth(1).fit(&frame).unwrap();
    let question = towns.nodes()[0].question.clone().unwrap();
    assert!(question.starts_with("town in {"), "{question}");
}

#[test]
fn the_bits_do_not_depend_on_the_number_of_threads() {
    let frame = generate(1500, 3);
    let forest = UpliftForest::new("y", "arm", &X)
        .control("control")
        .trees(40)
        .seed(3);
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        pool.install(|| {
            let fit = forest.fit(&frame).unwrap();
            (fit.predict(&frame).unwrap(), fit.importance(), fit)
        })
    };
    let one = run(1);
    assert!(one == run(2) && one == run(5));
}

#[test]
fn the_same_seed_gives_the_same_forest_and_prefixes_agree() {
    let frame = generate(1500, 3);
    let forest = UpliftForest::new("y", "arm", &X)
        .control("control")
        .trees(12)
        .honest(true)
        .seed(9);
    let (a, b) = (forest.fit(&frame).unwrap(), forest.fit(&frame).unwrap());
    assert_eq!(a, b);
    assert_ne!(a, forest.clone().seed(10).fit(&frame).unwrap());
    assert_eq!(a.out_of_bag().arms(), ["one", "two"]);
    let effects = a.predict(&frame).unwrap();
    assert!(effects.arm("one").unwrap().iter().all(|e| e.abs() < 1.0));
    // Rows that no tree left out fall back on all trees.
    let whole = forest
        .clone()
        .sample_fraction(1.0)
        .honest(false)
        .fit(&frame)
        .unwrap();
    let all = whole.predict(&frame).unwrap();
    assert_eq!(whole.out_of_bag().first(), all.first());
    let text = serde_json::to_string(&a).unwrap();
    let read: UpliftForestFit = serde_json::from_str(&text).unwrap();
    assert_eq!(read.predict(&frame).unwrap().first(), effects.first());
}

// ---------------------------------------------------------------- bad input

#[test]
fn bad_input_is_told_what_to_do() {
    let frame = generate(600, 2);
    let message = |tree: UpliftTree| tree.fit(&frame).unwrap_err().to_string();
    let tree = || UpliftTree::new("y", "arm", &X).control("control").seed(1);
    assert!(matches!(
        UpliftTree::new("y", "arm", &X).fit(&frame).unwrap_err(),
        Error::SeedRequired { .. }
    ));
    assert!(matches!(
        UpliftForest::new("y", "arm", &X).fit(&frame).unwrap_err(),
        Error::SeedRequired { .. }
    ));
    assert!(message(tree().control("contrl")).contains("did you mean `control`"));
    assert!(message(tree().min_arm_rows(1)).contains("min_arm_rows"));
    assert!(message(tree().min_arm_rows(500)).contains("at least 2000 rows of every arm"));
    assert!(message(tree().validation_fraction(1.0)).contains("validation_fraction"));
    assert!(message(tree().shrinkage(f64::NAN)).contains("shrinkage"));
    assert!(message(tree().features_per_split(9)).contains("features_per_split"));
    assert!(message(tree().honesty_fraction(0.0)).contains("honesty_fraction"));
    let spend = UpliftTree::new("x3", "arm", &["x1"])
        .criterion(UpliftCriterion::KullbackLeibler)
        .seed(1);
    assert!(message(spend).contains("UpliftCriterion::Euclidean"));
    let flat = frame.clone().with("same", vec![1.0; 600]).unwrap();
    let error = UpliftTree::new("same", "arm", &X)
        .seed(1)
        .fit(&flat)
        .unwrap_err();
    assert!(matches!(error, Error::Unidentified { .. }));
    assert!(message(UpliftTree::new("y", "arm", &["x9"]).seed(1)).contains("x9"));
    assert!(message(UpliftTree::new("y", "arm", &["arm"]).seed(1)).contains("arm"));
    let forest = UpliftForest::new("y", "arm", &X).seed(1);
    assert!(forest.clone().trees(0).fit(&frame).is_err());
    assert!(forest.clone().sample_fraction(0.0).fit(&frame).is_err());
    let cancelled = forest
        .fit_with(&frame, &Progress::with(|_| false))
        .unwrap_err();
    assert!(matches!(cancelled, Error::Cancelled { .. }));
    // A feature that says nothing leaves one group, everybody.
    let constant = flat.with("nothing", vec![f64::NAN; 600]).unwrap();
    let fit = UpliftTree::new("y", "arm", &["nothing", "same"])
        .seed(1)
        .fit(&constant)
        .unwrap();
    assert_eq!(fit.nodes().len(), 1);
    assert!(fit.predict(&constant).unwrap().first()[0].is_finite());
}
