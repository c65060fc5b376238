//! Do farmers insure when their friends do? Information sessions in rural China.

use crate::experiment::{Experiment, Findings, Published, Standing};
use crate::plots::with_point;
use cocreate::prelude::*;

pub const WEATHER_INSURANCE: Experiment = Experiment {
    name: "weather_insurance",
    title: "Social networks and the decision to insure",
    authors: "Cai, de Janvry & Sadoulet (2015)",
    paper: "Cai, de Janvry & Sadoulet (2015), American Economic Journal: Applied Economics 7(2); as in \
            Huntington-Klein, The Effect, chapter 19",
    table: "The Effect, chapter 19: two-stage least squares",
    data: "weather_insurance",
    estimator: "Two-stage least squares with effects of villages, errors clustered by natural village (address)",
    formulas: &[
        (
            "2SLS",
            "takeup_survey ~ HOUSEHOLD | village | pre_takeup_rate ~ default",
        ),
        (
            "OLS",
            "takeup_survey ~ pre_takeup_rate + HOUSEHOLD | village",
        ),
        (
            "first stage",
            "pre_takeup_rate ~ default + HOUSEHOLD | village",
        ),
        (
            "reduced form",
            "takeup_survey ~ default + HOUSEHOLD | village",
        ),
        (
            "HOUSEHOLD",
            "male + age + agpop + ricearea_2010 + literacy + intensive + risk_averse + disaster_prob",
        ),
    ],
    study: "Rice farmers in China were offered an insurance against bad weather in two rounds of sessions. By lot, \
            the first round's form had 'buy' as its default in some villages and 'do not buy' in others. Does it \
            make a farmer of the second round buy that more of the first have bought?",
    identification: "The default of the first round was drawn at random, moves how many in the first round bought, \
                     and reaches the farmers of the second round only through that.",
    run,
};

const EFFECT: Published = Published {
    standing: Standing::RecalledLessSurely,
    ..Published::recalled("first round's take-up, 2SLS", 0.791, 3, 0.001)
};

fn run(this: &Experiment, data: &Frame) -> Result<Findings> {
    let clustered = Covariance::cluster("address");
    let iv = Iv::new(this.formula("2SLS"))
        .covariance(clustered.clone())
        .fit(data)?;
    let ols = |label| {
        Ols::new(this.formula(label))
            .covariance(clustered.clone())
            .fit(data)
    };
    let effect = iv.coefficient("pre_takeup_rate")?;
    let uncorrected = iv
        .with_covariance(clustered.clone().small_sample(SmallSample::none()))?
        .std_error("pre_takeup_rate")?;
    let mut plot = CoefficientPlot::new()
        .title("From the default over the first round to one's own decision")
        .x_title("Change of the share who insure")
        .note("95 % intervals from errors clustered by natural village. 2SLS is the reduced form over the first \
               stage.");
    for (name, estimate) in [
        (
            "First stage: default on first round",
            ols("first stage")?.coefficient("default")?,
        ),
        (
            "Reduced form: default on one's own",
            ols("reduced form")?.coefficient("default")?,
        ),
        (
            "OLS: first round's take-up on one's own",
            ols("OLS")?.coefficient("pre_takeup_rate")?,
        ),
        ("2SLS: first round's take-up on one's own", effect.clone()),
    ] {
        plot = with_point(plot, name, &estimate)?;
    }
    Ok(Findings::new()
        .compare(EFFECT, effect.estimate)
        .model(&iv)
        .model(&ols("OLS")?)
        .figure("weather-insurance-effects", plot.draw()?)
        .remark(format!(
            "Standard error: {uncorrected:.4} without a small-sample correction, {:.4} with fixest's.",
            effect.std_error
        ))
        .remark("Rows with a missing value are dropped: 1,378 of 1,410 households remain."))
}
