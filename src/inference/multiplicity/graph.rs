//! Graphical procedures: hypotheses that hand on their share of the level when they are rejected.

use super::decisions::MultipleTests;
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};

/// Sums of shares may miss one by this much of rounding.
const ROUNDING: f64 = 1e-9;

/// A graph of hypotheses for gatekeeping: each has a share `w_i` of the level α, and edges say to whom it passes its share once it
/// is rejected. With any p-values that are valid one by one the familywise error is at most α, whatever their dependence: it is a
/// shortcut of a closed test of weighted Bonferroni tests.
///
/// A hypothesis is rejected when `p_i ≤ w_i α`; then for all others l, k
///
/// `w_l ← w_l + w_i g_il`, `g_lk ← (g_lk + g_li g_ik)/(1 − g_li g_il)` (0 where the denominator is).
///
/// | procedure | graph |
/// |---|---|
/// | fixed sequence | [`TestingGraph::in_sequence`]: the first has everything and passes it on |
/// | fallback | the same with shares for all |
/// | Holm | [`TestingGraph::holm`]: equal shares, passed on equally |
/// | serial or parallel gatekeeping | primary metrics pass to secondary ones |
///
/// # References
/// Bretz, F., Maurer, W., Brannath, W. & Posch, M. (2009). A graphical approach to sequentially rejective multiple test procedures.
/// *Statistics in Medicine* 28(4), 586–604. doi:10.1002/sim.3495
///
/// # Examples
/// Two primary metrics share the level; each opens one secondary metric, which passes its level to the other primary one.
/// ```
/// use cocreate::prelude::*;
/// let graph = TestingGraph::new()
///     .hypothesis("participation", 0.5)
///     .hypothesis("revenue", 0.5)
///     .hypothesis("quality", 0.0)
///     .hypothesis("returns", 0.0)
///     .edge("participation", "quality", 1.0)
///     .edge("revenue", "returns", 1.0)
///     .edge("quality", "revenue", 1.0)
///     .edge("returns", "participation", 1.0);
/// let tests = graph.test(&[0.01, 0.04, 0.02, 0.3], 0.05)?;
/// assert!(tests.decisions[0].rejected && tests.decisions[1].rejected && tests.decisions[2].rejected);
/// assert!(!tests.decisions[3].rejected);
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TestingGraph {
    names: Vec<String>,
    shares: Vec<f64>,
    edges: Vec<(String, String, f64)>,
}

impl TestingGraph {
    /// A graph without hypotheses.
    pub fn new() -> Self {
        Self::default()
    }

    /// Hypotheses tested in this order, each at the whole level once those before it are rejected. Shares added later by
    /// [`TestingGraph::shares`] make it the fallback procedure.
    pub fn in_sequence<S: Into<String>>(names: impl IntoIterator<Item = S>) -> Self {
        let names: Vec<String> = names.into_iter().map(Into::into).collect();
        let edges = names
            .windows(2)
            .map(|w| (w[0].clone(), w[1].clone(), 1.0))
            .collect();
        let shares = (0..names.len())
            .map(|i| if i == 0 { 1.0 } else { 0.0 })
            .collect();
        Self {
            names,
            shares,
            edges,
        }
    }

    /// Equal shares, passed on equally: the procedure of Holm.
    pub fn holm<S: Into<String>>(names: impl IntoIterator<Item = S>) -> Self {
        let names: Vec<String> = names.into_iter().map(Into::into).collect();
        let count = names.len() as f64;
        let edges = (names.iter())
            .flat_map(|a| {
                names
                    .iter()
                    .filter(move |b| *b != a)
                    .map(move |b| (a.clone(), b.clone(), 1.0 / (count - 1.0)))
            })
            .collect();
        Self {
            shares: vec![1.0 / count; names.len()],
            names,
            edges,
        }
    }

    /// Adds a hypothesis with its share of the level.
    pub fn hypothesis(mut self, name: impl Into<String>, share: f64) -> Self {
        self.names.push(name.into());
        self.shares.push(share);
        self
    }

    /// Passes a part of a hypothesis' share to another one when it is rejected.
    pub fn edge(mut self, from: impl Into<String>, to: impl Into<String>, part: f64) -> Self {
        self.edges.push((from.into(), to.into(), part));
        self
    }

    /// Other shares for the hypotheses, in their order.
    pub fn shares(mut self, shares: impl IntoIterator<Item = f64>) -> Self {
        self.shares = shares.into_iter().collect();
        self
    }

    /// The hypotheses in their order.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Tests all hypotheses, given their p-values in the order of the hypotheses.
    ///
    /// # Errors
    /// [`Error::LengthMismatch`]; [`Error::OutOfRange`] for a p-value outside [0, 1]; [`Error::InvalidOption`] for shares or parts that are negative or sum to
    /// more than one, names that occur twice or are not there, an edge to itself, or an α outside (0, 1).
    pub fn test(&self, p: &[f64], alpha: f64) -> Result<MultipleTests> {
        let adjusted = self.adjusted(p)?;
        MultipleTests::adjusted(
            self.names.iter().cloned(),
            p,
            &adjusted,
            "graph of hypotheses",
            alpha,
        )
    }

    /// The smallest α at which each is rejected; infinite for those that no share reaches, shown as one.
    fn adjusted(&self, p: &[f64]) -> Result<Vec<f64>> {
        let count = self.names.len();
        if p.len() != count || self.shares.len() != count {
            return Err(Error::LengthMismatch {
                column: if p.len() == count {
                    "shares"
                } else {
                    "p-values"
                }
                .to_owned(),
                expected: count,
                found: if p.len() == count {
                    self.shares.len()
                } else {
                    p.len()
                },
            });
        }
        super::adjust::check_p_values(p)?;
        let mut passes = self.passes()?;
        let mut shares = self.shares.clone();
        let mut adjusted = vec![1.0_f64; count];
        let mut left: Vec<usize> = (0..count).collect();
        let mut largest = 0.0_f64;
        while let Some(at) = (0..left.len())
            .filter(|at| shares[left[*at]] > 0.0)
            .min_by(|a, b| {
                (p[left[*a]] / shares[left[*a]]).total_cmp(&(p[left[*b]] / shares[left[*b]]))
            })
        {
            let j = left.remove(at);
            largest = largest.max(p[j] / shares[j]);
            adjusted[j] = largest.min(1.0);
            let before = passes.clone();
            for &l in &left {
                shares[l] += shares[j] * before[j][l];
                let round = before[l][j] * before[j][l];
                for &k in left.iter().filter(|k| **k != l) {
                    passes[l][k] = if round < 1.0 {
                        (before[l][k] + before[l][j] * before[j][k]) / (1.0 - round)
                    } else {
                        0.0
                    };
                }
            }
        }
        Ok(adjusted)
    }

    /// What each passes to each, checked.
    fn passes(&self) -> Result<Vec<Vec<f64>>> {
        let count = self.names.len();
        let sound = |v: f64| v >= 0.0 && v.is_finite();
        let total: f64 = self.shares.iter().sum();
        if !self.shares.iter().all(|v| sound(*v)) || total > 1.0 + ROUNDING {
            return Err(Error::invalid_option(
                "shares",
                format!("{:?}", self.shares),
                "not negative and summing to one at most",
            ));
        }
        if let Some(twice) = (1..count).find(|i| self.names[..*i].contains(&self.names[*i])) {
            return Err(Error::invalid_option(
                "hypothesis",
                &self.names[twice],
                "a name that occurs once",
            ));
        }
        let place = |name: &String| {
            (self.names.iter().position(|n| n == name)).ok_or_else(|| {
                Error::invalid_option(
                    "edge",
                    name,
                    format!("one of the hypotheses: {}", self.names.join(", ")),
                )
            })
        };
        let mut passes = vec![vec![0.0; count]; count];
        for (from, to, part) in &self.edges {
            let (i, j) = (place(from)?, place(to)?);
            if i == j || !sound(*part) {
                return Err(Error::invalid_option(
                    "edge",
                    format!("{from} → {to}: {part}"),
                    "a part that is not negative, to another hypothesis",
                ));
            }
            passes[i][j] += part;
        }
        for (name, row) in self.names.iter().zip(&passes) {
            let sum: f64 = row.iter().sum();
            if sum > 1.0 + ROUNDING {
                return Err(Error::invalid_option(
                    "edges",
                    format!("{sum} from {name}"),
                    "parts that sum to one at most",
                ));
            }
        }
        Ok(passes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inference::{Adjustment, adjust_p_values};
    use crate::numeric::Seed;
    use crate::numeric::permutation::open_unit;
    use crate::numeric::special::normal;
    use proptest::prelude::*;
    use rand::Rng;

    proptest! {
        #[test]
        fn holm_and_fixed_sequences_are_graphs(p in prop::collection::vec(1e-6_f64..1.0, 2..7)) {
            let names: Vec<String> = (0..p.len()).map(|i| i.to_string()).collect();
            let close = |a: &[f64], b: &[f64]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-12);
            let holm = TestingGraph::holm(names.clone()).adjusted(&p).unwrap();
            prop_assert!(close(&holm, &adjust_p_values(&p, Adjustment::Holm).unwrap()));
            let sequence = TestingGraph::in_sequence(names).adjusted(&p).unwrap();
            let highest = super::super::adjust::running_max(p);
            prop_assert!(close(&sequence, &highest));
        }

        #[test]
        fn decisions_are_those_of_the_closed_test(p in prop::collection::vec(1e-4_f64..0.2, 3)) {
            // The weights of an intersection are those of the graph after all others are taken out, whatever the order.
            let graph = TestingGraph::new()
                .hypothesis("a", 0.5).hypothesis("b", 0.3).hypothesis("c", 0.2)
                .edge("a", "b", 0.4).edge("a", "c", 0.6).edge("b", "a", 1.0).edge("c", "b", 0.5).edge("c", "a", 0.5);
            let weights = |keep: &[usize]| {
                // p-values of zero take the others out first.
                let forced: Vec<f64> = (0..3).map(|i| if keep.contains(&i) { 1.0 } else { 0.0 }).collect();
                let mut out = vec![0.0; 3];
                for &k in keep {
                    let mut q = forced.clone();
                    q[k] = 1e-3;
                    let adjusted = graph.adjusted(&q).unwrap()[k];
                    out[k] = 1e-3 / adjusted;
                }
                out
            };
            let found = graph.adjusted(&p).unwrap();
            for (i, found) in found.into_iter().enumerate() {
                let sets: [&[usize]; 7] = [&[0], &[1], &[2], &[0, 1], &[0, 2], &[1, 2], &[0, 1, 2]];
                let closed = sets.iter().filter(|s| s.contains(&i)).map(|s| {
                    let w = weights(s);
                    s.iter().map(|j| p[*j] / w[*j]).fold(1.0, f64::min)
                }).fold(0.0, f64::max);
                prop_assert!((closed - found).abs() < 1e-9, "{} {}", closed, found);
            }
        }
    }

    #[test]
    fn the_familywise_error_is_kept_under_dependence() {
        let graph = TestingGraph::in_sequence(["a", "b", "c"]).shares([0.6, 0.3, 0.1]);
        let mut draws = Seed::new(4).stream(0);
        let mut z = || normal::quantile(open_unit(draws.next_u64()));
        let runs = 4_000;
        let mut wrong = 0;
        for _ in 0..runs {
            let common = z();
            // The first is false, the others are true and correlated.
            let p: Vec<f64> = [2.5, 0.0, 0.0]
                .iter()
                .map(|m| normal::sf(m + 0.7 * common + 0.51_f64.sqrt() * z()))
                .collect();
            let tests = graph.test(&p, 0.05).unwrap();
            wrong += i32::from(tests.decisions[1].rejected || tests.decisions[2].rejected);
        }
        // .05 and two Monte Carlo errors of .0034.
        assert!(f64::from(wrong) / f64::from(runs) < 0.057, "{wrong}");
    }

    #[test]
    fn graphs_that_are_none_are_refused() {
        let two = || {
            TestingGraph::new()
                .hypothesis("a", 0.5)
                .hypothesis("b", 0.5)
        };
        assert!(two().test(&[0.1], 0.05).is_err());
        assert!(two().test(&[0.1, 1.2], 0.05).is_err());
        assert!(two().edge("a", "c", 1.0).test(&[0.1, 0.2], 0.05).is_err());
        assert!(two().edge("a", "a", 1.0).test(&[0.1, 0.2], 0.05).is_err());
        assert!(
            two()
                .edge("a", "b", 0.7)
                .edge("a", "b", 0.7)
                .test(&[0.1, 0.2], 0.05)
                .is_err()
        );
        assert!(
            two()
                .hypothesis("c", 0.5)
                .test(&[0.1, 0.2, 0.3], 0.05)
                .is_err()
        );
        assert!(
            two()
                .hypothesis("a", 0.0)
                .test(&[0.1, 0.2, 0.3], 0.05)
                .is_err()
        );
        assert!(two().shares([0.5]).test(&[0.1, 0.2], 0.05).is_err());
        // Without an edge a share is lost, and a hypothesis without one is never rejected.
        let none = TestingGraph::new()
            .hypothesis("a", 1.0)
            .hypothesis("b", 0.0)
            .test(&[0.01, 0.0], 0.05)
            .unwrap();
        assert!(none.decisions[0].rejected && !none.decisions[1].rejected);
    }
}
