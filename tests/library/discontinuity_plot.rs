//! The plot of a regression discontinuity design: agreement with rdplot, what must hold, bad input.

use crate::support::{agree, data, fixture, numbers};
use cocreate::prelude::*;

#[test]
fn bins_and_curves_are_those_of_rdplot() {
    let frame = data("tests/reference/discontinuity.csv");
    let senate = data("tests/reference/senate.csv");
    for case in fixture("discontinuity_plot")["values"].as_array().unwrap() {
        let frame = if case["y"] == "vote" { &senate } else { &frame };
        let options = &case["options"];
        let rule = options["binselect"].as_str().unwrap_or("esmv");
        let what = format!("{} {} {options}", case["y"], case["x"]);
        let mut model = DiscontinuityPlot::new(
            case["y"].as_str().unwrap(),
            case["x"].as_str().unwrap(),
            0.0,
        )
        .bin_rule(match rule.trim_end_matches("pr") {
            "es" => BinRule::EvenError,
            "qs" => BinRule::QuantileError,
            "qsmv" => BinRule::QuantileVariance,
            _ => BinRule::EvenVariance,
        });
        if rule.ends_with("pr") {
            model = model.smooth_variance();
        }
        if let Some(p) = options["p"].as_u64() {
            model = model.order(p as usize);
        }
        let plot = model.fit(frame).unwrap();
        agree(
            &what,
            &plot.bin_counts.map(|n| n as f64),
            &numbers(&case["bins"]),
            1e-15,
        );
        let columns: [fn(&DiscontinuityBin) -> f64; 6] = [
            |b| f64::midpoint(b.from, b.to),
            |b| b.mean_x,
            |b| b.mean,
            |b| b.rows as f64,
            |b| b.interval[0],
            |b| b.interval[1],
        ];
        for (at, column) in columns.iter().enumerate() {
            let ours: Vec<f64> = plot.bins.iter().flatten().map(column).collect();
            agree(
                &format!("{what} {at}"),
                &ours,
                &numbers(&case["table"][at]),
                1e-9,
            );
        }
        let at = [(0, 0), (0, 250), (0, 499), (1, 0), (1, 250), (1, 499)];
        let ours = at.map(|(side, i)| plot.curves[side].mean[i]);
        agree(&what, &ours, &numbers(&case["curve"][1]), 1e-9);
    }
}

#[test]
fn bins_hold_all_rows_and_bands_are_those_of_ols() {
    let frame = data("tests/reference/discontinuity.csv");
    let plot = DiscontinuityPlot::new("y", "x", 0.1)
        .order(2)
        .bins(7, 5)
        .fit(&frame)
        .unwrap();
    assert_eq!([plot.bins[0].len(), plot.bins[1].len()], [7, 5]);
    let rows: usize = plot.bins.iter().flatten().map(|b| b.rows).sum();
    assert_eq!(rows, frame.rows());
    // At the cutoff the band is that of the constant of a regression on the centred powers.
    let keep: Vec<bool> = frame.real("x").unwrap().iter().map(|x| *x >= 0.1).collect();
    let right = frame.filter(&keep).unwrap();
    let ols = Ols::new("y ~ I(x - 0.1) + I((x - 0.1)^2)")
        .covariance(Covariance::Hc1)
        .fit(&right)
        .unwrap();
    let constant = &ols.coefficients()[0];
    let curve = &plot.curves[1];
    assert!((curve.mean[0] - constant.estimate).abs() < 1e-10);
    let error = (curve.upper[0] - curve.lower[0]) / 2.0 / 1.959_963_984_540_054;
    assert!(
        (error / constant.std_error - 1.0).abs() < 1e-9,
        "{error} {constant}"
    );
    let figure = plot.figure().unwrap();
    assert!(figure.to_svg().contains("y by x around 0.1"));
    let bands = plot.band_figure().unwrap();
    assert!(bands.to_svg().contains("<polygon") && bands.to_svg().contains("means by bin"));
    assert!(plot.to_string().contains("rows"));
}

#[test]
fn bad_input_is_named() {
    let frame = data("tests/reference/discontinuity.csv");
    let error = |model: DiscontinuityPlot| model.fit(&frame).unwrap_err().to_string();
    assert!(error(DiscontinuityPlot::new("y", "x", 5.0)).contains("`cutoff`"));
    assert!(error(DiscontinuityPlot::new("y", "x", 0.0).bins(0, 3)).contains("`bins`"));
    assert!(error(DiscontinuityPlot::new("y", "x", 0.0).order(9)).contains("`order`"));
    let few: Vec<bool> = (0..frame.rows()).map(|i| i < 15).collect();
    let few = DiscontinuityPlot::new("y", "x", 0.0).fit(&frame.filter(&few).unwrap());
    assert!(matches!(few, Err(Error::TooFewRows { .. })));
    // An outcome that does not vary is one bin a side.
    let flat = frame.clone().with("flat", vec![1.0; frame.rows()]).unwrap();
    let plot = DiscontinuityPlot::new("flat", "x", 0.0).fit(&flat).unwrap();
    assert_eq!(plot.bin_counts, [1, 1]);
}
