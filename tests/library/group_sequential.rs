//! Group-sequential designs against rpact and against another recursion.

use crate::support::{fixture, numbers};
use cocreate::prelude::*;
use serde_json::Value;
use std::f64::consts::PI;

fn boundary(kind: &str) -> EfficacyBoundary {
    use EfficacyBoundary::{HaybittlePeto, OBrienFleming, Pocock, Spending, WangTsiatis};
    match kind {
        "OF" => OBrienFleming,
        "P" => Pocock,
        "WT25" => WangTsiatis(0.25),
        "WT10" => WangTsiatis(0.1),
        "HP" => HaybittlePeto(3.5),
        "asOF" => Spending(SpendingFunction::OBrienFleming),
        "asP" => Spending(SpendingFunction::Pocock),
        "HSD_4" => Spending(SpendingFunction::HwangShihDeCani(-4.0)),
        "HSD1" => Spending(SpendingFunction::HwangShihDeCani(1.0)),
        "KD3" => Spending(SpendingFunction::KimDeMets(3.0)),
        other => panic!("{other}"),
    }
}

/// The design that a case of the fixture describes.
fn asked(case: &Value) -> GroupSequential {
    let one_sided = case.get("sided").is_none_or(|sided| sided == 1);
    GroupSequential::fractions(numbers(&case["fractions"]))
        .alpha(case["alpha"].as_f64().unwrap())
        .power(1.0 - case.get("beta").map_or(0.2, |b| b.as_f64().unwrap()))
        .efficacy(boundary(case["kind"].as_str().unwrap()))
        .alternative(if one_sided {
            Alternative::Greater
        } else {
            Alternative::TwoSided
        })
}

fn close(found: f64, expected: f64, tolerance: f64, what: &str) {
    assert!(
        (found - expected).abs() <= tolerance,
        "{what}: {found} {expected}"
    );
}

fn cases(name: &str) -> Vec<Value> {
    fixture("group_sequential")["values"][name]
        .as_array()
        .unwrap()
        .clone()
}

#[test]
fn bounds_are_those_of_rpact() {
    let cases = cases("bounds");
    assert!(cases.len() > 600);
    for case in &cases {
        let design = asked(case).design().unwrap();
        for (k, z) in numbers(&case["z"]).iter().enumerate() {
            // rpact solves to 1e-8 in probability: where a look spends next to nothing it has fewer digits of z.
            let before = k
                .checked_sub(1)
                .map_or(0.0, |k| design.looks[k].alpha_spent);
            let spends = design.looks[k].alpha_spent - before;
            let found = design.looks[k].efficacy;
            let gap = (found - z).abs();
            assert!(
                gap <= 1e-5 || gap * found * spends <= 1e-8,
                "{} {} {} look {k}: {found} {z}",
                case["kind"],
                case["sided"],
                case["alpha"]
            );
        }
    }
}

#[test]
fn futility_power_and_expected_sizes_are_those_of_rpact() {
    let cases = cases("futility");
    assert!(cases.len() > 50);
    for case in &cases {
        let kind = case["kind"].as_str().unwrap();
        let spending = match kind {
            "asOF" => SpendingFunction::OBrienFleming,
            "asP" => SpendingFunction::Pocock,
            "HSD_4" => SpendingFunction::HwangShihDeCani(-2.0),
            _ => SpendingFunction::KimDeMets(2.0),
        };
        let binding = case["binding"].as_bool().unwrap();
        let design = asked(case)
            .futility(spending)
            .binding(binding)
            .design()
            .unwrap();
        let what = format!("{kind} {binding} {}", design.looks.len());
        for (look, z) in design.looks.iter().zip(numbers(&case["z"])) {
            close(look.efficacy, z, 1e-5, &what);
        }
        for (look, z) in design.looks.iter().zip(numbers(&case["futility"])) {
            close(look.futility.unwrap(), z, 1e-5, &what);
        }
        let mut power = 0.0;
        for (stop, expected) in design
            .under_alternative
            .efficacy
            .iter()
            .zip(numbers(&case["power"]))
        {
            power += stop;
            close(power, expected, 1e-6, &what);
        }
        check_characteristics(&design, case, &what);
    }
    for case in crate::group_sequential::cases("plain") {
        let what = format!("{} {}", case["kind"], case["sided"]);
        check_characteristics(&asked(&case).design().unwrap(), &case, &what);
    }
}

fn check_characteristics(design: &GroupSequentialDesign, case: &Value, what: &str) {
    // rpact counts only the side of the effect, as we do, and rounds the drift of two-sided designs to 1e-6.
    close(
        design.drift.powi(2),
        case["shift"].as_f64().unwrap(),
        1e-5,
        what,
    );
    close(
        design.inflation,
        case["inflation"].as_f64().unwrap(),
        1e-6,
        what,
    );
    let cases = [
        &design.under_null,
        &design.midway,
        &design.under_alternative,
    ];
    for (case, expected) in cases.iter().zip(numbers(&case["expected"])) {
        close(case.expected_information, expected, 1e-5, what);
    }
}

#[test]
fn stage_wise_results_are_those_of_rpact() {
    for case in cases("final") {
        let design = GroupSequential::new(3)
            .alpha(0.025)
            .alternative(Alternative::Greater)
            .efficacy(boundary(case["kind"].as_str().unwrap()))
            .design()
            .unwrap();
        let mut monitor = design.monitor(case["maximum"].as_f64().unwrap()).unwrap();
        for (n, mean) in numbers(&case["n"]).iter().zip(numbers(&case["means"])) {
            monitor.look(mean, 1.0 / n.sqrt()).unwrap();
        }
        let found = monitor.analysis(0.95).unwrap();
        let what = case["kind"].to_string();
        close(found.p_value, case["p"].as_f64().unwrap(), 1e-6, &what);
        close(
            found.median_unbiased,
            case["median"].as_f64().unwrap(),
            1e-5,
            &what,
        );
        let ends = numbers(&case["interval"]);
        close(found.interval.lower, ends[0], 1e-5, &what);
        close(found.interval.upper, ends[1], 1e-5, &what);
    }
    for case in cases("conditional") {
        let design = GroupSequential::new(4)
            .alpha(0.025)
            .alternative(Alternative::Greater)
            .efficacy(boundary(case["kind"].as_str().unwrap()))
            .design()
            .unwrap();
        let mut monitor = design.monitor(200.0).unwrap();
        monitor.look(0.1, 1.0 / 50.0_f64.sqrt()).unwrap();
        monitor.look(0.12, 0.1).unwrap();
        let power = monitor.conditional_power(0.25).unwrap();
        close(
            power,
            case["power"].as_f64().unwrap(),
            1e-6,
            "conditional power",
        );
    }
}

#[test]
fn thirty_digits_of_a_bound() {
    // Where rpact 3.3.4 has 4.785231: the second of four looks, level 0.001, O'Brien–Fleming spending on either side. At 4.785147151095607 mpmath 1.4.1
    // (30 digits, adaptive quadrature) finds P(Z1 < b1, Z2 ≥ z) within 1e-20 of what may be spent.
    let design = GroupSequential::new(4)
        .alpha(0.001)
        .efficacy(boundary("asOF"))
        .design()
        .unwrap();
    close(
        design.looks[1].efficacy,
        4.785147151095607,
        1e-12,
        "second look",
    );
}

#[test]
fn printed_numbers_of_two_sided_tests_of_level_five_per_cent() {
    // Pocock's bounds as nominal p-values, as Wikipedia's "Pocock boundary" prints them.
    for (looks, p) in [(2, 0.0294), (3, 0.0221), (4, 0.0182), (5, 0.0158)] {
        let design = GroupSequential::new(looks)
            .efficacy(EfficacyBoundary::Pocock)
            .design()
            .unwrap();
        for look in &design.looks {
            close(look.nominal_p, p, 5e-5, "Pocock");
        }
    }
    // Maximum information of O'Brien–Fleming tests with power 0.9 for an effect of 0.25: SAS/STAT 14.1 User's Guide, SEQDESIGN, details.
    for (looks, information) in [(1, 168.12), (2, 169.32), (5, 172.57), (10, 174.42)] {
        let design = GroupSequential::new(looks).power(0.9).design().unwrap();
        let found = design.information(0.25).unwrap();
        close(found, information, 5e-3, "O'Brien–Fleming");
    }
}

/// P(the statistic leaves the region before or at the last look) without an effect: Simpson's rule on the scale of z, 1 − P(stay).
fn crossing(times: &[f64], bounds: &[f64], two_sided: bool) -> f64 {
    const POINTS: usize = 1201;
    let grid = |bound: f64| -> (Vec<f64>, Vec<f64>) {
        let high = bound.min(9.0);
        let low = if two_sided { -high } else { -9.0 };
        let h = (high - low) / (POINTS - 1) as f64;
        let weight = |i: usize| match i {
            0 => 1.0,
            i if i == POINTS - 1 => 1.0,
            i if i % 2 == 1 => 4.0,
            _ => 2.0,
        };
        (0..POINTS)
            .map(|i| (low + h * i as f64, weight(i) * h / 3.0))
            .unzip()
    };
    let density = |z: f64| (-0.5 * z * z).exp() / (2.0 * PI).sqrt();
    let (mut z, weights) = grid(bounds[0]);
    let mut mass: Vec<f64> = z
        .iter()
        .zip(&weights)
        .map(|(z, w)| w * density(*z))
        .collect();
    for k in 1..times.len() {
        let (next, weights) = grid(bounds[k]);
        let sd = (times[k] - times[k - 1]).sqrt();
        let (before, now) = (times[k - 1].sqrt(), times[k].sqrt());
        mass = (next.iter().zip(&weights))
            .map(|(y, w)| {
                let near = z.iter().zip(&mass).map(|(x, m)| {
                    let away = (now * y - before * x) / sd;
                    if away.abs() < 8.0 {
                        m * density(away)
                    } else {
                        0.0
                    }
                });
                near.sum::<f64>() * w * now / sd
            })
            .collect();
        z = next;
    }
    1.0 - mass.iter().sum::<f64>()
}

#[test]
fn another_recursion_gives_the_level_back() {
    let mut worst: f64 = 0.0;
    for (looks, alpha) in [
        (2, 0.001),
        (3, 0.1),
        (5, 0.025),
        (7, 0.05),
        (9, 0.01),
        (10, 0.01),
        (10, 0.001),
        (10, 0.1),
    ] {
        for kind in ["OF", "P", "asOF"] {
            for alternative in [Alternative::TwoSided, Alternative::Greater] {
                let design = GroupSequential::new(looks)
                    .alpha(alpha)
                    .alternative(alternative)
                    .efficacy(boundary(kind))
                    .design()
                    .unwrap();
                let times: Vec<f64> = design.looks.iter().map(|l| l.fraction).collect();
                let bounds: Vec<f64> = design.looks.iter().map(|l| l.efficacy).collect();
                let found = crossing(&times, &bounds, alternative == Alternative::TwoSided);
                let gap = (found - alpha).abs();
                assert!(
                    gap < 1e-8,
                    "{looks} {alpha} {kind} {alternative:?}: {gap:e}"
                );
                worst = worst.max(gap);
            }
        }
    }
    println!("largest gap {worst:e}");
}

#[test]
fn state_and_results_survive_serde_and_show_themselves() {
    let design = GroupSequential::new(40)
        .power(0.9)
        .alternative(Alternative::Less)
        .efficacy(EfficacyBoundary::Spending(SpendingFunction::OBrienFleming))
        .futility(SpendingFunction::HwangShihDeCani(-2.0))
        .design()
        .unwrap();
    let back: GroupSequentialDesign =
        serde_json::from_str(&serde_json::to_string(&design).unwrap()).unwrap();
    assert_eq!(back, design);
    let mut monitor = design.monitor(design.information(-0.2).unwrap()).unwrap();
    let se = |t: f64| 1.0 / (monitor.design().information(-0.2).unwrap() * t).sqrt();
    let errors = [se(0.001), se(0.3), se(0.7)];
    let first = monitor.look(-0.5, errors[0]).unwrap();
    // Nothing can be spent at a thousandth of the information.
    assert!(first.efficacy.is_infinite() && first.repeated_interval.upper.is_infinite());
    monitor.look(-0.15, errors[1]).unwrap();
    let text = serde_json::to_string(&monitor).unwrap();
    let mut restarted: GroupSequentialMonitor = serde_json::from_str(&text).unwrap();
    assert_eq!(restarted, monitor);
    let (a, b) = (
        monitor.look(-0.25, errors[2]).unwrap(),
        restarted.look(-0.25, errors[2]).unwrap(),
    );
    assert_eq!(a, b);
    assert_eq!(a.decision, SequentialDecision::Efficacy);
    let result = monitor.analysis(0.95).unwrap();
    assert!(result.interval.upper < 0.0 && result.median_unbiased < 0.0);
    let back: SequentialAnalysis =
        serde_json::from_str(&serde_json::to_string(&result).unwrap()).unwrap();
    assert_eq!(back, result);
    let power = MeanPower::new(1.0)
        .effect(-0.2)
        .alternative(Alternative::Less);
    let plan = design.sample_size(&power).unwrap();
    let back: GroupSequentialPlan =
        serde_json::from_str(&serde_json::to_string(&plan).unwrap()).unwrap();
    assert_eq!(back, plan);
    for shown in [
        design.to_string(),
        monitor.to_string(),
        result.to_string(),
        plan.to_string(),
    ] {
        assert!(shown.contains("look") || shown.contains("Look"), "{shown}");
        assert!(!shown.contains("NaN"), "{shown}");
    }
    assert!(monitor.to_html().contains("<table"));
    assert!(design.figure().unwrap().to_svg().contains("efficacy"));
    assert!(monitor.figure().unwrap().to_svg().contains("statistic"));
}
