//! Folds for cross-fitting: whole clusters, and every arm in its share.

use super::sample::CausalSample;
use crate::data::Rows;
use crate::error::{Error, Result};
use crate::numeric::Seed;
use crate::numeric::permutation::shuffle;

/// Rows that a fit outside every fold needs of each arm.
const FEWEST_ROWS: usize = 10;
/// Rows of an arm that must be left outside every fold.
const FEWEST_OUTSIDE: usize = 2;

/// Disjoint sets of the rows, shared by all nuisances.
#[derive(Clone, Debug)]
pub(crate) struct CausalFolds {
    of_row: Vec<usize>,
    count: usize,
}

impl CausalFolds {
    /// Deals units (clusters, or rows) out to the folds in random order, one arm after the other, so that each fold has its share of each. A
    /// cluster with several arms counts to its most frequent.
    pub(crate) fn draw(sample: &CausalSample, count: usize, seed: Seed) -> Result<Self> {
        if count < 2 {
            return Err(Error::invalid_option("folds", count, "at least 2"));
        }
        for (arm, name) in sample.arms.iter().enumerate() {
            let own = |i: &usize| sample.arm_of[*i] == arm as u32 && sample.weight(*i) > 0.0;
            let rows = (0..sample.len()).filter(own).count();
            if rows < FEWEST_ROWS.max(2 * count) {
                let weighted = sample.weights.as_ref().map_or("", |_| " with weight");
                return Err(Error::Unidentified {
                    what: format!(
                        "the outcome of arm `{name}` of `{}`, which has {rows} rows{weighted}",
                        sample.treatment
                    ),
                    needs: format!(
                        "at least {} rows; leave the arm out or merge it with another",
                        FEWEST_ROWS.max(2 * count)
                    ),
                });
            }
        }
        let unit_of: Vec<usize> = match &sample.clusters {
            Some(codes) => codes.iter().map(|c| *c as usize).collect(),
            None => (0..sample.len()).collect(),
        };
        let units = unit_of.iter().max().map_or(0, |most| most + 1);
        let mut votes = vec![0_u32; units * sample.arms.len()];
        for (unit, arm) in unit_of.iter().zip(&sample.arm_of) {
            votes[unit * sample.arms.len() + *arm as usize] += 1;
        }
        let mut by_arm: Vec<Vec<usize>> = vec![Vec::new(); sample.arms.len()];
        for (unit, votes) in votes.chunks_exact(sample.arms.len()).enumerate() {
            let arm =
                (0..votes.len()).fold(0, |best, k| if votes[k] > votes[best] { k } else { best });
            by_arm[arm].push(unit);
        }
        if units < count {
            return Err(Error::invalid_option(
                "folds",
                count,
                format!("at most the number of clusters, {units}"),
            ));
        }
        let mut fold_of = vec![0; units];
        let (mut next, seed) = (0, seed.child("folds"));
        for (arm, units) in by_arm.iter_mut().enumerate() {
            shuffle(units, &mut seed.stream(arm as u64));
            for unit in units.iter() {
                fold_of[*unit] = next % count;
                next += 1;
            }
        }
        let folds = Self {
            of_row: unit_of.into_iter().map(|unit| fold_of[unit]).collect(),
            count,
        };
        folds.check(sample)?;
        Ok(folds)
    }

    /// Refuses folds outside of which an arm has almost no row: few clusters may hold all rows of an arm.
    fn check(&self, sample: &CausalSample) -> Result<()> {
        let mut inside = vec![0_usize; self.count * sample.arms.len()];
        for (i, arm) in sample.arm_of.iter().enumerate() {
            let weighty = usize::from(sample.weight(i) > 0.0);
            inside[*arm as usize * self.count + self.of_row[i]] += weighty;
        }
        for (own, name) in inside.chunks_exact(self.count).zip(&sample.arms) {
            let all: usize = own.iter().sum();
            if own.iter().any(|here| all - here < FEWEST_OUTSIDE) {
                return Err(Error::Unidentified {
                    what: format!(
                        "the outcome of arm `{name}` of `{}` from the rows outside one of the folds",
                        sample.treatment
                    ),
                    needs: "rows of the arm in clusters of several folds; it has almost all in one"
                        .to_owned(),
                });
            }
        }
        Ok(())
    }

    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// The rows of `among` that are in a fold.
    pub(crate) fn inside(&self, among: &Rows, fold: usize) -> Rows {
        self.filtered(among, |f| f == fold)
    }

    /// The rows of `among` that are not in a fold.
    pub(crate) fn outside(&self, among: &Rows, fold: usize) -> Rows {
        self.filtered(among, |f| f != fold)
    }

    fn filtered(&self, among: &Rows, keep: impl Fn(usize) -> bool) -> Rows {
        let kept = (0..among.len())
            .map(|i| among.index(i))
            .filter(|row| keep(self.of_row[*row]))
            .map(|row| row as u32)
            .collect();
        Rows::some(among.total(), kept)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::causal::sample::Columns;
    use crate::data::Frame;

    fn frame(n: usize) -> Frame {
        Frame::new()
            .with("y", (0..n).map(|i| (i % 5) as f64).collect::<Vec<_>>())
            .unwrap()
            .with(
                "w",
                (0..n)
                    .map(|i| f64::from(u8::from(i % 10 == 0)))
                    .collect::<Vec<_>>(),
            )
            .unwrap()
            .with("x", (0..n).map(|i| i as f64).collect::<Vec<_>>())
            .unwrap()
            .with(
                "village",
                (0..n).map(|i| (i / 4) as f64).collect::<Vec<_>>(),
            )
            .unwrap()
    }

    #[test]
    fn arms_are_spread_evenly_and_clusters_stay_whole() {
        let mut columns = Columns::new("y", "w", &["x"]);
        let sample = columns.read(&frame(400)).unwrap();
        let folds = CausalFolds::draw(&sample, 5, Seed::new(1)).unwrap();
        for fold in 0..5 {
            let inside = folds.inside(&Rows::all(400), fold);
            let treated = (0..inside.len())
                .filter(|i| inside.index(*i).is_multiple_of(10))
                .count();
            assert_eq!((inside.len(), treated), (80, 8));
            assert_eq!(folds.outside(&Rows::all(400), fold).len(), 320);
        }
        columns.clusters = Some("village".to_owned());
        let sample = columns.read(&frame(400)).unwrap();
        let folds = CausalFolds::draw(&sample, 5, Seed::new(1)).unwrap();
        assert!(
            folds
                .of_row
                .chunks_exact(4)
                .all(|c| c.iter().all(|f| *f == c[0]))
        );
    }

    #[test]
    fn an_arm_with_too_few_rows_is_named() {
        let sample = Columns::new("y", "w", &["x"]).read(&frame(60)).unwrap();
        let text = CausalFolds::draw(&sample, 5, Seed::new(1))
            .unwrap_err()
            .to_string();
        assert!(text.contains("arm `1` of `w`, which has 6 rows"), "{text}");
        assert!(CausalFolds::draw(&sample, 1, Seed::new(1)).is_err());
    }

    #[test]
    fn clusters_that_hold_all_of_an_arm_and_rows_without_weight_are_refused() {
        // Cluster 0 has the treated, all others untreated.
        let cluster = |i: usize| {
            if i.is_multiple_of(10) {
                0.0
            } else {
                1.0 + (i % 7) as f64
            }
        };
        let frame = frame(400)
            .with("team", (0..400).map(cluster).collect::<Vec<_>>())
            .unwrap()
            .with(
                "k",
                (0..400)
                    .map(|i| f64::from(u8::from(i % 10 > 0)))
                    .collect::<Vec<_>>(),
            )
            .unwrap();
        let mut columns = Columns::new("y", "w", &["x"]);
        columns.clusters = Some("team".to_owned());
        let text = |columns: &Columns, folds| {
            let sample = columns.read(&frame).unwrap();
            CausalFolds::draw(&sample, folds, Seed::new(1))
                .unwrap_err()
                .to_string()
        };
        assert!(text(&columns, 5).contains("outside one of the folds"));
        assert!(text(&columns, 9).contains("at most the number of clusters, 8"));
        columns.clusters = None;
        columns.weights = Some("k".to_owned());
        assert!(text(&columns, 5).contains("arm `1` of `w`, which has 0 rows with weight"));
    }
}
