//! Random recommendations against Thompson sampling in a fashion shop, and how little ten thousand of each can say.

use crate::experiment::{Experiment, Findings, Published};
use cocreate::prelude::*;

pub const OPEN_BANDIT: Experiment = Experiment {
    name: "open_bandit",
    title: "Random recommendations or Thompson sampling?",
    authors: "Saito, Aihara, Matsutani & Narita (2021)",
    paper: "Saito, Aihara, Matsutani & Narita (2021), NeurIPS Datasets and Benchmarks",
    table: "Click-through rates of the sample that comes with the Open Bandit Pipeline, campaign \"all\"",
    data: "open_bandit_random",
    estimator: "Shares of recommendations that were clicked; score test and Newcombe's interval, Fisher's exact test and its mid-p",
    formulas: &[],
    study: "In November 2019 the fashion shop ZOZOTOWN let a lottery decide which of two policies filled the three \
            places of its recommendations: one that draws among 80 items at random, or Bernoulli Thompson sampling, \
            which learns which items are clicked. Of each, 10,000 recommendations were published as a sample.",
    identification: "Visits were sent to a policy at random, so that the difference of the shares clicked is the \
                     effect of the policy on clicks. The recommendations of a visit share a visitor whom the sample \
                     does not name: errors that take them as independent are, if anything, too small.",
    run,
};

/// Not a printed table: the clicks in the published sample, counted.
const fn rate(quantity: &'static str, value: f64) -> Published {
    Published::counted(quantity, value, 4, 1e-12)
}

const RANDOM: Published = rate("click-through rate, random", 0.0038);
const THOMPSON: Published = rate("click-through rate, Thompson sampling", 0.0042);

/// The level and power that tests are planned for.
const POWER: f64 = 0.8;

fn run(_: &Experiment, random: &Frame) -> Result<Findings> {
    let both = policies(random, &datasets::load("open_bandit_bts")?)?;
    let test = |test| {
        TwoProportions::new("click", "policy")
            .control("random")
            .test(test)
            .fit(&both)
    };
    let score = test(ProportionTest::Score)?;
    let (fisher, middle) = (
        test(ProportionTest::Fisher)?,
        test(ProportionTest::FisherMidP)?,
    );
    let share = |frame: &Frame| -> Result<f64> {
        let clicks = frame.real("click")?;
        Ok(clicks.iter().sum::<f64>() / clicks.len() as f64)
    };
    let (base, treated) = (share(random)?, share(&both)? * 2.0 - share(random)?);
    let rows = both.rows() as f64;
    let planner = ProportionPower::new(base);
    let seen = planner.clone().effect(treated - base);
    let (power, needed) = (seen.power(rows)?, seen.sample_size(POWER)?);
    let least = planner.mde(rows, POWER)?;
    let sizes: Vec<f64> = (1..=20).map(|k| 1e5 * f64::from(k)).collect();
    let curve = planner.curve(&sizes, &[0.1 * base, 0.2 * base, 0.5 * base])?;
    Ok(Findings::new()
        .compare(RANDOM, base)
        .compare(THOMPSON, treated)
        .shown(score.table())
        .shown(power.table())
        .shown(least.table())
        .shown(needed.table())
        .figure("open-bandit-power", curve.figure()?)
        .remark(format!(
            "Thompson sampling was clicked 4 times more in 10,000. No test tells that from chance: p = {:.2} (score), {:.2} (Fisher), {:.2} \
             (its mid-p).",
            score.p_value(),
            fisher.p_value(),
            middle.p_value()
        ))
        .remark(format!(
            "Nor could it: had the difference been exactly this one, the test would have found it in {:.0} of 100 such samples. With this \
             many recommendations it finds, four times in five, a difference of {:.2} percentage points, {:.0} % of the rate; for the one \
             seen it wants {:.0} recommendations of each policy. Not significant is here no evidence of no effect.",
            100.0 * power.power,
            100.0 * least.effect,
            100.0 * least.effect / base,
            needed.size / 2.0
        )))
}

/// The recommendations of both policies, one below the other.
fn policies(random: &Frame, thompson: &Frame) -> Result<Frame> {
    let (a, b) = (random.real("click")?, thompson.real("click")?);
    let policy: Vec<&str> = (a.iter().map(|_| "random"))
        .chain(b.iter().map(|_| "Thompson sampling"))
        .collect();
    let click: Vec<f64> = a.iter().chain(b.iter()).copied().collect();
    Frame::new().with("policy", policy)?.with("click", click)
}
