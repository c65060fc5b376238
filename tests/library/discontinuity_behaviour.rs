//! Regression discontinuity: bad input, checks beside the main design, results written and read again.

use crate::discontinuity::{mapped, simulated, three};
use crate::support::{agree, data, fixture, numbers};
use cocreate::prelude::*;

#[test]
fn bad_input_is_an_error_or_a_warning_that_names_it() {
    let frame = simulated(0, 400, 9, 0);
    let model = |cutoff| RegressionDiscontinuity::new("y", "x", cutoff);
    let error = |model: RegressionDiscontinuity, frame: &Frame| model.fit(frame).unwrap_err();
    let says = |error: &Error, parts: &[&str]| {
        let text = error.to_string();
        assert!(parts.iter().all(|part| text.contains(part)), "{text}");
    };
    let e = error(model(3.0), &frame);
    assert!(matches!(&e, Error::InvalidOption { option, .. } if option == "cutoff"));
    says(&e, &["inside the range of `x`", "both sides"]);
    says(&error(model(f64::NAN), &frame), &["`cutoff`", "finite"]);
    let e = error(model(0.0).donut(5.0), &frame);
    assert!(matches!(e, Error::NoRows { .. }));
    says(&e, &["left", "donut"]);
    let e = error(model(0.0).bandwidth(1e-9), &frame);
    assert!(matches!(e, Error::Unidentified { .. }));
    says(&e, &["0 distinct values", "widen the bandwidth"]);
    let few = mapped(&frame, "x", |x| if x < 0.0 { -1.0 } else { 1.0 });
    says(
        &error(model(0.0), &few),
        &["1 distinct values", "LocalRandomization"],
    );
    for (wrong, option) in [
        (model(0.0).order(9), "`order`"),
        (model(0.0).derivative(2).order(1), "`order`"),
        (model(0.0).bias_order(1), "`bias_order`"),
        (model(0.0).bandwidth(-1.0), "`bandwidth`"),
        (
            model(0.0).bandwidth(0.3).bias_bandwidth(f64::NAN),
            "`bias_bandwidth`",
        ),
        (model(0.0).regularization(-1.0), "`regularization`"),
        (model(0.0).neighbours(0), "`neighbours`"),
        (model(0.0).donut(-0.1), "`donut`"),
        (model(0.0).covariates("."), "`covariates`"),
        (model(0.0).fuzzy("y"), "`fuzzy`"),
        (model(0.0).fuzzy("x"), "`running`"),
    ] {
        says(&error(wrong, &frame), &[option]);
    }
    let text: Vec<&str> = frame
        .real("x")
        .unwrap()
        .iter()
        .map(|x| if *x < 0.0 { "a" } else { "b" })
        .collect();
    let labelled = frame
        .clone()
        .with("place", text)
        .unwrap()
        .with("none", vec![f64::NAN; 400])
        .unwrap();
    let e = error(RegressionDiscontinuity::new("y", "place", 0.0), &labelled);
    assert!(
        matches!(&e, Error::WrongKind { column, .. } if column == "place"),
        "{e}"
    );
    let e = error(model(0.0).covariates("none"), &labelled);
    says(&e, &["`none`", "400"]);
    assert!(matches!(e, Error::NoRows { .. }));
    says(
        &error(RegressionDiscontinuity::new("y", "xx", 0.0), &frame),
        &["`xx`"],
    );
    let same = frame.clone().with("taken", vec![1.0; 400]).unwrap();
    let e = error(model(0.0).fuzzy("taken"), &same);
    says(&e, &["`taken`", "1 on all rows", ".fuzzy("]);
    let constant = mapped(&frame, "y", |_| 2.0);
    says(
        &error(model(0.0), &constant),
        &["a bandwidth for `y`", ".bandwidth("],
    );
    // Given a bandwidth, an outcome that never varies has an effect of zero without error.
    let fit = model(0.0).bandwidth(0.4).fit(&constant).unwrap();
    assert!(three(&fit).iter().all(|v| v.abs() < 1e-12));
    let negative = frame.clone().with("w", vec![-1.0; 400]).unwrap();
    says(
        &error(model(0.0).weights("w"), &negative),
        &["`w`", "row 1", "not negative"],
    );
    // Powers of distances of 1e100 are infinite: bandwidths of densities were silently those of nothing.
    let huge = mapped(&frame, "x", |x| 1e100 * x);
    says(&error(model(0.0), &huge), &["`x`", "apart", "units"]);
    let tiny = mapped(&frame, "x", |x| 1e-100 * x);
    let density = DiscontinuityDensity::new("x", 0.0).fit(&tiny);
    says(&density.unwrap_err(), &["`x`", "apart", "units"]);
    let villages = frame.clone().with("village", vec!["one"; 400]).unwrap();
    assert!(matches!(
        error(model(0.0).clusters("village"), &villages),
        Error::TooFewClusters { .. }
    ));
    let notes = |fit: &RegressionDiscontinuityFit| -> String {
        fit.warnings()
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join("; ")
    };
    let rounded = mapped(&frame, "x", |x| (x * 10.0).round() / 10.0);
    let text = notes(&model(0.0).fit(&rounded).unwrap());
    assert!(
        text.contains("mass points") && text.contains("distinct values"),
        "{text}"
    );
    let text = notes(&model(0.0).bandwidth(0.08).fit(&frame).unwrap());
    assert!(text.contains("rows within the bandwidth"), "{text}");
    let twice = mapped(
        &frame
            .clone()
            .with("z", frame.real("x").unwrap().to_vec())
            .unwrap(),
        "z",
        f64::sin,
    );
    let fit = model(0.0)
        .covariates("z + I(2*z) + I(0*z)")
        .fit(&twice)
        .unwrap();
    assert!(
        fit.warnings()
            .iter()
            .any(|w| matches!(w, Warning::Collinear { columns } if columns == &["I(2 * z)"])),
        "{:?}",
        fit.warnings()
    );
    assert!(
        fit.warnings()
            .iter()
            .any(|w| matches!(w, Warning::Constant { .. }))
    );
    assert_eq!(fit.covariate_slopes().len(), 1);
    let gaps = mapped(&frame, "y", |y| if y > 0.6 { f64::NAN } else { y });
    let fit = model(0.0).fit(&gaps).unwrap();
    assert!(matches!(fit.warnings()[0], Warning::RowsDropped { .. }));
    assert_eq!(
        fit.kept_rows().iter().filter(|k| **k).count(),
        fit.rows().iter().sum::<usize>()
    );
}

#[test]
fn checks_find_nothing_where_nothing_is() {
    let frame = data("tests/reference/discontinuity.csv");
    let model = RegressionDiscontinuity::new("spend", "x", 0.0);
    // Treatment is a jump; covariates are none.
    let found = model
        .placebo_outcomes(&frame, &["z1", "z2", "taken"])
        .unwrap();
    assert!(found.rows[0].robust.p_value() > 0.05 && found.rows[1].robust.p_value() > 0.05);
    assert!(found.rows[2].adjusted_p_value.unwrap() < 0.02);
    let p = found.rows[2].robust.p_value();
    assert!((found.rows[2].adjusted_p_value.unwrap() - 3.0 * p).abs() < 1e-15);
    let direct = RegressionDiscontinuity::new("z1", "x", 0.0)
        .fit(&frame)
        .unwrap();
    assert_eq!(found.rows[0].robust, direct.robust());
    let cutoffs = model.placebo_cutoffs(&frame, &[-0.4, 0.3]).unwrap();
    // Only the rows of one side are in it.
    let keep: Vec<bool> = frame.real("x").unwrap().iter().map(|x| *x < 0.0).collect();
    let direct = RegressionDiscontinuity::new("spend", "x", -0.4);
    let direct = direct.fit(&frame.filter(&keep).unwrap()).unwrap();
    assert_eq!(cutoffs.rows[0].robust, direct.robust());
    assert!(
        cutoffs.rows.iter().all(|row| row.robust.p_value() > 0.02),
        "{cutoffs}"
    );
    let fuzzy = model.clone().fuzzy("taken");
    let main = fuzzy.fit(&frame).unwrap();
    let h = main.bandwidths().estimate[0];
    let wide = fuzzy
        .bandwidth_sensitivity(&frame, &[h, 0.75 * h, 1.5 * h])
        .unwrap();
    let (again, first) = (wide.rows[0].robust.clone(), main.robust());
    assert!(
        (again.estimate - first.estimate).abs() < 1e-12,
        "{again} {first}"
    );
    assert!(wide.rows[0].adjusted_p_value.is_none());
    assert!(wide.rows[2].effective_rows[0] > wide.rows[1].effective_rows[0]);
    let donuts = fuzzy.donut_sensitivity(&frame, &[0.0, 0.02]).unwrap();
    assert!((donuts.rows[0].robust.estimate - first.estimate).abs() < 1e-12);
    assert!(donuts.rows[1].effective_rows[1] < donuts.rows[0].effective_rows[1]);
    for (checks, title) in [
        (&found, "Placebo outcomes of spend"),
        (&cutoffs, "Placebo cutoffs"),
        (&wide, "Other bandwidths"),
        (&donuts, "Donuts"),
    ] {
        assert!(checks.plot().unwrap().to_svg().contains(title));
        assert!(checks.to_string().contains(title));
    }
    let error = model.placebo_cutoffs(&frame, &[0.0]).unwrap_err();
    assert!(error.to_string().contains("true cutoff"), "{error}");
    assert!(model.placebo_outcomes::<&str>(&frame, &[]).is_err());
}

#[test]
fn results_are_the_same_after_a_round_trip() {
    let frame = data("tests/reference/discontinuity.csv");
    let model = RegressionDiscontinuity::new("spend", "x", 0.0)
        .fuzzy("taken")
        .covariates("z1");
    let model = model
        .clusters("village")
        .bandwidth_rule(BandwidthRule::CerTwo);
    let fit = model.fit(&frame).unwrap();
    let text = serde_json::to_string(&fit).unwrap();
    let back: RegressionDiscontinuityFit = serde_json::from_str(&text).unwrap();
    assert_eq!(back, fit);
    assert_eq!(back.model(), &model);
    let density = DiscontinuityDensity::new("x", 0.0).fit(&frame).unwrap();
    let text = serde_json::to_string(&density).unwrap();
    assert_eq!(
        serde_json::from_str::<DiscontinuityDensityFit>(&text).unwrap(),
        density
    );
    let checks = model.placebo_outcomes(&frame, &["z2"]).unwrap();
    let text = serde_json::to_string(&checks).unwrap();
    assert_eq!(
        serde_json::from_str::<DiscontinuityChecks>(&text).unwrap(),
        checks
    );
    let plot = DiscontinuityPlot::new("y", "x", 0.0).fit(&frame).unwrap();
    let text = serde_json::to_string(&plot).unwrap();
    assert_eq!(
        serde_json::from_str::<DiscontinuityPlotFit>(&text).unwrap(),
        plot
    );
    let near = LocalRandomization::new("y", "x", 0.0)
        .window(0.03)
        .seed(1)
        .draws(99);
    let near = near.fit(&frame).unwrap();
    let text = serde_json::to_string(&near).unwrap();
    assert_eq!(
        serde_json::from_str::<LocalRandomizationFit>(&text).unwrap(),
        near
    );
    assert!(fit.to_html().contains("First stage") && fit.jumps().to_html().contains("taken"));
    let all = model.all_bandwidths(&frame).unwrap();
    assert_eq!(all.len(), 10);
    assert_eq!(all[6].1, fit.bandwidths());
}

#[test]
fn effects_by_cutoff_are_those_of_rdmulti() {
    let frame = data("tests/reference/discontinuity.csv");
    let villages = frame.real("village").unwrap().iter();
    let cutoffs: Vec<f64> = villages
        .map(|v| if *v < 30.0 { 0.0 } else { 0.05 })
        .collect();
    let frame = frame.clone().with("cutoff", cutoffs).unwrap();
    let model = RegressionDiscontinuity::new("y", "x", 9.0);
    let fit = model.at_own_cutoffs(&frame, "cutoff").unwrap();
    let reference = &fixture("discontinuity_cutoffs")["values"];
    assert_eq!(fit.names(), ["0", "0.05"]);
    let all = [
        fit.coefficients(),
        vec![fit.weighted(), fit.pooled().robust()],
    ]
    .concat();
    let estimates: Vec<f64> = all.iter().map(|e| e.estimate).collect();
    let variances: Vec<f64> = all.iter().map(|e| e.std_error.powi(2)).collect();
    agree(
        "estimates",
        &estimates,
        &numbers(&reference["estimates"]),
        1e-8,
    );
    agree(
        "variances",
        &variances,
        &numbers(&reference["variances"]),
        1e-8,
    );
    agree(
        "shares",
        fit.shares(),
        &numbers(&reference["shares"]),
        1e-12,
    );
    let text = fit.to_string();
    assert!(
        text.contains("weighted") && text.contains("pooled"),
        "{text}"
    );
    assert!(
        fit.plot()
            .unwrap()
            .to_svg()
            .contains("Effects on y by cutoff")
    );
    let one = frame.clone().with("same", vec![0.0; frame.rows()]).unwrap();
    let error = model.at_own_cutoffs(&one, "same").unwrap_err();
    assert!(error.to_string().contains("two or more cutoffs"), "{error}");
    let text = serde_json::to_string(&fit).unwrap();
    assert_eq!(
        serde_json::from_str::<MultipleCutoffsFit>(&text).unwrap(),
        fit
    );
}
