//! Meta-learners and effects per unit: agreement with EconML and DoubleML on given nuisances, coverage, what must hold for any data.

use crate::support::{agree, data, fixture, numbers};
use cocreate::prelude::*;
use std::sync::Arc;

const FEATURES: [&str; 2] = ["x1", "x2"];

/// A learner that returns what it was given, row by row.
struct Given(Arc<Vec<f64>>);

impl CustomLearner for Given {
    fn name(&self) -> &'static str {
        "given"
    }

    fn fit(&self, _: &TrainingSet, _: Seed, _: &Progress) -> Result<Arc<dyn CustomFit>> {
        Ok(Arc::new(Self(Arc::clone(&self.0))))
    }
}

impl CustomFit for Given {
    fn predict(&self, _: &Features, rows: &Rows, out: &mut [f64]) -> Result<()> {
        for (i, value) in out.iter_mut().enumerate() {
            *value = self.0[rows.index(i)];
        }
        Ok(())
    }
}

#[test]
fn recipes_with_least_squares_are_those_of_econml() {
    let reference = fixture("meta_learners");
    let frame = data("tests/reference/meta_learners.csv");
    let column = |name: &str| frame.real(name).unwrap().to_vec();
    let (m0, m1, e) = (column("m0"), column("m1"), column("e"));
    let mean = (0..m0.len()).map(|i| e[i] * m1[i] + (1.0 - e[i]) * m0[i]);
    let given = DoublyRobust::new("y", "w", &FEATURES)
        .outcome_mean("0", "m0")
        .outcome_mean("1", "m1")
        .propensity("1", "e")
        .outcome_learner(Learner::custom(Given(Arc::new(mean.collect()))))
        .seed(1);
    let learned = DoublyRobust::new("y", "w", &FEATURES)
        .learner(Learner::linear())
        .seed(1);
    for (name, kind, base) in [
        ("S", MetaKind::S, &learned),
        ("T", MetaKind::T, &learned),
        ("X", MetaKind::X, &given),
        ("R", MetaKind::R, &given),
        ("DR", MetaKind::DoublyRobust, &given),
    ] {
        let fit = MetaLearner::new(kind, "y", "w", &FEATURES)
            .nuisances(base.clone())
            .effect_learner(Learner::linear())
            .fit(&frame)
            .unwrap();
        let effects = fit.predict(&frame).unwrap();
        for values in [&reference["values"], &reference["values"]["causalml"]] {
            // causalml averages over folds: see below.
            if kind == MetaKind::DoublyRobust && values["folds"].is_null() {
                continue;
            }
            let want = numbers(&values[name]);
            agree(name, &effects.first()[..want.len()], &want, 1e-8);
        }
    }
    let base = PartiallyLinear::new("z", "d", &FEATURES)
        .means("zeta", "em")
        .seed(1);
    let fit = ContinuousEffects::new(base)
        .effect_learner(Learner::linear())
        .constant(false)
        .fit(&frame)
        .unwrap();
    let want = numbers(&reference["values"]["continuous"]);
    let effects = fit.predict(&frame).unwrap();
    agree("continuous", &effects[..want.len()], &want, 1e-8);
}

#[test]
fn the_doubly_robust_learner_is_that_of_causalml_fold_by_fold_and_of_econml_with_three_arms() {
    let reference = fixture("meta_learners");
    let frame = data("tests/reference/meta_learners.csv");
    let linear = |base: DoublyRobust, treatment: &str, on: &Frame| {
        let model = MetaLearner::new(MetaKind::DoublyRobust, "y", treatment, &FEATURES)
            .nuisances(base.seed(1))
            .effect_learner(Learner::linear());
        model.fit(on).unwrap()
    };
    let folds = numbers(&reference["values"]["folds"]);
    let want = numbers(&reference["values"]["causalml"]["DR"]);
    let mut mean = vec![0.0; want.len()];
    for fold in 0..3 {
        let own: Vec<bool> = folds.iter().map(|f| *f as usize == fold).collect();
        let base = DoublyRobust::new("y", "w", &FEATURES)
            .outcome_mean("0", "m0")
            .outcome_mean("1", "m1")
            .propensity("1", "e");
        let fit = linear(base, "w", &frame.filter(&own).unwrap());
        let effects = fit.predict(&frame).unwrap();
        for (sum, effect) in mean.iter_mut().zip(effects.first()) {
            *sum += effect / 3.0;
        }
    }
    agree("causalml", &mean, &want, 1e-8);
    let arms = data("tests/reference/three_arms.csv");
    let base = DoublyRobust::new("y", "a", &FEATURES)
        .outcome_mean("0", "m0")
        .outcome_mean("1", "m1")
        .outcome_mean("2", "m2")
        .propensity("1", "e1")
        .propensity("2", "e2");
    let effects = linear(base, "a", &arms).predict(&arms).unwrap();
    for arm in ["1", "2"] {
        let want = numbers(&reference["values"]["three arms"][arm]);
        let ours = &effects.arm(arm).unwrap()[..want.len()];
        agree(arm, ours, &want, 1e-8);
    }
}

#[test]
fn the_partially_linear_model_on_given_nuisances_is_that_of_doubleml() {
    let reference = fixture("partially_linear");
    let frame = data("tests/reference/partially_linear.csv");
    let model = PartiallyLinear::new("y", "d", &FEATURES).means("ell", "em");
    let fit = model.fit(&frame).unwrap();
    let n = frame.rows() as f64;
    let effect = &fit.coefficients()[0];
    // DoubleML divides by n where ours has n − 1.
    let ours = [effect.estimate, effect.std_error * ((n - 1.0) / n).sqrt()];
    let want = numbers(&reference["values"]["doubleml"]);
    agree("DoubleML", &ours, &want, 1e-9);
    let clustered = model.weights("weight").clusters("village");
    let effect = &clustered.fit(&frame).unwrap().coefficients()[0];
    let ours = [effect.estimate, effect.std_error, effect.degrees_of_freedom];
    let want = numbers(&reference["values"]["clustered"]);
    agree("clustered", &ours, &want, 1e-9);
}

/// A confounded dose with an effect of `1 + slope x1` per unit.
fn dosed(seed: u64, n: usize, slope: f64) -> Frame {
    let made = HeterogeneousEffects::new(EffectDesign::NieWagerC)
        .customers(n)
        .seed(seed)
        .simulate()
        .unwrap();
    let column = |name: &str| made.data.real(name).unwrap().to_vec();
    // Of setup C the outcome less its effect is a surface of x1 to x3 with noise, and x4 and x5 are noise.
    let (y, w, x1) = (column("y"), column("w"), column("x1"));
    let (x2, x4, x5) = (column("x2"), column("x4"), column("x5"));
    let dose: Vec<f64> = (0..n)
        .map(|i| 0.5 * x1[i] * x2[i] + x1[i] + x4[i])
        .collect();
    let outcome = (0..n).map(|i| y[i] - w[i] + (1.0 + slope * x1[i]) * dose[i] + 0.2 * x5[i]);
    Frame::new()
        .with("y", outcome.collect::<Vec<_>>())
        .and_then(|frame| frame.with("d", dose.clone()))
        .and_then(|frame| frame.with("x1", x1))
        .and_then(|frame| frame.with("x2", x2))
        .and_then(|frame| frame.with("x3", column("x3")))
        .unwrap()
}

#[test]
fn intervals_cover_the_effect_per_unit_and_varying_effects_are_found() {
    const DRAWS: u64 = 100;
    let base = |seed: u64| {
        PartiallyLinear::new("y", "d", &["x1", "x2", "x3"])
            .learner(Learner::quadratic().net(Learner::ridge().lambda(0.005)))
            .seed(seed)
    };
    let mut covered = 0;
    for seed in 0..DRAWS {
        let fit = base(seed).fit(&dosed(seed, 400, 0.0)).unwrap();
        let interval = fit.coefficients()[0].confidence_interval(0.95).unwrap();
        covered += u32::from(interval.lower < 1.0 && 1.0 < interval.upper);
    }
    // 95 % less three Monte Carlo errors of 2.2 points.
    assert!(covered >= 88, "{covered} of {DRAWS}");
    let frame = dosed(3, 1_500, 0.8);
    let fit = ContinuousEffects::new(base(3))
        .effect_learner(Learner::lasso())
        .fit(&frame)
        .unwrap();
    assert!(fit.share() > 0.9, "{fit}");
    let x1 = frame.real("x1").unwrap();
    for effects in [fit.predict(&frame).unwrap(), fit.effects().to_vec()] {
        let squares = effects
            .iter()
            .zip(x1)
            .map(|(e, x)| (e - 1.0 - 0.8 * x).powi(2));
        let error = (squares.sum::<f64>() / 1_500.0).sqrt();
        assert!(error < 0.2, "{error}");
    }
    // Where there is one effect for all, noise does not make many of it.
    let same = dosed(4, 1_500, 0.0);
    let fit = ContinuousEffects::new(base(4)).effect_learner(Learner::forest().trees(50));
    let fit = fit.fit(&same).unwrap();
    let off = fit.effects().iter().map(|e| (e - 1.0).powi(2)).sum::<f64>() / 1_500.0;
    assert!(off < 0.01 && fit.share() < 0.5, "{off} {fit}");
    let again: ContinuousEffectsFit =
        serde_json::from_str(&serde_json::to_string(&fit).unwrap()).unwrap();
    assert_eq!(again.predict(&same).unwrap(), fit.predict(&same).unwrap());
}

#[test]
fn effects_do_not_depend_on_scales_and_weights_stand_for_copies() {
    let frame = data("tests/reference/meta_learners.csv");
    let n = frame.rows();
    let copies: Vec<usize> = (0..n).map(|i| 1 + i % 3).collect();
    let scaled = |name: &str, by: f64| -> Vec<f64> {
        frame.real(name).unwrap().iter().map(|v| by * v).collect()
    };
    let frame = frame
        .clone()
        .with("tenfold", scaled("y", 10.0))
        .and_then(|f| f.with("k", copies.iter().map(|c| *c as f64).collect::<Vec<_>>()))
        .and_then(|f| f.with("m0_tenfold", scaled("m0", 10.0)))
        .and_then(|f| f.with("m1_tenfold", scaled("m1", 10.0)))
        .unwrap();
    let repeated: Vec<usize> = (0..n).flat_map(|i| vec![i; copies[i]]).collect();
    let copied = frame.take(&repeated).unwrap();
    let turned = frame.take(&(0..n).rev().collect::<Vec<_>>()).unwrap();
    for kind in [
        MetaKind::X,
        MetaKind::DoublyRobust,
        MetaKind::TransformedOutcome,
    ] {
        let model = |y: &str, suffix: &str| {
            let base = DoublyRobust::new(y, "w", &FEATURES)
                .outcome_mean("0", format!("m0{suffix}"))
                .outcome_mean("1", format!("m1{suffix}"))
                .propensity("1", "e")
                .outcome_learner(Learner::linear())
                .seed(1);
            MetaLearner::new(kind, y, "w", &FEATURES)
                .nuisances(base)
                .effect_learner(Learner::linear())
        };
        let of = |model: MetaLearner, on: &Frame| {
            let fit = model.fit(on).unwrap();
            fit.predict(&frame).unwrap().first().to_vec()
        };
        let plain = of(model("y", ""), &frame);
        let close = |what: &str, other: &[f64], factor: f64| {
            for (a, b) in plain.iter().zip(other) {
                assert!((factor * a - b).abs() < 1e-9, "{kind} {what}: {a} {b}");
            }
        };
        close("reversed", &of(model("y", ""), &turned), 1.0);
        close("scaled", &of(model("tenfold", "_tenfold"), &frame), 10.0);
        let weighted = of(model("y", "").weights("k"), &frame);
        for (a, b) in weighted.iter().zip(of(model("y", ""), &copied)) {
            assert!((a - b).abs() < 1e-9, "{kind} copies: {a} {b}");
        }
    }
}

#[test]
fn what_has_no_effect_per_unit_is_refused_with_the_reason() {
    let frame = data("tests/reference/partially_linear.csv");
    let n = frame.rows();
    let frame = frame
        .with("same", vec![2.0; n])
        .and_then(|frame| frame.with("gone", vec![f64::NAN; n]))
        .unwrap();
    let text = |y: &str, d: &str, features: &[&str]| {
        let model = PartiallyLinear::new(y, d, features);
        let fit = model.learner(Learner::linear()).seed(1).fit(&frame);
        fit.unwrap_err().to_string()
    };
    assert!(text("y", "same", &["x1"]).contains("a treatment that varies"));
    assert!(text("same", "d", &["x1"]).contains("an outcome that varies"));
    assert!(text("y", "y", &["x1"]).contains("which is the outcome"));
    assert!(text("y", "gone", &["x1"]).contains("something is missing"));
    assert!(text("y", "d", &["x1", "d"]).contains("treatment `d`"));
    let decided = frame.real("x1").unwrap().iter().map(|x| 2.0 * x + 1.0);
    let decided = frame
        .clone()
        .with("decided", decided.collect::<Vec<_>>())
        .unwrap();
    let model = PartiallyLinear::new("y", "decided", &["x1"]).learner(Learner::linear());
    let error = model.clone().seed(1).fit(&decided).unwrap_err().to_string();
    assert!(error.contains("the features leave open"), "{error}");
    assert!(matches!(
        model.fit(&decided),
        Err(Error::SeedRequired { .. })
    ));
}
