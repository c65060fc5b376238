//! Intervals of quantile and survival forests: against the variances of one sample, what must hold for any, and by simulation; those of causal forests when
//! customers come in clusters.

use cocreate::numeric::permutation::open_unit;
use cocreate::numeric::special::normal;
use cocreate::prelude::*;
use rand::Rng;

const X: [&str; 4] = ["x1", "x2", "x3", "x4"];

fn framed<const K: usize>(columns: [Vec<f64>; K], names: [&str; K]) -> Frame {
    let columns = names.into_iter().zip(columns);
    columns.fold(Frame::new(), |frame, (name, column)| {
        frame.with(name, column).unwrap()
    })
}

/// Outcomes N(x1, (1 + 2 x2)²) of uniform features, times that are exponential with rate exp(x1 − ½ + 1.4 x2), censored by an
/// exponential of mean 2.
fn drawn(n: usize, seed: u64) -> Frame {
    let mut random = Seed::new(seed).stream(0);
    let mut u = || open_unit(random.next_u64());
    let mut columns: [Vec<f64>; 7] = Default::default();
    for _ in 0..n {
        let v = [u(), u(), u(), u()];
        let y = v[0] + (1.0 + 2.0 * v[1]) * normal::quantile(u());
        let (time, gone) = (-u().ln() / rate(v[0], v[1]), -2.0 * u().ln());
        let event = f64::from(u8::from(time <= gone));
        let row = v.into_iter().chain([y, time.min(gone), event]);
        for (column, value) in columns.iter_mut().zip(row) {
            column.push(value);
        }
    }
    framed(columns, ["x1", "x2", "x3", "x4", "y", "time", "event"])
}

fn rate(x1: f64, x2: f64) -> f64 {
    (x1 - 0.5 + 1.4 * x2).exp()
}

/// A tree of one leaf has as neighbours the sample as it is.
const WHOLE: usize = 100_000;

#[test]
fn without_splits_variances_are_those_of_one_sample() {
    let frame = drawn(400, 1);
    let one = drawn(1, 2);
    let survival = SurvivalForest::new("time", "event", &X).min_node_size(WHOLE);
    let times = [0.1, 0.4, 1.0];
    let fit = survival.times(&times).seed(1).fit(&frame).unwrap();
    let found = fit.predict(&one).unwrap();
    let curve = KaplanMeier::new(Survival::right("time", "event"))
        .fit(&frame)
        .unwrap();
    for time in times {
        let points = curve.curves()[0].points();
        let greenwood = points[points.partition_point(|p| p.time <= time) - 1].std_error;
        let error = found.std_errors(time)[0];
        assert!((error / greenwood - 1.0).abs() < 0.1, "{error} {greenwood}");
    }
    let forest = QuantileForest::new("y", &X).min_node_size(WHOLE).seed(1);
    let found = forest.fit(&frame).unwrap().predict(&one).unwrap();
    let mut sorted = frame.real("y").unwrap().to_vec();
    sorted.sort_by(f64::total_cmp);
    for q in [0.1, 0.5, 0.9] {
        let ends = found.intervals(q, 0.95).unwrap();
        // The share of the sample below each end, in standard errors √(q (1 − q)/n) from q.
        for (end, sign) in [(ends.lower[0], -1.0), (ends.upper[0], 1.0)] {
            let below = sorted.partition_point(|y| *y <= end) as f64 / 400.0;
            let off = sign * (below - q) / (q * (1.0 - q) / 400.0).sqrt();
            assert!((off - 1.96).abs() < 0.3, "{q} {off}");
        }
    }
}

#[test]
fn intervals_follow_the_scale_of_outcomes_and_the_weights() {
    let frame = drawn(300, 3);
    let map = |frame: &Frame, name: &str, f: fn(f64) -> f64| {
        let values: Vec<f64> = frame.real(name).unwrap().iter().map(|v| f(*v)).collect();
        frame.replace(name, values).unwrap()
    };
    let frame = frame.with("weight", vec![1.0; 300]).unwrap();
    let doubled = map(&frame, "weight", |w| 2.0 * w);
    // Quantiles follow any increasing map of outcomes, and so do their ends.
    let forest = QuantileForest::new("y", &X)
        .weights("weight")
        .trees(40)
        .seed(3);
    let (base, moved) = (
        forest.fit(&frame).unwrap(),
        forest.fit(&map(&doubled, "y", f64::exp)).unwrap(),
    );
    let (a, b) = (base.out_of_bag(), moved.out_of_bag());
    for q in [0.1, 0.5, 0.9] {
        let (a, b) = (a.intervals(q, 0.95).unwrap(), b.intervals(q, 0.95).unwrap());
        for (a, b) in [(&a.lower, &b.lower), (&a.upper, &b.upper)] {
            assert!(
                a.iter()
                    .zip(b)
                    .all(|(a, b)| (a.exp() / b - 1.0).abs() < 1e-9)
            );
        }
    }
    // Curves follow the order of times.
    let forest = SurvivalForest::new("time", "event", &X)
        .weights("weight")
        .trees(40)
        .seed(3);
    let (base, moved) = (
        forest.fit(&frame).unwrap(),
        forest.fit(&map(&doubled, "time", |t| 12.0 * t)).unwrap(),
    );
    // Weights count by their ratios, however small or large they are.
    for exponent in [-600, 600] {
        let by = |w: f64| w * 2.0_f64.powi(exponent);
        let far = frame.replace("weight", vec![by(1.0); 300]).unwrap();
        let far = forest.fit(&far).unwrap();
        assert_eq!(base.out_of_bag(), far.out_of_bag());
        let mixed: Vec<f64> = (0..300).map(|i| f64::from(i % 4)).collect();
        let [near, far] = [1.0, by(1.0)].map(|by| {
            let weights: Vec<f64> = mixed.iter().map(|w| by * w).collect();
            let frame = frame.replace("weight", weights).unwrap();
            let effects = CausalForest::new("y", "event", &X).weights("weight");
            let effects = effects.nuisances(ForestNuisances::OutOfBag).trees(20);
            effects.seed(1).fit(&frame).unwrap()
        });
        assert_eq!(near.out_of_bag(), far.out_of_bag());
        assert_eq!(near.scores().unwrap(), far.scores().unwrap());
    }
    let (a, b) = (base.out_of_bag(), moved.out_of_bag());
    let pairs = a
        .variances
        .iter()
        .flatten()
        .zip(b.variances.iter().flatten());
    for (a, b) in pairs {
        assert!(a == b || (a - b).abs() < 1e-9 * a, "{a} {b}");
    }
    for (curve, variances) in a.curves.iter().zip(&a.variances) {
        for (survival, variance) in curve.iter().zip(variances) {
            assert!(
                variance.is_infinite() == (*survival == 0.0)
                    && (*survival < 1.0 || *variance == 0.0)
            );
        }
    }
    let ends = a.intervals(1.0, 0.95).unwrap();
    assert!(ends.lower.iter().all(|s| *s >= 0.0) && ends.upper.iter().all(|s| *s <= 1.0));
}

#[test]
fn intervals_cover() {
    const ROWS: usize = 100;
    let new = drawn(ROWS, 99);
    let (x1, x2) = (new.real("x1").unwrap(), new.real("x2").unwrap());
    let (quantiles, times) = ([0.1, 0.5, 0.9], [0.1, 0.3, 0.7, 1.5]);
    let share = |ends: &ForestIntervals, truth: &dyn Fn(usize) -> f64| {
        let inside = (0..ROWS).filter(|i| (ends.lower[*i]..=ends.upper[*i]).contains(&truth(*i)));
        inside.count() as f64 / ROWS as f64
    };
    let (mut of_quantiles, mut of_curves, draws) = (0.0, 0.0, 8);
    for draw in 0..draws {
        let frame = drawn(1000, draw);
        let forest = QuantileForest::new("y", &X).trees(300).seed(draw);
        let found = forest.fit(&frame).unwrap().predict(&new).unwrap();
        for q in quantiles {
            let truth = |i: usize| x1[i] + (1.0 + 2.0 * x2[i]) * normal::quantile(q);
            of_quantiles += share(&found.intervals(q, 0.95).unwrap(), &truth);
        }
        let forest = SurvivalForest::new("time", "event", &X)
            .times(&times)
            .trees(300);
        let found = forest
            .seed(draw)
            .fit(&frame)
            .unwrap()
            .predict(&new)
            .unwrap();
        for time in times {
            let truth = |i: usize| (-time * rate(x1[i], x2[i])).exp();
            of_curves += share(&found.intervals(time, 0.95).unwrap(), &truth);
        }
    }
    let (of_quantiles, of_curves) = (
        of_quantiles / (draws * 3) as f64,
        of_curves / (draws * 4) as f64,
    );
    assert!((0.90..0.97).contains(&of_quantiles), "{of_quantiles}");
    assert!((0.86..0.97).contains(&of_curves), "{of_curves}");
}

#[test]
fn trees_by_themselves_have_no_intervals() {
    let frame = drawn(200, 4);
    let forest = QuantileForest::new("y", &X).bag_size(1).trees(20).seed(1);
    let fit = forest.fit(&frame).unwrap();
    let told = fit
        .out_of_bag()
        .intervals(0.5, 0.95)
        .unwrap_err()
        .to_string();
    assert!(told.contains(".bag_size(2)"), "{told}");
    let text = serde_json::to_string(&fit).unwrap();
    let back: QuantileForestFit = serde_json::from_str(&text).unwrap();
    assert_eq!(back.out_of_bag(), fit.out_of_bag());
    let forest = SurvivalForest::new("time", "event", &X).trees(20).seed(1);
    let fit = forest.clone().bag_size(1).fit(&frame).unwrap();
    let told = fit
        .out_of_bag()
        .intervals(0.5, 0.95)
        .unwrap_err()
        .to_string();
    assert!(told.contains(".bag_size(2)"), "{told}");
    let text = serde_json::to_string(&fit).unwrap();
    let back: SurvivalForestFit = serde_json::from_str(&text).unwrap();
    assert_eq!(back.out_of_bag(), fit.out_of_bag());
    let found = forest.fit(&frame).unwrap().predict(&frame).unwrap();
    assert!(found.intervals(0.5, 1.0).is_err());
    // Nobody is known to have gone before the first told time.
    let ends = found.intervals(0.0, 0.95).unwrap();
    assert!(ends.lower.iter().chain(&ends.upper).all(|s| *s == 1.0));
}

/// Villages that have an arm, a feature and a taste in common; nobody is affected.
fn villages(seed: u64, villages: usize, each: usize) -> Frame {
    let mut random = Seed::new(seed).stream(1);
    let mut normal = || normal::quantile(open_unit(random.next_u64()));
    let mut columns: [Vec<f64>; 6] = Default::default();
    for g in 0..villages {
        let (feature, taste) = (normal(), normal());
        for _ in 0..each {
            let y = taste + 0.5 * feature + normal();
            let row = [feature, normal(), (g % 2) as f64, 0.5, y, g as f64];
            for (column, value) in columns.iter_mut().zip(row) {
                column.push(value);
            }
        }
    }
    framed(columns, ["x1", "x2", "arm", "half", "y", "village"])
}

#[test]
fn clustered_forests_cover_where_plain_ones_do_not() {
    const DRAWS: u64 = 60;
    let new = villages(9999, 50, 1);
    let covers = |lower: f64, upper: f64| f64::from(u8::from(lower < 0.0 && 0.0 < upper));
    let coverage = |clusters: bool| {
        let mut forest = CausalForest::new("y", "arm", &["x1", "x2"])
            .propensity_hat("half")
            .nuisances(ForestNuisances::OutOfBag)
            .trees(100);
        if clusters {
            forest = forest.clusters("village");
        }
        let (mut of_average, mut of_points) = (0.0, 0.0);
        for seed in 0..DRAWS {
            let fit = forest
                .clone()
                .seed(seed)
                .fit(&villages(seed, 80, 15))
                .unwrap();
            let average = fit.average_effect(ForestTarget::All).unwrap();
            let ends = average.confidence_interval(0.95).unwrap();
            of_average += covers(ends.lower, ends.upper) / DRAWS as f64;
            let ends = fit.predict(&new).unwrap().intervals(0.95).unwrap();
            let points = ends.lower.iter().zip(&ends.upper);
            let inside: f64 = points.map(|(lower, upper)| covers(*lower, *upper)).sum();
            of_points += inside / (50 * DRAWS) as f64;
        }
        [of_average, of_points]
    };
    let ([average, points], plain) = (coverage(true), coverage(false));
    println!("clustered {average:.3} and {points:.3}, plain {plain:.3?}");
    assert!((0.88..=1.0).contains(&average), "{average}");
    assert!(
        points > 0.85 && points > plain[1] + 0.05,
        "{points} {plain:?}"
    );
    assert!(plain[0] < 0.75, "{plain:?}");
}
