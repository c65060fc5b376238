//! A roll-out of a tool whose every effect is positive, of which two-way fixed effects find a negative one, and what finds the truth.

use crate::experiment::{Experiment, Findings, Published};
use cocreate::prelude::*;

pub const ROLL_OUT: Experiment = Experiment {
    name: "roll_out",
    title: "A roll-out that flips the sign (in silico)",
    authors: "Goodman-Bacon (2021), in silico",
    paper: "Goodman-Bacon, A. (2021). Difference-in-differences with variation in treatment timing. Journal of Econometrics 225(2), 254-277; its argument on a \
            simulated roll-out, whose effects are known",
    table: "The average effect, by method",
    data: "simulate::StaggeredRollout",
    estimator: "Two-way fixed effects and their decomposition; Callaway & Sant'Anna, Sun & Abraham, imputation, two-stage, stacked, local projections; \
                errors clustered by shop",
    formulas: &[("two-way", "y ~ treated | unit + period")],
    study: "1,200 shops. Half get a design tool in period 2, half in period 9 of twelve; it helps by 0.1 at first and by one more in every further period. No \
            effect is negative, and no shop is without the tool in the end.",
    identification: "Without the tool, outcomes of both cohorts would have moved alike. Two-way fixed effects need more: effects that do not grow.",
    run,
};

/// The period in which all shops have the tool: what the early cohort gains from then on has no comparison.
const LAST: f64 = 9.0;
/// Periods of the early cohort with the tool and with a comparison, and those before.
const AFTER: usize = 6;
const BEFORE: usize = 2;

fn run(_: &Experiment, _: &Frame) -> Result<Findings> {
    let made = StaggeredRollout::sign_flip().seed(2021).simulate()?;
    let shops = &made.data;
    let with_comparison: Vec<bool> = shops.real("period")?.iter().map(|t| *t < LAST).collect();
    let early = shops.filter(&with_comparison)?;
    let truth = mean_effect(&made, &with_comparison)?;
    let columns = ("y", "treated", "unit", "period");
    let (y, treated, unit, period) = columns;

    let two_way = TwoWayFixedEffects::new(y, treated, unit, period).fit(shops)?;
    let parts = two_way.decomposition()?;
    let fair = CallawaySantAnna::new(y, treated, unit, period)
        .controls(ControlGroup::NotYetTreated)
        .base_period(BasePeriod::Universal)
        .fit(shops)?;
    let study = fair.event_study()?;
    let bands = MultiplierBootstrap::new()
        .seed(2021)
        .run(&study, &study.after(), 0.95)?;
    let imputed = Imputation::new(y, treated, unit, period).fit(&early)?;
    let two_stage = Imputation::two_stage(y, treated, unit, period).fit(&early)?;
    let interacted = SunAbraham::new(y, treated, unit, period).fit(shops)?;
    let stacked = Stacked::new(y, treated, unit, period, BEFORE, AFTER).fit(shops)?;
    let projected = LocalProjections::new(y, treated, unit, period, BEFORE, AFTER).fit(shops)?;
    let naive = two_way.coefficient("treated")?;
    let remedies = [
        ("Callaway & Sant'Anna", fair.simple()?.coefficient("ATT")?),
        ("Sun & Abraham", interacted.simple().coefficient("ATT")?),
        ("imputation", imputed.coefficient("ATT")?),
        ("two-stage", two_stage.coefficient("ATT")?),
        ("stacked", stacked.average()?),
        ("local projections", projected.average()?),
    ];

    let mut plot = CoefficientPlot::new()
        .title("The average effect of the tool, by method")
        .x_title("effect");
    let mut findings = Findings::new()
        .compare(
            Published::predicted(
                "two-way fixed effects",
                made.oracle.effect("twfe")?,
                3,
                3.0 * naive.std_error,
            ),
            naive.estimate,
        )
        .compare(
            Published::predicted(
                "two-way fixed effects: sum of negative weights",
                made.oracle.effect("negative_weight")?,
                6,
                1e-9,
            ),
            two_way.weights().negative_sum,
        );
    for (method, effect) in [("two-way fixed effects", naive)].iter().chain(&remedies) {
        let ends = effect.confidence_interval(0.95)?;
        plot = plot.point(*method, effect.estimate, ends.lower, ends.upper);
    }
    for (method, effect) in remedies {
        let told = Published::predicted(method, truth, 3, 3.0 * effect.std_error);
        findings = findings.compare(told, effect.estimate);
    }
    Ok(findings
        .shown(two_way.table())
        .shown(parts.table())
        .shown(study.table())
        .figure("roll-out-methods", plot.draw()?)
        .figure("roll-out-decomposition", parts.plot()?)
        .figure("roll-out-event-study", study.plot(Some(&bands))?)
        .remark(
            "Shops that have the tool already, and keep gaining, stand as controls for those that get it: what they gain counts against it. Every method that compares only \
             with shops without the tool finds the mean effect of the periods in which there are such shops.",
        ))
}

/// The mean effect over the treated shops and periods among these rows.
fn mean_effect(made: &Simulated, rows: &[bool]) -> Result<f64> {
    let (treated, effects) = (
        made.data.flag("treated")?,
        made.oracle.individuals.real("effect")?,
    );
    let own = (rows.iter().zip(treated).zip(effects)).filter(|((row, d), _)| **row && **d);
    let (n, sum) = own.fold((0.0, 0.0), |(n, sum), (_, effect)| (n + 1.0, sum + effect));
    Ok(sum / n)
}
