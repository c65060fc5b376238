//! The National Supported Work experiment as if nobody had drawn lots: weighted and matched estimates beside the experimental one.

use crate::experiment::{Experiment, Findings, Published};
use crate::plots::with_point;
use cocreate::prelude::*;

pub const LALONDE: Experiment = Experiment {
    name: "lalonde",
    title: "Job training by matching and weighting",
    authors: "LaLonde (1986); Abadie & Imbens (2011)",
    paper: "LaLonde (1986), American Economic Review 76(4); Abadie & Imbens (2011), Journal of Business & Economic Statistics 29(1)",
    table: "Abadie & Imbens, estimates for the LaLonde data, experimental comparison group: simple and bias-corrected matching",
    data: "nsw",
    estimator: "Effect on the treated by M nearest neighbours with replacement, distance of standardised covariates; bias correction by regression; \
                errors with four neighbours of the own arm",
    formulas: &[(
        "covariates",
        "age + educ + black + hisp + marr + re74 + re75 + I(re74 == 0) + I(re75 == 0)",
    )],
    study: "LaLonde asked whether estimates without an experiment would have found what the experiment found, and the data have been the touchstone \
            of methods for selection on observables since. Abadie and Imbens matched each of the 185 trained men with one, four, sixteen and sixty-four \
            of the 260 who were turned away, with and without a correction for what the distance between them means.",
    identification: "Here places were drawn at random, so that every estimator aims at what the difference in means finds; what they differ by is \
                     their use of covariates. Without a lottery, they need that men who are alike in the covariates are alike in what they would earn.",
    run,
};

/// The table prints thousands of dollars with two digits; the correction, its figure and error.
const fn thousands(quantity: &'static str, value: f64) -> Published {
    Published::recalled(quantity, value, 2, 0.0051)
}

const MATCHED: [(usize, [Published; 4]); 4] = [
    (
        1,
        [
            thousands("1 neighbour", 1.22),
            thousands("1 neighbour, s.e.", 0.84),
            thousands("1 neighbour, corrected", 1.16),
            thousands("1 neighbour, corrected, s.e.", 0.84),
        ],
    ),
    (
        4,
        [
            thousands("4 neighbours", 1.99),
            thousands("4 neighbours, s.e.", 0.74),
            thousands("4 neighbours, corrected", 1.84),
            thousands("4 neighbours, corrected, s.e.", 0.74),
        ],
    ),
    (
        16,
        [
            thousands("16 neighbours", 1.75),
            thousands("16 neighbours, s.e.", 0.74),
            thousands("16 neighbours, corrected", 1.54),
            thousands("16 neighbours, corrected, s.e.", 0.75),
        ],
    ),
    (
        64,
        [
            thousands("64 neighbours", 2.20),
            thousands("64 neighbours, s.e.", 0.70),
            thousands("64 neighbours, corrected", 1.74),
            thousands("64 neighbours, corrected, s.e.", 0.71),
        ],
    ),
];

fn run(this: &Experiment, data: &Frame) -> Result<Findings> {
    let covariates = this.formula("covariates");
    let mut findings = Findings::new();
    let mut plot = CoefficientPlot::new()
        .title("Effect of the programme on the earnings of the trained")
        .x_title("Dollars a year")
        .note("Dots are estimates, lines 95 % intervals.");
    let trial = Ols::new("re78 ~ treat")
        .covariance(Covariance::Hc1)
        .fit(data)?;
    plot = with_point(plot, "difference in means", &trial.coefficient("treat")?)?;
    for (neighbours, published) in MATCHED {
        let plain = Matching::new("re78", "treat", &covariates)
            .estimand(Estimand::Att)
            .distance(MatchDistance::InverseVariance)
            .neighbours(neighbours)
            .variance_neighbours(4);
        let corrected = plain
            .clone()
            .bias_correction()
            .fit(data)?
            .coefficient("1")?;
        let plain = plain.fit(data)?.coefficient("1")?;
        let ours = [
            plain.estimate,
            plain.std_error,
            corrected.estimate,
            corrected.std_error,
        ];
        for (published, ours) in published.into_iter().zip(ours) {
            findings = findings.compare(published, ours / 1000.0);
        }
        plot = with_point(
            plot,
            &format!("matched to {neighbours}, corrected"),
            &corrected,
        )?;
    }
    for (label, model) in [
        (
            "inverse propensities",
            TreatmentWeighting::inverse_propensity("re78", "treat", &covariates),
        ),
        (
            "covariate balancing",
            TreatmentWeighting::covariate_balancing("re78", "treat", &covariates),
        ),
        (
            "entropy balancing",
            TreatmentWeighting::entropy_balancing("re78", "treat", &covariates),
        ),
    ] {
        let effect = model.estimand(Estimand::Att).fit(data)?.coefficient("1")?;
        plot = with_point(plot, label, &effect)?;
    }
    let score = Matching::new("re78", "treat", &covariates)
        .estimand(Estimand::Att)
        .distance(MatchDistance::LogOdds)
        .fit(data)?;
    let pairs = SetMatching::optimal("re78", "treat", &covariates).fit(data)?;
    let full = SetMatching::full("re78", "treat", &covariates).fit(data)?;
    let classes = Stratification::propensity("re78", "treat", &covariates)
        .estimand(Estimand::Att)
        .fit(data)?;
    plot = with_point(plot, "nearest log odds", &score.coefficient("1")?)?;
    plot = with_point(plot, "optimal pairs", &pairs.coefficient("1")?)?;
    plot = with_point(plot, "full matching", &full.coefficient("1")?)?;
    plot = with_point(
        plot,
        "five classes of propensities",
        &classes.coefficient("1")?,
    )?;
    let bounds = RosenbaumBounds::new(&[1.0, 1.1, 1.2, 1.3]).sets(&pairs)?;
    Ok(findings
        .shown(pairs.table())
        .shown(pairs.balance().table())
        .shown(bounds.table())
        .figure("lalonde-effects", plot.draw()?)
        .figure("lalonde-balance", full.balance().love_plot()?)
        .figure("lalonde-hidden-bias", bounds.plot()?)
        .remark(
            "The printed figures leave out whether a man had a degree; with it one neighbour gives 1.69, four 1.90.",
        ))
}
