//! Needs that customers voice, and satisfaction over what they expected.

use crate::support::{agree, fixture, numbers};
use cocreate::prelude::*;
use proptest::prelude::*;

fn column(frame: &Frame, name: &str) -> Vec<f64> {
    frame.numeric(name).unwrap().values().to_vec()
}

fn counts(voiced: &[f64], interviews: usize) -> VoicedNeeds {
    let frame = Frame::new().with("k", voiced.to_vec()).unwrap();
    NeedsDiscovery::counts("k", interviews).fit(&frame).unwrap()
}

/// Spiders of girdled and logged plots (Sackett et al. 2011), the example of Chao et al. (2014), as mentions of needs in one interview each.
fn spiders(frequencies: &[f64]) -> VoicedNeeds {
    let mut need = Vec::new();
    for (j, k) in frequencies.iter().enumerate() {
        need.extend(std::iter::repeat_n(j as f64, *k as usize));
    }
    let interview: Vec<f64> = (0..need.len()).map(|i| (i % 7) as f64).collect();
    let frame = Frame::new()
        .with("interview", interview)
        .unwrap()
        .with("need", need)
        .unwrap();
    NeedsDiscovery::mentions("interview", "need")
        .fit(&frame)
        .unwrap()
}

#[test]
fn chao1_of_the_spiders_is_the_published_one() {
    // iNEXT's introduction: 43.893 (14.306), [30.511, 96.971] from 168 individuals of 26 species.
    let mut girdled = vec![46., 22., 17., 15., 15., 9., 8., 6., 6., 4., 2., 2., 2., 2.];
    girdled.extend([1.0; 12]);
    let total = spiders(&girdled).chao1(ChaoForm::Classic, 0.95).unwrap();
    let ours = [
        total.estimate.estimate,
        total.estimate.std_error,
        total.interval.lower,
        total.interval.upper,
    ];
    for (ours, published) in ours.into_iter().zip([43.893, 14.306, 30.511, 96.971]) {
        assert!((ours - published).abs() < 6e-4, "{ours} {published}");
    }
    assert_eq!(total.observed, 26.0);
}

#[test]
fn numbers_are_those_of_an_independent_program() {
    let record = fixture("needs");
    for case in record["values"].as_array().unwrap() {
        let voiced = numbers(&case["voiced_by"]);
        let needs = counts(&voiced, case["interviews"].as_u64().unwrap() as usize);
        for (form, key) in [
            (ChaoForm::Classic, "chao2"),
            (ChaoForm::BiasCorrected, "chao2_bc"),
        ] {
            let t = needs.chao2(form, 0.95).unwrap();
            let ours = [
                t.estimate.estimate,
                t.estimate.std_error,
                t.interval.lower,
                t.interval.upper,
            ];
            agree(key, &ours, &numbers(&case[key]), 1e-11);
        }
        let c = needs.coverage().unwrap();
        agree(
            "coverage",
            &[c.estimate, c.std_error],
            &numbers(&case["coverage"]),
            1e-7,
        );
        for point in case["curve"].as_array().unwrap() {
            let p = numbers(point);
            let ours = needs.expected(p[0] as usize).unwrap();
            agree("curve", &[ours.estimate, ours.std_error], &p[1..], 1e-7);
        }
        let n = needs.interviews_for(0.9).unwrap();
        agree(
            "interviews",
            &[n.estimate, n.std_error],
            &numbers(&case["interviews_for_90"]),
            1e-6,
        );
        if let Some(known) = case.get("beta_binomial") {
            let fit = needs.beta_binomial().unwrap();
            let total = fit.total(0.95).unwrap();
            let mut ours: Vec<f64> = fit.estimates().iter().copied().collect();
            ours.extend(fit.std_errors().iter());
            ours.extend([
                fit.log_likelihood(),
                total.estimate.estimate,
                total.estimate.std_error,
            ]);
            let (share, n) = (
                fit.share_after(30).unwrap(),
                fit.interviews_for(0.9).unwrap(),
            );
            ours.extend([share.estimate, share.std_error, n.estimate, n.std_error]);
            for (ours, theirs) in ours.iter().zip(numbers(known)) {
                assert!((ours / theirs - 1.0).abs() < 2e-6, "{ours} {theirs}");
            }
            let all = fit_of(&needs, case);
            for (ours, theirs) in all.iter().zip(numbers(&case["beta_binomial_of"])) {
                assert!((ours / theirs - 1.0).abs() < 2e-6, "{ours} {theirs}");
            }
        }
    }
}

fn fit_of(needs: &VoicedNeeds, case: &serde_json::Value) -> Vec<f64> {
    let fit = needs
        .beta_binomial_of(case["of"].as_u64().unwrap() as usize)
        .unwrap();
    assert!(matches!(fit.total(0.95), Err(Error::InvalidOption { .. })));
    fit.estimates()
        .iter()
        .copied()
        .chain(fit.std_errors().iter().copied())
        .collect()
}

#[test]
fn mentions_are_counted_once_an_interview() {
    let frame = Frame::new()
        .with("who", vec![1, 1, 1, 2, 2, 3, 3])
        .unwrap()
        .with("what", vec!["a", "a", "b", "a", "c", "a", "b"])
        .unwrap();
    let needs = NeedsDiscovery::mentions("who", "what")
        .interviews(5)
        .fit(&frame)
        .unwrap();
    assert_eq!((needs.observed(), needs.interviews()), (3.0, 5));
    assert_eq!(
        [1, 2, 3, 4].map(|k| needs.voiced_in(k)),
        [1.0, 1.0, 1.0, 0.0]
    );
    let few = NeedsDiscovery::mentions("who", "what")
        .interviews(2)
        .fit(&frame);
    assert!(matches!(few, Err(Error::InvalidOption { .. })));
    assert!(needs.to_string().contains("3 needs voiced in 5 interviews"));
}

#[test]
fn what_says_nothing_of_unseen_needs_is_refused() {
    let fit = |voiced: Vec<f64>, interviews: usize| {
        let frame = Frame::new().with("k", voiced).unwrap();
        NeedsDiscovery::counts("k", interviews).fit(&frame)
    };
    assert!(matches!(
        fit(vec![5.0, 5.0, 5.0], 5),
        Err(Error::Unidentified { .. })
    ));
    assert!(matches!(
        fit(vec![1.0, 1.0], 1),
        Err(Error::InvalidOption { .. })
    ));
    assert!(matches!(
        fit(vec![1.0, -1.0], 5),
        Err(Error::OutOfRange { row: 2, .. })
    ));
    assert!(matches!(
        fit(vec![1.5], 5),
        Err(Error::OutOfRange { row: 1, .. })
    ));
    assert!(matches!(
        fit(vec![2.0, 6.0], 5),
        Err(Error::OutOfRange { row: 2, .. })
    ));
    assert!(matches!(fit(vec![0.0, 0.0], 5), Err(Error::NoRows { .. })));
    let silent = fit(vec![3.0, 0.0, 1.0, 1.0, f64::NAN], 5).unwrap();
    assert_eq!(silent.warnings().len(), 2);
    let complete = fit(vec![4.0, 3.0, 3.0, 2.0], 5).unwrap();
    assert!(matches!(
        complete.chao2(ChaoForm::Classic, 0.95),
        Err(Error::Unidentified { .. })
    ));
    assert!(matches!(
        complete.interviews_for(0.9),
        Err(Error::Unidentified { .. })
    ));
    assert_eq!(complete.coverage().unwrap().estimate, 1.0);
    assert!(matches!(
        complete.chao1(ChaoForm::Classic, 0.95),
        Err(Error::DataNotKept { .. })
    ));
    assert!(matches!(
        complete.expected(0),
        Err(Error::InvalidOption { .. })
    ));
    assert!(matches!(
        complete.beta_binomial_of(3),
        Err(Error::InvalidOption { .. })
    ));
    let open = fit(vec![1.0; 12].into_iter().chain([9.0, 10.0]).collect(), 30).unwrap();
    assert!(
        matches!(open.beta_binomial(), Err(Error::Unidentified { .. })),
        "{:?}",
        open.beta_binomial()
    );
    assert!(matches!(
        open.interviews_for(1.0),
        Err(Error::InvalidOption { .. })
    ));
    // Needs that are all alike: counts between 4 and 6 of 10.
    let alike = fit([4.0, 5.0, 6.0].repeat(10), 10).unwrap();
    assert!(
        matches!(alike.beta_binomial(), Err(Error::Unidentified { .. })),
        "{:?}",
        alike.beta_binomial()
    );
}

#[test]
fn the_beta_binomial_model_covers_the_number_of_needs_and_chao_stays_below() {
    let replications = 400;
    let found: Vec<[f64; 6]> = cocreate::numeric::blocks::map(replications, |r| {
        let process = NeedInterviews {
            needs: 400,
            ..NeedInterviews::new()
        };
        let made = process.seed(r as u64).simulate().unwrap();
        let needs = NeedsDiscovery::mentions("interview", "need")
            .interviews(20)
            .fit(&made.data)
            .unwrap();
        let fit = needs.beta_binomial().unwrap();
        let total = fit.total(0.95).unwrap();
        let share = fit.share_after(40).unwrap();
        let truth = made_share(40);
        let interval = share.confidence_interval(0.95).unwrap();
        let chao = needs.chao2(ChaoForm::BiasCorrected, 0.95).unwrap();
        let curve = needs
            .expected(10)
            .unwrap()
            .confidence_interval(0.95)
            .unwrap();
        let ten = 400.0 * made_share(10);
        let one = |yes: bool| f64::from(u8::from(yes));
        [
            total.estimate.estimate,
            one(total.interval.lower <= 400.0 && 400.0 <= total.interval.upper),
            one(interval.lower <= truth && truth <= interval.upper),
            chao.estimate.estimate,
            one(curve.lower <= ten && ten <= curve.upper),
            chao.observed,
        ]
    });
    let mean = |j: usize| found.iter().map(|f| f[j]).sum::<f64>() / replications as f64;
    let error = 3.5 * (0.95 * 0.05 / replications as f64).sqrt();
    assert!((mean(0) - 400.0).abs() < 8.0, "{}", mean(0));
    for j in [1, 2, 4] {
        assert!((mean(j) - 0.95).abs() < error, "{j}: {}", mean(j));
    }
    // A lower bound that recovers part of what is unseen.
    assert!(
        mean(3) < 400.0 && mean(3) > mean(5) + 0.3 * (400.0 - mean(5)),
        "{} {}",
        mean(3),
        mean(5)
    );
}

fn made_share(interviews: usize) -> f64 {
    let process = NeedInterviews {
        interviews,
        ..NeedInterviews::new()
    };
    process
        .seed(1)
        .simulate()
        .unwrap()
        .oracle
        .effect("share_after")
        .unwrap()
}

#[test]
fn curves_meet_at_the_interviews_held_and_have_a_figure() {
    let needs = counts(
        &[14., 9., 7., 5., 4., 3., 3., 2., 2., 2., 1., 1., 1., 1., 1.],
        24,
    );
    let curve = needs.curve([1, 6, 12, 24, 36, 48], 0.95).unwrap();
    let at: Vec<f64> = curve.points().iter().map(|p| p.needs.estimate).collect();
    assert!(at.windows(2).all(|w| w[0] < w[1]), "{at:?}");
    assert!((at[3] - 15.0).abs() < 1e-9);
    assert!(
        (at[0] - 56.0 / 24.0).abs() < 1e-9,
        "one interview voices the mean"
    );
    let total = needs
        .chao2(ChaoForm::Classic, 0.95)
        .unwrap()
        .estimate
        .estimate;
    assert!((needs.expected(100_000).unwrap().estimate - total).abs() < 1e-9);
    assert!(curve.figure().unwrap().to_svg().contains("<svg"));
    assert!(matches!(
        needs.curve([], 0.95),
        Err(Error::InvalidOption { .. })
    ));
    // The number of interviews for a share is where the curve has it, on both sides.
    for share in [0.5, 0.97] {
        let n = needs.interviews_for(share).unwrap().estimate;
        let (below, above) = (n.floor() as usize, n.ceil() as usize);
        assert!(needs.expected(below).unwrap().estimate <= share * total + 1e-9);
        assert!(needs.expected(above).unwrap().estimate >= share * total - 1e-9);
    }
}

fn surface() -> ExpectationSurface {
    ExpectationSurface::new("satisfaction", "expectation", "performance")
}

#[test]
fn surfaces_are_those_of_statsmodels() {
    use SurfaceFeature::{
        CongruenceCurvature, CongruenceSlope, FirstAxisIntercept, FirstAxisSlope,
        IncongruenceCurvature, IncongruenceSlope, SecondAxisIntercept, SecondAxisSlope,
        StationaryExpectation, StationaryPerformance,
    };
    let record = fixture("expectations");
    let values = &record["values"];
    let frame = crate::support::data("tests/reference/expectations.csv");
    let fit = surface()
        .loss()
        .center(4.0)
        .controls("age")
        .fit(&frame)
        .unwrap();
    let terms = [
        "expectation",
        "performance",
        "expectation²",
        "expectation × performance",
        "performance²",
        "(expectation − performance)₊",
    ];
    let ours: Vec<f64> = terms
        .iter()
        .flat_map(|n| {
            let c = fit.coefficient(n).unwrap();
            [c.estimate, c.std_error]
        })
        .collect();
    agree(
        "coefficients",
        &ours,
        &numbers(&values["coefficients"]),
        1e-9,
    );
    let features = [
        CongruenceSlope,
        CongruenceCurvature,
        IncongruenceSlope,
        IncongruenceCurvature,
        StationaryExpectation,
        StationaryPerformance,
        FirstAxisSlope,
        FirstAxisIntercept,
        SecondAxisSlope,
        SecondAxisIntercept,
    ];
    for (feature, known) in features
        .into_iter()
        .zip(values["features"].as_array().unwrap())
    {
        let ours = fit.feature(feature).unwrap();
        let known = numbers(known);
        assert!(
            (ours.estimate / known[0] - 1.0).abs() < 1e-8,
            "{ours} {known:?}"
        );
        assert!(
            (ours.std_error / known[1] - 1.0).abs() < 1e-6,
            "{ours} {known:?}"
        );
    }
    let test = fit.difference_test().unwrap();
    agree(
        "difference",
        &[test.statistic],
        &[values["difference_f"].as_f64().unwrap()],
        1e-9,
    );
    let ratio = fit.loss_aversion(5.0, 0.95, 7).unwrap();
    let known = numbers(&values["loss_aversion"]);
    assert!((ratio.estimate.estimate / known[0] - 1.0).abs() < 1e-8);
    assert!((ratio.estimate.std_error / known[1] - 1.0).abs() < 1e-7);
    let clustered = fit.with_covariance(Covariance::cluster("store")).unwrap();
    let ours: Vec<f64> = terms
        .iter()
        .map(|n| clustered.std_error(n).unwrap())
        .collect();
    agree("clustered", &ours, &numbers(&values["clustered"]), 1e-9);
    let at = fit.difference_from_center(5.0, 3.0).unwrap();
    agree(
        "point",
        &[at.estimate, at.std_error],
        &numbers(&values["point"]),
        1e-9,
    );
}

#[test]
fn difference_scores_mix_two_effects_that_the_surface_tells_apart() {
    // Performance alone matters; expectation does not. The difference score finds a "disconfirmation effect" whose size is that of the spreads: the slope of
    // y on P − E is b_2 Cov(P, P − E)/Var(P − E).
    let process = Disconfirmation {
        surface: [5.0, 0.0, 0.6, 0.0, 0.0, 0.0],
        loss: 0.0,
        spreads: [2.0, 1.0],
        correlation: 0.2,
        ..Disconfirmation::new()
    };
    let made = process.customers(20_000).seed(4).simulate().unwrap();
    let gap: Vec<f64> = column(&made.data, "performance")
        .iter()
        .zip(column(&made.data, "expectation"))
        .map(|(p, e)| p - e)
        .collect();
    let frame = made.data.clone().with("gap", gap).unwrap();
    let difference = Ols::new("satisfaction ~ gap")
        .fit(&frame)
        .unwrap()
        .coefficient("gap")
        .unwrap();
    let cov = 0.2 * 2.0;
    let mixture = 0.6 * (1.0 - cov) / (1.0 + 4.0 - 2.0 * cov);
    assert!(
        (difference.estimate - mixture).abs() < 4.0 * difference.std_error
            && difference.statistic(0.0) > 10.0,
        "{difference} {mixture}"
    );
    let fit = surface().fit(&made.data).unwrap();
    let expectation = fit.coefficient("expectation").unwrap();
    assert!(expectation.statistic(0.0).abs() < 4.0, "{expectation}");
    assert!(fit.difference_test().unwrap().p_value < 1e-10);
    // Where the difference is all that matters, the restrictions hold.
    let process = Disconfirmation {
        surface: [5.0, -0.5, 0.5, 0.0, 0.0, 0.0],
        loss: 0.0,
        ..Disconfirmation::new()
    };
    let made = process.customers(4_000).seed(5).simulate().unwrap();
    assert!(
        surface()
            .loss()
            .fit(&made.data)
            .unwrap()
            .difference_test()
            .unwrap()
            .p_value
            > 0.01
    );
    // The three at once are collinear.
    let twice = Ols::new("satisfaction ~ gap + performance + expectation")
        .fit(&frame)
        .unwrap();
    assert!(
        twice
            .warnings()
            .iter()
            .any(|w| matches!(w, Warning::Collinear { .. }))
    );
}

#[test]
fn surfaces_and_losses_are_covered() {
    let replications = 500;
    let features = [
        SurfaceFeature::CongruenceSlope,
        SurfaceFeature::CongruenceCurvature,
        SurfaceFeature::IncongruenceSlope,
        SurfaceFeature::IncongruenceCurvature,
    ];
    let truths = [
        "congruence_slope",
        "congruence_curvature",
        "incongruence_slope",
        "incongruence_curvature",
    ];
    let found: Vec<Vec<f64>> = cocreate::numeric::blocks::map(replications, |r| {
        let made = Disconfirmation::new()
            .customers(1_500)
            .seed(r as u64)
            .simulate()
            .unwrap();
        let fit = surface().loss().fit(&made.data).unwrap();
        let truth = |name: &str| made.oracle.effect(name).unwrap();
        let inside = |lower: f64, upper: f64, v: f64| f64::from(u8::from(lower <= v && v <= upper));
        let mut row: Vec<f64> = features
            .iter()
            .zip(truths)
            .map(|(f, name)| {
                let i = fit.feature(*f).unwrap().confidence_interval(0.95).unwrap();
                inside(i.lower, i.upper, truth(name))
            })
            .collect();
        let ratio = fit.loss_aversion(0.0, 0.95, 7).unwrap();
        row.push(f64::from(u8::from(
            ratio.fieller.contains(truth("loss_aversion")),
        )));
        row
    });
    let error = 3.5 * (0.95 * 0.05 / replications as f64).sqrt();
    for j in 0..5 {
        let share = found.iter().map(|f| f[j]).sum::<f64>() / replications as f64;
        assert!((share - 0.95).abs() < error, "{j}: {share}");
    }
}

#[test]
fn surfaces_without_variation_are_refused() {
    let made = Disconfirmation::new()
        .customers(300)
        .seed(1)
        .simulate()
        .unwrap();
    let n = made.data.rows();
    let y = column(&made.data, "satisfaction");
    let p = column(&made.data, "performance");
    let with = |e: Vec<f64>| {
        Frame::new()
            .with("satisfaction", y.clone())
            .unwrap()
            .with("performance", p.clone())
            .unwrap()
            .with("expectation", e)
            .unwrap()
    };
    for e in [
        vec![3.0; n],
        p.clone(),
        (0..n).map(|i| (i % 2) as f64).collect(),
    ] {
        let fit = surface().fit(&with(e));
        assert!(matches!(fit, Err(Error::Unidentified { .. })), "{fit:?}");
    }
    assert!(
        surface()
            .linear()
            .fit(&with((0..n).map(|i| (i % 2) as f64).collect()))
            .is_ok()
    );
    let linear = surface().linear().fit(&made.data).unwrap();
    assert!(matches!(
        linear.feature(SurfaceFeature::FirstAxisSlope),
        Err(Error::Unidentified { .. })
    ));
    assert!(matches!(
        linear.loss_aversion(0.0, 0.95, 1),
        Err(Error::Unidentified { .. })
    ));
    assert!(linear.feature(SurfaceFeature::IncongruenceSlope).is_ok());
    assert!(matches!(
        surface().center(f64::NAN).fit(&made.data),
        Err(Error::InvalidOption { .. })
    ));
    let fit = surface().fit(&made.data).unwrap();
    assert!(matches!(fit.figure(-1.0), Err(Error::InvalidOption { .. })));
    assert!(fit.figure(2.0).unwrap().to_svg().contains("<svg"));
    let interval = fit
        .feature_interval(SurfaceFeature::CongruenceSlope, 0.95, 7)
        .unwrap();
    let delta = fit
        .feature(SurfaceFeature::CongruenceSlope)
        .unwrap()
        .confidence_interval(0.95)
        .unwrap();
    assert!((interval.lower - delta.lower).abs() < 0.1 * (delta.upper - delta.lower));
    let slopes = [
        SurfaceFeature::CongruenceSlope,
        SurfaceFeature::IncongruenceSlope,
    ];
    let bootstrap = Bootstrap::pairs().draws(499).seed(7);
    let resampled = surface()
        .bootstrap(&made.data, &slopes, &bootstrap)
        .unwrap();
    for (f, ours) in slopes.into_iter().zip(resampled.std_errors().iter()) {
        let delta = fit.feature(f).unwrap().std_error;
        assert!((ours / delta - 1.0).abs() < 0.2, "{ours} {delta}");
    }
    // Missing sides stay missing under the loss.
    let mut e = column(&made.data, "expectation");
    e[0] = f64::NAN;
    let fit = surface().loss().fit(&with(e)).unwrap();
    assert_eq!(fit.regression().statistics().observations, (n - 1) as f64);
}

#[test]
fn fits_are_stored_and_shown() {
    let needs = counts(
        &[14., 9., 7., 5., 4., 3., 3., 2., 2., 2., 1., 1., 1., 1., 1.],
        24,
    );
    let back: VoicedNeeds = serde_json::from_str(&serde_json::to_string(&needs).unwrap()).unwrap();
    assert_eq!(back, needs);
    let curve = needs.curve([12, 24, 48], 0.9).unwrap();
    let back: CurveOfNeeds = serde_json::from_str(&serde_json::to_string(&curve).unwrap()).unwrap();
    assert_eq!(back, curve);
    assert!(curve.to_string().contains("90 % from"));
    let fit = needs.beta_binomial().unwrap();
    let back: BetaBinomialNeeds =
        serde_json::from_str(&serde_json::to_string(&fit).unwrap()).unwrap();
    assert_eq!(back, fit);
    assert!(fit.to_string().contains("needs (beta-binomial)"));
    let made = Disconfirmation::new()
        .customers(300)
        .seed(1)
        .simulate()
        .unwrap();
    let fit = surface().loss().fit(&made.data).unwrap();
    let back: ExpectationSurfaceFit =
        serde_json::from_str(&serde_json::to_string(&fit).unwrap()).unwrap();
    assert_eq!(back.to_string(), fit.to_string());
    assert_eq!(fit.lean().to_string(), fit.to_string());
    assert!(fit.to_html().contains("a4: curvature along P = −E"));
}

#[test]
fn processes_refuse_what_is_wrong() {
    let bad = Disconfirmation {
        correlation: 2.0,
        ..Disconfirmation::new()
    };
    assert!(matches!(
        bad.seed(1).simulate(),
        Err(Error::InvalidOption { .. })
    ));
    assert!(matches!(
        NeedInterviews::new().simulate(),
        Err(Error::SeedRequired { .. })
    ));
    let bad = NeedInterviews {
        voicing: [0.0, 1.0],
        ..NeedInterviews::new()
    };
    assert!(matches!(
        bad.seed(1).simulate(),
        Err(Error::InvalidOption { .. })
    ));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// Shifting both scales and the center together changes nothing; the order of needs does not matter, and no estimate is below what was voiced.
    #[test]
    fn what_must_not_matter_does_not(seed in 0_u64..1_000, shift in -50.0_f64..50.0) {
        let made = Disconfirmation::new().customers(200).seed(seed).simulate().unwrap();
        let moved = ["expectation", "performance"].iter().fold(
            Frame::new().with("satisfaction", column(&made.data, "satisfaction")).unwrap(),
            |f, n| f.with(*n, column(&made.data, n).iter().map(|v| v + shift).collect::<Vec<f64>>()).unwrap(),
        );
        let a = surface().loss().fit(&made.data).unwrap();
        let b = surface().loss().center(shift).fit(&moved).unwrap();
        for (a, b) in a.coefficients().iter().zip(b.coefficients()) {
            prop_assert!((a.estimate - b.estimate).abs() < 1e-8 * (1.0 + a.estimate.abs()));
        }
        let interviews = NeedInterviews { needs: 60, interviews: 12, ..NeedInterviews::new() }.seed(seed).simulate().unwrap();
        let needs = NeedsDiscovery::mentions("interview", "need").interviews(12).fit(&interviews.data).unwrap();
        if let Ok(total) = needs.chao2(ChaoForm::BiasCorrected, 0.95) {
            prop_assert!(total.interval.lower > total.observed && total.interval.lower < total.estimate.estimate);
            prop_assert!(total.estimate.estimate < total.interval.upper);
        }
        let c = needs.coverage().unwrap();
        prop_assert!(c.estimate > 0.0 && c.estimate <= 1.0);
    }
}
