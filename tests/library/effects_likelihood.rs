//! Likelihood models with many fixed effects against reference software and by simulation.

use crate::support::{agree, agree_covariance, data, fixture, names, numbers, pick};
use cocreate::prelude::*;
use rand::RngExt;

#[test]
fn the_conditional_logit_as_in_survival() {
    let all = fixture("conditional_logit");
    let want = &all["values"]["purchases"];
    let frame = data(want["data"].as_str().unwrap());
    let fit = ConditionalLogit::new(want["formula"].as_str().unwrap())
        .covariance(Covariance::Classical)
        .fit(&frame)
        .unwrap();
    let (at, estimates) = pick(&fit, &names(want));
    agree("estimates", &estimates, &numbers(&want["estimates"]), 1e-9);
    let s = fit.statistics();
    agree(
        "log-likelihood",
        &[s.log_likelihood],
        &numbers(&want["log_likelihood"]),
        1e-10,
    );
    agree(
        "null",
        &[s.null_log_likelihood.unwrap()],
        &numbers(&want["null_log_likelihood"]),
        1e-10,
    );
    agree_covariance(
        "classical",
        &fit,
        &at,
        &want["covariance"]["classical"],
        1e-8,
    );
    // A regressor that does not vary within customers is named and left out.
    let more = ConditionalLogit::new("bought ~ x + z + fixed | customer")
        .fit(&frame)
        .unwrap();
    assert_eq!(more.names(), ["x", "z"]);
    assert!(
        more.warnings()
            .iter()
            .any(|w| w.to_string().contains("fixed"))
    );
    assert_eq!(more.covariance_kind(), &Covariance::cluster("customer"));
    assert!(
        ConditionalLogit::new("bought ~ x | customer")
            .covariance(Covariance::Hc3)
            .fit(&frame)
            .is_err()
    );
    assert!(ConditionalLogit::new("bought ~ x").fit(&frame).is_err());
}

/// Pairs: the conditional logit is a logit of differences without a constant.
#[test]
fn pairs_are_a_logit_of_differences() {
    let mut random = Seed::new(4).stream(0);
    let (mut group, mut x, mut y) = (vec![], vec![], vec![]);
    let (mut difference, mut sign) = (vec![], vec![]);
    for g in 0..300 {
        let effect: f64 = random.random::<f64>() * 4.0 - 2.0;
        let pair: Vec<(f64, f64)> = (0..2)
            .map(|_| {
                let x: f64 = random.random::<f64>() * 2.0 + 0.3 * effect;
                let p = 1.0 / (1.0 + (-(x + effect)).exp());
                (x, f64::from(u8::from(random.random::<f64>() < p)))
            })
            .collect();
        for (a, b) in &pair {
            group.push(g);
            x.push(*a);
            y.push(*b);
        }
        if (pair[0].1 - pair[1].1).abs() > 0.5 {
            difference.push(pair[0].0 - pair[1].0);
            sign.push(pair[0].1);
        }
    }
    let frame = Frame::new()
        .with("g", group)
        .unwrap()
        .with("x", x)
        .unwrap()
        .with("y", y)
        .unwrap();
    let pairs = Frame::new()
        .with("d", difference)
        .unwrap()
        .with("s", sign)
        .unwrap();
    for covariance in [Covariance::Classical, Covariance::Hc1] {
        let plain = Logit::new("s ~ 0 + d")
            .covariance(covariance.clone())
            .fit(&pairs)
            .unwrap();
        let mut model = ConditionalLogit::new("y ~ x | g");
        if covariance == Covariance::Classical {
            model = model.covariance(covariance.clone());
        }
        let ours = model.fit(&frame).unwrap();
        assert!((ours.estimates()[0] - plain.estimates()[0]).abs() < 1e-9);
        // A group is a row of the other: only the finite-sample factors differ.
        let ratio = ours.std_error("x").unwrap() / plain.std_error("d").unwrap();
        assert!((ratio - 1.0).abs() < 0.01, "{covariance} {ratio}");
        assert!((ours.log_likelihood() - plain.log_likelihood()).abs() < 1e-9);
    }
}

#[test]
fn poisson_with_effects_as_in_pyfixest() {
    let all = fixture("poisson_effects");
    let tolerance = all["tolerance"].as_f64().unwrap();
    for (name, want) in all["values"].as_object().unwrap() {
        let frame = data(want["data"].as_str().unwrap());
        let fit = Poisson::new(want["formula"].as_str().unwrap())
            .covariance(Covariance::Classical)
            .fit(&frame)
            .unwrap();
        assert_eq!(fit.statistics().observations, want["n"].as_f64().unwrap());
        let (at, estimates) = pick(&fit, &names(want));
        agree(
            &format!("{name} estimates"),
            &estimates,
            &numbers(&want["estimates"]),
            tolerance,
        );
        // pyfixest multiplies the inverse information by (n − 1)/(n − K).
        let s = fit.statistics();
        let factor = (s.observations - 1.0) / (s.observations - s.parameters as f64);
        let ours: Vec<f64> = crate::support::covariance_of(&fit, &at)
            .iter()
            .map(|v| v * factor)
            .collect();
        agree(
            &format!("{name} classical"),
            &ours,
            &numbers(&want["covariance"]["classical"]),
            tolerance,
        );
        assert!(
            fit.warnings()
                .iter()
                .any(|w| w.to_string().contains("every outcome in their level"))
        );
        assert!(matches!(
            fit.predict(&frame, Quantity::Mean),
            Err(Error::Unidentified { .. })
        ));
    }
}

/// Dummies give the same estimates and errors: a Poisson model has no incidental-parameters bias.
#[test]
fn poisson_effects_are_dummies() {
    let frame = data("tests/reference/visits.csv");
    // Units without a visit have no finite effect: dummies would be separated.
    let units = frame.groups("unit").unwrap();
    let visits = frame.numeric("visits").unwrap();
    let mut total = vec![0.0; units.count()];
    for (code, y) in units.codes.iter().zip(visits.values().iter()) {
        total[*code as usize] += y;
    }
    let keep: Vec<bool> = units
        .codes
        .iter()
        .map(|c| total[*c as usize] > 0.0)
        .collect();
    let frame = frame.filter(&keep).unwrap();
    let weight: Vec<f64> = (0..frame.rows()).map(|i| 1.0 + (i % 3) as f64).collect();
    let exposure: Vec<f64> = (0..frame.rows())
        .map(|i| ((i % 5) as f64 + 1.0).ln())
        .collect();
    let frame = frame
        .with("w", weight)
        .unwrap()
        .with("exposure", exposure)
        .unwrap();
    for weights in [false, true] {
        for covariance in [
            Covariance::Classical,
            Covariance::Hc0,
            Covariance::cluster("unit").small_sample(SmallSample::none()),
        ] {
            let model = |formula: &str| {
                let model = Poisson::new(formula)
                    .offset("exposure")
                    .covariance(covariance.clone());
                let model = if weights { model.weights("w") } else { model };
                model.fit(&frame).unwrap()
            };
            let ours = model("visits ~ x + z | unit + period");
            let dummies = model("visits ~ x + z + C(unit) + C(period)");
            assert!((ours.log_likelihood() - dummies.log_likelihood()).abs() < 1e-8);
            assert_eq!(
                ours.statistics().parameters,
                dummies.statistics().parameters
            );
            for name in ["x", "z"] {
                let (a, b) = (
                    ours.coefficient(name).unwrap(),
                    dummies.coefficient(name).unwrap(),
                );
                assert!((a.estimate / b.estimate - 1.0).abs() < 1e-9, "{a} {b}");
                assert!(
                    (a.std_error / b.std_error - 1.0).abs() < 1e-8,
                    "{covariance} {a} {b}"
                );
            }
        }
    }
}

/// The covered share of intervals with effects.
#[test]
fn poisson_effects_cover() {
    const REPLICATIONS: u64 = 400;
    let mut covered = 0;
    for r in 0..REPLICATIONS {
        let mut random = Seed::new(r).stream(1);
        let (mut id, mut x, mut y) = (vec![], vec![], vec![]);
        for g in 0..60 {
            let effect: f64 = random.random::<f64>() - 0.5;
            for _ in 0..5 {
                let a: f64 = random.random::<f64>() + 0.5 * effect;
                let mean = (0.5 * a + effect + 0.5).exp();
                // A Poisson draw by the waiting times.
                let (mut count, mut time) = (0.0, -random.random::<f64>().ln());
                while time < mean {
                    count += 1.0;
                    time -= random.random::<f64>().ln();
                }
                id.push(g);
                x.push(a);
                y.push(count);
            }
        }
        let frame = Frame::new()
            .with("id", id)
            .unwrap()
            .with("x", x)
            .unwrap()
            .with("y", y)
            .unwrap();
        let fit = Poisson::new("y ~ x | id")
            .covariance(Covariance::cluster("id"))
            .fit(&frame)
            .unwrap();
        let i = fit
            .coefficient("x")
            .unwrap()
            .confidence_interval(0.95)
            .unwrap();
        covered += usize::from(i.lower <= 0.5 && 0.5 <= i.upper);
    }
    let share = covered as f64 / REPLICATIONS as f64;
    println!("{share}");
    // Monte Carlo error .011; 3.5 of it either way.
    assert!((share - 0.95).abs() < 0.038, "{share}");
}
