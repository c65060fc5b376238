//! Local randomisation at a cutoff: agreement with rdlocrand, size, the choice of the window, bad input.

use crate::support::{data, fixture, numbers};
use cocreate::prelude::*;
use rand::RngExt;
use rand_distr::{Distribution as _, StandardNormal};

#[test]
fn differences_and_p_values_are_those_of_rdlocrand() {
    let senate = data("tests/reference/senate.csv");
    for case in fixture("local_randomization")["values"]["tests"]
        .as_array()
        .unwrap()
    {
        let fit = LocalRandomization::new("vote", "margin", 0.0)
            .window(case["window"].as_f64().unwrap())
            .difference_in_means()
            .seed(3)
            .draws(20_000)
            .fit(&senate)
            .unwrap();
        let theirs = numbers(&case["effect"])[0];
        assert!((fit.outcome().effect - theirs).abs() < 1e-9, "{fit}");
        let p = case["p_value"].as_f64().unwrap();
        let gap = (fit.outcome().p_value - p).abs();
        if case["exact"] == true {
            assert!(fit.test().exact && gap < 1e-12, "{p} {fit}");
        } else {
            // Both draw 20 000 assignments; ours count the observed one too.
            let error = (2.0 * p * (1.0 - p) / 2e4).sqrt();
            assert!(gap < 4.0 * error + 1e-4, "{p} {fit}");
        }
    }
}

#[test]
fn windows_grow_as_those_of_rdlocrand() {
    let senate = data("tests/reference/senate.csv");
    let complete = senate.real("termssenate").unwrap();
    let keep: Vec<bool> = complete.iter().map(|v| !v.is_nan()).collect();
    let fit = LocalRandomization::new("vote", "margin", 0.0)
        .covariates(&["termshouse"])
        .imbalance(1e-9)
        .draws(99)
        .seed(1)
        .fit(&senate.filter(&keep).unwrap())
        .unwrap();
    let fixture = fixture("local_randomization");
    let theirs = fixture["values"]["windows"].as_array().unwrap();
    assert_eq!(fit.candidates().len(), theirs.len());
    for (ours, theirs) in fit.candidates().iter().zip(theirs) {
        assert_eq!(
            ours.rows.map(|n| n as f64).to_vec(),
            numbers(&theirs["rows"])
        );
        // rdlocrand rounds the widths that it shows.
        assert!((ours.half_width - theirs["half_width"].as_f64().unwrap()).abs() < 1e-6);
    }
}

/// The running variable, a covariate that drifts with it, and an outcome that jumps.
fn near(rows: usize, sample: u64, drift: f64, jump: f64) -> Frame {
    let mut rng = Seed::new(51).stream(sample);
    let (mut x, mut age, mut y) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rows {
        let at: f64 = 2.0 * rng.random::<f64>() - 1.0;
        let (a, b): (f64, f64) = (
            StandardNormal.sample(&mut rng),
            StandardNormal.sample(&mut rng),
        );
        x.push(at + 7.0);
        age.push(drift * at + a);
        y.push(b + jump * f64::from(u8::from(at >= 0.0)));
    }
    let frame = Frame::new().with("x", x).unwrap();
    frame.with("age", age).unwrap().with("y", y).unwrap()
}

#[test]
fn the_test_is_exact_and_its_interval_covers() {
    let samples = 200;
    let (mut rejected, mut covered) = (0, 0);
    for sample in 0..samples {
        let frame = near(400, sample, 0.0, 0.0);
        let model = LocalRandomization::new("y", "x", 7.0)
            .window(0.06)
            .draws(199)
            .seed(sample);
        let fit = model.fit(&frame).unwrap();
        rejected += u32::from(fit.outcome().p_value <= 0.05);
        let interval = fit.outcome().interval.clone().unwrap();
        covered += u32::from(interval.lower <= 0.0 && 0.0 <= interval.upper);
    }
    println!("rejected {rejected}, covered {covered} of {samples}");
    // Monte Carlo error 1.5 points, 3 of 200.
    assert!(rejected <= 20 && covered >= 180);
}

#[test]
fn the_window_ends_where_the_sides_differ() {
    let choose = |drift| {
        let frame = near(1000, 3, drift, 1.0);
        let model = LocalRandomization::new("y", "x", 7.0)
            .covariates(&["age"])
            .draws(999)
            .seed(2);
        model.windows(&[0.4, 0.05, 0.2, 0.1, 0.8]).fit(&frame)
    };
    // A covariate that does not know the running variable allows wide windows, one that does stops them.
    let (wide, narrow) = (choose(0.0).unwrap(), choose(2.0).unwrap());
    assert!(
        narrow.window().half_width < wide.window().half_width,
        "{narrow}\n{wide}"
    );
    for fit in [&wide, &narrow] {
        let in_use = fit.window();
        let before = fit
            .candidates()
            .iter()
            .filter(|w| w.half_width <= in_use.half_width);
        assert!(before.clone().all(|w| w.smallest_p_value.unwrap() >= 0.15));
        if let Some(next) = fit.candidates().get(before.count()) {
            assert!(next.smallest_p_value.unwrap() < 0.15);
        }
        let interval = fit.outcome().interval.clone().unwrap();
        assert!(interval.lower < 1.0 && 1.0 < interval.upper, "{fit}");
    }
    assert!(
        narrow
            .window_plot()
            .unwrap()
            .to_svg()
            .contains("smallest p-value")
    );
    assert!(narrow.to_string().contains("(in use)"));
    // Candidates by rows have at least ten on each side, and five more each time.
    let frame = near(1000, 4, 0.0, 0.0);
    let fit = LocalRandomization::new("y", "x", 7.0)
        .covariates(&["age"])
        .draws(99)
        .seed(2)
        .fit(&frame)
        .unwrap();
    for pair in fit.candidates().windows(2) {
        let more = [0, 1].map(|side: usize| pair[1].rows[side] - pair[0].rows[side]);
        assert!(more.iter().all(|n| *n >= 5), "{pair:?}");
    }
    assert!(fit.candidates()[0].rows.iter().all(|n| *n >= 10));
}

#[test]
fn bad_input_is_named() {
    let frame = near(300, 5, 0.0, 0.0);
    let model = || LocalRandomization::new("y", "x", 7.0).seed(1).draws(99);
    let error = |model: LocalRandomization| model.fit(&frame).unwrap_err().to_string();
    assert!(error(model()).contains("`covariates`"));
    assert!(error(model().window(-1.0)).contains("`window`"));
    assert!(error(model().windows(&[]).covariates(&["age"])).contains("`windows`"));
    assert!(error(model().window(1e-9)).contains("0 and 0 rows"));
    assert!(error(model().covariates(&["age"]).imbalance(1.5)).contains("`imbalance`"));
    assert!(
        error(LocalRandomization::new("y", "x", 70.0).window(1.0))
            .contains("inside the range of `x`")
    );
    assert!(error(LocalRandomization::new("y", "x", 7.0).window(0.5)).contains(".seed(7)"));
    let e = error(model().covariates(&["x"]));
    assert!(
        e.contains("balance of `x`") && e.contains("RegressionDiscontinuity"),
        "{e}"
    );
    // A window that is given is used, with a warning when the sides differ in it.
    let fit = model().covariates(&["x"]).window(0.3).fit(&frame).unwrap();
    assert!(fit.warnings()[0].to_string().contains("the sides differ"));
}
