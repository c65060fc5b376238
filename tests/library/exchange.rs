//! The exchange of participation and data: bargaining weights, cross-effects of incentives, compensation for data.

use crate::support::{agree, fixture, numbers};
use cocreate::decision::Corner;
use cocreate::prelude::*;
use cocreate::simulate::{DataAsks, DataOffers, LogNormal};
use proptest::prelude::*;

fn process() -> DataExchange {
    DataExchange {
        outside: [0.2, 0.2],
        bargaining: 0.4,
        privacy: LogNormal::new(0.5, 0.1),
        ..DataExchange::new()
    }
}

fn bargaining() -> NashBargaining {
    NashBargaining::new()
        .transfer("transfer")
        .customer(OutsideOption::money("outside_c"))
        .firm(OutsideOption::money("outside_f"))
        .controls("incentive_e + incentive_z")
}

fn column(frame: &Frame, name: &str) -> Vec<f64> {
    frame.numeric(name).unwrap().values().to_vec()
}

#[test]
fn numbers_are_those_of_statsmodels() {
    let record = fixture("exchange");
    let values = &record["values"];
    let number = |key: &str| values[key].as_f64().unwrap();
    let frame = crate::support::data("tests/reference/exchange.csv");
    let fit = bargaining().fit(&frame).unwrap();
    let eta = fit.eta();
    agree("eta", &[eta.estimate], &[number("eta")], 1e-9);
    agree("eta s.e.", &[eta.std_error], &[number("eta_se")], 1e-9);
    let test = fit.overidentification().unwrap().unwrap();
    agree(
        "overidentification",
        &[test.statistic],
        &[number("over_f")],
        1e-8,
    );
    let clustered = fit.with_covariance(Covariance::cluster("village")).unwrap();
    agree(
        "clustered",
        &[clustered.eta().std_error],
        &[number("eta_se_village")],
        1e-9,
    );

    let cross = CrossEffects::new(["e", "z"], ["incentive_e", "incentive_z"])
        .controls("age")
        .cluster("village")
        .fit(&frame)
        .unwrap();
    let free = cross.unrestricted().unwrap();
    let ours: Vec<f64> = free
        .iter()
        .flat_map(|e| [e.estimate, e.std_error])
        .collect();
    agree("cross-effects", &ours, &numbers(&values["cross"]), 1e-9);
    let symmetric = cross.symmetric().unwrap();
    let ours = [
        symmetric.restricted.estimate,
        symmetric.restricted.std_error,
        symmetric.test.statistic,
    ];
    agree("symmetric", &ours, &numbers(&values["symmetric"]), 1e-8);
    agree(
        "joint",
        &[cross.joint_test().unwrap().statistic],
        &[number("joint_f")],
        1e-8,
    );

    let offers = crate::support::data("tests/reference/offers.csv");
    let fit = OfferChoice::new("chosen ~ share + control + benefit + payment", "payment")
        .choice_set("set")
        .covariance(Covariance::Classical)
        .fit(&offers)
        .unwrap();
    let wta = fit.wta(&[("share", 1.0), ("control", 0.5)]).unwrap();
    let ours = [wta.estimate, wta.std_error];
    agree("compensation", &ours, &numbers(&values["wta"]), 1e-7);
    let all = fit
        .intervals(&[("share", 1.0), ("control", 0.5)], 0.95, 7)
        .unwrap();
    let ends = [all.fieller.segments[0].lower, all.fieller.segments[0].upper];
    agree("Fieller", &ends, &numbers(&values["wta_fieller"]), 1e-7);
    assert!(
        (all.krinsky_robb.lower / ends[0] - 1.0).abs() < 0.02,
        "{all}"
    );
}

#[test]
fn shares_of_the_gain_are_recovered_where_everybody_agrees() {
    let made = process().customers(4_000).seed(3).simulate().unwrap();
    assert_eq!(made.oracle.effect("share_agreed").unwrap(), 1.0);
    let fit = bargaining().fit(&made.data).unwrap();
    let eta = fit.eta();
    assert!((eta.estimate - 0.4).abs() < 4.0 * eta.std_error, "{eta}");
    assert!(eta.std_error < 0.03, "{eta}");
    for one in fit.by_shifter().unwrap() {
        assert!((one.estimate - 0.4).abs() < 4.0 * one.std_error, "{one}");
    }
    assert!(fit.overidentification().unwrap().unwrap().p_value > 0.001);
    assert_eq!(fit.range_test().p_value, 1.0);
    assert!(
        fit.selection().is_none() && fit.warnings().is_empty(),
        "{fit}"
    );
    assert!(fit.to_string().contains("eta"));
    assert!(!fit.to_html().is_empty());
}

#[test]
fn the_firms_gain_tells_what_the_customer_gains() {
    let made = process().customers(6_000).seed(8).simulate().unwrap();
    let oracle = |name: &str| made.oracle.real(name).unwrap().to_vec();
    let less = |a: Vec<f64>, b: Vec<f64>| a.iter().zip(b).map(|(a, b)| a - b).collect::<Vec<f64>>();
    let firm = less(oracle("profit"), column(&made.data, "outside_f"));
    let customer = less(oracle("customer_surplus"), column(&made.data, "outside_c"));
    let mean = |v: &[f64]| v.iter().sum::<f64>() / v.len() as f64;
    let truth = mean(&customer);
    let frame = made.data.clone().with("firm_gain", firm.clone()).unwrap();
    let fit = bargaining().firm_gain("firm_gain").fit(&frame).unwrap();
    let gain = fit.gain().unwrap();
    assert!((gain.firm.estimate - mean(&firm)).abs() < 1e-12);
    assert!((gain.customer.estimate - truth).abs() < 4.0 * gain.customer.std_error);
    assert!((gain.total.estimate - gain.firm.estimate - gain.customer.estimate).abs() < 1e-12);
    let ratio = gain.total.estimate * (1.0 - fit.eta().estimate);
    assert!((ratio - gain.firm.estimate).abs() < 1e-12);
    // Standard errors are the spread over samples.
    let found: Vec<[f64; 2]> = cocreate::numeric::blocks::map(300, |r| {
        let made = process().customers(500).seed(r as u64).simulate().unwrap();
        let profit = made.oracle.real("profit").unwrap().to_vec();
        let firm = less(profit, column(&made.data, "outside_f"));
        let frame = made.data.clone().with("firm_gain", firm).unwrap();
        let fit = bargaining().firm_gain("firm_gain").fit(&frame).unwrap();
        let customer = &fit.gain().unwrap().customer;
        [customer.estimate, customer.std_error]
    });
    let center = found.iter().map(|f| f[0]).sum::<f64>() / 300.0;
    let spread = (found.iter().map(|f| (f[0] - center).powi(2)).sum::<f64>() / 299.0).sqrt();
    let error = found.iter().map(|f| f[1]).sum::<f64>() / 300.0;
    assert!(
        (error / spread - 1.0).abs() < 3.5 / 600_f64.sqrt(),
        "{error} {spread}"
    );
    assert!(fit.to_string().contains("gain of the customer"));
    let frame = frame
        .with(
            "group",
            (0..6_000).map(|i| f64::from(i % 5)).collect::<Vec<f64>>(),
        )
        .unwrap();
    let absorbed = bargaining().controls("| group");
    assert!(absorbed.fit(&frame).is_ok());
    let refused = absorbed.firm_gain("firm_gain").fit(&frame);
    assert!(matches!(refused, Err(Error::InvalidOption { .. })));
}

#[test]
fn wrong_money_values_and_selected_agreements_are_seen() {
    // The customer's offers are said to be worth twice what they are: η̂ from them is 1 − 0.6/2, from the firm's 0.4.
    let made = process().customers(4_000).seed(3).simulate().unwrap();
    let wrong = NashBargaining::new()
        .transfer("transfer")
        .customer(OutsideOption::worth("outside_c", 2.0))
        .firm(OutsideOption::money("outside_f"))
        .fit(&made.data)
        .unwrap();
    assert!(wrong.overidentification().unwrap().unwrap().p_value < 1e-6);
    let by = wrong.by_shifter().unwrap();
    assert!(
        (by[0].estimate - 0.7).abs() < 4.0 * by[0].std_error,
        "{}",
        by[0]
    );
    assert!(
        wrong
            .warnings()
            .iter()
            .any(|w| w.to_string().contains("do not agree on η"))
    );
    // Offers so good that many do not agree: who agrees has more surplus, and those with good offers all the more.
    let large = DataExchange {
        outside: [1.5, 1.5],
        privacy: LogNormal::new(0.5, 1.0),
        ..process()
    };
    let made = large.customers(8_000).seed(3).simulate().unwrap();
    assert!(made.oracle.effect("share_agreed").unwrap() < 0.8);
    let fit = bargaining().fit(&made.data).unwrap();
    assert!(fit.selection().unwrap().p_value < 1e-6);
    assert!(
        fit.warnings()
            .iter()
            .any(|w| w.to_string().contains("selected sample"))
    );
    let eta = fit.eta();
    assert!((eta.estimate - 0.4).abs() > 4.0 * eta.std_error, "{eta}");
    // Outside η's range: a shifter of the firm given as one of the customer with the wrong sign.
    let reversed = NashBargaining::new()
        .transfer("transfer")
        .customer(OutsideOption::worth("outside_c", -1.0))
        .fit(&process().customers(4_000).seed(3).simulate().unwrap().data)
        .unwrap();
    assert!(reversed.eta().estimate > 1.0 && reversed.range_test().p_value < 1e-6);
}

#[test]
fn what_does_not_identify_the_weight_is_refused() {
    let made = process().customers(400).seed(3).simulate().unwrap();
    let needs = |model: &NashBargaining, frame: &Frame| match model.fit(frame) {
        Err(Error::Unidentified { needs, .. }) => needs,
        other => panic!("{other:?}"),
    };
    let money = || OutsideOption::money("outside_c");
    assert!(needs(&NashBargaining::new().customer(money()), &made.data).contains("transfers"));
    let bare = NashBargaining::new().transfer("transfer");
    assert!(needs(&bare, &made.data).contains("money value is known"));
    let unknown = bare.clone().customer(OutsideOption::unknown("outside_c"));
    assert!(needs(&unknown, &made.data).contains("`outside_c` moves transfers"));
    let n = made.data.rows();
    let more = made
        .data
        .clone()
        .with("same", vec![1.0; n])
        .unwrap()
        .with("none", vec![f64::NAN; n])
        .unwrap();
    let constant = bare.clone().customer(OutsideOption::money("same"));
    assert!(needs(&constant, &more).contains("vary"));
    let missing = NashBargaining::new().transfer("none").customer(money());
    assert!(needs(&missing, &more).contains("`none` is missing"));
    let nothing = bare
        .clone()
        .customer(OutsideOption::worth("outside_c", 0.0));
    assert!(matches!(
        nothing.fit(&made.data),
        Err(Error::InvalidOption { .. })
    ));
    let absent = bare.clone().customer(OutsideOption::money("outside"));
    assert!(matches!(
        absent.fit(&made.data),
        Err(Error::ColumnNotFound { .. })
    ));
    // Shifters that hardly vary leave η open, and say so.
    let weak = DataExchange {
        outside: [0.01, 0.0],
        privacy: LogNormal::new(0.5, 0.3),
        ..process()
    };
    let weak = weak.customers(200).seed(5).simulate().unwrap().data;
    let fit = bare.customer(money()).fit(&weak).unwrap();
    assert!(
        fit.warnings()
            .iter()
            .any(|w| w.to_string().contains("vary too little")),
        "{fit}"
    );
}

fn cross(frame: &Frame) -> CrossEffectsFit {
    CrossEffects::new(["e", "z"], ["incentive_e", "incentive_z"])
        .fit(frame)
        .unwrap()
}

/// The slope of z in e given the incentives, and the interaction of the incentives in z.
fn naive(frame: &Frame) -> [Estimate; 2] {
    let of = |formula: &str, name: &str| {
        Ols::new(formula)
            .fit(frame)
            .unwrap()
            .coefficient(name)
            .unwrap()
    };
    [
        of("z ~ e + incentive_e + incentive_z", "e"),
        of("z ~ incentive_e * incentive_z", "incentive_e:incentive_z"),
    ]
}

#[test]
fn cross_effects_tell_complements_where_correlation_and_interaction_mislead() {
    let customers = 20_000;
    // No complementarity, but a taste for both: correlation says complements.
    let tasteful = DataExchange {
        benefit: [0.5, 0.6, 0.0, 2.0],
        tastes: [0.3, 0.2, 0.8],
        privacy: LogNormal::new(0.3, 0.1),
        ..DataExchange::new()
    };
    let made = tasteful.customers(customers).seed(11).simulate().unwrap();
    let [correlation, _] = naive(&made.data);
    assert!(correlation.statistic(0.0) > 20.0, "{correlation}");
    let fit = cross(&made.data);
    assert!(fit.joint_test().unwrap().p_value > 0.01, "{fit}");
    assert_eq!(made.oracle.effect("z_by_incentive_e").unwrap(), 0.0);
    // Complementarity, but tastes that are opposed: correlation says substitutes, the interaction says nothing.
    let opposed = DataExchange {
        tastes: [0.3, 0.3, -0.95],
        privacy: LogNormal::new(0.3, 0.1),
        ..DataExchange::new()
    };
    let made = opposed.customers(customers).seed(12).simulate().unwrap();
    let [correlation, interaction] = naive(&made.data);
    assert!(correlation.statistic(0.0) < -20.0, "{correlation}");
    assert!(interaction.statistic(0.0).abs() < 3.0, "{interaction}");
    let found = cross(&made.data).symmetric().unwrap();
    let truth = made.oracle.effect("e_by_incentive_z").unwrap();
    assert!(
        truth > 0.05 && found.restricted.statistic(0.0) > 5.0,
        "{truth} {found}"
    );
    assert!((found.restricted.estimate - truth).abs() < 4.0 * found.restricted.std_error);
    assert!(found.test.p_value > 0.001);
    // The common estimate is more precise than either alone.
    for one in &found.unrestricted {
        assert!(found.restricted.std_error <= one.std_error);
    }
    // Incentives that are targeted are not what the estimator assumes: those offered more for data value privacy.
    let targeted = DataExchange {
        flaw: Some(cocreate::simulate::ExchangeFlaw::TargetedIncentives),
        privacy: LogNormal::new(0.5, 0.4),
        ..DataExchange::new()
    };
    let made = targeted.customers(customers).seed(13).simulate().unwrap();
    let found = cross(&made.data).symmetric().unwrap();
    assert!(found.test.p_value < 1e-6, "{found}");
}

#[test]
fn joint_errors_cover_and_symmetry_is_rejected_as_often_as_asked() {
    let replications = 400;
    let found: Vec<[bool; 3]> = cocreate::numeric::blocks::map(replications, |r| {
        let privacy = LogNormal::new(0.5, 0.1);
        let process = DataExchange {
            privacy,
            tastes: [0.2, 0.2, 0.3],
            benefit: [0.5, 0.6, 0.0, 2.0],
            ..DataExchange::new()
        };
        let made = process.customers(500).seed(r as u64).simulate().unwrap();
        let fit = cross(&made.data);
        let symmetric = fit.symmetric().unwrap();
        let interval = symmetric.restricted.confidence_interval(0.95).unwrap();
        [
            interval.lower <= 0.0 && 0.0 <= interval.upper,
            symmetric.test.p_value < 0.05,
            fit.joint_test().unwrap().p_value < 0.05,
        ]
    });
    let share = |j: usize| found.iter().filter(|f| f[j]).count() as f64 / replications as f64;
    let error = 3.5 * (0.95 * 0.05 / replications as f64).sqrt();
    assert!((share(0) - 0.95).abs() < error, "{}", share(0));
    for j in [1, 2] {
        assert!((share(j) - 0.05).abs() < error, "{j} {}", share(j));
    }
}

#[test]
fn incentives_without_variation_are_refused() {
    let made = DataExchange::new()
        .customers(300)
        .seed(1)
        .simulate()
        .unwrap();
    let n = made.data.rows();
    let twice = column(&made.data, "incentive_e")
        .iter()
        .map(|s| 2.0 * s)
        .collect::<Vec<f64>>();
    let more = made
        .data
        .clone()
        .with("same", vec![1.0; n])
        .unwrap()
        .with("twice", twice)
        .unwrap();
    for other in ["same", "twice"] {
        let fit = CrossEffects::new(["e", "z"], ["incentive_e", other]).fit(&more);
        assert!(matches!(fit, Err(Error::Unidentified { .. })), "{fit:?}");
    }
    let fit = CrossEffects::new(["e", "e"], ["incentive_e", "incentive_z"]).fit(&more);
    assert!(matches!(fit, Err(Error::InvalidOption { .. })));
    let fit =
        CrossEffects::new(["e", "z"], ["incentive_e", "incentive_z"]).controls("1 | lambda_group");
    let grouped = more
        .with(
            "lambda_group",
            (0..n).map(|i| (i % 3) as f64).collect::<Vec<_>>(),
        )
        .unwrap();
    assert!(matches!(
        fit.fit(&grouped),
        Err(Error::InvalidOption { .. })
    ));
}

#[test]
fn offers_recover_compensation_and_bad_sets_are_refused() {
    let made = DataOffers::new()
        .customers(1_000)
        .seed(5)
        .simulate()
        .unwrap();
    let model = OfferChoice::new("chosen ~ share + control + benefit + payment", "payment")
        .choice_set("set")
        .covariance(Covariance::cluster("person"));
    let fit = model.fit(&made.data).unwrap();
    for name in ["share", "control", "benefit"] {
        let wta = fit.wta(&[(name, 1.0)]).unwrap();
        let truth = made.oracle.effect(&format!("wta_{name}")).unwrap();
        assert!(
            (wta.estimate - truth).abs() < 4.0 * wta.std_error,
            "{wta} {truth}"
        );
    }
    // Two offers at once, none chosen in one set.
    let mut chosen = column(&made.data, "chosen");
    chosen[..3].fill(0.0);
    let others = ["set", "share", "control", "benefit", "payment", "person"];
    let with = |chosen: Vec<f64>| {
        others
            .iter()
            .fold(Frame::new().with("chosen", chosen).unwrap(), |f, name| {
                f.with(*name, column(&made.data, name)).unwrap()
            })
    };
    let none = model.fit(&with(chosen.clone())).unwrap_err();
    assert!(matches!(none, Error::OutOfRange { row: 1, .. }), "{none}");
    // Payments that repel have no compensation.
    let reversed: Vec<f64> = column(&made.data, "payment").iter().map(|p| -p).collect();
    let frame = made.data.clone().with("fee", reversed).unwrap();
    let fit = OfferChoice::new("chosen ~ share + control + benefit + fee", "fee")
        .choice_set("set")
        .fit(&frame)
        .unwrap();
    assert!(matches!(
        fit.wta(&[("share", 1.0)]),
        Err(Error::Unidentified { .. })
    ));
    assert!(matches!(fit.wta(&[]), Err(Error::InvalidOption { .. })));
    let other = OfferChoice::new("chosen ~ share + control", "payment")
        .choice_set("set")
        .fit(&frame);
    assert!(matches!(other, Err(Error::UnknownCoefficient { .. })));
}

#[test]
fn single_offers_are_a_logit() {
    let made = DataOffers::new()
        .customers(1_500)
        .seed(6)
        .simulate()
        .unwrap();
    let rows: Vec<usize> = (0..made.data.rows()).filter(|i| i % 3 == 0).collect();
    let pick = |name: &str| {
        let all = column(&made.data, name);
        rows.iter().map(|i| all[*i]).collect::<Vec<f64>>()
    };
    let frame = ["share", "control", "benefit", "payment"]
        .iter()
        .fold(Frame::new().with("yes", pick("chosen")).unwrap(), |f, n| {
            f.with(*n, pick(n)).unwrap()
        });
    let ours = OfferChoice::new("yes ~ share + control + benefit + payment", "payment")
        .fit(&frame)
        .unwrap();
    let logit = Logit::new("yes ~ share + control + benefit + payment")
        .fit(&frame)
        .unwrap();
    assert_eq!(ours.estimates(), logit.estimates());
}

#[test]
fn data_given_for_nothing_are_the_spike_of_compensation() {
    let made = DataAsks::new().customers(6_000).seed(9).simulate().unwrap();
    let model = || {
        ContingentValuation::new("yes ~ x", "bid")
            .compensation()
            .spike("wants_any")
    };
    let double = model().follow_up("bid_2", "yes_2").fit(&made.data).unwrap();
    let single = model().fit(&made.data).unwrap();
    let truth = |name: &str| made.oracle.effect(name).unwrap();
    for fit in [&double, &single] {
        // The index is at the mean of x in the sample.
        let (mean, free) = (fit.mean().unwrap(), fit.zero_share().unwrap().unwrap());
        assert!(
            (mean.estimate - truth("mean")).abs() < 4.0 * mean.std_error + 0.05,
            "{mean}"
        );
        assert!(free.estimate > 0.1 && free.estimate < 0.3, "{free}");
        let at_mean = fit.median().unwrap();
        assert!(
            (at_mean.estimate - truth("median")).abs() < 4.0 * at_mean.std_error + 0.05,
            "{at_mean}"
        );
    }
    assert!(double.mean().unwrap().std_error < single.mean().unwrap().std_error);
    // Whoever asks for nothing takes any bid.
    let mut wants = column(&made.data, "wants_any");
    let yes = column(&made.data, "yes");
    let row = yes.iter().position(|y| *y < 0.5).unwrap();
    wants[row] = 0.0;
    let frame = ["x", "bid", "yes", "bid_2", "yes_2"]
        .iter()
        .fold(Frame::new().with("wants_any", wants).unwrap(), |f, n| {
            f.with(*n, column(&made.data, n)).unwrap()
        });
    let error = model().fit(&frame).unwrap_err();
    assert!(
        matches!(error, Error::OutOfRange { row: r, .. } if r == row + 1),
        "{error}"
    );
    assert!(error.to_string().contains("was refused"), "{error}");
}

#[test]
fn fits_are_stored_and_shown() {
    macro_rules! check {
        ($type:ty, $fit:expr) => {{
            let fit: $type = $fit;
            let back: $type = serde_json::from_str(&serde_json::to_string(&fit).unwrap()).unwrap();
            assert_eq!(back.to_string(), fit.to_string());
            assert!(back.to_html().contains("<table"));
            assert_eq!(fit.lean().to_string(), fit.to_string());
        }};
    }
    let made = process().customers(500).seed(3).simulate().unwrap();
    check!(NashBargainingFit, bargaining().fit(&made.data).unwrap());
    let offers = DataOffers::new().customers(100).seed(5).simulate().unwrap();
    let model = OfferChoice::new("chosen ~ share + control + benefit + payment", "payment");
    check!(
        OfferChoiceFit,
        model.choice_set("set").fit(&offers.data).unwrap()
    );
    let fit = cross(&made.data);
    let back: CrossEffectsFit =
        serde_json::from_str(&serde_json::to_string(&fit).unwrap()).unwrap();
    assert_eq!(back.to_string(), fit.to_string());
    let symmetric = fit.symmetric().unwrap();
    let back: SymmetricEffect =
        serde_json::from_str(&serde_json::to_string(&symmetric).unwrap()).unwrap();
    assert_eq!(back, symmetric);
    let agreed = DataBargain::default().solve().unwrap();
    let back: Agreement = serde_json::from_str(&serde_json::to_string(&agreed).unwrap()).unwrap();
    assert_eq!(back, agreed);
    assert!(agreed.to_html().contains("<table"));
}

#[test]
fn corners_do_not_answer_to_small_incentives() {
    let bargain = DataBargain {
        privacy: 3.0,
        ..DataBargain::default()
    };
    let agreed = bargain.solve().unwrap();
    assert!(agreed.corners.contains(&Corner::NoData));
    let paid = DataBargain {
        incentives: [0.0, 0.1],
        ..bargain
    }
    .solve()
    .unwrap();
    assert_eq!(
        (paid.share, paid.participation),
        (agreed.share, agreed.participation)
    );
}

#[test]
fn processes_are_the_same_on_all_threads_and_refuse_what_is_wrong() {
    let again = |n: usize| {
        DataOffers::new()
            .customers(n)
            .seed(3)
            .simulate()
            .unwrap()
            .data
    };
    assert_eq!(
        column(&again(200), "chosen")[..300],
        column(&again(100), "chosen")[..300]
    );
    for bad in [
        DataExchange {
            tastes: [0.1, 0.1, 1.5],
            ..DataExchange::new()
        },
        DataExchange {
            bargaining: 2.0,
            ..DataExchange::new()
        },
        DataExchange {
            outside: [f64::NAN, 0.0],
            ..DataExchange::new()
        },
    ] {
        assert!(matches!(
            bad.seed(1).simulate(),
            Err(Error::InvalidOption { .. })
        ));
    }
    assert!(matches!(
        DataAsks::new().simulate(),
        Err(Error::SeedRequired { .. })
    ));
    let bad = DataAsks {
        bids: vec![-1.0],
        ..DataAsks::new()
    };
    assert!(matches!(
        bad.seed(1).simulate(),
        Err(Error::InvalidOption { .. })
    ));
    let bad = DataOffers {
        tastes: [0.0, 0.0, 0.0, -1.0],
        ..DataOffers::new()
    };
    assert!(matches!(
        bad.seed(1).simulate(),
        Err(Error::InvalidOption { .. })
    ));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Money in other units leaves η alone; the units of a quantity and of its incentive cancel in the cross-effects.
    #[test]
    fn units_do_not_matter(seed in 0_u64..1_000, unit in 0.01_f64..100.0) {
        let made = process().customers(300).seed(seed).simulate().unwrap();
        let scaled = |name: &str, by: f64| column(&made.data, name).iter().map(|v| v * by).collect::<Vec<f64>>();
        let frame = made.data.clone()
            .with("paid", scaled("transfer", unit)).unwrap()
            .with("other_c", scaled("outside_c", unit)).unwrap()
            .with("z_percent", scaled("z", unit)).unwrap()
            .with("s_percent", scaled("incentive_z", 1.0 / unit)).unwrap();
        let eta = NashBargaining::new().transfer("transfer").customer(OutsideOption::money("outside_c")).fit(&frame).unwrap().eta();
        let other = NashBargaining::new().transfer("paid").customer(OutsideOption::money("other_c")).fit(&frame).unwrap().eta();
        let worth = NashBargaining::new().transfer("paid").customer(OutsideOption::worth("outside_c", unit)).fit(&frame).unwrap().eta();
        prop_assert!((eta.estimate - other.estimate).abs() < 1e-9 * (1.0 + eta.estimate.abs()));
        prop_assert!((eta.std_error / worth.std_error - 1.0).abs() < 1e-8);
        let a = cross(&frame).symmetric().unwrap();
        let b = CrossEffects::new(["e", "z_percent"], ["incentive_e", "s_percent"]).fit(&frame).unwrap().symmetric().unwrap();
        prop_assert!((a.restricted.statistic(0.0) - b.restricted.statistic(0.0)).abs() < 1e-6);
        prop_assert!((b.restricted.estimate / a.restricted.estimate - unit).abs() < 1e-6 * unit);
    }
}
