//! Wages of married women, of whom some do not work: the selection model in two steps and by maximum likelihood.

use crate::experiment::{Experiment, Findings, Published};
use crate::plots::with_point;
use cocreate::prelude::*;

pub const MROZ: Experiment = Experiment {
    name: "mroz",
    title: "Wages of married women",
    authors: "Mroz (1987)",
    paper: "Mroz (1987), Econometrica 55(4); as in Wooldridge, Econometric Analysis, chapter 17",
    table: "Wooldridge, chapter 17: Heckman's two steps; maximum likelihood of the same model",
    data: "mroz",
    estimator: "Heckman's selection model, Heckman's errors for two steps, inverse information for ML",
    formulas: &[
        ("outcome", "lwage ~ educ + exper + expersq"),
        (
            "selection",
            "inlf ~ nwifeinc + educ + exper + expersq + age + kidslt6 + kidsge6",
        ),
    ],
    study: "What does schooling bring to married women? Of 753 women in 1975, 428 worked for a wage; the wages that the others would \
            have had are not known. If those who work are those who would earn more, a regression on \
            them alone is wrong for all women. Mroz looked at how much conclusions on labour supply hang on such choices.",
    identification: "Income of the husband, age and children move whether a woman works, and given schooling and experience not her \
                     wage. Errors of both equations are normal.",
    run,
};

const TWO_STEP_EDUC: Published = Published::recalled("two-step, educ", 0.10907, 5, 1e-5);
const TWO_STEP_EXPER: Published = Published::recalled("two-step, exper", 0.04389, 5, 1e-5);
const TWO_STEP_LAMBDA: Published = Published::recalled("two-step, lambda", 0.03226, 5, 1e-5);
const ML_EDUC: Published = Published::recalled("ML, educ", 0.10835, 5, 1e-5);
const ML_EDUC_ERROR: Published = Published::recalled("ML, educ, s.e.", 0.01486, 5, 2e-5);
const ML_RHO: Published = Published::recalled("ML, rho", 0.02661, 5, 2e-5);
const ML_SIGMA: Published = Published::recalled("ML, sigma", 0.6634, 4, 2e-5);
const ML_LOG_LIKELIHOOD: Published = Published::recalled("ML, log-likelihood", -832.885, 3, 0.002);

fn run(this: &Experiment, data: &Frame) -> Result<Findings> {
    let model = Heckman::new(this.formula("outcome"), this.formula("selection"))
        .covariance(Covariance::Classical);
    let likelihood = model.fit(data)?;
    let two_step = model.two_step().fit(data)?;
    let ols = Ols::new(this.formula("outcome"))
        .covariance(Covariance::Classical)
        .fit(data)?;
    let educ = likelihood.coefficient("educ")?;
    let log_likelihood = likelihood
        .likelihood()
        .map_or(f64::NAN, LikelihoodFit::log_likelihood);
    Ok(Findings::new()
        .compare(TWO_STEP_EDUC, two_step.coefficient("educ")?.estimate)
        .compare(TWO_STEP_EXPER, two_step.coefficient("exper")?.estimate)
        .compare(TWO_STEP_LAMBDA, two_step.coefficient("lambda")?.estimate)
        .compare(ML_EDUC, educ.estimate)
        .compare(ML_EDUC_ERROR, educ.std_error)
        .compare(ML_RHO, likelihood.rho()?.estimate)
        .compare(ML_SIGMA, likelihood.sigma()?.estimate)
        .compare(ML_LOG_LIKELIHOOD, log_likelihood)
        .model(&two_step)
        .model(&likelihood)
        .figure("mroz-returns", returns(&ols, &two_step, &likelihood)?)
        .remark(format!(
            "There is no sign that women who work would earn more or less than the others: {}.",
            likelihood.independence_test()?
        )))
}

/// The return to schooling with and without the correction.
fn returns(ols: &OlsFit, two_step: &HeckmanFit, likelihood: &HeckmanFit) -> Result<Figure> {
    let plot = CoefficientPlot::new()
        .title("Return to a year of schooling, married women")
        .x_title("Log points of the hourly wage")
        .note("95 % intervals. Least squares uses the 428 women who work, the others all 753.");
    let plot = with_point(plot, "OLS, those who work", &ols.coefficient("educ")?)?;
    let plot = with_point(plot, "Heckman, two steps", &two_step.coefficient("educ")?)?;
    with_point(plot, "Heckman, ML", &likelihood.coefficient("educ")?)?.draw()
}
