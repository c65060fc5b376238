//! Meta-analysis against statsmodels, scipy and metafor's published figures; coverage and invariances by simulation.

use crate::support::{agree, fixture, numbers};
use cocreate::numeric::{Seed, blocks};
use cocreate::prelude::*;
use proptest::prelude::*;
use rand_distr::{Distribution as _, StandardNormal};

fn frame(y: &[f64], variance: &[f64]) -> Frame {
    Frame::new()
        .with("y", y.to_vec())
        .unwrap()
        .with("se", variance.iter().map(|v| v.sqrt()).collect::<Vec<_>>())
        .unwrap()
}

#[test]
fn moments_and_likelihood_as_in_statsmodels_and_scipy() {
    let all = fixture("meta_analysis");
    for (name, case) in all["values"].as_object().unwrap() {
        let data = frame(&numbers(&case["y"]), &numbers(&case["variance"]));
        let pool = |between, mean_error| {
            let plan = MetaAnalysis::new("y", "se")
                .between(between)
                .mean_error(mean_error);
            plan.fit(&data).unwrap()
        };
        // statsmodels iterates Paule & Mandel's equation to 1e-10 of its value at best.
        for (key, between, tolerance) in [
            ("dl", BetweenStudies::DerSimonianLaird, 1e-10),
            ("pm", BetweenStudies::PauleMandel, 1e-8),
            ("reml", BetweenStudies::Reml, 1e-10),
        ] {
            let hk = pool(between, MeanError::HartungKnapp);
            let normal = pool(between, MeanError::Normal);
            let ours = [
                1.0 + hk.between(),
                hk.mean().estimate,
                normal.mean().std_error,
                hk.mean().std_error,
            ];
            let theirs = &case[key];
            let theirs = [
                1.0 + theirs["tau2"].as_f64().unwrap(),
                theirs["mean"].as_f64().unwrap(),
                theirs["se"].as_f64().unwrap(),
                theirs["se_hk"].as_f64().unwrap(),
            ];
            agree(&format!("{name} {key}"), &ours, &theirs, tolerance);
        }
        let reml = pool(BetweenStudies::Reml, MeanError::HartungKnapp);
        let further = reml.prediction_interval().unwrap();
        agree(
            &format!("{name} prediction"),
            &[further.lower, further.upper],
            &numbers(&case["reml"]["prediction"]),
            1e-9,
        );
        let test = reml.heterogeneity_test();
        agree(
            &format!("{name} Q"),
            &[test.statistic, test.p_value],
            &[case["q"].as_f64().unwrap(), case["p"].as_f64().unwrap()],
            1e-9,
        );
        let found = reml.between_interval();
        agree(
            &format!("{name} interval of tau2"),
            &[found.lower, found.upper],
            &numbers(&case["tau2_interval"]),
            1e-9,
        );
        let fixed = pool(BetweenStudies::Fixed, MeanError::Normal);
        agree(
            &format!("{name} fixed"),
            &[fixed.mean().estimate, fixed.mean().std_error],
            &[
                case["fixed"]["mean"].as_f64().unwrap(),
                case["fixed"]["se"].as_f64().unwrap(),
            ],
            1e-10,
        );
    }
}

/// The figures that metafor prints for its BCG data: REML, I² (RoBMA's vignette of 28 April 2026, which shows metafor's output) and DL, fixed effect and Q
/// (metafor's own test `test_misc_metan_vs_rma.uni_with_dat.bcg.r`); all were read.
#[test]
fn the_printed_figures_of_the_bcg_trials() {
    let all = fixture("meta_analysis");
    let case = &all["values"]["bcg"];
    let data = frame(&numbers(&case["y"]), &numbers(&case["variance"]));
    let close = |ours: f64, printed: f64, digits: i32| {
        assert!(
            (ours - printed).abs() <= 0.500_1 * 10f64.powi(-digits),
            "{ours} {printed}"
        );
    };
    let plan = MetaAnalysis::new("y", "se").mean_error(MeanError::Normal);
    let reml = plan.fit(&data).unwrap();
    close(reml.between(), 0.3132, 4);
    close(reml.between_std_error().unwrap(), 0.1664, 4);
    close(100.0 * reml.i_squared(), 92.22, 2);
    close(reml.heterogeneity_test().statistic, 152.2330, 4);
    let dl = plan
        .clone()
        .between(BetweenStudies::DerSimonianLaird)
        .fit(&data)
        .unwrap();
    let ends = dl.mean().confidence_interval(0.95).unwrap();
    close(dl.mean().estimate, -0.7141, 4);
    close(ends.lower, -1.0644, 4);
    close(ends.upper, -0.3638, 4);
    let fixed = plan.between(BetweenStudies::Fixed).fit(&data).unwrap();
    let ends = fixed.mean().confidence_interval(0.95).unwrap();
    // metafor 3.8.1: rma(yi, vi, method = "FE" and so on) of dat.bcg.
    close(100.0 * fixed.i_squared(), 92.117_346_854_6, 9);
    close(fixed.h_squared(), 12.686_084_006_9, 9);
    assert!(fixed.between() == 0.0 && fixed.between_std_error().is_none());
    close(dl.between_std_error().unwrap(), 0.229_869_992_511, 11);
    let ml = MetaAnalysis::new("y", "se").between(BetweenStudies::MaximumLikelihood);
    let ml = ml.fit(&data).unwrap();
    close(ml.between_std_error().unwrap(), 0.144_251_964, 7);
    close(fixed.mean().estimate, -0.4303, 4);
    close(ends.lower, -0.5097, 4);
    close(ends.upper, -0.3509, 4);
}

/// Shares of samples in which the intervals of the mean, of τ², of a further study, and of the mean as if τ² were known cover; the standard errors
/// of studies go from .1 to .45, and τ is .3.
fn coverage(studies: usize, runs: usize) -> [f64; 4] {
    let covered: Vec<[bool; 4]> = blocks::map(runs, |run| {
        let mut draws = Seed::new(31).stream(run as u64);
        let mut z = || -> f64 { StandardNormal.sample(&mut draws) };
        let error = |i: usize| 0.1 * (1.0 + (i % 8) as f64 / 2.0);
        let y: Vec<f64> = (0..studies)
            .map(|i| 0.5 + 0.3 * z() + error(i) * z())
            .collect();
        let variance: Vec<f64> = (0..studies).map(|i| error(i).powi(2)).collect();
        let further = 0.5 + 0.3 * z();
        let data = frame(&y, &variance);
        let inside = |i: &Interval, v: f64| i.lower <= v && v <= i.upper;
        let hk = MetaAnalysis::new("y", "se").fit(&data).unwrap();
        let normal = MetaAnalysis::new("y", "se")
            .mean_error(MeanError::Normal)
            .fit(&data)
            .unwrap();
        [
            inside(&hk.mean().confidence_interval(0.95).unwrap(), 0.5),
            inside(hk.between_interval(), 0.09),
            inside(&hk.prediction_interval().unwrap(), further),
            inside(&normal.mean().confidence_interval(0.95).unwrap(), 0.5),
        ]
    });
    std::array::from_fn(|k| covered.iter().filter(|c| c[k]).count() as f64 / runs as f64)
}

#[test]
fn intervals_cover() {
    // Monte Carlo errors: .005, and .008 for the shares near .86 and with forty studies.
    let [mean, between, further, known] = coverage(8, 2_000);
    assert!((mean - 0.95).abs() < 0.016, "mean {mean}");
    assert!((between - 0.95).abs() < 0.016, "tau2 {between}");
    assert!(known < 0.935, "known tau2 {known}");
    // As documented: in one sample of eight τ² is estimated at zero, and the interval of a further study is then too short.
    assert!((further - 0.86).abs() < 0.025, "a further study {further}");
    let [mean, between, further, _] = coverage(40, 800);
    for (what, share) in [
        ("mean", mean),
        ("tau2", between),
        ("a further study", further),
    ] {
        assert!(
            (share - 0.95).abs() < 0.025,
            "{what}, forty studies: {share}"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn order_scale_and_shift(
        y in prop::collection::vec(-2.0_f64..2.0, 3..9),
        factor in 0.01_f64..100.0,
        shift in -5.0_f64..5.0,
    ) {
        let variance: Vec<f64> = (0..y.len()).map(|i| 0.05 + 0.1 * i as f64).collect();
        let fit = |y: &[f64], v: &[f64]| MetaAnalysis::new("y", "se").fit(&frame(y, v)).unwrap();
        let plain = fit(&y, &variance);
        let close = |a: f64, b: f64| (a - b).abs() <= 1e-7 * (1.0 + a.abs().max(b.abs()));
        let reversed = fit(
            &y.iter().rev().copied().collect::<Vec<_>>(),
            &variance.iter().rev().copied().collect::<Vec<_>>(),
        );
        prop_assert!(close(plain.mean().estimate, reversed.mean().estimate));
        prop_assert!(close(plain.between(), reversed.between()));
        let moved = fit(
            &y.iter().map(|v| shift + factor * v).collect::<Vec<_>>(),
            &variance.iter().map(|v| factor * factor * v).collect::<Vec<_>>(),
        );
        prop_assert!(close((moved.mean().estimate - shift) / factor, plain.mean().estimate));
        prop_assert!(close(moved.between() / (factor * factor), plain.between()));
        prop_assert!(close(moved.i_squared(), plain.i_squared()));
        let shares: f64 = plain.weights().iter().sum();
        prop_assert!(close(shares, 1.0));
    }
}

#[test]
fn bad_input_and_what_is_said_beside_the_numbers() {
    let data = Frame::from_csv("shop,y,se\nA,1,0.5\nB,,0.5\nC,2,0.4\nD,1.5,0.3\n").unwrap();
    let fit = MetaAnalysis::new("y", "se")
        .label("shop")
        .fit(&data)
        .unwrap();
    assert_eq!(fit.studies().len(), 3);
    assert_eq!(fit.studies()[1].name, "C");
    let text = fit.to_string();
    for part in [
        "1 row",
        "mean effect",
        "Hartung–Knapp",
        "τ² = ",
        "further study",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(fit.figure().unwrap().to_svg().contains("mean effect"));
    assert_eq!(fit.leave_one_out().unwrap().len(), 3);
    let again: MetaAnalysisFit =
        serde_json::from_str(&serde_json::to_string(&fit).unwrap()).unwrap();
    assert_eq!(again, fit);
    let negative = Frame::from_csv("y,se\n1,0.5\n2,-1\n").unwrap();
    assert!(matches!(
        MetaAnalysis::new("y", "se").fit(&negative),
        Err(Error::OutOfRange { row: 2, .. })
    ));
    let one = Frame::from_csv("y,se\n1,0.5\n").unwrap();
    assert!(matches!(
        MetaAnalysis::new("y", "se").fit(&one),
        Err(Error::Unidentified { .. })
    ));
    assert!(
        MetaAnalysis::new("y", "error")
            .fit(&one)
            .unwrap_err()
            .to_string()
            .contains("se")
    );
    let two = Frame::from_csv("y,se\n1,0.5\n2,0.5\n").unwrap();
    assert!(
        MetaAnalysis::new("y", "se")
            .fit(&two)
            .unwrap()
            .prediction_interval()
            .is_err()
    );
    assert!(MetaAnalysis::new("y", "se").level(1.5).fit(&two).is_err());
}

#[test]
fn one_study_may_outweigh_all_others() {
    let studies = [(1.0, 1e-9), (2.0, 1.0), (3.0, 1.0)].map(|(estimate, std_error)| Estimate {
        name: "study".to_owned(),
        estimate,
        std_error,
        degrees_of_freedom: f64::INFINITY,
    });
    let fit = MetaAnalysis::new("", "")
        .between(BetweenStudies::DerSimonianLaird)
        .fit_estimates(&studies)
        .unwrap();
    // But for 1e-18 of it, Q = 1 + 4 and Σw − Σw²/Σw = Σᵢ wᵢ (Σw − wᵢ)/Σw = 2 + 2.
    assert!((fit.between() - 0.75).abs() < 1e-12);
    assert!((fit.i_squared() - 0.6).abs() < 1e-12);
    let reml = MetaAnalysis::new("", "").fit_estimates(&[
        studies[0].clone(),
        Estimate {
            std_error: 2.0,
            ..studies[1].clone()
        },
    ]);
    // Two studies: y₁ − y₂ has variance V = 4 + 2τ², of which the information about τ² is ½ (2/V)² = 1/8 at zero.
    let reml = reml.unwrap();
    assert_eq!(reml.between(), 0.0);
    assert!((reml.between_std_error().unwrap() - 8.0_f64.sqrt()).abs() < 1e-9);
}

#[test]
fn estimates_that_agree_too_well_leave_no_between_variance() {
    let studies = [0.1, 0.1001, 0.0999, 0.1].map(|estimate| Estimate {
        name: "study".to_owned(),
        estimate,
        std_error: 0.5,
        degrees_of_freedom: f64::INFINITY,
    });
    let fit = MetaAnalysis::new("", "").fit_estimates(&studies).unwrap();
    assert!(
        fit.warnings()
            .iter()
            .any(|w| w.to_string().contains("interval of τ² is empty"))
    );
    let huge = studies.clone().map(|s| Estimate {
        std_error: 1e200,
        ..s
    });
    let tiny = studies.map(|s| Estimate {
        std_error: 1e-200,
        ..s
    });
    for unfit in [huge, tiny] {
        assert!(matches!(
            MetaAnalysis::new("", "").fit_estimates(&unfit),
            Err(Error::OutOfRange { .. })
        ));
    }
}
