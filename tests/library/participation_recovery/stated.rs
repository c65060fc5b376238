//! What customers state: answers to bids, amounts, beliefs and willingness.

use super::{Draws, Model, ROWS, Sample, all, frame, one, truth};
use cocreate::prelude::*;

pub(super) fn models() -> Vec<Model> {
    vec![
        Model::new("contingent_valuation", bids, |f| {
            all(&ContingentValuation::new("yes ~ ability", "bid")
                .follow_up("bid2", "yes2")
                .fit(f)?)
        }),
        Model::new("contingent_valuation_single", bids, |f| {
            let fit = ContingentValuation::new("yes ~ ability", "bid").fit(f)?;
            let mut found = all(&fit)?;
            found.push(named("mean", fit.mean()?));
            Ok(found)
        }),
        Model::new("contingent_valuation_spike", spiked_bids, |f| {
            let fit = ContingentValuation::new("yes ~ ability", "bid")
                .spike("positive")
                .fit(f)?;
            let mut found = all(&fit)?;
            found.extend(fit.zero_share()?.map(|e| named("zero_share", e)));
            Ok(found)
        }),
        Model::new("contingent_valuation_log_spike", log_spiked_bids, |f| {
            all(&ContingentValuation::new("yes ~ ability", "bid")
                .spike("positive")
                .log()
                .fit(f)?)
        }),
        Model::new("bdm", amounts, |f| {
            all(&Bdm::new("cost ~ tool + ability")
                .range(0.0, 8.0)
                .rounding(0.5)
                .fit(f)?)
        }),
        Model::new("elicited_beliefs", reports, |f| {
            all(&ElicitedBeliefs::new("report ~ ability").grid(0.1).fit(f)?)
        }),
        Model::new(
            "willingness_probit",
            |s| willing(s, false),
            |f| {
                let scale = WillingnessScale::Probit;
                ratios(
                    &Willingness::new(WILLING, scale, "mean", "variance")
                        .price("price")
                        .fit(f)?,
                )
            },
        ),
        Model::new(
            "willingness_ordered",
            |s| willing(s, true),
            |f| {
                let scale = WillingnessScale::OrderedProbit;
                ratios(
                    &Willingness::new(WILLING, scale, "mean", "variance")
                        .price("price")
                        .fit(f)?,
                )
            },
        ),
    ]
}

const WILLING: &str = "join ~ mean + variance + price";

fn named(name: &str, mut estimate: Estimate) -> Estimate {
    name.clone_into(&mut estimate.name);
    estimate
}

/// Coefficients and what they mean in money.
fn ratios(fit: &WillingnessFit) -> Result<Vec<Estimate>> {
    let mut found = all(fit)?;
    found.push(named("certainty_ratio", fit.certainty_ratio()?));
    found.push(named("value_of_ability", fit.value_of_ability()?));
    found.push(named("cost_of_uncertainty", fit.cost_of_uncertainty()?));
    Ok(found)
}

fn bids(seed: Seed) -> Sample {
    let mut d = Draws::new(seed);
    let (a, u, e) = (d.normals(ROWS), d.uniforms(ROWS), d.normals(ROWS));
    let bid: Vec<f64> = u
        .iter()
        .map(|u| [4.0, 7.0, 10.0, 13.0][(4.0 * u) as usize])
        .collect();
    let amount: Vec<f64> = (0..ROWS).map(|i| 8.0 + 2.0 * a[i] + 4.0 * e[i]).collect();
    let yes: Vec<f64> = (0..ROWS).map(|i| one(amount[i] > bid[i])).collect();
    let bid2: Vec<f64> = (0..ROWS)
        .map(|i| {
            if yes[i] > 0.5 {
                bid[i] + 3.0
            } else {
                bid[i] - 3.0
            }
        })
        .collect();
    let yes2 = (0..ROWS).map(|i| one(amount[i] > bid2[i])).collect();
    let truth = truth(&[("(Intercept)", 2.0), ("ability", 0.5), ("bid", -0.25)]);
    let columns = vec![
        ("ability", a),
        ("bid", bid),
        ("yes", yes),
        ("bid2", bid2),
        ("yes2", yes2),
    ];
    (frame(columns), truth)
}

/// A single bid, and after no the question whether the amount is positive at all; `amounts` are zero or less for those who want nothing.
fn asked(u: &[f64], a: Vec<f64>, amounts: &[f64], steps: [f64; 4]) -> Frame {
    let bid: Vec<f64> = u.iter().map(|u| steps[(4.0 * u) as usize]).collect();
    let yes: Vec<f64> = (0..ROWS).map(|i| one(amounts[i] > bid[i])).collect();
    let positive = (0..ROWS)
        .map(|i| {
            if yes[i] > 0.5 {
                f64::NAN
            } else {
                one(amounts[i] > 0.0)
            }
        })
        .collect();
    let columns = vec![
        ("ability", a),
        ("bid", bid),
        ("yes", yes),
        ("positive", positive),
    ];
    frame(columns)
}

fn spiked_bids(seed: Seed) -> Sample {
    let mut d = Draws::new(seed);
    let (a, u, e) = (d.normals(ROWS), d.uniforms(ROWS), d.normals(ROWS));
    let amounts: Vec<f64> = (0..ROWS).map(|i| 4.0 + 2.0 * a[i] + 4.0 * e[i]).collect();
    let found = asked(&u, a, &amounts, [2.0, 5.0, 8.0, 11.0]);
    let truth = truth(&[("(Intercept)", 1.0), ("ability", 0.5), ("bid", -0.25)]);
    (found, truth)
}

fn log_spiked_bids(seed: Seed) -> Sample {
    let mut d = Draws::new(seed);
    let (a, u, e, z) = (
        d.normals(ROWS),
        d.uniforms(ROWS),
        d.normals(ROWS),
        d.uniforms(ROWS),
    );
    let zero = 1.0 / (1.0 + 1.2_f64.exp());
    let amounts: Vec<f64> = (0..ROWS)
        .map(|i| {
            if z[i] < zero {
                0.0
            } else {
                (2.0 + 0.5 * a[i] + e[i]).exp()
            }
        })
        .collect();
    let found = asked(&u, a, &amounts, [3.0, 6.0, 12.0, 24.0]);
    let truth = truth(&[
        ("(Intercept)", 2.0),
        ("ability", 0.5),
        ("log(bid)", -1.0),
        ("spike", -1.2),
    ]);
    (found, truth)
}

/// Costs stated in steps of a half between the lowest and the highest price.
fn amounts(seed: Seed) -> Sample {
    let mut d = Draws::new(seed);
    let (a, tool, e) = (d.normals(ROWS), d.coins(ROWS), d.normals(ROWS));
    let cost = (0..ROWS)
        .map(|i| {
            let cost: f64 = 5.0 - 1.2 * tool[i] - 0.6 * a[i] + 2.0 * e[i];
            (2.0 * cost.clamp(0.0, 8.0)).round() / 2.0
        })
        .collect();
    let truth = truth(&[
        ("(Intercept)", 5.0),
        ("tool", -1.2),
        ("ability", -0.6),
        ("ln_sigma", 2.0_f64.ln()),
    ]);
    let columns = vec![("ability", a), ("tool", tool), ("cost", cost)];
    (frame(columns), truth)
}

fn reports(seed: Seed) -> Sample {
    let mut d = Draws::new(seed);
    let (a, e) = (d.normals(ROWS), d.normals(ROWS));
    let report = (0..ROWS)
        .map(|i| {
            (10.0 * cocreate::numeric::special::normal::cdf(0.3 + 0.6 * a[i] + 0.8 * e[i])).round()
                / 10.0
        })
        .collect();
    let truth = truth(&[
        ("(Intercept)", 0.3),
        ("ability", 0.6),
        ("ln_sigma", 0.8_f64.ln()),
    ]);
    (frame(vec![("ability", a), ("report", report)]), truth)
}

/// θ = 1.25, (α/2)θ² = 0.75, and errors of standard deviation 1/0.8.
fn willing(seed: Seed, ordered: bool) -> Sample {
    let mut d = Draws::new(seed);
    let (m, v, p, e) = (
        d.normals(ROWS),
        d.uniforms(ROWS),
        d.uniforms(ROWS),
        d.normals(ROWS),
    );
    let variance: Vec<f64> = v.iter().map(|u| 0.2 + 1.8 * u).collect();
    let price: Vec<f64> = p.iter().map(|u| 2.0 * u).collect();
    let join = (0..ROWS)
        .map(|i| {
            let index = m[i] - 0.6 * variance[i] - 0.8 * price[i] + e[i];
            if ordered {
                one(index > -2.0) + one(index > -1.2) + one(index > 0.1)
            } else {
                one(index + 1.2 > 0.0)
            }
        })
        .collect();
    let mut values = vec![
        ("mean", 1.0),
        ("variance", -0.6),
        ("price", -0.8),
        ("certainty_ratio", 0.6),
        ("value_of_ability", 1.25),
        ("cost_of_uncertainty", 0.75),
    ];
    if ordered {
        values.extend([("cut1", -2.0), ("cut2", -1.2), ("cut3", 0.1)]);
    } else {
        values.push(("(Intercept)", 1.2));
    }
    let columns = vec![
        ("mean", m),
        ("variance", variance),
        ("price", price),
        ("join", join),
    ];
    (frame(columns), truth(&values))
}
