//! Roll-outs of published vignettes: minimum wages and the employment of teens in counties, Medicaid and health insurance in states.

use crate::support::{agree, data, fixture, numbers};
use cocreate::prelude::*;
use serde_json::Value;

/// One row a county and year.
fn counties() -> Frame {
    let wide = data("tests/reference/county_employment.csv");
    let column = |name: &str| wide.numeric(name).unwrap().values().to_vec();
    let years = 2003..=2007;
    let repeat = |name: &str| column(name).repeat(years.clone().count());
    let employment = years
        .clone()
        .flat_map(|year| column(&format!("lemp{year}")));
    let year = years
        .clone()
        .flat_map(|year| vec![f64::from(year); wide.rows()]);
    Frame::new()
        .with("county", repeat("county"))
        .unwrap()
        .with("start", repeat("start"))
        .unwrap()
        .with("lpop", repeat("lpop"))
        .unwrap()
        .with("year", year.collect::<Vec<f64>>())
        .unwrap()
        .with("lemp", employment.collect::<Vec<f64>>())
        .unwrap()
}

#[test]
fn teen_employment_under_minimum_wages_is_that_of_did() {
    let reference = fixture("rollout_published");
    let tolerance = reference["tolerance"].as_f64().unwrap();
    let frame = counties();
    let plain = (499.0_f64 / 500.0).sqrt();
    let start = || CallawaySantAnna::new("lemp", "start", "county", "year").starts();
    for (key, model) in [
        ("never", start()),
        ("not_yet", start().controls(ControlGroup::NotYetTreated)),
        (
            "never_reg_lpop",
            start()
                .covariates("lpop")
                .method(DidMethod::OutcomeRegression),
        ),
        ("never_dr_lpop", start().covariates("lpop")),
    ] {
        let values = &reference["values"][key];
        let fit = model.fit(&frame).unwrap();
        let errors: Vec<f64> = fit.std_errors().iter().map(|e| e * plain).collect();
        agree(
            key,
            fit.estimates().as_slice(),
            &numbers(&values["att"]),
            tolerance,
        );
        agree(key, &errors, &numbers(&values["se"]), tolerance);
        let last = |effects: RolloutEffects| -> Estimate { effects.coefficients().pop().unwrap() };
        let overall: [(&str, Estimate); 4] = [
            ("simple", last(fit.simple().unwrap())),
            ("group", last(fit.by_cohort().unwrap())),
            ("calendar", last(fit.by_period().unwrap())),
            ("dynamic", fit.event_study().unwrap().average().unwrap()),
        ];
        for (kind, own) in overall {
            let own = [own.estimate, plain * own.std_error];
            agree(kind, &own, &numbers(&values["overall"][kind]), tolerance);
        }
    }
}

#[test]
fn health_insurance_under_medicaid_is_as_robust_as_published() {
    let values = &fixture("rollout_published")["values"]["insurance"];
    let frame = data("tests/reference/health_insurance.csv");
    let study = TwoWayFixedEffects::new("dins", "treated", "stfips", "year")
        .event_study(&frame)
        .unwrap();
    assert_eq!((study.before().len(), study.after().len()), (5, 2));
    let rows = |key: &str| -> Vec<Vec<f64>> {
        let list: &Vec<Value> = values[key].as_array().unwrap();
        list.iter().map(numbers).collect()
    };
    let bounds = |rows: &[Vec<f64>]| -> Vec<f64> { rows.iter().map(|row| row[0]).collect() };
    let relative = rows("relative");
    let sets = study
        .relative_magnitudes(&[0.0], &bounds(&relative), 0.95)
        .unwrap();
    // Theirs are values of a grid of 0.04 standard errors, by a simulated critical value.
    let grid = 0.08 * sets.std_error;
    for (own, row) in sets.intervals.iter().zip(&relative) {
        let gap = (own.lower - row[1]).abs().max((own.upper - row[2]).abs());
        assert!(gap < grid, "{own:?} and not {row:?}");
    }
    assert!((1.9..2.0).contains(&sets.breakdown), "{}", sets.breakdown);
    let smooth = rows("smooth");
    let intervals = study
        .trend_sensitivity(&[0.0], &bounds(&smooth), 0.95)
        .unwrap();
    for (own, row) in intervals.intervals.iter().zip(&smooth) {
        let gap = (own.lower - row[1]).abs().max((own.upper - row[2]).abs());
        assert!(gap < 1e-3, "{own:?} and not {row:?}");
        // Three digits are printed.
        println!("{own:?} {row:?}");
    }
}
