//! Castle-doctrine laws and homicide: what two-way fixed effects average, and what each cohort says.

use crate::experiment::{Experiment, Findings, Published};
use cocreate::prelude::*;

pub const CASTLE: Experiment = Experiment {
    name: "castle",
    title: "Castle-doctrine laws and homicide",
    authors: "Cheng & Hoekstra (2013); Goodman-Bacon (2021)",
    paper: "Goodman-Bacon (2021), Journal of Econometrics 225(2), on the data of Cheng & Hoekstra (2013), Journal of Human Resources 48(3)",
    table: "Decomposition of two-way fixed effects, log homicide, in the vignette of the package bacondecomp",
    data: "castle",
    estimator: "Two-way fixed effects and their decomposition; Callaway & Sant'Anna, Sun & Abraham, imputation",
    formulas: &[],
    study: "Between 2005 and 2009, 21 states of the USA extended the right to use lethal force in self-defence. Homicides per 100,000 people are known \
            for 50 states from 2000 to 2010.",
    identification: "Without the laws, log homicide would have moved in states with and without them alike. Two-way fixed effects take states with a \
                     law as controls of later ones too, which is harmless only if the effect of a law is the same in all years.",
    run,
};

const TWO_WAY: Published = Published::read("two-way fixed effects", 0.0818, 4, 5e-5);
const NEVER_WEIGHT: Published = Published::read("weight, never treated", 0.90834, 5, 5e-6);
const NEVER: Published = Published::read("mean estimate, never treated", 0.08796, 5, 5e-6);
const LATER_WEIGHT: Published = Published::read("weight, treated later", 0.05976, 5, 5e-6);
const LATER: Published = Published::read("mean estimate, treated later", -0.00554, 5, 5e-6);
const EARLIER_WEIGHT: Published = Published::read("weight, treated earlier", 0.03190, 5, 5e-6);
const EARLIER: Published = Published::read("mean estimate, treated earlier", 0.07032, 5, 5e-6);

fn run(_: &Experiment, data: &Frame) -> Result<Findings> {
    let frame = data
        .clone()
        .with("log_homicide", logs(data)?)?
        .with("law", law(data)?)?;
    let columns = ("log_homicide", "law", "sid", "year");
    let two_way = TwoWayFixedEffects::new(columns.0, columns.1, columns.2, columns.3)
        .starts()
        .fit(&frame)?;
    let parts = two_way.decomposition()?;
    let mean = |kind: BaconControl| {
        let own = parts.comparisons().iter().filter(|c| c.kind == kind);
        own.map(|c| c.weight * c.estimate).sum::<f64>() / parts.weight(kind)
    };
    let callaway = CallawaySantAnna::new(columns.0, columns.1, columns.2, columns.3)
        .starts()
        .base_period(BasePeriod::Universal)
        .fit(&frame)?;
    let study = callaway.event_study()?;
    let interacted = SunAbraham::new(columns.0, columns.1, columns.2, columns.3)
        .starts()
        .fit(&frame)?;
    let imputed = Imputation::new(columns.0, columns.1, columns.2, columns.3)
        .starts()
        .fit(&frame)?;
    let bands = MultiplierBootstrap::new()
        .seed(2013)
        .run(&study, &study.after(), 0.95)?;
    let simple = callaway.simple()?;
    Ok(Findings::new()
        .compare(TWO_WAY, two_way.coefficient("law")?.estimate)
        .compare(NEVER_WEIGHT, parts.weight(BaconControl::NeverTreated))
        .compare(NEVER, mean(BaconControl::NeverTreated))
        .compare(LATER_WEIGHT, parts.weight(BaconControl::LaterTreated))
        .compare(LATER, mean(BaconControl::LaterTreated))
        .compare(EARLIER_WEIGHT, parts.weight(BaconControl::EarlierTreated))
        .compare(EARLIER, mean(BaconControl::EarlierTreated))
        .shown(two_way.table())
        .shown(parts.table())
        .shown(simple.table())
        .shown(callaway.by_cohort()?.table())
        .shown(study.table())
        .shown(interacted.simple().table())
        .shown(imputed.table())
        .figure("castle-decomposition", parts.plot()?)
        .figure("castle-event-study", study.plot(Some(&bands))?)
        .remark(
            "The package counts a law from the year in which it takes effect; the bundled column `post` begins a year later, in the first full year. The comparison follows the package.",
        )
        .remark(format!(
            "Nine tenths of the weight are comparisons with states that never had a law, and no weight is negative. Two-way fixed effects find {:.3}; Callaway and Sant'Anna {:.3}, Sun and Abraham {:.3}, imputation {:.3}.",
            two_way.coefficient("law")?.estimate,
            simple.coefficient("ATT")?.estimate,
            interacted.simple().coefficient("ATT")?.estimate,
            imputed.coefficient("ATT")?.estimate
        ))
        .remark(
            "The test of effects before the law rejects by the earliest times, which one state alone tells (Montana), whose error leaves out its own noise.",
        ))
}

fn logs(data: &Frame) -> Result<Vec<f64>> {
    Ok(data.real("homicide")?.iter().map(|h| h.ln()).collect())
}

/// The year before the first full year of a state's law, in each of its rows; 0 for none.
fn law(data: &Frame) -> Result<Vec<f64>> {
    let (state, year) = (data.real("sid")?, data.real("year")?);
    let post = data.real("post")?;
    let first = |of: f64| {
        (0..post.len())
            .filter(|row| (state[*row] - of).abs() < 0.5 && post[*row] > 0.5)
            .map(|row| year[row] - 1.0)
            .fold(f64::INFINITY, f64::min)
    };
    Ok(state
        .iter()
        .map(|of| first(*of))
        .map(|y| if y.is_finite() { y } else { 0.0 })
        .collect())
}
