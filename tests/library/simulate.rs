//! The simulators: closed forms, identities between data and oracle, the same bits for any number of threads, pinned draws,
//! and presets that fail by the predicted amount.

use cocreate::decision::{Belief, Cost, Preferences, Signals, Situation, Task, Terms, Tool};
use cocreate::prelude::*;
use cocreate::simulate::*;

#[path = "simulate/stored.rs"]
mod stored;
#[path = "simulate/targeting.rs"]
mod targeting;

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
    refused(
        StaticParticipation {
            ambiguity: 1.0,
            ..fair()
        },
        "guarantees",
    );
    let free = Traits {
        mental_cost: LogNormal::constant(0.0),
        ..Traits::default()
    };
    refused(fair().population(Population::new(free)), "mental_cost");
}

#[test]
fn effort_before_purchase_is_the_best_on_a_grid() {
    use cocreate::decision::option;
    let process = participation(PurchaseTiming::BeforePurchase).customers(1_000);
    let made = process.simulate().unwrap();
    let get = |name: &str| column(&made, name);
    let (m, v, r) = (
        get("belief_mean"),
        get("belief_variance"),
        get("risk_aversion"),
    );
    let (mental, material, tool) = (get("mental_cost"), get("material_cost"), get("tool"));
    let (price, u0, effort) = (get("price"), get("outside_shock"), get("true_effort"));
    let taught = get("education");
    let anticipated = [get("anticipated_0"), get("anticipated_1")];
    for i in 0..1_000 {
        let left = 1.0 - process.tool * tool[i];
        let value = |e: f64| {
            let w = process.taste * (m[i] + 0.5 * e.ln_1p() - 0.3) - price[i] - u0[i];
            option(r[i], w, process.taste * (1.0 + v[i]).sqrt())
                - left * (mental[i] * e + material[i])
        };
        let best = (0..400)
            .map(|k| value(f64::from(k) * 0.02))
            .fold(f64::MIN, f64::max);
        assert!(value(effort[i]) >= best - 1e-9, "row {i}");
        let mine = anticipated[usize::from(taught[i] > 0.5)][i];
        assert!((mine - value(effort[i]).max(0.0)).abs() < 1e-12);
    }
}

/// The problem of a customer of an after-purchase sample without ambiguity, without cost of the effort-free kind.
fn situation(process: &StaticParticipation, made: &Simulated, i: usize) -> Situation {
    let get = |name: &str| {
        let frame = if made.data.has(name) {
            &made.data
        } else {
            &made.oracle.individuals
        };
        frame.numeric(name).unwrap().values()[i]
    };
    let terms = Terms {
        price: get("price"),
        outside: process.outside + get("outside_shock"),
        guarantee: get("guarantee"),
        tool: Tool::Share(get("tool") * process.tool),
        value_abandon: process.abandon + get("abandon_shock"),
        taste: process.taste,
        ..Terms::default()
    };
    let cost = Cost {
        mental: get("mental_cost"),
        material: get("material_cost"),
        relief: 0.0,
    };
    let preferences = Preferences::continuous_cara(get("risk_aversion")).unwrap();
    Situation::new(preferences, cost, process.task, terms).unwrap()
}

#[test]
fn the_data_alone_are_the_data_of_the_simulation() {
    for timing in TIMINGS {
        let mut process = participation(timing).customers(9_000).encouragement(
            Compliance {
                always: 0.1,
                never: 0.2,
            },
            0.5,
        );
        process.items = vec![0.0, 1.0];
        if timing == PurchaseTiming::AfterPurchase {
            process = process.interim(Signals::new(1, 0.5).unwrap());
            process.guarantees = vec![0.0];
        }
        assert_eq!(
            bits(&process.data().unwrap()),
            bits(&process.simulate().unwrap().data)
        );
    }
    let free = StaticParticipation {
        tool: 1.0,
        ..participation(PurchaseTiming::AfterPurchase)
    };
    assert!(matches!(free.simulate(), Err(Error::InvalidOption { .. })));
    assert!(matches!(free.data(), Err(Error::InvalidOption { .. })));
}

#[test]
fn an_interim_signal_follows_the_objective_law_and_the_decision_room() {
    use cocreate::decision::{AfterPurchase, Timing};
    let signals = Signals::new(2, 1.5).unwrap();
    let process = StaticParticipation {
        interim: signals,
        ..participation(PurchaseTiming::AfterPurchase).customers(3_000)
    };
    let made = process.simulate().unwrap();
    let get = |name: &str| column(&made, name);
    let (a, m, v) = (get("ability"), get("belief_mean"), get("belief_variance"));
    let (m1, v1) = (get("interim_mean"), get("interim_variance"));
    // m' ~ N(m + K(a − m), K²σ_s²/n) given ability.
    let z: Vec<f64> = (0..a.len())
        .map(|i| {
            let law = Belief::new(m[i], v[i]).unwrap().objective(a[i], signals);
            assert!((law.posterior_variance() - v1[i]).abs() < 1e-12);
            (m1[i] - law.mean()) / law.variance().sqrt()
        })
        .collect();
    close(&z, 0.0, "standardised posterior mean");
    close(
        &z.iter().map(|z| z * z).collect::<Vec<_>>(),
        1.0,
        "its variance",
    );
    let timing = AfterPurchase::with_signals(signals);
    let (wtp, buys, goes_on) = (get("wtp"), get("buys"), get("participates"));
    let signal = get("interim_signal");
    for i in 0..300 {
        let at = situation(&process, &made, i);
        let belief = Belief::new(m[i], v[i]).unwrap();
        let value = Timing::value_at_best_effort(&timing, &at, belief) + at.terms().price
            - at.terms().outside;
        assert!((wtp[i] - value).abs() < 1e-8, "{i}: {} {value}", wtp[i]);
        let posterior = Belief::new(m1[i], v1[i]).unwrap();
        let effort = AfterPurchase::without_signal().best_effort(&at, posterior);
        let expected = buys[i] > 0.5 && timing.continues(&at, posterior, effort);
        assert_eq!(goes_on[i] > 0.5, expected, "{i}");
        assert_eq!(signal[i].is_nan(), buys[i] < 0.5);
        if buys[i] > 0.5 {
            let updated = belief.update(signals, signal[i]);
            assert!((updated.mean() - m1[i]).abs() < 1e-12);
        }
    }
    let before = StaticParticipation {
        interim: signals,
        ..participation(PurchaseTiming::BeforePurchase)
    };
    assert!(
        before
            .simulate()
            .unwrap_err()
            .to_string()
            .contains("interim")
    );
}

#[test]
fn an_encouragement_has_its_late_and_as_treated_comparisons_do_not() {
    let compliance = Compliance {
        always: 0.2,
        never: 0.3,
    };
    let made = participation(PurchaseTiming::AfterPurchase)
        .customers(120_000)
        .encouragement(compliance, 1.5)
        .simulate()
        .unwrap();
    let get = |name: &str| column(&made, name);
    let (offered, taught, y) = (get("education"), get("taught"), get("participates"));
    let strata = made.oracle.individuals.label("stratum").unwrap();
    let stratum: Vec<&str> = (0..y.len()).map(|i| strata.get(i).unwrap()).collect();
    let (y0, y1) = (get("participates_0"), get("participates_1"));
    let mut sums = [0.0; 2];
    for i in 0..y.len() {
        let takes = match stratum[i] {
            "always-taker" => true,
            "never-taker" => false,
            _ => offered[i] > 0.5,
        };
        assert_eq!(taught[i] > 0.5, takes);
        assert_eq!(y[i], if takes { y1[i] } else { y0[i] });
        if stratum[i] == "complier" {
            sums[0] += y1[i] - y0[i];
            sums[1] += 1.0;
        }
    }
    let late = made.oracle.effect("late_participation").unwrap();
    assert!((late - sums[0] / sums[1]).abs() < 1e-12);
    let share = made.oracle.effect("share_compliers").unwrap();
    assert!((share - sums[1] / y.len() as f64).abs() < 1e-12);
    let itt = made.oracle.effect("itt_participation").unwrap();
    assert!((itt - late * share).abs() < 1e-12);
    // The instrument finds it; comparing the taught with the others does not, since the confident stay away.
    let iv = Iv::new("participates ~ 1 | taught ~ education")
        .fit(&made.data)
        .unwrap()
        .coefficient("taught")
        .unwrap();
    assert!(
        (iv.estimate - late).abs() < 4.0 * iv.std_error,
        "{iv} {late}"
    );
    let naive = Ols::new("participates ~ taught")
        .fit(&made.data)
        .unwrap()
        .coefficient("taught")
        .unwrap();
    assert!(
        (naive.estimate - late).abs() > 10.0 * naive.std_error,
        "{naive}"
    );
    // Without selection the shares are those given, and the LATE is near the mean effect.
    let random = participation(PurchaseTiming::AfterPurchase)
        .encouragement(compliance, 0.0)
        .simulate()
        .unwrap();
    let share = random.oracle.effect("share_compliers").unwrap();
    assert!((share - 0.5).abs() < 4.0 * (0.25 / 60_000.0_f64).sqrt());
    let wrong = Compliance {
        always: 0.8,
        never: 0.3,
    };
    let refused = participation(PurchaseTiming::AfterPurchase).encouragement(wrong, 0.0);
    assert!(refused.data().unwrap_err().to_string().contains("takers"));
}

#[test]
fn several_optima_of_effort_are_all_looked_at() {
    use cocreate::decision::{AfterPurchase, Timing};
    let process = StaticParticipation {
        task: Task {
            difficulty: 2.0,
            effort_return: 2.0,
        },
        guarantees: vec![3.0],
        ..participation(PurchaseTiming::AfterPurchase).customers(400)
    };
    let made = process.simulate().unwrap();
    let get = |name: &str| column(&made, name);
    let (m, v) = (get("belief_mean"), get("belief_variance"));
    let (effort, optima) = (get("true_effort"), get("local_optima"));
    for i in 0..400 {
        let at = situation(&process, &made, i);
        let belief = Belief::new(m[i], v[i]).unwrap();
        let value = |e: f64| at.gross(belief, e) - at.anticipated_cost(belief, e);
        let best = (0..1_500)
            .map(|k| value(f64::from(k) * 0.02))
            .fold(f64::MIN, f64::max);
        assert!(value(effort[i]) >= best - 1e-9, "{i}");
        let found = AfterPurchase::without_signal()
            .effort_choice(&at, belief)
            .unwrap();
        assert_eq!(optima[i], found.local_optima.len() as f64, "{i}");
    }
    let share = made.oracle.effect("several_optima").unwrap();
    let counted = optima.iter().filter(|o| **o > 1.0).count();
    assert!(counted > 0 && (share - counted as f64 / 400.0).abs() < 1e-12);
    // At the defaults every problem after purchase has one.
    let fair = participation(PurchaseTiming::AfterPurchase)
        .simulate()
        .unwrap();
    assert!(fair.oracle.effect("several_optima").unwrap() < 1e-3);
}

#[test]
fn the_photo_funnel_has_its_rates_and_the_naive_comparison_fails_as_predicted() {
    let made = PhotoFunnel::new().seed(4).simulate().unwrap();
    let get = |name: &str| column(&made, name);
    let start = get("starts_0");
    close(&start, 0.20, "start");
    let given = |y: &[f64], s: &[f64]| -> Vec<f64> {
        y.iter()
            .zip(s)
            .filter(|(_, s)| **s > 0.5)
            .map(|(y, _)| *y)
            .collect()
    };
    let (finish, buy) = (get("finishes_0"), get("buys_0"));
    close(&given(&finish, &start), 0.35, "finish given start");
    close(&given(&buy, &finish), 0.25, "buy given finish");
    for (stage, key) in [("starts", "start"), ("finishes", "finish"), ("buys", "buy")] {
        for (k, arm) in [(1, "peers"), (2, "experts")] {
            let effect: Vec<f64> = (get(&format!("{stage}_{k}")).iter())
                .zip(&get(&format!("{stage}_0")))
                .map(|(a, b)| a - b)
                .collect();
            let expected = made
                .oracle
                .effect(&format!("expected_itt_{key}_{arm}"))
                .unwrap();
            close(&effect, expected, &format!("{key} {arm}"));
        }
    }
    // Always-starters by their potential outcomes have the effect that quadrature says.
    let both: Vec<f64> = start
        .iter()
        .zip(&get("starts_2"))
        .map(|(a, b)| a * b)
        .collect();
    let effect: Vec<f64> = get("finishes_2")
        .iter()
        .zip(&finish)
        .map(|(a, b)| a - b)
        .collect();
    let expected = made
        .oracle
        .effect("finish_always_starters_experts")
        .unwrap();
    close(&given(&effect, &both), expected, "effect given start");
    // Observed: the stages of the arm assigned.
    let arm = made.data.label("arm").unwrap();
    let (seen, by_arm) = (
        get("starts"),
        [start.clone(), get("starts_1"), get("starts_2")],
    );
    assert!((0..seen.len()).all(|i| seen[i] == by_arm[arm.codes()[i] as usize][i]));
    // The preset that fails: naive contrast of finishing given start, against its prediction and against the truth.
    let preset = PhotoFunnel::naive_conditional_fails()
        .customers(200_000)
        .seed(5)
        .simulate()
        .unwrap();
    let arm = preset.data.label("arm").unwrap();
    let finishes = column(&preset, "finishes");
    let rate = |k: u32| {
        let of: Vec<f64> = (0..finishes.len())
            .filter(|i| arm.codes()[*i] == k && !finishes[*i].is_nan())
            .map(|i| finishes[i])
            .collect();
        mean(&of)
    };
    let ((y2, se2), (y0, se0)) = (rate(2), rate(0));
    let error = se2.hypot(se0);
    let truth = |name: &str| preset.oracle.effect(name).unwrap();
    assert!((y2 - y0 - truth("naive_finish_experts")).abs() < 4.0 * error);
    let bias = y2 - y0 - truth("finish_always_starters_experts");
    assert!((bias - truth("naive_bias_experts")).abs() < 4.0 * error && bias < -10.0 * error);
    // Without dependence between stages it does not fail.
    let independent = PhotoFunnel::naive_conditional_fails()
        .misspecify(FunnelFlaw::IndependentStages)
        .seed(5)
        .simulate()
        .unwrap();
    assert!(
        independent
            .oracle
            .effect("naive_bias_experts")
            .unwrap()
            .abs()
            < 1e-9
    );
    let not_monotone = PhotoFunnel::new()
        .misspecify(FunnelFlaw::NonMonotone)
        .seed(5)
        .simulate()
        .unwrap();
    let defiers = (column(&not_monotone, "starts_0").iter())
        .zip(&column(&not_monotone, "starts_2"))
        .filter(|(a, b)| a > b)
        .count();
    assert!(defiers > 100);
    same_on_all_threads(|| {
        PhotoFunnel::new()
            .customers(10_000)
            .seed(4)
            .simulate()
            .unwrap()
    });
    assert!(
        PhotoFunnel {
            start: 1.2,
            ..PhotoFunnel::new().seed(1)
        }
        .simulate()
        .is_err()
    );
}

#[test]
fn cloud_onboarding_has_the_published_effects_in_expectation() {
    let big = CloudOnboarding {
        educated: 100_000,
        ..CloudOnboarding::new()
    };
    let made = big.customers(200_000).seed(8).simulate().unwrap();
    let get = |name: &str| column(&made, name);
    let truth = |name: &str| made.oracle.effect(name).unwrap();
    close(
        &get("churned_week1_0"),
        truth("expected_churn_week1_0"),
        "churn without",
    );
    close(
        &get("churned_week1_1"),
        truth("expected_churn_week1_1"),
        "churn with",
    );
    let halved = truth("expected_churn_week1_1") / truth("expected_churn_week1_0");
    assert!((halved - 0.5).abs() < 1e-12);
    for (name, ratio) in [("questions", 0.8045), ("usage", 1.4657)] {
        let gap: Vec<f64> = (get(&format!("{name}_1")).iter())
            .zip(&get(&format!("{name}_0")))
            .map(|(a, b)| a - ratio * b)
            .collect();
        close(&gap, 0.0, name);
    }
    close(&get("days_1"), truth("expected_days_1"), "days");
    // Those still there at the end, compared naively.
    let survivors = |arm: &str| {
        let (days, usage) = (
            get(&format!("days_{arm}")),
            get(&format!("usage_per_day_{arm}")),
        );
        let of: Vec<f64> = (0..days.len())
            .filter(|i| days[*i] > 242.5)
            .map(|i| usage[i])
            .collect();
        mean(&of)
    };
    let ((u1, se1), (u0, se0)) = (survivors("1"), survivors("0"));
    let ratio = u1 / u0;
    let error = ratio * (se1 / u1).hypot(se0 / u0);
    assert!((ratio - truth("naive_survivors")).abs() < 4.0 * error);
    let educated = made
        .data
        .flag("educated")
        .unwrap()
        .iter()
        .filter(|e| **e)
        .count();
    assert_eq!(educated, 100_000);
    let chosen = CloudOnboarding::new()
        .misspecify(OnboardingFlaw::SelfSelection)
        .customers(50_000)
        .seed(1)
        .simulate()
        .unwrap();
    assert!(correlation(&column(&chosen, "educated"), &column(&chosen, "ability")) > 0.05);
    let lasting = CloudOnboarding::new()
        .misspecify(OnboardingFlaw::LastingEffect)
        .seed(1)
        .simulate()
        .unwrap();
    let usual = CloudOnboarding::new().seed(1).simulate().unwrap();
    let days = |made: &Simulated| made.oracle.effect("expected_days_1").unwrap();
    assert!(days(&lasting) > days(&usual) + 10.0);
    same_on_all_threads(|| CloudOnboarding::new().seed(3).simulate().unwrap());
    assert!(
        CloudOnboarding {
            educated: 0,
            ..CloudOnboarding::new().seed(1)
        }
        .simulate()
        .is_err()
    );
}

#[test]
fn item_answers_have_their_probabilities() {
    let items = vec![
        ItemParameters::rasch(-0.5),
        ItemParameters::two_parameter(2.0, 0.3),
        ItemParameters::three_parameter(1.5, 1.0, 0.2),
        ItemParameters::graded(1.2, [-1.0, 0.0, 1.5]),
    ];
    let process = ItemResponses {
        regression: 0.5,
        group_shift: 0.4,
        ..ItemResponses::new(items.clone())
    };
    let made = process.clone().people(40_000).seed(2).simulate().unwrap();
    let ability = column(&made, "ability");
    close(&ability, 0.2, "ability");
    for (k, item) in items.iter().enumerate() {
        let answers = column(&made, &format!("item_{}", k + 1));
        for level in 0..=item.difficulties.len() {
            let gap: Vec<f64> = (answers.iter().zip(&ability))
                .map(|(y, a)| {
                    f64::from(u8::from(*y == level as f64)) - item.probabilities(*a)[level]
                })
                .collect();
            close(&gap, 0.0, "answer less its probability");
        }
    }
    let missing = ItemResponses {
        missing: 0.25,
        ..process.clone()
    }
    .people(20_000)
    .seed(2)
    .simulate()
    .unwrap();
    let gone: Vec<f64> = column(&missing, "item_1")
        .iter()
        .map(|y| f64::from(u8::from(y.is_nan())))
        .collect();
    close(&gone, 0.25, "missing");
    let dif = process
        .clone()
        .misspecify(ItemFlaw::DifferentialFunctioning)
        .people(40_000)
        .seed(2)
        .simulate()
        .unwrap();
    let (group, a) = (column(&dif, "group"), column(&dif, "ability"));
    let gap: Vec<f64> = column(&dif, "item_1")
        .iter()
        .enumerate()
        .map(|(i, y)| y - items[0].probabilities(a[i] - group[i])[1])
        .collect();
    close(&gap, 0.0, "item that is harder for the group");
    let skewed = process
        .clone()
        .misspecify(ItemFlaw::SkewedAbility)
        .people(40_000)
        .seed(2)
        .simulate()
        .unwrap();
    let (x, group) = (column(&skewed, "x"), column(&skewed, "group"));
    let cubes: Vec<f64> = column(&skewed, "ability")
        .iter()
        .enumerate()
        .map(|(i, a)| (a - 0.5 * x[i] - 0.4 * group[i]).powi(3))
        .collect();
    close(&cubes, 2.0, "skewness of the exponential");
    assert!(
        ItemResponses::new([ItemParameters::graded(1.0, [0.0, 0.0])])
            .seed(1)
            .simulate()
            .is_err()
    );
    assert!(
        ItemResponses::new([ItemParameters::three_parameter(1.0, 0.0, 1.0)])
            .seed(1)
            .simulate()
            .is_err()
    );
    same_on_all_threads(|| process.clone().people(9_000).seed(2).simulate().unwrap());
}

#[test]
fn self_design_doubles_willingness_to_pay() {
    let made = MassCustomization::new()
        .customers(100_000)
        .seed(6)
        .simulate()
        .unwrap();
    let (w0, w1, w2) = (
        column(&made, "wtp_0"),
        column(&made, "wtp_1"),
        column(&made, "wtp_2"),
    );
    close(&w0, made.oracle.effect("expected_wtp").unwrap(), "standard");
    let gap: Vec<f64> = w2.iter().zip(&w0).map(|(a, b)| a - 2.0 * b).collect();
    close(&gap, 0.0, "twice the standard");
    assert!(w1.iter().zip(&w0).all(|(a, b)| (a - 1.6 * b).abs() < 1e-9));
    let success: Vec<f64> = column(&made, "success")
        .into_iter()
        .filter(|s| !s.is_nan())
        .collect();
    close(&success, 0.7, "success");
    let over = MassCustomization::new()
        .misspecify(ElicitationFlaw::Overbidding)
        .seed(6)
        .simulate()
        .unwrap();
    let arm = over.data.label("arm").unwrap().codes().to_vec();
    let wtp = [0, 1, 2].map(|k| column(&over, &format!("wtp_{k}")));
    let bids = column(&over, "bid");
    assert!((0..arm.len()).all(|i| (bids[i] / wtp[arm[i] as usize][i] - 1.2).abs() < 1e-9));
}

#[test]
fn messages_moderate_and_chosen_intensity_biases_as_predicted() {
    let base = CoProduction::new().customers(60_000).seed(2);
    for process in [
        base.clone(),
        base.misspecify(CoProductionFlaw::ChosenIntensity),
    ] {
        let made = process.simulate().unwrap();
        let fit = Ols::new("satisfaction ~ intensity * C(message)")
            .fit(&made.data)
            .unwrap();
        let slope = fit.coefficient("intensity").unwrap();
        let truth = |name: &str| made.oracle.effect(name).unwrap();
        // Levels are sorted: the first is none.
        let base_level = truth("slope_none") + truth("chosen_bias");
        assert!(
            (slope.estimate - base_level).abs() < 4.0 * slope.std_error,
            "{slope}"
        );
    }
}

#[test]
fn gifts_have_their_odds_ratio_and_homophily_biases() {
    let process = NetworkGifting {
        taste: 0.0,
        decline: 0.0,
        ..NetworkGifting::new().seeds(20_000).seed(9)
    };
    let made = process.simulate().unwrap();
    let fit = Logit::new("adopts ~ given")
        .covariance(Covariance::cluster("seed"))
        .fit(&made.data)
        .unwrap();
    let given = fit.coefficient("given").unwrap();
    assert!(
        (given.estimate - 1.6_f64.ln()).abs() < 4.0 * given.std_error,
        "{given}"
    );
    let naive = |made: &Simulated| {
        Ols::new("adopts ~ given")
            .fit(&made.data)
            .unwrap()
            .coefficient("given")
            .unwrap()
            .estimate
    };
    let flawed = NetworkGifting::new()
        .seeds(20_000)
        .seed(9)
        .misspecify(GiftingFlaw::Homophily)
        .simulate()
        .unwrap();
    assert!(naive(&flawed) > 1.5 * flawed.oracle.effect("ate").unwrap());
    same_on_all_threads(|| NetworkGifting::new().seed(1).simulate().unwrap());
}

#[test]
fn the_median_surplus_of_auctions_is_four() {
    let made = Auctions::new().auctions(40_000).seed(1).simulate().unwrap();
    let above: Vec<f64> = column(&made, "surplus")
        .iter()
        .map(|s| f64::from(u8::from(*s > 4.0)))
        .collect();
    close(&above, 0.5, "share of surpluses above four");
    let (price, third) = (column(&made, "price"), column(&made, "third"));
    assert!(price.iter().zip(&third).all(|(p, t)| t.is_nan() || p >= t));
    close(&column(&made, "bidders"), 5.0, "bidders");
}

#[test]
fn two_way_fixed_effects_estimate_their_weighted_sum_and_flip_the_sign() {
    for (process, negative) in [
        (StaggeredRollout::new(), false),
        (StaggeredRollout::sign_flip(), true),
    ] {
        let made = process.units(2_000).seed(3).simulate().unwrap();
        let fit = Ols::new("y ~ treated | unit + period")
            .covariance(Covariance::cluster("unit"))
            .fit(&made.data)
            .unwrap();
        let treated = fit.coefficient("treated").unwrap();
        let truth = |name: &str| made.oracle.effect(name).unwrap();
        assert!(
            (treated.estimate - truth("twfe")).abs() < 4.0 * treated.std_error,
            "{treated}"
        );
        assert!(truth("att") > 0.0);
        assert_eq!(truth("twfe") < 0.0, negative);
        assert_eq!(
            truth("negative_weight") < 0.0,
            negative || truth("negative_weight") < 0.0
        );
        let (y, y0, effect, d) = (
            column(&made, "y"),
            column(&made, "y_0"),
            column(&made, "effect"),
            column(&made, "treated"),
        );
        assert!((0..y.len()).all(|i| (y[i] - y0[i] - d[i] * effect[i]).abs() < 1e-12));
    }
    let shifted = StaggeredRollout::new()
        .misspecify(0.2)
        .seed(3)
        .simulate()
        .unwrap();
    let fit = Ols::new("y ~ treated | unit + period")
        .covariance(Covariance::cluster("unit"))
        .fit(&shifted.data)
        .unwrap();
    let treated = fit.coefficient("treated").unwrap();
    assert!(
        (treated.estimate - shifted.oracle.effect("twfe").unwrap()).abs() < 4.0 * treated.std_error
    );
    let together = StaggeredRollout {
        cohorts: vec![Cohort {
            start: 12,
            effect: 1.0,
            growth: 0.0,
        }],
        ..StaggeredRollout::new().seed(1)
    };
    assert!(matches!(
        together.simulate(),
        Err(Error::Unidentified { .. })
    ));
}

#[test]
fn learners_come_to_know_themselves() {
    let made = LearningPanel::new()
        .customers(4_000)
        .seed(5)
        .simulate()
        .unwrap();
    let (m, v, a) = (
        column(&made, "belief_mean"),
        column(&made, "belief_variance"),
        column(&made, "ability"),
    );
    // Calibrated at every period: (a − m)² has mean v.
    let gap: Vec<f64> = (0..m.len())
        .filter(|i| i % 12 == 11)
        .map(|i| (a[i] - m[i]).powi(2) - v[i])
        .collect();
    close(&gap, 0.0, "squared error less the belief's variance");
    let truth = |name: &str| made.oracle.effect(name).unwrap();
    assert!((truth("belief_error_first") - 1.0).abs() < 0.1);
    assert!(truth("belief_error_last") < 0.7 * truth("belief_error_first"));
    let slow = LearningPanel::new()
        .customers(4_000)
        .misspecify(LearningFlaw::Underreaction)
        .seed(5)
        .simulate()
        .unwrap();
    assert!(slow.oracle.effect("belief_error_last").unwrap() > truth("belief_error_last"));
    let doing = LearningPanel::new()
        .customers(500)
        .misspecify(LearningFlaw::LearningByDoing)
        .seed(5)
        .simulate()
        .unwrap();
    let a = column(&doing, "ability");
    let p = column(&doing, "participates");
    assert!((0..500).all(|i| (a[12 * i + 1] - a[12 * i] - 0.1 * p[12 * i]).abs() < 1e-12));
    same_on_all_threads(|| LearningPanel::new().seed(5).simulate().unwrap());
}

#[test]
fn incentives_have_symmetric_cross_effects_and_bargaining_divides() {
    // Interior for everybody: privacy matters little and alike.
    let process = DataExchange {
        privacy: LogNormal::new(0.5, 0.1),
        incentive: 0.1,
        ..DataExchange::new()
    };
    let made = process.customers(4_000).seed(7).simulate().unwrap();
    assert_eq!(made.oracle.effect("share_interior").unwrap(), 1.0);
    let effect = |y: &str, x: &str| {
        let formula = format!("{y} ~ incentive_e + incentive_z");
        Ols::new(formula)
            .fit(&made.data)
            .unwrap()
            .coefficient(x)
            .unwrap()
    };
    let (a, b) = (effect("e", "incentive_z"), effect("z", "incentive_e"));
    assert!(a.estimate > 0.01);
    assert!(
        (a.estimate - b.estimate).abs() < 4.0 * a.std_error.hypot(b.std_error),
        "{a} {b}"
    );
    let (joint, mine) = (
        column(&made, "joint_surplus"),
        column(&made, "customer_surplus"),
    );
    assert!(
        joint
            .iter()
            .zip(&mine)
            .all(|(j, c)| (c - 0.5 * j).abs() < 1e-12)
    );
    let targeted = DataExchange::new()
        .misspecify(ExchangeFlaw::TargetedIncentives)
        .seed(7)
        .simulate()
        .unwrap();
    assert!(
        correlation(
            &column(&targeted, "lambda"),
            &column(&targeted, "incentive_z")
        ) > 0.2
    );
}

#[test]
fn surveys_are_biased_by_nonresponse_and_labels_attenuate_as_predicted() {
    let made = CustomerSurvey::new()
        .customers(200_000)
        .seed(3)
        .simulate()
        .unwrap();
    let get = |name: &str| column(&made, name);
    let truth = |name: &str| made.oracle.effect(name).unwrap();
    let responds = get("responds");
    close(&responds, 0.3, "response rate");
    let of = |x: &[f64]| -> Vec<f64> {
        x.iter()
            .zip(&responds)
            .filter(|(_, r)| **r > 0.5)
            .map(|(x, _)| *x)
            .collect()
    };
    close(
        &of(&get("satisfaction")),
        truth("nonresponse_bias"),
        "satisfaction of respondents",
    );
    close(&of(&get("label")), truth("label_share"), "labels");
    close(
        &of(&get("complaint")),
        truth("complaints_of_respondents"),
        "complaints",
    );
    let slope = |made: &Simulated| {
        Ols::new("spend ~ label")
            .fit(&made.data)
            .unwrap()
            .coefficient("label")
            .unwrap()
    };
    let naive = slope(&made);
    assert!(
        (naive.estimate - truth("naive_label_effect")).abs() < 4.0 * naive.std_error,
        "{naive}"
    );
    // The preset fails: the estimate is many errors away from the effect.
    assert!((naive.estimate - truth("effect")) > 8.0 * naive.std_error);
    let flawed = CustomerSurvey::new()
        .customers(200_000)
        .misspecify(SurveyFlaw::DifferentialError)
        .seed(3)
        .simulate()
        .unwrap();
    let labels = |made: &Simulated| {
        let l: Vec<f64> = column(made, "label")
            .into_iter()
            .filter(|l| !l.is_nan())
            .collect();
        mean(&l).0
    };
    assert!(labels(&flawed) < labels(&made) - 0.01);
}

#[test]
fn the_log_sum_credits_false_confidence() {
    let made = ConfidentChoice::new()
        .customers(50_000)
        .seed(3)
        .simulate()
        .unwrap();
    let truth = |name: &str| made.oracle.effect(name).unwrap();
    let p = column(&made, "p_co_create");
    assert!((truth("log_sum_bias") - 0.8 * mean(&p).0).abs() < 1e-12);
    let chosen: Vec<f64> = (0..p.len())
        .map(|i| {
            f64::from(u8::from(
                made.data.label("choice").unwrap().get(i) == Some("co-create"),
            )) - p[i]
        })
        .collect();
    close(&chosen, 0.0, "choices less their probabilities");
}

#[test]
fn portfolios_have_a_winners_curse_and_peeking_has_its_size() {
    let made = TestPortfolio::new()
        .tests(200_000)
        .seed(4)
        .simulate()
        .unwrap();
    let truth = |name: &str| made.oracle.effect(name).unwrap();
    let squares: Vec<f64> = column(&made, "effect").iter().map(|e| e * e).collect();
    close(&squares, truth("effect_variance"), "variance of effects");
    let significant: Vec<f64> = column(&made, "z_1")
        .iter()
        .map(|z| f64::from(u8::from(z.abs() > 1.959963984540054)))
        .collect();
    close(&significant, truth("significant"), "significant share");
    assert!(truth("winners_estimate") > 1.1 * truth("winners_effect"));
    // .14169 is Armitage, McPherson & Rowe's (1969) probability for five looks at 5 %.
    let peeked = TestPortfolio::peeking_fails()
        .tests(100_000)
        .seed(4)
        .simulate()
        .unwrap();
    let size = peeked.oracle.effect("peeking_size").unwrap();
    assert!((size - 0.142).abs() < 5e-4, "{size}");
    let any = peeked.oracle.effect("any_look").unwrap();
    assert!((any - size).abs() < 4.0 * (size * (1.0 - size) / 100_000.0).sqrt());
    let once = TestPortfolio::new().seed(4).simulate().unwrap();
    assert!((once.oracle.effect("peeking_size").unwrap() - 0.05).abs() < 1e-5);
}

#[test]
fn the_customer_base_buys_as_bg_nbd_says() {
    let base = CustomerBase {
        weeks: [39.0, 39.0],
        ..CustomerBase::new()
    };
    let made = base.customers(200_000).seed(4).simulate().unwrap();
    let x = column(&made, "frequency");
    let none: Vec<f64> = x.iter().map(|x| f64::from(u8::from(*x == 0.0))).collect();
    close(
        &none,
        made.oracle.effect("expected_none").unwrap(),
        "no repeat purchase",
    );
    // E X(t) of Fader, Hardie & Lee (2005, eq. 9), the hypergeometric function by its series.
    let (r, alpha, a, b, t) = (0.243_f64, 4.414, 0.793, 2.426, 39.0);
    let z = t / (alpha + t);
    let (mut term, mut series) = (1.0, 1.0);
    for k in 0..2_000 {
        let k = f64::from(k);
        term *= (r + k) * (b + k) / ((a + b - 1.0 + k) * (k + 1.0)) * z;
        series += term;
    }
    let expected = (a + b - 1.0) / (a - 1.0) * (1.0 - (alpha / (alpha + t)).powf(r) * series);
    close(&x, expected, "repeat purchases");
    let (recency, alive) = (column(&made, "recency"), column(&made, "alive"));
    assert!(
        (0..x.len())
            .all(|i| (x[i] == 0.0) == (recency[i] == 0.0) && (x[i] > 0.0 || alive[i] > 0.5))
    );
}

#[test]
fn assignments_are_what_they_say() {
    let frame = Frame::new()
        .with(
            "block",
            (0..1_000).map(|i| f64::from(i % 7)).collect::<Vec<f64>>(),
        )
        .unwrap()
        .with(
            "cluster",
            (0..1_000).map(|i| f64::from(i / 10)).collect::<Vec<f64>>(),
        )
        .unwrap()
        .with(
            "x",
            (0..1_000)
                .map(|i| f64::from(i) / 500.0 - 1.0)
                .collect::<Vec<f64>>(),
        )
        .unwrap();
    let count = |t: &[bool]| t.iter().filter(|t| **t).count();
    let draw = |a: Allocation, seed: u64| a.draw(&frame, seed).unwrap();
    assert_eq!(count(&draw(Allocation::Complete { share: 0.3 }, 1)), 300);
    let coins = count(&draw(Allocation::Bernoulli { share: 0.3 }, 1)) as f64;
    assert!((coins - 300.0).abs() < 4.0 * 210.0_f64.sqrt());
    let blocked = draw(
        Allocation::Blocked {
            column: "block".into(),
            share: 0.3,
        },
        1,
    );
    for b in 0..7 {
        let size = (0..1_000).filter(|i| i % 7 == b).count() as f64;
        let treated = (0..1_000).filter(|i| i % 7 == b && blocked[*i]).count() as f64;
        assert!((treated - 0.3 * size).abs() < 1.0);
    }
    let clustered = draw(
        Allocation::Clustered {
            column: "cluster".into(),
            share: 0.5,
        },
        1,
    );
    assert_eq!(count(&clustered), 500);
    assert!((0..1_000).all(|i| clustered[i] == clustered[i - i % 10]));
    let chosen = draw(
        Allocation::SelfSelected {
            column: "x".into(),
            constant: 0.0,
            slope: 2.0,
        },
        1,
    );
    assert!(count(&chosen[500..]) > count(&chosen[..500]) + 100);
    let factors = factorial(1_001, &[2, 2, 3], 5).unwrap();
    for cell in 0..12 {
        let levels = [cell % 2, cell / 2 % 2, cell / 4];
        let size = (0..1_001)
            .filter(|i| (0..3).all(|f| factors[f][*i] == levels[f]))
            .count();
        assert!(size == 83 || size == 84, "{size}");
    }
    let strata = Compliance {
        always: 0.1,
        never: 0.2,
    }
    .draw(100_000, 3)
    .unwrap();
    let takes = |assigned: bool| -> Vec<f64> {
        strata
            .iter()
            .map(|s| f64::from(u8::from(s.takes(assigned))))
            .collect()
    };
    close(&takes(true), 0.8, "takes when assigned");
    close(&takes(false), 0.1, "takes when not");
    let stays = attrition(&vec![1.0; 50_000], 0.0, 1.0, 3);
    let stays: Vec<f64> = stays.iter().map(|s| f64::from(u8::from(*s))).collect();
    close(&stays, 1.0 / (1.0 + (-1.0_f64).exp()), "stays");
    let ring = Network::ring(10, 2).unwrap();
    let mut treated = vec![false; 10];
    treated[0] = true;
    let exposure = ring.exposure(&treated).unwrap();
    assert_eq!(exposure[1..4], [0.25, 0.25, 0.0]);
    assert_eq!(exposure[0], 0.0);
    let random = Network::random(2_000, 6.0, 1).unwrap();
    let degrees: Vec<f64> = random.neighbours().iter().map(|n| n.len() as f64).collect();
    assert!((mean(&degrees).0 - 6.0).abs() < 0.05);
    assert!((0..2_000).all(|i| {
        random.neighbours()[i]
            .iter()
            .all(|j| random.neighbours()[*j as usize].contains(&(i as u32)))
    }));
    assert!(Allocation::Complete { share: 1.5 }.draw(&frame, 1).is_err());
    assert!(
        Compliance {
            always: 0.8,
            never: 0.5
        }
        .draw(10, 1)
        .is_err()
    );
    assert!(Network::ring(4, 2).is_err() && Network::random(1, 0.0, 1).is_err());
    assert!(factorial(10, &[2, 0], 1).is_err());
}

/// The shards in `tests/simulate`, written by `stored::study().shard(i, 2).run(stored::replicate)` of version 0.1.0 (22 November 2026).
const SHARDS: [&str; stored::SHARDS] = [
    include_str!("simulate/education_study_0.json"),
    include_str!("simulate/education_study_1.json"),
];

#[test]
fn a_stored_study_has_its_coverage_and_a_few_replications_have_its_bits() {
    let fit =
        MonteCarloFit::merge(SHARDS.map(|json| MonteCarloFit::from_json(json).unwrap())).unwrap();
    assert_eq!(fit.replications(), stored::REPLICATIONS);
    assert!(fit.failures().is_empty());
    for p in fit.performances() {
        assert!(p.bias.abs() < 3.0 * p.bias_error, "{p:?}");
        // Neyman's interval is conservative for the effect in the sample.
        assert!(p.coverage > 0.95 - 3.0 * p.coverage_error, "{p:?}");
    }
    let few = [0, 1, 2, 333, 500, 998, 999];
    assert!(
        stored::study()
            .verify(&fit, &few, stored::replicate)
            .unwrap()
            .is_empty()
    );
}

#[test]
fn draws_are_pinned() {
    let pins = [
        ("after, buys", 1673.0),
        ("after, participates", 1058.0),
        ("after, success", 899.0),
        ("before, buys", 1595.0),
        ("before, participates", 3003.0),
        ("photo, starts", 13373.0),
        ("photo, buys", 1106.0),
        ("cloud, days", 414945.0),
        ("cloud, questions", 3719.0),
        ("items, first", 846.0),
        ("items, last", 156.0),
        ("gifts, adopts", 821.0),
        ("panel, participates", 1697.0),
        ("survey, responds", 3028.0),
        ("survey, label", 713.0),
        ("base, frequency", 2765.0),
        ("base, future", 1602.0),
        ("auctions, bidders", 25229.0),
        ("self-design, success", 696.0),
        ("self-design, buys", 833.0),
        ("invitations, begins", 2103.0),
        ("invitations, finishes", 1293.0),
        ("instrument, takes", 662.0),
        ("unbalanced, treated", 216.0),
        ("selected, treated", 404.0),
        ("semi-synthetic, treated", 232.0),
    ];
    assert_eq!(stored::pinned().unwrap(), pins);
}
