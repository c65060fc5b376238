//! Streams of tests and e-values against the papers' definitions, printed examples, simulation and properties.

use crate::support::{fixture, numbers};
use cocreate::numeric::permutation::open_unit;
use cocreate::numeric::special::normal;
use cocreate::prelude::*;
use proptest::prelude::*;
use rand::Rng;

fn levels(mut tests: OnlineFdr, p: &[f64]) -> (Vec<f64>, Vec<f64>) {
    let decisions: Vec<OnlineDecision> = p.iter().map(|p| tests.push("", *p).unwrap()).collect();
    let found = decisions.iter().enumerate().filter(|(_, d)| d.rejected);
    (
        decisions.iter().map(|d| d.level).collect(),
        found.map(|(i, _)| (i + 1) as f64).collect(),
    )
}

#[test]
fn levels_agree_with_the_printed_examples() {
    let values = &fixture("always_valid")["values"]["online"];
    let (sample, shuffled) = (numbers(&values["p_values"]), numbers(&values["shuffled"]));
    let lord = |alpha: f64, wealth: f64| {
        OnlineFdr::lord(alpha)
            .unwrap()
            .initial_wealth(wealth)
            .unwrap()
    };
    let cases = [
        ("lord", lord(0.05, 0.005), &sample),
        ("lord_shuffled", lord(0.1, 0.05), &shuffled),
        ("saffron", OnlineFdr::saffron(0.05).unwrap(), &sample),
        (
            "saffron_shuffled",
            OnlineFdr::saffron(0.1)
                .unwrap()
                .initial_wealth(0.025)
                .unwrap(),
            &shuffled,
        ),
        ("addis", OnlineFdr::addis(0.05).unwrap(), &sample),
    ];
    for (name, tests, p) in cases {
        let theirs = numbers(&values["published"][name]);
        // Nine or ten decimals are printed.
        let digits = if name.starts_with("lord") {
            6e-11
        } else {
            6e-10
        };
        for (i, (ours, theirs)) in levels(tests, p).0.iter().zip(&theirs).enumerate() {
            assert!(
                (ours - theirs).abs() < digits,
                "{name} {i}: {ours} {theirs}"
            );
        }
    }
}

#[test]
fn long_streams_agree_with_counting_anew() {
    let p: Vec<f64> = (1..=300)
        .map(|k| (f64::from(k * 7_919 % 1_009) / 1_009.0).powi(if k % 3 == 0 { 4 } else { 1 }))
        .collect();
    for (name, tests) in [
        ("lord", OnlineFdr::lord(0.1)),
        ("saffron", OnlineFdr::saffron(0.1)),
        ("addis", OnlineFdr::addis(0.1)),
    ] {
        let case = &fixture("always_valid")["values"]["online"]["long"][name];
        let (ours, found) = levels(tests.unwrap(), &p);
        for (i, (a, b)) in ours.iter().zip(numbers(&case["levels"])).enumerate() {
            assert!((a - b).abs() < 1e-12, "{name} {i}: {a} {b}");
        }
        assert_eq!(found, numbers(&case["found"]), "{name}");
    }
}

#[test]
fn calibrators_agree_with_quadrature() {
    for (p, e) in fixture("always_valid")["values"]["calibrator_mixture"]
        .as_object()
        .unwrap()
    {
        let p: f64 = p.parse().unwrap();
        let ours = EValue::from_p_value(p, Calibrator::Mixture)
            .unwrap()
            .value();
        assert!(
            (ours / e.as_f64().unwrap() - 1.0).abs() < 1e-9,
            "{p} {ours} {e}"
        );
    }
}

#[test]
fn the_mixture_is_exact_near_a_p_value_of_one() {
    for u in [1e-9_f64, 2e-4, 5e-3, 0.02] {
        let p = (-u).exp();
        let u = -p.ln();
        let series: f64 = (0..12)
            .scan(0.5, |term, k| {
                let now = *term;
                *term *= u / f64::from(k + 3);
                Some(now)
            })
            .sum();
        let ours = EValue::from_p_value(p, Calibrator::Mixture).unwrap();
        assert!((ours.value() / series - 1.0).abs() < 1e-13, "{u}");
    }
}

/// What decides on one score after the other.
type Decider = Box<dyn FnMut(f64) -> bool>;

/// A rule on p-values of one-sided tests.
fn on_p_values(rule: fn(f64) -> Result<OnlineFdr>) -> Decider {
    let mut tests = rule(0.1).unwrap();
    Box::new(move |score| tests.push("", normal::sf(score)).unwrap().rejected)
}

/// e-LOND on likelihood ratios of a shift of three.
fn on_e_values() -> Decider {
    let mut tests = OnlineFdr::lond(0.1).unwrap();
    Box::new(move |score| {
        tests
            .push_e_value("", (3.0 * score - 4.5).exp())
            .unwrap()
            .rejected
    })
}

/// False discovery rate, power and the error of the first over streams of 300 tests, a fifth of them of effects, whose scores share a part.
fn rates(decider: impl Fn() -> Decider, correlation: f64, null_shift: f64) -> [f64; 3] {
    const RUNS: u64 = 300;
    let runs: Vec<[f64; 2]> = (0..RUNS)
        .map(|run| {
            let mut stream = Seed::new(11).stream(run);
            let mut z = || normal::quantile(open_unit(stream.next_u64()));
            let common = z();
            let mut decide = decider();
            let (mut wrong, mut right) = (0.0, 0.0);
            for i in 0..300 {
                let effect = i % 5 == 3;
                let shift = if effect { 3.5 } else { null_shift };
                let score = shift + correlation.sqrt() * common + (1.0 - correlation).sqrt() * z();
                let found = f64::from(decide(score));
                if effect {
                    right += found;
                } else {
                    wrong += found;
                }
            }
            [wrong / f64::max(wrong + right, 1.0), right / 60.0]
        })
        .collect();
    let mean = |j: usize| runs.iter().map(|r| r[j]).sum::<f64>() / RUNS as f64;
    let rate = mean(0);
    let squares: f64 = runs.iter().map(|r| (r[0] - rate).powi(2)).sum();
    [rate, mean(1), squares.sqrt() / RUNS as f64]
}

#[test]
fn the_false_discovery_rate_is_held_under_the_dependence_claimed() {
    let [lord, saffron, addis, lond] = [
        OnlineFdr::lord,
        OnlineFdr::saffron,
        OnlineFdr::addis,
        OnlineFdr::lond,
    ];
    let cases: [(&str, Box<dyn Fn() -> Decider>, f64); 6] = [
        (
            "LORD++, independent",
            Box::new(move || on_p_values(lord)),
            0.0,
        ),
        (
            "SAFFRON, independent",
            Box::new(move || on_p_values(saffron)),
            0.0,
        ),
        (
            "ADDIS, independent",
            Box::new(move || on_p_values(addis)),
            0.0,
        ),
        (
            "LOND, independent",
            Box::new(move || on_p_values(lond)),
            0.0,
        ),
        (
            "LOND, positive dependence",
            Box::new(move || on_p_values(lond)),
            0.5,
        ),
        ("e-LOND, dependent", Box::new(on_e_values), 0.5),
    ];
    let mut power = vec![];
    for (name, decider, correlation) in cases {
        let [rate, found, error] = rates(decider, correlation, 0.0);
        println!("{name}: false discovery rate {rate:.4} ± {error:.4}, power {found:.3}");
        assert!(rate <= 0.1 + 3.0 * error, "{name} {rate}");
        power.push(found);
    }
    // Adaptive rules find more than LORD++, and that more than LOND.
    assert!(power[1] > power[0] && power[0] > power[3], "{power:?}");
    // With conservative nulls ADDIS finds more than SAFFRON.
    let [saffron_rate, addis_rate] =
        [saffron, addis].map(|rule| rates(|| on_p_values(rule), 0.0, -1.5));
    println!("conservative nulls: SAFFRON {saffron_rate:?}, ADDIS {addis_rate:?}");
    assert!(addis_rate[1] > saffron_rate[1] + 0.05 && addis_rate[0] <= 0.1);
    // Each test at 0.05, as if it were the only one, does not hold the rate; nor does SAFFRON where tests share most of their noise, which it does not claim.
    let [naive, _, error] = rates(|| Box::new(|score| normal::sf(score) <= 0.05), 0.0, 0.0);
    println!("each at 0.05: {naive:.4} ± {error:.4}");
    assert!(naive > 0.1 + 10.0 * error);
    let [dependent, _, error] = rates(|| on_p_values(saffron), 0.8, 0.0);
    let [safe, _, _] = rates(on_e_values, 0.8, 0.0);
    println!("correlation 0.8: SAFFRON {dependent:.4} ± {error:.4}, e-LOND {safe:.4}");
    assert!(dependent > 0.1 + 3.0 * error && safe <= 0.1);
}

#[test]
fn e_bh_holds_under_dependence_that_breaks_independence() {
    // Arms that share a control: all z-scores have correlation one half; e-values are likelihood ratios of a shift.
    const RUNS: u64 = 1_000;
    let mut rate = vec![];
    for run in 0..RUNS {
        let mut stream = Seed::new(12).stream(run);
        let mut z = || normal::quantile(open_unit(stream.next_u64()));
        let common = z();
        let e: Vec<EValue> = (0..20)
            .map(|i| {
                let shift = if i < 4 { 3.0 } else { 0.0 };
                let score = shift + (common + z()) * 0.5_f64.sqrt();
                EValue::new((3.0 * score - 4.5).exp()).unwrap()
            })
            .collect();
        let tests = MultipleTests::e_bh((0..20).map(|i| i.to_string()), &e, 0.1).unwrap();
        let wrong = tests.decisions[4..].iter().filter(|d| d.rejected).count() as f64;
        // Brute force: the largest k with the k-th largest e-value at least m/(kα).
        let mut sorted: Vec<f64> = e.iter().map(|e| e.value()).collect();
        sorted.sort_by(|a, b| b.total_cmp(a));
        let k = (1..=20)
            .rev()
            .find(|k| sorted[k - 1] >= 20.0 / (*k as f64 * 0.1))
            .unwrap_or(0);
        assert_eq!(k, tests.rejected());
        rate.push(wrong / f64::max(tests.rejected() as f64, 1.0));
    }
    let mean = rate.iter().sum::<f64>() / RUNS as f64;
    println!("e-BH: false discovery rate {mean:.4}");
    assert!(mean <= 0.1);
}

proptest! {
    #[test]
    fn levels_rise_with_earlier_discoveries(
        p in prop::collection::vec(0.0_f64..1.0, 1..60),
        at in 0_usize..60,
    ) {
        // A smaller p-value earlier never lowers a later level: the rules are monotone, on which their guarantee rests.
        let at = at % p.len();
        let mut smaller = p.clone();
        smaller[at] *= 1e-9;
        for rule in [OnlineFdr::lord, OnlineFdr::saffron, OnlineFdr::addis, OnlineFdr::lond] {
            let (before, _) = levels(rule(0.1).unwrap(), &p);
            let (after, _) = levels(rule(0.1).unwrap(), &smaller);
            // ADDIS is monotone while nothing changes sides of τ.
            if p[at] <= 0.5 {
                prop_assert!(before.iter().zip(&after).all(|(b, a)| a + 1e-15 >= *b), "{before:?} {after:?}");
            }
        }
    }

    #[test]
    fn calibrated_e_values_are_weaker_and_fall(p in 1e-12_f64..1.0, q in 1e-12_f64..1.0) {
        for calibrator in [Calibrator::Power { kappa: 0.3 }, Calibrator::Mixture, Calibrator::Shafer] {
            let of = |p: f64| EValue::from_p_value(p, calibrator).unwrap();
            prop_assert!(of(p).p_value() >= p);
            prop_assert!((p <= q) == (of(p).value() >= of(q).value()) || (p - q).abs() < 1e-12);
        }
    }
}

#[test]
fn products_of_e_values_stop_validly() {
    // Likelihood ratios of a coin of ½ against 0.7, looked at after each toss.
    const RUNS: u64 = 1_000;
    let ratio = [0.6, 1.4];
    let stopped = |heads: f64| {
        (0..RUNS)
            .filter(|run| {
                let mut stream = Seed::new(13).stream(*run);
                let mut evidence = EProcess::new();
                (0..200).any(|_| {
                    let head = usize::from(open_unit(stream.next_u64()) < heads);
                    evidence.push(EValue::new(ratio[head]).unwrap());
                    evidence.rejects(0.05).unwrap()
                })
            })
            .count() as f64
            / RUNS as f64
    };
    let (size, power) = (stopped(0.5), stopped(0.7));
    println!("e-process: size {size}, power {power}");
    assert!(size <= 0.05 + 3.0 * (0.05 * 0.95 / RUNS as f64).sqrt() && power > 0.95);
    let mut ruined = EProcess::new();
    ruined.push(EValue::new(30.0).unwrap());
    ruined.push(EValue::new(0.0).unwrap());
    ruined.push(EValue::new(f64::INFINITY).unwrap());
    assert_eq!((ruined.e_value().value(), ruined.steps()), (0.0, 3));
    assert!(ruined.rejects(0.05).unwrap());
}

#[test]
fn bad_input_is_refused_and_states_survive() {
    let mut tests = OnlineFdr::saffron(0.05).unwrap();
    tests.push("a", 1e-9).unwrap();
    let error = tests.push("b", 1.5).unwrap_err().to_string();
    assert!(
        error.contains("row 2") && error.contains("between 0 and 1"),
        "{error}"
    );
    assert!(tests.push("b", f64::NAN).is_err());
    assert!(tests.push_e_value("b", -1.0).is_err());
    assert!(
        tests
            .clone()
            .candidate(0.3)
            .unwrap_err()
            .to_string()
            .contains("before the first test")
    );
    let mut back: OnlineFdr =
        serde_json::from_str(&serde_json::to_string(&tests).unwrap()).unwrap();
    assert_eq!(
        back.push("c", 0.02).unwrap(),
        tests.push("c", 0.02).unwrap()
    );
    assert!(tests.to_string().contains("SAFFRON") && tests.figure().is_ok());
    assert!(OnlineFdr::lord(0.05).unwrap().figure().is_err());
    assert!(OnlineFdr::lord(1.0).is_err());
    assert!(OnlineFdr::lord(0.05).unwrap().initial_wealth(0.06).is_err());
    assert!(OnlineFdr::lord(0.05).unwrap().candidate(0.3).is_err());
    assert!(OnlineFdr::saffron(0.05).unwrap().discard(0.9).is_err());
    assert!(OnlineFdr::addis(0.05).unwrap().candidate(0.6).is_err());
    assert!(OnlineFdr::addis(0.05).unwrap().discard(0.2).is_err());
    assert!(OnlineFdr::lond(0.05).unwrap().initial_wealth(0.02).is_err());
    assert!(
        EValue::new(-1.0).is_err() && EValue::new(f64::NAN).is_err() && EValue::mean(&[]).is_err()
    );
    assert!(EValue::from_p_value(1.1, Calibrator::Shafer).is_err());
    assert!(EValue::from_p_value(0.1, Calibrator::Power { kappa: 1.0 }).is_err());
    assert!(EProcess::new().rejects(0.0).is_err());
    let infinite = EValue::from_p_value(0.0, Calibrator::Mixture).unwrap();
    let back: EValue = serde_json::from_str(&serde_json::to_string(&infinite).unwrap()).unwrap();
    assert_eq!((back, back.p_value()), (infinite, 0.0));
}
