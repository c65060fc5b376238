//! The exchange of participation and data.

use super::{Model, ROWS, Sample, all};
use cocreate::prelude::*;
use cocreate::simulate::LogNormal;

pub(super) fn models() -> Vec<Model> {
    vec![
        Model::new(
            "nash_bargaining",
            |s| exchange(s, Asked::Weight),
            |f| {
                let fit = NashBargaining::new()
                    .transfer("transfer")
                    .customer(OutsideOption::money("outside_c"))
                    .firm(OutsideOption::money("outside_f"))
                    .controls("incentive_e + incentive_z")
                    .fit(f)?;
                let mut found = vec![fit.eta()];
                found.extend(fit.by_shifter()?);
                Ok(found)
            },
        ),
        Model::new(
            "cross_effects",
            |s| exchange(s, Asked::Effects),
            |f| {
                let fit = CrossEffects::new(["e", "z"], ["incentive_e", "incentive_z"]).fit(f)?;
                let mut found = fit.coefficients();
                found.push(fit.symmetric()?.restricted);
                Ok(found)
            },
        ),
        Model::new("offer_choice", offers, |f| {
            let fit = OfferChoice::new("chosen ~ share + control + benefit + payment", "payment")
                .choice_set("set")
                .covariance(Covariance::cluster("person"))
                .fit(f)?;
            let mut found = all(&fit)?;
            found.push(fit.wta(&[("share", 1.0)])?);
            found.push(fit.wta(&[("control", 1.0)])?);
            Ok(found)
        }),
    ]
}

#[derive(Clone, Copy)]
enum Asked {
    Weight,
    Effects,
}

/// Customers who differ in tastes and offers, with quantities inside all limits, so that effects are the same for all.
fn exchange(seed: Seed, asked: Asked) -> Sample {
    let process = DataExchange {
        privacy: LogNormal::new(0.5, 0.0),
        tastes: [0.1, 0.1, 0.4],
        outside: [0.2, 0.2],
        bargaining: 0.4,
        ..DataExchange::new()
    };
    let made = process.customers(ROWS).seed(seed).simulate().unwrap();
    let effect = |name: &str| made.oracle.effect(name).unwrap();
    let (eta, cross) = (effect("eta"), effect("e_by_incentive_z"));
    let names = match asked {
        Asked::Weight => [
            ("eta", eta),
            ("η by customer: outside_c", eta),
            ("η by firm: outside_f", eta),
        ],
        Asked::Effects => [
            ("e: incentive_z", cross),
            ("z: incentive_e", cross),
            ("cross-effect, symmetric", cross),
        ],
    };
    (made.data.clone(), super::truth(&names))
}

/// Five thousand choice sets.
fn offers(seed: Seed) -> Sample {
    let process = DataOffers::new().customers(ROWS / 6);
    let [share, control, benefit, payment] = process.tastes;
    let made = process.seed(seed).simulate().unwrap();
    let names = [
        ("share", share),
        ("control", control),
        ("benefit", benefit),
        ("payment", payment),
        ("compensation for share", -share / payment),
        ("compensation for control", -control / payment),
    ];
    (made.data, super::truth(&names))
}
