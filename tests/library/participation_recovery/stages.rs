//! Choices that customers make one after the other, and choices of two sides.

use super::{Draws, Model, ROWS, Sample, all, frame, one, truth};
use cocreate::prelude::*;

pub(super) fn models() -> Vec<Model> {
    vec![
        Model::new("buy_then_participate", buyers, |f| {
            all(
                &BuyThenParticipate::new("buy ~ ability + coupon", "participate ~ ability")
                    .fit(f)?,
            )
        }),
        Model::new("mutual_acceptance", pairs, |f| {
            all(&MutualAcceptance::new("both ~ ability", "both ~ load")
                .independent()
                .fit(f)?)
        }),
        Model::new("mutual_acceptance_correlated", correlated_pairs, |f| {
            all(&MutualAcceptance::new("both ~ ability", "both ~ load").fit(f)?)
        })
        .slow(),
        Model::new("funnel", funnel, |f| {
            all(
                &Funnel::new(["start ~ nudge", "finish ~ tool", "buy ~ coupon"])
                    .common("ability")
                    .fit(f)?,
            )
        })
        .slow(),
        Model::new("funnel_repeated", repeated, |f| {
            all(&Funnel::new(["start ~ arm", "finish ~ arm", "buy ~ arm"])
                .subject("customer")
                .error(LatentError::Logistic)
                .fit(f)?)
        })
        .slow(),
        Model::new("adoption_normal", adopters_of_two, |f| {
            let outcome = Survival::counting("zero", "time", "adopted").subject("customer");
            all(&adoption(outcome).frailty(Frailty::Normal).fit(f)?)
        })
        .slow(),
        Model::new("adoption_gamma", adopters, |f| {
            let outcome = Survival::right("time", "adopted");
            all(&adoption(outcome).frailty(Frailty::Gamma).fit(f)?)
        })
        .slow(),
    ]
}

fn buyers(seed: Seed) -> Sample {
    let mut d = Draws::new(seed);
    let (a, c, e, v) = (
        d.normals(ROWS),
        d.uniforms(ROWS),
        d.normals(ROWS),
        d.normals(ROWS),
    );
    let coupon: Vec<f64> = c.iter().map(|u| one(*u < 0.5)).collect();
    let buy: Vec<f64> = (0..ROWS)
        .map(|i| one(-0.3 + 0.5 * a[i] + 0.8 * coupon[i] + e[i] > 0.0))
        .collect();
    let participate = (0..ROWS)
        .map(|i| {
            if buy[i] > 0.5 {
                one(0.2 + 0.7 * a[i] + 0.5 * e[i] + 0.75_f64.sqrt() * v[i] > 0.0)
            } else {
                f64::NAN
            }
        })
        .collect();
    let truth = truth(&[
        ("buy.(Intercept)", -0.3),
        ("buy.ability", 0.5),
        ("buy.coupon", 0.8),
        ("participate.(Intercept)", 0.2),
        ("participate.ability", 0.7),
        ("atanh_rho", 0.5_f64.atanh()),
    ]);
    let columns = vec![
        ("ability", a),
        ("coupon", coupon),
        ("buy", buy),
        ("participate", participate),
    ];
    (frame(columns), truth)
}

fn pairs(seed: Seed) -> Sample {
    let mut d = Draws::new(seed);
    let (a, l, e, v) = (
        d.normals(ROWS),
        d.normals(ROWS),
        d.normals(ROWS),
        d.normals(ROWS),
    );
    let both = (0..ROWS)
        .map(|i| one(0.8 + 0.9 * a[i] + e[i] > 0.0 && 0.6 - 1.1 * l[i] + v[i] > 0.0))
        .collect();
    let truth = truth(&[
        ("customer.(Intercept)", 0.8),
        ("customer.ability", 0.9),
        ("firm.(Intercept)", 0.6),
        ("firm.load", -1.1),
    ]);
    let columns = vec![("ability", a), ("load", l), ("both", both)];
    (frame(columns), truth)
}

/// Shifters that take each side from nearly never to nearly always: where one side is sure to agree, the other's choice is seen.
fn correlated_pairs(seed: Seed) -> Sample {
    const RHO: f64 = 0.4;
    let mut d = Draws::new(seed);
    let (a, l, e, v) = (
        d.uniforms(ROWS),
        d.uniforms(ROWS),
        d.normals(ROWS),
        d.normals(ROWS),
    );
    let a: Vec<f64> = a.iter().map(|u| 2.0 * u - 1.0).collect();
    let l: Vec<f64> = l.iter().map(|u| 2.0 * u - 1.0).collect();
    let both = (0..ROWS)
        .map(|i| {
            let other = RHO * e[i] + (1.0 - RHO * RHO).sqrt() * v[i];
            one(0.5 + 2.0 * a[i] + e[i] > 0.0 && 0.4 - 2.0 * l[i] + other > 0.0)
        })
        .collect();
    let truth = truth(&[
        ("customer.(Intercept)", 0.5),
        ("customer.ability", 2.0),
        ("firm.(Intercept)", 0.4),
        ("firm.load", -2.0),
        ("atanh_rho", RHO.atanh()),
    ]);
    let columns = vec![("ability", a), ("load", l), ("both", both)];
    (frame(columns), truth)
}

/// Three stages with a shifter each, and ability with one slope in all.
fn funnel(seed: Seed) -> Sample {
    let mut d = Draws::new(seed);
    let (a, u) = (d.normals(ROWS), d.normals(ROWS));
    let mut columns = vec![("ability", a.clone())];
    let mut at = vec![];
    let mut reached = vec![1.0; ROWS];
    for (stage, shifter, constant, slope) in [
        ("start", "nudge", 0.5, 0.8),
        ("finish", "tool", 0.3, 0.7),
        ("buy", "coupon", 0.2, 0.6),
    ] {
        let (x, e) = (d.coins(ROWS), d.normals(ROWS));
        let passed: Vec<f64> = (0..ROWS)
            .map(|i| {
                if reached[i] > 0.5 {
                    one(constant + slope * x[i] + 0.7 * a[i] + u[i] + e[i] > 0.0)
                } else {
                    f64::NAN
                }
            })
            .collect();
        at.push((format!("{stage}.(Intercept)"), constant));
        at.push((format!("{stage}.{shifter}"), slope));
        reached.clone_from(&passed);
        columns.push((shifter, x));
        columns.push((stage, passed));
    }
    at.push(("ability".to_owned(), 0.7));
    at.push(("ln_sigma".to_owned(), 0.0));
    (frame(columns), at)
}

/// Two funnels each of half as many customers; effects of the arm differ freely between stages.
fn repeated(seed: Seed) -> Sample {
    let mut d = Draws::new(seed);
    let u = d.normals(ROWS / 2);
    let customer: Vec<f64> = (0..ROWS).map(|i| (i / 2) as f64).collect();
    let arm = d.coins(ROWS);
    let mut columns = vec![("customer", customer), ("arm", arm.clone())];
    let mut at = vec![];
    let mut reached = vec![1.0; ROWS];
    for (stage, constant, slope) in [
        ("start", 0.6, 0.8),
        ("finish", 0.3, -0.5),
        ("buy", 0.2, 0.3),
    ] {
        let e = d.uniforms(ROWS);
        let passed: Vec<f64> = (0..ROWS)
            .map(|i| {
                if reached[i] > 0.5 {
                    let index = constant + slope * arm[i] + 1.2 * u[i / 2];
                    one(index + (e[i] / (1.0 - e[i])).ln() > 0.0)
                } else {
                    f64::NAN
                }
            })
            .collect();
        at.push((format!("{stage}.(Intercept)"), constant));
        at.push((format!("{stage}.arm"), slope));
        reached.clone_from(&passed);
        columns.push((stage, passed));
    }
    at.push(("ln_sigma".to_owned(), 1.2_f64.ln()));
    (frame(columns), at)
}

fn adoption(outcome: Survival) -> Adoption {
    Adoption::new(outcome, "ability + tool").baseline(Baseline::Polynomial(1))
}

/// Six periods in which a customer with this index may adopt: the last of them, and whether the customer did.
fn spell(d: &mut Draws, index: f64) -> (f64, f64) {
    const PERIODS: usize = 6;
    let u = d.uniforms(PERIODS);
    for period in 1..=PERIODS {
        let hazard = 1.0 - (-(index + 0.2 * (period as f64).ln()).exp()).exp();
        if u[period - 1] < hazard {
            return (period as f64, 1.0);
        }
    }
    (PERIODS as f64, 0.0)
}

/// The hazard falls in the log of the period by less than it seems, as the eager leave.
fn adopters(seed: Seed) -> Sample {
    let mut d = Draws::new(seed);
    let (a, tool) = (d.normals(ROWS), d.coins(ROWS));
    // A gamma variable of mean and variance one is exponential.
    let frailty: Vec<f64> = d.uniforms(ROWS).iter().map(|u| (-u.ln()).ln()).collect();
    let (time, adopted) = (0..ROWS)
        .map(|i| spell(&mut d, -1.2 + a[i] + 0.8 * tool[i] + frailty[i]))
        .unzip();
    let truth = truth(&[
        ("ability", 1.0),
        ("tool", 0.8),
        ("ln(frailty variance)", 0.0),
    ]);
    let columns = vec![
        ("ability", a),
        ("tool", tool),
        ("time", time),
        ("adopted", adopted),
    ];
    (frame(columns), truth)
}

/// Customers who are offered two things to take part in, one after the other, each with the tool or without: two spells that share a frailty.
fn adopters_of_two(seed: Seed) -> Sample {
    let mut d = Draws::new(seed);
    let (a, frailty) = (d.normals(ROWS), d.normals(ROWS));
    let tool = d.coins(2 * ROWS);
    let (time, adopted) = (0..2 * ROWS)
        .map(|i| spell(&mut d, -1.2 + a[i / 2] + 0.8 * tool[i] + frailty[i / 2]))
        .unzip();
    let twice = |of: &dyn Fn(usize) -> f64| (0..2 * ROWS).map(|i| of(i / 2)).collect();
    let truth = truth(&[("ability", 1.0), ("tool", 0.8), ("ln(frailty s.d.)", 0.0)]);
    let columns = vec![
        ("customer", twice(&|customer| customer as f64)),
        ("ability", twice(&|customer| a[customer])),
        ("tool", tool),
        ("zero", vec![0.0; 2 * ROWS]),
        ("time", time),
        ("adopted", adopted),
    ];
    (frame(columns), truth)
}
