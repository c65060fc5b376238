//! Comparisons of arms: size and coverage by simulation, invariances, bad input.

use cocreate::numeric::blocks;
use cocreate::prelude::*;
use proptest::prelude::*;
use rand::rngs::ChaCha8Rng;
use rand_distr::{Distribution as _, Exp1, Poisson as PoissonLaw, StandardNormal};

const ROUNDS: usize = 1000;

/// The share of rounds in which `hit` holds, each with its own stream.
fn share(seed: u64, hit: impl Fn(&mut ChaCha8Rng) -> bool + Sync) -> f64 {
    share_of(ROUNDS, seed, hit)
}

fn share_of(rounds: usize, seed: u64, hit: impl Fn(&mut ChaCha8Rng) -> bool + Sync) -> f64 {
    let hits = blocks::map(rounds, |i| hit(&mut Seed::new(seed).stream(i as u64)));
    hits.into_iter().filter(|h| *h).count() as f64 / rounds as f64
}

/// Within Monte Carlo error (3.3 standard errors: one failure in a thousand seeds) of the nominal, and a margin where the method is asymptotic.
fn near(what: &str, found: f64, nominal: f64, margin: f64) {
    let error = 3.3 * (nominal * (1.0 - nominal) / ROUNDS as f64).sqrt();
    println!("{what}: {found:.4} for {nominal}");
    assert!(
        (found - nominal).abs() < error + margin,
        "{what}: {found} for {nominal}"
    );
}

/// Exact methods may err on the safe side only.
fn at_most(what: &str, found: f64, nominal: f64) {
    let error = 3.3 * (nominal * (1.0 - nominal) / ROUNDS as f64).sqrt();
    println!("{what}: {found:.4} for at most {nominal}");
    assert!(
        found < nominal + error,
        "{what}: {found} for at most {nominal}"
    );
}

fn normals(random: &mut ChaCha8Rng, n: usize, mean: f64, sd: f64) -> Vec<f64> {
    let draw = |_| {
        let z: f64 = StandardNormal.sample(random);
        mean + sd * z
    };
    (0..n).map(draw).collect()
}

fn exponentials(random: &mut ChaCha8Rng, n: usize, scale: f64) -> Vec<f64> {
    let draw = |_| {
        let e: f64 = Exp1.sample(random);
        scale * e
    };
    (0..n).map(draw).collect()
}

fn successes(random: &mut ChaCha8Rng, n: u64, p: f64) -> u64 {
    (0..n)
        .filter(|_| random.next_u64() < (p * u64::MAX as f64) as u64)
        .count() as u64
}

fn covers(fit: &Comparison, effect: &str, truth: f64) -> bool {
    fit.effect(effect).unwrap().set.contains(truth)
}

#[test]
fn tests_of_means_have_their_size_and_intervals_cover() {
    let draw = |r: &mut ChaCha8Rng| (normals(r, 12, 2.0, 3.0), normals(r, 30, 1.0, 1.0));
    let fit = |r: &mut ChaCha8Rng| {
        let (x, y) = draw(r);
        TwoMeans::default().null(1.0).compare(&x, &y).unwrap()
    };
    near(
        "Welch rejects",
        share(1, |r| fit(r).p_value() < 0.05),
        0.05,
        0.005,
    );
    near(
        "Welch covers",
        share(2, |r| covers(&fit(r), "difference in means", 1.0)),
        0.95,
        0.005,
    );
    near(
        "Fieller covers",
        share(3, |r| covers(&fit(r), "ratio of means", 2.0)),
        0.95,
        0.01,
    );
    let equal = |r: &mut ChaCha8Rng| {
        let (x, y) = (normals(r, 9, 0.8, 1.0), normals(r, 15, 0.0, 1.0));
        let test = TwoMeans::default().spread(Spread::Equal).standardized();
        test.compare(&x, &y).unwrap()
    };
    near(
        "Student covers",
        share(4, |r| covers(&equal(r), "difference in means", 0.8)),
        0.95,
        0.0,
    );
    near(
        "Cohen's d covers",
        share(4, |r| covers(&equal(r), "Cohen's d", 0.8)),
        0.95,
        0.0,
    );
    // At the margin two one-sided tests of 5 % reject 5 %.
    let tost = |r: &mut ChaCha8Rng| {
        let (x, y) = (normals(r, 40, 1.0, 1.0), normals(r, 40, 0.0, 1.0));
        let fit = TwoMeans::default()
            .equivalence(-1.0, 1.0)
            .compare(&x, &y)
            .unwrap();
        fit.test("equivalence").unwrap().p_value < 0.05
    };
    near("TOST rejects at the margin", share(6, tost), 0.05, 0.0);
    let paired = |r: &mut ChaCha8Rng| {
        let before = normals(r, 15, 5.0, 4.0);
        let after: Vec<f64> = before
            .iter()
            .zip(normals(r, 15, 0.5, 1.0))
            .map(|(b, d)| b + d)
            .collect();
        covers(
            &PairedMeans::default().compare(&after, &before).unwrap(),
            "mean difference",
            0.5,
        )
    };
    near("the paired interval covers", share(7, paired), 0.95, 0.0);
}

#[test]
fn proportions_and_rates_have_their_size_and_coverage() {
    for test in [
        ProportionTest::Fisher,
        ProportionTest::Barnard,
        ProportionTest::Boschloo,
    ] {
        let reject = share(11, |r| {
            let (x, y) = (successes(r, 12, 0.3), successes(r, 9, 0.3));
            TwoProportions::default()
                .test(test)
                .counts(x, 12, y, 9)
                .unwrap()
                .p_value()
                <= 0.05
        });
        at_most(&test.to_string(), reject, 0.05);
    }
    let score = share(12, |r| {
        let (x, y) = (successes(r, 120, 0.15), successes(r, 150, 0.15));
        TwoProportions::default()
            .counts(x, 120, y, 150)
            .unwrap()
            .p_value()
            < 0.05
    });
    near("the score test rejects", score, 0.05, 0.005);
    for kind in [
        DifferenceInterval::Newcombe,
        DifferenceInterval::Score,
        DifferenceInterval::AgrestiCaffo,
    ] {
        let fit = |r: &mut ChaCha8Rng| {
            let (x, y) = (successes(r, 80, 0.25), successes(r, 60, 0.15));
            TwoProportions::default()
                .difference(kind)
                .counts(x, 80, y, 60)
                .unwrap()
        };
        let name = kind.to_string();
        near(
            &name,
            share(13, |r| covers(&fit(r), "difference in proportions", 0.1)),
            0.95,
            0.01,
        );
    }
    let fit = |r: &mut ChaCha8Rng| {
        let (x, y) = (successes(r, 200, 0.25), successes(r, 200, 0.125));
        TwoProportions::default()
            .odds_ratio(OddsRatioInterval::Exact)
            .counts(x, 200, y, 200)
            .unwrap()
    };
    near(
        "the ratio covers",
        share(14, |r| covers(&fit(r), "ratio of proportions", 2.0)),
        0.95,
        0.006,
    );
    let odds = (0.25 / 0.75) / (0.125 / 0.875);
    at_most(
        "the exact odds ratio misses",
        share(15, |r| !covers(&fit(r), "odds ratio", odds)),
        0.05,
    );
    let miss = share(16, |r| {
        let x = successes(r, 40, 0.1);
        let one = OneProportion::default().interval(ProportionInterval::ClopperPearson);
        !covers(&one.counts(x, 40).unwrap(), "proportion", 0.1)
    });
    at_most("Clopper–Pearson misses", miss, 0.05);
    let events = |r: &mut ChaCha8Rng, mean: f64| -> u64 {
        let y: f64 = PoissonLaw::new(mean).unwrap().sample(r);
        y as u64
    };
    for (kind, exact) in [(RateInterval::Score, false), (RateInterval::Exact, true)] {
        let fit = |r: &mut ChaCha8Rng| {
            let (y, w) = (events(r, 30.0), events(r, 20.0));
            TwoRates::default()
                .interval(kind)
                .counts(y, 100.0, w, 133.0)
                .unwrap()
        };
        let missed = share(17, |r| {
            !covers(&fit(r), "ratio of rates", 0.3 / (20.0 / 133.0))
        });
        if exact {
            at_most("the exact rate ratio misses", missed, 0.05);
        } else {
            near("the rate ratio misses", missed, 0.05, 0.006);
        }
    }
}

#[test]
fn rank_tests_have_their_size_and_intervals_cover() {
    let same =
        |r: &mut ChaCha8Rng, n: usize, m: usize| (exponentials(r, n, 1.0), exponentials(r, m, 1.0));
    let exact = share(21, |r| {
        let (x, y) = same(r, 7, 9);
        MannWhitney::default().compare(&x, &y).unwrap().p_value() <= 0.05
    });
    at_most("exact Mann–Whitney", exact, 0.05);
    let shift = share(22, |r| {
        let (x, y) = same(r, 25, 30);
        let x: Vec<f64> = x.iter().map(|x| x + 0.7).collect();
        covers(
            &MannWhitney::default().compare(&x, &y).unwrap(),
            "shift",
            0.7,
        )
    });
    near("the shift covers", shift, 0.95, 0.006);
    // Exponentials of scale 2 and 1: P(X > Y) = 2/3.
    let fit = |r: &mut ChaCha8Rng| {
        let (x, y) = (exponentials(r, 30, 2.0), exponentials(r, 40, 1.0));
        BrunnerMunzel::default().compare(&x, &y).unwrap()
    };
    near(
        "superiority covers",
        share(23, |r| {
            covers(&fit(r), "probability of superiority", 2.0 / 3.0)
        }),
        0.95,
        0.015,
    );
    // Different spreads, the same centre: the case for which Brunner and Munzel's test is made.
    let spread = share(24, |r| {
        let (x, y) = (normals(r, 20, 0.0, 4.0), normals(r, 40, 0.0, 1.0));
        BrunnerMunzel::default().compare(&x, &y).unwrap().p_value() < 0.05
    });
    near("Brunner–Munzel rejects", spread, 0.05, 0.012);
    let smirnov = share(25, |r| {
        let (x, y) = same(r, 13, 17);
        KolmogorovSmirnov::default()
            .compare(&x, &y)
            .unwrap()
            .p_value()
            <= 0.05
    });
    at_most("exact Kolmogorov–Smirnov", smirnov, 0.05);
    let signed = share(26, |r| {
        let (x, y) = (normals(r, 20, 0.6, 1.0), normals(r, 20, 0.0, 1.0));
        !covers(
            &WilcoxonSignedRank::default().compare(&x, &y).unwrap(),
            "pseudo-median of the differences",
            0.6,
        )
    });
    at_most("the pseudo-median misses", signed, 0.05);
    assert!(signed > 0.02, "{signed}");
    let kruskal = share(27, |r| {
        let (x, y) = same(r, 15, 20);
        let z = exponentials(r, 18, 1.0);
        KruskalWallis::default()
            .compare(&[&x, &y, &z])
            .unwrap()
            .p_value()
            < 0.05
    });
    near("Kruskal–Wallis rejects", kruskal, 0.05, 0.006);
}

#[test]
fn several_arms_have_their_family_wise_size() {
    /// Each takes several probabilities and a quantile of the studentised range.
    const FEW: usize = 250;
    let draw = |r: &mut ChaCha8Rng, sds: [f64; 3]| {
        [(8, sds[0]), (12, sds[1]), (20, sds[2])].map(|(n, sd)| normals(r, n, 1.0, sd))
    };
    let any = |fit: &Comparison| fit.tests.iter().any(|t| t.p_value < 0.05);
    let run = |r: &mut ChaCha8Rng, sds: [f64; 3], test: &dyn Fn(&[&[f64]]) -> Comparison| {
        let arms = draw(r, sds);
        let slices: Vec<&[f64]> = arms.iter().map(Vec::as_slice).collect();
        any(&test(&slices))
    };
    let (equal, unequal) = ([1.0; 3], [3.0, 2.0, 1.0]);
    let anova = share(31, |r| {
        run(r, equal, &|s| Anova::default().compare(s).unwrap())
    });
    near("analysis of variance", anova, 0.05, 0.0);
    let tukey = share_of(FEW, 32, |r| {
        run(r, equal, &|s| TukeyHsd::default().compare(s).unwrap())
    });
    // 3.3 standard errors of .05 over these rounds.
    let error = 3.3 * (0.05 * 0.95 / FEW as f64).sqrt();
    assert!((tukey - 0.05).abs() < error, "{tukey}");
    let welch = share(33, |r| {
        run(r, unequal, &|s| {
            Anova::default().welch().compare(s).unwrap()
        })
    });
    near("Welch's analysis of variance", welch, 0.05, 0.012);
    let games = share_of(FEW, 34, |r| {
        run(r, unequal, &|s| GamesHowell::default().compare(s).unwrap())
    });
    assert!((games - 0.05).abs() < error + 0.012, "{games}");
    // What the unequal variances do to the classical test: the small arm is the wild one.
    let wrong = share(35, |r| {
        run(r, unequal, &|s| Anova::default().compare(s).unwrap())
    });
    assert!(wrong > 0.07, "{wrong}");
    let levene = share(36, |r| {
        run(r, equal, &|s| Levene::default().compare(s).unwrap())
    });
    at_most("Brown–Forsythe", levene, 0.05);
}

fn opposite(alternative: Alternative) -> Alternative {
    match alternative {
        Alternative::TwoSided => Alternative::TwoSided,
        Alternative::Greater => Alternative::Less,
        Alternative::Less => Alternative::Greater,
    }
}

fn same(a: f64, b: f64) -> bool {
    a == b || (a - b).abs() <= 1e-9 * a.abs().max(b.abs()).max(1e-6)
}

fn sample() -> impl Strategy<Value = Vec<f64>> {
    proptest::collection::vec(-50_i32..50, 6..20)
        .prop_map(|v| v.into_iter().map(|i| f64::from(i) / 8.0).collect())
}

fn sides() -> impl Strategy<Value = Alternative> {
    prop_oneof![
        Just(Alternative::TwoSided),
        Just(Alternative::Greater),
        Just(Alternative::Less)
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn swapping_the_arms_turns_the_signs(x in sample(), y in sample(), alternative in sides()) {
        let other = opposite(alternative);
        let tests: [(Result<Comparison>, Result<Comparison>); 4] = [
            (TwoMeans::default().alternative(alternative).compare(&x, &y), TwoMeans::default().alternative(other).compare(&y, &x)),
            (MannWhitney::default().alternative(alternative).compare(&x, &y), MannWhitney::default().alternative(other).compare(&y, &x)),
            (BrunnerMunzel::default().alternative(alternative).compare(&x, &y), BrunnerMunzel::default().alternative(other).compare(&y, &x)),
            (KolmogorovSmirnov::default().alternative(alternative).compare(&x, &y), KolmogorovSmirnov::default().alternative(other).compare(&y, &x)),
        ];
        for (place, (a, b)) in tests.into_iter().enumerate() {
            let (Ok(a), Ok(b)) = (a, b) else { continue };
            prop_assert!(same(a.p_value(), b.p_value()), "{a}\n{b}");
            if place < 2 {
                let (e, f) = (&a.effects[0], &b.effects[0]);
                prop_assert!(same(e.estimate, -f.estimate) && same(e.lower(), -f.upper()) && same(e.upper(), -f.lower()), "{a}\n{b}");
            }
            if place == 2 {
                prop_assert!(same(a.effects[0].lower(), 1.0 - b.effects[0].upper()));
            }
        }
    }

    #[test]
    fn order_shift_and_scale_do_not_matter(x in sample(), y in sample(), shift in -3.0..3.0_f64, scale in 0.1..9.0_f64) {
        let (Ok(a), Ok(_)) = (TwoMeans::default().standardized().compare(&x, &y), BrunnerMunzel::default().compare(&x, &y)) else { return Ok(()) };
        let moved = |v: &[f64]| v.iter().rev().map(|v| scale * v + shift).collect::<Vec<f64>>();
        let (s, t) = (moved(&x), moved(&y));
        let b = TwoMeans::default().standardized().compare(&s, &t).unwrap();
        prop_assert!((a.p_value() - b.p_value()).abs() < 1e-8);
        prop_assert!((scale * a.effects[0].lower() - b.effects[0].lower()).abs() < 1e-8 * scale);
        prop_assert!((a.effect("Cohen's d").unwrap().upper() - b.effect("Cohen's d").unwrap().upper()).abs() < 1e-6);
        let (c, d) = (MannWhitney::default().compare(&x, &y).unwrap(), MannWhitney::default().compare(&x, &moved(&y)).unwrap());
        prop_assert!(c.statistic() >= 0.0 && d.statistic() >= 0.0);
        let anova = Anova::default().compare(&[&x, &y]).unwrap();
        let again = Anova::default().compare(&[&t, &s]).unwrap();
        prop_assert!((anova.p_value() - again.p_value()).abs() < 1e-8);
        // Two arms: F = t².
        let student = TwoMeans::default().spread(Spread::Equal).compare(&x, &y).unwrap();
        prop_assert!((student.statistic().powi(2) - anova.statistic()).abs() < 1e-8 * (1.0 + anova.statistic()));
        prop_assert!((student.p_value() - anova.p_value()).abs() < 1e-8);
        let tukey = TukeyHsd::default().compare(&[&x, &y]).unwrap();
        prop_assert!((student.p_value() - tukey.p_value()).abs() < 1e-8);
        let welch = Anova::default().welch().compare(&[&x, &y]);
        if let Ok(welch) = welch {
            prop_assert!((welch.p_value() - a.p_value()).abs() < 1e-8);
        }
    }

    #[test]
    fn monotone_transformations_leave_rank_tests_alone(x in sample(), y in sample()) {
        let bent = |v: &[f64]| v.iter().map(|v| (v / 4.0).exp()).collect::<Vec<f64>>();
        let (s, t) = (bent(&x), bent(&y));
        for (a, b) in [
            (MannWhitney::default().compare(&x, &y), MannWhitney::default().compare(&s, &t)),
            (BrunnerMunzel::default().compare(&x, &y), BrunnerMunzel::default().compare(&s, &t)),
            (KolmogorovSmirnov::default().compare(&x, &y), KolmogorovSmirnov::default().compare(&s, &t)),
            (KruskalWallis::default().compare(&[&x, &y]), KruskalWallis::default().compare(&[&s, &t])),
        ] {
            prop_assert_eq!(a.is_ok(), b.is_ok());
            if let (Ok(a), Ok(b)) = (a, b) {
                prop_assert!(same(a.statistic(), b.statistic()) && same(a.p_value(), b.p_value()));
            }
        }
    }

    #[test]
    fn tests_and_intervals_agree(x in 0_u64..30, y in 0_u64..40, alternative in sides()) {
        let fit = TwoProportions::default().alternative(alternative).difference(DifferenceInterval::Score).counts(x, 30, y, 40).unwrap();
        if fit.p_value() > 0.051 || fit.p_value() < 0.049 {
            prop_assert_eq!(covers(&fit, "difference in proportions", 0.0), fit.p_value() > 0.05, "{}", fit);
        }
        // Boschloo's test is never less powerful than Fisher's; one-sided its p-value is never larger.
        let fisher = TwoProportions::default().alternative(Alternative::Greater).test(ProportionTest::Fisher).counts(x, 30, y, 40).unwrap();
        let boschloo = TwoProportions::default().alternative(Alternative::Greater).test(ProportionTest::Boschloo).counts(x, 30, y, 40).unwrap();
        prop_assert!(boschloo.p_value() <= fisher.p_value() * (1.0 + 1e-9));
        if x + y > 0 {
            let rates = TwoRates::default().alternative(alternative).counts(x, 3.0, y, 4.0).unwrap();
            if (rates.p_value() - 0.05).abs() > 1e-3 {
                prop_assert_eq!(covers(&rates, "ratio of rates", 1.0), rates.p_value() > 0.05, "{}", rates);
            }
        }
    }
}

fn frame(y: &[f64], arm: &[&str]) -> Frame {
    Frame::new()
        .with("y", y.to_vec())
        .unwrap()
        .with("arm", arm.to_vec())
        .unwrap()
}

#[test]
fn frames_and_slices_agree_and_arms_can_be_chosen() {
    let y = [1.0, 2.5, 4.0, 2.0, 6.0, 5.0, 9.0, f64::NAN, 7.0];
    let arm = ["a", "a", "a", "b", "b", "b", "c", "c", "c"];
    let data = frame(&y, &arm);
    let fit = TwoMeans::new("y", "arm")
        .treatment("c")
        .control("a")
        .fit(&data)
        .unwrap();
    let slices = TwoMeans::default()
        .compare(&[9.0, 7.0], &[1.0, 2.5, 4.0])
        .unwrap();
    assert_eq!(fit.effects, slices.effects);
    assert_eq!(fit.arms[0].name, "c");
    assert!(matches!(
        fit.warnings[0],
        Warning::RowsDropped { dropped: 1, .. }
    ));
    let three = TwoMeans::new("y", "arm")
        .fit(&data)
        .unwrap_err()
        .to_string();
    assert!(
        three.contains("a, b, c") && three.contains("Anova"),
        "{three}"
    );
    let two = frame(&y[..6], &arm[..6]);
    let fit = MannWhitney::new("y", "arm").control("b").fit(&two).unwrap();
    assert_eq!(
        (fit.arms[0].name.as_str(), fit.arms[1].name.as_str()),
        ("a", "b")
    );
    // What is shown and stored.
    let text = fit.to_string();
    assert!(
        text.contains("Mann–Whitney test of y: a − b") && text.contains("Hodges–Lehmann"),
        "{text}"
    );
    assert!(fit.to_html().contains("<table"));
    let stored = serde_json::to_string(&fit).unwrap();
    assert_eq!(serde_json::from_str::<Comparison>(&stored).unwrap(), fit);
    let one_sided = TwoMeans::new("y", "arm")
        .alternative(Alternative::Greater)
        .fit(&two)
        .unwrap();
    let stored = serde_json::to_string(&one_sided).unwrap();
    assert_eq!(
        serde_json::from_str::<Comparison>(&stored).unwrap(),
        one_sided
    );
    assert!(
        fit.effect("shfit")
            .unwrap_err()
            .to_string()
            .contains("`shift`")
    );
    let rates = frame(&[3.0, 0.0, 2.0, 5.0, 4.0, 7.0], &arm[..6])
        .with("days", vec![1.0, 2.0, 1.0, 2.0, 1.0, 2.0])
        .unwrap();
    let fit = TwoRates::new("y", "arm")
        .exposure("days")
        .fit(&rates)
        .unwrap();
    let direct = TwoRates::default().counts(16, 5.0, 5, 4.0).unwrap();
    assert_eq!(fit.effects, direct.effects);
    let wild = frame(&[0.0, 0.0, 90.0, 0.0, 0.0, 70.0], &arm[..6]);
    let warned = TwoRates::new("y", "arm").fit(&wild).unwrap();
    assert!(
        warned
            .warnings
            .iter()
            .any(|w| w.to_string().contains("Poisson's law")),
        "{warned}"
    );
    let clicks = Frame::new()
        .with("before", vec![0.0, 1.0, 1.0, 0.0, f64::NAN])
        .unwrap()
        .with("after", vec![1.0, 1.0, 0.0, 1.0, 1.0])
        .unwrap();
    let fit = McNemar::new("after", "before").fit(&clicks).unwrap();
    assert_eq!(
        fit.tests,
        McNemar::default().counts(1, 2, 1, 0).unwrap().tests
    );
    assert_eq!(fit.warnings.len(), 1);
}

#[test]
fn bad_input_is_refused_with_the_remedy() {
    let (x, y) = ([1.0, 2.0, 3.0], [2.0, 4.0]);
    let new = TwoMeans::default;
    assert!(matches!(new().compare(&[], &y), Err(Error::NoRows { .. })));
    assert!(matches!(
        new().compare(&[1.0], &y),
        Err(Error::Unidentified { .. })
    ));
    assert!(matches!(
        new().compare(&[1.0, 1.0], &[2.0, 2.0]),
        Err(Error::Unidentified { .. })
    ));
    let constant = new().compare(&[1.0, 1.0], &y).unwrap();
    assert!(constant.warnings[0].to_string().contains("are equal"));
    assert!(matches!(
        new().compare(&[1.0, f64::NAN], &y),
        Err(Error::OutOfRange { row: 2, .. })
    ));
    assert!(matches!(
        new().compare(&x, &[1.0, f64::INFINITY]),
        Err(Error::Infinite { row: 2, .. })
    ));
    assert!(matches!(
        new().level(1.0).compare(&x, &y),
        Err(Error::InvalidOption { .. })
    ));
    assert!(matches!(
        new().null(f64::NAN).compare(&x, &y),
        Err(Error::InvalidOption { .. })
    ));
    assert!(matches!(
        new().equivalence(1.0, -1.0).compare(&x, &y),
        Err(Error::InvalidOption { .. })
    ));
    assert!(matches!(
        new().non_inferiority(-1.0).compare(&x, &y),
        Err(Error::InvalidOption { .. })
    ));
    let known = Spread::Known {
        treatment: -1.0,
        control: 1.0,
    };
    assert!(matches!(
        new().spread(known).compare(&x, &y),
        Err(Error::InvalidOption { .. })
    ));
    let single = Spread::Known {
        treatment: 1.0,
        control: 1.0,
    };
    assert!(new().spread(single).compare(&[1.0], &[0.0]).is_ok());
    let zero = new().compare(&x, &[-1.0, 1.0]).unwrap();
    assert!(
        zero.warnings
            .iter()
            .any(|w| w.to_string().contains("is zero"))
            && zero.effect("ratio of means").is_err()
    );
    let data = frame(&[1.0, 2.0, 3.0], &["a", "a", "a"]);
    let one = TwoMeans::new("y", "arm")
        .fit(&data)
        .unwrap_err()
        .to_string();
    assert!(one.contains("only `a`"), "{one}");
    let missing = TwoMeans::new("y", "arm")
        .control("z")
        .fit(&data)
        .unwrap_err()
        .to_string();
    assert!(
        missing.contains("arm of `arm`") && missing.contains(": a"),
        "{missing}"
    );
    assert!(matches!(
        TwoMeans::new("w", "arm").fit(&data),
        Err(Error::ColumnNotFound { .. })
    ));
    let infinite = frame(&[1.0, f64::INFINITY, 2.0], &["a", "b", "b"]);
    assert!(matches!(
        TwoMeans::new("y", "arm").fit(&infinite),
        Err(Error::Infinite { row: 2, .. })
    ));

    let two = TwoProportions::default;
    assert!(matches!(
        two().counts(6, 5, 1, 5),
        Err(Error::InvalidOption { .. })
    ));
    assert!(matches!(
        two().counts(0, 0, 1, 5),
        Err(Error::InvalidOption { .. })
    ));
    assert!(matches!(
        two().compare(&[0.0, 2.0], &[1.0]),
        Err(Error::OutOfRange { row: 2, .. })
    ));
    assert!(matches!(
        two()
            .test(ProportionTest::Fisher)
            .null(0.1)
            .counts(1, 5, 2, 5),
        Err(Error::InvalidOption { .. })
    ));
    assert!(matches!(
        two()
            .test(ProportionTest::Barnard)
            .counts(1, 50_000, 2, 50_000),
        Err(Error::InvalidOption { .. })
    ));
    for all in [0, 5] {
        for test in [
            ProportionTest::Pooled,
            ProportionTest::Score,
            ProportionTest::Fisher,
            ProportionTest::Barnard,
            ProportionTest::Boschloo,
        ] {
            let nothing = two().test(test).counts(all, 5, all, 5).unwrap();
            assert!(nothing.p_value() > 0.999, "{nothing}");
            assert!(!nothing.warnings.is_empty());
        }
    }
    let zeros = two()
        .odds_ratio(OddsRatioInterval::Exact)
        .counts(0, 20, 5, 20)
        .unwrap();
    let odds = zeros.effect("odds ratio").unwrap();
    assert!(
        odds.lower() == 0.0
            && odds.upper() < 1.2
            && zeros.effect("ratio of proportions").unwrap().lower() == 0.0
    );
    assert!(matches!(
        OneProportion::default().counts(3, 2),
        Err(Error::InvalidOption { .. })
    ));
    assert!(matches!(
        OneProportion::default().counts(0, 0),
        Err(Error::NoRows { .. })
    ));
    assert!(matches!(
        McNemar::default().compare(&[1.0], &[1.0, 0.0]),
        Err(Error::LengthMismatch { .. })
    ));

    let rates = TwoRates::default;
    assert!(matches!(
        rates().compare(&[-1.0], &[2.0]),
        Err(Error::OutOfRange { .. })
    ));
    assert!(matches!(
        rates().compare(&[1.5], &[2.0]),
        Err(Error::OutOfRange { .. })
    ));
    assert!(matches!(
        rates().counts(0, 1.0, 0, 1.0),
        Err(Error::Unidentified { .. })
    ));
    assert!(matches!(
        rates().counts(1, 0.0, 2, 1.0),
        Err(Error::InvalidOption { .. })
    ));
    let none = rates().counts(4, 1.0, 0, 1.0).unwrap();
    assert!(none.effects[0].upper().is_infinite() && none.effects[0].lower() > 0.0);

    let ties = [2.0, 2.0, 2.0];
    assert!(matches!(
        MannWhitney::default().compare(&ties, &ties),
        Err(Error::Unidentified { .. })
    ));
    assert!(matches!(
        BrunnerMunzel::default().compare(&ties, &ties),
        Err(Error::Unidentified { .. })
    ));
    assert!(matches!(
        BrunnerMunzel::default().compare(&[5.0, 6.0], &[1.0, 2.0]),
        Err(Error::Unidentified { .. })
    ));
    assert!(matches!(
        KruskalWallis::default().compare(&[&ties, &ties]),
        Err(Error::Unidentified { .. })
    ));
    assert!(matches!(
        WilcoxonSignedRank::default().compare(&ties, &ties),
        Err(Error::Unidentified { .. })
    ));
    assert!(
        KolmogorovSmirnov::default()
            .compare(&ties, &ties)
            .unwrap()
            .p_value()
            == 1.0
    );
    let exact = MannWhitney::default().method(RankMethod::Exact);
    assert!(matches!(
        exact.compare(&[1.0, 2.0], &[2.0, 3.0]),
        Err(Error::InvalidOption { .. })
    ));
    let tiny = MannWhitney::default().compare(&[1.0], &[2.0, 3.0]).unwrap();
    assert!(!tiny.warnings.is_empty() && tiny.effect("shift").unwrap().lower() == -2.0);
    assert!(matches!(
        Anova::default().compare(&[&x]),
        Err(Error::NoRows { .. })
    ));
    assert!(matches!(
        Anova::default().compare(&[&ties, &[1.0]]),
        Err(Error::Unidentified { .. })
    ));
    assert!(matches!(
        Anova::default().welch().compare(&[&x, &ties]),
        Err(Error::Unidentified { .. })
    ));
    assert!(matches!(
        GamesHowell::default().compare(&[&x, &ties]),
        Err(Error::Unidentified { .. })
    ));
    assert!(matches!(
        Levene::default().compare(&[&ties, &ties]),
        Err(Error::Unidentified { .. })
    ));
}

#[test]
fn exact_tests_of_five_hundred_an_arm_are_quick() {
    let start = std::time::Instant::now();
    for test in [ProportionTest::Barnard, ProportionTest::Boschloo] {
        TwoProportions::default()
            .test(test)
            .counts(54, 500, 50, 500)
            .unwrap();
    }
    assert!(
        start.elapsed().as_secs_f64() < 10.0,
        "{:?}",
        start.elapsed()
    );
}

#[test]
fn rerandomised_assignments_are_tested_among_the_balanced_ones() {
    let n = 40;
    let random = &mut Seed::new(5).stream(0);
    let x = normals(random, n, 0.0, 1.0);
    let y: Vec<f64> = x
        .iter()
        .zip(normals(random, n, 0.0, 0.3))
        .map(|(x, e)| 2.0 * x + e)
        .collect();
    // An assignment that balances x: neighbours in its order take turns.
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|a, b| x[*a].total_cmp(&x[*b]));
    let mut z = vec![0.0; n];
    for (place, unit) in order.iter().enumerate() {
        z[*unit] = f64::from(u8::from(place % 4 == 0 || place % 4 == 3));
    }
    let treated: Vec<f64> = y.iter().zip(&z).map(|(y, z)| y + 0.35 * z).collect();
    let data = Frame::new()
        .with("x", x)
        .unwrap()
        .with("y", treated)
        .unwrap()
        .with("z", z)
        .unwrap();
    let test = |assignment: Assignment| {
        let run = RandomizationTest::new("y", "z")
            .contrast(Contrast::DifferenceInMeans)
            .assignment(assignment);
        run.draws(999).seed(3).run(&data).unwrap()
    };
    let complete = test(Assignment::Complete);
    let balanced = test(Assignment::rerandomized(["x"], 0.05));
    // x explains nearly all of y, so that few balanced assignments differ by as much.
    assert!(complete.outcomes[0].p_value > 0.3, "{complete}");
    assert!(balanced.outcomes[0].p_value < 0.1, "{balanced}");
    assert!(
        balanced
            .to_string()
            .contains("rerandomisation until the distance of x"),
        "{balanced}"
    );
    let never = RandomizationTest::new("y", "z")
        .assignment(Assignment::rerandomized(["x"], 1e-9))
        .seed(1)
        .run(&data);
    assert!(matches!(never, Err(Error::InvalidOption { .. })));
}
