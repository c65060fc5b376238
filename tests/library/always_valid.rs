//! Always-valid inference against written-out formulas, other software's printed numbers, simulation and properties.

use crate::support::{fixture, numbers};
use cocreate::numeric::permutation::open_unit;
use cocreate::numeric::special::normal;
use cocreate::prelude::*;
use proptest::prelude::*;
use rand::Rng;
use serde_json::Value;

fn close(what: &str, ours: f64, theirs: f64, tolerance: f64) {
    assert!(
        (ours - theirs).abs() <= tolerance * theirs.abs().max(1.0),
        "{what}: ours {ours}, theirs {theirs}"
    );
}

fn number(value: &Value, name: &str) -> f64 {
    value[name].as_f64().unwrap()
}

fn mixture(family: &str, rho: f64, parameter: f64) -> MixtureBoundary {
    match family {
        "normal" => MixtureBoundary::normal(rho),
        "one_sided_normal" => MixtureBoundary::one_sided_normal(rho),
        "gamma_exponential" => MixtureBoundary::gamma_exponential(rho, parameter),
        _ => MixtureBoundary::bernoulli(rho, parameter),
    }
    .unwrap()
}

#[test]
fn boundaries_agree_with_forty_digits() {
    for case in fixture("always_valid")["values"]["boundaries"]
        .as_array()
        .unwrap()
    {
        let rho =
            MixtureBoundary::best_rho(number(case, "planned"), number(case, "tuned")).unwrap();
        close("rho", rho, number(case, "rho"), 1e-14);
        let curve = mixture(
            case["family"].as_str().unwrap(),
            rho,
            number(case, "parameter"),
        );
        let v = number(case, "v");
        let bound = curve.threshold(v, number(case, "alpha")).unwrap();
        close(&case.to_string(), bound, number(case, "threshold"), 1e-11);
        close(
            &case.to_string(),
            curve.log_value(3.0, v),
            number(case, "log_value_at_3"),
            1e-9,
        );
    }
}

#[test]
fn boundaries_agree_with_confseq() {
    let values = &fixture("always_valid")["values"]["confseq"];
    let rho = MixtureBoundary::best_rho(1_000.0, 0.05).unwrap();
    for family in ["normal", "gamma_exponential"] {
        let (curve, alpha) = match family {
            "normal" => (mixture(family, rho, 0.0), 0.05),
            _ => (mixture(family, rho, 1.0), 0.025),
        };
        for (v, theirs) in numbers(&values["v"])
            .into_iter()
            .zip(numbers(&values[family]))
        {
            // All eight printed decimals, but at v = 1e6, where the rounding of their logarithms of gamma functions shows (40 digits say …64181).
            let digits = if family == "normal" || v < 1e6 {
                5.1e-9
            } else {
                2e-7
            };
            let ours = curve.threshold(v, alpha).unwrap();
            assert!(
                (ours - theirs).abs() < digits,
                "{family} {v}: {ours} {theirs}"
            );
        }
    }
    for (family, parameter, sides) in [
        ("normal", 0.0, 1.0),
        ("one_sided_normal", 0.0, 2.0),
        ("gamma_exponential", 2.0, 2.0),
        ("bernoulli", 0.2, 2.0),
    ] {
        let rho = MixtureBoundary::best_rho(100.0, sides * 0.05).unwrap();
        let curve = mixture(family, rho, parameter);
        let theirs = numbers(&values["unit"][family]);
        close(family, curve.log_value(10.0, 100.0), theirs[0], 1e-7);
        close(
            family,
            curve.threshold(100.0, 0.05).unwrap(),
            theirs[1],
            3e-7,
        );
    }
}

#[test]
fn asymptotic_sequences_and_msprt_agree_with_their_formulas() {
    let values = &fixture("always_valid")["values"];
    for (n, half) in values["asymptotic"].as_object().unwrap() {
        let n: u64 = n.parse().unwrap();
        // Rows of variance one, as sums.
        let mut mean = MeanSequence::asymptotic(5_000).unwrap();
        let look = mean.observe_sums("all", n, 3.0, n as f64).unwrap();
        close("mean", look.upper - 3.0, half.as_f64().unwrap(), 1e-12);
        let mut effect = EffectSequence::planned(5_000).unwrap();
        let look = effect
            .observe_estimate("all", n, 3.0, (n as f64).sqrt().recip())
            .unwrap();
        close("effect", 3.0 - look.lower, half.as_f64().unwrap(), 1e-12);
    }
    for (n, half) in values["msprt"].as_object().unwrap() {
        let n: u64 = n.parse().unwrap();
        let mut effect = EffectSequence::prior_variance(0.01).unwrap();
        let look = effect
            .observe_estimate("all", n, 0.0, (2.0 / n as f64).sqrt())
            .unwrap();
        close("msprt", look.upper, half.as_f64().unwrap(), 1e-12);
        let (v, tau2) = (2.0 / n as f64, 0.01);
        let theta = 5.0 * v.sqrt();
        let ratio =
            f64::sqrt(v / (v + tau2)) * (tau2 * theta * theta / (2.0 * v * (v + tau2))).exp();
        let look = effect
            .observe_estimate("again", n, theta, v.sqrt())
            .unwrap();
        close("p", look.p_value, ratio.recip().min(1.0), 1e-12);
        close("e", effect.e_value().value(), ratio, 1e-12);
    }
}

fn squares() -> Vec<f64> {
    (1..=800)
        .map(|i| (f64::from(i * 7_919 % 1_009) / 1_008.0).powi(2))
        .collect()
}

#[test]
fn bounded_means_agree_with_their_formulas() {
    let values = &fixture("always_valid")["values"];
    let x = squares();
    for case in values["bernstein"].as_array().unwrap() {
        let mut mean = MeanSequence::bounded(0.0, 1.0, 1_000).unwrap();
        let mut sums = mean.clone();
        let cuts: Vec<usize> = match &case["blocks"] {
            Value::Array(cuts) => cuts.iter().map(|c| c.as_u64().unwrap() as usize).collect(),
            _ => (0..=800).collect(),
        };
        for block in cuts.windows(2) {
            let rows = &x[block[0]..block[1]];
            mean.observe("", rows).unwrap();
            let moments = Moments::of(&[rows], None).unwrap();
            sums.observe_moments("", &moments).unwrap();
        }
        close("lower", mean.interval().lower, number(case, "lower"), 1e-10);
        close("upper", mean.interval().upper, number(case, "upper"), 1e-10);
        assert_eq!(mean, sums);
    }
    let mut betting = BettingSequence::new(0.0, 1.0).unwrap().null(0.4).unwrap();
    let mut shifted = BettingSequence::new(-1.0, 3.0).unwrap().null(0.6).unwrap();
    let mut from = 0;
    for rows in [50, 200, 800] {
        let look = betting.observe(rows.to_string(), &x[from..rows]).unwrap();
        let wide: Vec<f64> = x[from..rows].iter().map(|v| 4.0 * v - 1.0).collect();
        let moved = shifted.observe(rows.to_string(), &wide).unwrap();
        from = rows;
        let case = &values["betting"][rows.to_string()];
        close("lower", look.lower, number(case, "lower"), 1e-12);
        close("upper", look.upper, number(case, "upper"), 1e-12);
        close("p", look.p_value, number(case, "p_value"), 1e-10);
        close(
            "capital",
            look.log_e_value,
            number(case, "log_capital"),
            1e-10,
        );
        close("moved", moved.lower, 4.0 * look.lower - 1.0, 1e-12);
        close("moved p", moved.p_value, look.p_value, 1e-9);
    }
}

#[test]
fn quantiles_agree_with_every_count_tried() {
    let y: Vec<f64> = (1..=800).map(|i| f64::from(i * 7_919 % 1_009)).collect();
    for case in fixture("always_valid")["values"]["quantiles"]
        .as_array()
        .unwrap()
    {
        let mut quantile = QuantileSequence::new(number(case, "p"), 1_000).unwrap();
        quantile.observe("a", &y[..300]).unwrap();
        let look = quantile.observe("b", &y[300..]).unwrap();
        assert_eq!(
            [look.estimate, look.lower, look.upper],
            ["estimate", "lower", "upper"].map(|name| number(case, name))
        );
    }
}

#[test]
fn proportions_agree_with_roots_of_the_mixtures() {
    let case = &fixture("always_valid")["values"]["proportion"];
    let mut rate = ProportionSequence::new(1_000).unwrap();
    rate.observe("a", 30, 500).unwrap();
    let look = rate.observe("b", 7, 100).unwrap();
    close("lower", look.lower, number(case, "lower"), 1e-11);
    close("upper", look.upper, number(case, "upper"), 1e-11);
}

#[test]
fn regressions_agree_with_the_marginal_likelihood() {
    let values = &fixture("always_valid")["values"]["regression"];
    let j: Vec<f64> = (1..=60).map(f64::from).collect();
    let z: Vec<f64> = j.iter().map(|j| j % 2.0).collect();
    let a: Vec<f64> = j.iter().map(|j| j.sin()).collect();
    let b: Vec<f64> = j.iter().map(|j| (j * 13.0 % 7.0) / 3.0).collect();
    let y: Vec<f64> = (0..60)
        .map(|i| {
            1.0 + 0.4 * z[i] + a[i] - 0.5 * b[i] + (j[i] * j[i]).sin() + 0.2 * (3.0 * j[i]).cos()
        })
        .collect();
    let variance = number(values, "prior_variance");
    let mut sequence = RegressionSequence::prior_variance("z", variance).unwrap();
    let mut pair = JointRegressionSequence::prior_variance(["z", "b"], variance).unwrap();
    let mut alone = JointRegressionSequence::prior_variance(["z"], variance).unwrap();
    let joint = numbers(&values["joint_log_e_values"]);
    for (case, joint) in values["looks"].as_array().unwrap().iter().zip(joint) {
        let rows = case["rows"].as_u64().unwrap() as usize;
        let mut frame = Frame::new();
        for (name, column) in [("y", &y), ("z", &z), ("a", &a), ("b", &b)] {
            frame = frame.with(name, column[..rows].to_vec()).unwrap();
        }
        let fit = Ols::new("y ~ z + a + b")
            .covariance(Covariance::Classical)
            .fit(&frame)
            .unwrap();
        let look = sequence.observe(rows.to_string(), &fit).unwrap();
        for (ours, name) in [
            (look.estimate, "estimate"),
            (look.log_e_value, "log_e_value"),
            (look.lower, "lower"),
            (look.upper, "upper"),
        ] {
            close(name, ours, number(case, name), 1e-9);
        }
        close(
            "joint",
            pair.observe("", &fit).unwrap().log_e_value,
            joint,
            1e-9,
        );
        let one = alone.observe("", &fit).unwrap();
        close("one", one.log_e_value, look.log_e_value, 1e-10);
        close(
            "F",
            one.f_statistic,
            fit.coefficient("z").unwrap().statistic(0.0).powi(2),
            1e-9,
        );
        let robust = fit.with_covariance(Covariance::Hc1).unwrap();
        let text = sequence.observe("robust", &robust).unwrap_err().to_string();
        assert!(text.contains("EffectSequence"), "{text}");
        assert!(pair.observe("robust", &robust).is_err());
    }
    let frame = Frame::new()
        .with("y", y[..9].to_vec())
        .unwrap()
        .with("z", z[..9].to_vec())
        .unwrap();
    let fewer = Ols::new("y ~ z")
        .covariance(Covariance::Classical)
        .fit(&frame)
        .unwrap();
    assert!(sequence.observe("fewer", &fewer).is_err() && alone.observe("fewer", &fewer).is_err());
    let mut absent = JointRegressionSequence::planned(["a"], 10).unwrap();
    assert!(matches!(
        absent.observe("", &fewer),
        Err(Error::UnknownCoefficient { .. })
    ));
    assert!(JointRegressionSequence::planned(Vec::<String>::new(), 10).is_err());
    assert!(JointRegressionSequence::prior_variance(["a"], 0.0).is_err());
    let back: JointRegressionSequence =
        serde_json::from_str(&serde_json::to_string(&pair).unwrap()).unwrap();
    assert_eq!(back, pair);
    assert!(
        pair.to_string().contains("z = b = 0") && pair.figure().is_ok() && absent.figure().is_err()
    );
}

fn uniform(stream: &mut dyn Rng) -> f64 {
    open_unit(stream.next_u64())
}

fn gaussian(stream: &mut dyn Rng) -> f64 {
    normal::quantile(uniform(stream))
}

/// The share of `runs` where `missed` says that a sequence left its truth at any look, with its Monte Carlo standard error.
fn share(runs: u64, seed: u64, missed: impl Fn(&mut dyn Rng) -> bool) -> (f64, f64) {
    let hits = (0..runs)
        .filter(|run| missed(&mut Seed::new(seed).stream(*run)))
        .count() as f64;
    let share = hits / runs as f64;
    (share, (0.05 * 0.95 / runs as f64).sqrt())
}

#[test]
fn type_one_error_is_at_most_nominal_under_continuous_peeking() {
    const RUNS: u64 = 500;
    const LOOKS: usize = 150;
    // Exact methods, a look after every row, three, five or ten rows: the truth leaves the interval at any look in at most 5 % of runs.
    let bernoulli = |p: f64| move |s: &mut dyn Rng| f64::from(uniform(&mut *s) < p);
    for (name, seed, p) in [("rare", 1, 0.05), ("even", 2, 0.5)] {
        let draw = bernoulli(p);
        let (missed, error) = share(RUNS, seed, |s| {
            let mut mean = MeanSequence::bounded(0.0, 1.0, 100)
                .unwrap()
                .null(p)
                .unwrap();
            (0..LOOKS / 3).any(|_| {
                let rows = [0; 3].map(|_| draw(&mut *s));
                !mean.observe("", &rows).unwrap().contains(p)
            })
        });
        println!("empirical Bernstein, {name}: {missed} ± {error:.4}");
        assert!(missed <= 0.05 + 3.0 * error);
        let (missed, error) = share(RUNS, seed, |s| {
            let mut rate = ProportionSequence::new(20).unwrap().null(p).unwrap();
            (0..LOOKS / 5).any(|_| {
                let events = (0..5).filter(|_| draw(&mut *s) > 0.5).count() as u64;
                rate.observe("", events, 5).unwrap().p_value <= 0.05
            })
        });
        println!("proportion, {name}: {missed} ± {error:.4}");
        assert!(missed <= 0.05 + 3.0 * error);
        let (missed, error) = share(RUNS, seed, |s| {
            let mut mean = BettingSequence::new(0.0, 1.0)
                .unwrap()
                .cells(40)
                .unwrap()
                .null(p)
                .unwrap();
            (0..LOOKS).any(|_| {
                let x = draw(&mut *s);
                mean.observe("", &[x]).unwrap().p_value <= 0.05
            })
        });
        println!("betting, {name}: {missed} ± {error:.4}");
        assert!(missed <= 0.05 + 3.0 * error);
    }
    let (missed, error) = share(RUNS, 3, |s| {
        let mut mean = MeanSequence::sub_gaussian(1.0, 500).unwrap();
        (0..LOOKS).any(|_| {
            let x = gaussian(&mut *s);
            mean.observe("", &[x]).unwrap().p_value <= 0.05
        })
    });
    println!("normal mixture: {missed} ± {error:.4}");
    assert!(missed <= 0.05 + 3.0 * error);
    // A quantile of a distribution without a mean.
    let (missed, error) = share(RUNS, 4, |s| {
        let mut median = QuantileSequence::new(0.75, 500).unwrap().null(1.0).unwrap();
        (0..LOOKS / 4).any(|_| {
            let x: Vec<f64> = (0..10)
                .map(|_| (std::f64::consts::PI * (uniform(&mut *s) - 0.5)).tan())
                .collect();
            median.observe("", &x).unwrap().p_value <= 0.05
        })
    });
    println!("quantile of Cauchy: {missed} ± {error:.4}");
    assert!(missed <= 0.05 + 3.0 * error);
}

#[test]
fn peeking_at_fixed_intervals_fails_and_asymptotic_sequences_hold() {
    const RUNS: u64 = 1_000;
    // Revenue: log-normal with a coefficient of variation of 1.3, two arms, a look every 20 rows of each up to 2,000.
    let sums = |s: &mut dyn Rng, arms: &mut [Moments; 2]| {
        for arm in arms.iter_mut() {
            let rows: Vec<f64> = (0..20).map(|_| gaussian(&mut *s).exp()).collect();
            arm.push(&[&rows], None).unwrap();
        }
        let of = |m: &Moments| (m.mean()[0], m.covariance(1.0)[(0, 0)] / m.weight());
        let [(a, va), (b, vb)] = [of(&arms[0]), of(&arms[1])];
        (2 * arms[0].rows(), a - b, (va + vb).sqrt())
    };
    let (naive, error) = share(RUNS, 5, |s| {
        let mut arms = [Moments::empty(1), Moments::empty(1)];
        (0..100).any(|_| {
            let (rows, effect, error) = sums(&mut *s, &mut arms);
            rows >= 100 && effect.abs() > 1.959_964 * error
        })
    });
    println!("fixed interval at 98 looks: {naive} ± {error:.4}");
    assert!(naive > 0.25, "{naive}");
    let (missed, error) = share(RUNS, 5, |s| {
        let mut arms = [Moments::empty(1), Moments::empty(1)];
        let mut effect = EffectSequence::planned(2_000).unwrap();
        (0..100).any(|_| {
            let (rows, estimate, error) = sums(&mut *s, &mut arms);
            effect
                .observe_estimate("", rows, estimate, error)
                .unwrap()
                .p_value
                <= 0.05
        })
    });
    println!("asymptotic sequence: {missed} ± {error:.4}");
    assert!(missed <= 0.05 + 3.0 * error);
    // It finds an effect of two fifths of a standard deviation.
    let (found, _) = share(100, 6, |s| {
        let mut arms = [Moments::empty(1), Moments::empty(1)];
        let mut effect = EffectSequence::planned(2_000)
            .unwrap()
            .alternative(Alternative::Greater)
            .unwrap();
        (0..100).any(|_| {
            let (rows, estimate, error) = sums(&mut *s, &mut arms);
            effect
                .observe_estimate("", rows, estimate + 0.8, error)
                .unwrap()
                .p_value
                <= 0.05
        })
    });
    assert!(found > 0.99, "{found}");
}

#[test]
fn asymptotics_fail_where_tails_are_heavy_and_hold_between_equal_arms() {
    const RUNS: u64 = 500;
    // Log-normal with σ = 2, whose standard deviation is seven times its mean, a look every 50 rows up to 5,000.
    let draw = |s: &mut dyn Rng| -> Vec<f64> {
        (0..50).map(|_| (2.0 * gaussian(&mut *s)).exp()).collect()
    };
    let truth = 2.0_f64.exp();
    let (alone, error) = share(RUNS, 14, |s| {
        let mut mean = MeanSequence::asymptotic(5_000)
            .unwrap()
            .null(truth)
            .unwrap();
        (0..100).any(|_| mean.observe("", &draw(&mut *s)).unwrap().p_value <= 0.05)
    });
    println!("one heavy-tailed mean: {alone} ± {error:.4}");
    assert!(alone > 0.15, "{alone}");
    let (between, error) = share(RUNS, 14, |s| {
        let mut arms = [Moments::empty(1), Moments::empty(1)];
        let mut effect = EffectSequence::planned(5_000).unwrap();
        (0..100).any(|_| {
            for arm in &mut arms {
                arm.push(&[&draw(&mut *s)], None).unwrap();
            }
            let of = |m: &Moments| (m.mean()[0], m.covariance(1.0)[(0, 0)] / m.weight());
            let [(a, va), (b, vb)] = [of(&arms[0]), of(&arms[1])];
            let rows = 2 * arms[0].rows();
            effect
                .observe_estimate("", rows, a - b, (va + vb).sqrt())
                .unwrap()
                .p_value
                <= 0.05
        })
    });
    println!("difference of two equal arms: {between} ± {error:.4}");
    assert!(between <= 0.05 + 3.0 * error, "{between}");
    // The median needs no tails.
    let (median, error) = share(200, 14, |s| {
        let mut median = QuantileSequence::new(0.5, 2_000)
            .unwrap()
            .null(1.0)
            .unwrap();
        (0..40).any(|_| median.observe("", &draw(&mut *s)).unwrap().p_value <= 0.05)
    });
    println!("median: {median} ± {error:.4}");
    assert!(median <= 0.05 + 3.0 * error, "{median}");
}

#[test]
fn several_metrics_are_watched_together() {
    // Five metrics of the same customers, none with an effect, stopped as soon as e-BH at 0.1 names one.
    let (stopped, _) = share(500, 15, |s| {
        let mut metrics = vec![MeanSequence::sub_gaussian(1.0, 20).unwrap(); 5];
        (0..100).any(|_| {
            let common = gaussian(&mut *s);
            for metric in &mut metrics {
                let row = (common + gaussian(&mut *s)) / 2.0_f64.sqrt();
                metric.observe("", &[row]).unwrap();
            }
            let e: Vec<EValue> = metrics.iter().map(MeanSequence::e_value).collect();
            MultipleTests::e_bh(["a", "b", "c", "d", "e"], &e, 0.1)
                .unwrap()
                .rejected()
                > 0
        })
    });
    println!("e-BH on five metrics at every row: {stopped}");
    assert!(stopped <= 0.1);
}

#[test]
fn metrics_of_a_streamed_experiment_hold_at_every_look() {
    // A ratio and a metric with a covariate, a look every 100 rows, no effect.
    const RUNS: u64 = 200;
    let experiment = Experiment::new("arm", "a")
        .metric(Metric::ratio("spend", "orders").name("ratio"))
        .metric(Metric::mean("spend").cuped(["before"]).name("adjusted"));
    let missed = |metric: &str, effect: f64| {
        share(RUNS, 9, |s| {
            let mut stream = ExperimentStream::new(experiment.clone()).unwrap();
            let mut sequence = EffectSequence::planned(1_000).unwrap();
            (0..12).any(|_| {
                let arm: Vec<&str> = (0..100)
                    .map(|_| if uniform(&mut *s) < 0.5 { "a" } else { "b" })
                    .collect();
                let before: Vec<f64> = (0..100).map(|_| -uniform(&mut *s).ln()).collect();
                let orders: Vec<f64> = before
                    .iter()
                    .map(|b| 1.0 + (b * 2.0 * uniform(&mut *s)).floor())
                    .collect();
                let spend: Vec<f64> = (0..100)
                    .map(|i| {
                        let tool = if arm[i] == "b" { effect } else { 0.0 };
                        orders[i] * (before[i] + tool - uniform(&mut *s).ln())
                    })
                    .collect();
                let frame = [("before", before), ("orders", orders), ("spend", spend)]
                    .into_iter()
                    .fold(Frame::new().with("arm", arm).unwrap(), |f, (name, v)| {
                        f.with(name, v).unwrap()
                    });
                stream.push(&frame).unwrap();
                let fit = stream.analyze().unwrap();
                sequence
                    .observe("", fit.effect(metric, "b").unwrap())
                    .unwrap()
                    .p_value
                    <= 0.05
            })
        })
    };
    for metric in ["ratio", "adjusted"] {
        let (size, error) = missed(metric, 0.0);
        println!("streamed experiment, {metric}: {size} ± {error:.4}");
        assert!(size <= 0.05 + 3.0 * error, "{metric} {size}");
        let (power, _) = missed(metric, 1.0);
        assert!(power > 0.95, "{metric} {power}");
    }
}

#[test]
fn widths_are_as_documented() {
    // At the planned rows one and a half times the interval that may be looked at once; near the lowest from a quarter to four times that.
    let half = |planned: f64, v: f64| {
        let rho = MixtureBoundary::best_rho(planned, 0.05).unwrap();
        MixtureBoundary::normal(rho)
            .unwrap()
            .threshold(v, 0.05)
            .unwrap()
    };
    let price = half(1_000.0, 1_000.0) / (1.959_964 * 1_000.0_f64.sqrt());
    assert!((price - 1.55).abs() < 0.01, "{price}");
    for times in [0.25, 4.0] {
        let loss = half(1_000.0, times * 1_000.0) / half(times * 1_000.0, times * 1_000.0);
        println!("planned for 1 000, read at {times} times that: {loss:.3} of the lowest");
        assert!((1.0..1.1).contains(&loss), "{loss}");
    }
    // On rare events a proportion is narrower than betting, that than empirical Bernstein, and that than a bound on the range alone.
    let mut stream = Seed::new(10).stream(0);
    let rows: Vec<f64> = (0..2_000)
        .map(|_| f64::from(uniform(&mut stream) < 0.05))
        .collect();
    let mut betting = BettingSequence::new(0.0, 1.0).unwrap();
    let mut bernstein = MeanSequence::bounded(0.0, 1.0, 2_000).unwrap();
    let mut range = MeanSequence::sub_gaussian(0.5, 2_000).unwrap();
    for block in rows.chunks(50) {
        betting.observe("", block).unwrap();
        bernstein.observe("", block).unwrap();
        range.observe("", block).unwrap();
    }
    let width = |i: Interval| i.upper - i.lower;
    let mut rate = ProportionSequence::new(2_000).unwrap();
    rate.observe("", rows.iter().sum::<f64>() as u64, 2_000)
        .unwrap();
    let widths = [
        rate.interval(),
        betting.interval(),
        bernstein.interval(),
        range.interval(),
    ]
    .map(width);
    println!("widths: proportion, betting, empirical Bernstein, sub-Gaussian {widths:?}");
    assert!(widths.is_sorted());
}

#[test]
fn the_anytime_t_test_holds_and_adjustment_helps() {
    const RUNS: u64 = 1_000;
    let run = |s: &mut dyn Rng, effect: f64| {
        // Residual sums of y on (1, z) with z = ±1 in turn: small enough to be written down.
        let mut sequence = RegressionSequence::planned("z", 200).unwrap();
        let (mut n, mut sy, mut syy, mut szy) = (0.0, 0.0, 0.0, 0.0);
        (0..150).any(|_| {
            for z in [-1.0, 1.0] {
                let y = effect * z + gaussian(&mut *s);
                n += 1.0;
                sy += y;
                syy += y * y;
                szy += z * y;
            }
            let estimate = szy / n;
            let rss = syy - sy * sy / n - n * estimate * estimate;
            let df = n - 2.0;
            let sigma = if df > 0.0 { (rss / df).sqrt() } else { 0.0 };
            let statistics = CoefficientStatistics {
                rows: n as u64,
                estimate,
                std_error: sigma / f64::sqrt(n),
                residual_std_error: sigma,
                residual_df: df,
            };
            sequence.observe_statistics("", statistics).unwrap().p_value <= 0.05
        })
    };
    let (missed, error) = share(RUNS, 7, |s| run(s, 0.0));
    println!("anytime t: {missed} ± {error:.4}");
    assert!(missed <= 0.05 + 3.0 * error);
    let (found, _) = share(100, 8, |s| run(s, 0.4));
    assert!(found > 0.99, "{found}");
}

proptest! {
    #[test]
    fn interval_and_p_value_agree(
        x in prop::collection::vec(0.0_f64..1.0, 30..200),
        null in 0.05_f64..0.95,
    ) {
        // The null value is outside the interval of a look exactly when its e-value reaches 1/α.
        let mut means = vec![
            MeanSequence::bounded(0.0, 1.0, 100).unwrap(),
            MeanSequence::sub_gaussian(0.5, 100).unwrap(),
            MeanSequence::asymptotic(100).unwrap().first_rows(2).unwrap(),
        ];
        for side in [Alternative::Greater, Alternative::Less] {
            means.push(MeanSequence::bounded(0.0, 1.0, 100).unwrap().alternative(side).unwrap());
            means.push(MeanSequence::sub_gaussian(0.5, 100).unwrap().alternative(side).unwrap());
        }
        for mean in means {
            let mut mean = mean.null(null).unwrap();
            for block in x.chunks(17) {
                let look = mean.observe("", block).unwrap();
                let rejected = look.log_e_value >= 20.0_f64.ln();
                let edge = (look.log_e_value - 20.0_f64.ln()).abs() < 1e-9;
                prop_assert!(edge || rejected != look.contains(null), "{mean}");
            }
            let set = mean.running_interval();
            prop_assert!(set.lower >= mean.interval().lower && set.upper <= mean.interval().upper);
        }
    }

    #[test]
    fn rates_and_their_p_values_agree(
        batches in prop::collection::vec((0_u64..20, 1_u64..60), 1..12),
        null in 0.02_f64..0.98,
        side in 0_usize..3,
    ) {
        let side = [Alternative::TwoSided, Alternative::Greater, Alternative::Less][side];
        let mut rate = ProportionSequence::new(200).unwrap().null(null).unwrap().alternative(side).unwrap();
        for (events, others) in batches {
            let look = rate.observe("", events, events + others).unwrap();
            let gap = look.log_e_value - 20.0_f64.ln();
            prop_assert!(gap.abs() < 1e-9 || (gap >= 0.0) != look.contains(null), "{rate}");
            prop_assert!((0.0..=look.estimate).contains(&look.lower) && (look.estimate..=1.0).contains(&look.upper));
        }
    }

    #[test]
    fn moving_and_scaling_moves_and_scales(
        x in prop::collection::vec(0.0_f64..1.0, 5..80),
        shift in -100.0_f64..100.0,
        scale in 0.1_f64..50.0,
    ) {
        let y: Vec<f64> = x.iter().map(|v| (shift + scale * v).clamp(shift, shift + scale)).collect();
        let mut a = MeanSequence::bounded(0.0, 1.0, 100).unwrap();
        let mut b = MeanSequence::bounded(shift, shift + scale, 100).unwrap();
        for (u, v) in x.chunks(9).zip(y.chunks(9)) {
            let (u, v) = (a.observe("", u).unwrap(), b.observe("", v).unwrap());
            prop_assert!((shift + scale * u.lower - v.lower).abs() < 1e-9 * (1.0 + shift.abs() + scale));
            prop_assert!((u.p_value - v.p_value).abs() < 1e-7);
        }
    }
}

#[test]
fn bad_input_is_refused_with_a_remedy() {
    let text = |e: Error| e.to_string();
    let mut bounded = MeanSequence::bounded(0.0, 1.0, 100).unwrap();
    let error = text(bounded.observe("", &[0.5, 1.5]).unwrap_err());
    assert!(
        error.contains("row 2") && error.contains("winsorise"),
        "{error}"
    );
    assert!(bounded.observe("", &[f64::NAN]).is_err());
    assert!(bounded.observe("", &[]).is_err());
    // Sums that no values in [0, 1] have.
    assert!(text(bounded.observe_sums("", 10, 1.2, 0.1).unwrap_err()).contains("between 0 and 1"));
    assert!(bounded.observe_sums("", 10, 0.5, 2.6).is_err());
    assert!(bounded.observe_sums("", 10, 0.5, -1.0).is_err());
    assert!(bounded.observe_sums("", 10, 0.5, 2.5).is_ok());
    assert_eq!(bounded.rows(), 10);
    assert!(text(bounded.clone().level(0.9).unwrap_err()).contains("before the first look"));
    assert!(bounded.clone().null(0.3).is_err());
    let two = Moments::of(&[&[0.1, 0.2], &[0.1, 0.2]], None).unwrap();
    assert!(bounded.observe_moments("", &two).is_err());
    let weighted = Moments::of(&[&[0.1, 0.2]], Some(&[1.0, 0.5])).unwrap();
    assert!(bounded.observe_moments("", &weighted).is_err());
    let mut beyond = MeanSequence::bounded(0.0, 1.0, 100)
        .unwrap()
        .null(1.5)
        .unwrap();
    assert!(text(beyond.observe("", &[0.5]).unwrap_err()).contains("between the bounds"));
    assert!(MeanSequence::bounded(1.0, 1.0, 100).is_err());
    assert!(MeanSequence::sub_gaussian(0.0, 100).is_err());
    assert!(MeanSequence::sub_gaussian(1.0, 0).is_err());
    assert!(
        MeanSequence::asymptotic(100)
            .unwrap()
            .expected_std_dev(1.0)
            .is_err()
    );
    assert!(
        MeanSequence::asymptotic(100)
            .unwrap()
            .first_rows(1)
            .is_err()
    );
    assert!(MeanSequence::asymptotic(100).unwrap().level(1.0).is_err());
    let one_sided = MeanSequence::asymptotic(100)
        .unwrap()
        .alternative(Alternative::Less)
        .unwrap();
    assert!(one_sided.level(0.4).is_err());

    assert!(text(EffectSequence::prior_variance(0.0).unwrap_err()).contains("prior without mass"));
    let mut effect = EffectSequence::planned(1_000).unwrap();
    effect.observe_estimate("", 500, 1.0, 0.1).unwrap();
    assert!(text(effect.observe_estimate("", 400, 1.0, 0.1).unwrap_err()).contains("at least 500"));
    assert!(effect.observe_estimate("", 600, 1.0, -0.1).is_err());
    assert!(effect.observe_estimate("", 600, f64::NAN, 0.1).is_err());
    // Nothing varied yet: no certainty.
    let mut none = EffectSequence::planned(1_000).unwrap();
    let look = none.observe_estimate("", 500, 0.0, 0.0).unwrap();
    assert!(look.lower.is_infinite() && look.p_value == 1.0);

    let mut rate = ProportionSequence::new(100).unwrap();
    assert!(text(rate.observe("", 3, 2).unwrap_err()).contains("at most the 2 rows"));
    assert!(rate.observe("", 0, 0).is_err() && ProportionSequence::new(0).is_err());
    assert!(
        ProportionSequence::new(100)
            .unwrap()
            .null(1.0)
            .unwrap()
            .observe("", 1, 2)
            .is_err()
    );
    let look = rate.observe("none yet", 0, 50).unwrap();
    assert!(look.lower == 0.0 && look.upper < 0.2);
    let look = rate.observe("all", 5_000_000, 5_000_000).unwrap();
    assert!(look.lower > 0.9 && look.upper < 1.0);

    assert!(BettingSequence::new(0.0, f64::INFINITY).is_err());
    assert!(BettingSequence::new(0.0, 1.0).unwrap().cells(1).is_err());
    let mut outside = BettingSequence::new(0.0, 1.0).unwrap().null(2.0).unwrap();
    assert!(outside.observe("", &[0.5]).is_err());
    assert!(QuantileSequence::new(1.0, 100).is_err());
    assert!(
        QuantileSequence::new(0.5, 100)
            .unwrap()
            .observe("", &[f64::INFINITY])
            .is_err()
    );
    assert!(RegressionSequence::prior_variance("z", -1.0).is_err());
    assert!(MixtureBoundary::normal(-1.0).is_err());
    assert!(MixtureBoundary::bernoulli(1.0, 0.0).is_err());
    assert!(
        MixtureBoundary::normal(1.0)
            .unwrap()
            .threshold(-1.0, 0.05)
            .is_err()
    );
    assert!(
        MixtureBoundary::normal(1.0)
            .unwrap()
            .threshold(1.0, 0.0)
            .is_err()
    );
}

#[test]
fn states_survive_a_restart_and_are_shown() {
    let x = squares();
    let mut betting = BettingSequence::new(0.0, 1.0).unwrap();
    let mut mean = MeanSequence::bounded(0.0, 1.0, 500)
        .unwrap()
        .named("share used");
    let mut quantile = QuantileSequence::new(0.5, 500).unwrap();
    let mut effect = EffectSequence::planned(500).unwrap();
    effect.observe_estimate("early", 10, 0.3, 0.2).unwrap();
    for part in [&x[..300], &x[300..]] {
        betting = serde_json::from_str(&serde_json::to_string(&betting).unwrap()).unwrap();
        mean = serde_json::from_str(&serde_json::to_string(&mean).unwrap()).unwrap();
        quantile = serde_json::from_str(&serde_json::to_string(&quantile).unwrap()).unwrap();
        betting.observe("day", part).unwrap();
        mean.observe("day", part).unwrap();
        quantile.observe("day", part).unwrap();
    }
    let mut whole = BettingSequence::new(0.0, 1.0).unwrap();
    whole.observe("day", &x).unwrap();
    assert_eq!(whole.interval(), betting.interval());
    let back: EffectSequence =
        serde_json::from_str(&serde_json::to_string(&effect).unwrap()).unwrap();
    assert_eq!(back, effect);
    let mut rate = ProportionSequence::new(100).unwrap();
    rate.observe("day", 3, 40).unwrap();
    let back: ProportionSequence =
        serde_json::from_str(&serde_json::to_string(&rate).unwrap()).unwrap();
    assert_eq!(back, rate);
    let mut slope = RegressionSequence::planned("z", 100).unwrap();
    let statistics = CoefficientStatistics {
        rows: 9,
        estimate: 1.0,
        std_error: 0.5,
        residual_std_error: 2.0,
        residual_df: 2.0,
    };
    assert!(
        slope
            .observe_statistics("early", statistics)
            .unwrap()
            .upper
            .is_infinite()
    );
    let back: RegressionSequence =
        serde_json::from_str(&serde_json::to_string(&slope).unwrap()).unwrap();
    assert_eq!(back, slope);
    assert!(
        rate.to_string().contains("proportion") && slope.to_string().contains("planned for 100")
    );
    let text = mean.to_string();
    assert!(
        text.contains("share used") && text.contains("Empirical Bernstein"),
        "{text}"
    );
    let figure = mean.figure().unwrap();
    assert!(figure.to_svg().contains("share used"));
    assert!(mean.to_html().contains("<table"));
    assert!(MeanSequence::asymptotic(10).unwrap().figure().is_err());
    // Rows in an order that their values make.
    let mut sorted = BettingSequence::new(0.0, 1.0).unwrap();
    sorted.observe("a", &[0.0; 500]).unwrap();
    assert!(sorted.warnings().is_empty());
    let look = sorted.observe("b", &vec![1.0; 5_000]).unwrap();
    assert!(
        sorted.warnings()[0].to_string().contains("from look b on"),
        "{sorted}"
    );
    assert!(
        look.upper - look.lower < 0.002 && sorted.to_string().contains("depends on their values")
    );
    // Looks that contradict each other are named.
    let mut jump = MeanSequence::sub_gaussian(0.1, 100).unwrap();
    jump.observe("a", &[0.0; 100]).unwrap();
    assert!(jump.warnings().is_empty());
    jump.observe("b", &[5.0; 100]).unwrap();
    assert!(jump.warnings()[0].to_string().contains("from look b on"));
}

#[test]
fn effects_of_an_experiment_are_followed() {
    let rows = 600;
    let arm: Vec<Option<&str>> = (0..rows)
        .map(|i| Some(["control", "tool"][i % 2]))
        .collect();
    let y: Vec<f64> = (0..rows)
        .map(|i| (i * 37 % 101) as f64 / 50.0 + (i % 2) as f64)
        .collect();
    let mut sequence = EffectSequence::planned(600).unwrap();
    for count in [200, 400, 600] {
        let frame = Frame::new()
            .with("arm", Label::from_text(&arm[..count]))
            .unwrap()
            .with("y", y[..count].to_vec())
            .unwrap();
        let fit = Experiment::new("arm", "control")
            .metric(Metric::mean("y"))
            .analyze(&frame)
            .unwrap();
        let effect = fit.effect("y", "tool").unwrap();
        let look = sequence.observe(count.to_string(), effect).unwrap();
        assert!(look.lower < effect.interval.lower && look.upper > effect.interval.upper);
    }
    assert!(sequence.p_value() < 1e-6);
    assert!(sequence.to_string().contains("y: tool against control"));
}

#[test]
fn rows_of_one_value_say_nothing_of_their_mean() {
    // The sums of 0.1 and 1.1 round, so that their squares are not zero.
    for value in [0.1, 1.1, 1e6 + 0.1] {
        let mut mean = MeanSequence::asymptotic(1_000).unwrap();
        for _ in 0..50 {
            let look = mean.observe("", &[value; 37]).unwrap();
            assert_eq!((look.p_value, look.lower), (1.0, f64::NEG_INFINITY));
        }
        let rows: Vec<f64> = (0..1_000).map(|i| value + f64::from(i % 2)).collect();
        assert!(mean.observe("", &rows).unwrap().p_value < 0.05);
    }
}

#[test]
fn certain_harm_is_no_evidence_of_good() {
    let mut effect = EffectSequence::planned(1_000)
        .unwrap()
        .alternative(Alternative::Greater)
        .unwrap();
    for std_error in [1e-8, 3.3e-10, 7.7e-11, 1e-12] {
        let look = effect.observe_estimate("", 1_000, -1.0, std_error).unwrap();
        assert!(look.log_e_value < -10.0 && look.p_value >= 1.0, "{look:?}");
    }
}

#[test]
fn many_coefficients_have_a_determinant() {
    // 45 coefficients whose pivots multiply to more than any number.
    let mut frame = Frame::new();
    let mut sum = vec![0.0; 500];
    let names: Vec<String> = (0..45_u32).map(|j| format!("x{j}")).collect();
    for (j, name) in (0_u32..).zip(&names) {
        let x: Vec<f64> = (0..500_u32)
            .map(|i| f64::from((i * 7_919 + j * 104_729 + i * i * (j + 3)) % 1_009) / 1_009.0)
            .collect();
        sum.iter_mut().zip(&x).for_each(|(s, x)| *s += x);
        frame = frame.with(name.as_str(), x).unwrap();
    }
    let y: Vec<f64> = (0_u32..)
        .zip(sum)
        .map(|(i, s)| s + f64::from(i * 37 % 101) / 101.0)
        .collect();
    let fit = Ols::new(format!("y ~ {}", names.join(" + ")))
        .covariance(Covariance::Classical)
        .fit(&frame.with("y", y).unwrap())
        .unwrap();
    let at = |variance: f64| {
        JointRegressionSequence::prior_variance(names.clone(), variance)
            .unwrap()
            .observe("", &fit)
            .unwrap()
            .log_e_value
    };
    // With a prior as wide as that, a hundred times more costs √100 a coefficient.
    assert!((at(1e8) - at(1e10) - 45.0 * 10.0_f64.ln()).abs() < 1e-3);
}

#[test]
fn what_numbers_do_not_hold_is_refused_and_changes_nothing() {
    assert!(BettingSequence::new(-1e308, 1e308).is_err());
    assert!(MeanSequence::bounded(-1e308, 1e308, 10).is_err());
    assert!(
        BettingSequence::new(0.0, 1.0)
            .unwrap()
            .cells(usize::MAX)
            .is_err()
    );
    let mut rate = ProportionSequence::new(10).unwrap();
    rate.observe("first", 3, 10).unwrap();
    let before = rate.clone();
    assert!(rate.observe("second", 1, u64::MAX).is_err());
    assert_eq!(rate, before);
    let mut mean = MeanSequence::sub_gaussian(1.0, 10).unwrap();
    mean.observe_sums("first", 5, 1e100, 0.0).unwrap();
    let before = mean.clone();
    assert!(mean.observe_sums("second", 5, -1e200, 0.0).is_err());
    assert_eq!(mean, before);
}
