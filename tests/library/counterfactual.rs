//! Counterfactuals: against simulators that know the answer, by closed forms, and by what must not matter.

use cocreate::prelude::*;
use cocreate::simulate::{JointParticipation, PurchaseTiming, StaticParticipation};

/// The static process where the price of giving up is the same for all, as a market has it.
fn process(timing: PurchaseTiming, customers: usize) -> StaticParticipation {
    let mut process = StaticParticipation::new(timing).customers(customers).seed(11);
    process.noise[1] = 0.0;
    process.shares = [0.5, 0.0, 0.0];
    process.guarantees = vec![0.0];
    process.education_cost = 0.05;
    process
}

#[test]
fn an_assumed_market_does_what_the_simulated_customers_do() -> Result<()> {
    for timing in [PurchaseTiming::AfterPurchase, PurchaseTiming::BeforePurchase] {
        let process = process(timing, 40_000);
        let made = process.simulate()?;
        let market = Market::simulated(&StaticParticipation {
            customers: 4_000,
            ..process.clone()
        })?;
        let lesson = Policy::new("teach")
            .signals(process.education.signals.count())
            .cost(process.education_cost);
        let effects = market.compare(&[lesson])?;
        for (outcome, truth) in [
            (Outcome::Purchase, "itt_purchase"),
            (Outcome::Participation, "itt_participation"),
            (Outcome::Success, "itt_success"),
            (Outcome::AnticipatedSurplus, "itt_anticipated_surplus"),
            (Outcome::ExperiencedSurplus, "itt_experienced_surplus"),
            (Outcome::Profit, "itt_profit"),
        ] {
            let effect = effects.effect("teach", outcome)?;
            let truth = made.oracle.effect(truth)?;
            // The simulator draws 40 000 customers with their shocks.
            let allowed = 3.5 * effect.std_error + 0.008;
            assert!(
                (effect.estimate - truth).abs() < allowed,
                "{timing:?} {outcome}: {} and {truth}",
                effect.estimate
            );
        }
    }
    Ok(())
}

/// A joint trial, its model, and the fit.
fn joint(customers: usize, seed: u64) -> Result<(JointParticipation, JointWillingnessFit)> {
    let process = JointParticipation::new().customers(customers).seed(seed);
    let model = JointWillingness::new("participates ~ coupon + tool")
        .ability("x")
        .overconfidence("x")
        .items(["item_1", "item_2", "item_3", "item_4", "item_5", "item_6"])
        .reported("report", 0.05)
        .signals("signals", 0.5)
        .success("success")
        .money("coupon");
    let fit = model.fit(&process.simulate()?.data)?;
    Ok((process, fit))
}

#[test]
fn a_fitted_market_foretells_what_signals_do() -> Result<()> {
    let (process, fit) = joint(3_000, 5)?;
    let effects = Market::fitted(&fit)?.compare(&[Policy::new("teach").signals(4)])?;
    let truth = process.customers(200_000).seed(6).simulate()?.oracle;
    for (outcome, name, unit) in [
        (Outcome::Participation, "participation", 1.0),
        (Outcome::Success, "success", 1.0),
        (Outcome::AnticipatedSurplus, "anticipated_surplus", 1.2),
        (Outcome::ExperiencedSurplus, "experienced_surplus", 1.2),
    ] {
        // The oracle's surplus is in units of the taste shock, of which a unit of money has 1.2.
        let (effect, truth) = (effects.effect("teach", outcome)?, truth.effect(name)? / unit);
        assert!(effect.std_error > 0.0);
        let gap = (effect.estimate - truth) / effect.std_error;
        assert!(gap.abs() < 3.0, "{effect}, truth {truth}");
    }
    let clock = std::time::Instant::now();
    let teach = Policy::new("teach").signals(4).cost(0.05).tool_column("tool", 1.0).guarantee(0.3);
    let parts = Market::fitted(&fit)?.at("tool", 0.0).at("coupon", 0.0).price(0.5).decompose(&teach)?;
    println!("{:?}\n{parts}", clock.elapsed());
    Ok(())
}

/// One customer of known belief: form 3 or 4 with the numbers of the literature on timing.
fn known(preferences: Preferences, variance: f64, customer: [f64; 2]) -> Result<MarketCustomer> {
    let terms = Terms {
        price: 1.0,
        taste: 2.0,
        value_abandon: 0.2,
        ..Terms::default()
    };
    Ok(MarketCustomer {
        weight: 1.0,
        situation: Situation::new(
            preferences,
            Cost::material(0.35),
            cocreate::participation::Task::default(),
            terms,
        )?,
        ability: customer[0],
        ability_sd: 0.0,
        belief: customer[1],
        belief_sd: 0.0,
        rho: 0.0,
        belief_variance: variance,
    })
}

#[test]
fn anticipated_surplus_is_the_value_of_the_timing() -> Result<()> {
    let form_3 = Preferences::continuous_cara(0.3)?;
    let form_4 = Preferences::smooth_ambiguity(0.3, 0.8)?;
    // Check values of the model family: U_A and U_B with θ = 2, μ = 1.2, p = 1, C = .35, L_0 = .2, u_0 = 0.
    for (preferences, variance, timing, value) in [
        (form_3, 0.2, PurchaseTiming::AfterPurchase, 0.330),
        (form_3, 0.8, PurchaseTiming::AfterPurchase, 0.0),
        (form_3, 0.2, PurchaseTiming::BeforePurchase, 1.0189),
        (form_3, 0.8, PurchaseTiming::BeforePurchase, 1.0662),
        (form_4, 0.2, PurchaseTiming::AfterPurchase, 0.13),
    ] {
        let customer = known(preferences, variance, [1.2, 1.2])?;
        let market = Market::of([customer], timing, TasteShock::None)?;
        let stands = market.compare(&[])?;
        let found = stands.status_quo(Outcome::AnticipatedSurplus).estimate;
        assert!((found - value).abs() < 6e-5, "{timing:?} {variance}: {found}");
    }
    Ok(())
}

#[test]
fn outcomes_of_one_customer_are_those_of_the_formulas() -> Result<()> {
    let normal = cocreate::numeric::special::normal::cdf;
    let density = cocreate::numeric::special::normal::pdf;
    let (a, m, v, shock) = (0.4, 1.1, 0.5, 0.8);
    let customer = known(Preferences::continuous_cara(0.3)?, v, [a, m])?;
    let shocked = TasteShock::Probit(shock);
    let market = Market::of([customer], PurchaseTiming::AfterPurchase, shocked)?.unit_cost(0.1);
    let market = market.compare(&[Policy::new("coupon").coupon(0.25).cost(0.02)])?;
    // U_A = θm − (r/2)θ²(1 + v) − C − p, and what comes of it at a.
    let surplus = 2.0 * m - 0.15 * 4.0 * (1.0 + v) - 0.35 - 0.75;
    let (z, truth) = (surplus / shock, 2.0 * a - 0.35 - 0.75);
    let buys = normal(z);
    let anticipated = shock * (z * normal(z) + density(z));
    let experienced = anticipated + buys * (truth - surplus);
    let profit = buys * (0.75 - 0.1) - 0.02;
    for (outcome, value) in [
        (Outcome::Purchase, buys),
        (Outcome::Participation, buys),
        (Outcome::Success, buys * normal(a)),
        (Outcome::AnticipatedSurplus, anticipated),
        (Outcome::ExperiencedSurplus, experienced),
        (Outcome::FalseConfidence, anticipated - experienced),
        (Outcome::Profit, profit),
        (Outcome::Welfare, experienced + profit),
    ] {
        let found = market.level("coupon", outcome)?.estimate;
        assert!((found - value).abs() < 1e-12, "{outcome}: {found} and {value}");
    }
    Ok(())
}

#[test]
fn the_law_of_customers_is_that_of_many_drawn_ones() -> Result<()> {
    use rand_distr::{Distribution, StandardNormal};
    let mut random = Seed::from(3).stream(0);
    let mut draw = || -> f64 { StandardNormal.sample(&mut random) };
    let preferences = Preferences::continuous_cara(0.3)?;
    let law = MarketCustomer {
        ability_sd: 0.7,
        belief_sd: 0.9,
        rho: 0.5,
        ..known(preferences, 0.6, [0.3, 0.8])?
    };
    let drawn: Vec<MarketCustomer> = (0..30_000)
        .map(|_| {
            let (x, y) = (draw(), draw());
            MarketCustomer {
                ability: law.ability + law.ability_sd * x,
                belief: law.belief + law.belief_sd * (law.rho * x + (1.0 - law.rho * law.rho).sqrt() * y),
                ability_sd: 0.0,
                belief_sd: 0.0,
                ..law
            }
        })
        .collect();
    let policies = [
        Policy::new("teach").signals(3),
        Policy::new("all").signals(2).productivity(0.2).persuasion(0.1).guarantee(0.4).tool(Tool::Share(0.3)).coupon(0.1),
    ];
    for interim in [0, 2] {
        let timing = PurchaseTiming::AfterPurchase;
        let market = |customers: Vec<MarketCustomer>| {
            let shock = TasteShock::Logit(0.4);
            let signals = Signals::NONE.with_count(interim);
            Ok::<_, Error>(Market::of(customers, timing, shock)?.signal_variance(0.8).interim(signals))
        };
        let [one, many] = [market(vec![law])?.compare(&policies)?, market(drawn[..if interim > 0 { 3_000 } else { 30_000 }].to_vec())?.compare(&policies)?];
        for outcome in Outcome::ALL {
            for policy in ["teach", "all"] {
                let (whole, mean) = (one.level(policy, outcome)?, many.level(policy, outcome)?);
                let gap = (whole.estimate - mean.estimate).abs();
                assert!(gap < 3.5 * mean.std_error + 1e-9, "{interim} {policy} {outcome}: {whole} and {mean}");
            }
        }
    }
    Ok(())
}

#[test]
fn contributions_sum_to_the_effect_and_vanish_where_a_lever_does_nothing() -> Result<()> {
    let market = Market::simulated(&process(PurchaseTiming::AfterPurchase, 300))?;
    let policy = Policy::new("all")
        .signals(2)
        .productivity(0.3)
        .persuasion(0.2)
        .guarantee(0.4)
        .coupon(0.2)
        .cost(0.1);
    let parts = market.decompose(&policy)?;
    let whole = market.compare(&[policy])?;
    for outcome in Outcome::ALL {
        let sum: f64 = parts
            .levers()
            .iter()
            .map(|l| parts.contribution(*l, outcome).map(|e| e.estimate))
            .sum::<Result<f64>>()?;
        let effect = whole.effect("all", outcome)?.estimate;
        let outlay = parts.outlay(outcome).estimate;
        assert!((sum + outlay - effect).abs() < 1e-12, "{outcome}");
        assert!((parts.effect(outcome).estimate - effect).abs() < 1e-12);
    }
    assert!((parts.outlay(Outcome::Profit).estimate + 0.1).abs() < 1e-12);
    // Persuasion raises what is foreseen, and false confidence with it.
    let of = |outcome| parts.contribution(Lever::Persuasion, outcome).map(|e| e.estimate);
    assert!(of(Outcome::AnticipatedSurplus)? > 0.0 && of(Outcome::FalseConfidence)? > 0.0);
    assert!(matches!(
        parts.contribution(Lever::Cost, Outcome::Profit),
        Err(Error::InvalidOption { .. })
    ));
    assert!(parts.waterfall(Outcome::Welfare)?.to_svg().contains("guarantee"));
    Ok(())
}
