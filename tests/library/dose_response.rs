//! Dose-response curves: agreement with a computation in numpy, coverage of a known curve, double robustness, bad input.

use crate::support::{agree, data, fixture, numbers};
use cocreate::prelude::*;
use rand::{Rng, RngExt};
use rand_distr::StandardNormal;

const X: [&str; 2] = ["x1", "x2"];

fn linear() -> DoseResponse {
    DoseResponse::new("y", "d", &X)
        .learner(Learner::linear())
        .seed(1)
}

#[test]
fn the_curve_on_linear_nuisances_is_that_of_numpy() {
    let reference = fixture("dose_response");
    let frame = data("tests/reference/dose_response.csv");
    let at = numbers(&reference["values"]["at"]);
    for name in ["plain", "weighted"] {
        // Three clusters in three folds: each is one.
        let mut model = linear().clusters("part").folds(3);
        if name == "weighted" {
            model = model.weights("weight");
        }
        let fit = model.fit(&frame).unwrap();
        let want = &reference["values"][name];
        let curve: Vec<Estimate> = at.iter().map(|d| fit.mean_at(*d).unwrap()).collect();
        let means: Vec<f64> = curve.iter().map(|e| e.estimate).collect();
        let errors: Vec<f64> = curve.iter().map(|e| e.std_error).collect();
        let pairs = [
            ("ratio", &fit.balancing_weights()[..20]),
            ("score", &fit.scores()[..20]),
            ("mean", &means),
            ("error", &errors),
        ];
        for (what, ours) in pairs {
            agree(what, ours, &numbers(&want[what]), 1e-8);
        }
        assert!(
            curve
                .iter()
                .all(|e| (e.degrees_of_freedom - 2.0).abs() < 1e-12)
        );
    }
}

fn normal(random: &mut impl Rng) -> f64 {
    random.sample(StandardNormal)
}

/// `E[Y(d)] = 1 + d + bend d²`, where the dose and the outcome both rise with x1; `E[x1²] = 1`.
fn dosed(seed: u64, n: usize, bend: f64) -> Frame {
    let mut random = Seed::new(seed).stream(0);
    let (mut x1, mut x2, mut d, mut y) = (vec![], vec![], vec![], vec![]);
    for _ in 0..n {
        let (a, b) = (normal(&mut random), normal(&mut random));
        let dose = 0.6 * a + normal(&mut random);
        x1.push(a);
        x2.push(b);
        d.push(dose);
        y.push(dose + bend * dose * dose + 1.5 * a + a * a + 0.5 * b + normal(&mut random));
    }
    Frame::new()
        .with("x1", x1)
        .and_then(|f| f.with("x2", x2))
        .and_then(|f| f.with("d", d))
        .and_then(|f| f.with("y", y))
        .unwrap()
}

#[test]
fn intervals_cover_a_known_curve_and_either_model_is_enough() {
    const DRAWS: u64 = 120;
    let doses = [-1.2, 0.0, 1.2];
    // The outcome's model is right in the first and knows nothing of the features' squares in the second, where the density is right.
    for (what, outcome) in [
        ("both", Learner::from(Learner::quadratic())),
        ("density", Learner::from(Learner::linear())),
    ] {
        let (mut covered, mut bias) = (0.0, [0.0; 3]);
        for seed in 0..DRAWS {
            let fit = linear()
                .outcome_learner(outcome.clone())
                .knots(4)
                .seed(seed)
                .fit(&dosed(seed, 600, 0.0))
                .unwrap();
            for (dose, bias) in doses.iter().zip(&mut bias) {
                let mean = fit.mean_at(*dose).unwrap();
                let interval = mean.confidence_interval(0.95).unwrap();
                covered += f64::from(u8::from(
                    interval.lower < 1.0 + dose && 1.0 + dose < interval.upper,
                ));
                *bias += (mean.estimate - 1.0 - dose) / DRAWS as f64;
            }
        }
        let share = covered / (3.0 * DRAWS as f64);
        println!("{what}: coverage {share:.3}, bias {bias:.3?}");
        // 95 % with Monte Carlo errors of 2 points (means at the doses are correlated), and what a kernel's width costs.
        assert!((0.89..=0.99).contains(&share), "{what}: {share}");
        assert!(bias.iter().all(|b| b.abs() < 0.08), "{what}: {bias:?}");
    }
    // Without adjustment the slope is confounded: 1 + 1.5 · 0.6/1.36.
    let frame = dosed(1, 4_000, 0.0);
    let naive = Ols::new("y ~ d").fit(&frame).unwrap();
    assert!(naive.coefficient("d").unwrap().estimate > 1.5);
}

#[test]
fn bent_curves_are_followed_and_scales_do_not_matter() {
    let frame = dosed(3, 3_000, 0.5);
    let model = linear().outcome_learner(Learner::quadratic());
    let fit = model.fit(&frame).unwrap();
    for dose in [-1.0_f64, 0.0, 1.0] {
        let mean = fit.mean_at(dose).unwrap();
        let truth = 1.0 + dose + 0.5 * dose * dose;
        assert!(
            (mean.estimate - truth).abs() < 4.0 * mean.std_error,
            "{dose}: {mean:?}"
        );
        let slope = fit.slope_at(dose).unwrap();
        assert!((slope.estimate - 1.0 - dose).abs() < 4.0 * slope.std_error + 0.1);
    }
    let contrast = fit.contrast(-0.5, 1.0).unwrap();
    let [from, to] = [-0.5, 1.0].map(|d| fit.mean_at(d).unwrap().estimate);
    assert!((contrast.estimate - (to - from)).abs() < 1e-12);
    assert!(fit.effective_rows() > 1_000.0 && fit.effective_rows() < 3_000.0);
    assert!(fit.warnings().is_empty(), "{fit}");
    assert!(fit.to_string().contains("Natural cubic spline, 5 knots"));
    assert!(fit.plot().unwrap().to_svg().contains("Mean y by d"));
    // Doses in other units, outcomes in other units.
    let scaled = |name: &str, by: f64, add: f64| -> Vec<f64> {
        frame
            .real(name)
            .unwrap()
            .iter()
            .map(|v| by * v + add)
            .collect()
    };
    let other = frame
        .clone()
        .replace("d", scaled("d", 10.0, 3.0))
        .and_then(|f| f.replace("y", scaled("y", -2.0, 7.0)))
        .unwrap();
    let again = model.fit(&other).unwrap();
    for dose in [-1.0, 0.3, 1.5] {
        let (a, b) = (
            fit.mean_at(dose).unwrap(),
            again.mean_at(10.0 * dose + 3.0).unwrap(),
        );
        assert!((-2.0 * a.estimate + 7.0 - b.estimate).abs() < 1e-7);
        assert!((2.0 * a.std_error - b.std_error).abs() < 1e-7);
    }
    let text = serde_json::to_string(&fit).unwrap();
    assert_eq!(serde_json::from_str::<DoseResponseFit>(&text).unwrap(), fit);
}

#[test]
fn a_density_that_is_not_there_is_refused_or_warned_about() {
    let frame = dosed(5, 600, 0.0);
    let message = |frame: &Frame| linear().fit(frame).unwrap_err().to_string();
    let column = |f: &dyn Fn(f64, f64) -> f64| -> Vec<f64> {
        let pairs = frame
            .real("d")
            .unwrap()
            .iter()
            .zip(frame.real("x1").unwrap());
        pairs.map(|(d, x)| f(*d, *x)).collect()
    };
    // Few doses; a dose that the features decide; a dose that they all but decide.
    let few = frame
        .clone()
        .replace("d", column(&|d, _| d.round()))
        .unwrap();
    assert!(message(&few).contains("`DoublyRobust`"));
    let decided = frame.clone().replace("d", column(&|_, x| 2.0 * x)).unwrap();
    assert!(message(&decided).contains("the features leave open"));
    let nearly = frame
        .clone()
        .replace("d", column(&|d, x| d + 20.0 * x))
        .unwrap();
    assert!(message(&nearly).contains("overlap"));
    // A dose whose mean is not linear in the features, learned as if it were.
    let bent = frame
        .clone()
        .replace("d", column(&|d, x| d + x * x))
        .unwrap();
    let fit = linear().fit(&bent).unwrap();
    let mut warnings = fit.warnings().iter().map(ToString::to_string);
    assert!(warnings.any(|w| w.contains("does not balance")), "{fit}");
    assert!(matches!(
        DoseResponse::new("y", "d", &X).fit(&frame).unwrap_err(),
        Error::SeedRequired { .. }
    ));
    assert!(linear().knots(1).fit(&frame).is_err());
    assert!(linear().folds(1).fit(&frame).is_err());
    let fit = linear().fit(&frame).unwrap();
    let outside = fit.mean_at(99.0).unwrap_err().to_string();
    assert!(outside.contains("the doses that were given"), "{outside}");
}
