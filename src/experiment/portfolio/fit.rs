//! What a portfolio of tests says about its effects.

use super::EffectFamily;
use super::prior::EffectPrior;
use super::search::Found;
use crate::error::{Error, Result, Warning};
use crate::inference::Estimate;
use crate::numeric::blocks;
use crate::report::{Cell, CoefficientPlot, Figure, Table, shown};
use serde::{Deserialize, Serialize};

/// Tests below which intervals that take the distribution of effects as known are too short by more than a little.
const FEW: usize = 50;
/// Most tests in a figure or printed table.
const SHOWN: usize = 20;

/// One test after shrinkage.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ShrunkEffect {
    /// The test.
    pub name: String,
    /// The effect as measured.
    pub estimate: f64,
    /// Its standard error.
    pub std_error: f64,
    /// The posterior mean.
    pub mean: f64,
    /// The posterior standard deviation.
    pub deviation: f64,
    /// Lower end of the posterior interval, of equal tails.
    pub lower: f64,
    /// Upper end.
    pub upper: f64,
    /// P(effect > 0).
    pub probability_positive: f64,
    /// The local false sign rate: the smaller of P(effect ≥ 0) and P(effect ≤ 0).
    pub false_sign_rate: f64,
}

/// Which tests count as shipped.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Shipping {
    /// Those whose z statistic passed this value.
    Significant(f64),
    /// Those with a positive posterior mean.
    PosteriorPositive,
    /// Those with these names.
    Named(Vec<String>),
}

/// The effect of all shipped tests together, if effects add up.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CumulativeLift {
    /// How many were shipped.
    pub shipped: usize,
    /// The sum of the estimates as measured, biased by selection.
    pub measured: Estimate,
    /// The sum of posterior means; the standard error is the posterior one, given the distribution of effects.
    pub shrunk: Estimate,
    /// The first less the second: the winner's curse.
    pub winners_curse: f64,
}

impl CumulativeLift {
    /// Both sums.
    pub fn table(&self) -> Table {
        let mut table = Table::new(format!("{} shipped tests together", self.shipped))
            .columns(["", "Effect", "Std. error"])
            .note(format!(
                "Winner's curse: {}",
                Cell::significant(self.winners_curse, 4)
            ));
        for e in [&self.measured, &self.shrunk] {
            table = table.row([
                Cell::from(e.name.as_str()),
                Cell::significant(e.estimate, 4),
                Cell::significant(e.std_error, 3),
            ]);
        }
        table
    }
}

/// What [`Portfolio`](super::Portfolio) found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PortfolioFit {
    family: EffectFamily,
    prior: EffectPrior,
    parameters: Vec<(String, f64)>,
    log_likelihood: f64,
    effects: Vec<ShrunkEffect>,
    level: f64,
    warnings: Vec<Warning>,
}

impl PortfolioFit {
    pub(super) fn new(
        family: EffectFamily,
        found: Found,
        tests: &[Estimate],
        level: f64,
        mut warnings: Vec<Warning>,
    ) -> Result<Self> {
        let prior = found.prior;
        let tail = 0.5 * (1.0 - level);
        let effects: Result<Vec<ShrunkEffect>> = blocks::map(tests.len(), |i| {
            let test = &tests[i];
            let after = prior.updated(test.estimate, test.std_error);
            Ok(ShrunkEffect {
                name: test.name.clone(),
                estimate: test.estimate,
                std_error: test.std_error,
                mean: after.mean(),
                deviation: after.deviation(),
                lower: after.quantile(tail)?,
                upper: after.quantile(1.0 - tail)?,
                probability_positive: after.probability_above(0.0),
                false_sign_rate: after.false_sign_rate(),
            })
        })
        .into_iter()
        .collect();
        if tests.len() < FEW {
            warnings.push(Warning::Note {
                message: format!(
                    "{} tests say little about the distribution of effects, which intervals take as known: they are too short",
                    tests.len()
                ),
            });
        }
        if prior.deviation() <= 0.0 {
            warnings.push(Warning::Note {
                message: "the estimates vary no more than their standard errors: all effects are shrunk to one value".to_owned(),
            });
        }
        Ok(Self {
            family,
            prior,
            parameters: (found.parameters.into_iter())
                .map(|(name, value)| (name.to_owned(), value))
                .collect(),
            log_likelihood: found.log_likelihood,
            effects: effects?,
            level,
            warnings,
        })
    }

    /// The distribution of effects.
    pub fn prior(&self) -> &EffectPrior {
        &self.prior
    }

    /// Its parameters by name.
    pub fn parameters(&self) -> &[(String, f64)] {
        &self.parameters
    }

    /// A parameter by its name: `mean` and `standard deviation` of a normal; `centre`, `scale` and `degrees of freedom` of a Student's t; `share
    /// without effect` of adaptive shrinkage.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] with the names there are.
    pub fn parameter(&self, name: &str) -> Result<f64> {
        (self.parameters.iter().find(|(n, _)| n == name))
            .map(|(_, value)| *value)
            .ok_or_else(|| {
                let names: Vec<&str> = self.parameters.iter().map(|(n, _)| n.as_str()).collect();
                Error::invalid_option("parameter", name, format!("one of: {}", names.join(", ")))
            })
    }

    /// The log-likelihood of the estimates; families may be compared by it (a normal has two parameters, a Student's t three).
    pub fn log_likelihood(&self) -> f64 {
        self.log_likelihood
    }

    /// The tests in their order.
    pub fn effects(&self) -> &[ShrunkEffect] {
        &self.effects
    }

    /// What all shipped tests do together.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] when nothing was shipped, or for a name that no test has.
    pub fn cumulative_lift(&self, shipping: &Shipping) -> Result<CumulativeLift> {
        if let Shipping::Named(names) = shipping
            && let Some(unknown) = names
                .iter()
                .find(|n| self.effects.iter().all(|e| e.name != **n))
        {
            return Err(Error::invalid_option(
                "shipped",
                unknown,
                "the name of a test of the portfolio",
            ));
        }
        let shipped: Vec<&ShrunkEffect> = (self.effects.iter())
            .filter(|e| match shipping {
                Shipping::Significant(z) => e.estimate / e.std_error > *z,
                Shipping::PosteriorPositive => e.mean > 0.0,
                Shipping::Named(names) => names.contains(&e.name),
            })
            .collect();
        if shipped.is_empty() {
            return Err(Error::invalid_option("shipped", "no test", "at least one"));
        }
        let sum = |name: &str, value: fn(&ShrunkEffect) -> f64, error: fn(&ShrunkEffect) -> f64| {
            Estimate {
                name: name.to_owned(),
                estimate: shipped.iter().map(|e| value(e)).sum(),
                std_error: shipped.iter().map(|e| error(e).powi(2)).sum::<f64>().sqrt(),
                degrees_of_freedom: f64::INFINITY,
            }
        };
        let measured = sum("sum as measured", |e| e.estimate, |e| e.std_error);
        let shrunk = sum("sum after shrinkage", |e| e.mean, |e| e.deviation);
        Ok(CumulativeLift {
            shipped: shipped.len(),
            winners_curse: measured.estimate - shrunk.estimate,
            measured,
            shrunk,
        })
    }

    /// What a reader of the numbers must know.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// The tests with the largest posterior means.
    fn largest(&self) -> Vec<&ShrunkEffect> {
        let mut order: Vec<&ShrunkEffect> = self.effects.iter().collect();
        order.sort_by(|a, b| b.mean.total_cmp(&a.mean));
        order.truncate(SHOWN);
        order
    }

    /// The twenty tests with the largest posterior means, and the distribution of effects.
    pub fn table(&self) -> Table {
        let percent = format!("{} % from", self.level * 100.0);
        let mut table = Table::new(format!("Portfolio of {} tests", self.effects.len())).columns([
            "",
            "Measured",
            "Std. error",
            "Posterior mean",
            "Deviation",
            percent.as_str(),
            "to",
            "P(> 0)",
        ]);
        for e in self.largest() {
            let numbers = [
                e.estimate,
                e.std_error,
                e.mean,
                e.deviation,
                e.lower,
                e.upper,
            ];
            table = table.row(
                std::iter::once(Cell::from(e.name.as_str()))
                    .chain(numbers.map(|v| Cell::significant(v, 3)))
                    .chain([Cell::fixed(e.probability_positive, 3)]),
            );
        }
        let family = match self.family {
            EffectFamily::Normal => "normal",
            EffectFamily::StudentT => "Student's t",
            EffectFamily::AdaptiveShrinkage => "adaptive shrinkage",
        };
        let parameters: Vec<String> = (self.parameters.iter())
            .map(|(name, value)| format!("{name} {}", Cell::significant(*value, 4)))
            .collect();
        table = table.note(format!(
            "Effects: {family}, {}; log-likelihood {:.2}",
            parameters.join(", "),
            self.log_likelihood
        ));
        if self.effects.len() > SHOWN {
            table = table.note(format!("The {SHOWN} largest of {}", self.effects.len()));
        }
        for warning in &self.warnings {
            table = table.note(format!("Warning: {warning}"));
        }
        table
    }

    /// The twenty largest effects as measured and after shrinkage.
    ///
    /// # Errors
    /// Those of drawing.
    pub fn figure(&self) -> Result<Figure> {
        let mut plot = CoefficientPlot::new()
            .title("Effects as measured and after shrinkage")
            .x_title("Effect")
            .note(format!("Intervals at {} %", self.level * 100.0))
            .series("as measured");
        let largest = self.largest();
        for e in &largest {
            let plain = Estimate {
                name: e.name.clone(),
                estimate: e.estimate,
                std_error: e.std_error,
                degrees_of_freedom: f64::INFINITY,
            };
            let interval = plain.confidence_interval(self.level)?;
            plot = plot.point(e.name.as_str(), e.estimate, interval.lower, interval.upper);
        }
        plot = plot.series("after shrinkage");
        for e in &largest {
            plot = plot.point(e.name.as_str(), e.mean, e.lower, e.upper);
        }
        plot.draw()
    }
}

shown!(PortfolioFit, CumulativeLift);
