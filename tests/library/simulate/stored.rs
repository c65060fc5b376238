//! A Monte Carlo study that is stored in two shards, and draws that are pinned. Everything here is counted or uses
//! arithmetic that is exact on every machine, so that the bits do not depend on a machine's exponential function.

use cocreate::prelude::*;

/// Replications and shards of the stored study, and the customers of each.
pub const REPLICATIONS: usize = 1_000;
pub const SHARDS: usize = 2;
const CUSTOMERS: usize = 5_000;

/// The study: what education does to taking part, by the difference in means.
pub fn study() -> MonteCarlo {
    MonteCarlo::new("Education and participation, difference in means, n = 5,000")
        .replications(REPLICATIONS)
        .seed(20_240)
}

/// One replication.
pub fn replicate(seed: Seed) -> Result<Replication> {
    let made = StaticParticipation::new(PurchaseTiming::AfterPurchase)
        .customers(CUSTOMERS)
        .keep_oracle(false)
        .seed(seed)
        .simulate()?;
    let education = made.data.flag("education")?;
    let mut replication = Replication::new();
    for (name, column, truth) in [
        ("buys", "buys", "itt_purchase"),
        ("participates", "participates", "itt_participation"),
    ] {
        let outcome = made.data.flag(column)?;
        let rate = |arm: bool| {
            let (mut n, mut yes) = (0.0, 0.0);
            for (_, y) in education.iter().zip(outcome).filter(|(d, _)| **d == arm) {
                n += 1.0;
                yes += f64::from(u8::from(*y));
            }
            (yes / n, yes / n * (1.0 - yes / n) / (n - 1.0))
        };
        let ((y0, v0), (y1, v1)) = (rate(false), rate(true));
        let (estimate, half) = (y1 - y0, 1.96 * (v0 + v1).sqrt());
        let interval = Interval {
            name: name.to_owned(),
            level: 0.95,
            lower: estimate - half,
            upper: estimate + half,
        };
        replication = replication.interval(name, estimate, &interval, made.oracle.effect(truth)?);
    }
    Ok(replication)
}

/// Counts of seeded processes, each a name and a number.
pub fn pinned() -> Result<Vec<(&'static str, f64)>> {
    let sum = |made: &Simulated, name: &str| -> Result<f64> {
        let frame = if made.data.has(name) {
            &made.data
        } else {
            &made.oracle.individuals
        };
        let values = frame.numeric(name)?;
        Ok(values.values().iter().filter(|v| !v.is_nan()).sum())
    };
    let after = StaticParticipation::new(PurchaseTiming::AfterPurchase)
        .seed(7)
        .simulate()?;
    let before = StaticParticipation::new(PurchaseTiming::BeforePurchase)
        .seed(7)
        .simulate()?;
    let photo = PhotoFunnel::new().seed(7).simulate()?;
    let cloud = CloudOnboarding::new().seed(7).simulate()?;
    let items = ItemResponses::default().seed(7).simulate()?;
    let gifts = NetworkGifting::new().seed(7).simulate()?;
    let panel = LearningPanel::new().seed(7).simulate()?;
    let survey = CustomerSurvey::new().seed(7).simulate()?;
    let base = CustomerBase::new().seed(7).simulate()?;
    let choice = Auctions::new().seed(7).simulate()?;
    let design = MassCustomization::new().seed(7).simulate()?;
    let invitations = InvitationTargeting::new().seed(7).simulate()?;
    let instrument = InstrumentedEffects::new().seed(7).simulate()?;
    let effects = |design| HeterogeneousEffects::new(design).seed(7).simulate();
    let unbalanced = effects(EffectDesign::Kunzel(1))?;
    let selected = effects(EffectDesign::Powers(16))?;
    let people = datasets::load("nsw")?;
    let trial = SemiSynthetic::new(["age", "educ"]);
    let trial = trial.seed(7).simulate(&people)?;
    Ok(vec![
        ("after, buys", sum(&after, "buys")?),
        ("after, participates", sum(&after, "participates")?),
        ("after, success", sum(&after, "success")?),
        ("before, buys", sum(&before, "buys")?),
        ("before, participates", sum(&before, "participates")?),
        ("photo, starts", sum(&photo, "starts")?),
        ("photo, buys", sum(&photo, "buys")?),
        ("cloud, days", sum(&cloud, "days")?),
        ("cloud, questions", sum(&cloud, "questions")?),
        ("items, first", sum(&items, "item_1")?),
        ("items, last", sum(&items, "item_10")?),
        ("gifts, adopts", sum(&gifts, "adopts")?),
        ("panel, participates", sum(&panel, "participates")?),
        ("survey, responds", sum(&survey, "responds")?),
        ("survey, label", sum(&survey, "label")?),
        ("base, frequency", sum(&base, "frequency")?),
        ("base, future", sum(&base, "future")?),
        ("auctions, bidders", sum(&choice, "bidders")?),
        ("self-design, success", sum(&design, "success")?),
        ("self-design, buys", sum(&design, "buys")?),
        ("invitations, begins", sum(&invitations, "begins")?),
        ("invitations, finishes", sum(&invitations, "finishes")?),
        ("instrument, takes", sum(&instrument, "w")?),
        ("unbalanced, treated", sum(&unbalanced, "w")?),
        ("selected, treated", sum(&selected, "w")?),
        ("semi-synthetic, treated", sum(&trial, "w")?),
    ])
}
