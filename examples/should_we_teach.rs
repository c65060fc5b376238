//! Should we teach our customers? Or give them a tool, insure them, or pay them: from the design of a trial to who gains.
#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs)]

use cocreate::prelude::*;

fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    // %% Customers co-create with us and do not know how well they will do. Which trial tells what would help? Signals about themselves × a tool × a guarantee × a coupon, with beliefs asked for beforehand; the power of each channel with 20,000 customers, under what we assume.
    let terms = Terms {
        price: 1.0,
        taste: 0.7,
        value_abandon: -1.0,
        ..Terms::default()
    };
    let work = cocreate::participation::Task::default();
    let situation = Situation::new(
        Preferences::continuous_cara(0.6)?,
        Cost::material(0.3),
        work,
        terms,
    )?;
    let assumed = AssumedTruth {
        situation,
        effort: 0.0,
        shock_sd: 0.8,
        belief_mean: 0.5,
        belief_sd: 0.9,
        belief_variance: 0.5,
        overconfidence: 0.3,
        ability_sd: 0.8,
        signal_variance: 0.5,
        productivity: 0.3,
        persuasion: 0.2,
    };
    let design = FactorialDesign::identifying();
    let power =
        PowerAnalysis::new(&design, assumed).run(&AfterPurchase::without_signal(), 20_000)?;
    println!("{power}\n");

    // %% The trial, simulated, so that the truth is known: six questions, what customers say of their chances, none, one or four signals about themselves, a coupon and a tool at random; then who takes part, and who of them succeeds.
    let trial = JointParticipation::new().customers(2_500).seed(7);
    let simulated = trial.simulate()?;
    let customers = simulated.data.clone();
    let described = customers
        .select(&["x", "report", "coupon", "participates", "success"])?
        .describe();
    println!("{described}\n");

    // %% One model of all of it: ability, belief, choice and success.
    let model = JointWillingness::new("participates ~ coupon + tool")
        .ability("x")
        .overconfidence("x")
        .items(["item_1", "item_2", "item_3", "item_4", "item_5", "item_6"])
        .reported("report", 0.05)
        .signals("signals", 0.5)
        .success("success")
        .money("coupon");
    let fit = model.fit(&customers)?;
    println!("{fit}\n");

    // %% What the blocks of these data identify, and what they do not.
    let identified = fit.identification().clone();
    println!("{identified}\n");

    // %% The market as it stands: no signals, no tool, no coupon, a price of 2.5; a participant costs us 0.4. Then what each policy would change, for the customers and for us.
    let market = Market::fitted(&fit)?
        .at("tool", 0.0)
        .at("coupon", 0.0)
        .price(2.5)
        .unit_cost(0.4)
        .risk_aversion(0.1);
    let policies = [
        Policy::new("teach").signals(4).cost(0.03),
        Policy::new("tool").tool_column("tool", 1.0).cost(0.05),
        Policy::new("insure").guarantee(0.5),
        Policy::new("pay").coupon(0.3),
    ];
    let effects = market.compare(&policies)?;
    println!("{effects}\n");

    // %% What teaching does to welfare, with its interval.
    let welfare = effects.figure(Outcome::Welfare)?;
    println!("{welfare}\n");

    // %% What customers foresee is not what they live through: teaching takes away confidence that was false, which the plain log-sum counts as a loss. Beside each the truth, which the simulation knows (a unit of money is 1.2 deviations of the taste shock).
    let foreseen = effects.effect("teach", Outcome::AnticipatedSurplus)?;
    let lived = effects.effect("teach", Outcome::ExperiencedSurplus)?;
    println!("{foreseen}");
    println!(
        "truth: {:.4}",
        simulated.oracle.effect("anticipated_surplus")? / 1.2
    );
    println!("{lived}");
    println!(
        "truth: {:.4}\n",
        simulated.oracle.effect("experienced_surplus")? / 1.2
    );

    // %% Everything together, and which channel brings what: Shapley values, so that the order does not matter.
    let everything = Policy::new("all of it")
        .signals(4)
        .tool_column("tool", 1.0)
        .coupon(0.3)
        .cost(0.08);
    let channels = market.decompose(&everything)?;
    println!("{channels}\n");

    // %% The same as a waterfall.
    let waterfall = channels.waterfall(Outcome::Welfare)?;
    println!("{waterfall}\n");

    // %% How much of a coupon is best for us?
    let best = market.optimal_level([0.0, 1.2], Outcome::Profit, |money| {
        Policy::new("coupon").coupon(money)
    })?;
    println!("{best}\n");

    // %% Whom should we teach, if profit is what counts? Those whom it brings, by more than it costs; and what that does to them.
    let target = market.target(&policies[0], Outcome::Profit)?;
    println!("{target}\n");

    // %% And if customers paid only once they have seen what they made? The price is then an option: more begin, fewer of them buy, and being unsure is no longer a reason to stay away. The work is said to cost them 0.3.
    let later = Policy::new("pay later").timing(PurchaseTiming::BeforePurchase);
    let timing = market.work_cost(0.3).compare(&[later])?;
    println!("{timing}");
    Ok(())
}
