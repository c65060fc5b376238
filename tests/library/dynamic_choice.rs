//! Dynamic discrete choice: against an independent implementation, on simulated customers, and where it must refuse.

use crate::support::{agree, data, fixture, names, numbers};
use cocreate::prelude::*;
use proptest::prelude::*;

const INCREMENTS: Transitions = Transitions::Increments {
    most: 2,
    reset: Some(1),
};

fn buses() -> DynamicChoice {
    DynamicChoice::new(Payoffs::replacement(40).unwrap(), 0.98).transitions(INCREMENTS)
}

fn repair() -> Payoffs {
    Payoffs::new(6, 3, ["cost", "repair", "replacement"], |s, a| match a {
        0 => vec![-(s as f64), 0.0, 0.0],
        1 => vec![-0.5 * s as f64, -1.0, 0.0],
        _ => vec![0.0, 0.0, -1.0],
    })
    .unwrap()
}

fn compare(what: &str, fit: &DynamicChoiceFit, theirs: &serde_json::Value, tolerance: f64) {
    assert_eq!(fit.names(), names(theirs));
    let errors: Vec<f64> = fit.coefficients().iter().map(|c| c.std_error).collect();
    let relative = |ours: &[f64], theirs: &[f64]| -> Vec<f64> {
        ours.iter().zip(theirs).map(|(a, b)| a / b).collect()
    };
    let ones = vec![1.0; errors.len()];
    let estimates = relative(fit.estimates().as_slice(), &numbers(&theirs["estimates"]));
    agree(&format!("{what} estimates"), &estimates, &ones, tolerance);
    let errors = relative(&errors, &numbers(&theirs["std_errors"]));
    agree(
        &format!("{what} standard errors"),
        &errors,
        &ones,
        tolerance,
    );
    let value = [fit.statistics().log_likelihood];
    agree(
        &format!("{what} log-likelihood"),
        &value,
        &numbers(&theirs["log_likelihood"]),
        1e-10,
    );
}

#[test]
fn estimates_are_those_of_an_independent_implementation() {
    let record = fixture("dynamic_choice");
    let tolerance = record["tolerance"].as_f64().unwrap();
    let theirs = &record["values"]["replacement"];
    let frame = data("tests/reference/dynamic_replacement.csv");
    let full = buses().fit(&frame).unwrap();
    compare("full", &full, &theirs["full"], tolerance);
    let clustered = full.with_covariance(Covariance::cluster("unit")).unwrap();
    let errors: Vec<f64> = clustered
        .coefficients()
        .iter()
        .map(|c| c.std_error)
        .collect();
    agree(
        "clustered",
        &errors,
        &numbers(&theirs["full"]["clustered"]),
        tolerance,
    );
    let partial = buses().partial().fit(&frame).unwrap();
    compare("partial", &partial, &theirs["partial"], tolerance);
    assert!(partial.to_string().contains("first step"));
    let frame = data("tests/reference/dynamic_repair.csv");
    let three = DynamicChoice::new(repair(), 0.9).fit(&frame).unwrap();
    compare(
        "three actions",
        &three,
        &record["values"]["repair"]["partial"],
        tolerance,
    );
}

#[test]
fn pseudo_likelihood_ends_at_the_maximum_of_the_likelihood() {
    for (model, file) in [
        (buses().partial(), "tests/reference/dynamic_replacement.csv"),
        (
            DynamicChoice::new(repair(), 0.9),
            "tests/reference/dynamic_repair.csv",
        ),
    ] {
        let frame = data(file);
        let nested = model.fit(&frame).unwrap();
        let of = |rounds| {
            let method = DynamicMethod::PseudoLikelihood { rounds };
            model.clone().method(method).fit(&frame).unwrap()
        };
        let (settled, one) = (of(None), of(Some(1)));
        for (name, exact) in nested.names().iter().zip(nested.coefficients()) {
            let found = settled.coefficient(name).unwrap();
            assert!(
                (found.estimate / exact.estimate - 1.0).abs() < 1e-7,
                "{name}"
            );
            // Asymptotically equivalent: errors are near, and one round is within a good part of one.
            assert!(
                (found.std_error / exact.std_error - 1.0).abs() < 0.05,
                "{name}"
            );
            let first = one.coefficient(name).unwrap();
            assert!(
                (first.estimate - exact.estimate).abs() < 0.75 * exact.std_error,
                "{name}"
            );
        }
        assert!(settled.statistics().log_likelihood <= nested.statistics().log_likelihood + 1e-8);
    }
}

#[test]
fn truths_are_recovered_and_covered() {
    const REPLICATIONS: usize = 1000;
    let process = DynamicPanel::replacement(30, 0.95, 4.0, 120.0, &[0.3, 0.5, 0.2]).unwrap();
    let model = DynamicChoice::new(Payoffs::replacement(30).unwrap(), 0.95).transitions(INCREMENTS);
    let one_round = model
        .clone()
        .method(DynamicMethod::PseudoLikelihood { rounds: Some(1) });
    let truths = [
        ("replacement", 4.0),
        ("cost", 120.0),
        ("increment[0]", 0.3),
        ("increment[1]", 0.5),
    ];
    let study = MonteCarlo::new("Dynamic choice")
        .replications(REPLICATIONS)
        .seed(20_261_123);
    let found = study
        .run(|seed| {
            let made = process
                .clone()
                .units(200)
                .periods(40)
                .seed(seed)
                .simulate()?;
            let (exact, one) = (model.fit(&made.data)?, one_round.fit(&made.data)?);
            let mut row = Replication::new();
            for (name, truth) in truths {
                row = row.estimate(name, &exact.coefficient(name)?, truth);
            }
            for (name, truth) in &truths[..2] {
                row = row.estimate(format!("one round {name}"), &one.coefficient(name)?, *truth);
            }
            Ok(row)
        })
        .unwrap();
    println!("{}", found.table());
    assert!(found.failures().is_empty());
    for (name, _) in truths {
        let p = found.performance(name).unwrap();
        assert!(p.bias.abs() < 0.1 * p.deviation, "{name}: {p:?}");
        assert!(
            (p.coverage - 0.95).abs() < 3.5 * p.coverage_error,
            "{name}: {p:?}"
        );
    }
    for (name, _) in &truths[..2] {
        let p = found.performance(&format!("one round {name}")).unwrap();
        assert!(p.bias.abs() < 0.3 * p.deviation, "{name}: {p:?}");
    }
}

#[test]
fn what_cannot_be_estimated_is_refused() {
    let frame = data("tests/reference/dynamic_replacement.csv");
    let refused = |model: &DynamicChoice, frame: &Frame| model.fit(frame).unwrap_err();
    for discount in [1.0, 1.2, -0.1, f64::NAN] {
        let model = DynamicChoice::new(Payoffs::replacement(40).unwrap(), discount);
        assert!(
            matches!(refused(&model, &frame), Error::InvalidOption { option, .. } if option == "discount")
        );
    }
    // Frequencies want every state after every action.
    let error = refused(&buses().transitions(Transitions::Frequencies), &frame);
    assert!(
        matches!(error, Error::Unidentified { .. })
            && error.to_string().contains("states without observations"),
        "{error}"
    );
    // An action that nobody takes, by its number.
    let three = Payoffs::new(40, 3, ["cost", "other"], |s, a| {
        vec![-(s as f64) * f64::from(a == 0), f64::from(a == 2)]
    })
    .unwrap();
    let error = refused(
        &DynamicChoice::new(three, 0.9).transitions(INCREMENTS),
        &frame,
    );
    assert!(
        error.to_string().contains("action 2, which is never taken"),
        "{error}"
    );
    // States and increments that the model does not have, by row.
    let error = refused(
        &DynamicChoice::new(Payoffs::replacement(10).unwrap(), 0.9),
        &frame,
    );
    assert!(
        matches!(error, Error::OutOfRange { ref column, .. } if column == "state"),
        "{error}"
    );
    let short = Transitions::Increments {
        most: 1,
        reset: Some(1),
    };
    assert!(matches!(
        refused(&buses().transitions(short), &frame),
        Error::InvalidOption { .. }
    ));
    let long = Transitions::Increments {
        most: 3,
        reset: Some(1),
    };
    let error = refused(&buses().transitions(long.clone()), &frame);
    assert!(
        error
            .to_string()
            .contains("increment of 3, which was never seen"),
        "{error}"
    );
    assert!(buses().transitions(long).partial().fit(&frame).is_ok());
    // Twice the same period.
    let twice = frame.clone();
    let time = vec![0.0; frame.rows()];
    let twice = Frame::new()
        .with("unit", twice.numeric("unit").unwrap().values().to_vec())
        .and_then(|f| f.with("time", time))
        .and_then(|f| f.with("state", frame.numeric("state")?.values().to_vec()))
        .and_then(|f| f.with("choice", frame.numeric("choice")?.values().to_vec()))
        .unwrap();
    assert!(
        matches!(refused(&buses(), &twice), Error::OutOfRange { column, .. } if column == "time")
    );
    // A payoff that is the same for all actions.
    let idle = Payoffs::new(40, 2, ["cost", "weather"], |s, a| {
        vec![-(s as f64) * f64::from(a == 0), s as f64]
    })
    .unwrap();
    let idle = DynamicChoice::new(idle, 0.0).transitions(INCREMENTS);
    assert!(matches!(
        refused(&idle, &frame),
        Error::Unidentified { .. } | Error::NotConverged { .. }
    ));
    let huge = Payoffs::new(40, 2, ["cost"], |s, a| {
        vec![1e305 * s as f64 * f64::from(a == 0)]
    })
    .unwrap();
    assert!(
        DynamicChoice::new(huge, 0.98)
            .transitions(INCREMENTS)
            .fit(&frame)
            .is_err()
    );
    assert!(matches!(
        refused(
            &buses().columns("unit", "time", "mileage", "choice"),
            &frame
        ),
        Error::ColumnNotFound { .. }
    ));
    assert!(
        DynamicPanel::replacement(5, 0.9, 1.0, 1.0, &[1.0])
            .unwrap()
            .simulate()
            .is_err()
    );
}

#[test]
fn the_panel_chooses_as_the_programme_says() {
    let process = DynamicPanel::replacement(8, 0.9, 2.0, 400.0, &[0.5, 0.5]).unwrap();
    let made = process
        .clone()
        .units(4_000)
        .periods(25)
        .seed(5)
        .simulate()
        .unwrap();
    let solved = process.program.solve().unwrap();
    let (state, choice) = (
        made.data.numeric("state").unwrap(),
        made.data.numeric("choice").unwrap(),
    );
    // Higher states are rare.
    for s in 0..5 {
        let here: Vec<f64> = (0..made.data.rows())
            .filter(|i| state.values()[*i] as usize == s)
            .map(|i| choice.values()[i])
            .collect();
        let (n, share) = (
            here.len() as f64,
            here.iter().sum::<f64>() / here.len() as f64,
        );
        let p = solved.probabilities[s][1];
        assert!(
            n > 50.0 && (share - p).abs() < 4.5 * (p * (1.0 - p) / n).sqrt(),
            "{s}: {share} {p}"
        );
    }
    let again = process.units(4_000).periods(25).seed(5).simulate().unwrap();
    assert_eq!(
        made.data.numeric("state").unwrap().values(),
        again.data.numeric("state").unwrap().values()
    );
}

#[test]
fn fits_are_stored_and_read_and_draws_are_pinned() {
    let made = DynamicPanel::replacement(8, 0.9, 2.0, 400.0, &[0.5, 0.5])
        .unwrap()
        .units(3)
        .periods(12)
        .seed(7)
        .simulate()
        .unwrap();
    let states: Vec<f64> = made.data.numeric("state").unwrap().values().to_vec();
    assert_eq!(states, PINNED);
    let fit = buses()
        .fit(&data("tests/reference/dynamic_replacement.csv"))
        .unwrap();
    let text = serde_json::to_string(&fit).unwrap();
    let again: DynamicChoiceFit = serde_json::from_str(&text).unwrap();
    assert_eq!(serde_json::to_string(&again).unwrap(), text);
    assert_eq!(again.to_string(), fit.to_string());
    assert!(matches!(
        again.with_covariance(Covariance::Hc0),
        Err(Error::DataNotKept { .. })
    ));
    let table = buses()
        .sensitivity(
            &data("tests/reference/dynamic_replacement.csv"),
            &[0.5, 0.98],
        )
        .unwrap();
    let text = serde_json::to_string(&table).unwrap();
    assert_eq!(
        serde_json::from_str::<DiscountSensitivity>(&text).unwrap(),
        table
    );
    assert_eq!(table.points[1].estimates, fit.coefficients());
}

/// Drawn with seed 7.
const PINNED: [f64; 36] = [
    0.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 2.0, 3.0, 1.0, 0.0, 1.0, 0.0, 1.0, 1.0, 0.0, 1.0, 1.0, 2.0,
    3.0, 4.0, 5.0, 1.0, 2.0, 0.0, 0.0, 0.0, 1.0, 2.0, 2.0, 1.0, 2.0, 3.0, 0.0, 1.0, 1.0,
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    /// Units of a feature and the numbers of the actions change nothing.
    #[test]
    fn units_and_numbering_do_not_matter(seed in 0_u64..1_000, scale in 0.01_f64..100.0) {
        let frame = DynamicPanel::replacement(12, 0.9, 3.0, 300.0, &[0.4, 0.6]).unwrap().units(60).periods(30).seed(seed).simulate().unwrap().data;
        let steps = Transitions::Increments { most: 1, reset: Some(1) };
        let plain = DynamicChoice::new(Payoffs::replacement(12).unwrap(), 0.9).transitions(steps).fit(&frame).unwrap();
        let choice: Vec<f64> = frame.numeric("choice").unwrap().values().iter().map(|c| 1.0 - c).collect();
        let other = ["unit", "time", "state"].iter().fold(Frame::new(), |f, name| {
            f.with(*name, frame.numeric(name).unwrap().values().to_vec()).unwrap()
        });
        let other = other.with("choice", choice).unwrap();
        // Action 0 replaces now.
        let payoffs = Payoffs::new(12, 2, ["replacement", "cost"], |s, a| {
            if a == 1 { vec![0.0, -1e-3 * scale * s as f64] } else { vec![-1.0, 0.0] }
        }).unwrap();
        let steps = Transitions::Increments { most: 1, reset: Some(0) };
        let swapped = DynamicChoice::new(payoffs, 0.9).transitions(steps).fit(&other).unwrap();
        let (a, b) = (plain.coefficients(), swapped.coefficients());
        prop_assert!((a[0].estimate - b[0].estimate).abs() < 1e-7 * a[0].std_error.max(1.0));
        prop_assert!((a[1].estimate / b[1].estimate / scale - 1.0).abs() < 1e-7);
        prop_assert!((a[1].std_error / b[1].std_error / scale - 1.0).abs() < 1e-6);
        prop_assert!((a[2].estimate - b[2].estimate).abs() < 1e-9);
    }
}
