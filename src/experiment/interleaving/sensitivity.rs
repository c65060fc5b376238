//! How many lists an interleaved comparison needs, beside an A/B test of the same rankings.

use super::Interleaving;
use super::analysis::of_gaps;
use crate::error::{Error, Result};
use crate::experiment::sums::{Sums, welch};
use crate::numeric::permutation::open_unit;
use crate::numeric::{Seed, blocks};
use crate::report::shown;
use crate::report::{Cell, Table};
use rand::Rng;
use rand::rngs::ChaCha8Rng;
use serde::{Deserialize, Serialize};

/// The power of interleaving two rankings, by simulation, beside that of an A/B test on the same number of lists. Users read from the top; they read the next
/// place with probability `patience`, and click on what they read with a probability that belongs to the item (the cascade of position bias without stopping at
/// clicks). Interleaving tests the sign of credit by list, the A/B test clicks per list by Welch, half of the lists each.
///
/// | name | default | meaning | range |
/// |---|---|---|---|
/// | `method` | team draft | see [`Interleaving`] | |
/// | `length` | 10 | items of a list | ≥ 1 |
/// | `patience` | 0.8 | probability to read on | (0, 1] |
/// | `impressions` | 1000 | lists of an experiment | ≥ 20 |
/// | `replications` | 200 | experiments | ≥ 20 |
/// | `alpha` | 0.05 | level of both tests | (0, 1) |
/// | `seed` | none | required | any |
///
/// # Errors
/// [`Error::SeedRequired`]; [`Error::InvalidOption`] for options out of range, items without a probability, or those of [`Interleaving::draw`].
///
/// # References
/// Chapelle, Joachims, Radlinski & Yue (2012), *ACM TOIS* 30(1), 6, doi:10.1145/2094072.2094078.
///
/// # Examples
/// ```
/// use cocreate::prelude::*;
/// // Six items with their probabilities of a click; B puts the best one third.
/// let power = InterleavingSensitivity::new([0.3, 0.2, 0.15, 0.1, 0.1, 0.05], [0, 1, 2, 3, 4, 5], [1, 2, 0, 3, 4, 5])
///     .impressions(400).replications(100).seed(7).run()?;
/// assert!(power.interleaving > power.ab_test);
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct InterleavingSensitivity {
    attraction: Vec<f64>,
    a: Vec<u32>,
    b: Vec<u32>,
    method: Interleaving,
    length: usize,
    patience: f64,
    impressions: usize,
    replications: usize,
    alpha: f64,
    seed: Option<Seed>,
}

/// What [`InterleavingSensitivity`] found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InterleavingPower {
    /// Power of the interleaved comparison (sign test).
    pub interleaving: f64,
    /// Its Monte Carlo standard error.
    pub interleaving_error: f64,
    /// Power of the A/B test.
    pub ab_test: f64,
    /// Its Monte Carlo standard error.
    pub ab_test_error: f64,
    /// Mean preference for A, `Δ_AB`.
    pub preference: f64,
    /// Lists of each experiment.
    pub impressions: usize,
    /// Experiments.
    pub replications: usize,
}

impl InterleavingSensitivity {
    /// The probabilities with which items 0, 1, … are clicked when read, and two rankings of them.
    pub fn new(
        attraction: impl Into<Vec<f64>>,
        a: impl Into<Vec<u32>>,
        b: impl Into<Vec<u32>>,
    ) -> Self {
        Self {
            attraction: attraction.into(),
            a: a.into(),
            b: b.into(),
            method: Interleaving::TeamDraft,
            length: 10,
            patience: 0.8,
            impressions: 1000,
            replications: 200,
            alpha: 0.05,
            seed: None,
        }
    }

    /// The method.
    pub fn method(mut self, method: Interleaving) -> Self {
        self.method = method;
        self
    }

    /// Items of a list.
    pub fn length(mut self, length: usize) -> Self {
        self.length = length;
        self
    }

    /// The probability to read on.
    pub fn patience(mut self, patience: f64) -> Self {
        self.patience = patience;
        self
    }

    /// Lists of an experiment.
    pub fn impressions(mut self, impressions: usize) -> Self {
        self.impressions = impressions;
        self
    }

    /// Experiments.
    pub fn replications(mut self, replications: usize) -> Self {
        self.replications = replications;
        self
    }

    /// The level of both tests.
    pub fn alpha(mut self, alpha: f64) -> Self {
        self.alpha = alpha;
        self
    }

    /// Sets the seed.
    pub fn seed(mut self, seed: impl Into<Seed>) -> Self {
        self.seed = Some(seed.into());
        self
    }

    /// Simulates.
    ///
    /// # Errors
    /// See [`InterleavingSensitivity`].
    pub fn run(&self) -> Result<InterleavingPower> {
        const FEWEST: usize = 20;
        self.method.check(&self.a, &self.b, self.length)?;
        let unknown = |item: &&u32| **item as usize >= self.attraction.len();
        let share = |v: f64| v > 0.0 && v <= 1.0;
        if self.a.iter().chain(&self.b).any(|item| unknown(&item))
            || !self.attraction.iter().all(|p| (0.0..=1.0).contains(p))
        {
            return Err(Error::invalid_option(
                "attraction",
                format!("{:?}", self.attraction),
                "a probability for every item of the rankings",
            ));
        }
        if !share(self.patience) || !share(self.alpha) || self.alpha >= 1.0 {
            return Err(Error::invalid_option(
                "patience and alpha",
                format!("{} and {}", self.patience, self.alpha),
                "between 0 and 1",
            ));
        }
        if self.impressions < FEWEST || self.replications < FEWEST {
            return Err(Error::invalid_option(
                "impressions and replications",
                format!("{} and {}", self.impressions, self.replications),
                format!("at least {FEWEST} each"),
            ));
        }
        let seed = self.seed.ok_or_else(|| Error::SeedRequired {
            what: "the sensitivity of interleaving".to_owned(),
        })?;
        let seed = seed.child("interleaving sensitivity");
        let runs = blocks::map(self.replications, |run| {
            self.experiment(&mut seed.stream(run as u64))
        });
        let (mut wins, mut ab, mut preference) = (0.0, 0.0, 0.0);
        for run in runs {
            let (sign, test, delta) = run?;
            wins += f64::from(u8::from(sign));
            ab += f64::from(u8::from(test));
            preference += delta;
        }
        let count = self.replications as f64;
        let error = |p: f64| (p * (1.0 - p) / count).sqrt();
        Ok(InterleavingPower {
            interleaving: wins / count,
            interleaving_error: error(wins / count),
            ab_test: ab / count,
            ab_test_error: error(ab / count),
            preference: preference / count,
            impressions: self.impressions,
            replications: self.replications,
        })
    }

    /// One experiment of each kind: whether it rejects, and the preference.
    fn experiment(&self, random: &mut ChaCha8Rng) -> Result<(bool, bool, f64)> {
        let mut gaps = Vec::with_capacity(self.impressions);
        for _ in 0..self.impressions {
            let list = self.method.merge(&self.a, &self.b, self.length, random);
            let credit = list.credit(&self.clicks(list.items(), random))?;
            gaps.push(credit.a - credit.b);
        }
        let test = of_gaps(&gaps)?;
        let half = self.impressions / 2;
        let mut clicks = |ranking: &[u32]| -> Vec<f64> {
            let shown = &ranking[..self.length.min(ranking.len())];
            (0..half)
                .map(|_| self.clicks(shown, random).len() as f64)
                .collect()
        };
        let (a, b) = (clicks(&self.a), clicks(&self.b));
        let ab = welch(
            "A/B",
            Sums::of(a.iter().copied()),
            Sums::of(b.iter().copied()),
        );
        // Without any variation nothing is rejected.
        let ab = ab.is_ok_and(|e| e.p_value() < self.alpha);
        Ok((test.sign_p_value < self.alpha, ab, test.preference.estimate))
    }

    /// The places that a user clicks.
    fn clicks(&self, items: &[u32], random: &mut ChaCha8Rng) -> Vec<usize> {
        let mut clicked = Vec::new();
        for (place, item) in items.iter().enumerate() {
            if place > 0 && open_unit(random.next_u64()) >= self.patience {
                break;
            }
            if open_unit(random.next_u64()) < self.attraction[*item as usize] {
                clicked.push(place);
            }
        }
        clicked
    }
}

impl InterleavingPower {
    /// Powers with their Monte Carlo errors.
    pub fn table(&self) -> Table {
        let mut table =
            Table::new("Sensitivity of interleaving").columns(["", "Power", "Monte Carlo error"]);
        for (name, power, error) in [
            ("Interleaving", self.interleaving, self.interleaving_error),
            ("A/B test", self.ab_test, self.ab_test_error),
        ] {
            table = table.row([
                Cell::from(name),
                Cell::fixed(power, 3),
                Cell::fixed(error, 3),
            ]);
        }
        table.note(format!(
            "{} lists each, {} replications; mean preference for A {:.4}",
            Cell::count(self.impressions),
            Cell::count(self.replications),
            self.preference
        ))
    }
}

shown!(InterleavingPower);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_rankings_are_told_apart_as_often_as_the_level_says() {
        let same = InterleavingSensitivity::new([0.4, 0.3, 0.2, 0.1], [0, 1, 2, 3], [0, 1, 2, 3])
            .impressions(300)
            .replications(400)
            .seed(3);
        let power = same.run().unwrap();
        // The sign test is discrete, so its size is a little below 5 %; three Monte Carlo errors are 3.3 %.
        assert!(
            power.interleaving < 0.083 && power.interleaving > 0.01,
            "{power}"
        );
        assert!(
            power.ab_test < 0.083 && power.ab_test > 0.017 && power.preference.abs() < 0.01,
            "{power}"
        );
        assert_eq!(power, same.run().unwrap());
    }

    #[test]
    fn interleaving_needs_fewer_lists_whatever_the_method() {
        for method in [
            Interleaving::TeamDraft,
            Interleaving::Probabilistic { tau: 3.0 },
        ] {
            let power = InterleavingSensitivity::new(
                [0.35, 0.25, 0.15, 0.1, 0.05],
                [0, 1, 2, 3, 4],
                [2, 1, 0, 4, 3],
            )
            .method(method)
            .impressions(400)
            .replications(150)
            .seed(4)
            .run()
            .unwrap();
            assert!(
                power.preference > 0.0 && power.interleaving > power.ab_test + 0.1,
                "{power}"
            );
        }
    }

    #[test]
    fn bad_input_is_refused() {
        let make = || InterleavingSensitivity::new([0.5, 0.2], [0, 1], [1, 0]);
        assert!(matches!(make().run(), Err(Error::SeedRequired { .. })));
        assert!(make().seed(1).patience(0.0).run().is_err());
        assert!(make().seed(1).alpha(1.0).run().is_err());
        assert!(make().seed(1).impressions(5).run().is_err());
        assert!(
            InterleavingSensitivity::new([0.5], [0, 1], [1, 0])
                .seed(1)
                .run()
                .is_err()
        );
        assert!(
            InterleavingSensitivity::new([0.5, 1.5], [0, 1], [1, 0])
                .seed(1)
                .run()
                .is_err()
        );
    }
}
