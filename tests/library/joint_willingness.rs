//! The joint model of willingness: against brute force, under calibrated beliefs, what it refuses, and what must not matter.

use super::support::{data, fixture};
use cocreate::prelude::*;
use cocreate::simulate::{JointFlaw, JointParticipation};

const ITEMS: [&str; 3] = ["item_1", "item_2", "item_3"];

fn free() -> JointWillingness {
    JointWillingness::new("participates ~ coupon")
        .ability("x")
        .items(ITEMS)
        .success("success")
        .signals("signals", 0.5)
        .reported("report", 0.1)
}

fn calibrated() -> JointWillingness {
    JointWillingness::new("participates ~ coupon")
        .ability("x")
        .items(ITEMS)
        .success("success")
        .signals_seen("signals", "signal")
        .rated("rating")
        .calibrated()
}

#[test]
fn estimates_are_those_of_brute_force() {
    let record = fixture("joint_willingness");
    for value in record["values"].as_array().unwrap() {
        let model = value["model"].as_str().unwrap();
        let frame = data(&format!("tests/reference/joint_willingness_{model}.csv"));
        let estimator = if model == "free" {
            free()
        } else {
            calibrated()
        };
        let fit = estimator.nodes(21, 21).fit(&frame).unwrap();
        let found = fit.statistics().log_likelihood;
        let exact = value["log_likelihood"].as_f64().unwrap();
        assert!((found - exact).abs() < 1e-5, "{model} {found} {exact}");
        let names = value["names"].as_array().unwrap();
        assert_eq!(names.len(), fit.names().len(), "{:?}", fit.names());
        for (name, exact) in names.iter().zip(value["estimates"].as_array().unwrap()) {
            let ours = fit.coefficient(name.as_str().unwrap()).unwrap();
            let off = (ours.estimate - exact.as_f64().unwrap()) / ours.std_error;
            assert!(off.abs() < 0.01, "{model} {name} {ours} {exact}");
        }
        // Eleven by nine nodes, the default, are enough.
        let estimator = if model == "free" {
            free()
        } else {
            calibrated()
        };
        let fewer = estimator.fit(&frame).unwrap();
        assert!((fewer.statistics().log_likelihood - found).abs() < 2e-3);
    }
}

#[test]
fn calibrated_beliefs_are_recovered() {
    let process = JointParticipation::new().customers(4_000).calibrated();
    let made = process.clone().seed(11).simulate().unwrap();
    let fit = JointWillingness::new("participates ~ coupon + tool")
        .ability("x")
        .items(["item_1", "item_2", "item_3", "item_4"])
        .rated("rating")
        .signals_seen("signals", "signal")
        .calibrated()
        .success("success")
        .money("coupon")
        .fit(&made.data)
        .unwrap();
    let v0 = process.prior_variance;
    let truths = [
        (fit.coefficient("ability.x").unwrap(), process.ability[1]),
        (fit.coefficient("choice.belief").unwrap(), process.taste),
        (
            fit.coefficient("choice.uncertainty").unwrap(),
            process.uncertainty,
        ),
        (fit.rho().unwrap(), process.rho),
        (fit.prior_variance().unwrap(), v0),
        (
            fit.coefficient("ln_sd_signal").unwrap(),
            0.5 * process.signal_variance.ln(),
        ),
        (fit.coefficient("rating.belief").unwrap(), process.rating[1]),
        (fit.taste().unwrap(), process.taste / process.coupon_effect),
        (
            fit.ambiguity_aversion().unwrap(),
            -2.0 * process.uncertainty * process.coupon_effect / process.taste.powi(2),
        ),
    ];
    for (estimate, truth) in truths {
        let z = (estimate.estimate - truth) / estimate.std_error;
        assert!(z.abs() < 3.5, "{estimate} {truth}");
    }
}

/// Those who take part are not like the others: their success alone says too much of ability.
#[test]
fn participants_alone_mislead_about_ability() {
    let process = JointParticipation::new().customers(4_000);
    let made = process.clone().seed(5).simulate().unwrap();
    let fit = JointWillingness::new("participates ~ coupon + tool")
        .ability("x")
        .items(["item_1", "item_2", "item_3", "item_4"])
        .reported("report", 0.05)
        .signals("signals", 0.5)
        .success("success")
        .fit(&made.data)
        .unwrap();
    let naive = Probit::new("success ~ x").fit(&made.data).unwrap();
    // Probit of ability plus noise has the scale √(1 + σ_a²).
    let scale = (1.0 + process.sd_ability.powi(2)).sqrt();
    let constant = naive.coefficient("(Intercept)").unwrap();
    let wrong = (constant.estimate - process.ability[0] / scale) / constant.std_error;
    assert!(wrong > 4.0, "{constant}");
    let joint = fit.coefficient("ability.(Intercept)").unwrap();
    let right = (joint.estimate - process.ability[0]) / joint.std_error;
    assert!(right.abs() < 3.0, "{joint}");
}

/// Choices that depend on ability beyond the belief break the model: the belief's coefficient and the variance of beliefs take up what is not theirs.
#[test]
fn a_direct_loading_on_ability_is_seen_in_the_weight_of_signals() {
    let process = JointParticipation::new().customers(6_000);
    let fit = |flaw: Option<JointFlaw>| {
        let mut process = process.clone();
        process.flaw = flaw;
        let made = process.seed(8).simulate().unwrap();
        JointWillingness::new("participates ~ coupon + tool")
            .ability("x")
            .items(["item_1", "item_2", "item_3", "item_4"])
            .reported("report", 0.05)
            .signals("signals", 0.5)
            .success("success")
            .fit(&made.data)
            .unwrap()
            .coefficient("ln_sd_belief")
            .unwrap()
    };
    let truth = process.sd_belief.ln();
    let z = |e: &Estimate| (e.estimate - truth) / e.std_error;
    let (sound, broken) = (fit(None), fit(Some(JointFlaw::ChoiceOnAbility)));
    assert!(
        z(&sound).abs() < 3.0 && z(&broken).abs() > z(&sound).abs(),
        "{sound} {broken}"
    );
}

#[test]
fn rows_and_weights_do_not_matter() {
    let made = JointParticipation::new()
        .customers(700)
        .seed(3)
        .simulate()
        .unwrap();
    let frame = made.data;
    let n = frame.rows();
    let model = || {
        free()
            .reported("report", 0.05)
            .covariance(Covariance::Classical)
    };
    let fit = model().fit(&frame).unwrap();
    let turned = Frame::new();
    let turned = frame.names().iter().fold(turned, |out, name| {
        let mut values = frame.numeric(name).unwrap().values().to_vec();
        values.reverse();
        out.with(name.clone(), values).unwrap()
    });
    let twice = frame.names().iter().fold(Frame::new(), |out, name| {
        let values = frame.numeric(name).unwrap().values().to_vec();
        out.with(name.clone(), [values.clone(), values].concat())
            .unwrap()
    });
    let counted = frame.clone().with("count", vec![2.0; n]).unwrap();
    let reversed = model().fit(&turned).unwrap();
    let doubled = model().fit(&twice).unwrap();
    let weighted = model().frequency_weights("count").fit(&counted).unwrap();
    for own in fit.coefficients() {
        let of = |other: &JointWillingnessFit| other.coefficient(&own.name).unwrap();
        for other in [of(&reversed), of(&doubled), of(&weighted)] {
            assert!(
                (own.estimate - other.estimate).abs() < 1e-3 * own.std_error,
                "{own} {other}"
            );
        }
        assert!((of(&reversed).std_error / own.std_error - 1.0).abs() < 1e-4);
        let half = own.std_error / 2f64.sqrt();
        assert!((of(&doubled).std_error / half - 1.0).abs() < 1e-3, "{own}");
        assert!((of(&weighted).std_error / half - 1.0).abs() < 1e-3, "{own}");
    }
}

#[test]
fn what_is_not_identified_is_refused_by_name() {
    let frame = JointParticipation::new()
        .customers(300)
        .seed(1)
        .simulate()
        .unwrap()
        .data;
    let model = || JointWillingness::new("participates ~ coupon").items(["item_1", "item_2"]);
    let says = |model: JointWillingness, frame: &Frame, part: &str| {
        let error = model.fit(frame).unwrap_err();
        assert!(error.to_string().contains(part), "{error}");
    };
    says(
        JointWillingness::new("participates ~ coupon"),
        &frame,
        "ability is not identified",
    );
    says(model().reported("report", 0.05), &frame, "success");
    says(
        model().success("success").rated("rating"),
        &frame,
        "free scale",
    );
    says(
        model().success("success").reported("report", 0.05),
        &frame,
        "belief variance",
    );
    let counted = model()
        .success("success")
        .reported("report", 0.05)
        .signals_counted("signals");
    says(counted, &frame, "known in units of ability");
    says(
        model().calibrated().signals("signals", -1.0),
        &frame,
        "a positive variance",
    );
    says(model().calibrated().nodes(2, 9), &frame, "nodes of ability");
    says(
        model().calibrated().items(["item_1", "item_1"]),
        &frame,
        "item_1",
    );
    says(model().calibrated().items(["item_9"]), &frame, "item_9");
    let n = frame.rows();
    let with = |column: &str, values: Vec<f64>| frame.clone().replace(column, values).unwrap();
    let same = with("signals", vec![2.0; n]);
    says(
        model().calibrated().signals_counted("signals"),
        &same,
        "all have the same",
    );
    let all_pass = with("item_1", vec![1.0; n]);
    says(model().calibrated(), &all_pass, "both 0 and 1");
    let mut signals = frame.real("signals").unwrap().to_vec();
    signals[4] = -1.0;
    says(
        model().calibrated().signals_counted("signals"),
        &with("signals", signals),
        "row 5",
    );
    let mut report = frame.real("report").unwrap().to_vec();
    report[6] = 0.533;
    says(
        model()
            .success("success")
            .prior_variance(0.5)
            .reported("report", 0.05),
        &with("report", report),
        "row 7",
    );
    let mut success = frame.real("success").unwrap().to_vec();
    let out = success.iter().position(|s| s.is_nan()).unwrap();
    success[out] = 1.0;
    says(
        model().calibrated().success("success"),
        &with("success", success),
        &format!("row {}", out + 1),
    );
    let mut average = frame.real("signal").unwrap().to_vec();
    let had = average.iter().position(|s| !s.is_nan()).unwrap();
    average[had] = f64::NAN;
    let seen = model().calibrated().signals_seen("signals", "signal");
    says(seen, &with("signal", average), &format!("row {}", had + 1));
}

#[test]
fn a_fit_tells_what_it_is_made_of_and_survives_a_file() {
    let frame = JointParticipation::new()
        .customers(800)
        .seed(2)
        .simulate()
        .unwrap()
        .data;
    let fit = free()
        .reported("report", 0.05)
        .money("coupon")
        .fit(&frame)
        .unwrap();
    let text = fit.to_string();
    for part in [
        "ability.x",
        "choice.belief",
        "rho",
        "taste θ",
        "starts lead to this maximum",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
    assert!(fit.to_html().contains("<table"));
    assert!(fit.identification().to_string().contains("overconfidence"));
    let clustered = fit.with_covariance(Covariance::Classical).unwrap();
    assert!(clustered.coefficient("ability.x").unwrap().std_error > 0.0);
    let back: JointWillingnessFit =
        serde_json::from_str(&serde_json::to_string(&fit).unwrap()).unwrap();
    assert_eq!(back.names(), fit.names());
    assert_eq!(back.estimates(), fit.estimates());
    // Regressors of success alone may be missing where it is not seen.
    let n = frame.rows();
    let success = frame.real("success").unwrap().to_vec();
    let hours: Vec<f64> = (0..n)
        .map(|i| {
            if success[i].is_nan() {
                f64::NAN
            } else {
                ((i * 37) % 11) as f64 / 11.0
            }
        })
        .collect();
    let with = frame.with("hours", hours).unwrap();
    let fit = free()
        .reported("report", 0.05)
        .success("success ~ hours")
        .fit(&with)
        .unwrap();
    assert!((fit.statistics().observations - n as f64).abs() <= 0.0);
    assert!(fit.coefficient("success.hours").unwrap().estimate.abs() < 1.0);
    // The same for any number of threads.
    let again = free()
        .reported("report", 0.05)
        .success("success ~ hours")
        .fit(&with)
        .unwrap();
    assert_eq!(again.estimates(), fit.estimates());
}
