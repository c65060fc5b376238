//! Event studies whose trends need not be parallel: confidence sets against reference software, by simulation and on bad input.

use crate::support::{agree, fixture, numbers};
use cocreate::prelude::*;
use nalgebra::{DMatrix, DVector};
use rand_distr::{Distribution as _, StandardNormal};
use serde_json::Value;

/// Some times before the reference −1, and from 0 on.
fn times(before: usize, after: usize) -> Vec<f64> {
    let earlier = (0..before).map(|i| i as f64 - (before + 1) as f64);
    earlier.chain((0..after).map(|t| t as f64)).collect()
}

/// The published estimates: four years before the reference, and some after.
fn published(values: &Value, after: usize) -> EventStudy {
    let count = 4 + after;
    let rows: Vec<Vec<f64>> = (values["sigma"].as_array().unwrap().iter())
        .map(numbers)
        .collect();
    let sigma = DMatrix::from_fn(count, count, |i, j| rows[i][j]);
    let beta = numbers(&values["beta"]);
    EventStudy::from_estimates(&times(4, after), &beta[..count], &sigma, -1.0).unwrap()
}

#[test]
fn sets_under_relative_magnitudes_are_those_of_honestdid() {
    let reference = fixture("relative_magnitudes");
    let values = &reference["values"];
    for case in values["cases"].as_array().unwrap() {
        let after = case["after"].as_u64().unwrap() as usize;
        let weights = numbers(&case["weights"]);
        let times: Vec<f64> = (0..after)
            .filter(|i| weights[*i] > 0.0)
            .map(|i| i as f64)
            .collect();
        let bound = case["bound"].as_f64().unwrap();
        let sets = published(values, after)
            .relative_magnitudes(&times, &[bound], case["level"].as_f64().unwrap())
            .unwrap();
        let own = &sets.intervals[0];
        let theirs = ["lower", "upper"].map(|end| case[end].as_f64().unwrap());
        agree("set", &[own.lower, own.upper], &theirs, 1e-6);
        // The effect is positive, so that the lower end meets zero at the breakdown value.
        assert_eq!(own.lower > 0.0, bound < sets.breakdown);
    }
}

#[test]
fn the_breakdown_value_is_where_the_set_meets_zero() {
    let values = &fixture("relative_magnitudes")["values"];
    let study = published(values, 4);
    let breakdown = study
        .relative_magnitudes(&[0.0], &[], 0.95)
        .unwrap()
        .breakdown;
    let sets = study
        .relative_magnitudes(&[0.0], &[breakdown - 1e-6, breakdown + 1e-6], 0.95)
        .unwrap();
    assert!(sets.intervals[0].lower > 0.0 && sets.intervals[1].lower < 0.0);
    assert!(sets.intervals[0].lower < 1e-6);
    // Parallel trends, with the share of the first step: the plain interval.
    let parallel = study.relative_magnitudes(&[0.0], &[0.0], 0.95).unwrap();
    let interval = &parallel.intervals[0];
    let plain = &parallel.parallel;
    assert!((interval.lower - plain.lower).abs() < 1e-3 * parallel.std_error);
    // An effect that is not significant under parallel trends has no bound to lose; no change before treatment leaves no unit for one.
    let none = study
        .relative_magnitudes(&[3.0], &[1.0], 1.0 - 1e-7)
        .unwrap();
    assert_eq!(none.breakdown, 0.0);
    let flat = EventStudy::from_estimates(
        &times(2, 2),
        &[0.0, 0.0, 5.0, 6.0],
        &DMatrix::identity(4, 4),
        -1.0,
    )
    .unwrap();
    let sets = flat.relative_magnitudes(&[0.0], &[1.0], 0.95).unwrap();
    assert_eq!(sets.breakdown, f64::INFINITY);
    let back: RelativeMagnitudes =
        serde_json::from_str(&serde_json::to_string(&sets).unwrap()).unwrap();
    assert_eq!(back, sets);
    assert!(sets.plot().unwrap().to_svg().contains("parallel"));
    assert!(sets.to_string().contains("from a bound of ∞ on"), "{sets}");
}

#[test]
fn sets_cover_on_the_border_of_the_bound_and_not_beyond() {
    let runs = 60;
    let covariance = DMatrix::from_fn(5, 5, |i, j| if i == j { 1.0 } else { 0.5 });
    let root = covariance.clone().cholesky().unwrap().l();
    // Trends part by six standard errors in the last period before, and in each period after.
    let trend = DVector::from_vec(vec![-6.0, -6.0, -6.0, 6.0, 12.0]);
    let (mut border, mut beyond) = (0, 0);
    for run in 0..runs {
        let mut random = Seed::new(run).stream(0);
        let noise = DVector::from_fn(5, |_, _| StandardNormal.sample(&mut random));
        let estimates = &trend + &root * noise;
        let study =
            EventStudy::from_estimates(&times(3, 2), estimates.as_slice(), &covariance, -1.0);
        let sets = study
            .unwrap()
            .relative_magnitudes(&[0.0], &[0.3, 1.0], 0.95)
            .unwrap();
        let covers = |at: usize| sets.intervals[at].lower <= 0.0 && sets.intervals[at].upper >= 0.0;
        border += u32::from(covers(1));
        beyond += u32::from(covers(0));
    }
    // 95.3 % and 3 % in 20 000 samples.
    assert!(border >= 52, "{border}");
    assert!(beyond <= 20, "{beyond}");
}

#[test]
fn sets_follow_the_unit_of_measurement_and_the_sign() {
    let values = &fixture("relative_magnitudes")["values"];
    let beta = numbers(&values["beta"]);
    let study = published(values, 4);
    let sets = study.relative_magnitudes(&[0.0, 1.0], &[0.7], 0.9).unwrap();
    for scale in [1e-9, -3.0, 1e8] {
        let moved: Vec<f64> = beta.iter().map(|b| scale * b).collect();
        let sigma = Inference::covariance(&study) * (scale * scale);
        let moved = EventStudy::from_estimates(&times(4, 4), &moved, &sigma, -1.0).unwrap();
        let other = moved.relative_magnitudes(&[0.0, 1.0], &[0.7], 0.9).unwrap();
        let (own, other_set) = (&sets.intervals[0], &other.intervals[0]);
        let mut ends = [scale * own.lower, scale * own.upper];
        ends.sort_unstable_by(f64::total_cmp);
        agree("ends", &[other_set.lower, other_set.upper], &ends, 1e-9);
        agree("breakdown", &[other.breakdown], &[sets.breakdown], 1e-8);
        // Smooth differences in trends, whose bound has the unit of the outcome.
        let smooth = |study: &EventStudy, bound: f64| {
            let found = study.trend_sensitivity(&[0.0, 1.0], &[bound], 0.9).unwrap();
            [found.intervals[0].lower, found.intervals[0].upper]
        };
        let mut ends = smooth(&study, 0.02).map(|end| scale * end);
        ends.sort_unstable_by(f64::total_cmp);
        agree("smooth", &smooth(&moved, 0.02 * scale.abs()), &ends, 1e-6);
    }
}

#[test]
fn estimates_from_elsewhere_are_checked() {
    let good = DMatrix::identity(3, 3);
    let refused = |times: &[f64], estimates: &[f64], sigma: &DMatrix<f64>| {
        EventStudy::from_estimates(times, estimates, sigma, -1.0)
            .unwrap_err()
            .to_string()
    };
    let times = [-2.0, 0.0, 1.0];
    assert!(refused(&times, &[1.0, 2.0], &good).contains("one row and one column a time"));
    assert!(refused(&times, &[1.0, f64::NAN, 2.0], &good).contains("finite"));
    assert!(refused(&[-2.0, -1.0, 1.0], &[1.0; 3], &good).contains("without the reference"));
    assert!(refused(&[0.0, -2.0, 1.0], &[1.0; 3], &good).contains("increasing"));
    let mut skew = good.clone();
    skew[(0, 1)] = 0.5;
    assert!(refused(&times, &[1.0; 3], &skew).contains("symmetric"));
    let study = EventStudy::from_estimates(&times, &[0.1, 1.0, 2.0], &good, -1.0).unwrap();
    assert!(study.at(0.0).unwrap().degrees_of_freedom.is_infinite());
    assert!(study.to_string().contains("as given"), "{study}");
    let refused = |times: &[f64], bounds: &[f64], level: f64| {
        let found = study.relative_magnitudes(times, bounds, level);
        found.unwrap_err().to_string()
    };
    assert!(refused(&[0.0], &[-1.0], 0.95).contains("0 or more"));
    assert!(refused(&[], &[1.0], 0.95).contains("at least one time"));
    assert!(refused(&[0.0], &[1.0], 1.0).contains("between 0 and 1"));
    assert!(refused(&[2.0], &[1.0], 0.95).contains("t+2"));
    // Perfectly correlated effects: their changes have no variance.
    let same = DMatrix::from_element(3, 3, 1.0);
    let study = EventStudy::from_estimates(&times, &[0.1, 1.0, 2.0], &same, -1.0).unwrap();
    let text = study
        .relative_magnitudes(&[0.0], &[0.0], 0.95)
        .unwrap_err()
        .to_string();
    assert!(text.contains("no variance"), "{text}");
    let slope = study.pre_trend_power(f64::NAN).unwrap_err().to_string();
    assert!(slope.contains("slope"), "{slope}");
    let slope = study.pre_trend_power(1e6).unwrap_err().to_string();
    assert!(slope.contains("pass the test"), "{slope}");
}

#[test]
fn effects_that_may_be_anticipated_are_no_sign_of_trends() {
    let rollout = StaggeredRollout {
        units: 300,
        seed: Some(Seed::new(3)),
        keep_oracle: false,
        ..StaggeredRollout::new()
    };
    let frame = rollout.simulate().unwrap().data;
    let study = |anticipation: f64| {
        CallawaySantAnna::new("y", "treated", "unit", "period")
            .anticipation(anticipation)
            .base_period(BasePeriod::Universal)
            .fit(&frame)
            .unwrap()
            .event_study()
            .unwrap()
    };
    let (plain, early) = (study(0.0), study(1.0));
    assert_eq!(early.reference(), Some(-2.0));
    assert!(early.times().contains(&-1.0) && !early.before().contains(&"t-1"));
    assert!(plain.before().contains(&"t-2"));
    let quoted: Vec<String> = (early.before().iter())
        .map(|name| format!("`{name}` = 0"))
        .collect();
    let quoted: Vec<&str> = quoted.iter().map(String::as_str).collect();
    let joint = early.wald(&quoted).unwrap();
    let test = early.pre_trend_test().unwrap();
    assert!((test.statistic - joint.statistic).abs() < 1e-9 * joint.statistic);
}
