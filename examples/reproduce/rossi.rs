//! Recidivism of men released from prison, with financial aid drawn at random.

use crate::experiment::{Experiment, Findings, Published};
use cocreate::prelude::*;

pub const ROSSI: Experiment = Experiment {
    name: "rossi",
    title: "Financial aid and recidivism",
    authors: "Rossi, Berk & Lenihan (1980)",
    paper: "Rossi, Berk & Lenihan (1980), Money, Work, and Crime; as in Allison (1995), Survival Analysis Using SAS, and Fox & \
            Weisberg, An R Companion to Applied Regression, appendix on Cox regression",
    table: "Cox regression of the week of the first arrest, all seven covariates",
    data: "rossi",
    estimator: "Cox's partial likelihood, Efron's treatment of ties, classical errors (inverse information)",
    formulas: &[("Cox", "fin + age + race + wexp + mar + paro + prio")],
    study: "Does money in the first weeks after prison keep men from being arrested again? 432 men released from Maryland state prisons were followed \
            for 52 weeks; half of them, drawn at random, received financial aid. The week of the first arrest is the time to the \
            event; those not arrested within the year are censored.",
    identification: "Aid was drawn at random, so that its hazard ratio compares like with like at release; the other covariates describe \
                     who is arrested earlier and are no effects.",
    run,
};

const FIN: Published = Published::recalled("fin", -0.37942, 5, 1e-4);
const AGE: Published = Published::recalled("age", -0.05744, 5, 1e-4);
const RACE: Published = Published::recalled("race", 0.3139, 4, 1e-4);
const WEXP: Published = Published::recalled("wexp", -0.1498, 4, 1e-4);
const MAR: Published = Published::recalled("mar", -0.4337, 4, 1e-4);
const PARO: Published = Published::recalled("paro", -0.08487, 5, 1e-4);
const PRIO: Published = Published::recalled("prio", 0.0915, 4, 1e-4);

fn run(this: &Experiment, data: &Frame) -> Result<Findings> {
    let arrest = || Survival::right("week", "arrest");
    let fit = Cox::new(arrest(), this.formula("Cox"))
        .covariance(Covariance::Classical)
        .fit(data)?;
    let findings = [FIN, AGE, RACE, WEXP, MAR, PARO, PRIO]
        .into_iter()
        .try_fold(Findings::new(), |findings, published| {
            let ours = fit.coefficient(published.quantity)?.estimate;
            Ok::<_, Error>(findings.compare(published, ours))
        })?;
    let aid = LogRank::new(arrest(), "fin").fit(data)?;
    let proportional = fit.proportional_hazards(TimeTransform::KaplanMeier)?;
    let curves = KaplanMeier::new(arrest()).by("fin").fit(data)?;
    Ok(findings
        .model(&fit)
        .figure("rossi-curves", curves.plot()?)
        .figure("rossi-coefficients", fit.plot()?)
        .remark(format!("Without covariates the evidence on aid is at the edge. {}.", aid.test))
        .remark(format!(
            "Hazards are not proportional in everything: the coefficients change with time for all seven together with p = {:.4}.",
            proportional.joint.p_value
        )))
}
