//! Regression discontinuity: agreement with rdrobust, coverage, what must hold for any data, bad input.

use crate::support::{agree, data, fixture, numbers};
use cocreate::prelude::*;
use proptest::prelude::{prop_assert, proptest};
use proptest::test_runner::Config;
use rand::RngExt;
use rand::rngs::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use serde_json::Value;

fn rule(name: &str) -> BandwidthRule {
    *BandwidthRule::ALL
        .iter()
        .find(|rule| rule.to_string() == name)
        .unwrap()
}

fn strings(value: &Value) -> Vec<&str> {
    let items = value.as_array().unwrap().iter();
    items.map(|v| v.as_str().unwrap()).collect()
}

fn pair(value: &Value) -> [f64; 2] {
    let both = numbers(value);
    [both[0], both[both.len() - 1]]
}

/// The model of a case of the fixture.
fn model(case: &Value) -> RegressionDiscontinuity {
    let options = &case["options"];
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let count = |name: &str| options[name].as_u64().map(|n| n as usize);
    let mut model = RegressionDiscontinuity::new(
        case["y"].as_str().unwrap(),
        case["x"].as_str().unwrap(),
        options["c"].as_f64().unwrap_or(0.0),
    );
    if let Some(nu) = count("deriv") {
        model = model.derivative(nu);
    }
    if let Some(p) = count("p") {
        model = model.order(p);
    }
    if let Some(q) = count("q") {
        model = model.bias_order(q);
    }
    if let Some(k) = count("nnmatch") {
        model = model.neighbours(k);
    }
    if let Some(name) = options["bwselect"].as_str() {
        model = model.bandwidth_rule(rule(name));
    }
    if !options["h"].is_null() {
        let [left, right] = pair(&options["h"]);
        model = model.bandwidths(left, right);
    }
    if !options["b"].is_null() {
        let [left, right] = pair(&options["b"]);
        model = model.bias_bandwidths(left, right);
    }
    if let Some(factor) = options["scaleregul"].as_f64() {
        model = model.regularization(factor);
    }
    if options["sharpbw"] == true {
        model = model.sharp_bandwidth();
    }
    model = model.kernel(match options["kernel"].as_str() {
        Some("epa") => LocalKernel::Epanechnikov,
        Some("uni") => LocalKernel::Uniform,
        _ => LocalKernel::Triangular,
    });
    model = model.variance(match options["vce"].as_str() {
        Some("hc0") => ResidualVariance::Hc0,
        Some("hc1" | "cr1") => ResidualVariance::Hc1,
        Some("hc2" | "cr2") => ResidualVariance::Hc2,
        Some("hc3" | "cr3") => ResidualVariance::Hc3,
        _ => ResidualVariance::NearestNeighbour,
    });
    model = model.mass_points(match options["masspoints"].as_str() {
        Some("check") => MassPoints::Check,
        Some("off") => MassPoints::Ignore,
        _ => MassPoints::Adjust,
    });
    let covariates = strings(&case["covariates"]);
    if !covariates.is_empty() {
        model = model.covariates(covariates.join(" + "));
    }
    if let Some(column) = text(&case["fuzzy"]) {
        model = model.fuzzy(column);
    }
    if let Some(column) = text(&case["weights"]) {
        model = model.weights(column);
    }
    if let Some(column) = text(&case["cluster"]) {
        model = model.clusters(column);
    }
    model
}

#[test]
fn estimates_errors_and_bandwidths_are_those_of_rdrobust() {
    let reference = fixture("discontinuity");
    let frame = data("tests/reference/discontinuity.csv");
    let senate = data("tests/reference/senate.csv");
    for case in reference["values"].as_array().unwrap() {
        let frame = if case["y"] == "vote" { &senate } else { &frame };
        let what = format!("{} {} {}", case["y"], case["fuzzy"], case["options"]);
        let fit = model(case).fit(frame).unwrap();
        let (h, b) = (fit.bandwidths().estimate, fit.bandwidths().bias);
        agree(
            &what,
            &[h[0], h[1], b[0], b[1]],
            &numbers(&case["bandwidths"]),
            1e-8,
        );
        let (us, bc, rb) = (fit.conventional(), fit.bias_corrected(), fit.robust());
        agree(
            &what,
            &[us.estimate, bc.estimate],
            &numbers(&case["estimates"]),
            1e-8,
        );
        agree(
            &what,
            &[us.std_error, rb.std_error],
            &numbers(&case["errors"]),
            1e-8,
        );
        let effective = fit.effective_rows().map(|n| n as f64);
        agree(&what, &effective, &numbers(&case["effective"]), 1e-15);
        if let Some(treatment) = case["fuzzy"].as_str() {
            let us = fit.conventional_jumps().coefficient(treatment).unwrap();
            let rb = fit.jumps().coefficient(treatment).unwrap();
            let ours = [us.estimate, rb.estimate];
            agree(&what, &ours, &numbers(&case["first_stage"]), 1e-8);
            let ours = [us.std_error, rb.std_error];
            agree(&what, &ours, &numbers(&case["first_stage_errors"]), 1e-8);
        }
    }
}

/// The designs of Calonico, Cattaneo & Titiunik (2014): mean outcomes on the left and on the right, by powers of the running variable.
pub const DESIGNS: [[[f64; 6]; 2]; 3] = [
    [
        [0.48, 1.27, 7.18, 20.21, 21.54, 7.33],
        [0.52, 0.84, -3.0, 7.99, -9.01, 3.56],
    ],
    [
        [3.71, 2.3, 3.28, 1.45, 0.23, 0.03],
        [0.26, 18.49, -54.81, 74.3, -45.02, 9.83],
    ],
    [
        [0.48, 1.27, -3.59, 14.147, 23.694, 10.995],
        [0.52, 0.84, -0.3, -2.397, -0.901, 3.56],
    ],
];

/// Running variable `2 Beta(2, 4) − 1`, and an outcome with noise of standard deviation 0.1295.
pub fn simulated(design: usize, rows: usize, seed: u64, sample: u64) -> Frame {
    let mut rng = Seed::new(seed).stream(sample);
    let (mut x, mut y) = (Vec::new(), Vec::new());
    for _ in 0..rows {
        // The second smallest of five uniform numbers has the distribution Beta(2, 4).
        let mut five: [f64; 5] = std::array::from_fn(|_| rng.random());
        five.sort_unstable_by(f64::total_cmp);
        let at = 2.0 * five[1] - 1.0;
        let means = DESIGNS[design][usize::from(at >= 0.0)];
        let mean = means.iter().rev().fold(0.0, |sum, b| sum * at + b);
        let noise: f64 = StandardNormal.sample(&mut rng);
        x.push(at);
        y.push(mean + 0.1295 * noise);
    }
    Frame::new().with("x", x).unwrap().with("y", y).unwrap()
}

#[test]
fn robust_intervals_cover_where_conventional_ones_do_not() {
    let samples = 400_u64;
    for (design, [left, right]) in DESIGNS.iter().enumerate() {
        let truth = right[0] - left[0];
        let (mut covered, mut bias) = ([0.0; 3], [0.0; 2]);
        for sample in 0..samples {
            let frame = simulated(design, 500, 20 + design as u64, sample);
            let model = RegressionDiscontinuity::new("y", "x", 0.0);
            let fit = model.fit(&frame).unwrap();
            let coverage = model.bandwidth_rule(BandwidthRule::CerRd).fit(&frame);
            let robust = [fit.robust(), coverage.unwrap().robust()];
            for (at, estimate) in std::iter::once(fit.conventional())
                .chain(&robust)
                .enumerate()
            {
                let interval = estimate.confidence_interval(0.95).unwrap();
                let inside = interval.lower <= truth && truth <= interval.upper;
                covered[at] += f64::from(u8::from(inside)) / samples as f64;
            }
            bias[0] += (fit.conventional().estimate - truth) / samples as f64;
            bias[1] += (fit.robust().estimate - truth) / samples as f64;
        }
        let what = format!(
            "design {}: covered {covered:.3?}, bias {bias:.4?}",
            design + 1
        );
        println!("{what}");
        // Monte Carlo error of a coverage is 1.1 points.
        assert!(covered[0] < 0.925, "{what}");
        assert!(
            covered[1] > covered[0] + 0.008 && covered[1] < 0.97,
            "{what}"
        );
        assert!(covered[1] > 0.9 && covered[2] > 0.905, "{what}");
        assert!(bias[1].abs() < bias[0].abs(), "{what}");
    }
}

/// The same rows with other numbers.
fn with(frame: &Frame, name: &str, values: Vec<f64>) -> Frame {
    let others = frame.names().iter().filter(|n| n.as_str() != name);
    let kept = others.fold(Frame::new(), |out, n| {
        out.with(n.clone(), frame.column(n).unwrap().clone())
            .unwrap()
    });
    kept.with(name, values).unwrap()
}

pub fn mapped(frame: &Frame, name: &str, change: impl Fn(f64) -> f64) -> Frame {
    let values = frame.numeric(name).unwrap();
    with(
        frame,
        name,
        values.values().iter().map(|v| change(*v)).collect(),
    )
}

pub fn three(fit: &RegressionDiscontinuityFit) -> [f64; 4] {
    let (us, rb) = (fit.conventional(), fit.robust());
    [us.estimate, rb.estimate, us.std_error, rb.std_error]
}

#[test]
fn what_must_hold_for_any_data() {
    let variances = [
        ResidualVariance::NearestNeighbour,
        ResidualVariance::Hc1,
        ResidualVariance::Hc3,
    ];
    proptest!(Config::with_cases(24), |(seed in 0_u64..1000, scale in 0.01_f64..50.0, shift in -9.0_f64..9.0, pick in 0_usize..3, choice in 0_usize..10)| {
        let frame = simulated((seed % 3) as usize, 300, 77, seed);
        let model = |cutoff: f64| RegressionDiscontinuity::new("y", "x", cutoff)
            .variance(variances[pick])
            .bandwidth_rule(BandwidthRule::ALL[choice]);
        let fit = model(0.0).fit(&frame).unwrap();
        let base = three(&fit);
        let close = |ours: [f64; 4], factor: f64, what: &str| {
            let size = base.iter().fold(0.0_f64, |m, v| m.max(v.abs()));
            for (a, b) in ours.iter().zip(base) {
                prop_assert!((a / factor - b).abs() < 1e-7 * size, "{what}: {ours:?} {base:?}");
            }
            Ok(())
        };
        // A unit of the running variable, and where its zero is, say nothing; bandwidths follow it.
        let moved = mapped(&frame, "x", |x| scale * x + shift);
        let there = model(shift).fit(&moved).unwrap();
        close(three(&there), 1.0, "running variable")?;
        let (h, wide) = (fit.bandwidths().estimate[0], there.bandwidths().estimate[0]);
        prop_assert!((wide / scale - h).abs() < 1e-7 * h);
        // The outcome's unit is that of the effect; a constant drops out, and from residuals of the fit a slope too.
        let slope = f64::from(u8::from(pick > 0));
        let moved = with(&frame, "y", {
            let x = frame.real("x").unwrap().iter();
            x.zip(frame.real("y").unwrap()).map(|(x, y)| scale * y + shift + slope * x).collect()
        });
        close(three(&model(0.0).fit(&moved).unwrap()), scale, "outcome")?;
        // Rows have no order.
        let n = frame.rows();
        let at = |name: &str| -> Vec<f64> {
            let values = frame.real(name).unwrap();
            (0..n).map(|i| values[(i * 7 + 3) % n]).collect()
        };
        let turned = Frame::new().with("x", at("x")).unwrap().with("y", at("y")).unwrap();
        close(three(&model(0.0).fit(&turned).unwrap()), 1.0, "order")?;
        // In the mirror the effect has the other sign and the same error.
        let mirror = three(&model(0.0).fit(&mapped(&frame, "x", |x| -x)).unwrap());
        close([-mirror[0], -mirror[1], mirror[2], mirror[3]], 1.0, "mirror")?;
        // Weights have no unit, and rows without weight are not there.
        let weights: Vec<f64> = (0..n).map(|i| scale * f64::from(u8::from(i % 5 != 0))).collect();
        let weighted = frame.clone().with("w", weights.clone()).unwrap();
        let keep: Vec<bool> = weights.iter().map(|w| *w > 0.0).collect();
        let fewer = model(0.0).fit(&frame.filter(&keep).unwrap()).unwrap();
        let weighted = three(&model(0.0).weights("w").fit(&weighted).unwrap());
        for (a, b) in weighted.iter().zip(three(&fewer)) {
            prop_assert!((a - b).abs() < 1e-9, "{weighted:?} {fewer:?}");
        }
    });
}

#[test]
fn one_thread_and_seven_give_the_same_bits() {
    let frame = simulated(0, 2000, 5, 0);
    let fit = || {
        RegressionDiscontinuity::new("y", "x", 0.0)
            .fit(&frame)
            .unwrap()
    };
    let pool = |n| {
        rayon::ThreadPoolBuilder::new()
            .num_threads(n)
            .build()
            .unwrap()
    };
    assert_eq!(pool(1).install(fit), pool(7).install(fit));
}

#[test]
fn a_rule_that_everybody_follows_is_sharp() {
    let frame = simulated(0, 600, 6, 0);
    let taken: Vec<bool> = frame.real("x").unwrap().iter().map(|x| *x >= 0.0).collect();
    let frame = frame.with("taken", taken).unwrap();
    let model = RegressionDiscontinuity::new("y", "x", 0.0);
    let (sharp, fuzzy) = (
        model.fit(&frame).unwrap(),
        model.fuzzy("taken").fit(&frame).unwrap(),
    );
    for (a, b) in three(&sharp).iter().zip(three(&fuzzy)) {
        assert!((a - b).abs() < 1e-9, "{a} {b}");
    }
    assert!(fuzzy.first_stage_f().unwrap() > 1e12);
    let set = fuzzy.confidence_set("effect", 0.95).unwrap();
    let interval = sharp.robust_interval(0.95).unwrap();
    assert!((set.segments[0].lower - interval.lower).abs() < 1e-6);
}

#[test]
fn a_weak_first_stage_is_said_and_its_set_covers() {
    // Treatment jumps by 0.15; the effect is 1.
    let (mut covered, mut unbounded, mut warned) = (0, 0, 0);
    let samples = 400;
    for sample in 0..samples {
        let frame = simulated(0, 500, 31, sample);
        let mut rng = Seed::new(32).stream(sample);
        let x = frame.real("x").unwrap().to_vec();
        let (mut taken, mut y) = (Vec::new(), Vec::new());
        for x in &x {
            let wish: f64 = rng.random();
            let noise: f64 = StandardNormal.sample(&mut rng);
            let d = f64::from(u8::from(wish < if *x >= 0.0 { 0.65 } else { 0.5 }));
            taken.push(d);
            y.push(d + x + 2.0 * wish + 0.2 * noise);
        }
        let frame = with(&frame, "y", y).with("taken", taken).unwrap();
        let fit = RegressionDiscontinuity::new("y", "x", 0.0)
            .fuzzy("taken")
            .fit(&frame)
            .unwrap();
        let set = fit.confidence_set("effect", 0.95).unwrap();
        covered += u32::from(set.contains(1.0));
        unbounded += u32::from(!set.is_bounded());
        warned += u32::from(
            fit.warnings()
                .iter()
                .any(|w| matches!(w, Warning::WeakInstruments { .. })),
        );
    }
    println!("covered {covered}, unbounded {unbounded}, warned {warned} of {samples}");
    assert!((360..=396).contains(&covered), "{covered}");
    assert!(unbounded > 100 && warned > 380);
}

#[test]
fn the_senate_is_as_published() {
    // Calonico, Cattaneo, Farrell & Titiunik (2017), Stata Journal 17(2): 7.414 (1.459), robust 4.094 to 10.919, h = 17.754, b = 28.028.
    let senate = data("tests/reference/senate.csv");
    let fit = RegressionDiscontinuity::new("vote", "margin", 0.0)
        .fit(&senate)
        .unwrap();
    let interval = fit.robust_interval(0.95).unwrap();
    let (us, w) = (fit.conventional(), fit.bandwidths());
    let ours = [
        us.estimate,
        us.std_error,
        interval.lower,
        interval.upper,
        w.estimate[0],
        w.bias[0],
    ];
    for (a, b) in ours
        .iter()
        .zip([7.414, 1.459, 4.094, 10.919, 17.754, 28.028])
    {
        assert!((a - b).abs() < 6e-4, "{a} {b}");
    }
}

/// How often the 95 % robust interval of `effect` covers the truth, over 250 samples.
fn coverage(
    truth: f64,
    model: &RegressionDiscontinuity,
    make: impl Fn(&mut ChaCha8Rng, f64) -> Vec<f64>,
    names: &[&str],
) -> f64 {
    let samples = 250;
    let covered = (0..samples).filter(|sample| {
        let mut rng = Seed::new(71).stream(*sample);
        let mut columns = vec![Vec::new(); names.len() + 1];
        for _ in 0..800 {
            let x = 2.0 * rng.random::<f64>() - 1.0;
            let row = make(&mut rng, x);
            for (column, value) in columns.iter_mut().zip(std::iter::once(x).chain(row)) {
                column.push(value);
            }
        }
        let names = std::iter::once(&"x").chain(names);
        let frame = names
            .zip(columns)
            .fold(Frame::new(), |frame, (name, column)| {
                frame.with(*name, column).unwrap()
            });
        let interval = model.fit(&frame).unwrap().robust_interval(0.95).unwrap();
        interval.lower <= truth && truth <= interval.upper
    });
    covered.count() as f64 / samples as f64
}

#[test]
fn robust_intervals_cover_in_fuzzy_kinked_clustered_and_adjusted_designs() {
    let right = |x: f64| f64::from(u8::from(x >= 0.0));
    let normal = |rng: &mut ChaCha8Rng| -> f64 { StandardNormal.sample(rng) };
    let model = RegressionDiscontinuity::new("y", "x", 0.0);
    // Treatment is taken by 20 % on the left, 80 % on the right, by those who want it most; its effect is 1.
    let fuzzy = coverage(
        1.0,
        &model.clone().fuzzy("taken"),
        |rng, x| {
            let wish: f64 = rng.random();
            let taken = f64::from(u8::from(wish < 0.2 + 0.6 * right(x)));
            vec![taken, taken + x.sin() - 2.0 * wish + 0.3 * normal(rng)]
        },
        &["taken", "y"],
    );
    // The slope rises by 1.5.
    let kink = coverage(
        1.5,
        &model.clone().derivative(1),
        |rng, x| vec![x.cos() + 1.5 * x * right(x) + 0.1 * normal(rng)],
        &["y"],
    );
    // A fuzzy kink: the dose bends by 1.5, each unit of it does 2.
    let fuzzy_kink = coverage(
        2.0,
        &model.clone().derivative(1).fuzzy("dose"),
        |rng, x| {
            let dose = 1.5 * x * right(x) + 0.05 * normal(rng);
            vec![dose, 2.0 * dose + x.sin() + 0.1 * normal(rng)]
        },
        &["dose", "y"],
    );
    // A covariate explains most of the noise.
    let adjusted = coverage(
        0.5,
        &model.clone().covariates("z"),
        |rng, x| {
            let z = normal(rng);
            vec![z, 0.5 * right(x) + x.exp() + z + 0.2 * normal(rng)]
        },
        &["z", "y"],
    );
    println!(
        "fuzzy {fuzzy:.3}, kink {kink:.3}, fuzzy kink {fuzzy_kink:.3}, adjusted {adjusted:.3}"
    );
    // Monte Carlo error 1.4 points.
    for covered in [fuzzy, kink, fuzzy_kink, adjusted] {
        assert!(covered > 0.9 && covered < 0.985, "{covered}");
    }
    // Twenty-five shops on each side, whose customers share a shock: errors that do not know it are too small.
    let clustered = |model: &RegressionDiscontinuity| {
        let samples = 250;
        let covered = (0..samples).filter(|sample| {
            let mut rng = Seed::new(72).stream(*sample);
            let shock: Vec<f64> = (0..50).map(|_| 0.5 * normal(&mut rng)).collect();
            let (mut x, mut shop, mut y) = (Vec::new(), Vec::new(), Vec::new());
            for _ in 0..1500 {
                let at = 2.0 * rng.random::<f64>() - 1.0;
                let own = rng.random_range(0..25_usize) + 25 * usize::from(at >= 0.0);
                x.push(at);
                shop.push(own as f64);
                y.push(at.exp() + shock[own] + 0.3 * normal(&mut rng));
            }
            let frame = Frame::new()
                .with("x", x)
                .unwrap()
                .with("shop", shop)
                .unwrap()
                .with("y", y)
                .unwrap();
            let interval = model.fit(&frame).unwrap().robust_interval(0.95).unwrap();
            interval.lower <= 0.0 && 0.0 <= interval.upper
        });
        covered.count() as f64 / samples as f64
    };
    let alone = clustered(&model.clone().bandwidth(0.5));
    let cr1 = clustered(&model.clone().bandwidth(0.5).clusters("shop"));
    let cr2 = clustered(
        &model
            .clone()
            .bandwidth(0.5)
            .clusters("shop")
            .variance(ResidualVariance::Hc2),
    );
    println!("alone {alone:.3}, CR1 {cr1:.3}, CR2 {cr2:.3}");
    assert!(cr1 > 0.9 && cr2 > 0.91 && cr2 >= cr1 && alone < cr1 - 0.05);
}
