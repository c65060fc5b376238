//! Randomisation tests: exact size, agreement with listing by hand, intervals that invert the test.

use cocreate::numeric::blocks;
use cocreate::prelude::*;
use rand::Rng as _;
use rand::rngs::ChaCha8Rng;
use rand_distr::{Distribution as _, StandardNormal};

fn frame(y: &[f64], z: &[u8], group: &[u32]) -> Frame {
    let z: Vec<f64> = z.iter().map(|z| f64::from(*z)).collect();
    let group: Vec<f64> = group.iter().map(|g| f64::from(*g)).collect();
    Frame::new()
        .with("y", y.to_vec())
        .unwrap()
        .with("z", z)
        .unwrap()
        .with("g", group)
        .unwrap()
}

/// The p-value by listing all assignments with a difference in means at least as large.
fn by_hand(y: &[f64], z: &[u8], allowed: impl Fn(&[u8]) -> bool) -> f64 {
    let n = y.len();
    let difference = |z: &[u8]| {
        let mean = |arm: u8| {
            let mine: Vec<f64> = (0..n).filter(|i| z[*i] == arm).map(|i| y[i]).collect();
            mine.iter().sum::<f64>() / mine.len() as f64
        };
        mean(1) - mean(0)
    };
    let observed = difference(z).abs();
    let all: Vec<Vec<u8>> = (1_u32..(1 << n) - 1)
        .map(|set| (0..n).map(|i| (set >> i & 1) as u8).collect())
        .filter(|z: &Vec<u8>| allowed(z))
        .collect();
    let beyond = all
        .iter()
        .filter(|z| difference(z).abs() >= observed - 1e-12)
        .count();
    beyond as f64 / all.len() as f64
}

const Y: [f64; 8] = [3.1, 0.4, 5.0, 2.2, 4.4, 1.9, 6.3, 0.7];
const Z: [u8; 8] = [1, 0, 1, 0, 0, 0, 1, 1];
const G: [u32; 8] = [1, 1, 1, 1, 2, 2, 2, 2];

#[test]
fn listed_assignments_agree_with_hand_work() {
    let data = frame(&Y, &Z, &G);
    let test = |assignment: Assignment| {
        let fit = RandomizationTest::new("y", "z")
            .contrast(Contrast::DifferenceInMeans)
            .assignment(assignment)
            .run(&data)
            .unwrap();
        assert!(fit.exact);
        fit.outcomes[0].p_value
    };
    let count = |z: &[u8]| z.iter().map(|z| usize::from(*z)).sum::<usize>();
    assert!((test(Assignment::Complete) - by_hand(&Y, &Z, |z| count(z) == 4)).abs() < 1e-12);
    assert!((test(Assignment::Bernoulli(0.5)) - by_hand(&Y, &Z, |_| true)).abs() < 1e-12);
    let blocked = by_hand(&Y, &Z, |z| count(&z[..4]) == 2 && count(&z[4..]) == 2);
    assert!((test(Assignment::Blocked("g".to_owned())) - blocked).abs() < 1e-12);
    // Four clusters of two rows: the same as four rows of their means.
    let pairs = frame(&Y, &[1, 1, 0, 0, 1, 1, 0, 0], &[1, 1, 2, 2, 3, 3, 4, 4]);
    let clustered = RandomizationTest::new("y", "z")
        .contrast(Contrast::DifferenceInMeans)
        .assignment(Assignment::Clustered("g".to_owned()))
        .run(&pairs)
        .unwrap();
    let means: Vec<f64> = Y.chunks(2).map(|c| f64::midpoint(c[0], c[1])).collect();
    let hand = by_hand(&means, &[1, 0, 1, 0], |z| count(z) == 2);
    assert_eq!(clustered.units, 4);
    assert!((clustered.outcomes[0].p_value - hand).abs() < 1e-12);
}

#[test]
fn random_assignments_approach_all_of_them() {
    let data = frame(&Y, &Z, &G);
    for contrast in [
        Contrast::Studentized,
        Contrast::RankSum,
        Contrast::KolmogorovSmirnov,
        Contrast::custom(|y, z| {
            let treated = y.iter().zip(z).filter(|(_, z)| **z).map(|(y, _)| *y);
            treated.fold(f64::NEG_INFINITY, f64::max)
        }),
    ] {
        let test = RandomizationTest::new("y", "z").contrast(contrast);
        let all = test.clone().run(&data).unwrap();
        // A given mechanism is never listed.
        let drawn = test
            .assignment(Assignment::custom(|random| {
                let mut z = Z.map(|z| z == 1);
                cocreate::numeric::permutation::shuffle(&mut z, random);
                z.to_vec()
            }))
            .seed(7)
            .run(&data)
            .unwrap();
        assert!(all.exact && !drawn.exact);
        let gap = all.outcomes[0].p_value - drawn.outcomes[0].p_value;
        assert!(gap.abs() < 0.015, "{all}\n{drawn}");
    }
}

#[test]
fn unequal_coins_weigh_the_assignments() {
    let data = frame(&Y[..6], &Z[..6], &G[..6]);
    let test = |draws: usize| {
        let test = RandomizationTest::new("y", "z").contrast(Contrast::DifferenceInMeans);
        let coins = test
            .assignment(Assignment::Bernoulli(0.3))
            .draws(draws)
            .seed(1);
        coins.run(&data).unwrap()
    };
    let (all, drawn) = (test(62), test(61));
    assert!(all.exact && !drawn.exact && all.assignments == 62);
    let many = blocks::map(40, |i| {
        let test = RandomizationTest::new("y", "z").contrast(Contrast::DifferenceInMeans);
        let coins = test
            .assignment(Assignment::Bernoulli(0.3))
            .draws(61)
            .seed(i as u64);
        coins.run(&data).unwrap().outcomes[0].p_value * 62.0 - 1.0
    });
    let mean = many.iter().sum::<f64>() / (40.0 * 61.0);
    assert!(
        (mean - all.outcomes[0].p_value).abs() < 0.04,
        "{mean} {all}"
    );
}

#[test]
fn the_interval_inverts_the_test() {
    let y: Vec<f64> = Y
        .iter()
        .zip(Z)
        .map(|(y, z)| y + 3.0 * f64::from(z))
        .collect();
    for contrast in [
        Contrast::Studentized,
        Contrast::RankSum,
        Contrast::DifferenceInMeans,
    ] {
        let test = RandomizationTest::new("y", "z")
            .contrast(contrast)
            .interval(0.9);
        let run = |y: &[f64]| test.run(&frame(y, &Z, &G)).unwrap().outcomes.remove(0);
        let first = run(&y);
        let interval = first.interval.clone().unwrap();
        for (end, inward) in [(interval.lower, 1e-6), (interval.upper, -1e-6)] {
            let less = |effect: f64| -> Vec<f64> {
                y.iter()
                    .zip(Z)
                    .map(|(y, z)| y - effect * f64::from(z))
                    .collect()
            };
            assert!(run(&less(end + inward)).p_value > 0.1, "{first:?}");
            assert!(run(&less(end - inward)).p_value <= 0.1 + 1e-12, "{first:?}");
        }
        // Adding a constant effect moves the interval by it.
        let moved = run(&Y
            .iter()
            .zip(Z)
            .map(|(y, z)| y + 5.0 * f64::from(z))
            .collect::<Vec<_>>());
        let moved = moved.interval.unwrap();
        assert!((moved.lower - interval.lower - 2.0).abs() < 1e-6);
        assert!((moved.upper - interval.upper - 2.0).abs() < 1e-6);
    }
}

#[test]
fn bad_experiments_are_refused() {
    let good = frame(&Y, &Z, &G);
    let run = |test: RandomizationTest, data: &Frame| test.run(data).unwrap_err();
    let new = || RandomizationTest::new("y", "z");
    let long: Vec<f64> = (0..60).map(f64::from).collect();
    let halves: Vec<u8> = (0..60).map(|i| i % 2).collect();
    let large = frame(&long, &halves, &[1; 60]);
    assert!(matches!(run(new(), &large), Error::SeedRequired { .. }));
    assert!(matches!(
        run(new().draws(3), &good),
        Error::InvalidOption { .. }
    ));
    assert!(matches!(
        run(new().interval(1.5), &good),
        Error::InvalidOption { .. }
    ));
    assert!(matches!(
        run(RandomizationTest::new("y", "g"), &good),
        Error::OutOfRange { row: 5, .. }
    ));
    assert!(matches!(
        run(new(), &frame(&Y, &[1; 8], &G)),
        Error::NoRows { .. }
    ));
    let mut holes = Y;
    holes[2] = f64::NAN;
    assert!(matches!(
        run(new(), &frame(&holes, &Z, &G)),
        Error::NoRows { .. }
    ));
    holes[2] = f64::INFINITY;
    assert!(matches!(
        run(new(), &frame(&holes, &Z, &G)),
        Error::Infinite { row: 3, .. }
    ));
    let clustered = || new().assignment(Assignment::Clustered("g".to_owned()));
    assert!(matches!(run(clustered(), &good), Error::OutOfRange { .. }));
    assert!(matches!(
        run(clustered(), &frame(&Y, &Z, &[1; 8])),
        Error::TooFewClusters { .. }
    ));
    let coin = new().assignment(Assignment::Bernoulli(1.0));
    assert!(matches!(run(coin, &good), Error::InvalidOption { .. }));
    let short = new().assignment(Assignment::custom(|_| vec![true])).seed(1);
    assert!(matches!(run(short, &good), Error::LengthMismatch { .. }));
}

#[test]
fn the_number_of_threads_does_not_matter() {
    let y: Vec<f64> = (0..60).map(|i| f64::from(i).sin()).collect();
    let z: Vec<u8> = (0..60).map(|i| i % 2).collect();
    let data = frame(&y, &z, &[1; 60]);
    let run = || {
        RandomizationTest::new("y", "z")
            .draws(500)
            .seed(7)
            .run(&data)
            .unwrap()
    };
    #[cfg(feature = "parallel")]
    for threads in [1, 7] {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        assert_eq!(pool.install(run), run());
    }
    assert_eq!(run(), run());
}

fn rate(name: &str, count: usize, once: impl Fn(&mut ChaCha8Rng) -> bool + Sync) -> f64 {
    let seed = Seed::new(2026).child(name);
    let hits = blocks::map(count, |i| once(&mut seed.stream(i as u64)));
    let share = hits.iter().filter(|h| **h).count() as f64 / count as f64;
    println!("{name}: {share:.4}");
    share
}

#[test]
fn the_size_is_exact_and_several_outcomes_share_it() {
    // Fourteen rows, heavy tails, all 3432 assignments: the p-value is uniform on multiples of 1/3432 (two-sided: of 2/3432 or so).
    let size = rate("size", 1000, |random| {
        let y: Vec<f64> = (0..10)
            .map(|_| {
                let z: f64 = StandardNormal.sample(random);
                z * z * z
            })
            .collect();
        let mut z = [1, 1, 1, 1, 1, 0, 0, 0, 0, 0];
        cocreate::numeric::permutation::shuffle(&mut z, random);
        let fit = RandomizationTest::new("y", "z")
            .run(&frame(&y, &z, &[1; 10]))
            .unwrap();
        assert_eq!(fit.assignments, 252);
        fit.outcomes[0].p_value <= 0.050_000_1 // 12.6 of 252: the size is 12/252 = 4.76 %
    });
    assert!((size - 12.0 / 252.0).abs() < 0.021, "{size}");
    let familywise = rate("familywise", 1000, |random| {
        let shared: Vec<f64> = (0..30).map(|_| StandardNormal.sample(random)).collect();
        let mut data = Frame::new();
        for k in 0..4 {
            let y: Vec<f64> = shared
                .iter()
                .map(|s| {
                    let own: f64 = StandardNormal.sample(random);
                    (s + own) * f64::from(k + 1)
                })
                .collect();
            data = data.with(format!("y{k}"), y).unwrap();
        }
        let mut z: Vec<f64> = (0..30).map(|i| f64::from(i % 2)).collect();
        cocreate::numeric::permutation::shuffle(&mut z, random);
        let fit = RandomizationTest::new("y0", "z")
            .outcomes(["y1", "y2", "y3"])
            .draws(199)
            .seed(random.next_u64())
            .run(&data.with("z", z).unwrap())
            .unwrap();
        assert!(fit.outcomes.iter().all(|o| o.adjusted >= o.p_value));
        fit.outcomes.iter().any(|o| o.adjusted <= 0.05)
    });
    assert!((familywise - 0.05).abs() < 0.021, "{familywise}");
}

#[test]
fn studentising_protects_the_average_when_effects_differ() {
    // No average effect, but the smaller arm has the larger spread: only the studentised test keeps its size (Wu & Ding 2021).
    let size = |contrast: Contrast| {
        rate("unequal spread", 1000, |random| {
            let mut z = vec![0; 60];
            z[..12].fill(1);
            let y: Vec<f64> = z
                .iter()
                .map(|z| {
                    let e: f64 = StandardNormal.sample(random);
                    if *z == 1 { 4.0 * e } else { e }
                })
                .collect();
            let test = RandomizationTest::new("y", "z")
                .contrast(contrast.clone())
                .draws(199);
            let data = frame(&y, &z, &[1; 60]);
            test.seed(random.next_u64()).run(&data).unwrap().outcomes[0].p_value <= 0.05
        })
    };
    let (plain, studentized) = (
        size(Contrast::DifferenceInMeans),
        size(Contrast::Studentized),
    );
    assert!(plain > 0.15, "{plain}");
    assert!(studentized < 0.09, "{studentized}");
}
