//! Effects that differ between people, on the four setups of Nie & Wager: how well a causal forest and the default stack recover them.
//!
//! The study takes an hour, so its draws are stored in `tests/reference/nie_wager.json`, and a run does a few of them again, bit for bit.
//! `COCREATE_NIE_WAGER=all` runs all of them and writes the file anew; names of studies, such as `A-forest,A-stack`, run those and leave the others as
//! they are. A run that is stopped goes on where it was (`target/nie_wager/`).

use crate::experiment::{Experiment, Findings, Published};
use cocreate::prelude::*;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

pub const NIE_WAGER: Experiment = Experiment {
    name: "nie_wager",
    title: "Effects that differ, learned from 2,000 people (in silico)",
    authors: "setups of Nie & Wager (2021)",
    paper: "Nie & Wager (2021), Quasi-oracle estimation of heterogeneous treatment effects, Biometrika 108(2): the setups; figures of other software are \
            not theirs, but were computed on these setups",
    table: "Squared error of the effects of 2,000 new people, and coverage of intervals, over simulated samples",
    data: "simulate::HeterogeneousEffects",
    estimator: "CausalForest, 2,000 trees, with out-of-bag nuisances and with the default ones; MetaLearner::stack, and the average effect from its \
                doubly robust scores",
    formulas: &[],
    study: "Four data generating processes ask for different things: A hides the effect behind a baseline and a propensity that bend in two features at \
            once, B is a trial with a strong baseline, C has one effect for all under strong confounding, D has two arms with nothing in common. Each \
            sample has 2,000 people with ten features; the effects of 2,000 others are predicted.",
    identification: "Given the features the treatment is as good as random, and nobody is sure to have it or not. The effects are known, since \
                     the people are simulated.",
    run,
};

/// People of a sample, and as many new ones.
const PEOPLE: usize = 2_000;
const SEED: u64 = 2021;
/// Draws that are asked for unless `COCREATE_REPLICATIONS` says otherwise.
const FOREST_DRAWS: usize = 200;
const SLOW_DRAWS: usize = 40;
/// Draws after which they are stored.
const CHUNK: usize = 8;

const ERROR: &str = "squared error";
const COVERED: &str = "share covered";
const AVERAGE: &str = "average effect";

/// A setup and what its figures are held against. Those of grf are of version 2.6.1 with its defaults (R), those of others of EconML and of meta-learners
/// with LightGBM: on record, computed with about sixteen draws.
struct Setup {
    name: &'static str,
    design: EffectDesign,
    /// `E τ(X)`.
    average: f64,
    grf: f64,
    /// What is asked: the least coverage of the default forest's intervals, the most squared error of the stack.
    covered: Option<f64>,
    most: f64,
}

const SETUPS: [Setup; 4] = [
    Setup {
        name: "A",
        design: EffectDesign::NieWagerA,
        average: 0.5,
        grf: 0.030,
        covered: Some(0.85),
        most: 0.030,
    },
    Setup {
        name: "B",
        design: EffectDesign::NieWagerB,
        // E log(1 + exp Z) of a standard normal Z.
        average: 0.806_059_183_347_44,
        grf: 0.15,
        covered: Some(0.8),
        most: 0.13,
    },
    Setup {
        name: "C",
        design: EffectDesign::NieWagerC,
        average: 1.0,
        grf: 0.027,
        covered: Some(0.9),
        most: 0.015,
    },
    Setup {
        name: "D",
        design: EffectDesign::NieWagerD,
        // (√3 − √2)/√(2π) = E max(0, N(0, 3)) − E max(0, N(0, 2)).
        average: 0.126_798_715_394_915,
        grf: 0.634,
        covered: None,
        most: 0.30,
    },
];

/// Draws behind grf's figures.
const DRAWS_OF_GRF: f64 = 16.0;
/// How often intervals of average effects are asked to cover, at least.
const COVERAGE: f64 = 0.9;
/// How near a forest should come to grf's.
const NEAR: f64 = 0.02;
/// The studies of which the first draw is run again, by the place of the setup.
const AGAIN: [(usize, Method); 3] = [(0, Method::Forest), (3, Method::Forest), (1, Method::Stack)];

/// What is fitted to each draw.
#[derive(Clone, Copy, PartialEq)]
enum Method {
    /// With out-of-bag nuisances, as grf has them.
    Forest,
    /// With the default's cross-fitted nuisances.
    DefaultForest,
    Stack,
}

const METHODS: [Method; 3] = [Method::Forest, Method::DefaultForest, Method::Stack];

impl Method {
    fn name(self) -> &'static str {
        match self {
            Self::Forest => "forest",
            Self::DefaultForest => "default forest",
            Self::Stack => "stack",
        }
    }

    fn draws(self) -> usize {
        let usual = match self {
            Self::Forest => FOREST_DRAWS,
            Self::DefaultForest | Self::Stack => SLOW_DRAWS,
        };
        std::env::var("COCREATE_REPLICATIONS").map_or(usual, |text| text.parse().unwrap())
    }
}

/// One sample, its fit, and how far it is from the truth of new people.
fn draw(setup: &Setup, method: Method, seed: Seed) -> Result<Replication> {
    let people = |of: &str| {
        let made = HeterogeneousEffects::new(setup.design).customers(PEOPLE);
        made.seed(seed.child(of)).simulate()
    };
    let (sample, new) = (people("sample")?, people("new")?);
    let features: Vec<String> = (1..=10).map(|j| format!("x{j}")).collect();
    let effects = new.oracle.real("effect")?;
    let error = |predicted: &[f64]| {
        let squares = predicted.iter().zip(effects).map(|(p, e)| (p - e).powi(2));
        squares.sum::<f64>() / PEOPLE as f64
    };
    match method {
        Method::Forest | Method::DefaultForest => {
            let nuisances = match method {
                Method::Forest => ForestNuisances::OutOfBag,
                _ => ForestNuisances::default(),
            };
            let fit = CausalForest::new("y", "w", &features)
                .nuisances(nuisances)
                .seed(seed.child("forest"))
                .fit(&sample.data)?;
            let predicted = fit.predict(&new.data)?;
            let ends = predicted.intervals(0.95)?;
            let each = ends.lower.iter().zip(&ends.upper).zip(effects);
            let covered = each.filter(|((low, high), e)| *low <= e && e <= high);
            let average = fit.average_effect(ForestTarget::All)?;
            Ok(Replication::new()
                .point(ERROR, error(&predicted.estimates), 0.0)
                .point(COVERED, covered.count() as f64 / PEOPLE as f64, 0.95)
                .normal(AVERAGE, average.estimate, average.std_error, setup.average))
        }
        Method::Stack => {
            let fit = MetaLearner::stack("y", "w", &features)
                .seed(seed.child("stack"))
                .fit(&sample.data)?;
            // The mean of the doubly robust scores: what `DoublyRobust` with this seed says.
            let scores = fit.scores().contrast("1", "0")?;
            let rows = scores.len() as f64;
            let mean = scores.iter().sum::<f64>() / rows;
            let squares: f64 = scores.iter().map(|s| (s - mean).powi(2)).sum();
            let std_error = (squares / (rows - 1.0) / rows).sqrt();
            Ok(Replication::new()
                .point(ERROR, error(fit.predict(&new.data)?.first()), 0.0)
                .normal(AVERAGE, mean, std_error, setup.average))
        }
    }
}

fn study(setup: &Setup, method: Method) -> MonteCarlo {
    MonteCarlo::new(format!("{}, {}", setup.name, method.name()))
        .replications(method.draws())
        .seed(Seed::new(SEED).child(setup.name))
}

fn key(setup: &Setup, method: Method) -> String {
    format!("{}-{}", setup.name, method.name()).replace(' ', "_")
}

fn run(_: &Experiment, _: &Frame) -> Result<Findings> {
    if let Ok(asked) = std::env::var("COCREATE_NIE_WAGER") {
        renew(&asked)?;
    }
    let records = read()?;
    let record = |setup: &Setup, method| &records[&key(setup, method)];
    let mut same = 0;
    for (place, method) in AGAIN {
        let setup = &SETUPS[place];
        let again = |seed| draw(setup, method, seed);
        let moved = study(setup, method).verify(record(setup, method), &[0], again)?;
        same += 1 - moved.len();
    }
    let mut findings = Findings::new().compare(
        Published::computed(
            "draws run again with the same bits",
            AGAIN.len() as f64,
            0,
            0.0,
        ),
        same as f64,
    );
    for setup in &SETUPS {
        let (forest, stack) = (record(setup, Method::Forest), record(setup, Method::Stack));
        let error = forest.performance(ERROR)?;
        let draws = error.replications as f64;
        // 2 % of grf's figure, and two Monte Carlo errors of the difference.
        let chance = 2.0 * error.deviation * (1.0 / DRAWS_OF_GRF + 1.0 / draws).sqrt();
        let near = NEAR * setup.grf + chance;
        findings = findings.compare(
            Published::computed(quantity(setup, "forest, squared error"), setup.grf, 3, near),
            error.mean,
        );
        if let Some(least) = setup.covered {
            let covered = record(setup, Method::DefaultForest).performance(COVERED)?;
            let asked = quantity(setup, "default forest, share covered");
            findings = findings.compare(
                Published::at_least(asked, least, 2, 2.0 * covered.bias_error),
                covered.mean,
            );
        }
        let error = stack.performance(ERROR)?;
        let asked = quantity(setup, "stack, squared error");
        findings = findings.compare(
            Published::at_most(asked, setup.most, 3, 2.0 * error.bias_error),
            error.mean,
        );
        let average = stack.performance(AVERAGE)?;
        let asked = quantity(setup, "stack, average effect covered");
        findings = findings.compare(
            Published::at_least(asked, COVERAGE, 2, 2.0 * average.coverage_error),
            average.coverage,
        );
    }
    let forest_on_c = record(&SETUPS[2], Method::Forest).performance(AVERAGE)?;
    Ok(findings
        .shown(table(&records)?)
        .remark(
            "The tolerance of grf's figures is 2 % and two Monte Carlo errors of the difference, of which its draws, about sixteen, are the larger part; all \
             others are two Monte Carlo errors of ours.",
        )
        .remark(
            "The forest is grf's but for nodes of four rows of each arm where grf has five; grf's intervals covered 0.82, 0.79, 0.82 and 0.56 of the effects on \
             A to D. Others on record on these setups: least \
             squares on residuals with boosted nuisances (EconML's LinearDML and LightGBM) 0.039, 0.047, 0.034 and 0.517 on A to D, the X-learner with \
             LightGBM 0.098, 0.131, 0.109 and 0.298, the T-learner 0.197, 0.309, 0.483 and 0.286.",
        )
        .remark(format!(
            "On setup C the forest's own average effect is wrong by {:.3}, and {:.0} of 100 intervals cover (grf: 0.158, and 3 of 16): forests smooth \
             away what confounds. The nuisances of the default do not.",
            forest_on_c.bias.abs(),
            100.0 * forest_on_c.coverage
        )))
}

/// Names of quantities are kept as long as the program runs.
fn quantity(setup: &Setup, what: &str) -> &'static str {
    String::leak(format!("{}, {what}", setup.name))
}

/// All studies with their Monte Carlo errors.
fn table(records: &BTreeMap<String, MonteCarloFit>) -> Result<Table> {
    let mut table = Table::new("Simulated samples of 2,000, effects of 2,000 others").columns([
        "",
        "Draws",
        "Squared error",
        "(error)",
        "Share covered",
        "(error)",
        "Average effect, bias",
        "(error)",
        "Covered",
        "(error)",
    ]);
    for (setup, method) in studies() {
        let fit = &records[&key(setup, method)];
        let (error, average) = (fit.performance(ERROR)?, fit.performance(AVERAGE)?);
        let covered = fit.performance(COVERED).ok();
        let share = |of: fn(&Performance) -> f64| {
            covered
                .as_ref()
                .map_or(Cell::text(""), |p| Cell::fixed(of(p), 3))
        };
        table = table.row([
            Cell::text(format!("{}, {}", setup.name, method.name())),
            Cell::count(error.replications),
            Cell::fixed(error.mean, 4),
            Cell::fixed(error.bias_error, 4),
            share(|p| p.mean),
            share(|p| p.bias_error),
            Cell::fixed(average.bias, 3),
            Cell::fixed(average.bias_error, 3),
            Cell::fixed(average.coverage, 3),
            Cell::fixed(average.coverage_error, 3),
        ]);
    }
    Ok(table)
}

/// The stored studies.
fn file() -> PathBuf {
    package().join("tests/reference/nie_wager.json")
}

/// The records by study.
fn read() -> Result<BTreeMap<String, MonteCarloFit>> {
    let stored: Value = serde_json::from_str(&text(&file())?).map_err(unreadable)?;
    studies()
        .map(|(setup, method)| {
            let key = key(setup, method);
            let fit = MonteCarloFit::from_json(&stored["values"][&key].to_string())?;
            Ok((key, fit))
        })
        .collect()
}

fn unreadable(error: impl std::fmt::Display) -> Error {
    Error::Serialization {
        message: error.to_string(),
    }
}

fn text(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).map_err(|e| failed(path, &e))
}

fn failed(path: &Path, error: &std::io::Error) -> Error {
    Error::Io {
        path: path.display().to_string(),
        message: error.to_string(),
    }
}

fn package() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Runs the draws of a study that neither its shard nor the stored file has, unless the first of them comes out otherwise today.
fn extend(setup: &Setup, method: Method, shard: &Path, stored: Option<&str>) -> Result<()> {
    let whole = study(setup, method);
    let again = |seed| draw(setup, method, seed);
    let known = std::fs::read_to_string(shard).ok();
    let mut fit = match known.as_deref().or(stored) {
        Some(text) => MonteCarloFit::from_json(text)?,
        None => whole.begin()?,
    };
    if fit.replications() > 0 && !whole.verify(&fit, &[0], again)?.is_empty() {
        fit = whole.begin()?;
    }
    while fit.replications() < method.draws() {
        let next = method.draws().min(fit.replications() + CHUNK);
        let part = whole.clone().replications(next);
        part.resume(&mut fit, &Progress::none(), again)?;
        write(shard, &fit.to_json()?)?;
    }
    Ok(())
}

fn write(path: &Path, text: &str) -> Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(|e| failed(folder, &e))?;
    }
    std::fs::write(path, text).map_err(|e| failed(path, &e))
}

/// Runs what is asked for, and writes the file anew.
fn renew(asked: &str) -> Result<()> {
    let folder = package().join("target/nie_wager");
    let old = text(&file()).ok();
    let old: Value = old
        .map(|text| serde_json::from_str(&text))
        .transpose()
        .map_err(unreadable)?
        .unwrap_or_default();
    let mut lines = Vec::new();
    for (setup, method) in studies() {
        let key = key(setup, method);
        let shard = folder.join(format!("{key}.json"));
        let stored = old["values"].get(&key).map(Value::to_string);
        if asked == "all" || asked.split(',').any(|name| name == key) {
            extend(setup, method, &shard, stored.as_deref())?;
        }
        if let Some(record) = text(&shard).ok().or(stored) {
            lines.push(format!("\"{key}\":{record}"));
        }
    }
    let about = json!({
        "source": "cocreate itself: simulated truths",
        "command": "COCREATE_NIE_WAGER=all cargo run --release --example reproduce -- nie_wager",
        "note": "one record of the Monte Carlo runner a study; of each estimate: truth, estimate, standard error, interval, p-value",
    });
    let about = about.to_string();
    let about = about.trim_end_matches('}');
    write(
        &file(),
        &format!("{about},\"values\":{{\n{}\n}}}}\n", lines.join(",\n")),
    )
}

fn studies() -> impl Iterator<Item = (&'static Setup, Method)> {
    METHODS
        .into_iter()
        .flat_map(|method| SETUPS.iter().map(move |setup| (setup, method)))
}
