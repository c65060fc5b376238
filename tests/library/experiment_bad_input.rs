//! Experiments that cannot be right are refused or warned of, with what to do.

use cocreate::prelude::*;

fn frame() -> Frame {
    let n = 200;
    let number = |f: &dyn Fn(usize) -> f64| -> Vec<f64> { (0..n).map(f).collect() };
    Frame::new()
        .with(
            "arm",
            (0..n)
                .map(|i| ["control", "green", "blue"][i % 3])
                .collect::<Vec<_>>(),
        )
        .unwrap()
        .with("user", number(&|i| (i / 2) as f64))
        .unwrap()
        .with("y", number(&|i| ((i * 7919) % 31) as f64))
        .unwrap()
        .with("one", number(&|_| 1.0))
        .unwrap()
        .with("nil", number(&|_| 0.0))
        .unwrap()
        .with("about zero", number(&|i| ((i * 7919) % 31) as f64 - 15.0))
        .unwrap()
        .with("start", number(&|i| f64::from(u8::from((i / 3) % 2 == 0))))
        .unwrap()
        .with("buy", number(&|i| f64::from(u8::from((i / 3) % 4 == 0))))
        .unwrap()
}

fn of(metric: Metric) -> Experiment {
    Experiment::new("arm", "control").metric(metric)
}

fn refused(experiment: &Experiment, frame: &Frame, pieces: &[&str]) {
    let text = experiment.analyze(frame).unwrap_err().to_string();
    for piece in pieces {
        assert!(text.contains(piece), "`{piece}` is not in: {text}");
    }
}

fn warned(fit: &ExperimentFit, piece: &str) {
    let all: Vec<String> = fit.warnings().iter().map(ToString::to_string).collect();
    assert!(
        all.iter().any(|w| w.contains(piece)),
        "`{piece}` is not in {all:?}"
    );
    assert!(
        fit.to_string().contains(piece),
        "the table does not warn of {piece}"
    );
}

fn set(frame: &Frame, column: &str, row: usize, value: f64) -> Frame {
    let mut values = frame.real(column).unwrap().to_vec();
    values[row] = value;
    frame.replace(column, values).unwrap()
}

#[test]
fn designs() {
    let f = frame();
    let y = || Metric::mean("y");
    refused(
        &Experiment::new("arm", "contrl").metric(y()),
        &f,
        &["`contrl`", "did you mean `control`"],
    );
    refused(
        &Experiment::new("arms", "control").metric(y()),
        &f,
        &["did you mean `arm`"],
    );
    let alone = f
        .filter(&(0..200).map(|i| i % 3 == 0).collect::<Vec<_>>())
        .unwrap();
    refused(&of(y()), &alone, &["second arm", "control"]);
    refused(
        &of(y()).unit("user"),
        &f,
        &[
            "user",
            "rows in `control` and `green`",
            "(and of 99 other units)",
            "leave those units out",
        ],
    );
    refused(
        &of(y()).clusters("user"),
        &f,
        &["rows in `control` and `green`"],
    );
    refused(&of(y()).metric(y()), &f, &["`y` twice", "Metric::name"]);
    refused(&Experiment::new("arm", "control"), &f, &["Metric::mean"]);
    refused(&of(y()).level(95.0), &f, &["level", "95"]);
    refused(
        &of(y()).allocation([("control", 0.5)]),
        &f,
        &["allocation", "blue"],
    );
    refused(
        &of(y()).many_to_one().comparisons(Comparisons::AllPairs),
        &f,
        &["many_to_one"],
    );
    refused(
        &of(y().equivalence(Margin::Absolute(-1.0))),
        &f,
        &["margin"],
    );
    refused(&of(y()).trigger("y"), &f, &["trigger", "0 or 1"]);
    // A stratum that lacks an arm.
    let stratum: Vec<&str> = (0..200)
        .map(|i| {
            if i % 3 == 1 && i > 90 {
                "late"
            } else {
                "early"
            }
        })
        .collect();
    let strata = f.clone().with("stratum", stratum).unwrap();
    refused(
        &of(y()).strata("stratum"),
        &strata,
        &["arm `control`", "stratum `late`", "merge small strata"],
    );
}

/// Metrics that need the rows compare arms over all units, whatever the strata.
#[test]
fn strata_that_a_metric_does_not_use() {
    let strata: Vec<&str> = (0..200).map(|i| ["x", "y"][(i / 3) % 2]).collect();
    let f = frame().with("stratum", strata).unwrap();
    let of = |metric: Metric| of(metric).strata("stratum").analyze(&f).unwrap();
    for fit in [
        of(Metric::quantile("y", 0.5).name("a")),
        of(Metric::mean("y").name("a").bootstrap_t(200).seed(7)),
    ] {
        warned(&fit, "`a` compares arms over all units, not within");
    }
    let plain = of(Metric::mean("y"));
    assert!(!plain.to_string().contains("over all units, not"));
}

/// A control without a single success: the lift is no number, and a file of the result is read back all the same.
#[test]
fn a_control_of_zero_is_written_and_read() {
    let bought = (0..200).map(|i| f64::from(u8::from(i % 3 > 0 && i % 2 > 0)));
    let f = frame().with("rare", bought.collect::<Vec<_>>()).unwrap();
    let fit = of(Metric::proportion("rare")).analyze(&f).unwrap();
    let lift = &fit.effect("rare", "green").unwrap().lift;
    assert!(lift.estimate.is_nan() && !lift.determined);
    assert!(lift.delta.lower < -1e300 && lift.delta.upper > 1e300);
    let file = serde_json::to_string(&fit).unwrap();
    let back: ExperimentFit = serde_json::from_str(&file).unwrap();
    assert_eq!(back.to_string(), fit.to_string());
    let lift = &back.effect("rare", "green").unwrap().lift;
    assert!(lift.delta.lower < -1e300 && lift.delta.upper > 1e300);
}

#[test]
fn values() {
    let f = frame();
    refused(
        &of(Metric::count("y")),
        &set(&f, "y", 3, -1.0),
        &["`y` is -1 in row 4", "count"],
    );
    refused(
        &of(Metric::proportion("y")),
        &f,
        &["0 or 1 for a proportion"],
    );
    refused(
        &of(Metric::mean("y")),
        &set(&f, "y", 5, f64::INFINITY),
        &["infinite in row 6"],
    );
    refused(&of(Metric::mean("arm")), &f, &["`arm` must be numeric"]);
    refused(
        &of(Metric::ratio("y", "nil")),
        &f,
        &["arm `control`", "denominator", "not zero"],
    );
    refused(
        &of(Metric::funnel(["start", "buy"])),
        &set(&f, "buy", 3, 1.0),
        &["`buy` is 1 in row 4", "nobody gets further"],
    );
    let text = ExperimentStream::new(of(Metric::quantile("y", 0.9)))
        .unwrap_err()
        .to_string();
    assert!(
        text.contains("all values in order") && text.contains("Experiment::analyze"),
        "{text}"
    );
    let learned = Metric::mean("y").adjust(Learner::forest(), ["one"]);
    assert!(ExperimentStream::new(of(learned.clone())).is_err());
    refused(&of(learned), &f, &["needs a seed"]);
    refused(
        &of(Metric::mean("y").bootstrap_t(500)),
        &f,
        &["needs a seed"],
    );
    refused(
        &of(Metric::quantile("y", 0.999)),
        &f,
        &["order statistics on both sides"],
    );
    refused(&of(Metric::quantile("y", 2.0)), &f, &["between 0 and 1"]);
    refused(
        &of(Metric::mean("y").winsorize(0.9, 0.1)),
        &f,
        &["in order"],
    );
}

#[test]
fn warnings() {
    let f = frame();
    let fit = of(Metric::mean("one")).analyze(&f).unwrap();
    warned(&fit, "does not vary");
    assert_eq!(fit.effects()[0].p_value, 1.0);
    warned(
        &of(Metric::mean("about zero")).analyze(&f).unwrap(),
        "covers zero",
    );
    let lift = &of(Metric::mean("about zero"))
        .analyze(&f)
        .unwrap()
        .effects()[0]
        .lift
        .clone();
    assert!(!lift.determined && lift.method == LiftMethod::Fieller && !lift.fieller.is_bounded());
    warned(
        &of(Metric::ratio("y", "about zero")).analyze(&f).unwrap(),
        "standard errors from zero",
    );
    warned(
        &of(Metric::mean("y"))
            .analyze(&set(&f, "y", 3, f64::NAN))
            .unwrap(),
        "`y` is missing in 1 rows",
    );
    warned(
        &of(Metric::mean("y").cuped(["one", "nil"]))
            .analyze(&f)
            .unwrap(),
        "left out: one, nil",
    );
    warned(
        &of(Metric::mean("y"))
            .allocation([("control", 2.0), ("green", 1.0), ("blue", 1.0)])
            .analyze(&f)
            .unwrap(),
        "sample-ratio mismatch",
    );
    let mut arms: Vec<Option<&str>> = (0..200)
        .map(|i| Some(["control", "green"][i % 2]))
        .collect();
    arms[0] = None;
    let missing = f.replace("arm", arms).unwrap();
    warned(
        &of(Metric::mean("y")).analyze(&missing).unwrap(),
        "1 rows left out: `arm` is missing",
    );
}
