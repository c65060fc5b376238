//! Counterfactuals: against simulators that know the answer, by closed forms, and by what must not matter.

use cocreate::prelude::*;
use cocreate::simulate::{JointParticipation, PurchaseTiming, StaticParticipation};
use std::sync::OnceLock;

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

fn blocks() -> JointWillingness {
    JointWillingness::new("participates ~ coupon + tool + taught")
        .ability("x")
        .overconfidence("x")
        .items(["item_1", "item_2", "item_3"])
        .reported("report", 0.05)
        .signals("signals", 0.5)
        .success("success ~ taught")
}

fn model() -> JointWillingness {
    blocks().money("coupon")
}

fn trial() -> JointParticipation {
    let mut process = JointParticipation::new();
    process.items.truncate(3);
    process
}

/// A joint trial with a column of lessons that did nothing, and the fit; made once.
fn joint() -> &'static (Frame, JointWillingnessFit) {
    static FIT: OnceLock<(Frame, JointWillingnessFit)> = OnceLock::new();
    FIT.get_or_init(|| {
        let made = trial().customers(1_200).seed(5).simulate().unwrap().data;
        let taught: Vec<bool> = (0..made.rows()).map(|i| i % 2 == 0).collect();
        let made = made.with("taught", taught).unwrap();
        let fit = model().fit(&made).unwrap();
        (made, fit)
    })
}

fn market() -> Market {
    let market = Market::fitted(&joint().1).unwrap();
    market.at("tool", 0.0).at("coupon", 0.0).at("taught", 0.0)
}

#[test]
fn a_fitted_market_foretells_what_signals_do() -> Result<()> {
    let effects = Market::fitted(&joint().1)?.compare(&[Policy::new("teach").signals(4)])?;
    let truth = trial().customers(200_000).seed(6).simulate()?.oracle;
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
    assert!(effects.warnings().is_empty());
    assert!(effects.to_string().contains("as it stands"));
    assert!(effects.figure(Outcome::Welfare)?.to_svg().contains("teach"));
    Ok(())
}

#[test]
fn columns_act_as_what_they_are_said_to_be() -> Result<()> {
    let policies = [
        Policy::new("tool").tool_column("tool", 1.0),
        Policy::new("coupon").coupon(0.25),
        Policy::new("lesson").lesson("taught", 1.0),
    ];
    let found = market().compare(&policies)?;
    let fit = &joint().1;
    // A tool is money: the same as a coupon of its coefficient over that of money, but for who pays.
    let of = |name: &str| fit.coefficient(name).map(|e| e.estimate);
    let worth = of("choice.tool")? / of("choice.coupon")?;
    let same = market().compare(&[Policy::new("as good").coupon(worth)])?;
    for outcome in [Outcome::Participation, Outcome::Success, Outcome::ExperiencedSurplus] {
        let (tool, money) = (found.effect("tool", outcome)?, same.effect("as good", outcome)?);
        assert!((tool.estimate - money.estimate).abs() < 1e-12, "{tool} {money}");
    }
    assert!((found.effect("tool", Outcome::Profit)?.estimate).abs() < 1e-12);
    assert!(found.effect("coupon", Outcome::Profit)?.estimate < 0.0);
    // The share who take part in the arms without signals is what the model says of them.
    let lesson = market().decompose(&policies[2])?;
    assert_eq!(lesson.levers(), [Lever::Productivity, Lever::Persuasion]);
    let sum = lesson.contribution(Lever::Productivity, Outcome::Participation)?.estimate
        + lesson.contribution(Lever::Persuasion, Outcome::Participation)?.estimate;
    let whole = found.effect("lesson", Outcome::Participation)?;
    assert!((sum - whole.estimate).abs() < 1e-12);
    // Nobody was taught anything: a lesson of no effect.
    assert!(whole.estimate.abs() < 3.5 * whole.std_error);
    Ok(())
}

#[test]
fn participation_in_the_market_is_that_of_the_data() -> Result<()> {
    // As it stands nobody has signals: the share of those customers of the trial who had none.
    let (data, fit) = joint();
    let stands = Market::fitted(fit)?.compare(&[])?.status_quo(Outcome::Participation);
    let pairs = data.real("signals")?.iter().zip(data.flag("participates")?);
    let without: Vec<f64> = pairs
        .filter(|(n, _)| **n < 0.5)
        .map(|(_, p)| f64::from(u8::from(*p)))
        .collect();
    let share = without.iter().sum::<f64>() / without.len() as f64;
    let error = (share * (1.0 - share) / without.len() as f64).sqrt();
    assert!((stands.estimate - share).abs() < 3.0 * error, "{stands} {share}");
    Ok(())
}

#[test]
fn errors_by_draws_are_those_of_the_delta_method() -> Result<()> {
    // Every customer stands for forty, so that errors are small and outcomes linear in the estimates.
    let data = joint().0.clone().with("copies", vec![40.0; 1_200])?;
    let market = Market::fitted(&model().frequency_weights("copies").fit(&data)?)?;
    let policy = [Policy::new("teach").signals(4).cost(0.01)];
    let delta = market.compare(&policy)?;
    let uncertainty = Uncertainty::KrinskyRobb {
        draws: 400,
        seed: Seed::from(3),
    };
    let drawn = market.uncertainty(uncertainty).compare(&policy)?;
    for outcome in [Outcome::Participation, Outcome::ExperiencedSurplus, Outcome::Profit] {
        let (a, b) = (delta.effect("teach", outcome)?, drawn.effect("teach", outcome)?);
        assert_eq!(a.estimate.to_bits(), b.estimate.to_bits());
        assert!((b.std_error / a.std_error - 1.0).abs() < 0.15 || a.std_error < 1e-12, "{a} {b}");
        let interval = drawn.interval("teach", outcome, 0.95)?;
        assert!(interval.lower <= a.estimate && a.estimate <= interval.upper);
    }
    Ok(())
}

#[test]
fn levels_and_targets_are_the_best_there_are() -> Result<()> {
    let market = market().price(2.5).unit_cost(0.2);
    let coupon = |money: f64| Policy::new("coupon").coupon(money);
    let best = market.optimal_level([0.0, 2.0], Outcome::Profit, coupon)?;
    assert!(!best.at_bound(), "{best}");
    let at = |level: f64| -> Result<f64> {
        let found = market.compare(&[coupon(level)])?;
        Ok(found.effect("coupon", Outcome::Profit)?.estimate)
    };
    let level = best.estimate()?;
    assert!(level.std_error > 0.0 && level.std_error < 1.0);
    let gain = best.gain()?.estimate;
    assert!((gain - at(best.level())?).abs() < 1e-12);
    for step in [-0.05, 0.05] {
        assert!(at(best.level() + step)? < gain);
    }
    assert!(best.figure()?.to_svg().contains("level"));

    let teach = Policy::new("teach").signals(4).cost(0.01);
    let target = market.target(&teach, Outcome::Welfare)?;
    let kept: Vec<f64> = target.effects().iter().map(|e| e.max(0.0)).collect();
    let mean = kept.iter().sum::<f64>() / kept.len() as f64;
    assert!((target.gain().estimate - mean).abs() < 1e-12);
    assert!(target.gain().estimate >= target.gain_of_all().estimate);
    assert!((0.0..=1.0).contains(&target.share()));
    assert_eq!(target.treated().len(), 1_200);
    assert!(target.to_string().contains("to all"));
    Ok(())
}

#[test]
fn order_and_copies_of_the_customers_do_not_matter() -> Result<()> {
    let (data, _) = joint();
    let rows = data.rows();
    let teach = [Policy::new("teach").signals(4)];
    let first = market().compare(&teach)?;
    let backwards = data.take(&(0..rows).rev().collect::<Vec<_>>())?;
    let twice = Frame::concat(&[data.clone(), data.clone()])?;
    for other in [backwards, twice] {
        let found = market().on(&other).compare(&teach)?;
        for outcome in Outcome::ALL {
            let (a, b) = (first.effect("teach", outcome)?, found.effect("teach", outcome)?);
            assert!((a.estimate - b.estimate).abs() < 1e-12);
            assert!((a.std_error - b.std_error).abs() < 1e-9);
        }
    }
    Ok(())
}

#[test]
fn what_is_not_identified_is_refused() -> Result<()> {
    let (data, fit) = joint();
    let unidentified = |found: Result<Counterfactual>, needs: &str| {
        let text = found.unwrap_err().to_string();
        assert!(text.contains(needs), "{text}");
    };
    let compare = |policy: Policy| market().compare(&[policy]);
    unidentified(compare(Policy::new("tool").tool(Tool::Share(0.3))), "work_cost");
    let before = PurchaseTiming::BeforePurchase;
    unidentified(compare(Policy::new("later").timing(before)), "Market::price");
    let insured = Policy::new("insure").timing(before).guarantee(0.3);
    unidentified(market().price(1.0).work_cost(0.1).compare(&[insured]), "payment before the work");
    unidentified(compare(Policy::new("commit").commitment()), "holds_up");
    unidentified(compare(Policy::new("unknown").lesson("tought", 1.0)), "tought");
    unidentified(compare(Policy::new("negative").guarantee(-1.0)), "guarantee of `negative`");
    unidentified(compare(Policy::new("more").disclosure(1.5)), "between 0 and 1");
    unidentified(
        market().compare(&[Policy::new("one"), Policy::new("one")]),
        "one policy of a name",
    );
    unidentified(market().on(&data.select(&["x"])?).compare(&[]), "`tool`");
    assert!(matches!(Market::fitted(&fit.lean()), Err(Error::DataNotKept { .. })));
    let unpriced = blocks().fit(data)?;
    assert!(matches!(Market::fitted(&unpriced), Err(Error::Unidentified { .. })));

    // Beyond the data: said, not refused.
    let far = Policy::new("far").signals(50).coupon(5.0).guarantee(0.2);
    let found = market().compare(&[far.lesson("taught", 1.0)])?;
    assert_eq!(found.warnings().len(), 3, "{found}");
    let cheap = market().at("coupon", 9.0).compare(&[Policy::new("any"), Policy::new("other")])?;
    assert_eq!(cheap.warnings().len(), 1, "{cheap}");
    unidentified(compare(Policy::new("three").tool_column("tool", 3.0)), "0 or 1");

    let listed = || Market::simulated(&process(PurchaseTiming::BeforePurchase, 20)).unwrap();
    unidentified(listed().compare(&[Policy::new("insure").guarantee(0.3)]), "payment before");
    unidentified(listed().price(1.0).compare(&[]), "not fitted");
    let seed = Seed::from(1);
    let drawn = Uncertainty::KrinskyRobb { draws: 100, seed };
    unidentified(listed().uncertainty(drawn).compare(&[]), "nothing is estimated");
    unidentified(market().price(f64::NAN).compare(&[]), "price");
    unidentified(listed().compare(&[Policy::new("lesson").lesson("x", 1.0)]), "fitted market");
    let one = known(Preferences::continuous_cara(0.1)?, 0.5, [0.0, 0.0])?;
    let bad = MarketCustomer { rho: 1.5, ..one };
    let after = PurchaseTiming::AfterPurchase;
    assert!(Market::of([bad], after, TasteShock::None).is_err());
    assert!(Market::of([], after, TasteShock::None).is_err());
    let silent = Market::of([one], after, TasteShock::None)?;
    unidentified(silent.compare(&[Policy::new("teach").signals(1)]), "signal_variance");
    Ok(())
}

#[test]
fn who_pays_later_buys_the_right_to_walk_away() -> Result<()> {
    let market = market().price(0.6).work_cost(0.2);
    let later = Policy::new("pay later").timing(PurchaseTiming::BeforePurchase);
    let found = market.compare(&[later])?;
    let of = |outcome| found.effect("pay later", outcome).map(|e| e.estimate);
    // More begin the work, fewer of those who do pay for it, and customers foresee more.
    assert!(of(Outcome::Participation)? > 0.0);
    assert!(of(Outcome::AnticipatedSurplus)? > 0.0);
    let purchase = found.level("pay later", Outcome::Purchase)?.estimate;
    assert!(purchase < found.level("pay later", Outcome::Participation)?.estimate);
    Ok(())
}

#[test]
fn a_firm_that_commits_earns_more() -> Result<()> {
    let mut process = process(PurchaseTiming::BeforePurchase, 12);
    process.noise[0] = 0.0;
    let market = Market::simulated(&process)?.holds_up(0.1);
    let found = market.compare(&[Policy::new("commit").commitment()])?;
    assert!(found.effect("commit", Outcome::Participation)?.estimate >= 0.0, "{found}");
    assert!(found.effect("commit", Outcome::AnticipatedSurplus)?.estimate > 0.0, "{found}");
    Ok(())
}

#[test]
fn disclosure_takes_back_what_people_overrate() -> Result<()> {
    let found = market().compare(&[
        Policy::new("half").disclosure(0.5),
        Policy::new("whole").disclosure(1.0),
    ])?;
    let of = |policy, outcome| found.effect(policy, outcome).map(|e| e.estimate);
    for outcome in [Outcome::FalseConfidence, Outcome::Participation] {
        assert!(of("whole", outcome)? < of("half", outcome)? && of("half", outcome)? < 0.0);
    }
    Ok(())
}

#[test]
fn results_come_back_from_json() -> Result<()> {
    let market = market().price(2.5);
    let teach = Policy::new("teach").signals(4).cost(0.01);
    let compared = market.compare(std::slice::from_ref(&teach))?;
    let text = serde_json::to_string(&compared).unwrap();
    let back: Counterfactual = serde_json::from_str(&text).unwrap();
    assert_eq!(back.to_string(), compared.to_string());
    let parts = market.decompose(&teach)?;
    let back: Decomposition = serde_json::from_str(&serde_json::to_string(&parts).unwrap()).unwrap();
    assert_eq!(back.to_string(), parts.to_string());
    let target = market.target(&teach, Outcome::Profit)?;
    let back: PolicyTargeting = serde_json::from_str(&serde_json::to_string(&target).unwrap()).unwrap();
    assert_eq!(back.to_string(), target.to_string());
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
