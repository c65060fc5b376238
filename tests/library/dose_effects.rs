//! Effects of a dose that differ by features: agreement with statsmodels, EconML and numpy, coverage of known effects, properties, bad input.

use crate::support::{agree, data, fixture, numbers};
use cocreate::prelude::*;
use rand::{Rng, RngExt};
use rand_distr::StandardNormal;

const X: [&str; 2] = ["x1", "x2"];

fn base() -> PartiallyLinear {
    PartiallyLinear::new("y", "d", &X)
        .learner(Learner::linear())
        .seed(1)
}

fn errors(fit: &DoseEffectsFit) -> Vec<f64> {
    let names = fit.names().iter();
    names.map(|n| fit.std_error(n).unwrap()).collect()
}

#[test]
fn effects_on_linear_nuisances_are_those_of_statsmodels_and_numpy() {
    let reference = &fixture("dose_effects")["values"];
    let frame = data("tests/reference/dose_response.csv");
    let doses = numbers(&reference["doses"]);
    let rows: Vec<Vec<f64>> = (reference["rows"].as_array().unwrap().iter())
        .map(numbers)
        .collect();
    let column = |j: usize| rows.iter().map(|row| row[j]).collect::<Vec<f64>>();
    let new = Frame::new()
        .with("x1", column(0))
        .and_then(|f| f.with("x2", column(1)))
        .unwrap();
    for (name, bent) in [("plain", "bent"), ("weighted", "bent_weighted")] {
        // Three clusters in three folds: each is one.
        let mut base = base().clusters("part").folds(3);
        if name == "weighted" {
            base = base.weights("weight");
        }
        let fit = DoseEffects::new(base.clone(), "x1 + x2")
            .fit(&frame)
            .unwrap();
        assert_eq!(fit.names(), ["d", "d:x1", "d:x2"]);
        let want = &reference[name];
        agree(
            name,
            fit.estimates().as_slice(),
            &numbers(&want["estimate"]),
            1e-8,
        );
        agree(name, &errors(&fit), &numbers(&want["clustered"]), 1e-8);
        let fit = DoseEffects::new(base, "x1 + x2")
            .knots(4)
            .fit(&frame)
            .unwrap();
        let found = fit.contrast(&new, doses[0], doses[1], 0.95).unwrap();
        agree(
            bent,
            &found.values,
            &numbers(&reference[bent]["effect"]),
            1e-8,
        );
        agree(
            bent,
            &found.std_errors,
            &numbers(&reference[bent]["error"]),
            1e-7,
        );
    }
    let means = &reference["means"];
    let frame = frame
        .with("my", numbers(&means["y"]))
        .and_then(|f| f.with("md", numbers(&means["d"])))
        .unwrap();
    let given = PartiallyLinear::new("y", "d", &X).means("my", "md");
    let fit = DoseEffects::new(given.clone(), "x1 + x2")
        .fit(&frame)
        .unwrap();
    agree(
        "hc3",
        &errors(&fit),
        &numbers(&reference["plain"]["hc3"]),
        1e-8,
    );
    // Rows in another order, and a constant alone.
    let n = frame.rows();
    let turned = frame.take(&(0..n).rev().collect::<Vec<_>>()).unwrap();
    let again = DoseEffects::new(given.clone(), "x1 + x2")
        .fit(&turned)
        .unwrap();
    agree(
        "turned",
        again.estimates().as_slice(),
        fit.estimates().as_slice(),
        1e-10,
    );
    let one = DoseEffects::new(given.clone(), "1").fit(&frame).unwrap();
    let effect = given.fit(&frame).unwrap().coefficient("d").unwrap();
    agree("one", one.estimates().as_slice(), &[effect.estimate], 1e-10);
}

fn normal(random: &mut impl Rng) -> f64 {
    random.sample(StandardNormal)
}

/// `Y = (1 + ½ x1) D + bend D² + …`: the dose rises with x1, and so does the outcome.
fn dosed(seed: u64, n: usize, bend: f64) -> Frame {
    let mut random = Seed::new(seed).stream(0);
    let (mut x1, mut x2, mut d, mut y) = (vec![], vec![], vec![], vec![]);
    for _ in 0..n {
        let (a, b) = (normal(&mut random), normal(&mut random));
        let dose = 0.6 * a + (0.7 + 0.3 * a.tanh()) * normal(&mut random);
        let effect = (1.0 + 0.5 * a) * dose + bend * dose * dose;
        y.push(effect + 1.5 * a + a * a + 0.5 * b + normal(&mut random));
        x1.push(a);
        x2.push(b);
        d.push(dose);
    }
    Frame::new()
        .with("x1", x1)
        .and_then(|f| f.with("x2", x2))
        .and_then(|f| f.with("d", d))
        .and_then(|f| f.with("y", y))
        .unwrap()
}

#[test]
fn intervals_cover_known_effects() {
    const DRAWS: u64 = 150;
    let somebody = Frame::new().with("x1", vec![-1.0, 0.0, 1.0]).unwrap();
    let quadratic = || base().learner(Learner::quadratic());
    let (mut covered, mut bias) = (0.0, [0.0; 2]);
    for seed in 0..DRAWS {
        let fit = DoseEffects::new(quadratic().seed(seed), "x1");
        let fit = fit.fit(&dosed(seed, 500, 0.0)).unwrap();
        let found = fit.contrast(&somebody, -0.5, 1.5, 0.95).unwrap();
        for (i, truth) in [1.0, 2.0, 3.0].into_iter().enumerate() {
            covered += f64::from(u8::from(found.lower[i] < truth && truth < found.upper[i]));
        }
        for (bias, (name, truth)) in bias.iter_mut().zip([("d", 1.0), ("d:x1", 0.5)]) {
            *bias += (fit.coefficient(name).unwrap().estimate - truth) / DRAWS as f64;
        }
    }
    let share = covered / (3.0 * DRAWS as f64);
    println!("coverage {share:.3}, bias {bias:.4?}");
    assert!((0.91..=0.985).contains(&share), "{share}");
    assert!(bias.iter().all(|b| b.abs() < 0.02), "{bias:?}");
    // Without adjustment the effect is confounded.
    let naive = Ols::new("y ~ d + d:x1").fit(&dosed(1, 4_000, 0.0)).unwrap();
    assert!(naive.coefficient("d").unwrap().estimate > 1.3);
}

#[test]
fn effects_bend_in_the_dose() {
    let frame = dosed(3, 4_000, 0.5);
    let somebody = Frame::new().with("x1", vec![-1.0, 0.5]).unwrap();
    let base = base().learner(Learner::quadratic());
    let fit = DoseEffects::new(base.clone(), "x1")
        .knots(5)
        .fit(&frame)
        .unwrap();
    let effect = |x: f64, d: f64| (1.0 + 0.5 * x) * d + 0.5 * d * d;
    for (from, to) in [(-0.6, 0.2), (0.0, 1.0), (0.5, 1.5)] {
        let found = fit.contrast(&somebody, from, to, 0.95).unwrap();
        for (i, x) in [-1.0, 0.5].into_iter().enumerate() {
            let off = found.values[i] - effect(x, to) + effect(x, from);
            assert!(
                off.abs() < 3.5 * found.std_errors[i] + 0.05,
                "{from} {x}: {off}"
            );
        }
    }
    let slope = fit.slope(&somebody, 0.4, 0.95).unwrap();
    let step = fit
        .contrast(&somebody, 0.4 - 1e-5, 0.4 + 1e-5, 0.95)
        .unwrap();
    for (a, b) in slope.values.iter().zip(&step.values) {
        assert!((a - b / 2e-5).abs() < 1e-5);
    }
    assert!(
        fit.to_string()
            .contains("Natural cubic spline of d, 5 knots")
    );
    let text = serde_json::to_string(&fit).unwrap();
    let back: DoseEffectsFit = serde_json::from_str(&text).unwrap();
    assert_eq!(back.estimates(), fit.estimates());
    assert!(matches!(
        back.contrast(&somebody, 0.0, 1.0, 0.95).unwrap_err(),
        Error::DataNotKept { .. }
    ));
    // Doses and outcomes in other units.
    let scaled = |name: &str, by: f64, add: f64| -> Vec<f64> {
        let values = frame.real(name).unwrap().iter();
        values.map(|v| by * v + add).collect()
    };
    let other = frame
        .clone()
        .replace("d", scaled("d", 10.0, 3.0))
        .and_then(|f| f.replace("y", scaled("y", -2.0, 7.0)))
        .unwrap();
    for knots in [2, 5] {
        let model = DoseEffects::new(base.clone(), "x1").knots(knots);
        let (a, b) = (model.fit(&frame).unwrap(), model.fit(&other).unwrap());
        let a = a.contrast(&somebody, 0.0, 1.0, 0.9).unwrap();
        let b = b.contrast(&somebody, 3.0, 13.0, 0.9).unwrap();
        for i in 0..2 {
            assert!((-2.0 * a.values[i] - b.values[i]).abs() < 1e-6 * b.values[i].abs());
            assert!((2.0 * a.std_errors[i] - b.std_errors[i]).abs() < 1e-6 * b.std_errors[i]);
        }
    }
}

#[test]
fn effects_of_doses_tell_what_they_need() {
    let frame = dosed(5, 300, 0.0);
    let told = |model: DoseEffects, part: &str| {
        let message = model.fit(&frame).unwrap_err().to_string();
        assert!(message.contains(part), "{message}");
    };
    told(DoseEffects::new(base(), "x1 + d"), "`d` among them");
    told(DoseEffects::new(base(), "I(y > 0)"), "`y` among them");
    told(DoseEffects::new(base(), "."), "named one by one");
    told(DoseEffects::new(base(), "x1 | x2"), "no parts behind bars");
    told(DoseEffects::new(base(), "x1 +"), "does not parse");
    told(DoseEffects::new(base(), "x9"), "x9");
    told(DoseEffects::new(base(), "x1").knots(1), "from 2 to 12");
    let given = base().means("x1", "x2");
    told(DoseEffects::new(given, "x1").knots(3), "2 with given means");
    let unseeded = PartiallyLinear::new("y", "d", &X);
    told(DoseEffects::new(unseeded, "x1"), ".seed(7)");
    let decided = frame
        .replace("d", frame.real("x1").unwrap().to_vec())
        .unwrap();
    let message = DoseEffects::new(base(), "x2").fit(&decided).unwrap_err();
    assert!(message.to_string().contains("the features leave open"));
    let fit = DoseEffects::new(base(), "x1").fit(&frame).unwrap();
    let outside = fit
        .contrast(&frame, 0.0, 99.0, 0.95)
        .unwrap_err()
        .to_string();
    assert!(outside.contains("the doses that were given"), "{outside}");
    assert!(fit.contrast(&frame, 0.0, 1.0, 1.0).is_err());
    // A row without a value of the terms is left out of the projection, with a warning.
    let mut gap = frame.real("x1").unwrap().to_vec();
    gap[7] = f64::NAN;
    let gap = frame.replace("x1", gap).unwrap();
    let boosted = base().learner(Learner::boosted_trees().rounds(5));
    let fit = DoseEffects::new(boosted, "x1").fit(&gap).unwrap();
    assert!(!fit.projection().warnings().is_empty());
    let dropped = fit.contrast(&gap, 0.0, 1.0, 0.95).unwrap();
    assert_eq!(dropped.missing, 1);
}
