//! Targeting: what would be done in either arm, the best policies, and what direct simulation says of them.

use cocreate::prelude::*;

const N: usize = 20_000;

fn process() -> StaticParticipation {
    StaticParticipation::new(PurchaseTiming::AfterPurchase)
        .customers(N)
        .seed(3)
}

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, n) = values.fold((0.0, 0.0), |(s, n), v| (s + v, n + 1.0));
    sum / n
}

#[test]
fn what_a_customer_did_is_the_outcome_of_the_own_arm() {
    for offer in [
        Offer::Education,
        Offer::Tool,
        Offer::Guarantee,
        Offer::Coupon,
    ] {
        let trial = process().offering(offer).unwrap();
        let hidden = &trial.oracle.individuals;
        let offered = trial.data.flag("offered").unwrap();
        let share = mean(offered.iter().map(|o| f64::from(u8::from(*o))));
        assert!((share - 0.5).abs() < 0.02, "{offer:?}: {share}");
        for name in ["buys", "participates"] {
            let did = trial.data.flag(name).unwrap();
            let both = [0, 1].map(|k| hidden.flag(&format!("{name}_{k}")).unwrap());
            for i in 0..N {
                let own = both[usize::from(offered[i])][i];
                assert_eq!(did[i], own, "{offer:?} {name} of row {i}");
            }
        }
        // Each offer moves somebody.
        let moved = trial.oracle.effect("ate_participation").unwrap();
        assert!(moved.abs() > 1e-3, "{offer:?}: {moved}");
    }
}

#[test]
fn values_are_those_of_doing_it() {
    for offer in [
        Offer::Education,
        Offer::Tool,
        Offer::Guarantee,
        Offer::Coupon,
    ] {
        let trial = process().offering(offer).unwrap();
        let target = Targeting::new("profit").cost(0.02).of(&trial).unwrap();
        let said = target.oracle.effect("value_all").unwrap();
        // Other customers, all of whom get it, or none: profits by direct simulation.
        let profits = |share: f64| {
            let mut process = process().seed(8);
            match offer {
                Offer::Education => process.shares[0] = share,
                Offer::Tool => process.shares[1] = share,
                Offer::Coupon => process.shares[2] = share,
                Offer::Guarantee => process.guarantees = vec![0.6 * share],
            }
            let made = process.simulate().unwrap();
            let taught = made.data.flag("education").unwrap();
            let both = ["profit_0", "profit_1"].map(|name| made.oracle.real(name).unwrap());
            (0..N)
                .map(|i| both[usize::from(taught[i])][i])
                .collect::<Vec<f64>>()
        };
        let gaps: Vec<f64> = profits(1.0)
            .iter()
            .zip(profits(0.0))
            .map(|(with, without)| with - without - 0.02)
            .collect();
        let done = mean(gaps.iter().copied());
        let variance = mean(gaps.iter().map(|g| (g - done).powi(2)));
        let error = (2.0 * variance / N as f64).sqrt();
        assert!(
            (said - done).abs() < 4.0 * error,
            "{offer:?}: {said} {done}"
        );
    }
}

#[test]
fn nobody_does_better_than_the_best_and_groups_lie_between() {
    let trial = process().offering(Offer::Coupon).unwrap();
    let target = Targeting::new("profit")
        .by(&["tool", "education"])
        .of(&trial);
    let target = target.unwrap();
    let truth = |name: &str| target.oracle.effect(name).unwrap();
    let net = target.oracle.real("targeting_net_effect").unwrap();
    let tool = target.data.flag("tool").unwrap();
    let taught = target.data.flag("education").unwrap();
    // All sixteen policies on two flags.
    let value = |policy: usize| {
        let chosen = |i: usize| policy >> (usize::from(tool[i]) + 2 * usize::from(taught[i])) & 1;
        mean((0..N).map(|i| net[i] * chosen(i) as f64))
    };
    let best = (0..16).map(value).fold(f64::NEG_INFINITY, f64::max);
    assert!((best - truth("value_best_by")).abs() < 1e-12);
    assert!(best >= truth("value_all").max(0.0) - 1e-12 && truth("value_best") > best);
    let positive = mean(net.iter().map(|v| v.max(0.0)));
    assert!((positive - truth("value_best")).abs() < 1e-12);
}

#[test]
fn any_process_with_both_outcomes_has_targets() {
    let made = [
        (CloudOnboarding::new().seed(1).simulate(), "usage"),
        (NetworkGifting::new().seed(1).simulate(), "adopts"),
        (InvitationTargeting::new().seed(1).simulate(), "profit"),
    ];
    for (trial, outcome) in made {
        let target = Targeting::new(outcome).of(&trial.unwrap()).unwrap();
        let truth = |name: &str| target.oracle.effect(name).unwrap();
        assert!(
            truth("value_best") >= truth("value_all").max(0.0),
            "{outcome}"
        );
        assert!((truth("targeting_ate") - truth("value_all")).abs() < 1e-12);
    }
    // Who sees what the experts do is discouraged: nobody would show it for the finished designs alone.
    let funnel = PhotoFunnel::new().customers(N).seed(1).simulate().unwrap();
    let of = |arm: usize| Targeting::new("finishes").arms(0, arm).of(&funnel).unwrap();
    let ate = |arm: usize| of(arm).oracle.effect("targeting_ate").unwrap();
    let rates = |k: usize| {
        let flags = funnel
            .oracle
            .individuals
            .flag(&format!("finishes_{k}"))
            .unwrap();
        mean(flags.iter().map(|f| f64::from(u8::from(*f))))
    };
    assert!((ate(2) - rates(2) + rates(0)).abs() < 1e-12 && ate(2) < ate(1));
}

#[test]
fn what_cannot_be_targeted_is_refused() {
    let lean = process().keep_oracle(false).offering(Offer::Tool).unwrap();
    assert!(lean.oracle.effect("ate_profit").unwrap().is_finite());
    assert!(matches!(
        Targeting::new("profit").of(&lean).unwrap_err(),
        Error::DataNotKept { .. }
    ));
    let trial = process().customers(100).offering(Offer::Tool).unwrap();
    assert!(Targeting::new("nothing").of(&trial).is_err());
    assert!(Targeting::new("profit").cost(-1.0).of(&trial).is_err());
    assert!(
        Targeting::new("profit")
            .by(&["nothing"])
            .of(&trial)
            .is_err()
    );
    let mut bare = process();
    bare.guarantees = vec![0.0];
    let message = bare.offering(Offer::Guarantee).unwrap_err().to_string();
    assert!(message.contains("guarantees"), "{message}");
}
