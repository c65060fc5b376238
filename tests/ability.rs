//! Item response models against published values, an independent program, simulation and what must hold for any data.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

mod support;

use cocreate::prelude::*;

const LSAT: [&str; 5] = ["item1", "item2", "item3", "item4", "item5"];

fn lsat() -> ItemResponse {
    ItemResponse::new(LSAT).frequency_weights("count")
}

fn patterns() -> Frame {
    datasets::load("lsat6_patterns").unwrap()
}

fn estimate(fit: &ItemResponseFit, name: &str) -> f64 {
    fit.coefficient(name).unwrap().estimate
}

#[test]
fn lsat_section_6_has_its_known_maxima() {
    let two = lsat().fit(&patterns()).unwrap();
    println!("{two}\n{}\n{:?}", two.convergence(), two.history());
    assert!((two.log_likelihood() + 2466.653_377).abs() < 1e-6);
    let rasch = lsat().rasch().fit(&patterns()).unwrap();
    println!("{rasch}\n{}", rasch.convergence());
    assert!((rasch.log_likelihood() + 2466.9376).abs() < 1e-4);
    let unit = lsat().rasch().discrimination(1.0).fit(&patterns()).unwrap();
    println!("{unit}");
    assert!((unit.log_likelihood() + 2473.053_847).abs() < 1e-6);
    // Where ltm stopped, and one difficulty of the true maximum.
    let discrimination = [
        0.825_371_5,
        0.722_949_9,
        0.890_474_8,
        0.688_550_2,
        0.657_451_6,
    ];
    let difficulty = [-3.359_734, -1.369_65, -0.279_898_3, -1.865_919, -3.125_91];
    for (k, item) in LSAT.iter().enumerate() {
        let d = estimate(&two, &format!("discrimination[{item}]"));
        assert!((d - discrimination[k]).abs() < 1e-3, "{item} {d}");
        let b = estimate(&two, &format!("difficulty[{item}]"));
        assert!((b - difficulty[k]).abs() < 1e-3, "{item} {b}");
    }
}
