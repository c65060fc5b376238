//! Survival analysis against R's survival and against likelihoods written down in `tests/reference/make/survival.R`.

use crate::support::{agree, data, fixture, numbers};
use cocreate::prelude::*;
use serde_json::Value;

fn customers() -> Frame {
    data("tests/reference/survival_customers.csv")
}

fn outcome() -> Survival {
    Survival::right("time", "event")
}

fn late() -> Survival {
    Survival::counting("entry", "time", "event")
}

/// Numbers with NaN where R has none (written as text or null).
fn maybe(value: &Value) -> Vec<f64> {
    value
        .as_array()
        .unwrap()
        .iter()
        .map(|v| v.as_f64().unwrap_or(f64::NAN))
        .collect()
}

/// Compares where the reference has a number.
fn agree_where_known(what: &str, ours: &[f64], theirs: &[f64], tolerance: f64) {
    assert_eq!(ours.len(), theirs.len(), "{what}");
    let known: Vec<usize> = (0..theirs.len())
        .filter(|i| theirs[*i].is_finite())
        .collect();
    let pick = |v: &[f64]| known.iter().map(|i| v[*i]).collect::<Vec<_>>();
    assert!(!known.is_empty(), "{what}");
    agree(what, &pick(ours), &pick(theirs), tolerance);
}

#[test]
fn curves_as_in_survfit() {
    let all = fixture("survival");
    let tolerance = all["tolerance"].as_f64().unwrap();
    let want = &all["values"]["curves"];
    let frame = customers();
    let log = |outcome| KaplanMeier::new(outcome).interval(CurveInterval::Log);
    for (name, estimator) in [
        ("log", log(outcome())),
        ("log_log", KaplanMeier::new(outcome())),
        ("plain", log(outcome()).interval(CurveInterval::Plain)),
        ("truncated", log(late())),
        ("frequency", log(outcome()).frequency_weights("f")),
        ("sampling", log(outcome()).weights("w")),
        ("sampling_truncated", log(late()).weights("w")),
    ] {
        let fit = estimator.fit(&frame).unwrap();
        let points = fit.curve("").unwrap().points();
        let of = |f: fn(&CurvePoint) -> f64| points.iter().map(f).collect::<Vec<f64>>();
        let want = &want[name];
        for (key, ours) in [
            ("time", of(|p| p.time)),
            ("at_risk", of(|p| p.at_risk)),
            ("events", of(|p| p.events)),
            ("survival", of(|p| p.survival)),
            ("std_error", of(|p| p.std_error)),
            ("lower", of(|p| p.lower)),
            ("upper", of(|p| p.upper)),
            ("hazard", of(|p| p.cumulative_hazard)),
            ("hazard_std_error", of(|p| p.hazard_std_error)),
        ] {
            agree_where_known(
                &format!("{name} {key}"),
                &ours,
                &maybe(&want[key]),
                tolerance,
            );
        }
    }
}

#[test]
fn quantiles_and_restricted_means_as_in_survfit() {
    let all = fixture("survival");
    let want = &all["values"]["curves"];
    let frame = customers();
    for (name, interval) in [
        ("quantiles_log", CurveInterval::Log),
        ("quantiles_log_log", CurveInterval::LogLog),
    ] {
        let fit = KaplanMeier::new(outcome())
            .interval(interval)
            .fit(&frame)
            .unwrap();
        let found: Vec<TimeEstimate> = [0.25, 0.5, 0.75]
            .iter()
            .map(|p| fit.curves()[0].quantile(*p))
            .collect();
        for (key, ours) in [
            (
                "estimate",
                found.iter().map(|q| q.estimate).collect::<Vec<_>>(),
            ),
            ("lower", found.iter().map(|q| q.lower).collect()),
            ("upper", found.iter().map(|q| q.upper).collect()),
        ] {
            agree_where_known(
                &format!("{name} {key}"),
                &ours,
                &maybe(&want[name][key]),
                1e-12,
            );
        }
    }
    for (name, outcome, horizon) in [
        ("restricted_mean", outcome(), 9.0),
        ("restricted_mean_truncated", late(), 7.0),
    ] {
        let fit = KaplanMeier::new(outcome).fit(&frame).unwrap();
        let mean = fit.curves()[0].restricted_mean(horizon).unwrap().mean;
        agree(
            name,
            &[mean.estimate, mean.std_error],
            &numbers(&want[name]),
            1e-9,
        );
    }
}

#[test]
fn rank_tests_as_in_survdiff() {
    let all = fixture("survival");
    let want = &all["values"]["tests"];
    let frame = customers();
    let test = || LogRank::new(outcome(), "arm");
    for (name, estimator) in [
        ("log_rank", test()),
        ("peto", test().weights(RankWeights::PetoPeto)),
        (
            "half",
            test().weights(RankWeights::FlemingHarrington { rho: 0.5 }),
        ),
        ("stratified", test().strata("shop")),
    ] {
        let fit = estimator.fit(&frame).unwrap();
        let (observed, expected): (Vec<f64>, Vec<f64>) =
            fit.groups.iter().map(|g| (g.observed, g.expected)).unzip();
        agree(
            &format!("{name} observed"),
            &observed,
            &numbers(&want[name]["observed"]),
            1e-9,
        );
        agree(
            &format!("{name} expected"),
            &expected,
            &numbers(&want[name]["expected"]),
            1e-9,
        );
        agree(
            name,
            &[fit.test.statistic],
            &[want[name]["statistic"].as_f64().unwrap()],
            1e-9,
        );
    }
    let fit = test().weights(RankWeights::Gehan).fit(&frame).unwrap();
    agree(
        "gehan",
        &[fit.test.statistic],
        &[want["gehan"].as_f64().unwrap()],
        1e-9,
    );
}

const COX: &str = "x + z + armb + armc";

/// The customers with indicators of their arms.
fn with_arms() -> Frame {
    let frame = customers();
    let is = |level: &str| -> Vec<f64> {
        let arm = frame.label("arm").unwrap();
        (0..frame.rows())
            .map(|i| f64::from(u8::from(arm.get(i) == Some(level))))
            .collect()
    };
    let (b, c) = (is("b"), is("c"));
    frame.with("armb", b).unwrap().with("armc", c).unwrap()
}

fn matrix(m: &nalgebra::DMatrix<f64>) -> Vec<f64> {
    m.transpose().as_slice().to_vec()
}

#[test]
fn cox_as_in_coxph() {
    let all = fixture("survival");
    let tolerance = all["tolerance"].as_f64().unwrap();
    let frame = with_arms();
    let intervals = data("tests/reference/survival_intervals.csv");
    let changing = || Survival::counting("start", "stop", "event");
    let none = || SmallSample::none();
    let clusters = |column: &str| Covariance::cluster(column).small_sample(none());
    let cox = |outcome, regressors: &str| Cox::new(outcome, regressors);
    for (name, estimator, frame, robust) in [
        ("efron", cox(outcome(), COX), &frame, Covariance::Hc0),
        (
            "breslow",
            cox(outcome(), COX).ties(Ties::Breslow),
            &frame,
            Covariance::Hc0,
        ),
        ("clustered", cox(outcome(), COX), &frame, clusters("shop")),
        (
            "stratified",
            cox(outcome(), &format!("{COX} | shop")),
            &frame,
            Covariance::Hc0,
        ),
        ("truncated", cox(late(), COX), &frame, Covariance::Hc0),
        (
            "weighted",
            cox(outcome(), COX).weights("w"),
            &frame,
            Covariance::Hc0,
        ),
        (
            "weighted_breslow",
            cox(outcome(), COX).weights("w").ties(Ties::Breslow),
            &frame,
            Covariance::Hc0,
        ),
        (
            "frequency",
            cox(outcome(), COX).frequency_weights("f"),
            &frame,
            Covariance::Hc0,
        ),
        (
            "intervals",
            cox(changing().subject("id"), "v + x"),
            &intervals,
            Covariance::Hc0,
        ),
        (
            "intervals_stratified",
            cox(changing(), "v + x | shop").ties(Ties::Breslow),
            &intervals,
            Covariance::Hc0,
        ),
    ] {
        let want = &all["values"]["cox"][name];
        let fit = estimator.fit(frame).unwrap();
        let classical = fit.with_covariance(Covariance::Classical).unwrap();
        let estimates: Vec<f64> = fit.estimates().iter().copied().collect();
        agree(
            &format!("{name} estimates"),
            &estimates,
            &numbers(&want["estimates"]),
            tolerance,
        );
        agree(
            &format!("{name} covariance"),
            &matrix(classical.covariance()),
            &numbers(&want["covariance"]),
            tolerance,
        );
        if !want["robust"].is_null() {
            let fit = fit.with_covariance(robust).unwrap();
            agree(
                &format!("{name} robust"),
                &matrix(fit.covariance()),
                &numbers(&want["robust"]),
                tolerance,
            );
        }
        let s = fit.statistics();
        let ours = [s.null_log_likelihood, s.log_likelihood];
        agree(
            &format!("{name} likelihoods"),
            &ours,
            &numbers(&want["log_likelihood"]),
            tolerance,
        );
        let score = want["score"].as_f64().unwrap();
        agree(
            &format!("{name} score test"),
            &[fit.score_test().statistic],
            &[score],
            tolerance,
        );
        let c = fit.concordance().unwrap();
        let theirs = [
            want["concordance"].as_f64().unwrap(),
            want["concordance_std_error"].as_f64().unwrap(),
        ];
        agree(
            &format!("{name} concordance"),
            &[c.value],
            &theirs[..1],
            tolerance,
        );
        // R adds up the rows of a cluster here too.
        if !["clustered", "intervals"].contains(&name) {
            agree(
                &format!("{name} concordance error"),
                &[c.std_error],
                &theirs[1..],
                tolerance,
            );
        }
        for (key, transform) in [
            ("zph_identity", TimeTransform::Identity),
            ("zph_km", TimeTransform::KaplanMeier),
            ("zph_log", TimeTransform::Log),
            ("zph_rank", TimeTransform::Rank),
        ] {
            if want[key].is_null() {
                continue;
            }
            let test = fit.proportional_hazards(transform).unwrap();
            let ours: Vec<f64> = test
                .each
                .iter()
                .chain([&test.joint])
                .map(|t| t.statistic)
                .collect();
            agree(
                &format!("{name} {key}"),
                &ours,
                &numbers(&want[key]),
                tolerance,
            );
        }
        if !want["prediction"].is_null() {
            let want = &want["prediction"];
            for (column, x, z, b) in [(0, 0.0, 0.0, 0.0), (1, 1.2, 1.0, 1.0)] {
                let found = classical
                    .predict(&[("x", x), ("z", z), ("armb", b), ("armc", 0.0)])
                    .unwrap();
                let of = |key: &str| -> Vec<f64> {
                    want[key]
                        .as_array()
                        .unwrap()
                        .iter()
                        .map(|r| r[column].as_f64().unwrap())
                        .collect()
                };
                // R also lists times without events.
                let times = numbers(&want["time"]);
                let ours: Vec<f64> = times.iter().map(|t| found[0].survival_at(*t)).collect();
                agree(
                    &format!("{name} prediction"),
                    &ours,
                    &of("survival"),
                    tolerance,
                );
                let errors: Vec<f64> = times
                    .iter()
                    .map(|t| {
                        found[0]
                            .points
                            .iter()
                            .rfind(|p| p.time <= *t)
                            .map_or(0.0, |p| p.log_std_error)
                    })
                    .collect();
                agree(
                    &format!("{name} prediction error"),
                    &errors,
                    &of("log_std_error"),
                    tolerance,
                );
            }
        }
        if !want["residuals"].is_null() {
            let want = &want["residuals"];
            agree(
                &format!("{name} martingale"),
                &fit.martingale_residuals().unwrap(),
                &numbers(&want["martingale"]),
                tolerance,
            );
            let scores = fit.score_residuals().unwrap();
            let by_row: Vec<f64> = (0..frame.rows())
                .flat_map(|i| scores.iter().map(move |c| c[i]))
                .collect();
            agree(
                &format!("{name} scores"),
                &by_row,
                &numbers(&want["score"]),
                tolerance,
            );
            let schoenfeld: Vec<f64> = fit
                .schoenfeld_residuals()
                .unwrap()
                .into_iter()
                .flat_map(|r| r.values)
                .collect();
            let (mut ours, mut theirs) = (schoenfeld, numbers(&want["schoenfeld"]));
            // The order of tied events is nobody's.
            ours.sort_by(f64::total_cmp);
            theirs.sort_by(f64::total_cmp);
            agree(&format!("{name} schoenfeld"), &ours, &theirs, tolerance);
        }
    }
}

#[test]
fn accelerated_failure_times_as_in_survreg() {
    let all = fixture("survival");
    let frame = with_arms();
    for (name, family) in [
        ("weibull", AftFamily::Weibull),
        ("lognormal", AftFamily::Lognormal),
        ("loglogistic", AftFamily::Loglogistic),
        ("exponential", AftFamily::Exponential),
    ] {
        let want = &all["values"]["aft"][name];
        let fit = Aft::new(outcome(), COX).family(family).fit(&frame).unwrap();
        let classical = fit.with_covariance(Covariance::Classical).unwrap();
        agree(
            name,
            fit.estimates().as_slice(),
            &numbers(&want["estimates"]),
            1e-8,
        );
        agree(
            &format!("{name} covariance"),
            &matrix(classical.covariance()),
            &numbers(&want["covariance"]),
            1e-7,
        );
        agree(
            &format!("{name} robust"),
            &matrix(fit.covariance()),
            &numbers(&want["robust"]),
            1e-7,
        );
        let likelihood = want["log_likelihood"].as_f64().unwrap();
        agree(
            &format!("{name} likelihood"),
            &[fit.statistics().log_likelihood],
            &[likelihood],
            1e-10,
        );
        for (k, (x, z, b)) in [(0.0, 0.0, 0.0), (1.2, 1.0, 1.0)].into_iter().enumerate() {
            let median = classical
                .predict(&[("x", x), ("z", z), ("armb", b), ("armc", 0.0)])
                .unwrap()
                .median()
                .unwrap();
            let theirs = [
                numbers(&want["median"])[k],
                numbers(&want["median_std_error"])[k],
            ];
            agree(
                &format!("{name} median"),
                &[median.estimate, median.std_error],
                &theirs,
                1e-7,
            );
        }
        let weighted = Aft::new(outcome(), "x + z")
            .family(family)
            .weights("w")
            .covariance(Covariance::Classical)
            .fit(&frame)
            .unwrap();
        agree(
            &format!("{name} weighted"),
            weighted.estimates().as_slice(),
            &numbers(&want["weighted"]),
            1e-8,
        );
        agree(
            &format!("{name} weighted covariance"),
            &matrix(weighted.covariance()),
            &numbers(&want["weighted_covariance"]),
            1e-7,
        );
        let want = &all["values"]["aft"]["truncated"][name];
        if !want.is_null() {
            let fit = Aft::new(late(), "x + z")
                .family(family)
                .covariance(Covariance::Classical)
                .fit(&frame)
                .unwrap();
            agree(
                &format!("{name} truncated"),
                fit.estimates().as_slice(),
                &numbers(&want["estimates"]),
                1e-7,
            );
            agree(
                &format!("{name} truncated covariance"),
                &matrix(fit.covariance()),
                &numbers(&want["covariance"]),
                1e-6,
            );
            agree(
                &format!("{name} truncated likelihood"),
                &[fit.statistics().log_likelihood],
                &[want["log_likelihood"].as_f64().unwrap()],
                1e-10,
            );
        }
    }
}

#[test]
fn discrete_hazards_as_in_glm_and_in_their_likelihoods() {
    let all = fixture("survival");
    let want = &all["values"]["discrete"];
    let frame = customers();
    for link in [HazardLink::Logit, HazardLink::Cloglog] {
        for (name, baseline) in [
            ("periods", Baseline::Periods),
            ("polynomial", Baseline::Polynomial(2)),
        ] {
            let want = &want[link.to_string()][name];
            let fit = DiscreteHazard::new(Survival::right("period", "ended"), "x + z")
                .link(link)
                .baseline(baseline)
                .covariance(Covariance::Classical)
                .fit(&frame)
                .unwrap();
            agree(
                &format!("{link} {name}"),
                fit.estimates().as_slice(),
                &numbers(&want["estimates"]),
                1e-8,
            );
            agree(
                &format!("{link} {name} covariance"),
                &matrix(fit.covariance()),
                &numbers(&want["covariance"]),
                1e-6,
            );
            let likelihood = want["log_likelihood"].as_f64().unwrap();
            agree(
                &format!("{link} {name} likelihood"),
                &[fit.statistics().log_likelihood],
                &[likelihood],
                1e-11,
            );
        }
    }
    let intervals = data("tests/reference/survival_intervals.csv");
    let model = |link, frailty| {
        DiscreteHazard::new(
            Survival::counting("start", "stop", "event").subject("id"),
            "v + x",
        )
        .link(link)
        .baseline(Baseline::Polynomial(2))
        .frailty(frailty)
        .covariance(Covariance::Classical)
    };
    for (name, estimator) in [
        ("gamma", model(HazardLink::Cloglog, Frailty::Gamma)),
        ("normal_logit", model(HazardLink::Logit, Frailty::Normal)),
        (
            "normal_cloglog",
            model(HazardLink::Cloglog, Frailty::Normal),
        ),
    ] {
        let want = &want[name];
        let fit = estimator.fit(&intervals).unwrap();
        println!("{fit}");
        agree(
            name,
            fit.estimates().as_slice(),
            &numbers(&want["estimates"]),
            1e-6,
        );
        agree(
            &format!("{name} covariance"),
            &matrix(fit.covariance()),
            &numbers(&want["covariance"]),
            1e-5,
        );
        agree(
            &format!("{name} likelihood"),
            &[fit.statistics().log_likelihood],
            &[want["log_likelihood"].as_f64().unwrap()],
            1e-9,
        );
    }
}

#[test]
fn competing_risks_as_in_survfit() {
    let all = fixture("survival");
    let want = &all["values"]["competing_risks"];
    let frame = customers();
    let estimator = || AalenJohansen::new("time", "cause");
    for (name, estimator) in [
        ("plain", estimator()),
        ("truncated", estimator().start("entry")),
        ("weighted", estimator().weights("w")),
    ] {
        let fit = estimator.fit(&frame).unwrap();
        let want = &want[name];
        let times = numbers(&want["time"]);
        // The first state of R is having no event yet.
        for (c, cause) in ["churn", "upgrade"].into_iter().enumerate() {
            let points = &fit.incidence(cause).unwrap().points;
            let of = |key: &str| -> Vec<f64> {
                want[key]
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|row| row[c + 1].as_f64().unwrap())
                    .collect()
            };
            let ours: Vec<f64> = points.iter().map(|p| p.time).collect();
            agree(&format!("{name} times"), &ours, &times, 1e-15);
            let ours: Vec<f64> = points.iter().map(|p| p.incidence).collect();
            agree(&format!("{name} {cause}"), &ours, &of("probability"), 1e-9);
            let ours: Vec<f64> = points.iter().map(|p| p.std_error).collect();
            agree(
                &format!("{name} {cause} error"),
                &ours,
                &of("std_error"),
                1e-9,
            );
        }
    }
}

#[test]
fn a_curve_that_reaches_zero_comes_back_from_json() {
    let frame = Frame::new().with("t", vec![1.0, 2.0, 3.0]).unwrap();
    let frame = frame.with("e", vec![1.0; 3]).unwrap();
    let fit = KaplanMeier::new(Survival::right("t", "e"))
        .fit(&frame)
        .unwrap();
    assert!(fit.curves()[0].points()[2].std_error.is_nan());
    let json = serde_json::to_string(&fit).unwrap();
    let back: KaplanMeierFit = serde_json::from_str(&json).unwrap();
    assert_eq!(back.to_string(), fit.to_string());
    assert_eq!(serde_json::to_string(&back).unwrap(), json);
    assert!(back.curves()[0].points()[2].std_error.is_nan());
}

#[test]
fn incidences_without_an_event_are_named() {
    let frame = Frame::new().with("t", vec![1.0, 2.0]).unwrap();
    let frame = frame.with("cause", vec!["none", "none"]).unwrap();
    let fit = AalenJohansen::new("t", "cause").fit(&frame).unwrap();
    assert!(fit.to_string().contains("no event was seen"), "{fit}");
}
