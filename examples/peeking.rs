//! Peeking at a co-creation experiment: one way that is not honest, and three that are.
#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs)]

use cocreate::prelude::*;

fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    // %% Ten thousand experiments without any effect, each looked at five times, with a test at 5 % at each look. How many find something?
    let nothing = TestPortfolio::peeking_fails()
        .tests(10_000)
        .seed(1)
        .simulate()?;
    let found = nothing.oracle.effect("any_look")?;
    println!("{found}\n");

    // %% Now an experiment: customers who paid are taught the work at random, and the question is whether more of them do it. A simulated trial, so that the truth is known; its rows come in ten batches.
    let trial = StaticParticipation::new(PurchaseTiming::AfterPurchase)
        .customers(20_000)
        .seed(3);
    let effect = trial.simulate()?.oracle.effect("itt_participation")?;
    let truth = (effect * 1e5).round() / 1e5;
    let customers = trial.data()?;
    let experiment = Experiment::new("education", "false").metric(Metric::mean("participates"));
    println!("{truth}\n");

    // %% The interval of a fixed sample size at every batch: each of them would be right if it were the only one looked at.
    let mut stream = ExperimentStream::new(experiment)?;
    let mut effects = Vec::new();
    for day in 0..10 {
        let rows: Vec<usize> = (2_000 * day..2_000 * (day + 1)).collect();
        stream.push(&customers.take(&rows)?)?;
        effects.push(stream.analyze()?.effect("participates", "true")?.clone());
    }
    let mut naive = Table::new("Fixed intervals").columns(["Batch", "Effect", "from", "to", "p"]);
    for (day, effect) in effects.iter().enumerate() {
        naive = naive.row([
            Cell::count(day + 1),
            Cell::significant(effect.difference.estimate, 3),
            Cell::significant(effect.interval.lower, 3),
            Cell::significant(effect.interval.upper, 3),
            Cell::p_value(effect.p_value),
        ]);
    }
    println!("{naive}\n");

    // %% Honest, first way: looks planned beforehand. A group-sequential design of five looks with the bounds of O'Brien and Fleming, and what it costs and saves.
    let design = GroupSequential::new(5).power(0.9).design()?;
    println!("{design}\n");

    // %% The monitor takes every second batch until a bound is crossed; the last look is to be at all twenty thousand.
    let mut monitor = design.monitor(effects[9].difference.std_error.powi(-2))?;
    for day in [1, 3, 5, 7, 9] {
        if !monitor.stopped() {
            monitor.look_at(&effects[day])?;
        }
    }
    println!("{monitor}\n");

    // %% At the stop: a p-value, an estimate and an interval that know of the looks.
    let analysis = monitor.analysis(0.95)?;
    println!("{analysis}\n");

    // %% The bounds and the path.
    let path = monitor.figure()?;
    println!("{path}\n");

    // %% Honest, second way: a confidence sequence, narrowest at ten thousand customers. It holds at all looks together, however many, and one may stop when one likes.
    let mut sequence = EffectSequence::planned(10_000)?;
    for (day, effect) in effects.iter().enumerate() {
        sequence.observe(format!("batch {}", day + 1), effect)?;
    }
    println!("{sequence}\n");

    // %% Honest, third way: a decision, not a test. What would it cost, on average, to choose the better arm now, and is that little enough? It says nothing about errors of the first kind; it means what it says under its prior.
    let bayesian = BayesianTest::new("participates", "education")
        .model(BayesianModel::conversion())
        .control("false");
    let mut decisions = Table::new("Expected loss of the better arm").columns([
        "Batch",
        "Better arm",
        "P(best)",
        "Expected loss",
    ]);
    for day in 0..4 {
        let rows: Vec<usize> = (0..2_000 * (day + 1)).collect();
        let fit = bayesian.fit(&customers.take(&rows)?)?;
        let best = fit.best().clone();
        decisions = decisions.row([
            Cell::count(day + 1),
            Cell::from(best.name.as_str()),
            Cell::fixed(best.probability_best, 4),
            Cell::significant(best.expected_loss, 2),
        ]);
    }
    println!("{decisions}\n");

    // %% The whole sample, as a Bayesian sees it.
    let everything = bayesian.fit(&customers)?;
    println!("{everything}\n");
    Ok(())
}
