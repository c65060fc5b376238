//! Inference after adaptive assignment: reference values, the bias of sample means, coverage.

use super::support::{agree, data, fixture, numbers};
use cocreate::prelude::*;
use proptest::prelude::*;

fn inference() -> AdaptiveInference {
    AdaptiveInference::new("reward", "arm", ["0", "1", "2"]).probabilities(["p0", "p1", "p2"])
}

fn policy_value() -> AdaptivePolicyValue {
    AdaptivePolicyValue::new("reward", "arm", ["0", "1", "2"], "batch")
        .probabilities(["p0", "p1", "p2"])
        .targets(["q0", "q1", "q2"])
}

#[test]
fn estimates_are_those_of_the_formulas_in_numpy() {
    let (theirs, log) = (fixture("adaptive"), data("tests/reference/adaptive.csv"));
    let values = &theirs["values"];
    let schemes = [
        ("uniform", AdaptiveWeights::Uniform),
        ("constant", AdaptiveWeights::ConstantAllocation),
        ("two_point", AdaptiveWeights::TwoPoint { alpha: 0.7 }),
    ];
    for (name, weights) in schemes {
        let fit = inference().weights(weights).fit(&log).unwrap();
        agree(
            name,
            fit.estimates().as_slice(),
            &numbers(&values[name]["estimate"]),
            1e-10,
        );
        agree(
            name,
            fit.covariance().as_slice(),
            &numbers(&values[name]["covariance"]),
            1e-10,
        );
        let text = serde_json::to_string(&fit).unwrap();
        assert_eq!(
            serde_json::from_str::<AdaptiveInferenceFit>(&text).unwrap(),
            fit
        );
    }
    let fit = policy_value().fit(&log).unwrap();
    let policy = &values["policy"];
    let ours = [
        fit.value().estimate,
        fit.value().std_error,
        fit.unweighted().estimate,
    ];
    let named = ["value", "error", "plain"].map(|k| policy[k].as_f64().unwrap());
    agree("policy", &ours, &named, 1e-10);
    let p: Vec<Vec<f64>> = (0..500)
        .map(|t| {
            (0..3)
                .map(|a| log.real(&format!("p{a}")).unwrap()[t])
                .collect()
        })
        .collect();
    let asked = policy_value()
        .fit_with_policies(&log, |batch, _| p[50 * batch].clone())
        .unwrap();
    assert_eq!(asked, fit);
}

#[test]
fn sample_means_are_biased_by_the_predicted_amount() {
    // Two standard normal arms once each, then the better once more. Of the first arm E[Ȳ] = E[Y/2; better] + E[Y; worse] = 1/(4√π) − 1/(2√π).
    const DRAWS: usize = 40_000;
    let predicted = -0.25 / std::f64::consts::PI.sqrt();
    let world = BanditEnvironment::gaussian([0.0, 0.0], 1.0);
    let greedy = Bandit::new(BanditPolicy::EpsilonGreedy { epsilon: 0.0 }, 2);
    let play = BanditSimulation::new(world, greedy).rounds(3).seed(1);
    let (mut mean, mut square, mut count, mut product) = (0.0, 0.0, 0.0, 0.0);
    for draw in 0..DRAWS {
        let log = play.log(draw).unwrap();
        let fit = AdaptiveInference::new("reward", "arm", ["0", "1"])
            .probabilities(["p0", "p1"])
            .fit(&log)
            .unwrap();
        let first = fit.sample_means()[0].estimate;
        let n = log
            .real("arm")
            .unwrap()
            .iter()
            .filter(|a| **a < 0.5)
            .count() as f64;
        let share = 1.0 / DRAWS as f64;
        mean += share * first;
        square += share * first * first;
        count += share * n;
        product += share * n * first;
    }
    let error = ((square - mean * mean) / DRAWS as f64).sqrt();
    println!(
        "bias {mean:.4} ({error:.4}), predicted {predicted:.4}, by −Cov/E[N] {:.4}",
        -(product - count * mean) / count
    );
    assert!((mean - predicted).abs() < 4.0 * error);
    // The identity of Bowden & Trippa (2017) and Nie et al. (2018): E[N (Ȳ − μ)] = 0.
    assert!((mean + (product - count * mean) / count).abs() < 4.0 * error);
}

#[test]
fn the_identity_of_the_bias_holds_for_bandits() {
    // E[N (Ȳ − μ)] = 0 (Bowden & Trippa 2017; Nie et al. 2018), so that the bias is −Cov(N, Ȳ)/E[N].
    const DRAWS: usize = 3000;
    const ROUNDS: usize = 60;
    let thompson = BanditPolicy::ThompsonGaussian {
        mean: 0.5,
        sd: 1.0,
        noise: 0.5,
    };
    for policy in [BanditPolicy::ucb1(), thompson] {
        let world = BanditEnvironment::bernoulli([0.5, 0.5]);
        let play = BanditSimulation::new(world, Bandit::new(policy, 2).floor(0.02))
            .rounds(ROUNDS)
            .batch(5)
            .seed(2);
        let (mut bias, mut square, mut count, mut product, mut product2) =
            (0.0, 0.0, 0.0, 0.0, 0.0);
        let share = 1.0 / DRAWS as f64;
        for draw in 0..DRAWS {
            let log = play.log(draw).unwrap();
            let own: Vec<f64> = (0..ROUNDS)
                .filter(|t| log.real("arm").unwrap()[*t] < 0.5)
                .map(|t| log.real("reward").unwrap()[t])
                .collect();
            let n = own.len() as f64;
            let off = own.iter().sum::<f64>() / n - 0.5;
            bias += share * off;
            square += share * off * off;
            count += share * n;
            product += share * n * off;
            product2 += share * (n * off).powi(2);
        }
        let predicted = -(product - count * bias) / count;
        let error = (product2 / DRAWS as f64).sqrt() / count;
        let own = ((square - bias * bias) / DRAWS as f64).sqrt();
        println!(
            "{}: bias {bias:.4} ({own:.4}), predicted {predicted:.4} to {error:.4}",
            policy.name()
        );
        assert!((bias - predicted).abs() < 4.0 * error);
        assert!(bias < -5.0 * own && (predicted / bias - 1.0).abs() < 0.25);
    }
}

/// What intervals of an arm did over experiments: share that hold the truth, that lie below it, and above it; mean distance, and mean error.
#[derive(Clone, Copy, Debug, Default)]
struct Record {
    holds: f64,
    below: f64,
    above: f64,
    bias: f64,
    error: f64,
}

#[test]
fn weighted_intervals_cover_and_sample_means_lie_low() {
    // Three equal arms, which Thompson sampling takes turns to drop.
    const EXPERIMENTS: usize = 400;
    let world = BanditEnvironment::gaussian([0.0; 3], 1.0);
    let thompson = Bandit::new(
        BanditPolicy::ThompsonGaussian {
            mean: 0.0,
            sd: 1.0,
            noise: 1.0,
        },
        3,
    )
    .floor(0.01);
    let play = BanditSimulation::new(world, thompson)
        .rounds(1500)
        .batch(50)
        .seed(12);
    let share = 1.0 / (3 * EXPERIMENTS) as f64;
    let mut records = [Record::default(); 4];
    for r in 0..EXPERIMENTS {
        let log = play.log(r).unwrap();
        let schemes = [
            AdaptiveWeights::Uniform,
            AdaptiveWeights::ConstantAllocation,
            AdaptiveWeights::TwoPoint { alpha: 0.7 },
        ];
        let fits = schemes.map(|w| inference().weights(w).fit(&log).unwrap());
        let [a, b, c] = fits.each_ref().map(AdaptiveInferenceFit::coefficients);
        for (record, estimates) in
            records
                .iter_mut()
                .zip([a, b, c, fits[0].sample_means().to_vec()])
        {
            for estimate in estimates {
                let ends = estimate.confidence_interval(0.95).unwrap();
                let (below, above) = (ends.upper < 0.0, ends.lower > 0.0);
                record.below += share * f64::from(u8::from(below));
                record.above += share * f64::from(u8::from(above));
                record.holds += share * f64::from(u8::from(!below && !above));
                record.bias += share * estimate.estimate;
                record.error += share * estimate.std_error;
            }
        }
    }
    let [uniform, constant, two_point, sample] = records;
    println!("{records:#?}");
    // Four Monte Carlo errors of 0.0063, as if the arms of an experiment were independent.
    for record in [uniform, constant, two_point] {
        assert!((record.holds - 0.95).abs() < 0.025, "{record:?}");
    }
    // Uniform weights are unbiased, to four Monte Carlo errors; weighted errors are shorter; sample means are further off than either.
    let monte_carlo = uniform.error / (3.0 * EXPERIMENTS as f64).sqrt();
    assert!(uniform.bias.abs() < 4.0 * monte_carlo, "{uniform:?}");
    assert!(constant.error < 0.9 * uniform.error && two_point.error < 0.95 * uniform.error);
    assert!(
        sample.bias < -8.0 * monte_carlo && sample.bias < 1.5 * two_point.bias,
        "{sample:?}"
    );
    assert!(
        sample.below > sample.above + 0.01 && sample.holds < two_point.holds,
        "{sample:?}"
    );
}

#[test]
fn the_value_of_a_policy_is_covered_when_assignment_follows_context() {
    const EXPERIMENTS: usize = 120;
    const ROUNDS: usize = 500;
    const BATCH: usize = 100;
    let coefficients = vec![vec![0.2, 0.5], vec![0.3, -0.5]];
    // The policy plays the first arm where x > 0, and E[x; x > 0] = 1/√(2π).
    let half = 0.5 / (2.0 * std::f64::consts::PI).sqrt();
    let truth = 0.5 * 0.2 + half + 0.5 * 0.3 + half;
    let (mut covered, mut plain) = (0.0, 0.0);
    for r in 0..EXPERIMENTS {
        let bandit =
            ContextualBandit::new(ContextualPolicy::LinThompson { scale: 1.0 }, 2, 2).floor(0.05);
        let world = BanditEnvironment::linear(coefficients.clone(), 1.0);
        let play = BanditSimulation::new(world, bandit.clone())
            .rounds(ROUNDS)
            .batch(BATCH)
            .seed(30);
        let log = play.log(r).unwrap();
        let column = |name: &str| log.real(name).unwrap().to_vec();
        let (x, arm, reward) = (column("x1"), column("arm"), column("reward"));
        // The bandit again, batch by batch, as whoever ran it would have kept it; its predictions are those of the model before the batch.
        let (mut learner, mut kept, mut predicted) = (bandit, Vec::new(), [Vec::new(), Vec::new()]);
        for t in 0..ROUNDS {
            if t % BATCH == 0 {
                kept.push(learner.clone());
            }
            let before = kept.last().unwrap();
            for (a, predicted) in predicted.iter_mut().enumerate() {
                let c = before.coefficients(a);
                predicted.push(c[0] + c[1] * x[t]);
            }
            learner
                .update(&BanditChoice::of(arm[t] as usize), &[1.0, x[t]], reward[t])
                .unwrap();
        }
        let first: Vec<f64> = x.iter().map(|x| f64::from(u8::from(*x > 0.0))).collect();
        let other: Vec<f64> = first.iter().map(|q| 1.0 - q).collect();
        let batch: Vec<f64> = (0..ROUNDS).map(|t| (t / BATCH) as f64).collect();
        let [m0, m1] = predicted;
        let log = [
            ("q0", first),
            ("q1", other),
            ("batch", batch),
            ("m0", m0),
            ("m1", m1),
        ]
        .into_iter()
        .fold(log, |frame, (name, values)| {
            frame.with(name, values).unwrap()
        });
        let fit = AdaptivePolicyValue::new("reward", "arm", ["0", "1"], "batch")
            .probabilities(["p0", "p1"])
            .targets(["q0", "q1"])
            .predictions(["m0", "m1"])
            .fit_with_policies(&log, |batch, row| {
                kept[batch].probabilities(&[1.0, x[row]]).unwrap()
            })
            .unwrap();
        let holds = |e: &Estimate| {
            let ends = e.confidence_interval(0.95).unwrap();
            f64::from(u8::from(ends.lower <= truth && truth <= ends.upper)) / EXPERIMENTS as f64
        };
        covered += holds(fit.value());
        plain += holds(fit.unweighted());
    }
    println!("coverage {covered:.3}, unweighted {plain:.3}");
    // Four Monte Carlo errors of 0.02, which leave no room above.
    assert!(covered > 0.87 && plain > 0.8, "{covered} {plain}");
}

#[test]
fn a_sequence_covers_at_all_looks_at_once() {
    const EXPERIMENTS: usize = 300;
    let world = BanditEnvironment::bernoulli([0.4, 0.5]);
    let thompson = Bandit::new(BanditPolicy::thompson(), 2).floor(0.1);
    let play = BanditSimulation::new(world, thompson)
        .rounds(600)
        .batch(100)
        .seed(40);
    let (mut sequence, mut single) = (0, 0);
    for r in 0..EXPERIMENTS {
        let fit = AdaptiveInference::new("reward", "arm", ["0", "1"])
            .probabilities(["p0", "p1"])
            .weights(AdaptiveWeights::Uniform)
            .fit(&play.log(r).unwrap())
            .unwrap();
        let found = fit.sequence("0", 0.9, 10).unwrap();
        let spoken = found.looks().iter().filter(|look| look.rows >= 100);
        sequence += usize::from(spoken.clone().any(|look| !look.contains(0.4)));
        // What intervals for one look would have said, taking the last error for that of every round.
        let last = fit.std_error("0").unwrap() * 600_f64.sqrt();
        let far = |look: &ConfidenceLook| {
            (look.estimate - 0.4).abs() > 1.6449 * last / (look.rows as f64).sqrt()
        };
        single += usize::from(spoken.clone().any(far));
        let end = found.looks().last().unwrap();
        assert!((end.estimate - fit.coefficient("0").unwrap().estimate).abs() < 1e-12);
        assert!(end.upper - end.lower > 2.0 * 1.6449 * last / 600_f64.sqrt());
    }
    println!("left by the sequence {sequence}, by single intervals {single} of {EXPERIMENTS}");
    // At most a tenth but for four Monte Carlo errors.
    assert!((sequence as f64) < (0.1 + 0.07) * EXPERIMENTS as f64);
    assert!(single as f64 > 0.2 * EXPERIMENTS as f64);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(24) })]
    #[test]
    fn rewards_on_another_scale_are_means_on_that_scale(r in 0_usize..10_000) {
        let world = BanditEnvironment::gaussian([0.0, 0.3, 0.1], 1.0);
        let bandit = Bandit::new(BanditPolicy::EpsilonGreedy { epsilon: 0.3 }, 3);
        let log = BanditSimulation::new(world, bandit)
            .rounds(120)
            .seed(50)
            .log(r)
            .unwrap();
        let scaled: Vec<f64> = log
            .real("reward")
            .unwrap()
            .iter()
            .map(|y| 2.0 * y)
            .collect();
        let scaled = log.replace("reward", scaled).unwrap();
        for weights in [
            AdaptiveWeights::Uniform,
            AdaptiveWeights::ConstantAllocation,
            AdaptiveWeights::TwoPoint { alpha: 0.5 },
        ] {
            let (a, b) = (
                inference().weights(weights).fit(&log).unwrap(),
                inference().weights(weights).fit(&scaled).unwrap(),
            );
            assert!((b.estimates() - 2.0 * a.estimates()).amax() < 1e-12);
            assert!((b.covariance() - 4.0 * a.covariance()).amax() < 1e-12);
        }
    }
}

#[test]
fn fixed_probabilities_leave_inverse_propensity_scores() {
    // Where probabilities never move, all weights are equal, and with nothing predicted the estimate is that of inverse propensity scores.
    let world = BanditEnvironment::bernoulli([0.2, 0.5, 0.6]);
    let log = BanditSimulation::new(world, Bandit::new(BanditPolicy::Uniform, 3))
        .rounds(400)
        .seed(51)
        .log(0)
        .unwrap();
    let log = log.with("nothing", vec![0.0; 400]).unwrap();
    let fit = |weights| {
        inference()
            .weights(weights)
            .predictions(["nothing"; 3])
            .fit(&log)
            .unwrap()
    };
    let (uniform, constant) = (
        fit(AdaptiveWeights::Uniform),
        fit(AdaptiveWeights::ConstantAllocation),
    );
    assert!((uniform.estimates() - constant.estimates()).amax() < 1e-12);
    let log = log.with("one", vec![1.0; 400]).unwrap();
    let wanted: Vec<f64> = log
        .real("arm")
        .unwrap()
        .iter()
        .map(|a| f64::from(u8::from(*a > 1.5)))
        .collect();
    let off = OffPolicy::new("reward", "probability", "wanted")
        .fit(&log.with("wanted", wanted).unwrap())
        .unwrap();
    assert!((off.ips().estimate - uniform.estimates()[2]).abs() < 1e-12);
}

#[test]
fn what_an_experiment_cannot_say_is_said() {
    let log = data("tests/reference/adaptive.csv");
    let put = |name: &str, row: usize, value: f64| {
        let mut values = log.numeric(name).unwrap().values().to_vec();
        values[row] = value;
        log.replace(name, values).unwrap()
    };
    let own = log.numeric("arm").unwrap().values()[3] as usize;
    let zero = (0..3).fold(put(&format!("p{own}"), 3, 0.0), |frame, a| {
        let mut values = frame.numeric(&format!("p{a}")).unwrap().values().to_vec();
        values[3] = if a == own { 0.0 } else { 0.5 };
        frame.replace(&format!("p{a}"), values).unwrap()
    });
    for (frame, words) in [
        (put("p1", 4, 0.99), ["row 5", "add up"]),
        (put("p1", 4, f64::NAN), ["`p1` is NaN in row 5", "finite"]),
        (
            put("p1", 4, -0.2),
            ["`p1` is -0.2 in row 5", "between 0 and 1"],
        ),
        (zero, ["row 4", "above 0 for the arm that was assigned"]),
        (put("arm", 4, 7.0), ["\"7\" in row 5", "0, 1, 2"]),
        (
            put("reward", 4, 99.0),
            ["`reward` is 99 in row 5", "bounds"],
        ),
    ] {
        let said = inference()
            .bounds(-5.0, 5.0)
            .fit(&frame)
            .unwrap_err()
            .to_string();
        assert!(words.iter().all(|w| said.contains(w)), "{said}");
    }
    let never = [("p0", 0.5), ("p1", 0.5), ("p2", 0.0)]
        .into_iter()
        .fold(log.clone(), |frame, (name, p)| {
            frame.replace(name, vec![p; 500]).unwrap()
        });
    let arm: Vec<f64> = (0..500).map(|t| f64::from(t % 2)).collect();
    let said = inference()
        .fit(&never.replace("arm", arm).unwrap())
        .unwrap_err()
        .to_string();
    assert!(said.contains("arm `2` is not identified"), "{said}");
    // UCB1 has no probabilities between 0 and 1: rounds without one are left out, and the fit says so.
    let world = BanditEnvironment::bernoulli([0.3, 0.5, 0.4]);
    let play = BanditSimulation::new(world, Bandit::new(BanditPolicy::ucb1(), 3))
        .rounds(300)
        .seed(60);
    let sure = play.log(0).unwrap();
    let fit = inference().fit(&sure).unwrap();
    assert!(fit.to_string().contains("had no probability in"), "{fit}");
    assert!(matches!(
        fit.sequence("0", 0.95, 10),
        Err(Error::Unidentified { .. })
    ));
    let uniform = inference().weights(AdaptiveWeights::Uniform).fit(&sure);
    assert!(matches!(uniform, Err(Error::Unidentified { .. })));
    for bad in [
        inference().level(0.0),
        inference().probabilities(["p0"]),
        inference().predictions(["p0"]),
        inference().weights(AdaptiveWeights::TwoPoint { alpha: 1.0 }),
    ] {
        assert!(matches!(bad.fit(&log), Err(Error::InvalidOption { .. })));
    }
    let mixed: Vec<f64> = (0..500).map(f64::from).map(|t| t % 7.0).collect();
    assert!(matches!(
        policy_value().fit(&log.replace("batch", mixed).unwrap()),
        Err(Error::InvalidOption { .. })
    ));
    let halves: Vec<f64> = (0..500).map(|t| f64::from(t / 250)).collect();
    let said = policy_value()
        .fit(&log.replace("batch", halves).unwrap())
        .unwrap_err()
        .to_string();
    assert!(said.contains("first row of its batch"), "{said}");
    let said = policy_value()
        .fit_with_policies(&log, |_, _| vec![0.0; 3])
        .unwrap_err()
        .to_string();
    assert!(
        said.contains("policy of batch 1") && said.contains("floor"),
        "{said}"
    );
}

#[test]
fn an_arm_without_rewards_and_arms_or_targets_that_are_no_list_are_refused() {
    let log = Frame::new()
        .with("y", vec![1.0, 0.5, 0.0, 1.0])
        .unwrap()
        .with("arm", vec!["a"; 4])
        .unwrap()
        .with("pa", vec![0.5; 4])
        .unwrap()
        .with("batch", vec![0.0, 0.0, 1.0, 1.0])
        .unwrap();
    let fit = |arms: [&str; 2]| {
        AdaptiveInference::new("y", "arm", arms)
            .probabilities(["pa", "pa"])
            .fit(&log)
    };
    // Nothing is known of `b`, surely not that its mean is zero without an error.
    let said = fit(["a", "b"]).unwrap_err().to_string();
    assert!(
        said.contains("`b`") && said.contains("never assigned"),
        "{said}"
    );
    let said = fit(["a", "a"]).unwrap_err().to_string();
    assert!(said.contains("`a` twice"), "{said}");
    let twins = BanditReplay::new("arm", "y", ["a", "a"]);
    assert!(
        twins
            .run(&log, Bandit::new(BanditPolicy::ucb1(), 2))
            .is_err()
    );
    let said = AdaptivePolicyValue::new("y", "arm", ["a", "b"], "batch")
        .probabilities(["pa", "pa"])
        .targets(["y", "pa"])
        .fit(&log)
        .unwrap_err()
        .to_string();
    assert!(said.contains("1.5 in row 1"), "{said}");
}
