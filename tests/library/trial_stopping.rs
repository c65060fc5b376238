//! Trials before purchase: against an independent implementation, the simulator against the recursion, and refusals.

use crate::support::{agree, data, fixture, names, numbers};
use cocreate::decision::Trials;
use cocreate::prelude::*;
use proptest::prelude::*;

#[test]
fn estimates_are_those_of_an_independent_implementation() {
    let record = fixture("trial_stopping");
    let theirs = &record["values"];
    let frame = data("tests/reference/trial_stopping.csv");
    let model = TrialStopping::new("bought ~ price", "trials", 3, 0.9)
        .elicited("prior_mean", 0.5)
        .ambiguity();
    let fit = model.covariance(Covariance::Classical).fit(&frame).unwrap();
    assert_eq!(fit.names(), names(theirs));
    let value = [fit.statistics().log_likelihood];
    agree(
        "log-likelihood",
        &value,
        &numbers(&theirs["log_likelihood"]),
        1e-7,
    );
    let errors = numbers(&theirs["std_errors"]);
    let estimates = numbers(&theirs["estimates"]);
    for ((ours, theirs), error) in fit.coefficients().iter().zip(estimates).zip(errors) {
        // The grids of both are good to about 1e-5.
        assert!(
            (ours.estimate - theirs).abs() < 1e-3 * error,
            "{ours} {theirs}"
        );
        assert!(
            (ours.std_error / error - 1.0).abs() < 2e-3,
            "{ours} {error}"
        );
    }
}

/// `P(n trials, then the purchase or not | z)` by recursion without a grid.
fn path(
    t: &Trials,
    plan: &cocreate::decision::TrialPlan,
    now: usize,
    trials: usize,
    bought: bool,
    z: f64,
) -> f64 {
    let chances = plan.probabilities(now, z);
    if now == trials {
        return if bought { chances.buy } else { chances.leave };
    }
    let share = |n: usize| 1.0 / (1.0 + n as f64 * t.ratio);
    let fall = share(now) - share(now + 1);
    let (mut sum, mut total) = (0.0, 0.0);
    for k in -12..=12 {
        let e = 0.5 * f64::from(k);
        let weight = (-0.5 * e * e).exp();
        let next = z + 0.5 * t.ambiguity * t.spread.powi(2) * fall + t.spread * fall.sqrt() * e;
        sum += weight * path(t, plan, now + 1, trials, bought, next);
        total += weight;
    }
    chances.again * sum / total
}

#[test]
fn simulated_customers_follow_the_plan() {
    let process = TrialPanel {
        horizon: 3,
        prior_mean: 0.2,
        prior_deviation: 0.0,
        prior_variance: 0.8,
        signal_variance: 0.5,
        ambiguity_aversion: 0.4,
        prices: [0.5, 0.5],
        taste: 1.8,
        ..TrialPanel::new()
    };
    let made = process
        .clone()
        .customers(40_000)
        .seed(11)
        .simulate()
        .unwrap();
    let (trials, bought) = (
        made.data.numeric("trials").unwrap(),
        made.data.numeric("bought").unwrap(),
    );
    let t = process.trials();
    let plan = t.plan().unwrap();
    let z = 1.8 * 0.2 - 0.5 * 0.4 * 1.8 * 1.8 * 0.8 - 0.5;
    let mut total = 0.0;
    for n in 0..=3 {
        for b in [false, true] {
            let p = path(&t, &plan, 0, n, b, z);
            let seen = (0..40_000)
                .filter(|i| trials.values()[*i] as usize == n && (bought.values()[*i] > 0.5) == b)
                .count();
            let share = seen as f64 / 40_000.0;
            assert!(
                (share - p).abs() < 4.5 * (p * (1.0 - p) / 40_000.0).sqrt(),
                "{n} {b}: {share} {p}"
            );
            total += p;
        }
    }
    assert!((total - 1.0).abs() < 1e-6, "{total}");
    let again = process.customers(40_000).seed(11).simulate().unwrap();
    assert_eq!(
        again.data.numeric("trials").unwrap().values(),
        trials.values()
    );
    assert_eq!(&trials.values()[..PINNED.len()], PINNED);
}

/// Drawn with seed 11.
const PINNED: [f64; 3] = [3.0, 2.0, 0.0];

#[test]
fn what_cannot_be_estimated_is_refused() {
    let frame = data("tests/reference/trial_stopping.csv");
    let of = |horizon, discount| TrialStopping::new("bought ~ price", "trials", horizon, discount);
    let error = |model: TrialStopping| model.fit(&frame).unwrap_err();
    for discount in [1.0, -0.1, f64::NAN] {
        assert!(
            matches!(error(of(3, discount)), Error::InvalidOption { option, .. } if option == "discount")
        );
    }
    assert!(
        matches!(error(of(1, 0.9)), Error::InvalidOption { option, .. } if option == "horizon")
    );
    assert!(matches!(error(of(2, 0.9)), Error::OutOfRange { column, .. } if column == "trials"));
    let blind = error(of(3, 0.9).ambiguity());
    assert!(
        matches!(blind, Error::Unidentified { .. }) && blind.to_string().contains("elicited"),
        "{blind}"
    );
    assert!(matches!(
        error(of(3, 0.9).elicited("prior_mean", 0.0)),
        Error::InvalidOption { .. }
    ));
    assert!(matches!(
        error(of(3, 0.9).elicited("belief", 1.0)),
        Error::ColumnNotFound { .. }
    ));
    let with = |trials: Vec<f64>, bought: Vec<f64>| {
        Frame::new()
            .with(
                "price",
                (0..trials.len())
                    .map(|i| (i % 2) as f64)
                    .collect::<Vec<_>>(),
            )
            .and_then(|f| f.with("trials", trials))
            .and_then(|f| f.with("bought", bought))
            .unwrap()
    };
    let mixed: Vec<f64> = (0..40).map(|i| f64::from(u8::from(i % 3 == 0))).collect();
    let counts: Vec<f64> = (0..40).map(|i| f64::from(i % 4)).collect();
    for (frame, word) in [
        (with(mixed.clone(), mixed.clone()), "tries twice"),
        (with(vec![3.0; 40], mixed), "as often as they may"),
        (with(counts, vec![1.0; 40]), "both outcomes"),
    ] {
        let error = of(3, 0.9).fit(&frame).unwrap_err();
        assert!(
            matches!(error, Error::Unidentified { .. }) && error.to_string().contains(word),
            "{error}"
        );
    }
    assert!(matches!(
        TrialPanel::new().simulate(),
        Err(Error::SeedRequired { .. })
    ));
}

#[test]
fn fits_are_stored_and_read() {
    let frame = data("tests/reference/trial_stopping.csv");
    let fit = TrialStopping::new("bought ~ price", "trials", 3, 0.9)
        .elicited("prior_mean", 0.5)
        .fit(&frame)
        .unwrap();
    let text = serde_json::to_string(&fit).unwrap();
    let again: TrialStoppingFit = serde_json::from_str(&text).unwrap();
    assert_eq!(serde_json::to_string(&again).unwrap(), text);
    assert_eq!(again.to_string(), fit.to_string());
    let spread = fit.spread().unwrap().estimate;
    assert!((spread - fit.trials().spread).abs() < 1e-12);
    let taste = fit.coefficient("taste").unwrap().estimate;
    assert!((fit.prior_variance().unwrap().estimate.sqrt() * taste - spread).abs() < 1e-12);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3))]

    /// Ability has no natural unit: beliefs in another, with the variance of the signal in its square, change θ alone.
    #[test]
    fn the_unit_of_ability_does_not_matter(unit in 0.2_f64..5.0) {
        let frame = data("tests/reference/trial_stopping.csv");
        let model = |signal: f64| TrialStopping::new("bought ~ price", "trials", 3, 0.9).elicited("prior_mean", signal);
        let plain = model(0.5).fit(&frame).unwrap();
        let scaled: Vec<f64> = frame.numeric("prior_mean").unwrap().values().iter().map(|m| m * unit).collect();
        let other = ["price", "trials", "bought"].iter().fold(Frame::new(), |f, name| {
            f.with(*name, frame.numeric(name).unwrap().values().to_vec()).unwrap()
        });
        let other = model(0.5 * unit * unit).fit(&other.with("prior_mean", scaled).unwrap()).unwrap();
        prop_assert!((plain.statistics().log_likelihood - other.statistics().log_likelihood).abs() < 1e-8);
        for (a, b) in plain.coefficients().iter().zip(other.coefficients()) {
            let factor = if a.name == "taste" { unit } else { 1.0 };
            prop_assert!((a.estimate - factor * b.estimate).abs() < 1e-6 * a.std_error, "{a} {b}");
        }
    }
}
