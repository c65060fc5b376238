//! Experiments against tea-tasting, statsmodels, scipy and numpy; streams against one frame; what must hold for any data.

use crate::support::{agree, data, filter, fixture, numbers};
use cocreate::prelude::*;
use proptest::prelude::*;
use serde_json::Value;

const TOLERANCE: f64 = 1e-9;

fn frame() -> Frame {
    data("tests/reference/experiment_core.csv")
}

fn values() -> Value {
    fixture("experiment_core")["values"].clone()
}

/// The arms A and B.
fn pair() -> Frame {
    let all = frame();
    let arm = all.label("arm").unwrap();
    let keep: Vec<bool> = (0..all.rows()).map(|i| arm.get(i) != Some("C")).collect();
    filter(&all, &keep)
}

fn experiment() -> Experiment {
    Experiment::new("arm", "A")
}

/// Control, arm, difference and its interval, lift and its interval, p and statistic, as tea-tasting reports them.
fn record(effect: &Effect) -> Vec<f64> {
    vec![
        effect.values[1],
        effect.values[0],
        effect.difference.estimate,
        effect.interval.lower,
        effect.interval.upper,
        effect.lift.estimate,
        effect.lift.lower,
        effect.lift.upper,
        effect.p_value,
        effect.difference.statistic(0.0),
    ]
}

fn each(what: &str, ours: &[f64], theirs: &Value) {
    let theirs = numbers(theirs);
    assert_eq!(ours.len(), theirs.len(), "{what}");
    for (i, (a, b)) in ours.iter().zip(&theirs).enumerate() {
        agree(&format!("{what} {i}"), &[*a], &[*b], TOLERANCE);
    }
}

fn five() -> Experiment {
    experiment()
        .metric(Metric::mean("revenue").name("mean"))
        .metric(Metric::ratio("revenue", "orders").name("ratio"))
        .metric(
            Metric::mean("revenue")
                .cuped(["revenue_before"])
                .slope(CovariateSlope::Total)
                .name("cuped"),
        )
        .metric(
            Metric::ratio("revenue", "orders")
                .cuped_ratio("revenue_before", "orders_before")
                .slope(CovariateSlope::Total)
                .name("cuped_ratio"),
        )
}

#[test]
fn means_ratios_and_their_covariates_as_in_tea_tasting() {
    let fit = five().analyze(&pair()).unwrap();
    let theirs = &values()["tea_tasting"];
    for name in ["mean", "ratio", "cuped", "cuped_ratio"] {
        each(name, &record(fit.effect(name, "B").unwrap()), &theirs[name]);
    }
    let ratio = fit.sample_ratio();
    each(
        "sample ratio",
        &[ratio.statistic, ratio.p_value],
        &theirs["sample_ratio"],
    );
}

#[test]
fn welch_as_in_scipy_and_statsmodels() {
    let all = values();
    let fit = experiment()
        .metric(Metric::mean("revenue"))
        .metric(Metric::proportion("bought"))
        .comparisons(Comparisons::AllPairs)
        .analyze(&frame())
        .unwrap();
    for name in ["revenue: B", "revenue: C", "bought: B", "bought: C"] {
        let e = fit
            .effects()
            .iter()
            .find(|e| e.difference.name == name)
            .unwrap();
        let d = &e.difference;
        let ours = [
            d.estimate,
            e.interval.lower,
            e.interval.upper,
            d.statistic(0.0),
            e.p_value,
            d.degrees_of_freedom,
        ];
        each(name, &ours, &all["welch"][name]);
        // The joint covariance knows the same.
        let again = fit.coefficient(name).unwrap();
        agree(
            "verb",
            &[again.std_error, again.degrees_of_freedom],
            &[d.std_error, d.degrees_of_freedom],
            1e-12,
        );
    }
    let third = fit
        .effects()
        .iter()
        .find(|e| e.difference.name == "revenue: C - B")
        .unwrap();
    let ours = [
        third.difference.estimate,
        third.interval.lower,
        third.interval.upper,
    ];
    each("C - B", &ours, &all["welch"]["revenue: C - B"]);
    let linear = fit.linear("`revenue: C` - `revenue: B`").unwrap();
    let d = &third.difference;
    agree(
        "contrast",
        &[linear.estimate, linear.std_error, linear.degrees_of_freedom],
        &[d.estimate, d.std_error, d.degrees_of_freedom],
        1e-10,
    );
    let fieller = &fit.effect("revenue", "B").unwrap().lift.fieller.segments[0];
    each(
        "Fieller",
        &[fieller.lower, fieller.upper],
        &all["fieller_lift_of_revenue_b"],
    );
}

#[test]
fn adjustments_as_regressions() {
    let all = values();
    let covariates = ["revenue_before", "orders_before"];
    let fit = experiment()
        .metric(Metric::mean("revenue").cuped(covariates).name("within"))
        .metric(
            Metric::mean("revenue")
                .cuped(covariates)
                .slope(CovariateSlope::PerArm)
                .name("per arm"),
        )
        .metric(
            Metric::mean("revenue")
                .lin(covariates, Covariance::Hc2)
                .name("HC2"),
        )
        .metric(
            Metric::mean("revenue")
                .lin(covariates, Covariance::Hc3)
                .name("HC3"),
        )
        .analyze(&frame())
        .unwrap();
    let of = |name: &str, error: bool| -> Vec<f64> {
        let number = |arm| {
            let d = &fit.effect(name, arm).unwrap().difference;
            if error { d.std_error } else { d.estimate }
        };
        vec![number("B"), number("C")]
    };
    each("ancova", &of("within", false), &all["ancova"]["difference"]);
    each(
        "ancova errors",
        &of("within", true),
        &all["ancova"]["std_error"],
    );
    for name in ["per arm", "HC2", "HC3"] {
        each(name, &of(name, false), &all["lin"]["difference"]);
    }
    for name in ["HC2", "HC3"] {
        each(name, &of(name, true), &all["lin"][name]);
    }
    // From sums the variance is that of residuals with n - 1; leverages are not known.
    each(
        "per arm errors",
        &of("per arm", true),
        &all["lin"]["residual"],
    );
}

#[test]
fn strata_clusters_quantiles_and_skewness() {
    let all = values();
    let fit = experiment()
        .metric(Metric::mean("revenue"))
        .strata("stratum")
        .analyze(&frame())
        .unwrap();
    for arm in ["B", "C"] {
        let d = &fit.effect("revenue", arm).unwrap().difference;
        each(
            "strata",
            &[d.estimate, d.std_error, d.degrees_of_freedom],
            &all["poststratified"][arm],
        );
    }
    let fit = experiment()
        .metric(Metric::mean("revenue"))
        .metric(Metric::ratio("revenue", "orders").name("ratio"))
        .metric(Metric::quantile("revenue", 0.9).name("q90"))
        .clusters("shop")
        .analyze(&frame())
        .unwrap();
    for arm in ["A", "B", "C"] {
        let value = |metric: &str| {
            let v = fit
                .values()
                .iter()
                .find(|v| v.metric == metric && v.arm == arm)
                .unwrap();
            vec![v.value, v.std_error]
        };
        each("clusters", &value("revenue"), &all["clustered"][arm]);
        each(
            "ratio over clusters",
            &value("ratio"),
            &all["clustered"][&format!("ratio {arm}")],
        );
        each(
            "quantile over clusters",
            &value("q90"),
            &all["quantile_90 over shops"][arm],
        );
    }
    let rows = experiment()
        .metric(Metric::quantile("revenue", 0.9))
        .analyze(&frame())
        .unwrap();
    for value in rows.values() {
        let found = [value.value, value.std_error];
        each("quantile", &found, &all["quantile_90"][&value.arm]);
    }
    // A unit with several rows is a cluster.
    let unit = experiment()
        .metric(Metric::mean("revenue"))
        .unit("shop")
        .analyze(&frame())
        .unwrap();
    assert_eq!(
        unit.effect("revenue", "B").unwrap().interval,
        fit.effect("revenue", "B").unwrap().interval
    );
}

/// All that a stream can do, in one experiment.
fn wide() -> Experiment {
    five()
        .metric(Metric::proportion("bought").decision())
        .metric(Metric::count("orders"))
        .metric(
            Metric::mean("revenue")
                .cuped(["revenue_before", "orders_before"])
                .name("two"),
        )
        .adjust(Adjustment::Holm)
}

fn close(a: &ExperimentFit, b: &ExperimentFit) {
    assert_eq!(a.effects().len(), b.effects().len());
    for (x, y) in a.effects().iter().zip(b.effects()) {
        assert_eq!(
            (&x.metric, &x.arm, x.units, x.verdict),
            (&y.metric, &y.arm, y.units, y.verdict)
        );
        let (x, y) = (record(x), record(y));
        for (x, y) in x.iter().zip(&y) {
            assert!((x - y).abs() <= 1e-10 * (1.0 + y.abs()), "{x} {y}");
        }
    }
    assert_eq!(a.sample_ratio(), b.sample_ratio());
    assert_eq!(a.counts(), b.counts());
    assert!((a.covariance() - b.covariance()).amax() < 1e-10 * a.covariance().amax());
}

#[test]
fn a_stream_in_any_order_is_the_frame() {
    // Missing values in some rows, none in others, and arms that turn up late.
    let all = frame();
    let mut revenue = all.real("revenue").unwrap().to_vec();
    let mut before = all.real("revenue_before").unwrap().to_vec();
    for i in 0..revenue.len() {
        if i % 97 == 5 {
            revenue[i] = f64::NAN;
        }
        if i % 53 == 7 {
            before[i] = f64::NAN;
        }
    }
    let all = all
        .replace("revenue", revenue)
        .unwrap()
        .replace("revenue_before", before)
        .unwrap();
    for experiment in [
        wide(),
        wide().strata("stratum"),
        wide().clusters("shop"),
        wide().unit("user"),
    ] {
        let once = experiment.analyze(&all).unwrap();
        let rows: Vec<usize> = (0..all.rows()).collect();
        let batches: Vec<Frame> = rows.chunks(61).map(|r| all.take(r).unwrap()).collect();
        let mut workers = [
            ExperimentStream::new(experiment.clone()).unwrap(),
            ExperimentStream::new(experiment.clone()).unwrap(),
        ];
        for (i, batch) in batches.iter().rev().enumerate() {
            workers[i % 2].push(batch).unwrap();
            let stored = serde_json::to_string(&workers[i % 2]).unwrap();
            workers[i % 2] = serde_json::from_str(&stored).unwrap();
        }
        let [mut first, second] = workers;
        first.merge(&second).unwrap();
        assert_eq!(first.rows(), 849);
        close(&first.analyze().unwrap(), &once);
        let shuffled: Vec<usize> = (0..849).map(|i| (i * 343) % 849).collect();
        close(
            &experiment.analyze(&all.take(&shuffled).unwrap()).unwrap(),
            &once,
        );
    }
}

#[test]
fn a_file_is_read_in_batches() {
    let mut stream = ExperimentStream::new(wide().strata("stratum")).unwrap();
    let path = format!(
        "{}/tests/reference/experiment_core.csv",
        env!("CARGO_MANIFEST_DIR")
    );
    assert_eq!(stream.read_csv(path).unwrap(), 849);
    close(
        &stream.analyze().unwrap(),
        &wide().strata("stratum").analyze(&frame()).unwrap(),
    );
}

#[test]
fn a_fit_survives_serde_and_shows_itself() {
    let fit = wide().analyze(&frame()).unwrap();
    let again: ExperimentFit = serde_json::from_str(&serde_json::to_string(&fit).unwrap()).unwrap();
    assert_eq!(again, fit);
    let text = fit.to_string();
    for piece in [
        "cuped_ratio",
        "Sample ratio",
        "Holm",
        "Adjusted for covariates",
    ] {
        assert!(text.contains(piece), "{piece}\n{text}");
    }
    assert!(fit.to_html().contains("<table"));
}

fn small() -> impl Strategy<Value = Vec<(bool, f64, f64, f64)>> {
    prop::collection::vec(
        (any::<bool>(), -50.0_f64..50.0, 1.0_f64..9.0, -5.0_f64..5.0),
        30..300,
    )
}

fn made(rows: &[(bool, f64, f64, f64)], scale: f64, shift: f64) -> Frame {
    let arm: Vec<&str> = rows
        .iter()
        .enumerate()
        .map(|(i, r)| if i % 2 == 0 || r.0 && i > 8 { "A" } else { "B" })
        .collect();
    Frame::new()
        .with("arm", arm)
        .unwrap()
        .with(
            "y",
            rows.iter().map(|r| scale * r.1 + shift).collect::<Vec<_>>(),
        )
        .unwrap()
        .with("d", rows.iter().map(|r| scale * r.2).collect::<Vec<_>>())
        .unwrap()
        .with(
            "x",
            rows.iter().map(|r| r.3 + 0.1 * r.1).collect::<Vec<_>>(),
        )
        .unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn scale_and_shift(rows in small(), scale in 0.1_f64..100.0, shift in -1e6_f64..1e6) {
        let experiment = experiment()
            .metric(Metric::mean("y").cuped(["x"]).name("cuped"))
            .metric(Metric::ratio("y", "d").name("ratio"));
        let plain = experiment.analyze(&made(&rows, 1.0, 0.0)).unwrap();
        let moved = experiment.analyze(&made(&rows, scale, shift)).unwrap();
        let [a, b] = [&plain, &moved].map(|f| f.effect("cuped", "B").unwrap().difference.clone());
        prop_assert!((b.estimate - scale * a.estimate).abs() < 1e-8 * scale.max(1.0));
        prop_assert!((b.std_error - scale * a.std_error).abs() < 1e-8 * scale.max(1.0));
        let scaled = experiment.analyze(&made(&rows, scale, 0.0)).unwrap();
        let [a, b] = [&plain, &scaled].map(|f| f.effect("ratio", "B").unwrap().difference.clone());
        prop_assert!((a.estimate - b.estimate).abs() < 1e-9 && (a.std_error - b.std_error).abs() < 1e-9);
    }

    #[test]
    fn batches_merge_in_any_split(rows in small(), cut in 0.0_f64..1.0) {
        let experiment = experiment()
            .metric(Metric::mean("y").cuped(["x"]).name("cuped"))
            .metric(Metric::ratio("y", "d").cuped(["x"]).name("ratio"));
        let frame = made(&rows, 1.0, 1e6);
        let at = (cut * rows.len() as f64) as usize;
        let all: Vec<usize> = (0..rows.len()).collect();
        let mut stream = ExperimentStream::new(experiment.clone()).unwrap();
        stream.push(&frame.take(&all[at..]).unwrap()).unwrap();
        stream.push(&frame.take(&all[..at]).unwrap()).unwrap();
        let (a, b) = (experiment.analyze(&frame).unwrap(), stream.analyze().unwrap());
        for (a, b) in a.effects().iter().zip(b.effects()) {
            prop_assert!((a.difference.estimate - b.difference.estimate).abs() < 1e-7);
            prop_assert!((a.difference.std_error / b.difference.std_error - 1.0).abs() < 1e-9);
        }
    }
}

#[cfg(feature = "parallel")]
#[test]
fn the_same_bits_on_any_number_of_threads() {
    // More rows than one task takes, so that partial sums are merged.
    let n = 600_000;
    let number = |f: &dyn Fn(usize) -> f64| -> Vec<f64> { (0..n).map(f).collect() };
    let frame = Frame::new()
        .with(
            "arm",
            (0..n)
                .map(|i| ["A", "B"][(i * i) % 3 % 2])
                .collect::<Vec<_>>(),
        )
        .unwrap()
        .with("y", number(&|i| ((i * 7919) % 1009) as f64 / 7.0))
        .unwrap()
        .with(
            "x",
            number(&|i| {
                if i % 1000 == 3 {
                    f64::NAN
                } else {
                    ((i * 31) % 977) as f64 / 3.0
                }
            }),
        )
        .unwrap();
    let experiment = experiment()
        .metric(Metric::mean("y").cuped(["x"]).name("cuped"))
        .metric(Metric::mean("y"));
    let on = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        pool.install(|| serde_json::to_string(&experiment.analyze(&frame).unwrap()).unwrap())
    };
    assert_eq!(on(1), on(5));
}
