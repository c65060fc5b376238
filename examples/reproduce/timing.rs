//! Timing reverses the sign: being unsure keeps customers away who pay first, and brings those who pay last.

use crate::experiment::{Experiment, Findings, Published};
use cocreate::numeric::optimize::brent_root;
use cocreate::numeric::special::normal;
use cocreate::participation::Task;
use cocreate::prelude::*;

pub const TIMING: Experiment = Experiment {
    name: "timing",
    title: "Timing reverses the sign of uncertainty (in silico)",
    authors: "the model of this library",
    paper: "no paper: what the value of co-creating before and after the purchase predicts, found again by an analysis that does not know the \
            process",
    table: "Taking part by the variance of the belief, at the same mean",
    data: "simulate::StaticParticipation",
    estimator: "Willingness: probit in the elicited mean and variance of the belief, robust errors",
    formulas: &[("entry", "enters ~ m + v")],
    study: "Two shops with the same 300,000 customers of uncertain ability, who tell the median and the ninth decile of what they think of themselves. In one they \
            pay and then design; in the other they design, see the result, and then may pay. Nobody learns anything in between.",
    identification: "The belief is elicited without error, and what the researcher does not see of the outside option has nothing to do with it.",
    run,
};

const CUSTOMERS: usize = 300_000;
const TASTE: f64 = 2.0;
const PRICE: f64 = 1.0;
const COST: f64 = 0.35;
const RISK_AVERSION: f64 = 0.2;
/// Of the outside option.
const NOISE: f64 = 0.5;
/// Customers over whom predictions are averaged.
const AVERAGED: usize = 4_000;

fn process(timing: PurchaseTiming) -> StaticParticipation {
    let traits = Traits {
        covariates: vec![],
        ability_mean: 0.6,
        belief_variance: LogNormal::new(0.4, 0.5),
        overconfidence: 0.0,
        material_cost: LogNormal::constant(COST),
        risk_aversion: LogNormal::constant(RISK_AVERSION),
        ..Traits::default()
    };
    let mut process = StaticParticipation::new(timing)
        .customers(CUSTOMERS)
        .population(Population::new(traits))
        .seed(17);
    process.task = Task::default();
    (process.taste, process.price) = (TASTE, PRICE);
    (process.abandon, process.noise) = (-50.0, [NOISE, 0.0]);
    process.shares = [0.0; 3];
    process.guarantees = vec![0.0];
    process.report_noise = 0.0;
    process
}

/// The data as the researcher has them.
fn seen(timing: PurchaseTiming) -> Result<Frame> {
    let data = process(timing).data()?;
    let beliefs = BeliefQuantiles::new([("belief_median", 0.5), ("belief_p90", 0.9)]).fit(&data)?;
    let enters = match timing {
        PurchaseTiming::AfterPurchase => "buys",
        PurchaseTiming::BeforePurchase => "participates",
    };
    Frame::new()
        .with("m", beliefs.mean.clone())?
        .with("v", beliefs.variance.clone())?
        .with("enters", data.column(enters)?.clone())
}

/// The outside option at which a customer is indifferent.
fn indifferent(timing: PurchaseTiming, m: f64, v: f64) -> Result<f64> {
    let belief = Belief::new(m, v)?;
    let gain = |outside: f64| -> Result<f64> {
        let terms = Terms {
            price: PRICE,
            taste: TASTE,
            value_abandon: -50.0,
            outside,
            ..Terms::default()
        };
        let preferences = Preferences::continuous_cara(RISK_AVERSION)?;
        let situation = Situation::new(preferences, Cost::material(COST), Task::default(), terms)?;
        Ok(match timing {
            PurchaseTiming::AfterPurchase => {
                AfterPurchase::without_signal().surplus(&situation, belief, 0.0)
            }
            PurchaseTiming::BeforePurchase => BeforePurchase.surplus(&situation, belief, 0.0),
        })
    };
    let root = brent_root(|u| gain(u).unwrap_or(f64::NAN), -40.0, 40.0, 1e-12)?;
    Ok(root.point)
}

/// The mean derivative of entry by v that the value of co-creating predicts.
fn predicted(timing: PurchaseTiming, data: &Frame) -> Result<f64> {
    const STEP: f64 = 1e-4;
    let (m, v) = (data.real("m")?, data.real("v")?);
    let chance = |m: f64, v: f64| Ok::<_, Error>(normal::cdf(indifferent(timing, m, v)? / NOISE));
    let slopes = m.iter().zip(v).take(AVERAGED).map(|(m, v)| {
        let (up, down) = (chance(*m, v + STEP)?, chance(*m, v - STEP)?);
        Ok((up - down) / (2.0 * STEP))
    });
    Ok(slopes.sum::<Result<f64>>()? / AVERAGED as f64)
}

fn run(this: &Experiment, _: &Frame) -> Result<Findings> {
    let mut findings = Findings::new();
    let mut plot = CoefficientPlot::new()
        .title("What a unit of variance does to entering, at the same mean")
        .x_title("change of the chance to enter");
    for (timing, names) in [
        (
            PurchaseTiming::AfterPurchase,
            ["who pays first: mean slope of entering in v", "pays first"],
        ),
        (
            PurchaseTiming::BeforePurchase,
            ["who pays last: mean slope of entering in v", "pays last"],
        ),
    ] {
        let data = seen(timing)?;
        let fit = Willingness::new(this.formula("entry"), WillingnessScale::Probit, "m", "v")
            .fit(&data)?;
        let slope = fit.likelihood().marginal_effects(&Margins::of(["v"]))?;
        let slope = slope.coefficient("v")?;
        let ends = slope.confidence_interval(0.95)?;
        plot = plot.point(names[1], slope.estimate, ends.lower, ends.upper);
        let told = predicted(timing, &data)?;
        let tolerance = 3.0 * slope.std_error;
        findings = findings.compare(
            Published::predicted(names[0], told, 4, tolerance),
            slope.estimate,
        );
        if timing == PurchaseTiming::AfterPurchase {
            let ratio = fit.certainty_ratio()?;
            let told = RISK_AVERSION * TASTE / 2.0;
            let tolerance = 3.0 * ratio.std_error;
            findings = findings.compare(
                Published::predicted(
                    "who pays first: mean worth a unit of variance, rθ/2",
                    told,
                    4,
                    tolerance,
                ),
                ratio.estimate,
            );
        }
        findings = findings.model(fit.likelihood());
    }
    Ok(findings.figure("timing-slopes", plot.draw()?).remark(
        "The same customers, the same product, the same price. Paid first, the price is sunk, and being unsure is a cost; paid last, it is an option, and being \
         unsure raises what the option is worth. Whoever pools shops with different timing finds that uncertainty does nothing."
            .to_owned(),
    ))
}
