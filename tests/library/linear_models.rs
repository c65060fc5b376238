//! Linear models against reference software: every number of the fixtures in `tests/reference`.

use crate::support::{
    agree, agree_covariance, covariance_of, data, filter, fixture, names, numbers, pick,
    with_clusters,
};
use cocreate::prelude::*;
use serde_json::Value;

#[test]
fn least_squares_as_in_statsmodels() {
    for file in ["ols", "wls"] {
        let all = fixture(file);
        let tolerance = all["tolerance"].as_f64().unwrap();
        for (name, want) in all["values"].as_object().unwrap() {
            let mut frame = data(want["data"].as_str().unwrap());
            let mut ols =
                Ols::new(want["formula"].as_str().unwrap()).covariance(Covariance::Classical);
            if let Some(weights) = want["weights"].as_str() {
                ols = ols.weights(weights);
            }
            let cluster = want["cluster"].as_str();
            if let Some(cluster) = cluster {
                frame = with_clusters(&frame, cluster);
            }
            let fit = ols.fit(&frame).unwrap();
            let (at, estimates) = pick(&fit, &names(want));
            agree(
                &format!("{name} estimates"),
                &estimates,
                &numbers(&want["estimates"]),
                tolerance,
            );
            let s = fit.statistics();
            assert_eq!(s.observations, want["n"].as_f64().unwrap());
            let pairs = [
                ("r_squared", s.r_squared),
                ("adj_r_squared", s.adjusted_r_squared),
                ("log_likelihood", s.log_likelihood),
                ("aic", s.aic),
                ("bic", s.bic),
                ("sigma2", s.residual_std_error.powi(2)),
                ("f", fit.f_test().unwrap().statistic),
            ];
            for (key, ours) in pairs {
                if let Some(theirs) = want[key].as_f64() {
                    agree(&format!("{name} {key}"), &[ours], &[theirs], tolerance);
                }
            }
            for (kind, theirs) in want["covariance"].as_object().unwrap() {
                let kind = match kind.as_str() {
                    "classical" | "nonrobust" => Covariance::Classical,
                    "HC0" => Covariance::Hc0,
                    "HC1" => Covariance::Hc1,
                    "HC2" => Covariance::Hc2,
                    "HC3" => Covariance::Hc3,
                    "cluster" => Covariance::cluster(cluster.unwrap()),
                    "cluster_uncorrected" | "cluster_none" => {
                        Covariance::cluster(cluster.unwrap()).small_sample(SmallSample::none())
                    }
                    other => panic!("{name}: {other}"),
                };
                let fit = fit.with_covariance(kind.clone()).unwrap();
                agree_covariance(&format!("{name} {kind}"), &fit, &at, theirs, tolerance);
            }
        }
    }
}

/// The small-sample corrections by the fixture's names, which are fixest's.
fn corrections(name: &str) -> Option<SmallSample> {
    let base = SmallSample::default();
    Some(match name {
        "default" | "k_nonnested" => base,
        "k_none" => base.fixed_effects(FixedEffectCount::None),
        "k_full" => base.fixed_effects(FixedEffectCount::Full),
        "no_k_adj" => SmallSample::clusters_only(),
        "no_g_adj" => SmallSample {
            cluster_adjust: false,
            ..base
        },
        "nothing" => SmallSample::none(),
        "g_conventional" => base.cluster_df(ClusterDf::Conventional),
        "g_conventional_k_full" => base
            .cluster_df(ClusterDf::Conventional)
            .fixed_effects(FixedEffectCount::Full),
        _ => return None,
    })
}

/// Adds the columns that a fixture's note on the sample asks for.
fn prepared(want: &Value) -> Frame {
    let frame = data(want["data"].as_str().unwrap());
    if want["sample"]
        .as_str()
        .is_some_and(|s| s.contains("California"))
    {
        let state = frame.label("State").unwrap();
        let quarter = frame.real("Quarter_Num").unwrap();
        let treated: Vec<f64> = (0..frame.rows())
            .map(|i| {
                f64::from(u8::from(
                    state.get(i) == Some("California") && quarter[i] > 3.0,
                ))
            })
            .collect();
        return frame.clone().with("treated", treated).unwrap();
    }
    frame
}

#[test]
fn fixed_effects_and_corrections_as_in_fixest() {
    let mut compared = 0;
    for file in ["fe", "cluster"] {
        let all = fixture(file);
        for (name, want) in all["values"].as_object().unwrap() {
            let formula = want["formula"].as_str().unwrap();
            if formula.matches('~').count() > 1 || name == "jackknife" {
                continue; // instruments and CRV3 have tests of their own
            }
            let frame = prepared(want);
            let mut ols = Ols::new(formula).covariance(Covariance::Classical);
            if let Some(weights) = want["weights"].as_str() {
                ols = ols.weights(weights);
            }
            let fit = ols.fit(&frame).unwrap();
            let (at, estimates) = pick(&fit, &names(want));
            agree(
                &format!("{name} estimates"),
                &estimates,
                &numbers(&want["estimates"]),
                1e-9,
            );
            assert_eq!(
                fit.statistics().observations,
                want["n"].as_f64().unwrap(),
                "{name}"
            );
            if let Some(rank) = want["effects_rank_exact"].as_u64() {
                assert_eq!(fit.statistics().absorbed, rank as usize, "{name}");
            }
            if let Some(within) = want["within_r_squared"].as_f64() {
                agree(
                    name,
                    &[fit.statistics().within_r_squared.unwrap()],
                    &[within],
                    1e-9,
                );
            }
            for (kind, variants) in want["covariance"].as_object().unwrap() {
                for (variant, theirs) in variants.as_object().unwrap() {
                    let covariance = match (kind.as_str(), variant.as_str()) {
                        ("iid", "default") => Covariance::Classical,
                        ("hetero", "default") => Covariance::Hc1,
                        ("hetero", "nothing") => Covariance::Hc0,
                        ("HC2", "nothing") => Covariance::Hc2,
                        ("HC3", "nothing") => Covariance::Hc3,
                        ("iid" | "HC2" | "HC3" | "hetero", _) => continue,
                        (columns, variant) => Covariance::clusters(columns.split('+'))
                            .small_sample(
                                corrections(variant).unwrap_or_else(|| panic!("{variant}")),
                            ),
                    };
                    let fit = fit.with_covariance(covariance).unwrap();
                    if fit
                        .warnings()
                        .iter()
                        .any(|w| matches!(w, Warning::CovarianceAdjusted { .. }))
                    {
                        // pyfixest leaves a negative eigenvalue as it is; the repaired matrix must be near it.
                        let theirs = numbers(theirs);
                        let k = at.len();
                        let matrix = nalgebra::DMatrix::from_row_slice(k, k, &theirs);
                        assert!(
                            matrix.symmetric_eigenvalues().min() < 0.0,
                            "{name} {kind} {variant}"
                        );
                        agree(
                            &format!("{name} {kind} {variant}"),
                            &covariance_of(&fit, &at),
                            &theirs,
                            0.01,
                        );
                        continue;
                    }
                    agree_covariance(&format!("{name} {kind} {variant}"), &fit, &at, theirs, 2e-9);
                    compared += 1;
                }
            }
        }
    }
    assert!(compared > 80, "{compared}");
}

#[test]
fn cr2_and_satterthwaite_as_in_clubsandwich() {
    let all = fixture("cr2");
    for (name, want) in all["values"].as_object().unwrap() {
        if name == "wls" {
            continue; // a working model of equal variances, which contradicts inverse-variance weights
        }
        let frame = with_clusters(&prepared(want), want["cluster"].as_str().unwrap());
        let mut ols = Ols::new(want["formula"].as_str().unwrap()).keep_singletons();
        if let Some(weights) = want["weights"].as_str() {
            ols = ols.weights(weights);
        }
        let cluster = want["cluster"].as_str().unwrap();
        let fit = ols.fit(&frame).unwrap();
        let (at, estimates) = pick(&fit, &names(want));
        agree(
            &format!("{name} estimates"),
            &estimates,
            &numbers(&want["estimates"]),
            1e-9,
        );
        let cr0 = Covariance::cluster(cluster).small_sample(SmallSample::none());
        let cr1 = Covariance::cluster(cluster).small_sample(SmallSample::clusters_only());
        for (key, kind) in [
            ("CR0", cr0),
            ("CR1", cr1),
            ("CR2", Covariance::cr2(cluster)),
        ] {
            if key == "CR2" && want["weights"].is_string() {
                // With weights the matrix A_g is not unique: ours is the root in the transformed model, as a test below shows;
                // clubSandwich takes a symmetric root in the untransformed one. Both are unbiased under the working model.
                continue;
            }
            let fit = fit.with_covariance(kind).unwrap();
            agree_covariance(
                &format!("{name} {key}"),
                &fit,
                &at,
                &want["covariance"][key],
                1e-8,
            );
            if key != "CR2" {
                continue;
            }
            let want_df = &want["satterthwaite"]["CR2"]["df"];
            if !want_df.is_null() {
                let df: Vec<f64> = at
                    .iter()
                    .map(|i| fit.estimate_at(*i).degrees_of_freedom)
                    .collect();
                agree(&format!("{name} df"), &df, &numbers(want_df), 1e-7);
                let p: Vec<f64> = at.iter().map(|i| fit.estimate_at(*i).p_value()).collect();
                agree(
                    &format!("{name} p"),
                    &p,
                    &numbers(&want["satterthwaite"]["CR2"]["p"]),
                    1e-7,
                );
            }
            for (test, htz) in want["htz"].as_object().into_iter().flatten() {
                let rows: Vec<Vec<f64>> = htz["matrix"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(numbers)
                    .collect();
                let r = nalgebra::DMatrix::from_fn(rows.len(), rows[0].len(), |i, j| rows[i][j]);
                let result = fit
                    .wald_matrix(test, &r, &nalgebra::DVector::zeros(rows.len()))
                    .unwrap();
                agree(
                    &format!("{name} HTZ {test}"),
                    &[result.p_value],
                    &[htz["p"].as_f64().unwrap()],
                    1e-6,
                );
            }
        }
    }
}

#[test]
fn autocorrelation_robust_as_in_sandwich_and_plm() {
    let all = fixture("hac_r");
    let values = &all["values"];
    let series = prepared(&values["series"]);
    let fit = Ols::new(values["series"]["formula"].as_str().unwrap())
        .fit(&series)
        .unwrap();
    let (at, _) = pick(&fit, &names(&values["series"]));
    let newey_west = Covariance::newey_west("time").lags(4);
    let plain = fit
        .with_covariance(newey_west.clone().small_sample(SmallSample::none()))
        .unwrap();
    agree_covariance(
        "Newey–West",
        &plain,
        &at,
        &values["series"]["newey_west_lag4"],
        1e-9,
    );
    let adjusted = fit.with_covariance(newey_west).unwrap();
    agree_covariance(
        "Newey–West, adjusted",
        &adjusted,
        &at,
        &values["series"]["newey_west_lag4_adjusted"],
        1e-9,
    );
    for name in ["pooled", "within", "two_way", "pooled_unbalanced"] {
        let want = &values[name];
        let mut frame = data("tests/reference/panel_shocks.csv");
        if let Some(dropped) = want["dropped_rows_from_1"].as_array() {
            let mut keep = vec![true; frame.rows()];
            for row in dropped {
                keep[row.as_u64().unwrap() as usize - 1] = false;
            }
            frame = filter(&frame, &keep);
        }
        let fit = Ols::new(want["formula"].as_str().unwrap())
            .fit(&frame)
            .unwrap();
        let (at, estimates) = pick(&fit, &names(want));
        agree(
            &format!("{name} estimates"),
            &estimates,
            &numbers(&want["estimates"]),
            1e-9,
        );
        for lags in [0, 2, 4] {
            let kind = Covariance::driscoll_kraay("time")
                .lags(lags)
                .small_sample(SmallSample::none());
            let fit = fit.with_covariance(kind).unwrap();
            agree_covariance(
                &format!("{name} lag {lags}"),
                &fit,
                &at,
                &want[format!("lag{lags}")],
                1e-9,
            );
        }
    }
}

#[test]
fn weighted_cr2_is_cr2_of_the_transformed_model() {
    let frame = data("tests/reference/small_clusters.csv");
    let root: Vec<f64> = frame
        .real("weight")
        .unwrap()
        .iter()
        .map(|w| w.sqrt())
        .collect();
    let times = |name: &str| -> Vec<f64> {
        frame
            .numeric(name)
            .unwrap()
            .values()
            .iter()
            .zip(&root)
            .map(|(v, r)| v * r)
            .collect()
    };
    let (y, treat, x) = (times("y"), times("treat"), times("x"));
    let transformed = filter(&frame, &vec![true; frame.rows()])
        .with("ty", y)
        .unwrap()
        .with("tt", treat)
        .unwrap()
        .with("tx", x)
        .unwrap()
        .with("one", root)
        .unwrap();
    let weighted = Ols::new("y ~ treat + x")
        .weights("weight")
        .covariance(Covariance::cr2("shop"))
        .fit(&frame)
        .unwrap();
    let plain = Ols::new("ty ~ 0 + one + tt + tx")
        .covariance(Covariance::cr2("shop"))
        .fit(&transformed)
        .unwrap();
    agree(
        "weighted CR2",
        weighted.covariance().as_slice(),
        plain.covariance().as_slice(),
        1e-10,
    );
    for (a, b) in weighted.coefficients().iter().zip(plain.coefficients()) {
        assert!((a.degrees_of_freedom / b.degrees_of_freedom - 1.0).abs() < 1e-9);
    }
}

#[test]
fn autocorrelation_robust_as_in_pyfixest() {
    for (name, want) in fixture("hac")["values"].as_object().unwrap() {
        let frame = data("tests/reference/panel_shocks.csv");
        let Some(lags) = want["lag"].as_u64().map(|l| l as usize) else {
            continue;
        };
        let fit = Ols::new(want["formula"].as_str().unwrap())
            .fit(&frame)
            .unwrap();
        let (at, _) = pick(&fit, &names(want));
        let dk = Covariance::driscoll_kraay("time").lags(lags);
        let nw = Covariance::newey_west_panel("unit", "time").lags(lags);
        for (key, kind) in [
            ("DK_default", dk.clone()),
            ("DK_uncorrected", dk.small_sample(SmallSample::none())),
            ("NW_default", nw.clone()),
            ("NW_uncorrected", nw.small_sample(SmallSample::none())),
        ] {
            let fit = fit.with_covariance(kind).unwrap();
            agree_covariance(
                &format!("{name} {key}"),
                &fit,
                &at,
                &want[key]["covariance"],
                1e-9,
            );
        }
    }
}

#[test]
fn predictions_as_in_statsmodels() {
    let all = fixture("predictions");
    let frame = data(all["data"].as_str().unwrap());
    let new = all["values"]["new"]
        .as_object()
        .unwrap()
        .iter()
        .fold(Frame::new(), |frame, (name, values)| {
            frame.with(name.clone(), numbers(values)).unwrap()
        });
    let fit = Ols::new("re78 ~ treat + age + I(age^2) + educ")
        .fit(&frame)
        .unwrap();
    for (name, covariance) in [
        ("classical", Covariance::Classical),
        ("HC1", Covariance::Hc1),
    ] {
        let fit = fit.with_covariance(covariance).unwrap();
        let want = &all["values"][name];
        let mean = fit.predict_interval(&new, 0.9).unwrap();
        let outcome = fit.predict_outcome(&new, 0.9).unwrap();
        for (key, ours) in [
            ("mean", &mean.values),
            ("std_error", &mean.std_errors),
            ("lower", &mean.lower),
            ("upper", &mean.upper),
            ("outcome_lower", &outcome.lower),
            ("outcome_upper", &outcome.upper),
        ] {
            agree(&format!("{name} {key}"), ours, &numbers(&want[key]), 1e-9);
        }
    }
    // The effect of age at the average: b + 2 c times the mean of age, as a linear combination.
    let effects = fit
        .marginal_effects(&Margins::of(["age", "treat"]).discrete("treat"))
        .unwrap();
    let age = frame.numeric("age").unwrap();
    let mean = age.values().iter().sum::<f64>() / frame.rows() as f64;
    let combination = fit
        .linear(&format!("age + {}*I(age^2)", 2.0 * mean))
        .unwrap();
    let ours = effects.coefficient("age").unwrap();
    assert!((ours.estimate - combination.estimate).abs() < 1e-6 * combination.std_error);
    assert!((ours.std_error / combination.std_error - 1.0).abs() < 1e-7);
    let treat = (
        effects.coefficient("treat").unwrap(),
        fit.coefficient("treat").unwrap(),
    );
    assert!((treat.0.estimate / treat.1.estimate - 1.0).abs() < 1e-9);
    // A cluster's own degrees of freedom reach the intervals.
    let few = frame
        .clone()
        .with("g", (0..frame.rows()).map(|i| i % 5).collect::<Vec<_>>())
        .unwrap();
    let fit = Ols::new("re78 ~ treat")
        .covariance(Covariance::cr2("g"))
        .fit(&few)
        .unwrap();
    let at = Frame::new().with("treat", vec![0.0]).unwrap();
    let ours = fit.predict_interval(&at, 0.95).unwrap();
    let constant = fit
        .coefficient("(Intercept)")
        .unwrap()
        .confidence_interval(0.95)
        .unwrap();
    assert!(
        (ours.lower[0] - constant.lower).abs() < 1e-6
            && (ours.upper[0] - constant.upper).abs() < 1e-6
    );
}
