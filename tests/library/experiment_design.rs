//! Designs: exact sizes, balance, tests of the right size, intervals that cover.

use cocreate::numeric::permutation::open_unit;
use cocreate::numeric::special::normal;
use cocreate::numeric::{Seed, blocks};
use cocreate::prelude::*;
use rand::Rng as _;

/// Units with two covariates, four strata of unequal size, ten clusters in each two strata, and outcomes without and with treatment.
struct Population {
    frame: Frame,
    control: Vec<f64>,
    treated: Vec<f64>,
}

impl Population {
    fn new(n: usize) -> Self {
        let mut random = Seed::new(99).stream(0);
        let mut gauss = || normal::quantile(open_unit(random.next_u64()));
        let x: Vec<f64> = (0..n).map(|_| gauss()).collect();
        let z: Vec<f64> = (0..n).map(|_| gauss()).collect();
        let cluster: Vec<f64> = (0..n).map(|i| (i % 24) as f64).collect();
        let half: Vec<&str> = (0..n)
            .map(|i| if i % 24 < 10 { "left" } else { "right" })
            .collect();
        let stratum: Vec<&str> = (0..n)
            .map(|i| match i % 10 {
                0 | 1 => "a",
                2..=4 => "b",
                _ => "c",
            })
            .collect();
        let shock: Vec<f64> = (0..24).map(|_| 0.5 * gauss()).collect();
        let control: Vec<f64> = (0..n)
            .map(|i| {
                let level = if stratum[i] == "a" { 3.0 } else { 0.0 };
                level + x[i] + shock[i % 24] + 0.7 * gauss()
            })
            .collect();
        let treated = (0..n)
            .map(|i| control[i] + 1.0 + 0.5 * x[i] + if stratum[i] == "c" { 0.5 } else { 0.0 })
            .collect();
        let frame = Frame::new()
            .with("x", x)
            .unwrap()
            .with("z", z)
            .unwrap()
            .with("cluster", cluster)
            .unwrap()
            .with("half", half)
            .unwrap()
            .with("stratum", stratum)
            .unwrap();
        Self {
            frame,
            control,
            treated,
        }
    }

    fn effect(&self) -> f64 {
        let gaps = self.treated.iter().zip(&self.control).map(|(t, c)| t - c);
        gaps.sum::<f64>() / self.control.len() as f64
    }

    /// The frame with the outcome that is seen, and with the one of no effect at all.
    fn seen(&self, assigned: &Assigned) -> Frame {
        let pairs = assigned
            .codes()
            .iter()
            .zip(self.control.iter().zip(&self.treated));
        let y: Vec<f64> = pairs
            .map(|(arm, (c, t))| if *arm == 1 { *t } else { *c })
            .collect();
        self.frame
            .clone()
            .with("y", y)
            .unwrap()
            .with("null", self.control.clone())
            .unwrap()
    }
}

/// Coverage of 95 % intervals and size of the randomisation test at 5 %, over assignments.
fn calibrate(
    replications: usize,
    assign: impl Fn(u64) -> Assigned + Sync,
    population: &Population,
    adjusted: bool,
) -> (f64, f64) {
    let effect = population.effect();
    let outcomes: Vec<(bool, bool)> = blocks::map(replications, |r| {
        let assigned = assign(r as u64);
        let frame = population.seen(&assigned);
        let fit = if adjusted {
            assigned.analyze_adjusted(&frame, "y", &["x"]).unwrap()
        } else {
            assigned.analyze(&frame, "y").unwrap()
        };
        let interval = &fit.confidence_interval(0.95).unwrap()[0];
        let covers = interval.lower <= effect && effect <= interval.upper;
        // Nineteen draws: rejection at 5 % is being the most extreme of twenty.
        let test = assigned
            .randomization_test(&frame, "null", "treated", 19, 1000 + r as u64)
            .unwrap();
        (covers, test.outcomes[0].p_value <= 0.05 + 1e-12)
    });
    let share = |f: &dyn Fn(&(bool, bool)) -> bool| {
        outcomes.iter().filter(|o| f(o)).count() as f64 / replications as f64
    };
    (share(&|o| o.0), share(&|o| o.1))
}

const REPLICATIONS: usize = 800;

/// Four standard errors of a share of 5 % in that many replications.
const SLACK: f64 = 4.0 * 0.007_7;

fn two_arms() -> Randomization {
    Randomization::new(["control", "treated"])
}

fn check(name: &str, (coverage, size): (f64, f64), most: f64) {
    println!("{name}: coverage {coverage:.3}, size {size:.3}");
    assert!(
        coverage > 0.95 - SLACK && coverage <= most,
        "{name}: coverage {coverage}"
    );
    assert!((size - 0.05).abs() < SLACK, "{name}: size {size}");
}

#[test]
fn units_cover_and_tests_have_their_size() {
    let p = Population::new(60);
    let frame = p.frame.clone();
    let complete = |seed: u64| two_arms().seed(seed).assign(&frame).unwrap();
    check(
        "complete",
        calibrate(REPLICATIONS, complete, &p, false),
        0.999,
    );
    check(
        "complete, adjusted",
        calibrate(REPLICATIONS, complete, &p, true),
        0.999,
    );
    let coins = |seed: u64| {
        let design = two_arms().shares(&[0.4, 0.6]).independently();
        design.seed(seed).assign(&frame).unwrap()
    };
    check("coins", calibrate(REPLICATIONS, coins, &p, false), 0.999);
    let strata = |seed: u64| {
        let design = two_arms().shares(&[0.6, 0.4]).within(["stratum"]);
        design.seed(seed).assign(&frame).unwrap()
    };
    check("strata", calibrate(REPLICATIONS, strata, &p, false), 0.999);
    let pairs = |seed: u64| MatchedPairs::new(["x"]).seed(seed).assign(&frame).unwrap();
    check("pairs", calibrate(REPLICATIONS, pairs, &p, false), 0.999);
    let balanced = |seed: u64| {
        let design = two_arms().balanced_on(["x", "z"], 0.2);
        design.seed(seed).assign(&frame).unwrap()
    };
    // Rerandomised designs are analysed as if they were not: intervals cover more.
    check(
        "rerandomised",
        calibrate(REPLICATIONS, balanced, &p, false),
        1.0,
    );
}

#[test]
fn clusters_cover_and_tests_have_their_size() {
    let p = Population::new(96);
    let frame = p.frame.clone();
    let clusters = |seed: u64| {
        two_arms()
            .clusters("cluster")
            .seed(seed)
            .assign(&frame)
            .unwrap()
    };
    check(
        "clusters",
        calibrate(REPLICATIONS, clusters, &p, false),
        0.999,
    );
    let nested = |seed: u64| {
        let design = two_arms().clusters("cluster").within(["half"]);
        design.seed(seed).assign(&frame).unwrap()
    };
    check(
        "clusters in strata",
        calibrate(REPLICATIONS, nested, &p, false),
        0.999,
    );
}

#[test]
fn sizes_are_exact_and_clusters_whole() {
    let p = Population::new(240);
    let three = Randomization::new(["a", "b", "c"])
        .shares(&[0.5, 0.25, 0.25])
        .within(["stratum"])
        .seed(3)
        .assign(&p.frame)
        .unwrap();
    assert_eq!(three.counts(), [120, 60, 60]);
    let arm = three.attach(&p.frame, "arm").unwrap();
    let cells = arm
        .groups("stratum")
        .unwrap()
        .pair(&arm.groups("arm").unwrap());
    let mut counts = vec![0; cells.count()];
    for code in cells.codes.iter() {
        counts[*code as usize] += 1;
    }
    assert_eq!(counts, [24, 12, 12, 36, 18, 18, 60, 30, 30]);
    // Each of three arms against control within strata.
    let y: Vec<f64> = three
        .codes()
        .iter()
        .zip(&p.control)
        .map(|(a, y)| y + 2.0 * f64::from(*a))
        .collect();
    let data = arm.with("y", y).unwrap();
    let fit = three.analyze(&data, "y").unwrap();
    assert_eq!(fit.names(), ["b - a", "c - a"]);
    for (name, want) in [("b - a", 2.0), ("c - a", 4.0)] {
        let e = fit.coefficient(name).unwrap();
        assert!((e.estimate - want).abs() < 4.0 * e.std_error, "{fit}");
    }
    let test = three.randomization_test(&data, "y", "c", 99, 5).unwrap();
    assert!(test.outcomes[0].p_value < 0.02 && test.units == 180);
    let clusters = two_arms()
        .clusters("cluster")
        .seed(3)
        .assign(&p.frame)
        .unwrap();
    for (row, arm) in clusters.codes().iter().enumerate() {
        assert_eq!(*arm, clusters.codes()[row % 24]);
    }
    assert_eq!(clusters.counts(), [120, 120]);
    assert!(clusters.to_string().contains("clusters of cluster"));
    let again: Assigned = serde_json::from_str(&serde_json::to_string(&clusters).unwrap()).unwrap();
    assert_eq!(again, clusters);
}

#[test]
fn one_seed_is_one_assignment() {
    let p = Population::new(40);
    let design = two_arms().within(["stratum"]).balanced_on(["x"], 0.1);
    let one = design.clone().seed(7).assign(&p.frame).unwrap();
    assert_eq!(one, design.clone().seed(7).assign(&p.frame).unwrap());
    assert_ne!(
        one.codes(),
        design.seed(8).assign(&p.frame).unwrap().codes()
    );
    let drawn = two_arms().seed(7).assign(&p.frame.head(10)).unwrap();
    assert_eq!(drawn.codes(), PINNED, "{:?}", drawn.codes());
    // Simulated power is a sum over streams, whatever the threads.
    let planner = SwitchbackPower::new(1.0, 0.4)
        .effect(0.5)
        .replications(300)
        .seed(7);
    let power = planner.power(60.0).unwrap().power;
    for threads in [1, 3] {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        let again = pool.install(|| planner.power(60.0).unwrap().power);
        assert_eq!(again.to_bits(), power.to_bits());
    }
}

const PINNED: [u32; 10] = [0, 0, 1, 0, 0, 1, 0, 1, 1, 1];

/// Morgan & Rubin (2012), theorem 3.2: the variance of differences in covariate means is multiplied by
/// `P(χ²_{k+2} ≤ a)/P(χ²_k ≤ a)`, that of an outcome by `1 − (1 − v) R²`.
#[test]
fn rerandomisation_reduces_variance_as_in_theory() {
    let p = Population::new(100);
    let variance = |design: &Randomization, column: &str| {
        let x = p.frame.numeric(column).unwrap();
        let gaps: Vec<f64> = blocks::map(1500, |r| {
            let assigned = design.clone().seed(r as u64).assign(&p.frame).unwrap();
            let pairs = assigned.codes().iter().zip(x.values().iter());
            pairs
                .map(|(arm, x)| if *arm == 1 { *x } else { -x })
                .sum::<f64>()
                / 50.0
        });
        gaps.iter().map(|g| g * g).sum::<f64>() / 1500.0
    };
    let plain = two_arms();
    let balanced = two_arms().balanced_on(["x", "z"], 0.1);
    let example = balanced.clone().seed(1).assign(&p.frame).unwrap();
    let tier = &example.balance().unwrap().tiers()[0];
    // χ² with 2 and 4 degrees of freedom: a = −2 ln 0.9, v = 1 − (a/2) e^{−a/2}/(1 − e^{−a/2}).
    let half = -(0.9_f64.ln());
    assert!((tier.threshold - 2.0 * half).abs() < 1e-12);
    let v = 1.0 - half * 0.9 / 0.1;
    assert!((tier.variance_factor - v).abs() < 1e-12);
    for column in ["x", "z"] {
        let ratio = variance(&balanced, column) / variance(&plain, column);
        // A ratio of two sample variances of 1500: standard error 0.052 of itself.
        assert!((ratio / v - 1.0).abs() < 0.22, "{column} {ratio} {v}");
    }
    // Two tiers: the first is balanced more.
    let tiers = two_arms().balanced_on(["x"], 0.02).balanced_on(["z"], 0.5);
    let example = tiers.clone().seed(1).assign(&p.frame).unwrap();
    let factors: Vec<f64> = example
        .balance()
        .unwrap()
        .tiers()
        .iter()
        .map(|t| t.variance_factor)
        .collect();
    let ratio = variance(&tiers, "x") / variance(&plain, "x");
    assert!(
        ratio < 3.0 * factors[0] && factors[0] < 0.001,
        "{ratio} {factors:?}"
    );
    let ratio = variance(&tiers, "z") / variance(&plain, "z");
    assert!(
        (ratio / factors[1] - 1.0).abs() < 0.25,
        "{ratio} {factors:?}"
    );
}

#[test]
fn adjustment_and_pairs_pay() {
    let p = Population::new(120);
    let complete = two_arms().seed(4).assign(&p.frame).unwrap();
    let frame = p.seen(&complete);
    let plain = complete.analyze(&frame, "y").unwrap();
    let lin = complete.analyze_adjusted(&frame, "y", &["x", "z"]).unwrap();
    let name = "treated - control";
    assert!(lin.std_error(name).unwrap() < 0.9 * plain.std_error(name).unwrap());
    assert!(lin.to_string().contains("Lin"));
    // Neyman's difference of means is least squares with HC2 errors.
    let flag: Vec<f64> = complete.codes().iter().map(|c| f64::from(*c)).collect();
    let data = frame.with("w", flag).unwrap();
    let hc2 = Ols::new("y ~ w")
        .covariance(Covariance::Hc2)
        .fit(&data)
        .unwrap();
    let (ours, theirs) = (
        plain.coefficient(name).unwrap(),
        hc2.coefficient("w").unwrap(),
    );
    assert!((ours.estimate - theirs.estimate).abs() < 1e-12);
    assert!((ours.std_error / theirs.std_error - 1.0).abs() < 1e-12);
    // The variance over assignments: pairs on x against complete randomisation.
    let spread = |assign: &(dyn Fn(u64) -> Assigned + Sync)| {
        let estimates: Vec<f64> = blocks::map(400, |r| {
            let assigned = assign(r as u64);
            let fit = assigned.analyze(&p.seen(&assigned), "y").unwrap();
            fit.coefficient(name).unwrap().estimate
        });
        let mean = estimates.iter().sum::<f64>() / 400.0;
        estimates.iter().map(|e| (e - mean).powi(2)).sum::<f64>() / 399.0
    };
    let paired = spread(&|seed| {
        MatchedPairs::new(["x"])
            .seed(seed)
            .assign(&p.frame)
            .unwrap()
    });
    let unpaired = spread(&|seed| two_arms().seed(seed).assign(&p.frame).unwrap());
    assert!(paired < 0.75 * unpaired, "{paired} {unpaired}");
}

#[test]
fn nonsense_is_refused_with_a_remedy() {
    let p = Population::new(40);
    let says = |result: Result<Assigned>, word: &str| {
        let text = result.unwrap_err().to_string();
        assert!(text.contains(word), "{text}");
    };
    says(two_arms().assign(&p.frame), "seed");
    says(
        two_arms().shares(&[0.5, 0.6]).seed(1).assign(&p.frame),
        "sum to 1",
    );
    says(
        two_arms().shares(&[1.0]).seed(1).assign(&p.frame),
        "one an arm",
    );
    says(
        Randomization::new(["a"]).seed(1).assign(&p.frame),
        "two different names",
    );
    says(
        Randomization::new(["a", "a"]).seed(1).assign(&p.frame),
        "two different names",
    );
    let many: Vec<String> = (0..9).map(|i| i.to_string()).collect();
    says(
        Randomization::new(many)
            .within(["stratum"])
            .seed(1)
            .assign(&p.frame),
        "stratum `a`",
    );
    says(
        two_arms().within(["nothing"]).seed(1).assign(&p.frame),
        "nothing",
    );
    says(
        two_arms()
            .clusters("cluster")
            .within(["stratum"])
            .seed(1)
            .assign(&p.frame),
        "nested in the strata",
    );
    says(
        two_arms().balanced_on(["x"], 1.5).seed(1).assign(&p.frame),
        "acceptance",
    );
    says(
        two_arms()
            .balanced_on(["cluster", "cluster"], 0.1)
            .seed(1)
            .assign(&p.frame),
        "linear",
    );
    says(two_arms().seed(1).assign(&p.frame.head(0)), "no units");
    let assigned = two_arms().seed(1).assign(&p.frame).unwrap();
    let frame = p.seen(&assigned);
    assert!(assigned.analyze(&frame.head(39), "y").is_err());
    let mut hole = frame.numeric("y").unwrap().values().to_vec();
    hole[3] = f64::NAN;
    let with_hole = frame.replace("y", hole).unwrap();
    let text = assigned.analyze(&with_hole, "y").unwrap_err().to_string();
    assert!(text.contains("row 4"), "{text}");
    assert!(assigned.is("other").is_err());
    assert!(
        assigned
            .randomization_test(&frame, "y", "control", 19, 1)
            .is_err()
    );
    // One unit of an arm in a stratum: no variance, unless strata are adjusted for.
    let thin: Vec<f64> = (0..40).map(|i| f64::from(i / 3)).collect();
    let small = p.frame.clone().with("thin", thin).unwrap().head(39);
    let blocks = two_arms().within(["thin"]).seed(1).assign(&small).unwrap();
    let y = p.control[..39].to_vec();
    let data = small.with("y", y).unwrap();
    let text = blocks.analyze(&data, "y").unwrap_err().to_string();
    assert!(text.contains("analyze_adjusted"), "{text}");
    assert!(blocks.analyze_adjusted(&data, "y", &["x"]).is_ok());
}
