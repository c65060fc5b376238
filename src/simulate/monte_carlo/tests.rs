//! The runner: bits, shards, cancelling, storing, failing.

use super::*;
use crate::simulate::draws::Draws;

/// The mean of 25 draws of N(1, 1), with its estimated standard error.
#[expect(clippy::unnecessary_wraps, reason = "the runner takes what may fail")]
fn mean(seed: Seed) -> Result<Replication> {
    let mut draws = Draws::new(seed, 0);
    let x: Vec<f64> = (0..25).map(|_| 1.0 + draws.normal()).collect();
    let mean = x.iter().sum::<f64>() / 25.0;
    let variance = x.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / 24.0;
    let estimate = crate::inference::Estimate {
        name: "mean".to_owned(),
        estimate: mean,
        std_error: (variance / 25.0).sqrt(),
        degrees_of_freedom: 24.0,
    };
    Ok(Replication::new()
        .estimate("mean", &estimate, 1.0)
        .point("first", x[0], 1.0))
}

fn study(replications: usize) -> MonteCarlo {
    MonteCarlo::new("The mean")
        .replications(replications)
        .seed(5)
}

#[test]
fn a_correct_interval_covers_and_the_measures_agree_with_theory() {
    let fit = study(2000).run(mean).unwrap();
    let p = fit.performance("mean").unwrap();
    assert!(p.covers(0.95, 3.0), "{}", p.coverage);
    assert!(p.bias.abs() < 3.0 * p.bias_error);
    // The standard deviation of the mean of 25 draws is 0.2, also its mean square standard error.
    assert!((p.deviation - 0.2).abs() < 3.0 * p.deviation_error);
    assert!((p.std_error - 0.2).abs() < 0.004, "{}", p.std_error);
    // Power of a two-sided t test at noncentrality 5 with 24 degrees of freedom is 0.9978.
    assert!((p.power().unwrap() - 0.9978).abs() < 0.005);
    let first = fit.performance("first").unwrap();
    assert!(first.coverage.is_nan() && (first.deviation - 1.0).abs() < 0.06);
    assert_eq!(fit.names(), ["mean", "first"]);
    assert!(fit.performance("men").is_err());
}

#[test]
fn shards_and_extensions_have_the_bits_of_the_whole() {
    let whole = study(30).run(mean).unwrap();
    let shards = [2, 0, 1].map(|i| study(30).shard(i, 3).run(mean).unwrap());
    assert_eq!(shards[0].replications(), 10);
    let merged = MonteCarloFit::merge(shards).unwrap();
    assert_eq!(merged, whole);
    assert_eq!(merged.to_json().unwrap(), whole.to_json().unwrap());
    let mut extended = study(10).run(mean).unwrap();
    study(30)
        .resume(&mut extended, &Progress::none(), mean)
        .unwrap();
    assert_eq!(extended, whole);
    let mut other = MonteCarlo::new("x").seed(6).begin().unwrap();
    assert!(
        study(30)
            .resume(&mut other, &Progress::none(), mean)
            .is_err()
    );
    let other = MonteCarlo::new("x")
        .replications(1)
        .seed(6)
        .run(mean)
        .unwrap();
    assert!(MonteCarloFit::merge([whole, other]).is_err());
    assert!(MonteCarloFit::merge([]).is_err());
}

#[test]
fn a_cancelled_study_keeps_what_was_done_and_goes_on_from_json() {
    let whole = study(200).run(mean).unwrap();
    let mut fit = study(200).begin().unwrap();
    let stop = Progress::with(|step| step.done < 20);
    let stopped = study(200).resume(&mut fit, &stop, mean);
    assert!(matches!(stopped, Err(Error::Cancelled { .. })));
    assert!(fit.replications() >= 20 && fit.replications() < 200);
    let mut read = MonteCarloFit::from_json(&fit.to_json().unwrap()).unwrap();
    assert_eq!(read, fit);
    study(200)
        .resume(&mut read, &Progress::none(), mean)
        .unwrap();
    assert_eq!(read, whole);
}

#[test]
fn stored_studies_are_verified_bit_for_bit() {
    let fit = study(20).run(mean).unwrap();
    let stored = MonteCarloFit::from_json(&fit.to_json().unwrap()).unwrap();
    assert!(
        study(20)
            .verify(&stored, &[0, 7, 19], mean)
            .unwrap()
            .is_empty()
    );
    let changed = |seed| Ok(Replication::new().point("mean", seed_share(seed), 0.0));
    assert_eq!(study(20).verify(&stored, &[3], changed).unwrap(), [3]);
    assert!(study(20).verify(&stored, &[20], mean).is_err());
    assert!(MonteCarloFit::from_json("{}").is_err());
    let other_layout = fit
        .to_json()
        .unwrap()
        .replace("\"layout\":1", "\"layout\":2");
    let error = MonteCarloFit::from_json(&other_layout).unwrap_err();
    assert!(error.to_string().contains("layout 2"), "{error}");
}

fn seed_share(seed: Seed) -> f64 {
    Draws::new(seed, 0).uniform()
}

#[test]
fn failures_are_counted_and_told() {
    let sometimes = |seed: Seed| {
        if seed_share(seed) < 0.2 {
            return Err(Error::Matrix {
                message: "the moon is full".to_owned(),
            });
        }
        mean(seed)
    };
    let fit = study(100).run(sometimes).unwrap();
    let failed = fit.failures().len();
    assert!((5..40).contains(&failed), "{failed}");
    assert_eq!(fit.performance("mean").unwrap().replications, 100 - failed);
    // Notes are broken into lines.
    let text = fit
        .to_string()
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ");
    assert!(text.contains(&format!("{failed} failed")) && text.contains("the moon is full"));
    let read = MonteCarloFit::from_json(&fit.to_json().unwrap()).unwrap();
    assert_eq!(read.failures(), fit.failures());
    let always = |_| {
        Err(Error::Matrix {
            message: "never".to_owned(),
        })
    };
    assert!(matches!(study(5).run(always), Err(Error::Matrix { .. })));
}

#[test]
fn tests_have_size_or_power() {
    let test = |p_value| crate::inference::TestResult {
        name: "t".to_owned(),
        statistic: 1.0,
        distribution: crate::inference::Distribution::ChiSquared { df: 1.0 },
        p_value,
    };
    let fit = study(400)
        .run(|seed| {
            let u = seed_share(seed);
            Ok(Replication::new()
                .test("true", &test(u), true)
                .test("false", &test(u * u), false))
        })
        .unwrap();
    let size = fit.performance("true").unwrap().size().unwrap();
    let power = fit.performance("false").unwrap().power().unwrap();
    // P(U < .05) = .05 and P(U² < .05) = .2236, each within four Monte Carlo errors.
    assert!((size - 0.05).abs() < 4.0 * (0.05_f64 * 0.95 / 400.0).sqrt());
    assert!((power - 0.05_f64.sqrt()).abs() < 4.0 * (0.2236_f64 * 0.7764 / 400.0).sqrt());
}

#[test]
fn bad_studies_are_refused() {
    let none = Progress::none();
    let unseeded = MonteCarlo::new("x").run_with(&none, mean);
    assert!(matches!(unseeded, Err(Error::SeedRequired { .. })));
    assert!(study(0).run(mean).is_err());
    assert!(study(10).level(1.0).run(mean).is_err());
    assert!(study(10).shard(2, 2).run(mean).is_err());
    let twice = |_| Ok(Replication::new().point("x", 1.0, 1.0).point("x", 2.0, 1.0));
    assert!(matches!(
        study(2).run(twice),
        Err(Error::DuplicateColumn { .. })
    ));
}

#[test]
fn studies_are_rendered() {
    let fit = study(50).run(mean).unwrap();
    let both = MonteCarloTable::new("Two runs")
        .scenario("n = 25", &fit)
        .scenario("again", &fit);
    assert!(both.to_latex().contains("n = 25"));
    assert!(both.to_html().contains("Coverage"));
    for measure in [
        Measure::Bias,
        Measure::StandardizedBias,
        Measure::Rmse,
        Measure::Coverage,
        Measure::Rejection,
    ] {
        assert!(
            both.plot(measure)
                .unwrap()
                .to_svg()
                .contains(measure.label())
        );
    }
}
