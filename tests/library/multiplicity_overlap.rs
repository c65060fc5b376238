//! Streams of tests that overlap in time, against their definition counted anew and by simulation.

use cocreate::numeric::Seed;
use cocreate::numeric::permutation::open_unit;
use cocreate::numeric::special::normal;
use cocreate::prelude::*;
use rand::{Rng, RngExt};

/// The levels of LORD* and SAFFRON* by Zrnic, Ramdas & Jordan (2021), counted anew for every test: test t is decided before test `e[t - 1] + 1` starts.
fn asynchronous(p: &[f64], e: &[usize], candidate: Option<f64>) -> Vec<(f64, bool)> {
    let (alpha, wealth) = (0.1, 0.05);
    let gamma = |j: usize| {
        let j = j as f64;
        if candidate.is_some() {
            j.powf(-1.6) / 2.285_765_665_680_129_3
        } else {
            0.077_208_38 * j.max(2.0).ln() / (j * j.ln().sqrt().exp())
        }
    };
    let mut found: Vec<(f64, bool)> = Vec::new();
    for t in 1..=p.len() {
        // Candidates that started after test r and are decided before t.
        let candidates = |r: usize| {
            let after = (r + 1..t).filter(|i| e[i - 1] < t);
            after
                .filter(|i| candidate.is_some_and(|c| p[i - 1] <= c))
                .count()
        };
        let mut known: Vec<usize> = (1..t)
            .filter(|i| found[i - 1].1 && e[i - 1] < t)
            .map(|i| e[i - 1])
            .collect();
        known.sort_unstable();
        let mut level = wealth * gamma(t - candidates(0));
        for (j, r) in known.iter().enumerate() {
            let reward = if j == 0 { alpha - wealth } else { alpha };
            level += reward * gamma(t - r - candidates(*r));
        }
        if let Some(candidate) = candidate {
            level = ((1.0 - candidate) * level).min(candidate);
        }
        found.push((level, p[t - 1] <= level));
    }
    found
}

#[test]
fn tests_that_overlap_have_the_levels_of_their_definition() {
    let mut draws = Seed::new(3).stream(0);
    for lag in [0, 1, 4, 30] {
        let p: Vec<f64> = (0..120)
            .map(|_| {
                let u = open_unit(draws.next_u64());
                if draws.random::<f64>() < 0.4 {
                    u.powi(8)
                } else {
                    u
                }
            })
            .collect();
        let e: Vec<usize> = (1..=p.len())
            .map(|t| t + (draws.random::<f64>() * f64::from(lag) * 1.999) as usize)
            .collect();
        for candidate in [None, Some(0.5)] {
            let mut tests = match candidate {
                None => OnlineFdr::lord(0.1).unwrap(),
                Some(_) => OnlineFdr::saffron(0.1).unwrap(),
            };
            let expected = asynchronous(&p, &e, candidate);
            for t in 1..=p.len() {
                let running = tests.start(format!("{t}"));
                let (level, _) = expected[t - 1];
                assert!(
                    (running.level - level).abs() < 1e-15,
                    "{lag} {t}: {running:?} {level}"
                );
                assert_eq!(running.number, t);
                // The state is all there is.
                let text = serde_json::to_string(&tests).unwrap();
                tests = serde_json::from_str(&text).unwrap();
                for i in (1..=t).filter(|i| e[i - 1] == t) {
                    let decision = tests.finish(i, p[i - 1]).unwrap();
                    assert_eq!(decision.rejected, expected[i - 1].1);
                }
            }
            assert!(tests.rejected() > 5);
            assert_eq!(
                tests.running().len(),
                e.iter().filter(|e| **e > p.len()).count()
            );
        }
    }
    // The decisions of onlineFDR's own tests (LORDstar with w0 = alpha/10): each decided at once, and all at the end.
    let p = [1e-7, 3e-4, 0.1, 5e-4];
    let lord = || {
        OnlineFdr::lord(0.05)
            .unwrap()
            .initial_wealth(0.005)
            .unwrap()
    };
    let (mut at_once, mut at_the_end) = (lord(), lord());
    let one: Vec<bool> = p
        .iter()
        .map(|p| at_once.push("", *p).unwrap().rejected)
        .collect();
    let started: Vec<usize> = p.iter().map(|_| at_the_end.start("").number).collect();
    let other: Vec<bool> = (started.iter().zip(p))
        .map(|(number, p)| at_the_end.finish(*number, p).unwrap().rejected)
        .collect();
    assert_eq!(one, [true, true, false, true]);
    assert_eq!(other, [true, false, false, false]);
    assert!(
        at_the_end
            .finish(2, 0.5)
            .unwrap_err()
            .to_string()
            .contains("running")
    );
    assert!(at_the_end.candidate(0.2).is_err());
}

#[test]
fn tests_that_overlap_keep_the_rate() {
    const STREAMS: usize = 1500;
    const TESTS: usize = 120;
    const LAG: usize = 8;
    for rule in [
        OnlineFdr::lord,
        OnlineFdr::saffron,
        OnlineFdr::addis,
        OnlineFdr::lond,
    ] {
        let mut draws = Seed::new(21).stream(0);
        let (mut rate, mut found) = (0.0, 0.0);
        for _ in 0..STREAMS {
            let mut tests = rule(0.1).unwrap();
            let (mut open, mut wrong) = (Vec::new(), 0.0);
            for t in 0..TESTS {
                let effect = draws.random::<f64>() < 0.3;
                let z =
                    normal::quantile(open_unit(draws.next_u64())) + if effect { 3.0 } else { 0.0 };
                open.push((tests.start("").number, effect, normal::sf(z)));
                while !open.is_empty() && (open.len() > LAG || t + 1 == TESTS) {
                    // Any of those that run may end first.
                    let next = (draws.random::<f64>() * open.len() as f64) as usize;
                    let (number, effect, p) = open.swap_remove(next);
                    let decision = tests.finish(number, p).unwrap();
                    wrong += f64::from(u8::from(decision.rejected && !effect));
                }
            }
            let all = tests.rejected() as f64;
            rate += wrong / all.max(1.0) / STREAMS as f64;
            found += all / STREAMS as f64;
        }
        println!("{}: {rate:.4}, {found:.1} found", rule(0.1).unwrap());
        // Three standard errors, at most, of a mean of shares.
        assert!(rate < 0.1 + 3.0 * 0.15 / (STREAMS as f64).sqrt() && found > 3.0);
    }
}
