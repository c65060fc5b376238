//! What must hold for forests on any data: units, weights, copies of rows, features that are only ordered, seeds and threads.

use cocreate::prelude::*;
use proptest::prelude::*;
use rand::RngExt;

const X: [&str; 3] = ["x1", "x2", "x3"];
const TREES: usize = 16;

/// Outcomes, times until an event, a treatment, weights of 1, a mean of ½ and features, a few of them missing.
fn drawn(n: usize, seed: u64) -> Frame {
    let mut random = Seed::new(seed).stream(0);
    let mut columns: [Vec<f64>; 9] = Default::default();
    for i in 0..n {
        let mut u = || random.random::<f64>();
        let mut v = [u(), u(), u()];
        let treated = f64::from(u8::from(u() < 0.5));
        let stay = -(1.0 - u()).ln() * (0.5 + v[0] + treated * v[1]);
        let gone = 3.0 * u();
        let y = 3.0 * v[0] - v[1] + u();
        let event = f64::from(u8::from(stay <= gone));
        if i % 17 == 3 {
            v[1] = f64::NAN;
        }
        let row = v
            .into_iter()
            .chain([y, stay.min(gone), event, treated, 1.0, 0.5]);
        for (column, value) in columns.iter_mut().zip(row) {
            column.push(value);
        }
    }
    let names = ["x1", "x2", "x3", "y", "time", "event", "w", "weight", "m"];
    let columns = names.into_iter().zip(columns);
    columns.fold(Frame::new(), |frame, (name, column)| {
        frame.with(name, column).unwrap()
    })
}

fn map(frame: &Frame, name: &str, f: impl Fn(f64) -> f64) -> Frame {
    let values: Vec<f64> = frame.real(name).unwrap().iter().map(|v| f(*v)).collect();
    frame.replace(name, values).unwrap()
}

/// Few enough digits for sums to be exact.
fn shorten(x: f64) -> f64 {
    (x * 1_048_576.0).floor() / 1_048_576.0
}

fn linear() -> LocalLinearForest {
    LocalLinearForest::new("y", &X)
        .slopes(&["x1"])
        .weights("weight")
        .trees(TREES)
        .seed(7)
}

fn effects(target: SurvivalTarget) -> CausalSurvivalForest {
    CausalSurvivalForest::new("time", "event", "w", &X, target)
        .nuisances(ForestNuisances::OutOfBag)
        .outcome_hat("m")
        .weights("weight")
        .trees(TREES)
        .seed(7)
}

/// Whether predictions are the others times a factor.
fn times(a: &ForestPrediction, by: f64, b: &ForestPrediction, tolerance: f64) -> bool {
    let close = |a: f64, b: f64| a == b || (a - b).abs() <= tolerance * b.abs().max(1e-9);
    let estimates = a.estimates.iter().zip(&b.estimates);
    let variances = a.variances.iter().zip(&b.variances);
    estimates.into_iter().all(|(a, b)| close(by * a, *b))
        && variances.into_iter().all(|(a, b)| close(by * by * a, *b))
}

fn on_threads<T: Send>(threads: usize, work: impl FnOnce() -> T + Send) -> T {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
    pool.unwrap().install(work)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn local_linear_forests(seed in 0_u64..1_000_000, n in 100_usize..160, power in -3_i32..4) {
        let frame = drawn(n, seed);
        let fit = linear().fit(&frame).unwrap();
        let base = fit.out_of_bag();
        // Outcomes in other units, and turned around, to the bit.
        for by in [2.0_f64.powi(power), -1.0] {
            let scaled = linear().fit(&map(&frame, "y", |y| by * y)).unwrap();
            prop_assert!(times(base, by, scaled.out_of_bag(), 0.0));
        }
        // Weights count by their ratios; a feature without a slope by its order.
        let heavy = linear().fit(&map(&frame, "weight", |w| 4.0 * w)).unwrap();
        prop_assert_eq!(heavy.out_of_bag(), base);
        let moved = linear().fit(&map(&frame, "x2", f64::exp)).unwrap();
        prop_assert_eq!(moved.out_of_bag(), base);
        // A feature has no zero and no unit: shifts and scales that round nothing change no bit.
        let short = map(&map(&frame, "x1", shorten), "x2", shorten);
        let moved = map(&short, "x1", |x| (x - 4096.0) * 2.0_f64.powi(power));
        let moved = map(&moved, "x2", |x| x + 4096.0);
        for forest in [linear(), linear().slopes(&X).ridge_splits(0.1)] {
            let (a, b) = (forest.fit(&short).unwrap(), forest.fit(&moved).unwrap());
            prop_assert_eq!(a.out_of_bag(), b.out_of_bag());
            prop_assert_eq!(a.predict(&short).unwrap(), b.predict(&moved).unwrap());
            for by in [2.0_f64.powi(power), -1.0] {
                let scaled = forest.fit(&map(&short, "y", |y| by * y)).unwrap();
                prop_assert!(times(a.out_of_bag(), by, scaled.out_of_bag(), 0.0));
            }
        }
        for threads in [1, 3] {
            let again = on_threads(threads, || linear().fit(&frame).unwrap());
            prop_assert_eq!(again.out_of_bag(), base);
            let ridge = || linear().ridge_splits(0.1).fit(&frame).unwrap();
            let (a, b) = (on_threads(threads, ridge), ridge());
            prop_assert_eq!(a.out_of_bag(), b.out_of_bag());
        }
        prop_assert!(linear().seed(8).fit(&frame).unwrap().out_of_bag() != base);
    }

    #[test]
    fn causal_survival_forests(seed in 0_u64..1_000_000, n in 200_usize..260, power in -3_i32..4) {
        let frame = drawn(n, seed);
        let by = 2.0_f64.powi(power);
        let slow = map(&frame, "time", |t| by * t);
        let fit = |target, frame: &Frame| effects(target).fit(frame).unwrap();
        let mean = fit(SurvivalTarget::RestrictedMean(1.5), &frame);
        let in_units = fit(SurvivalTarget::RestrictedMean(1.5 * by), &map(&slow, "m", |m| by * m));
        prop_assert!(times(mean.out_of_bag(), by, in_units.out_of_bag(), 1e-9));
        let average = |fit: &CausalSurvivalForestFit| fit.average_effect(ForestTarget::All).unwrap();
        let (a, b) = (average(&mean), average(&in_units));
        prop_assert!((by * a.estimate - b.estimate).abs() < 1e-9 * b.estimate.abs());
        prop_assert!((by * a.std_error - b.std_error).abs() < 1e-9 * b.std_error);
        // A probability has no unit.
        let stay = fit(SurvivalTarget::Probability(1.0), &frame);
        let in_units = fit(SurvivalTarget::Probability(by), &slow);
        prop_assert!(times(stay.out_of_bag(), 1.0, in_units.out_of_bag(), 1e-9));
        let heavy = map(&frame, "weight", |w| 4.0 * w);
        let heavy = fit(SurvivalTarget::Probability(1.0), &heavy);
        prop_assert!(times(stay.out_of_bag(), 1.0, heavy.out_of_bag(), 1e-9));
        let moved = map(&frame, "x2", f64::exp);
        let moved = fit(SurvivalTarget::Probability(1.0), &moved);
        prop_assert!(times(stay.out_of_bag(), 1.0, moved.out_of_bag(), 1e-9));
        for threads in [1, 3] {
            let again = on_threads(threads, || fit(SurvivalTarget::Probability(1.0), &frame));
            prop_assert_eq!(again.out_of_bag(), stay.out_of_bag());
        }
        let other = effects(SurvivalTarget::Probability(1.0)).seed(8).fit(&frame).unwrap();
        prop_assert!(other.out_of_bag() != stay.out_of_bag());
    }
}

/// Rows that come twice, drawn together as a cluster, are rows of weight 2.
#[test]
fn copies_are_weights() {
    let frame = drawn(150, 3);
    let ids: Vec<String> = (0..150).map(|i| format!("c{i}")).collect();
    let frame = map(&frame, "weight", |w| 2.0 * w).with("id", ids).unwrap();
    let twice: Vec<usize> = (0..150).flat_map(|i| [i, i]).collect();
    let copies = map(&frame.take(&twice).unwrap(), "weight", |w| w / 2.0);
    let forest = linear().clusters("id").penalty(0.1);
    let heavy = forest.clone().min_node_size(5).fit(&frame).unwrap();
    let many = forest.min_node_size(10).fit(&copies).unwrap();
    let (heavy, many) = (
        heavy.predict(&frame).unwrap(),
        many.predict(&frame).unwrap(),
    );
    assert!(times(&heavy, 1.0, &many, 1e-9));
}
