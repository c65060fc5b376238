//! Attitudes to risk and ambiguity: against independent likelihoods, on simulated subjects, and where it must refuse.

use crate::support::{agree, data, filter, fixture, numbers};
use cocreate::numeric::Seed;
use cocreate::prelude::*;
use proptest::prelude::*;
use rand::RngExt;

fn lottery(name: &str) -> Lottery {
    let column = |kind: &str, i: usize| format!("{name}{kind}{i}");
    Lottery::new((1..=3).map(|i| (column("x", i), column("p", i))))
}

fn ambiguous(name: &str) -> Lottery {
    lottery(name).or((1..=3).map(|i| format!("{name}q{i}")))
}

fn frame(all: bool) -> Frame {
    let frame = data("tests/reference/lotteries.csv");
    let gains = frame.numeric("gains").unwrap();
    let keep: Vec<bool> = gains.values().iter().map(|g| all || *g > 0.5).collect();
    filter(&frame, &keep)
}

fn model(theory: RiskTheory, error: ChoiceError) -> LotteryChoice {
    let of = |name: &str| {
        if theory == RiskTheory::SmoothAmbiguity {
            ambiguous(name)
        } else {
            lottery(name)
        }
    };
    LotteryChoice::new("chose_b ~ 1", of("a"), of("b"), "subject")
        .theory(theory)
        .error(error)
}

#[test]
fn estimates_are_those_of_independent_likelihoods() {
    use ChoiceError::{Contextual, Fechner, Luce};
    use RiskTheory::{ExpectedUtility, ProspectTheory, RankDependent, SmoothAmbiguity};
    let record = fixture("lotteries");
    let tolerance = record["tolerance"].as_f64().unwrap();
    for (name, theory, error, link) in [
        (
            "crra contextual",
            ExpectedUtility(UtilityForm::Crra),
            Contextual,
            LatentError::Normal,
        ),
        (
            "crra fechner",
            ExpectedUtility(UtilityForm::Crra),
            Fechner,
            LatentError::Normal,
        ),
        (
            "crra luce",
            ExpectedUtility(UtilityForm::Crra),
            Luce,
            LatentError::Normal,
        ),
        (
            "expo_power fechner",
            ExpectedUtility(UtilityForm::ExpoPower),
            Fechner,
            LatentError::Logistic,
        ),
        (
            "prelec_two contextual",
            RankDependent(Weighting::PrelecTwo),
            Contextual,
            LatentError::Normal,
        ),
        (
            "prelec fechner",
            RankDependent(Weighting::Prelec),
            Fechner,
            LatentError::Normal,
        ),
        (
            "tversky_kahneman contextual",
            RankDependent(Weighting::TverskyKahneman),
            Contextual,
            LatentError::Normal,
        ),
        (
            "prospect contextual",
            ProspectTheory(Weighting::Prelec),
            Contextual,
            LatentError::Normal,
        ),
        (
            "smooth contextual",
            SmoothAmbiguity,
            Contextual,
            LatentError::Normal,
        ),
    ] {
        let theirs = &record["values"][name];
        let frame = frame(name.starts_with("prospect"));
        let fit = model(theory, error).link(link).fit(&frame).unwrap();
        let value = [fit.statistics().log_likelihood];
        agree(
            &format!("{name} log-likelihood"),
            &value,
            &numbers(&theirs["log_likelihood"]),
            1e-9,
        );
        let errors = |fit: &LotteryChoiceFit| -> Vec<f64> {
            fit.coefficients().iter().map(|c| c.std_error).collect()
        };
        let ratio = |ours: &[f64], key: &str| {
            let theirs = numbers(&theirs[key]);
            let ratios: Vec<f64> = ours.iter().zip(&theirs).map(|(a, b)| a / b).collect();
            agree(
                &format!("{name} {key}"),
                &ratios,
                &vec![1.0; theirs.len()],
                tolerance,
            );
        };
        ratio(fit.estimates().as_slice(), "estimates");
        ratio(&errors(&fit), "clustered");
        ratio(
            &errors(&fit.with_covariance(Covariance::Classical).unwrap()),
            "std_errors",
        );
    }
}

/// Subjects who choose between pairs of a safer and a riskier lottery with several prizes, by expected utility with contextual errors.
fn subjects(seed: Seed, r: f64, mu: f64, subjects: usize) -> Frame {
    let mut random = seed.stream(0);
    let mut columns: Vec<Vec<f64>> = vec![vec![]; 8];
    for subject in 0..subjects {
        for _ in 0..30 {
            let mut draw = || random.random::<f64>();
            let (p, low, safe) = (0.1 + 0.8 * draw(), draw(), 2.0 + 6.0 * draw());
            let high = safe + 1.0 + 10.0 * draw();
            let u = |x: f64| {
                if (r - 1.0).abs() < 1e-9 {
                    x.ln()
                } else {
                    x.powf(1.0 - r) / (1.0 - r)
                }
            };
            let z = (p * u(high) + (1.0 - p) * u(low) - u(safe)) / (u(high) - u(low)) / mu;
            let chance = 1.0 / (1.0 + (-z).exp());
            let risky = f64::from(u8::from(draw() < chance));
            for (column, value) in
                columns
                    .iter_mut()
                    .zip([subject as f64, safe, 1.0, high, low, p, 1.0 - p, risky])
            {
                column.push(value);
            }
        }
    }
    let names = [
        "subject", "safe", "one", "high", "low", "p", "rest", "risky",
    ];
    names
        .iter()
        .zip(columns)
        .fold(Frame::new(), |f, (name, values)| {
            f.with(*name, values).unwrap()
        })
}

fn pair() -> LotteryChoice {
    LotteryChoice::new(
        "risky ~ 1",
        Lottery::new([("safe", "one")]),
        Lottery::new([("high", "p"), ("low", "rest")]),
        "subject",
    )
    .link(LatentError::Logistic)
}

#[test]
fn truths_are_recovered_and_covered() {
    const REPLICATIONS: usize = 300;
    for r in [0.45, 1.2] {
        let study = MonteCarlo::new("Lotteries")
            .replications(REPLICATIONS)
            .seed(20_261_123);
        let found = study
            .run(|seed| {
                let fit = pair()
                    .covariance(Covariance::Classical)
                    .fit(&subjects(seed, r, 0.15, 40))?;
                let mut row = Replication::new();
                for (name, truth) in [("(Intercept)", r), ("ln_mu", 0.15_f64.ln())] {
                    row = row.estimate(name, &fit.coefficient(name)?, truth);
                }
                Ok(row)
            })
            .unwrap();
        println!("{}", found.table());
        assert!(found.failures().is_empty());
        for name in ["(Intercept)", "ln_mu"] {
            let p = found.performance(name).unwrap();
            assert!(
                p.bias.abs() < 0.1 * p.deviation + 3.0 * p.bias_error,
                "{name}: {p:?}"
            );
            assert!(
                (p.coverage - 0.95).abs() < 3.5 * p.coverage_error,
                "{name}: {p:?}"
            );
        }
    }
}

#[test]
fn what_cannot_be_estimated_is_refused() {
    let good = subjects(Seed::new(1), 0.4, 0.2, 10);
    let with = |name: &str, values: Vec<f64>| {
        good.names().iter().fold(Frame::new(), |f, other| {
            let own = good.numeric(other).unwrap().values().to_vec();
            f.with(
                other.clone(),
                if other == name { values.clone() } else { own },
            )
            .unwrap()
        })
    };
    let rows = good.rows();
    let error = |frame: &Frame| pair().fit(frame).unwrap_err();
    // Probabilities that do not sum to one, by row.
    let mut one = vec![1.0; rows];
    one[6] = 0.9;
    let refused = error(&with("one", one));
    assert!(
        matches!(refused, Error::OutOfRange { row: 7, .. })
            && refused.to_string().contains("sum to one"),
        "{refused}"
    );
    let mut rest = good.numeric("rest").unwrap().values().to_vec();
    let mut p = good.numeric("p").unwrap().values().to_vec();
    (rest[2], p[2]) = (-0.2, 1.2);
    let negative = with("rest", rest);
    let negative = negative.names().iter().fold(Frame::new(), |f, name| {
        let own = negative.numeric(name).unwrap().values().to_vec();
        f.with(name.clone(), if name == "p" { p.clone() } else { own })
            .unwrap()
    });
    assert!(matches!(error(&negative), Error::OutOfRange { row: 3, .. }));
    // One lottery is better in every row.
    let refused = error(&with("safe", vec![100.0; rows]));
    assert!(
        matches!(refused, Error::Unidentified { .. }) && refused.to_string().contains("dominates"),
        "{refused}"
    );
    let refused = error(&with("subject", vec![1.0; rows]));
    assert!(
        matches!(refused, Error::TooFewClusters { clusters: 1, .. }),
        "{refused}"
    );
    let refused = error(&with("low", vec![-1.0; rows]));
    assert!(
        matches!(refused, Error::OutOfRange { .. })
            && refused.to_string().contains("prospect theory"),
        "{refused}"
    );
    let prospect = pair()
        .theory(RiskTheory::ProspectTheory(Weighting::Prelec))
        .fit(&good)
        .unwrap_err();
    assert!(prospect.to_string().contains("loss aversion"), "{prospect}");
    let smooth = pair()
        .theory(RiskTheory::SmoothAmbiguity)
        .fit(&good)
        .unwrap_err();
    assert!(
        smooth.to_string().contains("ambiguity aversion"),
        "{smooth}"
    );
    let fit = pair().fit(&good).unwrap();
    assert!(matches!(
        fit.absolute_risk_aversion(0.0),
        Err(Error::InvalidOption { .. })
    ));
    assert!(matches!(
        fit.absolute_ambiguity_aversion(1.0),
        Err(Error::Unidentified { .. })
    ));
}

#[test]
fn fits_are_stored_and_read() {
    let fit = model(RiskTheory::SmoothAmbiguity, ChoiceError::Contextual)
        .fit(&frame(false))
        .unwrap();
    let text = serde_json::to_string(&fit).unwrap();
    let again: LotteryChoiceFit = serde_json::from_str(&text).unwrap();
    assert_eq!(serde_json::to_string(&again).unwrap(), text);
    assert_eq!(again.to_string(), fit.to_string());
    // The outer function over certain payoffs is as averse as u and φ together.
    let (r, alpha) = (fit.estimates()[0], fit.estimates()[1]);
    let outer = |x: f64| -(-alpha * (x.powf(1.0 - r) - 1.0) / (1.0 - r)).exp() / alpha;
    let (x, h) = (5.0, 1e-3);
    let (first, second) = (
        (outer(x + h) - outer(x - h)) / (2.0 * h),
        (outer(x + h) - 2.0 * outer(x) + outer(x - h)) / (h * h),
    );
    let found = fit.absolute_ambiguity_aversion(x).unwrap().estimate;
    assert!(
        (found + second / first).abs() < 1e-5,
        "{found} {}",
        -second / first
    );
    assert!((found >= fit.absolute_risk_aversion(x).unwrap().estimate) == (alpha >= 0.0));
}

/// A pair of one and the same payoff is a toss-up: it says nothing of tastes, and spoils nothing.
#[test]
fn a_pair_without_a_difference_is_a_toss_up() {
    use ChoiceError::{Contextual, Fechner};
    let made = LotteryTasks::new().subjects(20).seed(2).simulate().unwrap();
    let with = |name: &str| {
        let mut values = made.data.numeric(name).unwrap().values().to_vec();
        values.push(match name.as_bytes() {
            [_, b'x', _] => 7.0,
            [_, b'p' | b'q', b'1'] => 1.0,
            _ => 0.0,
        });
        values
    };
    let names = made.data.names().iter();
    let more = names.fold(Frame::new(), |f, name| {
        f.with(name.clone(), with(name)).unwrap()
    });
    for (theory, error) in [
        (RiskTheory::default(), Contextual),
        (RiskTheory::default(), Fechner),
        (RiskTheory::RankDependent(Weighting::Prelec), Contextual),
    ] {
        let model = model(theory, error);
        let fit = |frame: &Frame| model.fit(frame).unwrap();
        let (plain, other) = (fit(&made.data), fit(&more));
        let [before, after] = [&plain, &other].map(|f| f.statistics().log_likelihood);
        assert!(
            (before - after - 2_f64.ln()).abs() < 1e-9,
            "{before} {after}"
        );
        for (a, b) in plain.coefficients().iter().zip(other.coefficients()) {
            assert!(
                (a.estimate - b.estimate).abs() < 1e-6 * a.std_error,
                "{a} {b}"
            );
        }
    }
}

/// What the simulator says of each lottery, by the formulas of its documentation from the columns of the data.
#[test]
fn simulated_choices_follow_their_theory() {
    let plain = LotteryTasks::new().subjects(300);
    let processes = [
        plain.clone(),
        LotteryTasks {
            risk_aversion: 1.0,
            deviation: 0.3,
            ..plain.clone()
        },
        LotteryTasks {
            expo: 0.1,
            weighting: [0.7, 0.9],
            ..plain.clone()
        },
        LotteryTasks {
            risk_aversion: 0.2,
            weighting: [0.7, 1.0],
            loss_aversion: Some(2.0),
            ..plain.clone()
        },
        LotteryTasks {
            ambiguity: 0.8,
            ..plain.clone()
        },
    ];
    for process in processes {
        let made = process.clone().seed(9).simulate().unwrap();
        let column = |frame: &Frame, name: &str| frame.numeric(name).unwrap().values().to_vec();
        let data = |name: String| column(&made.data, &name);
        let oracle = |name: &str| column(&made.oracle.individuals, name);
        let r = oracle("risk_aversion");
        let utility = |x: f64, r: f64| {
            let k = 1.0 - r;
            match process.loss_aversion {
                Some(lambda) if x < 0.0 => -lambda * (-x).powf(k),
                Some(_) => x.powf(k),
                None if process.expo > 0.0 => {
                    (1.0 - (-process.expo * x.powf(k)).exp()) / process.expo
                }
                None if k == 0.0 => x.ln(),
                None => (x.powf(k) - 1.0) / k,
            }
        };
        let [gamma, eta] = process.weighting;
        let weight = |p: f64| {
            if p > 1.0 - 1e-9 {
                1.0
            } else {
                (-eta * (-p.max(1e-300).ln()).powf(gamma)).exp()
            }
        };
        let mut values = vec![];
        for l in ["a", "b"] {
            let of = |kind: &str| [1, 2, 3].map(|i| data(format!("{l}{kind}{i}")));
            let (x, p, q) = (of("x"), of("p"), of("q"));
            let value = |i: usize| {
                let u: Vec<f64> = (0..3).map(|k| utility(x[k][i], r[i])).collect();
                let sum = |p: &[Vec<f64>; 3]| -> f64 { (0..3).map(|k| p[k][i] * u[k]).sum() };
                if process.ambiguity > 0.0 {
                    let of = |v: f64| (-process.ambiguity * v).exp();
                    return -(0.5 * (of(sum(&p)) + of(sum(&q)))).ln() / process.ambiguity;
                }
                // Chances of as much as this or more, and of as little or less.
                let lost = |k: usize| process.loss_aversion.is_some() && x[k][i] < 0.0;
                (0..3)
                    .map(|k| {
                        let others: Vec<usize> = if lost(k) {
                            (k + 1..3).collect()
                        } else {
                            (0..k).collect()
                        };
                        let beyond: f64 = others.iter().map(|j| p[*j][i]).sum();
                        (weight(beyond + p[k][i]) - weight(beyond)) * u[k]
                    })
                    .sum()
            };
            let found = oracle(&format!("value_{l}"));
            for (i, found) in found.iter().enumerate() {
                let exact = value(i);
                assert!(
                    (found - exact).abs() < 1e-9 * (1.0 + exact.abs()),
                    "{process:?} {l} {i}: {found} {exact}"
                );
            }
            values.push(found);
            assert!((0..r.len()).all(|i| x[0][i] >= x[1][i] && x[1][i] >= x[2][i]));
        }
        let chance = oracle("p_b");
        assert!((0..r.len()).all(|i| (chance[i] >= 0.5) == (values[1][i] >= values[0][i])));
        let gap = made.oracle.effect("share_b").unwrap() - made.oracle.effect("mean_p_b").unwrap();
        let spread: f64 = chance.iter().map(|p| p * (1.0 - p)).sum();
        assert!(
            gap.abs() < 4.0 * spread.sqrt() / chance.len() as f64,
            "{gap}"
        );
    }
    let refused = [
        LotteryTasks {
            noise: 0.0,
            ..plain.clone()
        },
        LotteryTasks {
            ambiguity: 1.0,
            loss_aversion: Some(2.0),
            ..plain.clone()
        },
        LotteryTasks {
            weighting: [f64::NAN, 1.0],
            ..plain.clone()
        },
        LotteryTasks {
            tasks: 0,
            ..plain.clone()
        },
        LotteryTasks {
            highest: 1.0,
            ..plain.clone()
        },
    ];
    for process in refused {
        let found = process.seed(1).simulate();
        assert!(matches!(found, Err(Error::InvalidOption { .. })));
    }
    assert!(matches!(plain.simulate(), Err(Error::SeedRequired { .. })));
}

#[cfg(feature = "parallel")]
#[test]
fn simulated_choices_have_the_same_bits_on_any_number_of_threads() {
    let made = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
        let process = LotteryTasks::new().subjects(200).seed(3);
        pool.build()
            .unwrap()
            .install(|| process.simulate().unwrap().data)
    };
    assert_eq!(made(1), made(3));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    /// Another currency changes neither CRRA nor contextual errors, and the lotteries may change places.
    #[test]
    fn currency_and_sides_do_not_matter(seed in 0_u64..500, rate in 0.05_f64..20.0) {
        let frame = subjects(Seed::new(seed), 0.5, 0.15, 20);
        let plain = pair().fit(&frame).unwrap();
        let swapped = frame.names().iter().fold(Frame::new(), |f, name| {
            let own = frame.numeric(name).unwrap();
            let values = own.values().iter();
            let values: Vec<f64> = match name.as_str() {
                "safe" | "high" | "low" => values.map(|v| v * rate).collect(),
                "risky" => values.map(|v| 1.0 - v).collect(),
                _ => values.copied().collect(),
            };
            f.with(name.clone(), values).unwrap()
        });
        let other = LotteryChoice::new("risky ~ 1", Lottery::new([("low", "rest"), ("high", "p")]), Lottery::new([("safe", "one")]), "subject")
            .link(LatentError::Logistic)
            .fit(&swapped)
            .unwrap();
        for (a, b) in plain.coefficients().iter().zip(other.coefficients()) {
            prop_assert!((a.estimate - b.estimate).abs() < 1e-7, "{a} {b}");
            prop_assert!((a.std_error / b.std_error - 1.0).abs() < 1e-6);
        }
        prop_assert!((plain.statistics().log_likelihood - other.statistics().log_likelihood).abs() < 1e-8);
    }
}
