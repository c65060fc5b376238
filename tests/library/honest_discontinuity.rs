//! Honest intervals at a cutoff: agreement with a linear programme, coverage, what must hold, bad input.

use crate::discontinuity::{DESIGNS, mapped, simulated};
use crate::support::{agree, data, fixture, numbers};
use cocreate::prelude::*;
use rand::RngExt;

#[test]
fn worst_biases_are_those_of_a_linear_programme() {
    let frame = data("tests/reference/discontinuity.csv");
    for case in fixture("honest_discontinuity")["values"]
        .as_array()
        .unwrap()
    {
        let number = |name: &str| case[name].as_f64().unwrap();
        let model = RegressionDiscontinuity::new("y", "x", 0.0)
            .bandwidth(number("h"))
            .kernel(match case["kernel"].as_str().unwrap() {
                "epa" => LocalKernel::Epanechnikov,
                "uni" => LocalKernel::Uniform,
                _ => LocalKernel::Triangular,
            });
        let critical = numbers(&case["critical"]);
        for (level, critical) in [0.9, 0.95, 0.99].iter().zip(critical) {
            let honest = if number("fuzzy") > 0.0 {
                let bounds = [number("curvature"), number("fuzzy")];
                (model.clone().fuzzy("taken")).honest_fuzzy(&frame, bounds, *level)
            } else {
                model.honest(&frame, number("curvature"), *level)
            };
            let honest = honest.unwrap();
            let what = format!("{} {}", case["kernel"], case["h"]);
            let ours = [honest.estimate.estimate, honest.estimate.std_error];
            agree(&what, &ours, &[number("estimate"), number("error")], 1e-9);
            // The programme has 400 cells.
            agree(&what, &[honest.worst_bias], &[number("bias")], 1e-4);
            agree(&what, &[honest.critical_value], &[critical], 1e-4);
            let half = honest.critical_value * honest.estimate.std_error;
            assert!((honest.interval.upper - honest.estimate.estimate - half).abs() < 1e-12);
        }
    }
}

/// Treatment that the rule moves by one half, with an effect of one; the second derivatives of both means are 0.2 and 1.2.
fn fuzzy(rows: usize, sample: u64) -> Frame {
    let mut random = Seed::new(sample).child("fuzzy").stream(0);
    let (mut x, mut t, mut y) = (vec![], vec![], vec![]);
    for _ in 0..rows {
        let at: f64 = 2.0 * random.random::<f64>() - 1.0;
        let share = 0.2 + if at >= 0.0 { 0.5 } else { 0.0 } + 0.1 * at * at;
        let taken = f64::from(u8::from(random.random::<f64>() < share));
        let noise: f64 = (0..4).map(|_| random.random::<f64>()).sum::<f64>() - 2.0;
        x.push(at);
        t.push(taken);
        y.push(taken + 0.5 * at * at + 0.8 * noise);
    }
    let frame = Frame::new().with("x", x).unwrap();
    frame.with("t", t).unwrap().with("y", y).unwrap()
}

#[test]
fn fuzzy_intervals_cover_and_sharp_ones_are_their_limit() {
    let samples = 100_u64;
    let design = RegressionDiscontinuity::new("y", "x", 0.0);
    let mut covered = 0;
    for sample in 0..samples {
        let model = design.clone().fuzzy("t");
        let frame = fuzzy(600, sample);
        let honest = model.honest_fuzzy(&frame, [1.2, 0.2], 0.95).unwrap();
        covered += u32::from(honest.interval.lower <= 1.0 && 1.0 <= honest.interval.upper);
    }
    println!("{covered} of {samples}");
    // The Monte Carlo error is 2.2 points.
    assert!((90..=100).contains(&covered));
    // A rule that decides treatment alone, with a treatment that bends nowhere: a sharp design.
    let frame = fuzzy(800, 7);
    let rule: Vec<f64> = (frame.real("x").unwrap().iter())
        .map(|x| f64::from(u8::from(*x >= 0.0)))
        .collect();
    let frame = frame.with("rule", rule).unwrap();
    let sharp = design.honest(&frame, 1.2, 0.95).unwrap();
    let limit = design.clone().fuzzy("rule");
    let limit = limit.honest_fuzzy(&frame, [1.2, 1e-12], 0.95).unwrap();
    assert!((sharp.interval.lower - limit.interval.lower).abs() < 1e-4);
    assert!((sharp.interval.upper - limit.interval.upper).abs() < 1e-4);
    // A rule that moves hardly anybody is said.
    let chance: Vec<f64> = (0..800).map(|i| f64::from(u8::from(i % 7 < 3))).collect();
    let frame = frame.with("chance", chance).unwrap();
    let weak = design
        .clone()
        .fuzzy("chance")
        .honest_fuzzy(&frame, [1.2, 0.2], 0.95);
    let weak = weak.unwrap();
    assert!(
        weak.warnings()
            .iter()
            .any(|w| matches!(w, Warning::WeakInstruments { .. }))
    );
    let refused = |result: cocreate::Result<HonestDiscontinuity>| result.unwrap_err().to_string();
    let text = refused(design.honest_fuzzy(&frame, [1.2, 0.2], 0.95));
    assert!(
        text.contains("`honest_fuzzy`") && text.contains("sharp"),
        "{text}"
    );
    let text = refused(design.clone().fuzzy("t").honest(&frame, 1.2, 0.95));
    assert!(text.contains("honest_fuzzy"), "{text}");
    let text = refused(design.fuzzy("t").honest_fuzzy(&frame, [1.2, 0.0], 0.95));
    assert!(text.contains("`curvature`"), "{text}");
}

/// The largest second derivative of a design on its support.
fn largest_curvature(design: usize) -> f64 {
    let mut largest = 0.0_f64;
    for (side, sign) in [(0, -1.0), (1, 1.0)] {
        let b = DESIGNS[design][side];
        for step in 0..=1000 {
            let x = sign * f64::from(step) / 1000.0;
            let second: f64 = (2..6_i32)
                .map(|k| f64::from(k * (k - 1)) * b[k as usize] * x.powi(k - 2))
                .sum();
            largest = largest.max(second.abs());
        }
    }
    largest
}

#[test]
fn intervals_cover_at_least_as_often_as_they_say() {
    let samples = 200_u64;
    for (design, [left, right]) in DESIGNS.iter().enumerate() {
        let truth = right[0] - left[0];
        let curvature = largest_curvature(design);
        let mut covered = 0;
        for sample in 0..samples {
            let frame = simulated(design, 500, 61, sample);
            let model = RegressionDiscontinuity::new("y", "x", 0.0);
            let honest = model.honest(&frame, curvature, 0.95).unwrap();
            covered += u32::from(honest.interval.lower <= truth && truth <= honest.interval.upper);
        }
        println!(
            "design {}: curvature {curvature:.1}, covered {covered} of {samples}",
            design + 1
        );
        // Monte Carlo error 1.5 points; standard errors of few rows cost some.
        assert!(covered >= 182, "{covered}");
    }
}

#[test]
fn bandwidths_are_the_shortest_and_curvature_has_the_units_of_the_data() {
    let frame = simulated(0, 600, 62, 0);
    let model = RegressionDiscontinuity::new("y", "x", 0.0);
    let best = model.honest(&frame, 5.0, 0.95).unwrap();
    let length = |i: &Interval| i.upper - i.lower;
    for factor in [0.6, 0.8, 1.2, 1.5] {
        let other = model.clone().bandwidth(factor * best.bandwidths[0]);
        let other = other.honest(&frame, 5.0, 0.95).unwrap();
        assert!(length(&other.interval) > length(&best.interval), "{factor}");
    }
    // A straighter function allows a wider bandwidth and a shorter interval.
    let straight = model.honest(&frame, 0.5, 0.95).unwrap();
    assert!(straight.bandwidths[0] > best.bandwidths[0]);
    assert!(length(&straight.interval) < length(&best.interval));
    let units = mapped(&mapped(&frame, "x", |x| 10.0 * x), "y", |y| 3.0 * y);
    let there = model.honest(&units, 5.0 * 3.0 / 100.0, 0.95).unwrap();
    assert!((there.estimate.estimate / 3.0 - best.estimate.estimate).abs() < 1e-3);
    assert!((length(&there.interval) / 3.0 / length(&best.interval) - 1.0).abs() < 1e-3);
    // A parabola is found by the rule of thumb.
    let parabola = mapped(&with_x(&frame), "y", |x| 1.0 + x - 2.5 * x * x);
    let rule = model.curvature_rule_of_thumb(&parabola).unwrap();
    assert!((rule - 5.0).abs() < 1e-6, "{rule}");
    assert!(best.to_string().contains("Worst bias"));
}

/// The running variable as the outcome too.
fn with_x(frame: &Frame) -> Frame {
    let x = frame.real("x").unwrap().to_vec();
    Frame::new()
        .with("x", x.clone())
        .unwrap()
        .with("y", x)
        .unwrap()
}

#[test]
fn bad_input_is_named() {
    let frame = simulated(0, 300, 63, 0);
    let model = || RegressionDiscontinuity::new("y", "x", 0.0);
    let error = |model: RegressionDiscontinuity, m: f64, level: f64| {
        model.honest(&frame, m, level).unwrap_err().to_string()
    };
    assert!(error(model(), 0.0, 0.95).contains("`curvature`"));
    assert!(error(model(), 1.0, 1.0).contains("`level`"));
    assert!(error(model().order(2), 1.0, 0.95).contains("design of order 1"));
    assert!(error(model().covariates("x"), 1.0, 0.95).contains("covariates"));
    assert!(error(model().bandwidth(1e-9), 1.0, 0.95).contains("distinct values"));
}
