//! Weighting of several arms: agreement with stacked moments, coverage, two arms, bad input.

use crate::support::{agree, data, fixture, numbers};
use cocreate::prelude::*;
use rand::RngExt;

fn target(name: &str) -> TargetPopulation {
    match name {
        "all" => TargetPopulation::All,
        "overlap" => TargetPopulation::Overlap,
        arm => TargetPopulation::Arm(arm.to_owned()),
    }
}

#[test]
fn means_and_errors_are_those_of_the_moment_conditions() {
    let frame = data("tests/reference/causal.csv");
    for case in fixture("multi_arm_weighting")["values"].as_array().unwrap() {
        let options = &case["options"];
        let make = if options["method"] == "ipw" {
            MultiArmWeighting::inverse_propensity
        } else {
            MultiArmWeighting::entropy_balancing
        };
        let mut model = make("outcome", "arm", "x1 + x2");
        model = model.target(target(options["target"].as_str().unwrap()));
        if options["weights"] == "weight" {
            model = model.weights("weight").clusters("village");
        }
        let fit = model.fit(&frame).unwrap();
        let (means, found) = (fit.arm_means(), case["covariance"].as_array().unwrap());
        let ours = means.estimates().as_slice();
        agree(&options.to_string(), ours, &numbers(&case["means"]), 1e-9);
        for (row, theirs) in found.iter().enumerate() {
            let ours: Vec<f64> = (0..3).map(|k| means.covariance()[(row, k)]).collect();
            let size = means.covariance()[(row, row)];
            for (a, b) in ours.iter().zip(numbers(theirs)) {
                assert!((a - b).abs() < 1e-7 * size, "{options}: {a} {b}");
            }
        }
        let effects = fit.coefficients();
        assert_eq!(fit.names(), ["b", "c"]);
        assert!((effects[1].estimate - (ours[2] - ours[0])).abs() < 1e-14);
        let v = means.covariance();
        let variance = v[(2, 2)] + v[(0, 0)] - 2.0 * v[(2, 0)];
        assert!((effects[1].std_error.powi(2) / variance - 1.0).abs() < 1e-9);
        if options["method"] == "entropy" {
            assert!(fit.largest_difference() < 1e-9 && fit.propensities().is_none());
        } else {
            let propensities = fit.propensities().unwrap();
            let sum: f64 = propensities.iter().map(|e| e[17]).sum();
            assert!((sum - 1.0).abs() < 1e-12);
        }
        let text = fit.to_string();
        assert!(
            text.contains("against a") && text.contains("Arm b:"),
            "{text}"
        );
        let back: MultiArmWeightingFit =
            serde_json::from_str(&serde_json::to_string(&fit).unwrap()).unwrap();
        assert_eq!(back, fit);
    }
}

#[test]
fn two_arms_are_those_of_treatment_weighting() {
    let frame = data("tests/reference/causal.csv");
    let pairs = [
        (TargetPopulation::All, Estimand::Ate),
        (TargetPopulation::Arm("1".to_owned()), Estimand::Att),
        (TargetPopulation::Arm("0".to_owned()), Estimand::Atc),
        (TargetPopulation::Overlap, Estimand::Ato),
    ];
    for (target, estimand) in pairs {
        let several = MultiArmWeighting::inverse_propensity("y", "w", "x1 + x2");
        let two = TreatmentWeighting::inverse_propensity("y", "w", "x1 + x2");
        let ours = several.target(target.clone()).weights("weight").fit(&frame);
        let theirs = two.estimand(estimand).weights("weight").fit(&frame);
        let [ours, theirs] = [
            ours.unwrap().coefficient("1").unwrap(),
            theirs.unwrap().coefficient("1").unwrap(),
        ];
        assert!((ours.estimate - theirs.estimate).abs() < 1e-11);
        assert!((ours.std_error - theirs.std_error).abs() < 1e-11);
    }
    // Rows in another order, arms by other names.
    let order: Vec<usize> = (0..frame.rows()).map(|i| i * 7 % frame.rows()).collect();
    let column = |name: &str| -> Vec<f64> {
        let values = frame.real(name).unwrap();
        order.iter().map(|i| values[*i]).collect()
    };
    let arms = frame.label("arm").unwrap();
    let renamed: Vec<String> = (order.iter())
        .map(|i| format!("z{}", 9 - arms.codes()[*i]))
        .collect();
    let mixed = ["outcome", "x1", "x2"]
        .iter()
        .fold(Frame::new().with("arm", renamed).unwrap(), |frame, name| {
            frame.with(*name, column(name)).unwrap()
        });
    for make in [
        MultiArmWeighting::inverse_propensity,
        MultiArmWeighting::entropy_balancing,
    ] {
        let model = make("outcome", "arm", "x1 + x2");
        let one = model.fit(&frame).unwrap();
        let first = format!("z{}", 9 - arms.codes()[0]);
        let name = frame.groups("arm").unwrap().levels[arms.codes()[0] as usize].clone();
        let other = model.clone().control(first).fit(&mixed).unwrap();
        let one = if name == "a" {
            one
        } else {
            model.control(name).fit(&frame).unwrap()
        };
        let mut a: Vec<f64> = one.coefficients().iter().map(|e| e.std_error).collect();
        let mut b: Vec<f64> = other.coefficients().iter().map(|e| e.std_error).collect();
        a.sort_by(f64::total_cmp);
        b.sort_by(f64::total_cmp);
        assert!(a.iter().zip(&b).all(|(a, b)| (a - b).abs() < 1e-10));
    }
}

/// Arms 0, 1 and 2 by a multinomial logit of two covariates, with effects `k (1 + a/2)`; and the means of a in the overlap.
fn three_arms(rows: usize, seed: u64) -> (Frame, f64) {
    let mut random = Seed::new(seed).child("three arms").stream(0);
    let (mut arm, mut y, mut a, mut b) = (vec![], vec![], vec![], vec![]);
    let (mut top, mut bottom) = (0.0, 0.0);
    for _ in 0..rows {
        let mut normal = || -> f64 { (0..12).map(|_| random.random::<f64>()).sum::<f64>() - 6.0 };
        let (x, z, noise) = (normal(), normal(), normal());
        let odds = [1.0, (0.2 + 0.7 * x).exp(), (0.5 * z - 0.4 * x).exp()];
        let total: f64 = odds.iter().sum();
        let h = 1.0 / odds.iter().map(|o| total / o).sum::<f64>();
        top += h * x;
        bottom += h;
        let u = random.random::<f64>() * total;
        let own = f64::from(u8::from(u > odds[0])) + f64::from(u8::from(u > odds[0] + odds[1]));
        arm.push(own);
        y.push(2.0 * x - z + own * (1.0 + 0.5 * x) + noise);
        a.push(x);
        b.push(z);
    }
    let frame = [("arm", arm), ("y", y), ("a", a), ("b", b)]
        .into_iter()
        .fold(Frame::new(), |frame, (name, values)| {
            frame.with(name, values).unwrap()
        });
    (frame, top / bottom)
}

#[test]
fn intervals_cover_where_raw_differences_do_not() {
    const SAMPLES: u64 = 200;
    let centre = three_arms(200_000, 1).1;
    let cases = [
        (
            MultiArmWeighting::inverse_propensity("y", "arm", "a + b"),
            0.0,
        ),
        (
            MultiArmWeighting::inverse_propensity("y", "arm", "a + b")
                .target(TargetPopulation::Overlap),
            centre,
        ),
        (
            MultiArmWeighting::entropy_balancing("y", "arm", "a + b"),
            0.0,
        ),
        (MultiArmWeighting::inverse_propensity("y", "arm", "b"), 0.0),
    ];
    let mut covered = [[0_u32; 2]; 4];
    for sample in 0..SAMPLES {
        let (frame, _) = three_arms(500, 100 + sample);
        for ((model, centre), covered) in cases.iter().zip(&mut covered) {
            let fit = model.fit(&frame).unwrap();
            for (at, name) in ["1", "2"].iter().enumerate() {
                let truth = (at + 1) as f64 * (1.0 + 0.5 * centre);
                let ends = (fit.coefficient(name).unwrap())
                    .confidence_interval(0.95)
                    .unwrap();
                covered[at] += u32::from(ends.lower <= truth && truth <= ends.upper);
            }
        }
    }
    println!("{covered:?} of {SAMPLES}");
    // The Monte Carlo error is 1.5 points: 3 of 200.
    assert!(
        covered[..3]
            .iter()
            .flatten()
            .all(|c| (179..=199).contains(c)),
        "{covered:?}"
    );
    // Without what confounds they do not.
    assert!(covered[3].iter().all(|c| *c < 100));
}

#[test]
fn bad_input_is_named() {
    let (frame, _) = three_arms(300, 7);
    let model = || MultiArmWeighting::inverse_propensity("y", "arm", "a + b");
    let refused =
        |model: MultiArmWeighting, frame: &Frame| model.fit(frame).unwrap_err().to_string();
    let text = refused(
        model().target(TargetPopulation::Arm("7".to_owned())),
        &frame,
    );
    assert!(
        text.contains("`target`") && text.contains("0, 1, 2"),
        "{text}"
    );
    assert!(refused(model().control("x"), &frame).contains("`control`"));
    let entropy = MultiArmWeighting::entropy_balancing("y", "arm", "a + b");
    assert!(
        refused(entropy.target(TargetPopulation::Overlap), &frame).contains("inverse_propensity")
    );
    // Arms that a covariate separates.
    let apart: Vec<f64> = (frame
        .real("a")
        .unwrap()
        .iter()
        .zip(frame.real("arm").unwrap()))
    .map(|(a, arm)| a / 10.0 + if *arm > 1.5 { 5.0 } else { 0.0 })
    .collect();
    let separated = frame.clone().with("apart", apart).unwrap();
    for make in [
        MultiArmWeighting::inverse_propensity,
        MultiArmWeighting::entropy_balancing,
    ] {
        let text = refused(make("y", "arm", "apart + b"), &separated);
        assert!(
            text.contains("`apart`") && text.contains("overlap"),
            "{text}"
        );
    }
    let mut kept = 0;
    let keep: Vec<bool> = (frame.real("arm").unwrap().iter())
        .map(|arm| {
            kept += u32::from(*arm > 1.5);
            *arm < 1.5 || kept < 3
        })
        .collect();
    let text = refused(model(), &frame.filter(&keep).unwrap());
    assert!(
        text.contains("arm `2`") && text.contains("more than 3 rows"),
        "{text}"
    );
    let one = frame.clone().with("place", vec!["here"; 300]).unwrap();
    assert!(matches!(
        model().clusters("place").fit(&one),
        Err(Error::TooFewClusters { clusters: 1, .. })
    ));
    let two = TreatmentWeighting::inverse_propensity("y", "arm", "a");
    assert!(
        two.fit(&frame)
            .unwrap_err()
            .to_string()
            .contains("MultiArmWeighting")
    );
}
