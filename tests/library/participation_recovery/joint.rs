//! The joint model of willingness, its blocks together.

use super::{Model, ROWS, Sample, all};
use cocreate::prelude::*;
use cocreate::simulate::JointParticipation;
use std::sync::OnceLock;

const ITEMS: [&str; 4] = ["item_1", "item_2", "item_3", "item_4"];

pub(super) fn models() -> Vec<Model> {
    vec![
        Model::new("joint_willingness", free, |f| {
            let fit = trial().fit(f)?;
            // And what it says of teaching everybody.
            let market = Market::fitted(&fit)?.compare(&[Policy::new("teach").signals(4)])?;
            let mut found = all(&fit)?;
            for (outcome, _) in EFFECTS {
                found.push(market.effect("teach", outcome)?);
            }
            Ok(found)
        })
        .slow(),
        Model::new("joint_guarantee", insured, |f| {
            let fit = trial().guarantee("guarantee").fit(f)?;
            let mut found = all(&fit)?;
            found.push(fit.uncertainty_premium()?);
            Ok(found)
        })
        .slow()
        .waiting(),
        Model::new("joint_effort", worked, |f| {
            let fit = trial().effort("effort ~ tool").fit(f)?;
            let mut found = all(&fit)?;
            found.push(fit.uncertainty_premium()?);
            Ok(found)
        })
        .slow()
        .waiting(),
        Model::new("joint_calibrated", calibrated, |f| {
            let fit = JointWillingness::new("participates ~ coupon + tool")
                .ability("x")
                .items(ITEMS)
                .rated("rating")
                .signals_seen("signals", "signal")
                .calibrated()
                .success("success")
                .money("coupon")
                .fit(f)?;
            let mut found = all(&fit)?;
            found.push(fit.uncertainty_premium()?);
            Ok(found)
        })
        .slow()
        .waiting(),
        Model::new("joint_draws", free_effects, |f| {
            let fit = trial().fit(f)?;
            drawn(&fit)
        })
        .slow()
        .waiting(),
    ]
}

/// The model of the free trial.
fn trial() -> JointWillingness {
    JointWillingness::new("participates ~ coupon + tool")
        .ability("x")
        .overconfidence("x")
        .items(ITEMS)
        .reported("report", 0.05)
        .signals("signals", 0.5)
        .success("success")
        .money("coupon")
}

/// The effects of teaching with Krinsky and Robb's intervals, as estimates that cover where these do: the half of the interval on the side of the truth is
/// 1.96 errors.
fn drawn(fit: &JointWillingnessFit) -> Result<Vec<Estimate>> {
    const DRAWS: usize = 400;
    const WIDE: f64 = 1.959_963_984_540_054;
    let market = Market::fitted(fit)?.uncertainty(Uncertainty::KrinskyRobb {
        draws: DRAWS,
        seed: Seed::new(5),
    });
    let found = market.compare(&[Policy::new("teach").signals(4)])?;
    let truths = effects();
    let of = |(outcome, truth): (Outcome, &f64)| {
        let mut estimate = found.effect("teach", outcome)?;
        let interval = found.interval("teach", outcome, 0.95)?;
        let half = if *truth < estimate.estimate {
            estimate.estimate - interval.lower
        } else {
            interval.upper - estimate.estimate
        };
        estimate.std_error = half / WIDE;
        Ok(estimate)
    };
    let truths = truths.iter().map(|(_, value)| value);
    let outcomes = EFFECTS.into_iter().map(|(outcome, _)| outcome);
    outcomes.zip(truths).map(of).collect()
}

fn free_effects(seed: Seed) -> Sample {
    (
        process().seed(seed).simulate().unwrap().data,
        effects().to_vec(),
    )
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

/// The name of the premium, and its truth.
fn premium(process: &JointParticipation) -> (String, f64) {
    let value = -process.uncertainty * process.prior_variance;
    ("premium −λ v_0".to_owned(), value)
}

fn insured(seed: Seed) -> Sample {
    let mut process = process();
    process.guarantees = vec![0.0, 1.0, 3.0];
    let mut truth = beyond(&process);
    truth.push(("choice.risk_aversion".to_owned(), process.risk_aversion));
    (process.seed(seed).simulate().unwrap().data, truth)
}

fn worked(seed: Seed) -> Sample {
    let mut process = process();
    let work = ChosenWork::default();
    process.effort = Some(work);
    let mut truth = beyond(&process);
    let own = [
        ("effort.(Intercept)", work.index[0]),
        ("effort.tool", work.index[1]),
        ("effort.belief", work.relief),
        ("ln_sd_effort", work.noise.ln()),
        ("success.effort", work.returns),
    ];
    truth.extend(own.map(|(n, v)| (n.to_owned(), v)));
    (process.seed(seed).simulate().unwrap().data, truth)
}

/// The truths that are judged with blocks beyond: λ on the scale on which it is known.
fn beyond(process: &JointParticipation) -> Vec<(String, f64)> {
    let mut truth = common(process);
    truth.retain(|(name, _)| name != "choice.uncertainty");
    truth.push(premium(process));
    let own = [
        ("overconfidence.(Intercept)", process.overconfidence[0]),
        ("ln_sd_belief", process.sd_belief.ln()),
        ("ln_sd_report", process.report_noise.ln()),
    ];
    truth.extend(own.map(|(n, v)| (n.to_owned(), v)));
    truth
}

fn calibrated(seed: Seed) -> Sample {
    let process = process().calibrated();
    let mut truth = common(&process);
    truth.retain(|(name, _)| name != "choice.uncertainty");
    truth.push(premium(&process));
    let own = [
        ("ln_sd_signal", 0.5 * process.signal_variance.ln()),
        ("rating.(Intercept)", process.rating[0]),
        ("rating.belief", process.rating[1]),
        ("ln_sd_rating", process.rating[2].ln()),
    ];
    truth.extend(own.map(|(n, v)| (n.to_owned(), v)));
    (process.seed(seed).simulate().unwrap().data, truth)
}
