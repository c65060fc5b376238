//! Group-sequential designs at work: simulated experiments, unplanned information, closed forms, bad input.

use cocreate::numeric::{Seed, blocks, permutation::open_unit, special::normal};
use cocreate::prelude::*;
use rand::Rng;

/// A standard normal draw.
fn draw(generator: &mut impl Rng) -> f64 {
    normal::quantile(open_unit(generator.next_u64()))
}

fn close(found: f64, expected: f64, tolerance: f64) {
    assert!((found - expected).abs() <= tolerance, "{found} {expected}");
}

fn spending(function: SpendingFunction) -> EfficacyBoundary {
    EfficacyBoundary::Spending(function)
}

#[test]
fn a_hundred_thousand_experiments_stop_as_often_as_the_design_says() {
    const RUNS: usize = 100_000;
    let started = std::time::Instant::now();
    let one_sided = GroupSequential::new(5)
        .alpha(0.025)
        .power(0.9)
        .alternative(Alternative::Greater)
        .efficacy(spending(SpendingFunction::OBrienFleming))
        .futility(SpendingFunction::HwangShihDeCani(-2.0));
    let two_sided = GroupSequential::fractions([0.3, 0.5, 1.0]).efficacy(EfficacyBoundary::Pocock);
    for design in [
        one_sided.design().unwrap(),
        one_sided.binding(true).design().unwrap(),
        two_sided.design().unwrap(),
        two_sided
            .futility(SpendingFunction::KimDeMets(2.0))
            .design()
            .unwrap(),
    ] {
        let both = design.alternative == Alternative::TwoSided;
        for (effect, seed) in [(0.0, 1), (0.5, 2), (1.0, 3), (-0.4, 4)] {
            // Counts of stops by look: for an effect, on the other side, without an effect.
            let looks = design.looks.len();
            let counts = blocks::reduce(
                RUNS,
                10_000,
                |runs| {
                    let mut counts = vec![[0_u32; 3]; looks];
                    let mut draws = Seed::new(seed).stream(runs.start as u64);
                    for _ in runs {
                        let (mut score, mut time) = (0.0, 0.0);
                        for (k, look) in design.looks.iter().enumerate() {
                            let step = look.fraction - time;
                            time = look.fraction;
                            score += effect * design.drift * step + step.sqrt() * draw(&mut draws);
                            let z = score / time.sqrt();
                            let size = if both { z.abs() } else { z };
                            let ended = if size >= look.efficacy {
                                usize::from(z < 0.0)
                            } else if k + 1 == looks || look.futility.is_some_and(|f| size <= f) {
                                2
                            } else {
                                continue;
                            };
                            counts[k][ended] += 1;
                            break;
                        }
                    }
                    counts
                },
                |all, part| {
                    for (all, part) in all.iter_mut().zip(part) {
                        for (all, part) in all.iter_mut().zip(part) {
                            *all += part;
                        }
                    }
                },
            )
            .unwrap();
            let says = design.stopping(effect).unwrap();
            for (k, counts) in counts.iter().enumerate() {
                for (found, p) in
                    counts
                        .iter()
                        .zip([says.efficacy[k], says.opposite[k], says.no_effect[k]])
                {
                    // Five binomial standard errors: 128 comparisons.
                    let error = 5.0 * (p * (1.0 - p) / RUNS as f64).sqrt() + 1e-5;
                    close(f64::from(*found) / RUNS as f64, p, error);
                }
            }
            let total: f64 = says
                .efficacy
                .iter()
                .chain(&says.opposite)
                .chain(&says.no_effect)
                .sum();
            close(total, 1.0, 1e-12);
        }
    }
    println!("16 times 100 000 experiments in {:.2?}", started.elapsed());
}

/// What many analysed experiments found.
#[derive(Clone, Copy, Default)]
struct Found {
    runs: f64,
    rejected: f64,
    covered: f64,
    above: f64,
    naive: f64,
    adjusted: f64,
    squares: f64,
}

impl Found {
    fn add(&mut self, other: Self) {
        self.runs += other.runs;
        self.rejected += other.rejected;
        self.covered += other.covered;
        self.above += other.above;
        self.naive += other.naive;
        self.adjusted += other.adjusted;
        self.squares += other.squares;
    }
}

/// Experiments with an effect (as a multiple of the design's) whose information comes at other fractions than planned.
fn analysed(design: &GroupSequentialDesign, effect: f64, fractions: &[f64], runs: usize) -> Found {
    let information = design.information(1.0).unwrap();
    let mut all = Found::default();
    let parts = blocks::map(runs, |run| {
        let mut draws = Seed::new(11).stream(run as u64);
        let mut monitor = design.monitor(information).unwrap();
        let (mut score, mut before) = (0.0, 0.0);
        for (k, t) in fractions.iter().enumerate() {
            score += effect * design.drift * (t - before) + (t - before).sqrt() * draw(&mut draws);
            before = *t;
            let (estimate, error) = (score / t / design.drift, 1.0 / (t * information).sqrt());
            let look = if k + 1 == fractions.len() {
                monitor.last_look(estimate, error)
            } else {
                monitor.look(estimate, error)
            };
            if look.unwrap().decision != SequentialDecision::Continue {
                break;
            }
        }
        let result = monitor.analysis(0.9).unwrap();
        let rejected = result.decision == SequentialDecision::Efficacy;
        assert_eq!(
            rejected,
            result.p_value <= design.alpha * (1.0 + 1e-9),
            "{result}"
        );
        let adjusted = result.bias_adjusted.unwrap();
        Found {
            runs: 1.0,
            rejected: f64::from(u8::from(rejected)),
            covered: f64::from(u8::from(
                result.interval.lower <= effect && effect <= result.interval.upper,
            )),
            above: f64::from(u8::from(result.median_unbiased > effect)),
            naive: result.estimate - effect,
            adjusted: adjusted - effect,
            squares: (adjusted - effect).powi(2),
        }
    });
    for part in parts {
        all.add(part);
    }
    all
}

#[test]
fn stage_wise_intervals_cover_and_medians_are_unbiased() {
    const RUNS: usize = 600;
    let two_sided = GroupSequential::new(3)
        .power(0.9)
        .efficacy(EfficacyBoundary::Pocock)
        .design()
        .unwrap();
    let futile = GroupSequential::new(3)
        .alpha(0.05)
        .power(0.9)
        .alternative(Alternative::Greater)
        .efficacy(spending(SpendingFunction::Pocock))
        .futility(SpendingFunction::Pocock);
    let binding = futile.clone().binding(true).design().unwrap();
    let free = futile.design().unwrap();
    let wedge = GroupSequential::new(3)
        .power(0.9)
        .efficacy(spending(SpendingFunction::Pocock))
        .futility(SpendingFunction::Pocock);
    let bound_wedge = wedge.clone().binding(true).design().unwrap();
    let wedge = wedge.design().unwrap();
    for (design, effect, fractions) in [
        (&wedge, 1.0, [0.35, 0.7, 1.0]),
        (&bound_wedge, 0.3, [0.35, 0.7, 1.0]),
        (&two_sided, 0.0, [0.25, 0.7, 1.0]),
        (&two_sided, 0.8, [0.4, 0.6, 1.1]),
        (&binding, 0.0, [0.25, 0.7, 0.9]),
        (&binding, 0.7, [0.3, 0.7, 1.0]),
        (&free, 0.4, [0.3, 0.7, 1.0]),
    ] {
        let found = analysed(design, effect, &fractions, RUNS);
        let share = |count: f64| count / found.runs;
        // Four binomial standard errors.
        let error = |p: f64| 4.0 * (p * (1.0 - p) / found.runs).sqrt();
        close(share(found.covered), 0.9, error(0.9));
        close(share(found.above), 0.5, error(0.5));
        if effect == 0.0 {
            assert!(share(found.rejected) <= design.alpha + error(design.alpha));
        }
        if effect == 0.8 {
            // Stops for an effect make the estimate too large; the adjusted one less so.
            let bias = share(found.naive);
            let noise = (found.squares / found.runs / found.runs).sqrt();
            assert!(
                bias > 3.0 * noise && share(found.adjusted).abs() < bias - noise,
                "{bias} {noise}"
            );
        }
    }
}

#[test]
fn information_that_was_not_planned_spends_what_it_may() {
    // The same fractions as planned: the same bounds, for boundaries that are defined by spending and for others.
    for efficacy in [
        EfficacyBoundary::OBrienFleming,
        EfficacyBoundary::WangTsiatis(0.3),
        EfficacyBoundary::HaybittlePeto(3.0),
        spending(SpendingFunction::HwangShihDeCani(-3.0)),
    ] {
        let design = GroupSequential::new(4)
            .efficacy(efficacy)
            .futility(SpendingFunction::KimDeMets(2.0))
            .design()
            .unwrap();
        let mut monitor = design.monitor(100.0).unwrap();
        for look in &design.looks {
            // Between the bounds, which meet at the last look.
            let middle = 0.5 * (look.efficacy + look.futility.unwrap()) - 0.01;
            let se = 1.0 / (100.0 * look.fraction).sqrt();
            let taken = monitor.look(middle * se, se).unwrap();
            close(taken.efficacy, look.efficacy, 1e-8);
            close(taken.futility.unwrap(), look.futility.unwrap(), 1e-6);
        }
        assert_eq!(monitor.looks()[3].decision, SequentialDecision::End);
        close(monitor.looks()[3].alpha_spent, 0.05, 1e-9);
    }
    // Other fractions, more looks, the last beyond the maximum: the level is spent, and a new design at these fractions of the actual maximum
    // with the same spending has the same first bounds.
    let design = GroupSequential::new(3)
        .efficacy(spending(SpendingFunction::Pocock))
        .design()
        .unwrap();
    let mut monitor = design.monitor(100.0).unwrap();
    for t in [0.1, 0.25, 0.5, 0.9] {
        monitor.look(0.0, 1.0 / (100.0_f64 * t).sqrt()).unwrap();
    }
    let last = monitor.last_look(0.0, 1.0 / 120.0_f64.sqrt()).unwrap();
    close(last.alpha_spent, 0.05, 1e-12);
    let same = GroupSequential::fractions([0.1, 0.25, 0.5, 0.9, 1.0])
        .efficacy(spending(SpendingFunction::Pocock))
        .design()
        .unwrap();
    for k in 0..4 {
        close(monitor.looks()[k].efficacy, same.looks[k].efficacy, 1e-9);
    }
    // More information at the end than at one: less correlation, a higher bound.
    assert!(last.efficacy > same.looks[4].efficacy);
}

#[test]
fn closed_forms() {
    // One look is the fixed test.
    for alternative in [Alternative::TwoSided, Alternative::Greater] {
        let design = GroupSequential::new(1)
            .power(0.9)
            .alternative(alternative)
            .design()
            .unwrap();
        let tail = if alternative == Alternative::TwoSided {
            0.025
        } else {
            0.05
        };
        close(
            design.looks[0].efficacy,
            normal::upper_quantile(tail),
            1e-10,
        );
        close(design.inflation, 1.0, 1e-10);
        let planner = MeanPower::new(2.0).effect(0.3).alternative(alternative);
        let plan = design.sample_size(&planner).unwrap();
        close(
            plan.maximum_size / planner.sample_size(0.9).unwrap().size,
            1.0,
            1e-10,
        );
        let mut monitor = design.monitor(25.0).unwrap();
        monitor.look(0.5, 0.2).unwrap();
        let result = monitor.analysis(0.95).unwrap();
        let half = 0.2 * normal::upper_quantile(0.025);
        close(result.median_unbiased, 0.5, 1e-9);
        close(result.bias_adjusted.unwrap(), 0.5, 1e-9);
        close(result.interval.lower, 0.5 - half, 1e-9);
        close(result.interval.upper, 0.5 + half, 1e-9);
        close(
            result.p_value,
            normal::sf(2.5) * tail / 0.025 * if tail < 0.03 { 2.0 } else { 0.5 },
            1e-12,
        );
    }
    // Conditional and predictive power with one look to come: of B(1) given B(t) = x, with drift θ or θ ~ N(x/t, 1/t).
    let design = GroupSequential::new(2)
        .alternative(Alternative::Greater)
        .design()
        .unwrap();
    let mut monitor = design.monitor(100.0).unwrap();
    monitor.look(0.12, 1.0 / 50.0_f64.sqrt()).unwrap();
    let (t, bound): (f64, f64) = (0.5, design.looks[1].efficacy);
    let x = 0.12 * 50.0_f64.sqrt() * t.sqrt();
    let expected = normal::cdf((x + 2.0 * (1.0 - t) - bound) / (1.0 - t).sqrt());
    close(monitor.conditional_power(0.2).unwrap(), expected, 1e-10);
    let expected = normal::cdf((x / t - bound) / ((1.0 - t) / t).sqrt());
    close(monitor.predictive_power().unwrap(), expected, 1e-8);
    // Effects at the bounds: those that the monitor would stop at.
    let effects = design.efficacy_effects(0.2).unwrap();
    let mut at = design.monitor(design.information(0.2).unwrap()).unwrap();
    let se = 1.0 / (0.5 * design.information(0.2).unwrap()).sqrt();
    assert_eq!(
        at.look(effects[0] * (1.0 - 1e-9), se).unwrap().decision,
        SequentialDecision::Continue
    );
    let mut at = design.monitor(design.information(0.2).unwrap()).unwrap();
    assert_eq!(
        at.look(effects[0] * (1.0 + 1e-9), se).unwrap().decision,
        SequentialDecision::Efficacy
    );
}

#[test]
fn data_after_a_stop_and_stops_that_are_overruled() {
    let design = GroupSequential::new(3).power(0.9).design().unwrap();
    let mut monitor = design.monitor(100.0).unwrap();
    let first = monitor.look(0.8, 1.0 / 33.0_f64.sqrt()).unwrap();
    assert_eq!(first.decision, SequentialDecision::Efficacy);
    assert!(monitor.look(0.8, 0.12).is_err() && monitor.last_look(0.8, 0.1).is_err());
    assert!(
        monitor.overrun(0.7, 0.3).is_err(),
        "less information than at the stop"
    );
    monitor.overrun(0.7, 0.16).unwrap();
    // The first look stopped, so all data are those of one look.
    let result = monitor.analysis(0.95).unwrap();
    close(result.median_unbiased, 0.7, 1e-9);
    close(
        result.interval.lower,
        0.7 - 0.16 * normal::upper_quantile(0.025),
        1e-9,
    );
    assert_eq!(
        (result.bias_adjusted, result.decision),
        (None, SequentialDecision::Efficacy)
    );

    let futile = GroupSequential::new(3)
        .alternative(Alternative::Greater)
        .efficacy(spending(SpendingFunction::OBrienFleming))
        .futility(SpendingFunction::Pocock);
    let free = futile.design().unwrap();
    let mut monitor = free.monitor(100.0).unwrap();
    let se = |t: f64| 1.0 / (100.0 * t).sqrt();
    assert_eq!(
        monitor.look(0.0, se(0.3)).unwrap().decision,
        SequentialDecision::Futility
    );
    assert!(monitor.analysis(0.9).unwrap().p_value > 0.3);
    assert!(monitor.conditional_power(0.25).unwrap() < 0.8);
    let second = monitor.look(0.3, se(0.7)).unwrap();
    assert_eq!(second.decision, SequentialDecision::Efficacy);
    // The level did not count on the stop: the bounds are those without futility.
    let plain = GroupSequential::new(3)
        .alternative(Alternative::Greater)
        .efficacy(spending(SpendingFunction::OBrienFleming))
        .design()
        .unwrap();
    let mut without = plain.monitor(100.0).unwrap();
    without.look(0.0, se(0.3)).unwrap();
    close(
        second.efficacy,
        without.look(0.3, se(0.7)).unwrap().efficacy,
        1e-12,
    );
    let (a, b) = (
        monitor.analysis(0.9).unwrap(),
        without.analysis(0.9).unwrap(),
    );
    close(a.p_value, b.p_value, 1e-14);
    close(a.median_unbiased, b.median_unbiased, 1e-9);
    assert!(monitor.to_string().contains("overruled"));

    let mut bound = futile
        .binding(true)
        .design()
        .unwrap()
        .monitor(100.0)
        .unwrap();
    bound.look(0.0, se(0.3)).unwrap();
    let refused = bound.look(0.3, se(0.7)).unwrap_err().to_string();
    assert!(
        refused.contains("stopped at look 1") && refused.contains(".overrun"),
        "{refused}"
    );
}

#[test]
fn sizes_days_and_an_experiment() {
    let design = GroupSequential::new(4)
        .power(0.9)
        .alternative(Alternative::Greater)
        .futility(SpendingFunction::KimDeMets(2.0))
        .design()
        .unwrap();
    let planner = ProportionPower::new(0.1)
        .effect(0.01)
        .alternative(Alternative::Greater);
    let plan = design.sample_size(&planner).unwrap();
    close(plan.maximum_size, plan.fixed.size * design.inflation, 1e-6);
    assert!(
        plan.expected_sizes
            .iter()
            .all(|size| *size < plan.fixed.size)
    );
    close(
        plan.days(1000.0).unwrap()[3],
        plan.maximum_size / 1000.0,
        1e-9,
    );
    assert!(plan.days(0.0).is_err());
    // A margin moves the null value: bounds are effects on the outcome's scale.
    let margin = MeanPower::new(1.0)
        .effect(0.0)
        .non_inferiority(-0.1)
        .alpha(0.05);
    let guarded = design.sample_size(&margin).unwrap();
    assert!(
        guarded.looks[3].efficacy_effect.unwrap() < 0.0
            && guarded.looks[3].efficacy_effect.unwrap() > -0.1
    );
    // Level and claim must be those of the design.
    for wrong in [
        planner.clone().alpha(0.1),
        planner.clone().alternative(Alternative::TwoSided),
        planner.clone().alternative(Alternative::Less).effect(-0.01),
    ] {
        assert!(matches!(
            design.sample_size(&wrong),
            Err(Error::InvalidOption { .. })
        ));
    }
    assert!(
        design
            .sample_size(&MeanPower::new(1.0).equivalence(-0.1, 0.1).effect(0.0))
            .is_err()
    );

    let mut draws = Seed::new(5).stream(0);
    let arms: Vec<&str> = (0..800)
        .map(|i| if i % 2 == 0 { "control" } else { "tool" })
        .collect();
    let spend: Vec<f64> = (0..800)
        .map(|i| draw(&mut draws) + if i % 2 == 0 { 0.0 } else { 0.6 })
        .collect();
    let frame = Frame::new()
        .with("arm", arms)
        .unwrap()
        .with("spend", spend)
        .unwrap();
    let fit = Experiment::new("arm", "control")
        .metric(Metric::mean("spend"))
        .analyze(&frame)
        .unwrap();
    let effect = fit.effect("spend", "tool").unwrap();
    let mut monitor = design.monitor(design.information(0.3).unwrap()).unwrap();
    let refused = monitor.look_at(effect).unwrap_err().to_string();
    assert!(refused.contains(".last_look"), "{refused}");
    let mut monitor = design.monitor(design.information(0.2).unwrap()).unwrap();
    let look = monitor.look_at(effect).unwrap();
    assert_eq!(look.decision, SequentialDecision::Efficacy);
    close(look.statistic, effect.difference.statistic(0.0), 1e-12);
}

#[test]
fn bad_input_is_refused_with_a_remedy() {
    let option = |result: Result<GroupSequentialDesign, Error>| match result {
        Err(Error::InvalidOption { option, .. }) => option,
        other => panic!("{other:?}"),
    };
    let plain = || GroupSequential::new(3);
    assert_eq!(option(GroupSequential::new(0).design()), "looks");
    assert_eq!(option(GroupSequential::new(101).design()), "looks");
    for fractions in [
        vec![0.5, 0.4, 1.0],
        vec![0.5, 0.5, 1.0],
        vec![0.5, 1.2],
        vec![0.0, 1.0],
        vec![0.5, 0.9],
        vec![f64::NAN, 1.0],
        vec![-0.5, 1.0],
    ] {
        assert_eq!(
            option(GroupSequential::fractions(fractions).design()),
            "fractions"
        );
    }
    for alpha in [0.0, -1.0, 0.5, f64::NAN] {
        assert_eq!(option(plain().alpha(alpha).design()), "alpha");
    }
    for power in [0.05, 1.0, f64::NAN, 0.01] {
        assert_eq!(option(plain().power(power).design()), "power");
    }
    for efficacy in [
        EfficacyBoundary::WangTsiatis(0.6),
        EfficacyBoundary::WangTsiatis(f64::NAN),
        EfficacyBoundary::HaybittlePeto(-1.0),
        EfficacyBoundary::HaybittlePeto(2.0),
        spending(SpendingFunction::KimDeMets(0.0)),
        spending(SpendingFunction::HwangShihDeCani(f64::INFINITY)),
    ] {
        assert_eq!(
            option(plain().efficacy(efficacy).design()),
            "efficacy",
            "{efficacy}"
        );
    }
    assert_eq!(
        option(plain().futility(SpendingFunction::KimDeMets(-1.0)).design()),
        "futility"
    );
    assert_eq!(
        option(
            plain()
                .futility(SpendingFunction::Pocock)
                .binding(true)
                .design()
        ),
        "binding"
    );

    // All of the second error is spent at the first look: nobody is left for the level of the last.
    let hasty = GroupSequential::fractions([0.8, 0.9, 0.999, 1.0])
        .alpha(0.3)
        .power(0.92)
        .efficacy(spending(SpendingFunction::Pocock))
        .futility(SpendingFunction::HwangShihDeCani(20.0));
    assert_eq!(option(hasty.binding(true).design()), "futility");

    let design = plain().design().unwrap();
    assert!(design.information(0.0).is_err() && design.information(f64::NAN).is_err());
    assert!(design.monitor(0.0).is_err() && design.monitor(f64::INFINITY).is_err());
    assert!(design.stopping(f64::NAN).is_err() && design.efficacy_effects(0.0).is_err());
    let mut monitor = design.monitor(100.0).unwrap();
    assert!(monitor.analysis(0.95).is_err() && monitor.predictive_power().is_err());
    assert!(monitor.overrun(0.1, 0.1).is_err());
    monitor.look(0.05, 0.15).unwrap();
    let before = monitor.clone();
    for (estimate, error) in [
        (f64::NAN, 0.12),
        (0.1, 0.0),
        (0.1, -1.0),
        (0.1, f64::NAN),
        (f64::INFINITY, 0.12),
        (0.1, 0.16),
        (0.1, 0.15),
        (0.1, 0.09),
        (0.1, 1e-200),
    ] {
        assert!(
            matches!(
                monitor.look(estimate, error),
                Err(Error::InvalidOption { .. })
            ),
            "{estimate} {error}"
        );
    }
    assert_eq!(monitor, before, "a refused look leaves no trace");
    assert!(monitor.conditional_power(f64::NAN).is_err());
    assert!(monitor.analysis(0.95).is_err());
    monitor.last_look(0.05, 0.12).unwrap();
    assert!(monitor.analysis(1.0).is_err() && monitor.conditional_power(0.1).is_err());
    assert!(monitor.look(0.1, 0.1).is_err());
}

#[test]
fn predictive_power_is_exact_however_early() {
    // With one look to come and bound c: Φ((θ̂ − c) √(t/(1 − t))), θ̂ in units of the drift.
    for t in [0.000_5, 0.01, 0.05, 0.3, 0.9, 0.999] {
        let design = GroupSequential::fractions([t, 1.0])
            .alternative(Alternative::Greater)
            .efficacy(EfficacyBoundary::HaybittlePeto(30.0))
            .design()
            .unwrap();
        let mut monitor = design.monitor(1.0).unwrap();
        monitor.look(1.0, 1.0 / t.sqrt()).unwrap();
        let found = monitor.predictive_power().unwrap();
        let exact = normal::cdf((1.0 - design.looks[1].efficacy) * (t / (1.0 - t)).sqrt());
        close(found, exact, 1e-11);
    }
}

#[test]
fn looks_close_to_each_other_keep_both_sides_of_a_wedge_alike() {
    let design = GroupSequential::fractions([0.5, 0.503, 1.0])
        .power(0.9)
        .efficacy(spending(SpendingFunction::OBrienFleming))
        .futility(SpendingFunction::Pocock)
        .design()
        .unwrap();
    let [above, below] = [0.2, -0.2].map(|estimate| {
        let mut monitor = design.monitor(100.0).unwrap();
        monitor.look(estimate, 1.0 / 50_f64.sqrt()).unwrap();
        let powers = [estimate, 0.0].map(|effect| monitor.conditional_power(effect).unwrap());
        [powers[0], powers[1], monitor.predictive_power().unwrap()]
    });
    for (up, down) in above.iter().zip(&below) {
        close(*up, *down, 1e-12);
    }
}

#[test]
fn an_early_end_leaves_no_looks_to_the_bias() {
    let design = GroupSequential::new(4)
        .alternative(Alternative::Greater)
        .efficacy(EfficacyBoundary::Pocock)
        .design()
        .unwrap();
    let mut monitor = design.monitor(1.0).unwrap();
    monitor.look(1.0, 2.0).unwrap();
    monitor.last_look(1.0, 2_f64.sqrt()).unwrap();
    let found = monitor.analysis(0.95).unwrap().bias_adjusted.unwrap();
    // The expected estimate with one look at 1/4 and the end at 1/2.
    let bound = monitor.looks()[0].efficacy;
    let (stop, end) = (0.25_f64, 0.5);
    let short = bound - found * stop.sqrt();
    let share = normal::sf(short);
    let surplus = stop.sqrt() * normal::pdf(short);
    let expected = (found * stop * share + surplus) / stop
        + (found * stop * (1.0 - share) - surplus + found * (end - stop) * (1.0 - share)) / end;
    close(expected, 1.0, 1e-8);
}

#[test]
fn futility_effects_stand_beside_their_looks() {
    let design = GroupSequential::fractions([0.001, 0.5, 1.0])
        .alternative(Alternative::Greater)
        .futility(SpendingFunction::OBrienFleming)
        .design()
        .unwrap();
    let planner = MeanPower::new(30.0)
        .effect(1.5)
        .alternative(Alternative::Greater);
    let plan = design.sample_size(&planner).unwrap();
    assert!(design.looks[0].futility.is_none() && plan.looks[0].futility_effect.is_none());
    for (look, planned) in plan.looks.iter().zip(&design.looks).skip(1) {
        let effect = planned.futility.unwrap() / planned.fraction.sqrt() * 1.5 / design.drift;
        close(look.futility_effect.unwrap(), effect, 1e-12);
    }
    assert!(plan.to_string().contains("z futility"));
}

#[test]
fn nothing_is_infinite_or_endless_far_from_the_design() {
    let steep = GroupSequential::new(2)
        .efficacy(EfficacyBoundary::HaybittlePeto(60.0))
        .design()
        .unwrap();
    let at = steep.stopping(20.0).unwrap();
    close(at.power, 1.0, 1e-12);
    // The first bound lies 60 − 20 · 2.80 · √½ = 20 standard deviations away.
    close(at.expected_fraction, 1.0, 1e-12);
    let design = GroupSequential::new(3)
        .alternative(Alternative::Greater)
        .design()
        .unwrap();
    assert!(design.stopping(1e308).is_err());
    close(design.stopping(-1e9).unwrap().power, 0.0, 0.0);
    let mut monitor = design.monitor(1.0).unwrap();
    monitor.look(0.3, 3_f64.sqrt()).unwrap();
    close(monitor.conditional_power(-1e9).unwrap(), 0.0, 0.0);
    assert!(monitor.conditional_power(1e308).is_ok());
    let mut large = design.monitor(1e6).unwrap();
    large.look(1e-5, 1e-3 * 3_f64.sqrt()).unwrap();
    assert!(large.conditional_power(1e307).is_err());
    // An effect far on the wrong side.
    monitor.last_look(-1e7, 1.0).unwrap();
    let result = monitor.analysis(0.95).unwrap();
    assert!(result.p_value > 0.99 && result.interval.upper < -0.99e7);
}
