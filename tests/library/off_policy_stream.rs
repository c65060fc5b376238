//! Off-policy evaluation from batches, thresholds chosen by mean squared error, and self-normalised slates.

use super::support::{agree, data, fixture};
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
}

fn same(a: &OffPolicyFit, b: &OffPolicyFit, tolerance: f64) {
    assert_eq!(a.names(), b.names());
    agree(
        "values",
        a.estimates().as_slice(),
        b.estimates().as_slice(),
        tolerance,
    );
    let scale = b.covariance().amax();
    assert!((a.covariance() - b.covariance()).amax() <= tolerance * scale);
    let rest = |f: &OffPolicyFit| [f.effective_rows(), f.largest_weight(), f.clipped() as f64];
    agree("rest", &rest(a), &rest(b), tolerance);
    assert_eq!((a.switch(), a.shrinkage()), (b.switch(), b.shrinkage()));
    let rows = |f: &OffPolicyFit| f.weights().iter().map(|b| b.rows).collect::<Vec<_>>();
    assert_eq!(rows(a), rows(b));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(24) })]
    #[test]
    fn batches_in_any_order_are_the_frame(first in 1_usize..399, second in 1_usize..399, shift in prop::sample::select(vec![0.0, 1e7]), clustered in any::<bool>()) {
        let log = data("tests/reference/off_policy.csv");
        // A large mean reward costs no digits of the errors.
        let log = ["reward", "m0", "m1", "m2", "m3"].iter().fold(log, |frame, name| {
            let values: Vec<f64> = frame.real(name).unwrap().iter().map(|v| v + shift).collect();
            frame.replace(name, values).unwrap()
        });
        let mut policy = evaluation().switch_among([f64::INFINITY, 2.0, 1.0]).shrink(5.0).clip(3.0);
        if clustered {
            policy = policy.clusters("customer");
        }
        let (low, high) = (first.min(second), first.max(second));
        let part = |rows: std::ops::Range<usize>| log.take(&rows.collect::<Vec<_>>()).unwrap();
        let stream = || OffPolicyStream::new(policy.clone()).unwrap();
        let (mut one, mut two) = (stream(), stream());
        one.push(&part(high..400)).unwrap();
        two.push(&part(low..high)).unwrap();
        two.push(&part(0..low)).unwrap();
        let text = serde_json::to_string(&two).unwrap();
        let two: OffPolicyStream = serde_json::from_str(&text).unwrap();
        one.merge(&two).unwrap();
        assert_eq!(one.rows(), 400);
        let whole = policy.fit(&log).unwrap();
        same(&one.fit().unwrap(), &whole, if shift > 0.0 { 1e-7 } else { 1e-11 });
        let mut none = stream();
        none.merge(&one).unwrap();
        assert_eq!(none, one);
    }
}

#[test]
fn a_file_is_read_in_pieces() {
    let path = std::env::temp_dir().join(format!("cocreate-{}-rounds.csv", std::process::id()));
    // Actions and customers that look like numbers; a batch is about eight megabytes.
    let rows = 400_000;
    let mut text = "click,p,action,customer,q1,q2,m1,m2\n".to_owned();
    for i in 0..rows {
        let (action, q) = (1 + i % 2, (i % 7) as f64 / 8.0);
        text.extend([format!(
            "{},0.5,{action},{},{q},{},0.25,0.75\n",
            (i / 3) % 2,
            i % 1000,
            1.0 - q
        )]);
    }
    std::fs::write(&path, &text).unwrap();
    let policy = OffPolicy::over_actions("click", "p", "action", ["1", "2"])
        .targets(["q1", "q2"])
        .predictions(["m1", "m2"])
        .clusters("customer");
    let mut stream = OffPolicyStream::new(policy.clone()).unwrap();
    assert_eq!(stream.read_csv(&path).unwrap(), rows);
    let whole = policy.fit(&Frame::read_csv(&path).unwrap()).unwrap();
    same(&stream.fit().unwrap(), &whole, 1e-10);
    // Rows in errors are those of the file, and what is not an action is said with its row.
    let good = format!("{},0.5,1,", (rows - 1) / 3 % 2);
    let said = |bad: &str| {
        let last = text.trim_end().rfind('\n').unwrap() + 1;
        std::fs::write(
            &path,
            format!("{}{bad}3,0.5,0.5,0.25,0.75\n", &text[..last]),
        )
        .unwrap();
        let mut stream = OffPolicyStream::new(policy.clone()).unwrap();
        stream.read_csv(&path).unwrap_err().to_string()
    };
    let place = format!("row {rows}");
    let text = said(&good.replace("0.5", "1.5"));
    assert!(
        text.contains(&place) && text.contains("`p` is 1.5"),
        "{text}"
    );
    let text = said(&good.replace(",1,", ",7,"));
    assert!(text.contains(&place) && text.contains("\"7\""), "{text}");
    std::fs::remove_file(path).unwrap();
}

#[test]
fn a_stream_refuses_what_a_frame_refuses() {
    let log = data("tests/reference/off_policy.csv");
    let mut stream = OffPolicyStream::new(evaluation()).unwrap();
    assert!(matches!(stream.fit(), Err(Error::NoRows { .. })));
    stream.push(&log).unwrap();
    let before = stream.clone();
    let mut bad = log.real("logged").unwrap().to_vec();
    bad[9] = 0.0;
    let bad = log.replace("logged", bad).unwrap();
    assert!(matches!(
        stream.push(&bad),
        Err(Error::OutOfRange { row: 10, .. })
    ));
    assert_eq!(stream, before);
    let other = OffPolicyStream::new(evaluation().clip(2.0)).unwrap();
    assert!(matches!(stream.merge(&other), Err(Error::Matrix { .. })));
    assert!(OffPolicyStream::new(evaluation().clip(-2.0)).is_err());
    let one = log.replace("customer", vec!["a"; 400]).unwrap();
    let mut stream = OffPolicyStream::new(evaluation().clusters("customer")).unwrap();
    stream.push(&one).unwrap();
    assert!(matches!(
        stream.fit(),
        Err(Error::TooFewClusters { clusters: 1, .. })
    ));
}

#[test]
fn a_mean_weight_without_spread_is_said_in_words() {
    let log = |rows: usize| {
        let of = |v: f64| vec![v; rows];
        let frame = Frame::new().with("r", of(1.0)).unwrap();
        frame
            .with("p", of(0.5))
            .unwrap()
            .with("q", of(1.0))
            .unwrap()
    };
    let fit = |rows: usize| OffPolicy::new("r", "p", "q").fit(&log(rows)).unwrap();
    // One row has no error, so that its weight says nothing of the probabilities.
    assert!(fit(1).warnings().is_empty());
    let said = fit(3).to_string();
    assert!(
        said.contains("in every row alike") && !said.contains("inf"),
        "{said}"
    );
}

fn infinite(value: &serde_json::Value) -> f64 {
    value.as_f64().unwrap_or(f64::INFINITY)
}

#[test]
fn thresholds_are_those_that_the_open_bandit_pipeline_chooses() {
    let theirs = fixture("off_policy_tuning");
    let log = data("tests/reference/off_policy.csv");
    let thresholds: Vec<f64> = theirs["values"]["thresholds"]
        .as_array()
        .unwrap()
        .iter()
        .map(infinite)
        .collect();
    for case in theirs["values"]["cases"].as_array().unwrap() {
        let rows = case["rows"].as_u64().unwrap() as usize;
        let some = log.take(&(0..rows).collect::<Vec<_>>()).unwrap();
        let tuning = match case["how"].as_str().unwrap() {
            "slope" => ThresholdTuning::Slope,
            "mse" => ThresholdTuning::Mse,
            _ => ThresholdTuning::MseBound { delta: 0.05 },
        };
        let policy = evaluation()
            .bounds(-2.0, 3.0)
            .tuning(tuning)
            .switch_among(thresholds.iter().copied())
            .shrink_among(thresholds.iter().copied());
        let fit = policy.fit(&some).unwrap();
        let name = case["name"].as_str().unwrap();
        let ours = if name == "DRos" {
            fit.shrinkage()
        } else {
            fit.switch()
        }
        .unwrap();
        assert_eq!(ours.value, infinite(&case["threshold"]), "{case}");
        let value = [case["value"].as_f64().unwrap()];
        agree(
            name,
            &[fit.coefficient(name).unwrap().estimate],
            &value,
            1e-10,
        );
    }
}

#[test]
fn what_a_choice_by_mean_squared_error_needs_is_said() {
    let log = data("tests/reference/off_policy.csv");
    let bound = ThresholdTuning::MseBound { delta: 0.05 };
    let several = evaluation().switch_among([1.0, 2.0]);
    for (policy, word) in [
        (several.clone().tuning(bound), "bounds"),
        (
            several.clone().tuning(ThresholdTuning::Mse).clip(2.0),
            "clip",
        ),
        (
            several
                .clone()
                .bounds(-9.0, 9.0)
                .tuning(ThresholdTuning::MseBound { delta: 1.0 }),
            "delta",
        ),
    ] {
        let said = policy.fit(&log).unwrap_err().to_string();
        assert!(said.contains(word), "{said}");
    }
    // One threshold needs no choice.
    evaluation()
        .switch(2.0)
        .tuning(bound)
        .clip(2.0)
        .fit(&log)
        .unwrap();
    // Without a model the largest residual is the largest reward.
    let few = OffPolicy::new("reward", "logged", "q0")
        .bounds(-2.0, 3.0)
        .tuning(bound);
    assert!(
        few.shrink_among([1.0, 1e9])
            .fit(&log)
            .unwrap()
            .shrinkage()
            .unwrap()
            .chosen
    );
}

/// Two actions with heavy weights; the model is wrong by `bias`. The truth is 0.5.
fn heavy(rows: usize, bias: f64, stream: &mut ChaCha8Rng) -> Frame {
    let mut columns: Vec<Vec<f64>> = vec![Vec::new(); 5];
    for _ in 0..rows {
        let x: f64 = stream.random();
        let p = 0.02 + 0.96 * x; // of the first action; the policy takes it with .9
        let first = stream.random::<f64>() < p;
        let (logged, wanted) = if first { (p, 0.9) } else { (1.0 - p, 0.1) };
        let hit = f64::from(u8::from(stream.random::<f64>() < 0.5));
        for (column, value) in columns
            .iter_mut()
            .zip([hit, logged, wanted, 0.5 + bias, 0.5 + bias])
        {
            column.push(value);
        }
    }
    "r p q m mu"
        .split(' ')
        .zip(columns)
        .fold(Frame::new(), |frame, (name, values)| {
            frame.with(name, values).unwrap()
        })
}

#[test]
fn the_least_mean_squared_error_takes_noise_and_keeps_clear_of_bias() {
    const DRAWS: u64 = 400;
    let lambdas = [f64::INFINITY, 100.0, 10.0, 1.0, 0.1];
    for bias in [0.0, 0.2] {
        let mut errors = [0.0; 7];
        for draw in 0..DRAWS {
            let log = heavy(300, bias, &mut Seed::new(41).stream(draw));
            let policy = || {
                OffPolicy::new("r", "p", "q")
                    .model("m", "mu")
                    .bounds(0.0, 1.0)
            };
            let off = |policy: OffPolicy| {
                let fit = policy.fit(&log).unwrap();
                (fit.coefficient("DRos").unwrap().estimate - 0.5).powi(2) / DRAWS as f64
            };
            for (error, lambda) in errors.iter_mut().zip(lambdas) {
                *error += off(policy().shrink(lambda));
            }
            let among = || policy().shrink_among(lambdas);
            errors[5] += off(among().tuning(ThresholdTuning::Mse));
            errors[6] += off(among().tuning(ThresholdTuning::MseBound { delta: 0.05 }));
        }
        println!("{bias}: {errors:?}");
        let [dr, .., model, least, bound] = errors;
        // The least estimate takes much of the noise where the model is right, and stays near DR where it is not; the bound gives up little of
        // DR, and so wins little.
        assert!(least < 1.1 * dr && bound < 1.1 * dr, "{bias}: {errors:?}");
        if bias > 0.0 {
            assert!(
                least < 0.5 * model && bound < 0.5 * model,
                "{bias}: {errors:?}"
            );
        } else {
            assert!(least < 0.6 * dr, "{bias}: {errors:?}");
        }
    }
}

#[test]
fn self_normalised_slates_are_those_of_the_open_bandit_pipeline() {
    let theirs = &fixture("off_policy_tuning")["values"];
    let log = data("tests/reference/off_policy_slate.csv");
    let (slate, place) = (log.real("slate").unwrap(), log.real("place").unwrap());
    let short: Vec<usize> = (0..log.rows())
        .filter(|i| place[*i] < 2.0 || slate[*i] % 4.0 > 0.0)
        .collect();
    let policy = SlatePolicy::new("slate", "place", "click")
        .standard("p_slate", "q_slate")
        .independent("p_item", "q_item")
        .reward_interaction("p_top", "q_top");
    for (key, log) in [("slate", log.clone()), ("short", log.take(&short).unwrap())] {
        let fit = policy.fit(&log).unwrap();
        for name in ["SN_standard", "SN_independent", "SN_reward_interaction"] {
            let (ours, theirs) = (fit.coefficient(name).unwrap(), &theirs[key][name]);
            agree(
                name,
                &[ours.estimate],
                &[theirs["value"].as_f64().unwrap()],
                1e-12,
            );
            agree(
                name,
                &[ours.std_error],
                &[theirs["error"].as_f64().unwrap()],
                1e-6,
            );
        }
    }
    // Rewards on another scale are values on that scale, which does not hold without normalising.
    let moved: Vec<f64> = log
        .real("click")
        .unwrap()
        .iter()
        .map(|v| 3.0 * v - 1.0)
        .collect();
    let (was, is) = (
        policy.fit(&log).unwrap(),
        policy.fit(&log.replace("click", moved).unwrap()).unwrap(),
    );
    for name in ["SN_standard", "SN_independent", "SN_reward_interaction"] {
        let (was, is) = (
            was.coefficient(name).unwrap(),
            is.coefficient(name).unwrap(),
        );
        assert!(
            (is.estimate - 3.0 * was.estimate + 3.0).abs() < 1e-12
                && (is.std_error - 3.0 * was.std_error).abs() < 1e-12
        );
    }
    // A place at which the policy does nothing that was logged has no mean weight.
    let mut never = log.real("q_item").unwrap().to_vec();
    for (q, place) in never.iter_mut().zip(place) {
        *q = if *place > 1.0 { 0.0 } else { *q };
    }
    let fit = policy.fit(&log.replace("q_item", never).unwrap()).unwrap();
    assert!(fit.coefficient("SN_independent").is_err() && fit.coefficient("independent").is_ok());
    assert!(
        fit.to_string().contains("SN_independent is left out"),
        "{fit}"
    );
}
