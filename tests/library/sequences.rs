//! Sequences of arms, stitched curves and betting on one side against written-out formulas, simulation and properties.

use crate::support::fixture;
use cocreate::numeric::permutation::open_unit;
use cocreate::numeric::special::normal;
use cocreate::prelude::*;
use proptest::prelude::*;
use rand::Rng;
use serde_json::Value;

pub fn close(what: &str, ours: f64, theirs: f64, tolerance: f64) {
    assert!(
        ours == theirs || (ours - theirs).abs() <= tolerance * theirs.abs().max(1.0),
        "{what}: ours {ours}, theirs {theirs}"
    );
}

pub fn number(value: &Value, name: &str) -> f64 {
    value[name].as_f64().unwrap()
}

pub fn values() -> Value {
    fixture("sequences")["values"].clone()
}

pub fn uniform(stream: &mut dyn Rng) -> f64 {
    open_unit(stream.next_u64())
}

pub fn gaussian(stream: &mut dyn Rng) -> f64 {
    normal::quantile(uniform(stream))
}

/// The share of `runs` where `missed` says that a sequence left its truth at any look, with the Monte Carlo standard error of 5 %.
pub fn share(runs: u64, seed: u64, missed: impl Fn(&mut dyn Rng) -> bool) -> (f64, f64) {
    let hits = (0..runs)
        .filter(|run| missed(&mut Seed::new(seed).stream(*run)))
        .count() as f64;
    (hits / runs as f64, (0.05 * 0.95 / runs as f64).sqrt())
}

fn squares() -> Vec<f64> {
    (1..=800)
        .map(|i| (f64::from(i * 7_919 % 1_009) / 1_008.0).powi(2))
        .collect()
}

#[test]
fn stitched_curves_agree_with_forty_digits_and_confseq() {
    let values = values();
    for case in values["stitched"].as_array().unwrap() {
        let of = |name| number(case, name);
        let curve = StitchedBoundary::new(of("start"))
            .and_then(|c| c.scale(of("scale")))
            .and_then(|c| c.exponent(of("exponent")))
            .and_then(|c| c.spacing(of("spacing")))
            .unwrap();
        let ours = curve.threshold(of("v"), of("alpha")).unwrap();
        close(&case.to_string(), ours, of("threshold"), 1e-14);
    }
    let curve = StitchedBoundary::new(10.0).unwrap().scale(3.0).unwrap();
    let theirs = number(&values["confseq"], "stitched");
    assert!((curve.threshold(100.0, 0.05).unwrap() - theirs).abs() < 5e-6);
}

#[test]
fn stitched_sequences_are_their_curves() {
    // Rows of standard deviation two, and bounded values; both sides and one.
    let x = squares();
    for (side, alpha) in [
        (Alternative::TwoSided, 0.025),
        (Alternative::Greater, 0.05),
        (Alternative::Less, 0.05),
    ] {
        let open =
            |s: Alternative, end: f64, otherwise: f64| if side == s { otherwise } else { end };
        let mut known = MeanSequence::sub_gaussian(2.0, 100)
            .unwrap()
            .stitched(50)
            .unwrap()
            .alternative(side)
            .unwrap();
        let look = known.observe_sums("", 400, 1.5, 0.0).unwrap();
        let curve = StitchedBoundary::new(50.0).unwrap();
        let half = curve.threshold(400.0, alpha).unwrap() * 2.0 / 400.0;
        close(
            "lower",
            look.lower,
            open(Alternative::Less, 1.5 - half, f64::NEG_INFINITY),
            1e-14,
        );
        close(
            "upper",
            look.upper,
            open(Alternative::Greater, 1.5 + half, f64::INFINITY),
            1e-14,
        );
        let mut effect = EffectSequence::stitched(50)
            .unwrap()
            .alternative(side)
            .unwrap();
        let same = effect.observe_estimate("", 400, 1.5, 0.1).unwrap();
        close("effect", same.lower, look.lower, 1e-13);
        close("effect", same.upper, look.upper, 1e-13);
        close("effect", same.log_e_value, look.log_e_value, 1e-11);
        assert!(effect.to_string().contains("low from 50 rows on"));
        let mut bounded = MeanSequence::bounded(0.0, 1.0, 100)
            .unwrap()
            .stitched(50)
            .unwrap()
            .alternative(side)
            .unwrap();
        for block in x.chunks(8) {
            bounded.observe("", block).unwrap();
        }
        let look = bounded.looks().last().unwrap();
        // As the mixture, on the same sum of squares.
        let (mut squares, mut total) = (0.0, 0.0);
        for (k, block) in x.chunks(8).enumerate() {
            let guess = if k == 0 { 0.5 } else { total / (8 * k) as f64 };
            squares += block.iter().map(|v| (v - guess) * (v - guess)).sum::<f64>();
            total += block.iter().sum::<f64>();
        }
        let curve = StitchedBoundary::new(50.0 / 16.0)
            .unwrap()
            .scale(1.0)
            .unwrap();
        let half = curve.threshold(squares, alpha).unwrap() / 800.0;
        close(
            "bounded lower",
            look.lower,
            open(Alternative::Less, total / 800.0 - half, 0.0),
            1e-12,
        );
        close(
            "bounded upper",
            look.upper,
            open(Alternative::Greater, total / 800.0 + half, 1.0),
            1e-12,
        );
        assert!(bounded.to_string().contains("low from 50 rows on"));
    }
    assert!(MeanSequence::asymptotic(10).unwrap().stitched(0).is_err());
    assert!(EffectSequence::stitched(0).is_err());
    for bad in [
        StitchedBoundary::new(0.0),
        StitchedBoundary::new(1.0).unwrap().scale(-1.0),
        StitchedBoundary::new(1.0).unwrap().exponent(1.0),
        StitchedBoundary::new(1.0).unwrap().spacing(f64::INFINITY),
    ] {
        assert!(matches!(bad, Err(Error::InvalidOption { .. })));
    }
    let curve = StitchedBoundary::new(1.0).unwrap();
    assert!(curve.threshold(-1.0, 0.05).is_err() && curve.threshold(1.0, 1.0).is_err());
}

#[test]
fn betting_on_one_side_and_between_arms_agrees_with_its_formulas() {
    let values = &values()["betting"];
    let x = squares();
    let sides = [
        ("greater", Alternative::Greater),
        ("less", Alternative::Less),
    ];
    for (name, side) in sides {
        let null = if name == "greater" { 0.3 } else { 0.36 };
        let mut mean = BettingSequence::new(0.0, 1.0)
            .and_then(|m| m.alternative(side)?.null(null))
            .unwrap();
        for block in x.chunks(100) {
            mean.observe("", block).unwrap();
        }
        let look = mean.looks().last().unwrap();
        close("lower", look.lower, number(&values[name], "lower"), 1e-12);
        close("upper", look.upper, number(&values[name], "upper"), 1e-12);
        close(
            "e",
            look.log_e_value,
            number(&values[name], "log_e_value"),
            1e-10,
        );
        close("p", look.p_value, number(&values[name], "p_value"), 1e-10);
    }
    let treated: Vec<bool> = (1..=800).map(|i| i * 31 % 7 < 2).collect();
    let outcome: Vec<f64> = (0..800)
        .map(|i| {
            let more = if treated[i] && (i + 1) % 3 == 0 {
                0.2
            } else {
                0.0
            };
            f64::min(x[i] + more, 1.0)
        })
        .collect();
    for (name, side) in sides {
        let case = &values["difference"][name];
        let mut lift = BettingSequence::difference(0.0, 1.0, 2.0 / 7.0)
            .and_then(|m| m.alternative(side))
            .unwrap();
        for (arms, values) in treated.chunks(90).zip(outcome.chunks(90)) {
            lift.observe_assigned("", arms, values).unwrap();
        }
        let look = lift.looks().last().unwrap();
        close(
            "estimate",
            look.estimate,
            number(&values["difference"], "estimate"),
            1e-12,
        );
        close("lower", look.lower, number(case, "lower"), 1e-12);
        close("upper", look.upper, number(case, "upper"), 1e-12);
        close("e", look.log_e_value, number(case, "log_e_value"), 1e-10);
        close("p", look.p_value, number(case, "p_value"), 1e-10);
        let back: BettingSequence =
            serde_json::from_str(&serde_json::to_string(&lift).unwrap()).unwrap();
        assert_eq!(back, lift);
        assert!(
            lift.to_string()
                .contains("a difference of values in [0, 1]")
        );
    }
    let mut lift = BettingSequence::difference(0.0, 1.0, 0.5).unwrap();
    let text = lift.observe("", &[0.5]).unwrap_err().to_string();
    assert!(text.contains("observe_assigned"), "{text}");
    assert!(lift.observe_assigned("", &[true], &[0.5, 0.5]).is_err());
    assert!(lift.observe_assigned("", &[true], &[1.5]).is_err());
    assert!(lift.observe_assigned("", &[], &[]).is_err());
    assert!(lift.looks().is_empty());
    assert!(BettingSequence::difference(0.0, 1.0, 1.0).is_err());
    let mut mean = BettingSequence::new(0.0, 1.0).unwrap();
    assert!(mean.observe_assigned("", &[true], &[0.5]).is_err());
}

#[test]
fn betting_and_stitching_hold_under_continuous_peeking() {
    const RUNS: u64 = 500;
    for (side, seed) in [(Alternative::Greater, 1), (Alternative::Less, 2)] {
        let (missed, error) = share(RUNS, seed, |s| {
            let mut mean = BettingSequence::new(0.0, 1.0)
                .and_then(|m| m.cells(10)?.null(0.1)?.alternative(side))
                .unwrap();
            (0..200).any(|_| {
                let row = f64::from(uniform(&mut *s) < 0.1);
                mean.observe("", &[row]).unwrap().p_value <= 0.05
            })
        });
        println!("betting, {side:?}: {missed} ± {error:.4}");
        assert!(missed <= 0.05 + 3.0 * error && missed > 0.0);
    }
    // A fifth is treated, the rate rises with time, and there is no difference.
    let (missed, error) = share(RUNS, 3, |s| {
        let mut lift = BettingSequence::difference(0.0, 1.0, 0.2)
            .and_then(|m| m.cells(10))
            .unwrap();
        (0..200).any(|i| {
            let treated = uniform(&mut *s) < 0.2;
            let row = f64::from(uniform(&mut *s) < 0.1 + 0.002 * f64::from(i));
            lift.observe_assigned("", &[treated], &[row])
                .unwrap()
                .p_value
                <= 0.05
        })
    });
    println!("betting on two arms: {missed} ± {error:.4}");
    assert!(missed <= 0.05 + 3.0 * error);
    let (missed, error) = share(RUNS, 4, |s| {
        let mut mean = MeanSequence::sub_gaussian(1.0, 1)
            .and_then(|m| m.stitched(1))
            .unwrap();
        (0..300).any(|_| mean.observe("", &[gaussian(&mut *s)]).unwrap().p_value <= 0.05)
    });
    println!("stitched: {missed} ± {error:.4}");
    assert!(missed <= 0.05 + 3.0 * error);
}

proptest! {
    #[test]
    fn stitched_intervals_and_p_values_agree(
        x in prop::collection::vec(0.0_f64..1.0, 30..150),
        null in 0.05_f64..0.95,
        side in 0_usize..3,
    ) {
        let side = [Alternative::TwoSided, Alternative::Greater, Alternative::Less][side];
        for mean in [
            MeanSequence::bounded(0.0, 1.0, 100).unwrap(),
            MeanSequence::sub_gaussian(0.2, 100).unwrap(),
            MeanSequence::asymptotic(100).unwrap().first_rows(2).unwrap(),
        ] {
            let mut mean = mean.stitched(20).unwrap().alternative(side).unwrap().null(null).unwrap();
            for block in x.chunks(17) {
                let before = mean.p_value();
                let look = mean.observe("", block).unwrap();
                // The p-value is that of this look or of an earlier one, and then the evidence of this one is less.
                if look.p_value < before {
                    prop_assert!((look.p_value - 0.05).abs() < 1e-9 || (look.p_value <= 0.05) != look.contains(null), "{mean}");
                }
                prop_assert!(look.contains(null) || look.log_e_value >= 20.0_f64.ln() - 1e-9, "{mean}");
            }
        }
    }

    #[test]
    fn a_mirrored_bet_is_the_other_side(x in prop::collection::vec(0.0_f64..1.0, 1..60), null in 0.1_f64..0.9) {
        let mirrored: Vec<f64> = x.iter().map(|v| 1.0 - v).collect();
        let of = |side, null, x: &[f64]| {
            let mut mean = BettingSequence::new(0.0, 1.0).and_then(|m| m.alternative(side)?.null(null)).unwrap();
            mean.observe("", x).unwrap()
        };
        let (up, down) = (of(Alternative::Greater, null, &x), of(Alternative::Less, 1.0 - null, &mirrored));
        prop_assert!((up.log_e_value - down.log_e_value).abs() < 1e-9);
        prop_assert!((up.lower + down.upper - 1.0).abs() < 1.5e-3);
    }
}
