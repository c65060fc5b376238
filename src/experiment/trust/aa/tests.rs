//! A/A calibration finds the tests that do not fit their assignment.

use super::*;
use crate::simulate::Allocation;

/// 60 shops of 20 visits whose outcomes hang together.
fn shops() -> Frame {
    let visit = |i: usize| {
        let shop = i / 20;
        (shop * 7919 % 101) as f64 + (i * 104_729 % 89) as f64 * 0.3
    };
    Frame::new()
        .with("y", (0..1200).map(visit).collect::<Vec<_>>())
        .unwrap()
        .with(
            "shop",
            (0..1200).map(|i| f64::from(i / 20)).collect::<Vec<_>>(),
        )
        .unwrap()
        .with(
            "views",
            (0..1200)
                .map(|i| 1.0 + f64::from(i % 5))
                .collect::<Vec<_>>(),
        )
        .unwrap()
}

#[test]
fn clusters_analysed_as_rows_are_found_out() {
    let frame = shops();
    let clustered = Allocation::Clustered {
        column: "shop".into(),
        share: 0.5,
    };
    let aa = AaCalibration::new("y")
        .allocation(clustered)
        .replications(400)
        .seed(3);
    let wrong = aa.fit(&frame).unwrap();
    assert!(!wrong.is_calibrated() && wrong.rejections[1].rate > 0.4 && wrong.spread > 2.0);
    assert!(
        wrong.warnings()[0]
            .to_string()
            .contains("unit that is randomised")
    );
    let right = aa
        .clone()
        .test(AaTest::Clustered("shop".into()))
        .fit(&frame)
        .unwrap();
    assert!(right.is_calibrated(), "{right}");
    assert!((right.spread - 1.0).abs() < 0.12 && right.bias.abs() < 0.15);
    assert!(right.figure().is_ok() && right.to_string().contains("False positives at 0.05"));
    // The same seed gives the same numbers.
    assert_eq!(
        right,
        aa.test(AaTest::Clustered("shop".into()))
            .fit(&frame)
            .unwrap()
    );
}

#[test]
fn a_lift_is_covered_and_adjustment_is_a_test_like_others() {
    let frame = shops();
    let ratio = AaCalibration::new("y")
        .denominator("views")
        .lift(0.1)
        .replications(300)
        .seed(4);
    let fit = ratio.fit(&frame).unwrap();
    assert!(
        fit.is_calibrated() && fit.effect > 0.0 && fit.rejections[1].rate > 0.1,
        "{fit}"
    );
    let adjusted = AaCalibration::new("y")
        .test(AaTest::Adjusted {
            regressors: "views".into(),
            covariance: Covariance::Hc2,
        })
        .replications(200)
        .seed(5)
        .fit(&frame)
        .unwrap();
    assert!(adjusted.is_calibrated(), "{adjusted}");
}

#[test]
fn bad_input_is_refused() {
    let frame = shops();
    assert!(matches!(
        AaCalibration::new("y").fit(&frame),
        Err(Error::SeedRequired { .. })
    ));
    assert!(
        AaCalibration::new("y")
            .replications(3)
            .seed(1)
            .fit(&frame)
            .is_err()
    );
    assert!(AaCalibration::new("nothing").seed(1).fit(&frame).is_err());
    let chosen = Allocation::SelfSelected {
        column: "y".into(),
        constant: 0.0,
        slope: 1.0,
    };
    assert!(
        AaCalibration::new("y")
            .allocation(chosen)
            .seed(1)
            .fit(&frame)
            .is_err()
    );
    let constant = frame.replace("y", vec![2.0; 1200]).unwrap();
    assert!(matches!(
        AaCalibration::new("y").seed(1).fit(&constant),
        Err(Error::Unidentified { .. })
    ));
}
