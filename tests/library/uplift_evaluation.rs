//! Uplift curves: scikit-uplift and causalml on the same trial, coverage with known truth, and what must hold for any data.

use crate::support::{agree, fixture, numbers};
use cocreate::prelude::*;
use proptest::prelude::*;
use rand::RngExt;
use rand_distr::{Distribution, StandardNormal};
use serde_json::Value;

// ---------------------------------------------------------------- references

fn trial(case: &Value) -> (Frame, Vec<f64>) {
    let frame = Frame::new()
        .with("y", numbers(&case["outcome"]))
        .unwrap()
        .with("w", numbers(&case["treated"]))
        .unwrap();
    (frame, numbers(&case["priority"]))
}

#[test]
fn trial_curves_are_those_of_scikit_uplift_and_causalml() {
    let fixture = fixture("uplift_curves");
    let tolerance = fixture["tolerance"].as_f64().unwrap();
    for case in fixture["values"]["cases"].as_array().unwrap() {
        let (frame, priority) = trial(case);
        let curve = |kind, interpolated| {
            TrialCurve::new("y", "w")
                .kind(kind)
                .interpolated(interpolated)
                .fit(&frame, &priority)
                .unwrap()
        };
        let values = |fit: &TrialCurveFit| fit.points().iter().map(|p| p.value).collect::<Vec<_>>();
        let qini = curve(TrialCurveKind::Qini, false);
        let uplift = curve(TrialCurveKind::Uplift, false);
        for (name, fit) in [("sklift_qini", &qini), ("sklift_uplift", &uplift)] {
            let rows: Vec<f64> = fit.points().iter().map(|p| p.rows as f64).collect();
            agree(name, &rows, &numbers(&case[name]["x"]), tolerance);
            agree(name, &values(fit), &numbers(&case[name]["y"]), tolerance);
        }
        let number = |name: &str| case[name].as_f64().unwrap();
        for (ours, theirs) in [
            (qini.share_of_perfect(true), "sklift_qini_auc"),
            (qini.share_of_perfect(false), "sklift_qini_auc_positive"),
            (uplift.share_of_perfect(true), "sklift_uplift_auc"),
        ] {
            agree(theirs, &[ours.unwrap()], &[number(theirs)], tolerance);
        }
        if case["ties"] == Value::Bool(false) {
            let at = |among_all| {
                let curve = TrialCurve::new("y", "w");
                curve
                    .uplift_at(&frame, &priority, 0.3, among_all)
                    .unwrap()
                    .estimate
            };
            agree(
                "at k",
                &[at(true), at(false)],
                &numbers(&case["sklift_uplift_at_30"]),
                tolerance,
            );
            let qini = curve(TrialCurveKind::Qini, true);
            let gain = curve(TrialCurveKind::Uplift, true);
            agree(
                "causalml qini",
                &values(&qini),
                &numbers(&case["causalml_qini"]),
                tolerance,
            );
            agree(
                "causalml gain",
                &values(&gain),
                &numbers(&case["causalml_gain"]),
                tolerance,
            );
            agree(
                "auuc",
                &[gain.mean_height()],
                &[number("causalml_auuc")],
                tolerance,
            );
            agree(
                "qini score",
                &[qini.mean_excess()],
                &[number("causalml_qini_score")],
                tolerance,
            );
        }
        let share = numbers(&case["treated"]).iter().sum::<f64>() / priority.len() as f64;
        let codes: Vec<u32> = numbers(&case["treated"])
            .iter()
            .map(|w| *w as u32)
            .collect();
        let scores = ArmScores::randomized(
            &numbers(&case["outcome"]),
            &codes,
            &["0", "1"],
            &[1.0 - share, share],
        )
        .unwrap();
        let fit = UpliftCurve::new().fit(&scores, &priority).unwrap();
        let ours = [fit.autoc().estimate, fit.qini().estimate];
        agree(
            "rank-weighted averages",
            &ours,
            &[number("autoc"), number("qini")],
            tolerance,
        );
    }
}

#[test]
fn areas_at_ranks_are_those_of_grf() {
    let fixture = fixture("rank_areas");
    for case in fixture["values"]["cases"].as_array().unwrap() {
        let [priority, scores, weights, areas] =
            ["priority", "scores", "weights", "areas"].map(|name| numbers(&case[name]));
        let columns = vec![vec![0.0; scores.len()], scores];
        let scores = ArmScores::new(["none", "some"], columns).unwrap();
        let scores = scores.weights(weights).unwrap();
        let curve = UpliftCurve::new().areas_at_ranks(true);
        let fit = curve.fit(&scores, &priority).unwrap();
        let integral = UpliftCurve::new().fit(&scores, &priority).unwrap();
        let found = [fit.autoc(), fit.qini(), fit.auuc()];
        let smooth = [integral.autoc(), integral.qini(), integral.auuc()];
        for ((found, smooth), want) in found.into_iter().zip(smooth).zip(&areas) {
            assert!((found.estimate - want).abs() < 1e-12, "{found:?} {want}");
            assert_eq!(found.std_error, smooth.std_error);
            // Sixty rows: the sums are near the integrals, and not these but for the Qini coefficient of rows of one weight.
            let gap = (found.estimate - smooth.estimate).abs();
            let apart = gap > 1e-6 || found.name == "Qini";
            assert!(apart && gap < 0.05, "{found:?} {smooth:?}");
        }
        let constant = vec![1.0; priority.len()];
        let test = curve.compare(&scores, ("rule", &priority), ("none", &constant));
        let differences = test.unwrap();
        let gap = &differences.differences()[0];
        assert!((gap.difference.estimate - areas[0]).abs() < 1e-12);
        // Their errors by half-samples are those of the integrals up to the same order.
        let draws = |curve: UpliftCurve| {
            let curve = curve.half_samples(200).seed(1);
            curve.fit(&scores, &priority).unwrap().autoc().std_error
        };
        let (sums, integrals) = (draws(curve.clone()), draws(UpliftCurve::new()));
        assert!((sums / integrals - 1.0).abs() < 0.2, "{sums} {integrals}");
    }
}

// ---------------------------------------------------------------- calibration

/// Scores with effect `2x² − 0.3` and noise; what is drawn by four shares its shock when clustered, and is tied when rounded.
fn draw(rows: usize, seed: u64, clustered: bool, tied: bool) -> (ArmScores, Vec<f64>) {
    let mut random = Seed::new(seed).child("uplift").stream(0);
    let (mut priority, mut score, mut shock) = (vec![], vec![], 0.0_f64);
    for row in 0..rows {
        let x: f64 = random.random();
        let noise: f64 = StandardNormal.sample(&mut random);
        if clustered && row % 4 == 0 {
            shock = StandardNormal.sample(&mut random);
        }
        priority.push(if tied { (5.0 * x).floor() } else { x });
        score.push(2.0 * x * x - 0.3 + (0.5 + x) * noise + shock);
    }
    let mut scores = ArmScores::new(["none", "some"], vec![vec![0.0; rows], score]).unwrap();
    if clustered {
        let codes: Vec<u32> = (0..rows as u32).map(|row| row / 4).collect();
        scores = scores.clusters(&codes).unwrap();
    }
    (scores, priority)
}

#[test]
fn intervals_cover_the_truth() {
    const DRAWS: u64 = 400;
    // With τ = 2x² − 0.3 and q = share treated: G(q) = ∫_{1−q}^1 τ, TOC(q) = G(q)/q − G(1).
    let gain = |q: f64| 2.0 / 3.0 * (1.0 - (1.0 - q).powi(3)) - 0.3 * q;
    // ∫ G(q)/q − G(1) dq = 2/3 (3 − 3/2 + 1/3 − 1) = 5/9, ∫ G(q) − q G(1) dq = 2/3 (3/4 − 1/2) = 1/6.
    let truth = [
        5.0 / 9.0,
        1.0 / 6.0,
        gain(0.3),
        gain(0.3) / 0.3 - gain(1.0),
        gain(0.8),
    ];
    for clustered in [false, true] {
        let mut covered = [0.0; 5];
        for seed in 0..DRAWS {
            let (scores, priority) = draw(400, seed, clustered, false);
            let fit = UpliftCurve::new()
                .points(2)
                .at(&[0.3, 0.8])
                .fit(&scores, &priority)
                .unwrap();
            let points = fit.shown();
            let found = [
                fit.autoc(),
                fit.qini(),
                &points[0].gain,
                &points[0].toc,
                &points[1].gain,
            ];
            for ((covered, estimate), truth) in covered.iter_mut().zip(found).zip(truth) {
                let interval = estimate.confidence_interval(0.95).unwrap();
                *covered += f64::from(u8::from(interval.lower <= truth && truth <= interval.upper))
                    / DRAWS as f64;
            }
        }
        println!("clustered {clustered}: {covered:.3?}");
        // The Monte Carlo error of a coverage of 0.95 is 0.011.
        assert!(
            covered.iter().all(|c| (0.91..0.985).contains(c)),
            "{covered:?}"
        );
    }
}

#[test]
fn half_samples_and_influence_functions_agree() {
    for tied in [false, true] {
        let (scores, priority) = draw(1000, 3, true, tied);
        let one = UpliftCurve::new().fit(&scores, &priority).unwrap();
        let other = UpliftCurve::new().half_samples(600).seed(7);
        let two = other.fit(&scores, &priority).unwrap();
        for (a, b) in [
            (one.autoc(), two.autoc()),
            (one.qini(), two.qini()),
            (one.auuc(), two.auuc()),
        ] {
            assert_eq!(a.estimate, b.estimate);
            // A standard deviation of 600 draws has an error of 3 %.
            assert!((a.std_error / b.std_error - 1.0).abs() < 0.12, "{a} {b}");
        }
        assert_eq!(two, other.fit(&scores, &priority).unwrap());
        assert!(
            two.to_string()
                .replace('\n', " ")
                .contains("600 half-samples")
        );
    }
    let (scores, priority) = draw(50, 3, false, false);
    let unseeded = UpliftCurve::new().half_samples(100).fit(&scores, &priority);
    assert!(matches!(unseeded, Err(Error::SeedRequired { .. })));
}

#[test]
fn a_paired_comparison_has_its_size_and_the_gap_of_its_parts() {
    const DRAWS: u64 = 300;
    let mut rejected = [0.0; 3];
    for seed in 0..DRAWS {
        let (scores, x) = draw(300, seed, false, false);
        let mut random = Seed::new(seed).child("noise").stream(0);
        // Two priorities that are equally good: x with independent noise.
        let mut noisy = || -> Vec<f64> { x.iter().map(|x| x + random.random::<f64>()).collect() };
        let (a, b) = (noisy(), noisy());
        let test = UpliftCurve::new()
            .at(&[0.3])
            .compare(&scores, ("a", &a), ("b", &b))
            .unwrap();
        for (rejected, row) in rejected.iter_mut().zip(test.differences()) {
            *rejected += f64::from(u8::from(row.difference.p_value() < 0.05)) / DRAWS as f64;
            let gap = row.first.estimate - row.second.estimate;
            assert!((row.difference.estimate - gap).abs() < 1e-12);
        }
        if seed == 0 {
            let fit = UpliftCurve::new().at(&[0.3]).fit(&scores, &a).unwrap();
            let [autoc, qini, gain] = test.differences() else {
                panic!("{test}")
            };
            for (x, y) in [
                (&autoc.first, fit.autoc()),
                (&qini.first, fit.qini()),
                (&gain.first, &fit.shown()[0].gain),
            ] {
                assert!((x.estimate - y.estimate).abs() < 1e-12);
                assert!((x.std_error - y.std_error).abs() < 1e-12, "{x} {y}");
            }
        }
    }
    println!("rejected {rejected:.3?}");
    // The Monte Carlo error of 0.05 is 0.013.
    assert!(
        rejected.iter().all(|r| (0.012..0.1).contains(r)),
        "{rejected:?}"
    );
}

// ---------------------------------------------------------------- properties

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn order_scale_and_duplicates_do_not_matter(
        rows in prop::collection::vec((0..6_u32, -9.0..9.0_f64, 1..4_usize), 3..30),
        turn in 0..30_usize,
        scale in 0.1..9.0_f64,
    ) {
        let priority: Vec<f64> = rows.iter().map(|r| f64::from(r.0)).collect();
        let score: Vec<f64> = rows.iter().map(|r| r.1).collect();
        let weights: Vec<f64> = rows.iter().map(|r| r.2 as f64).collect();
        let plain = ArmScores::new(["a", "b"], vec![vec![0.0; rows.len()], score]).unwrap();
        let curve = UpliftCurve::new().points(7).at(&[0.15, 0.5]);
        let weighted = curve.fit(&plain.clone().weights(weights.clone()).unwrap(), &priority).unwrap();
        let copies: Vec<usize> = (0..rows.len()).flat_map(|r| vec![r; rows[r].2]).collect();
        let again: Vec<f64> = copies.iter().map(|r| priority[*r].exp()).collect();
        let duplicated = curve.fit(&plain.take(&copies).unwrap(), &again).unwrap();
        let mut turned: Vec<usize> = (0..rows.len()).collect();
        turned.rotate_left(turn % rows.len());
        let scaled: Vec<f64> = turned.iter().map(|r| scale * weights[*r]).collect();
        let moved: Vec<f64> = turned.iter().map(|r| 3.0 * priority[*r] - 5.0).collect();
        let other = curve.fit(&plain.take(&turned).unwrap().weights(scaled).unwrap(), &moved).unwrap();
        for fit in [&duplicated, &other] {
            for (a, b) in [(weighted.autoc(), fit.autoc()), (weighted.qini(), fit.qini()), (weighted.auuc(), fit.auuc())] {
                prop_assert!((a.estimate - b.estimate).abs() < 1e-9);
            }
            for (a, b) in weighted.points().iter().zip(fit.points()) {
                prop_assert!((a.gain.estimate - b.gain.estimate).abs() < 1e-9);
            }
        }
        for (a, b) in weighted.points().iter().zip(other.points()) {
            prop_assert!((a.gain.std_error - b.gain.std_error).abs() < 1e-9);
            prop_assert!((a.toc.std_error - b.toc.std_error).abs() < 1e-6);
        }
        prop_assert!((weighted.autoc().std_error - other.autoc().std_error).abs() < 1e-9);
    }
}

#[test]
fn bad_input_of_curves_is_named() {
    let (scores, priority) = draw(10, 1, false, false);
    let say = |result: Result<UpliftCurveFit>| result.unwrap_err().to_string();
    assert!(say(UpliftCurve::new().fit(&scores, &priority[1..])).contains("9 rows where 10"));
    let mut gap = priority.clone();
    gap[3] = f64::NAN;
    assert!(say(UpliftCurve::new().fit(&scores, &gap)).contains("`priority` is NaN in row 4"));
    assert!(say(UpliftCurve::new().at(&[0.0]).fit(&scores, &priority)).contains("above 0"));
    assert!(
        say(UpliftCurve::new().arm("sume").fit(&scores, &priority)).contains("did you mean `some`")
    );
    let three = ArmScores::new(["a", "b", "c"], vec![vec![0.0; 10]; 3]).unwrap();
    assert!(say(UpliftCurve::new().fit(&three, &priority)).contains("several arms"));
    let fit = UpliftCurve::new()
        .arm("c")
        .control("b")
        .fit(&three, &priority)
        .unwrap();
    assert_eq!((fit.autoc().estimate, fit.autoc().std_error), (0.0, 0.0));
    let trial = Frame::new()
        .with("y", vec![1.0, 0.0])
        .unwrap()
        .with("w", vec![1.0, 1.0])
        .unwrap();
    assert!(TrialCurve::new("y", "w").fit(&trial, &[1.0, 2.0]).is_err());
}

#[test]
fn what_is_rounding_is_no_finding() {
    // Priorities that are all equal are no choice, at any share.
    let (scores, x) = draw(997, 6, false, false);
    let fit = UpliftCurve::new()
        .fit(&scores, &vec![0.3; x.len()])
        .unwrap();
    for point in fit.points() {
        assert_eq!((point.toc.estimate, point.toc.std_error), (0.0, 0.0));
    }
    assert_eq!(fit.autoc().p_value(), 1.0);
    // Predictions that are the effects are calibrated, and twice the effects are not.
    let exact = ArmScores::new(["a", "b"], vec![vec![0.0; x.len()], x.clone()]).unwrap();
    let calibration = EffectCalibration::new();
    assert_eq!(calibration.fit(&exact, &x).unwrap().test().p_value, 1.0);
    let twice: Vec<f64> = x.iter().map(|x| 2.0 * x).collect();
    assert_eq!(calibration.fit(&exact, &twice).unwrap().test().p_value, 0.0);
    // Nobody buys: no ranking is better than any other.
    let trial = Frame::new()
        .with("y", vec![0.0; 4])
        .unwrap()
        .with("w", vec![true, false, true, false])
        .unwrap();
    let curve = TrialCurve::new("y", "w")
        .fit(&trial, &[4.0, 3.0, 2.0, 1.0])
        .unwrap();
    assert_eq!(curve.share_of_perfect(true), None);
}

#[test]
fn rows_without_weight_change_nothing() {
    let (scores, mut x) = draw(60, 8, true, true);
    let mut weights = vec![1.0; 60];
    for row in (0..60).step_by(7) {
        weights[row] = 0.0;
        x[row] = -3.0; // a priority, and a group of predictions, of their own
    }
    let kept: Vec<usize> = (0..60).filter(|r| weights[*r] > 0.0).collect();
    let few = scores.take(&kept).unwrap();
    let own: Vec<f64> = kept.iter().map(|r| x[*r]).collect();
    let all = scores.weights(weights).unwrap();
    let curve = UpliftCurve::new();
    let [a, b] = [curve.fit(&all, &x).unwrap(), curve.fit(&few, &own).unwrap()];
    for (a, b) in [(a.autoc(), b.autoc()), (a.qini(), b.qini())] {
        assert!(
            (a.estimate - b.estimate).abs() < 1e-12 && (a.std_error - b.std_error).abs() < 1e-12
        );
    }
    let calibration = EffectCalibration::new();
    let [a, b] = [
        calibration.fit(&all, &x).unwrap(),
        calibration.fit(&few, &own).unwrap(),
    ];
    assert!((a.slope().std_error - b.slope().std_error).abs() < 1e-12);
    // Nor do they where they alone have the lowest predictions, and many have the next ones.
    let effects = vec![vec![0.0; 6], vec![5.0, 1.0, 2.0, 0.0, 3.0, 4.0]];
    let heavy = ArmScores::new(["none", "some"], effects).unwrap();
    let heavy = heavy.weights(vec![0.0, 1.0, 1.0, 1.0, 1.0, 1.0]).unwrap();
    let predicted = [0.0, 1.0, 1.0, 1.0, 2.0, 2.0];
    let groups = calibration.fit(&heavy, &predicted).unwrap();
    let means: Vec<f64> = (groups.groups().iter())
        .map(|group| group.effect.estimate)
        .collect();
    assert!(means.len() == 2 && (means[0] - 1.0).abs() < 1e-12 && (means[1] - 3.5).abs() < 1e-12);
    for (a, b) in a.groups().iter().zip(b.groups()) {
        assert!(
            (a.effect.estimate - b.effect.estimate).abs() < 1e-12,
            "{a:?} {b:?}"
        );
        assert!((a.effect.std_error - b.effect.std_error).abs() < 1e-12);
    }
}

#[test]
fn the_calibration_test_counts_clusters() {
    const DRAWS: u64 = 400;
    let mut rejected = 0.0;
    for seed in 0..DRAWS {
        let (scores, x) = draw(80, 5000 + seed, true, false);
        let truth: Vec<f64> = x.iter().map(|x| 2.0 * x * x - 0.3).collect();
        let fit = EffectCalibration::new().fit(&scores, &truth).unwrap();
        assert!(
            fit.to_string().replace('\n', " ").contains("F(2, 19)"),
            "{fit}"
        );
        rejected += f64::from(u8::from(fit.test().p_value < 0.05)) / DRAWS as f64;
    }
    println!("rejected {rejected:.3} with 20 clusters");
    // The Monte Carlo error of 0.05 is 0.011; 20 clusters are few, and the test of two means rejects somewhat too often.
    assert!((0.02..0.12).contains(&rejected));
    let (scores, x) = draw(8, 1, true, false);
    let two = EffectCalibration::new().fit(&scores, &x);
    assert!(
        two.unwrap_err()
            .to_string()
            .contains("three rows or clusters")
    );
}

#[test]
fn figures_show_curves_with_bands() {
    let (scores, priority) = draw(200, 1, false, false);
    let fit = UpliftCurve::new().fit(&scores, &priority).unwrap();
    for figure in [fit.plot(), fit.uplift_plot(), fit.toc_plot()] {
        let figure = figure.unwrap();
        assert!(
            figure.to_svg().contains("share treated, percent")
                && figure.to_svg().contains("<polygon")
        );
    }
}

// ---------------------------------------------------------------- calibration of predictions, and who is affected

#[test]
fn the_slope_is_that_of_least_squares_and_groups_are_means() {
    let (scores, x) = draw(300, 2, true, true);
    let fit = EffectCalibration::new().fit(&scores, &x).unwrap();
    let score = scores.contrast("some", "none").unwrap();
    let codes: Vec<f64> = (0..300).map(|row| f64::from(row / 4)).collect();
    let frame = Frame::new()
        .with("g", score.clone())
        .unwrap()
        .with("x", x.clone())
        .unwrap()
        .with("c", codes)
        .unwrap();
    let ols = Ols::new("g ~ x")
        .covariance(Covariance::cluster("c"))
        .fit(&frame)
        .unwrap();
    let slope = ols.coefficient("x").unwrap();
    assert!((fit.slope().estimate - slope.estimate).abs() < 1e-10);
    // Least squares multiply the variance by (n − 1)/(n − k) as well.
    let factor = (299.0_f64 / 298.0).sqrt();
    assert!(
        (fit.slope().std_error * factor - slope.std_error).abs() < 1e-10,
        "{} {slope}",
        fit.slope()
    );
    let high: Vec<f64> = (0..300)
        .filter(|r| x[*r] >= 4.0)
        .map(|r| score[r])
        .collect();
    let top = fit.groups().last().unwrap();
    assert_eq!(top.rows, high.len());
    assert!((top.effect.estimate - high.iter().sum::<f64>() / high.len() as f64).abs() < 1e-12);
    assert_eq!(fit.groups().iter().map(|g| g.rows).sum::<usize>(), 300);
    assert!(fit.plot().is_ok() && fit.to_string().contains("slope"));
    let constant = EffectCalibration::new().fit(&scores, &[1.0; 300]);
    assert!(matches!(constant, Err(Error::Unidentified { .. })));
}

#[test]
fn the_calibration_test_has_its_size_and_finds_extreme_predictions() {
    const DRAWS: u64 = 400;
    let (mut right, mut extreme) = (0.0, 0.0);
    for seed in 0..DRAWS {
        let (scores, x) = draw(400, seed, false, false);
        let truth: Vec<f64> = x.iter().map(|x| 2.0 * x * x - 0.3).collect();
        let rejects = |predicted: &[f64]| {
            let fit = EffectCalibration::new().fit(&scores, predicted).unwrap();
            f64::from(u8::from(fit.test().p_value < 0.05)) / DRAWS as f64
        };
        right += rejects(&truth);
        extreme += rejects(&truth.iter().map(|t| 2.0 * t).collect::<Vec<_>>());
    }
    println!("rejected {right:.3} of calibrated, {extreme:.3} of extreme");
    // The Monte Carlo error of 0.05 is 0.011.
    assert!((0.02..0.09).contains(&right) && extreme > 0.9);
}

#[test]
fn classification_analysis_is_a_difference_of_means() {
    let rows = 200;
    let x: Vec<f64> = (0..rows).map(|r| f64::from(r) * 37.0 % 101.0).collect();
    let mut age: Vec<f64> = x
        .iter()
        .enumerate()
        .map(|(r, x)| 0.3 * x + (r % 7) as f64)
        .collect();
    age[5] = f64::NAN;
    let shop: Vec<&str> = (0..rows)
        .map(|r| if r % 3 == 0 { "web" } else { "shop" })
        .collect();
    let frame = Frame::new()
        .with("age", age.clone())
        .unwrap()
        .with("shop", shop)
        .unwrap();
    let scores = ArmScores::new(["a", "b"], vec![vec![0.0; rows as usize], x.clone()]).unwrap();
    let clan = Clan::new(["age", "shop"])
        .share(0.25)
        .fit(&scores, &frame, &x)
        .unwrap();
    assert_eq!(clan.rows().len(), 3);
    let mut order: Vec<usize> = (0..rows as usize).collect();
    order.sort_by(|a, b| x[*b].total_cmp(&x[*a]));
    // 50 rows at either end; 37 and 101 have no common divisor, so that each value stands at most twice and borders fall between values.
    let mean = |side: &[usize]| {
        let known: Vec<f64> = side
            .iter()
            .map(|r| age[*r])
            .filter(|v| !v.is_nan())
            .collect();
        known.iter().sum::<f64>() / known.len() as f64
    };
    let row = &clan.rows()[0];
    assert!((row.most.estimate - mean(&order[..50])).abs() < 0.2);
    assert!((row.least.estimate - mean(&order[150..])).abs() < 0.2);
    assert!((row.difference.estimate - row.most.estimate + row.least.estimate).abs() < 1e-12);
    let [web, shop] = [&clan.rows()[1], &clan.rows()[2]];
    assert!((web.most.estimate + shop.most.estimate - 1.0).abs() < 1e-12);
    assert!((web.difference.std_error - shop.difference.std_error).abs() < 1e-12);
    assert!(row.adjusted_p_value >= row.difference.p_value());
    assert!(clan.plot().unwrap().to_svg().contains("shop: web"));
    let bars = clan.bars().unwrap();
    assert!(bars.to_svg().contains("shop: web") && bars.to_svg().contains("least affected"));
    let known: Vec<f64> = age.iter().copied().filter(|v| !v.is_nan()).collect();
    assert!((row.mean - known.iter().sum::<f64>() / known.len() as f64).abs() < 1e-12);
    let constant = Clan::new(["age"]).fit(&scores, &frame, &vec![2.0; x.len()]);
    assert!(matches!(constant, Err(Error::Unidentified { .. })));
    assert!(Clan::new(["none"]).fit(&scores, &frame, &x).is_err());
    assert!(
        Clan::new(["age"])
            .share(0.7)
            .fit(&scores, &frame, &x)
            .is_err()
    );
}
