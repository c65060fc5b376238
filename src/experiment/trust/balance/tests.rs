//! Balance against Hotelling and under other units of measurement.

use super::*;
use crate::data::datasets;

#[test]
fn the_joint_test_is_hotellings() {
    let frame = datasets::load("nsw").unwrap();
    let names = ["age", "educ", "re75"];
    let fit = BalanceCheck::new("treat", names).fit(&frame).unwrap();
    // T² from means and the pooled covariance.
    let treat = frame.numeric("treat").unwrap();
    let columns: Vec<Vec<f64>> = names
        .iter()
        .map(|n| frame.numeric(n).unwrap().values().to_vec())
        .collect();
    let of = |arm: f64| -> Vec<usize> {
        (0..frame.rows())
            .filter(|i| treat.values()[*i] == arm)
            .collect()
    };
    let (one, zero) = (of(1.0), of(0.0));
    let mean = |rows: &[usize], j: usize| {
        rows.iter().map(|i| columns[j][*i]).sum::<f64>() / rows.len() as f64
    };
    let d = nalgebra::DVector::from_fn(3, |j, _| mean(&one, j) - mean(&zero, j));
    let (n1, n0) = (one.len() as f64, zero.len() as f64);
    let s = nalgebra::DMatrix::from_fn(3, 3, |j, k| {
        [&one, &zero]
            .iter()
            .map(|rows| {
                rows.iter()
                    .map(|i| (columns[j][*i] - mean(rows, j)) * (columns[k][*i] - mean(rows, k)))
                    .sum::<f64>()
            })
            .sum::<f64>()
            / (n1 + n0 - 2.0)
    });
    let t2 = n1 * n0 / (n1 + n0) * d.dot(&(s.try_inverse().unwrap() * &d));
    let f = (n1 + n0 - 4.0) / (3.0 * (n1 + n0 - 2.0)) * t2;
    assert!((fit.omnibus[0].test.statistic / f - 1.0).abs() < 1e-9);
}

#[test]
fn categories_missing_values_and_arms_have_their_rows() {
    let n = 300;
    let frame = Frame::new()
        .with(
            "arm",
            (0..n).map(|i| ["c", "a", "b"][i % 3]).collect::<Vec<_>>(),
        )
        .unwrap()
        .with(
            "region",
            (0..n).map(|i| ["n", "s"][(i / 3) % 2]).collect::<Vec<_>>(),
        )
        .unwrap()
        .with(
            "x",
            (0..n)
                .map(|i| {
                    if i % 7 == 0 {
                        f64::NAN
                    } else {
                        (i % 11) as f64 + if i % 3 == 1 { 5.0 } else { 0.0 }
                    }
                })
                .collect::<Vec<_>>(),
        )
        .unwrap()
        .with("shop", (0..n).map(|i| (i / 3) as f64).collect::<Vec<_>>())
        .unwrap();
    let fit = BalanceCheck::new("arm", ["region", "x"])
        .control("c")
        .fit(&frame)
        .unwrap();
    assert_eq!(fit.rows.len(), 8);
    assert_eq!(fit.rows[0].covariate, "region[n]");
    assert_eq!(fit.rows[3].covariate, "x is missing");
    assert!(
        !fit.is_balanced()
            && fit.omnibus[0].adjusted_p_value < 1e-6
            && fit.omnibus[1].adjusted_p_value > 0.5
    );
    assert_eq!(
        fit.marked()
            .iter()
            .filter(|r| r.arm == "a" && r.covariate == "x")
            .count(),
        1
    );
    assert!(fit.figure().is_ok() && fit.to_string().contains("region[s]"));
    let clustered = BalanceCheck::new("arm", ["x"])
        .control("c")
        .clusters("shop")
        .fit(&frame)
        .unwrap();
    assert!(clustered.rows[0].p_value < 1e-6);
    assert!(
        BalanceCheck::new("arm", Vec::<String>::new())
            .fit(&frame)
            .is_err()
    );
    assert!(BalanceCheck::new("arm", ["nothing"]).fit(&frame).is_err());
}

#[test]
fn units_of_measurement_do_not_matter() {
    let frame = datasets::load("nsw").unwrap();
    let fit = BalanceCheck::new("treat", ["age", "re75"])
        .fit(&frame)
        .unwrap();
    let months: Vec<f64> = frame
        .numeric("age")
        .unwrap()
        .values()
        .iter()
        .map(|v| 12.0 * v + 3.0)
        .collect();
    let other = BalanceCheck::new("treat", ["age", "re75"])
        .fit(&frame.replace("age", months).unwrap())
        .unwrap();
    assert!(
        (fit.rows[0].standardized_difference - other.rows[0].standardized_difference).abs() < 1e-12
    );
    assert!((fit.omnibus[0].test.p_value - other.omnibus[0].test.p_value).abs() < 1e-10);
}
