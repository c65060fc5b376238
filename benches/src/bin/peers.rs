//! Times one task of this crate as `peers/` times the reference software: same file, same repetitions, same JSON.
//!
//! `cargo run --release -p cocreate-benches --bin peers -- TASK FILE [REPETITIONS]`. Reading the data is not timed, except in the tasks `csv` and `off_policy_file`.
#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::process::ExitCode;
use std::time::Instant;
use std::{env, fs, io};

#[path = "../observational.rs"]
mod observational;

use cocreate::prelude::*;
use serde_json::{Map, Value, json};

/// Linux counts processor time in ticks of 1/100 s (USER_HZ, fixed by its interface to user space).
const TICKS_PER_SECOND: f64 = 100.0;
const DEFAULT_REPETITIONS: usize = 5;

/// What a task does once, and the numbers it found, which the driver compares with the peer's.
type Once = Box<dyn Fn() -> Result<Map<String, Value>, Failure>>;
type Failure = Box<dyn std::error::Error>;

fn main() -> ExitCode {
    match run() {
        Ok(record) => {
            println!("{record}");
            ExitCode::SUCCESS
        }
        Err(failure) => {
            eprintln!("{failure}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<Value, Failure> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [task, file, rest @ ..] = arguments.as_slice() else {
        return Err("usage: peers TASK FILE [REPETITIONS]".into());
    };
    let repetitions = match rest.first() {
        Some(text) => text.parse()?,
        None => DEFAULT_REPETITIONS,
    };
    let once = prepare(task, file)?;
    reset_peak()?;
    let before = memory_mb("VmRSS:")?;
    let mut found = once()?; // warm-up: page cache, allocator, thread pool

    let (mut wall, mut cpu) = (Vec::new(), Vec::new());
    for _ in 0..repetitions {
        let (start, cpu_start) = (Instant::now(), cpu_seconds()?);
        found = once()?;
        wall.push(start.elapsed().as_secs_f64());
        cpu.push(cpu_seconds()? - cpu_start);
    }
    let peak = memory_mb("VmHWM:")?;
    Ok(json!({
        "task": task, "peer": "cocreate", "version": env!("CARGO_PKG_VERSION"), "wall": wall, "cpu": cpu,
        "peak_rss_mb": peak, "peak_rss_mb_above_data": peak - before, "coefficients": found,
    }))
}

/// Reads the data (not timed) and returns the work.
fn prepare(task: &str, file: &str) -> Result<Once, Failure> {
    if task == "csv" {
        let path = file.to_owned();
        return Ok(Box::new(move || {
            let frame = Frame::read_csv(&path)?;
            let amount = frame
                .real("amount")?
                .iter()
                .filter(|v| !v.is_nan())
                .sum::<f64>();
            Ok(Map::from_iter([
                ("rows".to_owned(), json!(frame.rows())),
                ("amount_sum".to_owned(), json!(amount)),
            ]))
        }));
    }
    let twenty = (1..=20)
        .map(|j| format!("x{j}"))
        .collect::<Vec<_>>()
        .join(" + ");
    let ols = match task {
        "ols_hc1" => Ols::new(format!("y ~ {twenty}")).covariance(Covariance::Hc1),
        "ols_cluster" => {
            Ols::new(format!("y ~ {twenty}")).covariance(Covariance::cluster("cluster"))
        }
        "fe_two_way" => {
            Ols::new("y ~ x1 + x2 + x3 | unit + period").covariance(Covariance::cluster("unit"))
        }
        "fe_low_mobility" => {
            Ols::new("y ~ x1 + x2 | worker + firm").covariance(Covariance::cluster("firm"))
        }
        "logit" => {
            let frame = Frame::read_csv(file)?;
            let positive = frame
                .real("y")?
                .iter()
                .map(|y| *y > 0.0)
                .collect::<Vec<_>>();
            let frame = frame.with("positive", positive)?;
            let logit =
                Logit::new(format!("positive ~ {twenty}")).covariance(Covariance::Classical);
            return Ok(Box::new(move || slopes(&logit.fit(&frame)?)));
        }
        "cox" => {
            let frame = Frame::read_csv(file)?;
            let cox = Cox::new(Survival::right("time", "event"), "x1 + x2 + x3 + x4 + x5")
                .covariance(Covariance::Classical);
            return Ok(Box::new(move || slopes(&cox.fit(&frame)?)));
        }
        "bootstrap_mean" | "bootstrap_poisson" | "bootstrap_little_bags" => {
            let frame = Frame::read_csv(file)?;
            let bootstrap = match task {
                "bootstrap_mean" => Bootstrap::pairs().draws(10_000),
                "bootstrap_poisson" => Bootstrap::poisson().draws(10_000),
                _ => Bootstrap::little_bags(20, 0.7).draws(500),
            }
            .seed(1);
            return Ok(Box::new(move || {
                let fit = bootstrap.mean(&frame, "y")?;
                let interval = fit.confidence_interval_by(Method::Percentile, 0.95)?;
                Ok(Map::from_iter([
                    ("std_error".to_owned(), json!(fit.std_errors()[0])),
                    ("lower".to_owned(), json!(interval[0].lower)),
                    ("upper".to_owned(), json!(interval[0].upper)),
                ]))
            }));
        }
        "experiment" => {
            let frame = Frame::read_csv(file)?;
            let total = |metric: Metric| metric.slope(CovariateSlope::Total);
            let experiment = Experiment::new("variant", "0")
                .metric(Metric::mean("sessions"))
                .metric(Metric::mean("orders"))
                .metric(Metric::ratio("orders", "sessions").name("rate"))
                .metric(total(Metric::mean("revenue").cuped(["revenue_b"])))
                .metric(total(
                    Metric::ratio("orders", "sessions")
                        .cuped_ratio("orders_b", "sessions_b")
                        .name("adjusted_rate"),
                ));
            return Ok(Box::new(move || {
                let fit = experiment.analyze(&frame)?;
                Ok(fit
                    .effects()
                    .iter()
                    .flat_map(|effect| {
                        [
                            ("difference", effect.difference.estimate),
                            ("lower", effect.interval.lower),
                            ("p", effect.p_value),
                        ]
                        .map(|(what, number)| (format!("{} {what}", effect.metric), json!(number)))
                    })
                    .collect())
            }));
        }
        "permutation" => {
            let frame = Frame::read_csv(file)?;
            let test = RandomizationTest::new("y", "z")
                .contrast(Contrast::DifferenceInMeans)
                .draws(10_000)
                .seed(1);
            return Ok(Box::new(move || {
                let found = test.run(&frame)?;
                Ok(Map::from_iter([
                    ("difference".to_owned(), json!(found.outcomes[0].effect)),
                    ("p_value".to_owned(), json!(found.outcomes[0].p_value)),
                ]))
            }));
        }
        "wild_cluster" => {
            let frame = Frame::read_csv(file)?;
            let ten = (1..=10)
                .map(|j| format!("x{j}"))
                .collect::<Vec<_>>()
                .join(" + ");
            let fit = Ols::new(format!("y ~ {ten}")).fit(&frame)?;
            let test = WildBootstrap::new("x1 = 0")
                .cluster("cluster")
                .draws(9_999)
                .seed(1);
            return Ok(Box::new(move || {
                let found = test.run(&fit)?;
                Ok(Map::from_iter([(
                    "p_value".to_owned(),
                    json!(found.p_value),
                )]))
            }));
        }
        "trees_squared" | "trees_logistic" => return trees(task, file),
        "causal_forest" => return causal_forest(file),
        "uplift_curve" => return uplift_curve(file),
        "policy_tree" => return policy_tree(file),
        "uplift_forest" => return uplift_forest(file),
        "off_policy" | "off_policy_file" => return off_policy(task, file),
        "dml_plr" | "dml_irm" | "dml_plr_trees" | "dml_irm_trees" => return effects(task, file),
        "discontinuity" | "matching" | "roll_out" => return observational::task(task, file),
        "bandit_ucb1" | "bandit_linucb" => return bandit(task, file),
        other => return Err(format!("unknown task {other}; run.py lists them").into()),
    };
    let frame = Frame::read_csv(file)?;
    Ok(Box::new(move || slopes(&ols.fit(&frame)?)))
}

/// The doubly robust value of a policy over ten actions, with the error that the peer leaves to a bootstrap; `off_policy_file` reads the log as it goes.
fn off_policy(task: &str, file: &str) -> Result<Once, Failure> {
    let each = |letter: char| (0..10).map(move |a| format!("{letter}{a}"));
    let actions = (0..10).map(|a| a.to_string());
    let policy = OffPolicy::over_actions("reward", "logged", "action", actions)
        .targets(each('q'))
        .predictions(each('m'));
    let value = |fit: &OffPolicyFit| -> Result<Map<String, Value>, Failure> {
        let value = fit.coefficient("DR")?.estimate;
        Ok(Map::from_iter([("DR".to_owned(), json!(value))]))
    };
    if task == "off_policy_file" {
        let path = file.to_owned();
        return Ok(Box::new(move || {
            let mut log = OffPolicyStream::new(policy.clone())?;
            log.read_csv(&path)?;
            value(&log.fit()?)
        }));
    }
    let frame = Frame::read_csv(file)?;
    Ok(Box::new(move || value(&policy.fit(&frame)?)))
}

/// The partially linear model or doubly robust scores, with linear learners on all rows or trees on the first 100 000.
fn effects(task: &str, file: &str) -> Result<Once, Failure> {
    const ROWS_OF_TREES: usize = 100_000;
    let mut frame = Frame::read_csv(file)?;
    let names: Vec<String> = (1..=20).map(|j| format!("x{j}")).collect();
    let mut learner = Learner::from(Learner::linear());
    if task.ends_with("trees") {
        let first: Vec<bool> = (0..frame.rows()).map(|row| row < ROWS_OF_TREES).collect();
        frame = frame.filter(&first)?;
        let trees = Learner::boosted_trees().rounds(100);
        learner = trees.learning_rate(0.1).leaves(31).into();
    }
    let effect = |found: Estimate| {
        let pairs = [("effect", found.estimate), ("error", found.std_error)];
        Map::from_iter(pairs.map(|(name, value)| (name.to_owned(), json!(value))))
    };
    if task.starts_with("dml_plr") {
        let model = PartiallyLinear::new("y", "d", &names)
            .learner(learner)
            .seed(1);
        return Ok(Box::new(move || {
            let fit = model.fit(&frame)?;
            Ok(effect(fit.coefficient("d")?))
        }));
    }
    let model = DoublyRobust::new("y", "w", &names)
        .learner(learner)
        .calibrate(false)
        .seed(1);
    Ok(Box::new(move || {
        let fit = model.fit(&frame)?;
        Ok(effect(fit.coefficient("1")?))
    }))
}

/// Round after round; the sum of rewards.
fn bandit(task: &str, file: &str) -> Result<Once, Failure> {
    const ARMS: usize = 10;
    let frame = Frame::read_csv(file)?;
    let columns = |letter: char| -> Result<Vec<Vec<f64>>, Failure> {
        let names = (0..ARMS).map(|a| format!("{letter}{a}"));
        names
            .map(|c| Ok(frame.numeric(&c)?.values().to_vec()))
            .collect()
    };
    let (rewards, features) = (columns('r')?, columns('x')?);
    let contextual = task == "bandit_linucb";
    Ok(Box::new(move || {
        let mut plain = Bandit::new(BanditPolicy::ucb1(), ARMS);
        let policy = ContextualPolicy::LinUcb { alpha: 1.0 };
        let mut linear = ContextualBandit::new(policy, ARMS, ARMS);
        let (mut total, mut x) = (0.0, [0.0; ARMS]);
        for t in 0..rewards[0].len() {
            if contextual {
                for (x, column) in x.iter_mut().zip(&features) {
                    *x = column[t];
                }
                let choice = linear.choose(&x)?;
                linear.update(&choice, &x, rewards[choice.arm][t])?;
                total += rewards[choice.arm][t];
            } else {
                let choice = plain.choose()?;
                plain.update(&choice, rewards[choice.arm][t])?;
                total += rewards[choice.arm][t];
            }
        }
        Ok(Map::from_iter([("total".to_owned(), json!(total))]))
    }))
}

/// Boosted trees on the first million rows, their loss on the rest. Binning is timed, as LightGBM's is.
fn trees(task: &str, file: &str) -> Result<Once, Failure> {
    const TRAINED: usize = 1_000_000;
    let frame = Frame::read_csv(file)?;
    let squared = task == "trees_squared";
    let y = frame
        .numeric(if squared { "y" } else { "one" })?
        .values()
        .to_vec();
    let names: Vec<String> = (1..=20).map(|j| format!("x{j}")).collect();
    let rest: Vec<usize> = (TRAINED..frame.rows()).collect();
    let (train, held) = (frame.head(TRAINED), frame.take(&rest)?);
    drop(frame);
    let learner = Learner::from(Learner::boosted_trees().rounds(100));
    let kind = if squared {
        Task::Regression
    } else {
        Task::Probability
    };
    Ok(Box::new(move || {
        let features = Features::from_frame(&train, &names)?;
        let fitted = learner.fit(
            &TrainingSet::new(&features, &y[..TRAINED], kind),
            Seed::new(1),
        )?;
        let predicted = fitted.predict_frame(&held)?;
        let loss = |(p, y): (&f64, &f64)| match kind {
            Task::Regression => (p - y).powi(2),
            _ => -(y * p.ln() + (1.0 - y) * (1.0 - p).ln()),
        };
        let total: f64 = predicted.iter().zip(&y[TRAINED..]).map(loss).sum();
        let mean = total / predicted.len() as f64;
        Ok(Map::from_iter([("loss".to_owned(), json!(mean))]))
    }))
}

/// A causal forest on the first 10 000 rows, means given, and the effects of the rest with their variances. Out-of-bag effects, which the peer
/// does not compute, are timed too.
fn causal_forest(file: &str) -> Result<Once, Failure> {
    const TRAINED: usize = 10_000;
    let frame = Frame::read_csv(file)?;
    let names: Vec<String> = (1..=10).map(|j| format!("x{j}")).collect();
    let rest: Vec<usize> = (TRAINED..frame.rows()).collect();
    let (train, held) = (frame.head(TRAINED), frame.take(&rest)?);
    let forest = CausalForest::new("y", "w", &names)
        .outcome_hat("m")
        .propensity_hat("e")
        .trees(500)
        .seed(1);
    Ok(Box::new(move || {
        let found = forest.fit(&train)?.predict(&held)?;
        let truth = held.real("effect")?;
        let mean = |values: Vec<f64>| json!(values.iter().sum::<f64>() / values.len() as f64);
        let errors = found.estimates.iter().zip(truth);
        Ok(Map::from_iter([
            (
                "cocreate_squared_error".to_owned(),
                mean(errors.map(|(e, t)| (e - t).powi(2)).collect()),
            ),
            ("mean_effect".to_owned(), mean(found.estimates.clone())),
            ("cocreate_std_error".to_owned(), mean(found.std_errors())),
        ]))
    }))
}

/// The scores of a trial, its uplift curve with errors, and the areas with theirs.
fn uplift_curve(file: &str) -> Result<Once, Failure> {
    const SHARE: f64 = 0.3;
    let frame = Frame::read_csv(file)?;
    let priority = frame.numeric("priority")?.values().to_vec();
    Ok(Box::new(move || {
        let scores = TrialScores::new("y", "w").fit(&frame)?;
        let curve = UpliftCurve::new().at(&[SHARE]).fit(&scores, &priority)?;
        let gain = &curve.shown()[0].gain;
        Ok(Map::from_iter([
            ("gain_at_30".to_owned(), json!(gain.estimate)),
            ("cocreate_error".to_owned(), json!(gain.std_error)),
            ("cocreate_qini".to_owned(), json!(curve.qini().estimate)),
        ]))
    }))
}

/// The exact policy tree of depth two, and what it is worth on the rows it was learned from.
fn policy_tree(file: &str) -> Result<Once, Failure> {
    let frame = Frame::read_csv(file)?;
    let column = |arm: &str| frame.numeric(arm).map(|c| c.values().to_vec());
    let scores = ArmScores::new(
        ["0", "1", "2"],
        vec![column("s0")?, column("s1")?, column("s2")?],
    )?;
    let tree = PolicyTree::new((1..=10).map(|j| format!("x{j}")));
    Ok(Box::new(move || {
        let value = tree.fit(&scores, &frame)?.training_value();
        Ok(Map::from_iter([(
            "cocreate_value".to_owned(),
            json!(value),
        )]))
    }))
}

/// A forest of uplift trees on the first 100 000 rows, each tree on all of them, and the effects of the rest. Out-of-bag effects are timed too.
fn uplift_forest(file: &str) -> Result<Once, Failure> {
    const TRAINED: usize = 100_000;
    let frame = Frame::read_csv(file)?;
    let names: Vec<String> = (1..=10).map(|j| format!("x{j}")).collect();
    let rest: Vec<usize> = (TRAINED..frame.rows()).collect();
    let (train, held) = (frame.head(TRAINED), frame.take(&rest)?);
    let forest = UpliftForest::new("y", "w", &names)
        .criterion(UpliftCriterion::KullbackLeibler)
        .trees(20)
        .honest(false)
        .min_leaf_rows(50)
        .sample_fraction(1.0)
        .features_per_split(4)
        .seed(1);
    Ok(Box::new(move || {
        let found = forest.fit(&train)?.predict(&held)?;
        let mean = |values: Vec<f64>| json!(values.iter().sum::<f64>() / values.len() as f64);
        let errors = found.first().iter().zip(held.real("effect")?);
        Ok(Map::from_iter([
            (
                "cocreate_squared_error".to_owned(),
                mean(errors.map(|(e, t)| (e - t).powi(2)).collect()),
            ),
            ("mean_effect".to_owned(), mean(found.first().to_vec())),
        ]))
    }))
}

/// Coefficients and standard errors of x1, x2, ….
fn slopes(fit: &impl Inference) -> Result<Map<String, Value>, Failure> {
    let mut found = Map::new();
    for name in fit.names().iter().filter(|n| n.starts_with('x')) {
        let row = fit.coefficient(name)?;
        found.insert(name.clone(), json!(row.estimate));
        found.insert(format!("se_{name}"), json!(row.std_error));
    }
    Ok(found)
}

/// Processor seconds (user and system) of this process, threads that have ended included: fields 14 and 15 of `/proc/self/stat`.
fn cpu_seconds() -> io::Result<f64> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    // The second field is the program's name in parentheses and may hold spaces; count after its end.
    let after_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let ticks: f64 = after_name
        .split_whitespace()
        .skip(11)
        .take(2)
        .filter_map(|f| f.parse::<f64>().ok())
        .sum();
    Ok(ticks / TICKS_PER_SECOND)
}

/// A line of `/proc/self/status`, in megabytes of 2^20 bytes.
fn memory_mb(line: &str) -> io::Result<f64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let kilobytes = status
        .lines()
        .find_map(|l| l.strip_prefix(line))
        .and_then(|v| v.split_whitespace().next()?.parse::<f64>().ok());
    kilobytes
        .map(|kb| kb / 1024.0)
        .ok_or_else(|| io::Error::other(format!("no {line} in /proc/self/status")))
}

/// Sets the peak of resident memory back to its present value, so that reading the data does not count.
fn reset_peak() -> io::Result<()> {
    fs::write("/proc/self/clear_refs", "5")
}
