//! Uplift trees and forests with weights and clusters, and in files: what weights stand for, errors beside statsmodels, coverage, bad input.

use crate::support::{agree, data, fixture, numbers};
use cocreate::prelude::*;
use rand::{Rng, RngExt};
use rand_distr::StandardNormal;

const X: [&str; 2] = ["x1", "x2"];
const CRITERIA: [UpliftCriterion; 5] = [
    UpliftCriterion::KullbackLeibler,
    UpliftCriterion::Euclidean,
    UpliftCriterion::ChiSquared,
    UpliftCriterion::ContextualTreatment,
    UpliftCriterion::Interaction,
];

fn normal(random: &mut impl Rng) -> f64 {
    random.sample(StandardNormal)
}

/// A trial of three arms whose effects depend on `x1` and `x2`, with weights 0 to 3.
fn trial(n: usize, seed: u64) -> Frame {
    let mut random = Seed::new(seed).stream(0);
    let (mut x1, mut x2, mut arm, mut y) = (vec![], vec![], vec![], vec![]);
    for _ in 0..n {
        let (a, b) = (
            f64::from(random.random_range(0..10_u32)),
            f64::from(random.random_range(0..10_u32)),
        );
        let k = random.random_range(0..3_usize);
        let likely = 0.3 + [0.0, 0.05 * (a - 4.0), if b > 5.0 { 0.2 } else { -0.1 }][k];
        y.push(f64::from(u8::from(random.random::<f64>() < likely)));
        x1.push(a);
        x2.push(b);
        arm.push(["a", "b", "c"][k]);
    }
    let weight: Vec<f64> = (0..n).map(|i| (i * 7 % 4) as f64).collect();
    let id: Vec<f64> = (0..n).map(|i| i as f64).collect();
    Frame::new()
        .with("x1", x1)
        .and_then(|f| f.with("x2", x2))
        .and_then(|f| f.with("arm", arm))
        .and_then(|f| f.with("y", y))
        .and_then(|f| f.with("weight", weight))
        .and_then(|f| f.with("id", id))
        .unwrap()
}

fn questions(fit: &UpliftTreeFit) -> Vec<Option<String>> {
    fit.nodes().iter().map(|n| n.question.clone()).collect()
}

fn same_nodes(a: &UpliftTreeFit, b: &UpliftTreeFit, errors: bool, what: &str) {
    assert_eq!(questions(a), questions(b), "{what}");
    assert!(a.nodes().len() > 1, "{what}: no split");
    for (a, b) in a.nodes().iter().zip(b.nodes()) {
        for (a, b) in a.means.iter().zip(&b.means) {
            assert!((a - b).abs() < 1e-12, "{what}: {a} {b}");
        }
        for (a, b) in a.effects.iter().zip(&b.effects).filter(|_| errors) {
            assert!((a.std_error - b.std_error).abs() < 1e-12, "{what}");
        }
    }
}

#[test]
fn weights_stand_for_copies_of_rows_and_none_for_rows_left_out() {
    let frame = trial(3_000, 1);
    let weight = frame.real("weight").unwrap();
    let copies = |least: f64| -> Vec<usize> {
        let times = |i: usize| {
            if least > 0.0 {
                weight[i].min(least) as usize
            } else {
                weight[i] as usize
            }
        };
        (0..3_000).flat_map(|i| vec![i; times(i)]).collect()
    };
    let (repeated, positive) = (
        frame.take(&copies(0.0)).unwrap(),
        frame.take(&copies(1.0)).unwrap(),
    );
    for criterion in CRITERIA {
        // Shrinkage counts rows, and so do limits: without either a row of weight 2 is two rows.
        let tree = UpliftTree::new("y", "arm", &X)
            .criterion(criterion)
            .honest(false)
            .shrinkage(0.0)
            .min_leaf_rows(1)
            .min_arm_rows(2)
            .depth(2);
        let weighted = tree.clone().weights("weight");
        let fit = weighted.fit(&frame).unwrap();
        let what = criterion.to_string();
        same_nodes(&fit, &tree.fit(&repeated).unwrap(), false, &what);
        // With shrinkage and limits: rows without weight are as if they were not there.
        let usual = weighted.shrinkage(10.0).min_leaf_rows(100).min_arm_rows(10);
        let fit = usual.fit(&frame).unwrap();
        same_nodes(&fit, &usual.fit(&positive).unwrap(), true, &what);
        let tenfold = frame
            .clone()
            .replace(
                "weight",
                weight.iter().map(|w| 10.0 * w).collect::<Vec<_>>(),
            )
            .unwrap();
        same_nodes(&fit, &usual.fit(&tenfold).unwrap(), true, &what);
    }
}

#[test]
fn clusters_of_one_row_are_rows() {
    let frame = trial(3_000, 2);
    let tree = UpliftTree::new("y", "arm", &X)
        .validation_fraction(0.2)
        .seed(3);
    let (plain, clustered) = (
        tree.fit(&frame).unwrap(),
        tree.clone().clusters("id").fit(&frame).unwrap(),
    );
    assert!(plain.nodes().len() > 1);
    assert_eq!(plain.nodes(), clustered.nodes());
    assert_eq!(plain.importance(), clustered.importance());
    for honest in [true, false] {
        let forest = UpliftForest::new("y", "arm", &X)
            .honest(honest)
            .trees(20)
            .seed(3);
        let (plain, clustered) = (
            forest.fit(&frame).unwrap(),
            forest.clone().clusters("id").fit(&frame).unwrap(),
        );
        assert_eq!(plain.out_of_bag(), clustered.out_of_bag());
        // Equal weights are none, but for rounding.
        let even = frame.clone().replace("weight", vec![3.0; 3_000]).unwrap();
        let weighted = forest.weights("weight").fit(&even).unwrap();
        let pairs = weighted
            .out_of_bag()
            .first()
            .iter()
            .zip(plain.out_of_bag().first());
        assert!(pairs.into_iter().all(|(a, b)| (a - b).abs() < 1e-12));
    }
}

#[test]
fn errors_of_weighted_clusters_are_those_of_statsmodels() {
    let reference = fixture("uplift_tree_errors");
    let frame = data("tests/reference/meta_learners.csv");
    let n = frame.rows();
    let w = frame.real("w").unwrap().to_vec();
    let column = |of: &dyn Fn(usize) -> usize| (0..n).map(|i| of(i) as f64).collect::<Vec<_>>();
    let frame = frame
        .with("weight", column(&|i| 1 + i % 3))
        .and_then(|f| f.with("mixed", column(&|i| i / 6)))
        .and_then(|f| f.with("apart", column(&|i| 1_000 * (w[i] as usize) + i / 12)))
        .unwrap();
    for (name, clusters) in [
        ("rows", None),
        ("mixed", Some("mixed")),
        ("apart", Some("apart")),
    ] {
        let mut tree = UpliftTree::new("y", "w", &["x1"])
            .weights("weight")
            .honest(false)
            .depth(0);
        if let Some(column) = clusters {
            tree = tree.clusters(column);
        }
        let fit = tree.fit(&frame).unwrap();
        let effect = &fit.nodes()[0].effects[0];
        let ours = [effect.estimate, effect.std_error];
        agree(name, &ours, &numbers(&reference["values"][name]), 1e-9);
        // 50 clusters of six rows, in which both arms occur, or 25 of twelve for each arm.
        if name == "mixed" {
            let freedom = numbers(&reference["values"]["fewest"])[0] - 1.0;
            assert!((effect.degrees_of_freedom - freedom).abs() < 1e-12);
        }
    }
}

/// Clusters of customers that have an arm, a feature and a taste in common; nobody is affected.
fn clustered(seed: u64, clusters: usize, each: usize) -> Frame {
    let mut random = Seed::new(seed).stream(1);
    let (mut x1, mut x2, mut arm, mut y, mut of) = (vec![], vec![], vec![], vec![], vec![]);
    for g in 0..clusters {
        let (feature, taste) = (normal(&mut random), 0.7 * normal(&mut random));
        for _ in 0..each {
            x1.push(feature);
            x2.push(normal(&mut random));
            arm.push(["control", "treated"][g % 2]);
            y.push(taste + normal(&mut random));
            of.push(g as f64);
        }
    }
    Frame::new()
        .with("x1", x1)
        .and_then(|f| f.with("x2", x2))
        .and_then(|f| f.with("arm", arm))
        .and_then(|f| f.with("y", y))
        .and_then(|f| f.with("village", of))
        .unwrap()
}

#[test]
fn clustered_trees_cover_where_plain_ones_do_not() {
    let coverage = |clusters: bool| {
        let (mut inside, mut all) = (0.0, 0.0);
        for seed in 0..150 {
            let mut tree = UpliftTree::new("y", "arm", &X).depth(1).seed(seed);
            if clusters {
                tree = tree.clusters("village");
            }
            let fit = tree.fit(&clustered(seed, 80, 15)).unwrap();
            for node in fit.nodes().iter().filter(|n| n.children.is_none()) {
                all += 1.0;
                inside += f64::from(u8::from(node.effects[0].p_value() > 0.05));
            }
        }
        (inside / all, all)
    };
    let ((clustered, leaves), (plain, _)) = (coverage(true), coverage(false));
    println!("coverage of {leaves} leaves: clustered {clustered:.3}, plain {plain:.3}");
    assert!((clustered - 0.95).abs() < 4.0 * (0.95 * 0.05 / leaves).sqrt() + 0.01);
    assert!(plain < 0.75);
}

#[test]
fn weights_undo_a_selection_that_the_features_do_not_show() {
    // The effect is 1 for those with u < ½, who are drawn three times as often, and 0 for others: ½ in the population.
    let effects = |weights: bool| -> Vec<Estimate> {
        let of = |seed: u64| {
            let mut random = Seed::new(seed).stream(2);
            let (mut x, mut arm, mut y, mut weight) = (vec![], vec![], vec![], vec![]);
            while x.len() < 800 {
                let u: f64 = random.random();
                if u >= 0.5 && random.random::<f64>() > 1.0 / 3.0 {
                    continue;
                }
                let treated = random.random::<bool>();
                let gains = f64::from(u8::from(treated && u < 0.5));
                x.push(normal(&mut random));
                arm.push(treated);
                y.push(gains + normal(&mut random));
                weight.push(if u < 0.5 { 1.0 } else { 3.0 });
            }
            let frame = Frame::new()
                .with("x", x)
                .and_then(|f| f.with("arm", arm))
                .and_then(|f| f.with("y", y))
                .and_then(|f| f.with("weight", weight))
                .unwrap();
            let mut tree = UpliftTree::new("y", "arm", &["x"]).depth(1).seed(seed);
            if weights {
                tree = tree.weights("weight");
            }
            let fit = tree.fit(&frame).unwrap();
            let leaves = fit.nodes().iter().filter(|n| n.children.is_none());
            leaves.map(|n| n.effects[0].clone()).collect::<Vec<_>>()
        };
        (0..120).flat_map(of).collect()
    };
    let covered = |effects: &[Estimate]| {
        let inside = effects.iter().filter(|e| {
            let interval = e.confidence_interval(0.95).unwrap();
            interval.lower < 0.5 && 0.5 < interval.upper
        });
        inside.count() as f64 / effects.len() as f64
    };
    let (weighted, plain) = (effects(true), effects(false));
    let (right, wrong) = (covered(&weighted), covered(&plain));
    println!(
        "coverage of {} leaves: weighted {right:.3}, plain {wrong:.3}",
        weighted.len()
    );
    assert!((right - 0.95).abs() < 4.0 * (0.95 * 0.05 / weighted.len() as f64).sqrt() + 0.01);
    assert!(wrong < 0.75);
}

#[test]
fn files_bring_the_same_trees_back_and_others_are_refused() {
    let frame = trial(1_500, 4);
    let path = std::env::temp_dir().join(format!("cocreate-uplift-{}.json", std::process::id()));
    let tree = UpliftTree::new("y", "arm", &X).weights("weight").seed(1);
    let tree = tree.fit(&frame).unwrap();
    tree.write(&path).unwrap();
    assert_eq!(UpliftTreeFit::read(&path).unwrap(), tree);
    let message = UpliftForestFit::read(&path).unwrap_err().to_string();
    assert!(message.contains("no file of an uplift forest"), "{message}");
    let text = std::fs::read_to_string(&path).unwrap();
    let refused = |text: String, part: &str| {
        std::fs::write(&path, text).unwrap();
        let message = UpliftTreeFit::read(&path).unwrap_err().to_string();
        assert!(message.contains(part), "{message}");
    };
    refused(
        text.replacen("\"version\":1", "\"version\":7", 1),
        "version 7",
    );
    refused(
        text.replacen("\"children\":[1,2]", "\"children\":[1,4000]", 1),
        "changed",
    );
    let forest = UpliftForest::new("y", "arm", &X).trees(10).seed(1);
    let forest = forest.fit(&frame).unwrap();
    forest.write(&path).unwrap();
    let back = UpliftForestFit::read(&path).unwrap();
    assert!(back == forest);
    assert_eq!(
        back.predict(&frame).unwrap(),
        forest.predict(&frame).unwrap()
    );
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(
        &path,
        text.replacen("\"leaf\":[", "\"leaf\":[4000000000,", 1),
    )
    .unwrap();
    let message = UpliftForestFit::read(&path).unwrap_err().to_string();
    assert!(message.contains("changed"), "{message}");
    std::fs::remove_file(&path).unwrap();
}

#[test]
fn bad_weights_and_clusters_are_told_what_to_do() {
    let frame = trial(600, 5);
    let message = |tree: UpliftTree, frame: &Frame| tree.fit(frame).unwrap_err().to_string();
    let tree = || UpliftTree::new("y", "arm", &X).seed(1);
    let with = |name: &str, values: Vec<f64>| frame.clone().with(name, values).unwrap();
    let negative = with("w", (0..600).map(|i| f64::from(i) - 3.0).collect());
    assert!(message(tree().weights("w"), &negative).contains("`w`"));
    assert!(message(tree().weights("nothing"), &frame).contains("nothing"));
    let gap = with(
        "g",
        (0..600)
            .map(|i| if i == 7 { f64::NAN } else { f64::from(i % 20) })
            .collect(),
    );
    assert!(matches!(
        tree().clusters("g").fit(&gap).unwrap_err(),
        Error::MissingClusters { .. }
    ));
    let few = with("g", (0..600).map(|i| f64::from(i % 3)).collect());
    let error = message(tree().clusters("g"), &few);
    assert!(error.contains("at least 4 clusters of `g`"), "{error}");
    // Weight in one arm only.
    let arm = frame.label("arm").unwrap();
    let one = with(
        "w",
        (0..600)
            .map(|i| f64::from(u8::from(arm.get(i) == Some("a"))))
            .collect(),
    );
    assert!(message(tree().weights("w"), &one).contains("it has 0"));
}
