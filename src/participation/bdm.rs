//! Costs stated in a Becker–DeGroot–Marschak mechanism.

use super::interval::{IntervalRows, LatentError, MeanOf};
use super::stated::{Stated, StatedFit, estimate};
use crate::data::{Formula, Frame, Rows};
use crate::error::{Error, Result, Warning};
use crate::numeric::Progress;
use crate::regression::likelihood::{Options, options_builder};
use serde::Serialize;

/// Amounts stated in the mechanism of Becker, DeGroot and Marschak: each person states the least compensation for taking part (or the most
/// they would pay), a price is drawn at random, and the task is done at that price when it is acceptable. Stating the true amount is
/// then optimal. The amount, or its logarithm with [`Bdm::log`], is `x'β + σε` with normal ε, by maximum likelihood.
///
/// An amount at an end of the range of prices is censored: whoever states the highest price has a cost of that or more. With
/// [`Bdm::rounding`] an amount stands for the interval of half a step around it.
///
/// # Identification
/// Amounts are what they seem when people understand the mechanism and care for money as expected utility has it; β and σ rest on
/// normality as far as amounts are censored. The parameter `ln_sigma` is ln σ.
///
/// | name | default | meaning | range |
/// |---|---|---|---|
/// | `range` | unlimited | lowest and highest price that could be drawn | low < high |
/// | `rounding` | none | step to which amounts are rounded | > 0 |
/// | `log` | off | the logarithm of the amount is normal | amounts > 0 |
/// | `covariance` | `Covariance::Hc1` | sampling variance | all but HC2, HC3, CR2 |
/// | `weights`, `frequency_weights` | none | weights in the log-likelihood | ≥ 0 |
///
/// # Errors
/// [`Error::OutOfRange`] for amounts outside the range (or not positive, with logarithms); [`Error::Unidentified`] when all are censored or all
/// are equal; [`Error::InvalidOption`] for the range and the step; those of the formula and the covariance.
///
/// # References
/// Becker, G. M., DeGroot, M. H. & Marschak, J. (1964). Measuring utility by a single-response sequential method. *Behavioral Science* 9(3),
/// 226–232. doi:10.1002/bs.3830090304
///
/// # Examples
/// ```
/// use cocreate::prelude::*;
/// let cost: Vec<f64> = (0..200).map(|i| (3.0 + (i % 2) as f64 + ((i * 37) % 101) as f64 / 50.0).min(5.0)).collect();
/// let tool: Vec<f64> = (0..200).map(|i| 1.0 - (i % 2) as f64).collect();
/// let frame = Frame::new().with("cost", cost)?.with("tool", tool)?;
/// let fit = Bdm::new("cost ~ tool").range(0.0, 5.0).fit(&frame)?;
/// assert!((fit.coefficient("tool")?.estimate + 1.0).abs() < 0.1); // the tool saves one
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Bdm {
    options: Options,
    range: [f64; 2],
    rounding: Option<f64>,
    log: bool,
}

impl Bdm {
    /// The model of a formula whose outcome is the stated amount.
    pub fn new(formula: impl Into<Formula>) -> Self {
        Self {
            options: Options::new(formula.into()),
            range: [f64::NEG_INFINITY, f64::INFINITY],
            rounding: None,
            log: false,
        }
    }

    /// The lowest and the highest price that could be drawn.
    pub fn range(mut self, low: f64, high: f64) -> Self {
        self.range = [low, high];
        self
    }

    /// The step to which amounts are rounded.
    pub fn rounding(mut self, step: f64) -> Self {
        self.rounding = Some(step);
        self
    }

    /// Takes logarithms of amounts.
    pub fn log(mut self) -> Self {
        self.log = true;
        self
    }

    /// Fits the model.
    ///
    /// # Errors
    /// See [`Bdm`].
    pub fn fit(&self, frame: &Frame) -> Result<StatedFit> {
        self.fit_with(frame, &Progress::none())
    }

    /// Fits the model, watched by `progress`.
    ///
    /// # Errors
    /// See [`Bdm`].
    pub fn fit_with(&self, frame: &Frame, progress: &Progress) -> Result<StatedFit> {
        let [low, high] = self.range;
        if low.is_nan() || high.is_nan() || low >= high {
            return Err(Error::invalid_option(
                "range",
                format!("{low} to {high}"),
                "a lower end below the upper one",
            ));
        }
        if let Some(step) = self.rounding
            && !(step > 0.0 && step.is_finite())
        {
            return Err(Error::invalid_option("rounding", step, "above zero"));
        }
        let mean = if self.log {
            MeanOf::Exponential
        } else {
            MeanOf::Latent
        };
        let model = IntervalRows {
            error: LatentError::Normal,
            mean,
        };
        let ends = |amounts: &[f64], rows: &Rows, column: &str| self.ends(amounts, rows, column);
        estimate(
            &self.options,
            "Stated amounts (BDM)",
            model,
            &[],
            ends,
            frame,
            progress,
        )
    }

    /// The interval of each stated amount.
    fn ends(&self, amounts: &[f64], rows: &Rows, column: &str) -> Result<Stated> {
        let [low, high] = self.range;
        let mut stated = Stated::default();
        let mut censored = 0;
        for (i, y) in amounts.iter().enumerate() {
            let outside = *y < low || *y > high || (self.log && *y <= 0.0);
            if outside {
                return Err(Error::OutOfRange {
                    column: column.to_owned(),
                    row: rows.index(i) + 1,
                    value: *y,
                    expected: format!(
                        "between the lowest and the highest price, {low} and {high}{}",
                        if self.log { ", and positive" } else { "" }
                    ),
                });
            }
            let half = self.rounding.map_or(0.0, |step| 0.5 * step);
            let (at_low, at_high) = (*y <= low, *y >= high);
            let below = if at_low { f64::NEG_INFINITY } else { y - half };
            let above = if at_high { f64::INFINITY } else { y + half };
            // At an end of the range the amount lies there or beyond, but for rounding.
            let below = if at_high { y - half } else { below };
            let above = if at_low { y + half } else { above };
            censored += usize::from(at_low || at_high);
            let scale = |end: f64| match self.log {
                true if end <= 0.0 => f64::NEG_INFINITY,
                true => end.ln(),
                false => end,
            };
            stated.push(scale(below), scale(above));
        }
        if censored == amounts.len() {
            return Err(Error::Unidentified {
                what: format!("the distribution of `{column}`"),
                needs: "amounts inside the range of prices, and all are at its ends".to_owned(),
            });
        }
        if low.is_infinite() && high.is_infinite() {
            stated.warnings.extend(heaped(amounts, column));
        }
        if 2 * censored > amounts.len() {
            stated.warnings.push(Warning::Note {
                message: format!(
                    "{censored} of {} amounts are at an end of the range of prices: the results rest on normality",
                    amounts.len()
                ),
            });
        }
        Ok(stated)
    }
}

options_builder!(Bdm);

/// Many amounts at the highest or the lowest one, although no range was given: a limit of prices, perhaps, at which amounts are censored.
fn heaped(amounts: &[f64], column: &str) -> Option<Warning> {
    /// Of that many amounts at an end, few are there by chance.
    const TENTH: usize = 10;
    let ends = [
        (
            "highest",
            amounts.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        ),
        (
            "lowest",
            amounts.iter().copied().fold(f64::INFINITY, f64::min),
        ),
    ];
    let (end, value, count) = ends
        .map(|(name, end)| {
            (
                name,
                end,
                amounts.iter().filter(|y| (*y - end).abs() <= 0.0).count(),
            )
        })
        .into_iter()
        .max_by_key(|(_, _, count)| *count)?;
    (TENTH * count >= amounts.len()).then(|| Warning::Note {
        message: format!(
            "{count} of {} amounts `{column}` are {value}, the {end} of all: if no price beyond could be drawn they are censored there (Bdm::range)",
            amounts.len()
        ),
    })
}
