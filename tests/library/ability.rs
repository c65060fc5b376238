//! Item response models against published values, an independent program, simulation and what must hold for any data.

use crate::support::{agree, agree_covariance, data, fixture, names, numbers, pick};
use cocreate::inference::SmallSample;
use cocreate::prelude::*;
use proptest::prelude::*;
use rand::RngExt;

const LSAT: [&str; 5] = ["item1", "item2", "item3", "item4", "item5"];

fn lsat() -> ItemResponse {
    ItemResponse::new(LSAT).frequency_weights("count")
}

fn patterns() -> Frame {
    datasets::load("lsat6_patterns").unwrap()
}

fn estimate(fit: &ItemResponseFit, name: &str) -> f64 {
    fit.coefficient(name).unwrap().estimate
}

#[test]
fn lsat_section_6_has_its_known_maxima() {
    let two = lsat().fit(&patterns()).unwrap();
    assert!((two.log_likelihood() + 2_466.653_377).abs() < 1e-6);
    let rasch = lsat().rasch().fit(&patterns()).unwrap();
    assert!((rasch.log_likelihood() + 2_466.937_6).abs() < 1e-4);
    let unit = lsat().rasch().discrimination(1.0).fit(&patterns()).unwrap();
    assert!((unit.log_likelihood() + 2_473.053_847).abs() < 1e-6);
    // Where ltm stopped, but the last difficulty, which is that of the true maximum.
    let discrimination = [
        0.825_371_5,
        0.722_949_9,
        0.890_474_8,
        0.688_550_2,
        0.657_451_6,
    ];
    let difficulty = [-3.359_734, -1.369_65, -0.279_898_3, -1.865_919, -3.125_91];
    for (k, item) in LSAT.iter().enumerate() {
        let d = estimate(&two, &format!("discrimination[{item}]"));
        assert!((d - discrimination[k]).abs() < 1e-3, "{item} {d}");
        let b = estimate(&two, &format!("difficulty[{item}]"));
        assert!((b - difficulty[k]).abs() < 1e-3, "{item} {b}");
    }
    assert!((estimate(&rasch, "discrimination") - 0.755_134).abs() < 1e-5);
    let test = two.likelihood_ratio_test(&rasch).unwrap();
    assert!((test.statistic - 0.5685).abs() < 1e-3 && test.p_value > 0.96);
    assert!(rasch.likelihood_ratio_test(&two).is_err());
    assert_eq!(two.history().len(), two.convergence().iterations);
    assert!(two.history().is_sorted_by(|a, b| b - a > -1e-8));
}

#[test]
fn an_anchor_only_changes_the_scale() {
    let standard = lsat().fit(&patterns()).unwrap();
    let anchored = lsat().anchor("item2").fit(&patterns()).unwrap();
    assert!((standard.log_likelihood() - anchored.log_likelihood()).abs() < 1e-7);
    let (d, b) = (
        estimate(&standard, "discrimination[item2]"),
        estimate(&standard, "difficulty[item2]"),
    );
    assert!((estimate(&anchored, "ability_variance") - d * d).abs() < 1e-5);
    assert!((estimate(&anchored, "ability_mean") + d * b).abs() < 1e-5);
    let ratio = estimate(&standard, "discrimination[item3]") / d;
    assert!((estimate(&anchored, "discrimination[item3]") - ratio).abs() < 1e-5);
    // The delta method gives the same errors on either scale.
    let ours = anchored.coefficient("ability_variance").unwrap().std_error;
    let theirs = standard.std_error("discrimination[item2]").unwrap() * 2.0 * d;
    assert!((ours - theirs).abs() < 1e-5, "{ours} {theirs}");
}

fn columns(prefix: &str, count: usize) -> Vec<String> {
    (1..=count).map(|k| format!("{prefix}{k}")).collect()
}

/// The models of the fixture.
fn of_fixture(name: &str) -> ItemResponse {
    match name {
        "graded" => ItemResponse::new(columns("g", 4)).graded(),
        "generalized_partial_credit" => {
            ItemResponse::new(columns("p", 4)).generalized_partial_credit()
        }
        "partial_credit" => ItemResponse::new(columns("p", 4)).partial_credit(),
        "two_groups" => ItemResponse::new(columns("d", 6)).group("group"),
        "regressors" => ItemResponse::new(columns("e", 6)).regressors("x + z"),
        "features" => {
            let items = Frame::new()
                .with("item", columns("r", 6))
                .unwrap()
                .with("u", vec![1.0, 0.0, 1.0, 2.0, 0.0, 1.0])
                .unwrap()
                .with("v", vec![0.0, 1.0, 1.0, 0.0, 2.0, 2.0])
                .unwrap();
            ItemResponse::new(columns("r", 6))
                .rasch()
                .difficulty_regressors("u + v", &items)
        }
        "mixed" => ItemResponse::new(["g1", "p2", "t1", "t4"])
            .item_model("g1", ItemModel::Graded)
            .item_model("p2", ItemModel::GeneralizedPartialCredit)
            .anchor("t1"),
        "three_parameter" => ItemResponse::new(columns("t", 6))
            .three_parameter()
            .guessing_prior(0.2, 30.0),
        other => panic!("{other}"),
    }
}

#[test]
fn an_independent_program_finds_the_same_maxima_and_errors() {
    let fixture = fixture("ability");
    let frame = data(fixture["data"].as_str().unwrap());
    let tolerance = fixture["tolerance"].as_f64().unwrap();
    let mut checked = 0;
    for (name, theirs) in fixture["values"].as_object().unwrap() {
        let fit = of_fixture(name).fit(&frame).unwrap();
        assert!(fit.convergence().converged, "{name}");
        let value = theirs["log_likelihood"].as_f64().unwrap();
        agree(name, &[fit.log_likelihood()], &[value], 1e-9);
        let (at, ours) = pick(&fit, &names(theirs));
        assert_eq!(at.len(), fit.names().len(), "{name} {:?}", fit.names());
        agree(name, &ours, &numbers(&theirs["estimates"]), tolerance);
        agree_covariance(name, &fit, &at, &theirs["covariance"], 10.0 * tolerance);
        if theirs.get("hc0").is_some() {
            let robust = fit.with_covariance(Covariance::Hc0).unwrap();
            agree_covariance(name, &robust, &at, &theirs["hc0"], 10.0 * tolerance);
            let clusters = Covariance::cluster("village").small_sample(SmallSample::none());
            let clustered = fit.with_covariance(clusters).unwrap();
            agree_covariance(name, &clustered, &at, &theirs["cr0"], 10.0 * tolerance);
        }
        checked += 1;
    }
    assert_eq!(checked, 8);
}

#[test]
fn the_three_parameter_model_is_at_the_mode_with_the_curvature_there() {
    const ITEMS: usize = 6;
    let frame = data("tests/reference/ability.csv");
    let fit = ItemResponse::new(columns("t", ITEMS))
        .three_parameter()
        .guessing_prior(0.2, 30.0)
        .fit(&frame)
        .unwrap();
    let (r, prior) = (fit.responses().unwrap(), fit.prior_weights(0).unwrap());
    // The penalised log-likelihood from the items' public probabilities alone.
    let objective = |p: &[f64]| -> f64 {
        let curves: Vec<Vec<Vec<f64>>> = (p.chunks(3))
            .map(|p| Item::three_parameter("", p[0], p[1], p[2]).unwrap())
            .map(|item| fit.nodes().iter().map(|a| item.probabilities(*a)).collect())
            .collect();
        let likelihood: f64 = (0..r.patterns())
            .map(|pattern| {
                let sum: f64 = (prior.iter().enumerate())
                    .map(|(q, w)| {
                        let answers = r.answers(pattern);
                        w * answers.map(|(k, c)| curves[k][q][c]).product::<f64>()
                    })
                    .sum();
                r.weight(pattern) * sum.ln()
            })
            .sum();
        let guesses = p
            .chunks(3)
            .map(|p| 0.2 * p[2].ln() + 0.8 * (1.0 - p[2]).ln());
        likelihood + 30.0 * guesses.sum::<f64>()
    };
    let at: Vec<f64> = fit.estimates().iter().copied().collect();
    assert_eq!(at.len(), 3 * ITEMS);
    let moved = |i: usize, s: f64, j: usize, t: f64| {
        const STEP: f64 = 1e-4;
        let mut p = at.clone();
        p[i] += s * STEP;
        p[j] += t * STEP;
        objective(&p)
    };
    let information = nalgebra::DMatrix::from_fn(at.len(), at.len(), |i, j| {
        let corners = moved(i, 1.0, j, 1.0) - moved(i, 1.0, j, -1.0) - moved(i, -1.0, j, 1.0)
            + moved(i, -1.0, j, -1.0);
        -corners / 4e-8
    });
    let covariance = information.try_inverse().unwrap();
    for i in 0..at.len() {
        let slope = (moved(i, 1.0, i, 0.0) - moved(i, -1.0, i, 0.0)) / 2e-4;
        let se = fit.std_errors()[i];
        assert!((slope * se).abs() < 1e-4, "{} {slope}", fit.names()[i]);
        let theirs = covariance[(i, i)].sqrt();
        assert!(
            (se / theirs - 1.0).abs() < 1e-3,
            "{} {se} {theirs}",
            fit.names()[i]
        );
    }
}

/// Answers to two-parameter items: discriminations from .8 to 2, difficulties from −1.2 to 1.2.
fn simulated(seed: u64, persons: usize, items: usize) -> (Frame, Vec<[f64; 2]>) {
    let mut random = Seed::new(seed).stream(0);
    let share = |k: usize| k as f64 / (items - 1) as f64;
    let truth: Vec<[f64; 2]> = (0..items)
        .map(|k| [0.8 + 1.2 * share((3 * k) % items), -1.2 + 2.4 * share(k)])
        .collect();
    let mut answers = vec![vec![]; items];
    for _ in 0..persons {
        let ability: f64 = (0..12).map(|_| random.random::<f64>()).sum::<f64>() - 6.0;
        for (answers, [d, b]) in answers.iter_mut().zip(&truth) {
            let p = 1.0 / (1.0 + (-d * (ability - b)).exp());
            answers.push(f64::from(u8::from(random.random::<f64>() < p)));
        }
    }
    let frame = (answers.into_iter().enumerate()).fold(Frame::new(), |frame, (k, column)| {
        frame.with(format!("i{}", k + 1), column).unwrap()
    });
    (frame, truth)
}

#[test]
fn the_truth_is_recovered_and_intervals_cover_it() {
    const REPLICATIONS: usize = 60;
    const ITEMS: usize = 7;
    let (mut covered, mut z) = (0, vec![]);
    for seed in 0..REPLICATIONS {
        let (frame, truth) = simulated(seed as u64, 1_000, ITEMS);
        let fit = ItemResponse::new(columns("i", ITEMS)).fit(&frame).unwrap();
        for (k, [d, b]) in truth.iter().enumerate() {
            for (name, truth) in [("discrimination", d), ("difficulty", b)] {
                let found = fit.coefficient(&format!("{name}[i{}]", k + 1)).unwrap();
                let interval = found.confidence_interval(0.95).unwrap();
                covered += usize::from(interval.lower <= *truth && *truth <= interval.upper);
                z.push(found.statistic(*truth));
            }
        }
    }
    let n = z.len() as f64;
    let coverage = covered as f64 / n;
    let mean = z.iter().sum::<f64>() / n;
    let sd = (z.iter().map(|z| (z - mean).powi(2)).sum::<f64>() / n).sqrt();
    println!("coverage {coverage:.4}, z {mean:.3} ± {sd:.3}, of {n}");
    // The Monte Carlo errors are .0075 for 840 independent intervals; those of one replication hang together a little.
    assert!((coverage - 0.95).abs() < 0.025, "{coverage}");
    assert!(mean.abs() < 0.12 && (sd - 1.0).abs() < 0.1, "{mean} {sd}");
}

#[test]
fn missing_answers_are_left_out_of_the_likelihood_and_nothing_else() {
    let frame = data("tests/reference/ability.csv");
    let fit = of_fixture("two_groups").fit(&frame).unwrap();
    let r = fit.responses().unwrap();
    let mut total = 0.0;
    for pattern in 0..r.patterns() {
        let prior = fit.prior_weights(pattern).unwrap();
        let likelihood: f64 = (fit.nodes().iter().zip(prior))
            .map(|(a, w)| {
                let answers = r.answers(pattern);
                w * answers
                    .map(|(k, c)| fit.items()[k].probabilities(*a)[c])
                    .product::<f64>()
            })
            .sum();
        total += r.weight(pattern) * likelihood.ln();
        let posterior: f64 = fit.posterior_weights(pattern).unwrap().iter().sum();
        assert!((posterior - 1.0).abs() < 1e-12);
    }
    assert!((total - fit.log_likelihood()).abs() < 1e-8, "{total}");
    let missing = (0..r.patterns()).any(|p| (0..6).any(|k| r.answer(p, k).is_none()));
    assert!(missing && r.groups() == ["0", "1"]);
}

#[test]
fn guessing_that_is_not_there_is_set_to_zero_with_a_warning() {
    let (frame, _) = simulated(3, 1_500, 6);
    let model = ItemResponse::new(columns("i", 6));
    let three = model.clone().three_parameter().fit(&frame).unwrap();
    let two = model.clone().fit(&frame).unwrap();
    assert!(three.log_likelihood() >= two.log_likelihood() - 1e-7);
    let text: Vec<String> = three.warnings().iter().map(ToString::to_string).collect();
    assert!(text.iter().any(|w| w.contains("runs to zero")), "{text:?}");
    assert!(three.items().iter().any(|i| i.guessing() <= 0.0));
    let weak = model
        .three_parameter()
        .guessing_prior(0.1, 20.0)
        .fit(&frame)
        .unwrap();
    assert!(weak.items().iter().all(|i| i.guessing() > 0.0));
    assert_eq!(weak.names().len(), 18);
}

#[test]
fn reverse_keyed_items_have_negative_discriminations() {
    let (frame, _) = simulated(5, 800, 6);
    let turned: Vec<f64> = frame.real("i2").unwrap().iter().map(|v| 1.0 - v).collect();
    let reversed = frame.replace("i2", turned).unwrap();
    let model = ItemResponse::new(columns("i", 6));
    let (a, b) = (model.fit(&frame).unwrap(), model.fit(&reversed).unwrap());
    assert!((a.log_likelihood() - b.log_likelihood()).abs() < 1e-8);
    let name = "discrimination[i2]";
    assert!((estimate(&a, name) + estimate(&b, name)).abs() < 1e-6);
    assert!((estimate(&a, "difficulty[i2]") - estimate(&b, "difficulty[i2]")).abs() < 1e-6);
}

#[test]
fn bad_input_is_refused_with_the_remedy() {
    let (frame, _) = simulated(1, 200, 4);
    let items = columns("i", 4);
    let model = ItemResponse::new(items.clone());
    let message = |m: &ItemResponse, f: &Frame| m.fit(f).unwrap_err().to_string();
    let all_pass = frame.replace("i2", vec![1.0; 200]).unwrap();
    assert!(message(&model, &all_pass).contains("`i2`, which all pass"));
    let all_fail = frame.replace("i2", vec![0.0; 200]).unwrap();
    assert!(message(&model, &all_fail).contains("all fail"));
    let nobody = frame.replace("i3", vec![f64::NAN; 200]).unwrap();
    assert!(message(&model, &nobody).contains("nobody answered"));
    let mut values = frame.real("i1").unwrap().to_vec();
    values[6] = 2.0;
    let three = frame.replace("i1", values).unwrap();
    assert!(message(&model, &three).contains("`i1` is 2 in row 7"));
    assert!(
        model
            .clone()
            .item_model("i1", ItemModel::Graded)
            .fit(&three)
            .is_ok()
    );
    assert!(message(&ItemResponse::new(["i1", "i2"]), &frame).contains("three items"));
    assert!(ItemResponse::new(["i1", "i2"]).rasch().fit(&frame).is_ok());
    assert!(message(&ItemResponse::new(["i1", "nope", "i3"]), &frame).contains("nope"));
    let weighted = frame.clone().with("w", vec![-1.0; 200]).unwrap();
    assert!(message(&model.clone().weights("w"), &weighted).contains("`w` is -1 in row 1"));
    let half = weighted.replace("w", vec![0.5; 200]).unwrap();
    assert!(message(&model.clone().frequency_weights("w"), &half).contains("whole number"));
    let few = frame.head(8);
    assert!(model.fit(&few).is_err());
    assert!(message(&model.clone().anchor("other"), &frame).contains("anchor"));
    assert!(message(&model.clone().nodes(3), &frame).contains("nodes"));
    assert!(message(&model.clone().adaptive(2), &frame).contains("adaptive"));
    assert!(message(&model.clone().discrimination(1.0), &frame).contains("discrimination"));
    assert!(message(&model.clone().rasch().discrimination(-1.0), &frame).contains("positive"));
    assert!(message(&model.clone().guessing_prior(1.5, 1.0), &frame).contains("guessing_prior"));
    assert!(message(&model.clone().max_iterations(2), &frame).contains("did not converge"));
    assert!(message(&model.clone().regressors("i1 | i2"), &frame).contains("fixed effects"));
    let features = Frame::new().with("item", vec!["i1", "i2"]).unwrap();
    let explained = model.clone().rasch().difficulty_regressors("1", &features);
    assert!(message(&explained, &frame).contains("`i3`"));
    assert!(matches!(
        model.clone().covariance(Covariance::Hc3).fit(&frame),
        Err(Error::InvalidOption { .. })
    ));
    let stop = Progress::with(|step| step.done < 2);
    assert!(matches!(
        model.fit_with(&frame, &stop),
        Err(Error::Cancelled { .. })
    ));
}

#[test]
fn persons_without_answers_and_useless_regressors_are_named() {
    let (frame, _) = simulated(2, 300, 4);
    let silent = columns("i", 4).iter().fold(frame.clone(), |f, name| {
        let mut values = f.real(name).unwrap().to_vec();
        values[9] = f64::NAN;
        f.replace(name, values).unwrap()
    });
    let x: Vec<f64> = (0..300).map(|i| f64::from(i % 7)).collect();
    let twice: Vec<f64> = x.iter().map(|x| 2.0 * x + 1.0).collect();
    let silent = silent
        .with("x", x)
        .unwrap()
        .with("twice", twice)
        .unwrap()
        .with("same", vec![3.0; 300])
        .unwrap();
    let fit = ItemResponse::new(columns("i", 4))
        .regressors("x + twice + same")
        .fit(&silent)
        .unwrap();
    let text: Vec<String> = fit.warnings().iter().map(ToString::to_string).collect();
    for expected in ["row 10", "twice", "same"] {
        assert!(text.iter().any(|w| w.contains(expected)), "{text:?}");
    }
    assert_eq!(fit.population().regressors(), ["x"]);
    assert_eq!(fit.responses().unwrap().persons(), 299);
}

#[test]
fn a_fit_can_be_shown_stored_and_made_small() {
    let fit = lsat().fit(&patterns()).unwrap();
    let shown = fit.to_string();
    assert!(shown.contains("difficulty[item5]") && shown.contains("persons = 1,000"));
    assert!(fit.to_html().contains("<table"));
    assert!(fit.table().to_latex().contains("toprule"));
    let json = serde_json::to_string(&fit).unwrap();
    let back: ItemResponseFit = serde_json::from_str(&json).unwrap();
    assert_eq!(back.items(), fit.items());
    assert_eq!(back.estimates(), fit.estimates());
    assert!(matches!(back.responses(), Err(Error::DataNotKept { .. })));
    assert!(fit.lean().with_covariance(Covariance::Hc1).is_err());
    let table = ModelTable::new("LSAT").model("2PL", &fit).to_string();
    assert!(table.contains("Persons"));
}

fn permuted(frame: &Frame, seed: u64) -> Frame {
    let mut random = Seed::new(seed).stream(1);
    let mut order: Vec<usize> = (0..frame.rows()).collect();
    for i in (1..order.len()).rev() {
        order.swap(i, random.random_range(0..=i));
    }
    frame.take(&order).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]
    #[test]
    fn order_copies_and_labels_do_not_matter(seed in 0_u64..10_000) {
        let (frame, _) = simulated(seed, 300, 5);
        let items = columns("i", 5);
        let model = ItemResponse::new(items.clone()).rasch();
        let fit = model.fit(&frame).unwrap();
        // The order of rows: the same bits.
        let moved = model.fit(&permuted(&frame, seed)).unwrap();
        prop_assert_eq!(fit.estimates(), moved.estimates());
        prop_assert_eq!(fit.covariance(), moved.covariance());
        // Copies of rows are frequency weights.
        let doubled = Frame::concat(&[frame.clone(), frame.clone()]).unwrap();
        let twice = model.fit(&doubled).unwrap();
        let counted = frame.clone().with("n", vec![2.0; 300]).unwrap();
        let weighted = model.clone().frequency_weights("n").fit(&counted).unwrap();
        prop_assert_eq!(twice.estimates(), weighted.estimates());
        prop_assert_eq!(twice.covariance(), weighted.covariance());
        prop_assert!((twice.estimates() - fit.estimates()).amax() < 1e-5);
        // What the answers are called.
        let renamed = items.iter().fold(frame.clone(), |f, name| {
            let values: Vec<f64> = f.real(name).unwrap().iter().map(|v| 7.0 - 3.0 * (1.0 - v)).collect();
            f.replace(name, values).unwrap()
        });
        let relabelled = model.fit(&renamed).unwrap();
        prop_assert_eq!(fit.estimates(), relabelled.estimates());
        // The order of items.
        let backwards = ItemResponse::new(items.iter().rev().cloned()).rasch().fit(&frame).unwrap();
        for name in fit.names() {
            prop_assert!((estimate(&fit, name) - estimate(&backwards, name)).abs() < 1e-6, "{}", name);
        }
    }
}
