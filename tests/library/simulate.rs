//! The simulators: closed forms, identities between data and oracle, the same bits for any number of threads, pinned draws,
//! and presets that fail by the predicted amount.

use cocreate::decision::{Belief, Cost, Preferences, Situation, Task, Terms, Tool};
use cocreate::prelude::*;
use cocreate::simulate::*;

/// Mean and its standard error.
fn mean(x: &[f64]) -> (f64, f64) {
    let n = x.len() as f64;
    let m = x.iter().sum::<f64>() / n;
    let v = x.iter().map(|v| (v - m).powi(2)).sum::<f64>() / (n - 1.0);
    (m, (v / n).sqrt())
}

fn correlation(x: &[f64], y: &[f64]) -> f64 {
    let c = Moments::of(&[x, y], None).unwrap().covariance(1.0);
    c[(0, 1)] / (c[(0, 0)] * c[(1, 1)]).sqrt()
}

/// A column as numbers, from the data or the oracle.
fn column(made: &Simulated, name: &str) -> Vec<f64> {
    let frame = if made.data.has(name) {
        &made.data
    } else {
        &made.oracle.individuals
    };
    frame.numeric(name).unwrap().values().to_vec()
}

/// Holds a mean to its value within four of its standard errors.
fn close(x: &[f64], value: f64, what: &str) {
    let (m, se) = mean(x);
    assert!(
        (m - value).abs() < 4.0 * se,
        "{what}: {m} (s.e. {se}), not {value}"
    );
}

/// All numbers of a frame, by bits.
fn bits(frame: &Frame) -> Vec<u64> {
    (frame.iter())
        .filter(|(_, c)| c.kind() != "label")
        .flat_map(|(name, _)| {
            let values = frame.numeric(name).unwrap();
            let bits: Vec<u64> = values.values().iter().map(|v| v.to_bits()).collect();
            bits
        })
        .collect()
}

/// Runs on one thread and on three, and compares the bits of data, oracle and effects.
fn same_on_all_threads(make: impl Fn() -> Simulated + Send + Sync) {
    let on = |threads: usize| {
        let pool = rayon_pool(threads);
        pool.install(&make)
    };
    let (one, many) = (on(1), on(3));
    assert_eq!(bits(&one.data), bits(&many.data));
    assert_eq!(
        bits(&one.oracle.individuals),
        bits(&many.oracle.individuals)
    );
    for (a, b) in one.oracle.truths().iter().zip(many.oracle.truths()) {
        assert_eq!(a.value.to_bits(), b.value.to_bits(), "{}", a.name);
    }
}

#[cfg(feature = "parallel")]
fn rayon_pool(threads: usize) -> rayon::ThreadPool {
    rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()
        .unwrap()
}

#[cfg(not(feature = "parallel"))]
fn rayon_pool(_: usize) -> OneThread {
    OneThread
}

/// Stands for a pool where there are no threads.
#[cfg(not(feature = "parallel"))]
struct OneThread;

#[cfg(not(feature = "parallel"))]
impl OneThread {
    fn install<T>(&self, work: impl FnOnce() -> T) -> T {
        work()
    }
}

/// A population whose latent normals are correlated.
fn correlated() -> Traits {
    Traits {
        correlations: vec![
            (Trait::KnownAbility, Trait::MentalCost, -0.5),
            (Trait::MentalCost, Trait::RiskAversion, 0.3),
        ],
        ..Traits::default()
    }
}

#[test]
fn a_population_has_the_moments_of_its_parameters() {
    let traits = correlated();
    let made = Population::new(traits.clone())
        .simulate(200_000, 3)
        .unwrap();
    let get = |name: &str| column(&made, name);
    let (a, m, v) = (get("ability"), get("belief_mean"), get("belief_variance"));
    let x = get("experience");
    close(&a, 0.0, "mean ability");
    let squares: Vec<f64> = a.iter().map(|a| a * a).collect();
    // β² + σ_a² = .25 + 1
    close(&squares, 1.25, "variance of ability");
    let gap: Vec<f64> = m.iter().zip(&a).map(|(m, a)| m - a).collect();
    close(&gap, traits.overconfidence, "overconfidence");
    let by_x: Vec<f64> = gap.iter().zip(&x).map(|(g, x)| g * x).collect();
    close(&by_x, -0.2, "overconfidence falls with experience");
    // Given the belief, (a − m + b)² has mean v.
    let b = get("overconfidence");
    let excess: Vec<f64> = (0..a.len())
        .map(|i| (a[i] - m[i] + b[i]).powi(2) - v[i])
        .collect();
    close(&excess, 0.0, "calibration of the variance");
    let logs = |name: &str| get(name).iter().map(|c| c.ln()).collect::<Vec<f64>>();
    let (mental, risk) = (logs("mental_cost"), logs("risk_aversion"));
    close(&mental, 0.5_f64.ln(), "log of the median mental cost");
    // Correlations on the atanh scale, whose standard error is 1/√n.
    let n = (a.len() as f64).sqrt();
    assert!((correlation(&mental, &risk).atanh() - 0.3_f64.atanh()).abs() * n < 4.0);
    // Where v is cut at σ_a² nothing is known.
    let (known, cost): (Vec<f64>, Vec<f64>) = (0..a.len())
        .filter(|i| v[*i] < 0.99)
        .map(|i| ((m[i] - b[i] - 0.5 * x[i]) / (1.0 - v[i]).sqrt(), mental[i]))
        .unzip();
    assert!((correlation(&known, &cost).atanh() + 0.5_f64.atanh()).abs() * n < 4.0);
    assert!((traits.mental_cost.mean() - mean(&get("mental_cost")).0).abs() < 0.002);
}

#[test]
fn segments_mix_in_their_shares() {
    let able = Traits {
        ability_mean: 2.0,
        ..Traits::default()
    };
    let population = Population::mixture([(3.0, Traits::default()), (1.0, able)]);
    let made = population.simulate(50_000, 1).unwrap();
    close(
        &column(&made, "segment"),
        0.25,
        "share of the second segment",
    );
    close(
        &column(&made, "ability"),
        0.5,
        "mean ability of the mixture",
    );
}

#[test]
fn bad_populations_are_refused() {
    let refused = |traits: Traits, word: &str| {
        let error = Population::new(traits).simulate(10, 1).unwrap_err();
        assert!(error.to_string().contains(word), "{error}");
    };
    let fair = Traits::default;
    refused(
        Traits {
            belief_variance: LogNormal::new(-0.1, 0.1),
            ..fair()
        },
        "belief variance",
    );
    refused(
        Traits {
            ability_deviation: 0.0,
            ..fair()
        },
        "ability_deviation",
    );
    refused(
        Traits {
            correlations: vec![
                (Trait::KnownAbility, Trait::MentalCost, 0.9),
                (Trait::KnownAbility, Trait::RiskAversion, 0.9),
                (Trait::MentalCost, Trait::RiskAversion, -0.9),
            ],
            ..fair()
        },
        "positive definite",
    );
    refused(
        Traits {
            correlations: vec![(Trait::MentalCost, Trait::RiskAversion, 1.0)],
            ..fair()
        },
        "between −1 and 1",
    );
    refused(
        Traits {
            relief: f64::NAN,
            ..fair()
        },
        "relief",
    );
    let bare = Traits {
        covariates: Vec::new(),
        ..fair()
    };
    assert!(
        Population::mixture([(0.5, fair()), (0.5, bare)])
            .simulate(5, 1)
            .is_err()
    );
    assert!(
        Population::mixture([(-1.0, fair())])
            .simulate(5, 1)
            .is_err()
    );
    assert!(Population::mixture([]).simulate(5, 1).is_err());
}

fn participation(timing: PurchaseTiming) -> StaticParticipation {
    StaticParticipation::new(timing).customers(60_000).seed(11)
}

const TIMINGS: [PurchaseTiming; 2] = [
    PurchaseTiming::AfterPurchase,
    PurchaseTiming::BeforePurchase,
];

#[test]
fn what_is_observed_is_the_potential_outcome_of_the_arm() {
    for timing in TIMINGS {
        let made = participation(timing).simulate().unwrap();
        let get = |name: &str| column(&made, name);
        let taught = get("education");
        for name in ["buys", "participates"] {
            let (y, y0, y1) = (
                get(name),
                get(&format!("{name}_0")),
                get(&format!("{name}_1")),
            );
            assert!((0..y.len()).all(|i| y[i] == if taught[i] > 0.5 { y1[i] } else { y0[i] }));
        }
        let (p, success) = (get("participates"), get("success"));
        let (s0, s1) = (get("success_0"), get("success_1"));
        assert!((0..p.len()).all(|i| {
            let potential = if taught[i] > 0.5 { s1[i] } else { s0[i] };
            if p[i] > 0.5 {
                success[i] == potential
            } else {
                success[i].is_nan() && potential == 0.0
            }
        }));
        for (effect, name) in [
            ("itt_purchase", "buys"),
            ("itt_participation", "participates"),
            ("itt_success", "success"),
            ("itt_experienced_surplus", "experienced"),
            ("itt_profit", "profit"),
        ] {
            let (y0, y1) = (get(&format!("{name}_0")), get(&format!("{name}_1")));
            let effects: Vec<f64> = y0.iter().zip(&y1).map(|(a, b)| b - a).collect();
            let truth = made.oracle.effect(effect).unwrap();
            assert!((mean(&effects).0 - truth).abs() < 1e-10, "{effect}");
        }
        let (participates, buys) = (get("participates"), get("buys"));
        // After purchase only buyers take part; before, only those who design buy.
        let nested = |inner: &[f64], outer: &[f64]| inner.iter().zip(outer).all(|(i, o)| i <= o);
        match timing {
            PurchaseTiming::AfterPurchase => assert!(nested(&participates, &buys)),
            PurchaseTiming::BeforePurchase => assert!(nested(&buys, &participates)),
        }
        let share = mean(&participates).0;
        assert!(share > 0.1 && share < 0.9, "{share}");
        // Success of participants has its true probability.
        let errors: Vec<f64> = (0..p.len())
            .filter(|i| p[*i] > 0.5 && timing == PurchaseTiming::AfterPurchase)
            .map(|i| success[i] - get_true(&made)[i])
            .collect();
        if !errors.is_empty() {
            close(&errors, 0.0, "success less its probability");
        }
    }
}

fn get_true(made: &Simulated) -> &[f64] {
    made.oracle.real("true_success").unwrap()
}

#[test]
fn decisions_are_those_of_the_decision_room_and_effort_is_the_best() {
    let process = participation(PurchaseTiming::AfterPurchase).customers(2_000);
    let made = process.simulate().unwrap();
    let get = |name: &str| column(&made, name);
    let (m, v, r) = (
        get("belief_mean"),
        get("belief_variance"),
        get("risk_aversion"),
    );
    let (mental, material) = (get("mental_cost"), get("material_cost"));
    let (tool, guarantee, price) = (get("tool"), get("guarantee"), get("price"));
    let (u0, l0) = (get("outside_shock"), get("abandon_shock"));
    let (effort, wtp, buys) = (get("true_effort"), get("wtp"), get("buys"));
    for i in 0..2_000 {
        let terms = Terms {
            price: price[i],
            outside: u0[i],
            guarantee: guarantee[i],
            tool: Tool::Share(tool[i] * process.tool),
            value_abandon: process.abandon + l0[i],
            taste: process.taste,
            ..Terms::default()
        };
        let cost = Cost {
            mental: mental[i],
            material: material[i],
            relief: 0.0,
        };
        let task = Task {
            difficulty: 0.3,
            effort_return: 0.5,
        };
        let preferences = Preferences::continuous_cara(r[i]).unwrap();
        let situation = Situation::new(preferences, cost, task, terms).unwrap();
        let belief = Belief::new(m[i], v[i]).unwrap();
        let value = |e: f64| situation.gross(belief, e) - situation.anticipated_cost(belief, e);
        let best = value(effort[i]);
        for step in [-0.05, 0.05] {
            assert!(
                effort[i] + step < 0.0 || value(effort[i] + step) <= best + 1e-12,
                "row {i}"
            );
        }
        let expected = best.max(terms.value_abandon) - u0[i];
        assert!((wtp[i] - expected).abs() < 1e-12);
        assert_eq!(buys[i] > 0.5, expected > price[i]);
    }
    // A guarantee lowers effort: moral hazard.
    let by_level = |level: f64| {
        let of: Vec<f64> = (0..2_000)
            .filter(|i| guarantee[*i] == level)
            .map(|i| effort[i])
            .collect();
        mean(&of).0
    };
    assert!(by_level(0.0) > by_level(0.3) && by_level(0.3) > by_level(0.6));
}

#[test]
fn a_calibrated_population_is_right_on_average() {
    let calibrated = Traits {
        overconfidence: 0.0,
        covariates: Vec::new(),
        ..Traits::default()
    };
    let base = participation(PurchaseTiming::AfterPurchase).population(Population::new(calibrated));
    let gap = |process: StaticParticipation| {
        process
            .simulate()
            .unwrap()
            .oracle
            .effect("calibration")
            .unwrap()
    };
    // Each row's gap lies in (−1, 1) with a standard deviation of about .2.
    let error = 0.25 / 60_000.0_f64.sqrt();
    assert!(gap(base.clone()).abs() < 4.0 * error);
    let overconfident = participation(PurchaseTiming::AfterPurchase);
    assert!(gap(overconfident) > 20.0 * error);
    // Information leaves E[m] where it is for the calibrated.
    let made = base.simulate().unwrap();
    let shift: Vec<f64> = column(&made, "belief_mean")
        .iter()
        .zip(&column(&made, "prior_mean"))
        .map(|(m, m0)| m - m0)
        .collect();
    close(&shift, 0.0, "posterior less prior mean");
}

#[test]
fn every_flaw_breaks_its_own_assumption() {
    let make = |flaw: Option<ParticipationFlaw>| {
        let process = participation(PurchaseTiming::AfterPurchase);
        let process = match flaw {
            Some(flaw) => process.misspecify(flaw),
            None => process,
        };
        process.simulate().unwrap()
    };
    let coefficient = |made: &Simulated, formula: &str, name: &str| {
        let frame = made
            .oracle
            .individuals
            .iter()
            .filter(|(n, _)| !made.data.has(n))
            .try_fold(made.data.clone(), |f, (n, c)| f.with(n, c.clone()))
            .unwrap();
        Ols::new(formula)
            .fit(&frame)
            .unwrap()
            .coefficient(name)
            .unwrap()
    };
    let sound = make(None);
    // Stated variance is half the true one.
    let half = make(Some(ParticipationFlaw::Overprecision));
    let (v, v_half) = (
        column(&sound, "prior_variance"),
        column(&half, "prior_variance"),
    );
    assert!(
        v.iter()
            .zip(&v_half)
            .all(|(v, h)| (h - 0.5 * v).abs() < 1e-15)
    );
    // Given the belief, ability moves participation only with the flaw (arms apart from education, whose signal is in the belief).
    let direct = |made: &Simulated| {
        coefficient(
            made,
            "participates_0 ~ prior_mean + prior_variance + ability + education",
            "ability",
        )
    };
    let education_only_signal = direct(&make(Some(ParticipationFlaw::ChoiceOnAbility)));
    assert!(education_only_signal.estimate > 10.0 * education_only_signal.std_error);
    let none = direct(&sound);
    assert!(none.estimate.abs() < 4.0 * none.std_error, "{none}");
    // The coupon is unrelated to ability, unless it teaches .3.
    let coupon = |made: &Simulated| coefficient(made, "ability ~ coupon", "coupon");
    let (clean, taught) = (
        coupon(&sound),
        coupon(&make(Some(ParticipationFlaw::CouponTeaches))),
    );
    assert!(clean.estimate.abs() < 4.0 * clean.std_error);
    // .3 a coupon of .3 money: one a unit of money.
    assert!(
        (taught.estimate - 1.0).abs() < 4.0 * taught.std_error,
        "{taught}"
    );
    // Persuasion moves the belief by half a unit in the education arm.
    let moved = |made: &Simulated| {
        coefficient(made, "I(belief_mean - prior_mean) ~ education", "education").estimate
    };
    let persuaded = moved(&make(Some(ParticipationFlaw::EducationPersuades)));
    assert!((persuaded - moved(&sound) - 0.5).abs() < 1e-9);
    // Laplace noise has kurtosis 6 where the normal has 3; among participants effort and ability do not depend on it.
    let kurtosis = |made: &Simulated| {
        let (q, a, e) = (
            column(made, "quality"),
            column(made, "ability"),
            column(made, "true_effort"),
        );
        let fourth: Vec<f64> = (0..q.len())
            .filter(|i| !q[*i].is_nan())
            .map(|i| (q[i] - a[i] - 0.5 * e[i].ln_1p() + 0.3).powi(4))
            .collect();
        mean(&fourth)
    };
    let (k, se) = kurtosis(&make(Some(ParticipationFlaw::LaplaceTaskNoise)));
    assert!((k - 6.0).abs() < 4.0 * se, "{k}");
    let (k, se) = kurtosis(&sound);
    assert!((k - 3.0).abs() < 4.0 * se, "{k}");
}

#[test]
fn the_static_process_has_the_same_bits_on_all_threads_and_pinned_draws() {
    for timing in TIMINGS {
        same_on_all_threads(|| {
            let mut process = participation(timing).customers(9_000);
            process.items = vec![-1.0, 0.0, 1.0];
            process.simulate().unwrap()
        });
    }
    let lean = participation(PurchaseTiming::AfterPurchase)
        .keep_oracle(false)
        .simulate()
        .unwrap();
    let full = participation(PurchaseTiming::AfterPurchase)
        .simulate()
        .unwrap();
    assert_eq!(bits(&lean.data), bits(&full.data));
    assert!(matches!(
        lean.oracle.real("ability"),
        Err(Error::DataNotKept { .. })
    ));
    assert_eq!(
        lean.oracle.effect("itt_profit"),
        full.oracle.effect("itt_profit")
    );
    let error = full.oracle.effect("itt_profits").unwrap_err().to_string();
    assert!(error.contains("itt_profit"), "{error}");
}

#[test]
fn bad_parameters_of_the_static_process_are_refused() {
    let fair = || participation(PurchaseTiming::AfterPurchase).customers(10);
    let unseeded = StaticParticipation::new(PurchaseTiming::AfterPurchase).simulate();
    assert!(matches!(unseeded, Err(Error::SeedRequired { .. })));
    let refused = |process: StaticParticipation, word: &str| {
        let error = process.simulate().unwrap_err().to_string();
        assert!(error.contains(word), "{error}");
    };
    refused(fair().customers(0), "customers");
    refused(
        StaticParticipation {
            shares: [0.5, 1.5, 0.5],
            ..fair()
        },
        "shares",
    );
    refused(
        StaticParticipation {
            guarantees: vec![],
            ..fair()
        },
        "guarantees",
    );
    refused(
        StaticParticipation {
            guarantees: vec![-1.0],
            ..fair()
        },
        "guarantee",
    );
    refused(
        StaticParticipation {
            tool: 1.5,
            ..fair()
        },
        "tool",
    );
    refused(
        StaticParticipation {
            ambiguity: -1.0,
            ..fair()
        },
        "ambiguity",
    );
    let before = participation(PurchaseTiming::BeforePurchase);
    refused(
        StaticParticipation {
            ambiguity: 1.0,
            ..before
        },
        "ambiguity",
    );
    let free = Traits {
        mental_cost: LogNormal::constant(0.0),
        ..Traits::default()
    };
    refused(fair().population(Population::new(free)), "mental_cost");
}
