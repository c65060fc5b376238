//! Effects of peers: two-stage least squares written out, coverage, identification, bad input.

use crate::support::{agree, fixture, numbers};
use cocreate::prelude::*;
use cocreate::simulate::Network;
use nalgebra::{DMatrix, DVector};
use proptest::prelude::{prop_assert, proptest};
use proptest::test_runner::Config;
use rand::Rng;

/// A uniform number from −√3 to √3: mean zero, variance one.
fn unit(generator: &mut impl Rng) -> f64 {
    ((generator.next_u64() >> 11) as f64 / (1u64 << 53) as f64 - 0.5) * 12.0_f64.sqrt()
}

/// The network with rows that sum to one.
fn weights(network: &Network) -> DMatrix<f64> {
    let n = network.neighbours().len();
    let mut g = DMatrix::zeros(n, n);
    for (i, own) in network.neighbours().iter().enumerate() {
        for k in own {
            g[(i, *k as usize)] = 1.0 / own.len() as f64;
        }
    }
    g
}

/// Outcomes in equilibrium: 0.4 of neighbours' outcomes, 1 of one's own x, 0.5 of theirs.
fn people(network: &Network, seed: u64) -> Frame {
    let n = network.neighbours().len();
    let mut g = Seed::new(seed).stream(0);
    let x: Vec<f64> = (0..n).map(|_| unit(&mut g)).collect();
    let e: Vec<f64> = (0..n).map(|_| unit(&mut g)).collect();
    let mut y = vec![0.0; n];
    for _ in 0..60 {
        y = (network.neighbours().iter().enumerate())
            .map(|(i, own)| {
                let mean = |v: &[f64]| {
                    own.iter().map(|k| v[*k as usize]).sum::<f64>() / own.len().max(1) as f64
                };
                1.0 + 0.4 * mean(&y) + x[i] + 0.5 * mean(&x) + e[i]
            })
            .collect();
    }
    Frame::new().with("y", y).unwrap().with("x", x).unwrap()
}

#[test]
fn estimates_are_two_stage_least_squares_written_out() {
    let network = Network::ring(80, 2).unwrap();
    let frame = people(&network, 4);
    let fit = LinearInMeans::new("y", "x").fit(&frame, &network).unwrap();
    let g = weights(&network);
    let column = |name: &str| DVector::from_column_slice(frame.real(name).unwrap());
    let (y, x) = (column("y"), column("x"));
    let one = DVector::from_element(80, 1.0);
    let regressors = DMatrix::from_columns(&[one.clone(), x.clone(), &g * &x, &g * &y]);
    let instruments = DMatrix::from_columns(&[one, x.clone(), &g * &x, &g * &g * &x]);
    // Just identified: (Z'X)⁻¹ Z'y.
    let solved = (instruments.transpose() * regressors)
        .lu()
        .solve(&(instruments.transpose() * y))
        .unwrap();
    for (name, theirs) in ["(Intercept)", "x", "peers(x)", "peers(y)"]
        .iter()
        .zip(solved.iter())
    {
        let ours = fit.coefficient(name).unwrap().estimate;
        assert!((ours - theirs).abs() < 1e-8, "{name}: {ours} {theirs}");
    }
    let m = fit.social_multiplier().unwrap();
    let b = fit.peer_effect().unwrap();
    assert!((m.estimate - 1.0 / (1.0 - b.estimate)).abs() < 1e-12);
    assert!((m.std_error - b.std_error / (1.0 - b.estimate).powi(2)).abs() < 1e-6 * m.std_error);
    // What I and G leave of G², by a regression of its entries.
    let square = &g * &g;
    let parts = DMatrix::from_columns(&[
        DVector::from_column_slice(DMatrix::<f64>::identity(80, 80).as_slice()),
        DVector::from_column_slice(g.as_slice()),
    ]);
    let target = DVector::from_column_slice(square.as_slice());
    let slopes = (parts.transpose() * &parts)
        .lu()
        .solve(&(parts.transpose() * &target))
        .unwrap();
    let left = (&target - parts * slopes).norm_squared() / target.norm_squared();
    assert!((fit.independence() - left).abs() < 1e-12);
    assert!(fit.to_string().contains("social multiplier") && fit.isolated() == 0);
}

#[test]
fn estimates_and_errors_are_those_of_linearmodels() {
    let reference = fixture("linear_in_means");
    let v = &reference["values"];
    let column = |name: &str| numbers(&v[name]);
    let ties: Vec<(u32, u32)> = (column("ties").chunks(2))
        .map(|t| (t[0] as u32, t[1] as u32))
        .collect();
    let network = Network::from_ties(column("x").len(), &ties).unwrap();
    let frame = ["x", "z", "y", "village"]
        .iter()
        .fold(Frame::new(), |f, name| f.with(*name, column(name)).unwrap());
    let of = |covariance: Covariance| {
        let model = LinearInMeans::new("y", "x + z").covariance(covariance);
        model.fit(&frame, &network).unwrap()
    };
    let names: Vec<&str> = (v["names"].as_array().unwrap().iter())
        .map(|n| n.as_str().unwrap())
        .collect();
    let robust = of(Covariance::Hc1);
    let pick = |fit: &LinearInMeansFit, what: fn(&Estimate) -> f64| -> Vec<f64> {
        (names.iter().map(|n| what(&fit.coefficient(n).unwrap()))).collect()
    };
    agree(
        "estimates",
        &pick(&robust, |e| e.estimate),
        &column("estimates"),
        1e-9,
    );
    agree(
        "errors",
        &pick(&robust, |e| e.std_error),
        &column("errors"),
        1e-9,
    );
    let clustered = of(Covariance::cluster("village"));
    agree(
        "clustered",
        &pick(&clustered, |e| e.std_error),
        &column("clustered"),
        1e-9,
    );
    let multiplier = v["multiplier"].as_f64().unwrap();
    assert!((robust.social_multiplier().unwrap().estimate / multiplier - 1.0).abs() < 1e-9);
    assert!(robust.isolated() > 0);
}

#[test]
fn intervals_cover_where_least_squares_does_not() {
    const DRAWS: u64 = 400;
    let network = Network::random(500, 3.0, 5).unwrap();
    let (mut covered, mut naive, mut isolated) = (0, 0, 0);
    for draw in 0..DRAWS {
        let frame = people(&network, 100 + draw);
        let fit = LinearInMeans::new("y", "x").fit(&frame, &network).unwrap();
        isolated = fit.isolated();
        let i = fit
            .peer_effect()
            .unwrap()
            .confidence_interval(0.95)
            .unwrap();
        covered += u32::from(i.lower <= 0.4 && 0.4 <= i.upper);
        let g = weights(&network);
        let mean = |name: &str| {
            (&g * DVector::from_column_slice(frame.real(name).unwrap()))
                .as_slice()
                .to_vec()
        };
        let with = frame
            .clone()
            .with("gy", mean("y"))
            .unwrap()
            .with("gx", mean("x"))
            .unwrap();
        let alone: Vec<f64> = network
            .neighbours()
            .iter()
            .map(|n| f64::from(u8::from(n.is_empty())))
            .collect();
        let with = with.with("alone", alone).unwrap();
        let ols = Ols::new("y ~ gy + x + gx + alone").fit(&with).unwrap();
        let i = ols
            .coefficient("gy")
            .unwrap()
            .confidence_interval(0.95)
            .unwrap();
        naive += u32::from(i.lower <= 0.4 && 0.4 <= i.upper);
    }
    println!("covered {covered}, least squares {naive} of {DRAWS}; {isolated} people alone");
    // 95 % with a Monte Carlo error of 1.1 points.
    assert!((363..=396).contains(&covered) && naive < 200 && isolated > 0);
}

#[test]
fn the_reflection_problem_and_bad_input_are_named() {
    let cliques = |sizes: &[u32]| {
        let (mut ties, mut first) = (Vec::new(), 0);
        for size in sizes {
            for a in first..first + size {
                ties.extend((a + 1..first + size).map(|b| (a, b)));
            }
            first += size;
        }
        Network::from_ties(first as usize, &ties).unwrap()
    };
    let of = |network: &Network| LinearInMeans::new("y", "x").fit(&people(network, 3), network);
    let text = of(&cliques(&[5; 12])).unwrap_err().to_string();
    assert!(text.contains("reflection problem"), "{text}");
    // Groups of several sizes identify it (Lee 2007), if weakly.
    assert!(of(&cliques(&[2, 3, 5, 8, 13, 4, 6, 9])).is_ok());
    let nobody = Network::from_ties(10, &[]).unwrap();
    assert!(
        of(&nobody)
            .unwrap_err()
            .to_string()
            .contains("without ties")
    );
    let ring = Network::ring(40, 1).unwrap();
    let frame = people(&ring, 3);
    let text = |m: LinearInMeans, f: &Frame| m.fit(f, &ring).unwrap_err().to_string();
    assert!(text(LinearInMeans::new("y", "1"), &frame).contains("one characteristic or more"));
    assert!(text(LinearInMeans::new("y", "z"), &frame).contains("no column `z`"));
    assert!(text(LinearInMeans::new("y", "x"), &frame.head(39)).contains("39"));
    // A column with the name of the dummy is not overwritten, and a model without a constant has none.
    let some = Network::from_ties(40, &(1..39).map(|i| (i, i + 1)).collect::<Vec<_>>()).unwrap();
    let named = people(&some, 3).rename("x", "isolated").unwrap();
    let error = LinearInMeans::new("y", "isolated")
        .fit(&named, &some)
        .unwrap_err();
    assert!(error.to_string().contains("rename the column"), "{error}");
    let none = LinearInMeans::new("y", "0 + x").fit(&frame, &ring).unwrap();
    assert_eq!(none.names(), ["peers(y)", "x", "peers(x)"]);
    let mut gap = frame.real("x").unwrap().to_vec();
    gap[6] = f64::NAN;
    let poor = frame.clone().replace("x", gap).unwrap();
    let error = text(LinearInMeans::new("y", "x"), &poor);
    assert!(
        error.contains("`x` is NaN in row 7") && error.contains("everybody"),
        "{error}"
    );
}

proptest! {
    #![proptest_config(Config { failure_persistence: None, ..Config::with_cases(24) })]

    #[test]
    fn units_and_the_order_of_people_do_not_matter(seed in 0_u64..1000, scale in 0.1..10.0_f64, shift in -5.0..5.0_f64) {
        let network = Network::random(60, 3.0, seed).unwrap();
        let frame = people(&network, seed);
        let of = |frame: &Frame, network: &Network| LinearInMeans::new("y", "x").fit(frame, network).unwrap();
        let base = of(&frame, &network);
        let (b, e) = (base.peer_effect().unwrap(), base.coefficient("x").unwrap());
        let near = |a: f64, b: f64| (a - b).abs() < 1e-6 * (1.0 + b.abs());
        let y: Vec<f64> = frame.real("y").unwrap().iter().map(|y| shift + scale * y).collect();
        let moved = of(&frame.clone().replace("y", y).unwrap(), &network);
        prop_assert!(near(moved.peer_effect().unwrap().estimate, b.estimate));
        prop_assert!(near(moved.coefficient("x").unwrap().estimate, scale * e.estimate));
        let ties: Vec<(u32, u32)> = (network.neighbours().iter().enumerate())
            .flat_map(|(i, own)| own.iter().filter(move |k| **k as usize > i).map(move |k| (59 - i as u32, 59 - k)))
            .collect();
        let back: Vec<usize> = (0..60).rev().collect();
        let turned = of(&frame.take(&back).unwrap(), &Network::from_ties(60, &ties).unwrap());
        let t = turned.peer_effect().unwrap();
        prop_assert!(near(t.estimate, b.estimate) && near(t.std_error, b.std_error));
    }
}
