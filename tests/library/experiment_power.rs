//! Power of tests against statsmodels, R, exact enumeration and simulation.

use crate::support::fixture;
use cocreate::numeric::permutation::open_unit;
use cocreate::numeric::special::{normal, student_t};
use cocreate::numeric::{Seed, blocks};
use cocreate::prelude::*;
use cocreate::simulate::Network;
use rand::Rng as _;
use serde_json::Value;

fn close(what: &str, ours: f64, theirs: f64, tolerance: f64) {
    let gap = (ours - theirs).abs() / theirs.abs();
    assert!(gap < tolerance, "{what}: {ours} {theirs} ({gap:.1e})");
}

fn number(case: &Value, name: &str) -> f64 {
    case[name]
        .as_f64()
        .unwrap_or_else(|| panic!("no number {name}"))
}

fn side(case: &Value) -> Alternative {
    match case["side"].as_str().unwrap() {
        "Greater" => Alternative::Greater,
        "Less" => Alternative::Less,
        _ => Alternative::TwoSided,
    }
}

fn cases<'a>(values: &'a Value, name: &str) -> &'a Vec<Value> {
    values[name].as_array().unwrap()
}

#[test]
fn means_agree_with_statsmodels_and_formulas() {
    let fixture = fixture("experiment_power");
    let values = &fixture["values"];
    for case in cases(values, "two_means") {
        let planner = MeanPower::new(1.0)
            .effect(number(case, "effect"))
            .ratio(number(case, "ratio"))
            .alternative(side(case))
            .alpha(number(case, "alpha"));
        let n = number(case, "n");
        let t = planner.power(n).unwrap().power;
        close("t", t, number(case, "t"), 1e-9);
        let z = planner.test(MeanTest::Normal).power(n).unwrap().power;
        close("z", z, number(case, "z"), 1e-10);
    }
    for case in cases(values, "one_mean") {
        let planner = PairedPower::of_differences(1.0).effect(number(case, "effect"));
        let power = planner.power(number(case, "n")).unwrap().power;
        close("one mean", power, number(case, "power"), 1e-9);
    }
    for case in cases(values, "anova") {
        let planner = AnovaPower::new(number(case, "k") as usize)
            .effect(number(case, "effect"))
            .alpha(number(case, "alpha"));
        let power = planner.power(number(case, "n")).unwrap().power;
        close("F", power, number(case, "power"), 1e-9);
    }
    for case in cases(values, "welch") {
        let sds = &case["sds"];
        let planner = MeanPower::new(1.0)
            .sds(sds[0].as_f64().unwrap(), sds[1].as_f64().unwrap())
            .ratio(number(case, "ratio"))
            .effect(number(case, "effect"));
        let power = planner.power(number(case, "n")).unwrap().power;
        close("Welch", power, number(case, "power"), 1e-9);
    }
    for case in cases(values, "tost") {
        let planner = MeanPower::new(number(case, "sd"))
            .equivalence(number(case, "lower"), number(case, "upper"))
            .effect(number(case, "effect"));
        let power = planner.power(number(case, "n")).unwrap().power;
        close("TOST", power, number(case, "power"), 1e-9);
    }
    for case in cases(values, "cluster") {
        let planner = ClusterPower::new(number(case, "sd"), number(case, "icc"), number(case, "m"))
            .cv(number(case, "cv"))
            .ratio(number(case, "ratio"))
            .effect(number(case, "effect"));
        let power = planner.power(number(case, "n")).unwrap().power;
        close("cluster", power, number(case, "power"), 1e-9);
    }
    for case in cases(values, "schoenfeld") {
        let planner = SurvivalPower::new()
            .hazard_ratio(number(case, "hazard_ratio"))
            .ratio(number(case, "ratio"));
        // The formula counts one tail only.
        let one = if number(case, "hazard_ratio") < 1.0 {
            Alternative::Less
        } else {
            Alternative::Greater
        };
        let planner = planner.alternative(one).alpha(0.025);
        let events = planner.sample_size(0.8).unwrap().size;
        close("events", events, number(case, "events"), 1e-10);
        let units = planner.event_share(number(case, "event_share"));
        let units = units.sample_size(0.8).unwrap().size;
        close("units", units, number(case, "units"), 1e-10);
    }
    let r = &values["r"];
    let two = MeanPower::new(1.1).effect(0.6);
    let power = |plan: Result<PowerPlan>| plan.unwrap().power;
    close(
        "R t",
        power(two.power(74.0)),
        number(r, "t_two_sample"),
        1e-9,
    );
    let one = two.alternative(Alternative::Greater).alpha(0.01);
    close(
        "R one-sided",
        power(one.power(74.0)),
        number(r, "t_one_sided"),
        1e-9,
    );
    let paired = PairedPower::of_differences(1.1).effect(0.6);
    close(
        "R paired",
        power(paired.power(25.0)),
        number(r, "t_paired"),
        1e-9,
    );
    // R's variances have n − 1 groups below: f² = between · (k − 1)/k / within.
    let f = (1.2 * 3.0 / 4.0 / 3.5_f64).sqrt();
    let anova = AnovaPower::new(4).effect(f);
    close(
        "R anova",
        power(anova.power(48.0)),
        number(r, "anova"),
        1e-9,
    );
}

#[test]
fn proportions_and_counts_agree_with_statsmodels_and_enumeration() {
    let fixture = fixture("experiment_power");
    let values = &fixture["values"];
    let planner = |case: &Value| {
        ProportionPower::new(number(case, "baseline"))
            .effect(number(case, "effect"))
            .ratio(number(case, "ratio"))
    };
    for case in cases(values, "proportions") {
        for (name, test) in [
            ("pooled", ProportionPowerTest::Pooled),
            ("unpooled", ProportionPowerTest::Unpooled),
            ("arcsine", ProportionPowerTest::Arcsine),
        ] {
            let plan = planner(case).alternative(side(case)).test(test);
            let power = plan.power(number(case, "n")).unwrap().power;
            close(name, power, number(case, name), 1e-9);
        }
    }
    for case in cases(values, "fisher") {
        let exact = planner(case).test(ProportionPowerTest::Fisher);
        for (name, side) in [
            ("TwoSided", Alternative::TwoSided),
            ("Greater", Alternative::Greater),
            ("Less", Alternative::Less),
        ] {
            let plan = exact.clone().alternative(side);
            let power = plan.power(number(case, "n")).unwrap().power;
            close(name, power, number(case, name), 1e-9);
        }
        let pooled = planner(case).test(ProportionPowerTest::PooledEnumerated);
        let power = pooled.power(number(case, "n")).unwrap().power;
        close("pooled", power, number(case, "pooled"), 1e-9);
    }
    for case in cases(values, "counts") {
        let planner = CountPower::new(number(case, "rate"))
            .effect(number(case, "effect"))
            .exposure(number(case, "exposure"))
            .ratio(number(case, "ratio"));
        let n = number(case, "n");
        close(
            "Poisson",
            planner.power(n).unwrap().power,
            number(case, "poisson"),
            1e-9,
        );
        let negative = planner.dispersion(number(case, "dispersion"));
        let power = negative.power(n).unwrap().power;
        close(
            "negative binomial",
            power,
            number(case, "negative_binomial"),
            1e-9,
        );
    }
    let r = &values["r"];
    let prop = ProportionPower::new(0.2).effect(0.07);
    let two = prop.power(800.0).unwrap().power;
    close("R two-sided", two, number(r, "prop_two_sided"), 1e-9);
    let one = prop
        .alternative(Alternative::Greater)
        .power(800.0)
        .unwrap()
        .power;
    close("R one-sided", one, number(r, "prop_one_sided"), 1e-9);
}

/// Sizes that statsmodels 0.15.0 finds by root search (its tolerance shows in the last digits).
#[test]
fn sizes_agree_with_published_searches() {
    const SEARCH: f64 = 1e-6;
    for (d, at_80, at_90) in [
        (0.01, 156_978.170_555_703_84, 210_149.348_562_187_05),
        (0.02, 39_245.262_934_409_09, 52_538.057_431_720_64),
        (0.05, 6_280.048_916_291_407, 8_406.896_008_340_045),
        (0.1, 1_570.733_043_052_003_7, 2_102.444_710_082_507_3),
        (0.2, 393.405_693_000_252_6, 526.333_188_576_053_2),
        (0.5, 63.765_610_588_911_69, 85.031_284_115_734_1),
        (0.8, 25.524_571_854_446_116, 33.825_542_344_160_304),
    ] {
        for (power, want) in [(0.8, at_80), (0.9, at_90)] {
            let plan = MeanPower::new(1.0).effect(d).sample_size(power).unwrap();
            close("t", plan.arm("control").unwrap(), want, SEARCH);
            assert!((plan.power - power).abs() < 1e-9);
        }
    }
    let plan = MeanPower::new(1.0)
        .effect(0.1)
        .ratio(4.0)
        .sample_size(0.8)
        .unwrap();
    close(
        "ratio 4",
        plan.arm("control").unwrap(),
        981.491_854_936_096_2,
        SEARCH,
    );
    let plan = ProportionPower::new(0.10)
        .effect(0.01)
        .test(ProportionPowerTest::Arcsine)
        .sample_size(0.8)
        .unwrap();
    close(
        "arcsine",
        plan.arm("treated").unwrap(),
        14_744.104_836_925_611,
        SEARCH,
    );
    let pooled = ProportionPower::new(0.10).effect(0.01);
    let power = pooled.power(30_000.0).unwrap().power;
    close("pooled", power, 0.806_533_654_656_269_2, 1e-12);
    let anova = AnovaPower::new(4).effect(0.1).sample_size(0.8).unwrap();
    close("anova", anova.size, 1_094.171_574_719_760_4, SEARCH);
}

/// The closed form of one tail (statsmodels' `samplesize_proportions_2indep_onetail`) at 0.0125, half of a two-sided 0.025.
#[test]
fn one_tail_of_two_proportions() {
    let plan = ProportionPower::new(0.10)
        .effect(0.01)
        .alternative(Alternative::Greater)
        .alpha(0.0125)
        .sample_size(0.8)
        .unwrap();
    let size = plan.arm("control").unwrap();
    close("one tail", size, 17_863.419_130_644_554, 1e-9);
}

/// The share of simulated experiments that reject, with its error.
fn simulated(draws: usize, reject: impl Fn(&mut dyn FnMut() -> f64) -> bool + Sync) -> (f64, f64) {
    let hits: Vec<bool> = blocks::map(draws, |i| {
        let mut random = Seed::new(11).child("power check").stream(i as u64);
        let mut gauss = move || normal::quantile(open_unit(random.next_u64()));
        reject(&mut gauss)
    });
    let share = hits.iter().filter(|h| **h).count() as f64 / draws as f64;
    (share, (share * (1.0 - share) / draws as f64).sqrt())
}

fn moments(values: &[f64]) -> (f64, f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (n - 1.0);
    (n, mean, variance)
}

#[test]
fn formulas_hold_in_simulated_experiments() {
    // Welch's test with unequal arms and variances.
    let plan = MeanPower::new(1.0).sds(1.0, 3.0).ratio(0.5).effect(1.2);
    let want = plan.power(90.0).unwrap().power;
    let (share, error) = simulated(4000, |gauss| {
        let a: Vec<f64> = (0..60).map(|_| gauss()).collect();
        let b: Vec<f64> = (0..30).map(|_| 1.2 + 3.0 * gauss()).collect();
        let ((n0, m0, v0), (n1, m1, v1)) = (moments(&a), moments(&b));
        let (p, q) = (v0 / n0, v1 / n1);
        let df = (p + q).powi(2) / (p * p / (n0 - 1.0) + q * q / (n1 - 1.0));
        student_t::two_sided((m1 - m0) / (p + q).sqrt(), df) <= 0.05
    });
    assert!((share - want).abs() < 4.0 * error, "Welch {share} {want}");
    // Clusters of 8 with intra-cluster correlation 0.2.
    let want = ClusterPower::new(1.0, 0.2, 8.0)
        .effect(0.5)
        .power(40.0)
        .unwrap()
        .power;
    let (share, error) = simulated(4000, |gauss| {
        let mut arm = |effect: f64| -> Vec<f64> {
            (0..20)
                .map(|_| {
                    let common = 0.2_f64.sqrt() * gauss();
                    let own: f64 = (0..8).map(|_| 0.8_f64.sqrt() * gauss()).sum();
                    effect + common + own / 8.0
                })
                .collect()
        };
        let ((n, m0, v0), (_, m1, v1)) = (moments(&arm(0.0)), moments(&arm(0.5)));
        let se = ((v0 + v1) / n).sqrt();
        student_t::two_sided((m1 - m0) / se, 38.0) <= 0.05
    });
    assert!(
        (share - want).abs() < 4.0 * error,
        "clusters {share} {want}"
    );
    // Dunnett: any of two arms against control.
    let dunnett = DunnettPower::new(2, 1.0).pattern(&[1.0, 0.5]).effect(0.6);
    let any = dunnett
        .clone()
        .success(DunnettSuccess::Any)
        .power(120.0)
        .unwrap()
        .power;
    let all = dunnett
        .clone()
        .success(DunnettSuccess::All)
        .power(120.0)
        .unwrap()
        .power;
    let critical = ManyToOne::new(117.0, &[40.0, 40.0], 40.0)
        .unwrap()
        .critical_value(0.95, Alternative::TwoSided)
        .unwrap();
    for (all_needed, want) in [(false, any), (true, all)] {
        let (share, error) = simulated(4000, |gauss| {
            let arms = [0.0, 0.6, 0.3].map(|m| {
                let values: Vec<f64> = (0..40).map(|_| m + gauss()).collect();
                moments(&values)
            });
            let pooled = arms.iter().map(|a| a.2).sum::<f64>() / 3.0;
            let se = (pooled * 2.0 / 40.0).sqrt();
            let t = [1, 2].map(|i| ((arms[i].1 - arms[0].1) / se).abs() > critical);
            if all_needed {
                t[0] && t[1]
            } else {
                t[0] || t[1]
            }
        });
        assert!((share - want).abs() < 4.0 * error, "Dunnett {share} {want}");
    }
    // A lift of a mean with a noisy control.
    let want = LiftPower::new(10.0, 8.0)
        .effect(0.15)
        .power(600.0)
        .unwrap()
        .power;
    let (share, error) = simulated(4000, |gauss| {
        let a: Vec<f64> = (0..300).map(|_| 10.0 + 8.0 * gauss()).collect();
        let b: Vec<f64> = (0..300).map(|_| 11.5 + 8.0 * gauss()).collect();
        let ((n, m0, v0), (_, m1, v1)) = (moments(&a), moments(&b));
        let lift = m1 / m0 - 1.0;
        let se = ((v1 + (1.0 + lift).powi(2) * v0) / n).sqrt() / m0;
        (lift / se).abs() > 1.959_963_984_540_054
    });
    // The delta method is an approximation: its error is added to the simulation's.
    assert!(
        (share - want).abs() < 4.0 * error + 0.01,
        "lift {share} {want}"
    );
}

#[test]
fn plans_and_curves_print_and_draw() {
    let plan = ClusterPower::new(1.0, 0.05, 30.0)
        .effect(0.25)
        .sample_size(0.8)
        .unwrap();
    let text = plan.to_string();
    assert!(
        text.contains("clusters") && text.contains("Intra-cluster"),
        "{text}"
    );
    let again: PowerPlan = serde_json::from_str(&serde_json::to_string(&plan).unwrap()).unwrap();
    assert_eq!(again, plan);
    let curve = ProportionPower::new(0.1)
        .curve(&[1e3, 1e4, 1e5], &[0.005, 0.01])
        .unwrap();
    assert!(curve.to_string().contains("0.0") && curve.figure().unwrap().to_svg().contains("svg"));
    let simulated = SwitchbackPower::new(1.0, 0.2).replications(50).seed(1);
    let curve = simulated.curve(&[20.0, 40.0], &[0.5]).unwrap();
    assert_eq!(curve.lines[0].monte_carlo_error.len(), 2);
    assert!(curve.figure().is_ok());
}

#[test]
fn designs_agree_with_numerical_integration_and_listed_assignments() {
    let fixture = fixture("experiment_power_designs");
    let values = &fixture["values"];
    let check = |what: &str, planner: &dyn Fn() -> Result<PowerPlan>, case: &Value, name: &str| {
        close(what, planner().unwrap().power, number(case, name), 1e-9);
    };
    for case in cases(values, "rerandomized") {
        let covariates = number(case, "covariates") as usize;
        let planner =
            RerandomizedPower::new(number(case, "sd"), covariates, number(case, "r_squared"))
                .acceptance(number(case, "acceptance"))
                .ratio(number(case, "ratio"))
                .effect(number(case, "effect"));
        let n = number(case, "n");
        check("under the design", &|| planner.power(n), case, "design");
        let usual = planner.clone().ignoring_the_design();
        check("usual test", &|| usual.power(n), case, "usual");
    }
    for case in cases(values, "preference") {
        let planner = PreferencePower::new(number(case, "ties")).effect(number(case, "effect"));
        check(
            "interleaving",
            &|| planner.power(number(case, "n")),
            case,
            "power",
        );
    }
    for case in cases(values, "holdout") {
        let planner = HoldoutPower::new(number(case, "sd"), number(case, "share"))
            .adjusted_for(
                number(case, "covariates") as usize,
                number(case, "r_squared"),
            )
            .effect(number(case, "effect"));
        check(
            "holdout",
            &|| planner.power(number(case, "n")),
            case,
            "power",
        );
    }
    for case in cases(values, "surrogate") {
        let (sd, r_squared) = (number(case, "sd"), number(case, "r_squared"));
        let planner = SurrogatePower::new(sd, r_squared, number(case, "observational"))
            .ratio(number(case, "ratio"))
            .effect(number(case, "effect"));
        check(
            "surrogate index",
            &|| planner.power(number(case, "n")),
            case,
            "power",
        );
    }
    let network = &values["network"];
    let ties: Vec<(u32, u32)> = serde_json::from_value(network["ties"].clone()).unwrap();
    let past: Vec<f64> = serde_json::from_value(network["past"].clone()).unwrap();
    let people = past.len();
    let share = number(network, "treated") / people as f64;
    let design = NetworkExperiment::new("past", "invited", ExposureMapping::AnyNeighbour)
        .allocation(Allocation::Complete { share })
        .contrast("neighbour treated", "not exposed");
    let frame = Frame::new().with("past", past).unwrap();
    let friends = Network::from_ties(people, &ties).unwrap();
    let planner = NetworkPower::new(&design, &frame, &friends).unwrap();
    for case in cases(network, "cases") {
        let planner = planner.clone().effect(number(case, "effect"));
        check(
            "network",
            &|| planner.power(number(case, "n")),
            case,
            "power",
        );
    }
}
