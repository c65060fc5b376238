//! Adjusted p-values and joint distributions against R and statsmodels; familywise error and false discovery rate in simulation.

use crate::support::{agree, fixture, numbers};
use cocreate::numeric::blocks;
use cocreate::prelude::*;
use nalgebra::DMatrix;
use rand_distr::{Distribution as _, StandardNormal};

#[test]
fn adjusted_p_values_as_in_r() {
    let all = fixture("multiplicity_r");
    let methods = [
        ("bonferroni", Adjustment::Bonferroni),
        ("holm", Adjustment::Holm),
        ("hochberg", Adjustment::Hochberg),
        ("hommel", Adjustment::Hommel),
        ("BH", Adjustment::BenjaminiHochberg),
        ("BY", Adjustment::BenjaminiYekutieli),
    ];
    let mut compared = 0;
    for (name, case) in all["values"]["adjusted"].as_object().unwrap() {
        let p = numbers(&case["p"]);
        for (key, method) in methods {
            let ours = adjust_p_values(&p, method).unwrap();
            agree(&format!("{name} {key}"), &ours, &numbers(&case[key]), 1e-12);
            compared += 1;
        }
    }
    assert_eq!(compared, 30);
}

#[test]
fn two_stage_and_sidak_as_in_statsmodels() {
    let all = fixture("multiplicity");
    let mut compared = 0;
    for (name, case) in all["values"].as_object().unwrap() {
        let p = numbers(&case["p"]);
        let ours = adjust_p_values(&p, Adjustment::Sidak).unwrap();
        agree(
            &format!("{name} sidak"),
            &ours,
            &numbers(&case["sidak"]),
            1e-12,
        );
        for (key, stage) in case.as_object().unwrap() {
            if !key.starts_with("two_stage") {
                continue;
            }
            let alpha = stage["alpha"].as_f64().unwrap();
            let names = (0..p.len()).map(|i| i.to_string());
            let tests =
                MultipleTests::new(names, &p, Adjustment::TwoStage { alpha }, alpha).unwrap();
            let ours: Vec<f64> = tests.decisions.iter().map(|d| d.adjusted).collect();
            agree(
                &format!("{name} {key}"),
                &ours,
                &numbers(&stage["adjusted"]),
                1e-12,
            );
            let rejected: Vec<bool> = tests.decisions.iter().map(|d| d.rejected).collect();
            let theirs: Vec<bool> = stage["rejected"]
                .as_array()
                .unwrap()
                .iter()
                .map(|r| r.as_bool().unwrap())
                .collect();
            assert_eq!(rejected, theirs, "{name} {key}");
            compared += 1;
        }
    }
    assert_eq!(compared, 15);
}

/// Critical values at 95 % for equal groups, by independent quadrature, five of them checked with R mvtnorm (to 2e-6).
const DUNNETT_95: [(bool, usize, f64, f64); 14] = [
    (true, 1, 5.0, 2.570582),
    (true, 1, f64::INFINITY, 1.959964),
    (true, 3, 5.0, 3.293155),
    (true, 3, 10.0, 2.758997),
    (true, 3, 20.0, 2.54035),
    (true, 3, 60.0, 2.409942),
    (true, 3, f64::INFINITY, 2.348971),
    (true, 5, 5.0, 3.615117),
    (true, 5, f64::INFINITY, 2.511463),
    (false, 3, 5.0, 2.681424),
    (false, 3, 20.0, 2.192283),
    (false, 3, f64::INFINITY, 2.062084),
    (false, 5, 10.0, 2.562307),
    (false, 5, f64::INFINITY, 2.233817),
];

#[test]
fn dunnett_critical_values() {
    for (two_sided, groups, df, want) in DUNNETT_95 {
        let side = if two_sided {
            Alternative::TwoSided
        } else {
            Alternative::Greater
        };
        let joint = ManyToOne::new(df, &vec![10.0; groups], 10.0).unwrap();
        let ours = joint.critical_value(0.95, side).unwrap();
        assert!(
            (ours - want).abs() < 2e-6,
            "{two_sided} {groups} {df}: {ours} {want}"
        );
    }
}

#[test]
fn unbalanced_tails_as_in_mvtnorm() {
    let all = fixture("multiplicity_r");
    let tails = all["values"]["tails"].as_array().unwrap();
    assert_eq!(tails.len(), 9);
    for case in tails {
        let df = case["df"].as_f64().unwrap();
        let joint = ManyToOne::new(df, &numbers(&case["n"]), case["n0"].as_f64().unwrap()).unwrap();
        let t = case["t"].as_f64().unwrap();
        // Their error is an estimate of three standard errors.
        let tolerance = 2.0 * case["error"].as_f64().unwrap() + 1e-9;
        for (key, side) in [
            ("two", Alternative::TwoSided),
            ("one", Alternative::Greater),
        ] {
            let gap = joint.p_value(t, side) - case[key].as_f64().unwrap();
            assert!(gap.abs() < tolerance, "{case}: {gap}");
        }
    }
}

#[test]
fn dunnett_as_in_multcomp() {
    let all = fixture("multiplicity_r");
    let want = &all["values"]["dunnett"];
    let frame = datasets::load("nsw").unwrap();
    let band: Vec<&str> = frame
        .numeric("age")
        .unwrap()
        .values()
        .iter()
        .map(|age| match age {
            ..=19.0 => "1 teen",
            ..=24.0 => "2 young",
            ..=30.0 => "3 middle",
            _ => "4 old",
        })
        .collect();
    let frame = frame.with("band", band).unwrap();
    let fit = Dunnett::new("re78", "band", "1 teen").fit(&frame).unwrap();
    agree(
        "estimates",
        fit.estimates().as_slice(),
        &numbers(&want["estimates"]),
        1e-11,
    );
    agree(
        "errors",
        fit.std_errors().as_slice(),
        &numbers(&want["std_errors"]),
        1e-11,
    );
    assert_eq!(
        fit.estimate_at(0).degrees_of_freedom,
        want["df"].as_f64().unwrap()
    );
    for (ours, theirs) in fit.adjusted_p_values().iter().zip(numbers(&want["p"])) {
        assert!((ours - theirs).abs() < 1e-6, "{ours} {theirs}");
    }
    // Intervals and p-values tell the same.
    for (p, interval) in fit
        .adjusted_p_values()
        .iter()
        .zip(fit.simultaneous_intervals(0.95).unwrap())
    {
        assert_eq!(*p < 0.05, interval.lower > 0.0 || interval.upper < 0.0);
    }
    // The drawn maximum has the same distribution.
    let names: Vec<&str> = fit.names().iter().map(String::as_str).collect();
    let drawn = MaxT::new().seed(1).run(&fit, &names, 0.95).unwrap();
    let sizes: Vec<f64> = (0..3)
        .map(|i| {
            let ratio = fit.covariance()[(i, i)] / fit.covariance()[(0, 1)] - 1.0;
            1.0 / ratio // relative to the control
        })
        .collect();
    let exact = ManyToOne::new(fit.estimate_at(0).degrees_of_freedom, &sizes, 1.0)
        .unwrap()
        .critical_value(0.95, Alternative::TwoSided)
        .unwrap();
    assert!(
        (drawn.critical_value - exact).abs() < 0.02,
        "{} {exact}",
        drawn.critical_value
    );
    for (drawn, exact) in drawn.adjusted.iter().zip(fit.adjusted_p_values()) {
        assert!((drawn - exact).abs() < 0.006, "{drawn} {exact}");
    }
}

#[test]
fn dunnett_refuses_what_it_cannot_compare() {
    let frame = Frame::new()
        .with("g", vec!["a", "a", "b"])
        .unwrap()
        .with("y", vec![1.0, 2.0, f64::NAN])
        .unwrap();
    let fit = |control: &str| Dunnett::new("y", "g", control).fit(&frame);
    assert!(matches!(fit("a"), Err(Error::Unidentified { .. })));
    assert!(matches!(fit("b"), Err(Error::InvalidOption { .. })));
    assert!(matches!(fit("c"), Err(Error::InvalidOption { .. })));
}

#[test]
fn max_t_needs_a_seed_and_known_names() {
    let frame = datasets::load("nsw").unwrap();
    let fit = Ols::new("re78 ~ treat + educ").fit(&frame).unwrap();
    assert!(matches!(
        MaxT::new().run(&fit, &["treat"], 0.95),
        Err(Error::SeedRequired { .. })
    ));
    let seeded = MaxT::new().seed(1);
    assert!(seeded.run(&fit, &["treta"], 0.95).is_err());
    assert!(seeded.run(&fit, &[], 0.95).is_err());
    assert!(
        seeded
            .clone()
            .draws(10)
            .run(&fit, &["treat"], 0.95)
            .is_err()
    );
    // One coefficient is a t test.
    let one = seeded.run(&fit, &["treat"], 0.95).unwrap();
    let p = fit.coefficient("treat").unwrap().p_value();
    assert!(
        (one.adjusted[0] - p).abs() < 0.003,
        "{} {p}",
        one.adjusted[0]
    );
}

/// Replications of the simulations: 2000, so that a rate of 5 % has a standard error of half a point.
const REPLICATIONS: usize = 2000;

/// Share of replications in which `once` says yes.
fn rate(name: &str, once: impl Fn(&mut rand::rngs::ChaCha8Rng) -> f64 + Sync) -> f64 {
    let seed = Seed::new(2026).child(name);
    let draws = blocks::map(REPLICATIONS, |i| once(&mut seed.stream(i as u64)));
    let mean = draws.iter().sum::<f64>() / REPLICATIONS as f64;
    println!("{name}: {mean:.4}");
    mean
}

/// Equicorrelated normals with correlation ½.
fn correlated(random: &mut rand::rngs::ChaCha8Rng, count: usize) -> Vec<f64> {
    let shared: f64 = StandardNormal.sample(random);
    (0..count)
        .map(|_| {
            let own: f64 = StandardNormal.sample(random);
            (shared + own) * 0.5_f64.sqrt()
        })
        .collect()
}

#[test]
fn the_familywise_error_is_nominal_under_the_complete_null() {
    let procedures: [(
        &str,
        fn(&[f64], &DMatrix<f64>, Alternative) -> Result<Vec<f64>>,
    ); 2] = [
        ("Romano–Wolf", romano_wolf),
        ("Westfall–Young", westfall_young),
    ];
    for (name, procedure) in procedures {
        let error = rate(name, |random| {
            let observed = correlated(random, 6);
            let rows: Vec<f64> = (0..199).flat_map(|_| correlated(random, 6)).collect();
            let draws = DMatrix::from_row_slice(199, 6, &rows);
            let p = procedure(&observed, &draws, Alternative::TwoSided).unwrap();
            f64::from(u8::from(p.iter().any(|p| *p <= 0.05)))
        });
        // The smallest adjusted p-value is uniform on {1/200, …, 1}.
        assert!((error - 0.05).abs() < 0.015, "{name}: {error}");
    }
}

#[test]
fn resampling_gains_on_holm_when_tests_are_correlated() {
    let power = |adjust: &(dyn Fn(&[f64], &DMatrix<f64>) -> Vec<f64> + Sync)| {
        rate("power", |random| {
            let observed: Vec<f64> = correlated(random, 6).iter().map(|t| t + 2.5).collect();
            let rows: Vec<f64> = (0..399).flat_map(|_| correlated(random, 6)).collect();
            let draws = DMatrix::from_row_slice(399, 6, &rows);
            let p = adjust(&observed, &draws);
            p.iter().filter(|p| **p <= 0.05).count() as f64 / 6.0
        })
    };
    let stepdown = power(&|t, draws| romano_wolf(t, draws, Alternative::TwoSided).unwrap());
    let holm = power(&|t, _| {
        use cocreate::numeric::special::normal;
        let p: Vec<f64> = t.iter().map(|t| 2.0 * normal::sf(t.abs())).collect();
        adjust_p_values(&p, Adjustment::Holm).unwrap()
    });
    assert!(stepdown > holm + 0.01, "{stepdown} {holm}");
}

#[test]
fn the_false_discovery_rate_is_at_most_what_was_asked() {
    for (adjustment, expected) in [
        // Exactly α m₀/m for independent tests (Benjamini & Yekutieli 2001).
        (Adjustment::BenjaminiHochberg, 0.1 * 15.0 / 20.0),
        (Adjustment::TwoStage { alpha: 0.1 }, f64::NAN),
    ] {
        let found = rate(&adjustment.to_string(), |random| {
            let p: Vec<f64> = (0..20)
                .map(|i| {
                    let z: f64 = StandardNormal.sample(random);
                    cocreate::numeric::special::normal::sf(if i < 5 { z + 3.0 } else { z })
                })
                .collect();
            let adjusted = adjust_p_values(&p, adjustment).unwrap();
            let rejected = adjusted.iter().filter(|p| **p <= 0.1).count();
            let wrong = adjusted[5..].iter().filter(|p| **p <= 0.1).count();
            wrong as f64 / rejected.max(1) as f64
        });
        if expected.is_nan() {
            assert!(found < 0.1 + 0.009 && found > 0.07, "{found}");
        } else {
            assert!((found - expected).abs() < 0.009, "{found} {expected}");
        }
    }
}
