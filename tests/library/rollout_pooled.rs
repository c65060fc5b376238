//! Group-time effects of panels with gaps and of repeated cross-sections: against reference software, by simulation with known truth, and on bad input.

use crate::support::{agree, data, fixture, numbers};
use cocreate::prelude::*;
use cocreate::simulate::Cohort;
use serde_json::Value;

/// The rows that the fixture has.
fn with_gaps() -> Frame {
    let frame = data("tests/reference/rollout.csv");
    let keep: Vec<bool> = (0..frame.rows()).map(|row| row * 7 % 11 != 3).collect();
    frame.filter(&keep).unwrap()
}

fn model(case: &Value) -> CallawaySantAnna {
    let text = |key: &str| case[key].as_str();
    let mut model = if case["panel"] == true {
        CallawaySantAnna::new("y", "start", "unit", "year")
            .starts()
            .unbalanced()
    } else {
        CallawaySantAnna::repeated_cross_sections("y", "start", "year")
    };
    if text("control").is_some() {
        model = model.controls(ControlGroup::NotYetTreated);
    }
    if text("base").is_some() {
        model = model.base_period(BasePeriod::Universal);
    }
    if let Some(terms) = text("covariates") {
        model = model.covariates(terms);
    }
    if let Some(column) = text("weights") {
        model = model.weights(column);
    }
    match text("method") {
        Some("reg") => model.method(DidMethod::OutcomeRegression),
        Some("ipw") => model.method(DidMethod::InversePropensity),
        _ => model,
    }
}

#[test]
fn pooled_effects_and_their_aggregates_are_those_of_csdid() {
    let reference = fixture("rollout_pooled");
    let tolerance = reference["tolerance"].as_f64().unwrap();
    let frame = with_gaps();
    for case in reference["values"]["pooled"].as_array().unwrap() {
        let fit = model(case).fit(&frame).unwrap();
        let names: Vec<&str> = fit.names().iter().map(String::as_str).collect();
        let cells = case["cells"].as_array().unwrap();
        let theirs: Vec<&str> = cells.iter().map(|v| v.as_str().unwrap()).collect();
        assert_eq!(names, theirs);
        let count = fit.group_time().clusters() as f64;
        // Theirs have no factor G/(G − 1).
        let plain = ((count - 1.0) / count).sqrt();
        let errors = |fit: &RolloutEffects| -> Vec<f64> {
            fit.std_errors().iter().map(|e| e * plain).collect()
        };
        let estimates =
            |fit: &RolloutEffects| -> Vec<f64> { fit.estimates().iter().copied().collect() };
        let what = case.to_string();
        let what = &what[..what.len().min(60)];
        agree(
            what,
            &estimates(fit.group_time()),
            &numbers(&case["att"]),
            tolerance,
        );
        agree(
            what,
            &errors(fit.group_time()),
            &numbers(&case["se"]),
            tolerance,
        );
        let simple = fit.simple().unwrap();
        let cohorts = fit.by_cohort().unwrap();
        let average = fit.event_study().unwrap().average().unwrap();
        let last = cohorts.names().len() - 1;
        agree(
            what,
            &[estimates(&simple)[0], errors(&simple)[0]],
            &numbers(&case["simple"]),
            tolerance,
        );
        agree(
            what,
            &[estimates(&cohorts)[last], errors(&cohorts)[last]],
            &numbers(&case["group"]),
            tolerance,
        );
        agree(
            what,
            &[average.estimate, plain * average.std_error],
            &numbers(&case["dynamic"]),
            tolerance,
        );
    }
}

#[test]
fn controls_that_would_decide_alone_are_left_out_as_by_drdid() {
    let values = &fixture("rollout_pooled")["values"]["trimmed"];
    let [x, d, before, after] = ["x", "d", "before", "after"].map(|key| numbers(&values[key]));
    let n = x.len();
    let twice = |values: &[f64]| [values, values].concat();
    let frame = Frame::new()
        .with(
            "unit",
            twice(&(0..n).map(|i| i as f64).collect::<Vec<f64>>()),
        )
        .unwrap()
        .with("year", [vec![1.0; n], vec![2.0; n]].concat())
        .unwrap()
        .with(
            "start",
            twice(&d.iter().map(|d| 2.0 * d).collect::<Vec<f64>>()),
        )
        .unwrap()
        .with("x", twice(&x))
        .unwrap()
        .with("y", [before, after].concat())
        .unwrap();
    let plain = ((n as f64 - 1.0) / n as f64).sqrt();
    for (key, method) in [
        ("ipw", DidMethod::InversePropensity),
        ("dr", DidMethod::DoublyRobust),
    ] {
        let fit = CallawaySantAnna::new("y", "start", "unit", "year")
            .starts()
            .covariates("x")
            .method(method)
            .fit(&frame)
            .unwrap();
        let own = [fit.estimates()[0], plain * fit.std_errors()[0]];
        agree(key, &own, &numbers(&values[key]), 1e-7);
        assert!(fit.warnings()[0].to_string().contains("left out"), "{fit}");
    }
}

#[test]
fn a_panel_without_gaps_is_compared_as_a_panel() {
    let frame = data("tests/reference/rollout.csv");
    let panel = CallawaySantAnna::new("y", "treated", "unit", "year").covariates("x");
    let same = panel.clone().unbalanced().fit(&frame).unwrap();
    let panel = panel.fit(&frame).unwrap();
    assert_eq!(panel.estimates(), same.estimates());
    assert_eq!(Inference::covariance(&panel), Inference::covariance(&same));
    // Without covariates pooled means differ by the same; errors are those of independent rows, and larger.
    let rows = CallawaySantAnna::repeated_cross_sections("y", "start", "year")
        .fit(&frame)
        .unwrap();
    let plain = CallawaySantAnna::new("y", "treated", "unit", "year")
        .fit(&frame)
        .unwrap();
    agree(
        "means",
        rows.estimates().as_slice(),
        plain.estimates().as_slice(),
        1e-10,
    );
    assert!(rows.std_errors().sum() > 1.3 * plain.std_errors().sum());
    assert_eq!(rows.group_time().units(), frame.rows());
    // Rows in another order are the same rows; clusters of rows by unit are the panel's.
    let clustered = |frame: &Frame| {
        let model = CallawaySantAnna::repeated_cross_sections("y", "start", "year");
        model.clusters("unit").fit(frame).unwrap()
    };
    let order: Vec<usize> = (0..frame.rows()).map(|i| i * 631 % frame.rows()).collect();
    let mut turned = Frame::new();
    for name in ["y", "start", "year", "unit"] {
        let values = frame.numeric(name).unwrap().values().to_vec();
        turned = turned
            .with(name, order.iter().map(|i| values[*i]).collect::<Vec<f64>>())
            .unwrap();
    }
    let (one, other) = (clustered(&frame), clustered(&turned));
    agree(
        "rows in another order",
        other.std_errors().as_slice(),
        one.std_errors().as_slice(),
        1e-9,
    );
    agree(
        "clustered by unit",
        one.std_errors().as_slice(),
        plain.std_errors().as_slice(),
        1e-9,
    );
}

#[test]
fn intervals_of_panels_with_gaps_and_of_cross_sections_cover() {
    let runs = 200;
    let mut covered = [0; 2];
    // Effects of both cohorts by time since treatment, as often as each is in the mean of all treated cells.
    let truth = (1.0 + 1.5 + 2.0 + 2.5 + 0.5 + 0.3) / 6.0;
    for run in 0..runs {
        let cohort = |(start, effect, growth)| Cohort {
            start,
            effect,
            growth,
        };
        let rollout = StaggeredRollout {
            units: 300,
            periods: 6,
            cohorts: [(2, 1.0, 0.5), (4, 0.5, -0.2), (6, 0.0, 0.0)]
                .map(cohort)
                .to_vec(),
            keep_oracle: false,
            seed: Some(Seed::new(run)),
            ..StaggeredRollout::new()
        };
        let frame = rollout.simulate().unwrap().data;
        let numeric = |name: &str| frame.numeric(name).unwrap().values().to_vec();
        let (unit, period, treated) = (numeric("unit"), numeric("period"), numeric("treated"));
        let mut start = vec![f64::INFINITY; 301];
        for ((unit, period), treated) in unit.iter().zip(&period).zip(&treated) {
            if *treated > 0.5 {
                let own = &mut start[*unit as usize];
                *own = own.min(*period);
            }
        }
        let starts: Vec<f64> = unit.iter().map(|u| start[*u as usize]).collect();
        let frame = frame.with("start", starts).unwrap();
        let keep = |part: &dyn Fn(usize) -> bool| {
            frame
                .filter(&(0..frame.rows()).map(part).collect::<Vec<bool>>())
                .unwrap()
        };
        // Every sixth row is missing; each unit is asked in one period alone.
        let gaps = keep(&|row| !(row * 5 + run as usize).is_multiple_of(6));
        let asked = |unit: usize| ((unit * 2_654_435_761) >> 9) % 6;
        let sections = keep(&|row| asked(unit[row] as usize) + 1 == period[row] as usize);
        let gaps = CallawaySantAnna::new("y", "start", "unit", "period")
            .starts()
            .unbalanced()
            .fit(&gaps);
        let sections =
            CallawaySantAnna::repeated_cross_sections("y", "start", "period").fit(&sections);
        for (covered, fit) in covered.iter_mut().zip([gaps, sections]) {
            let interval = &fit
                .unwrap()
                .simple()
                .unwrap()
                .confidence_interval(0.95)
                .unwrap()[0];
            *covered += u32::from((interval.lower..=interval.upper).contains(&truth));
        }
    }
    println!("{covered:?} of {runs}");
    assert!(
        covered.iter().all(|c| (182..=200).contains(c)),
        "{covered:?}"
    );
}

#[test]
fn what_cannot_be_pooled_is_refused_or_named() {
    let frame = with_gaps();
    let refused = CallawaySantAnna::new("y", "treated", "unit", "year")
        .fit(&frame)
        .unwrap_err();
    assert!(refused.to_string().contains(".unbalanced()"), "{refused}");
    // A year in which a cohort has no rows.
    let numeric = |name: &str| frame.numeric(name).unwrap().values().to_vec();
    let (start, year) = (numeric("start"), numeric("year"));
    let keep: Vec<bool> = (start.iter().zip(&year))
        .map(|(start, year)| !(*start == 2003.0 && *year == 2005.0))
        .collect();
    let fit = CallawaySantAnna::repeated_cross_sections("y", "start", "year")
        .fit(&frame.filter(&keep).unwrap())
        .unwrap();
    assert!(fit.names().iter().all(|name| name != "ATT(2003, 2005)"));
    let notes: Vec<String> = fit.warnings().iter().map(ToString::to_string).collect();
    assert!(
        notes
            .iter()
            .any(|n| n.contains("no rows of the cohort") && n.contains("ATT(2003, 2005)")),
        "{notes:?}"
    );
    // A covariate that does not vary among the controls after treatment.
    let apart: Vec<f64> = (start.iter().zip(&year))
        .map(|(start, year)| f64::from(u8::from(*start > 0.0 && *year > 2004.5)))
        .collect();
    let text = CallawaySantAnna::repeated_cross_sections("y", "start", "year")
        .covariates("apart")
        .method(DidMethod::OutcomeRegression)
        .fit(&frame.clone().with("apart", apart).unwrap())
        .unwrap_err()
        .to_string();
    assert!(
        text.contains("vary among the") && text.contains("ATT("),
        "{text}"
    );
    let negative = frame.replace("start", vec![-1.0; frame.rows()]).unwrap();
    let text = CallawaySantAnna::repeated_cross_sections("y", "start", "year")
        .fit(&negative)
        .unwrap_err()
        .to_string();
    assert!(text.contains("never treated"), "{text}");
    let back: CallawaySantAnna = serde_json::from_str(
        &serde_json::to_string(&CallawaySantAnna::repeated_cross_sections(
            "y", "start", "year",
        ))
        .unwrap(),
    )
    .unwrap();
    assert_eq!(
        back,
        CallawaySantAnna::repeated_cross_sections("y", "start", "year")
    );
}

#[test]
fn units_that_enter_treated_are_left_out() {
    let frame = data("tests/reference/rollout.csv");
    let numeric = |name: &str| frame.numeric(name).unwrap().values().to_vec();
    let (unit, treated, start) = (numeric("unit"), numeric("treated"), numeric("start"));
    let one = unit[start.iter().position(|s| *s == 2004.0).unwrap()];
    // One unit of the cohort of 2004 has rows from 2004 on alone.
    let keep: Vec<bool> = (0..frame.rows())
        .map(|row| unit[row] != one || treated[row] > 0.5)
        .collect();
    let late = frame.filter(&keep).unwrap();
    let never: Vec<bool> = unit.iter().map(|u| *u != one).collect();
    let without = frame.filter(&never).unwrap();
    let names = ("y", "treated", "unit", "year");
    let fits = |frame: &Frame| {
        let interacted = SunAbraham::new(names.0, names.1, names.2, names.3)
            .fit(frame)
            .unwrap();
        let imputed = Imputation::new(names.0, names.1, names.2, names.3)
            .fit(frame)
            .unwrap();
        let noted = interacted.warnings().len();
        (
            interacted.simple().estimates()[0],
            imputed.estimates()[0],
            noted,
        )
    };
    let (a, b) = (fits(&late), fits(&without));
    assert!((a.0 - b.0).abs() < 1e-12 && (a.1 - b.1).abs() < 1e-12);
    assert_eq!(a.2, b.2 + 1);
    // Two units are treated in all years: no time since their treatment is known.
    let always: Vec<f64> = (unit.iter().zip(&treated))
        .map(|(unit, treated)| if *unit < 2.5 { 1.0 } else { *treated })
        .collect();
    let with = frame.replace("treated", always).unwrap();
    let rest: Vec<bool> = unit.iter().map(|unit| *unit > 2.5).collect();
    let two_way = |frame: &Frame| {
        let model = TwoWayFixedEffects::new(names.0, names.1, names.2, names.3);
        model.event_study(frame).unwrap()
    };
    let (with, rest) = (two_way(&with), two_way(&frame.filter(&rest).unwrap()));
    assert_eq!(with.estimates(), rest.estimates());
    assert!(
        with.warnings()[0]
            .to_string()
            .starts_with("2 units treated from")
    );
}

#[test]
fn leads_of_imputation_are_those_of_untreated_rows() {
    let reference = fixture("imputation_leads");
    let frame = data("tests/reference/rollout.csv");
    let tolerance = reference["tolerance"].as_f64().unwrap();
    for case in reference["values"].as_array().unwrap() {
        let leads = case["leads"].as_u64().unwrap() as usize;
        let mut plain = Imputation::new("y", "treated", "unit", "year")
            .clusters(case["cluster"].as_str().unwrap());
        if let Some(column) = case["weights"].as_str() {
            plain = plain.weights(column);
        }
        if let Some(terms) = case["covariates"].as_str() {
            plain = plain.covariates(terms);
        }
        let study = |model: &Imputation| model.fit(&frame).unwrap().event_study().clone();
        let (with, without) = (study(&plain.clone().leads(leads)), study(&plain));
        assert_eq!(with.before().len(), leads);
        assert_eq!(with.before()[leads - 1], "t-1");
        let estimates = with.estimates().as_slice();
        agree(
            "leads",
            &estimates[..leads],
            &numbers(&case["estimates"]),
            tolerance,
        );
        // Effects after treatment do not know of them.
        agree(
            "effects",
            &estimates[leads..],
            without.estimates().as_slice(),
            1e-12,
        );
        let covariance = Inference::covariance(&with);
        let rows: Vec<Vec<f64>> = case["covariance"]
            .as_array()
            .unwrap()
            .iter()
            .map(numbers)
            .collect();
        for i in 0..leads {
            let own: Vec<f64> = (0..leads).map(|j| covariance[(i, j)]).collect();
            agree("covariance", &own, &rows[i], tolerance);
        }
        let after = covariance.view(
            (leads, leads),
            (without.times().len(), without.times().len()),
        );
        assert!((after - Inference::covariance(&without)).amax() < 1e-14);
        assert!(with.pre_trend_test().unwrap().p_value > 0.0);
    }
    let refused = |model: Imputation| model.fit(&frame).unwrap_err().to_string();
    let all = refused(Imputation::new("y", "treated", "unit", "year").leads(5));
    assert!(all.contains("fewer leads"), "{all}");
    let more = refused(Imputation::new("y", "treated", "unit", "year").leads(60));
    assert!(more.contains("fewer leads"), "{more}");
    let two = refused(Imputation::two_stage("y", "treated", "unit", "year").leads(1));
    assert!(two.contains("two stages"), "{two}");
}

#[test]
fn the_test_of_leads_keeps_its_size_and_is_independent_of_the_effect() {
    let runs = 400;
    let (mut rejected, mut pairs) = (0, Vec::new());
    for run in 0..runs {
        let rollout = StaggeredRollout {
            units: 120,
            periods: 8,
            keep_oracle: false,
            seed: Some(Seed::new(run)),
            ..StaggeredRollout::new()
        };
        let frame = rollout.simulate().unwrap().data;
        let fit = Imputation::new("y", "treated", "unit", "period")
            .leads(2)
            .fit(&frame)
            .unwrap();
        let study = fit.event_study();
        rejected += u32::from(study.pre_trend_test().unwrap().p_value < 0.05);
        pairs.push((
            study.at(-1.0).unwrap().estimate,
            study.at(0.0).unwrap().estimate,
        ));
    }
    let count = runs as f64;
    let mean = |f: &dyn Fn(&(f64, f64)) -> f64| pairs.iter().map(f).sum::<f64>() / count;
    let (a, b) = (mean(&|p| p.0), mean(&|p| p.1));
    let product = mean(&|p| (p.0 - a) * (p.1 - b));
    let spread = mean(&|p| (p.0 - a).powi(2)) * mean(&|p| (p.1 - b).powi(2));
    let correlation = product / spread.sqrt();
    println!("rejected {rejected} of {runs}, correlation {correlation}");
    assert!((8..=34).contains(&rejected), "{rejected}");
    assert!(correlation.abs() < 3.5 / count.sqrt(), "{correlation}");
}
