//! Sample ratios by segment, with arms that got nobody.

use super::*;

fn log() -> Frame {
    // Units 0..2000 alternate; on phones every tenth treated unit was lost.
    let kept: Vec<usize> = (0..2000)
        .filter(|i| !(i % 2 == 1 && i % 4 == 1 && i % 10 < 6))
        .collect();
    Frame::new()
        .with(
            "arm",
            kept.iter()
                .map(|i| if i % 2 == 0 { "c" } else { "t" })
                .collect::<Vec<_>>(),
        )
        .unwrap()
        .with(
            "device",
            kept.iter()
                .map(|i| if i % 4 < 2 { "phone" } else { "desk" })
                .collect::<Vec<_>>(),
        )
        .unwrap()
        .with(
            "day",
            kept.iter().map(|i| (i / 400) as f64).collect::<Vec<_>>(),
        )
        .unwrap()
        .with("user", kept.iter().map(|i| *i as f64).collect::<Vec<_>>())
        .unwrap()
}

#[test]
fn segments_show_where_units_were_lost() {
    let frame = log();
    let fit = SampleRatio::new("arm")
        .expected([("c", 1.0), ("t", 1.0)])
        .segments(["device"])
        .order("day")
        .fit(&frame)
        .unwrap();
    assert!(fit.is_mismatch());
    assert_eq!(fit.segments[0].segment, "desk");
    assert!(fit.segments[0].test.p_value > 0.99 && fit.segments[1].adjusted_p_value < 1e-6);
    let sequential = fit.sequential.as_ref().unwrap();
    assert_eq!(sequential.looks().len(), 5);
    assert!(
        sequential
            .looks()
            .windows(2)
            .all(|w| w[1].p_value <= w[0].p_value)
    );
    let text = fit.to_string();
    assert!(
        text.contains("device = phone") && text.contains("mismatch"),
        "{text}"
    );
    // Doubling every row changes nothing once units are named.
    let twice = Frame::concat(&[frame.clone(), frame.clone()]).unwrap();
    let again = SampleRatio::new("arm").unit("user").fit(&twice).unwrap();
    assert_eq!(
        again.test.statistic,
        SampleRatio::new("arm").fit(&frame).unwrap().test.statistic
    );
}

#[test]
fn an_arm_that_got_nobody_is_an_arm() {
    let one = Frame::new().with("arm", vec!["c"; 30]).unwrap();
    let ratio = SampleRatio::new("arm").expected([("c", 0.9), ("t", 0.1)]);
    let fit = ratio.fit(&one).unwrap();
    assert_eq!(fit.arms[1].observed, 0);
    // 0.9³⁰ for nobody, and as improbable tables on the other side; the expected count is 3.
    let exact = fit.exact_p_value.unwrap();
    assert!(exact > 0.9_f64.powi(30) && exact < 0.12 && fit.p_value() == exact);
    assert!(!fit.warnings().is_empty());
    let other = Frame::new().with("arm", vec!["c", "x"]).unwrap();
    assert!(ratio.fit(&other).unwrap_err().to_string().contains("`x`"));
    assert!(SampleRatio::new("arm").fit(&one).is_err());
    assert!(ratio.clone().alpha(2.0).fit(&one).is_err());
    assert!(
        SampleRatio::new("a")
            .fit_counts([("c", 0), ("t", 0)])
            .is_err()
    );
}

#[test]
fn relabelling_and_order_of_rows_do_not_matter() {
    let frame = log();
    let backwards: Vec<usize> = (0..frame.rows()).rev().collect();
    let (a, b) = (
        SampleRatio::new("arm")
            .segments(["device"])
            .fit(&frame)
            .unwrap(),
        SampleRatio::new("arm")
            .segments(["device"])
            .fit(&frame.take(&backwards).unwrap())
            .unwrap(),
    );
    assert_eq!(a, b);
    let swapped = SampleRatio::new("arm")
        .fit_counts([("x", 10_300), ("y", 10_000)])
        .unwrap();
    let plain = SampleRatio::new("arm")
        .fit_counts([("x", 10_000), ("y", 10_300)])
        .unwrap();
    assert!((swapped.test.p_value - plain.test.p_value).abs() < 1e-15);
}
