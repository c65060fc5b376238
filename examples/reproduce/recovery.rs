//! Do the estimators find the truth? Simulated samples of the models that nobody has published, with stored results of which some are made again.

#[path = "../../tests/library/participation_recovery/mod.rs"]
#[allow(dead_code)]
mod studies;

use crate::experiment::{Experiment, Findings, Published};
use cocreate::prelude::*;
use serde_json::Value;

const IDENTIFICATION: &str = "The samples are drawn from the model itself, whose parameters are identified as its documentation says. The truth is known.";
const STUDY: &str = "Samples are drawn with the truth known, and the model is fitted to each. Estimates and intervals of all samples are stored as \
                     means; the first samples are drawn and fitted again and compared bit for bit. `COCREATE_RECOVERY=name cargo test --release --test library \
                     truths_are -- --nocapture` makes a study anew.";
const TABLE: &str = "Bias in standard errors, coverage of 95 % intervals, and standard errors beside the spread of the estimates";

/// An experiment on the studies of these names.
macro_rules! recovery {
    ($name:ident, $key:literal, $title:literal, $paper:literal, $data:literal, $estimator:literal, [$($study:literal),+]) => {
        pub const $name: Experiment = Experiment {
            name: $key,
            title: $title,
            authors: "models of this library",
            paper: $paper,
            table: TABLE,
            data: $data,
            estimator: $estimator,
            formulas: &[],
            study: STUDY,
            identification: IDENTIFICATION,
            run: |_, _| run(&[$($study),+]),
        };
    };
}

recovery!(
    JOINT,
    "joint_recovery",
    "The joint model of willingness finds the truth (in silico)",
    "no paper: 5,000 customers of uncertain ability in a trial of signals, a coupon and a tool, 200 times",
    "simulate::JointParticipation",
    "JointWillingness by maximum likelihood, robust errors; and the effects of teaching by Market",
    ["joint_willingness"]
);
recovery!(
    LEARNING,
    "learning_recovery",
    "Panels of customers who learn give the truth away (in silico)",
    "no paper: 2,000 customers over 12 periods, whose signals are seen",
    "simulate::LearningPanel",
    "LearningPanelModel by maximum likelihood, errors clustered by customer",
    ["learning_seen"]
);
recovery!(
    STOPPING,
    "stopping_recovery",
    "Trials before purchase give the truth away (in silico)",
    "no paper: 2,000 customers who try before they buy",
    "simulate::TrialPanel",
    "TrialStopping by nested fixed point, robust errors",
    ["trial_stopping"]
);
recovery!(
    EXCHANGE,
    "exchange_recovery",
    "The exchange of participation and data gives the truth away (in silico)",
    "no paper: bargains over data and participation, randomised incentives in both markets, offers for data",
    "simulate::DataExchange",
    "NashBargaining, CrossEffects and OfferChoice, robust errors",
    ["nash_bargaining", "cross_effects", "offer_choice"]
);

/// What is asked of every study.
fn run(names: &[&str]) -> Result<Findings> {
    let known = studies::read();
    let mut findings = Findings::new();
    let (mut again, mut same) = (0.0, 0.0);
    for model in studies::models() {
        if !names.contains(&model.name) {
            continue;
        }
        let all = known["values"].as_array();
        let stored = all.and_then(|all| all.iter().find(|v| v["name"] == model.name));
        let stored = stored.ok_or_else(|| Error::InvalidOption {
            option: "study".to_owned(),
            value: model.name.to_owned(),
            expected: "one that is stored in tests/reference/participation_recovery.json"
                .to_owned(),
        })?;
        for replication in 0..model.stored {
            again += 1.0;
            let found = studies::bits(&studies::replicate(&model, replication)?);
            same += f64::from(u8::from(found == stored["stored"][replication]));
        }
        findings = judged(findings, model.name, stored);
    }
    let bits = Published::computed("samples made again with the same bits", again, 0, 0.0);
    Ok(findings.compare(bits, same).remark(
        "A bias below a tenth of a standard error is asked for, or what chance leaves open: 3.5 Monte Carlo errors, with 200 samples a quarter. Coverage may differ from \
         95 % by 3.5 Monte Carlo errors.",
    ))
}

/// A study beside what is asked of it.
fn judged(findings: Findings, name: &str, stored: &Value) -> Findings {
    const AWAY: f64 = 3.5;
    let number = |value: &Value| value.as_f64().unwrap_or(f64::NAN);
    let samples = number(&stored["replications"]);
    let parameters = stored["parameters"]
        .as_array()
        .map_or(&[][..], Vec::as_slice);
    let quantity = |what: &str| -> &'static str { String::leak(format!("{name}: {what}")) };
    let most = |f: &dyn Fn(&Value) -> f64| parameters.iter().map(f).fold(0.0, f64::max);
    let bias = most(&|p| (number(&p["bias"]) / number(&p["sd"])).abs());
    let coverage = most(&|p| (number(&p["coverage"]) - 0.95).abs());
    let spread = most(&|p| (number(&p["mean_std_error"]) / number(&p["sd"]) - 1.0).abs());
    let (asked, chance) = (0.1, AWAY / samples.sqrt());
    let error = (0.95 * 0.05 / samples).sqrt();
    let mut table =
        Table::new(format!("{name}: {samples} samples of {}", stored["rows"])).columns([
            "",
            "Truth",
            "Bias",
            "in s.e.",
            "Spread",
            "Mean s.e.",
            "Coverage",
        ]);
    for p in parameters {
        table = table.row([
            Cell::text(p["name"].as_str().unwrap_or_default()),
            Cell::fixed(number(&p["truth"]), 4),
            Cell::fixed(number(&p["bias"]), 4),
            Cell::fixed(number(&p["bias"]) / number(&p["sd"]), 3),
            Cell::fixed(number(&p["sd"]), 4),
            Cell::fixed(number(&p["mean_std_error"]), 4),
            Cell::fixed(number(&p["coverage"]), 3),
        ]);
    }
    findings
        .compare(
            Published::at_most(quantity("samples that failed"), 0.0, 0, 0.0),
            number(&stored["failed"]),
        )
        .compare(
            Published::at_most(
                quantity("largest bias, in standard errors"),
                asked,
                1,
                (chance - asked).max(0.0),
            ),
            bias,
        )
        .compare(
            Published::at_most(
                quantity("coverage, farthest from 95 %"),
                0.0,
                0,
                AWAY * error,
            ),
            coverage,
        )
        .compare(
            Published::at_most(
                quantity("mean standard error over the spread, farthest from 1"),
                0.02,
                2,
                AWAY / (2.0 * samples).sqrt(),
            ),
            spread,
        )
        .shown(table)
}
