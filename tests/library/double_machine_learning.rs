//! Double machine learning with instruments, for quantiles, targeted and over several splits: agreement with DoubleML, linearmodels and moment conditions, coverage,
//! weak instruments, what must hold for any data, bad input.

use crate::support::{agree, data, fixture, numbers};
use cocreate::prelude::*;
use proptest::prelude::{prop_assert, proptest};
use proptest::test_runner::Config;
use rand::RngExt;
use rand_distr::StandardNormal;
use std::sync::Arc;

const LEVEL: f64 = 0.95;

/// Estimate, standard error without n/(n − 1), and the ends of the Anderson–Rubin set.
fn with_set(fit: &InstrumentedFit, rows: usize) -> Vec<f64> {
    let effect = fit.effect().unwrap();
    let n = rows as f64;
    let set = fit.confidence_set(&effect.name, LEVEL).unwrap();
    let ends = set.segments.iter().flat_map(|s| [s.lower, s.upper]);
    [effect.estimate, effect.std_error * ((n - 1.0) / n).sqrt()]
        .into_iter()
        .chain(ends)
        .collect()
}

#[test]
fn instruments_on_given_nuisances_are_those_of_doubleml() {
    let reference = fixture("double_machine_learning");
    let values = |key: &str| numbers(&reference["values"][key]);
    let frame = data("tests/reference/instrumented.csv");
    let n = frame.rows();
    let features = ["x1", "x2"];
    let one = PartiallyLinearIv::new("y", "d", &["z"], &features).means("ell", "em", &["ez"]);
    agree(
        "one",
        &with_set(&one.fit(&frame).unwrap(), n),
        &values("plm_iv"),
        1e-9,
    );
    let two = PartiallyLinearIv::new("y", "d", &["z", "z2"], &features).means(
        "ell",
        "em",
        &["ez", "ez2"],
    );
    let fit = two.fit(&frame).unwrap();
    agree("two", &with_set(&fit, n)[..2], &values("two"), 1e-9);
    assert!(fit.overidentification().unwrap().p_value > 0.0);
    assert!(fit.intention_to_treat().is_none());
    let fit = two
        .weights("weight")
        .clusters("village")
        .fit(&frame)
        .unwrap();
    let effect = fit.effect().unwrap();
    let groups = frame.groups("village").unwrap().count() as f64;
    let ours = [
        effect.estimate,
        effect.std_error * ((groups - 1.0) / groups).sqrt(),
    ];
    agree("clustered", &ours, &values("two_clustered"), 1e-9);
    assert_eq!(effect.degrees_of_freedom, groups - 1.0);

    let late = LocalAverageEffect::new("y", "took", "z", &features)
        .outcome_mean("0", "g0")
        .outcome_mean("1", "g1")
        .treatment_mean("0", "r0")
        .treatment_mean("1", "r1")
        .propensity("1", "pz");
    let fit = late.fit(&frame).unwrap();
    let mut ours = with_set(&fit, n);
    ours.insert(2, fit.first_stage().unwrap().coefficients[0]);
    ours.insert(3, fit.intention_to_treat().unwrap().estimate);
    agree("late", &ours, &values("late"), 1e-9);
    // The set is where the test does not reject, to its ends.
    for end in &ours[4..] {
        let p = fit.anderson_rubin(*end).unwrap().p_value;
        assert!((p - 0.05).abs() < 1e-8, "{p}");
    }
    // The other value as control turns the instrument round, and leaves the ratio.
    let turned = late.control("1").fit(&frame).unwrap();
    agree("turned", &with_set(&turned, n), &with_set(&fit, n), 1e-9);
    assert!((turned.first_stage().unwrap().coefficients[0] + ours[2]).abs() < 1e-12);
}

/// Predictions that are given, whatever is to be learned.
#[derive(Clone)]
struct Given(Vec<f64>);

impl CustomLearner for Given {
    fn name(&self) -> &'static str {
        "given"
    }

    fn fit(&self, _: &TrainingSet, _: Seed, _: &Progress) -> cocreate::Result<Arc<dyn CustomFit>> {
        Ok(Arc::new(self.clone()))
    }
}

impl CustomFit for Given {
    fn predict(&self, _: &Features, rows: &Rows, out: &mut [f64]) -> cocreate::Result<()> {
        for (i, out) in out.iter_mut().enumerate() {
            *out = self.0[rows.index(i)];
        }
        Ok(())
    }
}

#[test]
fn quantiles_and_targeted_means_solve_their_equations() {
    let reference = fixture("double_machine_learning");
    let values = |key: &str| numbers(&reference["values"][key]);
    let frame = data("tests/reference/causal.csv");
    let base = DoublyRobust::new("y", "w", &["x1", "x2"])
        .propensity("1", "e")
        .seed(1);
    let below: Vec<f64> = (frame.real("x1").unwrap().iter())
        .map(|x| 1.0 / (1.0 + (x - 0.3).exp()))
        .collect();
    let quantiles = |model: DoublyRobust| {
        let fit =
            QuantileEffects::new(model.outcome_learner(Learner::custom(Given(below.clone()))))
                .quantiles([0.3, 0.6])
                .fit(&frame)
                .unwrap();
        let v = Inference::covariance(&fit).clone();
        let estimates = fit.estimates().clone();
        // The effect is the difference of the arms' quantiles.
        let arms = fit.arm_quantiles();
        let differ = |tau: &str| arms.linear(&format!("`1: {tau}` - `0: {tau}`")).unwrap();
        for (at, tau) in ["0.3", "0.6"].into_iter().enumerate() {
            assert!((differ(tau).estimate - estimates[at]).abs() < 1e-12);
            assert!((differ(tau).std_error.powi(2) / v[(at, at)] - 1.0).abs() < 1e-10);
        }
        vec![estimates[0], estimates[1], v[(0, 0)], v[(1, 0)], v[(1, 1)]]
    };
    agree(
        "quantiles",
        &quantiles(base.clone()),
        &values("quantiles"),
        1e-9,
    );
    let weighted = base.clone().weights("weight").clusters("village");
    agree(
        "weighted",
        &quantiles(weighted.clone()),
        &values("quantiles_weighted"),
        1e-9,
    );

    let targeted = |model: DoublyRobust| {
        let fit = model
            .outcome_mean("0", "m0")
            .outcome_mean("1", "m1")
            .fit(&frame)
            .unwrap();
        let effect = fit.targeted().unwrap().coefficient("1").unwrap();
        [effect.estimate, effect.std_error]
    };
    for (key, model) in [("targeted", base), ("targeted_weighted", weighted)] {
        let theirs = values(key);
        agree(
            key,
            &targeted(model),
            &[theirs[0] - theirs[1], theirs[2]],
            1e-9,
        );
    }
}

/// One of the instrumented data sets with truth 1 (per unit, and for compliers).
fn instrumented(n: usize, seed: u64, strength: f64) -> Frame {
    let mut draws = Seed::new(seed).stream(0);
    let mut columns = vec![Vec::new(); 6];
    for _ in 0..n {
        let [x, hidden, e, v]: [f64; 4] = std::array::from_fn(|_| draws.sample(StandardNormal));
        let z = f64::from(u8::from(
            draws.random::<f64>() < 1.0 / (1.0 + (-0.7 * x).exp()),
        ));
        let d = strength * z + 0.5 * x + hidden + v;
        // Who takes it has a hidden liking; those with a liking between gain one, the others more or less.
        let took = f64::from(u8::from(hidden + strength * z > 0.5));
        let complier = hidden <= 0.5 && hidden + strength > 0.5;
        let gain = if complier { 1.0 } else { 1.0 + 2.0 * hidden };
        let y_dose = d + x + 0.8 * hidden + e;
        let y_took = gain * took + x + 0.8 * hidden + e;
        for (column, value) in columns.iter_mut().zip([x, z, d, took, y_dose, y_took]) {
            column.push(value);
        }
    }
    let names = ["x", "z", "d", "took", "y_dose", "y_took"];
    let pairs = names.into_iter().zip(columns);
    pairs.fold(Frame::new(), |frame, (name, column)| {
        frame.with(name, column).unwrap()
    })
}

#[test]
fn sets_cover_with_weak_instruments_where_intervals_do_not() {
    const DRAWS: u64 = 300;
    for (strength, weak) in [(1.0, false), (0.12, true)] {
        let mut counts = [0_u32; 4];
        let (mut warned, mut strong_f, mut unbounded) = (0, 0.0, 0);
        for seed in 0..DRAWS {
            let frame = instrumented(800, 1000 + seed, strength);
            let dose = PartiallyLinearIv::new("y_dose", "d", &["z"], &["x"])
                .learner(Learner::linear())
                .seed(seed)
                .fit(&frame)
                .unwrap();
            let late = LocalAverageEffect::new("y_took", "took", "z", &["x"])
                .learner(Learner::linear())
                .seed(seed)
                .fit(&frame)
                .unwrap();
            for (at, fit) in [&dose, &late].into_iter().enumerate() {
                let effect = fit.effect().unwrap();
                let interval = effect.confidence_interval(LEVEL).unwrap();
                let set = fit.confidence_set(&effect.name, LEVEL).unwrap();
                counts[2 * at] += u32::from(interval.lower < 1.0 && 1.0 < interval.upper);
                counts[2 * at + 1] += u32::from(set.contains(1.0));
                unbounded += u32::from(!set.is_bounded());
                strong_f += fit.first_stage().unwrap().effective_f.unwrap() / (2 * DRAWS) as f64;
                warned += u32::from(
                    (fit.warnings().iter()).any(|w| matches!(w, Warning::WeakInstruments { .. })),
                );
            }
        }
        println!(
            "{strength}: F {strong_f:.1}, {counts:?} of {DRAWS}, {warned} warned, {unbounded} unbounded"
        );
        // Sets cover 95 % of the time, four Monte Carlo errors of 1.3 points apart at most.
        for set in [counts[1], counts[3]] {
            assert!((270..=299).contains(&set), "{counts:?}");
        }
        if weak {
            assert!(warned > 500 && unbounded > 200);
        } else {
            assert!(warned == 0 && unbounded == 0);
            for interval in [counts[0], counts[2]] {
                assert!((270..=299).contains(&interval), "{counts:?}");
            }
        }
    }
}

/// A confounded treatment that adds one below the median and stretches outcomes; true effects on the quantiles are known.
#[test]
fn quantile_effects_and_targeted_effects_cover() {
    const DRAWS: u64 = 300;
    const N: usize = 1000;
    let levels = [0.25, 0.5, 0.9];
    // Under control Y = X + ε is N(0, 2); under treatment 1 + 1.5 (X + ε): quantiles 1 + 1.5 q.
    let truth = levels.map(|tau| 1.0 + 0.5 * 2.0_f64.sqrt() * normal_quantile(tau));
    let mut covered = [0_u32; 5];
    let (mut naive_bias, mut bias) = (0.0, [0.0; 4]);
    for seed in 0..DRAWS {
        let mut draws = Seed::new(5000 + seed).stream(0);
        let mut columns = vec![Vec::new(); 3];
        for _ in 0..N {
            let [x, e]: [f64; 2] = std::array::from_fn(|_| draws.sample(StandardNormal));
            let w = f64::from(u8::from(
                draws.random::<f64>() < 1.0 / (1.0 + (-0.8 * x).exp()),
            ));
            let y = if w > 0.5 { 1.0 + 1.5 * (x + e) } else { x + e };
            for (column, value) in columns.iter_mut().zip([x, w, y]) {
                column.push(value);
            }
        }
        let [x, w, y] = <[Vec<f64>; 3]>::try_from(columns).unwrap();
        let share = |of: f64| -> f64 {
            let pairs = y.iter().zip(&w).filter(|(_, w)| (**w - of).abs() < 0.5);
            let (sum, count) = pairs.fold((0.0, 0.0), |(s, n), (y, _)| (s + y, n + 1.0));
            sum / count
        };
        naive_bias += (share(1.0) - share(0.0) - 1.0) / DRAWS as f64;
        let frame = Frame::new()
            .with("x", x)
            .unwrap()
            .with("w", w)
            .unwrap()
            .with("y", y)
            .unwrap();
        let base = DoublyRobust::new("y", "w", &["x"])
            .learner(Learner::linear())
            .calibrate(false)
            .seed(seed);
        let fit = QuantileEffects::new(base.clone())
            .quantiles(levels)
            .fit(&frame)
            .unwrap();
        let scored = base.fit(&frame).unwrap();
        let means = [scored.targeted().unwrap(), scored.average_effect().clone()];
        let effects = (levels
            .iter()
            .map(|tau| fit.coefficient(&tau.to_string()).unwrap()))
        .chain(means.iter().map(|mean| mean.coefficient("1").unwrap()));
        let truths = truth.into_iter().chain([1.0, 1.0]);
        for (at, (effect, truth)) in effects.zip(truths).enumerate() {
            let interval = effect.confidence_interval(LEVEL).unwrap();
            covered[at] += u32::from(interval.lower < truth && truth < interval.upper);
            if at < 4 {
                bias[at] += (effect.estimate - truth) / DRAWS as f64;
            }
        }
    }
    println!("{covered:?} of {DRAWS}; bias {bias:?}; naive {naive_bias}");
    assert!(naive_bias > 0.5);
    assert!(bias.iter().all(|b| b.abs() < 0.04), "{bias:?}");
    for covered in covered {
        assert!((270..=299).contains(&covered), "{covered} of {DRAWS}");
    }
}

/// The standard normal quantile at the levels used here.
fn normal_quantile(tau: f64) -> f64 {
    match (100.0 * tau).round() as i32 {
        25 => -0.674_489_750_196_081_7,
        50 => 0.0,
        90 => 1.281_551_565_544_600_4,
        other => panic!("no quantile at {other} %"),
    }
}

#[test]
fn effects_over_splits_are_medians_and_count_the_spread() {
    let frame = data("tests/reference/causal.csv");
    let model =
        DoublyRobust::new("y", "w", &["x1", "x2"]).learner(Learner::boosted_trees().rounds(20));
    let of = |seed: Seed| {
        Ok(model
            .clone()
            .seed(seed)
            .fit(&frame)?
            .average_effect()
            .clone())
    };
    for splits in [5, 4] {
        let fit = AverageEffects::over_splits(splits, 11, of).unwrap();
        let mut each: Vec<Estimate> = (1..=splits)
            .map(|s| of(Seed::new(11).child(&format!("split {s}"))).unwrap())
            .map(|fit| fit.coefficient("1").unwrap())
            .collect();
        let middle = |values: &mut Vec<f64>| {
            values.sort_by(f64::total_cmp);
            f64::midpoint(values[(splits - 1) / 2], values[splits / 2])
        };
        let median = middle(&mut each.iter().map(|e| e.estimate).collect());
        let spread = |e: &Estimate| e.std_error.powi(2) + (e.estimate - median).powi(2);
        let variance = middle(&mut each.iter().map(spread).collect());
        let effect = fit.coefficient("1").unwrap();
        assert!((effect.estimate - median).abs() < 1e-14);
        assert!((effect.std_error.powi(2) / variance - 1.0).abs() < 1e-12);
        assert!(
            fit.estimand()
                .contains(&format!("median of {splits} splits"))
        );
        each.dedup_by(|a, b| a.estimate == b.estimate);
        assert!(each.len() > 1, "splits differ");
    }
    assert!(AverageEffects::over_splits(0, 1, of).is_err());
}

proptest! {
    #![proptest_config(Config { failure_persistence: None, ..Config::with_cases(12) })]

    #[test]
    fn scale_and_order_of_columns_do_not_matter(scale in 0.01..100.0_f64, shift in -50.0..50.0_f64, seed in 0..100_u64) {
        let frame = instrumented(120, seed, 1.0);
        let moved = |name: &str, a: f64, b: f64| {
            let values: Vec<f64> = frame.real(name).unwrap().iter().map(|v| a + b * v).collect();
            frame.clone().with_or_replace(name, values).unwrap()
        };
        let fit = |frame: &Frame| {
            let model = PartiallyLinearIv::new("y_dose", "d", &["z"], &["x"]).learner(Learner::linear()).seed(3);
            model.fit(frame).unwrap().effect().unwrap()
        };
        let plain = fit(&frame);
        for (name, factor) in [("y_dose", scale), ("d", 1.0 / scale), ("x", 1.0)] {
            let other = fit(&moved(name, shift, scale));
            prop_assert!((other.estimate / (plain.estimate * factor) - 1.0).abs() < 1e-6, "{name}");
            prop_assert!((other.std_error / (plain.std_error * factor) - 1.0).abs() < 1e-6, "{name}");
        }
        // Quantiles move with a shift of all outcomes and stretch with their scale.
        let quantile = |frame: &Frame| {
            let base = DoublyRobust::new("y_took", "took", &["x"]).learner(Learner::linear()).randomized().seed(3);
            let fit = QuantileEffects::new(base).quantiles([0.5]).fit(frame).unwrap();
            let arm = fit.arm_quantiles().coefficient("0: 0.5").unwrap();
            (arm.estimate, fit.coefficient("0.5").unwrap())
        };
        let (before, after) = (quantile(&frame), quantile(&moved("y_took", shift, scale)));
        prop_assert!((after.0 - shift - scale * before.0).abs() < 1e-9 * (1.0 + shift.abs() + scale));
        prop_assert!((after.1.std_error / (scale * before.1.std_error) - 1.0).abs() < 1e-6);
    }
}

#[test]
fn bad_input_is_refused_with_its_remedy() {
    let frame = instrumented(200, 1, 1.0);
    let message = |error: Error| error.to_string();
    let iv = |instruments: &[&str], features: &[&str]| {
        PartiallyLinearIv::new("y_dose", "d", instruments, features).learner(Learner::linear())
    };
    assert!(matches!(
        iv(&["z"], &["x"]).fit(&frame),
        Err(Error::SeedRequired { .. })
    ));
    let none = message(iv(&[], &["x"]).seed(1).fit(&frame).unwrap_err());
    assert!(none.contains("PartiallyLinear"), "{none}");
    for (instruments, features, word) in [
        (&["z", "z"][..], &["x"][..], "given twice"),
        (&["x"], &["x"], "a feature"),
        (&["y_dose"], &["x"], "the outcome"),
        (&["d"], &["x"], "taken already"),
    ] {
        let text = message(iv(instruments, features).seed(1).fit(&frame).unwrap_err());
        assert!(text.contains(word), "{text}");
    }
    let decided = frame
        .clone()
        .with("copy", frame.real("x").unwrap().to_vec())
        .unwrap();
    let text = message(iv(&["copy"], &["x"]).seed(1).fit(&decided).unwrap_err());
    assert!(
        text.contains("`copy`") && text.contains("leave open"),
        "{text}"
    );
    let constant = frame.clone().with("one", vec![1.0; 200]).unwrap();
    assert!(matches!(
        iv(&["one"], &["x"]).seed(1).fit(&constant),
        Err(Error::Unidentified { .. })
    ));
    let short = iv(&["z", "took"], &["x"]).means("y_dose", "d", &["z"]);
    assert!(message(short.fit(&frame).unwrap_err()).contains("each of the 2 instruments"));

    let late = LocalAverageEffect::new("y_took", "took", "z", &["x"]).learner(Learner::linear());
    assert!(matches!(late.fit(&frame), Err(Error::SeedRequired { .. })));
    let three = frame
        .clone()
        .with(
            "three",
            (0..200).map(|i| f64::from(i % 3)).collect::<Vec<_>>(),
        )
        .unwrap();
    let text = message(
        LocalAverageEffect::new("y_took", "took", "three", &["x"])
            .learner(Learner::linear())
            .seed(1)
            .fit(&three)
            .unwrap_err(),
    );
    assert!(
        text.contains("3 values") && text.contains("PartiallyLinearIv"),
        "{text}"
    );
    let half = late
        .clone()
        .seed(1)
        .treatment_mean("0", "d")
        .fit(&frame)
        .unwrap_err();
    assert!(message(half).contains("for both values"));
    let nobody = LocalAverageEffect::new("y_took", "one", "z", &["x"])
        .learner(Learner::linear())
        .seed(1);
    assert!(matches!(
        nobody.fit(&constant),
        Err(Error::Unidentified { .. })
    ));
    let holes = frame
        .clone()
        .with_or_replace("took", {
            let mut took = frame.real("took").unwrap().to_vec();
            took[5] = f64::NAN;
            took
        })
        .unwrap();
    let fit = late.clone().seed(1).fit(&holes).unwrap();
    assert!(
        fit.warnings()
            .iter()
            .any(|w| w.to_string().contains("`took` 1"))
            && !fit.kept_rows()[5]
    );
    let read: InstrumentedFit =
        serde_json::from_str(&serde_json::to_string(&fit).unwrap()).unwrap();
    assert_eq!(read.effect().unwrap(), fit.effect().unwrap());
    assert!(matches!(
        read.anderson_rubin(0.0),
        Err(Error::DataNotKept { .. })
    ));

    let base = DoublyRobust::new("y_took", "took", &["x"])
        .learner(Learner::linear())
        .seed(1);
    for levels in [vec![], vec![0.0], vec![1.0], vec![0.5, 0.5], vec![f64::NAN]] {
        let refused = QuantileEffects::new(base.clone())
            .quantiles(levels)
            .fit(&frame);
        assert!(matches!(refused, Err(Error::InvalidOption { .. })));
    }
    let spend: Vec<f64> = (frame.real("y_took").unwrap().iter())
        .map(|y| y.max(0.5))
        .collect();
    let mass = frame.clone().with_or_replace("y_took", spend).unwrap();
    let text = message(
        QuantileEffects::new(base.clone())
            .quantiles([0.1])
            .fit(&mass)
            .unwrap_err(),
    );
    assert!(
        text.contains("% of the arm have") && text.contains("point mass"),
        "{text}"
    );
    // An arm all of whose outcomes are the lowest leaves targeting nothing to move.
    let all_low: Vec<f64> = (frame.real("took").unwrap().iter().enumerate())
        .map(|(i, took)| took * f64::from(u8::from(i % 2 == 0)))
        .collect();
    let low = frame.clone().with_or_replace("y_took", all_low).unwrap();
    let fit = base.fit(&low).unwrap();
    assert!(message(fit.targeted().unwrap_err()).contains("average_effect"));
}

#[test]
fn clusters_make_partially_linear_intervals_cover_over_splits_too() {
    const DRAWS: u64 = 100;
    let mut covered = [0_u32; 3];
    for draw in 0..DRAWS {
        let mut generator = Seed::new(5).stream(draw);
        let mut normal = || -> f64 { generator.sample(StandardNormal) };
        let (mut x, mut d, mut y, mut village) = (vec![], vec![], vec![], vec![]);
        for cluster in 0..40 {
            let (of_outcome, of_dose) = (normal(), normal());
            for _ in 0..6 {
                x.push(normal());
                d.push(0.7 * x[x.len() - 1] + 0.5 * of_dose + normal());
                village.push(f64::from(cluster));
                y.push(1.5 * d[d.len() - 1] + x[x.len() - 1] + of_outcome + normal());
            }
        }
        let frame = Frame::new()
            .with("x", x)
            .and_then(|f| f.with("d", d))
            .and_then(|f| f.with("y", y))
            .and_then(|f| f.with("village", village))
            .unwrap();
        let model = || PartiallyLinear::new("y", "d", &["x"]).learner(Learner::linear());
        let clustered = |seed: Seed| model().clusters("village").seed(seed).fit(&frame);
        let fits = [
            model().seed(draw).fit(&frame).unwrap().effect().clone(),
            clustered(Seed::new(draw)).unwrap().effect().clone(),
            AverageEffects::over_splits(3, draw, |seed| Ok(clustered(seed)?.effect().clone()))
                .unwrap(),
        ];
        for (covered, fit) in covered.iter_mut().zip(fits) {
            let i = fit.coefficients()[0].confidence_interval(0.95).unwrap();
            *covered += u32::from(i.lower < 1.5 && 1.5 < i.upper);
        }
    }
    println!("{covered:?} of {DRAWS}");
    // Three Monte Carlo errors of 2.2 points.
    assert!(
        covered[0] < covered[1] && covered[1] >= 88 && covered[2] >= 88,
        "{covered:?}"
    );
}
