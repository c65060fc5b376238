//! What must hold for any group-sequential design.

use cocreate::prelude::*;
use proptest::prelude::*;

fn boundaries() -> impl Strategy<Value = EfficacyBoundary> {
    prop_oneof![
        Just(EfficacyBoundary::OBrienFleming),
        Just(EfficacyBoundary::Pocock),
        (-0.4..0.5).prop_map(EfficacyBoundary::WangTsiatis),
        spendings().prop_map(EfficacyBoundary::Spending),
    ]
}

fn spendings() -> impl Strategy<Value = SpendingFunction> {
    prop_oneof![
        Just(SpendingFunction::OBrienFleming),
        Just(SpendingFunction::Pocock),
        (-8.0..4.0).prop_map(SpendingFunction::HwangShihDeCani),
        (0.5..5.0).prop_map(SpendingFunction::KimDeMets),
    ]
}

/// Increasing fractions that end at one.
fn fractions() -> impl Strategy<Value = Vec<f64>> {
    prop::collection::vec(0.05_f64..1.0, 1..7).prop_map(|steps| {
        let total: f64 = steps.iter().sum();
        let mut sum = 0.0;
        let mut fractions: Vec<f64> = steps
            .iter()
            .map(|step| {
                sum += step;
                sum / total
            })
            .collect();
        let last = fractions.len() - 1;
        fractions[last] = 1.0;
        fractions
    })
}

fn close(found: f64, expected: f64, tolerance: f64) -> Result<(), TestCaseError> {
    prop_assert!(
        (found - expected).abs() <= tolerance,
        "{} {}",
        found,
        expected
    );
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn level_and_power_are_kept(
        fractions in fractions(), efficacy in boundaries(), futility in prop::option::of(spendings()),
        alpha in 0.001_f64..0.2, power in 0.5_f64..0.97, two_sided: bool, binding: bool,
    ) {
        let spends = matches!(efficacy, EfficacyBoundary::Spending(_));
        let mut asked = GroupSequential::fractions(fractions).alpha(alpha).power(power).efficacy(efficacy);
        if !two_sided {
            asked = asked.alternative(Alternative::Greater);
        }
        if let Some(futility) = futility {
            asked = asked.futility(futility).binding(binding && spends);
        }
        let design = match asked.design() {
            // Efficacy spent late and futility early may leave no room between the bounds.
            Err(Error::InvalidOption { option, .. }) if option == "futility" => return Ok(()),
            design => design.unwrap(),
        };
        close(design.under_alternative.power, power, 1e-9)?;
        let level: f64 = design.under_null.efficacy.iter().chain(&design.under_null.opposite).sum();
        if futility.is_none() || design.binding {
            close(level, alpha, 1e-9)?;
        } else {
            prop_assert!(level <= alpha * (1.0 + 1e-9));
        }
        prop_assert!(design.inflation >= 1.0 - 1e-9);
        for look in &design.looks {
            prop_assert!(look.futility.is_none_or(|futility| futility <= look.efficacy));
        }
        for case in [&design.under_null, &design.midway, &design.under_alternative] {
            prop_assert!(case.expected_fraction > 0.0 && case.expected_fraction <= 1.0 + 1e-12);
        }
    }

    #[test]
    fn a_stricter_level_has_higher_bounds(
        fractions in fractions(), efficacy in boundaries(), alpha in 0.002_f64..0.1, share in 0.1_f64..0.9,
    ) {
        let at = |alpha| GroupSequential::fractions(fractions.clone()).alpha(alpha).efficacy(efficacy).design().unwrap();
        let (loose, strict) = (at(alpha), at(alpha * share));
        prop_assert!(strict.drift > loose.drift);
        let shaped = !matches!(efficacy, EfficacyBoundary::Spending(_));
        for (k, (l, s)) in loose.looks.iter().zip(&strict.looks).enumerate() {
            // Later bounds of a spending function depend on what went before; its first does not.
            if shaped || k == 0 {
                prop_assert!(s.efficacy > l.efficacy);
            }
            // Bounds of thirty standard deviations spend nothing.
            prop_assert!(s.alpha_spent < l.alpha_spent || l.alpha_spent <= 0.0);
        }
    }

    #[test]
    fn two_sides_stop_each_other_but_hardly(
        fractions in fractions(), efficacy in boundaries(), alpha in 0.001_f64..0.1,
    ) {
        let design = |alpha, alternative| {
            GroupSequential::fractions(fractions.clone()).alpha(alpha).alternative(alternative).efficacy(efficacy).design().unwrap()
        };
        let two = design(2.0 * alpha, Alternative::TwoSided);
        let one = design(alpha, Alternative::Greater);
        for (two, one) in two.looks.iter().zip(&one.looks) {
            // Who stopped below cannot cross above any more: the bounds of two sides may be a little lower.
            prop_assert!(two.efficacy <= one.efficacy + 1e-9);
            close(two.efficacy, one.efficacy, 0.01)?;
        }
        prop_assert_eq!(&design(alpha, Alternative::Less).looks, &one.looks);
    }

    #[test]
    fn scale_and_sign_of_the_outcome_do_not_matter(
        efficacy in boundaries(), futility in prop::option::of(spendings()), estimates in prop::collection::vec(-1.5_f64..3.0, 3),
        steps in prop::collection::vec(0.1_f64..0.3, 2), scale in 0.01_f64..100.0,
    ) {
        let asked = |alternative| {
            let asked = GroupSequential::new(3).alternative(alternative).efficacy(efficacy);
            match futility {
                Some(futility) => asked.futility(futility),
                None => asked,
            }
        };
        let run = |alternative, scale: f64| {
            let mut monitor = asked(alternative).design().unwrap().monitor(4.0 / scale.powi(2)).unwrap();
            let times = [steps[0], steps[0] + steps[1], 1.0];
            for (z, t) in estimates.iter().zip(times) {
                let error = scale.abs() / (4.0 * t).sqrt();
                let look = if t < 1.0 { monitor.look(z * scale / 2.0, error) } else { monitor.last_look(z * scale / 2.0, error) };
                if look.unwrap().decision != SequentialDecision::Continue {
                    break;
                }
            }
            (monitor.looks().len(), monitor.analysis(0.95).unwrap())
        };
        let plain = run(Alternative::Greater, 1.0);
        for (other, scale) in [(run(Alternative::Greater, scale), scale), (run(Alternative::Less, -scale), -scale)] {
            prop_assert_eq!(other.0, plain.0);
            prop_assert_eq!(other.1.decision, plain.1.decision);
            close(other.1.p_value, plain.1.p_value, 1e-9)?;
            close(other.1.median_unbiased / scale, plain.1.median_unbiased, 1e-6)?;
            close(other.1.bias_adjusted.unwrap() / scale, plain.1.bias_adjusted.unwrap(), 1e-6)?;
            let ends = [plain.1.interval.lower, plain.1.interval.upper];
            let [lower, upper] = [other.1.interval.lower / scale, other.1.interval.upper / scale];
            close(lower.min(upper), ends[0], 1e-6)?;
            close(lower.max(upper), ends[1], 1e-6)?;
        }
        prop_assert!(plain.1.interval.lower < plain.1.median_unbiased && plain.1.median_unbiased < plain.1.interval.upper);
    }

    #[test]
    fn looks_that_are_nearly_one_are_one(
        at in 0.2_f64..0.8, spending in spendings(), alpha in 0.005_f64..0.1,
    ) {
        let design = |fractions: Vec<f64>| {
            GroupSequential::fractions(fractions).alpha(alpha).efficacy(EfficacyBoundary::Spending(spending)).design().unwrap()
        };
        let merged = design(vec![at, 1.0]);
        let split = design(vec![at, at + 2e-4, 1.0]);
        // The second of the two looks has next to nothing to spend.
        close(split.looks[2].efficacy, merged.looks[1].efficacy, 5e-3)?;
        close(split.drift, merged.drift, 5e-3)?;
    }
}
