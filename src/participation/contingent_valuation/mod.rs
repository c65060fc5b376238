//! Contingent valuation: what people would pay, or what compensation they want, from yes and no to bids.

mod amount;
mod answers;
mod density;
mod fit;

pub use fit::{ContingentValuationFit, WtpIntervals, WtpMeasure};

use super::interval::LatentError;
use crate::data::{DesignColumn, Formula, Frame};
use crate::error::{Error, Result, Warning};
use crate::numeric::Progress;
use crate::regression::binary::check_binary;
use crate::regression::likelihood::{
    Estimation, Index, Likelihood, Options, maximize_unless, options_builder,
};
use crate::regression::sample::Sample;
use amount::Amount;
use answers::Answers;
use density::BidRows;
use serde::Serialize;
use std::sync::Arc;

/// What is refused in the formula.
const NO_EFFECTS: &str = "without fixed effects for contingent valuation";

/// Willingness to pay from answers to bids. The amount A exceeds a bid t with probability `F(x'δ + b t)` (b < 0), or `F(x'δ + b ln t)`
/// with [`ContingentValuation::log`]; so that A has mean `x'δ/(−b)` and scale `1/(−b)`, in levels or logarithms. One bid a person
/// is the single-bounded model; with a second bid that goes up after yes and down after no, the double-bounded one, whose
/// likelihood is that of the interval in which A must lie.
///
/// A spike at zero ([`ContingentValuation::spike`]) is for goods that some do not want at any price: a question whether the amount is positive at
/// all. In levels, A is zero with probability F(−x'δ), and means are those of max(A, 0) (Kriström 1997); in logarithms zero
/// has a probability Λ(s) of its own, with the parameter `spike`.
///
/// With [`ContingentValuation::compensation`] the bid is paid *to* the person, who takes it when it is no less than the cost: a model of
/// the cost of taking part, or of what people ask for their data, with a spike for those who give them for nothing. The index and the
/// coefficient of the bid are again those of `P(cost > t)`; the question of the spike is whether they ask for anything at all.
///
/// # Identification
/// Bids must be varied independently of x (randomised), and bracket the amount: if all answers are the same, or change all at once
/// between two bids, nothing is estimated; when the highest bid is accepted by more than half or the lowest by
/// less, a warning says that mean and median rest on the assumed distribution. What people say is what they would do only when the
/// question is incentive compatible. Second answers may be influenced by first bids; compare with the single-bounded model.
///
/// | name | default | meaning | range |
/// |---|---|---|---|
/// | `follow_up` | none | columns of second bid and second answer; missing where not asked | |
/// | `spike` | none | column: 1 if the amount is positive at all, 0 if it is zero, missing where not asked | |
/// | `error` | [`LatentError::Normal`] | F | |
/// | `log` | off | bids in logarithms | |
/// | `compensation` | off | bids are compensation | |
/// | `covariance` | `Covariance::Hc1` | sampling variance | all but HC2, HC3, CR2 |
/// | `weights`, `frequency_weights` | none | weights in the log-likelihood | ≥ 0 |
///
/// # Errors
/// [`Error::OutOfRange`] with the row for an answer other than 0 and 1, a bid that is not positive, a second bid that does not go the
/// way of the first answer, an amount of zero where a bid was accepted; [`Error::Unidentified`] for bids that do not vary, do not bracket the
/// amount or are a combination of the regressors; those of the formula and the covariance; [`Error::TooFewRows`], [`Error::NotConverged`], [`Error::Cancelled`].
///
/// # References
/// Cameron, T. A. (1988). A new paradigm for valuing non-market goods using referendum data. *JEEM* 15(3), 355–379.
/// doi:10.1016/0095-0696(88)90008-3
///
/// Hanemann, M., Loomis, J. & Kanninen, B. (1991). Statistical efficiency of double-bounded dichotomous choice contingent valuation.
/// *AJAE* 73(4), 1255–1263. doi:10.2307/1242453
///
/// Kriström, B. (1997). Spike models in contingent valuation. *AJAE* 79(3), 1013–1023. doi:10.2307/1244440
///
/// # Examples
/// ```
/// use cocreate::prelude::*;
/// // Would you pay `bid` for the configurator? Amounts are 10 + 4 u with u spread evenly over quantiles.
/// let bid: Vec<f64> = (0..400).map(|i| [4.0, 8.0, 12.0, 16.0][i % 4]).collect();
/// let yes: Vec<f64> = (0..400)
///     .map(|i| {
///         let u = (i / 4) as f64 / 100.0 + 0.005;
///         f64::from(u8::from(10.0 + 4.0 * (u / (1.0 - u)).ln() > bid[i]))
///     })
///     .collect();
/// let frame = Frame::new().with("bid", bid)?.with("yes", yes)?;
/// let fit = ContingentValuation::new("yes ~ 1", "bid").error(LatentError::Logistic).fit(&frame)?;
/// let mean = fit.mean()?;
/// assert!((mean.estimate - 10.0).abs() < 0.2);
/// let intervals = fit.intervals(WtpMeasure::Mean, 0.95, 7)?;
/// assert!(intervals.fieller.is_some_and(|set| set.contains(10.0) && set.is_bounded()));
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ContingentValuation {
    options: Options,
    bid: String,
    follow_up: Option<(String, String)>,
    spike: Option<String>,
    error: LatentError,
    log: bool,
    compensation: bool,
}

impl ContingentValuation {
    /// The model of a formula, whose outcome is the answer to the first bid, and the column of that bid.
    pub fn new(formula: impl Into<Formula>, bid: impl Into<String>) -> Self {
        Self {
            options: Options::new(formula.into()),
            bid: bid.into(),
            follow_up: None,
            spike: None,
            error: LatentError::Normal,
            log: false,
            compensation: false,
        }
    }

    /// The second question: columns of its bid and of its answer.
    pub fn follow_up(mut self, bid: impl Into<String>, answer: impl Into<String>) -> Self {
        self.follow_up = Some((bid.into(), answer.into()));
        self
    }

    /// The column that says whether the amount is positive at all.
    pub fn spike(mut self, column: impl Into<String>) -> Self {
        self.spike = Some(column.into());
        self
    }

    /// Sets the distribution.
    pub fn error(mut self, error: LatentError) -> Self {
        self.error = error;
        self
    }

    /// Takes logarithms of bids: the amount is log-normal or log-logistic.
    pub fn log(mut self) -> Self {
        self.log = true;
        self
    }

    /// Bids are paid to the person: the amount is the least compensation.
    pub fn compensation(mut self) -> Self {
        self.compensation = true;
        self
    }

    /// Fits the model.
    ///
    /// # Errors
    /// See [`ContingentValuation`].
    pub fn fit(&self, frame: &Frame) -> Result<ContingentValuationFit> {
        self.fit_with(frame, &Progress::none())
    }

    /// Fits the model, watched by `progress`.
    ///
    /// # Errors
    /// See [`ContingentValuation`].
    pub fn fit_with(&self, frame: &Frame, progress: &Progress) -> Result<ContingentValuationFit> {
        let mut sample = self
            .options
            .sample_with(frame, &[self.bid.as_str()], NO_EFFECTS)?;
        let rows = sample.design.rows.clone();
        let first = sample.design.outcome.values(&rows);
        if self.follow_up.is_none() {
            check_bracket(self, &first)?;
            check_binary(&sample.design.outcome, &rows)?;
        }
        refuse_other_answers(&sample.design.outcome.name, &first, |i| rows.index(i) + 1)?;
        let answers = Answers::read(self, &first, &rows, frame)?;
        check_randomised(self, &sample, frame)?;
        let index = self.options.index(frame, &mut sample)?;
        let amount = Amount {
            error: self.error,
            log: self.log,
            spike: self.spike.is_some(),
        };
        let bid = if self.log {
            format!("log({})", self.bid)
        } else {
            self.bid.clone()
        };
        let mut indices = vec![index, Index::parameter(&bid)];
        if amount.has_mass() {
            indices.push(Index::parameter("spike"));
        }
        let column = |name: &str, values: Vec<f64>| DesignColumn::new(name, Arc::new(values));
        let mut warnings = sample.warnings;
        warnings.extend(answers.warnings);
        let start = start(&indices, amount, &answers.lower, &answers.upper);
        let likelihood = Likelihood {
            model: Arc::new(BidRows { amount }),
            indices,
            outcomes: vec![
                column("lower", answers.lower),
                column("upper", answers.upper),
                column("zero", answers.zero),
            ],
            rows,
            weights: sample.weights.map(Arc::new),
            frequency: sample.frequency,
        };
        let parameters = likelihood.parameters();
        if likelihood.observations() <= parameters as f64 {
            return Err(Error::TooFewRows {
                rows: likelihood.observations() as usize,
                parameters,
            });
        }
        let what = "the likelihood of the answers to bids";
        let found = maximize_unless(&likelihood, start.clone(), what, |_| None, progress)?;
        let slope = likelihood
            .ranges()
            .get(1)
            .map(|range| found.point[range.start]);
        if slope.is_some_and(|b| b >= 0.0) {
            warnings.push(Warning::Note {
                message: format!(
                    "the coefficient of {bid} is not negative: higher bids are not refused more often, and no amount can be derived"
                ),
            });
        }
        let estimation = Estimation {
            title: match (self.follow_up.is_some(), self.compensation) {
                (false, false) => "Contingent valuation (single-bounded)",
                (true, false) => "Contingent valuation (double-bounded)",
                (false, true) => "Compensation (single-bounded)",
                (true, true) => "Compensation (double-bounded)",
            },
            formulas: vec![self.options.formula.clone()],
            formula: sample.parsed.to_string(),
            likelihood,
            start,
            warnings,
            covariance: &self.options.covariance,
            frame,
        };
        ContingentValuationFit::new(estimation.finish(found, None)?, amount, bid)
    }
}

options_builder!(ContingentValuation);

/// All answers of a single question the same.
fn check_bracket(model: &ContingentValuation, first: &[f64]) -> Result<()> {
    let all = |value: f64| first.iter().all(|y| (y - value).abs() <= 0.0);
    let answer = match (all(0.0), all(1.0)) {
        (true, _) => "no",
        (_, true) => "yes",
        _ => return Ok(()),
    };
    Err(Error::Unidentified {
        what: "the distribution of the amount".to_owned(),
        needs: format!(
            "bids that bracket it: every answer to `{}` is {answer}",
            model.bid
        ),
    })
}

/// Bids that are a combination of the regressors: their effect and that of the regressors are one.
fn check_randomised(model: &ContingentValuation, sample: &Sample, frame: &Frame) -> Result<()> {
    let bids = DesignColumn::new(&model.bid, Arc::clone(frame.numeric(&model.bid)?.values()));
    let mut columns = sample.design.exogenous.clone();
    columns.retain(|c| c.name != model.bid);
    let own = sample.design.exogenous.len() > columns.len();
    columns.push(bids);
    let mut found = Vec::new();
    let (rows, weights) = (&sample.design.rows, sample.weights.as_deref());
    Index::new("", &columns, true, rows, weights, &mut found);
    let spanned = found.iter().any(|w| match w {
        Warning::Collinear { columns } => columns.contains(&model.bid),
        _ => false,
    });
    if own || spanned {
        return Err(Error::Unidentified {
            what: format!("the effect of the bid `{}` apart from the regressors", model.bid),
            needs: "bids that vary independently of the regressors (randomised), and a formula without them: they are a combination of other regressors"
                .to_owned(),
        });
    }
    Ok(())
}

/// Answers are 0 or 1.
fn refuse_other_answers(column: &str, first: &[f64], row: impl Fn(usize) -> usize) -> Result<()> {
    let other = |y: &f64| y.abs() > 0.0 && (y - 1.0).abs() > 0.0;
    match first.iter().position(other) {
        Some(i) => Err(Error::OutOfRange {
            column: column.to_owned(),
            row: row(i),
            value: first[i],
            expected: "0 or 1 for the answer to a bid".to_owned(),
        }),
        None => Ok(()),
    }
}

/// A scale as wide as the finite ends, around their middle; slopes of zero.
fn start(indices: &[Index], amount: Amount, lower: &[f64], upper: &[f64]) -> Vec<f64> {
    let ends: Vec<f64> = lower
        .iter()
        .chain(upper)
        .copied()
        .filter(|e| e.is_finite())
        .collect();
    let n = ends.len().max(1) as f64;
    let mean = ends.iter().sum::<f64>() / n;
    let variance = ends.iter().map(|e| (e - mean).powi(2)).sum::<f64>() / n;
    let spread = if variance > 0.0 { variance.sqrt() } else { 1.0 };
    let mut start = vec![0.0; indices[0].parameters()];
    if indices[0].constant.is_some()
        && let Some(first) = start.first_mut()
    {
        *first = mean / spread;
    }
    start.push(-1.0 / spread);
    if amount.has_mass() {
        start.push(-1.0);
    }
    start
}
