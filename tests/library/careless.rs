//! Data that a user may hand in by mistake, and units in which nobody measures: the right numbers or a sentence.

use cocreate::experiment::compare::NullDistribution;
use cocreate::prelude::*;

/// Thirty units over six periods, treated from the third or the fourth or never; the outcome is `f` of unit, period and treatment.
fn rollout(f: impl Fn(usize, usize, f64) -> f64) -> Frame {
    let (units, periods) = (30, 6);
    let start = |unit: usize| [3, 4, 99][unit % 3];
    let each = |f: &dyn Fn(usize, usize) -> f64| -> Vec<f64> {
        (0..units * periods)
            .map(|row| f(row / periods, row % periods))
            .collect()
    };
    let treated = |unit: usize, period: usize| f64::from(u8::from(period >= start(unit)));
    Frame::new()
        .with("unit", each(&|unit, _| unit as f64))
        .and_then(|frame| frame.with("period", each(&|_, period| period as f64)))
        .and_then(|frame| frame.with("treated", each(&treated)))
        .and_then(|frame| frame.with("price", each(&|unit, period| noise(7 * unit + 11 * period))))
        .and_then(|frame| {
            frame.with(
                "y",
                each(&|unit, period| f(unit, period, treated(unit, period))),
            )
        })
        .unwrap()
}

fn noise(place: usize) -> f64 {
    (place as f64 * 12.9898).sin() * 43_758.545_3 % 1.0
}

/// Every estimator of a roll-out: estimates and standard errors.
fn rollouts(frame: &Frame) -> Vec<(&'static str, Result<Vec<[f64; 2]>>)> {
    fn numbers(fit: &impl Inference) -> Vec<[f64; 2]> {
        assert!(fit.covariance().iter().all(|v| v.is_finite()));
        let each = fit.coefficients().into_iter();
        each.map(|c| [c.estimate, c.std_error]).collect()
    }
    let [y, treated, unit, period] = ["y", "treated", "unit", "period"];
    let sun = SunAbraham::new(y, treated, unit, period);
    let two_way = TwoWayFixedEffects::new(y, treated, unit, period);
    let imputed = Imputation::new(y, treated, unit, period).leads(1);
    let callaway = CallawaySantAnna::new(y, treated, unit, period);
    vec![
        (
            "Callaway & Sant'Anna",
            callaway
                .fit(frame)
                .and_then(|f| Ok(numbers(&f.event_study()?))),
        ),
        (
            "Sun & Abraham",
            sun.fit(frame).map(|f| numbers(&f.event_study())),
        ),
        ("two-way", two_way.fit(frame).map(|f| numbers(&f))),
        (
            "imputation",
            imputed.fit(frame).map(|f| numbers(f.event_study())),
        ),
        (
            "stacked",
            Stacked::new(y, treated, unit, period, 2, 1)
                .fit(frame)
                .map(|f| numbers(&f)),
        ),
        (
            "projections",
            LocalProjections::new(y, treated, unit, period, 2, 1)
                .fit(frame)
                .map(|f| numbers(&f)),
        ),
    ]
}

#[test]
fn outcomes_without_error_have_effects_without_error() {
    for outcome in [0.0, 1.0, 0.1] {
        for (name, found) in rollouts(&rollout(|_, _, _| outcome)) {
            for [estimate, std_error] in found.unwrap() {
                assert!(
                    estimate.abs() < 1e-12 && std_error.abs() < 1e-12,
                    "{name}: {estimate} ({std_error})"
                );
            }
        }
    }
}

#[test]
fn outcomes_beyond_what_squares_hold_are_refused_by_name() {
    let frame = rollout(|unit, period, treated| {
        1e200 * (noise(unit) + noise(31 * unit + period) + treated)
    });
    for (name, found) in rollouts(&frame) {
        let error = found.unwrap_err().to_string();
        assert!(
            error.contains("`y`") && error.contains("rescale"),
            "{name}: {error}"
        );
    }
    let rows = rollout(|unit, period, _| noise(31 * unit + period));
    let rows = rows
        .with("cost", frame.real("y").unwrap().to_vec())
        .unwrap();
    for (outcome, terms, named) in [("cost", "price", "`cost`"), ("y", "cost", "`cost`")] {
        let errors = [
            TreatmentWeighting::entropy_balancing(outcome, "treated", terms)
                .fit(&rows)
                .map(drop),
            MultiArmWeighting::inverse_propensity(outcome, "treated", terms)
                .fit(&rows)
                .map(drop),
        ];
        for error in errors {
            let error = error.unwrap_err().to_string();
            assert!(
                error.contains(named) && error.contains("rescale"),
                "{error}"
            );
        }
    }
}

#[test]
fn sampling_weights_count_by_their_ratios() {
    let rows = rollout(|unit, period, treated| treated + noise(31 * unit + period));
    let weigh = |unit: f64| {
        let weights: Vec<f64> = (0..rows.rows())
            .map(|row| unit * (1.0 + (row % 3) as f64))
            .collect();
        let rows = rows.clone().with("weight", weights).unwrap();
        let fit = TreatmentWeighting::inverse_propensity("y", "treated", "price");
        let fit = fit.weights("weight").fit(&rows).unwrap();
        fit.arm_weights()
            .iter()
            .map(|arm| [arm.effective_rows, arm.largest_share])
            .collect::<Vec<_>>()
    };
    let usual = weigh(1.0);
    for unit in [1e-180, 1e180] {
        for (a, b) in weigh(unit).iter().zip(&usual) {
            assert!(
                (a[0] / b[0] - 1.0).abs() < 1e-9 && (a[1] / b[1] - 1.0).abs() < 1e-9,
                "{unit}: {a:?} {b:?}"
            );
        }
    }
}

#[test]
fn dynamic_panels_do_not_depend_on_units() {
    let frame =
        rollout(|unit, period, _| noise(unit) + 0.2 * period as f64 + noise(31 * unit + period));
    let y = frame.real("y").unwrap().to_vec();
    let fit = |unit: f64| {
        let scaled: Vec<f64> = y.iter().map(|y| y * unit).collect();
        let frame = frame.clone().with_or_replace("y", scaled).unwrap();
        [
            DynamicPanelGmm::difference("y", "unit", "period")
                .predetermined(&["price"])
                .collapsed(),
            DynamicPanelGmm::difference("y", "unit", "period")
                .exogenous(&["price"])
                .collapsed()
                .orthogonal_deviations(),
            DynamicPanelGmm::system("y", "unit", "period")
                .collapsed()
                .one_step(),
        ]
        .map(|model| {
            let fit = model.fit(&frame).unwrap();
            let lag = fit.coefficient("L1.y").unwrap();
            [lag.estimate, lag.std_error, fit.hansen().unwrap().statistic]
        })
    };
    let usual = fit(1.0);
    for unit in [1e-9, 1e9, 1e-100, 1e100] {
        for (a, b) in fit(unit).iter().flatten().zip(usual.iter().flatten()) {
            assert!((a - b).abs() < 1e-8 * b.abs(), "{unit}: {a} {b}");
        }
    }
}

/// A cross-section whose outcome is measured in some unit.
fn section(unit: f64) -> Frame {
    let each = |f: &dyn Fn(usize) -> f64| -> Vec<f64> { (0..120).map(f).collect() };
    Frame::new()
        .with(
            "y",
            each(&|row| unit * (1.0 + noise(3 * row) + 2.0 * noise(31 * row + 5))),
        )
        .and_then(|frame| frame.with("x", each(&|row| noise(3 * row))))
        .and_then(|frame| frame.with("z", each(&|row| noise(7 * row + 2))))
        .and_then(|frame| frame.with("arm", each(&|row| f64::from(u8::from(row % 2 == 0)))))
        .and_then(|frame| {
            let seen = |row: usize| noise(3 * row) + noise(7 * row + 2) + noise(41 * row) > -0.3;
            frame.with("seen", each(&|row| f64::from(u8::from(seen(row)))))
        })
        .unwrap()
}

#[test]
fn errors_of_quantile_regressions_have_the_unit_of_the_outcome() {
    for kind in [
        QuantileCovariance::HendricksKoenker,
        QuantileCovariance::Iid,
        QuantileCovariance::Powell,
    ] {
        let errors = |unit: f64| -> Vec<f64> {
            let fit = Quantile::new("y ~ x + z").tau(0.3).covariance(kind.clone());
            let fit = fit.fit(&section(unit)).unwrap();
            let each = fit.coefficients().into_iter();
            each.map(|c| c.std_error / unit).collect()
        };
        let usual = errors(1.0);
        for unit in [1e-6, 1e-12, 1e-100, 1e12] {
            for (a, b) in errors(unit).iter().zip(&usual) {
                assert!((a / b - 1.0).abs() < 1e-9, "{kind} {unit}: {a} {b}");
            }
        }
    }
}

#[test]
fn what_does_not_vary_and_what_is_large_has_numbers_or_a_sentence() {
    // An outcome of selection that is constant.
    let error = Heckman::new("y ~ x", "seen ~ x + z").two_step();
    let error = error.fit(&section(0.0)).unwrap_err().to_string();
    assert!(
        error.contains("correlation") && error.contains("constant"),
        "{error}"
    );
    // One huge value in a regressor with instruments.
    let frame = section(1.0);
    let mut d = frame.real("x").unwrap().to_vec();
    d[7] = 1e150;
    let frame = frame.with("d", d).unwrap();
    let fit = Iv::new("y ~ x | d ~ z").fit(&frame).unwrap();
    let stage = &fit.first_stage().unwrap()[0];
    assert!(stage.critical_value.unwrap() > 1.0 && !fit.to_string().contains("NaN"));
    // And in an outcome: the degrees of freedom are those of its arm alone.
    let compared = TwoMeans::new("d", "arm").fit(&frame).unwrap();
    assert!(!format!("{compared:?}").contains("NaN"), "{compared:?}");
    assert_eq!(
        compared.tests[0].distribution,
        NullDistribution::T { df: 59.0 }
    );
    // An item that everybody answers alike, which a file must hold.
    let items = section(1.0).with("all", vec![1.0; 120]).unwrap();
    let alpha = CronbachAlpha::of(&items, &["arm", "seen", "all"]).unwrap();
    assert!(alpha.items[2].rest_correlation.is_nan());
    let text = serde_json::to_string(&alpha).unwrap();
    let back: CronbachAlpha = serde_json::from_str(&text).unwrap();
    assert_eq!(back.items[0], alpha.items[0]);
    assert!(back.items[2].rest_correlation.is_nan());
}
