//! Meta-learners: recovery of known effects, what must hold for any data, bad input.

use cocreate::prelude::*;

const KINDS: [MetaKind; 7] = [
    MetaKind::S,
    MetaKind::T,
    MetaKind::X,
    MetaKind::R,
    MetaKind::DoublyRobust,
    MetaKind::U,
    MetaKind::TransformedOutcome,
];

/// A number in (0, 1) by multiplication with the golden ratio's and other irrational steps.
fn unit(i: usize, step: f64) -> f64 {
    (i as f64 * step).fract()
}

/// Three arms: b adds 1 + 2x, c adds −x; the baseline is 3z; arms do not depend on features.
fn trial(n: usize) -> Frame {
    let x: Vec<f64> = (0..n).map(|i| unit(i, 0.618_033_988_7)).collect();
    let z: Vec<f64> = (0..n).map(|i| unit(i, 0.754_877_666_2)).collect();
    let arm: Vec<usize> = (0..n)
        .map(|i| (3.0 * unit(i, 0.569_840_290_9)) as usize)
        .collect();
    let noise = |i: usize| 0.2 * (unit(i, 0.414_213_562_3) - 0.5);
    let y: Vec<f64> = (0..n)
        .map(|i| 3.0 * z[i] + [0.0, 1.0 + 2.0 * x[i], -x[i]][arm[i]] + noise(i))
        .collect();
    let names: Vec<&str> = arm.iter().map(|a| ["a", "b", "c"][*a]).collect();
    Frame::new()
        .with("x", x)
        .unwrap()
        .with("z", z)
        .unwrap()
        .with("y", y)
        .unwrap()
        .with("arm", names)
        .unwrap()
        .with(
            "weight",
            (0..n)
                .map(|i| 0.5 + unit(i, 0.324_717_957_2))
                .collect::<Vec<_>>(),
        )
        .unwrap()
        .with(
            "village",
            (0..n).map(|i| (i / 5) as f64).collect::<Vec<_>>(),
        )
        .unwrap()
}

fn errors(fit: &MetaLearnerFit, frame: &Frame) -> [f64; 2] {
    let effects = fit.predict(frame).unwrap();
    let x = frame.real("x").unwrap();
    let off = |arm: &str, truth: &dyn Fn(f64) -> f64| {
        let squares = effects
            .arm(arm)
            .unwrap()
            .iter()
            .zip(x)
            .map(|(e, x)| (e - truth(*x)).powi(2));
        (squares.sum::<f64>() / x.len() as f64).sqrt()
    };
    [off("b", &|x| 1.0 + 2.0 * x), off("c", &|x| -x)]
}

#[test]
fn every_recipe_finds_the_effects_of_both_arms() {
    let frame = trial(1_500);
    for kind in KINDS {
        // One model with the arm as a feature needs interactions.
        let last: Learner = match kind {
            MetaKind::S => Learner::boosted_trees().leaves(8).into(),
            _ => Learner::linear().into(),
        };
        let fit = MetaLearner::new(kind, "y", "arm", &["x", "z"])
            .learner(Learner::linear())
            .effect_learner(last)
            .weights("weight")
            .clusters("village")
            .seed(3)
            .fit(&frame)
            .unwrap();
        // The recipes that divide by propensities are noisier by design; none may be off by a tenth of the spread of y.
        let most = match kind {
            MetaKind::TransformedOutcome => 0.45,
            MetaKind::S => 0.2,
            _ => 0.05,
        };
        let off = errors(&fit, &frame);
        assert!(off.iter().all(|e| *e < most), "{kind}: {off:?}");
        assert_eq!((fit.arms().len(), fit.effects().arms().len()), (3, 2));
    }
}

#[test]
fn the_doubly_robust_recipe_with_a_straight_line_is_the_best_linear_projection() {
    let frame = trial(600);
    let base = DoublyRobust::new("y", "arm", &["x", "z"])
        .learner(Learner::linear())
        .seed(8);
    let fit = MetaLearner::doubly_robust("y", "arm", &["x", "z"])
        .nuisances(base.clone())
        .effect_learner(Learner::linear())
        .fit(&frame)
        .unwrap();
    let line = base
        .fit(&frame)
        .unwrap()
        .best_linear_projection(&frame, "c", "x + z")
        .unwrap();
    let b = line.estimates();
    let (x, z) = (frame.real("x").unwrap(), frame.real("z").unwrap());
    let effects = fit.predict(&frame).unwrap();
    for (i, effect) in effects.arm("c").unwrap().iter().enumerate() {
        assert!(
            (effect - b[0] - b[1] * x[i] - b[2] * z[i]).abs() < 1e-9,
            "{i}"
        );
    }
}

#[test]
fn a_stack_loses_no_more_than_its_best_recipe_and_its_winner_is_that_recipe() {
    let made = HeterogeneousEffects::new(EffectDesign::NieWagerB)
        .customers(600)
        .seed(9)
        .simulate()
        .unwrap();
    let model = MetaLearner::stack("y", "w", &["x1", "x2", "x3", "x4", "x5"])
        .learner(Learner::quadratic())
        .propensity_learner(Learner::linear())
        .effect_learner(Learner::lasso())
        .seed(9);
    for loss in [EffectLoss::R, EffectLoss::DoublyRobust] {
        let fit = model
            .clone()
            .shrink(false)
            .loss(loss)
            .fit(&made.data)
            .unwrap();
        let best = fit
            .losses()
            .iter()
            .map(|l| l.loss)
            .fold(f64::INFINITY, f64::min);
        assert!(fit.stacked_losses()[0] <= best + 1e-12);
        let total = |fit: &MetaLearnerFit| fit.losses().iter().map(|l| l.weight).sum::<f64>();
        assert!((total(&fit) - 1.0).abs() < 1e-12);
        // Shrinkage moves the same share of every weight to the constant, which is the first recipe.
        let drawn = model.clone().loss(loss).fit(&made.data).unwrap();
        assert!((total(&drawn) - 1.0).abs() < 1e-12);
        let kept = (1.0 - drawn.losses()[0].weight) / (1.0 - fit.losses()[0].weight);
        assert!(kept > 0.5 && kept < 1.0, "{kept}");
        for (after, before) in drawn.losses().iter().zip(fit.losses()).skip(1) {
            assert!((after.weight - kept * before.weight).abs() < 1e-12);
        }
    }
    let fit = model.winner().fit(&made.data).unwrap();
    let best = fit
        .losses()
        .iter()
        .map(|l| l.loss)
        .fold(f64::INFINITY, f64::min);
    for line in fit.losses() {
        assert_eq!(
            line.weight,
            f64::from(u8::from(line.loss <= best)),
            "{}",
            line.recipe
        );
    }
    // It explains the effects: their variance is that of x1 + log(1 + exp x2), about 1.25.
    let truth = made.oracle.real("effect").unwrap();
    let effects = fit.predict(&made.data).unwrap();
    let error: f64 = effects
        .first()
        .iter()
        .zip(truth)
        .map(|(a, b)| (a - b).powi(2))
        .sum::<f64>()
        / 600.0;
    assert!(error < 0.3, "{error}");
}

/// Where everybody has the same effect, shrinkage takes out most of what the weights fitted to noise.
#[test]
fn a_stack_is_drawn_to_the_constant_where_effects_do_not_differ() {
    const DRAWS: u64 = 12;
    let mut errors = [0.0; 2];
    for seed in 0..DRAWS {
        let made = HeterogeneousEffects::new(EffectDesign::NieWagerC)
            .customers(500)
            .seed(seed)
            .simulate()
            .unwrap();
        let model = MetaLearner::stack("y", "w", &["x1", "x2", "x3"])
            .learner(Learner::quadratic().net(Learner::ridge().lambda(0.01)))
            .effect_learner(Learner::linear())
            .seed(seed);
        for (error, shrink) in errors.iter_mut().zip([false, true]) {
            let fit = model.clone().shrink(shrink).fit(&made.data).unwrap();
            let effects = fit.predict(&made.data).unwrap();
            let mean = effects.first().iter().sum::<f64>() / 500.0;
            let spread = effects.first().iter().map(|e| (e - mean).powi(2));
            *error += spread.sum::<f64>() / 500.0 / DRAWS as f64;
        }
    }
    assert!(errors[1] < 0.6 * errors[0], "{errors:?}");
}

#[test]
fn effects_have_the_same_bits_on_any_number_of_threads_and_survive_a_file() {
    let frame = trial(300);
    let fit = || {
        MetaLearner::stack("y", "arm", &["x", "z"])
            .learner(Learner::forest().trees(20))
            .effect_learner(Learner::stack([
                Learner::from(Learner::forest().trees(20)),
                Learner::from(Learner::linear()),
            ]))
            .seed(11)
            .fit(&frame)
            .unwrap()
    };
    let bits = |fit: &MetaLearnerFit| -> Vec<u64> {
        let effects = fit.predict(&frame).unwrap();
        let both = [effects.arm("b").unwrap(), effects.arm("c").unwrap()].concat();
        both.iter().map(|v| v.to_bits()).collect()
    };
    let all = fit();
    #[cfg(feature = "parallel")]
    {
        let one = rayon::ThreadPoolBuilder::new()
            .num_threads(1)
            .build()
            .unwrap();
        assert_eq!(bits(&all), bits(&one.install(fit)));
    }
    let again: MetaLearnerFit =
        serde_json::from_str(&serde_json::to_string(&all).unwrap()).unwrap();
    assert_eq!(bits(&all), bits(&again));
}

#[test]
fn missing_features_and_new_levels_get_effects() {
    let n = 400;
    let frame = trial(n);
    let kind: Vec<&str> = (0..n)
        .map(|i| if i % 4 == 0 { "app" } else { "shop" })
        .collect();
    let frame = frame.with("channel", kind).unwrap();
    let fit = MetaLearner::stack("y", "arm", &["x", "channel"])
        .learner(Learner::boosted_trees().rounds(20))
        .effect_learner(Learner::stack([
            Learner::from(Learner::lasso()),
            Learner::from(Learner::quadratic()),
            Learner::from(Learner::boosted_trees().rounds(20)),
        ]))
        .seed(2)
        .fit(&frame)
        .unwrap();
    let other = Frame::new()
        .with("x", vec![f64::NAN, 0.5, 40.0])
        .unwrap()
        .with("channel", vec![Some("phone"), None, Some("app")])
        .unwrap();
    let effects = fit.predict(&other).unwrap();
    for arm in ["b", "c"] {
        assert!(effects.arm(arm).unwrap().iter().all(|v| v.is_finite()));
    }
    assert!(matches!(
        fit.predict(&Frame::new()),
        Err(Error::ColumnNotFound { .. })
    ));
}

#[test]
fn bad_options_are_refused() {
    let frame = trial(300);
    let model = || MetaLearner::t("y", "arm", &["x"]).learner(Learner::linear());
    assert!(matches!(
        model().fit(&frame),
        Err(Error::SeedRequired { .. })
    ));
    assert!(model().recipes([]).seed(1).fit(&frame).is_err());
    assert!(
        model()
            .control("d")
            .seed(1)
            .fit(&frame)
            .unwrap_err()
            .to_string()
            .contains("a, b, c")
    );
    let trimmed = DoublyRobust::new("y", "arm", &["x"]).trim(0.1).seed(1);
    assert!(
        model()
            .nuisances(trimmed)
            .fit(&frame)
            .unwrap_err()
            .to_string()
            .contains("trim")
    );
    let means = DoublyRobust::new("y", "arm", &["x"])
        .learner(Learner::linear())
        .outcome_mean("a", "z")
        .outcome_mean("b", "z")
        .outcome_mean("c", "z")
        .seed(1);
    let text = model()
        .nuisances(means)
        .fit(&frame)
        .unwrap_err()
        .to_string();
    assert!(text.contains("need learned means"), "{text}");
    let few = model()
        .folds(10)
        .seed(1)
        .fit(&frame.head(40))
        .unwrap_err()
        .to_string();
    assert!(few.contains("which has"), "{few}");
}

#[test]
fn draws_of_the_designs_are_pinned_and_the_same_on_all_threads() {
    let pins = [
        (
            EffectDesign::NieWagerA,
            [2.342603152960332, 0.5387753605634648, 0.5042513702049786],
        ),
        (
            EffectDesign::NieWagerD,
            [0.1244487412093086, 0.8291207256989934, 0.14278372788474428],
        ),
    ];
    for (design, pin) in pins {
        let make = || {
            let process = HeterogeneousEffects::new(design)
                .customers(5_000)
                .features(6);
            let made = process.seed(7).simulate().unwrap();
            let y = made.data.real("y").unwrap();
            [y[0], y[4_999], made.oracle.effect("ate").unwrap()]
        };
        let drawn = make();
        // Exponentials and sines differ between machines in the last bits.
        assert!(
            drawn.iter().zip(pin).all(|(a, b)| (a - b).abs() < 1e-12),
            "{design:?}: {drawn:?}"
        );
        #[cfg(feature = "parallel")]
        {
            let one = rayon::ThreadPoolBuilder::new()
                .num_threads(1)
                .build()
                .unwrap();
            assert_eq!(drawn.map(f64::to_bits), one.install(make).map(f64::to_bits));
        }
    }
}
