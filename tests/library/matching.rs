//! Matching with replacement: references, what its intervals cover, what must hold for any data, and bad input.

use crate::support::{agree, data, fixture, numbers};
use cocreate::prelude::*;
use proptest::prelude::*;
use proptest::test_runner::Config;
use rand::RngExt;
use serde_json::Value;

const NSW: &str = "age + educ + black + hisp + marr + nodegree + re74 + re75";

fn estimand(name: &Value) -> Estimand {
    match name.as_str().unwrap() {
        "ATT" => Estimand::Att,
        "ATC" => Estimand::Atc,
        _ => Estimand::Ate,
    }
}

fn pair(fit: &MatchingFit) -> [f64; 2] {
    [fit.estimates()[0], fit.covariance()[(0, 0)].sqrt()]
}

#[test]
fn effects_and_errors_are_those_of_the_package_matching() {
    let fixture = fixture("matching");
    let (nsw, causal) = (data("datasets/nsw.csv"), data("tests/reference/causal.csv"));
    for case in fixture["values"]["nearest"].as_array().unwrap() {
        let distance = if case["mahalanobis"].as_bool().unwrap() {
            MatchDistance::Mahalanobis
        } else {
            MatchDistance::InverseVariance
        };
        let number = |name: &str| case[name].as_u64().unwrap() as usize;
        let with = |model: Matching| {
            let model = model
                .estimand(estimand(&case["estimand"]))
                .distance(distance)
                .neighbours(number("neighbours"))
                .variance_neighbours(number("variance"));
            if case["bias"].as_bool().unwrap() {
                model.bias_correction()
            } else {
                model
            }
        };
        let fit = with(Matching::new("re78", "treat", NSW)).fit(&nsw).unwrap();
        agree(
            &format!("nsw {case}"),
            &pair(&fit),
            &numbers(&case["nsw"]),
            1e-9,
        );
        let fit = with(Matching::new("y", "w", "x1 + x2"))
            .fit(&causal)
            .unwrap();
        agree(
            &format!("causal {case}"),
            &pair(&fit),
            &numbers(&case["causal"]),
            1e-9,
        );
    }
    for case in fixture["values"]["limits"].as_array().unwrap() {
        let two = |model: Matching| model.estimand(estimand(&case["estimand"])).neighbours(2);
        let fit = Matching::new("y", "w", "x1 + x2")
            .estimand(estimand(&case["estimand"]))
            .caliper_on("x1", 0.05)
            .caliper_on("x2", 0.2)
            .fit(&causal)
            .unwrap();
        let found = [fit.estimates()[0], fit.unmatched() as f64];
        let theirs = numbers(&case["caliper"]);
        agree("caliper", &found[..1], &theirs[..1], 1e-9);
        assert_eq!(found[1], theirs[1]);
        let ours = two(Matching::new("re78", "treat", NSW))
            .distance(MatchDistance::Propensity)
            .fit(&nsw)
            .unwrap();
        let known = nsw
            .clone()
            .with("e", ours.propensities().unwrap().to_vec())
            .unwrap();
        let fit = two(Matching::new("re78", "treat", "e"))
            .fit(&known)
            .unwrap();
        agree(
            "propensity",
            &pair(&fit),
            &numbers(&case["propensity"]),
            1e-9,
        );
        assert!((fit.estimates()[0] - ours.estimates()[0]).abs() < 1e-9);
    }
}

#[test]
fn sampling_weights_are_those_of_their_definition() {
    let causal = data("tests/reference/causal.csv");
    let x1 = causal.real("x1").unwrap();
    let chances: Vec<f64> = x1.iter().map(|x| (0.8 * x).exp() + 0.2).collect();
    let causal = causal.clone().with("chances", chances).unwrap();
    let fixture = fixture("matching_sampling");
    for case in fixture["values"].as_array().unwrap() {
        let number = |name: &str| case[name].as_u64().unwrap() as usize;
        let mut model = Matching::new("y", "w", "x1 + x2")
            .estimand(estimand(&case["estimand"]))
            .neighbours(number("neighbours"))
            .variance_neighbours(number("others"))
            .sampling_weights("chances");
        if !case["mahalanobis"].as_bool().unwrap() {
            model = model.distance(MatchDistance::InverseVariance);
        }
        if case["correct"].as_bool().unwrap() {
            model = model.bias_correction();
        }
        let fit = model.fit(&causal).unwrap();
        agree(
            &case.to_string(),
            &pair(&fit),
            &numbers(&case["effect"]),
            1e-9,
        );
    }
    // Weights that are all alike say nothing, with copies and ties too.
    let even = vec![7.0; causal.rows()];
    let copies: Vec<f64> = (0..causal.rows()).map(|i| (i % 3) as f64).collect();
    let flat = causal.clone().with("even", even).unwrap();
    let flat = flat.with("copies", copies).unwrap();
    let plain = Matching::new("y", "w", "x1 + C(segment)").weights("copies");
    let [a, b] = [plain.clone(), plain.sampling_weights("even")]
        .map(|model| pair(&model.fit(&flat).unwrap()));
    assert!((a[0] - b[0]).abs() < 1e-12 && (a[1] - b[1]).abs() < 1e-12);
    let refused = |model: Matching| model.fit(&causal).unwrap_err().to_string();
    let model = Matching::new("y", "w", "x1");
    assert!(refused(model.clone().sampling_weights("x2")).contains("`x2`"));
    let by_score = model.distance(MatchDistance::LogOdds);
    let text = refused(by_score.sampling_weights("chances"));
    assert!(text.contains("`sampling_weights`") && text.contains("TreatmentWeighting"));
}

#[test]
fn sampling_weights_recover_the_population() {
    // Rows with large x1, whose effects are large, are in the sample more often.
    let (mut plain, mut weighted) = (Vec::new(), Vec::new());
    for sample in 0..100 {
        let (frame, _) = confounded(600, 900 + sample);
        let mut random = Seed::new(sample).child("chance").stream(0);
        let chance: Vec<f64> = (frame.real("x1").unwrap().iter())
            .map(|x| 0.1 + 0.8 / (1.0 + (-x).exp()))
            .collect();
        let keep: Vec<bool> = chance.iter().map(|p| random.random::<f64>() < *p).collect();
        let weights: Vec<f64> = chance.iter().map(|p| 1.0 / p).collect();
        let frame = frame.with("weight", weights).unwrap();
        let frame = frame.filter(&keep).unwrap();
        let model = Matching::new("y", "w", "x1 + x2").bias_correction();
        for (model, found) in [
            (model.clone(), &mut plain),
            (model.sampling_weights("weight"), &mut weighted),
        ] {
            let effect = model.fit(&frame).unwrap().coefficient("1").unwrap();
            found.push((effect.estimate, effect.std_error));
        }
    }
    let (plain, weighted) = (track(&plain, 1.0), track(&weighted, 1.0));
    println!("{plain:.3?} {weighted:.3?}");
    // The Monte Carlo error of coverage is 2.2 points.
    assert!(plain[3] < 0.6 && weighted[3] > 0.89 && weighted[0].abs() < 0.05);
    assert!((0.85..1.2).contains(&(weighted[2] / weighted[1])));
}

/// A confounded sample with effects `1 + x1`; both covariates drive treatment and outcome.
pub fn confounded(rows: usize, seed: u64) -> (Frame, [f64; 2]) {
    let mut random = Seed::new(seed).child("confounded").stream(0);
    let (mut x1, mut x2, mut w, mut y, mut e) = (vec![], vec![], vec![], vec![], vec![]);
    let mut effects = [(0.0, 0.0); 2];
    for _ in 0..rows {
        let mut normal = || -> f64 { (0..12).map(|_| random.random::<f64>()).sum::<f64>() - 6.0 };
        let (a, b, noise) = (normal(), normal(), normal());
        let propensity = 1.0 / (1.0 + (0.3 - 0.7 * a - 0.7 * b).exp());
        let treated = random.random::<f64>() < propensity;
        for (arm, share) in [(0, 1.0 - propensity), (1, propensity)] {
            effects[arm].0 += share * (1.0 + a);
            effects[arm].1 += share;
        }
        x1.push(a);
        x2.push(b);
        e.push(propensity);
        w.push(f64::from(u8::from(treated)));
        y.push(
            3.0 * a - b
                + 0.3 * b * b
                + if treated { 1.0 + a } else { 0.0 }
                + (0.6 + 0.4 * a.abs()) * noise,
        );
    }
    let frame = [("y", y), ("w", w), ("x1", x1), ("x2", x2), ("e", e)]
        .into_iter()
        .fold(Frame::new(), |frame, (name, values)| {
            frame.with(name, values).unwrap()
        });
    (frame, effects.map(|(sum, total)| sum / total))
}

/// Mean error, spread of estimates, mean standard error and coverage.
pub fn track(found: &[(f64, f64)], truth: f64) -> [f64; 4] {
    let n = found.len() as f64;
    let mean = found.iter().map(|(b, _)| b).sum::<f64>() / n;
    let square = found.iter().map(|(b, _)| (b - mean).powi(2)).sum::<f64>() / (n - 1.0);
    let error = found.iter().map(|(_, s)| s * s).sum::<f64>() / n;
    let covered = found
        .iter()
        .filter(|(b, s)| (b - truth).abs() <= 1.959_964 * s)
        .count();
    [
        mean - truth,
        square.sqrt(),
        error.sqrt(),
        covered as f64 / n,
    ]
}

#[test]
fn intervals_cover_and_errors_of_scores_need_their_adjustment() {
    let atx = confounded(400_000, 1).1;
    for (estimand, truth) in [
        (Estimand::Ate, 1.0),
        (Estimand::Att, atx[1]),
        (Estimand::Atc, atx[0]),
    ] {
        let model = || Matching::new("y", "w", "x1 + x2").estimand(estimand);
        let models = [
            ("corrected", model().bias_correction()),
            ("propensity", model().distance(MatchDistance::Propensity)),
            ("known", Matching::new("y", "w", "score").estimand(estimand)),
            ("raw", Matching::new("y", "w", "x1").estimand(estimand)),
        ];
        let mut found = vec![Vec::new(); models.len()];
        for sample in 0..100 {
            let (frame, _) = confounded(300, 100 + sample);
            let score = model()
                .distance(MatchDistance::Propensity)
                .fit(&frame)
                .unwrap();
            let frame = frame
                .with("score", score.propensities().unwrap().to_vec())
                .unwrap();
            for ((_, model), found) in models.iter().zip(&mut found) {
                let effect = model.fit(&frame).unwrap().coefficient("1").unwrap();
                found.push((effect.estimate, effect.std_error));
            }
        }
        let tracks: Vec<[f64; 4]> = found.iter().map(|found| track(found, truth)).collect();
        for ((name, _), track) in models.iter().zip(&tracks) {
            println!("{estimand:?} {name}: {track:.3?}");
        }
        // The Monte Carlo error of coverage is 2.2 points.
        assert!(tracks[0][3] > 0.89 && tracks[1][3] > 0.89);
        assert!((0.85..1.2).contains(&(tracks[0][2] / tracks[0][1])));
        assert!((0.8..1.2).contains(&(tracks[1][2] / tracks[1][1])));
        // Errors that treat the propensity as known are too large here; matching on half of what confounds is wrong.
        assert!(tracks[2][2] > 1.12 * tracks[1][2] && tracks[2][0].abs() < 0.1);
        assert!(tracks[3][3] < 0.6);
    }
}

proptest! {
    #![proptest_config(Config { failure_persistence: None, ..Config::with_cases(16) })]

    #[test]
    fn order_affine_maps_and_copies_do_not_matter(
        y in proptest::collection::vec(-3.0..3.0_f64, 40),
        w in proptest::collection::vec(proptest::bool::ANY, 34),
        copies in proptest::collection::vec(1..4_usize, 40),
        turn in -2.0..2.0_f64,
    ) {
        // Covariates on a lattice, so that ties abound; both arms are there.
        let arm = |i: usize| f64::from(u8::from(if i < 34 { w[i] } else { i.is_multiple_of(2) }));
        let make = |order: &[usize]| {
            let column = |f: &dyn Fn(usize) -> f64| order.iter().map(|i| f(*i)).collect::<Vec<f64>>();
            [
                ("y", column(&|i| y[i])),
                ("w", column(&arm)),
                ("x", column(&|i| ((i * 11) % 7) as f64)),
                ("z", column(&|i| (i % 3) as f64)),
                ("g", column(&|i| (i % 2) as f64)),
                ("u", column(&|i| 4.0 + 3.0 * ((i * 11) % 7) as f64 + turn * (i % 3) as f64)),
                ("v", column(&|i| 5.0 * (i % 3) as f64 - 2.0)),
                ("copies", column(&|i| copies[i] as f64)),
            ]
            .into_iter()
            .fold(Frame::new(), |frame, (name, values)| frame.with(name, values).unwrap())
        };
        let all: Vec<usize> = (0..40).collect();
        let mixed: Vec<usize> = (0..40).map(|i| (i * 23 + 7) % 40).collect();
        let copied: Vec<usize> = (0..40).flat_map(|i| vec![i; copies[i]]).collect();
        let near = |a: [f64; 2], b: [f64; 2]| (a[0] - b[0]).abs() < 1e-8 && (a[1] - b[1]).abs() < 1e-8;
        for estimand in [Estimand::Ate, Estimand::Att, Estimand::Atc] {
            for distance in [MatchDistance::Mahalanobis, MatchDistance::InverseVariance, MatchDistance::LogOdds] {
                let with = |terms: &str| Matching::new("y", "w", terms).estimand(estimand).distance(distance).neighbours(2);
                for model in [with("x + z"), with("x + z").exact(&["g"])] {
                    let Ok(base) = model.fit(&make(&all)) else { continue };
                    prop_assert!(near(pair(&base), pair(&model.fit(&make(&mixed)).unwrap())), "{distance:?}");
                    let weighted = model.clone().weights("copies").fit(&make(&all)).unwrap();
                    prop_assert!(near(pair(&weighted), pair(&model.fit(&make(&copied)).unwrap())), "{distance:?}");
                    // The arms exchanged, the question mirrored.
                    let mirrored = match estimand {
                        Estimand::Att => Estimand::Atc,
                        Estimand::Atc => Estimand::Att,
                        same => same,
                    };
                    let swapped = pair(&model.clone().control("1").estimand(mirrored).fit(&make(&all)).unwrap());
                    prop_assert!(near(pair(&base), [-swapped[0], swapped[1]]), "{distance:?}");
                }
                if distance != MatchDistance::InverseVariance {
                    let Ok(base) = with("x + z").fit(&make(&all)) else { continue };
                    prop_assert!(near(pair(&base), pair(&with("u + v").fit(&make(&all)).unwrap())), "{distance:?}");
                }
            }
        }
    }
}

#[test]
fn rows_without_a_match_are_counted_and_what_counts_can_be_taken_on() {
    let (frame, _) = confounded(400, 5);
    let model = Matching::new("y", "w", "x1 + x2")
        .estimand(Estimand::Att)
        .caliper(0.02);
    let fit = model.fit(&frame).unwrap();
    let treated = frame
        .real("w")
        .unwrap()
        .iter()
        .filter(|w| **w > 0.5)
        .count();
    let left = treated - fit.unmatched();
    assert!(fit.unmatched() > 10 && left > 50, "{fit}");
    let named = format!(", among the {left} of {treated} rows with a match");
    assert!(fit.average_effect().estimand().ends_with(&named), "{fit}");
    assert!(fit.warnings()[0].to_string().starts_with(&format!(
        "{} of {treated} rows have no match",
        fit.unmatched()
    )));
    // The weighted difference of means of what counts is the effect.
    let matched = fit.matched(&frame).unwrap();
    assert_eq!(
        matched
            .real("w")
            .unwrap()
            .iter()
            .filter(|w| **w > 0.5)
            .count(),
        left
    );
    let ols = Ols::new("y ~ w").weights("weights").fit(&matched).unwrap();
    agree(
        "weights",
        &[ols.coefficient("w").unwrap().estimate],
        &[fit.estimates()[0]],
        1e-10,
    );
    // No two matches differ by more than the caliper, and what is looser has more of them.
    let looser = model.clone().caliper(0.2).fit(&frame).unwrap();
    assert!(
        looser.unmatched() < fit.unmatched()
            && looser
                .balance()
                .love_plot()
                .unwrap()
                .to_svg()
                .contains("x2")
    );
    let exact = Matching::new("y", "w", "x1 + x2")
        .exact(&["half"])
        .caliper_on("x1", 0.1);
    let half: Vec<&str> = frame
        .real("x2")
        .unwrap()
        .iter()
        .map(|x| if *x > 0.0 { "up" } else { "down" })
        .collect();
    let fit = exact
        .fit(&frame.clone().with("half", half).unwrap())
        .unwrap();
    assert!(fit.balance().rows[0].difference_after.unwrap().abs() < 0.05);
    let back: MatchingFit = serde_json::from_str(&serde_json::to_string(&fit).unwrap()).unwrap();
    assert_eq!(back, fit);
}

#[test]
fn bad_input_is_named() {
    let (frame, _) = confounded(300, 5);
    let refused = |model: Matching, frame: &Frame| model.fit(frame).unwrap_err().to_string();
    let model = |terms: &str| Matching::new("y", "w", terms);
    let w = frame.real("w").unwrap().to_vec();
    let n = w.len();
    let with = |name: &str, values: Vec<f64>| frame.clone().with(name, values).unwrap();
    assert!(
        refused(model("x1").estimand(Estimand::Ato), &frame).contains("option `estimand` is Ato")
    );
    assert!(refused(model("x1").neighbours(0), &frame).contains("`neighbours`"));
    assert!(refused(model("x1").variance_neighbours(0), &frame).contains("`variance_neighbours`"));
    assert!(refused(model("x1").caliper(-1.0), &frame).contains("option `caliper` is -1"));
    assert!(refused(model("x1").caliper_on("x2", 1.0), &frame).contains("on a covariate: x1"));
    let score = model("x1").distance(MatchDistance::LogOdds);
    assert!(refused(score.clone().bias_correction(), &frame).contains("option `bias_correction`"));
    assert!(refused(model("x1 + w"), &frame).contains("known before treatment"));
    assert!(refused(model("one"), &with("one", vec![1.0; n])).contains("a covariate that varies"));
    assert!(refused(model("x1").neighbours(200), &frame).contains("ask for fewer neighbours"));
    assert!(
        refused(model("x1").neighbours(2).caliper_on("x1", 0.0), &frame).contains("widen them")
    );
    let same: Vec<f64> = (0..n).map(|i| w[i] + 2.0 * (i % 2) as f64).collect();
    assert!(
        refused(model("x1").exact(&["same"]), &with("same", same))
            .contains("no value of `same` occurs in both arms")
    );
    let apart: Vec<f64> = w
        .iter()
        .enumerate()
        .map(|(i, w)| 100.0 * w + i as f64 / 10.0)
        .collect();
    assert!(
        refused(
            model("apart").distance(MatchDistance::Propensity),
            &with("apart", apart)
        )
        .contains("overlap")
    );
    let half: Vec<f64> = (0..n).map(|i| 0.5 + i as f64).collect();
    assert!(
        refused(model("x1").weights("half"), &with("half", half))
            .contains("`half` is 0.5 in row 1; it must be a whole number")
    );
    let few: Vec<bool> = (0..n)
        .scan(0, |seen, i| {
            *seen += usize::from(w[i] > 0.5);
            Some(w[i] < 0.5 || *seen <= 2)
        })
        .collect();
    assert!(refused(model("x1"), &frame.filter(&few).unwrap()).contains("which has 2 rows"));
    let few: Vec<bool> = (0..n)
        .scan(0, |seen, i| {
            *seen += usize::from(w[i] > 0.5);
            Some(w[i] < 0.5 || *seen <= 3)
        })
        .collect();
    assert!(
        refused(
            model("x1 + x2 + e").bias_correction(),
            &frame.filter(&few).unwrap()
        )
        .contains("for the bias correction is not identified: it needs more than 4 rows")
    );
    let arms: Vec<f64> = (0..n).map(|i| (i % 3) as f64).collect();
    assert!(
        refused(Matching::new("y", "arms", "x1"), &with("arms", arms))
            .contains("a column with two arms")
    );
    // Missing, constant and collinear covariates are left out and said.
    let mut gaps = frame.real("x2").unwrap().to_vec();
    gaps[3] = f64::NAN;
    let double: Vec<f64> = frame.real("x1").unwrap().iter().map(|x| 2.0 - x).collect();
    let poor = frame
        .clone()
        .replace("x2", gaps)
        .unwrap()
        .with("double", double)
        .unwrap()
        .with("one", vec![1.0; n])
        .unwrap();
    let fit = model("x1 + x2 + double + one").fit(&poor).unwrap();
    assert!(
        fit.warnings().contains(&Warning::Collinear {
            columns: vec!["double".to_owned()]
        }),
        "{fit}"
    );
    assert!(fit.warnings().contains(&Warning::Constant {
        columns: vec!["one".to_owned()]
    }));
    assert!(fit.warnings().contains(&Warning::RowsDropped {
        dropped: 1,
        missing: vec![("x2".to_owned(), 1)]
    }));
    let plain = model("x1 + x2").fit(&poor).unwrap();
    agree("collinear", &pair(&fit), &pair(&plain), 1e-12);
}

#[test]
fn one_thread_and_seven_give_the_same_bits() {
    let (frame, _) = confounded(600, 11);
    let pool = |threads: usize| {
        rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap()
    };
    for distance in [MatchDistance::Mahalanobis, MatchDistance::Propensity] {
        let fit = || {
            Matching::new("y", "w", "x1 + x2")
                .distance(distance)
                .neighbours(3)
                .fit(&frame)
                .unwrap()
        };
        assert_eq!(pool(1).install(fit), pool(7).install(fit));
    }
}
