//! Cloud onboarding in silico: what education of new customers does to churn, questions and usage, after purchase.

use crate::experiment::{Experiment, Findings, Published};
use cocreate::prelude::*;
use cocreate::simulate::CloudOnboarding;

pub const CLOUD_ONBOARDING: Experiment = Experiment {
    name: "cloud_onboarding",
    title: "Education of new cloud customers (in silico)",
    authors: "effects of Retana, Forman & Wu",
    paper: "Retana, Forman & Wu, Manufacturing & Service Operations Management: the figures to which the process is calibrated; the \
            customers are simulated",
    table: "week-1 churn, questions in the first week, usage over eight months; the other rows compare with what the process predicts",
    data: "simulate::CloudOnboarding",
    estimator: "Poisson pseudo-likelihood with robust errors, averaged over 400 simulated experiments of the published size",
    formulas: &[
        ("churn", "churned_week1 ~ educated"),
        ("questions", "questions ~ educated"),
        ("usage", "usage ~ educated"),
        ("survivors", "usage_per_day ~ educated"),
        ("hazard", "educated"),
    ],
    study: "Of 2,673 new customers of a cloud service, 366 were educated when they began: how to use it, before they asked. They pay first and \
            co-create later. No data of the original experiment are used: 400 experiments of that size are drawn from a process that was \
            calibrated to the published effects.",
    identification: "Education is drawn at random; all who were assigned are compared, with usage zero after churn. Usage a day of those who are \
                     still there after eight months compares customers selected by an event that education changes.",
    run,
};

const REPLICATIONS: usize = 400;
const CHURN: Published = Published::calibrated("week-1 churn, educated / others", 0.5, 1, 0.02);
const QUESTIONS: Published = Published::calibrated("questions, relative effect", -0.1955, 4, 0.01);
const USAGE: Published =
    Published::calibrated("usage in 8 months, relative effect", 0.4657, 4, 0.015);

fn run(this: &Experiment, _: &Frame) -> Result<Findings> {
    let process = CloudOnboarding::new();
    let study = MonteCarlo::new("Cloud onboarding")
        .replications(REPLICATIONS)
        .seed(2016);
    let fit =
        study.run(|seed| replication(this, &process.clone().seed(seed).keep_oracle(false)))?;
    let mean = |name: &str| fit.performance(name).map(|p| p.mean);
    // One experiment of the published size, to be looked at in full.
    let one = process.seed(366).simulate()?;
    let usage = Poisson::new(this.formula("usage"))
        .covariance(Covariance::Hc1)
        .fit(&one.data)?;
    let time = || Survival::right("days", "churned");
    // Nobody has a time of zero in this model: the first day counts.
    let days: Vec<f64> = one.data.real("days")?.iter().map(|d| d + 1.0).collect();
    let lived = Frame::new()
        .with("days", days)?
        .with("churned", one.data.column("churned")?.clone())?
        .with("educated", one.data.column("educated")?.clone())?;
    let curves = KaplanMeier::new(time()).by("educated").fit(&lived)?;
    let hazard = Cox::new(time(), this.formula("hazard")).fit(&lived)?;
    let coverage = fit.performance("log usage ratio")?;
    Ok(Findings::new()
        .compare(CHURN, mean("churn ratio")?)
        .compare(QUESTIONS, mean("questions ratio")? - 1.0)
        .compare(USAGE, mean("usage ratio")? - 1.0)
        .compare(
            Published::predicted(
                "usage a day of those still there, naive ratio",
                one.oracle.effect("naive_survivors")?,
                3,
                0.02,
            ),
            mean("naive survivors")?,
        )
        .compare(
            Published::predicted("coverage of the interval for usage", 0.95, 2, 0.04),
            coverage.coverage,
        )
        .model(&usage)
        .model(&hazard)
        .figure("cloud_onboarding-curves", curves.plot()?)
        .remark(format!(
            "Calibrated, not published: hazards, levels, the half-life of 3 days and the roles of ability are assumed. Usage a day rises by a \
             factor of {:.4}; the rest of the effect on total usage is retention. Among those still there the naive comparison gives {:.4}.",
            one.oracle.effect("usage_per_day_ratio")?,
            one.oracle.effect("naive_survivors")?,
        )))
}

/// The estimates of one simulated experiment.
fn replication(this: &Experiment, process: &CloudOnboarding) -> Result<Replication> {
    let made = process.simulate()?;
    let mut replication = Replication::new();
    for (name, formula, truth) in [
        ("churn ratio", "churn", 0.5),
        ("questions ratio", "questions", 0.8045),
        ("usage ratio", "usage", 1.4657),
    ] {
        let fit = Poisson::new(this.formula(formula))
            .covariance(Covariance::Hc1)
            .fit(&made.data)?;
        let estimate = fit.coefficient("educated")?;
        replication = replication.point(name, estimate.estimate.exp(), truth);
        if name == "usage ratio" {
            replication = replication.estimate("log usage ratio", &estimate, truth.ln());
        }
    }
    let there: Vec<f64> = (made.data.real("usage_per_day")?.iter())
        .zip(made.data.flag("churned")?)
        .map(|(usage, churned)| if *churned { f64::NAN } else { *usage })
        .collect();
    let survivors = Frame::new()
        .with("usage_per_day", there)?
        .with("educated", made.data.column("educated")?.clone())?;
    let fit = Poisson::new(this.formula("survivors")).fit(&survivors)?;
    let truth = made.oracle.effect("usage_per_day_ratio")?;
    Ok(replication.point(
        "naive survivors",
        fit.coefficient("educated")?.estimate.exp(),
        truth,
    ))
}
