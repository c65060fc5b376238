//! The fitted valuation: mean and median amounts, with delta, Krinsky–Robb and Fieller intervals.

use super::amount::Amount;
use crate::data::Frame;
use crate::error::{Error, Result};
use crate::inference::ratio::Pair;
use crate::inference::{ConfidenceSet, Estimate, Inference, Interval, KrinskyRobb, Segment};
use crate::numeric::Seed;
use crate::regression::LikelihoodFit;
use crate::regression::delegate::delegate_to_likelihood;
use crate::regression::likelihood::Order;
use crate::report::{Cell, Table};
use crate::summary::gram::TILE;
use nalgebra::DVector;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Which amount.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum WtpMeasure {
    /// The expected amount.
    Mean,
    /// The amount that half would pay.
    Median,
}

/// An amount with intervals of three kinds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WtpIntervals {
    /// The amount with its standard error by the delta method.
    pub estimate: Estimate,
    /// The symmetric interval of the delta method.
    pub delta: Interval,
    /// Percentiles over draws of the coefficients.
    pub krinsky_robb: Interval,
    /// Fieller's set, exact for a ratio of normal estimates also when the coefficient of the bid is near zero; none where the amount
    /// is not a (transformed) ratio.
    pub fieller: Option<ConfidenceSet>,
}

crate::report::notebook_line!(WtpIntervals);

impl fmt::Display for WtpIntervals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.estimate)?;
        writeln!(f, "delta method: {}", self.delta)?;
        write!(f, "Krinsky–Robb: {}", self.krinsky_robb)?;
        match &self.fieller {
            Some(set) => write!(f, "\nFieller: {set}"),
            None => Ok(()),
        }
    }
}

/// A fitted [`super::ContingentValuation`]. It answers the verbs of [`Inference`] for the coefficients of `P(amount > bid)`, and prints as a
/// table.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ContingentValuationFit {
    fit: LikelihoodFit,
    amount: Amount,
    bid: String,
    /// The regressors at their means, in the order of the coefficients of the index.
    means: Vec<f64>,
}

impl ContingentValuationFit {
    pub(super) fn new(fit: LikelihoodFit, amount: Amount, bid: String) -> Result<Self> {
        let means = mean_regressors(&fit)?;
        Ok(Self {
            fit,
            amount,
            bid,
            means,
        })
    }

    /// The mean amount at the means of the regressors, by the delta method.
    ///
    /// # Errors
    /// [`Error::Unidentified`] when the coefficient of the bid is not negative, or a log-logistic amount has no mean.
    pub fn mean(&self) -> Result<Estimate> {
        self.measure(WtpMeasure::Mean)
    }

    /// The median amount at the means of the regressors, by the delta method.
    ///
    /// # Errors
    /// [`Error::Unidentified`] when the coefficient of the bid is not negative.
    pub fn median(&self) -> Result<Estimate> {
        self.measure(WtpMeasure::Median)
    }

    /// An amount with intervals by the delta method, Krinsky and Robb's draws (10 000) and, where the amount is a ratio or its
    /// exponential, Fieller's theorem.
    ///
    /// # Errors
    /// Those of [`ContingentValuationFit::mean`]; [`Error::InvalidOption`] for a level outside (0, 1).
    pub fn intervals(
        &self,
        measure: WtpMeasure,
        level: f64,
        seed: impl Into<Seed>,
    ) -> Result<WtpIntervals> {
        let estimate = self.measure(measure)?;
        let names = self.names_used();
        let krinsky_robb = KrinskyRobb::new().seed(seed).interval(
            &self.fit,
            &estimate.name,
            &names,
            |b| self.at(measure, b),
            level,
        )?;
        Ok(WtpIntervals {
            delta: estimate.confidence_interval(level)?,
            krinsky_robb,
            fieller: self.fieller(measure, &estimate.name, level)?,
            estimate,
        })
    }

    /// The change of the (log) amount with each regressor, `−δ_j/b`, by the delta method.
    ///
    /// # Errors
    /// Those of [`Inference::nonlinear`].
    pub fn effects(&self) -> Result<Vec<Estimate>> {
        let names = self.index_names();
        names
            .iter()
            .map(|name| {
                self.fit
                    .nonlinear(name, &[name, self.bid.as_str()], |b| -b[0] / b[1])
            })
            .collect()
    }

    /// The share whose amount is zero, at the means of the regressors; none without a spike.
    ///
    /// # Errors
    /// Those of [`Inference::nonlinear`].
    pub fn zero_share(&self) -> Result<Option<Estimate>> {
        if !self.amount.spike {
            return Ok(None);
        }
        let share = self
            .fit
            .nonlinear("P(amount = 0)", &self.names_used(), |b| {
                self.amount.zero(&self.parameters(b))
            })?;
        Ok(Some(share))
    }

    /// The probability that the amount exceeds a bid, for the rows of a frame.
    ///
    /// # Errors
    /// Those of [`LikelihoodFit::predict`]; [`Error::InvalidOption`] for a bid that is not positive.
    pub fn exceeds(&self, frame: &Frame, bid: f64) -> Result<Vec<f64>> {
        self.fit
            .predict(frame, crate::regression::Quantity::Probability(bid))
    }

    /// The mean amount for the rows of a frame.
    ///
    /// # Errors
    /// Those of [`LikelihoodFit::predict`].
    pub fn predict(&self, frame: &Frame) -> Result<Vec<f64>> {
        self.fit.predict(frame, crate::regression::Quantity::Mean)
    }

    fn index_names(&self) -> &[String] {
        &self.fit.names()[..self.means.len()]
    }

    /// All coefficients: those of the index, of the bid, of the spike.
    fn names_used(&self) -> Vec<&str> {
        self.fit.names().iter().map(String::as_str).collect()
    }

    /// (z, b, s) from coefficients, at the means of the regressors.
    fn parameters(&self, b: &[f64]) -> Vec<f64> {
        let (index, rest) = b.split_at(self.means.len());
        let z: f64 = index.iter().zip(&self.means).map(|(b, m)| b * m).sum();
        std::iter::once(z).chain(rest.iter().copied()).collect()
    }

    fn at(&self, measure: WtpMeasure, b: &[f64]) -> f64 {
        let p = self.parameters(b);
        match measure {
            WtpMeasure::Mean => self.amount.mean(&p),
            WtpMeasure::Median => self.amount.median(&p),
        }
    }

    fn measure(&self, measure: WtpMeasure) -> Result<Estimate> {
        let name = match measure {
            WtpMeasure::Mean => "mean amount",
            WtpMeasure::Median => "median amount",
        };
        if self.fit.coefficient(&self.bid)?.estimate >= 0.0 {
            return Err(Error::Unidentified {
                what: format!("the {name}"),
                needs: "a negative coefficient of the bid: higher bids must be refused more often"
                    .to_owned(),
            });
        }
        let b: Vec<f64> = self.fit.estimates().iter().copied().collect();
        if !self.at(measure, &b).is_finite() {
            return Err(Error::Unidentified {
                what: format!("the {name}"),
                needs: "a log-logistic tail thin enough for a mean (a coefficient of the log bid below −1); report the median"
                    .to_owned(),
            });
        }
        self.fit
            .nonlinear(name, &self.names_used(), |b| self.at(measure, b))
    }

    /// Fieller's set for z/(−b), mapped to the amount.
    fn fieller(
        &self,
        measure: WtpMeasure,
        name: &str,
        level: f64,
    ) -> Result<Option<ConfidenceSet>> {
        let is_ratio = !self.amount.spike && (measure == WtpMeasure::Median || !self.amount.log);
        if !is_ratio {
            return Ok(None);
        }
        let k = self.fit.names().len();
        let mut z = DVector::zeros(k);
        for (j, mean) in self.means.iter().enumerate() {
            z[j] = *mean;
        }
        let mut against = DVector::zeros(k);
        against[self.means.len()] = -1.0;
        let mut set = Pair::new(&self.fit, &z, &against).fieller(name, level)?;
        if self.amount.log {
            for Segment { lower, upper } in &mut set.segments {
                (*lower, *upper) = (lower.exp(), upper.exp());
            }
        }
        Ok(Some(set))
    }

    /// What stands below the table of coefficients.
    fn dress(&self, mut table: Table) -> Table {
        for estimate in [self.mean(), self.median()].into_iter().flatten() {
            table = table.note(format!("At the means of the regressors, {estimate}"));
        }
        if let Ok(Some(share)) = self.zero_share() {
            table = table.note(share.to_string());
        }
        table
    }

    fn more_footer(&self) -> Vec<(String, Cell)> {
        let mean = self.mean().ok();
        mean.map(|m| ("Mean amount".to_owned(), Cell::significant(m.estimate, 5)))
            .into_iter()
            .collect()
    }
}

/// Weighted means of the first index's regressors over the rows of the fit, in the units of the coefficients.
fn mean_regressors(fit: &LikelihoodFit) -> Result<Vec<f64>> {
    let rows = fit.at_maximum("the means of the regressors")?;
    let likelihood = &rows.likelihood;
    let count = likelihood.indices[0].parameters();
    let mut sums = vec![0.0; count];
    let mut work = likelihood.workspace();
    for range in crate::numeric::blocks::ranges(likelihood.rows.len(), TILE) {
        likelihood.fill(range.clone(), &rows.point, Order::Value, &mut work);
        for (j, sum) in sums.iter_mut().enumerate() {
            let column = &work.tile.column(j)[..range.len()];
            *sum += match &likelihood.weights {
                Some(w) => column
                    .iter()
                    .zip(&w[range.clone()])
                    .map(|(x, w)| x * w)
                    .sum(),
                None => column.iter().sum::<f64>(),
            };
        }
    }
    let total = likelihood.total_weight();
    // Means of working regressors m̃ become those of coefficients by the inverse map: m̃'θ = m̃' M⁻¹ β.
    let mut working = DVector::zeros(likelihood.parameters());
    for (j, sum) in sums.iter().enumerate() {
        working[j] = sum / total;
    }
    let means = likelihood.inverse_map().transpose() * working;
    Ok(means.iter().take(count).copied().collect())
}

delegate_to_likelihood!(ContingentValuationFit);
