//! The theory of participation against its published check values, direct simulation, quadrature, and what must hold for any
//! numbers.

use cocreate::decision::{lottery, option};
use cocreate::numeric::quadrature::{Adaptive, gauss_hermite_normal};
use cocreate::numeric::special::normal;
use cocreate::participation::*;
use cocreate::prelude::Seed;
use proptest::prelude::*;
use rand::RngExt;

fn belief(m: f64, v: f64) -> Belief {
    Belief::new(m, v).unwrap()
}

/// The page's numbers: θ = 2, p = 1, C = .35, L_0 = .2, u_0 = 0.
fn page(preferences: Preferences) -> Situation {
    let terms = Terms {
        price: 1.0,
        taste: 2.0,
        value_abandon: 0.2,
        ..Terms::default()
    };
    Situation::new(preferences, Cost::material(0.35), Task::default(), terms).unwrap()
}

fn cara(r: f64) -> Preferences {
    Preferences::continuous_cara(r).unwrap()
}

fn kmm(r: f64, alpha: f64) -> Preferences {
    Preferences::smooth_ambiguity(r, alpha).unwrap()
}

/// Standard normal draws by inversion.
fn draws(seed: u64, n: usize) -> Vec<f64> {
    let mut random = Seed::new(seed).stream(0);
    (0..n)
        .map(|_| normal::quantile(random.random::<f64>().max(1e-300)))
        .collect()
}

/// −(1/r) ln of the mean of e^{−r x}, with its standard error (delta method).
fn simulated(r: f64, x: impl Iterator<Item = f64>) -> (f64, f64) {
    let (mut n, mut s, mut s2) = (0.0, 0.0, 0.0);
    for x in x {
        let y = if r > 0.0 { (-r * x).exp() } else { x };
        n += 1.0;
        s += y;
        s2 += y * y;
    }
    let mean: f64 = s / n;
    let se = ((s2 / n - mean * mean) / n).sqrt();
    if r > 0.0 {
        (-mean.ln() / r, se / (r * mean))
    } else {
        (mean, se)
    }
}

#[test]
fn the_check_values_of_the_design_page() {
    let (low, high) = (belief(1.2, 0.2), belief(1.2, 0.8));
    let after = AfterPurchase::without_signal();
    let near = |found: f64, printed: f64, digits: f64| {
        assert!((found - printed).abs() <= 0.5 * digits, "{found} {printed}");
    };
    let three = page(cara(0.3));
    near(after.value(&three, low, 0.0), 0.330, 1e-3);
    near(after.value(&three, high, 0.0), -0.030, 1e-3);
    near(BeforePurchase.value(&three, low, 0.0), 1.0189, 1e-4);
    near(BeforePurchase.value(&three, high, 0.0), 1.0662, 1e-4);
    let four = page(kmm(0.3, 0.8));
    near(after.value(&four, low, 0.0), 0.13, 1e-2);
    near(after.value(&four, high, 0.0), -0.80, 1e-2);
    near(BeforePurchase.value(&four, low, 0.0), 0.948, 1e-3);
    near(BeforePurchase.value(&four, high, 0.0), 0.852, 1e-3);
    let neutral = page(cara(0.0));
    near(BeforePurchase.value(&neutral, low, 0.0), 1.397, 1e-3);
    near(BeforePurchase.value(&neutral, high, 0.0), 1.563, 1e-3);
}

#[test]
fn the_two_laws_of_the_posterior_mean_are_what_simulation_finds() {
    let (prior, ability, n) = (belief(0.4, 0.9), -0.7, 200_000);
    let signals = Signals::new(2, 1.3).unwrap();
    let (z1, z2, z3) = (draws(1, n), draws(2, n), draws(3, n));
    let moments = |of: &dyn Fn(usize) -> f64| {
        let x: Vec<f64> = (0..n).map(of).collect();
        let mean = x.iter().sum::<f64>() / n as f64;
        let variance = x.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n as f64;
        (mean, variance)
    };
    let posterior = |a: f64, i: usize| {
        let average = a + f64::midpoint(z2[i], z3[i]) * 1.3f64.sqrt();
        prior.update(signals, average).mean()
    };
    // The customer thinks the ability is drawn from the belief; in truth it is what it is.
    let own = moments(&|i| posterior(0.4 + 0.9f64.sqrt() * z1[i], i));
    let true_law = moments(&|i| posterior(ability, i));
    let forecast = prior.forecast(signals);
    let objective = prior.objective(ability, signals);
    for (found, mean, variance) in [
        (own, forecast.mean(), forecast.variance()),
        (true_law, objective.mean(), objective.variance()),
    ] {
        let (se_mean, se_variance) = (
            (variance / n as f64).sqrt(),
            variance * (2.0 / n as f64).sqrt(),
        );
        assert!((found.0 - mean).abs() < 4.0 * se_mean, "{found:?} {mean}");
        assert!(
            (found.1 - variance).abs() < 4.0 * se_variance,
            "{found:?} {variance}"
        );
    }
    assert!((forecast.variance() + forecast.posterior_variance() - 0.9).abs() < 1e-15);
}

#[test]
fn gross_values_are_what_simulation_finds() {
    let n = 400_000;
    let (za, zq) = (draws(11, n), draws(12, n));
    let (m, v, e) = (0.4, 0.7, 1.2);
    let task = Task {
        difficulty: 0.6,
        effort_return: 0.5,
    };
    let terms = Terms {
        price: 0.3,
        coupon: 0.1,
        guarantee: 0.9,
        value_success: 2.0,
        value_failure: -0.4,
        taste: 1.1,
        tool: Tool::Share(0.4),
        ..Terms::default()
    };
    let cost = Cost {
        mental: 0.2,
        material: 0.1,
        relief: 0.0,
    };
    let ability = |i: usize| m + f64::sqrt(v) * za[i];
    let quality = |i: usize| ability(i) + 0.5 * 2.2f64.ln() - 0.6 + zq[i];
    let paid = 0.6 * (0.2 * e + 0.1) + 0.2;
    let binary = |i: usize| if quality(i) > 0.0 { 2.0 } else { 0.5 } - paid;
    let continuous = |i: usize| 1.1 * quality(i) + if quality(i) > 0.0 { 0.0 } else { 0.9 } - paid;
    for (preferences, r) in [
        (Preferences::risk_neutral(), 0.0),
        (Preferences::binary_cara(0.8).unwrap(), 0.8),
        (cara(0.6), 0.6),
    ] {
        let situation = Situation::new(preferences, cost, task, terms).unwrap();
        let exact = situation.certainty_equivalent(belief(m, v), e);
        let (found, se) = if preferences.is_binary() {
            simulated(r, (0..n).map(binary))
        } else {
            simulated(r, (0..n).map(continuous))
        };
        assert!(
            (exact - found).abs() < 4.0 * se,
            "{preferences:?}: {exact} {found} ± {se}"
        );
    }
    // Form 4 by two nested quadratures.
    let (r, alpha) = (0.6, 1.7);
    let rule = Adaptive::new().relative_tolerance(1e-12);
    let inner = |a: f64| {
        let mu = a + task.lift(e);
        let integrand = |x: f64| {
            let q = mu + x;
            normal::pdf(x) * (-r * (1.1 * q + if q > 0.0 { 0.0 } else { 0.9 })).exp()
        };
        let kink = (-mu).clamp(-12.0, 12.0);
        let total = rule.integrate(integrand, -13.0, kink).unwrap().value
            + rule.integrate(integrand, kink, 13.0).unwrap().value;
        -total.ln() / r
    };
    let hermite = gauss_hermite_normal(60).unwrap();
    let whole = hermite.integrate(|z| (-alpha * inner(m + v.sqrt() * z)).exp());
    let situation = Situation::new(kmm(r, alpha), cost, task, terms).unwrap();
    let exact = situation.gross(belief(m, v), e);
    assert!(
        (exact + whole.ln() / alpha).abs() < 1e-8,
        "{exact} {}",
        -whole.ln() / alpha
    );
}

#[test]
fn the_option_before_purchase_is_what_simulation_and_quadrature_find() {
    let n = 400_000;
    let z = draws(21, n);
    for r in [0.0, 0.3, 1.5] {
        for v in [0.2, 0.8, 4.0] {
            let sd = f64::sqrt(1.0 + v);
            let payoff = |x: f64| (2.0 * (1.2 + sd * x) - 1.0).max(0.0) - 0.35;
            let exact = BeforePurchase.value(&page(cara(r)), belief(1.2, v), 0.0);
            let (found, se) = simulated(r, z.iter().map(|x| payoff(*x)));
            assert!(
                (exact - found).abs() < 4.0 * se,
                "{r} {v}: {exact} {found} ± {se}"
            );
            let kink = -0.7 / sd;
            let rule = Adaptive::new().relative_tolerance(1e-12);
            let g = |x: f64| {
                normal::pdf(x)
                    * if r > 0.0 {
                        (-r * payoff(x)).exp()
                    } else {
                        payoff(x)
                    }
            };
            let total = rule.integrate(g, -12.0, kink).unwrap().value
                + rule.integrate(g, kink, 14.0).unwrap().value;
            let quadrature = if r > 0.0 { -total.ln() / r } else { total };
            assert!(
                (exact - quadrature).abs() < 1e-8,
                "{r} {v}: {exact} {quadrature}"
            );
        }
    }
    // Form 4: the inner option in closed form, the outer layer by adaptive quadrature.
    for (r, alpha, v) in [
        (0.0, 0.8, 0.8),
        (0.3, 0.8, 0.2),
        (0.3, 5.0, 3.0),
        (0.1, 60.0, 2.0),
        (0.4, 20.0, 0.3),
        (1.0, 1.2, 10.0),
    ] {
        let rule = Adaptive::new()
            .relative_tolerance(1e-12)
            .absolute_tolerance(1e-300);
        let g = |x: f64| {
            let quality = 1.2 + f64::sqrt(v) * x;
            normal::pdf(x) * (-alpha * option(r, 2.0 * quality - 1.0, 2.0)).exp()
        };
        let total: f64 = (-12..12)
            .map(|k| {
                rule.integrate(g, f64::from(k), f64::from(k) + 1.0)
                    .unwrap()
                    .value
            })
            .sum();
        let exact = BeforePurchase.value(&page(kmm(r, alpha)), belief(1.2, v), 0.0);
        let found = -total.ln() / alpha - 0.35;
        assert!(
            (exact - found).abs() < 1e-8,
            "{r} {alpha} {v}: {exact} {found}"
        );
    }
    // Binary: bought after success only.
    let terms = Terms {
        price: 1.0,
        value_success: 3.0,
        value_failure: 0.5,
        ..Terms::default()
    };
    let situation = Situation::new(
        Preferences::binary_cara(0.7).unwrap(),
        Cost::material(0.1),
        Task::default(),
        terms,
    )
    .unwrap();
    let exact = BeforePurchase.value(&situation, belief(0.2, 0.5), 0.0);
    let sd = 1.5f64.sqrt();
    let (found, se) = simulated(
        0.7,
        z.iter()
            .map(|x| if 0.2 + sd * x > 0.0 { 1.9 } else { -0.1 }),
    );
    assert!((exact - found).abs() < 4.0 * se);
    assert!((exact - (lottery(0.7, 0.2 / sd, 2.0, 0.0) - 0.1)).abs() < 1e-14);
}

/// U_A by Gauss–Legendre panels over the forecast, straight from the formula on the page.
fn after_by_quadrature(
    situation: &Situation,
    belief: Belief,
    signals: Signals,
    effort: f64,
) -> f64 {
    let alpha = situation.preferences().ambiguity_aversion();
    let (law, terms) = (belief.forecast(signals), situation.terms());
    let stage = |z: f64| {
        let posterior = law.at(z);
        (situation.gross(posterior, effort) - situation.anticipated_cost(posterior, effort))
            .max(terms.value_abandon)
    };
    let rule = Adaptive::new()
        .relative_tolerance(1e-11)
        .absolute_tolerance(1e-14);
    let g = |z: f64| {
        normal::pdf(z)
            * if alpha > 0.0 {
                (-alpha * stage(z)).exp()
            } else {
                stage(z)
            }
    };
    let total: f64 = (-40..40)
        .map(|k| {
            rule.integrate(g, f64::from(k) / 4.0, f64::from(k + 1) / 4.0)
                .unwrap()
                .value
        })
        .sum();
    let equivalent = if alpha > 0.0 {
        -total.ln() / alpha
    } else {
        total
    };
    equivalent - terms.price_paid()
}

fn many_situations() -> Vec<Situation> {
    let mut all = Vec::new();
    for guarantee in [0.0, 0.6] {
        for (preferences, relief) in [
            (Preferences::risk_neutral(), 0.5),
            (Preferences::binary_cara(0.5).unwrap(), 0.0),
            (cara(0.0), 0.0),
            (cara(0.4), 0.0),
            (kmm(0.4, 1.1), 0.0),
        ] {
            let terms = Terms {
                price: 0.5,
                guarantee,
                value_success: 2.5,
                value_failure: -0.2,
                value_abandon: 0.1,
                taste: 1.4,
                tool: Tool::Share(0.2),
                ..Terms::default()
            };
            let cost = Cost {
                mental: 0.35,
                material: 0.2,
                relief,
            };
            let task = Task {
                difficulty: 0.3,
                effort_return: 0.9,
            };
            all.push(Situation::new(preferences, cost, task, terms).unwrap());
        }
    }
    all
}

#[test]
fn the_interim_signal_after_purchase_agrees_with_quadrature() {
    for situation in many_situations() {
        for (m, v, n, s) in [(0.3, 0.8, 1, 0.5), (-0.5, 2.0, 4, 1.0), (1.0, 0.2, 1, 3.0)] {
            let signals = Signals::new(n, s).unwrap();
            let exact = AfterPurchase::with_signals(signals).value(&situation, belief(m, v), 0.7);
            let found = after_by_quadrature(&situation, belief(m, v), signals, 0.7);
            assert!(
                (exact - found).abs() < 1e-8,
                "{situation:?} {m} {v}: {exact} {found}"
            );
        }
    }
}

fn slopes_are_differences(timing: &impl Timing, situation: &Situation, m: f64, v: f64, h: f64) {
    let at = |m, v| timing.value(situation, belief(m, v), 0.7);
    let slopes = timing.slopes(situation, belief(m, v), 0.7);
    let by_m = (at(m + h, v) - at(m - h, v)) / (2.0 * h);
    let by_v = (at(m, v + h) - at(m, v - h)) / (2.0 * h);
    assert!((slopes.value - at(m, v)).abs() < 1e-12);
    assert!(
        (slopes.by_mean - by_m).abs() < 1e-7,
        "{situation:?} {m} {v}: {slopes:?} {by_m}"
    );
    assert!(
        (slopes.by_variance - by_v).abs() < 1e-7,
        "{situation:?} {m} {v}: {slopes:?} {by_v}"
    );
}

#[test]
fn slopes_of_both_timings_are_the_differences() {
    let h = 1e-5;
    let after = AfterPurchase::with_signals(Signals::new(2, 0.9).unwrap());
    let plain = AfterPurchase::without_signal();
    for situation in many_situations() {
        for (m, v) in [(0.3, 0.8), (-0.9, 1.7), (1.5, 0.1)] {
            slopes_are_differences(&BeforePurchase, &situation, m, v, h);
            slopes_are_differences(&after, &situation, m, v, h);
            slopes_are_differences(&plain, &situation, m, v, h);
        }
    }
}

#[test]
fn extreme_arguments_stay_finite() {
    for r in [0.0, 1e-12, 1.0, 1e3] {
        for alpha in [r, r + 0.5, r + 50.0] {
            for m in [-1e4, -50.0, 0.0, 50.0, 1e4] {
                for v in [0.0, 1e-9, 1.0, 1e3] {
                    let situation = page(kmm(r, alpha));
                    let before = BeforePurchase.value(&situation, belief(m, v), 0.0);
                    assert!(
                        before.is_finite() && before >= -0.35 - 1e-9,
                        "{r} {alpha} {m} {v}: {before}"
                    );
                    let signals = Signals::new(1, 0.5).unwrap();
                    let after =
                        AfterPurchase::with_signals(signals).value(&situation, belief(m, v), 0.0);
                    assert!(
                        after.is_finite() && after >= -0.8 - 1e-9,
                        "{r} {alpha} {m} {v}: {after}"
                    );
                }
            }
        }
    }
}

/// The best effort by brute force.
fn brute(timing: &impl Timing, situation: &Situation, b: Belief) -> f64 {
    let value = |e: f64| timing.value(situation, b, e);
    let (mut best, mut highest) = (0.0, value(0.0));
    for k in 1..20_000 {
        let e = f64::from(k) * 1e-3;
        if value(e) > highest {
            (best, highest) = (e, value(e));
        }
    }
    best
}

#[test]
fn the_chosen_effort_is_the_best_of_a_fine_grid() {
    let after = AfterPurchase::without_signal();
    for situation in many_situations() {
        // Going through is always better than giving up, so that U_A is the work's value.
        let terms = Terms {
            value_abandon: -1e3,
            ..situation.terms()
        };
        let situation = situation.with_terms(terms).unwrap();
        for (m, v) in [(0.3, 0.8), (-1.2, 0.3), (1.5, 0.1), (-3.0, 2.0)] {
            let b = belief(m, v);
            let (found, exact) = (
                after.best_effort(&situation, b),
                brute(&after, &situation, b),
            );
            assert!(
                (found - exact).abs() < 1.1e-3,
                "{situation:?} {m} {v}: {found} {exact}"
            );
            let (found, exact) = (
                BeforePurchase.best_effort(&situation, b),
                brute(&BeforePurchase, &situation, b),
            );
            assert!(
                (found - exact).abs() < 1.1e-3,
                "{situation:?} {m} {v}: {found} {exact}"
            );
            let choice = after.effort_choice(&situation, b).unwrap();
            assert!(
                (choice.effort - after.best_effort(&situation, b)).abs()
                    < 1e-9 * (1.0 + choice.effort)
            );
            if choice.corner {
                assert!(choice.local_optima[0].slope <= 0.0);
            } else {
                assert!(choice.second_derivative < 0.0);
            }
        }
    }
}

#[test]
fn giving_up_and_working_hard_can_both_be_locally_best() {
    let terms = Terms {
        value_success: 4.0,
        ..Terms::default()
    };
    let at = |mental: f64, guarantee: f64| {
        let cost = Cost {
            mental,
            material: 0.0,
            relief: 0.0,
        };
        let task = Task {
            difficulty: 2.0,
            effort_return: 2.0,
        };
        let terms = Terms { guarantee, ..terms };
        let situation = Situation::new(Preferences::risk_neutral(), cost, task, terms).unwrap();
        AfterPurchase::without_signal()
            .effort_choice(&situation, belief(0.0, 0.2))
            .unwrap()
    };
    // V − L = 4, ∂π/∂e at zero = φ(−2/√1.2)·2/√1.2 ≈ .1376: a cost a little above .55 leaves two.
    let cheap = at(0.3, 0.0);
    assert_eq!(cheap.local_optima.len(), 1);
    assert!(!cheap.corner);
    let two = at(0.7, 0.0);
    assert_eq!(two.local_optima.len(), 2);
    assert!(two.local_optima[0].effort <= 0.0 && two.local_optima[1].effort > 0.5);
    assert!(at(5.0, 0.0).corner);
    // Moral hazard: a guarantee lowers effort until the customer gives up.
    assert!(at(0.3, 1.0).effort < cheap.effort);
    assert!(at(0.3, 3.9).corner);
    // Free and useful effort has no limit.
    let free = Cost::material(0.0);
    let task = Task {
        difficulty: 0.0,
        effort_return: 1.0,
    };
    let situation = Situation::new(Preferences::risk_neutral(), free, task, terms).unwrap();
    let after = AfterPurchase::without_signal();
    assert!(after.effort_choice(&situation, belief(0.0, 1.0)).is_err());
    assert_eq!(
        after.best_effort(&situation, belief(0.0, 1.0)),
        f64::INFINITY
    );
}

#[test]
fn hold_up_taxes_effort_and_commitment_cures_it() {
    for (m, v, r, gamma, material, k) in [
        (0.5, 0.5, 0.1, 1.0, 0.05, 0.2),
        (0.0, 1.0, 0.3, 2.0, 0.1, 0.0),
        (1.0, 0.1, 0.0, 0.6, 0.3, 0.5),
    ] {
        let cost = Cost {
            mental: 0.4,
            material,
            relief: 0.0,
        };
        let task = Task {
            difficulty: 0.0,
            effort_return: gamma,
        };
        let terms = Terms {
            taste: 2.0,
            outside: 0.1,
            ..Terms::default()
        };
        let situation = Situation::new(cara(r), cost, task, terms).unwrap();
        let game = HoldUp::solve(&situation, belief(m, v), k).unwrap();
        assert!(game.commitment.profit >= game.hold_up.profit);
        assert!(game.commitment.effort >= game.hold_up.effort);
        // No other price does better with the hold-up effort sunk.
        let tau = 2.0 * (1.0 + v).sqrt();
        let profit = |p: f64| {
            let mu = m + task.lift(game.hold_up.effort);
            (p - k) * normal::cdf((2.0 * mu - 0.1 - p) / tau)
        };
        for step in [-0.01, 0.01] {
            assert!(profit(game.hold_up.price) > profit(game.hold_up.price + step));
        }
    }
    // Cost that the held-up customer cannot recover: nobody starts, although at a committed price they would.
    let cost = Cost {
        mental: 0.4,
        material: 0.75,
        relief: 0.0,
    };
    let task = Task {
        difficulty: 0.0,
        effort_return: 1.0,
    };
    let terms = Terms {
        taste: 2.0,
        ..Terms::default()
    };
    let situation = Situation::new(cara(0.0), cost, task, terms).unwrap();
    let game = HoldUp::solve(&situation, belief(0.5, 0.5), 0.2).unwrap();
    assert!(!game.hold_up.starts && game.commitment.starts, "{game:?}");
    let binary = Situation::new(Preferences::risk_neutral(), cost, task, terms).unwrap();
    assert!(HoldUp::solve(&binary, belief(0.5, 0.5), 0.2).is_err());
}

#[test]
fn figures_are_drawn() {
    let signals = Signals::new(2, 0.7).unwrap();
    assert!(
        updating_figure(belief(0.0, 1.0), signals, 0.4)
            .unwrap()
            .to_svg()
            .contains("prior")
    );
    assert!(updating_figure(belief(0.0, 1.0), Signals::NONE, 0.4).is_err());
    assert!(path_figure(belief(0.0, 1.0), signals, &[0.3, 1.0, 0.8], Some(0.5)).is_ok());
    assert!(path_figure(belief(0.0, 1.0), signals, &[f64::NAN], None).is_err());
    let situation = page(cara(0.3));
    let plot =
        ParticipationPlot::new(situation, belief(0.5, 0.8), signals).shock(TasteShock::Logit(0.3));
    assert!(plot.against_ability().is_ok());
    assert!(
        plot.against_uncertainty(0.2, 2.0)
            .unwrap()
            .to_svg()
            .contains("before purchase")
    );
    assert!(plot.against_uncertainty(0.2, -2.0).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn at_a_fixed_mean_less_uncertainty_helps_those_above_the_bar_only(mu in -3.0..3.0f64, v in 0.05..3.0f64, cut in 0.1..0.9f64) {
        let situation = page(Preferences::risk_neutral());
        let wide = situation.believed_success(belief(mu, v), 0.0);
        let narrow = situation.believed_success(belief(mu, v * cut), 0.0);
        prop_assert!((narrow - wide) * mu >= 0.0);
    }

    #[test]
    fn information_leaves_the_calibrated_mean_success_and_lifts_those_below(m in -1.5..1.5f64, v in 0.3..3.0f64, s in 0.1..1.0f64, n in 1u32..5) {
        let terms = Terms { value_success: 1.0, price: 0.5, ..Terms::default() };
        let situation = Situation::new(Preferences::risk_neutral(), Cost::material(0.1), Task::default(), terms).unwrap();
        let (prior, signals) = (belief(m, v), Signals::new(n, s).unwrap());
        let forecast = prior.forecast(signals);
        let mean = forecast.expect(|b| (situation.believed_success(b, 0.0), true));
        prop_assert!((mean - situation.believed_success(prior, 0.0)).abs() < 1e-10);
        let after = AfterPurchase::without_signal();
        let enters = |b: Belief| after.surplus(&situation, b, 0.0) > 0.0;
        let share = forecast.expect(|b| (f64::from(u8::from(enters(b))), enters(b)));
        if enters(prior) { prop_assert!(share < 1.0) } else { prop_assert!(share > 0.0) }
    }

    #[test]
    fn after_purchase_uncertainty_never_helps_without_a_signal(m in -2.0..3.0f64, v in 0.0..3.0f64, more in 0.01..3.0f64, r in 0.0..2.0f64, extra in 0.0..2.0f64) {
        let after = AfterPurchase::without_signal();
        for preferences in [cara(r), kmm(r, r + extra)] {
            let situation = page(preferences);
            prop_assert!(after.value(&situation, belief(m, v + more), 0.0) <= after.value(&situation, belief(m, v), 0.0));
        }
    }

    #[test]
    fn before_purchase_uncertainty_helps_the_risk_neutral(m in -2.0..3.0f64, v in 0.0..3.0f64, more in 0.01..3.0f64) {
        let situation = page(cara(0.0));
        prop_assert!(BeforePurchase.value(&situation, belief(m, v + more), 0.0) > BeforePurchase.value(&situation, belief(m, v), 0.0));
    }

    #[test]
    fn signals_are_worth_something_only_when_acted_on(m in -1.0..2.0f64, v in 0.05..3.0f64, s in 0.1..3.0f64, which in 0usize..10, effort in 0.0..2.0f64) {
        let situation = many_situations()[which];
        let (prior, one, more) = (belief(m, v), Signals::new(1, s).unwrap(), Signals::new(3, s).unwrap());
        let voi = |signals, situation: &Situation| AfterPurchase::with_signals(signals).value_of_information(situation, prior, effort);
        prop_assert!(voi(one, &situation) >= -1e-9);
        prop_assert!(voi(more, &situation) >= voi(one, &situation) - 1e-9);
        let bound = Terms { value_abandon: -1e4, ..situation.terms() };
        let bound = situation.with_terms(bound).unwrap();
        prop_assert!(voi(more, &bound).abs() < 1e-8, "{}", voi(more, &bound));
        prop_assert!(AfterPurchase::with_signals(one).option_value(&situation, prior, effort) >= -1e-9);
        let before_entry = AfterPurchase::without_signal().value_of_signal(&situation, prior, effort, one);
        prop_assert!(before_entry >= -1e-9);
    }

    #[test]
    fn a_signal_before_entry_that_cannot_change_it_is_worthless(v in 0.05..1.0f64, s in 0.5..3.0f64) {
        // Never worth entering: the price is out of reach.
        let situation = page(cara(0.4));
        let dear = situation.with_terms(Terms { price: 1e4, ..situation.terms() }).unwrap();
        let signals = Signals::new(1, s).unwrap();
        prop_assert!(BeforePurchase.value_of_signal(&dear, belief(0.0, v), 0.0, signals) >= -1e-12);
        let after = AfterPurchase::without_signal();
        prop_assert!(after.value_of_signal(&dear, belief(0.0, v), 0.0, signals).abs() < 1e-12);
    }

    #[test]
    fn guarantee_coupon_and_tool_never_hurt_and_the_guarantee_lowers_effort(m in -1.0..2.0f64, v in 0.05..2.0f64, which in 0usize..5, by in 0.01..0.6f64) {
        let plain = many_situations()[which];
        let (b, terms, after) = (belief(m, v), plain.terms(), AfterPurchase::without_signal());
        let value = |terms: Terms| after.value(&plain.with_terms(terms).unwrap(), b, 0.8);
        let base = value(terms);
        let (insured, cheaper, tooled) = (
            value(Terms { guarantee: by, ..terms }),
            value(Terms { coupon: by, ..terms }),
            value(Terms { tool: Tool::Share(0.2 + by), ..terms }),
        );
        prop_assert!(insured >= base && tooled >= base);
        prop_assert!((cheaper - base - by).abs() < 1e-12);
        let eased = |d: f64| value(Terms { tool: Tool::Difficulty(d), ..terms });
        prop_assert!(eased(by) >= eased(0.0));
        let effort = |guarantee: f64| after.best_effort(&plain.with_terms(Terms { guarantee, ..terms }).unwrap(), b);
        prop_assert!(effort(by) <= effort(0.0) + 1e-9, "{} {}", effort(by), effort(0.0));
    }

    #[test]
    fn anticipated_cost_is_the_mean_of_the_realised(m in -2.0..2.0f64, v in 0.0..2.0f64, kappa in 0.0..1.5f64, e in 0.0..4.0f64) {
        let cost = Cost { mental: 0.7, material: 0.2, relief: kappa };
        let mean = gauss_hermite_normal(60).unwrap().integrate(|z| cost.realised(m + v.sqrt() * z, e));
        let anticipated = cost.anticipated(belief(m, v), e);
        prop_assert!((mean - anticipated).abs() < 1e-9 * anticipated);
    }

    #[test]
    fn best_effort_beats_any_other(m in -2.0..2.0f64, v in 0.05..2.0f64, which in 0usize..10, e in 0.0..8.0f64, s in 0.2..2.0f64) {
        let situation = many_situations()[which];
        let b = belief(m, v);
        for signals in [Signals::NONE, Signals::new(1, s).unwrap()] {
            let after = AfterPurchase::with_signals(signals);
            prop_assert!(after.value_at_best_effort(&situation, b) >= after.value(&situation, b, e) - 1e-9);
        }
        prop_assert!(BeforePurchase.value_at_best_effort(&situation, b) >= BeforePurchase.value(&situation, b, e) - 1e-9);
    }
}

#[test]
fn before_purchase_uncertainty_may_hurt_the_risk_averse() {
    let situation = page(cara(3.0));
    let at = |v: f64| BeforePurchase.value(&situation, belief(1.2, v), 0.0);
    assert!(at(0.8) < at(0.2), "{} {}", at(0.8), at(0.2));
}

#[test]
fn education_keeps_its_three_channels_apart() {
    let prior = belief(0.2, 0.8);
    let productive = Education::new(0, 1.0, 0.5, 0.0).unwrap();
    assert_eq!(productive.ability(1.0), 1.5);
    assert_eq!(productive.belief(prior, 0.0), belief(0.7, 0.8));
    let persuasive = Education::new(0, 1.0, 0.0, 0.5).unwrap();
    assert_eq!(persuasive.ability(1.0), 1.0);
    assert_eq!(persuasive.belief(prior, 0.0), belief(0.7, 0.8));
    let informative = Education::new(2, 1.0, 0.0, 0.0).unwrap();
    assert_eq!(informative.ability(1.0), 1.0);
    assert!(informative.belief(prior, 0.2).variance() < 0.8);
    // The objective law moves towards the truth by information, and by all of a persuasion.
    let all = Education::new(2, 1.0, 0.3, 0.4).unwrap();
    let law = all.objective(prior, -1.0);
    let gain = prior.gain(all.signals);
    assert!((law.mean() - (0.5 + gain * (-0.7 - 0.5) + 0.4)).abs() < 1e-15);
}

#[test]
fn participation_given_ability_follows_the_objective_law() {
    let abandon = page(cara(0.3));
    // Going through is always better than giving up: the surplus is linear in m'.
    let situation = abandon
        .with_terms(Terms {
            value_abandon: -1e3,
            ..abandon.terms()
        })
        .unwrap();
    let (prior, signals) = (belief(0.5, 0.8), Signals::new(2, 1.1).unwrap());
    let after = AfterPurchase::without_signal();
    // Entering is linear in m': a closed form.
    for ability in [-1.0, 0.4, 2.0] {
        let law = prior.objective(ability, signals);
        let posterior = law.posterior_variance();
        let threshold = 0.5 * (1.35 + 0.6 * (1.0 + posterior));
        let exact = normal::sf((threshold - law.mean()) / law.variance().sqrt());
        let found = after.participation_given_ability(&situation, law, 0.0, TasteShock::None);
        assert!((found - exact).abs() < 1e-10, "{found} {exact}");
        // Surplus has slope θ = 2 in m', so a probit shock of sd .5 adds to its noise.
        let sd = (4.0 * law.variance() + 0.25).sqrt();
        let smooth =
            after.participation_given_ability(&situation, law, 0.0, TasteShock::Probit(0.5));
        let surplus = 2.0 * (law.mean() - threshold);
        let exact = normal::cdf(surplus / sd);
        assert!((smooth - exact).abs() < 1e-9, "{smooth} {exact}");
    }
}
