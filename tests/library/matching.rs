//! Matching with replacement: references, what its intervals cover, what must hold for any data, and bad input.

use crate::support::{agree, data, fixture, numbers};
use cocreate::prelude::*;
use proptest::prelude::*;
use proptest::test_runner::Config;
use rand::RngExt;
use serde_json::Value;

const NSW: &str = "age + educ + black + hisp + marr + nodegree + re74 + re75";

fn estimand(name: &Value) -> Estimand {
    match name.as_str().unwrap() {
        "ATT" => Estimand::Att,
        "ATC" => Estimand::Atc,
        _ => Estimand::Ate,
    }
}

fn pair(fit: &MatchingFit) -> [f64; 2] {
    [fit.estimates()[0], fit.covariance()[(0, 0)].sqrt()]
}

#[test]
fn effects_and_errors_are_those_of_the_package_matching() {
    let fixture = fixture("matching");
    let (nsw, causal) = (data("datasets/nsw.csv"), data("tests/reference/causal.csv"));
    for case in fixture["values"]["nearest"].as_array().unwrap() {
        let distance = if case["mahalanobis"].as_bool().unwrap() {
            MatchDistance::Mahalanobis
        } else {
            MatchDistance::InverseVariance
        };
        let number = |name: &str| case[name].as_u64().unwrap() as usize;
        let with = |model: Matching| {
            let model = model
                .estimand(estimand(&case["estimand"]))
                .distance(distance)
                .neighbours(number("neighbours"))
                .variance_neighbours(number("variance"));
            if case["bias"].as_bool().unwrap() {
                model.bias_correction()
            } else {
                model
            }
        };
        let fit = with(Matching::new("re78", "treat", NSW)).fit(&nsw).unwrap();
        agree(&format!("nsw {case}"), &pair(&fit), &numbers(&case["nsw"]), 1e-9);
        let fit = with(Matching::new("y", "w", "x1 + x2")).fit(&causal).unwrap();
        agree(&format!("causal {case}"), &pair(&fit), &numbers(&case["causal"]), 1e-9);
    }
    for case in fixture["values"]["limits"].as_array().unwrap() {
        let two = |model: Matching| model.estimand(estimand(&case["estimand"])).neighbours(2);
        let fit = Matching::new("y", "w", "x1 + x2")
            .estimand(estimand(&case["estimand"]))
            .caliper_on("x1", 0.05)
            .caliper_on("x2", 0.2)
            .fit(&causal)
            .unwrap();
        let found = [fit.estimates()[0], fit.unmatched() as f64];
        let theirs = numbers(&case["caliper"]);
        agree("caliper", &found[..1], &theirs[..1], 1e-9);
        assert_eq!(found[1], theirs[1]);
        let ours = two(Matching::new("re78", "treat", NSW)).distance(MatchDistance::Propensity).fit(&nsw).unwrap();
        let known = nsw.clone().with("e", ours.propensities().unwrap().to_vec()).unwrap();
        let fit = two(Matching::new("re78", "treat", "e")).fit(&known).unwrap();
        agree("propensity", &pair(&fit), &numbers(&case["propensity"]), 1e-9);
        assert!((fit.estimates()[0] - ours.estimates()[0]).abs() < 1e-9);
    }
}

/// A confounded sample with effects `1 + x1`; both covariates drive treatment and outcome.
fn confounded(rows: usize, seed: u64) -> (Frame, [f64; 2]) {
    let mut random = Seed::new(seed).child("confounded").stream(0);
    let (mut x1, mut x2, mut w, mut y, mut e) = (vec![], vec![], vec![], vec![], vec![]);
    let mut effects = [(0.0, 0.0); 2];
    for _ in 0..rows {
        let mut normal = || -> f64 { (0..12).map(|_| random.random::<f64>()).sum::<f64>() - 6.0 };
        let (a, b, noise) = (normal(), normal(), normal());
        let propensity = 1.0 / (1.0 + (0.3 - 0.7 * a - 0.7 * b).exp());
        let treated = random.random::<f64>() < propensity;
        for (arm, share) in [(0, 1.0 - propensity), (1, propensity)] {
            effects[arm].0 += share * (1.0 + a);
            effects[arm].1 += share;
        }
        x1.push(a);
        x2.push(b);
        e.push(propensity);
        w.push(f64::from(u8::from(treated)));
        y.push(3.0 * a - b + 0.3 * b * b + if treated { 1.0 + a } else { 0.0 } + (0.6 + 0.4 * a.abs()) * noise);
    }
    let frame = [("y", y), ("w", w), ("x1", x1), ("x2", x2), ("e", e)]
        .into_iter()
        .fold(Frame::new(), |frame, (name, values)| frame.with(name, values).unwrap());
    (frame, effects.map(|(sum, total)| sum / total))
}

#[test]
fn intervals_cover_and_unadjusted_errors_of_scores_do_not_fit() {
    let samples: usize = std::env::var("SAMPLES").map_or(150, |s| s.parse().unwrap());
    let rows: usize = std::env::var("ROWS").map_or(300, |s| s.parse().unwrap());
    let atx = confounded(400_000, 1).1;
    for (estimand, truth) in [(Estimand::Ate, 1.0), (Estimand::Att, atx[1]), (Estimand::Atc, atx[0])] {
        let model = || Matching::new("y", "w", "x1 + x2").estimand(estimand);
        let models: Vec<(&str, Matching)> = vec![
            ("mahalanobis 1", model().bias_correction()),
            ("mahalanobis 4", model().bias_correction().neighbours(4)),
            ("score 1", model().distance(MatchDistance::Propensity)),
            ("log odds 3", model().distance(MatchDistance::LogOdds).neighbours(3)),
            ("unadjusted", Matching::new("y", "w", "score").estimand(estimand)),
            ("naive", Matching::new("y", "w", "noise").estimand(estimand).neighbours(30)),
        ];
        let mut sums = vec![[0.0; 4]; models.len()];
        for sample in 0..samples {
            let (frame, _) = confounded(rows, 100 + sample as u64);
            let score = Matching::new("y", "w", "x1 + x2").distance(MatchDistance::Propensity).fit(&frame).unwrap();
            let noise: Vec<f64> = (0..rows).map(|i| ((i * 7919) % 1009) as f64).collect();
            let frame = frame.with("score", score.propensities().unwrap().to_vec()).unwrap().with("noise", noise).unwrap();
            for ((_, model), sums) in models.iter().zip(&mut sums) {
                let effect = model.fit(&frame).unwrap().coefficient("1").unwrap();
                let interval = effect.confidence_interval(0.95).unwrap();
                sums[0] += effect.estimate;
                sums[1] += effect.estimate.powi(2);
                sums[2] += effect.std_error.powi(2);
                sums[3] += f64::from(u8::from(interval.lower <= truth && truth <= interval.upper));
            }
        }
        for ((name, _), sums) in models.iter().zip(&sums) {
            let n = samples as f64;
            let mean = sums[0] / n;
            let spread = (sums[1] / n - mean * mean).sqrt();
            println!(
                "{estimand:?} {name}: bias {:.3} ({:.3}), spread {:.3}, error {:.3}, coverage {:.3}",
                mean - truth, spread / n.sqrt(), spread, (sums[2] / n).sqrt(), sums[3] / n
            );
        }
    }
}

#[test]
fn a_hundred_thousand_rows() {
    let n = 100_000;
    let mut random = Seed::new(3).stream(0);
    let mut frame = Frame::new();
    let mut y = vec![0.0; n];
    let mut index = vec![0.0; n];
    for k in 0..10 {
        let x: Vec<f64> = (0..n).map(|_| (0..12).map(|_| random.random::<f64>()).sum::<f64>() - 6.0).collect();
        for i in 0..n {
            y[i] += x[i];
            index[i] += 0.2 * x[i];
        }
        frame = frame.with(format!("x{k}"), x).unwrap();
    }
    let w: Vec<f64> = index.iter().map(|i| f64::from(u8::from(random.random::<f64>() < 1.0 / (1.0 + (-i).exp())))).collect();
    let y: Vec<f64> = y.iter().zip(&w).map(|(y, w)| y + w).collect();
    let frame = frame.with("w", w).unwrap().with("y", y).unwrap();
    let terms = (0..10).map(|k| format!("x{k}")).collect::<Vec<_>>().join(" + ");
    for distance in [MatchDistance::Mahalanobis, MatchDistance::Propensity] {
        let start = std::time::Instant::now();
        let fit = Matching::new("y", "w", &terms).distance(distance).fit(&frame).unwrap();
        println!("{:?} {fit}", start.elapsed());
    }
}
