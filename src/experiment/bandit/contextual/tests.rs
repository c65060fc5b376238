//! A contextual bandit that forgets.

use super::*;

#[test]
fn what_is_forgotten_is_as_if_it_had_not_been() {
    let at = |i: u32| [1.0, f64::from(i).sin(), (0.7 * f64::from(i)).cos()];
    let told = |bandit: &mut ContextualBandit, rounds: std::ops::Range<u32>| {
        for i in rounds {
            let reward = if bandit.policy == ContextualPolicy::LogisticThompson {
                f64::from(i % 3 / 2)
            } else {
                (1.3 * f64::from(i)).sin()
            };
            let choice = BanditChoice::of(i as usize % 2);
            bandit.update(&choice, &at(i), reward).unwrap();
        }
    };
    let close = |a: &ContextualBandit, b: &ContextualBandit| {
        for (a, b) in a.models.iter().zip(&b.models) {
            let a = a.coefficients.iter().chain(&a.inverse);
            for (a, b) in a.zip(b.coefficients.iter().chain(&b.inverse)) {
                assert!((a - b).abs() < 1e-10, "{a} {b}");
            }
        }
    };
    for policy in [
        ContextualPolicy::LinUcb { alpha: 1.0 },
        ContextualPolicy::LogisticThompson,
    ] {
        let new = || ContextualBandit::new(policy, 2, 3).ridge(0.5);
        // Forgetting nothing, sums are the rank-one steps.
        let (mut steps, mut wide, mut slow) = (new(), new().window(1000), new().discount(1.0));
        for bandit in [&mut steps, &mut wide, &mut slow] {
            told(bandit, 0..60);
        }
        close(&steps, &wide);
        close(&steps, &slow);
    }
    let new = || ContextualBandit::new(ContextualPolicy::LinThompson { scale: 1.0 }, 2, 3);
    // The latest rewards are all that a window knows.
    let (mut window, mut latest) = (new().window(20), new());
    told(&mut window, 0..60);
    told(&mut latest, 40..60);
    close(&window, &latest);
    // A discount is weighted ridge regression; the prior does not fade.
    let mut faded = new().discount(0.9);
    told(&mut faded, 0..60);
    let mut gram = nalgebra::DMatrix::from_diagonal_element(3, 3, 1.0);
    let mut right = nalgebra::DVector::zeros(3);
    for i in (1..60_u32).step_by(2) {
        let x = nalgebra::DVector::from_column_slice(&at(i));
        let weight = 0.9_f64.powf(59.0 - f64::from(i));
        gram += weight * &x * x.transpose();
        right += weight * (1.3 * f64::from(i)).sin() * x;
    }
    let exact = gram.try_inverse().unwrap() * right;
    for (found, exact) in faded.coefficients(1).iter().zip(exact.iter()) {
        assert!((found - exact).abs() < 1e-12);
    }
    assert!(new().discount(0.0).probabilities(&at(0)).is_err());
    assert!(new().window(0).probabilities(&at(0)).is_err());
}
