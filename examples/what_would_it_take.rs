//! What would it take? What customers want for taking part, and what they say of their chances: costs asked for, offers taken or left, and what false confidence is worth.
#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs)]

use cocreate::prelude::*;

fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    // %% What is designing it oneself worth? Customers bid for a standard product, one made for them, or one that they design, in the mechanism of Becker, DeGroot and Marschak: a price is drawn, and who bid at least it buys at it, so that it pays to bid the truth. Bids are log-normal here; the coefficients are log ratios.
    let bids = MassCustomization::new().seed(3).simulate()?;
    let bid = Bdm::new("bid ~ arm").log().fit(&bids.data)?;
    println!("{bid}");

    println!(
        "truth: ln {:.3} self-designed over standard\n",
        bids.oracle.effect("wtp_ratio_self_designed")?
    );

    // %% What compensation do they want for their data? Yes or no to a bid, and again to a second one; some give them for nothing, which is asked, too. The mean counts these with zero.
    let asked = DataAsks::new().seed(3).simulate()?;
    let want = ContingentValuation::new("yes ~ x", "bid")
        .compensation()
        .follow_up("bid_2", "yes_2")
        .spike("wants_any")
        .fit(&asked.data)?;
    println!("{want}\n");
    println!("{}", want.intervals(WtpMeasure::Mean, 0.95, 7)?);
    println!("truth: {:.3}\n", asked.oracle.effect("mean")?);

    // %% The same by choices among offers of a share of their data, control over it, a benefit and a payment: a logit of the offer that is taken, and the payment that makes up for a unit of each.
    let offered = DataOffers::new().seed(3).simulate()?;
    let choice = OfferChoice::new("chosen ~ share + control + benefit + payment", "payment")
        .choice_set("set")
        .covariance(Covariance::cluster("person"))
        .fit(&offered.data)?;
    println!("{choice}\n");
    println!(
        "truth: all data for {:.3}\n",
        offered.oracle.effect("wta_share")?
    );

    // %% How likely do they think they succeed? Reports rounded to 5 percent, of customers before anything is offered: the belief behind them, in standard deviations of what an attempt may bring.
    let mut experiment = StaticParticipation::new(PurchaseTiming::AfterPurchase)
        .customers(4_000)
        .seed(5);
    experiment.coupon = 0.6;
    let trial = experiment.simulate()?;
    let beliefs = ElicitedBeliefs::new("reported_success ~ experience")
        .grid(0.05)
        .fit(&trial.data)?;
    println!("{beliefs}");
    println!(
        "they expect too much: believed less true success is {:.3} on average\n",
        trial.oracle.effect("calibration")?
    );

    // %% Nothing, a standard product, or one that they design: a logit of what they chose at which prices. The sum over alternatives that is taken for consumer surplus counts what they expect; here co-creating brings 0.8 less than that, which only those who did it can tell.
    let confident = ConfidentChoice::new().customers(4_000).seed(3).simulate()?;
    let chosen = confident.data.label("choice")?;
    let prices = ["price_standard", "price_co_create"].map(|p| confident.data.real(p).unwrap());
    let mut long = vec![vec![]; 5];
    for (i, (standard, co_create)) in prices[0].iter().zip(prices[1]).enumerate() {
        for (k, alternative) in ["none", "standard", "co-create"].iter().enumerate() {
            let price = [0.0, *standard, *co_create][k];
            let flags = [k == 1, k == 2, chosen.get(i) == Some(*alternative)];
            let row = [i as f64, price]
                .into_iter()
                .chain(flags.map(|f| f64::from(u8::from(f))));
            long.iter_mut()
                .zip(row)
                .for_each(|(column, value)| column.push(value));
        }
    }
    let names = ["customer", "price", "standard", "co_create", "chosen"];
    let sets = names
        .iter()
        .zip(long)
        .try_fold(Frame::new(), |f, (name, c)| f.with(*name, c))?;
    let logit =
        ConditionalLogit::new("chosen ~ standard + co_create + price | customer").fit(&sets)?;
    println!("{logit}\n");
    let worth = fieller(&logit, "co_create", "price", 0.95)?;
    println!("co-creating is worth (less the sign of price): {worth}, truth -1.5\n");
    // The sum at mean prices of 1, and what is left of it when co-creating disappoints.
    let value =
        |b: &[f64], price: f64| [0.0, b[0] + b[2] * price, b[1] + b[2] * price].map(f64::exp);
    let of = ["standard", "co_create", "price"];
    let log_sum = logit.nonlinear("log-sum", &of, |b| {
        value(b, 1.0).iter().sum::<f64>().ln() / -b[2]
    })?;
    let surplus = logit.nonlinear("surplus lived", &of, |b| {
        let v = value(b, 1.0);
        let total: f64 = v.iter().sum();
        total.ln() / -b[2] - 0.8 * v[2] / total
    })?;
    println!("{log_sum}\n{surplus}\n");

    // %% How do they take risks? Choices between lotteries, by subjects who weight probabilities (Prelec's γ = 0.7) and whose utility bends (r = 0.4): expected utility puts down to r what is weighting.
    let mut laboratory = LotteryTasks::new().subjects(60).seed(4);
    (laboratory.risk_aversion, laboratory.weighting) = (0.4, [0.7, 1.0]);
    let tasks = laboratory.simulate()?;
    let lottery = |l: &str| Lottery::new((1..=3).map(|i| (format!("{l}x{i}"), format!("{l}p{i}"))));
    let model = LotteryChoice::new("chose_b ~ 1", lottery("a"), lottery("b"), "subject");
    let expected = model.clone().fit(&tasks.data)?;
    println!(
        "r of expected utility: {}",
        expected.coefficient("(Intercept)")?
    );
    let dependent = model
        .theory(RiskTheory::RankDependent(Weighting::Prelec))
        .fit(&tasks.data)?;
    println!("{dependent}\n");

    // %% Taking part and giving data: are they complements? A randomised incentive in each, and what it does in the other; the correlation of the two says nothing of it.
    let privacy = LogNormal::new(0.5, 0.1);
    let exchange = DataExchange {
        privacy,
        ..DataExchange::new()
    }
    .seed(7)
    .simulate()?;
    let cross =
        CrossEffects::new(["e", "z"], ["incentive_e", "incentive_z"]).fit(&exchange.data)?;
    let symmetric = cross.symmetric()?;
    println!("{}", symmetric.restricted);
    println!("truth: {:.4}", exchange.oracle.effect("z_by_incentive_e")?);
    Ok(())
}
