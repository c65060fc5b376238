//! What one replication of a Monte Carlo study found: estimates beside the truth.

use crate::inference::{Estimate, Interval, TestResult};
use serde::{Deserialize, Serialize};

/// One estimate of one replication. What does not exist is NaN.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Entry {
    pub name: String,
    pub truth: f64,
    pub estimate: f64,
    pub std_error: f64,
    pub lower: f64,
    pub upper: f64,
    pub p_value: f64,
}

impl Entry {
    /// The numbers in the order in which they are stored.
    pub(super) fn numbers(&self) -> [f64; NUMBERS] {
        [
            self.truth,
            self.estimate,
            self.std_error,
            self.lower,
            self.upper,
            self.p_value,
        ]
    }

    pub(super) fn from_numbers(name: &str, numbers: [f64; NUMBERS]) -> Self {
        let [truth, estimate, std_error, lower, upper, p_value] = numbers;
        Self {
            name: name.to_owned(),
            truth,
            estimate,
            std_error,
            lower,
            upper,
            p_value,
        }
    }
}

/// Numbers of an entry.
pub(super) const NUMBERS: usize = 6;

/// The findings of one replication: named estimates with their truth, as the closure of
/// [`MonteCarlo::run`](super::MonteCarlo::run) returns them.
///
/// A name may stand once. Different estimators of one parameter are different names, such as `"OLS"` and `"IV"`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Replication {
    pub(super) entries: Vec<Given>,
}

/// An entry before the level of the study is known.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Given {
    /// With an interval of the study's level.
    Estimate(String, Estimate, f64),
    /// As it is.
    Entry(Entry),
}

impl Replication {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// An estimate with its standard error: the interval is `estimate ± t·std_error` at the level of the study, the
    /// p-value that of the hypothesis zero.
    pub fn estimate(mut self, name: impl Into<String>, estimate: &Estimate, truth: f64) -> Self {
        self.entries
            .push(Given::Estimate(name.into(), estimate.clone(), truth));
        self
    }

    /// An estimate and a standard error as numbers, with normal intervals.
    pub fn normal(
        self,
        name: impl Into<String>,
        estimate: f64,
        std_error: f64,
        truth: f64,
    ) -> Self {
        let record = Estimate {
            name: String::new(),
            estimate,
            std_error,
            degrees_of_freedom: f64::INFINITY,
        };
        self.estimate(name, &record, truth)
    }

    /// A point estimate without a standard error: bias and RMSE only.
    pub fn point(self, name: impl Into<String>, estimate: f64, truth: f64) -> Self {
        let nan = f64::NAN;
        self.entry(&name.into(), [truth, estimate, nan, nan, nan, nan])
    }

    /// An estimate with an interval of its own (a bootstrap, a likelihood-ratio set …), which must be of the study's
    /// level.
    pub fn interval(
        self,
        name: impl Into<String>,
        estimate: f64,
        interval: &Interval,
        truth: f64,
    ) -> Self {
        let nan = f64::NAN;
        let numbers = [truth, estimate, nan, interval.lower, interval.upper, nan];
        self.entry(&name.into(), numbers)
    }

    /// A test of any hypothesis: its rejections are counted. They are its size where the hypothesis holds and its
    /// power where it does not, which `holds` says.
    pub fn test(self, name: impl Into<String>, test: &TestResult, holds: bool) -> Self {
        let nan = f64::NAN;
        // The truth of a test is the distance from its hypothesis: zero, or not.
        let truth = if holds { 0.0 } else { nan };
        self.entry(&name.into(), [truth, nan, nan, nan, nan, test.p_value])
    }

    fn entry(mut self, name: &str, numbers: [f64; NUMBERS]) -> Self {
        let entry = Entry::from_numbers(name, numbers);
        self.entries.push(Given::Entry(entry));
        self
    }
}
