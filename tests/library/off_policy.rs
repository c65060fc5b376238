//! Off-policy values against the Open Bandit Pipeline, by simulation, and properties.

use super::support::{agree, data, fixture, numbers};
use cocreate::prelude::*;
use proptest::prelude::*;
use rand::RngExt;
use rand::rngs::ChaCha8Rng;

fn columns(letter: &str) -> Vec<String> {
    (0..4).map(|a| format!("{letter}{a}")).collect()
}

fn evaluation() -> OffPolicy {
    OffPolicy::over_actions("reward", "logged", "action", ["a0", "a1", "a2", "a3"])
        .targets(columns("q"))
        .predictions(columns("m"))
        .logged_actions(columns("p"))
        .switch(2.0)
        .shrink(5.0)
}

#[test]
fn every_estimator_is_that_of_the_open_bandit_pipeline() {
    let theirs = fixture("off_policy");
    let values = &theirs["values"];
    let tolerance = theirs["tolerance"].as_f64().unwrap();
    let log = data("tests/reference/off_policy.csv");
    let rows = evaluation().fit(&log).unwrap();
    let clustered = evaluation().clusters("customer").fit(&log).unwrap();
    let names = values["names"].as_array().unwrap();
    assert_eq!(names.len(), rows.names().len());
    for (i, name) in names.iter().enumerate() {
        let name = name.as_str().unwrap();
        let (row, cluster) = (
            rows.coefficient(name).unwrap(),
            clustered.coefficient(name).unwrap(),
        );
        let ours = [
            row.estimate,
            row.std_error,
            cluster.estimate,
            cluster.std_error,
        ];
        let at = |key: &str| values[key][i].as_f64().unwrap();
        let theirs = [at("value"), at("error"), at("value"), at("by_customer")];
        for (ours, theirs) in ours.iter().zip(theirs) {
            agree(name, &[*ours], &[theirs], tolerance);
        }
    }
    let effective = values["effective_rows"].as_f64().unwrap();
    agree(
        "effective rows",
        &[rows.effective_rows()],
        &[effective],
        tolerance,
    );
    let clipped = evaluation().clip(1.5).fit(&log).unwrap();
    let both = [
        clipped.ips().estimate,
        clipped.doubly_robust().unwrap().estimate,
    ];
    agree("clipped", &both, &numbers(&values["clipped"]), tolerance);
    assert_eq!(rows.unsupported(), Some(0.0));
    // The joint covariance has the errors of differences: that of DR − IPS by hand from the rows is its own column.
    let text = serde_json::to_string(&rows).unwrap();
    assert_eq!(serde_json::from_str::<OffPolicyFit>(&text).unwrap(), rows);
}

#[test]
fn slates_are_those_of_the_open_bandit_pipeline() {
    let theirs = &fixture("off_policy")["values"]["slate"];
    let log = data("tests/reference/off_policy_slate.csv");
    let fit = SlatePolicy::new("slate", "place", "click")
        .standard("p_slate", "q_slate")
        .independent("p_item", "q_item")
        .reward_interaction("p_top", "q_top")
        .cascade_doubly_robust("predicted", "expected")
        .fit(&log)
        .unwrap();
    assert_eq!(fit.names().len(), 7);
    for estimate in fit.coefficients().into_iter().take(4) {
        let theirs = &theirs[estimate.name.as_str()];
        let (value, error) = (
            theirs["value"].as_f64().unwrap(),
            theirs["error"].as_f64().unwrap(),
        );
        agree(
            &estimate.name,
            &[estimate.estimate, estimate.std_error],
            &[value, error],
            1e-10,
        );
    }
    let text = serde_json::to_string(&fit).unwrap();
    assert_eq!(serde_json::from_str::<SlatePolicyFit>(&text).unwrap(), fit);
    let twice = log.replace("place", vec![0.0; log.rows()]).unwrap();
    let again = SlatePolicy::new("slate", "place", "click").independent("p_item", "q_item");
    assert!(again.fit(&twice).unwrap_err().to_string().contains("twice"));
    let item = SlatePolicy::new("slate", "place", "click").standard("p_item", "q_slate");
    let said = item.fit(&log).unwrap_err().to_string();
    assert!(
        said.contains("p_item") && said.contains("whole slate"),
        "{said}"
    );
}

#[test]
fn a_cascade_is_unbiased_and_the_right_model_takes_its_noise() {
    // Two places and two items; the item below is liked where the one above is of its kind.
    const DRAWS: u64 = 300;
    const SLATES: usize = 200;
    let (p, q) = ([0.6, 0.4], [0.3, 0.7]);
    let click = |above: Option<usize>, item: usize| {
        0.2 + 0.2 * item as f64 + if above == Some(item) { 0.3 } else { 0.0 }
    };
    // What the policy earns at the second place under an item, and in all from the first with an item.
    let below = |above: usize| q[0] * click(Some(above), 0) + q[1] * click(Some(above), 1);
    let from = |item: usize| click(None, item) + below(item);
    let truth = q[0] * from(0) + q[1] * from(1);
    let (mut covered, mut errors) = (0.0, [0.0; 2]);
    for draw in 0..DRAWS {
        let mut stream = Seed::new(20).stream(draw);
        let mut columns: Vec<Vec<f64>> = vec![Vec::new(); 7];
        for slate in 0..SLATES {
            let (mut above, mut top) = (None, [1.0, 1.0]);
            for place in 0..2 {
                let item = usize::from(stream.random::<f64>() > p[0]);
                top = [top[0] * p[item], top[1] * q[item]];
                let hit = f64::from(u8::from(stream.random::<f64>() < click(above, item)));
                let (predicted, expected) = match above {
                    None => (from(item), truth),
                    Some(other) => (click(above, item), below(other)),
                };
                let row = [
                    slate as f64,
                    f64::from(place),
                    hit,
                    top[0],
                    top[1],
                    predicted,
                    expected,
                ];
                for (column, value) in columns.iter_mut().zip(row) {
                    column.push(value);
                }
                above = Some(item);
            }
        }
        let log = "slate place click p q predicted expected"
            .split(' ')
            .zip(columns)
            .fold(Frame::new(), |frame, (name, values)| {
                frame.with(name, values).unwrap()
            });
        let fit = SlatePolicy::new("slate", "place", "click")
            .reward_interaction("p", "q")
            .cascade_doubly_robust("predicted", "expected")
            .fit(&log)
            .unwrap();
        for (error, name) in errors
            .iter_mut()
            .zip(["reward_interaction", "cascade_doubly_robust"])
        {
            *error += fit.std_error(name).unwrap() / DRAWS as f64;
        }
        let ends = fit
            .coefficient("cascade_doubly_robust")
            .unwrap()
            .confidence_interval(0.95)
            .unwrap();
        covered += f64::from(u8::from(ends.lower <= truth && truth <= ends.upper)) / DRAWS as f64;
        if draw == 0 {
            // A model that says nothing changes nothing.
            let nothing = log
                .replace("predicted", vec![0.0; 2 * SLATES])
                .unwrap()
                .replace("expected", vec![0.0; 2 * SLATES])
                .unwrap();
            let same = SlatePolicy::new("slate", "place", "click")
                .reward_interaction("p", "q")
                .cascade_doubly_robust("predicted", "expected")
                .fit(&nothing)
                .unwrap();
            assert!((same.estimates()[0] - same.estimates()[1]).abs() < 1e-12);
            let alone = SlatePolicy::new("slate", "place", "click")
                .independent("p", "q")
                .cascade_doubly_robust("predicted", "expected");
            assert!(matches!(alone.fit(&log), Err(Error::InvalidOption { .. })));
        }
    }
    println!("coverage {covered:.3}, errors {errors:?}");
    // Four Monte Carlo errors of 0.0126.
    assert!((covered - 0.95).abs() < 0.05, "{covered}");
    assert!(errors[1] < 0.9 * errors[0], "{errors:?}");
}

/// A log of three actions with a context; its value under the policy is known.
fn simulated(rows: usize, stream: &mut ChaCha8Rng) -> (Frame, f64) {
    let mut columns: Vec<Vec<f64>> = vec![Vec::new(); 12];
    for _ in 0..rows {
        let x: f64 = stream.random();
        let p = [0.7 - 0.4 * x, 0.2, 0.1 + 0.4 * x];
        let q = [0.1, 0.3 + 0.4 * x, 0.6 - 0.4 * x];
        let mean = [0.2, 0.3 + 0.3 * x, 0.6];
        let draw: f64 = stream.random();
        let action = usize::from(draw > p[0]) + usize::from(draw > p[0] + p[1]);
        let hit = f64::from(u8::from(stream.random::<f64>() < mean[action]));
        // The model knows neither slope nor level.
        let row = [
            hit,
            action as f64,
            p[action],
            p[0],
            p[1],
            p[2],
            q[0],
            q[1],
            q[2],
            0.25,
            0.4,
            0.5,
        ];
        for (column, value) in columns.iter_mut().zip(row) {
            column.push(value);
        }
    }
    let names = "r a p p0 p1 p2 q0 q1 q2 m0 m1 m2".split(' ');
    let frame = names
        .zip(columns)
        .fold(Frame::new(), |frame, (name, values)| {
            frame.with(name, values).unwrap()
        });
    // E[0.1·0.2 + (0.3 + 0.4x)(0.3 + 0.3x) + (0.6 − 0.4x)·0.6]
    (frame, 0.02 + 0.09 + 0.21 / 2.0 + 0.12 / 3.0 + 0.36 - 0.12)
}

fn over_three() -> OffPolicy {
    OffPolicy::over_actions("r", "p", "a", ["0", "1", "2"])
        .targets(["q0", "q1", "q2"])
        .predictions(["m0", "m1", "m2"])
        .logged_actions(["p0", "p1", "p2"])
        .bounds(0.0, 1.0)
}

#[test]
fn unbiased_estimators_cover_and_the_model_alone_does_not() {
    const DRAWS: u64 = 400;
    let names = ["IPS", "SNIPS", "DR", "SNDR", "DM"];
    let mut covered = [0.0; 5];
    for draw in 0..DRAWS {
        let (log, truth) = simulated(600, &mut Seed::new(3).stream(draw));
        let fit = over_three().fit(&log).unwrap();
        for (covered, name) in covered.iter_mut().zip(names) {
            let ends = fit
                .coefficient(name)
                .unwrap()
                .confidence_interval(0.95)
                .unwrap();
            *covered += f64::from(u8::from(ends.lower <= truth && truth <= ends.upper));
        }
    }
    // Four Monte Carlo errors of 0.011.
    for (name, covered) in names.iter().zip(covered) {
        let share = covered / DRAWS as f64;
        println!("{name}: {share:.3}");
        assert!(
            (share - 0.95).abs() < 0.044 || *name == "DM",
            "{name}: {share}"
        );
    }
    assert!(covered[4] < 0.1 * DRAWS as f64, "{covered:?}");
}

#[test]
fn slope_stays_within_its_factor_of_the_best_threshold() {
    // The model is wrong by 0.07: with few rows noise matters more than that, with many it does not.
    const DRAWS: u64 = 60;
    let taus = [f64::INFINITY, 16.0, 4.0, 1.0, 0.25];
    for rows in [150, 4000] {
        let mut errors = [0.0; 6];
        for draw in 0..DRAWS {
            let (log, truth) = simulated(rows, &mut Seed::new(4).stream(draw));
            let off = |policy: OffPolicy| {
                let fit = policy.fit(&log).unwrap();
                (fit.coefficient("SWITCH_DR").unwrap().estimate - truth).abs() / DRAWS as f64
            };
            for (error, tau) in errors.iter_mut().zip(taus) {
                *error += off(over_three().switch(tau));
            }
            errors[5] += off(over_three().switch_among(taus));
        }
        let best = errors[..5].iter().copied().fold(f64::INFINITY, f64::min);
        println!("{rows}: {errors:?}");
        assert!(errors[5] < 2.5 * best, "{rows}: {errors:?}");
        assert!(
            rows == 150 || errors[5] < 0.5 * errors[4],
            "{rows}: {errors:?}"
        );
    }
    let (log, _) = simulated(150, &mut Seed::new(4).stream(0));
    let fit = over_three().switch_among(taus).fit(&log).unwrap();
    assert!(fit.switch().unwrap().chosen && fit.to_string().contains("chosen by the data"));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(32) })]
    #[test]
    fn what_must_hold_for_any_log(draw in 0_u64..10_000, rows in 20_usize..120) {
        let mut stream = Seed::new(5).stream(draw);
        let (log, _) = simulated(rows, &mut stream);
        let fit = over_three().switch(3.0).shrink(2.0).fit(&log).unwrap();
        // At the ends the thresholds give DR or the model alone.
        let ends = over_three().switch(1e12).shrink(1e12).fit(&log).unwrap();
        let none = over_three().switch(1e-12).shrink(1e-12).fit(&log).unwrap();
        let at = |fit: &OffPolicyFit, name: &str| fit.coefficient(name).unwrap().estimate;
        let (dr, dm) = (at(&fit, "DR"), at(&fit, "DM"));
        for name in ["SWITCH_DR", "DRos"] {
            assert!((at(&ends, name) - dr).abs() < 1e-9 && (at(&none, name) - dm).abs() < 1e-9);
        }
        assert!((at(&ends, "SWITCH") - at(&fit, "IPS")).abs() < 1e-12);
        assert!((at(&none, "SWITCH") - dm).abs() < 1e-12);
        // Rewards and predictions on another scale are values on that scale.
        let scaled = ["r", "m0", "m1", "m2"]
            .iter()
            .fold(log.clone(), |frame, name| {
                let values = frame
                    .real(name)
                    .unwrap()
                    .iter()
                    .map(|v| 3.0 * v - 1.0)
                    .collect::<Vec<f64>>();
                frame.replace(name, values).unwrap()
            });
        let scaled = over_three().bounds(-1.0, 2.0).fit(&scaled).unwrap();
        for name in ["SNIPS", "DM", "SNDR", "logged"] {
            let (was, is) = (
                fit.coefficient(name).unwrap(),
                scaled.coefficient(name).unwrap(),
            );
            assert!(
                (is.estimate - 3.0 * was.estimate + 1.0).abs() < 1e-9,
                "{name}"
            );
            assert!((is.std_error - 3.0 * was.std_error).abs() < 1e-9, "{name}");
        }
        // A policy that is the log's own is worth what the log earned.
        let own = over_three().targets(["p0", "p1", "p2"]).fit(&log).unwrap();
        assert!((at(&own, "IPS") - at(&own, "logged")).abs() < 1e-12);
        assert!((own.effective_rows() - log.rows() as f64).abs() < 1e-9);
        assert!(own.linear("IPS - logged").unwrap().std_error < 1e-9);
        // Few columns that were averaged beforehand say the same.
        let value = |i: usize, name: &str| log.real(name).unwrap()[i];
        let code = |i: usize| value(i, "a") as usize;
        let all_rows = 0..log.rows();
        let q = all_rows
            .clone()
            .map(|i| value(i, &format!("q{}", code(i))))
            .collect::<Vec<_>>();
        let mu = all_rows
            .clone()
            .map(|i| value(i, &format!("m{}", code(i))))
            .collect::<Vec<_>>();
        let all = all_rows
            .map(|i| {
                (0..3)
                    .map(|a| value(i, &format!("q{a}")) * value(i, &format!("m{a}")))
                    .sum()
            })
            .collect::<Vec<f64>>();
        let few = log
            .clone()
            .with("q", q)
            .unwrap()
            .with("mu", mu)
            .unwrap()
            .with("m", all)
            .unwrap();
        let few = OffPolicy::new("r", "p", "q")
            .model("m", "mu")
            .fit(&few)
            .unwrap();
        assert!((at(&few, "DR") - dr).abs() < 1e-12 && few.unsupported().is_none());
        assert!(fit.weights_figure().unwrap().to_svg().contains("Weights"));
        let held: u64 = fit.weights().iter().map(|b| b.rows).sum();
        assert_eq!(held as usize, log.rows());
    }
}

#[test]
fn what_a_log_cannot_say_is_said() {
    let (log, _) = simulated(200, &mut Seed::new(6).stream(0));
    let said = |policy: OffPolicy, frame: &Frame| policy.fit(frame).unwrap_err().to_string();
    let put = |name: &str, row: usize, value: f64| {
        let mut values = log.real(name).unwrap().to_vec();
        values[row] = value;
        log.replace(name, values).unwrap()
    };
    for (frame, words) in [
        (put("p", 4, 0.0), ["`p` is 0 in row 5", "above 0"]),
        (put("p", 4, 1.5), ["`p` is 1.5 in row 5", "at most 1"]),
        (put("p", 4, f64::NAN), ["`p` is NaN in row 5", "leave out"]),
        (
            put("q1", 7, -0.1),
            ["`q1` is -0.1 in row 8", "between 0 and 1"],
        ),
        (put("q0", 7, 0.9), ["targets", "in row 8"]),
        (put("p0", 2, 0.95), ["in row 3", "must be"]),
        (put("r", 9, 7.0), ["`r` is 7 in row 10", "bounds"]),
        (put("a", 1, 9.0), ["\"9\" in row 2", "0, 1, 2"]),
    ] {
        let said = said(over_three(), &frame);
        assert!(words.iter().all(|w| said.contains(w)), "{said}");
    }
    let options = [
        over_three().clip(0.0),
        over_three().switch(-1.0),
        over_three().shrink(f64::NAN),
        over_three().level(1.0),
        over_three().bounds(1.0, 1.0),
        over_three().targets(["q0", "q1"]),
        OffPolicy::over_actions("r", "p", "a", ["0", "0"]).targets(["q0", "q1"]),
        OffPolicy::new("r", "p", "q0").switch(2.0),
    ];
    for policy in options {
        assert!(
            matches!(policy.fit(&log), Err(Error::InvalidOption { .. })),
            "{policy:?}"
        );
    }
    let one = log.clone().with("shop", vec!["a"; 200]).unwrap();
    let clustered = over_three().clusters("shop").fit(&one);
    assert!(matches!(
        clustered,
        Err(Error::TooFewClusters { clusters: 1, .. })
    ));
    // The last action is never logged, and the policy wants it.
    let kept: Vec<usize> = (0..200)
        .filter(|i| log.real("a").unwrap()[*i] < 2.0)
        .collect();
    let some = log.take(&kept).unwrap();
    let n = some.rows();
    let chance = some
        .real("p")
        .unwrap()
        .iter()
        .map(|_| 0.5)
        .collect::<Vec<_>>();
    let some = [
        ("p", chance.clone()),
        ("p0", chance.clone()),
        ("p1", chance),
        ("p2", vec![0.0; n]),
    ]
    .into_iter()
    .fold(some, |frame, (name, values)| {
        frame.replace(name, values).unwrap()
    });
    let fit = over_three().fit(&some).unwrap();
    let wanted = some.real("q2").unwrap();
    let share = wanted.iter().sum::<f64>() / n as f64;
    assert!((fit.unsupported().unwrap() - share).abs() < 1e-12);
    assert!(fit.to_string().contains("could not do"), "{fit}");
}

#[test]
fn the_bits_do_not_depend_on_threads() {
    let (log, _) = simulated(40_000, &mut Seed::new(7).stream(0));
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        pool.install(|| over_three().switch(3.0).fit(&log).unwrap())
    };
    assert_eq!(run(1), run(3));
}

#[test]
fn propensities_are_as_small_as_their_squares_allow() {
    let with = |p: f64| {
        let log = Frame::new()
            .with("r", vec![1.0, 0.0, 1.0])
            .unwrap()
            .with("p", vec![p, 0.5, 0.5])
            .unwrap()
            .with("q", vec![1.0, 0.5, 0.5])
            .unwrap();
        OffPolicy::new("r", "p", "q").shrink(10.0).fit(&log)
    };
    for p in [1e-12, 1e-99] {
        let fit = with(p).unwrap();
        // One row has all the weight.
        assert!((fit.effective_rows() - 1.0).abs() < 1e-9);
        assert!((fit.ips().std_error / fit.ips().estimate - 1.0).abs() < 1e-9);
        assert!(fit.estimates().iter().all(|v| v.is_finite()));
    }
    let said = with(1e-200).unwrap_err().to_string();
    assert!(said.contains("`p`") && said.contains("row 1"), "{said}");
}
