//! Bandits against MABWiser, against the bounds of theory, and their properties.

use super::support::{agree, data, fixture, numbers};
use cocreate::numeric::Seed;
use cocreate::prelude::*;
use proptest::prelude::*;
use rand::RngExt;
use rand_distr::Distribution as _;

fn arms(value: &serde_json::Value) -> Vec<usize> {
    numbers(value).into_iter().map(|a| a as usize).collect()
}

#[test]
fn ucb1_takes_the_path_of_mabwiser() {
    let (theirs, log) = (fixture("bandits"), data("tests/reference/bandits.csv"));
    let reward = |t: usize, arm: usize| log.real(&format!("r{arm}")).unwrap()[t];
    for (name, alpha) in [("ucb1", 1.0), ("ucb_half", 0.5)] {
        let mut bandit = Bandit::new(BanditPolicy::Ucb1 { alpha }, 4);
        let mut path = Vec::new();
        for t in 0..log.rows() {
            let choice = bandit.choose().unwrap();
            assert!(t >= 4 || choice.arm == t);
            assert_eq!(choice.probability, Some(1.0));
            path.push(choice.arm);
            bandit.update(&choice, reward(t, choice.arm)).unwrap();
        }
        assert_eq!(path[4..], arms(&theirs["values"][name]));
    }
}

#[test]
fn linucb_takes_the_path_of_mabwiser() {
    let (theirs, log) = (fixture("bandits"), data("tests/reference/bandits.csv"));
    let mut bandit = ContextualBandit::new(ContextualPolicy::LinUcb { alpha: 0.7 }, 4, 4);
    let mut path = Vec::new();
    for t in 0..log.rows() {
        let x: Vec<f64> = (0..4)
            .map(|j| log.real(&format!("x{j}")).unwrap()[t])
            .collect();
        let choice = bandit.choose(&x).unwrap();
        path.push(choice.arm);
        let reward = log.real(&format!("y{}", choice.arm)).unwrap()[t];
        bandit.update(&choice, &x, reward).unwrap();
    }
    assert_eq!(path[1..], arms(&theirs["values"]["linucb"]));
    let ours: Vec<f64> = (0..4)
        .flat_map(|a| bandit.coefficients(a).to_vec())
        .collect();
    agree(
        "coefficients",
        &ours,
        &numbers(&theirs["values"]["coefficients"]),
        1e-10,
    );
}

#[test]
fn bounds_of_best_arm_identification_are_those_of_scipy() {
    let theirs = numbers(&fixture("bandits")["values"]["bounds"]);
    let ours = [
        BestArm::lower_bound(&[0.5, 0.45, 0.43, 0.4], 0.1).unwrap(),
        BestArm::lower_bound(&[0.9, 0.1], 0.05).unwrap(),
        BestArm::lower_bound(&[0.3, 0.21, 0.2, 0.19, 0.18], 0.01).unwrap(),
    ];
    agree("bounds", &ours, &theirs, 1e-6);
    assert!(
        BestArm::lower_bound(&[0.5, 0.5, 0.1], 0.1)
            .unwrap()
            .is_infinite()
    );
}

fn kl(p: f64, q: f64) -> f64 {
    p * (p / q).ln() + (1.0 - p) * ((1.0 - p) / (1.0 - q)).ln()
}

fn regret(world: &BanditEnvironment, policy: BanditPolicy, rounds: usize) -> Estimate {
    let simulation = BanditSimulation::new(world.clone(), Bandit::new(policy, world.arms()));
    let fit = simulation
        .rounds(rounds)
        .replications(40)
        .seed(5)
        .run()
        .unwrap();
    fit.regret().clone()
}

#[test]
fn regret_keeps_to_the_bounds_of_theory() {
    const ROUNDS: usize = 20_000;
    let means = [0.9, 0.8, 0.7];
    let world = BanditEnvironment::bernoulli(means);
    let log = (ROUNDS as f64).ln();
    let gaps = means[1..].iter().map(|m| means[0] - m);
    // Auer et al. (2002), theorem 1, whose index is ours.
    let upper: f64 = gaps
        .clone()
        .map(|d| 8.0 * log / d + (1.0 + std::f64::consts::PI.powi(2) / 3.0) * d)
        .sum();
    // Lai & Robbins (1985): no consistent policy loses less, at last.
    let least: f64 = means[1..]
        .iter()
        .map(|m| (means[0] - m) / kl(*m, means[0]) * log)
        .sum();
    let ucb = regret(&world, BanditPolicy::ucb1(), ROUNDS);
    let kl_ucb = regret(&world, BanditPolicy::KlUcb, ROUNDS);
    let thompson = regret(&world, BanditPolicy::thompson(), ROUNDS);
    let greedy = regret(
        &world,
        BanditPolicy::DecayingEpsilon { scale: 20.0 },
        ROUNDS,
    );
    let exp3 = regret(&world, BanditPolicy::Exp3 { gamma: 0.02 }, ROUNDS);
    let uniform = regret(&world, BanditPolicy::Uniform, ROUNDS);
    println!("{least:.1} {upper:.1}: {ucb} {kl_ucb} {thompson} {greedy} {exp3} {uniform}");
    assert!(ucb.estimate < upper);
    // Thompson sampling and KL-UCB attain the lower bound: their ratio to it tends to one.
    assert!((0.5..1.5).contains(&(thompson.estimate / least)));
    assert!((0.5..2.0).contains(&(kl_ucb.estimate / least)));
    assert!(kl_ucb.estimate < ucb.estimate && thompson.estimate < kl_ucb.estimate);
    assert!(greedy.estimate < 0.2 * uniform.estimate);
    // Auer et al. (2002b), theorem 3.1: G − E[G] ≤ (e − 1) γ G + K ln K / γ.
    let best = means[0] * ROUNDS as f64;
    assert!(exp3.estimate < 1.72 * 0.02 * best + 3.0 * 3_f64.ln() / 0.02);
    assert!((uniform.estimate - 0.1 * ROUNDS as f64).abs() < 5.0 * uniform.std_error);
}

#[test]
fn context_is_learned_and_change_is_followed() {
    let coefficients = vec![
        vec![0.2, 1.0, 0.0],
        vec![0.0, -0.5, 0.8],
        vec![0.3, 0.0, -0.8],
    ];
    for (policy, world) in [
        (
            ContextualPolicy::LinUcb { alpha: 1.0 },
            BanditEnvironment::linear(coefficients.clone(), 0.5),
        ),
        (
            ContextualPolicy::LinThompson { scale: 0.5 },
            BanditEnvironment::linear(coefficients.clone(), 0.5),
        ),
        (
            ContextualPolicy::LogisticThompson,
            BanditEnvironment::logistic(coefficients),
        ),
    ] {
        let run = |rounds: usize| {
            let bandit = ContextualBandit::new(policy, 3, 3);
            let simulation = BanditSimulation::new(world.clone(), bandit);
            simulation
                .rounds(rounds)
                .replications(20)
                .seed(2)
                .run()
                .unwrap()
                .regret()
                .estimate
        };
        let (short, long) = (run(500), run(2000));
        println!("{policy:?}: {short:.1} {long:.1}");
        // Regret that grew with rounds would be four times as large.
        assert!(long < 2.2 * short, "{policy:?}: {short} {long}");
    }
    let phases = vec![(0, vec![0.7, 0.3]), (1500, vec![0.3, 0.7])];
    let world = BanditEnvironment::switching(phases);
    let after = |bandit: Bandit| {
        let simulation = BanditSimulation::new(world.clone(), bandit);
        let fit = simulation
            .rounds(3000)
            .replications(40)
            .seed(3)
            .run()
            .unwrap();
        fit.regret().estimate
    };
    let plain = Bandit::new(BanditPolicy::thompson(), 2);
    let (all, window, faded) = (
        after(plain.clone()),
        after(plain.clone().window(200)),
        after(plain.discount(0.99)),
    );
    println!("all {all:.0}, window {window:.0}, discount {faded:.0}");
    assert!(window < 0.6 * all && faded < 0.6 * all);
}

#[test]
fn bandits_with_context_follow_a_change_when_they_forget() {
    let at = |round: usize| -> [f64; 2] { [1.0, if round.is_multiple_of(2) { 1.0 } else { -1.0 }] };
    let regret = |bandit: &ContextualBandit| -> f64 {
        let runs: Vec<f64> = (0..30_u64)
            .map(|seed| {
                let mut bandit = bandit.clone().seed(seed);
                let mut noise = Seed::new(seed).stream(5);
                let mut lost = 0.0;
                for round in 0..1200 {
                    let x = at(round);
                    let choice = bandit.choose(&x).unwrap();
                    // Half-way the arms change places.
                    let good = ((choice.arm == 0) == (x[1] > 0.0)) == (round < 600);
                    let chance = if good { 0.8 } else { 0.3 };
                    lost += 0.8 - chance;
                    let reward = f64::from(u8::from(noise.random::<f64>() < chance));
                    bandit.update(&choice, &x, reward).unwrap();
                }
                lost
            })
            .collect();
        runs.iter().sum::<f64>() / runs.len() as f64
    };
    for policy in [
        ContextualPolicy::LinUcb { alpha: 0.5 },
        ContextualPolicy::LinThompson { scale: 0.5 },
        ContextualPolicy::LogisticThompson,
    ] {
        let plain = ContextualBandit::new(policy, 2, 2);
        let all = regret(&plain);
        let window = regret(&plain.clone().window(150));
        let faded = regret(&plain.discount(0.99));
        println!("{policy:?}: all {all:.0}, window {window:.0}, discount {faded:.0}");
        assert!(
            window < 0.7 * all && faded < 0.7 * all,
            "{policy:?}: {all} {window} {faded}"
        );
    }
}

#[test]
fn delays_and_batches_cost_little_and_probabilities_are_those_of_the_draws() {
    const DRAWS: usize = 20_000;
    let world = BanditEnvironment::bernoulli([0.3, 0.5, 0.6]);
    let thompson = Bandit::new(BanditPolicy::thompson(), 3);
    let run = |s: BanditSimulation| {
        s.rounds(2000)
            .replications(60)
            .seed(4)
            .run()
            .unwrap()
            .regret()
            .estimate
    };
    let at_once = run(BanditSimulation::new(world.clone(), thompson.clone()));
    let batched = run(BanditSimulation::new(world.clone(), thompson.clone()).batch(50));
    let late = run(BanditSimulation::new(world.clone(), thompson.clone()).delay(100));
    println!("{at_once:.1} {batched:.1} {late:.1}");
    assert!(batched < at_once + 40.0 && late < at_once + 60.0 && late > at_once - 5.0);
    // Draws follow the probabilities that are told, with floor and top-two too.
    for bandit in [
        thompson.clone(),
        thompson.clone().floor(0.1),
        Bandit::new(BanditPolicy::TopTwo { beta: 0.5 }, 3),
        Bandit::new(
            BanditPolicy::ThompsonGaussian {
                mean: 0.5,
                sd: 1.0,
                noise: 0.5,
            },
            3,
        ),
        Bandit::new(BanditPolicy::ucb1(), 3).floor(0.05),
        Bandit::new(BanditPolicy::Exp3 { gamma: 0.3 }, 3),
    ] {
        let mut bandit = bandit.seed(9);
        for (arm, reward) in [(0, 1.0), (0, 0.0), (1, 1.0), (2, 1.0), (2, 0.0), (2, 1.0)] {
            let choice = BanditChoice {
                arm,
                probability: Some(0.4),
            };
            bandit.update(&choice, reward).unwrap();
        }
        let told = bandit.probabilities().unwrap();
        assert!((told.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        let mut counts = [0.0; 3];
        for _ in 0..DRAWS {
            let choice = bandit.choose().unwrap();
            counts[choice.arm] += 1.0 / DRAWS as f64;
            if let Some(probability) = choice.probability {
                assert!((probability - told[choice.arm]).abs() < 1e-12);
            }
        }
        for (count, told) in counts.iter().zip(&told) {
            let error = (told * (1.0 - told) / DRAWS as f64).sqrt();
            assert!(
                (count - told).abs() < 4.5 * error + 1e-12,
                "{bandit}: {counts:?} {told}"
            );
        }
    }
}

#[test]
fn what_is_logged_is_what_was_played() {
    let world = BanditEnvironment::bernoulli([0.2, 0.6, 0.4]);
    let decaying = Bandit::new(BanditPolicy::DecayingEpsilon { scale: 10.0 }, 3);
    let log = BanditSimulation::new(world.clone(), decaying)
        .rounds(600)
        .seed(11)
        .log(0)
        .unwrap();
    // ε after 599 rewards is 30/600, a third of it for each arm.
    let last: Vec<f64> = ["p0", "p1", "p2"]
        .map(|p| log.real(p).unwrap()[599])
        .to_vec();
    let least = last.iter().copied().fold(1.0, f64::min);
    assert!((least - 0.05 / 3.0).abs() < 1e-12, "{last:?}");
    assert!((last.iter().sum::<f64>() - 1.0).abs() < 1e-12);
    // Before the first rewards of a batch come, UCB1 tries the arms in turn, logged or not.
    let log = BanditSimulation::new(world, Bandit::new(BanditPolicy::ucb1(), 3))
        .rounds(60)
        .batch(6)
        .seed(11)
        .log(0)
        .unwrap();
    assert_eq!(
        log.real("arm").unwrap()[..6],
        [0.0, 1.0, 2.0, 0.0, 1.0, 2.0]
    );
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(24) })]
    #[test]
    fn arms_have_no_order(draw in 0_u64..10_000, turn in 1_usize..4) {
        use rand::RngExt;
        let mut stream = Seed::new(10).stream(draw);
        let history: Vec<(usize, f64)> =
            (0..40).map(|t| (t % 4, f64::from(u8::from(stream.random::<f64>() < 0.4)))).collect();
        for policy in [
            BanditPolicy::thompson(),
            BanditPolicy::TopTwo { beta: 0.6 },
            BanditPolicy::ThompsonGaussian { mean: 0.0, sd: 2.0, noise: 0.7 },
            BanditPolicy::Exp3 { gamma: 0.2 },
        ] {
            let (mut bandit, mut turned) = (Bandit::new(policy, 4), Bandit::new(policy, 4));
            for (arm, reward) in &history {
                let choice = |arm: usize| BanditChoice { arm, probability: Some(0.25) };
                bandit.update(&choice(*arm), *reward).unwrap();
                turned.update(&choice((arm + turn) % 4), *reward).unwrap();
            }
            let (a, b) = (bandit.probabilities().unwrap(), turned.probabilities().unwrap());
            assert!((a.iter().sum::<f64>() - 1.0).abs() < 1e-12);
            for arm in 0..4 {
                assert!((a[arm] - b[(arm + turn) % 4]).abs() < 1e-9, "{policy:?}: {a:?} {b:?}");
            }
        }
    }
}

#[test]
fn the_best_arm_is_found_as_surely_as_promised() {
    const SEARCHES: u64 = 200;
    let means = [0.6, 0.4, 0.3];
    let bound = BestArm::lower_bound(&means, 0.1).unwrap();
    let mut rounds = Vec::new();
    for policy in [
        BestArmPolicy::SuccessiveElimination,
        BestArmPolicy::Lucb,
        BestArmPolicy::TrackAndStop,
    ] {
        let (mut wrong, mut total) = (0, 0);
        for search in 0..SEARCHES {
            use rand::RngExt;
            let mut stream = Seed::new(6).stream(search);
            let mut best = BestArm::new(policy, 3).error(0.1);
            while let Some(arm) = best.next().unwrap() {
                let reward = f64::from(u8::from(stream.random::<f64>() < means[arm]));
                best.update(arm, reward).unwrap();
            }
            wrong += u64::from(best.best() != 0);
            total += best.rounds();
        }
        let mean = total as f64 / SEARCHES as f64;
        println!(
            "{}: {wrong} wrong, {mean:.0} rounds, bound {bound:.0}",
            policy.name()
        );
        // At most δ but for four Monte Carlo errors of 0.021.
        assert!((wrong as f64) < (0.1 + 0.085) * SEARCHES as f64);
        assert!(mean > bound);
        rounds.push(mean);
    }
    // Track-and-stop needs the fewest.
    assert!(rounds[2] < rounds[1] && rounds[2] < rounds[0], "{rounds:?}");
    // Slack ends a search among twins.
    for policy in [BestArmPolicy::SuccessiveElimination, BestArmPolicy::Lucb] {
        let mut best = BestArm::new(policy, 2).slack(0.2);
        let mut flip = false;
        while let Some(arm) = best.next().unwrap() {
            flip = !flip;
            best.update(arm, f64::from(u8::from(flip))).unwrap();
        }
        assert!(best.rounds() < 20_000);
    }
}

#[test]
fn bounds_are_a_change_of_units_and_normal_arms_are_told_apart() {
    // Rewards from −20 to 30 are those from 0 to 1.
    for policy in [
        BestArmPolicy::SuccessiveElimination,
        BestArmPolicy::Lucb,
        BestArmPolicy::TrackAndStop,
    ] {
        let slack = if policy == BestArmPolicy::TrackAndStop {
            0.0
        } else {
            0.02
        };
        let mut unit = BestArm::new(policy, 3).slack(slack);
        let mut wide = BestArm::new(policy, 3)
            .slack(50.0 * slack)
            .bounds(-20.0, 30.0);
        let mut draws = Seed::new(11).stream(0);
        while let Some(arm) = unit.next().unwrap() {
            assert_eq!(wide.next().unwrap(), Some(arm), "{policy:?}");
            let win = draws.random::<f64>() < [0.2, 0.7, 0.4][arm];
            unit.update(arm, f64::from(u8::from(win))).unwrap();
            wide.update(arm, if win { 30.0 } else { -20.0 }).unwrap();
        }
        assert_eq!((wide.next().unwrap(), wide.best()), (None, unit.best()));
        assert!(
            wide.update(0, 31.0)
                .unwrap_err()
                .to_string()
                .contains("from -20 to 30")
                || policy == BestArmPolicy::TrackAndStop
        );
    }
    assert!(
        BestArm::new(BestArmPolicy::Lucb, 2)
            .bounds(1.0, 1.0)
            .next()
            .is_err()
    );
    // Rewards are kept in units of the bounds: others would give them another meaning.
    let mut late = BestArm::new(BestArmPolicy::Lucb, 2);
    late.update(0, 0.9).unwrap();
    let text = late.bounds(0.0, 100.0).next().unwrap_err().to_string();
    assert!(text.contains("before the first reward"), "{text}");
    // Normal rewards: wrong at most so often, and not far from the least number of rounds, whatever the level and the unit.
    let (means, delta) = ([0.0, 0.5, 1.0], 0.1);
    let run = |seed: u64, level: f64, unit: f64| {
        let policy = BestArmPolicy::TrackAndStopGaussian { sd: unit };
        let mut search = BestArm::new(policy, 3).error(delta);
        let mut draws = Seed::new(seed).stream(3);
        while let Some(arm) = search.next().unwrap() {
            let noise: f64 = rand_distr::StandardNormal.sample(&mut draws);
            search
                .update(arm, level + unit * (means[arm] + noise))
                .unwrap();
        }
        (search.best(), search.rounds() as f64)
    };
    let runs: Vec<(usize, f64)> = (0..300).map(|seed| run(seed, 0.0, 1.0)).collect();
    let wrong = runs.iter().filter(|(best, _)| *best != 2).count();
    let mean = runs.iter().map(|(_, rounds)| rounds).sum::<f64>() / runs.len() as f64;
    let bound = BestArm::lower_bound_gaussian(&means, 1.0, delta).unwrap();
    println!("wrong {wrong} of 300; rounds {mean:.0}, at least {bound:.0}");
    assert!(wrong <= 40 && mean > bound && mean < 8.0 * bound);
    assert_eq!(run(5, 0.0, 1.0), run(5, 64.0, 8.0));
    let two = BestArm::lower_bound_gaussian(&[3.0, 5.0], 4.0, 0.05).unwrap();
    assert!(
        (two - 8.0 * 4.0 * (0.9 * 19_f64.ln())).abs() < 1e-6,
        "{two}"
    );
}

#[test]
fn a_replay_is_the_bandit_itself() {
    const LOGS: usize = 60;
    // On a log of uniform choices the replayed value is that of as many rounds played.
    let world = BanditEnvironment::bernoulli([0.2, 0.5, 0.35]);
    let uniform = BanditSimulation::new(world.clone(), Bandit::new(BanditPolicy::Uniform, 3))
        .rounds(3000)
        .seed(8);
    let replay = BanditReplay::new("arm", "reward", ["0", "1", "2"]).propensity("probability");
    let (mut mean, mut rounds) = (0.0, 0.0);
    for r in 0..LOGS {
        let log = uniform.log(r).unwrap();
        let fit = replay
            .run(
                &log,
                Bandit::new(BanditPolicy::thompson(), 3).seed(r as u64),
            )
            .unwrap();
        mean += fit.value().estimate / LOGS as f64;
        rounds += fit.counts().iter().sum::<u64>() as f64 / LOGS as f64;
    }
    let played = BanditSimulation::new(world, Bandit::new(BanditPolicy::thompson(), 3))
        .rounds(1000)
        .replications(200)
        .seed(1);
    let regret = played.run().unwrap();
    let value = 0.5 - regret.regret().estimate / 1000.0;
    println!("replayed {mean:.4} over {rounds:.0} rounds, played {value:.4}");
    assert!((rounds - 1000.0).abs() < 15.0 && (mean - value).abs() < 0.01);
    let log = uniform.log(0).unwrap();
    let skewed = log.replace("probability", vec![0.5; 3000]).unwrap();
    let said = replay
        .run(&skewed, Bandit::new(BanditPolicy::KlUcb, 3))
        .unwrap_err()
        .to_string();
    assert!(
        said.contains("`probability` is 0.5 in row 1") && said.contains("OffPolicy"),
        "{said}"
    );
    assert!(matches!(
        replay.run(&log, Bandit::new(BanditPolicy::KlUcb, 2)),
        Err(Error::InvalidOption { .. })
    ));
}

#[test]
fn the_bits_do_not_depend_on_threads_and_a_stored_bandit_goes_on() {
    let world = BanditEnvironment::bernoulli([0.3, 0.5]);
    let simulation = BanditSimulation::new(world, Bandit::new(BanditPolicy::thompson(), 2))
        .rounds(300)
        .replications(50)
        .seed(7);
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        pool.install(|| simulation.run().unwrap())
    };
    let fit = run(1);
    assert_eq!(fit, run(3));
    assert!(fit.figure().unwrap().to_svg().contains("Regret"));
    let text = serde_json::to_string(&fit).unwrap();
    assert_eq!(
        serde_json::from_str::<BanditSimulationFit>(&text).unwrap(),
        fit
    );
    let mut bandit = Bandit::new(BanditPolicy::thompson(), 3).window(5).seed(1);
    let mut copy = bandit.clone();
    for t in 0..40 {
        let (a, b) = (bandit.choose().unwrap(), copy.choose().unwrap());
        assert_eq!(a, b);
        let reward = f64::from(u8::from(t % 3 == a.arm));
        bandit.update(&a, reward).unwrap();
        copy.update(&b, reward).unwrap();
        let text = serde_json::to_string(&copy).unwrap();
        copy = serde_json::from_str(&text).unwrap();
    }
    assert_eq!(bandit, copy);
    let contextual = ContextualBandit::new(ContextualPolicy::LogisticThompson, 2, 3).seed(4);
    let text = serde_json::to_string(&contextual).unwrap();
    assert_eq!(
        serde_json::from_str::<ContextualBandit>(&text).unwrap(),
        contextual
    );
    let best = BestArm::new(BestArmPolicy::Lucb, 2);
    let text = serde_json::to_string(&best).unwrap();
    assert_eq!(serde_json::from_str::<BestArm>(&text).unwrap(), best);
}

#[test]
fn what_cannot_be_played_is_refused() {
    let option = |result: Result<BanditChoice>| {
        assert!(
            matches!(result, Err(Error::InvalidOption { .. })),
            "{result:?}"
        );
    };
    option(Bandit::new(BanditPolicy::ucb1(), 1).choose());
    option(Bandit::new(BanditPolicy::Ucb1 { alpha: -1.0 }, 2).choose());
    option(
        Bandit::new(BanditPolicy::EpsilonGreedy { epsilon: 1.5 }, 2)
            .seed(1)
            .choose(),
    );
    option(
        Bandit::new(
            BanditPolicy::ThompsonBernoulli {
                successes: 0.0,
                failures: 1.0,
            },
            2,
        )
        .seed(1)
        .choose(),
    );
    option(
        Bandit::new(BanditPolicy::thompson(), 2)
            .floor(0.6)
            .seed(1)
            .choose(),
    );
    option(
        Bandit::new(BanditPolicy::thompson(), 2)
            .discount(0.0)
            .seed(1)
            .choose(),
    );
    option(
        Bandit::new(BanditPolicy::thompson(), 2)
            .window(0)
            .seed(1)
            .choose(),
    );
    option(ContextualBandit::new(ContextualPolicy::LinUcb { alpha: 1.0 }, 2, 3).choose(&[1.0]));
    option(
        ContextualBandit::new(ContextualPolicy::LinUcb { alpha: 1.0 }, 2, 1)
            .ridge(0.0)
            .choose(&[1.0]),
    );
    let unseeded = Bandit::new(BanditPolicy::thompson(), 2).choose();
    assert!(matches!(unseeded, Err(Error::SeedRequired { .. })));
    let mut bandit = Bandit::new(BanditPolicy::ucb1(), 2);
    let said = bandit
        .update(&BanditChoice::of(0), 3.0)
        .unwrap_err()
        .to_string();
    assert!(
        said.contains("`reward` is 3 in row 1") && said.contains("rescale"),
        "{said}"
    );
    assert!(bandit.update(&BanditChoice::of(7), 0.5).is_err());
    let mut exp3 = Bandit::new(BanditPolicy::Exp3 { gamma: 0.1 }, 2);
    assert!(
        exp3.update(&BanditChoice::of(0), 0.5)
            .unwrap_err()
            .to_string()
            .contains("EXP3")
    );
    let mut best = BestArm::new(BestArmPolicy::TrackAndStop, 2);
    assert!(
        best.update(0, 0.5)
            .unwrap_err()
            .to_string()
            .contains("0 or 1")
    );
    let world = BanditEnvironment::bernoulli([0.3, 1.5]);
    let simulation = BanditSimulation::new(world, Bandit::new(BanditPolicy::ucb1(), 2)).seed(1);
    assert!(matches!(simulation.run(), Err(Error::InvalidOption { .. })));
}

#[test]
fn top_two_draws_the_challenger_that_may_be_best_however_sure_the_leader_is() {
    let mut bandit = Bandit::new(BanditPolicy::TopTwo { beta: 0.5 }, 3).seed(1);
    // The second arm has the lower mean but is known less well: if the leader is not best, it is.
    for (arm, rounds, successes) in [(0, 3000, 2700), (1, 60, 36), (2, 1000, 610)] {
        for round in 0..rounds {
            let reward = f64::from(u8::from(round < successes));
            bandit.update(&BanditChoice::of(arm), reward).unwrap();
        }
    }
    let told = bandit.probabilities().unwrap();
    assert!((told[0] - 0.5).abs() < 1e-6 && told[2] < 1e-12, "{told:?}");
    let mut chosen = [0.0; 3];
    for _ in 0..400 {
        chosen[bandit.choose().unwrap().arm] += 1.0;
    }
    // Five standard errors of 400 coins.
    assert!(
        (chosen[0] - 200.0_f64).abs() < 50.0 && chosen[2] <= 0.0,
        "{chosen:?}"
    );
}

#[test]
fn twins_take_as_long_as_their_gap_says() {
    // For a small gap Δ at one half the bound is 2/Δ² (1 + O(Δ)) of `kl(δ, 1 − δ)`, of arms that differ by Δ.
    for gap in [1e-4, 1e-6, 1e-8] {
        let found = BestArm::lower_bound(&[0.5, 0.5 + gap], 0.05).unwrap();
        let expected = 2.0 / (gap * gap) * kl(0.05, 0.95);
        assert!(
            (found / expected - 1.0).abs() < 1e-6 + 2.0 * gap,
            "{gap} {found}"
        );
    }
}

#[test]
fn numbers_that_end_in_nothing_are_refused() {
    let mut exp3 = Bandit::new(BanditPolicy::Exp3 { gamma: 0.1 }, 2).seed(1);
    for probability in [1e-310, 0.049, 1.5, f64::NAN] {
        let forged = BanditChoice {
            arm: 0,
            probability: Some(probability),
        };
        assert!(exp3.update(&forged, 1.0).is_err(), "{probability}");
    }
    assert_eq!(exp3.probabilities().unwrap(), [0.5, 0.5]);
    let new = |policy| ContextualBandit::new(policy, 2, 1).seed(1);
    let scale = new(ContextualPolicy::LinThompson { scale: 0.0 }).choose(&[1.0]);
    assert!(scale.unwrap_err().to_string().contains("scale"));
    let mut bandit = new(ContextualPolicy::LinThompson { scale: 1.0 }).ridge(1e-10);
    assert!(bandit.update(&BanditChoice::of(0), &[1e300], 1.0).is_err());
    // Features so small that predictions have no error: the larger prediction leads.
    bandit.update(&BanditChoice::of(1), &[1.0], 1.0).unwrap();
    assert_eq!(bandit.probabilities(&[1e-200]).unwrap(), [0.0, 1.0]);
}
