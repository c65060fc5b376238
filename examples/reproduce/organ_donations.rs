//! Asking for an active choice: organ-donor registration in California.

use crate::experiment::{Experiment, Findings, Published, Standing};
use cocreate::prelude::*;

pub const ORGAN_DONATIONS: Experiment = Experiment {
    name: "organ_donations",
    title: "Don't take 'no' for an answer",
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
    study: "Until the summer of 2011 Californians registered as organ donors by ticking a box. From then on they were asked \
            and had to answer yes or no, which was hoped to raise registrations. The file has the share registered in \
            27 states over six quarters, three before and three after the change.",
    identification: "Without the new question, registration in California would have moved in parallel with the other 26 \
                     states. The quarters before the change are the only evidence on that.",
    run,
};

const EFFECT: Published = Published {
    quantity: "effect of the new question",
    value: -0.0225,
    decimals: 4,
    tolerance: 0.0005,
    standing: Standing::Recalled,
};

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
            "The standard error depends on how the effects are counted: {:.4} as fixest counts them, {:.4} without a \
             correction, {:.4} counting every dummy; 0.006 is what is remembered of the printed one.",
            effect.std_error,
            error(SmallSample::none())?,
            error(all_effects)?
        ))
        .remark(format!(
            "With one treated state, clustered errors are far too small. A comparison that does not lean on them: were each \
             state in turn taken for the treated one, {as_low} of {} estimates would be as low as California's.",
            placebos.len()
        )))
}

/// California and the mean of the others; 26 lines would hide both.
fn trends(data: &Frame) -> Result<Figure> {
    let (rate, quarter, state) = (
        data.real("Rate")?,
        data.real("Quarter_Num")?,
        data.label("State")?,
    );
    let mean = |in_california: bool, q: f64| {
        let rows =
            (0..data.rows()).filter(|i| (state.get(*i) == Some("California")) == in_california);
        let rates: Vec<f64> = rows
            .filter(|i| (quarter[*i] - q).abs() < 0.5)
            .map(|i| rate[i])
            .collect();
        rates.iter().sum::<f64>() / rates.len() as f64
    };
    let quarters: Vec<f64> = (1..=6).map(f64::from).collect();
    let line =
        |california: bool| -> Vec<f64> { quarters.iter().map(|q| mean(california, *q)).collect() };
    LinePlot::new()
        .title("Share registered as organ donors")
        .x_title("Quarter (1 is the last of 2010)")
        .y_title("Share")
        .line("California", &quarters, line(true))
        .line("mean of 26 other states", &quarters, line(false))
        .reference_x(LAST_BEFORE + 0.5)
        .note("The dashed line is the change. The other states are shown by their mean only.")
        .draw()
}

/// The difference to the other states by quarter, against the last quarter before the change.
fn quarters(this: &Experiment, data: &Frame) -> Result<Figure> {
    let state = data.label("State")?;
    let california: Vec<bool> = (0..data.rows())
        .map(|i| state.get(i) == Some("California"))
        .collect();
    let data = data.clone().with("California", california)?;
    let fit = Ols::new(this.formula("by quarter"))
        .covariance(Covariance::cluster("State"))
        .fit(&data)?;
    let others = [1.0, 2.0, 4.0, 5.0, 6.0];
    let mut plot = EventStudyPlot::new()
        .title("California against the other states, by quarter")
        .x_title("Quarters since the change")
        .y_title("Difference to the quarter before")
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
        estimates.push((state.clone(), fit.estimates()[0]));
    }
    estimates.sort_by(|a, b| a.1.total_cmp(&b.1));
    Ok(estimates)
}

fn placebo_figure(placebos: &[(String, f64)]) -> Result<Figure> {
    let plot = CoefficientPlot::new()
        .title("The same estimate for every state")
        .x_title("Difference in differences")
        .note("Each state in turn takes the place of California, the only one whose question changed.");
    let (treated, others): (Vec<_>, Vec<_>) = placebos
        .iter()
        .partition(|(state, _)| state == "California");
    let add = |plot: CoefficientPlot, (state, estimate): &&(String, f64)| {
        plot.point(state, *estimate, f64::NAN, f64::NAN)
    };
    let plot = others.iter().fold(plot.series("other states"), add);
    treated.iter().fold(plot.series("California"), add).draw()
}
