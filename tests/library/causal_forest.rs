//! The causal forest: what must hold for any data, what simulation with a known truth says, and what bad input is told.

use crate::support::{fixture, numbers};
use cocreate::numeric::permutation::open_unit;
use cocreate::numeric::special::normal;
use cocreate::prelude::*;
use rand::Rng;

/// A sample with its truth: the setups of Nie & Wager (2021), columns y, w, x1 to x6, and the true means m and e.
struct Draw {
    frame: Frame,
    effect: Vec<f64>,
}

fn nie_wager(setup: char, n: usize, seed: u64) -> Draw {
    const FEATURES: usize = 6;
    let mut random = Seed::new(seed).stream(0);
    let mut u = || open_unit(random.next_u64());
    let mut x = vec![vec![]; FEATURES];
    let (mut y, mut w, mut effect, mut m, mut e) = (vec![], vec![], vec![], vec![], vec![]);
    for _ in 0..n {
        let mut v = [0.0; FEATURES];
        for (v, column) in v.iter_mut().zip(&mut x) {
            *v = if setup == 'A' {
                u()
            } else {
                normal::quantile(u())
            };
            column.push(*v);
        }
        let wave = (std::f64::consts::PI * v[0] * v[1]).sin();
        let (base, propensity, tau) = match setup {
            'A' => (
                wave + 2.0 * (v[2] - 0.5).powi(2) + v[3] + 0.5 * v[4],
                wave.clamp(0.1, 0.9),
                f64::midpoint(v[0], v[1]),
            ),
            'B' => (
                (v[0] + v[1]).max(v[2]).max(0.0) + (v[3] + v[4]).max(0.0),
                0.5,
                v[0] + v[1].exp().ln_1p(),
            ),
            _ => (
                2.0 * (v[0] + v[1] + v[2]).exp().ln_1p(),
                1.0 / (1.0 + (v[1] + v[2]).exp()),
                1.0,
            ),
        };
        let treated = f64::from(u8::from(u() < propensity));
        y.push(base + (treated - 0.5) * tau + normal::quantile(u()));
        w.push(treated);
        m.push(base + (propensity - 0.5) * tau);
        e.push(propensity);
        effect.push(tau);
    }
    let mut frame = Frame::new();
    for (name, column) in [("y", y), ("w", w), ("m", m), ("e", e)] {
        frame = frame.with(name, column).unwrap();
    }
    for (j, column) in x.into_iter().enumerate() {
        frame = frame.with(format!("x{}", j + 1), column).unwrap();
    }
    Draw { frame, effect }
}

const X: [&str; 6] = ["x1", "x2", "x3", "x4", "x5", "x6"];

fn plain(trees: usize) -> CausalForest {
    CausalForest::new("y", "w", &X)
        .nuisances(ForestNuisances::OutOfBag)
        .trees(trees)
        .seed(7)
}

fn given(trees: usize) -> CausalForest {
    plain(trees).outcome_hat("m").propensity_hat("e")
}

fn mean(values: impl ExactSizeIterator<Item = f64>) -> f64 {
    let n = values.len() as f64;
    values.sum::<f64>() / n
}

fn map(frame: &Frame, name: &str, f: impl Fn(f64) -> f64) -> Frame {
    let values: Vec<f64> = frame.real(name).unwrap().iter().map(|v| f(*v)).collect();
    frame.replace(name, values).unwrap()
}

// ---------------------------------------------------------------- what holds for any data

#[cfg(feature = "parallel")]
#[test]
fn the_bits_do_not_depend_on_the_number_of_threads() {
    let draw = nie_wager('A', 700, 1);
    let learners = [
        Learner::from(Learner::linear()),
        Learner::forest().trees(40).into(),
    ];
    for forest in [
        plain(60),
        plain(60).nuisances(ForestNuisances::learners(learners)),
    ] {
        let run = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new()
                .num_threads(threads)
                .build()
                .unwrap();
            pool.install(|| {
                let fit = forest.fit(&draw.frame).unwrap();
                let new = fit.predict(&draw.frame).unwrap();
                let bits = |p: &ForestPrediction| -> Vec<u64> {
                    let all = p.estimates.iter().chain(&p.variances);
                    all.map(|v| v.to_bits()).collect()
                };
                let average = fit.average_effect(ForestTarget::All).unwrap();
                (bits(fit.out_of_bag()), bits(&new), average)
            })
        };
        let one = run(1);
        assert!(one == run(2) && one == run(5));
    }
}

#[test]
fn only_the_order_of_a_feature_matters() {
    let draw = nie_wager('B', 600, 2);
    let curved = X
        .iter()
        .fold(draw.frame.clone(), |frame, x| map(&frame, x, f64::exp));
    let (a, b) = (
        given(40).fit(&draw.frame).unwrap(),
        given(40).fit(&curved).unwrap(),
    );
    assert_eq!(a.out_of_bag(), b.out_of_bag());
}

#[test]
fn effects_scale_with_the_outcome_and_against_the_treatment() {
    let draw = nie_wager('B', 600, 3);
    let base = given(40).fit(&draw.frame).unwrap();
    let scaled = map(&map(&draw.frame, "y", |y| 8.0 * y + 3.0), "m", |m| {
        8.0 * m + 3.0
    });
    let scaled = map(&map(&scaled, "w", |w| 4.0 * w - 1.0), "e", |e| {
        4.0 * e - 1.0
    });
    let scaled = given(40).fit(&scaled).unwrap();
    for i in 0..600 {
        let (a, b) = (base.out_of_bag(), scaled.out_of_bag());
        assert!(
            (2.0 * a.estimates[i] - b.estimates[i]).abs() < 1e-7 * a.estimates[i].abs().max(1.0)
        );
        assert!((4.0 * a.variances[i] - b.variances[i]).abs() < 1e-6 * b.variances[i]);
    }
}

#[test]
fn weights_count_as_rows_do() {
    let n = 400;
    let draw = nie_wager('A', n, 4);
    let times: Vec<f64> = (0..n).map(|i| (i % 4) as f64).collect();
    let weighted = draw.frame.clone().with("times", times.clone()).unwrap();
    let repeated: Vec<usize> = (0..n).flat_map(|i| vec![i; times[i] as usize]).collect();
    let mut long = Frame::new();
    for (name, column) in draw.frame.iter() {
        let values = draw.frame.numeric(name).unwrap();
        assert_eq!(column.len(), n);
        let rows: Vec<f64> = repeated.iter().map(|i| values.values()[*i]).collect();
        long = long.with(name, rows).unwrap();
    }
    let a = given(20).weights("times").fit(&weighted).unwrap();
    let b = given(20).fit(&long).unwrap();
    let overlap =
        |fit: &CausalForestFit| fit.average_effect(ForestTarget::Overlap).unwrap().estimate;
    assert!((overlap(&a) - overlap(&b)).abs() < 1e-12);
    // Rows without weight change nothing, whatever stands in them.
    let wild: Vec<f64> = (0..n)
        .map(|i| {
            if times[i] > 0.0 {
                draw.frame.real("y").unwrap()[i]
            } else {
                1e6
            }
        })
        .collect();
    let c = given(20)
        .weights("times")
        .fit(&weighted.replace("y", wild).unwrap())
        .unwrap();
    assert_eq!(a.out_of_bag(), c.out_of_bag());
}

#[test]
fn a_file_brings_the_same_forest_back_and_others_are_refused() {
    let draw = nie_wager('A', 300, 5);
    let fit = plain(20).fit(&draw.frame).unwrap();
    let path = std::env::temp_dir().join(format!("cocreate-forest-{}.json", std::process::id()));
    fit.write(&path).unwrap();
    let back = CausalForestFit::read(&path).unwrap();
    assert_eq!(
        fit.predict(&draw.frame).unwrap(),
        back.predict(&draw.frame).unwrap()
    );
    assert_eq!(fit.to_string(), back.to_string());
    let text = std::fs::read_to_string(&path).unwrap();
    let refused = |text: String, part: &str| {
        std::fs::write(&path, text).unwrap();
        let message = CausalForestFit::read(&path).unwrap_err().to_string();
        assert!(message.contains(part), "{message}");
    };
    refused(
        text.replacen("\"version\":2", "\"version\":9", 1),
        "version 9",
    );
    refused(
        text.replacen("causal forest", "shopping list", 1),
        "no file of a causal forest",
    );
    refused(
        text.replacen("\"leaf\":[", "\"leaf\":[4000000000,", 1),
        "changed",
    );
    refused("{".to_owned(), "no file");
    std::fs::remove_file(&path).unwrap();
    assert!(matches!(
        CausalForestFit::read(&path),
        Err(Error::Io { .. })
    ));
    assert!(matches!(
        back.best_linear_projection("x1"),
        Err(Error::DataNotKept { .. })
    ));
}

#[test]
fn the_projection_is_least_squares_of_the_scores() {
    let draw = nie_wager('A', 500, 6);
    let gaps: Vec<f64> = (0..500)
        .map(|i| {
            if i % 50 == 0 {
                f64::NAN
            } else {
                draw.frame.real("y").unwrap()[i]
            }
        })
        .collect();
    let frame = draw.frame.replace("y", gaps).unwrap();
    let fit = given(40).fit(&frame).unwrap();
    assert_eq!((fit.rows(), fit.used_rows()[0]), (490, 1));
    assert!(fit.warnings()[0].to_string().starts_with("10 rows dropped"));
    let scores = fit.scores().unwrap();
    let average = fit.average_effect(ForestTarget::All).unwrap();
    assert!((mean(scores.iter().copied()) - average.estimate).abs() < 1e-12);
    let kept: Vec<f64> = fit
        .used_rows()
        .iter()
        .map(|r| draw.frame.real("x1").unwrap()[*r])
        .collect();
    let direct = Frame::new()
        .with("s", scores)
        .unwrap()
        .with("x1", kept)
        .unwrap();
    let direct = Ols::new("s ~ x1")
        .covariance(Covariance::Hc3)
        .fit(&direct)
        .unwrap();
    let projection = fit.best_linear_projection("x1").unwrap();
    let (a, b) = (
        projection.coefficient("x1").unwrap(),
        direct.coefficient("x1").unwrap(),
    );
    assert!((a.estimate - b.estimate).abs() < 1e-10 && (a.std_error - b.std_error).abs() < 1e-10);
}

// ---------------------------------------------------------------- simulation with a known truth

#[test]
fn effects_are_found_as_well_as_by_grf() {
    // grf 2.6.1 with 2000 trees and ten features has .030 on A, .150 on B and .027 on C; these are fewer trees and six features.
    for (setup, most) in [('A', 0.045), ('B', 0.18), ('C', 0.06)] {
        let errors = (0..3_u32).map(|seed| {
            let fit = plain(300)
                .fit(&nie_wager(setup, 2000, 10 + u64::from(seed)).frame)
                .unwrap();
            let new = nie_wager(setup, 1000, 90 + u64::from(seed));
            let found = fit.predict(&new.frame).unwrap();
            mean(
                found
                    .estimates
                    .iter()
                    .zip(&new.effect)
                    .map(|(a, b)| (a - b).powi(2)),
            )
        });
        let error = mean(errors);
        assert!(error < most, "{setup} {error}");
    }
}

#[test]
fn averages_cover_the_truth() {
    let runs = 150;
    let targets = [
        ForestTarget::All,
        ForestTarget::Treated,
        ForestTarget::Control,
        ForestTarget::Overlap,
    ];
    let mut covered = [0; 4];
    for seed in 0..runs {
        let draw = nie_wager('A', 500, 1000 + seed);
        let fit = given(50).fit(&draw.frame).unwrap();
        let (w, e) = (draw.frame.real("w").unwrap(), draw.frame.real("e").unwrap());
        for (target, covered) in targets.iter().zip(&mut covered) {
            let weight = |i: usize| match target {
                ForestTarget::Treated => w[i],
                ForestTarget::Control => 1.0 - w[i],
                ForestTarget::Overlap => e[i] * (1.0 - e[i]),
                _ => 1.0,
            };
            let above: f64 = (0..500).map(|i| weight(i) * draw.effect[i]).sum();
            let below: f64 = (0..500).map(weight).sum();
            let average = fit.average_effect(*target).unwrap();
            let interval = average.confidence_interval(0.95).unwrap();
            *covered +=
                usize::from(interval.lower <= above / below && above / below <= interval.upper);
        }
    }
    // Three Monte Carlo errors of 95 % in 150 runs are 5.3 %; for the sample's own average intervals are a little wide.
    assert!(covered.iter().all(|c| *c >= 134), "{covered:?}");
}

#[test]
fn clusters_widen_the_errors_of_repeated_rows() {
    let (n, copies) = (300, 4);
    let draw = nie_wager('A', n, 8);
    let mut long = Frame::new();
    for (name, _) in draw.frame.iter() {
        let values = draw.frame.real(name).unwrap();
        let rows: Vec<f64> = (0..n * copies).map(|i| values[i / copies]).collect();
        long = long.with(name, rows).unwrap();
    }
    let ids: Vec<String> = (0..n * copies)
        .map(|i| format!("c{}", i / copies))
        .collect();
    let long = long.with("id", ids).unwrap();
    let once = given(60)
        .fit(&draw.frame)
        .unwrap()
        .average_effect(ForestTarget::All)
        .unwrap();
    let fit = given(60).clusters("id").fit(&long).unwrap();
    let clustered = fit.average_effect(ForestTarget::All).unwrap();
    let naive = given(60)
        .fit(&long)
        .unwrap()
        .average_effect(ForestTarget::All)
        .unwrap();
    assert!((clustered.std_error / once.std_error - 1.0).abs() < 0.15);
    assert!((naive.std_error / once.std_error - 0.5).abs() < 0.12);
    assert!(
        fit.calibration()
            .unwrap()
            .covariance
            .contains("clustered by id")
    );
    assert!(fit.to_string().contains("300 clusters of id"));
}

#[test]
fn calibration_tells_real_differences_from_none() {
    let mut alarms = 0;
    for seed in 0..20 {
        let none = given(60)
            .fit(&nie_wager('C', 600, 300 + seed).frame)
            .unwrap();
        let calibration = none.calibration().unwrap();
        alarms += usize::from(calibration.differences_p_value < 0.05);
        let error = calibration.mean_effect.std_error;
        assert!((calibration.mean_effect.estimate - 1.0).abs() < 4.0 * error);
    }
    assert!(alarms <= 4, "{alarms}");
    let real = given(100).fit(&nie_wager('B', 1500, 9).frame).unwrap();
    assert!(real.calibration().unwrap().differences_p_value < 1e-6);
    assert_eq!(real.importance()[0].0, "x1");
}

#[test]
fn an_instrument_sees_through_confounding() {
    let n = 4000;
    let mut random = Seed::new(21).stream(0);
    let mut u = || open_unit(random.next_u64());
    let (mut x, mut z, mut w, mut y, mut truth) = (vec![], vec![], vec![], vec![], vec![]);
    for _ in 0..n {
        let (a, hidden, offered) = (u(), u(), f64::from(u8::from(u() < 0.5)));
        let taken = f64::from(u8::from(u() < 0.05 + 0.4 * offered + 0.5 * hidden));
        let effect = if a > 0.5 { 2.0 } else { 0.0 };
        x.push(a);
        z.push(offered);
        w.push(taken);
        y.push(effect * taken + 5.0 * hidden + u());
        truth.push(effect);
    }
    let frame = Frame::new().with("x", x).unwrap().with("z", z).unwrap();
    let frame = frame.with("w", w).unwrap().with("y", y).unwrap();
    let base = CausalForest::new("y", "w", &["x"])
        .nuisances(ForestNuisances::OutOfBag)
        .trees(200)
        .seed(1);
    let fit = base.clone().instrument("z").fit(&frame).unwrap();
    let off = |p: &ForestPrediction, high: bool| {
        let rows: Vec<usize> = (0..n).filter(|i| (truth[*i] > 1.0) == high).collect();
        mean(rows.iter().map(|i| p.estimates[*i] - truth[*i])).abs()
    };
    let naive = base.fit(&frame).unwrap();
    for high in [false, true] {
        // The error of two-stage least squares in one half is about 0.17; confounding adds 0.9.
        let (with, without) = (off(fit.out_of_bag(), high), off(naive.out_of_bag(), high));
        assert!(with < 0.55 && without > 0.65, "{with} {without}");
    }
    let intervals = fit.out_of_bag().intervals(0.95).unwrap();
    let inside =
        (0..n).filter(|i| intervals.lower[*i] <= truth[*i] && truth[*i] <= intervals.upper[*i]);
    assert!(inside.count() > n * 7 / 10);
    assert!(fit.average_effect(ForestTarget::Treated).is_err() && fit.calibration().is_err());
    assert!(naive.average_effect(ForestTarget::Compliers).is_err());
    assert!(fit.to_string().starts_with("Instrumental forest"));
}

/// The effect is 1 + 2 x1 and the share of compliers .3 + .5 x1: on average 2, among compliers (.6 + 1/4 + 1/3)/.55.
#[test]
fn averages_by_an_instrument_cover_the_truth() {
    let (runs, n) = (60, 800);
    let compliers = (0.6 + 0.25 + 1.0 / 3.0) / 0.55;
    let targets = [
        (ForestTarget::All, 2.0),
        (ForestTarget::Compliers, compliers),
        // The instrument's odds do not depend on x1, so that overlap weights change nothing.
        (ForestTarget::Overlap, compliers),
    ];
    let mut covered = [0; 3];
    for run in 0..runs {
        let mut random = Seed::new(3000 + run).stream(0);
        let mut u = || open_unit(random.next_u64());
        let mut columns = vec![vec![]; 5];
        for _ in 0..n {
            let (a, b, hidden) = (u(), u(), u());
            let offered = f64::from(u8::from(u() < 0.3 + 0.4 * b));
            let taken = match hidden - (0.3 + 0.5 * a) {
                apart if apart < 0.0 => offered,
                apart => f64::from(u8::from(apart < 0.1)),
            };
            let y = (1.0 + 2.0 * a) * taken + 2.0 * hidden + b + normal::quantile(u()) * 0.5;
            for (column, v) in columns.iter_mut().zip([a, b, offered, taken, y]) {
                column.push(v);
            }
        }
        let names = ["x1", "x2", "z", "w", "y"].into_iter().zip(columns);
        let frame = names.fold(Frame::new(), |frame, (name, column)| {
            frame.with(name, column).unwrap()
        });
        let fit = CausalForest::new("y", "w", &X[..2])
            .instrument("z")
            .nuisances(ForestNuisances::OutOfBag)
            .trees(60)
            .seed(run)
            .fit(&frame)
            .unwrap();
        for (covered, (target, truth)) in covered.iter_mut().zip(targets) {
            let average = fit.average_effect(target).unwrap();
            *covered += usize::from((average.estimate - truth).abs() < 1.96 * average.std_error);
        }
    }
    // Three Monte Carlo errors of 95 % in 60 runs are 8.4 %.
    assert!(covered.iter().all(|c| *c >= 52), "{covered:?}");
}

#[test]
fn a_dose_has_an_average_partial_effect() {
    let n = 1500;
    let mut random = Seed::new(22).stream(0);
    let mut u = || open_unit(random.next_u64());
    let (mut x, mut w, mut y) = (vec![], vec![], vec![]);
    for _ in 0..n {
        let a = u();
        let dose = a + (0.5 + a) * (u() - 0.5);
        x.push(a);
        w.push(dose);
        y.push((1.0 + 2.0 * a) * dose + 3.0 * a * a + 0.5 * u());
    }
    let frame = Frame::new()
        .with("x", x)
        .unwrap()
        .with("w", w)
        .unwrap()
        .with("y", y)
        .unwrap();
    let fit = CausalForest::new("y", "w", &["x"])
        .nuisances(ForestNuisances::learners([Learner::boosted_trees()]))
        .trees(100)
        .seed(1)
        .fit(&frame)
        .unwrap();
    let average = fit.average_effect(ForestTarget::All).unwrap();
    assert!(
        (average.estimate - 2.0).abs() < 4.0 * average.std_error && average.std_error < 0.1,
        "{average}"
    );
    assert!(matches!(
        fit.average_effect(ForestTarget::Treated),
        Err(Error::Unidentified { .. })
    ));
}

// ---------------------------------------------------------------- other software

/// The generator of `reference/make/causal_forest.py`: five features, y and w less their means, the propensity and the effect.
fn generate(n: u64, offset: u64) -> Frame {
    fn mix(mut z: u64) -> u64 {
        z = z.wrapping_add(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
    let mut columns = vec![Vec::new(); 9];
    for row in offset..offset + n {
        let u = |j: u64| open_unit(mix(row * 16 + j));
        let propensity = 0.3 + 0.4 * u(0);
        let effect = 4.0 * (u(0) - 0.5) + if u(1) > 0.5 { 1.0 } else { 0.0 };
        let treated = f64::from(u8::from(u(10) < propensity));
        let y = effect * (treated - propensity) + 4.0 * (u(11) - 0.5);
        let values = (0..5).map(u).chain([y, treated, propensity, effect]);
        for (column, value) in columns.iter_mut().zip(values) {
            column.push(value);
        }
    }
    let names = ["x1", "x2", "x3", "x4", "x5", "y", "w", "e", "effect"];
    let frame = names
        .into_iter()
        .zip(columns)
        .fold(Frame::new(), |frame, (name, column)| {
            frame.with(name, column).unwrap()
        });
    frame.with("zero", vec![0.0; n as usize]).unwrap()
}

#[test]
fn effects_agree_with_econml() {
    let reference = fixture("causal_forest");
    let values = &reference["values"];
    let theirs = numbers(&values["effects"]);
    let test = generate(200, 1_000_000);
    let truth = test.real("effect").unwrap();
    let fit = CausalForest::new("y", "w", &X[..5])
        .outcome_hat("zero")
        .propensity_hat("e")
        .trees(1000)
        .seed(1)
        .fit(&generate(4000, 0))
        .unwrap();
    let ours = fit.predict(&test).unwrap();
    let square = |a: &[f64], b: &[f64]| mean(a.iter().zip(b).map(|(a, b)| (a - b).powi(2)));
    let middle = mean(truth.iter().copied());
    let spread = mean(truth.iter().map(|t| (t - middle).powi(2))).sqrt();
    let apart = square(&ours.estimates, &theirs).sqrt() / spread;
    let error = square(&ours.estimates, truth);
    let their_error = values["mean_squared_error"].as_f64().unwrap();
    let std_error = mean(ours.std_errors().into_iter());
    let their_std_error = values["std_error"].as_f64().unwrap();
    println!(
        "apart {apart:.3} of the spread; mean squared error {error:.4} (EconML {their_error:.4}); std. error {std_error:.3} (EconML {their_std_error:.3})"
    );
    assert!(apart < reference["tolerance"].as_f64().unwrap());
    assert!(error < 1.05 * their_error);
    assert!((std_error / their_std_error - 1.0).abs() < 0.3);
}

// ---------------------------------------------------------------- missing values, categories, bad input

#[test]
fn missing_values_and_categories_are_split() {
    let n = 2000_usize;
    let mut random = Seed::new(23).stream(0);
    let mut u = || open_unit(random.next_u64());
    let (mut x, mut city, mut w, mut y, mut truth) = (vec![], vec![], vec![], vec![], vec![]);
    for i in 0..n {
        let gone = u() < 0.4;
        let place = ["a", "b", "c", "d"][i % 4];
        let effect = if gone { 2.0 } else { 0.0 } + if i % 2 == 0 { 1.0 } else { -1.0 };
        let treated = f64::from(u8::from(u() < 0.5));
        x.push(if gone { f64::NAN } else { u() });
        city.push(place);
        w.push(treated);
        y.push(effect * (treated - 0.5) + u());
        truth.push(effect);
    }
    let half = vec![0.5; n];
    let frame = Frame::new()
        .with("x", x)
        .unwrap()
        .with("city", city)
        .unwrap();
    let frame = frame
        .with("w", w)
        .unwrap()
        .with("y", y)
        .unwrap()
        .with("e", half)
        .unwrap();
    let fit = CausalForest::new("y", "w", &["x", "city"])
        .nuisances(ForestNuisances::OutOfBag)
        .propensity_hat("e")
        .trees(100)
        .seed(3)
        .fit(&frame)
        .unwrap();
    let wrong = mean(
        fit.out_of_bag()
            .estimates
            .iter()
            .zip(&truth)
            .map(|(a, b)| (a - b).abs()),
    );
    assert!(wrong < 0.15, "{wrong}");
    // A level that training had not, and a feature that is missing: no prediction is NaN.
    let new = Frame::new()
        .with("x", vec![f64::NAN, 0.5, 1e9])
        .unwrap()
        .with("city", vec!["z", "a", "b"])
        .unwrap();
    let predicted = fit.predict(&new).unwrap();
    assert_eq!(predicted.unseen, 1);
    assert!(
        predicted
            .estimates
            .iter()
            .chain(&predicted.variances)
            .all(|v| v.is_finite())
    );
    assert!(
        (predicted.estimates[1] - 1.0).abs() < 0.3 && (predicted.estimates[2] + 1.0).abs() < 0.3
    );
}

#[test]
fn bad_input_is_told_what_to_do() {
    let frame = nie_wager('A', 200, 12).frame;
    let told = |forest: CausalForest, frame: &Frame, part: &str| {
        let message = forest.fit(frame).unwrap_err().to_string();
        assert!(message.contains(part), "{message}");
    };
    let unseeded = CausalForest::new("y", "w", &X);
    told(unseeded, &frame, ".seed(7)");
    told(
        plain(10),
        &frame.replace("y", vec![1.0; 200]).unwrap(),
        "`y`",
    );
    told(
        plain(10),
        &frame.replace("w", vec![1.0; 200]).unwrap(),
        "varies",
    );
    let lonely: Vec<f64> = (0..200).map(|i| f64::from(u8::from(i < 3))).collect();
    told(
        plain(10),
        &frame.replace("w", lonely).unwrap(),
        "at least 16 rows of each value",
    );
    let infinite: Vec<f64> = (0..200)
        .map(|i| if i == 4 { f64::INFINITY } else { 0.0 })
        .collect();
    told(
        plain(10),
        &frame.replace("x2", infinite.clone()).unwrap(),
        "row 5",
    );
    told(plain(10), &frame.replace("y", infinite).unwrap(), "row 5");
    told(
        plain(10),
        &frame.replace("y", vec![f64::NAN; 200]).unwrap(),
        "no rows are left",
    );
    let certain = frame.replace("e", vec![1.0; 200]).unwrap();
    told(given(10), &certain, "between 0 and 1");
    let negative = frame.clone().with("k", vec![-1.0; 200]).unwrap();
    told(plain(10).weights("k"), &negative, "at least 0");
    let few: Vec<f64> = (0..200).map(|i| f64::from(i % 5)).collect();
    told(
        plain(10).clusters("g"),
        &frame.clone().with("g", few).unwrap(),
        "at least 8 clusters",
    );
    told(plain(10).sample_fraction(0.8), &frame, "sample_fraction");
    told(
        plain(10).features_per_split(9.0),
        &frame,
        "features_per_split",
    );
    told(plain(10).alpha(0.4), &frame, "alpha");
    told(plain(0), &frame, "trees");
    told(
        CausalForest::new("y", "w", &["w"]).seed(1),
        &frame,
        "`w` among them",
    );
    told(CausalForest::new("y", "w", &["x9"]).seed(1), &frame, "x9");
    let noise: Vec<f64> = (0..200_u32).map(|i| f64::from(i * 7919 % 211)).collect();
    told(
        plain(10).instrument("z"),
        &frame.clone().with("z", noise).unwrap(),
        "moves the treatment",
    );
    let seven = frame
        .head(7)
        .replace("w", vec![0.1, 0.3, 0.2, 0.9, 0.5, 0.4, 0.7])
        .unwrap();
    told(given(10), &seven, "at least 8 rows");
    let cancelled = plain(10).fit_with(&frame, &Progress::with(|_| false));
    assert!(matches!(cancelled, Err(Error::Cancelled { .. })));
    let alone = given(10).bag_size(1).fit(&frame).unwrap();
    let message = alone.out_of_bag().intervals(0.95).unwrap_err().to_string();
    assert!(message.contains(".bag_size(2)"), "{message}");
    // A feature without values is no reason to stop.
    let empty = plain(10)
        .fit(&frame.replace("x3", vec![f64::NAN; 200]).unwrap())
        .unwrap();
    assert!(
        empty.warnings()[0]
            .to_string()
            .contains("`x3` has no value")
    );
    assert!(empty.out_of_bag().estimates.iter().all(|v| v.is_finite()));
}
