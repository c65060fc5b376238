//! Classes that are labelled wrongly: agreement with simulations by others, what intervals cover, what must hold for any data, bad input.

use crate::support::{agree, fixture, numbers};
use cocreate::prelude::*;
use proptest::prelude::{prop_assert, proptest};
use proptest::test_runner::Config;
use rand::Rng;

/// From 0 to 1.
fn uniform(generator: &mut impl Rng) -> f64 {
    (generator.next_u64() >> 11) as f64 / (1u64 << 53) as f64
}

fn rows_of(value: &serde_json::Value) -> Vec<Vec<f64>> {
    value.as_array().unwrap().iter().map(numbers).collect()
}

#[test]
fn trends_and_errors_are_those_of_numpy() {
    let reference = fixture("mc_simex");
    let theirs = &reference["values"];
    let column = |name: &str| numbers(&theirs["rows"][name]);
    let levels: Vec<Option<String>> = column("group")
        .iter()
        .map(|g| Some(format!("g{g}")))
        .collect();
    let frame = ["y", "x", "label", "wrong"]
        .iter()
        .fold(Frame::new(), |f, name| f.with(*name, column(name)).unwrap());
    let frame = frame.with("group", Label::from_text(&levels)).unwrap();
    let (two, three) = (rows_of(&theirs["two"]), rows_of(&theirs["three"]));
    for (name, formula, class, matrix, outcome) in [
        (
            "linear",
            "y ~ label + x",
            "label",
            &two,
            OutcomeModel::Linear,
        ),
        ("groups", "y ~ group", "group", &three, OutcomeModel::Linear),
        (
            "logit",
            "wrong ~ label + x",
            "label",
            &two,
            OutcomeModel::Logit,
        ),
        (
            "outcome",
            "wrong ~ label + x",
            "wrong",
            &two,
            OutcomeModel::Logit,
        ),
    ] {
        let model = McSimex::new(formula, class, matrix.clone()).outcome(outcome);
        let fit = model.draws(400).seed(3).fit(&frame).unwrap();
        let theirs = &theirs[name];
        let curve = rows_of(&theirs["curve"]);
        let errors = rows_of(&theirs["errors"]);
        agree(name, fit.naive().as_slice(), &curve[0], 1e-7);
        for (row, level) in curve.iter().enumerate().skip(1) {
            for (k, wanted) in level.iter().enumerate() {
                // 400 data sets here, 2000 there.
                let error = errors[row][k] * 6.0_f64.sqrt();
                let gap = fit.curve()[(row, k)] - wanted;
                assert!(gap.abs() < 5.0 * error, "{name} {row} {k}: {gap} {error}");
            }
        }
        // The same extrapolation of the same curve, and its error from those of the means.
        let weights = numbers(&theirs["weights"]);
        for (k, wanted) in numbers(&theirs["estimates"]).iter().enumerate() {
            let own: f64 = weights
                .iter()
                .zip(fit.curve().column(k).iter())
                .map(|(w, v)| w * v)
                .sum();
            assert!((fit.estimates()[k] - own).abs() < 1e-10);
            let error = (0..5)
                .map(|row| (weights[row] * errors[row][k]).powi(2))
                .sum::<f64>();
            let gap = fit.estimates()[k] - wanted;
            // The draws of the levels go together.
            assert!(
                gap.abs() < 5.0 * (6.0 * error).sqrt() + 1e-12,
                "{name} {k} {gap}"
            );
        }
        let variances = fit.std_errors().map(|s| s * s);
        agree(
            name,
            variances.as_slice(),
            &numbers(&theirs["jackknife"]),
            0.12,
        );
        assert!(
            fit.plot(&fit.names()[1])
                .unwrap()
                .to_svg()
                .contains("power of the misclassification matrix")
        );
        let back: SimexFit = serde_json::from_str(&serde_json::to_string(&fit).unwrap()).unwrap();
        assert_eq!(back.estimates(), fit.estimates());
    }
}

#[test]
fn intervals_cover_where_labels_taken_for_the_truth_do_not() {
    // Slope 1 on a class that a tenth and a fifth of labels miss: the naive slope is 0.71. At powers 1, 1.5, …, 3 of
    // the matrix it is 0.7071, 0.5971, 0.5046, 0.4264, 0.3603, and the parabola through these is 0.967 at the truth.
    const DRAWS: u64 = 200;
    let rates = Misclassification::new(80, 20, 90, 10).unwrap();
    let (mut covered, mut naive, mut mean) = (0, 0, 0.0);
    for draw in 0..DRAWS {
        let mut g = Seed::new(13).stream(draw);
        let (mut y, mut label) = (vec![], vec![]);
        for _ in 0..400 {
            let truth = uniform(&mut g) < 0.5;
            let right = uniform(&mut g) < if truth { 0.8 } else { 0.9 };
            label.push(f64::from(u8::from(truth == right)));
            y.push(f64::from(u8::from(truth)) + 3.0 * uniform(&mut g));
        }
        let frame = Frame::new()
            .with("y", y)
            .unwrap()
            .with("label", label)
            .unwrap();
        let fit = McSimex::validated("y ~ label", "label", &rates)
            .draws(40)
            .seed(draw)
            .fit(&frame)
            .unwrap();
        let i = &fit.confidence_interval(0.95).unwrap()[1];
        covered += u32::from(i.lower <= 1.0 && 1.0 <= i.upper);
        mean += fit.estimates()[1] / DRAWS as f64;
        let i = Ols::new("y ~ label")
            .fit(&frame)
            .unwrap()
            .coefficient("label")
            .unwrap()
            .confidence_interval(0.95)
            .unwrap();
        naive += u32::from(i.lower <= 1.0 && 1.0 <= i.upper);
    }
    println!("covered {covered}, naive {naive} of {DRAWS}, mean {mean:.3}");
    // 95 % with a Monte Carlo error of 1.5 points.
    assert!((178..=198).contains(&covered) && naive < 60 && (mean - 0.967).abs() < 0.04);
}

proptest! {
    #![proptest_config(Config { failure_persistence: None, ..Config::with_cases(16) })]

    #[test]
    fn without_errors_nothing_changes_and_units_do_not_matter(seed in 0_u64..10_000, scale in 0.01..100.0_f64) {
        let mut g = Seed::new(seed).stream(0);
        let label: Vec<bool> = (0..60).map(|i| i % 3 == 0 || uniform(&mut g) < 0.2).collect();
        let y: Vec<f64> = (0..60).map(|_| uniform(&mut g)).collect();
        let frame = Frame::new().with("y", y.clone()).unwrap().with("label", label).unwrap();
        let of = |wrong: f64, frame: &Frame| {
            let matrix = vec![vec![1.0 - wrong, wrong], vec![wrong, 1.0 - wrong]];
            McSimex::new("y ~ label", "label", matrix).draws(5).seed(seed).fit(frame).unwrap()
        };
        let plain = Ols::new("y ~ label").fit(&frame).unwrap();
        let none = of(0.0, &frame);
        prop_assert!((none.estimates() - plain.estimates()).amax() < 1e-10);
        prop_assert!((none.std_errors() - plain.std_errors()).amax() < 1e-10);
        let scaled = frame.clone().replace("y", y.iter().map(|y| scale * y).collect::<Vec<f64>>()).unwrap();
        let (a, b) = (of(0.1, &frame), of(0.1, &scaled));
        prop_assert!((a.estimates() * scale - b.estimates()).amax() < 1e-9 * scale);
    }
}

#[test]
fn bad_matrices_and_columns_are_named() {
    let frame = Frame::new()
        .with("y", (0..30).map(f64::from).collect::<Vec<f64>>())
        .unwrap()
        .with("c", (0..30).map(|i| f64::from(i % 2)).collect::<Vec<f64>>())
        .unwrap();
    let text = |formula: &str, column: &str, matrix: &[&[f64]]| {
        let rows = matrix.iter().map(|r| r.to_vec()).collect();
        McSimex::new(formula, column, rows)
            .draws(3)
            .seed(1)
            .fit(&frame)
            .unwrap_err()
            .to_string()
    };
    let good: &[&[f64]] = &[&[0.9, 0.2], &[0.1, 0.8]];
    assert!(text("y ~ 1", "c", good).contains("a column of the formula"));
    assert!(
        text("y ~ c", "c", &[&[0.9, 0.2]])
            .contains("2 rows of 2 probabilities, for the classes 0, 1")
    );
    assert!(text("y ~ c", "c", &[&[0.9, 0.1], &[0.2, 0.9]]).contains("for the truth 0"));
    assert!(text("y ~ c", "c", &[&[1.2, 0.1], &[-0.2, 0.9]]).contains("for the truth 0"));
    assert!(text("y ~ c", "c", &[&[0.4, 0.6], &[0.6, 0.4]]).contains("more often than by chance"));
    assert!(text("y ~ c", "c", &[&[0.5, 0.5], &[0.5, 0.5]]).contains("more often than by chance"));
    let none = McSimex::new("y ~ c", "c", vec![vec![0.9, 0.2], vec![0.1, 0.8]]);
    assert!(matches!(none.fit(&frame), Err(Error::SeedRequired { .. })));
    let missing = none
        .clone()
        .seed(1)
        .draws(3)
        .fit(&frame.clone().rename("c", "d").unwrap());
    assert!(missing.unwrap_err().to_string().contains("no column `c`"));
    // Rows without a label are left out and said to be.
    let gap: Vec<f64> = (0..30)
        .map(|i| if i == 4 { f64::NAN } else { f64::from(i % 2) })
        .collect();
    let gap = frame.clone().replace("c", gap).unwrap();
    let fit = none.seed(1).draws(3).fit(&gap).unwrap();
    assert!(matches!(
        &fit.warnings()[0],
        Warning::RowsDropped { dropped: 1, .. }
    ));
}
