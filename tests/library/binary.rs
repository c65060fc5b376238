//! Binary outcomes against reference software, by simulation, and on data that have no maximum.

use crate::support::{agree, agree_covariance, data, fixture, names, numbers, pick, with_clusters};
use cocreate::prelude::*;
use rand::RngExt;
use serde_json::Value;

fn fit(link: &str, formula: &str, frame: &Frame, covariance: Covariance) -> LikelihoodFit {
    match link {
        "logit" => Logit::new(formula).covariance(covariance).fit(frame),
        "probit" => Probit::new(formula).covariance(covariance).fit(frame),
        "cloglog" => Cloglog::new(formula).covariance(covariance).fit(frame),
        other => panic!("{other}"),
    }
    .unwrap()
}

/// Slopes of the marginal effects in the order of the fixture's names.
fn effects(fit: &LikelihoodFit, margins: &Margins) -> (Vec<f64>, Vec<f64>) {
    let effects = fit.marginal_effects(margins).unwrap();
    (
        effects.estimates().iter().copied().collect(),
        effects.std_errors().iter().copied().collect(),
    )
}

#[test]
fn binary_models_as_in_statsmodels() {
    let all = fixture("binary");
    let tolerance = all["tolerance"].as_f64().unwrap();
    for (name, want) in all["values"].as_object().unwrap() {
        let Some(link) = want["link"].as_str() else {
            continue;
        };
        let mut frame = data(want["data"].as_str().unwrap());
        let cluster = want["cluster"].as_str();
        if let Some(cluster) = cluster {
            frame = with_clusters(&frame, cluster);
        }
        let formula = want["formula"].as_str().unwrap();
        let fit = fit(link, formula, &frame, Covariance::Classical);
        let (at, estimates) = pick(&fit, &names(want));
        agree(
            &format!("{name} estimates"),
            &estimates,
            &numbers(&want["estimates"]),
            tolerance,
        );
        let s = fit.statistics();
        let null = s.null_log_likelihood.unwrap();
        for (key, ours) in [
            ("log_likelihood", s.log_likelihood),
            ("null_log_likelihood", null),
        ] {
            agree(
                &format!("{name} {key}"),
                &[ours],
                &numbers(&want[key]),
                tolerance,
            );
        }
        for (kind, theirs) in want["covariance"].as_object().unwrap() {
            let covariance = match kind.as_str() {
                "classical" => Covariance::Classical,
                "HC0" => Covariance::Hc0,
                "HC1" => Covariance::Hc1,
                "cluster" => Covariance::cluster(cluster.unwrap()),
                other => panic!("{other}"),
            };
            let other = fit.with_covariance(covariance).unwrap();
            agree_covariance(&format!("{name} {kind}"), &other, &at, theirs, tolerance);
        }
        let slopes: Vec<String> = names(want).into_iter().skip(1).collect();
        for (key, margins) in [
            ("ame", Margins::of(slopes.clone())),
            ("mem", Margins::of(slopes.clone()).at_means()),
        ] {
            let Value::Object(theirs) = &want[key] else {
                continue;
            };
            let (estimates, errors) = effects(&fit, &margins);
            agree(
                &format!("{name} {key}"),
                &estimates,
                &numbers(&theirs["estimates"]),
                1e-8,
            );
            agree(
                &format!("{name} {key} errors"),
                &errors,
                &numbers(&theirs["std_errors"]),
                1e-7,
            );
        }
        let theirs = &want["predictions"];
        let new = theirs["rows"]
            .as_object()
            .unwrap()
            .iter()
            .fold(Frame::new(), |frame, (column, values)| {
                frame.with(column.clone(), numbers(values)).unwrap()
            });
        let level = theirs["level"].as_f64().unwrap();
        let ours = fit.predict_interval(&new, Quantity::Mean, level).unwrap();
        for (key, ours) in [
            ("mean", &ours.values),
            ("std_error", &ours.std_errors),
            ("lower", &ours.lower),
            ("upper", &ours.upper),
        ] {
            agree(
                &format!("{name} prediction {key}"),
                ours,
                &numbers(&theirs[key]),
                1e-8,
            );
        }
    }
    let want = &all["values"]["chained"];
    let frame = data("datasets/nsw_mixtape.csv");
    let fit = fit(
        "logit",
        want["formula"].as_str().unwrap(),
        &frame,
        Covariance::Classical,
    );
    let (estimates, errors) = effects(&fit, &Margins::of(["age", "black"]).discrete("black"));
    for (i, key) in ["age", "black"].iter().enumerate() {
        agree(
            &format!("chained {key}"),
            &[estimates[i], errors[i]],
            &numbers(&want[key]),
            1e-8,
        );
    }
}

#[test]
fn leverages_as_in_sandwich_and_club_sandwich() {
    let all = fixture("binary_r");
    let want = &all["values"]["thornton_logit"];
    let cluster = want["cluster"].as_str().unwrap();
    let frame = with_clusters(&data(want["data"].as_str().unwrap()), cluster);
    let fit = fit(
        "logit",
        want["formula"].as_str().unwrap(),
        &frame,
        Covariance::Hc2,
    );
    let (at, estimates) = pick(&fit, &names(want));
    agree("estimates", &estimates, &numbers(&want["estimates"]), 1e-9);
    for (kind, covariance) in [("HC2", Covariance::Hc2), ("HC3", Covariance::Hc3)] {
        let fit = fit.with_covariance(covariance).unwrap();
        agree_covariance(kind, &fit, &at, &want["covariance"][kind], 1e-8);
    }
}

/// clubSandwich takes another root in weighted models; ours is that of the weighted least squares of the last Newton step.
#[test]
fn cr2_is_that_of_the_last_weighted_least_squares() {
    let frame = with_clusters(&data("datasets/thornton_hiv.csv"), "villnum");
    let fit = Logit::new("got ~ any + tinc + distvct + age")
        .fit(&frame)
        .unwrap();
    let frame = crate::support::filter(&frame, &fit.kept_rows().unwrap());
    let index = fit.predict(&frame, Quantity::Linear).unwrap();
    let y = frame.real("got").unwrap();
    let p: Vec<f64> = index.iter().map(|i| 1.0 / (1.0 + (-i).exp())).collect();
    let w: Vec<f64> = p.iter().map(|p| p * (1.0 - p)).collect();
    let z: Vec<f64> = (0..p.len())
        .map(|i| index[i] + (y[i] - p[i]) / w[i])
        .collect();
    let working = frame.clone().with("z", z).unwrap().with("w", w).unwrap();
    let least = Ols::new("z ~ any + tinc + distvct + age")
        .weights("w")
        .covariance(Covariance::cr2("villnum"))
        .fit(&working)
        .unwrap();
    let ours = fit.with_covariance(Covariance::cr2("villnum")).unwrap();
    for (a, b) in ours.coefficients().iter().zip(least.coefficients()) {
        assert!((a.estimate / b.estimate - 1.0).abs() < 1e-8);
        assert!((a.std_error / b.std_error - 1.0).abs() < 1e-8);
        assert!((a.degrees_of_freedom / b.degrees_of_freedom - 1.0).abs() < 1e-8);
    }
}

/// `y = 1[x'b + e > 0]` with logistic, normal or (minus) extreme-value errors.
fn simulate(link: &str, rows: usize, seed: u64) -> Frame {
    let mut random = Seed::new(seed).stream(0);
    let (mut x, mut z, mut y) = (vec![], vec![], vec![]);
    for _ in 0..rows {
        let a: f64 = random.random::<f64>() * 2.0 - 1.0;
        let b = f64::from(u8::from(random.random::<f64>() < 0.4));
        let eta = -0.3 + 0.8 * a + 0.5 * b;
        let p = match link {
            "logit" => 1.0 / (1.0 + (-eta).exp()),
            "probit" => cocreate::numeric::special::normal::cdf(eta),
            _ => 1.0 - (-eta.exp()).exp(),
        };
        x.push(a);
        z.push(b);
        y.push(f64::from(u8::from(random.random::<f64>() < p)));
    }
    Frame::new()
        .with("x", x)
        .unwrap()
        .with("z", z)
        .unwrap()
        .with("y", y)
        .unwrap()
}

#[test]
fn intervals_cover() {
    const REPLICATIONS: u64 = 600;
    for link in ["logit", "probit", "cloglog"] {
        let (mut classical, mut robust, mut bias) = (0, 0, 0.0);
        for r in 0..REPLICATIONS {
            let frame = simulate(link, 400, r);
            let fit = fit(link, "y ~ x + z", &frame, Covariance::Classical);
            let x = fit.coefficient("x").unwrap();
            bias += x.estimate - 0.8;
            let covers = |e: &Estimate| {
                let i = e.confidence_interval(0.95).unwrap();
                usize::from(i.lower <= 0.8 && 0.8 <= i.upper)
            };
            classical += covers(&x);
            let other = fit.with_covariance(Covariance::Hc1).unwrap();
            robust += covers(&other.coefficient("x").unwrap());
        }
        let share = |count: usize| count as f64 / REPLICATIONS as f64;
        // Monte Carlo error of a coverage of .95 is .009; 3.5 of it either way.
        println!(
            "{link}: classical {} robust {} bias {}",
            share(classical),
            share(robust),
            bias / REPLICATIONS as f64
        );
        assert!(
            (share(classical) - 0.95).abs() < 0.031,
            "{link} {}",
            share(classical)
        );
        assert!(
            (share(robust) - 0.95).abs() < 0.031,
            "{link} {}",
            share(robust)
        );
        assert!((bias / REPLICATIONS as f64).abs() < 0.04);
    }
}

#[test]
fn separation_is_found_and_named() {
    let frame = |y: Vec<f64>| {
        Frame::new()
            .with("y", y)
            .unwrap()
            .with("x", vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0])
            .unwrap()
            .with("z", vec![0.3, -0.2, 0.5, 0.1, -0.4, 0.2, 0.0, 0.6])
            .unwrap()
    };
    let complete = frame(vec![0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0]);
    for link in [0, 1, 2] {
        let error = match link {
            0 => Logit::new("y ~ x").fit(&complete),
            1 => Probit::new("y ~ x").fit(&complete),
            _ => Cloglog::new("y ~ x").fit(&complete),
        }
        .unwrap_err();
        let Error::Separated {
            columns,
            rows,
            complete,
            ..
        } = &error
        else {
            panic!("{error}")
        };
        assert_eq!(
            (columns.as_slice(), *rows, *complete),
            (&["x".to_owned()][..], 8, true)
        );
        assert!(error.to_string().contains("Logit::firth"), "{error}");
    }
    // A category whose rows all have outcome 1, beside a regressor with an estimate.
    let quasi = frame(vec![0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 1.0, 1.0])
        .with("vip", vec![0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 1.0])
        .unwrap();
    let error = Logit::new("y ~ z + vip").fit(&quasi).unwrap_err();
    let Error::Separated {
        columns,
        rows,
        complete,
        ..
    } = error
    else {
        panic!("{error}")
    };
    assert_eq!(
        (columns, rows, complete),
        (vec!["vip".to_owned()], 2, false)
    );
    // Overlap by one row is enough.
    let overlap = frame(vec![0.0, 0.0, 0.0, 1.0, 0.0, 1.0, 1.0, 1.0]);
    assert!(Logit::new("y ~ x").fit(&overlap).is_ok());
}

#[test]
fn nonsense_is_refused_by_name() {
    let frame = data("datasets/nsw_mixtape.csv");
    let error = Logit::new("age ~ educ").fit(&frame).unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("`age` is 37 in row 1; it must be 0 or 1"),
        "{error}"
    );
    let ones = frame.clone().with("ones", vec![1.0; frame.rows()]).unwrap();
    let error = Probit::new("ones ~ educ").fit(&ones).unwrap_err();
    assert!(matches!(error, Error::Unidentified { .. }), "{error}");
    let error = Logit::new("treat ~ age | educ").fit(&frame).unwrap_err();
    assert!(error.to_string().contains("ConditionalLogit"), "{error}");
    let fit = Logit::new("treat ~ age + educ").fit(&frame).unwrap();
    let new = Frame::new().with("age", vec![20.0]).unwrap();
    assert!(matches!(
        fit.predict(&new, Quantity::Mean),
        Err(Error::ColumnNotFound { .. })
    ));
    let lean = fit.lean();
    assert!(matches!(
        lean.predict(&frame, Quantity::Mean),
        Err(Error::DataNotKept { .. })
    ));
    assert!(fit.predict(&frame, Quantity::Probability(2.0)).is_err());
    assert!(fit.marginal_effects(&Margins::of(["re99"])).is_err());
}

#[test]
fn predictions_know_the_levels_and_means_of_the_fit() {
    let frame = simulate("logit", 300, 9);
    let arm: Vec<&str> = (0..300).map(|i| ["a", "b", "c"][i % 3]).collect();
    let frame = frame.with("arm", arm).unwrap();
    let fit = Logit::new("y ~ standardize(x) + poly(x, 2):z + arm")
        .fit(&frame)
        .unwrap();
    let whole = fit.predict(&frame, Quantity::Mean).unwrap();
    let part = frame.take(&[4, 17, 250]).unwrap();
    let some = fit.predict(&part, Quantity::Mean).unwrap();
    for (ours, row) in some.iter().zip([4, 17, 250]) {
        assert!((ours - whole[row]).abs() < 1e-12);
    }
    let unknown = part.replace("arm", vec!["a", "d", "b"]).unwrap();
    let error = fit.predict(&unknown, Quantity::Mean).unwrap_err();
    assert!(
        error.to_string().contains("level of `arm` in row 2"),
        "{error}"
    );
    let missing = part.replace("x", vec![0.1, f64::NAN, 0.2]).unwrap();
    let predicted = fit
        .predict_interval(&missing, Quantity::Mean, 0.95)
        .unwrap();
    assert!(
        predicted.values[1].is_nan() && predicted.missing == 1 && predicted.values[2].is_finite()
    );
    // Effects of a category are differences to the first level.
    let effects = fit.marginal_effects(&Margins::of(["arm"])).unwrap();
    assert_eq!(effects.names(), ["arm[b]", "arm[c]"]);
}

#[test]
fn frequency_weights_are_copies_and_the_order_of_rows_is_nothing() {
    let frame = simulate("probit", 120, 3);
    let weights: Vec<f64> = (0..120).map(|i| f64::from(i % 3)).collect();
    let copies: Vec<usize> = (0..120).flat_map(|i| vec![i; i % 3]).collect();
    let weighted = frame.clone().with("w", weights).unwrap();
    let copied = frame.take(&copies).unwrap();
    for covariance in [Covariance::Classical, Covariance::Hc1, Covariance::Hc3] {
        let a = Probit::new("y ~ x + z")
            .frequency_weights("w")
            .covariance(covariance.clone())
            .fit(&weighted)
            .unwrap();
        let b = Probit::new("y ~ x + z")
            .covariance(covariance)
            .fit(&copied)
            .unwrap();
        assert!((a.estimates() - b.estimates()).amax() < 1e-11);
        assert!((a.covariance() - b.covariance()).amax() < 1e-11);
        assert!((a.log_likelihood() - b.log_likelihood()).abs() < 1e-10);
    }
    let reversed: Vec<usize> = (0..120).rev().collect();
    let a = Cloglog::new("y ~ x + z").fit(&frame).unwrap();
    let b = Cloglog::new("y ~ x + z")
        .fit(&frame.take(&reversed).unwrap())
        .unwrap();
    assert!((a.estimates() - b.estimates()).amax() < 1e-11);
}

/// A saturated table: Firth's penalty adds one half to every cell.
#[test]
fn firth_adds_a_half_to_the_cells_of_a_table() {
    let (mut x, mut y) = (vec![], vec![]);
    for (cell, count) in [
        ((0.0, 0.0), 9),
        ((0.0, 1.0), 3),
        ((1.0, 0.0), 0),
        ((1.0, 1.0), 5),
    ] {
        x.extend(vec![cell.0; count]);
        y.extend(vec![cell.1; count]);
    }
    let frame = Frame::new().with("x", x).unwrap().with("y", y).unwrap();
    assert!(matches!(
        Logit::new("y ~ x").fit(&frame),
        Err(Error::Separated { .. })
    ));
    let fit = Logit::new("y ~ x")
        .firth()
        .covariance(Covariance::Classical)
        .fit(&frame)
        .unwrap();
    let constant = (3.5_f64 / 9.5).ln();
    let slope = (5.5_f64 / 0.5).ln() - constant;
    assert!((fit.estimates()[0] - constant).abs() < 1e-9);
    assert!((fit.estimates()[1] - slope).abs() < 1e-9);
    // The information at the estimates, with the counts of the table.
    let (p0, p1): (f64, f64) = (3.5 / 13.0, 5.5 / 6.0);
    let variance = 1.0 / (12.0 * p0 * (1.0 - p0)) + 1.0 / (5.0 * p1 * (1.0 - p1));
    assert!((fit.std_error("x").unwrap() - variance.sqrt()).abs() < 1e-8);
    assert!(fit.with_covariance(Covariance::Hc1).is_ok());
}

/// The estimates maximise ℓ + ½ ln det I, written out here a second time.
#[test]
fn firth_maximises_the_penalised_likelihood() {
    let frame = simulate("logit", 40, 17);
    let fit = Logit::new("y ~ x + z").firth().fit(&frame).unwrap();
    let (x, z, y) = (
        frame.real("x").unwrap(),
        frame.real("z").unwrap(),
        frame.real("y").unwrap(),
    );
    let penalised = |b: &[f64]| {
        let mut information = nalgebra::Matrix3::zeros();
        let mut value = 0.0;
        for i in 0..y.len() {
            let row = nalgebra::Vector3::new(1.0, x[i], z[i]);
            let p = 1.0 / (1.0 + (-row.dot(&nalgebra::Vector3::from_column_slice(b))).exp());
            value += y[i] * p.ln() + (1.0 - y[i]) * (1.0 - p).ln();
            information += row * row.transpose() * (p * (1.0 - p));
        }
        value + 0.5 * information.determinant().ln()
    };
    let at: Vec<f64> = fit.estimates().iter().copied().collect();
    assert!((penalised(&at) - fit.log_likelihood()).abs() < 1e-10);
    let slope = cocreate::numeric::derivative::gradient(penalised, &at).unwrap();
    assert!(slope.iter().all(|g| g.abs() < 1e-7), "{slope:?}");
    // Less biased away from zero than maximum likelihood in small samples.
    let plain = Logit::new("y ~ x + z").fit(&frame).unwrap();
    assert!(fit.estimates()[1].abs() < plain.estimates()[1].abs());
}

/// A variable that the model does not have is refused, and one that does not move the quantity has an effect of exactly zero:
/// rounding is not a significant effect.
#[test]
fn rounding_is_not_a_marginal_effect() {
    let frame = datasets::load("nsw").unwrap();
    let fit = Logit::new("treat ~ age + black").fit(&frame).unwrap();
    for margins in [
        Margins::of(["educ"]),
        Margins::of(["treat"]),
        Margins::of(["age"]).at("educ", 12.0),
        Margins::of(["age"]).discrete("educ"),
    ] {
        let error = fit.marginal_effects(&margins).unwrap_err();
        assert!(matches!(error, Error::InvalidOption { .. }), "{error}");
    }
    for value in [f64::NAN, f64::INFINITY] {
        let margins = Margins::of(["black"]).at("age", value);
        let error = fit.marginal_effects(&margins).unwrap_err().to_string();
        assert!(
            error.contains("`age`") && error.contains("finite"),
            "{error}"
        );
    }
    let rossi = datasets::load("rossi").unwrap();
    let model = Hurdle::poisson("prio ~ age").hurdle("wexp");
    let zeros = Margins::of(["age", "wexp"]).quantity(Quantity::Probability(0.0));
    let effects = model.fit(&rossi).unwrap().marginal_effects(&zeros).unwrap();
    let [none, some] = ["age", "wexp"].map(|name| effects.coefficient(name).unwrap());
    assert_eq!([none.estimate, none.std_error], [0.0, 0.0]);
    assert!(some.std_error > 1e-4);
    let shown = effects.to_string();
    assert!(!shown.contains("NaN") && !shown.contains("inf"), "{shown}");
}

/// A model of another outcome, kind or penalty is no special case, though it has fewer parameters on as many rows.
#[test]
fn tests_between_models_need_the_same_outcome_and_kind() {
    let frame = datasets::load("nsw").unwrap();
    let full = Logit::new("treat ~ age + educ + black")
        .fit(&frame)
        .unwrap();
    let other = Logit::new("nodegree ~ age").fit(&frame).unwrap();
    let probit = Probit::new("treat ~ age").fit(&frame).unwrap();
    let firth = Logit::new("treat ~ age").firth().fit(&frame).unwrap();
    assert!(full.likelihood_ratio_test(&other).is_err());
    assert!(full.score_test(&other).is_err());
    assert!(full.vuong(&other).is_err());
    assert!(full.score_test(&probit).is_err());
    assert!(full.likelihood_ratio_test(&firth).is_err());
    let rossi = datasets::load("rossi").unwrap();
    let poisson = Poisson::new("prio ~ age").fit(&rossi).unwrap();
    let binomial = NegativeBinomial::new("prio ~ age").fit(&rossi).unwrap();
    // ln α = 0 is not the Poisson model.
    assert!(binomial.score_test(&poisson).is_err());
    assert!(binomial.likelihood_ratio_test(&poisson).is_ok());
    let vuong = binomial.vuong(&poisson).unwrap().to_string();
    assert!(
        vuong.contains("N(0, 1)") && !vuong.contains("inf"),
        "{vuong}"
    );
}

/// The probability of a count rises and falls with the index: the interval is its range over the interval of the index.
#[test]
fn the_interval_of_a_probability_of_a_count_contains_it() {
    let rossi = datasets::load("rossi").unwrap();
    let fit = Poisson::new("prio ~ age + wexp").fit(&rossi).unwrap();
    let ages: Vec<f64> = (0..120).map(|i| 10.0 + f64::from(i)).collect();
    let new = Frame::new()
        .with("age", ages)
        .unwrap()
        .with("wexp", vec![1.0; 120])
        .unwrap();
    let index = fit.predict_interval(&new, Quantity::Linear, 0.95).unwrap();
    for count in 1..6 {
        let k = f64::from(count);
        let found = fit.predict_interval(&new, Quantity::Probability(k), 0.95);
        let found = found.unwrap();
        let factorial: f64 = (1..=count).map(f64::from).product();
        let density = |eta: f64| (k * eta - eta.exp()).exp() / factorial;
        for i in 0..120 {
            let (from, to) = (index.lower[i], index.upper[i]);
            let grid = (0..=1000).map(|s| density(from + (to - from) * f64::from(s) / 1000.0));
            let (low, high) = grid.fold((1.0_f64, 0.0_f64), |(l, h), p| (l.min(p), h.max(p)));
            assert!((found.lower[i] - low).abs() < 1e-6, "{count} {i}");
            assert!((found.upper[i] - high).abs() < 1e-6, "{count} {i}");
        }
    }
}

/// The remedy for separation is one that the model in hand can take.
#[test]
fn the_remedy_for_separation_fits_the_model() {
    let rows: Vec<f64> = (0..20).map(f64::from).collect();
    let above: Vec<f64> = rows.iter().map(|x| f64::from(u8::from(*x > 9.0))).collect();
    let frame = Frame::new()
        .with("y", above)
        .unwrap()
        .with("x", rows)
        .unwrap();
    let remedy = |error: Error| match error {
        Error::Separated { remedy, .. } => remedy,
        other => panic!("{other}"),
    };
    let logit = remedy(Logit::new("y ~ x").fit(&frame).unwrap_err());
    assert!(logit.starts_with("use Logit::firth"), "{logit}");
    let selection = Heckman::new("x ~ 1", "y ~ x").fit(&frame).unwrap_err();
    assert!(remedy(selection).starts_with("leave the columns out"));
}
