//! Bootstrap, jackknife, wild bootstrap and the chart over sample sizes against R, Python and known truth.

use crate::support::{agree, agree_covariance, data, fixture, names, numbers, pick, with_clusters};
use cocreate::numeric::blocks;
use cocreate::prelude::*;
use nalgebra::DMatrix;
use rand::rngs::ChaCha8Rng;
use rand_distr::{Distribution as _, StandardNormal};

fn column(value: &serde_json::Value) -> DMatrix<f64> {
    let values = numbers(value);
    DMatrix::from_column_slice(values.len(), 1, &values)
}

#[test]
fn intervals_as_in_boot_ci() {
    let all = fixture("boot");
    for (name, want) in all["values"].as_object().unwrap() {
        let estimate = want["estimate"].as_f64().unwrap();
        let replicates = column(&want["replicates"]);
        let fit = BootstrapFit::from_replicates([name.as_str()], &[estimate], &replicates)
            .unwrap()
            .with_std_errors(
                &[want["std_error"].as_f64().unwrap()],
                &column(&want["std_errors"]),
            )
            .unwrap()
            .with_jackknife(&column(&want["left_out"]))
            .unwrap();
        agree(
            name,
            &[fit.bias()[0]],
            &[want["bias"].as_f64().unwrap()],
            1e-9,
        );
        agree(
            name,
            fit.std_errors().as_slice(),
            &[want["deviation"].as_f64().unwrap()],
            1e-11,
        );
        for (key, level) in [("level_90", 0.9), ("level_95", 0.95)] {
            for (method, theirs) in [
                (Method::Normal, "normal"),
                (Method::Basic, "basic"),
                (Method::Percentile, "percentile"),
                (Method::Bca, "bca"),
                (Method::BootstrapT, "student"),
            ] {
                let ours = &fit.confidence_interval_by(method, level).unwrap()[0];
                agree(
                    &format!("{name} {theirs} {level}"),
                    &[ours.lower, ours.upper],
                    &numbers(&want[key][theirs]),
                    1e-10,
                );
            }
        }
    }
}

#[test]
fn the_cluster_jackknife_as_in_pyfixest_and_clubsandwich() {
    // Both without the factor (G − 1)/G of MacKinnon, Nielsen & Webb (2023), which ours has.
    let all = fixture("cluster");
    let want = &all["values"]["jackknife"];
    let frame = data(want["data"].as_str().unwrap());
    let fit = Ols::new(want["formula"].as_str().unwrap())
        .covariance(Covariance::cr3("shop"))
        .fit(&frame)
        .unwrap();
    let (at, _) = pick(&fit, &names(want));
    let scaled: Vec<f64> = numbers(&want["covariance"]["CRV3"]["nothing"])
        .iter()
        .map(|v| v * 11.0 / 12.0)
        .collect();
    agree_covariance("pyfixest", &fit, &at, &serde_json::json!(scaled), 1e-9);
    assert_eq!(fit.estimate_at(0).degrees_of_freedom, 11.0);
    // clubSandwich.
    let all = fixture("cr2");
    let mut compared = 0;
    for (name, want) in all["values"].as_object().unwrap() {
        let theirs = &want["covariance"]["CR3"];
        let cluster = want["cluster"].as_str().unwrap();
        let sample = want["sample"].as_str().unwrap_or("");
        if theirs.is_null() || want["weights"].is_string() || sample.contains("California") {
            continue;
        }
        let frame = with_clusters(&data(want["data"].as_str().unwrap()), cluster);
        let fit = Ols::new(want["formula"].as_str().unwrap())
            .keep_singletons()
            .covariance(Covariance::cr3(cluster))
            .fit(&frame)
            .unwrap();
        let (at, _) = pick(&fit, &names(want));
        let groups = fit.estimate_at(0).degrees_of_freedom + 1.0;
        let scaled: Vec<f64> = numbers(theirs)
            .iter()
            .map(|v| v * (groups - 1.0) / groups)
            .collect();
        agree_covariance(name, &fit, &at, &serde_json::json!(scaled), 1e-8);
        compared += 1;
    }
    assert!(compared >= 2, "{compared}");
}

#[test]
fn cr3_is_the_jackknife_of_the_estimates() {
    let frame = data("tests/reference/small_clusters.csv");
    let model = Ols::new("y ~ treat + x");
    let fit = model
        .clone()
        .covariance(Covariance::cr3("shop"))
        .fit(&frame)
        .unwrap();
    let jackknife = Jackknife::cluster("shop")
        .names(["(Intercept)", "treat", "x"])
        .run(&frame, |r| {
            Ok(model.fit(r.frame()?)?.estimates().as_slice().to_vec())
        })
        .unwrap();
    // The jackknife is centred at the mean of its values, CR3 at the estimates.
    let g = jackknife.groups() as f64;
    let shift = jackknife.bias() / (g - 1.0);
    let centred = jackknife.covariance() + &shift * shift.transpose() * (g - 1.0);
    agree(
        "CR3",
        fit.covariance().as_slice(),
        centred.as_slice(),
        1e-10,
    );
    let error = Ols::new("y ~ treat + x | week")
        .covariance(Covariance::cr3("shop"))
        .fit(&frame);
    assert!(matches!(error, Err(Error::InvalidOption { .. })));
}

fn eight_shops() -> Frame {
    let frame = data("tests/reference/small_clusters.csv");
    let mut shops = frame.real("shop").unwrap().to_vec();
    shops.sort_by(f64::total_cmp);
    shops.dedup();
    let keep: Vec<bool> = frame
        .real("shop")
        .unwrap()
        .iter()
        .map(|s| *s <= shops[7])
        .collect();
    frame.filter(&keep).unwrap()
}

#[test]
fn every_sign_vector_agrees_with_fitting_again() {
    let all = fixture("wild");
    let frame = eight_shops();
    let mut compared = 0;
    for (name, want) in all["values"].as_object().unwrap() {
        let mut model = Ols::new("y ~ treat + x");
        if let Some(weights) = want["weights"].as_str() {
            model = model.weights(weights);
        }
        let fit = model.fit(&frame).unwrap();
        let boot = WildBootstrap::new(want["hypothesis"].as_str().unwrap())
            .cluster("shop")
            .restricted(want["restricted"].as_bool().unwrap())
            .seed(1);
        let test = boot.run(&fit).unwrap();
        assert!(test.enumerated && test.draws == 256 && test.units == 8);
        assert!(!test.warnings.is_empty());
        agree(
            name,
            &[test.statistic],
            &[want["t"].as_f64().unwrap()],
            1e-10,
        );
        // Without the restriction the observed statistic is not among the 256 and is counted as one more; the reference does not.
        let restricted = want["restricted"].as_bool().unwrap();
        let counted = |share: f64, tails: f64| {
            if restricted {
                share
            } else {
                ((share * 256.0 + tails) / 257.0).min(1.0)
            }
        };
        for (p, theirs, tails) in [
            (test.p_value, &want["p_symmetric"], 1.0),
            (test.equal_tailed_p_value, &want["p_equal_tailed"], 2.0),
        ] {
            let theirs = counted(theirs.as_f64().unwrap(), tails);
            assert!((p - theirs).abs() < 1e-14, "{name} {p} {theirs}");
        }
        let mut statistics = boot.statistics(&fit).unwrap();
        statistics.sort_by(f64::total_cmp);
        let some: Vec<f64> = statistics.into_iter().step_by(16).collect();
        agree(name, &some, &numbers(&want["statistics_sorted"]), 1e-9);
        compared += 1;
        if let Some(p) = want["wildboottest"]["p"].as_f64() {
            assert!((test.p_value - counted(p, 1.0)).abs() < 1e-14);
        }
    }
    assert_eq!(compared, 8);
}

#[test]
fn an_absorbed_effect_nested_in_the_clusters_is_the_same_as_dummies() {
    let frame = data("tests/reference/small_clusters.csv");
    let boot = WildBootstrap::new("x = 0")
        .cluster("shop")
        .draws(499)
        .seed(3);
    let absorbed = Ols::new("y ~ x | shop").fit(&frame).unwrap();
    let dummies = Ols::new("y ~ x + C(shop)").fit(&frame).unwrap();
    let (a, b) = (
        boot.statistics(&absorbed).unwrap(),
        boot.statistics(&dummies).unwrap(),
    );
    // The factors differ (nested effects count as one parameter), the ratio is the same for all draws.
    let t = [boot.run(&absorbed).unwrap(), boot.run(&dummies).unwrap()];
    let ratio = t[0].statistic / t[1].statistic;
    let scaled: Vec<f64> = b.iter().map(|t| t * ratio).collect();
    agree("absorbed", &a, &scaled, 1e-8);
    assert_eq!(t[0].p_value, t[1].p_value);
    let crossed = Ols::new("y ~ x | week").fit(&frame).unwrap();
    assert!(matches!(
        boot.run(&crossed),
        Err(Error::InvalidOption { .. })
    ));
}

#[test]
fn the_interval_ends_where_the_test_turns() {
    let fit = Ols::new("y ~ treat + x")
        .fit(&data("tests/reference/small_clusters.csv"))
        .unwrap();
    for restricted in [true, false] {
        let p = |value: f64| {
            WildBootstrap::new(format!("treat = {value:?}"))
                .cluster("shop")
                .weights(WildWeights::Webb)
                .draws(999)
                .restricted(restricted)
                .seed(5)
                .run(&fit)
                .unwrap()
        };
        let interval = p(0.0).interval;
        for end in [interval.lower, interval.upper] {
            let outward = if end < p(0.0).estimate { -1e-4 } else { 1e-4 };
            assert!(p(end + outward).p_value <= 0.05 + 1e-12, "{end}");
            assert!(p(end - outward).p_value > 0.05 - 1e-12, "{end}");
        }
    }
}

#[test]
fn rows_without_clusters_are_clusters_of_one() {
    let frame = eight_shops();
    let rows: Vec<f64> = (0..frame.rows()).map(|i| i as f64).collect();
    let frame = frame.with("row", rows).unwrap();
    let fit = Ols::new("y ~ treat + x").fit(&frame).unwrap();
    let boot = WildBootstrap::new("x = 0").draws(199).seed(5);
    let by_row = boot.run(&fit).unwrap();
    let by_cluster = boot.clone().cluster("row").run(&fit).unwrap();
    assert_eq!(by_row.p_value, by_cluster.p_value);
    let hc1 = fit.coefficient("x").unwrap();
    agree("HC1", &[by_row.std_error], &[hc1.std_error], 1e-12);
}

/// Runs on pools of one and of seven threads and compares.
fn same_on_any_number_of_threads<T: PartialEq + std::fmt::Debug + Send>(
    run: impl Fn() -> T + Send + Sync,
) {
    let first = run();
    #[cfg(feature = "parallel")]
    for threads in [1, 7] {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        assert_eq!(pool.install(&run), first);
    }
    assert_eq!(run(), first);
}

#[test]
fn the_number_of_threads_does_not_matter() {
    let frame = data("tests/reference/small_clusters.csv");
    let fit = Ols::new("y ~ treat + x").fit(&frame).unwrap();
    for scheme in [
        Bootstrap::pairs(),
        Bootstrap::poisson(),
        Bootstrap::cluster("shop"),
        Bootstrap::little_bags(3, 0.7),
        Bootstrap::pairs().strata("week"),
    ] {
        let scheme = scheme.draws(40).seed(7);
        same_on_any_number_of_threads(|| {
            scheme
                .run(&frame, |r| Ok(vec![r.mean("y")?, r.sum("x")?]))
                .unwrap()
        });
    }
    same_on_any_number_of_threads(|| {
        Bootstrap::pairs()
            .draws(40)
            .seed(7)
            .mean(&frame, "y")
            .unwrap()
    });
    let wild = WildBootstrap::new("treat = 0")
        .cluster("shop")
        .weights(WildWeights::Webb);
    same_on_any_number_of_threads(|| wild.clone().draws(999).seed(1).run(&fit).unwrap());
}

#[test]
fn resamples_are_pinned() {
    let frame = Frame::new()
        .with("y", vec![1.0, 2.0, 4.0, 8.0, 16.0])
        .unwrap();
    let boot = Bootstrap::pairs().draws(3).seed(7);
    let fit = boot.run(&frame, |r| Ok(vec![r.sum("y")?])).unwrap();
    assert_eq!(fit.replicates().as_slice(), [31.0, 27.0, 38.0]);
}

#[test]
fn weights_frames_and_means_tell_the_same() {
    let frame = data("tests/reference/small_clusters.csv");
    for scheme in [
        Bootstrap::pairs(),
        Bootstrap::poisson(),
        Bootstrap::cluster("shop"),
        Bootstrap::pairs().strata("shop"),
    ] {
        let fit = scheme
            .draws(20)
            .seed(7)
            .run(&frame, |r| {
                let y = r.source().real("y")?;
                let weighted = r.weights().iter().zip(y).map(|(w, y)| w * y).sum::<f64>()
                    / r.weights().iter().sum::<f64>();
                let drawn = r.frame()?.real("y")?;
                let copied = drawn.iter().sum::<f64>() / drawn.len() as f64;
                let mean = r.mean("y")?;
                Ok(vec![
                    weighted - mean,
                    copied - mean,
                    (drawn.len() - r.rows()) as f64,
                    mean,
                ])
            })
            .unwrap();
        assert!(fit.failed() == 0);
        for i in 0..20 {
            for j in 0..3 {
                assert!(fit.replicates()[(i, j)].abs() < 1e-12, "{fit} {i} {j}");
            }
        }
        assert!(fit.std_errors()[3] > 0.01);
    }
    // Strata keep their sizes; clusters drawn twice are two clusters.
    Bootstrap::pairs()
        .strata("shop")
        .draws(5)
        .seed(1)
        .run(&frame, |r| {
            assert_eq!(r.rows(), frame.rows());
            let (old, new) = (frame.groups("shop")?, r.frame()?.groups("shop")?);
            let size = |codes: &[u32], g: u32| codes.iter().filter(|c| **c == g).count();
            for g in 0..old.count() as u32 {
                assert_eq!(size(&old.codes, g), size(&new.codes, g));
            }
            Ok(vec![0.0])
        })
        .unwrap();
    Bootstrap::cluster("shop")
        .draws(5)
        .seed(1)
        .run(&frame, |r| {
            assert_eq!(
                r.frame()?.groups("shop")?.count(),
                frame.groups("shop")?.count()
            );
            Ok(vec![0.0])
        })
        .unwrap();
}

#[test]
fn the_fast_mean_is_the_mean_of_the_resamples() {
    let frame = datasets::load("nsw").unwrap();
    let boot = Bootstrap::pairs().draws(4000).seed(7).bca();
    let fast = boot.mean(&frame, "re78").unwrap();
    let slow = boot.run(&frame, |r| Ok(vec![r.mean("re78")?])).unwrap();
    // Other draws of the same law: standard errors of 4 000 draws differ by 1.6 % (one standard deviation).
    agree(
        "errors",
        fast.std_errors().as_slice(),
        slow.std_errors().as_slice(),
        0.06,
    );
    let ends = |fit: &BootstrapFit| {
        let i = &fit.confidence_interval_by(Method::Bca, 0.9).unwrap()[0];
        [i.lower, i.upper]
    };
    agree("BCa", &ends(&fast), &ends(&slow), 0.02);
    // Standard errors of all schemes are near σ/√n.
    let classical = Ols::new("re78 ~ 1")
        .covariance(Covariance::Hc0)
        .fit(&frame)
        .unwrap();
    let se = classical.std_errors()[0];
    for scheme in [
        Bootstrap::pairs(),
        Bootstrap::poisson(),
        Bootstrap::little_bags(10, 0.8),
    ] {
        let fit = scheme.draws(400).seed(7).mean(&frame, "re78").unwrap();
        assert!((fit.std_errors()[0] / se - 1.0).abs() < 0.12, "{fit}");
    }
}

#[test]
fn failures_are_counted_and_reported() {
    let frame = datasets::load("nsw").unwrap();
    let boot = Bootstrap::pairs().draws(100).seed(7);
    let fit = boot
        .run(&frame, |r| match r.index() {
            Some(i) if i % 10 == 3 => Err(Error::NoRows {
                reason: format!("replicate {i}"),
            }),
            Some(i) if i % 10 == 4 => Ok(vec![f64::NAN]),
            _ => Ok(vec![r.mean("re78")?]),
        })
        .unwrap();
    assert_eq!((fit.failed(), fit.replicates().nrows()), (20, 80));
    assert!(fit.first_failure().unwrap().contains("replicate 3"));
    assert!(fit.to_string().contains("20 replicates failed"), "{fit}");
    let none = boot.run(&frame, |r| match r.index() {
        Some(_) => Ok(vec![f64::INFINITY]),
        None => Ok(vec![1.0]),
    });
    assert!(matches!(none, Err(Error::Unidentified { .. })));
    let original = boot.run(&frame, |_| Ok(vec![f64::NAN]));
    assert!(matches!(original, Err(Error::NotFinite { .. })));
}

#[test]
fn what_cannot_be_resampled_is_refused() {
    let frame = datasets::load("nsw")
        .unwrap()
        .with("one", vec!["a"; 445])
        .unwrap();
    let mean = |r: &Resample<'_>| Ok(vec![r.mean("re78")?]);
    let run = |boot: Bootstrap| boot.run(&frame, mean).unwrap_err();
    assert!(matches!(
        run(Bootstrap::pairs()),
        Error::SeedRequired { .. }
    ));
    assert!(matches!(
        run(Bootstrap::cluster("one").seed(1)),
        Error::TooFewClusters { clusters: 1, .. }
    ));
    assert!(matches!(
        run(Bootstrap::cluster("on").seed(1)),
        Error::ColumnNotFound { .. }
    ));
    assert!(matches!(
        run(Bootstrap::pairs().draws(1).seed(1)),
        Error::InvalidOption { .. }
    ));
    assert!(matches!(
        run(Bootstrap::poisson().bca().seed(1)),
        Error::InvalidOption { .. }
    ));
    assert!(matches!(
        run(Bootstrap::little_bags(0, 0.7).seed(1)),
        Error::InvalidOption { .. }
    ));
    assert!(matches!(
        run(Bootstrap::cluster("educ").strata("treat").seed(1)),
        Error::InvalidOption { .. }
    ));
    assert!(matches!(
        run(Bootstrap::pairs().names(["a", "b"]).seed(1)),
        Error::LengthMismatch { .. }
    ));
    let cancelled =
        Bootstrap::pairs()
            .seed(1)
            .run_with(&frame, &Progress::with(|s| s.done < 300), mean);
    assert!(matches!(cancelled, Err(Error::Cancelled { .. })));
    let fit = Bootstrap::pairs()
        .draws(30)
        .seed(1)
        .run(&frame, mean)
        .unwrap();
    assert!(fit.confidence_interval_by(Method::Normal, 0.95).is_ok());
    assert!(matches!(
        fit.confidence_interval_by(Method::Percentile, 0.95),
        Err(Error::InvalidOption { .. })
    ));
    assert!(matches!(
        fit.confidence_interval_by(Method::Bca, 0.5),
        Err(Error::DataNotKept { .. })
    ));
    assert!(matches!(
        fit.confidence_interval_by(Method::BootstrapT, 0.5),
        Err(Error::DataNotKept { .. })
    ));
    assert!(matches!(
        Jackknife::cluster("one").run(&frame, mean),
        Err(Error::TooFewClusters { .. })
    ));
    let ols = Ols::new("re78 ~ treat").fit(&frame).unwrap();
    let wild = || WildBootstrap::new("treat = 0").cluster("age");
    assert!(matches!(wild().run(&ols), Err(Error::SeedRequired { .. })));
    assert!(matches!(
        wild().draws(9).seed(1).run(&ols),
        Err(Error::InvalidOption { .. })
    ));
    assert!(matches!(
        wild().cluster("one").seed(1).run(&ols),
        Err(Error::TooFewClusters { .. })
    ));
    assert!(matches!(
        wild().seed(1).run(&ols.lean()),
        Err(Error::DataNotKept { .. })
    ));
    assert!(WildBootstrap::new("treta = 0").seed(1).run(&ols).is_err());
    assert!(matches!(
        ResidualBootstrap::new().run(&ols),
        Err(Error::SeedRequired { .. })
    ));
    assert!(matches!(
        ScoreBootstrap::new("treat = 0").run(&ols),
        Err(Error::SeedRequired { .. })
    ));
}

#[test]
fn bootstrap_t_of_a_regression_and_its_stepdown() {
    let frame = datasets::load("nsw").unwrap();
    let model = Ols::new("re78 ~ treat + educ + black");
    let fit = model.fit(&frame).unwrap();
    let boot = Bootstrap::pairs()
        .draws(399)
        .seed(7)
        .run_studentized(&frame, |r| Ok(model.fit(r.frame()?)?.coefficients()))
        .unwrap();
    assert_eq!(boot.names(), fit.names());
    let interval = &boot
        .confidence_interval_by(Method::BootstrapT, 0.9)
        .unwrap()[1];
    let asymptotic = &fit.confidence_interval(0.9).unwrap()[1];
    let width = asymptotic.upper - asymptotic.lower;
    assert!(
        (interval.lower - asymptotic.lower).abs() < 0.15 * width,
        "{interval} {asymptotic}"
    );
    assert!(
        (interval.upper - asymptotic.upper).abs() < 0.15 * width,
        "{interval} {asymptotic}"
    );
    let tests = boot.romano_wolf(0.05).unwrap();
    for d in &tests.decisions {
        assert!(d.adjusted >= d.p_value);
    }
    for (a, b) in boot.std_errors().iter().zip(fit.std_errors().iter()) {
        assert!((a / b - 1.0).abs() < 0.12, "{a} {b}");
    }
    // The other bootstraps of the same fit.
    let residual = ResidualBootstrap::new().seed(7).run(&fit).unwrap();
    let classical = fit.with_covariance(Covariance::Classical).unwrap();
    for (a, b) in residual
        .std_errors()
        .iter()
        .zip(classical.std_errors().iter())
    {
        assert!((a / b - 1.0).abs() < 0.08, "{a} {b}");
    }
    let score = ScoreBootstrap::new("treat = 0").seed(7).run(&fit).unwrap();
    let wild = WildBootstrap::new("treat = 0").seed(7).run(&fit).unwrap();
    let p = fit.coefficient("treat").unwrap().p_value();
    assert!(
        (score.p_value - p).abs() < 0.01 && (wild.p_value - p).abs() < 0.01,
        "{p} {score} {wild}"
    );
    let influence = fit.influence(None).unwrap();
    let hc0 = fit.with_covariance(Covariance::Hc0).unwrap();
    let meat = influence.transpose() * &influence;
    agree(
        "influence",
        meat.as_slice(),
        hc0.covariance().as_slice(),
        1e-10,
    );
}

#[test]
fn the_chart_over_sample_sizes() {
    let frame = datasets::load("card").unwrap();
    let model = Ols::new("lwage ~ educ + exper");
    let chart = SampleSizeChart::new()
        .seed(7)
        .ols(&frame, &model, "educ")
        .unwrap();
    let whole = model.fit(&frame).unwrap().coefficient("educ").unwrap();
    let last = &chart.points[9];
    assert_eq!(
        (last.estimate, last.p_value, last.fits),
        (whole.estimate, whole.p_value(), 1)
    );
    // Widths shrink with √n, estimates do not move.
    for pair in chart.points.windows(2) {
        let width = |p: &SampleSizePoint| (p.upper - p.lower) * (p.rows as f64).sqrt();
        assert!((width(&pair[0]) / width(&pair[1]) - 1.0).abs() < 0.15);
        assert!((pair[0].estimate - whole.estimate).abs() < 0.2 * whole.estimate);
    }
    assert!(chart.coefficient_figure().is_ok() && chart.p_value_figure().is_ok());
    assert!(
        chart.to_html().matches("<svg").count() == 2 && chart.to_string().contains("3,010"),
        "{chart}"
    );
    let run = |chart: SampleSizeChart| chart.ols(&frame, &model, "educ").unwrap_err();
    assert!(matches!(
        run(SampleSizeChart::new()),
        Error::SeedRequired { .. }
    ));
    assert!(matches!(
        run(SampleSizeChart::new().seed(1).sizes([1])),
        Error::InvalidOption { .. }
    ));
    assert!(matches!(
        run(SampleSizeChart::new().seed(1).sizes([9999])),
        Error::InvalidOption { .. }
    ));
    // Samples of three rows cannot be fitted.
    assert!(matches!(
        run(SampleSizeChart::new().seed(1).sizes([3])),
        Error::Unidentified { .. }
    ));
}

/// Shares over replications of what `once` returns.
fn simulate<const K: usize>(
    name: &str,
    replications: usize,
    once: impl Fn(&mut ChaCha8Rng) -> [bool; K] + Sync,
) -> [f64; K] {
    let seed = Seed::new(2026).child(name);
    let draws = blocks::map(replications, |i| once(&mut seed.stream(i as u64)));
    let share =
        std::array::from_fn(|k| draws.iter().filter(|d| d[k]).count() as f64 / replications as f64);
    println!("{name}: {share:.4?}");
    share
}

fn normal(random: &mut ChaCha8Rng) -> f64 {
    StandardNormal.sample(random)
}

/// Coverage of 90 % intervals for the mean of 40 draws: percentile, BCa, bootstrap-t, basic.
fn coverage(name: &str, truth: f64, draw: impl Fn(&mut ChaCha8Rng) -> f64 + Sync) -> [f64; 4] {
    simulate(name, 1000, |random| {
        let y: Vec<f64> = (0..40).map(|_| draw(random)).collect();
        let frame = Frame::new().with("y", y).unwrap();
        let fit = Bootstrap::pairs()
            .draws(399)
            .seed(rand::Rng::next_u64(random))
            .bca()
            .run_studentized(&frame, |r| {
                let (n, mean) = (r.rows() as f64, r.mean("y")?);
                let y = r.source().real("y")?;
                let rows = r.weights().iter().zip(y);
                let square: f64 = rows.map(|(w, y)| w * (y - mean).powi(2)).sum();
                Ok(vec![Estimate {
                    name: "mean".to_owned(),
                    estimate: mean,
                    std_error: (square / (n * (n - 1.0))).sqrt(),
                    degrees_of_freedom: n - 1.0,
                }])
            })
            .unwrap();
        [
            Method::Percentile,
            Method::Bca,
            Method::BootstrapT,
            Method::Basic,
        ]
        .map(|method| {
            let i = &fit.confidence_interval_by(method, 0.9).unwrap()[0];
            i.lower <= truth && truth <= i.upper
        })
    })
}

#[test]
fn bootstrap_intervals_cover() {
    // Three Monte Carlo standard errors are 2.8 points.
    let [percentile, bca, student, _] =
        coverage("exponential", 1.0, |random| rand_distr::Exp1.sample(random));
    assert!((student - 0.9).abs() < 0.03, "{student}");
    assert!(
        (bca - 0.9).abs() < 0.04 && (percentile - 0.9).abs() < 0.05,
        "{bca} {percentile}"
    );
    // Lognormal outcomes, as spending is: skewness costs first-order methods most (Davison & Hinkley 1997, section 5.7).
    let [percentile, bca, student, basic] =
        coverage("lognormal", 0.5_f64.exp(), |random| normal(random).exp());
    assert!(student > bca && bca > percentile && percentile > basic);
    assert!(student > 0.85 && basic > 0.78);
}

#[test]
fn the_wild_cluster_bootstrap_keeps_its_size_where_cr1_does_not() {
    // Eight equal clusters, four treated, with common shocks.
    let [cr1, cr3, restricted, webb] = simulate("eight clusters", 1500, |random| {
        let (mut y, mut d, mut g) = (vec![], vec![], vec![]);
        for cluster in 0..8 {
            let shock = normal(random);
            for _ in 0..20 {
                y.push(shock + normal(random));
                d.push(f64::from(cluster % 2));
                g.push(f64::from(cluster));
            }
        }
        let frame = Frame::new()
            .with("y", y)
            .unwrap()
            .with("d", d)
            .unwrap()
            .with("g", g)
            .unwrap();
        let fit = Ols::new("y ~ d")
            .covariance(Covariance::cluster("g"))
            .fit(&frame)
            .unwrap();
        // Against the normal distribution, as is done in practice with "many" clusters.
        let t = fit.coefficient("d").unwrap();
        let cr3 = fit.with_covariance(Covariance::cr3("g")).unwrap();
        let seed = rand::Rng::next_u64(random);
        let wild = |weights| {
            let boot = WildBootstrap::new("d = 0")
                .cluster("g")
                .weights(weights)
                .draws(399);
            boot.seed(seed).run(&fit).unwrap().p_value
        };
        [
            t.statistic(0.0).abs() > 1.96,
            cr3.coefficient("d").unwrap().p_value() < 0.05,
            wild(WildWeights::Rademacher) <= 0.05,
            wild(WildWeights::Webb) <= 0.05,
        ]
    });
    assert!(cr1 > 0.10, "{cr1}");
    assert!(cr3 < 0.07, "{cr3}");
    // With eight clusters the restricted bootstrap rejects 6.2 % (20 000 simulations of the cluster means with another program); three
    // standard errors are 1.9 points.
    assert!((restricted - 0.062).abs() < 0.019, "{restricted}");
    assert!((webb - restricted).abs() < 0.015, "{webb} {restricted}");
}

#[test]
fn the_score_bootstrap_keeps_its_size_with_many_clusters() {
    let [size] = simulate("score", 1000, |random| {
        let (mut y, mut x, mut g) = (vec![], vec![], vec![]);
        for cluster in 0..60 {
            let (shock, common) = (normal(random), normal(random));
            for _ in 0..5 {
                y.push(shock + normal(random));
                x.push(common + normal(random));
                g.push(f64::from(cluster));
            }
        }
        let frame = Frame::new()
            .with("y", y)
            .unwrap()
            .with("x", x)
            .unwrap()
            .with("g", g)
            .unwrap();
        let fit = Ols::new("y ~ x").fit(&frame).unwrap();
        let score = ScoreBootstrap::new("x = 0").cluster("g").draws(299);
        [score
            .seed(rand::Rng::next_u64(random))
            .run(&fit)
            .unwrap()
            .p_value
            <= 0.05]
    });
    assert!((size - 0.05).abs() < 0.025, "{size}");
}

#[test]
fn the_fast_poisson_mean_is_the_mean_of_the_resamples() {
    let frame = datasets::load("nsw").unwrap();
    let boot = Bootstrap::poisson().draws(400).seed(7);
    let fast = boot.mean(&frame, "re78").unwrap();
    let slow = boot.run(&frame, |r| Ok(vec![r.mean("re78")?])).unwrap();
    agree(
        "means",
        fast.replicates().as_slice(),
        slow.replicates().as_slice(),
        1e-13,
    );
    // Three Monte Carlo standard errors of 400 replicates are 11 %.
    let se = Bootstrap::pairs().draws(4000).seed(7);
    let se = se.mean(&frame, "re78").unwrap().std_errors()[0];
    assert!((fast.std_errors()[0] / se - 1.0).abs() < 0.11);
    // A resample of one row draws none with probability 1/e; it is counted.
    let one = Frame::new().with("y", vec![3.0]).unwrap();
    let fit = boot.mean(&one, "y").unwrap();
    let share = fit.failed() as f64 / 400.0;
    assert!((share - (-1.0_f64).exp()).abs() < 0.08, "{share}");
    assert!(fit.first_failure().unwrap().contains("drew none"));
    assert!(fit.replicates().iter().all(|m| *m == 3.0));
}

/// A logit with 60 shops: the score bootstrap needs no new fit.
fn logit_sample(random: &mut ChaCha8Rng) -> Frame {
    let (mut y, mut x, mut g) = (vec![], vec![], vec![]);
    for shop in 0..60 {
        let (shock, common) = (normal(random), normal(random));
        for _ in 0..5 {
            let index = 0.3 + shock + 1.8 * normal(random);
            y.push(f64::from(u8::from(index > 0.0)));
            x.push(common + normal(random));
            g.push(f64::from(shop));
        }
    }
    let frame = Frame::new().with("y", y).unwrap();
    frame.with("x", x).unwrap().with("g", g).unwrap()
}

#[test]
fn the_score_bootstrap_of_a_likelihood_keeps_its_size() {
    let [size, naive] = simulate("score of a logit", 1000, |random| {
        let fit = Logit::new("y ~ x").fit(&logit_sample(random)).unwrap();
        let score = ScoreBootstrap::new("x = 0").draws(299);
        let seed = rand::Rng::next_u64(random);
        let p = |s: ScoreBootstrap| s.seed(seed).run(&fit).unwrap().p_value;
        [p(score.clone().cluster("g")) <= 0.05, p(score) <= 0.05]
    });
    // Three Monte Carlo standard errors are 2.1 points.
    assert!((size - 0.05).abs() < 0.021, "{size}");
    assert!(naive > size + 0.02, "{naive}");
}

#[test]
fn the_score_bootstrap_of_a_likelihood_agrees_with_the_wald_test() {
    let frame = datasets::load("nsw").unwrap();
    let logit = Logit::new("treat ~ age + educ + black").covariance(Covariance::Hc0);
    let fit = logit.fit(&frame).unwrap();
    for name in ["age", "educ", "black"] {
        let test = ScoreBootstrap::new(format!("{name} = 0")).draws(19_999);
        let test = test.seed(7).run(&fit).unwrap();
        let wald = fit.coefficient(name).unwrap();
        agree("HC0", &[test.std_error], &[wald.std_error], 1e-9);
        assert!((test.p_value - wald.p_value()).abs() < 0.015, "{test}");
    }
    let p = |m: &LikelihoodFit| {
        let test = ScoreBootstrap::new("educ = 0").draws(999).seed(7);
        test.cluster("age").run(m)
    };
    let clustered = fit.with_covariance(Covariance::cluster("age")).unwrap();
    let ratio = p(&fit).unwrap().std_error / clustered.coefficient("educ").unwrap().std_error;
    assert!(ratio < 1.0 && ratio > 0.97, "{ratio}"); // CR0 over CR1 with 34 clusters
    assert!(matches!(p(&fit.lean()), Err(Error::DataNotKept { .. })));
    // Equal rows have errors of their own: they cannot be one unit.
    let rows = frame.rows();
    let twice = frame.with("f", vec![2.0; rows]).unwrap();
    let test = ScoreBootstrap::new("educ = 0").draws(99).seed(7);
    let logit = Logit::new("treat ~ educ").frequency_weights("f");
    let ols = Ols::new("treat ~ educ").frequency_weights("f");
    for error in [
        test.run(&logit.fit(&twice).unwrap()),
        test.run(&ols.fit(&twice).unwrap()),
    ] {
        assert!(matches!(error, Err(Error::InvalidOption { .. })));
    }
}
