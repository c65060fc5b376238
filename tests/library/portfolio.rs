//! A portfolio of tests against likelihoods written out in numpy; coverage, shrinkage and programmes against simulation.

use crate::support::{agree, fixture, numbers};
use cocreate::numeric::{Seed, blocks};
use cocreate::prelude::*;
use proptest::prelude::*;
use rand_distr::{Distribution as _, StandardNormal};

fn frame(x: &[f64], s: &[f64]) -> Frame {
    Frame::new()
        .with("x", x.to_vec())
        .unwrap()
        .with("s", s.to_vec())
        .unwrap()
}

fn fitted(family: EffectFamily, data: &Frame) -> PortfolioFit {
    Portfolio::new("x", "s").family(family).fit(data).unwrap()
}

fn of(fit: &PortfolioFit, f: impl Fn(&ShrunkEffect) -> f64) -> Vec<f64> {
    fit.effects().iter().map(f).collect()
}

#[test]
fn families_as_in_numpy() {
    let all = fixture("portfolio");
    let values = &all["values"];
    let data = frame(&numbers(&values["x"]), &numbers(&values["s"]));
    let number = |family: &str, key: &str| values[family][key].as_f64().unwrap();

    let normal = fitted(EffectFamily::Normal, &data);
    let ours = ["mean", "standard deviation"].map(|name| normal.parameter(name).unwrap());
    agree(
        "normal",
        &ours,
        &[number("normal", "mean"), number("normal", "sd")],
        1e-6,
    );
    agree(
        "normal",
        &[normal.log_likelihood()],
        &[number("normal", "log_likelihood")],
        1e-10,
    );
    agree(
        "means",
        &of(&normal, |e| e.mean),
        &numbers(&values["normal"]["posterior_mean"]),
        1e-5,
    );
    agree(
        "deviations",
        &of(&normal, |e| e.deviation),
        &numbers(&values["normal"]["posterior_sd"]),
        1e-5,
    );

    // The grid of ln g against an integral over effects.
    let t = fitted(EffectFamily::StudentT, &data);
    let ours = ["centre", "scale", "degrees of freedom"].map(|name| t.parameter(name).unwrap());
    let theirs = ["centre", "scale", "freedom"].map(|key| number("t", key));
    agree("t", &ours, &theirs, 1e-3);
    agree(
        "t",
        &[t.log_likelihood()],
        &[number("t", "log_likelihood")],
        1e-7,
    );
    let gap = |a: &[f64], b: &[f64]| {
        a.iter()
            .zip(b)
            .map(|(a, b)| (a - b).abs())
            .fold(0.0, f64::max)
    };
    assert!(
        gap(
            &of(&t, |e| e.mean),
            &numbers(&values["t"]["posterior_mean"])
        ) < 1e-4
    );
    assert!(
        gap(
            &of(&t, |e| e.probability_positive),
            &numbers(&values["t"]["positive"])
        ) < 1e-4
    );

    let ash = fitted(EffectFamily::AdaptiveShrinkage, &data);
    assert_eq!(
        ash.prior().components().len() as f64,
        number("ash", "components")
    );
    let null = ash.parameter("share without effect").unwrap();
    let penalised = ash.log_likelihood() + 9.0 * null.ln();
    // The maximum is flat: ours must be no lower than theirs, and say the same of every test.
    assert!(penalised > number("ash", "penalised") - 1e-7, "{penalised}");
    assert!(
        gap(
            &of(&ash, |e| e.mean),
            &numbers(&values["ash"]["posterior_mean"])
        ) < 2e-4
    );
    assert!(
        gap(
            &of(&ash, |e| e.false_sign_rate),
            &numbers(&values["ash"]["false_sign_rate"])
        ) < 2e-4
    );
}

/// Five hundred tests with fat tails, again and again: intervals of effects cover on average, the sum of shipped effects is right after shrinkage and far too
/// large as measured, and shrinkage takes most of the squared error away.
#[test]
fn shrinkage_is_calibrated() {
    const RUNS: usize = 40;
    let found: Vec<[f64; 5]> = blocks::map(RUNS, |run| {
        let sim = TestPortfolio {
            tests: 500,
            ..TestPortfolio::default()
        }
        .seed(1_000 + run as u64)
        .simulate()
        .unwrap();
        let effects = sim.oracle.real("effect").unwrap();
        let fit = Portfolio::new("estimate", "std_error")
            .fit(&sim.data)
            .unwrap();
        let covered = fit
            .effects()
            .iter()
            .zip(effects)
            .filter(|(e, t)| e.lower <= **t && **t <= e.upper)
            .count();
        let lift = fit.cumulative_lift(&Shipping::Significant(1.96)).unwrap();
        let truth: f64 = (fit.effects().iter().zip(effects))
            .filter(|(e, _)| e.estimate / e.std_error > 1.96)
            .map(|(_, t)| t)
            .sum();
        let error = |f: &dyn Fn(&ShrunkEffect) -> f64| -> f64 {
            fit.effects()
                .iter()
                .zip(effects)
                .map(|(e, t)| (f(e) - t).powi(2))
                .sum()
        };
        [
            covered as f64 / 500.0,
            (lift.shrunk.estimate - truth) / lift.shrunk.std_error,
            (lift.measured.estimate - truth) / lift.measured.std_error,
            error(&|e| e.mean) / error(&|e| e.estimate),
            f64::from(u8::from(
                (lift.shrunk.estimate - truth).abs() < 1.96 * lift.shrunk.std_error,
            )),
        ]
    });
    let mean = |k: usize| found.iter().map(|f| f[k]).sum::<f64>() / RUNS as f64;
    // Monte Carlo errors: .002 of the coverage, .2 of the standardised gaps, .03 of the last share.
    assert!((mean(0) - 0.95).abs() < 0.012, "coverage {}", mean(0));
    assert!(mean(1).abs() < 0.6, "sum after shrinkage {}", mean(1));
    assert!(mean(2) > 2.0, "sum as measured {}", mean(2));
    assert!(mean(3) < 0.8, "squared error {}", mean(3));
    assert!(mean(4) > 0.85, "sum covered {}", mean(4));
}

/// What a programme is said to earn, against drawing ideas and testing them.
#[test]
fn programmes_earn_what_is_said() {
    const IDEAS: usize = 2_000_000;
    let prior =
        EffectPrior::mixture([(0.7, 0.0, 0.0), (0.2, -0.001, 0.002), (0.1, 0.001, 0.01)]).unwrap();
    for rule in [
        ShippingRule::PosteriorPositive,
        ShippingRule::Significant(1.645),
    ] {
        let plan = TestingProgramme::new(prior.clone(), 4e6, 0.6)
            .tests([100])
            .rule(rule)
            .plan()
            .unwrap();
        let o = &plan.options[0];
        assert!((o.std_error - 2.0 * 0.6 / 40_000_f64.sqrt()).abs() < 1e-15);
        let mut draws = Seed::new(9).stream(0);
        let mut z = || -> f64 { StandardNormal.sample(&mut draws) };
        let (mut shipped, mut lift, mut measured, mut good, mut positive) =
            (0.0, 0.0, 0.0, 0.0, 0.0);
        for i in 0..IDEAS {
            let c = match i % 10 {
                0 => prior.components()[2],
                1 | 2 => prior.components()[1],
                _ => prior.components()[0],
            };
            let effect = c.mean + c.deviation * z();
            let estimate = effect + o.std_error * z();
            positive += f64::from(u8::from(effect > 0.0));
            let ships = match rule {
                ShippingRule::Significant(c) => estimate > c * o.std_error,
                _ => estimate > o.threshold,
            };
            if ships {
                shipped += 1.0;
                lift += effect;
                measured += estimate;
                good += f64::from(u8::from(effect > 0.0));
            }
        }
        let n = IDEAS as f64;
        let near = |ours: f64, simulated: f64, tolerance: f64, what: &str| {
            assert!(
                (ours / simulated - 1.0).abs() < tolerance,
                "{rule:?} {what}: {ours} {simulated}"
            );
        };
        // The Monte Carlo error of the lift is below .8 % of it, of the others below .4 %.
        near(o.shipped, shipped / n, 0.02, "shipped");
        near(o.lift, 100.0 * lift / n, 0.03, "lift");
        near(o.measured, 100.0 * measured / n, 0.02, "measured");
        near(o.found, good / positive, 0.02, "found");
        near(
            o.falsely_shipped,
            1.0 - good / shipped,
            0.03,
            "falsely shipped",
        );
    }
    // The best rule earns most.
    let lift = |rule| {
        TestingProgramme::new(prior.clone(), 4e6, 0.6)
            .rule(rule)
            .plan()
            .unwrap()
            .best()
            .lift
    };
    assert!(lift(ShippingRule::PosteriorPositive) > lift(ShippingRule::Significant(1.645)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn order_and_units_do_not_matter(
        z in prop::collection::vec(-4.0_f64..4.0, 12..30),
        factor in 0.001_f64..1000.0,
    ) {
        let s: Vec<f64> = (0..z.len()).map(|i| 0.5 + 0.1 * (i % 7) as f64).collect();
        for family in [EffectFamily::Normal, EffectFamily::StudentT, EffectFamily::AdaptiveShrinkage] {
            let plain = fitted(family, &frame(&z, &s));
            let turn = |v: &[f64]| v.iter().rev().map(|v| v * factor).collect::<Vec<f64>>();
            let other = fitted(family, &frame(&turn(&z), &turn(&s)));
            let mut back = of(&other, |e| e.mean / factor);
            back.reverse();
            for (a, b) in of(&plain, |e| e.mean).iter().zip(back) {
                prop_assert!((a - b).abs() < 2e-3, "{:?} {} {}", family, a, b);
            }
            for e in plain.effects() {
                prop_assert!(e.lower <= e.upper && e.deviation >= 0.0 && e.mean.is_finite());
                prop_assert!((0.0..=0.5 + 1e-9).contains(&e.false_sign_rate) || family == EffectFamily::AdaptiveShrinkage);
            }
        }
    }

    #[test]
    fn quantiles_of_mixtures_invert_probabilities(
        weights in prop::collection::vec(0.01_f64..1.0, 3),
        means in prop::collection::vec(-2.0_f64..2.0, 3),
        p in 0.01_f64..0.99,
    ) {
        let prior = EffectPrior::mixture((0..3).map(|i| (weights[i], means[i], 0.2 * (i + 1) as f64))).unwrap();
        let q = prior.quantile(p).unwrap();
        prop_assert!((prior.probability_below(q) - p).abs() < 1e-9);
        prop_assert!((prior.probability_above(q) + p - 1.0).abs() < 1e-9);
    }
}

#[test]
fn bad_input_and_what_is_shown() {
    let data = Frame::from_csv("test,x,s\na,1,0.5\nb,2,0.5\nc,0.1,0.4\nd,,0.3\n").unwrap();
    let fit = Portfolio::new("x", "s")
        .label("test")
        .family(EffectFamily::Normal)
        .fit(&data)
        .unwrap();
    assert_eq!(fit.effects().len(), 3);
    let text = fit.to_string();
    for part in ["1 row", "Posterior mean", "standard deviation", "too short"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(fit.figure().unwrap().to_svg().contains("after shrinkage"));
    let named = Shipping::Named(vec!["a".to_owned(), "b".to_owned()]);
    let lift = fit.cumulative_lift(&named).unwrap();
    assert_eq!((lift.shipped, lift.measured.estimate), (2, 3.0));
    assert!(lift.to_string().contains("Winner's curse"));
    assert!(
        fit.cumulative_lift(&Shipping::Named(vec!["z".to_owned()]))
            .is_err()
    );
    assert!(fit.cumulative_lift(&Shipping::Significant(50.0)).is_err());
    assert!(fit.parameter("scale").is_err());
    let again: PortfolioFit = serde_json::from_str(&serde_json::to_string(&fit).unwrap()).unwrap();
    assert_eq!(again, fit);

    assert!(matches!(
        Portfolio::new("x", "s").fit(&data),
        Err(Error::Unidentified { .. })
    ));
    let empty = Frame::new()
        .with("x", Vec::<f64>::new())
        .unwrap()
        .with("s", Vec::<f64>::new())
        .unwrap();
    assert!(Portfolio::new("x", "s").fit(&empty).is_err());
    let negative = Frame::from_csv("x,s\n1,0.5\n2,-1\n3,1\n").unwrap();
    assert!(matches!(
        Portfolio::new("x", "s")
            .family(EffectFamily::Normal)
            .fit(&negative),
        Err(Error::OutOfRange { row: 2, .. })
    ));
    // Estimates that agree better than chance: one value for all.
    let alike = Frame::from_csv("x,s\n1,0.5\n1.1,0.5\n0.9,1\n").unwrap();
    let fit = Portfolio::new("x", "s")
        .family(EffectFamily::Normal)
        .fit(&alike)
        .unwrap();
    assert!(fit.to_string().contains("shrunk to one value"));
    assert!(EffectPrior::mixture([(0.0, 0.0, 1.0)]).is_err());
    assert!(EffectPrior::normal(0.0, -1.0).is_err());
    assert!(
        EffectPrior::normal(0.0, 1.0)
            .unwrap()
            .posterior(1.0, 0.0)
            .is_err()
    );
    assert!(
        EffectPrior::normal(0.0, 1.0)
            .unwrap()
            .quantile(1.0)
            .is_err()
    );
    let prior = EffectPrior::normal(0.0, 1.0).unwrap();
    assert!(
        TestingProgramme::new(prior.clone(), 0.0, 1.0)
            .plan()
            .is_err()
    );
    assert!(
        TestingProgramme::new(prior.clone(), 1e6, 1.0)
            .tests([])
            .plan()
            .is_err()
    );
    let plan = TestingProgramme::new(prior, 1e6, 1.0).plan().unwrap();
    assert!(
        plan.to_string().contains("best:") && plan.figure().unwrap().to_svg().contains("expected")
    );
}

#[test]
fn one_huge_effect_is_a_fat_tail_and_no_failure() {
    let tests = |largest: f64| -> Vec<Estimate> {
        (0..60_u32)
            .map(|i| Estimate {
                name: i.to_string(),
                estimate: if i == 3 {
                    largest
                } else {
                    f64::from(i * 37 % 60) / 15.0 - 2.0
                },
                std_error: 1.0,
                degrees_of_freedom: f64::INFINITY,
            })
            .collect()
    };
    for largest in [100.0, 1e3, 1e5] {
        let fit = Portfolio::new("", "")
            .fit_estimates(&tests(largest))
            .unwrap();
        assert!(fit.parameter("degrees of freedom").unwrap() < 1.5);
        assert!((fit.effects()[3].mean - largest).abs() < 0.1);
        assert!(fit.effects()[0].mean.abs() < 1.0);
    }
}

#[test]
fn false_sign_rates_are_their_own_tail() {
    let tests: Vec<Estimate> = (0..60_u32)
        .map(|i| Estimate {
            name: i.to_string(),
            estimate: 10.0 + f64::from(i * 37 % 60) / 15.0,
            std_error: 0.5,
            degrees_of_freedom: f64::INFINITY,
        })
        .collect();
    for family in [
        EffectFamily::Normal,
        EffectFamily::StudentT,
        EffectFamily::AdaptiveShrinkage,
    ] {
        let fit = Portfolio::new("", "")
            .family(family)
            .fit_estimates(&tests)
            .unwrap();
        for effect in fit.effects() {
            // About Φ(−20) = 3e-89, as far as the prior lets.
            let rate = effect.false_sign_rate;
            assert!(rate > 0.0 && rate < 1e-60, "{effect:?}");
            assert!(effect.probability_positive <= 1.0);
        }
    }
}
