//! Encouragement where compliers are known.

use super::*;
use crate::numeric::Seed;
use crate::numeric::permutation::open_unit;
use rand::Rng;

/// A third each of compliers, always-takers and never-takers, whose effects are 2, 1 and 5 and whose levels differ.
fn sample(seed: u64, n: usize, always: f64) -> Frame {
    let mut draws = Seed::new(seed).stream(0);
    let mut u = || open_unit(draws.next_u64());
    let (mut y, mut d, mut z) = (vec![], vec![], vec![]);
    for _ in 0..n {
        let kind = u();
        let assigned = u() < 0.5;
        let (takes, effect, level) = match kind {
            k if k < always => (true, 1.0, 3.0),
            k if k < always + 1.0 / 3.0 => (false, 5.0, -1.0),
            _ => (assigned, 2.0, 0.0),
        };
        let take = f64::from(u8::from(takes));
        z.push(f64::from(u8::from(assigned)));
        d.push(take);
        y.push(level + effect * take + 2.0 * (u() + u() + u() - 1.5));
    }
    Frame::new()
        .with("y", y)
        .unwrap()
        .with("d", d)
        .unwrap()
        .with("z", z)
        .unwrap()
}

#[test]
fn compliers_are_found_and_intervals_cover() {
    let runs = 200;
    let (mut wald, mut set, mut mean) = (0, 0, 0.0);
    for seed in 0..runs {
        let fit = Encouragement::new("y", "d", "z")
            .fit(&sample(seed, 600, 1.0 / 3.0))
            .unwrap();
        let interval = fit.local_effect.confidence_interval(0.95).unwrap();
        wald += usize::from(interval.lower <= 2.0 && 2.0 <= interval.upper);
        set += usize::from(fit.local_set.contains(2.0));
        mean += fit.complier_control_mean / runs as f64;
    }
    // 95 % less three Monte Carlo errors (4.6 %) is 180.
    assert!(
        (180..=199).contains(&wald) && (180..=199).contains(&set),
        "{wald} {set}"
    );
    assert!(mean.abs() < 0.1, "{mean}");
    let one_sided = Encouragement::new("y", "d", "z")
        .fit(&sample(9, 3000, 0.0))
        .unwrap();
    assert_eq!(one_sided.non_compliance, NonCompliance::NoAlwaysTakers);
    assert!(one_sided.always_takers.estimate <= 0.0 && one_sided.bounds.is_empty());
    assert!((one_sided.never_takers.estimate - 1.0 / 3.0).abs() < 0.05);
    assert!(one_sided.to_string().contains("no always-takers"));
}

#[test]
fn bounds_hold_the_effect_for_everybody() {
    let fit = Encouragement::new("y", "d", "z")
        .outcome_range(-6.0, 10.0)
        .fit(&sample(4, 2000, 1.0 / 3.0))
        .unwrap();
    let bounds = &fit.bounds[0];
    // (2 + 1 + 5)/3
    assert!(
        bounds.lower < 8.0 / 3.0 && 8.0 / 3.0 < bounds.upper && bounds.upper - bounds.lower < 16.0
    );
    assert!(
        Encouragement::new("y", "d", "z")
            .outcome_range(0.0, 1.0)
            .fit(&sample(4, 200, 0.3))
            .is_err()
    );
    assert!(
        Encouragement::new("y", "d", "z")
            .outcome_range(1.0, 0.0)
            .fit(&sample(4, 200, 0.3))
            .is_err()
    );
}

#[test]
fn a_weak_encouragement_is_said_and_one_without_effect_refused() {
    let frame = sample(2, 400, 0.3);
    let z: Vec<f64> = (0..400).map(|i| f64::from(i % 2)).collect();
    let weak = Encouragement::new("y", "d", "z")
        .fit(&frame.replace("z", z).unwrap())
        .unwrap();
    assert!(
        weak.warnings()
            .iter()
            .any(|w| matches!(w, Warning::WeakInstruments { .. }))
    );
    let same = frame.replace("d", vec![1.0; 400]).unwrap();
    assert!(Encouragement::new("y", "d", "z").fit(&same).is_err());
    let bad = frame.replace("d", vec![2.0; 400]).unwrap();
    assert!(matches!(
        Encouragement::new("y", "d", "z").fit(&bad),
        Err(Error::OutOfRange { row: 1, .. })
    ));
}
