//! Recovery of the truth by the models of participation over many simulated samples, stored so that a few replications are run
//! again, bit for bit. `COCREATE_RECOVERY=write` runs all of them and writes the file anew.

use cocreate::numeric::blocks;
use cocreate::prelude::*;
use rand::RngExt;
use rand_distr::{Distribution as _, StandardNormal};
use serde_json::{Value, json};

/// Customers of a sample.
const ROWS: usize = 5_000;
/// Replications whose numbers are stored one by one.
const STORED: usize = 2;

type Design = fn(Seed) -> (Frame, Vec<(&'static str, f64)>);
type Fitted = fn(&Frame) -> Result<Vec<Estimate>>;

struct Model {
    name: &'static str,
    replications: usize,
    simulate: Design,
    fit: Fitted,
}

const MODELS: [Model; 4] = [
    Model {
        name: "buy_then_participate",
        replications: 1_000,
        simulate: buyers,
        fit: |f| {
            all(
                &BuyThenParticipate::new("buy ~ ability + coupon", "participate ~ ability")
                    .fit(f)?,
            )
        },
    },
    Model {
        name: "mutual_acceptance",
        replications: 1_000,
        simulate: pairs,
        fit: |f| {
            all(&MutualAcceptance::new("both ~ ability", "both ~ load")
                .independent()
                .fit(f)?)
        },
    },
    Model {
        name: "contingent_valuation",
        replications: 1_000,
        simulate: bids,
        fit: |f| {
            all(&ContingentValuation::new("yes ~ ability", "bid")
                .follow_up("bid2", "yes2")
                .fit(f)?)
        },
    },
    Model {
        name: "elicited_beliefs",
        replications: 1_000,
        simulate: reports,
        fit: |f| all(&ElicitedBeliefs::new("report ~ ability").grid(0.1).fit(f)?),
    },
];

fn all(fit: &impl Inference) -> Result<Vec<Estimate>> {
    Ok(fit.coefficients())
}

struct Draws {
    random: Box<dyn FnMut() -> (f64, f64)>,
}

impl Draws {
    fn new(seed: Seed) -> Self {
        let mut random = seed.stream(0);
        Self {
            random: Box::new(move || (StandardNormal.sample(&mut random), random.random::<f64>())),
        }
    }
    fn normals(&mut self, n: usize) -> Vec<f64> {
        (0..n).map(|_| (self.random)().0).collect()
    }
    fn uniforms(&mut self, n: usize) -> Vec<f64> {
        (0..n).map(|_| (self.random)().1).collect()
    }
}

fn one(flag: bool) -> f64 {
    f64::from(u8::from(flag))
}

fn frame(columns: Vec<(&str, Vec<f64>)>) -> Frame {
    columns.into_iter().fold(Frame::new(), |f, (name, values)| {
        f.with(name, values).unwrap()
    })
}

fn buyers(seed: Seed) -> (Frame, Vec<(&'static str, f64)>) {
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
    let truth = vec![
        ("buy.(Intercept)", -0.3),
        ("buy.ability", 0.5),
        ("buy.coupon", 0.8),
        ("participate.(Intercept)", 0.2),
        ("participate.ability", 0.7),
        ("atanh_rho", 0.5_f64.atanh()),
    ];
    (
        frame(vec![
            ("ability", a),
            ("coupon", coupon),
            ("buy", buy),
            ("participate", participate),
        ]),
        truth,
    )
}

fn pairs(seed: Seed) -> (Frame, Vec<(&'static str, f64)>) {
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
    let truth = vec![
        ("customer.(Intercept)", 0.8),
        ("customer.ability", 0.9),
        ("firm.(Intercept)", 0.6),
        ("firm.load", -1.1),
    ];
    (
        frame(vec![("ability", a), ("load", l), ("both", both)]),
        truth,
    )
}

fn bids(seed: Seed) -> (Frame, Vec<(&'static str, f64)>) {
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
    let truth = vec![("(Intercept)", 2.0), ("ability", 0.5), ("bid", -0.25)];
    (
        frame(vec![
            ("ability", a),
            ("bid", bid),
            ("yes", yes),
            ("bid2", bid2),
            ("yes2", yes2),
        ]),
        truth,
    )
}

fn reports(seed: Seed) -> (Frame, Vec<(&'static str, f64)>) {
    let mut d = Draws::new(seed);
    let (a, e) = (d.normals(ROWS), d.normals(ROWS));
    let report = (0..ROWS)
        .map(|i| {
            (10.0 * cocreate::numeric::special::normal::cdf(0.3 + 0.6 * a[i] + 0.8 * e[i])).round()
                / 10.0
        })
        .collect();
    let truth = vec![
        ("(Intercept)", 0.3),
        ("ability", 0.6),
        ("ln_sigma", 0.8_f64.ln()),
    ];
    (frame(vec![("ability", a), ("report", report)]), truth)
}

fn seed(model: &Model, replication: usize) -> Seed {
    Seed::new(20_261_122)
        .child(model.name)
        .child(&replication.to_string())
}

/// Estimate and standard error of each parameter.
fn replicate(model: &Model, replication: usize) -> Result<Vec<[f64; 2]>> {
    let (frame, truth) = (model.simulate)(seed(model, replication));
    let found = (model.fit)(&frame)?;
    let of = |name: &str| {
        found
            .iter()
            .find(|e| e.name == name)
            .map_or([f64::NAN; 2], |e| [e.estimate, e.std_error])
    };
    Ok(truth.iter().map(|(name, _)| of(name)).collect())
}

fn bits(values: &[[f64; 2]]) -> Value {
    values
        .iter()
        .map(|v| json!([v[0].to_bits().to_string(), v[1].to_bits().to_string()]))
        .collect()
}

fn summary(model: &Model) -> Value {
    let (_, truth) = (model.simulate)(seed(model, 0));
    let found: Vec<Option<Vec<[f64; 2]>>> =
        blocks::map(model.replications, |r| replicate(model, r).ok());
    let good: Vec<&Vec<[f64; 2]>> = found
        .iter()
        .flatten()
        .filter(|v| v.iter().all(|e| e[0].is_finite()))
        .collect();
    let n = good.len() as f64;
    let parameters: Vec<Value> = truth
        .iter()
        .enumerate()
        .map(|(j, (name, truth))| {
            let mean = good.iter().map(|v| v[j][0]).sum::<f64>() / n;
            let sd = (good.iter().map(|v| (v[j][0] - mean).powi(2)).sum::<f64>() / (n - 1.0)).sqrt();
            let errors = good.iter().map(|v| v[j][1]).sum::<f64>() / n;
            let covered = good.iter().filter(|v| ((v[j][0] - truth) / v[j][1]).abs() < 1.959_963_984_540_054).count() as f64 / n;
            json!({ "name": name, "truth": truth, "bias": mean - truth, "sd": sd, "mean_std_error": errors, "coverage": covered })
        })
        .collect();
    json!({
        "name": model.name, "rows": ROWS, "replications": model.replications, "failed": model.replications - good.len(), "parameters": parameters,
        "stored": found.iter().take(STORED).map(|v| bits(v.as_ref().unwrap())).collect::<Vec<_>>(),
    })
}

fn path() -> String {
    format!(
        "{}/tests/reference/participation_recovery.json",
        env!("CARGO_MANIFEST_DIR")
    )
}

#[test]
fn truths_are_recovered_and_covered() {
    if std::env::var("COCREATE_RECOVERY").is_ok_and(|v| v == "write") {
        let models: Vec<Value> = MODELS
            .iter()
            .map(|m| {
                let s = summary(m);
                println!("{s:#}");
                s
            })
            .collect();
        let record = json!({
            "source": "cocreate itself: simulated truths",
            "command": "COCREATE_RECOVERY=write cargo test --test library participation_recovery -- --nocapture",
            "note": "Robust standard errors, 95 % intervals; bits of estimates and standard errors of the first replications.",
            "values": models,
        });
        std::fs::write(path(), format!("{record:#}\n")).unwrap();
    }
    let record: Value = serde_json::from_str(&std::fs::read_to_string(path()).unwrap()).unwrap();
    assert_eq!(record["values"].as_array().unwrap().len(), MODELS.len());
    for (model, stored) in MODELS.iter().zip(record["values"].as_array().unwrap()) {
        assert_eq!(stored["name"], model.name);
        assert_eq!(stored["failed"], 0, "{}", model.name);
        let n = stored["replications"].as_f64().unwrap();
        for p in stored["parameters"].as_array().unwrap() {
            let number = |key: &str| p[key].as_f64().unwrap();
            // |bias| below a tenth of a standard error, or within what so many replications leave open (3.5 standard deviations of the mean).
            let open = 0.1_f64.max(3.5 / n.sqrt());
            assert!(
                number("bias").abs() < open * number("sd"),
                "{} {p}",
                model.name
            );
            let error = (0.95 * 0.05 / n).sqrt();
            assert!(
                (number("coverage") - 0.95).abs() < 3.5 * error,
                "{} {p}",
                model.name
            );
            assert!(
                (number("mean_std_error") / number("sd") - 1.0).abs()
                    < 3.5 / (2.0 * n).sqrt() + 0.02,
                "{} {p}",
                model.name
            );
        }
        for (replication, known) in stored["stored"].as_array().unwrap().iter().enumerate() {
            assert_eq!(
                bits(&replicate(model, replication).unwrap()),
                *known,
                "{} {replication}",
                model.name
            );
        }
    }
}
