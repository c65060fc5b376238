//! Ten minutes with the crate: data, a regression, another covariance, a table, a figure.
#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs)]

use cocreate::prelude::*;

fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    // %% Data: a job-training experiment. Your own file: `Frame::read_csv("customers.csv")?`.
    let frame = datasets::load("nsw")?;
    let described = frame.select(&["treat", "age", "educ", "re78"])?.describe();
    println!("{described}\n");

    // %% A regression with robust errors: earnings in 1978 on the offer of training.
    let fit = Ols::new("re78 ~ treat + age + educ + black + re75").fit(&frame)?;
    println!("{fit}\n");

    // %% Another covariance, without fitting again.
    let jackknife = fit.with_covariance(Covariance::Hc3)?;
    let effect = jackknife.coefficient("treat")?;
    println!("{effect}\n{}\n", effect.confidence_interval(0.9)?);

    // %% Questions about several coefficients at once.
    println!("{}", fit.wald(&["age = 0", "educ = 0"])?);
    println!("{}\n", fit.linear("treat + 4*educ")?);

    // %% A table for the paper; `.write("table.tex")` and `to_latex()` give LaTeX.
    let mut table =
        Table::new("Effect of the offer, dollars a year").columns(["Covariance", "Effect", "s.e."]);
    for covariance in [Covariance::Classical, Covariance::Hc1, Covariance::Hc3] {
        let name = covariance.to_string();
        let effect = fit.with_covariance(covariance)?.coefficient("treat")?;
        table = table.row([
            Cell::text(name),
            Cell::fixed(effect.estimate, 0),
            Cell::fixed(effect.std_error, 0),
        ]);
    }
    println!("{table}\n");

    // %% A figure, written as SVG; in a notebook it shows itself.
    let interval = effect.confidence_interval(0.95)?;
    let figure = CoefficientPlot::new()
        .title("Effect of the offer")
        .x_title("Dollars a year")
        .point("treat", effect.estimate, interval.lower, interval.upper)
        .draw()?;
    println!("{figure}\n");
    // In a program, write it to a file:
    std::fs::create_dir_all("target")?;
    figure.write("target/quickstart.svg")?;

    // %% A binary outcome: who had no earnings in 1978, as a change of the probability.
    let logit = Logit::new("I(re78 <= 0) ~ treat + age + educ + black").fit(&frame)?;
    let effects =
        logit.marginal_effects(&Margins::of(["treat", "age", "educ"]).discrete("treat"))?;
    println!("{effects}");
    Ok(())
}
