//! Models of willingness to participate: recovery of known truths, properties, bad input, and independent likelihoods.

use cocreate::prelude::*;
use rand::RngExt;
use rand_distr::{Distribution as _, StandardNormal};

fn normals(n: usize, random: &mut impl rand::Rng) -> Vec<f64> {
    (0..n).map(|_| StandardNormal.sample(random)).collect()
}

fn flags(values: impl Iterator<Item = bool>) -> Vec<f64> {
    values.map(|b| f64::from(u8::from(b))).collect()
}

/// Customers who buy, and then participate: P is seen only of buyers; the coupon moves purchase alone.
fn buyers(n: usize, rho: f64, seed: Seed) -> Frame {
    let mut random = seed.stream(0);
    let ability = normals(n, &mut random);
    let coupon: Vec<f64> = flags((0..n).map(|_| random.random::<f64>() < 0.5));
    let e = normals(n, &mut random);
    let v = normals(n, &mut random);
    let buy = flags((0..n).map(|i| -0.3 + 0.5 * ability[i] + 0.8 * coupon[i] + e[i] > 0.0));
    let participate: Vec<f64> = (0..n)
        .map(|i| {
            let u = rho * e[i] + (1.0 - rho * rho).sqrt() * v[i];
            if buy[i] < 0.5 {
                f64::NAN
            } else {
                f64::from(u8::from(0.2 + 0.7 * ability[i] + u > 0.0))
            }
        })
        .collect();
    Frame::new()
        .with("ability", ability)
        .unwrap()
        .with("coupon", coupon)
        .unwrap()
        .with("buy", buy)
        .unwrap()
        .with("participate", participate)
        .unwrap()
}

const BUY: &str = "buy ~ ability + coupon";
const PARTICIPATE: &str = "participate ~ ability";

#[test]
fn buying_then_participating_recovers_what_a_probit_on_buyers_does_not() {
    let frame = buyers(20_000, 0.6, Seed::new(1));
    let fit = BuyThenParticipate::new(BUY, PARTICIPATE)
        .fit(&frame)
        .unwrap();
    let truth = [
        ("buy.(Intercept)", -0.3),
        ("buy.ability", 0.5),
        ("buy.coupon", 0.8),
        ("participate.(Intercept)", 0.2),
        ("participate.ability", 0.7),
        ("atanh_rho", f64::atanh(0.6)),
    ];
    for (name, truth) in truth {
        let found = fit.coefficient(name).unwrap();
        assert!(found.statistic(truth).abs() < 3.5, "{found} is not {truth}");
    }
    assert!(fit.independence_test().unwrap().p_value < 1e-4);
    assert!(fit.likelihood_ratio_test().p_value < 1e-4);
    let bought: Vec<bool> = frame
        .real("buy")
        .unwrap()
        .iter()
        .map(|b| *b > 0.5)
        .collect();
    let naive = Probit::new(PARTICIPATE)
        .fit(&crate::support::filter(&frame, &bought))
        .unwrap();
    // Buyers have E[u | bought] > 0: the constant is far too high.
    assert!(naive.coefficient("(Intercept)").unwrap().statistic(0.2) > 10.0);
    assert_eq!(fit.optima().distinct, 1);
    assert!(fit.profile().is_none());
}

#[test]
fn probabilities_of_buying_then_participating_are_those_of_the_sample() {
    use BuyThenParticipatePrediction as P;
    let frame = buyers(5_000, 0.4, Seed::new(2));
    let fit = BuyThenParticipate::new(BUY, PARTICIPATE)
        .fit(&frame)
        .unwrap();
    let mean = |what| {
        let p = fit.predict(&frame, what).unwrap();
        p.iter().sum::<f64>() / p.len() as f64
    };
    let share = |of: &dyn Fn(f64, f64) -> bool| {
        let rows = frame
            .real("buy")
            .unwrap()
            .iter()
            .zip(frame.real("participate").unwrap());
        rows.filter(|(b, p)| of(**b, **p)).count() as f64 / 5_000.0
    };
    // A constant in each equation makes them nearly equal, not exactly: the probit's residuals are generalised.
    assert!((mean(P::Buy) - share(&|b, _| b > 0.5)).abs() < 0.005);
    assert!((mean(P::BuyAndParticipate) - share(&|_, p| p > 0.5)).abs() < 0.005);
    assert!((mean(P::BuyAndParticipate) + mean(P::BuyOnly) - mean(P::Buy)).abs() < 1e-12);
    let intervals = fit
        .predict_interval(&frame, P::ParticipateGivenBuy, 0.95)
        .unwrap();
    for i in 0..frame.rows() {
        assert!(0.0 < intervals.lower[i] && intervals.lower[i] < intervals.values[i]);
        assert!(intervals.values[i] < intervals.upper[i] && intervals.upper[i] < 1.0);
    }
    // A coupon brings in buyers who are less willing, since ρ > 0; it does not change willingness itself.
    let coupon = Margins::of(["coupon"]).discrete("coupon");
    let effect = |what| {
        fit.marginal_effects(&coupon, what)
            .unwrap()
            .coefficient("coupon")
            .unwrap()
    };
    assert!(effect(P::Buy).estimate > 0.2);
    assert_eq!(effect(P::Participate).estimate, 0.0);
    assert!(effect(P::ParticipateGivenBuy).estimate < 0.0);
    assert!(effect(P::BuyAndParticipate).estimate > 0.0);
    let joined = Frame::new()
        .with("ability", vec![0.3])
        .unwrap()
        .with("coupon", vec![1.0])
        .unwrap();
    assert!(fit.predict(&joined, P::BuyAndParticipate).unwrap()[0] > 0.3);
}

#[test]
fn without_an_exclusion_rho_is_profiled() {
    let frame = buyers(1_500, 0.4, Seed::new(3));
    let fit = BuyThenParticipate::new("buy ~ ability", PARTICIPATE)
        .fit(&frame)
        .unwrap();
    assert!(
        fit.warnings()
            .iter()
            .any(|w| w.to_string().contains("no exclusion restriction"))
    );
    let profile = fit.profile().unwrap();
    assert!(profile.not_rejected(0.95).len() > 5, "{profile}");
    // The profile meets the maximum at the estimate, and two probits at zero.
    let rho = fit.rho().unwrap().estimate;
    let at = fit.profile_over(&[rho, 0.0], &Progress::none()).unwrap();
    for p in &at.points {
        let expected = if p.rho == 0.0 {
            fit.likelihood_ratio_test().statistic
        } else {
            0.0
        };
        assert!((p.deviance - expected).abs() < 1e-6, "{at}");
    }
}

#[test]
fn buying_then_participating_does_not_depend_on_order_units_or_how_rows_are_counted() {
    let frame = buyers(1_200, 0.5, Seed::new(4));
    let model = BuyThenParticipate::new(BUY, PARTICIPATE);
    let fit = model.fit(&frame).unwrap();
    let reversed: Vec<u32> = (0..1_200).rev().collect();
    let mut turned = Frame::new();
    let mut twice = Frame::new();
    for name in frame.names() {
        let values = frame.real(name).unwrap();
        let back: Vec<f64> = reversed.iter().map(|i| values[*i as usize]).collect();
        turned = turned.with(name.clone(), back).unwrap();
        twice = twice.with(name.clone(), [values, values].concat()).unwrap();
    }
    let other = model.fit(&turned).unwrap();
    let doubled = model.fit(&twice).unwrap();
    let weighted = model
        .clone()
        .frequency_weights("two")
        .fit(&frame.clone().with("two", vec![2.0; 1_200]).unwrap())
        .unwrap();
    let scaled = frame
        .clone()
        .replace(
            "ability",
            frame
                .real("ability")
                .unwrap()
                .iter()
                .map(|a| 10.0 * a + 3.0)
                .collect::<Vec<f64>>(),
        )
        .unwrap();
    let scaled = model.fit(&scaled).unwrap();
    for name in fit.names() {
        let ours = fit.coefficient(name).unwrap();
        let theirs = other.coefficient(name).unwrap();
        assert!(
            (ours.estimate - theirs.estimate).abs() < 1e-7
                && (ours.std_error - theirs.std_error).abs() < 1e-7,
            "{name}"
        );
        let (a, b) = (
            doubled.coefficient(name).unwrap(),
            weighted.coefficient(name).unwrap(),
        );
        assert!(
            (a.estimate - b.estimate).abs() < 1e-7 && (a.std_error - b.std_error).abs() < 1e-7,
            "{name}"
        );
        let c = scaled.coefficient(name).unwrap();
        match name.ends_with("ability") {
            true => assert!((c.estimate * 10.0 - ours.estimate).abs() < 1e-6, "{name}"),
            false if !name.contains("Intercept") => {
                assert!((c.estimate - ours.estimate).abs() < 1e-6, "{name}");
            }
            false => {}
        }
    }
}

#[test]
fn participation_without_purchase_is_refused() {
    let frame = buyers(300, 0.2, Seed::new(5));
    let mut participated = frame.real("participate").unwrap().to_vec();
    let row = frame
        .real("buy")
        .unwrap()
        .iter()
        .position(|b| *b < 0.5)
        .unwrap();
    participated[row] = 1.0;
    let frame = frame.replace("participate", participated).unwrap();
    let error = BuyThenParticipate::new(BUY, PARTICIPATE)
        .fit(&frame)
        .unwrap_err();
    assert!(matches!(&error, Error::OutOfRange { row: r, .. } if *r == row + 1));
    assert!(error.to_string().contains("without a purchase"), "{error}");
}

/// Compares a fit with a case of a fixture: coefficients, log-likelihood and covariances.
fn agrees(
    case: &str,
    fit: &(impl Inference + Sized),
    log_likelihood: f64,
    hc0: Option<&dyn Fn() -> nalgebra::DMatrix<f64>>,
) {
    let fixture = crate::support::fixture("participation");
    let value = &fixture["values"][case];
    let tolerance = fixture["tolerance"].as_f64().unwrap();
    let names = crate::support::names(value);
    let (at, estimates) = crate::support::pick(fit, &names);
    crate::support::agree(
        case,
        &estimates,
        &crate::support::numbers(&value["estimates"]),
        tolerance,
    );
    let theirs = value["log_likelihood"].as_f64().unwrap();
    assert!(
        (log_likelihood - theirs).abs() < 1e-8 * theirs.abs(),
        "{case}: {log_likelihood} {theirs}"
    );
    crate::support::agree_covariance(case, fit, &at, &value["classical"], tolerance);
    if let Some(hc0) = hc0 {
        let v = hc0();
        let ours: Vec<f64> = at
            .iter()
            .flat_map(|i| at.iter().map(|j| v[(*i, *j)]).collect::<Vec<_>>())
            .collect();
        crate::support::agree(
            &format!("{case}, sandwich"),
            &ours,
            &crate::support::numbers(&value["hc0"]),
            tolerance,
        );
    }
}

fn generated() -> Frame {
    crate::support::data("tests/reference/participation.csv")
}

/// The fit with the inverse information against the fixture, and again with HC0.
macro_rules! reference {
    ($case:literal, $model:expr) => {{
        let model = $model;
        let frame = generated();
        let fit = model
            .clone()
            .covariance(Covariance::Classical)
            .fit(&frame)
            .unwrap();
        let robust = || {
            fit.with_covariance(Covariance::Hc0)
                .unwrap()
                .covariance()
                .clone()
        };
        agrees($case, &fit, fit.statistics().log_likelihood, Some(&robust));
        fit
    }};
}

#[test]
fn likelihoods_agree_with_those_written_down_apart() {
    let fit = reference!(
        "buy_then_participate",
        BuyThenParticipate::new("buy ~ ability + coupon", "participate ~ ability")
    );
    assert!(fit.to_string().contains("starts lead to this maximum"));
    reference!(
        "mutual_independent",
        MutualAcceptance::new("both ~ ability", "both ~ load").independent()
    );
    let free = reference!(
        "mutual_free",
        MutualAcceptance::new("both ~ ability", "both ~ load")
    );
    assert!(free.optima().searches.len() == 9 && free.rho().unwrap().std_error > 0.1);
    let double = ContingentValuation::new("yes ~ ability", "bid")
        .follow_up("bid2", "yes2")
        .error(LatentError::Logistic);
    reference!("double_bounded", double.clone());
    reference!("spike", double.spike("some"));
    reference!(
        "log_spike",
        ContingentValuation::new("accept ~ ability", "bid")
            .log()
            .spike("any")
    );
    reference!(
        "bdm",
        Bdm::new("cost ~ ability + arm")
            .range(0.0, 10.0)
            .rounding(0.5)
    );
    reference!(
        "beliefs",
        ElicitedBeliefs::new("report ~ ability").grid(0.1)
    );
}

#[test]
fn interval_regressions_agree_with_survreg_and_glm() {
    let fixture = crate::support::fixture("participation_r");
    let tolerance = fixture["tolerance"].as_f64().unwrap();
    let frame = generated();
    let case = |name: &str, fit: &StatedFit| {
        let value = &fixture["values"][name];
        let names = crate::support::names(value);
        let (at, estimates) = crate::support::pick(fit, &names);
        crate::support::agree(
            name,
            &estimates,
            &crate::support::numbers(&value["estimates"]),
            tolerance,
        );
        crate::support::agree_covariance(name, fit, &at, &value["classical"], 1e-5);
    };
    let classical = Covariance::Classical;
    case(
        "bdm",
        &Bdm::new("cost ~ ability + arm")
            .range(0.0, 10.0)
            .rounding(0.5)
            .covariance(classical.clone())
            .fit(&frame)
            .unwrap(),
    );
    case(
        "beliefs",
        &ElicitedBeliefs::new("report ~ ability")
            .grid(0.1)
            .covariance(classical)
            .fit(&frame)
            .unwrap(),
    );

    // survreg has the amount itself, with scale 1/|b|.
    let double = ContingentValuation::new("yes ~ ability", "bid")
        .follow_up("bid2", "yes2")
        .error(LatentError::Logistic)
        .fit(&frame)
        .unwrap();
    let theirs = crate::support::numbers(&fixture["values"]["double_bounded"]["estimates"]);
    let effects: Vec<f64> = double
        .effects()
        .unwrap()
        .iter()
        .map(|e| e.estimate)
        .collect();
    crate::support::agree("double-bounded amounts", &effects, &theirs[..2], tolerance);
    let scale = -1.0 / double.coefficient("bid").unwrap().estimate;
    crate::support::agree(
        "double-bounded scale",
        &[scale.ln()],
        &theirs[2..],
        tolerance,
    );

    let single = ContingentValuation::new("yes ~ ability", "bid")
        .fit(&frame)
        .unwrap();
    let theirs = &fixture["values"]["single_bounded"];
    let ours: Vec<f64> = single.estimates().iter().copied().collect();
    crate::support::agree(
        "single-bounded",
        &ours,
        &crate::support::numbers(&theirs["estimates"]),
        tolerance,
    );
}

#[test]
fn funnels_with_frailty_agree() {
    let frame = generated();
    let fit = Funnel::new(["start ~ 1", "finish ~ 1", "bought ~ 1"])
        .common("arm + ability")
        .covariance(Covariance::Classical)
        .fit(&frame)
        .unwrap();
    let robust = || {
        fit.with_covariance(Covariance::Hc0)
            .unwrap()
            .covariance()
            .clone()
    };
    agrees(
        "funnel",
        &fit,
        fit.statistics().log_likelihood,
        Some(&robust),
    );
    assert!(fit.frailty_test().p_value < 0.5);
    // Customers named by a column of their own are the same customers; without frailty, stages are probits apart.
    let named = frame
        .clone()
        .with(
            "id",
            (0..frame.rows()).map(|i| i as f64).collect::<Vec<_>>(),
        )
        .unwrap();
    let by_name = Funnel::new(["start ~ 1", "finish ~ 1", "bought ~ 1"])
        .common("arm + ability")
        .subject("id")
        .covariance(Covariance::Classical)
        .fit(&named)
        .unwrap();
    for name in fit.names() {
        let (a, b) = (
            fit.coefficient(name).unwrap(),
            by_name.coefficient(name).unwrap(),
        );
        assert!((a.estimate - b.estimate).abs() < 1e-8 && (a.std_error - b.std_error).abs() < 1e-8);
    }
    let apart = Funnel::new(["start ~ arm + ability", "finish ~ arm", "bought ~ 1"])
        .frailty(false)
        .fit(&frame)
        .unwrap();
    let probit = Probit::new("finish ~ arm").fit(&frame).unwrap();
    let (a, b) = (
        apart.coefficient("finish.arm").unwrap(),
        probit.coefficient("arm").unwrap(),
    );
    assert!((a.estimate - b.estimate).abs() < 1e-8);
}

#[test]
fn repeated_funnels_identify_frailty_without_a_cross_stage_restriction() {
    let (customers, each) = (1_500, 4);
    let mut random = Seed::new(8).stream(0);
    let (mut id, mut arm, mut start, mut finish) = (vec![], vec![], vec![], vec![]);
    for customer in 0..customers {
        let u: f64 = StandardNormal.sample(&mut random);
        for _ in 0..each {
            let a = f64::from(u8::from(random.random::<f64>() < 0.5));
            let e = normals(2, &mut random);
            let started = 0.2 + 0.5 * a + 0.8 * u + e[0] > 0.0;
            id.push(f64::from(customer));
            arm.push(a);
            start.push(f64::from(u8::from(started)));
            finish.push(if started {
                f64::from(u8::from(-0.3 + 0.2 * a + 0.8 * u + e[1] > 0.0))
            } else {
                f64::NAN
            });
        }
    }
    let frame = Frame::new()
        .with("id", id)
        .unwrap()
        .with("arm", arm)
        .unwrap()
        .with("start", start)
        .unwrap()
        .with("finish", finish)
        .unwrap();
    let fit = Funnel::new(["start ~ arm", "finish ~ arm"])
        .subject("id")
        .arm("arm", "0")
        .fit(&frame)
        .unwrap();
    let truth = [
        ("start.(Intercept)", 0.2),
        ("start.arm", 0.5),
        ("finish.(Intercept)", -0.3),
        ("finish.arm", 0.2),
        ("ln_sigma", 0.8_f64.ln()),
    ];
    for (name, truth) in truth {
        let found = fit.coefficient(name).unwrap();
        assert!(found.statistic(truth).abs() < 3.5, "{found} is not {truth}");
    }
    assert!(fit.frailty_test().p_value < 1e-6);
    // Who finishes among those who started has a high u: without frailty the constant is too high.
    let naive = Funnel::new(["start ~ arm", "finish ~ arm"])
        .frailty(false)
        .fit(&frame)
        .unwrap();
    assert!(
        naive
            .coefficient("finish.(Intercept)")
            .unwrap()
            .statistic(-0.3)
            > 5.0
    );
    assert!(fit.to_string().starts_with("Intention to treat"), "{fit}");
}

#[test]
fn conditional_rates_hide_what_intention_to_treat_shows() {
    // Inspiration brings in people who would not have started; finishing itself is the same for everybody.
    let n = 8_000;
    let mut random = Seed::new(9).stream(0);
    let arm: Vec<&str> = (0..n)
        .map(|i| if i % 2 == 0 { "none" } else { "tool" })
        .collect();
    let (mut start, mut finish) = (vec![], vec![]);
    for i in 0..n {
        let skill: f64 = StandardNormal.sample(&mut random);
        let starts = skill > if i % 2 == 0 { 0.8 } else { 0.2 };
        start.push(f64::from(u8::from(starts)));
        let finishes = skill + 0.5 * normals(1, &mut random)[0] > 1.0;
        finish.push(if starts {
            f64::from(u8::from(finishes))
        } else {
            0.0
        });
    }
    let frame = Frame::new()
        .with("arm", arm)
        .unwrap()
        .with("start", start)
        .unwrap()
        .with("finish", finish)
        .unwrap();
    let effects = FunnelEffects::new("arm", ["start", "finish"])
        .control("none")
        .fit(&frame)
        .unwrap();
    let [first, second] = &effects.intention_to_treat[..] else {
        panic!()
    };
    assert!(first.effect.estimate > 0.15 && second.effect.statistic(0.0) > -2.0);
    let conditional = &effects.conditional[0];
    assert!(
        conditional.rate < conditional.control_rate - 0.1,
        "the naive comparison says that the tool harms"
    );
    // The truth, no effect on anybody's finishing, is inside both bounds.
    for bounds in [&conditional.manski, &conditional.lee] {
        let [low, high] = bounds.confidence_interval(0.95).unwrap();
        assert!(
            bounds.lower <= 0.0 && 0.0 <= bounds.upper && low < bounds.lower && high > bounds.upper
        );
    }
    let text = effects.to_string();
    assert!(text.find("Intention to treat").unwrap() < text.find("Selected").unwrap());
    // The difference of shares and its robust error.
    let share = |a: &str| {
        let rows: Vec<f64> = frame
            .label("arm")
            .unwrap()
            .codes()
            .iter()
            .zip(frame.real("start").unwrap())
            .filter(|(c, _)| frame.label("arm").unwrap().levels()[**c as usize] == *a)
            .map(|(_, y)| *y)
            .collect();
        rows.iter().sum::<f64>() / rows.len() as f64
    };
    assert!((first.effect.estimate - (share("tool") - share("none"))).abs() < 1e-12);
    assert_eq!(first.control_rate, share("none"));
}

#[test]
fn amounts_have_three_kinds_of_intervals() {
    let frame = generated();
    let fit = ContingentValuation::new("yes ~ ability", "bid")
        .follow_up("bid2", "yes2")
        .error(LatentError::Logistic)
        .fit(&frame)
        .unwrap();
    let all = fit.intervals(WtpMeasure::Mean, 0.95, 3).unwrap();
    let fieller = all.fieller.clone().unwrap();
    for (a, b) in [
        (all.delta.lower, all.krinsky_robb.lower),
        (all.delta.upper, all.krinsky_robb.upper),
        (all.delta.lower, fieller.segments[0].lower),
    ] {
        assert!((a - b).abs() < 0.1 * all.estimate.std_error, "{all}");
    }
    assert!((all.estimate.estimate - 6.0).abs() < 3.0 * all.estimate.std_error + 0.2);
    // A short experiment: the slope of the bid is hardly known, and only Fieller's set says so.
    let few = frame
        .filter(&(0..frame.rows()).map(|i| i < 40).collect::<Vec<_>>())
        .unwrap();
    let weak = few
        .clone()
        .replace(
            "bid",
            few.real("bid")
                .unwrap()
                .iter()
                .enumerate()
                .map(|(i, _)| 5.0 + (i % 2) as f64 * 0.5)
                .collect::<Vec<f64>>(),
        )
        .unwrap();
    let short = ContingentValuation::new("yes ~ 1", "bid")
        .fit(&weak)
        .unwrap();
    if let Ok(all) = short.intervals(WtpMeasure::Mean, 0.95, 3) {
        assert!(!all.fieller.unwrap().is_bounded());
        assert!(all.delta.lower.is_finite());
    } else {
        assert!(!short.warnings().is_empty());
    }
    // Units: bids ten times as large make amounts ten times as large.
    let tens = |name: &str, f: &Frame| {
        f.real(name)
            .unwrap()
            .iter()
            .map(|b| 1000.0 * b)
            .collect::<Vec<f64>>()
    };
    let scaled = frame
        .clone()
        .replace("bid", tens("bid", &frame))
        .unwrap()
        .replace("bid2", tens("bid2", &frame))
        .unwrap();
    let other = ContingentValuation::new("yes ~ ability", "bid")
        .follow_up("bid2", "yes2")
        .error(LatentError::Logistic)
        .fit(&scaled)
        .unwrap();
    let (a, b) = (fit.mean().unwrap(), other.mean().unwrap());
    assert!(
        (b.estimate / a.estimate - 1000.0).abs() < 1e-4
            && (b.std_error / a.std_error - 1000.0).abs() < 1e-3
    );
    // A spike: nobody's amount is negative, the mean is larger, and some have none.
    let spike = ContingentValuation::new("yes ~ ability", "bid")
        .follow_up("bid2", "yes2")
        .error(LatentError::Logistic)
        .spike("some")
        .fit(&frame)
        .unwrap();
    assert!(spike.mean().unwrap().estimate > fit.mean().unwrap().estimate);
    let none = spike.zero_share().unwrap().unwrap();
    let share = frame
        .real("some")
        .unwrap()
        .iter()
        .filter(|s| **s < 0.5)
        .count() as f64
        / frame.rows() as f64;
    assert!((none.estimate - share).abs() < 0.05);
    // Exceedance falls in the bid.
    let at = |bid| fit.exceeds(&frame, bid).unwrap()[0];
    assert!(at(2.0) > at(5.0) && at(5.0) > at(12.0));
}

#[test]
fn compensation_turns_answers_around() {
    let frame = generated();
    // Whoever would pay more than the bid refuses a compensation as small as it.
    let refused = frame
        .real("yes")
        .unwrap()
        .iter()
        .map(|y| 1.0 - y)
        .collect::<Vec<f64>>();
    let turned = frame.clone().with("takes", refused).unwrap();
    let pay = ContingentValuation::new("yes ~ ability", "bid")
        .fit(&frame)
        .unwrap();
    let take = ContingentValuation::new("takes ~ ability", "bid")
        .compensation()
        .fit(&turned)
        .unwrap();
    for name in pay.names() {
        let (a, b) = (
            pay.coefficient(name).unwrap(),
            take.coefficient(name).unwrap(),
        );
        assert!((a.estimate - b.estimate).abs() < 1e-9, "{name}");
    }
}

#[test]
fn beliefs_from_quantiles() {
    let n = 4_000;
    let mut random = Seed::new(10).stream(0);
    let x = normals(n, &mut random);
    let levels = [0.1, 0.5, 0.9];
    let z = [-1.281_551_565_544_600_5, 0.0, 1.281_551_565_544_600_5];
    let mut q = vec![vec![]; 3];
    for x in &x {
        let m = 0.5 + 0.8 * x + 0.3 * normals(1, &mut random)[0];
        let v = (-0.4 + 0.3 * x).exp();
        let mut stated: Vec<f64> = (0..3)
            .map(|k| m + v.sqrt() * z[k] + 0.1 * normals(1, &mut random)[0])
            .collect();
        stated.sort_by(f64::total_cmp);
        (0..3).for_each(|k| q[k].push(stated[k]));
    }
    let frame = Frame::new()
        .with("x", x)
        .unwrap()
        .with("a", q[0].clone())
        .unwrap()
        .with("b", q[1].clone())
        .unwrap()
        .with("c", q[2].clone())
        .unwrap();
    let fit = BeliefQuantiles::new([("a", levels[0]), ("b", levels[1]), ("c", levels[2])])
        .regressors("x")
        .fit(&frame)
        .unwrap();
    assert!((fit.noise.unwrap() - 0.1).abs() < 0.01);
    let mean = fit.mean_regression().unwrap();
    assert!(mean.coefficient("x").unwrap().statistic(0.8).abs() < 3.5);
    let variance = fit.ln_variance_regression().unwrap();
    assert!(variance.coefficient("x").unwrap().statistic(0.3).abs() < 3.5);
    assert!(
        variance
            .coefficient("(Intercept)")
            .unwrap()
            .statistic(-0.4)
            .abs()
            < 3.5
    );
    assert!(fit.to_string().contains("errors of statement"));
    // Two quantiles have no residual; rounding says how good they are.
    let two = BeliefQuantiles::new([("a", 0.1), ("c", 0.9)])
        .fit(&frame)
        .unwrap();
    assert!(two.noise.is_none() && !two.warnings().is_empty());
    assert!(
        BeliefQuantiles::new([("a", 0.1), ("c", 0.9)])
            .rounding(0.1)
            .fit(&frame)
            .unwrap()
            .mean_error
            .unwrap()
            > 0.0
    );
    let crossed = frame
        .clone()
        .replace("b", q[2].iter().map(|v| v + 1.0).collect::<Vec<f64>>())
        .unwrap();
    let error = BeliefQuantiles::new([("a", 0.1), ("b", 0.5), ("c", 0.9)])
        .fit(&crossed)
        .unwrap_err();
    assert!(
        matches!(&error, Error::OutOfRange { row: 1, .. }) && error.to_string().contains("cross"),
        "{error}"
    );
    let flat = BeliefQuantiles::new([("a", 0.1), ("d", 0.9)])
        .fit(&frame.clone().with("d", q[0].clone()).unwrap())
        .unwrap_err();
    assert!(flat.to_string().contains("without variance"), "{flat}");
}

#[test]
fn known_variances_turn_reports_into_beliefs_about_ability() {
    let n = 5_000;
    let mut random = Seed::new(11).stream(0);
    let x = normals(n, &mut random);
    let variance: Vec<f64> = (0..n).map(|_| random.random::<f64>() * 2.0).collect();
    let difficulty: Vec<f64> = (0..n).map(|_| random.random::<f64>()).collect();
    let report: Vec<f64> = (0..n)
        .map(|i| {
            let m = 0.6 + 0.7 * x[i] + 0.5 * normals(1, &mut random)[0];
            let h = (m - difficulty[i]) / (1.0 + variance[i]).sqrt();
            (20.0 * cocreate::numeric::special::normal::cdf(h)).round() / 20.0
        })
        .collect();
    let frame = Frame::new()
        .with("x", x)
        .unwrap()
        .with("v", variance)
        .unwrap()
        .with("d", difficulty)
        .unwrap()
        .with("report", report)
        .unwrap();
    let fit = ElicitedBeliefs::new("report ~ x")
        .grid(0.05)
        .variance("v")
        .difficulty("d")
        .fit(&frame)
        .unwrap();
    for (name, truth) in [("(Intercept)", 0.6), ("x", 0.7), ("ln_sigma", 0.5_f64.ln())] {
        let found = fit.coefficient(name).unwrap();
        assert!(found.statistic(truth).abs() < 3.5, "{found} is not {truth}");
    }
}

#[test]
fn willingness_reports_ratios() {
    let n = 20_000;
    let mut random = Seed::new(12).stream(0);
    let (theta, alpha, scale) = (2.0, 0.8, 0.7);
    let m = normals(n, &mut random);
    let v: Vec<f64> = (0..n).map(|_| 2.0 * random.random::<f64>()).collect();
    let price: Vec<f64> = (0..n).map(|_| 3.0 * random.random::<f64>()).collect();
    let e = normals(n, &mut random);
    let utility: Vec<f64> = (0..n)
        .map(|i| theta * m[i] - 0.5 * alpha * theta * theta * v[i] - price[i] + 1.0 + scale * e[i])
        .collect();
    let join = flags(utility.iter().map(|u| *u > 0.0));
    let answer: Vec<f64> = utility
        .iter()
        .map(|u| f64::from(u8::from(*u > -2.0) + u8::from(*u > 0.0) + u8::from(*u > 2.0)))
        .collect();
    let frame = Frame::new()
        .with("m", m)
        .unwrap()
        .with("v", v)
        .unwrap()
        .with("price", price)
        .unwrap()
        .with("join", join)
        .unwrap()
        .with("answer", answer)
        .unwrap();
    for (outcome, scale) in [
        ("join", WillingnessScale::Probit),
        ("answer", WillingnessScale::OrderedProbit),
    ] {
        let fit = Willingness::new(format!("{outcome} ~ m + v + price"), scale, "m", "v")
            .price("price")
            .fit(&frame)
            .unwrap();
        for (found, truth) in [
            (fit.certainty_ratio().unwrap(), alpha * theta / 2.0),
            (fit.value_of_ability().unwrap(), theta),
            (
                fit.cost_of_uncertainty().unwrap(),
                alpha * theta * theta / 2.0,
            ),
        ] {
            assert!(found.statistic(truth).abs() < 3.5, "{found} is not {truth}");
        }
        let all = fit.intervals(WillingnessRatio::Certainty, 0.95, 5).unwrap();
        assert!(
            (all.delta.lower - all.krinsky_robb.lower).abs() < 0.1 * all.estimate.std_error,
            "{all}"
        );
        assert!(
            (all.delta.upper - all.fieller.segments[0].upper).abs() < 0.1 * all.estimate.std_error
        );
    }
    let without = Willingness::new("join ~ m + v", WillingnessScale::Logit, "m", "v")
        .fit(&frame)
        .unwrap();
    assert!(matches!(
        without.value_of_ability(),
        Err(Error::Unidentified { .. })
    ));
    let twice = frame
        .clone()
        .with("again", frame.real("m").unwrap().to_vec())
        .unwrap();
    let collinear =
        Willingness::new("join ~ m + again", WillingnessScale::Logit, "m", "again").fit(&twice);
    assert!(matches!(
        collinear,
        Err(Error::OutOfRange { .. } | Error::Unidentified { .. })
    ));
    let negative = frame
        .clone()
        .replace("v", frame.real("m").unwrap().to_vec())
        .unwrap();
    let error = Willingness::new("join ~ m + v", WillingnessScale::Logit, "m", "v")
        .fit(&negative)
        .unwrap_err();
    assert!(
        error.to_string().contains("variance of a belief"),
        "{error}"
    );
}

#[test]
fn what_data_cannot_tell_is_refused() {
    let frame = generated();
    let unidentified = |error: Error, word: &str| {
        assert!(matches!(error, Error::Unidentified { .. }), "{error}");
        assert!(error.to_string().contains(word), "{error}");
    };
    // Mutual acceptance with no shifter of the firm.
    unidentified(
        MutualAcceptance::new("both ~ ability + load", "both ~ load")
            .fit(&frame)
            .unwrap_err(),
        "the firm's side",
    );
    // Arms × stages with effects of their own leave no rate for the frailty.
    unidentified(
        Funnel::new(["start ~ arm", "finish ~ arm", "bought ~ arm"])
            .fit(&frame)
            .unwrap_err(),
        "cross-stage restriction",
    );
    // A continuous regressor: functional form alone.
    let by_form =
        Funnel::new(["start ~ ability", "finish ~ ability", "bought ~ ability"]).fit(&frame);
    match by_form {
        Ok(fit) => assert!(
            fit.warnings()
                .iter()
                .any(|w| w.to_string().contains("functional form")),
            "{fit}"
        ),
        Err(error) => unidentified(error, "information"),
    }
    // Bids.
    let all_yes = frame
        .clone()
        .replace("yes", vec![1.0; frame.rows()])
        .unwrap();
    unidentified(
        ContingentValuation::new("yes ~ 1", "bid")
            .fit(&all_yes)
            .unwrap_err(),
        "bracket",
    );
    let one_bid = frame
        .clone()
        .replace("bid", vec![5.0; frame.rows()])
        .unwrap();
    unidentified(
        ContingentValuation::new("yes ~ 1", "bid")
            .fit(&one_bid)
            .unwrap_err(),
        "bids that vary",
    );
    let steps: Vec<f64> = frame
        .real("bid")
        .unwrap()
        .iter()
        .map(|b| f64::from(u8::from(*b < 6.0)))
        .collect();
    unidentified(
        ContingentValuation::new("yes ~ 1", "bid")
            .fit(&frame.clone().replace("yes", steps).unwrap())
            .unwrap_err(),
        "all at once",
    );
    let generous: Vec<f64> = frame
        .real("yes")
        .unwrap()
        .iter()
        .enumerate()
        .map(|(i, y)| if i % 5 == 0 { 0.0 } else { y.max(1.0) })
        .collect();
    let high = ContingentValuation::new("yes ~ 1", "bid")
        .fit(&frame.clone().replace("yes", generous).unwrap())
        .unwrap();
    assert!(
        high.warnings()
            .iter()
            .any(|w| w.to_string().contains("do not bracket")),
        "{high}"
    );
    // Stated costs at the ends alone.
    let ends: Vec<f64> = frame
        .real("yes")
        .unwrap()
        .iter()
        .map(|y| 10.0 * y)
        .collect();
    unidentified(
        Bdm::new("cost ~ 1")
            .range(0.0, 10.0)
            .fit(&frame.clone().replace("cost", ends).unwrap())
            .unwrap_err(),
        "inside the range",
    );
}

#[test]
fn wrong_rows_are_named() {
    let frame = generated();
    let at = |error: Error, row: usize, word: &str| {
        assert!(
            matches!(&error, Error::OutOfRange { row: r, .. } if *r == row),
            "{error}"
        );
        assert!(error.to_string().contains(word), "{error}");
    };
    let with = |name: &str, row: usize, value: f64| {
        let mut values = frame.real(name).unwrap().to_vec();
        values[row - 1] = value;
        frame.clone().replace(name, values).unwrap()
    };
    // A second bid that goes the wrong way.
    let double = ContingentValuation::new("yes ~ 1", "bid").follow_up("bid2", "yes2");
    let wrong = if frame.real("yes").unwrap()[6] > 0.5 {
        0.5
    } else {
        50.0
    };
    at(
        double.fit(&with("bid2", 7, wrong)).unwrap_err(),
        7,
        "than the first bid",
    );
    at(
        double.fit(&with("bid", 9, -1.0)).unwrap_err(),
        9,
        "positive amount",
    );
    let paid = frame
        .real("yes")
        .unwrap()
        .iter()
        .position(|y| *y > 0.5)
        .unwrap()
        + 1;
    at(
        double
            .clone()
            .spike("some")
            .fit(&with("some", paid, 0.0))
            .unwrap_err(),
        paid,
        "contradicts",
    );
    // Success recorded for somebody who did not start.
    let out = frame
        .real("start")
        .unwrap()
        .iter()
        .position(|s| *s < 0.5)
        .unwrap()
        + 1;
    let funnel = FunnelEffects::new("arm", ["start", "finish", "bought"]);
    at(
        funnel.fit(&with("finish", out, 1.0)).unwrap_err(),
        out,
        "was not passed",
    );
    at(
        Funnel::new(["start ~ 1", "finish ~ 1"])
            .common("ability")
            .fit(&with("finish", out, 1.0))
            .unwrap_err(),
        out,
        "was not passed",
    );
    // Beliefs off the grid, outside, with a negative variance.
    let beliefs = ElicitedBeliefs::new("report ~ 1").grid(0.1);
    at(
        beliefs.fit(&with("report", 3, 0.55)).unwrap_err(),
        3,
        "multiple of 0.1",
    );
    at(
        beliefs.fit(&with("report", 3, 55.0)).unwrap_err(),
        3,
        "between 0 and 1",
    );
    let negative = frame
        .clone()
        .with(
            "v",
            (0..frame.rows())
                .map(|i| if i == 4 { -0.1 } else { 0.5 })
                .collect::<Vec<f64>>(),
        )
        .unwrap();
    at(
        beliefs.variance("v").fit(&negative).unwrap_err(),
        5,
        "variance of a belief",
    );
    at(
        Bdm::new("cost ~ 1")
            .range(0.0, 10.0)
            .fit(&with("cost", 2, 11.0))
            .unwrap_err(),
        2,
        "highest price",
    );
    assert!(matches!(
        MutualAcceptance::new("both ~ ability", "yes ~ load").fit(&frame),
        Err(Error::InvalidOption { .. })
    ));
}

#[test]
fn fits_survive_serialisation_and_clusters_change_errors_alone() {
    let frame = generated();
    let clusters = frame
        .clone()
        .with(
            "shop",
            (0..frame.rows())
                .map(|i| (i % 60) as f64)
                .collect::<Vec<_>>(),
        )
        .unwrap();
    let cluster = Covariance::cluster("shop");
    macro_rules! check {
        ($type:ident, $model:expr) => {{
            let plain = $model.fit(&clusters).unwrap();
            let clustered = $model.covariance(cluster.clone()).fit(&clusters).unwrap();
            assert_eq!(plain.estimates(), clustered.estimates());
            assert_ne!(plain.std_errors(), clustered.std_errors());
            let back: $type =
                serde_json::from_str(&serde_json::to_string(&plain).unwrap()).unwrap();
            assert_eq!(back.to_string(), plain.to_string());
            assert!(plain.to_html().contains("<table"));
        }};
    }
    check!(
        BuyThenParticipateFit,
        BuyThenParticipate::new("buy ~ ability + coupon", "participate ~ ability")
    );
    check!(
        MutualAcceptanceFit,
        MutualAcceptance::new("both ~ ability", "both ~ load").independent()
    );
    check!(
        ContingentValuationFit,
        ContingentValuation::new("yes ~ ability", "bid").follow_up("bid2", "yes2")
    );
    check!(StatedFit, Bdm::new("cost ~ ability + arm").range(0.0, 10.0));
    check!(
        StatedFit,
        ElicitedBeliefs::new("report ~ ability").grid(0.1)
    );
    check!(
        FunnelFit,
        Funnel::new(["start ~ 1", "finish ~ 1", "bought ~ 1"]).common("arm + ability")
    );
}
