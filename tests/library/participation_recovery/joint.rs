//! The joint model of willingness, its blocks together.

use super::{Model, ROWS, Sample, all};
use cocreate::prelude::*;
use cocreate::simulate::JointParticipation;
use std::sync::OnceLock;

const ITEMS: [&str; 4] = ["item_1", "item_2", "item_3", "item_4"];

pub(super) fn models() -> Vec<Model> {
    vec![
        Model::new("joint_willingness", free, |f| {
            let fit = JointWillingness::new("participates ~ coupon + tool")
                .ability("x")
                .overconfidence("x")
                .items(ITEMS)
                .reported("report", 0.05)
                .signals("signals", 0.5)
                .success("success")
                .money("coupon")
                .fit(f)?;
            // And what it says of teaching everybody.
            let market = Market::fitted(&fit)?.compare(&[Policy::new("teach").signals(4)])?;
            let mut found = all(&fit)?;
            for (outcome, _) in EFFECTS {
                found.push(market.effect("teach", outcome)?);
            }
            Ok(found)
        })
        .slow(),
    ]
}

/// Effects of four signals, and their names in the simulation.
const EFFECTS: [(Outcome, &str); 4] = [
    (Outcome::Participation, "participation"),
    (Outcome::Success, "success"),
    (Outcome::AnticipatedSurplus, "anticipated_surplus"),
    (Outcome::ExperiencedSurplus, "experienced_surplus"),
];

/// The effects of teaching, from many customers; surplus in money.
fn effects() -> &'static [(String, f64)] {
    const MANY: usize = 400_000;
    static TRUTH: OnceLock<Vec<(String, f64)>> = OnceLock::new();
    TRUTH.get_or_init(|| {
        let process = process().customers(MANY).seed(2_026);
        let oracle = process.simulate().unwrap().oracle;
        let of = |(outcome, name): (Outcome, &str)| {
            let money = match outcome {
                Outcome::AnticipatedSurplus | Outcome::ExperiencedSurplus => process.coupon_effect,
                _ => 1.0,
            };
            let value = oracle.effect(name).unwrap() / money;
            (format!("teach: {outcome}"), value)
        };
        EFFECTS.into_iter().map(of).collect()
    })
}

fn process() -> JointParticipation {
    let mut process = JointParticipation::new().customers(ROWS);
    process.items.truncate(ITEMS.len());
    process
}

fn common(process: &JointParticipation) -> Vec<(String, f64)> {
    let known = [
        ("ability.(Intercept)", process.ability[0]),
        ("ability.x", process.ability[1]),
        ("choice.(Intercept)", process.constant),
        ("choice.coupon", process.coupon_effect),
        ("choice.tool", process.tool_effect),
        ("choice.belief", process.taste),
        ("choice.uncertainty", process.uncertainty),
        ("ln_sd_ability", process.sd_ability.ln()),
        ("atanh_rho", process.rho.atanh()),
    ];
    let mut truth: Vec<(String, f64)> = known.map(|(n, v)| (n.to_owned(), v)).into();
    for (name, [intercept, discrimination]) in ITEMS.iter().zip(&process.items) {
        truth.push((format!("{name}.intercept"), *intercept));
        truth.push((format!("{name}.discrimination"), *discrimination));
    }
    truth
}

fn free(seed: Seed) -> Sample {
    let process = process();
    let mut truth = common(&process);
    let own = [
        ("overconfidence.(Intercept)", process.overconfidence[0]),
        ("overconfidence.x", process.overconfidence[1]),
        ("ln_sd_belief", process.sd_belief.ln()),
        (
            "ln_ratio",
            (process.prior_variance / process.signal_variance).ln(),
        ),
        ("ln_sd_report", process.report_noise.ln()),
    ];
    truth.extend(own.map(|(n, v)| (n.to_owned(), v)));
    truth.extend_from_slice(effects());
    (process.seed(seed).simulate().unwrap().data, truth)
}
