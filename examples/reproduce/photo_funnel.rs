//! The photo-product funnel in silico: inspiration and discouragement by the designs of others, before purchase.

use crate::experiment::{Experiment, Findings, Published};
use cocreate::prelude::*;
use cocreate::simulate::PhotoFunnel;

pub const PHOTO_FUNNEL: Experiment = Experiment {
    name: "photo_funnel",
    title: "Designs of others and a photo-product funnel (in silico)",
    authors: "signs of Jung, Sun, Bapna & Golden",
    paper: "Jung, Sun, Bapna & Golden, Social Learning in Prosumption: only the signs are published figures; the levels are assumed, and the \
            customers are simulated",
    table: "signs of the effects on starting and finishing; every other row compares estimates with what the simulated process predicts",
    data: "simulate::PhotoFunnel",
    estimator: "Linear probability models with robust errors and Lee's bounds, averaged over 60 simulated experiments",
    formulas: &[
        ("start", "starts ~ peers + experts"),
        ("finish", "finished ~ peers + experts"),
        ("buy", "bought ~ peers + experts"),
        ("naive", "finishes ~ peers + experts"),
    ],
    study: "Customers of a photo-product site may start a product, finish it, and buy it. Two thirds see designs of others: of peers or of \
            experts. These inspire to start, and discourage those who see that they cannot do as well from finishing. No data of the \
            original experiment are used: 60 experiments with 60,000 customers each are drawn from a process whose signs are the published \
            ones.",
    identification: "Arms are drawn at random, so every stage's intention-to-treat effect is the difference between all who were assigned. \
                     Finishing rates of those who started compare people selected by the treatment: more of the less able start when they \
                     are inspired. The process predicts by how much that comparison is wrong.",
    run,
};

const REPLICATIONS: usize = 60;

fn run(this: &Experiment, _: &Frame) -> Result<Findings> {
    // The preset has a stronger selection than the default, so that the naive comparison fails visibly.
    let process = PhotoFunnel::naive_conditional_fails();
    let study = MonteCarlo::new("Photo-product funnel")
        .replications(REPLICATIONS)
        .seed(2024);
    let fit =
        study.run(|seed| replication(this, &process.clone().seed(seed).keep_oracle(false)))?;
    let one = process.clone().seed(1).simulate()?;
    let truth = |name: &str| one.oracle.effect(name);
    let mean = |name: &str| fit.performance(name).map(|p| p.mean);
    let mut findings = Findings::new()
        .compare(
            Published::recalled("sign, peers' designs on starting", 1.0, 0, 0.0),
            sign(&fit, "start peers")?,
        )
        .compare(
            Published::recalled("sign, experts' designs on finishing", -1.0, 0, 0.0),
            sign(&fit, "always starters experts")?,
        );
    for arm in ["peers", "experts"] {
        for (name, key, tolerance) in [
            ("start", "expected_itt_start", 0.002),
            ("finish", "expected_itt_finish", 0.002),
            ("buy", "expected_itt_buy", 0.001),
            ("naive finish given start", "naive_finish", 0.004),
        ] {
            let quantity: &'static str = quantity(name, arm);
            findings = findings.compare(
                Published::predicted(quantity, truth(&format!("{key}_{arm}"))?, 4, tolerance),
                mean(&format!("{name} {arm}"))?,
            );
        }
    }
    let naive = truth("naive_finish_experts")?;
    let right = truth("finish_always_starters_experts")?;
    let bounded = fit.estimates("lower experts")?;
    let above = fit.estimates("upper experts")?;
    let inside = (bounded.iter().zip(&above))
        .filter(|(low, high)| **low <= right && right <= **high)
        .count() as f64;
    Ok(findings
        .compare(
            Published::predicted("naive error, experts", truth("naive_bias_experts")?, 4, 0.004),
            mean("naive finish given start experts")? - right,
        )
        .compare(
            Published::predicted("share of Lee bounds that hold the effect, experts", 1.0, 0, 0.05),
            inside / REPLICATIONS as f64,
        )
        .figure("photo_funnel-effects", effects(&fit, &one)?)
        .remark(format!(
            "Calibrated, not published: levels, exemplars and the role of ability are assumed. In expectation the naive comparison of \
             finishing rates says {naive:.4} for experts' designs, where the effect on those who start anyway is {right:.4}."
        )))
}

/// The estimates of one simulated experiment.
fn replication(this: &Experiment, process: &PhotoFunnel) -> Result<Replication> {
    let made = process.simulate()?;
    let is = |arm: &str| -> Result<Vec<bool>> {
        let label = made.data.label("arm")?;
        Ok((0..made.data.rows())
            .map(|row| label.get(row) == Some(arm))
            .collect())
    };
    // A stage that was not reached was not done.
    let done = |stage: &str| -> Result<Vec<f64>> {
        Ok(made
            .data
            .real(stage)?
            .iter()
            .map(|v| if v.is_nan() { 0.0 } else { *v })
            .collect())
    };
    let data = made
        .data
        .clone()
        .with("peers", is("peers")?)?
        .with("experts", is("experts")?)?
        .with("finished", done("finishes")?)?
        .with("bought", done("buys")?)?;
    let truth = |key: &str, arm: &str| made.oracle.effect(&format!("{key}_{arm}"));
    let mut replication = Replication::new();
    for (name, formula, key) in [
        ("start", "start", "expected_itt_start"),
        ("finish", "finish", "expected_itt_finish"),
        ("buy", "buy", "expected_itt_buy"),
        (
            "naive finish given start",
            "naive",
            "finish_always_starters",
        ),
    ] {
        let fit = Ols::new(this.formula(formula))
            .covariance(Covariance::Hc1)
            .fit(&data)?;
        for arm in ["peers", "experts"] {
            let estimate = fit.coefficient(arm)?;
            replication =
                replication.estimate(format!("{name} {arm}"), &estimate, truth(key, arm)?);
        }
    }
    for arm in ["peers", "experts"] {
        let (low, high) = lee(&data, arm)?;
        let effect = truth("finish_always_starters", arm)?;
        replication = replication
            .point(format!("lower {arm}"), low, effect)
            .point(format!("upper {arm}"), high, effect)
            .point(format!("always starters {arm}"), 0.5 * (low + high), effect);
    }
    Ok(replication)
}

/// Lee's (2009) bounds on the effect on finishing among those who start in either arm: the arm with more starters is trimmed.
fn lee(data: &Frame, arm: &str) -> Result<(f64, f64)> {
    let (assigned, others) = (
        data.flag(arm)?,
        [data.flag("peers")?, data.flag("experts")?],
    );
    let (starts, finished) = (data.real("starts")?, data.real("finished")?);
    let rates = |treated: bool| {
        let (mut n, mut started, mut done) = (0.0, 0.0, 0.0);
        for row in 0..data.rows() {
            let control = !others[0][row] && !others[1][row];
            if (treated && assigned[row]) || (!treated && control) {
                n += 1.0;
                started += starts[row];
                done += finished[row];
            }
        }
        (started / n, done / started)
    };
    let ((start_0, finish_0), (start_1, finish_1)) = (rates(false), rates(true));
    let kept = (start_0 / start_1).min(1.0);
    let lower = ((finish_1 - (1.0 - kept)) / kept).max(0.0);
    let upper = (finish_1 / kept).min(1.0);
    Ok((lower - finish_0, upper - finish_0))
}

/// The sign of a mean estimate, zero when it is within three Monte Carlo errors of nothing.
fn sign(fit: &MonteCarloFit, name: &str) -> Result<f64> {
    let p = fit.performance(name)?;
    Ok(if p.mean.abs() > 3.0 * p.bias_error {
        p.mean.signum()
    } else {
        0.0
    })
}

/// The label of a row.
fn quantity(name: &str, arm: &str) -> &'static str {
    match (name, arm) {
        ("start", "peers") => "starts, peers",
        ("start", _) => "starts, experts",
        ("finish", "peers") => "finishes, peers",
        ("finish", _) => "finishes, experts",
        ("buy", "peers") => "buys, peers",
        ("buy", _) => "buys, experts",
        (_, "peers") => "naive finishing rate of starters, peers",
        _ => "naive finishing rate of starters, experts",
    }
}

/// Estimates of the last replication's kind beside the truth.
fn effects(fit: &MonteCarloFit, one: &Simulated) -> Result<Figure> {
    /// Two-sided 95 % of the normal.
    const WIDTH: f64 = 1.96;
    let mut plot = CoefficientPlot::new()
        .title("Effect on finishing")
        .x_title("Difference in the share that finishes")
        .note("Means over simulated experiments with 95 % intervals of one experiment; the last rows are the truth among those who start anyway.");
    for arm in ["peers", "experts"] {
        for (label, name) in [
            ("ITT", "finish"),
            ("Naive, given start", "naive finish given start"),
        ] {
            let p = fit.performance(&format!("{name} {arm}"))?;
            let half = WIDTH * p.deviation;
            plot = plot.point(
                format!("{label}, {arm}"),
                p.mean,
                p.mean - half,
                p.mean + half,
            );
        }
        let truth = one
            .oracle
            .effect(&format!("finish_always_starters_{arm}"))?;
        plot = plot.point(format!("Truth given start, {arm}"), truth, truth, truth);
    }
    plot.draw()
}
