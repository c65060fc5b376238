//! The surrogate index where the long-term effect is known.

use super::*;
use crate::numeric::permutation::open_unit;
use crate::numeric::special::normal;

/// An observational and an experimental sample: S moves by 0.5, Y by two for each S; `direct` goes past the surrogate.
fn samples(seed: u64, n: usize, direct: f64) -> (Frame, Frame, f64) {
    let mut draws = Seed::new(seed).stream(0);
    let mut z = || normal::quantile(open_unit(draws.next_u64()));
    let (mut s, mut x, mut y) = (vec![], vec![], vec![]);
    for _ in 0..n {
        let (covariate, surrogate) = (z(), z());
        s.push(surrogate + covariate);
        x.push(covariate);
        y.push(1.0 + 2.0 * (surrogate + covariate) + 0.5 * covariate + 2.0 * z());
    }
    let past = Frame::new()
        .with("s", s)
        .unwrap()
        .with("x", x)
        .unwrap()
        .with("y", y)
        .unwrap();
    let (mut s, mut x, mut w) = (vec![], vec![], vec![]);
    for i in 0..n {
        let (covariate, treated) = (z(), f64::from(u8::from(i % 2 == 1)));
        s.push(z() + covariate + 0.5 * treated);
        x.push(covariate);
        w.push(treated);
    }
    let test = Frame::new()
        .with("s", s)
        .unwrap()
        .with("x", x)
        .unwrap()
        .with("w", w)
        .unwrap();
    (test, past, 1.0 + direct)
}

#[test]
fn intervals_cover_because_the_index_is_an_estimate_too() {
    let index = SurrogateIndex::new("y ~ s + x", "w");
    let runs = 300;
    let (mut covered, mut mean, mut naive) = (0, 0.0, 0);
    for seed in 0..runs {
        let (test, past, truth) = samples(seed, 120, 0.0);
        let fit = index.fit(&test, &past).unwrap();
        let interval = fit.effect.confidence_interval(0.95).unwrap();
        covered += usize::from(interval.lower <= truth && truth <= interval.upper);
        naive += usize::from((fit.effect.estimate - truth).abs() < 1.96 * fit.experimental_error);
        mean += fit.effect.estimate / runs as f64;
        assert!(fit.index_error > 0.0 && fit.index_error < fit.experimental_error);
    }
    // Three Monte Carlo errors of 95 % in 300 runs are 3.8 %; the standard error is large-sample, so one more below.
    assert!(
        (270..=297).contains(&covered) && naive <= covered,
        "{covered} {naive}"
    );
    assert!((mean - 1.0).abs() < 0.09, "{mean}");
}

#[test]
fn the_bound_holds_what_goes_past_the_surrogate() {
    let (test, past, truth) = samples(3, 4000, 0.4);
    let fit = SurrogateIndex::new("y ~ s + x", "w")
        .fit(&test, &past)
        .unwrap();
    let bias = truth - 1.0;
    // ε = Y − μ has the treatment's direct effect: its correlation with the treatment given S is about 0.4 · √(p(1−p)(1−R²))/σ.
    let p: f64 = 0.5;
    let rho = bias * (p * (1.0 - p) * (1.0 - fit.treatment_r_squared)).sqrt() / fit.residual_sd;
    assert!(fit.bias_bound(rho * 1.1).unwrap() > bias * 0.95);
    assert!(fit.bias_bound(2.0).is_err() && fit.breakdown() > 0.0 && fit.breakdown() < 1.0);
    assert!(
        fit.comparability[0].standardized_difference.abs() < 0.1 && fit.warnings().is_empty(),
        "{fit}"
    );
}

#[test]
fn a_linear_learner_is_the_regression_and_bootstraps_its_error() {
    let (test, past, _) = samples(5, 400, 0.0);
    let index = SurrogateIndex::new("y ~ s + x", "w");
    let regression = index.fit(&test, &past).unwrap();
    let learner = index.learner(Learner::linear()).bootstrap(120).seed(7);
    let fit = learner.fit(&test, &past).unwrap();
    assert!((fit.effect.estimate - regression.effect.estimate).abs() < 1e-8);
    assert!(
        (fit.effect.std_error / regression.effect.std_error - 1.0).abs() < 0.25,
        "{fit}"
    );
    assert_eq!(fit, learner.fit(&test, &past).unwrap());
    let forgot = SurrogateIndex::new("y ~ s", "w").learner(Learner::linear());
    assert!(matches!(
        forgot.fit(&test, &past),
        Err(Error::SeedRequired { .. })
    ));
}

#[test]
fn other_worlds_and_bad_input_are_named() {
    let (test, past, _) = samples(6, 300, 0.0);
    let shifted: Vec<f64> = test.real("s").unwrap().iter().map(|s| s + 6.0).collect();
    let far = SurrogateIndex::new("y ~ s + x", "w")
        .fit(&test.replace("s", shifted).unwrap(), &past)
        .unwrap();
    assert!(far.warnings().len() == 2 && far.outside > 0.3);
    // Rows without surrogate or treatment are counted.
    let mut s = test.real("s").unwrap().to_vec();
    s[0] = f64::NAN;
    let gap = SurrogateIndex::new("y ~ s + x", "w")
        .fit(&test.replace("s", s).unwrap(), &past)
        .unwrap();
    assert_eq!(gap.experimental_rows, 299);
    let all = test.replace("w", vec![1.0; 300]).unwrap();
    assert!(matches!(
        SurrogateIndex::new("y ~ s", "w").fit(&all, &past),
        Err(Error::Unidentified { .. })
    ));
    assert!(
        SurrogateIndex::new("y ~ nothing", "w")
            .fit(&test, &past)
            .is_err()
    );
    assert!(SurrogateIndex::new("y ~ s", "s").fit(&test, &past).is_err());
}
