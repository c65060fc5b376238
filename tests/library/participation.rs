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
    let backwards = Rows::some(1_200, (0..1_200).collect());
    assert!(backwards.is_all());
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
                assert!((c.estimate - ours.estimate).abs() < 1e-6, "{name}")
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
