//! Influence against all subsets and smaller samples.

use super::*;

fn frame(y: &[f64], split: usize) -> Frame {
    let arm: Vec<&str> = (0..y.len())
        .map(|i| if i < split { "c" } else { "t" })
        .collect();
    Frame::new()
        .with("y", y.to_vec())
        .unwrap()
        .with("arm", arm)
        .unwrap()
}

/// The smallest subset whose loss changes the sign, by all subsets.
fn brute(y: &[f64], split: usize) -> Option<usize> {
    let gap = |out: u32| {
        let of = |range: std::ops::Range<usize>| {
            let kept: Vec<f64> = range.filter(|i| out >> i & 1 == 0).map(|i| y[i]).collect();
            (kept.len() >= 2).then(|| kept.iter().sum::<f64>() / kept.len() as f64)
        };
        Some(of(split..y.len())? - of(0..split)?)
    };
    let whole = gap(0).unwrap();
    (0..1_u32 << y.len())
        .filter(|out| gap(*out).is_some_and(|g| if whole > 0.0 { g <= 0.0 } else { g >= 0.0 }))
        .map(u32::count_ones)
        .min()
        .map(|c| c as usize)
}

#[test]
fn the_fewest_units_that_flip_the_sign_are_the_fewest_of_all_subsets() {
    let mut state = 12_u64;
    let mut next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        ((state >> 33) % 1000) as f64 / 100.0
    };
    for case in 0..40 {
        let mut y: Vec<f64> = (0..13).map(|_| next()).collect();
        y[12] += if case % 2 == 0 { 15.0 } else { -15.0 };
        let fit = OutlierInfluence::new("y", "arm")
            .fit(&frame(&y, 6))
            .unwrap();
        let ours = fit.arms[0].to_flip_sign.map(Dropped::total);
        assert_eq!(ours, brute(&y, 6), "{y:?}");
    }
}

#[test]
fn leaving_out_is_what_a_smaller_sample_says() {
    let y = [3.0, 1.0, 4.0, 1.5, 5.0, 9.0, 2.0, 6.0, 5.0, 30.0];
    let fit = OutlierInfluence::new("y", "arm")
        .fit(&frame(&y, 5))
        .unwrap();
    let arm = &fit.arms[0];
    let top = &arm.contributors[0];
    assert_eq!(top.unit, "row 10");
    let rest = OutlierInfluence::new("y", "arm")
        .fit(&frame(&y[..9], 5))
        .unwrap();
    assert!((rest.arms[0].effect.estimate - top.estimate_without).abs() < 1e-12);
    assert!((rest.arms[0].effect.p_value() - top.p_value_without).abs() < 1e-12);
    assert!(arm.lowest <= top.estimate_without && arm.highest_p_value <= 1.0);
    assert!(arm.effect.p_value() > 0.05);
    // One unit of the control hides an effect.
    let hidden = [1.0, 2.0, 1.0, 2.0, 1.0, 9.0, 4.0, 5.0, 4.0, 5.0, 4.0, 5.0];
    let hidden = OutlierInfluence::new("y", "arm")
        .fit(&frame(&hidden, 6))
        .unwrap();
    let one = Dropped {
        from_arm: 0,
        from_control: 1,
    };
    assert_eq!(hidden.arms[0].to_change_significance, Some(one));
    assert!(fit.to_string().contains("row 10"));
}

#[test]
fn a_solid_effect_needs_many_losses() {
    let y: Vec<f64> = (0..2000)
        .map(|i| f64::from(i % 10) + if i >= 1000 { 2.0 } else { 0.0 })
        .collect();
    let fit = OutlierInfluence::new("y", "arm")
        .fit(&frame(&y, 1000))
        .unwrap();
    let arm = &fit.arms[0];
    assert!(!arm.is_fragile() && arm.to_flip_sign.unwrap().total() > 200);
    // Swapping arms turns the sign and nothing else.
    let swapped = OutlierInfluence::new("y", "arm")
        .control("t")
        .fit(&frame(&y, 1000))
        .unwrap();
    assert_eq!(
        swapped.arms[0].to_flip_sign.unwrap().total(),
        arm.to_flip_sign.unwrap().total()
    );
    assert!((swapped.arms[0].effect.estimate + arm.effect.estimate).abs() < 1e-12);
    assert!(
        OutlierInfluence::new("y", "arm")
            .fit(&frame(&y[998..1002], 2))
            .is_err()
    );
    assert!(
        OutlierInfluence::new("y", "arm")
            .alpha(0.0)
            .fit(&frame(&y, 9))
            .is_err()
    );
}
