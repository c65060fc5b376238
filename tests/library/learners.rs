//! Learners: agreement with glmnet, scikit-learn and LightGBM, and what must hold for any data.

use crate::support::{agree, data, fixture, numbers};
use cocreate::prelude::*;
use rand::RngExt;
use serde_json::Value;

// ---------------------------------------------------------------- data

/// SplitMix64's finaliser, as in `reference/make/learners.py`.
fn mix(mut z: u64) -> u64 {
    z = z.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

fn unit(index: u64) -> f64 {
    ((mix(index) >> 12) as f64 + 0.5) / (1_u64 << 52) as f64
}

const EFFECT: [f64; 12] = [3., -1., 4., -1., 5., -9., 2., -6., 5., -3., 5., -4.];

/// The generator of `reference/make/learners.py`: features x0 to x9, category `level`, mean, outcome `y`, class `w` and its probability.
fn generate(n: u64, offset: u64) -> Frame {
    let mut x: Vec<Vec<f64>> = vec![Vec::new(); 10];
    let (mut level, mut mean, mut y, mut w, mut p) = (vec![], vec![], vec![], vec![], vec![]);
    for row in offset..offset + n {
        let u = |j: u64| unit(row * 16 + j);
        let l = (12.0 * u(10)) as usize;
        let gone = u(7) < 0.2;
        let m = 10.0 * u(0) * u(1)
            + 20.0 * (u(2) - 0.5).powi(2)
            + 10.0 * u(3)
            + 5.0 * u(4)
            + if u(5) > 0.6 { 4.0 } else { 0.0 }
            + if gone { 2.0 } else { 3.0 * u(6) }
            + EFFECT[l] / 3.0;
        for (j, column) in x.iter_mut().enumerate() {
            column.push(if j == 6 && gone {
                f64::NAN
            } else {
                u(j as u64)
            });
        }
        let probability = 1.0 / (1.0 + (-(m - 17.5) / 2.0).exp());
        level.push(format!("l{l:02}"));
        mean.push(m);
        y.push(m + 6.0 * (u(11) - 0.5));
        w.push(f64::from(u8::from(u(11) < probability)));
        p.push(probability);
    }
    let mut frame = Frame::new();
    for (j, column) in x.into_iter().enumerate() {
        frame = frame.with(format!("x{j}"), column).unwrap();
    }
    frame
        .with("level", level)
        .unwrap()
        .with("mean", mean)
        .unwrap()
        .with("y", y)
        .unwrap()
        .with("w", w)
        .unwrap()
        .with("p", p)
        .unwrap()
}

const NUMBERS: [&str; 10] = ["x0", "x1", "x2", "x3", "x4", "x5", "x6", "x7", "x8", "x9"];
const ALL: [&str; 11] = [
    "x0", "x1", "x2", "x3", "x4", "x5", "x6", "x7", "x8", "x9", "level",
];

fn mean_squared(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum::<f64>() / a.len() as f64
}

fn log_loss(p: &[f64], y: &[f64]) -> f64 {
    let each = p
        .iter()
        .zip(y)
        .map(|(p, y)| -(y * p.ln() + (1.0 - y) * (1.0 - p).ln()));
    each.sum::<f64>() / p.len() as f64
}

fn coefficients(fit: &LearnerFit) -> Vec<f64> {
    let named = fit.learner().coefficients().unwrap();
    named.into_iter().map(|(_, b)| b).collect()
}

fn strings(value: &Value) -> Vec<String> {
    let items = value.as_array().unwrap().iter();
    items.map(|v| v.as_str().unwrap().to_owned()).collect()
}

// ---------------------------------------------------------------- agreement with other software

/// The fixture's frame; its target perhaps in units of its standard deviation, and the weights of `learners.R`.
fn case_frame(case: &Value) -> Frame {
    let frame = data(case["data"].as_str().unwrap());
    let outcome = frame.numeric(case["outcome"].as_str().unwrap()).unwrap();
    let y = outcome.values();
    let n = y.len() as f64;
    let mean = y.iter().sum::<f64>() / n;
    let sd = (y.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n).sqrt();
    let unit = if case["unit_variance"] == true {
        sd
    } else {
        1.0
    };
    let scaled: Vec<f64> = y.iter().map(|v| v / unit).collect();
    let age = frame.numeric("age").unwrap();
    let weight: Vec<f64> = age.values().iter().map(|a| 1.0 + a % 4.0).collect();
    frame
        .with("target", scaled)
        .unwrap()
        .with("age_weight", weight)
        .unwrap()
}

#[test]
fn paths_are_those_of_glmnet() {
    let fixture = fixture("learners_r");
    for name in [
        "lasso",
        "lasso_weights",
        "lasso_factors",
        "elastic_net",
        "ridge",
        "logistic_lasso",
        "logistic_elastic_net",
        "logistic_ridge",
    ] {
        let case = &fixture["values"][name];
        let (frame, features) = (case_frame(case), strings(&case["features"]));
        for (lambda, theirs) in numbers(&case["lambda"])
            .iter()
            .zip(case["coefficients"].as_array().unwrap())
        {
            let mut net = ElasticNet::new()
                .mixing(case["alpha"].as_f64().unwrap())
                .lambda(*lambda);
            if !case["factors"].is_null() {
                for (feature, factor) in features.iter().zip(numbers(&case["factors"])) {
                    net = net.penalty_factor(feature.clone(), factor);
                }
            }
            let mut model = net.of("target", &features);
            if let Some(weights) = case["weights"].as_str() {
                model = model.weights(weights);
            }
            if case["family"] == "binomial" {
                model = model.probability();
            }
            let ours = coefficients(&model.fit(&frame).unwrap());
            agree(&format!("{name} {lambda}"), &ours, &numbers(theirs), 1e-6);
            let zeros = |b: &[f64]| b.iter().map(|b| b.abs() > 0.0).collect::<Vec<_>>();
            assert_eq!(
                zeros(&ours),
                zeros(&numbers(theirs)),
                "{name} {lambda}: the same columns"
            );
        }
    }
}

#[test]
fn cross_validation_is_that_of_glmnet() {
    let fixture = fixture("learners_r");
    for name in ["cv_lasso", "cv_logistic", "cv_logistic_elastic_net"] {
        let case = &fixture["values"][name];
        let (frame, features) = (case_frame(case), strings(&case["features"]));
        let net = ElasticNet::new()
            .mixing(case["alpha"].as_f64().unwrap())
            .fold_ids((0..frame.rows()).map(|i| i % 10).collect());
        let logistic = case["family"] == "binomial";
        let model = net.of("target", &features);
        let model = if logistic { model.probability() } else { model };
        let fit = model.fit(&frame).unwrap();
        let path = fit.learner().path().unwrap().clone();
        let theirs = numbers(&case["lambda"]);
        let k = theirs.len();
        agree(&format!("{name} lambda"), &path.lambda[..k], &theirs, 1e-9);
        let deviance = if logistic { 2.0 } else { 1.0 };
        let scaled = |v: &[f64]| v[..k].iter().map(|v| v * deviance).collect::<Vec<_>>();
        agree(
            &format!("{name} loss"),
            &scaled(&path.loss),
            &numbers(&case["loss"]),
            1e-6,
        );
        agree(
            &format!("{name} error"),
            &scaled(&path.std_error),
            &numbers(&case["std_error"]),
            1e-6,
        );
        // At the largest strength a coefficient is just zero, or just not: rounding decides.
        let nonzero: Vec<f64> = path.nonzero[1..k].iter().map(|n| *n as f64).collect();
        assert_eq!(nonzero, numbers(&case["nonzero"])[1..], "{name}");
        agree(
            name,
            &[path.lambda_min, path.lambda_1se],
            &[
                case["lambda_min"].as_f64().unwrap(),
                case["lambda_1se"].as_f64().unwrap(),
            ],
            1e-9,
        );
        agree(
            &format!("{name} coefficients"),
            &coefficients(&fit),
            &numbers(&case["coefficients"]),
            1e-6,
        );
        assert!(fit.to_string().contains("lambda"), "{fit}");
    }
}

#[test]
fn the_objective_is_that_of_scikit_learn() {
    let fixture = fixture("learners");
    for name in ["elastic_net", "logistic_ridge"] {
        let case = &fixture["values"][name];
        let (frame, features) = (
            data(case["data"].as_str().unwrap()),
            strings(&case["features"]),
        );
        for fit in case["fits"].as_array().unwrap() {
            let (mixing, lambda) = (
                fit["mixing"].as_f64().unwrap(),
                fit["lambda"].as_f64().unwrap(),
            );
            let model = ElasticNet::new()
                .mixing(mixing)
                .lambda(lambda)
                .of(case["outcome"].as_str().unwrap(), &features);
            let model = if name == "logistic_ridge" {
                model.probability()
            } else {
                model
            };
            let ours = coefficients(&model.fit(&frame).unwrap());
            agree(
                &format!("{name} {mixing} {lambda}"),
                &ours,
                &numbers(&fit["coefficients"]),
                1e-6,
            );
        }
    }
}

#[test]
fn boosting_is_within_one_percent_of_lightgbm() {
    let theirs = fixture("learners")["values"]["lightgbm"].clone();
    let (train, test) = (generate(20_000, 0), generate(20_000, 1_000_000));
    for (name, features, probability) in [
        ("regression", &NUMBERS[..], false),
        ("regression_categories", &ALL[..], false),
        ("binary", &NUMBERS[..], true),
        ("binary_categories", &ALL[..], true),
    ] {
        let outcome = if probability { "w" } else { "y" };
        let model = Learner::boosted_trees().of(outcome, features);
        let model = if probability {
            model.probability()
        } else {
            model
        };
        let fit = model.fit(&train).unwrap();
        let (predicted, truth) = (fit.predict(&test).unwrap(), test.real(outcome).unwrap());
        let ours = if probability {
            log_loss(&predicted, truth)
        } else {
            mean_squared(&predicted, truth)
        };
        let theirs = theirs[name].as_f64().unwrap();
        println!(
            "{name}: ours {ours:.5}, LightGBM {theirs:.5}, ratio {:.4}",
            ours / theirs
        );
        assert!(
            ours < 1.01 * theirs,
            "{name}: ours {ours}, LightGBM {theirs}"
        );
    }
}

#[test]
fn least_squares_is_that_of_ols() {
    let frame = datasets::load("card").unwrap();
    let ours = coefficients(
        &Learner::linear()
            .fit_frame(&frame, "lwage", &["educ", "exper", "black"])
            .unwrap(),
    );
    let ols = Ols::new("lwage ~ educ + exper + black")
        .fit(&frame)
        .unwrap();
    agree("least squares", &ours, ols.estimates().as_slice(), 1e-11);
}

// ---------------------------------------------------------------- properties

/// The conditions of Karush, Kuhn and Tucker: gradients of active coefficients equal their penalty's, those of others are below it.
#[test]
fn the_lasso_satisfies_its_conditions() {
    for case in 0..12_u64 {
        let mut random = Seed::new(case).stream(0);
        let (n, p) = (60 + 10 * case as usize, 8);
        let columns: Vec<Vec<f64>> = (0..p)
            .map(|j| {
                (0..n)
                    .map(|i| random.random::<f64>() * f64::from(j + 1) + (i % 7) as f64 * 0.1)
                    .collect()
            })
            .collect();
        let weight: Vec<f64> = (0..n).map(|_| random.random::<f64>() + 0.1).collect();
        let y: Vec<f64> = (0..n)
            .map(|i| 2.0 * columns[0][i] - columns[3][i] + random.random::<f64>())
            .collect();
        let classes: Vec<f64> = y.iter().map(|y| f64::from(u8::from(*y > 0.3))).collect();
        let mut frame = Frame::new()
            .with("y", y.clone())
            .unwrap()
            .with("c", classes.clone())
            .unwrap();
        let names: Vec<String> = (0..p).map(|j| format!("x{j}")).collect();
        for (name, column) in names.iter().zip(&columns) {
            frame = frame.with(name.clone(), column.clone()).unwrap();
        }
        frame = frame.with("weight", weight.clone()).unwrap();
        let total: f64 = weight.iter().sum();
        for (outcome, target) in [("y", &y), ("c", &classes)] {
            let (mixing, lambda) = (0.3 + 0.06 * case as f64, 0.02);
            let model = Learner::elastic_net(mixing)
                .lambda(lambda)
                .of(outcome, &names)
                .weights("weight");
            let model = if outcome == "c" {
                model.probability()
            } else {
                model
            };
            let fit = model.fit(&frame).unwrap();
            let (b, predicted) = (coefficients(&fit), fit.predict(&frame).unwrap());
            let residual: Vec<f64> = target.iter().zip(&predicted).map(|(y, p)| y - p).collect();
            let against = |x: &[f64]| {
                x.iter()
                    .zip(&residual)
                    .zip(&weight)
                    .map(|((x, r), w)| w * x * r)
                    .sum::<f64>()
                    / total
            };
            assert!(against(&vec![1.0; n]).abs() < 1e-8, "intercept");
            for (j, x) in columns.iter().enumerate() {
                let mean = x.iter().zip(&weight).map(|(x, w)| w * x).sum::<f64>() / total;
                let sd = (x
                    .iter()
                    .zip(&weight)
                    .map(|(x, w)| w * (x - mean).powi(2))
                    .sum::<f64>()
                    / total)
                    .sqrt();
                let gradient = against(x) / sd - lambda * (1.0 - mixing) * b[j + 1] * sd;
                let bound = lambda * mixing;
                if b[j + 1].abs() > 0.0 {
                    assert!(
                        (gradient - bound * b[j + 1].signum()).abs() < 1e-8,
                        "case {case} {outcome} x{j}: {gradient} {bound}"
                    );
                } else {
                    assert!(
                        gradient.abs() <= bound + 1e-8,
                        "case {case} {outcome} x{j}: {gradient} {bound}"
                    );
                }
            }
        }
    }
}

fn bits(values: &[f64]) -> Vec<u64> {
    values.iter().map(|v| v.to_bits()).collect()
}

/// Learners that between them use every part: folds, bags, held-out rows, bootstrap, stacks.
fn everyone() -> Vec<Learner> {
    vec![
        Learner::linear().into(),
        Learner::lasso().path_length(15).folds(3).into(),
        Learner::boosted_trees().rounds(30).into(),
        Learner::boosted_trees()
            .rounds(40)
            .row_share(0.6)
            .feature_share(0.5)
            .early_stopping(5)
            .into(),
        Learner::forest().trees(8).into(),
        Learner::stack([
            Learner::linear().into(),
            Learner::from(Learner::boosted_trees().rounds(20)),
        ])
        .folds(3)
        .into(),
    ]
}

#[test]
fn one_thread_and_seven_give_the_same_bits() {
    // Enough rows for leaves that are split among threads.
    let train = generate(24_000, 0);
    for learner in everyone() {
        let run = || {
            let fit = learner
                .of("w", &ALL)
                .probability()
                .seed(3)
                .fit(&train)
                .unwrap();
            bits(&fit.predict(&train).unwrap())
        };
        #[cfg(feature = "parallel")]
        {
            let pool = |threads| {
                rayon::ThreadPoolBuilder::new()
                    .num_threads(threads)
                    .build()
                    .unwrap()
            };
            assert_eq!(
                pool(1).install(run),
                pool(7).install(run),
                "{}",
                learner.name()
            );
        }
        assert_eq!(run(), run(), "{}", learner.name());
    }
}

#[test]
fn the_order_of_rows_does_not_matter() {
    let n = 1500;
    let frame = generate(n, 0);
    let order: Vec<usize> = (0..n as usize).map(|i| i * 7 % n as usize).collect();
    let permuted = ALL.iter().chain(&["y"]).fold(Frame::new(), |out, name| {
        let column: Column = match frame.column(name).unwrap() {
            Column::Label(l) => Label::new(
                order.iter().map(|i| l.codes()[*i]).collect(),
                l.levels().to_vec(),
            )
            .unwrap()
            .into(),
            _ => order
                .iter()
                .map(|i| frame.real(name).unwrap()[*i])
                .collect::<Vec<f64>>()
                .into(),
        };
        out.with(*name, column).unwrap()
    });
    for learner in [
        Learner::from(Learner::linear()),
        Learner::lasso().lambda(0.01).into(),
    ] {
        let plain = coefficients(&learner.fit_frame(&frame, "y", &ALL).unwrap());
        let other = coefficients(&learner.fit_frame(&permuted, "y", &ALL).unwrap());
        agree(learner.name(), &other, &plain, 1e-9);
    }
    // Boosting counts in whole numbers. Only the starting value, a mean, is rounded in the order of rows.
    let trees = Learner::boosted_trees();
    let plain = trees
        .fit_frame(&frame, "y", &ALL)
        .unwrap()
        .predict(&frame)
        .unwrap();
    let other = trees
        .fit_frame(&permuted, "y", &ALL)
        .unwrap()
        .predict(&frame)
        .unwrap();
    agree("boosted trees", &other, &plain, 1e-6);
}

#[test]
fn trees_see_only_the_order_of_values() {
    let frame = generate(3000, 0);
    let curved = NUMBERS.iter().fold(Frame::new(), |out, name| {
        let x: Vec<f64> = frame
            .real(name)
            .unwrap()
            .iter()
            .map(|v| (3.0 * v).exp() - 5.0)
            .collect();
        out.with(*name, x).unwrap()
    });
    let curved = curved.with("y", frame.real("y").unwrap()).unwrap();
    for learner in [
        Learner::from(Learner::boosted_trees()),
        Learner::forest().trees(20).into(),
    ] {
        let fit = |frame: &Frame| {
            let fit = learner.of("y", &NUMBERS).seed(1).fit(frame).unwrap();
            bits(&fit.predict(frame).unwrap())
        };
        assert_eq!(fit(&frame), fit(&curved), "{}", learner.name());
    }
}

#[test]
fn whole_weights_are_copies_of_rows() {
    let frame = generate(600, 0);
    let times: Vec<f64> = (0..600).map(|i| f64::from(i % 3)).collect();
    let copies: Vec<usize> = (0..600).flat_map(|i| vec![i; i % 3]).collect();
    let repeated = NUMBERS
        .iter()
        .chain(&["y", "w"])
        .fold(Frame::new(), |out, name| {
            let x: Vec<f64> = copies
                .iter()
                .map(|i| frame.real(name).unwrap()[*i])
                .collect();
            out.with(*name, x).unwrap()
        });
    let frame = frame.with("times", times).unwrap();
    for (outcome, task) in [("y", Task::Regression), ("w", Task::Probability)] {
        // Least rows of a leaf count rows, not weights: 1 makes the two the same. The bins are those of the distinct values only when
        // each has its own: ten features of 400 values need them coarser than that, so the values are rounded first.
        let rounded = |frame: &Frame| {
            NUMBERS.iter().fold(Frame::new(), |out, name| {
                let x: Vec<f64> = frame
                    .real(name)
                    .unwrap()
                    .iter()
                    .map(|v| (v * 50.0).round())
                    .collect();
                out.with(*name, x).unwrap()
            })
        };
        let weighted = rounded(&frame)
            .with("t", frame.real(outcome).unwrap())
            .unwrap()
            .with("times", frame.real("times").unwrap())
            .unwrap();
        let copied = rounded(&repeated)
            .with("t", repeated.real(outcome).unwrap())
            .unwrap();
        for learner in [
            Learner::from(Learner::linear()),
            Learner::elastic_net(0.5).lambda(0.01).into(),
            Learner::boosted_trees()
                .rounds(10)
                .leaves(6)
                .min_rows(1)
                .min_hessian(1.0)
                .into(),
        ] {
            let by_weight = learner
                .of("t", &NUMBERS)
                .task(task)
                .weights("times")
                .fit(&weighted)
                .unwrap();
            let by_copy = learner.of("t", &NUMBERS).task(task).fit(&copied).unwrap();
            let (a, b) = (
                by_weight.predict(&copied).unwrap(),
                by_copy.predict(&copied).unwrap(),
            );
            agree(&format!("{} {outcome}", learner.name()), &a, &b, 1e-6);
        }
    }
}

// ---------------------------------------------------------------- what is learned

#[test]
fn flexible_learners_come_close_to_the_noise() {
    let (train, test) = (generate(20_000, 0), generate(5000, 2_000_000));
    let truth = test.real("mean").unwrap();
    let mean = truth.iter().sum::<f64>() / truth.len() as f64;
    let variance = mean_squared(truth, &vec![mean; truth.len()]);
    let share = |learner: Learner| {
        let fit = learner.of("y", &ALL).seed(1).fit(&train).unwrap();
        let error = mean_squared(&fit.predict(&test).unwrap(), truth) / variance;
        println!(
            "{}: {error:.4} of the variance of the mean is missed",
            learner.name()
        );
        (error, fit)
    };
    let (linear, _) = share(Learner::linear().into());
    let (boosted, fit) = share(
        Learner::boosted_trees()
            .rounds(400)
            .early_stopping(20)
            .into(),
    );
    assert!(
        boosted < 0.02 && boosted < 0.3 * linear,
        "{boosted} {linear}"
    );
    assert!(fit.learner().trees().unwrap() < 400, "it stopped early");
    // Noise has variance 3; the held-out loss is that plus the error.
    let held_out = fit.honest_loss().unwrap();
    assert!(
        (held_out / (3.0 + boosted * variance) - 1.0).abs() < 0.06,
        "{held_out}"
    );
    let importance = fit.importance().unwrap();
    let position = |name: &str| importance.iter().position(|(n, _)| n == name).unwrap();
    assert!(
        position("x3") < position("x8") && position("level") < position("x9"),
        "{importance:?}"
    );
    assert!(fit.to_string().contains("share of gain"), "{fit}");
    let (forest, _) = share(Learner::forest().trees(40).into());
    assert!(forest < 0.5 * linear, "{forest} {linear}");
}

#[test]
fn probabilities_are_calibrated() {
    let (train, test) = (generate(20_000, 0), generate(5000, 2_000_000));
    let (p, w) = (test.real("p").unwrap(), test.real("w").unwrap());
    for learner in [
        Learner::from(Learner::linear()),
        Learner::ridge().path_length(10).folds(3).into(),
        Learner::boosted_trees()
            .rounds(200)
            .early_stopping(10)
            .into(),
        Learner::forest().trees(40).into(),
    ] {
        let fit = learner
            .of("w", &ALL)
            .probability()
            .seed(1)
            .fit(&train)
            .unwrap();
        let predicted = fit.predict(&test).unwrap();
        assert!(predicted.iter().all(|p| (0.0..=1.0).contains(p)));
        let (mean, share) = (
            predicted.iter().sum::<f64>() / 5000.0,
            w.iter().sum::<f64>() / 5000.0,
        );
        assert!(
            (mean - share).abs() < 0.02,
            "{}: {mean} {share}",
            learner.name()
        );
        let error = mean_squared(&predicted, p);
        println!("{}: {error:.5}", learner.name());
        // A constant has 0.0777 here.
        assert!(error < 0.03, "{}: {error}", learner.name());
    }
}

#[test]
fn the_out_of_bag_error_is_that_of_new_rows() {
    let (train, test) = (generate(2000, 0), generate(5000, 2_000_000));
    for (outcome, task) in [("y", Task::Regression), ("w", Task::Probability)] {
        for forest in [
            Learner::forest().trees(150),
            Learner::forest().trees(150).sample_share(0.5),
        ] {
            let fit = forest
                .of(outcome, &ALL)
                .task(task)
                .seed(5)
                .fit(&train)
                .unwrap();
            let new = mean_squared(&fit.predict(&test).unwrap(), test.real(outcome).unwrap());
            let ratio = fit.honest_loss().unwrap() / new;
            println!("out of bag / new rows: {ratio:.4}");
            assert!((ratio - 1.0).abs() < 0.06, "{outcome}: {ratio}");
            let training =
                mean_squared(&fit.predict(&train).unwrap(), train.real(outcome).unwrap());
            assert!(training < 0.8 * new, "the training error is not honest");
        }
    }
}

#[test]
fn a_stack_is_not_worse_than_its_best_member() {
    let (train, test) = (generate(4000, 0), generate(10_000, 2_000_000));
    let members: Vec<Learner> = vec![
        Learner::linear().into(),
        Learner::boosted_trees().into(),
        Learner::forest().trees(30).into(),
    ];
    let truth = test.real("y").unwrap();
    let alone: Vec<f64> = members
        .iter()
        .map(|m| {
            mean_squared(
                &m.of("y", &ALL)
                    .seed(2)
                    .fit(&train)
                    .unwrap()
                    .predict(&test)
                    .unwrap(),
                truth,
            )
        })
        .collect();
    let fit = Learner::stack(members)
        .of("y", &ALL)
        .seed(2)
        .fit(&train)
        .unwrap();
    let stacked = mean_squared(&fit.predict(&test).unwrap(), truth);
    let best = alone.iter().copied().fold(f64::INFINITY, f64::min);
    println!("alone {alone:?}, stacked {stacked}\n{fit}");
    assert!(stacked < 1.01 * best, "{stacked} {alone:?}");
    let weights = fit.learner().stack_weights().unwrap();
    assert!((weights.iter().map(|(_, w)| w).sum::<f64>() - 1.0).abs() < 1e-12);
    assert!(weights.iter().all(|(_, w)| *w >= 0.0));
}

// ---------------------------------------------------------------- missing values, categories, folds, files

#[test]
fn missing_values_carry_information_for_all() {
    // y is 5 where x is missing and x elsewhere.
    let x: Vec<f64> = (0..2000)
        .map(|i| if i % 4 == 0 { f64::NAN } else { unit(i) })
        .collect();
    let y: Vec<f64> = x
        .iter()
        .map(|x| if x.is_nan() { 5.0 } else { *x })
        .collect();
    let c: Vec<Option<&str>> = (0..2000)
        .map(|i| [Some("a"), None, Some("b")][i % 3])
        .collect();
    let frame = Frame::new()
        .with("x", x)
        .unwrap()
        .with("y", y.clone())
        .unwrap()
        .with("c", c)
        .unwrap();
    for learner in everyone() {
        let fit = learner.of("y", &["x", "c"]).seed(1).fit(&frame).unwrap();
        let error = mean_squared(&fit.predict(&frame).unwrap(), &y);
        assert!(error < 0.2, "{}: {error}", learner.name());
    }
    let fit = Learner::linear()
        .fit_frame(&frame, "y", &["x", "c"])
        .unwrap();
    assert!(
        fit.warnings()[0].to_string().contains("`x` 500"),
        "{}",
        fit.warnings()[0]
    );
    let names: Vec<String> = fit
        .learner()
        .coefficients()
        .unwrap()
        .into_iter()
        .map(|(n, _)| n)
        .collect();
    assert_eq!(
        names,
        [
            "(Intercept)",
            "x",
            "x[missing]",
            "c[a]",
            "c[b]",
            "c[missing]"
        ]
    );
    assert!(mean_squared(&fit.predict(&frame).unwrap(), &y) < 1e-20);
}

#[test]
fn unseen_levels_are_counted_and_predicted() {
    let (train, mut test) = (generate(2000, 0), generate(10, 5000));
    let mut labels: Vec<String> = (0..10)
        .map(|i| test.label("level").unwrap().get(i).unwrap().to_owned())
        .collect();
    labels[3] = "new".to_owned();
    labels[7] = "newer".to_owned();
    test = test
        .drop(&["level"])
        .unwrap()
        .with("level", labels)
        .unwrap();
    for learner in everyone() {
        let fit = learner.of("y", &ALL).seed(1).fit(&train).unwrap();
        assert_eq!(fit.unseen(&test).unwrap(), 2);
        assert!(fit.predict(&test).unwrap().iter().all(|v| v.is_finite()));
    }
}

#[test]
fn many_levels_are_pooled_with_a_warning() {
    let rows = 3000_usize;
    let c: Vec<String> = (0..rows).map(|i| format!("k{}", i % 400)).collect();
    let y: Vec<f64> = (0..rows)
        .map(|i| f64::from(u8::from(i % 400 < 100)) + unit(i as u64))
        .collect();
    let frame = Frame::new()
        .with("c", c)
        .unwrap()
        .with("y", y.clone())
        .unwrap();
    let fit = Learner::boosted_trees()
        .min_rows(5)
        .fit_frame(&frame, "y", &["c"])
        .unwrap();
    assert!(
        fit.warnings()[0]
            .to_string()
            .contains("more than 255 levels")
    );
    let forest = Learner::forest()
        .trees(20)
        .of("y", &["c"])
        .seed(1)
        .fit(&frame)
        .unwrap();
    let mean = vec![y.iter().sum::<f64>() / rows as f64; rows];
    assert!(mean_squared(&forest.predict(&frame).unwrap(), &y) < 0.9 * mean_squared(&mean, &y));
}

#[test]
fn folds_of_one_table_share_bins_and_never_see_the_rest() {
    let frame = generate(3000, 0);
    let features = Features::from_frame(&frame, &ALL).unwrap();
    let mut target = frame.real("y").unwrap().to_vec();
    let fold = Rows::some(3000, (0..2000).collect());
    let rest = Rows::some(3000, (2000..3000).collect());
    for learner in everyone() {
        let predict = |target: &[f64]| {
            let set = TrainingSet::new(&features, target, Task::Regression).rows(fold.clone());
            let mut out = vec![0.0; rest.len()];
            learner
                .fit(&set, Seed::new(4))
                .unwrap()
                .predict(&features, &rest, &mut out)
                .unwrap();
            bits(&out)
        };
        let before = predict(&target);
        for y in &mut target[2000..] {
            *y = f64::NAN;
        }
        assert_eq!(before, predict(&target), "{}", learner.name());
        target.copy_from_slice(frame.real("y").unwrap());
    }
}

#[cfg(feature = "parallel")]
#[test]
fn fits_side_by_side_are_those_in_a_row() {
    use rayon::prelude::*;
    let frame = generate(6000, 0);
    let target = frame.real("y").unwrap();
    let learner = Learner::from(Learner::boosted_trees().rounds(10));
    let run = |features: &Features, fold: u32| {
        let rows = Rows::some(6000, (0..6000).filter(|r| r % 8 != fold).collect());
        let set = TrainingSet::new(features, target, Task::Regression).rows(rows);
        let fit = learner.fit(&set, Seed::new(1)).unwrap();
        bits(&fit.predict_frame(&frame).unwrap())
    };
    let features = Features::from_frame(&frame, &ALL).unwrap();
    let in_a_row: Vec<_> = (0..8).map(|fold| run(&features, fold)).collect();
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(3)
        .build()
        .unwrap();
    // Fresh features, so that the first to come compute the bins while the others ask for them.
    let fresh = Features::from_frame(&frame, &ALL).unwrap();
    let side_by_side: Vec<_> =
        pool.install(|| (0..8).into_par_iter().map(|f| run(&fresh, f)).collect());
    assert_eq!(in_a_row, side_by_side);
}

#[test]
fn fits_and_learners_survive_a_file() {
    let frame = generate(1500, 0);
    for learner in everyone() {
        let text = serde_json::to_string(&learner).unwrap();
        assert_eq!(serde_json::from_str::<Learner>(&text).unwrap(), learner);
        let fit = learner.of("y", &ALL).seed(1).fit(&frame).unwrap();
        let back: LearnerFit = serde_json::from_str(&serde_json::to_string(&fit).unwrap()).unwrap();
        assert_eq!(
            bits(&fit.predict(&frame).unwrap()),
            bits(&back.predict(&frame).unwrap()),
            "{}",
            learner.name()
        );
        assert_eq!(fit.to_string(), back.to_string());
    }
}

/// Predicts the training mean.
struct Constant;

struct FittedConstant(f64);

impl CustomLearner for Constant {
    fn name(&self) -> &'static str {
        "constant"
    }

    fn fit(
        &self,
        set: &TrainingSet,
        _: Seed,
        _: &Progress,
    ) -> Result<std::sync::Arc<dyn CustomFit>> {
        let y = set.used_rows().gather(set.target());
        Ok(std::sync::Arc::new(FittedConstant(
            y.iter().sum::<f64>() / y.len() as f64,
        )))
    }
}

impl CustomFit for FittedConstant {
    fn predict(&self, _: &Features, _: &Rows, out: &mut [f64]) -> Result<()> {
        out.fill(self.0);
        Ok(())
    }
}

#[test]
fn a_custom_learner_is_a_learner() {
    let frame = generate(500, 0);
    let stack = Learner::stack([Learner::custom(Constant), Learner::linear().into()]);
    let fit = stack.of("y", &NUMBERS).seed(1).fit(&frame).unwrap();
    assert!(fit.learner().stack_weights().unwrap()[0].1 < 0.1);
    let custom = Learner::custom(Constant);
    let back: Learner = serde_json::from_str(&serde_json::to_string(&custom).unwrap()).unwrap();
    assert_eq!(back, custom);
    let error = back.of("y", &NUMBERS).seed(1).fit(&frame).unwrap_err();
    assert!(error.to_string().contains("Custom::new"), "{error}");
}

/// Predicts the first feature, and one more in the second level of the second.
struct Given;

impl CustomLearner for Given {
    fn name(&self) -> &'static str {
        "given"
    }

    fn fit(&self, _: &TrainingSet, _: Seed, _: &Progress) -> Result<std::sync::Arc<dyn CustomFit>> {
        Ok(std::sync::Arc::new(Self))
    }
}

impl CustomFit for Given {
    fn predict(&self, features: &Features, rows: &Rows, out: &mut [f64]) -> Result<()> {
        let (number, category) = (features.number(0).unwrap(), features.category(1).unwrap());
        for (i, out) in out.iter_mut().enumerate() {
            let row = rows.index(i);
            *out = number[row] + f64::from(category.codes()[row]);
        }
        Ok(())
    }
}

#[test]
fn a_custom_learner_reads_its_features() {
    let frame = Frame::new()
        .with("x", vec![1.0, 2.0, 3.0, 4.0])
        .unwrap()
        .with("k", vec!["a", "b", "a", "b"])
        .unwrap()
        .with("y", vec![0.0, 1.0, 0.0, 1.0])
        .unwrap();
    let fit = Learner::custom(Given)
        .of("y", &["x", "k"])
        .seed(1)
        .fit(&frame)
        .unwrap();
    assert_eq!(fit.predict(&frame).unwrap(), [1.0, 3.0, 3.0, 5.0]);
    let features = Features::from_frame(&frame, &["x", "k"]).unwrap();
    assert!(
        features.number(1).is_none()
            && features.category(0).is_none()
            && features.number(2).is_none()
    );
}

// ---------------------------------------------------------------- bad input

#[test]
fn bad_input_is_refused_with_a_reason() {
    let frame = generate(60, 0).with("one", vec![1.0; 60]).unwrap();
    let says = |result: Result<LearnerFit>, words: &str| {
        let text = result.unwrap_err().to_string();
        assert!(text.contains(words), "{text}");
    };
    let linear = Learner::linear();
    says(
        linear.fit_frame(&frame, "y", &["x0", "x11"]),
        "there is no column `x11`",
    );
    says(linear.fit_frame(&frame, "y", &["x0", "y"]), "outcome `y`");
    says(
        linear.fit_frame(&frame, "y", &[] as &[&str]),
        "at least one column",
    );
    says(
        linear.fit_frame(&frame, "level", &["x0"]),
        "must be numeric",
    );
    says(
        linear.of("y", &["x0"]).probability().fit(&frame),
        "it must be 0 or 1",
    );
    says(
        linear.fit_frame(&frame, "one", &["x0"]),
        "it is 1 on all 60 rows",
    );
    says(
        linear.of("y", &["x0"]).weights("level").fit(&frame),
        "must be numeric",
    );
    let negative = frame.clone().with("v", vec![-1.0; 60]).unwrap();
    says(
        linear.of("y", &["x0"]).weights("v").fit(&negative),
        "finite and not negative",
    );
    says(Learner::lasso().fit_frame(&frame, "y", &["x0"]), ".seed(7)");
    says(
        Learner::lasso()
            .folds(40)
            .of("y", &["x0"])
            .seed(1)
            .fit(&frame),
        "60 rows",
    );
    says(
        Learner::lasso()
            .penalty_factor("x9", 0.0)
            .of("y", &["x0"])
            .seed(1)
            .fit(&frame),
        "`x9`",
    );
    says(
        Learner::elastic_net(1.5).fit_frame(&frame, "y", &["x0"]),
        "option `mixing` is 1.5",
    );
    says(
        Learner::boosted_trees()
            .leaves(1)
            .fit_frame(&frame, "y", &["x0"]),
        "option `leaves` is 1",
    );
    says(
        Learner::boosted_trees()
            .bins(256)
            .fit_frame(&frame, "y", &["x0"]),
        "from 2 to 255",
    );
    says(
        Learner::boosted_trees()
            .learning_rate(0.0)
            .fit_frame(&frame, "y", &["x0"]),
        "learning_rate",
    );
    says(
        Learner::forest()
            .features_per_split(3)
            .of("y", &["x0"])
            .seed(1)
            .fit(&frame),
        "features_per_split",
    );
    says(
        Learner::stack(Vec::<Learner>::new())
            .of("y", &["x0"])
            .seed(1)
            .fit(&frame),
        "at least one learner",
    );
    // Classes that a line separates have no likelihood maximum.
    let separated = Frame::new()
        .with("x", (0..40).map(f64::from).collect::<Vec<_>>())
        .unwrap()
        .with("w", (0..40).map(|i| i >= 20).collect::<Vec<_>>())
        .unwrap();
    says(
        linear.of("w", &["x"]).probability().fit(&separated),
        "separate the classes",
    );
    let ridge = Learner::linear()
        .ridge(1e-3)
        .of("w", &["x"])
        .probability()
        .fit(&separated)
        .unwrap();
    assert!(ridge.predict(&separated).unwrap()[39] > 0.9);
}

#[test]
fn missing_outcomes_are_left_out_and_counted() {
    let y: Vec<f64> = (0..200)
        .map(|i| if i % 10 == 0 { f64::NAN } else { unit(i) })
        .collect();
    let frame = generate(200, 0).with("z", y).unwrap();
    let fit = Learner::boosted_trees()
        .fit_frame(&frame, "z", &NUMBERS)
        .unwrap();
    assert_eq!(fit.rows(), 180);
    assert!(fit.to_string().contains("20 rows dropped"), "{fit}");
    assert_eq!(fit.predict(&frame).unwrap().len(), 200);
}

#[test]
fn every_learner_can_be_stopped() {
    let frame = generate(500, 0);
    for learner in everyone() {
        let stop = Progress::with(|_| false);
        let result = learner.of("y", &ALL).seed(1).fit_with(&frame, &stop);
        assert!(
            matches!(result, Err(Error::Cancelled { .. })),
            "{}",
            learner.name()
        );
    }
}

#[test]
fn noise_stops_early() {
    let y: Vec<f64> = (0..2000).map(|i| unit(i + (1 << 30))).collect();
    let frame = generate(2000, 0).with("noise", y).unwrap();
    let fit = Learner::boosted_trees()
        .early_stopping(10)
        .of("noise", &NUMBERS)
        .seed(1)
        .fit(&frame)
        .unwrap();
    // By chance the held-out rows like the first few trees a little; uniform noise has variance 1/12.
    assert!(fit.learner().trees().unwrap() <= 10, "{fit}");
    assert!(
        (12.0 * fit.honest_loss().unwrap() - 1.0).abs() < 0.1,
        "{fit}"
    );
}
