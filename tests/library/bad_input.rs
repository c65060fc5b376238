//! What a user may hand in by mistake: every case is a typed error or a named warning, in a sentence that helps; nothing panics
//! and no number of a result is silently not a number.

use cocreate::prelude::*;
use proptest::prelude::*;
use std::fmt::Debug;

/// Thirty customers: y depends on x; `g` has six groups, `two` has two; `text` is words.
fn customers() -> Frame {
    let n = 30_u32;
    let column = |f: &dyn Fn(f64) -> f64| (0..n).map(|i| f(f64::from(i))).collect::<Vec<f64>>();
    let noise = |i: f64| (i * 12.9898).sin() * 2.0;
    let x = column(&|i| (i * 7.0) % 11.0);
    Frame::new()
        .with("y", column(&|i| 1.0 + 0.5 * ((i * 7.0) % 11.0) + noise(i)))
        .and_then(|f| f.with("minutes", x))
        .and_then(|f| f.with("price", column(&|i| (i * 3.0) % 7.0)))
        .and_then(|f| f.with("z", column(&|i| (i * 7.0) % 11.0 + noise(i + 0.5))))
        .and_then(|f| f.with("v", column(&|i| noise(i * 1.7))))
        .and_then(|f| f.with("g", column(&|i| i % 6.0)))
        .and_then(|f| f.with("two", column(&|i| i % 2.0)))
        .and_then(|f| f.with("row", column(&|i| i)))
        .and_then(|f| f.with("w", column(&|i| 1.0 + i % 3.0)))
        .and_then(|f| {
            let words = ["red", "blue", "green"];
            f.with(
                "colour",
                (0..n as usize).map(|i| words[i % 3]).collect::<Vec<_>>(),
            )
        })
        .unwrap()
}

fn put(frame: &Frame, name: &str, f: impl Fn(usize) -> f64) -> Frame {
    frame
        .clone()
        .with_or_replace(name, (0..frame.rows()).map(f).collect::<Vec<f64>>())
        .unwrap()
}

/// An error whose text is a sentence with all of these words.
#[track_caller]
fn says<T: Debug>(result: Result<T>, words: &[&str]) -> Error {
    let error = result.unwrap_err();
    let text = error.to_string();
    println!("{text}");
    for word in words {
        assert!(text.contains(word), "{word:?} is not in: {text}");
    }
    assert!(text.split_whitespace().count() >= 5, "{text}");
    error
}

#[track_caller]
fn warns(warnings: &[Warning], words: &[&str]) {
    let found = warnings.iter().find(|w| {
        let text = w.to_string();
        words.iter().all(|word| text.contains(word))
    });
    assert!(found.is_some(), "no warning with {words:?} in {warnings:?}");
}

/// No number that a fit reports is NaN, and estimates and standard errors are finite.
#[track_caller]
fn sound(what: &str, fit: &impl Inference) {
    for c in fit.coefficients() {
        assert!(c.estimate.is_finite(), "{what}: {c:?}");
        assert!(c.std_error.is_finite(), "{what}: {c:?}");
        assert!(!c.statistic(0.0).is_nan(), "{what}: {c:?}");
        assert!((0.0..=1.0).contains(&c.p_value()), "{what}: {c:?}");
        let interval = c.confidence_interval(0.9).unwrap();
        assert!(
            !interval.lower.is_nan() && !interval.upper.is_nan(),
            "{what}: {c:?}"
        );
    }
    assert!(fit.covariance().iter().all(|v| v.is_finite()), "{what}");
    assert!(
        !fit.table().to_string().contains("NaN"),
        "{what}\n{}",
        fit.table()
    );
    assert!(!fit.to_json().to_string().contains("NaN"), "{what}");
}

#[track_caller]
fn sound_statistics(what: &str, s: &FitStatistics) {
    let all = [
        s.rss,
        s.tss,
        s.r_squared,
        s.adjusted_r_squared,
        s.within_r_squared.unwrap_or(0.0),
        s.residual_std_error,
        s.log_likelihood,
        s.aic,
        s.bic,
    ];
    assert!(all.iter().all(|v| !v.is_nan()), "{what}: {s:?}");
}

/// A least-squares fit, looked at from all sides under every covariance that takes it.
#[track_caller]
fn scan(formula: &str, frame: &Frame) -> OlsFit {
    let fit = Ols::new(formula)
        .fit(frame)
        .unwrap_or_else(|e| panic!("{formula}: {e}"));
    sound_statistics(formula, fit.statistics());
    for kind in [
        Covariance::Classical,
        Covariance::Hc0,
        Covariance::Hc1,
        Covariance::Hc2,
        Covariance::Hc3,
        Covariance::cluster("g"),
        Covariance::cluster("two"),
        Covariance::clusters(["g", "two"]),
        Covariance::cr2("g"),
        Covariance::cr2("two"),
        Covariance::newey_west("row"),
        Covariance::driscoll_kraay("g"),
    ] {
        let what = format!("{formula}, {kind}");
        let fit = match fit.with_covariance(kind) {
            Ok(fit) => fit,
            Err(error) => {
                says::<()>(Err(error), &[]);
                continue;
            }
        };
        sound(&what, &fit);
        if let Ok(test) = fit.f_test() {
            assert!(
                (0.0..=1.0).contains(&test.p_value) && !test.statistic.is_nan(),
                "{what}: {test}"
            );
        }
        let text = serde_json::to_string(&fit).unwrap();
        let read: OlsFit = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{what}: {e}"));
        assert_eq!(read.estimates(), fit.estimates(), "{what}");
        assert_eq!(read.statistics(), fit.statistics(), "{what}");
    }
    fit
}

fn ols(formula: &str, frame: &Frame) -> Result<OlsFit> {
    Ols::new(formula).fit(frame)
}

fn iv(formula: &str, frame: &Frame) -> Result<IvFit> {
    Iv::new(formula).fit(frame)
}

#[test]
fn a_missing_column_is_answered_with_the_nearest_name() {
    let frame = customers();
    for formula in [
        "y ~ minuts",
        "y ~ price | minuts",
        "y ~ price | minuts ~ z",
        "y ~ price | z ~ minuts",
        "minuts ~ price",
        "y ~ log(minuts)",
        "y ~ C(minuts)",
        "y ~ price:minuts",
    ] {
        let error = if formula.matches('~').count() > 1 {
            says(iv(formula, &frame), &["`minuts`", "did you mean `minutes`"])
        } else {
            says(
                ols(formula, &frame),
                &["`minuts`", "did you mean `minutes`"],
            )
        };
        assert!(
            matches!(error, Error::ColumnNotFound { .. }),
            "{formula}: {error:?}"
        );
    }
    let fit = ols("y ~ minutes", &frame).unwrap();
    for error in [
        says(
            Ols::new("y ~ minutes").weights("pricee").fit(&frame),
            &["pricee", "`price`"],
        ),
        says(
            fit.with_covariance(Covariance::cluster("pricee")),
            &["pricee", "`price`"],
        ),
        says(
            fit.with_covariance(Covariance::newey_west("pricee")),
            &["pricee", "`price`"],
        ),
        says(frame.real("pricee"), &["pricee", "`price`"]),
    ] {
        assert!(matches!(error, Error::ColumnNotFound { .. }));
    }
    says(ols("y ~ x", &Frame::new()), &["no column"]);
}

#[test]
fn csv_files_are_checked() {
    let error = says(
        CsvOptions::new()
            .real("age")
            .parse("id,age\n1,20\n2,unknown\n3,30\n"),
        &["row 2", "`age`", "unknown"],
    );
    assert!(matches!(error, Error::BadField { row: 2, .. }));
    let error = says(Frame::from_csv("a,b\n1,2\n3\n"), &["row 2", "1 field", "2"]);
    assert!(matches!(
        error,
        Error::RaggedRow {
            row: 2,
            found: 1,
            expected: 2,
            ..
        }
    ));
    for empty in ["", "\n", "a,b\n", "\u{feff}"] {
        let error = says(Frame::from_csv(empty), &["header"]);
        assert!(
            matches!(error, Error::EmptyFile { .. }),
            "{empty:?} {error:?}"
        );
    }
    let error = says(Frame::from_csv("a,b,a\n1,2,3\n"), &["`a`", "twice"]);
    assert!(matches!(error, Error::DuplicateColumn { .. }));
    let error = says(
        Frame::read_csv("no/such/file.csv"),
        &["no/such/file.csv", "check the path"],
    );
    assert!(matches!(error, Error::Io { .. }));
    // A byte-order mark is not part of the first name; a quoted newline does not end a row.
    let frame = Frame::from_csv("\u{feff}y,note\n1,\"two\nlines\"\n2,\"a, \"\"b\"\"\"\n").unwrap();
    assert_eq!(frame.names(), ["y", "note"]);
    assert_eq!(frame.label("note").unwrap().get(0), Some("two\nlines"));
    assert_eq!(frame.label("note").unwrap().get(1), Some("a, \"b\""));
    assert_eq!(frame.rows(), 2);
    says(Frame::from_csv("a,b\n1,\"open\n2,3\n"), &["quot"]);
}

#[test]
fn text_in_a_numeric_column_is_shown_with_its_row() {
    let frame = Frame::from_csv("y,age\n1,20\n2,old\n3,30\n4,25\n").unwrap();
    let error = says(frame.numeric("age"), &["`age`", "row 2", "old"]);
    assert!(matches!(error, Error::WrongKind { .. }));
    let error = says(ols("age ~ y", &frame), &["`age`", "row 2", "old"]);
    assert!(matches!(error, Error::WrongKind { .. }));
    let error = says(ols("y ~ log(age)", &frame), &["`age`", "row 2", "old"]);
    assert!(matches!(error, Error::WrongKind { .. }));
    let error = says(
        Ols::new("y ~ 1").weights("age").fit(&frame),
        &["`age`", "row 2", "old"],
    );
    assert!(matches!(error, Error::WrongKind { .. }));
}

#[test]
fn missing_and_infinite_values() {
    let frame = put(&customers(), "gone", |_| f64::NAN);
    let error = says(ols("y ~ gone + minutes", &frame), &["`gone`", "30 of 30"]);
    assert!(matches!(error, Error::NoRows { .. }));
    let error = says(ols("gone ~ minutes", &frame), &["`gone`"]);
    assert!(matches!(error, Error::NoRows { .. }));
    says(ols("y ~ minutes | gone", &frame), &["`gone`"]);
    says(
        Ols::new("y ~ minutes").weights("gone").fit(&frame),
        &["`gone`"],
    );

    let some = put(&frame, "some", |i| {
        if i == 3 { f64::NAN } else { i as f64 % 5.0 }
    });
    for fit in [
        scan("y ~ some", &some),
        scan("some ~ minutes", &some),
        scan("y ~ minutes | some", &some),
        Ols::new("y ~ minutes")
            .weights("some")
            .fit(&put(&some, "some", |i| if i == 3 { f64::NAN } else { 1.0 }))
            .unwrap(),
    ] {
        warns(&fit.warnings(), &["1 row", "`some` 1"]);
        assert_eq!(fit.statistics().observations, 29.0);
        let residuals = fit.residuals().unwrap();
        assert!(residuals[3].is_nan() && residuals.iter().filter(|e| e.is_nan()).count() == 1);
    }

    let infinite = put(&customers(), "minutes", |i| {
        if i == 6 { f64::INFINITY } else { i as f64 }
    });
    for formula in [
        "y ~ minutes",
        "minutes ~ y",
        "y ~ minutes | g",
        "y ~ price:minutes",
    ] {
        let error = says(ols(formula, &infinite), &["minutes", "row 7"]);
        assert!(matches!(error, Error::Infinite { row: 7, .. }), "{error:?}");
    }
    let error = says(
        ols("y ~ log(price)", &customers()),
        &["log(price)", "row 1"],
    );
    assert!(matches!(
        error,
        Error::Infinite { .. } | Error::OutOfRange { .. }
    ));
    let error = says(
        Ols::new("y ~ price").weights("minutes").fit(&infinite),
        &["`minutes`", "row 7"],
    );
    assert!(matches!(
        error,
        Error::Infinite { .. } | Error::OutOfRange { .. }
    ));
    let huge = put(&customers(), "minutes", |i| 1e200 * (i % 4) as f64);
    let error = says(ols("y ~ minutes", &huge), &["`minutes`", "rescale"]);
    assert!(matches!(error, Error::NotFinite { .. }));
}

#[test]
fn regressors_that_do_not_vary_or_repeat_others() {
    let frame = put(&put(&customers(), "one", |_| 0.1), "zero", |_| 0.0);
    let frame = put(&frame, "double", |i| 2.0 * ((i * 7) % 11) as f64 - 3.0);
    for (formula, dropped) in [
        ("y ~ minutes + one", "one"),
        ("y ~ one + minutes", "one"),
        ("y ~ minutes + zero", "zero"),
        ("y ~ 0 + minutes + zero", "zero"),
        ("y ~ minutes + double", "double"),
        ("y ~ minutes + one | g", "one"),
        ("y ~ minutes + double | g", "double"),
        ("y ~ minutes + g | g", "g"),
        ("y ~ minutes + one | g + two", "one"),
        ("y ~ minutes + C(g) | g", "C(g)"),
    ] {
        let fit = scan(formula, &frame);
        assert!(!fit.names().iter().any(|n| n == dropped), "{formula}");
        warns(&fit.warnings(), &["dropped", dropped]);
    }
    // Only regressors that do not vary: what is left is the mean.
    let fit = scan("y ~ one", &frame);
    assert_eq!(fit.names(), ["(Intercept)"]);
    let error = says(fit.f_test(), &["slope"]);
    assert!(matches!(error, Error::InvalidOption { .. }));
    for formula in [
        "y ~ 1",
        "y ~ 1 | g",
        "y ~ one | g",
        "y ~ 0 + zero",
        "y ~ 1 | g + two",
    ] {
        let fit = scan(formula, &frame);
        assert!(fit.names().len() <= 1, "{formula}");
        assert!(fit.f_test().is_err());
    }
}

#[test]
fn outcomes_that_do_not_vary_and_perfect_fits() {
    let frame = put(&put(&customers(), "five", |_| 5.0), "zero", |_| 0.0);
    let frame = put(&frame, "tenth", |_| 0.1);
    let frame = put(&frame, "line", |i| 2.0 + 3.0 * ((i * 7) % 11) as f64);
    let frame = put(&frame, "level", |i| (i % 6) as f64 * 1.7);
    for outcome in ["five", "zero", "tenth"] {
        for rest in [
            "minutes",
            "1",
            "minutes | g",
            "minutes | g + two",
            "0 + minutes",
        ] {
            let formula = format!("{outcome} ~ {rest}");
            if formula == "five ~ 0 + minutes" || formula == "tenth ~ 0 + minutes" {
                continue; // not fitted perfectly without a constant
            }
            let fit = scan(&formula, &frame);
            warns(&fit.warnings(), &["outcome", "not vary"]);
            assert_eq!(fit.statistics().r_squared, 0.0, "{formula}");
        }
    }
    for formula in [
        "line ~ minutes",
        "line ~ minutes + price",
        "line ~ minutes | g",
        "level ~ minutes | g",
        "level ~ minutes | g + two",
    ] {
        let fit = scan(formula, &frame);
        warns(&fit.warnings(), &["perfect"]);
        assert!(fit.statistics().r_squared > 0.999_999);
    }
    let fit = iv("five ~ price | minutes ~ z + v", &frame).unwrap();
    sound("constant outcome, instruments", &fit);
    for kind in [
        Covariance::Classical,
        Covariance::Hc1,
        Covariance::cluster("g"),
    ] {
        let fit = fit.with_covariance(kind).unwrap();
        let set = fit.confidence_set("minutes", 0.95).unwrap();
        assert!(
            set.segments
                .iter()
                .all(|s| !s.lower.is_nan() && !s.upper.is_nan())
        );
        for test in [
            fit.anderson_rubin(&[0.0]),
            fit.wu_hausman(),
            fit.overidentification(),
        ] {
            match test {
                Ok(t) => assert!(!t.p_value.is_nan() && !t.statistic.is_nan(), "{t}"),
                Err(e) => drop(says::<()>(Err(e), &[])),
            }
        }
    }
    // Fieller with standard errors of zero: the point.
    let perfect = put(&frame, "plane", |i| {
        ((i * 7) % 11) as f64 + 2.0 * ((i * 3) % 7) as f64
    });
    let set = fieller(
        &ols("plane ~ minutes + price", &perfect).unwrap(),
        "minutes",
        "price",
        0.95,
    )
    .unwrap();
    assert!(set.segments.len() <= 1 && set.segments.iter().all(|s| (s.lower - 0.5).abs() < 1e-6));
}

#[test]
fn too_few_rows() {
    let frame = customers();
    let first = |n: usize| frame.head(n);
    let formula = "y ~ minutes + price + z + v";
    for n in 1..=5 {
        let error = says(ols(formula, &first(n)), &["rows", "parameters"]);
        assert!(matches!(error, Error::TooFewRows { .. }), "{n}: {error:?}");
    }
    for n in 6..9 {
        scan(formula, &first(n));
    }
    assert!(matches!(
        ols("y ~ minutes", &first(0)),
        Err(Error::NoRows { .. })
    ));
    assert!(matches!(
        says(ols("y ~ 1", &first(1)), &["1 row"]),
        Error::TooFewRows { .. }
    ));
    // Every row alone in its level, and levels that eat all degrees of freedom.
    let error = says(ols("y ~ minutes | row", &frame), &["alone", "effect"]);
    assert!(matches!(error, Error::NoRows { .. }));
    let error = says(
        Ols::new("y ~ minutes | row").keep_singletons().fit(&frame),
        &["30 rows", "parameters"],
    );
    assert!(matches!(error, Error::TooFewRows { .. }));
    let error = says(iv("y ~ price | minutes ~ z + v", &first(4)), &["rows"]);
    assert!(matches!(error, Error::TooFewRows { .. }));
    says(iv("y ~ 1 | row | minutes ~ z", &frame), &["alone"]);
    // A row fitted by a dummy of its own has leverage one.
    let dummy = put(&frame, "own", |i| f64::from(u8::from(i == 4)));
    let fit = scan("y ~ minutes + own", &dummy);
    for kind in [Covariance::Hc2, Covariance::Hc3] {
        warns(
            &fit.with_covariance(kind).unwrap().warnings(),
            &["1 row", "leverage"],
        );
    }
}

#[test]
fn effects_with_missing_values_and_singletons() {
    let frame = put(&customers(), "shop", |i| match i {
        0 | 1 => f64::NAN,
        2 => 99.0,
        _ => (i % 4) as f64,
    });
    for formula in ["y ~ minutes | shop", "y ~ minutes | shop + two"] {
        let fit = scan(formula, &frame);
        assert_eq!(fit.statistics().observations, 27.0);
        warns(&fit.warnings(), &["`shop` 2"]);
        warns(&fit.warnings(), &["1 singleton"]);
    }
    // Weights are those of the rows that are left, with all ways of losing rows at once.
    let frame = put(&frame, "w", |i| match i {
        5 => 0.0,
        6 => f64::NAN,
        _ => 1.0 + (i % 3) as f64,
    });
    let fit = Ols::new("y ~ minutes | shop")
        .weights("w")
        .fit(&frame)
        .unwrap();
    let kept = fit.kept_rows().unwrap();
    let by_hand = Ols::new("y ~ minutes | shop")
        .weights("w")
        .keep_singletons()
        .fit(&frame.filter(&kept).unwrap())
        .unwrap();
    assert_eq!(fit.statistics().observations, 25.0);
    assert_eq!(fit.estimates(), by_hand.estimates());
    assert_eq!(fit.covariance(), by_hand.covariance());
    let frequencies = put(&frame, "w", |i| match i {
        5 => 0.0,
        6 => f64::NAN,
        2 => 1.0,
        _ => 2.0,
    });
    let fit = Ols::new("y ~ minutes | shop")
        .frequency_weights("w")
        .fit(&frequencies)
        .unwrap();
    assert_eq!(fit.statistics().observations, 50.0);
    let twice = put(&frequencies, "w", |i| if i == 5 { 0.0 } else { 2.0 });
    let fit = Ols::new("y ~ minutes | shop")
        .frequency_weights("w")
        .fit(&twice)
        .unwrap();
    assert_eq!(
        fit.statistics().observations,
        54.0,
        "a row that stands for two is not alone"
    );
}

#[test]
fn weights_out_of_range() {
    let frame = put(&customers(), "w", |i| if i == 8 { -1.0 } else { 1.5 });
    for model in [
        Ols::new("y ~ minutes").weights("w"),
        Ols::new("y ~ minutes | g").weights("w"),
    ] {
        let error = says(model.fit(&frame), &["`w`", "-1", "row 9", "zero or more"]);
        assert!(matches!(error, Error::OutOfRange { row: 9, .. }));
    }
    let error = says(
        Ols::new("y ~ minutes")
            .frequency_weights("w")
            .fit(&put(&frame, "w", |_| 1.5)),
        &["`w`", "1.5", "row 1", "whole"],
    );
    assert!(matches!(error, Error::OutOfRange { row: 1, .. }));
    let none = put(&frame, "w", |_| 0.0);
    let error = says(
        Ols::new("y ~ minutes").weights("w").fit(&none),
        &["weight zero"],
    );
    assert!(matches!(error, Error::NoRows { .. }));
    says(
        Ols::new("y ~ minutes | g").weights("w").fit(&none),
        &["weight zero"],
    );
    let some = put(&frame, "w", |i| (i % 3) as f64);
    let fit = Ols::new("y ~ minutes").weights("w").fit(&some).unwrap();
    warns(&fit.warnings(), &["10 rows", "weight zero"]);
    sound("weights of zero", &fit);
}

#[test]
fn clusters_that_cannot_serve() {
    let frame = put(&put(&customers(), "one", |_| 1.0), "gaps", |i| {
        if i < 4 { f64::NAN } else { (i % 3) as f64 }
    });
    let fit = ols("y ~ minutes + price", &frame).unwrap();
    for kind in [
        Covariance::cluster("one"),
        Covariance::cr2("one"),
        Covariance::clusters(["g", "one"]),
        Covariance::driscoll_kraay("one"),
    ] {
        let error = says(fit.with_covariance(kind.clone()), &["`one`", "1 cluster"]);
        assert!(matches!(error, Error::TooFewClusters { clusters: 1, .. }));
        let error = says(
            Ols::new("y ~ minutes").covariance(kind).fit(&frame),
            &["`one`"],
        );
        assert!(matches!(error, Error::TooFewClusters { .. }));
    }
    for kind in [
        Covariance::cluster("gaps"),
        Covariance::cr2("gaps"),
        Covariance::newey_west("gaps"),
        Covariance::driscoll_kraay("gaps"),
    ] {
        let error = says(fit.with_covariance(kind), &["`gaps`", "4 rows"]);
        assert!(matches!(error, Error::MissingClusters { missing: 4, .. }));
    }
    says(
        fit.with_covariance(Covariance::clusters(Vec::<String>::new())),
        &["between 1 and"],
    );
    says(
        fit.with_covariance(Covariance::clusters(["g", "two", "row", "w", "colour"])),
        &["between 1 and"],
    );
    warns(
        &fit.with_covariance(Covariance::cluster("g"))
            .unwrap()
            .warnings(),
        &["only 6 clusters", "`g`", "cr2"],
    );
    // Two clusters give a covariance of rank one: joint tests are refused, single ones are not.
    let two = fit.with_covariance(Covariance::cluster("two")).unwrap();
    sound("two clusters", &two);
    let error = says(
        two.f_test(),
        &["singular", "fewer restrictions than there are clusters"],
    );
    assert!(matches!(error, Error::Matrix { .. }));
    let many = ols("y ~ minutes + price + z + v + C(colour) + w", &frame).unwrap();
    let error = says(
        many.with_covariance(Covariance::cluster("g"))
            .unwrap()
            .f_test(),
        &["singular"],
    );
    assert!(matches!(error, Error::Matrix { .. }));
    assert!(
        many.with_covariance(Covariance::cr2("g"))
            .unwrap()
            .f_test()
            .is_err()
    );
    // Coefficients that one cluster determines in part: CR2 says that it does not see all.
    let partly = ols("y ~ minutes + C(g)", &frame)
        .unwrap()
        .with_covariance(Covariance::cr2("g"))
        .unwrap();
    sound("levels of the clusters beside a regressor", &partly);
    warns(&partly.warnings(), &["C(g)[5]", "CR2", "too small"]);
    assert!(
        !partly
            .warnings()
            .iter()
            .any(|w| w.to_string().contains("minutes"))
    );
    // Wholly: it says nothing.
    let wholly = ols("y ~ C(g)", &frame)
        .unwrap()
        .with_covariance(Covariance::cr2("g"))
        .unwrap();
    sound("levels of the clusters", &wholly);
    warns(&wholly.warnings(), &["C(g)[5]", "CR2", "whole line"]);
    let level = wholly.coefficient("C(g)[5]").unwrap();
    assert_eq!((level.degrees_of_freedom, level.p_value()), (0.0, 1.0));
    assert!(
        wholly
            .confidence_set("C(g)[5]", 0.5)
            .unwrap()
            .is_whole_line()
    );
    assert!(wholly.f_test().is_err());
    assert!(
        fit.with_covariance(Covariance::cr2("g"))
            .unwrap()
            .warnings()
            .is_empty()
    );
    // CR2 with effects that cross the clusters; clusters that cross the rows kept.
    let crossed = ols("y ~ minutes | colour", &frame).unwrap();
    let error = says(
        crossed.with_covariance(Covariance::cr2("two")),
        &["CR2", "two", "C(colour)"],
    );
    assert!(matches!(error, Error::InvalidOption { .. }));
}

#[test]
fn kernels_that_cannot_serve() {
    let frame = customers();
    let fit = ols("y ~ minutes", &frame).unwrap();
    let error = says(
        fit.with_covariance(Covariance::newey_west("g")),
        &["`g`", "more than one row", "newey_west_panel"],
    );
    assert!(matches!(error, Error::InvalidOption { .. }));
    let error = says(
        fit.with_covariance(Covariance::newey_west_panel("two", "g")),
        &["more than one row"],
    );
    assert!(matches!(error, Error::InvalidOption { .. }));
    for kind in [
        Covariance::newey_west("row").lags(30),
        Covariance::driscoll_kraay("g").lags(6),
        Covariance::driscoll_kraay("g").lags(usize::MAX),
    ] {
        let error = says(
            fit.with_covariance(kind),
            &["lags", "less than the number of periods"],
        );
        assert!(matches!(error, Error::InvalidOption { .. }));
    }
    for kind in [
        Covariance::newey_west("colour"),
        Covariance::driscoll_kraay("colour"),
    ] {
        let error = says(
            fit.with_covariance(kind),
            &["`colour`", "order", "red", "CsvOptions::time"],
        );
        assert!(matches!(error, Error::WrongKind { .. }));
    }
    let repeated = Ols::new("y ~ minutes")
        .frequency_weights("w")
        .fit(&frame)
        .unwrap();
    let error = says(
        repeated.with_covariance(Covariance::newey_west("row")),
        &["frequency weights", "one row per period"],
    );
    assert!(matches!(error, Error::InvalidOption { .. }));
    sound(
        "all lags",
        &fit.with_covariance(Covariance::newey_west("row").lags(29))
            .unwrap(),
    );
}

#[test]
fn questions_that_make_no_sense() {
    let frame = customers();
    let fit = ols("y ~ minutes + price", &frame).unwrap();
    let instrumented = iv("y ~ price | minutes ~ z + v", &frame).unwrap();
    for level in [0.0, 1.0, -0.5, 95.0, f64::NAN] {
        for error in [
            says(
                fit.confidence_interval(level),
                &["level", "between 0 and 1"],
            ),
            says(
                fit.coefficient("price").unwrap().confidence_interval(level),
                &["level"],
            ),
            says(fit.confidence_set("price", level), &["level"]),
            says(instrumented.confidence_set("minutes", level), &["level"]),
            says(fieller(&fit, "price", "minutes", level), &["level"]),
            says(
                KrinskyRobb::new()
                    .seed(1)
                    .interval(&fit, "r", &["price"], |b| b[0], level),
                &["level"],
            ),
        ] {
            assert!(matches!(error, Error::InvalidOption { .. }), "{error:?}");
        }
    }
    for error in [
        says(
            fit.coefficient("prices"),
            &["`prices`", "did you mean `price`"],
        ),
        says(fit.std_error("prices"), &["`prices`"]),
        says(
            fit.linear("prices - minutes"),
            &["`prices`", "did you mean `price`"],
        ),
        says(fit.wald(&["prices = 0"]), &["`prices`"]),
        says(fit.nonlinear("r", &["prices"], |b| b[0]), &["`prices`"]),
        says(fieller(&fit, "prices", "minutes", 0.9), &["`prices`"]),
        says(
            instrumented.confidence_set("minuts", 0.9),
            &["did you mean `minutes`"],
        ),
    ] {
        assert!(
            matches!(error, Error::UnknownCoefficient { .. }),
            "{error:?}"
        );
    }
    says(fit.wald(&[]), &["restrictions", "at least one"]);
    let error = says(
        fit.wald(&["price = 0", "2 * price = 0"]),
        &["singular", "redundant"],
    );
    assert!(matches!(error, Error::Matrix { .. }));
    let error = says(
        fit.nonlinear("root", &["minutes"], |b| (-b[0].abs()).ln()),
        &["`root`", "not a finite"],
    );
    assert!(matches!(error, Error::NotFinite { .. }));
    let error = says(
        KrinskyRobb::new().interval(&fit, "r", &["price"], |b| b[0], 0.9),
        &["seed"],
    );
    assert!(matches!(error, Error::SeedRequired { .. }));
    says(
        KrinskyRobb::new()
            .seed(1)
            .draws(3)
            .interval(&fit, "r", &["price"], |b| b[0], 0.9),
        &["draws", "at least 100"],
    );
    says(
        KrinskyRobb::new()
            .seed(1)
            .interval(&fit, "r", &["price"], |_| f64::NAN, 0.9),
        &["`r`"],
    );
    says(fieller(&fit, "price", "price", 0.9), &["denominator"]);
    says(instrumented.anderson_rubin(&[]), &["one value for each"]);
    says(instrumented.anderson_rubin(&[1.0, 2.0]), &["minutes"]);
}

#[test]
fn formulas_that_are_not() {
    let frame = customers();
    for text in [
        "",
        " ",
        "~",
        "y",
        "y ~",
        "~ minutes",
        "y ~ ~ minutes",
        "y ~ minutes +",
        "y ~ + + *",
        "y ~ (minutes",
        "y ~ minutes)",
        "y ~ minutes | |",
        "y ~ log()",
        "y ~ `minutes",
        "y ~ minutes | g | price",
        "y ~ minutes | price ~",
        "y ~ minutes | ~ z",
        "y ~ frobnicate(minutes)",
        "y ~ minutes ^ ",
        "y ~ 3 ~ 4",
        "y ~ C(",
        "\u{1f600} ~ \u{1f600}",
    ] {
        let error = ols(text, &frame).unwrap_err();
        let shown = error.to_string();
        println!("{shown}");
        assert!(
            matches!(error, Error::Formula { .. } | Error::ColumnNotFound { .. }),
            "{text:?}: {error:?}"
        );
    }
    let error = says(ols("y ~ price | minutes ~ z", &frame), &["Iv"]);
    assert!(matches!(error, Error::InvalidOption { .. }));
    let error = says(iv("y ~ price", &frame), &["Ols"]);
    assert!(matches!(error, Error::InvalidOption { .. }));
}

#[test]
fn instruments_that_cannot_serve() {
    let frame = put(&customers(), "one", |_| 3.0);
    let frame = put(&frame, "twin", |i| 2.0 * ((i * 3) % 7) as f64 + 1.0);
    // An instrument that is among the exogenous regressors, or a combination of them, is none.
    for formula in [
        "y ~ price | minutes ~ one",
        "y ~ price | minutes ~ twin",
        "y ~ price | minutes ~ price",
        "y ~ price | minutes + z ~ v",
        "y ~ price | minutes + z ~ v + twin",
        "y ~ price | g | minutes ~ g",
    ] {
        let error = says(iv(formula, &frame), &[]);
        assert!(
            matches!(
                error,
                Error::Unidentified { .. } | Error::Formula { .. } | Error::InvalidOption { .. }
            ),
            "{formula}: {error:?}"
        );
        println!("{formula}: {error}");
    }
    // An endogenous regressor that does not vary, or is a combination of the exogenous ones.
    for formula in [
        "y ~ price | one ~ z",
        "y ~ price | twin ~ z",
        "y ~ 1 | g | g ~ z",
    ] {
        let error = says(iv(formula, &frame), &[]);
        assert!(
            matches!(
                error,
                Error::Unidentified { .. } | Error::Formula { .. } | Error::InvalidOption { .. }
            ),
            "{formula}: {error:?}"
        );
        println!("{formula}: {error}");
    }
    // A first stage of exactly zero, by a balanced design.
    let balanced = put(&frame.head(28), "minutes", |i| {
        f64::from(u8::from(i % 2 == 0))
    });
    let balanced = put(&balanced, "z", |i| f64::from(u8::from(i / 2 % 2 == 0)));
    let error = says(
        iv("y ~ 1 | minutes ~ z", &balanced),
        &["minutes", "first stage"],
    );
    assert!(matches!(error, Error::Unidentified { .. }));
    // More is said than needed, and one endogenous regressor repeats an exogenous one.
    let fit = iv("y ~ price | minutes + twin ~ z + v", &frame).unwrap();
    warns(&fit.warnings(), &["dropped", "twin"]);
    sound("a repeated endogenous regressor", &fit);
    // The first stage is perfect.
    let copy = put(&frame, "copy", |i| ((i * 7) % 11) as f64);
    for kind in [
        Covariance::Classical,
        Covariance::Hc1,
        Covariance::cluster("g"),
        Covariance::cr2("g"),
    ] {
        let fit = Iv::new("y ~ price | minutes ~ copy")
            .covariance(kind.clone())
            .fit(&copy)
            .unwrap_or_else(|e| panic!("{kind}: {e}"));
        sound("a perfect first stage", &fit);
        for stage in fit.first_stage().unwrap() {
            assert!(
                !stage.f.statistic.is_nan() && !stage.robust_f.statistic.is_nan(),
                "{stage:?}"
            );
            assert!(stage.effective_f.is_none_or(|f| !f.is_nan()), "{stage:?}");
            assert!(
                stage.critical_value.is_none_or(|f| !f.is_nan()),
                "{stage:?}"
            );
        }
        assert!(fit.confidence_set("minutes", 0.95).unwrap().is_bounded());
        for test in [fit.wu_hausman(), fit.overidentification()] {
            match test {
                Ok(t) => assert!(!t.p_value.is_nan(), "{t}"),
                Err(e) => drop(says::<()>(Err(e), &[])),
            }
        }
    }
    let error = says(
        iv("y ~ price | minutes ~ z", &frame)
            .unwrap()
            .overidentification(),
        &["more instruments"],
    );
    assert!(matches!(error, Error::Unidentified { .. }));
    let error = says(
        Iv::new("y ~ price | minutes ~ z")
            .estimator(KClass::Fuller(-1.0))
            .fit(&frame),
        &["Fuller", "zero or more"],
    );
    assert!(matches!(error, Error::InvalidOption { .. }));
    // Fewer clusters than instruments: no joint test of the first stage.
    let error = says(
        Iv::new("y ~ 1 | minutes ~ z + v + w")
            .covariance(Covariance::cluster("two"))
            .fit(&frame),
        &["singular", "clusters"],
    );
    assert!(matches!(error, Error::Matrix { .. }));
}

/// A value as a careless file may have it.
fn careless() -> impl Strategy<Value = f64> {
    prop_oneof![
        6 => (-3_i32..4).prop_map(f64::from),
        1 => Just(f64::NAN),
        1 => Just(0.0),
        1 => Just(1e-12),
        1 => Just(-1e12),
    ]
}

/// Outcome, regressor, weight, and two codes of one row.
type Careless = (f64, f64, f64, u8, u8);

proptest! {
    #![proptest_config(ProptestConfig { cases: 80, failure_persistence: None, ..ProptestConfig::default() })]

    /// Tiny samples of bad values: every fit is refused with a sentence or has only numbers.
    #[test]
    fn careless_data_gives_numbers_or_a_sentence(
        rows in prop::collection::vec((careless(), careless(), careless(), 0_u8..3, 0_u8..4), 0..12),
        weighted in any::<bool>(),
    ) {
        let column = |f: &dyn Fn(&Careless) -> f64| rows.iter().map(f).collect::<Vec<f64>>();
        let frame = Frame::new()
            .with("y", column(&|r| r.0)).unwrap()
            .with("x", column(&|r| r.1)).unwrap()
            .with("z", column(&|r| r.2)).unwrap()
            .with("a", column(&|r| f64::from(r.3))).unwrap()
            .with("g", column(&|r| f64::from(r.4))).unwrap();
        let kinds = [Covariance::Classical, Covariance::Hc1, Covariance::Hc2, Covariance::Hc3, Covariance::cluster("g"), Covariance::clusters(["a", "g"]), Covariance::cr2("g"), Covariance::driscoll_kraay("g")];
        for formula in ["y ~ x", "y ~ x + z + C(a)", "y ~ 0 + x", "y ~ x | a", "y ~ x | a + g", "y ~ 1 | x ~ z", "y ~ 1 | a | x ~ z", "y ~ 1 | x ~ z + C(a)"] {
            for kind in &kinds {
                let what = format!("{formula}, {kind}");
                if formula.matches('~').count() > 1 {
                    match Iv::new(formula).covariance(kind.clone()).fit(&frame) {
                        Ok(fit) => {
                            sound(&what, &fit);
                            sound_statistics(&what, fit.statistics());
                            let stage = &fit.first_stage().unwrap()[0];
                            prop_assert!(!stage.f.p_value.is_nan() && !stage.robust_f.p_value.is_nan(), "{what} {stage:?}");
                            if let Ok(set) = fit.confidence_set("x", 0.9) {
                                prop_assert!(set.segments.iter().all(|s| s.lower <= s.upper), "{what} {set}");
                            }
                        }
                        Err(error) => drop(says::<()>(Err(error), &[])),
                    }
                    continue;
                }
                let model = Ols::new(formula).covariance(kind.clone());
                match if weighted { model.weights("g") } else { model }.fit(&frame) {
                    Ok(fit) => {
                        sound(&what, &fit);
                        sound_statistics(&what, fit.statistics());
                        if let Ok(test) = fit.f_test() {
                            prop_assert!((0.0..=1.0).contains(&test.p_value), "{what} {test}");
                        }
                    }
                    Err(error) => drop(says::<()>(Err(error), &[])),
                }
            }
        }
    }
}
