//! The law school admission test, section 6: five items, one ability.

use crate::experiment::{Experiment, Findings, Published};
use cocreate::prelude::*;

pub const LSAT: Experiment = Experiment {
    name: "lsat",
    title: "Five items of a law school test",
    authors: "Bock & Lieberman (1970)",
    paper: "Bock & Lieberman (1970), Fitting a response model for n dichotomously scored items, Psychometrika 35; as fitted by Rizopoulos (2006), \
            ltm: An R Package for Latent Variable Modelling and Item Response Theory Analyses, Journal of Statistical Software 17(5)",
    table: "LSAT section 6: Rasch model with one discrimination, and two-parameter logistic model",
    data: "lsat6_patterns",
    estimator: "Marginal maximum likelihood, ability N(0, 1), inverse observed information",
    formulas: &[("Items", "item1 + item2 + item3 + item4 + item5")],
    study: "1,000 persons answered the five items of section 6 of the Law School Admission Test, which are easy. The file has the 30 patterns of \
            right and wrong answers that occurred, with the number of persons of each.",
    identification: "Answers are independent given ability, and ability is normal; its origin and unit are those of this population. The \
                     difference of the two models is whether items tell persons apart equally well.",
    run,
};

const RASCH: [Published; 7] = [
    Published::recalled("Rasch, discrimination", 0.7551, 4, 5e-4),
    Published::recalled("Rasch, difficulty[item1]", -3.6153, 4, 1e-3),
    Published::recalled("Rasch, difficulty[item2]", -1.3224, 4, 1e-3),
    Published::recalled("Rasch, difficulty[item3]", -0.3176, 4, 1e-3),
    Published::recalled("Rasch, difficulty[item4]", -1.7301, 4, 1e-3),
    Published::recalled("Rasch, difficulty[item5]", -2.7802, 4, 1e-3),
    Published::recalled("Rasch, log-likelihood", -2466.938, 3, 2e-3),
];

const TWO_PARAMETER: [Published; 6] = [
    Published::recalled("2PL, discrimination[item1]", 0.8254, 4, 2e-3),
    Published::recalled("2PL, discrimination[item2]", 0.7229, 4, 2e-3),
    Published::recalled("2PL, discrimination[item3]", 0.8905, 4, 2e-3),
    Published::recalled("2PL, discrimination[item4]", 0.6886, 4, 2e-3),
    Published::recalled("2PL, discrimination[item5]", 0.6575, 4, 2e-3),
    Published::recalled("2PL, log-likelihood", -2466.653, 3, 2e-3),
];

fn run(this: &Experiment, data: &Frame) -> Result<Findings> {
    let items = this.formula("Items");
    let model = ItemResponse::new(items.split(" + ")).frequency_weights("count");
    let rasch = model.clone().rasch().fit(data)?;
    let two = model.fit(data)?;
    let mut findings = Findings::new();
    for (fit, cells) in [(&rasch, &RASCH[..]), (&two, &TWO_PARAMETER[..])] {
        for published in cells {
            let name = published.quantity.split(", ").last().unwrap_or_default();
            let ours = match name {
                "log-likelihood" => fit.log_likelihood(),
                _ => fit.coefficient(name)?.estimate,
            };
            findings = findings.compare(*published, ours);
        }
    }
    let test = two.likelihood_ratio_test(&rasch)?;
    Ok(findings.model(&rasch).model(&two).remark(format!(
        "One discrimination is enough for all five items: the two-parameter model fits no better ({test})."
    )))
}
