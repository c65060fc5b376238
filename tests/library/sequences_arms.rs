//! Sequences of two arms and of several effects against written-out formulas, other software's numbers, simulation and properties.

use crate::sequences::{close, gaussian, number, share, uniform, values};
use crate::support::numbers;
use cocreate::numeric::special::beta::ln_beta;
use cocreate::prelude::*;
use nalgebra::{DMatrix, DVector};
use proptest::prelude::*;
use rand::Rng;

fn pairs() -> Vec<BlockCounts> {
    (0..10)
        .map(|k| BlockCounts::new([u64::from(k != 8), 1], [u64::from(k == 4), 1]))
        .collect()
}

fn days() -> Vec<BlockCounts> {
    (0..12)
        .map(|k| BlockCounts::new([3 + k % 4, 40 + k], [6 + k % 5, 30 + 2 * k]))
        .collect()
}

fn measured(name: &str) -> TwoProportionSequence {
    match name {
        "difference" => TwoProportionSequence::difference(),
        "ratio" => TwoProportionSequence::ratio(),
        _ => TwoProportionSequence::odds_ratio(),
    }
}

#[test]
fn two_proportions_agree_with_their_formulas_and_safestats() {
    let values = &values()["two_proportions"];
    for case in values["log_e_values"].as_array().unwrap() {
        let blocks = if case["blocks"] == "pairs" {
            pairs()
        } else {
            days()
        };
        let side = match case["side"].as_str().unwrap() {
            "more" => Alternative::Greater,
            "less" => Alternative::Less,
            _ => Alternative::TwoSided,
        };
        let new = || {
            measured(case["measure"].as_str().unwrap())
                .null(number(case, "null"))
                .and_then(|s| s.alternative(side))
                .unwrap()
        };
        let mut sequence = new();
        let look = sequence.observe("all", &blocks).unwrap();
        close(
            &case.to_string(),
            look.log_e_value,
            number(case, "log_e_value"),
            1e-11,
        );
        let p = (-number(case, "largest")).exp().min(1.0);
        close(&case.to_string(), look.p_value, p, 1e-11);
        // One block a look says the same.
        let mut slowly = new();
        for block in &blocks {
            slowly.observe("", &[*block]).unwrap();
        }
        let last = slowly.looks().last().unwrap();
        close("e", last.log_e_value, look.log_e_value, 1e-12);
        close("p", last.p_value, look.p_value, 1e-12);
        close("lower", last.lower, look.lower, 1e-12);
        close("upper", last.upper, look.upper, 1e-12);
    }
    let mut equal = TwoProportionSequence::difference();
    let look = equal.observe("", &pairs()).unwrap();
    let theirs = &values["safestats"];
    close(
        "safestats",
        look.log_e_value.exp(),
        number(theirs, "pairs"),
        1e-11,
    );
    let differences = numbers(&theirs["differences"]);
    for (difference, e_value) in differences.into_iter().zip(numbers(&theirs["e_values"])) {
        let mut at = TwoProportionSequence::difference()
            .null(difference)
            .unwrap();
        let look = at.observe("", &pairs()).unwrap();
        close("safestats", look.log_e_value.exp(), e_value, 1e-9);
        assert!(look.contains(difference));
    }
    let ends = &values["ends"];
    let interval = |sequence: TwoProportionSequence, side| {
        let mut sequence = sequence.alternative(side).unwrap();
        let look = sequence.observe("", &days()).unwrap();
        [look.lower, look.upper]
    };
    for name in ["difference", "ratio"] {
        let [lower, upper] = interval(measured(name), Alternative::TwoSided);
        let theirs = numbers(&ends[name]);
        close(name, lower, theirs[0], 1e-11);
        close(name, upper, theirs[1], 1e-11);
    }
    let [lower, upper] = interval(measured("difference"), Alternative::Greater);
    close("greater", lower, number(ends, "difference_greater"), 1e-11);
    assert_eq!(upper, 1.0);
    for (side, name) in [
        (Alternative::Greater, "odds_ratio_greater"),
        (Alternative::TwoSided, "odds_ratio"),
    ] {
        let [lower, upper] = interval(measured("odds_ratio"), side);
        close(name, lower, number(ends, name), 1e-11);
        assert_eq!(upper, f64::INFINITY);
    }
}

#[test]
fn two_proportions_hold_at_every_look_and_refuse_bad_input() {
    const RUNS: u64 = 400;
    // Pairs whose rates change from one to the next while their divergence stays.
    for (name, seed, truth) in [
        ("difference", 5, 0.1),
        ("ratio", 6, 1.5),
        ("odds_ratio", 7, 2.0),
    ] {
        let (missed, error) = share(RUNS, seed, |s| {
            let blocks: Vec<BlockCounts> = (0..100)
                .map(|k| {
                    let a = 0.1 + 0.3 * f64::from(k % 50) / 50.0;
                    let b = match name {
                        "difference" => a + truth,
                        "ratio" => a * truth,
                        _ => truth * a / (1.0 - a + truth * a),
                    };
                    let mut count = |p: f64, n: u64| {
                        [(0..n).filter(|_| uniform(&mut *s) < p).count() as u64, n]
                    };
                    BlockCounts::new(count(a, 1), count(b, 2))
                })
                .collect();
            let mut sequence = measured(name).null(truth).unwrap();
            sequence.observe("", &blocks).unwrap().p_value <= 0.05
        });
        println!("two proportions, {name}: {missed} ± {error:.4}");
        assert!(missed <= 0.05 + 3.0 * error);
    }
    let text = |e: Error| e.to_string();
    let mut lift = TwoProportionSequence::difference();
    assert!(matches!(lift.observe("", &[]), Err(Error::NoRows { .. })));
    let error = text(
        lift.observe("Monday", &[BlockCounts::new([1, 2], [0, 0])])
            .unwrap_err(),
    );
    assert!(
        error.contains("rows of both arms") && error.contains("Monday"),
        "{error}"
    );
    assert!(
        lift.observe("", &[BlockCounts::new([3, 2], [0, 1])])
            .is_err()
    );
    assert!(lift.looks().is_empty() && lift.clone().prior(0.0).is_err());
    for (name, null) in [("difference", 1.0), ("ratio", 0.0), ("odds_ratio", -1.0)] {
        let mut beyond = measured(name).null(null).unwrap();
        assert!(beyond.observe("", &days()).is_err(), "{name}");
    }
    // No events at all, and nothing but events.
    for name in ["difference", "ratio", "odds_ratio"] {
        for events in [0, 1_000] {
            let mut sequence = measured(name);
            for _ in 0..20 {
                let look = sequence
                    .observe("", &[BlockCounts::new([events, 1_000], [events, 1_000])])
                    .unwrap();
                assert!(
                    look.estimate.is_finite()
                        && look.log_e_value <= 1e-9
                        && look.log_e_value > -0.7
                        && look.contains(look.estimate),
                    "{look:?}"
                );
            }
            let back: TwoProportionSequence =
                serde_json::from_str(&serde_json::to_string(&sequence).unwrap()).unwrap();
            assert_eq!(back, sequence);
        }
    }
    // Rates that turn round.
    let mut turned = TwoProportionSequence::difference();
    for k in 0..40 {
        let more = [if k < 20 { 900 } else { 0 }, 1_000];
        turned
            .observe("", &[BlockCounts::new([450, 1_000], more)])
            .unwrap();
    }
    assert!(
        turned
            .warnings()
            .iter()
            .any(|w| w.to_string().contains("changed over time")),
        "{turned}"
    );
    assert!(turned.prior(1.0).is_err());
}

proptest! {
    #[test]
    fn two_proportions_mirror_and_their_p_values_agree(
        counts in prop::collection::vec((0_u64..20, 1_u64..20, 0_u64..20, 1_u64..20), 1..12),
        null in -0.5_f64..0.5,
        measure in 0_usize..3,
        side in 0_usize..3,
    ) {
        let name = ["difference", "ratio", "odds_ratio"][measure];
        let side = [Alternative::TwoSided, Alternative::Greater, Alternative::Less][side];
        let null = if measure == 0 { null } else { null.exp() };
        let mut sequence = measured(name).null(null).unwrap().alternative(side).unwrap();
        let mut mirrored = measured(name);
        let mut straight = measured(name);
        for (a, m, b, n) in counts {
            let (control, treated) = ([a, a + m], [b, b + n]);
            let look = sequence.observe("", &[BlockCounts::new(control, treated)]).unwrap();
            let gap = look.log_e_value - 20.0_f64.ln();
            prop_assert!(gap.abs() < 1e-9 || (gap >= 0.0) != look.contains(null), "{sequence}");
            // The other arm's control.
            let there = straight.observe("", &[BlockCounts::new(control, treated)]).unwrap();
            let back = mirrored.observe("", &[BlockCounts::new(treated, control)]).unwrap();
            let turned = |x: f64| if measure == 0 { -x } else { x.recip() };
            prop_assert!((there.log_e_value - back.log_e_value).abs() < 1e-9);
            for (x, y) in [(there.lower, turned(back.upper)), (there.upper, turned(back.lower))] {
                prop_assert!(x == y || (x - y).abs() < 1e-8 * x.abs().max(1.0), "{there:?} {back:?}");
            }
        }
    }
}

#[test]
fn several_effects_agree_with_normal_densities() {
    // The e-value is the ratio of the densities of the estimates with and without the prior.
    let v = DMatrix::from_row_slice(3, 3, &[2.0, 0.5, 0.3, 0.5, 1.0, -0.2, 0.3, -0.2, 0.5]) * 0.01;
    let estimates = [0.25, -0.1, 0.2];
    let log_density = |v: &DMatrix<f64>| {
        let x = DVector::from_column_slice(&estimates);
        -0.5 * v.determinant().ln()
            - 0.5 * (x.transpose() * v.clone().try_inverse().unwrap() * &x)[(0, 0)]
    };
    let mut given = JointEffectSequence::prior_variance(["a", "b", "c"], 0.04).unwrap();
    let look = given.observe_estimates("", 500, &estimates, &v).unwrap();
    let with = &v + DMatrix::identity(3, 3) * 0.04;
    close(
        "e",
        look.log_e_value,
        log_density(&with) - log_density(&v),
        1e-12,
    );
    // Each interval is the shadow of the ellipsoid: at its end the best other effects have evidence of exactly 1/α.
    let shadow = |end: f64, at: usize| {
        let evidence = |theta: &DVector<f64>| {
            let gap = DVector::from_column_slice(&estimates) - theta;
            let form = |m: &DMatrix<f64>| gap.dot(&(m.clone().try_inverse().unwrap() * &gap));
            0.5 * (v.determinant() / with.determinant()).ln() + 0.5 * (form(&v) - form(&with))
        };
        // The evidence is a quadratic form with matrix A; its minimum over the others is the square over (A⁻¹)ₐₐ.
        let inner = v.clone().try_inverse().unwrap() - with.clone().try_inverse().unwrap();
        let outer = inner.try_inverse().unwrap();
        let gap = outer.column(at) * ((estimates[at] - end) / outer[(at, at)]);
        evidence(&(DVector::from_column_slice(&estimates) - gap))
    };
    for (at, interval) in look.intervals.iter().enumerate() {
        for end in [interval.lower, interval.upper] {
            close("end", shadow(end, at), 20.0_f64.ln(), 1e-9);
        }
    }
    // One effect is the sequence of one effect, planned or with a prior.
    for planned in [true, false] {
        let (mut one, mut joint) = if planned {
            (
                EffectSequence::planned(900).unwrap(),
                JointEffectSequence::planned(["a"], 900).unwrap(),
            )
        } else {
            (
                EffectSequence::prior_variance(0.04).unwrap(),
                JointEffectSequence::prior_variance(["a"], 0.04).unwrap(),
            )
        };
        let a = one.observe_estimate("", 400, 0.25, 0.1).unwrap();
        let b = joint
            .observe_estimates("", 400, &[0.25], &DMatrix::from_element(1, 1, 0.01))
            .unwrap();
        close("e", b.log_e_value, a.log_e_value, 1e-12);
        close("lower", b.intervals[0].lower, a.lower, 1e-12);
        close("upper", b.intervals[0].upper, a.upper, 1e-12);
        assert_eq!(a.p_value, one.p_value());
    }
    let back: JointEffectSequence =
        serde_json::from_str(&serde_json::to_string(&given).unwrap()).unwrap();
    assert_eq!(back, given);
    assert!(given.to_string().contains("500 rows") && given.figure().is_ok());
    // Refused, or silent before the first rows.
    assert!(given.observe_estimates("", 400, &estimates, &v).is_err());
    assert!(
        given
            .observe_estimates("", 600, &estimates[..2], &v)
            .is_err()
    );
    assert!(
        given
            .observe_estimates("", 600, &[f64::NAN, 0.0, 0.0], &v)
            .is_err()
    );
    let twice = DMatrix::from_element(3, 3, 1.0);
    assert!(matches!(
        given.observe_estimates("", 600, &estimates, &twice),
        Err(Error::Matrix { .. })
    ));
    assert!(given.clone().level(0.9).is_err() && given.clone().first_rows(3).is_err());
    assert!(JointEffectSequence::planned(Vec::<String>::new(), 9).is_err());
    assert!(
        JointEffectSequence::planned(["a"], 0).is_err()
            && JointEffectSequence::prior_variance(["a"], -1.0).is_err()
    );
    let mut early = JointEffectSequence::planned(["a"], 900).unwrap();
    let look = early
        .observe_estimates("", 99, &[3.0], &DMatrix::zeros(1, 1))
        .unwrap();
    assert!(look.p_value == 1.0 && look.intervals[0].upper.is_infinite());
    let back: JointEffectSequence =
        serde_json::from_str(&serde_json::to_string(&early).unwrap()).unwrap();
    assert_eq!(back, early);
}

#[test]
fn several_effects_hold_where_the_classical_test_fails() {
    const RUNS: u64 = 300;
    // Three arms of unequal size, the smallest with the largest variance; no effect; a look every 50 rows up to 1,500.
    let missed = |robust: bool| {
        share(RUNS, 8, |s| {
            let (mut arms, mut y) = (vec![], vec![]);
            let mut asymptotic =
                JointEffectSequence::planned(["C(arm)[1]", "C(arm)[2]"], 1_000).unwrap();
            let mut classical =
                JointRegressionSequence::planned(["C(arm)[1]", "C(arm)[2]"], 1_000).unwrap();
            (0..30).any(|_| {
                for _ in 0..50 {
                    let u = uniform(&mut *s);
                    let (arm, sd) = if u < 0.1 {
                        (2.0, 3.0)
                    } else if u < 0.4 {
                        (1.0, 1.0)
                    } else {
                        (0.0, 0.7)
                    };
                    arms.push(arm);
                    y.push(sd * gaussian(&mut *s));
                }
                if arms.len() < 100 {
                    return false;
                }
                let frame = Frame::new()
                    .with("arm", arms.clone())
                    .unwrap()
                    .with("y", y.clone())
                    .unwrap();
                let fit = |covariance| {
                    Ols::new("y ~ C(arm)")
                        .covariance(covariance)
                        .fit(&frame)
                        .unwrap()
                };
                let p = if robust {
                    asymptotic
                        .observe("", arms.len() as u64, &fit(Covariance::Hc2))
                        .unwrap()
                        .p_value
                } else {
                    classical
                        .observe("", &fit(Covariance::Classical))
                        .unwrap()
                        .p_value
                };
                p <= 0.05
            })
        })
    };
    let ((robust, error), (classical, _)) = (missed(true), missed(false));
    println!(
        "three arms with unequal variances: robust {robust}, classical {classical} ± {error:.4}"
    );
    assert!(robust <= 0.05 + 3.0 * error && classical > 0.2);
}

/// The logarithm of the mixture at a count, written out.
fn at_count(count: f64, n: f64, p: f64, rho: f64) -> f64 {
    let r = (rho - p * (1.0 - p)).max(1e-3 * p * (1.0 - p));
    let (a, b) = (r / p, r / (1.0 - p));
    ln_beta(a + n - count, b + count)
        - ln_beta(a, b)
        - count * p.ln()
        - (n - count) * (1.0 - p).ln()
}

/// The least evidence against a quantile: the counts that it stands for are tried, all in steps of a hundredth.
fn tried(values: &[f64], x: f64, p: f64, rho: f64) -> f64 {
    let n = values.len() as f64;
    let below = values.iter().filter(|v| **v < x).count();
    let up_to = values.iter().filter(|v| **v <= x).count();
    (100 * below..=100 * up_to)
        .map(|k| at_count(k as f64 / 100.0, n, p, rho))
        .fold(f64::INFINITY, f64::min)
}

#[test]
fn differences_of_quantiles_agree_with_all_pairs_tried() {
    for (p, with_ties) in [(0.5, false), (0.9, false), (0.5, true), (0.25, true)] {
        let step = |v: f64| {
            if with_ties {
                (v * 8.0).round() / 8.0
            } else {
                v
            }
        };
        let control: Vec<f64> = (1..=90)
            .map(|i| step(f64::from(i * 7_919 % 1_009) / 1_009.0))
            .collect();
        let treated: Vec<f64> = (1..=140)
            .map(|i| step(f64::from(i * 6_007 % 997) / 997.0) * 1.2 + 0.125)
            .collect();
        let rho = MixtureBoundary::best_rho(100.0 * p * (1.0 - p), 0.05).unwrap();
        let mut lift = QuantileDifferenceSequence::new(p, 100).unwrap();
        lift.observe("", &control[..50], &[]).unwrap_err();
        lift.observe("", &control[..50], &treated[..20]).unwrap();
        lift.observe("", &control[50..], &[]).unwrap();
        let look = lift.observe("", &[], &treated[20..]).unwrap();
        let (mut least, mut lower, mut upper) = (f64::INFINITY, f64::INFINITY, f64::NEG_INFINITY);
        let of = |values: &[f64]| -> Vec<(f64, f64)> {
            values
                .iter()
                .map(|x| (*x, tried(values, *x, p, rho)))
                .collect()
        };
        let (a, b) = (of(&control), of(&treated));
        for (x, m) in &a {
            for (y, k) in &b {
                if m + k < 20.0_f64.ln() {
                    lower = lower.min(y - x);
                    upper = upper.max(y - x);
                }
            }
        }
        for x in control.iter().chain(&treated) {
            least = least.min(tried(&control, *x, p, rho) + tried(&treated, *x, p, rho));
        }
        assert!(
            (look.log_e_value - least).abs() < 1e-5,
            "{p}: {} {least}",
            look.log_e_value
        );
        assert_eq!([look.lower, look.upper], [lower, upper], "{p} {with_ties}");
        let back: QuantileDifferenceSequence =
            serde_json::from_str(&serde_json::to_string(&lift).unwrap()).unwrap();
        assert_eq!(back, lift);
    }
    // As confseq's unit tests have it.
    let rho = MixtureBoundary::best_rho(100.0, 0.05).unwrap();
    let curve = MixtureBoundary::two_sided_bernoulli(rho, 0.2).unwrap();
    assert!((curve.log_value(10.0, 100.0) + 0.694_101_2).abs() < 1e-7);
    assert!((curve.threshold(100.0, 0.05).unwrap() - 31.430_8).abs() < 1e-4);
    // Too few rows say nothing.
    let mut lift = QuantileDifferenceSequence::new(0.5, 100).unwrap();
    let look = lift.observe("", &[1.0], &[2.0]).unwrap();
    assert!(look.lower == f64::NEG_INFINITY && look.upper == f64::INFINITY && look.p_value == 1.0);
    assert!(lift.observe("", &[], &[]).is_err() && lift.observe("", &[f64::NAN], &[]).is_err());
    assert!(
        QuantileDifferenceSequence::new(1.0, 100).is_err()
            && QuantileDifferenceSequence::new(0.5, 0).is_err()
    );
}

#[test]
fn differences_of_quantiles_hold_at_every_look() {
    const RUNS: u64 = 400;
    // Cauchy against a uniform distribution with the same median, and with ties.
    for ties in [false, true] {
        let (missed, error) = share(RUNS, 9, |s| {
            let mut lift = QuantileDifferenceSequence::new(0.5, 200).unwrap();
            (0..40).any(|_| {
                let draw = |s: &mut dyn Rng, wide: bool| -> Vec<f64> {
                    (0..5)
                        .map(|_| {
                            let u = uniform(&mut *s) - 0.5;
                            let x = if wide {
                                (std::f64::consts::PI * u).tan()
                            } else {
                                u
                            };
                            if ties { x.round() } else { x }
                        })
                        .collect()
                };
                let (control, treated) = (draw(&mut *s, true), draw(&mut *s, false));
                lift.observe("", &control, &treated).unwrap().p_value <= 0.05
            })
        });
        println!("quantiles of two arms, ties {ties}: {missed} ± {error:.4}");
        assert!(missed <= 0.05 + 3.0 * error);
    }
}

proptest! {
    #[test]
    fn quantile_differences_and_their_p_values_agree(
        control in prop::collection::vec(-20_i32..20, 5..80),
        treated in prop::collection::vec(-20_i32..20, 5..80),
        null in -10_i32..10,
        p in 0.1_f64..0.9,
    ) {
        let of = |v: &[i32]| -> Vec<f64> { v.iter().map(|x| f64::from(*x)).collect() };
        let (control, treated) = (of(&control), of(&treated));
        let mut lift = QuantileDifferenceSequence::new(p, 50).and_then(|l| l.null(f64::from(null))).unwrap();
        let look = lift.observe("", &control, &treated).unwrap();
        let gap = look.log_e_value - 20.0_f64.ln();
        prop_assert!(gap.abs() < 1e-9 || gap < 0.0 || !look.contains(f64::from(null)), "{lift}");
        // The set of the differences may have holes where data are whole numbers; its ends are in it.
        for end in [look.lower, look.upper].into_iter().filter(|e| e.is_finite()) {
            let mut at = QuantileDifferenceSequence::new(p, 50).and_then(|l| l.null(end)).unwrap();
            prop_assert!(at.observe("", &control, &treated).unwrap().log_e_value < 20.0_f64.ln() + 1e-9);
        }
        prop_assert!(look.contains(look.estimate));
        // The other way round.
        let mut turned = QuantileDifferenceSequence::new(p, 50).and_then(|l| l.null(-f64::from(null))).unwrap();
        let back = turned.observe("", &treated, &control).unwrap();
        prop_assert!(back.lower == -look.upper && back.upper == -look.lower);
        prop_assert!((back.log_e_value - look.log_e_value).abs() < 1e-9);
    }
}
