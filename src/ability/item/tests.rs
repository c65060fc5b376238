//! Probabilities, derivatives and information of items.

use super::*;

fn items() -> Vec<Item> {
    vec![
        Item::rasch("r", 0.4).unwrap(),
        Item::two_parameter("2", 1.7, -0.6).unwrap(),
        Item::three_parameter("3", 1.2, 0.3, 0.22).unwrap(),
        Item::new("g", ItemModel::Graded, 1.4, &[-1.0, 0.2, 0.5], 0.0).unwrap(),
        Item::new("-", ItemModel::Graded, -0.8, &[1.0, 0.2], 0.0).unwrap(),
        Item::new("p", ItemModel::PartialCredit, 1.0, &[0.5, -0.3], 0.0).unwrap(),
        Item::new(
            "q",
            ItemModel::GeneralizedPartialCredit,
            0.7,
            &[-1.5, 0.9, 0.1],
            0.0,
        )
        .unwrap(),
    ]
}

#[test]
fn categories_sum_to_one_with_derivatives_that_sum_to_zero() {
    for item in items() {
        for a in [-6.0, -1.3, 0.0, 0.8, 5.0] {
            let curves = item.curves(a);
            assert_eq!(curves.len(), item.categories());
            let sum = |f: fn(&CategoryCurve) -> f64| curves.iter().map(f).sum::<f64>();
            assert!((sum(|c| c.probability) - 1.0).abs() < 1e-14, "{item} {a}");
            assert!(sum(|c| c.slope).abs() < 1e-14, "{item} {a}");
            assert!(sum(|c| c.curvature).abs() < 1e-14, "{item} {a}");
        }
    }
}

#[test]
fn derivatives_are_those_of_the_probability() {
    const STEP: f64 = 1e-5;
    for item in items() {
        for a in [-2.0, -0.4, 0.7, 2.5] {
            let (low, here, high) = (item.curves(a - STEP), item.curves(a), item.curves(a + STEP));
            for c in 0..item.categories() {
                let slope = (high[c].probability - low[c].probability) / (2.0 * STEP);
                let curvature = (high[c].slope - low[c].slope) / (2.0 * STEP);
                assert!((here[c].slope - slope).abs() < 1e-9, "{item} {a} {c}");
                assert!(
                    (here[c].curvature - curvature).abs() < 1e-9,
                    "{item} {a} {c}"
                );
                let [value, first, second] = item.ln_probability(c, a);
                let p = here[c].probability;
                assert!((value - p.ln()).abs() < 1e-13);
                assert!((first - here[c].slope / p).abs() < 1e-12, "{item} {a} {c}");
                let exact = here[c].curvature / p - first * first;
                assert!((second - exact).abs() < 1e-12, "{item} {a} {c}");
            }
        }
    }
}

#[test]
fn information_is_minus_the_mean_second_derivative() {
    for item in items() {
        for a in [-1.5, 0.2, 1.1] {
            let mean: f64 = (0..item.categories())
                .map(|c| -item.probabilities(a)[c] * item.ln_probability(c, a)[2])
                .sum();
            assert!((item.information(a) - mean).abs() < 1e-12, "{item}");
        }
    }
}

#[test]
fn bad_parameters_are_refused() {
    assert!(Item::two_parameter("x", f64::NAN, 0.0).is_err());
    assert!(Item::new("x", ItemModel::Graded, 1.0, &[0.5, 0.5], 0.0).is_err());
    assert!(Item::new("x", ItemModel::TwoParameter, 1.0, &[0.0, 1.0], 0.0).is_err());
    assert!(Item::new("x", ItemModel::TwoParameter, 1.0, &[0.0], 0.1).is_err());
    assert!(Item::three_parameter("x", 1.0, 0.0, 1.0).is_err());
    assert!(Item::new("x", ItemModel::PartialCredit, 1.0, &[], 0.0).is_err());
}
