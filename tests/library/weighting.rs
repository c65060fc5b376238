//! Weighting for selection on observables: agreement with statsmodels and with moment conditions, coverage, what must hold for any data, bad input.

use crate::support::{agree, data, fixture, numbers};
use cocreate::prelude::*;
use proptest::prelude::{prop_assert, proptest};
use proptest::test_runner::Config;

type Method = fn(&str, &str, &str) -> TreatmentWeighting;

const METHODS: [(&str, Method); 3] = [
    ("logit", TreatmentWeighting::inverse_propensity),
    ("cbps", TreatmentWeighting::covariate_balancing),
    ("entropy", TreatmentWeighting::entropy_balancing),
];

const ESTIMANDS: [(&str, Estimand); 4] = [
    ("ate", Estimand::Ate),
    ("att", Estimand::Att),
    ("atc", Estimand::Atc),
    ("ato", Estimand::Ato),
];

/// Means of the treated and the untreated with their variances and covariance.
fn means(fit: &TreatmentWeightingFit, factor: f64) -> Vec<f64> {
    let (mean, v) = (fit.arm_means(), fit.arm_means().covariance());
    let spread = [v[(1, 1)], v[(1, 0)], v[(0, 0)]].map(|v| factor * v);
    [&[mean.estimates()[1], mean.estimates()[0]], &spread[..]].concat()
}

#[test]
fn means_and_errors_are_those_of_statsmodels_and_of_the_moment_conditions() {
    let reference = fixture("weighting");
    let values = &reference["values"];
    let frame = data("tests/reference/causal.csv");
    let n = frame.rows() as f64;
    for (method, make) in METHODS {
        for (name, estimand) in ESTIMANDS {
            if (method, estimand) == ("entropy", Estimand::Ato) {
                continue;
            }
            let model = make("y", "w", "x1 + x2").estimand(estimand);
            let key = format!("{method}_{name}");
            let fit = model.fit(&frame).unwrap();
            let theirs = numbers(&values["moments"][&key]);
            agree(&key, &means(&fit, (n - 1.0) / n), &theirs, 1e-9);
            let effect = fit.coefficient("1").unwrap();
            assert!((effect.estimate - (theirs[0] - theirs[1])).abs() < 1e-10);
            if method == "logit" && estimand != Estimand::Ato {
                let theirs = numbers(&values["statsmodels"][name]);
                let ours = [effect.estimate, effect.std_error * ((n - 1.0) / n).sqrt()];
                // Their errors come from a numerical derivative.
                agree(name, &ours[..1], &theirs[..1], 1e-9);
                agree(name, &ours[1..], &theirs[3..], 1e-6);
            }
            let fit = model
                .weights("weight")
                .clusters("village")
                .fit(&frame)
                .unwrap();
            let theirs = numbers(&values["weighted_clustered"][&key]);
            agree(&key, &means(&fit, 39.0 / 40.0), &theirs, 1e-9);
            assert_eq!(fit.degrees_of_freedom(&nalgebra::DVector::zeros(1)), 39.0);
        }
    }
}

#[test]
fn balance_is_that_of_its_definitions_and_exact_where_it_must_be() {
    let reference = fixture("weighting");
    let theirs = &reference["values"]["balance"];
    let frame = data("tests/reference/causal.csv");
    let fit = TreatmentWeighting::inverse_propensity("y", "w", "x1 + x2")
        .fit(&frame)
        .unwrap();
    let row = &fit.balance().rows[0];
    let before = [
        row.difference_before.unwrap(),
        row.variance_ratio_before.unwrap(),
        row.distance_before,
    ];
    let after = [
        row.difference_after.unwrap(),
        row.variance_ratio_after.unwrap(),
        row.distance_after,
    ];
    agree("before", &before, &numbers(&theirs["before"]), 1e-9);
    agree("after", &after, &numbers(&theirs["after"]), 1e-9);
    let effective: Vec<f64> = fit
        .arm_weights()
        .iter()
        .map(|arm| arm.effective_rows)
        .collect();
    agree(
        "effective rows",
        &effective,
        &numbers(&theirs["effective"]),
        1e-9,
    );
    // Maximum likelihood does not balance, except for the overlap; the others balance to rounding.
    assert!(fit.balance().largest_difference() > 1e-3);
    for (method, make) in METHODS {
        for (_, estimand) in ESTIMANDS {
            let exact = if method == "logit" {
                estimand == Estimand::Ato
            } else {
                true
            };
            if !exact || (method, estimand) == ("entropy", Estimand::Ato) {
                continue;
            }
            let fit = make("y", "w", "x1 + x2 + I(x1^2) + x1:x2")
                .estimand(estimand)
                .fit(&frame)
                .unwrap();
            assert!(
                fit.balance().largest_difference() < 1e-10,
                "{method} {estimand}"
            );
            let target: Option<fn(f64) -> bool> = match (method, estimand) {
                ("entropy", Estimand::Ate) => Some(|_| true),
                (_, Estimand::Att) => Some(|w| w > 0.5),
                (_, Estimand::Atc) => Some(|w| w < 0.5),
                _ => None,
            };
            if let Some(target) = target {
                let (x, w) = (frame.real("x1").unwrap(), frame.numeric("w").unwrap());
                let of: Vec<f64> = (x.iter().zip(w.values().iter()))
                    .filter(|(_, w)| target(**w))
                    .map(|(x, _)| *x)
                    .collect();
                let mean = of.iter().sum::<f64>() / of.len() as f64;
                for after in fit.balance().rows[0].means_after {
                    assert!((after - mean).abs() < 1e-10, "{method} {estimand}");
                }
            }
        }
    }
}

/// Treatment and outcome depend on two covariates; the effect is `1 + tilt x1`.
fn confounded(n: usize, seed: u64, tilt: f64) -> Frame {
    let made = HeterogeneousEffects::new(EffectDesign::WagerAtheyConfounded)
        .customers(n)
        .features(5)
        .seed(seed)
        .simulate()
        .unwrap();
    // Uniform features and the design's noise; treatment and outcome are made anew from them.
    let x = |k: usize| made.data.real(&format!("x{k}")).unwrap().to_vec();
    let (a, b, u, v) = (x(1), x(2), x(3), x(4));
    let centred = |z: f64| (z - 0.5) * 12.0_f64.sqrt();
    let w: Vec<f64> = (0..n)
        .map(|i| {
            let e = 1.0 / (1.0 + (-(0.2 + 0.8 * centred(a[i]) - 0.5 * centred(b[i]))).exp());
            f64::from(u8::from(u[i] < e))
        })
        .collect();
    let y: Vec<f64> = (0..n)
        .map(|i| {
            let (a, b) = (centred(a[i]), centred(b[i]));
            w[i] * (1.0 + tilt * a) + a + 0.5 * b + centred(v[i])
        })
        .collect();
    let scaled = |z: &[f64]| z.iter().map(|z| centred(*z)).collect::<Vec<f64>>();
    Frame::new()
        .with("y", y)
        .unwrap()
        .with("w", w)
        .unwrap()
        .with("a", scaled(&a))
        .unwrap()
        .with("b", scaled(&b))
        .unwrap()
}

#[test]
fn intervals_cover_where_the_naive_difference_never_does() {
    const DRAWS: u64 = 400;
    const N: usize = 500;
    // The truth of every estimand with effects 1 + a/2, from one large sample whose weights are known.
    let truth = {
        let frame = confounded(400_000, 77, 0.5);
        let (a, b) = (frame.real("a").unwrap(), frame.real("b").unwrap());
        ESTIMANDS.map(|(_, estimand)| {
            let (mut top, mut bottom) = (0.0, 0.0);
            for (a, b) in a.iter().zip(b) {
                let e = 1.0 / (1.0 + (-(0.2 + 0.8 * a - 0.5 * b)).exp());
                let h = match estimand {
                    Estimand::Ate => 1.0,
                    Estimand::Att => e,
                    Estimand::Atc => 1.0 - e,
                    Estimand::Ato => e * (1.0 - e),
                };
                top += h * (1.0 + 0.5 * a);
                bottom += h;
            }
            top / bottom
        })
    };
    let mut naive_covers = 0;
    let cases: Vec<(Method, Estimand, f64)> = METHODS
        .iter()
        .flat_map(|(method, make)| {
            let of = ESTIMANDS.iter().zip(truth);
            of.filter(|((_, e), _)| (*method, *e) != ("entropy", Estimand::Ato))
                .map(|((_, estimand), truth)| (*make, *estimand, truth))
                .collect::<Vec<_>>()
        })
        .collect();
    let mut covers = vec![0_u32; cases.len()];
    let mut errors = vec![(0.0, 0.0, 0.0); cases.len()];
    for seed in 0..DRAWS {
        let frame = confounded(N, seed, 0.5);
        let naive = Ols::new("y ~ w")
            .covariance(Covariance::Hc1)
            .fit(&frame)
            .unwrap();
        let interval = naive
            .coefficient("w")
            .unwrap()
            .confidence_interval(0.95)
            .unwrap();
        naive_covers += u32::from(interval.lower < truth[0] && truth[0] < interval.upper);
        for (case, (make, estimand, truth)) in cases.iter().enumerate() {
            let fit = make("y", "w", "a + b")
                .estimand(*estimand)
                .fit(&frame)
                .unwrap();
            let effect = fit.coefficient("1").unwrap();
            let interval = effect.confidence_interval(0.95).unwrap();
            covers[case] += u32::from(interval.lower < *truth && *truth < interval.upper);
            let off = effect.estimate - truth;
            errors[case].0 += off / DRAWS as f64;
            errors[case].1 += off * off / DRAWS as f64;
            errors[case].2 += effect.std_error / DRAWS as f64;
        }
    }
    println!(
        "naive covers {naive_covers} of {DRAWS}; {covers:?}; bias, mean square, mean error {errors:?}"
    );
    assert!(naive_covers < 5);
    for ((covers, (bias, square, error)), (_, estimand, _)) in covers.iter().zip(errors).zip(&cases)
    {
        // 95 % less four Monte Carlo errors of 1.1 points; bias within four of its own.
        assert!(
            (363..=397).contains(covers),
            "{estimand}: {covers} of {DRAWS}"
        );
        let spread = (square - bias * bias).sqrt();
        assert!(
            bias.abs() < 4.0 * spread / (DRAWS as f64).sqrt(),
            "{estimand}: bias {bias}"
        );
        // The spread of 400 draws is known to 3.5 %.
        assert!(
            (error / spread - 1.0).abs() < 0.15,
            "{estimand}: {error} and {spread}"
        );
    }
}

#[test]
fn the_trial_is_recovered_and_its_randomisation_seen() {
    let nsw = datasets::load("nsw").unwrap();
    let terms = "age + I(age^2) + educ + black + hisp + marr + nodegree + re74 + re75";
    let trial = Ols::new("re78 ~ treat")
        .covariance(Covariance::Hc2)
        .fit(&nsw)
        .unwrap();
    let trial = trial.coefficient("treat").unwrap();
    assert!((trial.estimate - 1794.34).abs() < 0.01);
    for (method, make) in METHODS {
        for (_, estimand) in &ESTIMANDS[..3] {
            let fit = make("re78", "treat", terms)
                .estimand(*estimand)
                .fit(&nsw)
                .unwrap();
            let effect = fit.coefficient("1").unwrap();
            println!(
                "{method} {estimand}: {:.0} ({:.0})",
                effect.estimate, effect.std_error
            );
            assert!((effect.estimate - trial.estimate).abs() < 0.6 * trial.std_error);
            assert!((effect.std_error / trial.std_error - 1.0).abs() < 0.1);
            assert!(
                fit.arm_weights()
                    .iter()
                    .all(|arm| arm.effective_rows > 0.75 * arm.rows as f64)
            );
            assert!(
                fit.balance()
                    .love_plot()
                    .unwrap()
                    .to_svg()
                    .contains("nodegree")
            );
        }
    }
}

/// Thirty rows in which both arms occur everywhere.
fn small(y: &[f64], order: &[usize]) -> Frame {
    let column = |f: &dyn Fn(usize) -> f64| order.iter().map(|i| f(*i)).collect::<Vec<f64>>();
    Frame::new()
        .with("y", column(&|i| y[i]))
        .unwrap()
        .with("w", column(&|i| f64::from(u8::from((i * 7) % 5 < 2))))
        .unwrap()
        .with("x", column(&|i| ((i * 11) % 13) as f64))
        .unwrap()
        .with("z", column(&|i| (i % 3) as f64))
        .unwrap()
        .with("id", column(&|i| i as f64))
        .unwrap()
}

proptest! {
    #![proptest_config(Config { failure_persistence: None, ..Config::with_cases(24) })]

    #[test]
    fn order_scale_and_copies_do_not_matter(
        y in proptest::collection::vec(-3.0..3.0_f64, 40),
        copies in proptest::collection::vec(1..4_usize, 40),
        scale in 0.01..100.0_f64,
        shift in -50.0..50.0_f64,
    ) {
        let all: Vec<usize> = (0..40).collect();
        let back: Vec<usize> = (0..40).rev().collect();
        let copied: Vec<usize> = (0..40).flat_map(|i| vec![i; copies[i]]).collect();
        let weights: Vec<f64> = copies.iter().map(|c| *c as f64).collect();
        for (method, make) in METHODS {
            for (_, estimand) in ESTIMANDS {
                if (method, estimand) == ("entropy", Estimand::Ato) {
                    continue;
                }
                let model = make("y", "w", "x + C(z)").estimand(estimand);
                let pair = |model: &TreatmentWeighting, frame: &Frame| {
                    let effect = model.fit(frame).unwrap().coefficient("1").unwrap();
                    (effect.estimate, effect.std_error)
                };
                let near = |a: (f64, f64), b: (f64, f64)| (a.0 - b.0).abs() < 1e-8 && (a.1 - b.1).abs() < 1e-8;
                let base = pair(&model, &small(&y, &all));
                prop_assert!(near(base, pair(&model, &small(&y, &back))));
                let moved = small(&y, &all);
                let x = moved.real("x").unwrap().iter().map(|x| shift + scale * x).collect::<Vec<_>>();
                prop_assert!(near(base, pair(&model, &moved.replace("x", x).unwrap())));
                // Copies in one cluster are one row with their weight.
                let clustered = model.clone().clusters("id");
                let frame = small(&y, &all).with("copies", weights.clone()).unwrap();
                let weighted = pair(&clustered.clone().weights("copies"), &frame);
                prop_assert!(near(weighted, pair(&clustered, &small(&y, &copied))));
                // The arms exchanged, the question mirrored.
                let mirrored = match estimand {
                    Estimand::Att => Estimand::Atc,
                    Estimand::Atc => Estimand::Att,
                    same => same,
                };
                let swapped = model.control("1").estimand(mirrored).fit(&small(&y, &all)).unwrap();
                prop_assert!((swapped.coefficient("0").unwrap().estimate + base.0).abs() < 1e-8);
            }
        }
    }
}

#[test]
fn a_known_propensity_a_learned_one_and_trimming_say_what_they_are() {
    let frame = data("tests/reference/causal.csv");
    let known = TreatmentWeighting::inverse_propensity("y", "w", "x1 + x2").propensity("1", "e");
    let fit = known.fit(&frame).unwrap();
    let (e, y, w) = (
        frame.real("e").unwrap(),
        frame.real("y").unwrap(),
        frame.numeric("w").unwrap(),
    );
    let mean = |arm: bool| {
        let rows = (0..y.len()).filter(|i| (w.values()[*i] > 0.5) == arm);
        let (top, bottom) = rows.fold((0.0, 0.0), |(top, bottom), i| {
            let weight = 1.0 / if arm { e[i] } else { 1.0 - e[i] };
            (top + weight * y[i], bottom + weight)
        });
        top / bottom
    };
    assert!((fit.coefficient("1").unwrap().estimate - (mean(true) - mean(false))).abs() < 1e-12);
    let bounds = Trimming::Bounds {
        low: 0.3,
        high: 0.7,
    };
    let fit = known.clone().trim(bounds).fit(&frame).unwrap();
    let inside = e.iter().filter(|e| (0.3..=0.7).contains(*e)).count();
    assert_eq!(
        (fit.weights().len(), fit.average_effect().rows()),
        (inside, inside)
    );
    assert_eq!(fit.kept_rows().iter().filter(|k| **k).count(), inside);
    let among = ", among rows with a propensity from 0.3000 to 0.7000";
    assert!(fit.average_effect().estimand().ends_with(among), "{fit}");
    let said = format!("{} rows with a propensity outside", 600 - inside);
    assert!(
        fit.warnings()
            .iter()
            .any(|w| w.to_string().starts_with(&said)),
        "{fit}"
    );
    assert!(
        fit.overlap_plot()
            .unwrap()
            .to_svg()
            .contains("propensity of w = 1")
    );
    // Trimmed rows are balanced anew.
    let entropy = TreatmentWeighting::entropy_balancing("y", "w", "x1 + x2").trim(Trimming::Crump);
    let fit = entropy.fit(&frame).unwrap();
    assert!(fit.balance().largest_difference() < 1e-10 && fit.overlap_plot().is_err());
    let learned =
        TreatmentWeighting::inverse_propensity("y", "w", "x1 + x2").learner(Learner::linear());
    assert!(matches!(
        learned.fit(&frame),
        Err(Error::SeedRequired { .. })
    ));
    let learned = learned.seed(7).fit(&frame).unwrap();
    let said = "standard errors treat the learned propensities as known";
    assert!(
        learned
            .warnings()
            .iter()
            .any(|w| w.to_string().starts_with(said)),
        "{learned}"
    );
    let logit = TreatmentWeighting::inverse_propensity("y", "w", "x1 + x2")
        .fit(&frame)
        .unwrap();
    let gap = learned.coefficient("1").unwrap().estimate - logit.coefficient("1").unwrap().estimate;
    assert!(gap.abs() < logit.std_error("1").unwrap());
    let back: TreatmentWeightingFit =
        serde_json::from_str(&serde_json::to_string(&logit).unwrap()).unwrap();
    assert_eq!(back, logit);
}

#[test]
fn bad_input_is_named() {
    let frame = data("tests/reference/causal.csv");
    let refused =
        |model: TreatmentWeighting, frame: &Frame| model.fit(frame).unwrap_err().to_string();
    let n = frame.rows();
    let w = frame.numeric("w").unwrap();
    let shifted = |by: f64| {
        let x = frame.real("x1").unwrap().iter().zip(w.values().iter());
        frame
            .clone()
            .with("gap", x.map(|(x, w)| x + by * w).collect::<Vec<f64>>())
            .unwrap()
    };
    let apart = shifted(20.0);
    for (method, make) in METHODS {
        for (_, estimand) in ESTIMANDS {
            if (method, estimand) == ("entropy", Estimand::Ato) {
                continue;
            }
            let model = make("y", "w", "x2 + gap").estimand(estimand);
            let text = refused(model.clone(), &apart);
            assert!(
                text.contains("no finite weights balance `gap`, on"),
                "{method} {estimand}: {text}"
            );
            // A level that one arm never has: quasi-complete separation.
            let level = frame
                .clone()
                .with(
                    "never",
                    (0..n)
                        .map(|i| f64::from(u8::from(i % 9 == 0 && w.values()[i] > 0.5)))
                        .collect::<Vec<f64>>(),
                )
                .unwrap();
            let fit = make("y", "w", "x2 + never").estimand(estimand).fit(&level);
            let text = fit.unwrap_err().to_string();
            assert!(text.contains("`never`"), "{method} {estimand}: {text}");
            // Collinear, constant and missing values are counted.
            let doubled: Vec<f64> = frame
                .real("x1")
                .unwrap()
                .iter()
                .map(|x| 3.0 - 2.0 * x)
                .collect();
            let mut gaps = frame.real("x2").unwrap().to_vec();
            gaps[3] = f64::NAN;
            gaps[8] = f64::NAN;
            let poor = frame
                .clone()
                .with("double", doubled)
                .unwrap()
                .with("one", vec![1.0; n])
                .unwrap()
                .replace("x2", gaps)
                .unwrap();
            let fit = make("y", "w", "x1 + x2 + double + one")
                .estimand(estimand)
                .fit(&poor)
                .unwrap();
            let warnings = fit.warnings();
            assert!(
                warnings.contains(&Warning::Collinear {
                    columns: vec!["double".to_owned()]
                }),
                "{warnings:?}"
            );
            assert!(warnings.contains(&Warning::Constant {
                columns: vec!["one".to_owned()]
            }));
            assert!(warnings.contains(&Warning::RowsDropped {
                dropped: 2,
                missing: vec![("x2".to_owned(), 2)]
            }));
            assert_eq!((fit.weights().len(), fit.balance().rows.len()), (n - 2, 4));
        }
    }
    let ipw = || TreatmentWeighting::inverse_propensity("y", "w", "x1 + x2");
    let mut wrong = frame.real("e").unwrap().to_vec();
    wrong[4] = 1.0;
    let poor = frame.clone().replace("e", wrong).unwrap();
    assert!(refused(ipw().propensity("1", "e"), &poor).contains("`e` is 1 in row 5"));
    let few: Vec<bool> = (0..n)
        .scan(0, |seen, i| {
            *seen += usize::from(w.values()[i] > 0.5);
            Some(w.values()[i] < 0.5 || *seen <= 3)
        })
        .collect();
    assert!(
        refused(ipw(), &frame.filter(&few).unwrap()).contains("arm `1` of `w`, which has 3 rows")
    );
    assert!(
        refused(
            ipw().trim(Trimming::Bounds {
                low: 0.999,
                high: 1.0
            }),
            &frame
        )
        .contains("leaves none of arm")
    );
    assert!(
        refused(
            ipw().trim(Trimming::Bounds {
                low: 0.9,
                high: 0.1
            }),
            &frame
        )
        .contains("low < high")
    );
    let arms = TreatmentWeighting::inverse_propensity("outcome", "arm", "x1");
    assert!(refused(arms, &frame).contains("a column with two arms"));
    assert!(
        refused(
            TreatmentWeighting::inverse_propensity("y", "w", "x1 + w"),
            &frame
        )
        .contains("known before treatment")
    );
    assert!(
        refused(
            TreatmentWeighting::inverse_propensity("y", "w", "x1 | village"),
            &frame
        )
        .contains("covariates by name")
    );
    let entropy = || TreatmentWeighting::entropy_balancing("y", "w", "x1");
    assert!(
        refused(entropy().estimand(Estimand::Ato), &frame).contains("option `estimand` is Ato")
    );
    assert!(refused(entropy().propensity("1", "e"), &frame).contains("option `propensity`"));
    assert!(refused(entropy().learner(Learner::linear()), &frame).contains("option `learner`"));
    assert!(refused(ipw().control("2"), &frame).contains("one of the arms"));
}

#[test]
fn rows_without_weight_are_rows_left_out_and_heavy_rows_are_said() {
    let frame = data("tests/reference/causal.csv");
    let n = frame.rows();
    let keep: Vec<bool> = (0..n).map(|i| i % 4 != 1).collect();
    let flags: Vec<f64> = keep.iter().map(|k| f64::from(u8::from(*k))).collect();
    let flagged = frame.clone().with("flag", flags).unwrap();
    let part = frame.filter(&keep).unwrap();
    for (method, make) in METHODS {
        let model = make("y", "w", "x1 + x2 + segment").estimand(Estimand::Att);
        let some = model.fit(&part).unwrap();
        let all = model.clone().weights("flag").fit(&flagged).unwrap();
        let pair = |fit: &TreatmentWeightingFit| [fit.estimates()[0], fit.covariance()[(0, 0)]];
        agree(method, &pair(&all), &pair(&some), 1e-10);
        agree(
            method,
            &[all.arm_weights()[0].effective_rows],
            &[some.arm_weights()[0].effective_rows],
            1e-10,
        );
        for (a, b) in all.balance().rows.iter().zip(&some.balance().rows) {
            assert!(
                (a.distance_after - b.distance_after).abs() < 1e-12,
                "{}",
                a.name
            );
            assert!((a.difference_before.unwrap() - b.difference_before.unwrap()).abs() < 1e-10);
        }
        // A village alone is no sample of villages.
        let village = frame.numeric("village").unwrap();
        let of = |v: &f64| f64::from(u8::from(*v < 1.0));
        let one: Vec<f64> = village.values().iter().map(of).collect();
        let single = frame.clone().with("one", one).unwrap();
        let alone = make("y", "w", "x1").weights("one").clusters("village");
        let error = alone.fit(&single).unwrap_err();
        assert!(matches!(error, Error::TooFewClusters { .. }), "{error}");
    }
    let crump =
        TreatmentWeighting::inverse_propensity("re78", "treat", "age").trim(Trimming::Crump);
    let fit = crump.fit(&datasets::load("nsw").unwrap()).unwrap();
    assert!(fit.trimmed_to().is_none() && fit.weights().len() == 445);
    let mut known = frame.real("e").unwrap().to_vec();
    let treated = frame
        .numeric("w")
        .unwrap()
        .values()
        .iter()
        .position(|w| *w > 0.5)
        .unwrap();
    known[treated] = 1e-6;
    let heavy = frame.replace("e", known).unwrap();
    let model = TreatmentWeighting::inverse_propensity("y", "w", "x1").propensity("1", "e");
    let fit = model.fit(&heavy).unwrap();
    assert!(fit.arm_weights()[1].effective_rows < 1.1 && fit.arm_weights()[1].largest_share > 0.99);
    assert!(
        fit.warnings()
            .iter()
            .any(|w| w.to_string().contains("% of the weight of arm `1`"))
    );
    // In the overlap that row counts as any other.
    let fit = model.estimand(Estimand::Ato).fit(&heavy).unwrap();
    assert!(fit.arm_weights()[1].effective_rows > 250.0 && fit.warnings().is_empty());
}

#[test]
fn stable_weights_and_tolerances_solve_their_programmes() {
    let reference = fixture("stable_weights");
    let frame = data("tests/reference/causal.csv");
    let mut most = 0.0;
    for (name, estimand) in &ESTIMANDS[..3] {
        for tolerance in [0.0, 0.05] {
            for weighted in [false, true] {
                let mut model = TreatmentWeighting::stable_balancing("y", "w", "x1 + x2")
                    .estimand(*estimand)
                    .tolerance(tolerance);
                if weighted {
                    model = model.weights("weight");
                }
                let fit = model.fit(&frame).unwrap();
                let key = format!("{name}_{tolerance}_{}", u8::from(weighted));
                let (mean, arms) = (fit.arm_means().estimates().clone(), fit.arm_weights());
                let ours = [
                    mean[1],
                    arms[1].effective_rows,
                    mean[0],
                    arms[0].effective_rows,
                ];
                agree(&key, &ours, &numbers(&reference["values"][&key]), 1e-6);
                assert!(fit.weights().iter().all(|w| *w >= 0.0) && fit.propensities().is_none());
                if tolerance <= 0.0 {
                    assert!(fit.balance().largest_difference() < 1e-9, "{key}");
                    most = arms[0].effective_rows;
                } else {
                    assert!(
                        arms[0].effective_rows >= most,
                        "less balance, more even weights"
                    );
                }
            }
        }
    }
    for (name, estimand) in &ESTIMANDS[..2] {
        let fit = TreatmentWeighting::entropy_balancing("y", "w", "x1 + x2")
            .estimand(*estimand)
            .tolerance(0.05)
            .fit(&frame)
            .unwrap();
        let key = format!("entropy_{name}_0.05_0");
        let (mean, arms) = (fit.arm_means().estimates().clone(), fit.arm_weights());
        let ours = [
            mean[1],
            arms[1].effective_rows,
            mean[0],
            arms[0].effective_rows,
        ];
        agree(&key, &ours, &numbers(&reference["values"][&key]), 1e-6);
    }
    // A tolerance that everything is within asks for nothing: even weights.
    let fit = TreatmentWeighting::stable_balancing("y", "w", "x1 + x2")
        .tolerance(5.0)
        .fit(&frame)
        .unwrap();
    let naive = Ols::new("y ~ w")
        .fit(&frame)
        .unwrap()
        .coefficient("w")
        .unwrap();
    assert!((fit.coefficient("1").unwrap().estimate - naive.estimate).abs() < 1e-9);
    assert!(
        fit.arm_weights()
            .iter()
            .all(|arm| (arm.effective_rows - arm.rows as f64).abs() < 1e-6)
    );
}

#[test]
fn stable_weights_cover() {
    const DRAWS: u64 = 300;
    // Effects are 1 for all, so that every estimand has the same truth.
    let mut covers = [0_u32; 4];
    let mut ratio = [(0.0, 0.0, 0.0); 4];
    for seed in 0..DRAWS {
        let frame = confounded(400, 9_000 + seed, 0.0);
        let cases = [
            (Estimand::Ate, 0.0),
            (Estimand::Att, 0.0),
            (Estimand::Atc, 0.0),
            (Estimand::Ate, 0.01),
        ];
        for (case, (estimand, tolerance)) in cases.into_iter().enumerate() {
            let fit = TreatmentWeighting::stable_balancing("y", "w", "a + b")
                .estimand(estimand)
                .tolerance(tolerance)
                .fit(&frame)
                .unwrap();
            let effect = fit.coefficient("1").unwrap();
            let interval = effect.confidence_interval(0.95).unwrap();
            covers[case] += u32::from(interval.lower < 1.0 && 1.0 < interval.upper);
            let off = effect.estimate - 1.0;
            ratio[case].0 += off / DRAWS as f64;
            ratio[case].1 += off * off / DRAWS as f64;
            ratio[case].2 += effect.std_error / DRAWS as f64;
        }
    }
    println!("{covers:?} of {DRAWS}; {ratio:?}");
    for (covers, (bias, square, error)) in covers.iter().zip(ratio) {
        // 95 % less or more four Monte Carlo errors of 1.3 points.
        assert!((270..=299).contains(covers), "{covers} of {DRAWS}");
        let spread = (square - bias * bias).sqrt();
        // The spread of 300 draws is known to 4 %.
        assert!((error / spread - 1.0).abs() < 0.16, "{error} and {spread}");
    }
}

#[test]
fn tolerances_and_stable_weights_that_make_no_sense_are_refused() {
    let frame = confounded(100, 1, 0.0);
    let stable = TreatmentWeighting::stable_balancing("y", "w", "a + b");
    for tolerance in [-0.1, f64::NAN, f64::INFINITY] {
        let refused = stable.clone().tolerance(tolerance).fit(&frame);
        assert!(matches!(refused, Err(Error::InvalidOption { .. })));
    }
    let elsewhere = TreatmentWeighting::covariate_balancing("y", "w", "a").tolerance(0.1);
    assert!(matches!(
        elsewhere.fit(&frame),
        Err(Error::InvalidOption { .. })
    ));
    let overlap = stable
        .clone()
        .estimand(Estimand::Ato)
        .fit(&frame)
        .unwrap_err();
    assert!(
        overlap.to_string().contains("inverse_propensity"),
        "{overlap}"
    );
    let (w, a) = (frame.real("w").unwrap(), frame.real("a").unwrap());
    let apart: Vec<f64> = w.iter().zip(a).map(|(w, a)| a + 20.0 * w).collect();
    let frame = frame.clone().with("apart", apart).unwrap();
    for tolerance in [0.0, 0.1] {
        let none = TreatmentWeighting::stable_balancing("y", "w", "apart")
            .estimand(Estimand::Att)
            .tolerance(tolerance)
            .fit(&frame)
            .unwrap_err();
        assert!(matches!(none, Error::Unidentified { .. }), "{none}");
        assert!(none.to_string().contains("`apart`"), "{none}");
    }
    let fit = stable.tolerance(0.1).fit(&frame).unwrap();
    let read: TreatmentWeightingFit =
        serde_json::from_str(&serde_json::to_string(&fit).unwrap()).unwrap();
    assert_eq!(read, fit);
    assert!(fit.to_string().contains("stable balancing") && fit.overlap_plot().is_err());
}
