//! Whom should we invite to co-create? From trial to policy to value, with the truth known.
#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs)]

use cocreate::prelude::*;

fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    // %% A trial: half of 20,000 customers of a design tool, drawn at random, are offered a short course before they start. It tells them what they can do: those who thought too little of themselves take part, those who thought too much stay away. The customers are simulated, so that the truth is known; those with experience are the modest ones.
    let mut traits = Traits {
        overconfidence: -0.3,
        ..Traits::default()
    };
    traits.covariates[0].overconfidence = -0.6;
    let made = StaticParticipation::new(PurchaseTiming::BeforePurchase)
        .population(Population::new(traits))
        .customers(20_000)
        .seed(41)
        .simulate()?;
    let offered = made.data.flag("education")?.iter();
    let arms: Vec<&str> = offered
        .map(|o| if *o { "course" } else { "none" })
        .collect();
    let customers = made.data.clone().with("arm", arms)?;

    // %% One half of them is learned from, the other half is kept to judge what was learned.
    let (learning, judging): (Vec<bool>, Vec<bool>) =
        (0..20_000).map(|row| (row % 2 == 0, row % 2 == 1)).unzip();
    let (trial, others) = (customers.filter(&learning)?, customers.filter(&judging)?);
    let features = [
        "experience",
        "reported_success",
        "tool",
        "guarantee",
        "coupon",
    ];

    // %% On average the course moves little: two more participants in a hundred. Doubly robust scores use the shares of the trial and models of participation.
    let average = DoublyRobust::new("participates", "arm", &features)
        .control("none")
        .randomized()
        .seed(1)
        .fit(&trial)?;
    println!("{average}\n");

    // %% Who responds? A causal forest learns the effect as a function of what is known before, with the variance of every prediction.
    let forest = CausalForest::new("participates", "education", &features)
        .trees(1000)
        .seed(2)
        .fit(&trial)?;
    println!("{forest}\n");

    // %% Its effects for the other half of the customers, which it has not seen.
    let predicted = forest.predict(&others)?;
    println!("{predicted}\n");

    // %% Does the ranking hold there? The curve of the gain from inviting the most promising first, judged by doubly robust scores of these customers alone. AUTOC and the Qini coefficient are zero for a useless ranking.
    let judged = DoublyRobust::new("participates", "arm", &features)
        .control("none")
        .randomized()
        .seed(3)
        .fit(&others)?;
    let scores = judged.scores().clone();
    let curve = UpliftCurve::new().fit(&scores, &predicted.estimates)?;
    println!("{curve}\n");

    // %% The same as a figure.
    let figure = curve.plot()?;
    println!("{figure}\n");

    // %% Are the predictions of the right size? Predicted effects by fifths against the effects of these customers.
    let calibration = EffectCalibration::new().fit(&scores, &predicted.estimates)?;
    println!("{calibration}\n");

    // %% Who are those who gain the most and the least?
    let clan = Clan::new(features).fit(&scores, &others, &predicted.estimates)?;
    println!("{clan}\n");

    // %% The same as bars: experience and a modest report of success tell the two apart, the terms of the offer hardly do.
    let bars = clan.bars()?;
    println!("{bars}\n");

    // %% A rule that people can read. One more participant is worth 1, the course costs 0.02 a head; an exact tree of depth 2 maximises the value on the learning half.
    let worth = average.scores().clone().less_cost("course", 0.02)?;
    let tree = PolicyTree::new(["experience", "reported_success"])
        .depth(2)
        .cuts(64)
        .minimum_leaf(100)
        .fit(&worth, &trial)?;
    println!("{tree}\n");

    // %% And drawn.
    let drawn = tree.plot()?;
    println!("{drawn}\n");

    // %% What the rule is worth for the customers it has not seen, against inviting nobody and everybody.
    let value = tree.evaluate(&scores.clone().less_cost("course", 0.02)?, &others)?;
    println!("{value}\n");

    // %% If there are seats for a part of the customers only: what the forest's most promising bring, beside seats drawn by lot. Both are judged on the same customers, so that the difference is known better than its parts.
    let seats = BudgetCurve::new().cost("course", 1.0).at(&[0.05, 0.1, 0.2]);
    let lot = vec![1.0; others.rows()];
    let compared = seats.compare(
        &scores,
        ("forest", std::slice::from_ref(&predicted.estimates)),
        ("lot", &[lot]),
    )?;
    println!("{compared}\n");

    // %% A programme should not serve one kind of customer only. A thousand seats, and of those with and of those without the tool at least nine in a hundred, where the most promising thousand would be 11.8 and 8.2.
    let tools = others.groups("tool")?;
    let fair = Budget::new(1000.0)
        .cost("course", 1.0)
        .minimum_share(&tools, 0.09)
        .allocate(
            &["none", "course"],
            std::slice::from_ref(&predicted.estimates),
        )?;
    println!("{fair}\n");

    // %% The truth that only a simulation knows: would each of these customers take part without the course, and with it? The regret is what the rule leaves to an oracle who knows each customer's answer.
    let truth = made.oracle.individuals.filter(&judging)?;
    let alone = truth.numeric("participates_0")?.values().to_vec();
    let taught = truth.numeric("participates_1")?.values().to_vec();
    let known =
        ArmScores::new(["none", "course"], vec![alone, taught])?.less_cost("course", 0.02)?;
    let regret = PolicyRegret::of(&known, &tree.assign(&others)?)?;
    println!("{regret}");
    Ok(())
}
