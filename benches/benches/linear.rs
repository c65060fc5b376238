//! Timings of the linear models on generated data: `cargo bench -p cocreate-benches`. For ratios against the reference software
//! run `benches/peers/run.py`.
#![allow(clippy::unwrap_used, missing_docs)]

use cocreate::prelude::*;
use divan::{Bencher, black_box};

/// Rows of the small versions; the peers' scripts use a million.
const ROWS: usize = 100_000;

fn main() {
    divan::main();
}

/// Uniform numbers from a stream of their own.
fn uniform(stream: u64, rows: usize) -> Vec<f64> {
    use cocreate::numeric::permutation::open_unit;
    use rand::Rng as _;
    let mut random = Seed::new(1).child("bench").stream(stream);
    (0..rows).map(|_| open_unit(random.next_u64())).collect()
}

/// Twenty regressors, an outcome, a cluster.
fn wide() -> (Frame, String) {
    let mut frame = Frame::new();
    let mut y = uniform(0, ROWS);
    let mut terms = Vec::new();
    for j in 1..=20 {
        let x = uniform(j, ROWS);
        y.iter_mut().zip(&x).for_each(|(y, x)| *y += x);
        terms.push(format!("x{j}"));
        frame = frame.with(format!("x{j}"), x).unwrap();
    }
    let cluster: Vec<f64> = uniform(21, ROWS)
        .iter()
        .map(|u| (u * 1000.0).floor())
        .collect();
    (
        frame
            .with("y", y)
            .unwrap()
            .with("cluster", cluster)
            .unwrap(),
        format!("y ~ {}", terms.join(" + ")),
    )
}

#[divan::bench(args = [Covariance::Classical, Covariance::Hc1, Covariance::Hc3, Covariance::cluster("cluster")])]
fn least_squares(bencher: Bencher<'_, '_>, covariance: &Covariance) {
    let (frame, formula) = wide();
    let ols = Ols::new(formula).covariance(covariance.clone());
    bencher.bench(|| ols.fit(black_box(&frame)).unwrap());
}

#[divan::bench]
fn two_way_effects(bencher: Bencher<'_, '_>) {
    let level = |stream, levels: f64| -> Vec<f64> {
        uniform(stream, ROWS)
            .iter()
            .map(|u| (u * levels).floor())
            .collect()
    };
    let frame = Frame::new()
        .with("y", uniform(0, ROWS))
        .unwrap()
        .with("x", uniform(1, ROWS))
        .unwrap()
        .with("worker", level(2, 10_000.0))
        .unwrap()
        .with("firm", level(3, 100.0))
        .unwrap();
    let ols = Ols::new("y ~ x | worker + firm").covariance(Covariance::cluster("worker"));
    bencher.bench(|| ols.fit(black_box(&frame)).unwrap());
}

#[divan::bench]
fn two_stage_least_squares(bencher: Bencher<'_, '_>) {
    let frame = datasets::load("card").unwrap();
    let iv = Iv::new("lwage ~ exper + expersq + black + smsa + south | educ ~ nearc4");
    bencher.bench(|| iv.fit(black_box(&frame)).unwrap());
}

#[divan::bench]
fn read_csv(bencher: Bencher<'_, '_>) {
    let (frame, _) = wide();
    let text = frame.to_csv_string().unwrap();
    bencher
        .counter(divan::counter::BytesCount::of_str(&text))
        .bench(|| Frame::from_csv(black_box(text.as_bytes())).unwrap());
}
