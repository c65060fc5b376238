//! Runs the studies and stores them; and judges what is stored.

use super::{Model, bits, models, path, read, replicate, seed};
use cocreate::numeric::blocks;
use serde_json::{Value, json};

/// Replications of a model.
const REPLICATIONS: usize = 1_000;
/// Replications of models whose fits take seconds.
const SLOW_REPLICATIONS: usize = 200;

/// Estimates and standard errors of the replications of a model; none where it failed.
type Found = Vec<Option<Vec<[f64; 2]>>>;

/// All replications, those of earlier runs from the shards below `target/`, unless the first of them comes out otherwise today.
fn run(model: &Model, replications: usize) -> Found {
    /// Replications after which they are stored.
    const CHUNK: usize = 50;
    let file = format!(
        "{}/target/recovery/{}.json",
        env!("CARGO_MANIFEST_DIR"),
        model.name
    );
    std::fs::create_dir_all(std::path::Path::new(&file).parent().unwrap()).unwrap();
    let mut shards: Vec<Option<Vec<[u64; 2]>>> =
        std::fs::read_to_string(&file).map_or(vec![], |text| serde_json::from_str(&text).unwrap());
    let whole = |values: Vec<[f64; 2]>| values.iter().map(|v| v.map(f64::to_bits)).collect();
    let today = replicate(model, 0).ok().map(whole);
    if shards.first().is_some_and(|first| *first != today) {
        shards.clear();
    }
    while shards.len() < replications {
        let (from, to) = (shards.len(), replications.min(shards.len() + CHUNK));
        shards.extend(blocks::map(to - from, |r| {
            let found = replicate(model, from + r);
            if let Err(e) = &found {
                println!("{} {}: {e}", model.name, from + r);
            }
            found.ok().map(whole)
        }));
        std::fs::write(&file, serde_json::to_string(&shards).unwrap()).unwrap();
    }
    shards.truncate(replications);
    let number = |values: Vec<[u64; 2]>| values.iter().map(|v| v.map(f64::from_bits)).collect();
    shards.into_iter().map(|s| s.map(number)).collect()
}

fn summary(model: &Model, replications: usize) -> Value {
    let (frame, truth) = (model.simulate)(seed(model, 0));
    let found = run(model, replications);
    let good: Vec<&Vec<[f64; 2]>> = found
        .iter()
        .flatten()
        .filter(|v| v.iter().flatten().all(|e| e.is_finite()))
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
        "name": model.name, "rows": frame.rows(), "replications": replications, "failed": replications - good.len(), "parameters": parameters,
        "stored": found.iter().take(model.stored).map(|v| v.as_ref().map(|v| bits(v))).collect::<Vec<_>>(),
    })
}

/// Runs models and writes their summaries, one line a parameter.
fn write(asked: &str) {
    let replications =
        std::env::var("COCREATE_REPLICATIONS").map_or(REPLICATIONS, |text| text.parse().unwrap());
    for model in models() {
        let named = asked.split(',').any(|name| name == model.name);
        if !named && (asked != "write" || model.waits) {
            continue;
        }
        let start = std::time::Instant::now();
        let found = summary(&model, replications);
        println!("{found:#} {:.1} s", start.elapsed().as_secs_f64());
        if replications < SLOW_REPLICATIONS {
            continue; // a trial
        }
        let known = read();
        let values: Vec<Value> = models()
            .iter()
            .filter_map(|m| {
                if m.name == model.name {
                    return Some(found.clone());
                }
                let mut values = known["values"].as_array().unwrap().iter();
                values.find(|v| v["name"] == m.name).cloned()
            })
            .collect();
        store(&values);
    }
}

fn store(values: &[Value]) {
    let record = json!({
        "source": "cocreate itself: simulated truths",
        "command": "COCREATE_RECOVERY=write cargo test --test library participation_recovery -- --nocapture",
        "note": "95 % intervals of the normal distribution with the default standard errors; bits of estimates and standard errors of the first replications.",
        "values": values,
    });
    let text = record
        .to_string()
        .replace("{\"failed\"", "\n{\"failed\"")
        .replace("{\"bias\"", "\n {\"bias\"");
    std::fs::write(path(), format!("{text}\n")).unwrap();
}

/// Whether numbers are equal but for rounding: estimates within 1e-7 of their standard errors, and these within 1e-7 of each other.
fn only_rounding(found: &Value, stored: &Value) -> bool {
    let number = |v: &Value| f64::from_bits(v.as_str().unwrap().parse().unwrap());
    let rows = |v: &Value| -> Vec<[f64; 2]> {
        let all = v.as_array().unwrap().iter();
        all.map(|p| [number(&p[0]), number(&p[1])]).collect()
    };
    let (found, stored) = (rows(found), rows(stored));
    found.len() == stored.len()
        && found
            .iter()
            .zip(&stored)
            .all(|(a, b)| (0..2).all(|j| (a[j] - b[j]).abs() <= 1e-7 * b[1]))
}

/// The numbers of one model are those of an estimator that is right.
fn judge(model: &Model, stored: &Value) {
    assert_eq!(stored["failed"], 0, "{}", model.name);
    let n = stored["replications"].as_f64().unwrap();
    let least = if model.stored > 1 {
        REPLICATIONS
    } else {
        SLOW_REPLICATIONS
    };
    assert!(n >= least as f64, "{}", model.name);
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
            (number("mean_std_error") / number("sd") - 1.0).abs() < 3.5 / (2.0 * n).sqrt() + 0.02,
            "{} {p}",
            model.name
        );
    }
}

#[test]
fn truths_are_recovered_and_covered() {
    let asked = std::env::var("COCREATE_RECOVERY").unwrap_or_default();
    if !asked.is_empty() && asked != "bits" {
        write(&asked);
    }
    let (record, models) = (read(), models());
    let values = record["values"].as_array().unwrap();
    let stored_of = |name: &str| values.iter().find(|v| v["name"] == name);
    let (known, open): (Vec<&Model>, Vec<&Model>) =
        models.iter().partition(|m| stored_of(m.name).is_some());
    let open: Vec<&str> = (open.iter().filter(|m| !m.waits)).map(|m| m.name).collect();
    assert!(open.is_empty(), "no study is stored of {open:?}");
    assert_eq!(known.len(), values.len());
    for model in &known {
        judge(model, stored_of(model.name).unwrap());
    }
    let again: Vec<(usize, usize)> = (0..known.len())
        .flat_map(|m| (0..known[m].stored).map(move |r| (m, r)))
        .collect();
    let found: Vec<Value> = blocks::map(again.len(), |i| {
        let (model, replication) = again[i];
        bits(&replicate(known[model], replication).unwrap())
    });
    let mut values = values.clone();
    let mut moved = 0;
    for ((model, replication), found) in again.into_iter().zip(found) {
        let name = known[model].name;
        let stored = values.iter_mut().find(|v| v["name"] == name).unwrap();
        let stored = &mut stored["stored"][replication];
        if found != *stored {
            let rounding = only_rounding(&found, stored);
            assert!(
                asked == "bits" && rounding,
                "{name} {replication}: {found} {stored}"
            );
            *stored = found;
            moved += 1;
        }
    }
    if moved > 0 {
        store(&values);
        println!("{moved} replications have new bits");
    }
}
