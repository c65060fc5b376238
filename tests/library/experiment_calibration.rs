//! Whether the intervals of experiments cover what they should, and whether those that do not are warned of.

use cocreate::numeric::blocks;
use cocreate::prelude::*;
use rand::Rng as _;
use rand_distr::{Distribution as _, LogNormal as LogNormalDraw, StandardNormal};

/// Coverage of a 95 % interval in this many replications scatters by 1.1 points; four of them are allowed.
const REPLICATIONS: usize = 400;
const ALLOWED: f64 = 0.044;

fn normal(generator: &mut impl rand::Rng) -> f64 {
    StandardNormal.sample(generator)
}

/// Users in shops, with orders and revenue that depend on what they bought before; the arm adds 10 % to revenue.
fn shops(replication: usize) -> Frame {
    let mut g = Seed::new(20_261_122)
        .child("shops")
        .stream(replication as u64);
    let (mut arm, mut shop, mut stratum) = (Vec::new(), Vec::new(), Vec::new());
    let (mut orders, mut revenue, mut before) = (Vec::new(), Vec::new(), Vec::new());
    for s in 0..80 {
        let (own, treated) = (0.5 * normal(&mut g), s % 2 == 1);
        for _ in 0..3 + g.next_u64() % 5 {
            let x = 5.0 + normal(&mut g);
            let d = (2.0 + 0.4 * x + 0.5 * normal(&mut g)).max(0.5);
            let y = d * (3.0 + own + 0.5 * normal(&mut g)) + x;
            arm.push(if treated { "tool" } else { "control" });
            shop.push(f64::from(s));
            stratum.push(f64::from(u8::from(x > 5.0)));
            before.push(x);
            orders.push(d);
            revenue.push(if treated { 1.1 * y } else { y });
        }
    }
    Frame::new()
        .with("arm", arm)
        .unwrap()
        .with("shop", shop)
        .unwrap()
        .with("stratum", stratum)
        .unwrap()
        .with("before", before)
        .unwrap()
        .with("orders", orders)
        .unwrap()
        .with("revenue", revenue)
        .unwrap()
}

#[test]
fn intervals_cover_in_balanced_designs() {
    // E[revenue] = E[d (3 + ...)] + E[x] with E[d] = 4 and E[x] = 5; E[revenue] / E[orders] = 17 / 4.
    let truth = [0.1 * 17.0, 0.1 * 17.0 / 4.0];
    let experiment = Experiment::new("arm", "control")
        .metric(Metric::mean("revenue").name("mean"))
        .metric(Metric::mean("revenue").cuped(["before"]).name("cuped"))
        .metric(Metric::ratio("revenue", "orders").name("ratio"))
        .metric(
            Metric::ratio("revenue", "orders")
                .cuped(["before"])
                .name("cuped ratio"),
        )
        .clusters("shop");
    let runs = blocks::map(REPLICATIONS, |i| {
        let fit = experiment.analyze(&shops(i)).unwrap();
        let cover = |e: &Effect, t: f64| {
            let inside = |low: f64, high: f64, t: f64| f64::from(u8::from(low <= t && t <= high));
            [
                inside(e.interval.lower, e.interval.upper, t),
                inside(e.lift.lower, e.lift.upper, 0.1),
                inside(e.lift.delta.lower, e.lift.delta.upper, 0.1),
                f64::from(u8::from(e.lift.fieller.contains(0.1))),
            ]
        };
        let each = fit.effects().iter().enumerate();
        each.map(|(k, e)| cover(e, truth[k / 2]))
            .collect::<Vec<_>>()
    });
    for (k, metric) in experiment.metrics().iter().enumerate() {
        for (j, interval) in ["difference", "log", "delta", "Fieller"].iter().enumerate() {
            let covered = runs.iter().map(|r| r[k][j]).sum::<f64>() / REPLICATIONS as f64;
            println!("{} {interval}: {covered}", metric.label());
            assert!(
                (covered - 0.95).abs() < ALLOWED,
                "{} {interval}: {covered}",
                metric.label()
            );
        }
    }
}

/// Spending of users of whom 1 in 10 buys: 500 in the arm against 9 500 in the control, no effect.
fn spending(replication: usize) -> Frame {
    let mut g = Seed::new(7).child("spending").stream(replication as u64);
    let amounts = LogNormalDraw::new(2.0, 1.5).unwrap();
    let n = 10_000;
    let arm: Vec<&str> = (0..n)
        .map(|i| if i % 20 == 0 { "new" } else { "control" })
        .collect();
    let spend: Vec<f64> = (0..n)
        .map(|_| {
            if g.next_u64().is_multiple_of(10) {
                amounts.sample(&mut g)
            } else {
                0.0
            }
        })
        .collect();
    let mut g = Seed::new(7).child("visits").stream(replication as u64);
    let visits: Vec<f64> = (0..n).map(|_| (1 + g.next_u64() % 4) as f64).collect();
    Frame::new()
        .with("arm", arm)
        .unwrap()
        .with("spend", spend)
        .unwrap()
        .with("visits", visits)
        .unwrap()
}

#[test]
fn skewed_metrics_in_small_arms_are_warned_of_and_the_bootstrap_is_better() {
    const RUNS: usize = 150;
    let plain = Experiment::new("arm", "control").allocation([("control", 19.0), ("new", 1.0)]);
    let (t, bootstrap, ratio) = (
        plain.clone().metric(Metric::mean("spend")),
        plain
            .clone()
            .metric(Metric::mean("spend").bootstrap_t(300).seed(1)),
        plain.metric(Metric::ratio("spend", "visits")),
    );
    let runs = blocks::map(RUNS, |i| {
        let frame = spending(i);
        let [t, b, r] = [&t, &bootstrap, &ratio].map(|e| e.analyze(&frame).unwrap());
        let inside = |i: &Interval| f64::from(u8::from(i.lower <= 0.0 && 0.0 <= i.upper));
        let warned = |fit: &ExperimentFit| {
            let mut warnings = fit.warnings().iter().map(ToString::to_string);
            f64::from(u8::from(
                warnings.any(|w| w.contains("not to be trusted: skewness")),
            ))
        };
        assert!(b.warnings().is_empty(), "{:?}", b.warnings());
        [
            inside(&t.effects()[0].interval),
            inside(b.effects()[0].bootstrap.as_ref().unwrap()),
            warned(&t),
            inside(&r.effects()[0].interval),
            warned(&r),
        ]
    });
    let [t, bootstrap, warned, ratio, ratio_warned] =
        [0, 1, 2, 3, 4].map(|j| runs.iter().map(|r| r[j]).sum::<f64>() / RUNS as f64);
    println!("t {t}, bootstrap-t {bootstrap}, warned {warned}; ratio {ratio}, {ratio_warned}");
    assert!(
        t < 0.91 && bootstrap > t && warned > 0.9,
        "{t} {bootstrap} {warned}"
    );
    assert!(ratio < 0.91 && ratio_warned > 0.9, "{ratio} {ratio_warned}");
}

#[test]
fn the_warning_is_silent_where_the_interval_is_right() {
    // The same users in equal arms: skewness cancels in the difference.
    let experiment = Experiment::new("arm", "control")
        .metric(Metric::mean("spend"))
        .metric(Metric::ratio("spend", "visits"));
    let quiet = (0..20).filter(|i| {
        let frame = spending(*i);
        let arm: Vec<&str> = (0..10_000).map(|r| ["new", "control"][r % 2]).collect();
        let fit = experiment
            .analyze(&frame.replace("arm", arm).unwrap())
            .unwrap();
        fit.warnings().is_empty()
    });
    assert!(quiet.count() >= 18);
}

#[test]
fn power_is_that_of_simulated_experiments() {
    let past = shops(0);
    let experiment = Experiment::new("arm", "control")
        .metric(Metric::mean("revenue").name("mean"))
        .metric(Metric::mean("revenue").cuped(["before"]).name("cuped"))
        .clusters("shop");
    let baseline = experiment.baseline(&past).unwrap();
    let [mean, cuped] = [&baseline.metrics[0], &baseline.metrics[1]];
    assert_eq!(mean.units, 80);
    assert!(cuped.unit_variance < mean.unit_variance);
    assert_eq!(cuped.unadjusted_variance, mean.unit_variance);
    let planned = experiment
        .power(&baseline, Margin::Relative(0.1), 80.0)
        .unwrap();
    let simulated = experiment.simulate(&past, 0.1, REPLICATIONS, 3).unwrap();
    for (planned, simulated) in planned.metrics.iter().zip(&simulated.metrics) {
        println!("{planned:?} {simulated:?}");
        assert!((planned.power - simulated.power).abs() < 0.12);
        assert!((simulated.mean_std_error / simulated.spread - 1.0).abs() < 0.12);
    }
    let null = experiment.simulate(&past, 0.0, REPLICATIONS, 4).unwrap();
    for metric in &null.metrics {
        assert!((metric.power - 0.05).abs() < ALLOWED, "{metric:?}");
    }
    assert!(null.to_string().contains("Simulated experiments"));
}

#[test]
fn learners_cut_values_funnels_times_and_figures() {
    let mut g = Seed::new(11).stream(0);
    let n = 3_000;
    let arm: Vec<&str> = (0..n).map(|i| ["control", "tool"][i % 2]).collect();
    let x: Vec<f64> = (0..n).map(|_| normal(&mut g)).collect();
    let day: Vec<f64> = (0..n).map(|i| (i / 300) as f64).collect();
    let spend: Vec<f64> = (0..n)
        .map(|i| 10.0 + (3.0 * x[i]).sin() * 4.0 + (i % 2) as f64 + normal(&mut g))
        .collect();
    let start: Vec<f64> = (0..n)
        .map(|i| f64::from(u8::from(g.next_u64() % 10 < 4 + 2 * (i as u64 % 2))))
        .collect();
    let buy: Vec<f64> = (0..n)
        .map(|i| start[i] * f64::from(u8::from(g.next_u64().is_multiple_of(2))))
        .collect();
    let time: Vec<f64> = (0..n)
        .map(|_| 0.5 + (g.next_u64() % 1000) as f64 / 100.0)
        .collect();
    let seen: Vec<f64> = (0..n)
        .map(|_| f64::from(u8::from(!g.next_u64().is_multiple_of(3))))
        .collect();
    let met: Vec<f64> = (0..n).map(|i| f64::from(u8::from(i % 3 > 0))).collect();
    let mut frame = Frame::new().with("arm", arm).unwrap();
    for (name, values) in [
        ("x", x),
        ("day", day),
        ("spend", spend),
        ("start", start),
        ("buy", buy),
        ("time", time),
        ("seen", seen),
        ("met", met),
    ] {
        frame = frame.with(name, values).unwrap();
    }
    let experiment = Experiment::new("arm", "control")
        .metric(Metric::mean("spend").name("plain"))
        .metric(
            Metric::mean("spend")
                .adjust(Learner::boosted_trees(), ["x"])
                .seed(3)
                .name("cupac"),
        )
        .metric(Metric::mean("spend").winsorize(0.01, 0.99).name("cut"))
        .metric(Metric::funnel(["start", "buy"]))
        .metric(Metric::time_to_event("time", "seen", 8.0).name("time"))
        .metric(Metric::quantile("spend", 0.5).name("median"));
    let fit = experiment.analyze(&frame).unwrap();
    let effect = |name: &str| fit.effect(name, "tool").unwrap();
    // A sine of the covariate has no slope: only the learner removes it.
    assert!(
        effect("cupac").variance_reduction > 0.7,
        "{}",
        effect("cupac").variance_reduction
    );
    for name in ["plain", "cupac", "cut", "median"] {
        let e = effect(name);
        assert!(
            (e.difference.estimate - 1.0).abs() < 5.0 * e.difference.std_error,
            "{name}"
        );
    }
    assert!((effect("start per assigned").difference.estimate - 0.2).abs() < 0.08);
    let passed: f64 = frame.real("buy").unwrap().iter().skip(1).step_by(2).sum();
    assert!((effect("buy per assigned").values[0] - passed / 1500.0).abs() < 1e-12);
    assert!(fit.funnels()[0].conditional[0].manski.lower < 0.0);
    let times = KaplanMeier::new(Survival::right("time", "seen"))
        .by("arm")
        .fit(&frame)
        .unwrap();
    let mean = times
        .curve("tool")
        .unwrap()
        .restricted_mean(8.0)
        .unwrap()
        .mean;
    assert_eq!(
        (
            effect("time").values[0],
            fit.values().iter().any(|v| v.std_error == mean.std_error)
        ),
        (mean.estimate, true)
    );
    let text = fit.to_string();
    for piece in ["is cut at", "log-rank", "Selected"] {
        assert!(text.contains(piece), "{piece}\n{text}");
    }
    for figure in [fit.forest_plot().unwrap(), fit.funnel_plot().unwrap()] {
        assert!(figure.to_svg().contains("tool"));
    }
    let streamed = Experiment::new("arm", "control")
        .metric(Metric::mean("spend"))
        .trigger("met");
    let over = streamed
        .lift_over_time(&frame, "day", "spend", "tool")
        .unwrap();
    let whole = streamed.analyze(&frame).unwrap();
    let (last, all) = (
        &over.days[9].cumulative,
        whole.effect("spend", "tool").unwrap(),
    );
    assert!(
        (last.difference.estimate - all.difference.estimate).abs() < 1e-12
            && over.days[9].daily.is_some()
    );
    assert!(over.plot().unwrap().to_svg().contains("to date"));
    // A trigger leaves units out; the diluted effect is over all of them.
    let diluted = all.diluted.as_ref().unwrap();
    assert!((diluted.estimate - all.difference.estimate * 2.0 / 3.0).abs() < 1e-12);
    assert_eq!(
        (whole.counts()[1].assigned, whole.counts()[1].analysed),
        (1500, 1000)
    );
}
