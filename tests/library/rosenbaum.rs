//! Rosenbaum's bounds: published values, other ways to them, what must hold for any data, and bad input.

use crate::support::{agree, data, fixture, numbers};
use cocreate::prelude::*;
use proptest::prelude::*;
use proptest::test_runner::Config;
use rand::RngExt;

/// Bounds of p-values against larger outcomes and against smaller ones.
fn sides(of: impl Fn(RosenbaumBounds) -> Result<RosenbaumBoundsFit>, gamma: f64) -> Vec<f64> {
    let side = |alternative| {
        of(RosenbaumBounds::new(&[gamma]).alternative(alternative))
            .unwrap()
            .points()[0]
            .p_values
    };
    [side(Alternative::Greater), side(Alternative::Less)].concat()
}

#[test]
fn published_bounds_are_met_and_others_agree() {
    let values = &fixture("rosenbaum")["values"];
    let (treated, control) = (numbers(&values["treated"]), numbers(&values["control"]));
    for case in values["lead"].as_array().unwrap() {
        let ours = sides(
            |bounds| bounds.pairs(&treated, &control),
            case[0].as_f64().unwrap(),
        );
        for (ours, theirs) in ours.iter().zip(numbers(&case[1])) {
            agree("lead", &[*ours], &[theirs], 1e-9);
        }
    }
    for case in values["lead_published"].as_array().unwrap() {
        let ours = sides(
            |bounds| bounds.pairs(&treated, &control),
            case[0].as_f64().unwrap(),
        );
        assert!(
            (ours[1] - case[1].as_f64().unwrap()).abs() < 6e-5,
            "{ours:?}"
        );
    }
    // The printed p-value passes 0.05 between 4.25 and 5.
    let lead = RosenbaumBounds::new(&[1.0, 2.0])
        .alternative(Alternative::Greater)
        .pairs(&treated, &control)
        .unwrap();
    assert!((4.25..4.5).contains(&lead.robust_to().unwrap()));
    assert!(lead.plot().unwrap().to_svg().contains("largest p-value"));
    let back: RosenbaumBoundsFit =
        serde_json::from_str(&serde_json::to_string(&lead).unwrap()).unwrap();
    assert_eq!(back, lead);
    // Hammond's smokers: 110 and 12 of 122 pairs that differ, some that do not.
    let (mut smoker, mut other) = (vec![1.0; 110], vec![0.0; 110]);
    smoker.extend([vec![0.0; 12], vec![1.0; 30]].concat());
    other.extend([vec![1.0; 12], vec![1.0; 30]].concat());
    for case in values["hammond"].as_array().unwrap() {
        let ours = sides(
            |bounds| bounds.pairs(&smoker, &other),
            case[0].as_f64().unwrap(),
        );
        agree("hammond", &[ours[1]], &[case[1].as_f64().unwrap()], 1e-10);
        agree("hammond", &[ours[0]], &[case[2].as_f64().unwrap()], 1e-9);
    }
    let y = data("tests/reference/causal.csv")
        .real("y")
        .unwrap()
        .to_vec();
    let first: Vec<f64> = (0..40).map(|i| y[2 * i] + 0.4).collect();
    let second: Vec<f64> = (0..40).map(|i| y[2 * i + 1]).collect();
    for case in values["pairs"].as_array().unwrap() {
        let fit = RosenbaumBounds::new(&[case[0].as_f64().unwrap()])
            .pairs(&first, &second)
            .unwrap();
        let point = fit.points()[0];
        agree(
            "estimates",
            &point.estimates.unwrap(),
            &numbers(&case[1]["estimates"]),
            1e-9,
        );
        agree(
            "interval",
            &point.interval.unwrap().map(Option::unwrap),
            &numbers(&case[1]["interval"]),
            1e-9,
        );
    }
}

/// Rows in threes that are matched exactly, of which by turns one is treated and two are.
fn threes(y: &[f64]) -> SetsFit {
    let column = |f: &dyn Fn(usize) -> f64| (0..y.len()).map(f).collect::<Vec<f64>>();
    let treated =
        |i: usize| f64::from(u8::from((i.is_multiple_of(3)) == (i / 3).is_multiple_of(2)));
    let frame = Frame::new()
        .with("y", y.to_vec())
        .unwrap()
        .with("w", column(&treated))
        .unwrap()
        .with("set", column(&|i| (i / 3) as f64))
        .unwrap();
    SetMatching::full("y", "w", "set")
        .exact(&["set"])
        .fit(&frame)
        .unwrap()
}

#[test]
fn bounds_of_sets_are_the_extremes_over_all_covariates() {
    let values = &fixture("rosenbaum")["values"];
    let y = data("tests/reference/causal.csv").real("y").unwrap()[..120].to_vec();
    let ones: Vec<f64> = y.iter().map(|y| f64::from(u8::from(*y > 0.5))).collect();
    for (name, y) in [("sets", y), ("events", ones)] {
        let fit = threes(&y);
        assert_eq!(fit.sets(), 40);
        for case in values[name].as_array().unwrap() {
            let ours = sides(|bounds| bounds.sets(&fit), case[0].as_f64().unwrap());
            agree(name, &ours, &numbers(&case[1]), 1e-9);
        }
    }
}

proptest! {
    #![proptest_config(Config { failure_persistence: None, ..Config::with_cases(12) })]

    #[test]
    fn bounds_widen_with_gamma_and_follow_shift_sign_and_order(
        y in proptest::collection::vec(-3.0..3.0_f64, 60),
        shift in -2.0..2.0_f64,
    ) {
        let bounds = RosenbaumBounds::new(&[1.0, 1.5, 2.5]);
        let (a, b) = y.split_at(30);
        let moved: Vec<f64> = a.iter().map(|a| a + shift).collect();
        let back: Vec<(f64, f64)> = a.iter().zip(b).rev().map(|(a, b)| (*a, *b)).collect();
        let (base, there) = (bounds.pairs(a, b).unwrap(), bounds.pairs(&moved, b).unwrap());
        let swapped = bounds.pairs(b, a).unwrap();
        let (ra, rb): (Vec<f64>, Vec<f64>) = back.into_iter().unzip();
        let turned = bounds.pairs(&ra, &rb).unwrap().points()[1];
        prop_assert!((turned.p_values[1] - base.points()[1].p_values[1]).abs() < 1e-12);
        for (k, point) in base.points().iter().enumerate() {
            let [low, high] = point.estimates.unwrap();
            let [from, to] = point.interval.unwrap().map(Option::unwrap);
            prop_assert!(from <= low && low <= high && high <= to);
            prop_assert!(k > 0 || (high - low).abs() < 1e-9);
            let other = there.points()[k].estimates.unwrap();
            prop_assert!((other[0] - low - shift).abs() < 1e-7 && (other[1] - high - shift).abs() < 1e-7);
            let turned = swapped.points()[k];
            prop_assert!((turned.estimates.unwrap()[0] + high).abs() < 1e-7);
            prop_assert!((turned.p_values[1] - point.p_values[1]).abs() < 1e-12);
            if k > 0 {
                let before = base.points()[k - 1];
                prop_assert!(before.p_values[1] <= point.p_values[1] + 1e-12 && before.p_values[0] >= point.p_values[0] - 1e-12);
                prop_assert!(before.interval.unwrap()[0].unwrap() >= from - 1e-9);
            }
        }
        // The effect that is not rejected is that of the test: at the end of the interval the p-value is that of the level.
        let [Some(from), _] = base.points()[1].interval.unwrap() else { panic!("bounded") };
        let p_at = |tau: f64| {
            let less: Vec<f64> = a.iter().map(|a| a - tau).collect();
            sides(|bounds| bounds.pairs(&less, b), 1.5)[1]
        };
        prop_assert!(p_at(from - 1e-6) <= 0.025 && p_at(from + 1e-6) >= 0.025);
    }
}

#[test]
fn bad_input_is_named() {
    let bounds = RosenbaumBounds::new(&[1.0, 2.0]);
    let refused = |fit: Result<RosenbaumBoundsFit>| fit.unwrap_err().to_string();
    let y = [1.0, 2.5, 3.0];
    assert!(
        refused(RosenbaumBounds::new(&[0.5]).pairs(&y, &[0.0; 3]))
            .contains("option `gammas` is 0.5")
    );
    assert!(refused(bounds.clone().level(1.0).pairs(&y, &[0.0; 3])).contains("level"));
    assert!(refused(bounds.pairs(&y, &[0.0; 2])).contains("has 2 rows where 3"));
    assert!(refused(bounds.pairs(&y, &[0.0, f64::NAN, 1.0])).contains("not a finite number"));
    assert!(refused(bounds.pairs(&y, &y)).contains("sets whose outcomes differ"));
    let frame = data("tests/reference/causal.csv");
    let strata = Stratification::coarsened("y", "w", "x1 + x2")
        .bins("x1", 3)
        .bins("x2", 3)
        .fit(&frame)
        .unwrap();
    assert!(refused(bounds.sets(&strata)).contains("one row of an arm in each set"));
    // Three pairs do not bound an effect at the 95 % level, and nothing is robust.
    let fit = bounds.pairs(&y, &[0.0; 3]).unwrap();
    assert_eq!(fit.points()[1].interval.unwrap(), [None, None]);
    assert_eq!(fit.robust_to(), None);
}

#[test]
fn the_bound_has_its_size_where_the_plain_test_is_fooled() {
    // No effect, but of two rows the one with the larger outcome is treated with odds of 2: the worst that Γ = 2 allows.
    let bounds = RosenbaumBounds::new(&[1.0, 2.0]).alternative(Alternative::Greater);
    let mut random = Seed::new(8).stream(0);
    let (mut fooled, mut bounded) = (0, 0);
    for _ in 0..200 {
        let (mut treated, mut control) = (Vec::new(), Vec::new());
        for _ in 0..50 {
            let (a, b): (f64, f64) = (random.random(), random.random());
            let large = random.random::<f64>() < 2.0 / 3.0;
            treated.push(if large { a.max(b) } else { a.min(b) });
            control.push(if large { a.min(b) } else { a.max(b) });
        }
        let fit = bounds.pairs(&treated, &control).unwrap();
        fooled += i32::from(fit.points()[0].p_values[1] < 0.05);
        bounded += i32::from(fit.points()[1].p_values[1] < 0.05);
    }
    println!("{fooled} {bounded} of 200");
    // Ten are expected, with a Monte Carlo error of three.
    assert!(fooled > 100 && (1..=19).contains(&bounded));
}
