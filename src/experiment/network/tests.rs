//! Estimates on small networks, where every assignment can be tried.

use super::*;

/// What a person does under each exposure of `AnyNeighbour`.
fn outcome(person: usize, exposure: usize) -> f64 {
    let own = (person * 7 % 5) as f64 + 1.0;
    own + [0.0, 1.5, 3.0, 4.0][exposure] * (1.0 + 0.2 * (person % 3) as f64)
}

fn seen(treated: &[bool], network: &Network) -> Frame {
    let exposure = ExposureMapping::AnyNeighbour.exposures(treated, network);
    let y: Vec<f64> = (0..treated.len())
        .map(|i| outcome(i, usize::from(exposure[i])))
        .collect();
    let z: Vec<f64> = treated.iter().map(|t| f64::from(u8::from(*t))).collect();
    Frame::new().with("y", y).unwrap().with("z", z).unwrap()
}

fn experiment() -> NetworkExperiment {
    NetworkExperiment::new("y", "z", ExposureMapping::AnyNeighbour)
        .contrast("neighbour treated", "not exposed")
}

#[test]
fn over_all_assignments_the_estimate_is_unbiased_and_the_variance_conservative() {
    let n = 12;
    let network = Network::ring(n, 1).unwrap();
    let truth = (0..n).map(|i| outcome(i, 1) - outcome(i, 0)).sum::<f64>() / n as f64;
    let (mut count, mut sum, mut squares, mut variance, mut hajek) = (0.0, 0.0, 0.0, 0.0, 0.0);
    for set in (0..1_u32 << n).filter(|set| set.count_ones() == 3) {
        let treated: Vec<bool> = (0..n).map(|i| set >> i & 1 == 1).collect();
        let fit = experiment()
            .allocation(Allocation::Complete { share: 0.25 })
            .fit(&seen(&treated, &network), &network)
            .unwrap();
        let c = &fit.contrasts[0];
        count += 1.0;
        sum += c.horvitz_thompson.estimate;
        squares += (c.horvitz_thompson.estimate - truth).powi(2);
        variance += c.horvitz_thompson.std_error.powi(2);
        hajek += c.hajek.estimate;
        assert!(fit.exact && c.hajek_monte_carlo <= 0.0);
    }
    assert_eq!(count, 220.0);
    assert!(
        (sum / count - truth).abs() < 1e-10,
        "{} {truth}",
        sum / count
    );
    assert!(variance >= squares, "{variance} {squares}");
    assert!((hajek / count - truth).abs() < 0.1);
}

#[test]
fn simulated_probabilities_are_those_of_the_design() {
    let n = 60;
    let network = Network::ring(n, 1).unwrap();
    let treated: Vec<bool> = (0..n).map(|i| i % 4 == 0).collect();
    let frame = seen(&treated, &network);
    let with = |draws: usize| {
        experiment()
            .allocation(Allocation::Complete { share: 0.25 })
            .draws(draws)
            .seed(5)
            .fit(&frame, &network)
            .unwrap()
    };
    let fit = with(20_000);
    // Nobody of three: C(57, 15)/C(60, 15).
    let none = (45.0 * 44.0 * 43.0) / (60.0 * 59.0 * 58.0);
    assert!(!fit.exact && (fit.conditions[0].smallest_probability - none).abs() < 0.015);
    // The Hájek estimate is that of equal probabilities, so its distance from it is the Monte Carlo error.
    let mean = |d: usize| {
        let exposure = ExposureMapping::AnyNeighbour.exposures(&treated, &network);
        let here: Vec<f64> = (0..n)
            .filter(|i| usize::from(exposure[*i]) == d)
            .map(|i| outcome(i, d))
            .collect();
        here.iter().sum::<f64>() / here.len() as f64
    };
    let exact = mean(1) - mean(0);
    for fit in [fit, with(500)] {
        let c = &fit.contrasts[0];
        assert!(
            (c.hajek.estimate - exact).abs() < 4.0 * c.hajek_monte_carlo,
            "{c:?} {exact}"
        );
        assert!(c.hajek_monte_carlo < c.hajek.std_error);
    }
    let again = with(500);
    assert_eq!(again, with(500));
}

#[test]
fn intervals_cover_and_relabelling_people_changes_nothing() {
    let n = 50;
    let network = Network::random(n, 2.0, 3).unwrap();
    let design = Allocation::Bernoulli { share: 0.3 };
    let able: Vec<usize> = (0..n)
        .filter(|i| !network.neighbours()[*i].is_empty())
        .collect();
    let truth = able
        .iter()
        .map(|i| outcome(*i, 1) - outcome(*i, 0))
        .sum::<f64>()
        / able.len() as f64;
    let runs = 120;
    let mut covered = 0;
    for run in 0..runs {
        let frame = Frame::new().with("x", vec![0.0; n]).unwrap();
        let treated = design.draw(&frame, 1000 + run).unwrap();
        let fit = experiment()
            .allocation(design.clone())
            .draws(1000)
            .seed(7)
            .restrict()
            .fit(&seen(&treated, &network), &network)
            .unwrap();
        assert_eq!(fit.people, able.len());
        let interval = fit.contrasts[0].hajek.confidence_interval(0.95).unwrap();
        covered += usize::from(interval.lower <= truth && truth <= interval.upper);
    }
    // At least 95 % less three Monte Carlo errors (6 %).
    assert!(covered >= 107, "{covered}");
    // Person i becomes n − 1 − i.
    let ring = Network::from_ties(6, &[(0, 1), (1, 2), (2, 3), (3, 4), (4, 5), (5, 0)]).unwrap();
    let other = Network::from_ties(6, &[(5, 4), (4, 3), (3, 2), (2, 1), (1, 0), (0, 5)]).unwrap();
    let z = [true, false, false, true, false, false];
    let frame = seen(&z, &ring);
    let backwards = frame.take(&[5, 4, 3, 2, 1, 0]).unwrap();
    let own = NetworkExperiment::new("y", "z", ExposureMapping::Own)
        .allocation(Allocation::Complete { share: 1.0 / 3.0 });
    let (a, b) = (
        own.fit(&frame, &ring).unwrap(),
        own.fit(&backwards, &other).unwrap(),
    );
    assert!((a.contrasts[0].hajek.estimate - b.contrasts[0].hajek.estimate).abs() < 1e-12);
    assert!((a.contrasts[0].hajek.std_error - b.contrasts[0].hajek.std_error).abs() < 1e-12);
}

#[test]
fn impossible_exposures_and_bad_input_are_refused() {
    // Person 3 knows nobody.
    let network = Network::from_ties(4, &[(0, 1), (1, 2)]).unwrap();
    let frame = seen(&[true, false, false, false], &network);
    let half = experiment().allocation(Allocation::Complete { share: 0.25 });
    let error = half.fit(&frame, &network).unwrap_err();
    assert!(
        matches!(error, Error::Unidentified { .. }) && error.to_string().contains("1 of 4"),
        "{error}"
    );
    let ring = Network::ring(30, 1).unwrap();
    let large = seen(&(0..30).map(|i| i % 3 == 0).collect::<Vec<_>>(), &ring);
    let plain = experiment();
    assert!(matches!(
        plain.fit(&large, &ring),
        Err(Error::SeedRequired { .. })
    ));
    assert!(matches!(
        plain.fit(&large, &network),
        Err(Error::LengthMismatch { .. })
    ));
    assert!(plain.clone().seed(1).draws(3).fit(&large, &ring).is_err());
    assert!(
        plain
            .clone()
            .contrast("nonsense", "not exposed")
            .seed(1)
            .fit(&large, &ring)
            .is_err()
    );
    let gap = large.replace("y", vec![f64::NAN; 30]).unwrap();
    assert!(matches!(
        plain.seed(1).fit(&gap, &ring),
        Err(Error::OutOfRange { row: 1, .. })
    ));
}
