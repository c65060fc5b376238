//! Every check in the report.

use super::*;
use crate::experiment::trust::NoveltyCheck;

#[test]
fn every_check_has_its_verdict_and_its_part_of_the_page() {
    let n = 600;
    let frame = Frame::new()
        .with("user", (0..n).map(f64::from).collect::<Vec<_>>())
        .unwrap()
        .with(
            "arm",
            (0..n)
                .map(|i| if i % 3 == 0 { "a" } else { "b" })
                .collect::<Vec<_>>(),
        )
        .unwrap()
        .with(
            "age",
            (0..n).map(|i| f64::from(i * 37 % 61)).collect::<Vec<_>>(),
        )
        .unwrap()
        .with(
            "spend",
            (0..n)
                .map(|i| f64::from(i * 53 % 97) + f64::from(i % 3))
                .collect::<Vec<_>>(),
        )
        .unwrap();
    let report = TrustReport::new("arm")
        .unit("user")
        .covariates(["age"])
        .outcomes(["spend"])
        .experience(Twyman::new(0.0, 5.0))
        .calibration(AaCalibration::new("spend").replications(100).seed(1))
        .fit(&frame)
        .unwrap();
    // Thirds in place of halves.
    assert_eq!(report.verdict("Sample ratio"), Some(TrustVerdict::Fail));
    assert_eq!(report.verdict("Assignments"), Some(TrustVerdict::Pass));
    assert_eq!(report.verdict("Balance"), Some(TrustVerdict::Pass));
    assert_eq!(report.verdict("A/A calibration"), Some(TrustVerdict::Pass));
    assert_eq!(report.verdict("Novelty"), Some(TrustVerdict::Skipped));
    assert!(!report.is_trusted());
    let declared = TrustReport::new("arm")
        .expected([("a", 1.0), ("b", 2.0)])
        .fit(&frame)
        .unwrap();
    assert!(declared.is_trusted());
    let days = Frame::concat(&[frame.clone(), frame])
        .unwrap()
        .with(
            "day",
            (0..2 * n).map(|i| f64::from(i / n)).collect::<Vec<_>>(),
        )
        .unwrap();
    let novelty = NoveltyCheck::new("spend", "arm", "user")
        .day("day")
        .fit(&days)
        .unwrap();
    let report = report.with_novelty(novelty);
    assert_eq!(report.verdict("Novelty"), Some(TrustVerdict::Pass));
    let html = report.page().to_html();
    for part in ["Verdicts", "Twyman", "Outliers: spend", "<svg"] {
        assert!(html.contains(part), "{part}");
    }
    let back: TrustReportFit =
        serde_json::from_str(&serde_json::to_string(&report).unwrap()).unwrap();
    assert_eq!(back.checks(), report.checks());
}
