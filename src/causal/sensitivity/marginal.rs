//! The marginal sensitivity model: propensities that may be wrong by a factor.

use super::percent_of;
use crate::causal::Estimand;
use crate::data::{Design, Formula, Frame};
use crate::error::{Error, Result, Warning};
use crate::inference::{Bootstrap, Interval, Method, check_level};
use crate::numeric::{Progress, Seed};
use crate::regression::{Logit, Quantity, least_check_loss};
use crate::report::{Cell, Figure, LinePlot, Table};
use serde::{Deserialize, Serialize};

/// Bounds of an effect by inverse propensities when an unobserved confounder may change everybody's odds of treatment by a factor between 1/Λ and Λ:
///
/// `1/Λ ≤ [e(x)/(1 − e(x))] / [e(x, y)/(1 − e(x, y))] ≤ Λ`,
///
/// with `e(x)` by maximum likelihood of a logit and `e(x, y)` the propensity given the potential outcome too. The mean outcome under treatment is at most
///
/// `max_z Σ_treated Y (1 + z/o) / Σ_treated (1 + z/o)`, `o = e/(1 − e)`, `z ∈ [1/Λ, Λ]`,
///
/// a linear fractional programme whose solution gives Λ to outcomes above a cut and 1/Λ below. Intervals go from a low percentile of the bootstrapped lower bounds to a high percentile of the upper ones; they hold every effect within
/// the model with at least the level, estimation of the propensities included.
///
/// These bounds use less than the model says and may be wide: true weights balance the covariates, those of the worst case need not. With [`MarginalSensitivity::sharp`] the worst case is sought among weights for which
///
/// `Σ_treated z h(x)/o = Σ_treated h(x)/o`, h the constant and the terms of the propensity's logit.
///
/// The programme is linear; its solution gives Λ to outcomes above the quantile `Λ/(1 + Λ)` given h and 1/Λ to those below (quantile balancing, Dorn & Guo 2023), so that the bound is the Hájek mean and `(Λ² − 1)/Λ` times the mean check loss of the
/// quantile regression weighted by 1/o. These bounds lie within the others; they are the sharp ones when that quantile is linear in the terms, and valid when it is not. They cost four quantile regressions a draw and Λ.
///
/// Λ = 1 is the Hájek estimate.
///
/// | name | default | meaning | range |
/// |---|---|---|---|
/// | `lambda` | 1, 1.25, 1.5, 2, 3 | values of Λ | ≥ 1 |
/// | `estimand` | [`Estimand::Ate`] | whose effect | not the overlap |
/// | `sharp` | off | quantile balancing | |
/// | `draws` | 999 | of the bootstrap | ≥ 2 |
/// | `level` | 0.95 | of intervals | (0, 1) |
/// | `clusters` | none | column of clusters, drawn whole | |
/// | `seed` | none | required | any |
///
/// # Errors
/// [`Error::SeedRequired`]; [`Error::InvalidOption`] for a Λ below 1 or none, the overlap as estimand; [`Error::Separated`] when covariates decide the treatment; those of [`Logit`] (a treatment other than 0 and 1 among them) and
/// of [`Bootstrap`].
///
/// # References
/// - Zhao, Q., Small, D. S. & Bhattacharya, B. B. (2019). Sensitivity analysis for inverse probability weighting estimators via the percentile bootstrap. *Journal of the Royal Statistical Society B* 81(4), 735–761. doi:10.1111/rssb.12327
/// - Dorn, J. & Guo, K. (2023). Sharp sensitivity analysis for inverse propensity weighting via quantile balancing. *Journal of the American Statistical Association* 118(544), 2645–2657. doi:10.1080/01621459.2022.2069572
///
/// # Examples
/// ```
/// use cocreate::prelude::*;
/// let fit = MarginalSensitivity::new("re78", "treat", "age + educ + re75")
///     .lambda(&[1.0, 1.2, 2.0])
///     .draws(199)
///     .seed(7)
///     .fit(&datasets::load("nsw")?)?;
/// let rows = fit.rows();
/// assert!(rows[0].upper - rows[0].lower < 1e-9 && rows[0].interval.lower > 0.0);
/// assert!(rows[2].lower < 0.0 && fit.tipping_point() < 2.0);
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MarginalSensitivity {
    outcome: String,
    treatment: String,
    terms: String,
    lambda: Vec<f64>,
    estimand: Estimand,
    #[serde(default)]
    sharp: bool,
    draws: usize,
    level: f64,
    clusters: Option<String>,
    seed: Option<Seed>,
}

/// What [`MarginalSensitivity`] found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MarginalSensitivityFit {
    model: MarginalSensitivity,
    rows: Vec<MarginalBounds>,
    #[serde(deserialize_with = "crate::numeric::infinite::above")]
    tipping_point: f64,
    failed: usize,
    warnings: Vec<Warning>,
}

/// The bounds for one Λ.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MarginalBounds {
    /// Λ.
    pub lambda: f64,
    /// The lower bound.
    pub lower: f64,
    /// The upper bound.
    pub upper: f64,
    /// The interval for the effect.
    pub interval: Interval,
}

/// An arm.
#[derive(Default)]
struct Arm {
    /// Outcomes in ascending order with the weight that is certain and the weight that is times z.
    rows: Vec<(f64, f64, f64)>,
    /// What the weights balance, in the order of the rows; empty when they need not.
    columns: Vec<Vec<f64>>,
}

impl MarginalSensitivity {
    /// The effect of a treatment of 0 and 1 on an outcome, with the terms of the propensity's logit.
    pub fn new(
        outcome: impl Into<String>,
        treatment: impl Into<String>,
        terms: impl Into<String>,
    ) -> Self {
        Self {
            outcome: outcome.into(),
            treatment: treatment.into(),
            terms: terms.into(),
            lambda: vec![1.0, 1.25, 1.5, 2.0, 3.0],
            estimand: Estimand::Ate,
            sharp: false,
            draws: 999,
            level: 0.95,
            clusters: None,
            seed: None,
        }
    }

    /// The values of Λ.
    pub fn lambda(mut self, lambda: &[f64]) -> Self {
        self.lambda = lambda.to_vec();
        self
    }

    /// Whose effect.
    pub fn estimand(mut self, estimand: Estimand) -> Self {
        self.estimand = estimand;
        self
    }

    /// Asks for the bounds by quantile balancing instead of those that let weights balance nothing.
    pub fn sharp(mut self) -> Self {
        self.sharp = true;
        self
    }

    /// Draws of the bootstrap.
    pub fn draws(mut self, draws: usize) -> Self {
        self.draws = draws;
        self
    }

    /// The level of intervals.
    pub fn level(mut self, level: f64) -> Self {
        self.level = level;
        self
    }

    /// A column of clusters, which are drawn whole.
    pub fn clusters(mut self, column: impl Into<String>) -> Self {
        self.clusters = Some(column.into());
        self
    }

    /// The seed.
    pub fn seed(mut self, seed: impl Into<Seed>) -> Self {
        self.seed = Some(seed.into());
        self
    }

    /// Bounds and their intervals.
    ///
    /// # Errors
    /// See [`MarginalSensitivity`].
    pub fn fit(&self, frame: &Frame) -> Result<MarginalSensitivityFit> {
        self.fit_with(frame, &Progress::none())
    }

    /// Bounds and their intervals, watched.
    ///
    /// # Errors
    /// See [`MarginalSensitivity`].
    pub fn fit_with(&self, frame: &Frame, progress: &Progress) -> Result<MarginalSensitivityFit> {
        check_level(self.level)?;
        let wrong = self.lambda.iter().find(|l| !(**l >= 1.0 && l.is_finite()));
        if self.lambda.is_empty() || wrong.is_some() {
            return Err(Error::invalid_option(
                "lambda",
                wrong.map_or("empty".to_owned(), f64::to_string),
                "one or more finite values of at least 1",
            ));
        }
        if self.estimand == Estimand::Ato {
            return Err(Error::invalid_option(
                "estimand",
                "Ato",
                "Ate, Att or Atc: bounds in the overlap are not known",
            ));
        }
        let seed = self.seed.ok_or_else(|| Error::SeedRequired {
            what: "the percentile bootstrap of the marginal sensitivity model".to_owned(),
        })?;
        let (arms, mut warnings) = self.arms(frame)?;
        let bootstrap = match &self.clusters {
            Some(column) => Bootstrap::cluster(column),
            None => Bootstrap::pairs(),
        };
        let names: Vec<String> = (self.lambda.iter())
            .flat_map(|l| [format!("lower at {l}"), format!("upper at {l}")])
            .collect();
        let drawn = bootstrap
            .draws(self.draws)
            .seed(seed.child("marginal sensitivity"))
            .names(names)
            .run_with(frame, progress, |resample| {
                let (arms, _) = self.arms(resample.frame()?)?;
                let each = self.lambda.iter().map(|l| effect(&arms, *l));
                Ok(each.collect::<Result<Vec<_>>>()?.concat())
            })?;
        let limits = drawn.confidence_interval_by(Method::Percentile, self.level)?;
        let rows = (self.lambda.iter().enumerate())
            .map(|(k, lambda)| {
                let [lower, upper] = effect(&arms, *lambda)?;
                Ok(MarginalBounds {
                    lambda: *lambda,
                    lower,
                    upper,
                    interval: Interval {
                        name: format!("{} of {}", self.estimand, self.treatment),
                        level: self.level,
                        lower: limits[2 * k].lower,
                        upper: limits[2 * k + 1].upper,
                    },
                })
            })
            .collect::<Result<Vec<_>>>()?;
        if drawn.failed() > 0 {
            warnings.push(Warning::Note {
                message: format!(
                    "{} of {} draws failed ({}) and were left out",
                    drawn.failed(),
                    self.draws,
                    drawn.first_failure().unwrap_or("no reason kept")
                ),
            });
        }
        Ok(MarginalSensitivityFit {
            model: self.clone(),
            rows,
            tipping_point: tipping_point(&arms)?,
            failed: drawn.failed(),
            warnings,
        })
    }

    /// Control, then treated, and what a reader must know of the rows.
    fn arms(&self, frame: &Frame) -> Result<([Arm; 2], Vec<Warning>)> {
        let formula = Formula::from(format!("`{}` ~ {}", self.treatment, self.terms));
        let fit = Logit::new(formula.clone()).fit(frame)?;
        let design = Design::build(&formula.parse()?, frame, &[&self.outcome])?;
        let rows = &design.rows;
        let propensity = rows.gather(&fit.predict(frame, Quantity::Mean)?);
        let y = rows.gather(frame.numeric(&self.outcome)?.values());
        let w = rows.gather(frame.numeric(&self.treatment)?.values());
        let dropped = rows.total() - rows.len();
        let warnings = (dropped > 0).then(|| Warning::RowsDropped {
            dropped,
            missing: design.missing.clone(),
        });
        let mut weighted = [Vec::new(), Vec::new()];
        for (at, ((y, w), e)) in y.iter().zip(&w).zip(&propensity).enumerate() {
            if y.is_infinite() {
                return Err(Error::Infinite {
                    column: self.outcome.clone(),
                    row: rows.index(at) + 1,
                });
            }
            let treated = *w > 0.5;
            let odds = if treated {
                (1.0 - e) / e
            } else {
                e / (1.0 - e)
            };
            let (certain, factor) = match (self.estimand, treated) {
                (Estimand::Att, true) | (Estimand::Atc, false) => (1.0, 0.0),
                (Estimand::Att, false) | (Estimand::Atc, true) => (0.0, odds),
                _ => (1.0, odds),
            };
            weighted[usize::from(treated)].push((at, (*y, certain, factor)));
        }
        let mut arms = [Arm::default(), Arm::default()];
        let columns: Vec<Vec<f64>> = if self.sharp {
            let terms = design.exogenous.iter().map(|c| c.values(rows));
            std::iter::once(vec![1.0; rows.len()])
                .chain(terms)
                .collect()
        } else {
            Vec::new()
        };
        for (treated, mut own) in weighted.into_iter().enumerate() {
            if own.is_empty() {
                return Err(Error::NoRows {
                    reason: format!(
                        "`{}` is {treated} on no row with an outcome `{}`",
                        self.treatment, self.outcome
                    ),
                });
            }
            own.sort_by(|a, b| a.1.0.total_cmp(&b.1.0));
            arms[treated] = Arm {
                columns: (columns.iter())
                    .map(|column| own.iter().map(|(at, _)| column[*at]).collect())
                    .collect(),
                rows: own.into_iter().map(|(_, row)| row).collect(),
            };
        }
        Ok((arms, warnings.into_iter().collect()))
    }
}

/// The lower and the upper bound of the effect.
fn effect(arms: &[Arm; 2], lambda: f64) -> Result<[f64; 2]> {
    let of = |arm: &Arm| {
        if arm.columns.is_empty() {
            Ok(extremes(arm, lambda))
        } else {
            balanced(arm, lambda)
        }
    };
    let (control, treated) = (of(&arms[0])?, of(&arms[1])?);
    Ok([treated[0] - control[1], treated[1] - control[0]])
}

/// The smallest and the largest mean of an arm among weights that balance the columns: by duality the quantile regression's loss.
fn balanced(arm: &Arm, lambda: f64) -> Result<[f64; 2]> {
    let whole: f64 = arm.rows.iter().map(|(_, c, f)| c + f).sum();
    let mean = arm.rows.iter().map(|(y, c, f)| y * (c + f)).sum::<f64>() / whole;
    let y: Vec<f64> = arm.rows.iter().map(|r| r.0).collect();
    let factors: Vec<f64> = arm.rows.iter().map(|r| r.2).collect();
    if lambda <= 1.0 || factors.iter().all(|f| *f <= 0.0) {
        return Ok([mean; 2]);
    }
    let times = (lambda - 1.0 / lambda) / whole;
    let loss = |tau: f64| least_check_loss(&arm.columns, &y, &factors, tau);
    Ok([
        mean - times * loss(1.0 / (1.0 + lambda))?,
        mean + times * loss(lambda / (1.0 + lambda))?,
    ])
}

/// The smallest and the largest mean of an arm: z is one of its ends below a cut of the outcomes and the other above, and all cuts are tried.
fn extremes(arm: &Arm, lambda: f64) -> [f64; 2] {
    let extreme = |below: f64, above: f64, better: fn(f64, f64) -> f64| {
        let weight = |z: f64, (y, certain, factor): (f64, f64, f64)| {
            let weight = certain + z * factor;
            (weight * y, weight)
        };
        let (mut top, mut bottom) = (0.0, 0.0);
        for row in &arm.rows {
            let (y, w) = weight(above, *row);
            top += y;
            bottom += w;
        }
        let mut best: f64 = top / bottom;
        for row in &arm.rows {
            let (old, new) = (weight(above, *row), weight(below, *row));
            top += new.0 - old.0;
            bottom += new.1 - old.1;
            best = better(best, top / bottom);
        }
        best
    };
    [
        extreme(lambda, 1.0 / lambda, f64::min),
        extreme(1.0 / lambda, lambda, f64::max),
    ]
}

/// The least Λ at which the bounds hold zero; infinite when none does.
fn tipping_point(arms: &[Arm; 2]) -> Result<f64> {
    const HALVINGS: usize = 60;
    /// Where a search without balance ends, as a logarithm, and with it: quantiles further out are those of no row.
    const ENDS: [f64; 2] = [20.0, 7.0];
    let sharp = arms.iter().any(|arm| !arm.columns.is_empty());
    let (mut low, mut high) = (0.0, ENDS[usize::from(sharp)]);
    let holds = |log: f64| -> Result<bool> {
        let [lower, upper] = effect(arms, f64::exp(log))?;
        Ok(lower <= 0.0 && upper >= 0.0)
    };
    if !holds(high)? {
        return Ok(f64::INFINITY);
    }
    for _ in 0..HALVINGS {
        let middle = 0.5 * (low + high);
        if holds(middle)? {
            high = middle;
        } else {
            low = middle;
        }
    }
    Ok(high.exp())
}

impl MarginalSensitivityFit {
    /// One row a Λ.
    pub fn rows(&self) -> &[MarginalBounds] {
        &self.rows
    }

    /// The least Λ at which the bounds, without sampling error, hold zero; infinite when outcomes are so that none does (sharp bounds: none up to 1000).
    pub fn tipping_point(&self) -> f64 {
        self.tipping_point
    }

    /// Draws that failed.
    pub fn failed(&self) -> usize {
        self.failed
    }

    /// What a reader must know.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// Bounds and intervals over Λ.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] when there is nothing finite to draw.
    pub fn plot(&self) -> Result<Figure> {
        let column = |of: fn(&MarginalBounds) -> f64| self.rows.iter().map(of).collect::<Vec<_>>();
        let lambda = column(|r| r.lambda);
        let (low, high) = (column(|r| r.interval.lower), column(|r| r.interval.upper));
        LinePlot::new()
            .title(format!("{} under confounding", self.model.estimand))
            .x_title("Λ")
            .y_title("effect")
            .reference_y(0.0)
            .line("lower bound", &lambda, column(|r| r.lower))
            .band(&low, &high)
            .line("upper bound", &lambda, column(|r| r.upper))
            .draw()
    }

    /// Bounds and intervals.
    pub fn table(&self) -> Table {
        const DIGITS: usize = 5;
        let mut table = Table::new(format!(
            "{} of {} on {} under the marginal sensitivity model",
            self.model.estimand, self.model.treatment, self.model.outcome
        ))
        .columns(["Λ", "Lower bound", "Upper bound", "from", "to"]);
        for row in &self.rows {
            table = table.row([
                Cell::significant(row.lambda, DIGITS),
                Cell::significant(row.lower, DIGITS),
                Cell::significant(row.upper, DIGITS),
                Cell::significant(row.interval.lower, DIGITS),
                Cell::significant(row.interval.upper, DIGITS),
            ]);
        }
        table
            .note(format!(
                "{}ercentile bootstrap, {} draws, level {} %. The bounds hold zero from Λ = {}.",
                if self.model.sharp {
                    "Weights balance the terms of the propensity. P"
                } else {
                    "P"
                },
                self.model.draws,
                percent_of(self.model.level),
                Cell::significant(self.tipping_point, 4)
            ))
            .warned(&self.warnings)
    }
}

crate::report::notebook::shown!(MarginalSensitivityFit);
