//! Can they, and do they know it? What customers are able to do, what they believe of it, and what follows for taking part.
#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs)]

use cocreate::prelude::*;

fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    // %% Customers of a service that works only if they do their part: simulated, so that the truth is known. They have answered six questions and said what they believe of themselves; then education, a tool, a guarantee and a coupon were randomised.
    let mut experiment = StaticParticipation::new(PurchaseTiming::AfterPurchase)
        .customers(5_000)
        .seed(11);
    experiment.items = vec![-1.5, -0.75, 0.0, 0.5, 1.0, 2.0];
    let simulated = experiment.simulate()?;
    let customers = simulated.data.clone();
    let described = customers
        .select(&["experience", "education", "coupon", "buys", "participates"])?
        .describe();
    println!("{described}\n");

    // %% Can they? A Rasch model of the six answers, with ability explained by experience.
    let items = ["item_1", "item_2", "item_3", "item_4", "item_5", "item_6"];
    let test = ItemResponse::new(items)
        .rasch()
        .regressors("experience")
        .fit(&customers)?;
    println!("{test}\n");

    // %% Where the test tells customers apart: its information along ability, with the standard error of a score.
    let information = test.information()?;
    let precision = information.plot()?;
    println!("{precision}\n");

    // %% Each customer's score (Warm's weighted likelihood) with its own standard error.
    let scores = test.scores(Scoring::WeightedLikelihood)?;
    let customers = scores.append(&customers, "skill")?;
    println!("{scores}\n");

    // %% A score is not ability: a regression on it is attenuated. Three honest ways beside the naive one; what customers believe moves with true ability by 1 when they are calibrated.
    let beliefs =
        BeliefQuantiles::new([("belief_median", 0.5), ("belief_p90", 0.9)]).fit(&customers)?;
    let customers = customers.with("belief", beliefs.mean.clone())?;
    let measured = Measured::with_mean_std_errors("skill", "skill_se");
    let comparison = ScoreComparison::new("belief ~ skill + experience", measured)
        .seed(7)
        .fit(&customers)?;
    println!("{comparison}\n");

    // %% Do they know it? Mean belief less mean ability, by experience: the inexperienced are overconfident.
    let skill = customers.real("skill")?.to_vec();
    let gap: Vec<f64> = beliefs
        .mean
        .iter()
        .zip(&skill)
        .map(|(m, a)| m - a)
        .collect();
    let customers = customers.with("overconfidence", gap)?;
    let overconfidence = Ols::new("overconfidence ~ experience").fit(&customers)?;
    println!("{overconfidence}\n");

    // %% Buy first, take part later: participation is seen only of buyers, and the coupon moves purchase alone.
    let model = BuyThenParticipate::new(
        "buys ~ belief + experience + education + tool + guarantee + coupon",
        "participates ~ belief + experience + education + tool + guarantee",
    );
    let fit = model.fit(&customers)?;
    println!("{fit}\n");

    // %% What education does to taking part, for everybody (intention to treat), beside the truth that the simulation knows.
    let effect = Ols::new("participates ~ education + tool + guarantee + coupon")
        .fit(&customers)?
        .coefficient("education")?;
    let truth = simulated.oracle.effect("itt_participation")?;
    println!("{effect}\ntruth: {truth:.4}\n");

    // %% A funnel in another shop, where customers are shown the designs of others. Finishing given start compares those whom inspiration brought with those who would have come anyway: the effect on everybody leads, and the conditional rates are labelled and bounded.
    let shop = PhotoFunnel::new().seed(5).simulate()?;
    let funnel = FunnelEffects::new("arm", ["starts", "finishes", "buys"])
        .control("control")
        .fit(&shop.data)?;
    println!("{funnel}");
    Ok(())
}
