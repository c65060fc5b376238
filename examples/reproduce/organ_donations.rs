//! Asking for an active choice: organ-donor registration in California.

use crate::experiment::{Experiment, Findings, Published};
use cocreate::prelude::*;

pub const ORGAN_DONATIONS: Experiment = Experiment {
    name: "organ_donations",
    title: "Don't take 'no' for an answer",
    authors: "Kessler & Roth (2014)",
    paper: "Kessler & Roth (2014), NBER Working Paper 20378; as in Huntington-Klein, The Effect, chapter 18",
    table: "The Effect, chapter 18: difference in differences",
    data: "organ_donations",
    estimator: "Difference in differences with effects of states and quarters, errors clustered by state",
    formulas: &[
        (
            "effect",
            "Rate ~ I((State == \"California\") * (Quarter_Num > 3)) | State + Quarter",
        ),
        (
            "by quarter",
            "Rate ~ i(Quarter_Num, California, ref = 3) | State + Quarter",
        ),
    ],
    study: "Until the summer of 2011 Californians registered as organ donors by ticking a box. From then on they \
            were asked and had to answer yes or no, which was hoped to raise registrations. The file has the share \
            registered in 27 states over six quarters, three before and three after the change.",
    identification: "Without the new question, registration in California would have moved in parallel with the \
                     other 26 states. The quarters before the change are the only evidence on that.",
    run,
};

const EFFECT: Published = Published::recalled("effect of the new question", -0.0225, 4, 0.0005);

const CALIFORNIA: &str = "California";

/// The last quarter before the change, the second of 2011.
const LAST_BEFORE: f64 = 3.0;

fn run(this: &Experiment, data: &Frame) -> Result<Findings> {
    let clustered = |correction| Covariance::cluster("State").small_sample(correction);
    let fit = Ols::new(this.formula("effect"))
        .covariance(clustered(SmallSample::default()))
        .fit(data)?;
    let effect = fit.coefficients().remove(0);
    let error = |correction| {
        fit.with_covariance(clustered(correction))
            .map(|f| f.std_errors()[0])
    };
    let all_effects = SmallSample::default().fixed_effects(FixedEffectCount::Full);
    let placebos = placebos(data)?;
    let as_low = placebos
        .iter()
        .filter(|(_, e)| *e <= effect.estimate)
        .count();
    Ok(Findings::new()
        .compare(EFFECT, effect.estimate)
        .model(&fit)
        .figure("organ-donations-trends", trends(data)?)
        .figure("organ-donations-quarters", quarters(this, data)?)
        .figure("organ-donations-placebos", placebo_figure(&placebos)?)
        .remark(format!(
            "The standard error depends on how the effects are counted: {:.4} as fixest counts them, {:.4} without \
             a correction, {:.4} counting every dummy; 0.006 is what is remembered of the printed one.",
            effect.std_error,
            error(SmallSample::none())?,
            error(all_effects)?
        ))
        .remark(format!(
            "With one treated state, clustered errors are far too small. A comparison that does not lean on them: \
             were each state in turn taken for the treated one, {as_low} of {} estimates would be as low as \
             California's.",
            placebos.len()
        )))
}

/// How far California and the mean of the others have moved; 26 lines would hide both.
fn trends(data: &Frame) -> Result<Figure> {
    let quarters: Vec<f64> = (1..=6).map(f64::from).collect();
    let (rate, quarter, state) = (
        data.real("Rate")?,
        data.real("Quarter_Num")?,
        data.label("State")?,
    );
    let mean = |in_california: bool, q: f64| {
        let member = |i: &usize| {
            (state.get(*i) == Some(CALIFORNIA)) == in_california && (quarter[*i] - q).abs() < 0.5
        };
        let rates: Vec<f64> = (0..data.rows()).filter(member).map(|i| rate[i]).collect();
        rates.iter().sum::<f64>() / rates.len() as f64
    };
    let change = |in_california: bool| -> Vec<f64> {
        let before = mean(in_california, LAST_BEFORE);
        quarters
            .iter()
            .map(|q| 100.0 * (mean(in_california, *q) - before))
            .collect()
    };
    LinePlot::new()
        .title("Registered organ donors: change since the last quarter before")
        .x_title("Quarter (1 is the last of 2010)")
        .y_title("Percentage points")
        .line(CALIFORNIA, &quarters, change(true))
        .line("mean of 26 other states", &quarters, change(false))
        .reference_x(LAST_BEFORE + 0.5)
        .note("The dashed line is the new question. The other states are not shown one by one, only their mean.")
        .draw()
}

/// The difference to the other states by quarter, against the last quarter before the change.
fn quarters(this: &Experiment, data: &Frame) -> Result<Figure> {
    let state = data.label("State")?;
    let california: Vec<bool> = (0..data.rows())
        .map(|i| state.get(i) == Some(CALIFORNIA))
        .collect();
    let data = data.clone().with("California", california)?;
    let fit = Ols::new(this.formula("by quarter"))
        .covariance(Covariance::cluster("State"))
        .fit(&data)?;
    let others = [1.0, 2.0, 4.0, 5.0, 6.0];
    let mut plot = EventStudyPlot::new()
        .title("California against the other states, by quarter")
        .x_title("Quarters since the change")
        .y_title("Against the last quarter before")
        .reference(-1.0)
        .note("95 % intervals clustered by state: with one treated state they are far too narrow.");
    for (effect, quarter) in fit.coefficients().iter().zip(others) {
        let interval = effect.confidence_interval(0.95)?;
        plot = plot.point(
            quarter - LAST_BEFORE - 1.0,
            effect.estimate,
            interval.lower,
            interval.upper,
        );
    }
    plot.draw()
}

/// The estimate with each state in turn in the place of California, lowest first.
fn placebos(data: &Frame) -> Result<Vec<(String, f64)>> {
    let mut estimates = Vec::new();
    for state in data.label("State")?.levels() {
        let formula = format!(
            "Rate ~ I((State == \"{state}\") * (Quarter_Num > {LAST_BEFORE})) | State + Quarter"
        );
        let fit = Ols::new(formula)
            .covariance(Covariance::cluster("State"))
            .fit(data)?;
        estimates.push((state.to_owned(), fit.estimates()[0]));
    }
    estimates.sort_by(|a, b| a.1.total_cmp(&b.1));
    Ok(estimates)
}

fn placebo_figure(placebos: &[(String, f64)]) -> Result<Figure> {
    /// High enough for 27 names.
    const SIZE: (u32, u32) = (720, 640);
    let plot = CoefficientPlot::new()
        .title("The same estimate with every state in the place of California")
        .x_title("Difference in differences")
        .note("Only California's question changed; the other estimates show how far states drift apart anyhow.")
        .size(SIZE.0, SIZE.1);
    let add = |plot: CoefficientPlot, (state, estimate): &(String, f64)| {
        let name = if state == CALIFORNIA {
            "▸ California".to_owned()
        } else {
            state.clone()
        };
        plot.point(name, *estimate, f64::NAN, f64::NAN)
    };
    placebos.iter().fold(plot, add).draw()
}
