//! The sample-ratio test that may be looked at as often as one likes.

use crate::error::{Error, Result};
use crate::inference::{Interval, check_level};
use crate::numeric::special::gamma;
use crate::report::shown;
use crate::report::{Cell, Figure, LinePlot, Table};
use serde::{Deserialize, Serialize};

/// Default strength of the prior: its standard deviation of a share of one half is 0.005, the size of mismatch that broken
/// assignments have.
const CONCENTRATION: f64 = 10_000.0;

/// Halvings that bring an end of an interval to the last bit.
const HALVINGS: usize = 100;

/// A monitor of the sample ratio that is valid at every look. With assignment shares p, counts S so far and a Dirichlet prior α on the
/// shares under the alternative, the Bayes factor
///
/// `M = [B(α + S)/B(α)] / Π pᵢ^Sᵢ`, `B(a) = Π Γ(aᵢ)/Γ(Σ aᵢ)`
///
/// is a martingale with mean one while units are assigned independently with shares p, whatever the order and the moments of looking.
/// By Ville's inequality it ever exceeds 1/a with probability at most a, so that `1/max M` is a p-value at any time.
///
/// The state is a few numbers, and survives a restart through serde.
///
/// | name | default | meaning | range |
/// |---|---|---|---|
/// | `concentration` | 10 000 | Σα, with α proportional to the shares: larger finds smaller mismatches, later | > 0 |
///
/// # Errors
/// [`Error::InvalidOption`] for fewer than two arms, shares that are not positive, or counts for another number of arms.
///
/// # References
/// Lindon, M. & Malek, A. (2022). Anytime-valid inference for multinomial count data. *NeurIPS* 35, 2817–2831.
///
/// # Examples
/// ```
/// use cocreate::prelude::*;
/// let mut monitor = SequentialSampleRatio::new([("control", 0.5), ("tool", 0.5)])?;
/// monitor.observe("Monday", &[10_050, 9_950])?;
/// assert!(monitor.p_value() > 0.5);
/// monitor.observe("Tuesday", &[10_400, 9_600])?; // counts of the day, not of both days
/// assert!(monitor.p_value() < 0.01);
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SequentialSampleRatio {
    arms: Vec<String>,
    shares: Vec<f64>,
    concentration: f64,
    counts: Vec<u64>,
    looks: Vec<SequentialLook>,
}

/// What the monitor said at one look.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SequentialLook {
    /// Its name: a day, a batch.
    pub label: String,
    /// Units so far, in the order of the arms.
    pub counts: Vec<u64>,
    /// Log of the Bayes factor against the declared shares.
    pub log_bayes_factor: f64,
    /// The p-value, valid at every look: it never rises.
    pub p_value: f64,
}

impl SequentialSampleRatio {
    /// A monitor of arms with their shares, which need not sum to one.
    ///
    /// # Errors
    /// See [`SequentialSampleRatio`].
    pub fn new<S: Into<String>>(arms: impl IntoIterator<Item = (S, f64)>) -> Result<Self> {
        let (arms, shares): (Vec<String>, Vec<f64>) =
            arms.into_iter().map(|(a, s)| (a.into(), s)).unzip();
        let shares = proportions(&shares)?;
        Ok(Self {
            counts: vec![0; arms.len()],
            arms,
            shares,
            concentration: CONCENTRATION,
            looks: vec![],
        })
    }

    /// The strength of the prior; to be set before the first look.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] unless positive, or after a look: a prior chosen with the data in view is none.
    pub fn concentration(mut self, concentration: f64) -> Result<Self> {
        if !(concentration > 0.0 && concentration.is_finite() && self.looks.is_empty()) {
            return Err(Error::invalid_option(
                "concentration",
                concentration,
                "positive, and set before the first look",
            ));
        }
        self.concentration = concentration;
        Ok(self)
    }

    /// Takes in the units that came since the last look, in the order of the arms.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for another number of arms.
    pub fn observe(&mut self, label: impl Into<String>, counts: &[u64]) -> Result<SequentialLook> {
        if counts.len() != self.arms.len() {
            return Err(Error::invalid_option(
                "counts",
                counts.len(),
                format!("one count for each of {}", self.arms.join(", ")),
            ));
        }
        for (total, new) in self.counts.iter_mut().zip(counts) {
            *total += new;
        }
        let log_bayes_factor = log_bayes_factor(&self.counts, &self.shares, self.concentration);
        let look = SequentialLook {
            label: label.into(),
            counts: self.counts.clone(),
            log_bayes_factor,
            p_value: (-log_bayes_factor).exp().min(self.p_value()),
        };
        self.looks.push(look.clone());
        Ok(look)
    }

    /// The p-value of the declared shares, valid although one looked before.
    pub fn p_value(&self) -> f64 {
        self.looks.last().map_or(1.0, |look| look.p_value)
    }

    /// What was said at each look.
    pub fn looks(&self) -> &[SequentialLook] {
        &self.looks
    }

    /// Units so far, in the order of the arms.
    pub fn counts(&self) -> &[u64] {
        &self.counts
    }

    /// An interval for the share of one arm, from the counts so far, that covers at all times together: the shares that the same test of this
    /// arm against all others does not reject.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for an unknown arm or a level outside (0, 1).
    pub fn share_interval(&self, arm: &str, level: f64) -> Result<Interval> {
        check_level(level)?;
        let at = self.arms.iter().position(|a| a == arm);
        let at = at.ok_or_else(|| crate::experiment::arms::unknown_arm("arm", arm, &self.arms))?;
        let (count, total) = (
            self.counts[at] as f64,
            self.counts.iter().sum::<u64>() as f64,
        );
        let (a, b) = (
            self.concentration * self.shares[at],
            self.concentration * (1.0 - self.shares[at]),
        );
        let constant = ln_beta(&[a + count, b + total - count]) - ln_beta(&[a, b]);
        let limit = -(1.0 - level).ln();
        let inside = |share: f64| {
            let part = |n: f64, p: f64| if n > 0.0 { n * p.ln() } else { 0.0 };
            constant - part(count, share) - part(total - count, 1.0 - share) < limit
        };
        // The factor is smallest at the observed share and rises on both sides.
        let center = if total > 0.0 {
            count / total
        } else {
            self.shares[at]
        };
        let end = |outer: f64| {
            if inside(outer) {
                return outer;
            }
            let (mut inner, mut outer) = (center, outer);
            for _ in 0..HALVINGS {
                let middle = f64::midpoint(inner, outer);
                if inside(middle) {
                    inner = middle;
                } else {
                    outer = middle;
                }
            }
            f64::midpoint(inner, outer)
        };
        Ok(Interval {
            name: format!("share of {arm}"),
            level,
            lower: end(0.0),
            upper: end(1.0),
        })
    }

    /// The looks.
    pub fn table(&self) -> Table {
        let mut columns = vec!["Look".to_owned()];
        columns.extend(self.arms.iter().cloned());
        columns.extend(["log Bayes factor".to_owned(), "p".to_owned()]);
        let mut table = Table::new("Sample ratio, valid at every look").columns(columns);
        for look in &self.looks {
            let mut row = vec![Cell::from(look.label.as_str())];
            row.extend(look.counts.iter().map(|c| Cell::count(*c as usize)));
            row.extend([
                Cell::fixed(look.log_bayes_factor, 2),
                Cell::p_value(look.p_value),
            ]);
            table = table.row(row);
        }
        let shares: Vec<String> = (self.arms.iter().zip(&self.shares))
            .map(|(arm, share)| format!("{arm} {}", Cell::percent(*share, 2)))
            .collect();
        table.note(format!(
            "Declared shares: {}; Dirichlet prior of strength {}",
            shares.join(", "),
            self.concentration
        ))
    }

    /// The p-value over the looks.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] before the first look.
    pub fn figure(&self) -> Result<Figure> {
        let x: Vec<f64> = (1..=self.looks.len()).map(|i| i as f64).collect();
        let y: Vec<f64> = self.looks.iter().map(|l| l.p_value).collect();
        LinePlot::new()
            .title("Sample ratio: p-value that is valid at every look")
            .x_title("Look")
            .y_title("p")
            .line("p", x, y)
            .draw()
    }
}

shown!(SequentialSampleRatio);

/// Shares that sum to one.
///
/// # Errors
/// `InvalidOption` unless there are two or more, all positive.
pub(super) fn proportions(shares: &[f64]) -> Result<Vec<f64>> {
    let total: f64 = shares.iter().sum();
    if shares.len() < 2 || !total.is_finite() || !shares.iter().all(|s| *s > 0.0) {
        return Err(Error::invalid_option(
            "expected shares",
            format!("{shares:?}"),
            "a positive number for each of two arms or more",
        ));
    }
    Ok(shares.iter().map(|s| s / total).collect())
}

fn log_bayes_factor(counts: &[u64], shares: &[f64], concentration: f64) -> f64 {
    let prior: Vec<f64> = shares.iter().map(|s| s * concentration).collect();
    let posterior: Vec<f64> = (prior.iter().zip(counts))
        .map(|(a, c)| a + *c as f64)
        .collect();
    let under_null: f64 = (counts.iter().zip(shares))
        .map(|(c, s)| *c as f64 * s.ln())
        .sum();
    ln_beta(&posterior) - ln_beta(&prior) - under_null
}

/// `Σ ln Γ(aᵢ) − ln Γ(Σ aᵢ)`.
fn ln_beta(a: &[f64]) -> f64 {
    a.iter().map(|v| gamma::ln_gamma(*v)).sum::<f64>() - gamma::ln_gamma(a.iter().sum())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::numeric::{Seed, permutation::open_unit};
    use rand::Rng;

    #[test]
    fn the_bayes_factor_is_a_martingale() {
        // The mean of the next factor under the null is the factor now.
        let shares = [0.2, 0.3, 0.5];
        for counts in [[0_u64, 0, 0], [3, 1, 9], [40, 30, 90]] {
            let now = log_bayes_factor(&counts, &shares, 7.0).exp();
            let next: f64 = (0..3)
                .map(|arm| {
                    let mut next = counts;
                    next[arm] += 1;
                    shares[arm] * log_bayes_factor(&next, &shares, 7.0).exp()
                })
                .sum();
            assert!((next / now - 1.0).abs() < 1e-11, "{now} {next}");
        }
    }

    #[test]
    fn looking_often_keeps_the_size_and_finds_a_mismatch() {
        const RUNS: u64 = 400;
        let crossed = |truth: f64, seed: u64| {
            (0..RUNS)
                .filter(|run| {
                    let mut draws = Seed::new(seed).stream(*run);
                    let mut monitor = SequentialSampleRatio::new([("a", 1.0), ("b", 1.0)])
                        .unwrap()
                        .concentration(100.0)
                        .unwrap();
                    (0..100).any(|look| {
                        let a = (0..50)
                            .filter(|_| open_unit(draws.next_u64()) < truth)
                            .count();
                        let batch = [a as u64, 50 - a as u64];
                        monitor.observe(look.to_string(), &batch).unwrap().p_value < 0.05
                    })
                })
                .count() as f64
                / RUNS as f64
        };
        // At most 5 % whatever the number of looks; 0.05 + 3 √(0.05·0.95/400) = 0.083.
        let size = crossed(0.5, 1);
        assert!(size < 0.083, "{size}");
        assert!(crossed(0.55, 2) > 0.95);
    }

    #[test]
    fn the_interval_is_the_inversion_of_the_test() {
        let mut monitor = SequentialSampleRatio::new([("a", 0.5), ("b", 0.5)]).unwrap();
        let whole = monitor.share_interval("a", 0.95).unwrap();
        assert!(whole.lower <= 0.0 && whole.upper >= 1.0);
        monitor.observe("1", &[5_300, 4_700]).unwrap();
        let set = monitor.share_interval("a", 0.95).unwrap();
        assert!(set.lower < 0.53 && 0.53 < set.upper && set.upper - set.lower < 0.06);
        // At the end of the interval the test of that share, with the same prior, is at its limit.
        let prior = [5_000.0, 5_000.0];
        let at_end = ln_beta(&[10_300.0, 9_700.0])
            - ln_beta(&prior)
            - 5_300.0 * set.lower.ln()
            - 4_700.0 * (1.0 - set.lower).ln();
        assert!((at_end + 0.05_f64.ln()).abs() < 1e-8, "{at_end}");
        assert!(monitor.share_interval("c", 0.95).is_err());
        assert!(monitor.observe("2", &[1]).is_err());
        assert!(monitor.clone().concentration(3.0).is_err());
        let text = serde_json::to_string(&monitor).unwrap();
        let back: SequentialSampleRatio = serde_json::from_str(&text).unwrap();
        assert_eq!(back, monitor);
        assert!(back.to_string().contains("5,300") && back.figure().is_ok());
    }
}
