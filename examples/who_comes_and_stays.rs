//! Who comes, who stays, and how often? From an invitation that both sides must accept to trying, learning, adopting and asking for help.
#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs)]

use cocreate::prelude::*;
use rand::RngExt;
use rand_distr::{Distribution as _, StandardNormal};

/// Customers who ask to co-create, and a firm that takes some: seen is only whether it happened.
fn matches(customers: usize) -> Result<Frame> {
    let mut draws = Seed::new(20).stream(0);
    let mut columns = vec![vec![]; 3];
    for _ in 0..customers {
        let mut normal = || -> f64 { StandardNormal.sample(&mut draws) };
        let (effort, load) = (normal(), normal());
        let wants = 0.7 - 0.8 * effort + normal() > 0.0;
        let takes = 0.4 - 1.0 * load + normal() > 0.0;
        columns[0].push(effort);
        columns[1].push(load);
        columns[2].push(f64::from(u8::from(wants && takes)));
    }
    let [effort, load, both] = <[Vec<f64>; 3]>::try_from(columns).unwrap();
    Frame::new()
        .with("effort", effort)?
        .with("load", load)?
        .with("both", both)
}

/// Customers who adopt a tool in some week, of twelve, or not: they differ in how eager they are, by more than one sees.
fn adopters(customers: usize) -> Result<Frame> {
    let mut draws = Seed::new(21).stream(0);
    let mut columns = vec![vec![]; 4];
    for _ in 0..customers {
        let skill: f64 = StandardNormal.sample(&mut draws);
        let eager: f64 = StandardNormal.sample(&mut draws);
        let invited = f64::from(u8::from(draws.random::<f64>() < 0.5));
        let index = -2.5 + 0.8 * skill + 0.5 * invited + 0.8 * eager;
        let hazard = -(-index.exp()).exp_m1();
        let week = (1..=12).find(|_| draws.random::<f64>() < hazard);
        columns[0].push(skill);
        columns[1].push(invited);
        columns[2].push(f64::from(week.unwrap_or(12)));
        columns[3].push(f64::from(u8::from(week.is_some())));
    }
    let [skill, invited, week, adopted] = <[Vec<f64>; 4]>::try_from(columns).unwrap();
    let frame = Frame::new()
        .with("skill", skill)?
        .with("invited", invited)?;
    frame.with("week", week)?.with("adopted", adopted)
}

fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    // %% A co-creation happens when the customer wants it and the firm has room, and who said no is never written down. What moves one side alone tells the two apart: the effort that the customer would have (slope -0.8), the load of the firm (-1).
    let both = MutualAcceptance::new("both ~ effort", "both ~ load")
        .independent()
        .fit(&matches(4_000)?)?;
    println!("{both}\n");

    // %% They start, finish and buy, and ability that nobody sees goes along through all stages: those who finish are not those who started. That having experience counts as much at each stage tells the spread of what is unseen, 0.55 (ln 0.55 = -0.6) of a standard deviation of the noise.
    let shop = PhotoFunnel::new().seed(5).simulate()?;
    let experience = shop.data.real("experience")?.iter();
    let experienced: Vec<bool> = experience.map(|x| *x > 0.0).collect();
    let visits = shop.data.with("experienced", experienced)?;
    let funnel = Funnel::new(["starts ~ arm", "finishes ~ arm", "buys ~ arm"])
        .common("experienced")
        .fit(&visits)?;
    println!("{funnel}\n");

    // %% Before they buy they may try: each trial costs them, and tells what the product is worth to them. From how often they try, at which price, and what they said of it beforehand: how much they care (3), how much a trial tells (ln 1 = 0), what it costs (0.3).
    let tried = TrialPanel::new().customers(500).seed(3).simulate()?;
    let trials = TrialStopping::new("bought ~ price", "trials", 5, 0.95)
        .elicited("prior_mean", 1.0)
        .fit(&tried.data)?;
    println!("{trials}\n");

    // %% They take part again and again, and learn what they can do by doing it. Where what the attempts told them is in the data the beliefs are known, and even what being unsure costs them (0.3) is told apart from what they know. Truth besides: taste 1, and an attempt tells as much as they knew before (ln 1 = 0).
    let panel = LearningPanel {
        elicited: true,
        ..LearningPanel::new()
    };
    let panel = panel.customers(400).seed(3).simulate()?.data;
    let model = LearningPanelModel::new("participates ~ price", "customer", "period")
        .elicited("prior_mean");
    let seen = model
        .clone()
        .signals_seen("signal")
        .ambiguity()
        .fit(&panel)?;
    println!("{seen}\n");

    // %% Where it is not, beliefs are simulated, and what simulation errs is told: more paths err less, and take longer.
    let unseen = model.paths(128).seed(1).fit(&panel)?;
    println!("{unseen}\n");

    // %% When do they adopt? Weekly hazards with a free baseline. The eager leave first, so that the effects of skill (0.8) and of an invitation (0.5) seem to fade and are too small where customers are taken to be alike; with differences among them they are not.
    let weeks = adopters(3_000)?;
    let adoption = Adoption::new(Survival::right("week", "adopted"), "skill + invited");
    let alike = adoption.clone().frailty(Frailty::None).fit(&weeks)?;
    let unlike = adoption.fit(&weeks)?;
    for name in ["skill", "invited"] {
        println!("alike:  {}", alike.coefficient(name)?);
        println!("unlike: {}", unlike.coefficient(name)?);
    }
    println!();

    // %% How often do they ask for help in the first week? Many never: whether they ask at all is one thing, and how often those who do another. Being educated multiplies the mean number by 0.8, by both.
    let cloud = CloudOnboarding::new().seed(9).simulate()?;
    let questions = Hurdle::negative_binomial("questions ~ educated").fit(&cloud.data)?;
    println!("{questions}\n");
    let change = questions.marginal_effects(&Margins::of(["educated"]).discrete("educated"))?;
    println!("{change}");
    Ok(())
}
