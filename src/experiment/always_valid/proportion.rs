//! The confidence sequence of a proportion from counts.

use super::mixture::{check_probability, positive};
use super::track::{ConfidenceLook, Statement, Track, sequence, sided};
use crate::error::{Error, Result};
use crate::inference::Alternative;
use crate::numeric::optimize::brent_root;
use serde::{Deserialize, Serialize};

/// A confidence sequence of a proportion p, such as a conversion rate, from the counts of events and rows of batches. It inverts
/// [mixtures of Bernoulli alternatives](super::MixtureBoundary::bernoulli) on both sides, each at α/2 (or one at α): with N events in n rows
///
/// `{p : M_p(N − np, np(1−p)) < 2/α and M_{1−p}(np − N, np(1−p)) < 2/α}`.
///
/// The coverage holds exactly, at any n, whatever the rate: rows are independent, or have the same probability given those before. It is narrower than
/// what holds for all values in [0, 1] ([`MeanSequence::bounded`](super::MeanSequence::bounded)).
///
/// | name | default | meaning | range |
/// |---|---|---|---|
/// | `level` | 0.95 | confidence of the whole sequence | (0, 1), one-sided (½, 1) |
/// | `null` | ½ | value that the p-value tests | (0, 1) |
/// | `alternative` | two-sided | side of test and interval | |
///
/// # Errors
/// [`Error::InvalidOption`] for a plan that is not positive, more events than rows, a null value outside (0, 1), and options set after a look;
/// [`Error::NoRows`] without new rows.
///
/// # References
/// Robbins, H. (1970). Statistical methods related to the law of the iterated logarithm. *Annals of Mathematical Statistics* 41(5), 1397–1409.
/// doi:10.1214/aoms/1177696786; the truncated mixture is that of Howard, Ramdas, McAuliffe & Sekhon (2021), doi:10.1214/20-AOS1991
///
/// # Examples
/// ```
/// use cocreate::prelude::*;
/// let mut rate = ProportionSequence::new(10_000)?.null(0.04)?;
/// rate.observe("Monday", 230, 5_000)?;
/// rate.observe("Tuesday", 260, 5_000)?;
/// let set = rate.interval();
/// assert!(0.042 < set.lower && set.lower < 0.044 && 0.055 < set.upper && set.upper < 0.057);
/// assert!(rate.p_value() < 0.001);
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProportionSequence {
    track: Track,
    planned: f64,
    events: u64,
    rows: u64,
}

sequence!(ProportionSequence);
sided!(ProportionSequence);

impl ProportionSequence {
    /// Narrowest at this many rows.
    ///
    /// # Errors
    /// See [`ProportionSequence`].
    pub fn new(planned: u64) -> Result<Self> {
        positive("planned", planned as f64)?;
        let mut track = Track::new("proportion");
        track.null = 0.5;
        Ok(Self {
            track,
            planned: planned as f64,
            events: 0,
            rows: 0,
        })
    }

    /// Takes in the events and rows that came since the last look.
    ///
    /// # Errors
    /// See [`ProportionSequence`].
    pub fn observe(
        &mut self,
        label: impl Into<String>,
        events: u64,
        rows: u64,
    ) -> Result<ConfidenceLook> {
        self.track.check()?;
        check_probability(self.track.null)?;
        let label = label.into();
        if rows == 0 {
            return Err(Error::NoRows {
                reason: format!("look {label} brings no new rows; leave it out"),
            });
        }
        if events > rows {
            return Err(Error::invalid_option(
                "events",
                events,
                format!("at most the {rows} rows: count each row once"),
            ));
        }
        let total = self.rows.checked_add(rows).ok_or_else(|| {
            Error::invalid_option("rows", rows, "fewer: all rows together are beyond a count")
        })?;
        let before = (self.events, self.rows);
        (self.events, self.rows) = (self.events + events, total);
        match self.statement() {
            Ok(now) => Ok(self.track.record(label, now)),
            Err(error) => {
                (self.events, self.rows) = before;
                Err(error)
            }
        }
    }

    fn statement(&self) -> Result<Statement> {
        let (events, others, null) = (self.events, self.rows - self.events, self.track.null);
        Ok(Statement {
            rows: self.rows,
            estimate: events as f64 / self.rows as f64,
            lower: match self.track.alternative {
                Alternative::Less => 0.0,
                _ => self.lower(events)?,
            },
            upper: match self.track.alternative {
                Alternative::Greater => 1.0,
                _ => 1.0 - self.lower(others)?,
            },
            log_e_value: self.track.sided(
                self.evidence(events, null)?,
                self.evidence(others, 1.0 - null)?,
            ),
            p_value: None,
        })
    }

    /// Evidence that so many of the rows are too many for a rate of p.
    fn evidence(&self, events: u64, p: f64) -> Result<f64> {
        let n = self.rows as f64;
        let mixture = self.track.bernoulli_mixture(self.planned, p)?;
        Ok(mixture.log_value(events as f64 - n * p, n * p * (1.0 - p)))
    }

    /// The rate for which so many are just too many: the evidence falls from there to the observed rate.
    fn lower(&self, events: u64) -> Result<f64> {
        if events == 0 {
            return Ok(0.0);
        }
        let limit = -self.track.side_alpha().ln();
        let beyond = |p: f64| self.evidence(events, p).map_or(f64::NAN, |e| e - limit);
        let mut high = (events as f64 / self.rows as f64).min(1.0 - f64::EPSILON);
        while high > f64::MIN_POSITIVE {
            let low = high / 2.0;
            if beyond(low) > 0.0 {
                return Ok(brent_root(beyond, low, high, 0.0)?.point);
            }
            high = low;
        }
        Ok(0.0)
    }

    fn method(&self) -> String {
        format!(
            "Mixture of Bernoulli alternatives, planned for {} rows",
            self.planned
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_are_where_the_mixture_says() {
        let mut rate = ProportionSequence::new(1_000).unwrap();
        let look = rate.observe("", 37, 600).unwrap();
        for (p, side) in [(look.lower, 0), (look.upper, 1)] {
            let curve = [p, 1.0 - p].map(|p| rate.track.bernoulli_mixture(1_000.0, p).unwrap());
            let bound = curve[side];
            let v = 600.0 * p * (1.0 - p);
            let s = (37.0 - 600.0 * p).abs();
            assert!((bound.threshold(v, 0.025).unwrap() - s).abs() < 1e-8);
        }
        let mirrored = ProportionSequence::new(1_000)
            .unwrap()
            .observe("", 563, 600)
            .unwrap();
        assert!((mirrored.lower - (1.0 - look.upper)).abs() < 1e-12);
        assert!((mirrored.upper - (1.0 - look.lower)).abs() < 1e-12);
    }
}
