//! Mediation: agreement with integrals, what intervals cover, what must hold for any data, bad input.

use crate::support::{agree, data, fixture, numbers};
use cocreate::prelude::*;
use nalgebra::DVector;
use proptest::prelude::{prop_assert, proptest};
use proptest::test_runner::Config;
use rand::Rng;

/// A uniform number from −√3 to √3: mean zero, variance one.
fn unit(generator: &mut impl Rng) -> f64 {
    ((generator.next_u64() >> 11) as f64 / (1u64 << 53) as f64 - 0.5) * 12.0_f64.sqrt()
}

/// Nearly normal.
fn normal(generator: &mut impl Rng) -> f64 {
    (0..12).map(|_| unit(generator)).sum::<f64>() / 12.0_f64.sqrt()
}

fn reference() -> Frame {
    let frame = data("tests/reference/causal.csv");
    let (x, y) = (
        frame.real("x1").unwrap().to_vec(),
        frame.real("y").unwrap().to_vec(),
    );
    let w = frame.numeric("w").unwrap().values().to_vec();
    let m: Vec<f64> = x.iter().zip(&w).map(|(x, w)| x + 0.5 * w).collect();
    let above = |v: &[f64], cut: f64| {
        v.iter()
            .map(|v| f64::from(u8::from(*v > cut)))
            .collect::<Vec<_>>()
    };
    frame
        .with("m01", above(&m, 0.2))
        .unwrap()
        .with("y01", above(&y, 0.5))
        .unwrap()
        .with("m", m)
        .unwrap()
}

const MODELS: [(&str, MediationModel); 3] = [
    ("linear", MediationModel::Linear),
    ("probit", MediationModel::Probit),
    ("logit", MediationModel::Logit),
];

fn model(mediator: MediationModel, outcome: MediationModel) -> Mediation {
    let binary = |m: MediationModel| m != MediationModel::Linear;
    let (y, m) = (
        if binary(outcome) { "y01" } else { "y" },
        if binary(mediator) { "m01" } else { "m" },
    );
    Mediation::new(y, "w", m)
        .covariates("x2")
        .mediator_model(mediator)
        .outcome_model(outcome)
}

#[test]
fn effects_are_integrals_of_the_models_of_statsmodels() {
    let reference_values = fixture("mediation");
    let frame = reference();
    for (m, mediator) in MODELS {
        for (o, outcome) in MODELS {
            for product in [false, true] {
                let key = format!("{m}_{o}_{}", if product { "product" } else { "plain" });
                let mut of = model(mediator, outcome);
                if product {
                    of = of.interaction();
                }
                let fit = of.fit(&frame).unwrap();
                let theirs = &reference_values["values"][&key];
                let ours = &fit.estimates().as_slice()[..7];
                agree(&key, ours, &numbers(&theirs["effects"]), 1e-8);
                // Their slopes come from differences.
                agree(
                    &key,
                    &fit.std_errors().as_slice()[..7],
                    &numbers(&theirs["errors"]),
                    1e-6,
                );
                assert_eq!(fit.sensitivity().is_ok(), m == "linear" && o != "logit");
            }
        }
    }
    for (o, outcome) in &MODELS[..2] {
        for product in [false, true] {
            let of = model(MediationModel::Linear, *outcome);
            let fit = if product { of.interaction() } else { of }
                .fit(&frame)
                .unwrap();
            let key = format!("{o}_{}", if product { "product" } else { "plain" });
            let theirs = reference_values["values"]["correlated"][&key]
                .as_array()
                .unwrap();
            for (rho, theirs) in [-0.4, 0.0, 0.3, 0.7].iter().zip(theirs) {
                let ours = fit.sensitivity().unwrap().effects(*rho).unwrap();
                let estimates: Vec<f64> = ours[..7].iter().map(|e| e.estimate).collect();
                agree(&format!("{key} {rho}"), &estimates, &numbers(theirs), 1e-8);
            }
            // Without correlation they are those of the fit, errors too; the total effect does not move; there is no indirect effect where it is said.
            let sensitivity = fit.sensitivity().unwrap();
            for (e, wanted) in sensitivity
                .effects(0.0)
                .unwrap()
                .iter()
                .zip(fit.coefficients())
            {
                assert!((e.estimate - wanted.estimate).abs() < 1e-10, "{key} {e:?}");
                assert!(
                    (e.std_error / wanted.std_error - 1.0).abs() < 1e-6,
                    "{key} {e:?}"
                );
            }
            let total = sensitivity.effects(0.6).unwrap()[4].estimate;
            assert!((total - fit.coefficient("total").unwrap().estimate).abs() < 1e-10);
            for (k, rho) in sensitivity.zero_at().iter().enumerate() {
                assert!(sensitivity.effects(*rho).unwrap()[k].estimate.abs() < 1e-10);
            }
        }
    }
    // statsmodels simulates: 200 draws know the mean to 7 % of its error, the limits to 20 %.
    let theirs = numbers(&reference_values["values"]["simulated"]);
    let fit = model(MediationModel::Linear, MediationModel::Probit)
        .covariance(Covariance::Classical)
        .fit(&frame)
        .unwrap();
    for (name, theirs) in [("indirect", &theirs[..3]), ("direct", &theirs[3..])] {
        let e = fit.coefficient(name).unwrap();
        let i = e.confidence_interval(0.95).unwrap();
        for (ours, theirs) in [e.estimate, i.lower, i.upper].iter().zip(theirs) {
            assert!(
                (ours - theirs).abs() < 0.6 * e.std_error,
                "{name} {ours} {theirs}"
            );
        }
    }
}

#[test]
fn the_delta_method_agrees_with_the_bootstrap() {
    let frame = reference();
    for (mediator, outcome) in [
        (MediationModel::Linear, MediationModel::Linear),
        (MediationModel::Probit, MediationModel::Logit),
    ] {
        let model = model(mediator, outcome).interaction();
        let fit = model.fit(&frame).unwrap();
        let drawn = model.bootstrap(&frame, 199, 3).unwrap();
        let (ours, theirs) = (fit.std_errors(), drawn.std_errors());
        println!("{ours} {theirs}");
        for k in 0..7 {
            // 199 draws know a standard error to 5 %.
            assert!(
                (ours[k] / theirs[k] - 1.0).abs() < 0.2,
                "{} {} {}",
                fit.names()[k],
                ours[k],
                theirs[k]
            );
        }
    }
    let clustered = model(MediationModel::Linear, MediationModel::Linear).clusters("village");
    let fit = clustered.fit(&frame).unwrap();
    let drawn = clustered.bootstrap(&frame, 199, 3).unwrap();
    assert!((fit.std_error("total").unwrap() / drawn.std_errors()[4] - 1.0).abs() < 0.3);
}

#[test]
fn rows_that_stand_three_times_in_a_cluster_count_once() {
    // Effects differ much by x, so that which rows there are matters.
    let mut g = Seed::new(6).stream(0);
    let mut columns = vec![Vec::new(); 5];
    for i in 0..400 {
        let (x, d) = (2.0 * normal(&mut g), f64::from(u8::from(i % 2 == 0)));
        let m = f64::from(u8::from(x + 1.5 * d + normal(&mut g) > 0.0));
        let y = f64::from(u8::from(0.5 * x - 1.0 + 1.5 * m + d + normal(&mut g) > 0.0));
        for (column, value) in columns.iter_mut().zip([y, d, m, x, f64::from(i)]) {
            column.push(value);
        }
    }
    let frame = (["y", "d", "m", "x", "id"].into_iter().zip(columns))
        .fold(Frame::new(), |f, (name, values)| {
            f.with(name, values).unwrap()
        });
    let thrice: Vec<usize> = (0..400).flat_map(|i| [i; 3]).collect();
    let of = |clusters: bool, frame: &Frame| {
        let model = Mediation::new("y", "d", "m").covariates("x");
        let model = model.mediator_model(MediationModel::Probit);
        let model = model.outcome_model(MediationModel::Probit);
        let model = if clusters {
            model.clusters("id")
        } else {
            model
        };
        model.fit(frame).unwrap()
    };
    let (once, with) = (of(false, &frame), of(true, &frame.take(&thrice).unwrap()));
    println!("{} {}", once.std_errors(), with.std_errors());
    for k in 0..7 {
        assert!((once.estimates()[k] - with.estimates()[k]).abs() < 1e-9);
        // But for the corrections of small samples, n/(n − 3) and less.
        assert!(
            (with.std_errors()[k] / once.std_errors()[k] - 1.0).abs() < 0.01,
            "{k}"
        );
    }
}

/// A trial whose treatment works through m and beside it; what is unobserved moves both errors with correlation ρ.
fn trial(n: usize, seed: u64, rho: f64) -> Frame {
    let mut g = Seed::new(seed).stream(0);
    let (mut y, mut d, mut m) = (vec![], vec![], vec![]);
    for i in 0..n {
        let t = f64::from(u8::from(i % 2 == 0));
        let (e, u) = (normal(&mut g), normal(&mut g));
        let mediator = 0.6 * t + e;
        d.push(t);
        m.push(mediator);
        y.push(
            0.5 * t + 0.4 * mediator + 0.3 * t * mediator + rho * e + (1.0 - rho * rho).sqrt() * u,
        );
    }
    Frame::new()
        .with("y", y)
        .unwrap()
        .with("d", d)
        .unwrap()
        .with("m", m)
        .unwrap()
}

#[test]
fn intervals_cover_the_effects() {
    const DRAWS: u64 = 1000;
    // δ(0) = 0.4·0.6, δ(1) = 0.7·0.6, ζ(0) = 0.5, ζ(1) = 0.5 + 0.3·0.6.
    let truth = [0.24, 0.42, 0.5, 0.68, 0.92, 0.33, 0.59, 0.33 / 0.92];
    let mut covered = [0; 8];
    for draw in 0..DRAWS {
        let fit = Mediation::new("y", "d", "m")
            .interaction()
            .fit(&trial(300, draw, 0.0))
            .unwrap();
        for (k, i) in fit.confidence_interval(0.95).unwrap().iter().enumerate() {
            covered[k] += u32::from(i.lower <= truth[k] && truth[k] <= i.upper);
        }
    }
    println!("{covered:?} of {DRAWS}");
    // 95 % with a Monte Carlo error of 0.7 points; products of normals are skewed.
    assert!(covered.iter().all(|c| (925..=975).contains(c)));
}

#[test]
fn correlated_errors_are_undone_at_their_correlation() {
    const DRAWS: u64 = 400;
    let (mut covered, mut naive) = (0, 0);
    for draw in 0..DRAWS {
        let mut frame = trial(400, 7000 + draw, 0.5);
        // Without the interaction: y less what it adds.
        let (y, d, m) = (
            frame.real("y").unwrap(),
            frame.real("d").unwrap(),
            frame.real("m").unwrap(),
        );
        let plain: Vec<f64> = (0..y.len()).map(|i| y[i] - 0.3 * d[i] * m[i]).collect();
        frame = frame.replace("y", plain).unwrap();
        let fit = Mediation::new("y", "d", "m").fit(&frame).unwrap();
        let covers = |e: &Estimate| {
            let i = e.confidence_interval(0.95).unwrap();
            u32::from(i.lower <= 0.24 && 0.24 <= i.upper)
        };
        naive += covers(&fit.coefficient("indirect").unwrap());
        covered += covers(&fit.sensitivity().unwrap().at(0.5).unwrap());
    }
    println!("covered {covered}, at zero {naive} of {DRAWS}");
    // 95 % with a Monte Carlo error of 1.1 points.
    assert!((363..=395).contains(&covered) && naive < 200);
}

#[test]
fn correlated_errors_of_a_probit_with_interaction_are_undone_too() {
    const DRAWS: u64 = 200;
    // Under treatment the index is 0.3 + 0.7 M with M = 0.6 or 0 on average, and errors of variance 0.49 + 2·0.5·0.7 + 1.
    let spread = (0.49 + 0.7 + 1.0_f64).sqrt();
    let phi = |x: f64| cocreate::numeric::special::normal::cdf(x);
    let truth = phi((0.3 + 0.7 * 0.6) / spread) - phi(0.3 / spread);
    let (mut covered, mut naive) = (0, 0);
    for draw in 0..DRAWS {
        let frame = trial(600, 9000 + draw, 0.5);
        let y = frame.real("y").unwrap();
        let buys: Vec<f64> = y.iter().map(|y| f64::from(u8::from(*y > 0.2))).collect();
        let frame = frame.clone().with("buys", buys).unwrap();
        let model = Mediation::new("buys", "d", "m").interaction();
        let fit = model
            .outcome_model(MediationModel::Probit)
            .fit(&frame)
            .unwrap();
        let covers = |e: &Estimate| {
            let i = e.confidence_interval(0.95).unwrap();
            u32::from(i.lower <= truth && truth <= i.upper)
        };
        naive += covers(&fit.coefficient("indirect_treated").unwrap());
        covered += covers(&fit.sensitivity().unwrap().effects(0.5).unwrap()[1]);
    }
    println!("covered {covered}, at zero {naive} of {DRAWS}");
    // 95 % with a Monte Carlo error of 1.5 points.
    assert!((179..=199).contains(&covered) && naive < 120);
}

proptest! {
    #![proptest_config(Config { failure_persistence: None, ..Config::with_cases(24) })]

    #[test]
    fn what_holds_for_any_data(seed in 0_u64..10_000, scale in 0.01..100.0_f64, shift in -5.0..5.0_f64) {
        let frame = trial(60, seed, 0.2);
        let fit = Mediation::new("y", "d", "m").fit(&frame).unwrap();
        let ols = |f: &str| Ols::new(f).fit(&frame).unwrap();
        // Product and difference of coefficients, and the total effect of the short regression.
        let (first, long, short) = (ols("m ~ d"), ols("y ~ d + m"), ols("y ~ d"));
        let (a, b) = (first.coefficient("d").unwrap(), long.coefficient("m").unwrap());
        let e = |name: &str| fit.coefficient(name).unwrap();
        let near = |a: f64, b: f64| (a - b).abs() < 1e-9 * (1.0 + b.abs());
        prop_assert!(near(e("indirect").estimate, a.estimate * b.estimate));
        prop_assert!(near(e("total").estimate, short.coefficient("d").unwrap().estimate));
        // Sobel's error.
        let sobel = (a.estimate * b.std_error).hypot(b.estimate * a.std_error);
        prop_assert!((e("indirect").std_error / sobel - 1.0).abs() < 1e-7);
        let sensitivity = fit.sensitivity().unwrap();
        prop_assert!(near(sensitivity.at(0.0).unwrap().estimate, a.estimate * b.estimate));
        // Other units of the mediator change nothing, other units of the outcome scale the effects.
        let m: Vec<f64> = frame.real("m").unwrap().iter().map(|m| shift + scale * m).collect();
        let moved = Mediation::new("y", "d", "m").interaction().fit(&frame.clone().replace("m", m).unwrap()).unwrap();
        let base = Mediation::new("y", "d", "m").interaction().fit(&frame).unwrap();
        for k in 0..8 {
            prop_assert!((moved.estimates()[k] - base.estimates()[k]).abs() < 1e-7 * (1.0 + base.estimates()[k].abs()));
        }
        // Derivatives of the sensitivity by differences, through its own slope at another ρ.
        let turned = Mediation::new("y", "d", "m").contrast(1.0, 0.0).fit(&frame).unwrap();
        prop_assert!(near(turned.coefficient("total").unwrap().estimate, -e("total").estimate));
    }
}

#[test]
fn the_sensitivity_has_the_errors_of_the_bootstrap_and_a_figure() {
    let frame = trial(400, 5, 0.3);
    let model = Mediation::new("y", "d", "m");
    let fit = model.fit(&frame).unwrap();
    let s = fit.sensitivity().unwrap();
    let rho = [-0.5, 0.4];
    let drawn = Bootstrap::pairs().draws(799).seed(4).run(&frame, |r| {
        let fit = model.fit(r.frame()?)?;
        rho.iter()
            .map(|rho| Ok(fit.sensitivity()?.at(*rho)?.estimate))
            .collect()
    });
    let theirs = drawn.unwrap().std_errors();
    let ours: Vec<f64> = s
        .points(&rho)
        .unwrap()
        .iter()
        .map(|p| p.indirect.std_error)
        .collect();
    // 799 draws know a standard error to 2.5 %.
    agree("errors", &ours, theirs.as_slice(), 0.1);
    assert!(s.plot().unwrap().to_svg().contains("indirect effect"));
    assert!(
        s.at(1.0)
            .unwrap_err()
            .to_string()
            .contains("between −1 and 1")
    );
    let back: MediationFit = serde_json::from_str(&serde_json::to_string(&fit).unwrap()).unwrap();
    assert_eq!(back, fit);
    assert!(fit.to_string().contains("The indirect effect is zero when"));
    assert_eq!(fit.degrees_of_freedom(&DVector::zeros(8)), f64::INFINITY);
}

#[test]
fn bad_input_is_named() {
    let frame = reference();
    let n = frame.rows();
    let w = frame.numeric("w").unwrap().values().to_vec();
    let frame = frame
        .with("one", vec![1.0; n])
        .unwrap()
        .with("twice", w.iter().map(|w| 2.0 * w).collect::<Vec<f64>>())
        .unwrap();
    let text = |m: Mediation| m.fit(&frame).unwrap_err().to_string();
    assert!(text(Mediation::new("y", "w", "one")).contains("`one` is 1 on every row"));
    assert!(text(Mediation::new("y", "one", "m")).contains("`one` is 1 on every row"));
    assert!(text(Mediation::new("y", "w", "twice")).contains("leave out what decides them"));
    assert!(text(Mediation::new("y", "w", "none")).contains("no column `none`"));
    assert!(text(Mediation::new("y", "w", "m").contrast(1.0, 1.0)).contains("two different"));
    assert!(text(Mediation::new("y", "w", "m").covariates("x2 | village")).contains("without `|`"));
    assert!(
        text(Mediation::new("y", "w", "m").outcome_model(MediationModel::Logit)).contains("`y`")
    );
    let fit = Mediation::new("y", "w", "m")
        .interaction()
        .fit(&frame)
        .unwrap();
    // Covariates are not kept in a file.
    let with = Mediation::new("y", "w", "m")
        .covariates("x2")
        .fit(&frame)
        .unwrap();
    let back: MediationFit = serde_json::from_str(&serde_json::to_string(&with).unwrap()).unwrap();
    let error = back.sensitivity().unwrap().at(0.1).unwrap_err();
    assert!(matches!(error, Error::DataNotKept { .. }), "{error}");
    assert_eq!(back.to_string(), with.to_string());
    drop(fit);
    let logit = Mediation::new("y01", "w", "m").outcome_model(MediationModel::Logit);
    let error = logit
        .fit(&frame)
        .unwrap()
        .sensitivity()
        .unwrap_err()
        .to_string();
    assert!(error.contains("jointly normal"), "{error}");
    // A mediator that moves under treatment alone has no interaction that could be told.
    let only: Vec<f64> = frame
        .real("m")
        .unwrap()
        .iter()
        .zip(&w)
        .map(|(m, w)| m * w)
        .collect();
    let only = frame.clone().with("only", only).unwrap();
    let error = Mediation::new("y", "w", "only")
        .interaction()
        .fit(&only)
        .unwrap_err();
    assert!(
        error.to_string().contains("varies under every treatment"),
        "{error}"
    );
    // An outcome without error has effects, though no correlation could undo them.
    let exact: Vec<f64> = frame
        .real("m")
        .unwrap()
        .iter()
        .zip(&w)
        .map(|(m, w)| 2.0 * m - w)
        .collect();
    let exact = frame.clone().with("exact", exact).unwrap();
    let perfect = Mediation::new("exact", "w", "m").fit(&exact).unwrap();
    assert!(
        (perfect.sensitivity().unwrap().zero_at()[0] - 1.0).abs() < 1e-9,
        "{perfect}"
    );
    // No total effect: the proportion is a ratio to nothing, and that is said.
    let flat: Vec<f64> = (0..n).map(|i| (i % 2) as f64).collect();
    let none = Mediation::new("flat", "w", "m")
        .fit(&frame.clone().with("flat", flat).unwrap())
        .unwrap();
    assert!(
        none.warnings()
            .iter()
            .any(|w| w.to_string().contains("ratio to almost nothing")),
        "{none}"
    );
}
