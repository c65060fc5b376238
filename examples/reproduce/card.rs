//! Returns to schooling, with the distance to a college as an instrument.

use crate::experiment::{Experiment, Findings, Published};
use crate::plots::{Bins, binned, with_point};
use cocreate::prelude::*;

pub const CARD: Experiment = Experiment {
    name: "card",
    title: "Returns to schooling",
    authors: "Card (1995)",
    paper: "Card (1995), in Aspects of Labour Market Behaviour; as in Wooldridge, Econometric Analysis, chapter 5",
    table: "Wooldridge, chapter 5: OLS, two-stage least squares and the first stage",
    data: "card",
    estimator: "Least squares and two-stage least squares, classical errors with n − k",
    formulas: &[
        ("OLS", "lwage ~ educ + CONTROLS"),
        ("2SLS", "lwage ~ CONTROLS | educ ~ nearc4"),
        ("first stage", "educ ~ nearc4 + CONTROLS"),
        (
            "two instruments",
            "lwage ~ CONTROLS | educ ~ nearc2 + nearc4",
        ),
        (
            "CONTROLS",
            "exper + expersq + black + smsa + south + smsa66 + reg662 + reg663 + reg664 + reg665 + reg666 + reg667 \
             + reg668 + reg669",
        ),
    ],
    study: "Do men who stay longer at school earn more because of the schooling, or because those who would earn \
            more anyhow stay longer? Card compared 3,010 young men of 1976 who had grown up near a four-year \
            college with others who had not, and took being near (nearc4) as a push to more schooling that has \
            nothing to do with ability.",
    identification: "Growing up near a college moves schooling, and given the controls it is unrelated to anything \
                     else that moves wages. Two-stage least squares then gives the return for those who went to \
                     school longer because a college was near.",
    run,
};

const OLS: Published = Published::recalled("OLS, educ", 0.07469, 5, 1e-5);
const OLS_ERROR: Published = Published::recalled("OLS, educ, s.e.", 0.0035, 4, 1e-5);
const TWO_STAGE: Published = Published::recalled("2SLS, educ", 0.1315, 4, 1e-5);
const TWO_STAGE_ERROR: Published = Published::recalled("2SLS, educ, s.e.", 0.05496, 5, 1e-5);
const FIRST_STAGE: Published = Published::recalled("first stage, nearc4", 0.3199, 4, 1e-4);
const FIRST_STAGE_ERROR: Published =
    Published::recalled("first stage, nearc4, s.e.", 0.0879, 4, 1e-4);
const FIRST_STAGE_F: Published = Published::recalled("first stage, F", 13.26, 2, 0.01);

fn run(this: &Experiment, data: &Frame) -> Result<Findings> {
    let classical = Covariance::Classical;
    let ols = Ols::new(this.formula("OLS"))
        .covariance(classical.clone())
        .fit(data)?;
    let iv = Iv::new(this.formula("2SLS"))
        .covariance(classical)
        .fit(data)?;
    let (ordinary, two_stage) = (ols.coefficient("educ")?, iv.coefficient("educ")?);
    let first = &iv.first_stage()?[0];
    Ok(Findings::new()
        .compare(OLS, ordinary.estimate)
        .compare(OLS_ERROR, ordinary.std_error)
        .compare(TWO_STAGE, two_stage.estimate)
        .compare(TWO_STAGE_ERROR, two_stage.std_error)
        .compare(FIRST_STAGE, first.coefficients[0])
        .compare(FIRST_STAGE_ERROR, first.std_errors[0])
        .compare(FIRST_STAGE_F, first.f.statistic)
        .model(&ols)
        .model(&iv)
        .figure("card-returns", returns(this, data, &ordinary, &iv)?)
        .figure("card-wages", wages(data)?)
        .remark(format!(
            "The instrument is not strong. The Anderson–Rubin set, which is right however weak it is, reaches \
             further up than the t interval. Set of {}.",
            iv.confidence_set("educ", 0.95)?
        ))
        .remark(format!(
            "Whether schooling is endogenous at all, the data cannot tell: {}.",
            iv.wu_hausman()?
        )))
}

/// Four estimates, those with instruments with two intervals each.
fn returns(this: &Experiment, data: &Frame, ols: &Estimate, one: &IvFit) -> Result<Figure> {
    let two = Iv::new(this.formula("two instruments"))
        .covariance(Covariance::Classical)
        .fit(data)?;
    let liml = Iv::liml(this.formula("two instruments"))
        .covariance(Covariance::Classical)
        .fit(data)?;
    let plot = CoefficientPlot::new()
        .title("Return to a year of schooling")
        .x_title("Log points of the hourly wage")
        .note(
            "95 % intervals and sets. With one instrument LIML is 2SLS. An Anderson–Rubin set does not depend on \
             how strong the instruments are.",
        )
        .series("t interval");
    let mut plot = with_point(plot, "OLS", ols)?;
    let fits = [
        ("2SLS, four-year college", one),
        ("2SLS, two- and four-year", &two),
        ("LIML, two- and four-year", &liml),
    ];
    for (name, fit) in fits {
        plot = with_point(plot, name, &fit.coefficient("educ")?)?;
    }
    plot = plot.series("Anderson–Rubin set");
    for (name, fit) in fits {
        let educ = fit.coefficient("educ")?;
        for piece in fit.confidence_set("educ", 0.95)?.segments {
            plot = plot.point(name, educ.estimate, piece.lower, piece.upper);
        }
    }
    plot.draw()
}

/// Mean log wages by years of schooling, with the line of a regression without controls.
fn wages(data: &Frame) -> Result<Figure> {
    /// The 35 men with six years or less form one bin.
    const FEWEST: i32 = 6;
    const MOST: i32 = 18;
    let line = Ols::new("lwage ~ educ").fit(data)?;
    let breaks: Vec<f64> = (FEWEST..MOST).map(|years| f64::from(years) + 0.5).collect();
    let Bins { x, y, low, high } = binned(data.real("educ")?, data.real("lwage")?, &breaks)?;
    let ends = [x[0], f64::from(MOST)];
    let height = |years: f64| {
        line.linear(&format!("(Intercept) + {years}*educ"))
            .map(|e| e.estimate)
    };
    BinnedScatter::new()
        .title("Wages and schooling")
        .x_title("Years of schooling")
        .y_title("Mean log hourly wage, 1976")
        .points(x, y)
        .intervals(low, high)
        .line(ends, [height(ends[0])?, height(ends[1])?])
        .note("Dots are means, up to six years in one, with 95 % intervals; the line is least squares without \
               controls.")
        .draw()
}
