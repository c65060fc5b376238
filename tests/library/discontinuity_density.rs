//! A jump of the density at the cutoff: agreement with rddensity, size and power, bad input.

use crate::support::{agree, data, fixture, numbers};
use cocreate::prelude::*;
use proptest::prelude::{prop_assert, proptest};
use proptest::test_runner::Config;
use rand::RngExt;
use rand_distr::{Distribution as _, StandardNormal};
use serde_json::Value;

fn model(case: &Value) -> DiscontinuityDensity {
    let options = &case["options"];
    let mut model = DiscontinuityDensity::new(
        case["x"].as_str().unwrap(),
        options["c"].as_f64().unwrap_or(0.0),
    );
    if let Some(p) = options["p"].as_u64() {
        model = model.order(p as usize);
    }
    if let Some(q) = options["q"].as_u64() {
        model = model.bias_order(q as usize);
    }
    if options["fitselect"] == "restricted" {
        model = model.restricted();
    }
    model = model.kernel(match options["kernel"].as_str() {
        Some("epanechnikov") => LocalKernel::Epanechnikov,
        Some("uniform") => LocalKernel::Uniform,
        _ => LocalKernel::Triangular,
    });
    model.bandwidth_rule(match options["bwselect"].as_str() {
        Some("each") => DensityBandwidthRule::Each,
        Some("diff") => DensityBandwidthRule::Difference,
        Some("sum") => DensityBandwidthRule::Sum,
        _ => DensityBandwidthRule::Combined,
    })
}

#[test]
fn densities_errors_and_bandwidths_are_those_of_rddensity() {
    let frame = data("tests/reference/discontinuity.csv");
    let senate = data("tests/reference/senate.csv");
    for case in fixture("discontinuity_density")["values"]
        .as_array()
        .unwrap()
    {
        let frame = if case["x"] == "margin" {
            &senate
        } else {
            &frame
        };
        let what = format!("{} {}", case["x"], case["options"]);
        let fit = model(case).fit(frame).unwrap();
        agree(
            &what,
            &fit.bandwidths(),
            &numbers(&case["bandwidths"]),
            1e-8,
        );
        agree(
            &what,
            fit.estimates().as_slice(),
            &numbers(&case["densities"]),
            1e-8,
        );
        let errors = fit.std_errors();
        let ours = [errors[0], errors[1], fit.difference().std_error];
        agree(&what, &ours, &numbers(&case["errors"]), 1e-8);
        let test = fit.test();
        agree(&what, &[test.statistic], &numbers(&case["statistic"]), 1e-7);
        assert!((test.p_value - case["p_value"].as_f64().unwrap()).abs() < 1e-8);
        let effective = fit.effective_rows().map(|n| n as f64);
        agree(&what, &effective, &numbers(&case["effective"]), 1e-15);
    }
}

/// Numbers from `2 Beta(2, 4) − 1`; a share of those just below zero is moved to just above.
fn scores(rows: usize, seed: u64, sample: u64, steered: f64) -> Frame {
    let mut rng = Seed::new(seed).stream(sample);
    let draw = |_| -> f64 {
        let mut five: [f64; 5] = std::array::from_fn(|_| rng.random());
        five.sort_unstable_by(f64::total_cmp);
        let x = 2.0 * five[1] - 1.0;
        let steers: f64 = rng.random();
        if x < 0.0 && x > -0.1 && steers < steered {
            -x
        } else {
            x
        }
    };
    Frame::new()
        .with("x", (0..rows).map(draw).collect::<Vec<f64>>())
        .unwrap()
}

/// How often the test rejects at 5 % in 300 samples of 1 000.
fn rejected(model: &DiscontinuityDensity, make: impl Fn(u64) -> Frame) -> f64 {
    let samples = 300;
    let reject = |sample| model.fit(&make(sample)).unwrap().test().p_value < 0.05;
    (0..samples).filter(|s| reject(*s)).count() as f64 / samples as f64
}

#[test]
fn the_test_has_its_size_and_finds_steering() {
    let free = DiscontinuityDensity::new("x", 0.0);
    let restricted = free.clone().restricted();
    let normal = |sample| {
        let mut rng = Seed::new(45).stream(sample);
        let draws = (0..1000).map(|_| -> f64 { StandardNormal.sample(&mut rng) });
        Frame::new()
            .with("x", draws.map(|z| z + 0.3).collect::<Vec<f64>>())
            .unwrap()
    };
    // Monte Carlo error 1.3 points.
    for model in [&free, &restricted] {
        let size = rejected(model, normal);
        assert!(size > 0.01 && size < 0.085, "{size}");
    }
    let size = rejected(&free, |sample| scores(1000, 41, sample, 0.0));
    assert!(size > 0.01 && size < 0.085, "{size}");
    let power = rejected(&free, |sample| scores(1000, 41, sample, 0.4));
    assert!(power > 0.65, "{power}");
    // Where the density bends, the restriction makes bandwidths too wide and rejects what holds.
    let size = rejected(&restricted, |sample| scores(1000, 41, sample, 0.0));
    assert!(size > 0.15, "{size}");
}

#[test]
fn what_must_hold_for_any_running_variable() {
    proptest!(Config::with_cases(24), |(seed in 0_u64..1000, scale in 0.01_f64..50.0, shift in -9.0_f64..9.0)| {
        let frame = scores(400, 42, seed, 0.1);
        let x = frame.real("x").unwrap().to_vec();
        let fit = |cutoff: f64, x: Vec<f64>| {
            let frame = Frame::new().with("x", x).unwrap();
            DiscontinuityDensity::new("x", cutoff).fit(&frame).unwrap()
        };
        let base = fit(0.0, x.clone());
        let near = |a: f64, b: f64| (a - b).abs() < 1e-6 * (1.0 + b.abs());
        let moved = fit(shift, x.iter().map(|x| scale * x + shift).collect());
        prop_assert!(near(moved.test().statistic, base.test().statistic));
        prop_assert!(near(moved.estimates()[0] * scale, base.estimates()[0]));
        prop_assert!(near(moved.bandwidths()[1] / scale, base.bandwidths()[1]));
        let mirror = fit(0.0, x.iter().map(|x| -x).collect());
        prop_assert!(near(mirror.test().statistic, -base.test().statistic));
        prop_assert!(near(mirror.estimates()[1], base.estimates()[0]));
        let turned = fit(0.0, (0..400).map(|i| x[(i * 7 + 3) % 400]).collect());
        prop_assert!(turned == base);
    });
}

#[test]
fn bad_input_is_an_error_or_a_warning_that_names_it() {
    let frame = scores(300, 43, 0, 0.0);
    let model = || DiscontinuityDensity::new("x", 0.0);
    let says = |result: cocreate::Result<DiscontinuityDensityFit>, parts: &[&str]| {
        let text = result.unwrap_err().to_string();
        assert!(parts.iter().all(|part| text.contains(part)), "{text}");
    };
    says(
        DiscontinuityDensity::new("x", 2.0).fit(&frame),
        &["`cutoff`", "inside the range of `x`"],
    );
    says(model().order(4).fit(&frame), &["`order`", "1, 2 or 3"]);
    says(model().bias_order(7).fit(&frame), &["`bias_order`"]);
    says(model().bandwidth(0.0).fit(&frame), &["`bandwidth`"]);
    says(
        model().bandwidth(1e-9).fit(&frame),
        &["density at the cutoff", "widen"],
    );
    says(
        model().restricted().bandwidths(0.2, 0.3).fit(&frame),
        &["`bandwidths`"],
    );
    says(
        model()
            .restricted()
            .bandwidth_rule(DensityBandwidthRule::Each)
            .fit(&frame),
        &["`bandwidth_rule`"],
    );
    let coarse: Vec<f64> = frame
        .real("x")
        .unwrap()
        .iter()
        .map(|x| (x * 3.0).round() / 3.0)
        .collect();
    let coarse = Frame::new().with("x", coarse).unwrap();
    says(
        model().fit(&coarse),
        &["3 and", "distinct values", "at least 5"],
    );
    let names = Frame::new().with("x", vec!["low", "high"]).unwrap();
    assert!(matches!(model().fit(&names), Err(Error::WrongKind { .. })));
    let none = Frame::new().with("x", vec![f64::NAN; 9]).unwrap();
    assert!(matches!(model().fit(&none), Err(Error::NoRows { .. })));
    let infinite = Frame::new().with("x", vec![1.0, f64::INFINITY]).unwrap();
    assert!(matches!(
        model().fit(&infinite),
        Err(Error::Infinite { row: 2, .. })
    ));
    let fine: Vec<f64> = frame
        .real("x")
        .unwrap()
        .iter()
        .map(|x| (x * 50.0).round() / 50.0)
        .collect();
    let fit = model().fit(&Frame::new().with("x", fine).unwrap()).unwrap();
    assert!(fit.warnings()[0].to_string().contains("mass points"));
    let few = model().bandwidth(0.05).fit(&frame).unwrap();
    assert!(few.warnings()[0].to_string().contains("few rows"));
}

#[test]
fn the_curve_meets_the_densities_and_the_histogram_has_all_rows() {
    let frame = scores(2000, 44, 0, 0.3);
    let fit = DiscontinuityDensity::new("x", 0.0).fit(&frame).unwrap();
    for (side, curve) in fit.curves().iter().enumerate() {
        // At the cutoff the curve is the estimate and its band the interval.
        assert!((curve.density[0] - fit.estimates()[side]).abs() < 1e-9);
        let half = (curve.upper[0] - curve.lower[0]) / 2.0 / 1.959964;
        assert!((half / fit.std_errors()[side] - 1.0).abs() < 1e-6);
        let width = (curve.bins[1] - curve.bins[0]).abs();
        let reach = width * curve.bins.len() as f64;
        let share: f64 = curve.heights.iter().map(|h| h * width).sum();
        let x = frame.real("x").unwrap().iter();
        let inside = x
            .filter(|x| (**x >= 0.0) == (side == 1) && x.abs() <= reach + 1e-12)
            .count();
        assert!((share * 2000.0 - inside as f64).abs() < 1e-6);
    }
    let figure = fit.density_plot().unwrap();
    let svg = figure.to_svg();
    assert!(svg.contains("Density of x around 0") && svg.contains("histogram"));
    let text = fit.to_string();
    assert!(
        text.contains("does not jump at 0") && text.contains("triangular kernel"),
        "{text}"
    );
}
