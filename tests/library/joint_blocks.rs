//! The blocks of guarantees, of effort, and of beliefs told without error: against brute force, in a market, and what they refuse.

use super::support::{data, fixture};
use cocreate::prelude::*;
use cocreate::simulate::{ChosenWork, JointParticipation};

fn model(kind: &str) -> JointWillingness {
    let common = JointWillingness::new("participates ~ coupon + tool")
        .ability("x")
        .items(["item_1", "item_2"])
        .signals("signals", 0.5)
        .success("success")
        .money("coupon");
    match kind {
        "guarantee" => common.reported("report", 0.1).guarantee("guarantee"),
        "effort" => common.reported("report", 0.1).effort("effort ~ tool"),
        _ => common.reported("report", 0.0).report_error(0.0),
    }
}

#[test]
fn estimates_are_those_of_brute_force() {
    let record = fixture("joint_blocks");
    for value in record["values"].as_array().unwrap() {
        let kind = value["model"].as_str().unwrap();
        let frame = data(&format!("tests/reference/joint_blocks_{kind}.csv"));
        let fit = model(kind).nodes(11, 11).fit(&frame).unwrap();
        let found = fit.statistics().log_likelihood;
        let exact = value["log_likelihood"].as_f64().unwrap();
        assert!((found - exact).abs() < 5e-4, "{kind} {found} {exact}");
        let names = value["names"].as_array().unwrap();
        assert_eq!(names.len(), fit.names().len(), "{:?}", fit.names());
        for (name, exact) in names.iter().zip(value["estimates"].as_array().unwrap()) {
            let ours = fit.coefficient(name.as_str().unwrap()).unwrap();
            let off = (ours.estimate - exact.as_f64().unwrap()) / ours.std_error;
            assert!(off.abs() < 0.01, "{kind} {name} {ours} {exact}");
        }
    }
}

/// A market takes r, and the guarantees as they stand, from the fit.
#[test]
fn a_market_knows_the_guarantees_of_its_data() {
    let frame = data("tests/reference/joint_blocks_guarantee.csv");
    let fit = model("guarantee").nodes(5, 5).fit(&frame).unwrap();
    assert!(fit.identification().is_identified(Parameter::RiskAversion));
    let r = fit.risk_aversion().unwrap();
    assert_eq!(
        r.estimate,
        fit.coefficient("choice.risk_aversion").unwrap().estimate
    );
    let market = Market::fitted(&fit).unwrap();
    let found = market
        .compare(&[Policy::new("insure").guarantee(1.0)])
        .unwrap();
    // As things stand the model has the share that the data have.
    let share = frame
        .numeric("participates")
        .unwrap()
        .values()
        .iter()
        .sum::<f64>()
        / 900.0;
    let stands = found.status_quo(Outcome::Participation);
    assert!((stands.estimate - share).abs() < 0.02, "{stands} {share}");
    let effect = found.effect("insure", Outcome::Participation).unwrap();
    assert!(effect.estimate > 0.0 && effect.std_error > 0.0, "{effect}");
    assert!(
        found.to_string().contains("more than the 2 of the data"),
        "{found}"
    );
    let nothing = market.clone().at("guarantee", 0.0);
    let insured = nothing
        .compare(&[Policy::new("insure").guarantee(1.0)])
        .unwrap();
    let first = insured.effect("insure", Outcome::Participation).unwrap();
    // One more unit is worth less to those who have one.
    assert!(first.estimate > effect.estimate, "{first} {effect}");
    let error = market
        .risk_aversion(0.5)
        .compare(&[Policy::new("teach").signals(2)]);
    assert!(
        error
            .unwrap_err()
            .to_string()
            .contains("estimated from the guarantees")
    );
}

#[test]
fn what_blocks_lack_is_said() {
    let says = |model: JointWillingness, frame: &Frame, part: &str| {
        let error = model.fit(frame).unwrap_err();
        assert!(error.to_string().contains(part), "{error}");
    };
    let frame = data("tests/reference/joint_blocks_guarantee.csv");
    let n = frame.rows();
    let one = |values: Vec<f64>| frame.clone().replace("guarantee", values).unwrap();
    let half: Vec<f64> = (0..n).map(|i| (i % 2) as f64).collect();
    says(
        model("guarantee"),
        &one(half),
        "two positive guarantee levels",
    );
    let mut negative = vec![1.0; n];
    negative[3] = -1.0;
    says(model("guarantee"), &one(negative), "row 4");
    let free = |m: JointWillingness| m.signals("signals", 0.5).reported("report", 0.1);
    let bare = || JointWillingness::new("participates ~ coupon").items(["item_1", "item_2"]);
    says(
        free(bare()).success("success").guarantee("guarantee"),
        &frame,
        "a regressor in money",
    );
    says(
        free(bare()).money("coupon").guarantee("guarantee"),
        &frame,
        "is paid for",
    );
    let other = JointWillingness::new("participates ~ tool").success("success");
    says(
        free(other).money("coupon").guarantee("guarantee"),
        &frame,
        "a regressor of the choice",
    );
    says(model("guarantee").effort("x"), &frame, "lowers effort");
    says(
        bare().calibrated().effort("x"),
        &frame,
        "the return of effort",
    );
    let worked = data("tests/reference/joint_blocks_effort.csv");
    let effort = worked.numeric("effort").unwrap().values().to_vec();
    let with = |row: usize, value: f64| {
        let mut values = effort.clone();
        values[row] = value;
        worked.clone().replace("effort", values).unwrap()
    };
    let seen = effort.iter().position(|e| !e.is_nan()).unwrap();
    let unseen = effort.iter().position(|e| e.is_nan()).unwrap();
    says(
        model("effort"),
        &with(seen, -1.0),
        &format!("row {}", seen + 1),
    );
    says(model("effort"), &with(unseen, 1.0), "does not take part");
    let same: Vec<f64> = effort
        .iter()
        .map(|e| if e.is_nan() { *e } else { 2.0 })
        .collect();
    says(
        model("effort"),
        &worked.clone().replace("effort", same).unwrap(),
        "efforts that differ",
    );
    let mut both = JointParticipation::new().customers(10);
    both.guarantees = vec![0.0, 1.0];
    both.effort = Some(ChosenWork::default());
    let error = both.seed(1).simulate().unwrap_err();
    assert!(
        error.to_string().contains("where there are guarantees"),
        "{error}"
    );
    // Told without error.
    says(model("exact").report_error(-1.0), &frame, "report_error");
    says(
        model("guarantee").report_error(0.0),
        &frame,
        "a grid of zero",
    );
    says(
        bare().calibrated().report_error(0.3),
        &frame,
        "no belief is told",
    );
    let told = data("tests/reference/joint_blocks_exact.csv");
    let mut report = told.numeric("report").unwrap().values().to_vec();
    report[8] = 1.0;
    says(
        model("exact"),
        &told.replace("report", report).unwrap(),
        "row 9",
    );
}

/// A held error: at its estimate it changes nothing, and reports that are missing are no trouble where the others are exact.
#[test]
fn the_error_of_reports_may_be_held() {
    let frame = data("tests/reference/joint_willingness_free.csv");
    let model = || {
        JointWillingness::new("participates ~ coupon")
            .ability("x")
            .items(["item_1", "item_2", "item_3"])
            .success("success")
            .signals("signals", 0.5)
            .reported("report", 0.1)
            .nodes(5, 5)
    };
    let free = model().fit(&frame).unwrap();
    let error = free.coefficient("ln_sd_report").unwrap().estimate.exp();
    let held = model().report_error(error).fit(&frame).unwrap();
    assert!((held.statistics().log_likelihood - free.statistics().log_likelihood).abs() < 1e-5);
    assert!(held.coefficient("ln_sd_report").is_err());
    let premium = free.uncertainty_premium().unwrap();
    let product = -free.coefficient("choice.uncertainty").unwrap().estimate
        * free.prior_variance().unwrap().estimate;
    assert!((premium.estimate - product).abs() < 1e-12);
    let told = data("tests/reference/joint_blocks_exact.csv");
    let mut report = told.numeric("report").unwrap().values().to_vec();
    (0..300).for_each(|i| report[3 * i] = f64::NAN);
    let some = told.replace("report", report).unwrap();
    let exact = JointWillingness::new("participates ~ coupon + tool")
        .ability("x")
        .success("success")
        .signals("signals", 0.5);
    let fit = exact
        .reported("report", 0.0)
        .report_error(0.0)
        .fit(&some)
        .unwrap();
    assert!(fit.coefficient("atanh_rho").unwrap().std_error.is_finite());
}

#[test]
fn truths_are_recovered() {
    let process = |effort: Option<ChosenWork>| {
        let mut process = JointParticipation::new().customers(700);
        process.items.truncate(3);
        if effort.is_none() {
            process.guarantees = vec![0.0, 1.0, 3.0];
        }
        process.effort = effort;
        process
    };
    let fit = |process: &JointParticipation,
               model: &dyn Fn(JointWillingness) -> JointWillingness| {
        let made = process.clone().seed(4).simulate().unwrap();
        let common = JointWillingness::new("participates ~ coupon + tool")
            .ability("x")
            .overconfidence("x")
            .items(["item_1", "item_2", "item_3"])
            .reported("report", 0.05)
            .signals("signals", 0.5)
            .success("success")
            .money("coupon");
        model(common).nodes(7, 5).fit(&made.data).unwrap()
    };
    let near = |estimate: Estimate, truth: f64| {
        let z = (estimate.estimate - truth) / estimate.std_error;
        assert!(z.abs() < 3.5, "{estimate} {truth}");
    };
    let insured = process(None);
    let found = fit(&insured, &|m| m.guarantee("guarantee"));
    near(found.risk_aversion().unwrap(), insured.risk_aversion);
    near(
        found.coefficient("choice.coupon").unwrap(),
        insured.coupon_effect,
    );
    let work = ChosenWork::default();
    let worked = process(Some(work));
    let found = fit(&worked, &|m| m.effort("effort ~ tool"));
    near(
        found.coefficient("effort.(Intercept)").unwrap(),
        work.index[0],
    );
    near(found.coefficient("effort.tool").unwrap(), work.index[1]);
    near(found.coefficient("effort.belief").unwrap(), work.relief);
    near(found.coefficient("success.effort").unwrap(), work.returns);
    near(found.coefficient("ln_sd_effort").unwrap(), work.noise.ln());
    let error = Market::fitted(&found).unwrap_err();
    assert!(error.to_string().contains("block of effort"), "{error}");
}
