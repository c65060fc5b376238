//! Matching without replacement: references, what its intervals cover, what must hold for any data, and bad input.

use crate::support::{agree, data, fixture, numbers};
use cocreate::prelude::*;
use proptest::prelude::*;
use proptest::test_runner::Config;
use rand::RngExt;

fn pair(fit: &SetsFit) -> [f64; 2] {
    [fit.estimates()[0], fit.covariance()[(0, 0)].sqrt()]
}

/// The rows of the other arm in the set of each treated row, from 1.
fn matches(fit: &SetsFit, treated: &[bool]) -> Vec<Vec<usize>> {
    let of = |set: u32| -> Vec<usize> {
        let rows = fit.set_of().iter().enumerate();
        rows.filter(|(i, s)| **s == Some(set) && !treated[*i]).map(|(i, _)| i + 1).collect()
    };
    let focal = (0..treated.len()).filter(|i| treated[*i]);
    focal.map(|i| fit.set_of()[i].map_or_else(Vec::new, of)).collect()
}

#[test]
fn greedy_matches_are_those_of_their_definition_and_of_matching() {
    let all = data("tests/reference/causal.csv");
    let w = all.numeric("w").unwrap().values().to_vec();
    let keep: Vec<bool> = (1..=w.len()).map(|i| w[i - 1] < 0.5 || i % 3 == 0).collect();
    let few = all.filter(&keep).unwrap();
    let treated: Vec<bool> = few.numeric("w").unwrap().values().iter().map(|w| *w > 0.5).collect();
    let half: Vec<bool> = few.real("x2").unwrap().iter().map(|x| *x > 0.0).collect();
    let few = few.with("half", half).unwrap();
    let cases = fixture("matching")["values"]["greedy"].as_array().unwrap().clone();
    assert_eq!(cases.len(), 26);
    for case in cases {
        let mut model = SetMatching::greedy("y", "w", "x1 + x2")
            .ratio(case["ratio"].as_u64().unwrap() as usize)
            .distance(if case["link"] == "logit" { MatchDistance::Propensity } else { MatchDistance::LogOdds })
            .order(match case["order"].as_str().unwrap() {
                "largest" => MatchOrder::Hardest,
                "smallest" => MatchOrder::Easiest,
                _ => MatchOrder::Data,
            });
        if case["limit"] == "exact" {
            model = model.exact(&["half"]);
        }
        if let Some(caliper) = case["caliper"].as_f64() {
            model = model.caliper(caliper);
        }
        let fit = model.fit(&few).unwrap();
        let theirs: Vec<Vec<usize>> = case["matches"].as_array().unwrap().iter().map(|m| {
            let mut rows: Vec<usize> = numbers(m).iter().filter(|j| **j > 0.0).map(|j| *j as usize).collect();
            rows.sort_unstable();
            rows
        }).collect();
        let name = format!("{} {} {} {}", case["link"], case["order"], case["ratio"], case["limit"]);
        assert_eq!(matches(&fit, &treated), theirs, "{name}");
        agree(&name, &pair(&fit), &numbers(&case["effect"]), 1e-10);
    }
}

#[test]
fn optimal_and_full_matches_solve_their_linear_programmes() {
    let values = &fixture("set_matching")["values"];
    let d = data("tests/reference/causal.csv").head(300);
    let w = d.numeric("w").unwrap().values().to_vec();
    let mut seen = 0.0;
    let keep: Vec<bool> = w.iter().map(|w| { seen += w; *w < 0.5 || seen <= 60.0 }).collect();
    let few = d.filter(&keep).unwrap();
    let optimal = || SetMatching::optimal("y", "w", "x1 + x2");
    let full = || SetMatching::full("y", "w", "x1 + x2");
    for (name, effect, model, frame) in [
        ("pairs", "effect", optimal(), &d),
        ("two", "effect", optimal().ratio(2), &few),
        ("variable", "effect", optimal().variable_ratio(1, 4, 1.5), &few),
        ("full", "effect", full(), &d),
        ("full", "effect_all", full().estimand(Estimand::Ate), &d),
    ] {
        let fit = model.fit(frame).unwrap();
        agree(&format!("{name} {effect}"), &pair(&fit), &numbers(&values[name][effect]), 1e-10);
    }
}
