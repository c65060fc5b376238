//! Likelihood models with many fixed effects against reference software and by simulation.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::float_cmp,
    missing_docs
)]

mod support;

use cocreate::prelude::*;
use rand::RngExt;
use support::{agree, agree_covariance, data, fixture, names, numbers, pick};

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
