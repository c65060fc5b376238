//! Random recommendations against Thompson sampling in a fashion shop: how little ten thousand of each can say, and what the log of the one says
//! of the other.

use crate::experiment::{Experiment, Findings, Published};
use cocreate::prelude::*;
use rand::rngs::ChaCha8Rng;
use rand_distr::{Beta, Distribution};

pub const OPEN_BANDIT: Experiment = Experiment {
    name: "open_bandit",
    title: "Random recommendations or Thompson sampling?",
    authors: "Saito, Aihara, Matsutani & Narita (2021)",
    paper: "Saito, Aihara, Matsutani & Narita (2021), NeurIPS Datasets and Benchmarks",
    table: "Click-through rates of the sample that comes with the Open Bandit Pipeline, campaign \"all\"; the relative value in its README",
    data: "open_bandit_random",
    estimator: "Shares of recommendations that were clicked; score test and Newcombe's interval, Fisher's exact test and its mid-p; inverse propensity scores",
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

/// `1.198126...` in the README of the Open Bandit Pipeline: inverse propensity scores of Thompson sampling in the random log over the click-through
/// rate of that log. Both it and ours draw 100,000 pages to learn how often the sampler shows what; with other draws the figure has a standard deviation of
/// 0.005.
const RELATIVE: Published = Published::read(
    "value of Thompson sampling in the random log, relative",
    1.198,
    3,
    0.02,
);

/// The level and power that tests are planned for.
const POWER: f64 = 0.8;

fn run(_: &Experiment, random: &Frame) -> Result<Findings> {
    let thompson = datasets::load("open_bandit_bts")?;
    let both = policies(random, &thompson)?;
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
    let shown = pages(&datasets::load("open_bandit_bts_prior")?)?;
    let sampled = OffPolicy::new("click", "propensity_score", "shown")
        .fit(&random.clone().with("shown", at_rows(&shown, random)?)?)?;
    let uniform = vec![random.real("propensity_score")?[0]; thompson.rows()];
    let drawn = OffPolicy::new("click", "propensity_score", "uniform")
        .fit(&thompson.with("uniform", uniform)?)?;
    let ends = sampled.ips().confidence_interval(0.95)?;
    Ok(Findings::new()
        .compare(RANDOM, base)
        .compare(THOMPSON, treated)
        .compare(RELATIVE, sampled.ips().estimate / base)
        .shown(sampled.table())
        .shown(drawn.table())
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
        ))
        .remark(format!(
            "From the random log alone, without showing a page by it, Thompson sampling is valued at {:.2} clicks in 1,000. The README of the \
             Open Bandit Pipeline prints the ratio of that to the random rate; its interval, {:.2} to {:.2} in 1,000, holds the rate that was \
             seen (4.2), the random one (3.8), and nearly none. Of the random log {:.0} rows in {} count.",
            1e3 * sampled.ips().estimate,
            1e3 * ends.lower,
            1e3 * ends.upper,
            sampled.effective_rows(),
            random.rows()
        ))
        .remark(format!(
            "The other way round, the log of the sampler values random recommendations at {:.2} in 1,000, with an error of {:.2}: items that \
             it seldom showed carry weights up to hundreds, and that few clicks fell on them makes value and error too small together.",
            1e3 * drawn.ips().estimate,
            1e3 * drawn.ips().std_error
        )))
}

/// How often the sampler shows an item at a place of the page: pages of the items with the three highest draws from the prior with which it
/// started.
fn pages(prior: &Frame) -> Result<Vec<[f64; PLACES]>> {
    const PAGES: usize = 100_000;
    let (alpha, beta) = (prior.real("alpha")?, prior.real("beta")?);
    let items: Vec<Beta<f64>> = (alpha.iter().zip(beta))
        .map(|(a, b)| Beta::new(*a, *b).unwrap())
        .collect();
    let mut random: ChaCha8Rng = Seed::new(2019).stream(0);
    let mut shown = vec![[0.0; PLACES]; items.len()];
    for _ in 0..PAGES {
        let mut best = [(f64::NEG_INFINITY, 0); PLACES];
        for (item, chance) in items.iter().enumerate() {
            let drawn = chance.sample(&mut random);
            let place = best.partition_point(|(other, _)| *other >= drawn);
            if place < PLACES {
                best[place..].rotate_right(1);
                best[place] = (drawn, item);
            }
        }
        for (place, (_, item)) in best.into_iter().enumerate() {
            shown[item][place] += 1.0 / PAGES as f64;
        }
    }
    Ok(shown)
}

/// Places of a page.
const PLACES: usize = 3;

/// The chance of what was shown in every row.
fn at_rows(shown: &[[f64; PLACES]], log: &Frame) -> Result<Vec<f64>> {
    let rows = log.real("item_id")?.iter().zip(log.real("position")?);
    Ok(rows
        .map(|(item, place)| shown[*item as usize][*place as usize - 1])
        .collect())
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
