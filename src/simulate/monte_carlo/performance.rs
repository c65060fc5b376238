//! Performance measures of an estimator, each with its Monte Carlo error.

use super::replication::Entry;
use serde::{Deserialize, Serialize};

/// How one quantity was estimated over the replications. What cannot be computed (an estimator without standard
/// errors, for one) is NaN.
///
/// With errors e_r = estimate_r − truth_r over n replications (Morris, White & Crowther 2019, table 6):
/// bias ē with error s_e/√n; RMSE √(Σe²/n) with error √(Var(e²)/n)/(2 RMSE); a share c (coverage, rejection) with error
/// √(c(1 − c)/n); the standard deviation s with error s/√(2(n − 1)).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Performance {
    /// What is estimated.
    pub name: String,
    /// Replications that have it.
    pub replications: usize,
    /// Mean of the true values, which may differ from replication to replication.
    #[serde(deserialize_with = "crate::numeric::infinite::undetermined")]
    pub truth: f64,
    /// Mean estimate.
    #[serde(deserialize_with = "crate::numeric::infinite::undetermined")]
    pub mean: f64,
    /// Mean error.
    #[serde(deserialize_with = "crate::numeric::infinite::undetermined")]
    pub bias: f64,
    /// Monte Carlo error of the bias.
    #[serde(deserialize_with = "crate::numeric::infinite::undetermined")]
    pub bias_error: f64,
    /// Standard deviation of the errors: the true standard error.
    #[serde(deserialize_with = "crate::numeric::infinite::undetermined")]
    pub deviation: f64,
    /// Monte Carlo error of the standard deviation.
    #[serde(deserialize_with = "crate::numeric::infinite::undetermined")]
    pub deviation_error: f64,
    /// Root mean square of the estimated standard errors.
    #[serde(deserialize_with = "crate::numeric::infinite::undetermined")]
    pub std_error: f64,
    /// Root mean square error.
    #[serde(deserialize_with = "crate::numeric::infinite::undetermined")]
    pub rmse: f64,
    /// Monte Carlo error of the RMSE.
    #[serde(deserialize_with = "crate::numeric::infinite::undetermined")]
    pub rmse_error: f64,
    /// Share of intervals that hold the truth.
    #[serde(deserialize_with = "crate::numeric::infinite::undetermined")]
    pub coverage: f64,
    /// Monte Carlo error of the coverage.
    #[serde(deserialize_with = "crate::numeric::infinite::undetermined")]
    pub coverage_error: f64,
    /// Share of replications whose p-value is below one minus the level.
    #[serde(deserialize_with = "crate::numeric::infinite::undetermined")]
    pub rejection: f64,
    /// Monte Carlo error of the rejection share.
    #[serde(deserialize_with = "crate::numeric::infinite::undetermined")]
    pub rejection_error: f64,
    /// Whether the hypothesis that is tested (zero, unless the caller says otherwise) is true, so that `rejection` is the
    /// size of the test; otherwise it is its power.
    pub null_holds: bool,
}

impl Performance {
    /// Size of the test, when its hypothesis is true.
    pub fn size(&self) -> Option<f64> {
        (self.null_holds && !self.rejection.is_nan()).then_some(self.rejection)
    }

    /// Power of the test, when its hypothesis is false.
    pub fn power(&self) -> Option<f64> {
        (!self.null_holds && !self.rejection.is_nan()).then_some(self.rejection)
    }

    /// Bias in standard deviations of the estimator: below a tenth it hardly moves the coverage.
    pub fn standardized_bias(&self) -> f64 {
        self.bias / self.deviation
    }

    /// Whether the coverage is within `errors` Monte Carlo errors of `level`, the errors being those of a true
    /// coverage of that level.
    pub fn covers(&self, level: f64, errors: f64) -> bool {
        let error = (level * (1.0 - level) / self.replications as f64).sqrt();
        (self.coverage - level).abs() <= errors * error
    }

    /// A measure with its Monte Carlo error.
    pub(super) fn measure(&self, measure: Measure, level: f64) -> (f64, f64) {
        match measure {
            Measure::Bias => (self.bias, self.bias_error),
            Measure::StandardizedBias => {
                (self.bias / self.deviation, self.bias_error / self.deviation)
            }
            Measure::Rmse => (self.rmse, self.rmse_error),
            Measure::Coverage => (self.coverage - level, self.coverage_error),
            Measure::Rejection => (self.rejection, self.rejection_error),
        }
    }
}

/// What a dot plot shows.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Measure {
    /// Mean error.
    Bias,
    /// Mean error in standard deviations of the estimator, which makes quantities of different units comparable.
    StandardizedBias,
    /// Root mean square error.
    Rmse,
    /// Coverage less the confidence level.
    Coverage,
    /// Share of rejections: size or power.
    Rejection,
}

impl Measure {
    /// What stands on the axis.
    pub(super) fn label(self) -> &'static str {
        match self {
            Self::Bias => "Bias",
            Self::StandardizedBias => "Bias in standard deviations",
            Self::Rmse => "Root mean square error",
            Self::Coverage => "Coverage less the confidence level",
            Self::Rejection => "Share of rejections",
        }
    }
}

/// Mean, standard deviation (n − 1) and number of the values that are numbers.
fn moments(values: impl Iterator<Item = f64> + Clone) -> (f64, f64, f64) {
    let finite = values.filter(|v| !v.is_nan());
    let n = finite.clone().count() as f64;
    let mean = finite.clone().sum::<f64>() / n;
    let squares: f64 = finite.map(|v| (v - mean).powi(2)).sum();
    (mean, (squares / (n - 1.0)).sqrt(), n)
}

/// The share of true values with its error.
fn share(values: impl Iterator<Item = bool>) -> (f64, f64) {
    let (mut yes, mut n) = (0.0, 0.0);
    for value in values {
        yes += f64::from(u8::from(value));
        n += 1.0;
    }
    let c = yes / n;
    (c, (c * (1.0 - c) / n).sqrt())
}

/// The measures of one quantity.
pub(super) fn performance(name: &str, entries: &[&Entry], level: f64) -> Performance {
    let errors = entries.iter().map(|e| e.estimate - e.truth);
    let (bias, deviation, n) = moments(errors.clone());
    let (mean_square, square_deviation, _) = moments(errors.map(|e| e * e));
    let rmse = mean_square.sqrt();
    let (variance, _, _) = moments(entries.iter().map(|e| e.std_error * e.std_error));
    let with_interval = entries
        .iter()
        .filter(|e| !e.lower.is_nan() && !e.upper.is_nan());
    let (coverage, coverage_error) =
        share(with_interval.map(|e| e.lower <= e.truth && e.truth <= e.upper));
    let tested = entries.iter().filter(|e| !e.p_value.is_nan());
    let (rejection, rejection_error) = share(tested.map(|e| e.p_value < 1.0 - level));
    Performance {
        name: name.to_owned(),
        replications: entries.len(),
        truth: moments(entries.iter().map(|e| e.truth)).0,
        mean: moments(entries.iter().map(|e| e.estimate)).0,
        bias,
        bias_error: deviation / n.sqrt(),
        deviation,
        deviation_error: deviation / (2.0 * (n - 1.0)).sqrt(),
        std_error: variance.sqrt(),
        rmse,
        rmse_error: square_deviation / n.sqrt() / (2.0 * rmse),
        coverage,
        coverage_error,
        rejection,
        rejection_error,
        null_holds: entries.iter().all(|e| e.truth.abs() <= 0.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn measures_follow_their_formulas() {
        let entry = |estimate: f64, p_value: f64| {
            Entry::from_numbers(
                "x",
                [1.0, estimate, 0.5, estimate - 1.0, estimate + 1.0, p_value],
            )
        };
        let all = [
            entry(1.5, 0.01),
            entry(0.5, 0.2),
            entry(2.5, 0.001),
            entry(1.5, 0.04),
        ];
        let p = performance("x", &all.iter().collect::<Vec<_>>(), 0.95);
        // errors .5, −.5, 1.5, .5: mean .5, squares .25, .25, 2.25, .25
        assert_eq!((p.bias, p.mean, p.truth), (0.5, 1.5, 1.0));
        let s = (2.0_f64 / 3.0).sqrt();
        assert!((p.deviation - s).abs() < 1e-15);
        assert!((p.bias_error - s / 2.0).abs() < 1e-15);
        assert!((p.rmse - 0.75_f64.sqrt()).abs() < 1e-15);
        // Var(e²) = (3·.25 + 2.25)/3 = 1 about the mean of .75
        assert!((p.rmse_error - 0.5 / (2.0 * 0.75_f64.sqrt())).abs() < 1e-15);
        assert_eq!((p.coverage, p.rejection), (0.75, 0.75));
        assert!((p.coverage_error - (0.75_f64 * 0.25 / 4.0).sqrt()).abs() < 1e-15);
        assert_eq!((p.power(), p.size()), (Some(0.75), None));
        assert!(p.covers(0.95, 3.0) && !p.covers(0.95, 1.0));
    }
}
