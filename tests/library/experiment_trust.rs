//! Trust checks and special designs against scipy, statsmodels and formulas written down elsewhere.

use crate::support::{agree, fixture, numbers};
use cocreate::prelude::*;
use cocreate::simulate::Network;
use proptest::prelude::*;
use serde_json::Value;

fn values() -> Value {
    fixture("experiment_trust")["values"].clone()
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap()
}

fn whole(value: &Value) -> Vec<u64> {
    numbers(value).iter().map(|v| *v as u64).collect()
}

#[test]
fn sample_ratios_are_those_of_scipy() {
    for case in values()["sample_ratio"].as_array().unwrap() {
        let (counts, shares) = (whole(&case["counts"]), numbers(&case["shares"]));
        let names: Vec<String> = (0..counts.len()).map(|i| format!("arm {i}")).collect();
        let fit = SampleRatio::new("arm")
            .expected(names.iter().cloned().zip(shares.iter().copied()))
            .fit_counts(names.iter().cloned().zip(counts.iter().copied()))
            .unwrap();
        agree(
            "χ²",
            &[fit.test.statistic],
            &[number(&case["chi_squared"])],
            1e-9,
        );
        agree("p", &[fit.test.p_value], &[number(&case["p_value"])], 1e-9);
        if let Some(exact) = case["exact"].as_f64() {
            agree("exact", &[fit.exact_p_value.unwrap()], &[exact], 1e-7);
        }
        let mut monitor = SequentialSampleRatio::new(names.iter().cloned().zip(shares)).unwrap();
        let look = monitor.observe("all", &counts).unwrap();
        let reference = number(&case["log_bayes_factor"]);
        // Log-gamma functions of a million cancel to units: both sides lose about nine digits.
        assert!(
            (look.log_bayes_factor - reference).abs() < 1e-7,
            "{} {reference}",
            look.log_bayes_factor
        );
        assert!((look.p_value - (-reference).exp().min(1.0)).abs() < 1e-7);
    }
}

#[test]
fn balance_is_that_of_statsmodels() {
    let n = 240_u32;
    let arm = |i: u32| f64::from(i / 4 % 2);
    let frame = Frame::new()
        .with("arm", (0..n).map(arm).collect::<Vec<_>>())
        .unwrap()
        .with(
            "x1",
            (0..n)
                .map(|i| f64::from(i * 37 % 61) + 3.0 * arm(i) * f64::from(i % 3))
                .collect::<Vec<_>>(),
        )
        .unwrap()
        .with(
            "x2",
            (0..n)
                .map(|i| f64::from(i).sin() + 0.1 * arm(i))
                .collect::<Vec<_>>(),
        )
        .unwrap()
        .with(
            "group",
            (0..n).map(|i| f64::from(i / 4)).collect::<Vec<_>>(),
        )
        .unwrap();
    let reference = &values()["balance"];
    let fit = BalanceCheck::new("arm", ["x1", "x2"]).fit(&frame).unwrap();
    let test = &fit.omnibus[0].test;
    agree(
        "F",
        &[test.statistic, test.p_value],
        &[number(&reference["f"]), number(&reference["p"])],
        1e-9,
    );
    let of = |f: &dyn Fn(&BalanceRow) -> f64| fit.rows.iter().map(f).collect::<Vec<f64>>();
    agree(
        "d",
        &of(&|r| r.standardized_difference),
        &numbers(&reference["differences"]),
        1e-9,
    );
    agree(
        "ratios",
        &of(&|r| r.variance_ratio),
        &numbers(&reference["variance_ratios"]),
        1e-9,
    );
    agree(
        "p",
        &of(&|r| r.p_value),
        &numbers(&reference["p_values"]),
        1e-9,
    );
    let clustered = BalanceCheck::new("arm", ["x1", "x2"])
        .clusters("group")
        .fit(&frame)
        .unwrap();
    let test = &clustered.omnibus[0].test;
    let theirs = [
        number(&reference["clustered_f"]),
        number(&reference["clustered_p"]),
    ];
    agree(
        "clustered F",
        &[test.statistic, test.p_value],
        &theirs,
        1e-9,
    );
}

#[test]
fn experience_is_that_of_dersimonian_and_laird() {
    let reference = &values()["twyman"];
    let past: Vec<Estimate> = (numbers(&reference["past"])
        .iter()
        .zip(numbers(&reference["errors"])))
    .map(|(estimate, std_error)| Estimate {
        name: String::new(),
        estimate: *estimate,
        std_error,
        degrees_of_freedom: f64::INFINITY,
    })
    .collect();
    let fit = Twyman::from_past(&past).unwrap().fit(&past).unwrap();
    agree(
        "mean",
        &[fit.prior_mean],
        &[number(&reference["mean"])],
        1e-9,
    );
    agree(
        "variance",
        &[fit.prior_sd.powi(2)],
        &[number(&reference["variance"])],
        1e-9,
    );
}

#[test]
fn effects_over_time_are_those_of_influences_by_unit() {
    let rows: Vec<(f64, f64)> = (0..240_u32)
        .map(|i| (f64::from(i / 6), f64::from(i % 6)))
        .filter(|(unit, day)| *day < 6.0 - unit % 3.0)
        .collect();
    let treated = |unit: f64| unit % 2.0;
    let y = |(unit, day): &(f64, f64)| {
        unit.cos() + (unit * 3.0 + day).sin() + treated(*unit) * (1.0 - 0.15 * day)
    };
    let frame = Frame::new()
        .with("user", rows.iter().map(|r| r.0).collect::<Vec<_>>())
        .unwrap()
        .with("day", rows.iter().map(|r| r.1).collect::<Vec<_>>())
        .unwrap()
        .with("arm", rows.iter().map(|r| treated(r.0)).collect::<Vec<_>>())
        .unwrap()
        .with("y", rows.iter().map(y).collect::<Vec<_>>())
        .unwrap();
    let fit = NoveltyCheck::new("y", "arm", "user")
        .day("day")
        .fit(&frame)
        .unwrap();
    let reference = &values()["novelty"];
    let of = |list: &[PeriodEffect], f: &dyn Fn(&Estimate) -> f64| {
        list.iter().map(|e| f(&e.effect)).collect::<Vec<f64>>()
    };
    agree(
        "effects",
        &of(&fit.by_day, &|e| e.estimate),
        &numbers(&reference["effects"]),
        1e-9,
    );
    agree(
        "errors",
        &of(&fit.by_day, &|e| e.std_error),
        &numbers(&reference["errors"]),
        1e-9,
    );
    agree(
        "cumulative",
        &of(&fit.cumulative, &|e| e.estimate),
        &numbers(&reference["cumulative"]),
        1e-9,
    );
    agree(
        "their errors",
        &of(&fit.cumulative, &|e| e.std_error),
        &numbers(&reference["cumulative_errors"]),
        1e-9,
    );
    let slope = &fit.trends[0].slope;
    let theirs = [
        number(&reference["slope"]),
        number(&reference["slope_error"]),
    ];
    agree("slope", &[slope.estimate, slope.std_error], &theirs, 1e-9);
}

#[test]
fn exposures_have_the_probabilities_and_variances_of_aronow_and_samii() {
    let reference = &values()["network"];
    let ties: Vec<(u32, u32)> = whole(&reference["ties"])
        .chunks(2)
        .map(|t| (t[0] as u32, t[1] as u32))
        .collect();
    let network = Network::from_ties(8, &ties).unwrap();
    let frame = Frame::new()
        .with("z", numbers(&reference["treated"]))
        .unwrap()
        .with("y", numbers(&reference["outcome"]))
        .unwrap();
    for (name, allocation) in [
        ("complete", Allocation::Complete { share: 0.25 }),
        ("coins", Allocation::Bernoulli { share: 0.3 }),
    ] {
        let fit = NetworkExperiment::new("y", "z", ExposureMapping::AnyNeighbour)
            .allocation(allocation)
            .contrast("neighbour treated", "not exposed")
            .fit(&frame, &network)
            .unwrap();
        let (c, theirs) = (&fit.contrasts[0], &reference[name]);
        assert!(fit.exact);
        let ours = [
            c.horvitz_thompson.estimate,
            c.horvitz_thompson.std_error,
            c.hajek.estimate,
            c.hajek.std_error,
            fit.conditions[1].smallest_probability,
        ];
        let smallest = numbers(&theirs["probabilities"])
            .iter()
            .copied()
            .fold(1.0, f64::min);
        let theirs = ["ht", "ht_error", "hajek", "hajek_error"].map(|k| number(&theirs[k]));
        agree(name, &ours, &[&theirs[..], &[smallest]].concat(), 1e-9);
    }
}

#[test]
fn encouragements_are_two_stage_least_squares_and_bounds_are_linear_programmes() {
    let n = 300_u32;
    let z = |i: u32| f64::from(i % 2);
    let take = |i: u32| match i % 7 {
        0 | 1 => 1.0,
        2 | 3 => 0.0,
        _ => z(i),
    };
    let frame = Frame::new()
        .with("z", (0..n).map(z).collect::<Vec<_>>())
        .unwrap()
        .with("d", (0..n).map(take).collect::<Vec<_>>())
        .unwrap()
        .with(
            "y",
            (0..n)
                .map(|i| 2.0 * take(i) + f64::from(i).sin() + f64::from(i % 7) * 0.3)
                .collect::<Vec<_>>(),
        )
        .unwrap();
    let reference = &values()["encouragement"];
    let fit = Encouragement::new("y", "d", "z").fit(&frame).unwrap();
    let itt = &fit.intention_to_treat;
    let ours = [fit.local_effect.estimate, itt.estimate, itt.std_error];
    agree(
        "effects",
        &ours,
        &["local", "itt", "itt_error"].map(|k| number(&reference[k])),
        1e-9,
    );
    for case in reference["balke_pearl"].as_array().unwrap() {
        let (mut y, mut d, mut z) = (vec![], vec![], vec![]);
        for (arm, counts) in case["counts"].as_array().unwrap().iter().enumerate() {
            for (cell, count) in whole(counts).into_iter().enumerate() {
                for _ in 0..count {
                    y.push((cell / 2) as f64);
                    d.push((cell % 2) as f64);
                    z.push(arm as f64);
                }
            }
        }
        let frame = Frame::new()
            .with("y", y)
            .unwrap()
            .with("d", d)
            .unwrap()
            .with("z", z)
            .unwrap();
        let fit = Encouragement::new("y", "d", "z").fit(&frame).unwrap();
        let bounds = &fit.bounds[1];
        let theirs = [number(&case["lower"]), number(&case["upper"])];
        agree("Balke–Pearl", &[bounds.lower, bounds.upper], &theirs, 1e-9);
        // Manski's need less and say less.
        assert!(
            fit.bounds[0].lower <= bounds.lower + 1e-12
                && bounds.upper <= fit.bounds[0].upper + 1e-12
        );
    }
}

#[test]
fn interleaving_is_a_sign_test_and_a_paired_t_test() {
    let frame = Frame::new()
        .with(
            "a",
            (0..60).map(|i| f64::from(i * 7 % 5)).collect::<Vec<_>>(),
        )
        .unwrap()
        .with(
            "b",
            (0..60).map(|i| f64::from(i * 11 % 4)).collect::<Vec<_>>(),
        )
        .unwrap();
    let fit = InterleavingTest::new("a", "b").fit(&frame).unwrap();
    let reference = &values()["interleaving"];
    let ours = [
        fit.sign_p_value,
        fit.credit.statistic(0.0),
        fit.credit.p_value(),
        fit.preference.estimate,
        fit.preference.std_error,
    ];
    let theirs =
        ["sign", "t", "p", "preference", "preference_error"].map(|k| number(&reference[k]));
    agree("interleaving", &ours, &theirs, 1e-9);
}

#[test]
fn the_surrogate_index_has_the_stacked_variance() {
    let of = |n: u32, f: &dyn Fn(f64) -> f64| (0..n).map(|i| f(f64::from(i))).collect::<Vec<f64>>();
    let past = Frame::new()
        .with("s", of(200, &|i| (i * 1.7).sin() * 2.0))
        .unwrap()
        .with("x", of(200, &|i| (i * 0.9).cos()))
        .unwrap()
        .with(
            "y",
            of(200, &|i| {
                1.0 + 4.0 * (i * 1.7).sin() - (i * 0.9).cos() + (i * 5.3).sin()
            }),
        )
        .unwrap();
    let test = Frame::new()
        .with("w", of(160, &|j| j % 2.0))
        .unwrap()
        .with("s", of(160, &|j| (j * 2.1).sin() * 2.0 + 0.4 * (j % 2.0)))
        .unwrap()
        .with("x", of(160, &|j| (j * 1.3).cos()))
        .unwrap();
    let fit = SurrogateIndex::new("y ~ s + x", "w")
        .fit(&test, &past)
        .unwrap();
    let reference = &values()["surrogate"];
    let ours = [
        fit.effect.estimate,
        fit.effect.std_error,
        fit.experimental_error,
        fit.treatment_r_squared,
        fit.bias_bound(1.0).unwrap(),
    ];
    let names = [
        "effect",
        "error",
        "experimental_error",
        "treatment_r_squared",
        "bound",
    ];
    let theirs = names.map(|k| number(&reference[k]));
    for (name, (a, b)) in names.iter().zip(ours.iter().zip(theirs)) {
        agree(name, &[*a], &[b], 1e-9);
    }
}

// ---- what holds for any data ----

/// Rows of arm, two covariates, an outcome, and whether the offer was taken.
type Row = (bool, f64, f64, f64, bool);

fn rows() -> impl Strategy<Value = Vec<Row>> {
    let row = (
        any::<bool>(),
        -5.0_f64..5.0,
        0.0_f64..3.0,
        -2.0_f64..2.0,
        any::<bool>(),
    );
    prop::collection::vec(row, 60..160).prop_filter(
        "both arms, takers in the treated one",
        |rows| {
            let count = |f: &dyn Fn(&Row) -> bool| rows.iter().filter(|r| f(r)).count();
            count(&|r| r.0) > 15 && count(&|r| !r.0) > 15 && count(&|r| r.0 && r.4) > 10
        },
    )
}

/// The rows in an order, with the first covariate and the outcome moved and stretched.
fn made(rows: &[Row], order: &[usize], scale: f64, shift: f64) -> Frame {
    let of = |f: &dyn Fn(&Row) -> f64| order.iter().map(|i| f(&rows[*i])).collect::<Vec<f64>>();
    Frame::new()
        .with("arm", of(&|r| f64::from(u8::from(r.0))))
        .unwrap()
        .with("x", of(&|r| scale * r.1 + shift))
        .unwrap()
        .with("z", of(&|r| r.2))
        .unwrap()
        .with("y", of(&|r| scale * (r.3 + r.1 + f64::from(u8::from(r.0)))))
        .unwrap()
        // Nobody takes what was not offered.
        .with("took", of(&|r| f64::from(u8::from(r.0 && r.4))))
        .unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn sample_ratios_do_not_know_order_nor_scale(
        counts in prop::collection::vec(1_u64..5_000, 2..5),
        weights in prop::collection::vec(0.1_f64..5.0, 4),
        scale in 0.01_f64..100.0,
    ) {
        let names: Vec<String> = (0..counts.len()).map(|i| format!("arm {i}")).collect();
        let fit = |order: &[usize], scale: f64| {
            SampleRatio::new("arm")
                .expected(order.iter().map(|i| (names[*i].clone(), scale * weights[*i])))
                .fit_counts(order.iter().map(|i| (names[*i].clone(), counts[*i])))
                .unwrap()
        };
        let order: Vec<usize> = (0..counts.len()).collect();
        let turned: Vec<usize> = order.iter().rev().copied().collect();
        let (a, b) = (fit(&order, 1.0), fit(&turned, scale));
        prop_assert!((a.test.statistic - b.test.statistic).abs() < 1e-9 * a.test.statistic.max(1.0));
        prop_assert!((a.p_value() - b.p_value()).abs() < 1e-9);
        if let (Some(p), Some(q)) = (a.exact_p_value, b.exact_p_value) {
            prop_assert!((p - q).abs() < 1e-9 && p <= 1.0 + 1e-12);
        }
        // What the analysis of an experiment says of the same counts.
        let total: f64 = a.arms.iter().map(|arm| arm.expected).sum();
        prop_assert!((total - counts.iter().sum::<u64>() as f64).abs() < 1e-6);
    }

    #[test]
    fn an_experiment_and_the_trust_check_agree_on_the_sample_ratio(rows in rows()) {
        let order: Vec<usize> = (0..rows.len()).collect();
        let frame = made(&rows, &order, 1.0, 0.0);
        let shares = [("0", 2.0), ("1", 1.0)];
        let check = SampleRatio::new("arm").expected(shares).fit(&frame).unwrap();
        let fit = Experiment::new("arm", "0")
            .metric(Metric::mean("y"))
            .allocation(shares)
            .analyze(&frame)
            .unwrap();
        prop_assert!((fit.sample_ratio().statistic - check.test.statistic).abs() < 1e-12);
        prop_assert!((fit.sample_ratio().p_value - check.test.p_value).abs() < 1e-12);
    }

    #[test]
    fn balance_does_not_know_order_scale_nor_shift(rows in rows(), scale in 0.1_f64..10.0, shift in -100.0_f64..100.0) {
        let order: Vec<usize> = (0..rows.len()).collect();
        let turned: Vec<usize> = order.iter().rev().copied().collect();
        let fit = |frame: Frame| BalanceCheck::new("arm", ["x", "z"]).control("0").fit(&frame).unwrap();
        let a = fit(made(&rows, &order, 1.0, 0.0));
        let b = fit(made(&rows, &turned, scale, shift));
        for (a, b) in a.rows.iter().zip(&b.rows) {
            prop_assert!((a.standardized_difference - b.standardized_difference).abs() < 1e-8);
            prop_assert!((a.variance_ratio - b.variance_ratio).abs() < 1e-8 * a.variance_ratio);
            prop_assert!((a.p_value - b.p_value).abs() < 1e-8);
        }
        let (a, b) = (&a.omnibus[0].test, &b.omnibus[0].test);
        prop_assert!((a.statistic - b.statistic).abs() < 1e-6 * a.statistic.max(1.0));
    }

    #[test]
    fn encouragements_scale_with_the_outcome(rows in rows(), scale in 0.1_f64..10.0) {
        let order: Vec<usize> = (0..rows.len()).collect();
        let turned: Vec<usize> = order.iter().rev().copied().collect();
        let fit = |frame: Frame| Encouragement::new("y", "took", "arm").fit(&frame).unwrap();
        let (a, b) = (fit(made(&rows, &order, 1.0, 0.0)), fit(made(&rows, &turned, scale, 0.0)));
        for (a, b) in [(&a.local_effect, &b.local_effect), (&a.intention_to_treat, &b.intention_to_treat)] {
            let tolerance = 1e-8 * scale * a.estimate.abs().max(a.std_error).max(1.0);
            prop_assert!((scale * a.estimate - b.estimate).abs() < tolerance);
            prop_assert!((scale * a.std_error - b.std_error).abs() < tolerance);
        }
        // With one-sided non-compliance the local effect is the effect of the offer over the share of takers.
        let share = rows.iter().filter(|r| r.0 && r.4).count() as f64 / rows.iter().filter(|r| r.0).count() as f64;
        prop_assert!((a.local_effect.estimate * share - a.intention_to_treat.estimate).abs() < 1e-8);
    }
}
