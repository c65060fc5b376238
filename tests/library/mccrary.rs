//! McCrary's test of a jump of the density: agreement with its definition, size, power, bad input.

use crate::support::{agree, data, fixture, numbers};
use cocreate::prelude::*;
use rand::RngExt;

#[test]
fn tests_are_those_of_the_definition() {
    let frames = [
        data("tests/reference/discontinuity.csv"),
        data("tests/reference/senate.csv"),
    ];
    for case in fixture("mccrary")["values"].as_array().unwrap() {
        let x = case["x"].as_str().unwrap();
        let number = |value: &serde_json::Value| value.as_f64();
        let mut model = McCraryTest::new(x, number(&case["cutoff"]).unwrap());
        if let Some(b) = number(&case["options"]["bin_width"]) {
            model = model.bin_width(b);
        }
        if let Some(h) = number(&case["options"]["bandwidth"]) {
            model = model.bandwidth(h);
        }
        let fit = model.fit(&frames[usize::from(x == "margin")]).unwrap();
        let [left, right] = fit.densities();
        let ours = [
            fit.bin_width(),
            fit.bandwidth(),
            left,
            right,
            fit.difference().estimate,
            fit.difference().std_error,
        ];
        let theirs = ["bin_width", "bandwidth", "densities", "theta", "error"]
            .map(|name| numbers(&case[name]))
            .concat();
        agree(&case["options"].to_string(), &ours, &theirs, 1e-8);
        assert!((fit.test().p_value - number(&case["p_value"]).unwrap()).abs() < 1e-8);
        let area: f64 = fit.heights().iter().sum::<f64>() * fit.bin_width();
        assert!((area - 1.0).abs() < 1e-12 && fit.bins().len() == fit.heights().len());
        let back: McCraryFit = serde_json::from_str(&serde_json::to_string(&fit).unwrap()).unwrap();
        assert_eq!(back, fit);
    }
}

/// Sums of four uniform numbers, a share of those just below 0 moved above it, in other units.
fn scores(rows: usize, sample: u64, steered: f64, [scale, shift]: [f64; 2]) -> Frame {
    let mut random = Seed::new(sample).child("scores").stream(0);
    let x: Vec<f64> = (0..rows)
        .map(|_| {
            let x: f64 = (0..4).map(|_| random.random::<f64>()).sum::<f64>() - 1.7;
            let moved = random.random::<f64>() < steered && (-0.2..0.0).contains(&x);
            shift + scale * if moved { -x } else { x }
        })
        .collect();
    Frame::new().with("x", x).unwrap()
}

#[test]
fn the_test_has_its_size_and_finds_steering() {
    let rejected = |steered: f64, samples: u64| {
        let each = (0..samples).map(|sample| {
            let frame = scores(2000, sample, steered, [1.0, 0.0]);
            let fit = McCraryTest::new("x", 0.0).fit(&frame).unwrap();
            f64::from(u8::from(fit.test().p_value < 0.05))
        });
        each.sum::<f64>() / samples as f64
    };
    let [size, power] = [rejected(0.0, 300), rejected(0.4, 60)];
    println!("{size} {power}");
    // The Monte Carlo error of the size is 1.3 points; the bias of a line is not taken off.
    assert!(size < 0.1 && power > 0.9);
}

#[test]
fn units_do_not_matter() {
    let fit = |units: [f64; 2]| {
        let frame = scores(1500, 3, 0.2, units);
        McCraryTest::new("x", units[1]).fit(&frame).unwrap()
    };
    let (one, other) = (fit([1.0, 0.0]), fit([128.0, 512.0]));
    let [a, b] = [one.difference(), other.difference()];
    assert!((a.estimate - b.estimate).abs() < 1e-9 && (a.std_error - b.std_error).abs() < 1e-9);
    assert!((other.bandwidth() / one.bandwidth() - 128.0).abs() < 1e-7);
    // The same rows in another order have the same bits.
    let mut x = scores(1500, 3, 0.2, [1.0, 0.0]).real("x").unwrap().to_vec();
    x.reverse();
    let turned = Frame::new().with("x", x).unwrap();
    assert_eq!(McCraryTest::new("x", 0.0).fit(&turned).unwrap(), one);
}

#[test]
fn bad_input_is_named() {
    let frame = scores(300, 5, 0.0, [1.0, 0.0]);
    let model = || McCraryTest::new("x", 0.0);
    let refused = |model: McCraryTest| model.fit(&frame).unwrap_err().to_string();
    assert!(refused(McCraryTest::new("x", 9.0)).contains("inside the range of `x`"));
    assert!(refused(McCraryTest::new("x", f64::NAN)).contains("`cutoff`"));
    assert!(refused(model().bin_width(0.0)).contains("`bin_width`"));
    assert!(refused(model().bandwidth(-1.0)).contains("`bandwidth`"));
    assert!(refused(model().bin_width(1e-9)).contains("wide enough"));
    assert!(refused(model().bin_width(0.5)).contains("more than 5 bins"));
    assert!(refused(model().bandwidth(0.1).bin_width(0.08)).contains("two bins on each side"));
    // No row is within the bandwidth on the left.
    let hole: Vec<f64> = (frame.real("x").unwrap().iter())
        .map(|x| if *x < 0.0 { x - 1.0 } else { *x })
        .collect();
    let hole = Frame::new().with("x", hole).unwrap();
    let text = model().bandwidth(0.5).fit(&hole).unwrap_err().to_string();
    assert!(text.contains("density on the left"), "{text}");
    let words = Frame::new().with("x", vec!["low", "high"]).unwrap();
    assert!(matches!(model().fit(&words), Err(Error::WrongKind { .. })));
    let none = Frame::new().with("x", vec![f64::NAN; 9]).unwrap();
    assert!(matches!(model().fit(&none), Err(Error::NoRows { .. })));
    let gaps = frame.real("x").unwrap().iter().enumerate();
    let gaps: Vec<f64> = gaps
        .map(|(i, x)| if i < 4 { f64::NAN } else { *x })
        .collect();
    let fit = model().fit(&Frame::new().with("x", gaps).unwrap()).unwrap();
    assert!(matches!(
        fit.warnings()[0],
        Warning::RowsDropped { dropped: 4, .. }
    ));
}
