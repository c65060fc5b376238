//! Strata: references, what intervals cover, what must hold for any data, and bad input.

use crate::matching::{confounded, track};
use crate::support::{agree, data, fixture, numbers};
use cocreate::prelude::*;

fn pair(fit: &SetsFit) -> [f64; 2] {
    [fit.estimates()[0], fit.covariance()[(0, 0)].sqrt()]
}

const CUTS: [f64; 4] = [-1.5, -0.5, 0.5, 1.5];

#[test]
fn strata_are_those_of_matchit() {
    let values = &fixture("stratification")["values"];
    let frame = data("tests/reference/causal.csv");
    let coarsened = || {
        Stratification::coarsened("y", "w", "x1 + x2")
            .cut_points("x1", &CUTS)
            .bins("x2", 5)
    };
    for (name, estimand) in [
        ("ATE", Estimand::Ate),
        ("ATT", Estimand::Att),
        ("ATC", Estimand::Atc),
    ] {
        for (method, model) in [
            ("coarsened", coarsened()),
            (
                "propensity",
                Stratification::propensity("y", "w", "x1 + x2").classes(6),
            ),
        ] {
            let fit = model.estimand(estimand).fit(&frame).unwrap();
            let theirs = numbers(&values[name][method]);
            agree(&format!("{name} {method}"), &pair(&fit), &theirs[..2], 1e-9);
            assert_eq!(fit.sets() as f64, theirs[2]);
        }
    }
    let fit = coarsened().estimand(Estimand::Att).fit(&frame).unwrap();
    let imbalance = fit.imbalance();
    agree(
        "imbalance",
        &[imbalance.before, imbalance.after],
        &numbers(&values["imbalance"]),
        1e-12,
    );
}

#[test]
fn intervals_cover_when_strata_are_fine() {
    for estimand in [Estimand::Ate, Estimand::Att, Estimand::Atc] {
        let models = [
            (
                "fine",
                Stratification::coarsened("y", "w", "x1 + x2")
                    .bins("x1", 24)
                    .bins("x2", 24),
            ),
            (
                "classes",
                Stratification::propensity("y", "w", "x1 + x2").classes(20),
            ),
            (
                "coarse",
                Stratification::coarsened("y", "w", "x1 + x2")
                    .bins("x1", 2)
                    .bins("x2", 2),
            ),
        ];
        for (name, model) in models {
            let found: Vec<(f64, f64)> = (0..60)
                .map(|sample| {
                    let frame = confounded(1500, 300 + sample).0;
                    let fit = model.clone().estimand(estimand).fit(&frame).unwrap();
                    // The effect on the rows that are left: 1 + x1.
                    let (x1, w) = (frame.real("x1").unwrap(), frame.real("w").unwrap());
                    let meant = (0..x1.len()).filter(|i| {
                        let arm = match estimand {
                            Estimand::Att => w[*i] > 0.5,
                            Estimand::Atc => w[*i] < 0.5,
                            _ => true,
                        };
                        arm && fit.set_of()[*i].is_some()
                    });
                    let effects: Vec<f64> = meant.map(|i| 1.0 + x1[i]).collect();
                    (
                        fit.estimates()[0] - effects.iter().sum::<f64>() / effects.len() as f64,
                        pair(&fit)[1],
                    )
                })
                .collect();
            let track = track(&found, 0.0);
            println!("{estimand:?} {name}: {track:.3?}");
            // Bins of a quarter of a standard deviation leave little; two bins leave half; classes have errors that ignore that the propensity was estimated.
            match name {
                "fine" => assert!(track[3] > 0.89 && track[0].abs() < 0.05),
                "classes" => assert!(track[3] > 0.93 && track[2] > 1.2 * track[1]),
                _ => assert!(track[3] < 0.1 && track[0] > 0.4),
            }
        }
    }
}

#[test]
fn strata_know_neither_order_nor_scale_and_say_what_they_leave_out() {
    let frame = confounded(300, 2).0;
    let back: Vec<usize> = (0..300).rev().collect();
    let moved: Vec<f64> = frame
        .real("x1")
        .unwrap()
        .iter()
        .map(|x| 5.0 + 3.0 * x)
        .collect();
    let half: Vec<&str> = frame
        .real("x2")
        .unwrap()
        .iter()
        .map(|x| if *x > 0.4 { "up" } else { "down" })
        .collect();
    let frame = frame
        .with("moved", moved)
        .unwrap()
        .with("half", half)
        .unwrap();
    for estimand in [Estimand::Ate, Estimand::Att, Estimand::Atc] {
        for (model, other) in [
            (
                Stratification::coarsened("y", "w", "x1 + x2"),
                Stratification::coarsened("y", "w", "moved + x2"),
            ),
            (
                Stratification::propensity("y", "w", "x1 + x2"),
                Stratification::propensity("y", "w", "moved + x2"),
            ),
        ] {
            let fit = model.clone().estimand(estimand).fit(&frame).unwrap();
            for same in [
                model
                    .clone()
                    .estimand(estimand)
                    .fit(&frame.take(&back).unwrap())
                    .unwrap(),
                other.clone().estimand(estimand).fit(&frame).unwrap(),
            ] {
                agree("same", &pair(&same), &pair(&fit), 1e-10);
            }
            // The weighted difference of means of what counts.
            let ols = Ols::new("y ~ w")
                .weights("weights")
                .fit(&fit.matched(&frame).unwrap())
                .unwrap();
            agree(
                "weights",
                &[ols.coefficient("w").unwrap().estimate],
                &[fit.estimates()[0]],
                1e-10,
            );
            assert!(fit.imbalance().after < fit.imbalance().before);
        }
        let exact = Stratification::coarsened("y", "w", "x1")
            .bins("x1", 1)
            .exact(&["half"])
            .estimand(estimand);
        assert_eq!(exact.fit(&frame).unwrap().sets(), 2);
    }
    let fit = Stratification::coarsened("y", "w", "x1 + x2")
        .bins("x1", 60)
        .fit(&frame)
        .unwrap();
    let left = 300 - fit.unmatched();
    assert!(
        fit.unmatched() > 20
            && fit
                .average_effect()
                .estimand()
                .ends_with(&format!("among the {left} of 300 rows with a match")),
        "{fit}"
    );
    assert!(
        fit.warnings().iter().any(|w| w
            .to_string()
            .contains("have one row: their variance is the pooled one")),
        "{fit}"
    );
    // Columns with few values keep them.
    let nsw = datasets::load("nsw").unwrap();
    let fit = Stratification::coarsened("re78", "treat", "black + hisp + educ")
        .fit(&nsw)
        .unwrap();
    assert!(fit.balance().largest_difference() < 0.1 && fit.sets() > 10);
}

#[test]
fn bad_input_is_named() {
    let frame = confounded(200, 5).0;
    let refused = |model: Stratification| model.fit(&frame).unwrap_err().to_string();
    let coarsened = || Stratification::coarsened("y", "w", "x1 + x2");
    assert!(refused(coarsened().estimand(Estimand::Ato)).contains("option `estimand` is Ato"));
    assert!(refused(coarsened().bins("x3", 2)).contains("of a covariate: x1, x2"));
    assert!(refused(coarsened().bins("x1", 0)).contains("0 of `x1`"));
    assert!(refused(coarsened().cut_points("x1", &[1.0, 1.0])).contains("finite and rising"));
    assert!(refused(coarsened().classes(4)).contains("`Stratification::propensity` alone"));
    assert!(
        refused(Stratification::propensity("y", "w", "x1").bins("x1", 4))
            .contains("`Stratification::coarsened` alone")
    );
    assert!(
        refused(Stratification::propensity("y", "w", "x1").cut_points("x1", &[0.0]))
            .contains("option `cut_points`")
    );
    assert!(
        refused(Stratification::propensity("y", "w", "x1").classes(1))
            .contains("option `classes` is 1")
    );
    assert!(
        refused(coarsened().bins("x1", 1_000_000).bins("x2", 1_000_000))
            .contains("no set has rows of both arms")
    );
    let flat = frame.clone().with("one", vec![1.0; 200]).unwrap();
    let fit = Stratification::coarsened("y", "w", "x1 + one")
        .fit(&flat)
        .unwrap();
    assert_eq!(fit.balance().rows[1].difference_before, None);
}
