//! Bounds of effects: agreement with their formulas, what their intervals cover, what must hold for any data, bad input.

use crate::support::{agree, data, fixture, numbers};
use cocreate::prelude::Monotone::{Decreasing, Increasing};
use cocreate::prelude::*;
use proptest::prelude::{prop_assert, proptest};
use proptest::test_runner::Config;
use rand::Rng;

/// From 0 to 1.
fn uniform(generator: &mut impl Rng) -> f64 {
    (generator.next_u64() >> 11) as f64 / (1u64 << 53) as f64
}

/// The reference data with outcomes that are missing for some, more of the controls.
fn selected() -> Frame {
    let frame = data("tests/reference/causal.csv");
    let (x, y) = (frame.real("x1").unwrap(), frame.real("y").unwrap());
    let w = frame.numeric("w").unwrap();
    let gaps: Vec<f64> = (0..y.len())
        .map(|i| {
            if x[i] + 0.6 * w.values()[i] > -0.3 {
                y[i]
            } else {
                f64::NAN
            }
        })
        .collect();
    frame.clone().with("gaps", gaps).unwrap()
}

fn ends(set: &IdentifiedSet) -> [f64; 4] {
    [set.lower, set.lower_error, set.upper, set.upper_error]
}

#[test]
fn bounds_are_those_of_their_formulas() {
    let reference = fixture("bounds");
    let theirs = &reference["values"];
    let frame = selected();
    let n = frame.rows() as f64;
    let manski = ManskiBounds::new("y", "w", -8.0, 9.0);
    let none = manski.fit(&frame).unwrap();
    agree(
        "none",
        &ends(&none),
        &numbers(&theirs["manski"]["none"]),
        1e-10,
    );
    for (name, response, selection) in [
        ("selection", None, Some(Increasing)),
        ("response", Some(Increasing), None),
        ("response_down", Some(Decreasing), None),
        ("down_down", Some(Decreasing), Some(Decreasing)),
    ] {
        let mut model = manski.clone();
        if let Some(direction) = response {
            model = model.monotone_response(direction);
        }
        if let Some(direction) = selection {
            model = model.monotone_selection(direction);
        }
        let set = model.fit(&frame).unwrap();
        agree(
            name,
            &[set.lower, set.upper],
            &numbers(&theirs["manski"][name]),
            1e-10,
        );
        assert!(set.assumption.contains("monotone"));
    }
    let missing = HorowitzManski::new("gaps", "w", -8.0, 9.0)
        .fit(&frame)
        .unwrap();
    agree(
        "missing",
        &[missing.lower, missing.upper],
        &numbers(&theirs["horowitz"]),
        1e-10,
    );
    let lee = LeeBounds::new("gaps", "w").fit(&frame).unwrap();
    agree(
        "trimmed",
        &[lee.trimmed()],
        &numbers(&theirs["lee"]["trimmed"]),
        1e-10,
    );
    let factor = ((n - 1.0) / n).sqrt();
    let [l, sl, u, su] = ends(lee.bounds());
    let ours = [l, factor * sl, u, factor * su];
    agree("Lee", &ours, &numbers(&theirs["lee"]["bounds"]), 1e-10);
    let negative: Vec<f64> = frame.real("gaps").unwrap().iter().map(|y| -y).collect();
    let mirrored = LeeBounds::new("negative", "w")
        .fit(&frame.clone().with("negative", negative).unwrap())
        .unwrap();
    let [l, sl, u, su] = ends(mirrored.bounds());
    let ours = [l, factor * sl, u, factor * su];
    agree(
        "mirrored",
        &ours,
        &numbers(&theirs["mirrored"]["bounds"]),
        1e-10,
    );
    let cells = LeeBounds::new("gaps", "w")
        .tighten("segment")
        .fit(&frame)
        .unwrap();
    let ours = [cells.bounds().lower, cells.bounds().upper];
    agree("cells", &ours, &numbers(&theirs["cells"]), 1e-10);
    // Lee's are inside those that assume nothing of who is missing.
    assert!(missing.lower < lee.bounds().lower && lee.bounds().upper < missing.upper);
    let back: LeeBoundsFit = serde_json::from_str(&serde_json::to_string(&cells).unwrap()).unwrap();
    assert_eq!(back, cells);
    assert!(cells.to_string().contains("of controls and"), "{cells}");
}

#[test]
fn lees_errors_are_those_of_the_bootstrap() {
    let frame = selected();
    for model in [
        LeeBounds::new("gaps", "w"),
        LeeBounds::new("gaps", "w").tighten("segment"),
    ] {
        let fit = model.fit(&frame).unwrap();
        let drawn = Bootstrap::pairs().draws(999).seed(3).run(&frame, |r| {
            let set = model.fit(r.frame()?)?;
            Ok(vec![set.bounds().lower, set.bounds().upper])
        });
        let spread = drawn.unwrap().std_errors();
        let ours = [fit.bounds().lower_error, fit.bounds().upper_error];
        println!("{ours:?} {spread:?}");
        // 999 draws know a standard error to 2.2 %.
        agree("bootstrap", &ours, spread.as_slice(), 0.08);
    }
}

#[test]
fn tightening_by_what_tells_selection_narrows_and_the_truth_stays_inside() {
    let mut g = Seed::new(5).stream(0);
    let (mut y, mut w, mut c) = (vec![], vec![], vec![]);
    for i in 0..20_000 {
        let (cell, treated) = (i % 4, uniform(&mut g) < 0.5);
        let answers =
            uniform(&mut g) < 0.3 + 0.1 * f64::from(cell) + if treated { 0.15 } else { 0.0 };
        w.push(f64::from(u8::from(treated)));
        c.push(f64::from(cell));
        let value = 2.0 * f64::from(cell) + uniform(&mut g) + f64::from(u8::from(treated));
        y.push(if answers { value } else { f64::NAN });
    }
    let frame = Frame::new()
        .with("y", y)
        .unwrap()
        .with("w", w)
        .unwrap()
        .with("cell", c)
        .unwrap();
    let wide = LeeBounds::new("y", "w").fit(&frame).unwrap();
    let tight = LeeBounds::new("y", "w")
        .tighten("cell")
        .fit(&frame)
        .unwrap();
    assert!(tight.bounds().width() < 0.5 * wide.bounds().width());
    for fit in [&wide, &tight] {
        assert!(fit.bounds().contains(1.0), "{fit}");
    }
    assert_eq!(tight.cells().len(), 4);
    assert!((tight.cells().iter().map(|c| c.share).sum::<f64>() - 1.0).abs() < 1e-12);
}

#[test]
fn the_interval_of_the_effect_misses_on_one_side_as_often_as_it_says() {
    // Those brought in have the highest outcomes, so that the lower bound is the effect, 1.
    const DRAWS: u64 = 1000;
    let [mut effect, mut set] = [0; 2];
    for draw in 0..DRAWS {
        let mut g = Seed::new(41).stream(draw);
        let (mut y, mut w) = (vec![], vec![]);
        for _ in 0..800 {
            let (treated, v) = (uniform(&mut g) < 0.5, uniform(&mut g));
            let seen = v < if treated { 0.65 } else { 0.5 };
            w.push(f64::from(u8::from(treated)));
            y.push(if seen {
                3.0 * v + f64::from(u8::from(treated))
            } else {
                f64::NAN
            });
        }
        let frame = Frame::new().with("y", y).unwrap().with("w", w).unwrap();
        let fit = LeeBounds::new("y", "w").fit(&frame).unwrap();
        let i = fit.bounds().confidence_interval(0.95).unwrap();
        assert!(i.upper > 1.0);
        effect += u32::from(i.lower > 1.0);
        set += u32::from(fit.bounds().set_interval(0.95).unwrap().lower > 1.0);
    }
    println!("missed {effect}, the interval of the set {set} of {DRAWS}");
    // 5 % and 2.5 %, with Monte Carlo errors of 0.7 and 0.5 points.
    assert!((28..=78).contains(&effect) && (8..=45).contains(&set));
}

proptest! {
    #![proptest_config(Config { failure_persistence: None, ..Config::with_cases(24) })]

    #[test]
    fn what_holds_for_any_data(
        y in proptest::collection::vec(-3.0..3.0_f64, 40),
        copies in proptest::collection::vec(1..4_usize, 40),
        shift in -5.0..5.0_f64,
    ) {
        let make = |order: &[usize], f: &dyn Fn(f64) -> f64| {
            let seen = |i: usize| i % 7 != 2 && (i % 2 == 1 || i % 5 != 3);
            let column = |of: &dyn Fn(usize) -> f64| order.iter().map(|i| of(*i)).collect::<Vec<f64>>();
            Frame::new()
                .with("y", column(&|i| if seen(i) { f(y[i]) } else { f64::NAN })).unwrap()
                .with("full", column(&|i| f(y[i]))).unwrap()
                .with("w", column(&|i| (i % 2) as f64)).unwrap()
                .with("id", column(&|i| i as f64)).unwrap()
                .with("copies", column(&|i| copies[i] as f64)).unwrap()
        };
        let all: Vec<usize> = (0..40).collect();
        let back: Vec<usize> = (0..40).rev().collect();
        let copied: Vec<usize> = (0..40).flat_map(|i| vec![i; copies[i]]).collect();
        let near = |a: [f64; 4], b: [f64; 4]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-9);
        let lee = LeeBounds::new("y", "w");
        let of = |model: &LeeBounds, frame: &Frame| ends(model.fit(frame).unwrap().bounds());
        let base = of(&lee, &make(&all, &|y| y));
        prop_assert!(base[0] <= base[2] + 1e-12);
        prop_assert!(near(base, of(&lee, &make(&back, &|y| y))));
        prop_assert!(near(base, of(&lee, &make(&all, &|y| y + shift))));
        let turned = of(&lee, &make(&all, &|y| -y));
        prop_assert!(near(base, [-turned[2], turned[3], -turned[0], turned[1]]));
        let weighted = lee.clone().weights("copies").clusters("id");
        prop_assert!(near(of(&weighted, &make(&all, &|y| y)), of(&lee.clone().clusters("id"), &make(&copied, &|y| y))));
        // With all outcomes seen the effect is a point, the difference of means with its usual error.
        let full = of(&LeeBounds::new("full", "w"), &make(&all, &|y| y));
        let ols = Ols::new("full ~ w").covariance(Covariance::Hc0).fit(&make(&all, &|y| y)).unwrap();
        let c = ols.coefficient("w").unwrap();
        let error = c.std_error * (40.0_f64 / 39.0).sqrt();
        prop_assert!(near(full, [c.estimate, error, c.estimate, error]));
        let point = HorowitzManski::new("full", "w", -3.0, 3.0).fit(&make(&all, &|y| y)).unwrap();
        prop_assert!(near(ends(&point), full));
        // The naive difference lies in Manski's bounds, which are as wide as the outcome can be.
        let wide = ManskiBounds::new("full", "w", -3.0, 3.0).fit(&make(&all, &|y| y)).unwrap();
        prop_assert!(wide.contains(c.estimate) && (wide.width() - 6.0).abs() < 1e-12);
    }
}

#[test]
fn bad_input_is_named() {
    let frame = selected();
    let n = frame.rows();
    let w = frame.numeric("w").unwrap().values().to_vec();
    let text = |r: Result<IdentifiedSet>| r.unwrap_err().to_string();
    let beyond = text(ManskiBounds::new("y", "w", -1.0, 1.0).fit(&frame));
    assert!(
        beyond.contains("from -1 to 1, the bounds given"),
        "{beyond}"
    );
    assert!(text(ManskiBounds::new("y", "w", 1.0, 1.0).fit(&frame)).contains("`bounds`"));
    assert!(text(ManskiBounds::new("y", "x1", -9.0, 9.0).fit(&frame)).contains("0 or 1"));
    assert!(text(HorowitzManski::new("gaps", "w", -1.0, 9.0).fit(&frame)).contains("widen them"));
    assert!(
        text(ManskiBounds::new("gaps", "none", -9.0, 9.0).fit(&frame)).contains("no column `none`")
    );
    // Without an outcome Manski's bounds leave rows out and say so.
    let set = ManskiBounds::new("gaps", "w", -9.0, 9.0)
        .fit(&frame)
        .unwrap();
    assert!(
        matches!(&set.warnings[0], Warning::RowsDropped { missing, .. } if missing[0].0 == "gaps")
    );
    // One arm never selected.
    let never: Vec<f64> = (0..n)
        .map(|i| if w[i] > 0.5 { 1.0 } else { f64::NAN })
        .collect();
    let poor = frame.clone().with("never", never).unwrap();
    let error = LeeBounds::new("never", "w")
        .fit(&poor)
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("nobody with `w` = 0 is selected") && error.contains("HorowitzManski"),
        "{error}"
    );
    let one = frame.clone().with("one", vec![1.0; n]).unwrap();
    let error = LeeBounds::new("gaps", "one")
        .fit(&one)
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("`one` is 0 on fewer than two rows"),
        "{error}"
    );
    let error = LeeBounds::new("gaps", "w")
        .selected("one")
        .fit(&one)
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("`gaps` is NaN in row") && error.contains("known where `one` is 1"),
        "{error}"
    );
    // One selected control: the difference has no error of his.
    let mut kept = 0;
    let lonely: Vec<f64> = (0..n)
        .map(|i| {
            kept += usize::from(w[i] < 0.5);
            if w[i] > 0.5 || kept == 1 {
                i as f64
            } else {
                f64::NAN
            }
        })
        .collect();
    let lonely = frame.clone().with("lonely", lonely).unwrap();
    let fit = LeeBounds::new("lonely", "w").fit(&lonely).unwrap();
    let text = fit.bounds().warnings[0].to_string();
    assert!(
        text.contains("an arm has one selected row") && text.ends_with("collect more rows"),
        "{text}"
    );
    let all = LeeBounds::new("y", "w").selected("one").fit(&one).unwrap();
    assert!(all.trimmed().abs() < 1e-15);
    let error = LeeBounds::new("gaps", "w")
        .tighten("y")
        .fit(&frame)
        .unwrap_err()
        .to_string();
    assert!(error.contains("merge cells"), "{error}");
    let error = LeeBounds::new("gaps", "w")
        .clusters("one")
        .fit(&one)
        .unwrap_err();
    assert!(matches!(error, Error::TooFewClusters { .. }));
    // Selection that goes both ways is said; bounds that cross are said.
    let both = LeeBounds::new("gaps", "w")
        .tighten("segment")
        .fit(&frame)
        .unwrap();
    assert!(both.bounds().warnings.is_empty());
    let crossed = ManskiBounds::new("y", "w", -8.0, 9.0)
        .monotone_response(Monotone::Increasing)
        .monotone_selection(Monotone::Increasing);
    let flipped: Vec<f64> = frame
        .real("y")
        .unwrap()
        .iter()
        .zip(&w)
        .map(|(y, w)| y.clamp(-3.0, 3.0) - 4.0 * w)
        .collect();
    let set = crossed
        .fit(&frame.clone().replace("y", flipped).unwrap())
        .unwrap();
    assert!(set.width() < 0.0 && set.warnings[0].to_string().contains("the bounds cross"));
}
